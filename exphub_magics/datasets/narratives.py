"""Narratives in a sequence that costs no memory, and how the rows of a file become one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import eq
from typing import TypeAlias, overload

from exphub_magics.datasets.placeholders import placeholder
from exphub_magics.datasets.spools import Spool
from exphub_magics.errors import DatasetError

Flag: TypeAlias = bool | None

_TEXTS = "different texts under one id"
_INCIDENTS = "different incidents or sources under one id"
_LABELS = "a label that is both yes and no"
SHOWN = 5  # ids, rows or values named in one message


@dataclass(frozen=True, slots=True)
class Narrative:
    """One text about one incident; `placeholder` says why it cannot be evaluated, if it cannot."""

    narrative_id: str
    incident_id: str
    source: str | None
    text: str
    facts: dict[str, str]
    placeholder: str | None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Narratives(Sequence[Narrative]):  # noqa: PLW1641  equal by what they hold, as a list is
    """The narratives of a dataset in their order, read from a spool whenever one is asked for.

    >>> narratives = Narratives(("year",), Spool([("7-LE", "7", "LE", "V was at home.", "2020")]))
    >>> narratives, narratives[0].text
    (<1 narratives>, 'V was at home.')
    >>> narratives[0].facts, narratives.without(["year"])[0].facts
    ({'year': '2020'}, {})

    `facts` are the names of the facts that each narrative has; those in `hidden` are kept and not shown.
    A row of the spool holds a narrative's ids, source and text, then its facts.
    """

    facts: tuple[str, ...]
    spool: Spool
    hidden: frozenset[str] = frozenset()

    def without(self, facts: Iterable[str]) -> Narratives:
        """The same narratives with some facts hidden."""
        return replace(self, hidden=self.hidden.union(facts))

    def _narrative(self, place: int) -> Narrative:
        narrative_id, incident_id, source, text, *values = self.spool[place]
        facts = dict(zip(self.facts, values, strict=True))
        for fact in self.hidden:
            facts.pop(fact, None)
        return Narrative(narrative_id, incident_id, source or None, text, facts, placeholder(text))

    def __len__(self) -> int:
        return len(self.spool)

    @overload
    def __getitem__(self, place: int) -> Narrative: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Narrative, ...]: ...
    def __getitem__(self, place: int | slice) -> Narrative | tuple[Narrative, ...]:
        if isinstance(place, slice):
            return tuple(map(self._narrative, range(*place.indices(len(self)))))
        return self._narrative(place)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Narratives) and len(self) == len(other) and all(map(eq, self, other))

    def __repr__(self) -> str:
        return f"<{len(self)} narratives>"


@dataclass(slots=True)
class Gathering:
    """Narratives on their way from rows to a dataset: repeated rows once, and counted as they pass by.

    `flags` are those of the narratives, place by place. `texts` are the hashes of the texts that are no
    placeholder; they have 64 bits, so of a million texts two that differ share one by a chance of 1 in 37 million.
    """

    facts: tuple[str, ...]
    spool: Spool = field(default_factory=Spool)
    flags: list[Flag] = field(default_factory=list)
    rows: int = 0
    flagged: int = 0
    placeholders: int = 0
    incidents: set[str] = field(default_factory=set)
    texts: set[int] = field(default_factory=set)
    _places: dict[str, int] = field(default_factory=dict)
    _clashes: defaultdict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _others: defaultdict[int, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))

    @property
    def narratives(self) -> Narratives:
        """What has been gathered."""
        return Narratives(self.facts, self.spool)

    @property
    def ids(self) -> list[str]:
        """The narratives' ids in their order."""
        return list(self._places)

    def add(self, one: Narrative, flag: Flag) -> None:
        """Take the narrative of a row, and its manual flag."""
        self.rows += 1
        self.flagged += flag is not None
        place = self._places.setdefault(one.narrative_id, len(self.spool))
        if place == len(self.spool):
            self._add_first(one, flag)
        else:
            self._add_again(place, one, flag)

    def _add_first(self, one: Narrative, flag: Flag) -> None:
        self.spool.append(self._cells(one))
        self.flags.append(flag)
        self.incidents.add(one.incident_id)
        if one.placeholder is None:
            self.texts.add(hash(one.text))
        else:
            self.placeholders += 1

    def _add_again(self, place: int, one: Narrative, flag: Flag) -> None:
        first, held = self.narratives[place], self.flags[place]
        if one.text != first.text:
            self._clashes[_TEXTS].add(place)
        if (one.incident_id, one.source) != (first.incident_id, first.source):
            self._clashes[_INCIDENTS].add(place)
        if flag is not None and held is not None and flag is not held:
            self._clashes[_LABELS].add(place)
        self.flags[place] = flag if held is None else held
        if one.facts != first.facts:
            self._others[place].append(one.facts)

    def merge(self, name: str) -> None:
        """Make one narrative of repeated rows: facts that differ stand side by side.

        Raises:
            DatasetError: when rows contradict each other under one id.
        """
        for clash in (_TEXTS, _INCIDENTS, _LABELS):
            if places := sorted(self._clashes[clash]):
                ids = few(self.narratives[place].narrative_id for place in places)
                raise DatasetError(f"{name} has {clash}: {ids}; give each narrative one row and an id of its own")
        for place, others in self._others.items():
            first = self.narratives[place]
            values = {fact: {first.facts[fact], *(other[fact] for other in others)} for fact in first.facts}
            facts = {fact: " | ".join(sorted(said - {""})) for fact, said in values.items()}
            self.spool.replace(place, self._cells(replace(first, facts=facts)))

    def _cells(self, one: Narrative) -> list[str]:
        facts = [one.facts[fact] for fact in self.facts]
        return [one.narrative_id, one.incident_id, one.source or "", one.text, *facts]


def few(items: Iterable[object]) -> str:
    """Name the first of many, and how many there are.

    >>> few(range(2, 9))
    '2, 3, 4, 5, 6 … (7 in all)'
    """
    named = [str(item) for item in items]
    return ", ".join(named[:SHOWN]) + (f" … ({len(named)} in all)" if len(named) > SHOWN else "")
