import json
import sqlite3
import subprocess
import sys
import threading

import pytest

from exphub_magics.errors import HubError, UnknownNameError
from exphub_magics.hub import Hub, where

SEED_COLUMNS = {
    "experiments": "id name author prompt_id model_id start_time end_time total_narratives positives negatives "
    "false_positives false_negatives percent_overlap",
    "prompts": "id prompt_text prompt_hash",
    "models": "id model_name provider",
    "results": "id experiment_id narrative_id rational flag reasoning_steps is_false_positive is_false_negative",
}
SEED_TYPES = {
    "experiments": "INTEGER TEXT TEXT INTEGER INTEGER TIMESTAMP TIMESTAMP INTEGER INTEGER INTEGER INTEGER INTEGER REAL",
    "prompts": "INTEGER TEXT TEXT",
    "models": "INTEGER TEXT TEXT",
    "results": "INTEGER INTEGER TEXT TEXT BOOLEAN TEXT BOOLEAN BOOLEAN",
}
TEXTS = {"1": "one", "2": "two", "3": "three", "4": "four", "5": ""}


def fill(hub, *, labels=None):
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
                "narrative_text": text,
                "facts": "{}",
                "placeholder": None if text else "empty",
            }
            for one, text in TEXTS.items()
        ],
    )
    hub.label(dataset, {"1": True, "2": True, "3": False, "4": False} if labels is None else labels, coder="manual")
    return dataset


def register(hub, dataset, name="first", fingerprint="f1", **more):
    experiment = {
        "name": name,
        "author": "A",
        "dataset_id": dataset,
        "settings": {},
        "environment": {},
        "fingerprint": fingerprint,
        "notes": None,
    }
    return hub.register(experiment, prompt=("Is it?", "p1"), model=("m", "builtin"), **more)


def result(narrative_id, flag=None, status="ok", **more):
    return {
        "narrative_id": narrative_id,
        "status": status,
        "flag": flag,
        "rational": "r",
        "error": None,
        **more,
    }


def opened(hub):
    return sqlite3.connect(hub._db.conn.execute("PRAGMA database_list").fetchone()[2])  # noqa: SLF001


def test_the_seeds_columns_come_first_in_order_with_their_types(hub):
    with opened(hub) as db:
        for table, names in SEED_COLUMNS.items():
            found = db.execute(f"PRAGMA table_info({table})").fetchall()
            expected = names.split()
            assert [row[1] for row in found[: len(expected)]] == expected
            assert [row[2] for row in found[: len(expected)]] == SEED_TYPES[table].split()
    db.close()


def test_every_table_says_what_it_holds(hub):
    with opened(hub) as db:
        tables = dict(db.execute("SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view')"))
    db.close()
    own = {name: sql for name, sql in tables.items() if not name.startswith(("sqlite_", "_sqlite"))}
    assert len(own) >= 14
    assert [name for name, sql in own.items() if "--" not in sql.splitlines()[0]] == []


def test_the_hub_is_in_wal_mode_with_foreign_keys(hub):
    pragma = hub._db.conn.execute  # noqa: SLF001
    assert pragma("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert pragma("PRAGMA foreign_keys").fetchone()[0] == 1
    assert pragma("PRAGMA synchronous").fetchone()[0] == 2


def test_counts_add_up_and_a_missing_answer_is_never_a_no(hub):
    experiment, _ = register(hub, fill(hub))
    hub.record(
        experiment,
        [
            result("1", flag=True),
            result("2", status="failed"),
            result("3", flag=True),
            result("4", flag=False),
        ],
    )
    hub.finish(experiment)
    (row,) = hub.leaderboard()
    assert (row["tp"], row["fp"], row["fn"], row["tn"]) == (1, 1, 0, 1)
    assert row["ok"] + row["failed"] + row["pending"] == row["total"] == 5
    assert (row["labelled"], row["unlabelled"], row["state"]) == (4, 1, "unfinished")
    assert row["percent_overlap"] == pytest.approx(200 / 3)
    hub.record(experiment, [result("5", status="not_evaluable")])
    hub.finish(experiment)
    assert hub.leaderboard()[0]["state"] == "done"


def test_what_is_stored_is_what_the_views_derive(hub):
    experiment, _ = register(hub, fill(hub))
    hub.record(experiment, [result("1", flag=False), result("3", flag=True), result("4", flag=False)])
    stored, (derived,) = hub.experiment(experiment), hub.leaderboard()
    for column in SEED_COLUMNS["experiments"].split()[7:]:
        assert stored[column] == derived[column], column
    with opened(hub) as db:
        marks = db.execute(
            "SELECT narrative_id, is_false_positive, is_false_negative FROM results ORDER BY 1"
        ).fetchall()
    db.close()
    assert marks == [("1", 0, 1), ("3", 1, 0), ("4", 0, 0)]


def test_without_labels_agreement_is_null_and_not_nought(hub):
    experiment, _ = register(hub, fill(hub, labels={}))
    hub.record(experiment, [result(one, flag=True) for one in "1234"])
    row = hub.experiment(experiment)
    assert row["percent_overlap"] is None
    assert (row["positives"], row["false_positives"]) == (4, 0)


def test_a_corrected_label_is_appended_and_every_experiment_is_scored_anew(hub):
    dataset = fill(hub)
    experiment, _ = register(hub, dataset)
    hub.record(experiment, [result("1", flag=False)])
    assert hub.label(dataset, {"1": False, "2": True}, coder="manual") == (0, 1)
    assert hub.experiment(experiment)["false_negatives"] == 0
    with opened(hub) as db:
        assert db.execute("SELECT flag FROM labels WHERE narrative_id = '1' ORDER BY id").fetchall() == [
            (1,),
            (0,),
        ]
        assert db.execute("SELECT is_false_negative FROM results").fetchall() == [(0,)]
    db.close()


def test_coders_who_disagree_leave_the_truth_open_until_it_is_adjudicated(hub):
    dataset = fill(hub)
    experiment, _ = register(hub, dataset)
    hub.record(experiment, [result("1", flag=True)])
    hub.label(dataset, {"1": False}, coder="second")
    assert hub.leaderboard()[0]["tp"] == 0
    hub.label(dataset, {"1": True}, coder="adjudicated")
    assert hub.leaderboard()[0]["tp"] == 1


def test_a_known_fingerprint_is_found_and_not_registered_again(hub):
    dataset = fill(hub)
    first, new = register(hub, dataset)
    again, renewed = register(hub, dataset, name="other")
    assert (first, new, again, renewed) == (1, True, 1, False)


def test_a_drawn_sample_asks_and_counts_its_own_narratives(hub):
    experiment, _ = register(hub, fill(hub), selected=["2", "4"])
    assert [one.narrative_id for one in hub.pending(experiment)] == ["2", "4"]
    assert hub.leaderboard()[0]["total"] == 2


def test_pending_goes_through_everything_once_whatever_the_chunk(hub):
    experiment, _ = register(hub, fill(hub))
    hub.record(experiment, [result("2", flag=True), result("3", status="failed")])
    for chunk in (1, 2, 500):
        assert [one.narrative_id for one in hub.pending(experiment, chunk=chunk)] == ["1", "4", "5"]
        assert [one.narrative_id for one in hub.pending(experiment, ["failed"], chunk=chunk)] == [
            "1",
            "3",
            "4",
            "5",
        ]


def test_the_same_content_is_kept_once(hub):
    assert fill(hub) == fill(hub)
    with opened(hub) as db:
        assert db.execute("SELECT count(*) FROM narratives").fetchone() == (5,)
    db.close()


def test_a_name_is_found_by_version_id_and_prefix(hub):
    dataset = fill(hub)
    for number, name in enumerate(["baseline", "baseline", "strict"]):
        register(hub, dataset, name=name, fingerprint=str(number))
    found = {text: hub.find(text) for text in ("baseline", "baseline@1", "3", "str")}
    assert found == {"baseline": 2, "baseline@1": 1, "3": 3, "str": 3}
    with pytest.raises(UnknownNameError, match="did you mean 'strict'"):
        hub.find("strct")
    with pytest.raises(UnknownNameError, match="its versions are 1 to 2"):
        hub.find("baseline@9")
    register(hub, dataset, name="strong", fingerprint="x")
    with pytest.raises(UnknownNameError, match="begins more than one name: strict, strong"):
        hub.find("str")


def test_readers_do_not_wait_for_a_writer(hub):
    experiment, _ = register(hub, fill(hub))
    writer = opened(hub)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE experiments SET notes = 'x'")
    assert hub.experiment(experiment)["notes"] is None
    writer.rollback()
    writer.close()


def test_two_writers_wait_for_each_other(tmp_path):
    with Hub.open(tmp_path / "two.db") as hub:
        experiment, _ = register(hub, fill(hub))

    def write(one):
        with Hub.open(tmp_path / "two.db") as own:
            for _ in range(20):
                own.record(experiment, [result(one, flag=True)])

    threads = [threading.Thread(target=write, args=(one,)) for one in "1234"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Hub.open(tmp_path / "two.db") as hub:
        assert hub.leaderboard()[0]["positives"] == 4


def test_a_result_cannot_hold_a_flag_without_an_answer(hub):
    experiment, _ = register(hub, fill(hub))
    with pytest.raises(sqlite3.IntegrityError):
        hub.record(experiment, [result("1", flag=False, status="failed")])
    assert [one.narrative_id for one in hub.pending(experiment)] == ["1", "2", "3", "4", "5"]


def test_a_hub_that_is_not_there_is_not_made_by_reading(tmp_path):
    with pytest.raises(HubError, match="there is no hub at"):
        Hub.open("exphub.db", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a database, but long enough to be one " * 40, "is no SQLite file"),
        (b"SQLite format 3\0" + b"\xff" * 4000, "is"),
    ],
)
def test_a_file_that_is_no_hub_is_refused_and_left_as_it_is(tmp_path, content, said):
    (tmp_path / "x.db").write_bytes(content)
    with pytest.raises(HubError, match=said):
        Hub.open("x.db")
    assert (tmp_path / "x.db").read_bytes() == content


def test_somebody_elses_database_is_refused(tmp_path):
    db = sqlite3.connect(tmp_path / "x.db")
    db.execute("CREATE TABLE pets (name)")
    db.commit()
    db.close()
    with pytest.raises(HubError, match="a SQLite file of something else"):
        Hub.open("x.db")


def test_a_newer_versions_hub_is_refused(tmp_path):
    with Hub.open("x.db") as hub:
        hub._db["_sqlite_migrations"].insert(  # noqa: SLF001
            {"migration_set": "exphub", "name": "later", "applied_at": "2030-01-01"}
        )
    with pytest.raises(HubError, match="newer version"):
        Hub.open("x.db")


def test_a_full_disk_is_one_line_and_loses_nothing_recorded(hub):
    experiment, _ = register(hub, fill(hub))
    hub.record(experiment, [result("1", flag=True)])
    pages = hub._db.conn.execute("PRAGMA page_count").fetchone()[0]  # noqa: SLF001
    hub._db.conn.execute(f"PRAGMA max_page_count = {pages}")  # noqa: SLF001
    with pytest.raises(HubError, match="has no room left on its disk"):
        hub.record(experiment, [result("2", flag=True, rational="long " * 100_000)])
    assert [one.narrative_id for one in hub.pending(experiment)] == ["2", "3", "4", "5"]
    assert hub._db.conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"  # noqa: SLF001


def test_the_hub_named_comes_before_the_variable_and_that_before_the_folder(monkeypatch):
    assert where().name == "exphub.db"
    monkeypatch.setenv("EXPHUB_DB", "other.db")
    assert where().name == "other.db"
    assert where("named.db").name == "named.db"


def test_environment_and_settings_are_kept_as_json(hub):
    experiment, _ = register(hub, fill(hub))
    row = hub.experiment(experiment)
    assert json.loads(row["settings"]) == json.loads(row["environment"]) == {}


def test_a_flag_that_is_taken_back_counts_no_more_and_stays_in_the_trail(hub):
    dataset = fill(hub)
    experiment, _ = register(hub, dataset)
    hub.record(experiment, [result("1", flag=True)])
    assert hub.label(dataset, {"1": None, "5": None}, coder="manual") == (0, 1)
    row = hub.leaderboard()[0]
    assert (row["labelled"], row["tp"], hub.experiment(experiment)["percent_overlap"]) == (3, 0, None)


def test_a_reply_that_another_process_stored_first_is_what_the_result_says(hub):
    experiment, _ = register(hub, fill(hub))
    reply = {"request_hash": "q", "question_hash": "q", "asking": 0}
    read = lambda stored: {"flag": stored.body == "yes", "rational": stored.body}  # noqa: E731
    hub.record(experiment, [result("1", flag=True, request_hash="q")], [{**reply, "body": "yes"}], read=read)
    late = hub.record(experiment, [result("1", flag=False, request_hash="q")], [{**reply, "body": "no"}], read=read)
    assert [row["flag"] for row in late] == [True]
    (stored,) = [row for row in hub.verdicts(experiment) if row["narrative_id"] == "1"]
    assert (stored["flag"], stored["rational"]) == (1, "yes")


OPENING = """
import sys
from exphub_magics.hub import Hub
with Hub.open(sys.argv[1]) as hub:
    hub.register_dataset(name="d", sha256="d", columns={}, profile={}, narratives=[])
"""


def test_processes_that_make_one_hub_at_the_same_moment_all_succeed(tmp_path):
    for number in range(3):
        file = str(tmp_path / f"{number}.db")
        started = [subprocess.Popen([sys.executable, "-c", OPENING, file], stderr=subprocess.PIPE) for _ in range(4)]
        assert [process.communicate()[1] for process in started] == [b""] * 4
        with Hub.open(file) as hub:
            assert hub._db.table("datasets").count == 1  # noqa: SLF001
