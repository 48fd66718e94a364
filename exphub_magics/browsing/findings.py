"""One narrative with everything that is known of it: its text, what people say, what every experiment says, and why."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import Any

from exphub_magics import evidence
from exphub_magics.cards import listings
from exphub_magics.errors import UnknownNameError
from exphub_magics.hub import Hub, Row, labels, selections
from exphub_magics.markup import decimal

LONG = 20_000  # characters of a text that are shown before somebody asks for the rest
STEPS = 50
WIDTH = 100
FACTS = 30
REPLY = ("body", "reasoning", "refusal")


@dataclass(frozen=True, slots=True, repr=False)
class Finding:
    """A narrative as one experiment answered it; `row` is its text, result and reply as the hub holds them.

    `trail` is everything that anybody said of it, the oldest first; `opinions` are those of every experiment on the
    same text, the newest first; `siblings` the other narratives of its incident.
    """

    experiment: str
    row: Row
    manual_flag: bool | None
    trail: tuple[Row, ...]
    opinions: tuple[Row, ...]
    siblings: tuple[Row, ...]

    @property
    def quoted(self) -> list[tuple[str, bool]]:
        """The text in pieces, each with whether the rational quotes it."""
        return evidence.parts((self.row["rational"] or "")[:LONG], self.row["narrative_text"])

    def as_json(self, *, whole: bool = False) -> dict[str, Any]:
        """What a page draws of it; long texts by their beginning, unless the whole is asked for."""
        row, most = self.row, None if whole else LONG
        facts = list(json.loads(row["facts"]).items())[:FACTS]
        return {
            "narrative_id": row["narrative_id"],
            "incident_id": row["incident_id"],
            "source": row["source"],
            "placeholder": row["placeholder"],
            "facts": [[name, _clipped(str(value), 500)] for name, value in facts],
            "text": _pieces(self.quoted, most),
            "flag": _answer(row["flag"]),
            "manual_flag": _answer(self.manual_flag),
            "status": row["status"],
            "confidence": row["confidence"],
            "p_true": row["p_true"],
            "error": _cut(row["error"], most),
            "rational": _cut(row["rational"], most),
            "steps": [_clipped(str(step), 2_000) for step in json.loads(row["reasoning_steps"] or "[]")[:STEPS]],
            "reply": {name: _cut(row[name], most) for name in REPLY if row[name]},
            "answered_by": _answered_by(row),
            "trail": [_said(one) for one in self.trail],
            "opinions": [_opinion(one, _answer(self.manual_flag)) for one in self.opinions],
            "opinions_left": self.opinions[0]["opinions"] - len(self.opinions) if self.opinions else 0,
            "siblings": [[one["narrative_id"], one["source"]] for one in self.siblings],
        }

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return text(self)


def find(hub: Hub, experiment: int, narrative: str, *, title: str) -> Finding:
    """What is known of a narrative.

    Args:
        hub: The hub.
        experiment: The id of the one whose answer comes first.
        narrative: Its id.
        title: What the experiment is called.

    Raises:
        UnknownNameError: for a narrative that the experiment is not asked about.
    """
    row = selections.finding(hub, experiment, narrative)
    if row is None:
        raise UnknownNameError(f"{title} has no narrative {_clipped(narrative, 60)!r}: its list shows which it has")
    return Finding(
        title,
        row,
        selections.manual_flag(hub, row["dataset_id"], narrative),
        tuple(labels.trail(hub, row["dataset_id"], narrative)),
        tuple(selections.opinions(hub, row)),
        tuple(selections.siblings(hub, row)),
    )


# --- texts ------------------------------------------------------------------------------------------------


def _clipped(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[:most]}…"


def _cut(words: str | None, most: int | None) -> dict[str, Any] | None:
    """A text, or its beginning and how many characters are left out."""
    if words is None:
        return None
    shown = words if most is None else words[:most]
    return {"text": shown, "left": len(words) - len(shown)}


def _pieces(pieces: list[tuple[str, bool]], most: int | None) -> dict[str, Any]:
    """The same for a text in pieces.

    >>> _pieces([("V was ", False), ("afraid", True)], 8)
    {'parts': [['V was ', False], ['af', True]], 'left': 4}
    """
    room = sum(len(words) for words, _ in pieces) if most is None else most
    shown = []
    for words, quoted in pieces:
        if room > 0:
            shown.append([words[:room], quoted])
        room -= len(words)
    return {"parts": shown, "left": max(0, -room)}


def _answer(flag: Any) -> str | None:
    """A flag in a word; None where it is missing."""
    return None if flag is None else "yes" if flag else "no"


def _answered_by(row: Row) -> str:
    """Who answered, and how the answer ended, in so far as the endpoint says so."""
    named = ("served_model", "answer_format", "finish_reason")
    return " · ".join(f"{name.replace('_', ' ')} {row[name]}" for name in named if row[name])


def _said(row: Row) -> dict[str, Any]:
    said = labels.Said.of(row)
    return {
        "coder": row["coder"],
        "word": "taken back" if row["undoes"] is not None and not said.decided else said.word,
        "note": _clipped(said.note or "", 500),
        "when": row["labelled_at"][:10],
    }


def _opinion(row: Row, manual: str | None) -> dict[str, Any]:
    said = _answer(row["flag"])
    held = None if said is None or manual is None else "right" if said == manual else "wrong"
    return {
        "experiment": row["id"],
        "title": listings.title(row),
        "flag": said or row["status"].replace("_", " "),
        "held": held,
        "confidence": row["confidence"],
        "beginning": row["beginning"] or "",
    }


# --- words ------------------------------------------------------------------------------------------------


def text(finding: Finding) -> str:
    """A finding as plain text."""
    row = finding.row
    source = f" · {row['source']}" if row["source"] else ""
    said = _answer(row["flag"]) or row["status"].replace("_", " ")
    stated = "" if row["confidence"] is None else f", confidence {decimal(row['confidence'])}"
    words = row["rational"] or row["error"] or row["placeholder"] or ""
    return "\n".join(
        [
            f"{row['narrative_id']}{source} · manual {_answer(finding.manual_flag) or 'unlabelled'}",
            *textwrap.wrap(_clipped(row["narrative_text"], LONG), WIDTH),
            "",
            *textwrap.wrap(f"{finding.experiment}: {said}{stated}: {_clipped(words, LONG)}".rstrip(": "), WIDTH),
            *(_line(_opinion(one, _answer(finding.manual_flag))) for one in finding.opinions),
        ]
    )


def _line(opinion: dict[str, Any]) -> str:
    held = f", {opinion['held']}" if opinion["held"] else ""
    return textwrap.shorten(
        f"{opinion['title']}: {opinion['flag']}{held}: {opinion['beginning']}", WIDTH, placeholder=" …"
    )
