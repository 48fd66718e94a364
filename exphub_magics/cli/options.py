"""What the verbs share: where they are called, and the options that several of them take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from exphub_magics import experiments, providers, widgets
from exphub_magics.cli import completions
from exphub_magics.errors import nearest
from exphub_magics.experiments import prices
from exphub_magics.hub import Hub, where
from exphub_magics.reports import repeats

if TYPE_CHECKING:
    import pandas as pd


SHOWN = {"help_option_names": ["-h", "--help"], "max_content_width": 120}  # as far as the terminal is so wide


@dataclass(slots=True)
class Session:
    """Where a verb is called: which hub, how progress is shown, and what a notebook has to give."""

    db: str | None = None
    as_json: bool = False
    progress: Callable[[], widgets.Show] = widgets.on_terminal
    lasting: Callable[[], widgets.Lasting] = widgets.on_terminal
    body: str = ""
    frames: dict[str, pd.DataFrame] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)  # why experiments stopped before their end
    failed: int = 0  # narratives of what has been run that got no answer
    beside: repeats.Repeats | None = None  # what is to be shown with the value, or in its place

    def hub(self) -> Hub:
        """Open the hub to read it; it has to be there."""
        return Hub.open(self.db, create=False)

    def hub_for(self, jobs: Sequence[experiments.Job]) -> Hub:
        """Open the hub to run experiments; one is made, unless a missing key means that nothing can be asked."""
        if not where(self.db).exists():
            for job in jobs:
                providers.answerer(job.spec)
        return Hub.open(self.db)

    def hub_to_ask_nothing(self) -> Hub:
        """Open the hub where there is one, to reckon with what it knows; none is made."""
        return Hub.open(self.db if where(self.db).exists() else ":memory:")


def frames(variables: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The DataFrames among a notebook's variables; pandas, which takes its time, is not imported to look for them.

    >>> frames({"n": 1, "text": "DataFrame"})
    {}
    """
    return {name: value for name, value in list(variables.items()) if any(map(_is_frame, type(value).__mro__))}


def _is_frame(kind: type) -> bool:
    return kind.__name__ == "DataFrame" and kind.__module__.partition(".")[0] == "pandas"


class Verbs(click.Group):
    """A group that answers a wrong verb with the nearest."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the verb that is meant."""
        asked = args and not ctx.resilient_parsing  # while a shell completes, a slip is no error yet
        if asked and not args[0].startswith("-") and args[0] not in self.commands:
            raise click.UsageError(f"unknown verb {args[0]!r}: {nearest(args[0], self.commands, shown=20)}", ctx)
        return super().resolve_command(ctx, args)


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
        if value:
            setattr(ctx.obj, name, value)

    return callback


def _amount(_ctx: click.Context, _parameter: click.Parameter, said: str | None) -> float | None:
    try:
        return None if said is None else prices.usd(said)
    except ValueError:
        raise click.BadParameter(f"{said} is no amount of money: name one in USD, such as 0.50") from None


DB = click.option(
    "--db",
    metavar="FILE",
    expose_value=False,
    callback=_keep("db"),
    shell_complete=completions.hubs,
    help="The hub; else $EXPHUB_DB, else exphub.db.",
)
JSON = click.option(
    "--json", is_flag=True, expose_value=False, callback=_keep("as_json"), help="Print the value as JSON."
)
DATA = click.option(
    "--data", metavar="FILE", shell_complete=completions.datasets, help="The dataset: a file, or sample."
)
COLUMNS = click.option("--columns", metavar="MAP", help='What is what: "text=…,flag=…,narrative_id=…".')
SAMPLE = click.option("--sample", type=click.IntRange(1), metavar="N", help="Ask N narratives drawn at random.")
STRATIFIED = click.option(
    "--stratified/--simple",
    "stratified",
    default=None,
    help="Draw the sample in proportion to manual flag and source; else simply at random.",
)
SEED = click.option("--seed", type=int, metavar="S", help="Which draw (0), and the model's seed where it takes one.")
MAX_COST = click.option(
    "--max-cost", callback=_amount, metavar="USD", help="Stop before more is spent; 0 shows the estimate alone."
)
CONCURRENCY = click.option("--concurrency", type=click.IntRange(1, 1000), metavar="N", help="Calls at once (16).")
