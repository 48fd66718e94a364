"""The command `exphub`: values go to stdout, everything else to stderr, errors in one line."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import add_completion_class

from exphub_magics import datasets, lazily
from exphub_magics.cards import listings
from exphub_magics.cli import cli, shells
from exphub_magics.cli.options import Session
from exphub_magics.errors import ExphubError
from exphub_magics.markup import counted

if TYPE_CHECKING:
    import pandas as pd
else:
    pd = lazily.load("pandas")

FAILED, INTERRUPTED = 3, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a verb, print its value, and end with its exit code."""
    session = Session()
    add_completion_class(shells.Bash)
    try:
        value = cli.main(
            list(arguments) if arguments is not None else None, "exphub", standalone_mode=False, obj=session
        )
    except click.exceptions.NoArgsIsHelpError as bare:
        click.echo(bare.format_message())
        return
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except ExphubError as error:
        _fail(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # there is nothing left to stop
        _fail("interrupted; everything answered is kept, run it again for the rest", INTERRUPTED)
    if value is None or isinstance(value, int):
        sys.exit(value or 0)
    _print(shown_json(value) if session.as_json else shown(session.beside or value))
    if session.reasons:
        _fail("; ".join(session.reasons), ExphubError.exit_code)
    if session.failed:
        which = "this one" if session.failed == 1 else "these"
        _fail(f"{counted(session.failed, 'narrative')} failed; run it again to ask only {which}", FAILED)


def _print(text: str) -> None:
    """Write to stdout what it can show; a reader that has gone away wants no more."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(text: str, code: int) -> None:
    click.echo(f"exphub: {text}", err=True)
    sys.exit(code)


def shown(value: Any) -> str:
    """A verb's value as the terminal shows it."""
    if isinstance(value, pd.DataFrame):
        return listings.runs_table(value) if "taken_at" in value else listings.table(value)
    if isinstance(value, datasets.Profile):
        return "\n".join(f"{key}: {_plain(held)}" for key, held in value.as_json().items())
    return str(value)


def _plain(held: Any) -> str:
    if isinstance(held, dict):
        return ", ".join(f"{key} = {one}" for key, one in held.items())
    return "; ".join(map(str, held)) if isinstance(held, (list, tuple)) else str(held)


def shown_json(value: Any) -> str:
    """A verb's value as JSON; a missing value is null."""
    if isinstance(value, pd.DataFrame):
        value = json.loads(value.to_json(orient="records", double_precision=15))
    elif hasattr(value, "as_json"):
        value = value.as_json()
    return json.dumps(value, ensure_ascii=False, indent=2)
