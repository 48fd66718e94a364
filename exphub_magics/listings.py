"""Experiments in few words: what each is called, and all of them as a terminal table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import lazy_loader

from exphub_magics import cards, metrics
from exphub_magics.hub import Hub
from exphub_magics.markup import decimal, interval

if TYPE_CHECKING:
    import pandas as pd
    import tabulate
else:
    pd = lazy_loader.load("pandas")
    tabulate = lazy_loader.load("tabulate")

RATES = ("precision", "recall", "f1")
_HEAD = (
    *("experiment\nauthor", "model\nprompt", "dataset\nn", "yes\nno", "FP\nFN"),
    *("overlap\nalways no", "P", "R", "F1", "state\nmissing"),
)
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

_RUNS = ("id", "name", "version", "author", "process", "taken_at", "beaten_at", "finished", "total_narratives")


def runs(under_way: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The experiments that somebody runs at this moment, one a row.

    >>> list(runs([]).columns)[:3]
    ['id', 'name', 'version']
    """
    return pd.DataFrame(list(under_way), columns=list(_RUNS))


def runs_table(frame: pd.DataFrame) -> str:
    """The same as a terminal table.

    >>> runs_table(runs([]))
    'nothing is being run'
    """
    if frame.empty:
        return "nothing is being run"
    rows = [
        (
            title(row),
            f"{row['finished']:,} of {row['total_narratives']:,}",
            _text(row["author"]),
            row["process"],
            row["taken_at"][:19].replace("T", " "),
        )
        for row in frame.to_dict("records")
    ]
    return tabulate.tabulate(
        rows, ("experiment", "finished", "author", "process", "since (UTC)"), disable_numparse=True
    )


# --- the table --------------------------------------------------------------------------------------------


def table(experiments: Hub | pd.DataFrame) -> str:
    """The summary as a terminal table of at most 120 columns.

    >>> with Hub.open(":memory:") as hub:
    ...     table(hub)
    'no experiment yet'

    Takes a hub, or its leaderboard or some rows of it; the intervals and always “no” are a hub's alone.
    """
    if isinstance(experiments, Hub):
        scored = [cards.scorecard(experiments, row["id"]) for row in experiments.leaderboard()]
        rows = [_terminal_row(card.about | _rates(card), card) for card in scored]
    else:
        rows = [_terminal_row(row) for row in experiments.to_dict("records")]
    if not rows:
        return "no experiment yet"
    sides = ("left",) * 3 + ("right",) * 6 + ("left",)
    return tabulate.tabulate(rows, _HEAD, disable_numparse=True, colalign=sides)


def _rates(card: cards.Scorecard) -> dict[str, float | None]:
    return {name: card.scores[name].value for name in RATES}


def _terminal_row(row: Mapping[Any, Any], card: cards.Scorecard | None = None) -> list[str]:
    names = (
        (title(row), _text(row["author"])),
        (model(row), row["prompt_hash"][:12]),
        (bare(row["dataset"]), f"{row['total_narratives']:,}"),
    )
    overlap = _text(row["percent_overlap"], "{:.1f} %") or "unlabelled"
    always_no = card.scores["agreement"].always_no if card else None
    return [
        *("\n".join(shortened(one, width) for one in pair) for pair, width in zip(names, _WIDTHS, strict=True)),
        f"{row['positives']:,}\n{row['negatives']:,}",
        f"{row['false_positives']:,}\n{row['false_negatives']:,}",
        overlap if always_no is None else f"{overlap}\n{100 * always_no:.1f} %",
        *(_rate(row[name], card.scores[name] if card else None) for name in RATES),
        f"{row['state']}\n{missing(row):,}",
    ]


def _rate(value: float | None, score: metrics.Metric | None) -> str:
    first = decimal(None if pd.isna(value) else value)
    return f"{first}\n{interval(score.low, score.high).replace(' ', '')}" if score else first


def _text(value: Any, shape: str = "{}") -> str:
    return "" if value is None or pd.isna(value) else shape.format(value)
