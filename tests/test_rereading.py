import json
import socket
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpoint import answer
from exphub_magics import answers, rereading
from exphub_magics.errors import ConfigError, HubError, LeaseError, UnknownNameError
from exphub_magics.experiments import courses
from exphub_magics.hub import Hub
from exphub_magics.questions import Reply

CANARY = "heliotrope"  # in every rational and narrative, and in nothing that is shown
BODIES = {
    "a": answer(True, f"{CANARY} one"),
    "b": f"```json\n{answer(True, f'{CANARY} two')}\n```",
    "c": f"```json\n{answer(False, f'{CANARY} three')}\n```",
    "d": "I'm sorry, but I can't help with that.",
    "e": "It may be so.",
    "f": answer(False, f"{CANARY} four"),
}
TRUTH = {"a": True, "b": False, "c": False, "d": True, "e": True, "f": True, "g": False, "h": False}


def fill(hub, bodies=BODIES, *, name="first", idle=True):
    """An experiment whose replies are read; of two more narratives one is never sent and one has no reply."""
    dataset = hub.register_dataset(
        name="rows.csv",
        sha256="d1",
        columns={},
        profile={},
        narratives=[
            {
                "narrative_id": one,
                "incident_id": one,
                "source": None,
                "narrative_text": f"{CANARY} {one}",
                "facts": "{}",
                "placeholder": None,
            }
            for one in TRUTH
        ],
    )
    hub.label(dataset, TRUTH, coder="manual")
    about = {"name": name, "author": "A", "dataset_id": dataset, "fingerprint": name, "notes": None}
    experiment, _ = hub.register({**about, "settings": {}, "environment": {}}, prompt=("Is it?", "p"), model=("m", "x"))
    put(hub, experiment, bodies)
    if idle:
        none = {"flag": None, "rational": None}
        hub.record(
            experiment,
            [
                {"narrative_id": "g", "status": "not_evaluable", "error": "blank", **none},
                {"narrative_id": "h", "status": "failed", "error": "500: no", "attempts": 5, **none},
            ],
        )
        hub.finish(experiment)
    return experiment


def put(hub, experiment, bodies, *, asking=""):
    """Record replies as a run does."""
    replies = {one: Reply(body, finish_reason="stop", p_true=0.5) for one, body in bodies.items()}
    fields = Reply.__dataclass_fields__
    hub.record(
        experiment,
        [
            {
                "narrative_id": one,
                **courses.said(reply),
                "request_hash": f"{experiment}{one}{asking}",
                "attempts": 1,
            }
            for one, reply in replies.items()
        ],
        [
            {
                "request_hash": f"{experiment}{one}{asking}",
                "question_hash": f"{experiment}{one}",
                "asking": len(asking),
                **{name: getattr(reply, name) for name in fields},
            }
            for one, reply in replies.items()
        ],
    )


@pytest.fixture
def parser(monkeypatch):
    """Replace the parser by one that makes something else of some answers, under a new version."""

    def change(version, moved):
        old = answers.parse

        def parse(text, **more):
            answer = old(text, **more)
            return moved(answer) or answer

        monkeypatch.setattr(answers, "parse", parse)
        monkeypatch.setattr(answers, "READER", version)

    return change


def fenced_is_ok(answer):
    return replace(answer, status="ok", error=None) if answer.error == "code fence" else None


def dump(table=None, *, without=()):
    """Every row that the hub's file holds, or a table's by narrative."""
    with closing(sqlite3.connect("hub.db")) as db:
        if table is None:
            return list(db.iterdump())
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY id")]
    kept = [{key: value for key, value in row.items() if key not in without} for row in rows]
    return {row["narrative_id"]: row for row in kept} if table == "results" else kept


def board(hub, experiment=1):
    return next(row for row in hub.leaderboard() if row["id"] == experiment)


def check(part, *, before, after):
    for standing, row in ((part.before, before), (part.after, after)):
        assert dict(standing.counts) == {key: row[key] for key in standing.counts}


# --- today's parser ---------------------------------------------------------------------------------------


def test_the_same_parser_moves_nothing_and_writes_nothing(hub):
    fill(hub)
    before = dump()
    found = rereading.reread(hub, [1], apply=True)
    assert (len(found.moves), found.parts[0].replies, str(found).splitlines()[-1]) == (0, 6, "nothing moves")
    assert dump() == before


def test_what_moves_is_shown_and_does_not_count_until_it_is_applied(hub, parser):
    fill(hub)
    before, held = dump(), board(hub)
    parser("2", fenced_is_ok)
    found = rereading.reread(hub, [1])
    assert dump() == before
    assert found.parts[0].kinds == {"salvaged → ok": 2}
    assert "nothing counts yet: add --apply" in str(found)
    check(found.parts[0], before=held, after=held | {"ok": 4, "salvaged": 0})


def test_exactly_the_rows_that_are_read_otherwise_differ(hub, parser):
    fill(hub)
    before = dump("results")
    parser("2", fenced_is_ok)
    rereading.reread(hub, [1], apply=True)
    after = dump("results")
    assert {one for one, row in after.items() if row != before[one]} == {"b", "c"}
    changed = {"status", "error", "reader", "recorded_at"}
    for one in "bc":
        assert {key for key in after[one] if after[one][key] != before[one][key]} <= changed
        assert (after[one]["status"], after[one]["error"], after[one]["reader"]) == ("ok", None, "2")


def test_a_second_time_gives_the_same_rows(hub, parser):
    fill(hub)
    parser("2", fenced_is_ok)
    rereading.reread(hub, [1], apply=True)
    before = dump()
    assert len(rereading.reread(hub, [1], apply=True).moves) == 0
    assert dump() == before


def test_what_a_result_said_before_is_kept_as_it_was(hub, parser):
    fill(hub)
    before = dump("results")
    parser("2", fenced_is_ok)
    rereading.reread(hub, [1], apply=True)
    kept = dump("readings", without=["id"])
    assert [row["narrative_id"] for row in kept] == ["b", "c"]
    for row in kept:
        assert row.pop("replaced_at") >= row["recorded_at"]
        assert row == {key: before[row["narrative_id"]][key] for key in row}


def flagged(answer):
    return replace(answer, status="salvaged", flag=True, error="read as yes") if answer.flag is not True else None


def test_what_is_stored_is_what_is_derived_and_what_was_foretold(hub, parser):
    fill(hub)
    before = board(hub)
    parser("2", flagged)
    foretold = rereading.reread(hub, [1])
    found = rereading.reread(hub, [1], apply=True)
    assert found.parts[0] == foretold.parts[0]
    after, stored = board(hub), hub.experiment(1)
    check(found.parts[0], before=before, after=after)
    for column in ("positives", "negatives", "false_positives", "false_negatives", "percent_overlap", "end_time"):
        assert stored[column] == after[column], column
    rows = dump("results")
    marks = {one: (rows[one]["is_false_positive"], rows[one]["is_false_negative"]) for one in BODIES}
    assert marks == {one: (int(not TRUTH[one]), 0) for one in BODIES}


def test_a_finished_experiment_stays_finished(hub, parser):
    fill(hub)
    before = board(hub)
    parser("2", lambda _answer: answers.Answer("failed", error="read by a stricter rule"))
    found = rereading.reread(hub, [1], apply=True)
    assert found.parts[0].after.counts["failed"] == 7
    after = board(hub)
    assert (after["state"], after["end_time"]) == ("done", before["end_time"])


def test_each_kind_of_move_has_its_count_and_they_add_up(hub, parser):
    fill(hub)
    said = {True: "yes", False: "no"}
    parser("2", lambda answer: replace(answer, flag=not answer.flag) if answer.flag in said else None)
    found = rereading.reread(hub, [1])
    assert found.parts[0].kinds == {"flag yes → no": 2, "flag no → yes": 2}
    frame = found.moves
    assert list(frame["narrative_id"]) == ["a", "b", "c", "f"]
    assert list(frame["was_flag"]) == [True, True, False, False]
    assert list(frame["now_flag"]) == [False, False, True, True]
    assert set(frame["was_reader"]) | set(frame["now_reader"]) == {"1", "2"}
    assert set(frame["experiment"]) == {"first@1"}


def test_every_named_experiment_is_read_and_progress_comes_page_by_page(hub, parser):
    fill(hub)
    fill(hub, {"a": BODIES["b"]}, name="second", idle=False)
    parser("2", fenced_is_ok)
    seen = []
    found = rereading.reread(hub, [1, 2], progress=lambda *counted: seen.append(counted))
    assert [(part.title, len(part.moves)) for part in found.parts] == [("first@1", 2), ("second@1", 1)]
    assert seen == [(6, 7), (7, 7)]


def test_nobody_is_asked(hub, parser, monkeypatch):
    fill(hub)
    parser("2", fenced_is_ok)

    def closed(*_arguments, **_more):
        raise OSError("no socket is opened")

    monkeypatch.setattr(socket, "socket", closed)
    assert len(rereading.reread(hub, [1], apply=True).moves) == 2


def test_a_reply_is_read_with_all_that_came_with_it(hub):
    fill(hub, {}, idle=False)
    reply = Reply("", refusal="no", finish_reason="stop")
    fields = {name: getattr(reply, name) for name in Reply.__dataclass_fields__}
    result = {"narrative_id": "a", "status": "failed", "flag": None, "error": "an empty reply", "reader": "0"}
    hub.record(
        1, [{**result, "request_hash": "q"}], [{"request_hash": "q", "question_hash": "q", "asking": 0, **fields}]
    )
    assert rereading.reread(hub, [1]).parts[0].kinds == {"failed → refused": 1}


def test_a_full_disk_leaves_each_result_with_its_reading_or_neither(hub, parser):
    fill(hub)
    before = dump("results")
    parser("2", lambda answer: replace(answer, rational="long " * 100_000) if answer.flag else None)
    pages = hub._db.conn.execute("PRAGMA page_count").fetchone()[0]  # noqa: SLF001
    hub._db.conn.execute(f"PRAGMA max_page_count = {pages}")  # noqa: SLF001
    with pytest.raises(HubError, match="has no room left on its disk"):
        rereading.reread(hub, [1], apply=True)
    assert (dump("results"), dump("readings")) == (before, [])


EMPTY_LEAF = b"\x0a\0\0\0\0\x10\0\0"  # of an index: well formed, and all its entries gone


@pytest.mark.parametrize("page", [b"", b"\xff" * 4096, EMPTY_LEAF], ids=["zeros", "ones", "an empty index"])
def test_of_a_damaged_hub_nothing_is_said_to_stay_as_it_is(tmp_path, page):
    with Hub.open("whole.db") as hub:
        fill(hub)
    whole = (tmp_path / "whole.db").read_bytes()
    refused = 0
    for start in range(4096, len(whole), 4096):
        (tmp_path / "damaged.db").write_bytes(whole[:start] + page.ljust(4096, b"\0") + whole[start + 4096 :])
        try:
            with Hub.open("damaged.db") as hub:
                found = rereading.named(hub, [], every=True)
        except HubError:
            refused += 1
        else:  # the index of a table without rows is whole without entries
            assert [part.replies for part in found.parts] == [len(BODIES)]
        for rest in tmp_path.glob("damaged.db*"):
            rest.unlink()
    assert refused > 20


def test_the_columns_that_are_compared_are_those_that_a_reply_is_read_into():
    assert {*rereading.CONTENT, "reader"} == set(courses.said(Reply("yes")))


# --- who else is at it ------------------------------------------------------------------------------------


def test_an_experiment_that_is_being_run_is_read_but_nothing_of_it_is_applied(hub, parser):
    fill(hub)
    fill(hub, {"a": BODIES["b"]}, name="second", idle=False)
    parser("2", fenced_is_ok)
    with Hub.open("hub.db") as other, other.lease(2, "B"):
        before = dump("results")
        assert len(rereading.reread(hub, [1, 2]).moves) == 3
        for apply in (
            lambda: rereading.reread(hub, [1, 2], apply=True),
            lambda: rereading.select(hub, 2, "1"),
        ):
            with pytest.raises(LeaseError, match="second@1 is being run by B"):
                apply()
        assert dump("results") == before
    assert len(rereading.reread(hub, [1, 2], apply=True).moves) == 3


def test_a_lease_is_given_back(hub, parser):
    fill(hub)
    parser("2", fenced_is_ok)
    rereading.reread(hub, [1], apply=True)
    with Hub.open("hub.db") as other, other.lease(1, "B") as lease:
        assert lease.held()


# --- what is shown ----------------------------------------------------------------------------------------


def test_no_narrative_and_no_rational_is_shown(hub, parser):
    fill(hub)
    parser("2", flagged)
    found = rereading.reread(hub, [1])
    shown = [str(found), found._repr_html_(), json.dumps(found.as_json()), found.moves.to_csv()]
    assert [text for text in shown if CANARY in text] == []


# --- earlier readings -------------------------------------------------------------------------------------


def content(table="results"):
    return dump(table, without=["recorded_at", "id"])


def test_an_earlier_reading_is_put_back_and_the_later_one_is_kept(hub, parser):
    fill(hub)
    first = content()
    parser("2", flagged)
    rereading.reread(hub, [1], apply=True)
    second = content()
    found = rereading.select(hub, 1, "1")
    assert content() == first
    assert found.parts[0].after.counts["ok"] == 2
    assert hub.experiment(1)["positives"] == board(hub)["positives"] == 2
    rereading.select(hub, 1, "2")
    assert content() == second
    assert len(dump("readings")) == 3 * len(found.moves), "appended, never taken away"


def test_what_would_be_put_back_is_shown_first_where_it_is_wanted(hub, parser):
    fill(hub)
    parser("2", flagged)
    rereading.reread(hub, [1], apply=True)
    before = dump()
    assert len(rereading.select(hub, 1, "1", apply=False).moves) == 4
    assert dump() == before


def test_the_versions_that_are_kept_are_listed_in_their_order(hub, parser):
    fill(hub)
    for version in ("2", "10"):
        parser(version, lambda answer: replace(answer, rational=f"{answer.rational}+") if answer.flag else None)
        rereading.reread(hub, [1], apply=True)
    assert rereading.readers(hub, 1).to_dict("list") == {
        "reader": ["1", "2", "10"],
        "current": [4, 0, 2],
        "earlier": [2, 2, 0],
    }


def test_a_version_that_is_not_kept_is_an_error_with_those_that_are(hub):
    fill(hub)
    with pytest.raises(UnknownNameError, match="unknown reader '9': there are: 1"):
        rereading.select(hub, 1, "9")


def test_a_reading_of_a_reply_that_counts_no_more_is_not_put_back(hub, parser):
    fill(hub)
    parser("2", fenced_is_ok)
    rereading.reread(hub, [1], apply=True)
    put(hub, 1, {"b": answer(False, "asked anew")}, asking="1")
    rereading.select(hub, 1, "1")
    after = dump("results")
    assert (after["b"]["request_hash"], after["b"]["flag"]) == ("1b1", 0)
    assert after["c"]["status"] == "salvaged"


FLAGS = st.lists(st.fixed_dictionaries({one: st.booleans() for one in "abc"}), min_size=1, max_size=4)


@settings(max_examples=30)
@given(FLAGS, st.lists(st.integers(0, 3), max_size=4))
def test_any_version_is_selected_in_any_order_and_counts_as_it_was_derived(versions, chosen):
    current = {}

    def parse(text, **_more):
        return answers.Answer("ok", flag=current[text])

    with pytest.MonkeyPatch.context() as patch, Hub.open(":memory:") as hub:
        patch.setattr(answers, "parse", parse)
        for number, flags in enumerate(versions):
            current |= flags
            patch.setattr(answers, "READER", str(number + 1))
            if number:
                rereading.reread(hub, [1], apply=True)
            else:
                fill(hub, {one: one for one in "abc"})
        known = set(rereading.readers(hub, 1)["reader"])
        for number in chosen:
            if str(number + 1) in known:
                rereading.select(hub, 1, str(number + 1))
                said = {row["narrative_id"]: bool(row["flag"]) for row in hub.verdicts(1) if row["flag"] is not None}
                assert said == versions[number]
                assert hub.experiment(1)["positives"] == board(hub)["positives"] == sum(said.values())


# --- the verb ---------------------------------------------------------------------------------------------


def test_the_verb_takes_names_or_all(hub, parser):
    fill(hub)
    fill(hub, {"a": BODIES["b"]}, name="second", idle=False)
    parser("2", fenced_is_ok)
    assert [part.title for part in rereading.named(hub, ["second"]).parts] == ["second@1"]
    assert len(rereading.named(hub, [], every=True, apply=True).moves) == 3
    assert len(rereading.named(hub, [], every=True, reader="1", apply=True).moves) == 3


@pytest.mark.parametrize(
    ("names", "said", "why"),
    [
        ([], {}, "or say --all"),
        (["first"], {"every": True}, "or say --all"),
        (["first"], {"file": "x.csv", "reader": "1"}, "say one of them"),
        ([], {"file": "x.csv", "every": True}, "one experiment: name it"),
        (["nobody"], {}, "no experiment is called"),
    ],
)
def test_what_does_not_go_together_is_one_line(hub, names, said, why):
    fill(hub)
    with pytest.raises(ConfigError, match=why):
        rereading.named(hub, names, **said)
