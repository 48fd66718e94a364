"""What is looked at before a hub is opened, since opening it takes up what lies beside it and so writes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from exphub_magics.errors import HubError, named
from exphub_magics.hub import files, refusals
from exphub_magics.hub.statements import sql

PROBED = 64 * 2**20  # bytes of a file up to which it is read through
BUSY = 0.05  # seconds


def refuse(file: Path, path: Path, *, create: bool) -> None:
    """Refuse a hub that is not there, unless it may be made.

    Raises:
        HubError: with the next step; also where there is no file, but a journal with its last answers.
    """
    journal = files.journal(file)
    left = files.size(journal)  # asked first: in a hub that is being made the file comes before its journal
    if left and not files.size(file):
        raise HubError(f"{file.name} is gone or empty, but its last answers are in {journal.name}: bring back the file")
    if file.exists():
        return
    if not create:
        raise HubError(
            f"there is no hub at {named(str(path))}: `exphub run` makes one, --db or $EXPHUB_DB names another"
        )
    if not file.parent.is_dir():
        raise HubError(f"the folder of {named(str(path))} does not exist: make it, or name another hub with --db")


def probe(file: Path) -> None:
    """Look at a hub beside which a journal lies, by a connection that writes nothing: a run is on, or was cut off.

    Raises:
        HubError: where one of the two is damaged, so that bringing the journal into the file would make it worse.
        sqlite3.Error: what else SQLite says of the file.
    """
    journal = files.journal(file)
    if not files.size(journal):
        return
    if files.is_damaged_journal(journal):
        raise HubError(
            f"{journal.name}, which holds the hub's last answers, is damaged: keep a copy of both, then remove it to"
            " go on without them"
        )
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=BUSY)) as db:
        db.execute("PRAGMA schema_version").fetchone()
        if files.size(file) <= PROBED and db.execute(sql("check")).fetchone() != ("ok",):
            raise HubError(f"{file.name} {refusals.DAMAGED}")
