"""What the panels share: one state that is shown, actions that a click or a key asks for, and errors in a line.

A panel keeps nothing that the hub does not: each action opens the hub, does what a verb does, and shows anew. The page
(panel.js) knows from the number of the last action heard whether a kernel is still there.

What is shown holds narratives, so it goes to the page as a message when that asks, never as a widget's state: that is
saved with a notebook, by nbconvert even unasked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from exphub_magics.errors import ExphubError, HubError
from exphub_magics.hub import Hub, where


def page(name: str) -> str:
    """The page's module of a panel: what all share, then its own."""
    return _read("panel.js") + _read(f"{name}.js")


def look(name: str) -> str:
    """A panel's style: what all share, then its own where it has some."""
    own = resources.files(__package__) / f"{name}.css"
    return _read("panel.css") + (own.read_text(encoding="utf-8") if own.is_file() else "")


def _read(file: str) -> str:
    return (resources.files(__package__) / file).read_text(encoding="utf-8")


class Panel(anywidget.AnyWidget):
    """A view over a hub.

    `shown` is all that the page draws: plain JSON, whose texts the page sets as text. A subclass names its `actions`:
    what the page asks for → a method that takes the open hub and the request's own fields, and gives what is to be
    shown in future. `summary` is what stands for the panel in a terminal, and in a saved notebook.
    """

    shown = traitlets.Dict()
    heard = traitlets.Int(0).tag(sync=True)  # the number of the last action that was answered
    problem = traitlets.Unicode("").tag(sync=True)  # why it could not be done, in a line
    actions: ClassVar[Mapping[str, str]] = {}

    def __init__(self, db: str | Path | None = None, *, create: bool = False) -> None:
        super().__init__()
        self.lock = threading.RLock()  # JupyterLab may have a kernel hear a page beside a cell that goes on
        self.file = where(db).absolute()  # the folder that the kernel is in may change
        self.create = create
        self.on_msg(self._asked)
        self.observe(self._show, "shown")
        with self.hub() as hub:
            self.shown = self.begin(hub)
            self._marked = _marks(hub)
        self.create = False  # a hub that is taken away later is not made anew

    def hub(self) -> Hub:
        """The hub, open for one action."""
        return Hub.open(self.file, create=self.create)

    def begin(self, hub: Hub) -> dict[str, Any]:
        """What is shown at first."""
        raise NotImplementedError

    def _confirm(self, hub: Hub) -> None:
        """See that the hub is the one that is shown: another file may have been put in its place."""
        held = _marks(hub)
        if any(held.get(number) != fingerprint for number, fingerprint in self._marked.items()):
            raise HubError(f"{hub.name} is another hub now than the one shown here: run the cell again")
        self._marked = held

    @property
    def summary(self) -> str:
        """The panel in a few lines of text."""
        raise NotImplementedError

    def do(self, action: str, **said: Any) -> None:
        """Do what the page asks for; what goes wrong is said in the page, and what was shown stays."""
        method: Callable[..., dict[str, Any]] = getattr(self, self.actions[action])
        with self.lock:
            try:
                with self.hub() as hub:
                    self._confirm(hub)
                    self.shown = method(hub, **said)
                self.problem = ""
            except ExphubError as error:
                self.problem = str(error)
            except BaseException as error:
                self.problem = f"that could not be done, and nothing of it was kept ({type(error).__name__})"
                raise

    def _asked(self, _widget: Any, message: Mapping[str, Any], _buffers: Any) -> None:
        said = dict(message)
        number, action = said.pop("number"), said.pop("action")
        try:
            if action == "show":  # a page has been opened
                self._show()
            else:
                self.do(action, **said)
        finally:
            self.heard = number

    def _show(self, _change: object = None) -> None:
        self.send({"shown": self.shown})

    def __repr__(self) -> str:
        return self.summary

    def _repr_mimebundle_(self, **asked: Any) -> Any:
        """The panel, and its summary for where there is no kernel behind a page."""
        data: Any = super()._repr_mimebundle_(**asked)
        (data[0] if isinstance(data, tuple) else data)["text/plain"] = self.summary
        return data

    def as_json(self) -> dict[str, Any]:
        """What is shown, as JSON has it."""
        held: dict[str, Any] = json.loads(json.dumps(self.shown))
        return held


def _marks(hub: Hub) -> dict[int, str]:
    """What tells a hub from another one in its place: its experiments' fingerprints."""
    return {row["id"]: row["fingerprint"] for row in hub.names()}
