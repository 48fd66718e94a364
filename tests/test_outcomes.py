import time
from collections import Counter

import pytest

import tried
from endpoint import answer, completion
from exphub_magics import comparisons, prompts, tries
from exphub_magics.background import Background
from exphub_magics.errors import ConfigError
from exphub_magics.specs import Spec
from exphub_magics.tries import histories, outcomes, parents
from tried import MORE, PROMPT, go


@pytest.fixture
def partner(hub):
    return tried.parent(hub)


def test_a_try_is_held_against_its_parent_as_compare_does_it(hub, partner):
    number = go(hub, tries.job(partner, MORE))
    found = outcomes.outcome(hub, partner, number)
    (pair,) = comparisons.compare(hub, ["partner@1", "partner.try@1"]).pairs
    assert found.pair == pair
    moved = Counter(case.kind for case in found.cases)
    assert (moved["newly wrong"], moved["newly right"]) == (len(pair.newly_wrong), len(pair.newly_right))
    assert moved["wrong as before"] == pair.comparison.both_wrong
    assert [case.kind for case in found.cases] == sorted(
        (case.kind for case in found.cases), key=outcomes.KINDS.index
    ), "newly wrong first"
    for name, found_difference in pair.comparison.differences.items():
        if name in found.points:
            before, after = found.points[name]
            assert after - before == pytest.approx(found_difference.value)
    assert found.verdict.startswith(
        "of 1,095 labelled narratives that both have answered: 79 newly wrong, 21 newly right"
    )
    assert {row[0] for row in found.rows()} >= {"recall", "precision", "specificity"}  # what a verdict names is there
    assert found.missing == 0
    assert found.unseen is None  # no earlier try
    assert str(found).splitlines()[0] == ("partner.try@1 against partner@1: all 1,119 narratives have their result")
    assert len(found.flips) == len(found.cases)


def test_what_no_earlier_try_was_run_on_is_told_apart(hub, partner):
    sampled = go(hub, tries.job(partner, MORE, sample=50))
    whole = go(hub, tries.job(partner, MORE))
    seen = {row["incident_id"] for row in hub.verdicts(sampled)}
    found = outcomes.outcome(hub, partner, whole)
    assert found.unseen.n_common == sum(
        row["flag"] is not None and row["incident_id"] not in seen for row in hub.verdicts(whole)
    )
    assert found.beyond.startswith(
        f"of the {found.unseen.n_common:,} among them of incidents that no earlier try was run on"
    )
    assert [row[0] for row in found.rows_beyond()] == ["recall", "precision", "specificity", "F1"]
    assert found.rows_beyond() != found.rows()
    assert outcomes.READ in str(found)
    assert found.untold == ""
    first = outcomes.outcome(hub, partner, sampled)
    assert (first.unseen, first.untold) == (None, "")
    more = outcomes.outcome(hub, partner, go(hub, tries.job(partner, "Was V hurt?")))
    assert more.untold.endswith("is seen on other data.")
    assert more.untold in str(more)
    once = outcomes.outcome(hub, partner, go(hub, tries.job(partner, "Was V shoved?", sample=50)))
    assert once.untold.endswith("is seen on other data.")  # all were tried by then


def test_what_another_prompts_try_was_run_on_counts_as_seen(hub, partner):
    other = go(hub, Spec("other", prompts.parse("Was V afraid of the partner?"), data="sample"))
    assert other != partner.experiment
    go(hub, tries.job(parents.parent(hub, "other"), "Was V hurt by the partner?", sample=300))
    before = {row["incident_id"] for row in hub.verdicts(tries.latest(hub, parents.parent(hub, "other")))}
    whole = go(hub, tries.job(partner, MORE))
    found = outcomes.outcome(hub, partner, whole)
    assert found.unseen.n_common == sum(
        row["flag"] is not None and row["incident_id"] not in before for row in hub.verdicts(whole)
    )


def test_while_there_are_others_a_try_on_the_same_narratives_says_where_it_is_seen_whether_it_holds(hub, partner):
    go(hub, tries.job(partner, MORE, sample=50))
    again = outcomes.outcome(hub, partner, go(hub, tries.job(partner, "Was V afraid?", sample=50)))
    assert again.untold == (
        "Earlier tries were run on all of these incidents: whether the change holds is seen by a try on all narratives."
    )


def test_a_first_try_on_everything_leaves_nothing_to_see_on_and_says_so(hub, partner):
    found = outcomes.outcome(hub, partner, go(hub, tries.job(partner, MORE)))
    assert found.untold == "This was tried on every narrative: whether a further change holds is seen on other data."


def test_a_try_on_a_sample_that_the_data_cannot_tell_apart_says_so(hub, partner):
    found = outcomes.outcome(hub, partner, go(hub, tries.job(partner, MORE, sample=50)))
    assert found.total == 50
    assert "not yet distinguishable" in found.verdict
    assert found.cases == tuple(
        case
        for case in found.cases
        if case.narrative_id in {row["narrative_id"] for row in hub.verdicts(found.experiment)}
    )


def test_where_the_parent_has_no_answer_that_is_said_and_can_be_put_right(hub):
    elsewhere = parents.parent(hub)  # an example, which was never run
    attempt = tries.job(elsewhere, MORE, sample=50)
    number = go(hub, attempt)
    found = outcomes.outcome(hub, elsewhere, number)
    assert (found.missing, found.pair, found.rows()) == (50, None, [])
    assert found.verdict == "an example has no answer on these narratives"
    assert {case.kind for case in found.cases} == {"wrong, the parent has no answer"}
    go(hub, tries.again_of(hub, elsewhere, number))
    found = outcomes.outcome(hub, elsewhere, number)
    assert (found.missing, found.against) == (0, "example.parent@1")
    assert found.pair is not None


def test_a_parent_that_was_asked_about_some_is_compared_on_these_and_the_rest_counted(hub, demo):
    go(hub, Spec("first", prompts.parse(PROMPT), data=demo, sample=6))
    parent = parents.parent(hub)
    found = outcomes.outcome(hub, parent, go(hub, tries.job(parent, MORE, sample=None)))
    assert found.missing == 4
    assert found.pair.comparison.n_common == 5  # one of the six is a placeholder


def test_a_stopped_try_shows_what_it_has_and_what_failed_is_listed(hub, demo, scripted, tmp_path):
    def script(body):
        text = body["messages"][-1]["content"]
        return (400, {"error": {"message": "too long"}}) if "coworker" in text else completion(answer("hit" in text))

    endpoint = scripted(script)
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url, "concurrency": 1}
    go(hub, Spec("first", prompts.parse(PROMPT), data=demo, **served))
    parent = parents.parent(hub)
    endpoint.delay = 0.2
    run = Background.start(tmp_path / "hub.db", tries.job(parent, MORE, **served))
    while run.progress.asked < 2:
        time.sleep(0.02)
    running = outcomes.outcome(hub, parent, tries.latest(hub, parent))
    assert f"{running.finished} of 10 narratives have their result; by " in running.state
    assert running.state.startswith("being run: ")
    assert " on this machine, since " in running.state
    run.stop()
    run.wait()
    endpoint.delay = 0
    number = tries.latest(hub, parent)
    found = outcomes.outcome(hub, parent, number)
    assert 0 < found.finished < 10
    assert found.state == f"stopped: {found.finished} of 10 narratives have their result; try again for the rest"
    go(hub, tries.job(parent, MORE, **served))
    found = outcomes.outcome(hub, parent, number)
    assert [case.narrative_id for case in found.cases if case.kind == "no answer"] == ["4-CME"]


def test_another_model_is_said(hub, demo, scripted):
    go(hub, Spec("first", prompts.parse(PROMPT), data=demo))
    parent = parents.parent(hub)
    served = {"provider": "scripted", "model_name": "m", "base_url": scripted(lambda _b: completion(answer(True))).url}
    found = outcomes.outcome(hub, parent, go(hub, tries.job(parent, PROMPT, **served)))
    assert found.differs == ("model: builtin rules-1 → scripted m", "the prompt is the parent's")


def test_the_parent_itself_is_no_try(hub, demo):
    go(hub, Spec("first", prompts.parse(PROMPT), data=demo))
    parent = parents.parent(hub)
    assert outcomes.outcome(hub, parent, parent.experiment).verdict == "this is the parent itself"


def test_a_flag_that_moves_without_a_manual_one_is_shown(hub, demo):
    demo["manual_flag"] = ""
    go(hub, Spec("first", prompts.parse(PROMPT), data=demo))
    parent = parents.parent(hub)
    found = outcomes.outcome(hub, parent, go(hub, tries.job(parent, "Does the narrative mention a parking place?")))
    assert {case.kind for case in found.cases} == {"moved, no manual flag"}
    assert "share no labelled narrative" in found.verdict


def test_a_narrative_is_shown_with_both_answers_and_what_is_quoted(hub, partner):
    found = outcomes.outcome(hub, partner, go(hub, tries.job(partner, MORE)))
    case = next(case for case in found.cases if case.kind == "newly right")
    closer = outcomes.closer(hub, found.experiment, found.reference, case.narrative_id)
    assert (closer.flag, closer.manual_flag, closer.was) == (case.flag, case.manual_flag, case.was)
    assert any(marked for _, marked in closer.parts)
    assert closer.steps
    assert closer.was_rational
    with pytest.raises(ConfigError, match="there is no narrative 'x'"):
        outcomes.closer(hub, found.experiment, found.reference, "x")


def test_other_narratives_of_the_same_ids_are_compared_nowhere(hub, demo):
    go(hub, Spec("first", prompts.parse(PROMPT), data=demo))
    go(hub, tries.job(parents.parent(hub), MORE))
    corrected = demo.assign(narrative="V was found at home. " + demo["narrative"])
    parent = parents.parent(hub, "first", data=corrected)
    assert parent.experiment is not None
    assert (histories.history(hub, parent), tries.latest(hub, parent)) == (([], 0), None)
    attempt = tries.job(parent, MORE)
    assert tries.reference(hub, parent, attempt.spec, tries.drawn(hub, attempt).ids) == tries.Reference(None, 10)
    found = outcomes.outcome(hub, parent, go(hub, attempt))
    assert (found.reference, found.missing, found.pair) == (None, 10, None)
    go(hub, tries.again_of(hub, parent, found.experiment))
    found = outcomes.outcome(hub, parent, found.experiment)
    assert (found.against, found.missing) == ("first.parent@1", 0)
    assert outcomes.outcome(hub, parent, 2).reference is None  # a try on the data of before
