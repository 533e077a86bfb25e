"""One scene in another's light: relative radiometric normalisation by a gain and an offset for each band."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .raster import SizeWH, Window

if TYPE_CHECKING:
    from .scene import Scene

_ROUNDS = 8
_KEPT_SHARE = 0.6
_GAIN = (0.5, 2.0)
_LEAST_LIKENESS = 0.5
_LEAST_SAMPLES = 64


@dataclass(frozen=True, eq=False)
class Light:
    """How one scene's values become the other's: `gain * value + offset` for red, green and blue.

    Attributes:
        gain, offset: (3,) float64; offset in levels of 255.
        grey: whether colours are given up, since one of the two scenes has none.
    """

    gain: np.ndarray
    offset: np.ndarray
    grey: bool = False

    @cached_property
    def table(self) -> np.ndarray:
        """(1, 256, 3) uint8 for cv2.LUT."""
        values = np.arange(256)[:, None] * self.gain + self.offset
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)[None]

    @property
    def mean_step(self) -> float:
        """How far a middle grey (128) is moved, levels, averaged over the bands."""
        return float(np.abs(128 * self.gain + self.offset - 128).mean())


NO_CHANGE = Light(np.ones(3), np.zeros(3))


def matched_light(before_rgb: np.ndarray, after_rgb: np.ndarray, valid: np.ndarray, grey: bool = False) -> Light:
    """The gain and offset that bring the earlier scene to the later one's light.

    Found on the pixels that look unchanged (pseudo-invariant features: Schott, Salvaggio and Volchok 1988): mean and
    spread of all valid pixels are matched first, then over and over those of the 60 % that the last fit explains best.
    Where even those are unlike, medians are matched and contrast is left alone.
    Matching both moments treats the two dates alike, where regression would pull the gain below 1.

    Args:
        before_rgb: (H, W, 3) uint8, a sample of the scene.
        after_rgb: likewise, on the same grid.
        valid: (H, W) bool, where both have data.
        grey: fit brightness instead of colours.
    """
    if grey:
        before_rgb, after_rgb = (as_grey(each) for each in (before_rgb, after_rgb))
    first, second = (each[valid].astype(np.float64) for each in (before_rgb, after_rgb))
    if len(first) < _LEAST_SAMPLES:
        return Light(np.ones(3), np.zeros(3), grey)
    use = ((first > 2) & (first < 253) & (second > 2) & (second < 253)).all(axis=1)  # clipped values tell nothing
    if use.sum() >= _LEAST_SAMPLES:
        first, second = first[use], second[use]
    gain, offset = _moments(first, second)
    for _ in range(_ROUNDS):
        off = np.abs(first * gain + offset - second).max(axis=1)
        kept = off <= np.quantile(off, _KEPT_SHARE)
        if (
            _likeness(first[kept], second[kept]) < _LEAST_LIKENESS
        ):  # nothing looks unchanged (or is flat): only the level is brought over
            return Light(np.ones(3), np.median(second, axis=0) - np.median(first, axis=0), grey)
        gain, offset = _moments(first[kept], second[kept])
    return Light(gain, offset, grey)


def _likeness(first: np.ndarray, second: np.ndarray) -> float:
    """The least correlation of any band; 0 where one is flat."""
    spread = first.std(axis=0) * second.std(axis=0)
    common = ((first - first.mean(axis=0)) * (second - second.mean(axis=0))).mean(axis=0)
    return float((common / np.maximum(spread, 1e-9)).min())


def _moments(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(gain, offset) that give the first the second's mean and standard deviation, each (3,)."""
    gain = np.clip((second.std(axis=0) + 0.5) / (first.std(axis=0) + 0.5), *_GAIN)
    return gain, second.mean(axis=0) - gain * first.mean(axis=0)


class LitSource:
    """A scene's pixels in another light; a `PixelSource`."""

    def __init__(self, scene: Scene, light: Light) -> None:
        self._scene = scene
        self._light = light
        self.size_wh: SizeWH = scene.size_wh

    def read(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        pixels = self._scene.read(window, out_wh)
        return np.asarray(cv2.LUT(as_grey(pixels) if self._light.grey else pixels, self._light.table))

    def valid(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        return self._scene.valid(window, out_wh)


def as_grey(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 with the brightness in all three channels."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def is_grey(rgb: np.ndarray) -> bool:
    """Whether a picture has no colours at all."""
    return bool((rgb == rgb[..., :1]).all())
