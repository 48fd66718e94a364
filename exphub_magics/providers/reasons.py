"""A reason that may be kept: an endpoint's words in one line, without the key, the narrative or a machine's path."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from exphub_magics.providers.replies import whole
from exphub_magics.questions import Question

LONGEST: Final = 300  # characters of a reason that is kept
LOOKED_AT: Final = 4_000  # characters of a message
REPEATED_WORDS: Final = 5  # in a row, as in a text that was sent: an endpoint's reason then tells of the text
LEFT_OUT: Final = "(the reason repeats the text and is left out)"
SHORTEST_PIECE: Final = 3  # characters at either end of a key that are still a piece of it
HOMES: Final = ("home", "Users")  # what stands in them is a person's name
TELLING_PIECE: Final = 6  # characters anywhere in a key

_ESCAPE: Final = re.compile(r"\\+(?:u([0-9a-f]{4})|x([0-9a-f]{2})|[abfnrtv])", re.IGNORECASE)
_START: Final = r"(?:~?/(?!v\d)|[A-Za-z]:[\\/]+|\\\\)"
_NAME: Final = r"[^\s/\\'\"<>|,;()]"
_QUOTED_PATH: Final = re.compile(rf"(?<=(['\"`])){_START}[^'\"`\n]*(?=\1)")
_PATH: Final = re.compile(rf"(?<![\w:/.~\\])(?:file:/*(?=/))?{_START}(?:{_NAME}+[/\\]+)+{_NAME}*")


def line(text: str, question: Question, key: str | None) -> str:
    """One line of at most 300 characters, without the key, a path of a machine, or what was asked."""
    text = text[:LOOKED_AT]
    if _repeats(text, question):
        return LEFT_OUT
    kept = without_paths(without_key(whole(text), key))
    return " ".join(kept.split())[:LONGEST]


def without_key(text: str, key: str | None) -> str:
    """A text without a key, and without the pieces of it that an endpoint shows in its stead.

    >>> without_key("Incorrect key: sk-ab***********wxyz.", "sk-abcdefghijkl-wxyz")
    'Incorrect key: ***.'
    """
    if not key:
        return text
    text = text.replace(key, "***")
    text = re.sub(r"[\w-]{3,}", lambda found: "***" if _is_piece(found[0], key) else found[0], text)
    return re.sub(r"\*[*.…•xX]{3,}\*|\*{4,}", "***", text)


def _is_piece(word: str, key: str) -> bool:
    if key.startswith(word) or key.endswith(word):
        return True
    if len(word) > SHORTEST_PIECE and (word[:4] == key[:4] or word[-4:] == key[-4:]):
        return True
    return any(word[at : at + TELLING_PIECE] in key for at in range(len(word) - TELLING_PIECE + 1))


def without_paths(text: str) -> str:
    r"""A text in which each absolute path is its last component; addresses of the web stay.

    >>> without_paths("cannot open '/srv/some one/models/m.gguf', see https://example.org/docs/errors")
    "cannot open 'm.gguf', see https://example.org/docs/errors"
    >>> without_paths(r"no C:\Users\somebody\m.gguf here")
    'no m.gguf here'
    """
    return _PATH.sub(_last, _QUOTED_PATH.sub(_last, text))


def _last(found: re.Match[str]) -> str:
    *_, folder, last = "", *re.split(r"[/\\]+", found[0].rstrip("/\\"))
    return "***" if folder in HOMES else last


def _repeats(said: str, question: Question) -> bool:
    """Whether words repeat a run of those that were sent, or all of a message that is shorter than a run."""
    words = _spoken(said)
    for message in question.messages:
        sent = _spoken(message["content"])
        length = min(REPEATED_WORDS, len(sent))
        if length and not _runs(sent, length).isdisjoint(_runs(words, length)):
            return True
    return False


def _spoken(text: str) -> list[str]:
    """The words of a text, also of one that is written as JSON, Python or HTML write it."""
    plain = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2] or "20", 16)), unescape(text))
    return re.findall(r"\w+", plain.casefold())


def _runs(words: list[str], length: int) -> set[tuple[str, ...]]:
    return set(zip(*(words[start:] for start in range(length)), strict=False))
