"""Stored replies read anew: by today's parser, as an earlier one read them, or from a file that another tool paid for.

Nobody is asked. Nothing counts until it is applied, and what a result said before is then kept beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from exphub_magics import answers, environment, lazily, prompts
from exphub_magics.errors import ConfigError, HubError, unknown
from exphub_magics.experiments import courses
from exphub_magics.hub import Hub, Row, readings, refusals
from exphub_magics.hub.leases import Lease
from exphub_magics.rereading import deliveries
from exphub_magics.rereading.intakes import Intake
from exphub_magics.rereading.moves import Move, Part, Rereading, State, standing
from exphub_magics.specs import BUILTIN, Spec

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazily.load("pandas")

CONTENT = ("status", "flag", "rational", "reasoning_steps", "confidence", "p_true", "error")

Read: TypeAlias = Callable[[Hub, Sequence[Row]], list[Row]]  # what each of these results is to say
Show: TypeAlias = Callable[[int, int], None]  # how many replies are read, of how many


def reread(hub: Hub, experiments: Sequence[int], *, apply: bool = False, progress: Show | None = None) -> Rereading:
    """Read every stored reply of these experiments with today's parser, and show what moves.

    >>> with Hub.open(":memory:") as hub:
    ...     print(reread(hub, []))
    nothing moves

    With `apply` each result that is read otherwise is replaced, and what it said is appended to the earlier
    readings; every other result stays as it is.

    Raises:
        LeaseError: with `apply`, when one of the experiments is being run; nothing is changed then.
        HubError: where the hub's file is damaged, for then some replies might not be found.
    """
    return _read(hub, experiments, _today, f"reader {answers.READER}", apply=apply, progress=progress)


def select(hub: Hub, experiment: int, reader: str, *, apply: bool = True) -> Rereading:
    """Let an experiment's results say what this version of the reader made of their replies.

    A result that the version left as an earlier one had read it takes that reading; one whose reply was never
    read by then stays as it is. What is replaced is appended to the earlier readings, so it can be selected too.

    Raises:
        UnknownNameError: when no reading of this version is kept.
        LeaseError: when the experiment is being run.
    """
    return _select(hub, [experiment], reader, apply=apply)


def readers(hub: Hub, experiment: int) -> pd.DataFrame:
    """The versions whose readings are kept, and how many: `current` ones count, `earlier` ones can be selected."""
    rows = sorted(readings.readers(hub, experiment), key=lambda row: _order(row["reader"]))
    return pd.DataFrame(rows, columns=["reader", "current", "earlier"])


def named(
    hub: Hub,
    names: Sequence[str],
    *,
    every: bool = False,
    file: str | None = None,
    reader: str | None = None,
    apply: bool = False,
    progress: Show | None = None,
) -> Rereading:
    """Do what the verb `reread` says: read anew by today's parser, by an earlier `reader`, or from a `file`.

    Raises:
        ConfigError: when no experiment is named, or what is said does not go together.
    """
    if every == bool(names):
        raise ConfigError("name the experiments to read anew, or say --all")
    numbers = [row["id"] for row in hub.names()] if every else [hub.find(name) for name in names]
    numbers = list(dict.fromkeys(numbers))
    if file is not None and reader is not None:
        raise ConfigError("--from brings new replies and --reader an earlier reading: say one of them")
    if file is not None:
        if every or len(numbers) > 1:
            raise ConfigError("--from brings the replies of one experiment: name it")
        return bring(hub, numbers[0], file, apply=apply)
    if reader is not None:
        return _select(hub, numbers, reader, apply=apply)
    return reread(hub, numbers, apply=apply, progress=progress)


# --- reading ----------------------------------------------------------------------------------------------


def _read(
    hub: Hub, experiments: Sequence[int], read: Read, source: str, *, apply: bool, progress: Show | None = None
) -> Rereading:
    _refuse_damaged(hub)
    with _leases(hub, experiments, apply=apply) as leases:
        return Rereading(tuple(_parts(hub, experiments, read, leases, progress)), source, apply)


def _refuse_damaged(hub: Hub) -> None:
    """Read the whole file through: where an index has lost entries, rows would be missed without a word.

    Raises:
        HubError: where anything is damaged.
    """
    if any(row["said"] != "ok" for row in hub.read("integrity")):
        raise HubError(f"{hub.name} {refusals.DAMAGED}")


@contextmanager
def _leases(hub: Hub, experiments: Iterable[int], *, apply: bool) -> Iterator[Mapping[int, Lease]]:
    """The leases of all that is to be written, or an error before anything is."""
    with ExitStack() as stack:
        author = environment.author() if apply else None
        wanted = dict.fromkeys(experiments) if apply else ()
        yield {one: stack.enter_context(hub.lease(one, author)) for one in wanted}


def _parts(
    hub: Hub, experiments: Sequence[int], read: Read, leases: Mapping[int, Lease], progress: Show | None
) -> Iterator[Part]:
    titles = _titles(hub)
    total = sum(row["current"] for one in experiments for row in readings.readers(hub, one))
    done = 0
    for experiment in dict.fromkeys(experiments):
        moves: list[Move] = []
        before = done
        for page in readings.replied(hub, experiment):
            changed = _changed(page, read(hub, page))
            if leases and changed:
                readings.replace(hub, experiment, [now for _, now in changed], lease=leases[experiment])
            for lease in leases.values():
                lease.beat()
            moves += [Move(was["narrative_id"], State.of(was), State.of(now)) for was, now in changed]
            done += len(page)
            if progress is not None:
                progress(done, total)
        yield _part(hub, experiment, titles[experiment], done - before, moves)


def _titles(hub: Hub) -> dict[int, str]:
    return {row["id"]: f"{row['name']}@{row['version']}" for row in hub.names()}


def _today(hub: Hub, results: Sequence[Row]) -> list[Row]:
    """What today's parser makes of the replies of these results."""
    stored = readings.replies(hub, results)
    return [courses.said(stored[row["request_hash"]]) for row in results]


def _changed(results: Sequence[Row], said: Sequence[Row]) -> list[tuple[Row, Row]]:
    """The results that are to say something else, as they are and as they are to be."""
    return [
        (was, {**was, **{column: now[column] for column in (*CONTENT, "reader")}})
        for was, now in zip(results, said, strict=True)
        if any(was[column] != now[column] for column in CONTENT)
    ]


def _part(hub: Hub, experiment: int, title: str, replies: int, moves: Sequence[Move]) -> Part:
    """What moves in an experiment, with its counts and metrics before and after, whether it is applied or not."""
    moved = {move.narrative_id: (move.was, move.now) for move in moves}
    truth, incident = [], []
    states: list[tuple[State, State]] = []
    for row in readings.standing(hub, experiment):
        here = State.of(row)
        states.append(moved.get(row["narrative_id"], (here, here)))
        truth.append(None if row["manual_flag"] is None else bool(row["manual_flag"]))
        incident.append(row["incident_id"])
    before, after = (
        standing((pair[moment].status for pair in states), truth, [pair[moment].flag for pair in states], incident)
        for moment in (0, 1)
    )
    return Part(experiment, title, replies, tuple(moves), before, after)


# --- earlier readings -------------------------------------------------------------------------------------


def _select(hub: Hub, experiments: Sequence[int], reader: str, *, apply: bool) -> Rereading:
    kept = {row["reader"] for one in experiments for row in readings.readers(hub, one)} - {None}
    if reader not in kept:
        raise unknown("reader", reader, kept)

    def read(hub: Hub, results: Sequence[Row]) -> list[Row]:
        earlier = readings.earlier(hub, results)
        return [_as_read_by(reader, row, earlier.get(row["narrative_id"], ())) for row in results]

    return _read(hub, experiments, read, f"reader {reader}", apply=apply)


def _as_read_by(reader: str, result: Row, earlier: Sequence[Row]) -> Row:
    """The reading that stood when this version was the newest; the result itself where none is so old."""
    newest_first = [result, *reversed(earlier)]
    by_then = [row for row in newest_first if _order(row["reader"]) <= _order(reader)]
    return max(by_then, key=lambda row: _order(row["reader"]), default=result)


def _order(reader: str | None) -> tuple[int, ...]:
    """The place of a version among the others.

    >>> sorted(["10", "2", "1.1", "1"], key=_order)
    ['1', '1.1', '2', '10']
    """
    return tuple(int(number) for number in re.findall(r"\d+", reader or ""))


# --- replies that another tool paid for -------------------------------------------------------------------


def spec_of(record: Row) -> Spec:
    """The spec of an experiment in the hub, which puts the questions that its run has put.

    Args:
        record: as `Hub.experiment` gives it.

    Raises:
        ConfigError: when this version of ExpHub would put them otherwise.
    """
    settings = json.loads(record["settings"])
    known = Spec.__dataclass_fields__
    if settings.keys() <= known.keys():
        spec = Spec(
            name=record["name"],
            prompt=prompts.parse(record["prompt_text"]),
            model_name=record["model_name"],
            provider=record["provider"],
            author=record["author"],
            notes=record["notes"],
            **settings,
        )
        if spec.fingerprint(record["dataset_sha256"]) == record["fingerprint"]:
            return spec
    raise ConfigError(
        f"{record['name']!r} was run by a version of ExpHub that put its questions otherwise: run it anew"
    )


def bring(hub: Hub, experiment: int, file: str | Path, *, apply: bool = False) -> Rereading:
    """Take the replies of a file for the narratives that are pending or failed, as if these had been asked.

    A question that has a reply in the hub keeps it, but for a narrative that failed. What is not taken is counted:
    `unknown` ids, narratives that are `answered already` or `not evaluable`, `known` replies, and what
    `deliveries.read` leaves out; all counts but `rows` add up to `rows`.

    Raises:
        DatasetError: when the file cannot be read, or holds narratives for replies.
        ConfigError: for the builtin model, or when this version of ExpHub would put the questions otherwise.
        LeaseError: with `apply`, when the experiment is being run.
    """
    spec = spec_of(hub.experiment(experiment))
    if spec.provider == BUILTIN:
        raise ConfigError("the builtin model is asked for nothing: no other tool's replies stand for its own; run it")
    intake = Intake(hub, experiment, spec, deliveries.read(file))
    _refuse_damaged(hub)
    ids = list(intake.delivery.places)
    with _leases(hub, [experiment], apply=apply) as leases:
        lease = leases.get(experiment)
        for start in range(0, len(ids), readings.PAGE):
            intake.take(ids[start : start + readings.PAGE], lease=lease)
        if lease is not None:
            hub.finish(experiment, lease=lease)
    part = _part(hub, experiment, _titles(hub)[experiment], len(ids), intake.moves)
    return Rereading((part,), intake.delivery.name, apply, intake.counted())
