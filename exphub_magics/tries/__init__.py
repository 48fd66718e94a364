"""A prompt that is tried: against which parent, on which narratives, by which model, and what that costs.

A try is an experiment like any other, so each is kept and counted. It is named after its parent, `baseline.try`: typed
on any keyboard, and no quotes needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from exphub_magics import builtin, experiments, prompts, rereading, specs
from exphub_magics.datasets.narratives import Narrative
from exphub_magics.errors import ConfigError
from exphub_magics.experiments import bills, budgets
from exphub_magics.hub import Hub, Row
from exphub_magics.hub import holdings as held
from exphub_magics.specs import BUILTIN, Spec, families
from exphub_magics.tries.parents import Parent

SIZE = 50  # narratives of a try, where a model has to be paid or waited for
FREE = 200  # where it costs nothing; of fewer than twice as many all are tried
SAMPLED = 200  # questions that an estimate is made from
WORDS = 1_000  # of a stretch of a prompt that are compared one by one
SETTINGS = (
    *("model_name", "provider", "base_url", "api_key_env", "temperature", "reasoning_effort", "max_tokens"),
    *("seed", "sample", "concurrency", "max_cost"),
)


# --- what is run ------------------------------------------------------------------------------------------


def settings(spec: Spec) -> dict[str, Any]:
    """What can be set of a try, as a spec has it.

    >>> settings(Spec("first", prompts.parse("Violence?"), sample=50))["sample"]
    50
    """
    return {key: getattr(spec, key) for key in SETTINGS}


def settings_of(hub: Hub, parent: Parent, said: Mapping[str, Any]) -> dict[str, Any]:
    """How the next try is to be run: as said, else as the latest try, else as the parent.

    A model that has to be paid or waited for is asked about fifty narratives, the builtin one about two hundred, so
    that others are left to see on whether a change holds.
    """
    last = latest(hub, parent)
    base = settings(rereading.spec_of(hub.experiment(last)) if last else parent.spec)
    if {"provider", "base_url"} & said.keys():  # another place: what was known of the one before says nothing of it
        base |= dict.fromkeys(("base_url", "api_key_env"))
        base["provider"] = "endpoint"
    known = base | dict(said)
    if last is None and "sample" not in said and known["sample"] is None:
        if known["provider"] != BUILTIN:
            known["sample"] = SIZE
        elif is_large(parent):
            known["sample"] = FREE
    return known


def is_large(parent: Parent) -> bool:
    """Whether there are narratives enough to leave some untried."""
    return len(parent.dataset.narratives) >= 2 * FREE


def latest(hub: Hub, parent: Parent) -> int | None:
    """The latest try on the parent's data; None where there is none."""
    return next((row["id"] for row in reversed(of(hub, parent))), None)


def of(hub: Hub, parent: Parent) -> list[Row]:
    """The tries on the parent's data, in their order."""
    here, names = held.trials(hub, parent.dataset.sha256), families.tries(parent.family)
    return [row for row in hub.names() if row["name"] in names and row["id"] in here]


def of_any(hub: Hub, sha256: str) -> list[int]:
    """The tries of any prompt on some data: whoever has read what one of them got wrong has read the narratives.

    A parent's prompt that was run beside a try is none.
    """
    here = held.trials(hub, sha256)
    return [row["id"] for row in hub.names() if row["id"] in here and not families.is_again(row["name"])]


def job(parent: Parent, text: str, **settings: Any) -> experiments.Job:
    """A try, ready to be run: on a stratified sample where one is asked for that is smaller than the data.

    The parent's own sample, asked for again, is drawn as it was.

    Raises:
        ConfigError: for a prompt, a slot or a setting that cannot be run.
    """
    spec = replace(parent.spec, name=parent.name, prompt=prompts.parse(text), **settings)
    if spec.provider != BUILTIN and spec.model_name == builtin.MODEL_NAME:
        raise ConfigError(f"provider {spec.provider!r} needs a model: name the one to ask")
    same = (spec.sample, spec.seed) == (parent.spec.sample, parent.spec.seed)
    return _job(parent, replace(spec, stratified=parent.spec.stratified if same else True))


def again(parent: Parent, attempt: Spec) -> experiments.Job:
    """The parent's own prompt and model on the narratives of a try."""
    drawn = {key: getattr(attempt, key) for key in ("sample", "seed", "stratified")}
    return _job(parent, replace(parent.spec, name=f"{parent.family}{families.AGAIN}", **drawn))


def again_of(hub: Hub, parent: Parent, experiment: int) -> experiments.Job:
    """The same on the narratives of a try that the hub has."""
    return again(parent, rereading.spec_of(hub.experiment(experiment)))


def _job(parent: Parent, spec: Spec) -> experiments.Job:
    dataset = parent.dataset
    if spec.sample is None or spec.sample >= len(dataset.narratives):
        spec = replace(spec, sample=None, stratified=False)
    spec = specs.complete(replace(spec, repeat=1, notes=None, trial=True))
    facts = dataset.narratives[0].facts if dataset.narratives else {}
    prompts.check_slots(spec.prompt, facts, labels=experiments.labels(dataset.profile.columns))
    return experiments.Job(spec, dataset)


def wording(old: str, new: str) -> tuple[prompts.Change, ...]:
    """What differs between two prompts, word by word; a stretch too long for that as a whole.

    >>> [(one.kind, one.text) for one in wording("stated violence only", "stated violence and threats")]
    [('same', 'stated violence '), ('removed', 'only'), ('added', 'and threats')]
    """
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    before, after = old[start : len(old) - end], new[start : len(new) - end]
    if len(before.split()) * len(after.split()) > WORDS**2:
        middle = [prompts.Change("removed", before), prompts.Change("added", after)]
    else:
        middle = list(prompts.diff(before, after))
    around = [prompts.Change("same", old[:start]), *middle, prompts.Change("same", old[len(old) - end :])]
    return _joined([one for one in around if one.text])


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike, up to the end of a word."""
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    if alike == len(one) == len(other):
        return alike
    blank = re.search(r"\s\S*\Z", one[:alike])
    return blank.start() + 1 if blank else 0


def _joined(changes: Sequence[prompts.Change]) -> tuple[prompts.Change, ...]:
    joined: list[prompts.Change] = []
    for one in changes:
        if joined and joined[-1].kind == one.kind:
            joined[-1] = replace(one, text=joined[-1].text + one.text)
        else:
            joined.append(one)
    return tuple(joined)


# --- against what it is held ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reference:
    """The experiment with the parent's answers; `missing` are the narratives of a try that have none there."""

    experiment: int | None
    missing: int


def reference(hub: Hub, parent: Parent, attempt: Spec, ids: Sequence[str]) -> Reference:
    """Where the parent's answers on narratives stand: in its own experiment, or in one run beside the try.

    Args:
        hub: The hub.
        parent: What the try is held against.
        attempt: The try.
        ids: Its narratives.
    """
    counted = [(held.results(hub, one, ids), one) for one in candidates(hub, parent, attempt)]
    most, experiment = max(counted, key=lambda pair: pair[0], default=(0, None))
    return Reference(experiment if most else None, len(ids) - most)


def candidates(hub: Hub, parent: Parent, attempt: Spec) -> list[int]:
    """The experiments on the parent's data that may hold its answers on the narratives of a try."""
    here = held.experiments_on(hub, parent.dataset.sha256)
    own = parent.experiment if parent.experiment in here else None
    beside = [_known(hub, spec, parent.dataset.sha256) for spec in (again(parent, attempt).spec, parent.spec)]
    return list(dict.fromkeys(one for one in (own, *beside) if one is not None))


def _known(hub: Hub, spec: Spec, sha256: str) -> int | None:
    fingerprint = spec.fingerprint(sha256)
    return next((row["id"] for row in hub.names() if row["fingerprint"] == fingerprint), None)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The narratives of a try: their ids, how many there is something to evaluate in, and the first of these."""

    ids: tuple[str, ...]
    evaluable: int
    first: tuple[Narrative, ...]


def drawn(hub: Hub, attempt: experiments.Job) -> Drawn:
    """The narratives that a try asks about: those that were drawn before for such a sample, where some were."""
    dataset = attempt.dataset
    ids = tuple(experiments.sampled(hub, attempt.spec, dataset))
    here = set(ids)
    asked = [place for place, one in enumerate(dataset.narratives) if one.narrative_id in here and not one.placeholder]
    return Drawn(ids, len(asked), tuple(dataset.narratives[place] for place in asked[:SAMPLED]))


# --- what it costs ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """What a try will cost, and what the prompt would cost on all narratives, each in a line."""

    attempt: str
    whole: str


def cost(hub: Hub, attempt: experiments.Job, drawn: Drawn) -> Cost:
    """Reckon what a try costs before anything is asked.

    Raises:
        ConfigError: when the table of prices cannot be read.
    """
    spec, profile = attempt.spec, attempt.dataset.profile
    if spec.provider == BUILTIN:
        return Cost("costs nothing: the builtin model runs on this machine", "costs nothing")
    sampled = [spec.question(one.narrative_id, one.text, one.facts) for one in drawn.first]
    known = len(hub.recall(question.question_hash for question in sampled))
    price = bills.price(spec)
    history = hub.history(spec.provider, spec.model, spec.reasoning_effort, most=budgets.LATEST)

    def told(calls: int) -> str:
        known_of_it = budgets.History(**history)
        calls = calls if sampled else 0
        return budgets.estimate(spec, price, calls=calls, sample=sampled, history=known_of_it).words()

    before = f"; {known:,} are answered already" if known else ""
    everything = profile.narratives - profile.placeholders
    return Cost(told(drawn.evaluable - known) + before, told(everything - known))
