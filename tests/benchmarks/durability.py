"""How long a reply that has arrived waits until its result is durable, at full load."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contests

from exphub_magics import datasets, experiments, prompts, providers, specs
from exphub_magics.experiments import courses
from exphub_magics.hub import Hub
from exphub_magics.questions import Failure, Question, Reply


def figures() -> Iterator[str]:
    cuts = [1000 * cut for cut in statistics.quantiles(waits(), n=100, method="inclusive")]
    yield (
        f"a reply that has arrived is durable after {cuts[49]:.0f} ms (median), {cuts[98]:.0f} ms (99th percentile), "
        "concurrency 64, no latency"
    )


def waits() -> list[float]:
    """The seconds between each reply and the end of the transaction that holds its result."""
    arrived: dict[str, float] = {}
    waited: list[float] = []

    class Stamped:
        """An answerer that notes when each reply came."""

        def __init__(self, answerer: Any) -> None:
            self.answerer = answerer

        def __getattr__(self, name: str) -> Any:
            return getattr(self.answerer, name)

        async def ask(self, question: Question) -> Reply | Failure:
            outcome = await self.answerer.ask(question)
            arrived[question.narrative_id] = time.perf_counter()
            return outcome

    class Watched(Hub):
        """A hub that notes when each result was durable."""

        def record(self, *arguments: Any, **more: Any) -> list[dict[str, Any]]:
            stored = super().record(*arguments, **more)
            now = time.perf_counter()
            waited.extend(now - arrived[row["narrative_id"]] for row in stored if row["narrative_id"] in arrived)
            return stored

    answerer = providers.answerer
    with contests.endpoint() as served, tempfile.TemporaryDirectory() as folder:
        asked = {"provider": "bench", "model_name": "bench-1", "base_url": served.url, "concurrency": 64}
        spec = specs.complete(specs.Spec(name="bench", prompt=prompts.parse("Is it?"), data="sample", **asked))
        courses.providers.answerer = lambda *all_of_it, **more: Stamped(answerer(*all_of_it, **more))
        with Watched.open(Path(folder) / "hub.db") as hub:
            for _ in experiments.run(hub, experiments.Job(spec, datasets.read("sample"))):
                pass
        courses.providers.answerer = answerer
    return waited
