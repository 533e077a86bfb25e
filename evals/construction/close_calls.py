"""Limits at which eyes differ: questions whose answer hangs on a distance that nobody would measure.

The strict limits of the executor (FORMATS.md 7.3) leave a gap of doubt. People who checked 579 items contested some
answers all the same, on the same grounds again and again; each rule here stands for one of them. A question is left out
where an object that all else would let in, or keep in, lies that close to the limit of one condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...core.conditions import (
    Aspect,
    Compare,
    CompareWith,
    Condition,
    Node,
    Not,
    Orientation,
    Pick,
    Position,
    Relation,
    Selection,
    Shape,
    SizeWord,
    children,
    conjuncts,
    walk,
)
from ...tools.findings import FALSE, TRUE
from ...tools.judge_position import place_bounds
from ...tools.layout import Layout
from ...tools.pairs import VECTORS, distance_pairs
from ..bench.execute import Found
from .views import View

_LINE = {"cell": 0.06, "half": 0.07, "quadrant": 0.07}  # of the image's side, of a centre from the line
_EMPTY = 1.6  # times that, where nothing lies in the place
_EDGE = 0.08  # of the image's side
_STEEP = 75.0  # degrees off the direction: wholly on that side and not steeper is beside it to some
_ASLANT = 0.34  # sine of 20 degrees off both axes: a long thing that has no left and right
_COMPACT = 1.5  # aspect up to which a reference has one bearing
_LEVEL = 0.08  # of the image's side: what is less far off and overlaps stands level
_AROUND = 180.0  # degrees: the widest gap between the things around
_JUMP = 1.5  # of the largest step before: a gap that divides near from far
_FAR = 0.2  # of the image's shorter side: not near, however large the thing is that it is near to
_TURNED = 10.0  # degrees off parallel, or off perpendicular
_LEAST_PX, _LEAST_SHARE = 16.0, 0.02  # of the image's shorter side: width of a thing that others are told by
_ROOM = {"length": 1.15, "width": 1.15, "area": 1.4, "perimeter": 1.15}  # on both sides of a limit in metres
_ASIDE = 0.9  # of the smaller size: a gap up to which some say "next to"
_APART, _ALIKE = 1.4, 1.6  # of sizes: in and out of an average; what is not "as large as"
_ROUND = frozenset(
    "storage tank|tank|silo|tree|tree crown|roundabout|baseball diamond|swimming pool|helipad".split("|")
)
_WINGED = frozenset("airplane|plane|helicopter|aircraft".split("|"))  # their width is the wingspan, the box's is not
_LONG = frozenset("bridge|ship|runway|road|train|river|taxiway|railway|harbor".split("|"))  # all of them are elongated
_BORDER_PX = 1.0
BOUNDLESS = frozenset("field|taxiway|apron|wood|water|grass".split("|"))  # nobody sees where one ends


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


def close_call(view: View, selection: Selection, found: Found) -> str | None:
    """Which limit people would not agree on; None where none is known.

    Args:
        view: what is seen.
        selection: what is asked; its references are not looked into.
        found: its verdicts on the judged objects; none of them right for a question without answer.
    """
    parts = conjuncts(selection.where)
    codes = [view.certain.codes(found.layout, part) for part in parts]
    for place, part in enumerate(parts):
        others = [each for number, each in enumerate(codes) if number != place]
        open_ = np.minimum.reduce(others) > FALSE if others else np.ones(len(found.layout), dtype=bool)
        for node, denied in _signed(part):
            if isinstance(node, Relation) and node.relation == "aligned" and denied:
                return "not in a row, where some see two in a row"
            if isinstance(node, Orientation) and denied:
                return "not in a direction, where some see it turned a little"
            rule = _RULES.get(type(node))
            if rule is None:
                continue
            own = view.certain.codes(found.layout, node)
            if why := rule(Judged(view, found.layout, own, open_), node):
                return why
    return _of_sizes(view, selection, found)


def is_unsayable(node: Node, phrases: tuple[str, ...]) -> bool:
    """Whether nobody says this of such things: "wider" of airplanes, "longer" of tanks, "elongated" of bridges.

    Example:
        >>> [is_unsayable(Pick(by=by, order="max"), ("storage tank",)) for by in ("length", "area")]
        [True, False]
    """
    if isinstance(node, Aspect):
        return True
    measure = getattr(node, "attribute", None) or (node.by if isinstance(node, Pick) else None)
    names = set(phrases)
    if names & _ROUND and (measure in ("length", "width", "aspect") or isinstance(node, Shape | Orientation)):
        return True
    if names & _WINGED and (measure in ("width", "aspect") or isinstance(node, Shape)):
        return True
    return bool(names & _LONG) and (isinstance(node, Shape) or measure == "aspect")


def _signed(condition: Condition, denied: bool = False) -> Iterator[tuple[Condition, bool]]:
    """The single conditions of a condition, each with whether it is denied; not those of its references."""
    if isinstance(condition, Not):
        yield from _signed(condition.condition, not denied)
    elif hasattr(condition, "conditions"):
        for child in children(condition):
            yield from _signed(child, denied)  # type: ignore[arg-type]
    else:
        yield condition, denied


# ---- places ---------------------------------------------------------------------------------------------------


def _at_a_line(judged: Judged, node: Position) -> str | None:
    if node.frame == "edge":
        return _near_an_edge(judged, node)
    size_wh, layout = judged.view.image.size_wh, judged.layout
    near = _LINE[node.frame] * (1.0 if judged.inside.any() else _EMPTY)
    places = layout.centers / np.array(size_wh, dtype=np.float64)
    outer, inner = np.ones(len(layout), dtype=bool), np.ones(len(layout), dtype=bool)
    for axis, (low, high) in enumerate(place_bounds(node, size_wh)):
        for line, inward in ((low, 1.0), (high, -1.0)):
            if 0 < line < 1:
                depth = (places[:, axis] - line) * inward
                outer, inner = outer & (depth > -near), inner & (depth > near)
    return "close to the line of a place" if (outer & ~inner & judged.open_).any() else None


def _near_an_edge(judged: Judged, node: Position) -> str | None:
    width, height = judged.view.image.size_wh
    x0, y0, x1, y1 = (judged.layout.boxes / np.array([width, height, width, height], dtype=np.float64)).T
    gaps = {"left": x0, "top": y0, "right": 1 - x1, "bottom": 1 - y1}
    sides = tuple(gaps) if node.place == "any" else (node.place,)
    close = np.minimum.reduce([gaps[side] for side in sides]) < _EDGE
    return "close to the edge, and not at it" if (close & judged.beyond).any() else None


# ---- relations ------------------------------------------------------------------------------------------------


def _related(judged: Judged, node: Relation) -> str | None:
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
        mixed = (judged.inside & ~wholly) | (judged.beyond & wholly)
        return "diagonal by the bearing or by the sides alone" if mixed.any() else None
    if members.aspects[0] > _COMPACT:
        slant = np.abs(members.axes[0]).min()
        return "to one side of what lies aslant" if slant > _ASLANT else None
    vectors = layout.centers - members.centers[0]
    along = vectors @ VECTORS[node.direction] / np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
    off = np.degrees(np.arccos(np.clip(along, -1, 1)))
    beside = judged.beyond & wholly & (off <= _STEEP)
    return "wholly on that side, and yet not in that direction" if beside.any() else None


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
    layout = judged.layout
    around = distance_pairs(members, layout, 2.2 * layout.sizes)
    for place in np.flatnonzero(judged.inside).tolist():
        off = members.centers[around.rows[around.columns == place]] - layout.centers[place]
        angles = np.sort(np.degrees(np.arctan2(off[:, 1], off[:, 0])))
        gaps = np.diff(np.append(angles, angles[:1] + 360))
        if len(angles) < 2 or gaps.max() > _AROUND:
            return "surrounded on some sides only"
    return None


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
    aside = distance_pairs(layout, members, _ASIDE * members.sizes)
    small = aside.values <= _ASIDE * np.minimum(layout.sizes[aside.rows], members.sizes[aside.columns])
    others = np.zeros(len(layout), dtype=bool)
    others[aside.rows[small]] = True
    return "beside it to some" if (others & judged.beyond).any() else None


def _turned(judged: Judged, members: Layout, node: Relation) -> str | None:
    if len(members) != 1:
        return None
    along = np.degrees(np.arccos(np.clip(np.abs(judged.layout.axes @ members.axes[0]), 0, 1)))
    off = along if node.relation == "parallel" else 90 - along
    return "parallel or square to it by the rules alone" if (judged.inside & (off > _TURNED)).any() else None


# ---- sizes ----------------------------------------------------------------------------------------------------


def _at_a_limit(judged: Judged, node: Compare) -> str | None:
    scale = judged.view.image.gsd_m if node.quantity.is_metric else 1.0
    if scale is None:
        return None
    ratio = judged.layout.scaled((scale, scale)).values(node.attribute) / max(node.quantity.base_value, 1e-9)
    room = _ROOM[node.attribute]
    return "a size close to the limit" if ((ratio < room) & (ratio > 1 / room) & judged.open_).any() else None


def _compared(judged: Judged, node: CompareWith) -> str | None:
    values = judged.layout.values(node.attribute)
    inside, beyond = values[judged.inside], values[judged.beyond]
    if node.quantifier == "mean":
        if not len(inside) or not len(beyond):
            return None
        low, high = (beyond.max(), inside.min()) if node.op in (">", ">=") else (inside.max(), beyond.min())
        return "no gap between more and less than average" if high < _APART * low else None
    members = judged.view.certain.members(node.reference).layout
    if node.op != "==" or len(members) != 1 or not len(beyond):
        return None
    ratio = beyond / max(node.factor * float(members.values(node.attribute)[0]), 1e-9)
    return "of like size, and yet not as large" if ((ratio < _ALIKE) & (ratio > 1 / _ALIKE)).any() else None


def _of_sizes(view: View, selection: Selection, found: Found) -> str | None:
    """Sizes of what the border cuts, of what has no such size, and an average after a rank."""
    nodes: list[Node] = [node for part in conjuncts(selection.where) for node, _ in _signed(part)]
    nodes += selection.picks
    named = {phrase for each in walk(selection) if isinstance(each, Selection) for phrase in each.phrases}
    if named & BOUNDLESS:
        return "a thing whose bounds nobody sees"
    if any(is_unsayable(node, selection.phrases) for node in nodes):
        return "a measure that nobody takes of such things"
    means = any(isinstance(node, CompareWith) and node.quantifier == "mean" for node in nodes)
    if means and selection.picks:
        return "a rank among those above or below average"
    if any(isinstance(node, Position) for node in nodes) and any(pick.by == "centre" for pick in selection.picks):
        return "most central of those at a place"
    if any(_is_sliver(view, node) for node in nodes):
        return "told by a thing that is hardly seen"
    measured = any(
        isinstance(node, Compare | CompareWith | SizeWord)
        or (isinstance(node, Pick) and node.by in ("area", "length", "width", "aspect"))
        for node in nodes
    )
    if measured and any(_is_cut(view, name) for name in found.kept):
        return "a size that the border cuts"
    return None


def _is_sliver(view: View, node: Node) -> bool:
    """Whether one thing that others are told by is hardly seen: narrower than 16 px, or 2 % of a small image."""
    reference = getattr(node, "reference", None)
    if not isinstance(reference, Selection):
        return False
    members = view.certain.members(reference).layout
    least = min(_LEAST_PX, _LEAST_SHARE * min(view.image.size_wh))
    return len(members) == 1 and bool(members.widths[0] < least)


def _is_cut(view: View, name: str) -> bool:
    x0, y0, x1, y1 = view.by_id[name].box
    width, height = view.image.size_wh
    return bool(min(x0, y0, width - x1, height - y1) < _BORDER_PX)


_RELATIONS: dict[str, Callable[..., str | None]] = {
    "toward": _toward, "further": _further, "flanking": _flanking, "surrounded": _surrounded, "near": _near,
    "adjacent": _adjacent, "parallel": _turned, "perpendicular": _turned,
}  # fmt: skip
_RULES: dict[type[Node], Callable[..., str | None]] = {
    Position: _at_a_line, Relation: _related, CompareWith: _compared, Compare: _at_a_limit,
}  # fmt: skip
