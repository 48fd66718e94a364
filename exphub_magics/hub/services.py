"""Who served an experiment's replies, and whether that changed on the way: then its answers are not of one model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from exphub_magics.hub.storage import Row, Storage
from exphub_magics.markup import counted

SHOWN = 3  # of many that took turns


@dataclass(frozen=True, slots=True)
class Service:
    """What an endpoint called itself, on how many narratives, and its first and last reply by their order."""

    name: str
    narratives: int
    first: int
    last: int


def drift(storage: Storage, experiment: int) -> tuple[str, ...]:
    """What to know where not all of an experiment's replies are of one served model, or of one fingerprint of it.

    Replies of earlier runs, and those that another experiment had asked for, are its own here; what an endpoint does
    not name is no change.
    """
    rows = storage.read("services", experiment=experiment)
    models, fingerprints = _services(rows, "served_model"), _services(rows, "system_fingerprint")
    if len(models) > 1:
        return (changed("served model", models),)
    return (changed("system fingerprint", fingerprints),) if len(fingerprints) > 1 else ()


def _services(rows: Iterable[Row], column: str) -> list[Service]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row[column] is not None:
            found.setdefault(row[column], []).append(row)
    merged = [
        Service(
            name,
            sum(row["narratives"] for row in group),
            min(row["first"] for row in group),
            max(row["last"] for row in group),
        )
        for name, group in found.items()
    ]
    return sorted(merged, key=lambda one: one.first)


def changed(what: str, services: Sequence[Service]) -> str:
    """The change in a line: from which to which and when, or how many of each where they took turns.

    >>> changed("served model", [Service("m-05", 400, 1, 400), Service("m-08", 719, 408, 1127)])
    'the served model changed from m-05 to m-08 after 400 narratives: these answers are of more than one'
    >>> changed("system fingerprint", [Service("fp_a", 7, 1, 9), Service("fp_b", 3, 2, 10)])
    'the system fingerprint changed to and fro (fp_a 7, fp_b 3): these answers are of more than one'
    """
    mixed = "these answers are of more than one"
    if any(later.first < earlier.last for earlier, later in pairwise(services)):
        often = sorted(services, key=lambda one: -one.narratives)
        listed = ", ".join(f"{one.name} {one.narratives:,}" for one in often[:SHOWN])
        more = f" and {len(often) - SHOWN:,} more" if len(often) > SHOWN else ""
        return f"the {what} changed to and fro ({listed}{more}): {mixed}"
    before = accumulate(one.narratives for one in services)
    steps = [
        f"to {one.name} after {counted(number, 'narrative')}"
        for one, number in zip(services[1 : SHOWN + 1], before, strict=False)
    ]
    more = f", and {counted(len(services) - 1 - SHOWN, 'time')} more" if len(services) - 1 > SHOWN else ""
    return f"the {what} changed from {services[0].name} {', then '.join(steps)}{more}: {mixed}"
