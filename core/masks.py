"""Masks of single objects: a cropped boolean array, where it lies, and how large the scene is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import shapely
from pycocotools import mask as coco_mask

from .errors import UsageError
from .geometry import PolygonLike
from .outlines import outlines
from .rle import counts_from_rle, crop_from_counts, rle_of_crop


@dataclass(frozen=True, eq=False)
class Mask:
    """Pixels of one object in a scene. Immutable; build it with one of the `from_` functions.

    Attributes:
        crop: (h, w) bool, read-only, as tight as can be: no empty outer row or column; (0, 0) when the mask is empty.
        offset_xy: column and row of the crop's first pixel in the scene; (0, 0) when the mask is empty.
        shape_hw: height and width of the scene.
    """

    crop: np.ndarray
    offset_xy: tuple[int, int]
    shape_hw: tuple[int, int]

    @classmethod
    def from_array(
        cls, pixels: np.ndarray, offset_xy: tuple[int, int] = (0, 0), shape_hw: tuple[int, int] | None = None
    ) -> Mask:
        """The mask of the non-zero pixels.

        Args:
            pixels: (h, w) bool or number: the whole scene or a part of it.
            offset_xy: column and row of the part's first pixel; parts outside the scene are cut off.
            shape_hw: size of the scene; by default that of `pixels`.

        Raises:
            UsageError: `pixels` is not two-dimensional.

        Example:
            >>> Mask.from_array(np.eye(3), offset_xy=(4, 5), shape_hw=(100, 100)).box_px.tolist()
            [4.0, 5.0, 7.0, 8.0]
        """
        part = np.asarray(pixels)
        if part.ndim != 2:
            raise UsageError(f"a mask has shape {part.shape!r}, expected (height, width)")
        height, width = (int(v) for v in (part.shape if shape_hw is None else shape_hw))
        x0, y0 = (int(v) for v in offset_xy)
        part = part[max(0, -y0) : max(0, height - y0), max(0, -x0) : max(0, width - x0)]
        x0, y0 = max(0, x0), max(0, y0)
        part = part if part.dtype == bool else part != 0
        left, top, across, down = cv2.boundingRect(part.view(np.uint8)) if part.size else (0, 0, 0, 0)
        if not across:
            return cls(_frozen(np.zeros((0, 0), dtype=bool)), (0, 0), (height, width))
        crop = part[top : top + down, left : left + across]
        return cls(_frozen(crop), (x0 + left, y0 + top), (height, width))

    @classmethod
    def from_polygon(cls, polygon: PolygonLike | Sequence[np.ndarray], shape_hw: tuple[int, int]) -> Mask:
        """The pixels whose centre lies in the polygon (even-odd rule), exactly.

        `cv2.fillPoly` also sets every pixel that the outline touches, which adds half a pixel all round (a third of the
        area of a 5 px object); this fills by centres, so masks of adjoining polygons neither overlap nor leave a gap.

        Args:
            polygon: ring (N, 2) px, open or closed; a sequence of rings, of which inner ones are holes; or a shapely
                Polygon or MultiPolygon. May reach beyond the scene. Fewer than three points give an empty mask.
            shape_hw: size of the scene.

        Example:
            >>> Mask.from_polygon(np.array([[1, 1], [4, 1], [4, 3], [1, 3]]), (10, 10)).area_px
            6
        """
        height, width = (int(v) for v in shape_hw)
        start, stop = _edges(polygon)
        if len(start) == 0:
            return cls.from_array(np.zeros((0, 0)), shape_hw=(height, width))
        both = np.concatenate([start, stop])
        x0, y0 = np.clip(np.floor(both.min(axis=0)), 0, (width, height)).astype(int)
        x1, y1 = np.clip(np.ceil(both.max(axis=0)), 0, (width, height)).astype(int)
        return cls.from_array(_fill(start, stop, (x0, y0, x1, y1)), (int(x0), int(y0)), (height, width))

    @classmethod
    def from_rle(cls, rle: Mapping[str, Any]) -> Mask:
        """The mask of a COCO run-length encoding (compressed text, bytes, or a list of counts).

        Only the object's columns are unpacked, so a small object in a huge scene is cheap.

        Raises:
            UsageError: no `size` or `counts`, or counts that do not fill the size.
        """
        counts, (height, width) = counts_from_rle(rle)
        crop, offset_xy = crop_from_counts(counts, height)
        return cls.from_array(crop, offset_xy, (height, width))

    @property
    def area_px(self) -> int:
        """How many pixels are set."""
        return int(np.count_nonzero(self.crop))

    @property
    def box_px(self) -> np.ndarray | None:
        """(4,) x0, y0, x1, y1 round the outer edges of the pixels; None when the mask is empty."""
        if self.crop.size == 0:
            return None
        (x0, y0), (h, w) = self.offset_xy, self.crop.shape
        return np.array([x0, y0, x0 + w, y0 + h], dtype=np.float64)

    def to_array(self) -> np.ndarray:
        """(height, width) bool of the whole scene. Large scenes make this large: prefer `crop`."""
        full = np.zeros(self.shape_hw, dtype=bool)
        (x0, y0), (h, w) = self.offset_xy, self.crop.shape
        full[y0 : y0 + h, x0 : x0 + w] = self.crop
        return full

    def to_polygons(self) -> list[shapely.Polygon]:
        """Outlines along the edges of the pixels, one polygon for each 4-connected part, holes kept, largest first.

        They are valid and exact: their area is the pixel count, and `from_polygon` of them gives the mask back.
        Full-scene px; empty list for an empty mask.
        """
        offset = np.array(self.offset_xy, dtype=np.float64)
        shapes = []
        for shell, holes in outlines(self.crop):
            shapes.append(shapely.Polygon(shell + offset, [hole + offset for hole in holes]))
        return sorted(shapes, key=lambda shape: -shape.area) if len(shapes) > 1 else shapes

    def to_rle(self) -> dict[str, Any]:
        """COCO's compressed run-length encoding: {"size": [height, width] of the scene, "counts": text}.

        Ready for JSON and for pycocotools.
        """
        height, width = self.shape_hw
        if self.crop.size * 4 >= height * width:
            full = np.zeros(self.shape_hw, dtype=np.uint8)
            (x0, y0), (h, w) = self.offset_xy, self.crop.shape
            full[y0 : y0 + h, x0 : x0 + w] = self.crop
            # column order is what pycocotools wants; cv2.transpose is many times faster than np.asfortranarray
            counts = coco_mask.encode(cv2.transpose(full).T)["counts"] if full.size else b""
        else:
            counts = rle_of_crop(self.crop, self.offset_xy, self.shape_hw)
        return {"size": [height, width], "counts": counts.decode("ascii")}

    def intersection_px(self, other: Mask) -> int:
        """How many pixels both masks set.

        Raises:
            UsageError: the masks belong to scenes of different size.
        """
        self._check_same_scene(other)
        (ax, ay), (bx, by) = self.offset_xy, other.offset_xy
        x0, y0 = max(ax, bx), max(ay, by)
        x1 = min(ax + self.crop.shape[1], bx + other.crop.shape[1])
        y1 = min(ay + self.crop.shape[0], by + other.crop.shape[0])
        if x1 <= x0 or y1 <= y0:
            return 0
        mine = self.crop[y0 - ay : y1 - ay, x0 - ax : x1 - ax]
        return int(np.count_nonzero(mine & other.crop[y0 - by : y1 - by, x0 - bx : x1 - bx]))

    def iou(self, other: Mask) -> float:
        """Intersection over union in [0, 1]; two empty masks have 0 (a scorer that wants 1 must say so itself)."""
        inter = self.intersection_px(other)
        union = self.area_px + other.area_px - inter
        return inter / union if union else 0.0

    def union(self, other: Mask) -> Mask:
        """The pixels that either mask sets.

        Raises:
            UsageError: the masks belong to scenes of different size.
        """
        self._check_same_scene(other)
        if other.crop.size == 0:
            return self
        if self.crop.size == 0:
            return other
        boxes = [
            (*m.offset_xy, m.offset_xy[0] + m.crop.shape[1], m.offset_xy[1] + m.crop.shape[0]) for m in (self, other)
        ]
        x0, y0 = (min(box[i] for box in boxes) for i in (0, 1))
        x1, y1 = (max(box[i] for box in boxes) for i in (2, 3))
        canvas = np.zeros((y1 - y0, x1 - x0), dtype=bool)
        for mask, (left, top, right, bottom) in zip((self, other), boxes, strict=True):
            canvas[top - y0 : bottom - y0, left - x0 : right - x0] |= mask.crop
        return Mask(_frozen(canvas), (x0, y0), self.shape_hw)

    def clipped(self, xyxy: Sequence[float]) -> Mask:
        """The pixels whose centre lies in a box: x0 <= x < x1, y0 <= y < y1.

        Args:
            xyxy: x0, y0, x1, y1 in scene px; may reach beyond the scene.

        Example:
            >>> Mask.from_array(np.ones((4, 6))).clipped((1, 1, 3.4, 9)).box_px.tolist()
            [1.0, 1.0, 3.0, 4.0]
        """
        left, top = self.offset_xy
        x0, y0, x1, y1 = (math.ceil(side - 0.5) for side in xyxy)
        columns = slice(max(0, x0 - left), max(0, x1 - left))
        rows = slice(max(0, y0 - top), max(0, y1 - top))
        return Mask.from_array(self.crop[rows, columns], (left + columns.start, top + rows.start), self.shape_hw)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        same_place = self.offset_xy == other.offset_xy and self.shape_hw == other.shape_hw
        return same_place and np.array_equal(self.crop, other.crop)

    def __hash__(self) -> int:
        return hash((self.offset_xy, self.shape_hw, self.crop.shape, self.crop.tobytes()))

    def _check_same_scene(self, other: Mask) -> None:
        if self.shape_hw != other.shape_hw:
            raise UsageError(
                f"masks of scenes {self.shape_hw!r} and {other.shape_hw!r} (height, width) cannot be combined"
            )


def _frozen(crop: np.ndarray) -> np.ndarray:
    own = crop.copy()
    own.setflags(write=False)
    return own


def _edges(polygon: PolygonLike | Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """All edges of all rings: their (E, 2) starts and stops."""
    if isinstance(polygon, shapely.geometry.base.BaseGeometry):
        parts = shapely.get_parts(polygon)
        of_rings = shapely.get_rings(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])
        rings = [shapely.get_coordinates(ring) for ring in of_rings]
    elif isinstance(polygon, np.ndarray) or not len(polygon) or np.ndim(polygon[0]) == 1:
        rings = [np.asarray(polygon, dtype=np.float64)]
    else:
        rings = [np.asarray(ring, dtype=np.float64) for ring in polygon]
    rings = [ring for ring in rings if ring.size]
    for ring in rings:
        if ring.ndim != 2 or ring.shape[1] != 2 or not np.isfinite(ring).all():
            raise UsageError(f"a polygon ring has shape {ring.shape!r}, expected finite numbers of shape (N, 2)")
    if not rings:
        return np.zeros((0, 2)), np.zeros((0, 2))
    return np.concatenate(rings), np.concatenate([part for ring in rings for part in (ring[1:], ring[:1])])


def _fill(start: np.ndarray, stop: np.ndarray, window_xyxy: tuple[int, int, int, int]) -> np.ndarray:
    """Even-odd fill of the window's pixel centres: each edge flips all pixels to the right of it, row by row."""
    x0, y0, x1, y1 = window_xyxy
    flips = np.zeros((y1 - y0, x1 - x0 + 1), dtype=np.uint8)
    if x1 <= x0 or y1 <= y0:
        return flips[:, :-1] != 0
    row, column, _ = _crossed(start, stop, (x0, x1), (y0, y1))
    np.add.at(flips, (row - y0, column - x0), 1)
    return (np.add.accumulate(flips[:, :-1], axis=1, dtype=np.uint8) & 1).view(bool)


def _crossed(
    start: np.ndarray, stop: np.ndarray, across: tuple[Any, Any], down: tuple[Any, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows whose centres the edges cross, the first column to the right of each crossing, and the edge's number.

    `across` and `down` are the first and the last column and row + 1 that count, of all edges or (E,) of each.
    """
    falls = (start[:, 1] <= stop[:, 1])[:, None]
    upper, lower = np.where(falls, start, stop), np.where(falls, stop, start)
    first, last = (
        np.minimum(np.maximum(np.ceil(ends[:, 1] - 0.5), down[0]), down[1]).astype(np.int64) for ends in (upper, lower)
    )
    count = last - first  # rows whose centre is in [upper y, lower y)
    edge = np.repeat(np.arange(len(count)), count)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    drop = np.maximum(lower[:, 1] - upper[:, 1], np.finfo(float).tiny)
    share = (row + 0.5 - upper[edge, 1]) / drop[edge]
    x = upper[edge, 0] + share * (lower[edge, 0] - upper[edge, 0])
    left, right = (side if np.ndim(side) == 0 else side[edge] for side in across)
    column = np.minimum(np.maximum(np.ceil(x - 0.5), left), right).astype(np.int64)
    return row, column, edge


def masks_from_polygons(polygons: Sequence[shapely.Polygon], shape_hw: tuple[int, int]) -> list[Mask]:
    """What `Mask.from_polygon` gives for each polygon, in far fewer calls; for many small ones.

    All are drawn into one tall picture, one below the other, as wide as the widest.

    Example:
        >>> squares = [shapely.box(1, 1, 4, 3), shapely.box(7, 0, 9, 1)]
        >>> [mask.area_px for mask in masks_from_polygons(squares, (10, 10))]
        [6, 2]
    """
    if not len(polygons):
        return []
    rings, owners = shapely.get_rings(np.array(polygons, dtype=object), return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    ends = np.flatnonzero(np.diff(ring, append=-1))  # the last point of a ring is its first
    starts = np.append(0, ends[:-1] + 1)
    start, stop, owner = (
        np.delete(points, ends, axis=0),
        np.delete(points, starts, axis=0),
        np.delete(owners[ring], ends),
    )
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    size_wh = (shape_hw[1], shape_hw[0])
    low = np.clip(np.floor(np.minimum.reduceat(start, begins, axis=0)), 0, size_wh).astype(np.int64)
    high = np.clip(np.ceil(np.maximum.reduceat(start, begins, axis=0)), 0, size_wh).astype(np.int64)
    rows, columns = high[:, 1] - low[:, 1], high[:, 0] - low[:, 0]
    tops = np.cumsum(rows) - rows
    row, column, edge = _crossed(start, stop, (low[owner, 0], high[owner, 0]), (low[owner, 1], high[owner, 1]))
    of = owner[edge]
    flips = np.zeros((int(rows.sum()), int(columns.max()) + 1), dtype=np.uint8)
    np.add.at(flips, (row - low[of, 1] + tops[of], column - low[of, 0]), 1)
    filled = (np.add.accumulate(flips, axis=1, dtype=np.uint8) & 1).view(bool)
    return [
        Mask.from_array(filled[top : top + height, :width], (x0, y0), shape_hw)
        for (x0, y0), top, height, width in zip(
            low.tolist(), tops.tolist(), rows.tolist(), columns.tolist(), strict=True
        )
    ]
