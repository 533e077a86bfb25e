"""Roads and parking lots, with their markings and traffic."""

from __future__ import annotations

import cv2
import numpy as np
import shapely

from .canvas import Canvas
from .look import Colour, near
from .shapes import Points, Pose, ribbon, span
from .site import ANYTHING, CROWN, PAVED, ROAD, Item, Site
from .vehicles import park, pick_kind, put_vehicle

ASPHALT: Colour = (98, 98, 98)
CONCRETE: Colour = (158, 154, 144)


def dashes(line: Points, on_px: float, off_px: float) -> list[Points]:
    """The drawn pieces of a dashed line (N, 2)."""
    step = np.hypot(*np.diff(line, axis=0).T)
    at = np.concatenate([[0], np.cumsum(step)])
    starts = np.arange(0, at[-1], on_px + off_px)
    ends = np.minimum(starts + on_px, at[-1])
    x, y = (np.interp(np.stack([starts, ends], axis=1), at, line[:, k]) for k in (0, 1))
    return list(np.stack([x, y], axis=-1))


def offset(line: Points, by: float | np.ndarray) -> Points:
    """The line shifted to its right-hand side."""
    half = ribbon(line, 2 * np.abs(by))
    return half[: len(line)] if np.all(np.asarray(by) >= 0) else half[len(line) :][::-1]


def road(
    site: Site,
    line: Points,
    width_m: float,
    lanes: int = 2,
    label: str = "road",
    marks: bool = True,
    ground_z: int = 2,
    verge_m: float = 1.4,
) -> Item | None:
    """Add a road along a line (N, 2) px with verges, edge lines, a centre line and worn wheel tracks."""
    rng = site.rng
    k = 1 / site.gsd_m
    outline = ribbon(line, width_m * k)
    shoulder = ribbon(line, (width_m + 2 * verge_m) * k)
    rgb = near(rng, (104, 103, 101) if rng.random() < 0.7 else (132, 129, 122), 6)
    lane = width_m / lanes
    mark: Colour = (206, 204, 194)

    def verge(c: Canvas) -> None:
        c.fill(shoulder, (146, 138, 116), 46)

    def ground(c: Canvas) -> None:
        c.fill(outline, rgb, 22)
        for i in range(lanes):
            middle = (i + 0.5) * lane - width_m / 2
            c.worn(ribbon(offset(line, middle * k), lane * 0.55 * k), 118)
        if not marks:
            return
        for side in (-1, 1):
            c.line(offset(line, side * (width_m / 2 - 0.35) * k), mark, 0.14 * k, rgb)
        for i in range(1, lanes):
            at = offset(line, (i * lane - width_m / 2) * k)
            if lanes >= 4 and i == lanes // 2:
                c.line(at, (206, 186, 110), 0.34 * k, rgb)
            else:
                c.lines(dashes(at, 3.2 * k, 5.5 * k), mark, 0.16 * k, rgb)

    if verge_m > 0:
        site.decorate(ground=verge, ground_z=ground_z - 1)
    _junctions(site, outline, rgb, ground_z)
    return site.area(label, outline, ground, claim=ROAD, ground_z=ground_z)


def _junctions(site: Site, outline: Points, rgb: Colour, ground_z: int) -> None:
    """Plain asphalt over the markings where a new road crosses the earlier ones."""
    shape = shapely.Polygon(outline).simplify(0.2)
    if not isinstance(shape, shapely.Polygon) or not shape.is_valid:
        return
    for other in site.roads:
        crossing = shape.intersection(other)
        if isinstance(crossing, shapely.Polygon) and not crossing.is_empty:
            corners = shapely.get_coordinates(crossing)
            patch = cv2.convexHull(corners.astype(np.float32))[:, 0]
            _cover(site, patch.astype(np.float64), rgb, ground_z + 1)
    site.roads.append(shape)


def _cover(site: Site, patch: Points, rgb: Colour, ground_z: int) -> None:
    site.decorate(ground=lambda c: c.fill(patch, rgb, 22), ground_z=ground_z)


def traffic(site: Site, line: Points, width_m: float, lanes: int, per_100_m: float) -> None:
    """Vehicles in their lanes (traffic keeps to the right), heading along the road."""
    k = 1 / site.gsd_m
    step = np.hypot(*np.diff(line, axis=0).T)
    at = np.concatenate([[0], np.cumsum(step)])
    lane = width_m / lanes
    for i in range(lanes):
        side = (i + 0.5) * lane - width_m / 2
        count = site.rng.poisson(per_100_m * at[-1] * site.gsd_m / 100 / lanes)
        for s in site.rng.uniform(0, at[-1], count):
            j = min(int(np.searchsorted(at, s)), len(line) - 1)
            d = line[j] - line[j - 1] if j else line[1] - line[0]
            angle = float(np.arctan2(d[1], d[0]))
            x, y = np.interp(s, at, line[:, 0]), np.interp(s, at, line[:, 1])
            pose = Pose(float(x), float(y), angle, k).moved(0, side + float(site.rng.normal(0, 0.12)))
            put_vehicle(site, pose if side > 0 else pose.moved(0, 0, np.pi), pick_kind(site))


def parking_lot(
    site: Site, pose: Pose, length: float, depth: float, fill: float = 0.6, forbid: int = ANYTHING, ground_z: int = 3
) -> bool:
    """Add a lot from the pose's origin to (length, depth) with rows of bays; False when the place is taken."""
    outline = pose(span(0, length, 0, depth))
    if not site.free(outline, forbid, 2):
        return False
    rgb = near(site.rng, (106, 105, 103), 8)

    def ground(c: Canvas) -> None:
        c.fill(pose(span(-0.5, length + 0.5, -0.5, depth + 0.5)), (168, 164, 154), 20)
        c.fill(outline, rgb, 24)

    site.area("parking lot", outline, ground, claim=PAVED, ground_z=ground_z)
    module = 16.5  # two rows and the aisle between them
    for i in range(max(1, int((depth + 0.5) / module))):
        y = 0.4 + i * module
        park(site, pose.moved(2.0, y), length - 4, fill=fill)
        if y + 16 < depth + 1:
            park(site, pose.moved(2.0, y + 10.4), length - 4, fill=fill)
    return True


def spur(site: Site) -> Item | None:
    """Try to add a short straight road where nothing stands: what a pair builds or takes away."""
    k = 1 / site.gsd_m
    w, h = site.size_wh
    for _ in range(120):
        angle = float(site.rng.uniform(0, np.pi))
        middle = site.rng.uniform((0.1 * w, 0.1 * h), (0.9 * w, 0.9 * h))
        reach = float(site.rng.uniform(0.08, 0.2)) * min(w, h)
        d = np.array([np.cos(angle), np.sin(angle)]) * reach
        line = np.linspace(middle - d, middle + d, 6)
        if site.free(ribbon(line, 8 * k), ANYTHING & ~CROWN, 2):  # trees may overhang it
            return road(site, line, 6.0, 2, verge_m=0.0)
    return None
