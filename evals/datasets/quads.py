"""Things from what datasets annotate: upright boxes, four corners, outlines. One that has no area gives None."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from ...core.geometry import corners_to_box, min_area_rect
from ...core.regions import FloatArray
from .reading import floats
from .record import Thing

_NO_SIDE_PX = 1e-9
_SAME = 1e-9
_PAIRS = np.array(list(combinations(range(4), 2)))


def boxed(id: str, label: str, xyxy: Any, attributes: Mapping[str, str] | None = None, **rest: Any) -> Thing | None:
    """A thing with an upright box; None where the four values are no numbers or the box has no area.

    Example:
        >>> boxed("1", "ship", ["0", "0", "4", "2"]).box_px.tolist(), boxed("1", "ship", [4, 0, 4, 2])
        ([0.0, 0.0, 4.0, 2.0], None)
    """
    box = floats(xyxy, 4)
    if box is None or box[2] <= box[0] or box[3] <= box[1]:
        return None
    return Thing(id, label, np.array(box), attributes=dict(attributes or {}), **rest)


def outlined(
    id: str, label: str, points: np.ndarray | Sequence[Any], attributes: Mapping[str, str] | None = None, **rest: Any
) -> Thing | None:
    """A thing with an outline (N, 2), the least rectangle round it and the upright box round it; None without area.

    The outline is kept as annotated: four corners are not always a rectangle, and may reach beyond the image.
    """
    values = floats(np.asarray(points, dtype=object).reshape(-1).tolist())
    if values is None or len(values) < 6 or len(values) % 2:
        return None
    outline: FloatArray = np.array(values).reshape(-1, 2)
    return with_corners(id, label, outline, min_area_rect(outline), attributes, **rest)


def with_corners(
    id: str,
    label: str,
    outline: FloatArray,
    corners: FloatArray,
    attributes: Mapping[str, str] | None = None,
    **rest: Any,
) -> Thing | None:
    """As `outlined`, where the least rectangle is known."""
    (ax, ay), (bx, by), (cx, cy) = corners[:3].tolist()
    if min(math.hypot(bx - ax, by - ay), math.hypot(cx - bx, cy - by)) <= _NO_SIDE_PX:
        return None
    return Thing(id, label, corners_to_box(outline), corners, outline, attributes=dict(attributes or {}), **rest)


def least_rects(quads: np.ndarray) -> FloatArray:
    """The rectangle of least area round each of many quadrilaterals: `min_area_rect` for all at once.

    Args:
        quads: (N, 4, 2) px, finite; corners in any order; may be empty.

    Returns:
        (N, 4, 2) canonical corners.

    Example:
        >>> least_rects(np.array([[[0, 0], [4, 0], [4, 2], [0, 2]]])).tolist()
        [[[0.0, 0.0], [4.0, 0.0], [4.0, 2.0], [0.0, 2.0]]]
    """
    xy = np.asarray(quads, dtype=np.float64).reshape(-1, 4, 2)
    origin = xy[:, :1]
    away = xy - origin
    edges = away[:, _PAIRS[:, 1]] - away[:, _PAIRS[:, 0]]  # a side of the least rectangle runs along two of the points
    length = np.linalg.norm(edges, axis=2, keepdims=True)
    axis = np.where(length > 0, edges / np.where(length > 0, length, 1), [1.0, 0.0])
    normal = np.stack([-axis[..., 1], axis[..., 0]], axis=2)
    along, across = (np.einsum("nek,npk->nep", direction, away) for direction in (axis, normal))
    low_u, high_u, low_v, high_v = along.min(axis=2), along.max(axis=2), across.min(axis=2), across.max(axis=2)
    area = (high_u - low_u) * (high_v - low_v)
    tilt = np.abs(axis).min(axis=2)
    least = area <= area.min(axis=1, keepdims=True) * (1 + _SAME)
    best = (np.arange(len(xy)), np.argmin(np.where(least, tilt, np.inf), axis=1))
    u, v = axis[best][:, None], normal[best][:, None]
    ends_u = np.stack([low_u[best], high_u[best], high_u[best], low_u[best]], axis=1)[..., None]
    ends_v = np.stack([low_v[best], low_v[best], high_v[best], high_v[best]], axis=1)[..., None]
    rects = origin + ends_u * u + ends_v * v  # clockwise on screen; now the top-most, left-most corner first
    spread = np.ptp(rects, axis=1).max(axis=1)
    top = rects[..., 1] <= rects[..., 1].min(axis=1, keepdims=True) + _SAME * np.maximum(1.0, spread)[:, None]
    first = np.argmin(np.where(top, rects[..., 0], np.inf), axis=1)
    return np.take_along_axis(rects, ((first[:, None] + np.arange(4)) % 4)[..., None], axis=1)
