"""What may leave the machine: a summary of experiments as one page of HTML.

The summary is built from counts and rates alone. No narrative, rationale, reasoning step, id, note, address
or path is read into it; what people named (experiments, authors, models, datasets) is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import metadata, resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from exphub_magics import cards, lazily
from exphub_magics.cards import listings
from exphub_magics.errors import ConfigError, named
from exphub_magics.hub import Hub
from exphub_magics.reports import pages, sections
from exphub_magics.specs import BUILTIN

if TYPE_CHECKING:
    import plotly
else:
    plotly = lazily.load("plotly")

MARK = b"<!doctype html>"
SMALL = 10  # a count below this may point to a person where the rest of a table is known


def report(hub: Hub, names: Sequence[str] = (), *, output: str | Path = "report.html") -> Path:
    """Write the summary of experiments that `html` makes to a file, whole or not at all; the file's path.

    Raises:
        ConfigError: as `html`, and where the file is there already and is no report.
    """
    path = Path(output)
    if path.exists() and not (path.is_file() and path.read_bytes()[: len(MARK)].lower() == MARK):
        raise ConfigError(f"{named(str(output))} is there already and is no report: name another file with -o")
    if not path.parent.is_dir():
        raise ConfigError(f"the folder of {named(str(output))} does not exist: make it, or name another file with -o")
    page = html(hub, names)
    part = path.with_name(f".{path.name}.part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    return path


def html(hub: Hub, names: Sequence[str] = ()) -> str:
    """A summary of experiments as one HTML file that opens offline; all of them where none is named.

    >>> with Hub.open(":memory:") as hub:
    ...     html(hub)
    Traceback (most recent call last):
    exphub_magics.errors.ConfigError: the hub holds no experiment yet: `exphub run CONFIG` runs some

    Raises:
        ConfigError: for an empty hub or a name that is not known.
    """
    board = hub.leaderboard()
    chosen = list(dict.fromkeys(hub.find(name) for name in names)) or [row["id"] for row in board]
    if not chosen:
        raise ConfigError("the hub holds no experiment yet: `exphub run CONFIG` runs some")
    scorecards = [cards.scorecard(hub, one) for one in chosen]
    sets = list(dict.fromkeys(card.about["dataset_id"] for card in scorecards))
    grouped = [[card for card in scorecards if card.about["dataset_id"] == one] for one in sets]
    experiments, kinds = pages.numbered(len(scorecards), "experiment"), pages.numbered(len(sets), "dataset")
    datasets = [sections.section(hub, group, board, f"dataset-{n}") for n, group in enumerate(grouped, start=1)]
    return Template(resources.files(__package__).joinpath("report.html").read_text("utf-8")).substitute(
        title="Flags of language models beside manual flags",
        day=datetime.now(UTC).date().isoformat(),
        version=escape(metadata.version("exphub")),
        about=f"{experiments} on {kinds}.{_stand_in(scorecards)}",
        small_counts=_small_counts(scorecards),
        summary=_summary(scorecards),
        datasets="".join(datasets),
        environment=_environment(hub, scorecards),
        plotly=plotly.offline.get_plotlyjs(),
    )


def _stand_in(scorecards: Iterable[cards.Scorecard]) -> str:
    """What has to be said where the builtin model answered."""
    if not any(card.about["provider"] == BUILTIN for card in scorecards):
        return ""
    return " The builtin model rules-1 is a rule reader, no language model: its figures say nothing about one."


def _small_counts(scorecards: Iterable[cards.Scorecard]) -> str:
    """A warning where a table has a cell that is small and not empty."""
    if not any(0 < count < SMALL for card in scorecards for count in card.cells.values()):
        return ""
    return (
        f'<p class="note">Some counts are below {SMALL}. Whether they may be passed on is for your data'
        " agreement to say; leaving out one number is not enough where the others give it away.</p>"
    )


def _summary(scorecards: Sequence[cards.Scorecard]) -> str:
    head = (
        *("Experiment\nauthor", "Model\nprompt", "Dataset", "n", "Positives", "Negatives"),
        *("False positives", "False negatives", "Percent overlap", "Precision", "Recall", "F1"),
        *("State", "Missing answers"),
    )
    caption = "Every experiment: what was asked of whom, the flags, and how they compare with the manual ones"
    return pages.table(caption, head, map(_summary_row, scorecards), text=(0, 1, 2, 12))


def _summary_row(card: cards.Scorecard) -> list[str]:
    about, scores = card.about, card.scores
    agreement = scores["agreement"]
    overlap = f"{100 * agreement.value:.1f} %" if agreement.value is not None else "undefined"
    always_no = f"“no”: {100 * agreement.always_no:.1f} %" if agreement.always_no is not None else agreement.why
    return [
        f"{listings.title(about)}\n{about['author'] or ''}",
        f"{listings.model(about)}\n{about['prompt_hash'][:12]}",
        listings.bare(about["dataset"]),
        *(f"{about[key]:,}" for key in ("total", "positives", "negatives", "false_positives", "false_negatives")),
        f"{overlap}\n{always_no}",
        *(pages.estimate(scores[name]) for name in listings.RATES),
        about["state"],
        f"{listings.missing(about):,}",
    ]


def _environment(hub: Hub, scorecards: Sequence[cards.Scorecard]) -> str:
    """The versions under which the experiments ran: those that ran alike stand in one line."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for card in scorecards:
        held = json.loads(hub.experiment(card.about["id"])["environment"])
        packages = ", ".join(f"{name} {version}" for name, version in (held.get("packages") or {}).items())
        line = tuple(str(held.get(key) or "") for key in ("exphub", "python", "platform"))
        alike.setdefault((*line, packages), []).append(listings.title(card.about))
    rows = [[", ".join(titles), *line] for line, titles in alike.items()]
    head = ("Experiments", "ExpHub", "Python", "Platform", "Packages")
    return pages.table("Versions under which the experiments ran", head, rows, text=range(len(head)))
