"""Regions of records under changes of their picture: turned, tilted, cut by a window. Points, key points, holes, masks.

Each function gives a new `Marked` or raises `LeftOut` with the reason why no true one can be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from ...core.geometry import canonical_corners, corners_to_box, min_area_rect
from ...core.masks import Mask
from ..convert.shapes import key_points
from ..records.points import as_xy, clockwise, in_reading_order
from ..records.record import XY, Instruction, Marked
from .turning import Turn


class LeftOut(Exception):
    """A record that cannot be made, or not truthfully; the text is the reason, as it is counted."""


def turned(marked: Marked, turn: Turn, size_wh: tuple[int, int]) -> Marked:
    """A region of a picture of that size where the picture is turned; exact, its mask pixel by pixel."""

    def move(points: Sequence[XY]) -> np.ndarray:
        return turn.points(np.array(points, dtype=np.float64).reshape(-1, 2), size_wh)

    mask = None if marked.rle is None else _turned_mask(Mask.from_rle(marked.rle), turn, size_wh)
    return rebuilt(marked, move(marked.points), move(marked.keypoints), [move(hole) for hole in marked.holes], mask)


def moved(marked: Marked, matrix: np.ndarray) -> Marked:
    """A region under an affine map that may tilt it; masks are dropped, they would have to be sampled anew.

    Args:
        matrix: (2, 3), px to px.

    Raises:
        LeftOut: an upright box, whose contents' extent after tilting nobody knows.
    """
    if marked.is_upright or (marked.kind == "box" and marked.rle is None):
        raise LeftOut("an upright box cannot be tilted")

    def move(points: Sequence[XY] | np.ndarray) -> np.ndarray:
        return np.asarray(points, dtype=np.float64).reshape(-1, 2) @ matrix[:, :2].T + matrix[:, 2]

    points = move(marked.points)
    if marked.kind == "box" and marked.rle is not None:
        outline = shapely.MultiPolygon(Mask.from_rle(marked.rle).to_polygons())
        points = corners_to_box(move(shapely.get_coordinates(outline))).reshape(2, 2)
    return rebuilt(marked, points, move(marked.keypoints), [move(hole) for hole in marked.holes], None)


def cut(marked: Marked, window: tuple[int, int, int, int]) -> tuple[float, Marked | None]:
    """How much of a region a window shows, 0..1, and that part in the window's px; None where nothing is shown.

    Oriented boxes become the least rectangle round what is shown, polygons what is shown of them.

    Raises:
        LeftOut: a polygon that the window cuts in pieces, or one with holes.
    """
    x0, y0, x1, y1 = window
    points = np.array(marked.points)
    ring = shapely.box(*points.ravel()) if marked.kind == "box" else shapely.make_valid(shapely.Polygon(points))
    part: Any = shapely.intersection(ring, shapely.box(*window))
    if part.area <= 0:
        return 0.0, None
    shift = np.array([x0, y0], dtype=np.float64)
    mask, share = None, part.area / ring.area
    if marked.rle is not None:
        whole = Mask.from_rle(marked.rle)
        mask = Mask.from_array(whole.crop, (whole.offset_xy[0] - x0, whole.offset_xy[1] - y0), (y1 - y0, x1 - x0))
        share = mask.area_px / whole.area_px if whole.area_px else share
        if not mask.area_px:
            return 0.0, None
    keypoints = np.array(marked.keypoints).reshape(-1, 2)
    keypoints = keypoints[((keypoints > (x0, y0)) & (keypoints < (x1, y1))).all(axis=1)] - shift
    holes = [np.array(hole) - shift for hole in marked.holes]
    if part.equals(ring):
        return 1.0, rebuilt(marked, points - shift, keypoints, holes, mask)
    if marked.keypoints and mask is not None:
        keypoints = key_points(mask, len(marked.keypoints))
    if marked.keypoints and not len(keypoints):
        raise LeftOut("a window's edge cuts off all key points")
    if marked.kind == "polygon":
        if part.geom_type != "Polygon" or holes or len(part.interiors):
            raise LeftOut("a window's edge cuts a polygon in pieces")
        outline = shapely.get_coordinates(part.exterior)[:-1]
    else:
        found = shapely.get_coordinates(part)
        outline = corners_to_box(found).reshape(2, 2) if marked.kind == "box" else min_area_rect(found)
        if marked.kind == "box" and mask is not None and (box := mask.box_px) is not None:
            outline = box.reshape(2, 2) + shift
    return share, rebuilt(marked, outline - shift, keypoints, [], mask)


def rebuilt(marked: Marked, points: np.ndarray, keypoints: np.ndarray, holes: Sequence[np.ndarray], mask: Mask | None) -> Marked:  # fmt: skip  # noqa: E501
    """The region with other points, put in the order that its kind asks for."""
    if marked.kind == "obb":
        points = canonical_corners(points)
    elif marked.kind == "box":
        points = corners_to_box(points).reshape(2, 2)
    else:
        points = clockwise(points)
    return marked.model_copy(
        update={
            "points": as_xy(points),
            "keypoints": as_xy(keypoints),
            "holes": tuple(as_xy(clockwise(hole)) for hole in holes),
            "rle": None if mask is None else mask.to_rle(),
        }
    )


def ordered_as(record: Instruction, regions: Sequence[Marked]) -> tuple[Marked, ...]:
    """New regions in the order of reading where the record's own stood in it; else in the record's own order."""
    return in_reading_order(regions) if in_reading_order(record.regions) == record.regions else tuple(regions)


def _turned_mask(mask: Mask, turn: Turn, size_wh: tuple[int, int]) -> Mask:
    (x, y), (height, width) = mask.offset_xy, mask.crop.shape
    corners = turn.points(np.array([[x, y], [x + width, y + height]], dtype=np.float64), size_wh)
    left, top = corners.min(axis=0).astype(int).tolist()
    return Mask.from_array(turn.pixels(mask.crop), (left, top), turn.size(size_wh)[::-1])
