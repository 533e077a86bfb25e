"""Airports: runway, taxiways, apron, terminal with gates, general aviation, hangars, parking."""

from __future__ import annotations

import numpy as np

from .aircraft import AIRFRAMES, put_airplane
from .buildings import put_building
from .canvas import Canvas
from .greenery import put_wood, scatter_trees
from .look import Colour, near
from .roads import dashes, parking_lot, road, traffic
from .shapes import Pose, rect, span
from .site import PAVED, Site
from .vehicles import put_vehicle

_YELLOW: Colour = (206, 172, 62)
_WHITE: Colour = (214, 212, 204)


def runway(site: Site, pose: Pose, x0: float, x1: float, width: float, tone: Colour) -> None:
    """A runway from x0 to x1 along the pose: shoulders, threshold bars, numbers, touch-down zones, rubber."""
    outline = pose(span(x0, x1, -width / 2, width / 2))
    digits = [str(site.rng.integers(1, 37)).zfill(2) for _ in range(2)]

    def ground(c: Canvas) -> None:
        k = 1 / c.gsd_m
        c.fill(pose(span(x0 - 12, x1 + 12, -width / 2 - 6, width / 2 + 6)), near_tone, 30)
        c.fill(outline, tone, 24)
        for y in (-0.18, 0.18):
            c.worn(pose(span(x0 + 60, x1 - 60, (y - 0.09) * width, (y + 0.09) * width)), 112)
        c.lines(dashes(pose(np.linspace((x0 + 75, 0), (x1 - 75, 0), 2)), 30 * k, 22 * k), _WHITE, 0.9 * k, tone)
        for y in (-0.46, 0.46):
            c.line(pose([(x0, y * width), (x1, y * width)]), _WHITE, 0.9 * k, tone)
        for end, way, number in ((x0, 1, digits[0]), (x1, -1, digits[1])):
            _threshold(c, pose.moved(end, 0, 0 if way > 0 else np.pi), width, number)

    near_tone = near(site.rng, (112, 108, 96), 5)
    site.area("runway", outline, ground, claim=PAVED, ground_z=1)


def _threshold(c: Canvas, end: Pose, width: float, number: str) -> None:
    for y in np.linspace(-0.4, 0.4, 12):
        if abs(y) > 0.04:
            c.fill(end(span(6, 32, y * width - 0.9, y * width + 0.9)), _WHITE, 16)
    for y in (-0.2, 0.2):
        c.fill(end(span(110, 145, y * width - 2.5, y * width + 2.5)), _WHITE, 16)
        for x in (70, 190, 240):
            for lane in (-1.4, 0, 1.4):
                c.fill(end(span(x, x + 18, y * width + lane * 1.4 - 0.7, y * width + lane * 1.4 + 0.7)), _WHITE, 16)
    for i, digit in enumerate(number):
        for x0, x1, y0, y1 in _SEGMENTS[digit]:
            shift = (i - 0.5) * 6.2
            c.fill(end(span(40 + x0 * 9, 40 + x1 * 9, shift + y0 * 4 - 2, shift + y1 * 4 - 2)), _WHITE, 16)
    c.worn(end(span(90, 330, -0.3 * width, 0.3 * width)), 92)


def _segments() -> dict[str, list[tuple[float, float, float, float]]]:
    """Painted digits as seven-segment boxes (x0, x1, y0, y1) in a unit cell, x up the runway."""
    t = 0.16
    bars = {
        "a": (1 - t, 1, 0, 1), "b": (0.5, 1, 1 - 2 * t, 1), "c": (0, 0.5, 1 - 2 * t, 1), "d": (0, t, 0, 1),
        "e": (0, 0.5, 0, 2 * t), "f": (0.5, 1, 0, 2 * t), "g": (0.5 - t / 2, 0.5 + t / 2, 0, 1),
    }  # fmt: skip
    lit = ["abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg"]
    return {str(n): [bars[s] for s in names] for n, names in enumerate(lit)}


_SEGMENTS = _segments()


def strip(site: Site, pose: Pose, outline_m: np.ndarray, centre_m: np.ndarray, label: str, tone: Colour) -> None:
    """A taxiway: paving with a yellow line along its middle."""
    outline, centre = pose(outline_m), pose(centre_m)

    def ground(c: Canvas) -> None:
        c.fill(outline, tone, 22)

    def marks(c: Canvas) -> None:
        c.line(centre, _YELLOW, 0.5 / c.gsd_m, tone)

    site.area(label, outline, ground, claim=PAVED, ground_z=2)
    site.decorate(ground=marks, ground_z=4)


def _taxiways(
    site: Site, pose: Pose, y_taxi: float, width: float, reach: float, apron_y: float, tone: Colour
) -> list[float]:
    strip(
        site,
        pose,
        span(-reach, reach, y_taxi - width / 2, y_taxi + width / 2),
        np.array([(-reach, y_taxi), (reach, y_taxi)]),
        "taxiway",
        tone,
    )
    links = [float(x) for x in np.arange(-reach, reach, 190) + site.rng.uniform(0, 190)]
    for i, x in enumerate(links):
        lean = float(site.rng.choice([0.0, 0.0, 35.0, -35.0]))
        a, b = (x, 0.0), (x + lean, y_taxi)
        flare, w, y0, y1 = 13.0, width / 2 * 1.1, 22.0, y_taxi - width / 2
        near_end = [(a[0] - w - flare, y0), (a[0] + w + flare, y0), (a[0] + w, y0 + flare)]
        far_end = [
            (b[0] + w, y1 - flare),
            (b[0] + w + flare, y1 + 1),
            (b[0] - w - flare, y1 + 1),
            (b[0] - w, y1 - flare),
        ]
        outline = np.array([*near_end, *far_end, (a[0] - w, y0 + flare)])
        strip(site, pose, outline, np.array([a, b]), "taxiway", tone)
        if i % 2 == 0:
            w2 = width / 2
            link = span(x - w2, x + w2, y_taxi + width / 2 - 1, apron_y + 1)
            strip(site, pose, link, np.array([(x, y_taxi), (x, apron_y)]), "taxiway", tone)
    return links


def _apron(site: Site, pose: Pose, x0: float, x1: float, y0: float, y1: float) -> None:
    outline = pose(span(x0, x1, y0, y1))
    rgb = near(site.rng, (150, 146, 136) if site.rng.random() < 0.7 else (112, 112, 110), 8)
    slabs = [(pose([(x, y0), (x, y1)])) for x in np.arange(x0, x1, 15.0)] + [
        pose([(x0, y), (x1, y)]) for y in np.arange(y0, y1, 15.0)
    ]
    stains = [
        (
            pose.moved(float(site.rng.uniform(x0, x1)), float(site.rng.uniform(y0, y1)))(
                rect(*site.rng.uniform(6, 26, 2))
            ),
            int(site.rng.integers(108, 142)),
        )
        for _ in range(14)
    ]

    def ground(c: Canvas) -> None:
        c.fill(outline, rgb, 22)
        c.lines(slabs, (104, 101, 94), 0.22 / c.gsd_m, rgb, 22)
        for stain, value in stains:
            c.worn(stain, value)

    site.area("apron", outline, ground, claim=PAVED, ground_z=3)


def _gates(site: Site, pose: Pose, face_y: float, x0: float, x1: float, kinds: list[str]) -> None:
    """Airplanes nose-in along the terminal's face, each with a bridge, a stand line and service trucks."""
    x = x0
    while x < x1:
        kind = kinds[site.rng.integers(len(kinds))]
        frame = AIRFRAMES[kind]
        room = frame.span_m * 1.07 + 7
        stand = pose.moved(
            x + room / 2, face_y - 9 - frame.length_m * 0.53, np.pi / 2 + float(site.rng.normal(0, 0.015))
        )
        line = stand([(-frame.length_m * 0.9, 0), (frame.length_m * 0.45, 0)])
        _stand_line(site, line)
        taken = site.rng.random() < 0.78 and put_airplane(site, stand, kind) is not None
        _jet_bridge(
            site,
            pose,
            x + room / 2 + frame.length_m * 0.13,
            face_y,
            9 + frame.length_m * (0.12 if taken else 0.02),
            taken,
        )
        if taken:
            for _ in range(3):
                spot = stand.moved(
                    float(site.rng.uniform(-0.3, 0.35)) * frame.length_m,
                    float(site.rng.choice([-1, 1]) * site.rng.uniform(4, 12)),
                )
                put_vehicle(
                    site,
                    spot.moved(0, 0, float(site.rng.uniform(0, 6.3))),
                    "van" if site.rng.random() < 0.6 else "truck",
                )
        x += room


def _stand_line(site: Site, line: np.ndarray) -> None:
    site.decorate(ground=lambda c: c.line(line, _YELLOW, 0.4 / c.gsd_m, (146, 142, 132)), ground_z=4)


def _jet_bridge(site: Site, pose: Pose, x: float, face_y: float, length: float, taken: bool) -> None:
    lean = -0.32 if taken else 0.5
    root = pose.moved(x, face_y, -np.pi / 2 + lean)
    tube = root(span(0, length, -1.5, 1.5))

    def top(c: Canvas) -> None:
        c.unshade(tube)
        c.fill(tube, (168, 168, 164), 8)
        c.fill(root(span(0, length, -0.4, 0.4)), (196, 196, 192), 6)

    if site.free(tube, 4, 1.0):
        site.claim(tube, 4)
        site.decorate(shadow=lambda c: c.cast_convex(tube, 5.0), top=top)


def _landside(site: Site, pose: Pose, y: float, x0: float, x1: float) -> None:
    reach = site.reach_m * 1.2
    line = pose(np.linspace((-reach, y + 12), (reach, y + 12), 8))
    road(site, line, 10.0, 3)
    for i in range(int((x1 - x0) / 110)):
        parking_lot(
            site,
            pose.moved(x0 + i * 118, y + 26),
            float(site.rng.uniform(70, 108)),
            49.0,
            float(site.rng.uniform(0.3, 0.85)),
        )
    traffic(site, line, 10.0, 3, 3)


def _remote_stands(site: Site, pose: Pose, x0: float, x1: float, y: float, kinds: list[str], chance: float) -> None:
    x = x0
    while x < x1:
        kind = kinds[site.rng.integers(len(kinds))]
        room = AIRFRAMES[kind].span_m * 1.1 + 5
        if site.rng.random() < chance:
            turn = float(site.rng.choice([-1, 1])) * np.pi / 2 + float(site.rng.normal(0, 0.04))
            put_airplane(site, pose.moved(x + room / 2, y, turn), kind)
        x += room


def lay_airport(site: Site, angle: float | None = None, shift_m: float | None = None) -> None:
    """Lay out an airport; `angle` and `shift_m` fix the runway's heading and its distance from the middle."""
    rng = site.rng
    small = rng.random() < 0.25
    reach = site.reach_m * 1.15
    pose = site.centre(float(rng.uniform(0, 2 * np.pi)) if angle is None else angle)
    width = 30.0 if small else 45.0
    half = site.reach_m * 0.7
    pose = pose.moved(
        float(rng.uniform(-60, 60)), float(-half * rng.uniform(0.55, 0.95)) if shift_m is None else shift_m
    )
    tone = near(rng, (94, 93, 90) if rng.random() < 0.6 else (128, 124, 114), 6)
    runway(site, pose, -reach * 2 if rng.random() < 0.5 else -site.reach_m * 0.8, reach * 2, width, tone)
    y_taxi, taxi_w = width / 2 + (48 if small else 75), (15.0 if small else 23.0)
    apron_y = y_taxi + taxi_w / 2 + (22 if small else 40)
    deep = 62.0 if small else 118.0
    x0, x1 = -site.reach_m * float(rng.uniform(0.5, 1.2)), site.reach_m * float(rng.uniform(0.5, 1.2))
    _apron(site, pose, x0, x1, apron_y, apron_y + deep)
    links = _taxiways(site, pose, y_taxi, taxi_w, reach * 1.5, apron_y, near(rng, tone, 5))
    face = apron_y + deep
    big = ["airliner"] * 5 + ["wide-body", "twin", "regional"]
    little = ["light"] * 6 + ["business", "turboprop"]
    if small:
        for y in (apron_y + 14, apron_y + 34):
            _remote_stands(site, pose, x0 + 4, x1 - 4, y, little, 0.75)
        for x in np.arange(x0 + 20, x1 - 20, 46):
            put_building(
                site,
                pose.moved(float(x), face + 14),
                float(rng.uniform(26, 38)),
                float(rng.uniform(18, 24)),
                "shed",
                8,
                ("white", "grey", "blue"),
            )
    else:
        put_building(site, pose.moved((x0 + x1) / 2, face + 16), (x1 - x0) * 0.86, 30, "flat", 14, ("grey", "white"))
        _gates(site, pose, face, x0 + 12, x1 - 12, big)
        _remote_stands(
            site, pose, x0 + 6, x1 - 6, apron_y + 28, ["airliner", "regional", "business", "turboprop"], 0.35
        )
    for x in rng.uniform(-reach, reach, 3):
        put_airplane(
            site,
            pose.moved(float(x), y_taxi, 0 if rng.random() < 0.5 else np.pi),
            little[0] if small else big[rng.integers(len(big))],
        )
    if rng.random() < 0.5:
        put_airplane(
            site,
            pose.moved(float(rng.uniform(-0.6, 0.6)) * site.reach_m, 0),
            "business" if small else big[rng.integers(len(big))],
        )
    for x in links[:6]:
        put_vehicle(site, pose.moved(x + 30, apron_y + 5, 0), "van")
    _landside(site, pose, face + (30 if small else 36), x0, x1)
    for x, y in rng.uniform(0, 1, (10, 2)) * site.size_wh:
        if abs(pose.local([(x, y)])[0][1]) > 70:
            put_wood(site, float(x), float(y), float(rng.uniform(12, 34)))
    scatter_trees(site, 50, (2, 4))
