"""A chat completion, as an endpoint sent it, read into a Reply: whatever is not as it should be is left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from exphub_magics.questions import Reply

MOST_TOKENS = 10**9  # a count beyond it is no count


def read(completion: Mapping[str, Any], used: str, seconds: float, attempts: int) -> Reply:
    """What a chat completion says.

    >>> read({"choices": [{"message": {"content": "yes"}}]}, "text", 0.5, 1).body
    'yes'

    Raises:
        ValueError: when nothing in it can be read as a message.
    """
    choice = _first(completion["choices"])
    message = choice.get("message") or {}
    if not isinstance(message, dict):
        raise ValueError("the message is no object")  # noqa: TRY004 - a bad reply
    usage = _object(completion.get("usage"))
    return Reply(
        body=_content(message.get("content")),
        reasoning=_text(message.get("reasoning_content")) or _text(message.get("reasoning")),
        refusal=_text(message.get("refusal")),
        finish_reason=_text(choice.get("finish_reason")),
        served_model=(_text(completion.get("model")) or "").replace("\\", "/").rsplit("/", 1)[-1] or None,
        system_fingerprint=_text(completion.get("system_fingerprint")),
        answer_format=used,
        prompt_tokens=_count(usage, "prompt_tokens"),
        cached_tokens=_count(_object(usage.get("prompt_tokens_details")), "cached_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        reasoning_tokens=_count(_object(usage.get("completion_tokens_details")), "reasoning_tokens"),
        seconds=round(seconds, 3),
        attempts=attempts,
    )


def _first(choices: Any) -> dict[str, Any]:
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise ValueError("no choices in the reply")  # noqa: TRY004 - a bad reply
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


def _text(value: Any) -> str | None:
    return whole(value) if isinstance(value, str) else None


def whole(text: str) -> str:
    """A text without half characters, which have no bytes and could not be stored."""
    return re.sub(r"[\ud800-\udfff]", "\ufffd", text)


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None
