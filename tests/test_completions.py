import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from exphub_magics import cli, experiments, prompts, specs
from exphub_magics.cli import cells, completions, options
from exphub_magics.hub import Hub

PROMPTS = ("Was the decedent hit, shoved or threatened?", "Was the decedent hit by a partner?")


@pytest.fixture
def filled(demo, tmp_path):
    with Hub.open("exphub.db") as hub:
        for name, text in (("baseline", PROMPTS[0]), ("baseline", PROMPTS[1]), ("bathroom", PROMPTS[0])):
            drawn = {"sample": 5} if text == PROMPTS[1] else {}
            repeat = 2 if name == "bathroom" else 1
            spec = specs.Spec(name=name, prompt=prompts.parse(text), data=demo, repeat=repeat, **drawn)
            list(experiments.run(hub, spec))
    return tmp_path


def offered(*words, command=None, **session):
    asked = ShellComplete(command or cli.cli, {"obj": options.Session(**session)}, "exphub", "_EXPHUB_COMPLETE")
    return {item.value: item.help for item in asked.get_completions(list(words[:-1]), words[-1])}


def in_terminal(line, shell="bash"):
    words = line.split(" ")
    environment = {
        **os.environ,
        "_EXPHUB_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "EXPHUB_LINE": line,
        "EXPHUB_WORD": words[-1],
    }
    done = subprocess.run(
        [sys.executable, "-m", "exphub_magics"], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_the_terminal_completes_names(filled):
    assert in_terminal("exphub show bat") == ["bathroom"]
    assert in_terminal("exphub show bat", "zsh")[:2] == ["plain", "bathroom"]
    assert in_terminal("exphub show bat", "zsh")[2].startswith("f1 .")


def test_the_terminal_completes_verbs_and_options():
    assert in_terminal("exphub comp") == ["compare"]
    assert in_terminal("exphub list --js") == ["--json"]


def test_versions_are_offered_where_there_are_several(filled):
    assert list(offered("show", "ba")) == ["bathroom", "baseline", "baseline@2", "baseline@1"]
    assert list(offered("show", "baseline@")) == ["baseline@2", "baseline@1"]
    assert list(offered("show", "baseline@1")) == ["baseline@1"]
    assert list(offered("compare", "baseline", "bathroom", "")) == ["baseline@2", "baseline@1"]


def test_aliases_are_offered_with_what_they_stand_for(filled):
    moved = {"experiment_id": 1, "moved_at": "2026-01-01"}
    with Hub.open("exphub.db") as hub, hub.writing() as db:
        for alias in ("base", "gone", "bathroom"):
            db.table("aliases").insert({**moved, "alias": alias})
        db.table("aliases").insert({**moved, "alias": "gone", "experiment_id": None})
    assert offered("show", "bas")["base"] == "stands for baseline@1"
    assert offered("show", "g") == {}
    assert offered("show", "bath")["bathroom"].startswith("f1")


def test_a_name_stands_with_the_score_of_its_latest_version(filled):
    found = offered("show", "base")
    assert found["baseline"] == found["baseline@2"] != found["baseline@1"]


def test_a_cell_is_offered_names_without_versions(filled):
    assert list(offered("ba", command=cells.cell)) == ["bathroom", "baseline"]


def test_the_hub_that_is_named_in_the_line_is_the_one(filled):
    Path("exphub.db").rename("other.db")
    assert offered("show", "ba") == {}
    assert list(offered("--db", "other.db", "show", "bat")) == ["bathroom"]
    assert list(offered("show", "--db", "other.db", "bat")) == ["bathroom"]


def test_models_are_those_of_the_provider_in_the_line(filled):
    assert offered("a", "--model", "r", command=cells.cell) == {"rules-1": "builtin"}
    assert offered("a", "--provider", "OpenAI", "--model", "r", command=cells.cell) == {}


def test_datasets_are_the_sample_frames_and_files_that_can_be_read(demo):
    for name in ("rows.csv", "sheet.xlsx", "notes.md", ".hidden.csv"):
        Path(name).touch()
    Path("more").mkdir()
    Path("more/inner.csv").touch()
    frames = {"frame": demo, "_": demo}
    assert list(offered("a", "--data", "", command=cells.cell, frames=frames)) == [
        "sample",
        "frame",
        "more/",
        "rows.csv",
        "sheet.xlsx",
    ]
    assert offered("data", "fra", frames=frames) == {"frame": "DataFrame, 10 rows"}
    assert list(offered("data", "more/")) == ["more/inner.csv"]
    assert list(offered("data", ".h")) == [".hidden.csv"]
    assert offered("data", "nowhere/") == {}
    assert offered("data", "~nobody at all/") == {}


def test_a_file_of_each_kind_is_offered_where_it_is_wanted():
    for name in ("x.yml", "x.csv", "x.html", "x.db", "x.py"):
        Path(name).touch()
    assert list(offered("run", "x")) == ["x.yml"]
    assert list(offered("export", "a", "-o", "x")) == ["x.csv"]
    assert list(offered("report", "-o", "x")) == ["x.html"]
    assert list(offered("--db", "x")) == ["x.db"]
    assert list(offered("reread", "a", "--from", "x")) == ["x.csv"]


def test_experiments_of_a_configuration_are_offered_once():
    Path("x.yml").write_text("- experiment_name: first\n  prompt: A?\n- experiment_name: second\n  prompt: A?\n")
    assert list(offered("run", "x.yml", "--only", "")) == ["first", "second"]
    assert list(offered("run", "x.yml", "--only", "first", "--only", "")) == ["second"]
    assert offered("run", "missing.yml", "--only", "") == {}


def test_states_are_offered_once_each():
    assert list(offered("run", "x.yml", "--again", "")) == ["salvaged", "refused", "ok"]
    assert list(offered("run", "x.yml", "--again", "ok,")) == ["ok,salvaged", "ok,refused"]


def test_providers_are_found_whatever_their_case():
    assert list(offered("a", "--provider", "open", command=cells.cell)) == ["OpenAI", "OpenRouter"]


def test_coders_are_offered_and_the_data_file_is_none(filled):
    with Hub.open("exphub.db") as hub:
        hub.label(1, {"1-CME": True}, coder="Ann")
    assert offered("review", "baseline", "--coder", "") == {
        "Ann": None,
        "adjudicated": "settles what coders differ in",
    }
    assert list(offered("label", "more.csv", "--coder", "A")) == ["Ann"]


def test_efforts_are_offered():
    assert list(offered("a", "--reasoning-effort", "m", command=cells.cell)) == ["minimal", "medium"]


def test_every_name_file_and_choice_completes():
    """What is left out takes a number, a word of one's own, or an address."""
    own = {"sample", "seed", "max_cost", "concurrency", "columns", "reader", "base_url", "api_key_env", "author"}
    own |= {"temperature", "max_tokens", "repeat", "notes", "variable", "why"}
    own |= {"source", "search", "confidence", "narrative"}
    for command in (*cli.cli.commands.values(), cells.cell):
        for parameter in command.params:
            told = (isinstance(parameter, click.Option) and parameter.is_flag) or isinstance(
                parameter.type, click.Choice
            )
            assert told or parameter.name in own or parameter._custom_shell_complete, parameter  # noqa: SLF001


def values(items):
    return [item.value for item in items]


def test_slots_are_the_narrative_and_the_facts(demo):
    found = completions.slots("rows", None, {"rows": demo.assign(gold=1, **{"a+b": 1})}, "")
    assert values(found) == ["narrative", "year"]
    assert values(completions.slots("sample", None, {}, ""))[0] == "narrative"


def test_columns_said_to_be_something_are_no_slots(demo):
    frame = demo.rename(columns={"narrative": "Story"}).assign(county="A")
    assert values(completions.slots("rows", "text=Story", {"rows": frame}, "")) == ["narrative", "year", "county"]
    assert values(completions.slots("rows", "text=Story,flag=year", {"rows": frame}, "")) == ["narrative", "county"]


@pytest.mark.parametrize("header", ["", "a,b", '"open', "narrative_id,narrative,narrative", "\udcff"])
def test_a_file_whose_columns_cannot_be_told_offers_the_narrative_alone(header):
    Path("rows.csv").write_bytes(header.encode("utf-8", "surrogateescape"))
    assert values(completions.slots("rows.csv", None, {}, "")) == ["narrative"]
    assert values(completions.slots("rows.csv", "=", {}, "")) == ["narrative"]


@pytest.mark.parametrize("source", [None, "missing.csv", "rows.xlsx", "~nobody at all/x.csv", "a\0.csv", "folder.csv"])
def test_without_a_header_to_read_there_is_the_narrative_alone(source):
    Path("folder.csv").mkdir()
    assert values(completions.slots(source, None, {}, "na")) == ["narrative"]


def test_prompt_files_are_offered():
    Path("prompts").mkdir()
    for name in ("mine.txt", "notes.md", "rows.csv"):
        (Path("prompts") / name).write_text("x")
    found = offered("a", "--prompt-file", "prompts/", command=cells.cell)
    assert list(found) == ["prompts/mine.txt", "prompts/notes.md"]
