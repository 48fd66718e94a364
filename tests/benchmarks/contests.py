"""Contestants, each in a process of its own, and the endpoint that they ask."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PEERS = ROOT / ".venv" / "peers"
# What an endpoint's address or a key of the machine's would change.
HIDDEN = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "INSPECT_LOG_DIR")


@dataclass(frozen=True, slots=True)
class Taken:
    """What one contestant took: by the clock that all processes share, of the processor, and of memory at most."""

    began: float
    ended: float
    processor: float
    megabytes: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class Usage:
    """When requests came to the endpoint and replies left it, and its own processor time."""

    arrivals: list[float]
    departures: list[float]
    processor: float

    def since(self, moment: float) -> Usage:
        """What came after a moment at which nothing was under way."""
        arrivals = [one for one in self.arrivals if one >= moment]
        return Usage(arrivals, [one for one in self.departures if one >= moment], self.processor)


@dataclass(frozen=True, slots=True)
class Served:
    """An endpoint that is running."""

    root: str

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def usage(self) -> Usage:
        with urllib.request.urlopen(f"{self.root}/usage", timeout=10) as answer:  # noqa: S310 - on loopback
            return Usage(**json.load(answer))


def environment() -> dict[str, str]:
    """This process's variables without those that would lead a contestant elsewhere."""
    hidden = {*HIDDEN, *(name.lower() for name in HIDDEN)}
    return {name: value for name, value in os.environ.items() if name not in hidden}


@contextmanager
def endpoint(*options: str) -> Iterator[Served]:
    """Start the endpoint; it ends with the block."""
    command = [sys.executable, str(HERE / "server.py"), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield Served(server.stdout.readline().strip())
        server.stdin.close()


def contest(script: str, *arguments: str, peer: str | None = None) -> Taken:
    """Let one contestant run, in the virtualenv of a peer or in this one; what it took."""
    command = [str(python_of(peer) if peer else sys.executable), str(HERE / "contestants" / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    if done.returncode:
        raise SystemExit(f"{script} ended with {done.returncode}:\n{done.stderr}")
    return Taken(**json.loads(done.stdout.splitlines()[-1]))


def python_of(peer: str) -> Path:
    return PEERS / peer / "bin" / "python"


def is_there(peer: str) -> bool:
    """Whether `make peers` has installed it."""
    return (PEERS / peer / "installed").exists()


def version(peer: str) -> str:
    script = f"from importlib.metadata import version; print(version({peer!r}))"
    done = subprocess.run([str(python_of(peer)), "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def medians(rounds: Sequence[Sequence[float]]) -> list[float]:
    """The median of each column of some rounds."""
    return [statistics.median(column) for column in zip(*rounds, strict=True)]
