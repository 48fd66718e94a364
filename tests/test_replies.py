import pytest

from endpoint import completion
from exphub_magics import replies

COUNTED = {"prompt_tokens": None, "completion_tokens": 7}
UNCOUNTED = {"body": "a", "cached_tokens": None, "reasoning_tokens": None}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (completion([{"type": "text", "text": "a"}, {"type": "image"}, "b", None, {"text": 7}]), {"body": "ab"}),
        (completion([{"type": "thinking", "text": "hm"}, {"type": "output_text", "text": "b"}]), {"body": "b"}),
        (completion("a \ud800 b \U0001f600"), {"body": "a \ufffd b \U0001f600"}),
        (completion("a", message={"refusal": "\udc00", "reasoning": ["hm"]}), {"refusal": "\ufffd"}),
        (completion("a", finish_reason=["stop"]), {"finish_reason": None}),
        (completion("a", model=7), {"served_model": None}),
        (completion("a", model="models/"), {"served_model": None}),
        (completion("a", system_fingerprint={}), {"system_fingerprint": None}),
        (completion("a", usage="none"), {"prompt_tokens": None, "completion_tokens": None}),
        *(
            (completion("a", usage={"prompt_tokens": odd, "completion_tokens": 7}), COUNTED)
            for odd in (10**30, "12", -1, True, 1.5, [])
        ),
        (completion("a", usage={"prompt_tokens_details": [1], "completion_tokens_details": "x"}), UNCOUNTED),
    ],
)
def test_an_odd_reply_is_kept_with_what_of_it_can_be_used(said, kept):
    reply = replies.read(said, "text", 0.5, 1)
    assert {name: getattr(reply, name) for name in kept} == kept


@pytest.mark.parametrize(
    "said",
    [
        {"choices": [None]},
        {"choices": {"a": 1}},
        {"choices": [{"message": "text"}]},
        completion(7),
    ],
)
def test_what_holds_no_message_is_refused(said):
    with pytest.raises(ValueError, match=r"no (choices|object|text)"):
        replies.read(said, "text", 0.5, 1)


def test_a_path_is_no_name_of_a_model():
    assert replies.read(completion("a", model="/home/of/somebody/m.gguf"), "text", 0.5, 1).served_model == "m.gguf"
