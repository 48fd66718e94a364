import sqlite3
import threading

import pytest

from exphub_magics.errors import LockedError
from exphub_magics.hub import Hub, drafts


def test_a_draft_is_what_was_written_last(hub):
    assert drafts.find(hub, "first") is None
    drafts.keep(hub, "first", "Was V hit?")
    kept = drafts.keep(hub, "first", "Was V hit or {{ threatened")
    drafts.keep(hub, "second", "another")
    assert drafts.find(hub, "first") == kept
    assert kept.text == "Was V hit or {{ threatened"


def test_a_dropped_draft_is_gone_and_dropping_none_is_nothing(hub):
    drafts.drop(hub, "first")
    drafts.keep(hub, "first", "x")
    drafts.drop(hub, "first")
    assert drafts.find(hub, "first") is None


def test_a_draft_outlives_the_process_that_wrote_it(tmp_path):
    with Hub.open(tmp_path / "own.db") as hub:
        drafts.keep(hub, "first", "Was V hit?")
    with Hub.open(tmp_path / "own.db") as hub:
        assert drafts.find(hub, "first").text == "Was V hit?"


def test_what_another_wrote_meanwhile_is_put_aside(hub):
    assert not drafts.write(hub, "first@1", "a", over=None)
    assert not drafts.write(hub, "first@1", "ab", over="a")
    assert not drafts.write(hub, "first@1", "ab", over="x")  # both came to the same
    assert drafts.find(hub, drafts.aside("first@1")) is None
    assert drafts.write(hub, "first@1", "c", over=None)
    assert drafts.find(hub, drafts.aside("first@1")).text == "ab"
    assert drafts.find(hub, "first@1").text == "c"
    assert drafts.write(hub, "first@1", None, over="ab")
    assert drafts.find(hub, drafts.aside("first@1")).text == "c"
    assert drafts.find(hub, "first@1") is None
    assert not drafts.write(hub, "first@1", None, over="c")


def test_who_types_is_not_kept_waiting_by_a_locked_hub(hub, tmp_path):
    drafts.keep(hub, "first", "before")
    other = sqlite3.connect(tmp_path / "hub.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    given_up = threading.Timer(30, other.rollback)
    given_up.start()
    with pytest.raises(LockedError):
        drafts.keep(hub, "first", "after")
    given_up.cancel()
    other.rollback()
    other.close()
    assert drafts.find(hub, "first").text == "before"
