"""Relations to other things: "left of the river", "within 50 m of a road", "between the two tanks"."""

from __future__ import annotations

from typing import Literal

from ...core.conditions import (
    UNCOUNTED,
    Condition,
    CountTest,
    Direction,
    Group,
    Not,
    Relation,
    Selection,
)
from .distances import Build, Quantifier
from .noun import NounPhrase, conjunction, disjunction
from .sides import SideReader
from .vocabulary import (
    AMOUNTS,
    DIAGONALS,
    GROUPS,
    IN_A_ROW,
    OR_MORE,
    PLACES,
    RELATIONS,
    UNITS,
    UPRIGHT,
    VIEWPOINT,
)

_GROUP_RANKS: dict[str, Literal["largest", "smallest"]] = {
    **dict.fromkeys(("largest", "biggest", "longest"), "largest"),
    **dict.fromkeys(("smallest", "shortest"), "smallest"),
}
_FURTHER: dict[str, Direction] = {"up": "above", "down": "below"}


class RelationReader(SideReader):
    """Reads relations; the noun phrases they refer to come from `references`, which a subclass gives."""

    def relation(self) -> Condition | None:
        """A relation; None (nothing read) when the words are none."""
        start = self.at
        if self.text() == "in" and UNITS.match(self.tokens, start + 1):  # "measure the planes in metres"
            return None
        found = (
            self._further() or self._seen_side() or self._side() or self._toward() or self._in_group() or self._plain()
        )
        if found is None:
            self.at = start
            return None
        return self.noted(found, start)

    # ---- forms ----

    def _further(self) -> Condition | None:
        start = self.at
        self.skip("located", "lying")
        if not self.take("further", "farther", "more"):
            return None
        self.take("to the", "in the")
        direction = self.take_from(PLACES)
        if direction is None and self.text() in _FURTHER:
            direction = _FURTHER[self.text()]
            self.at += 1
        if direction is None or not self.take("than"):
            self.at = start
            return None
        meant = direction
        return self.related(lambda s, q: Relation(relation="further", reference=s, direction=meant, quantifier=q))

    def _toward(self) -> Condition | None:
        """ "left of", "to the north-east of", "above", "above and to the left of", "left or right of"."""
        start = self.at
        directions = [self._direction()]
        while self.take("or"):
            directions.append(self._direction())
        found = [direction for direction in directions if direction is not None]
        upright = self.text(-1) not in ("of", "from") and self.text(-1) in UPRIGHT.entries
        of = len(found) == len(directions) and self.take("of", "from") is not None
        if of and self.ended:
            self.refuse_word("a thing, e.g. 'the river'")
        if not (of or (upright and len(found) == len(directions))) or not self.reference_ahead():
            self.at = start
            return None

        def build(reference: Selection, quantifier: Quantifier) -> Condition:
            return disjunction(
                [Relation(relation="toward", reference=reference, direction=d, quantifier=quantifier) for d in found]
            )

        return self.related(build)

    def _direction(self) -> Direction | None:
        """ "to the north", "above", "above and to the left", "to the north and to the east"."""
        start = self.at
        self.take("directly", "immediately", "just", "due")
        direction = self.take_from(UPRIGHT)
        if direction is None:
            self.take("to the immediate", "to the direct", "to the", "on the", "at the", "to", "on")
            direction = self.take_from(PLACES)
        if direction is None:
            self.at = start
            return None
        back = self.at
        if self.take("and to the", "and on the", "and", "to the", "on the"):
            other = self.take_from(UPRIGHT) or self.take_from(PLACES)
            both = DIAGONALS.get(f"{_word(direction)} {_word(other)}") if other else None
            if both is not None and (self.sees("of", "from", "or") or self.text(-1) in UPRIGHT.entries):
                return both
        self.at = back
        return direction

    def _plain(self) -> Condition | None:
        """The relations that are one fixed phrase, "in a row" and "between" among them."""
        start = self.at
        together = self.sees("aligned with each other", "in line with each other")
        if (together or self.peek_from(RELATIONS) != "parallel") and self.take_from(IN_A_ROW):
            return self._row()
        if self.peek_from(VIEWPOINT):
            self.refuse_word("a relation")
        relation = self.take_from(RELATIONS)
        if relation is None:
            return None
        if relation == "not inside" and (place := self.place_alone()) is not None:
            return Not(condition=place)
        kind, negated = relation.removeprefix("not "), relation.startswith("not ")
        if kind == "inside" and self._place_of_a_thing():
            self.refuse(
                "parts of a thing cannot be asked; say 'inside the harbour' or 'north of the harbour'", start, self.at
            )
        if relation != "between" and (either := self._either_relation(relation)) is not None:
            return either
        if not self.reference_ahead():
            self.at = start
            return None
        if relation == "between":
            return self._between(start)
        found = self.related(lambda s, q: _relation(kind, s, "any" if negated else q), joint=kind == "surrounded")
        if kind == "surrounded":
            self.take("on all sides", "from all sides", "on every side", "all around")
        return Not(condition=found) if negated else found

    def _either_relation(self, first: str) -> Condition | None:
        """ "on or next to (the bridge)": one thing, either relation to it."""
        start, kinds = self.at, [first]
        while self.take("or"):
            kinds.append(self.take_from(RELATIONS) or "")
        if len(kinds) < 2 or not all(kinds) or "between" in kinds or not self.reference_ahead():
            self.at = start
            return None

        def build(reference: Selection, quantifier: Quantifier) -> Condition:
            return disjunction([_relation(kind, reference, quantifier) for kind in kinds])

        return self.related(build)

    def _row(self) -> Condition:
        """ "in a row", with "of at least four"."""
        start = self.at
        if self.take("of") and (test := self.amount_of()) is not None:
            return Group(form="row", test=test)
        self.at = start
        return Relation(relation="aligned")

    def _in_group(self) -> Condition | None:
        """ "in a group of at least three", "in the largest group", "in pairs"."""
        begin = self.at
        if not self.take("in", "within", "inside", "part of", "belonging to"):
            return None
        which = self.group_rank()
        if which is None:
            self.take("a", "one", "the", "any")
        form = self.take_from(GROUPS)
        if form is None:
            self.at = begin
            return None
        start = self.at
        if self.take("of"):
            test = self.amount_of()
            if test is None or which is not None:
                self.refuse("a group is told by a number: 'in a group of at least three'", start, self.at + 1)
            return group_condition(form, test, None)
        return group_condition(form, None, which)

    def group_rank(self) -> Literal["largest", "smallest"] | None:
        """ "(the) largest" before "group"; None (nothing read) when no group follows."""
        start = self.at
        self.take("the")
        word = self.take(*_GROUP_RANKS)
        if word is None or self.peek_from(GROUPS) is None:
            self.at = start
            return None
        return _GROUP_RANKS[word]

    def amount_of(self) -> CountTest | None:
        """ "at least three", "three or more", "exactly two", "four" (exactly); None (nothing read) otherwise."""
        start = self.at
        op = self.take_from(AMOUNTS)
        number = self.whole_number()
        if number is None:
            self.at = start
            return None
        more = self.take_from(OR_MORE) if op is None else None
        if more is not None and more[0]:
            self.at = start
            return None
        return CountTest(op=(more[1] if more else op) or "==", n=number)

    def _place_of_a_thing(self) -> bool:
        back = self.at
        self.take("the")
        if self.take_from(PLACES) is not None:
            self.take("part", "end", "half", "corner", "section")
            if self.sees("of"):
                return True
        self.at = back
        return False

    def _between(self, start: int) -> Condition:
        phrases, joint = self.references(pair=True)
        for phrase in phrases:
            self.refuse_amount(phrase)
        for phrase in phrases:  # "between two houses": any two, no promise that there are two
            phrase.number = phrase.number if phrase.form == "the" else None
        if len(phrases) == 2 and joint == "and":
            first, second = (self.selection_of([phrase]) for phrase in phrases)
            return Relation(relation="between", reference=first, second=second)
        if joint == "and":
            self.refuse("'between' takes two things: 'between the river and the road'", start, self.at)
        if phrases[0].plural is False and len(phrases) == 1:
            self.refuse("between this and what? Say 'between the river and the road'", start, self.at)
        return Relation(relation="between", reference=self.selection_of(phrases))

    # ---- references ----

    def _is_pronoun(self, phrase: NounPhrase) -> bool:
        return phrase.selection is not None and phrase.selection == self.referred

    def _of_amount_built(self, build: Build, phrases: list[NounPhrase], usual: Quantifier) -> Condition:
        """The relation to one set; with "at least two ships" it counts, as does a bare number of things."""
        first = phrases[0]
        amount = first.amount
        bare = amount is None and first.form == "bare" and first.quantifier is None and (first.number or 0) > 1
        found = build(self.selection_of(phrases), first.quantifier or ("any" if amount else usual))
        countable = isinstance(found, Relation) and found.relation not in UNCOUNTED
        if amount is not None and not countable:
            self.refuse_amount(first)
        if not countable or not isinstance(found, Relation) or not (amount or bare) or found.reference is None:
            return found
        if amount is None:  # "harbours with two ships" have two of them, "near two ships" is near two
            amount = CountTest(op="==" if found.relation == "contains" else ">=", n=first.number or 0)
        reference = found.reference.model_copy(update={"expected": None} if bare else {})
        return found.model_copy(update={"reference": reference, "amount": amount, "quantifier": "any"})

    def related(self, build: Build, *, joint: bool = False, each: bool = False) -> Condition:
        """The condition over the noun phrases that follow: "near A and B" is both, "near A or B" is either.

        Args:
            build: makes the relation to one set.
            joint: "and" makes one set ("surrounded by trees and houses").
            each: the wording means all of an open set ("more than 50 m from roads").
        """
        phrases, word = self.references()
        usual: Quantifier = "all" if each else "any"
        first, rest = phrases[0], phrases[1:]
        if len(phrases) == 1 and not self._is_pronoun(first):
            self.referred = self.selection_of(phrases)
        shared = bool(rest) and not any(phrase.has_determiner for phrase in rest)
        indefinite = all(phrase.form in ("bare", "a") for phrase in phrases)
        one_set = (word == "or" and (shared or indefinite)) or (
            word == "and" and (joint or (shared and (first.quantifier == "all" or (first.number or 1) > 1)))
        )
        if len(phrases) == 1 or one_set:
            return self._of_amount_built(build, phrases, usual)
        for phrase in phrases:
            self.refuse_amount(phrase)
        for phrase in rest:
            if not phrase.has_determiner:
                phrase.form, phrase.number, phrase.quantifier = first.form, first.number, first.quantifier
        parts = [build(self.selection_of([phrase]), phrase.quantifier or usual) for phrase in phrases]
        both = conjunction(parts) if word == "and" else None
        return both if both is not None else disjunction(parts)


def group_condition(form: str, test: CountTest | None, which: Literal["largest", "smallest"] | None) -> Condition:
    """The condition for a word of `GROUPS`: a row of any number is "in a row", a pair a group of two."""
    if form == "pair":
        return Group(form="group", test=CountTest(op="==", n=2))
    if form == "row" and test is None and which is None:
        return Relation(relation="aligned")
    return Group(form=form, test=test, which=which)  # type: ignore[arg-type]


def _relation(relation: str, reference: Selection, quantifier: Quantifier) -> Condition:
    """The relation of a word of `RELATIONS`; "far from all ships" is near none of them."""
    if relation.startswith("not "):
        return Not(condition=_relation(relation.removeprefix("not "), reference, "any"))
    return Relation(relation=relation, reference=reference, quantifier=quantifier)  # type: ignore[arg-type]


def _word(direction: Direction) -> str:
    return {"above": "top", "below": "bottom"}.get(direction, direction)
