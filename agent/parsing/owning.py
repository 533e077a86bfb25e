"""What a thing has: "with a pool", "without trees within 20 m", "whose area is over 2 ha", "with a red roof"."""

from __future__ import annotations

from ...core.conditions import And, Colour, Condition, Not, Or, Orientation, Relation
from .noun import disjunction
from .ranks import HAVING, RankReader
from .vocabulary import ATTRIBUTES, COLOURS, LINES, PLACES, RELATIONS

_AXES = ("long side", "long axis", "longer side", "length", "axis")
_RUNS = ("runs", "run", "points", "point", "lies", "goes", "stretches")
_ROOFS = ("roof", "roofs", "rooftop", "rooftops", "roofing")
_NEARER = (
    "within a radius of", "in a radius of", "within a distance of", "at a distance of less than", "within", "inside",
    "closer than", "nearer than", "no farther than", "no further than",
)  # fmt: skip


class OwningReader(RankReader):
    """Reads what things have."""

    def _with(self) -> Condition | None:
        start = self.at
        negative = self.take("without") is not None
        if not negative and self.take(*HAVING) is None:
            return None
        if self.superlative_attribute() is not None:
            self.at = start
            return None
        if not negative:
            sized = not self._amount_ahead() or self._unit_after_amount()
            found = self.attribute_clause(start) or (self.comparison() if sized else None)
            if found is not None:
                return found
            negative = self.take("no", "not any") is not None
        roof = self._roof()
        if roof is not None:
            return self.noted(Not(condition=roof) if negative else roof, start)
        if not self.reference_ahead():
            self.at = start
            return None
        owner = self.at
        found = self._had()
        self._refuse_own_side(owner)
        return self.noted(Not(condition=found) if negative else found, start)

    def _roof(self) -> Condition | None:
        """ "(with) a red roof": the colour that is seen of a building."""
        start = self.at
        self.take("a", "an", "the")
        colours = self._colours()
        if colours is not None and self.take(*_ROOFS):
            return colours
        self.at = start
        return None

    def _colours(self) -> Condition | None:
        """ "red", "grey or brown"; "grey and brown" of many things is either too."""
        found: list[Condition] = []
        while (colour := self.take_from(COLOURS)) is not None:
            found.append(Colour(word=colour))  # type: ignore[arg-type]
            back = self.at
            if not self.take("or", "and", ", or", ",") or self.peek_from(COLOURS) is None:
                self.at = back
                break
        return disjunction(found) if found else None

    def _refuse_own_side(self, start: int) -> None:
        """Refuses "(with a pool) on the north side": a side of the thing, which would pass for one of the image."""
        back = self.at
        for place in range(start, back + 1):
            self.at = place
            if not self.take("on the", "at the", "to the", "on its", "on their") or not self.take_from(PLACES):
                continue
            if self.take("side", "end", "hand side") and not self._image_ahead() and not self.sees("of"):
                self.refuse(
                    "on which side a thing has another cannot be asked; turn it round: 'pools north of a house'",
                    place,
                    self.at,
                )
        self.at = back

    def _had(self) -> Condition:
        """What a thing has: inside it, or where the words go on "next to them", "nearby", "within 50 m"."""
        outer, self.owner_follows = self.owner_follows, True
        found = self.related(lambda s, q: Relation(relation="contains", reference=s, quantifier=q))
        self.owner_follows = outer
        if not (self.sees("inside") and self._number_ahead(1)):
            self.take("in it", "in them", "on it", "on them", "inside it", "inside them", "inside")
        back = self.at
        if self.take("nearby", "close by", "around", "around it", "around them", "in the vicinity"):
            return _moved(found, relation="near")
        if self.take(*_NEARER):
            distance = self.quantity() if self._quantity_follows() else None
            if distance is not None and not distance.is_area and not self.sees("of a", "of the", "from a", "from the"):
                self.take(
                    "of it",
                    "of them",
                    "away from it",
                    "away from them",
                    "from it",
                    "from them",
                    "to it",
                    "to them",
                    "away",
                )
                return _moved(found, relation="within", distance=distance)
            self.at = back
        kind = self.take_from(RELATIONS)
        if kind in ("near", "adjacent") and self.take("it", "them"):
            return _moved(found, relation=kind)
        self.at = back
        if self.take("less than", "not more than", "no more than", "at most", "under", "closer than", "up to"):
            distance = self.quantity() if self._quantity_follows() else None
            if (
                distance is not None
                and not distance.is_area
                and self.take("away from it", "away from them", "from it", "from them", "away")
            ):
                return _moved(found, relation="within", distance=distance)
        self.at = back
        return found

    def _covering(self) -> Condition | None:
        """ "covering more than 400 px2", "occupying an area of 2 ha", "of length 1 km or more"."""
        start = self.at
        found = None
        if self.take("of", "with") and (colours := self._colours()) is not None and self.take("colour", "color"):
            return self.noted(colours, start)
        self.at = start
        covers = self.text(-1) in ("that", "which") and self.take("cover", "covers", "occupy", "occupies")
        if covers or self.take("covering", "occupying"):
            found = self.attribute_clause(start) or self.comparison()
        elif (self.take("of") and self.peek_from(ATTRIBUTES) is not None) or self.peek_from(ATTRIBUTES) is not None:
            found = self.attribute_clause(start)
        if found is None:
            self.at = start
        return found

    def _whose(self) -> Condition | None:
        start = self.at
        if self.take("whose") is None:
            return None
        if (self.take(*_ROOFS) and self.take("is", "are")) or (
            self.take("colour", "color", "colours", "colors") and self.take("is", "are")
        ):
            found = self._colours()
        elif self.take(*(f"{axis} {runs}" for axis in _AXES for runs in _RUNS)):
            line = next((line for line, forms in LINES.items() if self.take(*forms)), None)
            found = None if line is None else Orientation(word=line)  # type: ignore[arg-type]
        elif self.take("distance to", "distance from"):
            found = self._whose_distance()
        else:
            found = self.attribute_clause(start)
        if found is None:
            self.refuse_word("e.g. 'whose length is at least 40 m'")
        return found

    def _whose_distance(self) -> Condition | None:
        """ "(whose distance to) the river is under 100 feet"."""
        phrases, _ = self.references()
        if not self.take("is", "are"):
            self.refuse_word("e.g. 'whose distance to the river is under 100 m'")
        op = self._amount()
        distance = self.quantity() if op is not None else None
        if op is None or op == "==" or distance is None or distance.is_area:
            self.refuse_word("e.g. 'under 100 m' or 'more than 100 m'")
        far = op in (">", ">=")
        return Relation(
            relation="beyond" if far else "within",
            reference=self.selection_of(phrases),
            distance=distance,
            quantifier=phrases[0].quantifier or ("all" if far else "any"),
        )

    def _image_ahead(self) -> bool:
        back = self.at
        found = self.skip_image()
        self.at = back
        return found


def _moved(found: Condition, **changes: object) -> Condition:
    """ "without a tank next to them": the relation of what a thing has, where the words tell another than inside."""
    if isinstance(found, Relation):
        return found.model_copy(update=changes)
    assert isinstance(found, And | Or)
    parts = tuple(_moved(part, **changes) for part in found.conditions)
    return found.model_copy(update={"conditions": parts})
