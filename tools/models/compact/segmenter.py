"""The embedded mask model: boxes and points in, masks out. numpy, OpenCV and onnxruntime, no torch.

Each prompt becomes a small crop of the scene turned to the prompt's oriented box (see `mask_crops`); the network's
probabilities are laid back into the scene. Cost grows with the number of prompts, not with the size of the scene.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ....core.errors import UsageError
from ....core.geometry import box_to_corners, canonical_corners
from ....core.masks import Mask
from ....core.progress import report
from ....core.protocols import MaskPrompt, MaskResult
from .mask_crops import crop_matrix, paste, prompt_channels, sample, shrunk_size, window_of
from .session import session

if TYPE_CHECKING:
    from ....core.scene import Scene

WEIGHTS = Path(__file__).parent / "weights" / "masks.onnx"
BATCH = 16
LEAST_PART = 0.1  # parts of a mask smaller than this share of the largest are dropped, unless a point lies in them


class CompactSegmenter:
    """Turns boxes, oriented boxes and points into masks. Thread-safe; the weights load on first use.

    Args:
        weights: the ONNX file.
        threads: for one network pass; the crops are so small that one is the fastest on a busy machine.

    Raises:
        UsageError: the file is missing.

    Example:
        >>> from surveyor.core.scene import Scene
        >>> scene = Scene.from_array(np.zeros((60, 80, 3), np.uint8))
        >>> results = CompactSegmenter().segment(scene, [MaskPrompt(np.array([10.0, 10, 30, 20]))])
        >>> len(results), results[0].mask.shape_hw
        (1, (60, 80))
    """

    name = "compact"

    def __init__(self, weights: Path | None = None, threads: int = 1) -> None:
        self.weights = weights or WEIGHTS
        self.threads = threads
        if not self.weights.exists():
            raise UsageError(f"the mask model's file {str(self.weights)!r} is missing; reinstall surveyor")

    @cached_property
    def version(self) -> str:
        """SHA-256 of the weights."""
        return hashlib.sha256(self.weights.read_bytes()).hexdigest()

    def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]) -> tuple[MaskResult, ...]:
        """One result per prompt, in order; the score is the network's estimate of the mask's IoU.

        A prompt outside the scene gets an empty mask.

        Raises:
            UsageError: a box or point that is not finite, a box turned inside out, or points without labels.
        """
        rectangles = [_checked(prompt, index) for index, prompt in enumerate(prompts)]
        results: list[MaskResult] = []
        for start in range(0, len(prompts), BATCH):
            report("segmenting", start, len(prompts))
            part = prompts[start : start + BATCH]
            matrices = [crop_matrix(rectangle) for rectangle in rectangles[start : start + BATCH]]
            inputs = [_inputs(scene, prompt, matrix) for prompt, matrix in zip(part, matrices, strict=True)]
            crops = np.stack([crop for crop, _ in inputs]).transpose(0, 3, 1, 2).astype(np.float32)
            logits, quality = self._run(crops, np.stack([prompt for _, prompt in inputs]))
            for prompt, matrix, logit, score in zip(part, matrices, logits, quality, strict=True):
                mask = _tidied(paste(_sigmoid(logit), matrix, scene.shape_hw), prompt)
                results.append(MaskResult(mask, float(_sigmoid(score))))
        if prompts:
            report("segmenting", len(prompts), len(prompts))
        return tuple(results)

    def _run(self, crops: np.ndarray, prompts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        logits, quality = session(self.weights, self.threads).run(
            ["logits", "quality"], {"image": crops, "prompt": prompts}
        )
        return logits, quality


def _checked(prompt: MaskPrompt, index: int) -> np.ndarray:
    """The prompt's rectangle (4, 2): its oriented box, else its upright one."""
    box = np.asarray(prompt.box_px, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] < box[:2]).any():
        raise UsageError(f"prompt {index} has the box {box.tolist()!r}, expected finite x0 <= x1, y0 <= y1")
    points = 0 if prompt.points_px is None else len(prompt.points_px)
    if points != len(prompt.point_labels):
        raise UsageError(f"prompt {index} has {points} points and {len(prompt.point_labels)} labels; give one each")
    if points and not np.isfinite(np.asarray(prompt.points_px, dtype=np.float64)).all():
        raise UsageError(f"prompt {index} has a point that is NaN or infinite")
    return box_to_corners(box) if prompt.corners_px is None else canonical_corners(prompt.corners_px)


def _inputs(scene: Scene, prompt: MaskPrompt, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    window = window_of(matrix, scene.shape_hw)
    is_seen = window[2] > window[0] and window[3] > window[1]
    pixels = scene.read(window, shrunk_size(window, matrix)) if is_seen else np.zeros((0, 0, 3), np.uint8)
    channels = prompt_channels(matrix, prompt.box_px, prompt.corners_px, prompt.points_px, prompt.point_labels)
    return sample(pixels, window, matrix), channels


def _tidied(mask: Mask, prompt: MaskPrompt) -> Mask:
    """The mask without crumbs."""
    if mask.crop.size == 0:
        return mask
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.crop.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0
    keep = areas >= LEAST_PART * areas.max()
    points = np.zeros((0, 2)) if prompt.points_px is None else prompt.points_px
    for (x, y), label in zip(points, prompt.point_labels, strict=True):
        column, row = int(np.floor(x)) - mask.offset_xy[0], int(np.floor(y)) - mask.offset_xy[1]
        if label and 0 <= row < labels.shape[0] and 0 <= column < labels.shape[1]:
            keep[labels[row, column]] = True
    keep[0] = False
    return Mask.from_array(keep[labels], mask.offset_xy, mask.shape_hw)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))
