"""What the hub holds of a dataset: how it was read, every narrative, and the flags of its file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from exphub_magics.hub.storage import Row, Storage

PAGE = 500  # narratives read at once


def about(storage: Storage, dataset: int) -> Row:
    """A dataset's name, sha256, columns, profile and whether it may leave this machine."""
    return storage.read("held_dataset", dataset=dataset)[0]


def narratives(storage: Storage, dataset: int, *, size: int = PAGE) -> Iterator[Row]:
    """A dataset's narratives in their order."""
    after = 0
    while rows := storage.read("held_narratives", dataset=dataset, after=after, size=size):
        yield from rows
        after = rows[-1]["id"]


def flags(storage: Storage, dataset: int, coder: str) -> tuple[dict[str, bool], dict[str, bool]]:
    """What a coder has flagged last: narratives, and whole incidents; none where nothing is said."""
    said: dict[str, dict[str, bool]] = {"narrative": {}, "incident": {}}
    for row in storage.read("held_labels", dataset=dataset, coder=coder):
        said[row["kind"]][row["one"]] = bool(row["flag"])
    return said["narrative"], said["incident"]


# --- what experiments hold of its narratives --------------------------------------------------------------


def experiments_on(storage: Storage, sha256: str) -> set[int]:
    """The experiments that ask about a dataset: ids that agree are the same narratives nowhere else."""
    return {row["id"] for row in storage.read("experiments_on", sha256=sha256)}


def trials(storage: Storage, sha256: str | None = None) -> set[int]:
    """The tries, and the parents' prompts run on their narratives: over a dataset, or over any."""
    return {row["id"] for row in storage.read("trials", sha256=sha256)}


def drawn(storage: Storage, sha256: str, *, sample: int, seed: int, fingerprint: str) -> list[str]:
    """The narratives of a stratified sample that was drawn before, whatever labels were corrected since.

    Args:
        storage: The hub.
        sha256: The dataset's.
        sample: How many.
        seed: The draw's.
        fingerprint: That of the experiment they are for; what it drew itself comes before what others did.
    """
    about = {"sha256": sha256, "sample": sample, "seed": seed, "fingerprint": fingerprint}
    return [row["narrative_id"] for row in storage.read("drawn", **about)]


def results(storage: Storage, experiment: int, narratives: Iterable[str]) -> int:
    """How many of these narratives have a result in an experiment."""
    rows = storage.read("has_results", experiment=experiment, narratives=json.dumps(list(narratives)))
    return int(rows[0]["n"])


def covered(storage: Storage, experiment: int, reference: int | None) -> tuple[int, int]:
    """How many narratives an experiment asks about, and how many of these have a result in another one."""
    (row,) = storage.read("covered", experiment=experiment, reference=reference)
    return row["asked"], row["covered"]


def tried(storage: Storage, experiment: int, reference: int | None) -> Row:
    """An experiment in few figures, and what is newly right and wrong since another one."""
    return storage.read("tried", experiment=experiment, reference=reference)[0]


def asked_before(storage: Storage, experiment: int, others: Iterable[int]) -> set[str]:
    """The narratives of an experiment's dataset whose incidents the others ask about."""
    rows = storage.read("asked_before", experiment=experiment, others=json.dumps(list(others)))
    return {row["narrative_id"] for row in rows}


def case(storage: Storage, experiment: int, narrative: str) -> Row | None:
    """A narrative's text and manual flag with what an experiment says of it; None where it is not of its dataset."""
    rows = storage.read("case", experiment=experiment, narrative=narrative)
    return rows[0] if rows else None
