"""What moves when replies are read anew, counted and with the figures before and after.

Ids, states and counts are all that it holds: no narrative and no rational.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Self

from exphub_magics import lazily, metrics
from exphub_magics.markup import TITLES, block, columns, decimal, details, interval, table

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazily.load("pandas")

PENDING = "pending"
SHOWN = ("precision", "recall", "specificity", "f1", "agreement")
COUNTED = ("tp", "fp", "fn", "tn", "ok", "salvaged", "refused", "failed", PENDING)
NOT_YET = "nothing counts yet: add --apply"


@dataclass(frozen=True, slots=True)
class State:
    """What an experiment says of a narrative, and the version of the reader that read it."""

    status: str
    flag: bool | None = None
    reader: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The state that a row of the hub holds; no status means that there is no result yet.

        >>> State.of({"status": None, "flag": None})
        State(status='pending', flag=None, reader=None)
        """
        flag = row["flag"]
        return cls(row["status"] or PENDING, None if flag is None else bool(flag), row.get("reader"))


@dataclass(frozen=True, slots=True)
class Move:
    """A narrative that is read otherwise than before."""

    narrative_id: str
    was: State
    now: State

    @property
    def kind(self) -> str:
        """What moves, in a few words.

        >>> Move("7", State("salvaged", True), State("ok", False)).kind
        'salvaged → ok, flag yes → no'
        """
        was, now = self.was, self.now
        moved = [f"{was.status} → {now.status}"] if was.status != now.status else []
        if was.flag is not now.flag and None not in (was.flag, now.flag):
            moved.append(f"flag {_yes_no(was.flag)} → {_yes_no(now.flag)}")
        same = "same flag, other words" if now.flag is not None else f"{now.status} for another reason"
        return ", ".join(moved) or same


@dataclass(frozen=True, slots=True)
class Standing:
    """An experiment's counts and metrics at one moment."""

    counts: Mapping[str, int]
    scores: Mapping[str, metrics.Metric]

    def as_json(self) -> dict[str, Any]:
        """The counts and metrics as `show --json` has them."""
        return {
            "counts": dict(self.counts),
            "metrics": {name: score.as_json() for name, score in self.scores.items()},
        }


@dataclass(frozen=True, slots=True)
class Part:
    """One experiment of a rereading: how many replies were read, what moves, and the standing before and after."""

    experiment: int
    title: str
    replies: int
    moves: tuple[Move, ...]
    before: Standing
    after: Standing

    @property
    def kinds(self) -> dict[str, int]:
        """How many moves there are of each kind, the most frequent first; they add up to all."""
        return dict(Counter(move.kind for move in self.moves).most_common())


@dataclass(frozen=True, slots=True, repr=False)
class Rereading:
    """Experiments read anew by `source`: a version of the reader, or a file of replies, whose rows `file` counts."""

    parts: tuple[Part, ...]
    source: str
    applied: bool
    file: Mapping[str, int] | None = None

    @property
    def moves(self) -> pd.DataFrame:
        """Every narrative that is read otherwise: state, flag and reader before and after, and the kind of the move."""
        rows = [
            (part.title, move.narrative_id, *_cells(move.was), *_cells(move.now), move.kind)
            for part in self.parts
            for move in part.moves
        ]
        states = [f"{moment}_{name}" for moment in ("was", "now") for name in ("status", "flag", "reader")]
        frame = pd.DataFrame(rows, columns=["experiment", "narrative_id", *states, "kind"], dtype=object)
        flags = dict.fromkeys(("was_flag", "now_flag"), "boolean")
        return frame.astype({**dict.fromkeys(frame.columns, "string"), **flags})

    def as_json(self) -> dict[str, Any]:
        """What moves as `reread --json` prints it."""
        return {
            "source": self.source,
            "applied": self.applied,
            "file": None if self.file is None else dict(self.file),
            "experiments": [_part_json(part) for part in self.parts],
            "moves": [
                {"experiment": part.experiment, **asdict(move), "kind": move.kind}
                for part in self.parts
                for move in part.moves
            ],
        }

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        told = [_part_text(part) for part in self.parts]
        return "\n".join([*self._file(), *told, self._closing()])

    def _repr_html_(self) -> str:
        """The same as plain tables, with the narratives whose flag moves."""
        file = "".join(f"<div>{escape(line)}</div>" for line in self._file())
        parts = "".join(map(_part_html, self.parts))
        return block(f"{file}{parts}<div>{escape(self._closing())}</div>")

    def _file(self) -> list[str]:
        if self.file is None:
            return []
        rest = ", ".join(f"{count:,} {why}" for why, count in self.file.items() if why != "rows" and count)
        return [f"{self.source}: {self.file['rows']:,} rows = {rest or 'nothing'}"]

    def _closing(self) -> str:
        if not any(part.moves for part in self.parts):
            return "nothing moves"
        if not self.applied:
            return NOT_YET
        if self.file is not None:
            return "it counts now"
        return "it counts now; what was read before is kept, and --reader VERSION puts it back"


def standing(
    statuses: Iterable[str], truth: Sequence[bool | None], flags: Sequence[bool | None], incident: Sequence[str]
) -> Standing:
    """Count and score an experiment.

    >>> now = standing(["ok", "failed"], [True, True], [True, None], ["a", "b"])
    >>> now.counts["tp"], now.counts["failed"], now.counts["total"]
    (1, 1, 2)
    """
    counted = Counter(dict.fromkeys(("ok", "salvaged", "refused", "not_evaluable", "failed", PENDING), 0))
    counted.update(statuses)
    cells = asdict(metrics.confusion(truth, flags))
    scores = metrics.scorecard(truth, flags, incident=incident)
    return Standing({**cells, **counted, "total": counted.total()}, scores)


def _yes_no(flag: bool | None) -> str:  # noqa: FBT001 - the flag is what it is about
    return "–" if flag is None else "yes" if flag else "no"


def _cells(state: State) -> tuple[str, bool | None, str | None]:
    return state.status, state.flag, state.reader


# --- one experiment ---------------------------------------------------------------------------------------


def _part_json(part: Part) -> dict[str, Any]:
    return {
        "experiment": part.experiment,
        "name": part.title,
        "replies": part.replies,
        "moved": len(part.moves),
        "kinds": part.kinds,
        "before": part.before.as_json(),
        "after": part.after.as_json(),
    }


_HEAD = ("", "before", "95 % interval", "now", "95 % interval")


def _summary(part: Part) -> str:
    return f"{part.title}: {part.replies:,} replies read, {len(part.moves):,} move"


def _kinds(part: Part) -> list[tuple[str, str]]:
    return [(kind, f"{count:,}") for kind, count in part.kinds.items()]


def _figures(part: Part) -> list[tuple[str, str, str, str, str]]:
    """The counts that moved, and the metrics."""
    before, after = part.before, part.after
    counts = [
        (name, f"{before.counts[name]:,}", "", f"{after.counts[name]:,}", "")
        for name in COUNTED
        if before.counts[name] != after.counts[name]
    ]
    scores = [
        (TITLES.get(name, name), *_estimate(before.scores[name]), *_estimate(after.scores[name])) for name in SHOWN
    ]
    return counts + scores


def _estimate(score: metrics.Metric) -> tuple[str, str]:
    return decimal(score.value), interval(score.low, score.high)


def _part_text(part: Part) -> str:
    if not part.moves:
        return _summary(part)
    return "\n".join([_summary(part), columns(("", "n"), _kinds(part)), "", columns(_HEAD, _figures(part)), ""])


def _part_html(part: Part) -> str:
    head = f"<div><b>{escape(_summary(part))}</b></div>"
    if not part.moves:
        return head
    flipped = [
        f"<code>{escape(move.narrative_id)}</code> {_yes_no(move.was.flag)} → {_yes_no(move.now.flag)}"
        for move in part.moves
        if move.was.flag is not move.now.flag
    ]
    flips = details(f"{len(flipped):,} whose flag moves", flipped)
    return f"{head}{table(('', 'n'), _kinds(part))}{table(_HEAD, _figures(part))}{flips}"
