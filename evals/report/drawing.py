"""Masks and outlines of many small objects at once: drawn one by one, they cost more in calls than in work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from ...core.geometry import polygon_area
from ...core.masks import Mask, masks_from_polygons
from ...core.outlines import outlines
from ...core.regions import FloatArray
from ..bench.execute import outline_of, simplified

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
    parts: dict[int, list[tuple[FloatArray, list[FloatArray]]]] = {}
    found = outlines(picture)
    numbers = np.searchsorted(tops, [shell[0, 1] for shell, _ in found], side="right") - 1
    for number, part in zip(numbers.tolist(), found, strict=True):
        parts.setdefault(number, []).append(part)
    rings: dict[int, FloatArray] = {}
    for number, of in parts.items():
        shell, _ = of[0] if len(of) == 1 else max(of, key=_area)
        rings[small[number]] = shell - (0.0, tops[number]) + masks[small[number]].offset_xy
    drawn = dict(zip(rings, _simplified(list(rings.values())), strict=True))
    return [drawn[place] if place in drawn else outline_of(mask) for place, mask in enumerate(masks)]


def _area(part: tuple[FloatArray, list[FloatArray]]) -> float:
    shell, holes = part
    return polygon_area(shell) - sum(map(polygon_area, holes))


def _simplified(rings: Sequence[FloatArray]) -> list[FloatArray]:
    """Rings without closing point, simplified as `outline_of` does."""
    lengths = [len(ring) for ring in rings]
    closed = shapely.linearrings(np.concatenate(rings), indices=np.repeat(np.arange(len(rings)), lengths))
    simple = simplified(shapely.polygons(closed))
    points, owner = shapely.get_coordinates(simple, return_index=True)
    stops = np.cumsum(np.bincount(owner, minlength=len(rings)))
    return [points[start : stop - 1] for start, stop in zip([0, *stops[:-1].tolist()], stops.tolist(), strict=True)]
