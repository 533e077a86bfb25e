"""Putting detections of several tiles and scales together: one detection an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.rotated_iou import overlapping_pairs, rotated_iou_pairs

SAME = 0.5  # two detections of a class that overlap more than this are one object
INSIDE = 0.6  # share of the smaller of two boxes of a class in the other, above which they are one object


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
    i, j, iou = similar_pairs(found.take(order))
    close = iou > overlap
    return order[_standing(len(order), i[close], j[close])]


def merge(found: Raw) -> Raw:
    """One detection an object from all tiles and scales: the best-scored one.

    Boxes cut by a tile's border rank behind whole ones. Of two boxes of a class of which one lies for the most part in
    the other, such as a bridge and a stretch of it, or a plane and its wing, the better-ranked stays.
    """
    kept = found.take(suppress(found, SAME, found.scores - found.cut))
    return kept.take(apart(kept))


def apart(found: Raw) -> np.ndarray:
    """Indices, best first, without boxes that share most of the smaller one's area with a better one of their class.

    A box gives way only to one that stays: of three boats in a row, the last does not fall with the middle one.
    """
    order = np.argsort(-(found.scores - found.cut), kind="stable")
    labels, corners = found.labels[order], found.corners[order]
    i, j = overlapping_pairs(corners, corners)
    meets = (i < j) & (labels[i] == labels[j])
    i, j = i[meets], j[meets]
    iou = rotated_iou_pairs(corners[i], corners[j])
    sides = np.linalg.norm(np.diff(corners[:, :3], axis=1), axis=2)
    area = np.maximum(sides.prod(1), 1e-9)
    shared = iou * (area[i] + area[j]) / (1 + iou) / np.minimum(area[i], area[j])
    nested = shared > INSIDE
    return order[_standing(len(order), i[nested], j[nested])]


def _standing(count: int, better: np.ndarray, worse: np.ndarray) -> np.ndarray:
    """(count,) bool, rows sorted best first: `worse[k]` falls to `better[k]` (an earlier row) if that one stands."""
    by = np.argsort(better, kind="stable")
    better, worse = better[by], worse[by]
    bounds = np.searchsorted(better, np.arange(count + 1))
    keep = np.ones(count, bool)
    for k in range(count):
        if keep[k]:
            keep[worse[bounds[k] : bounds[k + 1]]] = False
    return keep
