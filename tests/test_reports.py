import re

import pandas as pd
import pytest

from canaries import CANARIES, CANARY_IDS, ROWS, Page, answer, fill, read, register_rows, without_plotly
from exphub_magics import comparisons, metrics, reports
from exphub_magics.cards import listings
from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import Hub


@pytest.fixture
def filled(hub):
    return fill(hub)


@pytest.fixture(scope="module")
def text():
    """The report of the filled hub."""
    with Hub.open(":memory:") as hub:
        return reports.html(fill(hub))


@pytest.fixture(scope="module")
def page(text):
    return Page(without_plotly(text))


def test_the_summary_holds_what_a_recount_gives(page):
    summary = page.table("Every experiment")
    frame = pd.DataFrame(ROWS, columns=["id", "incident", "manual", "first", "second"])
    for name, author in (("first", "A. Author"), ("second", "B. Author")):
        row = summary[f"{name}@1 {author}"]
        both = frame.dropna(subset=["manual", name])
        truth, flag = both["manual"].astype(bool), both[name].astype(bool)
        assert row["n"] == "10"
        assert row["Positives"] == str((frame[name] == True).sum())  # noqa: E712 - None is neither
        assert row["Negatives"] == str((frame[name] == False).sum())  # noqa: E712 - None is neither
        assert row["False positives"] == str((flag & ~truth).sum())
        assert row["False negatives"] == str((~flag & truth).sum())
        assert row["Missing answers"] == str(frame[name].isna().sum())
        overlap, always_no = 100 * (flag == truth).mean(), 100 * (~truth).mean()
        assert row["Percent overlap"] == f"{overlap:.1f} % “no”: {always_no:.1f} %"
        for metric, of in (("Precision", flag), ("Recall", truth)):
            assert float(row[metric].split()[0]) == pytest.approx((flag & truth).sum() / of.sum(), abs=0.005)
        assert row["State"] == "done"


def test_intervals_are_those_of_metrics(page):
    summary = page.table("Every experiment")
    scores = metrics.scorecard([r[2] for r in ROWS], [r[4] for r in ROWS], incident=[r[1] for r in ROWS])
    _, low, _, high = summary["second@1 B. Author"]["Precision"].split()
    assert float(low) == pytest.approx(scores["precision"].low, abs=0.005)
    assert float(high) == pytest.approx(scores["precision"].high, abs=0.005)


def test_an_undefined_number_is_replaced_by_why(hub):
    dataset = register_rows(hub)
    answer(hub, dataset, "never", {one: False for one, *_ in ROWS})
    (row,) = read(hub).table("Every experiment").values()
    assert row["Precision"] == "undefined no labelled narrative was flagged"


def test_an_unfinished_experiment_says_so_and_counts_what_is_missing(hub):
    answer(hub, register_rows(hub), "first", {"1-CME": True})
    (row,) = read(hub).table("Every experiment").values()
    assert (row["State"], row["Missing answers"], row["n"]) == ("unfinished", "9", "10")


def test_only_the_experiments_that_are_named_are_reported(filled):
    summary = read(filled, ["second"]).table("Every experiment")
    assert list(summary) == ["second@1 B. Author"]
    with pytest.raises(UnknownNameError, match="did you mean 'second'"):
        reports.html(filled, ["secnd"])


def test_a_report_holds_no_narrative_rationale_id_note_prompt_address_or_path(text):
    text = without_plotly(text).casefold()
    assert [word for word in CANARIES if word in text] == []
    assert [one for one in CANARY_IDS if one.casefold() in text] == []
    assert "canary" not in text


def test_a_path_in_a_model_name_keeps_its_last_part_alone(hub):
    answer(hub, register_rows(hub), "first", {"1-CME": True}, model="/home/foldercanary/small.gguf")
    text = reports.html(hub)
    assert "small.gguf" in text
    assert "foldercanary" not in text + listings.table(comparisons.leaderboard(hub))


def test_small_counts_are_pointed_at(page):
    assert any("Some counts are below 10." in one for one in page.text)


def test_a_report_fetches_nothing_and_forbids_fetching(text, page):
    assert page.addresses == []
    assert "http" not in "".join(page.text)
    (policy,) = [attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes]
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy
    assert not re.search(r"url\(|@import", without_plotly(text))


def test_html_in_a_name_is_inert(hub):
    evil = "</script><img src=x onerror=alert(1)>"
    answer(hub, register_rows(hub, name=evil), evil, {"1-CME": True}, author=evil, model=evil)
    text = without_plotly(reports.html(hub))
    page = Page(text)
    assert "img" not in {tag for tag, _ in page.tags}
    assert "<img" not in text
    assert evil in next(iter(page.table("Every experiment")))


def test_tables_can_be_read_aloud(page):
    assert len(page.captions) == len(page.tables) > 5
    assert {attributes.get("scope") for tag, attributes in page.tags if tag == "th"} == {"col", "row"}
    assert next(attributes for tag, attributes in page.tags if tag == "html") == {"lang": "en"}
    drawn = [attributes for tag, attributes in page.tags if attributes.get("role") == "img"]
    assert all(attributes["aria-label"] for attributes in drawn)
    assert {tag for tag, _ in page.tags} >= {"main", "header", "h1", "h2", "h3", "noscript"}


def test_an_empty_hub_has_no_report_but_a_next_step(hub):
    with pytest.raises(ConfigError, match="exphub run CONFIG"):
        reports.html(hub)


def test_a_report_is_written_over_a_report_and_over_nothing_else(hub, tmp_path):
    answer(hub, register_rows(hub), "first", {"1-CME": True})
    assert reports.report(hub).name == "report.html"
    assert reports.report(hub).read_text().startswith("<!DOCTYPE html>")
    (tmp_path / "mine.db").write_bytes(b"SQLite format 3")
    with pytest.raises(ConfigError, match="is there already and is no report"):
        reports.report(hub, output="mine.db")
    assert (tmp_path / "mine.db").read_bytes() == b"SQLite format 3"
    with pytest.raises(ConfigError, match="the folder of"):
        reports.report(hub, output="no/such/report.html")
    assert sorted(path.suffix for path in tmp_path.iterdir() if "hub" not in path.name) == [".db", ".html"]


def test_the_builtin_model_is_not_passed_off_as_a_language_model(hub):
    answer(hub, register_rows(hub), "first", {"1-CME": True})
    page = reports.html(hub)
    assert ("rule reader, no language model" in page) == (hub.leaderboard()[0]["provider"] == "builtin")
