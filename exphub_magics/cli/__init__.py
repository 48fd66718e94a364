"""The verb table: `exphub VERB …` in a terminal and `%exphub VERB …` in a notebook are one set of click commands.

A verb returns its value. The terminal (terminal.py) prints it; the notebook (magics.py) shows it or assigns it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from exphub_magics import cards, comparisons, datasets, experiments, lazily, reports, rereading, reviewing, tries
from exphub_magics.background import Background, started
from exphub_magics.browsing import findings, places
from exphub_magics.cards import listings, pins
from exphub_magics.cli import cells, completions, options
from exphub_magics.cli.options import Session
from exphub_magics.errors import ConfigError, unknown
from exphub_magics.experiments import forecasts
from exphub_magics.hub import selections
from exphub_magics.reports import exports, repeats
from exphub_magics.rereading import moves
from exphub_magics.reviewing import labelling, queues
from exphub_magics.specs import configs
from exphub_magics.specs.configs import Configuration
from exphub_magics.tries import histories, parents

if TYPE_CHECKING:
    import pandas as pd

    from exphub_magics.cards import boards
    from exphub_magics.widgets import studio as studios
    from exphub_magics.widgets.browse import Browse
    from exphub_magics.widgets.review import Review
else:
    pd = lazily.load("pandas")
    boards = lazily.load("exphub_magics.cards.boards")  # the package is there already
    studios = lazily.load("exphub_magics.widgets.studio")  # widgets is there already


@click.group(cls=options.Verbs, context_settings=options.SHOWN)
@options.DB
@click.version_option(package_name="exphub")
def cli() -> None:
    """Ask a language model the same question about every narrative, and know how far to trust the answers."""


cli.add_command(cells.experiment)


@cli.command()
@click.argument("config", metavar="CONFIG", shell_complete=completions.configurations)
@options.DATA
@options.COLUMNS
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    shell_complete=completions.configured,
    help="Run only this experiment; may be repeated.",
)
@options.SAMPLE
@options.STRATIFIED
@options.SEED
@click.option(
    "--again",
    metavar="STATES",
    shell_complete=completions.states,
    help="Ask these states anew too: salvaged, refused, ok.",
)
@options.CONCURRENCY
@options.MAX_COST
@options.DB
@options.JSON
@click.pass_obj
def run(
    session: Session,
    /,
    config: str,
    only: Sequence[str],
    again: str | None,
    data: str | None,
    max_cost: float | None,
    **said: Any,
) -> pd.DataFrame | forecasts.Total:
    """Run the experiments of a configuration file, or what is left of them.

    Example: exphub run config/experiments.yml --only baseline

    --max-cost is for all of them together, what they have spent before included; with 0 nothing is asked or
    registered, and what each of them and all together will take is shown.
    """
    configuration = _narrowed(configs.read(config, data=data), only, said)
    states = _states(again)
    jobs = experiments.prepare_file(configuration)
    if max_cost == 0:
        with session.hub_to_ask_nothing() as hub:
            return forecasts.forecast(hub, jobs, again=states)
    with session.hub_for(jobs) as hub:
        ended = list(experiments.follow_all(hub, jobs, session.progress, again=states, max_cost=max_cost))
        session.reasons = [f"{last.name}: {last.reason}" for last in ended if last.reason]
        numbers = [last.experiment_id for last in ended]
        if any(job.spec.repeat > 1 for job in jobs):
            session.beside = repeats.Repeats(repeats.table(hub, numbers))
        board = comparisons.leaderboard(hub)
        board = board[board["id"].isin(numbers)].reset_index(drop=True)
        session.failed = int(board["failed"].sum())
        return boards.Board(board)


def _narrowed(configuration: Configuration, only: Sequence[str], said: dict[str, Any]) -> Configuration:
    """The configuration with the options of the command line over it, and only the experiments wanted."""
    names = [spec.name for spec in configuration.specs]
    if not configuration.problems:
        for name in only:
            if not any(_is(spec_name, name) for spec_name in names):
                raise unknown("experiment", name, names)
    given = {key: value for key, value in said.items() if value is not None}
    kept = [
        (line, replace(spec, **given))
        for line, spec in zip(configuration.lines, configuration.specs, strict=True)
        if not only or any(_is(spec.name, name) for name in only)
    ]
    lines, chosen = tuple(line for line, _ in kept), tuple(spec for _, spec in kept)
    return replace(configuration, lines=lines, specs=chosen)


def _is(name: str, wanted: str) -> bool:
    """Whether an experiment is the one wanted, or of its matrix."""
    return name == wanted or name.startswith(f"{wanted} · ")


def _states(text: str | None) -> tuple[str, ...]:
    states = tuple(state.strip() for state in (text or "").split(",") if state.strip())
    for state in states:
        if state not in experiments.AGAIN:
            raise unknown("state", state, experiments.AGAIN)
    return states


@cli.command(name="list")
@options.DB
@options.JSON
@click.pass_obj
def list_(session: Session) -> pd.DataFrame:
    """Every experiment in the hub, with its counts and figures.

    Example: exphub list --json
    """
    with session.hub() as hub:
        return boards.Board(comparisons.leaderboard(hub))


@cli.command()
@click.argument("name", shell_complete=completions.versions)
@options.DB
@options.JSON
@click.pass_obj
def show(session: Session, name: str) -> cards.Scorecard:
    """One experiment's scorecard, in a notebook with its chart; NAME may be name@version, an id or a beginning.

    Example: exphub show indicators@2
    """
    with session.hub() as hub:
        return cards.scorecard(hub, hub.find(name))


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="A B [C …]", shell_complete=completions.versions)
@options.DB
@options.JSON
@click.pass_obj
def compare(session: Session, names: Sequence[str]) -> comparisons.Comparison:
    """Compare experiments with the first one named, on the narratives that all have answered.

    Example: exphub compare baseline indicators
    """
    with session.hub() as hub:
        return comparisons.compare(hub, names)


@cli.command()
@click.argument("file", shell_complete=completions.datasets)
@options.COLUMNS
@options.JSON
@click.pass_obj
def data(session: Session, file: str, columns: str | None) -> datasets.Profile:
    """Read, map and profile a dataset without running anything.

    Example: exphub data narratives.xlsx --columns "text=Story,flag=Coded"
    """
    source = session.frames.get(file, file)
    return datasets.read(source, columns=columns, name=file if file in session.frames else None).profile


@cli.command()
@click.argument("name", shell_complete=completions.versions)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    shell_complete=completions.exported,
    help="A csv, xlsx, parquet or jsonl file.",
)
@options.DB
@click.pass_obj
def export(session: Session, name: str, output: str) -> Path:
    """Take an experiment's results out, without the full texts; the rationales quote them: it is your data.

    Example: exphub export baseline -o baseline.csv
    """
    with session.hub() as hub:
        return exports.export(hub, name, output)


@cli.command()
@click.argument("names", nargs=-1, metavar="[NAME …]", shell_complete=completions.versions)
@click.option(
    "-o", "--output", default="report.html", metavar="FILE", show_default=True, shell_complete=completions.pages
)
@options.DB
@click.pass_obj
def report(session: Session, names: Sequence[str], output: str) -> Path:
    """Write a summary of experiments as one HTML file that opens offline and holds no narrative, rationale or id.

    Example: exphub report -o report.html
    """
    with session.hub() as hub:
        return reports.report(hub, names, output=output)


@cli.command()
@click.argument("name", required=False, shell_complete=completions.versions)
@options.DB
@options.JSON
@click.pass_obj
def runs(session: Session, name: str | None) -> pd.DataFrame | Background:
    """The experiments that are being run at this moment; with NAME the handle of one in this notebook's background.

    Example: handle = %exphub runs baseline
    """
    with session.hub() as hub:
        if name is None:
            return boards.Board(listings.runs(hub.under_way()))
        experiment = hub.find(name)
    handle = started(session.db).get(experiment)
    if handle is None:
        raise ConfigError(f"{name} has no run in the background here: `exphub runs` says what is run, and where")
    return handle


@cli.command()
@click.argument("names", nargs=-1, metavar="NAME …", shell_complete=completions.versions)
@click.option("--all", "every", is_flag=True, help="Every experiment in the hub.")
@click.option("--apply", is_flag=True, help="Let it count; without, what moves is only shown.")
@click.option("--reader", metavar="VERSION", help="Put back what an earlier version of the reader made of the replies.")
@click.option(
    "--from",
    "file",
    metavar="FILE",
    shell_complete=completions.replies,
    help="Take replies that another tool paid for: by id, with their text.",
)
@options.DB
@options.JSON
@click.pass_obj
def reread(session: Session, /, names: Sequence[str], **said: Any) -> moves.Rereading:
    """Read stored replies anew with today's parser, ask nobody, and show what moves before it counts.

    Example: exphub reread indicators --apply
    """
    with session.hub() as hub:
        return rereading.named(hub, names, **said)


@cli.command()
@click.argument("names", nargs=-1, required=True, metavar="[NAME] ALIAS", shell_complete=completions.versions)
@click.option("--why", metavar="TEXT", help="The reason, kept with the move.")
@click.option("--by", "author", metavar="WHO", help="Who says so; else whoever git knows here.")
@click.option("--remove", is_flag=True, help="Take the alias back; its history stays.")
@options.DB
@options.JSON
@click.pass_obj
def pin(session: Session, /, names: Sequence[str], **said: Any) -> pins.History:
    """Let an alias stand for an experiment; every card is then held against the one pinned as baseline.

    Example: exphub pin partner@3 baseline --why "before the new codebook"

    An alias alone shows its history. It serves wherever a NAME is asked for.
    """
    with session.hub() as hub:
        return pins.named(hub, names, **said)


def _choice(known: Iterable[str]) -> click.Choice[str]:
    return click.Choice([one.replace("_", "-") for one in known], case_sensitive=False)


@cli.command()
@click.argument("name", required=False, shell_complete=completions.versions)
@click.option("--outcome", type=_choice(selections.OUTCOMES), metavar="WHICH", help="fp, fn, wrong, failed, pending …")
@click.option("--against", metavar="NAME", shell_complete=completions.versions, help="Another experiment, beside.")
@click.option("--flips", type=_choice(selections.FLIPS), help="What both answered differently; newly right or wrong.")
@click.option("--source", metavar="SOURCE", help="One source's narratives.")
@click.option("--search", metavar="WORDS", help="What stands so in the text or the rational.")
@click.option("--confidence", type=float, nargs=2, metavar="LOW HIGH", help="As stated, from 0 to 1.")
@click.option("--order", type=_choice(selections.ORDERS), help="As in the data, or by confidence.")
@click.option("--narrative", metavar="ID", help="The one to open.")
@options.DB
@options.JSON
@click.pass_obj
def browse(session: Session, /, name: str | None, **said: Any) -> Browse | places.Listing | findings.Finding:
    """Look through what experiments say: leaderboard, confusion, a list, one narrative with all that is known of it.

    Example: exphub browse baseline --outcome fp

    It opens in a notebook; a terminal prints the list. Without NAME it is the latest experiment.
    """
    if comparisons.in_kernel():
        from exphub_magics.widgets.browse import Browse  # noqa: PLC0415 - what panels need is paid for by a panel

        return Browse(name, db=session.db, **said)
    with session.hub() as hub:
        return places.seen(hub, places.place(hub, name, **said))


def _queues(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The queues of a review, one behind the other with commas."""
    before, comma, last = incomplete.rpartition(",")
    known = [one for one in queues.QUEUES if one.startswith(last) and one not in before.split(",")]
    return [CompletionItem(f"{before}{comma}{one}", help=queues.QUEUES[one]) for one in known]


@cli.command()
@click.argument("name", shell_complete=completions.versions)
@click.option(
    "--coder",
    metavar="WHO",
    shell_complete=completions.coders,
    help="Who decides; else whoever git knows. adjudicated settles disputes.",
)
@click.option(
    "--queue",
    "kinds",
    default=queues.ERRORS,
    metavar="QUEUES",
    show_default=True,
    shell_complete=_queues,
    help=f"Some of {', '.join(queues.QUEUES)}, between commas; sample:30 is 30 at random.",
)
@click.option("--blind", is_flag=True, help="Hide the model's flag and other coders' until you have decided.")
@options.DB
@options.JSON
@click.pass_obj
def review(session: Session, /, name: str, **said: Any) -> Review | reviewing.Outline:
    """Decide who is right, narrative by narrative, by keys; labels are appended and experiments scored anew.

    Example: exphub review baseline --queue fp,fn --blind

    It opens in a notebook; a terminal prints what is in the queue.
    """
    if comparisons.in_kernel():
        from exphub_magics.widgets.review import Review  # noqa: PLC0415 - what panels need is paid for by a panel

        return Review(name, db=session.db, **said)
    with session.hub() as hub:
        return reviewing.outline(hub, name, **said)


@cli.command()
@click.argument("file", metavar="FILE|FRAME", shell_complete=completions.datasets)
@click.option("--coder", required=True, metavar="WHO", shell_complete=completions.coders, help="Who says so.")
@click.option("--data", metavar="FILE", shell_complete=completions.datasets, help="The dataset; else the only one.")
@options.COLUMNS
@click.option("--skip-unknown", is_flag=True, help="Take the rest where some ids are not in the dataset.")
@options.DB
@options.JSON
@click.pass_obj
def label(session: Session, /, file: str, **said: Any) -> labelling.Labelled:
    """Bring a coder's flags in from a file: all of them, or none and why; experiments are scored anew.

    Example: exphub label second.xlsx --coder Ann

    A row has narrative_id (or incident_id and source), flag, and may have note. A blank flag says nothing.
    """
    with session.hub() as hub:
        return labelling.label(hub, session.frames.get(file, file), **said)


# --- the studio -------------------------------------------------------------------------------------------

_OF_A_TRY = [one for one in cells.cell.params if one.name in {"data", "columns", *tries.SETTINGS}]
_PARENT = click.Argument(["name"], metavar="[NAME]", required=False, shell_complete=completions.versions)


@cli.command(params=[_PARENT, *_OF_A_TRY])
@options.DB
@click.pass_obj
def studio(session: Session, /, name: str | None, data: str | None, **said: Any) -> studios.Studio | None:
    """Write a prompt, try it on a sample, and read which narratives moved; it opens in a notebook.

    Example: %exphub studio baseline

    NAME is an experiment or a file in prompts/; every try is an experiment of its own in the hub.
    """
    given = {key: value for key, value in said.items() if value is not None}
    frame = session.frames.get(data) if data else None
    source: dict[str, Any] = {
        "data": data if frame is None else frame,
        "data_name": data if frame is not None else None,
    }
    if comparisons.in_kernel():
        return studios.studio(name, db=session.db, **source, **given)
    with session.hub() as hub:
        click.echo(histories.told(hub, parents.parent(hub, name, **source, **given)))
    return None
