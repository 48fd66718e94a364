"""How an experiment's answers change when it is asked again, and whether a difference is more than that.

Columns are as for a scorecard, one a repeat. Repeats are repeats of the same narratives, never more narratives; the
incident is the unit that was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exphub_magics import lazily, metrics
from exphub_magics.metrics import counts, intervals, pairing
from exphub_magics.metrics.counts import Answers, Incidents

if TYPE_CHECKING:
    import numpy as np
    import scipy

    from exphub_magics.metrics.counts import Codes
    from exphub_magics.metrics.intervals import Floats
else:
    np = lazily.load("numpy")
    scipy = lazily.load("scipy")

WITHIN = "within the noise between repeats"
BEYOND = "beyond the noise between repeats"
NO_DIFFERENCE = "no difference"
UNKNOWN = "1 repeat: noise unknown"


@dataclass(frozen=True, slots=True)
class Repeated:
    """The same narratives as each repeat answered them, all of them answered: 1 and 0, labels -1 where missing.

    `flags` is (repeat, narrative).
    """

    flags: Codes
    labels: Codes
    clusters: Codes

    @property
    def cells(self) -> Floats:
        """Counts (incident, repeat, 4) of tp, fp, fn, tn over the labelled narratives."""
        return np.stack([counts.cells(self.labels, one, self.clusters) for one in self.flags], axis=1)


def repeated(truth: Answers, flags: Sequence[Answers], *, incident: Incidents | None = None) -> Repeated:
    """Columns of flags, one a repeat; a narrative that any of them did not answer is left out.

    >>> repeated([True, False, None], [[True, False, True], [True, None, False]]).flags.tolist()
    [[1, 1], [1, 0]]

    Raises:
        ConfigError: for columns of different lengths, or an entry that is not True, False or None.
    """
    labels, *codes, clusters = counts.columns(truth, *flags, incident=incident)
    said = np.stack(codes)
    kept = (said >= 0).all(axis=0)
    return Repeated(said[:, kept], labels[kept], clusters[kept])


# --- one experiment and its repeats -----------------------------------------------------------------------


def rates(name: str, one: Repeated) -> Floats:
    """A metric of each repeat; nan where undefined.

    >>> rates("recall", repeated([True, True], [[True, True], [True, False]])).tolist()
    [1.0, 0.5]
    """
    return counts.values(name, one.cells.sum(axis=0))


def flips(one: Repeated) -> metrics.Metric:
    """The share of narratives on which the repeats do not all agree, with its interval by incident.

    >>> share = flips(repeated([None] * 4, [[True, True, False, False], [True, False, False, False]]))
    >>> share.value, share.numerator, share.n
    (0.25, 1, 4)

    It grows with the number of repeats: compare it between experiments that have as many, or take `disagreement`.
    """
    yes = one.flags.sum(axis=0)
    moved = (yes > 0) & (yes < len(one.flags))
    return metrics.proportion("flips", moved.tolist(), incident=one.clusters.tolist())


def disagreement(one: Repeated) -> float | None:
    """How often two repeats differ on a narrative, over all pairs of repeats; None with one repeat, or no narrative.

    >>> disagreement(repeated([None] * 2, [[True, True], [True, False], [True, False]]))
    0.3333333333333333
    """
    repeats, narratives = one.flags.shape
    if repeats == 1 or narratives == 0:
        return None
    yes = one.flags.sum(axis=0)
    return float((2 * yes * (repeats - yes)).mean() / (repeats * (repeats - 1)))


# --- two experiments and their repeats --------------------------------------------------------------------


def difference(first: Repeated, second: Repeated) -> pairing.Difference:
    """Mean F1 of the second's repeats minus that of the first's, on the same narratives, with its interval.

    >>> once, again = [True, False, True, False], [True, True, False, False]
    >>> round(difference(repeated(once, [again]), repeated(once, [again, once])).value, 2)
    0.25

    The interval leaves out one incident at a time, with Student's t. It holds the noise between repeats as well, which
    a mean over more of them makes smaller (Miller 2024, arXiv 2411.00640). With one repeat each it is the interval of
    `pairing.compare`.
    """
    both, repeats = np.concatenate([first.cells, second.cells], axis=1), len(first.flags)

    def gap(sums: Floats) -> Floats:
        values = counts.values("f1", sums)
        return np.asarray(values[..., repeats:].mean(axis=-1) - values[..., :repeats].mean(axis=-1))

    totals = both.sum(axis=0)
    value = float(gap(totals))
    if math.isnan(value):
        undefined = next(total for total in totals if counts.value("f1", total) is None)
        return pairing.Difference(None, None, None, counts.why_undefined("f1", undefined))
    telling = both[(both @ counts.counted("f1")).any(axis=1)]
    found = intervals.jackknife(gap, telling)
    return pairing.Difference(value, *intervals.bounds(found), intervals.reason(found))


def noise(first: Repeated, second: Repeated) -> float | None:
    """How far from nothing asking again alone brings a difference of mean F1s, 95 %; None with one repeat of either.

    >>> truth, other = [True, True, False, False], [True, False, True, False]
    >>> round(noise(repeated(truth, [truth, other]), repeated(truth, [truth, truth])), 3)
    0.976

    An answer that differs from repeat to repeat moves F1 by its slope there, (2 label - F1) / (flagged + labelled yes).
    The variance between repeats of what an incident contributes, over their number, is its part in the variance of the
    mean F1 (Miller 2024); the parts add up, since each incident is asked on its own. Student's t has the
    degrees of freedom of Welch and Satterthwaite.
    """
    if min(len(first.flags), len(second.flags)) == 1:
        return None
    parts = [(_variances(one), len(one.flags) - 1) for one in (first, second)]
    variance = sum(float(each.sum()) for each, _ in parts)
    if variance == 0:
        return 0.0
    freedom = variance**2 / sum(float((each**2).sum()) / degrees for each, degrees in parts)
    return float(scipy.special.stdtrit(freedom, intervals.UPPER)) * math.sqrt(variance)


def _variances(one: Repeated) -> Floats:
    """Each incident's part in the variance of the mean F1."""
    labelled = one.labels >= 0
    labels, flags, repeats = one.labels[labelled], one.flags[:, labelled], len(one.flags)
    mean = flags.mean(axis=0)
    size = mean.sum() + labels.sum()
    if size == 0:  # nothing is ever flagged: nothing moves
        return np.zeros(1)
    slope = (2 * labels - 2 * (mean @ labels) / size) / size
    places = np.unique(one.clusters[labelled], return_inverse=True)[1]
    moves = np.stack([np.bincount(places, weights=move) for move in (flags - mean) * slope])
    return np.asarray((moves**2).sum(axis=0) / (repeats - 1) / repeats)


def verdict(value: float, reach: float | None) -> str:
    """What a difference comes to beside the noise between repeats.

    >>> verdict(0.05, 0.02), verdict(0.05, 0.08), verdict(0.05, None)
    ('beyond the noise between repeats', 'within the noise between repeats', '1 repeat: noise unknown')
    """
    if reach is None:
        return UNKNOWN
    if abs(value) > reach + 1e-12:
        return BEYOND
    return WITHIN if reach > 0 else NO_DIFFERENCE
