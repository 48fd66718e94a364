import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from exphub_magics import interrupts
from exphub_magics.interrupts import Held, check, steps


def press(times=1):
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_within_the_block_is_heard_and_raises_nothing():
    before = signal.getsignal(signal.SIGINT)
    with Held() as held:
        assert not held.heard
        press(3)
    assert held.heard == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_within_the_block_leaves_interrupts_as_they_were():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="x"), Held():
        raise ValueError("x")
    assert signal.getsignal(signal.SIGINT) is before


def test_of_blocks_in_one_another_the_outer_one_hears():
    with Held() as outer:
        with Held() as inner:
            press()
        press()
    assert (outer.heard, inner.heard) == (2, 0)


def test_who_waits_within_a_block_is_interrupted_once():
    with Held():
        check()
        press(2)
        with pytest.raises(KeyboardInterrupt):
            check()
        press()
        check()


def test_a_block_that_hangs_can_be_broken_off(monkeypatch):
    monkeypatch.setattr(interrupts, "MOST_SECONDS", 0.005)
    with Held():
        press()
        time.sleep(0.01)
        with pytest.raises(KeyboardInterrupt):
            press()


def test_a_thread_of_its_own_holds_nothing():
    seen = []

    def work():
        with Held() as held:
            check()
            seen.append((held.heard, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(0, signal.getsignal(signal.SIGINT))]


def record(log, stops=1):
    """A generator that writes down what it has been through; each step is interrupted `stops` times at its heart."""
    try:
        for n in range(5):
            log.append(f"{n} begins")
            press(stops if n == 2 else 0)
            log.append(f"{n} ends")
            yield n
    except KeyboardInterrupt:
        log.append("clearing up")
        press(stops)
        check()
        yield "stopped"
        raise
    finally:
        press(stops)
        log.append("closed")


@pytest.mark.parametrize("stops", [1, 4])
def test_a_step_is_whole_whenever_the_interrupt_comes(stops):
    log, seen = [], []
    with pytest.raises(KeyboardInterrupt):
        seen.extend(steps(record(log, stops)))
    assert seen == [0, 1, "stopped"]
    assert log[-3:] == ["2 ends", "clearing up", "closed"]


def test_an_interrupt_in_the_code_between_the_steps_stops_them_too():
    log, stream = [], None
    stream = steps(record(log, 0))
    assert (next(stream), next(stream)) == (0, 1)
    assert stream.throw(KeyboardInterrupt()) == "stopped"
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    assert log[-1] == "closed"


def test_steps_that_are_not_wanted_any_more_are_closed_whole():
    log = []
    stream = steps(record(log, 0))
    next(stream)
    stream.close()
    assert log == ["0 begins", "0 ends", "closed"]


def test_an_error_ends_the_steps_as_it_is():
    def failing():
        yield 1
        raise ValueError("x")

    stream = steps(failing())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="x"):
        next(stream)


def test_a_stop_in_the_last_step_is_not_forgotten():
    def last():
        yield 1
        press()

    with pytest.raises(KeyboardInterrupt):
        list(steps(last()))


def test_a_hail_of_interrupts_never_cuts_a_step_in_two():
    """A process that steps, and one that presses ■ as fast as it can: what was begun has ended."""
    program = (
        "import time\n"
        "from exphub_magics.interrupts import steps\n"
        "begun, ended = [], []\n"
        "def work():\n"
        "    try:\n"
        "        for n in range(10_000):\n"
        "            begun.append(n); time.sleep(.003); ended.append(n)\n"
        "            yield n\n"
        "    except KeyboardInterrupt:\n"
        "        begun.append('stop'); time.sleep(.05); ended.append('stop')\n"
        "        yield 'stopped'\n"
        "        raise\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    for step in steps(work()): pass\n"
        "except KeyboardInterrupt:\n"
        "    print(begun == ended, step, flush=True)\n"
        "    import os; os._exit(0)\n"
    )
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.02)
            for _ in range(40):
                process.send_signal(signal.SIGINT)
                time.sleep(0.001)
            assert process.stdout.readline() == "True stopped\n"
