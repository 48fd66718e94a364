import pandas as pd
import pytest

from exphub_magics.figures import estimates, style
from frames import DIFFERENCES, INTERVALS, SCORES


def named(figure, name):
    return next(trace for trace in figure.data if trace.name == name)


def test_a_point_lies_at_recall_and_precision_with_its_intervals():
    point = named(estimates.precision_recall(SCORES), "first@1")
    assert (point.x[0], point.y[0]) == (0.73, 0.82)
    assert point.error_x.array[0] == pytest.approx(0.07)
    assert point.error_x.arrayminus[0] == pytest.approx(0.08)
    assert point.error_y.array[0] == pytest.approx(0.06)
    assert point.error_y.arrayminus[0] == pytest.approx(0.08)
    assert "precision 0.82 (0.74 to 0.88)" in point.hovertemplate
    assert "n = 400" in point.hovertemplate


def test_an_undefined_precision_has_no_point_but_is_named():
    figure = estimates.precision_recall(SCORES)
    assert "never@1" not in [trace.name for trace in figure.data]
    assert "undefined, hence no point: never@1" in figure.layout.title.subtitle.text
    assert "always “no” has recall 0 and no precision" in figure.layout.title.subtitle.text


def test_faint_lines_join_points_of_equal_f1():
    figure = estimates.precision_recall(SCORES)
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    labels = [note.text for note in figure.layout.annotations if note.text.startswith("F1")]
    assert len(lines) == len(labels) > 0
    for line, label in zip(lines, labels, strict=True):
        for recall, precision in zip(line.x, line.y, strict=True):
            assert 2 * recall * precision / (recall + precision) == pytest.approx(float(label.split()[1]))


def test_names_of_near_points_do_not_cover_each_other():
    rows = [SCORES.iloc[0].to_dict() | {"name": f"prompt number {n}@1", "recall": 0.73 + n / 500} for n in range(8)]
    figure = estimates.precision_recall(pd.DataFrame(rows))
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
    figure = estimates.precision_recall(SCORES.iloc[2:].astype({"precision": float}))
    assert figure.layout.xaxis.range[0] == 0


def test_a_forest_has_a_panel_per_metric_and_says_what_is_undefined():
    figure = estimates.forest(INTERVALS)
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
    assert estimates.forest(frame).layout.xaxis.range[0] < -0.25


def test_only_differences_whose_interval_excludes_zero_are_blue():
    figure = estimates.differences(DIFFERENCES)
    (points,) = figure.data
    assert list(points.x) == [0.05, -0.02, 0.01]
    assert list(points.y) == [0, 1, 3]
    assert list(points.marker.color) == [style.BLUE, style.GREY, style.GREY]
    assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == 0
    assert [note.text for note in figure.layout.annotations] == ["undefined"]
