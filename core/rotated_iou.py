"""Exact IoU of convex quadrilaterals (oriented boxes), vectorised over pairs.

Each edge of `a` is cut by the four half-planes of `b` (Cyrus-Beck); the end points that survive and the corners of `b`
that lie in `a` are the corners of the intersection, and sorting them round their mean gives its area. Every decision
that rounding could flip has a tolerance and only adds or drops a point next to another one, so the area never jumps:
identical, touching and nearly parallel boxes are safe. Coordinates are moved to a corner of the pair first, so scenes
of 1e5 px lose no digits.
"""

from __future__ import annotations

import numpy as np
import shapely

from .errors import UsageError

_CHUNK_PAIRS = 2048  # keeps the working set of one chunk in the second-level cache
_ON_THE_LINE = 1e-14  # of the pair's extent: nearer to a side than this is on it
_NO_OVERLAP = 1e-10  # an intersection below this share of the smaller area is rounding, not overlap
_MIN_AREA_PX2 = 1e-9
_PREFILTER_CELLS = 4_000_000
_NEXT = [1, 2, 3, 0]


def rotated_iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of every oriented box in `a` with every one in `b`.

    Args:
        a: (N, 4, 2) corners in order round the box, either direction, px; may be empty.
        b: (M, 4, 2) likewise, same frame.

    Returns:
        (N, M) float64 in [0, 1]. A box with (almost) no area has IoU 0 with everything. A quadrilateral that is not
        convex is measured exactly as the polygon it is; one whose sides cross counts as its convex hull.

    Raises:
        UsageError: wrong shape or a coordinate that is not finite.

    Example:
        >>> square = np.array([[[0, 0], [2, 0], [2, 2], [0, 2]]], dtype=float)
        >>> rotated_iou_matrix(square, square + [1, 0]).round(4).tolist()
        [[0.3333]]
    """
    quads_a, quads_b = as_quads(a, "a"), as_quads(b, "b")
    matrix = np.zeros((len(quads_a), len(quads_b)))
    if matrix.size == 0:
        return matrix
    rows, columns = overlapping_pairs(quads_a, quads_b)
    matrix[rows, columns] = _iou_of_pairs(_prepare(quads_a), _prepare(quads_b), rows, columns)
    return matrix


def rotated_iou_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of `a[i]` with `b[i]`: (P, 4, 2) and (P, 4, 2) -> (P,) float64; same rules as `rotated_iou_matrix`."""
    quads_a, quads_b = as_quads(a, "a"), as_quads(b, "b")
    if len(quads_a) != len(quads_b):
        raise UsageError(f"rotated_iou_pairs got {len(quads_a)} and {len(quads_b)} boxes, expected as many of each")
    index = np.arange(len(quads_a))
    return _iou_of_pairs(_prepare(quads_a), _prepare(quads_b), index, index)


def as_quads(corners: np.ndarray, name: str) -> np.ndarray:
    """`corners` as a finite float64 (N, 4, 2) array; an empty input of any shape becomes (0, 4, 2)."""
    quads = np.asarray(corners, dtype=np.float64)
    if quads.size == 0:
        return np.zeros((0, 4, 2))
    if quads.ndim != 3 or quads.shape[1:] != (4, 2):
        raise UsageError(f"{name} has shape {quads.shape!r}, expected (N, 4, 2): one oriented box a row")
    if not np.isfinite(quads).all():
        raise UsageError(f"{name} holds a coordinate that is NaN or infinite; drop such boxes first")
    return quads


def overlapping_pairs(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices (i, j) of pairs whose enclosing upright boxes overlap, as two (P,) arrays."""
    low_a, high_a, low_b, high_b = a.min(axis=1), a.max(axis=1), b.min(axis=1), b.max(axis=1)
    if len(a) * len(b) > _PREFILTER_CELLS:
        tree = shapely.STRtree(shapely.box(low_b[:, 0], low_b[:, 1], high_b[:, 0], high_b[:, 1]))
        found = tree.query(shapely.box(low_a[:, 0], low_a[:, 1], high_a[:, 0], high_a[:, 1]))
        return found[0], found[1]
    overlap = low_a[:, None, 0] < high_b[None, :, 0]
    overlap &= low_b[None, :, 0] < high_a[:, None, 0]
    overlap &= low_a[:, None, 1] < high_b[None, :, 1]
    overlap &= low_b[None, :, 1] < high_a[:, None, 1]
    rows, columns = np.nonzero(overlap)
    return rows, columns


def crossing_quads(quads: np.ndarray) -> np.ndarray:
    """(N,) bool: two opposite sides of the quadrilateral cross each other (a bow tie)."""
    crosses = np.zeros(len(quads), dtype=bool)
    for p, q, r, s in ((0, 1, 2, 3), (1, 2, 3, 0)):
        side_r, side_s = (_turn(quads[:, p], quads[:, q], quads[:, k]) for k in (r, s))
        side_p, side_q = (_turn(quads[:, r], quads[:, s], quads[:, k]) for k in (p, q))
        crosses |= (side_r * side_s < 0) & (side_p * side_q < 0)
    return crosses


def _turn(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Cross product (q - p) x (r - p) per row: positive for a clockwise turn on screen."""
    return (q[:, 0] - p[:, 0]) * (r[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (r[:, 0] - p[:, 0])


def _prepare(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(quads clockwise on screen, their areas, True where not convex); bow ties become their hull first."""
    quads = quads.copy()
    for i in np.flatnonzero(crossing_quads(quads)):
        hull = shapely.get_coordinates(shapely.convex_hull(shapely.MultiPoint(quads[i])))[:-1]
        quads[i] = hull if len(hull) == 4 else np.vstack([hull, np.repeat(hull[-1:], 4 - len(hull), axis=0)])
    local = quads - quads[:, :1]
    following = local[:, _NEXT]
    signed = 0.5 * (local[..., 0] * following[..., 1] - local[..., 1] * following[..., 0]).sum(axis=1)
    anticlockwise = signed < 0
    quads[anticlockwise] = quads[anticlockwise][:, ::-1]
    area = np.abs(signed)
    turns = np.stack([_turn(quads[:, i], quads[:, (i + 1) % 4], quads[:, (i + 2) % 4]) for i in range(4)])
    return quads, area, (turns < -1e-9 * np.maximum(area, _MIN_AREA_PX2)).any(axis=0)


def _iou_of_pairs(
    a: tuple[np.ndarray, np.ndarray, np.ndarray],
    b: tuple[np.ndarray, np.ndarray, np.ndarray],
    rows: np.ndarray,
    columns: np.ndarray,
) -> np.ndarray:
    (quads_a, area_a, odd_a), (quads_b, area_b, odd_b) = a, b
    inter = np.empty(len(rows))
    for start in range(0, len(rows), _CHUNK_PAIRS):
        part = slice(start, start + _CHUNK_PAIRS)
        inter[part] = _intersection_area(quads_a[rows[part]], quads_b[columns[part]])
    first, second = area_a[rows], area_b[columns]
    odd = np.flatnonzero(odd_a[rows] | odd_b[columns])
    if len(odd):
        inter[odd] = shapely.area(
            shapely.intersection(
                shapely.make_valid(shapely.polygons(quads_a[rows[odd]])),
                shapely.make_valid(shapely.polygons(quads_b[columns[odd]])),
            )
        )
    smaller = np.minimum(first, second)
    inter = np.where(inter < _NO_OVERLAP * smaller, 0.0, np.minimum(inter, smaller))
    union = first + second - inter
    return np.where(smaller < _MIN_AREA_PX2, 0.0, inter / np.maximum(union, _MIN_AREA_PX2))


def _intersection_area(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Area of the intersection of convex clockwise quads, (P, 4, 2) x (P, 4, 2) -> (P,). Pairs run last inside."""
    origin = a[:, :1]
    ax, ay = np.ascontiguousarray(np.moveaxis(a - origin, 0, -1).transpose(1, 0, 2))
    bx, by = np.ascontiguousarray(np.moveaxis(b - origin, 0, -1).transpose(1, 0, 2))
    reach = np.maximum(np.abs(ax).max(axis=0), np.abs(ay).max(axis=0))
    margin = _ON_THE_LINE * np.maximum(reach, np.maximum(np.abs(bx).max(axis=0), np.abs(by).max(axis=0)))

    distance = _side_distance(ax, ay, bx, by)
    distance[np.abs(distance) <= margin] = 0.0
    start, stop = _clip_edges(distance)
    alive = start <= stop
    dx, dy = ax[_NEXT] - ax, ay[_NEXT] - ay
    inside = (_side_distance(bx, by, ax, ay) >= -margin).all(axis=0)
    px = np.concatenate([ax + start * dx, ax + stop * dx, bx])
    py = np.concatenate([ay + start * dy, ay + stop * dy, by])
    valid = np.concatenate([alive, alive, inside])
    return _convex_area(px, py, valid)


def _side_distance(px: np.ndarray, py: np.ndarray, qx: np.ndarray, qy: np.ndarray) -> np.ndarray:
    """[edge of q, corner of p, pair]: signed distance in px, positive inside the clockwise quad q."""
    ex, ey = qx[_NEXT] - qx, qy[_NEXT] - qy
    length = np.sqrt(ex * ex + ey * ey)
    length[length == 0] = 1.0
    ex, ey = ex / length, ey / length
    offset = ex * qy - ey * qx
    return ex[:, None] * py[None] - ey[:, None] * px[None] - offset[:, None]


def _clip_edges(distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(start, stop) in [0, 1] of each edge of `a` [edge, pair], from distances [half-plane of b, corner of a, pair]."""
    here, there = distance, distance[:, _NEXT]
    in_here, in_there = here >= 0, there >= 0
    step = here - there
    cut = here / np.where(in_here == in_there, 1.0, step)
    start = np.where(in_here, 0.0, np.where(in_there, cut, 2.0)).max(axis=0)
    stop = np.where(in_there, 1.0, np.where(in_here, cut, -1.0)).min(axis=0)
    return start, stop


def _convex_area(px: np.ndarray, py: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Area of the convex polygon with the valid points as corners, in any order; [point, pair] -> (pair,)."""
    pairs = np.arange(px.shape[1])
    count = valid.sum(axis=0)
    first = valid.argmax(axis=0)
    px = np.where(valid, px, px[first, pairs])
    py = np.where(valid, py, py[first, pairs])
    x, y = px - px.mean(axis=0), py - py.mean(axis=0)
    total = np.abs(x) + np.abs(y)
    total[total == 0] = 1.0
    slope = x / total
    key = np.where(y < 0, slope - 1.0, 1.0 - slope)  # rises with the angle, without an arctangent
    order = np.argsort(key.T, axis=1)
    x, y = np.take_along_axis(x.T, order, axis=1), np.take_along_axis(y.T, order, axis=1)
    area = (x[:, :-1] * y[:, 1:] - x[:, 1:] * y[:, :-1]).sum(axis=1) + x[:, -1] * y[:, 0] - x[:, 0] * y[:, -1]
    return np.where(count >= 3, 0.5 * np.abs(area), 0.0)
