"""Harbours: a quay with ships, cranes and container stacks, finger piers with boats, sheds behind."""

from __future__ import annotations

import numpy as np

from .buildings import put_building
from .canvas import Canvas
from .greenery import put_wood, scatter_trees
from .look import COLOURS, Colour, lit, near
from .roads import parking_lot, road, traffic
from .shapes import Pose, rect, span
from .ships import SHIPS, put_ship
from .site import ANYTHING, BUILT, PAVED, ROAD, WATER, Site
from .vehicles import put_vehicle


def sea(site: Site, pose: Pose, y_shore: float, ragged: float) -> None:
    """Water on the pose's -y side of the shore line; `ragged` metres of natural coast, 0 for a built one."""
    reach = site.reach_m * 2.2
    x = np.linspace(-reach, reach, 90)
    rng = site.rng
    y = y_shore + ragged * sum(
        rng.normal(0, 0.6 / n) * np.sin(x / reach * np.pi * n * 1.5 + rng.uniform(0, 6.3)) for n in (1, 2, 3, 5, 8, 13)
    )
    shore = np.stack([x, y], axis=1)
    outline = pose(np.concatenate([shore, [(reach, -reach), (-reach, -reach)]]))
    beach = [pose(np.concatenate([shore, shore[::-1] - (0, d)])) for d in (5, 11, 20)]

    def ground(c: Canvas) -> None:
        if ragged:
            c.fill(pose(np.concatenate([shore + np.array([0, 7]), shore[::-1]])), (176, 164, 136), 40)
        c.fill_ramp(outline, c.look.water, "cloud", 9)
        c.fill_waves(outline)
        for strip in beach if ragged else ():
            c.worn(strip, 142)

    site.area("water", outline, ground, claim=WATER, ground_z=-1)


def harbor_pier(site: Site, pose: Pose, length: float, width: float) -> bool:
    """A pier from the pose's origin along +x, on piles over the water; True when there was room."""
    outline = pose(span(0, length, -width / 2, width / 2))
    rgb = near(site.rng, (158, 152, 138) if site.rng.random() < 0.6 else (128, 108, 88), 8)
    seams = [pose([(x, -width / 2), (x, width / 2)]) for x in np.arange(2, length, 4)]

    def top(c: Canvas) -> None:
        c.unshade(outline)
        c.fill(outline, rgb, 18)
        c.lines(seams, lit(rgb, 0.86), 0.25 / c.gsd_m, rgb, 18)

    item = site.put(
        "harbor",
        outline,
        top,
        shadow=lambda c: c.cast_convex(outline, 2.0),
        forbid=BUILT,
        claim=8,
        margin_px=2 / site.gsd_m,
    )
    return item is not None


def marina(site: Site, pose: Pose, length: float, kinds: tuple[str, ...] = ("boat", "boat", "boat", "yacht")) -> None:
    """A finger pier along the pose with boats moored on both sides."""
    if not harbor_pier(site, pose, length, 3.2):
        return
    for side in (-1, 1):
        x = 6.0
        while x < length - 2:
            kind = kinds[site.rng.integers(len(kinds))]
            long, beam, _ = SHIPS[kind]
            if site.rng.random() < 0.8:
                turn = side * np.pi / 2 + (np.pi if site.rng.random() < 0.5 else 0)
                put_ship(site, pose.moved(x, side * (2.6 + long * 0.58), turn), kind, forbid=BUILT | 8)
            x += beam * 1.12 + 1.4


def container_yard(site: Site, pose: Pose, length: float, rows: int) -> None:
    """Blocks of stacked containers along the pose's x, rows along y; each block is one labelled stack."""
    rng = site.rng
    for row in range(rows):
        y = row * 22.0
        for x in np.arange(0, length - 26, 29.0):
            if rng.random() < 0.2:
                continue
            tiers = rng.integers(0, 5, (2, 5))
            shades = [
                [
                    near(rng, COLOURS[("red", "blue", "green", "orange", "grey", "white", "brown")[rng.integers(7)]], 9)
                    for _ in range(5)
                ]
                for _ in range(2)
            ]
            _stack(site, pose.moved(float(x), y), tiers, shades)


def _stack(site: Site, pose: Pose, tiers: np.ndarray, shades: list[list[Colour]]) -> None:
    outline = pose(span(0, 25.4, 0, 13.2))
    boxes = [
        (pose(span(12.9 * i, 12.9 * i + 12.3, 2.68 * j, 2.68 * j + 2.45)), tiers[i, j], shades[i][j])
        for i in range(2)
        for j in range(5)
    ]

    def shadow(c: Canvas) -> None:
        for box, tier, _ in boxes:
            c.cast_convex(box, 2.6 * (tier + 1))

    def top(c: Canvas) -> None:
        c.unshade(outline, 40)
        for box, tier, rgb in boxes:
            c.unshade(box)
            c.fill(box, lit(rgb, 0.84 + 0.06 * float(tier)), 6)

    site.put("container stack", outline, top, shadow=shadow, margin_px=1 / site.gsd_m)


def crane(site: Site, pose: Pose, out: float = 38.0, back: float = 20.0) -> None:
    """A ship-to-shore gantry: legs on the quay, its boom (drawn, the label is the portal) over the water at -y."""
    portal = pose(span(-8, 8, 3, 19))
    rgb = site.colour("blue", "red", "white", "yellow")
    beams = [pose(span(x - 0.9, x + 0.9, -out, 19 + back)) for x in (-3.2, 3.2)]
    legs = [pose(rect(16, 1.8, 0, y)) for y in (4, 18)]
    sides = [pose(rect(1.6, 16, x, 11)) for x in (-7.2, 7.2)]
    house = pose(rect(8, 9, 0, 25))

    def shadow(c: Canvas) -> None:
        for beam in beams:
            shifted = beam + c.shadow_px(22)
            c.unshade(shifted, 210)
        for leg in legs:
            c.cast_convex(leg, 20, 160)

    def top(c: Canvas) -> None:
        for part in (*sides, *legs):
            c.unshade(part)
            c.fill(part, lit(rgb[1], 0.85), 4)
        for beam in beams:
            c.unshade(beam)
            c.fill(beam, rgb[1], 4)
        c.fill(house, lit(rgb[1], 1.15), 4)

    site.put("crane", portal, top, shadow=shadow, colour=rgb[0], high=True)


def _quay(site: Site, pose: Pose, x0: float, x1: float, deep: float) -> None:
    outline = pose(span(x0, x1, 0, deep))
    rgb = near(site.rng, (150, 146, 136), 9)
    slabs = [pose([(x, 0), (x, deep)]) for x in np.arange(x0, x1, 20)] + [
        pose([(x0, y), (x1, y)]) for y in np.arange(0, deep, 20)
    ]
    rails = [pose([(x0, y), (x1, y)]) for y in (4.0, 18.0)]

    def ground(c: Canvas) -> None:
        c.fill(outline, rgb, 26)
        c.lines(slabs, lit(rgb, 0.82), 0.25 / c.gsd_m, rgb, 26)
        c.lines(rails, (88, 84, 78), 0.5 / c.gsd_m, rgb)
        c.fill(pose(span(x0, x1, 0, 1.3)), (104, 100, 92), 12)

    site.area("quay", outline, ground, claim=PAVED, ground_z=1)
    edge = pose([(x0, 0), (x1, 0), (x1, 0.4), (x0, 0.4)])
    site.decorate(shadow=lambda c: c.cast_convex(edge, 3.0, 170))


def _berths(site: Site, pose: Pose, x0: float, x1: float) -> None:
    x = x0
    while x < x1:
        kind = ("container", "container", "tanker", "bulk", "ferry", "barge", "tug")[site.rng.integers(7)]
        length, beam, _ = SHIPS[kind]
        if site.rng.random() < 0.82:
            put_ship(
                site, pose.moved(x + length * 0.56, -beam * 0.62 - 2.5, 0 if site.rng.random() < 0.5 else np.pi), kind
            )
        x += length * 1.14 + 6


def lay_harbour(site: Site, angle: float | None = None, shift_m: float | None = None) -> None:
    """Lay out a harbour; `angle` and `shift_m` fix the shore's direction and its distance from the middle."""
    rng = site.rng
    reach = site.reach_m
    pose = site.centre(float(rng.uniform(0, 2 * np.pi)) if angle is None else angle)
    pose = pose.moved(0, float(rng.uniform(-0.3, 0.3)) * reach if shift_m is None else shift_m)
    split = float(rng.uniform(-0.55, 0.55)) * reach
    sea(site, pose, 0.0, 0.0 if rng.random() < 0.5 else 9.0)
    deep = float(rng.uniform(70, 110))
    quay_x0, quay_x1 = (split, reach * 1.5) if rng.random() < 0.7 else (-reach * 1.5, reach * 1.5)
    front = pose.moved(0, -14.0)
    _quay(site, front, quay_x0, quay_x1, deep)
    for x in np.arange(max(quay_x0, -reach) + 25, min(quay_x1, reach), 62) + rng.uniform(0, 20):
        if rng.random() < 0.65:
            crane(site, front.moved(float(x), 0))
    _berths(site, front, max(quay_x0, -1.1 * reach) + 8, min(quay_x1, 1.1 * reach))
    container_yard(
        site,
        front.moved(max(quay_x0, -reach) + 12, 42),
        min(quay_x1, reach) - max(quay_x0, -reach) - 20,
        int((deep - 44) / 20) + 1,
    )
    for x in np.arange(-reach, quay_x0 - 20, 46.0):
        marina(site, pose.moved(float(x), -1.0, -np.pi / 2), float(rng.uniform(55, 110)))
    _behind(site, pose, deep, reach, quay_x0)
    _open_water(site, pose, reach)


def _behind(site: Site, pose: Pose, deep: float, reach: float, quay_x0: float) -> None:
    rng = site.rng
    line = pose(np.linspace((-reach * 1.3, deep + 4), (reach * 1.3, deep + 4), 8))
    road(site, line, 9.0, 2)
    traffic(site, line, 9.0, 2, 5)
    for x in np.arange(-reach, reach, 64.0):
        for y in (deep + 38, deep + 88, deep + 140):
            if rng.random() < 0.75:
                length, width = float(rng.uniform(32, 54)), float(rng.uniform(20, 34))
                put_building(
                    site,
                    pose.moved(float(x), y),
                    length,
                    width,
                    "shed" if rng.random() < 0.7 else "flat",
                    9,
                    ("grey", "white", "blue", "brown"),
                )
            else:
                parking_lot(site, pose.moved(float(x) - 24, y - 18), 46, 32.5, 0.5)
    for x in rng.uniform(-reach, reach, 26):
        spot = pose.moved(float(x), float(rng.uniform(20, deep)), float(rng.choice([0, np.pi])))
        if site.within(spot(rect(11, 3)), PAVED):
            put_vehicle(site, spot, "truck")
    for x in rng.uniform(-reach, min(quay_x0, reach), 5) if quay_x0 > -reach else ():
        put_wood(site, *pose.at(float(x), float(rng.uniform(22, 60))), float(rng.uniform(9, 18)), ANYTHING)
    scatter_trees(site, 90, (2.2, 4.5))


def _open_water(site: Site, pose: Pose, reach: float) -> None:
    rng = site.rng
    for _ in range(22):
        kind = (
            "container",
            "tanker",
            "bulk",
            "ferry",
            "barge",
            "tug",
            "tug",
            "yacht",
            "yacht",
            "boat",
            "boat",
            "boat",
        )[rng.integers(12)]
        spot = pose.moved(
            float(rng.uniform(-reach, reach)),
            float(rng.uniform(-1.2 * reach, -min(60, 0.4 * reach))),
            float(rng.uniform(0, 2 * np.pi)),
        )
        if site.free(spot(rect(SHIPS[kind][0] * 1.5, SHIPS[kind][1] * 4)), BUILT | ROAD | PAVED, 2):
            put_ship(site, spot, kind, moving=rng.random() < 0.65, forbid=BUILT | PAVED)
