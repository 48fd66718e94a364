"""Modules that are imported when something of them is first used, by whichever thread that is.

What `importlib.util.LazyLoader` makes, and `lazy_loader.load` with it, two threads must not use first at the same time:
before Python 3.11.9 one of them finds a module without its names. A run in the background and a panel that follows it
do just that.
"""

from __future__ import annotations

import importlib
import types
from typing import Any


class _Lazy(types.ModuleType):
    """A module's stand-in, whose names are the module's; what looks at modules, such as inspect, imports nothing."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__version__":
            raise AttributeError(name)
        return getattr(importlib.import_module(self.__name__), name)  # another thread that imports it is waited for


def load(name: str) -> Any:
    """The module of a name, which is imported once something of it is used.

    >>> fractions = load("fractions")
    >>> fractions.Fraction(1, 2)
    Fraction(1, 2)

    Raises:
        ImportError: not here, but where something of a module that is not there is used.
    """
    return _Lazy(name)
