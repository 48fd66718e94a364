"""A run that goes on in a thread of its own while other cells work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from exphub_magics import cards, experiments
from exphub_magics.errors import ExphubError
from exphub_magics.hub import Hub, where
from exphub_magics.progress import Progress

_started: list[Background] = []  # by this process; a handle that nobody kept is found again here
JOIN_SECONDS = 0.2  # a waiting thread of Python's hears an interrupt between two looks only


class Background:
    """The handle of a run under way: `.progress` says where it stands, `.stop()` ends it, `.wait()` its scorecard.

    Nothing hangs on the handle: a run whose handle is lost goes on, and what it answered is in the hub.
    """

    def __init__(self, db: str | Path | None, job: experiments.Job, again: Sequence[str] = ()) -> None:
        self.name = job.spec.name
        self.progress: Progress | None = None
        self.error: BaseException | None = None
        self.file = where(db).resolve()  # the hub's, wherever the kernel goes
        self._job, self._again = job, again
        self._show: Callable[[Progress], None] = _unseen
        self._stopping = threading.Event()
        self._news = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"exphub {self.name}", daemon=True)

    @classmethod
    def start(
        cls,
        db: str | Path | None,
        job: experiments.Job,
        *,
        again: Sequence[str] = (),
        show: Callable[[Progress], None] | None = None,
    ) -> Background:
        """Start a run and return once it is registered and has its lease.

        Raises:
            ExphubError: when it cannot begin, in this cell and not in some later one.
        """
        run = cls(db, job, again)
        _started.append(run)
        run._thread.start()
        while not run._news.wait(JOIN_SECONDS):
            pass
        if isinstance(run.error, ExphubError):
            _started.remove(run)
            raise run.error
        if show is not None and run.progress is not None:
            show(run.progress)  # from the cell's own thread, so that the display is the cell's
            run._show = show
        return run

    @property
    def state(self) -> str:
        """`running`, `done`, `stopped` or `failed`."""
        if not self._over.is_set():
            return "running"
        if self.error is not None and not isinstance(self.error, KeyboardInterrupt):
            return "failed"
        return self.progress.state if self.progress else "stopped"

    def stop(self) -> None:
        """Ask the run to stop; it does within a second, and everything answered is kept."""
        self._stopping.set()

    def wait(self, timeout: float | None = None) -> cards.Scorecard:
        """Wait until the run has ended, and read its scorecard; an interrupt ends the waiting, not the run.

        Args:
            timeout: seconds; None waits as long as it takes.

        Raises:
            TimeoutError: when the run still goes on.
            ExphubError: what ended the run.
        """
        self._join(timeout)
        if self.error is not None and not isinstance(self.error, KeyboardInterrupt):
            raise self.error
        if self.progress is None:
            raise ExphubError(f"{self.name} was stopped before it began: run it again")
        with Hub.open(self.file) as hub:
            return cards.scorecard(hub, self.progress.experiment_id, warnings=self.progress.warnings)

    def _join(self, timeout: float | None) -> None:
        # An event and not the thread: one whose join was interrupted is taken for dead while it lives.
        waited = 0.0
        while not self._over.wait(JOIN_SECONDS):
            waited += JOIN_SECONDS
            if timeout is not None and waited >= timeout:
                raise TimeoutError(f"{self.name} still goes on: .stop() stops it")

    def _work(self) -> None:
        try:
            with Hub.open(self.file) as hub:
                experiments.follow(hub, self._job, self._look, again=self._again)
        except BaseException as error:  # noqa: BLE001 - it is raised again by wait(), in the caller's thread
            self.error = error
        finally:
            self._news.set()
            self._over.set()
            if self.progress is not None and self.error is not None:
                self._show(self.progress)

    def _look(self, progress: Progress) -> None:
        self.progress = progress
        self._news.set()
        self._show(progress)
        if self._stopping.is_set() and progress.state == "running":
            raise KeyboardInterrupt  # follow() has the run record what has finished

    def __repr__(self) -> str:
        progress = self.progress
        told = f", {progress.finished:,} of {progress.total:,}" if progress else ""
        return f"<run of {self.name!r} in the background: {self.state}{told}; .progress, .stop(), .wait()>"


def started(db: str | Path | None) -> dict[int, Background]:
    """This process's runs in the background of a hub's experiments, the latest of each.

    >>> started("another.db")
    {}
    """
    file = where(db).resolve()
    return {run.progress.experiment_id: run for run in _started if run.progress is not None and run.file == file}


def _unseen(_progress: Progress) -> None:
    """Nobody looks."""
