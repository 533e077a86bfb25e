"""One annotated object as a window shows it: where it is, what its pixels are, and whether it is in doubt.

FORMATS.md section 7: judged are objects of which 70 % are visible, whose short side is at least 8 px and 1 % of the
window, and which the annotators did not call difficult. The others are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
import shapely
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from ...core.geometry import box_to_corners, min_area_rect, polygon_area
from ...core.masks import Mask
from ...core.regions import FloatArray, Region
from ..bench.execute import outline_of
from ..bench.items import Truth
from ..datasets.record import Thing
from ..report.drawing import masks_of, outlines_of

_LEAST_VISIBLE = 0.7
_LEAST_SIDE_PX = 8.0
_LEAST_SIDE_SHARE = 0.01
_LEAST_MASK_PX = 30
_LEAST_FRAGMENT = 0.1  # share of the mask: a second part of this size makes the instance two
_BENT_FILL, _BENT_SHARE = 0.7, 0.02
# What goes on beyond the image: being cut does not make it another thing. By the last word of the name.
_ENDLESS = frozenset(
    "river lake sea water road street highway runway taxiway apron railway quay wood forest field lot".split()
)
# Upright boxes tell the size of these, and how far away they are, however they are turned.
_COMPACT = frozenset({"storage tank", "baseball diamond", "tree crown", "swimming pool", "small vehicle"}) | (
    frozenset({"airplane", "plane", "roundabout", "helipad", "tree", "helicopter", "vehicle", "car"})
)
Doubt = Literal["", "cut", "small", "difficult", "fragments", "few pixels"]


@dataclass(frozen=True, eq=False)
class Seen:
    """One object in a view; its region and what an item stores of it are made when asked for.

    Attributes:
        id: unique in the view.
        label: class.
        box: x0, y0, x1, y1, rounded.
        corners: of the oriented box, rounded; None where only upright boxes are annotated.
        doubt: why it is not judged; "" for those that are.
        is_shaped: its outline or oriented box is annotated, or an upright box says as much.
        area: its mask, or what that is drawn from, in px of the view; None where an item of this kind stores none.
        size_wh: of the view, px.
    """

    id: str
    label: str
    box: tuple[float, float, float, float]
    corners: tuple[tuple[float, float], ...] | None
    doubt: Doubt
    is_shaped: bool
    area: Mask | BaseGeometry | None
    size_wh: tuple[int, int]

    @cached_property
    def mask(self) -> Mask | None:
        """Its pixels; None where there are none."""
        drawn = self.area
        if isinstance(drawn, BaseGeometry):
            drawn = Mask.from_polygon(drawn, (self.size_wh[1], self.size_wh[0]))
        return drawn if drawn is not None and drawn.crop.size else None

    @cached_property
    def outline(self) -> FloatArray | None:
        """Of its mask, as the rules see it."""
        return None if self.mask is None else outline_of(self.mask)

    @cached_property
    def boxed(self) -> Region:
        """Its boxes alone: what tells where it is and how it is turned, without drawing it."""
        box = np.array(self.box)
        corners = box_to_corners(box) if self.corners is None else np.array(self.corners)
        return Region(self.id, self.label, corners, box, source="annotation")

    @cached_property
    def region(self) -> Region:
        """As the rules see it: what `region_of` makes of `truth`."""
        return self.boxed if self.mask is None else replace(self.boxed, polygon_px=self.outline, mask=self.mask)

    @cached_property
    def truth(self) -> Truth:
        """As an item stores it."""
        rle = None if self.mask is None else self.mask.to_rle()
        return Truth(id=self.id, label=self.label, hbb=self.box, obb=self.corners, rle=rle)

    @property
    def is_sure_reference(self) -> bool:
        """Whether other objects may be told by it: roads and rivers also where the window cuts them."""
        return not self.doubt or (self.doubt == "cut" and is_endless(self.label))


def draw(objects: Sequence[Seen]) -> None:
    """Draws masks and outlines of several objects at once, of those that have not been drawn."""
    ready = "mask"  # where a cached property keeps what it found
    open_ = [seen for seen in objects if isinstance(seen.area, shapely.Polygon) and ready not in seen.__dict__]
    if len(open_) > 1:
        areas: list[shapely.Polygon] = [seen.area for seen in open_]  # type: ignore[misc]
        for seen, mask in zip(open_, masks_of(areas, open_[0].size_wh), strict=True):
            seen.__dict__[ready] = mask if mask.crop.size else None
    bare = [seen for seen in objects if seen.mask is not None and "outline" not in seen.__dict__]
    if len(bare) > 1:
        for seen, outline in zip(bare, outlines_of([seen.mask for seen in bare if seen.mask is not None]), strict=True):
            seen.__dict__["outline"] = outline


def is_endless(label: str) -> bool:
    """Whether things of this class go on beyond an image: roads, rivers, woods.

    Example:
        >>> is_endless("parking lot"), is_endless("bridge")
        (True, False)
    """
    return label.split()[-1] in _ENDLESS


Placed = tuple[list[float], list[list[float]] | None]
"""Upright box and corners (None where only upright boxes are annotated) in px of a window, rounded."""


def placed(things: Sequence[Thing], offset: tuple[int, int]) -> list[Placed]:
    """Where objects lie that are wholly in a window."""
    if not things:
        return []
    boxes = _rounded(np.array([thing.box_px for thing in things]) - (*offset, *offset)).tolist()
    rings = [_corners(thing) for thing in things]
    turned = [place for place, ring in enumerate(rings) if ring is not None]
    found = [ring for ring in rings if ring is not None]
    corners = dict(zip(turned, _rounded(np.array(found).reshape(-1, 4, 2) - offset).tolist(), strict=True))
    return [(box, corners.get(place)) for place, box in enumerate(boxes)]


def _corners(thing: Thing) -> FloatArray | None:
    if thing.corners_px is not None:
        return thing.corners_px
    return min_area_rect(_ring(thing)) if _is_outlined(thing) else None


def _rounded(values: FloatArray) -> FloatArray:
    return np.asarray(np.round(values, 2) + 0.0)


def seen_of(
    thing: Thing,
    name: str,
    offset: tuple[int, int],
    size: tuple[int, int],
    masks: bool,
    shape: BaseGeometry | None,
    within: Placed | None,
) -> Seen | None:
    """The object in the window; None where nothing of it is inside.

    Args:
        thing, name: what it is, and its id in the window. offset, size: of the window, px. masks: CRES.
        shape: as `shapes_of` tells it. within: as `placed` tells it, of one that is wholly inside.
    """
    is_outlined = _is_outlined(thing)
    turned = thing.corners_px is not None or is_outlined
    visible = float(thing.attributes.get("visible_fraction", 1.0))
    clipped = None
    if within is not None:
        box, corners = within
    else:
        whole = shapes_of([thing], offset)[0] if shape is None else shape
        clipped = shapely.intersection(whole, shapely.box(0, 0, *size))
        if clipped.area <= 0 or whole.area <= 0:
            return None
        visible *= float(clipped.area / whole.area)
        points = shapely.get_coordinates(clipped)
        box = _rounded(np.concatenate([points.min(axis=0), points.max(axis=0)])).tolist()
        corners = _rounded(min_area_rect(points)).tolist() if turned else None
    sides = _sides(box, corners)
    area: Mask | BaseGeometry | None = None
    if is_outlined and (masks or _is_bent(thing, clipped, sides, size)):
        area = _area(thing, shape if clipped is None else clipped, offset, size)
    left, top, right, bottom = box
    return Seen(
        id=name,
        label=thing.label,
        box=(left, top, right, bottom),
        corners=None if corners is None else tuple((x, y) for x, y in corners),
        doubt=_doubt(thing, visible, min(sides), size) or (_fragments(area) if masks else ""),
        is_shaped=turned or thing.label in _COMPACT,
        area=area,
        size_wh=size,
    )


def _is_outlined(thing: Thing) -> bool:
    """Whether more than a box is annotated."""
    has_outline = thing.polygon_px is not None and len(thing.polygon_px) >= 3
    return has_outline or (thing.mask is not None and thing.mask.crop.size > 0)


def reaches_of(things: Sequence[Thing]) -> list[list[float]]:
    """x0, y0, x1, y1 of all that is annotated of each thing: box, corners and outline."""
    every = [
        np.concatenate(
            [thing.box_px.reshape(2, 2)] + [p for p in (thing.corners_px, thing.polygon_px) if p is not None]
        )
        for thing in things
    ]
    if not every:
        return []
    lengths = np.array([len(points) for points in every])
    starts, points = np.cumsum(lengths) - lengths, np.concatenate(every)
    low, high = np.minimum.reduceat(points, starts, axis=0), np.maximum.reduceat(points, starts, axis=0)
    return np.concatenate([low, high], axis=1).tolist()


def _sides(box: list[float], corners: list[list[float]] | None) -> tuple[float, float]:
    if corners is None:
        return box[2] - box[0], box[3] - box[1]
    return math.dist(corners[0], corners[1]), math.dist(corners[1], corners[2])


def _ring(thing: Thing) -> FloatArray:
    """Points round the object as annotated."""
    if thing.polygon_px is not None and len(thing.polygon_px) >= 3:
        return thing.polygon_px
    if thing.mask is not None and thing.mask.crop.size:
        return np.concatenate([shapely.get_coordinates(part.exterior) for part in thing.mask.to_polygons()])
    return box_to_corners(thing.box_px) if thing.corners_px is None else thing.corners_px


def shapes_of(things: Sequence[Thing], offset: tuple[int, int]) -> list[BaseGeometry]:
    """The areas of objects in px of the window, all valid."""
    shapes = np.empty(len(things), dtype=object)
    ringed: list[int] = []
    for place, thing in enumerate(things):
        if thing.polygon_px is None and thing.mask is not None and thing.mask.crop.size:
            shapes[place] = translate(shapely.MultiPolygon(thing.mask.to_polygons()), -offset[0], -offset[1])
        else:
            ringed.append(place)
    if ringed:
        rings = [_ring(things[place]) for place in ringed]
        owners = np.repeat(np.arange(len(rings)), [len(ring) for ring in rings])
        shapes[ringed] = shapely.polygons(shapely.linearrings(np.concatenate(rings) - offset, indices=owners))
    crooked = ~shapely.is_valid(shapes)
    shapes[crooked] = shapely.make_valid(shapes[crooked])
    return shapes.tolist()


def _area(
    thing: Thing, shape: BaseGeometry | None, offset: tuple[int, int], size: tuple[int, int]
) -> Mask | BaseGeometry:
    """Its pixels in the window, or the area that they are drawn from."""
    if thing.mask is not None:
        left, top = thing.mask.offset_xy
        return Mask.from_array(thing.mask.crop, (left - offset[0], top - offset[1]), (size[1], size[0]))
    moved = shapes_of([thing], offset)[0] if shape is None else shape
    if moved.geom_type == "Polygon":
        return moved
    areas = [part for part in shapely.get_parts(moved) if part.geom_type in ("Polygon", "MultiPolygon")]
    return areas[0] if len(areas) == 1 else shapely.union_all(areas)


def _is_bent(thing: Thing, clipped: BaseGeometry | None, sides: tuple[float, float], size: tuple[int, int]) -> bool:
    """Whether a large thing fills so little of its box that the box does not say where it is (a river)."""
    area = sides[0] * sides[1]
    if area < _BENT_SHARE * size[0] * size[1]:
        return False
    if clipped is not None:
        filled = float(clipped.area)
    else:
        filled = polygon_area(_ring(thing)) if thing.mask is None else float(thing.mask.area_px)
    return filled < _BENT_FILL * area


def _doubt(thing: Thing, visible: float, short: float, size: tuple[int, int]) -> Doubt:
    if thing.is_difficult:
        return "difficult"
    if visible < _LEAST_VISIBLE:
        return "cut"
    return "small" if short < max(_LEAST_SIDE_PX, _LEAST_SIDE_SHARE * min(size)) else ""


def _fragments(area: Mask | BaseGeometry | None) -> Doubt:
    """CRES: an instance needs 30 px, and no second part of more than 10 % of it."""
    areas: list[float] = []
    if isinstance(area, Mask) and area.crop.size:
        found = cv2.connectedComponentsWithStats(np.asarray(area.crop, dtype=np.uint8), connectivity=8)
        areas = [float(size) for size in found[2][1 : found[0], cv2.CC_STAT_AREA]]
    elif isinstance(area, shapely.Polygon):
        areas = [float(area.area)]
    elif isinstance(area, BaseGeometry):
        areas = [float(part.area) for part in shapely.get_parts(area)]
    areas.sort(reverse=True)
    if sum(areas) < _LEAST_MASK_PX:
        return "few pixels"
    return "fragments" if len(areas) > 1 and areas[1] > _LEAST_FRAGMENT * sum(areas) else ""
