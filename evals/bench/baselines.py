"""Answers that a run must beat: all objects of the class, the one nearest to the centre, the largest, none at all.

Each knows the class that is asked for (the request's own phrases), and none of its conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from ...core.conditions import Output, Request, Selection
from ...core.geometry import polygon_area
from ...core.regions import Region
from .items import Item

Baseline = Literal["whole-class", "no-condition", "centre", "largest", "region-blind", "no-change"]
"""`no-condition` is `whole-class` under the name of what it leaves out. For RCD alone: `region-blind` is the same again
(all change of the type, wherever it is asked for), `no-change` an explicit none each time."""
RCD_ONLY = ("region-blind", "no-change")


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
