"""The most memory that a whole run takes, the reading of the file included, for ten times as many narratives."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import cases
import contests

FEW, MANY = 10_000, 100_000


def figures() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        few, many = (
            contests.contest("course.py", "builtin", str(cases.write(Path(folder) / f"{number}.csv", number)))
            for number in (FEW, MANY)
        )
    yield (
        f"memory at most for {FEW:,} / {MANY:,} narratives of 800 characters, builtin model: "
        f"{few.megabytes:.0f} / {many.megabytes:.0f} MB, {many.megabytes - few.megabytes:.0f} MB apart "
        f"({few.seconds:.0f} s / {many.seconds:.0f} s)"
    )
