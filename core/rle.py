"""COCO run-length encodings without unpacking the whole scene.

Runs go down the columns, first the zeros. Compressed text holds each count as base-32 digits from '0' on, least first,
with a continuation bit, and from the fourth count on as the difference to the count before the last (pycocotools,
maskApi.c).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from .errors import UsageError


def counts_from_rle(rle: Mapping[str, Any]) -> tuple[np.ndarray, tuple[int, int]]:
    """(counts, (height, width)) of a COCO run-length encoding.

    Raises:
        UsageError: no `size` or `counts`, text that is not such an encoding, or counts that do not fill the size.
    """
    try:
        height, width = (int(v) for v in rle["size"])
        packed = rle["counts"]
    except (KeyError, TypeError, ValueError):
        raise UsageError(f"an RLE needs 'size' [height, width] and 'counts', got {str(rle)[:80]!r}") from None
    if isinstance(packed, str | bytes):
        counts = _unpack(packed.encode("ascii", "replace") if isinstance(packed, str) else packed)
    else:
        counts = _listed(packed)
    if height < 0 or width < 0 or (counts < 0).any() or int(counts.sum()) != height * width:
        raise UsageError(
            f"RLE counts add up to {int(counts.sum())!r}, expected {height * width} for size {[height, width]!r}; "
            "check that size is [height, width] of the whole scene"
        )
    return counts, (height, width)


def crop_from_counts(counts: np.ndarray, height: int) -> tuple[np.ndarray, tuple[int, int]]:
    """(bool columns that hold the object, (x0, y0)) from counts; (0, 0) crop when nothing is set."""
    ends = np.cumsum(counts)
    start, stop = ends[0:-1:2], ends[1::2]
    start, stop = start[start < stop], stop[start < stop]
    if len(start) == 0:
        return np.zeros((0, 0), dtype=bool), (0, 0)
    left, right = int(start[0] // height), int((stop[-1] - 1) // height) + 1
    flips = np.zeros((right - left) * height + 1, dtype=np.int8)
    np.add.at(flips, start - left * height, 1)
    np.add.at(flips, stop - left * height, -1)
    strip = np.add.accumulate(flips[:-1], dtype=np.int8).view(bool)
    return strip.reshape(right - left, height).T, (left, 0)


def rle_of_crop(crop: np.ndarray, offset_xy: tuple[int, int], shape_hw: tuple[int, int]) -> bytes:
    """Compressed counts of the whole scene from the crop alone; the scene is never built."""
    (x0, y0), (height, width), (h, w) = offset_xy, shape_hw, crop.shape
    flat = np.zeros(1 + w * (h + 1), dtype=bool)
    flat[1:].reshape(w, h + 1)[:, :h] = crop.T
    change = np.flatnonzero(flat[1:] != flat[:-1])  # one empty row keeps the columns apart
    column, row = np.divmod(change, h + 1)
    place = (x0 + column) * height + y0 + row
    apart = place[1:-1:2] != place[2::2]  # else a run ends at the bottom and goes on at the top
    if not apart.all():
        place = place[np.concatenate([[True], np.repeat(apart, 2), [True]])]
    ends = np.concatenate([[0], place, [height * width]])
    counts = ends[1:] - ends[:-1]
    counts = counts[:-1] if len(counts) > 1 and counts[-1] == 0 else counts
    packed = coco_mask.frPyObjects({"size": [height, width], "counts": counts.tolist()}, height, width)["counts"]
    return bytes(packed)


def _listed(packed: Any) -> np.ndarray:
    try:
        return np.asarray(packed, dtype=np.int64).reshape(-1)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"RLE counts are {str(packed)[:60]!r}, expected text or a list of whole numbers") from None


def _unpack(text: bytes) -> np.ndarray:
    digits = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - 48
    if len(digits) == 0:
        return np.zeros(0, dtype=np.int64)
    last = (digits & 0x20) == 0
    if (digits < 0).any() or (digits > 63).any() or not last[-1]:
        raise UsageError(f"RLE counts {text[:40]!r} are not COCO's compressed text")
    group = np.cumsum(last) - last
    begin = np.concatenate([[0], np.flatnonzero(last)[:-1] + 1])
    place = np.arange(len(digits)) - begin[group]
    if place.max() > 10:
        raise UsageError(f"RLE counts {text[:40]!r} hold a number that is too long")
    values = np.zeros(int(group[-1]) + 1, dtype=np.int64)
    np.add.at(values, group, (digits & 0x1F) << (5 * place))
    negative = (digits[last] & 0x10) != 0
    values -= np.where(negative, np.left_shift(np.int64(1), 5 * (place[last] + 1)), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
