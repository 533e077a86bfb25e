"""Buildings by their roofs: gable, hip, flat with plant, sheds and terminals. The outline is the eaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .canvas import Canvas
from .look import Colour, lit, mix
from .shapes import Points, Pose, rect, span
from .site import BUILT, PAVED, ROAD, WATER, Item, Site

_ROOFS: dict[str, tuple[Colour, ...]] = {
    "red": ((138, 74, 58), (150, 86, 66), (122, 66, 54)),
    "grey": ((110, 110, 112), (128, 128, 128), (92, 94, 98)),
    "brown": ((112, 92, 76), (96, 80, 68), (128, 108, 90)),
    "white": ((206, 204, 198), (190, 190, 186)),
    "black": ((62, 62, 64), (54, 54, 58)),
    "blue": ((84, 112, 146), (72, 98, 132)),
}


def _plane(
    canvas: Canvas,
    pose: Pose,
    points: Sequence[tuple[float, float]],
    rgb: Colour,
    facing: tuple[float, float],
    pitch: float,
) -> None:
    """One roof plane: lit by how far it faces the sun; tile courses when they can be seen."""
    c, s = np.cos(pose.angle), np.sin(pose.angle)
    turned = (facing[0] * c - facing[1] * s, facing[0] * s + facing[1] * c)
    towards = turned[0] * canvas.look.sun_xy[0] + turned[1] * canvas.look.sun_xy[1]
    gain = 1.0 + pitch * towards
    canvas.fill(pose(points), lit(rgb, gain), 16)


def gable_top(canvas: Canvas, pose: Pose, length: float, width: float, rgb: Colour, pitch: float = 0.34) -> None:
    """Two planes and a ridge along x."""
    a, b = length / 2, width / 2
    _plane(canvas, pose, [(-a, -b), (a, -b), (a, 0), (-a, 0)], rgb, (0, -1), pitch)
    _plane(canvas, pose, [(-a, 0), (a, 0), (a, b), (-a, b)], rgb, (0, 1), pitch)
    canvas.line(pose([(-a, 0), (a, 0)]), lit(rgb, 1.3), 0.3 / canvas.gsd_m, rgb)


def hip_top(canvas: Canvas, pose: Pose, length: float, width: float, rgb: Colour, pitch: float = 0.34) -> None:
    """Four planes; the ridge is as long as the house is longer than wide."""
    a, b = length / 2, width / 2
    r = max(a - b, 0.0)
    _plane(canvas, pose, [(-a, -b), (a, -b), (r, 0), (-r, 0)], rgb, (0, -1), pitch)
    _plane(canvas, pose, [(-r, 0), (r, 0), (a, b), (-a, b)], rgb, (0, 1), pitch)
    _plane(canvas, pose, [(a, -b), (a, b), (r, 0)], rgb, (1, 0), pitch)
    _plane(canvas, pose, [(-a, -b), (-r, 0), (-a, b)], rgb, (-1, 0), pitch)
    edges = [
        pose(p)
        for p in ([(-r, 0), (r, 0)], [(r, 0), (a, b)], [(r, 0), (a, -b)], [(-r, 0), (-a, b)], [(-r, 0), (-a, -b)])
    ]
    canvas.lines(edges, lit(rgb, 1.18), 0.22 / canvas.gsd_m, rgb)


def flat_top(
    canvas: Canvas, pose: Pose, length: float, width: float, rgb: Colour, plant: Sequence[tuple[float, ...]]
) -> None:
    """A parapet, the roof skin, and boxes of plant (x, y, length, width, height) with their own shadows."""
    canvas.fill(pose(rect(length, width)), lit(rgb, 1.14), 8)
    inset = min(0.5, width * 0.06)
    inner = rect(length - 2 * inset, width - 2 * inset)
    canvas.fill(pose(inner), rgb, 20)
    _sections(canvas, pose, length - 2 * inset, width - 2 * inset, rgb)
    edge = pose(inner)
    drop = canvas.shadow_px(0.8)
    for i in range(4):  # the parapet's shadow on the skin
        p, q = edge[i], edge[(i + 1) % 4]
        inward = edge.mean(axis=0) - (p + q) / 2
        if inward @ drop > 0:
            canvas.unshade(np.array([p, q, q + drop, p + drop]), 130)
    for x, y, across, deep, high in plant:
        box = pose(rect(across, deep, x, y))
        canvas.cast_convex(box, high, 190)
        canvas.unshade(box)
        canvas.fill(box, lit(mix(rgb, (170, 170, 168), 0.5), 1.1), 8)


def _sections(canvas: Canvas, pose: Pose, length: float, width: float, rgb: Colour) -> None:
    """The joints of a long roof: bays of slightly different age, and a roof light along its middle."""
    count = int(length / 24)
    if count < 2:
        return
    bay = length / count
    for i in range(count):
        x = (i + 0.5) * bay - length / 2
        canvas.fill(pose(rect(bay * 0.98, width, x, 0)), lit(rgb, 0.94 + 0.045 * ((i * 7) % 4)), 18)
        canvas.fill(pose(rect(bay * 0.55, min(width * 0.14, 4.0), x, 0)), mix(rgb, (96, 116, 132), 0.6), 6)


def shed_top(canvas: Canvas, pose: Pose, length: float, width: float, rgb: Colour, bays: int) -> None:
    """A low-pitched hall: ribbed sheets, roof lights across it."""
    gable_top(canvas, pose, length, width, rgb, 0.13)
    pane = lit(mix(rgb, (222, 226, 228), 0.45), 1.0)
    for i in range(bays):
        x = (i + 0.5) / bays * length - length / 2
        for y in (-0.25, 0.25):
            canvas.fill(pose(rect(1.2, width * 0.3, x, y * width)), pane, 6)


def _plant(site: Site, length: float, width: float) -> list[tuple[float, ...]]:
    rng = site.rng
    count = int(np.clip(length * width / 160, 0, 7))
    return [
        (
            rng.uniform(-0.38, 0.38) * length,
            rng.uniform(-0.32, 0.32) * width,
            rng.uniform(1.5, 4.5),
            rng.uniform(1.5, 3.5),
            rng.uniform(1, 2.4),
        )
        for _ in range(count)
    ]


def put_building(
    site: Site,
    pose: Pose,
    length: float,
    width: float,
    roof: str,
    height: float | None = None,
    colours: tuple[str, ...] = ("red", "grey", "brown", "white", "black"),
    forbid: int = BUILT | ROAD | WATER,
    margin_m: float = 1.5,
    wing: tuple[float, float] | None = None,
) -> Item | None:
    """Add a building; `roof` is gable, hip, flat or shed; `wing` (length, width) makes an L of a gable or hip roof."""
    rng = site.rng
    name = colours[rng.integers(len(colours))]
    shades = _ROOFS[name]
    rgb = lit(shades[rng.integers(len(shades))], float(rng.uniform(0.9, 1.1)))
    height = height or float(rng.uniform(4.5, 7.5))
    outline, blocks = _blocks(pose, length, width, wing)
    plant = _plant(site, length, width) if roof == "flat" else []
    bays = max(1, int(length / 9))

    def top(c: Canvas) -> None:
        c.unshade(outline)
        for at, across, deep in blocks:
            if roof == "gable":
                gable_top(c, at, across, deep, rgb)
            elif roof == "hip":
                hip_top(c, at, across, deep, rgb)
            elif roof == "flat":
                flat_top(c, at, across, deep, rgb, plant)
            else:
                shed_top(c, at, across, deep, rgb, bays)

    def scar(c: Canvas) -> None:
        c.fill(outline, (150, 134, 112), 60)

    return site.put(
        "building",
        outline,
        top,
        shadow=lambda c: c.cast(outline, height),
        scar=scar,
        colour=name,
        forbid=forbid,
        margin_px=margin_m / site.gsd_m,
    )


def _blocks(
    pose: Pose, length: float, width: float, wing: tuple[float, float] | None
) -> tuple[Points, list[tuple[Pose, float, float]]]:
    """The outline in px and the roof blocks (pose, length, width); a wing stands at one end, its ridge across."""
    if wing is None:
        return pose(rect(length, width)), [(pose, length, width)]
    out, across = wing  # how far it stands out, how wide it is
    a, b = length / 2, width / 2
    outline = pose([(-a, -b), (a, -b), (a, b + out), (a - across, b + out), (a - across, b), (-a, b)])
    arm = pose.moved(a - across / 2, out / 2, np.pi / 2)
    return outline, [(pose, length, width), (arm, width + out, across)]


__all__ = ["PAVED", "put_building", "span"]
