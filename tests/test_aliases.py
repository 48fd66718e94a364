import re
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import Hub, aliases, now

LATER = "9999-01-01T00:00:00.000+00:00"


def dataset(hub, sha256, texts):
    rows = [
        {"narrative_id": one, "incident_id": one, "source": None, "narrative_text": text, "facts": "{}"}
        for one, text in texts.items()
    ]
    return hub.register_dataset(name="rows.csv", sha256=sha256, columns={}, profile={}, narratives=rows)


def register(hub, name, dataset=1):
    about = {"name": name, "author": "A", "dataset_id": dataset, "fingerprint": str(len(hub.names())), "notes": None}
    number, _ = hub.register(
        {**about, "settings": {}, "environment": {}}, prompt=("Is it?", "p"), model=("m", "served")
    )
    return number


@pytest.fixture
def filled(hub):
    """partner@1, partner@2 and strict@1, over three narratives."""
    dataset(hub, "d", {one: f"V was seen on day {one}." for one in "abc"})
    for name in ("partner", "partner", "strict"):
        register(hub, name)
    return hub


def test_an_alias_stands_for_what_it_was_moved_to_last_and_each_move_is_kept(filled):
    assert aliases.move(filled, "baseline", 1, author="Ann", why="first")
    assert aliases.move(filled, "baseline", 3)
    assert aliases.move(filled, "best-yet_2", 2)
    told = [(move.alias, move.title, move.author, move.why) for move in aliases.moves(filled)]
    assert told == [
        ("baseline", "partner@1", "Ann", "first"),
        ("baseline", "strict@1", None, None),
        ("best-yet_2", "partner@2", None, None),
    ]
    assert {alias: move.experiment_id for alias, move in aliases.pinned(filled).items()} == {
        "baseline": 3,
        "best-yet_2": 2,
    }


def test_an_alias_that_is_taken_back_stands_for_nothing_and_keeps_its_moves(filled):
    aliases.move(filled, "baseline", 1)
    assert aliases.move(filled, "baseline", None, why="by mistake")
    assert aliases.pinned(filled) == {}
    assert aliases.baseline(filled) is None
    assert [move.title for move in aliases.moves(filled)] == ["partner@1", None]
    assert re.fullmatch(r"taken back \d{4}-\d\d-\d\d: by mistake", str(aliases.moves(filled)[-1]))


def test_a_move_to_where_it_stands_is_none(filled):
    assert not aliases.move(filled, "baseline", None)
    assert aliases.move(filled, "baseline", 1)
    assert not aliases.move(filled, "baseline", 1, why="again")
    assert len(aliases.moves(filled)) == 1


@pytest.mark.parametrize("alias", ["", " ", "two words", "a@1", "12", "²", "-x", "a.b", "a/b", "a\n", "<b>"])
def test_what_is_no_word_is_no_alias(filled, alias):
    with pytest.raises(ConfigError, match="is no alias: write a word"):
        aliases.move(filled, alias, 1)
    assert aliases.moves(filled) == []


def test_an_experiments_name_is_no_alias(filled):
    with pytest.raises(ConfigError, match=r"'strict' is an experiment's name here.*: take another word"):
        aliases.move(filled, "strict", 1)


def test_where_an_experiment_is_called_baseline_another_word_serves_the_cards(filled):
    register(filled, "baseline")
    with pytest.raises(ConfigError, match="pin it as reference, which cards go by too"):
        aliases.move(filled, "baseline", 1)
    aliases.move(filled, "reference", 1)
    assert aliases.baseline(filled).title == "partner@1"
    register(filled, "reference")
    with pytest.raises(ConfigError, match="take another word"):
        aliases.move(filled, "baseline", 2)


def test_of_both_words_baseline_counts(filled):
    aliases.move(filled, "reference", 2)
    aliases.move(filled, "baseline", 1)
    assert aliases.baseline(filled).title == "partner@1"


def test_a_refused_move_leaves_the_hub_free_to_write(filled):
    with pytest.raises(ConfigError):
        aliases.move(filled, "strict", 1)
    assert aliases.move(filled, "baseline", 1)


def test_names_are_found_by_their_alias(filled):
    aliases.move(filled, "baseline", 1)
    aliases.move(filled, "str", 2)
    found = {name: filled.find(name) for name in ("baseline", "partner", "partner@1", "3", "str", "stri")}
    assert found == {"baseline": 1, "partner": 2, "partner@1": 1, "3": 3, "str": 2, "stri": 3}


def test_an_alias_has_no_versions(filled):
    aliases.move(filled, "baseline", 1)
    with pytest.raises(
        UnknownNameError, match=r"'baseline' is an alias of partner@1, and .* no versions: say baseline"
    ):
        filled.find("baseline@1")


def test_a_misspelt_alias_is_answered_with_the_near_one(filled):
    aliases.move(filled, "baseline", 1)
    with pytest.raises(UnknownNameError, match="did you mean 'baseline'"):
        filled.find("basline")


def test_an_alias_that_became_an_experiments_name_is_not_guessed(filled):
    aliases.move(filled, "baseline", 1)
    number = register(filled, "baseline")
    with pytest.raises(UnknownNameError, match=r"'baseline' is .* alias of partner@1 too: say baseline@1 or partner@1"):
        filled.find("baseline")
    assert filled.find("baseline@1") == number
    with pytest.raises(UnknownNameError, match="no such version"):
        filled.find("baseline@7")
    aliases.move(filled, "baseline", None)
    assert filled.find("baseline") == number


def test_two_who_move_one_alias_at_once_leave_both_moves(filled, tmp_path):
    barrier = threading.Barrier(2)

    def act(experiment, who):
        with Hub.open(tmp_path / "hub.db") as other:
            barrier.wait(timeout=30)
            aliases.move(other, "baseline", experiment, author=who)

    threads = [threading.Thread(target=act, args=one) for one in ((1, "Ann"), (2, "Ben"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    moved = aliases.moves(filled)
    assert {(move.experiment_id, move.author) for move in moved} == {(1, "Ann"), (2, "Ben")}
    assert aliases.pinned(filled)["baseline"] == moved[-1]


# --- labels since a pin -----------------------------------------------------------------------------------


def instant():
    """A moment that nothing else in a hub has: what is written before is before it, what is written after, after."""
    time.sleep(0.005)
    moment = now()
    time.sleep(0.005)
    return moment


CODERS = ("manual", "second", "adjudicated")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(CODERS), st.sampled_from([True, False, None]))))
def test_after_its_last_label_a_dataset_holds_the_flags_that_count_now(labels):
    with Hub.open(":memory:") as hub:
        number = dataset(hub, "d", {one: one for one in "abc"})
        register(hub, "first")
        for one, coder, flag in labels:
            hub.label(number, {one: flag}, coder=coder)
        counting = sum(row["manual_flag"] is not None for row in hub.verdicts(1))
        assert aliases.flags_changed(hub, number, number, LATER) == 0
        assert aliases.flags_changed(hub, number, number, "") == counting


def test_flags_that_are_confirmed_or_changed_back_have_not_changed(filled):
    filled.label(1, {"a": True, "b": False, "c": True}, coder="manual")
    moment = instant()
    filled.label(1, {"a": True, "b": True}, coder="second")  # b is in dispute: no flag counts
    filled.label(1, {"c": False}, coder="manual")
    filled.label(1, {"c": True}, coder="manual")
    assert aliases.flags_changed(filled, 1, 1, moment) == 1
    filled.label(1, {"b": False}, coder="adjudicated")
    assert aliases.flags_changed(filled, 1, 1, moment) == 0


def test_of_another_dataset_only_the_texts_that_both_hold_are_counted(filled):
    filled.label(1, {"a": True, "b": False, "c": True}, coder="manual")
    moment = instant()
    other = dataset(filled, "e", {"a": "V was seen on day a.", "b": "Another text.", "d": "V was seen on day d."})
    filled.label(other, {"a": False, "b": True, "d": True}, coder="manual")
    assert aliases.flags_changed(filled, 1, other, moment) == 1
    assert aliases.flags_changed(filled, other, 1, LATER) == 0


def test_how_the_answers_were_asked_for_is_known_from_the_replies(filled):
    assert aliases.answer_formats(filled, 1) == ()
    common = {"question_hash": "q", "body": "{}", "answer_format": "schema"}
    replies = [{**common, "request_hash": one} for one in "ab"]
    replies.append({**common, "request_hash": "c", "answer_format": "json"})
    rows = [{"narrative_id": one, "status": "ok", "flag": True, "request_hash": one} for one in "abc"]
    filled.record(1, rows[:2], replies)
    filled.record(2, rows)
    assert aliases.answer_formats(filled, 1) == ("schema",)
    assert aliases.answer_formats(filled, 2) == ("json", "schema")
