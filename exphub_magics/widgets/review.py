"""The panel `review`: a queue of narratives, each decided by a key, with everything that was decided in the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from exphub_magics import reviewing
from exphub_magics.hub import Hub
from exphub_magics.reviewing import agreements, queues
from exphub_magics.reviewing.queues import ERRORS, Queue
from exphub_magics.widgets.panels import Panel, look, page


class Review(Panel):
    """Decide who is right, narrative by narrative.

    The queue is drawn up when the panel is opened, and again by `again`; every decision is in the hub at once, and a
    panel that is opened anew goes on behind the last one. `shown` holds the queue in words, the narrative that is open
    as `item`, the decision before it as `last`, and `figures` where they were asked for.
    """

    _esm = page("review")
    _css = look("review")
    actions: ClassVar = {
        "decide": "decide",
        "note": "annotate",
        "undo": "undo",
        "step": "step",
        "again": "again",
        "figures": "figures",
    }

    def __init__(self, name: str, *, db: str | Path | None = None, **said: Any) -> None:
        self._name, self._said = name, said
        super().__init__(db)

    def begin(self, hub: Hub) -> dict[str, Any]:
        """The queue, open where it goes on."""
        self.queue: Queue = queues.queue(hub, self._name, **self._said)
        return self._seen(hub, reviewing.start(self.queue, reviewing.decided(hub, self.queue)))

    @property
    def summary(self) -> str:
        """What is in the queue, and how far it is."""
        return reviewing.told(self.queue, self.shown["done"])

    # --- actions ------------------------------------------------------------------------------------------

    def decide(
        self, hub: Hub, narrative: str, *, flag: bool | None = None, unsure: bool = False, note: str | None = None
    ) -> dict[str, Any]:
        """Decide, and go on to the next narrative that is undecided."""
        reviewing.decide(hub, self.queue, narrative, flag=flag, unsure=unsure, note=note)
        at = self.queue.places[narrative]
        onward = reviewing.onward(self.queue, reviewing.decided(hub, self.queue), at)
        return self._seen(hub, at if onward is None else onward, last=at)

    def annotate(self, hub: Hub, narrative: str, note: str) -> dict[str, Any]:
        """Keep a note, beside a decision or before there is one."""
        reviewing.decide(hub, self.queue, narrative, note=note)
        at, here = self.queue.places[narrative], self.shown["place"]
        decided = self.shown["last"] is not None and at != here  # a note that came behind the decision it belongs to
        return self._seen(hub, here, last=at if decided else None)

    def undo(self, hub: Hub) -> dict[str, Any]:
        """Take the last decision back, and show its narrative."""
        narrative = reviewing.undo(hub, self.queue)
        return self._seen(hub, self.queue.places.get(narrative or "", self.shown["place"]))

    def step(self, hub: Hub, by: int) -> dict[str, Any]:
        """The narrative so many further on; the queue's ends hold."""
        return self._seen(hub, min(max(self.shown["place"] + by, 0), max(len(self.queue.entries) - 1, 0)))

    def again(self, hub: Hub) -> dict[str, Any]:
        """Draw the queue up anew, by what other coders have said and a run has answered since."""
        return self.begin(hub)

    def figures(self, hub: Hub, *, shown: bool = True) -> dict[str, Any]:
        """Show the agreement with other coders and what the decisions do to the experiment's metrics, or hide them."""
        return {**self.shown, "figures": self._figures(hub) if shown else None}

    # --- what is shown ------------------------------------------------------------------------------------

    def _seen(self, hub: Hub, place: int, *, last: int | None = None) -> dict[str, Any]:
        queue = self.queue
        done = reviewing.decided(hub, queue)
        return {
            "title": queue.title,
            "coder": queue.coder,
            "content": queue.content,
            "hints": reviewing.hints(hub, queue),
            "blind": queue.blind,
            "done": len(done),
            "total": len(queue.entries),
            "place": place,
            "prompt": hub.experiment(queue.experiment)["prompt_text"],
            "item": reviewing.shown(hub, queue, place) if queue.entries else None,
            "last": None if last is None else reviewing.shown(hub, queue, last),
            "undo": reviewing.undoable(hub, queue),
            "figures": self._figures(hub) if self.shown.get("figures") else None,
        }

    def _figures(self, hub: Hub) -> dict[str, Any]:
        pairs = agreements.pairs(hub, self.queue.dataset, self.queue.coder)
        return {
            "pairs": [pair.as_json() for pair in pairs],
            "note": agreements.SELECTED,
            "effect": agreements.effect(hub, self.queue.experiment).as_json(),
        }


def review(
    name: str, *, coder: str | None = None, queue: str = ERRORS, blind: bool = False, db: str | Path | None = None
) -> Review:
    """Review an experiment's narratives in a notebook: a queue, decided by keys, with a trail of who said what.

    Args:
        name: A name, name@version, an id or an alias.
        coder: Who decides; else whoever git knows here. `adjudicated` settles what coders disagree on.
        queue: Some of fp, fn, hard, disagreements, sample, all, between commas; `sample:30` is 30 drawn at random.
        blind: Whether the model's flag and other coders' are hidden until the narrative is decided.
        db: The hub.

    Raises:
        ExphubError: in one line, for a hub that is missing or empty and for a name or a value that is not known.
    """
    return Review(name, db=db, coder=coder, kinds=queue, blind=blind)
