"""Small free functions on points, upright boxes, oriented boxes and polygons.

Frame: full-scene pixels, float64, x right, y down, north up. An oriented box is its four corners, clockwise on screen,
first the top-most and among equals the left-most. No angle of a rectangle is ever stored: what OpenCV calls the angle
of a rectangle changed between its versions.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from .errors import UsageError
from .rotated_iou import as_quads, crossing_quads, overlapping_pairs, rotated_iou_matrix, rotated_iou_pairs

__all__ = [
    "box_iou_matrix",
    "box_to_corners",
    "canonical_corners",
    "corners_to_box",
    "farthest_points_in_polygon",
    "length_width_px",
    "long_axis_angle_deg",
    "min_area_rect",
    "nms",
    "polygon_area",
    "polygon_distance_px",
    "rotated_iou_matrix",
    "rotated_iou_pairs",
    "to_shapely",
]

PolygonLike: TypeAlias = np.ndarray | BaseGeometry
_SAME = 1e-9  # relative: differences below this are rounding


def canonical_corners(corners: np.ndarray) -> np.ndarray:
    """The same four corners, clockwise on screen, first the top-most and among equals the left-most.

    Args:
        corners: (4, 2) px, in order round the quadrilateral in either direction. When two sides cross, the corners are
            put in order round their mean.

    Returns:
        (4, 2) float64.

    Raises:
        UsageError: wrong shape or a coordinate that is not finite.

    Example:
        >>> canonical_corners(np.array([[4, 2], [4, 0], [0, 0], [0, 2]])).tolist()
        [[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]]
    """
    quad = as_quads(np.asarray(corners)[None], "corners")[0]
    if crossing_quads(quad[None])[0]:
        away = quad - quad.mean(axis=0)
        quad = quad[np.argsort(np.arctan2(away[:, 1], away[:, 0]), kind="stable")]
    if _signed_area(quad) < 0:
        quad = quad[::-1]
    tolerance = _SAME * max(1.0, float(np.ptp(quad, axis=0).max()))
    top = np.flatnonzero(quad[:, 1] <= quad[:, 1].min() + tolerance)
    return np.roll(quad, -int(top[np.argmin(quad[top, 0])]), axis=0)


def min_area_rect(points: np.ndarray) -> np.ndarray:
    """The rectangle of least area round the points, as canonical corners.

    One point gives four equal corners, points on one line a rectangle without width. Of rectangles with equal area the
    one nearest to upright is taken.

    Args:
        points: (N, 2) px, N >= 1, in any order.

    Returns:
        (4, 2) float64, canonical.

    Raises:
        UsageError: no points, wrong shape or a coordinate that is not finite.

    Example:
        >>> min_area_rect(np.array([[0, 0], [4, 0], [4, 2], [0, 2], [2, 1]])).tolist()
        [[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]]
    """
    xy = _as_points(points, "points", least=1)
    origin = xy[0]
    hull = shapely.get_coordinates(shapely.convex_hull(shapely.multipoints(xy - origin)))
    edges = np.diff(hull, axis=0)
    sides = np.linalg.norm(edges, axis=1)  # 0 for points nearer to each other than numbers can square
    edges, sides = edges[sides > 0], sides[sides > 0]
    if not len(edges):
        return np.repeat(hull[:1] + origin, 4, axis=0)
    axis = edges / sides[:, None]
    normal = np.stack([-axis[:, 1], axis[:, 0]], axis=1)
    along, across = axis @ hull.T, normal @ hull.T
    low_u, high_u, low_v, high_v = along.min(axis=1), along.max(axis=1), across.min(axis=1), across.max(axis=1)
    area = (high_u - low_u) * (high_v - low_v)
    tilt = np.abs(axis).min(axis=1)
    best = int(np.argmin(np.where(area <= area.min() * (1 + _SAME), tilt, np.inf)))
    u, v = axis[best], normal[best]
    ends_u = (low_u[best], high_u[best], high_u[best], low_u[best])
    ends_v = (low_v[best], low_v[best], high_v[best], high_v[best])
    return canonical_corners(origin + np.stack([s * u + t * v for s, t in zip(ends_u, ends_v, strict=True)]))


def box_to_corners(xyxy_px: np.ndarray) -> np.ndarray:
    """Upright boxes (..., 4) as x0, y0, x1, y1 -> canonical corners (..., 4, 2).

    Example:
        >>> box_to_corners([0, 0, 4, 2]).tolist()
        [[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]]
    """
    box = np.asarray(xyxy_px, dtype=np.float64)
    if box.shape[-1:] != (4,):
        raise UsageError(f"xyxy_px has shape {box.shape!r}, expected (..., 4): x0, y0, x1, y1")
    return np.stack([box[..., [0, 1]], box[..., [2, 1]], box[..., [2, 3]], box[..., [0, 3]]], axis=-2)


def corners_to_box(points: np.ndarray) -> np.ndarray:
    """Enclosing upright box x0, y0, x1, y1 of points (..., K, 2) -> (..., 4), K >= 1.

    Example:
        >>> corners_to_box([[2, 0], [4, 1], [2, 2], [0, 1]]).tolist()
        [0.0, 0.0, 4.0, 2.0]
    """
    xy = np.asarray(points, dtype=np.float64)
    if xy.ndim < 2 or xy.shape[-1] != 2 or xy.shape[-2] == 0:
        raise UsageError(f"points has shape {xy.shape!r}, expected (..., K, 2) with at least one point")
    return np.concatenate([xy.min(axis=-2), xy.max(axis=-2)], axis=-1)


def box_iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of upright boxes, (N, 4) x (M, 4) as x0, y0, x1, y1 -> (N, M) float64; a box without area has IoU 0.

    Areas are continuous: no "+1 pixel" (some benchmarks' scripts add it).

    Example:
        >>> box_iou_matrix([[0, 0, 2, 2]], [[1, 0, 3, 2], [5, 5, 6, 6]]).round(4).tolist()
        [[0.3333, 0.0]]
    """
    first, second = (np.asarray(x, dtype=np.float64).reshape(-1, 4) for x in (a, b))
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(axis=2)
    area_a, area_b = (np.clip(x[:, 2:] - x[:, :2], 0, None).prod(axis=1) for x in (first, second))
    union = area_a[:, None] + area_b[None] - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


def length_width_px(corners: np.ndarray) -> tuple[float, float]:
    """(long side, short side) of an oriented box in px; opposite sides are averaged.

    Example:
        >>> length_width_px([[0, 0], [2, 0], [2, 4], [0, 4]])
        (4.0, 2.0)
    """
    sides = _side_vectors(corners)
    first, second = (float(np.linalg.norm(side)) for side in sides)
    return max(first, second), min(first, second)


def long_axis_angle_deg(corners: np.ndarray) -> float:
    """Direction of the long side in [0, 180): 0 = east-west, 90 = north-south, counter-clockwise as seen on screen.

    So 45 rises to the right (south-west to north-east) and 135 falls to the right. A square has no long side: the one
    nearer to east-west is taken. An angle means little below an aspect of about 1.2.

    Example:
        >>> long_axis_angle_deg([[0, 0], [2, 0], [2, 4], [0, 4]])
        90.0
    """
    angles = []
    first, second = _side_vectors(corners)
    for x, y in (first, second):
        angle = float(np.degrees(np.arctan2(-y, x))) % 180.0
        angles.append(0.0 if angle >= 180.0 - 1e-12 else angle)
    length, width = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if abs(length - width) <= _SAME * max(length, width):
        return min(angles, key=lambda angle: min(angle, 180.0 - angle))
    return angles[0] if length > width else angles[1]


def polygon_area(points: np.ndarray) -> float:
    """Area of a ring (N, 2), open or closed, either direction; 0 below three points.

    Example:
        >>> polygon_area([[0, 0], [4, 0], [4, 2], [0, 2]])
        8.0
    """
    return abs(_signed_area(_as_points(points, "points", least=0)))


def polygon_distance_px(a: PolygonLike, b: PolygonLike) -> float:
    """Least distance between two polygons in px; 0 when they touch, overlap or one holds the other.

    Example:
        >>> polygon_distance_px(box_to_corners([0, 0, 1, 1]), box_to_corners([4, 5, 6, 6]))
        5.0
    """
    return float(shapely.distance(to_shapely(a), to_shapely(b)))


def to_shapely(polygon: PolygonLike) -> BaseGeometry:
    """A valid shapely geometry of a ring (N, 2), open or closed; shapely input is only made valid.

    One point gives a Point, two or collinear points a LineString, a ring that crosses itself what `make_valid` makes
    of it.

    Raises:
        UsageError: no points, wrong shape or a coordinate that is not finite.
    """
    if isinstance(polygon, BaseGeometry):
        return polygon if polygon.is_valid else shapely.make_valid(polygon)
    ring = _as_points(polygon, "polygon", least=1)
    if len(ring) > 1 and (ring[0] == ring[-1]).all():
        ring = ring[:-1]
    if len(ring) == 1 or not np.ptp(ring, axis=0).any():
        return shapely.Point(ring[0])
    if len(ring) == 2:
        return shapely.LineString(ring)
    shape = shapely.Polygon(ring)
    return shape if shape.is_valid else shapely.make_valid(shape)


def farthest_points_in_polygon(polygon: PolygonLike, k: int) -> np.ndarray:
    """Up to `k` interior points that stand for a polygon, far from its edge and from each other.

    The first is the pole of inaccessibility (centre of the largest inscribed circle; of nearly equal ones the one
    nearest to the centroid); the others are chosen by farthest point sampling among interior points at least half as
    deep. They are the key points of box + key-point prompts (GeoRSMLLM section III-A gives no rule, this one is ours).

    Args:
        polygon: (N, 2) ring or shapely geometry, px, any size.
        k: how many points, >= 1.

    Returns:
        (k, 2) float64; fewer rows only when the polygon has no area (then one point on it).

    Raises:
        UsageError: k < 1 or a polygon without points.
    """
    if k < 1:
        raise UsageError(f"k is {k!r}, expected at least 1 point")
    whole = to_shapely(polygon)
    shape = _largest_polygon(whole)
    if shape is None:
        return shapely.get_coordinates(shapely.point_on_surface(whole))[:1]
    radius_line = shapely.get_coordinates(shapely.maximum_inscribed_circle(shape))
    pole, depth = radius_line[0], float(np.linalg.norm(radius_line[0] - radius_line[1]))
    candidates = _grid_inside(shape, max(k, 16))
    depths = shapely.distance(shapely.points(candidates), shape.boundary)
    centroid = shapely.get_coordinates(shape.centroid)[0]
    poles = np.vstack([pole, candidates[depths >= 0.9 * depth]])
    pole = poles[int(np.argmin(np.linalg.norm(poles - centroid, axis=1)))]
    deep = depths >= 0.5 * depth
    candidates = candidates[deep] if deep.sum() >= k else candidates
    chosen = [pole]
    gap = np.linalg.norm(candidates - pole, axis=1)
    while len(chosen) < k:
        chosen.append(candidates[int(np.argmax(gap))])
        gap = np.minimum(gap, np.linalg.norm(candidates - chosen[-1], axis=1))
    return np.stack(chosen)


def nms(corners: np.ndarray, scores: np.ndarray, iou: float) -> np.ndarray:
    """Indices kept by greedy non-maximum suppression on rotated IoU, best score first.

    Args:
        corners: (N, 4, 2) oriented boxes, px; may be empty.
        scores: (N,) floats; equal scores keep the order of the input.
        iou: a box is dropped when its IoU with a kept box is above this.

    Returns:
        (K,) int64 indices into the input.

    Raises:
        UsageError: shapes that do not fit or a score that is NaN.
    """
    quads, values = as_quads(corners, "corners"), np.asarray(scores, dtype=np.float64).reshape(-1)
    if len(quads) != len(values) or np.isnan(values).any():
        raise UsageError(
            f"nms got {len(quads)} boxes and {len(values)} scores; expected one score, not NaN, for each box"
        )
    order = np.argsort(-values, kind="stable")
    if len(quads) < 2:
        return order
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    first, second = overlapping_pairs(quads, quads)
    forward = rank[first] < rank[second]
    first, second = first[forward], second[forward]
    close = rotated_iou_pairs(quads[first], quads[second]) > iou
    first, second = rank[first[close]], rank[second[close]]
    by_first = np.argsort(first, kind="stable")
    bounds = np.searchsorted(first[by_first], np.arange(len(order) + 1))
    second = second[by_first]
    keep = np.ones(len(order), dtype=bool)
    for i in range(len(order)):
        if keep[i]:
            keep[second[bounds[i] : bounds[i + 1]]] = False
    return order[keep]


def _signed_area(ring: np.ndarray) -> float:
    """Shoelace area, positive when the ring runs clockwise on screen."""
    if len(ring) < 3:
        return 0.0
    x, y = (ring - ring[0]).T
    after_x, after_y = np.concatenate((x[1:], x[:1])), np.concatenate((y[1:], y[:1]))
    return 0.5 * float(np.dot(x, after_y) - np.dot(after_x, y))


def _as_points(points: np.ndarray, name: str, least: int) -> np.ndarray:
    xy = np.asarray(points, dtype=np.float64)
    if xy.size == 0:
        xy = np.zeros((0, 2))
    if xy.ndim != 2 or xy.shape[1] != 2 or len(xy) < least:
        raise UsageError(f"{name} has shape {xy.shape!r}, expected (N, 2) with N >= {least}")
    if not np.isfinite(xy).all():
        raise UsageError(f"{name} holds a coordinate that is NaN or infinite; drop it first")
    return xy


def _side_vectors(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two mean side vectors of an oriented box."""
    quad = as_quads(np.asarray(corners)[None], "corners")[0]
    return ((quad[1] - quad[0]) + (quad[2] - quad[3])) / 2, ((quad[2] - quad[1]) + (quad[3] - quad[0])) / 2


def _largest_polygon(shape: BaseGeometry) -> shapely.Polygon | None:
    """The largest polygon of a geometry; None when there is none with area."""
    parts = [part for part in shapely.get_parts(shape) if isinstance(part, shapely.Polygon) and part.area > _SAME]
    return max(parts, key=lambda part: part.area, default=None)


def _grid_inside(shape: shapely.Polygon, least: int) -> np.ndarray:
    """Points inside the polygon on a grid along its oriented box, which is refined until there are `least` of them."""
    rect = min_area_rect(shapely.get_coordinates(shape))
    side_u, side_v = rect[1] - rect[0], rect[3] - rect[0]
    lengths = np.array([np.linalg.norm(side_u), np.linalg.norm(side_v)])
    across = 8
    while True:
        spacing = max(lengths.min() / across, lengths.max() / (12 * across))
        counts = np.ceil(lengths / spacing).astype(int) | 1  # odd, so that one row runs along the middle
        u, v = np.meshgrid(*((np.arange(n) + 0.5) / n for n in counts))
        grid = rect[0] + u.reshape(-1, 1) * side_u + v.reshape(-1, 1) * side_v
        inside = grid[shapely.contains_xy(shape, grid)]
        if len(inside) >= least:
            return inside
        if across >= 512:
            return np.vstack([inside, shapely.get_coordinates(shapely.point_on_surface(shape))])
        across *= 2
