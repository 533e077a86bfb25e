"""The verdict of a relation to the regions of another selection, or to the others of the own class.

Several references: `any` needs one for which the relation holds, `all` needs it for each. A candidate never relates to
itself. An empty reference makes every relation false, and the reason says so; an undecided reference counts by Kleene's
logic. Ground units without ground sample distance: unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..core.conditions import CompareWith, CountTest, Quantity, Relation
from ..core.wording import words
from . import pairs as rules
from .bands import Bands
from .findings import FALSE, TRUE, UNKNOWN, Case, Findings, Members
from .judge_among import judge_aligned, judge_between, judge_surrounded
from .judge_group import passes_between
from .judge_same_side import judge_same_side
from .judge_side import side_pairs
from .layout import Layout
from .pairs import Pairs

_CHUNK_PAIRS = 500_000  # pairs of a directional rule held at a time
_DENSE = ("parallel", "perpendicular", "flanking")
_Rule = Callable[[Layout, Layout], Pairs]
_Teller = Callable[[Layout, Layout, np.ndarray, Pairs], str]


def judge_relation(case: Case, condition: Relation) -> Findings:
    """A verdict per candidate; see `surveyor.core.conditions.Relation` and `surveyor.tools.pairs` for the rules."""
    if condition.reference is None:
        return judge_aligned(case)
    members = case.members(condition.reference)
    if condition.relation == "between":
        return judge_between(case, members, None if condition.second is None else case.members(condition.second))
    own = members.own_index(case.layout)
    if condition.relation in ("same_side", "other_side"):
        viewpoint = None if condition.second is None else case.members(condition.second)
        return judge_same_side(case, members, viewpoint, condition)
    exists = _exists(members, own)
    nothing = f"there are no {'other ' if (own >= 0).any() else ''}{words(condition.reference)} to relate to"
    if condition.relation == "surrounded":
        found = judge_surrounded(case, members, own, condition.amount)
        return found if condition.amount is not None else _unless_empty(found, exists, nothing)
    distance = condition.distance
    scale = case.gsd_xy_m if distance is not None and distance.is_metric else (1.0, 1.0)
    if scale is None:
        unknown = case.all(
            UNKNOWN, "a distance on the ground cannot be judged: the ground sample distance is not known"
        )
        return _unless_empty(unknown, exists, nothing)
    rule, tell = _rule(condition, case)
    dense = condition.direction is not None or condition.relation in _DENSE
    asked = _Asked(condition.quantifier, condition.amount, condition.relation == "beyond", dense)
    return _judged(case.layout.scaled(scale), members, own, exists, nothing, rule, tell, asked)


def judge_compared(case: Case, condition: CompareWith) -> Findings:
    """A measure against that of the reference, in metres where the scale is known; bands as for plain comparisons."""
    members = case.members(condition.reference)
    own = members.own_index(case.layout)
    if condition.quantifier == "mean":
        return _judge_mean(case, condition, members)
    nothing = f"there are no {'other ' if (own >= 0).any() else ''}{words(condition.reference)} to compare with"
    rule = partial(
        rules.compared_pairs,
        attribute=condition.attribute,
        op=condition.op,
        factor=condition.factor,
        bands=case.bands,
    )
    asked = _Asked(condition.quantifier, None, False, True)
    layout = case.layout.scaled(case.gsd_xy_m or (1.0, 1.0))
    tell = partial(_tell_ratio, condition.attribute)
    return _judged(layout, members, own, _exists(members, own), nothing, rule, tell, asked)


def _judge_mean(case: Case, condition: CompareWith, members: Members) -> Findings:
    """A measure against the mean of the members' (of which a candidate may be one); undecided members bound it."""
    scale = case.gsd_xy_m or (1.0, 1.0)
    others = members.layout.scaled(scale).values(condition.attribute)
    certain, open_ = others[members.codes == TRUE], np.sort(others[members.codes == UNKNOWN])
    if not len(certain) and not len(open_):
        return case.all(FALSE, f"there are no {words(condition.reference)} to compare with")
    low, high = _mean(certain, open_), _mean(certain, open_[::-1], largest=True)
    values = case.layout.scaled(scale).values(condition.attribute)
    least, most = condition.factor * low, condition.factor * high
    first, second = (rules.compared(values, asked, condition.op, case.bands) for asked in (least, most))
    codes = np.where(first == second, first, UNKNOWN).astype(np.int8)
    if condition.op == "==":  # what fails at both ends may hold between them
        between = (values > least) & (values < most)
        codes[between] = np.maximum(codes[between], UNKNOWN)
    if not len(certain):
        codes = np.minimum(codes, UNKNOWN)  # perhaps there are none
    unit = "m" if case.gsd_xy_m else "px"
    unit = {"area": f"{unit}2", "aspect": ""}.get(condition.attribute, unit)
    mean = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"

    def why(index: int) -> str:
        own = f"{condition.attribute} is {values[index]:.4g} {unit}".rstrip()
        return f"{own}, the average {mean} {unit}".rstrip()

    return Findings(codes, why)


def _mean(certain: np.ndarray, open_: np.ndarray, *, largest: bool = False) -> float:
    """The least mean that members in doubt can lead to, least first; with `largest` the greatest, greatest first."""
    sums = np.concatenate([[certain.sum()], certain.sum() + np.cumsum(open_)])
    means = [total / number for number, total in enumerate(sums, start=len(certain)) if number]
    return float(max(means) if largest else min(means))


@dataclass(frozen=True)
class _Asked:
    """Of how many members a rule is asked; `opposite` turns each pair round, `dense` rules list all pairs."""

    quantifier: str
    amount: CountTest | None
    opposite: bool
    dense: bool


def _judged(
    subjects: Layout,
    members: Members,
    own: np.ndarray,
    exists: np.ndarray,
    nothing: str,
    rule: _Rule,
    tell: _Teller,
    asked: _Asked,
) -> Findings:
    objects = members.layout.scaled(subjects.scale_xy)
    if asked.amount is None:
        codes = np.minimum(_quantified(rule, subjects, objects, members, own, asked), exists)
    else:
        low, high = _numbers(rule, subjects, objects, members, own, asked)
        codes = passes_between(low, high, asked.amount)

    def why(index: int) -> str:
        if asked.amount is not None:
            number = f"{low[index]}" if low[index] == high[index] else f"{low[index]} to {high[index]}"
            return f"it holds for {number} of {len(objects)}, and {words(asked.amount)} were asked"
        if exists[index] == FALSE:
            return nothing
        others = np.flatnonzero(np.arange(len(objects)) != own[index])
        one = Layout([subjects.regions[index]], subjects.scale_xy)
        found = rule(one, Layout([objects.regions[place] for place in others], subjects.scale_xy))
        return tell(one, objects, others, found)

    return Findings(codes, why)


def _numbers(
    rule: _Rule, subjects: Layout, objects: Layout, members: Members, own: np.ndarray, asked: _Asked
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) of how many members the rule holds: for certain, and at most."""
    low, high = np.zeros(len(subjects), dtype=np.int64), np.zeros(len(subjects), dtype=np.int64)
    for part, found in _found(rule, subjects, objects, own, asked.dense):
        n = len(own[part])
        certain = members.codes[found.columns] == TRUE
        holds = np.bincount(found.rows[(found.codes == TRUE) & certain], minlength=n)
        possible = np.bincount(found.rows[found.codes > FALSE], minlength=n)
        if asked.opposite:
            reached = np.bincount(found.rows[found.codes == TRUE], minlength=n)
            near = np.bincount(found.rows[(found.codes > FALSE) & certain], minlength=n)
            sure = _without_self(members.codes == TRUE, own[part])
            every = _without_self(members.codes > FALSE, own[part])
            holds, possible = sure - near, every - reached
        low[part], high[part] = holds, possible
    return low, high


def _found(
    rule: _Rule, subjects: Layout, objects: Layout, own: np.ndarray, dense: bool
) -> Iterator[tuple[slice, Pairs]]:
    """The judged pairs of some subjects at a time, themselves left out."""
    step = max(1, _CHUNK_PAIRS // max(1, len(objects))) if dense else max(1, len(subjects))
    for start in range(0, len(subjects), step):
        part = slice(start, start + step)
        whole = start == 0 and step >= len(subjects)
        chunk = subjects if whole else Layout(subjects.regions[part], subjects.scale_xy)
        found = rule(chunk, objects)
        yield part, found.only(own[part][found.rows] != found.columns)


def _quantified(
    rule: _Rule, subjects: Layout, objects: Layout, members: Members, own: np.ndarray, asked: _Asked
) -> np.ndarray:
    """Verdict codes of the subjects over all members; `beyond` is the opposite of `within`."""
    codes = np.zeros(len(subjects), dtype=np.int8)
    for part, found in _found(rule, subjects, objects, own, asked.dense):
        if (asked.quantifier == "any") != asked.opposite:
            reached = np.zeros(len(own[part]), dtype=np.int8)
            np.maximum.at(reached, found.rows, np.minimum(found.codes, members.codes[found.columns]))
        else:
            reached = _for_each(found, members, own[part])
        codes[part] = 2 - reached if asked.opposite else reached
    return codes


def _for_each(found: Pairs, members: Members, own: np.ndarray) -> np.ndarray:
    """Codes of "for each member: it is none, or the relation holds"; unlisted pairs are false."""
    codes = np.full(len(own), TRUE, dtype=np.int8)
    np.minimum.at(codes, found.rows, np.maximum(found.codes, 2 - members.codes[found.columns]))
    for member_code in (UNKNOWN, TRUE):
        of_code = members.codes == member_code
        listed = np.bincount(found.rows[of_code[found.columns]], minlength=len(own))
        unlisted = _without_self(of_code, own) > listed
        codes[unlisted] = np.minimum(codes[unlisted], 2 - member_code)
    return codes


def _exists(members: Members, own: np.ndarray) -> np.ndarray:
    """(N,) whether there is a member besides the candidate itself."""
    sure = _without_self(members.codes == TRUE, own)
    possible = _without_self(members.codes == UNKNOWN, own)
    return np.where(sure > 0, TRUE, np.where(possible > 0, UNKNOWN, FALSE)).astype(np.int8)


def _without_self(chosen: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(N,) how many of the chosen members differ from the candidate."""
    if not len(chosen):
        return np.zeros(len(own), dtype=np.int64)
    return int(chosen.sum()) - ((own >= 0) & chosen[own]).astype(np.int64)


def _unless_empty(found: Findings, exists: np.ndarray, nothing: str) -> Findings:
    return Findings(
        np.minimum(found.codes, exists), lambda index: nothing if exists[index] == FALSE else found.why(index)
    )


# ---- the rule of each relation, and how its outcome is told ---------------------------------------------------


def _rule(condition: Relation, case: Case) -> tuple[_Rule, _Teller]:
    bands = case.bands
    by_share = {"inside": rules.inside_pairs, "contains": rules.containing_pairs, "overlaps": rules.overlapping_pairs}
    if condition.relation in by_share:
        return partial(by_share[condition.relation], bands=bands), partial(_tell_share, condition.relation)
    if condition.relation == "near":
        return partial(rules.near_pairs, bands=bands), partial(_tell_distance, "px", 1.0)
    if condition.relation == "adjacent":
        return partial(rules.adjacent_pairs, bands=bands), partial(_tell_distance, "px", 1.0)
    if condition.distance is not None:
        return _distance_rule(condition.distance, bands)
    if condition.relation in ("parallel", "perpendicular"):
        return partial(rules.turned_pairs, relation=condition.relation, bands=bands), _tell_turn
    if condition.relation == "flanking":
        return partial(rules.flanking_pairs, bands=bands), _tell_place
    assert condition.direction is not None
    if condition.relation == "toward":
        return partial(rules.toward_pairs, direction=condition.direction, bands=bands), _tell_bearing
    if condition.relation == "further":
        further = partial(rules.further_pairs, direction=condition.direction, size_wh=case.size_wh, bands=bands)
        return further, _tell_further
    return partial(side_pairs, direction=condition.direction, bands=bands), partial(_tell_side, condition.direction)


def _distance_rule(distance: Quantity, bands: Bands) -> tuple[_Rule, _Teller]:
    per_unit = distance.base_value / distance.value if distance.value else 1.0
    rule = partial(rules.within_pairs, distance=distance.base_value, bands=bands)
    return rule, partial(_tell_distance, distance.unit, per_unit)


def _best(found: Pairs) -> int | None:
    """The listed pair that decides: one with the highest verdict."""
    return int(np.argmax(found.codes)) if len(found.codes) else None


def _tell_distance(unit: str, per_unit: float, one: Layout, objects: Layout, others: np.ndarray, _found: Pairs) -> str:
    import shapely

    distances = shapely.distance(one.shapes[0], objects.shapes[others])
    place = int(np.argmin(distances))
    name = objects.regions[others[place]].id
    return f"{distances[place] / per_unit:.4g} {unit} from {name}, the nearest of {len(others)}"


def _tell_share(relation: str, _one: Layout, objects: Layout, others: np.ndarray, found: Pairs) -> str:
    if not len(found.codes):
        return f"it shares no area with any of {len(others)}"
    best = int(np.argmax(found.values))
    name = objects.regions[others[found.columns[best]]].id
    share = f"{100 * found.values[best]:.0f} %"
    told = {"inside": f"{share} of it lies in {name}", "contains": f"{share} of {name} lies in it"}
    return told.get(relation, f"it shares {share} of the smaller one with {name}")


def _tell_bearing(_one: Layout, objects: Layout, others: np.ndarray, found: Pairs) -> str:
    best = min(range(len(found.codes)), key=lambda k: (-found.codes[k], found.values[k]))
    return f"seen from {objects.regions[others[found.columns[best]]].id} it is {found.values[best]:.0f} degrees off"


def _tell_ratio(attribute: str, _one: Layout, objects: Layout, others: np.ndarray, found: Pairs) -> str:
    best = _best(found)
    assert best is not None
    name = objects.regions[others[found.columns[best]]].id
    return f"its {attribute} is {found.values[best]:.3g} times that of {name}"


def _tell_turn(_one: Layout, objects: Layout, others: np.ndarray, found: Pairs) -> str:
    best = _best(found)
    assert best is not None
    name = objects.regions[others[found.columns[best]]].id
    if found.codes[best] == UNKNOWN:
        return f"the directions of it and {name} cannot be compared: {found.values[best]:.0f} degrees between them"
    return f"its long axis stands at {found.values[best]:.0f} degrees to that of {name}"


def _tell_place(_one: Layout, objects: Layout, others: np.ndarray, found: Pairs) -> str:
    best = _best(found)
    assert best is not None
    name, place = objects.regions[others[found.columns[best]]].id, found.values[best]
    return (
        f"it lies on or beyond the end of {name}"
        if found.codes[best] == FALSE
        else (f"it lies beside {name}, {100 * max(0.0, place):.0f} % of its length from an end")
    )


def _tell_further(_one: Layout, objects: Layout, others: np.ndarray, found: Pairs) -> str:
    best = _best(found)
    assert best is not None
    return f"{found.values[best]:.4g} px further than {objects.regions[others[found.columns[best]]].id}"


def _tell_side(direction: str, _one: Layout, objects: Layout, others: np.ndarray, found: Pairs) -> str:
    best = _best(found)
    assert best is not None
    name, value = objects.regions[others[found.columns[best]]].id, found.values[best]
    if np.isnan(value):
        return f"which side of {name} it lies on cannot be said"
    if value == 0:
        return f"it lies on {name}"
    return f"it lies {abs(value):.4g} px {'' if value > 0 else 'opposite of '}{direction} of {name}"
