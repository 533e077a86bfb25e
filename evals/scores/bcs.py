"""Box consistency score (BCS) of GeoGround: do upright box, oriented box and mask of one object agree with each other?

BCS = 1/3 (IoU(h, H(o)) + IoU(h, H(m)) + IoU(H(o), H(m))): h the upright box answered, o the oriented one, m the mask, H
the enclosing upright box, in three separate answers to the same query. No truth is needed. An answer that is not there,
or an empty mask, makes the two IoUs that need it 0 (our rule).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.errors import UsageError
from ...core.geometry import box_iou_matrix
from ...core.masks import Mask
from .scored import ANSWERED, Row, Scored, ratio, scored

Boxes = Sequence[float] | Sequence[Sequence[float]]


@dataclass(frozen=True)
class ThreeAnswers:
    """Three answers to one query, px of one image.

    Attributes:
        id: unique.
        family: leakage family.
        box: x0, y0, x1, y1; None where there is none.
        corners: four corners; None where there are none.
        rle: COCO run-length encoding; None where there is none.
    """

    id: str
    family: str
    box: Sequence[float] | None = None
    corners: Sequence[Sequence[float]] | None = None
    rle: Mapping[str, Any] | None = None


def consistency(answers: ThreeAnswers) -> dict[str, float]:
    """The three IoUs of one query: "box-corners", "box-mask", "corners-mask".

    Example:
        >>> answers = ThreeAnswers("a", "f", [0, 0, 2, 2], [[0, 0], [2, 0], [2, 2], [0, 2]], None)
        >>> consistency(answers)
        {'box-corners': 1.0, 'box-mask': 0.0, 'corners-mask': 0.0}
    """
    corners = _numbers(answers.corners, (4, 2))
    boxes = {
        "box": _numbers(answers.box, (4,)),
        "corners": None if corners is None else np.concatenate([corners.min(axis=0), corners.max(axis=0)]),
        "mask": _mask_box(answers.rle),
    }
    pairs = (("box", "corners"), ("box", "mask"), ("corners", "mask"))
    return {f"{a}-{b}": _iou(boxes[a], boxes[b]) for a, b in pairs}


def score_bcs(answers: Iterable[ThreeAnswers]) -> Scored:
    """`bcs` (mean over queries), the mean of each of the three IoUs, `answered` (share with all three), `items`.

    Raises:
        UsageError: two queries of one id.
    """
    names = ("box-corners", "box-mask", "corners-mask")
    rows = []
    for each in answers:
        given = None not in (each.box, each.corners, each.rle)
        adds = consistency(each) | {"items": 1.0, "answered": float(given)}
        rows.append(Row(each.id, each.family, ANSWERED if given else "unreadable", adds))
    return scored(
        rows,
        (*names, "items", "answered"),
        lambda sums: (
            {"bcs": ratio(sum(sums[name] for name in names) / 3, sums["items"])}  # type: ignore[arg-type]
            | {name: ratio(sums[name], sums["items"]) for name in (*names, "answered")}
            | {"items": np.asarray(sums["items"])}
        ),
    )


def _numbers(box: Boxes | None, shape: tuple[int, ...]) -> np.ndarray | None:
    if box is None:
        return None
    try:
        numbers = np.asarray(box, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return numbers if numbers.shape == shape and np.isfinite(numbers).all() else None


def _mask_box(rle: Mapping[str, Any] | None) -> np.ndarray | None:
    """Round the outer edges of the pixels: xmax is the last column + 1."""
    if rle is None:
        return None
    try:
        return Mask.from_rle(rle).box_px
    except UsageError:
        return None


def _iou(first: np.ndarray | None, second: np.ndarray | None) -> float:
    if first is None or second is None:
        return 0.0
    return float(box_iou_matrix(first[None], second[None])[0, 0])
