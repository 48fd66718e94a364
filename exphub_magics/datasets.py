"""A file, a frame or the sample, read as a Dataset: narratives, manual flags, and what was met on the way."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, TypeAlias

import lazy_loader

from exphub_magics.columns import ColumnMap, Layout, assign, canonical_columns, parse_columns
from exphub_magics.errors import DatasetError
from exphub_magics.placeholders import PLACEHOLDER_RULE, placeholder
from exphub_magics.specs import SAMPLE
from exphub_magics.tables import DATES, LONG_NUMBERS, SAFE_DIGITS, Table, from_frame, read_table

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazy_loader.load("pandas")

__all__ = [
    "PLACEHOLDER_RULE",
    "SAMPLE",
    "Dataset",
    "Narrative",
    "Profile",
    "parse_columns",
    "placeholder",
    "read",
]

Flag: TypeAlias = bool | None

_FLAGS: dict[str, Flag] = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "y", "positive"), True),
    **dict.fromkeys(("0", "0.0", "false", "no", "n", "negative"), False),
    **dict.fromkeys(("", ".", "na", "n/a", "missing", "unknown", "uncertain"), None),
}
_ABSENT = object()
_ENOUGH, _REPEATS = 10, 0.95  # a fact that agrees so well with so many manual flags repeats them
_SHOWN = 5  # ids, rows or values named in one message


@dataclass(frozen=True, slots=True)
class Narrative:
    """One text about one incident; `placeholder` says why it cannot be evaluated, if it cannot."""

    narrative_id: str
    incident_id: str
    source: str | None
    text: str
    facts: dict[str, str]
    placeholder: str | None


@dataclass(frozen=True, slots=True)
class Profile:
    """What was read, counted, and what was taken for what.

    `labels_in_file` counts the cells of the narratives' flag columns that are not blank, and it is
    `labels_kept + labels_repeated + labels_unknown`. `duplicates` are rows that repeat another.
    """

    narratives: int
    incidents: int
    positive: int
    negative: int
    unlabelled: int
    placeholders: int
    duplicates: int
    encoding: str | None
    columns: dict[str, str | list[str]]
    warnings: tuple[str, ...]
    layout: Layout
    labels_in_file: int
    labels_kept: int
    labels_repeated: int
    labels_unknown: int
    incident_labels: int

    def as_json(self) -> dict[str, Any]:
        """The profile as `data --json` shows it."""
        return asdict(self) | {"warnings": list(self.warnings)}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Narratives with their manual flags; who is unlabelled is in neither map of labels.

    `sha256` is that of the narratives (ids, incident, source, text, facts): a corrected label, other
    row order or another file format leaves it as it is.
    """

    name: str
    sha256: str
    narratives: tuple[Narrative, ...]
    labels: dict[str, bool]
    incident_labels: dict[str, bool]
    profile: Profile
    restricted: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    narrative: Narrative
    flag: Flag


def read(
    source: str | Path | pd.DataFrame,
    *,
    columns: str | Mapping[str, str] | None = None,
    name: str | None = None,
    restricted: bool = False,
) -> Dataset:
    """Read a dataset: a csv, tsv, xlsx, parquet or jsonl file, a frame, or the word `sample`.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"narrative_id": [7], "narrative": ["V was at home."], "manual_flag": [0]})
    >>> dataset = read(frame, name="frame")
    >>> dataset.narratives[0].narrative_id, dataset.labels, dataset.profile.unlabelled
    ('7', {'7': False}, 0)

    Args:
        source: what to read.
        columns: what is what where the names do not say it, as a map or as the text of `--columns`.
        name: what the dataset is called; by default the file's name.
        restricted: whether the narratives may not leave this machine.

    Raises:
        DatasetError: when the data cannot be read as a whole or can be read in two ways.
        ConfigError: when `columns` is wrong.
    """
    said = canonical_columns(columns)
    table = _table(source, name)
    chosen = assign(table, said)
    incidents, rows = _long_rows(table, chosen) if chosen.layout == "long" else _wide_rows(table, chosen)
    merged = _merged(rows, table.name)
    narratives = tuple(row.narrative for row in merged)
    labels = {row.narrative.narrative_id: row.flag for row in merged if row.flag is not None}
    incident_labels = _incident_labels(table, chosen, incidents)
    sha256 = _sha256(narratives)  # with every fact: which of them repeats the flag, a corrected label may change
    of_incidents = {one.narrative_id: incident_labels.get(one.incident_id) for one in narratives}
    repeating = _repeating(chosen, narratives, of_incidents) | _repeating(chosen, narratives, labels)
    narratives = tuple(_without(repeating, narrative) for narrative in narratives)
    profile = Profile(
        **_counts(narratives, labels),
        **_label_counts(table, chosen, rows, labels),
        duplicates=len(rows) - len(merged),
        encoding=table.encoding,
        columns=_columns(chosen, repeating),
        warnings=(
            *table.warnings,
            *_column_warnings(table, chosen),
            *repeating.values(),
            *_warnings(rows, narratives, incident_labels),
        ),
        layout=chosen.layout,
        incident_labels=len(incident_labels),
    )
    refuse_lost_labels(profile, table.name)
    called = PureWindowsPath(name or table.name).name  # never a path, whichever system wrote it
    return Dataset(called, sha256, narratives, labels, incident_labels, profile, restricted)


def refuse_lost_labels(profile: Profile, name: str) -> None:
    """Refuse a dataset whose labels do not add up: a label is kept, repeats one, or says that nobody knows.

    Raises:
        DatasetError: when cells with a label went in that did not come out.
    """
    accounted = profile.labels_kept + profile.labels_repeated + profile.labels_unknown
    if profile.labels_in_file != accounted:
        raise DatasetError(
            f"{name} holds {profile.labels_in_file} labels and {accounted} came through: "
            "nothing was kept; please report this with the file's column names"
        )


def _table(source: object, name: str | None) -> Table:
    if isinstance(source, str | Path):
        if str(source) == SAMPLE:
            packaged = importlib.resources.files("exphub_magics") / "sample" / "sample.csv"
            with importlib.resources.as_file(packaged) as path:
                return replace(read_table(path), name=SAMPLE)
        path = Path(source)
        return read_table(_home(path), shown=path.name if path.is_absolute() else str(path))
    if isinstance(source, pd.DataFrame):
        return from_frame(source, name or "frame")
    raise DatasetError(f"a dataset is a file, a DataFrame or the word 'sample', not a {type(source).__name__}")


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # no such person on this machine: then `~name` is the file's name
        return path


def _long_rows(table: Table, chosen: ColumnMap) -> tuple[list[str], list[_Row]]:
    """One narrative a row, and the incident of each row."""
    ids, incidents = _ids(table, chosen)
    sources = [source.strip() or None for source in _cells(table, chosen, "source")]
    parts = zip(
        ids,
        incidents,
        sources,
        table.column(chosen.roles["text"]),
        _facts(table, chosen),
        _flags(table, chosen.roles.get("flag")),
        strict=True,
    )
    return incidents, [_row(*narrative, flag=flag) for *narrative, flag in parts]


def _wide_rows(table: Table, chosen: ColumnMap) -> tuple[list[str], list[_Row]]:
    """Several narratives a row; where text and label are both missing, the incident has no such narrative."""
    column = chosen.roles["incident_id"]
    incidents = list(table.column(column))
    _refuse_blank(table, column)
    facts = _facts(table, chosen)
    rows: list[_Row] = []
    by_source = [
        (
            source,
            table.column(chosen.roles[f"text.{source}"]),
            _flags(table, chosen.roles.get(f"flag.{source}")),
        )
        for source in chosen.sources
    ]
    for place, incident in enumerate(incidents):
        for source, texts, flags in by_source:
            if texts[place].strip() or flags[place] is not None:
                narrative_id = f"{incident}-{source}"
                rows.append(_row(narrative_id, incident, source, texts[place], facts[place], flag=flags[place]))
    if not rows:
        raise DatasetError(f"{table.name} holds no narrative: the text columns are blank in every row")
    return incidents, rows


def _row(narrative_id: str, incident: str, source: str | None, text: str, facts: dict[str, str], *, flag: Flag) -> _Row:
    return _Row(Narrative(narrative_id, incident, source, text, facts, placeholder(text)), flag)


def _ids(table: Table, chosen: ColumnMap) -> tuple[list[str], list[str]]:
    """The narratives' and the incidents' ids, each made from the other where a column is missing."""
    if "narrative_id" in chosen.roles:
        _refuse_blank(table, chosen.roles["narrative_id"])
        ids = _cells(table, chosen, "narrative_id")
        incidents = _cells(table, chosen, "incident_id")
        return ids, [incident if incident.strip() else own for own, incident in zip(ids, incidents, strict=True)]
    _refuse_blank(table, chosen.roles["incident_id"])
    incidents = _cells(table, chosen, "incident_id")
    sources = [source.strip() for source in _cells(table, chosen, "source")]
    return [f"{i}-{s}" if s else i for i, s in zip(incidents, sources, strict=True)], incidents


def _cells(table: Table, chosen: ColumnMap, role: str) -> list[str]:
    column = chosen.roles.get(role)
    return list(table.column(column)) if column else [""] * len(table.rows)


def _refuse_blank(table: Table, column: str) -> None:
    blank = [number for number, cell in zip(table.numbers, table.column(column), strict=True) if not cell.strip()]
    if blank:
        raise DatasetError(f"{table.name}: the id in column {column!r} is blank in row {_few(blank)}: give each an id")


def _facts(table: Table, chosen: ColumnMap) -> list[dict[str, str]]:
    places = [(fact, table.columns.index(fact)) for fact in chosen.facts]
    return [{fact: row[place] for fact, place in places} for row in table.rows]


def _flags(table: Table, column: str | None) -> list[Flag]:
    """The manual flags of a column; what is no flag and no known word for none is an error, never a no."""
    if not column:
        return [None] * len(table.rows)
    cells = [cell.strip().casefold() for cell in table.column(column)]
    odd: dict[str, list[int]] = defaultdict(list)
    for number, cell in zip(table.numbers, cells, strict=True):
        if cell not in _FLAGS:
            odd[cell[:30]].append(number)
    if odd:
        found = "; ".join(f"{value!r} in row {_few(rows)}" for value, rows in list(odd.items())[:_SHOWN])
        raise DatasetError(
            f"{table.name}: column {column!r} holds {found}; a flag is 1/0, TRUE/FALSE, yes/no, "
            "positive/negative, or blank where nobody knows: mend them, or name the flag with --columns"
        )
    return [_FLAGS[cell] for cell in cells]


def _few(items: Iterable[object]) -> str:
    named = [str(item) for item in items]
    return ", ".join(named[:_SHOWN]) + (f" … ({len(named)} in all)" if len(named) > _SHOWN else "")


def _merged(rows: Iterable[_Row], name: str) -> list[_Row]:
    """Read repeated rows once; what contradicts itself under one id is an error."""
    groups: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[row.narrative.narrative_id].append(row)
    repeated = {narrative_id: group for narrative_id, group in groups.items() if len(group) > 1}
    clashes: dict[str, Callable[[_Row], object]] = {
        "different texts under one id": lambda row: row.narrative.text,
        "different incidents or sources under one id": lambda row: (
            row.narrative.incident_id,
            row.narrative.source,
        ),
        "a label that is both yes and no": lambda row: row.flag if row.flag is not None else _ABSENT,
    }
    for clash, value in clashes.items():
        ids = [i for i, group in repeated.items() if len({value(row) for row in group} - {_ABSENT}) > 1]
        if ids:
            raise DatasetError(f"{name} has {clash}: {_few(ids)}; give each narrative one row and an id of its own")
    return [_one(group) for group in groups.values()]


def _one(group: Sequence[_Row]) -> _Row:
    """The row that repeated rows make together; facts that differ stand side by side."""
    first = group[0]
    if len(group) == 1:
        return first
    facts = {
        fact: " | ".join(sorted({row.narrative.facts[fact] for row in group} - {""})) for fact in first.narrative.facts
    }
    flag = next((row.flag for row in group if row.flag is not None), None)
    return _Row(replace(first.narrative, facts=facts), flag)


def _incident_labels(table: Table, chosen: ColumnMap, incidents: Sequence[str]) -> dict[str, bool]:
    labels: dict[str, bool] = {}
    torn: dict[str, None] = {}
    for incident, flag in zip(incidents, _flags(table, chosen.roles.get("incident_flag")), strict=True):
        if flag is not None and labels.setdefault(incident, flag) is not flag:
            torn[incident] = None
    if torn:
        column = chosen.roles["incident_flag"]
        raise DatasetError(
            f"{table.name}: column {column!r}, taken for the incident's own flag, is both yes and no for "
            f'{_few(torn)}: mend it, or leave it out with --columns "incident_flag="'
        )
    return labels


def _counts(narratives: Sequence[Narrative], labels: Mapping[str, bool]) -> dict[str, int]:
    positive = sum(labels.values())
    return {
        "narratives": len(narratives),
        "incidents": len({narrative.incident_id for narrative in narratives}),
        "positive": positive,
        "negative": len(labels) - positive,
        "unlabelled": len(narratives) - len(labels),
        "placeholders": sum(narrative.placeholder is not None for narrative in narratives),
    }


def _label_counts(table: Table, chosen: ColumnMap, rows: Sequence[_Row], labels: Mapping[str, bool]) -> dict[str, int]:
    """Count the labels where they stand and where they went, each on its own way."""
    columns = [column for key, column in chosen.roles.items() if key.partition(".")[0] == "flag"]
    cells = [cell for column in columns for cell in table.column(column) if cell.strip()]
    return {
        "labels_in_file": len(cells),
        "labels_kept": len(labels),
        "labels_repeated": sum(row.flag is not None for row in rows) - len(labels),
        "labels_unknown": sum(_FLAGS[cell.strip().casefold()] is None for cell in cells),
    }


def _columns(chosen: ColumnMap, repeating: Iterable[str]) -> dict[str, str | list[str]]:
    facts = [fact for fact in chosen.facts if fact not in set(repeating)]
    return {**chosen.roles, "facts": facts, "withheld": [*chosen.withheld, *repeating]}


def _repeating(chosen: ColumnMap, narratives: Sequence[Narrative], flags: Mapping[str, Flag]) -> dict[str, str]:
    """The facts that say what the manual flag says, whatever their names: a warning for each."""
    found: dict[str, str] = {}
    for fact in chosen.facts:
        held = {one.narrative_id: _yes_no(one.facts[fact]) for one in narratives if one.facts[fact].strip()}
        if _ABSENT in held.values():
            continue
        pairs = [(flags.get(i), said) for i, said in held.items() if flags.get(i) is not None and said is not None]
        agreed = sum(flag == said for flag, said in pairs)
        varied = len({flag for flag, _ in pairs}) == len({said for _, said in pairs}) == 2  # noqa: PLR2004 yes and no
        if varied and len(pairs) >= _ENOUGH and agreed >= _REPEATS * len(pairs):
            found[fact] = (
                f"column {fact!r} says what the manual flag says for {agreed} of {len(pairs)} narratives, "
                "so no prompt sees it"
            )
    return found


def _yes_no(cell: str) -> object:
    """A fact's cell as a flag; `_ABSENT` where it is none. Repeated rows that differ say neither."""
    values = {_FLAGS.get(part.strip().casefold(), _ABSENT) for part in cell.split(" | ")}
    if _ABSENT in values:
        return _ABSENT
    return values.pop() if len(values) == 1 else None


def _without(facts: Iterable[str], narrative: Narrative) -> Narrative:
    hidden = set(facts)
    kept = {fact: value for fact, value in narrative.facts.items() if fact not in hidden}
    return replace(narrative, facts=kept) if hidden else narrative


def _column_warnings(table: Table, chosen: ColumnMap) -> Iterator[str]:
    for role in ("narrative_id", "incident_id"):
        column = chosen.roles.get(role, "")
        if (column, DATES) in table.remarks:
            yield f"column {column!r} holds dates: check that a spreadsheet did not make them of ids"
        if (column, LONG_NUMBERS) in table.remarks:
            yield f"column {column!r} holds numbers of over {SAFE_DIGITS} digits, rounded: keep ids as text"
        edged = sum(cell != cell.strip() for cell in _cells(table, chosen, role))
        if edged:
            yield f"{edged} ids in column {column!r} begin or end with a blank, which is part of the id"
    if not any(key.partition(".")[0] in {"flag", "incident_flag"} for key in chosen.roles):
        yield "no column holds the manual flag: nothing can be scored"
    for column in chosen.withheld:
        key = "incident_flag" if chosen.layout == "wide" else "flag"
        hint = f'--columns "{key}={" ".join(column.splitlines())}"'
        yield f"column {column!r} may be a label, so no prompt sees it; if it is the flag: {hint}"


def _warnings(
    rows: Sequence[_Row], narratives: Sequence[Narrative], incident_labels: Mapping[str, bool]
) -> Iterator[str]:
    if len(rows) > len(narratives):
        yield f"{len(rows) - len(narratives)} rows repeat another and are read once"
    texts = [narrative.text for narrative in narratives if narrative.placeholder is None]
    if len(texts) > len(set(texts)):
        yield f"{len(texts) - len(set(texts))} narratives have the text of another with a different id"
    silent = len(incident_labels.keys() - {narrative.incident_id for narrative in narratives})
    if silent:
        yield f"{silent} incidents have a label and no narrative"


def _sha256(narratives: Iterable[Narrative]) -> str:
    """Hash the narratives by id; a blank fact counts as none, since formats differ in that."""
    digest = hashlib.sha256()
    for one in sorted(narratives, key=lambda narrative: narrative.narrative_id):
        facts = {fact: value for fact, value in sorted(one.facts.items()) if value}
        content = [one.narrative_id, one.incident_id, one.source, one.text, facts]
        digest.update(json.dumps(content, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()
