"""Where somebody is in a hub: an experiment, which of its narratives, one of them; and what is to be seen there.

A place can be written as a line (`%exphub browse partner@2 --outcome fp`), so that no kernel has to remember it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from typing import Any

from exphub_magics import comparisons, figures
from exphub_magics.browsing import findings
from exphub_magics.cards import listings
from exphub_magics.errors import ConfigError
from exphub_magics.figures import style
from exphub_magics.hub import Hub, Row, selections
from exphub_magics.hub.selections import Selection
from exphub_magics.markup import columns, decimal

PAGE = 50  # narratives of a list that are shown at once
LISTED = 20  # that a terminal shows
NO_BOUNDS = (0.0, 1.0)
WORDS = {  # what one may ask for, as it is called
    "wrong": "wrong: FP and FN",
    "fp": "FP, flagged and manual no",
    "fn": "FN, not flagged and manual yes",
    "tp": "TP, flagged and manual yes",
    "tn": "TN, not flagged and manual no",
    "failed": "failed",
    "refused": "refused",
    "not_evaluable": "not evaluable",
    "salvaged": "salvaged",
    "pending": "pending",
    "unlabelled": "unlabelled",
    "no_answer_yes": "no answer, manual yes",
    "no_answer_no": "no answer, manual no",
    "unlabelled_flagged": "unlabelled, flagged",
    "unlabelled_not": "unlabelled, not flagged",
    "unlabelled_no_answer": "unlabelled, no answer",
}
_TINTS = {"tp": "blue", "tn": "blue", "fp": "orange", "fn": "orange"}
_DOLLAR = re.compile(r"\$(?=[\w.])")
_FLAGS = {1: "yes", 0: "no", None: "–"}


@dataclass(frozen=True, slots=True)
class Place:
    """A selection of an experiment's narratives, and perhaps one of these."""

    selection: Selection
    narrative: str | None = None

    @property
    def experiment(self) -> int:
        """The experiment's id."""
        return self.selection.experiment

    def narrowed(self, **said: Any) -> Place:
        """The same place with another selection."""
        return replace(self, selection=replace(self.selection, **said))


def place(hub: Hub, name: str | None = None, *, narrative: str | None = None, **said: Any) -> Place:
    """The place that is named; without a name the latest experiment's.

    Args:
        hub: The hub.
        name: Wherever NAME is asked for.
        narrative: The id of one of its narratives.
        said: What else Selection takes; `against` is a name too.

    Raises:
        ConfigError: for a hub without experiments, and for what Selection refuses.
        UnknownNameError: for an experiment or a narrative that is not there.
    """
    given = {key: value for key, value in said.items() if value is not None}
    experiment = _latest(hub) if name is None else hub.find(name)
    if "against" in given:
        given["against"] = hub.find(given["against"])
        if given["against"] == experiment:
            raise ConfigError("an experiment has no flips against itself: name another one with --against")
    if "search" in given:
        given["search"] = " ".join(given["search"].split())
    found = Place(Selection(experiment, **given), narrative)
    if narrative is not None:
        findings.find(hub, experiment, narrative, title=titles(hub)[experiment])
    return found


def _latest(hub: Hub) -> int:
    names = hub.names()
    if not names:
        raise ConfigError(f"{hub.name} holds no experiment yet: run a cell that begins with %%experiment")
    return int(names[-1]["id"])


def titles(hub: Hub) -> dict[int, str]:
    """What every experiment is called, by its id."""
    return {row["id"]: listings.title(row) for row in hub.names()}


# --- the line that leads here -----------------------------------------------------------------------------


def words(found: Place, titles: dict[int, str]) -> list[str]:
    """The words of the verb that leads to a place; an id or a source with a line break in it is left out.

    >>> words(Place(Selection(3, outcome="not_evaluable", source="LE"), "12-LE"), {3: "partner@2"})
    ['browse', 'partner@2', '--outcome', 'not-evaluable', '--source', 'LE', '--narrative', '12-LE']
    """
    chosen = found.selection
    said = {
        "--outcome": chosen.outcome and chosen.outcome.replace("_", "-"),
        "--against": None if chosen.against is None else titles[chosen.against],
        "--flips": chosen.flips,
        "--source": chosen.source,
        "--search": chosen.search or None,
        "--order": chosen.order if chosen.order != "data" else None,
        "--narrative": found.narrative,
    }
    written = {option: value for option, value in said.items() if value is not None and len(value.splitlines()) < 2}  # noqa: PLR2004 - a line
    options = [word for both in written.items() for word in both]
    if chosen.confidence is not None:
        options += ["--confidence", *(f"{bound:g}" for bound in chosen.confidence)]
    title = titles[found.experiment]
    return ["browse", *options, "--", title] if title.startswith("-") else ["browse", title, *options]


def magic(found: Place, titles: dict[int, str]) -> str:
    r"""The line that leads to a place from a cell; what IPython would read as a variable there is doubled.

    >>> magic(Place(Selection(3, search="${5}")), {3: "partner@2"})
    "%exphub browse partner@2 --search '${{5}}'"
    """
    line = shlex.join(words(found, titles))
    return f"%exphub {''.join(_literal(piece) for piece in re.split('([{}])', line))}"


def _literal(piece: str) -> str:
    """A piece of a line between braces, or a brace, as IPython takes it to mean itself.

    It takes $name for a variable unless single quotes stand around it, which it counts from the piece's end.
    """
    if piece in ("{", "}"):
        return 2 * piece
    return _DOLLAR.sub(lambda found: "$" if piece.count("'", found.end()) % 2 else "$$", piece)


# --- what is to be seen there -----------------------------------------------------------------------------


def board(hub: Hub, experiment: int) -> dict[str, Any]:
    """The experiments, the newest first, with their points; `left` are older ones that are not named."""
    rows = selections.board(hub, experiment)
    return {
        "rows": [
            {
                "id": row["id"],
                "title": listings.title(row),
                "model": listings.model(row),
                "dataset": listings.bare(row["dataset"]),
                "answered": f"{row['answered']:,} of {row['total_narratives']:,}",
                **{name: decimal(value) for name, value in comparisons.points(row).items()},
            }
            for row in rows
        ],
        "left": rows[0]["experiments"] - len(rows),
    }


def grid(found: dict[str, int]) -> dict[str, Any]:
    """The confusion matrix as cells of counts, shares of their row and colours, in the shape of the chart of it.

    >>> [cell["n"] for cell in grid({"tp": 6, "fn": 2, "fp": 1, "tn": 10})["rows"][0]["cells"]]
    [6, 2]
    """
    rows = [row for row in figures.ROWS if row != "unlabelled" or any(found.get(key, 0) for key in figures.ROWS[row])]
    width = 3 if any(found.get(figures.ROWS[row][2], 0) for row in rows) else 2
    return {
        "columns": list(figures.COLUMNS[:width]),
        "rows": [{"name": row, "cells": _cells(figures.ROWS[row][:width], found)} for row in rows],
    }


def _cells(keys: tuple[str, ...], found: dict[str, int]) -> list[dict[str, Any]]:
    total = sum(found.get(key, 0) for key in keys)
    shares = [found.get(key, 0) / total if total else 0.0 for key in keys]
    return [
        {
            "key": key,
            "n": found.get(key, 0),
            "share": style.percent(share) if total else "",
            "tint": _tint(key, share),
        }
        for key, share in zip(keys, shares, strict=True)
    ]


def _tint(key: str, share: float) -> str:
    if key not in _TINTS:
        return style.BLANK
    pale, full = style.TINTS[_TINTS[key]]
    red, green, blue = (round(low + (high - low) * share) for low, high in zip(pale, full, strict=True))
    return f"rgb({red}, {green}, {blue})"


def outcomes(found: dict[str, int]) -> list[list[Any]]:
    """What one may ask for: its key, its words and how many narratives it has; not what none has."""
    counted = ((key, said, selections.counted(key, found)) for key, said in WORDS.items())
    return [[key, said, n] for key, said, n in counted if n]


def rows(hub: Hub, found: Place, chosen: list[int], page: int) -> list[dict[str, Any]]:
    """What a list shows of one page of a place's narratives, counted from 0."""
    held = selections.rows(hub, found.selection, chosen[page * PAGE : (page + 1) * PAGE])
    return [listed(row) for row in held]


def listed(row: Row) -> dict[str, Any]:
    """A narrative of a list, in words.

    >>> row = {"narrative_id": "7", "source": None, "cell": "fp", "status": "salvaged", "flag": 1, "other": None}
    >>> listed({**row, "confidence": 0.5, "p_true": None, "beginning": "shoved"})["outcome"]
    'FP, salvaged'
    """
    manual, _ = selections.CELLS[row["cell"]]
    return {
        "narrative_id": row["narrative_id"],
        "source": row["source"] or "",
        "manual_flag": _FLAGS[manual],
        "flag": _FLAGS[row["flag"]],
        "other": _FLAGS[row["other"]],
        "confidence": decimal(row["confidence"]),
        "outcome": _outcome(row["cell"], row["status"]),
        "beginning": " ".join((row["beginning"] or "").split()),
    }


def _outcome(cell: str, status: str) -> str:
    if "no_answer" in cell:
        return status.replace("_", " ")
    said = "unlabelled" if cell.startswith("unlabelled") else cell.upper()
    return f"{said}, salvaged" if status == "salvaged" else said


# --- a terminal -------------------------------------------------------------------------------------------

_HEAD = ("narrative", "source", "manual", "flag", "confidence", "outcome", "rational")


@dataclass(frozen=True, slots=True, repr=False)
class Listing:
    """The narratives of a place in a few lines of text; `line` leads there in a notebook."""

    title: str
    narratives: tuple[dict[str, Any], ...]
    line: str

    def as_json(self) -> list[dict[str, Any]]:
        """All of them, one an object."""
        return [dict(row) for row in self.narratives]

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        more = len(self.narratives) - LISTED
        lines = [self.title]
        if self.narratives:
            lines += [columns(_HEAD, (_terminal_row(row) for row in self.narratives[:LISTED]))]
        if more > 0:
            lines += [f"… and {more:,} more"]
        return "\n".join([*lines, f"In a notebook, with the texts: {self.line}"])


def _terminal_row(row: dict[str, Any]) -> list[str]:
    shown = ("narrative_id", "source", "manual_flag", "flag", "confidence", "outcome")
    return [*(listings.shortened(row[name], 24) for name in shown), _beginning(row["beginning"])]


def _beginning(said: str) -> str:
    return said if len(said) <= 60 else f"{said[:60]}…"  # noqa: PLR2004 - what a line has room for


def seen(hub: Hub, found: Place) -> Listing | findings.Finding:
    """What a terminal shows of a place: its narrative where it names one, else the list."""
    if found.narrative is None:
        return listing(hub, found)
    return findings.find(hub, found.experiment, found.narrative, title=titles(hub)[found.experiment])


def listing(hub: Hub, found: Place) -> Listing:
    """What a terminal shows of a place: what is wrong, unless something else is asked for."""
    plain = replace(found.selection, order="data") == Selection(found.experiment)
    wanted = found.narrowed(outcome="wrong") if plain else found
    named = titles(hub)
    chosen = selections.positions(hub, wanted.selection)
    held = selections.rows(hub, wanted.selection, chosen)
    total = sum(selections.counts(hub, wanted.experiment)[cell] for cell in selections.CELLS)
    title = f"{named[wanted.experiment]}: {said(wanted, named)}, {len(chosen):,} of {total:,} narratives"
    return Listing(title, tuple(map(listed, held)), magic(wanted, named))


def said(found: Place, titles: dict[int, str], *, aloud: bool = True) -> str:
    """What a place selects, in words; `aloud` with the words that are searched for.

    >>> said(Place(Selection(3, outcome="fp", source="LE", search="fear")), {3: "partner@2"})
    'FP, flagged and manual no; source LE; “fear”'
    """
    chosen = found.selection
    parts = [WORDS[chosen.outcome] if chosen.outcome else ""]
    if chosen.flips is not None and chosen.against is not None:
        kind = {"any": "flips", "right": "newly right", "wrong": "newly wrong"}[chosen.flips]
        parts.append(f"{kind} against {titles[chosen.against]}")
    if chosen.source is not None:
        parts.append(f"source {chosen.source or 'none'}")
    if chosen.confidence is not None:
        parts.append("confidence {:g} to {:g}".format(*chosen.confidence))
    if chosen.search:
        parts.append(f"“{chosen.search}”" if aloud else "a search")
    return "; ".join(part for part in parts if part) or "all"
