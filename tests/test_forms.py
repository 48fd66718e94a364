import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics import answers, prompts, specs
from exphub_magics.providers import forms
from exphub_magics.providers.forms import Form
from exphub_magics.questions import Reply

SPEC = specs.Spec(name="first", prompt=prompts.parse("Is it?"), provider="scripted", model_name="m")
QUESTION = SPEC.question("1", "She fell.", {})
FORMS = st.builds(
    Form,
    st.sampled_from(["schema", "json", "text"]),
    st.booleans(),
    st.sampled_from(["max_tokens", "max_completion_tokens"]),
)


def with_settings(**settings):
    return specs.Spec(name="first", prompt=prompts.parse("Is it?"), model_name="m", **settings)


# --- what is kept and sent --------------------------------------------------------------------------------


@given(FORMS)
def test_a_form_that_was_kept_is_the_form_that_comes_back(form):
    assert Form.of(form.as_json()) == form


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "null", "[]", "7", "{}", "{", '"schema"', "[" * 100_000),
        '{"answer": "schema", "logprobs": 1, "length": "max_tokens"}',
        '{"answer": "schema", "logprobs": false, "length": "tokens"}',
        '{"answer": ["schema"], "logprobs": false, "length": "max_tokens"}',
        '{"answer": "poem", "logprobs": false, "length": "max_tokens"}',
    ],
)
def test_a_text_that_keeps_no_form_is_the_fullest_form(text):
    assert Form.of(text) == Form()


def test_the_fullest_form_asks_for_the_schema_and_for_the_chances():
    body = forms.request(SPEC, QUESTION, Form())
    assert set(body) == {"model", "messages", "response_format", "logprobs", "top_logprobs"}
    assert body["response_format"]["json_schema"]["schema"] == answers.SCHEMA
    assert body["messages"] == list(QUESTION.messages)
    assert body["logprobs"] is True


@pytest.mark.parametrize(("answer", "response_format"), [("json", {"type": "json_object"}), ("text", None)])
def test_a_plainer_form_says_in_words_what_is_asked_for(answer, response_format):
    body = forms.request(SPEC, QUESTION, Form(answer, logprobs=False))
    assert body.get("response_format") == response_format
    assert set(body) - {"response_format"} == {"model", "messages"}
    first, last = body["messages"]
    assert first == {"role": "system", "content": f"Is it?\n\n{answers.FORMAT_SENTENCE}"}
    assert last == {"role": "user", "content": "She fell."}


def test_the_limit_of_tokens_is_sent_under_the_key_that_is_taken():
    spec = with_settings(max_tokens=50)
    assert forms.request(spec, QUESTION, Form())["max_tokens"] == 50
    other = forms.request(spec, QUESTION, Form(length="max_completion_tokens"))
    assert (other["max_completion_tokens"], "max_tokens" in other) == (50, False)


@given(FORMS)
def test_what_is_kept_of_a_request_is_neither_text_nor_model_nor_the_schema(form):
    spec = with_settings(temperature=0.0, seed=3, max_tokens=9, reasoning_effort="low")
    body = forms.request(spec, QUESTION, form)
    kept = json.loads(forms.parameters(body))
    assert set(kept) == set(body) - {"model", "messages"}
    assert kept.get("response_format") in ("json_schema", "json_object", None)
    assert "fell" not in json.dumps(kept)
    assert (kept["temperature"], kept["seed"], kept[form.length]) == (0.0, 3, 9)


# --- what a rejection says --------------------------------------------------------------------------------

NO_LOGPROBS = Form(logprobs=False)
REJECTIONS = [  # what an endpoint says, and the form to try next after the fullest one
    (400, "Unsupported parameter: 'logprobs' is not supported with this model.", NO_LOGPROBS),
    (403, "You are not allowed to request logprobs from this model.", NO_LOGPROBS),
    (422, "body.top_logprobs: Extra inputs are not permitted", NO_LOGPROBS),
    (400, "Requested sample logprobs of 2, which is greater than max allowed: 0", NO_LOGPROBS),
    (400, "response_format is not supported", Form("json")),
    (400, "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.", Form("json")),
    (500, "json_schema: the grammar cannot be built", Form("json")),
    (400, "Invalid schema for response_format 'answer': 'maxLength' exceeds what is permitted.", Form("json")),
    (404, "No endpoints found that can handle the requested parameters.", Form("json")),
    (400, "Structured outputs are not supported", Form("json")),
    (
        400,
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        Form(length="max_completion_tokens"),
    ),
    (400, "bad request", NO_LOGPROBS),
    (415, "", NO_LOGPROBS),
    (422, "invalid input", NO_LOGPROBS),
    (501, "not implemented", NO_LOGPROBS),
    (404, "no such model", None),
    (403, "no", None),
    (401, "response_format", None),
    (429, "too many requests with response_format", None),
    (500, "oops", None),
    (400, "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.", None),
    (400, "the request exceeds the available context size, try increasing it", None),
    (400, "prompt is too long: 210000 tokens > 200000 maximum", None),
    (400, "Input length 5000 exceeds maximum allowed token length 4096", None),
    (
        400,
        "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum context length is 4096.",
        None,
    ),
    (400, "context_length_exceeded: 70 tokens in the response_format", None),
]


@pytest.mark.parametrize(("status", "message", "following"), REJECTIONS)
def test_what_an_endpoint_says_decides_which_form_is_tried_next(status, message, following):
    assert forms.plainer(Form(), status, message) == following


@given(FORMS, st.sampled_from([400, 403, 404, 422, 500, 501]), st.sampled_from([said for _, said, _ in REJECTIONS]))
def test_forms_get_plainer_until_none_is_left(form, status, message):
    tried = [form]
    while (following := forms.plainer(tried[-1], status, message)) is not None:
        assert following not in tried
        assert following.richness <= tried[-1].richness
        tried.append(following)
    assert len(tried) <= 5


def test_words_that_name_nothing_take_one_part_away_after_the_other():
    form, answers_tried = Form(), []
    while form is not None:
        answers_tried.append((form.answer, form.logprobs))
        form = forms.plainer(form, 400, "invalid")
    assert answers_tried == [("schema", True), ("schema", False), ("json", False), ("text", False)]


@pytest.mark.parametrize(
    ("settings", "message", "named"),
    [
        ({"temperature": 0.0}, "'temperature' does not support 0.0 with this model", "temperature"),
        ({"temperature": 0.0}, "Unknown parameter: reasoning_effort", None),
        ({"reasoning_effort": "low"}, "Unknown parameter: 'reasoning.effort'", "reasoning_effort"),
        ({"max_tokens": 10**6}, "max_completion_tokens is too large: 1000000", "max_tokens"),
        ({"max_tokens": 100}, "max_tokens is too large: this model's maximum context length is 4096", None),
        ({"seed": 3}, "unsupported_parameter seed", "seed"),
        ({"seed": 3}, "seeded", None),
        ({}, "temperature", None),
    ],
)
def test_a_setting_is_named_only_where_it_was_set(settings, message, named):
    assert forms.setting(with_settings(**settings), message) == named


# --- what a reply shows -----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["It may well be so.", "The narrative tells of no such thing, as far as I see."])
def test_prose_shows_that_the_form_was_passed_over(body):
    assert forms.ignored(Form(), Reply(body)) == Form("json")
    assert forms.ignored(Form("json"), Reply(body)) == Form("text")
    assert forms.ignored(Form("text"), Reply(body)) is None


@pytest.mark.parametrize(
    "reply",
    [
        *(Reply('{"flag": true}'), Reply("{'flag': tru"), Reply("no"), Reply(""), Reply("I can't help with that.")),
        *(Reply("It may", refusal="no"), Reply("It may", finish_reason="length"), Reply("<think>It may")),
    ],
)
def test_an_answer_a_refusal_or_a_cut_shows_nothing_about_the_form(reply):
    assert forms.ignored(Form(), reply) is None
