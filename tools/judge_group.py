"""Groups and rows of so many (N): "in a group of at least three", "in a row of four", "in the largest group"."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..core.conditions import CountTest, Group, Provided
from ..core.wording import words
from .bands import Bands
from .findings import FALSE, TRUE, UNKNOWN, Case, Findings
from .layout import Layout
from .pairs import distance_pairs
from .rows import find_rows

LEAST = {"group": 2, "row": 3}
"""Members from which on it is a group, or a row."""
_Finder = Callable[[Layout], list[np.ndarray]]


def find_groups(layout: Layout, reach: float) -> list[np.ndarray]:
    """Groups of two or more of a class, as indices: DBSCAN on the distance of outlines, with two as a core.

    Args:
        layout: N regions.
        reach: distance in median lengths of the class up to which two belong together; with two as a core a group is
            a connected part of the graph of such neighbours.
    """
    key = ("groups", reach)
    if key not in layout.memo:
        layout.memo[key] = _connected(layout, reach)
    return list(layout.memo[key])


def _connected(layout: Layout, reach: float) -> list[np.ndarray]:
    lengths, labels = layout.lengths, np.array([region.label for region in layout.regions], dtype=object)
    reaches = np.zeros(len(layout))
    for label in dict.fromkeys(labels.tolist()):
        reaches[labels == label] = reach * float(np.median(lengths[labels == label]))
    near = distance_pairs(layout, layout, reaches)
    parents = list(range(len(layout)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    alike = labels[near.rows] == labels[near.columns]
    for first, second in zip(near.rows[alike].tolist(), near.columns[alike].tolist(), strict=True):
        parents[root(first)] = root(second)
    roots = np.array([root(index) for index in range(len(layout))], dtype=np.int64)
    found = [np.flatnonzero(roots == each) for each in dict.fromkeys(roots.tolist())]
    return [members for members in found if len(members) >= LEAST["group"]]


def judge_group(case: Case, condition: Group) -> Findings:
    """Part of a group or row whose size passes the test, among the candidates that are still open.

    Group: two or more of a class, each within 1.5 median lengths of another (outlines); with a gap, the verdict must be
    the same for 0.8 and 1.25 times that distance. Row: three or more, see `surveyor.tools.rows`. Undecided candidates
    leave unknown what they could turn. Without a test any group will do; "the largest" is the one of the most members,
    unknown where two are equally large.
    """
    is_open, sure = case.status > FALSE, case.status == TRUE
    outcomes, sizes = [], np.zeros(len(case.layout), dtype=np.int64)
    for finder in _finders(condition, case.bands):
        everyone = _sizes(case.layout, is_open, finder)
        outcomes.append(_judged(everyone, condition))
        sizes = everyone[0] if not outcomes[1:] else sizes
        if (is_open & ~sure).any():
            certain = _judged(_sizes(case.layout, sure, finder), condition)
            outcomes.append(np.where(sure, certain, np.where(outcomes[-1] == FALSE, FALSE, UNKNOWN)))
    codes = outcomes[0]
    for other in outcomes[1:]:
        codes = np.where(codes == other, codes, UNKNOWN)
    codes = np.where(is_open, codes, FALSE).astype(np.int8)

    def why(index: int) -> str:
        if not is_open[index]:
            return "it is no longer in the set"
        return f"in a {condition.form} of {sizes[index]}" if sizes[index] else f"in no {condition.form}"

    return Findings(codes, why)


def _finders(condition: Group, bands: Bands) -> list[_Finder]:
    """The finder that counts, then those that must agree with it."""
    if condition.form == "group":
        factors = sorted(bands.group_factors, key=lambda factor: abs(factor - 1.0))
        return [partial(find_groups, reach=bands.group_reach * factor) for factor in factors]
    found: list[_Finder] = [partial(find_rows, off=bands.row_off.true, spread_deg=bands.row_spread.true)]
    if bands.gap:
        found.append(partial(find_rows, off=bands.row_off.false, spread_deg=bands.row_spread.false))
    return found


def _sizes(layout: Layout, chosen: np.ndarray, finder: _Finder) -> tuple[np.ndarray, int]:
    """(N,) size of the largest group or row that a chosen region belongs to, and how many of the largest there are."""
    places = np.flatnonzero(chosen)
    found = finder(layout if len(places) == len(layout) else Layout([layout.regions[place] for place in places]))
    sizes = np.zeros(len(layout), dtype=np.int64)
    for members in found:
        own = places[members]
        sizes[own] = np.maximum(sizes[own], len(members))
    return sizes, len({tuple(sorted(members.tolist())) for members in found})


def _judged(found: tuple[np.ndarray, int], condition: Group) -> np.ndarray:
    sizes, _ = found
    inside = sizes > 0
    if condition.which is not None:
        wanted = sizes.max(initial=0) if condition.which == "largest" else sizes[inside].min(initial=1 << 30)
        best = inside & (sizes == wanted)
        tied = int(best.sum()) > int(wanted)
        return np.where(best, UNKNOWN if tied else TRUE, FALSE).astype(np.int8)
    if condition.test is None:
        return np.where(inside, TRUE, FALSE).astype(np.int8)
    return np.where(inside & passes(np.maximum(sizes, 1), condition.test), TRUE, FALSE).astype(np.int8)


def passes(numbers: np.ndarray, test: CountTest) -> np.ndarray:
    """Whether each number passes the test."""
    rules = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal, "==": np.equal}
    return np.asarray(rules[test.op](numbers, test.n))


def passes_between(low: np.ndarray, high: np.ndarray, test: CountTest) -> np.ndarray:
    """(N,) codes of the test for a number that lies between both bounds."""
    ends = np.stack([passes(low, test), passes(high, test)])
    codes = np.where(ends.all(axis=0), TRUE, np.where(ends.any(axis=0), UNKNOWN, FALSE))
    if test.op == "==":
        codes = np.where((low <= test.n) & (high >= test.n), np.where(low == high, TRUE, UNKNOWN), FALSE)
    return codes.astype(np.int8)


def judge_provided(case: Case, condition: Provided) -> Findings:
    """Whether the other set passes the test: one verdict for all; undecided members leave unknown what they turn."""
    codes = case.members(condition.reference).codes
    sure, possible = int((codes == TRUE).sum()), len(codes)
    verdict = int(passes_between(np.array([sure]), np.array([possible]), condition.test)[0])
    number = str(sure) if sure == possible else f"{sure} to {possible}"
    are = "is" if number == "1" else "are"
    return case.all(verdict, f"there {are} {number} of {words(condition.reference)!r}")
