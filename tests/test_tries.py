import re

import pytest

from endpoint import answer, completion
from exphub_magics import experiments, prompts, tries
from exphub_magics.errors import ConfigError
from exphub_magics.specs import Spec
from exphub_magics.tries import parents

PROMPT = "Was V hit or threatened by a partner?"


@pytest.fixture
def parent(hub, demo):
    """An experiment over ten rows."""
    go(hub, Spec("first", prompts.parse(PROMPT), data=demo))
    return parents.parent(hub)


def go(hub, job):
    *_, last = experiments.run(hub, job)
    return last.experiment_id


def test_a_try_is_an_experiment_of_the_parents_family_and_no_other_warns_of_it(hub, parent):
    job = tries.job(parent, f"{PROMPT} Fear counts too.")
    *_, last = experiments.run(hub, job)
    assert last.warnings == ()
    go(hub, tries.job(parent, f"{PROMPT} Fear counts."))
    assert [row["name"] for row in hub.names()] == ["first", "first.try", "first.try"]
    assert tries.latest(hub, parent) == 3


def test_the_same_try_is_the_same_experiment_and_asks_nothing_again(hub, parent):
    again = [go(hub, tries.job(parent, f"{PROMPT} Fear counts too.")) for _ in range(2)]
    assert again[0] == again[1]


def test_a_prompt_that_was_tried_becomes_the_next_version_of_its_name_and_asks_nothing(hub, demo, parent):
    text = f"{PROMPT} Fear counts too."
    tried = go(hub, tries.job(parent, text))
    *_, last = experiments.run(hub, Spec("first", prompts.parse(text), data=demo))
    assert (last.asked, last.state) == (0, "done")
    assert hub.find("first@2") == last.experiment_id != tried
    assert hub.verdicts(tried) != []
    assert [row["flag"] for row in hub.verdicts(tried)] == [row["flag"] for row in hub.verdicts(last.experiment_id)]


def test_a_sample_is_drawn_in_proportion_and_the_parents_own_as_it_was(hub, demo):
    go(hub, Spec("drawn", prompts.parse(PROMPT), data=demo, sample=5, seed=3))
    parent = parents.parent(hub)
    assert tries.job(parent, "Fear?", sample=4).spec.stratified
    same = tries.job(parent, "Fear?")
    assert not same.spec.stratified
    assert set(tries.drawn(hub, same).ids) == {row["narrative_id"] for row in hub.verdicts(parent.experiment)}


def test_a_sample_as_large_as_the_data_is_all_of_it(parent):
    spec = tries.job(parent, PROMPT, sample=10).spec
    assert (spec.sample, spec.stratified) == (None, False)


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        ("", {}, "the prompt is empty"),
        ("user:\n{{ narrative }} {{ yeer }}", {}, "did you mean 'year'"),
        ("user:\n{{ narrative }} {{ manual_flag }}", {}, "is a label"),
        (PROMPT, {"sample": 0}, "sample 0 is not a number from 1 up"),
        (PROMPT, {"provider": "OpenAI"}, "provider 'OpenAI' needs a model"),
        (PROMPT, {"provider": "opnai", "model_name": "m"}, "did you mean 'OpenAI'"),
        (PROMPT, {"temperature": 3.0}, "not between 0 and 2"),
    ],
)
def test_what_cannot_be_run_is_said_before_anything_is(hub, parent, text, settings, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        tries.job(parent, text, **settings)
    assert len(hub.names()) == 1


def test_the_parents_answers_are_looked_for_where_they_are(hub, parent, demo):
    attempt = tries.job(parent, "Was V afraid?", sample=4)
    ids = tries.drawn(hub, attempt).ids
    assert tries.reference(hub, parent, attempt.spec, ids) == tries.Reference(parent.experiment, 0)
    elsewhere = parents.Parent("a file", Spec("file", prompts.parse("Was V hit?")), parent.dataset)
    attempt = tries.job(elsewhere, "Was V afraid?", sample=4)
    assert tries.reference(hub, elsewhere, attempt.spec, ids) == tries.Reference(None, 4)
    number = go(hub, tries.again(elsewhere, attempt.spec))
    assert hub.names()[-1]["name"] == "file.parent"
    assert tries.reference(hub, elsewhere, attempt.spec, ids) == tries.Reference(number, 0)


def test_the_next_try_is_run_as_said_else_as_the_one_before_else_as_the_parent(hub, parent):
    assert tries.settings_of(hub, parent, {})["sample"] is None  # the builtin model takes no time
    served = {"provider": "OpenAI", "model_name": "m"}
    known = tries.settings_of(hub, parent, served)
    assert (known["provider"], known["model_name"], known["sample"]) == ("OpenAI", "m", tries.SIZE)
    go(hub, tries.job(parent, "Was V afraid?", sample=4, seed=2))
    known = tries.settings_of(hub, parent, {})
    assert (known["sample"], known["seed"]) == (4, 2)
    assert tries.settings_of(hub, parent, {"sample": 6})["sample"] == 6
    assert tries.settings_of(hub, parent, {"base_url": "http://127.0.0.1:1/v1"})["provider"] == "endpoint"


def test_what_it_costs_is_reckoned_without_what_is_known(hub, parent, scripted):
    endpoint = scripted(lambda _body: completion(answer(True)))
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url, "sample": 5}
    job = tries.job(parent, "Was V afraid?", **served)
    drawn = tries.drawn(hub, job)
    cost = tries.cost(hub, job, drawn)
    assert cost.attempt.startswith(f"about {drawn.evaluable} calls")
    assert cost.whole.startswith("about 9 calls")
    assert endpoint.requests == []
    go(hub, job)
    cost = tries.cost(hub, job, drawn)
    assert cost.attempt == f"nothing to ask; {drawn.evaluable:,} are answered already"
    assert cost.whole.startswith(f"about {9 - drawn.evaluable} call")
    assert tries.cost(hub, tries.job(parent, PROMPT), drawn).attempt.startswith("costs nothing")


def test_wording_is_compared_word_by_word_and_a_long_stretch_at_once():
    kinds = [
        (one.kind, one.text) for one in tries.wording("hit or shoved by a partner", "hit or threatened by a partner")
    ]
    assert kinds == [
        ("same", "hit or "),
        ("removed", "shoved"),
        ("added", "threatened"),
        ("same", " by a partner"),
    ]
    long, other = ("V was there. " * 5_000, "W was not here, " * 5_000)
    assert [one.kind for one in tries.wording(f"As {long}", f"As {other}")][:3] == ["same", "removed", "added"]
    for old, new in (("", "a b"), ("a b", ""), ("a b", "a b"), ("a", "ab"), ("a b a b", "a b")):
        changes = tries.wording(old, new)
        assert "".join(one.text for one in changes if one.kind != "added") == old
        assert "".join(one.text for one in changes if one.kind != "removed") == new


def test_a_sample_that_was_drawn_stays_when_flags_are_corrected(hub, parent, demo):
    settings = {"sample": 4, "seed": 1}
    first = go(hub, tries.job(parent, "Was V afraid?", **settings))
    before = {row["narrative_id"] for row in hub.verdicts(first)}
    flags = ["0" if flag == "1" else "1" for flag in demo["manual_flag"]]
    flags[1] = ""
    go(hub, Spec("first", prompts.parse(PROMPT), data=demo.assign(manual_flag=flags)))  # the hub has other flags now
    parent = parents.parent(hub)
    job = tries.job(parent, "Was V hurt?", **settings)
    assert set(experiments.draw(job.dataset, 4, 1, stratified=True)) != before  # a new draw would be another
    assert set(tries.drawn(hub, job).ids) == before
    assert set(tries.drawn(hub, tries.again(parent, job.spec)).ids) == before
    assert set(tries.drawn(hub, tries.job(parent, "Was V hurt?", sample=4, seed=2)).ids) != before
