"""A known turn and shift made exact, from small windows spread over two images.

Each window's correlation surface (`core.align_match`) is kept whole; the surfaces are added up along every turn and the
peak is looked for in the sum, so a window that has changed adds noise, not a wrong vote. Then each window's own peak
next to the common one is fitted by weighted least squares.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .align_match import correlation, edge_maps, padded_shape, spectra, standing_out
from .pair_grid import AffineMap, WarpedSource
from .scene import Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

_TILE_PX, _TILE_REACH_PX, _TILES = 128, 8, 6
_AGREE_PX = 1.5


def refined(before: Scene, after: Scene, matrix: np.ndarray, scale: float) -> tuple[np.ndarray, float, float]:
    """A better matrix, the share of windows that agree with it, and how high their surfaces' sum stands out.

    Args:
        before, after: of one size.
        matrix: (2, 3), from the later scene's px to the earlier one's; right to some 6 px at `scale`.
        scale: level px to a full px, at most 1.
    """
    centres, surfaces = _tile_surfaces(before, after, matrix, scale)
    if not len(surfaces):
        return matrix, 0.0, 0.0
    middle = np.array(after.size_wh) * scale / 2
    arms = centres - middle
    height, turn, shift = _joint_peak(surfaces, arms)
    for _ in range(3):
        predicted = shift + turn * np.stack([-arms[:, 1], arms[:, 0]], axis=1)
        found, strength = _near_peaks(surfaces, predicted)
        turn, shift = _fitted(found, strength, arms, predicted)
    predicted = shift + turn * np.stack([-arms[:, 1], arms[:, 0]], axis=1)
    agree = np.linalg.norm(_peaks(surfaces) - predicted, axis=1) <= _AGREE_PX
    inner = np.column_stack([turning(math.degrees(turn)), np.zeros(2)])
    inner[:, 2] = (middle + shift - inner[:, :2] @ middle) / scale
    outer = np.vstack([matrix, [0, 0, 1]]) @ np.vstack([inner, [0, 0, 1]])
    return outer[:2], float(agree.mean()), height


def _tile_surfaces(before: Scene, after: Scene, matrix: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """(centres (N, 2) in level px, (N, 2 r + 1, 2 r + 1) correlation surfaces) of windows with something to see."""
    moved = Scene(WarpedSource(before, AffineMap(matrix), after.size_wh), name=before.name)
    level = np.array(after.size_wh) * scale
    side = int(min(_TILE_PX, max(32, min(level) // 3)))
    starts = [_spread(length, side) for length in level]
    centres, surfaces = [], []
    reach = _TILE_REACH_PX
    for top in starts[1]:
        for left in starts[0]:
            fixed = edge_maps(*grey_of(after, _window(left, top, side, 0, scale), (side, side)))
            if np.count_nonzero(fixed[0]) < 0.25 * side * side:
                continue
            wide = side + 2 * reach
            loose = edge_maps(*grey_of(moved, _window(left, top, side, reach, scale), (wide, wide)))
            inset = np.zeros_like(loose)
            inset[:, reach:-reach, reach:-reach] = fixed
            shape = padded_shape((wide, wide), reach)
            surface = correlation(spectra(loose, shape), spectra(inset, shape), reach)
            surfaces.append(cv2.GaussianBlur(standing_out(surface), (0, 0), 0.7))
            centres.append((left + side / 2, top + side / 2))
    return np.array(centres), np.array(surfaces)


def _spread(length: float, side: int) -> np.ndarray:
    count = int(np.clip(round(2 * length / side) - 1, 1, _TILES))
    return np.linspace(0, length - side, count)


def _window(left: float, top: float, side: int, margin: int, scale: float) -> tuple[float, float, float, float]:
    x, y = round((left - margin) / scale), round((top - margin) / scale)
    size = round((side + 2 * margin) / scale)
    return x, y, x + size, y + size


def _joint_peak(surfaces: np.ndarray, arms: np.ndarray) -> tuple[float, float, np.ndarray]:
    """(height, turn in radians, shift (2,)) at which the surfaces added up are highest."""
    longest = max(float(np.linalg.norm(arms, axis=1).max()), 1.0)
    reach = surfaces.shape[1] // 2
    limit = min(0.7 * reach, longest * math.radians(1.2))
    best = (-math.inf, 0.0, np.zeros(2))
    for turn in np.arange(-limit, limit + 0.01, 0.5) / longest:
        total = np.zeros(surfaces.shape[1:], np.float32)
        for surface, (x, y) in zip(surfaces, arms, strict=True):
            shift = np.array([[1, 0, -turn * y], [0, 1, turn * x]], dtype=np.float32)
            total += cv2.warpAffine(surface, shift, surface.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        row, column = np.unravel_index(int(total.argmax()), total.shape)
        if total[row, column] > best[0]:
            best = (float(total[row, column]), float(turn), np.array([column - reach, row - reach], dtype=np.float64))
    return best[0] / math.sqrt(len(surfaces)), best[1], best[2]


def _near_peaks(surfaces: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(peaks (N, 2) next to where each is predicted, with fractions; how high they are)."""
    reach = surfaces.shape[1] // 2
    found, height = predicted.copy(), np.zeros(len(predicted))
    for index, (surface, (x, y)) in enumerate(zip(surfaces, predicted, strict=True)):
        column, row = round(float(x)) + reach, round(float(y)) + reach
        x0, y0 = max(1, column - 2), max(1, row - 2)
        part = surface[y0 : min(row + 3, 2 * reach), x0 : min(column + 3, 2 * reach)]
        if not part.size:
            continue
        down, across = (int(v) for v in np.unravel_index(int(part.argmax()), part.shape))
        row, column = y0 + down, x0 + across
        found[index] = (
            column - reach + vertex(surface[row], column),
            row - reach + vertex(surface[:, column], row),
        )
        height[index] = surface[row, column]
    return found, height


def _peaks(surfaces: np.ndarray) -> np.ndarray:
    """(N, 2) x, y of each surface's highest point."""
    reach = surfaces.shape[1] // 2
    flat = surfaces.reshape(len(surfaces), -1).argmax(axis=1)
    rows, columns = np.unravel_index(flat, surfaces.shape[1:])
    return np.stack([columns - reach, rows - reach], axis=1).astype(np.float64)


def _fitted(found: np.ndarray, height: np.ndarray, arms: np.ndarray, predicted: np.ndarray) -> tuple[float, np.ndarray]:
    """(turn in radians, shift) by weighted least squares; windows far from the prediction weigh nothing."""
    off = np.linalg.norm(found - predicted, axis=1)
    weight = np.maximum(height - 2.0, 0) * np.maximum(1 - (off / 3.0) ** 2, 0) ** 2 + 1e-6
    share = weight / weight.sum()
    arm, point = share @ arms, share @ found
    lever = arms - arm
    swept = np.stack([-lever[:, 1], lever[:, 0]], axis=1)
    turn = float((share[:, None] * swept * (found - point)).sum() / max((share[:, None] * lever**2).sum(), 1e-9))
    return turn, point - turn * np.array([-arm[1], arm[0]])


def vertex(values: np.ndarray, index: int) -> float:
    """Where the parabola through a highest value and its neighbours has its top, -0.5 to 0.5 from `index`."""
    if not 0 < index < len(values) - 1:
        return 0.0
    left, middle, right = (float(v) for v in values[index - 1 : index + 2])
    bend = left - 2 * middle + right
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5))


def turning(turn_deg: float) -> np.ndarray:
    angle = math.radians(turn_deg)
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def grey_of(scene: Scene, window: Sequence[float] | None, out_wh: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    grey = cv2.cvtColor(scene.read(window, out_wh), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey, scene.valid(window, out_wh)
