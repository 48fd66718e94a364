"""Experiments as a frame that is shown in few columns, and holds them all.

It imports pandas: whoever does not show one, imports it lazily.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from numbers import Real
from typing import Any

import pandas as pd

from exphub_magics import comparisons
from exphub_magics.cards import listings
from exphub_magics.markup import block

MOST = 50  # rows that are shown: of more, the latest
WRAPPING = 3  # columns that hold names, which may go on in another line
_COUNTS = ("version", "total_narratives", "positives", "negatives", "false_positives", "false_negatives", "finished")
_RATES = ("percent_overlap", *listings.RATES)
_WORDS = ("name", "state", "model_name", "provider", "dataset", "prompt_hash", "start_time", "taken_at")


class Board(pd.DataFrame):
    """A leaderboard, or the runs under way: all columns to work with, and the most read of them to look at.

    >>> board = Board(listings.runs([]))
    >>> print(board)
    nothing is being run
    >>> type(board[["name"]]).__name__, type(board.copy()).__name__
    ('DataFrame', 'Board')

    What is taken out of it is a frame as any other; so is what has other columns, or words for numbers, than it had.
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def copy(self, deep: bool = True) -> Any:  # type: ignore[misc]  # noqa: FBT001, FBT002 - as pandas has it
        """The same again, shown alike; pandas makes shallow ones for a selection that happens to take every row."""
        found = super().copy(deep=deep)
        return Board(found) if deep else found

    def __repr__(self) -> str:
        """Show it as the terminal does, and say how the rest is seen."""
        if not _is_whole(self):
            return super().__repr__()
        latest, below = self.tail(MOST), _below(self)
        shown = listings.runs_table(latest) if _is_of_runs(self) else listings.table(latest)
        return f"{shown}\n\n{below}" if below else shown

    def _repr_html_(self) -> Any:
        """Show the same as a table that scrolls within the cell."""
        if not _is_whole(self):
            return super()._repr_html_()  # type: ignore[misc]
        if self.empty:
            return f"<div>{listings.NONE_RUN if _is_of_runs(self) else listings.NONE_YET}</div>"
        latest = self.tail(MOST)
        if _is_of_runs(self):
            table = _table(listings.RUNS_HEAD, listings.runs_rows(latest), range(len(listings.RUNS_HEAD)))
        else:
            table = _table(listings.HEAD, listings.rows(latest), listings.LEFT)
        return block(f'<div style="overflow-x: auto">{table}</div><div>{escape(_below(self))}</div>')


def _is_of_runs(frame: pd.DataFrame) -> bool:
    return tuple(frame.columns) == listings.RUNS


def _is_whole(frame: pd.DataFrame) -> bool:
    """Whether a frame still holds what its table is made of; one that has been changed is shown as any other."""
    if tuple(frame.columns) not in (listings.RUNS, comparisons.LEADERBOARD):
        return False
    counts, rates, words = (
        [one for name in names if name in frame for one in frame[name]] for names in (_COUNTS, _RATES, _WORDS)
    )
    return (
        all(isinstance(one, Real) and one == one for one in counts)  # noqa: PLR0124 - NaN is not
        and all(isinstance(one, Real) or one is None for one in rates)
        and all(isinstance(one, str) for one in words)
    )


def _below(frame: pd.DataFrame) -> str:
    """What stands under the table: how many rows and columns there are, and how they are seen."""
    if frame.empty:
        return ""
    verb = "runs" if _is_of_runs(frame) else "list"
    rows = f"the latest {MOST} of {len(frame):,} rows; " if len(frame) > MOST else ""
    return f'{rows}all {len(frame.columns)} columns: board = %exphub {verb}, then board.T or board[["name", …]]'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], left: Iterable[int]) -> str:
    """A table whose cells have a second line; what people named is escaped."""
    flush = set(left)

    def cell(tag: str, number: int, text: str) -> str:
        style = f"text-align: {'left' if number in flush else 'right'}; vertical-align: top"
        if number >= WRAPPING:  # a date or a number is one word
            style += "; white-space: nowrap"
        first, *rest = text.split("\n", 1)
        shown = "<br>".join([escape(first), *(f"<small>{escape(one)}</small>" for one in rest)])
        return f'<{tag} style="{style}">{shown}</{tag.partition(" ")[0]}>'

    top = "".join(cell('th scope="col"', number, name) for number, name in enumerate(head))
    lines = "".join(
        "<tr>"
        + cell('th scope="row"', 0, first)
        + "".join(cell("td", number, text) for number, text in enumerate(cells, start=1))
        + "</tr>"
        for first, *cells in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>"
