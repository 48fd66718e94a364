"""A chart of which narratives are flagged by whom: every intersection of the flagged, with its size.

A tidy frame in, a plotly figure out; reads no database, shows nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from exphub_magics import lazily
from exphub_magics.figures import style

if TYPE_CHECKING:
    import pandas as pd
    import plotly
    import plotly.graph_objects as go
else:
    plotly = lazily.load("plotly")

MANUAL = "manual"
INTERSECTIONS = 20
FEWEST = 5  # bars for which there is room, so that two are not as broad as the page


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
    style.styled(figure, title="Flagged by exactly these", note=note, height=400 + 28 * len(order))
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
    colours = {"manual yes": style.BLUE, "manual no": style.ORANGE, "flagged": style.BLUE}
    for kind in dict.fromkeys(kinds):
        places = [place for place, one in enumerate(kinds) if one == kind]
        counts = [shown[place][1] for place in places]
        who = [
            " and ".join(style.name(one) for one, on in zip(order, shown[place][0], strict=True) if on)
            for place in places
        ]
        figure.add_trace(_bar(kind, places, counts, who, colours[kind], total), row=1, col=1)
    if other[0]:
        who = [f"{other[0]:,} smaller intersections together"]
        figure.add_trace(_bar("other", [len(shown)], [other[1]], who, style.GREY, total), row=1, col=1)
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
        textfont={"color": style.GREY},
        hovertext=who,
        hovertemplate="flagged by %{hovertext}<br>%{y:,} narratives, %{customdata}<extra></extra>",
        customdata=[f"{style.percent(count / total)} of all" for count in y],
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
    figure.add_trace(_marks(every, style.FAINT), row=2, col=1)
    lines: list[tuple[int | None, int | None]] = []
    for place, (member, _) in enumerate(shown):
        lines += [(place, row) for row, on in enumerate(member) if on]
        lines.append((None, None))
    figure.add_trace(_marks(lines, style.GREY), row=2, col=1)
    labels = [f"{style.name(one)} ({sizes[one]:,})" for one in order]
    style.rows(figure, labels, title="flagged by (in all)", row=2, col=1)
    ticks = {"tickvals": [len(shown)], "ticktext": ["other"]} if any(bar.name == "other" for bar in figure.data) else {}
    figure.update_xaxes(showticklabels=bool(ticks), showgrid=False, **ticks, row=2, col=1)
    room = max(len(shown) + bool(ticks), FEWEST)
    figure.update_xaxes(showgrid=False, range=[-0.6, room - 0.4])


def _marks(places: Iterable[tuple[int | None, int | None]], colour: str) -> go.Scatter:
    places = list(places)
    return plotly.graph_objects.Scatter(
        x=[place for place, _ in places],
        y=[row for _, row in places],
        mode="lines+markers" if colour == style.GREY else "markers",
        marker={"color": colour, "size": 11},
        line={"color": colour, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )
