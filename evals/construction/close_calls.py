"""Limits at which eyes differ: questions whose answer hangs on a distance that nobody would measure.

The strict limits of the executor (FORMATS.md 7.3) leave a gap of doubt. People who checked 579 items contested some
answers all the same, on the same grounds again and again; each rule here stands for one of them. A question is left out
where an object that all else would let in, or keep in, lies that close to the limit of one condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ...core.conditions import (
    Aspect,
    Compare,
    CompareWith,
    Condition,
    InBox,
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
from ...tools.findings import FALSE
from ...tools.judge_position import place_bounds
from ..bench.execute import Found
from .close_relations import Judged, related
from .views import View

_LINE = {"cell": 0.06, "half": 0.07, "quadrant": 0.07}  # of the image's side, of a centre from the line
_EMPTY = 1.6  # times that, where nothing lies in the place
_EDGE = 0.08  # of the image's side
_LEAST_PX, _LEAST_SHARE = 16.0, 0.02  # of the image's shorter side: width of a thing that others are told by
_LEANING = {"diagonal": (15.0, 75.0), "horizontal": (0.0, 40.0), "vertical": (50.0, 90.0)}  # degrees: so, to some
_MOST_CUT = 0.5  # of a thing's pixels: with less in a box than that, and a narrow piece, it lies outside to some
_ROOM = {"length": 1.15, "width": 1.15, "area": 1.4, "perimeter": 1.15}  # on both sides of a limit in metres
_APART, _ALIKE = 1.4, 1.6  # of sizes: in and out of an average; what is not "as large as"
_ROUND = frozenset(
    "storage tank|tank|silo|tree|tree crown|roundabout|baseball diamond|swimming pool|helipad".split("|")
)
_WINGED = frozenset("airplane|plane|helicopter|aircraft".split("|"))  # their width is the wingspan, the box's is not
_LONG = frozenset("bridge|ship|runway|road|train|river|taxiway|railway|harbor".split("|"))  # all of them are elongated
_BORDER_PX = 1.0
BOUNDLESS = frozenset("field|taxiway|apron|wood|water|grass".split("|"))  # nobody sees where one ends


def close_call(view: View, selection: Selection, found: Found) -> str | None:
    """Which limit people would not agree on; None where none is known.

    Args:
        view: what is seen.
        selection: what is asked; its references are not looked into.
        found: its verdicts on the judged objects; none of them right for a question without answer.
    """
    parts = conjuncts(selection.where)
    if sum(isinstance(part, Position) for part in parts) > 1:
        return "two places, which read as two groups"
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


def _in_a_box(judged: Judged, node: InBox) -> str | None:
    """A thing of which a box in numbers holds no more than a strip along its side."""
    box = node.to_px(judged.view.image.size_wh)
    for place in np.flatnonzero(judged.open_).tolist():
        mask = judged.layout.regions[place].mask
        piece = None if mask is None else mask.clipped(box)
        if mask is None or piece is None or piece.box_px is None or piece.area_px > _MOST_CUT * mask.area_px:
            continue
        x0, y0, x1, y1 = piece.box_px
        if min(x1 - x0, y1 - y0) < _LEAST_PX:
            return "a strip of a thing in a box"
    return None


def _leaning(judged: Judged, node: Orientation) -> str | None:
    axes = np.abs(judged.layout.axes)
    angles = np.degrees(np.arctan2(axes[:, 1], axes[:, 0]))
    low, high = _LEANING[node.word]
    so_to_some = (angles >= low) & (angles <= high) & judged.beyond
    return "turned in that direction to some" if so_to_some.any() else None


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


_RULES: dict[type[Node], Callable[..., str | None]] = {
    Position: _at_a_line, InBox: _in_a_box, Orientation: _leaning, Relation: related, CompareWith: _compared,
    Compare: _at_a_limit,
}  # fmt: skip
