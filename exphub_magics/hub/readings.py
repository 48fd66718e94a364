"""Results and what their replies were read as before: in pages, replaced in transactions that keep what was."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from exphub_magics.hub.statements import sql
from exphub_magics.hub.storage import Row, Storage, now
from exphub_magics.questions import Reply

if TYPE_CHECKING:
    from exphub_magics.hub import Hub
    from exphub_magics.hub.leases import Lease

PAGE = 500  # rows read, and at most written, at once


def replied(storage: Storage, experiment: int, *, size: int = PAGE) -> Iterator[list[Row]]:
    """The results of an experiment that were read from a reply, page by page."""
    return _pages(storage, "replied", experiment, size)


def standing(storage: Storage, experiment: int, *, size: int = PAGE) -> Iterator[Row]:
    """Each narrative of an experiment with its incident, its state, its flag and the manual flag; no text."""
    for page in _pages(storage, "standing", experiment, size):
        first, last = page[0], page[-1]["narrative_id"]
        truth = storage.read("truth_between", dataset=first["dataset_id"], first=first["narrative_id"], last=last)
        manual = {row["narrative_id"]: row["flag"] for row in truth}
        for row in page:
            yield {**row, "manual_flag": manual.get(row["narrative_id"])}


def _pages(storage: Storage, statement: str, experiment: int, size: int) -> Iterator[list[Row]]:
    after = ""
    while rows := storage.read(statement, experiment=experiment, after=after, size=size):
        yield rows
        after = rows[-1]["narrative_id"]


def replies(storage: Storage, results: Iterable[Row]) -> dict[str, Reply]:
    """The replies that results were read from, by request hash."""
    hashes = json.dumps([row["request_hash"] for row in results])
    return {
        row["request_hash"]: Reply(**{name: row[name] for name in Reply.__dataclass_fields__})
        for row in storage.read("stored", requests=hashes)
    }


def earlier(storage: Storage, results: Iterable[Row]) -> Mapping[str, Sequence[Row]]:
    """What the replies of these results were read as before, by narrative; the oldest first."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in storage.read("earlier_readings", results=json.dumps([row["id"] for row in results])):
        found[row["narrative_id"]].append(row)
    return found


def replace(hub: Hub, experiment: int, results: Sequence[Row], *, lease: Lease | None = None) -> None:
    """Let results say what their replies are read as now, and score the experiment, in one transaction.

    Each is a row of `replied` with what it is to say; what it said before is appended to the earlier readings.

    Raises:
        LeaseError: where `lease` has been lost; nothing is changed then.
    """
    moment = now()
    with hub.writing() as db:
        if lease is not None:
            lease.confirm(db, experiment)
        db.execute(sql("keep_readings"), {"results": json.dumps([row["id"] for row in results]), "now": moment})
        for row in results:
            db.execute(sql("read_anew"), {**row, "now": moment})
        hub.mark(db, experiment, [row["narrative_id"] for row in results])


def readers(storage: Storage, experiment: int) -> list[Row]:
    """Each version of the reader with the results that it has read: `current` now, `earlier` before."""
    return storage.read("readers", experiment=experiment)


def delivered(storage: Storage, experiment: int, narratives: Iterable[str]) -> dict[str, Row]:
    """Those of an experiment's narratives that have these ids: text, facts, placeholder and state."""
    rows = storage.read("delivered", experiment=experiment, narratives=json.dumps(list(narratives)))
    return {row["narrative_id"]: row for row in rows}
