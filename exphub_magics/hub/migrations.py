"""The versions of the hub's schema, and the copy that is kept of a hub before it is brought up to date."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from exphub_magics import lazily
from exphub_magics.errors import HubError
from exphub_magics.hub.statements import sql

if TYPE_CHECKING:
    import sqlite_utils
else:
    sqlite_utils = lazily.load("sqlite_utils")

VERSIONS = ("first", "second", "third")  # of the schema, oldest first


@cache
def _migrations() -> sqlite_utils.Migrations:
    migrations = sqlite_utils.Migrations("exphub")

    @migrations(name=VERSIONS[0])
    def first(db: sqlite_utils.Database) -> None:
        db.executescript(sql("schema"))
        db.executescript(sql("views"))

    @migrations(name=VERSIONS[1])
    def second(db: sqlite_utils.Database) -> None:
        db.executescript(sql("second"))

    @migrations(name=VERSIONS[2])
    def third(db: sqlite_utils.Database) -> None:
        db.executescript(sql("third"))

    return migrations


def pending(db: sqlite_utils.Database, name: str) -> list[str]:
    """The versions that the hub of this name is still to be brought to; it is only read.

    Raises:
        HubError: for a file of something else, and for a newer version's hub.
    """
    applied = {step.name for step in _migrations().applied(db)}
    if not applied and set(db.table_names()) - {_migrations().migrations_table}:
        raise HubError(f"{name} is a SQLite file of something else: name a hub with --db")
    if applied - set(VERSIONS):
        raise HubError(f"{name} was made by a newer version of ExpHub: install that one")
    return [version for version in VERSIONS if version not in applied]


def apply(db: sqlite_utils.Database) -> None:
    """Bring a hub up to date, in the transaction that is open."""
    _migrations().apply(db)


def holds_experiments(db: sqlite_utils.Database) -> bool:
    """Whether there is anything that a copy would keep."""
    table = db.table("experiments")
    return table.exists() and table.count > 0


def keep(file: Path, version: str) -> str:
    """Keep a copy of a hub beside it, as it is before a version; one that is there already stays. The copy's name.

    The caller holds the hub's write lock, so that two do not write one copy.
    """
    copy = file.with_name(f"{file.name}.before-{version}")
    if copy.exists():
        return copy.name
    partial = copy.with_name(f"{copy.name}.partial")
    partial.unlink(missing_ok=True)  # of a copying that was cut off
    try:
        partial.touch(mode=0o600)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(partial)) as target:
            target.execute("PRAGMA journal_mode = OFF")
            source.backup(target)
        shutil.copymode(file, partial)
        partial.rename(copy)
    finally:
        partial.unlink(missing_ok=True)
    return copy.name
