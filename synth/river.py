"""A river through fields, with bridges, roads, traffic, farms and boats."""

from __future__ import annotations

import numpy as np
import shapely

from .buildings import put_building
from .canvas import Canvas
from .greenery import patchwork, put_tree, put_wood, scatter_trees, tree_row
from .look import lit, near
from .roads import offset, road, traffic
from .shapes import Points, Pose, heading, ribbon, smooth
from .ships import put_ship
from .site import BUILT, PAVED, ROAD, STRUCTURE, WATER, Site
from .vehicles import pick_kind, put_vehicle


def river_line(site: Site, pose: Pose, bend_m: float) -> Points:
    """A meandering line across the image along the pose's x, (N, 2) px."""
    reach = site.reach_m * 1.35
    x = np.linspace(-reach, reach, 8)
    y = site.rng.normal(0, bend_m, 8)
    return smooth(pose(np.stack([x, y], axis=1)), 90)


def lay_water(site: Site, line: Points, width_m: float, ground_z: int = 0) -> Points:
    """Add a river with banks along a line; its outline (N, 2) px."""
    k = 1 / site.gsd_m
    rng = site.rng
    t = np.linspace(0, 1, len(line))
    width = width_m * (
        1 + 0.13 * np.sin(t * rng.uniform(8, 14) + rng.uniform(0, 6)) + 0.07 * np.sin(t * 31 + rng.uniform(0, 6))
    )
    outline, bank, meadow = (ribbon(line, (width + extra) * k) for extra in (0, 7, 26))
    shallow = [ribbon(offset(line, s * width / 2 * k * 0.9), width_m * 0.14 * k) for s in (-1, 1)]

    def ground(c: Canvas) -> None:
        c.fill_ramp(meadow, c.look.grass, "patch", 62, 300)
        c.fill(bank, (150, 138, 112), 60)
        c.fill_ramp(outline, c.look.water, "cloud", 8)
        c.fill_waves(outline)
        for strip in shallow:
            c.worn(strip, 140)

    site.area("river", outline, ground, claim=WATER, ground_z=ground_z)
    return outline


def put_bridge(site: Site, line: Points, water: Points, width_m: float, lanes: int) -> bool:
    """Add the bridge that carries a straight road (N, 2) px over the water: deck, parapets, markings, shadow."""
    k = 1 / site.gsd_m
    river = shapely.Polygon(water).buffer(0)
    crossing = shapely.LineString(line[[0, -1]]).intersection(river)
    done = False
    for piece in getattr(crossing, "geoms", [crossing]):
        if piece.is_empty or piece.length < 6:
            continue
        ends = np.array(piece.coords)[[0, -1]]
        d = (ends[1] - ends[0]) / piece.length
        slack = (width_m * 0.9 + 4) * k
        deck = np.linspace(ends[0] - d * slack, ends[1] + d * slack, 6)
        done |= _bridge_deck(site, deck, width_m, lanes)
    return done


def _bridge_deck(site: Site, deck: Points, width_m: float, lanes: int) -> bool:
    k = 1 / site.gsd_m
    outline = ribbon(deck, (width_m + 3.0) * k)
    rgb = near(site.rng, (150, 147, 140) if site.rng.random() < 0.6 else (118, 117, 115), 8)
    lanes_at = [offset(deck, (i * width_m / lanes - width_m / 2) * k) for i in range(lanes + 1)]
    rails = [offset(deck, s * (width_m / 2 + 1.2) * k) for s in (-1, 1)]

    def top(c: Canvas) -> None:
        c.unshade(outline)
        c.fill(outline, lit(rgb, 1.12), 12)
        c.fill(ribbon(deck, width_m * k), rgb, 20)
        for i, mark in enumerate(lanes_at):
            c.line(mark, (212, 208, 196), (0.25 if i in (0, lanes) else 0.16) * k, rgb)
        c.lines(rails, (204, 202, 196), 0.5 * k, rgb)
        c.unshade(ribbon(offset(deck, (width_m / 2 + 0.4) * k), 0.8 * k), 110)

    item = site.put(
        "bridge",
        outline,
        top,
        shadow=lambda c: c.cast_convex(outline, 6.0),
        forbid=STRUCTURE,
        claim=STRUCTURE,
        margin_px=1.0,
    )
    return item is not None


def crossing_road(
    site: Site,
    pose: Pose,
    x_m: float,
    lean: float,
    water: Points,
    width_m: float,
    lanes: int,
    per_100_m: float,
    ground_z: int = 2,
) -> Points:
    """A straight road across the river near local x_m, with its bridge and traffic; its line (N, 2) px."""
    reach = site.reach_m * 1.5
    way = pose.moved(x_m, 0, np.pi / 2 + lean)
    line = way(np.linspace((-reach, 0), (reach, 0), 12))
    road(site, line, width_m, lanes, ground_z=ground_z)
    put_bridge(site, line, water, width_m, lanes)
    traffic_over(site, line, width_m, lanes, per_100_m)
    return line


def traffic_over(site: Site, line: Points, width_m: float, lanes: int, per_100_m: float) -> None:
    """Traffic that may drive on bridges: structures and the water below do not stop it."""
    k = 1 / site.gsd_m
    length = float(np.hypot(*(line[-1] - line[0])))
    angle = heading(line[0], line[-1])
    for i in range(lanes):
        side = (i + 0.5) * width_m / lanes - width_m / 2
        for s in site.rng.uniform(0, 1, site.rng.poisson(per_100_m * length * site.gsd_m / 100 / lanes)):
            x, y = line[0] + (line[-1] - line[0]) * s
            pose = Pose(float(x), float(y), angle, k).moved(0, side + float(site.rng.normal(0, 0.1)))
            put_vehicle(site, pose if side > 0 else pose.moved(0, 0, np.pi), pick_kind(site), forbid=4 | 32)


def farm(site: Site, x_px: float, y_px: float, angle: float) -> None:
    """A house, a barn or two, and trees."""
    rng = site.rng
    pose = site.pose(x_px, y_px, angle)
    forbid = BUILT | ROAD | WATER | PAVED
    put_building(
        site,
        pose,
        float(rng.uniform(11, 16)),
        float(rng.uniform(8, 11)),
        "hip" if rng.random() < 0.5 else "gable",
        6,
        ("red", "brown", "grey"),
        forbid,
    )
    for _ in range(int(rng.integers(0, 3))):
        spot = pose.moved(float(rng.uniform(-34, 34)), float(rng.uniform(-34, 34)), np.pi / 2 * int(rng.integers(2)))
        put_building(
            site,
            spot,
            float(rng.uniform(18, 32)),
            float(rng.uniform(10, 15)),
            "shed",
            7,
            ("grey", "white", "brown"),
            forbid,
        )
    for _ in range(6):
        put_tree(site, *pose.at(float(rng.uniform(-26, 26)), float(rng.uniform(-26, 26))), float(rng.uniform(2.2, 4.5)))


def banks(site: Site, outline: Points, count: int) -> None:
    """Trees and small woods along both banks."""
    rng = site.rng
    half = len(outline) // 2
    for _ in range(count):
        i = int(rng.integers(len(outline) - 1))
        out = outline[i] - outline[len(outline) - 1 - i]
        out = out / max(float(np.hypot(*out)), 1e-9)
        x, y = outline[i] + out * float(rng.uniform(6, 16)) / site.gsd_m
        if 0 <= x < site.size_wh[0] and 0 <= y < site.size_wh[1] and half:
            put_tree(site, float(x), float(y), float(rng.uniform(2.2, 4.8)))


def boats(site: Site, line: Points, count: int, width_m: float) -> None:
    """Boats and barges under way or at anchor along the river."""
    kinds = ("boat", "boat", "boat", "yacht", "yacht", "barge") if width_m > 38 else ("boat", "boat", "yacht")
    for _ in range(count):
        i = int(site.rng.integers(1, len(line)))
        pose = site.pose(float(line[i, 0]), float(line[i, 1]), heading(line[i - 1], line[i])).moved(
            0, float(site.rng.uniform(-0.28, 0.28)) * width_m
        )
        put_ship(
            site,
            pose if site.rng.random() < 0.5 else pose.moved(0, 0, np.pi),
            kinds[site.rng.integers(len(kinds))],
            site.rng.random() < 0.7,
            BUILT,
        )


def lay_river(site: Site) -> None:
    """Lay out a river landscape."""
    rng = site.rng
    angle = float(rng.uniform(0, np.pi))
    pose = site.centre(angle).moved(0, float(rng.uniform(-0.25, 0.25)) * site.reach_m)
    width = float(rng.uniform(24, 70))
    line = river_line(site, pose, site.reach_m * 0.12)
    patchwork(site, angle + float(rng.normal(0, 0.2)), float(rng.uniform(80, 130)))
    water = lay_water(site, line, width)
    count = int(rng.integers(1, 4))
    places = (np.arange(count) + 0.5) / count * 1.4 - 0.7 + rng.uniform(-0.1, 0.1, count)
    for i, x in enumerate(places):
        lanes = 4 if i == 0 and rng.random() < 0.5 else 2
        crossing_road(
            site,
            pose,
            float(x) * site.reach_m,
            float(rng.normal(0, 0.12)),
            water,
            lanes * 3.6,
            lanes,
            5.0 if lanes == 4 else 3.0,
        )
    side = 1 if rng.random() < 0.5 else -1
    lane = pose(
        np.linspace((-1.4 * site.reach_m, side * (width / 2 + 85)), (1.4 * site.reach_m, side * (width / 2 + 95)), 12)
    )
    if site.free(ribbon(lane, 8 / site.gsd_m), WATER):
        road(site, lane, 6.5, 2)
        traffic(site, lane, 6.5, 2, 2)
        row = ribbon(lane, 17 / site.gsd_m)
        tree_row(site, row[0], row[11], float(rng.uniform(8, 16)), 3.2)
    boats(site, line, int(rng.integers(3, 9)), width)
    for _ in range(9):
        farm(
            site,
            float(rng.uniform(0, site.size_wh[0])),
            float(rng.uniform(0, site.size_wh[1])),
            angle + float(rng.normal(0, 0.3)),
        )
    for _ in range(14):
        x, y = rng.uniform(0, 1, 2) * site.size_wh
        put_wood(site, float(x), float(y), float(rng.uniform(12, 38)))
    banks(site, water, 70)
    scatter_trees(site, 60, (2.0, 4.5))
