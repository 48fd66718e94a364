"""Whoever answers: the builtin model in process, any other through the official openai client.

One path serves every endpoint that speaks chat completions. What an endpoint can do is learnt from its first
answers: a JSON schema is asked for, then JSON, then plain text with one sentence about the form.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import random
import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from urllib.parse import urlsplit

import lazy_loader

from exphub_magics import answers, builtin, replies
from exphub_magics.errors import EndpointError
from exphub_magics.questions import Failure, Question, Reply
from exphub_magics.specs import BUILTIN, Spec, endpoint

if TYPE_CHECKING:
    import openai
else:
    openai = lazy_loader.load("openai")

Format: TypeAlias = Literal["schema", "json", "text"]

ATTEMPTS = 5  # of one question, the first included
DEADLINE_SECONDS = 180.0  # of one attempt, from the first byte sent to the last received
LONGEST_WAIT_SECONDS = 60.0
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
REJECTED_FORM = frozenset({400, 404, 415, 422, 501})
NOBODY = "nobody answers"
REPEATED_WORDS = 5  # in a row, as in a text that was sent: an endpoint's reason then tells of the text
LEFT_OUT = "(the reason repeats the text and is left out)"
NEXT_FORMAT: Mapping[Format, Format] = {"schema": "json", "json": "text"}


def answerer(spec: Spec, *, environment: Mapping[str, str] | None = None) -> Builtin | Endpoint:
    """Whoever answers the spec's questions.

    Raises:
        EndpointError: when the endpoint needs a key and its variable is not set, or holds what is no key.
    """
    if spec.provider == BUILTIN:
        return Builtin()
    return Endpoint.of(spec, os.environ if environment is None else environment)


class Builtin:
    """The rule reader, in this process."""

    async def ask(self, question: Question) -> Reply:
        """Answer at once."""
        body = builtin.answer(question.messages)
        return Reply(body, served_model=builtin.MODEL_NAME, answer_format="direct")

    async def close(self) -> None:
        """There is nothing to close."""


def is_local(url: str) -> bool:
    """Whether an address is this machine's own, by its literal form alone.

    >>> is_local("http://127.0.0.1:8000/v1"), is_local("http://localhost.example.org/v1")
    (True, False)
    """
    host = (urlsplit(url).hostname or "").rstrip(".").casefold()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(slots=True)
class Endpoint:
    """One endpoint during a run: its client, and what was learnt of it."""

    spec: Spec
    url: str
    key: str | None
    format: Format = "schema"
    answered: bool = False
    client: openai.AsyncOpenAI | None = field(default=None, repr=False)

    @classmethod
    def of(cls, spec: Spec, environment: Mapping[str, str]) -> Endpoint:
        """The endpoint that a spec names, with the key that its variable holds."""
        place = endpoint(spec)
        url = place.base_url or ""
        key = environment.get(place.api_key_env, "").strip() if place.api_key_env else ""
        if place.api_key_env and not key and (spec.api_key_env or not is_local(url)):
            raise EndpointError(f"{spec.provider} needs a key: set the variable {place.api_key_env}")
        if not (key.isascii() and key.isprintable()):
            raise EndpointError(f"{place.api_key_env} holds a character that no key has: set the variable anew")
        return cls(spec, url, key or None)

    def connect(self) -> openai.AsyncOpenAI:
        """The pooled client; made in the loop that uses it."""
        if self.client is None:
            # A local endpoint's text must not reach a proxy, and no endpoint may hand it on by a redirect.
            transport = openai.DefaultAioHttpClient(
                follow_redirects=False, trust_env=not is_local(self.url), timeout=DEADLINE_SECONDS
            )
            self.client = openai.AsyncOpenAI(
                api_key=self.key or "none", base_url=self.url, max_retries=0, http_client=transport
            )
        return self.client

    async def ask(self, question: Question) -> Reply | Failure:
        """Ask one question, again where that can help; a failure is a value, not an exception.

        Raises:
            EndpointError: when no question will be answered: wrong key, no such model, nobody there.
        """
        attempt, reason = 0, ""
        while attempt < ATTEMPTS:
            attempt += 1
            began, used = time.monotonic(), self.format
            try:
                async with asyncio.timeout(DEADLINE_SECONDS):
                    completion = await self.post(question, used)
                self.answered = True
                return replies.read(completion, used, time.monotonic() - began, attempt)
            except openai.APIStatusError as error:
                if self.step_down(error, used):
                    attempt -= 1
                    continue
                reason, wait = self.judge(error, question), _retry_after(error)
                if error.status_code not in RETRIED:
                    return Failure(reason, attempt)
            except (openai.APIError, TimeoutError, ValueError, TypeError, RecursionError) as error:
                reason, wait = self.describe(error, question), None
            if attempt < ATTEMPTS:
                await asyncio.sleep(_pause(attempt) if wait is None else wait)
        if not self.answered and reason.startswith(NOBODY):
            raise EndpointError(f"{reason}: start the server there, or correct base_url")
        return Failure(reason, attempt)

    async def close(self) -> None:
        """Close the connections."""
        if self.client is not None:
            await self.client.close()
            self.client = None

    async def post(self, question: Question, used: Format) -> dict[str, Any]:
        """One chat completion, as the plain JSON object that came back."""
        completion = await self.connect().post(
            "/chat/completions", cast_to=object, body=request(self.spec, question, used)
        )
        if not isinstance(completion, dict):
            raise ValueError("the endpoint sent something else than a JSON object")  # noqa: TRY004 - a bad reply
        if not completion.get("choices"):
            said = completion.get("error") or "no choices in the reply"
            raise ValueError(said.get("message", said) if isinstance(said, dict) else said)
        return completion

    def step_down(self, error: openai.APIStatusError, used: Format) -> bool:
        """Whether the endpoint refused the form asked for, and a plainer one is left to ask for."""
        about_form = any(word in str(error).casefold() for word in ("response_format", "json_schema", "json_object"))
        if used == "text" or error.status_code not in REJECTED_FORM or not about_form:
            return False
        if self.format == used:
            self.format = NEXT_FORMAT[used]
        return True

    def judge(self, error: openai.APIStatusError, question: Question) -> str:
        """Why a request was turned down; an EndpointError where every other will be too."""
        said = self.scrub(_message(error), question)
        match error.status_code:
            case 401 | 403:
                raise EndpointError(f"{self.spec.provider} refuses the key ({error.status_code}): {said}")
            case 404:
                raise EndpointError(f"{self.spec.provider} does not know {self.spec.model_name!r} or the path: {said}")
            case status:
                return f"{status}: {said}"

    def describe(self, error: Exception, question: Question) -> str:
        """A transport's error in a line without key or narrative."""
        causes = list(_causes(error))
        if any(isinstance(cause, (ConnectionRefusedError, socket.gaierror)) for cause in causes):
            return f"{NOBODY} at {self.url}"
        # The transport calls every broken connection a timeout, so a timeout is what nothing else explains.
        if any(isinstance(cause, ConnectionError) for cause in causes):
            return "the connection broke before the answer came"
        if isinstance(error, (openai.APIConnectionError, TimeoutError)):
            return f"no answer within {DEADLINE_SECONDS:g} s"
        return f"unreadable reply: {self.scrub(str(error), question)}"

    def scrub(self, text: str, question: Question) -> str:
        """One line of at most 300 characters, without the key and without what was asked."""
        if _repeats(text, question):
            return LEFT_OUT
        return " ".join(replies.whole(text.replace(self.key, "***") if self.key else text).split())[:300]


def request(spec: Spec, question: Question, used: Format) -> dict[str, Any]:
    """The body that is sent: only what the spec says, and the form of the answer."""
    body: dict[str, Any] = {"model": spec.model_name, "messages": list(question.messages)}
    for key in ("temperature", "reasoning_effort", "max_tokens", "seed"):
        value = getattr(spec, key)
        if value is not None:
            body[key] = value
    if used == "schema":
        schema = {"name": "answer", "strict": True, "schema": answers.SCHEMA}
        return body | {"response_format": {"type": "json_schema", "json_schema": schema}}
    body["messages"] = _with_sentence(question)
    return body | ({"response_format": {"type": "json_object"}} if used == "json" else {})


def _with_sentence(question: Question) -> list[dict[str, str]]:
    """The messages with the sentence about the form behind the first one's text."""
    first, *others = question.messages
    return [{**first, "content": f"{first['content']}\n\n{answers.FORMAT_SENTENCE}"}, *others]


def _repeats(said: str, question: Question) -> bool:
    """Whether words repeat a run of those that were sent, or all of a message that is shorter than a run."""
    words = _words(said)
    for message in question.messages:
        sent = _words(message["content"])
        length = min(REPEATED_WORDS, len(sent))
        if length and not _runs(sent, length).isdisjoint(_runs(words, length)):
            return True
    return False


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _runs(words: list[str], length: int) -> set[tuple[str, ...]]:
    return set(zip(*(words[start:] for start in range(length)), strict=False))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    said = body.get("message") if isinstance(body, dict) else None
    return str(said or error.response.reason_phrase or "no reason given")


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Seconds the endpoint asks to wait, within reason; None where it says nothing readable."""
    try:
        return min(float(error.response.headers.get("retry-after", "")), LONGEST_WAIT_SECONDS)
    except ValueError:
        return None


def _pause(attempt: int) -> float:
    """Full jitter: anywhere up to a ceiling that doubles with each attempt."""
    return random.uniform(0, min(LONGEST_WAIT_SECONDS, 0.5 * 2**attempt))  # noqa: S311 - no secret
