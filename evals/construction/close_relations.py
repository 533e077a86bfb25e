"""Limits of relations at which eyes differ; `close_calls` says what such limits are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...core.conditions import Relation
from ...tools.findings import FALSE, TRUE
from ...tools.layout import Layout
from ...tools.pairs import VECTORS, distance_pairs, overlapping_pairs
from .views import View

_STEEP = 75.0  # degrees off the direction: wholly on that side and not steeper is beside it to some
_ASLANT = 0.34  # sine of 20 degrees off both axes: a long thing that has no left and right
_COMPACT = 1.5  # aspect up to which a reference has one bearing
_LEVEL = 0.08  # of the image's side: what is less far off and overlaps stands level
_SLANT = 27.0  # degrees off a diagonal: to some it lies straight to the side, or straight above
_AROUND, _AROUND_TOO = 135.0, 160.0  # degrees: the widest gap between the things around; one at which some see them so
_REACH, _REACH_TOO = 2.2, 3.0  # of its size: how far off those are
_DWARFED = 0.3  # of its size: what is smaller surrounds nothing
_JUMP = 1.5  # of the largest step before: a gap that divides near from far
_FAR = 0.2  # of the image's shorter side: not near, however large the thing is that it is near to
_TURNED = 8.0  # degrees off parallel, or off perpendicular
_ON = 0.3  # of the smaller one: what lies in a thing, or on it, is not next to it
_ASIDE = 0.9  # of the smaller size: a gap up to which some say "next to"


@dataclass(frozen=True, eq=False)
class Judged:
    """What a rule sees of one condition.

    Attributes:
        view: what is seen.
        layout: the judged objects.
        codes: (N,) what the condition says of each.
        open_: (N,) whether nothing else keeps the object out; under a relation, nor is it what is referred to.
    """

    view: View
    layout: Layout
    codes: np.ndarray
    open_: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """(N,) whether the condition lets an object in that nothing else keeps out."""
        return (self.codes == TRUE) & self.open_

    @property
    def beyond(self) -> np.ndarray:
        """(N,) whether nothing but the condition keeps an object out."""
        return (self.codes == FALSE) & self.open_


def related(judged: Judged, node: Relation) -> str | None:
    """Why people would not agree on a relation; None where nothing is known against it."""
    if node.reference is None or not len(judged.layout):
        return None
    members = judged.view.certain.members(node.reference).layout
    rule = _RELATIONS.get(node.relation)
    if rule is None or not len(members) or node.amount is not None:
        return None
    told = {region.id for region in members.regions}  # a thing is nothing to itself
    others = np.array([region.id not in told for region in judged.layout.regions])
    return rule(replace(judged, open_=judged.open_ & others), members, node)


def _by_extents(layout: Layout, members: Layout, direction: str) -> tuple[np.ndarray, np.ndarray]:
    """(N, axes) whether each lies wholly beyond the reference, and how much the extents overlap, of the smaller."""
    own, other = layout.boxes, members.boxes[0]
    beyond, shared = [], []
    for word in direction.split():
        axis = 0 if word in ("left", "right") else 1
        low, high = own[:, axis], own[:, axis + 2]
        ends = (other[axis], other[axis + 2])
        beyond.append(high <= ends[0] if word in ("left", "above") else low >= ends[1])
        overlap = np.minimum(high, ends[1]) - np.maximum(low, ends[0])
        shared.append(overlap / np.maximum(np.minimum(high - low, ends[1] - ends[0]), 1e-9))
    return np.stack(beyond, axis=1), np.stack(shared, axis=1)


def _toward(judged: Judged, members: Layout, node: Relation) -> str | None:
    if len(members) != 1:
        return None
    assert node.direction is not None
    layout = judged.layout
    beyond, _ = _by_extents(layout, members, node.direction)
    wholly = beyond.all(axis=1)
    if " " in node.direction:
        mixed = (judged.inside & ~(wholly & (_off(layout, members, node) <= _SLANT))) | (judged.beyond & wholly)
        return "diagonal by the bearing or by the sides alone" if mixed.any() else None
    if members.aspects[0] > _COMPACT:
        slant = np.abs(members.axes[0]).min()
        return "to one side of what lies aslant" if slant > _ASLANT else None
    beside = judged.beyond & wholly & (_off(layout, members, node) <= _STEEP)
    return "wholly on that side, and yet not in that direction" if beside.any() else None


def _off(layout: Layout, members: Layout, node: Relation) -> np.ndarray:
    """(N,) degrees between the direction and the way from the reference's centre to each centre."""
    vectors = layout.centers - members.centers[0]
    along = vectors @ VECTORS[node.direction or ""] / np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
    return np.degrees(np.arccos(np.clip(along, -1, 1)))


def _further(judged: Judged, members: Layout, node: Relation) -> str | None:
    if len(members) != 1:
        return None
    assert node.direction is not None
    _, shared = _by_extents(judged.layout, members, node.direction)
    axis = 0 if node.direction in ("left", "right") else 1
    off = np.abs(judged.layout.centers[:, axis] - members.centers[0, axis]) / judged.view.image.size_wh[axis]
    level = (shared[:, 0] > 0) & (off < _LEVEL)
    return "level with it to the eye" if (judged.inside & level).any() else None


def _flanking(judged: Judged, members: Layout, node: Relation) -> str | None:
    held = judged.inside
    if len(members) != 1 or not held.any():
        return None
    axis = members.axes[0]
    off = judged.layout.centers[held] - members.centers[0]
    sides = np.sign(off[:, 0] * axis[1] - off[:, 1] * axis[0])
    return "on either side, and all on the same" if len(set(sides.tolist())) < 2 else None


def _surrounded(judged: Judged, members: Layout, node: Relation) -> str | None:
    held, out = (np.flatnonzero(each).tolist() for each in (judged.inside, judged.beyond))
    if any(_widest_gap(judged.layout, members, place, _REACH) > _AROUND for place in held):
        return "surrounded on some sides only"
    if (_DWARFED * judged.layout.sizes[held] > np.median(members.sizes)).any():
        return "surrounded by what is small beside it"
    if any(_widest_gap(judged.layout, members, place, _REACH_TOO) <= _AROUND_TOO for place in out):
        return "as good as surrounded"
    return None


def _widest_gap(layout: Layout, members: Layout, place: int, reach: float) -> float:
    """Degrees between two neighbours of those around a thing, up to `reach` of its size off; 360 for less than two."""
    around = distance_pairs(members, layout, reach * layout.sizes)
    off = members.centers[around.rows[around.columns == place]] - layout.centers[place]
    angles = np.sort(np.degrees(np.arctan2(off[:, 1], off[:, 0])))
    return 360.0 if len(angles) < 2 else float(np.diff(np.append(angles, angles[0] + 360)).max())


def _gaps(layout: Layout, members: Layout) -> np.ndarray:
    """(N,) px from each outline to the nearest of the references."""
    found = distance_pairs(layout, members, np.full(len(members), 1e7))
    gaps = np.full(len(layout), np.inf)
    np.minimum.at(gaps, found.rows, found.values)
    return gaps


def _near(judged: Judged, members: Layout, node: Relation) -> str | None:
    gaps = _gaps(judged.layout, members)
    inside, beyond = gaps[judged.inside], gaps[judged.beyond]
    if (inside > _FAR * min(judged.view.image.size_wh)).any():
        return "near a large thing, and far away"
    if not len(inside) or not len(beyond):
        return None
    steps = np.diff(np.append(0.0, np.sort(inside)))
    return "no gap between near and far" if beyond.min() - inside.max() < _JUMP * steps.max() else None


def _adjacent(judged: Judged, members: Layout, node: Relation) -> str | None:
    layout = judged.layout
    shared = overlapping_pairs(layout, members, judged.view.certain.bands)
    if judged.inside[shared.rows[shared.values >= _ON]].any():
        return "in it or on it, not next to it"
    aside = distance_pairs(layout, members, _ASIDE * members.sizes)
    small = aside.values <= _ASIDE * np.minimum(layout.sizes[aside.rows], members.sizes[aside.columns])
    others = np.zeros(len(layout), dtype=bool)
    others[aside.rows[small]] = True
    return "beside it to some" if (others & judged.beyond).any() else None


def _same_side(judged: Judged, members: Layout, node: Relation) -> str | None:
    seconds = () if node.second is None else judged.view.certain.members(node.second).layout.regions
    named = {region.id for region in seconds}
    own = np.array([region.id in named for region in judged.layout.regions], dtype=bool)
    return "on the side that it is itself on" if (own & judged.open_).any() else None


def _turned(judged: Judged, members: Layout, node: Relation) -> str | None:
    if len(members) != 1:
        return None
    along = np.degrees(np.arccos(np.clip(np.abs(judged.layout.axes @ members.axes[0]), 0, 1)))
    off = along if node.relation == "parallel" else 90 - along
    return "parallel or square to it by the rules alone" if (judged.inside & (off > _TURNED)).any() else None


_RELATIONS: dict[str, Callable[..., str | None]] = {
    "toward": _toward, "further": _further, "flanking": _flanking, "surrounded": _surrounded, "near": _near,
    "adjacent": _adjacent, "parallel": _turned, "perpendicular": _turned, "same_side": _same_side,
}  # fmt: skip
