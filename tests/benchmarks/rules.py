"""The builtin model alone, and a whole run on it: rendered, answered, parsed, stored, scored."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cases
import contests

from exphub_magics import builtin, datasets, experiments, prompts, specs
from exphub_magics.hub import Hub

ROUNDS = 9


def figures() -> Iterator[str]:
    prompt = prompts.parse(cases.PROMPT.read_text(encoding="utf-8"))
    dataset = datasets.read("sample")
    messages = [prompts.render(prompt, narrative.text, narrative.facts) for narrative in dataset.narratives]
    builtin.answer(messages[0])
    rounds = [(alone(messages), whole(prompt, dataset)) for _ in range(ROUNDS)]
    one, run = contests.medians(rounds)
    n = len(messages)
    yield f"builtin model: {n / one:,.0f} narratives/s; a run / the model alone: {run / one:.2f} ({n / run:,.0f}/s)"


def alone(messages: list[tuple[prompts.Message, ...]]) -> float:
    began = time.perf_counter()
    for each in messages:
        builtin.answer(each)
    return time.perf_counter() - began


def whole(prompt: prompts.Prompt, dataset: datasets.Dataset) -> float:
    job = experiments.Job(specs.Spec(name="bench", prompt=prompt, data="sample"), dataset)
    with tempfile.TemporaryDirectory() as folder, Hub.open(Path(folder) / "hub.db") as hub:
        began = time.perf_counter()
        for _ in experiments.run(hub, job):
            pass
        return time.perf_counter() - began
