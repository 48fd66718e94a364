import itertools
import math

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from exphub_magics import metrics
from exphub_magics.errors import ConfigError
from exphub_magics.metrics import pairing, stability
from exphub_magics.metrics.stability import BEYOND, NO_DIFFERENCE, UNKNOWN, WITHIN, difference, noise, repeated, verdict

ANSWER = st.sampled_from([True, False, None])
UP_TO_FOUR = st.integers(1, 4)


@st.composite
def columns(draw, repeats=UP_TO_FOUR):
    """Labels, incidents, and the flags of two experiments with their repeats."""
    n, first, second = draw(st.integers(1, 12)), draw(repeats), draw(repeats)
    flags = [draw(st.lists(ANSWER, min_size=n, max_size=n)) for _ in range(first + second)]
    truth = draw(st.lists(ANSWER, min_size=n, max_size=n))
    incident = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    kept = [place for place in range(n) if all(column[place] is not None for column in flags)]
    truth, incident = [truth[place] for place in kept], [incident[place] for place in kept]
    flags = [[column[place] for place in kept] for column in flags]
    return truth, incident, flags[:first], flags[first:]


def simulated(generator, truth, chances, repeats, incident=None):
    flags = generator.random((repeats, len(truth))) < chances
    return repeated(truth, flags.tolist(), incident=incident)


def people(generator, n=300):
    """Labels, incidents of two narratives, and how often each narrative is flagged: some hardly ever the same."""
    truth = (generator.random(n) < 0.2).tolist()
    usual = generator.random(n) < np.where(truth, 0.8, 0.05)
    wavering = np.where(generator.random(n) < 0.15, generator.random(n) / 2, 0.0)
    return truth, (np.arange(n) // 2).tolist(), np.where(usual, 1 - wavering, wavering)


# --- one experiment and its repeats -----------------------------------------------------------------------


def test_flips_of_three_in_a_hundred_have_the_wilson_interval_of_the_literature():
    share = stability.flips(repeated([None] * 100, [[True] * 100, [False] * 3 + [True] * 97]))
    assert (share.numerator, share.n) == (3, 100)
    assert (share.low, share.high) == pytest.approx((0.0103, 0.0845), abs=5e-5)


def test_flips_within_one_incident_have_a_wider_interval():
    flags = [[True] * 40, [False] * 10 + [True] * 30]
    alone = stability.flips(repeated([None] * 40, flags))
    pairs = stability.flips(repeated([None] * 40, flags, incident=[place // 2 for place in range(40)]))
    assert pairs.value == alone.value == 0.25
    assert pairs.low < alone.low
    assert pairs.high > alone.high


@given(columns())
def test_flips_and_disagreement_are_those_of_a_recount(given_columns):
    truth, incident, flags, _ = given_columns
    one = repeated(truth, flags, incident=incident)
    stories = list(zip(*flags, strict=True))
    moved = [len(set(story)) > 1 for story in stories]
    assert stability.flips(one) == metrics.proportion("flips", moved, incident=incident)
    if len(flags) == 1 or not stories:
        assert stability.disagreement(one) is None
        return
    unlike = [a != b for story in stories for a, b in itertools.combinations(story, 2)]
    assert stability.disagreement(one) == pytest.approx(np.mean(unlike))
    if len(flags) == 2:
        assert stability.disagreement(one) == pytest.approx(stability.flips(one).value)


def test_a_narrative_that_one_repeat_did_not_answer_counts_in_none():
    one = repeated([True, True, False], [[True, True, None], [True, False, True]])
    assert one.flags.tolist() == [[1, 1], [1, 0]]
    assert stability.rates("f1", one).tolist() == [1.0, pytest.approx(2 / 3)]


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ConfigError, match="cannot be paired"):
        repeated([True], [[True], [True, False]])


# --- two experiments and their repeats --------------------------------------------------------------------


@given(columns(repeats=st.just(1)))
def test_with_one_repeat_each_the_difference_is_that_of_a_comparison(given_columns):
    truth, incident, (first,), (second,) = given_columns
    found = difference(*(repeated(truth, [flags], incident=incident) for flags in (first, second)))
    compared = pairing.compare(truth, first, second, incident=incident).differences["f1"]
    assert (found.low, found.high) == pytest.approx((compared.low, compared.high))
    assert (found.value, found.why) == (pytest.approx(compared.value), compared.why)


@given(columns())
def test_the_difference_is_that_of_the_mean_f1_scores(given_columns):
    truth, incident, first, second = given_columns
    found = difference(repeated(truth, first, incident=incident), repeated(truth, second, incident=incident))
    labelled = [place for place, label in enumerate(truth) if label is not None]

    def scores(repeats):
        labels = [truth[place] for place in labelled]
        said = [[flags[place] for place in labelled] for flags in repeats]
        return [f1_score(labels, flags, zero_division=np.nan) if any([*labels, *flags]) else np.nan for flags in said]

    expected = np.mean(scores(second)) - np.mean(scores(first))
    if math.isnan(expected):
        assert found.value is None
        assert found.why
    else:
        assert found.value == pytest.approx(expected)


@given(columns(), st.integers(2, 3))
def test_the_same_answers_again_are_no_more_evidence(given_columns, times):
    truth, incident, first, second = given_columns
    once = difference(*(repeated(truth, flags, incident=incident) for flags in (first, second)))
    again = difference(*(repeated(truth, flags * times, incident=incident) for flags in (first, second)))
    assert (once.value, once.low, once.high) == pytest.approx((again.value, again.low, again.high))


@given(columns())
def test_who_is_first_changes_the_sign_alone(given_columns):
    truth, incident, first, second = given_columns
    one, two = (repeated(truth, flags, incident=incident) for flags in (first, second))
    there, back = difference(one, two), difference(two, one)
    if there.value is not None:
        assert there.value == pytest.approx(-back.value)
    if there.low is not None:
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert noise(one, two) == pytest.approx(noise(two, one))


# --- noise ------------------------------------------------------------------------------------------------


def test_the_noise_of_one_narrative_that_moves_is_what_one_counts_by_hand():
    # Mean flags 1 and ½, one label yes: F1 is 2 / 2.5 = .8, and the second narrative's slope (0 - .8) / 2.5 = -.32.
    # It moves F1 by .16 up and down: variance .0512 / (2 - 1) / 2 = .0256, error .16, one degree of freedom.
    first, second = [[True, False], [True, True]], [[True, False], [True, False]]
    found = noise(repeated([True, False], first), repeated([True, False], second))
    assert found == pytest.approx(0.16 * scipy.stats.t.ppf(0.975, 1))


def test_the_noise_of_a_single_incident_is_welchs_on_f1_as_a_straight_line():
    generator = np.random.default_rng(5)
    truth, _, chances = people(generator, 60)
    flags = [(generator.random((repeats, 60)) < chances).astype(int) for repeats in (3, 5)]
    lines = []
    for each in flags:
        mean = each.mean(axis=0)
        size = mean.sum() + sum(truth)
        slope = (2 * np.array(truth) - 2 * mean @ np.array(truth) / size) / size
        lines.append(each @ slope)
    welch = scipy.stats.ttest_ind(*lines, equal_var=False).confidence_interval()
    sides = [repeated(truth, (each == 1).tolist(), incident=["one"] * 60) for each in flags]
    assert noise(*sides) == pytest.approx((welch.high - welch.low) / 2)


def test_the_noise_is_on_average_that_of_runs_asked_over_and_over():
    generator = np.random.default_rng(11)
    truth, incident, chances = people(generator)
    runs = [[simulated(generator, truth, chances, 3, incident) for _ in range(2)] for _ in range(400)]
    gaps = [float(np.diff([stability.rates("f1", one).mean() for one in run])[0]) for run in runs]
    reaches = [noise(*run) for run in runs]
    assert np.sqrt(np.mean(np.square(reaches))) / 1.96 == pytest.approx(np.std(gaps), rel=0.12)


@pytest.mark.parametrize("repeats", [(2, 2), (3, 3), (2, 5)])
def test_asking_again_seldom_passes_for_a_difference(repeats):
    generator = np.random.default_rng(3)
    beyond = 0
    for _ in range(300):
        truth, incident, chances = people(generator)
        run = [simulated(generator, truth, chances, number, incident) for number in repeats]
        gap = float(np.diff([stability.rates("f1", one).mean() for one in run])[0])
        beyond += verdict(gap, noise(*run)) == BEYOND
    assert beyond / 300 <= 0.08


def test_another_prompt_that_finds_more_is_seen_through_the_noise():
    generator = np.random.default_rng(4)
    beyond = 0
    for _ in range(100):
        truth, incident, chances = people(generator)
        better = np.where(truth, 0.5 + chances / 2, chances)
        run = [simulated(generator, truth, how, 3, incident) for how in (chances, better)]
        gap = float(np.diff([stability.rates("f1", one).mean() for one in run])[0])
        beyond += verdict(gap, noise(*run)) == BEYOND
    assert beyond >= 60


def test_repeats_that_all_say_the_same_make_no_noise_and_one_repeat_tells_of_none():
    truth = [True, False, True]
    same, moving = [[True, False, False]] * 3, [[True, True, False], [True, False, False]]
    assert noise(repeated(truth, same), repeated(truth, same)) == 0
    assert noise(repeated(truth, same), repeated(truth, moving)) > 0
    assert noise(repeated(truth, same), repeated(truth, same[:1])) is None
    assert noise(repeated([None] * 3, same), repeated([None] * 3, moving)) == 0  # nothing labelled, no F1 to move


def test_flips_of_the_same_size_both_ways_are_noise_though_f1_stands_still():
    truth = [True, True, False, False]
    crossing = repeated(truth, [[True, False, True, False], [False, True, False, True]])
    assert np.ptp(stability.rates("f1", crossing)) == 0
    assert noise(crossing, crossing) > 0


@given(columns())
@settings(max_examples=50)
def test_noise_is_a_number_whatever_is_missing(given_columns):
    truth, incident, first, second = given_columns
    reach = noise(repeated(truth, first, incident=incident), repeated(truth, second, incident=incident))
    assert (reach is None) == (min(len(first), len(second)) == 1)
    assert reach is None or 0 <= reach < math.inf


@pytest.mark.parametrize(
    ("value", "reach", "said"),
    [
        (0.1, None, UNKNOWN),
        (0.0, None, UNKNOWN),
        (0.1, 0.05, BEYOND),
        (-0.1, 0.05, BEYOND),
        (-0.04, 0.05, WITHIN),
        (0.0, 0.05, WITHIN),
        (0.0, 0.0, NO_DIFFERENCE),
        (1e-17, 0.0, NO_DIFFERENCE),
        (0.01, 0.0, BEYOND),
    ],
)
def test_what_a_difference_comes_to_is_said_in_words(value, reach, said):
    assert verdict(value, reach) == said
