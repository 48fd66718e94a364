import json
import re
from html import unescape

import pytest

from canaries import ROWS, Page, answer, fill, read, register_rows
from exphub_magics import comparisons, reports
from exphub_magics.metrics import pairing


@pytest.fixture
def filled(hub):
    return fill(hub)


def test_the_counts_of_each_experiment_add_up(filled):
    page = read(filled)
    for nth in (0, 1):
        (went,) = page.table("Where each narrative went", nth).values()
        total = int(went.pop("total"))
        assert sum(int(count) for state, count in went.items() if state) == total == 10
        cells = page.table("The chart's counts", nth)
        for row in cells.values():
            assert int(row["flagged"]) + int(row["not flagged"]) + int(row["no answer"]) == int(row["all"])
        assert sum(int(cells[name]["all"]) for name in ("yes", "no", "unlabelled")) == int(cells["all"]["all"]) == 10


def test_comparisons_are_paired_and_named_after_the_first(filled):
    page = read(filled)
    (row,) = page.table("Paired differences, each experiment minus first@1").values()
    compared = comparisons.compare(filled, ["first", "second"]).pairs[0].comparison
    assert row["n"] == f"{compared.n_common} {compared.n_excluded} excluded"
    assert (row["Newly right"], row["Newly wrong"]) == ("3", "1")
    assert float(row["p"]) == pytest.approx(compared.p_value, abs=0.0005)
    assert row["p, Holm"] == row["p"]
    assert row["Recall"].startswith("+.50")


def test_p_values_are_adjusted_for_how_many_comparisons_stand_together(filled):
    dataset = filled.leaderboard()[0]["dataset_id"]
    answer(filled, dataset, "third", {one: manual for one, _, manual, *_ in ROWS})
    rows = read(filled).table("Paired differences").values()
    found = [row["p"] for row in rows]
    assert [float(row["p, Holm"]) for row in rows] == pytest.approx(pairing.holm([float(p) for p in found]), abs=0.002)


def test_the_best_of_several_prompts_is_called_optimistic_even_where_only_one_is_shown(filled):
    said = " ".join("".join(read(filled, ["first"]).text).split())
    assert "2 prompts in 2 experiments were tried on this dataset (1 shown here)." in said
    assert ".89 of second@1, is the best of 2" in said
    assert "optimistic" in said


def test_a_dataset_without_labels_has_a_report(hub):
    dataset = register_rows(hub, [(*row[:2], None, *row[3:]) for row in ROWS])
    answer(hub, dataset, "first", {one: first for one, *_, first, _ in ROWS})
    answer(hub, dataset, "second", {one: second for one, *_, second in ROWS})
    page = read(hub)
    row = page.table("Every experiment")["first@1 A. Author"]
    assert row["Percent overlap"].startswith("undefined no narrative is both labelled and answered")
    (compared,) = page.table("Paired differences").values()
    assert "share no labelled narrative that all have answered" in compared["What it comes to"]


def test_experiments_of_two_datasets_are_not_compared(filled):
    other = register_rows(filled, ROWS[:4], sha256="b" * 64, name="other.csv")
    answer(filled, other, "elsewhere", {one: first for one, *_, first, _ in ROWS[:4]})
    text = reports.html(filled)
    assert "3 experiments on 2 datasets." in text
    assert list(Page(text).table("Paired differences")) == ["second@1"]


def test_the_overlap_of_whole_experiments_is_not_cut_to_a_sample(filled):
    dataset = filled.leaderboard()[0]["dataset_id"]
    drawn = ["1-CME", "2-CME"]
    answer(filled, dataset, "drawn", dict.fromkeys(drawn, True), selected=[f"{one}idcanary" for one in drawn])
    text = reports.html(filled)
    assert "of those that were asked about all narratives" in text
    assert "8 narratives, 2 flagged by none" in unescape(text)


def test_the_charts_of_a_report_are_those_of_figures(filled):
    text = reports.html(filled)
    held = re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    charts = [json.loads(one) for one in held]
    titles = [chart["layout"].get("title", {}).get("text") for chart in charts]
    assert titles == [
        "Precision and recall",
        "Values with 95 % intervals",
        "What changed",
        "Flagged by exactly these",
        "Overlap of the flagged, by pair",
        None,
        None,
    ]
    assert charts[-2]["data"][0]["z"] == [[2, 2, 0], [1, 3, 1], [1, 0, 0]]
