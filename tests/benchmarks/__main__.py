"""Ratios, measured side by side in one run: `make bench` prints them. Nothing here is a test of time.

Each figure is the median of runs that alternate between the two things compared, so that a busy machine slows both.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from endpoint import ScriptedEndpoint, answer, completion
from exphub_magics import builtin, courses, datasets, experiments, prompts, providers, specs
from exphub_magics.hub import Hub
from exphub_magics.questions import Failure, Question, Reply

ROUNDS = 9
SHELL = "from IPython.core.interactiveshell import InteractiveShell; shell = InteractiveShell.instance()"
TIMED = "import time; began = time.perf_counter(); {}; print(time.perf_counter() - began)"
LOAD = f"{SHELL}; " + TIMED.format("shell.run_line_magic('load_ext', 'exphub_magics')")
OPENAI = f"{SHELL}; " + TIMED.format("import openai")
PROMPT = Path(__file__).parent.parent.parent / "prompts" / "indicators.txt"


def seconds(script: str) -> float:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def loading() -> None:
    pairs = [(seconds(LOAD), seconds(OPENAI)) for _ in range(ROUNDS)]
    load, openai = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"%load_ext exphub_magics / import openai: {load / openai:.3f} ({load:.3f} s / {openai:.3f} s)")


def builtin_model() -> None:
    """The builtin model alone, and a whole run on it: rendered, answered, parsed, stored, scored."""
    prompt = prompts.parse(PROMPT.read_text())
    dataset = datasets.read("sample")
    messages = [prompts.render(prompt, narrative.text, narrative.facts) for narrative in dataset.narratives]
    builtin.answer(messages[0])
    alone, whole = [], []
    for number in range(ROUNDS):
        began = time.perf_counter()
        for each in messages:
            builtin.answer(each)
        alone.append(time.perf_counter() - began)
        spec = specs.Spec(name="bench", prompt=prompt, data="sample", repeat=number + 1)
        with tempfile.TemporaryDirectory() as folder, Hub.open(Path(folder) / "hub.db") as hub:
            job = experiments.Job(spec, dataset)
            began = time.perf_counter()
            for _ in experiments.run(hub, job):
                pass
            whole.append(time.perf_counter() - began)
    one, run = statistics.median(alone), statistics.median(whole)
    n = len(messages)
    print(f"builtin model: {n / one:,.0f} narratives/s; a run / the model alone: {run / one:.2f} ({n / run:,.0f}/s)")


def durability() -> None:
    """How long a reply that has arrived waits until its result is durable, at full load."""
    arrived: dict[str, float] = {}
    waited: list[float] = []
    endpoint = ScriptedEndpoint(lambda _body: completion(answer(flag=False)))
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url, "concurrency": 64}
    spec = specs.complete(specs.Spec(name="bench", prompt=prompts.parse("Is it?"), data="sample", **served))
    answerer = providers.answerer(spec)

    class Stamped:
        close = answerer.close

        async def ask(self, question: Question) -> Reply | Failure:
            outcome = await answerer.ask(question)
            arrived[question.narrative_id] = time.perf_counter()
            return outcome

    class Watched(Hub):
        def record(self, *arguments: Any, **more: Any) -> list[dict[str, Any]]:
            stored = super().record(*arguments, **more)
            now = time.perf_counter()
            waited.extend(now - arrived[row["narrative_id"]] for row in stored if row["narrative_id"] in arrived)
            return stored

    courses.providers.answerer = lambda _spec: Stamped()
    with tempfile.TemporaryDirectory() as folder, Watched.open(Path(folder) / "hub.db") as hub:
        for _ in experiments.run(hub, experiments.Job(spec, datasets.read("sample"))):
            pass
    endpoint.close()
    cuts = [1000 * cut for cut in statistics.quantiles(waited, n=100)]
    print(
        f"a reply that has arrived is durable after {cuts[49]:.0f} ms (median), {cuts[98]:.0f} ms (99th percentile), "
        f"{1000 * max(waited):.0f} ms (most) of {len(waited):,}, concurrency 64, no latency"
    )


if __name__ == "__main__":
    loading()
    builtin_model()
    durability()
