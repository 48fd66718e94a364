"""What the contestants share: what they ask, the workers that ask it, and the processor time that it took.

It needs the standard library alone, for a peer lives in a virtualenv of its own.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONCURRENCY = 64
KEY = "none"
WARMING = 64  # asked before the clock starts, so that imports and first uses are not counted


def processor_seconds() -> float:
    """What this process with all its threads, and its children that have ended, have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_megabytes() -> float:
    """The most memory that this process has held.

    getrusage's figure starts from that of the process that started this one, so the kernel's own is taken where
    there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (held,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(held.split()[1]) / 1024
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


@contextmanager
def timed() -> Iterator[None]:
    """Print what the block took."""
    used, began = processor_seconds(), time.monotonic()
    yield
    ended, processor = time.monotonic(), processor_seconds() - used
    print(json.dumps({"began": began, "ended": ended, "processor": processor, "megabytes": peak_megabytes()}))


def given() -> tuple[str, list[Any]]:
    """What a peer is told, as `python PEER.py BASE_URL FILE`: whom to ask, and the requests in the file."""
    url, file = sys.argv[1:]
    return url, [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


def compete(loop: Callable[[str, list[Any]], Coroutine[Any, Any, None]]) -> None:
    """Let a loop ask what is given, after a few of it that are not counted."""

    async def whole() -> None:
        url, requests = given()
        await loop(url, requests[:WARMING])
        with timed():
            await loop(url, requests)

    asyncio.run(whole())


async def swarm(ask: Callable[[Any], Awaitable[object]], requests: Iterable[Any]) -> None:
    """Ask everything, so many at once, and do nothing with the answers."""
    waiting = iter(requests)

    async def work() -> None:
        for one in waiting:
            await ask(one)

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
