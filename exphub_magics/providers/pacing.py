"""How many calls are out at once: a gate that opens additively and closes by halves, as the endpoint bears it.

It lives in the thread of its event loop; `level` and `held_seconds` may be read from any other.
"""

from __future__ import annotations

import asyncio
import math
import random
import statistics
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final

WINDOW: Final = 16  # answers, at least, whose median latency is judged as one
SLOWER: Final = 4.0  # than the quickest window: then calls queue at the endpoint
NOTICEABLE_SECONDS: Final = 1.0  # a median below it is no queue worth a lower level
QUICKER: Final = 0.8  # of the latency before: less than that gained, and the level was not the cause
ROUND_TRIPS: Final = 16  # from shut to wide open: slower, and one call in a hundred turned away would keep it shut
LONGEST_SPREAD_SECONDS: Final = 2.0  # over which calls return after a hold


class Pace:
    """A gate for up to `most` calls at once.

    >>> async def call(pace):
    ...     async with pace as began:
    ...         pace.congested(began)  # or pace.answered(began)
    ...     return pace.level
    >>> asyncio.run(call(Pace(16)))
    8

    It halves, at most once a round trip, when calls are turned away, and when they take longer than a third of the
    deadline or four times the run's quickest; a lower level that makes no call quicker is taken back. Each answer
    raises it a little. A hold keeps all calls back until it has passed.
    """

    def __init__(
        self, most: int, *, deadline_seconds: float = math.inf, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = most
        self.deadline_seconds = deadline_seconds
        self.clock = clock
        self._level = float(most)
        self._open = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._lowered = -math.inf  # when; what began before tells of the level before
        self._held_until = 0.0
        self._spread = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._window: list[float] = []
        self._quickest = math.inf
        self._patience = 0.0  # a median that a lower level did not help, and half as much again
        self._trial: tuple[float, float] | None = None  # level and median before the latest lowering by latency

    @property
    def level(self) -> int:
        """How many calls may be out at once."""
        return int(self._level)

    @property
    def held_seconds(self) -> float:
        """How long all calls are still held back."""
        return max(0.0, self._held_until - self.clock())

    # --- the gate -----------------------------------------------------------------------------------------

    async def __aenter__(self) -> float:
        """Wait for a place; the moment the call begins."""
        if self._queue or self._open >= int(self._level) or self.held_seconds:
            await self._turn()
        else:
            self._open += 1
        return self.clock()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave()

    async def _turn(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        self._grant()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # cancelled between the grant and its use
                self._leave()
            raise

    def _leave(self) -> None:
        self._open -= 1
        if self._queue:
            self._grant()

    def _grant(self) -> None:
        """Give the free places to who waits longest; while all are held, come back when that is over."""
        held = self.held_seconds
        if held:
            self._timer = self._timer or asyncio.get_running_loop().call_later(held, self._come_back)
            return
        while self._queue and self._open < int(self._level):
            turn = self._queue.popleft()
            if not turn.done():
                self._open += 1
                self._give(turn)

    def _give(self, turn: asyncio.Future[None]) -> None:
        """Give a place at once, or within the spread after a hold, so that not all return in one moment."""
        spread = self._held_until + self._spread - self.clock()
        if spread > 0:
            asyncio.get_running_loop().call_later(random.uniform(0, spread), self._hand_over, turn)  # noqa: S311
        else:
            turn.set_result(None)

    def _hand_over(self, turn: asyncio.Future[None]) -> None:
        if turn.done():  # cancelled meanwhile
            self._leave()
        else:
            turn.set_result(None)

    def _come_back(self) -> None:
        self._timer = None
        self._grant()

    # --- what it learns -----------------------------------------------------------------------------------

    def answered(self, began: float) -> None:
        """A call that began then has its answer."""
        if began <= self._lowered:
            return
        if self._level < self.most:
            self._raise(self._level + max(1.0, self.most / ROUND_TRIPS) / self._level)
        self._window.append(self.clock() - began)
        if len(self._window) >= max(WINDOW, self._level):
            self._judge(statistics.median(self._window))

    def congested(self, began: float, wait: float | None = None) -> None:
        """A call that began then was turned away, or had no answer in time; `wait` is how long to hold all calls."""
        if began > self._lowered:
            self._trial = None
            self._lower()
        if wait is not None:
            self._hold(wait)

    def _raise(self, level: float) -> None:
        self._level = min(float(self.most), level)
        if self._queue:
            self._grant()

    def _lower(self) -> None:
        self._level = max(1.0, self._level / 2)
        self._restart()

    def _restart(self) -> None:
        self._lowered = self.clock()
        self._window.clear()

    def _hold(self, seconds: float) -> None:
        until = self.clock() + seconds
        if until > self._held_until:
            self._held_until = until
            self._spread = min(LONGEST_SPREAD_SECONDS, seconds / 4)

    def _judge(self, median: float) -> None:
        """Lower the level for slow answers, and take that back where they became no quicker."""
        self._window.clear()
        trial, self._trial = self._trial, None
        if trial is not None and median > QUICKER * trial[1]:
            self._patience = 1.5 * median
            self._restart()
            self._raise(max(self._level, trial[0]))
            return
        self._quickest = min(self._quickest, median)
        slow = min(self.deadline_seconds / 3, max(NOTICEABLE_SECONDS, SLOWER * self._quickest))
        if median > max(slow, self._patience) and self._level > 1:
            self._trial = (self._level, median)
            self._lower()
