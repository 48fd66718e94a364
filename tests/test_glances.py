import os
import sqlite3
import time

import pytest

from exphub_magics import cards, comparisons, experiments, prompts, specs
from exphub_magics.hub import glances
from exphub_magics.hub.statements import sql

PROMPTS = ("Was the decedent hit, shoved or threatened?", "Was the decedent hit by a partner?")


@pytest.fixture
def filled(hub, demo):
    """Two versions of `baseline` and one `other`, each with its answers."""
    for name, text in (("baseline", PROMPTS[0]), ("other", PROMPTS[0]), ("baseline", PROMPTS[1])):
        settings = {"repeat": 2} if name == "other" else {}
        list(experiments.run(hub, specs.Spec(name=name, prompt=prompts.parse(text), data=demo, **settings)))
    return hub


def test_the_newest_comes_first_with_its_version(filled, tmp_path):
    found = glances.names(tmp_path / "hub.db")
    assert [(one.name, one.version, one.versions) for one in found] == [
        ("baseline", 2, 2),
        ("other", 1, 1),
        ("baseline", 1, 2),
    ]


def test_a_glance_says_what_the_leaderboard_says(filled, tmp_path):
    board = comparisons.leaderboard(filled).set_index("id")
    for number, seen in zip((3, 2, 1), glances.names(tmp_path / "hub.db"), strict=True):
        counts = filled.counts(number)
        assert seen.answered == counts["ok"] + counts["salvaged"]
        assert seen.total_narratives == board.loc[number]["total_narratives"]
        expected = 2 * counts["tp"] / (2 * counts["tp"] + counts["fp"] + counts["fn"])
        assert seen.f1 == pytest.approx(expected)
        assert seen.f1 == pytest.approx(cards.scorecard(filled, number).metrics["f1"]["value"])


def test_only_names_that_begin_so_are_looked_at(filled, tmp_path):
    assert [one.name for one in glances.names(tmp_path / "hub.db", "ot")] == ["other"]
    assert glances.names(tmp_path / "hub.db", "%") == []
    assert len(glances.names(tmp_path / "hub.db", most=1)) == 1


def test_models_are_known_by_their_provider(filled, tmp_path):
    assert glances.models(tmp_path / "hub.db") == [glances.Model("rules-1", "builtin")]


def test_coders_of_any_dataset_are_found_without_a_look_at_every_label(filled, tmp_path):
    for coder in ("Ann", "Ben", "ann o'clock", "Änne"):
        filled.label(1, {"1-CME": True, "2-CME": False}, coder=coder)
    assert glances.coders(tmp_path / "hub.db") == ["Ann", "Ben", "ann o'clock", "manual", "Änne"]
    assert glances.coders(tmp_path / "hub.db", "An") == ["Ann"]
    assert glances.coders(tmp_path / "hub.db", most=2) == ["Ann", "Ben"]
    with sqlite3.connect(tmp_path / "hub.db") as db:
        plan = db.execute(f"EXPLAIN QUERY PLAN {sql('glance_coders')}", {"start": "", "most": 50}).fetchall()
    db.close()
    looks = [row[3] for row in plan if "labels" in row[3]]
    assert all("USING COVERING INDEX labels_by_coder" in look for look in looks), looks
    assert len(looks) == 2


def test_a_hub_without_aliases_still_shows_its_names(filled, tmp_path):
    with filled.writing() as db:
        db.table("aliases").drop()
    assert glances.aliases(tmp_path / "hub.db") == []
    assert len(glances.names(tmp_path / "hub.db")) == 3


def test_the_hub_named_by_the_environment_is_the_one(filled, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPHUB_DB", os.fspath(tmp_path / "hub.db"))
    assert len(glances.names()) == 3


def test_a_glance_at_what_is_no_hub_shows_nothing_and_makes_nothing(tmp_path):
    (tmp_path / "text.db").write_text("no hub")
    (tmp_path / "empty.db").touch()
    (tmp_path / "folder.db").mkdir()
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE experiments (title TEXT)")
    other.close()
    before = sorted(path.name for path in tmp_path.iterdir())
    for name in ("text.db", "empty.db", "folder.db", "other.db", "missing.db", "no/such.db", "a\0b", "x" * 5000):
        assert glances.names(name) == []
        assert glances.models(name) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_glance_does_not_wait_for_who_writes_and_does_not_keep_them(filled, tmp_path):
    with filled.writing():
        began = time.monotonic()
        assert len(glances.names(tmp_path / "hub.db")) == 3
        assert time.monotonic() - began < 5
    filled.reopen(1)


def test_an_exclusive_lock_shows_nothing_at_once(tmp_path, filled):
    filled.close()
    with sqlite3.connect(tmp_path / "hub.db") as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        assert glances.names(tmp_path / "hub.db") == []
        assert time.monotonic() - began < 5
    other.close()


def test_where_time_is_short_names_come_without_their_score(filled, tmp_path, monkeypatch):
    monkeypatch.setattr(glances, "PATIENCE", 0.0)
    assert {one.answered for one in glances.names(tmp_path / "hub.db")} == {None}
