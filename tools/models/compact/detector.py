"""The embedded oriented-object detector: numpy, OpenCV and onnxruntime, no torch.

One network pass gives, for each place at strides 8, 16 and 32, class logits, an upright box and an oriented box. Here
passes over tiles and scales are put together: every pass reports in full-scene pixels, boxes cut by a tile's border
give way to whole ones, and what is left is merged class by class.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import cv2
import numpy as np

from ....core.errors import UsageError
from ....core.geometry import canonical_corners
from ....core.lexicon import resolve
from ....core.progress import report
from ....core.regions import Region
from ..merging import Raw, merge, suppress
from .session import session

if TYPE_CHECKING:
    from ....core.scene import Scene

WEIGHTS = Path(__file__).parent / "weights"
STRIDES = (8, 16, 32)
MULTIPLE = 32  # the network takes sizes that are multiples of this
TILE = 1024  # side of a tile in network pixels
OVERLAP = 192  # of neighbouring tiles, network pixels
WHOLE = 1280  # images up to this side (network pixels) go through in one piece
BORDER = 3.0  # network pixels: a box this near to an inner tile border counts as cut
FLOOR = 0.02  # raw scores below this are never looked at
FILL = 114  # grey outside the scene

WindowReader = Callable[[tuple[int, int, int, int], tuple[int, int]], np.ndarray]
"""`read((x0, y0, x1, y1), (width, height))` gives a window scaled to that size, (height, width, 3) uint8 RGB."""


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
            raise UsageError(
                f"the detector's files {str(self.weights)!r} and {path.name!r} are missing; reinstall surveyor"
            )
        self.settings: dict[str, Any] = json.loads(path.read_text())
        self.all_classes: tuple[str, ...] = tuple(self.settings["classes"])
        self.classes: tuple[str, ...] = tuple(c for c in self.all_classes if c in self.settings["offered"])
        self.scales: tuple[float, ...] = tuple(self.settings["scales"])
        self.threshold: float = self.settings["threshold"]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights and of their calibration."""
        files = (self.weights, self.weights.with_suffix(".json"))
        return hashlib.sha256(b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)).hexdigest()

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

        def read(window: tuple[int, int, int, int], size_wh: tuple[int, int]) -> np.ndarray:
            x0, y0, x1, y1 = window
            pixels = rgb[y0:y1, x0:x1]
            if (pixels.shape[1], pixels.shape[0]) == size_wh:
                return pixels
            shrinks = size_wh[0] < pixels.shape[1]
            return cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)

        return self.detect_windows(read, (height, width), threshold=threshold, classes=classes, scales=scales)

    def detect_windows(
        self, read: WindowReader, shape_hw: tuple[int, int], *, threshold: float | Mapping[str, float] | None = None,
        classes: Collection[str] | None = None, scales: Sequence[float] | None = None,
    ) -> list[Detection]:  # fmt: skip
        """The same for a scene of any size that is read window by window; memory stays that of a tile.

        Reports progress as "detecting".
        """
        wanted = self._wanted(classes)
        least = self.thresholds(threshold)
        views = tuple(scales or self.scales)
        found = self.raw(read, shape_hw, views, wanted, least)
        scores = self.calibrate(found.scores, found.labels)
        keep = np.flatnonzero(scores >= least[found.labels])
        order = keep[np.argsort(-scores[keep], kind="stable")]
        return [
            Detection(
                self.all_classes[found.labels[i]], float(scores[i]), canonical_corners(found.corners[i]), found.boxes[i]
            )
            for i in order
        ]

    def raw(
        self, read: WindowReader, shape_hw: tuple[int, int], scales: Sequence[float], wanted: np.ndarray,
        least: np.ndarray | None = None,
    ) -> Raw:  # fmt: skip
        """Merged detections with uncalibrated scores; what calibration is fitted on.

        Args:
            least: (C,) calibrated scores below which detections are dropped tile by tile, before merging: on a huge
                scene the weak ones are hundreds of thousands, and their pairs would fill the memory.
        """
        jobs = [(scale, tile) for scale in scales for tile in tiles(shape_hw, scale)]
        parts = [Raw.empty()]
        for done, (scale, tile) in enumerate(jobs):
            report("detecting", done, len(jobs))
            found = self._tile(read, shape_hw, scale, tile, wanted)
            if least is not None:
                found = found.take(np.flatnonzero(self.calibrate(found.scores, found.labels) >= least[found.labels]))
            if len(found.scores):
                parts.append(found)
        report("detecting", len(jobs), len(jobs))
        return merge(Raw.join(parts))

    def look(self, rgb: np.ndarray, wanted: np.ndarray) -> Raw:
        """One pass over pixels as they are: uncalibrated scores, near-copies gone, nothing merged or reported.

        Args:
            rgb: (H, W, 3) uint8, at most `WHOLE` a side.
            wanted: (C,) bool over `all_classes`.
        """
        height, width = rgb.shape[:2]
        return self._tile(lambda _window, _size: rgb, (height, width), 1.0, (0, 0, width, height), wanted)

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

    def thresholds(self, threshold: float | Mapping[str, float] | None) -> np.ndarray:
        """Least calibrated score of each class (C,). Raises UsageError for an unknown class or a value outside 0..1."""
        if isinstance(threshold, Mapping):
            self._wanted(list(threshold))
            values = [threshold.get(c, self.threshold) for c in self.all_classes]
        else:
            values = [self.threshold if threshold is None else threshold] * len(self.all_classes)
        for v in values:
            if not 0 <= v <= 1:
                raise UsageError(f"the threshold must lie in 0..1, not {v!r}")
        return np.array(values)

    def _tile(
        self, read: WindowReader, shape_hw: tuple[int, int], scale: float, tile: tuple[int, int, int, int],
        wanted: np.ndarray,
    ) -> Raw:  # fmt: skip
        x0, y0, x1, y1 = tile
        height, width = max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale))
        padded = np.full((-(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE, 3), FILL, np.uint8)
        padded[:height, :width] = read(tile, (width, height))
        batch = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], dtype=np.float32)
        logits, boxes = session(self.weights, self.threads).run(None, {"image": batch})
        found = decode(logits[0], boxes[0], padded.shape[:2], (height, width), wanted)
        stretch = np.array([(x1 - x0) / width, (y1 - y0) / height])
        inner = np.array([x0 > 0, y0 > 0, x1 < shape_hw[1], y1 < shape_hw[0]])
        gap = np.stack([found.boxes[:, 0], found.boxes[:, 1], width - found.boxes[:, 2], height - found.boxes[:, 3]], 1)
        return Raw(
            found.scores, found.labels, found.boxes * np.tile(stretch, 2) + np.array([x0, y0, x0, y0]),
            found.corners * stretch + np.array([x0, y0]), ((gap < BORDER) & inner).any(1),
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
        logits: (A, C); raw: (A, 10) as in finetune/detector/model.py.
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
    found = Raw(score, label, boxes, corners, np.zeros(n, bool)).take(np.flatnonzero(solid))
    return found.take(suppress(found, 0.6))


class CompactGrounder:
    """The embedded detector as a grounder. One scene is looked at once, whatever the number of phrases.

    Args:
        detector: default the built-in one.
        threshold: least calibrated score, one for all classes or by class; default that of the calibration.
    """

    name = "compact"

    def __init__(
        self, detector: Detector | None = None, *, threshold: float | Mapping[str, float] | None = None
    ) -> None:
        self._detector = detector or Detector()
        self._detector.thresholds(threshold)
        self._threshold = threshold
        self._found: WeakKeyDictionary[Scene, tuple[Region, ...]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """A name for the weights, their calibration and the threshold: equal ones find the same."""
        return f"{self._detector.digest} {self._threshold!r}"

    def with_threshold(self, threshold: float | Mapping[str, float]) -> CompactGrounder:
        """The same detector, giving whatever is at least so sure."""
        return CompactGrounder(self._detector, threshold=threshold)

    def knows(self) -> tuple[str, ...]:
        """The class names it can find."""
        return self._detector.classes

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """The classes that the phrase stands for. Raises UnknownPhrase when there are none."""
        from ..spec import open_vocabulary_advice

        return resolve(phrase, self.knows(), advice=open_vocabulary_advice())

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        """The scene's regions of those classes, best first; ids are "label-number" by falling score.

        Raises:
            UnknownPhrase: a class it does not have.
        """
        labels = set(self.resolve(phrase))
        with self._lock:
            if scene not in self._found:
                self._found[scene] = self._look(scene)
            found = self._found[scene]
        return tuple(region for region in found if region.label in labels)

    def _look(self, scene: Scene) -> tuple[Region, ...]:
        detections = self._detector.detect_windows(scene.read, scene.shape_hw, threshold=self._threshold)
        count: dict[str, int] = {}
        regions = []
        for d in detections:
            count[d.label] = count.get(d.label, 0) + 1
            regions.append(
                Region(f"{d.label}-{count[d.label]}", d.label, d.corners_px, d.box_px, d.score, source=self.name)
            )
        return tuple(regions)
