"""What moves while a run goes on: a bar in the cell, a line on the terminal."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from IPython import display

from exphub_magics import lazily
from exphub_magics.experiments.prices import dollars
from exphub_magics.markup import block, counted
from exphub_magics.progress import Progress

if TYPE_CHECKING:
    import ipywidgets
    import tqdm
else:
    ipywidgets = lazily.load("ipywidgets")
    tqdm = lazily.load("tqdm")

Show: TypeAlias = Callable[[Progress], None]

REFRESH_SECONDS = 0.2
# A prompt is no Python: where its cell has been run, the colours of Python's words and quotation marks are taken off.
CALM = (
    '<style class="exphub-asked">.jp-CodeCell:has(.exphub-asked) .jp-InputArea .cm-line span'
    "{color:inherit!important;font-weight:inherit!important}</style>"
)
REASONS = 3  # of failures, named beside their number
MINUTE, HOUR = 60, 3600


def span(seconds: float) -> str:
    """A time that remains, to the precision that it is worth.

    >>> span(8.4), span(100), span(7300)
    ('8 s', '1 min 40 s', '2 h 01 min')
    """
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} min"


def moving(progress: Progress) -> str:
    """What a run says of itself while it goes on."""
    parts = [f"{progress.finished:,} of {progress.total:,}", f"{progress.positives:,} flagged"]
    failed = progress.statuses.get("failed", 0)
    if failed:
        parts.append(f"{failed:,} failed{_classes(progress)}")
    if progress.rate is not None and progress.remaining_seconds is not None:
        parts += [f"{progress.rate:,.1f} a second", f"{span(progress.remaining_seconds)} to go"]
    return " · ".join([*parts, *_money(progress), *_load(progress)])


def _classes(progress: Progress) -> str:
    """The commonest reasons of failures, in brackets."""
    counted = Counter(progress.failures or {}).most_common(REASONS)
    return f" ({', '.join(f'{reason}: {n:,}' for reason, n in counted)})" if counted else ""


def _money(progress: Progress) -> list[str]:
    parts = []
    if progress.spent is not None and (progress.spent or progress.limit is not None):
        parts.append(dollars(progress.spent) + (f" of {dollars(progress.limit)}" if progress.limit is not None else ""))
    if progress.cached is not None:
        parts.append(f"{progress.cached:.0%} of the prompts cached")
    return parts


def _load(progress: Progress) -> list[str]:
    """What an endpoint makes of the calls, where that is worth a word."""
    parts = [f"{progress.retried:,} asked again"] if progress.retried else []
    if progress.held >= 1:
        parts.append(f"the endpoint asks to wait {span(progress.held)}")
    elif progress.retried and progress.level is not None:
        parts.append(f"{progress.level} at once")
    return [*parts, *([progress.waiting] if progress.waiting else [])]


def ended(progress: Progress) -> str:
    """What stays when a run has ended: no time, so that a notebook run again shows the same."""
    failed = progress.statuses.get("failed", 0)
    lost = [f"{failed:,} failed{_classes(progress)}"] if failed else []
    if progress.state == "stopped":
        held, rest = progress.finished - failed, progress.total - progress.finished
        have = f"{counted(held, 'narrative')} {'has its' if held == 1 else 'have their'} result"
        left = f"{rest:,} {'is' if rest == 1 else 'are'} left; run it again for {'it' if rest == 1 else 'these'}"
        return ", ".join([f"stopped: {have}", *lost, progress.reason or left + " and the failed" * bool(failed)])
    idle = progress.statuses.get("not_evaluable", 0)
    if not progress.asked and not progress.recalled:
        return "nothing to ask: every narrative has its result"
    known = [f"{progress.recalled:,} answered before"] if progress.recalled else []
    return ", ".join([f"{progress.asked:,} asked", *known, *lost, f"{idle:,} not evaluable", *_money(progress)])


def in_cell() -> Show:
    """A bar in the cell's output while it runs, and a line of text in its place when it has ended."""
    return _Cell()


class Lasting(Protocol):
    """Shows a run in the background; `offer` gives the reader a way to stop it."""

    def __call__(self, progress: Progress) -> None:
        """Show where the run stands."""

    def offer(self, stop: Callable[[], None]) -> None:
        """Offer to stop the run."""


def beside_cells() -> Lasting:
    """As `in_cell`, for a run in the background: all in one display, since the thread of a run has no cell."""
    return _Cell(lasting=True)


class _Cell:
    """The bar's display begins and ends empty, and the line that stays is an output of its own.

    nbval compares the first content of a display with the saved last one.
    """

    def __init__(self, *, lasting: bool = False) -> None:
        self.lasting = lasting
        self.ended = False
        self.button: ipywidgets.Button | None = None
        self.bar: display.DisplayHandle | None = None
        self.shown = 0.0
        self.estimated = False

    def __call__(self, progress: Progress) -> None:
        if self.bar is None:
            self.bar = display.display(_bundle("", ""), raw=True, display_id=True)
        if progress.state != "running":
            self.ended = True
            if self.button is not None:
                self.button.close()
            self.stays(f"{progress.name}: {ended(progress)}", bar=self.bar)
        elif progress.estimate is not None and not self.estimated and not self.lasting:
            self.estimated = True
            self.stays(f"{progress.name}: {progress.estimate}")
        elif time.monotonic() - self.shown >= REFRESH_SECONDS:
            self.shown = time.monotonic()
            words = f"{progress.name}: {moving(progress)}"
            bar = f'<progress value="{progress.finished}" max="{progress.total}"></progress>'
            stop = "other cells work meanwhile" if self.lasting else "■ stops it, what is answered stays"
            self.bar.update(_bundle(block(f"{bar} {escape(words)} · {stop}"), words), raw=True)

    def offer(self, stop: Callable[[], None]) -> None:
        """Show a button that stops the run, as long as it goes on."""
        self.button = ipywidgets.Button(description="Stop", icon="stop", tooltip="what is answered stays")
        self.button.on_click(lambda _button: stop())
        display.display(self.button)
        if self.ended:  # meanwhile
            self.button.close()

    def stays(self, words: str, *, bar: display.DisplayHandle | None = None) -> None:
        """Say what is to be read in the saved notebook too."""
        said = _bundle(block(escape(words)), words)
        if bar is not None:
            bar.update(said if self.lasting else _bundle("", ""), raw=True)
        if not self.lasting:
            display.display(said, raw=True)


def _bundle(html: str, text: str) -> dict[str, str]:
    return {"text/html": html and CALM + html, "text/plain": text}


def on_terminal() -> Lasting:
    """A line on stderr; where that is no terminal, only how the run ended."""
    return _Line()


class _Line:
    def offer(self, stop: Callable[[], None]) -> None:
        """A terminal has no button: the handle's `stop` does it."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.estimated = False
        self.told: set[str] = set()

    def __call__(self, progress: Progress) -> None:
        if self.bar is None:
            self.bar = tqdm.tqdm(
                total=progress.total,
                initial=progress.finished,
                desc=progress.name,
                unit=" narratives",
                file=sys.stderr,
                disable=None,
                leave=False,
            )
        for warning in progress.warnings:
            if warning not in self.told:
                self.told.add(warning)
                tqdm.tqdm.write(f"{progress.name}: note: {warning}", file=sys.stderr)
        if progress.estimate is not None and not self.estimated:
            self.estimated = True
            tqdm.tqdm.write(f"{progress.name}: {progress.estimate}", file=sys.stderr)
        self.bar.update(progress.finished - self.bar.n)
        told = [f"{progress.positives:,} flagged", *_money(progress), *_load(progress)]
        self.bar.set_postfix_str(", ".join(told), refresh=False)
        if progress.state != "running":
            self.bar.close()
            tqdm.tqdm.write(f"{progress.name}: {ended(progress)}", file=sys.stderr)
