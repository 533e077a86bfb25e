"""Behind the grammar, what is new or gone becomes a class: of "which buildings are new?", "changed building"."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile

from ...core.changes import changed_thing, earlier_thing, of_changed
from ...core.conditions import (
    And,
    Changed,
    ClassIs,
    Condition,
    Not,
    Or,
    Pick,
    Request,
    Selection,
    all_of,
    children,
    conjuncts,
    walk,
    with_selections,
)
from ...core.errors import QueryError
from ...core.inflection import plural
from .change_vocabulary import VERBS_OF_CHANGE


def with_changed_classes(request: Request, query: str, stand_ins: Collection[str] = ()) -> Request:
    """The request with "new buildings" as the changed buildings that are new: what came or went is a class.

    Args:
        stand_ins: nouns whose sets stay as they are.

    Raises:
        QueryError: what did not change is asked for, which no change detector finds.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> parse("which buildings are new?").outputs[0].target.phrases
        ('changed building',)
    """
    return with_selections(request, lambda selection: _selected(selection, query, stand_ins))


def _refuse_verbs_in_names(phrases: Sequence[str], query: str) -> None:
    """A name like "road changed" is a verb of change that was not understood. Raises QueryError."""
    for phrase in phrases:
        said = changed_thing(phrase) or phrase
        words = said.removeprefix("built ").split()  # a "built area" is one
        verb = next((word for word in words if word in VERBS_OF_CHANGE), None)
        if verb is not None:
            at = query.lower().find(verb)
            raise QueryError(
                f"did not understand {verb!r} in {said!r}: say it before the thing, e.g. 'demolished buildings', or "
                "in a question of its own",
                query,
                () if at < 0 else ((at, at + len(verb)),),
            )


def _selected(selection: Selection, query: str, stand_ins: Collection[str]) -> Selection:
    _refuse_verbs_in_names(selection.phrases, query)
    if not _has_change(selection.where) or set(selection.phrases) & set(stand_ins):
        return selection
    known = all(changed_thing(phrase) is not None for phrase in selection.phrases)
    parts = conjuncts(selection.where)
    if not known and not any(map(_implies_change, takewhile(lambda part: not isinstance(part, Pick), parts))):
        raise QueryError(
            "only what changed between two images can be found, not what stayed: ask for 'new', 'gone' or 'changed' "
            "things, e.g. 'changed buildings that are not new'",
            query,
        )
    earlier = [phrase for phrase in selection.phrases if earlier_thing(phrase) is not None]
    if earlier and any(node == Changed(word="new") for part in parts for node in walk(part)):
        raise QueryError(f"what is new is not in the earlier image: {earlier[0]!r}", query)
    names = {phrase: of_changed(earlier_thing(phrase) or phrase) for phrase in selection.phrases}
    phrases = tuple(dict.fromkeys(names.values()))
    ranked = any(isinstance(node, Pick) for part in parts for node in walk(part))  # ranks count what is before them
    first = parts if ranked else sorted(parts, key=lambda part: not isinstance(part, Changed))
    rest = (_reclassed(part, names, len(phrases) == 1, query) for part in first)
    return selection.model_copy(update={"phrases": phrases, "where": all_of(part for part in rest if part is not None)})


def _reclassed(condition: Condition, names: Mapping[str, str], drop: bool, query: str) -> Condition | None:
    """The condition with the classes of its own set renamed; None where all of a set of changes meet it.

    Args:
        drop: whether there is only one class, so that it need not be said.
    """
    if condition == Changed(word="changed"):
        return None
    if isinstance(condition, ClassIs):
        name = names.get(condition.phrase, condition.phrase)
        if name not in names.values():
            raise QueryError(
                f"of what changed it is not told which are of type {condition.phrase!r}; ask for those themselves, "
                f"e.g. 'new {plural(condition.phrase)}'",
                query,
            )
        return None if drop else ClassIs(phrase=name)
    if isinstance(condition, Not):
        inner = _reclassed(condition.condition, names, drop, query)
        if inner is None:
            raise QueryError("nothing meets this: all of them are left out; drop the 'not'", query)
        return Not(condition=inner)
    if isinstance(condition, And | Or):
        parts = [_reclassed(part, names, drop, query) for part in condition.conditions]
        nested = (part.conditions if isinstance(part, type(condition)) else (part,) for part in parts if part)
        kept = tuple(dict.fromkeys(each for some in nested for each in some))
        if not kept or (isinstance(condition, Or) and None in parts):  # all of them, or some of them
            return None
        return kept[0] if len(kept) == 1 else condition.model_copy(update={"conditions": kept})
    return condition


def _has_change(condition: Condition | None) -> bool:
    """Whether a condition on the set itself (not on a reference) speaks of a change."""
    if condition is None or isinstance(condition, Changed):
        return condition is not None
    return any(_has_change(child) for child in children(condition) if not isinstance(child, Selection))  # type: ignore[arg-type]


def _implies_change(condition: Condition | None) -> bool:
    if isinstance(condition, And):
        return any(map(_implies_change, condition.conditions))
    if isinstance(condition, Or):
        return all(map(_implies_change, condition.conditions))
    if isinstance(condition, ClassIs):
        return changed_thing(condition.phrase) is not None
    return isinstance(condition, Changed)
