import hashlib
import json
import pickle

from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.questions import Failure, Question, Reply, digest

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES))
def test_the_order_of_keys_does_not_change_a_digest(request_):
    assert digest(dict(reversed(request_.items()))) == digest(request_)


@given(VALUES, VALUES)
def test_digests_are_equal_exactly_where_the_json_is(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) is same


def test_a_digest_is_the_sha256_of_compact_json_in_utf_8():
    expected = hashlib.sha256('{"a":"ä\\n","b":[1,null]}'.encode()).hexdigest()
    assert digest({"b": [1, None], "a": "ä\n"}) == expected


def test_a_broken_character_has_a_digest_of_its_own():
    assert digest("\ud800") != digest("\ud801")


def test_each_asking_of_a_question_has_an_identity_of_its_own_and_the_first_the_questions():
    asked = [Question("1", (), "q", asking) for asking in range(20)]
    assert asked[0].request_hash == "q"
    assert len({one.request_hash for one in asked}) == 20
    assert asked[1].request_hash != Question("1", (), "r", 1).request_hash


def test_what_passes_between_processes_comes_back_as_it_was():
    question = Question("1", ({"role": "user", "content": "x"},), "q", 2)
    for value in (question, Reply("{}", completion_tokens=3, attempts=2), Failure("400: too long", 2)):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own
