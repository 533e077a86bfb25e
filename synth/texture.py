"""Noise tiles: made once in a process, periodic, cropped at a seeded offset by every scene."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

TILE = 1024
_SPARE = 512  # tiles are stored with this much of their beginning repeated, so that most crops are views
Float = NDArray[np.float32]


def _octave(rng: np.random.Generator, cells_xy: tuple[int, int]) -> Float:
    """One periodic octave of value noise in [-1, 1]: a random grid enlarged to the tile."""
    cx, cy = cells_xy
    grid = rng.uniform(-1, 1, (cy, cx)).astype(np.float32)
    padded = np.pad(grid, 2, mode="wrap")
    sx, sy = TILE // cx, TILE // cy
    big = cv2.resize(padded, ((cx + 4) * sx, (cy + 4) * sy), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(big[2 * sy : 2 * sy + TILE, 2 * sx : 2 * sx + TILE])


def _octaves(rng: np.random.Generator, *layers: tuple[int, int, float]) -> Float:
    """The sum of octaves (cells across, cells down, amplitude)."""
    total = np.zeros((TILE, TILE), np.float32)
    for across, down, amplitude in layers:
        total += _octave(rng, (across, down)) * np.float32(amplitude)
    return _unit(total)


def _unit(tile: NDArray) -> Float:
    unit = ((tile - tile.mean()) / tile.std()).astype(np.float32)
    return np.pad(unit, ((0, _SPARE), (0, _SPARE)), mode="wrap")


_LAYERS: dict[str, list[tuple[int, int, float]]] = {  # octaves: cells across, cells down, amplitude
    # broad ground variation
    "cloud": [(n, n, a) for n, a in ((4, 1.0), (8, 0.8), (16, 0.6), (32, 0.4), (64, 0.25), (256, 0.2))],
    # worn patches, thin grass
    "patch": [(n, n, a) for n, a in ((16, 0.7), (32, 0.8), (64, 0.6), (128, 0.45), (256, 0.3))],
    # what a surface shows at one to eight pixels
    "grain": [(n, n, a) for n, a in ((128, 0.45), (256, 0.7), (512, 0.9), (1024, 0.8))],
    # small waves, long across the wind
    "ripple": [(n, min(2 * n, TILE), a) for n, a in ((8, 0.4), (64, 0.5), (128, 0.8), (256, 1.0), (512, 0.5))],
}


@lru_cache(maxsize=32)
def tile(name: str) -> Float:
    """A periodic tile (1024, and 512 repeated; float32, mean 0, deviation 1): cloud, patch, grain, ripple or snow."""
    rng = np.random.default_rng(["cloud", "patch", "grain", "ripple", "snow"].index(name) + 7001)
    layers = _LAYERS.get(name)
    if layers is not None:
        return _octaves(rng, *layers)
    return _unit(cv2.GaussianBlur(rng.normal(size=(TILE, TILE)).astype(np.float32), (3, 3), 0.55))


@lru_cache(maxsize=32)
def tile_u8(name: str) -> NDArray[np.uint8]:
    """The tile as 0-255 (128 is the mean, 2.2 deviations reach the ends): an index into a colour ramp."""
    return np.clip(tile(name) * (127 / 2.2) + 128, 0, 255).astype(np.uint8)


def crop(source: NDArray, x: int, y: int, w: int, h: int) -> NDArray:
    """The (h, w) window of a periodic tile at (x, y); a view when it fits in the tile."""
    side_y, side_x = min(source.shape[0], TILE), min(source.shape[1], TILE)
    x, y = x % side_x, y % side_y
    if x + w <= source.shape[1] and y + h <= source.shape[0]:
        return source[y : y + h, x : x + w]
    return source[np.ix_((np.arange(h) + y) % side_y, (np.arange(w) + x) % side_x)]


@lru_cache(maxsize=8)
def canopy_height(radius_px: int) -> Float:
    """Heights (512, 512), periodic, of a wood whose crowns have about this radius; 0 is the ground, 1 a tall crown."""
    rng = np.random.default_rng(8100 + radius_px)
    side, pad = 512, 2 * radius_px + 2
    field = np.zeros((side + 2 * pad, side + 2 * pad), np.float32)
    count = int(1.5 * side * side / (radius_px * radius_px * 3.0))
    for x, y, r, top in zip(
        rng.integers(0, side, count),
        rng.integers(0, side, count),
        np.clip(rng.normal(1.0, 0.28, count), 0.5, 1.7) * radius_px,
        rng.uniform(0.55, 1.0, count),
        strict=True,
    ):
        k = int(r)
        yy, xx = np.mgrid[-k : k + 1, -k : k + 1].astype(np.float32)
        dome = top * np.sqrt(np.clip(1 - (xx * xx + yy * yy) / (r * r), 0, 1))
        for ox in (0, side) if x < pad else (0, -side) if x > side - pad else (0,):
            for oy in (0, side) if y < pad else (0, -side) if y > side - pad else (0,):
                window = field[y + oy + pad - k : y + oy + pad + k + 1, x + ox + pad - k : x + ox + pad + k + 1]
                if window.shape == dome.shape:
                    np.maximum(window, dome, out=window)
    return field[pad : pad + side, pad : pad + side].copy()


@lru_cache(maxsize=24)
def canopy_light(radius_px: int, sun_step: int) -> NDArray[np.uint8]:
    """How light the wood is, 0-255 (512, 512), with the sun in one of 16 directions: an index for a colour ramp."""
    z = canopy_height(radius_px)
    a = sun_step * np.pi / 8
    wrapped = np.pad(z, 2, mode="wrap")
    dx = cv2.Sobel(wrapped, cv2.CV_32F, 1, 0, ksize=3)[2:-2, 2:-2]
    dy = cv2.Sobel(wrapped, cv2.CV_32F, 0, 1, ksize=3)[2:-2, 2:-2]
    slope = -(dx * np.cos(a) + dy * np.sin(a)) * radius_px / 8
    grain = crop(tile("grain"), 0, 0, 512, 512)
    return np.clip(118 + 46 * np.tanh(slope * 1.3) + 62 * (z - 0.62) + 15 * grain, 0, 255).astype(np.uint8)


def ramp(*stops: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A 256-entry colour table through the given colours, evenly spaced."""
    at = np.linspace(0, 255, len(stops))
    table = np.stack([np.interp(np.arange(256), at, [s[c] for s in stops]) for c in range(3)], axis=1)
    return np.round(table).astype(np.uint8)


def coloured(index: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An RGB image (h, w, 3) of a 0-255 index image through a colour table (256, 3)."""
    return np.asarray(cv2.applyColorMap(np.ascontiguousarray(index), table.reshape(256, 1, 3)), dtype=np.uint8)
