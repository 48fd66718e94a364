"""A chat completion, as an endpoint sent it, read into a Reply: whatever is not as it should be is left out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from exphub_magics.questions import Reply

MOST_TOKENS: Final = 10**9  # a count beyond it is no count
ROUNDED: Final = 1e-3  # a log probability may be a little above 0, by rounding
LEAST: Final = 1e6  # below it is no log probability; some endpoints write -9999 for "next to none"
FLAG: Final = "flag"  # the key as it was asked for; the chance of another key's value is not read

_BLANK: Final = r"[\s\u2581\u0120\u010a]"  # as a text, or as some vocabularies spell it
_THINKING: Final = re.compile(
    r"<(think|thinking|thought|reasoning)>.*?(?:</\1>|\Z)|\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE
)
_MARK: Final = re.compile(rf'"((?:[^"\\]|\\.)*)"(?:{_BLANK}*(:))?|[{{}}]', re.DOTALL)
_VALUE: Final = re.compile(rf"{_BLANK}*[\"']?{_BLANK}*(true|false|yes|no|y|n|1|0)(?![\w.]\w)\b", re.IGNORECASE)
_WORD: Final = re.compile(rf"(?:{_BLANK}|[\"'])*([a-z]+|[01](?![\d.]))", re.IGNORECASE)
_YES: Final = ("true", "yes", "1")
_NO: Final = ("false", "no", "0")


def read(completion: Any, used: str, seconds: float, attempts: int, parameters: str | None = None) -> Reply:
    """What a chat completion says.

    >>> read({"choices": [{"message": {"content": "yes"}}]}, "text", 0.5, 1).body
    'yes'

    Raises:
        ValueError: when nothing in it can be read as a message.
    """
    if not isinstance(completion, dict):
        raise ValueError("the endpoint sent something else than a JSON object")  # noqa: TRY004 - a bad reply
    choice = _first(completion.get("choices"))
    message = choice.get("message") or {}
    if not isinstance(message, dict):
        raise ValueError("the message is no object")  # noqa: TRY004 - a bad reply
    usage = _object(completion.get("usage"))
    return Reply(
        body=_content(message.get("content")),
        reasoning=_text(message.get("reasoning_content")) or _text(message.get("reasoning")),
        refusal=_text(message.get("refusal")),
        finish_reason=_word(choice.get("finish_reason")),
        served_model=_word((_text(completion.get("model")) or "").replace("\\", "/").rsplit("/", 1)[-1]),
        system_fingerprint=_word(completion.get("system_fingerprint")),
        answer_format=used,
        parameters=parameters,
        p_true=p_true(_object(choice.get("logprobs")).get("content")),
        prompt_tokens=_count(usage, "prompt_tokens"),
        cached_tokens=_count(_object(usage.get("prompt_tokens_details")), "cached_tokens"),
        written_tokens=_count(_object(usage.get("prompt_tokens_details")), "cache_write_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        reasoning_tokens=_count(_object(usage.get("completion_tokens_details")), "reasoning_tokens"),
        seconds=round(seconds, 3),
        attempts=attempts,
    )


def _first(choices: Any) -> dict[str, Any]:
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise ValueError("no choices in the reply")
    return choices[0]


def _content(content: Any) -> str:
    """A message's words: a text, or a list of parts whose texts are one."""
    if content is None:
        return ""
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if not isinstance(content, str):
        raise ValueError("the content is no text")  # noqa: TRY004 - a bad reply
    return whole(content)


def _part(part: Any) -> str:
    """The text of one part of a content; a part of another kind, such as thinking, has none."""
    if isinstance(part, dict) and part.get("type", "text") in ("text", "output_text"):
        part = part.get("text")
    return part if isinstance(part, str) else ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: Any) -> str | None:
    """A name or a code: one short word. Whatever else an endpoint puts there may tell of the text, or of a machine."""
    return value if isinstance(value, str) and re.fullmatch(r"[\w.:@+-]{1,100}", value) else None


def _text(value: Any) -> str | None:
    return whole(value) if isinstance(value, str) else None


def whole(text: str) -> str:
    """A text without half characters, which have no bytes and could not be stored."""
    return re.sub(r"[\ud800-\udfff]", "\ufffd", text)


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None


# --- the chance of a yes ----------------------------------------------------------------------------------


def p_true(tokens: Any) -> float | None:
    """The chance of a yes among a yes and a no, where the flag's value begins; None where it cannot be told.

    >>> rivals = [{"token": " true", "logprob": -0.1}, {"token": " false", "logprob": -2.3}]
    >>> said = [{"token": '{"flag":', "logprob": 0.0}, {**rivals[0], "top_logprobs": rivals}, {"token": "}"}]
    >>> round(p_true(said), 2)
    0.9

    Args:
        tokens: a choice's `logprobs.content`: each token with its log probability and those of its strongest rivals.
    """
    if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
        return None
    words = [token.get("token") for token in tokens]
    if not all(isinstance(word, str) for word in words):
        return None
    value = _flag_value("".join(words))
    if value is None:
        return None
    number, lead = _token_at(words, value.start(1))
    rivals = [(word.removeprefix(lead), chance) for word, chance in _rivals(tokens[number]).items()]
    return _chance(rivals, value[1])


def _flag_value(text: str) -> re.Match[str] | None:
    """The value of the last answer's flag, outside any thinking; of an object's flags that of the outermost."""
    text = _THINKING.sub(lambda thought: " " * len(thought[0]), text)
    found, depth, outermost = None, 0, math.inf
    for mark in _MARK.finditer(text, max(text.find("{"), 0)):
        if mark[0] == "}":
            depth = max(0, depth - 1)
        elif mark[0] == "{":
            depth += 1
            outermost = math.inf if depth == 1 else outermost
        elif mark[2] and mark[1].casefold() == FLAG and depth <= outermost:
            found, outermost = mark.end(), depth
    return None if found is None else _VALUE.match(text, found)


def _token_at(words: Sequence[str], place: int) -> tuple[int, str]:
    """Which token holds a character of the text, and what of the token stands before it."""
    start = number = 0
    while start + len(words[number]) <= place:
        start += len(words[number])
        number += 1
    return number, words[number][: place - start]


def _chance(rivals: Sequence[tuple[str, float]], value: str) -> float | None:
    """The share of the yes among the yes and the no; where one kind stands alone, what its own chance says."""
    yes = sum(chance for word, chance in rivals if _kind(word) is True)
    no = sum(chance for word, chance in rivals if _kind(word) is False)
    if yes and no:
        return yes / (yes + no)
    # Where a grammar is in force, a rival may be a word that it would not have let pass.
    possible = 1 - sum(chance for word, chance in rivals if _kind(word) is None)
    if _kind(value):
        return min(1.0, yes / possible) if yes and possible > 0 else None
    return max(0.0, 1 - no / possible) if no and possible > 0 else None


def _rivals(token: Mapping[str, Any]) -> dict[str, float]:
    """The words that might have stood there, the chosen one among them, with their chances."""
    others = token.get("top_logprobs")
    found: dict[str, float] = {}
    for one in (token, *(others if isinstance(others, list) else ())):
        word, chance = (one.get("token"), one.get("logprob")) if isinstance(one, dict) else (None, None)
        if isinstance(word, str) and isinstance(chance, int | float) and -LEAST <= chance <= ROUNDED:
            found.setdefault(word, math.exp(min(0.0, chance)))
    return found


def _kind(word: str) -> bool | None:
    """What a value that begins with these characters can only be.

    >>> [_kind(word) for word in (" true", '"false', "TR", "n", "1", "10", " ", "maybe")]
    [True, False, True, False, True, None, None, None]
    """
    begun = _WORD.match(word)
    if begun is None:
        return None
    letters = begun[1].casefold()
    if any(full.startswith(letters) for full in _YES):
        return True
    return False if any(full.startswith(letters) for full in _NO) else None
