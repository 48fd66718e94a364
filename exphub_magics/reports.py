"""What may leave the machine: a summary as HTML or as a terminal table, and results as a data file.

The summary is built from counts and rates alone. No narrative, rationale, reasoning step, id, note, address
or path is read into it; what people named (experiments, authors, models, datasets) is escaped.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import metadata, resources, util
from pathlib import Path, PurePosixPath, PureWindowsPath
from string import Template
from typing import TYPE_CHECKING, Any

import lazy_loader

from exphub_magics import cards, comparisons, figures, metrics
from exphub_magics.errors import ConfigError
from exphub_magics.hub import Hub, Row
from exphub_magics.markup import TITLES, decimal, interval

if TYPE_CHECKING:
    import openpyxl
    import pandas as pd
    import plotly
    import plotly.graph_objects as go
    import tabulate
else:
    openpyxl = lazy_loader.load("openpyxl")
    pd = lazy_loader.load("pandas")
    plotly = lazy_loader.load("plotly")
    tabulate = lazy_loader.load("tabulate")

FOREST = ("precision", "recall", "f1")
SETTINGS = ("temperature", "reasoning_effort", "max_tokens", "seed", "sample", "repeat")
UNBROKEN = 16  # characters of small print that stay on one line
SMALL = 10  # a count below this may point to a person where the rest of a table is known


# --- the summary as HTML ----------------------------------------------------------------------------------


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
    datasets = [_dataset(hub, group, board, f"dataset-{n}") for n, group in enumerate(grouped, start=1)]
    return Template(resources.files("exphub_magics").joinpath("report.html").read_text("utf-8")).substitute(
        title="Flags of language models beside manual flags",
        day=datetime.now(UTC).date().isoformat(),
        version=escape(metadata.version("exphub")),
        about=f"{_count(len(scorecards), 'experiment')} on {_count(len(sets), 'dataset')}.",
        small_counts=_small_counts(scorecards),
        summary=_summary(scorecards),
        datasets="".join(datasets),
        environment=_environment(hub, scorecards),
        plotly=plotly.offline.get_plotlyjs(),
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


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
    return _table(caption, head, map(_summary_row, scorecards), text=(0, 1, 2, 12))


def _summary_row(card: cards.Scorecard) -> list[str]:
    about, scores = card.about, card.scores
    agreement = scores["agreement"]
    overlap = f"{100 * agreement.value:.1f} %" if agreement.value is not None else "undefined"
    always_no = f"“no”: {100 * agreement.always_no:.1f} %" if agreement.always_no is not None else agreement.why
    return [
        f"{_title(about)}\n{about['author'] or ''}",
        f"{_model(about)}\n{about['prompt_hash'][:12]}",
        _bare(about["dataset"]),
        *(f"{about[key]:,}" for key in ("total", "positives", "negatives", "false_positives", "false_negatives")),
        f"{overlap}\n{always_no}",
        *(_cell(scores[name]) for name in FOREST),
        about["state"],
        f"{_missing(about):,}",
    ]


def _cell(score: metrics.Metric) -> str:
    if score.value is None:
        return f"undefined\n{score.why}"
    return f"{decimal(score.value)}\n{interval(score.low, score.high) or score.why}"


def _missing(about: Mapping[str, Any]) -> int:
    """Narratives that have no answer, for whatever reason."""
    return int(about["total_narratives"] - about["positives"] - about["negatives"])


def _title(about: Mapping[str, Any]) -> str:
    return f"{about['name']}@{about['version']}"


def _model(about: Mapping[str, Any]) -> str:
    return f"{_bare(about['provider'])} {_bare(about['model_name'])}"


def _bare(name: str) -> str:
    r"""A name, of which a path on somebody's machine keeps the last part.

    >>> _bare("/home/ann/models/small.gguf"), _bare("meta/llama-3"), _bare(r"C:\models\small.gguf")
    ('small.gguf', 'meta/llama-3', 'small.gguf')
    """
    windows = PureWindowsPath(name)
    if windows.drive or "\\" in name:
        return windows.name
    local = name.startswith(("/", "~", "./", "../")) or "://" in name
    return PurePosixPath(name).name if local else name


# --- one dataset ------------------------------------------------------------------------------------------


def _dataset(hub: Hub, group: Sequence[cards.Scorecard], board: Sequence[Row], anchor: str) -> str:
    about = group[0].about
    here = [row for row in board if row["dataset_id"] == about["dataset_id"]]
    most = max(card.about["total"] for card in group)
    whole = [card for card in group if card.about["total"] == most]
    return (
        f'<section aria-labelledby="{anchor}">'
        f'<h2 id="{anchor}">Dataset {escape(_bare(about["dataset"]))}</h2>'
        f'<p class="soft">Content <code>{escape(about["dataset_sha256"][:12])}</code>; '
        f"{'' if len(whole) == len(group) else 'up to '}{most:,} narratives were asked about.</p>"
        f"{_tried(here, len(group))}{_charts(group)}{_compared(hub, group)}{_overlaps(hub, group, whole)}"
        f"{''.join(_experiment(hub, card) for card in group)}</section>"
    )


def _tried(here: Sequence[Row], shown: int) -> str:
    """How many prompts were tried on a dataset, shown or not, and what that does to the best one."""
    known = [(value, row) for row in here if (value := _f1(row)) is not None]
    if len(here) == 1 or not known:
        return ""
    value, best = max(known, key=lambda one: one[0])
    tried = f"{_count(len({row['prompt_hash'] for row in here}), 'prompt')} in {_count(len(here), 'experiment')}"
    return (
        f'<p class="note">{tried} were tried on this dataset ({shown:,} shown here). The best F1 of them,'
        f" {decimal(value)} of {escape(_title(best))}, is the best of {len(here):,} and owes part of its height to"
        " that, so it is optimistic: expect less on narratives that had no part in choosing it.</p>"
    )


def _f1(row: Row) -> float | None:
    either = 2 * row["tp"] + row["fp"] + row["fn"]
    return 2 * row["tp"] / either if either else None


def _charts(group: Sequence[cards.Scorecard]) -> str:
    scores = pd.DataFrame([_scores(card) for card in group]).astype(
        {f"{metric}{end}": float for metric in ("precision", "recall") for end in ("", "_low", "_high")}
    )
    rows = [
        (TITLES.get(metric, metric), _title(card.about), score.value, score.low, score.high)
        for metric in FOREST
        for card in group
        for score in [card.scores[metric]]
    ]
    forest = pd.DataFrame(rows, columns=["metric", "name", "value", "low", "high"])
    forest = forest.astype({"value": float, "low": float, "high": float})
    return _figure(figures.precision_recall(scores), "Precision and recall of each experiment.", "free") + _figure(
        figures.forest(forest), "Precision, recall and F1 of each experiment, as in the table above."
    )


def _scores(card: cards.Scorecard) -> dict[str, Any]:
    found = {"name": _title(card.about), "n": card.scores["agreement"].n}
    for metric in ("precision", "recall"):
        score = card.scores[metric]
        found |= {metric: score.value, f"{metric}_low": score.low, f"{metric}_high": score.high}
    return found


def _overlaps(hub: Hub, group: Sequence[cards.Scorecard], whole: Sequence[cards.Scorecard]) -> str:
    """Which narratives are flagged by whom; nothing where one experiment stands alone."""
    if len(group) == 1:
        return ""
    flags = _flags(hub, group)
    drawn, caption = flags, "Narratives flagged by exactly the experiments whose dots are joined"
    if 1 < len(whole) < len(group):
        drawn = flags.drop(columns=[_title(card.about) for card in group if card not in whole])
        caption += ", of those that were asked about all narratives"
    return (
        f"<h3>Overlap</h3>{_figure(figures.overlap(drawn), f'{caption}.')}"
        f"{_figure(figures.agreement(flags), 'Overlap of the flagged narratives, pair by pair.')}"
    )


def _flags(hub: Hub, group: Sequence[cards.Scorecard]) -> pd.DataFrame:
    """A row per narrative with the manual flag, where there are any, and each experiment's."""
    verdicts = {_title(card.about): hub.verdicts(card.about["id"]) for card in group}
    manual = {row["narrative_id"]: _boolean(row["manual_flag"]) for rows in verdicts.values() for row in rows}
    labelled = any(flag is not None for flag in manual.values())
    answers = {title: {row["narrative_id"]: _boolean(row["flag"]) for row in rows} for title, rows in verdicts.items()}
    return pd.DataFrame({**({figures.MANUAL: manual} if labelled else {}), **answers}, dtype=object)


def _boolean(value: int | None) -> bool | None:
    return None if value is None else bool(value)


# --- comparisons ------------------------------------------------------------------------------------------


def _compared(hub: Hub, group: Sequence[cards.Scorecard]) -> str:
    """Each experiment of a dataset against its first, paired."""
    first, *others = (_title(card.about) for card in group)
    if not others:
        return ""
    pairs = [(other, _pair(hub, first, other)) for other in others]
    known = [pair.p_value for _, pair in pairs if not isinstance(pair, str) and pair.p_value is not None]
    adjusted = iter(metrics.holm(known))
    rows = [_compared_row(other, pair, adjusted) for other, pair in pairs]
    head = (
        *("Second", "n", "Newly right", "Newly wrong", "Precision", "Recall", "F1"),
        *("p", "p, Holm", "What it comes to"),
    )
    caption = f"Paired differences, each experiment minus {first}, on the labelled narratives both answered"
    charts = "".join(_differences(pair) for _, pair in pairs) if len(pairs) == 1 else ""
    return f"<h3>Compared with {escape(first)}</h3>{_table(caption, head, rows, text=(0, 9))}{charts}"


def _pair(hub: Hub, first: str, second: str) -> metrics.Comparison | str:
    """The comparison, or in a line why there is none."""
    try:
        return comparisons.compare(hub, [first, second]).pairs[0].comparison
    except comparisons.NothingCommonError as error:
        return str(error)


def _compared_row(other: str, pair: metrics.Comparison | str, adjusted: Any) -> list[str]:
    if isinstance(pair, str):
        return [other, *[""] * 8, pair]
    return [
        other,
        f"{pair.n_common:,}\n{pair.n_excluded:,} excluded",
        f"{pair.only_second_right:,}",
        f"{pair.only_first_right:,}",
        *(_difference(pair.differences[name]) for name in FOREST),
        *(("", "") if pair.p_value is None else map(_p, (pair.p_value, next(adjusted)))),
        pair.verdict(),
    ]


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)  # noqa: PLR2004 - the usual floor


def _difference(found: metrics.Difference) -> str:
    if found.value is None:
        return f"undefined\n{found.why}"
    sign = "+" if found.value > 0 else ""
    return f"{sign}{decimal(found.value)}\n{interval(found.low, found.high) or found.why}"


def _differences(pair: metrics.Comparison | str) -> str:
    if isinstance(pair, str):
        return ""
    rows = [(TITLES.get(name, name), found.value, found.low, found.high) for name, found in pair.differences.items()]
    frame = pd.DataFrame(rows, columns=["metric", "value", "low", "high"])
    frame = frame.astype({"value": float, "low": float, "high": float})
    return _figure(figures.differences(frame), f"{pair.second} minus {pair.first}.")


# --- one experiment ---------------------------------------------------------------------------------------

_STATES = ("ok", "salvaged", "refused", "not_evaluable", "failed", "pending")
_MANUAL = (
    ("yes", ("tp", "fn", "no_answer_yes")),
    ("no", ("fp", "tn", "no_answer_no")),
    ("unlabelled", ("unlabelled_flagged", "unlabelled_not", "unlabelled_no_answer")),
)


def _experiment(hub: Hub, card: cards.Scorecard) -> str:
    title, counts = _title(card.about), card.counts
    went = [[f"{counts[state]:,}" for state in _STATES] + [f"{counts['total']:,}"]]
    went = [["narratives", *line] for line in went]
    caption = "Where each narrative went; the states add up to the total"
    states = _table(caption, ("", *(state.replace("_", " ") for state in _STATES), "total"), went)
    scores = _table("Metrics over the narratives both labelled and answered", cards.HEAD, cards.rows(card), text=(0, 5))
    return (
        f'<h3>{escape(title)}</h3><p class="line">{escape(_said(hub, card))}</p>{states}'
        f'<div class="pair">{_confusion(card, title)}<div>{_cells(card)}{scores}</div></div>'
    )


def _said(hub: Hub, card: cards.Scorecard) -> str:
    """Who was asked, with which settings, when, and about how much."""
    about = card.about
    held = json.loads(hub.experiment(about["id"])["settings"])
    settings = [f"{key.replace('_', ' ')} {held[key]}" for key in SETTINGS if key in held]
    begun = f"begun {about['start_time'][:10]}"
    over = f"{about['total']:,} narratives of {card.incidents:,} incidents"
    return " · ".join([_model(about), f"prompt {about['prompt_hash'][:12]}", *settings, over, begun, about["state"]])


def _confusion(card: cards.Scorecard, title: str) -> str:
    chart = card.figure.update_layout(width=None)
    return _figure(chart, f"Manual flags against those of {title}; shares are of the row.", "small")


def _cells(card: cards.Scorecard) -> str:
    lines = [[card.cells[key] for key in keys] for _, keys in _MANUAL]
    lines.append([sum(column) for column in zip(*lines, strict=True)])
    names = [*(name for name, _ in _MANUAL), "all"]
    rows = [[name, *(f"{n:,}" for n in line), f"{sum(line):,}"] for name, line in zip(names, lines, strict=True)]
    caption = "The chart's counts: rows are the manual flag, columns the model's"
    return _table(caption, ("", "flagged", "not flagged", "no answer", "all"), rows)


def _environment(hub: Hub, scorecards: Sequence[cards.Scorecard]) -> str:
    """The versions under which the experiments ran: those that ran alike stand in one line."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for card in scorecards:
        held = json.loads(hub.experiment(card.about["id"])["environment"])
        packages = ", ".join(f"{name} {version}" for name, version in (held.get("packages") or {}).items())
        line = tuple(str(held.get(key) or "") for key in ("exphub", "python", "platform"))
        alike.setdefault((*line, packages), []).append(_title(card.about))
    rows = [[", ".join(titles), *line] for line, titles in alike.items()]
    head = ("Experiments", "ExpHub", "Python", "Platform", "Packages")
    return _table("Versions under which the experiments ran", head, rows, text=range(len(head)))


# --- HTML -------------------------------------------------------------------------------------------------


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, text: Iterable[int] = (0,)) -> str:
    """A table of text; the first cell heads its row, a line after the first is small print."""
    left = set(text) | {0}

    def side(column: int) -> str:
        return ' class="text"' if column in left else ""

    top = "".join(f'<th scope="col"{side(n)}>{_lines(name)}</th>' for n, name in enumerate(head))
    lines = "".join(
        f'<tr><th scope="row"{side(0)}>{_lines(first)}</th>'
        + "".join(f"<td{side(n)}>{_lines(cell)}</td>" for n, cell in enumerate(cells, start=1))
        + "</tr>"
        for first, *cells in rows
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption><span>{escape(caption)}</span></caption><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _lines(cell: str) -> str:
    """A cell's first line, and the second in small print, which is broken only where it is long."""
    first, _, rest = cell.partition("\n")
    if not rest:
        return escape(first)
    if len(rest) > UNBROKEN:
        return f'{escape(first)}<small class="why">{escape(rest)}</small>'
    return f"{escape(first)}<br><small>{escape(rest)}</small>"


def _figure(figure: go.Figure, caption: str, kind: str = "broad") -> str:
    """A chart and its data, which the page's last script draws; `kind` is how the style sheet sizes it."""
    held = figure.to_json().replace("<", "\\u003c")
    return (
        f'<figure class="{kind}"><div role="img" aria-label="{escape(caption)}"></div>'
        f'<script type="application/json">{held}</script><figcaption>{escape(caption)}</figcaption></figure>'
    )


# --- the summary in a terminal ----------------------------------------------------------------------------

_HEAD = (
    *("experiment\nauthor", "model\nprompt", "dataset\nn", "yes\nno", "FP\nFN"),
    *("overlap\nalways no", "P", "R", "F1", "state\nmissing"),
)
_WIDTHS = (18, 15, 12)


def table(experiments: Hub | pd.DataFrame) -> str:
    """The summary as a terminal table of at most 120 columns.

    >>> with Hub.open(":memory:") as hub:
    ...     table(hub)
    'no experiment yet'

    Takes a hub, or its leaderboard or some rows of it; the intervals and always “no” are a hub's alone.
    """
    if isinstance(experiments, Hub):
        scored = [cards.scorecard(experiments, row["id"]) for row in experiments.leaderboard()]
        rows = [_terminal_row(card.about | _rates(card), card) for card in scored]
    else:
        rows = [_terminal_row(row) for row in experiments.to_dict("records")]
    if not rows:
        return "no experiment yet"
    sides = ("left",) * 3 + ("right",) * 6 + ("left",)
    return tabulate.tabulate(rows, _HEAD, disable_numparse=True, colalign=sides)


def _rates(card: cards.Scorecard) -> dict[str, float | None]:
    return {name: card.scores[name].value for name in FOREST}


def _terminal_row(row: Mapping[Any, Any], card: cards.Scorecard | None = None) -> list[str]:
    names = (
        (_title(row), _text(row["author"])),
        (_model(row), row["prompt_hash"][:12]),
        (_bare(row["dataset"]), f"{row['total_narratives']:,}"),
    )
    overlap = _text(row["percent_overlap"], "{:.1f} %") or "unlabelled"
    always_no = card.scores["agreement"].always_no if card else None
    return [
        *("\n".join(_cut(one, width) for one in pair) for pair, width in zip(names, _WIDTHS, strict=True)),
        f"{row['positives']:,}\n{row['negatives']:,}",
        f"{row['false_positives']:,}\n{row['false_negatives']:,}",
        overlap if always_no is None else f"{overlap}\n{100 * always_no:.1f} %",
        *(_rate(row[name], card.scores[name] if card else None) for name in FOREST),
        f"{row['state']}\n{_missing(row):,}",
    ]


def _rate(value: float | None, score: metrics.Metric | None) -> str:
    first = decimal(None if pd.isna(value) else value)
    return f"{first}\n{interval(score.low, score.high).replace(' ', '')}" if score else first


def _text(value: Any, shape: str = "{}") -> str:
    return "" if value is None or pd.isna(value) else shape.format(value)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


# --- results as a data file -------------------------------------------------------------------------------


def export(hub: Hub, name: str, file: str | Path) -> Path:
    """Write an experiment's results as csv, xlsx, parquet or jsonl, by the file's ending; no narrative text.

    A csv cell that a spreadsheet would take for a formula gets an apostrophe before it; in xlsx it is text.

    Raises:
        ConfigError: for an unknown ending, a file that is there already, or a folder that is not.
    """
    path = Path(file)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise ConfigError(f"{path.name!r} ends in no known format: name a {', '.join(_WRITERS)} file")
    if path.exists():
        raise ConfigError(f"{path.name} is there already: name another file, or remove it first")
    if not path.parent.is_dir():
        raise ConfigError(f"the folder of {path.name} does not exist: make it, or name another")
    results = _results(hub, hub.find(name))
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(results, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _results(hub: Hub, experiment: int) -> pd.DataFrame:
    about = next(row for row in hub.leaderboard() if row["id"] == experiment)
    first = {"experiment_id": experiment, "fingerprint": about["fingerprint"], "experiment": _title(about)}
    frame = pd.DataFrame([{**first, **row} for row in hub.verdicts(experiment)])
    texts = [column for column in frame if column not in ("experiment_id", "flag", "manual_flag", "confidence")]
    kinds = {"flag": "boolean", "manual_flag": "boolean", "confidence": "Float64"}
    return frame.astype({**dict.fromkeys(texts, "string"), **kinds})


def _csv(results: pd.DataFrame, path: Path) -> None:
    texts: list[str] = list(results.select_dtypes("string"))
    defused = results.assign(**{column: results[column].map(_defused, na_action="ignore") for column in texts})
    # All text is quoted: the csv module leaves a lone carriage return bare, which readers take for a new row.
    defused.to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC)


def _defused(text: str) -> str:
    """A text that no spreadsheet takes for a formula.

    >>> _defused("=1+1"), _defused("plain")
    ("'=1+1", 'plain')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _xlsx(results: pd.DataFrame, path: Path) -> None:
    texts: list[str] = list(results.select_dtypes("string"))
    forbidden = openpyxl.cell.cell.ILLEGAL_CHARACTERS_RE
    clean = results.assign(**{column: results[column].str.replace(forbidden, "", regex=True) for column in texts})
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        clean.to_excel(writer, sheet_name="results", index=False)
        for row in writer.sheets["results"].iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    cell.data_type = "s"


def _parquet(results: pd.DataFrame, path: Path) -> None:
    if util.find_spec("pyarrow") is None:
        raise ConfigError("parquet needs the package pyarrow: install exphub[parquet], or name a csv file")
    results.to_parquet(path, index=False)


def _jsonl(results: pd.DataFrame, path: Path) -> None:
    results.to_json(path, orient="records", lines=True, force_ascii=False)


_WRITERS: Mapping[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".parquet": _parquet,
    ".jsonl": _jsonl,
}
