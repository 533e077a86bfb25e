"""Scores of referring change detection (RCD): the pixels that changed and were asked for.

The rule (FORMATS 6.8, 8). Pixels are summed over all items and divided once, with BIT_CD's formula. `F1_1` and `IoU_1`
look at the whole scene: change answered outside the asked region is wrong, whether it is change or not. With `_inside`
only the asked region is looked at (and what is right, where whole objects reach beyond it): the difference tells what
the phrase was worth. `component_f1@0.5` compares 8-connected parts one to one; an answered part that lies for the most
part on ignored ones counts neither way, in these figures alone. An answer that is not there is wrong per
item and misses all that is right; where nothing is right it has no pixels that the sums could hold against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ...core.errors import UsageError
from ..bench.items import Item
from ..bench.predictions import Prediction
from .answers import Asked, join
from .change import bit_cd
from .components import least_area_px, parts_of, shared_px
from .matching import TOLERANCE, best_pairs
from .pixels import Packed, area, both, joined, nothing, packed
from .scored import Row, Scored, Sums, at, ratio, scored

COMPONENT_IOU = 0.5
NONE_BELOW_PX = 50
NO_MASK = "no mask"
_COLUMNS = (
    "items", "answered", "right", "iou", "targets", "target_iou", "target_answered", "zeros", "zero_right",
    "tp", "fp", "fn", "tn", "tp_inside", "fp_inside", "fn_inside", "tn_inside",
    "parts_found", "parts_extra", "parts_missed",
)  # fmt: skip


def score_rcd(
    items: Iterable[Item],
    predictions: Iterable[Prediction],
    *,
    none_below_px: int = NONE_BELOW_PX,
    least_part_px: int | None = None,
) -> Scored:
    """The RCD scores of a run.

    Args:
        items: of task RCD.
        predictions: at most one an item: `mask_rle`, or the masks of its regions where that is None. None of either is
            an explicit none. A mask of another size, or one that cannot be read, counts as wrong, status "no mask".
        none_below_px: an answer with fewer pixels counts as none in `n_acc` and `t_acc`.
        least_part_px: smaller parts are no components, in truth and answer alike; None for `least_area_px`, from which
            on the builder holds a part to be an object.

    Returns:
        `F1_1`, `IoU_1`, `precision_1`, `recall_1`, the same with `_inside`; `giou` (mean IoU of the items, 1 where both
        are empty), `giou_targets`; `component_precision@0.5`, `component_recall@0.5`, `component_f1@0.5`; `n_acc`,
        `t_acc`, `answered`, `items`. "right" for contrast pairs: IoU at least 0.5, or a correct rejection.

    Raises:
        UsageError: items of another task, doubled ids, predictions for no item.
    """
    asked = join(items, predictions, "RCD")
    return scored((_row(each, none_below_px, least_part_px) for each in asked), _COLUMNS, _metrics)


def _row(asked: Asked, none_below_px: int, least_part_px: int | None) -> Row:
    item = asked.item
    shape = item.image.size_wh[::-1]
    truth = nothing(shape) if item.answer_rle is None else packed(item.answer_rle, shape)
    region = None if item.asked_rle is None else joined([packed(item.asked_rle, shape), truth], shape)
    wanted = area(truth)
    least = least_area_px(item.image.size_wh) if least_part_px is None else least_part_px
    found, status = _found(asked, shape)
    answer = nothing(shape) if found is None else found
    given, shared = area(answer), both(answer, truth)
    inside = given if region is None else both(answer, region)
    looked_at = shape[0] * shape[1] if region is None else area(region)
    adds = {"items": 1.0, "targets": float(wanted > 0), "zeros": float(wanted == 0)}
    adds |= _cells(shared, given, wanted, shape[0] * shape[1], "")
    adds |= _cells(shared, inside, wanted, looked_at, "_inside")
    adds |= _parts(truth, answer, _ignored(item), least)
    if found is None:
        return Row(item.id, item.image.family, status, adds)
    union = given + wanted - shared
    iou = shared / union if union else 1.0
    is_none = given < none_below_px
    adds |= {"answered": 1.0, "iou": iou, "target_iou": iou * (wanted > 0)}
    adds |= {"target_answered": float(wanted > 0 and not is_none), "zero_right": float(wanted == 0 and is_none)}
    adds["right"] = float(iou >= COMPONENT_IOU) if wanted else adds["zero_right"]
    return Row(item.id, item.image.family, status, adds)


def _cells(shared: int, given: int, wanted: int, looked_at: int, suffix: str) -> dict[str, float]:
    counts = (shared, given - shared, wanted - shared, looked_at - given - wanted + shared)
    return {f"{name}{suffix}": float(n) for name, n in zip(("tp", "fp", "fn", "tn"), counts, strict=True)}


def _found(asked: Asked, shape: tuple[int, int]) -> tuple[Packed | None, str]:
    if asked.answer is None:
        return None, asked.status
    masks: list[Mapping[str, Any]] = [each.rle or {} for each in asked.answer.regions]
    if asked.answer.mask_rle is not None:
        masks = [asked.answer.mask_rle]
    try:
        return joined([packed(rle, shape) for rle in masks], shape), asked.status
    except UsageError:
        return None, NO_MASK


def _ignored(item: Item) -> Packed | None:
    """The pixels of ignored parts; None without any."""
    shape, ignored = item.image.size_wh[::-1], set(item.ignored_ids)
    masks = [packed(each.rle, shape) for each in item.objects if each.id in ignored and each.rle is not None]
    return joined(masks, shape) if masks else None


def _parts(truth: Packed, answer: Packed, ignored: Packed | None, least: int) -> dict[str, float]:
    """How many components are found, answered too much, and missed."""
    found, wanted = parts_of(answer, least), parts_of(truth, least)
    counted = np.ones(len(found.area_px), dtype=bool)
    if ignored is not None:
        counted = 2 * shared_px(found, parts_of(ignored)).sum(axis=1) <= found.area_px
    shared = shared_px(found, wanted)
    iou = (shared / (found.area_px[:, None] + wanted.area_px[None] - shared))[counted]
    hits = int((iou[best_pairs(iou, (COMPONENT_IOU,))] >= COMPONENT_IOU - TOLERANCE).sum())
    return {"parts_found": hits, "parts_extra": iou.shape[0] - hits, "parts_missed": iou.shape[1] - hits}


def _metrics(sums: Sums) -> dict[str, np.ndarray]:
    items = sums["items"]
    found: dict[str, np.ndarray] = {}
    for suffix in ("", "_inside"):
        figures = bit_cd(*(sums[f"{name}{suffix}"] for name in ("tp", "fp", "fn", "tn")))
        for name in ("F1_1", "IoU_1", "precision_1", "recall_1"):
            found[f"{name}{suffix}"] = figures[name]
    found["giou"] = ratio(sums["iou"], items)
    found["giou_targets"] = ratio(sums["target_iou"], sums["targets"])
    hits, extra, missed = (sums[f"parts_{name}"] for name in ("found", "extra", "missed"))
    found[at("component_precision", COMPONENT_IOU)] = ratio(hits, hits + extra)
    found[at("component_recall", COMPONENT_IOU)] = ratio(hits, hits + missed)
    found[at("component_f1", COMPONENT_IOU)] = ratio(2 * hits, 2 * hits + extra + missed)
    found["n_acc"] = ratio(sums["zero_right"], sums["zeros"])
    found["t_acc"] = ratio(sums["target_answered"], sums["targets"])
    found["answered"] = ratio(sums["answered"], items)
    found["items"] = np.asarray(items)
    return found
