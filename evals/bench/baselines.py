"""Answers that a run must beat: all objects of the class, the one nearest to the centre, the largest, all change.

Each knows the class that is asked for (the request's own phrases), and none of its conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ...core.conditions import Output, Request, Selection
from ...core.errors import UsageError
from ...core.geometry import polygon_area
from ...core.masks import Mask
from ...core.regions import Region
from ...core.scene import Scene
from ...tools.models.spec import Models
from .items import Item

Baseline = Literal["whole-class", "no-condition", "centre", "largest", "region-blind"]
"""`no-condition` is `whole-class` under the name of what it leaves out; `region-blind` is for RCD."""


def class_request(item: Item) -> Request:
    """What an item asks for without its conditions: "detect all planes"."""
    asked = item.request.outputs[0]
    return Request(outputs=(Output(verb=asked.verb, target=Selection(phrases=asked.target.phrases)),))


def chosen(found: Sequence[Region], baseline: str, size_wh: tuple[int, int]) -> tuple[Region, ...]:
    """The regions that a baseline answers with; of equals the first.

    Args:
        found: all regions of the class.
        baseline: its name; () of any but `centre` and `largest` drops nothing.
        size_wh: of the scene, px.
    """
    if baseline not in ("centre", "largest") or not found:
        return tuple(found)
    if baseline == "largest":
        return (max(found, key=lambda region: polygon_area(region.corners_px)),)
    middle = np.array(size_wh, dtype=np.float64) / 2
    return (min(found, key=lambda region: float(np.hypot(*(region.center_px - middle)))),)


def all_change(item: Item, models: Models, before: Scene, after: Scene) -> Mask:
    """The pixels of everything that changed, wherever the item asks for it.

    Raises:
        UsageError: there is no change detector, or the two scenes differ in size.
    """
    if models.change is None:
        raise UsageError("the baseline 'region-blind' needs a change detector; give one: --models change=BACKEND:...")
    if before.size_wh != after.size_wh:
        raise UsageError(f"the images of {item.id!r} differ in size: {before.size_wh!r} and {after.size_wh!r}")
    total = Mask.from_array(np.zeros((0, 0)), shape_hw=before.shape_hw)
    for phrase in item.request.outputs[0].target.phrases:
        for region in models.change.changes(before, after, phrase):
            found = region.mask or Mask.from_polygon(region.outline_px, before.shape_hw)
            total = total.union(found)
    return total
