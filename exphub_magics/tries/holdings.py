"""A dataset out of the hub, which holds every narrative: no file is needed to run another prompt over it."""

from __future__ import annotations

import json

from exphub_magics.datasets import Dataset, Narratives, Profile
from exphub_magics.datasets.spools import Spool
from exphub_magics.errors import DatasetError
from exphub_magics.hub import MANUAL, Hub, holdings


def dataset(hub: Hub, number: int) -> Dataset:
    """The dataset that was registered under an id, as it was read then, with the flags that its file has given it.

    Raises:
        DatasetError: for one that was read by a version of ExpHub that kept less of it.
    """
    about = holdings.about(hub, number)
    profile = _profile(about["name"], about["profile"])
    labels, incident_labels = holdings.flags(hub, number, MANUAL)
    return Dataset(
        about["name"],
        about["sha256"],
        _narratives(hub, number),
        labels,
        incident_labels,
        profile,
        bool(about["restricted"]),
        is_held=True,
    )


def _profile(name: str, held: str) -> Profile:
    known = json.loads(held)
    if known.keys() != set(Profile.__dataclass_fields__):
        raise DatasetError(f"{name} was read by another version of ExpHub: name its file with --data")
    return Profile(**{**known, "warnings": tuple(known["warnings"])})


def _narratives(hub: Hub, number: int) -> Narratives:
    facts: tuple[str, ...] = ()
    spool = Spool()
    for row in holdings.narratives(hub, number):
        said = json.loads(row["facts"])
        facts = facts or tuple(said)
        values = [said.get(fact, "") for fact in facts]
        spool.append([row["narrative_id"], row["incident_id"], row["source"] or "", row["narrative_text"], *values])
    return Narratives(facts, spool)
