"""The fields of an answer's object: what they may be called, and which values decide.

A model that is not held to a schema calls the flag `ipv_detected` and writes "yes" for true. What is read is
read exactly or not at all: a value decides only if it is one of a few words, and no text is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

FLAG: Final = (
    *("flag", "flagged", "is_flagged", "ipv_flag", "ipv", "is_ipv", "has_ipv", "ipv_detected", "ipv_present"),
    *("detected", "is_detected", "present", "is_present", "positive", "is_positive", "label", "answer"),
    *(
        "final_answer",
        "decision",
        "prediction",
        "predicted",
        "classification",
        "verdict",
        "result",
        "conclusion",
    ),
)
RATIONAL: Final = ("rational", "rationale", "reason", "explanation", "justification", "evidence", "reasoning")
STEPS: Final = ("reasoning_steps", "steps", "reasoning", "chain_of_thought", "chain", "analysis")
CONFIDENCE: Final = ("confidence", "certainty", "confidence_score", "confidence_level")
# Mostly the chance of a "yes", which is not the certainty of a "no": named in the error, not read.
OTHER_SCALES: Final = ("probability", "score", "likelihood")
WRAPPERS: Final = frozenset(
    (
        *(
            "result",
            "results",
            "answer",
            "answers",
            "finalanswer",
            "output",
            "response",
            "data",
            "json",
            "object",
        ),
        *("arguments", "parameters", "properties", "classification", "prediction", "decision"),
    )
)
YES: Final = frozenset(("true", "yes", "y", "t", "1", "1.0", "positive", "detected", "present", "flagged"))
NO: Final = frozenset(
    ("false", "no", "n", "f", "0", "0.0", "negative", "absent", "not detected", "not present", "not flagged")
)
UNCERTAIN: Final = frozenset(
    (
        *(
            "",
            "null",
            "none",
            "nan",
            "n/a",
            "na",
            "maybe",
            "unclear",
            "uncertain",
            "unsure",
            "not sure",
            "unknown",
        ),
        *("undetermined", "indeterminate", "inconclusive", "possible", "possibly", "probable", "probably"),
    )
)
MOST_KEYS: Final = 100  # of an object that can be an answer
LONGEST_WORD: Final = 40  # characters of a value that can be a decision; no quoted narrative gets into an error


class Contradiction:
    """The value of a key that stands twice in one object and says two things."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What one object says; `problem` says why it holds no decision, `notes` what had to be read around."""

    flag: bool | None
    rational: str | None = None
    reasoning_steps: tuple[str, ...] = ()
    confidence: float | None = None
    problem: str | None = None
    notes: tuple[str, ...] = ()


@lru_cache(4096)
def squashed(name: str) -> str:
    """Reduce a key to what its spellings share.

    >>> squashed("IPV-Detected") == squashed("ipvDetected") == squashed("ipv_detected")
    True
    """
    return re.sub(r"[\s_-]+", "", name[:LONGEST_WORD]).casefold()


def word(text: str) -> str:
    """Strip a short text of case, blanks and the marks around it.

    >>> word(" **Not_Detected.** ")
    'not detected'
    """
    if len(text) > LONGEST_WORD:
        return text
    inner = text.strip(" \t\r\n*`\"'“”„«»").rstrip(".!*`\"'“”» ")
    return " ".join(inner.casefold().replace("_", " ").split())


def decision(value: Any) -> bool | None:
    """Read a flag's value: exactly a yes, exactly a no, or no decision.

    >>> [decision(value) for value in (True, "Yes", 1, "TRUE.", "false", 0, "maybe", None, 0.7)]
    [True, True, True, True, False, False, None, None, None]
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return bool(value) if value in (0, 1) else None
    said = word(value) if isinstance(value, str) else None
    return True if said in YES else False if said in NO else None


def is_uncertain(value: Any) -> bool:
    """Tell a value that declines to decide from one that means something else.

    >>> is_uncertain("Maybe"), is_uncertain(None), is_uncertain("homicide")
    (True, True, False)
    """
    return value is None or (isinstance(value, str) and word(value) in UNCERTAIN)


def no_decision(value: Any) -> str:
    """Say why a value decides nothing, without repeating what might be a narrative's words.

    >>> no_decision("maybe"), no_decision("He was seen leaving the house.")
    ("no decision: 'maybe'", 'no decision: the flag is a text of 30 characters')
    """
    if is_uncertain(value):
        return f"no decision: {'null' if value is None else repr(word(value))}"
    if isinstance(value, str):
        return f"no decision: the flag is a text of {len(value)} characters"
    if isinstance(value, int | float):
        return "no decision: the flag is a number other than 0 and 1"
    return "no decision: the flag is no plain value"


def answers_in(value: Any, *, depth: int = 4) -> list[Fields]:
    """Find the answers in a JSON value, in lists and below wrapping keys too.

    >>> [fields.flag for fields in answers_in([{"result": {"flag": True}}, {"weather": "fine"}])]
    [True]
    """
    if depth == 0:
        return []
    if isinstance(value, list):
        return [fields for item in value for fields in answers_in(item, depth=depth - 1)]
    if not isinstance(value, dict) or len(value) > MOST_KEYS:
        return []
    inner = [
        noted(fields, "wrapped object")
        for key, item in value.items()
        if isinstance(item, dict | list) and (squashed(key) in WRAPPERS or len(value) == 1)
        for fields in answers_in(item, depth=depth - 1)
    ]
    own = read(value)
    return inner if own is None else [united([own, *inner], main=own)]


def united(found: list[Fields], *, main: Fields) -> Fields:
    """Take the main answer, unless one beside it says otherwise."""
    if len({fields.flag for fields in found}) > 1:
        return Fields(flag=None, problem="contradictory: two answers that differ in one object or list")
    return main


def noted(fields: Fields, *notes: str) -> Fields:
    """Add what had to be read around."""
    return replace(fields, notes=fields.notes + notes)


def read(found: Mapping[str, Any]) -> Fields | None:
    """Read an object's own fields, or None where it is no answer.

    >>> read({"is_ipv": "no", "reason": "None is stated."}).notes
    ("key 'is_ipv' read as flag", "'no' read as false", "key 'reason' read as rational")
    """
    named = [(key, value) for key, value in _named(found, FLAG) if not isinstance(value, dict | list)]
    if not named:
        return None
    problem = _undecided(named)
    if problem:
        return Fields(flag=None, problem=problem)
    key, value = next((key, value) for key, value in named if decision(value) is not None)
    flag = bool(decision(value))
    notes = [] if key == "flag" else [f"key '{key}' read as flag"]
    if not isinstance(value, bool):
        shown = repr(value) if isinstance(value, str) else f"{value:g}"
        notes.append(f"{shown} read as {str(flag).lower()}")
    rational = _rational(found, notes)
    steps = _steps(found, notes)
    confidence = _confidence(found, notes)
    return Fields(flag, rational, steps, confidence, notes=tuple(notes))


def _undecided(named: list[tuple[str, Any]]) -> str | None:
    """Say why the values of the flag's keys give no decision, if they give none."""
    if any(isinstance(value, Contradiction) for _, value in named):
        return "contradictory: the flag stands twice in one object and differs"
    if squashed(named[0][0]) == "flag" and decision(named[0][1]) is None:
        return no_decision(named[0][1])
    uncertain = [value for _, value in named if is_uncertain(value)]
    decided = {decision(value) for _, value in named} - {None}
    if len(decided) > 1:
        return "contradictory: two keys of one object differ"
    if not decided or (uncertain and squashed(named[0][0]) != "flag"):
        return no_decision(uncertain[0] if uncertain else named[0][1])
    return None


def _named(found: Mapping[str, Any], names: Iterable[str]) -> list[tuple[str, Any]]:
    """Pick the keys that have one of the names, the first name's first."""
    order = {squashed(name): place for place, name in enumerate(names)}
    return sorted(
        ((key, value) for key, value in found.items() if squashed(key) in order),
        key=lambda item: (order[squashed(item[0])], item[0] != "flag"),
    )


def _rational(found: Mapping[str, Any], notes: list[str]) -> str | None:
    named = _named(found, RATIONAL)
    for key, value in named:
        if isinstance(value, str):
            if key != "rational":
                notes.append(f"key '{key}' read as rational")
            return storable(value, notes)
    notes.append("the rational is no single text: dropped" if named else "no rational")
    return None


def _steps(found: Mapping[str, Any], notes: list[str]) -> tuple[str, ...]:
    for key, value in _named(found, STEPS):
        if value is None or (squashed(key) == "reasoning" and not isinstance(value, list)):
            continue
        steps = [value] if isinstance(value, str) else value
        if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
            notes.append("the reasoning steps are no list of texts: dropped")
            return ()
        if key != "reasoning_steps" or isinstance(value, str):
            notes.append(f"key '{key}' read as reasoning_steps")
        return tuple(storable(step, notes) for step in steps)
    return ()


def _confidence(found: Mapping[str, Any], notes: list[str]) -> float | None:
    named = [(key, value) for key, value in _named(found, CONFIDENCE) if value is not None]
    if not named:
        other = _named(found, OTHER_SCALES)
        if other:
            notes.append(f"key '{other[0][0]}' not read: it may be the chance of a yes")
        return None
    key, value = named[0]
    number = share(value)
    if number is None:
        notes.append("the confidence is no number from 0 to 1: dropped")
    elif key != "confidence" or isinstance(value, str):
        notes.append("confidence read from another form")
    return number


def share(value: Any) -> float | None:
    """Read a number from 0 to 1, also as a text or a percentage.

    >>> [share(value) for value in (0.9, "0.9", "90 %", 90, "high", True, "1e400")]
    [0.9, 0.9, 0.9, None, None, None, None]
    """
    if isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9]{1,3}(?:\.[0-9]{1,20})?)\s*(%?)\s*", value, flags=re.ASCII)
        if match is None:
            return None
        value = float(match[1]) / (100 if match[2] else 1)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def storable(text: str, notes: list[str]) -> str:
    """Replace half characters, which have no bytes and would not go into any file, and say so.

    >>> notes = []
    >>> storable("a" + chr(0xD800), notes), notes
    ('a\ufffd', ['half a character replaced'])
    """
    whole = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if whole == text:
        return text
    notes.append("half a character replaced")
    return re.sub(r"[\ud800-\udfff]", "\ufffd", text)
