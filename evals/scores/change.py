"""Change metrics from a confusion matrix of the whole set, as BIT_CD and Change-Agent compute them.

`confusion` counts one pair of label maps; the scorers sum such counts over all pairs first and divide once (never an
average of per-pair F1). BIT_CD (misc/metric_tool.py) has two classes and float32's epsilon in each denominator;
Change-Agent (utils_tool/metrics.py) has three (background, road, building), and averages over the classes that occur.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.errors import UsageError
from .scored import ANSWERED, Row, Scored, Sums, ratio, scored

THREE = ("background", "road", "building")
EPSILON = float(np.finfo(np.float32).eps)


@dataclass(frozen=True, eq=False)
class LabelledPair:
    """One pair of images.

    Attributes:
        id: of the pair.
        family: leakage family.
        truth: (H, W) int class of each pixel; values outside 0 to classes - 1 are not counted.
        found: (H, W) int; None where there is no answer.
        status: "answered", or why there is none.
    """

    id: str
    family: str
    truth: np.ndarray
    found: np.ndarray | None
    status: str = ANSWERED


def confusion(truth: np.ndarray, found: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) int64 pixel counts, a row for each true class.

    Args:
        truth: (H, W) int; pixels outside 0 to classes - 1 are left out.
        found: (H, W) int, each from 0 to classes - 1 where truth counts.

    Raises:
        UsageError: maps of different shape, or an answered class that does not exist.

    Example:
        >>> confusion(np.array([[0, 1, 1, 255]]), np.array([[0, 1, 0, 0]]), 2).tolist()
        [[1, 0], [1, 1]]
    """
    true, answered = np.asarray(truth), np.asarray(found)
    if true.shape != answered.shape:
        raise UsageError(f"label maps have shapes {true.shape!r} and {answered.shape!r}; expected the same")
    counted = (true >= 0) & (true < classes)
    rows, columns = true[counted].astype(np.int64), answered[counted].astype(np.int64)
    if columns.size and not 0 <= columns.min() <= columns.max() < classes:
        raise UsageError(f"an answered map holds class {int(columns.max())!r}; expected 0 to {classes - 1}")
    return np.bincount(classes * rows + columns, minlength=classes**2).reshape(classes, classes)


def bit_cd(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, tn: np.ndarray) -> dict[str, np.ndarray]:
    """BIT_CD's figures from pixel sums; class 1 is change. Without any change, true or answered, `F1_1` is 0.

    Returns:
        `precision_1`, `recall_1`, `F1_1`, `IoU_1` (the headline figures of papers), `F1_0`, `IoU_0`, `mf1` and `miou`
        (mean of both classes), `acc`.

    Example:
        >>> figures = bit_cd(np.array(3.0), np.array(1.0), np.array(2.0), np.array(4.0))
        >>> round(float(figures["F1_1"]), 4), round(float(figures["IoU_1"]), 4)
        (0.6667, 0.5)
    """
    found = {}
    for name, hit, extra, lost in (("1", tp, fp, fn), ("0", tn, fn, fp)):
        recall, precision = hit / (hit + lost + EPSILON), hit / (hit + extra + EPSILON)
        found[f"precision_{name}"], found[f"recall_{name}"] = precision, recall
        found[f"F1_{name}"] = 2 * recall * precision / (recall + precision + EPSILON)
        found[f"IoU_{name}"] = hit / (hit + extra + lost + EPSILON)
    found["mf1"] = (found["F1_1"] + found["F1_0"]) / 2
    found["miou"] = (found["IoU_1"] + found["IoU_0"]) / 2
    found["acc"] = (tp + tn) / (tp + fp + fn + tn + EPSILON)
    return found


def change_agent(matrix: np.ndarray, names: Sequence[str] = THREE) -> dict[str, np.ndarray]:
    """Change-Agent's figures, under the names of what they are.

    Its script calls mean recall "Pixel_Accuracy_Class" and mean precision "Recall_Class".

    Args:
        matrix: (..., C, C) pixel sums, a row for each true class.
        names: of the classes.

    Returns:
        `IoU NAME` of each class (NaN where it occurs nowhere), `MIoU`, `mean recall`, `mean precision` (over classes
        that have a value), `pixel accuracy`, `FWIoU` (IoU weighted by true area).
    """
    hits = np.diagonal(matrix, axis1=-2, axis2=-1)
    true, answered = matrix.sum(axis=-1), matrix.sum(axis=-2)
    iou = ratio(hits, true + answered - hits)
    found = {f"IoU {name}": iou[..., i] for i, name in enumerate(names)}
    found["MIoU"] = _mean_known(iou)
    found["mean recall"], found["mean precision"] = _mean_known(ratio(hits, true)), _mean_known(ratio(hits, answered))
    total = true.sum(axis=-1)
    found["pixel accuracy"] = ratio(hits.sum(axis=-1), total)
    found["FWIoU"] = ratio((np.nan_to_num(iou) * true).sum(axis=-1), total)
    return found


def score_change(pairs: Iterable[LabelledPair], names: Sequence[str] = ("background", "change")) -> Scored:
    """The change scores of a run.

    A pair without an answer misses all its change (answered as background) and earns nothing for its background, which
    is left out of the sums.

    Args:
        pairs: before/after pairs; class 0 is background.
        names: of the classes; with two of them the figures are BIT_CD's, else Change-Agent's.

    Raises:
        UsageError: see `confusion`; or two pairs of one id.
    """
    classes = len(names)
    cells = [f"{i}->{j}" for i in range(classes) for j in range(classes)]
    rows = []
    for pair in pairs:
        counts = confusion(pair.truth, np.zeros_like(pair.truth) if pair.found is None else pair.found, classes)
        if pair.found is None:
            counts[0] = 0
        adds = dict(zip(cells, counts.ravel().tolist(), strict=True), items=1, answered=pair.found is not None)
        rows.append(Row(pair.id, pair.family, pair.status, adds))

    def metrics(sums: Sums) -> dict[str, np.ndarray]:
        if classes == 2:
            found = bit_cd(sums["1->1"], sums["0->1"], sums["1->0"], sums["0->0"])
        else:
            stacked = np.stack([np.asarray(sums[cell]) for cell in cells], axis=-1)
            found = change_agent(stacked.reshape(*stacked.shape[:-1], classes, classes), names)
        return found | {"answered": ratio(sums["answered"], sums["items"]), "items": np.asarray(sums["items"])}

    return scored(rows, [*cells, "items", "answered"], metrics)


def _mean_known(values: np.ndarray) -> np.ndarray:
    """Mean of the last axis over what is not NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=-1), known.sum(axis=-1))
