"""kill -9 at random moments: nothing acknowledged is lost, nothing is doubled, the end is as if unbroken."""

import multiprocessing
import random
import signal
import sqlite3
import time
from contextlib import closing

import pytest

from exphub_magics import experiments, prompts, specs
from exphub_magics.hub import Hub

KILLS = 50
NARRATIVES = 1000
PROMPT = prompts.parse("Was the decedent hit, threatened, stalked or controlled by a current or former partner?")


def spec():
    return specs.complete(specs.Spec(name="killed", prompt=PROMPT, data="sample", sample=NARRATIVES, concurrency=4))


def work(file, acknowledged):
    """Run the experiment, and acknowledge each number of results only once it is recorded."""
    with Hub.open(file) as hub:
        for progress in experiments.run(hub, spec()):
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


def kill_at_random(processes, folder, kills, seed):
    moments = random.Random(seed)
    unbroken = folder / "unbroken.db"
    began = time.monotonic()
    work(unbroken, processes.Value("i", 0))
    whole = time.monotonic() - began
    expected = outcomes(unbroken)
    assert len(expected) == NARRATIVES
    killed = finished = number = 0
    while killed < kills:
        file = folder / f"{number}.db"
        acknowledged = processes.Value("i", 0)
        child = processes.Process(target=work, args=(file, acknowledged))
        child.start()
        child.join(moments.uniform(0, whole * 1.5))
        child.kill()  # SIGKILL, unless it has ended by itself
        child.join()
        killed += child.exitcode == -signal.SIGKILL
        if file.exists() and check(file, acknowledged.value):
            assert outcomes(file) == expected
            finished += 1
            number += 1
    last = folder / f"{number}.db"
    work(last, processes.Value("i", 0))
    assert outcomes(last) == expected
    return killed, finished


def test_a_run_killed_at_random_moments_ends_as_if_unbroken(processes, tmp_path):
    killed, finished = kill_at_random(processes, tmp_path, KILLS, seed=1)
    print(f"{killed} kills, {finished + 1} runs finished, 0 lost, 0 doubled")  # noqa: T201 - the figure
    assert killed == KILLS


@pytest.mark.soak
def test_two_hundred_kills_leave_no_trace(processes, tmp_path):
    killed, finished = kill_at_random(processes, tmp_path, 4 * KILLS, seed=2)
    print(f"{killed} kills, {finished + 1} runs finished, 0 lost, 0 doubled")  # noqa: T201 - the figure
    assert killed == 4 * KILLS
