import copy
import pickle

import pandas as pd
import pytest

from canaries import ROWS, answer, fill, register_rows
from exphub_magics import comparisons
from exphub_magics.cards import listings
from exphub_magics.cards.boards import MOST, Board


@pytest.fixture
def filled(hub):
    return fill(hub)


@pytest.fixture
def board(filled):
    return Board(comparisons.leaderboard(filled))


def is_drawn_as_pandas_does(frame):
    plain = pd.DataFrame(frame)
    return repr(frame) == repr(plain) and frame._repr_html_() == plain._repr_html_()


def test_it_is_drawn_as_in_the_terminal_and_says_how_the_rest_is_seen(board):
    assert repr(board) == f"{listings.table(board)}\n\n{repr(board).splitlines()[-1]}"
    assert repr(board).splitlines()[-1] == ('all 26 columns: board = %exphub list, then board.T or board[["name", …]]')


def test_the_page_has_the_words_of_the_terminal(board):
    shown = board._repr_html_()
    for line in listings.rows(board):
        for cell in line:
            first, _, second = cell.partition("\n")
            assert f">{first}" in shown
            assert second == "" or f"<small>{second}</small>" in shown
    assert "overflow-x: auto" in shown
    assert "board.T" in shown


def test_it_holds_every_column_and_selects_as_any_frame(board, filled):
    plain = comparisons.leaderboard(filled)
    assert isinstance(board, pd.DataFrame)
    pd.testing.assert_frame_equal(pd.DataFrame(board), plain)
    assert board.query("name == 'first'")["f1"].tolist() == plain.query("name == 'first'")["f1"].tolist()
    every = board["id"] > 0
    for taken in (board[["name", "f1"]], board.query("id > 0"), board[every], board.loc[every], board.head(1), board.T):
        assert type(taken) is pd.DataFrame


def test_it_pickles_and_copies(board):
    for again in (pickle.loads(pickle.dumps(board)), board.copy(), copy.deepcopy(board)):  # noqa: S301
        assert type(again) is Board
        assert repr(again) == repr(board)
        pd.testing.assert_frame_equal(pd.DataFrame(again), pd.DataFrame(board))


def test_what_is_no_leaderboard_any_more_is_drawn_as_pandas_does(board):
    assert is_drawn_as_pandas_does(board.rename(columns={"f1": "F1"}))
    assert is_drawn_as_pandas_does(board.assign(mine=1))
    board["f1"] = "unknown"
    assert is_drawn_as_pandas_does(board)


def test_what_people_named_is_escaped(hub):
    dataset = register_rows(hub, name="<b>rows</b>")
    answer(hub, dataset, "<script>alert(1)</script>", {one: True for one, *_ in ROWS}, author="<i>A</i>", model="<u>")
    shown = Board(comparisons.leaderboard(hub))._repr_html_()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;@1" in shown
    for opened in ("<script", "<b>", "<i>", "<u>"):
        assert opened not in shown


def test_of_many_the_latest_are_shown(board):
    many = Board(pd.concat([board] * MOST, ignore_index=True))
    assert repr(many).splitlines()[-1].startswith(f"the latest {MOST} of {len(many):,} rows; all 26 columns")
    assert many._repr_html_().count("<tr>") == MOST + 1


def test_runs_are_drawn_likewise():
    under_way = dict.fromkeys(listings.RUNS, "<b>") | {
        "version": 1,
        "finished": 3,
        "total_narratives": 1200,
        "taken_at": "2026-11-24T20:01:02.000+00:00",
    }
    board = Board(listings.runs([under_way]))
    assert "3 of 1,200" in repr(board)
    assert "3 of 1,200" in board._repr_html_()
    assert "&lt;b&gt;@1" in board._repr_html_()
    assert "%exphub runs" in repr(board)


def test_where_there_is_none_it_is_said(hub):
    for board, said in (
        (Board(comparisons.leaderboard(hub)), listings.NONE_YET),
        (Board(listings.runs([])), listings.NONE_RUN),
    ):
        assert repr(board) == said
        assert said in board._repr_html_()


@pytest.mark.parametrize(
    ("column", "held"),
    [
        ("start_time", pd.Timestamp("2026-11-01")),
        ("start_time", None),
        ("positives", float("nan")),
        ("name", 3),
        ("state", None),
        ("f1", "high"),
    ],
)
def test_a_board_that_was_changed_in_place_is_drawn_as_pandas_does(board, column, held):
    board[column] = [held] * len(board)
    assert is_drawn_as_pandas_does(board)
