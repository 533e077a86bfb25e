"""What the boxes of a class rule out before an executor is asked, for which its objects would have to be drawn."""

from __future__ import annotations

import numpy as np

from ...core.conditions import Pick, Position, Relation, Selection
from ...tools.findings import TRUE, UNKNOWN, Case
from ...tools.judge_position import judge_position
from ...tools.layout import Layout
from .views import View

_SLACK_PX = 2.0  # a drawn outline keeps to the pixels, and these may reach out of the annotated box


def cannot_be_told(view: View, label: str, way: Selection, other: str | None = None) -> bool:
    """Whether no object of a class is the only one that a rank, a place or a relation fits, whatever its outline is.

    Args:
        view: what is seen.
        label: of the class, which has two objects or more.
        way: one rank, place or relation.
        other: id of the thing that it is told by.
    """
    layout = view.boxes_of(label)
    if way.picks:
        return way.picks[0].by in ("x", "y") and not _leads(view, layout, way.picks[0])
    if isinstance(way.where, Position):
        status = np.full(len(layout), TRUE, dtype=np.int8)
        codes = judge_position(Case(view.frame, layout, status, {}, view.everything.bands), way.where).codes
        return int((codes == TRUE).sum()) != 1 or UNKNOWN in codes
    if other is not None and isinstance(way.where, Relation) and way.where.relation in ("inside", "adjacent"):
        return not _comes_near(view, layout, other)
    return False


def _leads(view: View, layout: Layout, pick: Pick) -> bool:
    """Whether the first one along an axis is clearly ahead of the second."""
    axis = 0 if pick.by == "x" else 1
    values = np.sort(layout.centers[:, axis])
    gap = values[-1] - values[-2] if pick.order == "max" else values[1] - values[0]
    return bool(gap >= view.everything.bands.pick_side * view.image.size_wh[axis])


def _comes_near(view: View, layout: Layout, other: str) -> bool:
    """Whether some box comes so near to that of another thing that it may be next to it, or inside it."""
    bands, boxes, theirs = view.everything.bands, layout.boxes, np.array(view.by_id[other].box)
    apart = np.maximum(np.maximum(boxes[:, :2] - theirs[2:], theirs[:2] - boxes[:, 2:]), 0.0)
    reach = max(bands.adjacent_px, bands.adjacent[1] * float(np.sqrt(np.prod(theirs[2:] - theirs[:2]))))
    return bool((np.hypot(apart[:, 0], apart[:, 1]) <= reach + _SLACK_PX).any())
