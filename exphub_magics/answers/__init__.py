"""What a model meant: its words → an answer, or why there is none. It never raises and never guesses.

The last whole JSON object with a decision outside the thinking counts. An earlier whole one that decides
otherwise makes it `salvaged`; anything broken that does makes it `failed`, for that may be a draft or not. A
bare yes, no, true or false is an answer without a rational; a bare number is none, for it may be a score.
Thinking before an answer is no fault in it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from exphub_magics.answers.fields import Contradiction, Fields, answers_in, decision, noted, united, word
from exphub_magics.answers.fragments import WITHIN, decisions, is_quoted, mend

READER: Final = "1"
FORMAT: Final = "1"
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "reasoning_steps": {
            "type": "array",
            "items": {"type": "string", "maxLength": 300},
            "maxItems": 8,
        },
        "rational": {"type": "string", "maxLength": 1000},
        "flag": {"type": "boolean"},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["reasoning_steps", "rational", "flag", "confidence"],
    "additionalProperties": False,
}
FORMAT_SENTENCE: Final = (
    "Answer with one JSON object and nothing else, its keys in this order: "
    '"reasoning_steps" (a list of at most 8 short texts), "rational" (a text of at most 1000 characters), '
    '"flag" (true or false), "confidence" (how certain you are of the flag, a number from 0 to 1).'
)

LONGEST_REFUSAL: Final = 600  # characters
# Beyond these a reply is no answer, and would take longer than 50 ms to read.
MOST_WORDS: Final = 400_000  # characters of a reply that is no whole object
MOST_AROUND: Final = 60_000  # characters around the objects in it, its thinking apart
MOST_MARKS: Final = 1_000  # braces, thinking tags
MOST_WORK: Final = 3_000_000  # characters read in vain
CUT_OFF: Final = "cut off at max_tokens: raise it"

_TAGS: Final = "(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad)"
_CLOSING: Final = rf"/{_TAGS}\s{{0,9}}>|/THINK\]|/think▷|\|channel\|>final(?:<\|message\|>)?"
_CLOSE: Final = re.compile(rf"[<\[◁](?:{_CLOSING})", re.IGNORECASE)
_MARK: Final = re.compile(
    rf"[<\[◁{{](?:(?P<json>(?<=\{{)|(?<=\[)(?=\s*\{{))|(?P<close>{_CLOSING})"
    rf"|(?P<open>{_TAGS}\b[^<>]{{0,80}}>|THINK\]|think▷|\|channel\|>(?:analysis|commentary)))",
    re.IGNORECASE,
)
_REFUSAL: Final = re.compile(
    r"\b(?:I|we)(?:\s+\w+)?\s+(?:can['\u2019]?t|cannot|can not|won['\u2019]?t|will not)"
    r"(?:\s+\w+){0,3}?\s+(?:help|assist|provide|comply|fulfil+|continue|discuss|engage|process|analy[sz]e"
    r"|answer|respond|do (?:that|this)|complete|participate|review|support|with (?:that|this))\b"
    r"|\bI(?:['\u2019]m| am)(?:\s+\w+)?\s+(?:unable|not able|not comfortable|not allowed)\b"
    r"|\bI\s+(?:must|have to|need to)\s+decline\b|\bsorry, (?:but )?(?:can['\u2019]?t|no can do)\b"
    r"|\bagainst (?:my|our) (?:guidelines|policy|policies|principles)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one reply says.

    A flag stands only in an answer that is `ok` or `salvaged` (readable, but not what was asked for); `error`
    says what had to be read around, or why there is none.
    """

    status: Literal["ok", "salvaged", "refused", "failed"]
    flag: bool | None = None
    rational: str | None = None
    reasoning_steps: tuple[str, ...] = ()
    confidence: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Outside:
    """A reply without its thinking: the answers that stand in it whole, and all other words."""

    answers: tuple[Fields, ...] = ()
    before: str = ""
    after: str = ""
    problem: str | None = None

    @property
    def rest(self) -> str:
        """All words around the answers, each part on a new line, where a key may begin."""
        return f"\n{self.before}\n{self.after}"


class _TangledError(Exception):
    """Reading on would take longer than an answer is worth."""


def parse(text: str | None, *, refusal: str | None = None, finish_reason: str | None = None) -> Answer:
    """Read a model's reply.

    >>> parse('{"reasoning_steps": [], "rational": "An order.", "flag": true, "confidence": 0.9}').status
    'ok'
    >>> parse("<think>Maybe.</think>{'ipv_detected': 'no', 'rational': 'No partner is named.',}")
    Answer(status='salvaged', flag=False, rational='No partner is named.', reasoning_steps=(),
        confidence=None, error="...")
    >>> parse("It may be so.").error
    'no answer object'

    `refusal` and `finish_reason` are the endpoint's own; a reply cut off at its limit is never plainly `ok`.
    """
    if refusal or finish_reason == "content_filter":
        return Answer("refused", error="refused by the model" if refusal else "stopped by a content filter")
    if not isinstance(text, str | None):
        return Answer("failed", error="the reply is no text")
    cut_off = finish_reason in ("length", "max_tokens")  # no set: it would have to be hashable
    words, quoted = _unquoted((text or "").removeprefix("\ufeff").strip())
    try:
        outside = _outside(words)
    except _TangledError:
        return Answer("failed", error=CUT_OFF if cut_off else "too long or too tangled to read")
    if cut_off and (outside.problem or not outside.answers or "{" in outside.after):
        return Answer("failed", error=CUT_OFF)
    fields = _chosen(outside)
    if isinstance(fields, Answer):
        return fields
    notes = ["object inside a string"] * quoted + ["cut off at max_tokens after the answer"] * cut_off
    return _answer(noted(fields, *notes))


def _unquoted(words: str) -> tuple[str, bool]:
    """Open a reply that is one JSON string with an object in it."""
    if words.startswith('"{') and words.endswith('}"') and len(words) <= MOST_WORDS:
        try:
            return str(json.loads(words, strict=False)).strip(), True
        except ValueError:
            return words, False
    return words, False


def _answer(fields: Fields) -> Answer:
    if fields.problem is not None:
        return Answer("failed", error=fields.problem)
    error = "; ".join(dict.fromkeys(fields.notes)) or None
    status: Literal["ok", "salvaged"] = "salvaged" if error else "ok"
    return Answer(status, fields.flag, fields.rational, fields.reasoning_steps, fields.confidence, error)


def _chosen(outside: _Outside) -> Fields | Answer:
    """Choose the answer that counts, or say why none does."""
    if outside.problem:
        return Answer("failed", error=outside.problem)
    if not outside.answers:
        return mend(outside.rest) or _unstructured(outside.rest)
    last, rest = outside.answers[-1], outside.rest
    if is_quoted(outside.before):
        return Answer("failed", error=WITHIN)
    if is_quoted(outside.after):
        return Answer("failed", error="a broken object after the answer")
    if last.problem is None and decisions(rest) - {last.flag}:
        return Answer("failed", error="contradictory: broken words beside the answer differ from it")
    if len(outside.answers) > 1:
        differ = len({fields.flag for fields in outside.answers} - {None}) > 1
        last = noted(last, "several answers that differ: the last one read" if differ else "several answers")
    if rest.strip():
        last = noted(last, "code fence" if "```" in rest else "text around the object")
    return last


def _unstructured(words: str) -> Answer:
    """Read a reply without an object: one decisive word, a refusal, or nothing."""
    said = word(words.replace("```", ""))
    if said in {"yes", "no", "true", "false"}:
        return Answer("salvaged", bool(decision(said)), error="a bare word; no rational")
    if not words.strip():
        return Answer("failed", error="an empty reply")
    if len(words) <= LONGEST_REFUSAL and "{" not in words and _REFUSAL.search(words):
        return Answer("refused", error="refused in words")
    return Answer("failed", error="no answer object")


def _outside(words: str) -> _Outside:
    """Drop the thinking, and find the whole objects that hold an answer.

    One pass from left to right, jumping over whole objects, so that a tag or a brace in an object's text is
    text. A closing tag that nothing opened ends a thinking begun in the prompt: all before it is dropped.
    """
    reader = _Objects(words)
    answers: list[Fields] = []
    rest: list[str] = []
    place = kept = last = 0
    while mark := reader.next_mark(place):
        place = mark.end()
        if mark.lastgroup == "close":
            answers, rest, kept, last = [], [], place, 0
        elif mark.lastgroup == "open":
            rest.append(words[kept : mark.start()])
            close = _CLOSE.search(words, place)
            if close is None:
                return _Outside(problem="thinking never ended")
            place = kept = close.end()
        elif (found := reader.read(mark.start())) is not None:
            value, place = found
            if fields := _one(value):
                answers.append(fields)
                rest.append(words[kept : mark.start()])
                kept, last = place, len(rest)
    rest.append(words[kept:])
    if sum(map(len, rest)) > MOST_AROUND:
        raise _TangledError
    return _Outside(tuple(answers), "\n".join(rest[:last]), "\n".join(rest[last:]))


def _one(value: Any) -> Fields | None:
    """Take the one answer in a JSON value; several in one list have to agree."""
    found = answers_in(value)
    if not found:
        return None
    fields = united(found, main=found[-1])
    return noted(fields, "object in a list") if isinstance(value, list) else fields


class _Objects:
    """Reads the whole JSON values in a reply, until too much was looked at in vain."""

    def __init__(self, words: str) -> None:
        self.words = words
        self.marks = self.work = 0
        if words.count("{") > MOST_MARKS or (len(words) > MOST_WORDS and not words.startswith("{")):
            raise _TangledError

    def next_mark(self, place: int) -> re.Match[str] | None:
        """Find what comes next: an object, or where a thinking begins or ends."""
        self.marks += 1
        if self.marks > MOST_MARKS:
            raise _TangledError
        return _MARK.search(self.words, place)

    def read(self, start: int) -> tuple[Any, int] | None:
        """Read the value that begins there, and say where it ends; None if it is no whole JSON."""
        try:
            return _DECODER.raw_decode(self.words, start)
        except json.JSONDecodeError as error:
            self.work += error.pos - start + 1000
        except (ValueError, RecursionError):
            self.work += len(self.words) - start + 1000
        if self.work > MOST_WORK:
            raise _TangledError
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, in which a key that stands twice and differs has no value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        for key, value in pairs:
            if type(found[key]) is not type(value) or found[key] != value:
                found[key] = Contradiction()
    return found


# Whole numbers are read as floats too: Python refuses an integer of 5,000 digits, a float is then infinite.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_int=float, strict=False)
