import asyncio
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exphub_magics.providers.pacing import NOTICEABLE_SECONDS, WINDOW, Pace


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def answers(pace, clock, seconds, number=WINDOW):
    """That many answers, each after so many seconds."""
    for _ in range(number):
        began = clock.now
        clock.now += seconds
        pace.answered(began)


# --- the level --------------------------------------------------------------------------------------------


def test_it_begins_wide_open_and_halves_once_a_round_trip(clock):
    pace = Pace(64, clock=clock)
    assert pace.level == 64
    out = [clock.now] * 64
    clock.now += 1
    for began in out:
        pace.congested(began)
    assert pace.level == 32
    clock.now += 1
    began = clock.now
    clock.now += 1
    pace.congested(began)
    assert pace.level == 16


def test_it_never_closes(clock):
    pace = Pace(5, clock=clock)
    for _ in range(20):
        clock.now += 1
        pace.congested(clock.now)
    assert pace.level == 1


def test_answers_open_it_again_up_to_the_most(clock):
    pace = Pace(64, clock=clock)
    for _ in range(10):
        clock.now += 1
        pace.congested(clock.now)
    levels = []
    for _ in range(16):
        answers(pace, clock, 0.01, pace.level)
        levels.append(pace.level)
    assert levels == sorted(levels)
    assert levels[0] <= 5
    answers(pace, clock, 0.01, 200)
    assert pace.level == 64


def test_what_began_before_a_lowering_neither_raises_nor_lowers(clock):
    pace = Pace(64, clock=clock)
    before = clock.now
    clock.now += 1
    pace.congested(before)
    level = pace.level
    for _ in range(100):
        pace.answered(before)
        pace.congested(before)
    assert pace.level == level


def test_a_call_in_a_hundred_turned_away_does_not_keep_it_shut(clock):
    pace, dice = Pace(64, clock=clock), random.Random(1)
    levels = []
    for _ in range(300):
        out = [clock.now + number / 1000 for number in range(pace.level)]
        clock.now += 1
        for began in out:
            if dice.random() < 0.01:
                pace.congested(began)
            else:
                pace.answered(began)
        levels.append(pace.level)
    assert sum(levels) / len(levels) > 20


# --- latency ----------------------------------------------------------------------------------------------


def test_answers_four_times_as_slow_as_the_quickest_lower_it_and_quick_ones_raise_it(clock):
    pace = Pace(16, clock=clock)
    answers(pace, clock, 1.0)
    answers(pace, clock, 3.9)
    assert pace.level == 16
    answers(pace, clock, 4.5)
    assert pace.level == 8
    answers(pace, clock, 1.0, 100)
    assert pace.level == 16


def test_answers_near_the_deadline_lower_it_from_the_beginning(clock):
    pace = Pace(16, deadline_seconds=30, clock=clock)
    answers(pace, clock, 11.0)
    assert pace.level == 8
    answers(pace, clock, 5.0)
    assert pace.level > 8


def test_a_lower_level_that_makes_no_answer_quicker_is_taken_back_and_not_tried_again(clock):
    pace = Pace(16, deadline_seconds=30, clock=clock)
    answers(pace, clock, 11.0)
    assert pace.level == 8
    answers(pace, clock, 11.0, 20 * WINDOW)
    assert pace.level == 16
    answers(pace, clock, 18.0, 2 * WINDOW)
    assert pace.level < 16


def test_a_trial_is_over_when_a_call_is_turned_away(clock):
    pace = Pace(16, deadline_seconds=30, clock=clock)
    answers(pace, clock, 11.0)
    clock.now += 1
    pace.congested(clock.now)
    assert pace.level == 4
    answers(pace, clock, 11.0)
    assert pace.level < 8


def test_what_nobody_would_notice_is_no_queue(clock):
    pace = Pace(16, clock=clock)
    answers(pace, clock, 0.001)
    answers(pace, clock, NOTICEABLE_SECONDS * 0.9, 5 * WINDOW)
    assert pace.level == 16


@given(
    st.lists(
        st.tuples(st.sampled_from(["answered", "congested", "held"]), st.floats(0, 500), st.floats(0, 500)),
        max_size=200,
    ),
    st.integers(1, 1000),
)
def test_whatever_comes_the_level_stays_between_one_and_the_most(events, most):
    clock = Clock()
    pace = Pace(most, deadline_seconds=180, clock=clock)
    for kind, ago, passed in events:
        clock.now += passed
        began = clock.now - ago
        if kind == "answered":
            pace.answered(began)
        else:
            pace.congested(began, ago if kind == "held" else None)
        assert 1 <= pace.level <= most
        assert pace.held_seconds >= 0


# --- the gate ---------------------------------------------------------------------------------------------


def run(work):
    return asyncio.run(asyncio.wait_for(work, 30))


def test_no_more_calls_are_out_than_the_level_says():
    pace, out, most = Pace(7), 0, 0

    async def call():
        nonlocal out, most
        async with pace:
            out += 1
            most = max(most, out)
            await asyncio.sleep(0.001)
            out -= 1

    async def go():
        await asyncio.gather(*(call() for _ in range(100)))

    run(go())
    assert (most, out) == (7, 0)


def test_who_waits_longest_is_next():
    pace, order = Pace(1), []

    async def call(number):
        async with pace:
            order.append(number)
            await asyncio.sleep(0)

    async def go():
        await asyncio.gather(*(call(number) for number in range(20)))

    run(go())
    assert order == list(range(20))


def test_a_hold_keeps_all_calls_back_and_lets_them_return_one_by_one():
    pace, returned = Pace(8), []

    async def call():
        async with pace:
            returned.append(time.monotonic())

    async def go():
        async with pace as began:
            pace.congested(began, 0.2)
        assert 0 < pace.held_seconds <= 0.2
        await asyncio.gather(*(call() for _ in range(8)))

    before = time.monotonic()
    run(go())
    assert min(returned) - before >= 0.2
    assert len(set(returned)) == 8
    assert max(returned) - min(returned) > 0.0005
    assert pace.held_seconds == 0


def test_a_longer_hold_prolongs_a_shorter_and_a_shorter_changes_nothing(clock):
    pace = Pace(8, clock=clock)
    pace.congested(clock.now, 5)
    pace.congested(clock.now, 60)
    pace.congested(clock.now, 1)
    assert pace.held_seconds == 60
    clock.now += 61
    assert pace.held_seconds == 0


def test_a_hold_that_is_prolonged_while_calls_wait_for_its_end_is_kept():
    pace, returned = Pace(4), []

    async def call():
        async with pace:
            returned.append(time.monotonic())

    async def go():
        pace.congested(time.monotonic(), 0.05)
        waiting = [asyncio.create_task(call()) for _ in range(4)]
        await asyncio.sleep(0.02)
        pace.congested(time.monotonic(), 0.2)
        await asyncio.gather(*waiting)

    before = time.monotonic()
    run(go())
    assert min(returned) - before >= 0.2


async def storm(seed, most):
    """Calls that are cancelled anywhere, turned away, held and answered; the pace, and how many were out at most."""
    dice, pace, out = random.Random(seed), Pace(most, deadline_seconds=1.0), 0
    excess = 0

    async def call():
        nonlocal out, excess
        async with pace as began:
            out += 1
            excess = max(excess, out - most)
            try:
                await asyncio.sleep(dice.choice([0, 0, 0.0005, 0.002]))
                fate = dice.random()
                if fate < 0.1:
                    pace.congested(began)
                elif fate < 0.13:
                    pace.congested(began, 0.004)
                elif fate < 0.16:
                    raise ValueError
                else:
                    pace.answered(began)
            finally:
                out -= 1

    tasks = set()
    for _ in range(400):
        tasks.add(asyncio.create_task(call()))
        if dice.random() < 0.5:
            await asyncio.sleep(dice.choice([0, 0, 0.001]))
        if dice.random() < 0.4:
            dice.choice(sorted(tasks, key=id)).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return pace, out, excess


@pytest.mark.parametrize("seed", range(12))
def test_no_place_is_lost_and_none_is_given_twice_however_calls_end(seed):
    async def go():
        pace, out, excess = await storm(seed, most=5)
        assert (out, excess) == (0, 0)
        while pace.level < 5:
            pace.answered(time.monotonic() + 1)
        together = asyncio.Barrier(5)

        async def call():  # all five places are there, at the same moment
            async with pace:
                await together.wait()

        await asyncio.gather(*(call() for _ in range(5)))

    run(go())


@settings(max_examples=30)
@given(st.lists(st.integers(0, 9), max_size=30))
def test_calls_cancelled_while_they_wait_leave_no_gap(cancelled):
    async def go():
        pace, done = Pace(1), []

        async def call(number):
            async with pace:
                await asyncio.sleep(0)
                done.append(number)

        tasks = [asyncio.create_task(call(number)) for number in range(10)]
        for number in cancelled:
            await asyncio.sleep(0)
            tasks[number].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert done == [number for number, task in enumerate(tasks) if not task.cancelled()]
        async with pace:
            pass

    run(go())


def test_a_call_cancelled_in_a_hold_gives_its_place_back():
    async def go():
        pace = Pace(2)
        pace.congested(time.monotonic(), 0.05)
        pace.answered(time.monotonic() + 1)

        async def call():
            async with pace:
                pass

        waiting = [asyncio.create_task(call()) for _ in range(6)]
        await asyncio.sleep(0.055)  # within the spread after the hold
        for task in waiting[:3]:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        async with pace, pace:
            pass

    run(go())


def test_level_and_hold_can_be_read_from_another_thread():
    async def go():
        pace = Pace(8)
        pace.congested(time.monotonic(), 5)
        return await asyncio.to_thread(lambda: (pace.level, pace.held_seconds))

    level, held = run(go())
    assert level == 4
    assert 0 < held <= 5
