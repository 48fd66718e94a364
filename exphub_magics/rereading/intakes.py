"""Delivered replies on their way into an experiment: each becomes a narrative's result, or is counted by why not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

from exphub_magics.errors import DatasetError
from exphub_magics.experiments import courses
from exphub_magics.hub import Hub, Row, readings
from exphub_magics.hub.leases import Lease
from exphub_magics.questions import Question, Reply
from exphub_magics.rereading.deliveries import Delivery
from exphub_magics.rereading.moves import Move, State
from exphub_magics.specs import Spec

OPEN = (None, "failed")  # states of a narrative that takes a delivered reply


@dataclass(slots=True)
class Intake:
    """A delivery on its way into an experiment."""

    hub: Hub
    experiment: int
    spec: Spec
    delivery: Delivery
    counts: Counter[str] = field(default_factory=Counter)
    moves: list[Move] = field(default_factory=list)
    fresh: dict[str, tuple[str, str]] = field(default_factory=dict)  # by question: its request hash and whose reply

    def counted(self) -> dict[str, int]:
        """Where each row of the file went."""
        ways = ("taken", "known", "answered already", "not evaluable", "unknown")
        return {"rows": self.delivery.rows, **{way: self.counts[way] for way in ways}, **self.delivery.left_out}

    def take(self, ids: Sequence[str], *, lease: Lease | None) -> None:
        """Take the replies of these ids where their narratives are open; with a lease, store them, in one go."""
        there = readings.delivered(self.hub, self.experiment, ids)
        if not self.counts:  # before anything is stored
            self._refuse_narratives(there.values())
        open_ = {one: there[one] for one in ids if self._is_open(there.get(one))}
        questions = {
            one: self.spec.question(one, row["narrative_text"], json.loads(row["facts"])) for one, row in open_.items()
        }
        stored = self.hub.recall({question.question_hash for question in questions.values()})
        results, responses = [], []
        for one, question in questions.items():
            status = open_[one]["status"]
            asked, request_hash, reply = self._asked(question, status, stored.get(question.question_hash))
            if asked is not None:
                responses.append(_response(asked, reply))
            result = {"narrative_id": one, **courses.said(reply), "request_hash": request_hash, "attempts": None}
            if question.question_hash in self.fresh or result["status"] != status:
                results.append(result)
        if lease is not None:
            lease.beat()
        if lease is not None and results:
            results = self.hub.record(self.experiment, results, responses, read=courses.said, lease=lease)
        self.moves += [
            Move(row["narrative_id"], State.of(open_[row["narrative_id"]]), State.of(row)) for row in results
        ]

    def _is_open(self, row: Row | None) -> bool:
        """Whether a narrative takes a reply; counted if it does not."""
        if row is None:
            self.counts["unknown"] += 1
        elif row["placeholder"] is not None:
            self.counts["not evaluable"] += 1
        elif row["status"] not in OPEN:
            self.counts["answered already"] += 1
        else:
            return True
        return False

    def _asked(
        self, question: Question, status: str | None, stored: tuple[str, int, Reply] | None
    ) -> tuple[Question | None, str, Reply]:
        """The question that is stored with its reply, None where the hub has one that counts; its hash, the reply."""
        delivered = self.delivery.reply(question.narrative_id)
        if question.question_hash in self.fresh:
            self.counts["known"] += 1
            request_hash, whose = self.fresh[question.question_hash]
            return None, request_hash, self.delivery.reply(whose)
        if stored is not None:
            request_hash, asking, reply = stored
            if _counts(reply, status) or (reply.body, reply.refusal) == (delivered.body, delivered.refusal):
                self.counts["known"] += 1
                return None, request_hash, reply
            question = replace(question, asking=asking + 1)
        self.counts["taken"] += 1
        self.fresh[question.question_hash] = (question.request_hash, question.narrative_id)
        return question, question.request_hash, delivered

    def _refuse_narratives(self, rows: Iterable[Row]) -> None:
        """Refuse a column that repeats the narratives: it holds what was asked, not what was answered."""
        delivery = self.delivery
        same = [delivery.reply(row["narrative_id"]).body.strip() == row["narrative_text"].strip() for row in rows]
        if same and all(same):
            raise DatasetError(f"{delivery.name}: column {delivery.column!r} holds the narratives and no replies")


def _counts(reply: Reply, status: str | None) -> bool:
    """Whether a reply that the hub has serves a narrative; as in a run, one that failed has a second chance."""
    return status is None and courses.said(reply)["status"] != "failed"


def _response(question: Question, reply: Reply) -> Row:
    asked = {"request_hash": question.request_hash, "question_hash": question.question_hash, "asking": question.asking}
    return {**asked, **asdict(reply)}
