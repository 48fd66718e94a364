"""Two experiments on the same narratives: who is right where, and whether the difference is more than chance.

Columns are as for a scorecard. The incident, not the narrative, is the unit that was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exphub_magics import lazily
from exphub_magics.metrics import counts, intervals
from exphub_magics.metrics.counts import Answers, Incidents
from exphub_magics.metrics.intervals import LEVEL

if TYPE_CHECKING:
    import numpy as np
    import statsmodels.api as sm

    from exphub_magics.metrics.intervals import Floats
else:
    np = lazily.load("numpy")
    # The parent package is empty, so that loading it at once, which the warning is about, costs nothing.
    sm = lazily.load("statsmodels.api")

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
        return f"{moved}, p {p_in_words(self.p_value)} (paired, by incident): {self._outcome(self.p_value)}"

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
    sides = [counts.cells(labels, flags, clusters) for flags in (one, two)]
    pair = np.stack(sides, axis=1)
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


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted by Holm's method for how many comparisons are shown together; a missing one is not counted.

    >>> holm([0.01, 0.04, 0.03, None, 0.005])
    [0.03, 0.06, 0.06, None, 0.02]
    """
    known = [p_value for p_value in p_values if p_value is not None]
    if len(known) < 2:  # noqa: PLR2004 - one alone needs no adjustment, nor statsmodels loaded
        return list(p_values)
    adjusted = map(float, sm.stats.multipletests(known, method="holm")[1])
    return [None if p_value is None else next(adjusted) for p_value in p_values]


# --- differences ------------------------------------------------------------------------------------------


def _difference(name: str, pair: Floats) -> Difference:
    """Second minus first, from counts (incident, 2, 4)."""
    totals = pair.sum(axis=0)
    first, second = (counts.value(name, total) for total in totals)
    if first is None or second is None:
        return Difference(None, None, None, counts.why_undefined(name, totals[0 if first is None else 1]))
    p_value = None
    if name in _PAIRED:
        gains, sizes = _gains(name, pair)
        interval, p_value = intervals.clustered_mean(gains, sizes), intervals.sign_flip(gains)
    else:
        limit = 2.0 if name == "kappa" else 1.0  # kappa itself goes from -1 to 1
        telling = _telling(name, pair)
        interval = intervals.jackknife(lambda sums: np.diff(counts.values(name, sums))[..., 0], telling, limit=limit)
    return Difference(second - first, *intervals.bounds(interval), intervals.reason(interval), p_value)


def _telling(name: str, pair: Floats) -> Floats:
    """The incidents that the metric is about: the others are no evidence."""
    telling: Floats = pair[(pair @ counts.counted(name)).any(axis=1)]
    return telling


def _gains(name: str, pair: Floats) -> tuple[Floats, Floats]:
    """How many more the second gets right in each incident that the metric is about, and of how many."""
    telling = _telling(name, pair)
    return (telling[:, 1] - telling[:, 0]) @ counts.RATIOS[name][0], telling[:, 0] @ counts.counted(name)


def _more_positives(pair: Floats, discordant: int, recall: Difference) -> int | None:
    """Positives still needed to tell the recalls apart: Connor's paired formula (1987), times the deff."""
    if not recall.value or recall.low is None or recall.distinguishable:
        return None
    gains, sizes = _gains("recall", pair)
    n, gap = float(sizes.sum()), recall.value
    share = discordant / n
    spread = share - gap**2
    if n < 2 or spread <= 0:  # noqa: PLR2004 - one positive has no spread
        return None
    deff = max(1.0, intervals.robust_error(gains, sizes) ** 2 * (n - 1) / spread)
    reach = intervals.normal() * math.sqrt(share) + intervals.normal(_POWER) * math.sqrt(spread)
    more = math.ceil((reach / gap) ** 2 * deff - n)
    return more if more > 0 else None


# --- words ------------------------------------------------------------------------------------------------


def _why_no_test(n_common: int) -> str:
    if n_common == 0:
        return "no labelled narrative was answered by both"
    return f"the two say the same about every one of the {n_common:,} labelled narratives that both answered"


def p_in_words(p_value: float, *, places: int | None = None) -> str:
    """A p-value to so many places; left out, to two, or to three where two would hide on which side it is.

    >>> p_in_words(0.061), p_in_words(0.0497), p_in_words(0.061, places=3), p_in_words(0.0002)
    ('= .06', '= .050', '= .061', '< .001')
    """
    if p_value < 0.001:  # noqa: PLR2004 - the usual floor
        return "< .001"
    if places is None:
        places = 3 if p_value < 0.01 or round(p_value, 2) == LEVEL else 2  # noqa: PLR2004 - as above
    return f"= {p_value:.{places}f}".replace("0.", ".", 1)


def _two_digits(number: int) -> int:
    return round(number, 2 - len(str(number)))
