import shlex
from pathlib import Path

import pytest

from exphub_magics import prompts
from exphub_magics.errors import ConfigError
from exphub_magics.specs import Spec
from exphub_magics.tries.promptfiles import TakenError, cell, save


def test_a_prompt_is_saved_once_and_found_again():
    assert str(save("Was V hit?", "mine")) == "saved as prompts/mine.txt"
    assert Path("prompts/mine.txt").read_text() == "Was V hit?\n"
    assert str(save(" Was V hit?\r\n", "mine.txt")) == "prompts/mine.txt holds this prompt already"


def test_nothing_is_written_over_and_a_free_name_is_offered():
    for text, name in (("one", "mine"), ("two", "mine-2")):
        save(text, name)
    for taken in ("mine", "mine-2"):
        with pytest.raises(TakenError, match="is there with another text") as refused:
            save("three", taken)
        assert refused.value.free == "mine-3"
    assert [Path(f"prompts/{name}.txt").read_text() for name in ("mine", "mine-2")] == ["one\n", "two\n"]
    save("three", "mine-3")


@pytest.mark.parametrize("name", ["", "../up", "a/b", "/x", ".hidden", "a\nb"])
def test_a_name_is_one_of_a_file_and_of_no_folder(name):
    with pytest.raises(ConfigError, match="is no name for a file"):
        save("text", name)
    assert list(Path().rglob("*")) == []


def test_what_is_no_text_is_not_written_over_either():
    Path("prompts").mkdir()
    Path("prompts/mine.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TakenError):
        save("text", "mine")
    Path("prompts/other.txt").mkdir()
    with pytest.raises(TakenError):
        save("text", "other")


def test_a_folder_that_is_none_is_said_without_its_path():
    Path("prompts").write_text("no folder")
    with pytest.raises(ConfigError) as refused:
        save("text", "mine")
    assert str(Path.cwd()) not in str(refused.value)


def test_the_cell_says_all_that_the_spec_does():
    spec = Spec(
        "x",
        prompts.parse("Was V hit?\nNo in doubt."),
        model_name="m",
        provider="my box",
        base_url="http://127.0.0.1:1/v1",
        temperature=0.5,
        sample=50,
        stratified=True,
        seed=2,
    )
    line, *body = cell("a name", spec, "rows 2.csv").split("\n")
    assert body == ["Was V hit?", "No in doubt."]
    assert shlex.split(line) == [
        *("%%experiment", "a name", "--data", "rows 2.csv", "--model", "m", "--provider", "my box"),
        *("--base-url", "http://127.0.0.1:1/v1", "--temperature", "0.5", "--seed", "2", "--sample", "50"),
        "--stratified",
    ]


def test_the_cell_is_the_same_experiment(shell, demo):
    shell.user_ns["demo"] = demo
    card = shell.run_cell_magic("experiment", "first --data demo --sample 4 --stratified --seed 2", "Was V hit?")
    spec = Spec("first", prompts.parse("Was V hit?"), sample=4, stratified=True, seed=2)
    line, _, body = cell("first", spec, "demo").partition("\n")
    again = shell.run_cell_magic("experiment", line.removeprefix("%%experiment "), body)
    assert again.experiment["id"] == card.experiment["id"]


def test_a_file_in_the_place_of_the_folder_is_said():
    Path("prompts").write_text("not a folder")
    with pytest.raises(ConfigError, match="prompts is a file here and no folder"):
        save("text", "mine")
    assert Path("prompts").read_text() == "not a folder"
