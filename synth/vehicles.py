"""Cars, vans, trucks and buses, seen from above."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas
from .look import Colour, lit, mix
from .shapes import Pose, rect, rounded, span
from .site import BUILT, ROAD, WATER, Item, Site

_SIZES = {"car": (4.5, 1.85, 1.5), "van": (5.6, 2.1, 2.2), "truck": (9.5, 2.5, 3.4), "bus": (12.0, 2.55, 3.2)}
_CAR_COLOURS = ("white", "white", "white", "grey", "grey", "black", "black", "red", "blue", "blue", "green", "yellow")
_GLASS: Colour = (38, 44, 52)
_SEDAN = np.concatenate(
    [span(-0.36, 0.2, -0.42, 0.42), span(-0.24, 0.06, -0.37, 0.37)]
)  # windows, roof; of length, width
_VAN = np.concatenate([span(-0.47, 0.34, -0.42, 0.42), span(-0.44, 0.2, -0.37, 0.37)])


def _car_top(canvas: Canvas, pose: Pose, length: float, width: float, rgb: Colour) -> None:
    body = pose(rounded(length, width, 0.45, 2))
    canvas.unshade(body)
    canvas.fill(body, rgb, 4)
    if length / canvas.gsd_m < 6:
        return
    parts = pose((_SEDAN if length < 5.1 else _VAN) * (length, width))
    canvas.fill(parts[:4], mix(rgb, _GLASS, 0.85), 3)
    canvas.fill(parts[4:], lit(rgb, 1.07), 3)


def _long_top(canvas: Canvas, pose: Pose, length: float, width: float, rgb: Colour, cab: Colour) -> None:
    body = pose(rect(length, width))
    canvas.unshade(body)
    canvas.fill(body, lit(rgb, 0.8), 5)
    if cab == rgb:  # a bus: one roof with hatches
        canvas.fill(pose(rect(length * 0.95, width * 0.84)), rgb, 5)
        canvas.fill(pose(span(-0.3 * length, -0.18 * length, -0.5, 0.5)), lit(rgb, 0.75))
        canvas.fill(pose(span(0.2 * length, 0.3 * length, -0.5, 0.5)), lit(rgb, 0.75))
        return
    canvas.fill(pose(span(-length / 2, 0.24 * length, -width / 2, width / 2)), rgb, 5)
    canvas.fill(pose(span(0.24 * length, 0.3 * length, -width / 2, width / 2)), (52, 52, 54), 5)
    canvas.fill(pose(span(0.3 * length, length / 2, -0.46 * width, 0.46 * width)), cab, 5)
    canvas.fill(pose(span(0.43 * length, 0.49 * length, -0.4 * width, 0.4 * width)), _GLASS, 3)


def put_vehicle(site: Site, pose: Pose, kind: str = "car", forbid: int = BUILT | WATER) -> Item | None:
    """Add a vehicle heading along the pose; None when the place is taken."""
    length, width, height = _SIZES[kind]
    w, h = site.size_wh
    slack = length / site.gsd_m / 2
    if not (-slack < pose.x_px < w + slack and -slack < pose.y_px < h + slack):
        return None
    length = round(length * float(site.rng.uniform(0.94, 1.06)), 1)
    outline = pose(rounded(length, width, 0.45, 2) if kind in ("car", "van") else rect(length, width))
    if kind in ("car", "van"):
        name, rgb = site.colour(*_CAR_COLOURS)
        top = lambda c: _car_top(c, pose, length, width, rgb)  # noqa: E731
    else:
        name, rgb = site.colour("white", "white", "grey", "blue", "red", "green", "orange", "yellow")
        cab = rgb if kind == "bus" else site.colour("white", "red", "blue", "grey")[1]
        top = lambda c: _long_top(c, pose, length, width, rgb, cab)  # noqa: E731
    return site.put(
        "vehicle",
        outline,
        top,
        shadow=lambda c: c.cast_convex(outline, height),
        colour=name,
        forbid=forbid,
        margin_px=max(0.8, 0.25 / site.gsd_m),
    )


def pick_kind(site: Site) -> str:
    """A vehicle kind as often as traffic has it."""
    return ("car", "car", "car", "car", "car", "van", "truck", "bus")[site.rng.integers(8)]


def park(site: Site, pose: Pose, length_m: float, depth_m: float = 5.2, fill: float = 0.6, lines: bool = True) -> None:
    """A row of parking bays along the pose's x from its origin; cars stand across it."""
    count = int(length_m / 2.7)
    if lines:
        marks = [pose([(2.7 * i, 0.2), (2.7 * i, depth_m - 0.2)]) for i in range(count + 1)]
        site.decorate(ground=lambda c: c.lines(marks, (196, 196, 190), 0.14 / c.gsd_m, (104, 104, 102)), ground_z=4)
    for i in range(count):
        if site.rng.random() < fill:
            turn = 1.5708 if site.rng.random() < 0.5 else -1.5708
            nudge = site.rng.normal(0, 0.12, 2)
            spot = pose.moved(2.7 * (i + 0.5) + nudge[0], depth_m / 2 + nudge[1], turn)
            put_vehicle(site, spot, "van" if site.rng.random() < 0.1 else "car")


__all__ = ["ROAD", "park", "pick_kind", "put_vehicle"]
