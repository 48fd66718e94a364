"""Every figure against an outside oracle (published tables, scikit-learn, statsmodels) and identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from exphub_magics import metrics
from exphub_magics.errors import ConfigError
from exphub_magics.metrics import intervals

# Two published experiments, a table of Chicco (2017), and a model that says no to everything, whose MCC is
# 0/0: (tp, fp, fn, tn) and what is expected of it in the order of COLUMNS; None is undefined.
PUBLISHED = {
    (35, 11, 13, 345): (0.9406, 0.7609, 0.7292, 0.9691, 0.9637, 0.7447, 0.7113, 0.7111, 0.5932),
    (42, 14, 6, 338): (0.9500, 0.7500, 0.8750, 0.9602, 0.9826, 0.8077, 0.7822, 0.7792, 0.6774),
    (90, 4, 5, 1): (0.9100, 0.9574, 0.9474, 0.2000, 0.1667, 0.9524, 0.1352, 0.1346, 0.9091),
    (0, 0, 48, 356): (0.8812, None, 0.0, 1.0, 0.8812, 0.0, None, 0.0, 0.0),
}
COLUMNS = ("agreement", "precision", "recall", "specificity", "npv", "f1", "mcc", "kappa", "jaccard")

TABLES = st.tuples(*[st.integers(0, 25)] * 4)
ANSWERS = st.sampled_from([True, False, None])


def columns(tp, fp, fn, tn):
    truth = [True] * tp + [False] * fp + [True] * fn + [False] * tn
    return truth, [True] * (tp + fp) + [False] * (fn + tn)


def draw(rng, incidents, share, correlation):
    """Beta-binomial hits in incidents of one or two narratives."""
    alpha, beta = (p * (1 / correlation - 1) for p in (share, 1 - share))
    sizes = rng.integers(1, 3, incidents)
    hits = rng.random(sizes.sum()) < np.repeat(rng.beta(alpha, beta, incidents), sizes)
    return hits.tolist(), np.repeat(np.arange(incidents), sizes).tolist()


@pytest.mark.parametrize("table", PUBLISHED)
def test_the_scorecard_reproduces_published_tables(table):
    card = metrics.scorecard(*columns(*table))
    for name, expected in zip(COLUMNS, PUBLISHED[table], strict=True):
        value = card[name].value
        assert value == (None if expected is None else pytest.approx(expected, abs=5e-5)), name


def test_the_scorecard_names_its_metrics_in_order():
    names = list(metrics.scorecard([True], [True]))
    assert " ".join(names) == "precision recall specificity npv f1 agreement jaccard kappa mcc"


@given(TABLES.filter(lambda table: table[0] and table[3]))
@settings(max_examples=30, deadline=None)
def test_the_scorecard_equals_scikit_learn(table):
    truth, flag = columns(*table)
    card = {name: metric.value for name, metric in metrics.scorecard(truth, flag).items()}
    expected = {
        "precision": sklearn.metrics.precision_score(truth, flag),
        "recall": sklearn.metrics.recall_score(truth, flag),
        "specificity": sklearn.metrics.recall_score(truth, flag, pos_label=False),
        "npv": sklearn.metrics.precision_score(truth, flag, pos_label=False),
        "f1": sklearn.metrics.f1_score(truth, flag),
        "agreement": sklearn.metrics.accuracy_score(truth, flag),
        "jaccard": sklearn.metrics.jaccard_score(truth, flag),
        "kappa": sklearn.metrics.cohen_kappa_score(truth, flag),
        "mcc": sklearn.metrics.matthews_corrcoef(truth, flag),
    }
    assert card == pytest.approx(expected)


@given(st.lists(st.tuples(ANSWERS, ANSWERS, st.integers(0, 8)), max_size=40))
@settings(deadline=None)
def test_a_pair_with_a_missing_side_changes_nothing(rows):
    known = [row for row in rows if row[0] is not None and row[1] is not None]
    truth, flag, incident = ([row[place] for row in rows] for place in range(3))
    answered = [[row[place] for row in known] for place in range(3)]
    assert metrics.confusion(truth, flag).n == len(known)
    whole = metrics.scorecard(truth, flag, incident=incident)
    for name, metric in metrics.scorecard(answered[0], answered[1], incident=answered[2]).items():
        assert whole[name].as_json() == pytest.approx(metric.as_json()), name


@given(TABLES)
@settings(deadline=None)
def test_identities_hold_and_the_undefined_says_why(table):
    tp, fp, fn, tn = table
    card = metrics.scorecard(*columns(*table))
    assert metrics.confusion(*columns(*table)) == metrics.Confusion(*table)
    denominators = {
        "precision": tp + fp,
        "recall": tp + fn,
        "specificity": fp + tn,
        "npv": fn + tn,
        "f1": tp + fp + fn,
        "agreement": sum(table),
        "jaccard": tp + fp + fn,
        "kappa": sum(table),
        "mcc": sum(table),
    }
    assert {name: metric.n for name, metric in card.items()} == denominators
    for metric in card.values():
        assert (metric.low is None) == (metric.high is None) == (metric.why is not None)
        assert all(type(x) is float for x in (metric.value, metric.low, metric.high) if x is not None)
        if metric.low is not None:
            assert metric.low <= metric.value + 1e-12
            assert metric.value <= metric.high + 1e-12
        if metric.numerator is not None:
            assert metric.value is None or metric.value == metric.numerator / metric.n
    f1, jaccard = card["f1"], card["jaccard"]
    for bound in ("value", "low", "high"):
        if (j := getattr(jaccard, bound)) is not None:
            assert getattr(f1, bound) == pytest.approx(2 * j / (1 + j))


def test_the_undefined_is_none_with_a_reason_and_never_zero():
    silent = metrics.scorecard([True, True, False], [False, False, False])
    assert silent["precision"].as_json() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 0,
        "why": "no labelled narrative was flagged",
    }
    assert silent["recall"].value == 0
    assert metrics.scorecard([False], [False])["recall"].why == "no answered narrative is labelled yes"
    assert {one.why for one in metrics.scorecard([None, True], [True, None]).values()} == {
        "no narrative is both labelled and answered"
    }


def test_always_no_is_what_a_model_that_never_flags_would_score():
    truth, flag = columns(42, 14, 6, 338)
    never = metrics.scorecard(truth, [False] * len(truth))
    for name, metric in metrics.scorecard(truth, flag).items():
        assert metric.always_no == never[name].value, name
    assert never["agreement"].value == pytest.approx(352 / 400)


def test_always_no_looks_only_at_narratives_that_were_answered():
    assert metrics.scorecard([True, False, True], [True, False, None])["agreement"].always_no == 0.5


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ConfigError, match="2, 1, 2 entries"):
        metrics.scorecard([True, False], [True])
    with pytest.raises(ConfigError, match="one entry a narrative"):
        metrics.scorecard([True, False], [True, False], incident=["a"])


def test_missing_answers_count_as_misses_and_bound_the_recall():
    # 48 labelled yes: 39 found, 8 missed, 1 without an answer.
    truth = [True] * 48 + [False]
    flag = [True] * 39 + [False] * 8 + [None, None]
    missed = metrics.recall_missing_as_missed(truth, flag)
    assert metrics.scorecard(truth, flag)["recall"].value == pytest.approx(0.8298, abs=5e-5)
    assert (missed.value, missed.numerator, missed.n) == (0.8125, 39, 48)
    assert missed.name == "recall, missing as missed"
    assert metrics.recall_bounds(truth, flag) == pytest.approx((0.8125, 0.8333), abs=5e-5)


def test_recall_of_nothing_labelled_yes_is_undefined():
    assert metrics.recall_bounds([False, None], [True, True]) is None
    assert metrics.recall_missing_as_missed([False], [None]).why == "no narrative is labelled yes"


def test_narratives_on_their_own_have_the_plain_wilson_interval():
    recall = metrics.scorecard(*columns(42, 14, 6, 338))["recall"]
    assert (recall.low, recall.high) == intervals.wilson(42, 48)


def test_narratives_that_agree_within_incidents_count_as_one():
    hits = [True, True] * 30 + [False, False] * 10
    incident = [number // 2 for number in range(80)]
    share = metrics.proportion("share", hits, incident=incident)
    # Forty incidents of two alike: the design effect is twice 40/39, and t has 39 degrees of freedom.
    size = 39 * (scipy.stats.norm.ppf(0.975) / scipy.stats.t.ppf(0.975, 39)) ** 2
    expected = sm.stats.proportion_confint(0.75 * size, size, method="wilson")
    assert (share.low, share.high) == pytest.approx(expected)
    assert intervals.wilson(60, 80, deff=2 * 40 / 39, clusters=40) == pytest.approx(expected)
    alone = metrics.proportion("share", hits)
    assert share.high - share.low > 1.35 * (alone.high - alone.low)


def test_where_all_are_hits_the_worst_design_effect_is_assumed():
    share = metrics.proportion("share", [True] * 6, incident=["a", "a", "a", "b", "b", "c"])
    assert (share.low, share.high) == intervals.wilson(6, 6, deff=14 / 6, clusters=3)


def test_a_lone_incident_has_a_value_and_no_interval():
    share = metrics.proportion("share", [True, False, None], incident=["a"] * 3)
    assert (share.value, share.n, share.low) == (0.5, 2, None)
    assert "one incident" in share.why


def test_a_narrative_without_an_incident_is_its_own():
    hits = [True, False, True, True]
    nowhere = metrics.proportion("share", hits, incident=[None] * 4)
    assert nowhere == metrics.proportion("share", hits)
    assert metrics.proportion("share", [None]).why == "there is nothing to count"


def test_the_clustered_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(20)
    covered, plain = 0, 0
    for _ in range(400):
        hits, incident = draw(rng, 60, 0.75, 0.6)
        share = metrics.proportion("share", hits, incident=incident)
        low, high = intervals.wilson(sum(hits), len(hits))
        covered += share.low <= 0.75 <= share.high
        plain += low <= 0.75 <= high
    assert 0.93 <= covered / 400 <= 0.98
    assert plain / 400 < 0.92


def test_kappa_by_the_jackknife_is_close_to_the_asymptotic_interval():
    for tp, fp, fn, tn in [(42, 14, 6, 338), (35, 11, 13, 345), (313, 562, 571, 13879)]:
        kappa = metrics.scorecard(*columns(tp, fp, fn, tn))["kappa"]
        asymptotic = sm.stats.cohens_kappa(np.array([[tp, fn], [fp, tn]]))
        assert (kappa.low, kappa.high) == pytest.approx((asymptotic.kappa_low, asymptotic.kappa_upp), abs=0.002)


def test_the_jackknife_leaves_out_whole_incidents():
    truth, flag = columns(20, 5, 8, 40)
    incident = [number // 2 for number in range(73)]
    whole = sklearn.metrics.matthews_corrcoef(truth, flag)
    without = []
    for number in set(incident):
        kept = [place for place in range(73) if incident[place] != number]
        without.append(sklearn.metrics.matthews_corrcoef([truth[i] for i in kept], [flag[i] for i in kept]))
    reach = scipy.stats.t.ppf(0.975, 36) * math.sqrt(36 / 37 * np.var(without) * 37)
    mcc = metrics.scorecard(truth, flag, incident=incident)["mcc"]
    assert (mcc.low, mcc.high) == pytest.approx((whole - reach, whole + reach))


def test_perfect_agreement_claims_no_certainty():
    kappa = metrics.scorecard(*columns(5, 0, 0, 9))["kappa"]
    assert (kappa.value, kappa.low, kappa.high) == (1.0, None, None)
    assert "spread" in kappa.why


def test_one_narrative_labelled_yes_is_too_few_for_an_interval():
    kappa = metrics.scorecard([True, False, False], [True, False, False])["kappa"]
    assert kappa.value == 1
    assert "too few incidents" in kappa.why


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.400),
        ([[45, 15], [25, 15]], 0.1304),
        ([[25, 35], [5, 35]], 0.2593),
        ([[75, 1, 4], [5, 4, 1], [0, 0, 10]], 0.6765),
        ([[13, 0, 0], [0, 20, 7], [0, 4, 56]], 0.7964),
        ([[313, 562], [571, 13879]], 0.3167),
    ],
)
def test_kappa_reproduces_published_tables(table, kappa):
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    result = metrics.cohen_kappa(*zip(*pairs, strict=True))
    assert result.value == pytest.approx(kappa, abs=5e-5)
    assert result.low < kappa < result.high
    assert result.n == len(pairs)


def test_kappa_leaves_out_what_one_coder_did_not_decide():
    first, second = [True, False, None, True, False], [True, False, True, float("nan"), True]
    assert metrics.cohen_kappa(first, second) == metrics.cohen_kappa([True, False, False], [True, False, True])


def test_kappa_of_one_answer_throughout_is_undefined():
    assert metrics.cohen_kappa([True, True], [True, True]).as_json() == {
        "value": None,
        "low": None,
        "high": None,
        "n": 2,
        "why": "both give one and the same answer throughout",
    }
    assert metrics.cohen_kappa([None], [True]).why == "no narrative was decided by both"
    perfect = metrics.cohen_kappa([True, False] * 3, [True, False] * 3)
    assert (perfect.value, perfect.low) == (1.0, None)
