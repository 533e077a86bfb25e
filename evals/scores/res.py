"""Scores of referring expression segmentation (RES): one mask answered, one right, under both families' names.

RMSIN (test.py, evaluate and computeIoU): `p@t`, `miou`, `oiou`; two empty masks have IoU 0. LISA, GLaMM, SegEarth-R1:
`giou`, `ciou`; two empty masks have IoU 1, and 1e-5 and 1e-10 stand in the denominators. On sets without empty truths
mIoU = gIoU and oIoU = cIoU to those constants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import UsageError
from .pixels import area, both, packed
from .scored import ANSWERED, Row, Scored, Sums, at, ratio, scored

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
NO_MASK = "no mask"
_ITEM_EPSILON, _SUM_EPSILON = 1e-5, 1e-10


@dataclass(frozen=True)
class Segmented:
    """One expression.

    Attributes:
        id: unique.
        family: leakage family.
        truth: COCO run-length encoding; may be empty.
        found: likewise, of the same size; None where there is no answer.
        status: "answered", or why there is no answer.
    """

    id: str
    family: str
    truth: Mapping[str, Any]
    found: Mapping[str, Any] | None
    status: str = ANSWERED


def score_res(segmented: Iterable[Segmented], *, thresholds: Sequence[float] = THRESHOLDS) -> Scored:
    """The RES scores of a run.

    Args:
        segmented: one an expression. A found mask of another size, or one that cannot be read, is no answer: status
            "no mask".
        thresholds: IoU, reached at equality (RMSIN; SegEarth-R1 wants more).

    Returns:
        `p@t`, `miou`, `oiou` (RMSIN), `giou`, `ciou` (LISA), `answered`, `items`. No answer has IoU 0 in all of them
        and adds the right pixels to the union.

    Raises:
        UsageError: two expressions of one id, or a true mask that cannot be read.
    """
    levels = tuple(thresholds)
    columns = ["items", "answered", "iou", "iou_lisa", "inter", "union", *(at("p", t) for t in levels)]
    return scored((_row(each, levels) for each in segmented), columns, lambda sums: _metrics(sums, levels))


def _row(each: Segmented, levels: tuple[float, ...]) -> Row:
    truth = packed(each.truth)
    wanted = area(truth)
    status, found = each.status, None
    if each.found is not None and status == ANSWERED:
        try:
            found = packed(each.found, truth["size"])
        except UsageError:
            status = NO_MASK
    elif status == ANSWERED:
        status = NO_MASK
    if found is None:
        return Row(each.id, each.family, status, {"items": 1.0, "union": wanted})
    inter = both(truth, found)
    union = wanted + area(found) - inter
    iou = inter / union if union else 0.0
    lisa = inter / (union + _ITEM_EPSILON) if union else 1.0
    adds = {"items": 1.0, "answered": 1.0, "iou": iou, "iou_lisa": lisa, "inter": inter, "union": union}
    adds |= {at("p", t): float(iou >= t) for t in levels}
    return Row(each.id, each.family, status, adds)


def _metrics(sums: Sums, levels: tuple[float, ...]) -> dict[str, np.ndarray]:
    items = sums["items"]
    found = {at("p", t): ratio(sums[at("p", t)], items) for t in levels}
    found["miou"] = ratio(sums["iou"], items)
    found["oiou"] = ratio(sums["inter"], sums["union"])
    found["giou"] = ratio(sums["iou_lisa"], items)
    found["ciou"] = sums["inter"] / (sums["union"] + _SUM_EPSILON)
    found["answered"] = ratio(sums["answered"], items)
    found["items"] = np.asarray(items)
    return found
