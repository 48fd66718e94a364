"""%%experiment and %exphub: parse the line and delegate to the verb table."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click
import pandas as pd
from IPython import display

from exphub_magics import cli, widgets
from exphub_magics.comparisons import in_kernel
from exphub_magics.errors import ConfigError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Stopped(KeyboardInterrupt):
    """An interrupt, shown in one line; cells that wait behind this one are not run, as after any interrupt."""

    def _render_traceback_(self) -> list[str]:
        return ["Stopped. Everything answered is kept; run the cell again for the rest."]


def exphub(shell: InteractiveShell, line: str) -> Any:
    """Run a verb and return its value."""
    return _call(cli.cli, shell, line)


def experiment(shell: InteractiveShell, line: str, body: str) -> Any:
    """Run the cell's prompt as an experiment and return its scorecard."""
    value = _call(cli.experiment, shell, line, body)
    if not isinstance(value, tuple):
        return None
    shown, variable = value  # a scorecard, or the handle of a run in the background
    if variable:
        shell.user_ns[variable] = shown
    return shown


def _call(command: click.Command, shell: InteractiveShell, line: str, body: str = "") -> Any:
    frames = {name: value for name, value in shell.user_ns.items() if isinstance(value, pd.DataFrame)}
    progress, lasting = (
        (widgets.in_cell, widgets.beside_cells) if in_kernel() else (widgets.on_terminal, widgets.on_terminal)
    )
    session = cli.Session(progress=progress, lasting=lasting, body=body, frames=frames)
    try:
        value = command.main(_words(line), _name(command), standalone_mode=False, obj=session)
    except (KeyboardInterrupt, click.Abort) as interrupt:
        raise Stopped from interrupt
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.format_message())
        return None
    except click.ClickException as error:
        raise ConfigError(error.format_message()) from error
    if session.beside is not None:
        display.display(session.beside)
    return None if isinstance(value, int) else value


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise ConfigError(f"the line cannot be read, {error}: {line.strip()}") from error


def _name(command: click.Command) -> str:
    return "%exphub" if command is cli.cli else "%%experiment"
