"""How an endpoint takes its questions, found out while the first of them are asked.

Where an endpoint does not say what it minds, one question at a time tries other forms, and what it finds out serves
all the others, which wait for it meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace

from exphub_magics import failures
from exphub_magics.failures import Rejection
from exphub_magics.providers import forms
from exphub_magics.providers.forms import Form
from exphub_magics.questions import Question, Reply
from exphub_magics.specs import Spec


@dataclass(slots=True)
class Asked:
    """One question under way: in which form, how often it was put, and what came of it."""

    question: Question
    form: Form
    requests: int = 0
    attempts: int = 0  # the requests but for those turned down for their form
    troubles: Counter[failures.Kind] = field(default_factory=Counter)
    prose: Reply | None = None  # that passed a fuller form over
    turn: bool = False  # to try other forms


@dataclass(slots=True)
class Soundings:
    """What was found out in a run: `form` is how questions are put, `settled` once one was answered in it.

    `refused` counts the questions that were turned down in a row, by the one reason that they share.
    """

    spec: Spec
    form: Form = field(default_factory=Form)
    settled: bool = False
    refused: Counter[str] = field(default_factory=Counter)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    def ask(self, question: Question) -> Asked:
        """A question that is about to be put, in the form known so far."""
        return Asked(question, self.form)

    def learn(self, asked: Asked, reply: Reply) -> Reply | None:
        """A reply settles the form that it was asked for in; None where it passed that over, to be asked anew."""
        if not self.settled and asked.prose is None:
            following = forms.ignored(asked.form, reply)
            if following is not None:
                asked.form, asked.prose = following, reply
                return None
        if asked.prose is not None and forms.is_prose(reply):  # then the form was not at fault
            self.settled = True
            return replace(asked.prose, attempts=asked.attempts)
        if not self.settled or asked.form.richness > self.form.richness:
            self.form, self.settled = asked.form, True
        return reply

    async def another(self, asked: Asked, rejection: Rejection, reason: str) -> bool:
        """Whether there is another form to ask in, and reason to; a fault that is named spares the others it."""
        named = forms.is_about_form(rejection.message)
        if not named and (self.settled or forms.setting(self.spec, rejection.message)):
            return False
        following = forms.plainer(asked.form, rejection.status, rejection.message)
        if following is None:
            return False
        if not named and not await self.has_turn(asked, reason):
            changed, asked.form = asked.form != self.form, self.form
            return changed
        if named and not self.settled and self.form == asked.form:
            self.form = following
        asked.form = following
        return True

    async def has_turn(self, asked: Asked, reason: str) -> bool:
        """Wait until no other question tries forms; whether there is then need to.

        Of those turned down for one reason the first, second, fourth, eighth … try: each may be at fault itself.
        """
        if not asked.turn:
            await self.turn.acquire()
            asked.turn = True
            before = self.refused[reason]
            if self.settled or before & (before + 1):  # with this one it is no power of two
                self.pass_on(asked)
        return asked.turn

    def pass_on(self, asked: Asked) -> None:
        """Give the turn to whoever waits for it."""
        if asked.turn:
            asked.turn = False
            self.turn.release()

    def refuse(self, reason: str) -> int:
        """Count a question that was turned down for good; how many in a row were for this reason."""
        self.refused = Counter({reason: self.refused[reason] + 1})
        return self.refused[reason]
