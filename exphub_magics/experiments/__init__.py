"""The one conductor: a spec and its dataset become an experiment in the hub, run to its end.

`run` yields Progress and can be stopped anywhere: what has an answer keeps it, and the next run asks the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Any

from exphub_magics import datasets, environment, prompts, providers
from exphub_magics.errors import ConfigError, DatasetError, LockedError
from exphub_magics.experiments import bills, courses
from exphub_magics.hub import MANUAL, Hub, Row, holdings, rounds, unrecorded
from exphub_magics.interrupts import steps
from exphub_magics.markup import counted
from exphub_magics.progress import Progress
from exphub_magics.specs import Spec, complete, families
from exphub_magics.specs.configs import Configuration
from exphub_magics.specs.nodes import Problem

AGAIN = ("salvaged", "refused", "ok")


@dataclass(frozen=True, slots=True)
class Job:
    """A spec whose dataset has been read and whose slots are filled by it."""

    spec: Spec
    dataset: datasets.Dataset


def prepare(specs: Iterable[Spec]) -> list[Job]:
    """Check the specs' values, read their datasets and check their slots, before anything is asked or written.

    Raises:
        DatasetError, ConfigError: for the first spec that cannot be run.
    """
    read: dict[Any, datasets.Dataset] = {}
    return [_job(complete(spec), read) for spec in specs]


def prepare_file(configuration: Configuration) -> list[Job]:
    """Prepare a configuration's specs; everything that is wrong with it in one error.

    Raises:
        ConfigError: with the line of each problem.
    """
    read: dict[Any, datasets.Dataset] = {}
    jobs, problems = [], []
    for line, spec in zip(configuration.lines, configuration.specs, strict=True):
        try:
            jobs.append(_job(spec, read))
        except (ConfigError, DatasetError) as error:
            problems.append(Problem(line, str(error)))
    configuration.refuse(*problems)
    return jobs


def _job(spec: Spec, read: dict[Any, datasets.Dataset]) -> Job:
    if spec.data is None:
        raise ConfigError("no dataset is named: add --data FILE, or data: in the configuration")
    columns = json.dumps(spec.columns, sort_keys=True)
    key = (spec.data if isinstance(spec.data, str) else id(spec.data), columns)
    if key not in read:
        read[key] = datasets.read(spec.data, columns=spec.columns, name=spec.data_name)
    dataset = read[key]
    facts = dataset.narratives[0].facts if dataset.narratives else {}
    prompts.check_slots(spec.prompt, facts, labels=labels(dataset.profile.columns))
    if spec.sample is not None and spec.sample > len(dataset.narratives):
        raise ConfigError(
            f"a sample of {spec.sample} from {counted(len(dataset.narratives), 'narrative')}: ask for fewer"
        )
    return Job(spec, dataset)


def labels(columns: Mapping[str, str | Sequence[str]]) -> set[str]:
    """The file's columns that were read as flags, or that may hold some: no prompt is filled with them.

    >>> sorted(labels({"narrative": "text", "flag": "ipv", "withheld": ["coder_2"]}))
    ['coder_2', 'ipv']
    """
    flags = [held for part, held in columns.items() if "flag" in part or part == "withheld"]
    return {name for held in flags for name in ([held] if isinstance(held, str) else held)}


def run(hub: Hub, job: Job | Spec, *, again: Sequence[str] = ()) -> Generator[Progress]:
    """Run an experiment, or the rest of it: ask what is pending or failed, and the states in `again` anew.

    >>> spec = Spec(name="first", prompt=prompts.parse("Was V hit by a partner?"), data="sample", sample=20)
    >>> with Hub.open(":memory:") as hub:
    ...     *_, last = run(hub, spec)
    >>> last.state, last.finished
    ('done', 20)

    The last Progress is `done`, or `stopped` with a reason where max_cost was reached.

    Raises:
        KeyboardInterrupt: after a last Progress whose state is `stopped`; everything answered is recorded.
        EndpointError: when the endpoint will answer nothing; everything answered is recorded.
        LeaseError: when the experiment is being run already, here or elsewhere; nothing is asked.
    """
    if isinstance(job, Spec):
        (job,) = prepare([job])
    course = _register(hub, job, again)
    if next(hub.pending(course.experiment, course.states), None) is not None:
        yield from steps(_through(course))
    elif hub.experiment(course.experiment)["end_time"] is None:
        hub.finish(course.experiment)  # a run was stopped between its last answer and its end
    yield course.last()


def _through(course: courses.Course) -> Generator[Progress]:
    """Ask everything that is left, and set the end time where nothing is."""
    hub = course.hub
    course.lease = hub.lease(course.experiment, course.spec.author)
    try:
        yield course.progress()
        yield from courses.memory(course)
        yield from courses.ask(course)
        hub.finish(course.experiment, lease=course.lease)
        if course.again:
            course.again.end(hub)
    except (KeyboardInterrupt, Exception):
        hub.patience = courses.LOOK  # what has been stopped waits no longer for a lock
        yield course.progress("stopped")
        raise
    finally:
        with suppress(LockedError):  # in this process the lease is free all the same
            course.lease.release()


def follow(hub: Hub, job: Job, show: Callable[[Progress], None], *, again: Sequence[str] = ()) -> Progress:
    """Run to the end and show every Progress; an interrupt anywhere lets `run` record what has finished."""
    with closing(run(hub, job, again=again)) as stream:  # a stream that is left open keeps the experiment's lease
        try:
            for progress in stream:
                show(progress)
        except KeyboardInterrupt as interrupt:
            show(stream.throw(interrupt))
            raise
    return progress


def follow_all(
    hub: Hub,
    jobs: Sequence[Job],
    show: Callable[[], Callable[[Progress], None]],
    *,
    again: Sequence[str] = (),
    max_cost: float | None = None,
) -> Iterator[Progress]:
    """Follow one job after the other, and yield the last Progress of each.

    `max_cost` (USD) is for all of them together, what they have spent in earlier runs included.
    """
    for job in jobs:
        limits = [job.spec.max_cost] if job.spec.max_cost is not None else []
        if max_cost is not None:
            limits.append(max(0.0, max_cost - _spent_by_others(hub, jobs, job)))
        spec = replace(job.spec, max_cost=min(limits, default=None))
        yield follow(hub, replace(job, spec=spec), show(), again=again)


def _spent_by_others(hub: Hub, jobs: Sequence[Job], job: Job) -> float:
    """USD that the experiments of the other jobs have cost so far."""
    others = {other.spec.fingerprint(other.dataset.sha256) for other in jobs}
    others.discard(job.spec.fingerprint(job.dataset.sha256))
    return float(sum(hub.spending(row["id"])["cost"] for row in hub.names() if row["fingerprint"] in others))


def _register(hub: Hub, job: Job, again: Sequence[str]) -> courses.Course:
    spec, dataset = job.spec, job.dataset
    number, relabelled = register_dataset(hub, dataset)
    selected = None if spec.sample is None else sampled(hub, spec, dataset)
    earlier = hub.names()
    fingerprint = spec.fingerprint(dataset.sha256)
    if all(row["fingerprint"] != fingerprint for row in earlier):
        providers.answerer(spec)  # a missing key is said before anything is registered
    bills.check(spec)
    experiment, new = hub.register(
        {
            "name": spec.name,
            "author": spec.author or environment.author(),
            "dataset_id": number,
            "settings": spec.settings,
            "environment": environment.describe(),
            "fingerprint": fingerprint,
            "notes": spec.notes,
        },
        prompt=(spec.prompt.text, spec.prompt.digest),
        model=(spec.model, spec.provider),
        selected=selected,
    )
    warnings = [*hub.warnings, *spec.prompt.warnings, *relabelled, *_drift(hub, spec, experiment, earlier, new=new)]
    unrecorded.take_in(hub)
    total = len(selected or dataset.narratives)
    course = courses.Course(hub, spec, experiment, fingerprint, total, tuple(warnings))
    if again:
        course.again = rounds.Round.of(hub, experiment, again)
        course.warnings += course.again.notes
    course.begin()
    return course


def register_dataset(hub: Hub, dataset: datasets.Dataset) -> tuple[int, list[str]]:
    """Keep a dataset and its manual flags; its id, and a warning for flags that differ from those held."""
    number = hub.register_dataset(
        name=dataset.name,
        sha256=dataset.sha256,
        columns=dataset.profile.columns,
        profile=dataset.profile.as_json(),
        restricted=dataset.restricted,
        narratives=(
            {
                "narrative_id": narrative.narrative_id,
                "incident_id": narrative.incident_id,
                "source": narrative.source,
                "narrative_text": narrative.text,
                "facts": json.dumps(narrative.facts, ensure_ascii=False),
                "placeholder": narrative.placeholder,
            }
            for narrative in dataset.narratives
        ),
    )
    if dataset.is_held:
        return number, []
    _, changed = hub.label(number, _flags(dataset, "flag"), coder=MANUAL)
    _, moved = hub.label(number, _flags(dataset, "incident_flag"), coder=MANUAL, incidents=True)
    if changed + moved:
        return number, [
            f"{counted(changed + moved, 'manual flag')} other than held before: the new count, the old are kept"
        ]
    return number, []


def _flags(dataset: datasets.Dataset, part: str) -> dict[str, bool | None]:
    """The file's flags by narrative or by incident; None where it has such a column and leaves a cell blank."""
    incidents = part == "incident_flag"
    said: Mapping[str, bool] = dataset.incident_labels if incidents else dataset.labels
    if not any(key.partition(".")[0] == part for key in dataset.profile.columns):
        return dict(said)
    ids = {one.incident_id if incidents else one.narrative_id for one in dataset.narratives}
    return {**dict.fromkeys(sorted(ids)), **said}


def sampled(hub: Hub, spec: Spec, dataset: datasets.Dataset) -> list[str]:
    """The ids that a spec asks: as an earlier experiment of the draw, since labels that it goes by may change."""
    size, seed, sha256 = spec.sample or len(dataset.narratives), spec.seed or 0, dataset.sha256
    before: list[str] = []
    if spec.sample and spec.stratified:
        before = holdings.drawn(hub, sha256, sample=size, seed=seed, fingerprint=spec.fingerprint(sha256))
    return before or draw(dataset, size, seed, stratified=spec.stratified)


def draw(dataset: datasets.Dataset, size: int, seed: int, *, stratified: bool = False) -> list[str]:
    """The ids of a random sample without replacement; a larger sample of the same seed holds the smaller one.

    Narratives are ordered by the sha256 of seed and id, so the draw depends on nothing but these two. Where it is
    `stratified`, by manual flag and source, the orders of the strata are merged as far as each has come, so that any
    beginning holds them in proportion (proportional allocation, Cochran, Sampling Techniques, 1977, 5.5).
    """
    ids = [narrative.narrative_id for narrative in dataset.narratives]
    ordered = sorted(ids, key=lambda one: hashlib.sha256(f"{seed}:{one}".encode()).digest())
    return (_merged(dataset, ordered) if stratified else ordered)[:size]


def _merged(dataset: datasets.Dataset, ordered: Sequence[str]) -> list[str]:
    """The ids by how far each is along its stratum; strata that are equally far stay in their random order."""
    stratum = {one.narrative_id: (dataset.labels.get(one.narrative_id), one.source) for one in dataset.narratives}
    sizes = Counter(stratum.values())
    seen: Counter[Any] = Counter()
    along = {}
    for one in ordered:
        seen[stratum[one]] += 1
        along[one] = (seen[stratum[one]] - 0.5) / sizes[stratum[one]]
    return sorted(ordered, key=along.__getitem__)


def _drift(hub: Hub, spec: Spec, experiment: int, earlier: Sequence[Row], *, new: bool) -> list[str]:
    """Say aloud when one name holds different experiments, or two names hold one."""
    if not new:
        (row,) = [row for row in hub.names() if row["id"] == experiment]
        if row["name"] == spec.name:
            return []
        there = f"{row['name']}@{row['version']}"
        return [f"this is {there}: the same prompt, model, settings and data; {spec.name!r} is no new experiment"]
    warnings = []
    same = [row for row in earlier if row["name"] == spec.name]
    if same and spec.repeat == 1:
        was, now = hub.experiment(same[-1]["id"]), hub.experiment(experiment)
        kinds = {"prompt_id": "prompt", "model_id": "model", "dataset_id": "data", "settings": "settings"}
        moved = [kind for column, kind in kinds.items() if was[column] != now[column]]
        changed = f"since v{len(same)} its {_listed(moved)} changed"
        warnings.append(f"{spec.name!r} now holds {len(same) + 1} versions: {changed}")
    own = families.stem(spec.name)
    others = [other for other in hub.other_names(experiment) if families.stem(other) != own]
    if others:
        warnings.append(f"the same prompt text was run before as {', '.join(map(repr, others))}")
    return warnings


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
