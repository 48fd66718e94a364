from __future__ import annotations

import gc
import os
import pickle
import resource
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.datasets.spools import Spool
from exphub_magics.errors import DatasetError

ROWS = [(str(number), "V — “José” \n fell." * (number % 50), "") for number in range(2_000)]
CELLS = st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))).map(tuple)


@pytest.fixture
def on_disk(monkeypatch):
    monkeypatch.setattr("exphub_magics.datasets.spools._IN_MEMORY", 1)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def files():
    """What this process has open."""
    found = {}
    for number in [int(path.name) for path in Path("/dev/fd").iterdir()]:
        try:
            found[number] = os.fstat(number)
        except OSError:  # the listing's own
            continue
    return found


@given(st.lists(CELLS))
def test_any_rows_come_back_as_they_were(rows):
    spool = Spool(rows)
    assert list(spool) == list(spool) == rows
    assert len(spool) == len(rows)


def test_rows_are_the_same_in_memory_and_in_a_file(on_disk):
    spool = Spool(ROWS)
    assert list(spool) == ROWS
    assert [spool[place] for place in (1_999, 0, -1, 7)] == [ROWS[place] for place in (1_999, 0, -1, 7)]
    with pytest.raises(IndexError):
        spool[2_000]


def test_a_row_can_be_read_before_the_next_is_added_and_be_replaced(on_disk):
    spool = Spool()
    for row in ROWS[:50]:
        spool.append(row)
        assert spool[-1] == row
        assert spool[0] == ROWS[0]
    spool.replace(3, ("another", "and a longer one" * 100))
    spool.append(("last",))
    assert list(spool) == [*ROWS[:3], ("another", "and a longer one" * 100), *ROWS[4:50], ("last",)]


def test_two_who_read_in_turns_or_in_threads_read_the_same(on_disk):
    spool = Spool(ROWS)
    assert all(one == other for one, other in zip(spool, spool, strict=True))
    read = []
    threads = [threading.Thread(target=lambda: read.append(list(spool))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [ROWS] * 4


def test_few_rows_are_kept_in_memory_and_many_in_a_file_that_only_the_owner_can_open(folder):
    before = files()
    few = Spool(ROWS)
    assert files().keys() == before.keys()
    many = Spool([("x" * 2**20,)] * 17)
    (status,) = [status for number, status in files().items() if number not in before]
    assert (status.st_size >= 2**24, stat.S_IMODE(status.st_mode), status.st_nlink) == (True, 0o600, 0)
    assert list(folder.iterdir()) == []
    assert (few[5], len(many[16][0])) == (ROWS[5], 2**20)


def test_the_file_is_gone_with_the_spool(on_disk):
    before = files()
    spool = Spool(ROWS)
    assert len(files()) == len(before) + 1
    del spool
    gc.collect()
    assert files().keys() == before.keys()


def test_a_spool_can_be_sent_to_another_process(on_disk):
    assert list(pickle.loads(pickle.dumps(Spool(ROWS)))) == ROWS  # noqa: S301  our own bytes


@pytest.mark.parametrize(("text", "message"), [("a\0b", "a NUL character"), ("a\ud800", "half a character")])
def test_what_no_store_carries_unchanged_is_refused(text, message):
    spool = Spool([("a", "b")])
    with pytest.raises(DatasetError, match=message):
        spool.append(("a", text))
    assert list(spool) == [("a", "b")]


def test_a_missing_folder_for_temporary_files_is_said_in_one_line_without_its_path(monkeypatch, tmp_path, on_disk):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(DatasetError, match=r"\Athe folder for temporary files .*\(No such file.*TMPDIR\Z") as caught:
        Spool(ROWS)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("rows", [1, 30])
def test_a_full_disk_is_said_in_one_line_when_writing_or_reading_meets_it(on_disk, rows):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    spool = Spool([("a", "b")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(DatasetError, match=r"\Athe folder for temporary files .*\(File too large\).*TMPDIR\Z"):
            for row in [ROWS[40]] * rows:
                spool.append(row)  # the file's buffer takes a few rows before the disk is asked
            spool[0]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    del spool
    gc.collect()
