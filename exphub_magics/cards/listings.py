"""Experiments in few words: what each is called, and all of them as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from exphub_magics import lazily
from exphub_magics.markup import decimal

if TYPE_CHECKING:
    import pandas as pd
    import tabulate
else:
    pd = lazily.load("pandas")
    tabulate = lazily.load("tabulate")

NONE_YET, NONE_RUN = "no experiment yet", "nothing is being run"
RATES = ("precision", "recall", "f1")
HEAD = (
    *("experiment\nauthor", "model\nprompt", "dataset\nn", "yes\nno", "FP\nFN"),
    *("overlap", "P", "R", "F1", "start\n(UTC)", "state\nmissing"),
)
LEFT = (0, 1, 2, 9, 10)  # the columns of words
_SIDES = ["left" if column in LEFT else "right" for column in range(len(HEAD))]
_WIDTHS = (18, 15, 12)


# --- names ------------------------------------------------------------------------------------------------


def title(about: Mapping[Any, Any]) -> str:
    """What an experiment is called.

    >>> title({"name": "first", "version": 2})
    'first@2'
    """
    return f"{about['name']}@{about['version']}"


def model(about: Mapping[Any, Any]) -> str:
    """Who was asked.

    >>> model({"provider": "openai", "model_name": "/home/ann/models/small.gguf"})
    'openai small.gguf'
    """
    return f"{bare(about['provider'])} {bare(about['model_name'])}"


def bare(name: str) -> str:
    r"""A name, of which a path on somebody's machine keeps the last part.

    >>> bare("/home/ann/models/small.gguf"), bare("meta/llama-3"), bare(r"C:\models\small.gguf")
    ('small.gguf', 'meta/llama-3', 'small.gguf')
    """
    windows = PureWindowsPath(name)
    if windows.drive or "\\" in name:
        return windows.name
    local = name.startswith(("/", "~", "./", "../")) or "://" in name
    return PurePosixPath(name).name if local else name


def missing(about: Mapping[Any, Any]) -> int:
    """How many narratives have no answer, for whatever reason.

    >>> missing({"total_narratives": 10, "positives": 4, "negatives": 5})
    1
    """
    return int(about["total_narratives"] - about["positives"] - about["negatives"])


def shortened(name: str, width: int) -> str:
    """A name of at most so many characters; a long one loses its middle, since versions and settings end it.

    >>> shortened("ipv · strict, gpt-x, 0.5@12", 18), shortened("strict@2", 18)
    ('ipv · …t-x, 0.5@12', 'strict@2')
    """
    return name if len(name) <= width else f"{name[: width // 3]}…{name[width // 3 + 1 - width :]}"


# --- what goes on ------------------------------------------------------------------------------------------

RUNS = ("id", "name", "version", "author", "process", "taken_at", "beaten_at", "finished", "total_narratives")
RUNS_HEAD = ("experiment", "finished", "author", "process", "since (UTC)")


def runs(under_way: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The experiments that somebody runs at this moment, one a row.

    >>> list(runs([]).columns)[:3]
    ['id', 'name', 'version']
    """
    return pd.DataFrame(list(under_way), columns=list(RUNS))


def runs_table(frame: pd.DataFrame) -> str:
    """The same as a terminal table.

    >>> runs_table(runs([]))
    'nothing is being run'
    """
    if frame.empty:
        return NONE_RUN
    return tabulate.tabulate(runs_rows(frame), RUNS_HEAD, disable_numparse=True)


def runs_rows(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """What the table of runs holds, under `RUNS_HEAD`."""
    return [
        (
            title(row),
            f"{row['finished']:,} of {row['total_narratives']:,}",
            _text(row["author"]),
            str(row["process"]),
            row["taken_at"][:19].replace("T", " "),
        )
        for row in frame.to_dict("records")
    ]


# --- the table --------------------------------------------------------------------------------------------


def table(board: pd.DataFrame) -> str:
    """A leaderboard, or some rows of it, as a terminal table of at most 120 columns.

    >>> table(pd.DataFrame())
    'no experiment yet'
    """
    if board.empty:
        return NONE_YET
    return tabulate.tabulate(rows(board, widths=_WIDTHS), HEAD, disable_numparse=True, colalign=_SIDES)


def rows(board: pd.DataFrame, *, widths: Sequence[int] | None = None) -> list[list[str]]:
    """What the table of a leaderboard holds, under `HEAD`: two lines a cell.

    `widths` cuts the words of experiment, model and dataset to so many characters.
    """
    return [_row(row, widths) for row in board.to_dict("records")]


def _row(row: Mapping[Any, Any], widths: Sequence[int] | None) -> list[str]:
    names = [
        (title(row), _text(row["author"])),
        (model(row), row["prompt_hash"][:12]),
        (bare(row["dataset"]), f"{row['total_narratives']:,}"),
    ]
    if widths is not None:
        names = [
            (shortened(one, width), shortened(two, width)) for (one, two), width in zip(names, widths, strict=True)
        ]
    return [
        *("\n".join(pair) for pair in names),
        f"{row['positives']:,}\n{row['negatives']:,}",
        f"{row['false_positives']:,}\n{row['false_negatives']:,}",
        _text(row["percent_overlap"], "{:.1f} %") or "unlabelled",
        *(decimal(None if pd.isna(row[name]) else row[name]) for name in RATES),
        f"{row['start_time'][:10]}\n{row['start_time'][11:16]}",
        f"{row['state']}\n{missing(row):,}",
    ]


def _text(value: Any, shape: str = "{}") -> str:
    return "" if value is None or pd.isna(value) else shape.format(value)
