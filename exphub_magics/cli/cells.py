"""An experiment from one prompt: in a notebook's cell, or in a file from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from exphub_magics import cards, experiments, prompts, specs
from exphub_magics.background import Background
from exphub_magics.cli import completions, options
from exphub_magics.cli.options import Session
from exphub_magics.errors import ConfigError, named
from exphub_magics.experiments import forecasts
from exphub_magics.hub import where
from exphub_magics.specs import configs

EXAMPLE = "%%experiment baseline --data sample"
_OF_CELLS = {"background", "variable", "prompt_file"}  # what the command line has not, or has otherwise
_PROMPT_FILE = partial(click.option, "--prompt-file", metavar="FILE", shell_complete=completions.prompt_files)


@click.command(name="experiment", context_settings=options.SHOWN)
@click.argument("name", shell_complete=completions.names)
@click.option(
    "--data",
    metavar="FILE|FRAME",
    shell_complete=completions.datasets,
    help="The dataset: a file, a DataFrame variable, or sample.",
)
@options.COLUMNS
@click.option(
    "--model",
    "model_name",
    metavar="NAME",
    shell_complete=completions.models,
    help="The model; rules-1, the builtin one, by default.",
)
@click.option(
    "--provider",
    metavar="NAME",
    shell_complete=completions.providers,
    help=f"Who serves it: {', '.join(specs.ENDPOINTS)}, or any with --base-url.",
)
@click.option("--base-url", metavar="URL", help="Where it is served.")
@click.option("--api-key-env", metavar="VARIABLE", help="The variable that holds the key; never the key itself.")
@click.option("--author", metavar="NAME")
@options.SAMPLE
@options.STRATIFIED
@options.SEED
@click.option("--temperature", type=float, metavar="T")
@click.option(
    "--reasoning-effort",
    metavar="E",
    shell_complete=completions.efforts,
    help=f"One of {', '.join(specs.EFFORTS)}.",
)
@click.option("--max-tokens", type=click.IntRange(1), metavar="N")
@click.option("--repeat", type=click.IntRange(1), metavar="K", help="A deliberate repeat, asked anew.")
@options.CONCURRENCY
@options.MAX_COST
@click.option("--background", is_flag=True, help="Return a handle at once, and let other cells work meanwhile.")
@click.option("--notes", metavar="TEXT")
@_PROMPT_FILE(help="Take the prompt from a file, such as prompts/indicators.txt, and leave the cell empty.")
@click.option("--as", "variable", metavar="VARIABLE", help="Name the scorecard.")
@options.DB
@click.pass_obj
def cell(
    session: Session, /, variable: str | None, *, background: bool, **said: Any
) -> tuple[cards.Scorecard | Background | forecasts.Total, str | None]:
    """Put the cell's prompt to a model over every narrative of a dataset.

    Example: %%experiment baseline --data sample

    A long prompt is kept in a file: %experiment indicators --data sample --prompt-file prompts/indicators.txt
    """
    job = _job(session, said)
    if job.spec.max_cost == 0:
        return _estimate(session, job), variable
    with session.hub_for([job]) as hub:
        if background:
            show = session.lasting()
            handle = Background.start(where(session.db), job, show=show)
            show.offer(handle.stop)
            return handle, variable
        last = experiments.follow(hub, job, session.progress())
        return cards.scorecard(hub, last.experiment_id, warnings=last.warnings), variable


@click.command(name="experiment", params=[one for one in cell.params if one.name not in _OF_CELLS])
@_PROMPT_FILE(required=True, help="The prompt, such as prompts/indicators.txt.")
@options.JSON
@click.pass_obj
def experiment(session: Session, /, **said: Any) -> cards.Scorecard | forecasts.Total:
    """Put the prompt in a file to a model over every narrative of a dataset, as a cell does.

    Example: exphub experiment indicators --data sample --prompt-file prompts/indicators.txt
    """
    job = _job(session, said)
    if job.spec.max_cost == 0:
        return _estimate(session, job)
    with session.hub_for([job]) as hub:
        last = experiments.follow(hub, job, session.progress())
        session.reasons = [last.reason] if last.reason else []
        card = cards.scorecard(hub, last.experiment_id, warnings=last.warnings)
        session.failed = card.counts["failed"]
        return card


def _estimate(session: Session, job: experiments.Job) -> forecasts.Total:
    """What the experiment will take; nothing is asked or registered."""
    with session.hub_to_ask_nothing() as hub:
        return forecasts.forecast(hub, [job])


def _job(session: Session, said: Mapping[str, Any]) -> experiments.Job:
    return experiments.prepare([_spec(session, {key: value for key, value in said.items() if value is not None})])[0]


def _spec(session: Session, said: dict[str, Any]) -> specs.Spec:
    prompt = _prompt(session, said.pop("prompt_file", None))
    source = said.pop("data", None)
    if source is None:
        raise ConfigError("no dataset is named: add --data FILE, --data FRAME or --data sample")
    provider = said.get("provider", specs.BUILTIN if "base_url" not in said else "endpoint")
    if "model_name" not in said and provider != specs.BUILTIN:
        raise ConfigError(f"provider{specs.quoted(provider)} needs --model NAME")
    if "model_name" in said and "provider" not in said and "base_url" not in said and said["model_name"] != "rules-1":
        raise ConfigError(f"--model{specs.quoted(said['model_name'])} needs --provider NAME or --base-url URL")
    data = session.frames.get(source, source)
    given = {"data": data, "data_name": source if source in session.frames else None, "provider": provider}
    return specs.Spec(prompt=prompt, **{**said, **given})


def _prompt(session: Session, file: str | None) -> prompts.Prompt:
    """The prompt below the line, or in the file that the line names."""
    if file is None and not session.body.strip():
        raise ConfigError(
            f"the cell is empty: write the prompt under the line, such as under {EXAMPLE}, or name a --prompt-file"
        )
    if file is None:
        return prompts.parse(session.body)
    if session.body.strip():
        raise ConfigError(f"the line names {named(file)} and there is a prompt below it: keep one of them")
    text = configs.read_text(file, folder=Path(), what="--prompt-file")
    try:
        return prompts.parse(text)
    except ConfigError as error:
        raise ConfigError(f"{named(file)}: {error}") from error
