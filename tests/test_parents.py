from pathlib import Path

import pytest

from exphub_magics import experiments, prompts, tries
from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import aliases
from exphub_magics.specs import Spec
from exphub_magics.tries import parents

PROMPT = "Was V hit or threatened by a partner?"


def run(hub, name, data, prompt=PROMPT, **more):
    *_, last = experiments.run(hub, Spec(name, prompts.parse(prompt), data=data, **more))
    return last.experiment_id


def test_without_a_name_it_is_the_latest_experiment_with_the_data_that_the_hub_holds(hub, demo):
    run(hub, "first", demo)
    number = run(hub, "second", demo, sample=5)
    found = parents.parent(hub)
    assert (found.title, found.experiment, found.name) == ("second@1", number, "second.try")
    assert (found.spec.sample, len(found.dataset.narratives)) == (5, 10)
    assert str(found) == "second@1 · builtin rules-1 · frame, 10 narratives of 6 incidents"


def test_tries_are_no_parents_unless_they_are_named(hub, demo):
    run(hub, "first", demo)
    list(experiments.run(hub, tries.job(parents.parent(hub), f"{PROMPT} Only physical violence.")))
    assert parents.parent(hub).title == "first@1"
    found = parents.parent(hub, "first.try@1")
    assert (found.title, found.name) == ("first.try@1", "first.try")


def test_a_name_is_understood_as_everywhere(hub, demo):
    number = run(hub, "first", demo)
    run(hub, "first", demo, "Was V hit?")
    aliases.move(hub, "baseline", number)
    assert [parents.parent(hub, name).title for name in ("first", "first@1", "fir", "baseline")] == [
        "first@2",
        "first@1",
        "first@2",
        "first@1",
    ]
    with pytest.raises(UnknownNameError, match="did you mean 'first'"):
        parents.parent(hub, "frist")


def test_a_file_in_prompts_is_a_parent_that_was_never_run(hub, demo):
    Path("prompts").mkdir()
    Path("prompts/strict.txt").write_text("Only physical violence by a partner counts.\n")
    found = parents.parent(hub, "strict", data=demo)
    assert (found.title, found.name, found.experiment) == ("prompts/strict.txt", "strict.try", None)
    assert found.spec.prompt.text == "Only physical violence by a partner counts."
    list(experiments.run(hub, tries.job(found, PROMPT)))  # whose name begins as the file's
    assert parents.parent(hub, "strict").title == "prompts/strict.txt"
    run(hub, "strict", demo, "Was V hit?")
    assert parents.parent(hub, "strict").title == "strict@1"


def test_a_file_is_asked_of_the_model_that_is_named_and_over_the_latest_data(hub, demo):
    run(hub, "first", demo)
    Path("mine.txt").write_text("Was V hit?")
    found = parents.parent(hub, "mine.txt", provider="scripted", model_name="m", base_url="http://127.0.0.1:1/v1")
    assert (parents.model(found.spec), found.dataset.name) == ("scripted m", "frame")


def test_an_empty_hub_opens_on_an_example_and_the_sample(hub):
    assert str(parents.parent(hub)) == "an example · builtin rules-1 · sample, 1,119 narratives of 640 incidents"
    Path("prompts").mkdir()
    Path("prompts/baseline.txt").write_text(PROMPT)
    assert parents.parent(hub).title == "prompts/baseline.txt"
    assert parents.parent(hub, "example").title == "an example"


def test_a_file_that_is_no_prompt_says_why(hub):
    Path("empty.txt").write_text("\n")
    with pytest.raises(ConfigError, match="the prompt is empty"):
        parents.parent(hub, "empty.txt", data="sample")
