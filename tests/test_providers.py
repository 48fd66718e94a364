import asyncio
import itertools
import json
import re
import time
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint import answer, completion
from exphub_magics import answers, failures, prompts, providers, specs
from exphub_magics.errors import EndpointError
from exphub_magics.providers.forms import Form
from exphub_magics.providers.reasons import LEFT_OUT
from exphub_magics.questions import Failure, Reply
from faults import slow

SPEC = specs.Spec(name="first", prompt=prompts.parse("Is it?"), provider="scripted", model_name="m")


def ask(spec, *texts, environment=None, form=None, seen=None):
    """Ask each text in turn through one endpoint; `seen` is given the endpoint afterwards."""

    async def go():
        answerer = providers.answerer(specs.complete(spec), environment=environment or {}, form=form)
        try:
            return [await answerer.ask(spec.question(str(n), text, {})) for n, text in enumerate(texts)]
        finally:
            await answerer.close()
            if seen is not None:
                seen.append(answerer)

    return asyncio.run(go())


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(providers, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(providers, "LONGEST_PAUSE_SECONDS", 0.002)


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
        parameters='{"logprobs": true, "response_format": "json_schema", "top_logprobs": 2}',
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
    assert set(plain) == {"model", "messages", "response_format", "logprobs", "top_logprobs"}
    assert plain["response_format"]["json_schema"]["schema"] == answers.SCHEMA
    assert plain["messages"] == [{"role": "system", "content": "Is it?"}, {"role": "user", "content": "text"}]
    assert {key: full[key] for key in ("temperature", "max_tokens", "seed", "reasoning_effort")} == {
        "temperature": 0.2,
        "max_tokens": 50,
        "seed": 3,
        "reasoning_effort": "low",
    }


def test_a_chance_of_a_yes_is_kept_where_the_endpoint_gives_it(scripted, spec_at):
    def script(_body):
        rivals = [{"token": " true", "logprob": -0.105}, {"token": " false", "logprob": -2.303}]
        said = completion('{"flag": true}')
        tokens = [{"token": '{"flag":', "logprob": 0}, {**rivals[0], "top_logprobs": rivals}, {"token": "}"}]
        said["choices"][0]["logprobs"] = {"content": tokens}
        return said

    (reply,) = ask(spec_at(scripted(script)), "text")
    assert reply.p_true == pytest.approx(0.9, abs=0.001)


# --- the form of the answer -------------------------------------------------------------------------------


def rejecting(*parts, status=400, said="{part} is not supported"):
    """A script that turns requests down for any of these parts, the first that is there named."""

    def script(body):
        sent = {*body, body.get("response_format", {}).get("type")}
        for part in parts:
            if part in sent:
                return status, {"error": {"message": said.format(part=part)}}
        return completion(answer(False))

    return script


def asked_for(endpoint):
    """The form of each request: schema, json or text, and whether chances were asked for."""
    names = {"json_schema": "schema", "json_object": "json", None: "text"}
    return [(names[body.get("response_format", {}).get("type")], "logprobs" in body) for body in endpoint.requests]


def test_the_form_that_an_endpoint_takes_is_found_out_once(scripted, spec_at):
    endpoint, seen = scripted(rejecting("logprobs", "json_schema", "json_object")), []
    replies = ask(spec_at(endpoint), "a", "b", seen=seen)
    assert [(reply.answer_format, reply.attempts) for reply in replies] == [("text", 1), ("text", 1)]
    assert asked_for(endpoint) == [("schema", True), ("schema", False), ("json", False), *[("text", False)] * 2]
    assert answers.FORMAT_SENTENCE in endpoint.requests[-1]["messages"][0]["content"]
    assert endpoint.requests[-1]["messages"][1]["content"] == "b"
    assert (seen[0].form, seen[0].settled, seen[0].retried) == (Form("text", logprobs=False), True, 3)
    assert replies[0].parameters == "{}"


def test_a_form_that_is_known_is_not_found_out_anew(scripted, spec_at):
    endpoint = scripted(rejecting("logprobs", "json_schema", "json_object"))
    ask(spec_at(endpoint), "a", form=Form("text", logprobs=False))
    assert asked_for(endpoint) == [("text", False)]


def test_an_endpoint_that_names_no_part_is_asked_in_plainer_forms_one_by_one(scripted, spec_at):
    endpoint = scripted(rejecting("json_schema", status=422, said="unprocessable"))
    replies = ask(spec_at(endpoint), "a", "b")
    assert [reply.answer_format for reply in replies] == ["json", "json"]
    assert asked_for(endpoint) == [("schema", True), ("schema", False), ("json", False), ("json", False)]


def test_the_limit_of_tokens_is_sent_under_the_key_that_the_model_takes(scripted, spec_at):
    said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    endpoint, seen = scripted(rejecting("max_tokens", said=said)), []
    ask(spec_at(endpoint, max_tokens=50), "a", "b", seen=seen)
    assert [body.get("max_completion_tokens") for body in endpoint.requests] == [None, 50, 50]
    assert seen[0].form == Form(length="max_completion_tokens")


def test_one_narrative_that_is_turned_down_in_every_form_degrades_no_other(scripted, spec_at):
    def script(body):
        bad = body["messages"][-1]["content"] == "bad"
        return (400, {"error": {"message": "invalid input"}}) if bad else completion(answer(True))

    endpoint, seen = scripted(script), []
    failure, reply = ask(spec_at(endpoint), "bad", "good", seen=seen)
    assert failure == Failure("400: invalid input", 1)
    assert reply.answer_format == "schema"
    assert (len(endpoint.requests), seen[0].form) == (5, Form())


def test_once_settled_a_rejection_without_a_name_is_the_narratives(scripted, spec_at):
    endpoint = scripted(
        lambda body: (
            (400, {"error": {"message": "invalid input"}})
            if body["messages"][-1]["content"] == "bad"
            else completion(answer(True))
        )
    )
    _, failure = ask(spec_at(endpoint), "good", "bad")
    assert failure == Failure("400: invalid input", 1)
    assert len(endpoint.requests) == 2


def test_a_text_that_is_too_long_says_nothing_about_the_form(scripted, spec_at):
    endpoint, seen = scripted(lambda _body: (400, {"error": {"code": "context_length_exceeded", "message": "no"}})), []
    (failure,) = ask(spec_at(endpoint), "text", seen=seen)
    assert failure == Failure("400: no", 1)
    assert (len(endpoint.requests), seen[0].form, seen[0].settled) == (1, Form(), False)


def test_an_endpoint_that_passes_the_schema_over_in_silence_is_told_in_words(scripted, spec_at):
    def script(body):
        told = answers.FORMAT_SENTENCE in body["messages"][0]["content"]
        return completion(answer(True) if told else "It may well be so, from what is told here.")

    endpoint, seen = scripted(script), []
    replies = ask(spec_at(endpoint), "a", "b", seen=seen)
    assert [(reply.body, reply.attempts) for reply in replies] == [(answer(True), 2), (answer(True), 1)]
    assert (len(endpoint.requests), seen[0].form) == (3, Form("json"))


def test_a_model_that_answers_in_prose_whatever_it_is_told_is_asked_twice_only_once(scripted, spec_at):
    endpoint, seen = scripted(lambda body: completion(f"It may well be so: {len(body)}")), []
    replies = ask(spec_at(endpoint), "a", "b", seen=seen)
    assert [(reply.answer_format, reply.attempts) for reply in replies] == [("schema", 2), ("schema", 1)]
    assert (len(endpoint.requests), seen[0].form) == (3, Form())


def test_prose_that_was_paid_for_is_kept_where_asking_again_fails(scripted, spec_at):
    said = iter([completion("It may well be so."), *[(500, "oops")] * failures.ATTEMPTS["broken"]])
    (reply,) = ask(spec_at(scripted(lambda _body: next(said))), "a")
    assert (reply.body, reply.attempts) == ("It may well be so.", 1 + failures.ATTEMPTS["broken"])


def test_questions_under_way_together_settle_on_the_fullest_form_that_was_taken(scripted, spec_at):
    def script(body):
        if body["messages"][-1]["content"] == "even":
            return slow(0.3)  # the odd one has gone through all forms by then
        return (400, {"error": {"message": "invalid input"}}) if "response_format" in body else completion(answer(True))

    spec, forms = specs.complete(spec_at(scripted(script))), []

    async def go():
        answerer = providers.answerer(spec, environment={})

        async def once(number, text):
            reply = await answerer.ask(spec.question(str(number), text, {}))
            forms.append((reply.answer_format, answerer.form.answer))

        await asyncio.gather(*(once(number, text) for number, text in enumerate(["odd", "even", "even"])))
        await answerer.close()

    asyncio.run(go())
    assert forms == [("text", "text"), ("schema", "schema"), ("schema", "schema")]


@pytest.mark.parametrize(
    ("settings", "said", "line"),
    [
        (
            {"temperature": 0.0},
            {"message": "Unsupported value: 'temperature' does not support 0.0", "param": "temperature"},
            "'m' does not take temperature 0.0, change it or leave it out: Unsupported value",
        ),
        ({"seed": 3}, {"message": "Unknown parameter", "param": "seed"}, "'m' does not take seed 3, change it"),
        ({"max_tokens": 10**9}, {"message": "max_tokens is too large"}, "does not take max_tokens 1000000000"),
        ({"reasoning_effort": "low"}, {"message": "no reasoning_effort here"}, "does not take reasoning_effort low"),
    ],
)
def test_a_setting_that_the_model_does_not_take_ends_the_run_before_it_began(scripted, spec_at, settings, said, line):
    endpoint = scripted(lambda _body: (400, {"error": said}))
    with pytest.raises(EndpointError, match=line):
        ask(spec_at(endpoint, **settings), "text")
    assert len(endpoint.requests) == 1


def test_a_text_that_speaks_of_a_setting_is_not_taken_for_one(scripted, spec_at):
    text = "The temperature in the room was low when she was found."
    endpoint = scripted(lambda body: (400, {"error": {"message": f"no: {body['messages'][-1]['content']}"}}))
    (failure,) = ask(spec_at(endpoint, temperature=0.5), text)
    assert failure.error == f"400: {LEFT_OUT}"


# --- asking again -----------------------------------------------------------------------------------------


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
        ((422, {"error": {"message": "too long"}}), "422: too long", 1),
        ((500, {"error": {"message": "oops"}}), "500: oops", failures.ATTEMPTS["broken"]),
        ((429, {"error": {"message": "slow"}}), "429: slow", failures.ATTEMPTS["busy"]),
        ((200, "<html>"), "unreadable reply: ", failures.ATTEMPTS["unreadable"]),
        ((200, "[]"), "unreadable reply: the endpoint sent something else", failures.ATTEMPTS["unreadable"]),
        ((200, {"choices": []}), "unreadable reply: no choices", failures.ATTEMPTS["unreadable"]),
        ((200, "[" * 100_000), "unreadable reply: ", failures.ATTEMPTS["unreadable"]),
        (
            (200, {"error": {"message": "half \ud800"}}),
            "unreadable reply: half \ufffd",
            failures.ATTEMPTS["unreadable"],
        ),
        ((400, {"error": {"message": "half \ud800 too long"}}), "400: half \ufffd", 1),
    ],
)
def test_a_question_that_cannot_be_answered_is_a_failure_with_its_reason(scripted, spec_at, said, error, attempts):
    endpoint, seen = scripted(lambda _body: said), []
    (failure,) = ask(spec_at(endpoint), "She fell.", seen=seen)
    assert isinstance(failure, Failure)
    assert failure.error.startswith(error)
    assert failure.attempts == attempts == len(endpoint.requests) == seen[0].retried + 1


def test_a_question_that_fails_in_many_ways_is_asked_no_more_than_the_most(scripted, spec_at):
    kinds = itertools.cycle([(429, "slow"), (429, "slow"), (429, "slow"), (500, "oops"), (200, "<html>")])
    endpoint = scripted(lambda _body: next(kinds))
    (failure,) = ask(spec_at(endpoint), "text")
    assert failure.attempts == len(endpoint.requests) <= failures.MOST_ATTEMPTS


def test_an_endpoint_that_asks_to_wait_is_left_alone_by_every_question(scripted, spec_at):
    moments, first = [], True

    def script(_body):
        nonlocal first
        moments.append(time.monotonic())
        if first:
            first = False
            return 429, {"error": {"message": "slow down"}}, {"Retry-After": "0.3"}
        return completion(answer(True))

    spec = specs.complete(spec_at(scripted(script), concurrency=4))

    async def go():
        answerer = providers.answerer(spec, environment={})
        ask = lambda n: answerer.ask(spec.question(str(n), "text", {}))  # noqa: E731 - once
        first = asyncio.create_task(ask(0))
        while not answerer.pace.held_seconds:  # noqa: ASYNC110 - a pace tells nobody
            await asyncio.sleep(0.001)
        level = answerer.pace.level
        await asyncio.gather(first, *(ask(n) for n in range(1, 4)))
        await answerer.close()
        return level

    assert asyncio.run(go()) == 2
    assert len(moments) == 5
    assert moments[1] - moments[0] >= 0.3


def test_each_pause_is_anywhere_up_to_a_ceiling_that_doubles(monkeypatch):
    monkeypatch.setattr(providers, "FIRST_PAUSE_SECONDS", 1.0)
    monkeypatch.setattr(providers, "LONGEST_PAUSE_SECONDS", 60.0)
    for number, ceiling in [(1, 1), (2, 2), (4, 8), (12, 60)]:
        pauses = [providers._pause(number) for _ in range(500)]  # noqa: SLF001 - its spread shows nowhere else
        assert 0 <= min(pauses) < 0.2 * ceiling
        assert 0.8 * ceiling < max(pauses) <= ceiling


KEYS = ["message", "content", "text", "type", "refusal", "reasoning", "finish_reason", "prompt_tokens"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
COMPLETIONS = st.fixed_dictionaries({"choices": JSON}, optional={"usage": JSON, "model": JSON, "error": JSON})


@given(COMPLETIONS | st.builds(lambda message: {"choices": [{"message": message}]}, JSON) | JSON)
def test_no_reply_whatever_is_in_it_is_more_than_a_reply_or_a_failure(said):
    endpoint = providers.Endpoint.of(specs.complete(replace(SPEC, base_url="http://127.0.0.1:1/v1")), {})

    class Client:
        async def post(self, *_where, **_what):
            return json.dumps(said).encode()

    endpoint.connection.client = Client()
    try:
        outcome = asyncio.run(endpoint.ask(SPEC.question("1", "text", {})))
    except EndpointError:  # a status within the reply may say that no question will be answered
        assert "code" in json.dumps(said)
        return
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


# --- what may be kept of a reason -------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("more", "variable", "line"),
    [
        (
            {"api_key_env": "MY_KEY"},
            "MY_KEY",
            r"scripted refuses the key in MY_KEY \(401\): set it to one that is valid",
        ),
        ({"provider": "OpenAI"}, "OPENAI_API_KEY", r"OpenAI refuses the key in OPENAI_API_KEY \(401\): set it to one"),
        ({"provider": "OpenRouter"}, None, r"OpenRouter refuses the key \(401\), since none was sent: set OPENROUTER_"),
        ({}, None, r"scripted refuses the key \(401\), since none was sent: put one into a variable, .+ api_key_env"),
    ],
)
def test_a_key_that_is_refused_is_named_by_its_variable_with_the_next_step(scripted, spec_at, more, variable, line):
    endpoint = scripted(lambda _body: (401, {"error": {"message": "Incorrect API key provided: sk-canary-1234."}}))
    environment = {variable: "sk-canary-1234"} if variable else {}
    with pytest.raises(EndpointError, match=f"{line}.+ It says: Incorrect API key provided: ") as ended:
        ask(spec_at(endpoint, **more), "text", environment=environment)
    assert len(str(ended.value).splitlines()) == 1
    assert ("canary" in str(ended.value)) == (not variable)  # what was never sent is not known for a key


def test_a_key_that_may_not_use_the_model_is_told_apart_from_a_wrong_one(scripted, spec_at):
    endpoint = scripted(lambda _body: (403, {"error": {"message": "not in your country"}}))
    with pytest.raises(EndpointError) as ended:
        ask(spec_at(endpoint, api_key_env="K"), "text", environment={"K": "sk-canary"})
    assert str(ended.value) == (
        "scripted refuses the key in K (403): see there what it may use, or set another, then run it again. "
        "It says: not in your country"
    )


def test_an_unknown_model_is_answered_with_where_it_was_looked_for(scripted, spec_at):
    endpoint = scripted(lambda _body: (404, {"error": {"message": "model 'm' not found"}}))
    with pytest.raises(EndpointError) as ended:
        ask(spec_at(endpoint), "text")
    assert str(ended.value) == (
        f"scripted does not know 'm' or the path (404): is the model called that there, and is base_url right, "
        f"{endpoint.url}? It says: model 'm' not found"
    )


KEY = "ky-proj-Q7w8_E9r0T1-y2U3i4_O5p6-A7s8xyz"
SHOWN = [
    *(KEY, f"{KEY[:6]}***{KEY[-3:]}", f"{KEY[:10]}************{KEY[-4:]}", f"{KEY[:20]} {KEY[20:]}"),
    *(f"Bearer {KEY}", f"…{KEY[-4:]}", f"{KEY[:8]}...", f"key={KEY[8:-3]}&x=1"),
]


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
def test_no_piece_of_a_key_that_is_echoed_is_kept(scripted, spec_at, shown, status):
    endpoint = scripted(lambda _body: (status, {"error": {"message": f"Incorrect API key provided: {shown}."}}))
    spec = spec_at(endpoint, api_key_env="K")
    try:
        kept = ask(spec, "text", environment={"K": KEY})[0].error
    except EndpointError as error:
        kept = str(error)
    assert "Incorrect API key provided: " in kept
    assert not any(KEY[place : place + 4] in kept for place in range(len(KEY) - 3))
    assert "xyz" not in kept


@pytest.mark.parametrize("status", [200, 400, 404, 500])
def test_of_a_path_that_is_echoed_the_last_component_is_kept(scripted, spec_at, status):
    said = "cannot load '/srv/models/of some one/m.gguf' or /srv/models/n.gguf"
    endpoint = scripted(lambda _body: (status, {"error": {"message": said}}))
    try:
        kept = ask(spec_at(endpoint), "text")[0].error
    except EndpointError as error:
        kept = str(error)
    assert "cannot load 'm.gguf' or n.gguf" in kept
    assert "srv" not in kept


def test_the_key_is_in_no_representation(scripted, spec_at):
    seen = []
    ask(
        spec_at(scripted(lambda _body: completion(answer(True))), api_key_env="K"),
        "a",
        environment={"K": KEY},
        seen=seen,
    )
    assert KEY not in repr(seen)


# --- what ends a run --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ((402, {"error": {"message": "pay"}}), "scripted has no credit left, add some and run it again"),
        ((429, {"error": {"message": "x", "code": "insufficient_quota"}}), "scripted has no credit left"),
        ((429, "daily", {"Retry-After": "3600"}), "scripted asks to wait 1 h, run it again then: daily"),
        ((503, "closed", {"Retry-After-Ms": "600000"}), "scripted asks to wait 10 min"),
        (
            (405, ""),
            r"does not know 'm' or the path \(405\): is .+ called that there, .+/v1\? It says: Method Not Allowed",
        ),
        ((301, ""), "sends on to another address .301.: correct base_url"),
    ],
)
def test_what_no_request_would_mend_ends_the_run_at_once(scripted, spec_at, said, line):
    endpoint = scripted(lambda _body: said)
    with pytest.raises(EndpointError, match=line):
        ask(spec_at(endpoint), "text")
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_text_is_not_sent_on_to_where_an_endpoint_points(scripted, spec_at, status):
    other = scripted(lambda _body: completion(answer(True)))
    endpoint = scripted(lambda _body: (status, "", {"Location": f"{other.url}/chat/completions"}))
    with pytest.raises(EndpointError, match="another address"):
        ask(spec_at(endpoint), "text")
    assert other.requests == []


@pytest.mark.parametrize("said", [(500, "oops"), (429, "slow"), (200, "<html>")])
def test_an_endpoint_without_an_answer_to_twenty_questions_in_a_row_is_left(scripted, spec_at, said):
    endpoint = scripted(lambda _body: said)
    with pytest.raises(EndpointError, match=r"20 questions in a row had no answer \(.+\); what is answered is kept"):
        ask(spec_at(endpoint), *(f"text {n}" for n in range(25)))
    assert len(set(endpoint.narratives())) == 20


def test_an_answer_between_begins_the_count_anew(scripted, spec_at):
    endpoint = scripted(lambda body: completion(answer(True)) if "19" in str(body["messages"]) else (500, "oops"))
    outcomes = ask(spec_at(endpoint), *(f"text {n}" for n in range(39)))
    assert [isinstance(outcome, Reply) for outcome in outcomes] == [n == 19 for n in range(39)]


def in_other_forms(number):
    """The requests in other forms: three each by the first, second, fourth, eighth and sixteenth question."""
    return 3 * number.bit_length()


def texts(number):
    return [f"text {n}" for n in range(number)]


def numbered(said="invalid input, request req-{:04x}"):
    """A script that turns everything down, each request in words of its own."""
    numbers = itertools.count()
    return lambda _body: (400, {"error": {"message": said.format(next(numbers))}})


def test_texts_that_are_too_long_end_a_run_only_when_very_many_are(scripted, spec_at):
    endpoint = scripted(lambda _body: (400, {"error": {"message": "too long"}}))
    assert len(ask(spec_at(endpoint), *texts(50))) == 50
    with pytest.raises(EndpointError, match=r"200 narratives in a row .+: shorten the texts, or take a model with"):
        ask(spec_at(endpoint), *texts(250))
    assert len(endpoint.requests) == 50 + providers.TOO_LONG
    too_large = scripted(lambda _body: (413, ""))
    assert len(ask(spec_at(too_large), *texts(50))) == len(too_large.requests) == 50


def test_an_endpoint_that_turns_everything_down_for_one_reason_is_left(scripted, spec_at):
    endpoint = scripted(numbered())
    with pytest.raises(EndpointError) as ended:
        ask(spec_at(endpoint), *texts(100))
    assert re.fullmatch(
        r"scripted answered nothing and turned down 20 narratives in a row for one reason "
        r"\(400: invalid input, request req-\w+\): change prompt or settings, then run it again",
        str(ended.value),
    )
    assert len(endpoint.requests) == providers.UNANSWERED + in_other_forms(20)


def test_many_at_once_leave_trying_forms_to_one_of_them(scripted, spec_at):
    endpoint = scripted(numbered())
    spec = specs.complete(spec_at(endpoint, concurrency=16))

    async def go():
        answerer = providers.answerer(spec, environment={})
        asked = [answerer.ask(spec.question(str(n), f"text {n}", {})) for n in range(16)]
        outcomes = await asyncio.wait_for(asyncio.gather(*asked), 20)
        await answerer.close()
        return outcomes

    assert all(isinstance(outcome, Failure) for outcome in asyncio.run(go()))
    assert len(endpoint.requests) == 16 + in_other_forms(16)


def test_many_at_once_take_the_form_that_one_of_them_has_found(scripted, spec_at):
    endpoint = scripted(rejecting("json_schema", "logprobs", status=422, said="unprocessable"))
    spec = specs.complete(spec_at(endpoint, concurrency=16))

    async def go():
        answerer = providers.answerer(spec, environment={})
        asked = [answerer.ask(spec.question(str(n), f"text {n}", {})) for n in range(16)]
        replies = await asyncio.wait_for(asyncio.gather(*asked), 20)
        await answerer.close()
        return replies

    replies = asyncio.run(go())
    assert [(reply.answer_format, reply.attempts) for reply in replies] == [("json", 1)] * 16
    assert len(endpoint.requests) == 16 + 2 + 15  # the schema; the scout's two forms more; the others in the one found


def test_who_tries_forms_and_meets_a_broken_endpoint_keeps_nobody_waiting(scripted, spec_at):
    def script(body):
        if "logprobs" in body:
            return 400, {"error": {"message": "unprocessable"}}
        return slow(30) if body["messages"][-1]["content"] == "text 0" else completion(answer(True))

    endpoint = scripted(script)
    spec = specs.complete(spec_at(endpoint, concurrency=4))

    async def go():
        answerer = providers.Endpoint.of(spec, {})
        answerer.deadline_seconds = 0.5
        first = asyncio.create_task(answerer.ask(spec.question("0", "text 0", {})))
        rest = [answerer.ask(spec.question(str(n), f"text {n}", {})) for n in range(1, 4)]
        replies = await asyncio.wait_for(asyncio.gather(*rest), 20)
        early = not first.done()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await answerer.close()
        return early, replies

    early, replies = asyncio.run(go())
    assert early
    assert all(isinstance(reply, Reply) for reply in replies)


def test_one_answer_is_enough_for_a_run_to_go_on(scripted, spec_at):
    endpoint = scripted(
        lambda body: (
            completion(answer(True))
            if body["messages"][-1]["content"] == "text 3"
            else (400, {"error": {"message": "invalid input"}})
        )
    )
    outcomes = ask(spec_at(endpoint), *texts(60))
    assert [isinstance(outcome, Reply) for outcome in outcomes] == [n == 3 for n in range(60)]


def test_a_run_goes_on_while_the_reasons_differ(scripted, spec_at):
    kinds = itertools.cycle(["no such voice", "no such tool"])
    endpoint = scripted(lambda _body: (418, {"error": {"message": next(kinds)}}))
    assert len(ask(spec_at(endpoint), *texts(60))) == 60


def test_bad_narratives_at_the_beginning_hide_no_form_that_would_serve(scripted, spec_at):
    def script(body):
        plain = "json_schema" not in str(body.get("response_format"))
        good = int(body["messages"][-1]["content"].split()[1]) > 1
        return completion(answer(True)) if plain and good else (400, {"error": {"message": "Bad Request"}})

    outcomes = ask(spec_at(scripted(script)), *texts(10))
    assert [isinstance(outcome, Reply) for outcome in outcomes] == [n > 2 for n in range(10)]


def test_a_filter_of_contents_is_a_refusal_and_no_failure(scripted, spec_at):
    endpoint = scripted(lambda _body: (400, {"error": {"message": "filtered", "code": "content_filter"}}))
    (reply,) = ask(spec_at(endpoint), "text")
    assert (reply.body, reply.finish_reason) == ("", "content_filter")
    assert answers.parse(reply.body, finish_reason=reply.finish_reason).status == "refused"


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


def test_an_answer_that_does_not_come_in_time_is_cut_by_the_deadline(scripted, spec_at):
    endpoint = scripted(lambda _body: completion(answer(True)))
    endpoint.delay = 30
    spec = specs.complete(spec_at(endpoint))

    async def go():
        answerer = providers.Endpoint.of(spec, {})
        answerer.deadline_seconds = 0.1
        failure = await answerer.ask(spec.question("1", "text", {}))
        await answerer.close()
        return failure

    assert asyncio.run(go()) == Failure("no answer within 0.1 s", failures.ATTEMPTS["broken"])


def test_the_builtin_model_answers_in_the_form_asked_for():
    (reply,) = ask(replace(SPEC, provider="builtin", model_name="rules-1"), "V was hit by her boyfriend.")
    assert set(json.loads(reply.body)) == {"reasoning_steps", "rational", "flag", "confidence"}
