"""The hub's statements: each is a file in the folder sql/, and none is built in Python."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def sql(name: str) -> str:
    """Read a statement, or several.

    >>> sql("names").splitlines()[0]
    "-- Every experiment's id, name and version."
    """
    return resources.files("exphub_magics.sql").joinpath(f"{name}.sql").read_text(encoding="utf-8")
