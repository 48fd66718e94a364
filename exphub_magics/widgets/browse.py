"""The panel `browse`: leaderboard, confusion matrix, a list of narratives, and one with all that is known of it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

from exphub_magics.browsing import findings, places
from exphub_magics.browsing.places import Place
from exphub_magics.errors import ConfigError, UnknownNameError
from exphub_magics.hub import Hub, selections
from exphub_magics.hub.selections import Selection
from exphub_magics.widgets.panels import Panel, look, page

_FILTERS = ("outcome", "against", "flips", "source", "search", "confidence", "order")


class Browse(Panel):
    """Look through what experiments say of narratives.

    `shown` holds the place as `place`, and what is to be seen there: `board`, `grid`, `choices` for the filters, `list`
    with one page of narratives, and `finding`, the narrative that is open. All of it is worked out from the place.
    """

    _esm = page("browse")
    _css = look("browse")
    actions: ClassVar = {
        "choose": "choose",
        "filter": "narrow",
        "page": "turn",
        "open": "read",
        "step": "step",
        "whole": "whole",
        "leave": "leave",
    }

    def __init__(self, name: str | None = None, *, db: str | Path | None = None, **said: Any) -> None:
        self._said = {"name": name, **said}
        super().__init__(db)

    def begin(self, hub: Hub) -> dict[str, Any]:
        """The place that was asked for."""
        return self._chosen(hub, places.place(hub, **self._said))

    @property
    def summary(self) -> str:
        """Where this is, and the line that leads there, without the words of a search: they may be a narrative's."""
        return f"{self.shown['title']}: {self.shown['told']}, {self.shown['list']['said']}\n{self.shown['lasting']}"

    # --- actions ------------------------------------------------------------------------------------------

    def choose(self, hub: Hub, experiment: int) -> dict[str, Any]:
        """Another experiment; the narrative that is open stays so where it is asked about that too."""
        place = self._place()
        against = place.selection.against if place.selection.against != experiment else None
        kept = place.narrowed(experiment=experiment, outcome=None, flips=None, against=against)
        if kept.narrative is not None and selections.position(hub, experiment, kept.narrative) is None:
            kept = replace(kept, narrative=None)
        return self._chosen(hub, kept)

    def narrow(self, hub: Hub, **said: Any) -> dict[str, Any]:
        """Another selection; a narrative that it does not leave is closed."""
        wanted = {name: value for name, value in said.items() if name in _FILTERS}
        if wanted.get("confidence") is not None:
            low, high = (_number(one) for one in wanted["confidence"])
            bounds = (places.NO_BOUNDS[0] if low is None else low, places.NO_BOUNDS[1] if high is None else high)
            wanted["confidence"] = None if low is None and high is None else bounds
        if "against" in wanted and wanted["against"] is None:
            wanted["flips"] = None
        if "search" in wanted:
            wanted["search"] = " ".join(str(wanted["search"]).split())
        place = self._place().narrowed(**wanted)
        chosen = selections.positions(hub, place.selection)
        if place.narrative is not None and self._at(hub, place, chosen) is None:
            place = replace(place, narrative=None)
        return self._seen(hub, place, chosen)

    def turn(self, hub: Hub, page: int) -> dict[str, Any]:
        """Another page of the list."""
        place = self._place()
        return self._seen(hub, place, selections.positions(hub, place.selection), page=page)

    def read(self, hub: Hub, narrative: str) -> dict[str, Any]:
        """One narrative."""
        place = replace(self._place(), narrative=narrative)
        return self._seen(hub, place, selections.positions(hub, place.selection))

    def step(self, hub: Hub, by: int) -> dict[str, Any]:
        """The narrative so many further on in the list; the list's ends hold."""
        place = self._place()
        chosen = selections.positions(hub, place.selection)
        at = self._at(hub, place, chosen) if place.narrative is not None else None
        if not chosen:
            return self._seen(hub, place, chosen)
        wanted = min(max(at + by, 0), len(chosen) - 1) if at is not None else 0
        (row,) = selections.rows(hub, place.selection, chosen[wanted : wanted + 1])
        return self._seen(hub, replace(place, narrative=row["narrative_id"]), chosen)

    def whole(self, hub: Hub) -> dict[str, Any]:
        """All of the narrative that is open, however long."""
        place = self._place()
        return self._seen(hub, place, selections.positions(hub, place.selection), whole=True)

    def leave(self, hub: Hub) -> dict[str, Any]:
        """The list alone."""
        place = self._place()
        at = self.shown["list"]["page"]
        chosen = selections.positions(hub, place.selection)
        return self._seen(hub, replace(place, narrative=None), chosen, page=at)

    # --- what is shown ------------------------------------------------------------------------------------

    def _place(self) -> Place:
        held = dict(self.shown["place"])
        narrative = held.pop("narrative")
        confidence = held.pop("confidence")
        return Place(Selection(confidence=confidence and tuple(confidence), **held), narrative)

    def _chosen(self, hub: Hub, place: Place) -> dict[str, Any]:
        """An experiment that has just been chosen: what hangs on it alone is worked out, and then the place."""
        titles = _titles(hub, place)
        counts = selections.counts(hub, place.experiment)
        fixed = {
            "title": titles[place.experiment],
            "total": sum(counts[cell] for cell in selections.CELLS),
            "board": places.board(hub, place.experiment),
            "grid": places.grid(counts),
            "choices": {
                "outcomes": places.outcomes(counts),
                "sources": selections.sources(hub, place.experiment),
                "words": places.WORDS,
            },
        }
        return self._seen(hub, place, selections.positions(hub, place.selection), fixed=fixed)

    def _seen(
        self,
        hub: Hub,
        place: Place,
        chosen: list[int],
        *,
        page: int | None = None,
        whole: bool = False,
        fixed: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """What is to be seen at a place; without a page the one with the open narrative on it, else the first."""
        fixed = fixed or {name: self.shown[name] for name in ("title", "total", "board", "grid", "choices")}
        titles = _titles(hub, place)
        at = self._at(hub, place, chosen) if place.narrative is not None else None
        last = max(0, (len(chosen) - 1) // places.PAGE)
        number = min(max(0, (at or 0) // places.PAGE if page is None else page), last)
        return {
            **fixed,
            "place": {**asdict(place.selection), "narrative": place.narrative},
            "against": titles.get(place.selection.against or 0),
            "said": places.said(place, titles),
            "told": places.said(place, titles, aloud=False),
            "line": places.magic(place, titles),
            "lasting": places.magic(place.narrowed(search=""), titles),
            "list": {
                "rows": places.rows(hub, place, chosen, number),
                "first": number * places.PAGE,
                "page": number,
                "pages": last + 1,
                "n": len(chosen),
                "said": f"{len(chosen):,} of {fixed['total']:,} narratives",
            },
            "finding": self._finding(hub, place, at, titles[place.experiment], whole=whole),
        }

    @staticmethod
    def _finding(hub: Hub, place: Place, at: int | None, title: str, *, whole: bool) -> dict[str, Any] | None:
        if place.narrative is None:
            return None
        found = findings.find(hub, place.experiment, place.narrative, title=title)
        return {**found.as_json(whole=whole), "at": at, "whole": whole}

    @staticmethod
    def _at(hub: Hub, place: Place, chosen: list[int]) -> int | None:
        """Where the open narrative stands among those that are left."""
        position = selections.position(hub, place.experiment, place.narrative or "")
        return chosen.index(position) if position in chosen else None


def _titles(hub: Hub, place: Place) -> dict[int, str]:
    titles = places.titles(hub)
    if place.experiment not in titles or place.selection.against not in (None, *titles):
        raise UnknownNameError(f"{hub.name} is another hub now, without this experiment: run the cell again")
    return titles


def _number(said: Any) -> float | None:
    """What stands in a field for a number."""
    if said is None or said == "":
        return None
    try:
        return float(said)
    except (TypeError, ValueError):
        raise ConfigError(f"{str(said)[:20]!r} is no number: write one from 0 to 1") from None


def browse(  # noqa: PLR0913 - each is an option of the verb
    name: str | None = None,
    *,
    db: str | Path | None = None,
    outcome: str | None = None,
    against: str | None = None,
    flips: str | None = None,
    source: str | None = None,
    search: str | None = None,
    confidence: tuple[float, float] | None = None,
    order: str | None = None,
    narrative: str | None = None,
) -> Browse:
    """Look through what an experiment says of its narratives, in a notebook.

    Args:
        name: A name, name@version, an id or an alias; the latest experiment by default.
        db: The hub.
        outcome: wrong, fp, fn, tp, tn, failed, refused, salvaged, not-evaluable, pending, unlabelled, or one cell of
            the confusion matrix such as no-answer-yes.
        against: Another experiment, whose flags stand beside.
        flips: Of what both have answered differently: any, right (newly) or wrong.
        source: One source's narratives.
        search: Words that stand so in the text or the rational, in whatever case.
        confidence: The lowest and the highest, as stated.
        order: data, surest or doubtful.
        narrative: The id of the one to open.

    Raises:
        ExphubError: in one line, for a hub that is missing or empty and for a name or a value that is not known.
    """
    said = {"outcome": outcome, "against": against, "flips": flips, "source": source, "search": search}
    return Browse(name, db=db, **said, confidence=confidence, order=order, narrative=narrative)
