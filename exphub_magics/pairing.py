"""Two experiments on the same narratives: who is right where, and whether the difference is more than chance.

Columns are as for a scorecard. The incident, not the narrative, is the unit that was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lazy_loader

from exphub_magics import counts, intervals
from exphub_magics.counts import Answers, Incidents
from exphub_magics.intervals import LEVEL, Floats

if TYPE_CHECKING:
    import numpy as np
    import statsmodels.api as sm
else:
    np = lazy_loader.load("numpy")
    # The parent package is empty, so that loading it at once, which the warning is about, costs nothing.
    sm = lazy_loader.load("statsmodels.api", suppress_warning=True)

COMPARED = ("precision", "recall", "specificity", "f1", "agreement", "kappa")
_PAIRED = ("recall", "specificity", "agreement")  # whose denominators are the same in both
_POWER = 0.80


@dataclass(frozen=True, slots=True)
class Difference:
    """Second minus first, with its 95 % interval; None where undefined, and why.

    Recall, specificity and agreement have the sign-flip p-value of `compare` as well.
    """

    value: float | None
    low: float | None
    high: float | None
    why: str | None = None
    p_value: float | None = None

    @property
    def distinguishable(self) -> bool:
        """Whether the p-value, or where there is none the interval, tells the difference from zero."""
        if self.p_value is not None:
            return self.p_value < LEVEL
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    def as_json(self) -> dict[str, Any]:
        """The value, its bounds and its p-value if it has one; what is undefined says why."""
        more = {"p_value": self.p_value, "why": self.why}
        known = {name: one for name, one in more.items() if one is not None}
        return {"value": self.value, "low": self.low, "high": self.high, **known}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two experiments on the labelled narratives that both answered; `n_excluded` lack an answer of either.

    `more_positives` is roughly how many more narratives labelled yes would tell the recalls apart, at 80 %
    power and if what was seen so far is typical; None where they are told apart or nothing can be said.
    """

    first: str
    second: str
    n_common: int
    n_excluded: int
    both_right: int
    only_first_right: int
    only_second_right: int
    both_wrong: int
    p_value: float | None
    method: str
    differences: Mapping[str, Difference]
    more_positives: int | None
    why: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The comparison as `compare --json` prints it."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in {"differences", "why"}}
        difference = {name: one.as_json() for name, one in self.differences.items()}
        return {**plain, "difference": difference} | ({} if self.why is None else {"why": self.why})

    def verdict(self) -> str:
        """What the comparison comes to, in one sentence."""
        if self.p_value is None:
            return self.why or ""
        moved = f"{self.only_second_right:,} newly right, {self.only_first_right:,} newly wrong"
        return f"{moved}, p {_p_in_words(self.p_value)} (paired, by incident): {self._outcome(self.p_value)}"

    def _outcome(self, p_value: float) -> str:
        if p_value < LEVEL:
            better = self.second if self.only_second_right > self.only_first_right else self.first
            return f"{better} is right more often"
        apart = [
            f"{name} {'rose' if (self.differences[name].value or 0) > 0 else 'fell'}"
            for name in ("recall", "specificity")
            if self.differences[name].distinguishable
        ]
        if apart:
            return f"not distinguishable overall, but {' and '.join(apart)}"
        if self.more_positives is None:
            return "not yet distinguishable"
        more = f"{_two_digits(self.more_positives):,} more positive{'s' if self.more_positives > 1 else ''}"
        return f"not yet distinguishable; about {more} would tell"


# --- two experiments --------------------------------------------------------------------------------------


def compare(
    truth: Answers,
    first: Answers,
    second: Answers,
    *,
    incident: Incidents | None = None,
    names: tuple[str, str] = ("first", "second"),
) -> Comparison:
    """Compare two experiments on the labelled narratives that both answered.

    >>> both = compare([True] * 8, [True] + [False] * 7, [False] + [True] * 7)
    >>> both.only_first_right, both.only_second_right, round(both.p_value, 4)
    (1, 7, 0.0703)
    >>> print(both.verdict())
    7 newly right, 1 newly wrong, p = .07 (paired, by incident): not yet distinguishable; about 4 more
    positives would tell

    The p-value flips the sign of each incident's net gain in right answers in all possible ways; the
    distribution of the sum is a convolution of binomials, hence exact for any number of incidents. With one
    narrative an incident it is the exact McNemar test. Differences in recall, specificity and agreement are
    paired means with cluster-robust errors; those in precision, F1 and kappa leave out one incident at a
    time. All use Student's t.

    Raises:
        ConfigError: for columns of different lengths, or an entry that is not True, False or None.
    """
    labels, one, two, clusters = counts.columns(truth, first, second, incident=incident)
    common = (labels >= 0) & (one >= 0) & (two >= 0)
    excluded = int((labels >= 0).sum() - common.sum())
    labels, one, two, clusters = (column[common] for column in (labels, one, two, clusters))
    pair = np.stack(  # noqa: PD013 - of arrays, not of a frame
        [counts.cells(labels, flags, clusters) for flags in (one, two)], axis=1
    )
    differences = {name: _difference(name, pair) for name in COMPARED}
    right, flips = one == labels, one != two
    p_value = differences["agreement"].p_value if flips.any() else None
    return Comparison(
        *names,
        n_common=len(labels),
        n_excluded=excluded,
        both_right=int((right & ~flips).sum()),
        only_first_right=int((right & flips).sum()),
        only_second_right=int((~right & flips).sum()),
        both_wrong=int((~right & ~flips).sum()),
        p_value=p_value,
        method="sign-flip permutation by incident, exact",
        differences=differences,
        more_positives=_more_positives(pair, int((flips & (labels == 1)).sum()), differences["recall"]),
        why=_why_no_test(len(labels)) if p_value is None else None,
    )


HOLM

# --- differences ------------------------------------------------------------------------------------------


def _difference(name: str, pair: Floats) -> Difference:
    """Second minus first, from counts (incident, 2, 4)."""
    totals = pair.sum(axis=0)
    first, second = map(_number, counts.values(name, totals))
    if first is None or second is None:
        return Difference(None, None, None, counts.why_undefined(name, totals[0 if first is None else 1]))
    pair = pair[(pair @ counts.counted(name)).any(axis=1)]  # the others say nothing about it and are no evidence
    if name in _PAIRED:
        gains = _gains(name, pair)
        interval = intervals.clustered_mean(gains, pair[:, 0] @ counts.counted(name))
        return Difference(second - first, *intervals.bounds(interval), intervals.reason(interval), intervals.sign_flip(gains))
    limit = 2.0 if name == "kappa" else 1.0  # kappa itself goes from -1 to 1
    interval = intervals.jackknife(lambda counts: np.diff(counts.values(name, counts))[..., 0], pair, limit=limit)
    return Difference(second - first, *intervals.bounds(interval), intervals.reason(interval))


def _gains(name: str, pair: Floats) -> Floats:
    """How many more the second gets right in each incident, of those the metric is about."""
    gains: Floats = (pair[:, 1] - pair[:, 0]) @ counts.RATIOS[name][0]
    return gains


def _clustered_mean(gains: Floats, sizes: Floats) -> Interval:
    clusters = len(sizes)
    if clusters == 1:
        return _ONE_INCIDENT
    return intervals.around(float(gains.sum() / sizes.sum()), _student(clusters) * intervals.robust_error(gains, sizes))


def _robust_error(gains: Floats, sizes: Floats) -> float:
    """The cluster-robust error of a mean: least squares on a constant, in closed form."""
    clusters, n = len(sizes), sizes.sum()
    spread = ((gains - gains.sum() / n * sizes) ** 2).sum()
    return math.sqrt(clusters / (clusters - 1) * spread) / float(n)


def _sign_flip(nets: Floats) -> float:
    """How often random signs make the sum of the incidents' nets at least as far from zero as it is."""
    steps, counts = np.unique(np.abs(nets[nets != 0]).astype(np.int64), return_counts=True)
    chances = np.ones(1)  # of each number of steps up, from none to all
    for step, count in zip(steps, counts, strict=True):
        ups = np.zeros(step * count + 1)
        ups[::step] = scipy.stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, ups)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(nets.sum())].sum()))


def _more_positives(pair: Floats, discordant: int, recall: Difference) -> int | None:
    """Positives still needed to tell the recalls apart: Connor's paired formula (1987), times the deff."""
    if not recall.value or recall.low is None or recall.distinguishable:
        return None
    pair = pair[(pair @ counts.counted("recall")).any(axis=1)]
    sizes = pair[:, 0] @ counts.counted("recall")
    n, gap = float(sizes.sum()), recall.value
    share = discordant / n
    spread = share - gap**2
    if n < 2 or spread <= 0:  # noqa: PLR2004 - one positive has no spread
        return None
    deff = max(1.0, intervals.robust_error(_gains("recall", pair), sizes) ** 2 * (n - 1) / spread)
    reach = intervals.normal() * math.sqrt(share) + intervals.normal(_POWER) * math.sqrt(spread)
    more = math.ceil((reach / gap) ** 2 * deff - n)
    return more if more > 0 else None


# --- words ------------------------------------------------------------------------------------------------


def _why_undefined(name: str, total: Floats) -> str:
    return _UNDEFINED[name] if total.any() else _UNDEFINED["agreement"]


def _why_no_test(n_common: int) -> str:
    if n_common == 0:
        return "no labelled narrative was answered by both"
    return f"the two say the same about every one of the {n_common:,} labelled narratives that both answered"


def _p_in_words(p_value: float) -> str:
    """A p-value to two places, or three where two would hide which side of the line it is on."""
    if p_value < 0.001:  # noqa: PLR2004 - the usual floor
        return "< .001"
    places = 3 if p_value < 0.01 or round(p_value, 2) == LEVEL else 2  # noqa: PLR2004 - as above
    return f"= {p_value:.{places}f}".replace("0.", ".", 1)


def _two_digits(number: int) -> int:
    return round(number, 2 - len(str(number)))
