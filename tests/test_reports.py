import json
import re
from html import unescape
from html.parser import HTMLParser

import openpyxl
import pandas as pd
import plotly.offline
import pytest

from exphub_magics import comparisons, metrics, reports
from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import Hub

# Ten narratives of six incidents, what two experiments say of them, and words that must never leave.
ROWS = [
    ("1-CME", "1", True, True, True),
    ("1-LE", "1", True, True, True),
    ("2-CME", "2", False, False, True),
    ("2-LE", "2", False, True, False),
    ("3-CME", "3", True, False, True),
    ("3-LE", "3", False, None, None),
    ("4-CME", "4", False, False, False),
    ("4-LE", "4", True, False, True),
    ("5-CME", "5", False, False, False),
    ("6-CME", "6", None, True, False),
]
CANARIES = [
    "storycanary",
    "reasoncanary",
    "stepcanary",
    "errorcanary",
    "notecanary",
    "promptcanary",
    "hostcanary",
    "foldercanary",
]
CANARY_IDS = {f"{one}idcanary" for one, *_ in ROWS} | {f"incidentcanary{one}" for one in "123456"}


def register_rows(hub, rows=ROWS, *, sha256="a" * 64, name="rows.csv"):
    number = hub.register_dataset(
        name=name,
        sha256=sha256,
        columns={},
        profile={},
        narratives=[
            {
                "narrative_id": f"{one}idcanary",
                "incident_id": f"incidentcanary{incident}",
                "source": one.split("-")[1],
                "narrative_text": f"storycanary of {one}",
                "facts": "{}",
                "placeholder": None,
            }
            for one, incident, *_ in rows
        ],
    )
    labels = {f"{one}idcanary": manual for one, _, manual, *_ in rows if manual is not None}
    hub.label(number, labels, coder="manual", notes=dict.fromkeys(labels, "notecanary"))
    return number


def answer(hub, dataset, name, flags, *, author="A. Author", model="rules-1", rational="reasoncanary", selected=None):
    number, _ = hub.register(
        {
            "name": name,
            "author": author,
            "dataset_id": dataset,
            "settings": {"temperature": 0.2, "base_url": "http://hostcanary:1/v1"},
            "environment": {"exphub": "0.1.0", "python": "3.11.7", "platform": "Linux", "packages": {"pandas": "3"}},
            "fingerprint": f"{name}{len(hub.leaderboard())}",
            "notes": "notecanary",
        },
        prompt=(f"promptcanary {name}", f"{sum(map(ord, name)):064x}"[::-1]),
        model=(model, "builtin"),
        selected=selected,
    )
    results = [
        {
            "narrative_id": f"{one}idcanary",
            "rational": rational,
            "flag": flag,
            "reasoning_steps": json.dumps(["stepcanary"]),
            "status": "failed" if flag is None else "ok",
            "confidence": None if flag is None else 0.9,
            "error": "errorcanary at /foldercanary/x" if flag is None else None,
        }
        for one, flag in flags.items()
    ]
    hub.record(number, results)
    hub.score(number, finish=True)
    return number


def fill(hub):
    dataset = register_rows(hub)
    answer(hub, dataset, "first", {one: first for one, *_, first, _ in ROWS})
    answer(hub, dataset, "second", {one: second for one, *_, second in ROWS}, author="B. Author")
    return hub


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


def read(hub, names=()):
    return Page(without_plotly(reports.html(hub, names)))


class Page(HTMLParser):
    """The tables of a page as lists of rows, its other text, and every address in it."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.captions, self.text, self.addresses, self.tags = [], [], [], [], []
        self._cell = self._inside = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._inside = tag if tag in {"script", "style"} else None
        self.addresses += [value for key, value in attributes if key in {"src", "href", "action", "data", "poster"}]
        if tag == "table":
            self.tables.append([])
        elif tag == "caption":
            self.captions.append("")
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in {"th", "td"}:
            self._cell = []
        elif tag in {"br", "small"} and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag):
        self._inside = None
        if tag in {"th", "td"}:
            self.tables[-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data):
        if self._inside:
            return
        self.text.append(data)
        if self._cell is not None:
            self._cell.append(data)
        elif self.captions and not self.tables[-1]:
            self.captions[-1] += data

    def table(self, caption, nth=0):
        """The nth table whose caption begins so, as rows by their first cell."""
        place = [n for n, one in enumerate(self.captions) if one.startswith(caption)][nth]
        head, *rows = self.tables[place]
        return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def without_plotly(text):
    script = plotly.offline.get_plotlyjs()
    assert text.count(script) == 1
    return text.replace(script, "")


# --- the numbers ------------------------------------------------------------------------------------------


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


def test_the_counts_of_each_experiment_add_up(page):
    for nth in (0, 1):
        (went,) = page.table("Where each narrative went", nth).values()
        total = int(went.pop("total"))
        assert sum(int(count) for state, count in went.items() if state) == total == 10
        cells = page.table("The chart's counts", nth)
        for row in cells.values():
            assert int(row["flagged"]) + int(row["not flagged"]) + int(row["no answer"]) == int(row["all"])
        assert sum(int(cells[name]["all"]) for name in ("yes", "no", "unlabelled")) == int(cells["all"]["all"]) == 10


def test_comparisons_are_paired_and_named_after_the_first(filled, page):
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
    assert [float(row["p, Holm"]) for row in rows] == pytest.approx(metrics.holm([float(p) for p in found]), abs=0.002)


def test_the_best_of_several_prompts_is_called_optimistic_even_where_only_one_is_shown(filled):
    said = " ".join("".join(read(filled, ["first"]).text).split())
    assert "2 prompts in 2 experiments were tried on this dataset (1 shown here)." in said
    assert ".89 of second@1, is the best of 2" in said
    assert "optimistic" in said


def test_an_undefined_number_is_replaced_by_why(hub):
    dataset = register_rows(hub)
    answer(hub, dataset, "never", {one: False for one, *_ in ROWS})
    (row,) = read(hub).table("Every experiment").values()
    assert row["Precision"] == "undefined no labelled narrative was flagged"


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


def test_an_unfinished_experiment_says_so_and_counts_what_is_missing(hub):
    answer(hub, register_rows(hub), "first", {"1-CME": True})
    (row,) = read(hub).table("Every experiment").values()
    assert (row["State"], row["Missing answers"], row["n"]) == ("unfinished", "9", "10")


def test_the_overlap_of_whole_experiments_is_not_cut_to_a_sample(filled):
    dataset = filled.leaderboard()[0]["dataset_id"]
    drawn = ["1-CME", "2-CME"]
    answer(filled, dataset, "drawn", dict.fromkeys(drawn, True), selected=[f"{one}idcanary" for one in drawn])
    text = reports.html(filled)
    assert "of those that were asked about all narratives" in text
    assert "8 narratives, 2 flagged by none" in unescape(text)


def test_only_the_experiments_that_are_named_are_reported(filled):
    summary = read(filled, ["second"]).table("Every experiment")
    assert list(summary) == ["second@1 B. Author"]
    with pytest.raises(UnknownNameError, match="did you mean 'second'"):
        reports.html(filled, ["secnd"])


# --- what may leave ---------------------------------------------------------------------------------------


def test_a_report_holds_no_narrative_rationale_id_note_prompt_address_or_path(text):
    text = without_plotly(text).casefold()
    assert [word for word in CANARIES if word in text] == []
    assert [one for one in CANARY_IDS if one.casefold() in text] == []
    assert "canary" not in text


def test_a_path_in_a_model_name_keeps_its_last_part_alone(hub):
    answer(hub, register_rows(hub), "first", {"1-CME": True}, model="/home/foldercanary/small.gguf")
    text = reports.html(hub)
    assert "small.gguf" in text
    assert "foldercanary" not in text + reports.table(hub)


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


def test_the_charts_of_a_report_are_those_of_figures(text):
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


# --- the terminal -----------------------------------------------------------------------------------------


def test_the_terminal_table_holds_the_same_numbers(filled):
    head, names, _, *lines = reports.table(filled).splitlines()
    first, author = (line.split() for line in lines[:2])
    assert head.split()[:5] == ["experiment", "model", "dataset", "yes", "FP"]
    assert names.split()[:5] == ["author", "prompt", "n", "no", "FN"]
    assert first == ["first@1", "builtin", "rules-1", "rows.csv", "4", "1", "62.5", "%", ".67", ".50", ".57", "done"]
    assert author[3:7] == ["10", "5", "2", "50.0"]
    assert author[-1] == "1"


def test_the_terminal_table_fits_120_columns(hub):
    dataset = register_rows(hub, name="n" * 90)
    answer(hub, dataset, "x" * 90, {one: True for one, *_ in ROWS}, author="y" * 90, model="z" * 90)
    assert max(map(len, reports.table(hub).splitlines())) <= 120


def test_the_terminal_table_takes_the_leaderboard_too_which_has_no_intervals(filled):
    lines = reports.table(comparisons.leaderboard(filled)).splitlines()
    whole = reports.table(filled).splitlines()
    assert [line.split() for line in lines[3::2]] == [line.split() for line in whole[3::2]]
    assert reports.table(comparisons.leaderboard(filled).iloc[:0]) == "no experiment yet"


# --- data files -------------------------------------------------------------------------------------------

READERS = {
    "csv": pd.read_csv,
    "xlsx": pd.read_excel,
    "parquet": pd.read_parquet,
    "jsonl": lambda path: pd.read_json(path, lines=True),
}


@pytest.mark.parametrize("ending", READERS)
def test_an_export_reads_back_as_it_was(filled, tmp_path, ending):
    path = reports.export(filled, "first", tmp_path / f"first.{ending}")
    frame = READERS[ending](path)
    assert list(frame) == [
        *("experiment_id", "fingerprint", "experiment", "narrative_id", "incident_id", "source", "status"),
        *("flag", "manual_flag", "outcome", "confidence", "rational", "reasoning_steps", "error"),
    ]
    assert set(frame["experiment"]) == {"first@1"}
    assert frame["narrative_id"].tolist() == [f"{one}idcanary" for one, *_ in ROWS]
    for column, expected in (("flag", [r[3] for r in ROWS]), ("manual_flag", [r[2] for r in ROWS])):
        assert [None if pd.isna(value) else bool(value) for value in frame[column]] == expected
    assert frame["outcome"].tolist() == ["tp", "tp", "tn", "fp", "fn", "no answer", "tn", "fn", "tn", "unlabelled"]
    assert "storycanary" not in frame.to_json()
    assert [one.name for one in tmp_path.glob(".*")] == []


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_in_an_answer_is_defused_in_csv(hub, tmp_path, formula):
    answer(hub, register_rows(hub), "first", {"1-CME": True}, rational=formula)
    path = reports.export(hub, "first", tmp_path / "first.csv")
    assert pd.read_csv(path)["rational"][0] == f"'{formula}"


@pytest.mark.parametrize("formula", [*FORMULAS, "=cmd|' /C calc'!A0", "a\x00b\x0bc"])
def test_no_cell_of_an_xlsx_file_is_a_formula(hub, tmp_path, formula):
    answer(hub, register_rows(hub), "first", {"1-CME": True}, rational=formula)
    path = reports.export(hub, "first", tmp_path / "first.xlsx")
    sheet = openpyxl.load_workbook(path).active
    assert "f" not in {cell.data_type for row in sheet.iter_rows() for cell in row}
    said = sheet.cell(2, 12).value
    assert said.strip() == re.sub(r"[\x00\x0b]", "", formula).strip()


def test_an_export_never_overwrites(filled, tmp_path):
    (tmp_path / "first.csv").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        reports.export(filled, "first", tmp_path / "first.csv")
    assert (tmp_path / "first.csv").read_text() == "mine"


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("first.sav", "name a .csv, .xlsx, .parquet, .jsonl file"),
        ("first", "ends in no known format"),
        ("no/first.csv", "does not exist"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_with_the_next_step(filled, tmp_path, file, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        reports.export(filled, "first", tmp_path / file)
    assert not list(tmp_path.glob("*first*"))


def test_an_export_of_an_experiment_that_has_no_answer_yet_has_its_rows(hub, tmp_path):
    answer(hub, register_rows(hub), "first", {})
    frame = pd.read_csv(reports.export(hub, "first", tmp_path / "first.csv"))
    assert set(frame["outcome"]) == {"pending"}
    assert len(frame) == 10
