"""A file or frame as a table of text cells: nothing is converted, guessed or dropped unsaid."""

from __future__ import annotations

import csv
import json
import math
import re
import warnings
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from exphub_magics import lazily
from exphub_magics.datasets.spools import Spool
from exphub_magics.errors import DatasetError, nearest
from exphub_magics.markup import counted

if TYPE_CHECKING:
    import openpyxl
    import pandas as pd
else:
    openpyxl = lazily.load("openpyxl")
    pd = lazily.load("pandas")

Records: TypeAlias = Iterable[tuple[int, Sequence[Any]]]

SAFE_DIGITS = 15  # what a spreadsheet's number keeps; the digits after it are lost before anyone reads them
DATES, LONG_NUMBERS = "dates", "long numbers"

_FIELD_LIMIT = 2**31 - 1  # the csv module stops at 131,072 characters, and a narrative may be longer
_BATCH, _BUFFER = 100, 2**20  # rows and bytes of a parquet file that are in memory at a time
_EXCEL_RETURN = re.compile(r"_x000[dD]_")  # how a spreadsheet's XML spells a carriage return


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of text cells, and where each row stands for the person who looks it up.

    The rows lie in a spool, so a table may be larger than the memory.
    `remarks` pairs a column with what its cells were and text no longer shows: `DATES`, `LONG_NUMBERS`.
    """

    name: str
    columns: tuple[str, ...]
    rows: Spool
    numbers: Sequence[int]
    encoding: str | None = None
    warnings: tuple[str, ...] = ()
    remarks: frozenset[tuple[str, str]] = frozenset()

    def cells(self, columns: Mapping[str, str]) -> dict[str, list[str]]:
        """All cells of some columns, in one pass, under the keys that the columns are given with."""
        kept = [(self.columns.index(column), list[str]()) for column in columns.values()]
        for row in self.rows:
            for place, cells in kept:
                cells.append(row[place])
        return {key: cells for key, (_, cells) in zip(columns, kept, strict=True)}


def read_table(path: Path, *, shown: str | None = None) -> Table:
    """Read a csv, tsv, xlsx, parquet or jsonl file; its extension says which.

    Args:
        path: the file.
        shown: the file as the researcher named it, for messages; its name alone by default.

    Raises:
        DatasetError: one line, for anything that keeps the file from being read as a whole.
    """
    shown = shown or path.name
    _refuse_no_file(path, shown)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        hint = "save it as .xlsx" if path.suffix.lower() == ".xls" else f"readable are {', '.join(_READERS)}"
        raise DatasetError(f"{shown} cannot be read: its extension is {path.suffix or 'missing'}; {hint}")
    try:
        if path.stat().st_size == 0:
            raise DatasetError(f"{shown} is empty: check that the export or download was finished")
        return reader(path, shown)
    except OSError as error:
        raise DatasetError(f"{shown} cannot be read: {error.strerror or type(error).__name__}") from error


def from_frame(frame: pd.DataFrame, name: str) -> Table:
    """Take a frame's cells as text; its index is not data.

    >>> import pandas as pd
    >>> from_frame(pd.DataFrame({"id": [100000, 2], "score": [12345.0, None]}), "frame").rows[0]
    ('100000', '12345')
    """
    if frame.columns.nlevels > 1:
        raise DatasetError(f"{name} has column names on several levels: flatten them to one")
    series = [frame.iloc[:, place] for place in range(frame.shape[1])]
    cells = [column.astype(object).where(column.notna(), None).tolist() for column in series]
    return _typed(name, [str(column) for column in frame.columns], enumerate(zip(*cells, strict=True)))


def cell_text(value: object) -> str:
    """A cell's value as the text that a person sees in it.

    >>> [cell_text(value) for value in (100000, 12345.0, 0.5, True, None, float("nan"), "007")]
    ['100000', '12345', '0.5', 'TRUE', '', '', '007']
    >>> cell_text(datetime(2021, 3, 4))
    '2021-03-04'
    """
    match value:
        case None:
            text = ""
        case bool():
            text = str(value).upper()
        case Integral():
            text = str(int(value))
        case Real() | Decimal():
            text = _number_text(float(value) if isinstance(value, Real) else value)
        case datetime():
            text = value.date().isoformat() if value.time() == time.min else value.isoformat(sep=" ")
        case date() | time():
            text = value.isoformat()
        case list() | dict() | tuple():
            text = json.dumps(value, ensure_ascii=False, default=str)
        case _:
            text = str(value)
    return text


def _number_text(value: float | Decimal) -> str:
    if math.isnan(value):
        return ""
    return str(int(value)) if math.isfinite(value) and value == int(value) else str(value)


def _refuse_no_file(path: Path, shown: str) -> None:
    try:
        if path.is_file():
            return
        if path.is_dir():
            raise DatasetError(f"{shown} is a folder: name a file in it")
        if path.exists():
            raise DatasetError(f"{shown} is no regular file")
        if not path.parent.is_dir():
            raise DatasetError(f"no file {shown}: its folder does not exist")
        others = [other.name for other in path.parent.iterdir() if other.suffix.lower() in _READERS]
    except OSError as error:
        raise DatasetError(f"{shown} cannot be read: {error.strerror or type(error).__name__}") from error
    near = nearest(path.name, [*others, "sample"]) if others else "no data file is in that folder"
    raise DatasetError(f"no file {shown}: {near}")


def _read_csv(path: Path, shown: str) -> Table:
    def table(lines: TextIO, encoding: str) -> Table:
        records = _csv_records(lines, path, shown)
        _, header = next(records, (1, []))
        return _table(shown, header, _even(records, len(header), shown), encoding=encoding)

    with _long_fields():
        return _decoded(path, shown, "", table)


@contextmanager
def _long_fields() -> Iterator[None]:
    limit = csv.field_size_limit(_FIELD_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _csv_records(lines: TextIO, path: Path, shown: str) -> Iterator[tuple[int, list[str]]]:
    """Number the records as a spreadsheet does: the header is row 1, blank lines count."""
    first = next((line for line in lines if line.strip("\r\n")), "")
    declared = re.fullmatch(r"sep=(.)\s*", first)  # a line that some spreadsheets put before the header
    if not declared:
        lines.seek(0)
    delimiter = declared.group(1) if declared else _delimiter(first, path)
    before = number = 1 if declared else 0
    try:
        for number, record in enumerate(csv.reader(lines, delimiter=delimiter, strict=True), before + 1):
            if record:
                yield number, record
    except csv.Error as error:
        raise DatasetError(
            f"{shown} cannot be read at row {number + 1}: a quotation mark opens or closes in the wrong place ({error})"
        ) from error


def _delimiter(header: str, path: Path) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    unquoted = re.sub(r'"[^"]*"', "", header)
    return max("\t;,", key=unquoted.count)  # of two as frequent, the one that names hold more rarely


def _even(records: Records, width: int, shown: str) -> Iterator[tuple[int, Sequence[str]]]:
    for number, record in records:
        if len(record) < width or any(record[width:]):
            raise DatasetError(
                f"{shown}, row {number} has {len(record)} cells where the header has {width}: "
                "put quotation marks around text that holds the delimiter"
            )
        yield number, record[:width]


def _decoded(path: Path, shown: str, newline: str, use: Callable[[TextIO, str], Table]) -> Table:
    """Make a table of a file's text, line by line, in the first encoding that fits it as a whole."""
    with path.open("rb") as file:
        start = file.read(3)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        candidates = ["utf-16"]
    else:
        candidates = ["utf-8-sig" if start == b"\xef\xbb\xbf" else "utf-8", "cp1252"]
    for encoding in candidates:
        try:
            with path.open(encoding=encoding, newline=newline) as lines:
                return use(lines, encoding)
        except UnicodeDecodeError:
            continue
    raise DatasetError(f"{shown} is not {' or '.join(candidates)} text: save it as CSV UTF-8")


def _read_jsonl(path: Path, shown: str) -> Table:
    def table(lines: TextIO, encoding: str) -> Table:
        columns = list(dict.fromkeys(key for _, one in _json_objects(lines, shown) for key in one))
        lines.seek(0)  # the last line may be the first with a key, so the lines are read twice, never held
        records = ((number, [one.get(column) for column in columns]) for number, one in _json_objects(lines, shown))
        return _typed(shown, columns, records, encoding=encoding)

    return _decoded(path, shown, "\n", table)


def _json_objects(lines: TextIO, shown: str) -> Iterator[tuple[int, dict[str, Any]]]:
    filled = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    return ((number, _json_object(line, f"{shown}, line {number}")) for number, line in filled)


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise DatasetError(f"{where} holds no JSON object: write one {{…}} a line")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        repeated = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise ValueError(f"the key {repeated[0]!r} stands twice in one object")
    return unique


def _read_xlsx(path: Path, shown: str) -> Table:
    sheet, rows, others, formula = _sheet(path, shown, stored_values=False)
    if formula:
        _, values, _, _ = _sheet(path, shown, stored_values=True)
        _refuse_unstored(rows, values, shown)
        rows = values
    width = max((len(row) for row in rows), default=0)
    numbered = [(number, [*row, *[None] * (width - len(row))]) for number, row in enumerate(rows, 1)]
    filled = [(number, row) for number, row in numbered if any(value is not None for value in row)]
    header = [cell_text(value) for value in filled[0][1]] if filled else []
    said = (f"read sheet {sheet!r}; not read: {', '.join(others)}",) if others else ()
    return _typed(shown, header, filled[1:], said=said)


def _sheet(path: Path, shown: str, *, stored_values: bool) -> tuple[str, list[list[Any]], list[str], bool]:
    """Read the first sheet: its name, its values, the other sheets in use, whether it holds formulas."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl's remarks are about styles, validation and print settings
            book = openpyxl.load_workbook(path, read_only=True, data_only=stored_values)
            first, *others = book.worksheets
            first.reset_dimensions()  # some writers declare a size smaller than what they wrote
            cells = [list(row) for row in first.iter_rows()]
            filled = [sheet.title for sheet in others if any(any(r) for r in sheet.iter_rows(values_only=True))]
            book.close()
    except Exception as error:
        # A damaged file surfaces as whatever the zip and XML parsers below openpyxl happen to raise.
        raise DatasetError(f"{shown} is no readable xlsx file: damaged, or protected by a password") from error
    formula = any(cell.data_type == "f" for row in cells for cell in row)
    return first.title, [[_returned(cell.value) for cell in row] for row in cells], filled, formula


def _returned(value: Any) -> Any:
    return _EXCEL_RETURN.sub("\r", value) if isinstance(value, str) else value


def _refuse_unstored(formulas: list[list[Any]], values: list[list[Any]], shown: str) -> None:
    for number, (row, stored) in enumerate(zip(formulas, values, strict=True), 1):
        for formula, value in zip(row, stored, strict=True):
            if formula is not None and value is None:
                raise DatasetError(
                    f"{shown}, row {number} holds a formula without a stored value: "
                    "open the file in a spreadsheet program and save it, or write the text as text"
                )


def _read_parquet(path: Path, shown: str) -> Table:
    try:
        import pyarrow.parquet  # noqa: PLC0415  optional: only whoever has parquet files needs it
    except ImportError as error:
        raise DatasetError(f"{shown} needs a reader for parquet: pip install 'exphub[parquet]'") from error
    try:
        with pyarrow.parquet.ParquetFile(path, buffer_size=_BUFFER) as file:
            batches = file.iter_batches(_BATCH)
            # pandas would turn whole numbers with a gap into floats, and long ids with them
            columns = ([column.to_pylist() for column in batch.columns] for batch in batches)
            rows = (row for batch in columns for row in zip(*batch, strict=True))
            return _typed(shown, file.schema_arrow.names, enumerate(rows, 1))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"{shown} is no readable parquet file: write it again") from error


def _typed(
    name: str,
    header: Sequence[str],
    records: Records,
    *,
    encoding: str | None = None,
    said: tuple[str, ...] = (),
) -> Table:
    """Turn values into text, and keep what the text no longer shows."""
    remarks: set[tuple[str, str]] = set()

    def text(column: str, value: object) -> str:
        if isinstance(value, str):
            return str(value)
        if isinstance(value, date):
            remarks.add((column, DATES))
        elif _is_long(value):
            remarks.add((column, LONG_NUMBERS))
        return cell_text(value)

    names = [column.strip() for column in header]
    rows = ((number, tuple(map(text, names, record))) for number, record in records)
    table = _table(name, names, rows, encoding=encoding, said=said)
    return replace(table, remarks=frozenset(remarks))  # known only when all rows have been read


def _is_long(value: object) -> bool:
    """Whether a number may have lost digits; whole numbers are exact."""
    return isinstance(value, Real) and not isinstance(value, Integral) and bool(abs(value) >= 10**SAFE_DIGITS)


def _table(
    name: str,
    header: Sequence[str],
    records: Records,
    *,
    encoding: str | None = None,
    said: tuple[str, ...] = (),
) -> Table:
    names = [column.strip() for column in header]
    _refuse_broken(names, name, 1)
    places = [place for place, column in enumerate(names) if column]
    nameless = [place for place, column in enumerate(names) if not column]
    rows, numbers, empty, lost = Spool(), array("q"), 0, set[int]()
    for number, row in records:
        if not any(row):
            empty += 1
            continue
        _refuse_broken(row, name, number)
        rows.append([row[place] for place in places])
        numbers.append(number)
        lost.update(place for place in nameless if row[place])
    if not rows:
        raise DatasetError(f"{name} has no rows: below the header there is nothing")
    _refuse_names(names, name)
    remarked = {
        "not UTF-8, so read as Windows-1252: check that accented letters look right": encoding == "cp1252",
        f"{counted(empty, 'empty row')} skipped": empty > 0,
        f"{counted(len(lost), 'column')} without a name, not kept": bool(lost),
    }
    warned = (*said, *(text for text, holds in remarked.items() if holds))
    return Table(name, tuple(names[place] for place in places), rows, numbers, encoding, warned)


def _refuse_broken(row: Sequence[str], name: str, number: int) -> None:
    """Refuse characters that no store and no model carries unchanged, before anything is kept."""
    joined = "".join(row)
    if "\0" in joined:
        raise DatasetError(f"{name}, row {number} holds a NUL character: remove it, then read the file again")
    try:
        joined.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(f"{name}, row {number} holds half a character (a lone surrogate): retype it") from error


def _refuse_names(names: Sequence[str], name: str) -> None:
    repeated = [column for column, count in Counter(names).items() if count > 1 and column]
    if repeated:
        raise DatasetError(f"{name} has two columns called {repeated[0]!r}: rename one of them")
    if not any(names):
        raise DatasetError(f"{name} has no column names: write a name above each column, in the first row")


_READERS: dict[str, Callable[[Path, str], Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".xlsx": _read_xlsx,
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
}
