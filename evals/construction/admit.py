"""Whether a proposed selection may become an item (FORMATS.md 7.2 and 7.4), and if not, why.

The one rule that replaces most others: every object of the class is in or out for certain, whether or not the doubtful
objects of the scene (cut, tiny, "difficult") are seen, and none of those would be an answer. On top: every part of the
question matters, there are objects to confuse the answers with, and the question has one reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...core.conditions import And, Condition, Node, Not, Or, Provided, Selection, all_of, children, conjuncts
from ...core.wording import words
from ...tools.findings import FALSE, TRUE
from ..bench.execute import Executor, Found
from .referents import are_told
from .views import View

MOST_ANSWERS = 20
MOST_OF_CLASS = 0.8


@dataclass(frozen=True)
class Verdicts:
    """What holds of an admitted selection.

    Attributes:
        answers: ids that are right.
        universe: ids that are judged.
        ignored: ids of the class that are not.
        removed: condition in words -> how many more answers there were without it.
        near_misses: how many wrong objects would be right if one condition turned out otherwise.
    """

    answers: tuple[str, ...]
    universe: tuple[str, ...]
    ignored: tuple[str, ...]
    removed: dict[str, int]
    near_misses: int

    @property
    def share(self) -> float:
        """Of the judged objects that are right."""
        return len(self.answers) / max(1, len(self.universe))

    @property
    def f1_of_all(self) -> float:
        """The F1 of an answer that names the whole class: 2 p / (1 + p) for the share p."""
        return 2 * self.share / (1 + self.share)


class Rejected(Exception):
    """A proposal that is no item; the text is the reason, for the header's counts."""


def admitted(view: View, selection: Selection) -> Verdicts:
    """The verdicts of a selection that may be asked, as a positive item.

    Raises:
        Rejected: with the reason.
    """
    sure = judged(view, selection)
    if not sure.kept:
        raise Rejected("no answer")
    if len(sure.kept) > MOST_ANSWERS:
        raise Rejected("more than twenty answers")
    wrong = len(sure.layout) - len(sure.kept)
    is_plain = selection.where is None and not selection.picks
    if not is_plain and wrong < (2 if len(sure.kept) == 1 else 1):
        raise Rejected("too few distractors")
    if not is_plain and len(sure.kept) > MOST_OF_CLASS * len(sure.layout):
        raise Rejected("nearly the whole class")
    removed = _minimal(view.certain, selection, sure)
    near = near_misses(view.certain, selection, sure)
    if not is_plain and not near:
        raise Rejected("no near miss")
    return Verdicts(sure.kept, sure.ids, _ignored(view, selection, sure), removed, near)


def admitted_empty(view: View, selection: Selection) -> Verdicts:
    """The verdicts of a selection that nothing of the scene answers, and that is clear.

    Raises:
        Rejected: with the reason.
    """
    sure = judged(view, selection)
    if sure.kept:
        raise Rejected("twin: not empty")
    return Verdicts((), sure.ids, _ignored(view, selection, sure), {}, 0)


def judged(view: View, selection: Selection) -> Found:
    """What a selection says of the judged objects: nothing unknown, and the same however doubtful objects are taken.

    Raises:
        Rejected: with the reason.
    """
    for executor in (view.certain, view.everything):
        if not all(are_told(executor, reference) for reference in _nested(selection)):
            raise Rejected("a referent is not unique or in doubt")
    sure = view.certain.selection(selection)
    if not sure.is_definite:
        raise Rejected("an object is neither in nor out")
    every = view.everything.selection(selection)
    if {name for name, verdict in every.verdicts.items() if verdict is not False} != set(sure.kept):
        raise Rejected("it depends on objects in doubt")
    if view.crisp.selection(selection).kept != every.kept:
        raise Rejected("a close call")
    return sure


def _ignored(view: View, selection: Selection, sure: Found) -> tuple[str, ...]:
    everyone, judged = view.everything.layout(selection.phrases), set(sure.ids)
    return tuple(name for name in everyone.ids if name not in judged)


def _nested(node: Node) -> Iterator[Selection]:
    """The selections inside relations and ranks, at any depth."""
    for child in children(node):
        if isinstance(child, Selection):
            yield child
        yield from _nested(child)


# ---- minimality -----------------------------------------------------------------------------------------------


def deletions(selection: Selection) -> Iterator[tuple[str, Selection]]:
    """The selection with one condition left out, for each of its conditions; named by the words of what is left out.

    Conditions of selections inside relations count: "left of the largest tank" without "largest".
    """
    parts = conjuncts(selection.where)
    for place, part in enumerate(parts):
        for name, less in _less(part):
            rest = (*parts[:place], *(() if less is None else (less,)), *parts[place + 1 :])
            yield name, selection.model_copy(update={"where": all_of(rest)})
    for place, pick in enumerate(selection.picks):
        before, after = selection.picks[:place], selection.picks[place + 1 :]
        yield words(pick), selection.model_copy(update={"picks": (*before, *after)})
        for name, less in _less_reference(pick):
            yield name, selection.model_copy(update={"picks": (*before, less, *after)})


def _less(condition: Condition) -> Iterator[tuple[str, Condition | None]]:
    """A condition without one of its parts; None where nothing is left."""
    match condition:
        case Or() | And():
            parts = condition.conditions
            for place, part in enumerate(parts):
                for name, less in _less(part):
                    rest = (*parts[:place], *(() if less is None else (less,)), *parts[place + 1 :])
                    yield name, rest[0] if len(rest) == 1 else type(condition)(conditions=rest)
        case Not():
            for name, less in _less(condition.condition):
                yield f"not {name}", None if less is None else Not(condition=less)
        case Provided():  # the same for all candidates: the other way round it would empty the answer
            yield words(condition), Not(condition=condition)
        case _:
            yield words(condition), None
            yield from _less_reference(condition)


def _less_reference(node: Condition) -> Iterator[tuple[str, Condition]]:
    """A relation or rank whose reference has one condition less."""
    for field in ("reference", "second"):
        reference = getattr(node, field, None)
        if isinstance(reference, Selection):
            for name, less in deletions(reference):
                plain = less.model_copy(update={"expected": None})
                yield f"{field}: {name}", node.model_copy(update={field: plain})


def _minimal(executor: Executor, selection: Selection, sure: Found) -> dict[str, int]:
    """How many answers more there are without each condition.

    Raises:
        Rejected: one changes no verdict for certain.
    """
    removed: dict[str, int] = {}
    for name, less in deletions(selection):
        found = executor.selection(less)
        changed = ((found.codes == TRUE) & (sure.codes == FALSE)) | ((found.codes == FALSE) & (sure.codes == TRUE))
        if not changed.any():
            raise Rejected("a condition changes nothing")
        removed[name] = len(found.kept) - len(sure.kept)
    return removed


def near_misses(executor: Executor, selection: Selection, sure: Found) -> int:
    """How many wrong objects miss by one condition: were its verdict the other, they would be in."""
    parts = conjuncts(selection.where)
    layout = sure.layout
    codes = [executor.codes(layout, part) for part in parts]
    in_all = sum((each == FALSE).astype(int) for each in codes) if codes else None
    count = 0
    for place in range(len(layout)):
        if sure.codes[place] == TRUE:
            continue
        missed = 0 if in_all is None else int(in_all[place])
        if missed == 0 or (missed == 1 and not selection.picks):
            count += 1
    return count
