"""The hub's file: migrations, transactions, locks and damage; what it owes to whoever opens it is in test_hub.py."""

import hashlib
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sqlite3
import stat
import threading
import time
from contextlib import closing

import pytest

from exphub_magics.errors import HubError, LockedError
from exphub_magics.hub import Hub
from exphub_magics.hub.migrations import VERSIONS
from exphub_magics.hub.statements import sql
from test_hub import fill, register, result

KILLS = 5


@pytest.fixture(scope="module")
def children():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["test_storage", "sqlite_utils", "psutil"])
    return context


@pytest.fixture
def earlier(tmp_path):
    """A hub as the first version of the schema made it, with one experiment."""
    file = tmp_path / "earlier.db"
    with closing(sqlite3.connect(file)) as db:
        db.executescript(sql("schema") + sql("views"))
        db.executescript(
            "CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT);"
            f"INSERT INTO _sqlite_migrations VALUES ('exphub', '{VERSIONS[0]}', '2026-01-01');"
            "INSERT INTO prompts VALUES (1, 'Is it?', 'h'); INSERT INTO models VALUES (1, 'rules-1', 'builtin');"
            "INSERT INTO datasets VALUES (1, 'd', 's', '{}', '{}', 0, '2026-01-01');"
            "INSERT INTO narratives VALUES (1, 1, 'a', 'a', NULL, 'V fell.', '{}', NULL);"
            "INSERT INTO experiments (id, name, prompt_id, model_id, start_time, dataset_id, settings, environment,"
            " fingerprint) VALUES (1, 'old', 1, 1, '2026-01-01', 1, '{}', '{}', 'f');"
            "INSERT INTO results (experiment_id, narrative_id, flag, status, recorded_at)"
            " VALUES (1, 'a', 0, 'ok', '2026-01-01');"
        )
    return file


def test_an_earlier_hub_is_brought_up_to_date_and_keeps_what_it_holds(earlier):
    with Hub.open(earlier) as hub:
        (row,) = hub.leaderboard()
        assert (row["name"], row["ok"]) == ("old", 1)
        assert [one["p_true"] for one in hub.verdicts(1)] == [None]
    with Hub.open(earlier) as again:
        assert len(again.leaderboard()) == 1


def test_a_new_hub_and_a_migrated_one_have_the_same_schema(earlier, tmp_path):
    def schema(file):
        with Hub.open(file), closing(sqlite3.connect(file)) as db:
            return set(db.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%sqlite%'"))

    assert schema(earlier) == schema(tmp_path / "new.db")


# --- migrations -----------------------------------------------------------------------------------------------


def test_before_a_hub_is_brought_up_to_date_it_is_kept_as_it_was(earlier):
    earlier.chmod(0o600)
    with Hub.open(earlier) as hub:
        assert hub.warnings == (
            "earlier.db was brought up to date; as it was before, it is kept as earlier.db.before-second",
        )
    copy = earlier.with_name("earlier.db.before-second")
    assert sorted(path.name for path in earlier.parent.iterdir()) == ["earlier.db", copy.name]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as db:
        assert applied(db) == [VERSIONS[0]]
        assert db.execute("SELECT name FROM experiments").fetchall() == [("old",)]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Hub.open(earlier) as again:
        assert again.warnings == ()


def test_a_copy_that_is_there_already_stays(earlier):
    copy = earlier.with_name("earlier.db.before-second")
    copy.write_text("kept by somebody")
    with Hub.open(earlier) as hub:
        assert len(hub.leaderboard()) == 1
    assert copy.read_text() == "kept by somebody"


def test_where_the_disk_has_no_room_for_the_copy_the_hub_stays_as_it_is(earlier):
    before = applied_in(earlier)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (earlier.stat().st_size // 2, limits[1]))
    try:
        with pytest.raises(HubError, match=r"^earlier\.db cannot be written: its disk is full, over its quota"):
            Hub.open(earlier)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert applied_in(earlier) == before == [VERSIONS[0]]
    assert [path.name for path in earlier.parent.iterdir()] == ["earlier.db"]
    with Hub.open(earlier) as hub:
        assert len(hub.leaderboard()) == 1


def applied_in(file):
    with closing(sqlite3.connect(file)) as db:
        return applied(db)


def test_a_hub_that_holds_no_experiment_needs_no_copy(earlier):
    with closing(sqlite3.connect(earlier)) as db, db:
        db.executescript("DELETE FROM results; DELETE FROM experiments;")
    with Hub.open(earlier) as hub:
        assert hub.warnings == ()
    assert [path.name for path in earlier.parent.iterdir()] == ["earlier.db"]


def test_a_damaged_hub_is_not_brought_up_to_date(earlier):
    damage(earlier, page=page_of(earlier, "results"))
    before = digests(earlier.parent)
    with pytest.raises(HubError, match=r"^earlier\.db is damaged: keep a copy"):
        Hub.open(earlier)
    assert digests(earlier.parent) == before


def applied(db):
    return [name for (name,) in db.execute("SELECT name FROM _sqlite_migrations ORDER BY rowid")]


def schema(db):
    return set(db.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%sqlite%'"))


def migrate(file, ready):
    ready.set()
    Hub.open(file).close()


def kill_while_migrating(children, earlier, kills, seed):
    """Kill at random moments; how many times what was left was the old hub, and how many times the new."""
    moments, left = random.Random(seed), []
    with closing(sqlite3.connect(earlier)) as db:
        old = schema(db)
        db.executemany(
            "INSERT INTO narratives VALUES (?, 1, ?, 'a', NULL, 'V fell.', '{}', NULL)",
            ((number, str(number)) for number in range(2, 20_000)),
        )
        db.commit()
    whole = None
    while len(left) < kills:
        file = earlier.with_name(f"{len(left)}.db")
        shutil.copy(earlier, file)
        ready = children.Event()
        child = children.Process(target=migrate, args=(file, ready))
        child.start()
        assert ready.wait(timeout=60)
        began = time.monotonic()
        child.join(None if whole is None else moments.uniform(0, whole))
        child.kill()
        child.join()
        if whole is None:
            whole = time.monotonic() - began
            with closing(sqlite3.connect(file)) as db:
                new = schema(db)
            assert new != old
        with closing(sqlite3.connect(file)) as db:
            found = schema(db)
            assert (found, applied(db)) in ((old, [VERSIONS[0]]), (new, list(VERSIONS)))
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            left.append(found == new)
        check_copy(file, old)
        with Hub.open(file) as hub:
            assert (hub.leaderboard()[0]["name"], hub.leaderboard()[0]["ok"]) == ("old", 1)
        check_copy(file, old)
    return left.count(False), left.count(True)


def check_copy(file, old):
    """A copy that has its name is whole."""
    copy = file.with_name(f"{file.name}.before-second")
    if copy.exists():
        with closing(sqlite3.connect(copy)) as db:
            assert schema(db) == old
            assert db.execute("SELECT count(*) FROM narratives").fetchone() == (19_999,)


def test_a_kill_while_a_hub_is_brought_up_to_date_leaves_the_old_or_the_new(children, earlier):
    old, new = kill_while_migrating(children, earlier, KILLS, seed=1)
    assert old + new == KILLS


@pytest.mark.soak
def test_many_kills_while_a_hub_is_brought_up_to_date_leave_nothing_between(children, earlier):
    old, new = kill_while_migrating(children, earlier, 40, seed=2)
    print(f"40 kills while migrating: {old} left the old hub, {new} the new, 0 anything between")  # noqa: T201
    assert old > 0
    assert new > 0


# --- locks ----------------------------------------------------------------------------------------------------


@pytest.fixture
def experiment(hub):
    return register(hub, fill(hub))[0]


@pytest.fixture
def locker(hub, experiment):
    """Another program that keeps the hub locked."""
    with closing(sqlite3.connect(hub.file, isolation_level=None, check_same_thread=False)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield db


def test_a_run_waits_for_a_locked_hub_and_can_say_for_how_long(hub, experiment, locker):
    told = []

    def waiting(seconds):
        told.append(seconds)
        if len(told) == 3:
            locker.execute("COMMIT")

    hub.waiting = waiting
    hub.record(experiment, [result("1", flag=True)])
    assert told == sorted(told)
    assert told[0] >= 0.5
    assert len(told) == 3
    assert hub.leaderboard()[0]["ok"] == 1


def test_a_hub_that_stays_locked_is_refused_in_one_line(hub, experiment, locker):
    hub.patience = 0.3
    with pytest.raises(LockedError, match=r"^hub\.db is locked by another program: close it there, then run again"):
        hub.record(experiment, [result("1", flag=True)])
    locker.execute("COMMIT")
    hub.record(experiment, [result("1", flag=True)])


def test_reading_does_not_wait_for_a_lock(hub, experiment, locker):
    assert hub.leaderboard()[0]["pending"] == 5


def test_an_interrupt_ends_the_waiting_at_once_and_what_follows_waits_no_more(hub, experiment, locker):
    hub.patience = 30
    timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        hub.record(experiment, [result("1", flag=True)])
    with pytest.raises(LockedError):
        hub.finish(experiment)
    assert time.monotonic() - began < 10
    locker.execute("COMMIT")
    hub.record(experiment, [result("1", flag=True)])
    locker.execute("BEGIN IMMEDIATE")  # nothing of the hub's was left open


def test_who_is_told_of_the_waiting_may_end_it(hub, experiment, locker):
    class StoppedError(Exception):
        pass

    def waiting(seconds):
        raise StoppedError

    hub.waiting = waiting
    with pytest.raises(StoppedError):
        hub.record(experiment, [result("1", flag=True)])
    locker.execute("COMMIT")
    hub.record(experiment, [result("1", flag=True)])


def test_a_hub_that_is_only_being_written_is_opened_at_once(hub, experiment, locker):
    with Hub.open(hub.file) as other:
        assert other.leaderboard()[0]["pending"] == 5


def write_for(file, experiment, seconds, gate, written):
    """Record as fast as it goes; how many times, and the longest that one took."""
    number, longest = 0, 0.0
    with Hub.open(file) as hub:
        gate.wait()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            hub.record(experiment, [result("1", flag=True)])
            number, longest = number + 1, max(longest, time.monotonic() - began)
    written.put((number, longest))


def share(children, hub, experiment, seconds):
    gate, written = children.Barrier(3, timeout=60), children.Queue()
    writers = [
        children.Process(target=write_for, args=(hub.file, experiment, seconds, gate, written)) for _ in range(3)
    ]
    for writer in writers:
        writer.start()
    found = sorted(written.get(timeout=120) for _ in writers)
    for writer in writers:
        writer.join(timeout=60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    return [number for number, _ in found], max(longest for _, longest in found)


def test_of_three_who_write_at_once_none_is_always_late(children, hub, experiment):
    numbers, _ = share(children, hub, experiment, seconds=1.5)
    assert numbers[0] >= sum(numbers) / 20


@pytest.mark.soak
def test_three_who_write_for_four_seconds_have_fair_shares(children, hub, experiment):
    numbers, longest = share(children, hub, experiment, seconds=4)
    print(f"three writers, 4 s: {numbers} commits, 0 errors, the longest wait {longest * 1000:.0f} ms")  # noqa: T201
    assert numbers[0] >= sum(numbers) / 6


# --- a file that goes -----------------------------------------------------------------------------------------


def test_a_relative_name_is_meant_from_where_it_was_opened(tmp_path, monkeypatch):
    with Hub.open("hub.db") as hub:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        register(hub, fill(hub))
    assert (tmp_path / "hub.db").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_hub_that_is_moved_while_it_is_open_is_left_whole_and_not_written_on(hub, experiment, tmp_path):
    hub.record(experiment, [result("1", flag=True)])
    (tmp_path / "hub.db").rename(tmp_path / "moved.db")
    with pytest.raises(HubError, match=r"^hub\.db was moved or deleted while in use: put it back"):
        hub.record(experiment, [result("2", flag=True)])
    hub.close()
    with Hub.open(tmp_path / "moved.db") as moved:
        assert [one.narrative_id for one in moved.pending(experiment)] == ["2", "3", "4", "5"]


def test_a_hub_that_is_put_back_can_be_written_again(hub, experiment, tmp_path):
    (tmp_path / "hub.db").rename(tmp_path / "moved.db")
    with pytest.raises(HubError, match="was moved"):
        hub.record(experiment, [result("1", flag=True)])
    (tmp_path / "moved.db").rename(tmp_path / "hub.db")
    hub.record(experiment, [result("1", flag=True)])
    hub.close()
    with Hub.open(tmp_path / "hub.db") as again:
        assert again.leaderboard()[0]["ok"] == 1


def test_a_hub_that_is_deleted_while_it_is_open_is_not_written_into_nothing(hub, experiment, tmp_path):
    (tmp_path / "hub.db").unlink()
    with pytest.raises(HubError, match="was moved or deleted while in use"):
        hub.record(experiment, [result("1", flag=True)])


def test_a_hub_in_whose_place_another_file_stands_leaves_that_one_alone(hub, experiment, tmp_path):
    with Hub.open(tmp_path / "other.db") as other:
        register(other, fill(other), name="other")
    content = (tmp_path / "other.db").read_bytes()
    hub.record(experiment, [result("1", flag=True)])
    (tmp_path / "other.db").rename(tmp_path / "hub.db")
    with pytest.raises(HubError, match="was moved or deleted while in use"):
        hub.record(experiment, [result("2", flag=True)])
    hub.close()
    assert (tmp_path / "hub.db").read_bytes() == content
    with Hub.open(tmp_path / "hub.db") as there:
        assert [row["name"] for row in there.leaderboard()] == ["other"]


def test_a_journal_that_is_deleted_while_the_hub_is_open_loses_nothing(hub, experiment, tmp_path):
    hub.record(experiment, [result("1", flag=True)])
    (tmp_path / "hub.db-wal").unlink()
    with pytest.raises(HubError, match="was moved or deleted while in use"):
        hub.record(experiment, [result("2", flag=True)])
    hub.close()
    with Hub.open(tmp_path / "hub.db") as again:
        assert [one.narrative_id for one in again.pending(experiment)] == ["2", "3", "4", "5"]


# --- damage ---------------------------------------------------------------------------------------------------


def digests(folder):
    """What the files of a folder hold; the -shm is a cache, and an empty -wal holds nothing."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.suffix != ".db-shm" and path.stat().st_size
    }


def page_of(file, table):
    with closing(sqlite3.connect(file)) as db:
        return db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()[0]


def damage(file, *, page=1, offset=0, content=b"\xff" * 4096):
    with file.open("r+b") as opened:
        opened.seek((page - 1) * 4096 + offset)
        opened.write(content[: 4096 - offset])


def cut(file, size):
    os.truncate(file, size)


@pytest.fixture
def closed(tmp_path):
    """A hub of some pages, one of them free, that was closed in order."""
    file = tmp_path / "folder" / "hub.db"
    file.parent.mkdir()
    with Hub.open(file) as hub:
        experiment, _ = register(hub, fill(hub))
        hub.record(experiment, [result("1", flag=True, rational="long " * 20_000), result("2", flag=True)])
        hub.record(experiment, [result("1", flag=True)])
    return file


@pytest.fixture
def cut_off(closed, tmp_path):
    """The same with a journal of its last answers, as a kill leaves it."""
    with Hub.open(closed) as hub:
        hub.record(1, [result("3", flag=True)])
        shutil.copytree(closed.parent, tmp_path / "cut off")
    return tmp_path / "cut off" / "hub.db"


def test_what_a_cut_off_run_left_in_the_journal_is_there_when_the_hub_is_opened(cut_off):
    assert cut_off.with_name("hub.db-wal").stat().st_size
    with Hub.open(cut_off) as hub:
        assert [one.narrative_id for one in hub.pending(1)] == ["4", "5"]


DAMAGES = {
    "no database": (lambda file: file.write_bytes(b"narratives, but no database " * 400), "is no SQLite file"),
    "its page size": (lambda file: damage(file, offset=16, content=b"\0\3"), "is no SQLite file, or damaged"),
    "the schema": (lambda file: damage(file, offset=100), "is damaged"),
    "a page of results": (lambda file: damage(file, page=page_of(file, "results")), "is damaged"),
    "the list of free pages": (lambda file: damage(file, offset=32, content=b"\0\0\xff\xff"), "is damaged"),
    "half of it gone": (lambda file: cut(file, file.stat().st_size // 2), "is damaged"),
    "all but its first bytes gone": (lambda file: cut(file, 50), "is damaged"),
    "all but its first page gone": (lambda file: cut(file, 4096), "is damaged"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_hub_is_explained_in_one_line_and_left_as_it_is(closed, kind):
    harm, said = DAMAGES[kind]
    harm(closed)
    before = digests(closed.parent)
    with pytest.raises(HubError, match=rf"^hub\.db {said}") as refused, Hub.open(closed) as hub:
        hub.reserve(1)
    assert "\n" not in str(refused.value)
    assert digests(closed.parent) == before


CUT_OFF = {
    "half of it gone": (lambda file: cut(file, file.stat().st_size // 2), r"hub\.db is damaged"),
    "a page of prompts": (lambda file: damage(file, page=PAGES["prompts"]), r"hub\.db is damaged"),
    "all of it gone": (
        lambda file: file.unlink(),
        r"hub\.db is gone or empty, but its last answers are in hub\.db-wal",
    ),
    "empty": (lambda file: cut(file, 0), r"hub\.db is gone or empty, but its last answers are in hub\.db-wal"),
    "its journal": (
        lambda file: damage(file.with_name("hub.db-wal"), content=b"\xff" * 32),
        r"hub\.db-wal, which holds",
    ),
}
PAGES = {}


@pytest.mark.parametrize("kind", CUT_OFF)
def test_a_damaged_hub_is_not_made_worse_by_the_journal_beside_it(cut_off, closed, kind):
    PAGES["prompts"] = page_of(closed, "prompts")
    harm, said = CUT_OFF[kind]
    harm(cut_off)
    before = digests(cut_off.parent)
    with pytest.raises(HubError, match=f"^{said}"):
        Hub.open(cut_off)
    assert digests(cut_off.parent) == before


def test_a_journal_that_is_only_begun_harms_nobody(closed):
    closed.with_name("hub.db-wal").write_bytes(b"\x37")
    with Hub.open(closed) as hub:
        assert hub.leaderboard()[0]["ok"] == 2
