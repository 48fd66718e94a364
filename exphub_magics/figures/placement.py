"""Where names go beside the points of a chart, so that they cover neither a point, a bar nor another name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
"""Pixels from the left and from the top; or how far to the right and down."""
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""

LETTER = 7  # a letter is taken to be so wide, in pixels,
LINE = 16  # and a line of text so high
_OFFSETS = [
    (right * across, down * (11 + LINE * lines))
    for lines in range(8)
    for across in (12, 34, 68)
    for down in (-1, 1)
    for right in (1, -1)
]


def offsets(points: Sequence[Point], names: Sequence[str], taken: Iterable[Box], size: Point) -> list[Point]:
    """How far from its point each name goes: to the nearest place where it covers nothing and stays inside.

    >>> offsets([(50, 50), (55, 50)], ["first", "second"], [(47, 47, 53, 53), (52, 47, 58, 53)], (300, 100))
    [(12, -11), (-12, -11)]

    `taken` is what may not be covered, and `size` the width and height of the plot. A name whose offset goes to the
    right begins there, another one ends there; in height it is centred.
    """
    covered = list(taken)
    found: list[Point] = []
    for point, name in zip(points, names, strict=True):
        boxes = {offset: _box(point, offset, name) for offset in _OFFSETS}
        best = min(boxes, key=lambda offset: _cost(boxes[offset], covered, size) + math.hypot(*offset))
        covered.append(boxes[best])
        found.append(best)
    return found


def _box(point: Point, offset: Point, name: str) -> Box:
    x, y = point[0] + offset[0], point[1] + offset[1]
    width = LETTER * len(name) * (1 if offset[0] > 0 else -1)
    return min(x, x + width), y - LINE / 2, max(x, x + width), y + LINE / 2


def _cost(box: Box, taken: Sequence[Box], size: Point) -> float:
    """A hundred for every pixel that the name would cover, or stand out of the plot."""
    covered = sum(
        max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
        * max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
        for other in taken
    )
    outside = max(0.0, -box[0]) + max(0.0, box[2] - size[0]) + max(0.0, -box[1]) + max(0.0, box[3] - size[1])
    return 100 * (covered + outside)
