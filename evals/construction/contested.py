"""What the rules decide and the eye does not: readings that a person who looks at the image would contest.

The executor's limits (FORMATS.md 7.3) say what is true; here are the questions that are not asked although they have an
answer. Each rule stands for items that people who checked them called wrong or unclear.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...core.conditions import CompareWith, Group, Node, Not, Pick, Relation, Selection, children, walk
from ...tools.findings import TRUE
from ...tools.judge_group import find_groups
from ...tools.layout import Layout
from ...tools.rows import find_rows
from ..bench.execute import Executor, Found
from .close_calls import close_call
from .views import View

_OFF_LINE = 0.35  # of the median width: how far a member of a row may stand off its line
_UNEVEN = 2.5  # the largest gap in a row by its smallest
_REACHES = (0.67, 1.0, 1.5)  # groups must be the same for the usual reach times these
_MORE = 1.25  # members of the next larger group by those of the smallest, and so on
_CLOSER = 0.85  # the centre of the last that is nearest by that of the first that is not
_COMPACT = 3.0  # aspect up to which distances between centres mean something


def contested(view: View, selection: Selection, sure: Found) -> str | None:
    """Why people would not agree on the answer; None where nothing is known against it.

    Args:
        view: what is seen.
        selection: what is asked.
        sure: its verdicts on the judged objects.
    """
    single = len(sure.kept) == 1
    if _ranks_twice(selection):
        return "a rank that was used up to tell another thing"
    for node, denied in _with_sign(selection):
        if isinstance(node, Relation | CompareWith) and denied and _is_of(view.certain, node, sure.kept):
            return "denied of the very thing that it refers to"
        if isinstance(node, Relation):
            if single and not denied and node.relation in ("flanking", "aligned"):
                return "one thing on either side, or in a row"
            if node.relation == "aligned" and not rows_are_plain(view, sure.layout):
                return "a row that is none to the eye"
            if node.relation == "surrounded" and not denied and not _has_room(view, node, sure):
                return "surrounded at the border of the image"
        elif isinstance(node, Group):
            if node.form == "row" and not rows_are_plain(view, sure.layout):
                return "a row that is none to the eye"
            if node.form == "group" and not groups_are_plain(view, sure.layout, node):
                return "groups that are not the same to everybody"
        elif isinstance(node, Pick) and node.by == "distance":
            if _are_the_others(view.certain, selection, node):
                return "all the others, told by distance"
            if not _is_nearest_by_centres(view.certain, selection, node, sure):
                return "nearest by outlines, not by centres"
    if _is_what_it_is_told_by(view.certain, selection, sure.kept):
        return "what the words refer to is itself the answer"
    return close_call(view, selection, sure)


def _with_sign(selection: Selection) -> Iterator[tuple[Node, bool]]:
    """The conditions of a selection itself, each with whether it is denied; not those of its references."""

    def parts(node: Node, denied: bool) -> Iterator[tuple[Node, bool]]:
        if isinstance(node, Not):
            yield from parts(node.condition, not denied)
            return
        yield node, denied
        for child in children(node):
            if not isinstance(child, Selection):
                yield from parts(child, denied)

    if selection.where is not None:
        yield from parts(selection.where, False)
    yield from ((pick, False) for pick in selection.picks)


def _ranks_twice(selection: Selection) -> bool:
    """Whether a rank of the class is asked that also tells a reference: "the leftmost ship above the leftmost ship"."""
    own = {pick.by for pick in selection.picks if pick.reference is None}
    below = (each for each in walk(selection) if isinstance(each, Selection) and each is not selection)
    return any(pick.by in own for each in below if each.phrases == selection.phrases for pick in each.picks)


def _is_what_it_is_told_by(executor: Executor, selection: Selection, names: tuple[str, ...]) -> bool:
    """Whether an answer is a single thing that tells others: "the pool near the house nearest to the leftmost pool"."""
    told = (each for each in walk(selection) if isinstance(each, Selection) and each is not selection)
    single = (each for each in told if each.expected == 1 or each.picks)
    return any(region.id in names for each in single for region in executor.members(each).layout.regions)


def _is_of(executor: Executor, node: Relation | CompareWith, names: tuple[str, ...]) -> bool:
    """Whether one of these objects is what the relation refers to: a thing is not parallel to itself, say the rules."""
    if getattr(node, "quantifier", "") == "mean":
        return False
    references = [each for each in (node.reference, getattr(node, "second", None)) if each is not None]
    return any(region.id in names for reference in references for region in executor.members(reference).layout.regions)


def rows_are_plain(view: View, layout: Layout) -> bool:
    """Whether each row that the rules find is straight, and its members follow each other evenly."""
    bands = view.certain.bands
    for row in find_rows(layout, bands.row_off.true, bands.row_spread.true):
        points = layout.centers[row] - layout.centers[row].mean(axis=0)
        axis = np.linalg.svd(points)[2][0]
        off = np.abs(points[:, 0] * axis[1] - points[:, 1] * axis[0]).max()
        gaps = np.diff(np.sort(points @ axis))
        if off > _OFF_LINE * float(np.median(layout.widths[row])) or gaps.max() > _UNEVEN * gaps.min():
            return False
    return True


def groups_are_plain(view: View, layout: Layout, group: Group) -> bool:
    """Whether somewhat larger or smaller gaps make the same groups; and the largest is the largest by far."""
    reach = view.certain.bands.group_reach
    found = [{tuple(each.tolist()) for each in find_groups(layout, reach * factor)} for factor in _REACHES]
    if any(other != found[0] for other in found[1:]):
        return False
    sizes = sorted(len(each) for each in found[0])
    if group.which is None:
        return True
    if len(sizes) < 2:
        return False
    low, high = sizes[:2] if group.which == "smallest" else sizes[-2:]
    return high >= _MORE * low and high >= max(3, low + 2)


def _has_room(view: View, relation: Relation, sure: Found) -> bool:
    """Whether one of the things around could stand on each side of every answer, within the image."""
    assert relation.reference is not None
    sizes = view.certain.members(relation.reference).layout.sizes
    boxes = [view.by_id[name].box for name in sure.kept]
    width, height = view.image.size_wh
    gaps = (min(x0, y0, width - x1, height - y1) for x0, y0, x1, y1 in boxes)
    return not len(sizes) or all(gap >= np.median(sizes) for gap in gaps)


def _are_the_others(executor: Executor, selection: Selection, pick: Pick) -> bool:
    """Whether a rank by distance takes all, or all but one: "the two nearest to the topmost" where there are three."""
    assert pick.reference is not None
    pool = executor.selection(selection.model_copy(update={"picks": ()})).kept
    goals = {region.id for region in executor.members(pick.reference).layout.regions}
    taken = pick.first - 1 + pick.count
    return taken >= len(set(pool) - goals) or (taken > 1 and taken >= len(pool) - 1)


def _is_nearest_by_centres(executor: Executor, selection: Selection, pick: Pick, sure: Found) -> bool:
    """Whether centres tell the same, clearly, where both ends are compact."""
    assert pick.reference is not None
    goal = executor.members(pick.reference).layout
    pool = executor.selection(selection.model_copy(update={"picks": ()})).codes == TRUE
    chosen = sure.codes == TRUE
    rest = pool & ~chosen & (np.array(sure.ids, dtype=object) != goal.regions[0].id)
    if len(goal) != 1 or goal.aspects[0] > _COMPACT or not chosen.any() or not rest.any():
        return True
    if (sure.layout.aspects[pool] > _COMPACT).any():
        return True
    apart = np.linalg.norm(sure.layout.centers - goal.centers[0], axis=1)
    near, far = (chosen, rest) if pick.order == "min" else (rest, chosen)
    return bool(apart[near].max() <= _CLOSER * apart[far].min())
