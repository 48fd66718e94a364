import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.answers import fields

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        (True, True),
        (False, False),
        ("false", False),
        ("TRUE", True),
        ("Yes.", True),
        ("no", False),
        (1, True),
        (0, False),
        ("1", True),
        (1.0, True),
        ("positive", True),
        ("not detected", False),
    ],
)
def test_a_decision_is_read_however_it_is_spelled(value, flag):
    assert fields.decision(value) is flag


@pytest.mark.parametrize("value", [None, "", "maybe", "unclear", "true/false", 0.7, 2, -1, "0.7", [], {}, "yes and no"])
def test_what_is_no_decision_is_neither_yes_nor_no(value):
    assert fields.decision(value) is None


@given(VALUES)
def test_any_value_is_read_without_raising(value):
    for found in fields.answers_in(value):
        assert found.flag in (True, False, None)


@pytest.mark.parametrize(
    "key", ["flag", "Flag", "ipv", "is_ipv", "IPV-Detected", "ipvDetected", "label", "answer", "decision"]
)
def test_other_names_of_the_flag_are_known(key):
    (found,) = fields.answers_in({key: True, "reason": "it says so"})
    assert (found.flag, found.rational) == (True, "it says so")


def test_two_keys_of_one_object_that_differ_decide_nothing():
    found = fields.answers_in({"flag": True, "ipv_detected": False})
    assert [one.flag for one in found] in ([], [None])


@pytest.mark.parametrize("key", ["probability", "score", "likelihood"])
def test_what_may_be_the_chance_of_a_yes_is_no_confidence(key):
    (found,) = fields.answers_in({"flag": False, "rational": "r", key: 0.1})
    assert found.confidence is None


@given(st.text())
def test_what_is_stored_always_encodes_and_is_else_unchanged(text):
    notes = []
    stored = fields.storable(text, notes)
    stored.encode()
    if not notes:
        assert stored == text


@given(st.floats(0, 1))
def test_a_share_between_nought_and_one_stays_as_it_is(value):
    assert fields.share(value) == value
    assert fields.share(f"{value:.4f}") == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize("value", [True, "high", None, float("nan"), float("inf"), -0.1, "1e400", 101])
def test_what_is_no_share_is_none(value):
    assert fields.share(value) is None
