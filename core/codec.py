"""Sets of points as text, the only form in which a language model tells where things are.

The native dialect follows GeoRSMLLM section III-A. Its convention, in full:

- an integer grid from 0 to 1000 along each axis (x by the image's width, y by its height), rounded half up, clipped;
- a point is (x,y), x to the right, y down;
- an oriented box is four corners, clockwise on screen, starting at the top-most, then left-most:
  `[(x1,y1),(x2,y2),(x3,y3),(x4,y4)]`;
- an upright box is its upper left and lower right corner, and may carry key points:
  `[(x1,y1),(x2,y2)] keypoints [(x,y),...]`;
- a polygon is closed: its last point is its first;
- several objects stand one a line; no object is the word `none`.

Reading never guesses: text gives objects, an empty list for an explicit "none", or `ModelOutputError` with the text.
Other models speak other dialects (`core.dialects`); `register` adds one under its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from .errors import ModelOutputError, UsageError
from .frames import Frame, SizeWH
from .geometry import corners_to_box
from .rotated_iou import as_quads, crossing_quads

if TYPE_CHECKING:
    from .masks import Mask

_MAX_CHARACTERS = 1_000_000
_SAME = 1e-9  # of a box's extent: nearer than this is the same height
_POINT = re.compile(r"\(\s*(-?\d{1,9}(?:\.\d{1,9})?)\s*,\s*(-?\d{1,9}(?:\.\d{1,9})?)\s*\)", re.ASCII)
_LIST = re.compile(r"\[([^\[\]]*)\]")
_KEYPOINTS = re.compile(r"[\s,;:]*key[ -]?points?\s*[:=]?\s*", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,;.]*(?:and)?[\s,;]*", re.IGNORECASE)
_PROSE = re.compile(r"[^\[\](){}<>]+")  # words: nothing that could be half of an object
_NONE = re.compile(
    r"(?:\[\s*\]|none|nothing"
    r"|no (?:such )?(?:objects?|targets?|match(?:es)?|regions?|results?)(?: (?:found|detected))?)\.?",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class Pointed:
    """One object that a text points at, in full-scene px.

    Attributes:
        kind: "obb" (four corners), "box" (upright), "polygon" or "mask" (any pixels: several parts, holes).
        points_px: (4, 2) canonical corners; (2, 2) upper left and lower right; (N, 2) ring, open; of a mask the ring
            of the convex hull, so that whoever knows no masks still gets the right box.
        keypoints_px: (K, 2) points inside a box; None when none were given.
        label: what the text calls it; None in dialects that write no names.
        span: first and last + 1 character of the text that it was read from; None when it was not read.
        mask: the pixels of a mask, in a scene of the image's size; None for the other kinds.
    """

    kind: str
    points_px: np.ndarray
    keypoints_px: np.ndarray | None = None
    label: str | None = None
    span: tuple[int, int] | None = None
    mask: Mask | None = None


class Dialect(Protocol):
    """How one family of models writes sets of points."""

    @property
    def name(self) -> str:
        """The name it is registered under."""
        ...

    @property
    def coordinates(self) -> str:
        """What its numbers mean, for people: "0-1000 of the image's width and height"."""
        ...

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of objects that it can write, see `Pointed.kind`."""
        ...

    def encode(self, objects: Sequence[Pointed], size_wh: SizeWH) -> str:
        """The text for these objects in a scene of this size."""
        ...

    def decode(self, text: str, size_wh: SizeWH, *, kind: str | None = None, strict: bool = True) -> list[Pointed]:
        """The objects in the text, [] for an explicit none; otherwise raises ModelOutputError and nothing else.

        Args:
            text: a model's reply.
            size_wh: of the image that the model was shown; objects come back in its px.
            kind: "polygon" where polygons were asked for: lists of points are then closed where they are not.
            strict: nothing but objects may stand in the text; otherwise words may stand around them.
        """
        ...


@dataclass(frozen=True)
class PointCodec:
    """The native dialect (see the module's head), on an integer grid of `steps`."""

    name: str = "native"
    steps: int = 1000
    kinds: tuple[str, ...] = ("obb", "box", "polygon")

    @property
    def coordinates(self) -> str:
        """What the numbers mean."""
        return f"0-{self.steps} of the image's width and height"

    def encode(self, objects: Sequence[Pointed], size_wh: SizeWH) -> str:
        """The text for the objects, one a line; "none" for an empty sequence.

        Args:
            objects: what to write, full-scene px. Points outside the scene are clipped to its edge.
            size_wh: width and height of the scene in px.

        Raises:
            UsageError: an unknown kind, or points that do not fit it.

        Example:
            >>> box = Pointed("box", np.array([[10, 20], [60, 70]]), np.array([[35, 45]]))
            >>> PointCodec().encode([box], (100, 100))
            '[(100,200),(600,700)] keypoints [(350,450)]'
        """
        if not objects:
            return "none"
        grids = [self._grid_of(item, size_wh) for item in objects]
        quads = [index for index, item in enumerate(objects) if item.kind == "obb"]
        for index, quad in zip(quads, canonical_quads(np.reshape([grids[i] for i in quads], (-1, 4, 2))), strict=True):
            grids[index] = quad.astype(np.int64)
        return "\n".join(self._written(item, grid, size_wh) for item, grid in zip(objects, grids, strict=True))

    def decode(self, text: str, size_wh: SizeWH, *, kind: str | None = None, strict: bool = True) -> list[Pointed]:
        """The objects in a model's reply, px of an image of that size.

        Two points are an upright box, four (not closed) an oriented box, and a list whose last point is its first a
        polygon. Spaces, line breaks, commas or "and" may stand between objects; other words may not. Numbers beyond the
        grid are clipped to it by at most a tenth of its length, and are an error beyond that.

        Args:
            text: the reply.
            size_wh: width and height in px that the grid spans.
            kind: "polygon" where polygons were asked for: three points or more are then one, closed or not.
            strict: False lets words without brackets stand around the objects ("I see two: [...] and [...].").

        Raises:
            ModelOutputError: any text that is neither such objects nor an explicit none; `raw` holds it.

        Example:
            >>> PointCodec().decode("[(100,200),(600,700)]", (50, 100))[0].points_px.tolist()
            [[5.0, 20.0], [30.0, 70.0]]
        """
        check_length(text)
        if says_none(text):
            return []
        frame = Frame.grid(size_wh, self.steps)
        objects: list[Pointed] = []
        place, stop = len(text) - len(text.lstrip()), len(text.rstrip())
        while place < stop:
            found = _LIST.match(text, place)
            if found is None:
                words = None if strict else _PROSE.match(text, place)
                if words is None:
                    raise ModelOutputError(f"expected '[(x,y),...]' or 'none' at {text[place : place + 40]!r}", text)
                place = words.end()
                continue
            start, place = place, found.end()
            points, keypoints = self._read_points(found.group(1), text), None
            link = _KEYPOINTS.match(text, place)
            if link is not None:
                found = _LIST.match(text, link.end())
                if found is None:
                    raise ModelOutputError(f"expected a list of points after 'keypoints' at {place}", text)
                keypoints, place = self._read_points(found.group(1), text), found.end()
            read = _as_object(points, keypoints, frame, text, kind == "polygon")
            objects.append(replace(read, span=(start, place)))
            between = _BETWEEN.match(text, place)
            place = between.end() if between else place
        if not objects:
            raise ModelOutputError("the reply is empty, expected '[(x,y),...]' or 'none'", text)
        return in_canonical_order(objects)

    def _grid_of(self, item: Pointed, size_wh: SizeWH) -> np.ndarray:
        """The object's points in whole steps of the grid."""
        points = np.asarray(item.points_px, dtype=np.float64)
        least = {"obb": 4, "box": 2, "polygon": 3}.get(item.kind)
        if least is None:
            raise UsageError(f"object kind is {item.kind!r}, expected 'obb', 'box' or 'polygon'")
        if points.ndim != 2 or len(points) < least or (len(points) > least and item.kind != "polygon"):
            raise UsageError(f"a {item.kind} has points of shape {points.shape!r}, expected ({least}, 2)")
        return self._to_grid(points, size_wh)

    def _written(self, item: Pointed, grid: np.ndarray, size_wh: SizeWH) -> str:
        if item.kind == "obb":
            while (grid[0] == grid[-1]).all() and np.ptp(grid, axis=0).any():  # or it would read as a closed triangle
                grid = np.roll(grid, 1, axis=0)
        elif item.kind == "box":
            grid = np.stack([grid.min(axis=0), grid.max(axis=0)])
        elif item.kind == "polygon":
            grid = np.vstack([grid, grid[:1]])
        text = _listed(grid)
        if item.keypoints_px is None:
            return text
        return f"{text} keypoints {_listed(self._to_grid(np.asarray(item.keypoints_px), size_wh))}"

    def _to_grid(self, points_px: np.ndarray, size_wh: SizeWH) -> np.ndarray:
        grid = Frame.grid(size_wh, self.steps).from_scene(points_px)
        if not np.isfinite(grid).all():
            raise UsageError("a point to encode is NaN or infinite; drop it first")
        return np.clip(np.floor(grid + 0.5), 0, self.steps).astype(np.int64)

    def _read_points(self, inner: str, raw: str) -> np.ndarray:
        found = list(_POINT.finditer(inner))
        rest = _POINT.sub("", inner)
        if not found or rest.replace(",", "").strip() or rest.count(",") > len(found):
            raise ModelOutputError(f"expected points '(x,y),(x,y)' in {inner[:60]!r}", raw)
        points = np.array([[float(match[1]), float(match[2])] for match in found])
        slack = self.steps / 10
        if (points < -slack).any() or (points > self.steps + slack).any():
            raise ModelOutputError(
                f"a coordinate in {inner[:60]!r} is far outside the grid 0-{self.steps}; "
                "does the checkpoint write its coordinates in another convention?", raw,
            )  # fmt: skip
        return np.clip(points, 0, self.steps)


def says_none(text: str) -> bool:
    """Whether the text says in so many words that there is nothing: "none", "[]", "no objects found"."""
    return _NONE.fullmatch(text.strip()) is not None


def check_length(text: str) -> None:
    """Raises ModelOutputError for a reply that is too long to be one."""
    if len(text) > _MAX_CHARACTERS:
        raise ModelOutputError(f"the reply has {len(text)} characters, expected at most {_MAX_CHARACTERS}", text)


def canonical_quads(quads: np.ndarray) -> np.ndarray:
    """`geometry.canonical_corners` of many quadrilaterals at once: (N, 4, 2) -> (N, 4, 2).

    Raises:
        UsageError: wrong shape or a coordinate that is not finite.
    """
    quads = as_quads(quads, "corners").copy()
    crossing = crossing_quads(quads)
    if crossing.any():
        away = quads[crossing] - quads[crossing].mean(axis=1, keepdims=True)
        order = np.argsort(np.arctan2(away[..., 1], away[..., 0]), axis=1, kind="stable")
        quads[crossing] = np.take_along_axis(quads[crossing], order[..., None], axis=1)
    x, y = np.moveaxis(quads - quads[:, :1], 2, 0)
    area = (x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)
    quads = np.where((area < 0)[:, None, None], quads[:, ::-1], quads)
    x, y = quads[..., 0], quads[..., 1]
    tolerance = _SAME * np.ptp(quads, axis=1).max(axis=1, initial=1.0)
    top = y <= y.min(axis=1, keepdims=True) + tolerance[:, None]
    start = np.argmin(np.where(top, x, np.inf), axis=1)
    return np.take_along_axis(quads, ((start[:, None] + np.arange(4)) % 4)[..., None], axis=1)


def in_canonical_order(objects: list[Pointed]) -> list[Pointed]:
    """The objects with the corners of every oriented box in canonical order."""
    quads = [index for index, item in enumerate(objects) if item.kind == "obb"]
    corners = canonical_quads(np.reshape([objects[i].points_px for i in quads], (-1, 4, 2)))
    for index, four in zip(quads, corners, strict=True):
        objects[index] = replace(objects[index], points_px=four)
    return objects


def _as_object(
    points: np.ndarray, keypoints: np.ndarray | None, frame: Frame, raw: str, is_polygon: bool = False
) -> Pointed:
    closed = len(points) > 3 and bool((points[0] == points[-1]).all())
    closed = closed and not (len(points) == 4 and (points == points[0]).all())  # an oriented box below one grid step
    keypoints_px = None if keypoints is None else frame.to_scene(keypoints)
    if keypoints is not None and len(points) != 2:
        raise ModelOutputError(f"key points follow {len(points)} points, expected a box of two points", raw)
    if len(points) == 2:
        return Pointed("box", corners_to_box(frame.to_scene(points)).reshape(2, 2), keypoints_px)
    if closed:
        return Pointed("polygon", frame.to_scene(points[:-1]))
    if is_polygon and len(points) > 2:
        return Pointed("polygon", frame.to_scene(points))
    if len(points) == 4:
        return Pointed("obb", frame.to_scene(points))
    raise ModelOutputError(f"a list of {len(points)} points is no box (2), oriented box (4) or closed polygon", raw)


def _listed(grid: np.ndarray) -> str:
    return "[" + ",".join(f"({x},{y})" for x, y in grid.tolist()) + "]"


_DIALECTS: dict[str, Dialect] = {"native": PointCodec()}


def _known() -> dict[str, Dialect]:
    """Every dialect by its name."""
    from .dialects import STOCK

    return {**{each.name: each for each in STOCK}, **_DIALECTS}


def register(dialect: Dialect) -> None:
    """Make a dialect known under its `name`; a name can be taken once.

    Raises:
        UsageError: the name is taken.
    """
    if dialect.name in _known():
        raise UsageError(f"the dialect name {dialect.name!r} is taken; choose another name")
    _DIALECTS[dialect.name] = dialect


def dialect(name: str = "native") -> Dialect:
    """The dialect of that name.

    Raises:
        UsageError: unknown name; the message lists the known ones.
    """
    known = _known()
    if name not in known:
        raise UsageError(f"unknown dialect {name!r}, expected one of {', '.join(sorted(known))}")
    return known[name]
