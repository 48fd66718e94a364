"""kill -9 at random moments: nothing acknowledged is lost, nothing is doubled, the end is as if unbroken.

On the builtin model in process, and on an endpoint over loopback, which also tells what was paid for twice.
"""

import multiprocessing
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing

import pytest

from endpoint import answer, completion
from exphub_magics import engines, experiments, prompts, specs
from exphub_magics.hub import Hub

KILLS = 25  # of each engine's path
NARRATIVES = 1000
CONCURRENCY = 4
PROMPT = prompts.parse("Was the decedent hit, threatened, stalked or controlled by a current or former partner?")


def spec(url):
    served = {"provider": "scripted", "model_name": "m", "base_url": url} if url else {}
    return specs.complete(
        specs.Spec(name="killed", prompt=PROMPT, data="sample", sample=NARRATIVES, concurrency=CONCURRENCY, **served)
    )


def work(file, acknowledged, url=None):
    """Run the experiment, and acknowledge each number of results only once it is recorded."""
    with Hub.open(file) as hub:
        for progress in experiments.run(hub, spec(url)):
            acknowledged.value = progress.finished


def outcomes(file):
    with Hub.open(file) as hub:
        return [
            {key: row[key] for key in ("narrative_id", "status", "flag", "rational", "confidence", "outcome")}
            for row in hub.verdicts(1)
        ]


def check(file, acknowledged):
    """What holds of the file at any moment."""
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'results'").fetchone():
            assert acknowledged == 0
            return False
        held, distinct = db.execute("SELECT count(*), count(DISTINCT narrative_id) FROM results").fetchone()
        orphans = db.execute("PRAGMA foreign_key_check").fetchall()
        assert held == distinct
        assert held >= acknowledged
        assert orphans == []
        return bool(db.execute("SELECT 1 FROM experiments WHERE end_time IS NOT NULL").fetchone())


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["exphub_magics.experiments", "test_kill", "pandas", "sqlite_utils"])
    return context


class Kills:
    """Kills at random moments of one run after another; the figures of all."""

    def __init__(self, processes, folder, seed, endpoint=None):
        self.processes, self.folder = processes, folder
        self.moments = random.Random(seed)
        self.endpoint = endpoint
        self.url = endpoint.url if endpoint else None
        self.killed = self.finished = self.paid_twice = 0

    def go(self, kills):
        began = time.monotonic()
        self.work("unbroken.db")
        whole = time.monotonic() - began
        self.expected = outcomes(self.folder / "unbroken.db")
        assert len(self.expected) == NARRATIVES
        self.forget()
        number = since = 0
        while self.killed < kills:
            file = self.folder / f"{number}.db"
            if self.broken_off(file, whole * 1.5):
                since += 1
            if file.exists() and check(file, self.acknowledged.value):
                self.end(file, since)
                number, since = number + 1, 0
        self.work(f"{number}.db")
        self.end(self.folder / f"{number}.db", since)

    def work(self, name):
        work(self.folder / name, self.processes.Value("i", 0), self.url)

    def broken_off(self, file, longest):
        """Run in a process of its own and kill that; whether it was still alive."""
        self.acknowledged = self.processes.Value("i", 0)
        child = self.processes.Process(target=work, args=(file, self.acknowledged, self.url))
        child.start()
        child.join(self.moments.uniform(0, longest))
        child.kill()  # SIGKILL, unless it has ended by itself
        child.join()
        self.killed += child.exitcode == -signal.SIGKILL
        return child.exitcode == -signal.SIGKILL

    def end(self, file, kills):
        """A finished run is as the unbroken one, and nothing was asked twice but what was under way at a kill."""
        assert outcomes(file) == self.expected
        self.finished += 1
        if self.endpoint:
            asked = Counter(self.endpoint.narratives())
            twice = sum(asked.values()) - len(asked)
            assert twice <= kills * (CONCURRENCY + engines.MOST)
            self.paid_twice += twice
            self.forget()

    def forget(self):
        if self.endpoint:
            self.endpoint.requests.clear()

    def __str__(self):
        twice = f", {self.paid_twice / self.killed:.1f} asked twice a kill" if self.endpoint else ""
        return f"{self.killed} kills, {self.finished} runs finished, 0 lost, 0 doubled{twice}"


def flagged(body):
    return completion(answer("boyfriend" in body["messages"][-1]["content"]))


@pytest.mark.parametrize("over", ["builtin", "endpoint"])
def test_a_run_killed_at_random_moments_ends_as_if_unbroken(processes, tmp_path, scripted, over):
    kills = Kills(processes, tmp_path, 1, scripted(flagged) if over == "endpoint" else None)
    kills.go(KILLS)
    print(kills)  # noqa: T201 - the figure
    assert kills.killed == KILLS


@pytest.mark.soak
@pytest.mark.parametrize("over", ["builtin", "endpoint"])
def test_two_hundred_kills_leave_no_trace(processes, tmp_path, scripted, over):
    kills = Kills(processes, tmp_path, 2, scripted(flagged) if over == "endpoint" else None)
    kills.go(4 * KILLS)
    print(kills)  # noqa: T201 - the figure
    assert kills.killed == 4 * KILLS
