"""What Tab answers, asked of a real kernel, and of a shell in this process where only the time or the text counts."""

import os
import random
import re
import statistics
import time
from contextlib import contextmanager

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from jupyter_client import KernelManager

from exphub_magics import experiments, matchers, prompts, specs
from exphub_magics.cli import options
from exphub_magics.hub import Hub
from exphub_magics.matchers import NO_BREAK, Typed

PROMPTS = ("Was the decedent hit, shoved or threatened?", "Was the decedent hit by a partner?")
SECONDS = 30  # that a reply is waited for before it counts as none
CONFIGURATION = "- experiment_name: first\n  prompt: Violence?\n- experiment_name: second\n  prompt: Violence?\n"
FRAME = """
import pandas as pd
frame = pd.DataFrame({"narrative_id": ["1"], "narrative": ["V fell."], "manual_flag": [0], "year": [2020]})
"""


def filled(path, demo):
    """A hub with two versions of `baseline`, one `bathroom` and one whose name has a blank."""
    with Hub.open(path) as hub:
        for number, (name, text) in enumerate(
            (("baseline", PROMPTS[0]), ("baseline", PROMPTS[1]), ("bathroom", PROMPTS[0]), ("third try", PROMPTS[0]))
        ):
            spec = specs.Spec(name=name, prompt=prompts.parse(text), data=demo, repeat=number + 1)
            list(experiments.run(hub, spec))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kernel")


@contextmanager
def started(folder):
    """A kernel that stands in a folder of its own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("EXPHUB_", "OPENAI_"))}
    environment |= {"IPYTHONDIR": str(folder / "ipython")}
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder), env=environment, extra_arguments=["--HistoryManager.enabled=False"])
    asked = manager.blocking_client()
    asked.start_channels()
    asked.wait_for_ready(timeout=SECONDS)
    yield asked
    asked.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def client(folder):
    """A kernel with the extension loaded."""
    with started(folder) as asked:
        said(asked, "%load_ext exphub_magics\n" + FRAME)
        yield asked


@pytest.fixture(params=[True, False], ids=["jedi", "without jedi"])
def kernel(request, client, folder, demo):
    if not (folder / "exphub.db").exists():
        filled(folder / "exphub.db", demo)
        demo.to_csv(folder / "rows.csv", index=False)
        demo.drop(columns="year").assign(**{"age group": "30", "gold": "1"}).to_csv(
            folder / "my rows.csv", index=False, sep=";"
        )
        (folder / "config.yml").write_text(CONFIGURATION)
        (folder / "notes.md").touch()
        (folder / "more").mkdir()
    said(client, f"get_ipython().Completer.use_jedi = {request.param}")
    return client


def said(client, code):
    printed = []
    reply = client.execute_interactive(
        code, timeout=SECONDS, output_hook=lambda message: printed.append(message["content"])
    )
    assert reply["content"]["status"] == "ok", reply["content"]
    return printed


def ask(client, cell):
    """What completes where `|` stands in a cell: its text before, the completions, and what stands beside each."""
    before, _, after = cell.partition("|")
    reply = client.complete(before + after, len(before), reply=True, timeout=SECONDS)["content"]
    assert reply["status"] == "ok"
    beside = {one["text"]: one["type"] for one in reply["metadata"]["_jupyter_types_experimental"]}
    return before[reply["cursor_start"] :], reply["matches"], beside


# A token of such blanks alone IPython 9.18 answers in no cell, whoever completes: it fails before it asks a matcher.
BLANK = re.compile(r"[ \t\n`!@#$^&*()=+\[{\]}\\|;:'\",<>?](?![ \t\n])\s+\Z")

LINES = [
    ("%exphub co|", "co", ["compare"]),
    ("%exphub |", "", ["compare", "data", "export", "list", "report", "reread", "run", "runs", "show"]),
    ("r = %exphub sh|", "sh", ["show"]),
    ("x = 1\nr = %exphub show ba|", "ba", ["bathroom", "baseline", "baseline@2", "baseline@1"]),
    ("%exphub show baseline@|", "baseline@", ["baseline@2", "baseline@1"]),
    ("%exphub show --js|", "--js", ["--json"]),
    ("%exphub compare baseline ba|", "ba", ["bathroom", "baseline@2", "baseline@1"]),
    ("%exphub show th|", "th", ['"third try"']),
    ('%exphub show "third t|', '"third t', ['"third try"']),
    ('%exphub show "third t|"', '"third t', ['"third try']),
    ("%exphub show 'thi|", "'thi", ["'third try'"]),
    (r"%exphub show third\ t|", r"third\ t", ['"third try"']),
    ("%exphub --db exphub.db show bat|", "bat", ["bathroom"]),
    ("%exphub --db ex|", "ex", ["exphub.db"]),
    ("%exphub run c|", "c", ["config.yml"]),
    ("%exphub run config.yml --only |", "", ["first", "second"]),
    ("%exphub run config.yml --only first --only |", "", ["second"]),
    ("%exphub run config.yml --again ok,sal|", "ok,sal", ["ok,salvaged"]),
    ("%exphub data m|", "m", ["more/", '"my rows.csv"']),
    ("%%experiment ba|", "ba", ["bathroom", "baseline"]),
    ("\n%%experiment ba|\nViolence?", "ba", ["bathroom", "baseline"]),
    ("%%experiment first --da|", "--da", ["--data"]),
    ("%%experiment first --data |", "", ["sample", "frame", "rows.csv"]),
    ("%%experiment first --data fr|", "fr", ["frame"]),
    ("%%experiment first --data=fr|", "fr", ["frame"]),
    ("%%experiment first --provider op|", "op", ["OpenAI", "OpenRouter"]),
    ('%%experiment first --provider "LM|', '"LM', ['"LM Studio"']),
    ("%%experiment first --model ru|", "ru", ["rules-1"]),
    ("%%experiment first --model=ru|", "ru", ["rules-1"]),
    ('%%experiment first --model="ru|', '"ru', ['"rules-1"']),
    ("%%experiment first --reasoning-effort m|", "m", ["minimal", "medium"]),
    ("%%experiment first --data sample |", "", ["--model", "--seed"]),
]
BODIES = [
    ("%%experiment first --data frame\nsys|", "sys", ["system:"]),
    ("%%experiment first --data frame\nsystem:\nRead.\nus|", "us", ["user:"]),
    ("%%experiment first --data frame\nuser:\n{{ |", "", ["narrative }}", "year }}"]),
    ("%%experiment first --data frame\nuser:\n{{ ye|", "ye", ["year }}"]),
    ("%%experiment first --data frame\nuser:\n{{ ye| }}", "ye", ["year"]),
    ("%%experiment first --data frame\nuser:\n{{na|}}", "na", ["narrative"]),
    ("%%experiment first --data rows.csv\nuser:\n{{ y|", "y", ["year }}"]),
    ("%%experiment first --data 'my rows.csv'\nuser:\n{{ age g|", "age g", ["age group }}"]),
    ("%%experiment first --data sample\nuser:\n{{ |", "", ["narrative }}"]),
    ("%%experiment\nuser:\n{{ |", "", ["narrative }}"]),
]


@pytest.mark.parametrize(("cell", "fragment", "wanted"), LINES)
def test_a_line_completes_what_can_stand_there(kernel, cell, fragment, wanted):
    before, matches, _ = ask(kernel, cell)
    assert before == fragment
    assert [one for one in matches if one in wanted] == wanted


@pytest.mark.parametrize(("cell", "fragment", "wanted"), BODIES)
def test_a_prompt_completes_its_slots_and_roles(kernel, cell, fragment, wanted):
    before, matches, _ = ask(kernel, cell)
    assert before == fragment
    assert [one for one in matches if one in wanted] == wanted


@pytest.mark.parametrize("data", ["frame", "rows.csv", "'my rows.csv'", "sample"])
def test_a_label_is_never_offered_as_a_slot(kernel, data):
    _, matches, _ = ask(kernel, f"%%experiment first --data {data}\n{{{{ |")
    assert not {"manual_flag }}", "gold }}", "narrative_id }}"} & set(matches)
    assert "narrative }}" in matches


def test_score_and_coverage_stand_beside_a_name_on_one_line(kernel):
    _, _, beside = ask(kernel, "%exphub show ba|")
    assert beside["baseline@1"].startswith(f"f1{NO_BREAK}.")
    assert beside["baseline@1"].endswith("9/10")
    assert " " not in beside["baseline@1"]
    _, _, beside = ask(kernel, "%%experiment first --data |")
    assert beside["frame"] == f"DataFrame,{NO_BREAK}1{NO_BREAK}rows"


def test_nothing_else_is_mixed_in(kernel):
    assert ask(kernel, "%exphub show bat|")[1] == ["bathroom"]
    assert ask(kernel, "%%experiment first --provider Oll|")[1] == ["Ollama"]


def test_other_cells_complete_as_ever(kernel):
    assert "print" in ask(kernel, "pri|")[1]
    assert "%%experiment" in ask(kernel, "%%exper|")[1]
    assert "columns" in "".join(ask(kernel, "x = frame.colu|\n# %exphub")[1])


def test_no_tail_leaves_a_request_unanswered(kernel):
    chance = random.Random(5)
    heads = ("%exphub ", "%exphub show ", "r = %exphub compare ", "%%experiment ", "%%experiment a --model=")
    bodies = ("%%experiment a --data frame\n", "%%experiment a\nuser:\n{{ ")
    letters = "\"'\\\\@:=-{}%!?~/ ab1.,;|$`#()[]\t" + "éß你🙂\u00a0\u2028\u0301\r"
    asked = 0
    while asked < 250:  # with jedi, and as many without
        tail = "".join(chance.choices(letters, k=chance.randint(0, 12)))
        cell = chance.choice(heads + bodies) + tail
        if BLANK.search(cell):
            continue
        asked += 1
        reply = kernel.complete(cell, len(cell), reply=True, timeout=SECONDS)["content"]
        assert reply["status"] == "ok", cell
        assert cell[reply["cursor_start"] :] == cell[reply["cursor_start"] : reply["cursor_end"]], cell


def test_help_shows_every_option_and_an_example(kernel):
    for asked, example in (("%%experiment?", "%%experiment baseline --data sample"), ("%exphub?", "%exphub show")):
        reply = kernel.execute_interactive(asked, timeout=SECONDS)["content"]
        shown = reply["payload"][0]["data"]["text/plain"]
        assert example in shown
        assert "--data" in shown or "compare" in shown
    inspected = kernel.inspect("%%experiment", len("%%experiment"), reply=True, timeout=SECONDS)["content"]
    assert "--temperature" in inspected["data"]["text/plain"]


def test_an_empty_cell_and_the_bare_magic_are_answered_in_a_few_lines(kernel):
    for cell in ("%%experiment", "%%experiment\n\n", "%exphub"):
        text = "".join(message.get("text", "") for message in said(kernel, cell))
        assert 4 <= text.count("\n") <= 6
        assert "Example:" in text
        assert "Next:" in text


def test_a_misspelt_option_is_answered_with_the_near_one_in_a_line(kernel):
    printed = []
    kernel.execute_interactive(
        "%%experiment first --dta frame\nViolence?",
        timeout=SECONDS,
        output_hook=lambda message: printed.append(message["content"]),
    )
    shown = "".join("".join(one.get("traceback", [])) + one.get("text", "") for one in printed)
    assert "--data" in shown
    assert "Traceback" not in shown
    assert shown.strip().count("\n") == 0


# --- in this process --------------------------------------------------------------------------------------


def offered(shell, text):
    with provisionalcompleter():
        return [one.text for one in shell.Completer.completions(text, len(text))]


def test_reloading_replaces_the_matcher_and_unloading_removes_it(shell, demo, tmp_path):
    filled(tmp_path / "exphub.db", demo)
    shell.run_line_magic("reload_ext", "exphub_magics")
    shell.run_line_magic("reload_ext", "exphub_magics")
    own = [one for one in shell.Completer.custom_matchers if getattr(one, "matcher_identifier", "") == "exphub"]
    assert len(own) == 1
    assert offered(shell, "%exphub show bat") == ["bathroom"]
    shell.run_line_magic("unload_ext", "exphub_magics")
    assert shell.Completer.custom_matchers == []
    assert "bathroom" not in offered(shell, "%exphub show bat")
    assert shell.find_line_magic("exphub") is None


def test_an_exception_in_the_matcher_shows_nothing(shell, monkeypatch, capsys):
    def broken(*_):
        raise RuntimeError("broken")

    monkeypatch.setattr(matchers, "complete", broken)
    offered(shell, "%exphub show ba")
    assert capsys.readouterr() == ("", "")


def test_a_thousand_experiments_are_no_wait(shell, demo, tmp_path):
    filled(tmp_path / "exphub.db", demo)
    with Hub.open(tmp_path / "exphub.db") as hub, hub.writing() as db:
        first = next(iter(db.table("experiments").rows))
        answers = list(db.table("results").rows_where("experiment_id = 1"))
        for number in range(2, 1002):
            row = {**first, "id": 100 + number, "name": f"try {number // 3}", "fingerprint": str(number)}
            db.table("experiments").insert(row)
            db.table("results").insert_all(
                {key: value for key, value in {**answer, "experiment_id": 100 + number}.items() if key != "id"}
                for answer in answers
            )
    took = []
    for _ in range(9):
        began = time.perf_counter()
        found = offered(shell, "%exphub show try")
        took.append(time.perf_counter() - began)
    assert len(found) > 50
    figure = statistics.median(took)
    print(f"{1000 * figure:.1f} ms among 1,000 experiments")  # noqa: T201 - the figure is the point
    assert figure < 0.1


def test_an_idle_kernel_imports_what_the_first_tab_and_the_first_panel_need_as_a_cell_does(tmp_path):
    asked = "import sys; print('anywidget' in sys.modules)"
    with started(tmp_path) as fresh:
        said(fresh, "%load_ext exphub_magics")
        until = time.monotonic() + SECONDS
        while {"name": "stdout", "text": "True\n"} not in said(fresh, asked):
            assert time.monotonic() < until
            time.sleep(0.3)
        shown = said(fresh, "import pandas; print(pandas.get_option('display.max_columns'))")
        assert {"name": "stdout", "text": "20\n"} in shown  # where pandas sees no notebook, it is 0


def test_frames_are_found_without_importing_anything(shell):
    shell.user_ns.update(rows=pd.DataFrame({"a": [1]}), series=pd.Series([1]), text="x")
    assert list(options.frames(shell.user_ns)) == ["rows"]


@pytest.mark.parametrize(
    ("line", "words", "fragment", "incomplete"),
    [
        ("show ba", ("show",), "ba", "ba"),
        ("show 'a b' c", ("show", "a b"), "c", "c"),
        ('x "a \\" b', ("x",), '"a \\" b', 'a " b'),
        ("x a\\", ("x",), "a\\", "a"),
        ("x ''", ("x",), "''", ""),
        ("x\u00a0y", (), "x\u00a0y", "x\u00a0y"),
        ("", (), "", ""),
    ],
)
def test_a_line_is_split_as_it_is_typed(line, words, fragment, incomplete):
    assert Typed.of(line) == Typed(words, fragment, incomplete)


def test_a_terminal_still_waits_for_the_prompt_below_the_line(shell):
    whole = shell.input_transformer_manager.check_complete
    assert whole("%%experiment first --data sample")[0] == "incomplete"
    assert whole("%%experiment first --data sample\n")[0] == "incomplete"
    assert shell.transform_cell("%%experiment").endswith("'', '\\n')\n")
    assert shell.transform_cell("%%time").endswith("'', '')\n")
