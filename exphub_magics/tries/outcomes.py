"""What came of a try: held against its parent, the narratives whose flag moved first, then what is wrong still."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exphub_magics import comparisons, evidence, lazily, rereading, tries
from exphub_magics.cards import listings
from exphub_magics.errors import ConfigError
from exphub_magics.hub import Hub, Row, holdings, leases
from exphub_magics.markup import TITLES, columns, decimal, interval
from exphub_magics.metrics import counts, pairing
from exphub_magics.tries.parents import Parent, model

if TYPE_CHECKING:
    import pandas as pd

    from exphub_magics.metrics.intervals import Floats
else:
    pd = lazily.load("pandas")

SHOWN = ("recall", "precision", "specificity", "f1")  # all that a verdict may name is among them
HEAD = ("parent", "this try", "difference", "95 % interval")
NEWLY_WRONG, NEWLY_RIGHT, MOVED, STILL_WRONG, WRONG, SILENT = KINDS = (
    "newly wrong",
    "newly right",
    "moved, no manual flag",
    "wrong as before",
    "wrong, the parent has no answer",
    "no answer",
)
LISTED = 8  # ids named in a line
READ = (
    "This speaks of tries over this dataset: some of these narratives may have been tried in another file, or read in "
    "browse, in review or elsewhere."
)


@dataclass(frozen=True, slots=True)
class Case:
    """A narrative of a try that is worth reading, and why: one of `KINDS`. `was` is what the parent says of it."""

    narrative_id: str
    kind: str
    manual_flag: bool | None
    flag: bool | None
    was: bool | None
    source: str | None
    rational: str


@dataclass(frozen=True, slots=True, repr=False)
class Outcome:
    """A try held against its parent.

    `points` are each side's metrics on the narratives that both have answered, `unseen` the comparison on those
    of incidents that no earlier try was run on, `untold` why there is none, `missing` the narratives that the parent
    has no result for, `runner` who runs the try at this moment.
    """

    experiment: int
    title: str
    finished: int
    total: int
    differs: tuple[str, ...]
    cases: tuple[Case, ...]
    reference: int | None = None
    against: str | None = None
    missing: int = 0
    pair: comparisons.Pair | None = None
    points: Mapping[str, tuple[float | None, float | None]] | None = None
    unseen: pairing.Comparison | None = None
    unseen_points: Mapping[str, tuple[float | None, float | None]] | None = None
    why_not: str | None = None
    untold: str = ""
    runner: str | None = None

    @property
    def state(self) -> str:
        """How far the try is."""
        if self.finished >= self.total:
            return f"all {self.total:,} narratives have their result"
        so_far = f"{self.finished:,} of {self.total:,} narratives have their result"
        if self.runner:
            return f"being run: {so_far}; by {self.runner}"
        return f"stopped: {so_far}; try again for the rest"

    @property
    def verdict(self) -> str:
        """What the try comes to, in a sentence."""
        if self.pair is None:
            return self.why_not or ""
        found = self.pair.comparison
        if found.p_value is None:
            return found.verdict()
        return f"of {found.n_common:,} labelled narratives that both have answered: {_wrong_first(found)}"

    @property
    def beyond(self) -> str:
        """Whether it holds on incidents that no earlier try was run on; empty where there are none, or no others."""
        if self.unseen is None:
            return ""
        told = _wrong_first(self.unseen)
        return f"of the {self.unseen.n_common:,} among them of incidents that no earlier try was run on: {told}"

    @property
    def flips(self) -> pd.DataFrame:
        """The cases as a table."""
        names = ["narrative_id", "kind", "manual_flag", "was", "flag", "rational"]
        return pd.DataFrame([{name: getattr(case, name) for name in names} for case in self.cases], columns=names)

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Metric, the parent's, the try's, the difference and its interval; or why there is none."""
        return [] if self.pair is None else _rows(self.pair.comparison, self.points)

    def rows_beyond(self) -> list[tuple[str, str, str, str, str]]:
        """The same on the incidents that no earlier try was run on."""
        return [] if self.unseen is None else _rows(self.unseen, self.unseen_points)

    def counts(self) -> dict[str, int]:
        """How many cases there are of each kind that there is."""
        counted = {kind: sum(case.kind == kind for case in self.cases) for kind in KINDS}
        return {kind: n for kind, n in counted.items() if n}

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        against = f" against {self.against}" if self.against else ""
        table = columns(("", self.against or "", self.title, "difference", "95 % interval"), self.rows())
        lines = [f"{self.title}{against}: {self.state}", *self.differs, self.verdict, *([table] if self.pair else [])]
        beyond = [self.beyond, columns(("", *HEAD), self.rows_beyond()), READ] if self.unseen else []
        return "\n".join([*lines, *beyond, *([self.untold] if self.untold else []), *self._listed()])

    def _listed(self) -> Iterator[str]:
        for kind, n in self.counts().items():
            named = [case.narrative_id for case in self.cases if case.kind == kind]
            more = f" … and {n - LISTED:,} more" if n > LISTED else ""
            yield f"{kind} ({n:,}): {', '.join(named[:LISTED])}{more}"


def _rows(
    found: pairing.Comparison, points: Mapping[str, tuple[float | None, float | None]] | None
) -> list[tuple[str, str, str, str, str]]:
    if points is None:
        return []
    return [
        (
            TITLES.get(name, name),
            decimal(points[name][0]),
            decimal(points[name][1]),
            decimal(found.differences[name].value),
            interval(found.differences[name].low, found.differences[name].high) or found.differences[name].why or "",
        )
        for name in SHOWN
    ]


def _wrong_first(found: pairing.Comparison) -> str:
    right, wrong = f"{found.only_second_right:,} newly right", f"{found.only_first_right:,} newly wrong"
    return found.verdict().replace(f"{right}, {wrong}", f"{wrong}, {right}", 1)


# --- one try ----------------------------------------------------------------------------------------------


def outcome(hub: Hub, parent: Parent, experiment: int) -> Outcome:
    """Hold a try, or any experiment, against the parent."""
    record = hub.experiment(experiment)
    reference, total, covered = against(hub, parent, experiment, record)
    verdicts = {row["narrative_id"]: row for row in hub.verdicts(experiment)}
    before = {} if reference is None else {row["narrative_id"]: row for row in hub.verdicts(reference)}
    titles = {row["id"]: listings.title(row) for row in hub.names()}
    common: dict[str, Any] = {
        "experiment": experiment,
        "title": titles[experiment],
        "finished": sum(row["status"] is not None for row in verdicts.values()),
        "total": total,
        "differs": _differing(parent, record),
        "cases": tuple(sorted(_cases(verdicts, before), key=lambda case: KINDS.index(case.kind))),
        "missing": total - covered,
        "runner": leases.runner(hub, experiment),
    }
    if reference is None:
        return Outcome(**common, why_not=f"{parent.title} has no answer on these narratives")
    common |= {"reference": reference, "against": titles[reference]}
    try:
        (pair,) = comparisons.compare(hub, [titles[reference], titles[experiment]]).pairs
    except ConfigError as error:  # nothing in common, or a try that is its own parent
        why_not = "this is the parent itself" if reference == experiment else str(error)
        return Outcome(**common, why_not=why_not)
    earlier = [one for one in tries.of_any(hub, parent.dataset.sha256) if one < experiment]
    seen = holdings.asked_before(hub, experiment, earlier)
    whole = len(seen | verdicts.keys()) == len(parent.dataset.narratives)
    return Outcome(
        **common,
        pair=pair,
        points=_points(verdicts, before, set()),
        unseen_points=_points(verdicts, before, seen),
        unseen=_unseen(verdicts, before, seen, (titles[reference], titles[experiment])),
        untold=_untold(tried=bool(earlier), rest=bool(verdicts.keys() - seen), whole=whole),
    )


def against(hub: Hub, parent: Parent, experiment: int, record: Row) -> tuple[int | None, int, int]:
    """The experiment with most of the parent's answers on a try's narratives, their number, and that of the answers."""
    found = _candidates(hub, parent, experiment, record)
    counted = [(*holdings.covered(hub, experiment, one), one) for one in found]
    asked, _ = holdings.covered(hub, experiment, None)
    _, covered, best = max(counted, key=lambda each: each[1], default=(asked, 0, None))
    return (best if covered else None), asked, covered


def _candidates(hub: Hub, parent: Parent, experiment: int, record: Row) -> list[int]:
    if experiment not in holdings.experiments_on(hub, parent.dataset.sha256):
        return []
    try:
        return tries.candidates(hub, parent, rereading.spec_of(record))
    except ConfigError:  # of a version that put its questions otherwise
        return []


def _differing(parent: Parent, record: Row) -> tuple[str, ...]:
    """What else differs than the prompt."""
    now = listings.model(record)
    models = (f"model: {model(parent.spec)} → {now}",) if model(parent.spec) != now else ()
    same = record["prompt_text"] == parent.spec.prompt.text
    return (*models, *(("the prompt is the parent's",) if same else ()))


def _cases(verdicts: Mapping[str, Row], before: Mapping[str, Row]) -> Iterator[Case]:
    for one, row in verdicts.items():
        manual, flag = comparisons.boolean(row["manual_flag"]), comparisons.boolean(row["flag"])
        was = comparisons.boolean(before[one]["flag"]) if one in before else None
        kind = SILENT if row["status"] in ("failed", "refused") else _kind(manual, flag, was)
        if kind is not None:
            said = row["rational"] or row["error"] or ""
            yield Case(one, kind, manual, flag, was, row["source"], said)


def _kind(manual: bool | None, flag: bool | None, was: bool | None) -> str | None:  # noqa: FBT001 - three flags
    """Why a narrative is worth reading; None where it is not.

    >>> _kind(True, False, True), _kind(True, True, True), _kind(False, True, None)
    ('newly wrong', None, 'wrong, the parent has no answer')
    """
    if flag is None:
        return None
    moved = was is not None and flag is not was
    if manual is None:
        return MOVED if moved else None
    if moved:
        return NEWLY_RIGHT if flag is manual else NEWLY_WRONG
    if flag is manual:
        return None
    return WRONG if was is None else STILL_WRONG


def _columns(
    verdicts: Mapping[str, Row], before: Mapping[str, Row], without: set[str]
) -> tuple[list[bool | None], list[bool | None], list[bool | None], list[str]]:
    """Manual flags, the parent's flags, the try's and the incidents, of the narratives that are not left out."""
    rows = [(row, before[one]) for one, row in verdicts.items() if one in before and one not in without]
    truth, second = ([comparisons.boolean(row[name]) for row, _ in rows] for name in ("manual_flag", "flag"))
    return truth, [comparisons.boolean(was["flag"]) for _, was in rows], second, [row["incident_id"] for row, _ in rows]


def _points(
    verdicts: Mapping[str, Row], before: Mapping[str, Row], without: set[str]
) -> dict[str, tuple[float | None, float | None]]:
    """Each metric of the parent and of the try, on the labelled narratives that both have answered."""
    truth, first, second, _ = _columns(verdicts, before, without)
    common = [each for each in zip(truth, first, second, strict=True) if None not in each]
    sides = [_counted([(manual, flags[side]) for manual, *flags in common]) for side in (0, 1)]
    return {name: (counts.value(name, sides[0]), counts.value(name, sides[1])) for name in SHOWN}


def _counted(pairs: Sequence[tuple[bool | None, bool | None]]) -> Floats:
    """How many tp, fp, fn and tn there are."""
    truth, said = ([pair[side] for pair in pairs] for side in (0, 1))
    total: Floats = counts.cells(*counts.columns(truth, said)).sum(axis=0)
    return total


def _unseen(
    verdicts: Mapping[str, Row], before: Mapping[str, Row], seen: set[str], names: tuple[str, str]
) -> pairing.Comparison | None:
    """The comparison on incidents that no earlier try was run on, where that is a part of them."""
    rest = verdicts.keys() - seen
    if not seen or not rest or len(rest) == len(verdicts):
        return None
    truth, first, second, incident = _columns(verdicts, before, seen)
    found = pairing.compare(truth, first, second, incident=incident, names=names)
    return found if found.n_common else None


def _untold(*, tried: bool, rest: bool, whole: bool) -> str:
    """Why nothing is said of incidents that no earlier try was run on, and what can be done."""
    if tried and not rest:
        where = "on other data" if whole else "by a try on all narratives"
        return f"Earlier tries were run on all of these incidents: whether the change holds is seen {where}."
    if not tried and whole:
        return "This was tried on every narrative: whether a further change holds is seen on other data."
    return ""


# --- one narrative ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Closer:
    """One narrative with what a try and its parent say of it; `parts` is its text, with what the rational quotes."""

    narrative_id: str
    source: str | None
    manual_flag: bool | None
    flag: bool | None
    was: bool | None
    confidence: float | None
    rational: str
    steps: tuple[str, ...]
    error: str | None
    parts: tuple[tuple[str, bool], ...]
    was_rational: str


def closer(hub: Hub, experiment: int, reference: int | None, narrative: str) -> Closer:
    """Look at one narrative.

    Raises:
        ConfigError: for a narrative that the experiment's dataset does not have.
    """
    row = holdings.case(hub, experiment, narrative)
    if row is None:
        raise ConfigError(f"there is no narrative {narrative!r} here: take one from the list")
    was: Row = (holdings.case(hub, reference, narrative) if reference else None) or {}
    rational = row["rational"] or ""
    return Closer(
        narrative,
        row["source"],
        comparisons.boolean(row["manual_flag"]),
        comparisons.boolean(row["flag"]),
        comparisons.boolean(was.get("flag")),
        row["confidence"],
        rational,
        tuple(map(str, json.loads(row["reasoning_steps"] or "[]"))),
        row["error"],
        tuple(evidence.parts(rational, row["narrative_text"])),
        was.get("rational") or "",
    )
