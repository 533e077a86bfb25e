"""Numbered markers on the objects of a picture (set-of-marks prompting), as GeoPixel places them.

GeoPixel appendix B: a marker of one size, 14 x 14 px on an image of 800 px, whatever the object's size; at the centre
of a large object's mask where that lies inside it, else at the nearest point of it; on the outline of a small one, so
that about half of the marker lies on it. Here no marker hides more than half of an object or touches another marker;
an object that has no such place is not marked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from ...core.masks import Mask
from ...core.regions import FloatArray

SIDE_PX, SHOWN_PX = 14, 800
"""A marker's side on a picture whose longest side is the second number; smaller pictures are enlarged to it."""
SMALL = 6.0
"""An object of fewer markers' areas is small: its marker goes to the outline."""
MOST_HIDDEN = 0.5
"""Share of an object that its own marker may hide."""
MOST_BESIDE = 0.3
"""Share of the box of another small object that a marker may hide."""
_GAP_PX = 1.0
_LEAST_ON = 0.1  # share of a marker that lies on its object
_MOST_PLACES = 600
_PUSHED = (0.0, 0.25, 0.45)  # beyond the outline, in sides of the marker
_PAPER, _INK = (255, 222, 0), (0, 0, 0)
_FINE = 8  # a marker is drawn so many times larger, then made smaller
_HEIGHT, _WEIGHT = 0.64, 700


@dataclass(frozen=True, eq=False)
class Mark:
    """One marker.

    Attributes:
        number: written on it, from 1.
        index: of the object, among those given.
        xy_px: (2,) its centre, full-image px.
        side_px: in px of the image.
    """

    number: int
    index: int
    xy_px: FloatArray
    side_px: float


def marker_side(size_wh: tuple[int, int]) -> float:
    """A marker's side in px of the image.

    Example:
        >>> marker_side((800, 600)), marker_side((1600, 1600)), marker_side((400, 400))
        (14.0, 28.0, 7.0)
    """
    return SIDE_PX * max(size_wh) / SHOWN_PX


def place_marks(chosen: Sequence[int], masks: Sequence[Mask], size_wh: tuple[int, int]) -> list[Mark]:
    """Markers for some of the objects, numbered by rows from the top.

    Args:
        chosen: indices of the objects that get one.
        masks: of all objects: no marker hides a small one of them.
        size_wh: of the image, px.

    Returns:
        one for each of the chosen, but for those that have no room for it (or no pixels).

    Example:
        >>> square = Mask.from_array(np.ones((100, 100)), (50, 30), (800, 800))
        >>> [(mark.number, mark.xy_px.tolist()) for mark in place_marks([0], [square], (800, 800))]
        [(1, [100.0, 80.0])]
    """
    side = marker_side(size_wh)
    if min(size_wh) < side:
        return []
    boxes = np.array([_box(mask) for mask in masks], dtype=np.float64).reshape(-1, 4)
    small = np.array([0 < mask.area_px < SMALL * side * side for mask in masks], dtype=bool)
    placed: dict[int, FloatArray] = {}
    for index in sorted(chosen, key=lambda index: (masks[index].area_px, index)):  # the smallest have the least choice
        mask = masks[index]
        if not mask.area_px:
            continue
        others = boxes[small & (np.arange(len(masks)) != index)]
        places = _on_outline(mask, side, size_wh) if small[index] else _inside(mask, side, size_wh)
        places = places[_is_free(places, np.array(list(placed.values())), side) & _hides_none(places, others, side)]
        if len(places):
            placed[index] = places[0]
    order = sorted(placed, key=lambda index: (*placed[index][::-1].tolist(), index))
    return [Mark(number, index, placed[index], side) for number, index in enumerate(order, start=1)]


def shown(pixels: np.ndarray, marks: Sequence[Mark]) -> np.ndarray:
    """The picture with its markers, enlarged where it is smaller than `SHOWN_PX`: a small number must stay readable.

    Args:
        pixels: (H, W, 3) uint8 RGB; stays as it is.
        marks: as `place_marks` gives them for a picture of that size.
    """
    height, width = pixels.shape[:2]
    scale = max(1.0, SHOWN_PX / max(width, height))
    size_wh = (round(width * scale), round(height * scale))
    picture = cv2.resize(pixels, size_wh, interpolation=cv2.INTER_CUBIC) if scale > 1 else pixels.copy()
    for mark in marks:
        side = round(mark.side_px * scale)
        tile = _tile(mark.number, side)
        left, top = np.floor(mark.xy_px * scale - side / 2 + 0.5).astype(int)
        left, top = (min(max(0, low), most - side) for low, most in zip((left, top), size_wh, strict=True))
        picture[top : top + side, left : left + side] = tile
    return picture


# ---- where markers go -------------------------------------------------------------------------------------------


def _inside(mask: Mask, side: float, size_wh: tuple[int, int]) -> FloatArray:
    """Places on a large object, the best first: its centre, or what of it lies nearest to that."""
    rows, columns = np.nonzero(mask.crop)
    points = np.stack([columns, rows], axis=1) + 0.5 + np.array(mask.offset_xy)
    centre = points.mean(axis=0)
    column, row = np.floor(centre - mask.offset_xy).astype(int)
    points = points[np.argsort(((points - centre) ** 2).sum(axis=1), kind="stable")]
    is_inside = bool(mask.crop[row, column])
    step = max(1, round(side / 3))
    lattice = (np.floor(points) % step == 0).all(axis=1)
    lattice[0] = True
    places = points[lattice][:_MOST_PLACES]
    if is_inside:
        places = np.concatenate([centre[None], places])
    return _within(places, side, size_wh)


def _on_outline(mask: Mask, side: float, size_wh: tuple[int, int]) -> FloatArray:
    """Places on the outline of a small object, or just beyond; first those of which half lies on it."""
    inner = cv2.erode(np.pad(mask.crop, 1).view(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1] > 0
    rows, columns = np.nonzero(mask.crop & ~inner)
    edge = np.stack([columns, rows], axis=1) + 0.5
    edge = edge[:: max(1, len(edge) // (_MOST_PLACES // len(_PUSHED)))]
    all_rows, all_columns = np.nonzero(mask.crop)
    centre = np.array([all_columns.mean(), all_rows.mean()]) + 0.5
    away = edge - centre
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    places = np.concatenate([edge + push * side * away for push in _PUSHED]) + np.array(mask.offset_xy)
    places = _within(places, side, size_wh)
    covered = _covered(mask, places, side)
    on, hidden = covered / side**2, covered / mask.area_px
    least = min(_LEAST_ON, float(on.max()))
    good = (hidden <= MOST_HIDDEN) & (on >= least)
    # rounded, so that what is equally good goes by the order of places, from the upper left
    order = np.lexsort((np.arange(len(places)), np.round(hidden, 2), np.round(np.abs(on - 0.5), 1)))
    return places[order][good[order]]


def _covered(mask: Mask, places: FloatArray, side: float) -> FloatArray:
    """How many px of the mask a marker at each place hides."""
    pad = int(np.ceil(side)) + 2
    table = cv2.integral(np.pad(mask.crop, pad).astype(np.uint8)).astype(np.float64)
    low = np.floor(places - side / 2 - np.array(mask.offset_xy) + pad + 0.5)
    ends = np.array(table.shape[::-1]) - 1
    x0, y0 = np.clip(low, 0, ends).astype(int).T
    x1, y1 = np.clip(low + round(side), 0, ends).astype(int).T
    return np.asarray(table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0], dtype=np.float64)


def _within(places: FloatArray, side: float, size_wh: tuple[int, int]) -> FloatArray:
    """The places moved so that whole markers lie in the image."""
    return np.clip(places, side / 2, np.array(size_wh) - side / 2)


def _is_free(places: FloatArray, taken: FloatArray, side: float) -> np.ndarray:
    """Whether a marker at each place touches none of the markers that are there."""
    if not len(taken):
        return np.ones(len(places), dtype=bool)
    apart = np.abs(places[:, None] - taken[None]).max(axis=2)
    return np.asarray((apart >= side + _GAP_PX * max(1.0, side / SIDE_PX)).all(axis=1))


def _hides_none(places: FloatArray, boxes: FloatArray, side: float) -> np.ndarray:
    """Whether a marker at each place leaves most of each box open."""
    if not len(boxes) or not len(places):
        return np.ones(len(places), dtype=bool)
    near = (boxes[:, :2] < places.max(axis=0) + side).all(axis=1) & (boxes[:, 2:] > places.min(axis=0) - side).all(axis=1)  # fmt: skip  # noqa: E501
    boxes = boxes[near]
    low = np.maximum(places[:, None] - side / 2, boxes[None, :, :2])
    high = np.minimum(places[:, None] + side / 2, boxes[None, :, 2:])
    hidden = np.clip(high - low, 0, None).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    return np.asarray((hidden <= MOST_BESIDE * area).all(axis=1))


def _box(mask: Mask) -> FloatArray:
    box = mask.box_px
    return np.zeros(4) if box is None else box


# ---- how they look ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _tile(number: int, side: int) -> np.ndarray:
    """(side, side, 3) uint8 RGB: black on yellow with a black rim, which stands out on any ground; read-only."""
    fine = side * _FINE
    board = np.zeros((2 * fine, 6 * fine, 3), np.uint8)
    cv2.putText(board, str(number), (fine, fine + fine // 2), (255, 255, 255), cv2.FontFace("sans"), fine, _WEIGHT)
    ink = board[..., 0]
    rows, columns = np.flatnonzero(ink.max(axis=1) > 127), np.flatnonzero(ink.max(axis=0) > 127)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height = round(_HEIGHT * fine)
    width = min(round(ink.shape[1] * height / ink.shape[0]), fine - 3 * _FINE)
    share = cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)[..., None] / 255.0
    tile = np.full((fine, fine, 3), _INK, np.uint8)
    rim = max(_FINE, fine // SIDE_PX)
    tile[rim:-rim, rim:-rim] = _PAPER
    top, left = (fine - height) // 2, (fine - width) // 2
    place = tile[top : top + height, left : left + width]
    place[:] = np.round(place * (1 - share) + np.array(_INK) * share)
    small = cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA)
    small.setflags(write=False)
    return small
