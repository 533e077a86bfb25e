"""Relations to other things: "left of the river", "within 50 m of a road", "between the two tanks"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ...core.conditions import And, Condition, Direction, Not, Or, Quantity, Relation, Selection
from .noun import NounPhrase, disjunction
from .positions import PositionReader
from .vocabulary import AMOUNTS, DIAGONALS, IN_A_ROW, PLACES, RELATIONS, UNITS, UPRIGHT, VIEWPOINT

Quantifier = Literal["any", "all"]
Build = Callable[[Selection, Quantifier], Condition]
_SIDE_WORDS = ("side", "bank", "shore", "flank")
_CLOSER = {"closer than": "within", "nearer than": "within", "farther than": "beyond", "further than": "beyond"}
_FURTHER: dict[str, Direction] = {"up": "above", "down": "below"}


class RelationReader(PositionReader):
    """Reads relations; the noun phrases they refer to come from `references`, which a subclass gives."""

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
        found = self._further() or self._side() or self._toward() or self._plain()
        if found is None:
            self.at = start
            return None
        return self.noted(found, start)

    # ---- forms ----

    def distance(self) -> Condition | None:
        """ "within 50 m of", "at least 2 km away from", "less than 30 px from"."""
        start = self.at
        self.take("at a distance of", "at distances of")
        relation: str | None = "within" if self.take("within", "in a radius of", "within a radius of") else None
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
        if distance is None or not self.take("of", "from", "to"):
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
        if direction is None or not self.take(*_SIDE_WORDS) or not self.take("of"):
            self.at = start
            return None
        meant = direction
        return self._related(lambda s, q: Relation(relation="side", reference=s, direction=meant, quantifier=q))

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
            self.take("to the", "on the", "at the", "to", "on")
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
        if self.take_from(IN_A_ROW):
            if self.sees("with"):
                self.refuse("only 'in a row' is understood, not in line with another thing", start, self.at + 1)
            return Relation(relation="aligned")
        if self.peek_from(VIEWPOINT):
            self.refuse_word("a relation")
        relation = self.take_from(RELATIONS)
        if relation is None:
            return None
        kind, negated = relation.removeprefix("not "), relation.startswith("not ")
        if kind == "inside" and self._place_of_a_thing():
            self.refuse(
                "parts of a thing cannot be asked; say 'inside the harbour' or 'north of the harbour'", start, self.at
            )
        if not self.reference_ahead():
            self.at = start
            return None
        if relation == "between":
            return self._between(start)
        found = self._related(  # "far from all ships" is near none of them
            lambda s, q: Relation(relation=kind, reference=s, quantifier="any" if negated else q),  # type: ignore[arg-type]
            joint=kind == "surrounded",
        )
        return Not(condition=found) if negated else found

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
        shared = bool(rest) and not any(phrase.has_determiner for phrase in rest)
        indefinite = all(phrase.form in ("bare", "a") for phrase in phrases)
        one_set = (word == "or" and (shared or indefinite)) or (
            word == "and" and (joint or (shared and (first.quantifier == "all" or (first.number or 1) > 1)))
        )
        if len(phrases) == 1 or one_set:
            return build(self.selection_of(phrases), first.quantifier or usual)
        for phrase in rest:
            if not phrase.has_determiner:
                phrase.form, phrase.number, phrase.quantifier = first.form, first.number, first.quantifier
        parts = tuple(build(self.selection_of([phrase]), phrase.quantifier or usual) for phrase in phrases)
        return And(conditions=parts) if word == "and" else Or(conditions=parts)


def _word(direction: Direction) -> str:
    return {"above": "top", "below": "bottom"}.get(direction, direction)
