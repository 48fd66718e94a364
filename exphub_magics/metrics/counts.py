"""Columns of answers as counts of tp, fp, fn and tn by incident, and the value that a metric takes from them.

Columns hold True, False and None, and a missing answer is never a "no": a narrative counts where it is both
labelled and answered.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from exphub_magics import lazily
from exphub_magics.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Codes: TypeAlias = npt.NDArray[np.int64]
    Floats: TypeAlias = npt.NDArray[np.float64]
else:
    np = lazily.load("numpy")
    pd = lazily.load("pandas")

Answers: TypeAlias = Iterable[bool | None]
Incidents: TypeAlias = Iterable[Hashable]

# A ratio's numerator and denominator as weights of tp, fp, fn, tn; F1 is such a ratio too.
RATIOS = {
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
_CODES = {True: 1, False: 0, None: -1}


# --- columns ----------------------------------------------------------------------------------------------


def columns(*answers: Answers, incident: Incidents | None = None) -> tuple[Codes, ...]:
    """Each column as 1, 0 and -1 (missing), then the incidents as numbers from 0.

    >>> [column.tolist() for column in columns([True, None, False], incident=["b", "b", None])]
    [[1, -1, 0], [0, 0, 1]]

    Left out, or where an entry is None, a narrative is an incident of its own.

    Raises:
        ConfigError: for columns of different lengths, or an entry that is not True, False or None.
    """
    listed = [list(column) for column in answers]
    incidents = list(incident) if incident is not None else [None] * len(listed[0])
    refuse_uneven(*listed, incidents)
    numbers: dict[Hashable, int] = {}
    own = (numbers.setdefault(object() if one is None else one, len(numbers)) for one in incidents)
    clusters = np.fromiter(own, np.int64, len(incidents))
    return (*(np.fromiter(map(_code, column), np.int64, len(column)) for column in listed), clusters)


def refuse_uneven(*columns: Sequence[Hashable]) -> None:
    """Refuse columns that cannot be paired, for they have different lengths.

    >>> refuse_uneven([True], [True, False])
    Traceback (most recent call last):
    exphub_magics.errors.ConfigError: columns of 1, 2 entries cannot be paired: give each one entry a narrative
    """
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(f"{len(column):,}" for column in columns)
        raise ConfigError(f"columns of {lengths} entries cannot be paired: give each one entry a narrative")


def missing(answer: Any) -> bool:
    """Whether an answer is none, in whichever way a frame says so.

    >>> missing(None), missing(float("nan")), missing(False)
    (True, True, False)
    """
    return answer is None or bool(pd.isna(answer))


def _code(answer: Any) -> int:
    code = _CODES.get(answer)
    if code is not None:
        return code
    if missing(answer):
        return -1
    raise ConfigError(f"an answer is True, False or None, not {answer!r}: convert the column first")


def cells(labels: Codes, flags: Codes, clusters: Codes) -> Floats:
    """Counts (incident, 4) of tp, fp, fn, tn, for the incidents that have any.

    >>> cells(*columns([True, True, False], [True, False, None], incident=["a", "a", "b"])).tolist()
    [[1.0, 0.0, 1.0, 0.0]]
    """
    known = (labels >= 0) & (flags >= 0)
    present, places = np.unique(clusters[known], return_inverse=True)
    kind = 2 * (1 - flags[known]) + (1 - labels[known])
    counts = np.bincount(4 * places + kind, minlength=4 * len(present))
    return counts.reshape(len(present), 4).astype(np.float64)


# --- values -----------------------------------------------------------------------------------------------


def values(name: str, counts: Floats) -> Floats:
    """A metric for each row of (…, 4) counts; nan where undefined.

    >>> values("recall", np.array([[3.0, 0.0, 1.0, 5.0], [0.0, 1.0, 0.0, 5.0]])).tolist()
    [0.75, nan]
    """
    with np.errstate(invalid="ignore"):  # 0/0, the only way to be undefined
        if name in RATIOS:
            above, below = RATIOS[name]
            return np.asarray((counts @ above) / (counts @ below))
        tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
        flagged, rest, positive, negative = tp + fp, fn + tn, tp + fn, fp + tn
        cross = tp * tn - fp * fn
        if name == "kappa":
            return np.asarray(2 * cross / (flagged * negative + positive * rest))
        return np.asarray(cross / np.sqrt(flagged * rest * positive * negative))


def value(name: str, counts: Floats) -> float | None:
    """A metric of four counts; None where undefined.

    >>> value("precision", np.array([0.0, 0.0, 2.0, 5.0])) is None
    True
    """
    found = values(name, counts)
    return None if np.isnan(found) else float(found)


def counted(name: str) -> tuple[int, int, int, int]:
    """Which of tp, fp, fn, tn a metric is computed from.

    >>> counted("f1")
    (1, 1, 1, 0)
    """
    return _FROM[name] if name in _FROM else RATIOS[name][1]


def numerator(name: str, counts: Floats) -> int | None:
    """What a share counts, such as the true positives of a recall; None for a metric that is no share.

    >>> numerator("agreement", np.array([3.0, 1.0, 0.0, 5.0])), numerator("f1", np.array([3.0, 1.0, 0.0, 5.0]))
    (8, None)
    """
    return None if name in _FROM else int(counts @ RATIOS[name][0])


def why_undefined(name: str, counts: Floats) -> str:
    """In plain words why a metric has no value.

    >>> why_undefined("precision", np.array([0.0, 0.0, 2.0, 5.0]))
    'no labelled narrative was flagged'
    """
    return _UNDEFINED[name] if counts.any() else _UNDEFINED["agreement"]
