"""The embedded describer: looks again at each region with the embedded detector, in another way than the grounder did.

The grounder sees the whole scene at fixed scales, upright. Here each region is cut out with its surroundings, scaled so
that it has about the same size in every crop, and shown turned by a quarter and mirrored. The network is the same, so a
fault that it learnt shows in both looks; how much the second look tells is measured by `evals/verify.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....core.geometry import box_iou_matrix
from ....core.progress import report
from ....core.protocols import Description
from .detector import Detector

if TYPE_CHECKING:
    from ....core.regions import Region
    from ....core.scene import Scene

SAME = 0.3
"""Upright IoU with the region from which on something seen in the crop is what the region shows."""


@dataclass(frozen=True)
class View:
    """One way to show a crop.

    Args:
        long_px: the region's long side in network pixels.
        context: side of the crop in long sides of the region.
        quarters: quarter turns counter-clockwise.
        mirrored: left and right swapped, after turning.
    """

    long_px: float
    context: float = 3.0
    quarters: int = 0
    mirrored: bool = False


VIEWS = (View(64, quarters=1), View(96, quarters=2, mirrored=True))
LEAST_CROP_PX = 160  # network pixels: smaller crops hold too little of what is around
MOST_SCALE = 3.0  # network pixels per scene pixel: enlarging further shows nothing new
SURE = 0.2
"""Score from which on a class is named."""


class CompactDescriber:
    """Says which of the embedded detector's classes each region shows, and how sure it is.

    Args:
        detector: default the built-in one; its weights load on first use.
        views: how each crop is shown; the scores of a class are averaged over them.
        sure: least averaged score for a class to be named.
    """

    name = "compact"

    def __init__(self, detector: Detector | None = None, views: Sequence[View] = VIEWS, sure: float = SURE) -> None:
        self._detector = detector or Detector()
        self._views = tuple(views)
        self._sure = sure
        offered = self._detector.classes
        self._wanted = np.array([name in offered for name in self._detector.all_classes])

    @property
    def version(self) -> str:
        """A digest of the weights and of how this describer looks."""
        return f"{self._detector.digest} {self._views} {self._sure}"

    def describe(self, scene: Scene, regions: Sequence[Region]) -> tuple[Description, ...]:
        """One description per region, in order. Reports progress as "looking again"."""
        said = []
        for done, region in enumerate(regions):
            report("looking again", done, len(regions))
            said.append(self.described(self.scores(scene, region)))
        report("looking again", len(regions), len(regions))
        return tuple(said)

    def scores(self, scene: Scene, region: Region) -> np.ndarray:
        """(C,) calibrated score of each offered class for what lies at the region, averaged over the views."""
        return np.mean([self._seen(scene, region, view) for view in self._views], axis=0)

    def described(self, scores: np.ndarray) -> Description:
        """What `scores` are told as: the best class, where it is sure enough."""
        classes = self._detector.classes
        best = int(np.argmax(scores))
        if scores[best] < self._sure:
            return Description("nothing it knows", names=classes)
        return Description(classes[best].replace("_", " "), classes[best], float(scores[best]), classes)

    def _seen(self, scene: Scene, region: Region, view: View) -> np.ndarray:
        """(C,) the best score of each class among what the detector finds where the region is."""
        window, size_wh = crop_of(region.box_px, scene.size_wh, view)
        shown = np.ascontiguousarray(turned(scene.read(window, size_wh), view))
        found = self._detector.look(shown, self._wanted)
        scale = np.array(size_wh) / (window[2] - window[0], window[3] - window[1])
        box = turned_box((region.box_px - np.tile(window[:2], 2)) * np.tile(scale, 2), size_wh, view)
        scores = np.zeros(len(self._detector.classes))
        there = box_iou_matrix(box[None], found.boxes)[0] >= SAME
        calibrated = self._detector.calibrate(found.scores, found.labels)
        for place, name in enumerate(self._detector.classes):
            of_class = there & (found.labels == self._detector.all_classes.index(name))
            scores[place] = calibrated[of_class].max(initial=0.0)
        return scores


def crop_of(
    box_px: np.ndarray, scene_wh: tuple[int, int], view: View
) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """The window round a box in scene px, inside the scene, and the size in network px at which it is read."""
    width, height = box_px[2] - box_px[0], box_px[3] - box_px[1]
    long_side = max(float(width), float(height), 1.0)
    scale = min(view.long_px / long_side, MOST_SCALE)
    half = max(view.context * long_side, LEAST_CROP_PX / scale) / 2
    x, y = (box_px[:2] + box_px[2:]) / 2
    x0, y0 = max(0, int(np.floor(x - half))), max(0, int(np.floor(y - half)))
    x1, y1 = min(scene_wh[0], int(np.ceil(x + half))), min(scene_wh[1], int(np.ceil(y + half)))
    return (x0, y0, x1, y1), (max(2, round((x1 - x0) * scale)), max(2, round((y1 - y0) * scale)))


def turned(pixels: np.ndarray, view: View) -> np.ndarray:
    """(H, W, 3) pixels as the view shows them."""
    shown = np.rot90(pixels, view.quarters)
    return shown[:, ::-1] if view.mirrored else shown


def turned_box(box: np.ndarray, size_wh: tuple[int, int], view: View) -> np.ndarray:
    """(4,) where an upright box of an image of that size lies after `turned`.

    Example:
        >>> turned_box(np.array([0.0, 0.0, 10.0, 20.0]), (100, 50), View(64, quarters=1)).tolist()
        [0.0, 90.0, 20.0, 100.0]
    """
    x0, y0, x1, y1 = box
    width, height = size_wh
    for _ in range(view.quarters % 4):
        x0, y0, x1, y1 = y0, width - x1, y1, width - x0
        width, height = height, width
    if view.mirrored:
        x0, x1 = width - x1, width - x0
    return np.array([x0, y0, x1, y1])
