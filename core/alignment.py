"""Co-registration of two images of one place: how the earlier one lies on the later one's pixels, and how sure that is.

A turn and a shift (a Euclidean transform) are searched for on a thumbnail (`core.align_match`), then made exact in
small windows, coarse to fine up to full resolution (`core.align_refine`). Why edges and not brightness, and what was
measured: docs/change.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .align_match import correlation, edge_maps, has_texture, lie_together, padded_shape, spectra, standing_out
from .align_refine import refined, turning, vertex

if TYPE_CHECKING:
    from .scene import Scene

THUMB_PX = 512
LEAST_SIDE_PX = 64
CERTAIN_PEAK = 5.8
"""A peak of the search that no unrelated pair reached (docs/change.md)."""
LEAST_FINE, LEAST_COARSE = 4.5, 4.4
"""Heights of `lie_together` that tell a pair which has changed almost everywhere from an unrelated one."""
_NOISE_PEAK = 4.7
_REACH_PX = 24  # of the search, in thumbnail px
_FEW_TURNS, _MORE_TURNS = (-1.0, 0.0, 1.0), (-5.0, -4.0, -3.0, -2.0, 2.0, 3.0, 4.0, 5.0)
_PLAIN_PEAK = 9.0
_LEVEL_STEP = 2.5
_LEAST_JOINT = 4.5
_STARTS, _PLAIN_JOINT = 5, 9.0
_PASSES, _KEPT, _STILL_PX = 3, 0.7, 0.2


@dataclass(frozen=True, eq=False)
class Alignment:
    """How two scenes of one size lie on each other: turn and shift (a Euclidean transform).

    Attributes:
        matrix: (2, 3) float64, from the later scene's px to the earlier one's px.
        matched: whether the two show the same ground at all, as far as edges tell.
        textured: whether both have any edges; where not, nothing could be found.
        peak: how far the best match of the search stands out, in robust standard deviations of all others.
        agreement: share (0..1) of the windows whose own best match lies within 1.5 px of the transform; None where it
            was not made exact.
    """

    matrix: np.ndarray
    matched: bool
    textured: bool = True
    peak: float = 0.0
    agreement: float | None = None

    @property
    def quality(self) -> float:
        """0..1: the share of the peak that chance does not explain; unrelated pairs stay below 0.19."""
        return max(0.0, 1.0 - _NOISE_PEAK / self.peak) if self.peak > 0 else 0.0

    @property
    def turn_deg(self) -> float:
        """Angle of the turn, degrees, clockwise on the screen from the later to the earlier scene."""
        return math.degrees(math.atan2(self.matrix[1, 0], self.matrix[0, 0]))

    def before_px(self, xy_px: np.ndarray) -> np.ndarray:
        """Points (..., 2) of the later scene, in px of the earlier one."""
        points = np.asarray(xy_px, dtype=np.float64)
        return np.asarray(points @ self.matrix[:, :2].T + self.matrix[:, 2])

    def moved_px(self, size_wh: tuple[int, int]) -> tuple[float, float]:
        """How far the image's centre and the farthest of its corners are moved, px."""
        width, height = size_wh
        points = np.array([[width / 2, height / 2], [0, 0], [width, 0], [0, height], [width, height]])
        far = np.linalg.norm(self.before_px(points) - points, axis=1)
        return float(far[0]), float(far.max())


_AS_THEY_LIE = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A scene at no more than 512 px a side.

    Attributes:
        rgb: (H, W, 3) uint8.
        valid: (H, W) bool, where there is data.
    """

    rgb: np.ndarray
    valid: np.ndarray

    @classmethod
    def of(cls, scene: Scene) -> Thumbnail:
        """The whole scene, averaged down."""
        scale = _scale(scene.size_wh)
        size = (max(1, round(scene.size_wh[0] * scale)), max(1, round(scene.size_wh[1] * scale)))
        return cls(scene.read(None, size), scene.valid(None, size))

    @property
    def grey(self) -> tuple[np.ndarray, np.ndarray]:
        """((H, W) float32 brightness, valid)."""
        return cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32), self.valid


def _scale(size_wh: tuple[int, int]) -> float:
    return min(1.0, THUMB_PX / max(size_wh))


def estimate(before: Scene, after: Scene, thumbnails: tuple[Thumbnail, Thumbnail] | None = None) -> Alignment:
    """The turn and shift that lay the earlier scene on the later one.

    Shifts up to 24 px of a thumbnail of 512 px (at most a quarter of the shorter side), turns up to 5 degrees. A pair
    that matches only weakly, but in the place where it lies, is taken as it lies.

    Args:
        before: earlier scene.
        after: later one, of the same size, at least 64 px a side.
        thumbnails: of both, where they are already at hand.

    Example:
        >>> from surveyor.core.scene import Scene
        >>> dots = np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8).repeat(4, 0).repeat(4, 1)
        >>> found = estimate(Scene.from_array(dots[:, :150]), Scene.from_array(dots[:, 5:155]))
        >>> found.matrix[:, 2].round().tolist()
        [5.0, 0.0]
    """
    small = thumbnails or (Thumbnail.of(before), Thumbnail.of(after))
    earlier, later = (each.grey for each in small)
    if not (has_texture(*earlier) and has_texture(*later)):
        return Alignment(_AS_THEY_LIE, True, textured=False)
    found = _searched(earlier, later, after.size_wh)
    peak = found[0][1]
    if peak >= CERTAIN_PEAK:
        scale = _scale(after.size_wh)
        return _exact(before, after, _best_start(before, after, found, scale), peak, scale)
    fine, coarse = lie_together(small[0].rgb, small[1].rgb, earlier[1] & later[1])
    return Alignment(_AS_THEY_LIE, fine >= LEAST_FINE or coarse >= LEAST_COARSE, peak=peak)


def _best_start(before: Scene, after: Scene, found: list[tuple[np.ndarray, float]], scale: float) -> np.ndarray:
    """The one of the search's turns on whose windows agree best; others than the first are tried only when it is weak.

    A search by whole degrees can prefer a wrong turn where the ground is round (the bend of a running track).
    """
    best, highest = found[0][0], -math.inf
    for matrix, peak in found[:_STARTS]:
        if peak < CERTAIN_PEAK:
            break
        finer, _, height = refined(before, after, matrix, scale)
        if height > highest:
            best, highest = finer, height
        if highest >= _PLAIN_JOINT:
            break
    return best


def _exact(before: Scene, after: Scene, matrix: np.ndarray, peak: float, scale: float) -> Alignment:
    """Finer and finer levels, as long as the windows of one say no less than those of the one before."""
    agreement, least = None, _LEAST_JOINT
    while True:
        for _ in range(_PASSES):
            finer, agreeing, height = refined(before, after, matrix, scale)
            if height < least:
                return Alignment(matrix if agreement is not None else _AS_THEY_LIE, True, True, peak, agreement)
            moved = _apart(matrix, finer, after.size_wh) * scale
            matrix, agreement, least = finer, agreeing, max(least, _KEPT * height)
            if moved < _STILL_PX:
                break
        if scale >= 1.0:
            return Alignment(matrix, True, True, peak, agreement)
        scale = min(1.0, scale * _LEVEL_STEP)


def _apart(matrix: np.ndarray, other: np.ndarray, size_wh: tuple[int, int]) -> float:
    """How far two matrices differ at most over the image, px."""
    width, height = size_wh
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], dtype=np.float64)
    return float(np.linalg.norm(corners @ (matrix - other).T, axis=1).max())


def _searched(
    earlier: tuple[np.ndarray, np.ndarray], later: tuple[np.ndarray, np.ndarray], size_wh: tuple[int, int]
) -> list[tuple[np.ndarray, float]]:
    """(matrix of full px, how far it stands out) of each turn's best shift, best first, from two thumbnails."""
    fixed = edge_maps(*later)
    height, width = fixed.shape[1:]
    reach = min(_REACH_PX, min(width, height) // 4)
    shape = padded_shape((height, width), reach)
    other = spectra(fixed, shape)

    def surfaces(turns: tuple[float, ...]) -> list[np.ndarray]:
        return [correlation(spectra(edge_maps(*_turned(*earlier, turn)), shape), other, reach) for turn in turns]

    turns: tuple[float, ...] = _FEW_TURNS
    found = surfaces(turns)
    stack = standing_out(np.stack(found))
    if stack[1].max() < max(_PLAIN_PEAK, stack[0].max(), stack[2].max()):
        found += surfaces(_MORE_TURNS)
        order = np.argsort(_FEW_TURNS + _MORE_TURNS)
        turns = tuple(sorted(_FEW_TURNS + _MORE_TURNS))
        stack = standing_out(np.stack(found)[order])
    centre, sizes = np.array([width, height]) / 2, np.array(size_wh) / (width, height)
    results = []
    for best, surface in enumerate(stack):
        row, column = (int(v) for v in np.unravel_index(int(surface.argmax()), surface.shape))
        by = turning(turns[best] + vertex(stack[:, row, column], best))
        shift = np.array([column - reach, row - reach], dtype=np.float64)
        # the earlier thumbnail was turned about its centre, then lies `shift` further on
        offset = (centre + by @ (shift - centre)) * sizes
        results.append((np.column_stack([by, offset]), float(surface[row, column])))
    return sorted(results, key=lambda each: -each[1])


def _turned(grey: np.ndarray, valid: np.ndarray, turn_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """(grey, valid): at p what the images have at centre + turn (p - centre)."""
    if turn_deg == 0:
        return grey, valid
    height, width = grey.shape
    centre = np.array([width, height]) / 2
    by = turning(turn_deg)
    matrix = np.column_stack([by, centre - by @ centre + by @ [0.5, 0.5] - 0.5])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(grey, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = cv2.warpAffine(valid.astype(np.uint8), matrix, (width, height), flags=flags)
    return moved, mask > 0
