"""How far flags can be trusted: counts, shares with intervals, paired comparisons, agreement.

Everything takes plain columns of True, False and None, and a missing answer is never a "no": a narrative
counts where it is both labelled and answered. Narratives of one incident are not independent, so every
interval and test takes the incident, not the narrative, as the unit that was drawn.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import lazy_loader

from exphub_magics.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import scipy
    import statsmodels.api as sm

    Codes: TypeAlias = npt.NDArray[np.int64]
    Floats: TypeAlias = npt.NDArray[np.float64]
else:
    np = lazy_loader.load("numpy")
    pd = lazy_loader.load("pandas")
    scipy = lazy_loader.load("scipy")
    # The parent package is empty, so that loading it at once, which the warning is about, costs nothing.
    sm = lazy_loader.load("statsmodels.api", suppress_warning=True)

Answers: TypeAlias = Iterable[bool | None]
Incidents: TypeAlias = Iterable[Hashable]
Interval: TypeAlias = tuple[float, float] | str
"""The bounds of a 95 % interval, or in plain words why there is none."""

METRICS = ("precision", "recall", "specificity", "npv", "f1", "agreement", "jaccard", "kappa", "mcc")
COMPARED = ("precision", "recall", "specificity", "f1", "agreement", "kappa")
_PAIRED = ("recall", "specificity", "agreement")  # whose denominators are the same in both

# A ratio's numerator and denominator as weights of tp, fp, fn, tn; F1 is such a ratio too.
_RATIOS = {
    "precision": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "recall": ((1, 0, 0, 0), (1, 0, 1, 0)),
    "specificity": ((0, 0, 0, 1), (0, 1, 0, 1)),
    "npv": ((0, 0, 0, 1), (0, 0, 1, 1)),
    "f1": ((2, 0, 0, 0), (2, 1, 1, 0)),
    "agreement": ((1, 0, 0, 1), (1, 1, 1, 1)),
    "jaccard": ((1, 0, 0, 0), (1, 1, 1, 0)),
}
# Which of tp, fp, fn, tn a metric is computed from, where that is not its denominator.
_FROM = {"f1": (1, 1, 1, 0), "kappa": (1, 1, 1, 1), "mcc": (1, 1, 1, 1)}

_UNDEFINED = {
    "precision": "no labelled narrative was flagged",
    "recall": "no answered narrative is labelled yes",
    "specificity": "no answered narrative is labelled no",
    "npv": "every labelled narrative was flagged",
    "f1": "no answered narrative is flagged or labelled yes",
    "agreement": "no narrative is both labelled and answered",  # then all the others are undefined as well
    "jaccard": "no answered narrative is flagged or labelled yes",
    "kappa": "every label and every flag is the same",
    "mcc": "the labels or the flags are all the same",
}
_ONE_INCIDENT = "all of it comes from one incident, which shows no spread between incidents"
_TOO_FEW = "too few incidents: without one of them it is undefined"
_NO_SPREAD = "no incident differs from the others, so its spread cannot be estimated"

_LEVEL = 0.05
_UPPER = 1 - _LEVEL / 2
_POWER = 0.80
_CODES = {True: 1, False: 0, None: -1}


# --- values -----------------------------------------------------------------------------------------------


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
            return self.p_value < _LEVEL
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
        if p_value < _LEVEL:
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


# --- one experiment ---------------------------------------------------------------------------------------


def confusion(truth: Answers, flag: Answers) -> Confusion:
    """Count flags against labels; a pair with a missing side is left out.

    >>> confusion([True, True, False, None, True], [True, False, False, True, None])
    Confusion(tp=1, fp=0, fn=1, tn=1)

    Raises:
        ConfigError: for columns of different lengths, or an entry that is not True, False or None.
    """
    labels, flags, _ = _columns(truth, flag)
    tp, fp, fn, tn = map(int, _cells(labels, flags, np.zeros_like(labels)).sum(axis=0))
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
    labels, flags, clusters = _columns(truth, flag, incident=incident)
    cells = _cells(labels, flags, clusters)
    return {name: _metric(name, cells) for name in METRICS}


def recall_missing_as_missed(truth: Answers, flag: Answers, *, incident: Incidents | None = None) -> Metric:
    """Recall when a narrative that is labelled yes and has no answer counts as a miss.

    >>> recall_missing_as_missed([True, True, True, False], [True, True, None, None]).value
    0.6666666666666666
    """
    labels, flags, clusters = _columns(truth, flag, incident=incident)
    labels = np.where(labels == 1, 1, -1)
    recall = _metric("recall", _cells(labels, np.maximum(flags, 0), clusters))
    why = "no narrative is labelled yes" if recall.value is None else recall.why
    return replace(recall, name="recall, missing as missed", why=why)


def recall_bounds(truth: Answers, flag: Answers) -> tuple[float, float] | None:
    """Recall if all missing answers were wrong, and if all were right; None where nothing is labelled yes.

    >>> recall_bounds([True, True, True, True], [True, False, True, None])
    (0.5, 0.75)

    These are worst-case bounds in the sense of Manski; they say nothing about sampling.
    """
    labels, flags, _ = _columns(truth, flag)
    answers = flags[labels == 1]
    if not len(answers):
        return None
    return float((answers == 1).mean()), float((answers != 0).mean())


def proportion(name: str, hits: Answers, *, incident: Incidents | None = None) -> Metric:
    """The share of narratives that are a hit, with an interval that knows they come in incidents.

    >>> share = proportion("answered", [True, True, True, False], incident=["a", "a", "b", "c"])
    >>> share.value, share.numerator, share.n
    (0.75, 3, 4)

    The interval is Wilson's on the effective sample size n/deff, with Student's t for K incidents (Korn and
    Graubard 1998). With x_k hits among an incident's m_k narratives the design effect is
    K/(K-1) Σ(x_k - p m_k)² / (n p (1-p)), at least 1; where all or none are hits, its greatest possible value
    Σ m_k² / n. With one narrative an incident this is the plain Wilson interval.
    """
    codes, clusters = _columns(hits, incident=incident)
    everything = np.ones_like(codes)  # hits are then tp and the others fp: the share is a precision
    share = _metric("precision", _cells(codes, everything, clusters))
    why = "there is nothing to count" if share.value is None else share.why
    return replace(share, name=name, always_no=None, why=why)


def wilson(successes: float, n: float, *, deff: float = 1.0, clusters: int | None = None) -> tuple[float, float]:
    """The 95 % Wilson interval of a proportion, on the effective sample size where there is clustering.

    >>> low, high = wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)

    `deff` divides n; `clusters` (K) then replaces the normal quantile by Student's with K-1 degrees of
    freedom.

    Raises:
        ConfigError: for an empty sample, or fewer than two clusters.
    """
    if n <= 0 or (clusters is not None and clusters < 2):  # noqa: PLR2004 - spread needs two
        raise ConfigError("an interval needs something to count and, with clusters, at least two: report the count")
    z = float(scipy.special.ndtri(_UPPER))
    size = float(n / deff) * (1.0 if clusters is None else (z / _student(clusters)) ** 2)
    share = float(successes / n)
    centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    reach = z * math.sqrt(share * (1 - share) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    return (0.0 if share == 0 else centre - reach), (1.0 if share == 1 else centre + reach)


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
    labels, one, two, clusters = _columns(truth, first, second, incident=incident)
    common = (labels >= 0) & (one >= 0) & (two >= 0)
    excluded = int((labels >= 0).sum() - common.sum())
    labels, one, two, clusters = (column[common] for column in (labels, one, two, clusters))
    pair = np.stack(  # noqa: PD013 - of arrays, not of a frame
        [_cells(labels, flags, clusters) for flags in (one, two)], axis=1
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
    _refuse_uneven(one, two)
    pairs = [(a, b) for a, b in zip(one, two, strict=True) if not (_missing(a) or _missing(b))]
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
    interval = _clipped(kappa, _normal() * error)
    return Metric("kappa", kappa, *_bounds(interval), len(pairs), None, None, _reason(interval))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted by Holm's method for how many comparisons are shown together.

    >>> holm([0.01, 0.04, 0.03, 0.005])
    [0.03, 0.06, 0.06, 0.02]
    """
    if not len(p_values):
        return []
    return [float(adjusted) for adjusted in sm.stats.multipletests(p_values, method="holm")[1]]


# --- columns ----------------------------------------------------------------------------------------------


def _columns(*answers: Answers, incident: Incidents | None = None) -> tuple[Codes, ...]:
    """Each column as 1, 0 and -1 (missing), then the incidents as numbers from 0."""
    columns = [list(column) for column in answers]
    incidents = list(incident) if incident is not None else [None] * len(columns[0])
    _refuse_uneven(*columns, incidents)
    numbers: dict[Hashable, int] = {}
    own = (numbers.setdefault(object() if one is None else one, len(numbers)) for one in incidents)
    clusters = np.fromiter(own, np.int64, len(incidents))
    return (*(np.fromiter(map(_code, column), np.int64, len(column)) for column in columns), clusters)


def _refuse_uneven(*columns: Sequence[Hashable]) -> None:
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(f"{len(column):,}" for column in columns)
        raise ConfigError(f"columns of {lengths} entries cannot be paired: give each one entry a narrative")


def _code(answer: Any) -> int:
    code = _CODES.get(answer)
    if code is not None:
        return code
    if _missing(answer):
        return -1
    raise ConfigError(f"an answer is True, False or None, not {answer!r}: convert the column first")


def _missing(answer: Any) -> bool:
    return answer is None or bool(pd.isna(answer))


def _cells(labels: Codes, flags: Codes, clusters: Codes) -> Floats:
    """Counts (incident, 4) of tp, fp, fn, tn, for the incidents that have any."""
    known = (labels >= 0) & (flags >= 0)
    present, places = np.unique(clusters[known], return_inverse=True)
    kind = 2 * (1 - flags[known]) + (1 - labels[known])
    counts = np.bincount(4 * places + kind, minlength=4 * len(present))
    return counts.reshape(len(present), 4).astype(np.float64)


# --- one figure -------------------------------------------------------------------------------------------


def _metric(name: str, cells: Floats) -> Metric:
    total = cells.sum(axis=0)
    value = _number(_values(name, total))
    interval = _why_undefined(name, total) if value is None else _interval(name, cells)
    tp, fp, fn, tn = total
    return Metric(
        name,
        value,
        *_bounds(interval),
        n=int(total @ _counted(name)),
        numerator=int(total @ _RATIOS[name][0]) if name in _RATIOS and name not in _FROM else None,
        always_no=_number(_values(name, np.array([0, 0, tp + fn, fp + tn]))),
        why=_reason(interval),
    )


def _values(name: str, cells: Floats) -> Floats:
    """A metric for each row of (…, 4) counts; nan where undefined."""
    with np.errstate(invalid="ignore"):  # 0/0, the only way to be undefined
        if name in _RATIOS:
            above, below = _RATIOS[name]
            return np.asarray((cells @ above) / (cells @ below))
        tp, fp, fn, tn = np.moveaxis(cells, -1, 0)
        flagged, rest, positive, negative = tp + fp, fn + tn, tp + fn, fp + tn
        cross = tp * tn - fp * fn
        if name == "kappa":
            return np.asarray(2 * cross / (flagged * negative + positive * rest))
        return np.asarray(cross / np.sqrt(flagged * rest * positive * negative))


def _counted(name: str) -> tuple[int, int, int, int]:
    """Which of tp, fp, fn, tn a metric is computed from."""
    return _FROM[name] if name in _FROM else _RATIOS[name][1]


def _number(value: Floats) -> float | None:
    return None if np.isnan(value) else float(value)


# --- intervals --------------------------------------------------------------------------------------------


def _interval(name: str, cells: Floats) -> Interval:
    if name in {"kappa", "mcc"}:
        return _jackknife(lambda counts: _values(name, counts), cells)
    if name == "f1":
        jaccard = _interval("jaccard", cells)
        return jaccard if isinstance(jaccard, str) else (_f1(jaccard[0]), _f1(jaccard[1]))
    above, below = _RATIOS[name]
    return _clustered_wilson(cells @ above, cells @ below)


def _f1(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)


def _clustered_wilson(hits: Floats, sizes: Floats) -> Interval:
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


def _jackknife(statistic: Callable[[Floats], Floats], cells: Floats, *, limit: float = 1.0) -> Interval:
    """Student's t about the value, with the delete-one-incident error; `cells` has incidents first."""
    clusters = len(cells)
    if clusters == 1:
        return _ONE_INCIDENT
    total = cells.sum(axis=0)
    without = statistic(total - cells)
    if np.isnan(without).any():
        return _TOO_FEW
    error = math.sqrt((clusters - 1) / clusters * ((without - without.mean()) ** 2).sum())
    return _clipped(float(statistic(total)), _student(clusters) * error, limit=limit)


def _clipped(value: float, reach: float, *, limit: float = 1.0) -> Interval:
    if math.isnan(reach) or reach < 1e-9:  # noqa: PLR2004 - nought but for rounding
        return _NO_SPREAD
    return max(-limit, value - reach), min(limit, value + reach)


def _student(clusters: int) -> float:
    return float(scipy.special.stdtrit(clusters - 1, _UPPER))


def _normal(level: float = _UPPER) -> float:
    return float(scipy.special.ndtri(level))


def _bounds(interval: Interval) -> tuple[float | None, float | None]:
    return (None, None) if isinstance(interval, str) else interval


def _reason(interval: Interval) -> str | None:
    return interval if isinstance(interval, str) else None


# --- differences ------------------------------------------------------------------------------------------


def _difference(name: str, pair: Floats) -> Difference:
    """Second minus first, from counts (incident, 2, 4)."""
    totals = pair.sum(axis=0)
    first, second = map(_number, _values(name, totals))
    if first is None or second is None:
        return Difference(None, None, None, _why_undefined(name, totals[0 if first is None else 1]))
    pair = pair[(pair @ _counted(name)).any(axis=1)]  # the others say nothing about it and are no evidence
    if name in _PAIRED:
        gains = _gains(name, pair)
        interval = _clustered_mean(gains, pair[:, 0] @ _counted(name))
        return Difference(second - first, *_bounds(interval), _reason(interval), _sign_flip(gains))
    limit = 2.0 if name == "kappa" else 1.0  # kappa itself goes from -1 to 1
    interval = _jackknife(lambda counts: np.diff(_values(name, counts))[..., 0], pair, limit=limit)
    return Difference(second - first, *_bounds(interval), _reason(interval))


def _gains(name: str, pair: Floats) -> Floats:
    """How many more the second gets right in each incident, of those the metric is about."""
    gains: Floats = (pair[:, 1] - pair[:, 0]) @ _RATIOS[name][0]
    return gains


def _clustered_mean(gains: Floats, sizes: Floats) -> Interval:
    clusters = len(sizes)
    if clusters == 1:
        return _ONE_INCIDENT
    return _clipped(float(gains.sum() / sizes.sum()), _student(clusters) * _robust_error(gains, sizes))


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
    pair = pair[(pair @ _counted("recall")).any(axis=1)]
    sizes = pair[:, 0] @ _counted("recall")
    n, gap = float(sizes.sum()), recall.value
    share = discordant / n
    spread = share - gap**2
    if n < 2 or spread <= 0:  # noqa: PLR2004 - one positive has no spread
        return None
    deff = max(1.0, _robust_error(_gains("recall", pair), sizes) ** 2 * (n - 1) / spread)
    reach = _normal() * math.sqrt(share) + _normal(_POWER) * math.sqrt(spread)
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
    places = 3 if p_value < 0.01 or round(p_value, 2) == _LEVEL else 2  # noqa: PLR2004 - as above
    return f"= {p_value:.{places}f}".replace("0.", ".", 1)


def _two_digits(number: int) -> int:
    return round(number, 2 - len(str(number)))
