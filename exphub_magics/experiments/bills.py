"""What a run's replies cost, and how much more it may spend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from exphub_magics.experiments import budgets, prices
from exphub_magics.hub import Hub
from exphub_magics.providers.connections import is_local
from exphub_magics.questions import Question, Reply
from exphub_magics.specs import Spec, endpoint


def price(spec: Spec) -> prices.Price | None:
    """What a spec's model costs, None where nobody knows.

    Raises:
        ConfigError: when the user's own table cannot be read.
    """
    url = endpoint(spec).base_url
    local = url is not None and is_local(url)
    return prices.price(spec.provider, spec.model_name, url, local=local, overrides=prices.table())


def check(spec: Spec) -> None:
    """Refuse a limit of money where no price is known, before anything is registered.

    Raises:
        ConfigError: with the place where a price is named.
    """
    budgets.Budget(spec.max_cost, price(spec))


def estimate(
    hub: Hub, spec: Spec, known: prices.Price | None, sampled: Sequence[Question], *, calls: int
) -> budgets.Estimate:
    """Reckon what calls will take, from some of their questions and from earlier replies of the model."""
    history = hub.history(spec.provider, spec.model, spec.reasoning_effort, most=budgets.LATEST)
    return budgets.estimate(spec, known, calls=calls, sample=sampled, history=budgets.History(**history))


@dataclass(slots=True)
class Bill:
    """The tokens and the money of one run."""

    estimate: budgets.Estimate
    price: prices.Price | None
    budget: budgets.Budget
    prompt_tokens: int = 0
    cached_tokens: int = 0

    @classmethod
    def of(cls, hub: Hub, spec: Spec, experiment: int, sampled: Sequence[Question], *, calls: int) -> Bill:
        """The bill of a run that is yet to ask: reckoned from some of its questions, and from earlier replies."""
        known = price(spec)
        reckoned = estimate(hub, spec, known, sampled, calls=calls)
        before = hub.spending(experiment)
        spent = before["cost"] + before["unpriced"] * reckoned.each
        return cls(reckoned, known, budgets.Budget(spec.max_cost, known, spent, reckoned.each))

    def add(self, reply: Reply) -> float | None:
        """Put a reply on the bill; its cost in USD, None where that is not known."""
        self.prompt_tokens += reply.prompt_tokens or 0
        self.cached_tokens += reply.cached_tokens or 0
        cost = None
        if self.price is not None:
            cost = self.price.cost(
                reply.prompt_tokens, reply.cached_tokens, reply.completion_tokens, reply.written_tokens
            )
        self.budget.add(cost)
        return cost

    def ended(self) -> str:
        """Why a run stopped at its limit, with the next step."""
        return f"max_cost reached, {self.budget.words()} spent: raise it and run again for the rest"

    def shown(self) -> dict[str, Any]:
        """What a Progress says of it."""
        return {
            "estimate": self.estimate.words(),
            "spent": self.budget.spent if self.price else None,
            "limit": self.budget.limit,
            "prompt_tokens": self.prompt_tokens,
            "cached_tokens": self.cached_tokens,
        }
