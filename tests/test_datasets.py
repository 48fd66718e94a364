from __future__ import annotations

import csv
import io
import json
import pickle
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exphub_magics.datasets import (
    PLACEHOLDER_RULE,
    SAMPLE,
    parse_columns,
    placeholder,
    read,
    refuse_lost_labels,
)
from exphub_magics.errors import ConfigError, DatasetError

LONG = pd.DataFrame(
    {
        "incident_id": ["007", "007", "8", "9"],
        "narrative_type": ["CME", "LE", "CME", "LE"],
        "narrative": [
            "V was shot by her husband.",
            "Need LE report",
            "V was alone.",
            "V had a shelter card.",
        ],
        "manual_flag_ind": ["1", "", "0", "NA"],
        "manual_flag": ["1", "1", "0", ""],
        "year": ["2019", "2019", "2020", ""],
    }
)
WIDE = pd.DataFrame(
    {
        "IncidentID": ["007", "8", "9"],
        "NarrativeCME": ["V was shot by her husband.", "V was alone.", ""],
        "NarrativeLE": ["Need LE report", "", "V had a shelter card."],
        "ipv_manualCME": ["TRUE", "FALSE", ""],
        "ipv_manualLE": ["", "", "unknown"],
        "ipv_manual": ["yes", "no", ""],
        "year": ["2019", "2020", ""],
    }
)


def save(frame, path):
    match path.suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".tsv":
            frame.to_csv(path, index=False, sep="\t")
        case ".xlsx":
            frame.to_excel(path, index=False)
        case ".parquet":
            frame.to_parquet(path)
        case ".jsonl":
            frame.to_json(path, orient="records", lines=True)
    return path


def frame(**columns):
    return pd.DataFrame(columns, dtype=object)


def refusal(source, **said):
    with pytest.raises(DatasetError) as caught:
        read(source, **said)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("extension", ["csv", "tsv", "xlsx", "parquet", "jsonl"])
@pytest.mark.parametrize("layout", ["long", "wide"])
def test_every_format_and_layout_of_the_same_data_is_the_same_dataset(tmp_path, extension, layout):
    path = save(LONG if layout == "long" else WIDE, tmp_path / f"data.{extension}")
    dataset, reference = read(path), read(LONG)
    assert sorted(dataset.narratives, key=str) == sorted(reference.narratives, key=str)
    assert (dataset.sha256, dataset.labels, dataset.incident_labels) == (
        reference.sha256,
        {"007-CME": True, "8-CME": False},
        {"007": True, "8": False},
    )
    assert (dataset.name, dataset.profile.layout) == (path.name, layout)


def test_a_narrative_has_its_ids_source_text_facts_and_reason():
    first, second, *_ = read(LONG).narratives
    assert (first.narrative_id, first.incident_id, first.source) == ("007-CME", "007", "CME")
    assert (first.text, first.facts, first.placeholder) == (
        "V was shot by her husband.",
        {"year": "2019"},
        None,
    )
    assert second.placeholder == placeholder(second.text) == "placeholder: need le report"


def test_the_profile_counts_what_was_read():
    profile = read(LONG).profile.as_json()
    expected = {
        "narratives": 4,
        "incidents": 3,
        "positive": 1,
        "negative": 1,
        "unlabelled": 2,
        "placeholders": 1,
        "duplicates": 0,
        "encoding": None,
        "layout": "long",
        "labels_in_file": 3,
        "labels_kept": 2,
        "labels_repeated": 0,
        "labels_unknown": 1,
        "incident_labels": 2,
        "warnings": [],
        "columns": {
            "incident_id": "incident_id",
            "source": "narrative_type",
            "text": "narrative",
            "flag": "manual_flag_ind",
            "incident_flag": "manual_flag",
            "facts": ["year"],
            "withheld": [],
        },
    }
    assert profile == expected
    assert json.loads(json.dumps(profile)) == expected


def test_a_corrected_label_and_another_order_make_no_new_dataset_but_a_changed_text_does():
    reference = read(LONG)
    assert read(LONG.assign(manual_flag_ind=["0", "1", "", "1"])).sha256 == reference.sha256
    assert read(LONG.iloc[::-1]).sha256 == reference.sha256
    assert read(LONG.assign(county="")).sha256 == reference.sha256
    for column in ("incident_id", "narrative_type", "narrative", "year"):
        changed = LONG.assign(**{column: [*LONG[column][:-1], "other"]})
        assert read(changed).sha256 != reference.sha256


REPEATED = {
    "narrative_id": ["b", "a", "b", "b"],
    "incident_id": ["i", "", "i", "i"],
    "source": ["LE", " ", "LE", "LE"],
    "text": ["V — “José” \\ \n fell.", "", "V — “José” \\ \n fell.", "V — “José” \\ \n fell."],
    "flag": ["", "0", "1", "1"],
    "year": ["2020", "", "2019", ""],
    "county": ["", "x", "x", "x | y"],
}


def test_the_sha256_of_a_dataset_is_what_earlier_hubs_hold():
    flags = ["1", "0"] * 10
    known = {
        "e944a47540b4caa0b3071296ef4a820c8f8eb8acf8c976fd4da3cdd00f2fb062": [LONG, WIDE],
        "c6ad2fc362491d2091a9d5cf7ac29e2e65207656d43a99b2e67d4a3693d791e2": [frame(**REPEATED)],
        "41270cf240a622aa8003b2ec4169750b4ffafce7f9d0e03956a3ae525559ac29": [coded(flags, flags)],
    }
    for sha256, sources in known.items():
        assert {read(source).sha256 for source in sources} == {sha256}


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_reading_a_file_holds_no_more_than_a_few_of_its_texts(tmp_path, monkeypatch, extension):
    monkeypatch.setattr("exphub_magics.datasets.spools._IN_MEMORY", 2**16)
    texts = [f"V was in room {number}. " * 300 for number in range(1_000)]
    rows = frame(narrative_id=range(1_000), text=texts, flag=[1] * 1_000, year=[2020] * 1_000)
    path = save(rows, tmp_path / f"data.{extension}")
    (sha256,) = {read(path).sha256, read(rows).sha256}  # what is loaded once is loaded now
    tracemalloc.start()
    try:
        dataset = read(path)
        assert all(one.text for one in dataset.narratives)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert dataset.sha256 == sha256
    assert [one.text for one in dataset.narratives] == texts
    assert peak < sum(map(len, texts)) / 3


def test_ids_are_made_from_what_there_is():
    text, other = "V was alone.", "V was at home."
    both = read(frame(narrative_id=["a"], incident_id=["i"], text=[text])).narratives[0]
    alone = read(frame(narrative_id=["a"], text=[text])).narratives[0]
    incident = read(frame(incident_id=["i"], text=[text])).narratives[0]
    gap = read(frame(narrative_id=["a", "b"], incident_id=["i", ""], text=[text, other])).narratives[1]
    assert [(n.narrative_id, n.incident_id) for n in (both, alone, incident, gap)] == [
        ("a", "i"),
        ("a", "a"),
        ("i", "i"),
        ("b", "b"),
    ]


def test_a_blank_id_is_refused_with_its_row():
    assert "the id in column 'narrative_id' is blank in row 1" in refusal(
        frame(narrative_id=["a", " "], text=["x", "y"])
    )
    assert "the id in column 'IncidentID' is blank in row 0" in refusal(frame(IncidentID=[None], NarrativeLE=["x"]))


def test_repeated_rows_are_read_once_and_said():
    dataset = read(
        frame(
            narrative_id=["a", "a", "b", "a"],
            text=["x", "x", "y", "x"],
            flag=["1", "", "0", "1"],
            age=[5, 6, 7, 5],
        )
    )
    assert [n.narrative_id for n in dataset.narratives] == ["a", "b"]
    assert dataset.narratives[0].facts == {"age": "5 | 6"}
    assert dataset.labels == {"a": True, "b": False}
    assert (dataset.profile.duplicates, dataset.profile.labels_repeated) == (2, 1)
    assert "2 rows repeat another and are read once" in dataset.profile.warnings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": ["x", "y"]}, "different texts under one id: a;"),
        ({"flag": ["yes", "no"]}, "a label that is both yes and no: a;"),
        ({"incident_id": ["i", "j"]}, "different incidents or sources under one id: a;"),
        ({"source": ["CME", "LE"]}, "different incidents or sources under one id: a;"),
    ],
)
def test_what_contradicts_itself_under_one_id_is_refused(change, message):
    assert message in refusal(frame(**{"narrative_id": ["a", "a"], "text": ["x", "x"], **change}))


def test_an_incident_with_two_texts_and_nothing_to_tell_them_apart_is_refused():
    assert "different texts under one id: i;" in refusal(frame(incident_id=["i", "i"], text=["x", "y"]))


def test_one_text_under_two_ids_is_a_warning():
    dataset = read(frame(narrative_id=["a", "b", "c"], text=["V fell.", "V fell.", "N/A"], flag=[0, 0, 0]))
    assert dataset.profile.warnings == ("1 narrative has the text of another with a different id",)


@pytest.mark.parametrize(
    ("cells", "flag"),
    [
        (["1", "TRUE", "True", "yes", "Y", "positive", " 1.0 ", 1, 1.0, True], True),
        (["0", "FALSE", "False", "no", "N", "Negative", "0.0", 0, 0.0, False], False),
        (["", " ", "NA", "n/a", "missing", "Unknown", "uncertain", ".", None, float("nan")], None),
    ],
)
def test_a_flag_is_read_however_it_is_spelled_and_a_missing_one_is_never_a_no(cells, flag):
    for cell in cells:
        labels = read(frame(narrative_id=["a", "b"], text=["x", "y"], flag=[cell, "1"])).labels
        assert labels.get("a") is flag


def test_what_is_no_flag_is_refused_with_its_value_and_rows(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("narrative_id,text,flag\na,x,maybe\nb,y,1\nc,z,2\nd,w,Maybe\n")
    message = refusal(path)
    assert "column 'flag' holds 'maybe' in row 2, 5; '2' in row 4" in message


def test_an_incidents_own_flag_must_agree_with_itself():
    rows = {
        "incident_id": ["i", "i"],
        "source": ["CME", "LE"],
        "text": ["x", "y"],
        "manual_flag_ind": ["1", "0"],
    }
    assert read(frame(**rows, manual_flag=["1", ""])).incident_labels == {"i": True}
    assert "both yes and no for i" in refusal(frame(**rows, manual_flag=["1", "0"]))
    said = read(frame(**rows, manual_flag=["1", "0"]), columns="incident_flag=")
    assert (said.labels, said.incident_labels) == ({"i-CME": True, "i-LE": False}, {})


def test_a_label_without_a_text_is_kept_and_an_incident_without_either_is_only_counted():
    dataset = read(
        frame(
            IncidentID=["i", "j"],
            NarrativeCME=["", " "],
            NarrativeLE=["V fell.", ""],
            flag_CME=["0", ""],
            manual=["", "1"],
        )
    )
    assert [(n.narrative_id, n.placeholder) for n in dataset.narratives] == [
        ("i-CME", "empty"),
        ("i-LE", None),
    ]
    assert (dataset.labels, dataset.incident_labels) == ({"i-CME": False}, {"j": True})
    assert "1 incident has a label and no narrative" in dataset.profile.warnings
    assert "holds no narrative" in refusal(frame(IncidentID=["i"], NarrativeCME=[" "], year=["1"]))


def test_no_label_gets_into_the_facts():
    dataset = read(
        frame(narrative_id=["a"], text=["x"], manual_flag_ind=["1"], manual_flag=["1"], rater_1=["1"], age=["5"])
    )
    assert dataset.narratives[0].facts == {"age": "5"}
    assert dataset.profile.columns["withheld"] == ["rater_1"]
    assert any("'rater_1' may be a label" in warning for warning in dataset.profile.warnings)


def test_a_dataset_without_labels_says_that_nothing_can_be_scored():
    profile = read(frame(narrative_id=["a"], text=["x"])).profile
    assert "no column holds the manual flag: nothing can be scored" in profile.warnings
    assert (profile.unlabelled, profile.labels_in_file) == (1, 0)


def test_ids_that_a_spreadsheet_has_changed_are_warned_of(tmp_path):
    day = pd.Timestamp(2021, 3, 4)
    long_ids = frame(incident_id=[day], narrative_id=[12345678901234567], text=["x"], flag=[1])
    dataset = read(save(long_ids, tmp_path / "a.xlsx"))
    assert dataset.narratives[0].incident_id == "2021-03-04"
    assert [warning.partition(":")[0] for warning in dataset.profile.warnings] == [
        "column 'narrative_id' holds numbers of over 15 digits, rounded",
        "column 'incident_id' holds dates",
    ]
    edged = read(frame(narrative_id=[" a"], text=["x"], flag=[1]))
    assert edged.narratives[0].narrative_id == " a"
    assert "begin or end with a blank" in edged.profile.warnings[0]


def test_columns_are_said_by_text_or_map():
    rows = frame(Case=["a"], Story=["x"], ipv=["1"], sex=["f"])
    option = "narrative_id=case, text=Story, flag=ipv"
    by_text, by_map = read(rows, columns=option), read(rows, columns=parse_columns(option))
    assert by_text == by_map
    assert (by_text.labels, by_text.narratives[0].facts) == ({"a": True}, {"sex": "f"})
    with pytest.raises(ConfigError, match="did you mean 'text'"):
        read(rows, columns={"texd": "Story"})


def test_the_columns_of_a_profile_can_be_said_again():
    for rows in (LONG, WIDE):
        dataset = read(rows)
        again = {key: column for key, column in dataset.profile.columns.items() if isinstance(column, str)}
        assert read(rows, columns=again) == dataset


def test_a_dataset_is_called_by_its_file_never_by_a_path(tmp_path, monkeypatch):
    path = save(LONG, tmp_path / "data.csv")
    monkeypatch.chdir(tmp_path.parent)
    assert read(str(path)).name == read(Path(tmp_path.name) / "data.csv").name == "data.csv"
    assert read(LONG).name == "frame"
    assert read(LONG, name="cases").name == "cases"
    assert read(LONG, name="C:\\Users\\x\\cases.csv").name == read(path, name="/x/cases.csv").name == "cases.csv"
    assert read(path, restricted=True).restricted


def test_a_message_shows_what_was_typed_and_no_folder_of_the_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    Path("in/data.csv").write_text("id\n1\n")
    assert refusal("in/data.csv").startswith("in/data.csv has no column for the text")
    assert "no file in/dat.csv: did you mean 'data.csv'?" in refusal("in/dat.csv")
    assert str(tmp_path) not in refusal(tmp_path / "in" / "data.csv")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert refusal("~/in/data.csv").startswith("~/in/data.csv has no column")
    assert "no file ~nobody-here/data.csv" in refusal("~nobody-here/data.csv")
    assert "not a list" in refusal([1])


def test_the_sample_is_read_by_its_name_whatever_lies_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("sample").write_text("narrative_id,text\na,x\n")
    Path("sample.csv").write_text("narrative_id,text\na,x\n")
    dataset = read(SAMPLE)
    profile = dataset.profile
    assert (dataset.name, profile.layout, profile.encoding) == ("sample", "long", "utf-8")
    assert profile.narratives > profile.incidents > 100
    assert profile.positive + profile.negative + profile.unlabelled == profile.narratives
    assert profile.placeholders > 0
    assert min(len(narrative.text) for narrative in dataset.narratives if not narrative.placeholder) > 70
    assert profile.incident_labels == profile.incidents
    assert profile.columns["facts"] == ["year", "state"]


def test_labels_that_do_not_add_up_are_refused():
    profile = read(LONG).profile
    refuse_lost_labels(profile, "data.csv")
    with pytest.raises(DatasetError, match="holds 4 labels and 3 came through"):
        refuse_lost_labels(replace(profile, labels_in_file=4), "data.csv")


def test_a_dataset_can_be_sent_to_another_process():
    dataset = read(LONG)
    assert pickle.loads(pickle.dumps(dataset)) == dataset  # noqa: S301  our own bytes


def test_importing_the_module_loads_no_frame_library():
    heavy = ("pandas._libs", "openpyxl.cell", "pyarrow")
    code = f"import sys, exphub_magics.datasets; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_rule_for_placeholders_has_a_version():
    assert PLACEHOLDER_RULE == "1"


CELLS = st.sampled_from(["1", "0", "yes", "FALSE", "", "NA", " ", "unknown"])


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["1", "yes", "", "NA"])), min_size=1))
def test_labels_before_are_labels_after_with_repeated_rows(rows):
    dataset = read(frame(narrative_id=[i for i, _ in rows], text=["x"] * len(rows), flag=[f for _, f in rows]))
    profile = dataset.profile
    assert profile.labels_in_file == sum(flag.strip() != "" for _, flag in rows)
    assert profile.labels_in_file == profile.labels_kept + profile.labels_repeated + profile.labels_unknown
    assert dataset.labels == {narrative_id: True for narrative_id, flag in rows if flag in {"1", "yes"}}


@given(st.lists(st.tuples(st.sampled_from(["", "V fell."]), CELLS, st.sampled_from(["", "N/A"]), CELLS), min_size=1))
def test_labels_before_are_labels_after_in_the_wide_layout(rows):
    cme, flag_cme, le, flag_le = zip(*rows, strict=True)
    cells = [*flag_cme, *flag_le]
    ids = list(range(len(rows)))
    table = frame(IncidentID=ids, NarrativeCME=cme, NarrativeLE=le, flag_CME=flag_cme, flag_LE=flag_le)
    try:
        dataset = read(table)
    except DatasetError:
        assert not any([*cme, *le])
        assert not {"1", "0", "yes", "FALSE"} & set(cells)
        return
    assert len(dataset.labels) == sum(cell in {"1", "0", "yes", "FALSE"} for cell in cells)
    assert dataset.profile.labels_in_file == sum(cell.strip() != "" for cell in cells)


ANY_TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@given(st.dictionaries(ANY_TEXT.filter(str.strip), st.tuples(ANY_TEXT, CELLS), min_size=1))
def test_any_ids_and_texts_in_a_csv_come_back_as_they_were(tmp_path_factory, rows):
    content = io.StringIO()
    csv.writer(content, quoting=csv.QUOTE_ALL).writerows(
        [("narrative_id", "text", "flag"), *((key, text, flag) for key, (text, flag) in rows.items())]
    )
    path = tmp_path_factory.mktemp("csv") / "data.csv"
    path.write_bytes(content.getvalue().encode())
    dataset = read(path)
    assert [(n.narrative_id, n.text) for n in dataset.narratives] == [(key, text) for key, (text, _) in rows.items()]
    assert set(dataset.labels) == {key for key, (_, flag) in rows.items() if flag in {"1", "0", "yes", "FALSE"}}


def coded(said, flags):
    count = len(flags)
    return frame(
        narrative_id=[str(i) for i in range(count)],
        narrative=[f"V was in room {i}." for i in range(count)],
        manual_flag=flags,
        ipv=said,
        year=["2020"] * count,
    )


def test_a_column_that_says_what_the_manual_flag_says_is_withheld_whatever_its_name():
    flags = ["1", "0"] * 10
    dataset = read(coded(["no", "no", *["Y", "no"] * 9 + ["Y", "unknown"]], [*flags, "1", "0"]))
    assert (dataset.profile.columns["facts"], dataset.profile.columns["withheld"]) == (["year"], ["ipv"])
    assert all(narrative.facts == {"year": "2020"} for narrative in dataset.narratives)
    assert any("'ipv' says what the manual flag says for" in warning for warning in dataset.profile.warnings)


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        (["1", "0"] * 4 + ["1"], ["1", "0"] * 4 + ["1"]),
        (["1", "0"] * 9 + ["0", "1"], ["1", "0"] * 10),
        (["1"] * 20, ["1"] * 20),
        (["0"] * 40, ["0"] * 39 + ["1"]),
        (["1", "0"] * 9 + ["perhaps", "0"], ["1", "0"] * 10),
        (["1", "0"] * 4 + [""] * 10, ["1", "0"] * 9),
    ],
)
def test_a_fact_that_says_something_else_or_says_too_little_is_kept(said, flags):
    assert read(coded(said, flags)).profile.columns["facts"] == ["ipv", "year"]


def test_a_corrected_label_makes_no_new_dataset_where_a_fact_repeats_it():
    flags = ["1", "0"] * 10
    other = ["0", "1"] * 10
    assert read(coded(flags, flags)).sha256 == read(coded(flags, other)).sha256


def test_a_column_that_says_what_the_incidents_own_flag_says_is_withheld_too():
    said = coded(["1", "0"] * 10, ["1", "0", "0", "1"] * 5).rename(columns={"manual_flag": "manual_flag_ind"})
    profile = read(said.assign(manual_flag=["1", "0"] * 10)).profile
    assert (profile.columns["incident_flag"], profile.columns["withheld"]) == ("manual_flag", ["ipv"])
