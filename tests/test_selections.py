import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import browsed
from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import Hub, selections
from exphub_magics.hub.selections import Selection


@pytest.fixture
def filled(hub):
    return browsed.fill(hub)


def ids(hub, selection):
    positions = selections.positions(hub, selection)
    return [row["narrative_id"] for row in selections.rows(hub, selection, positions)]


def of(hub, **said):
    return ids(hub, Selection(1, **said))


@pytest.mark.parametrize(
    ("outcome", "left"),
    [
        ("wrong", ["1-LE", "2-LE", "4-CME"]),
        ("fp", ["2-LE", "4-CME"]),
        ("fn", ["1-LE"]),
        ("tp", ["1-CME", "4-LE"]),
        ("tn", ["2-CME"]),
        ("failed", ["3-CME"]),
        ("refused", ["5-CME"]),
        ("not-evaluable", ["3-LE"]),
        ("salvaged", ["4-CME"]),
        ("pending", ["7-CME"]),
        ("unlabelled", ["6-CME", "6-LE", "7-CME"]),
        ("no-answer-yes", ["3-CME"]),
        ("no-answer-no", ["3-LE", "5-CME"]),
        ("unlabelled-flagged", ["6-CME"]),
        ("unlabelled-not", ["6-LE"]),
        ("unlabelled-no-answer", ["7-CME"]),
        (None, list(browsed.TEXTS)),
    ],
)
def test_each_outcome_leaves_its_narratives(filled, outcome, left):
    assert of(filled, outcome=outcome) == left


def test_what_is_left_is_what_the_verdicts_say(filled):
    for number in (1, 2, 3, 4):
        verdicts = filled.verdicts(number)
        for outcome in ("tp", "fp", "fn", "tn"):
            expected = {row["narrative_id"] for row in verdicts if row["outcome"] == outcome}
            assert set(ids(filled, Selection(number, outcome=outcome))) == expected
        listed = selections.rows(filled, Selection(number), selections.positions(filled, Selection(number)))
        known = {row["narrative_id"]: (row["manual_flag"], row["flag"]) for row in verdicts}
        assert {row["narrative_id"]: selections.CELLS[row["cell"]] for row in listed} == known


def test_the_counts_are_those_of_the_confusion_view(filled):
    for number in (1, 2, 3, 4):
        found, counts = selections.counts(filled, number), filled.counts(number)
        for one in ("tp", "fp", "fn", "tn", *selections.STATES):
            assert found[one] == counts[one], one
        assert sum(found[cell] for cell in selections.CELLS) == counts["total"]
        assert selections.counted("unlabelled", found) == counts["unlabelled"]
        for outcome in selections.OUTCOMES:
            assert len(ids(filled, Selection(number, outcome=outcome))) == selections.counted(outcome, found)


def test_a_label_that_moves_moves_its_narrative(filled):
    filled.label(1, {"1-LE": False}, coder="manual")
    assert of(filled, outcome="fn") == []
    assert of(filled, outcome="tn") == ["1-LE", "2-CME"]
    filled.label(1, {"2-CME": True}, coder="second")  # the coders disagree
    assert of(filled, outcome="tn") == ["1-LE"]
    assert of(filled, outcome="unlabelled-not") == ["2-CME", "6-LE"]


def test_flips_are_those_that_compare_shows(filled):
    assert ids(filled, Selection(2, against=1, flips="any")) == ["1-LE", "2-CME", "4-LE"]
    assert ids(filled, Selection(2, against=1, flips="right")) == ["1-LE"]
    assert ids(filled, Selection(2, against=1, flips="wrong")) == ["2-CME", "4-LE"]
    assert ids(filled, Selection(1, against=2, flips="right")) == ["2-CME", "4-LE"]


def test_flips_against_other_data_are_those_of_the_same_text(filled):
    assert ids(filled, Selection(1, against=3, flips="any")) == ["1-CME", "4-LE"]  # of 2-LE the text is another
    rows = selections.rows(filled, Selection(1, against=3), selections.positions(filled, Selection(1)))
    assert {row["narrative_id"] for row in rows if row["other"] is not None} == {"1-CME", "1-LE", "2-CME", "4-LE"}


def test_a_drawn_sample_has_its_own_narratives_alone(filled):
    assert ids(filled, Selection(4)) == ["1-CME", "2-CME", "6-CME", "7-CME"]
    assert selections.position(filled, 4, "1-LE") is None
    assert selections.finding(filled, 4, "1-LE") is None


def test_a_source_and_a_range_of_confidence_narrow(filled):
    assert of(filled, source="LE", outcome="wrong") == ["1-LE", "2-LE"]
    assert of(filled, source="") == []
    assert of(filled, confidence=(0.5, 0.7)) == ["1-LE", "4-LE", "6-CME", "6-LE"]
    assert "4-CME" not in of(filled, confidence=(0, 1))  # it states none


def test_the_surest_or_the_least_sure_come_first_and_those_that_state_none_last(filled):
    surest, doubtful = of(filled, order="surest"), of(filled, order="doubtful")
    assert surest[:4] == ["2-CME", "1-CME", "4-LE", "1-LE"]
    assert doubtful[:4] == ["2-LE", "6-CME", "6-LE", "1-LE"]
    assert surest[7:] == doubtful[7:] == ["3-CME", "3-LE", "4-CME", "5-CME", "7-CME"]


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("BOYFRIEND", ["1-CME", "1-LE"]),
        ("50%", ["2-LE"]),
        ("y_h", ["2-LE"]),
        ("5_%", []),
        ("café", ["4-CME", "6-LE"]),
        ("CAFÉ", ["4-CME", "6-LE"]),
        ("cafè", []),
        ("she was “1-le”", ["1-LE"]),  # in the rational
        ("nothing of the kind", []),
        ("[a]", []),
        ("*", []),
        ("\\", []),
    ],
)
def test_a_search_takes_words_as_they_stand_in_whatever_case(filled, words, left):
    assert of(filled, search=words) == left


@settings(max_examples=25)
@given(st.text(max_size=12).filter(lambda words: "\0" not in words), st.text(max_size=4), st.text(max_size=4))
def test_any_words_are_found_in_a_text_that_holds_them(words, before, after):
    text = f"{before}{words}{after}".replace("\0", "")
    with Hub.open(":memory:") as hub:
        number = browsed.dataset(hub, {"1-CME": (True, text), "2-CME": (True, "§")})
        browsed.experiment(hub, "first", number, {})
        assert "1-CME" in ids(hub, Selection(1, search=words))


def test_sources_are_named_where_there_are_several(filled):
    assert selections.sources(filled, 1) == ["CME", "LE"]
    number = browsed.dataset(filled, {"1-CME": (True, "One.")}, "one.csv")
    browsed.experiment(filled, "one", number, {})
    assert selections.sources(filled, 5) == []


def test_the_board_counts_as_the_leaderboard_does(filled):
    board = {row["id"]: row for row in selections.board(filled, 1)}
    assert list(board) == [4, 3, 2, 1]
    for row in filled.leaderboard():
        seen = board[row["id"]]
        assert (seen["name"], seen["version"]) == (row["name"], row["version"])
        assert [seen[one] for one in ("tp", "fp", "fn")] == [row[one] for one in ("tp", "fp", "fn")]
        assert seen["answered"] == row["ok"] + row["salvaged"]


def test_the_board_shows_the_latest_and_the_one_that_is_wanted(filled, monkeypatch):
    monkeypatch.setattr(selections, "EXPERIMENTS", 2)
    assert [row["id"] for row in selections.board(filled, 1)] == [4, 1]
    assert {row["experiments"] for row in selections.board(filled, 1)} == {4}


def test_opinions_are_those_on_the_same_text(filled):
    row = selections.finding(filled, 1, "2-LE")
    assert [one["id"] for one in selections.opinions(filled, row)] == [2, 1]
    row = selections.finding(filled, 1, "1-CME")
    assert [one["id"] for one in selections.opinions(filled, row)] == [4, 3, 2, 1]


def test_a_list_carries_the_beginnings_of_texts_alone(hub):
    number = browsed.dataset(hub, {"1-CME": (True, "word " * 200_000)})
    browsed.experiment(hub, "first", number, {"1-CME": ("ok", True, 0.5)}, rational="long " * 200_000)
    (row,) = selections.rows(hub, Selection(1), selections.positions(hub, Selection(1)))
    assert len(json.dumps(row)) < 1000


def test_what_is_no_selection_is_answered_in_a_line(filled):
    for said, error in (
        ({"outcome": "fpp"}, "unknown outcome 'fpp'"),
        ({"flips": "wrnog", "against": 2}, "did you mean 'wrong'?"),
        ({"flips": "wrong"}, "--against"),
        ({"order": "surely"}, "unknown order"),
        ({"confidence": (0.9, 0.1)}, "the lower one first"),
        ({"confidence": (0.1, 7)}, "from 0 to 1"),
        ({"confidence": (float("nan"), 1)}, "from 0 to 1"),
        ({"search": "x" * 301}, "300 characters"),
    ):
        with pytest.raises(ConfigError, match=error) as raised:
            Selection(1, **said)
        assert "\n" not in str(raised.value)
    with pytest.raises(UnknownNameError):
        Selection(1, outcome="x")
