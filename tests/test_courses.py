import os
import signal
import sqlite3
import threading
from collections import Counter

import pandas as pd
import pytest

from endpoint import answer, completion
from exphub_magics import experiments, prompts, specs
from exphub_magics.experiments import courses
from exphub_magics.experiments.courses import Progress

PROMPT = prompts.parse("Was the decedent hurt or threatened by a partner?")


def job(frame, endpoint=None, **more):
    served = {"provider": "scripted", "model_name": "m", "base_url": endpoint.url} if endpoint else {}
    (one,) = experiments.prepare(
        [specs.complete(specs.Spec(name="first", prompt=PROMPT, data=frame, **served, **more))]
    )
    return one


def go(hub, frame, endpoint=None, *, again=(), **more):
    return list(experiments.run(hub, job(frame, endpoint, **more), again=again))


def said(body):
    return completion(answer(any(word in body["messages"][-1]["content"] for word in ("hit", "shoved", "threatened"))))


def held(hub, experiment=1):
    """What the hub holds, counted: statuses, and how many are flagged."""
    verdicts = hub.verdicts(experiment)
    return Counter(row["status"] for row in verdicts if row["status"]), sum(row["flag"] or 0 for row in verdicts)


def texts(*narratives):
    return pd.DataFrame({"narrative_id": [f"n{n}" for n in range(len(narratives))], "narrative": narratives})


# --- counting ---------------------------------------------------------------------------------------------


def check(hub, progress):
    statuses, positives = held(hub)
    assert +Counter(progress.statuses) == statuses
    assert (progress.positives, progress.finished) == (positives, sum(statuses.values()))


def test_each_progress_counts_what_the_hub_holds_then(hub, demo, scripted):
    endpoint = scripted(said)
    stream = experiments.run(hub, job(demo, endpoint, concurrency=2))
    seen = 0
    for progress in stream:
        check(hub, progress)
        assert seen <= progress.finished <= progress.total == 10
        seen = progress.finished
    assert (progress.state, seen, progress.asked) == ("done", 10, 9)


def test_a_narrative_that_failed_is_counted_once_however_often_it_is_asked(hub, demo, scripted):
    broken = ["heart", "threatened", "shoved"]

    def script(body):
        text = body["messages"][-1]["content"]
        return (400, {"error": {"message": "no"}}) if any(word in text for word in broken) else said(body)

    endpoint = scripted(script)
    first = go(hub, demo, endpoint)[-1]
    assert (first.statuses["failed"], first.positives) == (3, 1)
    for mended in (1, 2):
        broken = broken[:-1]
        course = go(hub, demo, endpoint)
        finished = [progress.finished for progress in course]
        assert (finished[0], finished[-1]) == (10 - (4 - mended), 10)
        assert finished == sorted(finished)
        check(hub, course[-1])
        assert (course[-1].statuses.get("failed", 0), course[-1].asked, course[-1].positives) == (
            3 - mended,
            4 - mended,
            1 + mended,
        )


def test_an_answer_asked_anew_takes_the_place_of_the_one_before(hub, demo, scripted):
    endpoint = scripted(lambda _body: completion(f"```json\n{answer(True)}\n```"))
    first = go(hub, demo, endpoint)[-1]
    assert (first.statuses["salvaged"], first.positives) == (9, 9)
    endpoint.script = lambda _body: completion(answer(False))
    started, *_, last = experiments.run(hub, job(demo, endpoint), again=["salvaged"])
    assert (started.finished, started.positives) == (1, 0)
    check(hub, last)
    assert (last.statuses, last.positives) == ({"ok": 9, "not_evaluable": 1}, 0)


@pytest.mark.parametrize(
    ("asked", "seconds", "rate", "remaining"),
    [(0, 5.0, None, None), (4, 0.0, None, None), (4, 2.0, 2.0, 3.0)],
)
def test_time_is_foretold_from_what_was_asked(asked, seconds, rate, remaining):
    progress = Progress(1, "first", "running", 10, {"ok": 3, "failed": 1}, 0, asked, 0, seconds)
    assert (progress.rate, progress.remaining_seconds) == (rate, remaining)


# --- questions that are the same --------------------------------------------------------------------------


def test_one_reply_in_a_batch_serves_every_narrative_that_waits_for_it(hub, scripted):
    endpoint = scripted(said)
    last = go(hub, texts("V was hit.", "V slept.", "V was hit.", "V was hit.", "V slept."), endpoint)[-1]
    assert sorted(endpoint.narratives()) == ["V slept.", "V was hit."]
    assert (last.asked, last.recalled, last.finished, last.positives) == (2, 0, 5, 3)
    with sqlite3.connect("hub.db") as db:
        shared = db.execute("SELECT count(*), count(DISTINCT request_hash) FROM results").fetchone()
        kept = db.execute("SELECT count(*) FROM responses").fetchone()
    db.close()
    assert (shared, kept) == ((5, 2), (2,))


def test_one_failure_is_the_failure_of_every_narrative_that_waits_for_it(hub, scripted):
    endpoint = scripted(lambda _body: (400, {"error": {"message": "no"}}))
    frame = texts("V was hit.", "V was hit.", "V was hit.")
    last = go(hub, frame, endpoint)[-1]
    assert (last.asked, last.statuses) == (1, {"failed": 3})
    endpoint.script = said
    last = go(hub, frame, endpoint)[-1]
    assert (last.asked, last.finished, +Counter(last.statuses), last.positives) == (1, 3, {"ok": 3}, 3)


@pytest.mark.parametrize("apart", [300, 600, 1100])
def test_a_question_is_asked_once_however_far_apart_its_narratives_stand(hub, apart):
    stream = experiments.run(hub, job(texts(*(f"V was seen on day {n % apart}." for n in range(apart + 200)))))
    for progress in stream:
        check(hub, progress)
    assert (progress.asked, progress.finished) == (apart, apart + 200)
    assert progress.recalled == 0, "nothing was answered before this run"


@pytest.mark.parametrize("apart", [600, 1100])
def test_a_question_asked_anew_is_asked_once_too(hub, apart):
    frame = texts(*(f"V was seen on day {n % apart}." for n in range(apart + 100)))
    go(hub, frame)
    last = go(hub, frame, again=["ok"])[-1]
    assert (last.asked, last.recalled, last.statuses) == (apart, 0, {"ok": apart + 100})


def test_a_question_that_another_experiment_has_answered_is_recalled_for_each_narrative(hub, scripted):
    endpoint = scripted(said)
    go(hub, texts("V was hit."), endpoint)
    last = go(hub, texts("V slept.", "V was hit.", "V was hit."), endpoint)[-1]
    assert (last.asked, last.recalled, last.positives) == (1, 2, 2)


def test_what_has_nothing_to_evaluate_is_told_why_and_never_asked(hub, demo, scripted):
    endpoint = scripted(said)
    go(hub, demo, endpoint)
    (idle,) = [row for row in hub.verdicts(1) if row["status"] == "not_evaluable"]
    assert (idle["narrative_id"], idle["flag"], bool(idle["error"])) == ("3-LE", None, True)
    assert "Need LE report" not in endpoint.narratives()


def test_a_reply_is_kept_with_what_its_result_was_read_from(hub, scripted):
    go(hub, texts("V was hit."), scripted(said))
    with sqlite3.connect("hub.db") as db:
        db.row_factory = sqlite3.Row
        (row,) = db.execute("SELECT * FROM results JOIN responses USING (request_hash)").fetchall()
    db.close()
    assert (row["rational"], row["reasoning_steps"], row["confidence"]) == ("as the text says", '["read"]', 0.9)
    assert row["body"] == answer(True)
    assert (row["attempts"], row["reader"]) == (1, courses.answers.READER)


def test_the_summary_columns_are_right_at_every_moment_of_a_run(hub, demo, scripted):
    for progress in experiments.run(hub, job(demo, scripted(said), concurrency=1)):
        assert hub.experiment(1)["positives"] == progress.positives


# --- interrupts -------------------------------------------------------------------------------------------


def test_a_thread_of_its_own_gets_no_interrupt_and_may_record(hub, demo):
    from exphub_magics.hub import Hub  # noqa: PLC0415 - this test alone

    done = []

    def work():
        with Hub.open("own.db") as own:
            done.append(go(own, demo)[-1])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert (done[0].state, done[0].finished) == ("done", 10)


def test_an_interrupt_while_a_batch_is_written_loses_nothing_of_it(hub, demo, scripted):
    endpoint = scripted(said)
    stream = experiments.run(hub, job(demo, endpoint, concurrency=1))
    record, interrupted = hub.record, []

    def record_and_interrupt(experiment, results, responses=(), **more):
        stored = record(experiment, results, responses, **more)
        if responses and not interrupted:
            interrupted.append(len(responses))
            os.kill(os.getpid(), signal.SIGINT)
        return stored

    hub.record = record_and_interrupt
    seen = []
    with pytest.raises(KeyboardInterrupt):
        for progress in stream:
            seen.append(progress)
            check(hub, progress)
    assert seen[-1].state == "stopped"
    assert interrupted[0] <= seen[-1].asked
    hub.record = record
    assert go(hub, demo, endpoint)[-1].finished == 10
    assert len(endpoint.requests) <= 10


# --- endpoints --------------------------------------------------------------------------------------------


def test_what_an_endpoint_takes_is_found_out_once_and_remembered(hub, demo, scripted):
    def plain_only(body):
        if "response_format" in body or "logprobs" in body:
            return 400, {"error": {"message": "response_format and logprobs are not supported here"}}
        return said(body)

    endpoint = scripted(plain_only)
    go(hub, demo, endpoint, concurrency=1)
    rejected = len(endpoint.requests) - 9
    assert 0 < rejected <= 3
    endpoint.requests.clear()
    go(hub, demo, endpoint, concurrency=1, temperature=0.5)
    assert len(endpoint.requests) == 9


def test_progress_tells_why_calls_fail_and_how_many_were_asked_again(hub, demo, scripted, monkeypatch):
    monkeypatch.setattr(courses.providers, "FIRST_PAUSE_SECONDS", 0.001)
    count = iter(range(1000))

    def now_and_then(body):
        if "coworker" in body["messages"][-1]["content"]:
            return 400, {"error": {"message": "this text is not taken"}}
        return (500, {}) if next(count) % 3 == 0 else said(body)

    last = go(hub, demo, scripted(now_and_then), concurrency=1)[-1]
    assert last.failures == {"400": 1}
    assert last.retried > 0
    assert last.level == 1
