"""Comparisons against an outside oracle (published tables, scipy, statsmodels) and identities."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from exphub_magics import metrics
from exphub_magics.metrics import pairing

# Clustered pairs, per cluster: both right, first only, second only, neither (R package clust.bin.pair).
THYROIDS = """0021 2010 3000 1000 2010 4000 3000 2000 1100 1000 2001
              2000 3000 2000 0020 2001 2001 2010 2000 1000 2000"""
PSYCHIATRY = """1042 1122 3130 2121 2011 0330 0302 0323 0121 0043 1020 1140 1033 2022 2012
                1030 2013 1022 0301 2100 1103 0220 1012 0020 0021 0002 0002 1011 0010"""

ANSWERS = st.sampled_from([True, False, None])


def paired(both, first_only, second_only, neither):
    """Columns in which the first and the second experiment are right so often; all are labelled yes."""
    n = both + first_only + second_only + neither
    first = [True] * (both + first_only) + [False] * (second_only + neither)
    second = [True] * both + [False] * first_only + [True] * second_only + [False] * neither
    return [True] * n, first, second


def clustered(table):
    """The columns and incidents of a table of clustered pairs."""
    truth, first, second, incident = [], [], [], []
    for number, cluster in enumerate(table.split()):
        part = paired(*map(int, cluster))
        truth, first, second = truth + part[0], first + part[1], second + part[2]
        incident += [number] * len(part[0])
    return truth, first, second, incident


@pytest.mark.parametrize(
    ("b", "c", "exact"), [(1, 7, 0.0703125), (3, 9, 0.14599609), (6, 16, 0.052479), (86, 150, 3.7e-5)]
)
def test_with_narratives_on_their_own_the_test_is_exact_mcnemar(b, c, exact):
    both = pairing.compare(*paired(10, b, c, 3))
    assert both.p_value == pytest.approx(exact, rel=0.02 if exact < 1e-3 else 1e-5)
    assert both.p_value == pytest.approx(scipy.stats.binomtest(b, b + c).pvalue)


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 4), min_size=2, max_size=8))
@settings(max_examples=30, deadline=None)
def test_the_sign_flip_equals_scipy_s_enumeration(clusters):
    table = " ".join("".join(map(str, cluster)) for cluster in clusters)
    truth, first, second, incident = clustered(table)
    both = pairing.compare(truth, first, second, incident=incident)
    nets = np.array([c - b for _, b, c, _ in clusters])
    if not any(b or c for _, b, c, _ in clusters):
        assert both.p_value is None
        return
    enumerated = scipy.stats.permutation_test(
        (nets,), lambda x, axis: abs(x.sum(axis=axis)), permutation_type="samples", alternative="greater"
    )
    assert both.p_value == pytest.approx(enumerated.pvalue)


@pytest.mark.parametrize(
    ("table", "mcnemar", "obuchowski", "published", "p_value"),
    [(THYROIDS, 4.5, 2.857, 0.0910, 10 / 64), (PSYCHIATRY, 11.845, 7.186, 0.00735, 0.006436)],
)
def test_clustered_pairs_are_judged_like_obuchowski_s_test_and_not_like_mcnemar_s(
    table, mcnemar, obuchowski, published, p_value
):
    truth, first, second, incident = clustered(table)
    both = pairing.compare(truth, first, second, incident=incident)
    b, c = both.only_first_right, both.only_second_right
    nets = np.array([int(cluster[1]) - int(cluster[2]) for cluster in table.split()])
    clusters = len(nets)
    # The table is read as published, and the permutation variance Σ net² is Obuchowski's but for (K-1)/K.
    assert (b - c) ** 2 / (b + c) == pytest.approx(mcnemar, abs=5e-4)
    statistic = (clusters - 1) / clusters * (b - c) ** 2 / (nets**2).sum()
    assert statistic == pytest.approx(obuchowski, abs=5e-4)
    assert scipy.stats.chi2.sf(statistic, 1) == pytest.approx(published, abs=5e-5)
    assert both.p_value == pytest.approx(p_value, abs=5e-7)
    assert both.p_value > sm.stats.mcnemar([[0, b], [c, 0]], exact=True).pvalue


def test_many_incidents_are_still_counted_exactly():
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 4, 3000)
    signs = rng.choice([-1, 1], 3000, p=[0.48, 0.52])
    incident = np.repeat(np.arange(3000), sizes).tolist()
    second = (np.repeat(signs, sizes) > 0).tolist()
    both = pairing.compare([True] * len(second), [not x for x in second], second, incident=incident)
    z = abs((sizes * signs).sum()) / math.sqrt((sizes**2).sum())
    assert both.p_value == pytest.approx(2 * scipy.stats.norm.sf(z), rel=0.05)


def test_differences_in_recall_have_the_cluster_robust_interval_of_statsmodels():
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 3, 40)
    hits = (rng.random(sizes.sum()) < np.repeat(rng.beta(0.7, 0.3, 40), sizes)).tolist()
    incident = np.repeat(np.arange(40), sizes).tolist()
    first = [bool(x) for x in rng.random(len(hits)) < 0.6]
    both = pairing.compare([True] * len(hits), first, hits, incident=incident)
    gain = np.array(hits, dtype=float) - np.array(first, dtype=float)
    fitted = sm.OLS(gain, np.ones(len(gain))).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(incident)}, use_t=True
    )
    recall = both.differences["recall"]
    assert recall.value == pytest.approx(fitted.params[0])
    assert (recall.low, recall.high) == pytest.approx(tuple(fitted.conf_int()[0]))


def test_incidents_that_neither_flagged_are_no_evidence_about_precision_and_f1():
    truth, first, second = (
        [True, True, False, True] * 5,
        [True, False] * 10,
        [True, True, True, False, True] * 4,
    )
    few = pairing.compare(truth, first, second)
    quiet = [False] * 300
    many = pairing.compare(truth + quiet, first + quiet, second + quiet)
    for name in ("precision", "f1", "recall"):
        assert many.differences[name].as_json() == pytest.approx(few.differences[name].as_json()), name


def test_kappa_may_differ_by_more_than_one():
    both = pairing.compare([True, False, False], [False, True, True], [True, True, False], incident=["a", "b", "a"])
    kappa = both.differences["kappa"]
    assert kappa.value == pytest.approx(1.2)
    assert -2 <= kappa.low <= kappa.value <= kappa.high <= 2


@given(st.lists(st.tuples(ANSWERS, ANSWERS, ANSWERS, st.integers(0, 9)), max_size=40))
@settings(deadline=None)
def test_a_comparison_adds_up_and_differs_by_what_the_scorecards_differ(rows):
    truth, first, second, incident = ([row[place] for row in rows] for place in range(4))
    both = pairing.compare(truth, first, second, incident=incident)
    quarters = both.both_right + both.only_first_right + both.only_second_right + both.both_wrong
    assert both.n_common == quarters
    assert both.n_common + both.n_excluded == sum(label is not None for label in truth)
    assert (both.p_value is None) == (both.only_first_right + both.only_second_right == 0)
    common = [row for row in rows if None not in row]
    cards = [metrics.scorecard([row[0] for row in common], [row[place] for row in common]) for place in (1, 2)]
    for name, difference in both.differences.items():
        before, after = (card[name].value for card in cards)
        if before is None or after is None:
            assert (difference.value, difference.low) == (None, None)
            assert difference.why
        else:
            assert difference.value == pytest.approx(after - before)
            assert difference.low is None or difference.low <= difference.value <= difference.high


@given(st.lists(st.tuples(ANSWERS, ANSWERS, ANSWERS, st.integers(0, 9)), max_size=40))
@settings(max_examples=50, deadline=None)
def test_a_comparison_the_other_way_round_is_its_mirror_image(rows):
    truth, first, second, incident = ([row[place] for row in rows] for place in range(4))
    there = pairing.compare(truth, first, second, incident=incident)
    back = pairing.compare(truth, second, first, incident=incident)
    assert there.p_value == back.p_value
    assert there.more_positives == back.more_positives
    for name, difference in there.differences.items():
        if difference.low is not None:
            mirrored = back.differences[name]
            assert (difference.low, difference.high) == pytest.approx((-mirrored.high, -mirrored.low))


def test_a_comparison_prints_the_contract_s_keys():
    shown = pairing.compare(*paired(80, 5, 10, 5), names=("v1", "v2")).as_json()
    contract = "n_common n_excluded both_right only_first_right only_second_right both_wrong p_value method"
    assert set(contract.split()) | {"difference"} <= set(shown)
    assert set(shown["difference"]) == set(pairing.COMPARED)
    assert set(shown["difference"]["f1"]) == {"value", "low", "high"}
    assert shown["difference"]["specificity"]["why"] == "no answered narrative is labelled no"
    assert shown["method"] == "sign-flip permutation by incident, exact"
    assert (shown["first"], shown["second"]) == ("v1", "v2")


def test_the_positives_still_needed_follow_the_paired_formula():
    # Discordance .15 and a gap of .05 take 469 positives; 100 are there.
    both = pairing.compare(*paired(80, 5, 10, 5))
    assert both.more_positives == 469 - 100
    assert both.verdict() == (
        "10 newly right, 5 newly wrong, p = .30 (paired, by incident): "
        "not yet distinguishable; about 370 more positives would tell"
    )


def test_positives_in_pairs_that_move_together_are_worth_half():
    truth, first, second = (column * 2 for column in paired(80, 5, 10, 5))
    twice = pairing.compare(truth, first, second, incident=list(range(100)) * 2)
    assert twice.more_positives + 200 == pytest.approx(2 * 469, rel=0.01)


def test_a_recall_that_is_told_apart_needs_no_more():
    both = pairing.compare(*paired(60, 3, 30, 7), names=("v1", "v2"))
    assert both.more_positives is None
    assert both.verdict() == ("30 newly right, 3 newly wrong, p < .001 (paired, by incident): v2 is right more often")
    back = pairing.compare(*paired(60, 30, 3, 7), names=("v1", "v2"))
    assert back.verdict().endswith("v1 is right more often")


def test_a_gain_in_recall_paid_for_in_specificity_is_named():
    truth = [True] * 100 + [False] * 100
    first, second = [False] * 100 + [False] * 100, [True] * 12 + [False] * 88 + [True] * 11 + [False] * 89
    assert pairing.compare(truth, first, second).verdict() == (
        "12 newly right, 11 newly wrong, p = 1.00 (paired, by incident): "
        "not distinguishable overall, but recall rose and specificity fell"
    )


def test_experiments_that_say_the_same_are_told_so():
    both = pairing.compare(*paired(5, 0, 0, 3))
    assert both.p_value is None
    assert both.verdict() == ("the two say the same about every one of the 8 labelled narratives that both answered")
    assert both.differences["recall"].as_json()["low"] is None
    nothing = pairing.compare([True, None], [None, True], [True, False])
    assert (nothing.n_common, nothing.n_excluded) == (0, 1)
    assert nothing.verdict() == "no labelled narrative was answered by both"


@pytest.mark.parametrize(
    ("p_value", "words"),
    [(0.0004, "< .001"), (0.0042, "= .004"), (0.0497, "= .050"), (0.061, "= .06"), (1.0, "= 1.00")],
)
def test_a_p_value_is_shown_to_the_places_it_needs(p_value, words):
    assert pairing.p_in_words(p_value) == words


def test_holm_reproduces_r():
    assert pairing.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert pairing.holm([]) == []


def test_a_missing_p_value_is_no_comparison_to_adjust_for():
    assert pairing.holm([0.01, None, 0.04]) == [0.02, None, 0.04]
    assert pairing.holm([None, 0.04]) == [None, 0.04]
