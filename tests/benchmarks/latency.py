"""A whole run against an endpoint that takes 500 ms, beside the least time that so many calls at once can take."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cases
import contests

ROUNDS, NARRATIVES, CONCURRENCY, SECONDS = 3, 2000, 64, 0.5


def figures() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        narratives = cases.write(Path(folder) / "narratives.csv", NARRATIVES)
        requests = cases.write_requests(Path(folder) / "requests.jsonl", narratives)
        rounds = [(*taken("course.py", narratives), *taken("client_loop.py", requests)) for _ in range(ROUNDS)]
    whole, before, after, held, bare, *_ = contests.medians(rounds)
    ideal, least = NARRATIVES / CONCURRENCY * SECONDS, math.ceil(NARRATIVES / CONCURRENCY) * SECONDS
    yield (
        f"{NARRATIVES:,} narratives at {1000 * SECONDS:.0f} ms, {CONCURRENCY} at once, every result durable: "
        f"{ideal / whole:.3f} of the ideal {ideal:.2f} s, {least / whole:.3f} of the {least:.2f} s that whole rounds "
        f"take ({whole:.2f} s)"
    )
    yield (
        f"… of it {before:.2f} s before the first call, {after:.2f} s after the last reply; "
        f"the endpoint took {1000 * held:.1f} ms a call; a bare client loop: {ideal / bare:.3f} ({bare:.2f} s)"
    )


def taken(script: str, file: Path) -> tuple[float, float, float, float]:
    """A contestant's seconds, those before its first call and after its last reply, and the endpoint's own a call."""
    with contests.endpoint("--latency", str(SECONDS)) as served:
        taken = contests.contest(script, served.url, str(file))
        usage = served.usage().since(taken.began)
    held = statistics.fmean(usage.departures) - statistics.fmean(usage.arrivals)
    return taken.seconds, min(usage.arrivals) - taken.began, taken.ended - max(usage.departures), held
