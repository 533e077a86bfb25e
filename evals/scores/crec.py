"""Scores of conditional referring comprehension (CREC): a set of boxes against the set that is right.

The rule (FORMATS 7.6; GeoRSMLLM section II-C names the task). The first 100 boxes of an answer count, in its order. A
box whose best match among all objects of the item is an ignored one (IoU at least 0.25) is dropped. The rest is paired
one to one with the right objects so that the sum of IoU is largest; a pair at or above the threshold is a hit, every
other box a false positive (a second box on the same object too), every other right object a miss. An answer that is
not there (unreadable, failed, refused, timeout, missing) is wrong in every metric: all its objects are missed, and on
an item without right objects it costs one false positive and is no correct rejection.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from ...core.geometry import box_iou_matrix, box_to_corners
from ...core.rotated_iou import rotated_iou_matrix
from ..bench.items import Item, Truth
from ..bench.predictions import Predicted, Prediction
from .answers import Asked, join
from .matching import TOLERANCE, best_pairs
from .scored import Row, Scored, Sums, at, ratio, scored

THRESHOLDS = (0.5, 0.25, 0.75)
MOST_BOXES = 100
IGNORED_IOU = 0.25
_FAR_PX = 1e7  # larger coordinates are cut to this, so that areas stay finite
_NO_BOX = ((0.0, 0.0),) * 4
_PER_THRESHOLD = ("tp", "fp", "fn", "precision", "recall", "f1", "set", "single")
_COMMON = ("items", "answered", "right", "singles", "targets", "target_answered", "zeros", "zero_right")


def score_crec(
    items: Iterable[Item],
    predictions: Iterable[Prediction],
    *,
    oriented: bool = False,
    thresholds: Sequence[float] = THRESHOLDS,
    most_boxes: int = MOST_BOXES,
) -> Scored:
    """The CREC scores of a run.

    Args:
        items: of task CREC.
        predictions: at most one an item.
        oriented: compare oriented boxes (rotated IoU); an object or answer without one counts with its upright box.
        thresholds: IoU; the first is the one of "right" (contrast pairs).
        most_boxes: boxes of an answer that count.

    Returns:
        At each threshold t: `precision_micro`, `recall_micro`, `f1_micro` (pooled counts), `precision_macro`,
        `recall_macro`, `f1_macro` (mean over items; an item without right objects has 1 when rejected, else 0; no box
        on an item with objects has 0), `set_acc` (all found, nothing else), `single_acc` (items with one right object:
        the first box hits it). And `n_acc` (items without right objects answered with an explicit none), `t_acc` (the
        others, not answered with none), `answered` (share with a readable answer), `items`.

    Raises:
        UsageError: items of another task, doubled ids, predictions for no item.
    """
    levels = tuple(thresholds)
    rows = [_row(asked, oriented, levels, most_boxes) for asked in join(items, predictions, "CREC")]
    columns = [*_COMMON, *(at(name, t) for t in levels for name in _PER_THRESHOLD)]
    return scored(rows, columns, lambda sums: _metrics(sums, levels))


def _row(asked: Asked, oriented: bool, levels: tuple[float, ...], most: int) -> Row:
    item = asked.item
    wanted = len(item.answer_ids)
    adds = {"items": 1.0, "targets": float(wanted > 0), "zeros": float(wanted == 0), "singles": float(wanted == 1)}
    if asked.answer is None:
        for t in levels:
            adds[at("fn" if wanted else "fp", t)] = wanted or 1.0
        return Row(item.id, item.image.family, asked.status, adds)
    iou = kept_overlaps(item, asked.answer, oriented, most)
    given = len(iou)
    adds |= {"answered": 1.0, "target_answered": float(wanted > 0 and given > 0)}
    adds["zero_right"] = float(wanted == 0 and given == 0)
    rows, columns = best_pairs(iou, levels)
    overlaps = iou[rows, columns]
    for t in levels:
        hits = int((overlaps >= t - TOLERANCE).sum())
        whole = float(hits == given == wanted)
        precision = hits / given if given else float(not wanted)
        recall = hits / wanted if wanted else float(not given)
        values = (hits, given - hits, wanted - hits, precision, recall)
        f1 = 2 * hits / (given + wanted) if given + wanted else 1.0
        single = float(wanted == 1 and given > 0 and iou[0, 0] >= t - TOLERANCE)
        for name, value in zip(_PER_THRESHOLD, (*values, f1, whole, single), strict=True):
            adds[at(name, t)] = float(value)
    adds["right"] = adds[at("set", levels[0])]
    return Row(item.id, item.image.family, asked.status, adds)


def kept_overlaps(item: Item, answer: Prediction, oriented: bool = False, most: int = MOST_BOXES) -> np.ndarray:
    """(boxes, right objects) IoU of the boxes that count, in the order of the answer and of `answer_ids`."""
    regions = answer.regions[:most]
    if not regions:
        return np.zeros((0, len(item.answer_ids)))
    objects = {each.id: i for i, each in enumerate(item.objects)}
    iou = _overlaps(regions, item.objects, oriented)
    if item.ignored_ids:
        ignored = np.isin(np.arange(len(objects)), [objects[each] for each in item.ignored_ids])
        best = iou[:, ignored].max(axis=1)
        other = iou[:, ~ignored].max(axis=1, initial=0.0)
        iou = iou[~((best >= IGNORED_IOU - TOLERANCE) & (best > other))]
    return iou[:, [objects[each] for each in item.answer_ids]]


def _overlaps(regions: Sequence[Predicted], objects: Sequence[Truth], oriented: bool) -> np.ndarray:
    """(regions, objects) IoU; a box that is none (NaN, sides turned round) overlaps nothing."""
    found, true = _boxes(regions), _boxes(objects)
    if not oriented:
        return box_iou_matrix(found, true)
    return rotated_iou_matrix(_corners(regions, found), _corners(objects, true))


def _boxes(things: Sequence[Predicted] | Sequence[Truth]) -> np.ndarray:
    """(N, 4) finite."""
    numbers = np.fromiter(chain.from_iterable(each.hbb for each in things), np.float64, 4 * len(things))
    return _finite(numbers.reshape(-1, 4))


def _corners(things: Sequence[Predicted] | Sequence[Truth], boxes: np.ndarray) -> np.ndarray:
    """(N, 4, 2): the oriented boxes, else the corners of the upright ones; a box without area is all zeros."""
    quads = [each.obb for each in things]
    corners = np.array([quad if _is_quad(quad) else _NO_BOX for quad in quads], dtype=np.float64)
    for i in (i for i, quad in enumerate(quads) if quad is None):
        if (boxes[i, 2:] > boxes[i, :2]).all():
            corners[i] = box_to_corners(boxes[i])
    return _finite(corners.reshape(len(things), 8)).reshape(-1, 4, 2)


def _is_quad(corners: tuple[tuple[float, float], ...] | None) -> bool:
    return corners is not None and len(corners) == 4 and all(len(corner) == 2 for corner in corners)


def _finite(rows: np.ndarray) -> np.ndarray:
    """The rows cut to far but finite numbers; a row with NaN or infinity is all zeros: it overlaps nothing."""
    rows = np.where(np.isfinite(rows).all(axis=1, keepdims=True), rows, 0.0)
    return np.clip(rows, -_FAR_PX, _FAR_PX)


def _metrics(sums: Sums, levels: tuple[float, ...]) -> dict[str, np.ndarray]:
    items = sums["items"]
    found: dict[str, np.ndarray] = {}
    for t in levels:
        tp, fp, fn = (sums[at(name, t)] for name in ("tp", "fp", "fn"))
        found[at("precision_micro", t)] = ratio(tp, tp + fp)
        found[at("recall_micro", t)] = ratio(tp, tp + fn)
        found[at("f1_micro", t)] = ratio(2 * tp, 2 * tp + fp + fn)
        for name in ("precision", "recall", "f1"):
            found[at(f"{name}_macro", t)] = ratio(sums[at(name, t)], items)
        found[at("set_acc", t)] = ratio(sums[at("set", t)], items)
        found[at("single_acc", t)] = ratio(sums[at("single", t)], sums["singles"])
    found["n_acc"] = ratio(sums["zero_right"], sums["zeros"])
    found["t_acc"] = ratio(sums["target_answered"], sums["targets"])
    found["answered"] = ratio(sums["answered"], items)
    found["items"] = np.asarray(items)
    return found
