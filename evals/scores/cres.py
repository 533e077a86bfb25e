"""Scores of conditional referring segmentation (CRES): all the pixels answered against those that are right.

The rule (FORMATS 7.5, 7.6). The masks of an answer are joined, and so are those of the right objects; pixels of ignored
objects count neither way. IoU of an item is intersection / union. Where both are empty it is 1 in `giou` and `p@t` (as
LISA, GLaMM and SegEarth count) and 0 in `miou_rmsin` and `p_rmsin@t` (as RMSIN's test.py counts); `ciou` sums pixels,
so both conventions agree on it. An answer that is not there has IoU 0 in both and adds the right pixels to the union;
on an item without right objects it is no correct rejection, but has no pixels that `ciou` could hold against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from ...core.errors import UsageError
from ...core.masks import Mask
from ..bench.items import Item
from ..bench.predictions import Prediction
from .answers import Asked, join
from .pixels import Packed, area, both, joined, packed
from .scored import Row, Scored, Sums, at, ratio, scored

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
NONE_BELOW_PX = 50
NO_MASK = "no mask"
_COMMON = (
    "items", "answered", "right", "iou", "iou_rmsin", "inter", "union",
    "targets", "target_iou", "target_answered", "zeros", "zero_right",
)  # fmt: skip


def score_cres(
    items: Iterable[Item],
    predictions: Iterable[Prediction],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    none_below_px: int = NONE_BELOW_PX,
    band_px: int = 0,
) -> Scored:
    """The CRES scores of a run.

    Args:
        items: of task CRES; every right object has its pixels.
        predictions: at most one an item. An answer with regions that have no mask, or one of another size or that
            cannot be read, counts as wrong, with status "no mask".
        thresholds: IoU of `p@t`.
        none_below_px: an answer with fewer pixels counts as none in `n_acc` and `t_acc` (gRefCOCO's rule).
        band_px: pixels this near to the edge of what is right count neither way; 0 for none.

    Returns:
        `giou`, `ciou`, `miou_rmsin`, `p@t` and `p_rmsin@t` over all items; `giou_targets` and `p_targets@t` over those
        with right objects; `n_acc` (items without right objects: none answered), `t_acc` (the others: something
        answered), `answered`, `items`. "right" for contrast pairs is an IoU of at least the first threshold, or a
        correct rejection.

    Raises:
        UsageError: items of another task or without masks, doubled ids, predictions for no item.
    """
    levels = tuple(thresholds)
    rows = [_row(asked, levels, none_below_px, band_px) for asked in join(items, predictions, "CRES")]
    columns = [*_COMMON, *(at(name, t) for t in levels for name in ("p", "p_rmsin", "p_targets"))]
    return scored(rows, columns, lambda sums: _metrics(sums, levels))


def _row(asked: Asked, levels: tuple[float, ...], none_below_px: int, band_px: int) -> Row:
    item = asked.item
    shape = item.image.size_wh[::-1]
    truth = _truth(item, shape)
    ignored = _ignored(item, shape)
    band = _band(truth, shape, band_px) if band_px else None
    wanted = _counted(truth, truth, ignored, band)
    has_target = bool(item.answer_ids)
    adds = {"items": 1.0, "targets": float(has_target), "zeros": float(not has_target), "union": float(wanted)}
    found, status = _found(asked, shape)
    if found is None:
        return Row(item.id, item.image.family, status, adds)
    given = _counted(found, truth, ignored, band)
    inter = both(found, truth) - (both(found, truth, band) if band else 0)
    union = given + wanted - inter
    iou, strict = (inter / union, inter / union) if union else (1.0, 0.0)
    is_none = given < none_below_px
    adds |= {"answered": 1.0, "inter": inter, "union": union, "iou": iou, "iou_rmsin": strict}
    adds |= {"target_iou": iou * has_target, "target_answered": float(has_target and not is_none)}
    adds["zero_right"] = float(not has_target and is_none)
    adds["right"] = float(iou >= levels[0]) if has_target else adds["zero_right"]
    for t in levels:
        adds |= {at("p", t): float(iou >= t), at("p_rmsin", t): float(strict >= t)}
        adds[at("p_targets", t)] = float(has_target and iou >= t)
    return Row(item.id, item.image.family, status, adds)


def _truth(item: Item, shape: tuple[int, int]) -> Packed:
    masks = []
    for each in item.answers:
        if each.rle is None:
            raise UsageError(f"item {item.id!r}: the right object {each.id!r} has no mask; CRES items need one each")
        masks.append(packed(each.rle, shape))
    return joined(masks, shape)


def _found(asked: Asked, shape: tuple[int, int]) -> tuple[Packed | None, str]:
    """The answered pixels and the status; no pixels at all where the answer does not count."""
    if asked.answer is None:
        return None, asked.status
    try:
        masks = [packed(each.rle or {}, shape) for each in asked.answer.regions]
    except UsageError:
        return None, NO_MASK
    return joined(masks, shape), asked.status


def _ignored(item: Item, shape: tuple[int, int]) -> Packed | None:
    """The pixels of ignored objects; None without any."""
    by_id = {each.id: each for each in item.objects}
    rles = [by_id[each].rle for each in item.ignored_ids]
    masks = [packed(rle, shape) for rle in rles if rle is not None]
    return joined(masks, shape) if masks else None


def _band(truth: Packed, shape: tuple[int, int], band_px: int) -> Packed:
    """The pixels near the edge of what is right; beyond the image nothing is known: its border is no edge."""
    pixels = Mask.from_rle(truth).to_array().astype(np.uint8)
    kernel = np.ones((2 * band_px + 1, 2 * band_px + 1), np.uint8)
    eroded = cv2.erode(pixels, kernel, borderType=cv2.BORDER_REPLICATE)
    edge = cv2.dilate(pixels, kernel, borderType=cv2.BORDER_REPLICATE) != eroded
    return packed(Mask.from_array(edge).to_rle(), shape)


def _counted(mask: Packed, truth: Packed, ignored: Packed | None, band: Packed | None) -> int:
    """How many pixels of a mask count: not in the band, nor on an ignored object unless they are right."""
    count = area(mask)
    if band:
        count -= both(mask, band)
    if ignored:
        count -= both(mask, ignored) - both(mask, ignored, truth)
    if ignored and band:
        count += both(mask, ignored, band) - both(mask, ignored, truth, band)
    return count


def _metrics(sums: Sums, levels: tuple[float, ...]) -> dict[str, np.ndarray]:
    items = sums["items"]
    found = {
        "giou": ratio(sums["iou"], items),
        "ciou": ratio(sums["inter"], sums["union"]),
        "miou_rmsin": ratio(sums["iou_rmsin"], items),
        "giou_targets": ratio(sums["target_iou"], sums["targets"]),
    }
    for t in levels:
        found[at("p", t)] = ratio(sums[at("p", t)], items)
        found[at("p_rmsin", t)] = ratio(sums[at("p_rmsin", t)], items)
        found[at("p_targets", t)] = ratio(sums[at("p_targets", t)], sums["targets"])
    found["n_acc"] = ratio(sums["zero_right"], sums["zeros"])
    found["t_acc"] = ratio(sums["target_answered"], sums["targets"])
    found["answered"] = ratio(sums["answered"], items)
    found["items"] = np.asarray(items)
    return found
