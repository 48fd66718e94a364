"""A real JupyterLab and a headless Chromium that looks at it, for tests that act as a person does."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Locator, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
SECONDS = 60
expect.set_options(timeout=SECONDS * 1000)

MARKS = [
    pytest.mark.lab,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
    # The driver of the browser leaves its process and pipes to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

# Texts whose contrast with what is behind them is below 4.5 to 1.
FAINT = """root => {
  const rgb = words => {
    const found = words.match(/[\\d.]+/g).map(Number);
    const scale = words.startsWith("color(srgb") ? 255 : 1;
    return [...found.slice(0, 3).map(one => scale * one), found[3] ?? 1];
  };
  const over = (top, below) => top.slice(0, 3).map((one, place) => one * top[3] + below[place] * (1 - top[3]));
  const behind = one => {
    if (!one) return [255, 255, 255];
    const own = rgb(getComputedStyle(one).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(one.parentElement));
  };
  const light = colour => {
    const linear = one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = colour.map(one => linear(one / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const said = one => [...one.childNodes].some(child => child.nodeType === 3 && child.data.trim());
  const read = [...root.querySelectorAll("*")].filter(one => said(one) && one.checkVisibility() && !one.disabled);
  return read.filter(one => {
    const back = behind(one), ink = over(rgb(getComputedStyle(one).color), back);
    const [high, low] = [light(ink), light(back)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05) < 4.5;
  }).map(one => `${one.tagName} ${one.textContent.slice(0, 40)}`);
}"""


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A JupyterLab over a folder, on a free port, with configuration and history of its own; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {name: str(folder / ".jupyter" / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    token = uuid.uuid4().hex
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"),
        *(f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={token}", "--ServerApp.port_retries=0"),
        *("--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None", "--LabApp.collaborative=False"),
    ]
    with (folder / "jupyter.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | own, stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{port}/api?token={token}", process)
        yield f"http://127.0.0.1:{port}/lab/workspaces/{uuid.uuid4().hex}/tree/{{file}}?reset&token={token}"
    finally:
        process.terminate()
        process.wait(20)


def _wait(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(SECONDS * 5):
        assert process.poll() is None, "JupyterLab ended"
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - the address is ours
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("JupyterLab did not answer")


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def desk(folder: Path) -> Iterator[tuple[str, Browser]]:
    """A JupyterLab over a folder, in which no hub is named but by the folder itself, and a browser."""
    with pytest.MonkeyPatch.context() as environment, server(folder) as address, chromium() as browser:
        environment.delenv("EXPHUB_DB", raising=False)
        yield address, browser


@contextmanager
def opening(folder: Path, address: str, browser: Browser, begin: str = "") -> Iterator[Callable[..., Notebook]]:
    """Open notebooks of these cells, each in a page, after one that loads the extension, which is run."""
    pages = []

    def opened(*sources: str) -> Notebook:
        first = "\n".join(filter(None, ["%load_ext exphub_magics", begin]))
        pages.append(browser.new_page())
        notebook = Notebook(pages[-1], address, Notebook.write(folder / f"{uuid.uuid4().hex}.ipynb", first, *sources))
        notebook.run(0)
        return notebook

    yield opened
    for page in pages:
        if not page.is_closed():
            page.evaluate("() => window.jupyterapp.commands.execute('notebook:shutdown-kernel')")
            page.close()


class Notebook:
    """A notebook open in JupyterLab; cells are counted from 0."""

    def __init__(self, page: Page, address: str, file: Path) -> None:
        self.page = page
        page.set_viewport_size({"width": 1100, "height": 1000})
        page.goto(address.format(file=file.name))
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel")
        self.kernel("idle")

    @staticmethod
    def write(file: Path, *sources: str) -> Path:
        """A new notebook of code cells."""
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in sources],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(book, file)
        return file

    def kernel(self, status: str) -> None:
        """Wait until the kernel is idle or busy."""
        self.page.wait_for_function(
            "status => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === status",
            arg=status,
            timeout=SECONDS * 1000,
        )

    def start(self, cell: int) -> Locator:
        """Run a cell without waiting for it; its output area."""
        self.page.evaluate(
            """number => {
                 const content = window.jupyterapp.shell.currentWidget.content;
                 content.activeCellIndex = number; content.deselectAll();
                 window.jupyterapp.commands.execute("notebook:run-cell"); }""",
            cell,
        )
        return self.output(cell)

    def run(self, cell: int) -> Locator:
        """Run a cell to its end; its output area."""
        output = self.start(cell)
        self.page.wait_for_function(
            """number => {
                 const model = window.jupyterapp.shell.currentWidget.content.widgets[number].model;
                 return model.executionState === 'idle' && model.executionCount !== null; }""",
            arg=cell,
            timeout=SECONDS * 1000,
        )
        return output

    def output(self, cell: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator(".jp-Cell-outputArea")

    def edit(self, cell: int, source: str) -> None:
        """Write another source into a cell."""
        self.page.evaluate(
            "([number, source]) => window.jupyterapp.shell.currentWidget.content.widgets[number]"
            ".model.sharedModel.setSource(source)",
            [cell, source],
        )

    def stop(self) -> None:
        """Press ■."""
        self.page.locator('[data-command="notebook:interrupt-kernel"], jp-button[title*="Interrupt"]').first.click()

    def restart(self) -> None:
        """Restart the kernel, as its menu does once one has said yes."""
        self.page.evaluate(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()",
        )
        self.kernel("idle")

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def theme(self, name: str) -> None:
        """Change to `JupyterLab Light` or `JupyterLab Dark`."""
        self.page.evaluate(
            "theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            name,
        )
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-name", name)


def finished(output: Locator) -> int | None:
    """How many narratives the bar in a cell's output says are finished; None where it says nothing."""
    found = re.search(r"([\d,]+) of [\d,]+", output.inner_text())
    return int(found.group(1).replace(",", "")) if found else None
