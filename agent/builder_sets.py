"""The handle of a set in the builder: what is looked for, narrowed down method by method; nothing is run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, cast

from pydantic import BaseModel

from ..core.conditions import ClassIs, Condition, Not, Or, Pick, Selection, all_of, conjuncts
from ..core.errors import UsageError
from ..core.wording import words
from . import builder_terms as terms
from .builder_conditions import Conditioned
from .builder_ranks import Ranked
from .builder_relations import Related
from .builder_values import shown

if TYPE_CHECKING:
    from .builder import Graph

_EACH = re.compile(r"\s*(all|every|each|both|at least|more than|at most|exactly|fewer than|less than)\b", re.IGNORECASE)


@dataclass(frozen=True, repr=False)
class RegionSet(Conditioned, Ranked, Related):
    """A set of regions to be found: classes, conditions and ranks. Immutable; every method gives a new set.

    Args:
        graph: the builder it belongs to.
        selection: the typed tree of it.

    Example:
        >>> from surveyor import Graph
        >>> g = Graph()
        >>> planes = g.ground("plane")
        >>> planes.side_of(g.the("river"), "east").where("length > 40 m", "white").largest(2)
        RegionSet('the two largest planes on the east side of the river and longer than 40 m and white')
    """

    graph: Graph = field(compare=False)
    selection: Selection

    @property
    def words(self) -> str:
        """The set in the canonical English, which the parser reads back."""
        return words(self.selection)

    def where(self, *conditions: str | Condition) -> Self:
        """Those for which every one of the conditions holds.

        Args:
            conditions: formulas ("length > 40 m", "20 m < length <= 40 m"), what may follow "that are" in a query ("red
                or white", "not near the river", "nearest to the bridge"), or nodes of `surveyor.core.conditions`.

        Raises:
            QueryError: words that are not understood; `pointer()` shows them.
            UsageError: the condition contradicts an earlier one.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").where("length > 40 m", "in the top half").words
            'planes longer than 40 m and in the top half'
        """
        found = self
        for condition in conditions:
            if isinstance(condition, str):
                where, picks = terms.condition_in_words(condition, self.selection.phrases)
                found = found._and(*conjuncts(where))._picked(*picks)
            elif isinstance(condition, Pick):
                found = found._picked(condition)
            else:
                found = found._and(_node(condition))
        return found

    def excluding(self, other: RegionSet | str | Condition) -> Self:
        """Those that are not in the other set, or for which a condition does not hold. Also written `a - b`.

        Example:
            >>> from surveyor import Graph
            >>> planes = Graph().ground("plane")
            >>> planes.excluding(planes.largest()).words, planes.excluding("red").words
            ('planes that are not the largest', 'planes that are not red')
        """
        if isinstance(other, RegionSet):
            self.graph.check_same(other)
            same = other.selection.phrases == self.selection.phrases
            if same and other.selection.where is None and not other.selection.picks:
                raise UsageError(f"{self.words!r} without all {other.words!r} leaves nothing; narrow the second down")
            parts = _conditions(other.selection, named=not same)
        elif isinstance(other, str):
            where, picks = terms.condition_in_words(other, self.selection.phrases)
            parts = (*conjuncts(where), *picks)
        else:
            parts = (_node(other),)
        return self._and(Not(condition=_all(parts)))

    def union(self, *others: RegionSet) -> Self:
        """Everything in this set or in one of the others. Also written `a | b`.

        Example:
            >>> from surveyor import Graph
            >>> g = Graph()
            >>> (g.ground("plane").where("length > 40 m") | g.ground("ship")).words
            'planes longer than 40 m, and ships'
        """
        members: tuple[RegionSet, ...] = (self, *others)
        for each in members:
            if not isinstance(each, RegionSet):
                raise UsageError(
                    f"a union is of sets, such as g.ground('ship') or g.find('red cars'), not {shown(each)}"
                )
            self.graph.check_same(each)
            self.graph.check_grounded(each)
        selections = [each.selection for each in members]
        phrases = tuple(dict.fromkeys(phrase for one in selections for phrase in one.phrases))
        if all(one.where is None and not one.picks for one in selections):
            return replace(self, selection=Selection(phrases=phrases))
        one_class = len({one.phrases for one in selections}) == 1
        branches: list[Condition] = []
        for one in selections:
            if one_class:
                parts = _conditions(one, named=False)
                if not parts:
                    return replace(self, selection=Selection(phrases=phrases))
                branches.append(_all(parts))
            else:
                branches += [_all((ClassIs(phrase=name), *_conditions(one, named=False))) for name in one.phrases]
        distinct = tuple(dict.fromkeys(branches))
        where = distinct[0] if len(distinct) == 1 else Or(conditions=distinct)
        return replace(self, selection=Selection(phrases=phrases, where=where))

    __or__ = union
    __sub__ = excluding

    # ---- what the mixins build on ----

    def _and(self, *conditions: Condition) -> Self:
        """The set with further conditions. Ranks that were taken before become conditions before them."""
        if not conditions:
            return self
        old = self.selection
        where = terms.joined([old.where, *old.picks, *conditions])
        expected = None if old.picks else old.expected
        return replace(self, selection=Selection(phrases=old.phrases, where=where, expected=expected))

    def _picked(self, *picks: Pick) -> Self:
        if not picks:
            return self
        old = self.selection
        return replace(self, selection=Selection(phrases=old.phrases, where=old.where, picks=(*old.picks, *picks)))

    def _reference(self, other: RegionSet | str) -> Selection:
        """Another set as a reference: a handle, or a noun phrase in words."""
        if isinstance(other, RegionSet):
            self.graph.check_same(other)
            return other.selection
        if not isinstance(other, str):
            raise UsageError(f"the other set is a RegionSet or words such as 'the river', not {shown(other)}")
        counted = _EACH.match(other)
        if counted:
            rest = other[counted.end() :].strip()
            how = "each=True" if counted[1].lower() in ("all", "every", "each", "both") else "amount='at least 2'"
            raise UsageError(f"{other!r} says how many; say that with {how}, and the set by itself ({rest!r})")
        return terms.set_in_words(other)

    # ---- what people see ----

    def __repr__(self) -> str:
        return f"RegionSet({self.words!r})"

    def _repr_html_(self) -> str:
        """For notebooks: the words and the steps that would find the set."""
        return self.graph.preview(self)


def _node(condition: Any) -> Condition:
    """A typed condition as it is. Raises UsageError for anything else."""
    if isinstance(condition, BaseModel) and "kind" in type(condition).model_fields:
        return cast("Condition", condition)
    raise UsageError(f"a condition is text such as 'length > 40 m' or a typed node, not {shown(condition)}")


def _conditions(selection: Selection, *, named: bool) -> tuple[Condition, ...]:
    """What makes a region belong to the set, as conditions; with its class where `named`."""
    classes: tuple[Condition, ...] = tuple(ClassIs(phrase=phrase) for phrase in selection.phrases) if named else ()
    own = classes if len(classes) < 2 else (Or(conditions=classes),)
    return (*own, *conjuncts(selection.where), *selection.picks)


def _all(parts: tuple[Condition, ...]) -> Condition:
    """What holds where all of one or more conditions do."""
    found = all_of(parts)
    assert found is not None
    return found
