"""Conditions that exclude each other whatever the image shows, found in a plan: an answer without regions says so.

What the grammar, the builder and a conversation refuse (`parsing.checks`) does not come here; what reaches a run
nevertheless does: negations ("not longer than 30 m and longer than 50 m"), plans edited by hand, trees from elsewhere.
Only certain contradictions count: a pair that might both hold of some region in some image is never told.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from ..core.conditions import (
    Among,
    And,
    Aspect,
    Compare,
    Comparison,
    Condition,
    Group,
    Node,
    Not,
    Or,
    Pick,
    Position,
    Relation,
    conjuncts,
)
from ..core.plan import Plan
from ..core.wording import words
from .explain_chain import chain_of, condition_of
from .parsing.checks import exclude_each_other

_OPPOSITE: dict[Comparison, Comparison] = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


def contradictions_in(plan: Plan) -> Iterator[tuple[str, str]]:
    """Words of conditions that a plan asks of the same set and that no region can both meet, each pair once.

    Example:
        >>> from surveyor import plan
        >>> list(contradictions_in(plan("planes not longer than 30 m and longer than 50 m")))
        [('not longer than 30 m', 'longer than 50 m')]
    """
    told: set[tuple[str, str]] = set()
    denied = {name for step in plan.steps if step.tool == "check" for name in step.args.get("asked", ())}
    for step in plan.steps:
        if step.tool not in ("select", "pick"):
            continue
        asked = [condition for each in chain_of(step, plan) if (condition := condition_of(each)) is not None]
        asked = [condition for condition in asked if words(condition) not in denied]  # "are all longer than 50 m …?"
        for pair in _clashes(part for condition in asked for part in conjuncts(condition)):
            if pair not in told:
                told.add(pair)
                yield pair


def _clashes(conditions: Iterator[Condition]) -> Iterator[tuple[str, str]]:
    parts = list(conditions)
    for part in parts:
        yield from _inside(part)
    for first, second in combinations(parts, 2):
        if never_both(first, second):
            yield words(first), words(second)


def _inside(condition: Condition) -> Iterator[tuple[str, str]]:
    """The clashes that leave a condition without anything that could meet it."""
    plain = _plain(condition)
    if isinstance(plain, And) and not isinstance(condition, And):
        yield from _clashes(iter(plain.conditions))
    if isinstance(plain, Or):
        branches = [list(_clashes(iter(conjuncts(part)))) for part in plain.conditions]
        if all(branches):
            yield branches[0][0]


def never_both(first: Condition, second: Condition) -> bool:
    """Whether no region of any image can meet both.

    Example:
        >>> from surveyor.core.conditions import Colour
        >>> never_both(Colour(word="white"), Not(condition=Or(conditions=(Colour(word="white"), Colour(word="red")))))
        True
    """
    first, second = _plain(first), _plain(second)
    for one, other in ((first, second), (second, first)):
        if isinstance(one, And):
            return any(never_both(part, other) for part in one.conditions)
        if isinstance(one, Or):
            return all(never_both(part, other) for part in one.conditions)
    if any(isinstance(node, Pick) for node in (_bare(first), _bare(second))):
        return False  # ranks are counted among those that are left, so each asks about another set
    return exclude_each_other(first, second) or _out_of_reach(first, second) or _denied(first, second)


def _plain(condition: Condition) -> Condition:
    """The condition with "not" carried inwards, up to single conditions and to comparisons the other way round."""
    if not isinstance(condition, Not):
        return condition
    inner = condition.condition
    match inner:
        case Not():
            return _plain(inner.condition)
        case And():
            return Or(conditions=tuple(_plain(Not(condition=part)) for part in inner.conditions))
        case Or():
            return And(conditions=tuple(_plain(Not(condition=part)) for part in inner.conditions))
        case Compare() | Aspect() if inner.op != "==":
            return inner.model_copy(update={"op": _OPPOSITE[inner.op]})
    return condition


def _bare(condition: Condition) -> Node:
    return condition.condition if isinstance(condition, Not) else condition


def _out_of_reach(first: Condition, second: Condition) -> bool:
    """Whether two conditions of a kind leave no value between them."""
    match first, second:
        case Aspect(), Aspect():
            return _no_ratio(first, second) or _no_ratio(second, first)
        case Among(), Among():
            return not set(first.ids) & set(second.ids)
        case Relation(), Relation() if first.reference == second.reference:
            return _too_far(first, second) or _too_far(second, first)
    return False


def _no_ratio(low: Aspect, high: Aspect) -> bool:
    if low.op not in (">", ">=", "==") or high.op not in ("<", "<=", "=="):
        return False
    return low.ratio > high.ratio or (low.ratio == high.ratio and (low.op == ">" or high.op == "<"))


def _too_far(near: Relation, far: Relation) -> bool:
    """Within 50 m of one of them, and more than 80 m from all of them."""
    if (near.relation, near.quantifier, far.relation, far.quantifier) != ("within", "any", "beyond", "all"):
        return False
    if near.distance is None or far.distance is None or near.distance.is_metric != far.distance.is_metric:
        return False
    return near.distance.base_value <= far.distance.base_value


def _denied(first: Condition, second: Condition) -> bool:
    """Whether one is "not …" of something that the other makes certain."""
    pairs = ((first, second), (second, first))
    return any(isinstance(no, Not) and _implies(yes, no.condition) for no, yes in pairs)


def _implies(yes: Condition, then: Condition) -> bool:
    match yes, then:
        case Position(), Position() if yes.frame == "edge":
            return then.frame == "edge" and then.place == "any"
        case Position(), Position() if then.frame in ("half", "quadrant"):
            return set(then.place.split()) <= set(yes.place.split())
        case Group(), Group():
            return yes.form == then.form and then.test is None and then.which is None
    return False
