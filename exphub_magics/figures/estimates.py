"""Charts of values with their 95 % intervals: precision against recall, every metric, differences.

A tidy frame in, a plotly figure out; reads no database, shows nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import unescape
from typing import TYPE_CHECKING, Any, TypeGuard

from exphub_magics import lazily
from exphub_magics.figures import placement, style

if TYPE_CHECKING:
    import pandas as pd
    import plotly
    import plotly.graph_objects as go
else:
    plotly = lazily.load("plotly")

SYMBOLS = ("circle", "square", "diamond", "triangle-up")
PANELS = 3  # side by side


# --- precision against recall -----------------------------------------------------------------------------


def precision_recall(scores: pd.DataFrame) -> go.Figure:
    """Precision against recall with 95 % intervals both ways; the faint lines join points of equal F1.

    >>> import pandas as pd
    >>> row = {"name": "first@1", "precision": 0.8, "precision_low": 0.7, "precision_high": 0.9,
    ...        "recall": 0.6, "recall_low": 0.5, "recall_high": 0.7, "n": 400}
    >>> figure = precision_recall(pd.DataFrame([row]))
    >>> [(point.x, point.y, point.text) for point in figure.data if point.name == "first@1"]
    [((0.6,), (0.8,), ('first@1',))]

    Args:
        scores: name, precision, precision_low, precision_high, recall, recall_low, recall_high and n. An
            experiment of which either value is missing has no point, and the note says so.
    """
    drawn = scores.dropna(subset=["precision", "recall"])
    rows = drawn.to_dict("records")
    floor = _floor(drawn)
    figure = plotly.graph_objects.Figure()
    _contours(figure, floor)
    for number, row in enumerate(rows):
        figure.add_trace(_point(row, number))
    _label(figure, rows, floor)
    span = [floor, 1 + 0.04 * (1 - floor)]
    figure.update_xaxes(title="recall", range=span, tickformat=".1f", dtick=_tick(floor))
    figure.update_yaxes(title="precision", range=span, tickformat=".1f", dtick=_tick(floor))
    note = "bars: 95 % intervals; faint lines: equal F1<br>always “no” has recall 0 and no precision"
    missing = [style.name(name) for name in scores["name"] if name not in set(drawn["name"])]
    if missing:
        more = f" and {len(missing) - 2:,} more" if len(missing) > 2 else ""  # noqa: PLR2004 - room for two
        note += f"<br>undefined, hence no point: {', '.join(missing[:2])}{more}"
    style.styled(figure, title="Precision and recall", note=note, height=540)
    return figure.update_layout(margin={"t": 118 if missing else 96})


def _floor(scores: pd.DataFrame) -> float:
    """Where both axes begin: a tenth below all that is drawn."""
    lows = float(scores[["precision", "recall", "precision_low", "recall_low"]].min().min())
    return min(max(0.0, math.floor(10 * lows - 0.2) / 10), 0.8) if _known(lows) else 0.0


def _tick(floor: float) -> float:
    return 0.1 if floor >= 0.3 else 0.2  # noqa: PLR2004 - at most eight ticks


def _contours(figure: go.Figure, floor: float) -> None:
    """Precision = F r / (2 r - F), from where the line enters on the left or at the top."""
    for tenth in range(1, 10):
        f1 = tenth / 10
        end = f1 / (2 - f1)  # precision at recall 1, and recall at precision 1
        if end < floor:
            continue
        recalls = [end + (1 - end) * step / 60 for step in range(61)]
        figure.add_scatter(
            x=recalls,
            y=[f1 * recall / (2 * recall - f1) for recall in recalls],
            mode="lines",
            line={"color": style.FAINT, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_annotation(x=1, y=end, text=f"F1 {f1:.1f}", showarrow=False, xanchor="right", yanchor="bottom")


def _point(row: Mapping[Any, Any], number: int) -> go.Scatter:
    colour = style.PALETTE[number % len(style.PALETTE)]
    axes = {
        f"error_{axis}": _bars(
            [row[f"{metric}_high"] - row[metric]],
            [row[metric] - row[f"{metric}_low"]],
            color=colour,
            thickness=1.2,
            width=3,
        )
        for axis, metric in (("x", "recall"), ("y", "precision"))
        if _known(row[f"{metric}_low"])
    }
    shares = [
        f"{metric} {_spoken(row[metric], row[f'{metric}_low'], row[f'{metric}_high'])}"
        for metric in ("precision", "recall")
    ]
    return plotly.graph_objects.Scatter(
        name=style.name(row["name"]),
        x=[row["recall"]],
        y=[row["precision"]],
        text=[style.name(row["name"])],
        mode="markers",
        marker={"color": colour, "size": 10, "symbol": SYMBOLS[number // len(style.PALETTE) % len(SYMBOLS)]},
        hovertemplate=f"%{{text}}<br>{'<br>'.join(shares)}<br>n = {row['n']:,}<extra></extra>",
        showlegend=False,
        **axes,
    )


_PLOT = (620, 400)  # pixels that the points are taken to have; on a narrower page names may touch


def _label(figure: go.Figure, rows: Sequence[Mapping[Any, Any]], floor: float) -> None:
    """Put each name beside its point, where it covers no point, bar or other name."""

    def pixel(recall: float, precision: float) -> placement.Point:
        return (recall - floor) / (1 - floor) * _PLOT[0], (1 - precision) / (1 - floor) * _PLOT[1]

    points = [pixel(row["recall"], row["precision"]) for row in rows]
    taken = []
    for row, (x, y) in zip(rows, points, strict=True):
        left, bottom = pixel(_end(row, "recall", "low"), _end(row, "precision", "low"))
        right, top = pixel(_end(row, "recall", "high"), _end(row, "precision", "high"))
        taken += [(x - 6, y - 6, x + 6, y + 6), (left, y - 1, right, y + 1), (x - 1, top, x + 1, bottom)]
    names = [style.name(row["name"]) for row in rows]
    offsets = placement.offsets(points, [unescape(name) for name in names], taken, _PLOT)
    for row, name, (across, down) in zip(rows, names, offsets, strict=True):
        figure.add_annotation(
            x=row["recall"],
            y=row["precision"],
            text=name,
            ax=across,
            ay=down,
            xanchor="left" if across > 0 else "right",
            arrowhead=0,
            arrowwidth=0.8,
            arrowcolor=style.GREY,
            standoff=6,
        )


def _end(row: Mapping[Any, Any], metric: str, side: str) -> float:
    """An end of a metric's interval; the value itself where there is none."""
    end, value = row[f"{metric}_{side}"], row[metric]
    return float(end if _known(end) else value)


# --- values and differences, a row each --------------------------------------------------------------------


def forest(scores: pd.DataFrame) -> go.Figure:
    """Every experiment's value of each metric with its 95 % interval, a panel per metric.

    >>> import pandas as pd
    >>> rows = [("recall", "first@1", 0.6, 0.5, 0.7), ("recall", "second@1", None, None, None)]
    >>> figure = forest(pd.DataFrame(rows, columns=["metric", "name", "value", "low", "high"]))
    >>> figure.data[0].x, figure.layout.annotations[1].text
    ((0.6,), 'undefined')

    Args:
        scores: metric, name, value, low and high; the order of metrics and names is kept.
    """
    metrics, names = list(dict.fromkeys(scores["metric"])), list(dict.fromkeys(scores["name"]))
    across = len(metrics) if len(metrics) <= PANELS else math.ceil(len(metrics) / 2)
    across = min(max(across, 1), PANELS)
    down = math.ceil(len(metrics) / across) or 1
    panel = 26 * len(names) + 20
    figure = plotly.graph_objects.Figure().set_subplots(
        rows=down,
        cols=across,
        shared_yaxes=True,
        subplot_titles=[style.name(metric) for metric in metrics],
        horizontal_spacing=0.06,
        vertical_spacing=70 / (panel * down + 70 * down) if down > 1 else 0,
    )
    for place, metric in enumerate(metrics):
        row, column = place // across + 1, place % across + 1
        _panel(figure, scores[scores["metric"] == metric], names, {"row": row, "col": column})
    style.rows(figure, [style.name(name) for name in names])
    figure.update_yaxes(title="experiment", col=1)
    style.styled(figure, title="Values with 95 % intervals", height=90 + down * (panel + 70))
    return figure.update_layout(margin={"t": 84})


def _panel(figure: go.Figure, rows: pd.DataFrame, names: Sequence[str], at: Mapping[str, int]) -> None:
    drawn = rows.dropna(subset=["value"])
    figure.add_trace(
        _interval_points(drawn, [names.index(name) for name in drawn["name"]], [style.BLUE] * len(drawn)), **at
    )
    for name in rows[rows["value"].isna()]["name"]:
        figure.add_annotation(text="undefined", x=0.5, y=names.index(name), showarrow=False, font={"size": 11}, **at)
    least = min([0.0, *rows["low"].dropna()])
    lowest = math.floor(10 * least) / 10
    figure.update_xaxes(title="value", range=[lowest - 0.02, 1.02], tickformat="~f", dtick=0.5, **at)


def differences(rows: pd.DataFrame) -> go.Figure:
    """Paired differences with their 95 % intervals; blue where the interval excludes zero.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"metric": ["recall"], "value": [0.05], "low": [0.01], "high": [0.09]})
    >>> differences(rows).data[0].marker.color
    ('#0072B2',)

    Args:
        rows: metric, value, low and high, each second minus first; a missing value is said to be undefined.
    """
    metrics = list(rows["metric"])
    drawn = rows.dropna(subset=["value"])
    apart = (drawn["low"] > 0) | (drawn["high"] < 0)
    figure = plotly.graph_objects.Figure(
        _interval_points(
            drawn.assign(name=drawn["metric"]),
            [metrics.index(metric) for metric in drawn["metric"]],
            [style.BLUE if one else style.GREY for one in apart],
        )
    )
    figure.add_vline(x=0, line={"color": style.GREY, "width": 1, "dash": "dot"})
    for metric in rows[rows["value"].isna()]["metric"]:
        figure.add_annotation(text="undefined", x=0, y=metrics.index(metric), showarrow=False, xshift=40)
    ends = float(drawn[["value", "low", "high"]].abs().max().max())
    reach = max(0.05, 1.1 * ends) if _known(ends) else 0.1
    figure.update_xaxes(title="difference (second minus first)", range=[-reach, reach], tickformat="+.2~f")
    style.rows(figure, [style.name(metric) for metric in metrics], title="metric")
    note = "bars: 95 % intervals; blue: the interval excludes zero"
    return style.styled(figure, title="What changed", note=note, height=150 + 30 * len(metrics))


# --- intervals --------------------------------------------------------------------------------------------


def _interval_points(rows: pd.DataFrame, y: Sequence[int], colours: Sequence[str]) -> go.Scatter:
    """Points with bars from low to high; a bar is drawn only where there is an interval."""
    described = [
        f"{style.name(name)}: {_spoken(value, low, high)}"
        for name, value, low, high in rows[["name", "value", "low", "high"]].itertuples(index=False, name=None)
    ]
    return plotly.graph_objects.Scatter(
        x=rows["value"].tolist(),
        y=list(y),
        mode="markers",
        marker={"color": list(colours), "size": 9},
        error_x=_bars(
            (rows["high"] - rows["value"]).fillna(0).tolist(),
            (rows["value"] - rows["low"]).fillna(0).tolist(),
            color=style.GREY,
            thickness=1.5,
            width=4,
        ),
        hovertext=described,
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


def _bars(up: Sequence[float], down: Sequence[float], **line: Any) -> dict[str, Any]:
    """Bars that reach so far above and below their values."""
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, **line}


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and not math.isnan(value)


def _spoken(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.2f} ({low:.2f} to {high:.2f})" if _known(low) else f"{value:.2f}, no interval"
