"""Which conditions answer the same question: "and in the bottom half?" replaces the place, not the colour."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.conditions import (
    Aspect,
    Changed,
    Colour,
    Compare,
    CompareWith,
    Condition,
    Not,
    Or,
    Orientation,
    Relation,
    Selection,
    Shape,
    SizeWord,
    conjuncts,
)
from ..core.errors import UsageError
from ..core.inflection import plural
from ..core.wording import words
from .parsing.checks import exclude_each_other

_FAMILIES = (
    ("near", "within", "beyond", "adjacent"),
    ("toward", "further", "side", "flanking", "same_side", "other_side"),
    ("inside", "contains", "overlaps", "surrounded", "between"),
    ("parallel", "perpendicular", "aligned"),
)


def kind_of(condition: Condition) -> tuple[str, ...]:
    """What a condition is about: a length, a colour, a place, a relation."""
    if isinstance(condition, Not):
        return kind_of(condition.condition)
    if isinstance(condition, Or):
        kinds = {kind_of(part) for part in condition.conditions}
        return kinds.pop() if len(kinds) == 1 else ("or",)
    if isinstance(condition, Compare | CompareWith):
        return "size", condition.attribute
    if isinstance(condition, Aspect):
        return "size", "aspect"
    if isinstance(condition, Relation):
        return ("relation",)
    return (condition.kind,)


def kept_beside(base: Selection, new: Sequence[Condition], *, refuse: bool) -> list[Condition]:
    """The base's conditions that stay when new ones take the place of those of their kind.

    Args:
        refuse: a condition that takes the place of none is an error, unless the base has none at all.

    Raises:
        UsageError: nothing of that kind is there to be replaced, or it is not clear which of several.
    """
    kept = list(conjuncts(base.where))
    for condition in new:
        gone = _displaced(kept, condition)
        if not gone and refuse and (base.where is not None or base.picks):
            narrowed, anew = f"of those, {ones_with(condition)}", _anew(base, condition)
            raise UsageError(
                f"{words(base)!r} says nothing of that kind to be replaced by {words(condition)!r}; say {narrowed!r} "
                f"to narrow it, or {anew!r} to begin anew"
            )
        kept = [old for old in kept if old not in gone]
    return kept


def ones_with(condition: Condition) -> str:
    """Those that satisfy a condition, as the grammar reads it: "the red ones", "the ones near the river"."""
    if isinstance(condition, Colour | SizeWord | Shape | Orientation | Changed):
        return f"the {words(condition)} ones"
    return f"the ones {words(condition)}"


def _anew(base: Selection, condition: Condition) -> str:
    return words(Selection(phrases=base.phrases, where=condition)) or plural(base.phrases[0])


def _displaced(kept: Sequence[Condition], new: Condition) -> Sequence[Condition]:
    """Those that a condition takes the place of."""
    same = [old for old in kept if kind_of(old) == kind_of(new)]
    if isinstance(new, Compare):
        bound = [old for old in same if isinstance(old, Compare) and old.op[0] == new.op[0]]
        rest = [old for old in same if old not in bound]
        clash = any(exclude_each_other(old, new) for old in rest)
        return bound if bound and not clash else same
    relation = _relation(new)
    if relation is None or len(same) < 2:
        return same
    alike = [old for old in same if (found := _relation(old)) is not None and found.relation == relation.relation]
    alike = alike or [old for old in same if (f := _relation(old)) is not None and _family(f) == _family(relation)]
    if len(alike) == 1:
        return alike
    listed = " or ".join(repr(words(old)) for old in alike or same)
    raise UsageError(f"{words(new)!r} could take the place of {listed}; ask for the whole anew")


def _relation(condition: Condition) -> Relation | None:
    inner = condition.condition if isinstance(condition, Not) else condition
    return inner if isinstance(inner, Relation) else None


def _family(relation: Relation) -> int:
    return next((number for number, names in enumerate(_FAMILIES) if relation.relation in names), len(_FAMILIES))
