"""Leases: one run of an experiment at a time, whoever dies, forks, sleeps or sets a clock meanwhile."""

import gc
import multiprocessing
import os
import re
import signal
import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from exphub_magics.errors import HubError, LeaseError
from exphub_magics.hub import Hub, leases, processes
from test_hub import fill, register, result

RACES = 30
DAY = timedelta(days=1)


@pytest.fixture
def experiment(hub):
    return register(hub, fill(hub))[0]


@pytest.fixture
def file(hub, experiment):
    return hub.file


@pytest.fixture(scope="module")
def children():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["test_leases", "sqlite_utils", "psutil"])
    return context


@pytest.fixture
def short_watch(monkeypatch):
    monkeypatch.setattr(leases, "WATCH", 0.4)
    monkeypatch.setattr(leases, "LOOK", 0.05)


def plant(hub, experiment, *, beaten=timedelta(0), **process):
    """Let somebody have the lease: a process that lives, on this machine, unless said otherwise."""
    number = process.get("number", os.getppid())
    here = processes.this()
    stamp = (datetime.now(UTC) + beaten).isoformat(timespec="milliseconds")
    with hub.writing() as db:
        db.table("leases").insert(
            {
                "experiment_id": experiment,
                "token": "planted",
                "author": "B",
                "machine": process.get("machine", here.machine),
                "boot": process.get("boot", here.boot),
                "process": number,
                "process_started": process.get("started", processes._started(os.getppid())),  # noqa: SLF001
                "taken_at": stamp,
                "beat": 0,
                "beaten_at": stamp,
            },
            replace=True,
        )


def at_each_look(hub, monkeypatch, act):
    """Let something happen whenever a holder that is watched is looked at."""
    reading = hub.read

    def read(statement, **parameters):
        if statement == "lease_of" and not hub._db.conn.in_transaction:  # noqa: SLF001
            act()
        return reading(statement, **parameters)

    monkeypatch.setattr(hub, "read", read)


def elsewhere(hub, statement):
    with closing(sqlite3.connect(hub.file, timeout=10)) as db, db:
        db.execute(statement)


def rows(file):
    with closing(sqlite3.connect(file)) as db:
        return db.execute("SELECT token, beat FROM leases").fetchall()


# --- one at a time ----------------------------------------------------------------------------------------


def race(file, experiment_ids, offset, gate, outcomes):
    """Take each lease at the gate, some milliseconds late, and hold it until the other has tried."""
    with Hub.open(file) as hub:
        for number, experiment in enumerate(experiment_ids):
            gate.wait()
            time.sleep(offset * number / len(experiment_ids))
            try:
                with hub.lease(experiment, str(os.getpid())) as lease:
                    gate.wait()
                    hub.record(experiment, [result("1", flag=True)], lease=lease)
                    outcomes.put((experiment, "ran"))
            except LeaseError as error:
                gate.wait()
                outcomes.put((experiment, str(error)))


def test_of_two_processes_that_take_one_experiment_at_the_same_moment_exactly_one_runs_it(hub, children):
    dataset = fill(hub)
    numbers = [register(hub, dataset, fingerprint=str(number))[0] for number in range(RACES)]
    gate, outcomes = children.Barrier(2, timeout=60), children.Queue()
    racers = [children.Process(target=race, args=(hub.file, numbers, offset, gate, outcomes)) for offset in (0.0, 0.2)]
    for racer in racers:
        racer.start()
    said = [outcomes.get(timeout=60) for _ in range(2 * RACES)]
    for racer in racers:
        racer.join(timeout=60)
    assert [racer.exitcode for racer in racers] == [0, 0]
    for number in numbers:
        (other,) = [text for one, text in said if one == number and text != "ran"]
        assert re.search(r"is being run by \d+, process \d+ on this machine, since", other)
    assert rows(hub.file) == []


def test_a_second_run_in_the_same_process_is_refused_with_who_and_since_when(hub, experiment):
    with hub.lease(experiment, "A. Researcher"), pytest.raises(LeaseError) as refused:
        hub.lease(experiment, "B")
    moment = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    assert re.fullmatch(
        rf"first@1 is being run by A\. Researcher, process {os.getpid()} \(this one\) on this machine, since {moment}, "
        rf"last sign of life {moment}: stop it here first, or restart the kernel",
        str(refused.value),
    )


def test_threads_of_one_process_that_take_one_experiment_at_once_are_one_run(hub, experiment):
    gate, ran = threading.Barrier(4), []

    def run():
        with Hub.open(hub.file) as own:
            gate.wait()
            try:
                with own.lease(experiment):
                    ran.append(True)
                    gate.wait()
            except LeaseError:
                gate.wait()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ran == [True]


def test_two_experiments_are_run_side_by_side(hub, experiment):
    other, _ = register(hub, fill(hub), fingerprint="other")
    with hub.lease(experiment), hub.lease(other) as lease:
        assert lease.held()


def test_a_living_process_keeps_its_lease_however_long_it_is_quiet(hub, experiment):
    plant(hub, experiment, beaten=-DAY)
    with pytest.raises(LeaseError, match=r"process .* on this machine, since .*: stop it there, or wait"):
        hub.lease(experiment)


# --- a holder that is gone ----------------------------------------------------------------------------------


def hold(file, experiment, ready):
    with Hub.open(file) as hub, hub.lease(experiment):
        ready.set()
        time.sleep(60)


def test_the_lease_of_a_killed_process_ends_at_once(hub, experiment, file, children):
    ready = children.Event()
    child = children.Process(target=hold, args=(file, experiment, ready))
    child.start()
    assert ready.wait(timeout=60)
    with pytest.raises(LeaseError, match=f"process {child.pid} on this machine"):
        hub.lease(experiment)
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    with hub.lease(experiment) as lease:
        assert lease.held()


def test_a_process_that_has_ended_and_is_not_buried_yet_is_gone():
    number = os.fork()
    if number == 0:
        os._exit(0)
    os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)
    here = processes.this()
    ended = processes.Process(here.machine, here.boot, number, processes._started(number))  # noqa: SLF001
    assert processes.fate(ended) == "gone"
    os.waitpid(number, 0)
    assert processes.fate(ended) == "gone"


def test_another_process_under_the_same_number_is_not_taken_for_the_holder(hub, experiment):
    plant(hub, experiment, started=processes._started(os.getppid()) - 100)  # noqa: SLF001
    with hub.lease(experiment) as lease:
        assert lease.held()


def test_a_machine_that_was_started_anew_has_left_its_leases_behind(hub, experiment):
    plant(hub, experiment, boot="an earlier start")
    with hub.lease(experiment) as lease:
        assert lease.held()


def test_a_thread_that_died_has_left_its_lease_behind(hub, experiment, file):
    kept = []

    def crash():
        with Hub.open(file) as own:
            kept.append(own.lease(experiment))  # never released, and not forgotten either

    thread = threading.Thread(target=crash)
    thread.start()
    thread.join()
    with hub.lease(experiment) as lease:
        assert lease.held()
        assert kept[0].token != lease.token


def test_a_run_that_was_dropped_has_left_its_lease_behind(hub, experiment):
    lease = hub.lease(experiment)
    with pytest.raises(LeaseError):
        hub.lease(experiment)
    del lease
    gc.collect()
    with hub.lease(experiment) as lease:
        assert lease.held()


# --- a holder that cannot be looked at ----------------------------------------------------------------------


def test_a_holder_on_another_machine_that_beat_lately_is_believed(hub, experiment):
    plant(hub, experiment, machine="another")
    with pytest.raises(LeaseError, match=r"on another machine, since .*: stop it there; if it has ended, run again"):
        hub.lease(experiment)


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_quiet_holder_on_another_machine_is_watched_and_then_taken_over(hub, experiment, short_watch, jump):
    plant(hub, experiment, machine="another", beaten=jump)
    began = time.monotonic()
    with hub.lease(experiment) as lease:
        assert lease.held()
    assert time.monotonic() - began >= leases.WATCH


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_clock_that_jumps_takes_no_lease_from_a_holder_that_beats(hub, experiment, short_watch, monkeypatch, jump):
    plant(hub, experiment, machine="another")
    monkeypatch.setattr(leases, "now", lambda: (datetime.now(UTC) + jump).isoformat(timespec="milliseconds"))
    at_each_look(hub, monkeypatch, lambda: elsewhere(hub, "UPDATE leases SET beat = beat + 1"))
    with pytest.raises(LeaseError, match="on another machine"):
        hub.lease(experiment)
    assert [token for token, _ in rows(hub.file)] == ["planted"]


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux counts a process's start from the machine's")
@pytest.mark.parametrize("jump", [-86400.0, 86400.0])
def test_a_clock_that_jumps_makes_no_process_another(hub, experiment, monkeypatch, jump):
    plant(hub, experiment)
    real = psutil._pslinux.boot_time  # noqa: SLF001
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: real() + jump)  # noqa: SLF001
    assert abs(psutil.boot_time() - real() - jump) < 2
    with pytest.raises(LeaseError, match="on this machine"):
        hub.lease(experiment)


def test_a_lease_that_ends_while_it_is_watched_is_free(hub, experiment, short_watch, monkeypatch):
    plant(hub, experiment, machine="another", beaten=-DAY)
    at_each_look(hub, monkeypatch, lambda: elsewhere(hub, "DELETE FROM leases WHERE token = 'planted'"))
    with hub.lease(experiment) as lease:
        assert lease.held()


def test_a_process_that_the_table_hides_is_not_taken_for_gone(hub, experiment, monkeypatch):
    plant(hub, experiment)
    processes.this()

    def hidden(number):
        raise psutil.NoSuchProcess(number)

    monkeypatch.setattr(psutil, "Process", hidden)
    with pytest.raises(LeaseError, match=r"on this machine, since .*: stop it there; if it has ended"):
        hub.lease(experiment)


def test_a_take_over_watches_anew_where_the_hub_was_locked_and_nobody_could_beat(
    hub, experiment, file, short_watch, monkeypatch
):
    plant(hub, experiment, machine="another", beaten=-DAY)
    writing, tries = hub.writing, []
    monkeypatch.setattr(hub, "writing", lambda **how: tries.append(how) or writing(**how))
    with closing(sqlite3.connect(file, isolation_level=None)) as locker:

        def lock_and_let_go():
            if len(tries) == 1 and not locker.in_transaction:
                locker.execute("BEGIN IMMEDIATE")
            if len(tries) == 2:
                locker.execute("UPDATE leases SET beat = beat + 1")
                locker.execute("COMMIT")

        at_each_look(hub, monkeypatch, lock_and_let_go)
        with pytest.raises(LeaseError, match="on another machine"):
            hub.lease(experiment)
    assert len(tries) == 2


# --- what a lease guards ------------------------------------------------------------------------------------


def test_a_run_that_has_lost_its_lease_can_store_nothing(hub, experiment):
    reply = {"request_hash": "q", "question_hash": "q", "asking": 0, "body": "no"}
    lease = hub.lease(experiment, "A")
    hub.record(experiment, [result("1", flag=True)], lease=lease)
    plant(hub, experiment, machine="another")
    for write in (
        lambda: hub.record(experiment, [result("2", flag=True, request_hash="q")], [reply], lease=lease),
        lambda: hub.reopen(experiment, lease=lease),
        lambda: hub.finish(experiment, lease=lease),
    ):
        with pytest.raises(LeaseError, match="no longer this run's but has been taken over by B, process"):
            write()
    assert not lease.held()
    assert [one.narrative_id for one in hub.pending(experiment)] == ["2", "3", "4", "5"]
    assert hub.read("stored", requests='["q"]') == []
    lease.release()
    assert [token for token, _ in rows(hub.file)] == ["planted"]


def test_a_lease_that_is_given_back_guards_nothing_more(hub, experiment):
    lease = hub.lease(experiment)
    lease.release()
    lease.release()
    with pytest.raises(LeaseError, match=r"first@1 is no longer this run's: what it recorded is kept"):
        hub.record(experiment, [result("1", flag=True)], lease=lease)
    with hub.lease(experiment):
        lease.release()
        assert len(rows(hub.file)) == 1


def test_the_lease_of_one_experiment_is_none_of_another(hub, experiment):
    other, _ = register(hub, fill(hub), fingerprint="other")
    with hub.lease(experiment) as lease, pytest.raises(LeaseError):
        hub.record(other, [result("1", flag=True)], lease=lease)


def test_a_forked_process_has_no_part_in_its_parents_lease(hub, experiment, file):
    with hub.lease(experiment) as lease:
        number = os.fork()
        if number == 0:
            os._exit(in_the_child(lease, hub, file, experiment))
        assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0
        lease.beat()
        assert lease.held()


def in_the_child(lease, inherited, file, experiment):
    """0, if nothing of the parent's can be used or given back here."""
    lease.release()
    refused = 0
    for use in (lease.beat, lambda: inherited.finish(experiment)):
        try:
            use()
        except HubError:
            refused += 1
    with Hub.open(file) as own:
        try:
            own.lease(experiment)
        except LeaseError as error:
            refused += f"process {os.getppid()} on this machine" in str(error)
    return 3 - refused


# --- signs of life ------------------------------------------------------------------------------------------


def test_a_beat_at_every_tick_is_written_once_in_five_seconds(hub, experiment, monkeypatch):
    with hub.lease(experiment) as lease:
        for _ in range(100):
            lease.beat()
        assert rows(hub.file) == [(lease.token, 0)]
        monkeypatch.setattr(leases, "BEAT", 0.0)
        lease.beat()
        assert rows(hub.file) == [(lease.token, 1)]


def test_what_is_recorded_is_a_sign_of_life_as_well(hub, experiment):
    with hub.lease(experiment) as lease:
        hub.record(experiment, [result("1", flag=True)], lease=lease)
        assert rows(hub.file) == [(lease.token, 1)]


def test_a_beat_does_not_wait_for_a_locked_hub(hub, experiment, file, monkeypatch):
    lease = hub.lease(experiment)
    monkeypatch.setattr(leases, "BEAT", 0.0)
    with closing(sqlite3.connect(file, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        lease.beat()
        assert time.monotonic() - began < 10
        locker.execute("ROLLBACK")
    assert rows(file) == [(lease.token, 0)]
    lease.release()


def test_no_name_of_the_machine_is_stored(hub, experiment):
    with hub.lease(experiment):
        (row,) = hub.read("lease_of", experiment=experiment)
    assert re.fullmatch(r"[0-9a-f]{16}", row["machine"])
    assert os.uname().nodename not in "".join(map(str, row.values()))
