from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.errors import ConfigError
from exphub_magics.metrics import counts

ANSWERS = st.sampled_from([True, False, None])
ROWS = st.lists(st.tuples(ANSWERS, ANSWERS, st.sampled_from([None, "a", "b", "c"])), max_size=30)


def confusion(truth, flag):
    return counts.cells(*counts.columns(truth, flag)).sum(axis=0).tolist()


def test_what_comes_from_a_frame_is_read_alike():
    truth = pd.Series([1.0, 0.0, float("nan"), 1.0])
    flag = pd.Series([True, False, True, pd.NA], dtype=object)
    assert confusion(truth, flag) == [1, 0, 0, 1]
    assert confusion(np.array([True, False]), np.array([1, 0])) == [1, 0, 0, 1]


@pytest.mark.parametrize("answer", ["yes", 2, "", 0.5])
def test_an_answer_that_is_no_answer_is_refused(answer):
    with pytest.raises(ConfigError, match=f"True, False or None, not {answer!r}"):
        counts.columns([True], [answer])


@given(ROWS)
def test_every_narrative_that_is_labelled_and_answered_is_counted_once(rows):
    truth, flag, incident = ([row[place] for row in rows] for place in range(3))
    cells = counts.cells(*counts.columns(truth, flag, incident=incident))
    known = [row for row in rows if None not in row[:2]]
    assert cells.sum() == len(known)
    assert len(cells) == len({row[2] for row in known} - {None}) + sum(row[2] is None for row in known)
    assert cells.sum(axis=0).tolist() == [
        sum(row[:2] == pair for row in known) for pair in ((True, True), (False, True), (True, False), (False, False))
    ]


@pytest.mark.parametrize("name", [*counts.RATIOS, "kappa", "mcc"])
def test_a_metric_of_nothing_is_undefined_and_says_why(name):
    nothing = np.zeros(4)
    assert math.isnan(counts.values(name, nothing))
    assert counts.value(name, nothing) is None
    assert counts.why_undefined(name, nothing) == "no narrative is both labelled and answered"


@given(st.sampled_from(["precision", "recall", "specificity", "npv", "agreement", "jaccard"]), *[st.integers(0, 9)] * 4)
def test_a_share_is_its_numerator_over_what_it_is_counted_from(name, tp, fp, fn, tn):
    found = np.array([tp, fp, fn, tn], dtype=float)
    n = found @ counts.counted(name)
    expected = counts.numerator(name, found) / n if n else None
    assert counts.value(name, found) == expected
