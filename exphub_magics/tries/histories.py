"""All tries of a parent, each in a line: when, by whom, on how many narratives, and what it moved."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from exphub_magics import comparisons, tries
from exphub_magics.cards import listings
from exphub_magics.hub import Hub, Row, holdings
from exphub_magics.markup import columns, decimal
from exphub_magics.tries import outcomes
from exphub_magics.tries.parents import Parent

HISTORY = 20  # tries that are listed
_RATES = ("recall", "precision", "f1")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try in a line of the history; what is newly right and wrong is None where the parent has no answer."""

    experiment: int
    version: int
    called: str
    started: str
    model: str
    finished: int
    total: int
    points: Mapping[str, float | None]
    newly_right: int | None
    newly_wrong: int | None


def history(hub: Hub, parent: Parent) -> tuple[list[Attempt], int]:
    """The latest tries on the parent's data, the newest first, and how many there are in all."""
    rows = tries.of(hub, parent)
    return [_attempt(hub, parent, row) for row in reversed(rows[-HISTORY:])], len(rows)


def _attempt(hub: Hub, parent: Parent, row: Row) -> Attempt:
    record = hub.experiment(row["id"])
    reference, _, _ = outcomes.against(hub, parent, row["id"], record)
    said = holdings.tried(hub, row["id"], reference)
    return Attempt(
        row["id"],
        row["version"],
        f"try {row['version']}" if row["name"] == parent.name else listings.title(row),
        said["start_time"],
        listings.model(record),
        said["finished"],
        said["total_narratives"],
        comparisons.points(said),
        said["newly_right"],
        said["newly_wrong"],
    )


def told(hub: Hub, parent: Parent) -> str:
    """The parent and its tries as a terminal shows them."""
    attempts, n = history(hub, parent)
    head = ("try", "narratives", "recall", "precision", "F1", "newly wrong", "newly right")
    rows = [
        (
            one.called.removeprefix("try "),
            f"{one.finished:,} of {one.total:,}",
            *(decimal(one.points[name]) for name in _RATES),
            *("–" if moved is None else f"{moved:,}" for moved in (one.newly_wrong, one.newly_right)),
        )
        for one in attempts
    ]
    table = ["", columns(head, rows)] if rows else []
    opens = f"the studio opens in a notebook: %exphub studio {shlex.quote(parent.family)}"
    return "\n".join([str(parent), "1 try so far" if n == 1 else f"{n:,} tries so far", *table, "", opens])
