"""Distances to other things: "within 50 m of", "at least 2 km away from", "less than 50 m but more than 10 m from"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ...core.conditions import And, Condition, Quantity, Relation, Selection
from .noun import NounPhrase
from .positions import PositionReader
from .vocabulary import AMOUNTS, PLACES, UNITS

Quantifier = Literal["any", "all"]
Build = Callable[[Selection, Quantifier], Condition]
_CLOSER = {
    **dict.fromkeys(("no farther than", "no further than", "not farther than", "not further than"), "within"),
    "closer than": "within",
    "nearer than": "within",
    "farther than": "beyond",
    "further than": "beyond",
}


class DistanceReader(PositionReader):
    """Reads distances; the noun phrases they refer to come from `references`, which a subclass gives."""

    referred: Selection | None
    """The last thing that a relation of this request named: what "it" stands for inside a relation."""
    owner_follows = False
    """Whether a thing that another has is being read, so that "of it" may speak of the owner."""

    def references(self, *, pair: bool = False) -> tuple[list[NounPhrase], str]:
        """The noun phrases after a relation and the word that joins them ("and", "or", "")."""
        raise NotImplementedError

    def selection_of(self, phrases: list[NounPhrase]) -> Selection:
        """One set from one or several noun phrases."""
        raise NotImplementedError

    def reference_ahead(self) -> bool:
        """Whether a noun phrase comes next."""
        raise NotImplementedError

    def related(self, build: Build, *, joint: bool = False, each: bool = False) -> Condition:
        """The condition over the noun phrases that follow."""
        raise NotImplementedError

    def may_name(self, ahead: int = 0) -> bool:
        """Whether the token may name a class."""
        raise NotImplementedError

    def noun_words(self) -> str:
        """The words of a class name as written, "" when none come next."""
        raise NotImplementedError

    def distance(self) -> Condition | None:
        """ "within 50 m of", "at least 2 km away from", "less than 30 px from"."""
        start = self.at
        self.take("at a distance of", "at distances of")
        relation: str | None = "within" if self.take("within a radius of", "in a radius of", "within") else None
        radius = relation is not None and not self._quantity_follows() and self.take("a", "an") is not None
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
        if distance is not None and (ring := self._ring(start, relation, distance)) is not None:
            return ring
        if distance is not None and relation == "within" and self._of_the_same():
            assert self.referred is not None
            return Relation(relation="within", reference=self.referred, distance=distance)
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
        self._nearest_one()
        return self.related(
            lambda s, q: Relation(relation=kind, reference=s, distance=distance, quantifier=q), each=kind == "beyond"
        )

    def _of_the_same(self) -> bool:
        """Whether "within 20 m" ends here after another relation: "near the river but not within 20 m"."""
        ends = self.ended or self.text() in (",", ".", ")", "?", ";", "and", "or", "but")
        return ends and self.referred is not None and not self.owner_follows

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

    def _nearest_one(self) -> None:
        """Moves over "the nearest" of "100 m from the nearest road": distances are to the nearest anyway."""
        start = self.at
        if self.take("the nearest", "the closest", "its nearest", "their nearest", "any nearby"):
            noun = self.at
            ranked = not self.may_name() or not self.noun_words() or self.sees("to", "from")
            self.at = start if ranked else noun

    def _ring(self, start: int, relation: str, first: Quantity) -> Condition | None:
        """ "less than 50 m but more than 10 m from a crane"; None (nothing read) when no second distance follows."""
        back = self.at
        if not self.take("but", "and", ", but"):
            return None
        op = self.take_from(AMOUNTS)
        if op is None or op == "==" or not self._quantity_follows():
            self.at = back
            return None
        second = self.quantity()
        self.take("away")
        if second is None or second.is_area or first.is_area or not self.take("of", "from", "to"):
            self.at = back
            return None
        other = "beyond" if op in (">", ">=") else "within"
        if other == relation:
            self.refuse("two distances the same way; say 'more than 10 m but less than 50 m from'", start, self.at)
        near, far = (first, second) if relation == "within" else (second, first)

        def build(reference: Selection, quantifier: Quantifier) -> Condition:
            return And(
                conditions=(
                    Relation(relation="within", reference=reference, distance=near, quantifier=quantifier),
                    Relation(relation="beyond", reference=reference, distance=far, quantifier="all"),
                )
            )

        return self.related(build)

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
