"""Room for answers before they are paid for: free pages in the hub's file, and a journal long enough to take them.

SQLite writes a transaction into the journal (the -wal) first and into the file later. Both keep what disk they have:
the file's free pages are used again, and the journal is written anew from its beginning once it holds 1,000 pages and
all of them are in the file. So what has been written once can be written again, whatever else fills the disk.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exphub_magics.errors import HubError
from exphub_magics.hub import files, refusals
from exphub_magics.hub.statements import sql

if TYPE_CHECKING:
    import sqlite_utils

MEGABYTE = 2**20
SHARE = 4  # an answer's bytes stand in `responses` and in `results`, in pages that may be half empty
ROW = 200  # bytes that an answer counts beside its text: its hashes, times and places in the indexes
MARGIN = MEGABYTE  # for index pages, one row of which may rewrite several
ROUND = 1000  # pages after which SQLite begins its journal anew
FRAME = 24  # bytes that the journal adds to each page


@dataclass(frozen=True, slots=True)
class Room:
    """What a hub's file has at a moment."""

    free: int  # pages
    pages: int
    page: int  # bytes of one
    held: int  # bytes of the file on the disk: pages that are only in the journal yet are not among them
    journal: int | None  # bytes; None where SQLite keeps no -wal

    @classmethod
    def of(cls, db: sqlite_utils.Database, file: Path, journal: Path | None) -> Room:
        """Read it; the cost is some microseconds."""
        (row,) = db.query(sql("room"))
        written = None if journal is None else files.size(journal)
        return cls(row["free"], row["pages"], row["bytes"], files.size(file), written)

    def pages_for(self, size: int) -> int:
        """The pages that answers of `size` bytes may take.

        >>> Room(free=0, pages=10, page=4096, held=40960, journal=0).pages_for(4096)
        260
        """
        return math.ceil((SHARE * size + MARGIN) / self.page)

    def journal_for(self, size: int) -> int:
        """The bytes of a journal that takes them wherever in its round it is."""
        return (ROUND + self.pages_for(size)) * (self.page + FRAME)

    def lacks(self, size: int) -> bool:
        """Whether pages or journal are too few for answers of `size` bytes."""
        return self.free < self.pages_for(size) or self._is_short(size)

    def is_enough(self, size: int) -> bool:
        """Whether they can be stored without more of the disk."""
        return not self.lacks(size) and self.held >= self.pages * self.page

    def _is_short(self, size: int) -> bool:
        return self.journal is not None and self.journal < self.journal_for(size)

    def ballast(self, size: int) -> int:
        """The megabytes to take and free: as many as the answers need, and as the journal is to grow to."""
        journal = self.journal_for(size) if self._is_short(size) else 0
        return math.ceil(max(self.pages_for(size) * self.page, journal) / MEGABYTE)

    def growth(self, size: int) -> int:
        """The bytes of disk that this takes, at most."""
        taken = self.ballast(size) * MEGABYTE
        return max(0, taken - self.free * self.page) + max(0, taken + MEGABYTE - (self.journal or 0))


def afford(room: Room, size: int, file: Path) -> None:
    """See that the disk has what room is still to be made; half made, it would only be fuller.

    Raises:
        HubError: where it has not.
    """
    if shutil.disk_usage(file.parent).free < room.growth(size):
        raise HubError(f"{file.name} {refusals.FULL}")


def make(db: sqlite_utils.Database, megabytes: int) -> None:
    """Take room and free it again, in the transaction that is open; with secure_delete every page is written."""
    db.execute(sql("ballast"), {"megabytes": megabytes})
    db.table("ballast").drop()
