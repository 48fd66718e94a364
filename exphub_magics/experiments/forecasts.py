"""What the experiments of a configuration will take together, before one is registered or anything is asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from exphub_magics import experiments
from exphub_magics.experiments import bills, budgets, courses, prices
from exphub_magics.experiments.prices import dollars
from exphub_magics.hub import Hub
from exphub_magics.markup import counted
from exphub_magics.questions import Question
from exphub_magics.specs import Spec

CHUNK = 500


@dataclass(frozen=True, slots=True, repr=False)
class Total:
    """What several experiments will take together, about; `estimates` holds each by its name.

    >>> one = budgets.Estimate(404, 118_170, 60_600, 0.0541, "own", 0.4, "as before", 0.0412, told=True)
    >>> print(Total((("first", one), ("second", one))).words())
    together about 808 calls, 236,000 tokens in and 121,000 out: about $0.082 to $0.11
    """

    estimates: tuple[tuple[str, budgets.Estimate], ...]

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        told = [f"{name}: {one.words()}" for name, one in self.estimates]
        return "\n".join([*told, *([self.words()] if len(told) > 1 else [])])

    @property
    def calls(self) -> int:
        """Questions that are to be asked."""
        return sum(one.calls for _, one in self.estimates)

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens in and out."""
        every = [one for _, one in self.estimates]
        return sum(one.prompt_tokens for one in every), sum(one.completion_tokens for one in every)

    @property
    def cost(self) -> tuple[float, float]:
        """USD, from and to, of all whose price is known: the providers keep what prompts share, or nothing."""
        known = [(one.least or 0.0, one.cost) for _, one in self.estimates if one.cost is not None]
        return math.fsum(least for least, _ in known), math.fsum(most for _, most in known)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The names of those whose price nobody knows."""
        return tuple(name for name, one in self.estimates if one.cost is None and one.calls)

    @property
    def untold(self) -> tuple[str, ...]:
        """The names of those whose tokens are a guess, since their model has not answered yet; free ones left out."""
        return tuple(name for name, one in self.estimates if one.calls and one.cost != 0 and not one.told)

    def words(self) -> str:
        """One line: the sum, and what it leaves out."""
        if not self.calls:
            return "together nothing to ask"
        return "; ".join([f"together {budgets.taken(self.calls, *self.tokens)}: {self._price()}", *self._left_out()])

    def _price(self) -> str:
        least, most = (dollars(amount, digits=2) for amount in self.cost)
        if len(self.unpriced) == sum(one.calls > 0 for _, one in self.estimates):
            return "price unknown"
        if not self.cost[1]:
            return "free"
        return f"about {most}" if least == most else f"about {least} to {most}"

    def _left_out(self) -> list[str]:
        said = []
        if self.unpriced:
            whose = counted(len(self.unpriced), "experiment")
            said.append(f"without {whose} whose price nobody knows: name it in {prices.FILE}")
        if self.untold:
            said.append(f"tokens of {counted(len(self.untold), 'experiment')} are a guess until their models answer")
        return said

    def as_json(self) -> dict[str, Any]:
        """The estimates and their sum as `run --max-cost 0 --json` prints them; what is not known is null."""
        least, most = self.cost
        return {
            "experiments": [{"name": name, **asdict(one)} for name, one in self.estimates],
            "calls": self.calls,
            "prompt_tokens": self.tokens[0],
            "completion_tokens": self.tokens[1],
            "cost": {"low": least, "high": most},
            "unpriced": list(self.unpriced),
        }


def forecast(hub: Hub, jobs: Sequence[experiments.Job], *, again: Sequence[str] = ()) -> Total:
    """Reckon what these jobs will ask and pay for, one after the other; nothing is written.

    A question that has its answer in the hub costs nothing, and one that several of them ask is asked once. `again`
    are the states of answers that are asked for anew.

    Raises:
        ConfigError: when the user's own table of prices cannot be read.
    """
    known = {row["fingerprint"]: row["id"] for row in hub.names()}
    asked: set[str] = set()
    return Total(tuple((_title(job.spec), _estimate(hub, job, known, again, asked)) for job in jobs))


def _title(spec: Spec) -> str:
    return f"{spec.name}, repeat {spec.repeat}" if spec.repeat > 1 else spec.name


def _estimate(
    hub: Hub, job: experiments.Job, known: dict[str, int], again: Sequence[str], asked: set[str]
) -> budgets.Estimate:
    experiment = known.get(job.spec.fingerprint(job.dataset.sha256))
    questions = _new(hub, job) if experiment is None else _left(hub, job, experiment, again)
    calls, sampled = 0, []
    while chunk := list(islice(questions, CHUNK)):
        held = hub.recall(question.question_hash for question, _ in chunk)
        for question, anew in chunk:
            if question.question_hash not in asked and (anew or question.question_hash not in held):
                asked.add(question.question_hash)
                calls += 1
                sampled += [question] if calls <= courses.SAMPLED else []
    return bills.estimate(hub, job.spec, bills.price(job.spec), sampled, calls=calls)


def _new(hub: Hub, job: experiments.Job) -> Iterator[tuple[Question, bool]]:
    """What an experiment that is not registered will ask."""
    spec, dataset = job.spec, job.dataset
    drawn: Iterable[str] | None = None
    if spec.sample is not None:
        drawn = set(experiments.sampled(hub, spec, dataset))
    for one in dataset.narratives:
        if one.placeholder is None and (drawn is None or one.narrative_id in drawn):
            yield spec.question(one.narrative_id, one.text, one.facts), False


def _left(hub: Hub, job: experiments.Job, experiment: int, again: Sequence[str]) -> Iterator[tuple[Question, bool]]:
    """What is left of an experiment to ask, and whether it had an answer already."""
    for one in hub.pending(experiment, ("failed", *again)):
        if one.placeholder is None:
            yield job.spec.question(one.narrative_id, one.narrative, one.facts), one.status is not None
