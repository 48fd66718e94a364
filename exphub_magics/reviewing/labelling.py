"""The verb `label`: a coder's flags come in from a file, all of them or none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exphub_magics import datasets, lazily
from exphub_magics.datasets import (
    FLAGS,  # the words for a flag
    tables,
)
from exphub_magics.datasets.columns import NAMES, canonical_columns, fold
from exphub_magics.datasets.narratives import few
from exphub_magics.errors import DatasetError, UnknownNameError, nearest, unknown
from exphub_magics.hub import Hub, labels
from exphub_magics.hub.labels import Said
from exphub_magics.markup import counted
from exphub_magics.reviewing import queues

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazily.load("pandas")

UNSURE = ("unsure", "uncertain", "unclear", "unknown", "?")
NOTES = ("note", "notes", "comment", "comments", "remark", "remarks")
IDS = ("narrative_id", "incident_id", "source")


@dataclass(frozen=True, slots=True, repr=False)
class Labelled:
    """What became of a file's rows: `rows` is the sum of the counts behind it.

    `blank` rows say nothing, and an earlier flag of the coder's stands; `unknown` ones have an id that is none of the
    dataset's, `named` by the first of them; `repeated` ones say what another row of their id says.
    """

    dataset: str
    coder: str
    rows: int
    new: int
    changed: int
    same: int
    blank: int
    repeated: int
    unknown: int
    named: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The counts as `label --json` prints them."""
        return asdict(self) | {"named": list(self.named)}

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        counts = ("new", "changed", "same", "blank", "repeated", "unknown")
        told = ", ".join(f"{getattr(self, name):,} {name}" for name in counts if getattr(self, name) or name == "new")
        skipped = f"\nnot in {self.dataset}: {few(self.named)}" if self.named else ""
        return f"{self.coder} on {self.dataset}: {counted(self.rows, 'row')}, {told}{skipped}"


def label(
    hub: Hub,
    file: str | Path | pd.DataFrame,
    *,
    coder: str,
    data: str | None = None,
    columns: str | Mapping[str, str] | None = None,
    skip_unknown: bool = False,
) -> Labelled:
    """Append a coder's flags from a csv, tsv, xlsx, jsonl or parquet file or a frame.

    A row has the narrative's id, or the incident's with a source, a flag, and may have a note. A blank flag says
    nothing; `unsure`, `uncertain`, `unclear`, `unknown` and `?` say that the coder could not decide.

    Args:
        hub: The hub.
        file: The file or frame.
        coder: Who says so.
        data: Which dataset it is about, by name; the only one by default.
        columns: What is what where the names do not say it, as in `--columns`.
        skip_unknown: Whether to take the rest where ids are not known.

    Raises:
        DatasetError: for what cannot be read as a flag, contradicts itself or is not in the dataset; nothing is
            written then.
        ConfigError: for a coder that cannot be one.
    """
    table = _table(file)
    dataset = dataset_named(hub, data)
    name = next(row["name"] for row in labels.datasets(hub) if row["id"] == dataset)
    who = queues.coder_named(hub, dataset, coder)
    said, blank, repeated = _said(table, columns)
    known = labels.known(hub, dataset, said)
    strangers = [one for one in said if one not in known]
    if strangers and (not skip_unknown or len(strangers) == len(said)):
        way = "mend the ids, or name the dataset with --data"
        instead = (
            way
            if len(strangers) == len(said)
            else f"{way}; --skip-unknown takes the other {len(said) - len(strangers):,}"
        )
        raise DatasetError(f"{table.name}: {few(strangers)} not in {name}, so nothing was written: {instead}")
    kept = {one: word for one, word in said.items() if one not in set(strangers)}
    new, changed = labels.say(hub, dataset, kept, coder=who)
    taken = {"new": new, "changed": changed, "same": len(kept) - new - changed}
    left = {"blank": blank, "repeated": repeated, "unknown": len(strangers)}
    return Labelled(name, who, len(table.rows), **taken, **left, named=tuple(strangers))


def dataset_named(hub: Hub, name: str | None = None) -> int:
    """The dataset that is meant: by its name or a file of that name, else the only one.

    Raises:
        UnknownNameError: where there is none such, or more than one.
    """
    held = labels.datasets(hub)
    if not held:
        raise UnknownNameError(f"{hub.name} holds no dataset yet: run an experiment first")
    if name is None:
        if len(held) > 1:
            raise UnknownNameError(f"{hub.name} holds more than one dataset: name one with --data, {_listed(held)}")
        return int(held[0]["id"])
    found = [row for row in held if row["name"] == Path(name).name]
    if not found:
        raise unknown("dataset", Path(name).name, [row["name"] for row in held])
    if len(found) > 1:  # the file has changed between runs
        content = datasets.read(name).sha256
        found = [row for row in found if row["sha256"] == content]
    if not found:
        raise UnknownNameError(f"{Path(name).name} as it is now is in no experiment of {hub.name}: run one on it first")
    return int(found[0]["id"])


def _listed(held: Sequence[Mapping[str, Any]]) -> str:
    return nearest("", [row["name"] for row in held])


def _table(file: str | Path | pd.DataFrame) -> tables.Table:
    if isinstance(file, pd.DataFrame):
        return tables.from_frame(file, "frame")
    path = Path(os.path.expanduser(file))  # noqa: PTH111 - it leaves a name such as ~nobody as it is
    return tables.read_table(path, shown=path.name if path.is_absolute() else str(path))


# --- one table --------------------------------------------------------------------------------------------


def _said(table: tables.Table, columns: str | Mapping[str, str] | None) -> tuple[dict[str, Said], int, int]:
    """What a table says of each narrative; how many rows are blank, and how many repeat another."""
    roles = _roles(table, canonical_columns(columns))
    cells = table.cells(roles)
    ids, words = _ids(table, cells), _words(table, cells, roles["flag"])
    said: dict[str, Said] = {}
    torn: dict[str, None] = {}
    blank = repeated = 0
    for one, word in zip(ids, words, strict=True):
        if not word.decided:
            blank += 1
        elif said.setdefault(one, word) is not word:
            repeated += 1
            if (said[one].flag, said[one].unsure) != (word.flag, word.unsure):
                torn[one] = None
    if torn:
        raise DatasetError(f"{table.name} says two things of {few(torn)}, so nothing was written: keep one row of each")
    if not said:
        raise DatasetError(f"{table.name} holds no flag in column {roles['flag']!r}: all of its cells are blank")
    return said, blank, repeated


def _roles(table: tables.Table, given: Mapping[str, str]) -> dict[str, str]:
    """Which column is what; what is given goes before what the names say."""
    for key, column in given.items():
        if key not in (*IDS, "flag"):
            raise DatasetError(f"a file of labels has no {key!r}: say which column is the narrative_id and the flag")
        if column and column not in table.columns:
            raise unknown("column", column, table.columns)
    roles = dict(given)
    wanted = {**{role: NAMES[role] for role in (*IDS, "flag")}, "note": NOTES}
    for role in [role for role in wanted if role not in given]:
        found = [column for column in table.columns if fold(column) in wanted[role] and column not in given.values()]
        if len(found) > 1:
            both = " and ".join(map(repr, found[:2]))
            raise DatasetError(
                f'{table.name}: {both} could each be the {role}; say which: --columns "{role}={found[0]}"'
            )
        roles[role] = found[0] if found else ""
    roles = {role: column for role, column in roles.items() if column}
    if "narrative_id" not in roles and not {"incident_id", "source"} <= roles.keys():
        raise DatasetError(
            f"{table.name} has no column for the narratives' ids: name it narrative_id, or say --columns"
        )
    if "flag" not in roles:
        raise DatasetError(f'{table.name} has no column for the flags: name it flag, or say --columns "flag=…"')
    return roles


def _ids(table: tables.Table, cells: Mapping[str, Sequence[str]]) -> list[str]:
    if "narrative_id" in cells:
        ids = list(cells["narrative_id"])
    else:
        both = zip(cells["incident_id"], cells["source"], strict=True)
        ids = [
            f"{incident}-{source.strip()}" if incident.strip() and source.strip() else "" for incident, source in both
        ]
    blank = [number for number, one in zip(table.numbers, ids, strict=True) if not one.strip()]
    if blank:
        raise DatasetError(
            f"{table.name}: the id is blank in row {few(blank)}, so nothing was written: give each an id"
        )
    return ids


def _words(table: tables.Table, cells: Mapping[str, Sequence[str]], column: str) -> list[Said]:
    """What each row says; what is no flag is an error, never a no."""
    odd = [
        number
        for number, cell in zip(table.numbers, cells["flag"], strict=True)
        if cell.strip().casefold() not in (*FLAGS, *UNSURE)
    ]
    if odd:
        raise DatasetError(
            f"{table.name}: column {column!r} holds no flag in row {few(odd)}, so nothing was written; a flag is 1/0, "
            "TRUE/FALSE, yes/no, unsure, or blank"
        )
    notes: Iterable[str] = cells.get("note", [""] * len(cells["flag"]))
    return [_word(cell.strip().casefold(), note.strip()) for cell, note in zip(cells["flag"], notes, strict=True)]


def _word(cell: str, note: str) -> Said:
    return Said(None, True, note or None) if cell in UNSURE else Said(FLAGS[cell], note=note or None)
