"""A pair of images as something to ask of: its changed things, and how a condition is judged of them.

Two rules go beyond those of single images (FORMATS.md section 8). A thing is in a half, quadrant or cell when nine
tenths of its pixels are, and is not when at most a tenth is; between, it is neither, whatever its centre says. Of a box
in numbers the pixels in it are asked for, so a thing counts with whatever part of it is inside. And what another
reading of the mask (small gaps closed; change of any type divided by type) would answer otherwise is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from ...core.conditions import And, Condition, InBox, Not, Or, Position, Selection
from ...core.regions import Region
from ...tools.bands import CRISP
from ...tools.findings import FALSE, TRUE, UNKNOWN
from ...tools.layout import Layout
from ..bench.execute import ChangeParts, Executor, Found, Frame, Regions
from ..bench.items import Image
from ..datasets.record import Record, Tally
from ..datasets.xbd import DAMAGE
from .crops import views_of
from .phrasing import spoken_name
from .rcd_components import Reading, changed_objects, closed_reading, divided_reading
from .seen import Seen
from .views import View

ANY = "any"
AREA = "changed area"
"""How change of any type is called."""
INSIDE, OUTSIDE = 0.9, 0.1
_THIRDS = {"left": 0, "top": 0, "right": 2, "bottom": 2}


def label_of(name: str) -> str:
    """What a class of changed pixels is called.

    Example:
        >>> label_of("building"), label_of("any")
        ('changed building', 'changed area')
    """
    return AREA if name == ANY else f"changed {name}"


def place_box(position: Position | InBox, size_wh: tuple[int, int]) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a half, quadrant or cell, or of a box in numbers, px.

    Example:
        >>> place_box(Position(frame="cell", place="top right"), (300, 90))
        (200.0, 0.0, 300.0, 30.0)
    """
    if isinstance(position, InBox):
        return position.to_px(size_wh)
    words = position.place.split()
    spans = []
    for length, names in zip(size_wh, (("left", "right"), ("top", "bottom")), strict=True):
        word = next((each for each in words if each in names), None)
        if position.frame == "cell":
            number = 1 if word is None else _THIRDS[word]
            spans.append((length * number / 3, length * (number + 1) / 3))
        else:
            spans.append(
                (0.0, float(length))
                if word is None
                else (0.0, length / 2)
                if word == names[0]
                else (length / 2, float(length))
            )
    (x0, x1), (y0, y1) = spans
    return x0, y0, x1, y1


@lru_cache(maxsize=64)
def place_px(position: Position | InBox, size_wh: tuple[int, int]) -> np.ndarray:
    """(H, W) bool, read-only: the pixels whose centre is in a half, quadrant, cell or box in numbers."""
    x0, y0, x1, y1 = place_box(position, size_wh)
    across, down = np.arange(size_wh[0]) + 0.5, np.arange(size_wh[1]) + 0.5
    pixels = np.outer((down >= y0) & (down < y1), (across >= x0) & (across < x1))
    pixels.setflags(write=False)
    return pixels


def share_in(region: Region, position: Position | InBox, size_wh: tuple[int, int]) -> float:
    """Share of a thing's pixels whose centre is in a half, quadrant, cell or box in numbers."""
    mask = region.mask
    if mask is None or not mask.area_px:
        return 0.0
    return mask.clipped(place_box(position, size_wh)).area_px / mask.area_px


class PlaceExecutor(ChangeParts):
    """An executor that judges places by pixels as well as by centres, boxes in numbers by pixels alone."""

    def _judged(self, layout: Layout, condition: Condition, status: np.ndarray) -> np.ndarray:
        match condition:
            case Not():
                return 2 - self._judged(layout, condition.condition, status)
            case Or():
                return np.maximum.reduce([self._judged(layout, part, status) for part in condition.conditions])
            case And():
                parts = []
                for part in condition.conditions:
                    parts.append(self._judged(layout, part, status))
                    status = np.minimum(status, parts[-1])
                return np.minimum.reduce(parts)
            case Position() if condition.frame != "edge":
                codes = super()._judged(layout, condition, status)
                return np.minimum(np.maximum(codes, self._by_pixels(layout, condition, FALSE)), self._by_pixels(layout, condition, TRUE))  # fmt: skip  # noqa: E501
        return super()._judged(layout, condition, status)

    def _by_pixels(self, layout: Layout, position: Position, kept: int) -> np.ndarray:
        """The most (`kept` TRUE) or least (`kept` FALSE) that the pixels let a code be."""
        shares = np.array([share_in(region, position, self.scene.size_wh) for region in layout.regions])
        if kept == TRUE:
            return np.where(shares >= INSIDE, TRUE, UNKNOWN).astype(np.int8)
        return np.where(shares <= OUTSIDE, FALSE, UNKNOWN).astype(np.int8)


class ChangeExecutor(PlaceExecutor):
    """An executor whose verdicts are those that all readings of the mask share; else unknown.

    Args:
        readings: the other readings' executors, with what their objects share pixels with.
    """

    def __init__(
        self,
        frame: Frame,
        heads: Regions,
        references: Regions,
        *,
        classes: Iterable[str],
        readings: Sequence[tuple[Executor, Mapping[str, tuple[str, ...]]]],
    ) -> None:
        super().__init__(frame, heads, references, classes=classes)
        self._readings = tuple(readings)
        self._agreed: dict[tuple[Selection, bool], Found] = {}

    def selection(self, selection: Selection, *, is_head: bool = True) -> Found:
        """The objects of a selection's classes, with the verdict that all readings share."""
        key = (selection, is_head)
        if key not in self._agreed:
            found = super().selection(selection, is_head=is_head)
            codes = found.codes.copy()
            places = {name: place for place, name in enumerate(found.ids)}
            for executor, shares in self._readings:
                other = executor.selection(selection, is_head=is_head)
                for name, code in zip(other.ids, other.codes.tolist(), strict=True):
                    for own in shares[name]:
                        if own in places and found.codes[places[own]] != code:
                            codes[places[own]] = UNKNOWN
            self._agreed[key] = Found(found.layout, codes)
        return self._agreed[key]


@dataclass(frozen=True, eq=False, kw_only=True)
class ChangeView(View):
    """A window of a pair with its changed things.

    Attributes:
        after: the later image's pixels.
        readings: other ways to divide the changed pixels.
    """

    after: Image
    readings: tuple[Reading, ...]

    def _executor(self, heads: Callable[[Seen], bool], references: Callable[[Seen], bool]) -> ChangeExecutor:
        others = []
        for reading in self.readings:
            view = View(self.image, reading.objects, self.classes, self.record)
            parts = (view._regions(holds) for holds in (heads, references))
            others.append((PlaceExecutor(self.frame, *parts, classes=self.classes), reading.shares))
        own = (self._regions(holds) for holds in (heads, references))
        return ChangeExecutor(self.frame, *own, classes=self.classes, readings=others)

    @cached_property
    def everything(self) -> Executor:
        """Over all objects, also those in doubt."""
        return self._executor(lambda _seen: True, lambda _seen: True)

    @cached_property
    def certain(self) -> Executor:
        """Over the objects that are not in doubt."""
        return self._executor(lambda seen: not seen.doubt, lambda seen: seen.is_sure_reference)

    @cached_property
    def crisp(self) -> Executor:
        """Over all objects, with the limits that `surveyor ask` uses."""
        return ChangeParts(self.frame, self._regions(lambda _seen: True), classes=self.classes, bands=CRISP)

    def is_turned(self, labels: tuple[str, ...]) -> bool:
        """False: how long or how turned a changed part is, is nothing that a mask of pixels settles."""
        return False


def change_views(
    record: Record, *, seed: int, root: str | None = None, tally: Tally | None = None
) -> Iterator[ChangeView]:
    """The windows of a pair: for each, one view of the changed things by type and one of change of any type.

    Args:
        record: a pair with its size and what changed.
        seed: of the build.
        root: image paths become relative to it.
        tally: counts windows that are left out.
    """
    assert record.after is not None
    pixels = {
        label_of(name): mask.to_array()
        for name, mask in record.changed.items()
        if name not in DAMAGE.values() and spoken_name(label_of(name)) == label_of(name)
    }
    typed = tuple(label for label in pixels if label != AREA)
    other = np.zeros((0, 0), dtype=bool)  # change that is of none of the types
    if typed and AREA in pixels:
        other = pixels[AREA] & ~np.logical_or.reduce([pixels[label] for label in typed])
    path = Path(record.after)
    named = path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else str(path)
    for window in views_of(replace(record, things=()), seed=seed, masks=False, root=root, tally=tally):
        after = window.image.model_copy(update={"path": named})
        shape_hw = window.image.size_wh[::-1]
        seen = {label: changed_objects(label, pixels[label], window.image.crop_xyxy) for label in pixels}
        by_type = [seen[label] for label in typed]
        if other.any():
            by_type.append(changed_objects("other", other, window.image.crop_xyxy))
        for labels in (typed, (AREA,) if AREA in pixels else ()):
            if not labels:
                continue
            objects = tuple(each for label in labels for each in seen[label])
            readings = [closed_reading(objects, shape_hw)]
            if labels == (AREA,) and typed and objects:
                readings.append(divided_reading(objects, tuple(each for found in by_type for each in found)))
            known = tuple(reading for reading in readings if reading is not None)
            yield ChangeView(window.image, objects, labels, record, after=after, readings=known)
