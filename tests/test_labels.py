import json
import multiprocessing
import random

import pytest

import browsed
import reviewed
from exphub_magics import cards
from exphub_magics.hub import Hub, labels
from exphub_magics.hub.labels import Said

MARKS = ("is_false_positive", "is_false_negative")


@pytest.fixture
def filled(hub):
    return reviewed.fill(hub)


def say(hub, narrative, flag=None, *, coder="Ann", experiment=1, **more):
    return labels.say(hub, 1, {narrative: Said(flag, **more)}, coder=coder, experiment=experiment)


def word(hub, narrative, coder="Ann"):
    return labels.decisions(hub, 1, coder).get(narrative, Said()).word


def stored(hub):
    """The summary columns and the marks, as they are stored."""
    scores = [hub.experiment(row["id"]) for row in hub.names()]
    columns = ("positives", "negatives", "false_positives", "false_negatives", "percent_overlap")
    marks = [tuple(row[name] for name in ("id", *MARKS)) for row in hub._db.query("SELECT * FROM results")]  # noqa: SLF001
    return [[row[name] for name in columns] for row in scores], sorted(marks)


def anew(hub):
    """The same, worked out anew from everything."""
    with hub.writing() as db:
        for row in labels.datasets(hub):
            labels.rescore(hub, db, row["id"], [str(one) for one in range(labels.FEW + 1)])
    return stored(hub)


def test_what_is_said_is_appended_with_who_where_and_when_and_the_last_word_counts(filled):
    assert say(filled, "2-LE", True, note="the porch") == (1, 0)
    assert say(filled, "2-LE", False) == (0, 1)
    assert say(filled, "2-LE", unsure=True) == (0, 1)
    assert word(filled, "2-LE") == "unsure"
    rows = [row for row in labels.trail(filled, 1, "2-LE") if row["coder"] == "Ann"]
    assert [(row["flag"], row["unsure"], row["note"], row["name"], row["version"]) for row in rows] == [
        (1, 0, "the porch", "partner", 1),
        (0, 0, "the porch", "partner", 1),
        (None, 1, "the porch", "partner", 1),
    ]
    assert all(row["labelled_at"].startswith("20") for row in rows)


def test_the_same_word_again_is_no_row_and_another_note_is_one_that_counts_as_nothing_new(filled):
    say(filled, "2-LE", True)
    assert say(filled, "2-LE", True) == (0, 0)
    assert say(filled, "2-LE", True, note="") == (0, 0)
    assert len(labels.trail(filled, 1, "2-LE")) == 2
    assert say(filled, "2-LE", True, note="the porch") == (0, 0)
    assert labels.decisions(filled, 1, "Ann")["2-LE"] == Said(True, note="the porch")


def test_undo_goes_back_step_by_step_and_deletes_nothing(filled):
    say(filled, "2-LE", True)
    say(filled, "2-CME", False)
    say(filled, "2-LE", unsure=True, note="?")
    assert labels.undo(filled, 1, coder="Ann", experiment=1) == "2-LE"
    assert word(filled, "2-LE") == "yes"
    assert labels.undo(filled, 1, coder="Ann", experiment=1) == "2-CME"
    assert word(filled, "2-CME") == "undecided"
    say(filled, "2-CME", True)  # something new is taken back before what is older
    assert labels.undo(filled, 1, coder="Ann", experiment=1) == "2-CME"
    assert labels.undo(filled, 1, coder="Ann", experiment=1) == "2-LE"
    assert labels.undo(filled, 1, coder="Ann", experiment=1) is None
    assert {word(filled, one) for one in ("2-LE", "2-CME")} == {"undecided"}
    trail = [row for row in labels.trail(filled, 1, "2-LE") if row["coder"] == "Ann"]
    assert [row["undoes"] for row in trail] == [None, None, trail[1]["id"], trail[0]["id"]]


def test_undo_takes_nothing_back_that_was_said_by_another_in_another_review_or_in_a_file(filled):
    say(filled, "2-LE", True, experiment=None)
    say(filled, "2-CME", True, coder="Ben")
    say(filled, "1-LE", True, experiment=2)
    assert labels.undo(filled, 1, coder="Ann", experiment=1) is None


def test_undo_takes_nothing_back_of_which_the_coder_has_said_something_newer_in_a_file(filled):
    say(filled, "2-CME", True)
    say(filled, "2-LE", True)
    say(filled, "2-LE", False, experiment=None, note="after reading again")
    assert labels.undo(filled, 1, coder="Ann", experiment=1) == "2-CME"
    assert labels.undo(filled, 1, coder="Ann", experiment=1) is None
    assert labels.decisions(filled, 1, "Ann")["2-LE"] == Said(False, note="after reading again")
    say(filled, "2-LE", unsure=True)  # newer than the file
    assert labels.undo(filled, 1, coder="Ann", experiment=1) == "2-LE"
    assert word(filled, "2-LE") == "no"


def test_what_is_said_in_two_reviews_is_taken_back_in_the_order_of_the_two_and_never_comes_back(filled):
    say(filled, "2-LE", True, experiment=1)
    say(filled, "2-LE", False, experiment=2, note="read in the other")
    assert labels.undo(filled, 1, coder="Ann", experiment=1) is None
    assert word(filled, "2-LE") == "no"
    assert labels.undo(filled, 1, coder="Ann", experiment=2) == "2-LE"
    assert word(filled, "2-LE") == "yes"
    assert labels.undo(filled, 1, coder="Ann", experiment=2) is None
    assert labels.undo(filled, 1, coder="Ann", experiment=1) == "2-LE"
    assert word(filled, "2-LE") == "undecided"


def test_a_note_stays_with_a_word_that_says_none_and_goes_with_one_that_says_an_empty_one(filled):
    say(filled, "2-LE", note="the porch")
    say(filled, "2-LE", True)
    say(filled, "2-LE", False, experiment=None)
    assert labels.decisions(filled, 1, "Ann")["2-LE"] == Said(False, note="the porch")
    say(filled, "2-LE", True, note="")
    assert not labels.decisions(filled, 1, "Ann")["2-LE"].note


def test_who_is_unsure_leaves_the_truth_to_the_others(filled):
    before = stored(filled)
    say(filled, "2-LE", unsure=True)
    assert stored(filled) == before
    assert labels.in_dispute(filled, 1) == set()


def test_coders_who_differ_are_in_dispute_until_that_is_settled(filled):
    say(filled, "2-LE", True)
    assert labels.in_dispute(filled, 1) == {"2-LE"}
    assert filled.experiment(1)["false_positives"] == 1
    assert "1 of them in dispute between coders" in str(cards.scorecard(filled, 1))
    say(filled, "2-LE", True, coder="adjudicated")
    assert "dispute" not in str(cards.scorecard(filled, 1))
    assert labels.in_dispute(filled, 1) == set()
    assert filled.leaderboard()[0]["tp"] == 2


@pytest.mark.parametrize("seed", range(5))
def test_after_any_decisions_what_is_stored_is_what_all_of_them_derive(filled, seed):
    chance = random.Random(seed)
    for _ in range(25):
        narrative, coder = chance.choice(list(reviewed.TEXTS)), chance.choice(["Ann", "Ben", "manual", "adjudicated"])
        if chance.random() < 0.3:
            labels.undo(filled, 1, coder=coder, experiment=1)
        else:
            flag = chance.choice([True, False, None])
            say(filled, narrative, flag, coder=coder, unsure=flag is None and chance.random() < 0.5)
    board = {row["id"]: row for row in filled.leaderboard()}
    for number, row in board.items():
        assert filled.experiment(number)["percent_overlap"] == row["percent_overlap"]
        assert filled.experiment(number)["false_positives"] == row["false_positives"]
    assert stored(filled) == anew(filled)


def test_many_labels_at_once_are_scored_as_if_they_came_one_by_one(hub):
    texts = {f"{number}-LE": (None, f"text {number}") for number in range(2 * labels.FEW)}
    number = browsed.dataset(hub, texts)
    browsed.experiment(hub, "all", number, dict.fromkeys(texts, ("ok", True, 0.9)))
    flags = {one: place % 3 == 0 for place, one in enumerate(texts)}
    assert hub.label(number, flags, coder="manual") == (len(texts), 0)
    assert (
        hub.leaderboard()[0]["fp"] == hub.experiment(1)["false_positives"] == sum(not flag for flag in flags.values())
    )
    hub.label(number, dict.fromkeys(texts), coder="manual")  # all are taken back
    assert hub.experiment(1)["percent_overlap"] is None
    assert {row[1] for row in stored(hub)[1]} == {None}


def test_flags_of_incidents_keep_their_notes_and_a_note_alone_is_kept_too(hub):
    number = browsed.dataset(hub, reviewed.TEXTS)
    for flag, note, counted in (
        (True, "both", (1, 0)),
        (True, "both", (0, 0)),
        (False, None, (0, 1)),
        (False, "neither", (0, 0)),
    ):
        notes = {"1": note} if note else None
        assert hub.label(number, {"1": flag}, coder="manual", incidents=True, notes=notes) == counted
    rows = list(hub._db.table("incident_labels").rows)  # noqa: SLF001
    assert [(row["flag"], row["note"]) for row in rows] == [(1, "both"), (0, "both"), (0, "neither")]


# --- two at once ------------------------------------------------------------------------------------------

EACH = 100


def decide(file, coder, start):
    with Hub.open(file) as hub:
        start.wait(timeout=60)
        for number in range(EACH):
            labels.say(hub, 1, {f"{number}-LE": Said(coder == "Ann")}, coder=coder, experiment=1)
            if number % 10 == 9:
                labels.undo(hub, 1, coder=coder, experiment=1)
                labels.say(hub, 1, {f"{number}-LE": Said(coder == "Ann")}, coder=coder, experiment=1)


def test_two_reviewers_on_one_hub_lose_nothing_to_each_other(tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["exphub_magics.hub", "test_labels", "sqlite_utils"])
    file, start = tmp_path / "two.db", context.Event()
    texts = {f"{number}-LE": (False, f"text {number}") for number in range(EACH)}
    with Hub.open(file) as hub:
        browsed.experiment(hub, "all", browsed.dataset(hub, texts), dict.fromkeys(texts, ("ok", True, 0.9)))
    both = [context.Process(target=decide, args=(file, coder, start)) for coder in ("Ann", "Ben")]
    for one in both:
        one.start()
    start.set()
    for one in both:
        one.join(120)
    assert [one.exitcode for one in both] == [0, 0]
    with Hub.open(file) as hub:
        assert {word(hub, one) for one in texts} == {"yes"}
        assert {word(hub, one, "Ben") for one in texts} == {"no"}
        rows = json.loads(json.dumps(list(hub._db.query("SELECT coder, count(*) AS n FROM labels GROUP BY coder"))))  # noqa: SLF001
        assert {row["coder"]: row["n"] for row in rows} == {"Ann": 120, "Ben": 120, "manual": 100}
        assert len(labels.in_dispute(hub, 1)) == EACH
        assert stored(hub) == anew(hub)
