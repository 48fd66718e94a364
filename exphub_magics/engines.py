"""How questions are asked: an engine turns questions into batches of whatever finished since the last.

`local` runs asyncio in a thread of its own and is driven from plain code: the caller's thread feeds it and takes
what is done, so that SQLite and displays are touched by one thread, and stopping is just not iterating on.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from typing import Any, TypeVar

from exphub_magics.errors import ExphubError
from exphub_magics.questions import Ask, Failure, Outcome, Question

_T = TypeVar("_T")

TICK_SECONDS = 0.25  # an empty batch comes at least so often, so that whoever iterates can look around
GATHER_SECONDS = 0.03  # how long a batch waits for company once its first outcome is there
MOST = 100  # outcomes a batch


def local(
    ask: Ask,
    questions: Iterable[Question],
    *,
    concurrency: int,
    room: Callable[[int], int | None] | None = None,
    close: Callable[[], Awaitable[None]] | None = None,
) -> Generator[list[Outcome]]:
    """Ask on this machine, up to `concurrency` at once.

    >>> async def echo(question): return Failure(question.narrative_id)
    >>> asked = [Question(str(n), (), str(n)) for n in range(3)]
    >>> sorted(failure.error for batch in local(echo, asked, concurrency=2) for _, failure in batch)
    ['0', '1', '2']

    `room` says how many more questions may be sent while so many are open, None for as many as one likes; where
    nothing is open and there is no room, that is the end. A batch is empty where nothing has finished for a while.
    An interrupt, or an ExphubError that `ask` raises, ends it after a last batch with what had finished by then;
    what was in flight is cancelled and has no outcome. Any other error is the failure of its question alone.
    `close` is awaited at the very end.
    """
    loop = _Loop()
    pool = _Pool(ask, concurrency)
    feed = iter(questions)
    try:
        loop.call(pool.start())
        while True:
            fresh = list(itertools.islice(feed, _wanted(pool, room)))
            if not fresh and not pool.open:
                return
            yield loop.call(pool.exchange(fresh))
    except GeneratorExit:
        raise
    except BaseException:
        rest = loop.call(pool.stop())
        if rest:
            yield rest
        raise
    finally:
        loop.call(pool.stop())
        if close is not None:
            loop.call(_awaited(close()))
        loop.close()


def _wanted(pool: _Pool, room: Callable[[int], int | None] | None) -> int:
    """How many questions to take from the feed: enough that no worker waits, no more than there is room for."""
    limit = room(pool.open) if room is not None else None
    if limit is None:
        return max(0, pool.concurrency + MOST - pool.open)
    return max(0, min(limit, pool.concurrency - pool.open))


async def _awaited(work: Awaitable[_T]) -> _T:
    return await work


class _Pool:
    """The workers of one run; lives in the loop's thread, but for `open`, which only its caller changes."""

    def __init__(self, ask: Ask, concurrency: int) -> None:
        self.ask, self.concurrency = ask, concurrency
        self.open = 0
        self.finished: deque[Outcome] = deque()
        self.tasks: list[asyncio.Task[None]] = []
        self.error: BaseException | None = None

    async def start(self) -> None:
        self.waiting: asyncio.Queue[Question] = asyncio.Queue()
        self.news = asyncio.Event()
        self.tasks = [asyncio.create_task(self.work()) for _ in range(self.concurrency)]

    async def work(self) -> None:
        while True:
            question = await self.waiting.get()
            if self.error is not None:
                return
            try:
                self.finished.append((question, await self.ask(question)))
            except ExphubError as error:  # raised again in the caller's thread by exchange()
                self.error = error
            except Exception as error:  # noqa: BLE001 - one bad question is a row; its text may hold the narrative
                self.finished.append((question, Failure(f"internal error: {type(error).__name__}")))
            self.news.set()

    async def exchange(self, fresh: list[Question]) -> list[Outcome]:
        """Take new questions in, and hand out what has finished."""
        for question in fresh:
            self.waiting.put_nowait(question)
        self.open += len(fresh)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TICK_SECONDS):
                await self.news.wait()
        if 0 < len(self.finished) < min(MOST, self.open) and self.error is None:
            await asyncio.sleep(GATHER_SECONDS)
        if self.error is not None:
            raise self.error
        return self.take()

    def take(self) -> list[Outcome]:
        batch = [self.finished.popleft() for _ in range(min(MOST, len(self.finished)))]
        self.open -= len(batch)
        if not self.finished:
            self.news.clear()
        return batch

    async def stop(self) -> list[Outcome]:
        """Cancel what is in flight; what had finished."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks = []
        rest = list(self.finished)
        self.finished.clear()
        return rest


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="exphub-engine", daemon=True)
        self.thread.start()

    def call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
