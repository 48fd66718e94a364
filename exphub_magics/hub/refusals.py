"""What SQLite refuses: waited for where the hub is only locked, else said in one line with the next step."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from exphub_magics.errors import HubError, LockedError
from exphub_magics.interrupts import check

Value = TypeVar("Value")

TOLD = 0.5  # seconds between two words about waiting
BRISK, SLOW = 0.01, 0.1  # seconds between two tries, at most: in the first second, and then

DAMAGED = "is damaged: keep a copy with its -wal, and recover what it holds with `sqlite3 FILE .recover`"
FULL = "has no room left on its disk: make room, then run again; what was recorded is kept"
LOCKED = "is locked by another program: close it there, then run again; what was recorded is kept"
MOVED = "was moved or deleted while in use: put it back, or name it where it is now, then run again"
READONLY = "cannot be written: give it and its folder write permission, or name another hub with --db"
REFUSED = "cannot be written: its disk is full, over its quota or failing; put that right, then run again"

# By the name that SQLite gives to the error; a longer name is one of a kind and stands before its kind.
_LINES = {
    "SQLITE_BUSY": LOCKED,
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_READONLY_DBMOVED": MOVED,
    "SQLITE_READONLY": READONLY,
    "SQLITE_FULL": FULL,
    "SQLITE_CANTOPEN": "cannot be opened: check the folder and its permissions, or name another with --db",
    "SQLITE_NOTADB": "is no SQLite file, or damaged in its first bytes: keep it, and name a hub with --db",
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_IOERR_WRITE": REFUSED,  # over quota, and over the size that a process may write
    "SQLITE_IOERR_SHMSIZE": REFUSED,
    "SQLITE_IOERR": "cannot be read or written (disk error): check the disk, then run again",
}


def line(error: sqlite3.Error) -> str | None:
    """What an error of SQLite's means for the hub, with the next step; None where it is no refusal.

    >>> import contextlib
    >>> with contextlib.closing(sqlite3.connect(":memory:")) as db:
    ...     try:
    ...         db.execute("PRAGMA query_only = ON").execute("CREATE TABLE t (a)")
    ...     except sqlite3.Error as error:
    ...         line(error)
    'cannot be written: give it and its folder write permission, or name another hub with --db'
    """
    name = getattr(error, "sqlite_errorname", "")
    return next((said for sign, said in _LINES.items() if name.startswith(sign)), None)


def is_lock(error: BaseException | None) -> bool:
    """Whether waiting may help."""
    return isinstance(error, sqlite3.Error) and line(error) == LOCKED


def is_full(error: BaseException | None) -> bool:
    """Whether room may help."""
    return isinstance(error, sqlite3.Error) and line(error) in (FULL, REFUSED)


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what SQLite says into a line about the hub of this name.

    Raises:
        LockedError: where another program keeps the hub locked.
        HubError: where it cannot be read or written.
    """
    try:
        yield
    except sqlite3.Error as error:
        said = line(error)
        if said is None:
            raise
        raise (LockedError if said == LOCKED else HubError)(f"{name} {said}") from error


def patiently(action: Callable[[], Value], *, limit: float, waiting: Callable[[float], None]) -> Value:
    """Do something again and again until no lock is in its way; SQLite's own waiting cannot be interrupted.

    The tries come at random moments, so that of several who wait none is always late. `waiting` hears about twice a
    second for how many seconds it has been, and may raise to end it.

    Raises:
        sqlite3.Error: the lock's, after `limit` seconds; any other at once.
    """
    began = told = time.monotonic()
    while True:
        try:
            return action()
        except sqlite3.Error as error:
            if not is_lock(error) or time.monotonic() - began >= limit:
                raise
        check()
        moment = time.monotonic()
        if moment - told >= TOLD:
            told = moment
            waiting(moment - began)
        time.sleep(random.uniform(0, BRISK if moment - began < 1 else SLOW))  # noqa: S311 - no secret
