"""How long a notebook waits for the extension, beside the client that any such tool needs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import contests

ROUNDS = 9
SHELL = "from IPython.core.interactiveshell import InteractiveShell; shell = InteractiveShell.instance()"
TIMED = "import time; began = time.perf_counter(); {}; print(time.perf_counter() - began)"
LOAD = f"{SHELL}; " + TIMED.format("shell.run_line_magic('load_ext', 'exphub_magics')")
OPENAI = f"{SHELL}; " + TIMED.format("import openai")


def seconds(script: str) -> float:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def figures() -> Iterator[str]:
    load, openai = contests.medians([(seconds(LOAD), seconds(OPENAI)) for _ in range(ROUNDS)])
    yield f"%load_ext exphub_magics / import openai: {load / openai:.3f} ({load:.3f} s / {openai:.3f} s)"
