"""The builtin model `rules-1`: it applies the criteria that a prompt states, offline and always alike.

It is a rule reader and no language model: its figures say nothing about how a language model would do. It lets every
screen, test and notebook work without a network. It sees the rendered messages and never a label.

How a prompt is read, clause by clause, bullets under the line before them (`explain` shows it, builtin.yml the words):

- INCLUDE is the rule. A concept that is named counts ("physical violence", "controlling behavior", "protective order");
  "intimate partner violence" names a set of them, "indirect evidence" another. "Only" leaves no more than is named.
- EXCLUDE: "do not count", "not enough", "ignore", "is not" and bullets under such a line switch off what they name;
  "alone" weakens it, as "may" weakens what is included. What follows "unless" or "without" is no part of it.
- TERMS are looked for as they stand, by stem: what is in quotes, bullets under a line that includes, and lists after
  "such as", "look for", "mention". A prompt that names nothing known is reduced to the words of its question.
- ROLES: "by a current or former partner" discounts other people, "a victim" discounts what the decedent did; with
  "must" or "only" they rule it out, as do "not by family members" and "not the perpetrator". What is mutual, past,
  withdrawn, rumored, denied or about other people is worth what the clause that speaks of it says.
- STRICTNESS: "only", "must", "explicit", "in doubt answer no" raise the threshold; "indirect", "likely", "any sign",
  "even if", "in doubt answer yes" lower it. Clauses about the answer's format are skipped.

A narrative is read sentence by sentence for the cues of what counts. Evidence is worth its weight times what its
circumstances are worth: who did it to whom, and whether it is denied, withdrawn, past or rumored. The best of each
sentence is joined with the others; the flag is set where this reaches the threshold.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

MODEL_NAME = "rules-1"

QUOTED, STEP_LENGTH = 200, 300  # characters of the deciding sentence in a rationale, and of a step
FOUND, STEP, LOWEST, HIGHEST = (
    0.85,
    0.05,
    0.35,
    0.65,
)  # worth of undisputed evidence; a step of the threshold, its limits
NEAR, LONGEST_TERM = 6, 4  # how many words around a cue are searched for people, and how many make a term

DECEDENT, PARTNER, FAMILY, OTHER, STRANGE = "decedent", "partner", "family", "other", "somebody else's partner"
DID, OTHERS_DID, UNSAID = "the decedent did it", "another person did it", "it is not said who did it to whom"
ELSEWHERE, DENIED = "it concerns other people", "it is denied"
PRONOUNS = {"he": "m", "him": "m", "his": "m", "she": "f", "her": "f", "hers": "f"}
AGENTS = {"act": "by from of", "harm": "by from with", "state": "of from by because around with on about against to"}

_KINDS = "narrative|text|report|document|passage|case|note|summary|story|record"
_FENCE = re.compile(rf'(?>.*?("""|<(?:{_KINDS})>))(?P<narrative>.*?)("""|</(?:{_KINDS})>)', re.DOTALL | re.IGNORECASE)
_LABEL = re.compile(rf"^[^\n.?!]{{0,60}}\b(?:{_KINDS})\b[^\n.?!]{{0,30}}:[ \t]*\n?", re.IGNORECASE | re.MULTILINE)
_INTRODUCTION = re.compile(r".*?\n[ \t]*\n|[^?]*\?\s", re.DOTALL)
_TAIL = re.compile(r"\n[ \t]*\n([^\n]*\?|(?:answer|return|respond|reply|decide|flag|judge)\b[^\n]*)$", re.IGNORECASE)
_TOKEN = re.compile(r"w/o?|[^\W\d_]+(?:['-][^\W\d_]+)*|\d+|[.,;:()]")
_SENTENCE = re.compile(r"[^\n]{1,600}?(?:[.!?][\"”)]?(?=\s)|(?=\n)|\Z)|[^\n]{600}")  # a longer one is cut
_WRAP = re.compile(r"(?<![:\n])\n(?![ \t]*(?:[-*•#\n]|\d+[.)]|$))")
_BULLET = re.compile(r"\s*(?:[-*•]|\d+[.)])\s+")
_CLAUSE = re.compile(r"(?<=[.?!;])[\"”)]?\s+|(?<=count),\s+|(?<=counts),\s+|\s+[–—-]+\s+|,?\s+(?=(?:but|however)\b)")
_QUOTES = re.compile(r"(?<!\w)[\"“']([^\"”'\n]{2,60})[\"”'](?!\w)")
_PRONOUN = re.compile(rf"\b(?:{'|'.join(PRONOUNS)})\b", re.IGNORECASE)
_ENDING = re.compile(r"(?<=\w{3})(?:i?es|i?ed|ing|(?<![su])s|e|y)$")


class _Cue(NamedTuple):  # a phrase that speaks for a concept or a term; its voice says how its people are found
    concept: str
    voice: str
    stems: tuple[str, ...]
    weight: float


class _Reading(NamedTuple):  # a weight, what a circumstance is worth, or a step of the threshold, as a clause says it
    kind: str
    name: str
    value: float
    clause: str


class Criteria(NamedTuple):
    """What a prompt was read to say: what weighs how much (0 is left out), and what circumstances are worth."""

    weights: Mapping[str, float]
    counted: str
    factors: Mapping[str, float]
    threshold: float
    readings: Sequence[_Reading]
    cues: Mapping[str, Sequence[_Cue]]  # by the first stem


class _Hit(NamedTuple):  # a piece of evidence in a narrative, its circumstances and its worth
    what: str
    words: str
    sentence: str
    around: Sequence[str]
    worth: float


def answer(messages: Sequence[Mapping[str, str]]) -> str:
    """Give the text that a model would send: a JSON object with a flag and the reasons for it.

    >>> def flag(text):
    ...     prompt = {"content": "Was the decedent a victim of violence by a current or former partner?"}
    ...     return json.loads(answer([prompt, {"content": text}]))["flag"]
    >>> flag("Per his sister, V was shoved by his girlfriend."), flag("Per his sister, V shoved his girlfriend.")
    (True, False)
    """
    prompt, narrative = split(messages)
    criteria = read_criteria(prompt)
    hits = sorted(_hits(narrative, criteria), key=lambda hit: -hit.worth)
    best = {hit.sentence: hit.worth for hit in reversed(hits)}
    score = 1 - math.prod(1 - worth for worth in best.values())  # as if sentences were independent witnesses
    flag = score >= criteria.threshold
    room = 1 - criteria.threshold if flag else criteria.threshold
    told = [
        f'{hit.what} ("{hit.words}"{"".join(f", {each}" for each in hit.around)}) {hit.worth:.2f}' for hit in hits[:20]
    ]
    steps = (
        f"The prompt counts: {criteria.counted}.",
        f"Found: {'; '.join([*dict.fromkeys(told)][:4]) or 'nothing of that'}.",
        f"Its worth is {score:.2f} of 1, {'enough for' if flag else 'below'} a threshold of {criteria.threshold:.2f}.",
    )
    quoted = [f'{": ".join([hit.what, *hit.around])}: "{hit.sentence[:QUOTED]}"' for hit in hits[:1]]
    reply = {
        "reasoning_steps": [step[:STEP_LENGTH] for step in steps],
        "rational": f"{'Evidence' if flag else 'Not enough'} of {quoted[0] if quoted else 'what the prompt counts'}",
        "flag": flag,
        "confidence": round(0.5 + 0.48 * abs(score - criteria.threshold) / room, 2),
    }
    return json.dumps(reply, ensure_ascii=False).encode(errors="replace").decode()


def split(messages: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    """Tell the prompt from the narrative: the last message, less a label or a fence and the instructions around it."""
    contents = [message.get("content", "") for message in messages] or [""]
    before, last = "\n".join(contents[:-1]).strip(), contents[-1].strip()
    if fence := _FENCE.match(last):
        start, end = fence.span("narrative")
    else:
        label = _LABEL.search(last)
        is_ours = label and (label.start() == 0 or not before or "?" in last[: label.start()])
        opening = label if is_ours else None if before else _INTRODUCTION.match(last)
        start = opening.end() if opening else 0
        tail = _TAIL.search(last, start)
        end = tail.start() if tail else len(last)
    narrative = last[start:end].strip()
    prompt = "\n".join(part for part in (before, last[:start].strip(), last[end:].strip()) if part)
    # A prompt with the slot in its system message sends the narrative twice. Few words may stand there by chance.
    return prompt.replace(narrative, "") if len(narrative) > 40 else prompt, narrative  # noqa: PLR2004


@functools.cache
def _data() -> Mapping[str, Any]:
    data: dict[str, Any] = yaml.safe_load(files(__package__).joinpath("builtin.yml").read_text("utf-8"))
    return data | {"irregular": dict(pair.split() for pair in data["irregular"].split(", "))}


@functools.lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    word = _ENDING.sub("", _data()["irregular"].get(word, word))
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word  # noqa: PLR2004 - "slapped", but not "add"


def _words(text: str) -> list[str]:
    return _TOKEN.findall(text.lower().replace("\u2019", "'").replace("n't", " not"))


class _Lexicon:
    """The words of builtin.yml, stemmed, compiled, and indexed."""

    def __init__(self) -> None:
        data = _data()
        voices = [(concept, *voice) for concept, found in data["concepts"].items() for voice in found.items()]
        phrases = [(concept, voice, phrase) for concept, voice, text in voices for phrase in text.split(", ")]
        self.cues = [_cue(*each) for each in phrases if each[1] != "names"]
        self.lookalikes = _indexed([_cue("", "", phrase) for phrase in data["lookalikes"].split(", ")])
        self.implied = {_cue("", "", phrase).stems for phrase in data["partner_implied"].split(", ")}
        # What a name in a prompt means: the kinds of the readings, the concepts, and how much they weigh.
        self.means: dict[str, list[tuple[str, str, float]]] = {name: [] for name in data["lookalikes"].split(", ")}
        self.means |= {name: [("concept", concept, 1.0)] for concept, voice, name in phrases if voice == "names"}
        for kind, found in data["groups"].items():
            told = [(kind, concept, float(part)) for concept, part in found["means"].items()]
            self.means |= dict.fromkeys(found["names"].split(", "), told)
        self.name = re.compile(rf"\b(?:{'|'.join(sorted(self.means, key=len, reverse=True))})\b", re.IGNORECASE)
        self.people = {word: who for who, text in data["people"].items() for word in text.split(", ")}
        self.words = {name: frozenset(map(_stem, text.split())) for name, text in data["words"].items()}
        self.grammar = {name: _any_of(text) for name, text in (data["grammar"] | data["around"]).items()}
        self.stories: dict[str, dict[str, Any]] = data["circumstances"]
        self.in_prompt = {name: _any_of(story["prompt"]) for name, story in self.stories.items()}
        shown = {name: story["narrative"] for name, story in self.stories.items() if "narrative" in story}
        self.in_narrative = {name: _any_of(text) for name, text in shown.items()}


_lexicon = functools.cache(_Lexicon)


def _cue(concept: str, voice: str, phrase: str) -> _Cue:
    return _Cue(concept, voice, tuple(word if word == ".." else _stem(word) for word in phrase.lower().split()), 0.0)


def _any_of(text: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(part.strip() for part in text.split(' | '))})(?!\w)", re.IGNORECASE)


def _indexed(cues: Sequence[_Cue]) -> dict[str, list[_Cue]]:
    index: dict[str, list[_Cue]] = {}
    for cue in cues:
        index.setdefault(cue.stems[0], []).append(cue)
    return index


@functools.lru_cache(maxsize=256)
def read_criteria(prompt_text: str) -> Criteria:
    """What a prompt says counts, what does not, whose acts matter, and how strict it is.

    >>> criteria = read_criteria("Does the text mention an eviction? Threats count, arguments do not.")
    >>> criteria.weights, criteria.threshold
    ({'"eviction"': 1.0, 'threat': 1.0, 'conflict': 0.0}, 0.5)
    """
    readings = [reading for clause in _clauses(prompt_text) for reading in _read(*clause)]
    kinds = ("only", "topic", "indirect", "violence", "concept", "role", "must", "worth")
    said = {kind: {reading.name: reading.value for reading in readings if reading.kind == kind} for kind in kinds}
    named = said["violence"] | said["concept"]
    weights = ({} if said["only"] and any(named.values()) else said["topic"]) | said["indirect"] | named
    if not any(weights.values()):
        asked = "\n".join(re.findall(r"[^.?!\n]*\?", prompt_text)) or prompt_text
        weights |= dict.fromkeys((term for item in re.split(r"[,:\n]", asked) for term in _terms(item)), 1.0)
    cues = [cue._replace(weight=weights.get(cue.concept, 0.0)) for cue in _lexicon().cues]
    terms = [(term, tuple(term.strip('"').replace(" ", " .. ").split())) for term in weights if '"' in term]
    cues += [_Cue(term, "term", stems, weights[term]) for term, stems in terms]
    counted = [name if weight == 1 else f"{name} × {weight:g}" for name, weight in weights.items() if weight]
    untold = {name: story["worth"][0] for name, story in _lexicon().stories.items()}
    strictness = sum(reading.value for reading in readings if reading.kind == "step")
    factors = untold | said["role"] | said["must"] | said["worth"]
    threshold = round(min(max(0.5 + STEP * strictness, LOWEST), HIGHEST), 2)
    index = _indexed([cue for cue in cues if cue.weight])
    return Criteria(
        weights, ", ".join(counted) or "nothing known", factors, threshold, [*dict.fromkeys(readings)], index
    )


def _clauses(prompt: str) -> Iterator[tuple[str, str, bool]]:
    """Every clause with its scope (include, exclude or none), and whether it is an item of a list."""
    heading = ""
    for line in _WRAP.sub(" ", prompt.replace("\u2019", "'").replace("**", "")).splitlines():
        is_item = bool(_BULLET.match(line))
        scope = above = heading if is_item else ""
        for clause in _CLAUSE.split(" ".join(_BULLET.sub("", line, count=1).split())):
            said = _said(clause)
            own = "exclude" if "exclude" in said else "include" if said & {"include", "plea"} else above
            scope = above if above == "exclude" else own
            yield clause, scope, is_item
        heading = heading if is_item or not line.strip() else scope


def _said(clause: str) -> frozenset[str]:
    """Which rules of the grammar speak in a clause; a plea, as in "need not be named", excludes nothing."""
    said = {name for name, pattern in _lexicon().grammar.items() if pattern.search(clause)}
    return frozenset(said - {"exclude", "strict"} if "plea" in said else said)


def _read(clause: str, scope: str, is_item: bool) -> Iterator[_Reading]:  # noqa: FBT001 - as `_clauses` gives it
    """What a clause says; one that excludes acts by who did them, or how they are told, excludes no more than these."""
    said, is_out = _said(clause), scope == "exclude"
    if "doubt" in said:
        yield _Reading("step", "in doubt", 2 if "answer_no" in said else -2, clause)
    if not said.isdisjoint({"doubt", "format"}):
        return
    told = _lexicon().grammar["cut" if is_out else "context"].split(clause)[0] if is_out or is_item else clause
    bare = _QUOTES.sub(" ", told)
    roles = [_Reading(*role, clause) for role in _roles_said(bare, scope, said)]
    yield from roles
    is_about_roles = any(reading.kind != "role" for reading in roles)
    if step := ("strict" in said and not is_about_roles and not is_out) - ("lenient" in said) * (-1 if is_out else 1):
        yield _Reading("step", "stricter" if step > 0 else "more lenient", step, clause)
    if "plea" in said or (is_out and is_about_roles):
        return
    if "only" in said and scope == "include":
        yield _Reading("only", "no more than is named", 1.0, clause)
    weight = (0.45 if "alone" in said else 0.0) if is_out else 0.7 if "weak" in said else 1.0
    for name in _lexicon().name.findall(bare):
        for kind, concept, part in _lexicon().means[name.lower()]:
            if kind != "topic" or not is_out:
                yield _Reading(kind, concept, part if kind == "topic" else part * weight, clause)
    listed = _lexicon().grammar["list"].search(bare)
    items = re.split(r"[,:()/]", bare[listed.end() :] if listed else bare if is_item else "")
    items = _QUOTES.findall(told) + [item for item in items if not _lexicon().name.search(item)]
    yield from (_Reading("concept", term, weight, clause) for item in items for term in _terms(item) if scope)


def _roles_said(clause: str, scope: str, said: frozenset[str]) -> Iterator[tuple[str, str, float]]:
    for name, story in _lexicon().stories.items():
        if scope and _lexicon().in_prompt[name].search(clause):
            yield "worth", name, story["worth"][1 if scope == "exclude" else 2]
        for role in story.keys() & said if scope != "exclude" else ():
            yield ("must", name, story[role][1]) if "must" in said else ("role", name, story[role][0])


def _terms(text: str) -> Iterator[str]:
    """The words to look for in an item of a list, by stem and in quotes; an item of many words is a sentence."""
    for piece in re.split(r"\bor\b|\band\b", text):
        stems = dict.fromkeys(_stem(word) for word in _words(piece) if word[0].isalnum() and len(word) > 1)
        content = [word for word in stems if word not in _lexicon().words["talk"]]
        if 0 < len(content) <= LONGEST_TERM:
            yield f'"{" ".join(content)}"'


def explain(prompt_text: str) -> str:
    """Say in plain text how a prompt was read, so that one can see why a wording changed a decision, or did not.

    >>> print(explain("Does the text mention a smoke detector? Arguments do not count."))
    counts:    "smok detector"
    left out:  conflict
    worth:     the decedent did it × 1, another person did it × 1, ...
    threshold: 0.50 of 1
    read as:
      "smok detector": 1 <- Does the text mention a smoke detector?
      conflict: 0 <- Arguments do not count.
    >>> print(explain("Was V hit? A movie night counts for little.").splitlines()[-1])
      nothing <- A movie night counts for little.
    """
    criteria = read_criteria(prompt_text)
    read = {clause for _, _, _, clause in criteria.readings}
    lines = [
        f"counts:    {criteria.counted}",
        f"left out:  {', '.join(name for name, weight in criteria.weights.items() if not weight) or 'nothing'}",
        f"worth:     {', '.join(f'{name} × {factor:g}' for name, factor in criteria.factors.items())}",
        f"threshold: {criteria.threshold:.2f} of 1",
        "read as:",
        *(f"  {name}: {value:g} <- {clause[:90]}" for _, name, value, clause in criteria.readings),
        *(f"  nothing <- {clause[:90]}" for clause in _ruling(prompt_text) if clause not in read),
    ]
    return "\n".join(lines)


def _ruling(prompt: str) -> Iterator[str]:
    """The clauses that say what counts or does not, without the headings of lists."""
    return (clause for clause, scope, _ in _clauses(prompt) if scope and clause.strip() and not clause.endswith(":"))


class _Sentence(NamedTuple):
    """A sentence in words; its people stand at their places, and before `start` stands who told it."""

    words: Sequence[str]
    start: int
    people: Sequence[tuple[int, str]]

    def before(self, at: int) -> str:
        """The nearest person before a word: in what is told, else the decedent if it is the decedent who tells it."""
        near = (who for place, who in reversed(self.people) if place < at and (place >= self.start or who == DECEDENT))
        return next(near, "")

    def after(self, at: int, marks: str = "", reach: int = NEAR) -> str:
        """The nearest person after a word, or after the first of these marks that follows it."""
        if marks:
            marked = (at + place for place, word in enumerate(self.words[at : at + NEAR]) if word in marks.split())
            at = next(marked, len(self.words))
        return next((who for place, who in self.people if at <= place < at + reach), "")


def _hits(narrative: str, criteria: Criteria) -> Iterator[_Hit]:
    """All that the prompt counts and the narrative says, whatever it is worth under its circumstances."""
    first = _PRONOUN.search(narrative)
    gender = PRONOUNS[first[0].lower()] if first else ""  # the decedent's
    for text in map(str.strip, _SENTENCE.findall(narrative)):
        words = _words(text)
        stems = [_stem(word) for word in words]
        masked = {place for _, at, end in _found(stems, _lexicon().lookalikes) for place in range(at, end)}
        teller = _lexicon().grammar["teller"].match(" ".join(words))
        start = len(teller[0].split()) if teller else 0
        sentence = _Sentence(words, start, _people(words, masked, gender))
        found = [each for each in _found(stems, criteria.cues) if each[1] not in masked or each[0].voice == "term"]
        stories = [name for name, pattern in _lexicon().in_narrative.items() if found and pattern.search(text)]
        for cue, at, end in found:
            who = "" if cue.voice == "term" else _who(sentence, cue, at, end)
            denied = DENIED if _leads("denied", " ".join(words[max(0, at - 7) : at])) else ""
            around = list(dict.fromkeys(filter(None, (who, *stories, denied))))
            worth = FOUND * cue.weight * math.prod(criteria.factors[each] for each in around)
            yield _Hit(cue.concept, " ".join(words[at:end]), text, around, min(worth, 0.97))


@functools.lru_cache(maxsize=4_096)  # cues that share a place ask alike
def _leads(name: str, before: str) -> bool:
    return bool(_lexicon().grammar[name].search(before + " "))


def _found(stems: Sequence[str], index: Mapping[str, Sequence[_Cue]]) -> Iterator[tuple[_Cue, int, int]]:
    """The cues in a sentence, and where each starts and ends."""
    text, offset = " ".join(stems) + " ", 0
    for at, word in enumerate(stems):
        for cue in index.get(word, ()):
            if found := _phrase(cue.stems).match(text, offset):
                yield cue, at, at + found[0].count(" ")
        offset += len(word) + 1


@functools.cache
def _phrase(stems: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile((" ".join(map(re.escape, stems)) + " ").replace(r"\.\. ", r"(?:[\w'-]+ ){0,3}?"))


def _people(words: Sequence[str], masked: set[int], gender: str) -> list[tuple[int, str]]:
    """Who is spoken of, by place; a pronoun of the decedent's gender means the decedent, any other the partner."""
    found: list[tuple[int, str]] = []
    known, owned = _lexicon().people, -NEAR
    for at, word in enumerate(words):
        noun = word.removesuffix("'s").removeprefix("ex-").removesuffix("-in-law")
        if word in PRONOUNS:
            who = DECEDENT if PRONOUNS[word] == gender else PARTNER
        elif noun in known and at not in masked:
            who = known[noun]
            if at - owned <= 2 and words[at - 1] not in _lexicon().words["after_her"]:  # noqa: PLR2004 - "her adult son"
                owner = found.pop()[1]
                who = who if owner == DECEDENT else STRANGE if who == PARTNER else OTHER
        else:
            continue
        found.append((at, who))
        owned = at if word in {"his", "her"} or word.endswith("'s") else -NEAR
    return found


def _who(sentence: _Sentence, cue: _Cue, at: int, end: int) -> str:
    """The circumstance that follows from who did it to whom; none if the partner did it to the decedent."""
    agent, patient = _roles(sentence, cue, at, end)
    if agent == DECEDENT or (patient == PARTNER and not agent):
        return DID
    if agent == STRANGE or patient in {FAMILY, OTHER, STRANGE, PARTNER}:
        return ELSEWHERE
    if agent in {FAMILY, OTHER}:
        return OTHERS_DID
    told = (who for place, who in sentence.people if place >= sentence.start)
    return "" if agent or cue.stems in _lexicon().implied or PARTNER in told else UNSAID


def _roles(sentence: _Sentence, cue: _Cue, at: int, end: int) -> tuple[str, str]:
    """Who did it to whom, as the voice of the cue and the words around it say; the decedent is who suffers a state."""
    words, before = sentence.words, sentence.before(at)
    if cue.voice == "did":
        return sentence.after(at + 1, reach=2) or before or sentence.after(end), ""
    is_active = words[at].endswith(("ing", "ive")) or words[end - 1] in {"to", "toward", "with"}
    is_passive = words[end : end + 1] == ["by"] or _leads("passive", " ".join(words[max(0, at - 3) : at]))
    if cue.voice == "act" and (is_active or not is_passive):
        following = sentence.after(at + 1)
        return (before, following) if before or not is_active else (following, "")
    agent, patient = sentence.after(end, AGENTS.get(cue.voice, "")), ""
    if cue.voice == "harm":
        patient, of = sentence.after(end, "against toward towards on upon to"), sentence.after(end, "of")
        agent, patient = (agent or of, patient) if patient else (agent, of)
    told = (who for place, who in sentence.people if sentence.start <= place < at)
    is_pair = cue.voice == "state" and DECEDENT in told  # "she and her husband separated"
    return agent, patient or (DECEDENT if is_pair or before == agent else before or DECEDENT)
