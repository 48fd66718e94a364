"""Who runs an experiment at this moment: two runs of one experiment would pay for its answers twice.

A lease is a row with a random token. Whoever has the token in the row may write, and every write of a run looks first:
a run that has lost its lease can store nothing. The lease of a process that is known to be gone ends at once. Of one
that cannot be looked at, on another machine, only its beats tell; the clocks of two machines are never compared to
decide, but one watches whether the beats go on.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
import weakref
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Self

from exphub_magics.errors import LeaseError, LockedError
from exphub_magics.hub import processes
from exphub_magics.hub.statements import sql
from exphub_magics.hub.storage import Row, Storage, now

if TYPE_CHECKING:
    import sqlite_utils

BEAT = 5.0  # seconds between two beats, at least
RETRY = 1.0  # seconds before a beat that a lock prevented is tried again
BRIEF = 0.5  # seconds that a beat waits for a lock
STALE = 60.0  # seconds since the last beat, by the clocks, from which on watching is worth while
WATCH = 20.0  # seconds without a beat, watched, after which a lease is taken over
LOOK = 1.0  # seconds between two looks

_STEPS: dict[processes.Fate, str] = {
    "this": "stop it here first, or restart the kernel",
    "alive": "stop it there, or wait until it has ended",
    "elsewhere": "stop it there; if it has ended, run again in a minute",
    "gone": "run again",
}

# The tokens that this process holds, with the thread that beat last: one that has died left its lease behind.
_live: dict[str, threading.Thread] = {}


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has an experiment's lease."""

    token: str
    author: str | None
    process: processes.Process
    taken_at: str
    beat: int
    beaten_at: str
    fate: processes.Fate

    @classmethod
    def of(cls, row: Row) -> Self:
        """Who a row of `leases` speaks of, and what is known of that process."""
        process = processes.Process(row["machine"], row["boot"], row["process"], row["process_started"])
        fate = processes.fate(process)
        if fate == "this" and not _is_live(row["token"]):
            fate = "gone"  # a thread that died, or a run that was dropped
        return cls(row["token"], row["author"], process, row["taken_at"], row["beat"], row["beaten_at"], fate)

    @property
    def is_quiet(self) -> bool:
        """Whether the last beat seems long ago; a clock that is wrong may make it so, or to come."""
        age = (datetime.fromisoformat(now()) - datetime.fromisoformat(self.beaten_at)).total_seconds()
        return abs(age) > STALE

    def __str__(self) -> str:
        author = f"{self.author}, " if self.author else ""
        this = " (this one)" if self.fate == "this" else ""
        where = "this" if self.process.machine == processes.machine() else "another"
        return (
            f"{author}process {self.process.number}{this} on {where} machine, since {_moment(self.taken_at)},"
            f" last sign of life {_moment(self.beaten_at)}"
        )


class Lease:
    """The right to run an experiment, held until it is released; use it in a `with`."""

    def __init__(self, storage: Storage, experiment: int, token: str) -> None:
        self._storage, self.experiment, self.token = storage, experiment, token
        self._process = os.getpid()
        self._beaten = time.monotonic()
        self._dropped = weakref.finalize(self, _live.pop, token, None)
        self._dropped.atexit = False

    @classmethod
    def take(cls, storage: Storage, experiment: int, author: str | None = None) -> Self:
        """Take an experiment's lease, or that of a holder that is gone.

        A holder that cannot be looked at and seems to have been quiet for a minute is watched for 20 seconds first.

        Raises:
            LeaseError: where another run has it: who, since when, and what to do.
        """
        lease = cls(storage, experiment, secrets.token_hex(16))
        _live[lease.token] = threading.current_thread()  # before the row is there for other threads to see
        try:
            lease._take(author)
        except BaseException:
            lease._dropped()
            raise
        return lease

    def beat(self) -> None:
        """Give a sign of life, at most one in five seconds: it can be called at every tick.

        Raises:
            LeaseError: where the lease has been lost.
        """
        self._own()
        if time.monotonic() - self._beaten < BEAT:
            return
        try:
            with self._storage.writing(patience=BRIEF) as db:
                self.confirm(db, self.experiment)
        except LockedError:
            # A beat can be missed, and who wants to take over needs the lock as well; a run's writes wait for it.
            self._beaten = time.monotonic() - BEAT + RETRY

    def confirm(self, db: sqlite_utils.Database, experiment: int) -> None:
        """See inside a transaction that the lease is still held, and beat: what it writes is kept only then.

        Raises:
            LeaseError: where it is not.
        """
        self._own()
        beaten = db.execute(sql("beat"), {"experiment": experiment, "token": self.token, "now": now()})
        if beaten.rowcount != 1:
            raise LeaseError(f"{self._name()} is no longer this run's{self._successor()}: what it recorded is kept")
        _live[self.token] = threading.current_thread()
        self._beaten = time.monotonic()

    def held(self) -> bool:
        """Whether the lease is still this run's."""
        return any(row["token"] == self.token for row in self._rows())

    def release(self) -> None:
        """Give the lease back; one that is lost, released or another process's is left alone.

        Raises:
            LockedError: where another program keeps the hub locked; in this process the lease is free all the same.
        """
        if os.getpid() != self._process or self.token not in _live:
            return
        self._dropped()
        with self._storage.writing() as db:
            db.execute(sql("release"), {"experiment": self.experiment, "token": self.token})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    # --- taking -------------------------------------------------------------------------------------------

    def _take(self, author: str | None) -> None:
        began = time.monotonic()
        holder = self._insert(author, seen=None)
        while holder is not None:
            self._watch(holder)
            try:
                holder = self._insert(author, seen=holder, patience=0)
            except LockedError:  # nobody could beat while the hub was locked: watch anew
                if time.monotonic() - began > self._storage.patience:
                    raise

    def _insert(self, author: str | None, *, seen: Holder | None, patience: float | None = None) -> Holder | None:
        """Write the row, unless somebody else's counts; whose it is then, else None.

        A row counts no more where its process is gone, or where it is still as it was `seen` before a watch.
        """
        with self._storage.writing(patience=patience) as db:
            for row in self._rows():
                holder = Holder.of(row)
                if holder.fate != "gone" and (seen is None or (holder.token, holder.beat) != (seen.token, seen.beat)):
                    return holder
            db.table("leases").insert(self._row(author), replace=True)
        return None

    def _row(self, author: str | None) -> Row:
        own, moment = processes.this(), now()
        return {
            "experiment_id": self.experiment,
            "token": self.token,
            "author": author,
            "machine": own.machine,
            "boot": own.boot,
            "process": own.number,
            "process_started": own.started,
            "taken_at": moment,
            "beat": 0,
            "beaten_at": moment,
        }

    def _watch(self, holder: Holder) -> None:
        """See for a while that somebody who cannot be looked at gives no sign of life.

        Raises:
            LeaseError: where there is one, or where it is too early to watch, or where the process lives.
        """
        if holder.fate != "elsewhere" or not holder.is_quiet:
            raise self._refused(holder)
        began = time.monotonic()
        while time.monotonic() - began < WATCH:
            time.sleep(LOOK)
            rows = self._rows()
            if not rows:
                return
            if (rows[0]["token"], rows[0]["beat"]) != (holder.token, holder.beat):
                raise self._refused(Holder.of(rows[0]))

    def _refused(self, holder: Holder) -> LeaseError:
        return LeaseError(f"{self._name()} is being run by {holder}: {_STEPS[holder.fate]}")

    def _own(self) -> None:
        if os.getpid() != self._process:
            raise LeaseError(f"{self._name()} is run by the process that this one was forked from: run it there")

    def _rows(self) -> list[Row]:
        return self._storage.read("lease_of", experiment=self.experiment)

    def _successor(self) -> str:
        """Who has the lease now, for a sentence."""
        return "".join(f" but has been taken over by {Holder.of(row)}" for row in self._rows())

    def _name(self) -> str:
        """How people call the experiment."""
        named = [row for row in self._storage.read("names") if row["id"] == self.experiment]
        return "".join(f"{row['name']}@{row['version']}" for row in named) or f"experiment {self.experiment}"


def runner(storage: Storage, experiment: int) -> str | None:
    """Who runs an experiment at this moment, and since when; None where nobody does, or whoever did is gone.

    One on another machine that has been quiet for a minute may be gone: the words hold the last sign of life.
    """
    holders = [Holder.of(row) for row in storage.read("lease_of", experiment=experiment)]
    return next((str(holder) for holder in holders if holder.fate != "gone"), None)


def _is_live(token: str) -> bool:
    thread = _live.get(token)
    return thread is not None and thread.is_alive()


def _moment(stamp: str) -> str:
    """A stored time as people write it.

    >>> _moment("2026-03-01T14:03:12.345+00:00")
    '2026-03-01 14:03:12 UTC'
    """
    return f"{stamp[:19].replace('T', ' ')} UTC"
