"""The verdict of a relation to the regions of another selection, or to the others of the own class.

Several references: `any` needs one for which the relation holds, `all` needs it for each. A candidate never relates to
itself. An empty reference makes every relation false, and the reason says so; an undecided reference counts by Kleene's
logic. Ground units without ground sample distance: unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from ..core.conditions import Quantity, Relation
from ..core.wording import words
from . import pairs as rules
from .bands import Bands
from .findings import FALSE, TRUE, UNKNOWN, Case, Findings, Members
from .judge_among import judge_aligned, judge_between, judge_surrounded
from .judge_side import side_pairs
from .layout import Layout
from .pairs import Pairs

_CHUNK_PAIRS = 500_000  # pairs of a directional rule held at a time
_Rule = Callable[[Layout, Layout], Pairs]


def judge_relation(case: Case, condition: Relation) -> Findings:
    """A verdict per candidate; see `surveyor.core.conditions.Relation` and `surveyor.tools.pairs` for the rules."""
    if condition.reference is None:
        return judge_aligned(case)
    members = case.members(condition.reference)
    if condition.relation == "between":
        return judge_between(case, members, None if condition.second is None else case.members(condition.second))
    own = members.own_index(case.layout)
    exists = _exists(members, own)
    nothing = f"there are no {'other ' if (own >= 0).any() else ''}{words(condition.reference)} to relate to"
    if condition.relation == "surrounded":
        return _unless_empty(judge_surrounded(case, members, own), exists, nothing)
    distance = condition.distance
    scale = case.gsd_xy_m if distance is not None and distance.is_metric else (1.0, 1.0)
    if scale is None:
        unknown = case.all(
            UNKNOWN, "a distance on the ground cannot be judged: the ground sample distance is not known"
        )
        return _unless_empty(unknown, exists, nothing)
    subjects, objects = case.layout.scaled(scale), members.layout.scaled(scale)
    rule, tell = _rule(condition, case)
    dense = condition.direction is not None
    codes = _quantified(rule, subjects, objects, members, own, exists, condition, dense)

    def why(index: int) -> str:
        if exists[index] == FALSE:
            return nothing
        one, others = Layout([subjects.regions[index]], scale), np.flatnonzero(np.arange(len(objects)) != own[index])
        found = rule(one, Layout([objects.regions[place] for place in others], scale))
        return tell(one, objects, others, found)

    return Findings(codes, why)


def _quantified(
    rule: _Rule,
    subjects: Layout,
    objects: Layout,
    members: Members,
    own: np.ndarray,
    exists: np.ndarray,
    condition: Relation,
    dense: bool,
) -> np.ndarray:
    """Verdict codes of the subjects over all members; `beyond` is the opposite of `within`."""
    opposite = condition.relation == "beyond"
    step = max(1, _CHUNK_PAIRS // max(1, len(objects))) if dense else max(1, len(subjects))
    codes = np.zeros(len(subjects), dtype=np.int8)
    for start in range(0, len(subjects), step):
        part = slice(start, start + step)
        whole = start == 0 and step >= len(subjects)
        chunk = subjects if whole else Layout(subjects.regions[part], subjects.scale_xy)
        found = rule(chunk, objects)
        found = found.only(own[part][found.rows] != found.columns)
        if (condition.quantifier == "any") != opposite:
            reached = np.zeros(len(chunk), dtype=np.int8)
            np.maximum.at(reached, found.rows, np.minimum(found.codes, members.codes[found.columns]))
        else:
            reached = _for_each(found, members, own[part])
        codes[part] = 2 - reached if opposite else reached
    return np.minimum(codes, exists)


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

_Teller = Callable[[Layout, Layout, np.ndarray, Pairs], str]


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
