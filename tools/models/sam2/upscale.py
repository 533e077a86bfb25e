"""From SAM-2's low-resolution logits to a mask in the pixels of the window, only where something is set."""

from __future__ import annotations

import math

import numpy as np

_STRIP_PX = 4_000_000  # pixels enlarged at once


def enlarged(logits: np.ndarray, size_wh: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """Where the logits, enlarged bilinearly to `size_wh`, are above 0: a part of the window, and its first px (x, y).

    The same pixels as `torch.nn.functional.interpolate(..., align_corners=False) > 0`, but only the part that can be
    set is enlarged, in strips, so a small object in a window of thousands of px costs little.

    Args:
        logits: (h, w) float32.
        size_wh: of the window, px.

    Returns:
        (rows, columns) bool, (0, 0) where nothing is set; offset.
    """
    x0, x1 = _reach(np.asarray((logits > 0).any(axis=0)), size_wh[0])
    y0, y1 = _reach(np.asarray((logits > 0).any(axis=1)), size_wh[1])
    if x1 <= x0 or y1 <= y0:
        return np.zeros((0, 0), dtype=bool), (0, 0)
    left, right, across = _neighbours(x0, x1, logits.shape[1], size_wh[0])
    mask = np.empty((y1 - y0, x1 - x0), dtype=bool)
    rows = max(1, _STRIP_PX // (x1 - x0))
    for start in range(y0, y1, rows):
        stop = min(start + rows, y1)
        above, below, down = _neighbours(start, stop, logits.shape[0], size_wh[1])
        strip = logits[above] + down[:, None] * (logits[below] - logits[above])
        mask[start - y0 : stop - y0] = strip[:, left] + across * (strip[:, right] - strip[:, left]) > 0
    return mask, (x0, y0)


def _reach(is_set: np.ndarray, length: int) -> tuple[int, int]:
    """First and last px (exclusive) that a set cell can reach."""
    cells = np.flatnonzero(is_set)
    if len(cells) == 0:
        return 0, 0
    scale = length / len(is_set)
    low = math.floor((cells[0] - 0.5) * scale - 0.5)
    high = math.ceil((cells[-1] + 1.5) * scale - 0.5) + 1
    return max(0, low), min(length, high)


def _neighbours(start: int, stop: int, cells: int, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each px from `start` to `stop`: the two cells it lies between, and its share of the second."""
    at = np.clip((np.arange(start, stop) + 0.5) * (cells / length) - 0.5, 0, None)
    low = np.minimum(np.floor(at).astype(np.int64), cells - 1)
    return low, np.minimum(low + 1, cells - 1), (at - low).astype(np.float32)
