import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint import completion
from exphub_magics.providers import replies

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


@pytest.mark.parametrize("said", [[], None, 7, "text", {}, {"choices": None}, {"choices": []}])
def test_what_is_no_completion_is_refused(said):
    with pytest.raises(ValueError, match=r"no choices|something else"):
        replies.read(said, "text", 0.5, 1)


# --- the chance of a yes ----------------------------------------------------------------------------------


def token(word, chance=0.9, **rivals):
    """A token as endpoints send it; a rival's name stands for its text."""
    others = [{"token": word, "logprob": math.log(chance)}]
    others += [{"token": SPELT.get(rival, rival), "logprob": math.log(p)} for rival, p in rivals.items()]
    return {"token": word, "logprob": math.log(chance), "top_logprobs": others}


SPELT = {"_false": " false", "_true": " true", "_True": " True", "_False": " False", "quote": '"', "_no": " no"}


def plain(*words):
    return [{"token": word, "logprob": 0.0} for word in words]


HEAD, TAIL = plain('{"', "rational", '":', ' "', "x", '", "', "flag", '":'), plain(", ", '"confidence": 0.1}')
QUOTED = plain('{"', "rational", '": "', 'he wrote \\"flag', '\\": ', "false", '"', ', "flag":')

CHANCES = [
    ([*HEAD, token(" true", 0.9, _false=0.1), *TAIL], 0.9),
    ([*HEAD, token(" false", 0.8, _true=0.2), *TAIL], 0.2),
    ([*HEAD, token("true", 0.6, false=0.2), *TAIL], 0.75),
    ([*HEAD, token(" tr", 0.7, fa=0.3), *plain("ue"), *TAIL], 0.7),
    ([*HEAD, token(" True", 0.5, _true=0.3, _False=0.1, _false=0.1), *TAIL], 0.8),
    ([*HEAD, *plain(' "'), token("yes", 0.9, no=0.1), *plain('"'), *TAIL], 0.9),
    ([*HEAD, token(' "yes', 0.9, _no=0.1), *plain('"'), *TAIL], 0.9),
    ([*HEAD, *plain(" "), token("1", 0.6, **{"0": 0.4}), *TAIL], 0.6),
    ([*HEAD, *plain("\n "), token("true", 0.6, false=0.4), *TAIL], 0.6),
    ([*HEAD, token("\u0120true", 0.6, Ġfalse=0.4), *TAIL], 0.6),
    ([*HEAD, token("\u2581false", 0.6, **{"\u2581true": 0.4}), *TAIL], 0.4),
    ([*plain('{"flag'), token('":true', 0.6, **{'":false': 0.3, '":': 0.1}), *plain("}")], 2 / 3),
    ([*plain('{"flag": '), token('true,"confidence":0', 0.6, false=0.4), *plain(".1}")], 0.6),
    ([*plain('{"Flag" :'), token(" true", 0.6, _false=0.4), *plain("}")], 0.6),
    ([*HEAD, token(" true", 0.3, maybe=0.5), *TAIL], 0.6),
    ([*HEAD, token(" false", 0.3, maybe=0.5), *TAIL], 0.4),
    ([*HEAD, token(" true", 0.6, true=0.3), *TAIL], 0.9),
    ([*HEAD, {"token": " true", "logprob": math.log(0.7)}, *TAIL], 0.7),
    ([*HEAD, {"token": " true", "logprob": 0.0004, "top_logprobs": []}, *TAIL], 1.0),
    (
        [*HEAD, {**token(" true", 0.5, _false=0.5), "top_logprobs": [{"token": " false", "logprob": -9999.0}]}, *TAIL],
        0.5,
    ),
    ([*QUOTED, token(" true", 0.9, _false=0.1), *plain("}")], 0.9),
    ([*plain("<think>", '{"flag": ', "false", "}", "</think>"), *HEAD, token(" true", 0.9, _false=0.1), *TAIL], 0.9),
    ([*plain('{"flag": ', "false", "}", "</think>"), *HEAD, token(" true", 0.9, _false=0.1), *TAIL], 0.9),
    ([*HEAD, token(" true", 0.9, _false=0.1), *TAIL, *plain("<think>", '{"flag": ', "false", "}")], 0.9),
    ([*plain('{"flag": ', "false", "}\n"), *HEAD, token(" true", 0.9, _false=0.1), *TAIL], 0.9),
    ([*HEAD, token(" true", 0.9, _false=0.1), *TAIL, *plain('{"note": "none"}')], 0.9),
    ([*plain('{"flag":'), token(" true", 0.9, _false=0.1), *plain(', "kind": {"flag":', " false", "}}")], 0.9),
    ([*plain('{"result": {"flag":'), token(" true", 0.9, _false=0.1), *plain("}}")], 0.9),
    ([*plain("```json\n"), *HEAD, token(" true", 0.9, _false=0.1), *TAIL, *plain("```", "<|end|>")], 0.9),
]


@pytest.mark.parametrize(("tokens", "chance"), CHANCES, ids=range(len(CHANCES)))
def test_the_chance_of_a_yes_is_its_share_of_yes_and_no_where_the_last_flag_begins(tokens, chance):
    said = completion("".join(one["token"] for one in tokens))
    said["choices"][0]["logprobs"] = {"content": tokens}
    assert replies.read(said, "schema", 0.5, 1).p_true == pytest.approx(chance, abs=1e-3)


UNTOLD = [
    None,
    [],
    {},
    7,
    "text",
    [None],
    [7, "text"],
    [{}],
    [{"token": None}],
    plain("no answer"),
    plain('{"flag": "unclear"}'),
    plain('{"flag": null}'),
    plain('{"flag": ', "0", ".7}"),
    plain('{"flag": ', "10", "}"),
    plain('{"flag": trueish}'),
    plain('{"flag":'),
    plain("flag: true"),
    plain('{"rational": "\\"flag\\": true"}'),
    plain("<think>", '{"flag": ', "true}"),
    [*HEAD, {"token": " true"}, *TAIL],
    [*HEAD, {"token": " true", "logprob": None, "top_logprobs": None}, *TAIL],
    [*HEAD, {"token": " true", "logprob": "-0.1"}, *TAIL],
    [*HEAD, {"token": " true", "logprob": float("nan")}, *TAIL],
    [*HEAD, {"token": " true", "logprob": float("-inf")}, *TAIL],
    [*HEAD, {"token": " true", "logprob": -(10**400)}, *TAIL],
    [*HEAD, {"token": " true", "logprob": 3.0}, *TAIL],
    [*HEAD, {"token": " true", "logprob": None, "top_logprobs": [{"token": " false", "logprob": -1.0}]}, *TAIL],
]


@pytest.mark.parametrize("tokens", UNTOLD, ids=range(len(UNTOLD)))
def test_where_it_cannot_be_told_there_is_no_chance(tokens):
    assert replies.p_true(tokens) is None


ODD = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["token", "logprob"]), inner, max_size=2)
    ),
    max_leaves=6,
)
WORDS = st.sampled_from(
    ['{"', "flag", '":', " ", "true", "false", '"', "yes", "}", "<think>", "</think>", "\\", "tr", "1"]
)
TOKENS = st.fixed_dictionaries(
    {}, optional={"token": WORDS | ODD, "logprob": st.floats() | ODD, "top_logprobs": st.lists(ODD, max_size=3) | ODD}
)


@given(st.lists(TOKENS, max_size=12) | ODD)
def test_no_list_of_tokens_makes_it_raise_and_a_chance_is_one(tokens):
    chance = replies.p_true(tokens)
    assert chance is None or 0 <= chance <= 1


@given(st.lists(st.tuples(WORDS, st.floats(-20, 0)), max_size=20))
def test_words_in_any_order_give_a_chance_or_none(words):
    chance = replies.p_true([{"token": word, "logprob": chance} for word, chance in words])
    assert chance is None or 0 <= chance <= 1


def test_what_was_sent_is_kept_with_the_reply():
    assert replies.read(completion("a"), "text", 0.5, 1, '{"seed": 7}').parameters == '{"seed": 7}'
