from __future__ import annotations

import csv
import datetime as dt
import decimal
import io
import json
import os
import sys
import zipfile

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exphub_magics.datasets.tables import DATES, LONG_NUMBERS, cell_text, from_frame, read_table
from exphub_magics.errors import DatasetError

ANY_TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))
MIDNIGHT = dt.datetime(2021, 3, 4)  # noqa: DTZ001  a workbook's dates have no time zone


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def book(tmp_path):
    def book(*rows, name="book.xlsx", more=None):
        workbook = openpyxl.Workbook()
        for row in rows:
            workbook.active.append(row)
        if more:
            workbook.create_sheet(more).append(["x"])
        workbook.save(tmp_path / name)
        return tmp_path / name

    return book


def rows_of(table):
    return tuple(table.rows)


def refusal(path, **said):
    with pytest.raises(DatasetError) as caught:
        read_table(path, **said)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path.parent) not in message
    return message


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_of_a_csv_is_read_from_its_header(write, delimiter):
    lines = [["id", "text, or; more"], ["00123", "NA"], ["1e5", ""]]
    content = io.StringIO()
    csv.writer(content, delimiter=delimiter).writerows(lines)
    table = read_table(write("data.csv", content.getvalue()))
    assert [list(table.columns), *map(list, table.rows)] == lines


def test_a_tsv_is_split_at_tabs_alone(write):
    assert rows_of(read_table(write("data.TSV", "a,b\tc\n1,2\t3\n"))) == (("1,2", "3"),)


def test_the_line_that_declares_the_delimiter_is_no_header(write):
    table = read_table(write("data.csv", "sep=;\r\na;b\r\n1;2\r\n"))
    assert (table.columns, rows_of(table), list(table.numbers)) == (("a", "b"), (("1", "2"),), [3])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_recognised_and_said(write, encoding):
    table = read_table(write("data.csv", "id;text\n1;“José”, naïve\n".encode(encoding)))
    assert rows_of(table) == (("1", "“José”, naïve"),)
    assert table.encoding == encoding
    assert bool(table.warnings) == (encoding == "cp1252")


def test_bytes_of_no_known_encoding_are_refused(write):
    assert "save it as CSV UTF-8" in refusal(write("data.csv", b"id,text\n1,\x81\xff\n"))
    assert "utf-16" in refusal(write("data.csv", b"\xff\xfei\x00d"[:5]))


def test_rows_are_numbered_as_a_spreadsheet_numbers_them(write):
    table = read_table(write("data.csv", 'id,text\n1,"two\nlines"\n\n2,x\n,\n3,y\n'))
    assert list(table.numbers) == [2, 4, 6]
    assert table.warnings == ("1 empty row skipped",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,text\n1,a\n2,b,c\n", "row 3 has 3 cells where the header has 2"),
        ("id,text\n1\n", "row 2 has 1 cells"),
        ('id,text\n1,a\n2,"b\n3,c\n', "at row 3: a quotation mark"),
        ('id,text\n1,"a"b\n', "at row 2: a quotation mark"),
        ("id,text\n1,a\0b\n", "row 2 holds a NUL character"),
        ("id,text\n", "has no rows"),
        ("\n\n", "has no rows"),
        ("", "is empty"),
        ("id,id\n1,2\n", "two columns called 'id'"),
    ],
)
def test_a_csv_that_cannot_be_read_as_a_whole_is_refused_in_one_line(write, content, message):
    assert message in refusal(write("data.csv", content))


def test_the_first_fault_of_a_file_is_said(write):
    assert "row 3 has 1 cells" in refusal(write("data.csv", 'id,text\n1,a\n2\n3,a\0b\n4,"b"c\n'))
    assert "row 3 holds a NUL" in refusal(write("data.csv", 'id,text\n1,a\n2,a\0b\n3\n4,"b"c\n'))


def test_a_byte_that_is_not_utf8_after_many_rows_makes_the_whole_file_windows_1252(write):
    lines = ["id,text", *(f"{number},V fell." for number in range(5_000)), "x,José"]
    table = read_table(write("data.csv", "\n".join(lines).encode("cp1252")))
    assert (len(table.rows), table.rows[0], table.rows[-1]) == (5_001, ("0", "V fell."), ("x", "José"))
    assert table.encoding == "cp1252"


def test_the_cells_of_some_columns_come_under_the_keys_they_are_asked_for_with(write):
    table = read_table(write("data.csv", "id,text,flag\n1,a,\n2,b,1\n"))
    assert table.cells({"flag": "flag", "narrative_id": "id"}) == {"flag": ["", "1"], "narrative_id": ["1", "2"]}
    assert table.cells({}) == {}


def test_empty_cells_beyond_the_header_are_no_raggedness(write):
    assert rows_of(read_table(write("data.csv", "id,text\n1,a,,\n"))) == (("1", "a"),)


def test_a_column_without_a_name_is_not_kept_and_that_is_said(write):
    table = read_table(write("data.csv", ",id\n0,a\n1,b\n"))
    assert (table.columns, rows_of(table)) == (("id",), (("a",), ("b",)))
    assert table.warnings == ("1 column without a name, not kept",)


def test_a_narrative_of_a_million_characters_is_read_and_the_csv_limit_left_alone(write):
    usual = 131_072
    csv.field_size_limit(usual)
    assert len(read_table(write("data.csv", f"id,text\n1,{'a' * 1_000_000}\n")).rows[0][1]) == 1_000_000
    assert csv.field_size_limit() == usual


@given(rows=st.lists(st.tuples(ANY_TEXT, ANY_TEXT), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_any_text_in_a_csv_comes_back_bit_by_bit(write, rows):
    content = io.StringIO()
    csv.writer(content, quoting=csv.QUOTE_ALL).writerows([("x", "a", "b"), *(("1", *row) for row in rows)])
    table = read_table(write("data.csv", content.getvalue()))
    assert [row[1:] for row in table.rows] == rows


@given(rows=st.lists(st.tuples(ANY_TEXT, ANY_TEXT), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_any_text_in_jsonl_parquet_and_a_frame_comes_back_bit_by_bit(write, tmp_path, rows):
    columns = {"x": ["1"] * len(rows), "a": [a for a, _ in rows], "b": [b for _, b in rows]}
    lines = "\n".join(json.dumps({"x": "1", "a": a, "b": b}, ensure_ascii=False) for a, b in rows)
    pq.write_table(pa.table(columns), tmp_path / "data.parquet")
    read = [read_table(write("data.jsonl", lines)), read_table(tmp_path / "data.parquet")]
    for table in [*read, from_frame(pd.DataFrame(columns), "frame")]:
        assert [row[1:] for row in table.rows] == rows


def test_cells_of_a_workbook_are_text_as_one_sees_it(book):
    table = read_table(
        book(
            ["id", "code", "flag", "day", "share"],
            [100000, "00123", True, MIDNIGHT, 0.5],
            [12345.0, "1e5", False, MIDNIGHT.replace(hour=5, minute=6), None],
        )
    )
    assert rows_of(table) == (
        ("100000", "00123", "TRUE", "2021-03-04", "0.5"),
        ("12345", "1e5", "FALSE", "2021-03-04 05:06:00", ""),
    )
    assert table.remarks == {("day", DATES)}


def test_numbers_longer_than_a_spreadsheet_keeps_are_remarked(book):
    table = read_table(book(["a", "b"], [12345678901234567, 123456789012345]))
    assert table.remarks == {("a", LONG_NUMBERS)}


def test_short_rows_empty_rows_and_other_sheets_of_a_workbook(book):
    table = read_table(book(["id", "text"], ["1"], [None, None], ["2", "x"], more="codes"))
    assert (rows_of(table), list(table.numbers)) == ((("1", ""), ("2", "x")), [2, 4])
    assert table.warnings == ("read sheet 'Sheet'; not read: codes",)


def test_a_carriage_return_in_a_workbook_is_one(book):
    assert rows_of(read_table(book(["text"], ["a_x000D_\nb"]))) == (("a\r\nb",),)


def test_a_formula_without_a_stored_value_is_refused(book):
    assert "row 2 holds a formula" in refusal(book(["text"], ["=1+1"]))


def test_a_formula_with_a_stored_value_is_that_value(book, tmp_path):
    source, target = book(["a", "b"], ["=1+1", "x"]), tmp_path / "stored.xlsx"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            content = old.read(item)
            assert item.filename != "xl/worksheets/sheet1.xml" or b"<v />" in content or b"<v/>" in content
            new.writestr(item, content.replace(b"<v />", b"<v>2</v>").replace(b"<v/>", b"<v>2</v>"))
    assert rows_of(read_table(target)) == (("2", "x"),)


def test_a_workbook_that_declares_a_smaller_size_is_read_as_a_whole(book, tmp_path):
    source, target = book(["a", "b"], ["1", "x"], ["2", "y"]), tmp_path / "declared.xlsx"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for item in old.infolist():
            new.writestr(item, old.read(item).replace(b'<dimension ref="A1:B3"', b'<dimension ref="A1:A2"'))
    assert source.read_bytes() != target.read_bytes()
    assert rows_of(read_table(target)) == (("1", "x"), ("2", "y"))


def test_whole_numbers_with_gaps_keep_all_their_digits_in_parquet(tmp_path):
    pq.write_table(pa.table({"id": [12345678901234567, None], "x": ["a", "b"]}), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert rows_of(table) == (("12345678901234567", "a"), ("", "b"))
    assert not table.remarks


def test_parquet_without_its_reader_says_what_to_install(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "pyarrow.parquet", raising=False)
    assert "pip install 'exphub[parquet]'" in refusal(write("data.parquet", b"PAR1"))


def test_jsonl_values_are_text_and_ids_stay_what_they_are(write):
    lines = ['{"id": "007", "n": 12345.0, "ok": true}', "", '{"id": 8, "more": {"a": [1]}, "n": null}']
    table = read_table(write("data.jsonl", "\n".join(lines)))
    assert table.columns == ("id", "n", "ok", "more")
    assert rows_of(table) == (("007", "12345", "TRUE", ""), ("8", "", "", '{"a": [1]}'))
    assert list(table.numbers) == [1, 3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 cannot be read as JSON"),
        ("[1]", "line 2 holds no JSON object"),
        ('{"a": 1, "a": 2}', "the key 'a' stands twice"),
        ('{"a": "\\ud800"}', "row 2 holds half a character"),
        ("[" * 100_000, "line 2 cannot be read as JSON"),
    ],
)
def test_a_line_that_is_no_object_is_refused(write, line, message):
    assert message in refusal(write("data.jsonl", f'{{"a": 1}}\n{line}\n'))


@pytest.mark.parametrize("name", ["data.xlsx", "data.parquet"])
def test_a_damaged_file_is_refused_in_one_line(write, name):
    assert f"{name} is no readable" in refusal(write(name, b"PK\x03\x04 not really"))


def test_a_parquet_file_that_is_damaged_above_its_footer_is_refused_in_one_line(tmp_path):
    pq.write_table(pa.table({"x": [f"row {number}" for number in range(5_000)]}), tmp_path / "data.parquet")
    content = (tmp_path / "data.parquet").read_bytes()
    (tmp_path / "data.parquet").write_bytes(content[:4] + b"\xff" * 5_000 + content[5_004:])
    assert "data.parquet is no readable parquet file" in refusal(tmp_path / "data.parquet")


def test_a_missing_file_is_answered_with_the_nearest(write):
    path = write("narratives.csv", "a\n1\n")
    assert "did you mean 'narratives.csv'?" in refusal(path.with_name("narratves.csv"), shown="narratves.csv")
    assert "its folder does not exist" in refusal(path.parent / "no" / "narratives.csv")


def test_what_is_no_data_file_is_refused(write, tmp_path):
    assert "save it as .xlsx" in refusal(write("old.xls", "x"))
    assert "its extension is .txt" in refusal(write("a.txt", "x"))
    assert "its extension is missing" in refusal(write("sample", "x"))
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder" in refusal(tmp_path / "folder.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    assert "no regular file" in refusal(tmp_path / "pipe.csv")
    assert "cannot be read" in refusal(tmp_path / ("x" * 300 + ".csv"))


def test_a_frame_is_text_whatever_its_types():
    frame = pd.DataFrame(
        {
            "a": [1.0, None],
            "b": pd.array([7, None], dtype="Int64"),
            "c": pd.to_datetime(["2021-03-04", None]),
            "d": pd.Categorical(["x", None]),
            "e": [True, False],
            3: ["NA", "00123"],
        },
        index=[5, 9],
    )
    table = from_frame(frame, "frame")
    assert table.columns == ("a", "b", "c", "d", "e", "3")
    assert rows_of(table) == (("1", "7", "2021-03-04", "x", "TRUE", "NA"), ("", "", "", "", "FALSE", "00123"))


def test_a_frame_with_columns_on_two_levels_or_none_is_refused():
    with pytest.raises(DatasetError, match="several levels"):
        from_frame(pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "frame")
    with pytest.raises(DatasetError, match="has no rows"):
        from_frame(pd.DataFrame(), "frame")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (decimal.Decimal("12.0"), "12"),
        (decimal.Decimal("0.10"), "0.10"),
        (float("inf"), "inf"),
        (1e22, "10000000000000000000000"),
        (dt.date(2021, 3, 4), "2021-03-04"),
        (dt.time(5, 6), "05:06:00"),
        (b"x", "b'x'"),
    ],
)
def test_a_value_is_the_text_one_sees(value, text):
    assert cell_text(value) == text


@pytest.mark.parametrize("text", [",,\n1,2,3\n", '" "\n1\n'])
def test_a_header_of_blank_names_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "data.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"\Adata.csv has no column names: write a name above each column.*\Z"):
        read_table(tmp_path / "data.csv")
