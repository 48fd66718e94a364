"""Take the README's picture: a cell with its card and its chart, in a real JupyterLab."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import expect

import lab
from readme import FIRST, ROOT

SIZE = {"width": 840, "height": 900}


def take(picture: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prompt = FIRST.replace(" by a current", "\nby a current")
        cell = f"%%experiment partner --data sample\n{prompt}"
        file = lab.Notebook.write(folder / "work.ipynb", "%load_ext exphub_magics", cell)
        with lab.server(folder) as address, lab.chromium() as browser:
            page = browser.new_page(device_scale_factor=1.5)
            notebook = lab.Notebook(page, address, file)
            page.set_viewport_size(SIZE)
            page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
            notebook.run(0)
            expect(notebook.run(1).locator(".js-plotly-plot")).to_be_visible()
            page.add_style_tag(content=".Toastify { display: none }")  # Jupyter's question about its news
            page.locator(".jp-Notebook .jp-Cell").nth(1).screenshot(path=folder / "cell.png")
        shutil.move(folder / "cell.png", picture)


if __name__ == "__main__":
    take(ROOT / "notebooks" / "cell.png")
