"""The panel `browse` over 40,000 results: how long each look takes in kernel and page, and what the page holds."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cases

import lab
from exphub_magics import experiments, prompts, specs
from exphub_magics.hub import Hub
from exphub_magics.widgets.browse import Browse

NARRATIVES, ROUNDS, MEGABYTE = 40_000, 5, 1e6
PROMPTS = ("baseline", "indicators", "strict")
LOOKS: dict[str, tuple[str, dict[str, Any]]] = {
    "an experiment": ("choose", {"experiment": 1}),
    "false positives": ("filter", {"outcome": "fp"}),
    "surest first": ("filter", {"order": "surest", "outcome": None}),
    "newly wrong": ("filter", {"against": 2, "flips": "wrong"}),
    "a range of confidence": ("filter", {"against": None, "confidence": [0.2, 0.8]}),
    "a search that finds": ("filter", {"confidence": None, "search": "boyfriend"}),
    "a search that finds nothing": ("filter", {"search": "zebras in the attic"}),
    "a search with an accent": ("filter", {"search": "café"}),
    "all of them": ("filter", {"search": "", "order": "data"}),
    "the last page": ("page", {"page": 799}),
    "one narrative": ("open", {"narrative": "n20000"}),
    "the next one": ("step", {"by": 1}),
}
CLICKS = {  # what a person does in the page, as a script
    "an experiment": "root.querySelector('#browse-experiment-1').click()",
    "false positives": "root.querySelector('#browse-cell-fp').click()",
    "surest first": "change('#browse-order', 'surest')",
    "beside another experiment": "change('#browse-against', '2')",
    "newly wrong": "change('#browse-flips', 'wrong')",
    "all of them": "root.querySelector('#browse-clear').click()",
    "a search, without the pause after the last key": "enter('boyfriend')",
    "one narrative": "root.querySelector('.browse-list tbody tr').click()",
    "the next one": "root.querySelector('#browse-next').click()",
}
CLEAR = """() => {
  const content = window.jupyterapp.shell.currentWidget.content;
  content.activeCellIndex = 1;
  content.deselectAll();
  window.jupyterapp.commands.execute("notebook:clear-cell-output");
}"""
DONE = """async () => {
  const root = document.querySelector(".exphub-browse");
  const change = (id, value) => {
    root.querySelector(id).value = value;
    root.querySelector(id).dispatchEvent(new Event("change"));
  };
  const enter = (words) => {
    root.querySelector("#browse-search").value = words;
    root.querySelector("#browse-search").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
  };
  const began = performance.now();
  ACT;
  while (root.hasAttribute("aria-busy")) await new Promise((next) => requestAnimationFrame(next));
  return performance.now() - began;
}"""


def figures() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "exphub.db"
        fill(file, cases.write(Path(folder) / "narratives.csv", NARRATIVES))
        yield from in_the_kernel(file)
        if lab.CHROMIUM is None:
            yield "in the page: not measured, there is no chromium"
            return
        yield from in_the_page(file)


def fill(file: Path, narratives: Path) -> None:
    folder = cases.PROMPT.parent
    with Hub.open(file) as hub:
        for name in PROMPTS:
            prompt = prompts.parse((folder / f"{name}.txt").read_text(encoding="utf-8"))
            spec = specs.complete(specs.Spec(name=name, prompt=prompt, data=str(narratives)))
            for _ in experiments.run(hub, spec):
                pass


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def in_the_kernel(file: Path) -> Iterator[str]:
    panel = Browse("strict", db=file)
    opened = statistics.median(seconds(lambda: Browse("strict", db=file)) for _ in range(ROUNDS))
    what = f"browse over {NARRATIVES:,} narratives and {len(PROMPTS)} experiments"
    yield f"{what}, the kernel alone: opened in {opened:.2f} s"
    for name, (action, said) in LOOKS.items():
        taken = statistics.median(seconds(lambda: panel.do(action, **said)) for _ in range(ROUNDS))  # noqa: B023 - done at once
        if panel.problem:
            raise RuntimeError(panel.problem)
        yield f"… {name}: {taken:.2f} s, {panel.shown['list']['n']:,} left"


def in_the_page(file: Path) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as name, lab.server(Path(name)) as address, lab.chromium() as browser:
        folder = Path(name)
        shutil.copy(file, folder / "exphub.db")
        book = lab.Notebook.write(folder / "work.ipynb", "%load_ext exphub_magics", *["%exphub browse strict"] * 2)
        page = browser.new_page()
        notebook = lab.Notebook(page, address, book)
        notebook.run(0)
        before = heap(page)
        first, again = (seconds(lambda: opened(notebook, cell)) for cell in (1, 2))  # noqa: B023 - done at once
        notebook.page.evaluate(CLEAR)  # one panel alone is measured
        yield f"in the page: opened in {first:.2f} s with the first verb's imports, in {again:.2f} s after them"
        for what, act in CLICKS.items():
            yield f"… {what}: {page.evaluate(DONE.replace('ACT', act)) / 1000:.2f} s"
        page.evaluate(
            """async () => {
              for (let turn = 0; turn < 40; turn += 1) {
                const rows = document.querySelectorAll(".exphub-browse .browse-list tbody tr");
                rows[turn % rows.length].click();
                while (document.querySelector(".exphub-browse").hasAttribute("aria-busy"))
                  await new Promise((next) => requestAnimationFrame(next));
              }
            }"""
        )
        after = heap(page)
        yield (
            f"the page's heap: {before / MEGABYTE:.0f} MB of JupyterLab alone, "
            f"{after / MEGABYTE:.0f} MB with the panel and after 40 narratives more"
        )


def opened(notebook: lab.Notebook, cell: int) -> None:
    notebook.start(cell).locator(".browse-list tbody tr").first.wait_for()


def heap(page: lab.Page) -> float:
    """Bytes of JavaScript that are in use, what is no longer in use taken away first."""
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable")
    tools.send("HeapProfiler.collectGarbage")
    metrics = {one["name"]: one["value"] for one in tools.send("Performance.getMetrics")["metrics"]}
    return metrics["JSHeapUsedSize"]
