"""The processor time of a whole run, beside that of a bare client loop and of the peers, against one endpoint.

The endpoint has no latency and a process of its own. Everyone sends the same messages and asks for the same form of
answer; a loop does nothing with what comes back, a run parses, stores and scores it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import cases
import contests

ROUNDS, NARRATIVES = 3, 2000
BARE, WHOLE, CHANCES = "a bare client loop", "a whole run", "a whole run with the chances of the answer's tokens"
PEERS = {
    "inspect-ai": "inspect_task.py",
    "langchain-openai": "langchain_loop.py",
    "litellm": "litellm_loop.py",
    "instructor": "instructor_loop.py",
}


def figures() -> Iterator[str]:
    there = {peer: script for peer, script in PEERS.items() if contests.is_there(peer)}
    rounds = list(_rounds(there))
    used = dict(zip(rounds[0], contests.medians([list(one.values()) for one in rounds]), strict=True))
    yield f"processor seconds per 1,000 narratives, no latency, 64 at once: {WHOLE} {used[WHOLE]:.2f}"
    yield f"… {WHOLE} / {BARE}: {used[WHOLE] / used[BARE]:.2f} (/ {used[BARE]:.2f})"
    yield f"… {CHANCES} / {BARE}: {used[CHANCES] / used[BARE]:.2f} ({used[CHANCES]:.2f})"
    for peer in PEERS:
        if peer in there:
            version = contests.version(peer)
            yield f"… {WHOLE} / {peer} {version}: {used[WHOLE] / used[peer]:.2f} (/ {used[peer]:.2f})"
        else:
            yield f"… {peer}: not installed (make peers)"


def _rounds(peers: Mapping[str, str]) -> Iterator[dict[str, float]]:
    """Rounds in which all take their turn; what each used per 1,000 narratives."""
    with tempfile.TemporaryDirectory() as folder:
        narratives = cases.write(Path(folder) / "narratives.csv", NARRATIVES)
        requests = cases.write_requests(Path(folder) / "requests.jsonl", narratives)
        for _ in range(ROUNDS):
            yield {
                BARE: _used("client_loop.py", requests),
                WHOLE: _used("course.py", narratives),
                CHANCES: _used("course.py", narratives, "--logprobs"),
                **{peer: _used(script, requests, peer=peer) for peer, script in peers.items()},
            }


def _used(script: str, file: Path, *options: str, peer: str | None = None) -> float:
    with contests.endpoint(*options) as served:
        taken = contests.contest(script, served.url, str(file), peer=peer)
        usage = served.usage().since(taken.began)
    asked = len(usage.arrivals)
    if asked != NARRATIVES:
        raise SystemExit(f"{script} sent {asked} requests for {NARRATIVES} narratives")
    if usage.processor > 0.8 * taken.seconds:
        raise SystemExit(f"the endpoint was busy all the time that {script} took: it measures the endpoint")
    return taken.processor * 1000 / NARRATIVES
