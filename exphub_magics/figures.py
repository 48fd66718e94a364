"""Charts: a tidy frame in, a plotly figure out; reads no database, shows nothing.

Every figure carries on a white page and on a dark one: the background is transparent, text and axes are a mid
grey, cells that hold text are light and their text is dark. Colours are Okabe and Ito's, which colour-blind
readers tell apart. Names are escaped, since plotly reads HTML in labels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape, unescape
from typing import TYPE_CHECKING, Any, TypeAlias

import lazy_loader

if TYPE_CHECKING:
    import pandas as pd
    import plotly
    import plotly.graph_objects as go
else:
    plotly = lazy_loader.load("plotly")

MANUAL = "manual"
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#7b7b7b"
PALETTE = (BLUE, ORANGE, "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
SYMBOLS = ("circle", "square", "diamond", "triangle-up")
FAINT = "rgba(123, 123, 123, 0.3)"
INK = "#111111"  # text on the light cells
TINTS = {"blue": ((222, 235, 247), (116, 184, 230)), "orange": ((255, 240, 214), (240, 170, 50))}
BLANK = "rgb(226, 226, 226)"
INTERSECTIONS = 20
PANELS = 3  # side by side
FEWEST = 5  # bars for which there is room, so that two are not as broad as the page
NAME_CHARACTERS = 32


def styled(figure: go.Figure, *, title: str, note: str = "", height: int = 360) -> go.Figure:
    """Give a figure the look that all have: title, note beneath it, transparent background, mid-grey axes.

    >>> figure = styled(plotly.graph_objects.Figure(), title="Flags", note="of 10 narratives")
    >>> figure.layout.title.subtitle.text
    'of 10 narratives'
    """
    axis = {
        "automargin": True,
        "gridcolor": FAINT,
        "linecolor": GREY,
        "zeroline": False,
        "ticks": "",
        "ticklabelstandoff": 3,
        "title": {"font": {"size": 13}},
    }
    figure.update_layout(
        template={"layout": {"xaxis": axis, "yaxis": axis, "colorway": PALETTE}},
        title={
            "text": title,
            "subtitle": {"text": note},
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "pad": {"l": 12},
        },
        font={"color": GREY, "size": 13},
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        height=height,
        margin={"l": 12, "r": 16, "t": 76 + 20 * note.count("<br>") if note else 48, "b": 12},
        hoverlabel={"bgcolor": "#ffffff", "bordercolor": GREY, "font": {"color": INK}},
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"},
        dragmode=False,
    )
    return figure


def percent(share: float) -> str:
    """A share as a whole percentage; one that is not nothing or all is not shown as such.

    >>> percent(0.731), percent(0.001), percent(0.999), percent(0.0)
    ('73 %', '<1 %', '>99 %', '0 %')
    """
    whole = round(100 * share)
    if share > 0 and whole == 0:
        return "<1 %"
    return ">99 %" if share < 1 and whole == 100 else f"{whole} %"  # noqa: PLR2004 - per cent


def _known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _spoken(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.2f} ({low:.2f} to {high:.2f})" if _known(low) else f"{value:.2f}, no interval"


def _name(name: object) -> str:
    """A name that plotly takes for text; a long one loses its middle, so that its version can be seen."""
    text = str(name)
    if len(text) > NAME_CHARACTERS:
        text = f"{text[: NAME_CHARACTERS - 10]}…{text[-9:]}"
    return escape(text)


def _names(names: Iterable[object]) -> list[str]:
    """Names as `_name` has them, whole where two would look the same."""
    whole = [str(name) for name in names]
    short = [_name(name) for name in whole]
    return short if len(set(short)) == len(short) else [escape(name) for name in whole]


def _cells(
    x: Sequence[str], y: Sequence[str], z: Sequence[Sequence[float | None]], text: Sequence[Sequence[str]], **more: Any
) -> go.Figure:
    """Counts or shares as cells with a text in each, the first row on top."""
    figure = plotly.graph_objects.Figure(
        plotly.graph_objects.Heatmap(
            x=x, y=y, z=z, text=text, texttemplate="%{text}", textfont={"color": INK}, showscale=False, **more
        )
    )
    figure.update_xaxes(showgrid=False)
    return figure.update_yaxes(showgrid=False, autorange="reversed")


# --- one experiment ---------------------------------------------------------------------------------------

_ROWS = {
    "yes": ("tp", "fn", "no_answer_yes"),
    "no": ("fp", "tn", "no_answer_no"),
    "unlabelled": ("unlabelled_flagged", "unlabelled_not", "unlabelled_no_answer"),
}
_COLUMNS = ("flagged", "not flagged", "no answer")
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
    rows = [row for row in _ROWS if row != "unlabelled" or any(counts.get(key, 0) for key in _ROWS[row])]
    width = 3 if any(counts.get(_ROWS[row][2], 0) for row in rows) else 2
    keys = [_ROWS[row][:width] for row in rows]
    z = [[counts.get(key, 0) for key in row] for row in keys]
    shares = [[count / sum(row) if sum(row) else 0.0 for count in row] for row in z]
    figure = _cells(
        _COLUMNS[:width],
        rows,
        z,
        [
            [f"{count:,}<br>{percent(share)}" if sum(row) else "0" for count, share in zip(row, line, strict=True)]
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
    styled(figure, title="", height=150 + 75 * len(rows))
    return figure.update_layout(title=None, width=160 + 100 * width, margin={"t": 12})


def _cell(column: int, row: int, colour: str) -> dict[str, Any]:
    edge = 0.485
    corners = {"x0": column - edge, "x1": column + edge, "y0": row - edge, "y1": row + edge}
    return {"type": "rect", "layer": "below", "line": {"width": 0}, "fillcolor": colour, **corners}


def _tint(name: str | None, share: float) -> str:
    """From pale to full with the share; grey where there is nothing to agree on."""
    if name is None:
        return BLANK
    pale, full = TINTS[name]
    red, green, blue = (round(low + (high - low) * share) for low, high in zip(pale, full, strict=True))
    return f"rgb({red}, {green}, {blue})"


# --- experiments and the manual flags ---------------------------------------------------------------------


def overlap(flags: pd.DataFrame) -> go.Figure:
    """Which narratives are flagged by whom: how many by exactly these, and by none of the others.

    >>> import pandas as pd
    >>> flags = pd.DataFrame(
    ...     {"manual": [True, True, False, None], "first": [True, False, False, True]}, dtype=object
    ... )
    >>> figure = overlap(flags)
    >>> [(bar.name, bar.y) for bar in figure.data if bar.type == "bar"]
    [('manual yes', (1, 1))]
    >>> figure.layout.title.subtitle.text
    '3 narratives, 1 flagged by none<br>1 left out for want of an answer or a label'

    Args:
        flags: a row per narrative, a column per experiment and `manual`; True, False, or None for a missing
            one. Rows with a missing one are left out, and their number is said.
    """
    complete = flags[flags.notna().all(axis=1)].astype(bool)
    sizes = {column: int(complete[column].sum()) for column in complete.columns}
    order = sorted(sizes, key=lambda column: (column != MANUAL, -sizes[column]))
    members = [tuple(map(bool, row)) for row in complete[order].itertuples(index=False, name=None)]
    found = Counter(member for member in members if any(member))
    ranked = sorted(found.items(), key=lambda item: (-item[1], [not one for one in item[0]]))
    shown = ranked[:INTERSECTIONS]
    other = sum(count for _, count in ranked[INTERSECTIONS:])
    figure = plotly.graph_objects.Figure().set_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.03, row_heights=[230, 30 + 28 * len(order)]
    )
    _bars(figure, order, shown, (len(ranked) - len(shown), other), len(members))
    _dots(figure, order, shown, sizes)
    none = len(members) - sum(found.values())
    left_out = len(flags) - len(complete)
    note = f"{len(members):,} narratives, {none:,} flagged by none"
    if left_out:
        note += f"<br>{left_out:,} left out for want of an answer or a label"
    styled(figure, title="Flagged by exactly these", note=note, height=400 + 28 * len(order))
    figure.update_layout(margin={"b": 44}, legend={"yref": "container", "y": 0.01})
    return figure


def _bars(
    figure: go.Figure,
    order: Sequence[Any],
    shown: Sequence[tuple[tuple[bool, ...], int]],
    other: tuple[int, int],
    total: int,
) -> None:
    kinds = [_kind(order, member) for member, _ in shown]
    colours = {"manual yes": BLUE, "manual no": ORANGE, "flagged": BLUE}
    for kind in dict.fromkeys(kinds):
        places = [place for place, one in enumerate(kinds) if one == kind]
        counts = [shown[place][1] for place in places]
        who = [
            " and ".join(_name(one) for one, on in zip(order, shown[place][0], strict=True) if on) for place in places
        ]
        figure.add_trace(_bar(kind, places, counts, who, colours[kind], total), row=1, col=1)
    if other[0]:
        who = [f"{other[0]:,} smaller intersections together"]
        figure.add_trace(_bar("other", [len(shown)], [other[1]], who, GREY, total), row=1, col=1)
    figure.update_yaxes(title="narratives", rangemode="tozero", row=1, col=1)


def _bar(name: str, x: Sequence[int], y: Sequence[int], who: Sequence[str], colour: str, total: int) -> go.Bar:
    return plotly.graph_objects.Bar(
        name=name,
        x=x,
        y=y,
        text=y,
        texttemplate="%{text:,}",
        textposition="outside",
        constraintext="none",
        textangle=0,
        cliponaxis=False,
        textfont={"color": GREY},
        hovertext=who,
        hovertemplate="flagged by %{hovertext}<br>%{y:,} narratives, %{customdata}<extra></extra>",
        customdata=[f"{percent(count / total)} of all" for count in y],
        marker={"color": colour},
        width=0.7,
        legendrank=["manual yes", "manual no", "other", "flagged"].index(name),
        showlegend=name != "flagged",
    )


def _kind(order: Sequence[Any], member: Sequence[bool]) -> str:
    if MANUAL not in order:
        return "flagged"
    return "manual yes" if member[list(order).index(MANUAL)] else "manual no"


def _dots(
    figure: go.Figure,
    order: Sequence[Any],
    shown: Sequence[tuple[tuple[bool, ...], int]],
    sizes: Mapping[Any, int],
) -> None:
    every = [(place, row) for place in range(len(shown)) for row in range(len(order))]
    figure.add_trace(_marks(every, FAINT), row=2, col=1)
    lines: list[tuple[int | None, int | None]] = []
    for place, (member, _) in enumerate(shown):
        lines += [(place, row) for row, on in enumerate(member) if on]
        lines.append((None, None))
    figure.add_trace(_marks(lines, GREY), row=2, col=1)
    labels = [f"{_name(one)} ({sizes[one]:,})" for one in order]
    figure.update_yaxes(
        tickvals=list(range(len(order))),
        ticktext=labels,
        title="flagged by (in all)",
        range=[len(order) - 0.5, -0.5],
        showgrid=False,
        row=2,
        col=1,
    )
    ticks = {"tickvals": [len(shown)], "ticktext": ["other"]} if any(bar.name == "other" for bar in figure.data) else {}
    figure.update_xaxes(showticklabels=bool(ticks), showgrid=False, **ticks, row=2, col=1)
    room = max(len(shown) + bool(ticks), FEWEST)
    figure.update_xaxes(showgrid=False, range=[-0.6, room - 0.4])


def _marks(places: Iterable[tuple[int | None, int | None]], colour: str) -> go.Scatter:
    places = list(places)
    return plotly.graph_objects.Scatter(
        x=[place for place, _ in places],
        y=[row for _, row in places],
        mode="lines+markers" if colour == GREY else "markers",
        marker={"color": colour, "size": 11},
        line={"color": colour, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )


def agreement(flags: pd.DataFrame) -> go.Figure:
    """How alike two sets of flagged narratives are: Jaccard's index, and percent agreement on hover.

    >>> import pandas as pd
    >>> flags = pd.DataFrame({"manual": [True, True, False, None], "first": [True, False, False, True]})
    >>> agreement(flags).data[0].z[0]
    [1.0, 0.5]

    Args:
        flags: as for `overlap`; each pair is compared on the narratives that both decided.
    """
    names = _names(flags.columns)
    found = [[_alike(flags[one], flags[two]) for two in flags.columns] for one in flags.columns]
    figure = _cells(
        names,
        names,
        [[pair[0] for pair in row] for row in found],
        [["undefined" if pair[0] is None else f"{pair[0]:.2f}" for pair in row] for row in found],
        hovertext=[[pair[1] for pair in row] for row in found],
        hovertemplate="%{y} and %{x}: %{hovertext}<extra></extra>",
        colorscale=[[end, f"rgb{TINTS['blue'][end]}"] for end in (0, 1)],
        zmin=0,
        zmax=1,
        xgap=3,
        ygap=3,
    )
    figure.update_layout(
        shapes=[
            _cell(column, row, BLANK)
            for row, line in enumerate(found)
            for column, (alike, _) in enumerate(line)
            if alike is None
        ]
    )
    figure.update_xaxes(title="experiment")
    figure.update_yaxes(title="experiment")
    note = "narratives flagged by both, of those flagged by either (Jaccard)"
    return styled(figure, title="Overlap of the flagged, by pair", note=note, height=200 + 36 * len(names))


def _alike(one: pd.Series, two: pd.Series) -> tuple[float | None, str]:
    decided = one.notna() & two.notna()
    first, second = one[decided].astype(bool), two[decided].astype(bool)
    both, either, same = (
        int((first & second).sum()),
        int((first | second).sum()),
        int((first == second).sum()),
    )
    if not len(first):
        return None, "no narrative was decided by both"
    percent_agreement = f"agree on {same:,} of {len(first):,} ({percent(same / len(first))})"
    if not either:
        return None, f"neither flagged any; {percent_agreement}"
    return both / either, f"both flagged {both:,} of {either:,} flagged by either; {percent_agreement}"


# --- figures with their intervals -------------------------------------------------------------------------


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
    missing = [_name(name) for name in scores["name"] if name not in set(drawn["name"])]
    if missing:
        more = f" and {len(missing) - 2:,} more" if len(missing) > 2 else ""  # noqa: PLR2004 - room for two
        note += f"<br>undefined, hence no point: {', '.join(missing[:2])}{more}"
    styled(figure, title="Precision and recall", note=note, height=540)
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
            line={"color": FAINT, "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )
        figure.add_annotation(x=1, y=end, text=f"F1 {f1:.1f}", showarrow=False, xanchor="right", yanchor="bottom")


def _point(row: Mapping[Any, Any], number: int) -> go.Scatter:
    colour = PALETTE[number % len(PALETTE)]
    axes = {
        f"error_{axis}": {
            "type": "data",
            "symmetric": False,
            "array": [row[f"{metric}_high"] - row[metric]],
            "arrayminus": [row[metric] - row[f"{metric}_low"]],
            "color": colour,
            "thickness": 1.2,
            "width": 3,
        }
        for axis, metric in (("x", "recall"), ("y", "precision"))
        if _known(row[f"{metric}_low"])
    }
    shares = [
        f"{metric} {_spoken(row[metric], row[f'{metric}_low'], row[f'{metric}_high'])}"
        for metric in ("precision", "recall")
    ]
    return plotly.graph_objects.Scatter(
        name=_name(row["name"]),
        x=[row["recall"]],
        y=[row["precision"]],
        text=[_name(row["name"])],
        mode="markers",
        marker={"color": colour, "size": 10, "symbol": SYMBOLS[number // len(PALETTE) % len(SYMBOLS)]},
        hovertemplate=f"%{{text}}<br>{'<br>'.join(shares)}<br>n = {row['n']:,}<extra></extra>",
        showlegend=False,
        **axes,
    )


_PLOT = (620, 400)  # pixels that the points are taken to have; on a narrower page names may touch
_LINE = 16  # a line of text, in pixels; a letter is taken to be 7 wide


def _label(figure: go.Figure, rows: Sequence[Mapping[Any, Any]], floor: float) -> None:
    """Put each name beside its point, at the nearest place where it covers no point, bar or other name."""

    def pixel(recall: float, precision: float) -> tuple[float, float]:
        return (recall - floor) / (1 - floor) * _PLOT[0], (1 - precision) / (1 - floor) * _PLOT[1]

    taken = []
    for row in rows:
        x, y = pixel(row["recall"], row["precision"])
        left, bottom = pixel(*(_or(row[f"{one}_low"], row[one]) for one in ("recall", "precision")))
        right, top = pixel(*(_or(row[f"{one}_high"], row[one]) for one in ("recall", "precision")))
        taken += [(x - 6, y - 6, x + 6, y + 6), (left, y - 1, right, y + 1), (x - 1, top, x + 1, bottom)]
    for row in rows:
        x, y, name = row["recall"], row["precision"], _name(row["name"])
        centre = pixel(x, y)
        dx, dy = min(_OFFSETS, key=lambda offset: _cost(_box(centre, offset, name), taken, offset))
        taken.append(_box(centre, (dx, dy), name))
        figure.add_annotation(
            x=x,
            y=y,
            text=name,
            ax=dx,
            ay=dy,
            xanchor="left" if dx > 0 else "right",
            arrowhead=0,
            arrowwidth=0.8,
            arrowcolor=GREY,
            standoff=6,
        )


def _or(value: float | None, instead: float) -> float:
    return value if value is not None and not math.isnan(value) else instead


_Box: TypeAlias = tuple[float, float, float, float]
_OFFSETS = [
    (right * across, down * (11 + _LINE * lines))
    for lines in range(8)
    for across in (12, 34, 68)
    for down in (-1, 1)
    for right in (1, -1)
]


def _box(centre: tuple[float, float], offset: tuple[float, float], name: str) -> _Box:
    x, y = centre[0] + offset[0], centre[1] + offset[1]
    width = 7 * len(unescape(name)) * (1 if offset[0] > 0 else -1)
    return min(x, x + width), y - _LINE / 2, max(x, x + width), y + _LINE / 2


def _cost(box: _Box, taken: Sequence[_Box], offset: tuple[float, float]) -> float:
    """Pixels that the name would cover or stand out, then its distance from the point."""
    covered = sum(
        max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
        * max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
        for other in taken
    )
    outside = max(0.0, -box[0]) + max(0.0, box[2] - _PLOT[0]) + max(0.0, -box[1]) + max(0.0, box[3] - _PLOT[1])
    return 100 * (covered + outside) + math.hypot(*offset)


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
        subplot_titles=[_name(metric) for metric in metrics],
        horizontal_spacing=0.06,
        vertical_spacing=70 / (panel * down + 70 * down) if down > 1 else 0,
    )
    for place, metric in enumerate(metrics):
        row, column = place // across + 1, place % across + 1
        _panel(figure, scores[scores["metric"] == metric], names, {"row": row, "col": column})
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[_name(name) for name in names],
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
    )
    figure.update_yaxes(title="experiment", col=1)
    styled(figure, title="Values with 95 % intervals", height=90 + down * (panel + 70))
    return figure.update_layout(margin={"t": 84})


def _panel(figure: go.Figure, rows: pd.DataFrame, names: Sequence[str], at: Mapping[str, int]) -> None:
    drawn = rows.dropna(subset=["value"])
    figure.add_trace(_interval_points(drawn, [names.index(name) for name in drawn["name"]], [BLUE] * len(drawn)), **at)
    for name in rows[rows["value"].isna()]["name"]:
        figure.add_annotation(text="undefined", x=0.5, y=names.index(name), showarrow=False, font={"size": 11}, **at)
    least = min([0.0, *rows["low"].dropna()])
    lowest = math.floor(10 * least) / 10
    figure.update_xaxes(title="value", range=[lowest - 0.02, 1.02], tickformat="~f", dtick=0.5, **at)


def _interval_points(rows: pd.DataFrame, y: Sequence[int], colours: Sequence[str]) -> go.Scatter:
    """Points with bars from low to high; a bar is drawn only where there is an interval."""
    described = [
        f"{_name(name)}: {_spoken(value, low, high)}"
        for name, value, low, high in rows[["name", "value", "low", "high"]].itertuples(index=False, name=None)
    ]
    return plotly.graph_objects.Scatter(
        x=rows["value"].tolist(),
        y=list(y),
        mode="markers",
        marker={"color": list(colours), "size": 9},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (rows["high"] - rows["value"]).fillna(0).tolist(),
            "arrayminus": (rows["value"] - rows["low"]).fillna(0).tolist(),
            "color": GREY,
            "thickness": 1.5,
            "width": 4,
        },
        hovertext=described,
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )


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
            [BLUE if one else GREY for one in apart],
        )
    )
    figure.add_vline(x=0, line={"color": GREY, "width": 1, "dash": "dot"})
    for metric in rows[rows["value"].isna()]["metric"]:
        figure.add_annotation(text="undefined", x=0, y=metrics.index(metric), showarrow=False, xshift=40)
    ends = float(drawn[["value", "low", "high"]].abs().max().max())
    reach = max(0.05, 1.1 * ends) if _known(ends) else 0.1
    figure.update_xaxes(title="difference (second minus first)", range=[-reach, reach], tickformat="+.2~f")
    figure.update_yaxes(
        title="metric",
        tickvals=list(range(len(metrics))),
        ticktext=[_name(metric) for metric in metrics],
        range=[len(metrics) - 0.5, -0.5],
        showgrid=False,
    )
    note = "bars: 95 % intervals; blue: the interval excludes zero"
    return styled(figure, title="What changed", note=note, height=150 + 30 * len(metrics))
