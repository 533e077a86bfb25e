"""Counting pixels of run-length encoded masks without unpacking them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pycocotools import mask as coco_mask

from ...core.errors import UsageError
from ...core.rle import counts_from_rle

Packed = dict[str, Any]
"""COCO's compressed encoding with `counts` as bytes, checked."""


def packed(rle: Mapping[str, Any], shape_hw: Sequence[int] | None = None) -> Packed:
    """A checked mask, ready for the other functions here.

    Args:
        rle: compressed text or bytes, or a list of counts.
        shape_hw: of the image it must belong to; None for any.

    Raises:
        UsageError: not an encoding, or of another size.

    Example:
        >>> area(packed({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3)))
        2
    """
    try:
        counts, size = counts_from_rle(rle)
    except (TypeError, OverflowError):
        raise UsageError(f"RLE counts {str(rle['counts'])[:40]!r} are neither text nor whole numbers") from None
    if shape_hw is not None and size != tuple(shape_hw):
        raise UsageError(f"a mask has size {list(size)!r}, expected the image's {list(shape_hw)!r} (height, width)")
    given = rle["counts"]
    if isinstance(given, str | bytes):
        return {"size": list(size), "counts": given.encode("ascii") if isinstance(given, str) else given}
    return dict(coco_mask.frPyObjects({"size": list(size), "counts": counts.tolist()}, *size))


def nothing(shape_hw: tuple[int, int]) -> Packed:
    """A mask without pixels."""
    height, width = shape_hw
    return dict(coco_mask.frPyObjects({"size": [height, width], "counts": [height * width]}, height, width))


def joined(masks: Iterable[Packed], shape_hw: tuple[int, int]) -> Packed:
    """The pixels of any of the masks."""
    parts = list(masks)
    if not parts:
        return nothing(shape_hw)
    return parts[0] if len(parts) == 1 else dict(coco_mask.merge(parts))


def area(mask: Packed) -> int:
    """How many pixels are set."""
    return int(coco_mask.area(mask))


def both(*masks: Packed) -> int:
    """How many pixels all the masks set."""
    return area(dict(coco_mask.merge(list(masks), intersect=True)))


def iou_matrix(first: Sequence[Packed], second: Sequence[Packed]) -> list[list[float]]:
    """IoU of each of `first` with each of `second`; NaN for two empty masks."""
    areas = [area(mask) for mask in second]
    table = []
    for one in first:
        own, row = area(one), []
        for other, size in zip(second, areas, strict=True):
            shared = both(one, other) if own and size else 0
            union = own + size - shared
            row.append(shared / union if union else float("nan"))
        table.append(row)
    return table
