import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from endpoint import answer, completion
from exphub_magics import terminal
from exphub_magics.hub import Hub

CONFIG = """\
- experiment_name: first
  prompt: Was the decedent hit, shoved or threatened by a partner?
  data: rows.csv
- experiment_name: second
  prompt: Was the decedent hit by a partner?
  data: rows.csv
"""


@pytest.fixture
def project(demo, tmp_path):
    demo.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "experiments.yml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def exphub(capsys):
    """Run the command as the terminal does: exit code, stdout, stderr."""

    def run(*arguments):
        code = 0
        try:
            terminal.main(arguments)
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_run_list_show_compare_export_and_report_work_from_the_terminal(project, exphub):
    code, out, err = exphub("run", "experiments.yml", "--json")
    assert code == 0, err
    assert [row["name"] for row in json.loads(out)] == ["first", "second"]
    assert "9 asked" in err
    code, out, _ = exphub("list", "--json")
    (first, second) = json.loads(out)
    assert {"version", "state", "model_name", "provider", "prompt_hash", "precision", "recall", "f1"} <= set(first)
    assert (first["version"], first["state"], second["state"]) == (1, "done", "done")
    code, out, _ = exphub("show", "first", "--json")
    shown = json.loads(out)
    assert set(shown) == {"experiment", "counts", "metrics"}
    assert shown["counts"]["total"] == 10
    assert set(shown["metrics"]["precision"]) >= {"value", "low", "high", "n"}
    code, out, _ = exphub("compare", "first", "second", "--json")
    compared = json.loads(out)
    assert compared["n_common"] + compared["n_excluded"] == 9
    assert {"both_right", "only_first_right", "only_second_right", "both_wrong", "p_value", "method"} <= set(compared)
    code, out, _ = exphub("export", "first", "-o", "first.csv")
    assert (code, out.strip()) == (0, "first.csv")
    code, out, _ = exphub("report", "-o", "report.html")
    assert (code, out.strip()) == (0, "report.html")
    assert "V was hit" not in (project / "report.html").read_text()


def test_the_terminal_shows_what_a_person_reads(project, exphub):
    exphub("run", "experiments.yml")
    _, listed, _ = exphub("list")
    assert "first" in listed
    _, shown, _ = exphub("show", "first")
    assert "first v1 · builtin rules-1 · rows.csv, 10 narratives of 6 incidents · done" in shown
    assert "always “no”" in shown
    _, compared, _ = exphub("compare", "first", "second")
    assert "labelled narratives that both answered" in compared


def test_data_profiles_a_file_and_writes_nothing(project, exphub):
    code, out, _ = exphub("data", "rows.csv", "--json")
    profile = json.loads(out)
    assert code == 0
    assert [profile[key] for key in ("narratives", "incidents", "positive", "negative", "unlabelled")] == [
        10,
        6,
        4,
        5,
        1,
    ]
    assert profile["placeholders"] == 1
    assert sorted(path.name for path in project.iterdir()) == ["experiments.yml", "rows.csv"]


def test_options_of_the_command_line_stand_over_the_file(project, exphub):
    code, out, err = exphub("run", "experiments.yml", "--only", "second", "--sample", "3", "--seed", "2", "--json")
    (row,) = json.loads(out)
    assert (code, row["name"], row["total_narratives"]) == (0, "second", 3), err


TYPOS = [
    (("shwo", "x"), 2, "unknown verb 'shwo': did you mean 'show'?"),
    (("run",), 2, "Missing argument"),
    (("list", "--jsn"), 2, "--jsn"),
    (("run", "experiment.yml"), 1, "did you mean 'experiments.yml'?"),
    (("run", "experiments.yml", "--only", "frist"), 1, "unknown experiment 'frist': did you mean 'first'?"),
    (("run", "experiments.yml", "--data", "rows.csv", "--again", "faild"), 1, "unknown state 'faild'"),
    (("run", "experiments.yml", "--sample", "0"), 2, "--sample"),
    (("run", "experiments.yml", "--only", "first", "--sample", "99"), 1, "a sample of 99 from 10 narratives"),
    (("run", "bad.yml"), 1, "did you mean 'prompt_file'?"),
    (("run", "slot.yml"), 1, "unknown slot {{ yeer }}: did you mean 'year'?"),
    (("run", "nofile.yml"), 1, "row.csv"),
    (("run", "provider.yml"), 1, "unknown provider 'opnai': did you mean 'OpenAI'?"),
    (("show", "first"), 1, "there is no hub at exphub.db"),
    (("list",), 1, "there is no hub at exphub.db"),
    (("data", "row.csv"), 1, "rows.csv"),
    (("data", "rows.csv", "--columns", "txt=narrative"), 1, "text"),
    (("data", "rows.csv", "--columns", "text=narativ"), 1, "narrative"),
    (("list", "--db", "no/such/folder.db"), 1, "no hub at"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), TYPOS, ids=lambda value: str(value)[:40])
def test_a_typo_is_one_line_with_the_nearest_or_the_next_step_and_writes_nothing(
    project, exphub, arguments, code, said
):
    entry = "- {{experiment_name: x, {}, data: {}}}\n"
    (project / "bad.yml").write_text(entry.format("promt_file: p.txt, prompt: Is it", "rows.csv"))
    (project / "slot.yml").write_text(entry.format("prompt: 'user: {{ narrative }} {{ yeer }}'", "rows.csv"))
    (project / "nofile.yml").write_text(entry.format("prompt: Is it", "row.csv"))
    (project / "provider.yml").write_text(entry.format("prompt: Is it, provider: opnai, model_name: m", "rows.csv"))
    before = sorted(path.name for path in project.iterdir())
    got, out, err = exphub(*arguments)
    assert (got, out) == (code, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    assert sorted(path.name for path in project.iterdir()) == before


def test_everything_wrong_with_a_file_stands_in_one_message_data_included(project, exphub):
    (project / "bad.yml").write_text(
        "- {experiment_name: a, prompt: Is it, data: row.csv}\n"
        "- {experiment_name: b, promt: Is it, data: rows.csv}\n"
        "- {experiment_name: c, prompt: 'user:\n\n    {{ narrative }} {{ yeer }}', data: rows.csv}\n"
    )
    code, _, err = exphub("run", "bad.yml")
    assert code == 1
    for said in ("line 1:", "rows.csv", "line 2: unknown key 'promt'", "unknown slot {{ yeer }}"):
        assert said in err


def test_a_wrong_name_in_a_hub_is_answered_with_the_nearest(project, exphub):
    exphub("run", "experiments.yml")
    for verb in (("show", "frist"), ("compare", "first", "secnd"), ("export", "frst", "-o", "x.csv")):
        code, _, err = exphub(*verb)
        assert code == 1
        assert "did you mean" in err
    code, _, err = exphub("compare", "first")
    assert (code, "two or more" in err) == (1, True)


def test_narratives_that_failed_are_exit_code_three_and_the_next_run_asks_only_these(project, exphub, scripted):
    endpoint = scripted(lambda _body: (400, {"error": {"message": "too long"}}))
    (project / "served.yml").write_text(
        "- {experiment_name: s, prompt: Is it, data: rows.csv, provider: p, model_name: m, "
        f"base_url: '{endpoint.url}'}}"
    )
    code, _, err = exphub("run", "served.yml")
    assert (code, "9 narratives failed; run it again to ask only these" in err) == (3, True)
    endpoint.script = lambda _body: completion(answer(False))
    assert exphub("run", "served.yml")[0] == 0
    assert len(endpoint.requests) == 18


def test_the_hosted_configuration_runs_unchanged_against_a_loopback_endpoint(project, exphub, scripted, monkeypatch):
    root = Path(__file__).parent.parent
    monkeypatch.chdir(root)
    rows, db = str(project / "rows.csv"), str(project / "o.db")
    shipped = root / "config" / "openai.yml"
    endpoint = scripted(lambda _body: completion(answer(False)))
    code, _, err = exphub("run", str(shipped), "--data", rows, "--db", db)
    assert (code, "set the variable OPENAI_API_KEY" in err) == (1, True)
    assert not Path(db).exists()
    monkeypatch.setenv("OPENAI_API_KEY", "canary")
    monkeypatch.setenv("OPENAI_BASE_URL", endpoint.url)
    code, out, err = exphub("run", str(shipped), "--data", rows, "--db", db, "--json")
    assert code == 0, err
    assert [(row["name"], row["author"], row["model_name"]) for row in json.loads(out)] == [
        ("Baseline GPT-4", "Andrea", "gpt-4"),
        ("Improved Prompt with GPT-3.5", "Xiaosong", "gpt-3.5-turbo"),
    ]
    assert {body["model"] for body in endpoint.requests} == {"gpt-4", "gpt-3.5-turbo"}


def test_the_shipped_experiments_agree_with_a_recount_by_pandas(tmp_path, exphub, monkeypatch):
    root = Path(__file__).parent.parent
    monkeypatch.chdir(root)
    hub = str(tmp_path / "demo.db")
    assert exphub("run", "config/experiments.yml", "--db", hub)[0] == 0
    sample = pd.read_csv(root / "exphub_magics" / "sample" / "sample.csv", dtype=str, keep_default_na=False)
    sample["narrative_id"] = sample["incident_id"] + "-" + sample["narrative_type"]
    manual = sample.set_index("narrative_id")["manual_flag_ind"].astype(int)
    with closing(sqlite3.connect(hub)) as db:
        experiments = pd.read_sql("SELECT * FROM experiments", db)
        results = pd.read_sql("SELECT * FROM results", db)
    assert len(experiments) >= 4
    for row in experiments.itertuples():
        own = results[results["experiment_id"] == row.id].set_index("narrative_id")
        flag, truth = own["flag"].dropna().astype(int), manual.loc[own["flag"].dropna().index]
        assert row.total_narratives == len(sample) == len(own)
        assert (row.positives, row.negatives) == ((flag == 1).sum(), (flag == 0).sum())
        assert row.false_positives == ((flag == 1) & (truth == 0)).sum() == own["is_false_positive"].sum()
        assert row.false_negatives == ((flag == 0) & (truth == 1)).sum() == own["is_false_negative"].sum()
        assert row.percent_overlap == pytest.approx(100 * (flag == truth).mean())


def test_the_command_is_installed_and_says_its_verbs():
    done = subprocess.run([sys.executable, "-m", "exphub_magics", "--help"], capture_output=True, text=True, check=True)
    for verb in ("run", "list", "show", "compare", "data", "export", "report"):
        assert f"\n  {verb} " in done.stdout


def test_the_leaderboard_of_an_empty_hub_is_an_empty_list(project, exphub):
    Hub.open("exphub.db").close()
    assert exphub("list", "--json")[1].strip() == "[]"
    assert exphub("list")[0] == 0


def test_the_bare_command_says_its_verbs(exphub):
    code, out, err = exphub()
    assert (code, err) == (0, "")
    assert "  experiment " in out
    assert "  compare " in out


def test_a_terminal_that_cannot_show_a_letter_shows_the_rest(project, exphub):
    exphub("run", "experiments.yml")
    command = [sys.executable, "-m", "exphub_magics", "show", "first"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": "cp1252"}, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Cohen's ?" in done.stdout


def test_a_reader_that_goes_away_is_no_error(project, exphub):
    exphub("run", "experiments.yml")
    command = f"{sys.executable} -m exphub_magics list --json | true"
    done = subprocess.run(command, capture_output=True, shell=True, check=False)  # noqa: S602 - a pipe is the point
    assert done.stderr == b""


def test_repeats_are_one_table_with_the_noise_between_them(tmp_path, capsys):
    (tmp_path / "m.yml").write_text(
        "- experiment_name: ipv\n  prompt: Was V hit by a partner?\n  data: sample\n  sample: 30\n  repeats: 2\n"
    )
    terminal.main(["run", "m.yml", "--only", "ipv"])
    out = capsys.readouterr().out
    assert "flips" in out
    assert out.count("ipv") == 1


def test_a_limit_of_money_ends_a_run_with_its_reason(tmp_path, capsys, scripted, monkeypatch):
    endpoint = scripted(lambda _body: completion(answer(False)))
    (tmp_path / "prices.yml").write_text("- {model: m, input: 10, output: 100, date: 2026-11-01}\n")
    monkeypatch.setenv("EXPHUB_PRICES", "prices.yml")
    (tmp_path / "m.yml").write_text(
        "- {experiment_name: a, prompt: 'Was V hit?', data: sample, sample: 20, provider: scripted, model_name: m,"
        f" base_url: '{endpoint.url}'}}\n"
    )
    with pytest.raises(SystemExit) as ended:
        terminal.main(["run", "m.yml", "--max-cost", "0.000001"])
    assert ended.value.code == 1
    err = capsys.readouterr().err
    assert "a: about 1" in err
    assert "max_cost reached" in err.splitlines()[-1]
    assert endpoint.requests == []


MATRIX = """\
- {experiment_name: a, prompt: 'Was V hit?', data: sample, sample: 20, provider: scripted, model_name: m,
   base_url: 'http://127.0.0.1:1/v1', matrix: {temperature: [0, 1]}, repeats: 2}
- {experiment_name: b, prompt: 'Was V hit?', data: sample, sample: 20}
"""


def test_without_money_a_file_is_reckoned_and_nothing_is_registered(tmp_path, capsys):
    (tmp_path / "m.yml").write_text(MATRIX)
    terminal.main(["run", "m.yml", "--max-cost", "0"])
    *each, last = capsys.readouterr().out.splitlines()
    assert [line.partition(": about")[0] for line in each] == [
        "a · 0",
        "a · 0, repeat 2",
        "a · 1",
        "a · 1, repeat 2",
        "b",
    ]
    assert re.fullmatch(r"together about \d+ calls, [\d,]+ tokens in and [\d,]+ out: free", last)
    assert not (tmp_path / "exphub.db").exists()
    terminal.main(["run", "m.yml", "--max-cost", "0", "--only", "b", "--json"])
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["experiments"]] == ["b"]
