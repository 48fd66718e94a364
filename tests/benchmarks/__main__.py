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

from exphub_magics import builtin, datasets, experiments, prompts, specs
from exphub_magics.hub import Hub

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


if __name__ == "__main__":
    loading()
    builtin_model()
