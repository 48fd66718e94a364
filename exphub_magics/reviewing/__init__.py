"""Going through a queue: where it goes on, what is shown of a narrative, decisions and undo."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exphub_magics import evidence
from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import Hub, Row, candidates, labels
from exphub_magics.hub.labels import ADJUDICATED, Said
from exphub_magics.markup import LISTED, columns, counted, decimal
from exphub_magics.reviewing import queues
from exphub_magics.reviewing.queues import ERRORS, Entry, Queue


def decided(hub: Hub, queue: Queue) -> dict[str, Said]:
    """What the coder has decided of a queue, in the order of deciding."""
    said = labels.decisions(hub, queue.dataset, queue.coder)
    return {one: word for one, word in said.items() if one in queue.places and word.decided}


def onward(queue: Queue, done: Iterable[str], after: int = -1) -> int | None:
    """The place of the next undecided narrative, behind a place and then from the beginning; None where all are."""
    known = set(done)
    places = [place for place, entry in enumerate(queue.entries) if entry.narrative_id not in known]
    return next((place for place in places if place > after), places[0] if places else None)


def start(queue: Queue, done: Mapping[str, Said]) -> int:
    """Where a review goes on: behind what was decided last; where all is decided, at that itself."""
    last = queue.places[list(done)[-1]] if done else -1
    place = onward(queue, done, last)
    return max(last, 0) if place is None else place


def decide(
    hub: Hub, queue: Queue, narrative: str, *, flag: bool | None = None, unsure: bool = False, note: str | None = None
) -> None:
    """Append what the queue's coder decides of a narrative: a flag, unsure, or with neither a note alone.

    Raises:
        ConfigError: for a narrative that is not in the queue, and for a flag that is unsure.
    """
    _confirm(hub, queue)
    if narrative not in queue.places:
        raise ConfigError(f"{narrative!r} is not in this queue: open the review again, or take another --queue")
    if unsure and flag is not None:
        raise ConfigError("a decision is yes, no or unsure: say one of them")
    mine = [row for row in labels.trail(hub, queue.dataset, narrative) if row["coder"] == queue.coder]
    if flag is None and not unsure and mine:  # a note beside a decision that stands
        flag, unsure = (Said.of(mine[-1]).flag, Said.of(mine[-1]).unsure)
    word, hidden = {narrative: Said(flag, unsure, note)}, not _open(queue, mine)
    labels.say(hub, queue.dataset, word, coder=queue.coder, experiment=queue.experiment, blind=hidden)


def _open(queue: Queue, mine: Sequence[Row]) -> bool:
    """Whether the model's flag and other coders' are shown: not in a blind review before the coder's first decision.

    What was seen stays seen: an undo hides nothing again, and what is said from then on is not blind.
    """
    return not queue.blind or any(Said.of(row).decided for row in mine)


def undo(hub: Hub, queue: Queue) -> str | None:
    """Take back what the coder said last in this experiment's review and still says; of which narrative, or None."""
    _confirm(hub, queue)
    return labels.undo(hub, queue.dataset, coder=queue.coder, experiment=queue.experiment)


def _confirm(hub: Hub, queue: Queue) -> None:
    """Refuse another hub that has come into the place of the queue's own."""
    if all((row["id"], row["fingerprint"]) != (queue.experiment, queue.fingerprint) for row in hub.names()):
        raise UnknownNameError(f"{hub.name} is another hub now, without this experiment: run the cell again")


def undoable(hub: Hub, queue: Queue) -> str | None:
    """The narrative of which an undo would take something back."""
    last = labels.last_said(hub, queue.dataset, coder=queue.coder, experiment=queue.experiment)
    return None if last is None else str(last["narrative_id"])


def shown(hub: Hub, queue: Queue, place: int) -> dict[str, Any]:
    """A narrative of the queue as JSON: its text in parts, the coder's own word, and what is not hidden of the rest."""
    entry = queue.entries[place]
    row = candidates.narrative(hub, queue.experiment, entry.narrative_id)
    trail = labels.trail(hub, queue.dataset, entry.narrative_id)
    mine = [one for one in trail if one["coder"] == queue.coder]
    own = Said.of(mine[-1]) if mine else Said()
    open_ = _open(queue, mine)
    quoted = evidence.parts(row["rational"] or "", row["narrative_text"]) if open_ else [(row["narrative_text"], False)]
    return {
        "narrative_id": entry.narrative_id,
        "incident_id": row["incident_id"],
        "source": row["source"],
        "parts": [list(part) for part in quoted],
        "word": own.word,
        "note": own.note or "",
        "open": open_,
        "why": list(entry.why) if open_ else [],
        "model": _model(row) if open_ else None,
        "coders": _words(trail, queue.coder) if open_ else [],
        "trail": [_step(one) for one in trail if open_ or one["coder"] == queue.coder],
    }


def _model(row: Row) -> dict[str, Any]:
    flag = None if row["flag"] is None else bool(row["flag"])
    word = (row["status"] or "pending").replace("_", " ") if flag is None else Said(flag).word
    sure = "" if row["confidence"] is None else decimal(row["confidence"])
    return {"word": word, "confidence": sure, "rational": row["rational"] or ""}


def _words(trail: Sequence[Row], who: str) -> list[dict[str, str]]:
    """The last word of each other coder who has one."""
    last = {row["coder"]: row for row in trail if row["coder"] != who}
    said = {one: Said.of(row) for one, row in last.items()}
    return [{"coder": one, "word": word.word, "note": word.note or ""} for one, word in said.items() if word.decided]


def _step(row: Row) -> dict[str, str]:
    """A row of the trail in words."""
    how = [f"in the review of {row['name']}@{row['version']}"] if row["name"] else []
    how += ["blind"] if row["blind"] else []
    how += ["an undo"] if row["undoes"] is not None else []
    return {
        "when": row["labelled_at"][:19].replace("T", " "),
        "coder": row["coder"],
        "word": Said.of(row).word,
        "note": row["note"] or "",
        "how": ", ".join(how),
    }


# --- the queue in words -----------------------------------------------------------------------------------


def told(queue: Queue, done: int) -> str:
    """A queue in two lines of text."""
    left = len(queue.entries) - done
    return (
        f"review of {queue.title} by {queue.coder}: {queue.content}\n"
        f"{counted(len(queue.entries), 'narrative')}, {done:,} decided, {left:,} left"
    )


def hints(hub: Hub, queue: Queue) -> list[str]:
    """What is to be known of a queue: what is not in it, and what somebody else is to settle."""
    said = []
    if queue.unanswered and not {"fp", "fn", "hard"}.isdisjoint(queue.kinds):
        said.append(f"{counted(queue.unanswered, 'narrative')} without an answer, of which no error is known")
    if queue.coder != ADJUDICATED and (open_ := len(labels.in_dispute(hub, queue.dataset))):
        said.append(
            f"coders differ on {counted(open_, 'narrative')} of the dataset, in no figure until that is settled: "
            f"%exphub review {shlex.quote(queue.title)} --coder {ADJUDICATED} --queue disagreements"
        )
    return said


@dataclass(frozen=True, slots=True, repr=False)
class Outline:
    """A queue as a terminal shows it: what is in it and how far it is, without a text."""

    queue: Queue
    done: Mapping[str, Said]
    hints: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The queue as `review --json` prints it; of a blind one no reasons."""
        about = {"experiment": self.queue.title, "coder": self.queue.coder, "queue": list(self.queue.kinds)}
        counts = {"narratives": len(self.queue.entries), "decided": len(self.done), "blind": self.queue.blind}
        listed = [
            {"narrative_id": one.narrative_id, "decision": self._word(one), "why": list(self._why(one))}
            for one in self.queue.entries
        ]
        return {**about, **counts, "hints": list(self.hints), "entries": listed}

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        listed = [(one.narrative_id, self._word(one), "; ".join(self._why(one))) for one in self.queue.entries[:LISTED]]
        lines = [columns(("narrative", "decision", ""), listed)] if listed else []
        left = len(self.queue.entries) - LISTED
        more = [f"… and {left:,} more"] if left > 0 else []
        opens = f"it opens in a notebook: %exphub review {shlex.quote(self.queue.title)}"
        return "\n".join([told(self.queue, len(self.done)), *self.hints, *lines, *more, opens])

    def _word(self, entry: Entry) -> str:
        return self.done.get(entry.narrative_id, Said()).word

    def _why(self, entry: Entry) -> tuple[str, ...]:
        return () if self.queue.blind else entry.why


def outline(hub: Hub, name: str, *, coder: str | None = None, kinds: str = ERRORS, blind: bool = False) -> Outline:
    """The queue of a review, with what is decided of it; the arguments are those of `queues.queue`."""
    queue = queues.queue(hub, name, coder=coder, kinds=kinds, blind=blind)
    return Outline(queue, decided(hub, queue), tuple(hints(hub, queue)))
