"""Rectangles told by four numbers and an angle: the arithmetic that the dialects with angles share.

An angle means nothing by itself. A `Turned` says which side it belongs to, in which range it lies, which way it turns
on screen, what the four numbers are, and how they are rounded (FORMATS.md section 0.1 lists the systems in use).

The rectangle is turned in pixels, after its numbers were scaled by the image's own sides, as GeoChat's demo does. On a
square image, the only kind that VRSBench and FIT-RS publish, that is the same as turning in the grid; on others it
keeps a rectangle a rectangle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..codec import Pointed, canonical_quads
from ..errors import ModelOutputError, UsageError
from ..frames import SizeWH
from ..geometry import min_area_rect

_SAME = 1e-9
_SLACK = 0.1
_NOISE = 1e-6  # of a written unit: a number this little below a whole one is that whole one


@dataclass(frozen=True)
class Turned:
    """One way of telling a rectangle by four numbers and an angle in degrees.

    Attributes:
        numbers: "centre" (cx, cy, w, h), "corners" (x1, y1, x2, y2 of the rectangle before it is turned about its
            centre) or "diagonal" (two opposite corners of the turned rectangle, the one nearest to the origin first).
        least: the range of written angles begins here, in degrees.
        span: length of the range: 90 (then either side may be called w) or 180 (then w is the longer side).
        least_is_open: the range is (least, least + span]; else [least, least + span).
        is_clockwise: on screen, from the image's x axis to the side w; else counter-clockwise.
        steps: length of the grid along each axis of the image; w is measured by the image's width, h by its height.
        decimals: of the four numbers.
        truncates: the four numbers are cut off toward zero; else rounded half up.
        truncates_angle: the angle is cut off to whole degrees; else rounded half up.
    """

    numbers: str
    least: float
    span: float
    least_is_open: bool
    is_clockwise: bool
    steps: int = 100
    decimals: int = 0
    truncates: bool = False
    truncates_angle: bool = False

    def write(self, objects: Sequence[Pointed], size_wh: SizeWH) -> list[list[str]]:
        """The four numbers and the angle of each object, as text.

        Upright boxes are rectangles that are not turned; of anything else that is no rectangle the smallest one round
        it is told (as the authors' scripts do). An object whose centre lies far outside the image is cut to the image
        first; one that only leaves it is written whole, so numbers may be below 0 or above the grid.

        Raises:
            UsageError: an object without points, or with one that is not finite.
        """
        size = np.asarray(size_wh, dtype=np.float64)
        if not objects:
            return []
        centre, sides, degrees = _rectangles([_four_points(item, size) for item in objects])
        outside = np.flatnonzero(~self._fits(centre, sides, size))
        if len(outside):
            cut = [min_area_rect(np.clip(objects[i].points_px, 0, size)) for i in outside.tolist()]
            centre[outside], sides[outside], degrees[outside] = _rectangles(cut)
        corners = _turned(centre, sides, degrees)
        sides, degrees = self._named(sides, degrees)
        unit = size / self.steps
        middle, half = centre / unit, sides / unit / 2
        if self.numbers == "centre":
            four = np.concatenate([middle, 2 * half], axis=1)
        elif self.numbers == "corners":
            four = np.concatenate([middle - half, middle + half], axis=1)
        else:
            corners = corners / unit
            first = np.argmin((corners**2).sum(axis=2).round(9), axis=1)
            rows = np.arange(len(corners))
            four = np.concatenate([corners[rows, first], corners[rows, (first + 2) % 4]], axis=1)
        told = _shortened(four, self.decimals, self.truncates)
        return [
            [*(f"{v + 0.0:.{self.decimals}f}" for v in row), str(int(angle))]
            for row, angle in zip(told.tolist(), degrees.tolist(), strict=True)
        ]

    def read(self, rows: Sequence[Sequence[float]], size_wh: SizeWH, raw: str) -> np.ndarray:
        """Corners (N, 4, 2), canonical, px, of N rows of four numbers and an angle.

        Corners may lie outside the image (a turned rectangle at its edge does), its centre only by a tenth.

        Raises:
            ModelOutputError: numbers or an angle that this way of telling cannot mean; `raw` is its text.
        """
        size = np.asarray(size_wh, dtype=np.float64)
        told = np.asarray(rows, dtype=np.float64).reshape(-1, 5)
        unit, degrees = size / self.steps, told[:, 4]
        if self.numbers == "centre":
            centre, sides = told[:, :2] * unit, told[:, 2:4] * unit
            below = np.asarray((sides < 0).any(axis=1))
            if below.any():
                raise ModelOutputError(f"a side in {_first(told, below)} is below 0", raw)
        else:
            one, other = told[:, :2] * unit, told[:, 2:4] * unit
            centre, sides = (one + other) / 2, np.abs(other - one)
        slack = _SLACK * self.span
        strange = (degrees < self.least - slack) | (degrees > self.least + self.span + slack)
        strange |= ~self._fits(centre, sides, size)
        if strange.any():
            raise ModelOutputError(
                f"{_first(told, strange)} lies far outside the grid 0-{self.steps} or the angles {self.least:g} to "
                f"{self.least + self.span:g}; does the checkpoint write in another convention?", raw,
            )  # fmt: skip
        if self.numbers == "diagonal":
            return canonical_quads(_from_diagonal(one, other, self._on_screen(degrees)))
        return canonical_quads(_turned(centre, sides, self._on_screen(degrees)))

    def _fits(self, centre: np.ndarray, sides: np.ndarray, size: np.ndarray) -> np.ndarray:
        """(N,) whether the centres lie in the image and the sides are no longer than its diagonal, but for a tenth."""
        within = ((centre >= -_SLACK * size) & (centre <= (1 + _SLACK) * size)).all(axis=1)
        return np.asarray(within & (sides <= (1 + _SLACK) * np.linalg.norm(size)).all(axis=1))

    def _on_screen(self, degrees: np.ndarray) -> np.ndarray:
        """Written angles as clockwise ones, and back."""
        return degrees if self.is_clockwise else -degrees

    def _named(self, sides: np.ndarray, clockwise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sides and whole degrees by this convention, from sides and the clockwise angle of the first of them."""
        degrees = np.round(self._on_screen(clockwise), 9)
        if self.span == 180:
            short = sides[:, 0] < sides[:, 1] * (1 - _SAME)
            square = np.abs(sides[:, 0] - sides[:, 1]) <= _SAME * sides.max(axis=1)
            sides = np.where(short[:, None], sides[:, ::-1], sides)
            degrees = np.where(square, np.mod(degrees, 90), degrees + 90 * short)
        if not self.truncates_angle:
            degrees = np.floor(degrees + 0.5)
        wrapped = self._wrapped(degrees)
        odd = np.mod(np.round((degrees - wrapped) / 90), 2) == 1
        sides = np.where((odd & (self.span == 90))[:, None], sides[:, ::-1], sides)
        return sides, np.trunc(wrapped + np.copysign(_NOISE, wrapped)) if self.truncates_angle else wrapped

    def _wrapped(self, degrees: np.ndarray) -> np.ndarray:
        most = self.least + self.span
        if self.least_is_open:
            return most - np.mod(most - degrees, self.span)
        return self.least + np.mod(degrees - self.least, self.span)


def _four_points(item: Pointed, size: np.ndarray) -> np.ndarray:
    """(4, 2) corners of an object's rectangle, in order round it."""
    points = np.asarray(item.points_px, dtype=np.float64)
    if points.ndim != 2 or not len(points) or points.shape[1] != 2 or not np.isfinite(points).all():
        raise UsageError(f"a {item.kind} to encode has points of shape {points.shape!r}, expected finite (N, 2)")
    if item.kind == "box":
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    if item.kind == "obb" and len(points) == 4 and _is_rectangle(points, float(size.max())):
        return points
    return min_area_rect(points)


def _is_rectangle(points: np.ndarray, extent: float) -> bool:
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = points.tolist()
    skew = abs(ax + cx - bx - dx) + abs(ay + cy - by - dy)
    diagonals = ((cx - ax) ** 2 + (cy - ay) ** 2) ** 0.5, ((dx - bx) ** 2 + (dy - by) ** 2) ** 0.5
    return skew + abs(diagonals[0] - diagonals[1]) <= 1e-6 * max(diagonals) + 1e-12 * extent


def _rectangles(corners: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres (N, 2), sides (N, 2) and the clockwise angle (N,) in degrees of the first side, of N rectangles."""
    quads = np.stack(corners)
    first, second = quads[:, 1] - quads[:, 0], quads[:, 2] - quads[:, 1]
    sides = np.stack([np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)], axis=1)
    along = np.where(sides[:, :1] >= sides[:, 1:], first, np.stack([second[:, 1], -second[:, 0]], axis=1))
    return quads.mean(axis=1), sides, np.degrees(np.arctan2(along[:, 1], along[:, 0]))


def _turned(centre: np.ndarray, sides: np.ndarray, clockwise: np.ndarray) -> np.ndarray:
    """Corners (N, 4, 2), in order round each rectangle."""
    turn = np.radians(clockwise)
    along = np.stack([np.cos(turn), np.sin(turn)], axis=1) * sides[:, :1] / 2
    across = np.stack([-np.sin(turn), np.cos(turn)], axis=1) * sides[:, 1:] / 2
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return np.stack([centre + s * along + t * across for s, t in signs], axis=1)


def _from_diagonal(one: np.ndarray, other: np.ndarray, clockwise: np.ndarray) -> np.ndarray:
    """Rectangles with these opposite corners and sides along these angles: mirrors the diagonal in the side's axis."""
    middle, half, turn = (one + other) / 2, (other - one) / 2, np.radians(clockwise)
    axis = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    mirrored = 2 * (half * axis).sum(axis=1, keepdims=True) * axis - half
    return np.stack([middle - half, middle + mirrored, middle + half, middle - mirrored], axis=1)


def _shortened(numbers: np.ndarray, decimals: int, truncates: bool) -> np.ndarray:
    scaled = numbers * 10**decimals
    whole = np.trunc(scaled + np.copysign(_NOISE, scaled)) if truncates else np.floor(scaled + 0.5 + _NOISE)
    return whole / 10**decimals


def _first(rows: np.ndarray, chosen: np.ndarray) -> str:
    """The first of the chosen rows, for a message."""
    return str([round(float(v), 2) for v in rows[int(np.argmax(chosen))]])
