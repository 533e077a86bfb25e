"""Scores the embedded detector on annotated images: precision, recall, F1 and AP at IoU 0.5, upright and oriented.

    python -m surveyor.evals.detection --data ../shared/data/nwpu_vhr10 --split val

The rule. Detections of one class are taken over all images in order of falling score; each is matched to the free
object of its class and image with the highest IoU, if that is at least 0.5; an object is matched once; a detection
without a match is wrong. Objects are never left out. Precision, recall and F1 are read at the threshold that was
fixed on the development images; "all" pools the counts of the classes. Upright IoU compares the detection's upright
box with the annotated box; oriented IoU compares its oriented box with the minimum-area rectangle of the annotated
outline. AP uses all detections above a score of 0.001: "AP50" is the area under the precision envelope (VOC 2010 and
later), "AP50 COCO" the mean precision at 101 recalls. mAP is the mean over the classes that have objects.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..core.errors import SurveyorError, UsageError
from ..core.geometry import box_iou_matrix
from ..core.rotated_iou import rotated_iou_matrix
from ..tools.models.compact.detector import Detection, Detector
from ..tools.models.oracle import read_annotations

IOU = 0.5
ORIENTED_BAR = ("airplane", "ship", "vehicle", "tennis_court", "basketball_court", "bridge", "harbor")
LEAST_SCORE = 0.001


@dataclass(frozen=True, eq=False)
class Truth:
    """The objects of one image: names (M,), upright boxes (M, 4), corners (M, 4, 2), full-image pixels."""

    image: str
    labels: tuple[str, ...]
    boxes: np.ndarray
    corners: np.ndarray


@dataclass(frozen=True, eq=False)
class Matched:
    """One class, all images: scores (N,) falling, hits (N,) bool, ious (N,) with the matched object, objects in all."""

    scores: np.ndarray
    hits: np.ndarray
    ious: np.ndarray
    objects: int

    def at(self, threshold: float) -> tuple[int, int, int]:
        """True positives, false positives, missed objects among detections with at least that score."""
        chosen = self.scores >= threshold
        right = int(self.hits[chosen].sum())
        return right, int(chosen.sum()) - right, self.objects - right


def read_truth(annotations: Path) -> list[Truth]:
    """The objects of every image of a COCO instances file."""
    found = read_annotations(annotations)
    truths = []
    for name, items in found.images.items():
        boxes = np.array([item.region.box_px for item in items]).reshape(-1, 4)
        corners = np.array([item.region.corners_px for item in items]).reshape(-1, 4, 2)
        truths.append(Truth(name, tuple(item.region.label for item in items), boxes, corners))
    return truths


def match(truths: Sequence[Truth], predictions: Sequence[Sequence[Detection]], label: str, oriented: bool) -> Matched:
    """Greedy one-to-one matching of one class by the rule above. `predictions[i]` belongs to `truths[i]`."""
    rows: list[tuple[float, int, int]] = []
    overlaps: list[np.ndarray] = []
    objects = 0
    for i, (truth, found) in enumerate(zip(truths, predictions, strict=True)):
        mine = [d for d in found if d.label == label]
        which = np.flatnonzero([name == label for name in truth.labels])
        objects += len(which)
        rows += [(d.score, i, k) for k, d in enumerate(mine)]
        if oriented:
            corners = np.array([d.corners_px for d in mine]).reshape(-1, 4, 2)
            overlaps.append(rotated_iou_matrix(corners, truth.corners[which]))
        else:
            overlaps.append(box_iou_matrix(np.array([d.box_px for d in mine]).reshape(-1, 4), truth.boxes[which]))
    rows.sort(key=lambda r: -r[0])
    free = [np.ones(o.shape[1], bool) for o in overlaps]
    hits, ious = np.zeros(len(rows), bool), np.zeros(len(rows))
    for n, (_, i, k) in enumerate(rows):
        candidates = np.where(free[i], overlaps[i][k], -1.0)
        if len(candidates) and candidates.max() >= IOU:
            best = int(candidates.argmax())
            free[i][best], hits[n], ious[n] = False, True, candidates[best]
    return Matched(np.array([r[0] for r in rows]), hits, ious, objects)


def average_precision(matched: Matched) -> tuple[float, float]:
    """(area under the precision envelope, mean precision at 101 recalls); nan without objects."""
    if not matched.objects:
        return float("nan"), float("nan")
    right = np.cumsum(matched.hits)
    recall = right / matched.objects
    envelope = right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(envelope[::-1])[::-1]
    area = float((np.diff(np.concatenate([[0.0], recall])) * envelope).sum())
    at = np.searchsorted(recall, np.linspace(0, 1, 101) - 1e-12)
    coco = float(np.concatenate([envelope, [0.0]])[np.minimum(at, len(envelope))].mean())
    return area, coco


def rates(right: int, wrong: int, missed: int) -> tuple[float, float, float]:
    """Precision, recall and F1 from counts; nan where undefined (no detection, no object)."""
    precision = right / (right + wrong) if right + wrong else float("nan")
    recall = right / (right + missed) if right + missed else float("nan")
    f1 = 2 * right / (2 * right + wrong + missed) if right + wrong + missed else float("nan")
    return precision, recall, f1


@dataclass(frozen=True)
class Report:
    """What the command prints: one row a class, and the pooled numbers by name."""

    rows: dict[str, dict[str, float]]
    pooled: dict[str, float]

    def table(self) -> str:
        """Markdown."""
        columns = ("n", "P", "R", "F1", "OBB P", "OBB R", "OBB F1", "AP50", "AP50 COCO", "OBB AP50")
        lines = ["| class | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
        for name, row in self.rows.items():
            cells = [f"{int(row['n'])}"] + [f"{row[c]:.3f}" for c in columns[1:]]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        lines += [""] + [f"{name}: {value:.4f}" for name, value in self.pooled.items()]
        return "\n".join(lines)


def evaluate(truths: Sequence[Truth], predictions: Sequence[Sequence[Detection]], threshold: float) -> Report:
    """The report for predictions that hold all detections above a very low score."""
    names = sorted({n for t in truths for n in t.labels})
    rows: dict[str, dict[str, float]] = {}
    sums = {"hbb": np.zeros(3, int), "obb": np.zeros(3, int), "bar": np.zeros(3, int)}
    for name in names:
        upright, oriented = (match(truths, predictions, name, o) for o in (False, True))
        counts, turned = upright.at(threshold), oriented.at(threshold)
        sums["hbb"] += counts
        sums["obb"] += turned
        sums["bar"] += np.array(turned) * (name in ORIENTED_BAR)
        row = dict(zip(("P", "R", "F1"), rates(*counts), strict=True), n=float(upright.objects))
        row |= dict(zip(("OBB P", "OBB R", "OBB F1"), rates(*turned), strict=True))
        row["AP50"], row["AP50 COCO"] = average_precision(upright)
        row["OBB AP50"], _ = average_precision(oriented)
        rows[name] = row
    pooled = {
        "HBB precision@0.5, all classes": rates(*sums["hbb"])[0],
        "HBB recall@0.5, all classes": rates(*sums["hbb"])[1],
        "HBB F1@0.5, all classes": rates(*sums["hbb"])[2],
        "OBB F1@0.5, all classes": rates(*sums["obb"])[2],
        "OBB F1@0.5, " + "+".join(n for n in ORIENTED_BAR if n in names): rates(*sums["bar"])[2],
        "mAP50 (VOC area)": float(np.mean([r["AP50"] for r in rows.values()])) if rows else float("nan"),
        "mAP50 (COCO 101)": float(np.mean([r["AP50 COCO"] for r in rows.values()])) if rows else float("nan"),
        "OBB mAP50 (VOC area)": float(np.mean([r["OBB AP50"] for r in rows.values()])) if rows else float("nan"),
    }
    return Report(rows, pooled)


def read_image(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 RGB. Raises UsageError when it cannot be read."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise UsageError(f"cannot read the image {str(path)!r}; expected the image folder beside the annotation file")
    return np.ascontiguousarray(pixels[..., ::-1])


def predict(detector: Detector, truths: Sequence[Truth], images: Path, scales: Sequence[float] | None = None) -> list[list[Detection]]:  # fmt: skip  # noqa: E501
    """All detections above a very low score, image by image, only of classes that the annotation knows."""
    known = [c for c in detector.classes if c in {n for t in truths for n in t.labels}]
    return [detector.detect(read_image(images / t.image), threshold=LEAST_SCORE, classes=known, scales=scales) for t in truths]  # fmt: skip  # noqa: E501


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m surveyor.evals.detection", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and SPLIT.json (COCO instances)")
    parser.add_argument("--split", default="val")
    parser.add_argument("--only", type=Path, help="JSON list of image names: score these alone")
    parser.add_argument("--weights", type=Path, help="another detector file")
    parser.add_argument("--threshold", type=float, help="calibrated score; default: fixed on the development images")
    parser.add_argument("--scales", type=float, nargs="+")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args(arguments)
    try:
        detector = Detector(options.weights)
        truths = read_truth(options.data / f"{options.split}.json")
        if options.only:
            names = set(json.loads(options.only.read_text()))
            truths = [t for t in truths if t.image in names]
        start = time.perf_counter()
        predictions = predict(detector, truths, options.data / "images", options.scales)
        seconds = (time.perf_counter() - start) / max(1, len(truths))
        threshold = detector.threshold if options.threshold is None else options.threshold
        report = evaluate(truths, predictions, threshold)
    except SurveyorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(
            json.dumps({"images": len(truths), "threshold": threshold, "classes": report.rows, "pooled": report.pooled})
        )
    else:
        print(f"{len(truths)} images of {options.split}, threshold {threshold:.3f}, {seconds:.2f} s an image\n")
        print(report.table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
