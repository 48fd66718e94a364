"""A whole run of ExpHub's: the narratives are read, registered, rendered, asked, parsed, stored and scored.

It is run as `python course.py BASE_URL FILE`, or with `builtin` for the address.
"""

import sys
import tempfile
from pathlib import Path

from stopwatch import CONCURRENCY, WARMING, timed

from exphub_magics import experiments, prompts, specs
from exphub_magics.hub import Hub

PROMPT = prompts.parse((Path(__file__).parents[3] / "prompts" / "indicators.txt").read_text(encoding="utf-8"))


def run(url: str, narratives: Path, file: Path) -> None:
    """Run a new experiment to its end, and close its hub."""
    served = {"provider": "bench", "model_name": "bench-1", "base_url": url, "concurrency": CONCURRENCY}
    served = {} if url == specs.BUILTIN else served
    spec = specs.complete(specs.Spec(name="bench", prompt=PROMPT, data=str(narratives), **served))
    (job,) = experiments.prepare([spec])
    with Hub.open(file) as hub:
        last = experiments.follow(hub, job, lambda _progress: None)
    if last.statuses.get("ok", 0) != last.total:
        raise SystemExit(f"not every narrative has an answer: {last.statuses}")


def beginning(narratives: Path, folder: Path) -> Path:
    """The first narratives of a file as a file of their own."""
    with narratives.open(encoding="utf-8") as lines:
        few = [line for line, _ in zip(lines, range(WARMING + 1), strict=False)]
    (folder / "beginning.csv").write_text("".join(few), encoding="utf-8")
    return folder / "beginning.csv"


if __name__ == "__main__":
    address, whole = sys.argv[1], Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        run(address, beginning(whole, place), place / "warm.db")
        with timed():
            run(address, whole, place / "hub.db")
