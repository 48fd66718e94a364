"""Words and plain HTML that notebooks and reports share; what a person or a model wrote is escaped.

JupyterLab drops style sheets and scripts from an untrusted notebook's HTML and keeps tables, details and inline
colours, so these are all that is used.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

TITLES = {"f1": "F1", "kappa": "Cohen's κ", "jaccard": "Jaccard", "mcc": "MCC", "npv": "NPV"}
LISTED = 25  # items that a list shows before it says how many more there are


def decimal(value: float | None) -> str:
    """A share or a difference to two places, without the zero before the point.

    >>> decimal(0.725), decimal(1.0), decimal(-0.05), decimal(-0.001), decimal(None)
    ('.73', '1.00', '-.05', '.00', '–')
    """
    if value is None:
        return "–"
    # Half a hair more, so that .725, which no float is exactly, rounds as it reads.
    shown = f"{value + (1e-12 if value >= 0 else -1e-12):.2f}"
    if float(shown) == 0:
        return ".00"
    return shown.replace("0.", ".", 1) if shown.lstrip("-").startswith("0.") else shown


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number of things; of one, without the plural.

    >>> counted(1, "narrative"), counted(1119, "narrative"), counted(0, "reply", "replies")
    ('1 narrative', '1,119 narratives', '0 replies')
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def interval(low: float | None, high: float | None) -> str:
    """An interval as its two ends, or nothing.

    >>> interval(0.7, 0.92)
    '.70 – .92'
    """
    return "" if low is None or high is None else f"{decimal(low)} – {decimal(high)}"


def table(head: Sequence[str], body: Iterable[Sequence[str]], *, left: Iterable[int] = ()) -> str:
    """A table of text cells; the first column heads its row, columns in `left` are aligned left.

    >>> table(["", "n"], [["all", "3"]]).count("<td")
    1
    """
    flush = {0, *left}
    sides = ["left" if column in flush else "right" for column in range(len(head))]
    top = "".join(
        f'<th scope="col" style="text-align: {side}">{escape(name)}</th>'
        for name, side in zip(head, sides, strict=True)
    )
    lines = "".join(
        f'<tr><th scope="row" style="text-align: left">{escape(first)}</th>'
        + "".join(
            f'<td style="text-align: {side}">{escape(cell)}</td>' for cell, side in zip(cells, sides[1:], strict=True)
        )
        + "</tr>"
        for first, *cells in body
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"


def columns(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """The same table as lines of plain text.

    >>> print(columns(["", "n"], [["all", "3"]]))
         n
    all  3
    """
    lines = [tuple(head), *(tuple(line) for line in body)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def details(summary: str, items: Iterable[str]) -> str:
    """A list of HTML items that opens on a click; nothing where there is nothing to list.

    >>> details("2 that failed", [])
    ''
    """
    listed = list(items)
    if not listed:
        return ""
    more = f"<li>… and {len(listed) - LISTED:,} more</li>" if len(listed) > LISTED else ""
    inner = "".join(f"<li>{item}</li>" for item in listed[:LISTED])
    return f"<details><summary>{escape(summary)}</summary><ul>{inner}{more}</ul></details>"


def block(content: str) -> str:
    """A block of HTML in which a notebook takes no dollar for the beginning of a formula: texts and money hold some.

    >>> block("$1 of $2")
    '<div class="mathjax_ignore">$1 of $2</div>'
    """
    return f'<div class="mathjax_ignore">{content}</div>'
