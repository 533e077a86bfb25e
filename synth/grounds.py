"""Sports grounds: a track, courts in rows, diamonds, pitches, a school, parking, paths and trees."""

from __future__ import annotations

import numpy as np

from .buildings import put_building
from .courts import baseball_diamond, courts, football_pitch, ground_track_field
from .greenery import footpath, put_wood, scatter_trees, tree_row
from .housing import street_lots
from .roads import parking_lot, road, traffic
from .shapes import Pose, span
from .site import ANYTHING, Site


def _fit(site: Site, base: Pose, length: float, width: float, tries: int = 14) -> Pose | None:
    """The origin of a free box length x width in line with the base pose (or across it)."""
    reach = site.reach_m
    for _ in range(tries):
        turn = float(site.rng.choice([0, np.pi / 2]))
        pose = base.moved(float(site.rng.uniform(-reach, reach)), float(site.rng.uniform(-reach, reach)), turn)
        middle = pose([(length / 2, width / 2)])[0]
        if (
            np.all(middle > 0.06 * np.array(site.size_wh))
            and np.all(middle < 0.94 * np.array(site.size_wh))
            and site.free(pose(span(0, length, 0, width)), ANYTHING, 3)
        ):
            return pose
    return None


def fill_with_sports(site: Site, base: Pose, amount: int) -> None:
    """Put `amount` grounds of mixed kinds where they fit."""
    rng = site.rng
    for kind in rng.choice(
        ["tennis", "tennis", "basketball", "baseball", "baseball", "pitch", "school", "parking"], amount
    ):
        rows, columns = int(rng.integers(1, 3)), int(rng.integers(1, 5))
        if kind == "tennis" and (spot := _fit(site, base, 36.5 * rows, 17.6 * columns + 1)):
            courts(site, spot, rows, columns, "tennis")
        elif kind == "basketball" and (spot := _fit(site, base, 34, 20.0 * min(columns, 3))):
            courts(site, spot, 1, min(columns, 3), "basketball")
        elif kind == "baseball":
            for _ in range(12):
                x, y = rng.uniform(0.08, 0.92, 2) * site.size_wh
                if baseball_diamond(
                    site, site.pose(float(x), float(y), float(rng.uniform(0, 6.3))), rng.random() < 0.5
                ):
                    break
        elif kind == "pitch" and (spot := _fit(site, base, 112, 76)):
            football_pitch(site, spot.moved(56, 38))
        elif kind == "school" and (spot := _fit(site, base, 62, 34)):
            put_building(site, spot.moved(31, 11), 56, 18, "flat", 8, ("grey", "white", "brown"))
        elif kind == "parking" and (spot := _fit(site, base, 62, 34)):
            parking_lot(site, spot.moved(1, 1), 60, 32.5, float(rng.uniform(0.3, 0.9)))


def lay_grounds(site: Site) -> None:
    """Lay out sports grounds."""
    rng = site.rng
    base = site.centre(float(rng.uniform(0, np.pi)))
    reach = site.reach_m
    edge = float(rng.uniform(0.45, 0.7)) * reach * (1 if rng.random() < 0.5 else -1)
    line = base(np.linspace((-1.3 * reach, edge), (1.3 * reach, edge), 8))
    road(site, line, 8.0, 2)
    traffic(site, line, 8.0, 2, 4)
    away = float(np.sign(edge))
    side = base.moved(-1.2 * reach, edge + away * 7, 0.0) if away > 0 else base.moved(1.2 * reach, edge - 7, np.pi)
    street_lots(site, side, 2.4 * reach, float(rng.uniform(28, 36)))
    row = base(np.array([(-1.2 * reach, edge - 9 * np.sign(edge)), (1.2 * reach, edge - 9 * np.sign(edge))]))
    if rng.random() < 0.7:
        for _ in range(8):
            x, y = rng.uniform(0.25, 0.75, 2) * site.size_wh
            scale = float(rng.choice([1.0, 1.0, 0.7]))
            if ground_track_field(
                site,
                site.pose(float(x), float(y), base.angle + float(rng.choice([0, np.pi / 2]))),
                str(rng.choice(["red", "red", "red", "blue", "grey"])),
                scale,
            ):
                break
    fill_with_sports(site, base, int(rng.integers(6, 12)))
    tree_row(site, row[0], row[1], 11, 3.6)
    for _ in range(3):
        knots = base(
            np.stack([np.linspace(-reach, reach, 6), rng.uniform(-0.8, 0.8) * reach + rng.normal(0, 14, 6)], axis=1)
        )
        if rng.random() < 0.6 and site.free(knots[[0, 2, 3, 5]], 4 | 8 | 2, 1):
            footpath(site, knots)
    for _ in range(34):
        x, y = rng.uniform(0, 1, 2) * site.size_wh
        put_wood(site, float(x), float(y), float(rng.uniform(6, 20)))
    scatter_trees(site, 130, (1.8, 4.6))
