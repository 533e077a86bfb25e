"""Windows of large images, and how much of each annotated thing they show.

The windows are those that models are shown later (`tools.models.views.tiled`), so that what is taught and what is
asked have one scale. What the image's own edge cuts, the annotators have seen cut: it counts as whole. What only a
window's edge cuts is told by the share of it that the window shows, and falls into one of three bands: shown, in doubt
(nobody could say whether a model should point at it), or not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ...core.geometry import box_to_corners, min_area_rect
from ...core.masks import Mask
from ...evals.datasets.record import Thing
from ...tools.models.views import tiled

XYXY = tuple[int, int, int, int]
SHOWN = 0.7
"""Least share of a thing that a window must show for it to be taught."""
ABSENT = 0.05
"""A window that shows less of a thing, or less than `SLIVER_PX` of it along an axis, shows nothing of it."""
SLIVER_PX = 2.0


def windows_of(size_wh: tuple[int, int], side: int, overlap: int) -> list[XYXY]:
    """Windows that cover an image, row by row; the image itself where it is not larger, or `side` is 0.

    Args:
        size_wh: of the image, px.
        side: of a window, px.
        overlap: what neighbours share at least, px; at most half of `side`.

    Raises:
        UsageError: a side or an overlap that makes no windows.

    Example:
        >>> windows_of((1800, 900), 1024, 128), windows_of((1800, 900), 0, 0)
        ([(0, 0, 1024, 900), (776, 0, 1800, 900)], [(0, 0, 1800, 900)])
    """
    if side == 0:
        return [(0, 0, *size_wh)]
    return [view.window_xyxy for view in tiled(size_wh, side, overlap)]


def quarters(window: XYXY, share: float = 0.2) -> list[XYXY]:
    """Four windows that cover a window and overlap by that share of their side.

    Example:
        >>> quarters((100, 0, 200, 100))
        [(100, 0, 155, 55), (145, 0, 200, 55), (100, 45, 155, 100), (145, 45, 200, 100)]
    """
    x0, y0, x1, y1 = window
    width, height = (round((b - a) / (2 - share)) for a, b in ((x0, x1), (y0, y1)))
    width, height = width - (width == x1 - x0), height - (height == y1 - y0)
    return [(x, y, x + width, y + height) for y in (y0, y1 - height) for x in (x0, x1 - width)]


@dataclass(frozen=True, eq=False)
class Seen:
    """What a window shows of a thing.

    Attributes:
        thing: as annotated, full-image px.
        share: of what the image shows of it, above 0 and at most 1.
        outline: what the window shows of its outline, full-image px.
        mask: what the window shows of its pixels, in the window's px; None where no pixels are annotated.
        whole_corners: (4, 2) oriented box of what the image shows, full-image px.
    """

    thing: Thing
    share: float
    outline: BaseGeometry
    mask: Mask | None
    whole_corners: np.ndarray

    @cached_property
    def corners(self) -> np.ndarray:
        """(4, 2) canonical oriented box round what the window shows, full-image px; may reach beyond the window."""
        return self.whole_corners if self.share == 1 else _rect(self.outline, self.whole_corners)

    @property
    def is_upright(self) -> bool:
        """Only an upright box of it is annotated: its corners do not tell how it lies."""
        thing = self.thing
        return thing.corners_px is None and thing.polygon_px is None and not (thing.mask and thing.mask.area_px)

    @property
    def is_shown(self) -> bool:
        """Enough of it to be pointed at."""
        return self.share >= SHOWN


class Cutter:
    """The things of one image, ready to be cut by many windows.

    Args:
        things: of the image; those that lie outside it are in `outside` and in no window.
        size_wh: of the image, px.
    """

    def __init__(self, things: Sequence[Thing], size_wh: tuple[int, int]) -> None:
        self.size_wh = size_wh
        corners = np.array([_corners(thing) for thing in things]).reshape(-1, 4, 2)
        outlines = np.asarray(shapely.polygons(corners), dtype=object)
        ringed = [index for index, thing in enumerate(things) if thing.polygon_px is not None]
        if ringed:
            outlines[ringed] = [shapely.polygons(things[index].polygon_px) for index in ringed]
        invalid = ~np.asarray(shapely.is_valid(outlines))
        outlines[invalid] = shapely.make_valid(outlines[invalid])
        bounds = shapely.bounds(outlines)
        beyond = (bounds[:, :2] < 0).any(axis=1) | (bounds[:, 2:] > size_wh).any(axis=1)
        if beyond.any():
            outlines[beyond] = shapely.intersection(outlines[beyond], shapely.box(0, 0, *size_wh))
            corners[beyond] = [_rect(each, old) for each, old in zip(outlines[beyond], corners[beyond], strict=True)]
            bounds = shapely.bounds(outlines)
        inside = np.asarray(shapely.area(outlines)) > 0
        self.outside = int(len(things) - inside.sum())
        self.things = [thing for thing, keep in zip(things, inside, strict=True) if keep]
        self.corners, self.outlines, self.bounds = corners[inside], outlines[inside], bounds[inside]

    def seen(self, window: XYXY) -> list[Seen]:
        """What the window shows, in the order of the annotation; what it shows next to nothing of is left out."""
        x0, y0, x1, y1 = window
        low, high = self.bounds[:, :2], self.bounds[:, 2:]
        touches = np.all((low < (x1, y1)) & (high > (x0, y0)), axis=1)
        whole: np.ndarray = np.asarray(np.all((low >= (x0, y0)) & (high <= (x1, y1)), axis=1))
        found = []
        for index in np.flatnonzero(touches).tolist():
            seen = self._whole(index, window) if whole[index] else self._cut(index, window)
            if seen is not None:
                found.append(seen)
        return found

    def _whole(self, index: int, window: XYXY) -> Seen:
        thing = self.things[index]
        mask = None if thing.mask is None else mask_in(thing.mask, window)
        return Seen(thing, 1.0, self.outlines[index], mask, self.corners[index])

    def _cut(self, index: int, window: XYXY) -> Seen | None:
        thing, whole = self.things[index], self.outlines[index]
        outline = shapely.intersection(whole, shapely.box(*window))
        if outline.area <= 0:
            return None
        share, mask = outline.area / whole.area, None
        if thing.mask is not None and thing.mask.area_px:
            mask = mask_in(thing.mask, window)
            share = mask.area_px / thing.mask.area_px
        left, top, right, bottom = outline.bounds
        if share < ABSENT or min(right - left, bottom - top) < SLIVER_PX:
            return None
        return Seen(thing, share, outline, mask, self.corners[index])


def mask_in(mask: Mask, window: XYXY) -> Mask:
    """What the window shows of a mask, in the window's px."""
    x0, y0, x1, y1 = window
    return Mask.from_array(mask.crop, (mask.offset_xy[0] - x0, mask.offset_xy[1] - y0), (y1 - y0, x1 - x0))


def _corners(thing: Thing) -> np.ndarray:
    """The oriented box: as annotated, else round the outline or the pixels, else the upright box's corners."""
    if thing.corners_px is not None:
        return thing.corners_px
    if thing.polygon_px is not None:
        return min_area_rect(thing.polygon_px)
    if thing.mask is not None and thing.mask.area_px:
        return min_area_rect(_ends(thing.mask))
    return box_to_corners(thing.box_px)


def _ends(mask: Mask) -> np.ndarray:
    """The outer corners of the first and the last pixel of each row: whatever is convex round a mask is round these."""
    rows = np.flatnonzero(mask.crop.any(axis=1))
    first = mask.crop[rows].argmax(axis=1)
    last = mask.crop.shape[1] - mask.crop[rows, ::-1].argmax(axis=1)
    x, y = np.concatenate([first, first, last, last]), np.concatenate([rows, rows + 1, rows, rows + 1])
    return np.stack([x, y], axis=1) + np.array(mask.offset_xy, dtype=np.float64)


def _rect(outline: BaseGeometry, before: np.ndarray) -> np.ndarray:
    """The least rectangle round what is left of an outline; as before where nothing is."""
    points = shapely.get_coordinates(outline)
    return min_area_rect(points) if len(points) > 2 else before
