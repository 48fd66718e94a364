"""Rounds of asking anew: one that was cut short goes on where it was, and pays for no answer twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from exphub_magics.hub.storage import Storage, now


@dataclass(frozen=True, slots=True)
class Round:
    """An experiment's results in some states, asked for anew: those that were recorded before it began."""

    id: int
    experiment: int
    states: tuple[str, ...]
    began_at: str
    is_resumed: bool = False

    @classmethod
    def of(cls, storage: Storage, experiment: int, states: Iterable[str]) -> Self:
        """The round of these states that is under way, or a new one."""
        wanted = tuple(sorted(states))
        with storage.writing() as db:
            for row in storage.read("rounds_under_way", experiment=experiment, states=json.dumps(wanted)):
                found = cls(row["id"], experiment, wanted, row["began_at"], is_resumed=True)
                if found._left(storage):
                    return found
            moment = now()
            row = {"experiment_id": experiment, "states": json.dumps(wanted), "began_at": moment}
            return cls(int(str(db.table("rounds").insert(row).last_pk)), experiment, wanted, moment)

    @property
    def since(self) -> dict[str, str | None]:
        """Each state with the moment before which its results are asked for anew.

        >>> Round(1, 7, ("ok",), "2026-03-01T14:03:12.345+00:00").since
        {'ok': '2026-03-01T14:03:12.345+00:00'}
        """
        return dict.fromkeys(self.states, self.began_at)

    @property
    def option(self) -> str:
        """What to say to a command so that it goes on.

        >>> Round(1, 7, ("ok", "refused"), "2026-03-01T14:03:12.345+00:00").option
        'with --again ok,refused'
        """
        return f"with --again {','.join(self.states)}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of it."""
        if not self.is_resumed:
            return ()
        moment = self.began_at[:16].replace("T", " ")
        return (
            f"goes on with the round of asking anew that began {moment} UTC: what it has answered is not asked again",
        )

    def end(self, storage: Storage) -> None:
        """Close the round, unless answers are still to be asked for in it: some may have failed, or cost too much."""
        with storage.writing() as db:
            if not self._left(storage):
                db.table("rounds").update(self.id, {"ended_at": now()})

    def _left(self, storage: Storage) -> int:
        """How many narratives are still to be asked about."""
        rows = storage.read("left_to_ask", experiment=self.experiment, states=json.dumps(self.since))
        return int(rows[0]["n"])
