"""Sports grounds as single things: tennis and basketball courts, baseball diamonds, running tracks."""

from __future__ import annotations

import numpy as np

from .canvas import Canvas
from .look import Colour, lit, near
from .shapes import Points, Pose, disc, rect, span, stadium
from .site import ANYTHING, PAVED, STRUCTURE, Item, Site, Stroke

_LINE: Colour = (218, 218, 212)
_HARD: dict[str, Colour] = {"green": (66, 98, 76), "blue": (66, 90, 134), "red": (146, 82, 66), "grey": (128, 128, 126)}


def _segments(pose: Pose, pairs: list[tuple[float, float, float, float]]) -> list[Points]:
    return [pose([(a, b), (c, d)]) for a, b, c, d in pairs]


def arc(cx: float, cy: float, radius: float, start: float, stop: float, n: int = 18) -> Points:
    """Points of an arc."""
    t = np.linspace(start, stop, n)
    return np.stack([cx + radius * np.cos(t), cy + radius * np.sin(t)], axis=1)


def tennis_court(site: Site, pose: Pose, colour: str, surround: str) -> Item | None:
    """A court 23.77 m x 10.97 m, long along the pose; the outline is the doubles court."""
    a, b, s = 11.885, 5.485, 4.115
    rgb, around = near(site.rng, _HARD[colour], 4), near(site.rng, _HARD[surround], 4)
    lines = _segments(pose, [(-a, -s, a, -s), (-a, s, a, s), (-6.4, -s, -6.4, s), (6.4, -s, 6.4, s), (-6.4, 0, 6.4, 0)])
    outline = pose(rect(2 * a, 2 * b))

    def ground(c: Canvas) -> None:
        c.fill(pose(rect(35.4, 17.2)), around, 14)
        c.fill(outline, rgb, 12)
        c.lines(lines, _LINE, 0.28 / c.gsd_m, rgb)
        c.line(outline, _LINE, 0.3 / c.gsd_m, rgb, closed=True)
        c.line(pose([(0, -6.2), (0, 6.2)]), (56, 60, 60), 0.35 / c.gsd_m, rgb)
        c.line(pose([(0.4, -6.2), (0.4, 6.2)]), (196, 198, 196), 0.12 / c.gsd_m, rgb)

    return _put_court(site, "tennis court", outline, pose(rect(35.4, 17.2)), ground, colour)


def basketball_court(site: Site, pose: Pose, colour: str, keys: str) -> Item | None:
    """A court 28 m x 15 m, long along the pose; the outline is the court."""
    rgb, key = near(site.rng, _HARD[colour], 4), near(site.rng, _HARD[keys], 4)
    outline = pose(rect(28, 15))

    def ground(c: Canvas) -> None:
        k = 1 / c.gsd_m
        c.fill(pose(rect(32, 18.5)), lit(rgb, 0.82), 14)
        c.fill(outline, rgb, 14)
        for end in (pose, pose.moved(0, 0, np.pi)):
            c.fill(end(span(-14, -8.2, -2.45, 2.45)), key, 12)
            c.line(end(span(-14, -8.2, -2.45, 2.45)), _LINE, 0.2 * k, rgb, closed=True)
            c.line(end(arc(-8.2, 0, 1.8, -np.pi / 2, np.pi / 2)), _LINE, 0.2 * k, rgb)
            c.line(
                end(np.concatenate([[(-14, -6.6)], arc(-12.4, 0, 6.75, -1.36, 1.36), [(-14, 6.6)]])),
                _LINE,
                0.2 * k,
                rgb,
            )
            c.fill(end(rect(0.5, 1.9, -12.9, 0)), (232, 232, 228))
        c.line(pose([(0, -7.5), (0, 7.5)]), _LINE, 0.2 * k, rgb)
        c.line(pose(disc(1.8, 20)), _LINE, 0.2 * k, rgb, closed=True)
        c.line(outline, _LINE, 0.24 * k, rgb, closed=True)

    return _put_court(site, "basketball court", outline, pose(rect(32, 18.5)), ground, colour)


def _put_court(site: Site, label: str, outline: Points, surround: Points, ground: Stroke, colour: str) -> Item | None:
    """Add a court where its outline is free; courts may share their surround, other things keep off it."""
    item = site.put(
        label,
        outline,
        lambda c: None,
        ground=ground,
        colour=colour,
        forbid=ANYTHING & ~PAVED,
        claim=STRUCTURE,
        margin_px=3 / site.gsd_m,
    )
    if item is not None:
        site.claim(surround, PAVED)
    return item


def courts(site: Site, pose: Pose, rows: int, columns: int, kind: str) -> None:
    """An array of courts from the pose's origin; neighbours share their surround."""
    rng = site.rng
    colour, surround = [
        ("green", "red"),
        ("blue", "green"),
        ("green", "green"),
        ("red", "green"),
        ("blue", "red"),
        ("grey", "grey"),
        ("blue", "blue"),
    ][rng.integers(7)]
    for i in range(rows):
        for j in range(columns):
            if kind == "tennis":
                tennis_court(site, pose.moved(17.9 + 36.5 * i, 9 + 17.6 * j), colour, surround)
            else:
                basketball_court(
                    site, pose.moved(16.5 + 34 * i, 9.5 + 20 * j), "red" if colour == "green" else colour, surround
                )


def diamond_outline(side: float, arc_radius: float) -> Points:
    """The infield (N, 2) in metres: home plate at the origin, opening towards +x, closed by the skinned arc."""
    pitch = side * 0.66
    t0 = np.pi / 4
    reach = pitch * np.cos(t0) + np.sqrt(arc_radius**2 - (pitch * np.sin(t0)) ** 2)
    far = reach * np.array([np.cos(t0), np.sin(t0)])
    start = np.arctan2(far[1], far[0] - pitch)
    home = arc(0.6, 0, 4.2, np.pi * 0.62, np.pi * 1.38, 7)
    return np.concatenate([arc(pitch, 0, arc_radius, -start, start, 22), home])


def baseball_diamond(site: Site, pose: Pose, grass_infield: bool) -> Item | None:
    """A diamond with its outfield and foul lines; the outline is the infield with its skinned arc."""
    side = float(site.rng.choice([18.3, 27.4]))
    radius = side * 0.98
    outline = pose(diamond_outline(side, radius))
    far = side * float(site.rng.uniform(2.9, 3.5))
    outfield = pose(np.concatenate([[(-6, -3)], arc(0, 0, far, -np.pi / 4 - 0.04, np.pi / 4 + 0.04, 26), [(-6, 3)]]))
    dirt = near(site.rng, (168, 132, 96) if site.rng.random() < 0.6 else (150, 104, 76), 6)
    r = side / np.sqrt(2)
    bases = [(0, 0), (r, r), (2 * r, 0), (r, -r)]
    if not site.free(outfield, ANYTHING, 2):
        return None

    def ground(c: Canvas) -> None:
        k = 1 / c.gsd_m
        c.fill_ramp(outfield, c.look.grass, "patch", 30, 77)
        c.stripes(outfield, pose.angle, 9.0 / c.gsd_m, 7)
        c.line(outfield[1:-1], lit(dirt, 1.02), 2.6 * k, dirt, rough=24)
        c.fill(outline, dirt, 26)
        if grass_infield:
            q = 0.84 * r
            c.fill_ramp(pose([(r - q, 0), (r, -q), (r + q, 0), (r, q)]), c.look.grass, "patch", 26, 78)
            c.fill(pose(disc(2.6, 14, r * 0.95, 0)), dirt, 20)
            c.fill(pose(disc(4.0, 16)), dirt, 22)
        else:
            c.fill(pose(disc(2.4, 14, r * 0.95, 0)), lit(dirt, 1.1), 20)
        for s in (-1, 1):
            c.line(pose([(0, 0), (far * 0.7071, s * far * 0.7071)]), _LINE, 0.18 * k, dirt)
        for x, y in bases:
            c.fill(pose(rect(0.9, 0.9, x, y)), (236, 236, 232), 4)
        c.line(pose([(-5.5, -7), (-7, 0), (-5.5, 7)]), (92, 94, 94), 0.4 * k, dirt)

    item = site.put("baseball diamond", outline, lambda c: None, ground=ground, forbid=ANYTHING, claim=STRUCTURE)
    if item is not None:
        site.area("sports field", outfield, None, claim=STRUCTURE)
    return item


def ground_track_field(site: Site, pose: Pose, colour: str, scale: float = 1.0) -> Item | None:
    """A running track round a football pitch; the outline is the track's outer edge (a 400 m track at scale 1)."""
    straight, radius, lanes = 84.39 * scale, 45.5 * scale, 8.5 * scale
    outline = pose(stadium(straight, radius, 28))
    track = near(site.rng, {"red": (152, 80, 64), "blue": (70, 92, 132), "grey": (112, 110, 106)}[colour], 6)
    turf = site.rng.random() < 0.45
    a, b = 51 * scale, 32 * scale

    def ground(c: Canvas) -> None:
        k = 1 / c.gsd_m
        c.fill(pose(stadium(straight, radius + 2.5, 28)), (146, 138, 116), 40)
        c.fill(outline, track, 14)
        for i in range(9):
            c.line(pose(stadium(straight, radius - lanes * i / 8, 24)), (206, 196, 188), 0.13 * k, track, closed=True)
        inner = pose(stadium(straight, radius - lanes, 24))
        c.fill_ramp(inner, c.look.grass, "patch", 34, 401)
        for s in (-1, 1):
            c.fill(
                pose(stadium(0.1, radius - lanes - 2, 16)[:16] * (s, 1) + (s * (straight / 2 - 1), 0)),
                lit(track, 1.03),
                14,
            )
        c.fill(pose(rect(2 * a, 2 * b)), (76, 104, 64)) if turf else c.fill_ramp(
            pose(rect(2 * a, 2 * b)), c.look.grass, "patch", 30, 402
        )
        c.stripes(pose(rect(2 * a, 2 * b)), pose.angle + np.pi / 2, 2 * a / 6 * k, 9)
        _pitch(c, pose, a, b, k)

    return site.put(
        "ground track field",
        outline,
        lambda c: None,
        ground=ground,
        colour=colour,
        forbid=ANYTHING,
        claim=STRUCTURE,
        margin_px=4 / site.gsd_m,
    )


def _pitch(c: Canvas, pose: Pose, a: float, b: float, k: float) -> None:
    """A football pitch's lines, half length a and half width b."""
    under: Colour = (88, 104, 70)
    w = 0.22 * k
    c.line(pose(rect(2 * a, 2 * b)), _LINE, w, under, closed=True)
    c.line(pose([(0, -b), (0, b)]), _LINE, w, under)
    c.line(pose(disc(9.15, 24)), _LINE, w, under, closed=True)
    for s in (-1, 1):
        c.line(pose([(s * a, -20), (s * (a - 16.5), -20), (s * (a - 16.5), 20), (s * a, 20)]), _LINE, w, under)
        c.line(pose([(s * a, -9), (s * (a - 5.5), -9), (s * (a - 5.5), 9), (s * a, 9)]), _LINE, w, under)
        c.line(
            pose([(s * a, -3.6), (s * (a + 2), -3.6), (s * (a + 2), 3.6), (s * a, 3.6)]),
            (228, 228, 224),
            0.35 * k,
            under,
        )


def football_pitch(site: Site, pose: Pose) -> Item | None:
    """A stand-alone football pitch: an area labelled "sports field"."""
    a, b = 50.0, 32.0
    outline = pose(rect(2 * a + 8, 2 * b + 8))
    if not site.free(outline, ANYTHING, 2):
        return None

    def ground(c: Canvas) -> None:
        k = 1 / c.gsd_m
        c.fill_ramp(outline, c.look.grass, "patch", 30, 611)
        c.stripes(outline, pose.angle + np.pi / 2, 2 * a / 7 * k, 10)
        _pitch(c, pose, a, b, k)

    return site.area("sports field", outline, ground, claim=STRUCTURE)
