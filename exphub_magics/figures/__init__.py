"""Charts of flags beside each other, counted in cells: a confusion matrix, and the agreement of every pair.

Counts or a tidy frame in, a plotly figure out; reads no database, shows nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from exphub_magics import lazily
from exphub_magics.figures import style

if TYPE_CHECKING:
    import pandas as pd
    import plotly
    import plotly.graph_objects as go
else:
    plotly = lazily.load("plotly")

ROWS = {
    "yes": ("tp", "fn", "no_answer_yes"),
    "no": ("fp", "tn", "no_answer_no"),
    "unlabelled": ("unlabelled_flagged", "unlabelled_not", "unlabelled_no_answer"),
}
COLUMNS = ("flagged", "not flagged", "no answer")
_TINT = {"tp": "blue", "tn": "blue", "fp": "orange", "fn": "orange"}


def confusion(counts: Mapping[str, int]) -> go.Figure:
    """Where the model's flags meet the manual ones, missing answers and labels included.

    >>> figure = confusion({"tp": 6, "fp": 1, "fn": 2, "tn": 10, "no_answer_yes": 1})
    >>> figure.data[0].z
    ([6, 2, 1], [1, 10, 0])
    >>> figure.data[0].text[0]
    ['6<br>67 %', '2<br>22 %', '1<br>11 %']

    Args:
        counts: tp, fp, fn, tn; no_answer_yes and no_answer_no for labelled narratives without an answer;
            unlabelled_flagged, unlabelled_not and unlabelled_no_answer. What is not there counts as none.

    Rows are the manual flag, columns the model's; a share is one of its row.
    """
    rows = [row for row in ROWS if row != "unlabelled" or any(counts.get(key, 0) for key in ROWS[row])]
    width = 3 if any(counts.get(ROWS[row][2], 0) for row in rows) else 2
    keys = [ROWS[row][:width] for row in rows]
    z = [[counts.get(key, 0) for key in row] for row in keys]
    shares = [[count / sum(row) if sum(row) else 0.0 for count in row] for row in z]
    figure = _cells(
        COLUMNS[:width],
        rows,
        z,
        [
            [
                f"{count:,}<br>{style.percent(share)}" if sum(row) else "0"
                for count, share in zip(row, line, strict=True)
            ]
            for row, line in zip(z, shares, strict=True)
        ],
        customdata=shares,
        colorscale=[[end, "rgba(0, 0, 0, 0)"] for end in (0, 1)],  # the colours are shapes, since z are counts
        hovertemplate="manual %{y}, %{x}: %{z:,} narratives, %{customdata:.1%} of the row<extra></extra>",
    )
    figure.update_layout(
        shapes=[
            _cell(column, row, _tint(_TINT.get(key), shares[row][column]))
            for row, line in enumerate(keys)
            for column, key in enumerate(line)
        ]
    )
    figure.update_traces(textfont={"size": 15})
    figure.update_xaxes(side="top", title="model")
    figure.update_yaxes(title="manual flag")
    style.styled(figure, title="", height=150 + 75 * len(rows))
    return figure.update_layout(title=None, width=160 + 100 * width, margin={"t": 12})


def _tint(name: str | None, share: float) -> str:
    """From pale to full with the share; grey where there is nothing to agree on."""
    if name is None:
        return style.BLANK
    pale, full = style.TINTS[name]
    red, green, blue = (round(low + (high - low) * share) for low, high in zip(pale, full, strict=True))
    return f"rgb({red}, {green}, {blue})"


def agreement(flags: pd.DataFrame) -> go.Figure:
    """How alike two sets of flagged narratives are: Jaccard's index, and percent agreement on hover.

    >>> import pandas as pd
    >>> flags = pd.DataFrame({"manual": [True, True, False, None], "first": [True, False, False, True]})
    >>> agreement(flags).data[0].z[0]
    [1.0, 0.5]

    Args:
        flags: as for `overlaps.overlap`; each pair is compared on the narratives that both decided.
    """
    names = style.names(flags.columns)
    found = [[_alike(flags[one], flags[two]) for two in flags.columns] for one in flags.columns]
    figure = _cells(
        names,
        names,
        [[pair[0] for pair in row] for row in found],
        [["undefined" if pair[0] is None else f"{pair[0]:.2f}" for pair in row] for row in found],
        hovertext=[[pair[1] for pair in row] for row in found],
        hovertemplate="%{y} and %{x}: %{hovertext}<extra></extra>",
        colorscale=[[end, f"rgb{style.TINTS['blue'][end]}"] for end in (0, 1)],
        zmin=0,
        zmax=1,
        xgap=3,
        ygap=3,
    )
    figure.update_layout(
        shapes=[
            _cell(column, row, style.BLANK)
            for row, line in enumerate(found)
            for column, (alike, _) in enumerate(line)
            if alike is None
        ]
    )
    figure.update_xaxes(title="experiment")
    figure.update_yaxes(title="experiment")
    note = "narratives flagged by both, of those flagged by either (Jaccard)"
    return style.styled(figure, title="Overlap of the flagged, by pair", note=note, height=200 + 36 * len(names))


def _alike(one: pd.Series, two: pd.Series) -> tuple[float | None, str]:
    decided = one.notna() & two.notna()
    first, second = one[decided].astype(bool), two[decided].astype(bool)
    both, either, same = (int(those.sum()) for those in (first & second, first | second, first == second))
    if not len(first):
        return None, "no narrative was decided by both"
    percent_agreement = f"agree on {same:,} of {len(first):,} ({style.percent(same / len(first))})"
    if not either:
        return None, f"neither flagged any; {percent_agreement}"
    return both / either, f"both flagged {both:,} of {either:,} flagged by either; {percent_agreement}"


# --- cells ------------------------------------------------------------------------------------------------


def _cells(
    x: Sequence[str], y: Sequence[str], z: Sequence[Sequence[float | None]], text: Sequence[Sequence[str]], **more: Any
) -> go.Figure:
    """Counts or shares as cells with a text in each, the first row on top."""
    figure = plotly.graph_objects.Figure(
        plotly.graph_objects.Heatmap(
            x=x, y=y, z=z, text=text, texttemplate="%{text}", textfont={"color": style.INK}, showscale=False, **more
        )
    )
    figure.update_xaxes(showgrid=False)
    return figure.update_yaxes(showgrid=False, autorange="reversed")


def _cell(column: int, row: int, colour: str) -> dict[str, Any]:
    edge = 0.485
    corners = {"x0": column - edge, "x1": column + edge, "y0": row - edge, "y1": row + edge}
    return {"type": "rect", "layer": "below", "line": {"width": 0}, "fillcolor": colour, **corners}
