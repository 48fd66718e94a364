"""■ pressed at random moments, once or many times, on a hub that is free or kept locked: no answer is asked twice
but those that were under way, and the run has ended soon.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from endpoint import answer, completion
from exphub_magics.hub import Hub, unrecorded

STOPS = 6  # and with `make soak` 100
CONCURRENCY = 8
NARRATIVES = 300
SECONDS = 8.0  # from the last press to the end of the process, on a machine that others use too
ENTRY = "- experiment_name: stopped\n  prompt: Did a partner threaten V?\n  data: sample\n  provider: scripted\n"
ENTRY += f"  model_name: m\n  sample: {NARRATIVES}\n  concurrency: {CONCURRENCY}\n"
PAUSES = (0.0, 0.002, 0.01, 0.03, 0.06)


@pytest.fixture
def endpoint(scripted):
    started = scripted(lambda body: completion(answer("threat" in body["messages"][-1]["content"])))
    started.delay = 0.02
    return started


def begun(endpoint, after):
    """A run in a process of its own that has sent so many requests."""
    with open("stopped.yml", "w") as file:  # noqa: PTH123
        file.write(f"{ENTRY}  base_url: {endpoint.url}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "exphub_magics", "run", "stopped.yml", "--db", "stopped.db"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait(lambda: len(endpoint.requests) >= after or process.poll() is not None)
    return process


def ended(process):
    """Its exit code, once it has ended."""
    process.communicate(timeout=60)
    return process.returncode


def wait(until, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def counted(statement):
    with closing(sqlite3.connect("stopped.db")) as db:
        return db.execute(statement).fetchone()[0]


def pressed(process, pauses):
    for pause in pauses:
        process.send_signal(signal.SIGINT)
        time.sleep(pause)
    said, _ = process.communicate(timeout=SECONDS)
    return said


def hail(endpoint, moments):
    """Stop one run, see that it kept what it was answered, and let the next end it; what was asked twice."""
    endpoint.requests.clear()
    process = begun(endpoint, moments.choice([1, 30, 100]))
    time.sleep(moments.uniform(0, 0.3))
    said = pressed(process, [moments.choice(PAUSES) for _ in range(moments.choice([1, 2, 3, 6, 12]))])
    assert process.returncode in (0, 130, -signal.SIGINT), said  # the last: pressed while Python ended
    assert "Traceback" not in said
    asked, kept = len(endpoint.requests), counted("SELECT count(*) FROM responses")
    assert kept == counted("SELECT count(*) FROM results WHERE request_hash IS NOT NULL")
    assert asked - kept <= CONCURRENCY
    assert counted("SELECT count(*) FROM leases") == 0
    assert ended(begun(endpoint, 0)) == 0
    assert counted("SELECT count(*) FROM results") == NARRATIVES
    twice = len(endpoint.requests) - len(set(endpoint.narratives()))
    assert twice <= CONCURRENCY
    os.remove("stopped.db")  # noqa: PTH107
    return twice


@pytest.mark.parametrize("stops", [STOPS, pytest.param(100, marks=pytest.mark.soak)])
def test_a_hail_of_stops_loses_nothing_that_was_answered(endpoint, stops):
    moments = random.Random(stops)
    twice = [hail(endpoint, moments) for _ in range(stops)]
    print(f"{stops} runs stopped, {sum(twice) / stops:.1f} narratives asked twice a stop, at most {max(twice)}")  # noqa: T201


@pytest.mark.parametrize("presses", [1, 3])
def test_what_was_answered_while_the_hub_was_locked_waits_beside_it(endpoint, presses):
    process = begun(endpoint, 40)
    with closing(sqlite3.connect("stopped.db", timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        sent = len(endpoint.requests)
        wait(lambda: len(endpoint.requests) > sent + CONCURRENCY)
        time.sleep(1)
        said = pressed(process, [0.1] * presses)
        other.execute("ROLLBACK")
    assert process.returncode == 130, said
    asked, kept = len(endpoint.requests), counted("SELECT count(*) FROM responses")
    assert asked - kept > CONCURRENCY, "nothing was answered while the hub was locked"
    left = next((name for name in os.listdir() if "unrecorded" in name), said)  # noqa: PTH208
    assert f"wait in {left} until the hub can be written: the next run takes them in" in " ".join(said.split())
    assert os.stat(left).st_mode & 0o077 == 0  # noqa: PTH116

    assert ended(begun(endpoint, 0)) == 0
    assert counted("SELECT count(*) FROM results") == NARRATIVES
    assert counted("SELECT count(*) FROM experiments WHERE end_time IS NOT NULL") == 1
    assert len(endpoint.requests) - len(set(endpoint.narratives())) <= CONCURRENCY
    assert not [name for name in os.listdir() if "unrecorded" in name]  # noqa: PTH208


def result(narrative, flag, **more):
    return {
        "narrative_id": narrative,
        "status": "ok",
        "flag": flag,
        "rational": "as it says",
        "request_hash": None,
        **more,
    }


@pytest.fixture
def registered(hub, demo):
    """A hub with an experiment that nobody has asked yet; its id."""
    from exphub_magics import experiments, prompts, specs  # noqa: PLC0415

    spec = specs.Spec(name="first", prompt=prompts.parse("Hit?"), data=demo)
    next(stream := experiments.run(hub, spec))
    stream.close()
    return 1


def test_a_newer_answer_stands_when_an_older_one_is_taken_in(hub, registered):
    (fingerprint,) = [row["fingerprint"] for row in hub.names()]
    unrecorded.leave(hub, fingerprint, [result("1-CME", True), result("1-LE", True)], [])
    time.sleep(0.002)
    hub.record(registered, [result("1-CME", False)])
    assert unrecorded.take_in(hub) == 1
    assert {row["narrative_id"]: row["flag"] for row in hub.verdicts(registered) if row["status"]} == {
        "1-CME": 0,
        "1-LE": 1,
    }
    assert hub.experiment(registered)["positives"] == 1
    assert unrecorded.take_in(hub) == 0


def test_what_is_of_another_hub_or_cut_off_stays_where_it_is(hub, registered):
    unrecorded.leave(hub, "of another hub", [result("1-CME", True)], [])
    cut_off = hub.file.with_name(f"{hub.name}.unrecorded-0")
    cut_off.write_text('{"fingerprint": ')
    assert unrecorded.take_in(hub) == 0
    for number, odd in enumerate(("[]", "{}", '"x"', '{"fingerprint": "f", "responses": 1, "results": [2]}'), 1):
        hub.file.with_name(f"{hub.name}.unrecorded-{number}").write_text(odd)
    assert unrecorded.take_in(hub) == 0
    assert len(list(hub.file.parent.glob("*.unrecorded-*"))) == 6


def test_what_can_be_kept_nowhere_is_said(demo):
    with Hub.open(":memory:") as hub:
        said = unrecorded.leave(hub, "f", [result("1-CME", True)], [])
    assert said == "1 more answer could not be stored, and will be asked for again"
