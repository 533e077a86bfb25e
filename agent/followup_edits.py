"""Edits of a request that came before: narrow its set, ask the same of another, put regions in the place of names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ..core.conditions import (
    Among,
    And,
    ClassIs,
    Condition,
    Node,
    Not,
    Or,
    Output,
    Pick,
    Request,
    Selection,
    conjuncts,
    walk,
)
from ..core.errors import UsageError
from ..core.wording import words
from .followup_kinds import kept_beside, ones_with
from .parsing.checks import exclude_each_other
from .parsing.noun import conjunction, disjunction

N = TypeVar("N", bound=Node)


def narrowed(base: Selection, further: Selection) -> Selection:
    """The base with the conditions and picks of `further`, whose own phrases only stood for the base.

    A superlative of the base is asked before what comes further: "of the three largest, the red ones".

    Raises:
        UsageError: conditions that exclude each other.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> planes, longer = (parse(text).outputs[0].target for text in ("red planes", "objects longer than 50 m"))
        >>> words(narrowed(planes, longer))
        'red planes longer than 50 m'
    """
    if further.where is None and not further.picks:
        return base if further.expected is None else base.model_copy(update={"expected": further.expected})
    before: list[Condition] = [*conjuncts(base.where)]
    if further.where is not None:
        before += base.picks
        check_together(before, list(conjuncts(further.where)))
        where, picks = conjunction([*before, further.where]), further.picks
    else:
        where, picks = base.where, base.picks + further.picks
    return Selection(phrases=base.phrases, where=where, picks=picks, expected=None if picks else further.expected)


def check_together(before: list[Condition], further: list[Condition]) -> None:
    """Raises UsageError when a further condition can never hold together with one before."""
    for new in further:
        for old in before:
            if exclude_each_other(old, new):
                raise UsageError(
                    f"nothing can be both {words(old)!r} and {words(new)!r}; to replace the condition say "
                    f"'what about {ones_with(new)}?'"
                )


def replaced(base: Selection, other: Selection, phrases: tuple[str, ...]) -> Selection:
    """The base asked of other phrases, with conditions of the same kind replaced by those of `other`.

    Raises:
        UsageError: the base's conditions are about its own classes or regions, or have none of that kind.
    """
    own = any(isinstance(node, ClassIs | Among) for node in walk(base))
    if phrases != base.phrases and own:
        raise UsageError(
            f"{words(base)!r} is about those things only and cannot be asked of others; ask for the set anew"
        )
    new = list(conjuncts(other.where))
    kept = list(kept_beside(base, new, refuse=phrases == base.phrases))
    picks = other.picks or base.picks
    expected = other.expected if other.expected is not None else base.expected
    where = conjunction([*kept, *new])
    return Selection(phrases=phrases, where=where, picks=picks, expected=None if picks else expected)


def joined(first: Selection, second: Selection) -> Selection | None:
    """Both sets as one; None where a superlative stands in the way.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> planes, ships = (parse(text).outputs[0].target for text in ("planes longer than 50 m", "ships"))
        >>> words(joined(planes, ships))
        'planes longer than 50 m, and ships'
    """
    if first.picks or second.picks:
        return None
    if first.phrases == second.phrases:
        bare = first.where is None or second.where is None
        where = None if bare else disjunction([c for c in (first.where, second.where) if c is not None])
        return Selection(phrases=first.phrases, where=where)
    phrases = tuple(dict.fromkeys(first.phrases + second.phrases))
    if first.where is None and second.where is None:
        return Selection(phrases=phrases)
    branches = [part for each in (first, second) for part in _branches(each)]
    whole = {part.phrase for part in branches if isinstance(part, ClassIs)}
    branches = [part for part in branches if isinstance(part, ClassIs) or not whole & set(_classes(part))]
    return Selection(phrases=phrases, where=disjunction(branches))


def _branches(selection: Selection) -> list[Condition]:
    """A set as branches of a union, one for each class."""
    if isinstance(selection.where, Or) and len(selection.phrases) > 1 and any(_classes(selection.where)):
        return list(selection.where.conditions)
    return [
        conjunction([ClassIs(phrase=phrase), *conjuncts(selection.where)])  # type: ignore[misc]
        for phrase in selection.phrases
    ]


def _classes(condition: Condition) -> list[str]:
    return [node.phrase for node in walk(condition) if isinstance(node, ClassIs)]


def of_class(selection: Selection, phrase: str) -> Selection:
    """The part of a set that is of one of its classes."""
    if selection.phrases == (phrase,):
        return selection
    if selection.picks:
        parts = [*conjuncts(selection.where), *selection.picks, ClassIs(phrase=phrase)]
        return Selection(phrases=selection.phrases, where=conjunction(parts))
    if isinstance(selection.where, Or) and any(_classes(selection.where)):
        own = [part for part in selection.where.conditions if phrase in _classes(part)]
        if len(own) == 1:
            inner = [part for part in conjuncts(own[0]) if part != ClassIs(phrase=phrase)]
            return Selection(phrases=(phrase,), where=conjunction(inner))
    return Selection(phrases=(phrase,), where=selection.where)


def others_of(part: Selection, whole: Selection) -> Selection | None:
    """What the whole has besides a part of it that was narrowed from it; None where conditions cannot say it."""
    before = [*conjuncts(whole.where), *whole.picks]
    after = [*conjuncts(part.where), *part.picks]
    further = after[len(before) :]
    if part.phrases != whole.phrases or after[: len(before)] != before or not further:
        return None
    if len(further) > 1 and any(isinstance(each, Pick) for each in further):
        return None
    both = conjunction(further)
    assert both is not None
    rest = both.condition if isinstance(both, Not) else Not(condition=both)
    return Selection(phrases=whole.phrases, where=conjunction([*before, rest]))


def is_single(selection: Selection) -> bool:
    """Whether its words speak of one thing: "the largest plane", "the river", "plane-3"."""
    return (selection.picks[-1].count if selection.picks else selection.expected) == 1


def widened(selection: Selection) -> Selection:
    """Without superlatives behind that leave one: what "which is the smallest?" is asked of after "the largest"."""
    picks = selection.picks
    while picks and picks[-1].count == 1:
        picks = picks[:-1]
    return selection if picks == selection.picks else selection.model_copy(update={"picks": picks})


def swapped(request: Request, base: Selection, new: Selection) -> Request:
    """The request with one of its sets replaced by another, wherever an output asks for it.

    Raises:
        UsageError: an output asks for something else besides.
    """
    outputs = []
    for output in request.outputs:
        if output.target != base or output.other is not None:
            raise UsageError(f"{words(request)!r} asks for several sets, so it is not clear which to replace; ask anew")
        outputs.append(output.model_copy(update={"target": new}))
    return Request(outputs=tuple(outputs))


def distinct_targets(request: Request) -> tuple[Selection, ...]:
    """The sets that a request is about, each once."""
    found = [s for output in request.outputs for s in (output.target, output.other) if s is not None]
    return tuple(dict.fromkeys(found))


def with_verb(output: Output, before: Output, *, keep: bool) -> Output:
    """A bare "detect" takes over the verb of the output before: outlines stay outlines, counts too if `keep`."""
    if output.verb != "detect" or not (before.verb == "segment" or (keep and before.verb in ("count", "measure"))):
        return output
    return before.model_copy(update={"target": output.target})


def put_into(node: N, meanings: Mapping[str, Selection]) -> N:
    """A part of a request with stand-in nouns replaced by the sets that they mean."""
    return _put_in(node, meanings)


def put_in(request: Request, meanings: Mapping[str, Selection]) -> Request:
    """The request with stand-in nouns replaced by the sets that they mean.

    Raises:
        UsageError: a stand-in beside another class in one set, or where only a class name can stand.
    """
    found = _put_in(request, meanings)
    left = [phrase for phrase in phrases_in(found) if phrase in meanings]
    if left:
        raise UsageError("these cannot be asked for in one set; ask for one after the other")
    return found


def uses(node: Node, noun: str) -> bool:
    """Whether a stand-in occurs anywhere in the tree."""
    return noun in set(phrases_in(node))


def phrases_in(node: Node) -> list[str]:
    """Every phrase in the tree, those of `ClassIs` too."""
    return [
        phrase
        for each in walk(node)
        for phrase in (
            each.phrases if isinstance(each, Selection) else (each.phrase,) if isinstance(each, ClassIs) else ()
        )
    ]


def _put_in(node: N, meanings: Mapping[str, Selection]) -> N:
    changes: dict[str, object] = {}
    for field in type(node).model_fields:
        value = getattr(node, field)
        if isinstance(value, Node):
            changes[field] = _put_in(value, meanings)
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            changes[field] = tuple(_put_in(item, meanings) for item in value)
    node = node.model_copy(update=changes) if changes else node
    if isinstance(node, Selection) and node.phrases[0] in meanings and len(node.phrases) == 1:
        return narrowed(meanings[node.phrases[0]], node)  # type: ignore[return-value]
    if (
        isinstance(node, ClassIs) and node.phrase in meanings
    ):  # "except plane-3": regions need no class beside their ids
        where = meanings[node.phrase].where
        return where if isinstance(where, Among) else node  # type: ignore[return-value]
    if isinstance(node, And):  # a merged set may bring a conjunction of its own
        return conjunction(list(node.conditions))  # type: ignore[return-value]
    return node
