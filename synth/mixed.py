"""Mixed places: a river with an airport, a harbour with tanks, a town with a river, sports grounds beside houses."""

from __future__ import annotations

import numpy as np
import shapely

from .airport import lay_airport
from .greenery import field, put_wood, scatter_trees
from .harbour import sea
from .housing import lay_housing
from .river import banks, boats, crossing_road, farm, lay_water, river_line
from .shapes import Pose, rect, ribbon
from .ships import put_ship
from .site import ANYTHING, BUILT, ROAD, WATER, Site
from .tankfarm import lay_tankfarm


def lay_mixed(site: Site) -> None:
    """Lay out one of the mixed places."""
    (river_airport, river_airport, river_town, sports_town, coast_tanks)[site.rng.integers(5)](site)


def _river(site: Site, angle: float, shift: float, width: float, bend: float) -> tuple[np.ndarray, np.ndarray]:
    """A river that later areas give way to: its line and outline."""
    pose = site.centre(angle).moved(0, shift)
    line = river_line(site, pose, bend)
    water = lay_water(site, line, width, ground_z=20)
    site.claim(ribbon(line, (width * 1.2 + 26) / site.gsd_m), WATER)
    site.keep_out = shapely.Polygon(ribbon(line, (width * 1.25 + 26) / site.gsd_m)).buffer(0)
    return line, water


def river_airport(site: Site) -> None:
    """An airport on one bank, fields and farms on the other."""
    rng = site.rng
    angle = float(rng.uniform(0, 2 * np.pi))
    width = float(rng.uniform(36, 62))
    y = -0.64 * site.reach_m
    line, water = _river(site, angle, y, width, 0.03 * site.reach_m)
    boats(site, line, int(rng.integers(2, 6)), width)
    lay_airport(site, angle, y + width * 0.7 + 62)
    site.keep_out = None
    pose = site.centre(angle)
    for x in np.arange(-1.2 * site.reach_m, 1.2 * site.reach_m, 95.0):
        plot = rect(88, 150, float(x), y - width / 2 - 100) + rng.normal(0, 5, (4, 2))
        field(site, pose(plot), angle + float(rng.choice([0, np.pi / 2])))
    for x in rng.uniform(-1, 1, 7) * site.reach_m:
        spot = pose.moved(float(x), y - width - float(rng.uniform(20, 110)))
        farm(site, spot.x_px, spot.y_px, spot.angle)
        put_wood(site, *spot.at(float(rng.uniform(-60, 60)), float(rng.uniform(-60, 60))), float(rng.uniform(10, 26)))
    banks(site, water, 60)


def river_town(site: Site) -> None:
    """Housing on both banks and bridges between them."""
    rng = site.rng
    angle = float(rng.uniform(0, np.pi))
    width = float(rng.uniform(24, 40))
    line, water = _river(site, angle, float(rng.uniform(-0.2, 0.2)) * site.reach_m, width, 0.05 * site.reach_m)
    pose = site.centre(angle)
    boats(site, line, int(rng.integers(2, 6)), width)
    site.keep_out = None
    for x in (-0.45, 0.4)[: int(rng.integers(1, 3))]:
        _late_crossing(site, pose, x * site.reach_m, water)
    lay_housing(site, site.centre(angle))
    banks(site, water, 80)


def _late_crossing(site: Site, pose: Pose, x_m: float, water: np.ndarray) -> None:
    crossing_road(site, pose, x_m, float(site.rng.normal(0, 0.06)), water, 10.0, 2, 4.0, ground_z=24)


def sports_town(site: Site) -> None:
    """Housing with blocks of courts."""
    lay_housing(site, sports=0.4)


def coast_tanks(site: Site) -> None:
    """A tank farm by the sea, ships off the coast."""
    rng = site.rng
    angle = float(rng.uniform(0, 2 * np.pi))
    pose = site.centre(angle).moved(0, float(rng.uniform(-0.5, -0.15)) * site.reach_m)
    sea(site, pose, 0.0, 10.0)
    reach = site.reach_m
    for _ in range(16):
        kind = ("tanker", "tanker", "bulk", "container", "tug", "boat", "yacht")[rng.integers(7)]
        spot = pose.moved(
            float(rng.uniform(-reach, reach)),
            float(rng.uniform(-reach, -min(30, 0.4 * reach))),
            float(rng.uniform(0, 6.3)),
        )
        put_ship(site, spot, kind, rng.random() < 0.5, BUILT | ROAD)
    site.claim(pose([(-2 * reach, -3 * reach), (2 * reach, -3 * reach), (2 * reach, 24), (-2 * reach, 24)]), WATER)
    lay_tankfarm(site, pose.moved(0, reach * 0.8))
    for x in rng.uniform(-reach, reach, 12):
        put_wood(site, *pose.at(float(x), float(rng.uniform(16, 60))), float(rng.uniform(6, 14)), ANYTHING & ~WATER)
    scatter_trees(site, 40, (2, 4))
