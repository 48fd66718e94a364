import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exphub_magics import figures
from exphub_magics.figures import style
from frames import CELLS, COUNTS, FLAGS


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
    assert colours[2, 0] == colours[2, 1] == style.BLANK


def test_an_empty_experiment_still_has_a_chart():
    (heat,) = figures.confusion({}).data
    assert [list(row) for row in heat.text] == [["0", "0"], ["0", "0"]]


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(st.sampled_from(CELLS), st.integers(0, 10**6)))
def test_the_cells_of_a_confusion_chart_add_up_to_all_narratives(counts):
    (heat,) = figures.confusion(counts).data
    assert sum(map(sum, heat.z)) == sum(counts.values())


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


def test_two_long_names_that_differ_in_their_middle_stay_two():
    names = [f"{'a' * 40}{middle}{'b' * 40}@1" for middle in "xy"]
    (heat,) = figures.agreement(FLAGS.set_axis(["manual", *names], axis=1)).data
    assert len(set(heat.x)) == 3
