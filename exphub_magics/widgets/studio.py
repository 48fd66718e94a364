"""The prompt studio: write a prompt, try it on a sample, read what moved.

Every try is an experiment in the hub and every keystroke a draft there, so that running the cell again brings all of
it back. What is run, compared and saved is told by tries, outcomes and promptfiles.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from exphub_magics import builtin, experiments, prompts, specs, tries
from exphub_magics.background import Background, started
from exphub_magics.errors import ConfigError, ExphubError
from exphub_magics.hub import Hub, drafts
from exphub_magics.tries import histories, outcomes, parents, promptfiles
from exphub_magics.widgets import bars, cases, fields
from exphub_magics.widgets.panels import Panel, look, page

if TYPE_CHECKING:
    import pandas as pd

LOOK_SECONDS = 0.2  # between two looks at a run
KEPT = 8  # texts that are listed
LONGEST = 50_000  # characters of a prompt that are read while somebody types


def studio(
    name: str | None = None,
    *,
    data: str | Path | pd.DataFrame | None = None,
    db: str | Path | None = None,
    **said: Any,
) -> Studio:
    """Open the studio on an experiment, on a prompt file, or on the latest experiment.

    Args:
        name: an experiment as every NAME, or a file in prompts/; an empty hub opens on an example.
        data: other data than the experiment's.
        db: the hub; one is made where there is none.
        said: what is to be set of a try (`tries.SETTINGS`), and `columns` and `data_name` of the data.

    Raises:
        ExphubError: for a name that is not known, or data that cannot be read.
    """
    return Studio(name, data=data, db=db, **said)


class Studio(Panel):
    """A prompt that is being written, its tries, and one of them held against the parent."""

    _esm = page("studio")
    _css = look("studio")
    moving = traitlets.Unicode("").tag(sync=True)  # where the run stands; empty when there is none
    actions = {  # noqa: RUF012 - traitlets has it as a class's own
        "draft": "draft",
        "set": "set_settings",
        "try": "attempt",
        "stop": "stop",
        "parent": "run_parent",
        "adopt": "adopt",
        "recall": "recall",
        "edit": "edit",
        "revert": "revert",
        "take": "take",
        "look": "look",
        "whole": "whole",
        "save": "save",
    }

    def __init__(self, name: str | None = None, *, db: str | Path | None = None, **said: Any) -> None:
        self.name, self.said = name, {key: value for key, value in said.items() if value is not None}
        self.folder = Path.cwd()  # where prompts/ is, wherever the kernel goes
        self.run: Background | None = None
        self.stopped = False  # whether Stop was said since the last try began
        self.watcher: threading.Thread | None = None
        self.outcome: outcomes.Outcome | None = None
        self.text, self.loaded, self.note = "", 0, ""
        self.drafted: str | None = None  # when the draft was written that the studio opened with
        self.held: str | None = None  # the draft's text as it was seen last
        self.met = False  # whether a text was met that another studio wrote, or an earlier session
        self.draw: tuple[tuple[Any, ...], tries.Drawn] | None = None
        self.case: dict[str, Any] | None = None
        self.saved: dict[str, Any] | None = None
        super().__init__(db, create=True)

    # --- what is shown ------------------------------------------------------------------------------------

    def begin(self, hub: Hub) -> dict[str, Any]:
        """The draft if there is one, and the latest try."""
        chosen = {key: value for key, value in self.said.items() if key in tries.SETTINGS}
        self.parent = parents.parent(hub, self.name, **self.said)
        self.settings = tries.settings_of(hub, self.parent, chosen)
        draft = drafts.find(hub, self.parent.title)
        self.held = draft.text if draft else None
        self.text = draft.text if draft else self.parent.spec.prompt.text
        self.drafted = draft.written_at if draft else None
        self._refresh(hub, tries.latest(hub, self.parent))
        own = (self.parent.name, tries.again(self.parent, self.parent.spec).spec.name)
        going = [run for run in started(self.file).values() if run.state == "running" and run.name in own]
        if going:
            self._watch(going[-1], [])
        return self._view(hub)

    def _refresh(self, hub: Hub, experiment: int | None) -> None:
        """Read from the hub what only a run, or another parent, changes."""
        self.attempts, self.tried = histories.history(hub, self.parent)
        self.outcome = None if experiment is None else outcomes.outcome(hub, self.parent, experiment)
        self.tried_prompt = "" if experiment is None else hub.experiment(experiment)["prompt_text"]
        self.price = ""
        if self.outcome and self.outcome.missing:
            job = tries.again_of(hub, self.parent, self.outcome.experiment)
            self.price = tries.cost(hub, job, tries.drawn(hub, job)).attempt
        self.case = None
        if self.outcome and self.outcome.cases:
            self.case = self._closer(hub, self.outcome.cases[0].narrative_id)

    def _view(self, hub: Hub) -> dict[str, Any]:
        """All that the page draws."""
        return {
            "parent": {"title": self.parent.title, "line": str(self.parent)},
            "text": self.text,
            "loaded": self.loaded,
            "draft": self.drafted,
            "kept": self._kept(hub),
            "met": self.met,
            "check": self._check(hub),
            "settings": {key: fields.plain(value) for key, value in self.settings.items()},
            "providers": [*specs.ENDPOINTS],
            "running": self.run is not None,
            "note": self.note,
            "outcome": self._told(),
            "case": self.case,
            "history": [asdict(one) for one in self.attempts],
            "tries": self.tried,
            "saved": self.saved,
            "file": self.parent.family.replace("/", "-"),
        }

    def _check(self, hub: Hub) -> dict[str, Any]:
        """What can be said of the text and the settings before anything is run."""
        facts = self.parent.dataset.narratives[0].facts if self.parent.dataset.narratives else {}
        if len(self.text) > LONGEST:
            problem = f"this prompt has {len(self.text):,} characters: shorten it to {LONGEST:,} to try it"
            return {"slots": [], "diff": [["added", "…"]], "problem": problem, "warnings": []}
        known: dict[str, Any] = {
            "slots": [prompts.NARRATIVE, *facts],
            "diff": _changes(self.parent.spec.prompt.text, self.text),
            "problem": "",
            "warnings": [],
        }
        try:
            job = tries.job(self.parent, self.text, **self.settings)
            drawn = self._drawn(hub, job)
            cost = tries.cost(hub, job, drawn)
            reference = tries.reference(hub, self.parent, job.spec, drawn.ids)
            return known | {
                "reading": builtin.explain(job.spec.prompt.text) if job.spec.provider == specs.BUILTIN else "",
                "warnings": [*job.spec.prompt.warnings, *self._leftover(len(drawn.ids))],
                "asked": len(drawn.ids),
                "cost": asdict(cost),
                "missing": reference.missing,
                "cell": promptfiles.cell(self.parent.family, job.spec, self._named()),
            }
        except ConfigError as error:
            return known | {"problem": str(error)}

    def _leftover(self, asked: int) -> list[str]:
        """That nothing would be left to see on whether a change holds, while that is so."""
        left = len(self.parent.dataset.narratives) - asked
        if left or self.tried or not tries.is_large(self.parent):
            return []
        return ["This tries all narratives, and leaves none to see on whether a change holds: draw a sample first."]

    def _named(self) -> str:
        """The data as a cell names them: as they were named here, else by the name that the hub keeps."""
        data = self.said.get("data")
        return str(data) if isinstance(data, (str, Path)) else self.said.get("data_name") or self.parent.dataset.name

    def _drawn(self, hub: Hub, job: experiments.Job) -> tries.Drawn:
        """The narratives of a try, drawn once for each sample."""
        key = (job.dataset.sha256, job.spec.sample, job.spec.seed, job.spec.stratified)
        if self.draw is None or self.draw[0] != key:
            self.draw = (key, tries.drawn(hub, job))
        return self.draw[1]

    def _told(self) -> dict[str, Any] | None:
        found = self.outcome
        if found is None:
            return None
        about = {
            name: getattr(found, name) for name in ("experiment", "title", "state", "verdict", "beyond", "missing")
        }
        return about | {
            "against": found.against,
            "adoptable": found.experiment not in (self.parent.experiment, found.reference),
            "done": found.finished >= found.total,
            "read": outcomes.READ if found.beyond else found.untold,
            "differs": list(found.differs),
            "rows": found.rows(),
            "rows_beyond": found.rows_beyond(),
            "counts": found.counts(),
            "cases": [cases.brief(case) for case in cases.listed(found.cases)],
            "more": max(0, len(found.cases) - cases.MOST),
            "diff": _changes(self.parent.spec.prompt.text, self.tried_prompt),
            "price": self.price,
        }

    @property
    def summary(self) -> str:
        """The parent, how many tries there are, and what the one that is shown came to."""
        counted = "1 try" if self.tried == 1 else f"{self.tried:,} tries"
        shown = [f"{self.outcome.title}: {self.outcome.verdict}"] if self.outcome else []
        return "\n".join([f"prompt studio: {self.parent}", f"{counted} so far", *shown])

    # --- the text -----------------------------------------------------------------------------------------

    def _kept(self, hub: Hub) -> list[dict[str, Any]]:
        """The latest texts that were written over the parent or another version of it, but for those that are shown."""
        shown = {self.text, self.parent.spec.prompt.text}
        found = {one.text: one for one in reversed(drafts.kept(hub, parents.names(hub, self.parent)))}
        latest = [one for one in reversed(found.values()) if one.text not in shown][:KEPT]
        begun = self.drafted or (hub.experiment(self.parent.experiment)["start_time"] if self.parent.experiment else "")
        return [
            {
                "name": one.name,
                "digest": one.digest,
                "of": "" if one.of == self.parent.title else one.of,
                "written": one.written_at,
                "later": one.written_at > begun,
                "gist": cases.gist(one.text, self.parent.spec.prompt.text),
            }
            for one in latest
        ]

    def draft(self, hub: Hub, text: str) -> dict[str, Any]:
        """Keep what is being written."""
        self._keep(hub, text)
        return self._view(hub)

    def _keep(self, hub: Hub, text: str, *, aside: str | None = None) -> None:
        """Keep the text as the draft, unless it is the parent's; what another studio wrote meanwhile is put aside."""
        readable = text.encode("utf-8", "replace").decode()
        self.loaded += readable != text  # half a character cannot be kept: the page is to show what is
        text = readable
        draft = None if text == self.parent.spec.prompt.text else text
        self.met |= drafts.write(hub, self.parent.title, draft, over=self.held, aside=aside)
        self.held = draft
        if text != self.text:
            self.drafted = self.saved = None
        self.text = text  # the page takes for kept what it is shown: a locked hub has raised before this

    def _load(self, hub: Hub, text: str, typed: str | None) -> None:
        """Put a text in the place of what is being written, which stays at hand; `typed` is what the page has of it."""
        if typed is not None and typed != self.text:
            self._keep(hub, typed)
        self._replace(hub, text)
        self.loaded += 1

    def _replace(self, hub: Hub, text: str) -> None:
        self._keep(hub, text, aside=None if text == self.text or self._at_hand(hub) else self.text)

    def _at_hand(self, hub: Hub) -> bool:
        """Whether the text is the parent's or a try's, which are found again without a draft."""
        tried = (hub.experiment(row["id"])["prompt_text"] for row in tries.of(hub, self.parent))
        return self.text == self.parent.spec.prompt.text or self.text in tried

    def edit(self, hub: Hub, text: str | None = None) -> dict[str, Any]:
        """Write on from the prompt of the try that is shown."""
        self._load(hub, self.tried_prompt or self.text, text)
        return self._view(hub)

    def revert(self, hub: Hub, text: str | None = None) -> dict[str, Any]:
        """Go back to the parent's text."""
        self._load(hub, self.parent.spec.prompt.text, text)
        return self._view(hub)

    def take(self, hub: Hub, name: str, digest: str, text: str | None = None) -> dict[str, Any]:
        """Take a text that is kept."""
        found = drafts.find(hub, name)
        if found is None or found.digest != digest:
            self.shown = self._view(hub)
            raise ConfigError("this text has been written on since: take it as it is listed now")
        self._load(hub, found.text, text)
        self.met = False
        return self._view(hub)

    def set_settings(self, hub: Hub, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Change how the next try is run."""
        self.settings = self.settings | fields.read(settings)
        return self._view(hub)

    # --- runs ---------------------------------------------------------------------------------------------

    def attempt(
        self,
        hub: Hub,
        text: str | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        typed: bool = False,
        **more: Any,
    ) -> dict[str, Any]:
        """Try the text; where the parent lacks answers and costs nothing, it is run on the same narratives first.

        Args:
            hub: The hub.
            text: The prompt; else the one that is being written.
            settings: As fields of a page give them, in texts.
            typed: Whether the text is from a page, which then has it already.
            more: Settings as values, such as `sample=50`.
        """
        if text is not None and typed:
            self._keep(hub, text)
        elif text is not None:
            self._replace(hub, text)
            self.loaded += 1
        try:
            self._idle()
            self.settings = self.settings | fields.read(settings or {}) | more
            self._start(self._jobs(hub))
        except ExphubError:
            self.shown = self._view(hub)  # the text is kept all the same, and the page is told so
            raise
        return self._view(hub)

    def _jobs(self, hub: Hub) -> list[experiments.Job]:
        """The try, after the parent on the same narratives where that is free and wanting."""
        job = tries.job(self.parent, self.text, **self.settings)
        reference = tries.reference(hub, self.parent, job.spec, self._drawn(hub, job).ids)
        if reference.missing and self.parent.spec.provider == specs.BUILTIN:
            return [tries.again(self.parent, job.spec), job]
        return [job]

    def run_parent(self, hub: Hub) -> dict[str, Any]:
        """Run the parent's prompt on the narratives of the try that is shown."""
        self._idle()
        if self.outcome is not None:
            self._start([tries.again_of(hub, self.parent, self.outcome.experiment)])
        return self._view(hub)

    def stop(self, hub: Hub) -> dict[str, Any]:
        """Stop the run, and what would come after it; what is answered stays."""
        self.stopped = True
        if self.run is not None:
            self.run.stop()
        return self._view(hub)

    def _idle(self) -> None:
        if self.run is not None:
            raise ConfigError("a try is being run: stop it, or wait until it has ended")

    def _start(self, jobs: Sequence[experiments.Job]) -> None:
        self.note, self.saved, self.stopped = "", None, False
        self._watch(Background.start(self.file, jobs[0]), jobs[1:])

    def _watch(self, run: Background, rest: Sequence[experiments.Job]) -> None:
        self.run = run
        self.watcher = threading.Thread(target=self._follow, args=(run, rest), name="exphub studio", daemon=True)
        self.watcher.start()

    def _follow(self, run: Background, rest: Sequence[experiments.Job]) -> None:
        """Show how runs go on, one after the other, and what came of them."""
        try:
            self._see(run)
            for job in rest:
                if self.stopped or run.state != "done":
                    break
                self.run = run = Background.start(self.file, job)
                if self.stopped:  # while it began
                    run.stop()
                self._see(run)
        except ExphubError as error:
            self.note = str(error)
        finally:
            self._ended(run)

    def _see(self, run: Background) -> None:
        while run.state == "running":
            if run.progress is not None:
                self.moving = f"{run.name}: {bars.moving(run.progress)}"
            time.sleep(LOOK_SECONDS)
        if isinstance(run.error, Exception):
            self.note = str(run.error) if isinstance(run.error, ExphubError) else _broken(run.error)
        elif run.progress is not None and run.progress.reason:
            self.note = run.progress.reason

    def _ended(self, run: Background) -> None:
        with self.lock:
            self.run, self.moving = None, ""
            try:
                with self.hub() as hub:
                    own = run.progress is not None and run.name == self.parent.name
                    shown = self.outcome.experiment if self.outcome else None
                    self._refresh(hub, run.progress.experiment_id if own and run.progress else shown)
                    self.shown = self._view(hub)
            except ExphubError as error:
                self.problem = str(error)

    def wait(self, timeout: float | None = None) -> outcomes.Outcome | None:
        """Wait until a try has ended; what came of the one that is shown.

        Raises:
            TimeoutError: when it still goes on after so many seconds.
        """
        watcher, until = self.watcher, None if timeout is None else time.monotonic() + timeout
        while watcher is not None and watcher.is_alive():
            watcher.join(LOOK_SECONDS)
            if until is not None and time.monotonic() > until:
                raise TimeoutError("the try still goes on: panel.do('stop') stops it")
        return self.outcome

    # --- tries and narratives -----------------------------------------------------------------------------

    def recall(self, hub: Hub, experiment: int) -> dict[str, Any]:
        """Show an earlier try; what is being written stays."""
        if experiment not in {one.experiment for one in self.attempts}:
            raise ConfigError("this is none of the tries listed: take one of these")
        self._refresh(hub, experiment)
        return self._view(hub)

    def adopt(self, hub: Hub) -> dict[str, Any]:
        """Hold tries against the one that is shown from now on."""
        self._idle()
        if self.outcome is not None:
            said = {key: self.said[key] for key in ("data", "columns", "data_name") if key in self.said}
            self.parent = parents.parent(hub, self.outcome.title, **said)
            self.held = None  # what is being written goes on over another parent
            self._refresh(hub, self.outcome.experiment)
        return self._view(hub)

    def look(self, hub: Hub, narrative: str) -> dict[str, Any]:
        """Show a narrative of the try."""
        self.case = self._closer(hub, narrative)
        return self._view(hub)

    def whole(self, hub: Hub) -> dict[str, Any]:
        """Show the rest of a long narrative."""
        if self.case is not None:
            self.case = self._closer(hub, self.case["narrative_id"], most=None)
        return self._view(hub)

    def _closer(self, hub: Hub, narrative: str, most: int | None = cases.BEGINNING) -> dict[str, Any] | None:
        if self.outcome is None:
            return None
        found = outcomes.closer(hub, self.outcome.experiment, self.outcome.reference, narrative)
        kind = next((case.kind for case in self.outcome.cases if case.narrative_id == narrative), "")
        parts, left = cases.cut(found.parts, most)
        return {**asdict(found), "kind": kind, "parts": parts, "left": left}

    def save(self, hub: Hub, name: str, text: str | None = None) -> dict[str, Any]:
        """Save the text as a file in prompts/; one that has another text is never written over."""
        if text is not None:
            self._keep(hub, text)
        try:
            prompts.parse(self.text)
            self.saved = {"said": str(promptfiles.save(self.text, name, folder=self.folder)), "free": None}
        except promptfiles.TakenError as error:
            self.saved = {"said": str(error), "free": error.free}
        except ConfigError as error:
            self.saved = {"said": str(error), "free": None}
        return self._view(hub)


def _broken(error: Exception) -> str:
    return f"the run ended with {type(error).__name__}: try again; everything answered is kept"


def _changes(old: str, new: str) -> list[list[str]]:
    return [[one.kind, one.text] for one in tries.wording(old, new)] if old != new else []
