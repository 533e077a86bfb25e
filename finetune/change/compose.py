"""Training crops of pairs: cut, turned, composed by pasting, lit, shifted. Crop i of a step depends on its seed alone.

Pairs composed of one image teach what is no change: light, haze, shadows, blur, a shift of a pixel or two, vehicles.
Buildings pasted into one date teach what is one. GeoRSMLLM section III-A-3 asks for referring change; Copy-paste:
Ghiasi et al. 2021; for change detection, Chen et al. 2021 (IAug).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..pixels import blend_mask, jitter_colour
from .data import UNKNOWN, PairSample, Patch, Tile

GSD_M = (0.2, 0.7)
"""Range of metres a pixel that crops are brought to."""


@dataclass(frozen=True, eq=False)
class Crop:
    """One training crop: images (2, S, S, 3) uint8, changed (S, S) and built (2, S, S) uint8 with UNKNOWN."""

    images: np.ndarray
    changed: np.ndarray
    built: np.ndarray


def crop_of(pair: PairSample, side: int, rng: np.random.Generator) -> Crop:
    """A crop of a labelled pair, at times with the dates exchanged: what changed stays."""
    layers = [*pair.images, pair.changed, *pair.built]
    before, after, changed, first, second = _cut(layers, pair.gsd_m, side, rng)
    images, built = [before, after], [first, second]
    if rng.random() < 0.5:
        images, built = images[::-1], built[::-1]
    return _lit(images, changed, built, rng)


def same_place(pair: PairSample, side: int, rng: np.random.Generator) -> Crop:
    """One date of a labelled pair twice: nothing changed."""
    at = int(rng.integers(2))
    image, built = _cut([pair.images[at], pair.built[at]], pair.gsd_m, side, rng)
    return _lit([image, image.copy()], np.zeros((side, side), np.uint8), [built, built.copy()], rng)


def composed(
    tile: Tile, buildings: Sequence[Patch], others: Sequence[Patch], side: int, rng: np.random.Generator
) -> Crop:
    """One image twice, with buildings pasted into one date or both and other things into either."""
    gsd = float(rng.uniform(*GSD_M))
    image, known = _cut([tile.image, tile.built], tile.gsd_m, side, rng, gsd)
    images, built = [image, image.copy()], [known, known.copy()]
    changed = np.zeros((side, side), np.uint8)
    for _ in range(int(rng.integers(0, 7))):
        placed = _placed(buildings[int(rng.integers(len(buildings)))], side, gsd, rng)
        if placed is None:
            continue
        patch, mask = placed
        both = rng.random() < 0.3
        dates = (0, 1) if both else (int(rng.integers(2)),)
        for date in dates:
            blend_mask(images[date], jitter_colour(rng, patch, 0.5), mask * 255, 2)
            built[date][mask > 0] = 1
        if both:
            changed[mask > 0] = 0
        else:  # where a building stands at the other date, the place was built on before and is now
            covered = mask > 0
            changed[covered] = built[1 - dates[0]][covered] != 1
    for _ in range(int(rng.integers(0, 9)) if others else 0):
        placed = _placed(others[int(rng.integers(len(others)))], side, gsd, rng, most=0.15)
        if placed is not None:
            patch, mask = placed
            blend_mask(images[int(rng.integers(2))], patch, mask * 255, 2)
    return _lit(images, changed, built, rng)


def _placed(
    patch: Patch, side: int, gsd_m: float, rng: np.random.Generator, most: float = 0.7
) -> tuple[np.ndarray, np.ndarray] | None:
    """The patch turned and scaled somewhere on an empty crop, with its mask; None where it is too large or small."""
    scale = patch.gsd_m / gsd_m * float(np.exp(rng.uniform(-0.4, 0.4)))
    height, width = patch.mask.shape
    if not 8 <= max(height, width) * scale <= most * side:
        return None
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(0, 360)), scale)
    matrix[:, 2] = matrix[:, 2] + rng.uniform(0, side, 2) - (width / 2, height / 2)
    size = (side, side)
    mask = cv2.warpAffine(patch.mask, matrix, size, flags=cv2.INTER_NEAREST)
    if int(mask.sum()) < 40:
        return None
    image = cv2.warpAffine(patch.image, matrix, size, flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # fmt: skip  # noqa: E501
    return image, mask


def _cut(
    layers: Sequence[np.ndarray], gsd_m: float, side: int, rng: np.random.Generator, to_gsd_m: float | None = None
) -> list[np.ndarray]:
    """The same turned, mirrored and scaled window of images and masks."""
    height, width = layers[0].shape[:2]
    wanted = gsd_m / (to_gsd_m or float(rng.uniform(*GSD_M)))  # output px a px
    scale = max(wanted, side / min(height, width) * 1.02)
    half = side / scale / 2
    x, y = rng.uniform(half, max(half, width - half)), rng.uniform(half, max(half, height - half))
    turn = float(rng.integers(4)) * 90 + (float(rng.uniform(-12, 12)) if rng.random() < 0.5 else 0.0)
    matrix = cv2.getRotationMatrix2D((x, y), turn, scale)
    matrix[:, 2] = matrix[:, 2] + side / 2 - np.array([x, y])
    if rng.random() < 0.5:
        matrix[0] *= -1
        matrix[0, 2] += side
    smooth = cv2.INTER_AREA if scale < 0.8 else cv2.INTER_LINEAR
    found = []
    for layer in layers:
        is_mask = layer.ndim == 2
        way = cv2.INTER_NEAREST if is_mask else smooth
        border = cv2.BORDER_CONSTANT if is_mask else cv2.BORDER_REFLECT_101
        found.append(cv2.warpAffine(layer, matrix, (side, side), flags=way, borderMode=border, borderValue=UNKNOWN))
    return found


def _lit(
    images: Sequence[np.ndarray], changed: np.ndarray, built: Sequence[np.ndarray], rng: np.random.Generator
) -> Crop:
    """Each date in light of its own, one at times shaded in part, blurred, or shifted by up to two px."""
    side = changed.shape[0]
    shown = []
    for date, image in enumerate(images):
        image = jitter_colour(rng, image, float(rng.uniform(0.2, 1.0)))
        if rng.random() < 0.3:
            image = _shaded(image, rng)
        if rng.random() < 0.2:
            image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.2)))
        if date == 0 and rng.random() < 0.6:
            shift = np.array([[1, 0, rng.uniform(-2, 2)], [0, 1, rng.uniform(-2, 2)]], np.float32)
            image = cv2.warpAffine(
                image, shift, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
            )
        shown.append(image)
    return Crop(np.stack(shown), changed, np.stack(built))


def _shaded(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A soft shadow, or haze, over part of the image."""
    side = image.shape[0]
    points = (rng.uniform(-0.2, 1.2, (int(rng.integers(3, 6)), 2)) * side).astype(np.int32)
    shape = np.zeros(image.shape[:2], np.float32)
    cv2.fillConvexPoly(shape, cv2.convexHull(points), 1.0)
    alpha = np.asarray(cv2.GaussianBlur(shape, (0, 0), float(rng.uniform(0.5, 0.12 * side))))[..., None]
    other = image * rng.uniform(0.35, 0.8) if rng.random() < 0.7 else image * 0.6 + rng.uniform(60, 100)
    return np.clip(image * (1 - alpha) + other * alpha, 0, 255).astype(np.uint8)
