"""What is known: one SQLite file, and the only package that speaks SQL.

Facts are appended (prompts, replies, labels, results); the summary columns are derived by sql/score.sql.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from exphub_magics.errors import UnknownNameError, nearest
from exphub_magics.hub import aliases, labels
from exphub_magics.hub.labels import ADJUDICATED, MANUAL
from exphub_magics.hub.leases import Lease
from exphub_magics.hub.storage import Row, Storage, now, sql, where
from exphub_magics.questions import Reply

if TYPE_CHECKING:
    import sqlite_utils

__all__ = ["ADJUDICATED", "MANUAL", "Hub", "Lease", "Pending", "Row", "now", "where"]

CHUNK = 500
States: TypeAlias = Mapping[str, str | None] | Iterable[str]


@dataclass(frozen=True, slots=True)
class Pending:
    """A narrative that an experiment is still to be asked about, or anew; `status` is what it has now."""

    narrative_id: str
    narrative: str
    facts: Mapping[str, str]
    placeholder: str | None
    status: str | None


class Hub(Storage):
    """One hub file, open; use it in a `with`.

    >>> with Hub.open(":memory:") as hub:
    ...     hub.leaderboard()
    []
    """

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
        with self.writing() as db:
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
        if incidents:
            return labels.say_of_incidents(self, dataset, flags, coder=coder, notes=notes)
        said = {one: labels.Said(flag, note=(notes or {}).get(one)) for one, flag in flags.items()}
        return labels.say(self, dataset, said, coder=coder)

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
        with self.writing() as db:
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
            db.execute(sql("size"), {"experiment": number})
            db.execute(sql("score"), {"experiment": number})
            return number, True

    def pending(self, experiment: int, states: States = (), *, chunk: int = CHUNK) -> Iterator[Pending]:
        """The narratives without a result, and those whose result is in one of `states`, each once.

        A state may be given with a moment: then its results count that were recorded before.
        """
        after, wanted = 0, _as_json(states)
        while True:
            rows = self.read("pending", experiment=experiment, after=after, states=wanted, chunk=chunk)
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

    def left_to_ask(self, experiment: int, states: States = ()) -> int:
        """How many narratives are `pending` by these states, without those that are never sent."""
        return int(self.read("left_to_ask", experiment=experiment, states=_as_json(states))[0]["n"])

    def holds_replies(self) -> bool:
        """Whether there is any reply that could be recalled."""
        return bool(self.read("holds_replies")[0]["holds"])

    def recall(self, question_hashes: Iterable[str]) -> dict[str, tuple[str, int, Reply]]:
        """The latest stored reply to each question: its request hash, which asking it was, and the reply."""
        rows = self.read("recall", questions=json.dumps(list(question_hashes)))
        return {row["question_hash"]: (row["request_hash"], row["asking"], _reply(row)) for row in rows}

    # --- what is answered ---------------------------------------------------------------------------------

    def record(
        self,
        experiment: int,
        results: Sequence[Row],
        responses: Sequence[Row] = (),
        *,
        read: Callable[[Reply], Row] | None = None,
        lease: Lease | None = None,
    ) -> list[Row]:
        """Store replies and results, and score the experiment, in one transaction.

        A narrative's earlier result is replaced. A reply that another process has stored first under the same hash
        stays, and `read` makes of it what the results say; the results as they were stored.

        Raises:
            LeaseError: where `lease` has been lost; nothing is stored then.
        """
        return self.write(lambda db: self._store(db, experiment, results, responses, read, lease))

    def _store(
        self,
        db: sqlite_utils.Database,
        experiment: int,
        results: Sequence[Row],
        responses: Sequence[Row],
        read: Callable[[Reply], Row] | None,
        lease: Lease | None,
    ) -> list[Row]:
        if lease is not None:
            lease.confirm(db, experiment)
        moment, hashes = now(), json.dumps([row["request_hash"] for row in responses])
        if responses:
            db.table("responses").insert_all(({"received_at": moment, **row} for row in responses), ignore=True)
        if responses and read is not None:
            sent = {row["request_hash"]: row["body"] for row in responses}
            stored = {row["request_hash"]: row for row in self.read("stored", requests=hashes)}
            other = {one for one, row in stored.items() if row["body"] != sent[one]}
            results = [
                {**row, **read(_reply(stored[row["request_hash"]]))} if row["request_hash"] in other else row
                for row in results
            ]
        db.table("results").insert_all(
            ({"experiment_id": experiment, "recorded_at": moment, **row} for row in results), replace=True
        )
        self.mark(db, experiment, [row["narrative_id"] for row in results])
        return list(results)

    def lease(self, experiment: int, author: str | None = None) -> Lease:
        """Take the right to run an experiment; `release` it in the end, or use it in a `with`.

        Raises:
            LeaseError: where another run has it: who, since when, and what to do.
        """
        return Lease.take(self, experiment, author)

    def reopen(self, experiment: int, *, lease: Lease | None = None) -> None:
        """Take a finished experiment up again, since some of its narratives are asked anew."""
        with self.writing() as db:
            if lease is not None:
                lease.confirm(db, experiment)
            db.execute(sql("reopen"), {"experiment": experiment})

    def finish(self, experiment: int, *, lease: Lease | None = None) -> None:
        """Set the end time where nothing is pending."""
        with self.writing() as db:
            if lease is not None:
                lease.confirm(db, experiment)
            db.execute(sql("finish"), {"experiment": experiment, "now": now()})

    def mark(self, db: sqlite_utils.Database, experiment: int, narratives: Iterable[str]) -> None:
        """Within a transaction: hold results against the manual flags, and score their experiment."""
        labels.mark(self, db, experiment, narratives)

    # --- who answers --------------------------------------------------------------------------------------

    def form_of(self, provider: str, base_url: str, model_name: str) -> str | None:
        """How an endpoint is to be asked, as it was found out in an earlier run; None for a new one."""
        rows = self.read("form_of", provider=provider, base_url=base_url, model_name=model_name)
        return str(rows[0]["form"]) if rows else None

    def remember_form(self, provider: str, base_url: str, model_name: str, form: str) -> None:
        """Keep what was found out about an endpoint."""
        row = {"provider": provider, "base_url": base_url, "model_name": model_name, "form": form, "learnt_at": now()}
        with self.writing() as db:
            db.table("endpoints").insert(row, pk=("provider", "base_url", "model_name"), replace=True)

    def history(self, provider: str, model_name: str, reasoning_effort: str | None, *, most: int) -> Row:
        """What the latest replies of a model took, at most so many: their number, characters and tokens."""
        asked = {"provider": provider, "model_name": model_name, "reasoning_effort": reasoning_effort}
        return self.read("history", **asked, most=most)[0]

    def spending(self, experiment: int) -> Row:
        """What an experiment asked and paid for itself: replies, requests, tokens, USD."""
        return self.read("spending", experiment=experiment)[0]

    # --- what is known ------------------------------------------------------------------------------------

    def leaderboard(self) -> list[Row]:
        """Every experiment with the seed's columns, version, state, who answered and its counts."""
        return self.read("leaderboard")

    def experiment(self, experiment: int) -> Row:
        """One experiment's full record."""
        return self.read("record_of", experiment=experiment)[0]

    def verdicts(self, experiment: int) -> list[Row]:
        """Each narrative of an experiment with its result beside the manual flag."""
        return self.read("verdicts", experiment=experiment)

    def errors(self, experiment: int) -> list[Row]:
        """The narratives that an experiment flags otherwise than the coders, with their texts; the surest first."""
        return self.read("errors", experiment=experiment)

    def other_names(self, experiment: int) -> list[str]:
        """Other names under which the same prompt text was run."""
        return [row["name"] for row in self.read("same_prompt", experiment=experiment)]

    def same_texts(self, first: int, second: int) -> set[str]:
        """Ids of the narratives that two datasets share, text included."""
        return {row["narrative_id"] for row in self.read("same_texts", first=first, second=second)}

    def names(self) -> list[Row]:
        """Every experiment's id, name, version and fingerprint, the oldest first."""
        return self.read("names")

    def under_way(self) -> list[Row]:
        """The experiments that somebody runs at this moment: who, since when, and how far they are."""
        return self.read("under_way")

    def counts(self, experiment: int) -> Row:
        """An experiment's counts by outcome and by status."""
        return self.read("counts_of", experiment=experiment)[0]

    def find(self, name: str) -> int:
        """The id of an experiment by name (its latest version), `name@version`, id, alias or unique prefix.

        Raises:
            UnknownNameError: with the nearest name, with the candidates of a prefix that is not unique, or with both
                experiments where an alias is another one's name.
        """
        rows = self.read("names")
        exact = [row for row in rows if name in (row["name"], f"{row['name']}@{row['version']}")]
        exact = exact or [row for row in rows if name == str(row["id"])]
        alias = aliases.find(self, name, rows)
        if alias is not None:
            return alias
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
        known = [*(row["name"] for row in rows), *aliases.pinned(self)]
        raise UnknownNameError(f"no experiment is called {name!r}: {nearest(name, known)}")


def _as_json(states: States) -> str:
    return json.dumps(dict(states) if isinstance(states, Mapping) else dict.fromkeys(states))


def _reply(row: Row) -> Reply:
    return Reply(**{name: row[name] for name in Reply.__dataclass_fields__})
