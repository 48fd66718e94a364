"""One run under way: what is pending becomes questions, and what comes back results, recorded batch by batch.

Two passes: what is known already needs no call, and the engine asks the rest. Whatever ends a run, what was answered by
then is kept: in the hub, or beside it where another program keeps it locked.
"""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from exphub_magics import answers, engines, providers
from exphub_magics.errors import HubError, LockedError
from exphub_magics.experiments.bills import Bill
from exphub_magics.hub import Hub, Lease, Pending, Row, rounds, services, unrecorded
from exphub_magics.interrupts import check
from exphub_magics.progress import Progress
from exphub_magics.providers import forms
from exphub_magics.questions import Failure, Outcome, Question, Reply
from exphub_magics.specs import BUILTIN, Spec, endpoint

PATIENCE = 600.0  # seconds that another program may keep the hub locked
LOOK = 0.5  # seconds between two tries
ROOM_BYTES = 4_000  # kept free in the hub for each reply that is under way
STANDING = ("ok", "salvaged", "refused", "not_evaluable")
SAMPLED = 200  # questions that the estimate is made from


@dataclass(slots=True)
class Course:
    """One run under way."""

    hub: Hub
    spec: Spec
    experiment: int
    fingerprint: str
    total: int
    warnings: tuple[str, ...]
    lease: Lease | None = None
    statuses: Counter[str] = field(default_factory=Counter)
    positives: int = 0
    asked: int = 0
    recalled: int = 0
    earlier: dict[str, tuple[str, object]] = field(default_factory=dict)  # answers that are asked for anew
    fresh: set[str] = field(default_factory=set)  # hashes of the questions that this run has had answered
    failures: Counter[str] = field(default_factory=Counter)  # of this run, by class
    began: float = field(default_factory=time.monotonic)
    answerer: providers.Builtin | providers.Endpoint | None = None
    bill: Bill | None = None
    unkept: tuple[list[Row], list[Row]] = ([], [])  # the results and replies at hand, until they are recorded
    left: str | None = None  # what became of answers that the hub would not take
    again: rounds.Round | None = None  # whose results are asked for anew

    def progress(self, state: str = "running", reason: str | None = None) -> Progress:
        """Where the run stands; a sign of life for whoever else wants the experiment."""
        if self.lease is not None and state == "running":
            self.lease.beat()
        return Progress(
            self.experiment,
            self.spec.name,
            state,
            self.total,
            dict(+self.statuses),
            self.positives,
            self.asked,
            self.recalled,
            time.monotonic() - self.began,
            self.warnings,
            reason=reason or self.left or self._rest(state),
            failures=dict(self.failures),
            **(self.bill.shown() if self.bill else {}),
            **_load(self.answerer),
        )

    def _rest(self, state: str) -> str | None:
        """How to go on with answers asked anew; of a plain run its views know that."""
        if self.again is None or state != "stopped":
            return None
        return f"{self.total - sum(self.statuses.values()):,} are left; run it again {self.again.option} for these"

    @property
    def states(self) -> dict[str, str | None]:
        """The states of results that are asked anew, with the moment before which they count."""
        return {"failed": None, **(self.again.since if self.again else {})}

    def reserve(self) -> None:
        """Make sure that the replies to all that is under way can be kept."""
        if self.bill is None:
            return  # the builtin model's answers cost nothing
        under_way = self.spec.concurrency + engines.MOST
        self.hub.reserve(ROOM_BYTES * under_way, under_way)

    def known_form(self) -> forms.Form | None:
        """How the endpoint took its questions in an earlier run."""
        spec, url = self.spec, endpoint(self.spec).base_url or ""
        found = self.hub.form_of(spec.provider, url, spec.model)
        return None if found is None else forms.Form.of(found)

    def begin(self) -> None:
        """Count the results that stand; the failed ones, and those asked anew, count once they come anew."""
        counts = self.hub.counts(self.experiment)
        self.statuses.update({status: counts[status] for status in STANDING if counts[status]})
        self.positives = counts["positives"]
        if self.again is None:
            return
        anew = {one.narrative_id for one in self.hub.pending(self.experiment, self.again.since) if one.status}
        for row in self.hub.verdicts(self.experiment):
            if row["narrative_id"] in anew:
                self.earlier[row["narrative_id"]] = (row["status"], row["flag"])
                self.statuses[row["status"]] -= 1
                self.positives -= bool(row["flag"])

    def last(self) -> Progress:
        """Where the run ended: done, or stopped since there is no more money for it."""
        self.warnings = tuple(dict.fromkeys([*self.warnings, *services.drift(self.hub, self.experiment)]))
        if sum(self.statuses.values()) >= self.total or self.bill is None:
            return self.progress("done")
        return self.progress("stopped", self.bill.ended() + (f" {self.again.option}" if self.again else ""))

    def count(self, status: str, flag: object) -> None:
        """Count a result; one that is asked anew counts once it has come."""
        self.statuses[status] += 1
        self.positives += bool(flag)

    def keeps(self, narrative_id: str) -> bool:
        """Whether an earlier answer stands, since asking anew has failed."""
        if narrative_id not in self.earlier:
            return False
        self.count(*self.earlier.pop(narrative_id))
        return True

    def record(self, results: Sequence[Row], responses: Sequence[Row] = ()) -> None:
        """Store a batch."""
        if not results:
            return
        stored = self.hub.record(self.experiment, results, responses, read=said, lease=self.lease)
        self.fresh.update(row["question_hash"] for row in responses)
        for row in stored:
            self.count(row["status"], row["flag"])

    def keep(self) -> None:
        """Store the batch at hand, without waiting long for a lock."""
        with self.hub.briefly(LOOK):
            self.record(*self.unkept)
        self.unkept = ([], [])


def _load(answerer: providers.Builtin | providers.Endpoint | None) -> dict[str, Any]:
    """How an endpoint bears the calls, as a Progress says it."""
    if not isinstance(answerer, providers.Endpoint):
        return {}
    return {"retried": answerer.retried, "level": answerer.pace.level, "held": answerer.pace.held_seconds}


# --- answers known already --------------------------------------------------------------------------------


def memory(course: Course) -> Generator[Progress]:
    """Record what needs no call: narratives with nothing to evaluate, and questions answered before.

    A hub without any reply has nothing to recall, and what is not to be sent is recorded as the rest is asked.
    """
    if not course.hub.holds_replies():
        return
    for chunk in _chunks(course.hub.pending(course.experiment)):
        left = _record_known(course, chunk)
        course.recalled += sum(one.placeholder is None for one in chunk) - len(left)
        yield course.progress()


def _record_known(course: Course, chunk: Sequence[Pending]) -> list[Question]:
    """Record what of a chunk needs no call; the questions that are left."""
    idle = [
        _result(one.narrative_id, {"status": "not_evaluable", "error": one.placeholder})
        for one in chunk
        if one.placeholder is not None
    ]
    questions = {
        one.narrative_id: (course.spec.question(one.narrative_id, one.narrative, one.facts), one.status)
        for one in chunk
        if one.placeholder is None
    }
    known = course.hub.recall({question.question_hash for question, _ in questions.values()})
    recalled, left = [], []
    for narrative_id, (question, status) in questions.items():
        if question.question_hash not in known:
            left.append(question)
            continue
        request_hash, asking, reply = known[question.question_hash]
        row = _read(narrative_id, request_hash, reply)
        # What failed, or is asked anew, has a second chance; within one run a question is asked once.
        anew = status is not None or row["status"] == "failed"
        if anew and question.question_hash not in course.fresh:
            left.append(replace(question, asking=asking + 1))
        else:
            recalled.append(row)
    course.record(idle + recalled)
    return left


def _chunks(pending: Iterable[Pending], size: int = 500) -> Iterator[list[Pending]]:
    chunk: list[Pending] = []
    for one in pending:
        chunk.append(one)
        if len(chunk) == size:
            check()
            yield chunk
            chunk = []
    if chunk:
        yield chunk


# --- answers to be asked for ------------------------------------------------------------------------------


def ask(course: Course) -> Generator[Progress]:
    """Ask the rest, and record what comes back batch by batch."""
    waiting: dict[str, list[str]] = {}
    questions = _questions(course, waiting)
    sampled = list(itertools.islice(questions, SAMPLED))
    if not sampled:
        return
    known = course.known_form()
    course.answerer = answerer = providers.answerer(course.spec, form=known)
    if course.spec.provider != BUILTIN:
        calls = course.hub.left_to_ask(course.experiment, course.states)
        course.bill = Bill.of(course.hub, course.spec, course.experiment, sampled, calls=calls)
        yield course.progress()
    course.hub.reopen(course.experiment, lease=course.lease)
    stream = engines.local(
        answerer.ask,
        itertools.chain(sampled, questions),
        concurrency=course.spec.concurrency,
        room=course.bill.budget.room if course.bill else None,
        close=answerer.close,
    )
    try:
        course.reserve()  # before anything is paid for
        for batch in stream:
            course.unkept = _rows(course, batch, waiting)
            yield from _kept(course)
            known = _remember(course, known)
            course.reserve()
            yield course.progress()
    except BaseException:
        for batch in _rest(stream):
            results, replies = _rows(course, batch, waiting)
            course.unkept = ([*course.unkept[0], *results], [*course.unkept[1], *replies])
        _save(course)
        raise
    finally:
        stream.close()


def _kept(course: Course) -> Generator[Progress]:
    """Record a batch; while another program keeps the hub locked, say so and try again."""
    began = time.monotonic()
    while course.unkept[0]:
        try:
            course.keep()
        except LockedError:
            if time.monotonic() - began > PATIENCE:
                raise
            yield replace(course.progress(), waiting="another program keeps the hub locked: close it there")


def _rest(stream: Generator[list[Outcome]]) -> Iterator[list[Outcome]]:
    """What the engine had finished when its consumer was to end; what is under way is given up."""
    try:
        yield stream.throw(KeyboardInterrupt())
        yield from stream
    except KeyboardInterrupt:
        return


def _save(course: Course) -> None:
    """Record what is at hand as a run ends; what the hub will not take is left beside it."""
    try:
        course.keep()
    except HubError:
        course.left = unrecorded.leave(course.hub, course.fingerprint, *course.unkept)


def _remember(course: Course, known: forms.Form | None) -> forms.Form | None:
    """Keep what was found out about an endpoint, once it has answered; what the hub knows then."""
    answerer = course.answerer
    if not isinstance(answerer, providers.Endpoint) or not answerer.settled or answerer.form == known:
        return known
    spec, url = course.spec, endpoint(course.spec).base_url or ""
    course.hub.remember_form(spec.provider, url, spec.model, answerer.form.as_json())
    return answerer.form


def _questions(course: Course, waiting: dict[str, list[str]]) -> Iterator[Question]:
    """The questions to ask, each once: narratives that are the same question wait for one reply together."""
    for chunk in _chunks(course.hub.pending(course.experiment, course.states)):
        for question in _record_known(course, chunk):
            if question.question_hash in course.fresh:  # since the chunk was looked up
                request_hash, _, reply = course.hub.recall([question.question_hash])[question.question_hash]
                course.record([_read(question.narrative_id, request_hash, reply)])
                continue
            if question.request_hash in waiting:
                waiting[question.request_hash].append(question.narrative_id)
                continue
            waiting[question.request_hash] = [question.narrative_id]
            yield question


def _rows(course: Course, batch: Sequence[Outcome], waiting: dict[str, list[str]]) -> tuple[list[Row], list[Row]]:
    """What a batch says: its results and its replies."""
    results, responses = [], []
    for question, outcome in batch:
        asked_for = waiting.pop(question.request_hash, [])
        if not asked_for:
            continue  # an interrupt had the engine hand it over twice
        course.asked += 1
        if isinstance(outcome, Failure):
            failed = {"status": "failed", "error": outcome.error, "attempts": outcome.attempts}
            course.failures[outcome.error.partition(":")[0]] += len(asked_for)
            results += [_result(one, failed) for one in asked_for if not course.keeps(one)]
            continue
        responses.append(_response(question, outcome, course.bill.add(outcome) if course.bill else None))
        results += [_read(one, question.request_hash, outcome, outcome.attempts) for one in asked_for]
    return results, responses


def _response(question: Question, reply: Reply, cost: float | None) -> Row:
    return {
        "request_hash": question.request_hash,
        "question_hash": question.question_hash,
        "asking": question.asking,
        **{name: getattr(reply, name) for name in Reply.__dataclass_fields__},
        "cost": cost,
    }


def _read(narrative_id: str, request_hash: str, reply: Reply, attempts: int | None = None) -> Row:
    """A reply read into a result."""
    return _result(narrative_id, {**said(reply), "request_hash": request_hash, "attempts": attempts})


def said(reply: Reply) -> Row:
    """What a reply says, as the columns of a result."""
    answer = answers.parse(reply.body, refusal=reply.refusal, finish_reason=reply.finish_reason)
    return {
        "status": answer.status,
        "flag": answer.flag,
        "rational": answer.rational,
        "reasoning_steps": json.dumps(answer.reasoning_steps, ensure_ascii=False),
        "confidence": answer.confidence,
        "p_true": None if answer.flag is None else reply.p_true,
        "error": answer.error,
        "reader": answers.READER,
    }


_EMPTY: Row = dict.fromkeys(
    ("rational", "flag", "reasoning_steps", "confidence", "p_true", "request_hash", "error", "attempts", "reader")
)


def _result(narrative_id: str, said: Row) -> Row:
    return {"narrative_id": narrative_id, **_EMPTY, **said}
