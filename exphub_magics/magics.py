"""%%experiment and %exphub: parse the line and delegate to the verb table."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click
from IPython import display

from exphub_magics import cli, widgets
from exphub_magics.cli import cells, options
from exphub_magics.comparisons import in_kernel
from exphub_magics.errors import ConfigError
from exphub_magics.hub import where

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


class Stopped(KeyboardInterrupt):
    """An interrupt, shown in one line; cells that wait behind this one are not run, as after any interrupt."""

    def _render_traceback_(self) -> list[str]:
        return ["Stopped. Everything answered is kept; run the cell again for the rest."]


VERBS_HELP = """\
Experiments over narratives: which prompt, which model, and how far to trust the answers.
Verbs:    {verbs}
Help:     %exphub VERB --help
Example:  %exphub show baseline
Next:     {next_step}
"""
CELL_HELP = f"""\
Puts the prompt in this cell to a model over every narrative, and keeps what it answers.
Example:  {cells.EXAMPLE}
          Does the text state or suggest violence between intimate partners?
Next:     write a line and a prompt such as these and run the cell; it needs no key and no network
Options:  Tab, or %%experiment?
"""


def exphub(shell: InteractiveShell, line: str) -> Any:
    """Run a verb and return its value."""
    if not line.strip():
        click.echo(VERBS_HELP.format(verbs="  ".join(cli.cli.commands), next_step=_next_step()), nl=False)
        return None
    return _call(cli.cli, shell, line)


def experiment(shell: InteractiveShell, line: str, body: str) -> Any:
    """Run the cell's prompt as an experiment and return its scorecard."""
    if not line.strip() and not body.strip():
        click.echo(CELL_HELP, nl=False)
        return None
    value = _call(cells.cell, shell, line, body)
    if not isinstance(value, tuple):
        return None
    shown, variable = value  # a scorecard, an estimate, or the handle of a run in the background
    if variable:
        shell.user_ns[variable] = shown
    return shown


def help_of(name: str) -> str:
    """What a magic takes, as click says it, with an example.

    >>> help_of("exphub").splitlines()[0]
    'Usage: %exphub [OPTIONS] COMMAND [ARGS]...'
    """
    command = cli.cli if name == "exphub" else cells.cell
    text = command.get_help(click.Context(command, info_name=_name(command)))
    return text if "Example: " in text else f"{text}\n\nExample: %exphub show baseline"


def _next_step() -> str:
    hub = where()
    found = f"%exphub list, for what is in {hub.name}"
    return found if hub.exists() else f"run a cell that begins with {cells.EXAMPLE}"


def _call(command: click.Command, shell: InteractiveShell, line: str, body: str = "") -> Any:
    progress, lasting = (
        (widgets.in_cell, widgets.beside_cells) if in_kernel() else (widgets.on_terminal, widgets.on_terminal)
    )
    session = options.Session(progress=progress, lasting=lasting, body=body, frames=options.frames(shell.user_ns))
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
