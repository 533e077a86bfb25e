"""Housing: streets, lots with houses, drives, gardens, pools, hedges, trees and parked cars."""

from __future__ import annotations

import numpy as np

from .buildings import put_building
from .canvas import Canvas
from .courts import courts
from .greenery import put_tree, put_wood, scatter_trees
from .look import lit, near
from .roads import parking_lot, road, traffic
from .shapes import Points, Pose, rounded, span
from .site import BUILT, PAVED, ROAD, WATER, Site
from .vehicles import put_vehicle


def _garden(site: Site, pose: Pose, length: float, depth: float) -> None:
    """The lot's lawn and its hedge or fence."""
    shift = int(site.rng.integers(1024))
    lawn = pose(span(0.4, length - 0.4, 0.4, depth - 0.4))
    mown = site.rng.random() < 0.35
    fence = pose([(0, 3), (0, depth), (length, depth), (length, 3)])
    rgb = (78, 84, 58) if site.rng.random() < 0.5 else (154, 142, 122)

    def ground(c: Canvas) -> None:
        c.fill_ramp(lawn, c.look.grass, "patch", 46, shift)
        if mown:
            c.stripes(lawn, pose.angle, 2.4 / c.gsd_m, 6)
        c.line(fence, rgb, 0.5 / c.gsd_m, (104, 104, 78))

    site.decorate(ground=ground, ground_z=0)


def _pool(site: Site, pose: Pose) -> None:
    length, width = float(site.rng.uniform(6, 10)), float(site.rng.uniform(3, 5))
    outline = pose(rounded(length, width, 1.2))
    water = near(site.rng, (92, 168, 184), 8)

    def ground(c: Canvas) -> None:
        c.fill(pose(rounded(length + 2.4, width + 2.4, 1.4)), (188, 180, 164), 16)
        c.fill(outline, water, 6)
        c.fill(pose(rounded(length * 0.6, width * 0.5, 0.8)), lit(water, 0.9), 6)

    site.put(
        "swimming pool", outline, lambda c: None, ground=ground, colour="blue", forbid=BUILT | ROAD | PAVED | WATER
    )


def lot(site: Site, pose: Pose, width: float, depth: float) -> None:
    """One lot: the street at y = 0, the garden behind (pose's x runs along the street)."""
    rng = site.rng
    _garden(site, pose, width, depth)
    long, deep = min(width - 4.5, float(rng.uniform(10.5, 15.5))), float(rng.uniform(8, 10.5))
    y = float(rng.uniform(5.5, 9)) + deep / 2
    x = width / 2 + float(rng.uniform(-1, 1))
    right = rng.random() < 0.5
    drive_x = width - 3.6 if right else 0.6
    drive = pose(span(drive_x, drive_x + 3.0, -1.5, y + 1))
    paving = near(rng, (164, 160, 150), 8)
    site.claim(drive, PAVED)
    site.decorate(ground=lambda c: c.fill(drive, paving, 20), ground_z=1)
    kind = ("gable", "gable", "hip", "hip", "hip", "flat")[rng.integers(6)]
    wing = (float(rng.uniform(3, 5)), float(rng.uniform(5, 7))) if kind != "flat" and rng.random() < 0.35 else None
    turn = np.pi / 2 if wing is None and rng.random() < 0.2 and width > 16 else 0.0
    house = pose.moved(x if right is False else x - 1.0, y, turn)
    put_building(
        site,
        house,
        long,
        deep,
        kind,
        colours=("red", "red", "grey", "grey", "brown", "brown", "black", "white"),
        forbid=BUILT | ROAD | WATER,
        margin_m=0.4,
        wing=wing,
    )
    if rng.random() < 0.55:
        put_vehicle(
            site,
            pose.moved(drive_x + 1.5, 2.6, np.pi / 2 * float(rng.choice([-1, 1]))),
            "car" if rng.random() < 0.9 else "van",
        )
    if rng.random() < 0.3:
        shed = pose.moved(float(rng.uniform(3, width - 3)), depth - 3.2)
        put_building(
            site,
            shed,
            float(rng.uniform(3, 5)),
            float(rng.uniform(2.4, 3.4)),
            "gable",
            2.6,
            ("grey", "brown"),
            BUILT | ROAD | PAVED | WATER,
            0.3,
        )
    if rng.random() < 0.16 and depth > 26:
        _pool(site, pose.moved(width / 2 + float(rng.uniform(-2, 2)), depth - 7))
    for _ in range(int(rng.integers(1, 6))):
        tx, ty = float(rng.uniform(1.5, width - 1.5)), float(rng.choice([rng.uniform(1, 5), rng.uniform(y + 6, depth)]))
        put_tree(site, *pose.at(tx, ty), float(rng.uniform(1.2, 4.0)))


def street_lots(site: Site, pose: Pose, length: float, depth: float) -> None:
    """Lots along a street side from the pose's origin at the kerb: x along the street, y away from it."""
    x = 0.0
    w, h = site.size_wh
    while x < length - 15:
        width = min(float(site.rng.uniform(15, 21)), length - x)
        corners = pose.moved(x, 0)(span(0, width, 0, depth))
        if (
            corners[:, 0].max() > -5
            and corners[:, 0].min() < w + 5
            and corners[:, 1].max() > -5
            and corners[:, 1].min() < h + 5
            and site.free(
                corners.mean(axis=0) + (corners - corners.mean(axis=0)) * 0.9, BUILT | ROAD | WATER | PAVED, 0.5
            )
        ):
            lot(site, pose.moved(x, 0), width, depth)
        x += width


def kerb_parking(site: Site, line: Points, width_m: float) -> None:
    """Cars parked along both kerbs."""
    k = 1 / site.gsd_m
    length = float(np.hypot(*(line[-1] - line[0]))) * site.gsd_m
    angle = float(np.arctan2(*(line[-1] - line[0])[::-1]))
    start = Pose(float(line[0][0]), float(line[0][1]), angle, k)
    for side in (-1, 1):
        for x in np.arange(3, length, 6.4):
            if site.rng.random() < 0.17:
                put_vehicle(site, start.moved(float(x), side * (width_m / 2 - 1.15), 0 if side > 0 else np.pi))


def lay_housing(site: Site, base: Pose | None = None, sports: float = 0.0) -> None:
    """Lay out a housing estate (in the frame `base` when given); `sports` is the share of blocks with courts."""
    rng = site.rng
    base = base or site.centre(float(rng.uniform(0, np.pi)))
    reach = site.reach_m
    depth, street = float(rng.uniform(26, 36)), float(rng.uniform(6.5, 9.0))
    pitch = 2 * depth + street + 5
    block = float(rng.uniform(110, 190))
    ys = np.arange(-reach * 1.1 - rng.uniform(0, pitch), reach * 1.1, pitch)
    xs = np.arange(-reach * 1.1 - rng.uniform(0, block), reach * 1.1, block)
    streets = [base(np.linspace((-1.2 * reach, y), (1.2 * reach, y), 4)) for y in ys]
    streets += [base(np.linspace((x, -1.2 * reach), (x, 1.2 * reach), 4)) for x in xs]
    tone = int(rng.integers(3))
    for line in streets:
        road(site, line, street, 2, marks=tone == 0, verge_m=2.0)
    for line in streets:
        traffic(site, line, street, 2, 1.2)
        kerb_parking(site, line, street)
    edge = street / 2 + 2.2
    for y in ys:
        for x in xs:
            kind = rng.random()
            if rng.random() < sports:
                _sports(site, base.moved(x + edge, y + edge), block - 2 * edge, 2 * depth)
            elif kind < 0.08:
                _park(site, base.moved(x + edge, y + edge), block - 2 * edge, 2 * depth)
            elif kind < 0.16:
                _flats(site, base.moved(x + edge, y + edge), block - 2 * edge, 2 * depth)
            else:
                street_lots(site, base.moved(x + edge, y + edge), block - 2 * edge, depth)
                street_lots(site, base.moved(x + block - edge, y + pitch - edge, np.pi), block - 2 * edge, depth)
    scatter_trees(site, 60, (1.5, 4.0))


def _park(site: Site, pose: Pose, length: float, depth: float) -> None:
    rng = site.rng
    for _ in range(4):
        x, y = pose([(float(rng.uniform(10, length - 10)), float(rng.uniform(10, depth - 10)))])[0]
        put_wood(site, float(x), float(y), float(rng.uniform(6, 13)))
    scatter_trees(site, 30, (2, 5), pose(span(0, length, 0, depth)))


def _sports(site: Site, pose: Pose, length: float, depth: float) -> None:
    """A block of courts, each array as deep as fits, with trees round it."""
    x = 4.0
    while x < length - 40:
        kind = "tennis" if site.rng.random() < 0.65 else "basketball"
        courts(site, pose.moved(x, 5), 1, int((depth - 8) / (17.6 if kind == "tennis" else 20.0)), kind)
        x += float(site.rng.uniform(40, 54))
    scatter_trees(site, 24, (1.8, 4.2), pose(span(0, length, 0, depth)))


def _flats(site: Site, pose: Pose, length: float, depth: float) -> None:
    """Blocks of flats with a parking lot between."""
    rng = site.rng
    for x in np.arange(24, length - 20, 48):
        put_building(
            site,
            pose.moved(float(x), 12),
            40,
            13,
            "flat" if rng.random() < 0.7 else "hip",
            13,
            ("grey", "white", "brown", "red"),
        )
        put_building(
            site,
            pose.moved(float(x), depth - 8),
            40,
            13,
            "flat" if rng.random() < 0.7 else "hip",
            13,
            ("grey", "white", "brown", "red"),
        )
    parking_lot(site, pose.moved(8, 24), length - 16, min(16.5, depth - 42), 0.7)
