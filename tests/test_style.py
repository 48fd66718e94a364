import subprocess
import sys

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics import figures
from exphub_magics.figures import estimates, overlaps, style
from frames import COUNTS, DIFFERENCES, FLAGS, INTERVALS, SCORES

CALLS = {
    "confusion": lambda: figures.confusion(COUNTS),
    "overlap": lambda: overlaps.overlap(FLAGS),
    "agreement": lambda: figures.agreement(FLAGS),
    "precision_recall": lambda: estimates.precision_recall(SCORES),
    "forest": lambda: estimates.forest(INTERVALS),
    "differences": lambda: estimates.differences(DIFFERENCES),
}


def channels(colour):
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def contrast(one, other):
    """WCAG 2.1: the ratio of relative luminances."""

    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", CALLS)
def test_every_figure_has_axis_titles_a_height_and_no_background(name):
    figure = CALLS[name]()
    assert isinstance(figure, go.Figure)
    assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
    assert figure.layout.height
    assert figure.layout.template.layout.xaxis.automargin
    assert any(axis.title.text for axis in figure.select_yaxes())
    assert name == "overlap" or any(axis.title.text for axis in figure.select_xaxes())


@pytest.mark.parametrize("name", CALLS)
def test_the_same_frame_gives_the_same_figure_to_the_byte(name):
    assert CALLS[name]().to_json() == CALLS[name]().to_json()


def test_grey_text_can_be_read_on_white_and_on_dark_pages():
    assert min(contrast(style.GREY, "#ffffff"), contrast(style.GREY, "#111111")) > 4


def test_ink_can_be_read_on_every_cell():
    cells = [f"#{r:02x}{g:02x}{b:02x}" for ends in style.TINTS.values() for r, g, b in ends]
    assert min(contrast(style.INK, cell) for cell in cells) > 7


@pytest.mark.parametrize("module", ["figures.style", "figures", "figures.overlaps", "figures.estimates"])
def test_loading_a_module_of_charts_loads_no_plotting(module):
    heavy = ["pandas", "plotly.graph_objects"]
    code = f"import exphub_magics.{module}, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_html_in_a_name_is_text():
    name = "<a href='javascript:x'>b</a>"
    scores = SCORES.assign(name=[name, "b", "c"])
    shown = [
        overlaps.overlap(FLAGS.rename(columns={"first@1": name})),
        figures.agreement(FLAGS.rename(columns={"first@1": name})),
        estimates.precision_recall(scores),
        estimates.forest(INTERVALS.replace("first@1", name)),
        estimates.differences(DIFFERENCES.replace("F1", name)),
    ]
    for figure in shown:
        assert "&lt;a" in figure.to_json()
        assert "<a" not in figure.to_json()


@given(st.floats(0, 1))
def test_a_share_is_shown_as_none_or_all_only_where_it_is(share):
    assert (style.percent(share) == "0 %") == (share == 0)
    assert (style.percent(share) == "100 %") == (share == 1)
