"""The dominant colour of a candidate's pixels (A4)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ..core.conditions import Colour
from ..core.masks import Mask
from ..core.regions import Region
from .bands import Bands
from .findings import FALSE, TRUE, UNKNOWN, Case, Findings

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "brown", "white", "grey", "black")
_ERODE_PX = 2
_MOST_PX = 384  # longer windows are read scaled down to this


def judge_colour(case: Case, condition: Colour) -> Findings:
    """The colour of the median pixel of the mask (else polygon, else box), eroded 2 px; false if it is another.

    Fewer than 16 pixels (with a gap: 64): unknown. With a gap, the colour must also hold 60 % of the pixels and the
    runner-up at most 25 %, else unknown.
    """
    wanted = COLOURS.index(condition.word)
    seen = [_seen(case.scene, region, case.bands) for region in case.layout.regions]
    codes = [UNKNOWN if colour is None else TRUE if colour == wanted else FALSE for colour, _ in seen]

    return Findings(np.array(codes, dtype=np.int8), lambda index: seen[index][1])


def colour_bins(rgb: np.ndarray) -> np.ndarray:
    """Index into `COLOURS` of each pixel, by hue, saturation and value.

    Args:
        rgb: (..., 3) uint8.

    Returns:
        (...) int8. Dark pixels are black; pale ones white, grey or black by value; the others go by hue, with dark or
        dull orange brown and dark yellow green.

    Example:
        >>> [COLOURS[i] for i in colour_bins(np.array([[200, 30, 30], [250, 250, 250], [90, 90, 95]], np.uint8))]
        ['red', 'white', 'grey']
    """
    flat = np.ascontiguousarray(rgb, dtype=np.uint8).reshape(1, -1, 3)
    hsv = cv2.cvtColor(flat, cv2.COLOR_RGB2HSV_FULL).reshape(-1, 3).astype(np.float64)
    hue, saturation, value = hsv[:, 0] * 360 / 256, hsv[:, 1] / 255, hsv[:, 2] / 255
    edges = np.array([15.0, 45.0, 70.0, 165.0, 260.0, 335.0])  # red | orange | yellow | green | blue | purple | red
    bins = np.array([0, 1, 2, 3, 4, 5, 0])[np.searchsorted(edges, hue, side="right")]
    brown = (hue >= 10) & (hue < 55) & ((value < 0.62) | ((value < 0.75) & (saturation < 0.5)))
    bins = np.where(brown, COLOURS.index("brown"), bins)
    bins = np.where((hue >= 55) & (hue < 70) & (value < 0.62), COLOURS.index("green"), bins)  # olive: dry grass
    greenish = (hue >= 80) & (hue < 165) & (value > 0.35)  # grass and courts are dull from above
    pale = saturation < np.where(greenish, 0.12, np.where(value > 0.5, 0.18, 0.22))
    bins = np.where(pale, np.where(value >= 0.78, COLOURS.index("white"), COLOURS.index("grey")), bins)
    dark = (value < 0.2) | ((value < 0.3) & pale)
    return np.where(dark, COLOURS.index("black"), bins).astype(np.int8).reshape(rgb.shape[:-1])


def _seen(scene: Any, region: Region, bands: Bands) -> tuple[int | None, str]:
    """The colour's index, None when it cannot be said, and the reason."""
    pixels = region_pixels(scene, region)
    if len(pixels) < bands.colour_pixels:
        return None, f"only {len(pixels)} pixels to judge its colour by"
    middle = np.median(pixels, axis=0).round().astype(np.uint8)
    colour = int(colour_bins(middle[None])[0])
    shares = np.bincount(colour_bins(pixels), minlength=len(COLOURS)) / len(pixels)
    second = float(np.delete(shares, colour).max())
    reason = f"its median pixel is {COLOURS[colour]}, as are {100 * shares[colour]:.0f} % of its pixels"
    if bands.gap and (shares[colour] < bands.colour_share or second > bands.colour_second):
        return None, reason
    return colour, reason


def region_pixels(scene: Any, region: Region) -> np.ndarray:
    """(P, 3) uint8 pixels of a region that hold data, 2 px away from its outline where it is wide enough."""
    width, height = scene.size_wh
    outline = region.outline_px
    x0, y0 = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(outline.max(axis=0)), (width, height)).astype(int)
    if x1 <= x0 or y1 <= y0:
        return np.zeros((0, 3), dtype=np.uint8)
    scale = min(1.0, _MOST_PX / max(x1 - x0, y1 - y0))
    size = (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale)))
    window = (int(x0), int(y0), int(x1), int(y1))
    inside = _inside(region, window, size) & scene.valid(window, size)
    return np.asarray(scene.read(window, size)[inside])


def _inside(region: Region, window: tuple[int, int, int, int], size_wh: tuple[int, int]) -> np.ndarray:
    """(h, w) bool on the scaled window, eroded where that leaves pixels."""
    x0, y0, x1, y1 = window
    if region.mask is not None and region.mask.crop.size:
        full = np.zeros((y1 - y0, x1 - x0), dtype=np.uint8)
        left, top = region.mask.offset_xy
        rows, columns = np.nonzero(region.mask.crop)
        rows, columns = rows + top - y0, columns + left - x0
        held = (rows >= 0) & (rows < y1 - y0) & (columns >= 0) & (columns < x1 - x0)
        full[rows[held], columns[held]] = 1
        inside = cv2.resize(full, size_wh, interpolation=cv2.INTER_NEAREST)
    else:
        scale = np.array(size_wh) / np.array([x1 - x0, y1 - y0])
        ring = (region.outline_px - [x0, y0]) * scale
        inside = Mask.from_polygon(ring, (size_wh[1], size_wh[0])).to_array().astype(np.uint8)
    around = np.pad(inside, _ERODE_PX)
    eroded = cv2.erode(around, np.ones((2 * _ERODE_PX + 1,) * 2, np.uint8))[_ERODE_PX:-_ERODE_PX, _ERODE_PX:-_ERODE_PX]
    return (eroded if eroded.sum() * 8 >= inside.sum() else inside) > 0
