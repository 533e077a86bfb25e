"""Regions that a person points at, instead of a model: boxes given as coordinates (visual prompts)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ..core.boxes import Box, box_phrase
from ..core.errors import UsageError
from ..core.geometry import box_to_corners
from ..core.regions import Candidate, CandidateSet, Region

if TYPE_CHECKING:
    from ..core.scene import Scene


def given(scene: Scene, boxes: Mapping[str, Box]) -> CandidateSet:
    """The boxes as candidates, clipped to the scene.

    Args:
        scene: in whose pixels they are.
        boxes: id -> x0, y0, x1, y1 in full-scene px with x0 < x1 and y0 < y1; at least one.

    Raises:
        UsageError: no boxes, one without area, or one outside the scene.

    Example:
        >>> import numpy as np
        >>> from surveyor.core.scene import Scene
        >>> found = given(Scene.from_array(np.zeros((80, 100, 3), np.uint8)), {"box-1": (10, 20, 300, 40)})
        >>> [(region.id, region.box_px.tolist()) for region in found.regions]
        [('box-1', [10.0, 20.0, 100.0, 40.0])]
    """
    if not boxes:
        raise UsageError("no box was given; write one as [x0, y0, x1, y1] in pixels, e.g. [100, 200, 300, 400]")
    width, height = scene.size_wh
    regions = []
    for name, box in boxes.items():
        x0, y0, x1, y1 = box
        if not (x0 < x1 and y0 < y1):
            raise UsageError(f"the {box_phrase(box)} has no area; write x0, y0, x1, y1 with x0 < x1 and y0 < y1")
        clipped = np.array([max(0.0, x0), max(0.0, y0), min(width, x1), min(height, y1)], dtype=float)
        if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
            raise UsageError(f"the {box_phrase(box)} lies outside the image, which is {width} x {height} px")
        regions.append(Region(name, "box", box_to_corners(clipped), clipped, source="given"))
    return CandidateSet(tuple(Candidate(region) for region in regions))
