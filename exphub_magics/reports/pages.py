"""The pieces of a page that opens offline: tables of text, charts with their data, counts and values in words.

What people named is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from exphub_magics import metrics
from exphub_magics.markup import decimal, interval
from exphub_magics.metrics import pairing

if TYPE_CHECKING:
    import plotly.graph_objects as go

UNBROKEN = 16  # characters of small print that stay on one line


def numbered(number: int, noun: str) -> str:
    """So many of something.

    >>> numbered(1, "experiment"), numbered(1200, "dataset")
    ('1 experiment', '1,200 datasets')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def estimate(found: metrics.Metric | pairing.Difference) -> str:
    r"""A cell with a value, a difference with its sign, and in small print its interval, or why there is none.

    >>> estimate(pairing.Difference(0.05, 0.01, 0.09))
    '+.05\n.01 – .09'
    >>> estimate(pairing.Difference(None, None, None, why="nothing was flagged"))
    'undefined\nnothing was flagged'
    """
    if found.value is None:
        return f"undefined\n{found.why}"
    sign = "+" if isinstance(found, pairing.Difference) and found.value > 0 else ""
    return f"{sign}{decimal(found.value)}\n{interval(found.low, found.high) or found.why}"


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, text: Iterable[int] = (0,)) -> str:
    r"""A table of text; the first cell heads its row, a line after the first is small print.

    >>> "<td>.73<br><small>.65 – .80</small></td>" in table("Recall", ["", "value"], [["first", ".73\n.65 – .80"]])
    True

    Columns in `text` are aligned left, as the first one is.
    """
    left = set(text) | {0}

    def side(column: int) -> str:
        return ' class="text"' if column in left else ""

    top = "".join(f'<th scope="col"{side(n)}>{_lines(name)}</th>' for n, name in enumerate(head))
    lines = "".join(
        f'<tr><th scope="row"{side(0)}>{_lines(first)}</th>'
        + "".join(f"<td{side(n)}>{_lines(cell)}</td>" for n, cell in enumerate(cells, start=1))
        + "</tr>"
        for first, *cells in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption><span>{escape(caption)}</span></caption><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _lines(cell: str) -> str:
    """A cell's first line, and the second in small print, which is broken only where it is long."""
    first, _, rest = cell.partition("\n")
    if not rest:
        return escape(first)
    if len(rest) > UNBROKEN:
        return f'{escape(first)}<small class="why">{escape(rest)}</small>'
    return f"{escape(first)}<br><small>{escape(rest)}</small>"


def figure(chart: go.Figure, caption: str, kind: str = "broad") -> str:
    """A chart and its data, which the page's last script draws; `kind` is how the style sheet sizes it.

    >>> from plotly.graph_objects import Figure
    >>> figure(Figure(), "No flags yet.").endswith("<figcaption>No flags yet.</figcaption></figure>")
    True
    """
    held = chart.to_json().replace("<", "\\u003c")
    return (
        f'<figure class="{kind}"><div role="img" aria-label="{escape(caption)}"></div>'
        f'<script type="application/json">{held}</script><figcaption>{escape(caption)}</figcaption></figure>'
    )
