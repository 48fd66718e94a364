import itertools
import json
import re

import pandas as pd
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.display import display
from IPython.utils.capture import capture_output

from exphub_magics import comparisons, datasets, experiments
from exphub_magics.comparisons import Flip, NothingCommonError, compare, leaderboard, told
from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import Hub
from exphub_magics.markup import decimal, interval
from exphub_magics.metrics import pairing
from markup_reader import Page

IDS = ("1-CME", "1-LE", "2-CME", "2-LE", "3-CME", "4-CME", "4-LE", "5-CME", "6-CME")
SANITISED = {"table", "thead", "tbody", "tr", "th", "td", "div", "b", "details", "summary", "ul", "li", "code"}
MARKUP = st.text("<>&;/!-'\"# ab") | st.sampled_from(["<b>", "</code>", "<script>x</script>", "&lt;", "<!--"])
HOSTILE = """<script>alert("1")</script><img src=x onerror='alert(2)'></td></details>&amp;"""


def record(hub, frame, flags, *, name="first", rational="as told", selected=None):
    """Write an experiment as a run would; None is a narrative that failed, one that is not there is pending."""
    dataset, _ = experiments.register_dataset(hub, datasets.read(frame, name="demo"))
    given = {"author": "A", "settings": {}, "environment": {}, "notes": None, "dataset_id": dataset, "name": name}
    experiment, _ = hub.register(
        {**given, "fingerprint": str(len(hub.leaderboard()))},
        prompt=("Is it?", "p"),
        model=("m", "served"),
        selected=selected,
    )
    results = [
        {"narrative_id": one, "status": "failed" if flag is None else "ok", "flag": flag, "rational": rational}
        for one, flag in flags.items()
    ]
    hub.record(experiment, results)
    hub.finish(experiment)
    return experiment


def flagged(*yes, ids=IDS):
    return {one: one in yes for one in ids}


FIRST = flagged("1-CME", "1-LE", "2-LE")
SECOND = flagged("1-CME", "3-CME", "4-LE", "5-CME", "6-CME")


def rows(labels, *, incidents=None):
    """A dataset of one narrative a label, each an incident of its own."""
    return pd.DataFrame(
        [
            {
                "narrative_id": f"n{n}",
                "incident_id": str(n if incidents is None else incidents[n]),
                "narrative": f"V was seen on day {n}.",
                "manual_flag": {True: "1", False: "0", None: ""}[label],
            }
            for n, label in enumerate(labels)
        ]
    )


# --- which narratives count -------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([True, False, None]),
            *[st.sampled_from([True, False, None, "pending"])] * 3,
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(2, 3),
)
def test_only_labelled_narratives_that_all_have_answered_are_compared(lines, width):
    frame = rows([label for label, *_ in lines])
    with Hub.open(":memory:") as hub:
        for place, name in enumerate("abc"[:width], start=1):
            told_by = {f"n{n}": line[place] for n, line in enumerate(lines) if line[place] != "pending"}
            record(hub, frame, told_by, name=name)
        common = {
            f"n{n}": line
            for n, line in enumerate(lines)
            if line[0] is not None and all(isinstance(flag, bool) for flag in line[1 : width + 1])
        }
        if not common:
            with pytest.raises(NothingCommonError):
                compare(hub, list("abc"[:width]))
            return
        found = compare(hub, list("abc"[:width]))
    for place, pair in enumerate(found.pairs, start=2):
        n = pair.comparison
        right = [(line[1] == line[0], line[place] == line[0]) for line in common.values()]
        assert n.n_common == len(common)
        assert n.n_common + n.n_excluded == sum(label is not None for label, *_ in lines)
        assert (n.both_right, n.both_wrong) == (right.count((True, True)), right.count((False, False)))
        assert n.only_first_right == len(pair.newly_wrong) == right.count((True, False))
        assert n.only_second_right == len(pair.newly_right) == right.count((False, True))
        moved = {one for one, line in common.items() if line[1] != line[place]}
        assert {flip.narrative_id for flip in pair.flips} == moved


def test_what_one_has_not_answered_is_excluded_and_counted(hub, demo):
    record(hub, demo, {**FIRST, "2-CME": None})
    record(hub, demo, {one: flag for one, flag in SECOND.items() if one != "5-CME"}, name="second")
    found = compare(hub, ["first", "second"])
    n = found.pairs[0].comparison
    assert (n.n_common, n.n_excluded) == (6, 3)  # 2-CME failed, 5-CME is pending, nobody answered 3-LE
    assert "6 labelled narratives that both answered (3 excluded)" in str(found)


def test_a_drawn_sample_is_compared_on_its_own_narratives(hub, demo):
    record(hub, demo, FIRST)
    drawn = ["1-CME", "3-CME", "6-CME"]
    record(hub, demo, flagged("3-CME", ids=drawn), name="drawn", selected=drawn)
    whole, sample = (compare(hub, names).pairs[0].comparison for names in (["first", "drawn"], ["drawn", "first"]))
    assert (whole.n_common, whole.n_excluded) == (2, 7)
    assert (sample.n_common, sample.n_excluded) == (2, 0)
    assert (whole.only_first_right, sample.only_first_right) == (1, 1)


def test_two_datasets_are_joined_by_id_and_text(hub, demo):
    record(hub, demo, FIRST)
    other = demo.copy()
    other.loc[other["narrative_id"] == "2-LE", "narrative"] = "Officers saw V at noon."
    other.loc[other["narrative_id"] == "4-LE", "narrative_id"] = "9-LE"
    other.loc[other["narrative_id"] == "5-CME", "manual_flag"] = "1"
    flags = {("9-LE" if one == "4-LE" else one): flag for one, flag in SECOND.items()}
    record(hub, other, flags, name="second")
    found = compare(hub, ["first", "second"])
    n = found.pairs[0].comparison
    assert (n.n_common, n.n_excluded) == (6, 3)  # another text, another id, and nobody answered 3-LE
    flips = {flip.narrative_id: flip.manual_flag for flip in found.pairs[0].flips}
    assert flips == {"1-LE": True, "3-CME": True, "5-CME": True}  # as the newer data say
    assert found.flags.loc["2-LE", "first@1"] is True
    assert pd.isna(found.flags.loc["2-LE", "second@1"])
    assert "9-LE" not in found.flags.index


@pytest.mark.parametrize("unlike", ["texts", "answers", "labels"])
def test_experiments_that_share_nothing_are_refused_by_name(hub, demo, unlike):
    frame = demo.assign(manual_flag="") if unlike == "labels" else demo
    record(hub, frame, FIRST if unlike != "answers" else dict.fromkeys(FIRST))
    other = frame.assign(narrative=frame["narrative"] + "!") if unlike == "texts" else frame
    record(hub, other, SECOND)
    with pytest.raises(NothingCommonError) as refused:
        compare(hub, ["first@1", "first@2"])
    assert str(refused.value) == "first@1 and first@2 share no labelled narrative that all have answered"


@pytest.mark.parametrize("names", [[], ["first"], ["first", "first@1"], ["first", "1", "fir"]])
def test_one_experiment_is_no_comparison_whatever_it_is_called(hub, demo, names):
    record(hub, demo, FIRST)
    with pytest.raises(ConfigError, match="two or more different experiments"):
        compare(hub, names)


def test_an_experiment_named_twice_is_compared_once(hub, demo):
    record(hub, demo, FIRST)
    record(hub, demo, SECOND, name="second")
    assert compare(hub, ["first", "second", "2", "second@1"]).names == ("first@1", "second@1")
    with pytest.raises(UnknownNameError, match="did you mean 'second'"):
        compare(hub, ["first", "secnd"])


# --- what is found ----------------------------------------------------------------------------------------


def test_flips_are_a_frame_with_what_is_said_now(hub, demo):
    record(hub, demo, FIRST)
    record(hub, demo, SECOND, name="second", rational="now said")
    frame = compare(hub, ["first", "second"]).flips
    assert list(frame.columns) == ["experiment", "narrative_id", "manual_flag", "flag", "now", "rational"]
    assert frame[["narrative_id", "manual_flag", "flag", "now"]].to_numpy().tolist() == [
        ["1-LE", True, False, "wrong"],
        ["2-LE", False, False, "right"],
        ["3-CME", True, True, "right"],
        ["4-LE", True, True, "right"],
        ["5-CME", False, True, "wrong"],
    ]
    assert set(frame["experiment"]) == {"second@1"}
    assert set(frame["rational"]) == {"now said"}


def test_where_nothing_flips_the_frame_is_empty_and_the_words_say_so(hub, demo):
    record(hub, demo, FIRST)
    record(hub, demo, FIRST, name="second")
    found = compare(hub, ["first", "second"])
    assert found.flips.empty
    assert list(found.flips.columns)[:2] == ["experiment", "narrative_id"]
    assert found.as_json()["p_value"] is None
    assert found.adjusted == (None,)
    assert "the two say the same about every one of the 8 labelled narratives" in str(found)


def test_flags_hold_every_narrative_of_the_first_beside_the_manual_flag(hub, demo):
    record(hub, demo, FIRST)
    record(hub, demo, {**SECOND, "2-CME": None}, name="second")
    found = compare(hub, ["first", "second"])
    assert list(found.flags.columns) == ["manual", "first@1", "second@1"]
    assert sorted(found.flags.index) == sorted(demo["narrative_id"])
    assert found.flags.loc["6-CME"].tolist() == [None, False, True]
    assert found.flags.loc["2-CME"].tolist() == [False, False, None]
    assert "7 narratives" in found.figure.layout.title.subtitle.text
    assert "3 left out" in found.figure.layout.title.subtitle.text


def three(hub):
    """Sixty narratives: the second experiment gains 12 and loses 1, the third gains 4, the fourth moves nothing."""
    frame = rows([n % 3 == 0 for n in range(60)])
    truth = {f"n{n}": n % 3 == 0 for n in range(60)}
    wrong = {"a": range(16), "b": [*range(12, 16), 20], "c": range(4, 16), "d": range(16)}
    for name, places in wrong.items():
        record(hub, frame, {one: flag ^ (int(one[1:]) in places) for one, flag in truth.items()}, name=name)


def test_three_experiments_are_each_compared_with_the_first_and_adjusted_by_holm(hub):
    three(hub)
    found = compare(hub, ["a", "c", "b"])
    assert [(pair.comparison.first, pair.comparison.second) for pair in found.pairs] == [("a@1", "c@1"), ("a@1", "b@1")]
    assert [(p.comparison.only_first_right, p.comparison.only_second_right) for p in found.pairs] == [(0, 4), (1, 12)]
    small, large = scipy.stats.binomtest(1, 13).pvalue, scipy.stats.binomtest(0, 4).pvalue
    assert [pair.comparison.p_value for pair in found.pairs] == pytest.approx([large, small])
    assert found.adjusted == pytest.approx((max(2 * small, large), 2 * small))
    assert sorted(set(found.flips["experiment"])) == ["b@1", "c@1"]
    assert len(found.flips) == 4 + 13


def test_a_pair_without_a_test_is_not_counted_among_those_adjusted_for(hub):
    three(hub)
    found = compare(hub, ["a", "d", "b"])
    assert found.adjusted == (None, pytest.approx(scipy.stats.binomtest(1, 13).pvalue))
    assert "adjusted for the number of pairs (Holm) p = .003" in str(found)
    assert str(found).count("Holm") == 1


def test_an_adjusted_p_value_stands_beside_the_plain_one(hub):
    three(hub)
    parts = str(compare(hub, ["a", "c", "b"])).split("\n\n")
    assert [part.splitlines()[0] for part in parts] == ["a@1 → c@1", "a@1 → b@1"]
    assert "(Holm) p = .125, not distinguishable" in parts[0]
    assert "p = .003 (paired" in parts[1]
    assert "adjusted for the number of pairs (Holm) p = .007" in parts[1]


def test_one_pair_alone_is_not_adjusted(hub):
    three(hub)
    assert "Holm" not in str(compare(hub, ["a", "b"]))


def test_a_very_small_adjusted_p_value_is_not_shown_as_nought(hub):
    frame = rows([True] * 60)
    for name, upto in (("a", 0), ("b", 40), ("c", 50)):
        record(hub, frame, {f"n{n}": n < upto for n in range(60)}, name=name)
    said = str(compare(hub, ["a", "b", "c"]))
    assert "adjusted for the number of pairs (Holm) p < .001" in said
    assert not re.search(r"p = 0?\.000", said)


def test_the_json_of_a_pair_is_what_compare_promises(hub, demo):
    record(hub, demo, FIRST)
    record(hub, demo, SECOND, name="second")
    found = compare(hub, ["first", "second"])
    said = json.loads(json.dumps(found.as_json(), allow_nan=False))
    counts = {key: said[key] for key in ("both_right", "only_first_right", "only_second_right", "both_wrong")}
    assert counts == {"both_right": 3, "only_first_right": 2, "only_second_right": 3, "both_wrong": 0}
    assert (said["n_common"], said["n_excluded"]) == (8, 1)
    assert 0 < said["p_value"] <= 1
    assert said["method"]
    assert set(said["difference"]) == set(pairing.COMPARED)
    for held in said["difference"].values():
        assert {"value", "low", "high"} <= set(held)
        assert held["low"] is None or held["low"] <= held["value"] <= held["high"]
        assert (held["low"] is None) is ("why" in held)
    assert said["difference"]["recall"]["value"] == pytest.approx(3 / 4 - 2 / 4)
    assert "pairs" not in said


def test_the_json_of_three_begins_with_the_first_pair_and_holds_them_all(hub):
    three(hub)
    said = json.loads(json.dumps(compare(hub, ["a", "c", "b"]).as_json(), allow_nan=False))
    assert {key: said[key] for key in said["pairs"][0]} == said["pairs"][0]
    assert [pair["second"] for pair in said["pairs"]] == ["c@1", "b@1"]
    assert len(said["p_values_holm"]) == 2


# --- what is shown ----------------------------------------------------------------------------------------


@pytest.fixture
def shown(shell):
    def show(value):
        with capture_output() as caught:
            display(value)
        assert (caught.stdout, caught.stderr) == ("", "")
        (output,) = caught.outputs
        assert set(output.data) == {"text/html", "text/plain"}
        return output.data

    return show


def test_text_and_html_hold_the_same_figures(hub, demo, shown):
    record(hub, demo, FIRST)
    record(hub, demo, {**SECOND, "2-CME": None}, name="second")
    found = compare(hub, ["first", "second"])
    bundle = shown(found)
    assert bundle["text/plain"] == str(found)
    read, lines = Page(bundle["text/html"]), bundle["text/plain"].splitlines()
    title, counted, verdict, *table = lines
    for line in (title, counted, verdict):
        assert f"\n{line}\n" in read.words
    for cells, line in zip(read.rows, table, strict=True):
        assert [cell for cell in cells if cell] == re.split(r"\s{2,}", line.strip())
    for cells, held in zip(read.rows[1:], found.pairs[0].comparison.differences.values(), strict=True):
        assert cells[1:] == [decimal(held.value), interval(held.low, held.high), held.why or ""]


def test_a_difference_that_is_undefined_says_why(hub, demo):
    record(hub, demo, flagged())
    record(hub, demo, SECOND, name="second")
    said = str(compare(hub, ["first", "second"])).splitlines()
    (precision,) = [line for line in said if line.startswith("precision")]
    assert re.split(r"\s{2,}", precision) == ["precision", "–", "no labelled narrative was flagged"]


def test_flips_are_listed_as_newly_right_and_newly_wrong(hub, demo, shown):
    record(hub, demo, FIRST)
    record(hub, demo, SECOND, name="second")
    words = Page(shown(compare(hub, ["first", "second"]))["text/html"]).words
    right, wrong = words[words.index("\n3 newly right") :].split("\n2 newly wrong")
    assert re.findall(r"\d-\w+(?= manual)", right) == ["2-LE", "3-CME", "4-LE"]
    assert re.findall(r"\d-\w+(?= manual)", wrong) == ["1-LE", "5-CME"]


def test_what_anybody_wrote_is_text_and_only_what_jupyterlab_keeps_is_used(hub, demo, shown):
    demo = demo.assign(narrative_id=demo["narrative_id"] + HOSTILE)
    for name, flags in ((HOSTILE, FIRST), (f"x{HOSTILE}", SECOND)):
        record(hub, demo, {one + HOSTILE: flag for one, flag in flags.items()}, name=name, rational=HOSTILE)
    read = Page(shown(compare(hub, ["1", "2"]))["text/html"])
    assert {tag for tag, _ in read.tags} == SANITISED
    assert {name for _, attributes in read.tags for name in attributes} <= {"style", "scope", "class"}
    assert f"\n{HOSTILE}@1 → x{HOSTILE}@1\n" in read.words
    assert f"\n3-CME{HOSTILE} manual yes, now flagged: {HOSTILE}" in read.words


@given(MARKUP | st.text(), st.booleans(), st.booleans(), st.none() | MARKUP | st.text(max_size=150))
def test_a_flip_is_told_as_text_whatever_the_model_wrote(narrative_id, manual, flag, rational):
    read = Page(told(Flip(narrative_id, manual, flag, rational)))
    assert [tag for tag, _ in read.tags] == ["code"]
    said = f"manual {'yes' if manual else 'no'}, now {'flagged' if flag else 'not flagged'}: {rational or ''}"
    assert read.words == f"\n{narrative_id} {said}"


def test_a_long_rational_is_cut_between_characters_not_within_an_escape():
    for length in range(190, 215):
        said = Page(told(Flip("1", True, True, "&" * length))).words.split(": ")[1]
        assert said == "&" * min(length, 200) + ("…" if length > 200 else "")


def test_the_same_comparison_twice_is_the_same_to_the_byte(hub, shown):
    three(hub)
    first, again = (shown(compare(hub, ["a", "c", "b", "d"])) for _ in range(2))
    assert json.dumps(first).encode() == json.dumps(again).encode()


# --- the leaderboard --------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.sampled_from([True, False, None])] * 2),
        min_size=1,
        max_size=12,
    )
)
def test_the_leaderboards_points_are_those_of_a_recount(lines):
    with Hub.open(":memory:") as hub:
        record(hub, rows([label for label, _ in lines]), {f"n{n}": flag for n, (_, flag) in enumerate(lines)})
        (row,) = leaderboard(hub).to_dict("records")
    tp, fn, fp, tn = (lines.count(pair) for pair in itertools.product([True, False], repeat=2))
    points = {"precision": (tp, tp + fp), "recall": (tp, tp + fn), "f1": (2 * tp, 2 * tp + fp + fn)}
    for name, (above, below) in points.items():
        assert pd.isna(row[name]) if not below else row[name] == pytest.approx(above / below), name
    assert (row["false_positives"], row["false_negatives"]) == (fp, fn)
    n = tp + fp + fn + tn
    assert pd.isna(row["percent_overlap"]) if not n else row["percent_overlap"] == pytest.approx(100 * (tp + tn) / n)
    assert row["positives"] + row["negatives"] + row["failed"] + row["pending"] == row["total_narratives"] == len(lines)


def test_the_leaderboard_holds_the_seeds_columns_state_and_version_newest_last(hub, demo):
    record(hub, demo, FIRST)
    record(hub, demo, {**SECOND, "3-LE": None})
    board = leaderboard(hub)
    seed = "id name author prompt_id model_id start_time end_time total_narratives positives negatives"
    wanted = f"{seed} false_positives false_negatives percent_overlap version state model_name provider prompt_hash"
    assert set(wanted.split()) <= set(board.columns)
    assert board[["id", "version", "state"]].to_numpy().tolist() == [[1, 1, "unfinished"], [2, 2, "done"]]


def test_the_leaderboard_of_an_empty_hub_has_its_columns(hub):
    assert list(leaderboard(hub).columns) == list(comparisons.LEADERBOARD)
    assert leaderboard(hub).empty
