"""Probability maps of a whole pair of scenes, made tile by tile: three bytes a pixel, whatever the network needs.

Tiles overlap and each gives its middle only, so that no pixel is decided at a tile's border. They start at multiples
of the network's stride: where two tiles overlap they see the same pixels on the same grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ....core.progress import report

if TYPE_CHECKING:
    from ....core.scene import Scene

MULTIPLE = 32  # the network takes sides that are multiples of this
WHOLE = 1024  # network px: scenes up to this side go through in one piece
TILE = 832  # side of a tile in network px of larger ones: a larger one takes more memory
MARGIN = 128  # network px of a tile, at each inner border, that a neighbour decides
FILL = 127  # grey where either date has no data: the network's zero
STEPS = 255  # a probability of 1 in the maps

_BLOCK = 8

Run = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""`run(before, after)`: two (1, 3, H, W) float32 RGB in 0..255 -> (1, 3, H, W) probabilities: changed, built before and
after."""
Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class ChangeMaps:
    """What the network says of each place of a pair.

    Attributes:
        changed: (h, w) uint8, 255 times how likely a building came or went here: the mean of what the network says of
            change, and of what its two building maps say (one has it and the other not). 0 where either date has no
            data.
        built: (2, h, w) uint8, likewise that a building stands here, before and after.
        scale_xy: network px a scene px.
    """

    changed: np.ndarray
    built: np.ndarray
    scale_xy: tuple[float, float]


def look(before: Scene, after: Scene, scale: float, run: Run, tile: int | None = None) -> ChangeMaps:
    """The maps of two scenes of one size; reports progress as "comparing".

    Args:
        before, after: on one grid.
        scale: network px a scene px.
        run: the network.
        tile: side of a tile in network px, a multiple of 32; None for one that suits the size.
    """
    size = tuple(max(1, round(side * scale)) for side in after.size_wh)
    scale_xy = (size[0] / after.size_wh[0], size[1] / after.size_wh[1])
    maps = np.zeros((3, size[1], size[0]), np.uint8)
    jobs = list(tiles((size[0], size[1]), tile or (WHOLE if max(size) <= WHOLE else TILE)))
    for done, (seen, core) in enumerate(jobs):
        report("comparing", done, len(jobs))
        x0, y0, x1, y1 = core
        part = _tile(before, after, seen, scale_xy, run)
        maps[:, y0:y1, x0:x1] = part[:, y0 - seen[1] : y1 - seen[1], x0 - seen[0] : x1 - seen[0]]
    report("comparing", len(jobs), len(jobs))
    return ChangeMaps(maps[0], maps[1:], scale_xy)


def tiles(size_wh: tuple[int, int], tile: int = TILE, margin: int = MARGIN) -> Iterator[tuple[Box, Box]]:
    """What each tile sees and the part that it decides, x0, y0, x1, y1 px, row by row; the parts cover all once.

    Example:
        >>> [decided for _, decided in tiles((1000, 400), tile=768, margin=96)]
        [(0, 0, 672, 400), (672, 0, 1000, 400)]
    """

    def spans(length: int) -> list[tuple[int, int, int, int]]:
        if length <= tile:
            return [(0, length, 0, length)]
        found, start = [], 0
        while True:
            stop = min(length, start + tile)
            first = start + margin if start else 0
            if stop == length:
                found.append((start, stop, first, stop))
                return found
            found.append((start, stop, first, stop - margin))
            start += tile - 2 * margin

    for y0, y1, top, bottom in spans(size_wh[1]):
        for x0, x1, left, right in spans(size_wh[0]):
            yield (x0, y0, x1, y1), (left, top, right, bottom)


def _tile(before: Scene, after: Scene, seen: Box, scale_xy: tuple[float, float], run: Run) -> np.ndarray:
    """(3, h, w) uint8 of what one tile sees; zeros without a look where the dates are the same or hold no data."""
    x0, y0, x1, y1 = seen
    wide, high = x1 - x0, y1 - y0
    window = (
        math.floor(x0 / scale_xy[0]), math.floor(y0 / scale_xy[1]),
        min(after.size_wh[0], math.ceil(x1 / scale_xy[0])), min(after.size_wh[1], math.ceil(y1 / scale_xy[1])),
    )  # fmt: skip
    known = before.valid(window, (wide, high)) & after.valid(window, (wide, high))
    maps = np.zeros((3, high, wide), np.uint8)
    if not known.any():
        return maps
    images = [each.read(window, (wide, high)) for each in (before, after)]
    if np.array_equal(images[0], images[1]):
        return maps
    if not known.all():
        known = cv2.erode(known.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)  # resampling mixes the rim
        for image in images:
            image[~known] = FILL
    changed, first, second = run(*(_padded(_batch(image)) for image in images))[0, :, :high, :wide]
    differs = np.maximum(first * (1 - second), second * (1 - first))
    for target, sure in zip(maps, ((changed + differs) / 2, first, second), strict=True):
        target[:] = np.rint(sure * STEPS)
    maps[0][~known] = 0
    return maps


_LEVEL = 8  # step of the levels at which valleys are looked for
_MOST_PX = 4_000_000  # a larger part is no row of houses


def connected(over: np.ndarray, least_px: float) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
    """The 8-connected parts of a large mask: rows and columns of each, and its (h, w) bool within them.

    Parts are first told apart on blocks of 8 px, so that labels are only made where something is.

    Args:
        over: (H, W) bool.
        least_px: parts of fewer px are left out.

    Example:
        >>> mask = np.zeros((30, 40), bool)
        >>> mask[2:5, 3:9] = mask[20:22, 30:31] = True
        >>> [(here[0].start, here[1].start, int(inside.sum())) for here, inside in connected(mask, 2)]
        [(2, 3, 18), (20, 30, 2)]
    """
    rows = np.add.reduceat(over, np.arange(0, over.shape[0], _BLOCK), axis=0, dtype=np.uint8)
    blocks = np.add.reduceat(rows > 0, np.arange(0, over.shape[1], _BLOCK), axis=1, dtype=np.uint8) > 0
    _, coarse, boxes, _ = cv2.connectedComponentsWithStats(blocks.view(np.uint8), connectivity=8)
    for group in range(1, len(boxes)):
        x, y, w, h = (int(value) for value in boxes[group, :4])
        own = np.repeat(np.repeat(coarse[y : y + h, x : x + w] == group, _BLOCK, axis=0), _BLOCK, axis=1)
        top, left = y * _BLOCK, x * _BLOCK
        crop = over[top : top + own.shape[0], left : left + own.shape[1]]
        crop = crop & own[: crop.shape[0], : crop.shape[1]]
        _, labels, places, _ = cv2.connectedComponentsWithStats(crop.view(np.uint8), connectivity=8)
        for part in range(1, len(places)):
            x0, y0, wide, high, area = (int(value) for value in places[part])
            if area >= least_px:
                inside = labels[y0 : y0 + high, x0 : x0 + wide] == part
                yield (slice(top + y0, top + y0 + high), slice(left + x0, left + x0 + wide)), inside


def viewed(run: Run, zooms: Sequence[float]) -> Run:
    """The network shown each tile at several sizes, its probabilities averaged.

    Args:
        run: the network.
        zooms: at most 1; 1 is the tile as it is.
    """

    def run_all(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        size = (before.shape[3], before.shape[2])
        total = np.zeros((1, 3, size[1], size[0]), np.float32)
        for zoom in zooms:
            if zoom == 1:
                total += run(before, after)
                continue
            wide, high = (max(1, round(side * zoom)) for side in size)
            small = [_padded(_resized(image, (wide, high), cv2.INTER_AREA)) for image in (before, after)]
            total += _resized(run(*small)[:, :, :high, :wide], size, cv2.INTER_LINEAR)
        return np.asarray(total / len(zooms))

    return run_all


def _resized(image: np.ndarray, size_wh: Sequence[int], way: int) -> np.ndarray:
    """(1, 3, H, W) at another size."""
    return _batch(cv2.resize(image[0].transpose(1, 2, 0), (size_wh[0], size_wh[1]), interpolation=way))


def _batch(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> (1, 3, H, W) float32."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)


def _padded(image: np.ndarray) -> np.ndarray:
    """(1, 3, H, W) with sides that are multiples of 32, mirrored beyond the image."""
    down, right = (-side % MULTIPLE for side in image.shape[2:])
    if not down and not right:
        return image
    mirrored = cv2.copyMakeBorder(image[0].transpose(1, 2, 0), 0, down, 0, right, cv2.BORDER_REFLECT)
    return _batch(mirrored)


def apart(sure: np.ndarray, inside: np.ndarray, least_px: float, depth: float) -> list[np.ndarray]:
    """The buildings of one connected part: where two peaks have a valley between them, each takes what is nearest.

    Args:
        sure: (h, w) uint8 of how likely each place changed, in `STEPS`.
        inside: (h, w) bool, the part.
        least_px: a peak with less than half of this above the valley is none.
        depth: share of `STEPS` that each peak must rise above the valley.

    Returns:
        (h, w) bool masks that cover the part once. Parts of more than 4 million px are left whole.

    Example:
        >>> row = np.array([[90, 200, 90, 60, 90, 220, 90]], np.uint8)
        >>> [int(part.sum()) for part in apart(row, row > 0, 2, 0.15)], len(apart(row, row > 0, 2, 0.6))
        ([4, 3], 1)
    """
    if inside.size > _MOST_PX:
        return [inside]
    own = np.where(inside, sure, 0)
    for level in range(int(own[inside].min()) + 1, round(int(own.max()) - depth * STEPS) + 1, _LEVEL):
        count, labels, stats, _ = cv2.connectedComponentsWithStats((own >= level).astype(np.uint8), connectivity=4)
        seeds = [
            number
            for number in range(1, count)
            if stats[number, cv2.CC_STAT_AREA] >= least_px / 2 and own[labels == number].max() >= level + depth * STEPS
        ]
        if len(seeds) < 2:
            continue
        elsewhere = ~np.isin(labels, seeds)
        _, nearest = cv2.distanceTransformWithLabels(
            elsewhere.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
        )
        owner = np.zeros(int(nearest.max()) + 1, labels.dtype)
        owner[nearest[~elsewhere]] = labels[~elsewhere]
        each = owner[nearest]
        parts = [inside & (each == number) for number in seeds]
        return [smaller for part in parts for smaller in apart(sure, part, least_px, depth)]
    return [inside]
