"""Labels of a picture, put where they hide no answer.

A label stands beside the box that it names where there is room; else at the nearest free place, with a thin line to
the box.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ...agent.drawing import INK, WHITE, Colour, Picture, Points, draw_outline, fill_areas, put_text, text_size_wh

_ANSWER, _OTHER, _AWAY, _ORDER = 100.0, 3.0, 0.2, 0.02
"""What it costs to cover answers, to cover something else, to be a line away from the box, to be below or beside it."""
_STEP_PX, _GAP_PX = 2, 2
_CLEAR_PX = 3
_BESIDE_PX = 12
_LINE_WEIGHT = 4.0

Ground = NDArray[np.float64]
Rings = Iterable[Points]


@dataclass(frozen=True)
class Label:
    """A label: its words, its colour, and the box (x0, y0, x1, y1), px of the picture, that it names."""

    text: str
    colour: Colour
    box: tuple[float, float, float, float]


def draw_labels(
    picture: Picture, labels: Sequence[Label], answers: Rings, others: Rings, size: int, *, corner: str = ""
) -> int:
    """Draws labels onto a BGR picture.

    Args:
        picture: is drawn upon.
        labels: what is to be named.
        answers: outlines that must stay in sight, px of the picture.
        others: outlines that should.
        size: of the letters, px.
        corner: words for a corner: the one with the least of an answer, the top left one where all are free.

    Returns:
        How many labels were left out: no place was free of other labels.
    """
    right = covered(answers, picture)
    hidden = _ANSWER * right + _OTHER * covered(others, picture)
    taken = np.zeros(picture.shape[:2])
    if corner:
        _draw_corner(picture, corner, size, right, taken)
    left_out = 0
    for label in labels:
        width, height = text_size_wh(label.text, size)
        place = best_place(label.box, (width + 12, height + 4), hidden, taken)
        if place is None:
            left_out += 1
            continue
        x0, y0, x1, y1 = place
        taken[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = 1
        _draw(picture, label, place, size)
    return left_out


def covered(rings: Rings, picture: Picture) -> Ground:
    """(H, W): 1 inside of the rings, more on their lines, 0 elsewhere."""
    ground = np.zeros(picture.shape[:2], dtype=np.uint8)
    whole = [np.round(np.clip(ring, -1e5, 1e5)).astype(np.int32) for ring in rings]
    for ring in whole:
        cv2.fillPoly(ground, [ring], 1)
    for ring in whole:
        cv2.polylines(ground, [ring], True, int(_LINE_WEIGHT), 2 * _CLEAR_PX)
    return ground.astype(np.float64)


def best_place(
    box: Sequence[float], size_wh: tuple[int, int], hidden: Ground, taken: Ground
) -> tuple[int, int, int, int] | None:
    """The place (x0, y0, x1, y1) of a label that hides least, near its box; None where each place is taken.

    Example:
        >>> ground = np.zeros((40, 60))
        >>> best_place((10, 20, 30, 30), (20, 10), ground, ground)
        (10, 8, 30, 18)
    """
    (width, height), (rows, columns) = size_wh, hidden.shape
    if width > columns or height > rows:
        return None
    x = np.unique([*range(0, columns - width + 1, _STEP_PX), columns - width])
    y = np.unique([*range(0, rows - height + 1, _STEP_PX), rows - height])
    x0, y0, x1, y1 = box
    own = np.zeros_like(hidden)
    first, last = (np.floor([x0, y0]).astype(int) - _GAP_PX).clip(0), (np.ceil([x1, y1]).astype(int) + _GAP_PX).clip(0)
    own[first[1] : last[1], first[0] : last[0]] = 1
    gap = np.hypot(
        np.maximum(np.maximum(x0 - x - width, x - x1), 0)[None, :],
        np.maximum(np.maximum(y0 - y - height, y - y1), 0)[:, None],
    )
    off = np.abs(x - x0)[None, :] + np.abs(y - (y0 - height - 2))[:, None]
    cost = _share(hidden + _OTHER * own, x, y, size_wh) + (_AWAY * gap + _ORDER * off) / height
    cost[_share(taken, x, y, size_wh) > 0] = np.inf
    row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
    if not np.isfinite(cost[row, column]):
        return None
    left, top = int(x[column]), int(y[row])
    return left, top, left + width, top + height


def _share(ground: Ground, x: NDArray[np.int_], y: NDArray[np.int_], size_wh: tuple[int, int]) -> Ground:
    """Mean of the ground in rectangles of one size whose corners are at all `x` and `y`."""
    width, height = size_wh
    total = np.pad(ground.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    low, high, left, right = y[:, None], y[:, None] + height, x[None, :], x[None, :] + width
    mean = (total[high, right] - total[low, right] - total[high, left] + total[low, left]) / (width * height)
    return np.where(mean < 1e-9, 0.0, mean)


def _draw(picture: Picture, label: Label, place: tuple[int, int, int, int], size: int) -> None:
    x0, y0, x1, y1 = place
    near = np.clip([(x0 + x1) / 2, (y0 + y1) / 2], label.box[:2], label.box[2:])  # the box's point next to the label
    start = np.clip(near, [x0, y0], [x1, y1])
    if np.hypot(*(near - start)) > _BESIDE_PX:
        draw_outline(picture, np.stack([start, near]), label.colour, 1)
    _plate(picture, place)
    picture[y0:y1, x0 : x0 + 3] = label.colour
    put_text(picture, label.text, (x0 + 7, y0 + 2), size, WHITE)


def _draw_corner(picture: Picture, text: str, size: int, right: Ground, taken: Ground) -> None:
    width, height = text_size_wh(text, size)
    width, height = width + 10, height + 4
    rows, columns = taken.shape
    corners = [(x, y) for y in (0, max(0, rows - height)) for x in (0, max(0, columns - width))]
    x, y = min(corners, key=lambda at: float(right[at[1] : at[1] + height, at[0] : at[0] + width].sum()))
    taken[y : y + height + 1, x : x + width + 1] = 1
    _plate(picture, (x, y, x + width, y + height))
    put_text(picture, text, (x + 5, y + 2), size, WHITE)


def _plate(picture: Picture, place: tuple[int, int, int, int]) -> None:
    x0, y0, x1, y1 = place
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)
    fill_areas(picture, [([corners], INK)], 0.78)
