"""A file, a frame or the sample, read as a Dataset: narratives, manual flags, and what was met on the way."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any, TypeAlias

from exphub_magics import lazily
from exphub_magics.datasets.columns import ColumnMap, Layout, assign, canonical_columns, parse_columns
from exphub_magics.datasets.narratives import SHOWN, Flag, Gathering, Narrative, Narratives, few
from exphub_magics.datasets.placeholders import PLACEHOLDER_RULE, placeholder
from exphub_magics.datasets.tables import DATES, LONG_NUMBERS, SAFE_DIGITS, Table, from_frame, read_table
from exphub_magics.errors import DatasetError
from exphub_magics.markup import counted
from exphub_magics.specs import SAMPLE

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazily.load("pandas")

__all__ = [
    "PLACEHOLDER_RULE",
    "SAMPLE",
    "Dataset",
    "Narrative",
    "Narratives",
    "Profile",
    "parse_columns",
    "placeholder",
    "read",
]

_Keys: TypeAlias = Mapping[str, list[str]]  # the cells of ids, sources and flags, by role
_Row: TypeAlias = tuple[Narrative, Flag]
_Pair: TypeAlias = tuple[Flag, object]  # a manual flag, and what a fact says

FLAGS: dict[str, Flag] = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "y", "positive"), True),
    **dict.fromkeys(("0", "0.0", "false", "no", "n", "negative"), False),
    **dict.fromkeys(("", ".", "na", "n/a", "missing", "unknown", "uncertain"), None),
}
_ABSENT = object()
_ENOUGH, _REPEATS = 10, 0.95  # a fact that agrees so well with so many manual flags repeats them


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
    row order or another file format leaves it as it is. The narratives are kept in a spool, not in memory. One that
    `is_held` was read from a hub: it says no flags to that, which may have newer ones.
    """

    name: str
    sha256: str
    narratives: Narratives
    labels: dict[str, bool]
    incident_labels: dict[str, bool]
    profile: Profile
    restricted: bool = False
    is_held: bool = False


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
    keys = table.cells({role: column for role, column in chosen.roles.items() if role.partition(".")[0] != "text"})
    incidents, rows = _long_rows(table, chosen, keys) if chosen.layout == "long" else _wide_rows(table, chosen, keys)
    gathered = _gathered(rows, chosen, table.name)
    labels = {one: flag for one, flag in zip(gathered.ids, gathered.flags, strict=True) if flag is not None}
    incident_labels = _incident_labels(table, chosen, incidents, _flags(table, chosen, keys, "incident_flag"))
    # with every fact: which of them repeats the flag, a corrected label may change
    sha256 = _sha256(gathered.narratives, gathered.ids)
    repeating = _repeating(gathered.narratives, incident_labels, labels)
    profile = Profile(
        **_counts(gathered, labels),
        **_label_counts(keys, gathered, labels),
        encoding=table.encoding,
        columns=_columns(chosen, repeating),
        warnings=(
            *table.warnings,
            *_column_warnings(table, chosen, keys),
            *repeating.values(),
            *_warnings(gathered, incident_labels),
        ),
        layout=chosen.layout,
        incident_labels=len(incident_labels),
    )
    refuse_lost_labels(profile, table.name)
    called = PureWindowsPath(name or table.name).name  # never a path, whichever system wrote it
    narratives = gathered.narratives.without(repeating)
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


def _long_rows(table: Table, chosen: ColumnMap, keys: _Keys) -> tuple[list[str], Iterator[_Row]]:
    """One narrative a row, and the incident of each row."""
    ids, incidents = _ids(table, chosen, keys)
    sources = (source.strip() or None for source in keys.get("source", [""] * len(ids)))
    flags = _flags(table, chosen, keys, "flag")
    place, facts = table.columns.index(chosen.roles["text"]), _facts(table, chosen)
    parts = zip(ids, incidents, sources, table.rows, flags, strict=True)
    rows = (
        (_narrative(narrative_id, incident, source, row[place], facts(row)), flag)
        for narrative_id, incident, source, row, flag in parts
    )
    return incidents, rows


def _wide_rows(table: Table, chosen: ColumnMap, keys: _Keys) -> tuple[list[str], Iterator[_Row]]:
    """Several narratives a row; where text and label are both missing, the incident has no such narrative."""
    _refuse_blank(table, chosen, keys, "incident_id")
    incidents, facts = keys["incident_id"], _facts(table, chosen)
    by_source = [
        (source, table.columns.index(chosen.roles[f"text.{source}"]), _flags(table, chosen, keys, f"flag.{source}"))
        for source in chosen.sources
    ]
    rows = (
        (_narrative(f"{incident}-{source}", incident, source, row[place], facts(row)), flags[number])
        for number, (incident, row) in enumerate(zip(incidents, table.rows, strict=True))
        for source, place, flags in by_source
        if row[place].strip() or flags[number] is not None
    )
    return incidents, rows


def _narrative(narrative_id: str, incident: str, source: str | None, text: str, facts: dict[str, str]) -> Narrative:
    return Narrative(narrative_id, incident, source, text, facts, placeholder(text))


def _ids(table: Table, chosen: ColumnMap, keys: _Keys) -> tuple[list[str], list[str]]:
    """The narratives' and the incidents' ids, each made from the other where a column is missing."""
    blank = [""] * len(table.rows)
    if "narrative_id" in keys:
        _refuse_blank(table, chosen, keys, "narrative_id")
        pairs = zip(keys["narrative_id"], keys.get("incident_id", blank), strict=True)
        return keys["narrative_id"], [incident if incident.strip() else own for own, incident in pairs]
    _refuse_blank(table, chosen, keys, "incident_id")
    sources = (source.strip() for source in keys.get("source", blank))
    incidents = keys["incident_id"]
    return [f"{i}-{s}" if s else i for i, s in zip(incidents, sources, strict=True)], incidents


def _refuse_blank(table: Table, chosen: ColumnMap, keys: _Keys, role: str) -> None:
    blank = [number for number, cell in zip(table.numbers, keys[role], strict=True) if not cell.strip()]
    if blank:
        column = chosen.roles[role]
        raise DatasetError(f"{table.name}: the id in column {column!r} is blank in row {few(blank)}: give each an id")


def _facts(table: Table, chosen: ColumnMap) -> Callable[[Sequence[str]], dict[str, str]]:
    places = [(fact, table.columns.index(fact)) for fact in chosen.facts]
    return lambda row: {fact: row[place] for fact, place in places}


def _flags(table: Table, chosen: ColumnMap, keys: _Keys, role: str) -> list[Flag]:
    """The manual flags of a column; what is no flag and no known word for none is an error, never a no."""
    if role not in keys:
        return [None] * len(table.rows)
    odd: dict[str, list[int]] = defaultdict(list)
    flags: list[Flag] = []
    for number, cell in zip(table.numbers, keys[role], strict=True):
        folded = cell.strip().casefold()
        if folded not in FLAGS:
            odd[folded[:30]].append(number)
        flags.append(FLAGS.get(folded))
    if odd:
        found = "; ".join(f"{value!r} in row {few(rows)}" for value, rows in list(odd.items())[:SHOWN])
        raise DatasetError(
            f"{table.name}: column {chosen.roles[role]!r} holds {found}; a flag is 1/0, TRUE/FALSE, yes/no, "
            "positive/negative, or blank where nobody knows: mend them, or name the flag with --columns"
        )
    return flags


def _gathered(rows: Iterable[_Row], chosen: ColumnMap, name: str) -> Gathering:
    gathered = Gathering(chosen.facts)
    for one, flag in rows:
        gathered.add(one, flag)
    if not gathered.rows:
        raise DatasetError(f"{name} holds no narrative: the text columns are blank in every row")
    gathered.merge(name)
    return gathered


def _incident_labels(
    table: Table, chosen: ColumnMap, incidents: Iterable[str], flags: Iterable[Flag]
) -> dict[str, bool]:
    labels: dict[str, bool] = {}
    torn: dict[str, None] = {}
    for incident, flag in zip(incidents, flags, strict=True):
        if flag is not None and labels.setdefault(incident, flag) is not flag:
            torn[incident] = None
    if torn:
        column = chosen.roles["incident_flag"]
        raise DatasetError(
            f"{table.name}: column {column!r}, taken for the incident's own flag, is both yes and no for "
            f'{few(torn)}: mend it, or leave it out with --columns "incident_flag="'
        )
    return labels


def _counts(gathered: Gathering, labels: Mapping[str, bool]) -> dict[str, int]:
    narratives, positive = len(gathered.spool), sum(labels.values())
    return {
        "narratives": narratives,
        "incidents": len(gathered.incidents),
        "positive": positive,
        "negative": len(labels) - positive,
        "unlabelled": narratives - len(labels),
        "placeholders": gathered.placeholders,
        "duplicates": gathered.rows - narratives,
    }


def _label_counts(keys: _Keys, gathered: Gathering, labels: Mapping[str, bool]) -> dict[str, int]:
    """Count the labels where they stand and where they went, each on its own way."""
    cells = Counter(cell for role, column in keys.items() if role.partition(".")[0] == "flag" for cell in column)
    filled = {cell: count for cell, count in cells.items() if cell.strip()}
    return {
        "labels_in_file": sum(filled.values()),
        "labels_kept": len(labels),
        "labels_repeated": gathered.flagged - len(labels),
        "labels_unknown": sum(n for cell, n in filled.items() if FLAGS[cell.strip().casefold()] is None),
    }


def _columns(chosen: ColumnMap, repeating: Iterable[str]) -> dict[str, str | list[str]]:
    facts = [fact for fact in chosen.facts if fact not in set(repeating)]
    return {**chosen.roles, "facts": facts, "withheld": [*chosen.withheld, *repeating]}


def _repeating(
    narratives: Narratives, incident_labels: Mapping[str, bool], labels: Mapping[str, bool]
) -> dict[str, str]:
    """The facts that say what a manual flag says, whatever their names: a warning for each."""
    pairs = {fact: (Counter[_Pair](), Counter[_Pair]()) for fact in narratives.facts}
    for one in narratives:
        flags = (incident_labels.get(one.incident_id), labels.get(one.narrative_id))
        for fact in [fact for fact in pairs if one.facts[fact].strip()]:
            said = _yes_no(one.facts[fact])
            if said is _ABSENT:
                del pairs[fact]
                continue
            for tally, flag in zip(pairs[fact], flags, strict=True):
                tally[flag, said] += 1
        if not pairs:
            break
    by_incident = {fact: _repeats(fact, counted) for fact, (counted, _) in pairs.items()}
    by_label = {fact: _repeats(fact, counted) for fact, (_, counted) in pairs.items()}
    found = [*by_incident.items(), *by_label.items()]
    return {fact: warning for fact, warning in found if warning}


def _repeats(fact: str, counted: Mapping[_Pair, int]) -> str | None:
    both = {pair: count for pair, count in counted.items() if None not in pair}
    total, agreed = sum(both.values()), sum(count for (flag, said), count in both.items() if flag == said)
    varied = len({flag for flag, _ in both}) == len({said for _, said in both}) == 2  # noqa: PLR2004 yes and no
    if not varied or total < _ENOUGH or agreed < _REPEATS * total:
        return None
    said = f"what the manual flag says for {agreed} of {total} narratives"
    return f"column {fact!r} says {said}, so no prompt sees it"


def _yes_no(cell: str) -> object:
    """A fact's cell as a flag; `_ABSENT` where it is none. Repeated rows that differ say neither."""
    values = {FLAGS.get(part.strip().casefold(), _ABSENT) for part in cell.split(" | ")}
    if _ABSENT in values:
        return _ABSENT
    return values.pop() if len(values) == 1 else None


def _column_warnings(table: Table, chosen: ColumnMap, keys: _Keys) -> Iterator[str]:
    for role in ("narrative_id", "incident_id"):
        column = chosen.roles.get(role, "")
        if (column, DATES) in table.remarks:
            yield f"column {column!r} holds dates: check that a spreadsheet did not make them of ids"
        if (column, LONG_NUMBERS) in table.remarks:
            yield f"column {column!r} holds numbers of over {SAFE_DIGITS} digits, rounded: keep ids as text"
        edged = sum(cell != cell.strip() for cell in keys.get(role, ()))
        if edged:
            yield f"{edged} ids in column {column!r} begin or end with a blank, which is part of the id"
    if not any(key.partition(".")[0] in {"flag", "incident_flag"} for key in chosen.roles):
        yield "no column holds the manual flag: nothing can be scored"
    for column in chosen.withheld:
        key = "incident_flag" if chosen.layout == "wide" else "flag"
        hint = f'--columns "{key}={" ".join(column.splitlines())}"'
        yield f"column {column!r} may be a label, so no prompt sees it; if it is the flag: {hint}"


def _warnings(gathered: Gathering, incident_labels: Mapping[str, bool]) -> Iterator[str]:
    narratives = len(gathered.spool)
    if gathered.rows > narratives:
        yield f"{counted(gathered.rows - narratives, 'row repeats', 'rows repeat')} another and are read once"
    alike = narratives - gathered.placeholders - len(gathered.texts)
    if alike:
        yield f"{counted(alike, 'narrative has', 'narratives have')} the text of another with a different id"
    silent = len(incident_labels.keys() - gathered.incidents)
    if silent:
        yield f"{counted(silent, 'incident has', 'incidents have')} a label and no narrative"


def _sha256(narratives: Narratives, ids: Sequence[str]) -> str:
    """Hash the narratives by id; a blank fact counts as none, since formats differ in that."""
    digest, encode = hashlib.sha256(), json.JSONEncoder(ensure_ascii=False).encode
    for place in sorted(range(len(ids)), key=ids.__getitem__):
        one = narratives[place]
        facts = {fact: value for fact, value in sorted(one.facts.items()) if value}
        content = [one.narrative_id, one.incident_id, one.source, one.text, facts]
        digest.update(encode(content).encode() + b"\n")
    return digest.hexdigest()
