"""Outlined objects of several sources, and the training examples of the mask network made from them.

The split is by image: the development images are the detector's. Outlines are rings in px of the image.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...core.geometry import box_to_corners, canonical_corners, corners_to_box, min_area_rect
from ...core.outlines import outlines
from ...synth import KINDS, draw_scene
from ...tools.models.compact.mask_crops import (
    SIZE,
    apply,
    compose,
    crop_matrix,
    prompt_channels,
    sample,
    shrunk_size,
    window_of,
)
from ..detector.data import read_mask, read_nwpu, read_rgb, split_dev

XBD_HELD_OUT = "hurricane-harvey_00000006_pre_disaster"  # kept for reporting, as for the detector
FINER = 4  # targets are drawn that many times finer and averaged


@dataclass(frozen=True, eq=False)
class Outlined:
    """One object: its image (H, W, 3) uint8 RGB, the rings of its outline (parts; no holes), its class and source."""

    image: np.ndarray
    rings: tuple[np.ndarray, ...]
    label: str
    source: str


@dataclass(frozen=True, eq=False)
class Example:
    """What the network sees of an object, and the truth: shares of each pixel in 0..1."""

    crop: np.ndarray
    prompt: np.ndarray
    target: np.ndarray


@dataclass(frozen=True)
class PromptKind:
    """How the prompts of an evaluation are made; `noise` as a share of the sides."""

    oriented: bool
    points: int = 0
    noise: float = 0.0


def read_nwpu_outlines(root: Path) -> tuple[list[Outlined], list[Outlined]]:
    """(train, development) objects of the training split of NWPU VHR-10."""
    data = json.loads((root / "nwpu_vhr10" / "train.json").read_text())
    names = {c["id"]: c["name"] for c in data["categories"]}
    files = {i["id"]: i["file_name"] for i in data["images"]}
    by_file: dict[str, list[dict]] = {}
    for entry in data["annotations"]:
        by_file.setdefault(files[entry["image_id"]], []).append(entry)
    parts = []
    for samples in split_dev(read_nwpu(root, "train")):
        found = []
        for item in samples:
            for entry in by_file.get(item.name, []):
                rings = tuple(np.reshape(ring, (-1, 2)).astype(np.float64) for ring in entry["segmentation"])
                found.append(Outlined(item.image, rings, names[entry["category_id"]], "nwpu"))
        parts.append(found)
    return parts[0], parts[1]


def read_mask_outlines(root: Path, least_area: int = 60) -> list[Outlined]:
    """Buildings of the WHU training tiles and of the pre-disaster images of xBD: the parts of their masks."""
    pairs = [(p, p.parents[1] / "label" / p.name, "whu") for p in sorted((root / "whu_building/train/image").glob("*.tif"))]  # fmt: skip  # noqa: E501
    xbd = root / "change" / "xbd"
    pairs += [(p, xbd / "masks" / p.name, "xbd") for p in sorted((xbd / "images").glob("*_pre_disaster.png"))]
    found = []
    for path, mask_path, source in pairs:
        if path.stem == XBD_HELD_OUT:
            continue
        image = read_rgb(path)
        for shell, _ in outlines(read_mask(mask_path) > 0):
            if cv2.contourArea(shell.astype(np.float32)) >= least_area:
                found.append(Outlined(image, (shell,), "building", source))
    return found


def read_described(root: Path) -> list[Outlined]:
    """The objects of the one GeoPixelD sample."""
    found = []
    for path in sorted((root / "scenes_misc").glob("geopixeld_*.json")):
        image = read_rgb(path.with_suffix(".png"))
        for polygons in json.loads(path.read_text())["polygons"]:
            for ring in polygons:
                found.append(Outlined(image, (np.asarray(ring, np.float64),), "described", "geopixeld"))
    return [item for item in found if len(item.rings[0]) >= 3 and np.ptp(item.rings[0], axis=0).min() >= 3]


def read_drawn(count: int, seed: int) -> list[Outlined]:
    """Objects of `count` drawn scenes, the kinds in turn."""
    found = []
    for number in range(count):
        scene = draw_scene(KINDS[number % len(KINDS)], seed=200_000 + 1000 * seed + number)
        for thing in scene.objects:
            if thing.visible_fraction > 0.3 and np.ptp(thing.polygon_px, axis=0).min() >= 5:
                found.append(Outlined(scene.image_rgb, (thing.polygon_px,), thing.label, "synth"))
    return found


def neighbours(items: list[Outlined]) -> list[list[Outlined]]:
    """For each object those of the same image and class nearby and of like size: what a loose box may also hold."""
    by_image: dict[tuple[int, str], list[int]] = {}
    for index, item in enumerate(items):
        by_image.setdefault((id(item.image), item.label), []).append(index)
    near: list[list[Outlined]] = [[] for _ in items]
    for group in by_image.values():
        boxes = np.array([corners_to_box(np.concatenate(items[i].rings)) for i in group])
        centers, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        for row, index in enumerate(group):
            away = np.linalg.norm(centers - centers[row], axis=1)
            like = (away < 1.6 * sides[row]) & (sides < 1.7 * sides[row]) & (sides > 0.6 * sides[row])
            near[index] = [items[group[k]] for k in np.flatnonzero(like) if k != row]
    return near


def sampling_weights(items: list[Outlined], shares: dict[str, float]) -> np.ndarray:
    """Chance of each object: the sources' shares, and within a source classes by the root of their number."""
    weights = np.zeros(len(items))
    for source, share in shares.items():
        index = [i for i, item in enumerate(items) if item.source == source]
        labels = [items[i].label for i in index]
        part = np.array([labels.count(label) ** -0.5 for label in labels])
        weights[index] = share * part / max(part.sum(), 1e-9)
    return np.asarray(weights / weights.sum())


def training_example(item: Outlined, rng: np.random.Generator, near: Sequence[Outlined] = ()) -> Example:
    """An example with a random turn, mirror, box noise, points and look.

    One in four has a box far too large, and where there is an object like it nearby the box holds both: the points
    say what is meant.
    """
    world = _random_world(item, rng)
    rings = [apply(world, ring) for ring in item.rings]
    points = np.concatenate(rings)
    box, corners = corners_to_box(points), min_area_rect(points)
    style = rng.random()
    oriented = style < 0.45
    loose = style > 0.75
    other = near[int(rng.integers(len(near)))] if loose and near and rng.random() < 0.8 else None
    if other is not None:
        box = _noisy_box(corners_to_box(np.concatenate([points, *(apply(world, ring) for ring in other.rings)])), rng)
    elif loose:
        box = _loosened(box, rng)
    elif rng.random() < 0.75:
        corners, box = _noisy_corners(corners, rng), _noisy_box(box, rng)
    matrix = crop_matrix(corners if oriented else box_to_corners(box))
    total = compose(matrix, world)
    target = draw(item.rings, total)
    inside = int(rng.integers(1, 4)) if loose or rng.random() < 0.4 else 0
    outside = int(rng.integers(1, 3)) if rng.random() < (0.65 if loose else 0.15) else 0
    wrong = None if other is None else draw(other.rings, total)
    xy, labels = _points(target, matrix, box, inside, outside, rng, wrong)
    prompt = prompt_channels(matrix, box, corners if oriented else None, xy, labels)
    crop = _relit(_crop(item.image, total), rng)
    return Example(crop, prompt, target)


def plain_example(item: Outlined, kind: PromptKind, rng: np.random.Generator) -> Example:
    """An example for evaluation: no augmentation but the box noise of `kind`."""
    points = np.concatenate(item.rings)
    box, corners = corners_to_box(points), min_area_rect(points)
    if kind.noise:
        box, corners = _noisy_box(box, rng, kind.noise), _noisy_corners(corners, rng, kind.noise)
    matrix = crop_matrix(corners if kind.oriented else box_to_corners(box))
    target = draw(item.rings, matrix)
    xy, labels = _points(target, matrix, box, kind.points, 0, rng)
    prompt = prompt_channels(matrix, box, corners if kind.oriented else None, xy, labels)
    return Example(_crop(item.image, matrix), prompt, target)


def draw(rings: tuple[np.ndarray, ...], matrix: np.ndarray) -> np.ndarray:
    """The object in the crop, (SIZE, SIZE) float32: the share of each pixel that it covers."""
    canvas = np.zeros((SIZE * FINER, SIZE * FINER), np.uint8)
    for ring in rings:
        cv2.fillPoly(canvas, [np.round(apply(matrix, ring) * FINER - 0.5).astype(np.int32)], 255)
    return cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def _crop(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    window = window_of(matrix, image.shape[:2])
    x0, y0, x1, y1 = window
    part = image[y0:y1, x0:x1]
    size = shrunk_size(window, matrix)
    if part.size and size != (x1 - x0, y1 - y0):
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return sample(part, window, matrix)


def _random_world(item: Outlined, rng: np.random.Generator) -> np.ndarray:
    """A turn and mirror of the whole image about the object; the scale changes a little and not evenly."""
    angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.7 else rng.integers(4) * np.pi / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    stretch = np.diag(np.exp(rng.normal(0, 0.08, 2)) * [rng.choice([-1.0, 1.0]), 1.0])
    linear = turn @ stretch
    center = np.concatenate(item.rings).mean(axis=0)
    return np.concatenate([linear, (center - linear @ center)[:, None]], axis=1)


def _noisy_box(box: np.ndarray, rng: np.random.Generator, noise: float = 0.06) -> np.ndarray:
    side = np.tile(box[2:] - box[:2], 2)
    moved = box + np.clip(rng.normal(0, noise, 4), -0.2, 0.2) * side + rng.normal(0, 0.4, 4)
    return np.concatenate([np.minimum(moved[:2], moved[2:] - 1), moved[2:]])


def _noisy_corners(corners: np.ndarray, rng: np.random.Generator, noise: float = 0.06) -> np.ndarray:
    center = corners.mean(axis=0)
    first, second = corners[1] - corners[0], corners[3] - corners[0]
    low, high = np.clip(rng.normal(0, noise, (2, 2)), -0.2, 0.2)
    angle = np.radians(rng.normal(0, 60 * noise))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    units = np.array([[low[0], low[1]], [1 + high[0], low[1]], [1 + high[0], 1 + high[1]], [low[0], 1 + high[1]]])
    moved = corners[0] + units[:, :1] * first + units[:, 1:] * second
    return canonical_corners((moved - center) @ turn.T + center)


def _loosened(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = box[2:] - box[:2]
    return np.concatenate([box[:2] - rng.uniform(0, 0.6, 2) * side, box[2:] + rng.uniform(0, 0.6, 2) * side])


def _points(
    target: np.ndarray,
    matrix: np.ndarray,
    box: np.ndarray,
    inside: int,
    outside: int,
    rng: np.random.Generator,
    wrong: np.ndarray | None = None,
) -> tuple[np.ndarray, list[int]]:
    """Random points (K, 2) in the frame before the crop: inside the object, and in the `wrong` one or beside it."""
    beside = (target < 0.05) & (prompt_channels(matrix, box)[0] > 0 if wrong is None else wrong > 0.95)
    chosen, labels = [], []
    for label, number, allowed in ((1, inside, target > 0.95), (0, outside, beside)):
        y, x = np.nonzero(allowed)
        if len(x) and number:
            pick = rng.integers(len(x), size=number)
            chosen += list(np.stack([x[pick], y[pick]], axis=1) + 0.5)
            labels += [label] * number
    if not chosen:
        return np.zeros((0, 2)), []
    return apply(cv2.invertAffineTransform(matrix), np.array(chosen)), labels


def _relit(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another brightness, contrast, white balance, sharpness and grain."""
    look: np.ndarray = crop.astype(np.float32)
    if rng.random() < 0.8:
        grey = look.mean(axis=(0, 1), keepdims=True)
        look = (look - grey) * rng.uniform(0.7, 1.35) + grey * rng.uniform(0.75, 1.25)
        look *= rng.uniform(0.92, 1.08, 3).astype(np.float32)
    if rng.random() < 0.15:
        look = np.repeat(look.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < 0.2:
        look = cv2.GaussianBlur(look, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.2:
        look = look + rng.normal(0, rng.uniform(1, 8), look.shape).astype(np.float32)
    return np.clip(look, 0, 255).astype(np.uint8)
