"""A report's section on one dataset: its experiments side by side, compared with the first, and each alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from exphub_magics import cards, comparisons, figures, lazily, metrics
from exphub_magics.cards import listings
from exphub_magics.figures import estimates, overlaps
from exphub_magics.hub import Hub, Row
from exphub_magics.markup import TITLES, decimal
from exphub_magics.metrics import pairing
from exphub_magics.reports import pages

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazily.load("pandas")

SETTINGS = ("temperature", "reasoning_effort", "max_tokens", "seed", "sample", "repeat")
STATES = ("ok", "salvaged", "refused", "not_evaluable", "failed", "pending")


def section(hub: Hub, group: Sequence[cards.Scorecard], board: Sequence[Row], anchor: str) -> str:
    """A section of a report about experiments that have one dataset.

    `board` is the hub's whole leaderboard, which knows how many prompts were tried; `anchor` is the heading's id.
    """
    about = group[0].about
    here = [row for row in board if row["dataset_id"] == about["dataset_id"]]
    most = max(card.about["total"] for card in group)
    whole = [card for card in group if card.about["total"] == most]
    return (
        f'<section aria-labelledby="{anchor}">'
        f'<h2 id="{anchor}">Dataset {escape(listings.bare(about["dataset"]))}</h2>'
        f'<p class="soft">Content <code>{escape(about["dataset_sha256"][:12])}</code>; '
        f"{'' if len(whole) == len(group) else 'up to '}{most:,} narratives were asked about.</p>"
        f"{_tried(here, len(group))}{_charts(group)}{_compared(hub, group)}{_overlaps(hub, group, whole)}"
        f"{''.join(_experiment(hub, card) for card in group)}</section>"
    )


def _tried(here: Sequence[Row], shown: int) -> str:
    """How many prompts were tried on a dataset, shown or not, and what that does to the best one."""
    known = [(value, row) for row in here if (value := comparisons.points(row)["f1"]) is not None]
    if len(here) == 1 or not known:
        return ""
    value, best = max(known, key=lambda one: one[0])
    prompts = pages.numbered(len({row["prompt_hash"] for row in here}), "prompt")
    experiments = pages.numbered(len(here), "experiment")
    return (
        f'<p class="note">{prompts} in {experiments} were tried on this dataset ({shown:,} shown here). The best F1'
        f" of them, {decimal(value)} of {escape(listings.title(best))}, is the best of {len(here):,} and owes part of"
        " its height to that, so it is optimistic: expect less on narratives that had no part in choosing it.</p>"
    )


def _charts(group: Sequence[cards.Scorecard]) -> str:
    scores = [card.row | {"name": listings.title(card.about)} for card in group]
    forest = [
        {"metric": TITLES.get(metric, metric), "name": listings.title(card.about), **_bounds(card.scores[metric])}
        for metric in listings.RATES
        for card in group
    ]
    both = pages.figure(estimates.precision_recall(_frame(scores)), "Precision and recall of each experiment.", "free")
    caption = "Precision, recall and F1 of each experiment, as in the table above."
    return both + pages.figure(estimates.forest(_frame(forest)), caption)


def _bounds(found: metrics.Metric | pairing.Difference) -> dict[str, float | None]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a frame in which a value that is undefined throughout is still a number."""
    frame = pd.DataFrame(rows)
    return frame.astype({column: float for column in frame if column not in ("metric", "name", "n")})


def _overlaps(hub: Hub, group: Sequence[cards.Scorecard], whole: Sequence[cards.Scorecard]) -> str:
    """Which narratives are flagged by whom; nothing where one experiment stands alone."""
    if len(group) == 1:
        return ""
    flags = _flags(hub, group)
    drawn, caption = flags, "Narratives flagged by exactly the experiments whose dots are joined"
    if 1 < len(whole) < len(group):
        drawn = flags.drop(columns=[listings.title(card.about) for card in group if card not in whole])
        caption += ", of those that were asked about all narratives"
    return (
        f"<h3>Overlap</h3>{pages.figure(overlaps.overlap(drawn), f'{caption}.')}"
        f"{pages.figure(figures.agreement(flags), 'Overlap of the flagged narratives, pair by pair.')}"
    )


def _flags(hub: Hub, group: Sequence[cards.Scorecard]) -> pd.DataFrame:
    """A row per narrative with the manual flag, where there are any, and each experiment's."""
    verdicts = {listings.title(card.about): hub.verdicts(card.about["id"]) for card in group}
    manual: dict[str, bool | None] = {}
    for rows in verdicts.values():
        manual |= _column(rows, "manual_flag")
    labelled = any(flag is not None for flag in manual.values())
    answers = {title: _column(rows, "flag") for title, rows in verdicts.items()}
    return pd.DataFrame({**({overlaps.MANUAL: manual} if labelled else {}), **answers}, dtype=object)


def _column(rows: Sequence[Row], name: str) -> dict[str, bool | None]:
    return {row["narrative_id"]: comparisons.boolean(row[name]) for row in rows}


# --- comparisons ------------------------------------------------------------------------------------------


def _compared(hub: Hub, group: Sequence[cards.Scorecard]) -> str:
    """Each experiment of a dataset against its first, paired."""
    first, *others = (listings.title(card.about) for card in group)
    if not others:
        return ""
    pairs = [_pair(hub, first, other) for other in others]
    adjusted = pairing.holm([None if isinstance(pair, str) else pair.p_value for pair in pairs])
    rows = [_compared_row(*each) for each in zip(others, pairs, adjusted, strict=True)]
    head = (
        *("Second", "n", "Newly right", "Newly wrong", "Precision", "Recall", "F1"),
        *("p", "p, Holm", "What it comes to"),
    )
    caption = f"Paired differences, each experiment minus {first}, on the labelled narratives both answered"
    chart = _differences(pairs[0]) if len(pairs) == 1 else ""
    return f"<h3>Compared with {escape(first)}</h3>{pages.table(caption, head, rows, text=(0, 9))}{chart}"


def _pair(hub: Hub, first: str, second: str) -> pairing.Comparison | str:
    """The comparison, or in a line why there is none."""
    try:
        return comparisons.compare(hub, [first, second]).pairs[0].comparison
    except comparisons.NothingCommonError as error:
        return str(error)


def _compared_row(other: str, pair: pairing.Comparison | str, adjusted: float | None) -> list[str]:
    if isinstance(pair, str):
        return [other, *[""] * 8, pair]
    return [
        other,
        f"{pair.n_common:,}\n{pair.n_excluded:,} excluded",
        f"{pair.only_second_right:,}",
        f"{pair.only_first_right:,}",
        *(pages.estimate(pair.differences[name]) for name in listings.RATES),
        *(_p(p_value) for p_value in (pair.p_value, adjusted)),
        pair.verdict(),
    ]


def _p(value: float | None) -> str:
    return "" if value is None else pairing.p_in_words(value, places=3).removeprefix("= ")


def _differences(pair: pairing.Comparison | str) -> str:
    if isinstance(pair, str):
        return ""
    rows = [{"metric": TITLES.get(name, name), **_bounds(found)} for name, found in pair.differences.items()]
    return pages.figure(estimates.differences(_frame(rows)), f"{pair.second} minus {pair.first}.")


# --- one experiment ---------------------------------------------------------------------------------------


def _experiment(hub: Hub, card: cards.Scorecard) -> str:
    title = listings.title(card.about)
    went = ["narratives", *(f"{card.counts[state]:,}" for state in (*STATES, "total"))]
    head = ["", *(state.replace("_", " ") for state in STATES), "total"]
    states = pages.table("Where each narrative went; the states add up to the total", head, [went])
    caption = "Metrics over the narratives both labelled and answered"
    scores = pages.table(caption, cards.HEAD, cards.rows(card), text=(0, 5))
    chart = card.figure.update_layout(width=None)
    confusion = pages.figure(chart, f"Manual flags against those of {title}; shares are of the row.", "small")
    return (
        f'<h3>{escape(title)}</h3><p class="line">{escape(_said(hub, card))}</p>{states}'
        f'<div class="pair">{confusion}<div>{_cells(card)}{scores}</div></div>'
    )


def _said(hub: Hub, card: cards.Scorecard) -> str:
    """Who was asked, with which settings, when, and about how much."""
    about = card.about
    held = json.loads(hub.experiment(about["id"])["settings"])
    settings = [f"{key.replace('_', ' ')} {held[key]}" for key in SETTINGS if key in held]
    begun = f"begun {about['start_time'][:10]}"
    over = f"{about['total']:,} narratives of {card.incidents:,} incidents"
    asked = [listings.model(about), f"prompt {about['prompt_hash'][:12]}"]
    return " · ".join([*asked, *settings, over, begun, about["state"]])


def _cells(card: cards.Scorecard) -> str:
    lines = [[card.cells[key] for key in keys] for keys in figures.ROWS.values()]
    lines.append([sum(column) for column in zip(*lines, strict=True)])
    names = [*figures.ROWS, "all"]
    rows = [[name, *(f"{n:,}" for n in (*line, sum(line)))] for name, line in zip(names, lines, strict=True)]
    caption = "The chart's counts: rows are the manual flag, columns the model's"
    return pages.table(caption, ("", *figures.COLUMNS, "all"), rows)
