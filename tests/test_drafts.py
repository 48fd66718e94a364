import sqlite3
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.errors import LockedError
from exphub_magics.hub import Hub, drafts


def keep(hub, name, text):
    before = drafts.find(hub, name)
    return drafts.write(hub, name, text, over=before.text if before else None)


def test_a_draft_is_what_was_written_last(hub):
    assert drafts.find(hub, "first") is None
    keep(hub, "first", "Was V hit?")
    keep(hub, "first", "Was V hit or {{ threatened")
    keep(hub, "second", "another")
    assert drafts.find(hub, "first").text == "Was V hit or {{ threatened"
    assert drafts.find(hub, "first").of == "first"


def test_a_draft_that_has_ended_is_gone_and_to_end_none_is_nothing(hub):
    keep(hub, "first", None)
    keep(hub, "first", "x")
    keep(hub, "first", None)
    assert drafts.find(hub, "first") is None
    assert drafts.kept(hub, ["first"]) == []


def test_what_another_wrote_meanwhile_is_put_aside(hub):
    assert not drafts.write(hub, "first@1", "a", over=None)
    assert not drafts.write(hub, "first@1", "ab", over="a")
    assert not drafts.write(hub, "first@1", "ab", over="x")  # both came to the same
    assert [one.text for one in drafts.kept(hub, ["first@1"])] == ["ab"]
    assert drafts.write(hub, "first@1", "c", over=None)
    assert drafts.write(hub, "first@1", None, over="ab")
    assert drafts.find(hub, "first@1") is None
    assert {(one.text, one.of) for one in drafts.kept(hub, ["first@1"])} == {("ab", "first@1"), ("c", "first@1")}
    assert not drafts.write(hub, "first@1", None, over="c")


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["type", "load", "end"]), st.sampled_from("abcdef"))))
def test_whatever_several_write_no_text_that_another_replaced_is_lost(steps):
    with Hub.open(":memory:") as hub:
        seen, shown, written = [None] * 3, [""] * 3, set()
        for who, action, text in steps:
            new = None if action == "end" else f"{text}{who}"
            aside = shown[who] or None if action != "type" else None
            drafts.write(hub, "first@1", new, over=seen[who], aside=aside)
            if action == "type" and seen[who]:
                written.discard(seen[who])  # typed over by whoever wrote it
            seen[who], shown[who] = new, new or ""
            written |= {new} - {None}
            held = {one.text for one in drafts.kept(hub, ["first@1"], most=1_000)}
            assert {text for text in written if text not in shown} <= held | {None}


def test_a_draft_outlives_the_process_that_wrote_it(tmp_path):
    with Hub.open(tmp_path / "own.db") as hub:
        keep(hub, "first", "Was V hit?")
    with Hub.open(tmp_path / "own.db") as hub:
        assert drafts.find(hub, "first").text == "Was V hit?"


def test_who_types_is_not_kept_waiting_by_a_locked_hub(hub, tmp_path):
    keep(hub, "first", "before")
    other = sqlite3.connect(tmp_path / "hub.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    given_up = threading.Timer(30, other.rollback)
    given_up.start()
    with pytest.raises(LockedError):
        keep(hub, "first", "after")
    given_up.cancel()
    other.rollback()
    other.close()
    assert drafts.find(hub, "first").text == "before"
