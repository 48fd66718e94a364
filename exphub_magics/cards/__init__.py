"""What a cell shows: an experiment's scorecard, and what changed against the baseline or the version before.

Cards are plain tables and <details>, which JupyterLab shows alike in trusted and untrusted notebooks. Everything
that a person or a model wrote is escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from IPython import display

from exphub_magics import comparisons, figures, lazily, markup, metrics
from exphub_magics.cards import changes
from exphub_magics.errors import UnknownNameError
from exphub_magics.hub import Hub, Row, labels, services
from exphub_magics.markup import LISTED, TITLES, columns, decimal, details, interval, table

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
else:
    pd = lazily.load("pandas")

SEED_COLUMNS = (
    "id",
    "name",
    "author",
    "prompt_id",
    "model_id",
    "start_time",
    "end_time",
    "total_narratives",
    "positives",
    "negatives",
    "false_positives",
    "false_negatives",
    "percent_overlap",
)
COUNTS = (
    *("tp", "fp", "fn", "tn", "ok", "salvaged", "refused", "not_evaluable", "failed", "pending"),
    *("labelled", "unlabelled", "total"),
)
SHOWN = ("precision", "recall", "specificity", "f1", "agreement", "jaccard", "kappa")
HEAD = ("", "value", "95 % interval", "from", "always “no”", "")


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One experiment's figures; shown in a notebook as a card with its confusion chart.

    `experiment` has the seed's columns, `counts` add up to their total, `metrics` are as `show --json` has them,
    and `scores` are the same as metrics.Metric.
    """

    experiment: Row
    counts: dict[str, int]
    scores: dict[str, metrics.Metric]
    missed: metrics.Metric
    about: Row
    incidents: int
    cells: dict[str, int]
    failures: tuple[tuple[str, str], ...]
    change: changes.Change | None
    warnings: tuple[str, ...] = ()
    wrong: tuple[Row, ...] = ()
    disputed: int = 0  # of the unlabelled, those whose coders differ

    @property
    def errors(self) -> pd.DataFrame:
        """The false negatives and false positives with their rationals and texts; the surest first."""
        columns = ["narrative_id", "source", "error", "confidence", "rational", "narrative_text"]
        return pd.DataFrame(self.wrong, columns=columns)

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Name → value, low, high, n; an undefined value is null and says why."""
        return {name: score.as_json() for name, score in self.scores.items()}

    @property
    def row(self) -> dict[str, Any]:
        """One row of a frame for the charts of estimates: name@version, n, and each metric with its bounds."""
        found = {"name": f"{self.about['name']}@{self.about['version']}", "n": self.scores["agreement"].n}
        for name, score in self.scores.items():
            found |= {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}
        return found

    @property
    def figure(self) -> go.Figure:
        """The confusion chart."""
        return figures.confusion(self.cells)

    def as_json(self) -> dict[str, Any]:
        """The scorecard as `show --json` prints it."""
        return {"experiment": self.experiment, "counts": self.counts, "metrics": self.metrics}

    def __str__(self) -> str:
        return text(self)

    def _ipython_display_(self) -> None:
        """Show the card, then the chart, then what changed: three plain outputs that survive in a saved notebook."""
        display.display({"text/html": _head(self), "text/plain": _head_text(self)}, raw=True)
        if comparisons.in_kernel():
            display.display(self.figure)
        if self.change is not None:
            told = {"text/html": changes.html(self.change), "text/plain": changes.text(self.change)}
            display.display(told, raw=True)


def scorecard(hub: Hub, experiment: int, *, warnings: Sequence[str] = ()) -> Scorecard:
    """Read an experiment's scorecard from the hub.

    Raises:
        UnknownNameError: for an id that no experiment has.
    """
    board = hub.leaderboard()
    row = next((one for one in board if one["id"] == experiment), None)
    if row is None:
        raise UnknownNameError(f"no experiment has the id {experiment!r}: hub.find(name) gives that of a name")
    verdicts = hub.verdicts(experiment)
    truth = [comparisons.boolean(one["manual_flag"]) for one in verdicts]
    flags = [comparisons.boolean(one["flag"]) for one in verdicts]
    incident = [one["incident_id"] for one in verdicts]
    return Scorecard(
        experiment={key: row[key] for key in SEED_COLUMNS},
        counts={key: row[key] for key in COUNTS},
        scores=metrics.scorecard(truth, flags, incident=incident),
        missed=metrics.recall_missing_as_missed(truth, flags, incident=incident),
        about=row,
        incidents=len(set(incident)),
        cells=_cells(verdicts),
        failures=tuple((one["narrative_id"], one["error"] or "") for one in verdicts if one["status"] == "failed"),
        change=changes.change(hub, row, board),
        warnings=tuple(dict.fromkeys([*warnings, *services.drift(hub, experiment)])),
        wrong=tuple(hub.errors(experiment)),
        disputed=_disputed(hub, experiment, verdicts),
    )


def _disputed(hub: Hub, experiment: int, verdicts: Sequence[Row]) -> int:
    """How many narratives have no manual flag because coders differ on them."""
    unlabelled = {one["narrative_id"] for one in verdicts if one["manual_flag"] is None}
    return len(unlabelled & labels.in_dispute(hub, hub.experiment(experiment)["dataset_id"])) if unlabelled else 0


def _cells(verdicts: Iterable[Row]) -> dict[str, int]:
    """Counts of manual flag × the model's, missing ones of either included."""
    names = {
        (1, 1): "tp",
        (0, 1): "fp",
        (1, 0): "fn",
        (0, 0): "tn",
        (1, None): "no_answer_yes",
        (0, None): "no_answer_no",
        (None, 1): "unlabelled_flagged",
        (None, 0): "unlabelled_not",
        (None, None): "unlabelled_no_answer",
    }
    found = Counter(names[one["manual_flag"], one["flag"]] for one in verdicts)
    return {name: found[name] for name in names.values()}


# --- words ------------------------------------------------------------------------------------------------


def title(card: Scorecard) -> str:
    """The card's first line: what was run over what, and whether it is done."""
    about = card.about
    what = f"{about['name']} v{about['version']} · {about['provider']} {about['model_name']}"
    narratives, incidents = markup.counted(about["total"], "narrative"), markup.counted(card.incidents, "incident")
    over = f"{about['dataset']}, {narratives} of {incidents}"
    return f"{what} · {over} · {about['state']}"


def counted(card: Scorecard) -> str:
    """The card's second line: where each narrative went."""
    n = card.counts
    answered = f"answered {n['ok'] + n['salvaged']:,} = {n['ok']:,} ok + {n['salvaged']:,} salvaged"
    rest = " · ".join(
        f"{state.replace('_', ' ')} {n[state]:,}" for state in ("not_evaluable", "refused", "failed", "pending")
    )
    unlabelled = f"unlabelled {n['unlabelled']:,}"
    if card.disputed:
        unlabelled += f", {card.disputed:,} of them in dispute between coders"
    return f"{answered} · {rest} · labelled {n['labelled']:,}, {unlabelled}"


def rows(card: Scorecard) -> list[tuple[str, str, str, str, str, str]]:
    """The table's rows: metric, value, interval, what it is from, the same for always "no", and a remark."""
    return [_metric_row(card, card.scores[name]) for name in SHOWN]


def _metric_row(card: Scorecard, score: metrics.Metric) -> tuple[str, str, str, str, str, str]:
    name = TITLES.get(score.name, score.name)
    if score.value is None:
        return (name, "–", "", "", decimal(score.always_no), score.why or "")
    origin = f"{score.numerator:,} / {score.n:,}" if score.numerator is not None else f"n = {score.n:,}"
    remarks = [] if score.why is None else [score.why]
    if score.name == "recall" and card.missed.value is not None and card.missed.n > score.n:
        remarks.insert(0, f"missing answers counted as misses: {decimal(card.missed.value)}")
    return (
        name,
        decimal(score.value),
        interval(score.low, score.high),
        origin,
        decimal(score.always_no),
        "; ".join(remarks),
    )


def text(card: Scorecard) -> str:
    """The card as plain text."""
    since = [changes.text(card.change)] if card.change else []
    return "\n".join([_head_text(card), *since])


def _head_text(card: Scorecard) -> str:
    told = [f"note: {warning}" for warning in card.warnings]
    failed = [f"failed {narrative_id}: {error}" for narrative_id, error in card.failures[:LISTED]]
    if len(card.failures) > LISTED:
        failed.append(f"… and {len(card.failures) - LISTED:,} more that failed")
    return "\n".join([title(card), counted(card), *told, "", columns(HEAD, rows(card)), *failed])


# --- HTML -------------------------------------------------------------------------------------------------


def _head(card: Scorecard) -> str:
    told = "".join(f"<div><b>Note</b> {escape(warning)}</div>" for warning in card.warnings)
    failed = details(
        f"the {len(card.failures):,} that failed",
        [f"<code>{escape(one)}</code> {escape(error)}" for one, error in card.failures],
    )
    return (
        '<div class="exphub-card mathjax_ignore">'
        f"<div><b>{escape(title(card))}</b></div><div>{escape(counted(card))}</div>"
        f"{told}{failed}{table(HEAD, rows(card), left=[5])}</div>"
    )
