"""What passes between the hub, the engines and whoever answers: a question, its reply, its failure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from exphub_magics.prompts import Message


@dataclass(frozen=True, slots=True)
class Question:
    """One narrative, rendered into messages, with the identity of what is asked."""

    narrative_id: str
    messages: tuple[Message, ...]
    question_hash: str
    asking: int = 0

    @property
    def request_hash(self) -> str:
        """The identity of this asking: the question's own, unless it was asked before and is asked anew."""
        if not self.asking:
            return self.question_hash
        return hashlib.sha256(f"{self.question_hash}:{self.asking}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's words, verbatim, and what was learnt with them."""

    body: str
    reasoning: str | None = None
    refusal: str | None = None
    finish_reason: str | None = None
    served_model: str | None = None
    system_fingerprint: str | None = None
    answer_format: str | None = None
    parameters: str | None = None  # JSON: what was sent beside the model and the messages
    p_true: float | None = None  # of the flag, from its token's logprobs
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    written_tokens: int | None = None  # of the prompt, which the provider keeps for later calls
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    seconds: float | None = None
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a question has no reply, in a line that holds neither key nor narrative."""

    error: str
    attempts: int = 1


Outcome: TypeAlias = tuple[Question, Reply | Failure]
Ask: TypeAlias = Callable[[Question], Awaitable[Reply | Failure]]
Engine: TypeAlias = Callable[[Iterable[Question]], Iterator[list[Outcome]]]


def digest(request: Any) -> str:
    """The sha256 of a JSON value, the same whatever the order of its keys.

    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    text = json.dumps(request, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
