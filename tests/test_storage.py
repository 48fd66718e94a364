"""The hub's file: migrations and transactions; what it owes to whoever opens it is in test_hub.py."""

import sqlite3
from contextlib import closing

import pytest

from exphub_magics.hub import Hub
from exphub_magics.hub.storage import VERSIONS, sql


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
