import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.rereading.moves import Move, Part, Rereading, State, standing
from markup_reader import Page

FLAGS = st.none() | st.booleans()
STATES = st.builds(State, st.sampled_from(["ok", "salvaged", "refused", "failed", "pending"]), FLAGS)
BEFORE = standing(["ok", "failed", "ok"], [True, True, False], [True, None, True], ["a", "a", "b"])
AFTER = standing(["ok", "ok", "ok"], [True, True, False], [True, True, False], ["a", "a", "b"])
MOVES = (
    Move("2", State("failed", None, "1"), State("ok", True, "2")),
    Move("3", State("ok", True, "1"), State("ok", False, "2")),
)
PART = Part(7, "first@2", 3, MOVES, BEFORE, AFTER)
SHOWN = Rereading((PART,), "reader 2", applied=False)
MARKUP = "<script>alert(1)</script>&amp;"


@pytest.mark.parametrize(
    ("was", "now", "kind"),
    [
        (State("salvaged", True), State("ok", True), "salvaged → ok"),
        (State("refused"), State("ok", False), "refused → ok"),
        (State("ok", True), State("failed"), "ok → failed"),
        (State("ok", True), State("ok", False), "flag yes → no"),
        (State("ok", False), State("salvaged", True), "ok → salvaged, flag no → yes"),
        (State("ok", True), State("ok", True), "same flag, other words"),
        (State("failed"), State("failed"), "failed for another reason"),
        (State("pending"), State("ok", True), "pending → ok"),
    ],
)
def test_a_move_says_what_moves(was, now, kind):
    assert Move("1", was, now).kind == kind


@given(st.lists(st.builds(Move, st.text(max_size=3), STATES, STATES)))
def test_the_kinds_add_up_to_all_moves_the_most_frequent_first(moves):
    kinds = replace(PART, moves=tuple(moves)).kinds
    assert sum(kinds.values()) == len(moves)
    assert list(kinds.values()) == sorted(kinds.values(), reverse=True)


@given(st.lists(st.tuples(st.sampled_from(["ok", "salvaged", "refused", "not_evaluable", "failed", "pending"]), FLAGS)))
def test_the_counts_of_a_standing_add_up(rows):
    flags = [flag if status in ("ok", "salvaged") else None for status, flag in rows]
    truth = [number % 3 == 0 for number in range(len(rows))]
    counts = standing([status for status, _ in rows], truth, flags, [str(one) for one in range(len(rows))]).counts
    states = ("ok", "salvaged", "refused", "not_evaluable", "failed", "pending")
    assert sum(counts[state] for state in states) == counts["total"] == len(rows)
    assert sum(counts[cell] for cell in ("tp", "fp", "fn", "tn")) == sum(flag is not None for flag in flags)


def test_the_moves_are_a_tidy_frame():
    frame = SHOWN.moves
    assert list(frame.columns) == [
        *("experiment", "narrative_id", "was_status", "was_flag", "was_reader"),
        *("now_status", "now_flag", "now_reader", "kind"),
    ]
    assert frame["was_flag"].isna().tolist() == [True, False]
    assert frame["now_flag"].tolist() == [True, False]
    assert frame["experiment"].tolist() == ["first@2"] * 2
    assert str(frame["was_flag"].dtype) == "boolean"


def test_without_moves_the_frame_has_its_columns_and_the_text_says_so():
    still = replace(SHOWN, parts=(replace(PART, moves=(), after=BEFORE),))
    assert list(still.moves.columns) == list(SHOWN.moves.columns)
    assert str(still).splitlines() == ["first@2: 3 replies read, 0 move", "nothing moves"]


def test_the_text_says_what_moves_the_figures_on_both_sides_and_the_next_step():
    lines = str(SHOWN).splitlines()
    assert lines[0] == "first@2: 3 replies read, 2 move"
    assert lines[-1] == "nothing counts yet: add --apply"
    cells = [line.split() for line in lines]
    assert ["tp", "1", "2"] in cells
    assert ["fp", "1", "0"] in cells
    (precision,) = [row for row in cells if row[:1] == ["precision"]]
    assert precision[1] == ".50"
    assert "ok" in [row[0] for row in cells if row]
    assert "refused" not in [row[0] for row in cells if row], "what does not move is not counted out"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (replace(SHOWN, applied=True), "--reader VERSION puts it back"),
        (replace(SHOWN, applied=True, file={"rows": 3, "taken": 2, "blank": 1}), "it counts now"),
        (Rereading((), "reader 2", applied=True), "nothing moves"),
    ],
)
def test_the_last_line_says_what_has_come_of_it(found, said):
    assert str(found).splitlines()[-1].endswith(said)


def test_a_files_rows_are_accounted_for():
    found = replace(SHOWN, source="replies.csv", file={"rows": 1200, "taken": 1199, "known": 0, "blank": 1})
    assert str(found).splitlines()[0] == "replies.csv: 1,200 rows = 1,199 taken, 1 blank"


def test_the_html_says_the_same_as_the_text():
    page = Page(SHOWN._repr_html_())
    assert ["failed → ok", "1"] in page.rows
    assert ["tp", "1", "", "2", ""] in page.rows
    assert "2 whose flag moves" in page.words
    assert "nothing counts yet: add --apply" in page.words


def test_what_somebody_wrote_stands_in_the_html_as_text():
    moves = (Move(MARKUP, State("ok", True, MARKUP), State("ok", False, MARKUP)),)
    part = replace(PART, title=MARKUP, moves=moves)
    shown = Rereading((part,), MARKUP, applied=True, file={"rows": 1, MARKUP: 1})._repr_html_()
    page = Page(shown)
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.words.count(MARKUP) == 4


def test_as_json_is_json_with_the_counts_and_metrics_of_show():
    said = json.loads(json.dumps(SHOWN.as_json(), allow_nan=False))
    (one,) = said["experiments"]
    assert (said["applied"], said["source"], said["file"]) == (False, "reader 2", None)
    assert (one["experiment"], one["name"], one["replies"], one["moved"]) == (7, "first@2", 3, 2)
    assert one["kinds"] == {"failed → ok": 1, "flag yes → no": 1}
    assert one["before"]["counts"]["failed"] == 1
    assert math.isclose(one["after"]["metrics"]["precision"]["value"], 1)
    assert said["moves"][0] == {
        "experiment": 7,
        "narrative_id": "2",
        "was": {"status": "failed", "flag": None, "reader": "1"},
        "now": {"status": "ok", "flag": True, "reader": "2"},
        "kind": "failed → ok",
    }
