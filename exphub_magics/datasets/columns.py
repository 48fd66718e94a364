"""Which column of a table is what: by its name, or as the researcher says."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from exphub_magics.errors import ConfigError, DatasetError, nearest, unknown

if TYPE_CHECKING:
    from exphub_magics.datasets.tables import Table

Layout: TypeAlias = Literal["long", "wide"]

NAMES: dict[str, tuple[str, ...]] = {
    "narrative_id": ("narrativeid",),
    "incident_id": ("incidentid",),
    "source": ("source", "narrativetype"),
    "text": ("narrative", "narrativetext", "text"),
    "flag": ("manualflag", "manualflagind", "flag", "label"),
    "incident_flag": ("incidentflag",),
}
"""What a column is taken for, and the names that say so, compared without case, blanks and underscores."""

_WIDE_TEXT = re.compile(r"narrative[\s_.-]*(\w[\w .-]*)", re.IGNORECASE)
_NO_SOURCE = {
    "id",
    "ids",
    "s",
    "text",
    "type",
    "source",
    "date",
    "year",
    "length",
    "words",
    "number",
    "language",
}
_CODED = r"(?<!geo)(?<!bar)(?<!zip)(?<!color)cod(?:ed|ing)"  # the four speak of places and things
_FLAG = re.compile(rf"flag|manual|label|^(?!date|year|time).*(?<!re){_CODED}$")
_LABEL = re.compile(rf"flag|manual|label|rater|coder|adjudicat|annotat|truth|consensus|goldstandard|^ytrue$|{_CODED}")
_LABEL_WORDS = {"gold", "reviewer", "reviewers", "rating", "rated", "expert"}
_AFTER_FINAL = {"cme", "le", "ipv", "code", "decision", "answer"}
_FINDINGS = {"diagnosis", "diagnoses", "cause", "manner", "disposition", "report", "date", "autopsy", "dx"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_FLAG_STEM = re.compile(r"(?:[\s_.-]|flag|manual|label|ind|coded|coding)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """What each column was taken for.

    `roles` has the keys of `--columns`: `narrative_id`, `text`, `flag`, …, in a wide layout `text.CME`,
    `flag.CME`, …; `facts` are the columns kept as they are; `withheld` are those that may hold a label and
    were not asked for.
    """

    layout: Layout
    roles: dict[str, str]
    facts: tuple[str, ...]
    withheld: tuple[str, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of a wide layout, in the order of the columns."""
        return tuple(key.removeprefix("text.") for key in self.roles if key.startswith("text."))


def fold(name: str) -> str:
    """A column's name without case, blanks, underscores, hyphens and dots.

    >>> fold("Manual_Flag IND")
    'manualflagind'
    """
    return re.sub(r"[\s_.-]", "", name.casefold())


def parse_columns(text: str) -> dict[str, str]:
    """Read the option `--columns`: what is what, between commas.

    >>> parse_columns("narrative_id=Case No, text=Story, flag.CME=ipv")
    {'narrative_id': 'Case No', 'text': 'Story', 'flag.CME': 'ipv'}
    >>> parse_columns("txt=Story")
    Traceback (most recent call last):
    exphub_magics.errors.ConfigError: --columns has no 'txt': did you mean 'text'?

    A line break is read as a blank. Nothing after the `=` says that there is no such column; a name with a
    comma goes between quotation marks: `"text=Story, long"`.

    Raises:
        ConfigError: for a key that is unknown or stands twice, or an entry without `=`.
    """
    cells = next(csv.reader([_one_line(text)], skipinitialspace=True), [])
    entries = [cell.strip() for cell in cells if cell.strip()]
    pairs = [entry.partition("=") for entry in entries]
    for entry, (_, sign, _) in zip(entries, pairs, strict=True):
        if not sign:
            raise ConfigError(f"--columns cannot read {entry!r}: write it as in text=Story")
    return _canonical((key, column.strip()) for key, _, column in pairs)


def canonical_columns(columns: str | Mapping[str, str] | None) -> dict[str, str]:
    """What is said of the columns, as text or map, with canonical keys.

    >>> canonical_columns({"Narrative Text": "Story"})
    {'text': 'Story'}

    Raises:
        ConfigError: for a key that is unknown, or one thing said twice.
    """
    return parse_columns(columns) if isinstance(columns, str) else _canonical((columns or {}).items())


def _canonical(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    said: dict[str, str] = {}
    for written, column in pairs:
        key = canonical_key(written)
        if key in said:
            raise ConfigError(f"--columns says {key} twice: name one column")
        said[key] = column
    return said


def canonical_key(key: str) -> str:
    """The key of `--columns` that is meant, whatever its spelling.

    >>> canonical_key("Narrative Type"), canonical_key("flag.cme")
    ('source', 'flag.CME')
    """
    base, _, source = key.strip().partition(".")
    for role, names in NAMES.items():
        if fold(base) in {fold(role), *names} and (not source or role in {"text", "flag"}):
            return f"{role}.{source.strip().upper()}" if source else role
    raise ConfigError(f"--columns has no {key.strip()!r}: {nearest(key.strip(), [*NAMES, 'text.CME', 'flag.CME'])}")


def assign(table: Table, given: Mapping[str, str]) -> ColumnMap:
    """Decide what each column of a table is; what is given goes before what the names say.

    Args:
        table: the table whose columns are named.
        given: canonical keys and the columns said for them; an empty column says that there is none.

    Raises:
        DatasetError: when there is no text or no id, or two columns could both be what one must be.
        ConfigError: when a given column is not in the table.
    """
    said = {key: _find(column, table) if column else "" for key, column in given.items()}
    taken = [column for column in said.values() if column]
    for column in taken:
        if taken.count(column) > 1:
            raise ConfigError(f"--columns takes {column!r} for two things: name it once")
    free = [column for column in table.columns if column not in taken]
    layout = _layout(table.name, said, free)
    found = _long(table, said, free) if layout == "long" else _wide(table, said, free)
    roles = {key: column for key, column in found.items() if column}
    rest = [column for column in table.columns if column not in roles.values()]
    withheld = tuple(column for column in rest if _may_be_label(column))
    return ColumnMap(layout, roles, tuple(column for column in rest if column not in withheld), withheld)


def _may_be_label(column: str) -> bool:
    """Whether a name speaks of manual coding; a plain `code`, as of a place or a disease, is a fact.

    >>> [name for name in ("ipv_coded", "IPV_final", "gold", "zip_code", "final_diagnosis") if _may_be_label(name)]
    ['ipv_coded', 'IPV_final', 'gold']
    """
    words = [word.casefold() for word in _WORD.findall(column)]
    _, *after = words[words.index("final") :] if "final" in words else [""]
    concluded = "final" in words and _AFTER_FINAL.issuperset(after) and not _FINDINGS.intersection(words)
    return concluded or bool(_LABEL.search(fold(column)) or _LABEL_WORDS.intersection(words))


def _one_line(text: str) -> str:
    """A name as a message shows it: a spreadsheet's header may hold a line break."""
    return re.sub(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]\s*", " ", text)


def _find(column: str, table: Table) -> str:
    if column in table.columns:
        return column
    alike = [name for name in table.columns if fold(name) == fold(column)]
    if not alike:
        raise unknown("column", column, map(_one_line, table.columns))
    return _only("column", alike, table.name) or ""


def _only(key: str, candidates: Sequence[str], name: str) -> str | None:
    """The one candidate, None if there is none; two are never chosen between."""
    if len(candidates) > 1:
        both = " and ".join(repr(_one_line(column)) for column in candidates)
        said = f"{key}={_one_line(candidates[0])}"
        raise DatasetError(f'{name}: {both} could each be the {key}; say which: --columns "{said}"')
    return candidates[0] if candidates else None


def _named(role: str, columns: Iterable[str]) -> list[str]:
    return [column for column in columns if fold(column) in NAMES[role]]


def _layout(name: str, said: Mapping[str, str], free: Sequence[str]) -> Layout:
    wide_keys = [key for key in said if "." in key]
    long_keys = [key for key in said if key in {"narrative_id", "source", "text"}]
    if wide_keys and long_keys:
        raise ConfigError(f"--columns mixes {long_keys[0]} (one text a row) with {wide_keys[0]} (several a row)")
    if wide_keys or long_keys:
        return "wide" if wide_keys else "long"
    long_texts, wide_texts = _named("text", free), [column for _, column in _wide_texts(free)]
    if long_texts and wide_texts:
        _only("text", [long_texts[0], wide_texts[0]], name)
    return "wide" if wide_texts and not _named("narrative_id", free) else "long"


def _long(table: Table, said: Mapping[str, str], free: Sequence[str]) -> dict[str, str]:
    roles = dict(said)
    for role in ("narrative_id", "incident_id", "source", "text"):
        if role not in said:
            roles[role] = _only(role, _named(role, free), table.name) or ""
    if not roles["text"]:
        raise _no_text(table, free)
    if not roles["narrative_id"] and not roles["incident_id"]:
        raise DatasetError(
            f"{table.name} has no column for the ids among {_listed(table.columns)}: "
            'say which it is: --columns "narrative_id=…" or --columns "incident_id=…"'
        )
    return roles | _long_flags(table, said, free)


def _long_flags(table: Table, said: Mapping[str, str], free: Sequence[str]) -> dict[str, str]:
    """`manual_flag` beside `manual_flag_ind` is the incident's own; alone it is the narrative's."""
    candidates = _named("flag", free)
    own = _named("incident_flag", free)
    indicator = [c for c in [*candidates, said.get("flag", "")] if fold(c) == "manualflagind"]
    if indicator:
        own += [column for column in candidates if fold(column) == "manualflag"]
        candidates = [column for column in candidates if column not in own]
    flag = said["flag"] if "flag" in said else _only("flag", candidates, table.name)
    incident = said["incident_flag"] if "incident_flag" in said else _only("incident_flag", own, table.name)
    return {"flag": flag or "", "incident_flag": incident or ""}


def _wide_texts(columns: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of source and column, for names such as `NarrativeCME`."""
    matches = ((_WIDE_TEXT.fullmatch(column), column) for column in columns)
    named = [(match.group(1).upper(), column) for match, column in matches if match]
    return [(source, column) for source, column in named if fold(source) not in _NO_SOURCE]


def _wide(table: Table, said: Mapping[str, str], free: Sequence[str]) -> dict[str, str]:
    texts = {key: column for key, column in said.items() if key.startswith("text.")}
    if not texts:
        pairs = _wide_texts(free)
        sources = dict.fromkeys(source for source, _ in pairs)
        columns = {source: [column for other, column in pairs if other == source] for source in sources}
        texts = {f"text.{s}": _only(f"text.{s}", columns[s], table.name) or "" for s in sources}
    texts = {key: column for key, column in texts.items() if column}
    if not texts:
        raise _no_text(table, free)
    incident = said.get("incident_id") or _only("incident_id", _named("incident_id", free), table.name)
    if not incident:
        raise DatasetError(
            f"{table.name} has no column for the incident among {_listed(table.columns)}: "
            'say which it is: --columns "incident_id=…"'
        )
    return {"incident_id": incident, **texts, **_wide_flags(table, said, free, texts)}


def _wide_flags(table: Table, said: Mapping[str, str], free: Sequence[str], texts: Mapping[str, str]) -> dict[str, str]:
    sources = [key.removeprefix("text.") for key in texts]
    for key in said:
        if key.startswith("flag.") and key.removeprefix("flag.") not in sources:
            raise ConfigError(f"--columns says {key}, and there is no text of that source: {nearest(key, texts)}")
    named = dict(_wide_texts(table.columns))
    source_of = {column: _source_of(column, [*sources, *named]) for column in free if column not in texts.values()}
    speaking = [c for c, source in source_of.items() if _FLAG.search(fold(c[: len(c) - len(source or "")]))]
    _refuse_renamed(said, {column: source for source, column in named.items()}, source_of, speaking)
    keys = {f"flag.{source}": source for source in sources} | {"incident_flag": None}
    given = dict(said)
    if "flag" in given:  # without a source it can only be the incident's own
        given["incident_flag"] = given.pop("flag")
    found = {
        key: given[key] if key in given else _only(key, [c for c in speaking if source_of[c] == source], table.name)
        for key, source in keys.items()
    }
    return {key: column for key, column in found.items() if column}


def _refuse_renamed(
    said: Mapping[str, str], names: Mapping[str, str], source_of: Mapping[str, str | None], speaking: Sequence[str]
) -> None:
    """Refuse a source said for a text whose own name, and its flag's, say another: the flag would be lost."""
    for key, column in said.items():
        own = names.get(column)
        flags = [flag for flag in speaking if own and source_of[flag] == own]
        flag_key = key.replace("text.", "flag.", 1)
        lost = key != f"text.{own}" and flag_key not in said and f"text.{own}" not in said
        if key.startswith("text.") and flags and lost:
            raise ConfigError(
                f"--columns says {key}={_one_line(column)}, and the flag {flags[0]!r} is of {own}: "
                f"write text.{own}={_one_line(column)}, or add {flag_key}={_one_line(flags[0])}"
            )


def _source_of(column: str, sources: Iterable[str]) -> str | None:
    """The source that a flag's name ends in, as a word of its own: `flag_male` is no flag of LE.

    >>> [_source_of(name, ["LE", "CME"]) for name in ("ipv_manualCME", "ipv_flag_LE", "flag_male", "manual")]
    ['CME', 'LE', None, None]
    """
    for source in sorted(sources, key=len, reverse=True):
        stem, tail = column[: -len(source)], column[-len(source) :]
        camel = stem[-1:].islower() and tail[:1].isupper()
        if tail.casefold() == source.casefold() and (camel or _FLAG_STEM.search(stem)):
            return source
    return None


def _no_text(table: Table, free: Sequence[str]) -> DatasetError:
    near = nearest("narrative", free)
    candidates = free or table.columns
    longest = _one_line(_longest(table, candidates))
    meant = f" ({near})" if near.startswith("did you") else ""
    return DatasetError(
        f"{table.name} has no column for the text among {_listed(table.columns)}{meant}; "
        f'say which it is, for example: --columns "text={longest}"'
    )


def _longest(table: Table, candidates: Iterable[str]) -> str:
    lengths = dict.fromkeys(table.columns, 0)
    for row in table.rows:
        for column, cell in zip(table.columns, row, strict=True):
            lengths[column] += len(cell)
    return max(candidates, key=lengths.__getitem__)


def _listed(columns: Sequence[str], shown: int = 12) -> str:
    more = f" … ({len(columns) - shown} more)" if len(columns) > shown else ""
    return ", ".join(map(_one_line, columns[:shown])) + more
