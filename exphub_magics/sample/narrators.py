"""How one source tells of an incident: from facts and hand-written material to a clerk's prose.

The material (`material/*.yml`) is written by hand, a sentence or two a line. `<slot>` is filled from the
facts or from a list of words, `(a|b)` is a choice, and `<per>` says who told it.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

Choice = TypeVar("Choice")

VOICE = {"CME": "examiner", "LE": "officer"}
# Topics whose plain statements read well in one sentence.
LIFE = {"household", "work", "health", "relation"}


@dataclass(frozen=True, slots=True)
class Facts:
    """What both narrators agree on: tags choose the material, words fill its slots."""

    tags: frozenset[str]
    words: Mapping[str, str]


@dataclass(slots=True)
class Dice:
    """Seeded chance that goes through all lines of a list before it repeats one."""

    rng: Random
    piles: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def draw(self, lines: Sequence[str]) -> str:
        """Take the next line of a shuffled pile, reshuffling when it runs out."""
        pile = self.piles.setdefault(tuple(lines), [])
        if not pile:
            pile.extend(lines)
            self.rng.shuffle(pile)
        return pile.pop()

    def chance(self, probability: float) -> bool:
        """Say yes with this probability."""
        return self.rng.random() < probability

    def weighted(self, weights: Mapping[Choice, float]) -> Choice:
        """Take one of these, each as often as its weight says."""
        return self.rng.choices(tuple(weights), tuple(weights.values()))[0]


@dataclass(slots=True)
class Narrator:
    """One source in the act of writing: its manner of speech and whom the text has introduced so far."""

    dice: Dice
    source: str
    words: dict[str, str]
    introduced: set[str] = field(default_factory=set)


@functools.cache
def material(name: str) -> Any:
    """Read one file of hand-written material.

    >>> sorted(material("positive_direct"))
    ['controlling', 'economic', 'physical']
    """
    return yaml.safe_load((files(__package__) / "material" / f"{name}.yml").read_text(encoding="utf-8"))


def narrate(dice: Dice, facts: Facts, source: str, scenario: Mapping[str, Any], share: int) -> str:
    """Compose one narrative: an opening, then background and evidence in the order of most reports.

    `share` is how many pieces of the scenario's evidence this source learnt of.
    """
    voice, lists = material(VOICE[source]), material("words")
    words = {**facts.words, "v": dice.rng.choice(lists[f"deceased_{source}"])}
    denied = "counter" in scenario and not share
    pool = _pool(scenario["counter" if denied else "evidence"], facts.tags)
    plain = 0 if denied else scenario.get("explicit", 0)
    evidence = [dice.draw(_plain() if dice.chance(plain) else pool) for _ in range(1 if denied else share)]
    told = [dice.draw(_pool(voice["opening"], facts.tags))]
    # An attribution is some four words, and the target is the same whatever there is to tell.
    length = int(dice.rng.triangular(35, 175, 80)) - sum(len(line.split()) + 4 for line in (*told, *evidence))
    place, spread = dice.rng.triangular(2, 11, 8), dice.rng.choice((0.4, 0.4, 4.0))
    ranked = [(place + dice.rng.uniform(-spread, spread), line, "evidence") for line in evidence]
    topics = list(enumerate(lists[f"layout_{source}"]))
    dice.rng.shuffle(topics)
    for rank, topic in topics:
        pool = _pool(voice[topic], facts.tags)
        if length > 0 and pool:
            line = dice.draw(pool)
            length -= len(line.split())
            ranked.append((99 if topic == "closing" else rank + dice.rng.uniform(-1, 1), line, topic))
    told += _joined(dice, [(line, topic) for _, line, topic in sorted(ranked)])
    narrator = Narrator(dice, source, words)
    return _clerk(dice, source, " ".join(_sentence(narrator, line) for line in told))


def _joined(dice: Dice, lines: Sequence[tuple[str, str]]) -> list[str]:
    """Run two plain statements about the decedent's life into one sentence, more often than not."""
    told: list[str] = []
    before = ""
    for line, topic in lines:
        simple = re.fullmatch(r"<(he|v)> [^.,;]+\.", line) and " and " not in line
        plain = topic if simple and topic in LIFE else ""
        if plain and before and plain != before and dice.chance(0.6):
            told[-1] = f"{told[-1][:-1]} and {line.partition(' ')[2]}"
            before = ""
        else:
            told.append(line)
            before = plain
    return told


def _plain() -> list[str]:
    return list(material("plain_words")["explicit"]["any"])


def _pool(node: Mapping[str, list[str]], tags: frozenset[str]) -> list[str]:
    return [line for key, lines in node.items() if key == "any" or key in tags for line in lines]


def _sentence(narrator: Narrator, line: str) -> str:
    """Fill a line's choices and slots, with whoever appears for the first time properly introduced."""
    rng = narrator.dice.rng
    while choice := re.search(r"\(([^()]*\|[^()]*)\)", line):
        line = line.replace(choice[0], rng.choice(choice[1].split("|")), 1)
    line = _introduce(narrator, line)
    if narrator.dice.chance(0.45):
        line = line.replace("<per> <he>", "<per> <v>", 1)
    while slot := re.search(r"<(\w+)>", line):
        line = line.replace(slot[0], _word(narrator, slot[1]), 1)
    line = re.sub(r"\b([Aa]) (?=[aeio](?!ne\b|ne-|nce))", r"\1n ", line)
    return re.sub(r"(^|[.!?]\"? )([a-z])", lambda match: match[1] + match[2].upper(), " ".join(line.split()))


def _introduce(narrator: Narrator, line: str) -> str:
    """Say whose partner, relative or landlord it is at the first mention, and `the` friend from the second on."""
    before, pronoun, after = line.partition("<p_he>")
    if pronoun and "<partner>" not in before:
        line = f"{before}the <partner>{after}"
    for person in ("partner", "relative", "peer"):
        if f"<{person}>" in line and person not in narrator.introduced:
            whose = ["<his>"] if re.search(f"<(he|v)>.*<{person}>", line) else ["<his>", "<v>'s"]
            line = re.sub(rf"\b[Tt]he <{person}>", f"{narrator.dice.rng.choice(whose)} <{person}>", line, count=1)
    if "friend" in narrator.introduced:
        line = re.sub(r"\ba <friend>", "the <friend>", line, flags=re.IGNORECASE)
    return line


def _word(narrator: Narrator, slot: str) -> str:
    lists = material("words")
    if slot == "per":
        return _attribution(narrator)
    if slot == "inv":
        return str(narrator.dice.rng.choice(lists[f"inv_{narrator.source}"]))
    if slot == "finder" and slot in narrator.introduced:
        return re.sub(r"^a ", "the ", narrator.words[slot])
    narrator.introduced.add(slot)
    return str(narrator.words.get(slot) or narrator.dice.rng.choice(lists[slot]))


def _attribution(narrator: Narrator) -> str:
    """Say who told it: nobody, someone new by relation to the decedent, or the same person again."""
    dice, lists = narrator.dice, material("words")
    if dice.chance(0.12):
        return ""
    noun = dice.rng.choice(("kin", "kin", "friend"))
    if f"source {noun}" in narrator.introduced:
        return dice.draw(lists["again"]).replace("source", noun)
    whose = "the" if noun in narrator.introduced else "a"
    if noun == "kin":
        whose = dice.rng.choice(("<his>", "<v>'s"))
    narrator.introduced.add(f"source {noun}")
    return dice.draw(lists[f"per_{narrator.source}"]).replace("<source>", f"{whose} <{noun}>")


def _clerk(dice: Dice, source: str, text: str) -> str:
    """Add what hurried hands add: shorthand, slips of the keyboard, and now and then a locked shift key."""
    lists = material("words")
    for group, share in (("shorthand_people", 0.35), ("shorthand_clerk", 0.12 if source == "CME" else 0.06)):
        if dice.chance(share):
            for word, short in lists[group].items():
                text = re.sub(rf"\b{word}\b", short, text, flags=re.IGNORECASE)
    slips = dice.rng.choice((0, 0, 0, 0.006, 0.012))
    text = " ".join(_slip(dice, word) if slips and dice.chance(slips) else word for word in text.split(" "))
    return text.upper() if dice.chance(0.035) else text


def _slip(dice: Dice, word: str) -> str:
    if not re.fullmatch(r"[a-z]{5,}", word):
        return word
    at = dice.rng.randrange(1, len(word) - 1)
    swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return dice.rng.choice((swapped, word[:at] + word[at + 1 :], word[: at + 1] + word[at:]))
