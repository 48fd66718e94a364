"""The hub and its disk: room for answers before they are paid for; full and read-only disks; networks."""

import os
import random
import resource
import sqlite3
import subprocess
from contextlib import closing, contextmanager

import psutil
import pytest

from exphub_magics.errors import HubError
from exphub_magics.hub import Hub, files, room
from test_hub import register, result

RESERVED = 200_000  # bytes
LENGTHS = (RESERVED, 20_000, 4_070, 2_100, 200)  # of an answer: those between fill their pages worst


def mounted(folder, size):
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a disk of some megabytes can be had only where one may mount")
    return folder


@pytest.fixture
def disk(tmp_path):
    """A disk of 24 MB."""
    folder = mounted(tmp_path / "disk", "24m")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def tiny(tmp_path):
    """A disk of 4 MB."""
    folder = mounted(tmp_path / "tiny", "4m")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill_up(folder):
    """Let something else take all of a disk."""
    with (folder / "something else").open("ab", buffering=0) as opened, pytest.raises(OSError, match="No space left"):
        while True:
            opened.write(b"x" * 512)


def begin(hub, narratives=2000):
    """An experiment with many narratives to answer."""
    dataset = hub.register_dataset(
        name="d",
        sha256="d",
        columns={},
        profile={},
        narratives=[
            {"narrative_id": str(n), "incident_id": str(n), "narrative_text": "V fell.", "facts": "{}"}
            for n in range(narratives)
        ],
    )
    return register(hub, dataset)[0]


def answers(size, length, first=0):
    """Replies of `size` bytes in all, and the results that repeat each of them as the rationale."""
    dice = random.Random(f"{length} {first}")
    numbers = range(first, first + size // length)
    hashes = {number: f"{dice.getrandbits(256):064x}" for number in numbers}
    text = "x" * length
    responses = [
        {"request_hash": one, "question_hash": one, "asking": 0, "body": text, "finish_reason": "stop"}
        for one in hashes.values()
    ]
    results = [
        result(str(n), flag=True, rational=text, request_hash=one, reasoning_steps="[]") for n, one in hashes.items()
    ]
    return results, responses


def pragma(hub, name):
    return hub._db.conn.execute(f"PRAGMA {name}").fetchone()[0]  # noqa: SLF001


@contextmanager
def no_larger_files():
    """Let no file of this process grow beyond the largest that it has: what a quota says, SQLite hears."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- reserve ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_reserved_is_stored_though_the_file_cannot_grow(hub, length):
    experiment = begin(hub)
    hub.reserve(RESERVED)
    hub._db.conn.execute(f"PRAGMA max_page_count = {pragma(hub, 'page_count')}")  # noqa: SLF001
    hub.record(experiment, *answers(RESERVED, length))
    assert hub.leaderboard()[0]["ok"] == RESERVED // length


@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_reserved_is_stored_though_something_else_fills_the_disk(disk, length):
    with Hub.open(disk / "hub.db") as hub:
        experiment = begin(hub)
        hub.reserve(RESERVED)
        fill_up(disk)
        hub.record(experiment, *answers(RESERVED, length))
        assert hub.leaderboard()[0]["ok"] == RESERVED // length
        assert pragma(hub, "integrity_check") == "ok"


def test_what_was_reserved_is_stored_in_many_batches_though_the_disk_is_full(disk):
    with Hub.open(disk / "hub.db") as hub:
        experiment = begin(hub)
        hub.reserve(RESERVED)
        fill_up(disk)
        for batch in range(20):
            hub.record(experiment, *answers(RESERVED // 20, 500, first=batch * 20))
        assert hub.leaderboard()[0]["ok"] == 400


def test_what_was_reserved_is_stored_though_a_quota_lets_no_file_grow(hub):
    experiment = begin(hub)
    hub.reserve(RESERVED)
    with no_larger_files() as limit:
        limit(max(files.size(hub.file), files.size(hub._journal)))  # noqa: SLF001
        hub.record(experiment, *answers(RESERVED, 2_100))
    assert hub.leaderboard()[0]["ok"] == RESERVED // 2_100


def test_batch_after_batch_is_stored_while_room_is_asked_for_before_each(disk):
    stored = 0
    with Hub.open(disk / "hub.db") as hub:
        experiment = begin(hub, narratives=20_000)
        with pytest.raises(HubError, match="has no room left on its disk") as said:
            while True:
                hub.reserve(100_000)
                hub.record(experiment, *answers(100_000, 2_000, first=stored))
                stored += 50
        assert "reserve" in [entry.name for entry in said.traceback]
        assert "record" not in [entry.name for entry in said.traceback]
        assert hub.leaderboard()[0]["ok"] == stored > 500
        assert pragma(hub, "integrity_check") == "ok"


@pytest.mark.parametrize("length", [100, 300, 700, 2_030, 2_100, 4_070, 20_000])
def test_answers_take_no_more_pages_than_are_reserved_for_them(hub, length):
    size, many = 1_500_000, 1_500_000 // length
    experiment = begin(hub, narratives=many)
    hub.reserve(size, many)
    pages, free = pragma(hub, "page_count"), pragma(hub, "freelist_count")
    reserved = hub._room(hub.file).pages_for(size + many * room.ROW)  # noqa: SLF001
    for first in range(0, many, 1_000):
        count = min(1_000, many - first)
        hub.record(experiment, *answers(count * length, length, first=first))
    assert pragma(hub, "page_count") == pages
    assert free - pragma(hub, "freelist_count") <= reserved <= free


def test_room_that_is_there_is_not_made_again(hub):
    hub.reserve(RESERVED)
    before = pragma(hub, "schema_version"), files.size(hub.file), files.size(hub._journal)  # noqa: SLF001
    for _ in range(100):
        hub.reserve(RESERVED)
    assert (pragma(hub, "schema_version"), files.size(hub.file), files.size(hub._journal)) == before  # noqa: SLF001


def test_where_there_is_no_room_nothing_is_begun_and_nothing_lost(tiny):
    with Hub.open(tiny / "hub.db") as hub:
        experiment = begin(hub, narratives=100)
        hub.record(experiment, *answers(1_000, 100))
        before = files.size(hub.file), files.size(hub._journal)  # noqa: SLF001
        with pytest.raises(HubError, match=r"^hub\.db has no room left on its disk: make room, then run again"):
            hub.reserve(RESERVED)
        assert (files.size(hub.file), files.size(hub._journal)) == before  # noqa: SLF001
    with Hub.open(tiny / "hub.db") as hub:
        assert hub.leaderboard()[0]["ok"] == 10


def test_a_quota_that_shows_only_while_room_is_made_loses_nothing_either(hub):
    experiment = begin(hub, narratives=100)
    hub.record(experiment, *answers(1_000, 100))
    with no_larger_files() as limit:
        limit(files.size(hub._journal) + 500_000)  # noqa: SLF001
        with pytest.raises(HubError, match="its disk is full, over its quota or failing"):
            hub.reserve(RESERVED)
    assert hub.leaderboard()[0]["ok"] == 10
    hub.reserve(RESERVED)
    hub.record(experiment, *answers(1_000, 100, first=10))
    assert hub.leaderboard()[0]["ok"] == 20


def test_a_journal_that_a_reader_kept_from_beginning_anew_does_so_once_the_reader_is_gone(disk):
    with Hub.open(disk / "hub.db") as hub:
        experiment = begin(hub)
        hub.reserve(RESERVED)
        with closing(sqlite3.connect(disk / "hub.db")) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM narratives").fetchone()
            fill_up(disk)
            stored = 0
            with pytest.raises(HubError, match="has no room left on its disk"):
                while True:
                    hub.record(experiment, *answers(10_000, 500, first=stored))
                    stored += 20
        hub.record(experiment, *answers(10_000, 500, first=stored))
        assert hub.leaderboard()[0]["ok"] == stored + 20


def test_the_first_reserve_reads_the_file_through_and_refuses_a_damaged_one(tmp_path):
    file = tmp_path / "hub.db"
    with Hub.open(file) as hub:
        experiment = begin(hub)
        hub.record(experiment, *answers(RESERVED, 500))
        root = hub._db.conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'results'").fetchone()[0]  # noqa: SLF001
    with file.open("r+b") as opened:
        opened.seek((root - 1) * 4096)
        opened.write(b"\xff" * 4096)
    with Hub.open(file) as hub, pytest.raises(HubError, match=r"^hub\.db is damaged: keep a copy"):
        hub.reserve(1)


def test_a_hub_in_memory_has_nothing_to_reserve():
    with Hub.open(":memory:") as hub:
        hub.reserve(10**12)
        assert hub.leaderboard() == []


# --- a disk that takes nothing --------------------------------------------------------------------------------


def test_a_full_disk_without_room_reserved_is_one_line_and_loses_nothing_recorded(tiny):
    with Hub.open(tiny / "hub.db") as hub:
        experiment = begin(hub)
        hub.record(experiment, *answers(1_000, 100))
        fill_up(tiny)
        with pytest.raises(HubError, match=r"^hub\.db has no room left on its disk"):
            hub.record(experiment, *answers(2_000_000, 2_000, first=10))
        assert hub.leaderboard()[0]["ok"] == 10
        (tiny / "something else").unlink()
        hub.record(experiment, *answers(1_000, 100, first=10))
        assert hub.leaderboard()[0]["ok"] == 20


def test_a_full_disk_makes_no_hub_and_opens_none_and_says_why(tiny):
    Hub.open(tiny / "old.db").close()
    fill_up(tiny)
    for name in ("old.db", "new.db"):
        with pytest.raises(HubError, match=rf"^{name} (cannot be written: its disk is full|has no room left)"):
            Hub.open(tiny / name)
    (tiny / "something else").unlink()
    with Hub.open(tiny / "old.db") as hub:
        assert hub.leaderboard() == []


def test_a_hub_on_a_read_only_disk_is_refused_before_anything_is_asked(tiny):
    Hub.open(tiny / "hub.db").close()
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    with pytest.raises(HubError, match=r"^hub\.db cannot be (opened|written): .*permission"):
        Hub.open(tiny / "hub.db")


@pytest.mark.skipif(not os.geteuid(), reason="root may write what is read-only")
@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o444, 0o755), (0o644, 0o555)])
def test_a_read_only_hub_or_folder_is_refused_before_anything_is_asked(tmp_path, file_mode, folder_mode):
    folder = tmp_path / "folder"
    folder.mkdir()
    Hub.open(folder / "hub.db").close()
    (folder / "hub.db").chmod(file_mode)
    folder.chmod(folder_mode)
    try:
        with pytest.raises(HubError, match="permission"), Hub.open(folder / "hub.db") as hub:
            hub.reserve(1)
    finally:
        folder.chmod(0o755)


# --- where a hub is -------------------------------------------------------------------------------------------


@pytest.fixture
def on(tmp_path, monkeypatch):
    """Let a folder seem to be mounted with a file system."""

    def mount(folder, kind):
        (tmp_path / "proc" / "self").mkdir(parents=True)
        lines = ["/dev/sda1 / ext4 rw 0 0", f"host:/share {str(folder).replace(' ', chr(92) + '040')} {kind} rw 0 0"]
        (tmp_path / "proc" / "self" / "mounts").write_text("\n".join(lines) + "\n")
        monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "proc"))

    return mount


pytestmark_linux = pytest.mark.skipif(not psutil.LINUX, reason="what is mounted is read from /proc")


@pytestmark_linux
@pytest.mark.parametrize("kind", ["nfs4", "cifs", "smb3", "9p", "fuse.sshfs"])
def test_on_a_network_file_system_the_hub_keeps_no_wal_and_says_so(tmp_path, on, kind):
    folder = tmp_path / "a share"
    folder.mkdir()
    on(folder, kind)
    with Hub.open(folder / "hub.db") as hub:
        experiment = begin(hub, narratives=100)
        hub.reserve(RESERVED)
        hub.record(experiment, *answers(1_000, 100))
        assert hub.leaderboard()[0]["ok"] == 10
        assert pragma(hub, "journal_mode") == "delete"
        assert [said for said in hub.warnings if f"network file system ({kind})" in said]
        assert sorted(path.name for path in folder.iterdir()) == ["hub.db"]


@pytestmark_linux
def test_a_hub_that_was_moved_to_a_network_file_system_gives_up_its_wal_and_takes_it_again_at_home(tmp_path, on):
    folder = tmp_path / "share"
    folder.mkdir()
    Hub.open(folder / "hub.db").close()
    on(folder, "nfs")
    with Hub.open(folder / "hub.db") as hub:
        assert pragma(hub, "journal_mode") == "delete"
        assert hub.leaderboard() == []
    (folder / "hub.db").rename(tmp_path / "hub.db")
    with Hub.open(tmp_path / "hub.db") as hub:
        assert (pragma(hub, "journal_mode"), hub.warnings) == ("wal", ())


@pytestmark_linux
@pytest.mark.parametrize("kind", ["ext4", "xfs", "tmpfs", "overlay", "fuseblk"])
def test_a_disk_of_this_machine_is_none_of_a_network(tmp_path, on, kind):
    on(tmp_path, kind)
    assert files.warnings(tmp_path / "hub.db") == ()


@pytest.mark.parametrize(
    ("folder", "service"),
    [
        ("Dropbox", "Dropbox"),
        ("Dropbox (Health Dept)", "Dropbox"),
        ("OneDrive - Health Dept", "OneDrive"),
        ("Library/Mobile Documents/com~apple~CloudDocs", "iCloud"),
        ("Library/CloudStorage/GoogleDrive-a@example.org/My Drive", "Google Drive"),
    ],
)
def test_a_folder_that_is_kept_in_step_elsewhere_is_warned_of(tmp_path, folder, service):
    (tmp_path / folder).mkdir(parents=True)
    with Hub.open(tmp_path / folder / "hub.db") as hub:
        (said,) = hub.warnings
    assert said.startswith(f"hub.db is in a folder that {service} keeps in step")
    assert str(tmp_path) not in said
