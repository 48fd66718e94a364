"""Queues of narratives that a coder is to decide in the review of an experiment.

A queue does not depend on what its coder decides. It holds the experiment against the manual flags, where a narrative
has none against what other coders agree on; so nothing jumps while one works, going back shows what was decided, and
a queue that is opened anew is the same one.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from exphub_magics import environment
from exphub_magics.errors import ConfigError, unknown
from exphub_magics.hub import Hub, candidates, labels
from exphub_magics.hub.labels import ADJUDICATED, MANUAL, Said
from exphub_magics.markup import decimal

QUEUES = {
    "fp": "false positives",
    "fn": "false negatives",
    "hard": "narratives that most prompts get wrong",
    "disagreements": "disagreements between coders",
    "sample": "a random sample",
    "all": "all narratives",
}
ERRORS = "fp,fn"
SAMPLE = 100  # narratives of a random sample whose size is not said
CONTROLS = 2  # in a blind review: errors for each narrative beside them that the experiment gets right
WHO = 60  # characters of a coder's name


@dataclass(frozen=True, slots=True)
class Entry:
    """A narrative of a queue: the kinds that it is there for, and why in words."""

    narrative_id: str
    kinds: tuple[str, ...]
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """What one coder is to decide in the review of one experiment.

    `unanswered` are the experiment's narratives that have no answer and hence are
    in no queue of errors.
    """

    experiment: int
    dataset: int
    fingerprint: str
    title: str
    coder: str
    kinds: tuple[str, ...]
    blind: bool
    entries: tuple[Entry, ...]
    unanswered: int
    places: Mapping[str, int] = field(compare=False, repr=False)

    @property
    def content(self) -> str:
        """What is in it, in words; of a blind one no more than how it is ordered."""
        if self.blind:
            return "narratives in random order, the model's flag and other coders' hidden until you have decided"
        counted = Counter(kind for entry in self.entries for kind in entry.kinds)
        return ", ".join(f"{QUEUES[kind]} {counted[kind]:,}" for kind in self.kinds)


# --- who and what -----------------------------------------------------------------------------------------


def coder_named(hub: Hub, dataset: int, name: str | None = None) -> str:
    """Who decides: the name said, else whoever git knows here; spelt as in the hub where case alone differs.

    Raises:
        ConfigError: where nobody is known, for a name that cannot be shown in a line, and for `manual`.
    """
    said = " ".join((name if name is not None else environment.author() or "").split())
    if not said:
        raise ConfigError("nobody is named who decides, and git knows nobody here: add --coder NAME")
    if len(said) > WHO or not said.isprintable():
        raise ConfigError(f"a coder's name is at most {WHO} characters in a line: write another --coder")
    if said.casefold() == MANUAL:
        raise ConfigError(f"the coder {MANUAL!r} is the data file's own: name yourself, or {ADJUDICATED} to settle")
    known = {one.casefold(): one for one in (*labels.coders(hub, dataset), ADJUDICATED)}
    return known.get(said.casefold(), said)


def kinds_named(text: str) -> tuple[tuple[str, ...], int]:
    """What a queue is to hold, and the size of a random sample.

    >>> kinds_named("fp, fn"), kinds_named("sample:30")
    ((('fp', 'fn'), 100), (('sample',), 30))
    """
    chosen, size = [], SAMPLE
    for word in filter(None, (part.strip().casefold() for part in text.split(","))):
        kind, colon, number = word.partition(":")
        if kind not in QUEUES or (colon and not (kind == "sample" and number.isdecimal() and int(number) > 0)):
            raise unknown("queue", word, [*QUEUES, "sample:50"])
        chosen.append(kind)
        size = int(number) if colon else size
    if not chosen:
        raise ConfigError(f"no queue is named: write some of {', '.join(QUEUES)}")
    return tuple(dict.fromkeys(chosen)), size


def queue(hub: Hub, name: str, *, coder: str | None = None, kinds: str = ERRORS, blind: bool = False) -> Queue:
    """The narratives of an experiment that a coder is to decide, those that are decided included.

    Args:
        hub: The hub.
        name: Wherever NAME is asked for.
        coder: Who decides; else whoever git knows here.
        kinds: What is in it: some of QUEUES between commas; `sample:30` is 30 narratives drawn at random.
        blind: Whether the model's flag and other coders' are hidden until the coder has decided. Narratives then come
            in random order, and to each two errors one that the experiment gets right.

    Raises:
        UnknownNameError: for an experiment or a queue that is not there.
        ConfigError: for a coder that cannot be one.
    """
    experiment = hub.find(name)
    about = next(row for row in hub.names() if row["id"] == experiment)
    dataset = hub.experiment(experiment)["dataset_id"]
    who, (chosen, size) = coder_named(hub, dataset, coder), kinds_named(kinds)
    desk = _Desk(hub, experiment, dataset, who)
    found: dict[str, Entry] = {}
    for kind in chosen:
        for narrative_id, why in desk.of(kind, size):
            earlier = found.get(narrative_id, Entry(narrative_id, (), ()))
            reasons = (*earlier.why, why) if why else earlier.why
            found[narrative_id] = Entry(narrative_id, (*earlier.kinds, kind), reasons)
    entries = _mixed(found, desk) if blind else tuple(found.values())
    places = {entry.narrative_id: place for place, entry in enumerate(entries)}
    title = f"{about['name']}@{about['version']}"
    return Queue(experiment, dataset, about["fingerprint"], title, who, chosen, blind, entries, desk.unanswered, places)


def _mixed(found: Mapping[str, Entry], desk: _Desk) -> tuple[Entry, ...]:
    """In an order that says nothing, with some that the experiment gets right among the errors."""
    errors = sum(not {"fp", "fn", "hard"}.isdisjoint(entry.kinds) for entry in found.values())
    right = (Entry(one, (), ("the experiment says what the coders say",)) for one in desk.right() if one not in found)
    controls = [entry for entry, _ in zip(right, range(-(-errors // CONTROLS)), strict=False)]
    return tuple(sorted([*found.values(), *controls], key=lambda entry: _chance(entry.narrative_id)))


def _chance(narrative_id: str) -> bytes:
    """A random order that is the same each time."""
    return hashlib.sha256(f"review:{narrative_id}".encode()).digest()


class _Desk:
    """An experiment's answers beside what has been said of them, without what the coder at the desk has said."""

    def __init__(self, hub: Hub, experiment: int, dataset: int, who: str) -> None:
        words: dict[str, dict[str, bool | None]] = defaultdict(dict)
        for row in labels.last_words(hub, dataset):
            words[row["narrative_id"]][row["coder"]] = None if row["flag"] is None else bool(row["flag"])
        self.hub, self.dataset, self.who = hub, dataset, who
        everything = candidates.answers(hub, experiment)
        self.unanswered = sum(row["flag"] is None for row in everything)
        self.rows = [row for row in everything if _is_open(words.get(row["narrative_id"], {}), who)]
        self.others = {
            one: {other: flag for other, flag in said.items() if other != who} for one, said in words.items()
        }

    def of(self, kind: str, size: int) -> Iterator[tuple[str, str]]:
        """The narratives of one kind in their order, each with why it is there."""
        match kind:
            case "fp" | "fn":
                return self._errors(kind)
            case "hard":
                return self._hard()
            case "disagreements":
                return self._disputed()
            case _:
                ids = [row["narrative_id"] for row in self.rows]
                chosen = sorted(ids, key=_chance)[:size] if kind == "sample" else ids
                return ((one, "") for one in chosen)

    def right(self) -> list[str]:
        """The narratives that the experiment gets right, in random order."""
        ids = [
            row["narrative_id"]
            for row in self.rows
            if row["flag"] is not None and self._reference(row["narrative_id"]) is bool(row["flag"])
        ]
        return sorted(ids, key=_chance)

    def _reference(self, narrative_id: str) -> bool | None:
        return reference(self.others.get(narrative_id, {}))

    def _errors(self, kind: str) -> Iterator[tuple[str, str]]:
        """The surest first."""
        flagged = kind == "fp"
        wrong = [
            row
            for row in self.rows
            if row["flag"] is not None
            and bool(row["flag"]) is flagged
            and self._reference(row["narrative_id"]) is (not flagged)
        ]
        for row in sorted(wrong, key=lambda row: (-(row["confidence"] or 0), row["narrative_id"])):
            sure = "" if row["confidence"] is None else f", confidence {decimal(row['confidence'])}"
            name = "false positive: flagged" if flagged else "false negative: not flagged"
            yield row["narrative_id"], f"{name}{sure}; {told(self.others[row['narrative_id']])}"

    def _hard(self) -> Iterator[tuple[str, str]]:
        """Those that the most prompts get wrong first; more than half, and at least two, have to."""
        found = []
        votes = candidates.votes(self.hub, self.dataset)
        for row in self.rows:
            answered, yes = votes.get(row["narrative_id"], (0, 0))
            held = self._reference(row["narrative_id"])
            wrong = 0 if held is None else answered - yes if held else yes
            if wrong > max(1, answered / 2):
                found.append((row["narrative_id"], wrong, answered))
        for one, wrong, answered in sorted(found, key=lambda one: (-one[1] / one[2], -one[1], one[0])):
            yield one, f"{wrong:,} of {answered:,} prompts get it wrong; {told(self.others[one])}"

    def _disputed(self) -> Iterator[tuple[str, str]]:
        for row in self.rows:
            said = self.others.get(row["narrative_id"], {})
            if disputed(said):
                yield row["narrative_id"], told(said)


def _is_open(said: Mapping[str, bool | None], who: str) -> bool:
    """Whether a coder is still to decide, or has: what is settled needs no further word."""
    return said.get(ADJUDICATED) is None or who in said


def reference(said: Mapping[str, bool | None]) -> bool | None:
    """What an answer is held against in a review: the manual flag, else what coders agree on, else the settled one.

    >>> reference({"manual": False, "Ann": True}), reference({"Ann": True, "Ben": None}), reference({})
    (False, True, None)
    """
    manual = said.get(MANUAL)
    if manual is not None:
        return manual
    flags = {flag for one, flag in said.items() if one != ADJUDICATED and flag is not None}
    return flags.pop() if len(flags) == 1 else said.get(ADJUDICATED)


def disputed(said: Mapping[str, bool | None]) -> bool:
    """Whether coders differ on a narrative; whoever is unsure differs from nobody.

    >>> disputed({"manual": False, "Ann": True}), disputed({"manual": False, "Ann": None})
    (True, False)
    """
    return {True, False} <= {flag for one, flag in said.items() if one != ADJUDICATED}


def told(said: Mapping[str, bool | None]) -> str:
    """What coders say, in words; the file's own first.

    >>> told({"Ann": None, "manual": False})
    'manual no, Ann unsure'
    """
    ordered = sorted(said.items(), key=lambda one: one[0] != MANUAL)
    return ", ".join(f"{one} {Said(flag, unsure=flag is None).word}" for one, flag in ordered)
