"""Things from what datasets annotate: upright boxes, four corners, outlines. One that has no area gives None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...core.geometry import corners_to_box, min_area_rect
from ...core.regions import FloatArray
from .reading import floats
from .record import Thing


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
    corners = min_area_rect(outline)
    sides = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[1])
    if min(sides) <= 1e-9:
        return None
    box = corners_to_box(outline)
    return Thing(id, label, box, corners, outline, attributes=dict(attributes or {}), **rest)
