"""Configurations in one table: what asking again changes, beside what another prompt, model or setting changes.

Experiments that are the same but for their repeat are one configuration. Answers may change from repeat to repeat, so
a difference between two configurations says little before it is held against that noise.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exphub_magics import lazily, markup
from exphub_magics.cards import listings
from exphub_magics.comparisons import boolean
from exphub_magics.errors import unknown
from exphub_magics.hub import Hub, Row
from exphub_magics.markup import decimal, interval
from exphub_magics.metrics import stability

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import tabulate

    from exphub_magics.metrics.intervals import Floats
else:
    np = lazily.load("numpy")
    pd = lazily.load("pandas")
    tabulate = lazily.load("tabulate")

FIGURES = (
    *("repeats", "narratives", "f1", "f1_min", "f1_max", "precision", "precision_min", "precision_max"),
    *("recall", "recall_min", "recall_max", "f1_sd", "flips", "flips_low", "flips_high", "disagreement"),
    *("common", "difference", "difference_low", "difference_high", "noise"),
)
_NAMES = ("name", "experiments", "provider", "model_name", "prompt", "dataset")
_WHOLE = ("repeats", "narratives")
_REPEAT = "repeat"


@dataclass(frozen=True, slots=True, repr=False)
class Repeats:
    """The table of configurations as a notebook and a terminal show it; `frame` holds its numbers."""

    frame: pd.DataFrame

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return text(self.frame)

    def _repr_html_(self) -> str:
        return html(self.frame)

    def as_json(self) -> list[dict[str, Any]]:
        """The rows as --json prints them; what is undefined is null."""
        rows: list[dict[str, Any]] = json.loads(self.frame.to_json(orient="records", double_precision=15))
        return rows


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one experiment and the coders say of a narrative."""

    flag: bool | None
    manual_flag: bool | None
    incident_id: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """Experiments that differ in nothing but the repeat, and what each says of each narrative."""

    rows: tuple[Row, ...]
    said: tuple[Mapping[str, Verdict], ...]

    @property
    def first(self) -> Row:
        """The record of its first experiment, which stands for what all share."""
        return self.rows[0]


# --- the table --------------------------------------------------------------------------------------------


def table(hub: Hub, experiment_ids: Iterable[int]) -> pd.DataFrame:
    """One row per configuration, in the order of the experiments; each is compared with the first.

    >>> with Hub.open(":memory:") as hub:
    ...     len(table(hub, []))
    0

    F1, precision and recall are means over the repeats, with their range over these (`_min`, `_max`), on the
    narratives that all repeats answered; `f1_sd` is F1's standard deviation. `flips` is the share of narratives on
    which the repeats do not all agree, with its 95 % interval by incident; it grows with the number of repeats, which
    `disagreement`, the mean over pairs of repeats, does not. `difference` is the mean F1 minus that of the first, on
    the `common` narratives that are labelled and that all repeats of both answered, with its 95 % interval by
    incident; `noise` is how far from nothing asking again alone brings it (95 %), and `verdict` what that comes to.
    What is undefined is missing.

    Raises:
        UnknownNameError: for an id that is no experiment's.
    """
    board = {row["id"]: row for row in hub.leaderboard()}
    numbers = list(dict.fromkeys(experiment_ids))
    for number in numbers:
        if number not in board:
            raise unknown("experiment", str(number), map(str, board))
    found = _configurations(hub, [board[number] for number in numbers])
    varied = _varied([_settings(one.first) for one in found])
    rows = [
        _named(one, found)
        | {key: _settings(one.first).get(key) for key in varied}
        | _own(one)
        | _against(hub, one, found)
        for one in found
    ]
    frame = pd.DataFrame(rows, columns=[*_NAMES, *varied, *FIGURES, "verdict"])
    return frame.astype({name: "int64" if name in _WHOLE else "float64" for name in FIGURES})


def _configurations(hub: Hub, rows: Sequence[Row]) -> list[Configuration]:
    alike: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        who = (row["prompt_hash"], row["provider"], row["model_name"], row["dataset_sha256"])
        alike.setdefault((*who, json.dumps(_settings(row), sort_keys=True)), []).append(row)
    return [Configuration(tuple(group), tuple(_said(hub, row["id"]) for row in group)) for group in alike.values()]


def _settings(row: Row) -> dict[str, Any]:
    return {key: value for key, value in json.loads(row["settings"]).items() if key != _REPEAT}


def _said(hub: Hub, experiment: int) -> dict[str, Verdict]:
    return {
        one["narrative_id"]: Verdict(boolean(one["flag"]), boolean(one["manual_flag"]), one["incident_id"])
        for one in hub.verdicts(experiment)
    }


def _varied(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The settings that are not the same in all; the temperature, on which the noise hangs, always."""
    keys = dict.fromkeys(key for one in settings for key in one)
    differ = [key for key in keys if len({json.dumps(one.get(key)) for one in settings}) > 1]
    return list(dict.fromkeys(["temperature", *differ]))


def _named(one: Configuration, found: Sequence[Configuration]) -> dict[str, Any]:
    first = one.first
    shared = sum(other.first["name"] == first["name"] for other in found) > 1
    return {
        "name": listings.title(first) if shared else first["name"],
        "experiments": ", ".join(map(listings.title, one.rows)),
        "provider": first["provider"],
        "model_name": first["model_name"],
        "prompt": first["prompt_hash"][:12],
        "dataset": first["dataset"],
    }


# --- figures ----------------------------------------------------------------------------------------------


def _own(one: Configuration) -> dict[str, Any]:
    """How the repeats of a configuration differ from each other."""
    (found,) = _answered([one], list(one.said[0]))
    rates = {name: stability.rates(name, found) for name in listings.RATES}
    known = len(one.rows) > 1
    flips = stability.flips(found)
    return {
        "repeats": len(one.rows),
        "narratives": found.flags.shape[1],
        **{name: values.mean() for name, values in rates.items()},
        **{f"{name}_min": values.min() for name, values in rates.items()},
        **{f"{name}_max": values.max() for name, values in rates.items()},
        "f1_sd": _deviation(rates["f1"]) if known else None,
        "flips": flips.value if known else None,
        "flips_low": flips.low if known else None,
        "flips_high": flips.high if known else None,
        "disagreement": stability.disagreement(found),
    }


def _deviation(values: Floats) -> float:
    """The standard deviation of a sample; of equal values it is nought to the last bit."""
    return 0.0 if np.ptp(values) == 0 else float(np.std(values, ddof=1))


def _against(hub: Hub, one: Configuration, found: Sequence[Configuration]) -> dict[str, Any]:
    """What a configuration's mean F1 has over that of the first."""
    if one is found[0]:
        return {"verdict": ""}
    before, after = _answered([found[0], one], _shared(hub, found[0], one))
    gap, reach = stability.difference(before, after), stability.noise(before, after)
    return {
        "common": (before.labels >= 0).sum(),
        "difference": gap.value,
        "difference_low": gap.low,
        "difference_high": gap.high,
        "noise": reach,
        "verdict": gap.why if gap.value is None else stability.verdict(gap.value, reach),
    }


def _shared(hub: Hub, first: Configuration, second: Configuration) -> list[str]:
    """The narratives of both; of two datasets, those whose text is the same."""
    same = set(second.said[0])
    if first.first["dataset_id"] != second.first["dataset_id"]:
        same = hub.same_texts(first.first["dataset_id"], second.first["dataset_id"])
    return [one for one in first.said[0] if one in same]


def _answered(configurations: Sequence[Configuration], narratives: Sequence[str]) -> list[stability.Repeated]:
    """Those of the narratives that every repeat of all the configurations answered.

    Labels are those of the newest dataset, incidents those of the first configuration's.
    """
    said = [each for one in configurations for each in one.said]
    kept = [one for one in narratives if all(one in each and each[one].flag is not None for each in said)]
    newest = max(configurations, key=lambda one: int(one.first["dataset_id"]))
    truth = [newest.said[0][one].manual_flag for one in kept]
    incident = [said[0][one].incident_id for one in kept]
    return [
        stability.repeated(truth, [[each[one].flag for one in kept] for each in configuration.said], incident=incident)
        for configuration in configurations
    ]


# --- words ------------------------------------------------------------------------------------------------

_NOTES = (
    "F1 (with its range), precision and recall: mean of the repeats, on the narratives that all of them answered",
    "flips: share of narratives on which the repeats do not all agree; both intervals 95 %, by incident",
    "difference: mean F1 minus that of the first row, on common narratives; ±: what asking again alone makes, 95 %",
)
_HEAD = (
    *("configuration\nsettings", "model\nprompt", "repeats\nn", "F1\nrange", "P\nR", "SD F1\n±", "flips\n95 %"),
    *("difference\n95 %", "which is"),
)
_WIDTHS = (27, 12)
_IN_WORDS = (
    *("configuration", "settings", "model", "prompt", "repeats", "narratives", "F1", "precision", "recall"),
    *("SD of F1", "flips", "common", "difference in F1", "noise", "which is"),
)


def text(frame: pd.DataFrame) -> str:
    """The table for a terminal, of at most 120 columns, with what its figures are.

    >>> text(pd.DataFrame())
    'no experiment yet'
    """
    if frame.empty:
        return "no experiment yet"
    lines = [_terminal_row(row) for row in _plain(frame)]
    sides = ("left", "left", *("right",) * 6, "left")
    return "\n".join([tabulate.tabulate(lines, _HEAD, disable_numparse=True, colalign=sides), *_NOTES])


def html(frame: pd.DataFrame) -> str:
    """The table for a notebook; what people named is escaped.

    >>> html(pd.DataFrame())
    '<div>no experiment yet</div>'
    """
    if frame.empty:
        return "<div>no experiment yet</div>"
    told = "".join(f"<div>{note}</div>" for note in _NOTES)
    return markup.block(f"{markup.table(_IN_WORDS, map(_notebook_row, _plain(frame)), left=[1, 2, 3, 14])}{told}")


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows, a missing value as None, and the settings in words."""
    rows = [
        {str(key): None if pd.isna(value) else value for key, value in row.items()} for row in frame.to_dict("records")
    ]
    settings = [key for key in rows[0] if key not in (*_NAMES, *FIGURES, "verdict")]
    return [
        row | {"settings": ", ".join(_setting(key, row[key]) for key in settings if row[key] is not None)}
        for row in rows
    ]


def _setting(key: str, value: Any) -> str:
    return f"{key.replace('_', ' ')} {value:g}" if isinstance(value, float) else f"{key.replace('_', ' ')} {value}"


def _terminal_row(row: Mapping[str, Any]) -> list[str]:
    names = ((row["name"], row["settings"]), (listings.bare(row["model_name"]), row["prompt"]))
    return [
        *(
            "\n".join(listings.shortened(one, width) for one in pair)
            for pair, width in zip(names, _WIDTHS, strict=True)
        ),
        f"{row['repeats']:,}\n{row['narratives']:,}",
        f"{decimal(row['f1'])}\n{_range(row, 'f1').replace(' ', '')}",
        f"{decimal(row['precision'])}\n{decimal(row['recall'])}",
        f"{_fine(row['f1_sd'])}\n{_reach(row)}",
        f"{decimal(row['flips'])}\n{_bounds(row, 'flips').replace(' ', '')}",
        f"{_moved(row)}\n{_bounds(row, 'difference').replace(' ', '')}",
        textwrap.fill(row["verdict"], 16),
    ]


def _notebook_row(row: Mapping[str, Any]) -> list[str]:
    return [
        row["name"],
        row["settings"],
        f"{row['provider']} {listings.bare(row['model_name'])}",
        row["prompt"],
        *(f"{row[name]:,}" for name in ("repeats", "narratives")),
        *(_with(decimal(row[name]), _range(row, name)) for name in ("f1", "precision", "recall")),
        _fine(row["f1_sd"]),
        _with(decimal(row["flips"]), _bounds(row, "flips")),
        "" if row["common"] is None else f"{row['common']:,.0f}",
        _with(_moved(row), _bounds(row, "difference")),
        _reach(row),
        row["verdict"],
    ]


def _with(value: str, span: str) -> str:
    return f"{value} ({span})" if span else value


def _range(row: Mapping[str, Any], name: str) -> str:
    return interval(row[f"{name}_min"], row[f"{name}_max"]) if row["repeats"] > 1 else ""


def _bounds(row: Mapping[str, Any], name: str) -> str:
    return interval(row[f"{name}_low"], row[f"{name}_high"])


def _moved(row: Mapping[str, Any]) -> str:
    value = row["difference"]
    return "" if value is None else f"{'+' if value > 0 else ''}{decimal(value)}"


def _reach(row: Mapping[str, Any]) -> str:
    return "" if row["noise"] is None else f"±{_fine(row['noise'])}"


def _fine(value: float | None) -> str:
    """To three places, since noise is small."""
    return "–" if value is None else f"{value:.3f}".replace("0.", ".", 1)
