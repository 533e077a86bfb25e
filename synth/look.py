"""How one date looks: season, sun, haze and camera. Geometry is elsewhere; a pair has one geometry and two looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .texture import ramp

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "white": (226, 226, 222),
    "grey": (138, 140, 142),
    "black": (40, 40, 44),
    "red": (158, 46, 42),
    "blue": (52, 84, 146),
    "green": (66, 106, 74),
    "yellow": (206, 172, 62),
    "brown": (116, 88, 68),
    "orange": (192, 106, 56),
}

_GRASS = {
    "summer": [(52, 62, 40), (74, 86, 54), (92, 104, 66), (116, 122, 84), (142, 136, 104)],
    "spring": [(54, 70, 40), (78, 98, 56), (98, 120, 68), (122, 136, 86), (140, 140, 104)],
    "dry": [(82, 78, 58), (112, 104, 78), (134, 122, 92), (156, 142, 110), (178, 164, 132)],
    "autumn": [(66, 62, 42), (92, 86, 56), (112, 102, 66), (132, 118, 82), (150, 136, 104)],
    "winter": [(70, 66, 54), (94, 90, 74), (112, 106, 88), (130, 122, 104), (148, 140, 122)],
}
_TREES = {
    "summer": [(44, 60, 34), (52, 66, 36), (38, 54, 34), (60, 72, 42)],
    "spring": [(54, 78, 38), (62, 84, 42), (44, 64, 36), (76, 92, 50)],
    "dry": [(56, 62, 40), (66, 68, 44), (50, 56, 38), (74, 74, 50)],
    "autumn": [(92, 70, 38), (106, 82, 40), (62, 64, 36), (122, 78, 40)],
    "winter": [(72, 64, 54), (80, 72, 60), (48, 54, 40), (88, 78, 66)],
}
_WATER = [
    [(16, 30, 40), (24, 42, 52), (36, 56, 64)],
    [(28, 44, 44), (40, 58, 54), (56, 74, 66)],
    [(18, 34, 58), (28, 48, 74), (42, 66, 92)],
    [(46, 56, 46), (62, 70, 56), (80, 86, 68)],
]


@dataclass(frozen=True)
class Look:
    """One date's light, season and camera.

    Attributes:
        sun_xy: unit vector on the screen towards the sun.
        shadow_per_m: metres of shadow for a metre of height.
        grass, water: colour ramps (256, 3) uint8.
        trees: crown colours of the season.
        matrix: (3, 4) float32 colour matrix: saturation, cast, contrast and haze in one.
        blur_sigma_px, noise_sigma, jpeg_quality: the camera's softness, noise (of 255) and compression.
    """

    season: str
    sun_xy: tuple[float, float]
    shadow_per_m: float
    shadow_depth: float
    grass: NDArray[np.uint8]
    water: NDArray[np.uint8]
    trees: tuple[Colour, ...]
    matrix: NDArray[np.float32]
    blur_sigma_px: float
    noise_sigma: float
    jpeg_quality: int

    @property
    def sun_step(self) -> int:
        """The sun's direction as one of 16 steps (cached crowns are lit by steps)."""
        return round(np.arctan2(self.sun_xy[1], self.sun_xy[0]) / (np.pi / 8)) % 16


def _jitter(rng: np.random.Generator, stops: list[Colour], amount: float) -> list[Colour]:
    gain = rng.normal(1, amount, 3)
    return [tuple(int(np.clip(c * g, 0, 255)) for c, g in zip(s, gain, strict=True)) for s in stops]  # type: ignore[misc]


def _colour_matrix(rng: np.random.Generator) -> NDArray[np.float32]:
    saturation = rng.uniform(0.76, 1.06)
    luma = np.array([0.30, 0.59, 0.11])
    colour = saturation * np.eye(3) + (1 - saturation) * np.tile(luma, (3, 1))
    cast = rng.normal(1, 0.025, 3) * rng.uniform(0.92, 1.22)
    haze = rng.uniform(0, 0.14) ** 1.0
    veil = np.array([168, 178, 190]) * haze
    return np.concatenate([(colour * cast[:, None]) * (1 - haze), veil[:, None]], axis=1).astype(np.float32)


def draw_look(rng: np.random.Generator, season: str | None = None) -> Look:
    """A random look; the sun stands in the southern half of the sky, as north of the tropics."""
    names = list(_GRASS)
    season = season or names[rng.choice(len(names), p=[0.36, 0.2, 0.2, 0.14, 0.1])]
    azimuth = np.radians(rng.uniform(105, 255))
    elevation = np.radians(rng.uniform(34, 62))
    return Look(
        season=season,
        sun_xy=(float(np.sin(azimuth)), float(-np.cos(azimuth))),
        shadow_per_m=float(1 / np.tan(elevation)),
        shadow_depth=float(rng.uniform(0.5, 0.66)),
        grass=ramp(*_jitter(rng, _GRASS[season], 0.04)),
        water=ramp(*_jitter(rng, _WATER[rng.integers(len(_WATER))], 0.05)),
        trees=tuple(_jitter(rng, _TREES[season], 0.05)),
        matrix=_colour_matrix(rng),
        blur_sigma_px=float(rng.uniform(0.45, 0.8)),
        noise_sigma=float(rng.uniform(1.2, 3.2)),
        jpeg_quality=int(rng.integers(78, 95)),
    )


def near(rng: np.random.Generator, colour: Colour, amount: float = 8) -> Colour:
    """A colour close to the given one."""
    r, g, b, grey = (rng.normal(size=4) * (amount / 4, amount / 4, amount / 4, amount)).tolist()
    return _bound(colour[0] + r + grey), _bound(colour[1] + g + grey), _bound(colour[2] + b + grey)


def _bound(value: float) -> int:
    return int(min(max(value, 8), 246))


def lit(colour: Colour, gain: float) -> Colour:
    """The colour made lighter (gain > 1) or darker."""
    return tuple(int(min(max(c * gain, 0), 255)) for c in colour)  # type: ignore[return-value]


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """The colour `t` of the way from a to b."""
    return tuple(int(p + (q - p) * t) for p, q in zip(a, b, strict=True))  # type: ignore[return-value]
