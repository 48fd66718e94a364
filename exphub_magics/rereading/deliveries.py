"""A file of replies that another tool has paid for: what is in doubt is counted, not taken."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

from exphub_magics.datasets import tables
from exphub_magics.datasets.columns import fold
from exphub_magics.errors import DatasetError
from exphub_magics.providers import replies
from exphub_magics.questions import Reply

ID_COLUMNS = ("narrativeid", "customid", "id")  # the first that is there; beside custom_id, id is the request's own
REPLY_COLUMNS = ("reply", "response", "answer", "output", "text", "body", "content")
FORMAT = "imported"

Kept: TypeAlias = Reply | Literal["blank", "errors"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """The replies of a file by id, and how many of its rows gave none.

    `rows` is the number of replies and all of `left_out`: rows without an id; `blank` ones; `errors`, which a batch
    has in place of a reply; `repeated` ones, which say what another of their id says; and `contradictory` ones,
    whose id has different replies, so that none is taken.
    """

    table: tables.Table
    column: str  # that the replies stand in
    places: Mapping[str, int]  # of the replies among the table's rows, by id
    left_out: Mapping[str, int]

    @property
    def name(self) -> str:
        """The file as it was named."""
        return self.table.name

    @property
    def rows(self) -> int:
        """All rows of the file."""
        return len(self.table.rows)

    def reply(self, one: str) -> Reply:
        """The reply of an id."""
        kept = _kept(self.table, self.column, self.places[one])
        assert isinstance(kept, Reply)  # noqa: S101 - `places` holds no others
        return kept


def read(file: str | Path) -> Delivery:
    r"""Read a csv, tsv, xlsx, jsonl or parquet file with a column of ids and one of replies.

    The ids stand under narrative_id, custom_id or id, the replies under reply, response, answer, output, text, body
    or content, names compared without case, blanks and underscores. The output of a batch of chat completions is
    read with its tokens, finish_reason and refusal.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "replies.csv")
    ...     _ = path.write_text("id,reply\n1,yes\n2,\n")
    ...     delivery = read(path)
    >>> delivery.reply("1").body, delivery.left_out["blank"]
    ('yes', 1)

    Raises:
        DatasetError: when the file cannot be read, or it does not say which column is which.
    """
    path = Path(os.path.expanduser(file))  # noqa: PTH111 - it leaves a name such as ~nobody as it is
    table = tables.read_table(path, shown=path.name if path.is_absolute() else str(path))
    ids, column = table.columns.index(_id_column(table)), _reply_column(table)
    places, left_out = _sorted((row[ids], place, _kept(table, column, place)) for place, row in enumerate(table.rows))
    return Delivery(table, column, places, left_out)


def _named(table: tables.Table, names: Sequence[str]) -> list[str]:
    return [column for column in table.columns if fold(column) in names]


def _id_column(table: tables.Table) -> str:
    for name in ID_COLUMNS:
        found = _named(table, [name])
        if found:
            return _only(found, "the ids", table)
    raise DatasetError(
        f"{table.name} has no column for the ids: name the one that holds the narratives' ids narrative_id"
    )


def _reply_column(table: tables.Table) -> str:
    found = _named(table, REPLY_COLUMNS)
    if found:
        return _only(found, "the replies", table)
    raise DatasetError(f"{table.name} has no column for the replies: name the one that holds a model's words reply")


def _only(found: Sequence[str], what: str, table: tables.Table) -> str:
    if len(found) > 1:
        both = " and ".join(map(repr, found))
        raise DatasetError(f"{table.name}: {both} could each hold {what}: keep one of them, or rename the others")
    return found[0]


def _sorted(rows: Iterable[tuple[str, int, Kept]]) -> tuple[dict[str, int], dict[str, int]]:
    """Where the one reply of each id stands, and the rows that are none, counted by why."""
    left_out = Counter(dict.fromkeys(("without id", "blank", "errors", "repeated", "contradictory"), 0))
    by_id: dict[str, list[tuple[int, int]]] = {}
    for one, place, kept in rows:
        if isinstance(kept, str):
            left_out[kept] += 1
        elif not one.strip():
            left_out["without id"] += 1
        else:
            by_id.setdefault(one, []).append((place, hash((kept.body, kept.refusal, kept.finish_reason))))
    found = {}
    for one, several in by_id.items():
        if len({words for _, words in several}) > 1:
            left_out["contradictory"] += len(several)
        else:
            left_out["repeated"] += len(several) - 1
            found[one] = several[0][0]
    return found, dict(left_out)


# --- one cell ---------------------------------------------------------------------------------------------


def _kept(table: tables.Table, column: str, place: int) -> Kept:
    """What a row holds: a model's words, a chat completion, or neither."""
    row = dict(zip(table.columns, table.rows[place], strict=True))
    cell, error = row[column], row.get("error", "")
    completion = _completion(cell, f"{table.name}, row {table.numbers[place]}")
    if completion is None:
        nothing: Literal["blank", "errors"] = "errors" if error.strip() else "blank"
        return Reply(cell, answer_format=FORMAT, attempts=0) if cell.strip() else nothing
    try:
        reply = replace(replies.read(completion, FORMAT, 0, 0), seconds=None)
    except (LookupError, ValueError, TypeError):
        return "errors"
    said = reply.body.strip() or reply.refusal or reply.finish_reason not in (None, "stop")
    return reply if said else "blank"


def _completion(cell: str, where: str) -> dict[str, Any] | None:
    """The chat completion in a cell, alone or as a line of a batch holds it; None where the cell is a model's words."""
    said = _object(cell)
    body = said.get("body")
    if isinstance(body, dict):
        said = body
    if isinstance(said.get("messages"), list) and "choices" not in said:
        raise DatasetError(f"{where} holds a request and no reply: name the batch's output file")
    return said if body is said or isinstance(said.get("choices"), list) else None


def _object(cell: str) -> dict[str, Any]:
    if not cell.lstrip().startswith("{"):
        return {}
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
