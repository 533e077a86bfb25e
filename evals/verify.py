"""Does a second look tell right detections from wrong ones? Scores the embedded describer on annotated images.

    python -m surveyor.evals.verify --data ../shared/data/nwpu_vhr10 --only finetune/configs/detector_dev.json

The embedded grounder's detections above a threshold are right or wrong by the rule of `evals.detection` (same class,
upright IoU at least 0.5, each object once). Each is verified as `surveyor ask --verify` does it. Told are: of the wrong
and of the right detections the share with the verdict "no" (with Wilson's 95 % interval), and the area under the ROC
curve (the chance that a right detection ranks above a wrong one) of the grounder's score, of the describer's score for
the class that was found, and of the confidence after the second look. With `--threshold 0.05` there are more wrong
detections to judge by, most of which no answer would show.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.conditions import Verdict
from ..core.errors import SurveyorError, UsageError
from ..core.regions import Candidate, Region
from ..core.scene import Scene
from ..tools.models.compact.describer import CompactDescriber
from ..tools.models.compact.detector import Detection, Detector
from ..tools.verify import verified
from .detection import Truth, match, read_image, read_truth


@dataclass(frozen=True)
class Judged:
    """One detection: whether it is right, and what was said of it."""

    label: str
    right: bool
    score: float
    second: float
    confidence: float
    verdict: Verdict


def hits_of(truths: Sequence[Truth], found: Sequence[Sequence[Detection]]) -> list[list[bool]]:
    """For each detection whether it is right, by `evals.detection.match`; image by image."""
    hits = [[False] * len(each) for each in found]
    for label in {d.label for each in found for d in each}:
        places = [(i, k) for i, each in enumerate(found) for k, d in enumerate(each) if d.label == label]
        places.sort(key=lambda place: -found[place[0]][place[1]].score)  # the order of `match`, which is stable too
        for (i, k), hit in zip(places, match(truths, found, label, oriented=False).hits, strict=True):
            hits[i][k] = bool(hit)
    return hits


def auc(values: Sequence[float], right: Sequence[bool]) -> float:
    """Area under the ROC curve: the share of pairs of a right and a wrong one in which the right one has the larger
    value, ties by half; nan without pairs.

    Example:
        >>> auc([0.9, 0.4, 0.4, 0.1], [True, True, False, False])
        0.875
    """
    scores, truth = np.asarray(values, dtype=float), np.asarray(right, dtype=bool)
    if truth.all() or not truth.any():
        return float("nan")
    above = scores[truth][:, None] - scores[~truth][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def interval(part: int, whole: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) of nothing.

    Example:
        >>> [round(limit, 3) for limit in interval(7, 16)]
        [0.231, 0.668]
    """
    if not whole:
        return 0.0, 1.0
    z, share = 1.959964, part / whole
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z * np.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    return float(middle - half), float(middle + half)


def judge(
    truths: Sequence[Truth], images: Path, detector: Detector, threshold: float, describer: CompactDescriber
) -> Iterator[Judged]:
    """Each detection of the annotated classes above the threshold, with its second look."""
    known = [c for c in detector.classes if c in {n for t in truths for n in t.labels}]
    pixels = [read_image(images / truth.image) for truth in truths]
    found = [detector.detect(rgb, threshold=threshold, classes=known) for rgb in pixels]
    for rgb, detections, hits in zip(pixels, found, hits_of(truths, found), strict=True):
        scene = Scene.from_array(rgb)
        for number, (d, right) in enumerate(zip(detections, hits, strict=True)):
            region = Region(f"{d.label}-{number}", d.label, d.corners_px, d.box_px, d.score)
            scores = describer.scores(scene, region)
            said = verified(Candidate(region), describer.described(scores), (d.label,)).verified
            assert said is not None and said.confidence is not None
            second = float(scores[detector.classes.index(d.label)])
            yield Judged(d.label, right, d.score, second, said.confidence, said.verdict)


def report(judged: Sequence[Judged]) -> dict[str, Any]:
    """The numbers of the command: counts, shares flagged with their intervals, areas under the curve."""
    right = [each.right for each in judged]
    told: dict[str, Any] = {"right": sum(right), "wrong": len(right) - sum(right)}
    for name in ("right", "wrong"):
        flagged = sum(each.verdict is False for each in judged if each.right == (name == "right"))
        low, high = interval(flagged, told[name])
        share = flagged / told[name] if told[name] else float("nan")
        told[f"{name} flagged"] = {"n": flagged, "share": share, "low": low, "high": high}
    for name in ("score", "second", "confidence"):
        told[f"auc {name}"] = auc([getattr(each, name) for each in judged], right)
    return told


def table(told: dict[str, Any]) -> str:
    """The report as Markdown."""
    lines = ["| detections | n | flagged | share | 95 % interval |", "|---|---|---|---|---|"]
    for name in ("right", "wrong"):
        each = told[f"{name} flagged"]
        lines.append(
            f"| {name} | {told[name]} | {each['n']} | {each['share']:.3f} | {each['low']:.3f} to {each['high']:.3f} |"
        )
    lines += ["", f"AUC of the grounder's score: {told['auc score']:.3f}"]
    lines += [f"AUC of the describer's score for the class found: {told['auc second']:.3f}"]
    return "\n".join([*lines, f"AUC of the confidence after the second look: {told['auc confidence']:.3f}"])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m surveyor.evals.verify", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with images/ and SPLIT.json (COCO instances)")
    parser.add_argument("--split", default="train")
    parser.add_argument("--only", type=Path, help="JSON list of image names: these alone")
    parser.add_argument("--weights", type=Path, help="another detector file, for both looks")
    parser.add_argument("--threshold", type=float, help="calibrated score; default: that of `ask`")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args(arguments)
    try:
        detector = Detector(options.weights)
        truths = read_truth(options.data / f"{options.split}.json")
        if options.only:
            names = set(json.loads(options.only.read_text()))
            truths = [truth for truth in truths if truth.image in names]
        if not truths:
            raise UsageError(f"no image of {options.split!r} is named in {str(options.only)!r}")
        threshold = detector.threshold if options.threshold is None else options.threshold
        start = time.perf_counter()
        judged = list(judge(truths, options.data / "images", detector, threshold, CompactDescriber(detector)))
        seconds = time.perf_counter() - start
    except SurveyorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    told = report(judged)
    if options.json:
        print(json.dumps({"images": len(truths), "threshold": threshold, "weights": detector.digest, **told}))
    else:
        print(f"{len(truths)} images of {options.split}, threshold {threshold:.3f}, {seconds:.0f} s in all\n")
        print(table(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
