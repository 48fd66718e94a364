"""How far flags can be trusted: counts, shares with intervals, agreement.

Everything takes plain columns of True, False and None, and a missing answer is never a "no": a narrative
counts where it is both labelled and answered. Narratives of one incident are not independent, so every
interval takes the incident, not the narrative, as the unit that was drawn.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from exphub_magics import lazily
from exphub_magics.metrics import counts, intervals
from exphub_magics.metrics.counts import Answers, Incidents
from exphub_magics.metrics.intervals import Interval

if TYPE_CHECKING:
    import numpy as np
    import statsmodels.api as sm

    from exphub_magics.metrics.intervals import Floats
else:
    np = lazily.load("numpy")
    # The parent package is empty, so that loading it at once, which the warning is about, costs nothing.
    sm = lazily.load("statsmodels.api")

METRICS = ("precision", "recall", "specificity", "npv", "f1", "agreement", "jaccard", "kappa", "mcc")


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of the narratives that are both labelled and answered.

    >>> Confusion(tp=42, fp=14, fn=6, tn=338).n
    400
    """

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def n(self) -> int:
        """All of them."""
        return self.tp + self.fp + self.fn + self.tn


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure with its 95 % interval, what it was counted from, and what always answering "no" would give.

    `n` is the denominator (for F1 tp + fp + fn, for kappa and MCC all). An undefined value is None; so are
    the bounds of a value whose spread the data do not show. `why` then says why, in plain words.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    numerator: int | None
    always_no: float | None
    why: str | None

    def as_json(self) -> dict[str, Any]:
        """The value, its bounds and denominator; what is undefined says why."""
        shown = {"value": self.value, "low": self.low, "high": self.high, "n": self.n}
        return shown if self.why is None else {**shown, "why": self.why}


# --- one experiment ---------------------------------------------------------------------------------------


def confusion(truth: Answers, flag: Answers) -> Confusion:
    """Count flags against labels; a pair with a missing side is left out.

    >>> confusion([True, True, False, None, True], [True, False, False, True, None])
    Confusion(tp=1, fp=0, fn=1, tn=1)

    Raises:
        ConfigError: for columns of different lengths, or an entry that is not True, False or None.
    """
    labels, flags, _ = counts.columns(truth, flag)
    tp, fp, fn, tn = map(int, counts.cells(labels, flags, np.zeros_like(labels)).sum(axis=0))
    return Confusion(tp, fp, fn, tn)


def scorecard(truth: Answers, flag: Answers, *, incident: Incidents | None = None) -> dict[str, Metric]:
    """All metrics of one experiment, over the narratives both labelled and answered.

    >>> card = scorecard([True, True, False, False, None], [True, False, False, None, True])
    >>> card["recall"].value, card["recall"].n, card["specificity"].n
    (0.5, 2, 1)
    >>> scorecard([True, False], [False, False])["precision"].why
    'no labelled narrative was flagged'

    Shares have Wilson intervals on the effective sample size (see `proportion`). F1 = 2J/(1+J) takes the
    transform of Jaccard's. Kappa and MCC have a jackknife interval that leaves out one incident at a time,
    with Student's t. With one narrative an incident kappa's bounds differ from the usual asymptotic ones by
    .002 at 400 narratives and .013 at 50; with few, or near 1, it is approximate.

    `incident` has one entry a narrative; left out, or where an entry is None, a narrative is an incident of
    its own.

    Raises:
        ConfigError: for columns of different lengths, or an entry that is not True, False or None.
    """
    labels, flags, clusters = counts.columns(truth, flag, incident=incident)
    cells = counts.cells(labels, flags, clusters)
    return {name: _metric(name, cells) for name in METRICS}


def recall_missing_as_missed(truth: Answers, flag: Answers, *, incident: Incidents | None = None) -> Metric:
    """Recall when a narrative that is labelled yes and has no answer counts as a miss.

    >>> recall_missing_as_missed([True, True, True, False], [True, True, None, None]).value
    0.6666666666666666
    """
    labels, flags, clusters = counts.columns(truth, flag, incident=incident)
    labels = np.where(labels == 1, 1, -1)
    recall = _metric("recall", counts.cells(labels, np.maximum(flags, 0), clusters))
    why = "no narrative is labelled yes" if recall.value is None else recall.why
    return replace(recall, name="recall, missing as missed", why=why)


def recall_bounds(truth: Answers, flag: Answers) -> tuple[float, float] | None:
    """Recall if all missing answers were wrong, and if all were right; None where nothing is labelled yes.

    >>> recall_bounds([True, True, True, True], [True, False, True, None])
    (0.5, 0.75)

    These are worst-case bounds in the sense of Manski; they say nothing about sampling.
    """
    labels, flags, _ = counts.columns(truth, flag)
    answers = flags[labels == 1]
    if not len(answers):
        return None
    return float((answers == 1).mean()), float((answers != 0).mean())


def proportion(name: str, hits: Answers, *, incident: Incidents | None = None) -> Metric:
    """The share of narratives that are a hit, with an interval that knows they come in incidents.

    >>> share = proportion("answered", [True, True, True, False], incident=["a", "a", "b", "c"])
    >>> share.value, share.numerator, share.n
    (0.75, 3, 4)

    The interval is `intervals.clustered_wilson`; with one narrative an incident the plain Wilson interval.
    """
    codes, clusters = counts.columns(hits, incident=incident)
    everything = np.ones_like(codes)  # hits are then tp and the others fp: the share is a precision
    share = _metric("precision", counts.cells(codes, everything, clusters))
    why = "there is nothing to count" if share.value is None else share.why
    return replace(share, name=name, always_no=None, why=why)


# --- any two coders ---------------------------------------------------------------------------------------


def cohen_kappa(first: Iterable[Hashable], second: Iterable[Hashable]) -> Metric:
    """Cohen's kappa of two coders or experiments, over the narratives both decided; any set of categories.

    >>> first = [True] * 25 + [False] * 25
    >>> kappa = cohen_kappa(first, [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15)
    >>> round(kappa.value, 3), round(kappa.low, 3), round(kappa.high, 3), kappa.n
    (0.4, 0.151, 0.649, 50)

    The interval is the asymptotic one and takes narratives as independent; for flags against labels by
    incident take `scorecard(…)["kappa"]`.

    Raises:
        ConfigError: for columns of different lengths.
    """
    one, two = list(first), list(second)
    counts.refuse_uneven(one, two)
    pairs = [(a, b) for a, b in zip(one, two, strict=True) if not (counts.missing(a) or counts.missing(b))]
    places: dict[Hashable, int] = {}
    for decision in itertools.chain.from_iterable(pairs):
        places.setdefault(decision, len(places))
    if len(places) < 2:  # noqa: PLR2004 - chance agreement is then 1
        why = "both give one and the same answer throughout" if pairs else "no narrative was decided by both"
        return Metric("kappa", None, None, None, len(pairs), None, None, why)
    table = np.zeros((len(places), len(places)))
    for (row, column), count in Counter(pairs).items():
        table[places[row], places[column]] = count
    with np.errstate(invalid="ignore"):  # a variance of zero may come out a hair below it
        result = sm.stats.cohens_kappa(table)
    kappa, error = float(result.kappa), float(result.std_kappa)
    interval = intervals.around(kappa, intervals.normal() * error)
    return Metric("kappa", kappa, *intervals.bounds(interval), len(pairs), None, None, intervals.reason(interval))


# --- one figure -------------------------------------------------------------------------------------------


def _metric(name: str, cells: Floats) -> Metric:
    total = cells.sum(axis=0)
    value = counts.value(name, total)
    interval = counts.why_undefined(name, total) if value is None else _interval(name, cells)
    tp, fp, fn, tn = total
    return Metric(
        name,
        value,
        *intervals.bounds(interval),
        n=int(total @ counts.counted(name)),
        numerator=counts.numerator(name, total),
        always_no=counts.value(name, np.array([0, 0, tp + fn, fp + tn])),
        why=intervals.reason(interval),
    )


def _interval(name: str, cells: Floats) -> Interval:
    if name in {"kappa", "mcc"}:
        return intervals.jackknife(lambda sums: counts.values(name, sums), cells)
    if name == "f1":
        jaccard = _interval("jaccard", cells)
        return jaccard if isinstance(jaccard, str) else (_f1(jaccard[0]), _f1(jaccard[1]))
    above, below = counts.RATIOS[name]
    return intervals.clustered_wilson(cells @ above, cells @ below)


def _f1(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)
