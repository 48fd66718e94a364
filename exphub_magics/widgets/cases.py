"""Narratives of a try and texts that are kept as a page shows them: of each no more than is read at a glance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import takewhile
from typing import Any

from exphub_magics.tries import outcomes

MOST = 300  # narratives that the page lists
BEGINNING = 20_000  # characters of a narrative that are shown until the rest is asked for
SHORT = 160  # characters of a rational in the list
GIST, ALIKE = 80, 40  # characters of a prompt that are shown; as many as begin like the parent's need not be


def listed(cases: Sequence[outcomes.Case]) -> list[outcomes.Case]:
    """As many cases as the page lists, in their order: of every kind alike, as long as it has some."""
    seen: Counter[str] = Counter()
    ranked = []
    for place, case in enumerate(cases):
        seen[case.kind] += 1
        ranked.append((seen[case.kind], place))
    return [cases[place] for place in sorted(place for _, place in sorted(ranked)[:MOST])]


def brief(case: outcomes.Case) -> dict[str, Any]:
    """A case with no more of its rational than a line of a list has room for."""
    said = case.rational
    return asdict(case) | {"rational": said if len(said) <= SHORT else f"{said[:SHORT]}…"}


def cut(parts: Sequence[tuple[str, bool]], most: int | None) -> tuple[list[tuple[str, bool]], int]:
    """The pieces of a text up to so many characters, and how many are left.

    >>> cut([("V was ", False), ("afraid", True)], 8)
    ([('V was ', False), ('af', True)], 4)
    """
    shown: list[tuple[str, bool]] = []
    room = sum(len(piece) for piece, _ in parts) if most is None else most
    for piece, marked in parts:
        if room > 0:
            shown.append((piece[:room], marked))
        room -= len(piece)
    return shown, max(0, -room)


def gist(text: str, parent: str) -> str:
    """A prompt in a few words: from where it differs from its parent, if it begins as that does.

    >>> parent = "Does the narrative tell of violence between partners?"
    >>> gist(f"{parent} Fear counts.", parent), gist("Was V hit?", parent)
    ('… Fear counts.', 'Was V hit?')
    """
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(text, parent, strict=False)))
    told = " ".join((f"… {text[alike:]}" if alike >= ALIKE else text).split())
    return told if len(told) <= GIST else f"{told[:GIST]}…"
