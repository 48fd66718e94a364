import json
from pathlib import Path

import pytest

from endpoint import answer, completion
from exphub_magics import terminal
from exphub_magics.cli import cells
from exphub_magics.hub import Hub

PROMPT = "Was the decedent hit, shoved or threatened by a partner?"


@pytest.fixture
def exphub(capsys, demo):
    """The command as a terminal has it, beside a dataset and a prompt: exit code, stdout, stderr."""
    demo.to_csv("rows.csv", index=False)
    Path("hit.txt").write_text(f"{PROMPT}\n")

    def run(line):
        code = 0
        try:
            terminal.main(line.split())
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_prompt_file_is_run_from_the_shell_as_from_a_cell(exphub):
    code, out, err = exphub("experiment first --data rows.csv --prompt-file hit.txt --json")
    assert code == 0, err
    assert json.loads(out)["experiment"]["name"] == "first"
    assert "9 asked" in err
    code, out, err = exphub("experiment first --data rows.csv --prompt-file hit.txt")
    assert (code, out.split()[0]) == (0, "first")
    assert "nothing to ask" in err
    with Hub.open("exphub.db") as hub:
        assert [(row["name"], row["version"]) for row in hub.names()] == [("first", 1)]
        assert hub.experiment(1)["prompt_text"] == PROMPT


def test_narratives_that_fail_end_the_command_with_three(exphub, scripted):
    endpoint = scripted(
        lambda body: (
            (400, {"error": {"message": "too long"}})
            if "coworker" in body["messages"][-1]["content"]
            else completion(answer(False))
        )
    )
    line = f"experiment first --data rows.csv --prompt-file hit.txt --base-url {endpoint.url} --model m"
    code, _, err = exphub(line)
    assert code == 3
    assert err.splitlines()[-1] == "exphub: 1 narrative failed; run it again to ask only this one"
    assert exphub("show first")[0] == exphub("list")[0] == 0  # which ran nothing


def test_at_no_cost_the_estimate_is_shown_and_nothing_registered_or_asked(exphub, scripted):
    endpoint = scripted(lambda _body: completion(answer(False)))
    line = "experiment first --data rows.csv --prompt-file hit.txt --max-cost 0"
    code, out, err = exphub(f"{line} --base-url {endpoint.url} --model m")
    assert (code, out.split(":")[0], err) == (0, "first", "")
    assert "9 calls" in out
    assert json.loads(exphub(f"{line} --json")[1])["calls"] == 9
    assert (endpoint.requests, Path("exphub.db").exists()) == ([], False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("experiment first --data rows.csv", "Missing option '--prompt-file'."),
        ("experiment first --data rows.csv --prompt-file hit.md", "hit.md"),
        ("experiment first --prompt-file hit.txt", "no dataset is named"),
        ("experiment first --data rows.csv --prompt-file hit.txt --background", "No such option"),
        ("run hit.txt", "exphub experiment hit --data FILE --prompt-file hit.txt"),
    ],
)
def test_what_cannot_be_run_is_said_in_a_line_and_leaves_no_hub(exphub, line, said):
    code, out, err = exphub(line)
    assert code
    assert (out, said in err, len(err.splitlines())) == ("", True, 1), err
    assert not Path("exphub.db").exists()


def test_the_verb_takes_what_the_cell_takes_but_for_what_needs_a_notebook():
    of_cell, of_verb = ({one.name for one in command.params} for command in (cells.cell, cells.experiment))
    assert of_cell - of_verb == {"background", "variable"}
    assert of_verb - of_cell == {"json"}
