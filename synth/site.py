"""A place being laid out: items with exact outlines and the strokes that draw them, and a map of what is taken."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from .canvas import Canvas, fixed
from .look import COLOURS, Colour, Look, near
from .scene import SynthObject
from .shapes import Points, Pose

WATER, ROAD, THING, STRUCTURE, PAVED, CROWN = 1, 2, 4, 8, 16, 32
BUILT = THING | STRUCTURE | CROWN
ANYTHING = 255
Stroke = Callable[[Canvas], None]


@dataclass(frozen=True, eq=False)
class Item:
    """Something on the site: a labelled thing or area, or (label None) mere decoration.

    Attributes:
        parts: outlines clipped to the image; empty for decoration.
        ground, shadow, top: what to draw in each pass; scar: what the ground shows where the thing is missing.
        high: drawn after all others (a crane's boom reaches over ships).
    """

    id: str
    label: str | None
    is_area: bool
    parts: tuple[SynthObject, ...]
    ground: Stroke | None
    shadow: Stroke | None
    top: Stroke | None
    scar: Stroke | None
    ground_z: int
    high: bool = False


class Site:
    """The layout of one seeded scene. Drawing it twice with two looks gives two dates of one place."""

    def __init__(self, kind: str, rng: np.random.Generator, size_wh: tuple[int, int], gsd_m: float) -> None:
        self.kind, self.rng, self.size_wh, self.gsd_m = kind, rng, size_wh, gsd_m
        self.items: list[Item] = []
        self.taken = np.zeros((size_wh[1], size_wh[0]), np.uint8)
        self.keep_out: shapely.Geometry | None = None
        self.roads: list[shapely.Polygon] = []
        self._numbers: dict[str, int] = {}
        self._offset = (int(rng.integers(1024)), int(rng.integers(1024)))

    # --- frames -----------------------------------------------------------------------------------------------------
    def pose(self, x_px: float, y_px: float, angle: float = 0.0) -> Pose:
        """A local frame in metres with its origin at a pixel position."""
        return Pose(x_px, y_px, angle, 1 / self.gsd_m)

    def centre(self, angle: float = 0.0) -> Pose:
        """The frame at the middle of the image."""
        return self.pose(self.size_wh[0] / 2, self.size_wh[1] / 2, angle)

    @property
    def reach_m(self) -> float:
        """Half the diagonal: a local frame at the middle covers the image within this."""
        return float(np.hypot(*self.size_wh)) / 2 * self.gsd_m

    def colour(self, *names: str) -> tuple[str, Colour]:
        """One of the named colours, at random, and a shade of it."""
        name = names[self.rng.integers(len(names))]
        return name, near(self.rng, COLOURS[name], 5)

    # --- what is taken ----------------------------------------------------------------------------------------------
    def _bounds(self, f: NDArray[np.int32], margin_px: float) -> tuple[int, int, int, int] | None:
        """The pixel window (x0, y0, x1, y1) of fixed-point points and a margin, inside the image; None when outside."""
        (left, upper), (right, lower) = f.min(axis=0).tolist(), f.max(axis=0).tolist()
        m = math.ceil(margin_px)
        x0, y0 = max((left >> 6) - m, 0), max((upper >> 6) - m, 0)
        x1, y1 = min((right >> 6) + m + 2, self.size_wh[0]), min((lower >> 6) + m + 2, self.size_wh[1])
        return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None

    @staticmethod
    def _stamp(
        f: NDArray[np.int32], window: tuple[int, int, int, int], margin_px: float, value: int
    ) -> NDArray[np.uint8]:
        """The window (h, w) with `value` on the outline's pixels, its inside, and a margin."""
        x0, y0, x1, y1 = window
        stamp = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(stamp, [f], value, cv2.LINE_8, 6, (-x0 << 6, -y0 << 6))
        if margin_px > 0.75:
            moved = f - np.array((x0 << 6, y0 << 6), np.int32)
            cv2.polylines(stamp, [moved], True, value, round(2 * margin_px), cv2.LINE_8, 6)
        return stamp

    def free(self, outline: ArrayLike, forbid: int = BUILT, margin_px: float = 1.5) -> bool:
        """True when no pixel within `margin_px` of the outline is taken by what `forbid` names."""
        return self._is_free(fixed(outline), forbid, margin_px)

    def _is_free(self, f: NDArray[np.int32], forbid: int, margin_px: float) -> bool:
        window = self._bounds(f, margin_px)
        if window is None:
            return False
        x0, y0, x1, y1 = window
        patch = self.taken[y0:y1, x0:x1] & forbid
        if not patch.any():
            return True
        return not cv2.bitwise_and(patch, self._stamp(f, window, margin_px, 255)).any()

    def within(self, outline: ArrayLike, need: int) -> bool:
        """True when every pixel of the outline has the `need` bit."""
        f = fixed(outline)
        window = self._bounds(f, 0)
        if window is None:
            return False
        x0, y0, x1, y1 = window
        return not (self._stamp(f, window, 0, need) & ~self.taken[y0:y1, x0:x1]).any()

    def claim(self, outline: ArrayLike, bits: int) -> None:
        """Mark the outline as taken."""
        self._take(fixed(outline), bits)

    def _take(self, f: NDArray[np.int32], bits: int) -> None:
        window = self._bounds(f, 1) if bits else None
        if window is not None:
            x0, y0, x1, y1 = window
            self.taken[y0:y1, x0:x1] |= self._stamp(f, window, 1, bits)

    # --- adding -----------------------------------------------------------------------------------------------------
    def decorate(
        self,
        ground: Stroke | None = None,
        shadow: Stroke | None = None,
        top: Stroke | None = None,
        ground_z: int = 0,
        owner: str = "",
    ) -> None:
        """Draw something that carries no label; it is missing where the item with the id `owner` is."""
        self.items.append(Item(owner, None, False, (), ground, shadow, top, None, ground_z))

    def area(
        self, label: str, outline: ArrayLike, ground: Stroke | None, claim: int = 0, ground_z: int = 0, **kind: Any
    ) -> Item | None:
        """Add stuff; it may leave the image (each visible part becomes an area) and cross other areas."""
        self.claim(outline, claim)
        parts = self._clip(np.asarray(outline, dtype=np.float64), self.keep_out if kind.get("cut", True) else None)
        parts = [(p, f) for p, f in parts if cv2.contourArea(p.astype(np.float32)) >= 16]
        if not parts:
            self.decorate(ground, ground_z=ground_z)
            return None
        things = tuple(SynthObject(self._number(label), label, p, None, f) for p, f in parts)
        item = Item(things[0].id, label, True, things, ground, None, None, None, ground_z)
        self.items.append(item)
        return item

    def put(
        self,
        label: str,
        outline: ArrayLike,
        top: Stroke,
        *,
        shadow: Stroke | None = None,
        ground: Stroke | None = None,
        scar: Stroke | None = None,
        colour: str | None = None,
        forbid: int = BUILT,
        claim: int = THING,
        margin_px: float = 1.5,
        least_visible: float = 0.35,
        high: bool = False,
    ) -> Item | None:
        """Add a thing where its outline is free; None (and nothing drawn) when taken or mostly off the image."""
        p = np.asarray(outline, dtype=np.float64)
        f = fixed(p)
        if not self._is_free(f, forbid, margin_px):
            return None
        parts = self._clip(p, None)
        if len(parts) != 1 or parts[0][1] < least_visible or np.ptp(parts[0][0], axis=0).min() < 2:
            return None
        self._take(f, claim)
        thing = SynthObject(self._number(label), label, parts[0][0], colour, parts[0][1])
        item = Item(thing.id, label, False, (thing,), ground, shadow, top, scar, 5, high)
        self.items.append(item)
        return item

    def _number(self, label: str) -> str:
        self._numbers[label] = self._numbers.get(label, 0) + 1
        return f"{label} {self._numbers[label]}"

    def _clip(self, p: Points, cut: shapely.Geometry | None) -> list[tuple[Points, float]]:
        """Parts of an outline inside the image (and outside `cut`), each with its share of the whole area."""
        w, h = self.size_wh
        if cut is None and p.min() >= 0 and p[:, 0].max() <= w and p[:, 1].max() <= h:
            return [(p, 1.0)]
        whole = shapely.Polygon(p)
        if not whole.is_valid:
            whole = whole.buffer(0)
        seen = whole.intersection(shapely.box(0, 0, w, h))
        if cut is not None:
            seen = seen.difference(cut)
        parts = [g for g in getattr(seen, "geoms", [seen]) if g.geom_type == "Polygon" and g.area > 1]
        return [(np.clip(np.array(g.exterior.coords[:-1]), 0, (w, h)), min(g.area / whole.area, 1.0)) for g in parts]

    # --- drawing ----------------------------------------------------------------------------------------------------
    def draw(self, look: Look, hidden: Collection[str] = (), noise_xy: tuple[int, int] = (0, 0)) -> NDArray[np.uint8]:
        """The picture (H, W, 3) uint8 RGB of the site in a look, without the items whose id is in `hidden`."""
        canvas = Canvas(self.size_wh, self.gsd_m, look, self._offset)
        canvas.ground()
        shown = [item for item in self.items if not item.id or item.id not in hidden]
        missing = [(item.ground_z, item.scar) for item in self.items if item.id and item.id in hidden and item.scar]
        strokes = [(item.ground_z, item.ground) for item in shown if item.ground] + missing
        for _, stroke in sorted(strokes, key=lambda pair: pair[0]):
            if stroke is not None:
                stroke(canvas)
        for item in shown:
            if item.shadow is not None:
                item.shadow(canvas)
        canvas.settle()
        for item in sorted(shown, key=lambda item: item.high):
            if item.top is not None:
                item.top(canvas)
        return canvas.finish(noise_xy)
