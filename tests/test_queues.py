import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

import browsed
import reviewed
from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import Hub, labels
from exphub_magics.hub.labels import Said
from exphub_magics.reviewing import queues


@pytest.fixture
def filled(hub):
    return reviewed.fill(hub)


def ids(hub, kinds="fp,fn", coder="Ann", name="partner@1", **more):
    return [entry.narrative_id for entry in queues.queue(hub, name, coder=coder, kinds=kinds, **more).entries]


def why(hub, narrative, kinds, coder="Ann", name="partner@1"):
    queue = queues.queue(hub, name, coder=coder, kinds=kinds)
    return queue.entries[queue.places[narrative]].why


def say(hub, coder, **flags):
    words = {one.replace("_", "-"): Said(flag, unsure=flag is None) for one, flag in flags.items()}
    labels.say(hub, 1, words, coder=coder)


# --- what is in a queue -----------------------------------------------------------------------------------


def test_errors_come_by_kind_and_the_surest_first(filled):
    assert ids(filled) == ["2-LE", "2-CME", "4-CME", "1-LE"]
    assert ids(filled, "fn,fp") == ["4-CME", "1-LE", "2-LE", "2-CME"]
    assert why(filled, "2-LE", "fp") == ("false positive: flagged, confidence .80; manual no",)
    assert why(filled, "4-CME", "fn") == ("false negative: not flagged, confidence .90; manual yes",)


def test_narratives_that_most_prompts_get_wrong_say_by_how_many_of_how_many(filled):
    # Of partner its second version counts: 2-CME is wrong in both, 1-LE in one of two, and 4-CME has one answer.
    assert ids(filled, "hard") == ["2-CME"]
    assert why(filled, "2-CME", "fp,hard")[1] == "2 of 2 prompts get it wrong; manual no"
    assert queues.queue(filled, "strict", coder="Ann", kinds="fp,hard").content == (
        "false positives 1, narratives that most prompts get wrong 1"
    )


def test_one_prompt_alone_makes_no_narrative_hard(hub):
    browsed.experiment(hub, "only", browsed.dataset(hub, reviewed.TEXTS), reviewed.FIRST)
    assert ids(hub, "hard", name="only") == []


def test_disagreements_are_those_of_other_coders_and_not_settled(filled):
    say(filled, "Ben", **{"2_LE": True, "2_CME": True, "1_LE": None})
    say(filled, "Ann", **{"3_CME": True})
    assert ids(filled, "disagreements") == ["2-CME", "2-LE"]
    assert ids(filled, "disagreements", coder="adjudicated") == ["2-CME", "2-LE", "3-CME"]
    assert why(filled, "2-LE", "disagreements") == ("manual no, Ben yes",)
    say(filled, "adjudicated", **{"2_LE": True})
    assert ids(filled, "disagreements") == ["2-CME"]
    assert ids(filled, "disagreements", coder="adjudicated") == ["2-CME", "2-LE", "3-CME"]  # decided ones stay


def test_all_are_those_that_can_be_evaluated_and_a_sample_some_of_these(filled):
    assert ids(filled, "all") == [one for one in reviewed.TEXTS if one != "3-LE"]
    small, larger = ids(filled, "sample:3"), ids(filled, "sample:5")
    assert (len(small), larger[:3]) == (3, small)
    assert set(larger) < set(ids(filled, "all"))
    assert ids(filled, "sample:5", coder="Ben") == larger


def test_a_drawn_experiment_is_reviewed_on_its_own_narratives(hub):
    number = browsed.dataset(hub, reviewed.TEXTS)
    drawn = {one: reviewed.FIRST[one] for one in ("2-LE", "1-CME")}
    browsed.experiment(hub, "drawn", number, drawn, selected=[*drawn, "4-CME"])
    queue = queues.queue(hub, "drawn", coder="Ann", kinds="fp,fn,disagreements,all")
    assert ([entry.narrative_id for entry in queue.entries], queue.unanswered) == (["2-LE", "1-CME", "4-CME"], 1)


# --- what does not move it --------------------------------------------------------------------------------


@given(said=st.lists(st.tuples(st.sampled_from(list(reviewed.TEXTS)), st.sampled_from([True, False, None]))))
def test_no_decision_of_the_coders_own_moves_a_queue(said):
    with Hub.open(":memory:") as hub:
        reviewed.fill(hub)
        say(hub, "Ben", **{"2_LE": True})
        kinds = "fp,fn,hard,disagreements,sample:2"
        before, mixed = queues.queue(hub, "partner", coder="Ann", kinds=kinds), ids(hub, kinds, blind=True)
        for narrative, flag in said:
            labels.say(hub, 1, {narrative: Said(flag, unsure=flag is None)}, coder="Ann", experiment=2)
        assert queues.queue(hub, "partner", coder="Ann", kinds=kinds) == before
        assert ids(hub, kinds, blind=True) == mixed


def test_another_coder_takes_no_error_out_of_a_queue_so_that_both_decide_the_same_ones(filled):
    before = ids(filled)
    say(filled, "Ben", **{"2_LE": True, "1_LE": False, "2_CME": None})
    assert ids(filled) == before


def test_what_is_settled_needs_no_further_word_and_stays_where_one_was_said(filled):
    say(filled, "Ben", **{"2_CME": False})
    say(filled, "adjudicated", **{"2_LE": False, "2_CME": False})
    assert ids(filled, "fp") == []
    assert ids(filled, "fp", coder="Ben") == ["2-CME"]


def test_without_a_manual_flag_the_other_coders_are_what_an_answer_is_held_against(filled):
    say(filled, "Ben", **{"5_CME": False})
    assert "5-CME" in ids(filled)
    assert "5-CME" not in ids(filled, coder="Ben")
    say(filled, "Cleo", **{"5_CME": True})
    assert "5-CME" not in ids(filled)


# --- blind ------------------------------------------------------------------------------------------------


def test_a_blind_queue_mixes_errors_with_what_is_right_and_its_words_give_nothing_away(hub):
    texts = {f"{number}-LE": (number % 2 == 0, f"text {number}") for number in range(60)}
    answers = {one: ("ok", number < 20, 0.9) for number, one in enumerate(texts)}  # 10 fp, 20 fn
    browsed.experiment(hub, "half", browsed.dataset(hub, texts), answers)
    queue = queues.queue(hub, "half", coder="Ann", blind=True)
    kinds = ["".join(entry.kinds) for entry in queue.entries]
    assert {kind: kinds.count(kind) for kind in ("fp", "fn", "")} == {"fp": 10, "fn": 20, "": 15}
    assert kinds != sorted(kinds)
    assert sorted(kinds, key=["fp", "fn", ""].index) != kinds
    assert queue.content == (
        "narratives in random order, the model's flag and other coders' hidden until you have decided"
    )


# --- who and what -----------------------------------------------------------------------------------------


def test_the_coder_is_the_one_named_else_whoever_git_knows(filled, tmp_path):
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "config", "user.name", "Dora"], check=True)
    assert queues.coder_named(filled, 1) == "Dora"
    assert queues.coder_named(filled, 1, "  Ann\n B. ") == "Ann B."


def test_a_name_that_differs_in_case_alone_is_no_other_coder(filled):
    say(filled, "Ann", **{"2_LE": True})
    assert queues.coder_named(filled, 1, "ann") == "Ann"
    assert queues.coder_named(filled, 1, "Adjudicated") == "adjudicated"


@pytest.mark.parametrize(
    ("coder", "said"),
    [("manual", "is the data file's own"), ("MANUAL", "name yourself"), (" ", "add --coder"), ("a\0b", "in a line")],
)
def test_who_cannot_be_a_coder_is_refused_in_a_line(filled, coder, said):
    with pytest.raises(ConfigError, match=said):
        queues.queue(filled, "partner", coder=coder)


@pytest.mark.parametrize("kinds", ["hrad", "sample:0", "sample:x", "fp:3", "fp,nf"])
def test_a_queue_that_there_is_not_is_answered_with_the_nearest(filled, kinds):
    with pytest.raises(UnknownNameError, match="unknown queue"):
        queues.queue(filled, "partner", coder="Ann", kinds=kinds)
    with pytest.raises(ConfigError, match="no queue is named"):
        queues.queue(filled, "partner", coder="Ann", kinds=" , ")
