"""What a broken object still says: read exactly, cut verbatim, and never rebuilt.

The structure is repaired by json_repair, but a repair guesses: it reads `true/false` as true, `0. nine` as 0
and cuts a text at the quotes in it. So the flag counts only where the words themselves say it, each time they
do, and agree with the repair; the rational is cut from the words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from exphub_magics import lazily
from exphub_magics.answers.fields import (
    CONFIDENCE,
    FLAG,
    RATIONAL,
    STEPS,
    WRAPPERS,
    Fields,
    answers_in,
    decision,
    is_uncertain,
    no_decision,
    noted,
    read,
    share,
    squashed,
)

if TYPE_CHECKING:
    import json_repair
else:
    json_repair = lazily.load("json_repair")

WITHIN: Final = "an answer within a broken object"
MOST_REPAIRED: Final = 20_000  # characters of a broken object, and of its quotes and brackets:
MOST_MARKS: Final = 300  # json_repair looks ahead from each, and takes seconds for a reply of nothing else
# One for one, so that places in the plain text are places in the model's own.
PLAIN: Final = str.maketrans("“”„‟«»＂‘’‚‹›：，", '"' * 7 + "'" * 5 + ":,")


def _either(names: Iterable[str]) -> str:
    return "|".join(sorted((name.replace("_", "[_ -]?") for name in names), key=len, reverse=True))


_KNOWN: Final = _either((*FLAG, *RATIONAL, *STEPS, *CONFIDENCE))
# A key has a quote on one side at least, for one may be lost, or stands where a key begins.
_KEY: Final = (
    r"""(?:(?<=["'])|(?<=[{{,\n])[ \t]*|(?<!\w)(?=(?:{names})\\?["']))"""
    r"""(?P<key>{names})(?:\\?["'])?\s{{0,20}}[:=]\s{{0,20}}"""
)
_FLAG: Final = re.compile(
    _KEY.format(names=_either(FLAG))
    + r"""(?:\\?(?P<mark>["'])(?P<text>[^"'\\\n]{0,60})\\?(?P=mark)|(?P<plain>[^,}\]\n"'{\[]{0,300}))"""
    + r"""(?P<after>\s{0,20}(?:[,}\]\n]|//|\#|/\*|\Z|["']\w{1,40}["']\s{0,20}:))?""",
    re.IGNORECASE,
)
_RATIONAL: Final = re.compile(_KEY.format(names=_either(RATIONAL)) + r"""(?P<mark>["'])""", re.IGNORECASE)
_CONFIDENCE: Final = re.compile(
    _KEY.format(names=_either(CONFIDENCE)) + r"""["']?(?P<value>[^,}\]\n"']{0,40})""", re.IGNORECASE
)
_COMMENT: Final = re.compile(r"//.*|\#.*|/\*.*", re.DOTALL)
_END: Final = (  # of a text: its quote, and then the next key, the object's end or the reply's
    r"""(?<!\\){mark}(?=\s{{0,40}}(?:,?\s{{0,40}}["'][\w -]{{1,40}}["']\s{{0,20}}:"""
    rf"""|,\s{{{{0,40}}}}(?:{_KNOWN})\s{{{{0,20}}}}:|(?P<closed>,?\s{{{{0,40}}}}(?:\}}}}|\Z))))"""
)
_ENDS: Final = {mark: re.compile(_END.format(mark=mark), re.IGNORECASE) for mark in "\"'"}
_WRAPPER: Final = re.compile(rf"""["']?(?:{"|".join(WRAPPERS)})["']?\s{{0,20}}:""", re.IGNORECASE)
_ANY_KEY: Final = re.compile(rf"""["'](?:{_KNOWN})["']\s{{0,20}}:""", re.IGNORECASE)


def decisions(text: str) -> set[bool | None]:
    """Read every decision that stands beside a flag's key; None for one that is expressly open.

    >>> decisions("{'flag': True, 'rational': 'x'")
    {True}
    >>> decisions('"flag": true/false, "flag": tru')
    set()
    """
    values = map(_value, _FLAG.finditer(text.translate(PLAIN)))
    return {decision(value) for value in values if decision(value) is not None or is_uncertain(value)}


def _value(match: re.Match[str]) -> str:
    """The value beside a key; where it does not end there, a text that is no decision."""
    if match["after"] is None:
        return "…"
    if match["mark"]:
        return match["text"]
    value = _COMMENT.sub("", match["plain"]).strip()
    at_the_end = match.end("plain") == len(match.string)  # where "n" may be the start of null, and 0 of 0.8
    unfinished = at_the_end and value.casefold() not in {"true", "false"}
    return "…" if unfinished or not value else value


def mend(text: str) -> Fields | None:
    """Read the answer in a text that holds a broken object, or None where it holds none.

    >>> mend("{'flag': True, 'rational': 'She said 'no' twice',}").rational
    "She said 'no' twice"
    """
    plain = text.translate(PLAIN)
    places = [match.start() for match in _FLAG.finditer(plain)]
    if not places:
        return None
    start, end = _enclosing(plain, places[-1])
    if start is None and "}" not in plain[places[-1] :]:
        return None
    if is_quoted(plain[: start or 0]):
        return Fields(flag=None, problem=WITHIN)
    said = decisions(text)
    if len(said) != 1 or None in said:
        return Fields(flag=None, problem=_undecided(said))
    piece = slice(start or 0, end)
    opened = "{" if start is None else ""
    if not _agrees(fields := _repaired(opened + text[piece]), said):
        fields = _repaired(opened + plain[piece])
    if fields is None or not _agrees(fields, said):
        return Fields(flag=None, problem="an object too broken to read")
    return _cut(fields, text, plain, piece)


def is_quoted(before: str) -> bool:
    """Tell whether what comes next stands within a broken object, and may be quoted by it.

    A doubled or a stray brace and a key that only wraps are no object around it; a key beside it is, for the
    brace of its object may be lost.

    >>> is_quoted("{'rational': 'they wrote "), is_quoted("{'result': {"), is_quoted("In {x} I put ")
    (True, False, False)
    """
    opened: list[int] = []
    for brace in re.finditer(r"[{}]", before):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            opened.pop()
    around = _WRAPPER.sub("", before[opened[0] :]) if opened else ""
    beside = _WRAPPER.sub("", before[max(before.rfind("{"), before.rfind("}")) + 1 :])
    return any(mark in around for mark in "\"':") or re.search(r"""["']\s{0,20}:""", beside) is not None


def _undecided(said: set[bool | None]) -> str:
    if len(said) > 1:
        return "contradictory: a broken object, and two decisions that differ"
    return no_decision(None) if said else "no decision: the flag is neither true nor false"


def _enclosing(plain: str, place: int) -> tuple[int | None, int]:
    """Find the innermost object around a place by its braces; unclosed, it ends at the fence or the end."""
    opened: list[int] = []
    for brace in re.finditer(r"[{}]", plain):
        if brace[0] == "{":
            opened.append(brace.start())
        elif opened:
            start = opened.pop()
            if start < place < brace.start():
                return start, brace.end()
        if len(opened) > MOST_MARKS:
            break
    before = [start for start in opened if start < place]
    fence = plain.find("```", place)
    return (before[-1] if before else None), (len(plain) if fence < 0 else fence)


def _repaired(text: str) -> Fields | None:
    """Let json_repair read an object, where it is small enough for that to take no time."""
    if len(text) > MOST_REPAIRED or len(re.findall(r"""["'“”{\[(]""", text)) > MOST_MARKS:
        return None
    try:
        found = answers_in(json_repair.loads(text))
    except Exception:  # noqa: BLE001 - whatever the repair stumbles over is an object too broken to read
        return None
    return found[0] if len(found) == 1 else None


def _agrees(fields: Fields | None, said: set[bool | None]) -> bool:
    return fields is not None and {fields.flag} == said


def _cut(fields: Fields, text: str, plain: str, piece: slice) -> Fields:
    """Take the texts and the confidence from the words themselves, where they stand there whole and once."""
    notes = ["repaired JSON", *(note for note in fields.notes if "rational" not in note)]
    found: dict[str, Any] = {"flag": fields.flag}
    span = _rational_in(plain, piece) or _rational_in(plain, slice(0, len(plain)))
    if span is not None:
        found["rational"] = _unescaped(text[span])
    elif _RATIONAL.search(plain):
        notes.append("the rational is not whole: dropped")
    if fields.reasoning_steps and all(_stands_in(text, step) for step in fields.reasoning_steps):
        found["reasoning_steps"] = list(fields.reasoning_steps)
    values = [match["value"].strip() for match in _CONFIDENCE.finditer(plain)]
    notes = [note for note in notes if "confidence" not in note]
    if values:
        found["confidence"] = share(values[0]) if len(values) == 1 else None
        if found["confidence"] is None:
            notes.append("the confidence is no number from 0 to 1: dropped")
    mended = read(found)
    return fields if mended is None else noted(mended, *notes)


def _rational_in(plain: str, piece: slice) -> slice | None:
    """Find the rational's text between its quotes, where there is one and its end is beyond doubt."""
    by_name: dict[str, list[re.Match[str]]] = {}
    for match in _RATIONAL.finditer(plain, piece.start, piece.stop):
        by_name.setdefault(squashed(match["key"]), []).append(match)
    named = next((by_name[name] for name in RATIONAL if name in by_name), [])
    if len(named) != 1:
        return None
    start, pattern = named[0].end(), _ENDS[named[0]["mark"]]
    end = pattern.search(plain, start, piece.stop)
    if end is None or _ANY_KEY.search(plain, start, end.start()):
        return None
    if end["closed"] is not None and pattern.search(plain, end.end()):
        return None
    return slice(start, end.start())


def _unescaped(body: str) -> str:
    """Undo JSON's escapes in a text whose own quotes may stand bare; leave it as it is where that fails."""
    if "\\" not in body:
        return body
    rewritten = re.sub(r'\\.|"', _requoted, body, flags=re.DOTALL)
    try:
        return str(json.loads(f'"{rewritten}"', strict=False))
    except ValueError:
        return body


def _requoted(match: re.Match[str]) -> str:
    return {'"': '\\"', "\\'": "'"}.get(match[0], match[0])


def _stands_in(text: str, step: str) -> bool:
    escaped = (json.dumps(step)[1:-1], json.dumps(step, ensure_ascii=False)[1:-1], step.replace("'", "\\'"))
    return step in text or any(form in text for form in escaped)
