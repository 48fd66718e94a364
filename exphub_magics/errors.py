"""What can go wrong, and who can put it right.

ExphubError                 one line, with the next step in it; exit code 1
├── ConfigError             the researcher: a prompt, an option, a key or a file name is wrong
│   └── UnknownNameError    … and something near it exists
├── DatasetError            the researcher: a data file cannot be read, or can be read in two ways
├── HubError                the machine's keeper: the hub file is full, read-only, moved or damaged
│   ├── LockedError         … or another program keeps it locked
│   └── LeaseError          … or somebody else runs the experiment at this moment
└── EndpointError           whoever runs the endpoint: no key, no such model, nobody answers

A narrative that fails is no exception but a row in the hub; these end a command.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class ExphubError(Exception):
    """The base of every error that ends a command; its text is one line that says the next step.

    >>> str(ExphubError("no hub here; name one with --db"))
    'no hub here; name one with --db'
    """

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """Show one line in the notebook, where IPython would print a traceback."""
        return [f"{type(self).__name__}: {self}"]


class ConfigError(ExphubError):
    """What the researcher wrote cannot be run as it stands."""


class UnknownNameError(ConfigError):
    """A name that is not known, answered with the nearest that is."""


class DatasetError(ExphubError):
    """A data file that cannot be read, or that can be read in two ways."""


class HubError(ExphubError):
    """The hub file cannot be opened, read or written."""


class LockedError(HubError):
    """The hub file is kept locked by another program."""


class LeaseError(HubError):
    """An experiment that another run has taken; the text says who, and since when."""


class EndpointError(ExphubError):
    """An endpoint that will answer nothing: no key, no such model, nobody there."""


def nearest(word: str, known: Iterable[str], *, shown: int = 8) -> str:
    """Say which known name is meant, or which there are.

    >>> nearest("basline", ["baseline", "strict"])
    "did you mean 'baseline'?"
    >>> nearest("xyz", ["baseline", "strict"])
    'there are: baseline, strict'
    >>> nearest("xyz", [])
    'there are none yet'
    """
    names = sorted(set(known))
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    if not names:
        return "there are none yet"
    more = f" … ({len(names) - shown} more)" if len(names) > shown else ""
    return f"there are: {', '.join(names[:shown])}{more}"


def unknown(kind: str, word: str, known: Iterable[str]) -> UnknownNameError:
    """Build the error for a name that is not known.

    >>> raise unknown("provider", "opnai", ["OpenAI", "builtin"])
    Traceback (most recent call last):
    exphub_magics.errors.UnknownNameError: unknown provider 'opnai': did you mean 'OpenAI'?
    """
    return UnknownNameError(f"unknown {kind} {word!r}: {nearest(word, known)}")


def named(path: str) -> str:
    """A path as errors name it: one that is written in full by its last part, for the rest is a machine's.

    >>> named("config/experiments.yml"), named("/home/someone/experiments.yml")
    ('config/experiments.yml', 'experiments.yml')
    """
    return Path(path).name if Path(path).is_absolute() else path
