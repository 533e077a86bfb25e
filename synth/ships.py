"""Ships and boats from above: container ships, tankers, bulk carriers, ferries, barges, tugs, yachts, motor boats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .canvas import Canvas
from .look import COLOURS, Colour, lit, mix, near
from .shapes import Points, Pose, disc, rect, span
from .site import BUILT, WATER, Item, Site

SHIPS: dict[str, tuple[float, float, float]] = {  # length, beam, height above water (m)
    "container": (150, 24, 9),
    "tanker": (130, 21, 6),
    "bulk": (120, 19, 7),
    "ferry": (70, 15, 8),
    "barge": (60, 11, 2.5),
    "tug": (26, 9, 4),
    "yacht": (18, 4.8, 2.5),
    "boat": (9, 3.0, 1.4),
}
_STACKS = ("red", "blue", "green", "orange", "grey", "white", "brown", "yellow")
Deck = Callable[[Canvas], None]


def ship_outline(kind: str, length: float, beam: float) -> Points:
    """The hull (N, 2) in metres at deck level, bow towards +x."""
    a, b = length / 2, beam / 2
    if kind == "barge":
        return np.array(
            [
                (a, -b * 0.8),
                (a, b * 0.8),
                (a * 0.94, b),
                (-a * 0.97, b),
                (-a, b * 0.9),
                (-a, -b * 0.9),
                (-a * 0.97, -b),
                (a * 0.94, -b),
            ]
        )
    full = {"yacht": 0.15, "boat": 0.1, "tug": 0.3, "ferry": 0.5}.get(kind, 0.66)
    t = np.linspace(0, 1, 7)[1:]
    bow = [(a - (1 - full) * a * s, b * np.sqrt(s) * (0.25 + 0.75 * s) ** 0.4) for s in t]
    stern = [(-a * 0.9, b), (-a * 0.97, b * 0.93), (-a, b * 0.8)]
    right = np.array([*bow, *stern])
    return np.concatenate([[(a, 0.0)], right, right[::-1] * (1, -1)])


def _block(canvas: Canvas, pose: Pose, box: Points, rgb: Colour, height: float) -> None:
    outline = pose(box)
    canvas.cast_convex(outline, height, 190)
    canvas.unshade(outline)
    canvas.fill(outline, rgb, 5)


def _containers(site: Site, length: float, beam: float) -> list[tuple[float, float, Colour]]:
    rng = site.rng
    cells = []
    for x in np.arange(-0.26 * length, 0.36 * length, 13.2):
        if rng.random() < 0.1:
            continue
        for y in np.arange(-beam / 2 + 2.2, beam / 2 - 1.2, 2.6):
            cells.append((float(x), float(y), near(rng, COLOURS[_STACKS[rng.integers(len(_STACKS))]], 9)))
    return cells


def _deck(site: Site, kind: str, length: float, beam: float, pose: Pose, deck_rgb: Colour) -> Deck:
    white: Colour = (222, 222, 218)
    funnel = near(site.rng, COLOURS[("red", "blue", "black", "orange")[site.rng.integers(4)]])
    cells = _containers(site, length, beam) if kind == "container" else []
    tarp = near(site.rng, COLOURS[("white", "blue", "grey", "brown")[site.rng.integers(4)]])
    loaded = site.rng.random() < 0.6

    def draw(c: Canvas) -> None:
        if kind in ("container", "tanker", "bulk"):
            for x, y, rgb in cells:
                c.fill(pose(span(x, x + 12.2, y, y + 2.3)), rgb, 6)
            if kind == "tanker":
                c.fill(pose(span(-0.3 * length, 0.4 * length, -0.7, 0.7)), (176, 172, 160), 5)
                for x in np.linspace(-0.22, 0.36, 7):
                    c.line(
                        pose([(x * length, -0.42 * beam), (x * length, 0.42 * beam)]),
                        lit(deck_rgb, 1.25),
                        0.4 / c.gsd_m,
                        deck_rgb,
                    )
                c.fill(pose(span(-0.03 * length, 0.05 * length, -0.3 * beam, 0.3 * beam)), (160, 156, 148), 5)
            if kind == "bulk":
                for x in np.linspace(-0.27, 0.34, 6):
                    _block(c, pose, rect(length * 0.085, beam * 0.6, x * length, 0), lit(deck_rgb, 1.22), 1.5)
            _block(c, pose, span(-0.42 * length, -0.3 * length, -0.46 * beam, 0.46 * beam), white, 9)
            c.fill(pose(span(-0.31 * length, -0.298 * length, -0.5 * beam, 0.5 * beam)), lit(white, 0.9), 4)
            _block(c, pose, rect(0.04 * length, 0.2 * beam, -0.39 * length, 0), funnel, 5)
        elif kind == "ferry":
            _block(c, pose, span(-0.42 * length, 0.3 * length, -0.42 * beam, 0.42 * beam), white, 3)
            _block(c, pose, span(0.1 * length, 0.24 * length, -0.36 * beam, 0.36 * beam), lit(white, 0.92), 3)
            _block(c, pose, rect(0.07 * length, 0.24 * beam, -0.2 * length, 0), funnel, 4)
        elif kind == "barge":
            hold = rect(length * 0.86, beam * 0.72, -0.01 * length, 0)
            c.fill(pose(hold), tarp if loaded else (66, 58, 52), 44 if loaded else 14)
            if not loaded:
                c.unshade(pose(hold), 60)
        else:
            _cabin(c, pose, kind, length, beam, deck_rgb, tarp)

    return draw


def _cabin(c: Canvas, pose: Pose, kind: str, length: float, beam: float, deck: Colour, tarp: Colour) -> None:
    if kind == "tug":
        _block(c, pose, span(-0.05 * length, 0.28 * length, -0.3 * beam, 0.3 * beam), (220, 218, 210), 3)
        _block(c, pose, rect(0.1 * length, 0.2 * beam, -0.1 * length, 0), tarp, 3)
        return
    c.fill(
        pose(span(-0.44 * length, -0.14 * length, -0.34 * beam, 0.34 * beam)),
        (158, 126, 92) if kind == "yacht" else lit(deck, 0.8),
        8,
    )
    c.fill(pose(span(-0.14 * length, 0.17 * length, -0.33 * beam, 0.33 * beam)), lit(deck, 1.05), 4)
    c.fill(pose(span(0.1 * length, 0.19 * length, -0.3 * beam, 0.3 * beam)), (46, 54, 64), 3)
    if kind == "boat":
        c.fill(pose(span(-0.3 * length, -0.05 * length, -0.3 * beam, 0.3 * beam)), tarp, 4)


def wake(site: Site, pose: Pose, length: float, beam: float, owner: str) -> None:
    """The white water behind a ship under way, and the two arms from its bow."""
    run = length * float(site.rng.uniform(1.6, 3.0))
    tail = [
        pose(np.linspace((-0.48 * length - run * t, 0), (-0.48 * length - run * t - run / 7, 0), 2))
        for t in np.linspace(0, 0.86, 7)
    ]
    arms = [
        pose(
            np.array(
                [
                    (0.45 * length, s * 0.2 * beam),
                    (-0.1 * length, s * 0.95 * beam),
                    (-0.5 * length - run * 0.3, s * (beam * 0.9 + run * 0.09)),
                ]
            )
        )
        for s in (-1, 1)
    ]

    def ground(c: Canvas) -> None:
        for i, piece in enumerate(tail):
            c.froth(piece, max(beam * (0.55 + 0.05 * i) / c.gsd_m, 1), int(104 * (1 - i / 7.5)))
        for arm in arms:
            c.froth(arm[:2], max(0.12 * beam / c.gsd_m, 1), 150)
            c.froth(arm[1:], max(0.1 * beam / c.gsd_m, 1), 40)

    site.decorate(ground=ground, ground_z=4, owner=owner)


def put_ship(
    site: Site, pose: Pose, kind: str, moving: bool = False, forbid: int = BUILT, need_water: bool = True
) -> Item | None:
    """Add a ship whose bow points along the pose; None when the place is taken or not all water."""
    length, beam, height = SHIPS[kind]
    k = float(site.rng.uniform(0.72, 1.12))
    length, beam = length * k, beam * k * float(site.rng.uniform(0.95, 1.05))
    outline = pose(ship_outline(kind, length, beam))
    if need_water and not site.within(outline, WATER):
        return None
    small = kind in ("boat", "yacht", "ferry")
    name, rgb = site.colour(
        *(("white",) * 7 + ("blue", "grey")) if small else ("red", "blue", "black", "grey", "green", "brown")
    )
    deck_rgb = near(
        site.rng, (150, 72, 56) if kind in ("tanker", "bulk") and site.rng.random() < 0.5 else (124, 122, 114), 8
    )
    if small:
        deck_rgb = lit(rgb, 1.02)
    hull = pose(ship_outline(kind, length - 0.12 * beam, beam * 0.84))
    draw = _deck(site, kind, length, beam, pose, deck_rgb)

    def top(c: Canvas) -> None:
        c.unshade(outline)
        c.fill(outline, mix(rgb, (30, 32, 36), 0.1), 4)
        c.fill(hull, deck_rgb, 8)
        draw(c)

    item = site.put(
        "ship",
        outline,
        top,
        shadow=lambda c: c.cast_convex(outline, height, 200),
        colour=name,
        forbid=forbid,
        margin_px=max(1.2, 0.5 / site.gsd_m),
    )
    if item is not None and moving:
        wake(site, pose, length, beam, item.id)
    return item


__all__ = ["SHIPS", "disc", "put_ship", "ship_outline", "wake"]
