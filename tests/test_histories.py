import pytest

import tried
from exphub_magics import comparisons, prompts, tries
from exphub_magics.specs import Spec
from exphub_magics.tries import histories, outcomes, parents
from tried import MORE, PROMPT, go


@pytest.fixture
def partner(hub):
    return tried.parent(hub)


def test_the_history_counts_what_the_outcomes_do(hub, partner):
    numbers = [go(hub, tries.job(partner, MORE, sample=size)) for size in (50, None)]
    lines, n = histories.history(hub, partner)
    assert ([line.experiment for line in lines], n) == ([*reversed(numbers)], 2)
    for line in lines:
        pair = outcomes.outcome(hub, partner, line.experiment).pair
        assert (line.newly_right, line.newly_wrong) == (len(pair.newly_right), len(pair.newly_wrong))
        row = next(row for row in hub.leaderboard() if row["id"] == line.experiment)
        assert line.points == comparisons.points(row)


def test_a_terminal_is_told_the_tries_and_where_the_studio_opens(hub, partner):
    assert histories.told(hub, partner).splitlines()[1] == "0 tries so far"
    go(hub, tries.job(partner, MORE, sample=50))
    told = histories.told(hub, partner)
    assert told.splitlines()[1] == "1 try so far"
    assert "50 of 50" in told
    assert told.endswith("the studio opens in a notebook: %exphub studio partner")


def test_the_history_and_an_outcome_hold_a_try_against_the_same_experiment(hub, demo):
    go(hub, Spec("first", prompts.parse(PROMPT), data=demo, sample=3))
    parent = parents.parent(hub)
    number = go(hub, tries.job(parent, "Does the narrative mention a parking place?", sample=None))
    go(hub, tries.again_of(hub, parent, number))
    found = outcomes.outcome(hub, parent, number)
    assert found.against == "first.parent@1"
    ((line,), _) = histories.history(hub, parent)
    counts = found.counts()
    assert (line.newly_right, line.newly_wrong) == (counts.get("newly right", 0), counts.get("newly wrong", 0))
    assert line.newly_wrong > 0


def test_tries_of_earlier_versions_are_told_by_their_whole_name(hub, demo):
    """Which wrote `first · try`."""
    go(hub, Spec("first", prompts.parse(PROMPT), data=demo))
    go(hub, Spec("first · try", prompts.parse(MORE), data=demo, trial=True))
    go(hub, Spec("first · parent", prompts.parse(PROMPT), data=demo, sample=4, trial=True))
    parent = parents.parent(hub)
    assert parent.title == "first@1"
    go(hub, tries.job(parent, "Was V afraid?"))
    lines, n = histories.history(hub, parent)
    assert ([line.called for line in lines], n) == (["try 1", "first · try@1"], 2)
    assert tries.latest(hub, parent) == 4
    assert outcomes.outcome(hub, parent, 4).title == "first.try@1"
