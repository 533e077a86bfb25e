"""The 8-connected parts of a mask from its runs alone; the pixels are never unpacked.

A run-length encoding goes down the columns. Runs of neighbouring columns belong together when their rows touch, corners
included; labels are joined by hooking the higher to the lower and halving the paths (Shiloach and Vishkin 1982).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.rle import counts_from_rle
from .pixels import Packed

_SMALL_SIDE, _LARGE_SIDE = 256, 1024
_SMALL_PX, _LARGE_PX = 20, 64


def least_area_px(size_wh: tuple[int, int]) -> int:
    """Pixels from which on a part is an object: 20 up to a side of 256 px, 64 from 1,024 px on, a power between.

    Example:
        >>> [least_area_px((side, side)) for side in (100, 256, 512, 1024, 4000)]
        [20, 20, 36, 64, 64]
    """
    side = min(max(*size_wh, _SMALL_SIDE), _LARGE_SIDE)
    power = np.log(_LARGE_PX / _SMALL_PX) / np.log(_LARGE_SIDE / _SMALL_SIDE)
    return round(_SMALL_PX * (side / _SMALL_SIDE) ** power)


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of one mask.

    Attributes:
        start: (R,) int, first pixel of each run, counted down the columns; rising.
        stop: (R,) int, pixel after its last.
        label: (R,) int, part of each run, 0 to number of parts - 1.
        area_px: (P,) int, pixels of each part.
    """

    start: np.ndarray
    stop: np.ndarray
    label: np.ndarray
    area_px: np.ndarray


def parts_of(mask: Packed, least_px: int = 1) -> Parts:
    """The parts of a mask that have at least so many pixels.

    Example:
        >>> from .pixels import packed
        >>> parts_of(packed({"size": [2, 4], "counts": [0, 1, 2, 1, 2, 1, 1]})).area_px.tolist()  # a corner joins two
        [2, 1]
    """
    counts, (height, _) = counts_from_rle(mask)
    ends = np.cumsum(counts)
    start, stop = _within_columns(ends[0:-1:2], ends[1::2], height)
    column, row = np.divmod(start, max(height, 1))
    after = (column + 1) * height
    reach = after + np.maximum(row - 1, 0), after + np.minimum(row + stop - start + 1, height)
    label = _joined(len(start), *overlapping(*reach, start, stop)[:2])
    area = np.bincount(label, stop - start).astype(np.int64)
    large = area >= least_px
    held, renamed = large[label], np.cumsum(large) - 1
    return Parts(start[held], stop[held], renamed[label[held]], area[large])


def shared_px(first: Parts, second: Parts) -> np.ndarray:
    """(parts of `first`, parts of `second`) int: pixels that both set."""
    shape = len(first.area_px), len(second.area_px)
    one, two, length = overlapping(first.start, first.stop, second.start, second.stop)
    cells = first.label[one] * shape[1] + second.label[two]
    return np.bincount(cells, length, minlength=shape[0] * shape[1]).astype(np.int64).reshape(shape)


def overlapping(
    start: np.ndarray, stop: np.ndarray, others_start: np.ndarray, others_stop: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of half-open intervals that overlap: index of the first, of the second, and length of the overlap.

    Args:
        start: (N,) of the first, in any order.
        stop: (N,), each larger than its start.
        others_start: (M,) of the second, rising; they do not overlap one another.
        others_stop: (M,).
    """
    low = np.searchsorted(others_stop, start, side="right")
    number = np.maximum(np.searchsorted(others_start, stop, side="left") - low, 0)
    one = np.repeat(np.arange(len(start)), number)
    two = low[one] + np.arange(len(one)) - np.repeat(np.cumsum(number) - number, number)
    return one, two, np.minimum(stop[one], others_stop[two]) - np.maximum(start[one], others_start[two])


def _within_columns(start: np.ndarray, stop: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """The runs, cut where they go on in the next column; empty ones are dropped."""
    held = stop > start
    start, stop = start[held], stop[held]
    if not len(start):
        return start, stop
    first = start // height
    number = (stop - 1) // height - first + 1
    run = np.repeat(np.arange(len(start)), number)
    column = first[run] + np.arange(len(run)) - np.repeat(np.cumsum(number) - number, number)
    return np.maximum(start[run], column * height), np.minimum(stop[run], (column + 1) * height)


def _joined(number: int, one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """(number,) labels 0, 1, ... that are equal for what the pairs join, directly or by way of others."""
    root = np.arange(number)
    while True:
        first, second = root[one], root[two]
        apart = first != second
        if not apart.any():
            return np.unique(root, return_inverse=True)[1]
        one, two, first, second = one[apart], two[apart], first[apart], second[apart]
        np.minimum.at(root, np.maximum(first, second), np.minimum(first, second))
        while not np.array_equal(root, shorter := root[root]):
            root = shorter
