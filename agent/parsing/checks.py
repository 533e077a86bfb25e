"""Conditions that exclude each other: refused with both named, since such a set is empty whatever the image shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...core.changes import changed_thing
from ...core.conditions import (
    And,
    Changed,
    ClassIs,
    Colour,
    Compare,
    Condition,
    InBox,
    Not,
    Or,
    Orientation,
    Position,
    Selection,
    Shape,
    SizeWord,
    all_of,
    conjuncts,
    walk,
)
from ...core.errors import QueryError
from ...core.wording import words

if TYPE_CHECKING:
    from .cursor import Cursor

_LOWER = (">", ">=", "==")
_UPPER = ("<", "<=", "==")


def find_contradiction(cursor: Cursor, selection: Selection) -> None:
    """Raises QueryError when two conditions on the same thing can never both hold."""
    for node in walk(selection):
        if isinstance(node, Selection):
            for part in conjuncts(node.where):
                if (
                    isinstance(part, Not)
                    and isinstance(part.condition, ClassIs)
                    and part.condition.phrase in (node.phrases[0], changed_thing(node.phrases[0]))
                    and len(node.phrases) == 1
                ):
                    _refuse(cursor, part.condition, part)
        if isinstance(node, Selection | And):
            parts = conjuncts(node.where if isinstance(node, Selection) else node)
            for index, first in enumerate(parts):
                for second in parts[index + 1 :]:
                    if exclude_each_other(first, second):
                        _refuse(cursor, first, second)


def exclude_each_other(first: Condition, second: Condition) -> bool:
    """Whether no candidate can satisfy both."""
    if first == Not(condition=second) or second == Not(condition=first):
        return True
    if isinstance(first, Compare) and isinstance(second, Compare):
        return _empty_range(first, second)
    if isinstance(first, Position | InBox) and isinstance(second, Position | InBox):
        return _apart(first, second)
    if isinstance(first, Changed) and isinstance(second, Changed):
        return first != second and "changed" not in (first.word, second.word)  # what is new has changed
    if isinstance(first, SizeWord | Shape | Orientation | Colour):
        return type(first) is type(second) and first != second
    return False


def of_another_kind(named: Selection, conditions: Iterable[Condition]) -> Selection:
    """The set that "ones" stand for: of "the white planes", "the red ones" are planes, not white planes.

    Args:
        named: the set named before.
        conditions: what is said of the ones.
    """
    if named.picks:
        return named
    parts, said = conjuncts(named.where), tuple(conditions)
    kept = [part for part in parts if not any(_rules_out(part, other) for other in said)]
    return named if len(kept) == len(parts) else named.model_copy(update={"where": all_of(kept), "expected": None})


def _rules_out(part: Condition, other: Condition) -> bool:
    """Whether nothing that meets the first meets the second, as far as colours, sizes and changes tell."""
    if isinstance(part, Or):
        return all(_rules_out(each, other) for each in part.conditions)
    return exclude_each_other(part, other)


def _empty_range(first: Compare, second: Compare) -> bool:
    same = first.attribute == second.attribute and first.quantity.is_metric == second.quantity.is_metric
    if not same:
        return False
    for low, high in ((first, second), (second, first)):
        if low.op in _LOWER and high.op in _UPPER:
            a, b = low.quantity.base_value, high.quantity.base_value
            if a > b or (a == b and (low.op == ">" or high.op == "<")):
                return True
    return False


def _apart(first: Position | InBox, second: Position | InBox) -> bool:
    """Whether two places of the image share no point where a centre could lie."""
    one, other = _extent(first), _extent(second)
    if one is None or other is None:
        return False
    return any(low[1] <= high[0] or low[3] <= high[2] for low, high in ((one, other), (other, one)))


def _extent(position: Position | InBox) -> tuple[float, float, float, float] | None:
    """x0, x1, y0, y1 of a place, in sixths of the image; None for edges and for boxes in px: the size is not known."""
    if isinstance(position, InBox):
        left, top, right, bottom = (6 * number / 1000 for number in position.xyxy)
        return (left, right, top, bottom) if position.unit == "thousandths" else None
    if position.frame == "edge":
        return None
    place = position.place
    if position.frame == "cell":
        column = 0 if "left" in place else 4 if "right" in place else 2
        row = 0 if "top" in place else 4 if "bottom" in place else 2
        return column, column + 2, row, row + 2
    x = (0, 3) if "left" in place else (3, 6) if "right" in place else (0, 6)
    y = (0, 3) if "top" in place else (3, 6) if "bottom" in place else (0, 6)
    return (*x, *y)


def _refuse(cursor: Cursor, first: Condition, second: Condition) -> None:
    spans = sorted({cursor.spans[part] for part in (first, second) if part in cursor.spans})
    message = f"nothing can be both {words(first)!r} and {words(second)!r}; use 'or', or drop one of them"
    raise QueryError(message, cursor.query, spans)
