import re

import openpyxl
import pandas as pd
import pytest

from canaries import ROWS, answer, fill, register_rows
from exphub_magics.errors import ConfigError
from exphub_magics.reports import exports

READERS = {
    "csv": pd.read_csv,
    "xlsx": pd.read_excel,
    "parquet": pd.read_parquet,
    "jsonl": lambda path: pd.read_json(path, lines=True),
}
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]


@pytest.fixture
def filled(hub):
    return fill(hub)


@pytest.mark.parametrize("ending", READERS)
def test_an_export_reads_back_as_it_was(filled, tmp_path, ending):
    path = exports.export(filled, "first", tmp_path / f"first.{ending}")
    frame = READERS[ending](path)
    assert list(frame) == [
        *("experiment_id", "fingerprint", "experiment", "narrative_id", "incident_id", "source", "status"),
        *("flag", "manual_flag", "outcome", "confidence", "p_true", "rational", "reasoning_steps", "error"),
    ]
    assert set(frame["experiment"]) == {"first@1"}
    assert frame["narrative_id"].tolist() == [f"{one}idcanary" for one, *_ in ROWS]
    for column, expected in (("flag", [r[3] for r in ROWS]), ("manual_flag", [r[2] for r in ROWS])):
        assert [None if pd.isna(value) else bool(value) for value in frame[column]] == expected
    assert frame["outcome"].tolist() == ["tp", "tp", "tn", "fp", "fn", "no answer", "tn", "fn", "tn", "unlabelled"]
    assert "storycanary" not in frame.to_json()
    assert [one.name for one in tmp_path.glob(".*")] == []


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_in_an_answer_is_defused_in_csv(hub, tmp_path, formula):
    answer(hub, register_rows(hub), "first", {"1-CME": True}, rational=formula)
    path = exports.export(hub, "first", tmp_path / "first.csv")
    assert pd.read_csv(path)["rational"][0] == f"'{formula}"


@pytest.mark.parametrize("formula", [*FORMULAS, "=cmd|' /C calc'!A0", "a\x00b\x0bc"])
def test_no_cell_of_an_xlsx_file_is_a_formula(hub, tmp_path, formula):
    answer(hub, register_rows(hub), "first", {"1-CME": True}, rational=formula)
    path = exports.export(hub, "first", tmp_path / "first.xlsx")
    sheet = openpyxl.load_workbook(path).active
    assert "f" not in {cell.data_type for row in sheet.iter_rows() for cell in row}
    said = sheet.cell(2, 13).value
    assert said.strip() == re.sub(r"[\x00\x0b]", "", formula).strip()


def test_an_export_never_overwrites(filled, tmp_path):
    (tmp_path / "first.csv").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        exports.export(filled, "first", tmp_path / "first.csv")
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
        exports.export(filled, "first", tmp_path / file)
    assert not list(tmp_path.glob("*first*"))


def test_an_export_of_an_experiment_that_has_no_answer_yet_has_its_rows(hub, tmp_path):
    answer(hub, register_rows(hub), "first", {})
    frame = pd.read_csv(exports.export(hub, "first", tmp_path / "first.csv"))
    assert set(frame["outcome"]) == {"pending"}
    assert len(frame) == 10
