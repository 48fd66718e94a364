"""Answers that the hub would not take, kept in a file beside it until it does.

They are left there when a run is stopped while another program keeps the hub locked, and taken in by the next run on
the hub. The file holds what the hub would hold, and only its owner may read it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exphub_magics.hub.storage import Row, Storage, now

if TYPE_CHECKING:
    import sqlite_utils

    from exphub_magics.hub import Hub

_MARK = ".unrecorded-"


def leave(storage: Storage, fingerprint: str, results: Sequence[Row], responses: Sequence[Row]) -> str:
    """Write what an experiment was answered beside the hub; what became of it, for a sentence."""
    n = f"{len(results):,} more {'answer' if len(results) == 1 else 'answers'}"
    if storage.file is None:
        return f"{n} could not be stored, and will be asked for again"
    moment = now()
    held = {
        "fingerprint": fingerprint,
        "responses": [{"received_at": moment, **row} for row in responses],
        "results": [{"recorded_at": moment, **row} for row in results],
    }
    file = storage.file.with_name(f"{storage.name}{_MARK}{secrets.token_hex(4)}")
    try:
        _write(file, json.dumps(held))
    except OSError as error:
        file.unlink(missing_ok=True)
        return f"{n} could not be stored ({error.strerror}), and will be asked for again"
    return f"{n} wait in {file.name} until the hub can be written: the next run takes them in"


def _write(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())


def take_in(hub: Hub) -> int:
    """Record what earlier runs left beside the hub, and take the files away; how many results that were.

    A narrative that has been answered since keeps its newer result. A file that cannot be read, or whose experiment is
    not in this hub, stays where it is.
    """
    taken = 0
    for file in _files(hub):
        held = _read(file)
        if held is None:
            continue
        found = [row["id"] for row in hub.names() if row["fingerprint"] == held["fingerprint"]]
        if found:
            with hub.writing() as db:
                taken += _record(hub, db, found[0], held)
            file.unlink(missing_ok=True)
    return taken


def _record(hub: Hub, db: sqlite_utils.Database, experiment: int, held: Row) -> int:
    moment = min((row["recorded_at"] for row in held["results"]), default="")
    newer = {row["narrative_id"] for row in hub.read("recorded_since", experiment=experiment, moment=moment)}
    if held["responses"]:
        db.table("responses").insert_all(held["responses"], ignore=True)
    sent = {row["request_hash"]: row["body"] for row in held["responses"]}
    stored = {row["request_hash"]: row["body"] for row in hub.read("stored", requests=json.dumps(list(sent)))}
    results = [
        row
        for row in held["results"]
        # One whose question another process has asked meanwhile is read from that reply by the next run.
        if row["narrative_id"] not in newer and sent.get(row["request_hash"]) == stored.get(row["request_hash"])
    ]
    if results:
        db.table("results").insert_all(({"experiment_id": experiment, **row} for row in results), replace=True)
        hub.mark(db, experiment, [row["narrative_id"] for row in results])
    return len(results)


def _files(hub: Hub) -> Iterator[Path]:
    if hub.file is not None:
        yield from (one for one in sorted(hub.file.parent.iterdir()) if one.name.startswith(f"{hub.name}{_MARK}"))


def _read(file: Path) -> Row | None:
    """What a file holds; None for one that is being written, was cut off, or holds something else."""
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        return {
            "fingerprint": str(held["fingerprint"]),
            **{name: _rows(held[name]) for name in ("responses", "results")},
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _rows(held: list[Row]) -> list[Row]:
    return [{**row} for row in held]
