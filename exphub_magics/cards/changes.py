"""What changed: an experiment against the baseline that is pinned, else against the version before it.

Everything that a person or a model wrote is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from exphub_magics import comparisons, prompts
from exphub_magics.hub import Hub, Row, aliases
from exphub_magics.markup import LISTED, block, details


@dataclass(frozen=True, slots=True)
class Change:
    """What differs from the experiment that a card is held against.

    `version` is that experiment's, and `pin` how it became the baseline; None where it is the version before.
    `itself` is whether the card is the baseline's own, of which nothing differs.
    """

    version: int
    prompt: tuple[prompts.Change, ...]
    others: tuple[str, ...]
    pair: comparisons.Pair | None
    why_not: str | None = None
    pin: aliases.Move | None = None
    itself: bool = False

    @property
    def heading(self) -> str:
        """What is compared with."""
        if self.pin is None:
            return f"Since v{self.version}"
        return (
            f"This is the baseline ({self.pin})"
            if self.itself
            else f"Against the baseline {self.pin.title} ({self.pin})"
        )

    @property
    def verdict(self) -> str:
        """What moved, in one sentence; against a baseline the newly wrong first."""
        if self.pair is None:
            return self.why_not or ""
        found = self.pair.comparison
        said = found.verdict()
        if self.pin is None or found.p_value is None:
            return said
        right, wrong = f"{found.only_second_right:,} newly right", f"{found.only_first_right:,} newly wrong"
        moved = said.replace(f"{right}, {wrong}", f"{wrong}, {right}", 1)
        return f"of {found.n_common:,} labelled narratives that both have answered: {moved}"


def change(hub: Hub, row: Row, board: Sequence[Row]) -> Change | None:
    """How a row of the leaderboard differs from the baseline, else from its name's version before; None without any."""
    pin = aliases.baseline(hub)
    if pin is None:
        before = [one for one in board if one["name"] == row["name"] and one["version"] == row["version"] - 1]
        return _against(hub, before[0], row) if before else None
    (held,) = [one for one in board if one["id"] == pin.experiment_id]
    if held["id"] == row["id"]:
        return Change(row["version"], (), (), None, pin=pin, itself=True)
    return _against(hub, held, row, pin)


def _against(hub: Hub, earlier: Row, row: Row, pin: aliases.Move | None = None) -> Change:
    old, new = hub.experiment(earlier["id"]), hub.experiment(row["id"])
    wording = prompts.diff(old["prompt_text"], new["prompt_text"]) if old["prompt_hash"] != new["prompt_hash"] else ()
    differs = _since_pinned(hub, old, new, pin) if pin else _since_before(old, new)
    # By name and version: an id might be another experiment's name.
    titles = [f"{one['name']}@{one['version']}" for one in (earlier, row)]
    try:
        (pair,) = comparisons.compare(hub, titles).pairs
    except comparisons.NothingCommonError as error:
        return Change(earlier["version"], wording, differs, None, str(error), pin)
    return Change(earlier["version"], wording, differs, pair, pin=pin)


def _since_before(old: Row, new: Row) -> tuple[str, ...]:
    return _differing(
        ("model", _model(old), _model(new)),
        ("dataset", _dataset(old), _dataset(new)),
        ("settings", _settings(old), _settings(new)),
    )


def _since_pinned(hub: Hub, old: Row, new: Row, pin: aliases.Move) -> tuple[str, ...]:
    """What makes the figures less alike comes first: texts, labels, the form of the answers."""
    flags = aliases.flags_changed(hub, old["dataset_id"], new["dataset_id"], pin.moved_at)
    was, now = (", ".join(aliases.answer_formats(hub, one["id"])) for one in (old, new))
    known = [("answer format", was, now)] if was and now else []  # nothing is known before the first reply
    return (
        *_differing(("dataset", _dataset(old), _dataset(new))),
        *([f"labels: {flags:,} manual flag{'s' * (flags != 1)} changed since it was pinned"] if flags else []),
        *_differing(*known, ("model", _model(old), _model(new)), ("settings", _settings(old), _settings(new))),
    )


def _differing(*sides: tuple[str, str, str]) -> tuple[str, ...]:
    return tuple(f"{what}: {was} → {now}" for what, was, now in sides if was != now)


def _model(row: Row) -> str:
    return f"{row['provider']} {row['model_name']}"


def _dataset(row: Row) -> str:
    return f"{row['dataset']} {row['dataset_sha256'][:8]}"


def _settings(row: Row) -> str:
    return ", ".join(f"{key} {value}" for key, value in json.loads(row["settings"]).items()) or "none"


# --- words ------------------------------------------------------------------------------------------------


def text(change: Change) -> str:
    """A change as plain text; against a baseline with the ids of what is newly wrong."""
    marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    wording = "".join(
        marks[one.kind].format(_shortened(one.text) if one.kind == "same" else one.text) for one in change.prompt
    )
    lines = [change.heading, *change.others, *([wording] if wording else [])]
    if change.itself:
        return "\n".join(lines)
    wrong = change.pair.newly_wrong if change.pin and change.pair else ()
    return "\n".join([*lines, change.verdict, *_listed([flip.narrative_id for flip in wrong])])


def _listed(wrong: Sequence[str]) -> list[str]:
    more = f" … and {len(wrong) - LISTED:,} more" if len(wrong) > LISTED else ""
    return [f"newly wrong: {', '.join(wrong[:LISTED])}{more}"] if wrong else []


# --- HTML -------------------------------------------------------------------------------------------------


def html(change: Change) -> str:
    """A change as HTML, with the narratives that flipped."""
    head = f"<b>{escape(change.heading)}</b>"
    if change.itself:
        return f"{head}</div>"
    others = "".join(f"<div>{escape(other)}</div>" for other in change.others)
    flipped = _flipped(change.pair, wrong_first=change.pin is not None) if change.pair else ""
    return block(f"{head}{others}{_diff(change.prompt)}<div>{escape(change.verdict)}</div>{flipped}")


def _flipped(pair: comparisons.Pair, *, wrong_first: bool) -> str:
    right = _flips("newly right", pair.newly_right)
    wrong = _flips("newly wrong", pair.newly_wrong)
    return wrong + right if wrong_first else right + wrong


def _flips(kind: str, flips: Sequence[comparisons.Flip]) -> str:
    return details(f"{len(flips):,} {kind}", map(comparisons.told, flips))


def _diff(changes: Iterable[prompts.Change]) -> str:
    """The prompt's difference: whole lines around what changed, words taken out struck through."""
    marks = {"removed": ("<del>", "</del>", "#d9534f"), "added": ("<ins>", "</ins>", "#2a86c8")}
    pieces = []
    for one in changes:
        if one.kind == "same":
            pieces.append(escape(_shortened(one.text)))
        else:
            opened, closed, colour = marks[one.kind]
            pieces.append(f'<span style="color: {colour}">{opened}{escape(one.text)}{closed}</span>')
    if not pieces:
        return ""
    return f'<div style="white-space: pre-wrap; border-left: 3px solid #888; padding-left: 8px">{"".join(pieces)}</div>'


def _shortened(same: str, *, around: int = 60) -> str:
    """Unchanged words that are far from any change stand as an ellipsis."""
    return same if len(same) <= 2 * around + 5 else f"{same[:around]} … {same[-around:]}"
