"""What all charts have in common: colours, a title with a note, names that plotly takes for text.

Every figure carries on a white page and on a dark one: the background is transparent, text and axes are a mid
grey, cells that hold text are light and their text is dark. Colours are Okabe and Ito's, which colour-blind
readers tell apart. Names are escaped, since plotly reads HTML in labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from exphub_magics import lazily

if TYPE_CHECKING:
    import plotly
    import plotly.graph_objects as go
else:
    plotly = lazily.load("plotly")

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#7b7b7b"
PALETTE = (BLUE, ORANGE, "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
FAINT = "rgba(123, 123, 123, 0.3)"
INK = "#111111"  # text on the light cells
TINTS = {"blue": ((222, 235, 247), (116, 184, 230)), "orange": ((255, 240, 214), (240, 170, 50))}
BLANK = "rgb(226, 226, 226)"
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


def rows(figure: go.Figure, names: Sequence[str], **axis: Any) -> None:
    """Make the y axis rows from top to bottom, each with its name, which is HTML already.

    >>> figure = plotly.graph_objects.Figure()
    >>> rows(figure, ["first", "second"])
    >>> figure.layout.yaxis.ticktext, figure.layout.yaxis.range
    (('first', 'second'), (1.5, -0.5))
    """
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=names,
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
        **axis,
    )


def name(name: object) -> str:
    """A name that plotly takes for text; a long one loses its middle, so that its version can be seen.

    >>> name("a<b@1"), name("a" * 40 + "@12")
    ('a&lt;b@1', 'aaaaaaaaaaaaaaaaaaaaaa…aaaaaa@12')
    """
    text = str(name)
    if len(text) > NAME_CHARACTERS:
        text = f"{text[: NAME_CHARACTERS - 10]}…{text[-9:]}"
    return escape(text)


def names(names: Iterable[object]) -> list[str]:
    """Names as `name` has them, whole where two would look the same.

    >>> [len(shown) for shown in names(["a" * 40 + "b" + "c" * 40, "a" * 40 + "d" + "c" * 40])]
    [81, 81]
    """
    whole = [str(one) for one in names]
    short = [name(one) for one in whole]
    return short if len(set(short)) == len(short) else [escape(one) for one in whole]


def percent(share: float) -> str:
    """A share as a whole percentage; one that is not nothing or all is not shown as such.

    >>> percent(0.731), percent(0.001), percent(0.999), percent(0.0)
    ('73 %', '<1 %', '>99 %', '0 %')
    """
    whole = round(100 * share)
    if share > 0 and whole == 0:
        return "<1 %"
    return ">99 %" if share < 1 and whole == 100 else f"{whole} %"  # noqa: PLR2004 - per cent
