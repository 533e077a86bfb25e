"""Sides of long things: "on the east bank of the river", "on the same side as the church", "on this side of"."""

from __future__ import annotations

from ...core import lexicon
from ...core.conditions import Condition, Direction, Relation, Selection
from ...core.inflection import singular
from .distances import DistanceReader
from .noun import NounPhrase, disjunction
from .vocabulary import PLACES, SIDES_OF_VIEW

_BANKED = ("river", "water", "canal", "stream", "lake", "waterway")
_SIDE_WORDS = ("side", "bank", "shore", "flank")
_CENTRES = ("centre of", "center of", "middle of", "image", "picture", "viewer", "camera")


class SideReader(DistanceReader):
    """Reads sides."""

    antecedent: Selection | None
    """The set that was named before: what "it" stands for where a request begins."""
    referred: Selection | None
    """The last thing that a relation of this request named: what "it" stands for inside a relation."""

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
        return self.related(
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
        if self.skip_image():
            self.at = start
            return None
        named = self.tokens[self.at - 1].text
        if named == "bank":  # banks are a river's
            wet = self.referred is not None and any(lexicon.concept(name) in _BANKED for name in self.referred.phrases)
            reference = self.referred if wet and self.referred else Selection(phrases=("river",))
            return Relation(relation="side", reference=reference, direction=direction)
        before = self.referred or self.antecedent
        if before is None:
            side = " ".join(token.text for token in self.tokens[start : self.at])
            self.refuse(f"the {named} of what? Say '{side} of the river'", start, self.at)
        return Relation(relation="side", reference=before, direction=direction)

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
