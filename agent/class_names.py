"""Class names that only the grounder's names can settle: DOTA's "large vehicle", "tennis and basketball courts"."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.conditions import (
    And,
    ClassIs,
    Condition,
    Not,
    Or,
    Request,
    Selection,
    SizeWord,
    all_of,
    conjuncts,
    with_selections,
)
from ..core.errors import UnknownPhrase
from ..core.lexicon import normalise, resolve


def adopt_class_names(request: Request, known: Sequence[str] | None) -> Request:
    """The request with "large" + "vehicle" read as the class "large vehicle" where the grounder has that class.

    "Tennis and basketball courts" are tennis courts and basketball courts, where the first means nothing by itself.

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
    request = with_selections(request, lambda node: _completed(node, known)) if known else request
    return with_selections(request, lambda node: _named(node, sized)) if sized else request


def _completed(selection: Selection, known: Sequence[str]) -> Selection:
    """ "tennis" beside "basketball court" is "tennis court": it lacks the noun that the last one of the list has."""
    noun = selection.phrases[-1].split()[-1]
    whole = tuple(f"{phrase} {noun}" if _lacks(phrase, noun, known) else phrase for phrase in selection.phrases)
    names = dict(zip(selection.phrases, whole, strict=True))
    if whole == selection.phrases:
        return selection
    where = None if selection.where is None else _renamed(selection.where, names)
    promised = None if selection.expected == 1 else selection.expected  # "the tennis" was taken for one
    return selection.model_copy(update={"phrases": whole, "where": where, "expected": promised})


def _lacks(phrase: str, noun: str, known: Sequence[str]) -> bool:
    return phrase != noun and not _understood(phrase, known) and _understood(f"{phrase} {noun}", known)


def _understood(phrase: str, known: Sequence[str]) -> bool:
    try:
        return bool(resolve(phrase, known))
    except UnknownPhrase:
        return False


def _renamed(condition: Condition, names: dict[str, str]) -> Condition:
    """The condition with the classes of its own set renamed (references have names of their own)."""
    if isinstance(condition, ClassIs):
        return condition.model_copy(update={"phrase": names.get(condition.phrase, condition.phrase)})
    if isinstance(condition, And | Or):
        return condition.model_copy(update={"conditions": tuple(_renamed(one, names) for one in condition.conditions)})
    if isinstance(condition, Not):
        return condition.model_copy(update={"condition": _renamed(condition.condition, names)})
    return condition


def _named(selection: Selection, sized: set[str]) -> Selection:
    for part in conjuncts(selection.where):
        if not isinstance(part, SizeWord):
            continue
        phrases = tuple(f"{part.word} {phrase}" for phrase in selection.phrases)
        if all(normalise(phrase) in sized for phrase in phrases):
            rest = [other for other in conjuncts(selection.where) if other is not part]
            return selection.model_copy(update={"phrases": phrases, "where": all_of(rest)})
    return selection
