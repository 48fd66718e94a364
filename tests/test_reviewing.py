import json

import pytest

import browsed
import reviewed
from exphub_magics import reviewing
from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import Hub, labels
from exphub_magics.hub.labels import Said
from exphub_magics.reviewing import queues


@pytest.fixture
def filled(hub):
    return reviewed.fill(hub)


def opened(hub, coder="Ann", kinds="fp,fn", **more):
    """2-LE, 2-CME, 4-CME, 1-LE."""
    return queues.queue(hub, "partner@1", coder=coder, kinds=kinds, **more)


def shown(hub, queue, narrative):
    return reviewing.shown(hub, queue, queue.places[narrative])


def test_a_review_goes_on_behind_what_was_decided_last_and_comes_back_to_what_was_passed_over(filled):
    queue = opened(filled)
    assert reviewing.start(queue, reviewing.decided(filled, queue)) == 0
    reviewing.decide(filled, queue, "2-CME", flag=True)
    assert reviewing.start(queue, reviewing.decided(filled, queue)) == 2
    reviewing.decide(filled, queue, "1-LE", unsure=True)
    assert reviewing.start(queue, reviewing.decided(filled, queue)) == 0
    for one in ("2-LE", "4-CME"):
        reviewing.decide(filled, queue, one, flag=False)
    done = reviewing.decided(filled, queue)
    assert (list(done), reviewing.onward(queue, done, 0)) == (["2-CME", "1-LE", "2-LE", "4-CME"], None)
    assert reviewing.start(queue, done) == queue.places["4-CME"]


def test_a_note_comes_with_a_decision_before_it_or_after_it(filled):
    queue = opened(filled)
    reviewing.decide(filled, queue, "2-LE", note="the lock")
    item = shown(filled, queue, "2-LE")
    assert (item["word"], item["note"], reviewing.decided(filled, queue)) == ("undecided", "the lock", {})
    reviewing.decide(filled, queue, "2-LE", flag=True, note="the lock")
    reviewing.decide(filled, queue, "2-LE", note="the lock, and the porch")
    item = shown(filled, queue, "2-LE")
    assert (item["word"], item["note"]) == ("yes", "the lock, and the porch")
    assert reviewing.undo(filled, queue) == "2-LE"
    assert (shown(filled, queue, "2-LE")["word"], shown(filled, queue, "2-LE")["note"]) == ("yes", "the lock")


def test_undo_is_offered_as_long_as_there_is_something_to_take_back(filled):
    queue = opened(filled)
    assert reviewing.undoable(filled, queue) is None
    reviewing.decide(filled, queue, "2-LE", flag=True)
    assert reviewing.undoable(filled, queue) == "2-LE"
    assert [reviewing.undo(filled, queue), reviewing.undo(filled, queue)] == ["2-LE", None]
    assert reviewing.undoable(filled, queue) is None


def test_a_narrative_is_shown_with_what_is_said_of_it_and_what_the_rational_quotes(filled):
    queue = opened(filled, kinds="all")
    reviewing.decide(filled, opened(filled, coder="Ben", kinds="all"), "1-CME", flag=False, note="heard, not seen")
    item = shown(filled, queue, "1-CME")
    assert item["parts"] == [["V was afraid of him", True], [". A neighbor heard shouting.", False]]
    assert item["model"] == {"word": "yes", "confidence": ".90", "rational": reviewed.QUOTING}
    assert item["coders"] == [
        {"coder": "manual", "word": "yes", "note": ""},
        {"coder": "Ben", "word": "no", "note": "heard, not seen"},
    ]
    assert [(row["coder"], row["how"]) for row in item["trail"]] == [
        ("manual", ""),
        ("Ben", "in the review of partner@1"),
    ]
    assert json.loads(json.dumps(item)) == item


def test_a_blind_review_shows_nothing_but_the_text_and_ones_own_word_until_one_has_decided(filled):
    queue = opened(filled, blind=True)
    reviewing.decide(filled, opened(filled, coder="Ben"), "2-LE", flag=False, note="a word")
    item = shown(filled, queue, "2-LE")
    assert item == {
        "narrative_id": "2-LE",
        "incident_id": "2",
        "source": "LE",
        "parts": [["Officers found the door locked.", False]],
        "word": "undecided",
        "note": "",
        "open": False,
        "why": [],
        "model": None,
        "coders": [],
        "trail": [],
    }
    reviewing.decide(filled, queue, "2-LE", unsure=True)
    item = shown(filled, queue, "2-LE")
    assert item["model"]["word"] == "yes"
    assert [row["coder"] for row in item["trail"]] == ["manual", "Ben", "Ann"]


def test_what_was_said_blind_is_marked_so_and_what_is_said_after_the_flags_were_seen_is_not(filled):
    queue = opened(filled, blind=True)
    reviewing.decide(filled, queue, "2-LE", note="odd")
    reviewing.decide(filled, queue, "2-LE", flag=True)
    reviewing.undo(filled, queue)
    reviewing.decide(filled, queue, "2-LE", flag=False)
    mine = [row for row in labels.trail(filled, 1, "2-LE") if row["coder"] == "Ann"]
    assert [(row["flag"], row["blind"], row["undoes"] is not None) for row in mine] == [
        (None, 1, False),
        (1, 1, False),
        (None, 0, True),
        (0, 0, False),
    ]


def test_who_decided_in_a_file_sees_the_model_in_a_blind_review_and_what_they_say_there_is_not_blind(filled):
    labels.say(filled, 1, {"2-LE": Said(False)}, coder="Eve")
    queue = opened(filled, coder="Eve", blind=True)
    assert shown(filled, queue, "2-LE")["open"]
    reviewing.decide(filled, queue, "2-LE", flag=True)
    assert [row["blind"] for row in labels.trail(filled, 1, "2-LE") if row["coder"] == "Eve"] == [0, 0]


def test_what_was_seen_in_an_open_review_is_not_hidden_by_an_undo(filled):
    reviewing.decide(filled, opened(filled), "2-LE", flag=True)
    reviewing.undo(filled, opened(filled))
    queue = opened(filled, blind=True)
    item = shown(filled, queue, "2-LE")
    assert (item["word"], item["open"]) == ("undecided", True)
    reviewing.decide(filled, queue, "2-LE", flag=False)
    assert {row["blind"] for row in labels.trail(filled, 1, "2-LE") if row["coder"] == "Ann"} == {0}


def test_undo_is_not_offered_of_what_a_newer_word_has_replaced(filled):
    queue = opened(filled)
    reviewing.decide(filled, queue, "2-LE", flag=True)
    labels.say(filled, 1, {"2-LE": Said(False, note="after reading again")}, coder="Ann")
    assert (reviewing.undoable(filled, queue), reviewing.undo(filled, queue)) == (None, None)
    assert shown(filled, queue, "2-LE")["word"] == "no"


def test_what_is_not_in_the_queue_or_says_two_things_is_refused_and_nothing_is_written(filled):
    queue = opened(filled)
    with pytest.raises(ConfigError, match="'1-CME' is not in this queue"):
        reviewing.decide(filled, queue, "1-CME", flag=True)
    with pytest.raises(ConfigError, match="say one of them"):
        reviewing.decide(filled, queue, "2-LE", flag=True, unsure=True)
    assert labels.coders(filled, 1) == ["manual"]


def test_another_hub_in_the_place_of_the_queues_own_is_refused(filled):
    with Hub.open(":memory:") as other:
        browsed.fill(other)
        queue = opened(filled)
        with other.writing() as db:
            db.execute("UPDATE experiments SET fingerprint = fingerprint || 'x'")
        for act in (lambda: reviewing.decide(other, queue, "2-LE", flag=True), lambda: reviewing.undo(other, queue)):
            with pytest.raises(UnknownNameError, match="is another hub now, without this experiment"):
                act()


def test_a_terminal_is_told_what_is_in_the_queue_and_where_it_opens(filled):
    reviewing.decide(filled, opened(filled), "2-LE", flag=True)
    assert str(reviewing.outline(filled, "partner@1", coder="Ann")) == (
        "review of partner@1 by Ann: false positives 2, false negatives 2\n"
        "4 narratives, 1 decided, 3 left\n"
        "coders differ on 1 narrative of the dataset, in no figure until that is settled: "
        "%exphub review partner@1 --coder adjudicated --queue disagreements\n"
        "narrative  decision\n"
        "2-LE       yes        false positive: flagged, confidence .80; manual no\n"
        "2-CME      undecided  false positive: flagged, confidence .60; manual no\n"
        "4-CME      undecided  false negative: not flagged, confidence .90; manual yes\n"
        "1-LE       undecided  false negative: not flagged, confidence .70; manual yes\n"
        "it opens in a notebook: %exphub review partner@1"
    )


def test_of_a_blind_queue_a_terminal_is_told_no_reason(filled):
    outline = reviewing.outline(filled, "partner@1", coder="Ben", blind=True)
    assert "false" not in str(outline)
    assert {tuple(one["why"]) for one in outline.as_json()["entries"]} == {()}
    assert {one["narrative_id"] for one in outline.as_json()["entries"]} > {"2-LE", "2-CME", "4-CME", "1-LE"}


def test_an_empty_queue_and_answers_that_are_missing_are_said(hub):
    number = browsed.dataset(hub, reviewed.TEXTS)
    browsed.experiment(hub, "two words", number, {"1-CME": ("ok", True, 0.9)})
    told = str(reviewing.outline(hub, "two", coder="Ann"))
    assert "0 narratives, 0 decided, 0 left\n6 narratives without an answer, of which no error is known" in told
    assert told.endswith("%exphub review 'two words@1'")
