import re
import subprocess
import sys

import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exphub_magics import figures

CELLS = [
    *("tp", "fp", "fn", "tn", "no_answer_yes", "no_answer_no"),
    *("unlabelled_flagged", "unlabelled_not", "unlabelled_no_answer"),
]
COUNTS = {"tp": 96, "fp": 21, "fn": 35, "tn": 930}
FLAGS = pd.DataFrame(
    {
        "manual": [True, True, True, False, False, None],
        "first@1": [True, True, False, True, False, True],
        "second@1": [True, False, False, True, None, True],
    },
    dtype=object,
)
SCORES = pd.DataFrame(
    [
        ("first@1", 0.82, 0.74, 0.88, 0.73, 0.65, 0.80, 400),
        ("second@1", 0.60, 0.50, 0.70, 0.90, 0.85, 0.94, 400),
        ("never@1", None, None, None, 0.0, 0.0, 0.03, 400),
    ],
    columns=["name", "precision", "precision_low", "precision_high", "recall", "recall_low", "recall_high", "n"],
)
INTERVALS = pd.DataFrame(
    [
        ("precision", "first@1", 0.82, 0.74, 0.88),
        ("precision", "never@1", None, None, None),
        ("recall", "first@1", 0.73, None, None),
        ("recall", "never@1", 0.0, 0.0, 0.03),
    ],
    columns=["metric", "name", "value", "low", "high"],
)
DIFFERENCES = pd.DataFrame(
    [
        ("precision", 0.05, 0.01, 0.09),
        ("recall", -0.02, -0.06, 0.02),
        ("F1", None, None, None),
        ("kappa", 0.01, None, None),
    ],
    columns=["metric", "value", "low", "high"],
)
CALLS = {
    "confusion": lambda: figures.confusion(COUNTS),
    "overlap": lambda: figures.overlap(FLAGS),
    "agreement": lambda: figures.agreement(FLAGS),
    "precision_recall": lambda: figures.precision_recall(SCORES),
    "forest": lambda: figures.forest(INTERVALS),
    "differences": lambda: figures.differences(DIFFERENCES),
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


# --- what all have ----------------------------------------------------------------------------------------


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
    assert min(contrast(figures.GREY, "#ffffff"), contrast(figures.GREY, "#111111")) > 4


def test_ink_can_be_read_on_every_cell():
    cells = [f"#{r:02x}{g:02x}{b:02x}" for ends in figures.TINTS.values() for r, g, b in ends]
    assert min(contrast(figures.INK, cell) for cell in cells) > 7


def test_loading_the_module_loads_no_plotting():
    code = "import exphub_magics.figures, sys; print('pandas' in sys.modules, 'plotly.graph_objects' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_html_in_a_name_is_text():
    name = "<a href='javascript:x'>b</a>"
    scores = SCORES.assign(name=[name, "b", "c"])
    shown = [
        figures.overlap(FLAGS.rename(columns={"first@1": name})),
        figures.agreement(FLAGS.rename(columns={"first@1": name})),
        figures.precision_recall(scores),
        figures.forest(INTERVALS.replace("first@1", name)),
        figures.differences(DIFFERENCES.replace("F1", name)),
    ]
    for figure in shown:
        assert "&lt;a" in figure.to_json()
        assert "<a" not in figure.to_json()


# --- confusion --------------------------------------------------------------------------------------------


def test_a_confusion_chart_shows_counts_and_row_shares():
    (heat,) = figures.confusion(COUNTS).data
    assert [list(row) for row in heat.z] == [[96, 35], [21, 930]]
    assert (list(heat.x), list(heat.y)) == (["flagged", "not flagged"], ["yes", "no"])
    assert [list(row) for row in heat.text] == [["96<br>73 %", "35<br>27 %"], ["21<br>2 %", "930<br>98 %"]]


def test_missing_answers_and_labels_have_cells_of_their_own_and_enter_the_shares():
    counts = {**COUNTS, "no_answer_yes": 4, "no_answer_no": 18, "unlabelled_flagged": 12, "unlabelled_not": 120}
    (heat,) = figures.confusion(counts).data
    assert [list(row) for row in heat.z] == [[96, 35, 4], [21, 930, 18], [12, 120, 0]]
    assert list(heat.x)[2] == "no answer"
    assert list(heat.y)[2] == "unlabelled"
    assert heat.text[0][0] == "96<br>71 %"


def test_agreement_is_blue_disagreement_orange_and_the_rest_grey():
    shapes = figures.confusion({**COUNTS, "no_answer_yes": 4}).layout.shapes
    colours = {(round(shape.x0), round(shape.y0)): shape.fillcolor for shape in shapes}
    red = {place: int(re.findall(r"\d+", colour)[0]) for place, colour in colours.items()}
    blue = {place: int(re.findall(r"\d+", colour)[2]) for place, colour in colours.items()}
    assert blue[0, 0] > red[0, 0]
    assert blue[1, 1] > red[1, 1]
    assert red[1, 0] > blue[1, 0]
    assert red[0, 1] > blue[0, 1]
    assert colours[2, 0] == colours[2, 1] == figures.BLANK


def test_an_empty_experiment_still_has_a_chart():
    (heat,) = figures.confusion({}).data
    assert [list(row) for row in heat.text] == [["0", "0"], ["0", "0"]]


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(CELLS), st.integers(0, 10**6)))
def test_the_cells_of_a_confusion_chart_add_up_to_all_narratives(counts):
    (heat,) = figures.confusion(counts).data
    assert sum(map(sum, heat.z)) == sum(counts.values())


@given(st.floats(0, 1))
def test_a_share_is_shown_as_none_or_all_only_where_it_is(share):
    assert (figures.percent(share) == "0 %") == (share == 0)
    assert (figures.percent(share) == "100 %") == (share == 1)


# --- overlap ----------------------------------------------------------------------------------------------


def bars(figure):
    return {bar.name: dict(zip(bar.hovertext, bar.y, strict=True)) for bar in figure.data if bar.type == "bar"}


def test_an_overlap_chart_counts_each_narrative_once_by_who_flagged_it():
    figure = figures.overlap(FLAGS)
    assert bars(figure) == {
        "manual yes": {"manual and first@1 and second@1": 1, "manual and first@1": 1, "manual": 1},
        "manual no": {"first@1 and second@1": 1},
    }
    assert (
        figure.layout.title.subtitle.text
        == "4 narratives, 0 flagged by none<br>2 left out for want of an answer or a label"
    )


def test_set_sizes_stand_beside_the_names_manual_first():
    figure = figures.overlap(FLAGS)
    assert list(figure.layout.yaxis2.ticktext) == ["manual (3)", "first@1 (3)", "second@1 (2)"]


def test_rare_intersections_are_shown_together():
    every = [[bool(n >> bit & 1) for bit in range(6)] for n in range(64)]
    frame = pd.DataFrame(every, columns=["manual", *"abcde"])
    figure = figures.overlap(frame)
    shown = bars(figure)
    assert sum(len(found) for name, found in shown.items() if name != "other") == figures.INTERSECTIONS
    assert shown["other"] == {"43 smaller intersections together": 43}
    assert list(figure.layout.xaxis2.ticktext) == ["other"]


def test_without_manual_flags_no_colour_speaks_of_them():
    assert set(bars(figures.overlap(FLAGS[["first@1", "second@1"]]))) == {"flagged"}


def test_where_nothing_is_flagged_the_chart_says_so():
    figure = figures.overlap(pd.DataFrame({"manual": [False, False], "first@1": [False, False]}))
    assert bars(figure) == {}
    assert figure.layout.title.subtitle.text == "2 narratives, 2 flagged by none"


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([True, False, None])] * 3), max_size=30))
def test_bars_the_unflagged_and_those_left_out_add_up_to_all_rows(rows):
    figure = figures.overlap(pd.DataFrame(rows, columns=["manual", "a", "b"], dtype=object))
    numbers = [
        int(found) for found in re.findall(r"(\d+) (?:flagged by none|left out)", figure.layout.title.subtitle.text)
    ]
    assert sum(sum(found.values()) for found in bars(figure).values()) + sum(numbers) == len(rows)


def test_agreement_is_jaccard_on_what_both_decided_with_percent_agreement_on_hover():
    (heat,) = figures.agreement(FLAGS).data
    assert heat.z[0][1] == pytest.approx(2 / 4)
    assert heat.z[0][2] == pytest.approx(1 / 4)
    assert heat.hovertext[0][1] == "both flagged 2 of 4 flagged by either; agree on 3 of 5 (60 %)"
    assert heat.hovertext[0][2] == "both flagged 1 of 4 flagged by either; agree on 1 of 4 (25 %)"


def test_agreement_where_nothing_is_flagged_is_undefined_not_nought():
    (heat,) = figures.agreement(pd.DataFrame({"a": [False], "b": [False], "c": [None]}, dtype=object)).data
    assert heat.z[0][1] is None
    assert heat.text[0][1] == "undefined"
    assert heat.hovertext[0][1] == "neither flagged any; agree on 1 of 1 (100 %)"
    assert heat.hovertext[0][2] == "no narrative was decided by both"


# --- intervals --------------------------------------------------------------------------------------------


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_a_point_lies_at_recall_and_precision_with_its_intervals():
    point = named(figures.precision_recall(SCORES), "first@1")
    assert (point.x[0], point.y[0]) == (0.73, 0.82)
    assert point.error_x.array[0] == pytest.approx(0.07)
    assert point.error_x.arrayminus[0] == pytest.approx(0.08)
    assert point.error_y.array[0] == pytest.approx(0.06)
    assert point.error_y.arrayminus[0] == pytest.approx(0.08)
    assert "precision 0.82 (0.74 to 0.88)" in point.hovertemplate
    assert "n = 400" in point.hovertemplate


def test_an_undefined_precision_has_no_point_but_is_named():
    figure = figures.precision_recall(SCORES)
    assert "never@1" not in [trace.name for trace in figure.data]
    assert "undefined, hence no point: never@1" in figure.layout.title.subtitle.text
    assert "always “no” has recall 0 and no precision" in figure.layout.title.subtitle.text


def test_faint_lines_join_points_of_equal_f1():
    figure = figures.precision_recall(SCORES)
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    labels = [note.text for note in figure.layout.annotations if note.text.startswith("F1")]
    assert len(lines) == len(labels) > 0
    for line, label in zip(lines, labels, strict=True):
        for recall, precision in zip(line.x, line.y, strict=True):
            assert 2 * recall * precision / (recall + precision) == pytest.approx(float(label.split()[1]))


def test_names_of_near_points_do_not_cover_each_other():
    rows = [SCORES.iloc[0].to_dict() | {"name": f"prompt number {n}@1", "recall": 0.73 + n / 500} for n in range(8)]
    figure = figures.precision_recall(pd.DataFrame(rows))
    notes = [note for note in figure.layout.annotations if note.text.startswith("prompt")]
    floor, _ = figure.layout.xaxis.range
    boxes = []
    for note in notes:  # on a plot of 620 by 400 pixels, a letter 7 wide and a line 16 high
        x, y = (note.x - floor) / (1 - floor) * 620 + note.ax, (1 - note.y) / (1 - floor) * 400 + note.ay
        width = 7 * len(note.text)
        left = x if note.xanchor == "left" else x - width
        boxes.append((left, y - 8, left + width, y + 8))
    assert len(boxes) == 8
    for place, one in enumerate(boxes):
        for other in boxes[:place]:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart, (one, other)


def test_a_chart_without_any_point_is_empty_but_drawn():
    figure = figures.precision_recall(SCORES.iloc[2:].astype({"precision": float}))
    assert figure.layout.xaxis.range[0] == 0


def test_a_forest_has_a_panel_per_metric_and_says_what_is_undefined():
    figure = figures.forest(INTERVALS)
    first, second = figure.data
    assert (list(first.x), list(first.y)) == ([0.82], [0])
    assert (list(second.x), list(second.y)) == ([0.73, 0.0], [0, 1])
    assert list(second.error_x.array) == pytest.approx([0, 0.03])
    assert second.hovertext[0] == "first@1: 0.73, no interval"
    texts = [note.text for note in figure.layout.annotations]
    assert texts == ["precision", "recall", "undefined"]
    assert list(figure.layout.yaxis.ticktext) == ["first@1", "never@1"]


def test_a_forest_reaches_below_nought_where_an_interval_does():
    frame = INTERVALS.assign(low=[-0.25, None, None, 0.0])
    assert figures.forest(frame).layout.xaxis.range[0] < -0.25


def test_only_differences_whose_interval_excludes_zero_are_blue():
    figure = figures.differences(DIFFERENCES)
    (points,) = figure.data
    assert list(points.x) == [0.05, -0.02, 0.01]
    assert list(points.y) == [0, 1, 3]
    assert list(points.marker.color) == [figures.BLUE, figures.GREY, figures.GREY]
    assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == 0
    assert [note.text for note in figure.layout.annotations] == ["undefined"]


def test_two_long_names_that_differ_in_their_middle_stay_two():
    names = [f"{'a' * 40}{middle}{'b' * 40}@1" for middle in "xy"]
    (heat,) = figures.agreement(FLAGS.set_axis(["manual", *names], axis=1)).data
    assert len(set(heat.x)) == 3


def test_a_long_name_keeps_its_version():
    frame = FLAGS.rename(columns={"first@1": f"{'a' * 60}@12"})
    assert figures.overlap(frame).layout.yaxis2.ticktext[1].endswith("@12 (3)")
