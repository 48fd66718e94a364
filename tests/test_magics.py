import pandas as pd
import pytest

from exphub_magics.cards import Scorecard
from exphub_magics.errors import ExphubError

PROMPT = "Was the decedent hit, shoved or threatened by a partner?"


@pytest.fixture
def cell(shell, demo):
    shell.user_ns["demo"] = demo
    return lambda line, body=PROMPT: shell.run_cell_magic("experiment", line, body)


def test_a_cell_is_the_same_experiment_as_the_file(shell, cell, demo, tmp_path):
    demo.to_csv("rows.csv", index=False)
    (tmp_path / "x.yml").write_text(f"- experiment_name: first\n  prompt: {PROMPT}\n  data: rows.csv\n")
    card = cell("first --data demo")
    board = shell.run_line_magic("exphub", "run x.yml")
    assert board["id"].tolist() == [card.experiment["id"]]


def test_the_cells_value_is_the_scorecard(cell):
    card = cell("first --data demo")
    assert isinstance(card, Scorecard)
    assert list(card.experiment)[:3] == ["id", "name", "author"]
    assert (
        card.counts["total"]
        == 10
        == sum(card.counts[state] for state in ("ok", "salvaged", "refused", "not_evaluable", "failed", "pending"))
    )
    assert card.counts["labelled"] + card.counts["unlabelled"] == 10
    assert set(card.metrics["recall"]) >= {"value", "low", "high", "n"}
    assert card.figure.to_plotly_json()["data"]


def test_the_scorecard_can_be_named(shell, cell):
    cell("first --data demo --as mine")
    assert isinstance(shell.user_ns["mine"], Scorecard)


def test_a_verbs_value_can_be_assigned(shell, cell):
    cell("first --data demo")
    shell.run_cell("r = %exphub list")
    assert isinstance(shell.user_ns["r"], pd.DataFrame)
    shell.run_cell("s = %exphub show first")
    assert isinstance(shell.user_ns["s"], Scorecard)


def test_a_second_version_shows_what_changed(cell):
    cell("first --data demo")
    card = cell("first --data demo", "Was the decedent hit by a partner?")
    assert card.change.version == 1
    assert {change.kind for change in card.change.prompt} == {"same", "removed", "added"}
    assert "Since v1" in str(card)
    assert card.change.pair.comparison.n_common == 8


@pytest.mark.parametrize(
    ("line", "body", "said"),
    [
        ("first", PROMPT, "no dataset is named"),
        ("first --data demo", "  ", "the cell is empty"),
        ("first --data dmo", PROMPT, "dmo"),
        ("first --dta demo", PROMPT, "--dta"),
        ("first --data demo --provider opnai --model m", PROMPT, "did you mean 'OpenAI'?"),
        ("first --data demo --provider OpenAI", PROMPT, "needs --model"),
        ("first --data demo --model gpt-4", PROMPT, "needs --provider"),
        ("first --data demo", "user:\n{{ narrativ }} {{ narrative }}", "did you mean 'narrative'?"),
        ("first --data 'demo", PROMPT, "the line cannot be read"),
        ("", PROMPT, "Missing argument"),
    ],
)
def test_a_cell_that_cannot_run_says_why_in_one_line_and_writes_nothing(cell, tmp_path, line, body, said):
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(ExphubError) as refused:
        cell(line, body)
    assert said in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_an_error_is_one_line_in_the_notebook(shell, capsys):
    shell.run_cell("%exphub show first")
    said = capsys.readouterr()
    assert (said.out + said.err).count("\n") <= 2
    assert "there is no hub" in said.out + said.err
    assert "Traceback" not in said.out + said.err


def test_the_bare_magic_says_its_verbs_and_the_cell_its_options(shell, capsys):
    assert shell.run_line_magic("exphub", "") is None
    assert "  compare " in capsys.readouterr().out
    shell.run_line_magic("experiment", "")
    assert "--temperature" in capsys.readouterr().out


def test_loading_the_extension_imports_nothing_heavy():
    import subprocess  # noqa: PLC0415 - this test alone
    import sys  # noqa: PLC0415

    script = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell as S\n"
        "before = set(sys.modules); S.instance().run_line_magic('load_ext', 'exphub_magics')\n"
        "heavy = {'openai', 'plotly', 'pandas', 'scipy', 'sqlite_utils', 'click', 'genai_prices.types'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def kept(tmp_path):
    """A prompt in a file."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "mine.txt").write_text(f"{PROMPT}\n")


def test_a_prompt_in_a_file_is_the_same_experiment_as_the_cell(shell, cell, kept):
    card = cell("first --data demo")
    line = "first --data demo --prompt-file prompts/mine.txt"
    for again in (shell.run_line_magic("experiment", line), cell(line, "\n")):
        assert again.experiment["id"] == card.experiment["id"]
    shell.run_cell(f"r = %experiment {line}")
    assert shell.user_ns["r"].experiment["id"] == card.experiment["id"]


@pytest.mark.parametrize(
    ("line", "body", "said"),
    [
        ("first --data demo --prompt-file prompts/mine.txt", PROMPT, "keep one of them"),
        ("first --data demo --prompt-file prompts/mien.txt", "\n", "did you mean 'mine.txt'?"),
        ("first --data demo --prompt-file prompts", "\n", "is no regular file"),
        ("first --data demo --prompt-file ../outside.txt", "\n", "lies outside the working directory"),
        ("first --data demo --prompt-file bad.txt", "\n", "bad.txt: the prompt is empty"),
        ("first --data demo", "\n", "or name a --prompt-file"),
    ],
)
def test_a_prompt_file_that_cannot_be_taken_is_said_in_a_line(shell, cell, kept, tmp_path, line, body, said):
    (tmp_path / "bad.txt").write_text(" \n")
    (tmp_path.parent / "outside.txt").write_text(PROMPT)
    with pytest.raises(ExphubError) as refused:
        cell(line, body)
    assert said in str(refused.value)
    assert str(tmp_path) not in str(refused.value)
    assert not (tmp_path / "exphub.db").exists()
