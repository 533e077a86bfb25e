"""Outlines in metres, and the pose that puts them on the image. Angles are radians from +x towards +y (down)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """Where a local frame (metres, x forward, y to the right hand) lies: origin, heading, pixels per metre."""

    x_px: float
    y_px: float
    angle: float
    px_per_m: float

    def __call__(self, points_m: ArrayLike) -> Points:
        """Pixel positions (N, 2) of local points (N, 2) in metres."""
        return np.asarray(points_m, dtype=np.float64) @ self._turn + self._origin

    @cached_property
    def _turn(self) -> Points:
        c, s = math.cos(self.angle) * self.px_per_m, math.sin(self.angle) * self.px_per_m
        return np.array([[c, s], [-s, c]])

    @cached_property
    def _origin(self) -> Points:
        return np.array([self.x_px, self.y_px])

    def local(self, points_px: ArrayLike) -> Points:
        """Local points (N, 2) in metres of pixel positions (N, 2): the inverse of calling the pose."""
        d = np.asarray(points_px, dtype=np.float64).reshape(-1, 2) - (self.x_px, self.y_px)
        c, s = np.cos(self.angle), np.sin(self.angle)
        return np.stack([d[:, 0] * c + d[:, 1] * s, -d[:, 0] * s + d[:, 1] * c], axis=1) / self.px_per_m

    def at(self, x_m: float, y_m: float) -> tuple[float, float]:
        """The pixel position of one local point."""
        pose = self.moved(x_m, y_m)
        return pose.x_px, pose.y_px

    def moved(self, x_m: float, y_m: float, turn: float = 0.0) -> Pose:
        """The pose whose origin is at local (x_m, y_m) and whose heading is turned by `turn` radians."""
        c, s = math.cos(self.angle) * self.px_per_m, math.sin(self.angle) * self.px_per_m
        return Pose(self.x_px + x_m * c - y_m * s, self.y_px + x_m * s + y_m * c, self.angle + turn, self.px_per_m)


def rect(length: float, width: float, cx: float = 0.0, cy: float = 0.0) -> Points:
    """Four corners of a box around (cx, cy): `length` along x, `width` along y."""
    a, b = length / 2, width / 2
    return np.array([(cx - a, cy - b), (cx + a, cy - b), (cx + a, cy + b), (cx - a, cy + b)])


def span(x0: float, x1: float, y0: float, y1: float) -> Points:
    """Four corners of the box from (x0, y0) to (x1, y1)."""
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


@lru_cache(maxsize=256)
def rounded(length: float, width: float, radius: float, steps: int = 3) -> Points:
    """A box with round corners; `steps` segments a corner."""
    a, b = length / 2 - radius, width / 2 - radius
    turns = np.linspace(0, np.pi / 2, steps + 1)
    parts = []
    for k, (sx, sy) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        t = turns + k * np.pi / 2
        parts.append(np.stack([sx * a + radius * np.cos(t), sy * b + radius * np.sin(t)], axis=1))
    return np.concatenate(parts)


def disc(radius: float, n: int = 40, cx: float = 0.0, cy: float = 0.0) -> Points:
    """A circle of `n` points."""
    t = np.arange(n) * (2 * np.pi / n)
    return np.stack([cx + radius * np.cos(t), cy + radius * np.sin(t)], axis=1)


def stadium(straight: float, radius: float, n: int = 20) -> Points:
    """A running track's outline: two half circles joined by straights along x."""
    t = np.linspace(-np.pi / 2, np.pi / 2, n)
    right = np.stack([straight / 2 + radius * np.cos(t), radius * np.sin(t)], axis=1)
    return np.concatenate([right, -right])


def mirrored(half: Sequence[tuple[float, float]]) -> Points:
    """A closed outline from its right-hand half, listed from nose to tail; points on the axis are not doubled."""
    right = np.asarray(half, dtype=np.float64)
    left = right[::-1] * (1, -1)
    return np.concatenate([right, left[np.abs(left[:, 1]) > 1e-9]])


def ribbon(line: ArrayLike, width: float | ArrayLike) -> Points:
    """The outline of a line (N, 2) with a width: one number, or one a point."""
    p = np.asarray(line, dtype=np.float64)
    d = np.gradient(p, axis=0)
    d /= np.maximum(np.hypot(d[:, 0], d[:, 1])[:, None], 1e-9)
    side = np.stack([-d[:, 1], d[:, 0]], axis=1) * (np.broadcast_to(np.asarray(width, float), len(p))[:, None] / 2)
    return np.concatenate([p + side, (p - side)[::-1]])


def smooth(knots: ArrayLike, n: int = 60) -> Points:
    """A Catmull-Rom curve of `n` points through the knots (K, 2)."""
    k = np.asarray(knots, dtype=np.float64)
    k = np.concatenate([2 * k[:1] - k[1:2], k, 2 * k[-1:] - k[-2:-1]])
    t = np.linspace(0, len(k) - 3 - 1e-9, n)
    i = t.astype(int)
    u = (t - i)[:, None]
    a, b, c, d = k[i], k[i + 1], k[i + 2], k[i + 3]
    return 0.5 * (2 * b + (c - a) * u + (2 * a - 5 * b + 4 * c - d) * u**2 + (3 * b - a - 3 * c + d) * u**3)


def heading(a: ArrayLike, b: ArrayLike) -> float:
    """The angle of the way from a to b."""
    d = np.asarray(b, float) - np.asarray(a, float)
    return float(np.arctan2(d[1], d[0]))
