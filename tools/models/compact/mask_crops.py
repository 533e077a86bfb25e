"""How a prompt becomes the mask network's input, and its output a mask of the scene. Shared by training and use.

The crop is a rectangle with the axes of the prompt's oriented box (upright when there is none), a margin wider, and at
most three times as long as wide; it is resized to 96 x 96. The prompt goes in as four more channels: how deep each
pixel lies in the upright and in the oriented box, and how near it is to the points inside and outside.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ....core.geometry import box_to_corners
from ....core.masks import Mask

SIZE = 96  # px, side of the crop
MARGIN = 0.15  # of the longer side, on each side
MARGIN_PX = 3.0
MOST_ASPECT = 3.0
EDGE_PX = 6.0  # depth in the crop at which the box channels saturate
POINT_REACH_PX = 4.0  # distance from a point at which its channel has fallen to one half
_OUTSIDE = (114, 114, 114)  # grey beyond the border of the scene
_STRIP_PX = 1 << 22
_CENTRES = np.arange(SIZE, dtype=np.float32) + 0.5


def crop_matrix(corners: np.ndarray) -> np.ndarray:
    """The map from scene px to crop px, (2, 3), for a prompt rectangle (4, 2) clockwise on screen.

    Both frames have (0, 0) at the outer corner of the first pixel.
    """
    first, second = corners[1] - corners[0], corners[3] - corners[0]
    width, height = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if width > 1e-6:
        axis = first / width
    else:
        axis = np.array([second[1], -second[0]]) / height if height > 1e-6 else np.array([1.0, 0.0])
    extent = np.array([width, height]) + 2 * (MARGIN * max(width, height) + MARGIN_PX)
    extent = np.maximum(extent, extent.max() / MOST_ASPECT)
    turn = np.array([axis, [-axis[1], axis[0]]]) * (SIZE / extent)[:, None]
    return np.concatenate([turn, (SIZE / 2 - turn @ corners.mean(axis=0))[:, None]], axis=1)


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 2) through an affine (2, 3)."""
    return np.asarray(points) @ matrix[:, :2].T + matrix[:, 2]


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The affine that does `inner` first, then `outer`."""
    return np.concatenate([outer[:, :2] @ inner[:, :2], (outer[:, :2] @ inner[:, 2] + outer[:, 2])[:, None]], axis=1)


def window_of(matrix: np.ndarray, shape_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part x0, y0, x1, y1 of the scene that the crop sees, whole px; may be empty."""
    inverse = cv2.invertAffineTransform(matrix)
    seen = apply(inverse, np.array([[0, 0], [SIZE, 0], [SIZE, SIZE], [0, SIZE]]))
    height, width = shape_hw
    x0, y0 = np.clip(np.floor(seen.min(axis=0)) - 1, 0, (width, height)).astype(int)
    x1, y1 = np.clip(np.ceil(seen.max(axis=0)) + 1, 0, (width, height)).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def shrunk_size(window_xyxy: tuple[int, int, int, int], matrix: np.ndarray) -> tuple[int, int]:
    """Width and height to which a window is averaged down before it is resampled, so that nothing aliases."""
    shrink = max(1, int(min(1 / np.linalg.norm(matrix[:, :2], axis=1))))
    x0, y0, x1, y1 = window_xyxy
    return max(1, round((x1 - x0) / shrink)), max(1, round((y1 - y0) / shrink))


def sample(pixels: np.ndarray, window_xyxy: tuple[int, int, int, int], matrix: np.ndarray) -> np.ndarray:
    """The crop (SIZE, SIZE, 3) uint8 of a window of the scene; grey where the scene ends.

    Args:
        pixels: (h, w, 3) uint8 RGB, the window at any scale (see `shrunk_size`); may be empty.
        window_xyxy: the window in scene px.
        matrix: scene px -> crop px.
    """
    if pixels.size == 0:
        return np.full((SIZE, SIZE, 3), _OUTSIDE, np.uint8)
    x0, y0, x1, y1 = window_xyxy
    height, width = pixels.shape[:2]
    local = compose(matrix, np.array([[(x1 - x0) / width, 0, x0], [0, (y1 - y0) / height, y0]], dtype=np.float64))
    warped = cv2.warpAffine(pixels, _centred(local), (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderValue=_OUTSIDE)
    return np.asarray(warped)


def prompt_channels(
    matrix: np.ndarray,
    box_px: np.ndarray,
    corners: np.ndarray | None = None,
    points: np.ndarray | None = None,
    point_labels: Sequence[int] = (),
) -> np.ndarray:
    """The prompt as (4, SIZE, SIZE) float32: upright box, oriented box (zeros when None), points inside, outside."""
    channels = np.zeros((4, SIZE, SIZE), np.float32)
    channels[0] = _depth(apply(matrix, box_to_corners(box_px)))
    if corners is not None:
        channels[1] = _depth(apply(matrix, corners))
    if points is not None and len(points):
        for (x, y), label in zip(apply(matrix, points), point_labels, strict=True):
            away = np.hypot((_CENTRES - y)[:, None], (_CENTRES - x)[None])
            channel = channels[2 if label else 3]
            np.maximum(channel, POINT_REACH_PX / (POINT_REACH_PX + away), out=channel)
    return channels


def paste(probability: np.ndarray, matrix: np.ndarray, shape_hw: tuple[int, int], threshold: float = 0.5) -> Mask:
    """The scene's mask of a crop's probabilities (SIZE, SIZE)."""
    x0, y0, x1, y1 = window_of(matrix, shape_hw)
    mask = np.zeros((max(0, y1 - y0), max(0, x1 - x0)), dtype=bool)
    rows = max(1, _STRIP_PX // max(1, x1 - x0))
    source = np.ascontiguousarray(probability, dtype=np.float32)
    for top in range(0, mask.shape[0] if mask.size else 0, rows):
        part = mask[top : top + rows]
        local = compose(matrix, np.array([[1.0, 0, x0], [0, 1, y0 + top]]))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        part[:] = cv2.warpAffine(source, _centred(local), part.shape[::-1], flags=flags) > threshold
    return Mask.from_array(mask, (x0, y0), shape_hw)


def _centred(matrix: np.ndarray) -> np.ndarray:
    """The same map in OpenCV's frame, whose (0, 0) is the centre of the first pixel."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return shifted


def _depth(quad: np.ndarray) -> np.ndarray:
    """How deep each crop pixel lies in a convex quadrilateral: px from its nearest side, over EDGE_PX, in -1..1."""
    following = np.roll(quad, -1, axis=0)
    edge = following - quad
    length = np.maximum(np.linalg.norm(edge, axis=1), 1e-6)
    normal = np.stack([-edge[:, 1], edge[:, 0]], axis=1) / length[:, None]
    if np.sum(quad[:, 0] * following[:, 1] - following[:, 0] * quad[:, 1]) < 0:
        normal = -normal
    normal = (normal / EDGE_PX).astype(np.float32)
    start = -(normal * quad).sum(axis=1).astype(np.float32)
    along = normal[:, :1] * _CENTRES + start[:, None]
    down = normal[:, 1:] * _CENTRES
    return np.clip((down[:, :, None] + along[:, None]).min(axis=0), -1, 1)
