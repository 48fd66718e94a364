"""What is known: one SQLite file, and the only module that speaks SQL.

Facts are appended (prompts, replies, labels, results); the summary columns are derived by sql/score.sql.
Every write is one transaction that begins IMMEDIATE, so that two processes wait for each other.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import lazy_loader

from exphub_magics.errors import HubError, UnknownNameError, nearest
from exphub_magics.questions import Reply

if TYPE_CHECKING:
    import sqlite_utils
else:
    sqlite_utils = lazy_loader.load("sqlite_utils")

Row: TypeAlias = dict[str, Any]

MANUAL, ADJUDICATED = "manual", "adjudicated"
BUSY_MILLISECONDS = 10_000
OPENING_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # seconds
VERSIONS = ("first",)  # of the schema, oldest first
CHUNK = 500


@cache
def _sql(name: str) -> str:
    return resources.files("exphub_magics.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")


def now() -> str:
    """The time in UTC as the hub writes it: ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def where(path: str | Path | None = None) -> Path:
    """The hub file that is meant: the one named, else $EXPHUB_DB, else exphub.db here."""
    return Path(path or os.environ.get("EXPHUB_DB") or "exphub.db")


@dataclass(frozen=True, slots=True)
class Pending:
    """A narrative that an experiment is still to be asked about, or anew; `status` is what it has now."""

    narrative_id: str
    narrative: str
    facts: Mapping[str, str]
    placeholder: str | None
    status: str | None


class Hub:
    """One hub file, open; use it in a `with`.

    >>> with Hub.open(":memory:") as hub:
    ...     hub.leaderboard()
    []
    """

    def __init__(self, db: sqlite_utils.Database, name: str) -> None:
        self._db, self.name = db, name

    @classmethod
    def open(cls, path: str | Path | None = None, *, create: bool = True) -> Hub:
        """Open a hub; one that is not there is made, unless `create` is false.

        Raises:
            HubError: for a file that is missing, locked, damaged, not a hub or a newer version's.
        """
        file = where(path)
        memory = str(file) == ":memory:"
        if not memory and not file.exists():
            if not create:
                raise HubError(f"there is no hub at {file}: `exphub run` makes one, --db or $EXPHUB_DB names another")
            if not file.parent.is_dir():
                raise HubError(f"the folder of {file} does not exist: make it, or name another hub with --db")
        with _explained(file.name or str(path)):
            for seconds in (*OPENING_PAUSES, None):
                try:
                    return cls._opened(file)
                except sqlite3.OperationalError as error:
                    # Turning WAL on does not wait for another process that does the same.
                    if seconds is None or "locked" not in str(error):
                        raise
                    time.sleep(seconds)
        raise AssertionError  # the last pause is None

    @classmethod
    def _opened(cls, file: Path) -> Hub:
        connection = sqlite3.connect(file, timeout=BUSY_MILLISECONDS / 1000)
        try:
            hub = cls(sqlite_utils.Database(connection), file.name)
            hub._prepare()
        except BaseException:
            connection.close()
            raise
        return hub

    def _prepare(self) -> None:
        for pragma in ("foreign_keys = ON", "secure_delete = ON", "synchronous = FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        migrations = _migrations()
        applied = {step.name for step in migrations.applied(self._db)}
        if not applied and set(self._db.table_names()) - {migrations.migrations_table}:
            raise HubError(f"{self.name} is a SQLite file of something else: name a hub with --db")
        if applied - set(VERSIONS):
            raise HubError(f"{self.name} was made by a newer version of ExpHub: install that one")
        self._db.enable_wal()
        if migrations.pending(self._db):
            with self._writing():  # another process may be at the same; the second finds nothing pending
                migrations.apply(self._db)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a hub that is closed twice is closed."""
        self._db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite_utils.Database]:
        with _explained(self.name):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                with self._db.atomic():
                    yield self._db
                self._db.commit()
            except BaseException:
                self._db.rollback()
                raise

    def _read(self, statement: str, **parameters: Any) -> list[Row]:
        with _explained(self.name):
            return list(self._db.query(_sql(statement), parameters))

    # --- what is asked ------------------------------------------------------------------------------------

    def register_dataset(
        self,
        *,
        name: str,
        sha256: str,
        columns: Mapping[str, Any],
        profile: Mapping[str, Any],
        narratives: Iterable[Row],
        restricted: bool = False,
    ) -> int:
        """Keep a dataset's narratives, unless its content is known already; its id either way."""
        with self._writing() as db:
            known = list(db.table("datasets").rows_where("sha256 = ?", [sha256]))
            if known:
                if restricted and not known[0]["restricted"]:
                    db.table("datasets").update(known[0]["id"], {"restricted": True})
                return int(known[0]["id"])
            dataset = db.table("datasets").insert(
                {
                    "name": name,
                    "sha256": sha256,
                    "columns": json.dumps(columns, ensure_ascii=False),
                    "profile": json.dumps(profile, ensure_ascii=False),
                    "restricted": restricted,
                    "read_at": now(),
                }
            )
            db.table("narratives").insert_all({"dataset_id": dataset.last_pk, **row} for row in narratives)
            return int(str(dataset.last_pk))

    def label(
        self,
        dataset: int,
        flags: Mapping[str, bool | None],
        *,
        coder: str,
        incidents: bool = False,
        notes: Mapping[str, str] | None = None,
    ) -> tuple[int, int]:
        """Append a coder's flags where they are new or changed; None takes an earlier flag back.

        Returns:
            How many were new, and how many changed an earlier flag of the same coder.
        """
        statement, table, key = (
            ("known_incident_labels", "incident_labels", "incident_id")
            if incidents
            else ("known_labels", "labels", "narrative_id")
        )
        common = {"dataset_id": dataset, "coder": coder, "labelled_at": now()}
        with self._writing() as db:
            known = {row[key]: row["flag"] for row in self._read(statement, dataset=dataset, coder=coder)}
            fresh = {one: flag for one, flag in flags.items() if known.get(one) != flag}
            if fresh:
                db.table(table).insert_all(
                    {**common, key: one, "flag": flag, "note": (notes or {}).get(one)} for one, flag in fresh.items()
                )
                self._rescore(db, dataset)
        changed = sum(known.get(one) is not None for one in fresh)
        return len(fresh) - changed, changed

    def register(
        self,
        experiment: Row,
        *,
        prompt: tuple[str, str],
        model: tuple[str, str],
        selected: Sequence[str] | None = None,
    ) -> tuple[int, bool]:
        """Register an experiment, or find the one that has this fingerprint.

        Args:
            experiment: name, author, dataset_id, settings, environment, fingerprint and notes.
            prompt: its text and hash.
            model: its name and provider.
            selected: ids of the narratives of a drawn sample; None where all are asked.

        Returns:
            The experiment's id, and whether it is new.
        """
        with self._writing() as db:
            known = list(db.table("experiments").rows_where("fingerprint = ?", [experiment["fingerprint"]]))
            if known:
                return int(known[0]["id"]), False
            row = {
                **experiment,
                "prompt_id": db.table("prompts").lookup({"prompt_hash": prompt[1]}, {"prompt_text": prompt[0]}),
                "model_id": db.table("models").lookup({"model_name": model[0], "provider": model[1]}),
                "start_time": now(),
                "settings": json.dumps(experiment["settings"], sort_keys=True),
                "environment": json.dumps(experiment["environment"], sort_keys=True),
            }
            number = int(str(db.table("experiments").insert(row).last_pk))
            if selected is not None:
                db.table("selected").insert_all(
                    {"experiment_id": number, "narrative_id": narrative} for narrative in selected
                )
            db.execute(_sql("size"), {"experiment": number})
            db.execute(_sql("score"), {"experiment": number})
            return number, True

    def pending(self, experiment: int, states: Iterable[str] = (), *, chunk: int = CHUNK) -> Iterator[Pending]:
        """The narratives without a result, and those whose result is in one of `states`, each once."""
        after, wanted = 0, json.dumps(list(states))
        while True:
            rows = self._read("pending", experiment=experiment, after=after, states=wanted, chunk=chunk)
            for row in rows:
                yield Pending(
                    row["narrative_id"],
                    row["narrative_text"],
                    json.loads(row["facts"]),
                    row["placeholder"],
                    row["status"],
                )
            if len(rows) < chunk:
                return
            after = rows[-1]["position"]

    def recall(self, question_hashes: Iterable[str]) -> dict[str, tuple[str, int, Reply]]:
        """The latest stored reply to each question: its request hash, which asking it was, and the reply."""
        rows = self._read("recall", questions=json.dumps(list(question_hashes)))
        return {row["question_hash"]: (row["request_hash"], row["asking"], _reply(row)) for row in rows}

    # --- what is answered ---------------------------------------------------------------------------------

    def record(
        self,
        experiment: int,
        results: Sequence[Row],
        responses: Sequence[Row] = (),
        *,
        read: Callable[[Reply], Row] | None = None,
    ) -> list[Row]:
        """Store replies and results, and score the experiment, in one transaction.

        A narrative's earlier result is replaced. A reply that another process has stored first under the same hash
        stays, and `read` makes of it what the results say; the results as they were stored.
        """
        moment, hashes = now(), json.dumps([row["request_hash"] for row in responses])
        with self._writing() as db:
            if responses:
                db.table("responses").insert_all(({"received_at": moment, **row} for row in responses), ignore=True)
            if responses and read is not None:
                sent = {row["request_hash"]: row["body"] for row in responses}
                stored = {row["request_hash"]: row for row in self._read("stored", requests=hashes)}
                other = {one for one, row in stored.items() if row["body"] != sent[one]}
                results = [
                    {**row, **read(_reply(stored[row["request_hash"]]))} if row["request_hash"] in other else row
                    for row in results
                ]
            db.table("results").insert_all(
                ({"experiment_id": experiment, "recorded_at": moment, **row} for row in results), replace=True
            )
            narratives = json.dumps([row["narrative_id"] for row in results])
            db.execute(_sql("mark"), {"experiment": experiment, "narratives": narratives})
            db.execute(_sql("score"), {"experiment": experiment})
        return list(results)

    def reopen(self, experiment: int) -> None:
        """Take a finished experiment up again, since some of its narratives are asked anew."""
        with self._writing() as db:
            db.execute(_sql("reopen"), {"experiment": experiment})

    def finish(self, experiment: int) -> None:
        """Set the end time where nothing is pending."""
        with self._writing() as db:
            db.execute(_sql("finish"), {"experiment": experiment, "now": now()})

    def _rescore(self, db: sqlite_utils.Database, dataset: int) -> None:
        """Labels moved: mark and score every experiment on the dataset anew."""
        for row in list(db.table("experiments").rows_where("dataset_id = ?", [dataset], select="id")):
            db.execute(_sql("mark"), {"experiment": row["id"], "narratives": None})
            db.execute(_sql("score"), {"experiment": row["id"]})

    # --- what is known ------------------------------------------------------------------------------------

    def leaderboard(self) -> list[Row]:
        """Every experiment with the seed's columns, version, state, who answered and its counts."""
        return self._read("leaderboard")

    def experiment(self, experiment: int) -> Row:
        """One experiment's full record."""
        return self._read("record_of", experiment=experiment)[0]

    def verdicts(self, experiment: int) -> list[Row]:
        """Each narrative of an experiment with its result beside the manual flag."""
        return self._read("verdicts", experiment=experiment)

    def errors(self, experiment: int) -> list[Row]:
        """The narratives that an experiment flags otherwise than the coders, with their texts; the surest first."""
        return self._read("errors", experiment=experiment)

    def other_names(self, experiment: int) -> list[str]:
        """Other names under which the same prompt text was run."""
        return [row["name"] for row in self._read("same_prompt", experiment=experiment)]

    def same_texts(self, first: int, second: int) -> set[str]:
        """Ids of the narratives that two datasets share, text included."""
        return {row["narrative_id"] for row in self._read("same_texts", first=first, second=second)}

    def find(self, name: str) -> int:
        """The id of an experiment by name (its latest version), `name@version`, id or unique prefix.

        Raises:
            UnknownNameError: with the nearest name, or with the candidates of a prefix that is not unique.
        """
        rows = self._read("names")
        exact = [row for row in rows if name in (row["name"], f"{row['name']}@{row['version']}")]
        exact = exact or [row for row in rows if name == str(row["id"])]
        if exact:
            return int(exact[-1]["id"])
        base, at, _ = name.rpartition("@")
        versions = [row["version"] for row in rows if row["name"] == base]
        if at and versions:
            there = f"its versions are 1 to {versions[-1]}" if len(versions) > 1 else "its only version is 1"
            raise UnknownNameError(f"{base!r} has no such version: {there}")
        near = [row for row in rows if name and row["name"].startswith(name)]
        if len({row["name"] for row in near}) == 1:
            return int(near[-1]["id"])
        if near:
            candidates = ", ".join(dict.fromkeys(row["name"] for row in near))
            raise UnknownNameError(f"{name!r} begins more than one name: {candidates}")
        raise UnknownNameError(f"no experiment is called {name!r}: {nearest(name, [row['name'] for row in rows])}")


def _reply(row: Row) -> Reply:
    return Reply(**{name: row[name] for name in Reply.__dataclass_fields__})


@cache
def _migrations() -> sqlite_utils.Migrations:
    migrations = sqlite_utils.Migrations("exphub")

    @migrations(name=VERSIONS[0])
    def first(db: sqlite_utils.Database) -> None:
        db.executescript(_sql("schema"))
        db.executescript(_sql("views"))

    return migrations


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn what SQLite says into a line with the next step."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        said = str(error)
        for sign, explanation in _EXPLANATIONS.items():
            if sign in said:
                raise HubError(f"{name} {explanation}") from error
        raise


_EXPLANATIONS = {
    "locked": "is locked by another program: close it there, then run again; what was recorded is kept",
    "readonly": "cannot be written: give it write permission, or name another hub with --db",
    "disk is full": "has no room left on its disk: make room, then run again; what was recorded is kept",
    "unable to open": "cannot be opened: check the folder and its permissions, or name another with --db",
    "not a database": "is no SQLite file: name a hub with --db",
    "malformed": "is damaged: keep a copy, and recover what it holds with `sqlite3 FILE .recover`",
    "disk I/O": "cannot be read or written (disk error): check the disk, then run again",
}
