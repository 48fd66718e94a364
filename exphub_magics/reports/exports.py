"""An experiment's results as a data file: flags, reasons and scores of every narrative, and no narrative text."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from exphub_magics import lazily
from exphub_magics.cards import listings
from exphub_magics.errors import ConfigError
from exphub_magics.hub import Hub

if TYPE_CHECKING:
    import openpyxl
    import pandas as pd
else:
    openpyxl = lazily.load("openpyxl")
    pd = lazily.load("pandas")


def export(hub: Hub, name: str, file: str | Path) -> Path:
    """Write an experiment's results as csv, xlsx, parquet or jsonl, by the file's ending; no narrative text.

    >>> with Hub.open(":memory:") as hub:
    ...     export(hub, "first", "first.sav")
    Traceback (most recent call last):
    exphub_magics.errors.ConfigError: 'first.sav' ends in no known format: name a .csv, .xlsx, .parquet, .jsonl file

    A csv cell that a spreadsheet would take for a formula gets an apostrophe before it; in xlsx it is text.

    Raises:
        ConfigError: for an unknown ending, a file that is there already, or a folder that is not.
    """
    path = Path(file)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise ConfigError(f"{path.name!r} ends in no known format: name a {', '.join(_WRITERS)} file")
    if path.exists():
        raise ConfigError(f"{path.name} is there already: name another file, or remove it first")
    if not path.parent.is_dir():
        raise ConfigError(f"the folder of {path.name} does not exist: make it, or name another")
    results = _results(hub, hub.find(name))
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(results, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _results(hub: Hub, experiment: int) -> pd.DataFrame:
    about = next(row for row in hub.leaderboard() if row["id"] == experiment)
    first = {"experiment_id": experiment, "fingerprint": about["fingerprint"], "experiment": listings.title(about)}
    frame = pd.DataFrame([{**first, **row} for row in hub.verdicts(experiment)])
    kinds = {"flag": "boolean", "manual_flag": "boolean", "confidence": "Float64", "p_true": "Float64"}
    texts = [column for column in frame if column not in ("experiment_id", *kinds)]
    return frame.astype({**dict.fromkeys(texts, "string"), **kinds})


def _csv(results: pd.DataFrame, path: Path) -> None:
    texts: list[str] = list(results.select_dtypes("string"))
    defused = results.assign(**{column: results[column].map(_defused, na_action="ignore") for column in texts})
    # All text is quoted: the csv module leaves a lone carriage return bare, which readers take for a new row.
    defused.to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC)


def _defused(text: str) -> str:
    """A text that no spreadsheet takes for a formula.

    >>> _defused("=1+1"), _defused("plain")
    ("'=1+1", 'plain')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _xlsx(results: pd.DataFrame, path: Path) -> None:
    texts: list[str] = list(results.select_dtypes("string"))
    forbidden = openpyxl.cell.cell.ILLEGAL_CHARACTERS_RE
    clean = results.assign(**{column: results[column].str.replace(forbidden, "", regex=True) for column in texts})
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        clean.to_excel(writer, sheet_name="results", index=False)
        for row in writer.sheets["results"].iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    cell.data_type = "s"


def _parquet(results: pd.DataFrame, path: Path) -> None:
    if util.find_spec("pyarrow") is None:
        raise ConfigError("parquet needs the package pyarrow: install exphub[parquet], or name a csv file")
    results.to_parquet(path, index=False)


def _jsonl(results: pd.DataFrame, path: Path) -> None:
    results.to_json(path, orient="records", lines=True, force_ascii=False)


_WRITERS: Mapping[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".parquet": _parquet,
    ".jsonl": _jsonl,
}
