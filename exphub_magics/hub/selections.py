"""Selections of an experiment's narratives: which are left by what one asks for, in which order, and what a list shows.

A selection is worked out anew for each look, in well under a second over 40,000 narratives; only the positions of what
it leaves are handed over, and the rows of one page. No text is read but the one that is looked at, and for a search.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exphub_magics.errors import ConfigError, unknown
from exphub_magics.hub.storage import Row, Storage

CELLS = {  # manual flag and the model's, either of which may be missing
    "tp": (True, True),
    "fn": (True, False),
    "no_answer_yes": (True, None),
    "fp": (False, True),
    "tn": (False, False),
    "no_answer_no": (False, None),
    "unlabelled_flagged": (None, True),
    "unlabelled_not": (None, False),
    "unlabelled_no_answer": (None, None),
}
STATES = ("ok", "salvaged", "refused", "not_evaluable", "failed", "pending")
OUTCOMES: dict[str, tuple[str, ...]] = {  # what one may ask for: cells, or states
    "wrong": ("fp", "fn"),
    **{cell: (cell,) for cell in ("fp", "fn", "tp", "tn")},
    **{state: (state,) for state in ("failed", "refused", "not_evaluable", "salvaged", "pending")},
    "unlabelled": ("unlabelled_flagged", "unlabelled_not", "unlabelled_no_answer"),
    **{cell: (cell,) for cell in CELLS if len(cell) > len("fp")},
}
FLIPS = ("any", "right", "wrong")
ORDERS = ("data", "surest", "doubtful")
BEGINNING = 160  # characters of a rational that a list shows
SEARCHED = 300  # characters that one may search for
SOURCES, EXPERIMENTS, OPINIONS, SIBLINGS = 40, 100, 200, 10  # shown at most


@dataclass(frozen=True, slots=True)
class Selection:
    """Which narratives of an experiment are asked for, and in which order.

    >>> Selection(1, outcome="refusd")
    Traceback (most recent call last):
    exphub_magics.errors.UnknownNameError: unknown outcome 'refusd': did you mean 'refused'?

    Attributes:
        experiment: Its id.
        outcome: One of OUTCOMES; a name may have - for _.
        against: The id of another experiment.
        flips: Of what both have answered differently about the same text: any, newly right or newly wrong here.
        source: A source; the empty one stands for none.
        search: Words that stand so in the text or the rational, in whatever case.
        confidence: The lowest and the highest, as stated.
        order: One of ORDERS: as in the data, by confidence downwards or upwards.

    Raises:
        ConfigError: for a value that is none of these.
    """

    experiment: int
    outcome: str | None = None
    against: int | None = None
    flips: str | None = None
    source: str | None = None
    search: str = ""
    confidence: tuple[float, float] | None = None
    order: str = "data"

    def __post_init__(self) -> None:
        if self.outcome is not None:
            object.__setattr__(self, "outcome", self.outcome.replace("-", "_").casefold())
        for kind, said, known in (
            ("outcome", self.outcome, OUTCOMES),
            ("kind of flips", self.flips, FLIPS),
            ("order", self.order, ORDERS),
        ):
            if said is not None and said not in known:
                raise unknown(kind, said, known)
        if self.flips is not None and self.against is None:
            raise ConfigError("flips are those against another experiment: name it with --against")
        if len(self.search) > SEARCHED:
            raise ConfigError(f"a search is for at most {SEARCHED} characters: shorten it")
        if self.confidence is not None and not 0 <= self.confidence[0] <= self.confidence[1] <= 1:
            raise ConfigError("a range of confidence is two numbers from 0 to 1, the lower one first")

    def parameters(self) -> dict[str, Any]:
        """What the statement takes."""
        wanted = OUTCOMES.get(self.outcome or "", ())
        cells = json.dumps([one for one in wanted if one in CELLS])
        states = json.dumps([one for one in wanted if one in STATES])
        low, high = self.confidence or (None, None)
        return {
            "experiment": self.experiment,
            "against": self.against,
            "flips": self.flips,
            "source": self.source,
            "cells": cells if cells != "[]" else None,
            "states": states if states != "[]" else None,
            "low": low,
            "high": high,
            "pattern": like(self.search) if self.search else None,
            "exactly": glob(self.search) if self.search and not self.search.isascii() else None,
            "ordered": self.order,
        }


def like(words: str) -> str:
    r"""The words as a pattern of LIKE, which knows the case of ASCII alone: any other letter is anything.

    >>> like("50 %_é")
    '%50 \\%\\__%'
    """
    return f"%{''.join(_liked(one) for one in words)}%"


def _liked(one: str) -> str:
    if one in "%_\\":
        return f"\\{one}"
    return one if one.isascii() or one.lower() == one.upper() else "_"


def glob(words: str) -> str:
    """The words as a pattern of GLOB, which is told each letter in both cases.

    >>> glob("Né*?[")
    '*[nN][éÉ][*][?][[]*'
    """
    return f"*{''.join(map(_globbed, words))}*"


def _globbed(one: str) -> str:
    if one in "*?[":
        return f"[{one}]"
    cases = dict.fromkeys(case for case in (one.lower(), one.upper(), one) if len(case) == 1)
    return f"[{''.join(cases)}]" if len(cases) > 1 else one


# --- what is left -----------------------------------------------------------------------------------------


def positions(storage: Storage, selection: Selection) -> list[int]:
    """The positions of the narratives that a selection leaves, in its order."""
    held: list[int] = json.loads(storage.read("chosen", **selection.parameters())[0]["positions"])
    return held


def rows(storage: Storage, selection: Selection, chosen: Sequence[int]) -> list[Row]:
    """What a list shows of the narratives at these positions, in this order."""
    return storage.read(
        "chosen_rows",
        experiment=selection.experiment,
        against=selection.against,
        positions=json.dumps(list(chosen)),
        characters=BEGINNING,
    )


def position(storage: Storage, experiment: int, narrative: str) -> int | None:
    """Where a narrative stands; None for one that the experiment is not asked about."""
    found = storage.read("position_of", experiment=experiment, narrative=narrative)
    return found[0]["position"] if found else None


def counts(storage: Storage, experiment: int) -> dict[str, int]:
    """How many narratives each cell and each state has."""
    found = dict.fromkeys((*CELLS, *STATES), 0)
    for row in storage.read("chosen_cells", experiment=experiment):
        found[row["cell"]] += row["n"]
        found[row["status"]] += row["n"]
    return found


def counted(outcome: str, found: dict[str, int]) -> int:
    """How many narratives an outcome has, of the counts of cells and states.

    >>> counted("wrong", {"fp": 2, "fn": 3})
    5
    """
    return sum(found[one] for one in OUTCOMES[outcome])


def sources(storage: Storage, experiment: int) -> list[str]:
    """The sources of an experiment's dataset, the commonest first; none where there is but one."""
    found = [row["source"] for row in storage.read("sources_of", experiment=experiment, most=SOURCES)]
    return found if len(found) > 1 else []


def board(storage: Storage, experiment: int) -> list[Row]:
    """The latest experiments, with this one among them, the newest first: who answered, tp, fp, fn and how many."""
    return storage.read("chosen_board", experiment=experiment, most=EXPERIMENTS)


# --- one narrative ----------------------------------------------------------------------------------------


def finding(storage: Storage, experiment: int, narrative: str) -> Row | None:
    """One narrative with its text, its result and its reply; None for one that the experiment is not asked about."""
    found = storage.read("finding", experiment=experiment, narrative=narrative)
    return found[0] if found else None


def manual_flag(storage: Storage, dataset: int, narrative: str) -> bool | None:
    """The flag that counts as true of one narrative; None where there is none or coders disagree."""
    found = storage.read("truth_between", dataset=dataset, first=narrative, last=narrative)
    return bool(found[0]["flag"]) if found and found[0]["flag"] is not None else None


def opinions(storage: Storage, row: Row) -> list[Row]:
    """What every experiment says of the text of a finding, the newest experiment first."""
    asked = {"narrative": row["narrative_id"], "position": row["position"]}
    return storage.read("opinions", **asked, characters=BEGINNING, most=OPINIONS)


def siblings(storage: Storage, row: Row) -> list[Row]:
    """The other narratives of a finding's incident, each with its source."""
    asked = {"dataset": row["dataset_id"], "incident": row["incident_id"], "narrative": row["narrative_id"]}
    return storage.read("same_incident", **asked, most=SIBLINGS)
