"""A noun phrase while it is being read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ...core.conditions import And, Condition, CountTest, Or, Pick, Selection, all_of


@dataclass(frozen=True)
class Rank:
    """A superlative or ordinal as read; the count may depend on the noun's number ("the largest planes")."""

    pick: Pick
    counted: bool


@dataclass
class NounPhrase:
    """Determiner, adjectives, noun and what follows it.

    Args:
        start: token where it begins.
        phrases: singular class phrases; () for an ellipsis ("the largest").
        form: kind of determiner.
        has_determiner: whether it has one of its own, or a number or rank.
        plural: number of the noun; None when its form does not tell.
        number: "the two planes": 2.
        top: "the top ten", which has to say by what.
        other_at: where "other" stood in "the other bridge".
        quantifier: "all", or "any" where the wording says "at least one of"; None when left open.
        amount: "at least two ships", of a reference.
        group: "(groups of three) ships": the condition that stands for it.
        adjectives: conditions before the noun.
        posts: condition after the noun.
        ranks: picks in order.
        others: further ranks that share the noun ("the largest and the smallest plane").
        base: the set it picks from ("the largest of the planes", "the largest one").
        switched: `base` is of another kind than the set named before ("the white planes ... the red ones").
        selection: complete already (it stood in brackets).
        divided: `posts` in two, where its last part was joined by nothing: "(planes) on the apron | shorter than 60 m".
        points_back: its conditions name the set before it in a list ("the runway and the planes near it").
    """

    start: int
    phrases: tuple[str, ...] = ()
    form: Literal["bare", "the", "a", "all"] = "bare"
    has_determiner: bool = False
    plural: bool | None = None
    number: int | None = None
    quantifier: Literal["any", "all"] | None = None
    amount: CountTest | None = None
    group: Condition | None = None
    adjectives: list[Condition] = field(default_factory=list)
    posts: Condition | None = None
    ranks: list[Rank] = field(default_factory=list)
    others: list[Rank] = field(default_factory=list)
    base: Selection | None = None
    switched: bool = False
    selection: Selection | None = None
    points_back: bool = False
    top: bool = False
    other_at: int | None = None
    divided: tuple[Condition | None, Condition] | None = None

    @property
    def likeness(self) -> tuple[str, bool]:
        """What makes two noun phrases parallel: definite or open, and singular or plural."""
        return ("the" if self.form == "the" else "a" if self.form == "a" else "open", self.plural is not False)

    @property
    def expected(self) -> int | None:
        """How many the wording promises."""
        if self.ranks:
            return None
        if self.number is not None:
            return self.number or None
        return 1 if self.form == "the" and self.plural is False else None


def conjunction(parts: list[Condition]) -> Condition | None:
    """All of the parts, flat and without repetition; None for no parts."""
    flat: list[Condition] = []
    for part in parts:
        flat += [one for one in (part.conditions if isinstance(part, And) else (part,)) if one not in flat]
    return all_of(flat)


def disjunction(parts: list[Condition]) -> Condition:
    """Any of the parts, flat and without repetition; at least one part."""
    flat: list[Condition] = []
    for part in parts:
        flat += [one for one in (part.conditions if isinstance(part, Or) else (part,)) if one not in flat]
    return flat[0] if len(flat) == 1 else Or(conditions=tuple(flat))
