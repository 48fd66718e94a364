"""Why a question has no answer: what an endpoint says when it gives none, and what may then help.

Pure: it is given statuses, headers and bodies, and knows no client.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, TypeAlias

Kind: TypeAlias = Literal["busy", "broken", "unreadable", "final"]

# Requests of one question by how they end: who was turned away for the crowd has cost nothing and may come again
# often, a reply that cannot be read is paid for all the same.
ATTEMPTS: Final[Mapping[Kind, int]] = {"busy": 12, "broken": 5, "unreadable": 3, "final": 1}
MOST_ATTEMPTS: Final = max(ATTEMPTS.values())  # of one question, whatever they end in
LONGEST_WAIT_SECONDS: Final = 120.0  # that an endpoint may ask for
BROKEN: Final = frozenset({408, 409, 425})  # and all from 500 up
STATUSES: Final = range(400, 600)  # of errors
REDIRECTS: Final = range(300, 400)
CROWDED: Final = frozenset({408, 429, 503, 504, 529})
NO_CREDIT: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})

_FILTER: Final = re.compile(
    r"content[ _]?(?:filter|management|policy)|moderation|safety (?:system|filter|polic)|responsible ?ai"
    r"|\b(?:input|prompt|content|text|request)s?\b.{1,30}\bflagged|flagged_input",
    re.IGNORECASE,
)
_CHANGING: Final = re.compile(r"[\w-]*\d[\w-]*")


@dataclass(frozen=True, slots=True)
class Rejection:
    """What an endpoint said when it turned a request down."""

    status: int
    said: str
    code: str = ""
    wait: float | None = None

    @property
    def message(self) -> str:
        """All its words in which a part of the request may be named."""
        return f"{self.said} {self.code}"

    @property
    def is_filter(self) -> bool:
        """Whether a filter of contents turned the narrative down, before any model saw it."""
        return self.status in (400, 403, 422) and bool(_FILTER.search(self.message))

    @property
    def is_without_credit(self) -> bool:
        """Whether there is nothing left to pay with."""
        return self.status == 402 or not NO_CREDIT.isdisjoint(self.code.split())  # noqa: PLR2004 - Payment Required

    @property
    def kind(self) -> Kind:
        """What may help.

        >>> [Rejection(status, "").kind for status in (429, 502, 409, 400)]
        ['busy', 'broken', 'broken', 'final']
        """
        if self.status == 429:  # noqa: PLR2004 - Too Many Requests
            return "busy"
        return "broken" if self.status in BROKEN or self.status >= 500 else "final"  # noqa: PLR2004 - the server's

    @property
    def is_crowded(self) -> bool:
        """Whether fewer calls, or none for a while, may help."""
        return self.status in CROWDED or (self.wait is not None and self.kind != "final")


@dataclass(frozen=True, slots=True)
class Called:
    """Whom a run asks, as an error names it: `variable` is the one that holds the key, `sent` whether it held one."""

    provider: str
    model: str
    address: str
    variable: str | None = None
    sent: bool = False

    def key(self, status: int) -> str:
        """That the key is refused, and what to do.

        >>> Called("OpenAI", "m", "https://api.openai.com/v1", "OPENAI_API_KEY", sent=True).key(401)
        'OpenAI refuses the key in OPENAI_API_KEY (401): set it to one that is valid there, then run it again'
        """
        if not self.sent:
            step = f"set {self.variable}" if self.variable else "put one into a variable, and name that as api_key_env"
            return f"{self.provider} refuses the key ({status}), since none was sent: {step}"
        step = "set it to one that is valid there" if status == 401 else "see there what it may use, or set another"  # noqa: PLR2004 - Unauthorized
        return f"{self.provider} refuses the key in {self.variable} ({status}): {step}, then run it again"

    def name(self, status: int) -> str:
        """That the model or the path is not known, and what to look at."""
        whether = f"is the model called that there, and is base_url right, {self.address}?"
        return f"{self.provider} does not know {self.model!r} or the path ({status}): {whether}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why one request gave no reply, in a line, and how often to try again."""

    kind: Kind
    reason: str
    wait: float | None = None
    is_crowded: bool = False


def rejection(status: int, body: Any, headers: Mapping[str, str], reason_phrase: str = "") -> Rejection:
    """What a response with an error's status says.

    >>> rejection(429, {"error": {"message": "slow down", "code": "rate_limit"}}, {"Retry-After": "2"})
    Rejection(status=429, said='slow down', code='rate_limit', wait=2.0)
    """
    said, code = _words(body)
    return Rejection(status, said or reason_phrase or "no reason given", code, retry_after(headers))


def hopeless(rejection: Rejection, said: str, called: Called) -> str | None:
    """Why no question will fare better, with the next step, in a line; None where another one may.

    >>> hopeless(Rejection(402, "pay"), "pay", Called("OpenAI", "m", "https://api.openai.com/v1"))
    'OpenAI has no credit left, add some and run it again for the rest: pay'
    """
    wait = rejection.wait or 0.0
    if rejection.is_without_credit:
        return f"{called.provider} has no credit left, add some and run it again for the rest: {said}"
    if rejection.kind != "final" and wait > LONGEST_WAIT_SECONDS:
        return f"{called.provider} asks to wait {span(wait)}, run it again then: {said}"
    if rejection.status in (401, 403):
        return f"{called.key(rejection.status)}. It says: {said}"
    if rejection.status in (404, 405):
        return f"{called.name(rejection.status)} It says: {said}"
    if rejection.status in REDIRECTS:
        return f"{called.provider} sends on to another address ({rejection.status}): correct base_url"
    return None


def alike(reason: str) -> str:
    """A reason without what differs from request to request: its numbers, and words that hold one, as ids do.

    >>> alike("400: invalid input (req-00a7)") == alike("400: invalid input (req-00b8)") != alike("422: invalid input")
    True
    """
    status, colon, said = reason.partition(":")
    return status + colon + _CHANGING.sub("#", said.casefold())


def within(completion: Any) -> Rejection | None:
    """The error that a response of status 200 holds in an answer's place; its status is 200 where it tells none.

    >>> within({"error": {"message": "overloaded", "code": 503}}).status
    503
    >>> within({"choices": [{"message": {"content": "yes"}}]})
    """
    if not isinstance(completion, dict):
        return None
    choices = completion.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    error = first.get("error") or (None if first else completion.get("error"))
    if not error:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    number = int(code) if isinstance(code, int | str) and str(code).isdecimal() else 200
    return rejection(number if number in STATUSES else 200, error, {})


def _words(body: Any) -> tuple[str, str]:
    """A body's message, and its code, type and parameter as one text, in any of the layouts that are in use."""
    if isinstance(body, str):
        return ("" if body.lstrip().startswith("<") else body), ""
    if isinstance(body, list):
        return "; ".join(filter(None, map(_detail, body))), ""
    if not isinstance(body, dict):
        return "", ""
    inner = body.get("error")
    if isinstance(inner, dict | str):
        return _words(inner)
    said = next((body[key] for key in ("message", "detail", "msg") if body.get(key)), "")
    message = said if isinstance(said, str) else _words(said)[0] or str(said)
    codes = (body.get(key) for key in ("code", "type", "param"))
    return message, " ".join(code for code in codes if isinstance(code, str))


def _detail(item: Any) -> str:
    """One of several complaints: what is wrong, and where; never the input, which may be the text."""
    if not isinstance(item, dict):
        return ""
    place = item.get("loc")
    where = ".".join(str(part) for part in place) if isinstance(place, list) else ""
    return ": ".join(part for part in (where, str(item.get("msg") or "")) if part)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that an endpoint asks to wait; None where it says nothing that can be read.

    >>> [retry_after(said) for said in ({"Retry-After": "20"}, {"retry-after-ms": "1500"}, {"Retry-After": "soon"})]
    [20.0, 1.5, None]
    """
    said = {name.casefold(): value for name, value in headers.items()}
    milliseconds = _number(said.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    seconds = _number(said.get("retry-after"))
    return _until(said.get("retry-after", "")) if seconds is None else seconds


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _until(date: str) -> float | None:
    """Seconds until an HTTP date."""
    try:
        return max(0.0, parsedate_to_datetime(date).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def span(seconds: float) -> str:
    """A time to wait, for a reader.

    >>> span(45), span(150), span(3600)
    ('45 s', '3 min', '1 h')
    """
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length or seconds == length:
            return f"{math.ceil(seconds / length)} {unit}"
    return f"{math.ceil(seconds)} s"
