"""Whoever answers: the builtin model in process, any other through the official openai client.

One path serves every endpoint that speaks chat completions: what form of answer it takes is learnt from its first
answers (forms), how many calls it bears from all of them (pacing), and what may help where it gives none from what
it says (failures).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exphub_magics import builtin, failures, forms, reasons, replies
from exphub_magics.connections import NOBODY, Connection, is_local
from exphub_magics.errors import EndpointError
from exphub_magics.failures import Rejection, Trouble
from exphub_magics.forms import Form
from exphub_magics.pacing import Pace
from exphub_magics.questions import Failure, Question, Reply
from exphub_magics.specs import BUILTIN, Spec, endpoint

DEADLINE_SECONDS = 180.0  # of one request, from the first byte sent to the last received
FIRST_PAUSE_SECONDS = 1.0  # at most, before a second request; the most doubles with each further one
LONGEST_PAUSE_SECONDS = 60.0
UNANSWERED = 20  # questions in a row: then the endpoint is at fault, not the narratives
MOST_BYTES = 50_000_000  # of a reply


def answerer(
    spec: Spec, *, environment: Mapping[str, str] | None = None, form: Form | None = None
) -> Builtin | Endpoint:
    """Whoever answers the spec's questions.

    Args:
        spec: a completed spec.
        environment: where the key is looked up; the process's own by default.
        form: how the endpoint took its questions before, if that is known.

    Raises:
        EndpointError: when the endpoint needs a key and its variable is not set, or holds what is no key.
    """
    if spec.provider == BUILTIN:
        return Builtin()
    return Endpoint.of(spec, os.environ if environment is None else environment, form=form)


class Builtin:
    """The rule reader, in this process."""

    async def ask(self, question: Question) -> Reply:
        """Answer at once."""
        body = builtin.answer(question.messages)
        return Reply(body, served_model=builtin.MODEL_NAME, answer_format="direct")

    async def close(self) -> None:
        """There is nothing to close."""


@dataclass(slots=True)
class Asked:
    """One question under way: in which form, how often it was put, and what came of it."""

    question: Question
    form: Form
    requests: int = 0
    attempts: int = 0  # the requests but for those turned down for their form
    troubles: Counter[failures.Kind] = field(default_factory=Counter)
    prose: Reply | None = None  # that passed a fuller form over


@dataclass(slots=True)
class Endpoint:
    """One endpoint during a run: the way to it, what was learnt of it, and how it bears the run.

    `form` is how its questions are put, `settled` once one was answered in it; `retried` counts the requests beyond
    the first of each question.
    """

    spec: Spec
    connection: Connection
    pace: Pace
    form: Form = field(default_factory=Form)
    settled: bool = False
    retried: int = 0
    unanswered: int = 0  # questions in a row
    deadline_seconds: float = field(default_factory=lambda: DEADLINE_SECONDS)

    @classmethod
    def of(cls, spec: Spec, environment: Mapping[str, str], *, form: Form | None = None) -> Endpoint:
        """The endpoint that a spec names, with the key that its variable holds."""
        place = endpoint(spec)
        url = place.base_url or ""
        key = environment.get(place.api_key_env, "").strip() if place.api_key_env else ""
        if place.api_key_env and not key and (spec.api_key_env or not is_local(url)):
            raise EndpointError(f"{spec.provider} needs a key: set the variable {place.api_key_env}")
        if not (key.isascii() and key.isprintable()):
            raise EndpointError(f"{place.api_key_env} holds a character that no key has: set the variable anew")
        pace = Pace(spec.concurrency, deadline_seconds=DEADLINE_SECONDS)
        return cls(spec, Connection(url, key or None), pace, form or Form())

    async def close(self) -> None:
        """Close the connections."""
        await self.connection.close()

    async def ask(self, question: Question) -> Reply | Failure:
        """Ask one question, again where that can help; a failure is a value, not an exception.

        Raises:
            EndpointError: when no question will be answered: wrong key, no such model, no credit, nobody there.
        """
        asked = Asked(question, self.form)
        while True:
            outcome = await self.once(asked)
            if isinstance(outcome, Reply):
                self.unanswered = 0
            if isinstance(outcome, Reply | Failure):
                return outcome
            if outcome:
                await asyncio.sleep(outcome)

    async def once(self, asked: Asked) -> Reply | Failure | float:
        """Put a question once: its reply, why there will be none, or how long to wait before the next request."""
        asked.requests += 1
        asked.attempts += 1
        self.retried += asked.requests > 1
        body = forms.request(self.spec, asked.question, asked.form)
        async with self.pace as began:
            raw = await self.connection.post(body, self.deadline_seconds)
            seconds = time.monotonic() - began
            came = self.read(raw, asked, seconds, forms.parameters(body)) if isinstance(raw, bytes) else raw
            self.tell_pace(began, came)
        if isinstance(came, Reply):
            return self.learn(asked, came)
        if isinstance(came, Trouble):
            return self.try_again(asked, came)
        return self.turn_down(asked, came)

    def read(self, raw: bytes, asked: Asked, seconds: float, parameters: str) -> Reply | Rejection | Trouble:
        """What a response of status 200 says."""
        if len(raw) > MOST_BYTES:
            return Trouble("unreadable", f"unreadable reply: longer than {MOST_BYTES:,} bytes")
        try:
            completion = json.loads(raw)
            rejection = failures.within(completion)
            if rejection is None:
                reply = replies.read(completion, asked.form.answer, seconds, asked.attempts, parameters)
                return self.without_key(reply)
        except (ValueError, RecursionError) as error:
            return Trouble("unreadable", f"unreadable reply: {self.line(str(error), asked)}")
        if rejection.status in failures.STATUSES:
            return rejection
        return Trouble("unreadable", f"unreadable reply: {self.line(rejection.said, asked)}")

    def without_key(self, reply: Reply) -> Reply:
        """The reply without what it says of itself where that holds the key."""
        key = self.connection.key
        told = {name: getattr(reply, name) for name in ("finish_reason", "served_model", "system_fingerprint")}
        held: dict[str, Any] = {name: None for name, word in told.items() if key and word and key in word}
        return replace(reply, **held) if held else reply

    def tell_pace(self, began: float, came: Reply | Rejection | Trouble) -> None:
        """Let the pace know how the endpoint bears it."""
        if isinstance(came, Reply):
            self.pace.answered(began)
        elif came.is_crowded:
            short = came.wait is not None and came.wait <= failures.LONGEST_WAIT_SECONDS
            self.pace.congested(began, came.wait if short else None)

    def line(self, said: str, asked: Asked) -> str:
        """What the endpoint said, as it may be kept."""
        return reasons.line(said, asked.question, self.connection.key)

    # --- what comes of it ---------------------------------------------------------------------------------

    def learn(self, asked: Asked, reply: Reply) -> Reply | float:
        """A reply settles the form that it was asked for in, unless it passed that form over."""
        if not self.settled and asked.prose is None:
            following = forms.ignored(asked.form, reply)
            if following is not None:
                asked.form, asked.prose = following, reply
                return 0.0
        if asked.prose is not None and forms.is_prose(reply):  # then the form was not at fault
            self.settled = True
            return replace(asked.prose, attempts=asked.attempts)
        if not self.settled or asked.form.richness > self.form.richness:
            self.form, self.settled = asked.form, True
        return reply

    def turn_down(self, asked: Asked, rejection: Rejection) -> Reply | Failure | float:
        """A response with an error's status.

        Raises:
            EndpointError: where every other question will have the same.
        """
        said = self.line(rejection.said, asked)
        if said == reasons.LEFT_OUT:  # the words are the narrative's: nothing is to be read out of them
            rejection = replace(rejection, said="")
        if rejection.is_filter:
            return Reply("", finish_reason="content_filter", attempts=asked.attempts)
        if self.step_down(asked, rejection):
            asked.attempts -= 1
            return 0.0
        self.refuse_all(rejection, said)
        return self.try_again(asked, Trouble(rejection.kind, f"{rejection.status}: {said}", rejection.wait))

    def step_down(self, asked: Asked, rejection: Rejection) -> bool:
        """Whether there is a plainer form to ask in, and reason to; a fault that is named spares the others it."""
        named = forms.is_about_form(rejection.message)
        if not named and (self.settled or forms.setting(self.spec, rejection.message)):
            return False
        following = forms.plainer(asked.form, rejection.status, rejection.message)
        if following is None:
            return False
        if named and not self.settled and self.form == asked.form:
            self.form = following
        asked.form = following
        return True

    def refuse_all(self, rejection: Rejection, said: str) -> None:
        """Raise an EndpointError where no question will fare better."""
        provider, model, wait = self.spec.provider, self.spec.model, rejection.wait or 0.0
        setting = None if self.settled else forms.setting(self.spec, rejection.message)
        if setting and rejection.kind == "final":
            value = getattr(self.spec, setting)
            raise EndpointError(f"{model!r} does not take {setting} {value}, change it or leave it out: {said}")
        if rejection.is_without_credit:
            raise EndpointError(f"{provider} has no credit left, add some and run it again for the rest: {said}")
        if rejection.kind != "final" and wait > failures.LONGEST_WAIT_SECONDS:
            raise EndpointError(f"{provider} asks to wait {failures.span(wait)}, run it again then: {said}")
        if rejection.status in (401, 403):
            raise EndpointError(f"{provider} refuses the key ({rejection.status}): {said}")
        if rejection.status in (404, 405):
            raise EndpointError(f"{provider} does not know {model!r} or the path: {said}")
        if rejection.status in failures.REDIRECTS:
            raise EndpointError(f"{provider} sends on to another address ({rejection.status}): correct base_url")

    def try_again(self, asked: Asked, trouble: Trouble) -> Reply | Failure | float:
        """After a request in vain: how long to wait before the next, or why there is none."""
        asked.troubles[trouble.kind] += 1
        number = asked.troubles[trouble.kind]
        if number < failures.ATTEMPTS[trouble.kind] and asked.attempts < failures.MOST_ATTEMPTS:
            return _pause(number) if trouble.wait is None else 0.0
        if asked.prose is not None:
            return replace(asked.prose, attempts=asked.attempts)
        if trouble.kind != "final":
            self.go_without(trouble.reason)
        return Failure(trouble.reason, asked.attempts)

    def go_without(self, reason: str) -> None:
        """Count a question without an answer.

        Raises:
            EndpointError: for too many in a row, and where nobody was ever there.
        """
        self.unanswered += 1
        if not self.connection.heard and reason.startswith(NOBODY):
            raise EndpointError(f"{reason}: start the server there, or correct base_url")
        if self.unanswered >= UNANSWERED:
            raise EndpointError(
                f"{self.spec.provider}: {self.unanswered} questions in a row had no answer ({reason}); "
                "what is answered is kept, run it again for the rest"
            )


def _pause(number: int) -> float:
    """Full jitter: anywhere up to a ceiling that doubles with each request in vain."""
    return random.uniform(0, min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (number - 1)))  # noqa: S311
