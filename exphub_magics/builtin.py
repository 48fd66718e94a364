"""The builtin model `rules-1`: it applies the criteria that a prompt states, offline and always alike.

It is a rule reader and no language model: its figures say nothing about how a language model would do. It lets every
screen, test and notebook work without a network. It sees the rendered messages and never a label.

How a prompt is read (`explain` shows it for yours, builtin.yml holds the words):

- Clause by clause; bullets stand under the line before them. Clauses about the answer's format are skipped.
- INCLUDE is the rule. A concept that is named counts ("physical violence", "controlling behavior", "protective order");
  "intimate partner violence" names a set of them, "indirect evidence" another. "Only" leaves no more than is named.
- EXCLUDE: "do not count", "not enough", "ignore", "is not" and bullets under such a line switch off what they name;
  "alone" weakens it. What follows "unless" or "without" is no part of the exclusion.
- TERMS are looked for as they stand, by stem: what is in quotes, bullets under a line that includes, and lists after
  "such as", "look for", "mention". A prompt that names nothing known is reduced to the words of its question.
- ROLES: "by a current or former partner" discounts other people, "not family members" rules them out; "a victim"
  discounts what the decedent did, "must be the victim" or "not the perpetrator" rules it out. What is mutual, past,
  withdrawn, rumored, denied or about other people is worth what the clause that speaks of it says.
- STRICTNESS: "only", "must", "explicit", "in doubt answer no" raise the threshold; "indirect", "likely", "any sign",
  "even if", "in doubt answer yes" lower it. "Strong" and "may" weigh what their clause names.

The narrative is the last message, less a label such as `Narrative:` and the instructions around it; these and all other
messages are the prompt. What stands between triple quotes or in <narrative> tags is the narrative.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeAlias

import yaml

MODEL_NAME = "rules-1"

QUOTED, STEP_LENGTH = 200, 300  # characters of the deciding sentence in a rationale, and of a step
FOUND = 0.85  # what a piece of evidence is worth when nothing speaks against it
DISMISSED = 0.2  # what is worth less is named as set aside
STEP, LOWEST, HIGHEST = 0.05, 0.35, 0.65  # how far one strict or lenient clause moves the threshold, and its limits

Phrase: TypeAlias = tuple[str, ...]

_KINDS = "narrative|text|report|document|passage|case|note|summary|story|record"
_FENCE = re.compile(rf'"""\s*(.*?)\s*"""|<(?:{_KINDS})>\s*(.*?)\s*</(?:{_KINDS})>', re.DOTALL | re.IGNORECASE)
_LABEL = re.compile(rf"^[^\n.?!]{{0,60}}\b(?:{_KINDS})\b[^\n.?!]{{0,30}}:[ \t]*\n?", re.IGNORECASE | re.MULTILINE)
_VERBS = "answer|return|respond|reply|decide|flag|judge|classify"
_TAIL = re.compile(rf"\n\s*\n([^\n]*\?|(?:{_VERBS})\b[^\n]*)\s*$", re.IGNORECASE)
_TOKEN = re.compile(r"w/o?|[^\W\d_]+(?:['-][^\W\d_]+)*|\d+|[.,;:()]")
_SENTENCE = re.compile(r"(?<=[.!?])[\"”)]?\s+|\n+")
_BULLET = re.compile(r"^\s*(?:[-*•]\s+|\d+[.)]\s+|(?=[A-Z][\w ]{0,30}:\s+\S))")
_CLAUSE = re.compile(
    r"(?<=[.?!])[\"”)]?\s+|(?:(?<=count)|(?<=counts)),\s+|;\s+|\s+[\u2013\u2014-]+\s+"
    r"|,?\s+(?=(?:but|however|whereas|although)\b)"
)
_QUOTES = re.compile(r"(?<!\w)[\"“']([^\"”'\n]{2,60})[\"”'](?!\w)")
_GAP, _REACH = "..", 4  # a gap in a phrase, and how far on its next word may stand
_NEAR, _OPENING = 6, 16  # how many words around a cue, and at a sentence's start, are searched for people
_BREAKS = frozenset({",", ";", ".", "and"})
_ENDINGS = (("ies", "i"), ("ied", "i"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", ""))
_LONGEST_TERM, _LONGEST = 4, 2_000  # words of a term; characters of a sentence, longer ones are read in parts

_DECEDENT, _PARTNER, _FAMILY, _OTHER, _STRANGE = "decedent", "partner", "family", "other", "strange"
_PRONOUNS = {"he": "m", "him": "m", "his": "m", "she": "f", "her": "f", "hers": "f"}
_DID, _OTHERS_DID, _UNSAID = "the decedent did it", "another person did it", "it is not said who did it to whom"
_IMPLIED = "it is left to the reader who did it"
_MUTUAL, _ELSEWHERE, _DENIED = "it was mutual", "it concerns other people", "it is denied"
_BETWEEN_PEOPLE = frozenset({"physical", "sexual", "stalking"})  # done to nobody, their words mean other things
_STORIES = {
    "past_story": "it is long past",
    "undone_story": "it was withdrawn or unfounded",
    "rumored_story": "it is rumored",
}


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a prompt was read to say; `notes` pair each reading with the words that gave it."""

    concepts: Mapping[str, float]
    cues: Mapping[Phrase, float]
    terms: Mapping[Phrase, float]
    factors: Mapping[str, float]
    threshold: float
    excluded: tuple[str, ...]
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """One piece of evidence in a narrative: what matched, where, its circumstances and its worth."""

    what: str
    words: str
    sentence: str
    circumstances: tuple[str, ...]
    worth: float


@dataclass(frozen=True, slots=True)
class Cue:
    """A phrase that speaks for a concept; its kind says how the people around it are to be read."""

    concept: str
    kind: str
    stems: Phrase


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The words of builtin.yml, stemmed, compiled, and indexed by their first stem."""

    cues: Mapping[str, tuple[Cue, ...]]
    lookalikes: Mapping[str, tuple[Cue, ...]]
    misnamed: re.Pattern[str]
    implied: frozenset[Phrase]
    names: Mapping[str, re.Pattern[str]]
    groups: Mapping[str, tuple[re.Pattern[str], Mapping[str, float]]]
    people: Mapping[str, tuple[str, str]]
    words: Mapping[str, frozenset[str]]
    grammar: Mapping[str, re.Pattern[str]]
    circumstances: Mapping[str, tuple[re.Pattern[str], tuple[float, float, float]]]


def answer(messages: Sequence[Mapping[str, str]]) -> str:
    """Give the text that a model would send: a JSON object with a flag and the reasons for it.

    >>> prompt = "Was the decedent a victim of violence by a current or former partner?"
    >>> def ask(text):
    ...     return json.loads(answer([{"role": "system", "content": prompt}, {"role": "user", "content": text}]))
    >>> ask("Per his sister, V was shoved by his girlfriend last week.")["flag"]
    True
    >>> ask("Per his sister, V shoved his girlfriend last week.")["flag"]
    False
    """
    prompt, narrative = split(messages)
    criteria = read_criteria(prompt)
    hits = list(_hits(narrative, criteria))
    score = _score(hits)
    flag = score >= criteria.threshold
    room = 1 - criteria.threshold if flag else criteria.threshold
    reply = {
        "reasoning_steps": _steps(criteria, hits, score),
        "rational": _rational(hits, flag=flag),
        "flag": flag,
        "confidence": round(0.5 + 0.48 * abs(score - criteria.threshold) / room, 2),
    }
    return json.dumps(reply, ensure_ascii=False).encode(errors="replace").decode()


def _score(hits: Iterable[Hit]) -> float:
    """Join the best evidence of each sentence as if sentences were independent witnesses."""
    best: dict[str, float] = {}
    for hit in hits:
        best[hit.sentence] = max(best.get(hit.sentence, 0.0), hit.worth)
    doubt = 1.0
    for worth in best.values():
        doubt *= 1 - worth
    return 1 - doubt


def split(messages: Sequence[Mapping[str, str]]) -> tuple[str, str]:
    r"""Tell the prompt from the narrative, which is the last message less the instructions around it.

    >>> split([{"role": "system", "content": "Any dog?"}, {"role": "user", "content": "Report:\nA cat sat."}])
    ('Any dog?\nReport:', 'A cat sat.')
    >>> split([{"role": "user", "content": "Does it mention a dog?\n\nA cat sat."}])
    ('Does it mention a dog?', 'A cat sat.')
    """
    contents = [message.get("content", "") for message in messages] or [""]
    before, last = "\n".join(contents[:-1]), contents[-1]
    head, narrative, tail = _around(last, is_alone=not before.strip())
    prompt = "\n".join(part for part in (before, head, tail) if part)
    # A prompt with the slot in its system message sends the narrative twice. Few words may stand there by chance.
    return prompt.replace(narrative, "") if len(narrative) > 40 else prompt, narrative  # noqa: PLR2004


def _around(text: str, *, is_alone: bool) -> tuple[str, str, str]:
    fence = _FENCE.search(text)
    if fence:
        return (text[: fence.start()].strip(), fence.group(1) or fence.group(2) or "", text[fence.end() :].strip())
    label = _LABEL.search(text)
    if label and (label.start() == 0 or is_alone or "?" in text[: label.start()]):
        start = label.end()
    else:
        opening = re.match(r"[^\n]*[?:]\s*\n\s*\n\s*", text)
        loose = re.match(r".*?\n\s*\n\s*|[^?]*\?\s+", text, re.DOTALL) if is_alone else None
        found = opening or loose
        start = found.end() if found else 0
    tail = _TAIL.search(text, start)
    end = tail.start() if tail else len(text)
    return text[:start].strip(), text[start:end].strip(), text[end:].strip()


# --- words ------------------------------------------------------------------------------------------------------------


@functools.cache
def _data() -> Mapping[str, Any]:
    data: Mapping[str, Any] = yaml.safe_load(files(__package__).joinpath("builtin.yml").read_text("utf-8"))
    return data


@functools.cache
def _irregular() -> Mapping[str, str]:
    return dict(pair.split() for pair in _phrases(_data()["irregular"]))


def _phrases(text: str) -> list[str]:
    return [phrase for part in text.split(",") if (phrase := part.strip())]


@functools.lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Reduce a word in lower case to what its forms share; prompt and narrative are reduced alike.

    >>> [stem(word) for word in ("threatened", "threats", "struck", "strikes", "denied", "deny")]
    ['threaten', 'threat', 'strik', 'strik', 'deni', 'deni']
    """
    word = _irregular().get(word, word)
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) > 2 and not word.endswith(("ss", "us")):  # noqa: PLR2004
            word = word[: len(word) - len(ending)] + instead
            break
    if len(word) > 3 and word[-1] == word[-2]:  # noqa: PLR2004 - "slapped" doubles its consonant, "add" is a word
        word = word[:-1]
    return word[:-1] + "i" if word.endswith("y") else word


def _words(text: str) -> list[str]:
    return _TOKEN.findall(text.lower().replace("\u2019", "'").replace("n't", " not"))


def _stems(phrase: str) -> Phrase:
    return tuple(_GAP if word == _GAP else stem(word) for word in phrase.lower().split())


def _names(text: str) -> re.Pattern[str]:
    either = "|".join(re.sub(r"[\s-]+", r"[\\s-]+", phrase) for phrase in sorted(_phrases(text), key=len, reverse=True))
    return re.compile(rf"\b(?:{either})\b", re.IGNORECASE)


def _expression(text: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(part.strip() for part in text.split(' | '))})(?!\w)", re.IGNORECASE)


def _indexed(cues: Iterable[Cue]) -> dict[str, tuple[Cue, ...]]:
    index: dict[str, tuple[Cue, ...]] = {}
    for cue in dict.fromkeys(cues):
        index[cue.stems[0]] = (*index.get(cue.stems[0], ()), cue)
    return index


@functools.cache
def _lexicon() -> Lexicon:
    data = _data()
    kinds = [
        (concept, *kind) for concept, found in data["concepts"].items() for kind in found.items() if kind[0] != "names"
    ]
    weights = {name: dict(pair.split() for pair in _phrases(group["means"])) for name, group in data["groups"].items()}
    return Lexicon(
        cues=_indexed(Cue(concept, kind, _stems(phrase)) for concept, kind, text in kinds for phrase in _phrases(text)),
        lookalikes=_indexed(Cue("", "", _stems(phrase)) for phrase in _phrases(data["lookalikes"])),
        misnamed=_names(", ".join(phrase for phrase in _phrases(data["lookalikes"]) if _GAP not in phrase)),
        implied=frozenset(map(_stems, _phrases(data["partner_implied"]))),
        names={concept: _names(found["names"]) for concept, found in data["concepts"].items()},
        groups={
            name: (_names(group["names"]), {concept: float(weight) for concept, weight in weights[name].items()})
            for name, group in data["groups"].items()
        },
        people=_known_people(data["people"]),
        words={name: frozenset(map(stem, text.split())) for name, text in data["words"].items()},
        grammar={name: _expression(str(text)) for name, text in data["grammar"].items()},
        circumstances={
            name: (_expression(found["words"]), tuple(found["worth"])) for name, found in data["circumstances"].items()
        },
    )


def _known_people(groups: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    people: dict[str, tuple[str, str]] = {}
    for group, text in groups.items():
        role, _, gender = group.partition("_")
        for word in _phrases(text):
            people |= dict.fromkeys((word, f"ex-{word}", f"{word}-in-law"), (role, gender.strip("n")))
    return people


@functools.lru_cache(maxsize=256)  # every cue of a sentence asks the same of it
def _says(name: str, text: str) -> bool:
    return bool(_lexicon().grammar[name].search(text))


def _end(stems: Sequence[str], start: int, phrase: Phrase) -> int:
    """Where a phrase that starts here ends, or 0; a gap holds up to three words."""
    at, reach = start + 1, 1
    for part in phrase[1:]:
        if part == _GAP:
            reach = _REACH
            continue
        for here in range(at, min(at + reach, len(stems))):
            if stems[here] == part:
                break
            if stems[here] in _BREAKS:
                return 0
        else:
            return 0
        at, reach = here + 1, 1
    return at


# --- the narrative ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Cast:
    """Whom the text has spoken of so far: the decedent's gender, the last other person, the partner's gender."""

    gender: str = ""
    focus: tuple[str, str] = ("", "")
    partner: str | None = None


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    words: Sequence[str]
    stems: Sequence[str]
    people: Sequence[tuple[int, str]]
    owners: Mapping[int, str]
    start: int
    masked: AbstractSet[int]

    def before(self, index: int) -> str:
        """The nearest person before a word; an informant only if it is the decedent."""
        near = [who for at, who in self.people if self.start <= at < index]
        told = [who for at, who in self.people if at < min(index, self.start) and who == _DECEDENT]
        return (near or told or [""])[-1]

    def is_pair(self, index: int) -> bool:
        """Whether the nearest person before a word is named along with the decedent, as in "she and her husband"."""
        near = [(at, who) for at, who in self.people if at < index][-2:]
        joined = self.words[near[0][0] : near[-1][0]] if near else []
        return "and" in joined and _DECEDENT in {who for _, who in near}

    def after(self, index: int, markers: str = "") -> str:
        """The first person after a word, or after the first of these markers near it."""
        if markers:
            near = (at for at in range(index, min(index + _NEAR, len(self.words))) if self.words[at] in markers.split())
            index = next(near, len(self.words))
        for at, who in self.people:
            if index <= at < index + _NEAR:
                return "" if {";", "."} & set(self.words[index:at]) else who
        return ""


def _sentences(narrative: str) -> Iterator[_Sentence]:
    cast = _Cast()
    whole = _SENTENCE.split(narrative)
    for text in (part[at : at + _LONGEST] for part in whole for at in range(0, len(part), _LONGEST)):
        words = _words(text)
        if words:
            stems = [stem(word) for word in words]
            start = _start(words, stems)
            masked = _masked(stems)
            people, owners = _people(words, stems, cast, start, masked)
            yield _Sentence(text.strip(), words, stems, people, owners, start, masked)


def _start(words: Sequence[str], stems: Sequence[str]) -> int:
    """Where what is told begins, after "Per her sister," or "The neighbor said that"."""
    known, start, reach = _lexicon().words, 0, _OPENING
    if stems[0] in known["opening"] and "," in words[:_OPENING]:
        start, reach = words.index(",") + 1, _NEAR
    for at in range(start, min(start + reach, len(words))):
        if stems[at] in known["saying"] and words[at - 1] != "to":
            return words.index("that", at) + 1 if "that" in words[at : at + 6] else at + 1
    return start


def _people(
    words: Sequence[str], stems: Sequence[str], cast: _Cast, start: int, masked: AbstractSet[int]
) -> tuple[list[tuple[int, str]], dict[int, str]]:
    """Who is spoken of, by the word's place: participants, and owners such as "her" in "her brother"."""
    found: list[tuple[int, str]] = []
    owners: dict[int, str] = {}
    known, sets = _lexicon().people, _lexicon().words
    objects, pairs, couples = sets["after_her"], sets["anybody"], sets["couple"]
    for at, word in enumerate(words):
        if word in _PRONOUNS:
            who = _pronoun(_PRONOUNS[word], cast)
            if word == "his" or (word == "her" and at + 1 < len(words) and stems[at + 1] not in objects):
                owners[at] = who
            else:
                found.append((at, who))
            continue
        if word == "whose" and found:
            owners[at] = found[-1][1]
        noun = word.removesuffix("'s")
        if noun not in known or at in masked:
            continue
        who, gender = known[noun]
        if who == _OTHER and gender and any(near.isdigit() for near in words[max(0, at - 5) : at + 4]):
            who = _DECEDENT  # "a 40-year-old man"
        elif who == _OTHER and stems[at] in pairs and not couples.isdisjoint(stems[max(0, at - 3) : at + 6]):
            who = _PARTNER  # "somebody whom she dated"
        elif who == _PARTNER and words[at + 1 : at + 3] in (["of", "a"], ["of", "an"]):
            who = _STRANGE
        who = _owned(who, next((owners[at - back] for back in (1, 2) if at - back in owners), ""))
        if noun == word:
            found.append((at, who))
        else:
            owners[at] = who
        _remember(cast, who, gender, is_informant=at < start)
    return found, owners


def _remember(cast: _Cast, who: str, gender: str, *, is_informant: bool) -> None:
    if who == _DECEDENT:
        cast.gender = cast.gender or gender
        return
    if who == _PARTNER:
        cast.partner = gender
    if not (is_informant and cast.focus[0] == _PARTNER and who != _PARTNER):
        cast.focus = (who, gender)


def _pronoun(gender: str, cast: _Cast) -> str:
    cast.gender = cast.gender or gender
    if gender == cast.gender:
        return _DECEDENT
    if cast.focus[0] and cast.focus[1] in {gender, ""}:
        return cast.focus[0]
    return _PARTNER if cast.partner in {gender, ""} else _OTHER


def _owned(who: str, owner: str) -> str:
    """Whose partner or kin: "her sister's boyfriend" is nobody's partner here."""
    if owner in {_FAMILY, _OTHER, _STRANGE} and who != _DECEDENT:
        return _STRANGE if who == _PARTNER else _OTHER
    return _STRANGE if owner == who == _PARTNER else who


def _roles(sentence: _Sentence, cue: Cue, at: int, end: int) -> tuple[str, str]:
    """Who did it to whom, as the kind of the cue and the words around it say."""
    before = sentence.before(at)
    is_charged = not _lexicon().words["charged"].isdisjoint(sentence.stems[max(0, at - 5) : at])
    if cue.kind == "act":
        return _actors(sentence, cue, at, end)
    if cue.kind == "trait":
        is_apart = sentence.words[at + 1 : at + 2] and sentence.stems[at + 1] in _lexicon().words["after_her"]
        following = next((who for place, who in sentence.people if at < place <= at + 2 and not is_apart), "")
        return following or before, sentence.after(end, "to toward towards")
    if cue.kind == "charge":
        return (sentence.after(at + 1), "") if before in {"", _OTHER} else (before, sentence.after(end))
    if cue.kind == "state":
        cause = sentence.after(end, "of from by because around with on about against to")
        return cause, _DECEDENT if sentence.is_pair(at) else before or _DECEDENT
    if cue.kind == "order":
        target, holder = sentence.after(end, "against"), sentence.after(end, "by") or before
        return (before, "") if is_charged and not target else (target, holder)
    return _suffered(sentence, cue, at, end, before, is_charged=is_charged)


def _suffered(sentence: _Sentence, cue: Cue, at: int, end: int, before: str, *, is_charged: bool) -> tuple[str, str]:
    if "between" in sentence.words[end : end + 3]:
        return _MUTUAL, _MUTUAL
    owner = sentence.owners.get(at - 1, "") if cue.concept != "injury" else ""
    agent = sentence.after(end, "by from") or (before if is_charged else "") or owner
    patient, of = sentence.after(end, "against toward towards on upon to"), sentence.after(end, "of")
    if patient or of:
        return (agent or of, patient) if patient else (agent, of)
    return agent, "" if agent == before else before


def _actors(sentence: _Sentence, cue: Cue, at: int, end: int) -> tuple[str, str]:
    words, stems = sentence.words, sentence.stems
    before, following = sentence.before(at), sentence.after(at + 1)
    is_active = words[at].endswith(("ing", "ive")) or cue.stems[-1] in {"to", "toward", "with"}
    is_by = words[end : end + 1] == ["by"]
    if not is_active and (is_by or not _lexicon().words["be"].isdisjoint(stems[max(0, at - 3) : at])):
        return sentence.after(end, "by from of") or (_OTHER if is_by else ""), before or _DECEDENT
    if {"himself", "herself"} & set(words[at + 1 : at + 4]):
        return _DECEDENT, _DECEDENT
    if is_active and not before and following:
        return following, _DECEDENT
    if before == following == _DECEDENT:
        earlier = [who for place, who in sentence.people if place < at and who != _DECEDENT]
        before = earlier[-1] if earlier else ""
    return before, following


def _who(sentence: _Sentence, cue: Cue, at: int, end: int) -> str:
    """The circumstance that follows from who did it to whom; none if the partner did it to the decedent."""
    agent, patient = _roles(sentence, cue, at, end)
    present = {who for place, who in sentence.people if place >= sentence.start} | set(sentence.owners.values())
    if agent == _MUTUAL:
        return _MUTUAL
    if agent == _DECEDENT or (patient == _PARTNER and not agent):
        return _DID
    if agent == _STRANGE or patient in {_FAMILY, _OTHER, _STRANGE, _PARTNER} or _is_elsewhere(sentence):
        return _ELSEWHERE
    is_vague = cue.kind == "act" and cue.concept in _BETWEEN_PEOPLE and not patient and agent != _PARTNER
    is_nobody = not agent and _PARTNER not in present and cue.stems not in _lexicon().implied
    if agent in {_FAMILY, _OTHER} or (is_nobody and _FAMILY in present):
        return _OTHERS_DID
    if is_vague or is_nobody:
        return _UNSAID
    return "" if agent else _IMPLIED


def _is_elsewhere(sentence: _Sentence) -> bool:
    """Whether the decedent read about it, worked with it, or helped somebody to whom it happened."""
    told = [who for place, who in sentence.people if place >= sentence.start]
    is_helper = told[:1] == [_DECEDENT] and bool({_OTHER, _FAMILY, _STRANGE} & {*told, *sentence.owners.values()})
    return _says("subject_story", sentence.text) or (is_helper and _says("helping_story", sentence.text))


def _circumstances(sentence: _Sentence, cue: Cue, at: int, end: int) -> tuple[str, ...]:
    found = [_who(sentence, cue, at, end)]
    found += [circumstance for name, circumstance in _STORIES.items() if _says(name, sentence.text)]
    if _is_denied(sentence, at):
        found.append(_DENIED)
    return tuple(filter(None, found))


def _is_denied(sentence: _Sentence, at: int) -> bool:
    stems, known = sentence.stems, _lexicon().words
    for place in range(at - 1, max(-1, at - 8), -1):
        if stems[place] in known["turning"]:
            return False
        if stems[place] in known["negation"]:
            return not (place + 1 < at and stems[place + 1] in known["reporting"])
    return _says("denied_story", sentence.text)


def _hits(narrative: str, criteria: Criteria) -> Iterator[Hit]:
    """All that the prompt counts and the narrative says, whatever it is worth under its circumstances."""
    for sentence in _sentences(narrative):
        for cue, at, end in _cues(sentence.stems, sentence.masked):
            weight = criteria.cues.get(cue.stems, criteria.concepts.get(cue.concept, 0.0))
            if weight:
                yield _hit(cue.concept, sentence, (at, end), weight, _circumstances(sentence, cue, at, end), criteria)
        present = set(sentence.stems)
        for term, weight in criteria.terms.items():
            if present.issuperset(term):
                at = sentence.stems.index(term[0])
                denied = (_DENIED,) if _is_denied(sentence, at) else ()
                yield _hit("term", sentence, (at, at + 1), weight, denied, criteria)


def _masked(stems: Sequence[str]) -> set[int]:
    """The places of words that only look like a cue or a person."""
    lookalikes = _lexicon().lookalikes
    found = ((at, _end(stems, at, cue.stems)) for at, word in enumerate(stems) for cue in lookalikes.get(word, ()))
    return {place for start, end in found for place in range(start, end)}


def _cues(stems: Sequence[str], masked: AbstractSet[int]) -> Iterator[tuple[Cue, int, int]]:
    cues = _lexicon().cues
    for at, word in enumerate(stems):
        for cue in cues.get(word, ()) if at not in masked else ():
            end = _end(stems, at, cue.stems)
            if end:
                yield cue, at, end


def _hit(
    what: str,
    sentence: _Sentence,
    place: tuple[int, int],
    weight: float,
    circumstances: tuple[str, ...],
    criteria: Criteria,
) -> Hit:
    worth = FOUND * weight
    for circumstance in circumstances:
        worth *= criteria.factors[circumstance]
    return Hit(what, " ".join(sentence.words[slice(*place)]), sentence.text, circumstances, min(worth, 0.97))


# --- the prompt -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Draft:
    """Criteria in the making."""

    topic: dict[str, float] = field(default_factory=dict)
    grouped: dict[str, float] = field(default_factory=dict)
    named: dict[str, float] = field(default_factory=dict)
    cues: dict[Phrase, float] = field(default_factory=dict)
    terms: dict[Phrase, float] = field(default_factory=dict)
    factors: dict[str, float] = field(default_factory=dict)
    strictness: int = 0
    is_exhaustive: bool = False
    notes: list[tuple[str, str]] = field(default_factory=list)


@functools.lru_cache(maxsize=256)
def read_criteria(prompt_text: str) -> Criteria:
    """What a prompt says counts, what does not, whose acts matter, and how strict it is.

    >>> criteria = read_criteria("Does the text mention an eviction? Threats count, arguments do not.")
    >>> list(criteria.concepts), list(criteria.terms), criteria.excluded
    (['threat'], [('eviction',)], ('conflict',))
    """
    draft = _Draft()
    for clause, scope, is_item in _clauses(prompt_text):
        _read(draft, clause, scope, is_item=is_item)
    topic = {} if draft.is_exhaustive and any(draft.named.values()) else draft.topic
    concepts = {name: weight for name, weight in {**topic, **draft.grouped, **draft.named}.items() if weight}
    terms = {phrase: weight for phrase, weight in draft.terms.items() if weight}
    if not concepts and not terms and not any(draft.cues.values()):
        terms = _question(prompt_text)
    untold = {name: worth[0] for name, (_, worth) in _lexicon().circumstances.items()}
    left_out = [
        *draft.named.items(),
        *((" ".join(phrase), weight) for phrase, weight in {**draft.cues, **draft.terms}.items()),
    ]
    return Criteria(
        concepts=MappingProxyType(concepts),
        cues=MappingProxyType(draft.cues),
        terms=MappingProxyType(terms),
        factors=MappingProxyType({**untold, **draft.factors}),
        threshold=round(min(max(0.5 + STEP * draft.strictness, LOWEST), HIGHEST), 2),
        excluded=tuple(name for name, weight in left_out if not weight),
        notes=tuple(dict.fromkeys(draft.notes)),
    )


def _clauses(prompt: str) -> Iterator[tuple[str, str, bool]]:
    """Every clause with its scope (include, exclude or none), and whether it is an item of a list."""
    section = heading = ""
    for block, kind in _blocks(prompt.replace("\u2019", "'").replace("**", "")):
        pieces = [piece.strip() for piece in _CLAUSE.split(block) if piece and piece.strip()]
        above = heading if kind == "item" else section if kind == "text" else ""
        scopes = [above if above == "exclude" else _scope(piece) or above for piece in pieces]
        yield from ((piece, scope, kind == "item") for piece, scope in zip(pieces, scopes, strict=True))
        if kind != "item" and scopes:
            heading = scopes[-1]
            section = heading if kind == "section" else section


def _blocks(prompt: str) -> list[tuple[str, str]]:
    """Join wrapped lines to blocks of text and list items; a line after # opens a section."""
    blocks: list[tuple[str, str]] = []
    is_open = False
    for line in prompt.splitlines():
        kind = "section" if line.startswith("#") else "item" if _BULLET.match(line) else "text"
        text = _BULLET.sub("", line).strip("# \t")
        if text and kind == "text" and is_open:
            blocks[-1] = (f"{blocks[-1][0]} {text}", blocks[-1][1])
        elif text:
            blocks.append((text, kind))
        is_open = bool(text) and kind != "section" and not text.endswith(":")
    return blocks


def _scope(clause: str) -> str:
    if _says("plea", clause):
        return "include"
    if _says("exclude", clause):
        return "exclude"
    return "include" if _says("include", clause) else ""


def _read(draft: _Draft, clause: str, scope: str, *, is_item: bool) -> None:
    if _says("doubt", clause):
        is_strict = _says("answer_no", clause)
        draft.strictness += 2 if is_strict else -2
        draft.notes.append(("in doubt no" if is_strict else "in doubt yes", clause))
    elif not _says("format", clause):
        if scope == "exclude":
            clause = _lexicon().grammar["cut"].split(clause)[0]
        is_about_roles = _read_roles(draft, _QUOTES.sub(" ", clause), scope)
        _read_strictness(draft, clause, scope, is_about_roles=is_about_roles)
        if not (scope == "exclude" and is_about_roles):
            _read_evidence(draft, clause, scope, is_item=is_item)


def _read_roles(draft: _Draft, clause: str, scope: str) -> bool:
    """Weigh the circumstances that a clause speaks of; true if it speaks of them."""
    found = False
    for name, (words, (_, excluded, included)) in _lexicon().circumstances.items():
        is_source = name == _OTHERS_DID and scope == "include" and _says("told_by", clause)
        if scope and words.search(clause) and not is_source:
            draft.factors[name] = excluded if scope == "exclude" else included
            draft.notes.append((f"{name}: × {draft.factors[name]:g}", clause))
            found = True
    if scope == "exclude":
        return found
    must = _says("must", clause)
    if _says("as_victim", clause):
        _discount(draft, {_DID: 0.0 if must else 0.35, _ELSEWHERE: 0.2}, clause)
    if _says("by_partner", clause):
        _discount(draft, {_OTHERS_DID: 0.0 if must else 0.4, _UNSAID: 0.2 if must else 0.3}, clause)
    return found or (must and (_says("as_victim", clause) or _says("by_partner", clause)))


def _discount(draft: _Draft, factors: Mapping[str, float], clause: str) -> None:
    for name, factor in factors.items():
        if factor < draft.factors.get(name, 1.0):
            draft.factors[name] = factor
            draft.notes.append((f"{name}: × {factor:g}", clause))


def _read_strictness(draft: _Draft, clause: str, scope: str, *, is_about_roles: bool) -> None:
    is_lenient = _says("lenient", clause)
    is_strict = _says("strict", clause) and not is_about_roles and not _says("plea", clause)
    step = int(is_lenient) if scope == "exclude" else int(is_strict) - int(is_lenient)
    draft.strictness += step
    if is_strict and _says("outright", clause):
        draft.factors[_IMPLIED] = 0.7
    if step:
        draft.notes.append(("stricter" if step > 0 else "more lenient", clause))


def _read_evidence(draft: _Draft, clause: str, scope: str, *, is_item: bool) -> None:
    """Take down the concepts, cues and terms that a clause names, each with its weight."""
    lexicon, weight = _lexicon(), _weight(clause, scope)
    rest = _QUOTES.sub(" ", clause)
    for name, (names, means) in lexicon.groups.items():
        if not names.search(rest):
            continue
        rest = names.sub(" ", rest)
        if name == "topic":
            draft.topic.update(means)
        else:
            draft.grouped.update({concept: part * weight for concept, part in means.items()})
        draft.notes.append((f"{name}: {weight:g}", clause))
    if is_item:
        rest = lexicon.grammar["context"].split(rest)[0]
    for name in _named(rest):
        if not (_says("plea", clause) and name in draft.named):
            draft.named[name] = weight
            draft.notes.append((f"{name}: {weight:g}", clause))
    draft.is_exhaustive |= scope == "include" and _says("only", clause)
    for item, is_quoted in _items(clause, scope, is_item=is_item):
        _read_item(draft, item, weight, is_quoted=is_quoted)


def _named(text: str) -> list[str]:
    """The concepts that a text names; "violence" is not named where "sexual violence" is."""
    spans = [(*found.span(), name) for name, names in _lexicon().names.items() for found in names.finditer(text)]
    lookalikes = [found.span() for found in _lexicon().misnamed.finditer(text)]
    longer = [*lookalikes, *((start, end) for start, end, _ in spans)]
    return [
        name
        for start, end, name in spans
        if not any(left <= start and end <= right and right - left > end - start for left, right in longer)
    ]


def _weight(clause: str, scope: str) -> float:
    if scope == "exclude":
        return 0.45 if _says("alone", clause) else 0.0
    if _says("plea", clause):
        return 1.0
    return 1.3 if _says("strong", clause) else 0.7 if _says("weak", clause) else 1.0


def _items(clause: str, scope: str, *, is_item: bool) -> Iterator[tuple[str, bool]]:
    """What a clause lists, and whether it stands in quotes."""
    if not scope or _says("plea", clause):
        return
    for quoted in _QUOTES.findall(clause):
        yield quoted, True
    clause = _QUOTES.sub(" ", clause)
    listed = _lexicon().grammar["list"].search(clause)
    is_task = _lexicon().grammar["task"].match(clause)
    told = clause[listed.end() :] if listed else clause if is_item and not is_task else ""
    for item in re.split(r"[,:()/]", told):
        yield item, False


def _read_item(draft: _Draft, item: str, weight: float, *, is_quoted: bool) -> None:
    if not is_quoted and _named(item):
        return
    for piece in re.split(r"\bor\b|\band\b", item):
        stems = [stem(word) for word in _words(piece)]
        cues = [cue.stems for cue, _, _ in _cues(stems, _masked(stems))]
        draft.cues.update(dict.fromkeys(cues, weight))
        content = _content(piece)
        if not cues and 0 < len(content) <= _LONGEST_TERM:
            draft.terms[content] = weight
            draft.notes.append((f"term {' '.join(content)}: {weight:g}", piece.strip()))


def _content(text: str) -> Phrase:
    talk = _lexicon().words["talk"]
    stems = (stem(word) for word in _words(text) if word[0].isalnum())
    return tuple(dict.fromkeys(word for word in stems if word not in talk and len(word) > 1))


def _question(prompt: str) -> dict[Phrase, float]:
    """The words of the question itself, where a prompt names nothing else."""
    asked = re.findall(r"[^.?!\n]*\?", prompt) or prompt.splitlines()
    items = [_content(item) for text in asked for item in re.split(r",|\bor\b|:", text)]
    return {item: 1.0 for item in items if 0 < len(item) <= _LONGEST_TERM}


def explain(prompt_text: str) -> str:
    """Say in plain text how a prompt was read, so that one can see why a wording changed a decision.

    >>> print(explain("Does the text mention a smoke detector? Arguments do not count."))
    counts:    smok detector
    left out:  conflict
    worth:     the decedent did it × 1, another person did it × 1, ...
    threshold: 0.50 of 1
    read as:
      term smok detector: 1 <- a smoke detector?
      conflict: 0 <- Arguments do not count.
    """
    criteria = read_criteria(prompt_text)
    lines = [
        f"counts:    {_counted(criteria)}",
        f"left out:  {', '.join(criteria.excluded) or 'nothing'}",
        f"worth:     {', '.join(f'{name} × {factor:g}' for name, factor in criteria.factors.items())}",
        f"threshold: {criteria.threshold:.2f} of 1",
        "read as:",
        *(f"  {reading} <- {' '.join(words.split())[:90]}" for reading, words in criteria.notes),
    ]
    return "\n".join(lines)


def _counted(criteria: Criteria) -> str:
    phrases = {" ".join(phrase): weight for phrase, weight in {**criteria.cues, **criteria.terms}.items()}
    weights = {**criteria.concepts, **phrases}
    told = [name if weight == 1 else f"{name} × {weight:g}" for name, weight in weights.items() if weight]
    return ", ".join(told) or "nothing that can be found"


# --- the reply --------------------------------------------------------------------------------------------------------


def _steps(criteria: Criteria, hits: Sequence[Hit], score: float) -> list[str]:
    kept = [hit for hit in sorted(hits, key=lambda hit: -hit.worth) if hit.worth >= DISMISSED]
    aside = [hit for hit in hits if hit.worth < DISMISSED]
    side = "reaches" if score >= criteria.threshold else "stays below"
    found = [f"{word}: {_told(some)}." for word, some in (("Found", kept), ("Set aside", aside)) if some]
    asked = f"the {criteria.threshold:.2f} that the wording of the prompt asks for"
    steps = [f"The prompt counts: {_counted(criteria)}.", *found, f"The evidence, {score:.2f} of 1, {side} {asked}."]
    return [_cut(step, STEP_LENGTH) for step in steps]


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _told(hits: Sequence[Hit]) -> str:
    named = (f'{hit.what} ("{hit.words}"{_because(hit, ", ")})' for hit in hits)
    return "; ".join(list(dict.fromkeys(named))[:4])


def _because(hit: Hit, before: str) -> str:
    return before + " and ".join(hit.circumstances) if hit.circumstances else ""


def _rational(hits: Sequence[Hit], *, flag: bool) -> str:
    if not hits:
        return "Nothing that the prompt counts is mentioned."
    best = max(hits, key=lambda hit: hit.worth)
    verdict = "Evidence of" if flag else "Not enough of"
    return f'{verdict} {best.what}{_because(best, ": ")}: "{_cut(best.sentence, QUOTED)}"'
