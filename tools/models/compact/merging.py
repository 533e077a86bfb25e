"""Putting detections of several tiles and scales together: one detection an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ....core.rotated_iou import overlapping_pairs, rotated_iou_pairs

SAME = 0.5  # two detections of a class that overlap more than this are one object
INSIDE = 0.8  # share of the smaller of two boxes of a class in the other, above which they are one object


@dataclass(frozen=True)
class Raw:
    """Detections as arrays, while they are put together: N rows each.

    Attributes:
        scores: (N,) uncalibrated.
        labels: (N,) class indices.
        boxes: (N, 4) and corners: (N, 4, 2), full-scene pixels.
        cut: (N,) touches an inner tile border.
    """

    scores: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    corners: np.ndarray
    cut: np.ndarray

    def take(self, index: np.ndarray) -> Raw:
        return Raw(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    @staticmethod
    def join(parts: Sequence[Raw]) -> Raw:
        return Raw(*(np.concatenate([getattr(p, name) for p in parts]) for name in Raw.__dataclass_fields__))

    @staticmethod
    def empty() -> Raw:
        return Raw(np.zeros(0), np.zeros(0, int), np.zeros((0, 4)), np.zeros((0, 4, 2)), np.zeros(0, bool))


def box_iou_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of upright boxes (P, 4) pairwise."""
    wh = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    inter = wh.prod(1)
    return inter / np.maximum((a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter, 1e-9)


def similar_pairs(found: Raw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs i < j of one class that overlap, and how much: the mean of oriented and upright IoU.

    The mean keeps slanting neighbours apart, whose upright boxes overlap, and joins two views of a round thing, whose
    oriented boxes may be turned against each other.
    """
    far = found.labels[:, None, None] * (np.ptp(found.boxes) + 1.0) * 4 if len(found.labels) else 0.0
    quads = found.boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] + far  # classes moved apart: only one class meets itself
    i, j = overlapping_pairs(quads, quads)
    i, j = i[i < j], j[i < j]
    upright = box_iou_pairs(found.boxes[i], found.boxes[j])
    near = upright > 0.15
    i, j, upright = i[near], j[near], upright[near]
    return i, j, (upright + rotated_iou_pairs(found.corners[i], found.corners[j])) / 2


def suppress(found: Raw, overlap: float, rank: np.ndarray | None = None) -> np.ndarray:
    """Indices kept by greedy suppression within a class, best first. `rank` replaces the scores as the order."""
    order = np.argsort(-(found.scores if rank is None else rank), kind="stable")
    sorted_found = found.take(order)
    i, j, iou = similar_pairs(sorted_found)
    close = iou > overlap
    by = np.argsort(i[close], kind="stable")
    i, j = i[close][by], j[close][by]
    bounds = np.searchsorted(i, np.arange(len(order) + 1))
    keep = np.ones(len(order), bool)
    for k in range(len(order)):
        if keep[k]:
            keep[j[bounds[k] : bounds[k + 1]]] = False
    return order[keep]


def merge(found: Raw) -> Raw:
    """One detection an object from all tiles and scales: the best-scored one.

    Boxes cut by a tile's border rank behind whole ones. Of two boxes of a class of which one lies in the other, such as
    a bridge and a stretch of it, the better-ranked stays.
    """
    kept = found.take(suppress(found, SAME, found.scores - found.cut))
    return kept.take(apart(kept))


def apart(found: Raw) -> np.ndarray:
    """Indices without the boxes that share most of the smaller one's area with a better-ranked box of their class."""
    i, j = overlapping_pairs(found.corners, found.corners)
    rank = found.scores - found.cut
    meets = (found.labels[i] == found.labels[j]) & (rank[i] > rank[j])
    i, j = i[meets], j[meets]
    iou = rotated_iou_pairs(found.corners[i], found.corners[j])
    sides = np.linalg.norm(np.diff(found.corners[:, :3], axis=1), axis=2)
    area = np.maximum(sides.prod(1), 1e-9)
    shared = iou * (area[i] + area[j]) / (1 + iou) / np.minimum(area[i], area[j])
    keep = np.ones(len(found.scores), bool)
    keep[j[shared > INSIDE]] = False
    return np.flatnonzero(keep)
