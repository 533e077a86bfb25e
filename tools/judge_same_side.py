"""On which side of a long reference a candidate lies, as seen from another thing or from the centre of the image."""

from __future__ import annotations

import numpy as np
import shapely

from ..core.conditions import Relation
from ..core.wording import words
from .findings import FALSE, TRUE, UNKNOWN, Case, Findings, Members
from .layout import Layout

_LONG = 1.5  # aspect from which a box has a principal axis
_HAIR = 1e-6  # width of the prolonged axis, as a share of the plane's diagonal


def judge_same_side(case: Case, members: Members, viewpoint: Members | None, condition: Relation) -> Findings:
    """Whether candidate and viewpoint lie on the same side of the reference (or, for `other_side`, on different ones).

    The reference, prolonged at both ends along its principal axis, cuts the plane into parts: two centres in one part
    are on the same side, however the reference bends. A reference without a long side (up to aspect 1.5) is cut through
    its centre, across the view. On the reference is on neither side: false (with a gap unknown where 10 to 90 % of the
    candidate are). A viewpoint on the reference tells nothing: unknown, as is with a gap whatever lies beyond its ends.
    """
    layout, reference = case.layout, members.layout
    seen, seen_codes, names = _viewpoints(case, viewpoint)
    if not len(reference) or not len(seen):
        missing = condition.reference if not len(reference) else condition.second
        return case.all(FALSE, f"there are no {words(missing)} to relate to" if missing else "nothing to look from")
    own, own_seen = members.own_index(layout), _own(viewpoint, layout)
    per_reference = np.zeros((len(reference), len(layout)), dtype=np.int8)
    for place in range(len(reference)):
        codes = _sides(case, reference, place, seen, condition.relation == "same_side")
        codes = np.minimum(codes, seen_codes[None])
        codes[own_seen[:, None] == np.arange(len(seen))[None]] = FALSE
        per_reference[place] = np.where(own == place, FALSE, codes.max(axis=1))
    certain = members.codes[:, None]
    if condition.quantifier == "all":
        codes = np.maximum(per_reference, 2 - certain).min(axis=0)
    else:
        codes = np.minimum(per_reference, certain).max(axis=0)

    def why(index: int) -> str:
        place = int(np.argmax(per_reference[:, index]))
        side = {TRUE: "", UNKNOWN: "perhaps ", FALSE: "not "}[int(codes[index])]
        which = "same" if condition.relation == "same_side" else "other"
        return f"{side}on the {which} side of {reference.regions[place].id} as seen from {names}"

    return Findings(codes.astype(np.int8), why)


def _viewpoints(case: Case, viewpoint: Members | None) -> tuple[np.ndarray, np.ndarray, str]:
    """(V, 2) centres to look from, whether each is there for certain, and what to call them."""
    if viewpoint is None:
        return (case.size_wh / 2)[None], np.array([TRUE], dtype=np.int8), "the centre of the image"
    ids = [region.id for region in viewpoint.layout.regions]
    return viewpoint.layout.centers, viewpoint.codes, ids[0] if len(ids) == 1 else f"one of {len(ids)}"


def _own(viewpoint: Members | None, layout: Layout) -> np.ndarray:
    return np.full(len(layout), -1) if viewpoint is None else viewpoint.own_index(layout)


def _sides(case: Case, reference: Layout, place: int, seen: np.ndarray, same: bool) -> np.ndarray:
    """(N, V) codes for each candidate and viewpoint."""
    layout, shape, bands = case.layout, reference.shapes[place], case.bands
    away, view = layout.centers - reference.centers[place], seen - reference.centers[place]
    if reference.aspects[place] < _LONG:
        facing = np.round(away @ view.T, 9)
        codes = np.where(facing == 0, UNKNOWN, np.where((facing > 0) == same, TRUE, FALSE))
    else:
        parts = _parts(shape, reference.axes[place], np.vstack([layout.centers, seen]))
        own, other = parts[: len(layout), None], parts[len(layout) :][None]
        codes = np.where((own < 0) | (other < 0), UNKNOWN, np.where((own == other) == same, TRUE, FALSE))
        if bands.gap:
            reach = reference.lengths[place] / 2
            beyond = np.abs(away @ reference.axes[place]) > reach
            behind = np.abs(view @ reference.axes[place]) > reach
            codes = np.where(beyond[:, None] | behind[None], UNKNOWN, codes)
    share = shapely.area(shapely.intersection(layout.shapes, shape)) / np.maximum(shapely.area(layout.shapes), 1e-12)
    return np.minimum(codes, bands.bank.codes(share)[:, None]).astype(np.int8)


def _parts(shape: shapely.Geometry, axis: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(P,) the part of the plane that each point lies in, once the prolonged shape cuts it; -1 on the cut."""
    outline = shapely.get_coordinates(shape)
    everything = np.vstack([outline, points])
    low, high = everything.min(axis=0), everything.max(axis=0)
    reach = float(np.linalg.norm(high - low)) + 1.0
    along = outline @ axis
    cuts = [shape]
    for outward, limit in ((-axis, along.min()), (axis, along.max())):
        tips = outline[np.abs(along - limit) <= reach * _HAIR]  # the two corners of a straight end
        end = tips.mean(axis=0)
        ray = shapely.linestrings([end - outward * reach * _HAIR, end + outward * 3 * reach])
        cuts.append(shapely.buffer(ray, reach * _HAIR, cap_style="flat"))
        cuts.append(shapely.buffer(shapely.convex_hull(shapely.multipoints(tips)), reach * _HAIR))
    plane = shapely.box(*(low - reach), *(high + reach))
    parts = shapely.get_parts(shapely.difference(plane, shapely.union_all(cuts)))
    places = np.asarray(shapely.points(points))
    inside = shapely.contains(parts[:, None], places[None])
    return np.where(inside.any(axis=0), inside.argmax(axis=0), -1)
