"""Whoever answers: the builtin model in process, any other through the official openai client.

One path serves every endpoint that speaks chat completions: what form of answer it takes is learnt from its first
answers (soundings), how many calls it bears from all of them (pacing), and what may help where it gives none from what
it says (failures).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from exphub_magics import builtin, failures
from exphub_magics.errors import EndpointError
from exphub_magics.failures import Rejection, Trouble
from exphub_magics.providers import forms, reasons, replies
from exphub_magics.providers.connections import NOBODY, Connection, is_local
from exphub_magics.providers.forms import Form
from exphub_magics.providers.pacing import Pace
from exphub_magics.providers.soundings import Asked, Soundings
from exphub_magics.questions import Failure, Question, Reply
from exphub_magics.specs import BUILTIN, Spec, endpoint

DEADLINE_SECONDS = 180.0  # of one request, from the first byte sent to the last received
FIRST_PAUSE_SECONDS = 1.0  # at most, before a second request; the most doubles with each further one
LONGEST_PAUSE_SECONDS = 60.0
UNANSWERED = 20  # questions in a row: then the endpoint is at fault, not the narratives
TOO_LONG = 200  # likewise, of those turned down for their length: that says nothing of shorter ones
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
class Endpoint:
    """One endpoint during a run: the way to it, what was learnt of it, and how it bears the run.

    `retried` counts the requests beyond the first of each question.
    """

    spec: Spec
    connection: Connection
    pace: Pace
    soundings: Soundings
    retried: int = 0
    unanswered: int = 0  # questions in a row
    answered: bool = False  # anything at all, in this run
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
        return cls(spec, Connection(url, key or None), pace, Soundings(spec, form or Form()))

    @property
    def form(self) -> Form:
        """How its questions are put."""
        return self.soundings.form

    @property
    def settled(self) -> bool:
        """Whether a question was answered in that form."""
        return self.soundings.settled

    async def close(self) -> None:
        """Close the connections."""
        await self.connection.close()

    async def ask(self, question: Question) -> Reply | Failure:
        """Ask one question, again where that can help; a failure is a value, not an exception.

        Raises:
            EndpointError: when no question will be answered: wrong key, no such model, no credit, nobody there.
        """
        asked = self.soundings.ask(question)
        try:
            while True:
                outcome = await self.once(asked)
                if isinstance(outcome, Reply):
                    self.unanswered, self.answered = 0, True
                if isinstance(outcome, Reply | Failure):
                    return outcome
                if outcome:
                    await asyncio.sleep(outcome)
        finally:
            self.soundings.pass_on(asked)

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
        if not isinstance(came, Rejection) or came.kind != "final":
            self.soundings.pass_on(asked)  # what is not about the form keeps nobody waiting
        if isinstance(came, Reply):
            learnt = self.soundings.learn(asked, came)
            return 0.0 if learnt is None else learnt
        if isinstance(came, Trouble):
            return self.try_again(asked, came)
        return await self.turn_down(asked, came)

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

    async def turn_down(self, asked: Asked, rejection: Rejection) -> Reply | Failure | float:
        """A response with an error's status.

        Raises:
            EndpointError: where every other question will have the same.
        """
        said = self.line(rejection.said, asked)
        if said == reasons.LEFT_OUT:  # the words are the narrative's: nothing is to be read out of them
            rejection = replace(rejection, said="")
        if rejection.is_filter:
            return Reply("", finish_reason="content_filter", attempts=asked.attempts)
        reason = f"{rejection.status}: {said}"
        if await self.soundings.another(asked, rejection, failures.alike(reason)):
            asked.attempts -= 1
            return 0.0
        self.refuse_all(rejection, said)
        if rejection.kind == "final" and asked.prose is None:
            self.count_refused(rejection, reason)
        return self.try_again(asked, Trouble(rejection.kind, reason, rejection.wait))

    def refuse_all(self, rejection: Rejection, said: str) -> None:
        """Raise an EndpointError where no question will fare better."""
        setting = None if self.settled else forms.setting(self.spec, rejection.message)
        if setting and rejection.kind == "final":
            value = getattr(self.spec, setting)
            raise EndpointError(
                f"{self.spec.model!r} does not take {setting} {value}, change it or leave it out: {said}"
            )
        line = failures.hopeless(rejection, said, self.called)
        if line:
            raise EndpointError(line)

    @property
    def called(self) -> failures.Called:
        """Whom the run asks, as an error names it."""
        spec, variable = self.spec, endpoint(self.spec).api_key_env
        return failures.Called(
            spec.provider, spec.model, self.connection.address, variable, sent=self.connection.key is not None
        )

    def count_refused(self, rejection: Rejection, reason: str) -> None:
        """Count a question that was turned down for good.

        Raises:
            EndpointError: for too many in a row for one reason, where nothing was ever answered.
        """
        length = forms.is_about_length(rejection.message) or rejection.status == 413  # noqa: PLR2004 - Too Large
        most = TOO_LONG if length else UNANSWERED
        if self.soundings.refuse(failures.alike(reason)) < most or self.answered:
            return
        step = "shorten the texts, or take a model with a longer context" if length else "change prompt or settings"
        why = f"turned down {most} narratives in a row for one reason ({reason})"
        raise EndpointError(f"{self.spec.provider} answered nothing and {why}: {step}, then run it again")

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
