"""Tank farms: storage tanks in diked compounds, pipe racks, pump houses, roads."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .buildings import put_building
from .canvas import Canvas
from .greenery import put_wood, scatter_trees
from .look import Colour, lit, mix, near
from .roads import parking_lot, road, traffic
from .shapes import Pose, disc, rounded, span
from .site import BUILT, PAVED, ROAD, WATER, Item, Site
from .vehicles import put_vehicle


def storage_tank(site: Site, pose: Pose, radius: float, height: float, name: str, floating: bool) -> Item | None:
    """A round tank: a cone roof or a floating roof deep in its shell, wind girder, stair, shadow."""
    tone: Colour = {
        "white": (214, 213, 208),
        "grey": (148, 150, 150),
        "green": (98, 122, 100),
        "brown": (136, 104, 82),
    }[name]
    rgb = near(site.rng, tone, 4)
    outline = pose(disc(radius, 48))
    stair = float(site.rng.uniform(0, 2 * np.pi))
    sink = float(site.rng.uniform(0.15, 0.5)) * height

    def top(c: Canvas) -> None:
        k = 1 / c.gsd_m
        c.unshade(outline)
        sun = np.array(c.look.sun_xy)
        c.fill(outline, lit(rgb, 1.06), 6)
        if floating:
            deck = lit(mix(rgb, (150, 150, 146), 0.4), 0.86)
            inner = pose(disc(radius * 0.955, 44))
            c.fill(inner, deck, 16)
            crescent = _crescent(inner, c.shadow_px(sink))
            c.unshade(crescent, 200)
            c.line(pose(disc(radius * 0.62, 36)), lit(deck, 0.86), 0.4 * k, deck, closed=True)
            c.line(
                pose([(0, 0), (radius * 0.93 * np.cos(stair), radius * 0.93 * np.sin(stair))]),
                lit(deck, 1.25),
                0.9 * k,
                deck,
            )
        else:
            _cone(c, pose, radius, rgb, sun)
            c.line(pose([(0, 0), (radius * np.cos(stair), radius * np.sin(stair))]), lit(rgb, 0.8), 0.5 * k, rgb)
        c.fill(pose(disc(max(radius * 0.05, 0.6), 10)), lit(rgb, 0.72), 4)

    return site.put(
        "storage tank",
        outline,
        top,
        shadow=lambda c: c.cast_convex(outline, height),
        scar=lambda c: c.fill(outline, (140, 128, 108), 50),
        colour=name,
        forbid=BUILT | ROAD | WATER,
        margin_px=1.5 / site.gsd_m,
    )


def _cone(c: Canvas, pose: Pose, radius: float, rgb: Colour, sun: np.ndarray) -> None:
    """A shallow cone: 16 sectors, each lit by the way it faces."""
    t = np.linspace(0, 2 * np.pi, 17)
    rim = pose(np.stack([np.cos(t), np.sin(t)], axis=1) * radius * 0.96)
    middle = pose([(0, 0)])[0]
    for p, q in pairwise(rim):
        out = (p + q) / 2 - middle
        facing = float(out @ sun) / max(float(np.hypot(*out)), 1e-9)
        c.fill(np.array([middle, p, q]), lit(rgb, 0.97 + 0.09 * facing), 6)


def _crescent(inner: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """The part of a disc's outline that its own wall shades: the rim towards the sun, moved in by `drop`."""
    out = inner - inner.mean(axis=0)
    far = float(np.hypot(*out[0]))
    drop = drop * min(1.0, 1.2 * far / max(float(np.hypot(*drop)), 1e-9))
    order = np.argsort((np.arctan2(out[:, 1], out[:, 0]) - np.arctan2(drop[1], drop[0])) % (2 * np.pi))
    ring = inner[order]
    facing = (ring - inner.mean(axis=0)) @ drop
    rim = ring[facing < 0]
    return np.concatenate(
        [rim, (rim + drop * np.clip(-facing[facing < 0] / (far * max(np.hypot(*drop), 1e-9)), 0, 1)[:, None])[::-1]]
    )


def compound(site: Site, pose: Pose, length: float, width: float, rows: int, columns: int) -> None:
    """A diked yard with rows x columns tanks and the pipes that join them."""
    rng = site.rng
    outline = pose(rounded(length, width, 3.0))
    floor = near(rng, (158, 148, 128) if rng.random() < 0.6 else (132, 132, 126), 8)
    radius = float(min(length / columns, width / rows)) * float(rng.uniform(0.3, 0.38))
    name = ("white", "white", "white", "white", "grey", "green", "brown")[rng.integers(7)]
    floating = rng.random() < 0.35
    spots = [
        ((j + 0.5) / columns * length - length / 2, (i + 0.5) / rows * width - width / 2)
        for i in range(rows)
        for j in range(columns)
    ]
    pipes = [pose([(x, y), (x, width / 2 + 4)]) for x, y in spots] + [
        pose([(x + 1.6, y), (x + 1.6, width / 2 + 5)]) for x, y in spots
    ]

    def ground(c: Canvas) -> None:
        k = 1 / c.gsd_m
        c.fill(outline, floor, 44)
        c.line(outline, (184, 176, 158), 2.2 * k, floor, closed=True, rough=30)
        c.lines(pipes, (194, 192, 184), 0.7 * k, floor)

    def dike(c: Canvas) -> None:
        ring = outline
        for i in range(len(ring)):
            c.cast_convex(np.array([ring[i], ring[(i + 1) % len(ring)], ring[i]]), 1.6, 130)

    site.area("tank compound", outline, ground, claim=PAVED, ground_z=1)
    site.decorate(shadow=dike)
    height = float(rng.uniform(9, 16))
    for x, y in spots:
        if rng.random() < 0.93:
            r = radius * float(rng.uniform(0.86, 1.05))
            storage_tank(site, pose.moved(x, y), r, min(height, r * 1.3), name, floating)


def pipe_rack(site: Site, a: np.ndarray, b: np.ndarray, count: int) -> None:
    """A bundle of pipes on low stands from a to b (px)."""
    k = 1 / site.gsd_m
    d = (b - a) / max(float(np.hypot(*(b - a))), 1e-9)
    side = np.array([-d[1], d[0]])
    pipes = [np.array([a, b]) + side * (i - (count - 1) / 2) * 1.3 * k for i in range(count)]
    shades = [near(site.rng, (188, 186, 178) if site.rng.random() < 0.7 else (150, 122, 84), 6) for _ in pipes]
    bed = np.array(
        [a + side * count * 0.9 * k, b + side * count * 0.9 * k, b - side * count * 0.9 * k, a - side * count * 0.9 * k]
    )

    def ground(c: Canvas) -> None:
        c.fill(bed, (124, 118, 106), 34)
        for pipe, rgb in zip(pipes, shades, strict=True):
            c.line(pipe, rgb, 0.75 * k, (124, 118, 106))

    site.claim(bed, PAVED)
    site.decorate(ground=ground, shadow=lambda c: c.cast_convex(bed, 1.8, 90), ground_z=3)


def lay_tankfarm(site: Site, base: Pose | None = None) -> None:
    """Lay out a tank farm on a grid of roads (in the frame `base` when given)."""
    rng = site.rng
    reach = site.reach_m
    base = base or site.centre(float(rng.uniform(0, np.pi)))
    cell_x, cell_y = float(rng.uniform(100, 150)), float(rng.uniform(80, 115))
    xs = np.arange(-reach * 1.1 - rng.uniform(0, cell_x), reach * 1.1, cell_x)
    ys = np.arange(-reach * 1.1 - rng.uniform(0, cell_y), reach * 1.1, cell_y)
    for y in ys:
        _site_road(site, base(np.linspace((-1.2 * reach, y), (1.2 * reach, y), 6)))
    for x in xs:
        _site_road(site, base(np.linspace((x, -1.2 * reach), (x, 1.2 * reach), 6)))
    for x in xs:
        for y in ys:
            _block(site, base.moved(x + cell_x / 2, y + cell_y / 2), cell_x - 15, cell_y - 19)
    for x, y in rng.uniform(0, 1, (10, 2)) * site.size_wh:
        put_wood(site, float(x), float(y), float(rng.uniform(8, 20)))
    scatter_trees(site, 60, (1.8, 3.8))


def _site_road(site: Site, line: np.ndarray) -> None:
    if not site.free(line[[0, 2, 5]], WATER, 1):
        return
    road(site, line, 6.5, 2, marks=site.rng.random() < 0.3, verge_m=0.8)
    traffic(site, line, 6.5, 2, 1.2)


def _block(site: Site, pose: Pose, length: float, width: float) -> None:
    rng = site.rng
    if not site.free(pose(span(-length / 2, length / 2, -width / 2, width / 2)), WATER | PAVED | 4, 2):
        return
    pick = rng.random()
    if pick < 0.74:
        rows, columns = [(1, 2), (2, 2), (2, 3), (2, 3), (1, 1), (3, 4), (2, 2)][rng.integers(7)]
        compound(site, pose, length, width - 10, rows, columns)
        edge = pose([(-length / 2, width / 2 - 1), (length / 2, width / 2 - 1)])
        pipe_rack(site, edge[0], edge[1], int(rng.integers(3, 7)))
    elif pick < 0.9:
        for x in np.arange(-length / 2 + 16, length / 2 - 12, 34):
            for y in (-width / 4, width / 4):
                if rng.random() < 0.7:
                    put_building(
                        site,
                        pose.moved(float(x), float(y)),
                        float(rng.uniform(14, 28)),
                        float(rng.uniform(9, 18)),
                        "flat" if rng.random() < 0.5 else "shed",
                        6,
                        ("grey", "white", "blue"),
                    )
        for _ in range(4):
            put_vehicle(
                site,
                pose.moved(float(rng.uniform(-0.4, 0.4)) * length, float(rng.uniform(-0.4, 0.4)) * width),
                "truck",
                BUILT | ROAD | WATER,
            )
    else:
        parking_lot(site, pose.moved(-length / 2 + 6, -width / 2 + 6), length * 0.6, 32.5, 0.6)
