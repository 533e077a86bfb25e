"""Airplanes from above: airliners, wide-bodies, regional and business jets, propeller planes, delta-wing jets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import Canvas
from .look import Colour, lit, mix
from .shapes import Points, Pose, disc, mirrored, span
from .site import BUILT, WATER, Item, Site


@dataclass(frozen=True)
class Airframe:
    """An airplane's plan in fractions: x along the nose in units of length (nose +0.5), y in units of half span."""

    length_m: float
    span_m: float
    body: float  # fuselage half width, of length
    wing: tuple[float, float, float, float]  # root leading, root trailing, tip leading, tip trailing (x / length)
    tail: tuple[float, float, float, float]  # the same for the tailplane
    tail_span: float  # of half span
    engines: tuple[float, ...]  # y / half span of pods under one wing
    rear_engine: bool
    height_m: float


AIRFRAMES: dict[str, Airframe] = {
    "airliner": Airframe(
        39, 35, 0.052, (0.13, -0.06, -0.09, -0.135), (-0.36, -0.45, -0.46, -0.49), 0.36, (0.34,), False, 5
    ),
    "wide-body": Airframe(
        64, 60, 0.047, (0.15, -0.06, -0.13, -0.165), (-0.36, -0.45, -0.46, -0.49), 0.33, (0.32, 0.6), False, 7
    ),
    "twin": Airframe(58, 55, 0.05, (0.15, -0.06, -0.12, -0.16), (-0.36, -0.45, -0.46, -0.49), 0.34, (0.33,), False, 7),
    "regional": Airframe(30, 24, 0.05, (0.03, -0.1, -0.12, -0.155), (-0.43, -0.5, -0.48, -0.52), 0.4, (), True, 4),
    "business": Airframe(20, 19, 0.055, (0.03, -0.11, -0.12, -0.16), (-0.41, -0.49, -0.47, -0.51), 0.42, (), True, 3.2),
    "turboprop": Airframe(
        27, 27, 0.052, (0.13, -0.03, 0.06, -0.01), (-0.4, -0.49, -0.43, -0.49), 0.3, (0.3,), False, 4
    ),
    "light": Airframe(8.3, 11, 0.07, (0.2, 0.0, 0.19, 0.03), (-0.38, -0.5, -0.4, -0.5), 0.32, (), False, 2.2),
    "delta": Airframe(18, 12, 0.07, (0.12, -0.36, -0.24, -0.34), (-0.34, -0.46, -0.44, -0.5), 0.5, (), False, 3),
}


def airplane_outline(frame: Airframe) -> Points:
    """The closed outline (N, 2) in metres, nose towards +x: fuselage, wings with engine pods, tailplane."""
    length, half, r = frame.length_m, frame.span_m / 2, frame.body * frame.length_m
    a, b, c, d = (v * length for v in frame.wing)
    e, f, g, h = (v * length for v in frame.tail)
    half_points = [
        (0.5 * length, 0.0),
        (0.485 * length, 0.45 * r),
        (0.45 * length, 0.82 * r),
        (0.4 * length, r),
        (a, r),
    ]
    for y in frame.engines:
        yy, w = y * half, 0.034 * length * (0.85 if len(frame.engines) > 1 else 1.0)
        x = a + (c - a) * (yy - r) / (half - r)
        slope = (c - a) / (half - r)
        out = 0.075 * length
        half_points += [(x - slope * w, yy - w), (x - slope * w + out, yy - w * 0.85)]
        half_points += [(x - slope * w + out, yy + w * 0.85), (x + slope * w, yy + w)]
    half_points += [
        (c, half * 0.985),
        (c - 0.012 * length, half),
        (d, half),
        (b + 0.25 * (d - b), half * 0.36),
        (b - 0.02 * length, r),
    ]
    if frame.rear_engine:
        half_points += [
            (-0.22 * length, r),
            (-0.22 * length, 2.5 * r),
            (-0.36 * length, 2.3 * r),
            (-0.36 * length, 0.8 * r),
        ]
    half_points += [
        (e, 0.62 * r),
        (g, half * frame.tail_span),
        (h, half * frame.tail_span),
        (f, 0.36 * r),
        (-0.5 * length, 0.0),
    ]
    return mirrored(half_points)


def _draw(canvas: Canvas, pose: Pose, frame: Airframe, rgb: Colour, accent: Colour, wing_rgb: Colour) -> None:
    length, half, r = frame.length_m, frame.span_m / 2, frame.body * frame.length_m
    outline = pose(airplane_outline(frame))
    canvas.unshade(outline)
    canvas.fill(outline, wing_rgb, 4)
    a, b, c, d = (v * length for v in frame.wing)
    for side in (-1.0, 1.0):  # flaps along the trailing edge, bright leading edge
        canvas.line(pose([(a, side * r), (c, side * half)]), lit(rgb, 1.04), 0.9 / canvas.gsd_m * 0.5, wing_rgb)
        flap = [(b + 0.03 * length, side * r), (d + 0.02 * length, side * half * 0.9)]
        canvas.line(pose(flap), lit(wing_rgb, 0.78), 0.4 / canvas.gsd_m, wing_rgb)
        for y in frame.engines:
            x = a + (c - a) * (y * half - r) / (half - r)
            pod = span(
                x - 0.01 * length,
                x + 0.072 * length,
                side * y * half - 0.024 * length,
                side * y * half + 0.024 * length,
            )
            canvas.fill(pose(pod), mix(rgb, accent, 0.35), 4)
    sun_y = -np.sin(pose.angle) * canvas.look.sun_xy[0] + np.cos(pose.angle) * canvas.look.sun_xy[1]
    side = 1.0 if sun_y > 0 else -1.0
    hull = [(0.5, 0), (0.485, 0.5), (0.45, 0.85), (0.4, 1), (-0.25, 1), (-0.42, 0.6), (-0.5, 0)]
    body = [(x * length, y * r) for x, y in hull] + [(x * length, -y * r) for x, y in hull[-2:0:-1]]
    canvas.fill(pose(body), rgb, 3)
    dark = [(x * length, -side * y * r) for x, y in hull] + [(x * length, -side * 0.45 * y * r) for x, y in hull[::-1]]
    canvas.fill(pose(dark), lit(rgb, 0.76), 3)
    canvas.fill(pose(span(-0.5 * length, -0.3 * length, -0.16 * r, 0.16 * r)), accent, 3)  # the fin, edge-on
    if length / canvas.gsd_m > 18:
        canvas.fill(
            pose(
                [
                    (0.47 * length, -0.5 * r),
                    (0.47 * length, 0.5 * r),
                    (0.445 * length, 0.62 * r),
                    (0.445 * length, -0.62 * r),
                ]
            ),
            (44, 50, 60),
            3,
        )


def put_airplane(site: Site, pose: Pose, kind: str, forbid: int = BUILT | WATER) -> Item | None:
    """Add an airplane whose nose points along the pose; None when the place is taken."""
    base = AIRFRAMES[kind]
    k = float(site.rng.uniform(0.93, 1.07))
    frame = Airframe(base.length_m * k, base.span_m * k, *list(base.__dict__.values())[2:])
    name, rgb = site.colour(*(("grey",) if kind == "delta" else ("white",) * 6 + ("grey",)))
    if name == "grey":
        rgb = mix(rgb, (150, 154, 158), 0.6)
    accent = site.colour("red", "blue", "blue", "green", "orange", "white", "grey")[1]
    wing_rgb = rgb if kind == "delta" else mix(rgb, (176, 180, 184), 0.55)
    outline = pose(airplane_outline(frame))
    stain = pose(disc(frame.length_m * 0.12, 12, -0.05 * frame.length_m))

    def shadow(c: Canvas) -> None:
        lift = c.shadow_px(frame.height_m * 0.45)
        cv_points = outline + lift
        c.cast(cv_points, frame.height_m * 0.25)
        fin = pose([(-0.5 * frame.length_m, 0), (-0.33 * frame.length_m, 0)])
        c.cast_convex(np.concatenate([fin, fin + 0.5]), frame.height_m * 1.9)

    return site.put(
        "airplane",
        outline,
        lambda c: _draw(c, pose, frame, rgb, accent, wing_rgb),
        shadow=shadow,
        ground=lambda c: c.worn(stain, 112),
        colour=name,
        forbid=forbid,
        margin_px=max(1.5, 1.2 / site.gsd_m),
        least_visible=0.4,
    )
