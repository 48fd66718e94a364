"""One run under way: what is pending becomes questions, and what comes back results, recorded batch by batch.

Two passes: what is known already needs no call, and the engine asks the rest. An interrupt comes before or after
a batch is recorded, never between.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from exphub_magics import answers, engines, providers
from exphub_magics.hub import Hub, Pending, Row
from exphub_magics.interrupts import uninterrupted
from exphub_magics.progress import Progress
from exphub_magics.questions import Failure, Outcome, Question, Reply
from exphub_magics.specs import Spec


@dataclass(slots=True)
class Course:
    """One run under way."""

    hub: Hub
    spec: Spec
    experiment: int
    total: int
    warnings: tuple[str, ...]
    statuses: Counter[str] = field(default_factory=Counter)
    positives: int = 0
    asked: int = 0
    recalled: int = 0
    earlier: dict[str, tuple[str, object]] = field(default_factory=dict)  # answers that are asked for anew
    fresh: set[str] = field(default_factory=set)  # hashes of the questions that this run has had answered
    began: float = field(default_factory=time.monotonic)

    def progress(self, state: str) -> Progress:
        """Where the run stands."""
        return Progress(
            self.experiment,
            self.spec.name,
            state,
            self.total,
            dict(self.statuses),
            self.positives,
            self.asked,
            self.recalled,
            time.monotonic() - self.began,
            self.warnings,
        )

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
        """Store a batch so that an interrupt comes before or after it, never between."""
        if not results:
            return
        with uninterrupted():
            for row in self.hub.record(self.experiment, results, responses, read=said):
                self.count(row["status"], row["flag"])


# --- answers known already --------------------------------------------------------------------------------


def memory(course: Course) -> Generator[Progress]:
    """Record what needs no call: narratives with nothing to evaluate, and questions answered before."""
    for chunk in _chunks(course.hub.pending(course.experiment)):
        left = _record_known(course, chunk)
        course.recalled += sum(one.placeholder is None for one in chunk) - len(left)
        yield course.progress("running")


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
            yield chunk
            chunk = []
    if chunk:
        yield chunk


# --- answers to be asked for ------------------------------------------------------------------------------


def ask(course: Course, again: Sequence[str]) -> Generator[Progress]:
    """Ask the rest, and record what comes back batch by batch."""
    waiting: dict[str, list[str]] = {}
    questions = _questions(course, ("failed", *again), waiting)
    first = next(questions, None)
    if first is None:
        return
    answerer = providers.answerer(course.spec)
    course.hub.reopen(course.experiment)
    stream = engines.local(
        answerer.ask, _chain(first, questions), concurrency=course.spec.concurrency, close=answerer.close
    )
    try:
        for batch in stream:
            _record_batch(course, batch, waiting)
            yield course.progress("running")
    except KeyboardInterrupt as interrupt:
        for batch in _rest(stream, interrupt):
            _record_batch(course, batch, waiting)
        raise
    finally:
        stream.close()


def _rest(stream: Generator[list[Outcome]], interrupt: KeyboardInterrupt) -> Iterator[list[Outcome]]:
    """What the engine had finished when the interrupt came to its consumer."""
    try:
        yield stream.throw(interrupt)
        yield from stream
    except KeyboardInterrupt:
        return


def _chain(first: Question, rest: Iterator[Question]) -> Iterator[Question]:
    yield first
    yield from rest


def _questions(course: Course, states: Sequence[str], waiting: dict[str, list[str]]) -> Iterator[Question]:
    """The questions to ask, each once: narratives that are the same question wait for one reply together."""
    for chunk in _chunks(course.hub.pending(course.experiment, states)):
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


def _record_batch(course: Course, batch: Sequence[Outcome], waiting: dict[str, list[str]]) -> None:
    results, responses = [], []
    for question, outcome in batch:
        asked_for = waiting.pop(question.request_hash)
        course.asked += 1
        if isinstance(outcome, Failure):
            failed = {"status": "failed", "error": outcome.error, "attempts": outcome.attempts}
            results += [_result(one, failed) for one in asked_for if not course.keeps(one)]
            continue
        responses.append(_response(question, outcome))
        results += [_read(one, question.request_hash, outcome, outcome.attempts) for one in asked_for]
    course.record(results, responses)
    course.fresh.update(row["question_hash"] for row in responses)


def _response(question: Question, reply: Reply) -> Row:
    return {
        "request_hash": question.request_hash,
        "question_hash": question.question_hash,
        "asking": question.asking,
        **{name: getattr(reply, name) for name in Reply.__dataclass_fields__},
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
