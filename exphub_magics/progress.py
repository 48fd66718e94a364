"""Where a run stands, as its views show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands; `state` is `running`, `done` or `stopped`.

    >>> Progress(1, "first", "running", total=10, statuses={"ok": 4}, asked=4, seconds=2.0).remaining_seconds
    3.0

    Money is in USD, and None where no price is known; `level` is how many calls at once the endpoint bears at
    present, `held` for how many seconds it has asked to be left alone.
    """

    experiment_id: int
    name: str
    state: str
    total: int
    statuses: Mapping[str, int]
    positives: int = 0
    asked: int = 0
    recalled: int = 0
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()
    estimate: str | None = None
    reason: str | None = None
    spent: float | None = None
    limit: float | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    retried: int = 0
    level: int | None = None
    held: float = 0.0
    waiting: str | None = None
    failures: Mapping[str, int] | None = None

    @property
    def finished(self) -> int:
        """Narratives that have a result."""
        return sum(self.statuses.values())

    @property
    def rate(self) -> float | None:
        """Narratives asked a second, since this run began."""
        return self.asked / self.seconds if self.asked and self.seconds else None

    @property
    def remaining_seconds(self) -> float | None:
        """How long the rest will take at the present rate."""
        return (self.total - self.finished) / self.rate if self.rate else None

    @property
    def cached(self) -> float | None:
        """The share of the prompts' tokens that the provider had in its cache."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens and self.cached_tokens else None
