"""The stop button: an interrupt comes between the steps of a run, never within one, however often it is pressed.

Python raises KeyboardInterrupt wherever the main thread happens to be. While a step goes on it is held back instead;
what waits within a step asks `check` whether it should go on waiting.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Generator
from types import FrameType
from typing import Any, Self, TypeVar

_Step = TypeVar("_Step")

MOST_SECONDS = 10.0  # that an interrupt is held back at most: a step that hangs can still be broken off


class Held:
    """Interrupts, held back within its `with`; of one within another the outer counts. Only the main thread gets any.

    `heard` says how many came; once one of them is `taken`, the rest mean the same and are dropped.
    """

    def __init__(self) -> None:
        self.heard, self.taken = 0, False
        self._first: float | None = None
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread() and not _open:
            _open.append(self)
            self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        if self in _open:
            signal.signal(signal.SIGINT, self._before or signal.default_int_handler)
            _open.remove(self)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.heard += 1
        self._first = self._first or time.monotonic()
        if time.monotonic() - self._first > MOST_SECONDS:
            raise KeyboardInterrupt


_open: list[Held] = []  # the one whose block the main thread is in, if any


def check() -> None:
    """Raise the interrupt that is held back, unless it was raised already: for whoever waits within a step."""
    if threading.current_thread() is not threading.main_thread():
        return
    for held in _open:
        if held.heard and not held.taken:
            held.taken = True
            raise KeyboardInterrupt


def steps(stream: Generator[_Step]) -> Generator[_Step]:
    """The steps of a generator, with interrupts between them: one is thrown into it, and what that yields is the last.

    >>> def counting():
    ...     try:
    ...         yield from range(10)
    ...     except KeyboardInterrupt:
    ...         yield "stopped"
    ...         raise
    >>> stream = steps(counting())
    >>> next(stream), next(stream), stream.throw(KeyboardInterrupt())
    (0, 1, 'stopped')

    Raises:
        KeyboardInterrupt: in the end, where one came.
    """
    held = Held()
    step: _Step | None = None
    try:
        try:
            while not held.heard:
                with held:
                    step = next(stream, None)
                if step is None and not held.heard:
                    return
                if step is not None and not held.heard:
                    yield step
        except KeyboardInterrupt:  # between two steps, or in the code of whoever looks at them
            pass
        held.taken = True
        with held:
            step = _thrown(stream, step)
        if step is not None:
            yield step
        raise KeyboardInterrupt
    finally:
        with held:
            stream.close()


def _thrown(stream: Generator[_Step], step: _Step | None) -> _Step | None:
    """What a generator yields when it is interrupted; the step before where it has ended already."""
    try:
        return stream.throw(KeyboardInterrupt())
    except (KeyboardInterrupt, StopIteration):
        return step
