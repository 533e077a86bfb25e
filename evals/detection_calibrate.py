"""Fits the detector's calibration and threshold on development images and writes them beside the weights.

    python -m surveyor.evals.detection_calibrate --data ../shared/data/nwpu_vhr10 --split train \
        --only finetune/configs/detector_dev.json

The development images take no part in training. A detection counts as right when it matches an object at upright IoU
0.5. The logistic map has one slope for all classes and a shift a class that is drawn to the common one, because rare
classes have about ten objects there (Platt 1999 with a Gaussian prior on the shifts). The threshold is the score with
the most F1, upright boxes, all classes pooled.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..tools.models.compact.detector import Detector
from .detection import Matched, match, predict, rates, read_truth

PRIOR = 0.5  # standard deviation of a class's shift round the common one, in logits


def fit(logit: np.ndarray, label: np.ndarray, right: np.ndarray, classes: int) -> tuple[float, np.ndarray]:
    """Slope and shifts (classes,) of the most likely logistic map, by Newton's method.

    Args:
        logit: (N,) of the raw scores; label: (N,) class indices; right: (N,) bool.
    """
    columns = np.zeros((len(logit), classes + 2))
    columns[:, 0], columns[:, 1] = logit, 1.0
    columns[np.arange(len(logit)), 2 + label] = 1.0
    penalty = np.concatenate([[1e-3, 1e-3], np.full(classes, 1 / PRIOR**2)])
    w = np.zeros(classes + 2)
    w[0] = 1.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-columns @ w))
        gradient = columns.T @ (right - p) - penalty * w
        hessian = (columns * (p * (1 - p))[:, None]).T @ columns + np.diag(penalty)
        move = np.linalg.solve(hessian, gradient)
        w = w + move
        if np.abs(move).max() < 1e-9:
            break
    return float(w[0]), w[1] + w[2:]


def best_threshold(matched: Sequence[Matched]) -> tuple[float, float]:
    """(threshold, F1) with the most pooled F1; half-way to the next lower score, so that it does not hug a sample."""
    scores = np.concatenate([m.scores for m in matched])
    hits = np.concatenate([m.hits for m in matched])
    order = np.argsort(-scores)
    right = np.cumsum(hits[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + sum(m.objects for m in matched))
    smooth = np.convolve(np.pad(f1, 3, mode="edge"), np.ones(7) / 7, mode="valid")  # a plateau, not a lucky spike
    k = int(smooth.argmax())
    lower = scores[order][min(k + 1, len(order) - 1)]
    return float((scores[order][k] + lower) / 2), float(f1[k])


def reliability(scores: np.ndarray, hits: np.ndarray, edges: Sequence[float] = (0.05, 0.2, 0.4, 0.6, 0.8, 1.0)) -> str:
    """A table: of the detections with such a score, how many are right."""
    lines = ["| score | detections | mean score | share right |", "|---|---|---|---|"]
    for low, high in pairwise(edges):
        inside = (scores >= low) & (scores < high if high < 1 else scores <= high)
        if inside.any():
            lines.append(
                f"| {low:.2f}-{high:.2f} | {inside.sum()} | {scores[inside].mean():.2f} | {hits[inside].mean():.2f} |"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m surveyor.evals.detection_calibrate")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="train")
    parser.add_argument("--only", type=Path, required=True, help="JSON list of the development images")
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args(arguments)
    detector = Detector(options.weights)
    names = set(json.loads(options.only.read_text()))
    truths = [t for t in read_truth(options.data / f"{options.split}.json") if t.image in names]
    classes = detector.all_classes
    detector.settings["calibration"] = {"slope": 1.0, "shift": dict.fromkeys(classes, 0.0)}
    predictions = predict(detector, truths, options.data / "images")
    known = sorted({n for t in truths for n in t.labels})
    matched = [match(truths, predictions, n, oriented=False) for n in known]
    labels = np.concatenate([np.full(len(m.scores), classes.index(n)) for n, m in zip(known, matched, strict=True)])
    raw = np.clip(np.concatenate([m.scores for m in matched]), 1e-6, 1 - 1e-6)
    hits = np.concatenate([m.hits for m in matched])
    slope, shift = fit(np.log(raw / (1 - raw)), labels, hits, len(classes))
    detector.settings["calibration"] = {"slope": round(slope, 5), "shift": dict(zip(classes, shift.round(5).tolist(), strict=True))}  # fmt: skip  # noqa: E501
    scores = detector.calibrate(raw, labels)
    parts = np.cumsum([len(m.scores) for m in matched])[:-1]
    calibrated = []
    for m, s in zip(matched, np.split(scores, parts), strict=True):
        calibrated.append(Matched(s, m.hits, m.ious, m.objects))  # one slope > 0: the order within a class stays
    threshold, f1 = best_threshold(calibrated)
    detector.settings["threshold"] = round(threshold, 4)
    path = detector.weights.with_suffix(".json")
    path.write_text(json.dumps(detector.settings, indent=1) + "\n")
    counts = np.sum([m.at(threshold) for m in calibrated], axis=0)
    precision, recall, _ = rates(*counts.tolist())
    print(
        f"{len(truths)} images; slope {slope:.3f}; "
        f"threshold {threshold:.3f}: P {precision:.3f} R {recall:.3f} F1 {f1:.3f}"
    )
    print(reliability(scores, hits))
    return 0


if __name__ == "__main__":
    sys.exit(main())
