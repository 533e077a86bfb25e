"""Scores masks made from true boxes on annotated images, beside what needs no model.

    python -m surveyor.evals.masks --data ../shared/data/nwpu_vhr10 --split val

The rule. Every annotated object counts once. Its true mask is the pixels whose centre lies in its outline; the prompt
is its annotated upright box, alone or with the minimum-area rectangle of the outline, or three points inside it. The
IoU of the two masks in the full image is averaged over objects ("mean") and over classes ("class mean"). The interval
is the middle 95 % of 1,000 draws of images with replacement (seed 0). Baselines: the boxes filled in, and GrabCut
(Rother et al. 2004, OpenCV, 5 iterations) started from the upright box with a quarter of its side as surroundings;
windows above 300 px are shrunk for GrabCut.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..core.errors import SurveyorError, UsageError
from ..core.geometry import box_to_corners, farthest_points_in_polygon
from ..core.masks import Mask
from ..core.protocols import MaskPrompt
from ..core.scene import Scene
from ..tools.models.compact.segmenter import CompactSegmenter
from ..tools.models.oracle import Annotated, read_annotations

POINTS = 3
GRABCUT_PX = 300
Method = Callable[[Scene, Sequence[Annotated]], list[Mask]]


@dataclass(frozen=True, eq=False)
class Scores:
    """IoU (M,) of every object, with its label and image."""

    ious: np.ndarray
    labels: np.ndarray
    images: np.ndarray

    @property
    def class_means(self) -> dict[str, float]:
        """Label -> mean IoU."""
        return {str(label): float(self.ious[self.labels == label].mean()) for label in np.unique(self.labels)}

    def interval(self) -> tuple[float, float]:
        """95 % of the mean, by images."""
        rng = np.random.default_rng(0)
        names, index = np.unique(self.images, return_inverse=True)
        total, count = np.bincount(index, self.ious), np.bincount(index)
        draws = rng.integers(len(names), size=(1000, len(names)))
        means = total[draws].sum(axis=1) / count[draws].sum(axis=1)
        low, high = np.percentile(means, [2.5, 97.5])
        return float(low), float(high)


def filled_boxes(scene: Scene, items: Sequence[Annotated]) -> list[Mask]:
    """The upright boxes as masks."""
    return [Mask.from_polygon(box_to_corners(item.region.box_px), scene.shape_hw) for item in items]


def filled_oriented_boxes(scene: Scene, items: Sequence[Annotated]) -> list[Mask]:
    """The oriented boxes as masks."""
    return [Mask.from_polygon(item.region.corners_px, scene.shape_hw) for item in items]


def grabcut(scene: Scene, items: Sequence[Annotated]) -> list[Mask]:
    """GrabCut from the upright boxes; the filled box where it finds nothing."""
    return [_grabcut(scene, item.region.box_px) for item in items]


def _grabcut(scene: Scene, box: np.ndarray) -> Mask:
    side = np.tile(box[2:] - box[:2], 2) * (-0.25, -0.25, 0.25, 0.25)
    x0, y0 = np.maximum(np.floor((box + side)[:2]), 0).astype(int)
    x1, y1 = np.minimum(np.ceil((box + side)[2:]), scene.size_wh).astype(int)
    scale = min(1.0, GRABCUT_PX / max(x1 - x0, y1 - y0))
    size = (max(4, round((x1 - x0) * scale)), max(4, round((y1 - y0) * scale)))
    pixels = scene.read((x0, y0, x1, y1), size)
    inner = np.round((box - (x0, y0, x0, y0)) * scale).astype(int)
    left, top = np.clip(inner[:2], 1, np.array(size) - 3)
    right, bottom = np.clip(inner[2:], (left + 1, top + 1), np.array(size) - 1)
    labels = np.zeros(size[::-1], np.uint8)
    model, other = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    rect = (int(left), int(top), int(right - left), int(bottom - top))
    cv2.grabCut(pixels[..., ::-1].copy(), labels, rect, model, other, 5, cv2.GC_INIT_WITH_RECT)
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    if not found.any():
        return Mask.from_polygon(box_to_corners(box), scene.shape_hw)
    whole = cv2.resize(found, (int(x1 - x0), int(y1 - y0)), interpolation=cv2.INTER_NEAREST)
    return Mask.from_array(whole, (int(x0), int(y0)), scene.shape_hw)


def prompted(segmenter: CompactSegmenter, *, oriented: bool, points: bool) -> Method:
    """The mask model with that kind of prompt."""

    def method(scene: Scene, items: Sequence[Annotated]) -> list[Mask]:
        prompts = [_prompt(item, oriented, points) for item in items]
        return [result.mask for result in segmenter.segment(scene, prompts)]

    return method


def _prompt(item: Annotated, oriented: bool, points: bool) -> MaskPrompt:
    region = item.region
    xy = farthest_points_in_polygon(region.outline_px, POINTS) if points else np.zeros((0, 2))
    return MaskPrompt(region.box_px, region.corners_px if oriented else None, xy, (1,) * len(xy))


def methods() -> dict[str, Method]:
    """Name in the table -> method."""
    model = CompactSegmenter()
    return {
        "upright box filled": filled_boxes,
        "oriented box filled": filled_oriented_boxes,
        "GrabCut from the upright box": grabcut,
        "compact: upright box": prompted(model, oriented=False, points=False),
        "compact: upright box + 3 points": prompted(model, oriented=False, points=True),
        "compact: both boxes": prompted(model, oriented=True, points=False),
        "compact: both boxes + 3 points": prompted(model, oriented=True, points=True),
    }


def score(data: Path, split: str, chosen: dict[str, Method], limit: int | None = None) -> dict[str, Scores]:
    """The scores of each method on the images of `data`/`split`.json.

    Raises:
        UsageError: the annotations or an image cannot be read, or no object is annotated.
    """
    annotations = read_annotations(data / f"{split}.json")
    rows: dict[str, list[float]] = {name: [] for name in chosen}
    labels: list[str] = []
    images: list[str] = []
    for image in sorted(annotations.images)[:limit]:
        items = annotations.images[image]
        if not items:
            continue
        scene = Scene.open(data / "images" / image)
        truths = [_truth(item, scene.shape_hw) for item in items]
        labels += [item.region.label for item in items]
        images += [image] * len(items)
        for name, method in chosen.items():
            rows[name] += [mask.iou(truth) for mask, truth in zip(method(scene, items), truths, strict=True)]
    if not labels:
        raise UsageError(f"{str(data / f'{split}.json')!r} has no object to score")
    return {name: Scores(np.array(ious), np.array(labels), np.array(images)) for name, ious in rows.items()}


def _truth(item: Annotated, shape_hw: tuple[int, int]) -> Mask:
    mask = Mask.from_polygon(item.rings[0], shape_hw)
    for ring in item.rings[1:]:
        mask = mask.union(Mask.from_polygon(ring, shape_hw))
    return mask


def table(scores: dict[str, Scores]) -> str:
    """The scores as a Markdown table, classes in columns."""
    first = next(iter(scores.values()))
    labels = sorted(first.class_means)
    counts = {label: int((first.labels == label).sum()) for label in labels}
    head = ["prompt or method", "mean IoU", "95 %", "class mean", *(f"{label} ({counts[label]})" for label in labels)]
    lines = ["| " + " | ".join(head) + " |", "|" + "-|" * len(head)]
    for name, result in scores.items():
        low, high = result.interval()
        means = result.class_means
        cells = [name, f"{result.ious.mean():.3f}", f"{low:.3f}-{high:.3f}", f"{np.mean(list(means.values())):.3f}"]
        lines.append("| " + " | ".join([*cells, *(f"{means[label]:.3f}" for label in labels)]) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table; 2 on bad input."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and SPLIT.json (COCO instances)")
    parser.add_argument("--split", default="val", help="name of the annotation file without .json")
    parser.add_argument("--limit", type=int, help="only the first images")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args(argv)
    started = time.perf_counter()
    try:
        scores = score(options.data, options.split, methods(), options.limit)
    except SurveyorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    first = next(iter(scores.values()))
    print(
        f"{options.data.name}/{options.split}.json: {len(first.ious)} objects in {len(np.unique(first.images))} images"
    )
    print(table(scores))
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)
    if options.json:
        numbers = {
            name: {"mean": float(s.ious.mean()), "interval": s.interval(), "classes": s.class_means, "n": len(s.ious)}
            for name, s in scores.items()
        }
        options.json.write_text(json.dumps(numbers, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
