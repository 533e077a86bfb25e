"""Fragments of one long thing, a road or a bridge that tiles cut, made one again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import shapely

from ...core.geometry import corners_to_box, length_width_px, min_area_rect, to_shapely
from .views import Seen, View

ELONGATED = 2.0  # length to width from which a fragment has a direction
ABREAST = 0.6  # of two fragments' extents across the thing, what they share over what they cover
FILLED = 0.8  # share of the joined box that the fragments fill; less, and the thing is bent


def join_fragments(seen: list[Seen]) -> list[Seen]:
    """Finds with fragments of one long straight thing made one; all others as they are, in order.

    Two finds of one label are joined when each is cut at the end that faces the other, these ends meet or pass each
    other, and both keep to one lane (the direction is the longer one's, which must be elongated). Where tiles overlap,
    both views see the place of the joint, so of two things in a row that merely end there at least one ends inside its
    view and is not cut. A chain is joined as a whole or, where its box would be mostly empty (a bend), not at all.

    The joined find has the polygon of all fragments (where all have one and it is in one piece), their key points, the
    least of their scores (None where one has none), and a view round all their views.
    """
    cut = [i for i, one in enumerate(seen) if one.cut]
    chains = _chains([seen[i] for i in cut])
    joined: list[Seen] = []
    gone: set[int] = set()
    for chain in chains:
        parts = [seen[cut[k]] for k in chain]
        one = _joined(parts)
        if one is not None:
            joined.append(one)
            gone.update(cut[k] for k in chain)
    return [one for i, one in enumerate(seen) if i not in gone] + joined


def _chains(cut: Sequence[Seen]) -> list[list[int]]:
    """Rows of finds that hang together, two or more each."""
    if len(cut) < 2:
        return []
    boxes = np.stack([corners_to_box(one.region.corners_px) for one in cut])
    reach = np.array([max(one.view.margins_px) for one in cut])
    grown = shapely.box(*(boxes + reach[:, None] * [-1, -1, 1, 1]).T)
    first, second = shapely.STRtree(grown).query(grown)
    leader = list(range(len(cut)))

    def head(k: int) -> int:
        while leader[k] != k:
            k = leader[k]
        return k

    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        if i < j and head(i) != head(j) and _continue(cut[i], cut[j]):
            leader[max(head(i), head(j))] = min(head(i), head(j))
    chains: dict[int, list[int]] = {}
    for k in range(len(cut)):
        chains.setdefault(head(k), []).append(k)
    return [chain for chain in chains.values() if len(chain) > 1]


def _continue(a: Seen, b: Seen) -> bool:
    """Whether two cut finds are stretches of one thing."""
    if a.region.label != b.region.label or a.view == b.view:
        return False
    longer = max((a, b), key=lambda one: length_width_px(one.region.corners_px)[0]).region.corners_px
    length, width = length_width_px(longer)
    if length < ELONGATED * width or length == 0:
        return False
    sides = longer[1] - longer[0], longer[2] - longer[1]
    along = max(sides, key=lambda side: float(np.linalg.norm(side)))
    along = along / np.linalg.norm(along)
    across = np.array([-along[1], along[0]])
    a, b = sorted((a, b), key=lambda one: float(one.region.center_px @ along))
    (a_low, a_high), (b_low, b_high) = (_extent(one, along) for one in (a, b))
    near = max(*a.view.margins_px, *b.view.margins_px)
    if not (a_low < b_low <= a_high + near and a_high < b_high):
        return False
    (a_left, a_right), (b_left, b_right) = (_extent(one, across) for one in (a, b))
    if min(a_right, b_right) - max(a_left, b_left) < ABREAST * (max(a_right, b_right) - min(a_left, b_left)):
        return False
    middle, half = (max(a_left, b_left) + min(a_right, b_right)) / 2 * across, (a_right - a_left) / 2
    a_end, b_end = a_high * along + middle, b_low * along + middle
    return _cut_at(a, a_end, half) and _cut_at(b, b_end, half)


def _extent(seen: Seen, axis: np.ndarray) -> tuple[float, float]:
    reach = seen.region.corners_px @ axis
    return float(reach.min()), float(reach.max())


def _cut_at(seen: Seen, end_xy: np.ndarray, half_px: float) -> bool:
    """Whether the view's border cuts the find at that end: a slanting end reaches half the width behind its middle."""
    x0, y0, x1, y1 = seen.view.window_xyxy
    mx, my = seen.view.margins_px
    gaps = (abs(end_xy[0] - x0) - mx, abs(end_xy[1] - y0) - my, abs(x1 - end_xy[0]) - mx, abs(y1 - end_xy[1]) - my)
    sides = seen.view.cut_sides(seen.region.box_px)
    return any(is_cut and gap <= half_px for is_cut, gap in zip(sides, gaps, strict=True))


def _joined(parts: Sequence[Seen]) -> Seen | None:
    """The whole of a chain; None where one box does not fit it."""
    regions = [one.region for one in parts]
    corners = min_area_rect(np.concatenate([region.corners_px for region in regions]))
    filled = shapely.union_all([to_shapely(region.corners_px) for region in regions]).area
    length, width = length_width_px(corners)
    if filled < FILLED * length * width:
        return None
    boxes = np.stack([region.box_px for region in regions])
    scores = [region.score for region in regions if region.score is not None]
    outlines = [to_shapely(region.polygon_px) for region in regions if region.polygon_px is not None]
    outline = shapely.union_all(outlines) if len(outlines) == len(regions) else None
    points = [region.keypoints_px for region in regions if region.keypoints_px is not None]
    best = max(parts, key=lambda one: (one.view.scale, length_width_px(one.region.corners_px)[0]))
    region = replace(
        best.region,
        corners_px=corners,
        box_px=np.concatenate([boxes[:, :2].min(0), boxes[:, 2:].max(0)]),
        score=min(scores) if len(scores) == len(regions) else None,
        polygon_px=shapely.get_coordinates(outline.exterior)[:-1] if isinstance(outline, shapely.Polygon) else None,
        mask=None,
        keypoints_px=np.concatenate(points) if points else None,
    )
    return Seen(region, _round([one.view for one in parts]))


def _round(views: Sequence[View]) -> View:
    windows = np.array([view.window_xyxy for view in views])
    (x0, y0), (x1, y1) = windows[:, :2].min(0).tolist(), windows[:, 2:].max(0).tolist()
    scale = max(view.scale for view in views)
    return View((x0, y0, x1, y1), (math.ceil((x1 - x0) * scale), math.ceil((y1 - y0) * scale)), views[0].scene_wh)
