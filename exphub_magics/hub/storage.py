"""The hub's file: opened, brought up to date, written in transactions that nothing can leave half done.

Every write is one transaction that begins IMMEDIATE, so that two processes wait for each other; where somebody else
has the lock, it is tried for again and again, and an interrupt ends the waiting at once.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from exphub_magics import lazily
from exphub_magics.errors import HubError
from exphub_magics.hub import files, inspection, migrations, refusals, room
from exphub_magics.hub.statements import sql

if TYPE_CHECKING:
    import sqlite_utils
else:
    sqlite_utils = lazily.load("sqlite_utils")

__all__ = ["Row", "Storage", "now", "sql", "where"]

Row: TypeAlias = dict[str, Any]
Value = TypeVar("Value")

BUSY = 0.05  # seconds that SQLite waits by itself, deaf to an interrupt
PATIENCE = 600.0  # seconds that a lock is waited for
OPENING = 15.0  # seconds that a lock is waited for while a hub is opened
HURRY = 0.5  # seconds that a lock is waited for once somebody has ended a longer wait
PINNED = 0.5  # seconds that a reader is waited for before the journal is begun anew
COURTESY = 0.002  # seconds between two writes, in which others get their turn


def now() -> str:
    """The time in UTC as the hub writes it: ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def where(path: str | Path | None = None) -> Path:
    """The hub file that is meant: the one named, else $EXPHUB_DB, else exphub.db here."""
    return Path(path or os.environ.get("EXPHUB_DB") or "exphub.db")


class Storage:
    """A hub's file, open.

    `warnings` says what is to be known of where it is. `waiting` is called about twice a second while another program
    keeps the hub locked, with the seconds so far; a run sets it to show that, and may raise from it. `patience` is how
    many seconds it waits at most.
    """

    waiting: Callable[[float], None]
    patience: float = PATIENCE

    def __init__(self, db: sqlite_utils.Database, file: Path | None) -> None:
        self._db, self.file = db, file
        self.name = file.name if file else ":memory:"
        self.warnings = files.warnings(file) if file else ()
        self.waiting = _in_silence
        self._journal: Path | None = None
        self._identities: tuple[files.Identity | None, ...] = ()
        self._process = os.getpid()
        self._wrote = 0.0
        self._hurried = self._sound = False

    @classmethod
    def open(cls, path: str | Path | None = None, *, create: bool = True) -> Self:
        """Open a hub; one that is not there is made, unless `create` is false.

        Raises:
            HubError: for a file that is missing, locked, damaged, not a hub or a newer version's; it is left as it is.
        """
        named = where(path)
        file = None if str(named) == ":memory:" else named.absolute()  # the folder that we are in may change
        with refusals.explained(named.name):
            if file is not None:
                inspection.refuse(file, named, create=create)
            return refusals.patiently(lambda: cls._opened(file), limit=OPENING, waiting=_in_silence)

    @classmethod
    def _opened(cls, file: Path | None) -> Self:
        if file is not None:
            inspection.probe(file)
        connection = sqlite3.connect(file or ":memory:", timeout=BUSY)
        try:
            hub = cls(sqlite_utils.Database(connection), file)
            hub._prepare()
        except BaseException:
            connection.close()
            raise
        return hub

    def _prepare(self) -> None:
        for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        due = migrations.pending(self._db, self.name)
        shared = self.file is not None and files.network(self.file)
        if due or (self._db.journal_mode == "wal") == bool(shared):
            self._check()  # before anything is written
        if shared:
            self._db.disable_wal()
        else:
            self._db.enable_wal()
        if self.file is not None and self._db.journal_mode == "wal":
            self._journal = files.journal(self.file)
            self._db.execute("PRAGMA schema_version").fetchone()  # the first that is read makes the journal
        self._identities = self._found()
        if due:
            self._migrate()

    def _migrate(self) -> None:
        with self.writing(patience=OPENING) as db:  # of two processes at it the second finds nothing due
            due = migrations.pending(db, self.name)
            if due and self.file is not None and migrations.holds_experiments(db):
                copy = migrations.keep(self.file, due[0])
                self.warnings += (f"{self.name} was brought up to date; as it was before, it is kept as {copy}",)
            migrations.apply(db)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a hub that is closed twice is closed."""
        self._db.close()

    # --- transactions -------------------------------------------------------------------------------------

    @contextmanager
    def writing(self, *, patience: float | None = None) -> Iterator[sqlite_utils.Database]:
        """One transaction, begun at once and kept only if the block goes through.

        Args:
            patience: seconds that a lock is waited for; else the hub's own.

        Raises:
            LockedError: where another program keeps the hub locked for longer.
            HubError: where it cannot be written, or its file is no longer the one that was opened.
        """
        with refusals.explained(self.name):
            try:
                self._patiently(self._begin, patience)
                with self._db.atomic():
                    yield self._db
                self._patiently(self._db.commit, patience)
            except BaseException:
                self._db.rollback()
                raise
            self._wrote = time.monotonic()

    @contextmanager
    def briefly(self, patience: float) -> Iterator[None]:
        """Wait no longer than so many seconds for a lock, for the time of a block."""
        before, self.patience = self.patience, min(patience, self.patience)
        try:
            yield
        finally:
            self.patience = before

    def write(self, action: Callable[[sqlite_utils.Database], Value]) -> Value:
        """Do something in one transaction; where the journal's room has ended, once more from its beginning."""
        try:
            with self.writing() as db:
                return action(db)
        except HubError as error:
            if not refusals.is_full(error.__cause__) or not self._begin_journal_anew():
                raise
        with self.writing() as db:
            return action(db)

    def read(self, statement: str, **parameters: Any) -> list[Row]:
        """The rows of a statement in sql/."""
        with refusals.explained(self.name):
            return self._patiently(lambda: list(self._db.query(sql(statement), parameters)))

    def _begin(self) -> None:
        if os.getpid() != self._process:
            raise HubError(f"{self.name} was opened by the process that this one was forked from: open it anew here")
        time.sleep(max(0.0, self._wrote + COURTESY - time.monotonic()))
        self._db.execute("BEGIN IMMEDIATE")
        if self._found() != self._identities:
            self._db.rollback()
            self._leave()

    def _patiently(self, action: Callable[[], Value], patience: float | None = None) -> Value:
        """Wait for a lock, but not for long where somebody has just ended such a wait: what follows is clearing up."""
        limit = self.patience if patience is None else patience
        limit = min(limit, HURRY) if self._hurried else limit
        try:
            done = refusals.patiently(action, limit=limit, waiting=self.waiting)
        except BaseException as error:
            self._hurried = self._hurried or not isinstance(error, Exception)
            raise
        self._hurried = False
        return done

    # --- the file -----------------------------------------------------------------------------------------

    def _found(self) -> tuple[files.Identity | None, ...]:
        """Which files stand where the hub and its journal are to be."""
        return tuple(files.identity(one) for one in (self.file, self._journal) if one is not None)

    def _leave(self) -> None:
        """Refuse a file that is no longer in its place, whole: what only the journal holds goes into it first.

        The journal is emptied too, lest it be taken for that of another file that stands in this one's place now.
        """
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raise HubError(f"{self.name} {refusals.MOVED}")

    def _check(self) -> None:
        """Read the file through.

        Raises:
            HubError: where a page is damaged.
        """
        if any(row["said"] != "ok" for row in self._db.query(sql("check"))):
            raise HubError(f"{self.name} {refusals.DAMAGED}")
        self._sound = True

    def reserve(self, size: int, answers: int = 0) -> None:
        """Make sure, before answers are paid for, that `size` bytes of them can be stored whatever fills the disk.

        Say how many `answers` that is where they may be short, or more than a thousand. It holds until so much has been
        recorded, short of another program that keeps reading the hub all that time, and of file systems that take new
        room for what is written over (btrfs, ZFS, network ones). Where there is room it costs microseconds, so it can
        be asked for at every batch.

        Raises:
            HubError: where there is no room, or the file is damaged or cannot be written; nothing is lost by it.
        """
        if self.file is None:
            return
        size += answers * room.ROW
        with refusals.explained(self.name):
            if not self._sound:
                self._patiently(self._check)
            found = self._room(self.file)
            if self._journal is not None and found.is_enough(size):
                return
            room.afford(found, size, self.file)
            if found.is_enough(size):
                return
            if found.lacks(size):
                with self.writing() as db:
                    room.make(db, found.ballast(size))
            self._begin_journal_anew()

    def _room(self, file: Path) -> room.Room:
        return self._patiently(lambda: room.Room.of(self._db, file, self._journal))

    def _begin_journal_anew(self) -> bool:
        """Bring all that the journal holds into the file, so that it is written from its beginning; whether it is."""
        deadline = time.monotonic() + PINNED
        while self._journal is not None:
            with refusals.explained(self.name):
                ((busy, _, _),) = self._db.execute("PRAGMA wal_checkpoint(RESTART)")
            if not busy or time.monotonic() > deadline:
                return not busy
        return False


def _in_silence(_seconds: float) -> None:
    """Wait without a word."""
