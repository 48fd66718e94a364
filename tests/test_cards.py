import json
import re
import time
from collections import Counter

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.display import display
from IPython.utils.capture import capture_output

from exphub_magics import cards, datasets, experiments, metrics, prompts
from exphub_magics.cards import pins
from exphub_magics.hub import Hub
from exphub_magics.markup import LISTED, decimal, interval
from markup_reader import Page

SANITISED = {
    *("table", "thead", "tbody", "tr", "th", "td", "div", "b", "span", "details", "summary", "ul", "li", "code"),
    *("del", "ins"),
}
STYLES = {"text-align", "color", "white-space", "border-left", "padding-left"}
HOSTILE = """<script>alert("1")</script><img src=x onerror='alert(2)'></td></details>&amp;"""
IMAGE = "<img src=x onerror=alert(3)>"
STATES = ("ok", "salvaged", "refused", "not_evaluable", "failed", "pending")

IDS = ("1-CME", "1-LE", "2-CME", "2-LE", "3-CME", "4-CME", "4-LE", "5-CME", "6-CME")
# Flags that find three of the demo's four positives, and one narrative that is none.
FLAGS = {one: one not in ("2-CME", "3-CME", "4-CME", "5-CME") for one in IDS}


def record(hub, frame, flags=FLAGS, *, prompt="Is it?", model="m", said=None, rational="as told", **more):
    """Write an experiment as a run would: True and False answer, a state's name has no answer, the rest is pending."""
    dataset = datasets.read(frame, name=more.pop("data_name", "demo"))
    number, _ = experiments.register_dataset(hub, dataset)
    author, name = more.pop("author", "A"), more.pop("name", "first")
    given = {"dataset_id": number, "settings": said or {}, "environment": {}, "notes": None, "author": author}
    experiment, _ = hub.register(
        {**given, "name": name, "fingerprint": str(len(hub.leaderboard()))},
        prompt=(prompt, prompts.parse(prompt).digest),
        model=(model, more.pop("provider", "served")),
    )
    error = more.pop("error", "400: too long")
    assert not more
    hub.record(
        experiment,
        [
            {
                "narrative_id": one,
                "status": "ok" if isinstance(flag, bool) else flag,
                "flag": flag if isinstance(flag, bool) else None,
                "rational": rational if isinstance(flag, bool) else None,
                "error": None if isinstance(flag, bool) else error,
            }
            for one, flag in flags.items()
        ],
    )
    hub.finish(experiment)
    return experiment


def card_of(hub, frame, *arguments, warnings=(), **more):
    return cards.scorecard(hub, record(hub, frame, *arguments, **more), warnings=warnings)


@pytest.fixture
def shown(shell):
    """What a notebook's cell is given for a value: a bundle an output."""

    def show(value):
        with capture_output() as caught:
            display(value)
        assert (caught.stdout, caught.stderr) == ("", "")
        return [output.data for output in caught.outputs]

    return show


@pytest.fixture
def page(shown):
    """All HTML that a value shows, read."""
    return lambda value: Page("".join(bundle["text/html"] for bundle in shown(value)))


# --- counts and figures -----------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1", "0", ""]),
            st.sampled_from([True, False, *STATES[2:]]),
            st.integers(1, 4),
        ),
        min_size=1,
        max_size=14,
    )
)
def test_counts_cells_and_metrics_are_those_of_a_recount(rows):
    frame = pd.DataFrame(
        [
            {"narrative_id": f"n{n}", "incident_id": str(i), "narrative": f"V was seen on day {n}.", "manual_flag": m}
            for n, (m, _, i) in enumerate(rows)
        ]
    )
    flags = {f"n{n}": flag for n, (_, flag, _) in enumerate(rows) if flag != "pending"}
    with Hub.open(":memory:") as hub:
        card = card_of(hub, frame, flags)
    n = card.counts
    assert n["total"] == len(rows) == card.experiment["total_narratives"]
    assert n["total"] == sum(n[state] for state in STATES) == n["labelled"] + n["unlabelled"]
    found = Counter((manual, flag if isinstance(flag, bool) else None) for manual, flag, _ in rows)
    assert [n[key] for key in ("tp", "fp", "fn", "tn")] == [
        found[pair] for pair in (("1", True), ("0", True), ("1", False), ("0", False))
    ]
    assert sum(card.cells.values()) == len(rows)
    assert card.cells["no_answer_yes"] == found["1", None]
    assert card.cells["unlabelled_flagged"] == found["", True]
    truth = [{"1": True, "0": False, "": None}[manual] for manual, _, _ in rows]
    said = [flag if isinstance(flag, bool) else None for _, flag, _ in rows]
    assert card.scores == metrics.scorecard(truth, said, incident=[i for *_, i in rows])


def test_what_is_shown_are_the_counts_in_words(hub, demo):
    flags = {**FLAGS, "2-CME": "failed", "3-CME": "refused", "3-LE": "not_evaluable"}
    card = card_of(hub, demo, {one: flag for one, flag in flags.items() if one != "4-CME"})
    assert cards.title(card) == "first v1 · served m · demo, 10 narratives of 6 incidents · unfinished"
    assert cards.counted(card) == (
        "answered 6 = 6 ok + 0 salvaged · not evaluable 1 · refused 1 · failed 1 · pending 1 · labelled 9, unlabelled 1"
    )


def test_text_and_html_hold_the_same_figures(hub, demo, shown):
    card = card_of(hub, demo, {**FLAGS, "4-LE": "failed"})
    (bundle,) = shown(card)
    read, lines = Page(bundle["text/html"]), bundle["text/plain"].splitlines()
    assert bundle["text/plain"] == str(card)
    for line in (cards.title(card), cards.counted(card)):
        assert line in lines
        assert line in read.words
    start = next(place for place, line in enumerate(lines) if "95 % interval" in line)
    for cells, line in zip(read.rows, lines[start:], strict=False):
        assert [cell for cell in cells if cell] == re.split(r"\s{2,}", line.strip())
    names = [cells[0] for cells in read.rows[1:]]
    assert names == ["precision", "recall", "specificity", "F1", "agreement", "Jaccard", "Cohen's κ"]


def test_the_table_holds_the_metrics(hub, demo):
    card = card_of(hub, demo)
    for name, (_, value, bounds, origin, always_no, _) in zip(cards.SHOWN, cards.rows(card), strict=True):
        held = card.metrics[name]
        assert (value, bounds) == (decimal(held["value"]), interval(held["low"], held["high"]))
        assert str(held["n"]) in origin.split()
        assert always_no == decimal(card.scores[name].always_no)
    rows = {row[0]: row for row in cards.rows(card)}
    assert (rows["precision"][3], rows["recall"][3], rows["F1"][3]) == ("3 / 4", "3 / 4", "n = 5")
    assert (rows["precision"][4], rows["recall"][4], rows["agreement"][4]) == ("–", ".00", ".50")


def test_the_json_is_what_show_promises(hub, demo):
    said = json.loads(json.dumps(card_of(hub, demo).as_json(), allow_nan=False))
    assert list(said) == ["experiment", "counts", "metrics"]
    assert list(said["experiment"]) == list(cards.SEED_COLUMNS)
    wanted = "tp fp fn tn ok salvaged refused not_evaluable failed pending unlabelled total"
    assert set(wanted.split()) <= set(said["counts"])
    for held in said["metrics"].values():
        assert {"value", "low", "high", "n"} <= set(held)
        assert (held["value"] is None or held["low"] is None) is ("why" in held)


def test_the_chart_holds_the_cells(hub, demo):
    figure = card_of(hub, demo, {**FLAGS, "3-LE": "not_evaluable"}).figure.to_plotly_json()
    assert [list(row) for row in figure["data"][0]["z"]] == [[3, 1, 0], [1, 3, 1], [1, 0, 0]]


# --- what the data cannot carry ---------------------------------------------------------------------------


def test_an_undefined_metric_is_a_dash_with_its_reason(hub, demo, page):
    card = card_of(hub, demo, dict.fromkeys(FLAGS, False))
    rows = {cells[0]: cells for cells in page(card).rows}
    assert rows["precision"] == ["precision", "–", "", "", "–", "no labelled narrative was flagged"]
    assert rows["recall"][1] == ".00"
    assert "no labelled narrative was flagged" in str(card)


def test_without_labels_no_metric_has_a_number(hub, demo, page):
    card = card_of(hub, demo.assign(manual_flag=""))
    for name, value, bounds, origin, always_no, why in page(card).rows[1:]:
        assert (value, bounds, origin, always_no) == ("–", "", "", "–"), name
        assert why == "no narrative is both labelled and answered"
    assert card.experiment["percent_overlap"] is None


def test_a_value_without_an_interval_says_why(hub, demo, page):
    one = demo.assign(incident_id="1")
    card = card_of(hub, one)
    for cells in page(card).rows[1:]:
        assert cells[1] != "–"
        assert cells[2] == ""
        assert cells[5] == card.scores["precision"].why
        assert "one incident" in cells[5]
    assert str(card).count("one incident") == len(cards.SHOWN)


def test_missing_answers_are_counted_as_misses_only_where_a_positive_has_none(hub, demo, page):
    def remark(flags):
        return {cells[0]: cells[5] for cells in page(card_of(hub, demo, flags)).rows}["recall"]

    assert remark(FLAGS) == ""
    assert remark({**FLAGS, "2-CME": "failed", "6-CME": "refused"}) == ""
    assert remark({**FLAGS, "4-LE": "failed"}) == "missing answers counted as misses: .50"
    pending = {one: flag for one, flag in FLAGS.items() if one != "3-CME"}
    assert remark(pending) == "missing answers counted as misses: .75"


def test_a_recall_from_one_incident_says_so_beside_its_missing_answers(hub, demo, page):
    flags = {**FLAGS, "3-CME": "failed", "4-LE": "failed"}
    rows = {cells[0]: cells for cells in page(card_of(hub, demo, flags)).rows}
    assert rows["recall"][1:4] == ["1.00", "", "2 / 2"]
    assert "missing answers counted as misses: .50" in rows["recall"][5]
    assert "one incident" in rows["recall"][5]


# --- what failed, and what is noted -----------------------------------------------------------------------


def test_what_failed_is_listed_with_its_reason(hub, demo, page):
    card = card_of(hub, demo, {**FLAGS, "2-CME": "failed", "3-CME": "refused"})
    assert card.failures == (("2-CME", "400: too long"),)
    words = page(card).words
    assert "the 1 that failed" in words
    assert "\n2-CME 400: too long" in words
    assert "\nfailed 2-CME: 400: too long" in str(card)


def test_a_long_list_of_failures_is_cut_and_says_by_how_many(hub, page):
    many = LISTED + 3
    frame = pd.DataFrame(
        {"narrative_id": [f"n{n:02}" for n in range(many)], "narrative": [f"V {n}." for n in range(many)]}
    )
    card = card_of(hub, frame, {f"n{n:02}": "failed" for n in range(many)})
    for words in (page(card).words, str(card)):
        assert words.count("too long") == LISTED
        assert "… and 3 more" in words
    assert len(card.failures) == many


def test_notes_stand_in_text_and_html(hub, demo, page):
    card = card_of(hub, demo, warnings=["'first' now holds 2 versions"])
    assert "Note 'first' now holds 2 versions" in page(card).words.replace("\n", "")
    assert "\nnote: 'first' now holds 2 versions\n" in str(card)


# --- since the version before -----------------------------------------------------------------------------

MOVED = {**FLAGS, "3-CME": True, "2-LE": False, "5-CME": True}


def since(hub, demo, page, first, second):
    record(hub, demo, **first)
    card = card_of(hub, second.pop("data", demo), second.pop("flags", MOVED), **second)
    return card, page(card)


def test_a_changed_prompt_is_shown_word_by_word(hub, demo, page):
    before, after = "Was V hit by a partner?\nOnly stated violence.", "Was V hit by a partner?\nThreats count."
    card, read = since(hub, demo, page, {"prompt": before}, {"prompt": after})
    tags = [tag for tag, _ in read.tags]
    assert ("del" in tags, "ins" in tags) == (True, True)
    assert card.change.others == ()
    text = str(card)[str(card).index("Since v1") :]
    assert text.startswith("Since v1\nWas V hit by a partner?\n[-Only-]{+Threats+} [-stated violence.-]{+count.+}\n")
    old = "".join(change.text for change in card.change.prompt if change.kind != "added")
    new = "".join(change.text for change in card.change.prompt if change.kind != "removed")
    assert (old, new) == (before, after)


def test_words_far_from_a_change_are_left_out(hub, demo, page):
    long = "word " * 200
    _, read = since(hub, demo, page, {"prompt": f"{long}old."}, {"prompt": f"{long}new."})
    assert read.words.count("word") < 30
    assert " … " in read.words


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model": "n"}, "model: served m → served n"),
        ({"provider": "other"}, "model: served m → other m"),
        ({"said": {"temperature": 0.5, "seed": 1}}, "settings: none → seed 1, temperature 0.5"),
    ],
)
def test_another_model_or_setting_is_named_and_no_diff_is_shown(hub, demo, page, more, said):
    card, read = since(hub, demo, page, {}, more)
    assert card.change.others == (said,)
    assert card.change.prompt == ()
    assert not {"del", "ins"} & {tag for tag, _ in read.tags}
    for words in (read.words, str(card)):
        assert f"Since v1\n{said}\n" in words


def test_another_dataset_is_named_and_compared_on_what_it_shares(hub, demo, page):
    changed = demo.assign(narrative=demo["narrative"].where(demo["narrative_id"] != "2-LE", "Officers saw V at noon."))
    card, read = since(hub, demo, page, {}, {"data": changed})
    (said,) = card.change.others
    assert re.fullmatch(r"dataset: demo [0-9a-f]{8} → demo [0-9a-f]{8}", said)
    assert said in read.words
    assert [flip.narrative_id for flip in card.change.pair.flips] == ["3-CME", "5-CME"]


def test_versions_that_share_nothing_say_so(hub, demo, page):
    other = demo.assign(narrative=[f"Another text, number {n}." for n in range(len(demo))])
    card, read = since(hub, demo, page, {}, {"data": other})
    said = "first@1 and first@2 share no labelled narrative that all have answered"
    assert card.change.pair is None
    assert said in read.words
    assert str(card).endswith(said)


def test_flips_are_counted_and_listed_with_what_is_said_now(hub, demo, page):
    card, read = since(hub, demo, page, {}, {"rational": "now said", "prompt": "Is it so?"})
    assert "2 newly right, 1 newly wrong, p = 1.00 (paired, by incident)" in str(card)
    listed = [line for line in read.words.splitlines() if " manual " in line]
    assert listed == [
        "2-LE manual no, now not flagged: now said",
        "3-CME manual yes, now flagged: now said",
        "5-CME manual no, now flagged: now said",
    ]
    assert (
        read.words.index("\n2 newly right", read.words.index("paired"))
        < read.words.index("3-CME manual")
        < read.words.index("\n1 newly wrong")
    )


def test_versions_that_say_the_same_list_nothing(hub, demo, page):
    card, read = since(hub, demo, page, {}, {"flags": FLAGS, "prompt": "Is it so?"})
    assert "the two say the same about every one of the 8 labelled narratives" in read.words
    assert "newly" not in read.words
    assert str(card).endswith("that both answered")


def test_only_the_version_before_of_the_same_name_is_compared(hub, demo, page):
    for name in ("2", "first", "first"):
        record(hub, demo, name=name, prompt=f"Is it, {name}? {len(hub.leaderboard())}")
    record(hub, demo, MOVED, name="other")
    card = card_of(hub, demo, MOVED, prompt="Is it so?")
    assert card.change.version == 2
    assert (card.change.pair.comparison.first, card.change.pair.comparison.second) == ("first@2", "first@3")
    assert cards.scorecard(hub, 1).change is None
    assert cards.scorecard(hub, 4).change is None
    assert "Since v2" in page(card).words


def test_a_name_that_is_a_number_is_not_taken_for_an_id(hub, demo):
    record(hub, demo, dict.fromkeys(FLAGS, False), name="2", prompt="Is it something else?")
    record(hub, demo)
    card = card_of(hub, demo, MOVED, prompt="Is it so?")
    assert (card.change.pair.comparison.first, card.change.pair.comparison.second) == ("first@1", "first@2")
    assert len(card.change.pair.flips) == 3


# --- against the baseline ---------------------------------------------------------------------------------


def pinned(hub, name, **said):
    """Pin an experiment at a moment that nothing before or after it shares."""
    time.sleep(0.005)
    told = pins.pin(hub, name, "baseline", **{"author": "Ann", "why": "before the new codebook", **said})
    time.sleep(0.005)
    return f"(pinned {told.now.moved_at[:10]} by Ann: before the new codebook)"


def test_once_pinned_each_card_is_held_against_the_baseline(hub, demo, page):
    record(hub, demo, name="partner")
    when = pinned(hub, "partner")
    card_of(hub, demo, dict.fromkeys(FLAGS, False), prompt="Is it, then?")
    card = card_of(hub, demo, MOVED, prompt="Is it so?")
    heading, wording, moved, wrong = str(card)[str(card).index("Against") :].splitlines()
    assert heading == f"Against the baseline partner@1 {when}"
    assert wording == "Is [-it?-]{+it so?+}"
    assert moved.startswith("of 8 labelled narratives that both have answered: 1 newly wrong, 2 newly right, p = 1.00 ")
    assert moved.partition(" (paired")[2] == card.change.pair.comparison.verdict().partition(" (paired")[2]
    assert wrong == "newly wrong: 5-CME"
    read = page(card)
    assert f"Against the baseline partner@1 {when}" in read.words
    assert "Since" not in read.words
    wrong, right = read.words.index("\n1 newly wrong", read.words.index("paired")), read.words.index("\n2 newly right")
    assert wrong < read.words.index("5-CME manual") < right < read.words.index("3-CME manual")


def test_the_baselines_own_card_says_that_it_is_the_baseline(hub, demo, shown):
    record(hub, demo)
    number = record(hub, demo, MOVED, prompt="Is it so?")
    when = pinned(hub, "first")
    _, changed = shown(cards.scorecard(hub, number))
    assert changed["text/plain"] == f"This is the baseline {when}"
    assert Page(changed["text/html"]).words.strip() == f"This is the baseline {when}"
    assert "Against the baseline first@2" in str(cards.scorecard(hub, 1))


def test_without_a_pin_a_card_is_what_it_was_before_one(hub, demo, shown):
    record(hub, demo)
    number = record(hub, demo, MOVED, prompt="Is it so?")
    before = shown(cards.scorecard(hub, number))
    pinned(hub, "first@1")
    assert shown(cards.scorecard(hub, number)) != before
    pins.take_back(hub, "baseline")
    assert shown(cards.scorecard(hub, number)) == before


def test_what_makes_the_figures_less_alike_is_said_first(hub, demo, page):
    record(hub, demo, name="partner")
    reply(hub, 1, "schema")
    pinned(hub, "partner")
    changed = demo.assign(narrative=demo["narrative"].where(demo["narrative_id"] != "2-LE", "Officers saw V at noon."))
    changed.loc[changed["narrative_id"] == "4-CME", "manual_flag"] = "1"
    number = record(hub, changed, MOVED, prompt="Is it so?", model="n", said={"seed": 1})
    reply(hub, number, "json")
    card = cards.scorecard(hub, number)
    kinds = [other.partition(":")[0] for other in card.change.others]
    assert kinds == ["dataset", "labels", "answer format", "model", "settings"]
    assert card.change.others[1:3] == (
        "labels: 1 manual flag changed since it was pinned",
        "answer format: schema → json",
    )
    words = page(card).words
    told = [*card.change.others, "it so?", "newly wrong"]
    assert sorted(told, key=words.index) == told


def reply(hub, experiment, form):
    """Let an experiment's first answer have come from a reply in a form."""
    said = {"request_hash": form, "question_hash": form, "body": "{}", "answer_format": form}
    answer = {"narrative_id": "1-CME", "status": "ok", "flag": True, "request_hash": form}
    hub.record(experiment, [answer], [said])


def test_labels_that_changed_before_the_pin_are_not_told(hub, demo):
    number = record(hub, demo, name="partner")
    dataset = hub.experiment(number)["dataset_id"]
    hub.label(dataset, {"2-CME": True}, coder="manual")
    pinned(hub, "partner")
    card = card_of(hub, demo.assign(manual_flag=[*"11", "1", *demo["manual_flag"][3:]]), MOVED, prompt="Is it so?")
    assert card.change.others == ()
    hub.label(dataset, {"2-CME": False, "6-CME": True}, coder="manual")
    assert cards.scorecard(hub, 2).change.others == ("labels: 2 manual flags changed since it was pinned",)


def test_an_unfinished_experiment_is_compared_on_what_both_have_answered(hub, demo, page):
    record(hub, demo, name="partner")
    pinned(hub, "partner")
    some = {one: MOVED[one] for one in ("1-CME", "2-CME", "5-CME")}
    card = card_of(hub, demo, some, prompt="Is it so?")
    assert card.about["state"] == "unfinished"
    assert card.change.pair.comparison.n_common == 3
    assert "of 3 labelled narratives that both have answered: 1 newly wrong, 0 newly right" in page(card).words
    nothing = card_of(hub, demo, {}, prompt="And now?")
    assert str(nothing).endswith("partner@1 and first@2 share no labelled narrative that all have answered")


def test_a_long_list_of_what_is_newly_wrong_is_cut_and_says_by_how_many(hub):
    many = LISTED + 3
    frame = pd.DataFrame(
        {
            "narrative_id": [f"n{n:02}" for n in range(many)],
            "narrative": [f"V {n}." for n in range(many)],
            "manual_flag": "0",
        }
    )
    record(hub, frame, dict.fromkeys(frame["narrative_id"], False), name="partner")
    pinned(hub, "partner")
    text = str(card_of(hub, frame, dict.fromkeys(frame["narrative_id"], True)))
    assert text.endswith(f"n{LISTED - 1:02} … and 3 more")


def test_what_anybody_wrote_of_the_baseline_is_text(hub, demo, shown):
    record(hub, demo, name=HOSTILE, model=HOSTILE, prompt=f"Is it? {HOSTILE}", data_name=IMAGE)
    reply(hub, 1, HOSTILE)
    pins.pin(hub, "1", "baseline", author=HOSTILE, why=HOSTILE)
    number = record(hub, demo, MOVED, prompt="Is it so?", rational=HOSTILE)
    reply(hub, number, "json")
    for one in (1, number):
        read = Page(shown(cards.scorecard(hub, one))[1]["text/html"])
        assert {tag for tag, _ in read.tags} <= SANITISED
        assert f"by {HOSTILE}: {HOSTILE})" in read.words
    assert f"answer format: {HOSTILE} → json" in read.words


# --- what a notebook is given -----------------------------------------------------------------------------


def test_a_first_version_is_one_output_and_a_second_two_each_as_html_and_text(hub, demo, shown):
    (first,) = shown(card_of(hub, demo))
    assert set(first) == {"text/html", "text/plain"}
    head, changed = shown(card_of(hub, demo, MOVED, prompt="Is it so?"))
    assert set(head) == set(changed) == {"text/html", "text/plain"}
    assert "first v2" in head["text/plain"]
    assert changed["text/plain"].startswith("Since v1\n")


def test_nothing_is_shown_twice(hub, demo, shown):
    record(hub, demo)
    card = card_of(hub, demo, MOVED, prompt="Is it so?")
    bundles = shown(card)
    for kind in ("text/plain", "text/html"):
        whole = "\n".join(bundle[kind] for bundle in bundles)
        assert (whole.count("Since v1"), whole.count("first v2")) == (1, 1)
    assert "\n".join(bundle["text/plain"] for bundle in bundles) == str(card)


def test_the_same_card_twice_is_the_same_to_the_byte(hub, demo, shown):
    record(hub, demo, {**FLAGS, "2-CME": "failed"})
    number = record(hub, demo, MOVED, prompt="Is it so?")
    first, again = (shown(cards.scorecard(hub, number)) for _ in range(2))
    assert json.dumps(first).encode() == json.dumps(again).encode()


def hostile(hub, demo):
    """A card of two versions in which everything that can be written holds markup."""
    demo = demo.assign(narrative_id=demo["narrative_id"] + HOSTILE)
    flags = {one + HOSTILE: flag for one, flag in {**FLAGS, "2-CME": "failed"}.items()}
    more = {"name": HOSTILE, "author": HOSTILE, "error": HOSTILE, "rational": HOSTILE, "data_name": IMAGE}
    record(hub, demo, flags, prompt=f"Is it? {HOSTILE}", model="m", **more)
    flags |= {"3-CME" + HOSTILE: True, "5-CME" + HOSTILE: True}
    said = {"base_url": f"http://x/{HOSTILE}"}
    more |= {"model": HOSTILE, "provider": HOSTILE, "said": said, "warnings": [HOSTILE]}
    return card_of(hub, demo, flags, prompt=f"Is it so? {HOSTILE} new{HOSTILE}", **more)


def test_what_anybody_wrote_is_text_in_every_output(hub, demo, shown):
    bundles = shown(hostile(hub, demo))
    head, changed = (Page(bundle["text/html"]) for bundle in bundles)
    for read in (head, changed):
        assert {tag for tag, _ in read.tags} <= SANITISED
    for said in (
        f"{HOSTILE} v2 · {HOSTILE} {HOSTILE} · {IMAGE}, 10 narratives",
        f"\nNote {HOSTILE}\n",
        f"2-CME{HOSTILE} {HOSTILE}",
    ):
        assert said in head.words
    for said in (
        f"model: served m → {HOSTILE} {HOSTILE}",
        f"settings: none → base_url http://x/{HOSTILE}",
        f"new{HOSTILE}",
        f"3-CME{HOSTILE} manual yes, now flagged: {HOSTILE}",
        f"5-CME{HOSTILE} manual no, now flagged: {HOSTILE}",
    ):
        assert said in changed.words


def test_only_what_jupyterlab_keeps_of_untrusted_html_is_used(hub, demo, page):
    read = page(hostile(hub, demo))
    assert {tag for tag, _ in read.tags} == SANITISED
    for _, attributes in read.tags:
        assert set(attributes) <= {"style", "class", "scope"}
        for declaration in filter(None, attributes.get("style", "").split(";")):
            assert declaration.split(":")[0].strip() in STYLES
