"""Regions of records from what is annotated: oriented boxes, boxes with key points, closed polygons.

Key points follow FORMATS section 3.5: the deepest pixel first (the maximum of the medial axis), then farthest point
sampling among the pixels at least half as deep. Polygons run along pixel edges, clockwise on screen, are thinned by
Ramer-Douglas-Peucker as long as what the *text* says (rounded to its grid) keeps an IoU of 0.95 with the pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ...core.codec import PointCodec
from ...core.geometry import corners_to_box
from ...core.masks import Mask
from ..records.points import as_xy, clockwise
from ..records.record import Marked
from ..records.windows import XYXY, Seen

LEAST_IOU = 0.95
LEAST_AREA_PX = 16
"""A smaller patch of a mask is a speck of its drawing, as long as it is less than `SPECK` of the mask."""
SPECK = 0.02
HOLE = 0.05
"""A hole that takes up a larger share of its polygon matters."""
_STEPS = PointCodec().steps


class NotTold(Exception):
    """Something that cannot be told as points; the text is the reason, as it is counted.

    Attributes:
        is_fine: a smaller window, whose grid is finer, may tell it.
    """

    def __init__(self, reason: str, is_fine: bool = False) -> None:
        super().__init__(reason)
        self.is_fine = is_fine


def oriented(seen: Seen, window: XYXY) -> Marked:
    """Its oriented box, px of the window."""
    return Marked(
        kind="obb",
        points=as_xy(seen.corners - window[:2]),
        rle=None if seen.mask is None else seen.mask.to_rle(),
        label=seen.thing.label or None,
        is_upright=seen.is_upright,
    )


def boxed_with_points(seen: Seen, window: XYXY, count: int) -> Marked:
    """Its upright box with key points inside it, px of the window."""
    if seen.mask is not None:
        return box_of_mask(seen.mask, count, seen.thing.label)
    x0, y0, x1, y1 = window
    parts = [ring - (x0, y0) for ring in _rings(seen.outline)]
    mask = Mask.from_polygon(parts, (y1 - y0, x1 - x0))
    if not mask.area_px:
        raise NotTold("outline round no pixel's centre", is_fine=True)
    box = corners_to_box(np.concatenate(parts)).reshape(2, 2)
    return box_of_mask(mask, count, seen.thing.label).model_copy(update={"points": as_xy(box)})


def box_of_mask(mask: Mask, count: int, label: str = "") -> Marked:
    """The box round a mask with key points inside it; the mask has pixels."""
    box = mask.box_px
    if box is None:
        raise NotTold("mask without pixels")
    points = key_points(mask, count)
    return Marked(
        kind="box", points=as_xy(box.reshape(2, 2)), keypoints=as_xy(points), rle=mask.to_rle(), label=label or None
    )


def key_points(mask: Mask, count: int) -> np.ndarray:
    """Up to `count` pixel centres of a mask that stand for it, far from its edge and from each other.

    Args:
        mask: with pixels.
        count: how many; a mask of fewer pixels gives fewer.

    Returns:
        (K, 2) px, the deepest first (of equally deep ones the one nearest to the middle of the mask).

    Example:
        >>> key_points(Mask.from_array(np.ones((3, 9))), 3).tolist()
        [[4.5, 1.5], [1.5, 1.5], [7.5, 1.5]]
    """
    padded = np.pad(mask.crop.astype(np.uint8), 1)
    away = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    depth = np.rint(away.astype(np.float64) ** 2)  # squares are whole; the root's last digit differs from run to run
    y, x = np.nonzero(depth >= 0.25 * depth.max())
    deep, points = depth[y, x], np.stack([x, y], axis=1) + 0.5
    rows, columns = np.nonzero(mask.crop)
    middle = np.array([columns.mean(), rows.mean()]) + 0.5
    poles = np.flatnonzero(deep >= 0.95**2 * deep.max())
    first = int(poles[np.argmin(_squared(points[poles] - middle))])
    chosen, gap = [first], _squared(points - points[first])
    while len(chosen) < count and gap.max() > 0:
        chosen.append(int(np.argmax(gap)))
        gap = np.minimum(gap, _squared(points - points[chosen[-1]]))
    return points[chosen] + np.array(mask.offset_xy, dtype=np.float64)


def _squared(vectors: np.ndarray) -> np.ndarray:
    """Their squared lengths."""
    return (vectors**2).sum(axis=1)


def is_speck(area: float, mask: Mask) -> bool:
    """Whether a part of a mask is so small that it is a speck of its drawing."""
    return area < LEAST_AREA_PX and area < SPECK * mask.area_px


def patches(mask: Mask) -> tuple[list[Mask], int]:
    """The 8-connected parts of a mask in reading order, without specks, and how many specks there were."""
    if not mask.area_px:
        return [], 0
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.crop.astype(np.uint8), connectivity=8)
    kept, specks = [], 0
    for number, (x, y, width, height, area) in enumerate(stats.tolist()[1:], start=1):
        if is_speck(area, mask):
            specks += 1
            continue
        part = labels[y : y + height, x : x + width] == number
        kept.append(Mask.from_array(part, (mask.offset_xy[0] + x, mask.offset_xy[1] + y), mask.shape_hw))
    return kept, specks


@dataclass(frozen=True)
class Outlined:
    """A mask as closed polygons.

    Attributes:
        regions: one polygon each, largest first.
        iou: of what the text says of them with the mask, whose small holes are filled.
        points: of all of them.
    """

    regions: tuple[Marked, ...]
    iou: float
    points: int


def outlined(mask: Mask, label: str, holes: str = "drop", epsilon_px: float = 1.0) -> Outlined:
    """The polygons of a mask, as thin as the text allows.

    Args:
        mask: px of the window; nothing in it gives no polygons.
        label: of the regions.
        holes: "drop" refuses a mask with a hole that matters, "outer" tells the outer ring and keeps the hole in
            `Marked.holes`.
        epsilon_px: how far thinned outlines may lie from the pixels' edges; halved where they are not near enough.

    Raises:
        NotTold: a hole that matters, or no polygon on the dialect's grid is as near to the pixels as it must be.
    """
    shapes = [shape for shape in mask.to_polygons() if not is_speck(shape.area, mask)]
    shapes.sort(key=lambda shape: (-shape.area, shape.bounds))
    for shape in shapes:
        if holes == "drop" and any(shapely.Polygon(ring).area > HOLE * _filled(shape).area for ring in shape.interiors):
            raise NotTold("polygon with a hole that matters")
    if not shapes:
        return Outlined((), 1.0, 0)
    truth = Mask.from_polygon(shapely.MultiPolygon([_filled(shape) for shape in _united(shapes)]), mask.shape_hw)
    truth = truth.union(mask)
    for epsilon in (epsilon_px, epsilon_px / 2, 0.0):
        rings = [ring for shape in shapes if (ring := _thinned(shape, epsilon)) is not None]
        iou = _as_text(rings, mask.shape_hw).iou(truth)
        if iou >= LEAST_IOU and len(rings) == len(shapes):
            regions = tuple(_polygon(ring, shape, label) for ring, shape in zip(rings, shapes, strict=True))
            return Outlined(regions, iou, sum(map(len, rings)))
    raise NotTold(f"polygons of an IoU below {LEAST_IOU:g} with their pixels", is_fine=True)


def _polygon(ring: np.ndarray, shape: shapely.Polygon, label: str) -> Marked:
    holes = tuple(as_xy(np.asarray(hole.coords)[:-1]) for hole in shape.interiors)
    return Marked(kind="polygon", points=as_xy(ring), holes=holes, label=label or None)


def _united(shapes: Sequence[shapely.Polygon]) -> Sequence[shapely.Polygon]:
    """Polygons that lie in the hole of another are part of what fills it."""
    outer = shapely.union_all([_filled(shape) for shape in shapes])
    return list(getattr(outer, "geoms", [outer]))


def _filled(shape: shapely.Polygon) -> shapely.Polygon:
    return shapely.Polygon(shape.exterior)


def _thinned(shape: shapely.Polygon, epsilon: float) -> np.ndarray | None:
    """The outer ring, open, clockwise on screen from its top-most, then left-most point; None where nothing is left."""
    ring = shapely.get_coordinates(shape.exterior.simplify(epsilon) if epsilon else shape.exterior)[:-1]
    if len(ring) < 3:
        return None
    return clockwise(ring)


def _as_text(rings: Sequence[np.ndarray], shape_hw: tuple[int, int]) -> Mask:
    """The pixels of what the text says of the rings: their points go to the grid and back."""
    found = Mask.from_array(np.zeros((0, 0)), shape_hw=shape_hw)
    scale = np.array(shape_hw[::-1]) / _STEPS
    for ring in rings:
        found = found.union(Mask.from_polygon(np.floor(ring / scale + 0.5) * scale, shape_hw))
    return found


def _rings(outline: BaseGeometry) -> list[np.ndarray]:
    return [shapely.get_coordinates(ring)[:-1] for ring in shapely.get_rings(shapely.get_parts(outline))]
