"""Aliases: words that stand for an experiment, each move of one kept with who, when and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub.storage import Row, Storage, now

BASELINE = "baseline"
BASELINES = (BASELINE, "reference")  # what cards are held against: the first that is pinned
_WORD = re.compile(r"\w[\w-]*")


@dataclass(frozen=True, slots=True)
class Move:
    """One move of an alias: to an experiment, or to nothing where it was taken back."""

    alias: str
    experiment_id: int | None
    name: str | None
    version: int | None
    author: str | None
    why: str | None
    moved_at: str

    @property
    def title(self) -> str | None:
        """The experiment's name and version.

        >>> Move("baseline", 4, "partner", 1, None, None, "2026-11-24T08:00:00.000+00:00").title
        'partner@1'
        """
        return None if self.experiment_id is None else f"{self.name}@{self.version}"

    def __str__(self) -> str:
        """When it was, by whom and why.

        >>> str(Move("baseline", 4, "partner", 1, "Ann", "a new codebook", "2026-11-24T08:00:00.000+00:00"))
        'pinned 2026-11-24 by Ann: a new codebook'
        """
        done = "taken back" if self.experiment_id is None else "pinned"
        by = f" by {self.author}" if self.author else ""
        why = f": {self.why}" if self.why else ""
        return f"{done} {self.moved_at[:10]}{by}{why}"


def moves(storage: Storage) -> list[Move]:
    """Every move of every alias, the oldest first."""
    return [Move(**row) for row in storage.read("moves_of_aliases")]


def pinned(storage: Storage) -> dict[str, Move]:
    """The aliases that stand for an experiment now, each with its latest move."""
    latest = {move.alias: move for move in moves(storage)}
    return {alias: move for alias, move in latest.items() if move.experiment_id is not None}


def baseline(storage: Storage) -> Move | None:
    """What cards are held against; None where nothing is pinned as that."""
    held = pinned(storage)
    return next((held[alias] for alias in BASELINES if alias in held), None)


def move(
    storage: Storage, alias: str, experiment: int | None, *, author: str | None = None, why: str | None = None
) -> bool:
    """Let an alias stand for an experiment, or with None for nothing; False where it does already.

    Raises:
        ConfigError: for an alias that is no word, or that is the name of an experiment.
    """
    moment = now()
    with storage.writing() as db:
        held = pinned(storage).get(alias)
        if (held.experiment_id if held else None) == experiment:
            return False
        if experiment is not None:
            _refuse(alias, {row["name"] for row in storage.read("names")})
        row = {"alias": alias, "experiment_id": experiment, "author": author, "why": why, "moved_at": moment}
        db.table("aliases").insert(row)
    return True


def _refuse(alias: str, names: set[str]) -> None:
    if not _WORD.fullmatch(alias) or alias.isnumeric():
        raise ConfigError(
            f"{alias!r} is no alias: write a word of letters, digits, - and _ that is no number, such as {BASELINE}"
        )
    if alias in names:
        other = next((one for one in BASELINES if one not in names), None) if alias in BASELINES else None
        instead = f"pin it as {other}, which cards go by too" if other else "take another word"
        raise ConfigError(f"{alias!r} is an experiment's name here, and would mean two things: {instead}")


def find(storage: Storage, name: str, names: Sequence[Row]) -> int | None:
    """The id of the experiment that an alias stands for, or None where `name` is no alias; `names` are the hub's.

    Raises:
        UnknownNameError: where an experiment has been given the same name since, so that neither is guessed, and for
            an alias with a version.
    """
    held = pinned(storage)
    base, at, _ = name.rpartition("@")
    own = [row for row in names if row["name"] == (base if at else name)]
    if at and base in held and not own:
        raise UnknownNameError(f"{base!r} is an alias of {held[base].title}, and an alias has no versions: say {base}")
    if name not in held:
        return None
    if own:
        both = f"{name}@{own[-1]['version']} or {held[name].title}"
        raise UnknownNameError(f"{name!r} is an experiment's name and an alias of {held[name].title} too: say {both}")
    return held[name].experiment_id


# --- what differs since a pin -----------------------------------------------------------------------------


def flags_changed(storage: Storage, held: int, other: int, moment: str) -> int:
    """How many manual flags of a dataset are others now than at a moment, on the texts that another one shares.

    Where the two are not the same, the newer dataset's flags are those of now, as in a comparison.
    """
    return int(storage.read("flags_changed", held=held, other=other, moment=moment)[0]["n"])


def answer_formats(storage: Storage, experiment: int) -> tuple[str, ...]:
    """How the form of the answer was asked for in an experiment's replies; none where there is no reply."""
    return tuple(row["answer_format"] for row in storage.read("answer_formats", experiment=experiment))
