"""An experiment on a real language model behind a real server: the whole path, with nothing of it scripted.

The model is so small that its judgement is worthless: nothing here is about what it decides.
"""

import csv
import json
import re
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

import real
from exphub_magics import experiments
from exphub_magics.hub import Hub
from exphub_magics.specs import configs

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(real.missing()), reason=f"make real installs {' and '.join(real.missing())}"),
]

# An example in the prompt, for the model would not know what to write.
PROMPT = """\
Did a partner hurt or threaten the person who died? Answer as in this example:
{"reasoning_steps": ["The partner hit V."], "rational": "The partner hit V.", "flag": true, "confidence": 0.9}
"""
NARRATIVES = {
    "1-CME": ("V was hit by her boyfriend the week before.", "1"),
    "1-LE": ("The boyfriend had shoved V in the hall, a neighbor said.", "1"),
    "2-CME": ("V lived alone and was treated for heart disease.", "0"),
    "2-LE": ("Officers found the door locked and nothing disturbed.", "0"),
    "3-CME": ("V told a friend that she was afraid to go home.", "1"),
    "3-LE": ("Need LE report", "0"),
    "4-CME": ("V argued with a coworker about a parking place.", "0"),
    "4-LE": ("V's husband threatened her the night before, the sister stated.", "1"),
    "5-CME": ("V denied any violence by her partner at the last visit.", "0"),
    "6-CME": ("V had lost his job in the spring.", ""),
    "7-CME": ("V fell from a ladder while painting the porch.", "0"),
    "8-CME": ("An order of protection against the former husband was in force.", "1"),
}
TOO_LONG, WORDS = "9-CME", 1500  # of which none is in any other narrative
PATH = re.compile(r"(?<![\w:/.\\])/[\w.-]+/[\w./-]+|\b[A-Za-z]:\\\w")


@dataclass
class Ran:
    """What a run left in its hub when it was stopped, and when it had been taken up again."""

    folder: Path
    stopped: dict[str, dict]
    answered_before: dict[str, dict]
    code: int
    said: str

    def rows(self, statement, *parameters):
        return query(self.folder / "hub.db", statement, *parameters)

    def results(self):
        return {row["narrative_id"]: row for row in self.rows("SELECT * FROM results")}


def query(file, statement, *parameters):
    with closing(sqlite3.connect(file)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(statement, parameters)]


def write_data(folder):
    long = " ".join(f"ledger{number % 97}" for number in range(WORDS))
    with (folder / "narratives.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("narrative_id", "incident_id", "narrative", "manual_flag"))
        for one, (text, flag) in {**NARRATIVES, TOO_LONG: (long, "")}.items():
            rows.writerow((one, one.split("-")[0], text, flag))


def write_configuration(folder, url):
    experiment = {
        "experiment_name": "real",
        "author": "A. Author",
        "prompt": PROMPT,
        "data": str(folder / "narratives.csv"),
        "provider": "llama.cpp",
        "base_url": url,
        "model_name": real.MODEL,
        "temperature": 0,
        "max_tokens": 240,
        "concurrency": real.SLOTS,
    }
    (folder / "real.yml").write_text(json.dumps([experiment]), encoding="utf-8")  # JSON is YAML


def stop_in_the_middle(folder):
    """Run it as a cell does, and interrupt it once a few narratives are answered."""

    def interrupt(progress):
        if progress.finished > len(NARRATIVES) // 3:
            raise KeyboardInterrupt

    (job,) = experiments.prepare_file(configs.read(folder / "real.yml"))
    with Hub.open(folder / "hub.db") as hub, pytest.raises(KeyboardInterrupt):
        experiments.follow(hub, job, interrupt)


def run_the_rest(folder):
    """Run it as a terminal does."""
    command = [sys.executable, "-m", "exphub_magics", "run", "real.yml", "--db", "hub.db"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real")
    write_data(folder)
    with real.served(folder / "server.log") as url:
        write_configuration(folder, url)
        stop_in_the_middle(folder)
        stopped = {row["narrative_id"]: row for row in query(folder / "hub.db", "SELECT * FROM results")}
        answered = {row["request_hash"]: row for row in query(folder / "hub.db", "SELECT * FROM responses")}
        done = run_the_rest(folder)
    ran = Ran(folder, stopped, answered, done.returncode, done.stdout + done.stderr)
    show(ran)
    return ran


def show(ran):
    """A short table of what came out."""
    lines = [f"{real.weights().name} in llama.cpp's server, {real.SLOTS} at once"]
    for one, row in ran.results().items():
        (reply,) = ran.rows("SELECT * FROM responses WHERE request_hash = ?", row["request_hash"]) or [{}]
        tokens = f"{reply['prompt_tokens']} + {reply['completion_tokens']} tokens" if reply else ""
        flag = {1: "yes", 0: "no"}.get(row["flag"], "")
        chance = "" if row["p_true"] is None else f"P(true) {row['p_true']:.2f}"
        lines.append(f"{one:6} {row['status']:14} {flag:4} {chance:13} {tokens:18} {row['error'] or ''}".rstrip())
    counts = Counter(row["status"] for row in ran.results().values())
    states = ", ".join(f"{number} {state}" for state, number in counts.items())
    lines.append(f"{states}; stopped after {len(ran.stopped)}, the rest in a second run")
    print("\n" + "\n".join(lines))  # noqa: T201 - the figures


def test_every_narrative_has_a_state(ran):
    results = ran.results()
    assert results.keys() == NARRATIVES.keys() | {TOO_LONG}
    assert results["3-LE"]["status"] == "not_evaluable"
    answered = [row for one, row in results.items() if one not in ("3-LE", TOO_LONG)]
    assert {row["status"] for row in answered} <= {"ok", "failed"}
    assert all("cut off" in row["error"] for row in answered if row["status"] == "failed")
    assert sum(row["status"] == "ok" for row in answered) >= len(answered) / 2
    assert all((row["flag"] in (0, 1)) is (row["status"] == "ok") for row in results.values())


def test_the_answers_have_the_form_of_the_schema(ran):
    for reply in ran.rows("SELECT p.* FROM responses AS p JOIN results USING (request_hash) WHERE status = 'ok'"):
        assert reply["answer_format"] == "schema"
        assert json.loads(reply["body"]).keys() == {"reasoning_steps", "rational", "flag", "confidence"}


def test_the_chance_of_a_yes_is_recorded_beside_the_stated_confidence(ran):
    answered = [row for row in ran.results().values() if row["status"] == "ok"]
    assert all(0 <= row["p_true"] <= 1 and 0 <= row["confidence"] <= 1 for row in answered)
    assert len({row["p_true"] for row in answered}) > 1  # measured, where the confidence is copied from the prompt


def test_what_served_and_what_it_took_is_recorded(ran):
    replies = ran.rows("SELECT * FROM responses")
    assert len(replies) == len(NARRATIVES) - 1
    assert {reply["served_model"] for reply in replies} == {real.weights().name}
    assert all(reply["prompt_tokens"] > 0 and 0 < reply["completion_tokens"] <= 240 for reply in replies)
    assert all(reply["seconds"] > 0 and reply["attempts"] == 1 for reply in replies)
    assert all(json.loads(reply["parameters"])["max_tokens"] == 240 for reply in replies)


def test_a_narrative_longer_than_the_context_fails_with_the_servers_reason(ran):
    row = ran.results()[TOO_LONG]
    assert row["status"] == "failed"
    assert row["error"].startswith("400: ")
    assert "exceeds the available context size" in row["error"]
    assert "ledger" not in row["error"] + ran.said
    assert row["request_hash"] is None
    assert ran.code == 3


def test_a_stopped_run_is_taken_up_where_it_stopped(ran):
    assert 0 < len(ran.stopped) < len(NARRATIVES)
    later = ran.results()
    kept = {one: row for one, row in ran.stopped.items() if row["status"] != "failed"}
    assert kept
    assert {one: later[one] for one in kept} == kept
    replies = {row["request_hash"]: row for row in ran.rows("SELECT * FROM responses")}
    assert {one: replies[one] for one in ran.answered_before} == ran.answered_before


def test_the_hub_holds_no_path(ran):
    own = (str(ran.folder), str(real.weights().parent))
    tables = [row["name"] for row in ran.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    cells = [
        (table, column, cell)
        for table in tables
        for row in ran.rows(f'SELECT * FROM "{table}"')
        for column, cell in row.items()
        if isinstance(cell, str)
    ]
    assert len(cells) > 100
    found = [(table, column) for table, column, cell in cells if PATH.search(cell) or any(one in cell for one in own)]
    assert found == []
    assert PATH.search(f"model {real.weights()}")
