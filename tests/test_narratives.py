from __future__ import annotations

import pickle

import pytest

from exphub_magics.datasets.narratives import Gathering, Narrative, Narratives
from exphub_magics.errors import DatasetError


def narrative(narrative_id, text="V was at home.", source=None, placeholder=None, **facts):
    return Narrative(narrative_id, narrative_id[0], source, text, facts, placeholder)


def gathered(*rows, facts=("year",)):
    gathering = Gathering(facts)
    for one, flag in rows:
        gathering.add(one, flag)
    return gathering


ONES = [
    narrative("a1", "V — “José” \n fell.", "LE", year="2020"),
    narrative("a2", " ", placeholder="empty", year=""),
    narrative("b1", "Need LE report", "CME", placeholder="placeholder: need le report", year="2021"),
]
NARRATIVES = gathered(*((one, None) for one in ONES)).narratives


def test_narratives_come_back_as_they_were_in_their_order_as_often_as_one_likes():
    assert list(NARRATIVES) == list(NARRATIVES) == ONES
    assert [one == other for one, other in zip(NARRATIVES, NARRATIVES, strict=True)] == [True] * 3


def test_they_are_a_sequence():
    assert (len(NARRATIVES), NARRATIVES[0], NARRATIVES[-1], NARRATIVES[1:]) == (3, ONES[0], ONES[2], tuple(ONES[1:]))
    assert (ONES[1] in NARRATIVES, NARRATIVES.index(ONES[1])) == (True, 1)
    assert not gathered().narratives
    with pytest.raises(IndexError):
        NARRATIVES[3]


def test_equal_are_those_that_hold_the_same():
    assert gathered(*((one, True) for one in ONES)).narratives == NARRATIVES
    assert gathered(*((one, True) for one in ONES[::-1])).narratives != NARRATIVES
    assert gathered(*((one, True) for one in ONES[:2])).narratives != NARRATIVES
    assert NARRATIVES.without(["year"]) != NARRATIVES
    assert tuple(ONES) != NARRATIVES


def test_a_hidden_fact_is_in_no_narrative_and_the_others_are_left():
    both = gathered((narrative("a1", year="2020", county="x"), None), facts=("year", "county")).narratives
    assert both.without(["year"])[0].facts == {"county": "x"}
    assert both.without(["year"]).without(["county"])[0].facts == {}
    assert both[0].facts == {"year": "2020", "county": "x"}


def test_they_can_be_sent_to_another_process_and_show_no_text():
    again = pickle.loads(pickle.dumps(NARRATIVES))  # noqa: S301  our own bytes
    assert isinstance(again, Narratives)
    assert again == NARRATIVES
    assert repr(again) == "<3 narratives>"


def test_rows_are_counted_as_they_pass_by():
    found = gathered(
        (ONES[0], True), (ONES[1], None), (ONES[2], False), (ONES[0], True), (narrative("c", year=""), None)
    )
    assert (found.rows, found.flagged, found.placeholders, found.flags) == (5, 3, 2, [True, None, False, None])
    assert (found.ids, found.incidents, len(found.texts)) == (["a1", "a2", "b1", "c"], {"a", "b", "c"}, 2)


def test_facts_of_repeated_rows_that_differ_stand_side_by_side_and_a_flag_is_kept():
    found = gathered(
        (narrative("a", year="2021"), None),
        (narrative("b", year="2020"), None),
        (narrative("a", year="2020"), True),
        (narrative("a", year=""), None),
    )
    found.merge("data.csv")
    assert [one.facts for one in found.narratives] == [{"year": "2020 | 2021"}, {"year": "2020"}]
    assert found.flags == [True, None]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(narrative("a"), None), (narrative("a", "other"), None)], "different texts under one id: a;"),
        ([(narrative("a", source="LE"), None), (narrative("a"), None)], "different incidents or sources under one id"),
        ([(narrative("a"), True), (narrative("a"), None), (narrative("a"), False)], "a label that is both yes and no"),
        (
            [(narrative(one), flag) for flag in (True, False) for one in "gfedcba"],
            r"both yes and no: g, f, e, d, c … \(7 in all\); give each",
        ),
        ([(narrative("a"), True), (narrative("a", "other"), False)], "different texts"),
    ],
)
def test_rows_that_contradict_each_other_are_refused(rows, message):
    with pytest.raises(DatasetError, match=f"data.csv has .*{message}"):
        gathered(*rows, facts=()).merge("data.csv")
