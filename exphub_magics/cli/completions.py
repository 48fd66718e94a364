"""What completes where a verb's argument or option is typed; in the terminal and in the notebook alike.

Each function is a parameter's `shell_complete` in the verb table. It only reads, never asks a network, and offers
nothing where something is amiss: what that is, the verb says when it is run.
"""

from __future__ import annotations

import csv
import importlib.resources
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

from exphub_magics import builtin, experiments, prompts, specs
from exphub_magics.datasets import columns
from exphub_magics.datasets.spools import Spool
from exphub_magics.datasets.tables import Table
from exphub_magics.errors import ExphubError
from exphub_magics.hub import ADJUDICATED, MANUAL, glances
from exphub_magics.markup import decimal
from exphub_magics.specs import configs

if TYPE_CHECKING:
    import click

MOST = 50  # of one kind: more is no help
READABLE = (".csv", ".tsv", ".xlsx", ".parquet", ".jsonl")
CONFIGURATIONS = (".yml", ".yaml")
WRITABLE = (".csv", ".xlsx", ".parquet", ".jsonl")
HEADER = 2**16  # characters within which a file's header line ends
ROLES = ("system:", "user:")
_NAME = re.compile(r"\w[\w .-]*")  # what can stand between double braces


# --- of the hub -------------------------------------------------------------------------------------------


def names(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of experiments, each with the score and the coverage of its latest version."""
    latest = {glimpse.name: glimpse for glimpse in reversed(_glimpses(ctx, incomplete))}
    return [_experiment(name, glimpse) for name, glimpse in reversed(latest.items())]


def versions(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of experiments, their versions where there are several, and aliases; none that is in the line already."""
    name, at, _ = incomplete.partition("@")
    found = [glimpse for glimpse in _glimpses(ctx, name) if not at or glimpse.name == name]
    items, seen = [], set(_said(ctx, parameter))
    for glimpse in found:
        if glimpse.version == glimpse.versions:
            items.append(_experiment(glimpse.name, glimpse))
        if glimpse.versions > 1:
            items.append(_experiment(f"{glimpse.name}@{glimpse.version}", glimpse))
    known = {item.value for item in items}
    items += [
        CompletionItem(alias.alias, help=f"stands for {alias.name}@{alias.version}")
        for alias in glances.aliases(_db(ctx), incomplete, MOST)
        if alias.alias not in known
    ]
    return [item for item in items if item.value.startswith(incomplete) and item.value not in seen]


def models(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The models that the hub has experiments of, and the builtin one."""
    known = [(model.model_name, model.provider) for model in glances.models(_db(ctx), MOST)]
    wanted = ctx.params.get("provider")
    return [
        CompletionItem(model, help=provider)
        for model, provider in dict.fromkeys([*known, (builtin.MODEL_NAME, specs.BUILTIN)])
        if model.startswith(incomplete) and wanted in (None, provider)
    ]


def coders(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Whoever has decided something, and who settles what they differ in; the data file's own flags are nobody's."""
    known = dict.fromkeys(glances.coders(_db(ctx), incomplete, MOST)) | {ADJUDICATED: "settles what coders differ in"}
    return [
        CompletionItem(one, help=said) for one, said in known.items() if one.startswith(incomplete) and one != MANUAL
    ]


def _glimpses(ctx: click.Context, start: str) -> list[glances.Glimpse]:
    return glances.names(_db(ctx), start, MOST)


def _db(ctx: click.Context) -> str | None:
    return getattr(ctx.obj, "db", None)


def _said(ctx: click.Context, parameter: click.Parameter) -> Sequence[str]:
    """What stands in the line already for a parameter that takes several values."""
    value = ctx.params.get(parameter.name or "")
    return [str(one) for one in value] if isinstance(value, (tuple, list)) else []


def _experiment(name: str, glimpse: glances.Glimpse) -> CompletionItem:
    if glimpse.answered is None:
        return CompletionItem(name)
    total = glimpse.total_narratives or 0
    return CompletionItem(name, help=f"f1 {decimal(glimpse.f1)} · {glimpse.answered:,}/{total:,}")


# --- of the run -------------------------------------------------------------------------------------------


def providers(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The providers that have a preset, whatever the case that they are begun in."""
    return [
        CompletionItem(name, help=place.base_url or "in this process")
        for name, place in specs.ENDPOINTS.items()
        if name.casefold().startswith(incomplete.casefold())
    ]


def efforts(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """How hard a model may be asked to think."""
    return [CompletionItem(effort) for effort in specs.EFFORTS if effort.startswith(incomplete)]


def states(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The states that can be asked anew, one behind the other with commas."""
    before, comma, last = incomplete.rpartition(",")
    return [
        CompletionItem(f"{before}{comma}{state}")
        for state in experiments.AGAIN
        if state.startswith(last) and state not in before.split(",")
    ]


def configured(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The experiments of the configuration file in the line; none that stands there already."""
    file = ctx.params.get("config") or next(iter(ctx.args), "")  # click leaves it there while an option lacks its value
    try:
        configuration = configs.read(file, data=specs.SAMPLE)  # which dataset is not asked here
    except ExphubError:
        return []
    known, said = dict.fromkeys(spec.name for spec in configuration.specs), _said(ctx, parameter)
    return [CompletionItem(name) for name in known if name.startswith(incomplete) and name not in said]


# --- files and frames -------------------------------------------------------------------------------------


def datasets(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The sample, the notebook's DataFrames, and files that can be read."""
    known = {specs.SAMPLE: "the synthetic sample"} | {
        name: f"DataFrame, {len(frame):,} rows"
        for name, frame in _frames(ctx).items()
        if not name.startswith("_") or incomplete.startswith("_")
    }
    items = [CompletionItem(name, help=what) for name, what in known.items() if name.startswith(incomplete)]
    return (items + list(_files(incomplete, READABLE)))[:MOST]


def configurations(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Configuration files."""
    return list(_files(incomplete, CONFIGURATIONS))[:MOST]


def prompt_files(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files that hold a prompt."""
    return list(_files(incomplete, prompts.ENDINGS))[:MOST]


def hubs(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Hub files."""
    return list(_files(incomplete, (".db",)))[:MOST]


def replies(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files of replies that another tool paid for."""
    return list(_files(incomplete, READABLE))[:MOST]


def exported(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files that results can be written to."""
    return list(_files(incomplete, WRITABLE))[:MOST]


def pages(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """HTML files."""
    return list(_files(incomplete, (".html",)))[:MOST]


def _frames(ctx: click.Context) -> Mapping[str, Any]:
    return getattr(ctx.obj, "frames", {})


def _files(incomplete: str, endings: Iterable[str]) -> Iterator[CompletionItem]:
    """Folders and files with one of the endings, that begin so; hidden ones once their dot is typed."""
    folder, slash, start = incomplete.rpartition("/")
    try:
        entries = sorted(Path(folder + slash).expanduser().iterdir())
    except (OSError, RuntimeError, ValueError):  # no such folder, no such person, a name that no file can have
        return
    for entry in entries:
        if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
            continue
        if entry.is_dir():
            yield CompletionItem(f"{folder}{slash}{entry.name}/", help="folder")
        elif entry.suffix.casefold() in endings:
            yield CompletionItem(f"{folder}{slash}{entry.name}", help="file")


# --- the prompt -------------------------------------------------------------------------------------------


def slots(source: str | None, said: str | None, frames: Mapping[str, Any], incomplete: str) -> list[CompletionItem]:
    """What can stand between double braces: the narrative, and the facts of the dataset where that is cheap to know.

    Args:
        source: the dataset as --data names it; of a file only the header of a csv or tsv is read.
        said: what --columns says.
        frames: the notebook's DataFrames.
        incomplete: how the name begins.
    """
    facts = [fact for fact in _facts(source, said, frames) if _NAME.fullmatch(fact)]
    known = {prompts.NARRATIVE: "the text"} | dict.fromkeys(facts, "a fact")
    return [CompletionItem(name, help=what) for name, what in known.items() if name.startswith(incomplete)]


def _facts(source: str | None, said: str | None, frames: Mapping[str, Any]) -> Sequence[str]:
    """Columns that a prompt may show; never one that holds a label, and none where that cannot be told."""
    header = _header(source, frames) if source else []
    try:
        given = columns.canonical_columns(said)
        return columns.assign(Table(source or "", tuple(header), Spool(), ()), given).facts if header else ()
    except ExphubError:
        return ()


def _header(source: str, frames: Mapping[str, Any]) -> list[str]:
    if source in frames:
        return [str(name) for name in frames[source].columns]
    if source == specs.SAMPLE:
        packaged = importlib.resources.files("exphub_magics") / "sample" / "sample.csv"
        with importlib.resources.as_file(packaged) as path:
            return _first_line(path)
    path = Path(source)
    return _first_line(path) if path.suffix.casefold() in (".csv", ".tsv") else []


def _first_line(path: Path) -> list[str]:
    try:
        path = path.expanduser()
        if not path.is_file():  # a pipe would be waited for
            return []
        with path.open(encoding="utf-8-sig", newline="") as lines:
            line = lines.readline(HEADER)
    except (OSError, RuntimeError, ValueError):  # gone, not to be read, no UTF-8
        return []
    unquoted = re.sub(r'"[^"]*"', "", line)
    try:
        return next(csv.reader([line], delimiter=max("\t;,", key=unquoted.count)), [])
    except csv.Error:
        return []


def roles(incomplete: str) -> list[CompletionItem]:
    """The lines that open a part of a prompt.

    >>> [item.value for item in roles("sys")]
    ['system:']
    """
    return [CompletionItem(role, help="opens a part of the prompt") for role in ROLES if role.startswith(incomplete)]
