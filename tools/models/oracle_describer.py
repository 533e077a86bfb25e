"""The describer that reads human annotation: a region is what the annotated object that it fits best is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...core.geometry import box_iou_matrix
from ...core.protocols import Description
from .oracle import read_annotations

if TYPE_CHECKING:
    from ...core.regions import Region
    from ...core.scene import Scene

LEAST_OVERLAP = 0.5
"""Upright IoU with an annotated object from which on a region shows it."""


class OracleDescriber:
    """Answers from human annotation of the scene's image; scores are None.

    Args:
        path: COCO instances (.json), a DOTA labelTxt file, or a folder of labelTxt files.

    Raises:
        UsageError: a missing or damaged file.
    """

    def __init__(self, path: str | Path) -> None:
        self._annotations = read_annotations(path)
        self.name = f"oracle:{path}"
        self.version = self._annotations.digest

    def describe(self, scene: Scene, regions: Sequence[Region]) -> tuple[Description, ...]:
        """One description per region, in order. Raises UsageError for a scene without annotation."""
        names = self._annotations.labels
        items = self._annotations.objects(scene.name)
        if not items or not regions:
            return tuple(Description("nothing annotated", names=names) for _ in regions)
        boxes = np.stack([item.region.box_px for item in items])
        overlaps = box_iou_matrix(np.stack([region.box_px for region in regions]), boxes)
        said = []
        for row in overlaps:
            label = items[int(np.argmax(row))].region.label if row.max() >= LEAST_OVERLAP else None
            said.append(
                Description("nothing annotated" if label is None else label.replace("_", " "), label, names=names)
            )
        return tuple(said)
