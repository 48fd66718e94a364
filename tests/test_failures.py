import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics import failures
from exphub_magics.failures import Rejection, rejection, retry_after, within

BODIES = [  # as endpoints are known to send them: the message, and what else names the fault
    ({"error": {"message": "slow down", "type": "requests", "code": "rate_limit"}}, "slow down", "rate_limit requests"),
    ({"message": "slow down", "code": None, "param": "seed"}, "slow down", "seed"),
    ({"error": "model is loading"}, "model is loading", ""),
    ({"object": "error", "message": "no", "type": "BadRequestError", "code": 400}, "no", "BadRequestError"),
    ({"detail": "Not Found"}, "Not Found", ""),
    (
        {"detail": [{"loc": ["body", "logprobs"], "msg": "Extra inputs", "input": "She fell."}, 7]},
        "body.logprobs: Extra inputs",
        "",
    ),
    ({"detail": [{"input": "She fell."}]}, "[{'input': 'She fell.'}]", ""),
    ("no healthy upstream", "no healthy upstream", ""),
    ("<html>Bad gateway</html>", "phrase", ""),
    ("", "phrase", ""),
    (None, "phrase", ""),
    ([], "phrase", ""),
    (7, "phrase", ""),
    ({"error": None}, "phrase", ""),
    ({"error": {"message": ["a"]}}, "['a']", ""),
]


@pytest.mark.parametrize(("body", "said", "code"), BODIES)
def test_a_message_is_found_wherever_an_endpoint_puts_it(body, said, code):
    assert rejection(400, body, {}, "phrase") == Rejection(400, said, code)


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["error", "message", "detail", "code", "loc", "msg"]), inner)
        ),
    )
)
def test_no_body_makes_a_rejection_raise(body):
    said = rejection(500, body, {}).said
    assert isinstance(said, str)
    assert said
    within({"error": body})
    within({"choices": body})


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "20"}, 20.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "86400"}, 86400.0),
        ({"Retry-After-Ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After-Ms": "x", "Retry-After": "1"}, 1.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        *(({"Retry-After": odd}, None) for odd in ("soon", "", "nan", "inf", "1 s", "Wed, 99 Oct", "1e999")),
    ],
)
def test_the_time_to_wait_is_read_in_each_of_its_forms(headers, seconds):
    assert retry_after(headers) == seconds


def test_a_date_to_wait_for_is_made_seconds():
    assert retry_after({"Retry-After": formatdate(time.time() + 100, usegmt=True)}) == pytest.approx(100, abs=5)


@given(st.text())
def test_no_header_makes_the_time_to_wait_raise(text):
    seconds = retry_after({"Retry-After": text})
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("status", "kind", "crowded"),
    [
        (429, "busy", True),
        (503, "broken", True),
        (529, "broken", True),
        (504, "broken", True),
        (408, "broken", True),
        (500, "broken", False),
        (502, "broken", False),
        (599, "broken", False),
        (409, "broken", False),
        (425, "broken", False),
        (400, "final", False),
        (413, "final", False),
        (422, "final", False),
        (307, "final", False),
    ],
)
def test_a_status_says_what_may_help(status, kind, crowded):
    assert (Rejection(status, "").kind, Rejection(status, "").is_crowded) == (kind, crowded)


def test_whoever_asks_to_wait_is_crowded_whatever_the_status():
    assert Rejection(500, "", wait=1.0).is_crowded
    assert not Rejection(400, "", wait=1.0).is_crowded


@pytest.mark.parametrize(
    ("status", "said", "code", "filtered"),
    [
        (400, "The response was filtered due to Azure OpenAI's content management policy", "", True),
        (400, "no", "content_filter", True),
        (403, "Your chosen model requires moderation and your input was flagged", "", True),
        (400, "Invalid prompt: your prompt was flagged as potentially violating our usage policy.", "", True),
        (403, "Your account was flagged, your key is disabled", "", False),
        (500, "the content filter is down", "", False),
        (400, "the text is too long", "", False),
    ],
)
def test_a_filter_of_contents_is_told_from_other_faults(status, said, code, filtered):
    assert Rejection(status, said, code).is_filter is filtered


def test_no_credit_is_told_from_a_rate_that_passes():
    assert Rejection(402, "pay").is_without_credit
    assert rejection(429, {"error": {"message": "quota", "code": "insufficient_quota"}}, {}).is_without_credit
    assert rejection(429, {"error": {"message": "quota", "type": "insufficient_quota"}}, {}).is_without_credit
    assert not rejection(
        429, {"error": {"message": "You exceeded your current quota", "code": 429}}, {}
    ).is_without_credit


@pytest.mark.parametrize(
    ("completion", "status"),
    [
        ({"error": {"message": "overloaded"}}, 200),
        ({"error": "overloaded"}, 200),
        ({"error": {"message": "x", "code": 503}}, 503),
        ({"error": {"message": "x", "code": "429"}}, 429),
        ({"error": {"message": "x", "code": 7}}, 200),
        ({"error": {"message": "x", "code": True}}, 200),
        ({"error": {"message": "x", "code": "²"}}, 200),
        ({"error": {"message": "x"}, "choices": []}, 200),
        ({"choices": [{"error": {"message": "x", "code": 502}, "finish_reason": "error"}]}, 502),
    ],
)
def test_an_error_in_an_answers_place_is_found_with_its_status(completion, status):
    assert within(completion).status == status


@pytest.mark.parametrize(
    "completion",
    [
        {"choices": [{"message": {"content": "x"}}], "error": "x"},
        {"error": None},
        {"choices": [None]},
        [],
        7,
        None,
        "x",
    ],
)
def test_what_is_no_error_is_left_to_the_reader(completion):
    assert within(completion) is None


def test_each_kind_of_trouble_has_its_number_of_requests():
    assert failures.ATTEMPTS["final"] < failures.ATTEMPTS["unreadable"] < failures.ATTEMPTS["broken"]
    assert failures.ATTEMPTS["busy"] == failures.MOST_ATTEMPTS
