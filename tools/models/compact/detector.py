"""The embedded oriented-object detector: numpy, OpenCV and onnxruntime, no torch.

One network pass gives, for each place at strides 8, 16 and 32, class logits, an upright box and an oriented box. Here
passes over tiles and scales are put together: every pass reports in full-scene pixels, boxes cut by a tile's border
give way to whole ones, and what is left is merged class by class.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ....core.errors import UsageError
from ....core.geometry import canonical_corners
from ....core.progress import report
from ....core.rotated_iou import overlapping_pairs, rotated_iou_pairs

WEIGHTS = Path(__file__).parent / "weights"
STRIDES = (8, 16, 32)
MULTIPLE = 32  # the network takes sizes that are multiples of this
TILE = 1024  # side of a tile in network pixels
OVERLAP = 192  # of neighbouring tiles, network pixels
WHOLE = 1280  # images up to this side (network pixels) go through in one piece
BORDER = 3.0  # network pixels: a box this near to an inner tile border counts as cut
FLOOR = 0.02  # raw scores below this are never looked at
FILL = 114  # grey outside the scene

WindowReader = Callable[[int, int, int, int], np.ndarray]
"""`read(x0, y0, x1, y1)` gives the scene's (y1 - y0, x1 - x0, 3) uint8 RGB for a window inside the scene."""


@dataclass(frozen=True, eq=False)
class Detection:
    """One object, in full-scene pixels.

    Attributes:
        label: class name.
        score: calibrated share of right detections among those with this score, 0..1.
        corners_px: (4, 2) oriented box, clockwise on screen, first corner top-most then left-most.
        box_px: (4,) x0, y0, x1, y1; learnt on its own, so it stays tight for round things.
    """

    label: str
    score: float
    corners_px: np.ndarray
    box_px: np.ndarray


@dataclass(frozen=True)
class Raw:
    """Detections as arrays, while they are put together: N rows each.

    Attributes:
        scores: (N,) uncalibrated.
        labels: (N,) class indices.
        boxes: (N, 4) and corners: (N, 4, 2), full-scene pixels.
        cut: (N,) touches an inner tile border.
        view: (N,) index of the scale it was seen at.
    """

    scores: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    corners: np.ndarray
    cut: np.ndarray
    view: np.ndarray

    def take(self, index: np.ndarray) -> Raw:
        return Raw(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    @staticmethod
    def join(parts: Sequence[Raw]) -> Raw:
        return Raw(*(np.concatenate([getattr(p, name) for p in parts]) for name in Raw.__dataclass_fields__))

    @staticmethod
    def empty() -> Raw:
        return Raw(np.zeros(0), np.zeros(0, int), np.zeros((0, 4)), np.zeros((0, 4, 2)), np.zeros(0, bool), np.zeros(0, int))  # fmt: skip  # noqa: E501


class Detector:
    """Finds objects of a closed list of classes in aerial RGB images. Thread-safe; the weights load on first use.

    Args:
        weights: the ONNX file; beside it lies a JSON file of the same stem with the calibration.
        threads: for one network pass.

    Example:
        >>> Detector().classes[:3]
        ('airplane', 'ship', 'storage_tank')
    """

    def __init__(self, weights: Path | None = None, threads: int = 2) -> None:
        self.weights = weights or WEIGHTS / "detector.onnx"
        self.threads = threads
        path = self.weights.with_suffix(".json")
        if not self.weights.exists() or not path.exists():
            raise UsageError(f"the detector's files {str(self.weights)!r} and {path.name!r} are missing; reinstall surveyor")
        self.settings: dict[str, Any] = json.loads(path.read_text())
        self.all_classes: tuple[str, ...] = tuple(self.settings["classes"])
        self.classes: tuple[str, ...] = tuple(c for c in self.all_classes if c in self.settings["offered"])
        self.scales: tuple[float, ...] = tuple(self.settings["scales"])
        self.threshold: float = self.settings["threshold"]
        self._session: Any = None
        self._lock = threading.Lock()

    # ---- the front

    def detect(
        self, rgb: np.ndarray, *, threshold: float | Mapping[str, float] | None = None,
        classes: Collection[str] | None = None, scales: Sequence[float] | None = None,
    ) -> list[Detection]:  # fmt: skip
        """Objects in an image held in memory, best first.

        Args:
            rgb: (H, W, 3) uint8.
            threshold: least calibrated score; a mapping gives one a class. Default: most F1 on the development images.
            classes: only these; default all that are offered.
            scales: network pixels per scene pixel, one view each; default those of the calibration.

        Raises:
            UsageError: not an RGB image, an unknown class, a threshold outside 0..1.
        """
        rgb = np.asarray(rgb)
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
            raise UsageError(f"the image must be (H, W, 3) uint8 RGB, not {rgb.shape} {rgb.dtype}")
        height, width = rgb.shape[:2]

        def read(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
            return rgb[y0:y1, x0:x1]

        return self.detect_windows(read, (height, width), threshold=threshold, classes=classes, scales=scales)

    def detect_windows(
        self, read: WindowReader, shape_hw: tuple[int, int], *, threshold: float | Mapping[str, float] | None = None,
        classes: Collection[str] | None = None, scales: Sequence[float] | None = None,
    ) -> list[Detection]:  # fmt: skip
        """The same for a scene of any size that is read window by window; memory stays that of a tile.

        Reports progress as "detecting".
        """
        wanted = self._wanted(classes)
        least = self._thresholds(threshold)
        views = tuple(scales or self.scales)
        found = self.raw(read, shape_hw, views, wanted)
        scores = self.calibrate(found.scores, found.labels)
        keep = np.flatnonzero(scores >= least[found.labels])
        order = keep[np.argsort(-scores[keep], kind="stable")]
        return [
            Detection(self.all_classes[found.labels[i]], float(scores[i]), canonical_corners(found.corners[i]), found.boxes[i])
            for i in order
        ]

    def raw(self, read: WindowReader, shape_hw: tuple[int, int], scales: Sequence[float], wanted: np.ndarray) -> Raw:
        """Merged detections with uncalibrated scores; what calibration is fitted on."""
        jobs = [(v, s, tile) for v, s in enumerate(scales) for tile in tiles(shape_hw, s)]
        parts = [Raw.empty()]
        for done, (view, scale, tile) in enumerate(jobs):
            report("detecting", done, len(jobs))
            found = self._tile(read, shape_hw, scale, tile, view, wanted)
            if len(found.scores):
                parts.append(found)
        report("detecting", len(jobs), len(jobs))
        return merge(Raw.join(parts), shape_hw, len(scales))

    def calibrate(self, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Raw scores -> calibrated ones: a logistic map with one slope and a shift a class (Platt 1999)."""
        slope = self.settings["calibration"]["slope"]
        shift = np.array([self.settings["calibration"]["shift"][c] for c in self.all_classes])
        s = np.clip(scores, 1e-6, 1 - 1e-6)
        return 1 / (1 + np.exp(-(slope * np.log(s / (1 - s)) + shift[labels])))

    # ---- inside

    def _wanted(self, classes: Collection[str] | None) -> np.ndarray:
        unknown = [c for c in classes or () if c not in self.classes]
        if unknown:
            raise UsageError(f"the detector has no class {unknown[0]!r}; it has: {', '.join(self.classes)}")
        chosen = self.classes if classes is None else classes
        return np.array([c in chosen for c in self.all_classes])

    def _thresholds(self, threshold: float | Mapping[str, float] | None) -> np.ndarray:
        if isinstance(threshold, Mapping):
            self._wanted(list(threshold))
            values = [threshold.get(c, self.threshold) for c in self.all_classes]
        else:
            values = [self.threshold if threshold is None else threshold] * len(self.all_classes)
        for v in values:
            if not 0 <= v <= 1:
                raise UsageError(f"the threshold must lie in 0..1, not {v!r}")
        return np.array(values)

    def _load(self) -> Any:
        with self._lock:
            if self._session is None:
                import onnxruntime

                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = self.threads
                options.log_severity_level = 3
                self._session = onnxruntime.InferenceSession(str(self.weights), options, providers=["CPUExecutionProvider"])
            return self._session

    def _tile(
        self, read: WindowReader, shape_hw: tuple[int, int], scale: float, tile: tuple[int, int, int, int], view: int,
        wanted: np.ndarray,
    ) -> Raw:  # fmt: skip
        x0, y0, x1, y1 = tile
        height, width = max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale))
        pixels = read(x0, y0, x1, y1)
        if (height, width) != pixels.shape[:2]:
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            pixels = cv2.resize(pixels, (width, height), interpolation=how)
        padded = np.full((-(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE, 3), FILL, np.uint8)
        padded[:height, :width] = pixels
        batch = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], dtype=np.float32)
        logits, boxes = self._load().run(None, {"image": batch})
        found = decode(logits[0], boxes[0], padded.shape[:2], (height, width), wanted)
        stretch = np.array([(x1 - x0) / width, (y1 - y0) / height])
        inner = np.array([x0 > 0, y0 > 0, x1 < shape_hw[1], y1 < shape_hw[0]])
        gap = np.stack([found.boxes[:, 0], found.boxes[:, 1], width - found.boxes[:, 2], height - found.boxes[:, 3]], 1)
        return Raw(
            found.scores, found.labels, found.boxes * np.tile(stretch, 2) + np.array([x0, y0, x0, y0]),
            found.corners * stretch + np.array([x0, y0]), ((gap < BORDER) & inner).any(1), np.full(len(gap), view),
        )  # fmt: skip


def tiles(shape_hw: tuple[int, int], scale: float) -> Iterator[tuple[int, int, int, int]]:
    """Windows x0, y0, x1, y1 in scene pixels that cover the scene with overlap at a scale, row by row."""
    height, width = shape_hw

    def starts(length: int) -> list[tuple[int, int]]:
        if length * scale <= WHOLE:
            return [(0, length)]
        side, lap = TILE / scale, OVERLAP / scale
        count = int(np.ceil((length - lap) / (side - lap)))
        return [(int(s), int(min(length, np.ceil(s + side)))) for s in np.linspace(0, length - side, count)]

    for y0, y1 in starts(height):
        for x0, x1 in starts(width):
            yield x0, y0, x1, y1


@lru_cache(maxsize=8)
def _places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres (A, 2) and strides (A,) of the network's places, strides 8, 16, 32 in turn, row by row."""
    points, strides = [], []
    for s in STRIDES:
        y, x = np.mgrid[: height // s, : width // s]
        points.append((np.stack([x, y], -1).reshape(-1, 2) + 0.5) * s)
        strides.append(np.full(len(points[-1]), float(s)))
    return np.concatenate(points), np.concatenate(strides)


def decode(logits: np.ndarray, raw: np.ndarray, padded_hw: tuple[int, int], shape_hw: tuple[int, int], wanted: np.ndarray) -> Raw:  # fmt: skip  # noqa: E501
    """Network output of one tile -> detections in tile pixels, after a first suppression of near-copies.

    Args:
        logits: (A, C); raw: (A, 10) as in finetune/detector_model.py.
        padded_hw: the network's input size; shape_hw: the part of it that is image.
        wanted: (C,) bool.
    """
    floor = np.log(FLOOR / (1 - FLOOR))
    row, label = np.nonzero((logits > floor) & wanted)
    points, strides = _places(*padded_hw)
    p, s, r = points[row], strides[row][:, None], raw[row].astype(np.float64)
    score = 1 / (1 + np.exp(-logits[row, label].astype(np.float64)))
    reach = np.exp(np.clip(r[:, :4], -4, 5)) * s * 2
    limit = np.array([shape_hw[1], shape_hw[0]], float)
    boxes = np.concatenate([np.clip(p - reach[:, :2], 0, limit), np.clip(p + reach[:, 2:], 0, limit)], 1)
    centre = p + r[:, 4:6] * s * 2
    half = np.exp(np.clip(r[:, 6:8], -4, 5)) * s * 2
    angle = 0.5 * np.arctan2(r[:, 9], r[:, 8])
    along = np.stack([np.cos(angle), np.sin(angle)], 1) * half[:, :1]
    across = np.stack([-np.sin(angle), np.cos(angle)], 1) * half[:, 1:]
    corners = np.stack([centre - along - across, centre + along - across, centre + along + across, centre - along + across], 1)  # fmt: skip  # noqa: E501
    solid = ((boxes[:, 2:] - boxes[:, :2]) > 1).all(1) & (centre >= 0).all(1) & (centre <= limit).all(1)
    n = len(score)
    found = Raw(score, label, boxes, corners, np.zeros(n, bool), np.zeros(n, int)).take(np.flatnonzero(solid))
    return found.take(suppress(found, 0.6))


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


def merge(found: Raw, shape_hw: tuple[int, int], views: int) -> Raw:
    """One detection an object from all tiles and views.

    Cut boxes rank behind whole ones, and a cut box that lies mostly inside another box of its class is dropped. The
    score of an object is the mean of its best score and its mean over the views (0 where a view did not see it).
    """
    if not len(found.scores):
        return found
    kept = suppress(found, 0.5, found.scores - found.cut)
    i, j, iou = similar_pairs(found)
    both_i, both_j, both = np.concatenate([i, j]), np.concatenate([j, i]), np.concatenate([iou, iou])
    best = np.zeros((len(found.scores), views))
    best[np.arange(len(found.scores)), found.view] = found.scores
    close = both > 0.5
    np.maximum.at(best, (both_i[close], found.view[both_j[close]]), found.scores[both_j[close]])
    result = found.take(kept)
    scores = 0.5 * best.max(1) + 0.5 * best.mean(1)
    result = Raw(scores[kept], *(getattr(result, n) for n in ("labels", "boxes", "corners", "cut", "view")))
    return result.take(whole(result))


def whole(found: Raw) -> np.ndarray:
    """Indices without the cut boxes that lie to 70 % in another box of their class."""
    drop = np.zeros(len(found.scores), bool)
    for k in np.flatnonzero(found.cut):
        a = found.boxes[k]
        others = (found.labels == found.labels[k]) & (np.arange(len(drop)) != k) & ~drop
        wh = np.clip(np.minimum(a[2:], found.boxes[:, 2:]) - np.maximum(a[:2], found.boxes[:, :2]), 0, None)
        share = wh.prod(1) / max(float((a[2:] - a[:2]).prod()), 1e-9)
        bigger = (found.boxes[:, 2:] - found.boxes[:, :2]).prod(1) >= (a[2:] - a[:2]).prod()
        drop[k] = bool((others & bigger & (share > 0.7)).any())
    return np.flatnonzero(~drop)
