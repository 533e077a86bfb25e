"""Masks and outlines of many small objects at once: drawn one by one, they cost more in calls than in work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from ...core.masks import Mask, masks_from_polygons
from ...core.outlines import outlines
from ...core.regions import FloatArray
from ..bench.execute import _OUTLINE_PX, outline_of

_WIDEST_PX = 128  # wider ones are drawn alone: the picture would hold little else
_LEAST = 3


def masks_of(areas: Sequence[shapely.Polygon], size_wh: tuple[int, int]) -> list[Mask]:
    """What `Mask.from_polygon` gives for each area; px of the scene."""
    boxes = shapely.bounds(np.array(areas, dtype=object)).reshape(-1, 4)
    small = np.flatnonzero(boxes[:, 2] - boxes[:, 0] <= _WIDEST_PX).tolist()
    shape_hw = (size_wh[1], size_wh[0])
    found = dict(zip(small, masks_from_polygons([areas[place] for place in small], shape_hw), strict=True))
    return [found[place] if place in found else Mask.from_polygon(area, shape_hw) for place, area in enumerate(areas)]


def outlines_of(masks: Sequence[Mask]) -> list[FloatArray | None]:
    """What `outline_of` gives for each mask.

    Example:
        >>> one, other = Mask.from_array(np.ones((4, 3))), Mask.from_array(np.zeros((2, 2)))
        >>> [None if ring is None else ring.tolist() for ring in outlines_of([one, other])]
        [[[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 4.0]], None]
    """
    small = [place for place, mask in enumerate(masks) if 0 < mask.crop.shape[1] <= _WIDEST_PX]
    if len(small) < _LEAST:
        return [outline_of(mask) for mask in masks]
    crops = [masks[place].crop for place in small]
    rows = np.array([len(crop) + 1 for crop in crops])
    tops = np.cumsum(rows) - rows
    picture = np.zeros((int(rows.sum()), max(crop.shape[1] for crop in crops)), dtype=bool)
    for crop, top in zip(crops, tops.tolist(), strict=True):
        picture[top : top + len(crop), : crop.shape[1]] = crop
    parts: dict[int, list[shapely.Polygon]] = {place: [] for place in small}
    for shell, holes in outlines(picture):
        number = int(np.searchsorted(tops, shell[0, 1], side="right")) - 1
        place = small[number]
        shift = np.array(masks[place].offset_xy, dtype=np.float64) - (0.0, float(tops[number]))
        parts[place].append(shapely.Polygon(shell + shift, [hole + shift for hole in holes]))
    largest = {place: min(found, key=lambda part: -part.area) for place, found in parts.items()}
    shells = shapely.polygons(shapely.get_exterior_ring(np.array(list(largest.values()), dtype=object)))
    found: dict[int, FloatArray] = {}
    for place, simple in zip(largest, np.array(shapely.simplify(shells, _OUTLINE_PX)), strict=True):
        whole = simple if simple.geom_type == "Polygon" and not simple.is_empty else largest[place]
        found[place] = np.asarray(shapely.get_coordinates(whole)[:-1], dtype=np.float64)
    return [found[place] if place in found else outline_of(mask) for place, mask in enumerate(masks)]
