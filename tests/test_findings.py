import json
import time

import pytest

import browsed
from exphub_magics.browsing import findings
from exphub_magics.errors import UnknownNameError


@pytest.fixture
def filled(hub):
    return browsed.fill(hub)


def find(hub, experiment, narrative):
    return findings.find(hub, experiment, narrative, title="partner@1")


def test_a_narrative_comes_with_everything_that_is_known_of_it(filled):
    filled.label(1, {"2-LE": True}, coder="second", notes={"2-LE": "the door"})
    shown = find(filled, 1, "2-LE").as_json()
    assert "".join(words for words, _ in shown["text"]["parts"]) == browsed.TEXTS["2-LE"][1]
    assert (shown["flag"], shown["manual_flag"], shown["status"], shown["confidence"]) == ("yes", None, "ok", 0.3)
    assert (shown["source"], shown["facts"], shown["steps"]) == ("LE", [["year", "2020"]], ["first", "second"])
    assert shown["rational"]["text"] == "She was “2-LE”."
    assert json.loads(shown["reply"]["body"]["text"]) == {"flag": True}
    assert shown["answered_by"] == "served model m-2026"
    said = [(one["coder"], one["word"], one["note"]) for one in shown["trail"]]
    assert said == [("manual", "no", ""), ("second", "yes", "the door")]
    assert [(one["title"], one["flag"], one["held"]) for one in shown["opinions"]] == [
        ("partner@2", "yes", None),
        ("partner@1", "yes", None),
    ]
    assert shown["siblings"] == [["2-CME", "CME"]]
    json.dumps(shown)


def test_each_experiment_is_held_against_the_manual_flag(filled):
    shown = find(filled, 1, "1-LE").as_json()
    assert [(one["title"], one["flag"], one["held"]) for one in shown["opinions"]] == [
        ("strict@1", "no", "wrong"),
        ("partner@2", "yes", "right"),
        ("partner@1", "no", "wrong"),
    ]


@pytest.mark.parametrize(
    ("narrative", "status", "error"),
    [
        ("3-CME", "failed", "why failed"),
        ("3-LE", "not_evaluable", "why not_evaluable"),
        ("5-CME", "refused", "why refused"),
        ("7-CME", "pending", None),
    ],
)
def test_a_narrative_without_an_answer_says_why(filled, narrative, status, error):
    shown = find(filled, 1, narrative).as_json()
    assert (shown["status"], shown["flag"], shown["rational"], shown["steps"]) == (status, None, None, [])
    assert (shown["error"] and shown["error"]["text"]) == error
    assert bool(shown["reply"]) == (status in ("failed", "refused"))


def test_what_the_rational_quotes_is_marked_in_the_text(hub):
    number = browsed.dataset(hub, {"1-CME": (True, "V was afraid of him at night.")})
    browsed.experiment(hub, "first", number, {"1-CME": ("ok", True, 1.0)}, rational="It says “afraid of him”.")
    parts = find(hub, 1, "1-CME").as_json()["text"]["parts"]
    assert parts == [["V was ", False], ["afraid of him", True], [" at night.", False]]


def test_a_long_text_is_shown_by_its_beginning_until_all_is_asked_for(hub):
    long = "V was afraid of him. " * 50_000
    number = browsed.dataset(hub, {"1-CME": (True, long)})
    browsed.experiment(hub, "first", number, {"1-CME": ("ok", True, 1.0)}, rational="“afraid of him” " * 70_000)
    began = time.monotonic()
    found = find(hub, 1, "1-CME")
    shown = found.as_json()
    assert time.monotonic() - began < 10
    assert len(json.dumps(shown)) < 6 * findings.LONG
    assert sum(len(words) for words, _ in shown["text"]["parts"]) == findings.LONG
    assert shown["text"]["left"] == len(long) - findings.LONG
    assert shown["rational"]["left"] == 70_000 * 16 - findings.LONG
    whole = found.as_json(whole=True)
    assert "".join(words for words, _ in whole["text"]["parts"]) == long
    assert (whole["text"]["left"], whole["rational"]["left"]) == (0, 0)


def test_a_narrative_that_is_not_asked_about_is_answered_in_a_line(filled):
    with pytest.raises(UnknownNameError, match=r"partner@1 has no narrative '9'"):
        find(filled, 1, "9")
    with pytest.raises(UnknownNameError) as raised:
        find(filled, 4, "1\n" * 900)
    assert len(str(raised.value)) < 300
    assert "\n" not in str(raised.value)


def test_a_terminal_shows_the_text_the_rational_and_every_verdict(filled):
    shown = str(find(filled, 1, "1-LE")).splitlines()
    assert shown[0] == "1-LE · LE · manual yes"
    assert "The boyfriend had shoved V in the hall, a neighbor said." in shown
    assert "partner@1: no, confidence .60: She was “1-LE”." in shown
    assert "strict@1: no, wrong: She was “1-LE”." in shown
    assert str(find(filled, 1, "7-CME")).splitlines()[-1] == "partner@1: pending"
