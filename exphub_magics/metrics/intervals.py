"""Intervals and tests in plain numbers; the incident, not the narrative, is the unit that was drawn."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from exphub_magics import lazily
from exphub_magics.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import scipy

    Floats: TypeAlias = npt.NDArray[np.float64]
else:
    np = lazily.load("numpy")
    scipy = lazily.load("scipy")

Interval: TypeAlias = tuple[float, float] | str
"""The bounds of a 95 % interval, or in plain words why there is none."""

LEVEL = 0.05
UPPER = 1 - LEVEL / 2

_ONE_INCIDENT = "all of it comes from one incident, which shows no spread between incidents"
_TOO_FEW = "too few incidents: without one of them it is undefined"
_NO_SPREAD = "no incident differs from the others, so its spread cannot be estimated"


def bounds(interval: Interval) -> tuple[float | None, float | None]:
    """The two ends; None and None where there is no interval.

    >>> bounds((0.1, 0.3)), bounds("too few")
    ((0.1, 0.3), (None, None))
    """
    return (None, None) if isinstance(interval, str) else interval


def reason(interval: Interval) -> str | None:
    """Why there is no interval; None where there is one.

    >>> reason("too few"), reason((0.1, 0.3))
    ('too few', None)
    """
    return interval if isinstance(interval, str) else None


def normal(share: float = UPPER) -> float:
    """The standard normal distribution's quantile.

    >>> round(normal(), 3)
    1.96
    """
    return float(scipy.special.ndtri(share))


def student(clusters: int) -> float:
    """The quantile of Student's t that 95 % intervals take, with one degree of freedom less than clusters.

    >>> round(student(41), 3)
    2.021
    """
    return float(scipy.special.stdtrit(clusters - 1, UPPER))


def around(value: float, reach: float, *, limit: float = 1.0) -> Interval:
    """A value plus and minus its reach, within plus and minus `limit`; a reach of nothing claims no certainty.

    >>> around(0.75, 0.5)
    (0.25, 1.0)
    """
    if math.isnan(reach) or reach < 1e-9:  # noqa: PLR2004 - nought but for rounding
        return _NO_SPREAD
    return max(-limit, value - reach), min(limit, value + reach)


def wilson(successes: float, n: float, *, deff: float = 1.0, clusters: int | None = None) -> tuple[float, float]:
    """The 95 % Wilson interval of a proportion, on the effective sample size where there is clustering.

    >>> low, high = wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)

    `deff` divides n; `clusters` (K) then replaces the normal quantile by Student's with K-1 degrees of freedom.

    Raises:
        ConfigError: for an empty sample, or fewer than two clusters.
    """
    if n <= 0 or (clusters is not None and clusters < 2):  # noqa: PLR2004 - spread needs two
        raise ConfigError("an interval needs something to count and, with clusters, at least two: report the count")
    z = normal()
    size = float(n / deff) * (1.0 if clusters is None else (z / student(clusters)) ** 2)
    share = float(successes / n)
    centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    reach = z * math.sqrt(share * (1 - share) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    return (0.0 if share == 0 else centre - reach), (1.0 if share == 1 else centre + reach)


def clustered_wilson(hits: Floats, sizes: Floats) -> Interval:
    """Wilson's interval on the effective sample size, from each incident's hits and narratives.

    >>> low, high = clustered_wilson(np.array([2.0, 1.0, 0.0]), np.array([2.0, 2.0, 2.0]))
    >>> round(low, 3), round(high, 3)
    (0.036, 0.964)

    Korn and Graubard (1998). With x_k hits among an incident's m_k narratives the design effect is
    K/(K-1) Σ(x_k - p m_k)² / (n p (1-p)), at least 1; where all or none are hits, its greatest possible value
    Σ m_k² / n. With one narrative an incident this is the plain Wilson interval.
    """
    hits, sizes = hits[sizes > 0], sizes[sizes > 0]
    n, clusters = sizes.sum(), len(sizes)
    share = hits.sum() / n
    if n == clusters:  # all on their own: there is no design effect to estimate
        return wilson(hits.sum(), n)
    if clusters == 1:
        return _ONE_INCIDENT
    if 0 < share < 1:
        deff = clusters / (clusters - 1) * ((hits - share * sizes) ** 2).sum() / (n * share * (1 - share))
    else:
        deff = (sizes**2).sum() / n
    return wilson(hits.sum(), n, deff=max(1.0, float(deff)), clusters=clusters)


def jackknife(statistic: Callable[[Floats], Floats], cells: Floats, *, limit: float = 1.0) -> Interval:
    """Student's t about a statistic of summed counts, with the error of leaving out one incident at a time.

    >>> low, high = jackknife(lambda sums: sums[..., 0] / sums[..., 1], np.array([[1.0, 4.0], [2.0, 4.0], [2.0, 4.0]]))
    >>> round(low, 3), round(high, 3)
    (0.058, 0.775)

    `cells` has the incidents first; `statistic` takes their sum, and an array of such sums as well.
    """
    clusters = len(cells)
    if clusters == 1:
        return _ONE_INCIDENT
    total = cells.sum(axis=0)
    without = statistic(total - cells)
    if np.isnan(without).any():
        return _TOO_FEW
    error = math.sqrt((clusters - 1) / clusters * ((without - without.mean()) ** 2).sum())
    return around(float(statistic(total)), student(clusters) * error, limit=limit)


def clustered_mean(gains: Floats, sizes: Floats) -> Interval:
    """Student's t about a mean, with the cluster-robust error, from each incident's sum and narratives.

    >>> clustered_mean(np.array([3.0]), np.array([4.0]))
    'all of it comes from one incident, which shows no spread between incidents'
    """
    clusters = len(sizes)
    if clusters == 1:
        return _ONE_INCIDENT
    return around(float(gains.sum() / sizes.sum()), student(clusters) * robust_error(gains, sizes))


def robust_error(gains: Floats, sizes: Floats) -> float:
    """The cluster-robust error of a mean: least squares on a constant, in closed form.

    >>> robust_error(np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    0.5
    """
    clusters, n = len(sizes), sizes.sum()
    spread = ((gains - gains.sum() / n * sizes) ** 2).sum()
    return math.sqrt(clusters / (clusters - 1) * spread) / float(n)


def sign_flip(nets: Floats) -> float:
    """How often random signs make the sum of the incidents' nets at least as far from zero as it is.

    >>> sign_flip(np.array([1.0, 1.0, 1.0, 2.0, 0.0]))
    0.125

    The distribution of the sum is a convolution of binomials, hence exact for any number of incidents.
    """
    steps, counts = np.unique(np.abs(nets[nets != 0]).astype(np.int64), return_counts=True)
    chances = np.ones(1)  # of each number of steps up, from none to all
    for step, count in zip(steps, counts, strict=True):
        ups = np.zeros(step * count + 1)
        ups[::step] = scipy.stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, ups)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(nets.sum())].sum()))
