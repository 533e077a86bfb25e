"""How records hold points: to a thousandth of a pixel, rings one way round, regions in one order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .record import XY, Marked

DIGITS = 3
"""Points are written to a thousandth of a pixel."""


def as_xy(points: np.ndarray) -> tuple[XY, ...]:
    """(N, 2) px as records hold them.

    Example:
        >>> as_xy(np.array([[1 / 3, -0.0001]]))
        ((0.333, 0.0),)
    """
    return tuple((round(x, DIGITS) + 0.0, round(y, DIGITS) + 0.0) for x, y in points.tolist())


def clockwise(ring: np.ndarray) -> np.ndarray:
    """(N, 2) ring, clockwise on screen from its top-most, then left-most point.

    Example:
        >>> clockwise(np.array([[0, 2], [2, 2], [2, 0]])).tolist()
        [[2, 0], [2, 2], [0, 2]]
    """
    x, y = ring.T
    if np.dot(x, np.roll(y, -1)) < np.dot(np.roll(x, -1), y):
        ring = ring[::-1]
    return np.roll(ring, -int(np.lexsort((ring[:, 0], ring[:, 1]))[0]), axis=0)


def in_reading_order(regions: Sequence[Marked]) -> tuple[Marked, ...]:
    """By rows from the top, as the first point of each tells: one order, so that a reply is one text."""
    return tuple(sorted(regions, key=lambda region: (region.points[0][1], region.points[0][0], region.points)))
