"""What an item may look at: a whole image or a window of a large one, with its objects in px of that window.

FORMATS.md section 7: windows of 800 to 1024 px; judged are objects of which 70 % are visible, whose short side is at
least 8 px and 1 % of the window, and which the annotators did not call difficult. The others are ignored.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Literal

import cv2
import numpy as np
import shapely
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from ...core.conditions import Condition, Selection, walk
from ...core.errors import UsageError
from ...core.geometry import box_to_corners, min_area_rect, polygon_area
from ...core.masks import Mask
from ...core.regions import FloatArray, Region
from ...tools.bands import CRISP, STRICT, Bands
from ...tools.findings import FALSE, Members
from ...tools.layout import Layout
from ..bench.execute import Executor, Frame, Regions, outline_of
from ..bench.items import Image, Truth
from ..bench.predict import open_image
from ..datasets.record import Record, Tally, Thing
from ..report.drawing import masks_of, outlines_of

WINDOW_PX = (800, 1024)
MAX_WHOLE_PX = 1280
"""Images up to this long are taken whole: the rest beside a window would show nothing new."""
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
    def region(self) -> Region:
        """As the rules see it: what `region_of` makes of `truth`."""
        box = np.array(self.box)
        corners = box_to_corners(box) if self.corners is None else np.array(self.corners)
        return Region(self.id, self.label, corners, box, None, self.outline, self.mask, source="annotation")

    @cached_property
    def truth(self) -> Truth:
        """As an item stores it."""
        rle = None if self.mask is None else self.mask.to_rle()
        return Truth(id=self.id, label=self.label, hbb=self.box, obb=self.corners, rle=rle)

    @property
    def is_sure_reference(self) -> bool:
        """Whether other objects may be told by it: roads and rivers also where the window cuts them."""
        return not self.doubt or (self.doubt == "cut" and is_endless(self.label))


@dataclass(frozen=True)
class _Pictured(Frame):
    """A frame with the pixels of its image, which is opened when they are asked for and not kept."""

    image: Image | None = None
    root: str = "."

    def read(self, window: tuple[int, int, int, int], size_wh: tuple[int, int]) -> np.ndarray:
        assert self.image is not None
        return open_image(self.image, self.root).read(window, size_wh)

    def valid(self, window: tuple[int, int, int, int], size_wh: tuple[int, int]) -> np.ndarray:
        assert self.image is not None
        return open_image(self.image, self.root).valid(window, size_wh)


class _Judge(Executor):
    """An executor of a view; shares with the others what rests on the regions alone.

    Args:
        scene, heads, references, classes, bands: as in `Executor`.
        layouts: of all executors of the view, by the ids of the regions.
        same: another executor with the same limits, and the labels whose objects both take as references: what it says
            of conditions on no others holds here too.
    """

    def __init__(
        self,
        scene: Frame,
        heads: Regions,
        references: Regions | None = None,
        *,
        classes: tuple[str, ...],
        layouts: dict[tuple[str, ...], Layout],
        bands: Bands = STRICT,
        same: tuple[Executor, frozenset[str]] | None = None,
    ) -> None:
        super().__init__(scene, heads, references, classes=classes, bands=bands)
        self._shared, self._same = layouts, same
        self._is_same: dict[Condition, bool] = {}

    def layout(self, phrases: tuple[str, ...], *, is_head: bool = True) -> Layout:
        key = (phrases, is_head)
        if key not in self._layouts:
            regions = self._heads if is_head else self._references
            self._layouts[key] = self._of(regions.labelled(self.labels(phrases)))
        return self._layouts[key]

    def codes(self, layout: Layout, condition: Condition, status: np.ndarray | None = None) -> np.ndarray:
        if self._same is None:
            return super().codes(layout, condition, status)
        if condition not in self._is_same:
            phrases = [phrase for each in walk(condition) if isinstance(each, Selection) for phrase in each.phrases]
            here = {label for label in self.labels(phrases) if label in self._references.labels}
            self._is_same[condition] = here <= self._same[1]
        if self._is_same[condition]:
            return self._same[0].codes(layout, condition, status)
        return super().codes(layout, condition, status)

    def members(self, reference: Selection) -> Members:
        if reference not in self._members:
            found = self.selection(reference, is_head=False)
            chosen = np.flatnonzero(found.codes > FALSE)
            layout = self._of([found.layout.regions[place] for place in chosen.tolist()])
            self._members[reference] = Members(layout, found.codes[chosen])
        return self._members[reference]

    def _of(self, regions: list[Region]) -> Layout:
        key = tuple(region.id for region in regions)
        if key not in self._shared:
            self._shared[key] = Layout(regions)
        return self._shared[key]


@dataclass(frozen=True, eq=False)
class View:
    """A window of a record.

    Attributes:
        image: where the pixels are.
        objects: all that are seen, in the record's order.
        classes: labels that are annotated wherever they occur.
        record: where it comes from.
        pixels_root: the folder that the image's path is relative to, where pixels may be looked at (for colours).
    """

    image: Image
    objects: tuple[Seen, ...]
    classes: tuple[str, ...]
    record: Record
    pixels_root: str | None = None

    @cached_property
    def frame(self) -> Frame:
        """Size and scale, and the pixels where they may be looked at."""
        if self.pixels_root is not None:
            return _Pictured(self.image.size_wh, self.image.gsd_m, self.image, self.pixels_root)
        return Frame(self.image.size_wh, self.image.gsd_m)

    @cached_property
    def by_id(self) -> dict[str, Seen]:
        """The objects by id."""
        return {seen.id: seen for seen in self.objects}

    @cached_property
    def by_label(self) -> dict[str, list[Seen]]:
        """The objects by label, in order of first sight."""
        found: dict[str, list[Seen]] = {}
        for seen in self.objects:
            found.setdefault(seen.label, []).append(seen)
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the objects."""
        return tuple(self.by_label)

    def _regions(self, holds: Callable[[Seen], bool]) -> Regions:
        def made(label: str) -> list[Region]:
            _draw(self.by_label[label])
            return [seen.region for seen in self.by_label[label] if holds(seen)]

        return Regions({label: partial(made, label) for label in self.by_label})

    @cached_property
    def _layouts(self) -> dict[tuple[str, ...], Layout]:
        return {}

    @cached_property
    def everything(self) -> Executor:
        """Over all objects, also those in doubt."""
        every = self._regions(lambda _seen: True)
        return _Judge(self.frame, every, classes=self.classes, layouts=self._layouts)

    @cached_property
    def certain(self) -> Executor:
        """Over the objects that are not in doubt."""
        heads, references = (
            self._regions(lambda seen: not seen.doubt),
            self._regions(lambda seen: seen.is_sure_reference),
        )
        sure = frozenset(
            label for label, found in self.by_label.items() if all(seen.is_sure_reference for seen in found)
        )
        return _Judge(
            self.frame, heads, references, classes=self.classes, layouts=self._layouts, same=(self.everything, sure)
        )

    @cached_property
    def crisp(self) -> Executor:
        """Over all objects, with the limits that `surveyor ask` uses."""
        every = self._regions(lambda _seen: True)
        return _Judge(self.frame, every, classes=self.classes, bands=CRISP, layouts=self._layouts)

    def is_turned(self, labels: tuple[str, ...]) -> bool:
        """Whether the direction of all objects of these labels is annotated, and with it length and width."""
        return all(seen.corners is not None for label in labels for seen in self.by_label.get(label, ()))

    def is_coloured(self, labels: tuple[str, ...]) -> bool:
        """Whether the colours of all objects of these labels can be told: their pixels are known and may be read."""
        outlined = all(seen.area is not None for label in labels for seen in self.by_label.get(label, ()))
        return self.pixels_root is not None and outlined

    def is_shaped(self, labels: tuple[str, ...]) -> bool:
        """Whether lengths, areas and distances of all objects of these labels can be trusted."""
        return all(seen.is_shaped for label in labels for seen in self.by_label.get(label, ()))


def _draw(objects: Sequence[Seen]) -> None:
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


def views_of(
    record: Record,
    *,
    seed: int,
    masks: bool,
    root: str | None = None,
    tally: Tally | None = None,
    colours: bool = False,
) -> Iterator[View]:
    """The windows of a record in random order; the whole image where it is small.

    Args:
        record: with exhaustive labels and its size.
        seed: of the build.
        masks: CRES: each object needs a mask or an outline.
        root: image paths become relative to it.
        tally: counts windows left out, by reason.
        colours: whether the pixels may be looked at.
    """
    if record.size_wh is None:
        raise UsageError(f"the record {record.id!r} has no size; give records with their size in px")
    rng = random.Random(f"{seed}|{record.source.name}|{record.id}")
    reaches = _reaches(record.things)
    for window in _windows(record.size_wh, rng):
        if record.ignored is not None and _holds(record.ignored, window):
            _count(tally, "window with pixels that are not annotated")
            continue
        view = _view(record, window, reaches, masks=masks, root=root)
        yield replace(view, pixels_root=root or ".") if colours else view


def _windows(size_wh: tuple[int, int], rng: random.Random) -> list[tuple[int, int, int, int]]:
    """Windows side by side without overlap, shuffled."""
    width, height = size_wh
    if max(width, height) <= MAX_WHOLE_PX:
        return [(0, 0, width, height)]
    side = rng.randrange(WINDOW_PX[0], WINDOW_PX[1] + 1, 32)
    across, down = (_starts(length, side, rng) for length in (width, height))
    found = [(x, y, min(x + side, width), min(y + side, height)) for y in down for x in across]
    rng.shuffle(found)
    return found


def _starts(length: int, side: int, rng: random.Random) -> list[int]:
    number = max(1, length // side)
    spare = max(0, length - number * side)
    first = rng.randint(0, spare)
    return [first + n * side for n in range(number)]


def _holds(mask: Mask, window: tuple[int, int, int, int]) -> bool:
    box = mask.box_px
    if box is None or box[0] >= window[2] or box[1] >= window[3] or box[2] <= window[0] or box[3] <= window[1]:
        return False
    return bool(mask.to_array()[window[1] : window[3], window[0] : window[2]].any())


def _view(
    record: Record,
    window: tuple[int, int, int, int],
    reaches: Sequence[list[float]],
    *,
    masks: bool,
    root: str | None,
) -> View:
    assert record.size_wh is not None
    x0, y0, x1, y1 = window
    size = (x1 - x0, y1 - y0)
    path = str(record.image)
    if root is not None and record.image.is_relative_to(root):
        path = record.image.relative_to(root).as_posix()
    whole = window == (0, 0, *record.size_wh)
    image = Image(
        path=path,
        size_wh=size,
        crop_xyxy=None if whole else window,
        family=record.family,
        gsd_m=record.gsd_m,
        source=record.source.name,
    )
    found: list[Seen] = []
    numbers: dict[str, int] = {}
    for thing, reach in zip(record.things, reaches, strict=True):
        left, top, right, bottom = thing.box_px.tolist()
        if left < x1 and top < y1 and right > x0 and bottom > y0:
            number = numbers.get(thing.label, 0) + 1
            is_within = reach[0] >= x0 and reach[1] >= y0 and reach[2] <= x1 and reach[3] <= y1
            seen = _seen(thing, f"{thing.label.replace(' ', '_')}-{number}", (x0, y0), size, masks, is_within)
            if seen is not None:
                numbers[thing.label] = number
                found.append(seen)
    return View(image, tuple(found), record.classes, record)


def _seen(
    thing: Thing, name: str, offset: tuple[int, int], size: tuple[int, int], masks: bool, is_within: bool
) -> Seen | None:
    """The object in the window; None where nothing of it is inside."""
    is_outlined = _is_outlined(thing)
    turned = thing.corners_px is not None or is_outlined
    visible = float(thing.attributes.get("visible_fraction", 1.0))
    corners: list[list[float]] | None = None
    clipped = None
    if is_within:
        box = _moved(thing.box_px.tolist(), offset)
        if turned:
            placed = min_area_rect(_ring(thing)) if thing.corners_px is None else thing.corners_px
            corners = [_moved(corner, offset) for corner in placed.tolist()]
    else:
        whole = _shape(thing, offset)
        clipped = shapely.intersection(whole, shapely.box(0, 0, *size))
        if clipped.area <= 0 or whole.area <= 0:
            return None
        visible *= float(clipped.area / whole.area)
        points = shapely.get_coordinates(clipped)
        box = [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]
        corners = min_area_rect(points).tolist() if turned else None
    sides = _sides(box, corners)
    area: Mask | BaseGeometry | None = None
    if is_outlined and (masks or _is_bent(thing, clipped, sides, size)):
        area = _area(thing, clipped, offset, size)
    left, top, right, bottom = (round(value, 2) + 0.0 for value in box)
    return Seen(
        id=name,
        label=thing.label,
        box=(left, top, right, bottom),
        corners=None if corners is None else tuple((round(x, 2) + 0.0, round(y, 2) + 0.0) for x, y in corners),
        doubt=_doubt(thing, visible, min(sides), size) or (_fragments(area) if masks else ""),
        is_shaped=turned or thing.label in _COMPACT,
        area=area,
        size_wh=size,
    )


def _is_outlined(thing: Thing) -> bool:
    """Whether more than a box is annotated."""
    has_outline = thing.polygon_px is not None and len(thing.polygon_px) >= 3
    return has_outline or (thing.mask is not None and thing.mask.crop.size > 0)


def _reaches(things: Sequence[Thing]) -> list[list[float]]:
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


def _moved(values: list[float], offset: tuple[int, int]) -> list[float]:
    return [value - offset[place % 2] for place, value in enumerate(values)]


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


def _shape(thing: Thing, offset: tuple[int, int]) -> BaseGeometry:
    """The object's area in px of the window."""
    if thing.polygon_px is None and thing.mask is not None and thing.mask.crop.size:
        shape: BaseGeometry = translate(shapely.MultiPolygon(thing.mask.to_polygons()), -offset[0], -offset[1])
    else:
        shape = shapely.Polygon(_ring(thing) - offset)
    return shape if shape.is_valid else shapely.make_valid(shape)


def _area(
    thing: Thing, clipped: BaseGeometry | None, offset: tuple[int, int], size: tuple[int, int]
) -> Mask | BaseGeometry:
    """Its pixels in the window, or the area that they are drawn from."""
    if thing.mask is not None:
        left, top = thing.mask.offset_xy
        return Mask.from_array(thing.mask.crop, (left - offset[0], top - offset[1]), (size[1], size[0]))
    moved = _shape(thing, offset) if clipped is None else clipped
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
    elif isinstance(area, BaseGeometry):
        areas = [float(part.area) for part in shapely.get_parts(area)]
    areas.sort(reverse=True)
    if sum(areas) < _LEAST_MASK_PX:
        return "few pixels"
    return "fragments" if len(areas) > 1 and areas[1] > _LEAST_FRAGMENT * sum(areas) else ""


def _count(tally: Tally | None, reason: str) -> None:
    if tally is not None:
        tally[reason] += 1
