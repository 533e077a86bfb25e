"""Changes of pixels that every kind of training picture shares: light and colour, and patches with a soft rim."""

from __future__ import annotations

import cv2
import numpy as np


def jitter_colour(rng: np.random.Generator, image: np.ndarray, strength: float) -> np.ndarray:
    """Brightness, contrast, gamma and balance by one table a channel; at times grey, swapped channels, blur, noise."""
    if rng.random() < 0.06 * strength:
        image = image[..., rng.permutation(3)]
    if rng.random() < 0.08 * strength:
        image = np.repeat(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)[..., None], 3, 2)
    ramp = np.arange(256) / 255.0
    gain, offset = 1 + strength * rng.uniform(-0.3, 0.3), strength * rng.uniform(-0.12, 0.12)
    gamma = np.exp(strength * rng.uniform(-0.45, 0.45))
    tables = [np.clip(((ramp**gamma - 0.5) * gain * (1 + strength * rng.uniform(-0.1, 0.1)) + 0.5 + offset) * 255, 0, 255).astype(np.uint8) for _ in range(3)]  # fmt: skip  # noqa: E501
    image = cv2.merge([cv2.LUT(np.ascontiguousarray(image[..., k]), tables[k]) for k in range(3)])
    if rng.random() < 0.3 * strength:  # saturation
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        image = cv2.addWeighted(image, t := rng.uniform(0.3, 1.5), grey, 1 - t, 0)
    if rng.random() < 0.08 * strength:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.4))
    if rng.random() < 0.08 * strength:
        noise = rng.normal(0, rng.uniform(2, 9), (*image.shape[:2], 1)).astype(np.int16)
        image = np.clip(image.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    return image


def blend(image: np.ndarray, patch: np.ndarray, hull: np.ndarray, rim: int) -> None:
    """Puts the patch (same size as the image) over it inside the hull, grown by a soft rim. In place."""
    alpha = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(alpha, np.round(hull).astype(np.int32), 255)
    blend_mask(image, patch, alpha, rim)


def blend_mask(image: np.ndarray, patch: np.ndarray, alpha: np.ndarray, rim: int) -> None:
    """The same where `alpha`, (H, W) uint8, is 255."""
    soft = cv2.blur(cv2.dilate(alpha, np.ones((rim, rim), np.uint8)), (rim, rim))[..., None] / np.float32(255)
    image[:] = (image + (patch.astype(np.float32) - image) * soft).astype(np.uint8)
