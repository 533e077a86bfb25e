"""Accuracy of referring expression comprehension (REC): one box answered, one right.

Acc@t is the share of all expressions whose box has an IoU of at least t with the right one; an answer that is not there
has IoU 0 and stays in the denominator. `plus_one` names are VRSBench's IoU (eval_utils.py, computeIoU): both boxes on
the grid of whole numbers 0 to 100, and a side as long as last - first + 1. It flatters: boxes that only touch overlap,
and Acc@0.5 of small boxes rises by ten points (FORMATS 0.2). Report the plain one; the other is for
comparing with tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from ...core.errors import UsageError
from ...core.geometry import box_iou_matrix
from ...core.rotated_iou import rotated_iou_pairs
from .matching import TOLERANCE
from .scored import ANSWERED, Row, Scored, Sums, at, ratio, scored

THRESHOLDS = (0.5, 0.7)
GRID = 100
_MIN_AREA_PX2 = 1e-9
Box = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Referred:
    """One expression.

    Attributes:
        id: unique.
        family: leakage family.
        truth: x0, y0, x1, y1 in px, or four corners in order.
        found: likewise, in the form of `truth`; None where there is no answer. Of several boxes the first.
        size_wh: of the image, px: for the "+1" IoU on the grid; None leaves that at 0.
        is_unique: the only object of its class on the image (VRSBench's split of its table); None where the dataset
            does not say: such an expression is in neither part.
        status: "answered", or why there is no answer.
    """

    id: str
    family: str
    truth: Sequence[float] | Sequence[Sequence[float]]
    found: Sequence[float] | Sequence[Sequence[float]] | None
    size_wh: tuple[int, int] | None = None
    is_unique: bool | None = None
    status: str = ANSWERED


def plus_one_iou(first: Box, second: Box) -> float:
    """VRSBench's IoU of two boxes on a grid of whole numbers, last cell included.

    Example:
        >>> round(plus_one_iou([0, 0, 9, 9], [9, 0, 18, 9]), 4)  # one shared column: 10 / (100 + 100 - 10)
        0.0526
    """
    a, b = (np.asarray(box, dtype=np.float64) for box in (first, second))
    inter = float(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]) + 1, 0, None).prod())
    union = float((a[2:] - a[:2] + 1).prod() + (b[2:] - b[:2] + 1).prod()) - inter
    return inter / union if union > 0 else 0.0


def on_grid(box_px: Box, size_wh: tuple[int, int], grid: int = GRID) -> np.ndarray:
    """The box in whole cells of an image cut into `grid` x `grid`; halves are rounded up, what lies outside is cut."""
    cells = np.floor(np.asarray(box_px, dtype=np.float64) / np.tile(size_wh, 2) * grid + 0.5)
    return np.clip(cells, 0, grid)


def score_rec(
    referred: Iterable[Referred], *, oriented: bool = False, thresholds: Sequence[float] = THRESHOLDS
) -> Scored:
    """The REC scores of a run.

    Args:
        referred: one an expression.
        oriented: boxes are four corners; IoU of the convex hulls, 0 for one without area.
        thresholds: IoU.

    Returns:
        `acc@t`, `mean_iou`, `cum_iou` (sum of intersections / sum of unions, an answer that is not there adds the right
        box to the union), `cum_iou_answered` (VRSBench's: over the answers alone), `acc_unique@t` and
        `acc_not_unique@t` (None where the dataset tells of no expression which it is), `acc_plus_one@t` (upright
        boxes), `answered`, `items`.

    Raises:
        UsageError: two expressions of one id, or a true box of the wrong form.
    """
    levels = tuple(thresholds)
    rows = [_row(each, oriented, levels) for each in referred]
    per_level = ("acc", "unique", "not_unique", "plus_one")
    columns = (
        "items",
        "answered",
        "uniques",
        "not_uniques",
        "iou",
        "inter",
        "union",
        "inter_answered",
        "union_answered",
    )
    names = [*columns, *(at(name, t) for t in levels for name in per_level)]
    return scored(rows, names, lambda sums: _metrics(sums, levels, oriented))


def _row(each: Referred, oriented: bool, levels: tuple[float, ...]) -> Row:
    shape = (4, 2) if oriented else (4,)
    truth = _numbers(each.truth, shape)
    if truth is None:
        raise UsageError(f"the true box of {each.id!r} is {each.truth!r}; expected finite numbers of shape {shape!r}")
    found = None if each.found is None or each.status != ANSWERED else _numbers(each.found, shape)
    unique, not_unique = float(each.is_unique is True), float(each.is_unique is False)
    adds = {"items": 1.0, "uniques": unique, "not_uniques": not_unique}
    if found is None:
        status = "unreadable" if each.status == ANSWERED else each.status
        adds["union"] = _area(truth, oriented)
        return Row(each.id, each.family, status, adds)
    iou, inter, union = _overlap(truth, found, oriented)
    adds |= {"answered": 1.0, "iou": iou, "inter": inter, "union": union}
    adds |= {"inter_answered": inter, "union_answered": union}
    compatible = 0.0
    if not oriented and each.size_wh is not None:
        compatible = plus_one_iou(on_grid(truth, each.size_wh), on_grid(found, each.size_wh))
    for t in levels:
        hit = float(iou >= t - TOLERANCE)
        adds |= {at("acc", t): hit, at("unique", t): hit * unique, at("not_unique", t): hit * not_unique}
        adds[at("plus_one", t)] = float(compatible >= t)
    return Row(each.id, each.family, each.status, adds)


def _numbers(box: Sequence[float] | Sequence[Sequence[float]], shape: tuple[int, ...]) -> np.ndarray | None:
    """The box; None where it is no box of that shape: what a model wrote may be anything."""
    try:
        numbers = np.asarray(box, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return numbers if numbers.shape == shape and np.isfinite(numbers).all() else None


def _overlap(truth: np.ndarray, found: np.ndarray, oriented: bool) -> tuple[float, float, float]:
    """IoU, intersection, union."""
    both = _area(truth, oriented) + _area(found, oriented)
    if oriented:
        hulls = [_hull(corners) for corners in (truth, found)]
        if any(len(hull) != 4 for hull in hulls):  # a triangle, or no area at all
            shapes = [shapely.convex_hull(shapely.MultiPoint(corners)) for corners in (truth, found)]
            inter = float(shapely.intersection(shapes[0], shapes[1]).area)
            iou = inter / (both - inter) if min(shape.area for shape in shapes) >= _MIN_AREA_PX2 else 0.0
        else:
            iou = float(rotated_iou_pairs(hulls[0][None], hulls[1][None])[0])
    else:
        iou = float(box_iou_matrix(truth[None], found[None])[0, 0])
    inter = both * iou / (1 + iou)
    return iou, inter, both - inter


def _hull(corners: np.ndarray) -> np.ndarray:
    return shapely.get_coordinates(shapely.convex_hull(shapely.MultiPoint(corners)))[:-1]


def _area(box: np.ndarray, oriented: bool) -> float:
    if oriented:
        return float(shapely.convex_hull(shapely.MultiPoint(box)).area)
    return float(np.clip(box[2:] - box[:2], 0, None).prod())


def _metrics(sums: Sums, levels: tuple[float, ...], oriented: bool) -> dict[str, np.ndarray]:
    items = sums["items"]
    found: dict[str, np.ndarray] = {}
    for t in levels:
        found[at("acc", t)] = ratio(sums[at("acc", t)], items)
        found[at("acc_unique", t)] = ratio(sums[at("unique", t)], sums["uniques"])
        found[at("acc_not_unique", t)] = ratio(sums[at("not_unique", t)], sums["not_uniques"])
        if not oriented:
            found[at("acc_plus_one", t)] = ratio(sums[at("plus_one", t)], items)
    found["mean_iou"] = ratio(sums["iou"], items)
    found["cum_iou"] = ratio(sums["inter"], sums["union"])
    found["cum_iou_answered"] = ratio(sums["inter_answered"], sums["union_answered"])
    found["answered"] = ratio(sums["answered"], items)
    found["items"] = np.asarray(items)
    return found
