"""What a glance at the hub shows while somebody types: no lock is waited for, nothing is written, no error is said.

A glance opens the file read-only and closes it again. A hub that is missing, busy, damaged or of another version shows
nothing; the verb that is typed says what is the matter when it is run.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from exphub_magics.hub.statements import sql
from exphub_magics.hub.storage import where

Found = TypeVar("Found")

BUSY = 0.05  # seconds that a lock is waited for
PATIENCE = 0.04  # seconds after which further experiments are shown without their score


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One experiment: which version of how many, and how far it is; None where there was no time to look."""

    name: str
    version: int
    versions: int
    total_narratives: int | None
    answered: int | None = None
    f1: float | None = None


@dataclass(frozen=True, slots=True)
class Alias:
    """A word that stands for an experiment, and for which one."""

    alias: str
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Model:
    """A model that the hub has experiments of."""

    model_name: str
    provider: str


def names(path: str | Path | None = None, start: str = "", most: int = 50) -> list[Glimpse]:
    """The latest experiments whose name begins so, the newest first.

    Args:
        path: the hub; else the one that is meant where none is named.
        start: how the name begins; all of the name finds its versions too.
        most: how many are shown at most.

    >>> names("no such hub.db", "base")
    []
    """
    deadline = time.monotonic() + PATIENCE

    def found(db: sqlite3.Connection) -> list[Glimpse]:
        rows = db.execute(sql("glance"), {"start": start, "most": most}).fetchall()
        glimpses = []
        for row in rows:
            glimpse = Glimpse(row["name"], row["version"], row["versions"], row["total_narratives"])
            glimpses.append(_scored(db, row["id"], glimpse) if time.monotonic() < deadline else glimpse)
        return glimpses

    return _glance(path, found)


def aliases(path: str | Path | None = None, start: str = "", most: int = 50) -> list[Alias]:
    """The aliases that begin so.

    >>> aliases("no such hub.db")
    []
    """
    asked = {"start": start, "most": most}
    return _glance(path, lambda db: [Alias(*row) for row in db.execute(sql("glance_aliases"), asked).fetchall()])


def models(path: str | Path | None = None, most: int = 50) -> list[Model]:
    """The models that the hub has experiments of, the latest first.

    >>> models("no such hub.db")
    []
    """
    return _glance(
        path, lambda db: [Model(*row) for row in db.execute(sql("glance_models"), {"most": most}).fetchall()]
    )


def coders(path: str | Path | None = None, start: str = "", most: int = 50) -> list[str]:
    """Whoever has decided something, where the name begins so.

    >>> coders("no such hub.db")
    []
    """
    asked = {"start": start, "most": most}
    return _glance(path, lambda db: [coder for (coder,) in db.execute(sql("glance_coders"), asked).fetchall()])


def _scored(db: sqlite3.Connection, experiment: int, glimpse: Glimpse) -> Glimpse:
    row = db.execute(sql("glance_score"), {"experiment": experiment}).fetchone()
    return replace(glimpse, answered=row["answered"], f1=row["f1"])


def _glance(path: str | Path | None, look: Callable[[sqlite3.Connection], list[Found]]) -> list[Found]:
    file = where(path).absolute()
    try:
        if not file.is_file():
            return []
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=BUSY)) as db:
            db.row_factory = sqlite3.Row
            return look(db)
    except (OSError, ValueError, sqlite3.Error):  # a name that no file can have, no right to read, no hub, a lock
        return []
