"""Prompts as SAM-2 takes them: checked, cut to the scene, and laid into the frame of the encoder's square input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from ....core.errors import UsageError
from ....core.geometry import canonical_corners, corners_to_box, farthest_points_in_polygon, polygon_area
from ....core.masks import Mask
from ....core.protocols import MaskPrompt
from .windows import Window

CONTEXT = 0.25  # of the longer side is seen round a prompt, where the scene goes on
LEAST_CONTEXT_PX = 16
UPRIGHT = 0.98  # a box that fills at least this share of its enclosing box is taken as upright
COARSE_SCALE, COARSE_BIAS = 20.0, -10.0  # logits of a binary mask in the authors' own code (SAM2Base)


@dataclass(frozen=True, eq=False)
class Cue:
    """A prompt of which something lies in the scene. Full-scene px.

    Attributes:
        index: which of the prompts.
        box: (4,) inside the scene; None for a prompt of points alone.
        points: (K, 2), inside ones in the scene.
        labels: (K,) 1 inside, 0 outside.
        coarse: rough mask, not empty; None where none was given.
        need: (4,) what must be seen.
    """

    index: int
    box: np.ndarray | None
    points: np.ndarray
    labels: np.ndarray
    coarse: Mask | None
    need: np.ndarray


@dataclass(frozen=True, eq=False)
class Placed:
    """A cue in the encoder's frame, as the library wants it: whole numbers are centres of pixels.

    Attributes:
        box: (4,) float32, or None.
        points: (K, 2) float32.
        labels: (K,) int64.
        coarse: (m, m) float32 logits, or None.
    """

    cue: Cue
    box: np.ndarray | None
    points: np.ndarray
    labels: np.ndarray
    coarse: np.ndarray | None

    @property
    def kind(self) -> tuple[bool, int, bool]:
        """Prompts of one kind fit in one batch without padding, which SAM-2 would see."""
        return self.box is not None, len(self.points), self.coarse is not None

    @property
    def is_unclear(self) -> bool:
        """A single point says little: whole or part? There SAM-2 has three answers (`SAM2ImagePredictor.predict`)."""
        return self.box is None and self.coarse is None and len(self.points) <= 1


def cue_of(prompt: MaskPrompt, index: int, size_wh: tuple[int, int], keypoints: int) -> Cue | None:
    """The cue of a prompt; None where it lies beyond the scene.

    A turned oriented box becomes its enclosing box with points inside it, where the prompt has none of its own. A box
    less than a pixel wide or high stands for a point.

    Args:
        prompt: full-scene px.
        index: its number, for messages.
        size_wh: of the scene.
        keypoints: how many points to put into a turned box; 0 for none.

    Raises:
        UsageError: a box or point that is not finite, a box turned inside out, points without labels or with others
            than 0 and 1, or a rough mask of another scene.
    """
    box, points, labels = _checked(prompt, index, size_wh)
    if prompt.corners_px is not None:
        corners = canonical_corners(prompt.corners_px)
        around = corners_to_box(corners)
        if polygon_area(corners) < UPRIGHT * float(np.prod(around[2:] - around[:2])):
            box = around
            if not labels.any():
                inner = _inside(corners, size_wh, keypoints)
                points = np.concatenate([points, inner])
                labels = np.concatenate([labels, np.ones(len(inner), np.int64)])
    if (box[2:] - box[:2]).min() < 1 and not labels.any():
        points = np.concatenate([points, (box[:2] + box[2:])[None] / 2])
        labels = np.concatenate([labels, np.ones(1, np.int64)])
    seen = (labels == 0) | ((points >= 0) & (points < size_wh)).all(axis=1)
    points, labels = points[seen], labels[seen]
    is_point = (box[2:] - box[:2]).min() < 1
    cut = np.concatenate([np.clip(box[:2], 0, size_wh), np.clip(box[2:], 0, size_wh)])
    if not labels.any() if is_point else (cut[2:] - cut[:2]).min() <= 0:
        return None
    coarse = prompt.coarse if prompt.coarse is not None and prompt.coarse.area_px else None
    need = _need(None if is_point else cut, points[labels == 1], coarse, size_wh)
    return Cue(index, None if is_point else cut, points, labels, coarse, need)


def place(cue: Cue, window: Window, size: int) -> Placed:
    """The cue in the frame of the encoder's input (`size` px square) that shows the window.

    SAM-2 adds half a pixel to every coordinate it is given, since its callers count centres of pixels; ours count
    edges, so half a pixel is taken off here. Points outside the object that lie beyond the window are left out.
    """
    origin = np.array(window[:2], dtype=np.float64)
    scale = size / (np.array(window[2:], dtype=np.float64) - origin)
    points = (cue.points - origin) * scale - 0.5
    seen = (cue.labels == 1) | ((points >= -0.5) & (points < size - 0.5)).all(axis=1)
    box = None
    if cue.box is not None:
        box = ((cue.box.reshape(2, 2) - origin) * scale - 0.5).reshape(4).astype(np.float32)
    coarse = None if cue.coarse is None else _logits(cue.coarse, window, size // 4)
    return Placed(cue, box, points[seen].astype(np.float32), cue.labels[seen].astype(np.int64), coarse)


def _checked(prompt: MaskPrompt, index: int, size_wh: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    box = np.asarray(prompt.box_px, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or (box[2:] < box[:2]).any():
        raise UsageError(f"prompt {index} has the box {box.tolist()!r}, expected finite x0 <= x1, y0 <= y1")
    points = np.zeros((0, 2)) if prompt.points_px is None else np.asarray(prompt.points_px, dtype=np.float64)
    points = points.reshape(0, 2) if points.size == 0 else points
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise UsageError(f"prompt {index} has points of shape {points.shape!r}, expected finite numbers (K, 2)")
    if len(points) != len(prompt.point_labels):
        raise UsageError(
            f"prompt {index} has {len(points)} points and {len(prompt.point_labels)} labels; give one each"
        )
    if not set(prompt.point_labels) <= {0, 1}:
        raise UsageError(f"prompt {index} has the labels {list(prompt.point_labels)!r}, expected 1 inside, 0 outside")
    if prompt.coarse is not None and prompt.coarse.shape_hw != size_wh[::-1]:
        raise UsageError(
            f"prompt {index} has a rough mask of a scene {prompt.coarse.shape_hw!r} (height, width), this one is "
            f"{size_wh[::-1]!r}"
        )
    return box, points, np.asarray(prompt.point_labels, dtype=np.int64)


def _inside(corners: np.ndarray, size_wh: tuple[int, int], count: int) -> np.ndarray:
    """Up to `count` points in the part of a turned box that lies in the scene."""
    part = shapely.intersection(shapely.Polygon(corners), shapely.box(0, 0, *size_wh))
    if count == 0 or part.area <= 0:
        return np.zeros((0, 2))
    return farthest_points_in_polygon(part, count)


def _need(box: np.ndarray | None, inside: np.ndarray, coarse: Mask | None, size_wh: Sequence[int]) -> np.ndarray:
    corners = [inside] + ([] if box is None else [box.reshape(2, 2)])
    corners += [coarse.box_px.reshape(2, 2)] if coarse is not None and coarse.box_px is not None else []
    every = np.concatenate(corners)
    low, high = every.min(axis=0), every.max(axis=0)
    around = max(LEAST_CONTEXT_PX, CONTEXT * float((high - low).max()))
    return np.concatenate([np.maximum(low - around, 0), np.minimum(high + around, size_wh)])


def _logits(coarse: Mask, window: Window, cells: int) -> np.ndarray:
    """(cells, cells) float32: the share of each cell of the window that the mask covers, as logits from -10 to 10."""
    x0, y0, x1, y1 = window
    scale = np.array([cells / (x1 - x0), cells / (y1 - y0)])
    share = np.zeros((cells, cells), np.float32)
    offset = np.array(coarse.offset_xy)
    low = np.clip(np.floor((offset - (x0, y0)) * scale), 0, cells).astype(int)
    high = np.clip(np.ceil((offset + coarse.crop.shape[::-1] - (x0, y0)) * scale), 0, cells).astype(int)
    if (high > low).all():
        columns = _shares(low[0], high[0], scale[0], coarse.offset_xy[0] - x0, coarse.crop.shape[1])
        rows = _shares(low[1], high[1], scale[1], coarse.offset_xy[1] - y0, coarse.crop.shape[0])
        pixels = coarse.crop.astype(np.float32)
        share[low[1] : high[1], low[0] : high[0]] = rows @ pixels @ columns.T
    return np.asarray(COARSE_SCALE * np.clip(share, 0, 1) + COARSE_BIAS, dtype=np.float32)


def _shares(low: int, high: int, scale: float, offset: int, count: int) -> np.ndarray:
    """(high - low, count): how much of each cell (in cells) each pixel of the crop covers."""
    cells = np.arange(low, high, dtype=np.float64)[:, None]
    starts = (np.arange(count, dtype=np.float64) + offset) * scale
    overlap = np.minimum(cells + 1, starts + scale) - np.maximum(cells, starts)
    return np.clip(overlap, 0, None).astype(np.float32)
