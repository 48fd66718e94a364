"""Every figure against an outside oracle (published tables, scikit-learn, statsmodels) and identities."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import sklearn.metrics
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from exphub_magics import metrics
from exphub_magics.errors import ConfigError

# Two published experiments, a table of Chicco (2017), and a model that says no to everything, whose MCC is
# 0/0: (tp, fp, fn, tn) and what is expected of it in the order of COLUMNS; None is undefined.
PUBLISHED = {
    (35, 11, 13, 345): (0.9406, 0.7609, 0.7292, 0.9691, 0.9637, 0.7447, 0.7113, 0.7111, 0.5932),
    (42, 14, 6, 338): (0.9500, 0.7500, 0.8750, 0.9602, 0.9826, 0.8077, 0.7822, 0.7792, 0.6774),
    (90, 4, 5, 1): (0.9100, 0.9574, 0.9474, 0.2000, 0.1667, 0.9524, 0.1352, 0.1346, 0.9091),
    (0, 0, 48, 356): (0.8812, None, 0.0, 1.0, 0.8812, 0.0, None, 0.0, 0.0),
}
COLUMNS = ("agreement", "precision", "recall", "specificity", "npv", "f1", "mcc", "kappa", "jaccard")

# Wilson: Newcombe (1998), and 0/10, 10/10, 42/48.
WILSON = {
    (81, 263): (0.2553, 0.3662),
    (15, 148): (0.0624, 0.1605),
    (0, 20): (0.0, 0.1611),
    (1, 29): (0.0061, 0.1718),
    (0, 10): (0.0, 0.2775),
    (10, 10): (0.7225, 1.0),
    (42, 48): (0.7530, 0.9414),
}

# Clustered pairs, per cluster: both right, first only, second only, neither (R package clust.bin.pair).
THYROIDS = """0021 2010 3000 1000 2010 4000 3000 2000 1100 1000 2001
              2000 3000 2000 0020 2001 2001 2010 2000 1000 2000"""
PSYCHIATRY = """1042 1122 3130 2121 2011 0330 0302 0323 0121 0043 1020 1140 1033 2022 2012
                1030 2013 1022 0301 2100 1103 0220 1012 0020 0021 0002 0002 1011 0010"""

TABLES = st.tuples(*[st.integers(0, 25)] * 4)
ANSWERS = st.sampled_from([True, False, None])


def columns(tp, fp, fn, tn):
    truth = [True] * tp + [False] * fp + [True] * fn + [False] * tn
    return truth, [True] * (tp + fp) + [False] * (fn + tn)


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


# --- one experiment ---------------------------------------------------------------------------------------


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


def test_what_comes_from_a_frame_is_read_alike():
    truth = pd.Series([1.0, 0.0, float("nan"), 1.0])
    flag = pd.Series([True, False, True, pd.NA], dtype=object)
    assert metrics.confusion(truth, flag) == metrics.Confusion(1, 0, 0, 1)
    assert metrics.confusion(np.array([True, False]), np.array([1, 0])) == metrics.Confusion(1, 0, 0, 1)


def test_an_answer_that_is_no_answer_is_refused():
    with pytest.raises(ConfigError, match="True, False or None, not 'yes'"):
        metrics.confusion([True], ["yes"])


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


# --- intervals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", WILSON)
def test_wilson_reproduces_published_intervals(counts):
    assert metrics.wilson(*counts) == pytest.approx(WILSON[counts], abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_statsmodels(counts):
    assert metrics.wilson(*counts) == pytest.approx(sm.stats.proportion_confint(*counts, method="wilson"), abs=1e-12)


@pytest.mark.parametrize(("n", "clusters"), [(0, None), (4, 1)])
def test_an_interval_of_nothing_is_refused(n, clusters):
    with pytest.raises(ConfigError, match="report the count"):
        metrics.wilson(0, n, clusters=clusters)


def test_narratives_on_their_own_have_the_plain_wilson_interval():
    recall = metrics.scorecard(*columns(42, 14, 6, 338))["recall"]
    assert (recall.low, recall.high) == metrics.wilson(42, 48)


def test_narratives_that_agree_within_incidents_count_as_one():
    hits = [True, True] * 30 + [False, False] * 10
    incident = [number // 2 for number in range(80)]
    share = metrics.proportion("share", hits, incident=incident)
    # Forty incidents of two alike: the design effect is twice 40/39, and t has 39 degrees of freedom.
    size = 39 * (scipy.stats.norm.ppf(0.975) / scipy.stats.t.ppf(0.975, 39)) ** 2
    expected = sm.stats.proportion_confint(0.75 * size, size, method="wilson")
    assert (share.low, share.high) == pytest.approx(expected)
    assert metrics.wilson(60, 80, deff=2 * 40 / 39, clusters=40) == pytest.approx(expected)
    alone = metrics.proportion("share", hits)
    assert share.high - share.low > 1.35 * (alone.high - alone.low)


def test_where_all_are_hits_the_worst_design_effect_is_assumed():
    share = metrics.proportion("share", [True] * 6, incident=["a", "a", "a", "b", "b", "c"])
    assert (share.low, share.high) == metrics.wilson(6, 6, deff=14 / 6, clusters=3)


def test_a_lone_incident_has_a_value_and_no_interval():
    share = metrics.proportion("share", [True, False, None], incident=["a"] * 3)
    assert (share.value, share.n, share.low) == (0.5, 2, None)
    assert "one incident" in share.why


def test_a_narrative_without_an_incident_is_its_own():
    hits = [True, False, True, True]
    nowhere = metrics.proportion("share", hits, incident=[None] * 4)
    assert nowhere == metrics.proportion("share", hits)
    assert metrics.proportion("share", [None]).why == "there is nothing to count"


def draw(rng, incidents, share, correlation):
    """Beta-binomial hits in incidents of one or two narratives."""
    alpha, beta = (p * (1 / correlation - 1) for p in (share, 1 - share))
    sizes = rng.integers(1, 3, incidents)
    hits = rng.random(sizes.sum()) < np.repeat(rng.beta(alpha, beta, incidents), sizes)
    return hits.tolist(), np.repeat(np.arange(incidents), sizes).tolist()


def test_the_clustered_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(20)
    covered, plain = 0, 0
    for _ in range(400):
        hits, incident = draw(rng, 60, 0.75, 0.6)
        share = metrics.proportion("share", hits, incident=incident)
        low, high = metrics.wilson(sum(hits), len(hits))
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


# --- two experiments --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("b", "c", "exact"), [(1, 7, 0.0703125), (3, 9, 0.14599609), (6, 16, 0.052479), (86, 150, 3.7e-5)]
)
def test_with_narratives_on_their_own_the_test_is_exact_mcnemar(b, c, exact):
    both = metrics.compare(*paired(10, b, c, 3))
    assert both.p_value == pytest.approx(exact, rel=0.02 if exact < 1e-3 else 1e-5)
    assert both.p_value == pytest.approx(scipy.stats.binomtest(b, b + c).pvalue)


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 4), min_size=2, max_size=8))
@settings(max_examples=30, deadline=None)
def test_the_sign_flip_equals_scipy_s_enumeration(clusters):
    table = " ".join("".join(map(str, cluster)) for cluster in clusters)
    truth, first, second, incident = clustered(table)
    both = metrics.compare(truth, first, second, incident=incident)
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
    both = metrics.compare(truth, first, second, incident=incident)
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
    both = metrics.compare([True] * len(second), [not x for x in second], second, incident=incident)
    z = abs((sizes * signs).sum()) / math.sqrt((sizes**2).sum())
    assert both.p_value == pytest.approx(2 * scipy.stats.norm.sf(z), rel=0.05)


def test_differences_in_recall_have_the_cluster_robust_interval_of_statsmodels():
    rng = np.random.default_rng(5)
    hits, incident = draw(rng, 40, 0.7, 0.5)
    first = [bool(x) for x in rng.random(len(hits)) < 0.6]
    both = metrics.compare([True] * len(hits), first, hits, incident=incident)
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
    few = metrics.compare(truth, first, second)
    quiet = [False] * 300
    many = metrics.compare(truth + quiet, first + quiet, second + quiet)
    for name in ("precision", "f1", "recall"):
        assert many.differences[name].as_json() == pytest.approx(few.differences[name].as_json()), name


def test_kappa_may_differ_by_more_than_one():
    both = metrics.compare([True, False, False], [False, True, True], [True, True, False], incident=["a", "b", "a"])
    kappa = both.differences["kappa"]
    assert kappa.value == pytest.approx(1.2)
    assert -2 <= kappa.low <= kappa.value <= kappa.high <= 2


@given(st.lists(st.tuples(ANSWERS, ANSWERS, ANSWERS, st.integers(0, 9)), max_size=40))
@settings(deadline=None)
def test_a_comparison_adds_up_and_differs_by_what_the_scorecards_differ(rows):
    truth, first, second, incident = ([row[place] for row in rows] for place in range(4))
    both = metrics.compare(truth, first, second, incident=incident)
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
    there = metrics.compare(truth, first, second, incident=incident)
    back = metrics.compare(truth, second, first, incident=incident)
    assert there.p_value == back.p_value
    assert there.more_positives == back.more_positives
    for name, difference in there.differences.items():
        if difference.low is not None:
            mirrored = back.differences[name]
            assert (difference.low, difference.high) == pytest.approx((-mirrored.high, -mirrored.low))


def test_a_comparison_prints_the_contract_s_keys():
    shown = metrics.compare(*paired(80, 5, 10, 5), names=("v1", "v2")).as_json()
    contract = "n_common n_excluded both_right only_first_right only_second_right both_wrong p_value method"
    assert set(contract.split()) | {"difference"} <= set(shown)
    assert set(shown["difference"]) == set(metrics.COMPARED)
    assert set(shown["difference"]["f1"]) == {"value", "low", "high"}
    assert shown["difference"]["specificity"]["why"] == "no answered narrative is labelled no"
    assert shown["method"] == "sign-flip permutation by incident, exact"
    assert (shown["first"], shown["second"]) == ("v1", "v2")


def test_the_positives_still_needed_follow_the_paired_formula():
    # Discordance .15 and a gap of .05 take 469 positives; 100 are there.
    both = metrics.compare(*paired(80, 5, 10, 5))
    assert both.more_positives == 469 - 100
    assert both.verdict() == (
        "10 newly right, 5 newly wrong, p = .30 (paired, by incident): "
        "not yet distinguishable; about 370 more positives would tell"
    )


def test_positives_in_pairs_that_move_together_are_worth_half():
    truth, first, second = (column * 2 for column in paired(80, 5, 10, 5))
    twice = metrics.compare(truth, first, second, incident=list(range(100)) * 2)
    assert twice.more_positives + 200 == pytest.approx(2 * 469, rel=0.01)


def test_a_recall_that_is_told_apart_needs_no_more():
    both = metrics.compare(*paired(60, 3, 30, 7), names=("v1", "v2"))
    assert both.more_positives is None
    assert both.verdict() == ("30 newly right, 3 newly wrong, p < .001 (paired, by incident): v2 is right more often")
    back = metrics.compare(*paired(60, 30, 3, 7), names=("v1", "v2"))
    assert back.verdict().endswith("v1 is right more often")


def test_a_gain_in_recall_paid_for_in_specificity_is_named():
    truth = [True] * 100 + [False] * 100
    first, second = [False] * 100 + [False] * 100, [True] * 12 + [False] * 88 + [True] * 11 + [False] * 89
    assert metrics.compare(truth, first, second).verdict() == (
        "12 newly right, 11 newly wrong, p = 1.00 (paired, by incident): "
        "not distinguishable overall, but recall rose and specificity fell"
    )


def test_experiments_that_say_the_same_are_told_so():
    both = metrics.compare(*paired(5, 0, 0, 3))
    assert both.p_value is None
    assert both.verdict() == ("the two say the same about every one of the 8 labelled narratives that both answered")
    assert both.differences["recall"].as_json()["low"] is None
    nothing = metrics.compare([True, None], [None, True], [True, False])
    assert (nothing.n_common, nothing.n_excluded) == (0, 1)
    assert nothing.verdict() == "no labelled narrative was answered by both"


@pytest.mark.parametrize(
    ("p_value", "words"),
    [(0.0004, "< .001"), (0.0042, "= .004"), (0.0497, "= .050"), (0.061, "= .06"), (1.0, "= 1.00")],
)
def test_a_p_value_is_shown_to_the_places_it_needs(p_value, words):
    assert metrics._p_in_words(p_value) == words  # noqa: SLF001 - one table instead of five contrived datasets


# --- agreement and multiplicity ---------------------------------------------------------------------------


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


def test_holm_reproduces_r():
    assert metrics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert metrics.holm([]) == []


def test_importing_the_module_pays_for_no_statistics():
    heavy = ["numpy.linalg", "scipy.special", "scipy.stats", "statsmodels.stats.multitest", "pandas.core"]
    code = f"import exphub_magics.metrics, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
