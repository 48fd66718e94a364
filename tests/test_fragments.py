import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.answers import fragments

WHOLE = {"reasoning_steps": ["read"], "rational": 'She said "no" twice', "flag": True, "confidence": 0.9}


@pytest.mark.parametrize(
    ("broken", "flag"),
    [
        ("{'flag': True, 'rational': 'as it says',}", True),
        ('{"flag": false, "rational": "as it says"', False),
        ('{"rational": "as it says", "flag": true // sure\n}', True),
        ('{flag: no, rational: "as it says"}', False),
    ],
)
def test_a_broken_object_is_mended_with_its_rational_as_it_stood(broken, flag):
    found = fragments.mend(broken)
    assert (found.flag, found.rational) == (flag, "as it says")


@given(st.integers(0, len(json.dumps(WHOLE))))
def test_an_object_that_is_cut_off_gives_its_flag_or_none(at):
    found = fragments.mend(json.dumps(WHOLE)[:at])
    assert found is None or found.flag in (True, None)


@given(st.text(max_size=200))
def test_no_text_makes_it_raise(text):
    fragments.mend("{" + text)
    fragments.decisions(text)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\\\"'{}[]“”„«»‘’‚"), min_size=1, max_size=60))
def test_a_rational_is_never_changed_by_mending(rational):
    broken = f"{{'rational': '{rational}', 'flag': True,}}"
    found = fragments.mend(broken)
    assert found is None or found.rational is None or found.rational in broken


def test_a_choice_between_both_is_no_decision():
    assert fragments.decisions('"flag": true/false') <= {None}


def test_an_answer_that_is_quoted_inside_another_text_is_seen_to_be_quoted():
    assert fragments.is_quoted("{'rational': 'they wrote ")
    assert not fragments.is_quoted("Here it is: ")
