"""Clouds of one date, by a rule that would rather miss a cloud than call a roof one.

A cloud in red, green and blue is large, bright, grey, without fine detail, with a soft edge, and the other date is
darker there. Each of these is asked for; thin haze, small clouds and shadows of clouds are not found (Fmask and its kin
find those from infrared bands, which are not at hand here).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

_BRIGHT, _RIM_BRIGHT, _GREY_WITHIN = 200, 140, 20  # of 255
_BRIGHTER_BY, _BRIGHTER_SHARE = 35, 0.9
_LEAST_SHARE, _LEAST_RADIUS = 0.01, 0.035  # of the area, and of the shorter side
_RING = 0.02  # of the shorter side, on both sides of the outline
_SOFT, _SMOOTH = 14.0, 7.0  # levels a px
_RIM, _MARGIN = 0.05, 0.01
_LINE_PX = 2.0


def cloud_mask(rgb: np.ndarray, other_rgb: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Where the first date shows clouds.

    Args:
        rgb: (H, W, 3) uint8, thumbnail of the date asked about; a few hundred px a side.
        other_rgb: likewise, the other date on the same grid.
        valid: (H, W) bool, where both have data.

    Returns:
        (H, W) bool.
    """
    found = np.zeros(valid.shape, bool)
    image, other = (cv2.GaussianBlur(each, (0, 0), 1.5).astype(np.int16) for each in (rgb, other_rgb))
    low = image.min(axis=2)
    grey = (image.max(axis=2) - low <= _GREY_WITHIN) & valid
    core = (low >= _BRIGHT) & grey
    if core.sum() < _LEAST_SHARE * core.size:
        return found
    brighter = image.mean(axis=2) - other.mean(axis=2) >= _BRIGHTER_BY
    slope = _slope(rgb)
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(core.astype(np.uint8), connectivity=4)
    for part in range(1, count):
        if boxes[part, cv2.CC_STAT_AREA] < _LEAST_SHARE * core.size:
            continue
        blob = parts == part
        if brighter[blob].mean() >= _BRIGHTER_SHARE and _is_soft(blob, slope, valid):
            found |= blob
    if not found.any():
        return found
    near = cv2.distanceTransform((~found).astype(np.uint8), cv2.DIST_L2, 5) <= _RIM * min(found.shape)
    return _grown(found, (low >= _RIM_BRIGHT) & grey & brighter & near)


def _slope(rgb: np.ndarray) -> np.ndarray:
    """Levels a px, of brightness."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    x, y = (cv2.Scharr(grey, cv2.CV_32F, *axes, scale=1 / 32) for axes in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(x, y))


def _is_soft(blob: np.ndarray, slope: np.ndarray, valid: np.ndarray) -> bool:
    """Whether a blob is thick, its inside without detail and its outline without a hard edge."""
    shortest = min(blob.shape)
    inner = cv2.distanceTransform(blob.astype(np.uint8), cv2.DIST_L2, 5)
    if inner.max() < _LEAST_RADIUS * shortest:
        return False
    ring_px = max(2.0, _RING * shortest)
    outer = cv2.distanceTransform((~blob).astype(np.uint8), cv2.DIST_L2, 5)
    edge = (inner <= ring_px) & (outer <= ring_px) & valid
    inside = inner > ring_px
    if not inside.any():
        return False
    line = (inner <= _LINE_PX) & (outer <= _LINE_PX) & valid  # a roof's edge is a few px wide, however wide the ring
    if not line.any() or float(np.percentile(slope[line], 70)) > _SOFT:
        return False
    return float(np.percentile(slope[edge], 80)) <= _SOFT and float(np.percentile(slope[inside], 90)) <= _SMOOTH


def _grown(found: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """The clouds with the fainter parts that hang on them, and a margin."""
    _, parts = cv2.connectedComponents((rim | found).astype(np.uint8), connectivity=4)
    touched = np.unique(parts[found])
    whole: Any = np.isin(parts, touched[touched > 0]).astype(np.uint8)
    margin = max(2, round(_MARGIN * min(found.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    whole = cv2.morphologyEx(cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), cv2.MORPH_CLOSE, disc)
    return np.asarray(cv2.dilate(whole | found.astype(np.uint8), disc) > 0)
