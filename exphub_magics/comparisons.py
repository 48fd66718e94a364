"""Experiments side by side: on the narratives that all have answered, and never on anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from IPython import display, get_ipython

from exphub_magics import lazily
from exphub_magics.errors import ConfigError
from exphub_magics.figures import overlaps
from exphub_magics.hub import Hub, Row, services
from exphub_magics.markup import TITLES, block, columns, counted, decimal, details, interval, table
from exphub_magics.metrics import pairing
from exphub_magics.metrics.intervals import LEVEL

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
else:
    pd = lazily.load("pandas")

RATIONAL_CHARACTERS = 200


class NothingCommonError(ConfigError):
    """Experiments that share no narrative which is labelled and which all of them answered."""


@dataclass(frozen=True, slots=True)
class Flip:
    """A narrative on which two experiments say different things; `right` is whether the second is right."""

    narrative_id: str
    manual_flag: bool
    flag: bool
    rational: str | None

    @property
    def right(self) -> bool:
        """Whether the second experiment's flag is the manual one."""
        return self.flag == self.manual_flag


@dataclass(frozen=True, slots=True)
class Pair:
    """A second experiment against a first one, with every narrative that flipped."""

    comparison: pairing.Comparison
    flips: tuple[Flip, ...]

    @property
    def newly_right(self) -> tuple[Flip, ...]:
        """Narratives that only the second experiment flags as the coders do."""
        return tuple(flip for flip in self.flips if flip.right)

    @property
    def newly_wrong(self) -> tuple[Flip, ...]:
        """Narratives that only the first experiment flags as the coders do."""
        return tuple(flip for flip in self.flips if not flip.right)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two or more experiments compared, each with the first."""

    names: tuple[str, ...]
    pairs: tuple[Pair, ...]
    flags: pd.DataFrame
    adjusted: tuple[float | None, ...]
    notes: tuple[str, ...] = ()

    @property
    def figure(self) -> go.Figure:
        """How the flagged narratives overlap, with each other and with the manual flags."""
        return overlaps.overlap(self.flags)

    @property
    def flips(self) -> pd.DataFrame:
        """Every narrative on which an experiment differs from the first one."""
        return pd.DataFrame(
            [
                {
                    "experiment": name,
                    "narrative_id": flip.narrative_id,
                    "manual_flag": flip.manual_flag,
                    "flag": flip.flag,
                    "now": "right" if flip.right else "wrong",
                    "rational": flip.rational,
                }
                for name, pair in zip(self.names[1:], self.pairs, strict=True)
                for flip in pair.flips
            ],
            columns=["experiment", "narrative_id", "manual_flag", "flag", "now", "rational"],
        )

    def __str__(self) -> str:
        told = [f"note: {note}" for note in self.notes]
        return "\n\n".join([*told, *(_pair_text(*each) for each in self._each())])

    def _each(self) -> list[tuple[str, Pair, float | None]]:
        titles = [f"{self.names[0]} → {name}" for name in self.names[1:]]
        alone = len(self.pairs) == 1  # one pair has nothing to be adjusted for
        return list(zip(titles, self.pairs, [None] if alone else self.adjusted, strict=True))

    def _ipython_display_(self) -> None:
        """Show each pair's figures and flips, then the overlap chart."""
        told = "".join(f"<div><b>Note</b> {escape(note)}</div>" for note in self.notes)
        shown = told + "".join(_pair_html(*each) for each in self._each())
        display.display({"text/html": block(shown), "text/plain": str(self)}, raw=True)
        if in_kernel():
            display.display(self.figure)

    def as_json(self) -> dict[str, Any]:
        """The first pair as `compare --json` shows it, and every pair under `pairs` when there are more."""
        shown = [pair.comparison.as_json() for pair in self.pairs]
        more = {"pairs": shown, "p_values_holm": list(self.adjusted)} if len(shown) > 1 else {}
        return {**shown[0], **more, "notes": list(self.notes)}


def compare(hub: Hub, names: Sequence[str]) -> Comparison:
    """Compare experiments with the first one named, on the labelled narratives that all of them answered.

    Raises:
        ConfigError: for fewer than two names.
        NothingCommonError: for experiments that share no labelled and answered narrative.
    """
    numbers = list(dict.fromkeys(hub.find(name) for name in names))
    if len(numbers) < 2:  # noqa: PLR2004 - a pair
        raise ConfigError("compare takes two or more different experiments: exphub list shows which there are")
    rows = {row["id"]: row for row in hub.leaderboard()}
    titles = tuple(f"{rows[number]['name']}@{rows[number]['version']}" for number in numbers)
    answered = [_by_narrative(hub, rows[number], rows[numbers[0]]) for number in numbers]
    # Where experiments on two readings of the data are compared, the newer reading's labels count for both.
    by_age = sorted(zip(numbers, answered, strict=True), key=lambda pair: rows[pair[0]]["dataset_id"])
    truth = {one: boolean(verdict["manual_flag"]) for _, each in by_age for one, verdict in each.items()}
    common = {one for one in answered[0] if all(one in other and other[one]["flag"] is not None for other in answered)}
    if all(truth[one] is None for one in common):
        raise NothingCommonError(f"{' and '.join(titles)} share no labelled narrative that all have answered")
    pairs = tuple(
        _pair(answered[0], other, {one: truth[one] for one in answered[0]}, common, (titles[0], title))
        for title, other in zip(titles[1:], answered[1:], strict=True)
    )
    adjusted = pairing.holm([pair.comparison.p_value for pair in pairs])
    notes = [
        f"{title}: {note}" for title, one in zip(titles, numbers, strict=True) for note in services.drift(hub, one)
    ]
    return Comparison(titles, pairs, _flags(titles, answered), tuple(adjusted), tuple(notes))


LEADERBOARD = (
    *("id", "name", "version", "state", "model_name", "provider", "dataset", "total_narratives"),
    *("positives", "negatives", "false_positives", "false_negatives", "percent_overlap", "precision", "recall", "f1"),
    *("failed", "pending", "author", "start_time", "end_time", "prompt_id", "model_id", "prompt_hash", "fingerprint"),
    "notes",
)


def leaderboard(hub: Hub) -> pd.DataFrame:
    """Every experiment, newest last: the seed's columns, its state, who answered, and point metrics.

    Undefined metrics are missing values; show gives them with their intervals.
    """
    return pd.DataFrame([{**row, **points(row)} for row in hub.leaderboard()], columns=list(LEADERBOARD))


def points(row: Row) -> dict[str, float | None]:
    """Precision, recall and F1 of a row of the hub's leaderboard; None where undefined."""
    tp, fp, fn = row["tp"], row["fp"], row["fn"]
    return {
        "precision": tp / (tp + fp) if tp + fp else None,
        "recall": tp / (tp + fn) if tp + fn else None,
        "f1": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else None,
    }


def _by_narrative(hub: Hub, row: Row, first: Row) -> dict[str, Row]:
    """Verdicts by narrative id; of another dataset, only of narratives whose text is the same."""
    verdicts = {verdict["narrative_id"]: verdict for verdict in hub.verdicts(row["id"])}
    if row["dataset_id"] == first["dataset_id"]:
        return verdicts
    same = hub.same_texts(first["dataset_id"], row["dataset_id"])
    return {one: verdict for one, verdict in verdicts.items() if one in same}


def _pair(
    first: Mapping[str, Row],
    second: Mapping[str, Row],
    truth: Mapping[str, bool | None],
    common: AbstractSet[str],
    names: tuple[str, str],
) -> Pair:
    labelled = [one for one, flag in truth.items() if flag is not None]
    compared = pairing.compare(
        [truth[one] for one in labelled],
        [boolean(first[one]["flag"]) if one in common else None for one in labelled],
        [boolean(second[one]["flag"]) if one in common else None for one in labelled],
        incident=[first[one]["incident_id"] for one in labelled],
        names=names,
    )
    flips = tuple(
        Flip(one, bool(truth[one]), bool(second[one]["flag"]), second[one]["rational"])
        for one in labelled
        if one in common and first[one]["flag"] != second[one]["flag"]
    )
    return Pair(compared, flips)


def _flags(titles: Sequence[str], answered: Sequence[Mapping[str, Row]]) -> pd.DataFrame:
    columns = {
        title: {one: boolean(v["flag"]) for one, v in each.items()}
        for title, each in zip(titles, answered, strict=True)
    }
    manual = {one: boolean(verdict["manual_flag"]) for one, verdict in answered[0].items()}
    return pd.DataFrame({"manual": manual, **columns}, dtype=object)


def boolean(value: int | None) -> bool | None:
    """A flag as the hub keeps it, 1 or 0, as True or False; a missing one stays missing."""
    return None if value is None else bool(value)


def in_kernel() -> bool:
    """Whether this runs in a notebook's kernel, which can show charts, and not in a terminal."""
    shell = get_ipython()
    return getattr(shell, "kernel", None) is not None


# --- words ------------------------------------------------------------------------------------------------

_HEAD = ("", "difference", "95 % interval", "")


def told(flip: Flip) -> str:
    """A flip as an item of an HTML list: which narrative, what its coders say, what is said now and why."""
    said = flip.rational or ""
    short = said if len(said) <= RATIONAL_CHARACTERS else f"{said[:RATIONAL_CHARACTERS]}…"
    manual = "yes" if flip.manual_flag else "no"
    flag = "flagged" if flip.flag else "not flagged"
    return f"<code>{escape(flip.narrative_id)}</code> manual {manual}, now {flag}: {escape(short)}"


def _counted(pair: Pair) -> str:
    found = pair.comparison
    return (
        f"{counted(found.n_common, 'labelled narrative')} that both answered ({found.n_excluded:,} excluded): "
        f"both right {found.both_right:,}, only the first {found.only_first_right:,}, "
        f"only the second {found.only_second_right:,}, both wrong {found.both_wrong:,}"
    )


def _verdict(pair: Pair, adjusted: float | None) -> str:
    said = pair.comparison.verdict()
    if adjusted is None:
        return said
    shown = pairing.p_in_words(adjusted, places=3)
    means = "" if adjusted < LEVEL else ", not distinguishable"
    return f"{said}; adjusted for the number of pairs (Holm) p {shown}{means}"


def _differences(pair: Pair) -> list[tuple[str, str, str, str]]:
    return [
        (TITLES.get(name, name), decimal(found.value), interval(found.low, found.high), found.why or "")
        for name, found in pair.comparison.differences.items()
    ]


def _pair_text(title: str, pair: Pair, adjusted: float | None) -> str:
    return "\n".join([title, _counted(pair), _verdict(pair, adjusted), columns(_HEAD, _differences(pair))])


def _pair_html(title: str, pair: Pair, adjusted: float | None) -> str:
    right, wrong = pair.newly_right, pair.newly_wrong
    return (
        f"<div><b>{escape(title)}</b><div>{escape(_counted(pair))}</div><div>{escape(_verdict(pair, adjusted))}</div>"
        f"{table(_HEAD, _differences(pair), left=[3])}"
        f"{details(f'{len(right):,} newly right', map(told, right))}"
        f"{details(f'{len(wrong):,} newly wrong', map(told, wrong))}</div>"
    )
