"""Trees, woods and the patchwork of fields."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .look import lit, mix
from .shapes import Points, Pose, disc, ribbon, smooth
from .site import ANYTHING, BUILT, CROWN, PAVED, ROAD, STRUCTURE, THING, WATER, Item, Site
from .texture import crop, ramp, tile

_VARIANTS = 10


@lru_cache(maxsize=_VARIANTS)
def crown_outline(variant: int) -> Points:
    """A crown's outline (28, 2) of radius about 1."""
    rng = np.random.default_rng(9100 + variant)
    t = np.arange(28) * (2 * np.pi / 28)
    r = 0.88 + sum(rng.normal(0, 0.05) * np.cos(k * t + rng.uniform(0, 6.3)) for k in (2, 3, 4, 5, 7, 9))
    return np.stack([r * np.cos(t), r * np.sin(t)], axis=1)


@lru_cache(maxsize=512)
def _crown_light(variant: int, radius_px: int, sun_step: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A crown's light (0-255) and its cover (0-1), both (2k+1, 2k+1) with k = radius + 2."""
    rng = np.random.default_rng(9500 + variant)
    k = radius_px + 2
    yy, xx = np.mgrid[-k : k + 1, -k : k + 1].astype(np.float32) / radius_px
    height = 0.75 * np.sqrt(np.clip(1.15 - xx * xx - yy * yy, 0, None))
    for _ in range(9):  # leafy lobes
        a, d, r = rng.uniform(0, 6.3), rng.uniform(0.15, 0.72), rng.uniform(0.25, 0.42)
        dome = r * r - (xx - d * np.cos(a)) ** 2 - (yy - d * np.sin(a)) ** 2
        height = np.maximum(
            height, 0.75 * np.sqrt(max(1.1 - d * d, 0.1)) + np.sqrt(np.clip(dome, 0, None)) * 0.8 - 0.12
        )
    angle = sun_step * np.pi / 8
    gy, gx = np.gradient(height.astype(np.float32))
    slope = -(gx * np.cos(angle) + gy * np.sin(angle)) * radius_px
    grain = crop(tile("grain"), 91 * variant, 57 * variant, 2 * k + 1, 2 * k + 1)
    light = np.clip(108 + 62 * np.tanh(slope * 0.75) + 17 * grain, 0, 255).astype(np.uint8)
    cover = np.zeros(light.shape, np.uint8)
    shape = np.round((crown_outline(variant) * radius_px + k) * 64).astype(np.int32)
    cv2.fillPoly(cover, [shape], 255, cv2.LINE_AA, 6)
    return light, cover.astype(np.float32)[..., None] / np.float32(255)


def _paint_crown(canvas: Canvas, variant: int, radius: int, col: int, row: int, pick: int, gain: float) -> None:
    light, cover = _crown_light(variant, radius, canvas.look.sun_step)
    k = radius + 2
    w, h = canvas.size_wh
    x0, y0, x1, y1 = max(col - k, 0), max(row - k, 0), min(col + k + 1, w), min(row + k + 1, h)
    if x1 <= x0 or y1 <= y0:
        return
    inside = np.s_[y0 - row + k : y1 - row + k, x0 - col + k : x1 - col + k]
    rgb = lit(canvas.look.trees[pick % len(canvas.look.trees)], gain)
    table = _crown_ramp(rgb)
    window = canvas.paint[y0:y1, x0:x1, :3]
    leaf = table[light[inside]]
    window[...] = (window + (leaf - window) * cover[inside]).astype(np.uint8)
    shade = canvas.shade[y0:y1, x0:x1]
    shade[...] = (shade * (1 - cover[inside][..., 0])).astype(np.uint8)


@lru_cache(maxsize=256)
def _crown_ramp(rgb: tuple[int, int, int]) -> NDArray[np.float32]:
    return ramp(*[lit(rgb, g) for g in (0.42, 0.84, 1.25, 1.7, 2.2)]).astype(np.float32)


def put_tree(
    site: Site, x_px: float, y_px: float, radius_m: float, forbid: int = BUILT | WATER | ROAD | PAVED
) -> Item | None:
    """Add a tree whose crown has this radius; None when the place is taken."""
    radius = max(2, round(radius_m / site.gsd_m))
    col, row = int(x_px), int(y_px)
    w, h = site.size_wh
    if not (0 <= col < w and 0 <= row < h) or site.taken[row, col] & forbid:
        return None
    variant, pick, gain = (
        int(site.rng.integers(_VARIANTS)),
        int(site.rng.integers(4)),
        round(float(site.rng.uniform(0.85, 1.15)), 1),
    )
    outline = crown_outline(variant) * radius + (col + 0.5, row + 0.5)
    height = radius_m * 1.25
    shadow_of = outline[::2]
    return site.put(
        "tree crown",
        outline,
        lambda c: _paint_crown(c, variant, radius, col, row, pick, gain),
        shadow=lambda c: c.cast_convex(shadow_of, height, 235),
        forbid=forbid,
        claim=CROWN,
        margin_px=1.0,
        least_visible=0.4,
    )


def scatter_trees(
    site: Site, count: int, radius_m: tuple[float, float] = (2.0, 5.0), inside: Points | None = None
) -> None:
    """Add up to `count` trees in groves and alone, where it is free (in the box round `inside`, when given)."""
    rng = site.rng
    lo, hi = (np.zeros(2), np.array(site.size_wh)) if inside is None else (inside.min(axis=0), inside.max(axis=0))
    groves = rng.uniform(lo, hi, (max(1, count // 9), 2))
    spots = groves[rng.integers(len(groves), size=count)] + rng.normal(0, 9 / site.gsd_m, (count, 2))
    alone = rng.random(count) < 0.35
    spots[alone] = rng.uniform(lo, hi, (int(alone.sum()), 2))
    for (x, y), r in zip(np.clip(spots, lo, hi).tolist(), rng.uniform(*radius_m, count).tolist(), strict=True):
        put_tree(site, x, y, r)


def tree_row(site: Site, a: Points, b: Points, step_m: float, radius_m: float) -> None:
    """Trees along a line, with gaps."""
    length = float(np.hypot(*(b - a)))
    for t in np.arange(0.5, max(length / (step_m / site.gsd_m), 1)) / max(length / (step_m / site.gsd_m), 1):
        if site.rng.random() < 0.8:
            x, y = a + (b - a) * t + site.rng.normal(0, 0.6 / site.gsd_m, 2)
            put_tree(site, float(x), float(y), radius_m * float(site.rng.uniform(0.75, 1.2)))


def put_wood(site: Site, x_px: float, y_px: float, radius_m: float, forbid: int = ANYTHING) -> Item | None:
    """Add a closed wood of about this radius as an area; None when the place is taken."""
    rng = site.rng
    n = 56
    t = np.arange(n) * (2 * np.pi / n)
    r = 1 + sum(rng.normal(0, 0.26 / k) * np.cos(k * t + rng.uniform(0, 6.3)) for k in (1, 2, 3, 4, 5, 7))
    r = np.clip(r, 0.45, 1.7) * (1 + 0.05 * np.cos(13 * t) * rng.normal() + 0.045 * rng.normal(size=n))
    stretch, turn = float(rng.uniform(0.8, 1.7)), float(rng.uniform(0, np.pi))
    shape = np.stack([r * np.cos(t) * stretch, r * np.sin(t) / stretch], axis=1) * (radius_m / site.gsd_m)
    c, s = np.cos(turn), np.sin(turn)
    outline = shape @ np.array([[c, s], [-s, c]]) + (x_px, y_px)
    if not site.free(outline, forbid, 2):
        return None
    return wood(site, outline)


def wood(site: Site, outline: Points) -> Item | None:
    """Add a closed wood with this outline as an area (the caller has seen that the place is free)."""
    pick, crown_m = int(site.rng.integers(4)), float(site.rng.uniform(2.6, 4.2))

    def shadow(c: Canvas) -> None:
        c.cast(outline, 7.0, 225)

    def top(c: Canvas) -> None:
        c.fill_canopy(outline, mix(c.look.trees[pick], c.look.trees[0], 0.5), crown_m / c.gsd_m)

    item = site.area("wood", outline, None, claim=CROWN | THING)
    site.decorate(shadow=shadow, top=top, owner="" if item is None else item.id)
    return item


_CROPS = [
    [(96, 104, 62), (112, 118, 72), (126, 130, 84)],
    [(126, 116, 88), (146, 134, 104), (164, 150, 120)],
    [(92, 78, 62), (108, 92, 74), (126, 108, 88)],
    [(72, 88, 52), (84, 102, 60), (98, 114, 70)],
    [(150, 138, 96), (168, 156, 112), (182, 170, 128)],
]


def field(site: Site, outline: Points, angle: float, ground_z: int = -2) -> None:
    """Add a field with crop rows along `angle`."""
    rng = site.rng
    crop_rgb = _CROPS[rng.integers(len(_CROPS))]
    period, amount, shift = float(rng.uniform(1.6, 7)), int(rng.integers(3, 12)), int(rng.integers(1024))
    greenish = rng.random() < 0.35

    def ground(c: Canvas) -> None:
        table = c.look.grass if greenish else ramp(*crop_rgb)
        c.fill_ramp(outline, table, "patch", 42, shift)
        c.stripes(outline, angle, period / c.gsd_m, amount)

    site.area("field", outline, ground, ground_z=ground_z)


def patchwork(site: Site, angle: float, cell_m: float, gap_m: float = 5.0, chance: float = 0.85) -> None:
    """Cover the site with fields in a bent grid; later strokes (roads, rivers) go over it."""
    rng, pose, reach = site.rng, site.centre(angle), site.reach_m
    n = int(np.ceil(2 * reach / cell_m)) + 1
    at = (np.arange(n + 1) - n / 2) * cell_m
    gx, gy = np.meshgrid(at, at)
    knots = np.stack(
        [gx + rng.normal(0, 0.16, gx.shape) * cell_m, gy + rng.normal(0, 0.16, gy.shape) * cell_m], axis=-1
    )
    for i in range(n):
        for j in range(n):
            if rng.random() > chance:
                continue
            quad = np.array([knots[i, j], knots[i, j + 1], knots[i + 1, j + 1], knots[i + 1, j]])
            middle = quad.mean(axis=0)
            quad = middle + (quad - middle) * (1 - gap_m / cell_m)
            field(site, pose(quad), angle + (np.pi / 2 if rng.random() < 0.4 else 0) + float(rng.normal(0, 0.05)))


def footpath(site: Site, knots: Points, width_m: float = 2.0) -> None:
    """Draw a light path through the knots; it carries no label."""
    outline = ribbon(smooth(knots, 40), width_m / site.gsd_m)
    site.claim(outline, PAVED)
    site.decorate(ground=lambda c: c.fill(outline, (172, 164, 148), 24), ground_z=1)


def pond(site: Site, pose: Pose, radius_m: float) -> None:
    """Add a pond as a water area where nothing is in the way."""
    outline = pose(
        disc(radius_m, 30) * (1, 0.7) * (1 + 0.08 * site.rng.normal(size=(30, 1)).cumsum(axis=0).clip(-2, 2))
    )
    if site.free(outline, ANYTHING, 4):
        site.area("water", outline, lambda c: c.fill_ramp(outline, c.look.water, "cloud", 8), claim=WATER)


__all__ = [
    "STRUCTURE",
    "THING",
    "field",
    "footpath",
    "patchwork",
    "pond",
    "put_tree",
    "put_wood",
    "scatter_trees",
    "tree_row",
    "wood",
]
