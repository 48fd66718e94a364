"""What people say of narratives: appended with who, when and why; experiments are scored anew at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from exphub_magics.hub.storage import Row, Storage, now, sql

if TYPE_CHECKING:
    import sqlite_utils

MANUAL, ADJUDICATED = "manual", "adjudicated"
FEW = 200  # narratives that are marked one by one; of more, whole experiments are


@dataclass(frozen=True, slots=True)
class Said:
    """A coder's word on a narrative: a flag, unsure, or with neither nothing (any more)."""

    flag: bool | None = None
    unsure: bool = False
    note: str | None = None

    @property
    def decided(self) -> bool:
        """Whether the coder has done with it.

        >>> Said(unsure=True).decided, Said(note="look again").decided
        (True, False)
        """
        return self.flag is not None or self.unsure

    @property
    def word(self) -> str:
        """The decision in a word.

        >>> [said.word for said in (Said(True), Said(False), Said(unsure=True), Said())]
        ['yes', 'no', 'unsure', 'undecided']
        """
        if self.flag is None:
            return "unsure" if self.unsure else "undecided"
        return "yes" if self.flag else "no"

    @classmethod
    def of(cls, row: Row) -> Said:
        """What a row of the hub holds."""
        return cls(None if row["flag"] is None else bool(row["flag"]), bool(row["unsure"]), row["note"])


def say(
    storage: Storage,
    dataset: int,
    said: Mapping[str, Said],
    *,
    coder: str,
    experiment: int | None = None,
    blind: bool = False,
) -> tuple[int, int]:
    """Append a coder's words where they are new or differ from the last ones; a note that is None leaves the last one.

    Args:
        storage: The hub.
        dataset: Whose narratives they are.
        said: By narrative.
        coder: Who says so.
        experiment: The one in whose review it is said.
        blind: Whether it is said before the model's flag and other coders' were seen.

    Returns:
        How many were new decisions, and how many changed or took back an earlier one of the same coder.
    """
    asked = json.dumps(list(said))
    with storage.writing() as db:
        rows = storage.read("known_labels", dataset=dataset, coder=coder, narratives=asked)
        earlier = {row["narrative_id"]: Said.of(row) for row in rows}
        kept = {one: _noted(word, earlier.get(one, Said())) for one, word in said.items()}
        fresh = {one: word for one, word in kept.items() if _differs(word, earlier.get(one, Said()))}
        common = {"dataset_id": dataset, "coder": coder, "labelled_at": now()}
        review = {"experiment_id": experiment, "blind": blind}
        if fresh:
            db.table("labels").insert_all(
                {**common, **review, "narrative_id": one, **asdict(word)} for one, word in fresh.items()
            )
            rescore(storage, db, dataset, list(fresh))
    return _moved(fresh, earlier)


def _moved(fresh: Mapping[str, Said], earlier: Mapping[str, Said]) -> tuple[int, int]:
    """How many words are decisions that are new, and how many change or take back an earlier one."""
    moved = [one for one, word in fresh.items() if _decision(word) != _decision(earlier.get(one, Said()))]
    changed = sum(earlier.get(one, Said()).decided for one in moved)
    return len(moved) - changed, changed


def _decision(word: Said) -> tuple[bool | None, bool]:
    return word.flag, word.unsure


def _noted(word: Said, known: Said) -> Said:
    """A word with the note that it leaves standing."""
    return replace(word, note=known.note) if word.note is None else word


def _differs(word: Said, known: Said) -> bool:
    return _decision(word) != _decision(known) or (word.note or "") != (known.note or "")


def say_of_incidents(
    storage: Storage,
    dataset: int,
    flags: Mapping[str, bool | None],
    *,
    coder: str,
    notes: Mapping[str, str] | None = None,
) -> tuple[int, int]:
    """Append a coder's flags of whole incidents, as `say` does of narratives; their notes too, and counted so."""
    common = {"dataset_id": dataset, "coder": coder, "labelled_at": now()}
    with storage.writing() as db:
        rows = storage.read("known_incident_labels", dataset=dataset, coder=coder)
        earlier = {row["incident_id"]: Said.of(row) for row in rows}
        said = {one: Said(flag, note=(notes or {}).get(one)) for one, flag in flags.items()}
        kept = {one: _noted(word, earlier.get(one, Said())) for one, word in said.items()}
        fresh = {one: word for one, word in kept.items() if _differs(word, earlier.get(one, Said()))}
        if fresh:
            db.table("incident_labels").insert_all(
                {**common, "incident_id": one, "flag": word.flag, "note": word.note} for one, word in fresh.items()
            )
    return _moved(fresh, earlier)


def undo(storage: Storage, dataset: int, *, coder: str, experiment: int) -> str | None:
    """Take back the last that a coder said in an experiment's review: a row that says what was said before it.

    What the coder has since said of the same narrative elsewhere, in a file or another review, stays: what it
    replaced is not taken back.

    Returns:
        The narrative of which it was said; None where nothing is left to be taken back.
    """
    with storage.writing() as db:
        last = last_said(storage, dataset, coder=coder, experiment=experiment)
        if last is None:
            return None
        row = {"dataset_id": dataset, "coder": coder, "labelled_at": now(), "experiment_id": experiment}
        before = {name: last[name] for name in ("narrative_id", "flag", "unsure", "note")}
        db.table("labels").insert({**row, **before, "undoes": last["id"]})
        rescore(storage, db, dataset, [last["narrative_id"]])
    return str(last["narrative_id"])


# --- scores -----------------------------------------------------------------------------------------------


def rescore(storage: Storage, db: sqlite_utils.Database, dataset: int, narratives: Iterable[str]) -> None:
    """Within a transaction: labels of these narratives moved, so every experiment that answered them is scored anew."""
    moved = list(narratives)
    for row in storage.read("on_dataset", dataset=dataset):
        if len(moved) > FEW:
            db.execute(sql("mark_all"), {"experiment": row["id"], "dataset": dataset})
            db.execute(sql("score"), {"experiment": row["id"]})
        else:
            mark(storage, db, row["id"], moved)


def mark(storage: Storage, db: sqlite_utils.Database, experiment: int, narratives: Iterable[str]) -> None:
    """Within a transaction: hold results against the manual flags, and score their experiment."""
    (row,) = storage.read("dataset_of", experiment=experiment)
    for narrative in narratives:
        db.execute(sql("mark"), {"experiment": experiment, "narrative": narrative, "dataset": row["dataset_id"]})
    db.execute(sql("score"), {"experiment": experiment})


# --- what was said ----------------------------------------------------------------------------------------


def last_said(storage: Storage, dataset: int, *, coder: str, experiment: int) -> Row | None:
    """What an undo would take back: `id` and `narrative_id`, and the word before it; None where there is nothing."""
    rows = storage.read("last_said", dataset=dataset, coder=coder, experiment=experiment)
    return rows[0] if rows else None


def decisions(storage: Storage, dataset: int, coder: str) -> dict[str, Said]:
    """A coder's last word on each narrative that they have said anything of, in the order of saying it."""
    return {row["narrative_id"]: Said.of(row) for row in storage.read("decisions", dataset=dataset, coder=coder)}


def coders(storage: Storage, dataset: int) -> list[str]:
    """Everybody who has said anything of a dataset's narratives."""
    return [row["coder"] for row in storage.read("coders", dataset=dataset)]


def trail(storage: Storage, dataset: int, narrative: str) -> list[Row]:
    """Everything that anybody has said of a narrative, the oldest first, each with the review that it was said in."""
    return storage.read("trail", dataset=dataset, narrative=narrative)


def last_words(storage: Storage, dataset: int) -> list[Row]:
    """Each coder's last word on each narrative that they have decided, unsure ones included."""
    return storage.read("last_words", dataset=dataset)


def in_dispute(storage: Storage, dataset: int) -> set[str]:
    """The narratives that coders differ on, with nobody having settled it."""
    return {row["narrative_id"] for row in storage.read("in_dispute", dataset=dataset)}


# --- of which dataset -------------------------------------------------------------------------------------


def datasets(storage: Storage) -> list[Row]:
    """The datasets in the hub: id, name, sha256."""
    return storage.read("datasets_held")


def known(storage: Storage, dataset: int, narratives: Iterable[str]) -> set[str]:
    """Those of these ids that are a narrative's in a dataset."""
    asked = json.dumps(list(narratives))
    return {row["narrative_id"] for row in storage.read("known_narratives", dataset=dataset, narratives=asked)}
