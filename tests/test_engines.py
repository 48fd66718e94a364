import asyncio
import subprocess
import sys
import threading
import time

import pytest

from exphub_magics import engines
from exphub_magics.errors import EndpointError
from exphub_magics.questions import Failure, Question, Reply


def questions(n):
    return [Question(str(number), (), str(number)) for number in range(n)]


async def echo(question):
    await asyncio.sleep(0)
    return Reply(question.narrative_id)


@pytest.mark.parametrize("n", [0, 1, 7, 1500])
def test_every_question_has_one_outcome(n):
    outcomes = [pair for batch in engines.local(echo, questions(n), concurrency=8) for pair in batch]
    assert sorted(int(question.narrative_id) for question, _ in outcomes) == list(range(n))
    assert all(reply.body == question.narrative_id for question, reply in outcomes)


def test_no_more_are_in_flight_than_wanted():
    now, most = 0, 0

    async def ask(question):
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.002)
        now -= 1
        return Reply(question.narrative_id)

    assert sum(map(len, engines.local(ask, questions(60), concurrency=5))) == 60
    assert most == 5


def test_questions_are_taken_as_there_is_room_and_not_all_at_once():
    taken = 0

    def feed():
        nonlocal taken
        for question in questions(5000):
            taken += 1
            yield question

    stream = engines.local(echo, feed(), concurrency=4)
    next(stream)
    assert taken <= 4 + engines.MOST
    stream.close()


def test_an_error_that_ends_a_run_comes_after_what_had_finished():
    async def ask(question):
        if question.narrative_id == "3":
            await asyncio.sleep(0.2)
            raise EndpointError("no key")
        return Reply(question.narrative_id)

    seen = []
    with pytest.raises(EndpointError):
        for batch in engines.local(ask, questions(6), concurrency=6):
            seen += [question.narrative_id for question, _ in batch]
    assert sorted(seen) == ["0", "1", "2", "4", "5"]


@pytest.mark.parametrize("error", [KeyError("He hit her"), ValueError("He hit her"), RecursionError("He hit her")])
def test_any_other_error_is_the_failure_of_its_question_alone(error):
    async def ask(question):
        if question.narrative_id == "1":
            raise error
        return await echo(question)

    outcomes = {q.narrative_id: said for batch in engines.local(ask, questions(4), concurrency=2) for q, said in batch}
    failure = Failure(f"internal error: {type(error).__name__}")
    assert outcomes == {"0": Reply("0"), "1": failure, "2": Reply("2"), "3": Reply("3")}


def test_stopping_cancels_what_is_in_flight_and_leaves_no_thread():
    cancelled = []

    async def ask(question):
        try:
            if question.narrative_id != "0":
                await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(question.narrative_id)
            raise
        return Reply(question.narrative_id)

    stream = engines.local(ask, questions(4), concurrency=4)
    assert [question.narrative_id for question, _ in next(stream)] == ["0"]
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 5
    assert sorted(cancelled) == ["1", "2", "3"]
    assert not [thread for thread in threading.enumerate() if thread.name == "exphub-engine"]


def test_an_interrupt_hands_out_what_had_finished_and_then_goes_on():
    async def ask(question):
        await asyncio.sleep(0 if int(question.narrative_id) < 3 else 60)
        return Failure(question.narrative_id)

    stream = engines.local(ask, questions(6), concurrency=6)
    first = next(stream)
    rest = []
    with pytest.raises(KeyboardInterrupt):
        rest = stream.throw(KeyboardInterrupt())
        next(stream)
    assert len(first) + len(rest) == 3


def test_what_is_to_be_closed_is_closed_in_the_loop():
    closed = []

    async def close():
        closed.append(threading.current_thread().name)

    assert sum(map(len, engines.local(echo, questions(2), concurrency=1, close=close))) == 2
    assert closed == ["exphub-engine"]


def test_an_interrupt_while_waiting_leaves_no_task_behind():
    script = (
        "import asyncio, os, signal, threading\n"
        "from exphub_magics import engines\n"
        "from exphub_magics.questions import Question\n"
        "async def ask(question): await asyncio.sleep(60)\n"
        "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n"
        "    list(engines.local(ask, [Question('1', (), '1')], concurrency=1))\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped')\n"
    )
    done = subprocess.run([sys.executable, "-X", "dev", "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("stopped\n", "")


def test_an_empty_batch_comes_while_nothing_finishes(monkeypatch):
    monkeypatch.setattr(engines, "TICK_SECONDS", 0.02)

    async def slow(question):
        await asyncio.sleep(0.2)
        return await echo(question)

    batches = list(engines.local(slow, questions(2), concurrency=2))
    assert [] in batches
    assert sum(map(len, batches)) == 2


def test_no_more_is_sent_than_there_is_room_for():
    left = 7

    def room(under_way):
        return left - under_way

    done = 0
    for batch in engines.local(echo, questions(50), concurrency=4, room=room):
        left -= len(batch)
        done += len(batch)
    assert done == 7


def test_room_that_comes_back_is_used():
    done = 0

    def room(under_way):
        return (2 if done < 20 else 0) - under_way

    for batch in engines.local(echo, questions(50), concurrency=4, room=room):
        done += len(batch)
    assert done >= 20
