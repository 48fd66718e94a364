"""The hub's file: opened, migrated, written in transactions; what SQLite says is said with the next step.

Every write is one transaction that begins IMMEDIATE, so that two processes wait for each other.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import lazy_loader

from exphub_magics.errors import HubError

if TYPE_CHECKING:
    import sqlite_utils
else:
    sqlite_utils = lazy_loader.load("sqlite_utils")

Row: TypeAlias = dict[str, Any]

BUSY_MILLISECONDS = 10_000
OPENING_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds
VERSIONS = ("first", "second")  # of the schema, oldest first


@cache
def sql(name: str) -> str:
    """Read a statement, or several, from the folder sql/."""
    return resources.files("exphub_magics.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def now() -> str:
    """The time in UTC as the hub writes it: ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def where(path: str | Path | None = None) -> Path:
    """The hub file that is meant: the one named, else $EXPHUB_DB, else exphub.db here."""
    return Path(path or os.environ.get("EXPHUB_DB") or "exphub.db")


class Storage:
    """A hub's file, open."""

    def __init__(self, db: sqlite_utils.Database, name: str) -> None:
        self._db, self.name = db, name

    @classmethod
    def open(cls, path: str | Path | None = None, *, create: bool = True) -> Self:
        """Open a hub; one that is not there is made, unless `create` is false.

        Raises:
            HubError: for a file that is missing, locked, damaged, not a hub or a newer version's.
        """
        file = where(path)
        memory = str(file) == ":memory:"
        if not memory and not file.exists():
            if not create:
                raise HubError(f"there is no hub at {file}: `exphub run` makes one, --db or $EXPHUB_DB names another")
            if not file.parent.is_dir():
                raise HubError(f"the folder of {file} does not exist: make it, or name another hub with --db")
        with _explained(file.name or str(path)):
            for seconds in (*OPENING_PAUSES, None):
                try:
                    return cls._opened(file)
                except sqlite3.OperationalError as error:
                    # Turning WAL on does not wait for another process that does the same.
                    if seconds is None or "locked" not in str(error):
                        raise
                    time.sleep(seconds)
        raise AssertionError  # the last pause is None

    @classmethod
    def _opened(cls, file: Path) -> Self:
        connection = sqlite3.connect(file, timeout=BUSY_MILLISECONDS / 1000)
        try:
            hub = cls(sqlite_utils.Database(connection), file.name)
            hub._prepare()
        except BaseException:
            connection.close()
            raise
        return hub

    def _prepare(self) -> None:
        for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        migrations = _migrations()
        applied = {step.name for step in migrations.applied(self._db)}
        if not applied and set(self._db.table_names()) - {migrations.migrations_table}:
            raise HubError(f"{self.name} is a SQLite file of something else: name a hub with --db")
        if applied - set(VERSIONS):
            raise HubError(f"{self.name} was made by a newer version of ExpHub: install that one")
        self._db.enable_wal()
        if migrations.pending(self._db):
            with self.writing():  # another process may be at the same; the second finds nothing pending
                migrations.apply(self._db)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a hub that is closed twice is closed."""
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite_utils.Database]:
        """One transaction, begun at once and kept only if the block goes through."""
        with _explained(self.name):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                with self._db.atomic():
                    yield self._db
                self._db.commit()
            except BaseException:
                self._db.rollback()
                raise

    def read(self, statement: str, **parameters: Any) -> list[Row]:
        """The rows of a statement in sql/."""
        with _explained(self.name):
            return list(self._db.query(sql(statement), parameters))


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

    return migrations


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what SQLite says into a line with the next step."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        said = str(error)
        for sign, explanation in _EXPLANATIONS.items():
            if sign in said:
                raise HubError(f"{name} {explanation}") from error
        raise


_EXPLANATIONS = {
    "locked": "is locked by another program: close it there, then run again; what was recorded is kept",
    "readonly": "cannot be written: give it write permission, or name another hub with --db",
    "disk is full": "has no room left on its disk: make room, then run again; what was recorded is kept",
    "unable to open": "cannot be opened: check the folder and its permissions, or name another with --db",
    "not a database": "is no SQLite file: name a hub with --db",
    "malformed": "is damaged: keep a copy, and recover what it holds with `sqlite3 FILE .recover`",
    "disk I/O": "cannot be read or written (disk error): check the disk, then run again",
}
