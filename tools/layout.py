"""Where and how large a list of regions is, as arrays: what every geometric rule reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import shapely

from ..core.geometry import polygon_area
from ..core.regions import FloatArray, Region

if TYPE_CHECKING:
    from ..core.scene import Scene

_POINT_LIKE = 1.5  # a box up to this aspect is taken as its centre, a longer one as a line along its middle


def gsd_xy_m(scene: Scene) -> tuple[float, float] | None:
    """Metres per pixel across and down; None when the scene's scale isn't known."""
    both = getattr(scene, "gsd_xy_m", None)
    if both is not None:
        return float(both[0]), float(both[1])
    return None if scene.gsd_m is None else (float(scene.gsd_m), float(scene.gsd_m))


class Layout:
    """Regions as arrays, in pixels or, with `scale_xy`, in metres (pixels need not be square).

    Args:
        regions: N regions, may be none.
        scale_xy: metres per pixel across and down; (1, 1) keeps pixels.
    """

    def __init__(self, regions: Sequence[Region], scale_xy: tuple[float, float] = (1.0, 1.0)) -> None:
        self.regions = tuple(regions)
        self.scale_xy = scale_xy

    def __len__(self) -> int:
        return len(self.regions)

    def scaled(self, scale_xy: tuple[float, float]) -> Layout:
        """The same regions on another scale."""
        if scale_xy == self.scale_xy:
            return self
        if scale_xy not in self.memo:
            self.memo[scale_xy] = Layout(self.regions, scale_xy)
        return self.memo[scale_xy]

    @cached_property
    def memo(self) -> dict[Any, Any]:
        """What rules found of these regions, by what was asked: regions never change."""
        return {}

    @cached_property
    def memo_with(self) -> WeakKeyDictionary[Layout, dict[str, Any]]:
        """What rules found of these regions and those of another layout."""
        return WeakKeyDictionary()

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Of the regions, in order."""
        return tuple(region.id for region in self.regions)

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Of the shapes."""
        return shapely.STRtree(self.shapes)

    @cached_property
    def corners(self) -> FloatArray:
        """(N, 4, 2) oriented boxes."""
        if not self.regions:
            return np.zeros((0, 4, 2))
        return np.array([region.corners_px for region in self.regions]) * np.array(self.scale_xy)

    @cached_property
    def _outlined(self) -> np.ndarray:
        return np.array([region.polygon_px is not None for region in self.regions], dtype=bool)

    @cached_property
    def centers(self) -> FloatArray:
        """(N, 2) centres of the oriented boxes."""
        return np.asarray(self.corners.mean(axis=1))

    @cached_property
    def boxes(self) -> FloatArray:
        """(N, 4) upright boxes round the outlines: x0, y0, x1, y1."""
        boxes = np.concatenate([self.corners.min(axis=1), self.corners.max(axis=1)], axis=1)
        scale = np.array(self.scale_xy)
        places, points, starts = self._rings
        if len(places):
            points = points * scale
            boxes[places, :2] = np.minimum.reduceat(points, starts, axis=0)
            boxes[places, 2:] = np.maximum.reduceat(points, starts, axis=0)
        return boxes

    @cached_property
    def _rings(self) -> tuple[np.ndarray, FloatArray, np.ndarray]:
        """Places of the outlined regions, all points of their rings in px, and where each ring starts."""
        places = np.flatnonzero(self._outlined)
        rings = [self.regions[place].outline_px for place in places.tolist()]
        lengths = np.array([len(ring) for ring in rings], dtype=np.int64)
        points = np.concatenate(rings) if rings else np.zeros((0, 2))
        return places, points, np.cumsum(lengths) - lengths

    @cached_property
    def shapes(self) -> np.ndarray:
        """(N,) shapely geometries of the outlines, all valid."""
        shapes = np.empty(len(self.regions), dtype=object)
        plain = ~self._outlined
        if plain.any():
            shapes[plain] = shapely.polygons(self.corners[plain])
        places, points, starts = self._rings
        points, lengths = points * np.array(self.scale_xy), np.diff(starts, append=len(points))
        for place, start in zip(places[lengths <= 2], starts[lengths <= 2], strict=True):
            ring = points[start : start + 2]
            shapes[place] = shapely.linestrings(np.vstack([ring, ring[:1]]))
        areal = lengths > 2
        if areal.any():
            number = np.repeat(np.cumsum(areal) - 1, lengths)
            within = np.repeat(areal, lengths)
            shapes[places[areal]] = shapely.polygons(shapely.linearrings(points[within], indices=number[within]))
        doubtful = np.flatnonzero(self._outlined | ~self._convex)
        invalid = doubtful[~shapely.is_valid(shapes[doubtful])]
        shapes[invalid] = shapely.make_valid(shapes[invalid])
        return shapes

    @cached_property
    def _convex(self) -> np.ndarray:
        """(N,) whether the four corners turn the same way: then their polygon is valid."""
        c = self.corners
        sides = c[:, [1, 2, 3, 0]] - c
        turns = cross(sides, sides[:, [1, 2, 3, 0]])
        return np.asarray((turns > 0).all(axis=1) | (turns < 0).all(axis=1))

    @cached_property
    def _sides(self) -> tuple[FloatArray, FloatArray]:
        """The two mean side vectors of each oriented box, (N, 2) each."""
        c = self.corners
        return (c[:, 1] - c[:, 0] + c[:, 2] - c[:, 3]) / 2, (c[:, 2] - c[:, 1] + c[:, 3] - c[:, 0]) / 2

    @cached_property
    def _spans(self) -> FloatArray:
        return np.stack([np.linalg.norm(side, axis=1) for side in self._sides], axis=1)

    @property
    def lengths(self) -> FloatArray:
        """(N,) long sides."""
        return np.asarray(self._spans.max(axis=1, initial=0.0))

    @property
    def widths(self) -> FloatArray:
        """(N,) short sides."""
        return np.asarray(self._spans.min(axis=1, initial=np.inf))

    @cached_property
    def aspects(self) -> FloatArray:
        """(N,) long side / short side; infinite for a line, 1 for a point."""
        long, short = self.lengths, self.widths
        return np.divide(long, short, out=np.where(long > 0, np.inf, 1.0), where=short > 0)

    @cached_property
    def axes(self) -> FloatArray:
        """(N, 2) unit vectors along the long sides; along x for a point."""
        first, second = self._sides
        spans = self._spans
        long = np.where((spans[:, 0] >= spans[:, 1])[:, None], first, second)
        norm = np.maximum(spans.max(axis=1, initial=0.0), np.finfo(float).tiny)[:, None]
        return np.where(norm > np.finfo(float).tiny, long / norm, np.array([1.0, 0.0]))

    @cached_property
    def areas(self) -> FloatArray:
        """(N,) areas: of the mask where there is one, else of the polygon, else of the oriented box."""
        factor = self.scale_xy[0] * self.scale_xy[1]
        return np.array([area_px2(region) for region in self.regions]).reshape(-1) * factor

    @cached_property
    def sizes(self) -> FloatArray:
        """(N,) sqrt of the oriented boxes' areas: the "length" of the rules that count in lengths of a region."""
        return np.sqrt(self.lengths * self.widths) if self.regions else np.zeros(0)

    @cached_property
    def perimeters(self) -> FloatArray:
        """(N,) lengths of the outlines."""
        scale = np.array(self.scale_xy)
        rings = [region.outline_px * scale for region in self.regions]
        return np.array([np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1).sum() for ring in rings]).reshape(-1)

    @cached_property
    def skeletons(self) -> FloatArray:
        """(N, 2, 2) the middle line of each oriented box: a point up to aspect 1.5, nearly the long side far above."""
        reach = np.maximum(0.0, self.lengths - _POINT_LIKE * self.widths)[:, None] / 2 * self.axes
        return np.stack([self.centers - reach, self.centers + reach], axis=1)

    def values(self, attribute: str) -> FloatArray:
        """(N,) of length, width, area, perimeter or aspect."""
        named: dict[str, Any] = {
            "length": lambda: self.lengths,
            "width": lambda: self.widths,
            "area": lambda: self.areas,
            "perimeter": lambda: self.perimeters,
            "aspect": lambda: self.aspects,
        }
        return np.asarray(named[attribute]())


def area_px2(region: Region) -> float:
    """Area in px2: of the mask where there is one, else of the polygon, else of the oriented box."""
    if region.mask is not None:
        return float(region.mask.area_px)
    return polygon_area(region.outline_px)


def nearest_points(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Where line segments come nearest to each other: (..., 2, 2) x (..., 2, 2) -> two (..., 2), broadcast.

    Segments that cross give the same point twice.
    """
    a, b = np.broadcast_arrays(a, b)
    options = []
    for end in (0, 1):
        options.append((a[..., end, :], nearest_point(b, a[..., end, :])))
        options.append((nearest_point(a, b[..., end, :]), b[..., end, :]))
    on_a, on_b = (np.stack([option[side] for option in options]) for side in (0, 1))
    best = np.argmin(((on_a - on_b) ** 2).sum(axis=-1), axis=0)[None, ..., None]
    on_a, on_b = (np.take_along_axis(side, best, axis=0)[0] for side in (on_a, on_b))
    along, other, start = a[..., 1, :] - a[..., 0, :], b[..., 1, :] - b[..., 0, :], b[..., 0, :] - a[..., 0, :]
    turn = cross(along, other)
    safe = np.where(turn == 0, 1.0, turn)
    t, s = cross(start, other) / safe, cross(start, along) / safe
    crossing = ((turn != 0) & (t >= 0) & (t <= 1) & (s >= 0) & (s <= 1))[..., None]
    meeting = a[..., 0, :] + t[..., None] * along
    return np.where(crossing, meeting, on_a), np.where(crossing, meeting, on_b)


def nearest_point(segment: FloatArray, point: FloatArray) -> FloatArray:
    """The point of a line segment (..., 2, 2) that is nearest to a point (..., 2): (..., 2), broadcast."""
    along = segment[..., 1, :] - segment[..., 0, :]
    square = (along**2).sum(axis=-1)
    t = ((point - segment[..., 0, :]) * along).sum(axis=-1) / np.where(square > 0, square, 1.0)
    return np.asarray(segment[..., 0, :] + np.clip(t, 0.0, 1.0)[..., None] * along)


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """The z component of the cross product of plane vectors (..., 2)."""
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
