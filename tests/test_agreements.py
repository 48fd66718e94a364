import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

import browsed
import reviewed
from exphub_magics import metrics
from exphub_magics.errors import UnknownNameError
from exphub_magics.hub import labels
from exphub_magics.hub.labels import Said
from exphub_magics.reviewing import agreements

# Two coders, a published example (Cohen's kappa .40): 20 both yes, 5 and 10 one alone, 15 both no.
FIRST = [True] * 25 + [False] * 25
SECOND = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15


@pytest.fixture
def coded(hub):
    """Fifty narratives of as many incidents, flagged by two coders."""
    number = browsed.dataset(hub, {f"{place}-LE": (flag, f"text {place}") for place, flag in enumerate(FIRST)})
    hub.label(number, {f"{place}-LE": flag for place, flag in enumerate(SECOND)}, coder="Ann")
    browsed.experiment(hub, "all", number, {f"{place}-LE": ("ok", True, 0.9) for place in range(50)})
    return hub


def test_agreement_and_kappa_are_those_of_the_textbook_with_n_and_interval(coded):
    (row,) = agreements.agreement(coded).to_dict("records")
    assert (row["first"], row["second"], row["n"], row["same"], row["why"]) == ("manual", "Ann", 50, 35, "")
    assert row["agreement"] == pytest.approx(0.7)
    assert row["kappa"] == pytest.approx(0.4) == pytest.approx(cohen_kappa_score(FIRST, SECOND))
    known = metrics.cohen_kappa(FIRST, SECOND)  # narratives as independent, which here they are
    assert (row["kappa_low"], row["kappa_high"]) == pytest.approx((known.low, known.high), abs=0.02)
    assert row["agreement_low"] < 0.7 < row["agreement_high"]


def test_each_two_coders_are_a_pair_and_the_one_who_settles_is_none(coded):
    coded.label(1, {"0-LE": False, "1-LE": True}, coder="Ben")
    coded.label(1, {"0-LE": True}, coder="adjudicated")
    frame = agreements.agreement(coded, "rows.csv")
    assert list(zip(frame["first"], frame["second"], frame["n"], strict=True)) == [
        ("manual", "Ann", 50),
        ("manual", "Ben", 2),
        ("Ann", "Ben", 2),
    ]
    assert [(pair.first, pair.second) for pair in agreements.pairs(coded, 1, "Ben")] == [
        ("manual", "Ben"),
        ("Ann", "Ben"),
    ]


def test_whoever_is_unsure_has_decided_nothing_that_could_agree(coded):
    labels.say(coded, 1, {"0-LE": Said(unsure=True)}, coder="Ann")
    (row,) = agreements.agreement(coded).to_dict("records")
    assert (row["n"], row["same"], row["unsure"]) == (49, 34, 1)


def test_a_kappa_that_is_undefined_says_why(hub):
    number = browsed.dataset(hub, {"1-LE": (True, "one"), "2-LE": (True, "two")})
    hub.label(number, {"1-LE": True, "2-LE": True}, coder="Ann")
    hub.label(number, {"1-LE": True}, coder="Ben")
    labels.say(hub, number, {"2-LE": Said(unsure=True)}, coder="Cleo")
    told = {(row["first"], row["second"]): row["why"] for row in agreements.agreement(hub).to_dict("records")}
    assert told["manual", "Ann"] == "both give one and the same answer throughout"
    assert told["Ben", "Cleo"] == "no narrative was decided by both"
    assert pd.isna(agreements.agreement(hub)["kappa"]).all()


def test_one_coder_alone_agrees_with_nobody_and_the_frame_keeps_its_columns(hub):
    browsed.dataset(hub, {"1-LE": (True, "one")})
    frame = agreements.agreement(hub)
    assert (len(frame), list(frame.columns)[:4]) == (0, ["first", "second", "n", "same"])
    with pytest.raises(UnknownNameError, match=r"did you mean 'rows\.csv'"):
        agreements.agreement(hub, "row.csv")


# --- what a review does to the figures --------------------------------------------------------------------


def test_the_effect_is_the_figures_by_the_manual_flags_and_by_all_that_was_said_since(hub):
    reviewed.fill(hub)
    before = agreements.effect(hub, "partner@1")
    assert before.before == before.after
    hub.label(1, {"2-LE": True, "1-LE": True}, coder="Ann")
    disputed = agreements.effect(hub, "partner@1")
    assert (disputed.reviewed, disputed.moved, disputed.disputed) == (2, 0, 1)
    assert (disputed.before["precision"].n, disputed.after["precision"].n) == (3, 2)
    hub.label(1, {"2-LE": True, "5-CME": True}, coder="adjudicated")
    settled = agreements.effect(hub, "partner@1")
    assert (settled.reviewed, settled.moved, settled.disputed) == (3, 2, 0)
    assert settled.before["precision"].value == pytest.approx(1 / 3)
    assert settled.after["precision"].value == pytest.approx(3 / 4)
    row = settled.frame.set_index("metric").loc["precision"]
    assert (row["before_n"], row["after_n"]) == (3, 4)


def test_what_is_after_is_what_the_card_says(coded):
    coded.label(1, {"0-LE": False}, coder="adjudicated")
    board = coded.leaderboard()[0]
    after = agreements.effect(coded, "all").after
    assert after["precision"].value == pytest.approx(board["tp"] / (board["tp"] + board["fp"]))


def test_the_effect_is_shown_as_words_and_as_a_table(hub):
    reviewed.fill(hub)
    hub.label(1, {"2-LE": True}, coder="<b>Ann</b>")
    effect = agreements.effect(hub, "partner@1")
    assert str(effect).splitlines()[0] == (
        "partner@1: 1 narrative flagged by others than manual; 0 scored by another flag now, 1 in dispute, counted "
        "nowhere until adjudicated settles it."
    )
    assert "these can only rise" in str(effect)
    assert effect._repr_html_().count("<tr>") == 1 + len(agreements.SHOWN)
    assert [row[0] for row in effect.as_json()["rows"]][:2] == ["precision", "recall"]
