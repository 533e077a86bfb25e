"""Cuts training crops: one warp (scale, quarter or free turn, flip), pasted objects, colour; targets stay exact.

Outlines are warped and clipped to the crop; the horizontal box is the clipped outline's extent and the oriented box its
minimum-area rectangle, so both are exact for every turn.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..pixels import jitter_colour
from .data import TEN, Sample
from .model import CLASSES
from .paste import crop_matrix, min_rect, paste_car_park, paste_objects, warp

SCALES = {  # source pixels are resized by a factor drawn log-uniformly from here
    "nwpu": (0.35, 1.6), "aerial_cars": (0.4, 1.2), "whu_train": (0.6, 1.5), "xbd": (0.8, 1.6),
    "deepforest": (0.7, 1.6), "dota": (0.9, 1.8), "synth": (0.7, 1.8),
}  # fmt: skip
LEAST_VISIBLE = 0.35  # objects cut by the crop's border below this share are neither positive nor negative
LEAST_SIDE = 5.0
CAR_LENGTH = 55.0  # median of NWPU's vehicles, source pixels


def clip_hull(hull: np.ndarray, size: int) -> tuple[float, np.ndarray | None]:
    """Share of the hull's area inside the crop, and the clipped hull."""
    area = float(cv2.contourArea(hull))
    if area < 1 or hull[:, 0].max() <= 0 or hull[:, 1].max() <= 0 or hull.min(0).max() >= size:
        return 0.0, None
    if hull.min() >= 0 and hull.max() <= size:
        return 1.0, hull
    frame = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float32)
    inside, part = cv2.intersectConvexConvex(hull, frame)
    if part is None or inside <= 0:
        return 0.0, None
    return inside / area, part.reshape(-1, 2)


class CropSet:
    """Item i is a training crop that depends on (seed, i) alone, so a resumed run sees the same crops."""

    def __init__(self, samples: list[Sample], size: int, batch: int, seed: int, weights: dict[str, float], total_steps: int, calm_from: float, class_shares: dict[str, float] | None = None, car_parks: float = 0.0) -> None:  # fmt: skip  # noqa: E501
        self.samples, self.size, self.batch, self.seed = samples, size, batch, seed
        self.total, self.calm_from = total_steps, calm_from
        self.by_source: dict[str, list[int]] = {}
        for i, s in enumerate(samples):
            self.by_source.setdefault("whu_train" if s.source.startswith("whu") else s.source, []).append(i)
        self.sources = [s for s in weights if s in self.by_source]
        share = np.array([weights[s] for s in self.sources])
        self.share = share / share.sum()
        self.by_class = {
            c: [(i, j) for i, s in enumerate(samples) if s.source in ("nwpu",) for j in np.nonzero(s.labels == c)[0]]
            for c in range(len(TEN))
        }
        wanted = np.array([(class_shares or {}).get(c, 1.0) for c in TEN])
        self.class_share = wanted / wanted.sum()
        self.car_parks = car_parks
        self.donors = [[(samples[i], int(j)) for i, j in self.by_class[c]] for c in range(len(TEN))]
        self.masks = {s.source + s.name: np.isin(CLASSES, s.labelled).astype(np.float32) for s in samples}

    def __len__(self) -> int:
        return self.total * self.batch

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng((self.seed, index))
        progress = index / len(self)
        strength = 1.0 if progress < self.calm_from else 0.5
        source = str(rng.choice(self.sources, p=self.share))
        sample, anchor = self.pick(rng, source)
        image, hulls, labels, ignore, scale = self.cut(rng, sample, anchor, source, strength)
        if source == "nwpu" and rng.random() < 0.35 * strength:
            paste_objects(rng, image, hulls, labels, self.donors)
        if source == "nwpu" and rng.random() < self.car_parks * strength:
            vehicle = CLASSES.index("vehicle")
            length = CAR_LENGTH * scale * rng.uniform(0.75, 1.3)
            paste_car_park(rng, image, hulls, labels, self.donors[vehicle], vehicle, length)
        image = jitter_colour(rng, image, strength)
        return self.target(image, hulls, labels, ignore, sample)

    def pick(self, rng: np.random.Generator, source: str) -> tuple[Sample, int | None]:
        """An image and, mostly, the object to centre on: a class by its share, then an object of it."""
        if source == "nwpu" and rng.random() < 0.5:
            places = self.by_class[int(rng.choice(len(TEN), p=self.class_share))]
            i, j = places[rng.integers(len(places))]
            return self.samples[i], int(j)
        sample = self.samples[self.by_source[source][rng.integers(len(self.by_source[source]))]]
        if not len(sample.labels) or rng.random() > 0.7:
            return sample, None
        label = rng.choice(np.unique(sample.labels))
        return sample, int(rng.choice(np.flatnonzero(sample.labels == label)))

    def cut(self, rng: np.random.Generator, sample: Sample, anchor: int | None, source: str, strength: float) -> tuple:
        size, (low, high) = self.size, SCALES[source]
        scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        h, w = sample.image.shape[:2]
        if anchor is None:
            centre = rng.uniform((0.15 * w, 0.15 * h), (0.85 * w, 0.85 * h))
        else:
            hull = sample.hulls[anchor]
            extent = float(np.ptp(hull, 0).max())
            if extent * scale > 0.9 * size and rng.random() < 0.8:
                scale = max(0.3, 0.9 * size / extent * rng.uniform(0.6, 1.0))
            centre = (hull.min(0) + hull.max(0)) / 2
            free = np.clip(size / 2 / scale - extent / 2, 0.1 * size / scale, None)
            centre = centre + rng.uniform(-free, free, 2)
        # keep most of the crop on the image
        half = size / 2 / scale
        lowest = np.minimum(0.8 * half, (w / 2, h / 2))
        centre = np.clip(centre, lowest, np.array([w, h]) - lowest)
        turn = float(rng.integers(4) * np.pi / 2)
        if not sample.rigid and rng.random() < 0.5:
            turn = rng.uniform(0, 2 * np.pi)
        matrix = crop_matrix(centre, scale, size, turn, bool(rng.random() < 0.5))
        image = warp(sample.image, matrix, size, int(rng.integers(0, 140)))
        hulls, labels, ignore = [], [], []
        for hull, label in zip(sample.hulls, sample.labels, strict=True):
            moved = (hull @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
            visible, part = clip_hull(moved, size)
            if part is None:
                continue
            if visible < LEAST_VISIBLE or min(np.ptp(part, 0)) < LEAST_SIDE:
                ignore.append(np.concatenate([part.min(0), part.max(0)]))
            else:
                hulls.append(part)
                labels.append(int(label))
        return image, hulls, labels, ignore, scale

    def target(self, image: np.ndarray, hulls: list, labels: list, ignore: list, sample: Sample) -> dict:
        hbb = [np.concatenate([p.min(0), p.max(0)]) for p in hulls]
        obb = [min_rect(p) for p in hulls]
        return {
            "image": np.ascontiguousarray(image.transpose(2, 0, 1)),
            "labels": np.array(labels, np.int64),
            "hbb": np.array(hbb, np.float32).reshape(-1, 4),
            "obb": np.array(obb, np.float32).reshape(-1, 6),
            "has_obb": np.full(len(labels), sample.oriented),
            "ignore": np.array(ignore, np.float32).reshape(-1, 4),
            "class_mask": self.masks[sample.source + sample.name],
        }
