import asyncio
import json
import re
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint import answer, completion
from exphub_magics import answers, prompts, providers, specs
from exphub_magics.errors import EndpointError
from exphub_magics.questions import Failure, Reply

SPEC = specs.Spec(name="first", prompt=prompts.parse("Is it?"), provider="scripted", model_name="m")


def ask(spec, *texts, environment=None):
    """Ask each text in turn through one endpoint."""

    async def go():
        answerer = providers.answerer(specs.complete(spec), environment=environment or {})
        try:
            return [await answerer.ask(spec.question(str(n), text, {})) for n, text in enumerate(texts)]
        finally:
            await answerer.close()

    return asyncio.run(go())


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(providers, "_pause", lambda _attempt: 0.0)


@pytest.fixture
def spec_at():
    return lambda endpoint, **more: replace(SPEC, base_url=endpoint.url, **more)


def test_a_reply_is_kept_with_what_was_learnt(scripted, spec_at):
    endpoint = scripted(
        lambda _body: completion(
            answer(True),
            model="/models/of/somebody/m-7b.gguf",
            system_fingerprint="fp",
            usage={
                "prompt_tokens": 11,
                "completion_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            message={"reasoning_content": "hm"},
        )
    )
    (reply,) = ask(spec_at(endpoint), "text")
    assert replace(reply, seconds=None) == Reply(
        body=answer(True),
        reasoning="hm",
        finish_reason="stop",
        served_model="m-7b.gguf",
        system_fingerprint="fp",
        answer_format="schema",
        prompt_tokens=11,
        cached_tokens=5,
        completion_tokens=7,
        reasoning_tokens=3,
    )


def test_only_what_the_spec_says_is_sent_with_the_schema(scripted, spec_at):
    endpoint = scripted(lambda _body: completion(answer(True)))
    ask(spec_at(endpoint), "text")
    ask(spec_at(endpoint, temperature=0.2, max_tokens=50, seed=3, reasoning_effort="low"), "text")
    plain, full = endpoint.requests
    assert set(plain) == {"model", "messages", "response_format"}
    assert plain["response_format"]["json_schema"]["schema"] == answers.SCHEMA
    assert plain["messages"] == [{"role": "system", "content": "Is it?"}, {"role": "user", "content": "text"}]
    assert {key: full[key] for key in ("temperature", "max_tokens", "seed", "reasoning_effort")} == {
        "temperature": 0.2,
        "max_tokens": 50,
        "seed": 3,
        "reasoning_effort": "low",
    }


def test_the_form_that_an_endpoint_takes_is_found_out_once(scripted, spec_at):
    def script(body):
        form = body.get("response_format", {}).get("type")
        if form:
            return 400, {"error": {"message": f"response_format {form} is not supported"}}
        return completion(answer(False))

    endpoint = scripted(script)
    replies = ask(spec_at(endpoint), "a", "b")
    assert [reply.answer_format for reply in replies] == ["text", "text"]
    assert [body.get("response_format", {}).get("type") for body in endpoint.requests] == [
        "json_schema",
        "json_object",
        None,
        None,
    ]
    assert replies[0].attempts == 1
    assert answers.FORMAT_SENTENCE in endpoint.requests[-1]["messages"][0]["content"]
    assert endpoint.requests[-1]["messages"][1]["content"] == "b"


def test_what_passes_is_tried_again_and_counted(scripted, spec_at):
    troubles = iter(
        [
            (500, {"error": {"message": "oops"}}),
            (429, {"error": {"message": "slow down"}}, {"Retry-After": "0"}),
            (200, '{"choices": [{"mess'),
            (200, {"error": {"message": "overloaded"}}),
            completion(answer(True)),
        ]
    )
    (reply,) = ask(spec_at(scripted(lambda _body: next(troubles))), "text")
    assert (reply.attempts, reply.body) == (5, answer(True))


@pytest.mark.parametrize(
    ("said", "error", "attempts"),
    [
        ((400, {"error": {"message": "longer than the context"}}), "400: longer than the context", 1),
        ((422, {"error": {"message": "no"}}), "422: no", 1),
        ((500, {"error": {"message": "oops"}}), "500: oops", providers.ATTEMPTS),
        ((200, "<html>"), "unreadable reply: ", providers.ATTEMPTS),
        ((200, "[]"), "unreadable reply: the endpoint sent something else", providers.ATTEMPTS),
        ((200, {"choices": []}), "unreadable reply: no choices", providers.ATTEMPTS),
        ((200, {"choices": [None]}), "unreadable reply: no choices", providers.ATTEMPTS),
        ((200, {"choices": {"a": 1}}), "unreadable reply: no choices", providers.ATTEMPTS),
        ((200, {"choices": [{"message": "words"}]}), "unreadable reply: the message is no", providers.ATTEMPTS),
        ((200, completion(5)), "unreadable reply: the content is no text", providers.ATTEMPTS),
        ((200, "[" * 100_000), "unreadable reply: ", providers.ATTEMPTS),
        ((200, {"error": {"message": "half \ud800"}}), "unreadable reply: half \ufffd", providers.ATTEMPTS),
        ((400, {"error": {"message": "half \ud800"}}), "400: half \ufffd", 1),
        ((307, "", {"Location": "http://127.0.0.1:1/v1"}), "307: ", 1),
    ],
)
def test_a_question_that_cannot_be_answered_is_a_failure_with_its_reason(scripted, spec_at, said, error, attempts):
    endpoint = scripted(lambda _body: said)
    (failure,) = ask(spec_at(endpoint), "She fell.")
    assert isinstance(failure, Failure)
    assert failure.error.startswith(error)
    assert failure.attempts == attempts == len(endpoint.requests)


KEYS = ["message", "content", "text", "type", "refusal", "reasoning", "finish_reason", "prompt_tokens"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
COMPLETIONS = st.fixed_dictionaries({"choices": JSON}, optional={"usage": JSON, "model": JSON, "error": JSON})


@given(COMPLETIONS | st.builds(lambda message: {"choices": [{"message": message}]}, JSON))
def test_no_reply_whatever_is_in_it_is_more_than_a_reply_or_a_failure(said):
    endpoint = providers.Endpoint.of(specs.complete(replace(SPEC, base_url="http://127.0.0.1:1/v1")), {})

    class Client:
        async def post(self, *_where, **_what):
            return said

    endpoint.client = Client()
    outcome = asyncio.run(endpoint.ask(SPEC.question("1", "text", {})))
    assert isinstance(outcome, Reply | Failure)
    for value in astuple(outcome):
        assert not isinstance(value, list | dict)
        assert not re.search(r"[\ud800-\udfff]", str(value))


NARRATIVE = "Victim was found in the kitchen; her husband Émile said they had argued."
ECHOES = [
    (NARRATIVE, f"cannot do: {NARRATIVE}"),
    (NARRATIVE, "cannot do: … HER HUSBAND émile\nsaid, they …"),
    (NARRATIVE, {"input": [NARRATIVE[10:60]]}),
    (NARRATIVE, "x" * 400 + NARRATIVE),
    ("Shot, at home.", "cannot do: shot at home"),
]


@pytest.mark.parametrize(("narrative", "said"), ECHOES)
@pytest.mark.parametrize(("status", "start"), [(400, "400"), (500, "500"), (200, "unreadable reply")])
def test_a_reason_that_repeats_the_text_is_left_out(scripted, spec_at, narrative, said, status, start):
    endpoint = scripted(lambda _body: (status, {"error": {"message": said}}))
    (failure,) = ask(spec_at(endpoint), narrative)
    assert failure.error == f"{start}: (the reason repeats the text and is left out)"


@pytest.mark.parametrize("status", [401, 404])
@pytest.mark.parametrize(("narrative", "said"), ECHOES)
def test_an_error_that_ends_the_run_does_not_repeat_the_text_either(scripted, spec_at, narrative, said, status):
    endpoint = scripted(lambda _body: (status, {"error": {"message": said}}))
    with pytest.raises(EndpointError, match=r": \(the reason repeats the text and is left out\)$"):
        ask(spec_at(endpoint), narrative)


def test_a_text_in_the_system_message_is_not_repeated_either(scripted, spec_at):
    endpoint = scripted(lambda _body: (400, {"error": {"message": f"no: {NARRATIVE}"}}))
    prompt = prompts.parse("system:\nRead: {{ narrative }}\nuser:\nIs it so?")
    (failure,) = ask(spec_at(endpoint, prompt=prompt), NARRATIVE)
    assert "kitchen" not in failure.error


def test_a_reason_with_a_few_words_of_the_text_is_kept(scripted, spec_at):
    endpoint = scripted(lambda _body: (400, {"error": {"message": "no model was found in the list"}}))
    (failure,) = ask(spec_at(endpoint), NARRATIVE)
    assert failure.error == "400: no model was found in the list"


@pytest.mark.parametrize(("status", "said"), [(401, "refuses the key"), (403, "refuses the key"), (404, "'m'")])
def test_what_will_never_be_answered_ends_the_run(scripted, spec_at, status, said):
    endpoint = scripted(lambda _body: (status, {"error": {"message": "the key sk-canary is wrong"}}))
    with pytest.raises(EndpointError, match=said) as ended:
        ask(spec_at(endpoint, api_key_env="K"), "text", environment={"K": "sk-canary"})
    assert "canary" not in str(ended.value)
    assert len(endpoint.requests) == 1


def test_nobody_there_is_one_line_with_the_address(scripted, spec_at):
    endpoint = scripted(lambda _body: None)
    spec = spec_at(endpoint)
    endpoint.close()
    with pytest.raises(EndpointError, match=r"nobody answers at http://127\.0\.0\.1"):
        ask(spec, "text")


def test_a_missing_key_is_said_before_any_call():
    with pytest.raises(EndpointError, match="OpenAI needs a key: set the variable OPENAI_API_KEY"):
        ask(replace(SPEC, provider="OpenAI"), "text")
    with pytest.raises(EndpointError, match="set the variable MINE"):
        ask(replace(SPEC, base_url="http://127.0.0.1:1", api_key_env="MINE"), "text")


def test_blanks_around_a_key_are_no_part_of_it(scripted, spec_at):
    endpoint = scripted(lambda _body: completion(answer(True)))
    ask(spec_at(endpoint, api_key_env="K"), "text", environment={"K": " \tsk-canary\r\n"})
    assert endpoint.headers[0]["Authorization"] == "Bearer sk-canary"
    with pytest.raises(EndpointError, match="needs a key: set the variable K"):
        ask(spec_at(endpoint, api_key_env="K"), "text", environment={"K": " \n"})


@pytest.mark.parametrize("key", ["sk-canary\nX: y", "sk-canary\0", "sk-canäry", "\ufeffsk-canary", "“sk-canary”"])
def test_what_cannot_be_a_key_is_said_before_any_call_without_it(scripted, spec_at, key):
    endpoint = scripted(lambda _body: completion(answer(True)))
    with pytest.raises(EndpointError) as ended:
        ask(spec_at(endpoint, api_key_env="MY_KEY"), "text", environment={"MY_KEY": key})
    assert str(ended.value) == "MY_KEY holds a character that no key has: set the variable anew"
    assert endpoint.requests == []


def test_a_body_that_drips_is_cut_by_the_deadline(scripted, spec_at, monkeypatch):
    monkeypatch.setattr(providers, "DEADLINE_SECONDS", 0.2)
    monkeypatch.setattr(providers, "ATTEMPTS", 2)
    endpoint = scripted(lambda _body: completion(answer(True)))
    endpoint.delay = 30
    (failure,) = ask(spec_at(endpoint), "text")
    assert failure == Failure("no answer within 0.2 s", 2)


def test_a_local_endpoint_is_never_reached_through_a_proxy(scripted, spec_at, monkeypatch):
    endpoint = scripted(lambda _body: completion(answer(True)))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    (reply,) = ask(spec_at(endpoint), "text")
    assert isinstance(reply, Reply)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:1/v1", True),
        ("http://localhost:1/v1", True),
        ("http://LOCALHOST./v1", True),
        ("http://[::1]:1/v1", True),
        ("http://127.0.0.1.nip.io/v1", False),
        ("http://localhost.example.org/v1", False),
        ("http://127.0.0.1@example.org/v1", False),
        ("http://192.168.0.2/v1", False),
        ("http://0.0.0.0/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_an_address_is_this_machines_own_by_its_host_alone(url, local):
    assert providers.is_local(url) is local


def test_the_builtin_model_answers_in_the_form_asked_for():
    (reply,) = ask(replace(SPEC, provider="builtin", model_name="rules-1"), "V was hit by her boyfriend.")
    assert set(json.loads(reply.body)) == {"reasoning_steps", "rational", "flag", "confidence"}
