"""Words that read as a condition but belong to a class name of the grounder in use: DOTA's "large vehicle"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ..core.conditions import And, Condition, Node, Request, Selection, SizeWord, conjuncts
from ..core.lexicon import normalise

N = TypeVar("N", bound=Node)


def adopt_class_names(request: Request, known: Sequence[str] | None) -> Request:
    """The request with "large" + "vehicle" read as the class "large vehicle" where the grounder has that class.

    Args:
        request: from the parser, which knows no class names.
        known: the grounder's class names; None (any phrase may be asked) changes nothing.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> adopt_class_names(parse("large vehicles"), ["large-vehicle", "plane"]).outputs[0].target.phrases
        ('large vehicle',)
    """
    names = {normalise(name) for name in known or ()}
    sized = {name for name in names if name.split()[0] in ("large", "small")}
    return _rebuilt(request, sized) if sized else request


def _rebuilt(node: N, sized: set[str]) -> N:
    changes: dict[str, object] = {}
    for field in type(node).model_fields:
        value = getattr(node, field)
        if isinstance(value, Node):
            changes[field] = _rebuilt(value, sized)
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            changes[field] = tuple(_rebuilt(item, sized) for item in value)
    node = node.model_copy(update=changes)
    return _named(node, sized) if isinstance(node, Selection) else node  # type: ignore[return-value]


def _named(selection: Selection, sized: set[str]) -> Selection:
    for part in conjuncts(selection.where):
        if not isinstance(part, SizeWord):
            continue
        phrases = tuple(f"{part.word} {phrase}" for phrase in selection.phrases)
        if all(normalise(phrase) in sized for phrase in phrases):
            rest = [other for other in conjuncts(selection.where) if other is not part]
            return selection.model_copy(update={"phrases": phrases, "where": _joined(rest)})
    return selection


def _joined(conditions: list[Condition]) -> Condition | None:
    if not conditions:
        return None
    return conditions[0] if len(conditions) == 1 else And(conditions=tuple(conditions))
