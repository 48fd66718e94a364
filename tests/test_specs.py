from dataclasses import replace

import pytest

from exphub_magics import prompts, specs
from exphub_magics.errors import ConfigError

SPEC = specs.Spec(name="first", prompt=prompts.parse("Is there violence?"), data="sample")


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": prompts.parse("Is there any violence?")},
        {"provider": "OpenAI", "model_name": "gpt-4"},
        {"temperature": 0.2},
        {"reasoning_effort": "low"},
        {"max_tokens": 100},
        {"seed": 1},
        {"sample": 10},
        {"sample": 10, "stratified": True},
        {"trial": True},
        {"repeat": 2},
        {"base_url": "http://127.0.0.1:1/v1"},
    ],
)
def test_whatever_decides_the_answers_changes_the_fingerprint(change):
    assert replace(SPEC, **change).fingerprint("d") != SPEC.fingerprint("d")
    assert SPEC.fingerprint("e") != SPEC.fingerprint("d")


@pytest.mark.parametrize(
    "change", [{"name": "other"}, {"author": "A"}, {"notes": "n"}, {"concurrency": 2}, {"data": "copy.csv"}]
)
def test_whatever_does_not_decide_the_answers_leaves_the_fingerprint(change):
    assert replace(SPEC, **change).fingerprint("d") == SPEC.fingerprint("d")


def test_the_same_question_is_the_same_whatever_experiment_asks_it():
    other = replace(SPEC, name="other", sample=10)
    assert SPEC.question("1", "text", {}).question_hash == other.question("2", "text", {}).question_hash


def test_another_repeat_is_another_question():
    assert SPEC.question("1", "t", {}).question_hash != replace(SPEC, repeat=2).question("1", "t", {}).question_hash


def test_a_provider_is_known_whatever_its_case():
    assert specs.complete(replace(SPEC, provider="openai", model_name="gpt-4"), environment={}).provider == "OpenAI"


def test_openai_honours_its_variable_and_keeps_it_in_the_record():
    named = replace(SPEC, provider="OpenAI", model_name="gpt-4")
    done = specs.complete(named, environment={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1/"})
    assert done.settings == {"base_url": "http://127.0.0.1:9/v1"}
    assert specs.endpoint(done) == specs.Endpoint("http://127.0.0.1:9/v1", "OPENAI_API_KEY")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"provider": "opnai"}, "did you mean 'OpenAI'?"),
        ({"model_name": "rules1"}, "did you mean 'rules-1'?"),
        ({"base_url": "http://127.0.0.1:1"}, "the builtin model has no base_url"),
        ({"provider": "mine", "base_url": "127.0.0.1:1"}, "is no address"),
        ({"provider": "mine", "base_url": "http://me:secret@127.0.0.1/v1"}, "holds a user name or password"),
        ({"provider": "mine", "base_url": "http://[::1/v1"}, "is no address"),
        ({"provider": "mine", "base_url": "http://me:secret@[::1/v1"}, "holds a user name or password"),
        ({"provider": "mine", "base_url": "me:secret@127.0.0.1/v1"}, "holds a user name or password"),
        ({"provider": "mine", "base_url": "http:/me:secret@127.0.0.1/v1"}, "holds a user name or password"),
        ({"provider": "mine", "base_url": "http://127.0.0.1/v1?key=secret"}, "behind ? or #"),
        ({"provider": "mine", "base_url": "127.0.0.1/v1#secret"}, "behind ? or #"),
        ({"provider": "mine", "base_url": "http://127.0.0.1:99999/v1"}, "is no address"),
        ({"provider": "mine", "base_url": "http://127.0.0.1:port/v1"}, "is no address"),
        ({"provider": "mine", "base_url": "http://my host/v1"}, "is no address"),
        ({"provider": "mine", "base_url": "http://my\nhost/v1"}, "is no address"),
        ({"provider": "mine", "base_url": "sk-proj-secret"}, "base_url is no address"),
        ({"provider": "mine", "base_url": "http://u:secret%40h/v1"}, "base_url is no address"),
        ({"provider": "mine", "base_url": "http://127.0.0.1/v1&key=secret"}, "base_url is no address"),
        ({"provider": "mine", "base_url": "http://127.0.0.1/v1\uff1fkey=secret"}, "base_url is no address"),
        ({"provider": "sk-secret"}, "unknown provider: there are:"),
        ({"api_key_env": "abcdefsecretkey0123"}, "never the key itself"),
        ({"name": "a.try"}, "let 'a.try' end otherwise"),
        ({"name": "caf\udce9"}, "holds a byte that is no letter"),
        ({"notes": "caf\udce9"}, "notes holds a byte that is no letter"),
        ({"concurrency": 1001}, "concurrency 1001 is more than 1000"),
        ({"repeat": 1001}, "repeats 1001 is more than 1000"),
        ({"temperature": 3.0}, "not between 0 and 2"),
        ({"temperature": float("nan")}, "not between 0 and 2"),
        ({"reasoning_effort": "hihg"}, "did you mean 'high'?"),
        ({"sample": 0}, "sample 0 is not a number from 1 up"),
        ({"name": "a@2"}, "would be read as a version"),
        ({"name": " "}, "one line of text"),
        ({"name": "a\nb"}, "one line of text"),
    ],
)
def test_a_value_that_cannot_be_run_is_refused_in_one_line(change, said):
    with pytest.raises(ConfigError) as refused:
        specs.complete(replace(SPEC, **change), environment={})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_an_address_in_brackets_is_one():
    named = replace(SPEC, provider="mine", model_name="m", base_url="http://[::1]:8000/v1/")
    assert specs.complete(named, environment={}).base_url == "http://[::1]:8000/v1"


def test_every_value_that_cannot_be_run_is_said_at_once():
    wrong = replace(SPEC, name="a@2", provider="opnai", temperature=9.0, reasoning_effort="hihg", sample=0)
    found = specs.problems(wrong, environment={})
    assert len(found) == 5
    with pytest.raises(ConfigError) as refused:
        specs.complete(wrong, environment={})
    assert str(refused.value) == "; ".join(found)
    assert specs.problems(SPEC, environment={}) == []


@pytest.mark.parametrize("key", ["sk-canary-1234", "hf_CanaryAbcdefghij1234", "gsk_Canary9abcdefghijk", "MY KEY", ""])
def test_a_key_where_its_variable_is_to_be_named_is_refused_and_not_shown(key):
    with pytest.raises(ConfigError, match="api_key_env is the name of a variable") as refused:
        specs.complete(replace(SPEC, api_key_env=key), environment={})
    assert not key or key not in str(refused.value)


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "MY_OWN_KEY_FOR_THE_SECOND_PROJECT_2", "my_key_2", "K"])
def test_the_name_of_a_variable_is_taken_as_it_is(name):
    assert specs.complete(replace(SPEC, api_key_env=name), environment={}).api_key_env == name
