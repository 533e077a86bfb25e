"""Relations to other things: "left of the river", "within 50 m of a road", "between the two tanks"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ...core.conditions import (
    UNCOUNTED,
    And,
    Condition,
    CountTest,
    Direction,
    Group,
    Not,
    Quantity,
    Relation,
    Selection,
)
from ...core.inflection import singular
from .noun import NounPhrase, conjunction, disjunction
from .positions import PositionReader
from .vocabulary import (
    AMOUNTS,
    DIAGONALS,
    GROUPS,
    IN_A_ROW,
    OR_MORE,
    PLACES,
    RELATIONS,
    SIDES_OF_VIEW,
    UNITS,
    UPRIGHT,
    VIEWPOINT,
)

Quantifier = Literal["any", "all"]
Build = Callable[[Selection, Quantifier], Condition]
_SIDE_WORDS = ("side", "bank", "shore", "flank")
_CLOSER = {"closer than": "within", "nearer than": "within", "farther than": "beyond", "further than": "beyond"}
_GROUP_RANKS: dict[str, Literal["largest", "smallest"]] = {
    **dict.fromkeys(("largest", "biggest", "longest"), "largest"),
    **dict.fromkeys(("smallest", "shortest"), "smallest"),
}
_CENTRES = ("centre of", "center of", "middle of", "image", "picture", "viewer", "camera")
_FURTHER: dict[str, Direction] = {"up": "above", "down": "below"}


class RelationReader(PositionReader):
    """Reads relations; the noun phrases they refer to come from `references`, which a subclass gives."""

    owner_follows = False
    """Whether a thing that another has is being read, so that "of it" may speak of the owner."""
    antecedent: Selection | None
    """The set that was named before: what "it" stands for where a request begins."""
    referred: Selection | None
    """The last thing that a relation of this request named: what "it" stands for inside a relation."""

    def references(self, *, pair: bool = False) -> tuple[list[NounPhrase], str]:
        """The noun phrases after a relation and the word that joins them ("and", "or", "")."""
        raise NotImplementedError

    def selection_of(self, phrases: list[NounPhrase]) -> Selection:
        """One set from one or several noun phrases."""
        raise NotImplementedError

    def reference_ahead(self) -> bool:
        """Whether a noun phrase comes next."""
        raise NotImplementedError

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

    def distance(self) -> Condition | None:
        """ "within 50 m of", "at least 2 km away from", "less than 30 px from"."""
        start = self.at
        self.take("at a distance of", "at distances of")
        relation: str | None = "within" if self.take("within a radius of", "in a radius of", "within") else None
        radius = relation is not None and self.take("a", "an") is not None
        for words, meaning in _CLOSER.items():
            if relation is None and self.take(words):
                relation = meaning
        if relation is None:
            op = self.take_from(AMOUNTS)
            relation = None if op is None or op == "==" else "beyond" if op in (">", ">=") else "within"
            if op is None:
                relation = "beyond" if self.take("beyond", "outside") else None
        if relation is None or not self._quantity_follows():
            self._refuse_exact_distance(start)
            return None
        distance = self.quantity()
        away = self.take("away")
        radius = radius and self.take("radius", "distance", "range", "perimeter") is not None
        if distance is not None and relation == "within" and (both := self._distance_and_side(start, distance)):
            return both
        if distance is None or not self.take("of", "from", "to", *(("around",) if radius else ())):
            if away:
                self.refuse_word("from what, e.g. 'from the river'")
            self.at = start
            return None
        if distance.is_area:
            self.refuse("a distance is a length; use m, km, ft or px", start, self.at)
        kind: Literal["within", "beyond"] = "within" if relation == "within" else "beyond"
        return self._related(
            lambda s, q: Relation(relation=kind, reference=s, distance=distance, quantifier=q), each=kind == "beyond"
        )

    def _distance_and_side(self, start: int, distance: Quantity) -> Condition | None:
        """ "within 50 m north of the terminal": both of one thing, so that it has to be one ("the ...")."""
        back = self.at
        self.take("to the", "on the")
        direction = self.take_from(PLACES)
        self.take("side")
        if direction is None or not self.take("of") or not self.reference_ahead() or distance.is_area:
            self.at = back
            return None
        stop = self.at
        phrases, joint = self.references()
        if joint or phrases[0].plural is not False or phrases[0].form != "the":
            self.refuse(
                "a distance and a direction from one thing only; say 'within 50 m north of the terminal'", start, stop
            )
        reference, side = self.selection_of(phrases), direction
        near = Relation(relation="within", reference=reference, distance=distance)
        return And(conditions=(near, Relation(relation="toward", reference=reference, direction=side)))

    def speaks_of_owner(self) -> bool:
        """Whether "within 10 m of them" comes next after a thing that another has ("houses with a tree ...")."""
        if not self.owner_follows:
            return False
        back = self.at
        self.take("within") or self.take_from(AMOUNTS) or self.take("closer than", "nearer than")
        found = self.number() is not None and self.take_from(UNITS) is not None
        self.take("away")
        found = found and self.take("of", "from", "to") is not None and self.text() in ("it", "them")
        self.at = back
        return found

    def _quantity_follows(self) -> bool:
        back = self.at
        found = self.number() is not None
        self.at = back
        return found

    def _refuse_exact_distance(self, start: int) -> None:
        """Goes back to `start`; refuses "50 m from" there."""
        self.at = start
        if self._quantity_follows() and self.text(-1) != "of":
            back = self.at
            quantity = self._lenient_quantity()
            if quantity is not None and self.sees("from", "away from", "north", "south", "east", "west", "left of"):
                self.refuse(
                    "exact distances are not met; say 'within 50 m of' or 'more than 50 m from'", back, self.at + 1
                )
        self.at = start

    def _lenient_quantity(self) -> Quantity | None:
        back = self.at
        self.number()
        unit_follows = self.text() not in ("", ",") and self.tokens[self.at].kind == "word"
        self.at = back
        return self.quantity() if unit_follows and self.whole_number() is None else None

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
        return self._related(lambda s, q: Relation(relation="further", reference=s, direction=meant, quantifier=q))

    def _side(self) -> Condition | None:
        """ "on the east bank of the river"; the words before "of" must name a side."""
        start = self.at
        self.take("on", "at", "along", "to")
        self.take("the", "its")
        direction = self.take_from(PLACES)
        self.take("hand")
        if direction is None or (named := self.take(*_SIDE_WORDS)) is None:
            self.at = start
            return None
        sides = [direction, *self._other_sides()]
        if not self.take("of"):
            owned = "its" in [token.text for token in self.tokens[start : start + 3]]
            if len(sides) == 1 and (named in ("bank", "shore") or owned):
                return self._side_of_same(direction, start)
            self.at = start
            return None
        return self._related(
            lambda s, q: disjunction(
                [Relation(relation="side", reference=s, direction=side, quantifier=q) for side in sides]
            )
        )

    def _other_sides(self) -> list[Direction]:
        """ "(on the east bank) or on the west bank (of the river)"."""
        found: list[Direction] = []
        while True:
            start = self.at
            if not self.take("or on the", "or the", "or"):
                return found
            direction = self.take_from(PLACES)
            if direction is None or not self.take(*_SIDE_WORDS):
                self.at = start
                return found
            found.append(direction)

    def _side_of_same(self, direction: Direction, start: int) -> Condition | None:
        """ "(near the river and) on the east bank": a side of the thing named last."""
        reference = self.referred or self.antecedent
        if reference is None:
            if self.skip_image():
                self.at = start
                return None
            self.refuse(f"the bank of what? Say '{' '.join(t.text for t in self.tokens[start : self.at])} of the river'", start, self.at)  # fmt: skip
        return Relation(relation="side", reference=reference, direction=direction)

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

        return self._related(build)

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
        found = self._related(lambda s, q: _relation(kind, s, "any" if negated else q), joint=kind == "surrounded")
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

        return self._related(build)

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

    def _seen_side(self) -> Condition | None:
        """ "on the same side of the river as the church", "on this side of the runway", "across the river from it"."""
        start = self.at
        kind = self.take_from(SIDES_OF_VIEW) or self._side_named(start)
        if isinstance(kind, Selection):
            phrases, joint = self.references()
            return self._across("same_side", phrases, kind) if joint != "and" else None
        if kind is None and self.take("across") and self.reference_ahead():
            phrases, joint = self.references()
            if joint == "and" or not self.take("from"):
                self.at = start
                return None
            return self._as_seen("other_side", phrases, start)
        if kind is None or kind == "across" or not self.reference_ahead():
            self.at = start
            return None
        phrases, joint = self.references()
        if joint == "and":
            self.refuse("the sides of one thing at a time, e.g. 'on the same side of the river as the church'", start)
        if self.take("as" if kind == "same_side" else "from"):
            return self._as_seen(kind, phrases, start)
        if kind == "same_side" and "same" in [token.text for token in self.tokens[start : start + 4]]:
            self.refuse_word("'as' and a thing, e.g. 'on the same side of the river as the church'")
        return self._across(kind, phrases, None)

    def _side_named(self, start: int) -> Selection | None:
        """ "on the terminal side of (the runway)": the thing that names the side; None (nothing read) otherwise."""
        if self.take("on the", "at the", "along the"):
            for length in (1, 2, 3):
                words = [token.text for token in self.tokens[self.at : self.at + length]]
                if len(words) == length and self.text(length) == "side" and self.text(length + 1) == "of":
                    if not all(self.may_name(ahead) for ahead in range(length)):
                        break
                    self.at += length + 2
                    if self.reference_ahead():
                        return Selection(phrases=(singular(" ".join(words)),))
                    break
        self.at = start
        return None

    def may_name(self, ahead: int = 0) -> bool:
        """Whether the token may name a class."""
        raise NotImplementedError

    def _as_seen(self, kind: str, reference: list[NounPhrase], start: int) -> Condition:
        if self.take("the", "me", "us"):
            if self.text(-1) != "the" or (self.take(*_CENTRES) and (self.skip_image() or True)):
                return self._across(kind, reference, None)
            self.at -= 1
        if not self.reference_ahead():
            self.refuse_word("a thing to look from, e.g. 'the church'")
        phrases, joint = self.references()
        if joint == "and" or phrases[0].amount is not None:
            self.refuse("look from one thing at a time", start, self.at)
        return self._across(kind, reference, self.selection_of(phrases))

    def _across(self, kind: str, phrases: list[NounPhrase], viewpoint: Selection | None) -> Condition:
        self.refuse_amount(phrases[0])
        quantifier = phrases[0].quantifier or "any"
        target = self.selection_of(phrases)
        return Relation(relation=kind, reference=target, second=viewpoint, quantifier=quantifier)  # type: ignore[arg-type]

    def refuse_amount(self, phrase: NounPhrase) -> None:
        """Refuses "at least two ships" where no number of things can be asked."""
        if phrase.amount is not None:
            self.refuse("how many cannot be asked here; say 'all ships' or 'one of the ships'", phrase.start, self.at)

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

    def _related(self, build: Build, *, joint: bool = False, each: bool = False) -> Condition:
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
