"""How far coders agree with each other, and what an experiment's figures become by what was decided in a review."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from exphub_magics import lazily, metrics
from exphub_magics.hub import ADJUDICATED, MANUAL, Hub, labels
from exphub_magics.markup import TITLES, block, columns, counted, decimal, interval, table
from exphub_magics.metrics import Metric
from exphub_magics.reviewing import labelling
from exphub_magics.reviewing.queues import disputed

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazily.load("pandas")

SHOWN = ("precision", "recall", "specificity", "f1", "agreement", "kappa")
_HEAD = ("", "manual alone", "95 % interval", "n", "as reviewed", "95 % interval", "n")
_NOTE = (
    "Where only errors are reviewed these can only rise, since what the experiment gets right is not looked at again."
)
SELECTED = (
    "Of a queue of errors or disputes alone, agreement says nothing of the data at large: for that, code a random "
    "sample (--queue sample)."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two coders over the narratives that both flagged; `unsure` are those that one or both left open."""

    first: str
    second: str
    both: int
    same: int
    unsure: int
    agreement: Metric
    kappa: Metric

    def row(self) -> dict[str, Any]:
        """The pair as a row of a frame."""
        found: dict[str, Any] = {"first": self.first, "second": self.second, "n": self.both, "same": self.same}
        for name, score in (("agreement", self.agreement), ("kappa", self.kappa)):
            found |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
        return {**found, "unsure": self.unsure, "why": self.kappa.why or ""}

    def as_json(self) -> dict[str, Any]:
        """The pair in words."""
        scores = {
            name: {"value": decimal(score.value), "interval": interval(score.low, score.high)}
            for name, score in (("agreement", self.agreement), ("kappa", self.kappa))
        }
        counts = {"n": self.both, "same": self.same, "unsure": self.unsure}
        return {"first": self.first, "second": self.second, **counts, **scores, "why": self.kappa.why or ""}


def pairs(hub: Hub, dataset: int, coder: str | None = None) -> list[Pair]:
    """Each two coders of a dataset, or one with each other; whoever adjudicates is no coder of their own."""
    words: dict[str, dict[str, bool | None]] = defaultdict(dict)
    incidents: dict[str, str] = {}
    for row in labels.last_words(hub, dataset):
        words[row["coder"]][row["narrative_id"]] = None if row["flag"] is None else bool(row["flag"])
        incidents[row["narrative_id"]] = row["incident_id"]
    coders = sorted((one for one in words if one != ADJUDICATED), key=lambda one: (one != MANUAL, one))
    chosen = [pair for pair in itertools.combinations(coders, 2) if coder is None or coder in pair]
    return [_pair(pair, words[pair[0]], words[pair[1]], incidents) for pair in chosen]


def _pair(
    names: tuple[str, str],
    one: Mapping[str, bool | None],
    other: Mapping[str, bool | None],
    incidents: Mapping[str, str],
) -> Pair:
    common = [narrative for narrative in one if narrative in other]
    decided = [narrative for narrative in common if one[narrative] is not None and other[narrative] is not None]
    first, second = [one[narrative] for narrative in decided], [other[narrative] for narrative in decided]
    same = [a is b for a, b in zip(first, second, strict=True)]
    incident = [incidents[narrative] for narrative in decided]
    agreement = metrics.proportion("agreement", same, incident=incident)
    return Pair(*names, len(decided), sum(same), len(common) - len(decided), agreement, _kappa(first, second, incident))


def _kappa(first: Sequence[bool | None], second: Sequence[bool | None], incident: Sequence[str]) -> Metric:
    """Cohen's kappa with its interval by incident; where it is undefined, why in words about coders."""
    kappa = metrics.scorecard(first, second, incident=incident)["kappa"]
    return metrics.cohen_kappa(first, second) if kappa.value is None else kappa


def agreement(hub: Hub, dataset: int | str | None = None) -> pd.DataFrame:
    """Raw agreement and Cohen's kappa of each two coders, over the narratives that both flagged.

    Args:
        hub: The hub.
        dataset: Its id or name; the only one by default.

    Both have 95 % intervals by incident. Where kappa is undefined, `why` says so.
    """
    number = dataset if isinstance(dataset, int) else labelling.dataset_named(hub, dataset)
    rows = [pair.row() for pair in pairs(hub, number)]
    scores = [f"{name}{end}" for name in ("agreement", "kappa") for end in ("", "_low", "_high")]
    frame = pd.DataFrame(rows, columns=["first", "second", "n", "same", *scores, "unsure", "why"])
    return frame.astype(dict.fromkeys(scores, float))


# --- what a review does to the figures --------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Effect:
    """An experiment's metrics by the manual flags alone, and by all that has been said since.

    `reviewed` are the narratives that another coder than `manual` has flagged; of these `moved` have another flag by
    which the experiment is scored now, and `disputed` have none, as coders differ and nobody has settled it.
    """

    title: str
    before: Mapping[str, Metric]
    after: Mapping[str, Metric]
    reviewed: int
    moved: int
    disputed: int

    @property
    def frame(self) -> pd.DataFrame:
        """One row a metric: value, bounds and n, before and after."""
        rows = [
            {"metric": name, **_bounds("before", self.before[name]), **_bounds("after", self.after[name])}
            for name in SHOWN
        ]
        return pd.DataFrame(rows)

    def as_json(self) -> dict[str, Any]:
        """The same as JSON."""
        told = {name: getattr(self, name) for name in ("reviewed", "moved", "disputed")}
        return {
            "title": self.title,
            **told,
            "summary": self.summary,
            "note": _NOTE,
            "head": list(_HEAD),
            "rows": [list(row) for row in self._rows()],
        }

    def _rows(self) -> list[tuple[str, ...]]:
        return [(TITLES.get(name, name), *_cells(self.before[name]), *_cells(self.after[name])) for name in SHOWN]

    @property
    def summary(self) -> str:
        """What was decided, in a line."""
        return (
            f"{self.title}: {counted(self.reviewed, 'narrative')} flagged by others than {MANUAL}; {self.moved:,} "
            f"scored by another flag now, {self.disputed:,} in dispute, counted nowhere until {ADJUDICATED} settles it."
        )

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return f"{self.summary}\n{_NOTE}\n\n{columns(_HEAD, self._rows())}"

    def _repr_html_(self) -> str:
        """The same as a plain table."""
        return block(f"<div>{escape(self.summary)}</div><div>{escape(_NOTE)}</div>{table(_HEAD, self._rows())}")


def effect(hub: Hub, name: str | int) -> Effect:
    """What has been said since the manual flags does to an experiment's metrics."""
    experiment = hub.find(str(name))
    about = next(row for row in hub.names() if row["id"] == experiment)
    said: dict[str, dict[str, bool | None]] = defaultdict(dict)
    for row in labels.last_words(hub, hub.experiment(experiment)["dataset_id"]):
        said[row["narrative_id"]][row["coder"]] = None if row["flag"] is None else bool(row["flag"])
    verdicts = hub.verdicts(experiment)
    words = [said.get(row["narrative_id"], {}) for row in verdicts]
    flags = [None if row["flag"] is None else bool(row["flag"]) for row in verdicts]
    incident = [row["incident_id"] for row in verdicts]
    before = [word.get(MANUAL) for word in words]
    after = [None if row["manual_flag"] is None else bool(row["manual_flag"]) for row in verdicts]
    others = [any(flag is not None for one, flag in word.items() if one != MANUAL) for word in words]
    open_ = [disputed(word) and now is None for word, now in zip(words, after, strict=True)]
    moved = [now is not None and now is not was for was, now in zip(before, after, strict=True)]
    return Effect(
        f"{about['name']}@{about['version']}",
        metrics.scorecard(before, flags, incident=incident),
        metrics.scorecard(after, flags, incident=incident),
        sum(others),
        sum(moved),
        sum(open_),
    )


def _bounds(moment: str, score: Metric) -> dict[str, Any]:
    return {moment: score.value, f"{moment}_low": score.low, f"{moment}_high": score.high, f"{moment}_n": score.n}


def _cells(score: Metric) -> tuple[str, str, str]:
    return decimal(score.value), interval(score.low, score.high), f"{score.n:,}"
