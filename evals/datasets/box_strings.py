"""Boxes as remote sensing chat models write them in text, on a grid of 0-100: decoded to corners in px.

- GeoChat `{<x1><y1><x2><y2>|<deg>}`: top-left and bottom-right of the UNROTATED rectangle, which is then turned by the
  angle about its centre: neither the upright box round the object nor two corners of it. GeoChat's own code turns it
  either way (`geochat_demo.py` draws counter-clockwise and computes clockwise); scorers of others turn it clockwise.
- FIT-RS `{<cx><cy><w><h>|<deg>}`: centre, sides and angle, clockwise on screen, of square patches (one divisor).
- VRSBench `{<x1><y1><x2><y2>}`: upright, truncated towards zero to whole numbers ("-2" occurs).

FORMATS sections 0.1, 1.6, 1.7, 1.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from ...core.errors import UsageError
from ...core.geometry import canonical_corners, min_area_rect
from ...core.regions import FloatArray
from ...core.rotated_iou import rotated_iou_pairs

GRID = 100.0
TURNS = ("clockwise", "counter-clockwise")

_VALUE = r"\s*<\s*(-?\d+(?:\.\d+)?)\s*>"
_BOX = re.compile(rf"\{{{_VALUE * 4}(?:\s*\|{_VALUE})?\s*\}}")
_BRACE = re.compile(r"\{[^{}]*\}?")


class BadBox(ValueError):
    """A box string that stands for no box; the text is the reason, as it is counted in a tally."""


def box_numbers(text: str) -> list[tuple[float, ...]]:
    """The numbers of each box in the text: four, or five with an angle.

    Raises:
        BadBox: something in braces that is no box: part of it would be lost otherwise.

    Example:
        >>> box_numbers("at {<8><82><16><90>|<69>}<delim>{<6><44><14><48>}")
        [(8.0, 82.0, 16.0, 90.0, 69.0), (6.0, 44.0, 14.0, 48.0)]
    """
    found = []
    for piece in _BRACE.finditer(text):
        box = _BOX.fullmatch(piece[0])
        if box is None:
            raise BadBox("braces round something that is no box")
        found.append(tuple(float(value) for value in box.groups() if value is not None))
    return found


def geochat_corners(numbers: Sequence[float], size_wh: tuple[int, int], turn: str = "clockwise") -> FloatArray:
    """Corners in px of a GeoChat box.

    The corners of the unrotated rectangle are scaled first and turned in px, so that it stays a rectangle in images
    that are not square.

    Args:
        numbers: x1, y1, x2, y2 on the grid and, optionally, degrees.
        size_wh: of the image, px.
        turn: which way a positive angle goes on screen: "clockwise" or "counter-clockwise".

    Returns:
        (4, 2) canonical corners.

    Raises:
        BadBox: beyond the grid (0-100), or without area.

    Example:
        >>> geochat_corners((40, 45, 60, 55, 90), (100, 100)).tolist()
        [[45.0, 40.0], [55.0, 40.0], [55.0, 60.0], [45.0, 60.0]]
    """
    _on_grid(numbers[:4])
    low, high = (np.array(numbers[i : i + 2]) / GRID * size_wh for i in (0, 2))
    angle = numbers[4] if len(numbers) > 4 else 0.0
    if turn not in TURNS:
        raise UsageError(f"turn={turn!r} is not known; expected {' or '.join(map(repr, TURNS))}")
    return turned_rect((low + high) / 2, high - low, angle if turn == "clockwise" else -angle)


def fitrs_corners(numbers: Sequence[float], side_px: float = 512.0) -> FloatArray:
    """Corners in px of a FIT-RS box: cx, cy, w, h on the grid of a square patch and degrees, clockwise on screen.

    Raises:
        BadBox: a centre or a side beyond the grid, no angle, or a side that is not positive.

    Example:
        >>> fitrs_corners((50, 50, 20, 10, 90), side_px=100).round(6).tolist()
        [[45.0, 40.0], [55.0, 40.0], [55.0, 60.0], [45.0, 60.0]]
    """
    if len(numbers) != 5:
        raise BadBox("oriented box without an angle")
    _on_grid(numbers[:4])
    scaled = np.array(numbers[:4]) / GRID * side_px
    return turned_rect(scaled[:2], scaled[2:], numbers[4])


def turned_rect(centre: np.ndarray, size: np.ndarray, clockwise_deg: float) -> FloatArray:
    """Canonical corners (4, 2) of a rectangle turned about its centre. Raises BadBox when a side is not positive."""
    if not (np.asarray(size) > 0).all():
        raise BadBox("box without area")
    angle = np.deg2rad(clockwise_deg % 360)
    cos, sin = (round(float(value), 15) for value in (np.cos(angle), np.sin(angle)))
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.asarray(size) / 2
    return canonical_corners(half @ np.array([[cos, sin], [-sin, cos]]) + centre)


def turn_of(pairs: Iterable[tuple[Sequence[float], np.ndarray]], size_wh: tuple[int, int]) -> tuple[str, float, float]:
    """Which way a dataset's GeoChat angles turn: the one that fits its outlines better.

    Args:
        pairs: numbers of a box string, and the outline (N, 2) px of the same object.
        size_wh: of the images, px.

    Returns:
        The turn, and the mean rotated IoU clockwise and counter-clockwise. Equal means nothing: the angles are 0 or 90.

    Raises:
        UsageError: no pairs.
    """
    listed = list(pairs)
    if not listed:
        raise UsageError("no pair of a box string and an outline to tell the turn of angles from")
    truth = np.stack([min_area_rect(outline) for _, outline in listed])
    means = []
    for turn in TURNS:
        decoded = np.stack([geochat_corners(numbers, size_wh, turn) for numbers, _ in listed])
        means.append(float(rotated_iou_pairs(decoded, truth).mean()))
    return TURNS[int(means[1] > means[0])], means[0], means[1]


def _on_grid(numbers: Sequence[float]) -> None:
    if not all(0 <= value <= GRID for value in numbers):
        raise BadBox("coordinate beyond the grid of 0-100")
