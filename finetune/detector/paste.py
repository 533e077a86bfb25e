"""Copy-paste augmentation: single objects of other training images, and car parks laid out from single vehicles.

Copy-paste follows Ghiasi et al. 2021 (CVPR, section 3). The car parks answer a lack of the training photos: vehicles
there stand mostly apart, while people ask about crowded ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..pixels import blend
from .data import Sample

Donor = tuple[Sample, int]  # an image and the index of one of its objects
MOST_GROWN = 1.6  # donors are enlarged at most so much


def min_rect(points: np.ndarray) -> np.ndarray:
    """cx cy w h cos2a sin2a of the minimum-area rectangle, w >= h, a the direction of w."""
    corners = cv2.boxPoints(cv2.minAreaRect(np.asarray(points, np.float32)))
    sides = corners[1:3] - corners[:2]
    long, short = sorted(sides, key=lambda v: -float(np.hypot(*v)))
    angle = float(np.arctan2(long[1], long[0]))
    w, h = float(np.hypot(*long)), float(np.hypot(*short))
    cx, cy = corners.mean(0)
    return np.array([cx, cy, max(w, 1.0), max(h, 1.0), np.cos(2 * angle), np.sin(2 * angle)], np.float32)


def crop_matrix(centre: np.ndarray, scale: float, size: int, turn: float, flip: bool) -> np.ndarray:
    """The 2x3 affine map that takes `centre` to the middle of the crop (pixel-corner frame)."""
    c, s = np.cos(turn) * scale, np.sin(turn) * scale
    linear = np.array([[c, -s], [s, c]])
    if flip:
        linear[:, 0] *= -1
    return np.hstack([linear, (size / 2 - linear @ centre)[:, None]])


def warp(image: np.ndarray, matrix: np.ndarray, size: int, fill: int) -> np.ndarray:
    """The crop; area-like smoothing before strong reduction. The matrix speaks of pixel corners, cv2 of centres."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    m = matrix.copy()
    if scale < 0.55:  # halve first: warpAffine samples, it does not average
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
        m[:, :2] *= 2
    m[:, 2] += m[:, :2] @ [0.5, 0.5] - 0.5
    return cv2.warpAffine(image, m, (size, size), flags=cv2.INTER_LINEAR, borderValue=(fill, fill, fill))


def whole(sample: Sample, hull: np.ndarray) -> bool:
    """The object is not cut by the image's border and not tiny."""
    inside = hull.min() >= 2 and bool((hull.max(0) <= np.array(sample.image.shape[1::-1]) - 2).all())
    return inside and cv2.contourArea(hull) >= 60


def moved_by(hull: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return (hull @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def paste_objects(rng: np.random.Generator, image: np.ndarray, hulls: list, labels: list, donors: Sequence[Sequence[Donor]]) -> None:  # fmt: skip  # noqa: E501
    """Copies up to three objects into free places, with a soft rim of their ground. `donors` lists them by class."""
    size = len(image)
    taken = [np.concatenate([p.min(0), p.max(0)]) for p in hulls]
    for _ in range(int(rng.integers(1, 4))):
        c = int(rng.integers(len(donors)))
        if not donors[c]:
            continue
        donor, j = donors[c][int(rng.integers(len(donors[c])))]
        hull = donor.hulls[j]
        if not whole(donor, hull):
            continue
        scale = min(np.exp(rng.uniform(np.log(0.4), np.log(1.2))), 0.7 * size / np.ptp(hull, 0).max())
        matrix = crop_matrix(hull.mean(0), scale, size, rng.uniform(0, 2 * np.pi), bool(rng.random() < 0.5))
        matrix[:, 2] += rng.uniform(-0.45, 0.45, 2) * size
        moved = moved_by(hull, matrix)
        box = np.concatenate([moved.min(0), moved.max(0)])
        if box.min() < 0 or box.max() > size or min(np.ptp(moved, 0)) < 10:
            continue
        if any(box[0] < t[2] + 6 and t[0] < box[2] + 6 and box[1] < t[3] + 6 and t[1] < box[3] + 6 for t in taken):
            continue
        rim = max(3, int(np.ptp(moved, 0).max() * 0.05)) | 1
        blend(image, warp(donor.image, matrix, size, 0), moved, rim)
        taken.append(box)
        hulls.append(moved)
        labels.append(c)


def paste_car_park(rng: np.random.Generator, image: np.ndarray, hulls: list, labels: list, cars: Sequence[Donor], label: int, length: float) -> None:  # fmt: skip  # noqa: E501
    """Lays rows of parked vehicles side by side where nothing else stands; in half of them on a strip of asphalt.

    Args:
        image: (S, S, 3) uint8, changed in place; hulls and labels of its objects are extended.
        cars: vehicles to copy; label: their class index; length: usual length of one, crop pixels.
    """
    size = len(image)
    pitch = length * rng.uniform(0.5, 0.75)
    rows, slots = int(rng.integers(1, 5)), int(rng.integers(4, 15))
    aisle = length * rng.uniform(0.9, 1.6)
    depth = [k * length * 1.1 + (k + 1) // 2 * aisle for k in range(rows)]  # nose to nose, then an aisle
    turn = rng.uniform(0, 2 * np.pi)
    across, along = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    half = np.array([(slots - 1) * pitch, depth[-1]]) / 2
    lot = None
    for _ in range(6):
        centre = rng.uniform(0.15, 0.85, 2) * size
        outer = half + 0.7 * length
        corners = [centre + a * outer[0] * across + b * outer[1] * along for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]  # fmt: skip  # noqa: E501
        quad = np.array(corners, np.float32)
        if not any(cv2.intersectConvexConvex(quad, np.asarray(h, np.float32))[0] > 0 for h in hulls):
            lot = quad
            break
    if lot is None:
        return
    if rng.random() < 0.5:
        ground = np.full_like(image, int(rng.integers(45, 150))) + rng.integers(-6, 7, (size, size, 1)).astype(np.int8).view(np.uint8)  # fmt: skip  # noqa: E501
        blend(image, cv2.GaussianBlur(ground, (0, 0), 0.8), lot, 7)
    usual_gain, fill = rng.uniform(0.5, 1.1), rng.uniform(0.5, 0.97)
    for k in range(rows):
        for slot in range(slots):
            if rng.random() > fill:
                continue
            place = centre + (slot * pitch - half[0]) * across + (depth[k] - half[1]) * along
            sample, j = cars[int(rng.integers(len(cars)))]
            car = park(rng, image, sample, sample.hulls[j], place, turn + np.pi / 2, length, usual_gain)
            if car is not None:
                hulls.append(car)
                labels.append(label)


def park(rng: np.random.Generator, image: np.ndarray, donor: Sample, hull: np.ndarray, place: np.ndarray, axis: float, length: float, usual_gain: float) -> np.ndarray | None:  # fmt: skip  # noqa: E501
    """Copies one vehicle, long side along `axis` (radians); its hull in the crop, or None where it does not fit."""
    _, _, w, h, c2, s2 = min_rect(hull)
    scale = length * rng.uniform(0.85, 1.12) / w
    if not whole(donor, hull) or not 1.5 <= w / h <= 3.2 or scale > MOST_GROWN:
        return None
    turn = axis - 0.5 * np.arctan2(s2, c2) + np.pi * int(rng.integers(2)) + rng.normal(0, 0.03)
    side = int(length * 1.6) + 8
    matrix = crop_matrix(hull.mean(0), scale, side, turn, False)
    corner = np.round(place - side / 2).astype(int)
    car = moved_by(hull, matrix)
    shifted = car + corner.astype(np.float32)
    if shifted.min() < 0 or shifted.max() > len(image):
        return None
    patch = warp(donor.image, matrix, side, 0)
    gain = usual_gain * rng.uniform(0.7, 1.3) if rng.random() < 0.6 else 1.0
    patch = np.clip(patch * np.float32(gain), 0, 255).astype(np.uint8)
    x0, y0 = np.maximum(corner, 0)
    x1, y1 = np.minimum(corner + side, len(image))
    window = image[y0:y1, x0:x1]
    blend(window, patch[y0 - corner[1] : y1 - corner[1], x0 - corner[0] : x1 - corner[0]], car - (np.array([x0, y0]) - corner).astype(np.float32), 3)  # fmt: skip  # noqa: E501
    return shifted
