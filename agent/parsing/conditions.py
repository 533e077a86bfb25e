"""Conditions after a noun or after "is", joined by and, or, not, commas and exceptions.

"or" binds weakest, then "and", "but", commas and plain juxtaposition; "not" reaches over an "or" that follows it
("not red or blue" is neither). A list with commas takes the word of its last joint ("red, blue or white").
"""

from __future__ import annotations

from ...core.conditions import (
    And,
    ClassIs,
    Colour,
    Condition,
    CountTest,
    Not,
    Or,
    Orientation,
    Position,
    Provided,
    Relation,
    Shape,
    SizeWord,
)
from ...core.inflection import is_plural, singular
from .noun import NounPhrase, Rank, conjunction, disjunction
from .ranks import HAVING, RankReader
from .verbs import EVERYTHING, VERBS
from .vocabulary import (
    APPROXIMATE,
    ATTRIBUTES,
    COLOURS,
    IN_A_ROW,
    ORIENTATIONS,
    PLACES,
    RELATIONS,
    SHAPES,
    SIZES,
    STANDING,
)

Item = Condition | Rank
_PRONOUNS = ("that", "which", "who")
_SINGULAR_VERBS = ("is", "has", "does", "was", "lies", "stands", "sits", "touches", "contains", "overlaps", "crosses")
_PLURAL_VERBS = ("are", "have", "do", "were", "lie", "stand", "sit", "touch", "contain", "overlap", "cross")
_ROOFS = ("roof", "roofs", "rooftop", "rooftops", "roofing")
_MOORED = ("moored", "docked", "berthed", "anchored")
_EXCEPT = (
    "except for",
    "except",
    "excluding",
    "other than",
    "apart from",
    "besides",
    "not including",
    "not counting",
    "with the exception of",
    "but not",
    "but no",
    "but leave out",
    "leave out",
    "leaving out",
    "but ignore",
    "ignoring",
    "ignore",
    "disregarding",
    "omitting",
    "but skip",
    "skipping",
)


class ConditionReader(RankReader):
    """Reads single conditions and their combinations."""

    # ---- single conditions ----

    def adjective(self) -> Condition | None:
        """A size, shape, colour or orientation word."""
        start = self.at
        if self.text() == "non":
            self.at += 1
            opposite = self.adjective()
            if opposite is None:
                self.refuse_word("a colour or a size after 'non'")
            return Not(condition=opposite)
        size = self.take_from(SIZES)
        if size is not None:
            return self.noted(SizeWord(word=size), start)  # type: ignore[arg-type]
        if self.sees_at(self.at + 1, SHAPES):
            self.take_from(APPROXIMATE)
        shape = self.take_from(SHAPES)
        if shape is not None:
            return self.noted(Shape(word=shape), start)  # type: ignore[arg-type]
        colour = self.take_from(COLOURS)
        if colour is not None:
            self.take("in colour", "in color")
            return self.noted(Colour(word=colour), start)  # type: ignore[arg-type]
        line = self.take_from(ORIENTATIONS)
        if line is not None and self.text(-1) == "running" and self.at > start + 1 and self.noun_follows():
            self.at -= 1  # "horizontal running tracks"
        return None if line is None else self.noted(Orientation(word=line), start)  # type: ignore[arg-type]

    def atom(self, *, predicate: bool) -> Item | None:
        """One condition or rank; None (nothing read) when none comes next.

        Args:
            predicate: after "is" or a joint, where adjectives and superlatives may stand alone.
        """
        start = self.at
        if self.speaks_of_owner():
            return None
        if self.take("of type", "of class"):
            noun = self.class_name()
            return self.noted(ClassIs(phrase=noun), start)
        if self.sees("among the", "one of the"):
            return self._among(start)
        if self.peek_from(ORIENTATIONS) and (predicate or self.text() not in ("horizontal", "vertical", "diagonal")):
            return self.adjective()
        if not self.peek_from(IN_A_ROW) and self.take_from(STANDING):
            moored = self.text(-1) in _MOORED and self.take("at", "to") is not None
            if moored and self.reference_ahead():
                return self.noted(
                    self._related(lambda s, q: Relation(relation="adjacent", reference=s, quantifier=q)), start
                )
            self.at -= moored
            self.skip("directly")
            found = self.position() or self.distance() or self.relation()
            if found is None and (self.ended or self.text() in "?.;" or self._image_ahead()):
                self.at = start
                return None
            if found is None:
                stop = self.at + (self.tokens[self.at].kind == "word")
                self.refuse(f"{self.tokens[start].text!r} needs a place after it, e.g. 'near the river'", start, stop)
            return found
        found = self.likeness() or self.distance() or self.comparison() or self._with() or self._whose()
        found = found or self._covering() or self._provided()
        if found is not None:
            return found
        if predicate:
            adjective = self._lone_adjective() or self._class_said()
            if adjective is not None:
                return adjective
        return self.having_rank() or self.rank_after(predicate) or self.position() or self.relation()

    def _class_said(self) -> Condition | None:
        """ "(that are not) tennis courts", "(that is) a tennis court"."""
        start = self.at
        if self.text(-1) in ("is", "are", "not"):
            single = self.take("a", "an") is not None
            name = self.noun_words() if self.may_name() else ""
            if name and (single or is_plural(name)):
                return self.noted(ClassIs(phrase=singular(name)), start)
        self.at = start
        return None

    def may_name(self, ahead: int = 0) -> bool:
        """Whether the token may name a class."""
        raise NotImplementedError

    def noun_words(self) -> str:
        """The words of a class name as written, "" when none come next."""
        raise NotImplementedError

    def _image_ahead(self) -> bool:
        back = self.at
        found = self.skip_image()
        self.at = back
        return found

    def class_name(self) -> str:
        """A class name in the singular. Raises QueryError when none comes next."""
        raise NotImplementedError

    def _lone_adjective(self) -> Condition | None:
        start = self.at
        found = self.adjective()
        if found is not None and self.noun_follows():
            self.at = start
            return None
        return found

    def _among(self, start: int) -> Condition | None:
        self.take("among", "one of")
        rank = self.rank_after(True)
        if rank is None or (self.text(-1) and self.tokens[start].text == "one"):
            self.at = start
            if self.sees("one of"):
                self.refuse("which one of them? Say 'the largest', or drop 'one of'", start, start + 2)
            return None
        return self.noted(rank.pick, start)

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
        found = self._related(lambda s, q: Relation(relation="contains", reference=s, quantifier=q))
        self.owner_follows = outer
        self.take("in it", "in them", "on it", "on them", "inside", "inside it", "inside them")
        back = self.at
        if self.take("nearby", "close by", "around", "around it", "around them", "in the vicinity"):
            return _moved(found, relation="near")
        if self.take("within"):
            distance = self.quantity() if self._quantity_follows() else None
            if distance is not None and not distance.is_area and not self.sees("of a", "of the", "from"):
                self.take("of it", "of them")
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
        if self.take("covering", "occupying", "that cover", "that occupy", "which cover", "which occupy"):
            found = self.attribute_clause(start) or self.comparison()
        elif self.take("of") and self.peek_from(ATTRIBUTES) is not None:
            found = self.attribute_clause(start)
        elif self.peek_from(ATTRIBUTES) is not None:
            found = self.attribute_clause(start)
        if found is None:
            self.at = start
        return found

    def _whose(self) -> Condition | None:
        start = self.at
        if self.take("whose") is None:
            return None
        if self.take(*_ROOFS) and self.take("is", "are"):
            found = self._colours()
        else:
            found = self.attribute_clause(start)
        if found is None:
            self.refuse_word("e.g. 'whose length is at least 40 m'")
        return found

    def _provided(self) -> Condition | None:
        """ "provided there are more than five ships", "if there are any ships"."""
        start = self.at
        if not self.take("provided that", "provided", "only if", "if", "as long as", "given that"):
            return None
        test = self.there_are()
        if test is None or not self.reference_ahead():
            self.at = start
            return None
        phrases, _ = self.references()
        reference = self.selection_of(phrases)
        return self.noted(Provided(reference=reference, test=test), start)

    def there_are(self) -> CountTest | None:
        """ "there are more than five", "there is a", "there are no"; None when no such words come next."""
        if not self.take("there is", "there are", "the image shows", "the image contains"):
            return None
        if self.take("no", "not any", "zero"):
            return CountTest(op="==", n=0)
        found = self.amount_of()
        if found is not None:
            self.take("of")
            return found
        self.take("any")
        return CountTest(op=">=", n=1)

    # ---- combinations ----

    def factor(self, *, predicate: bool) -> Item | None:
        """A condition with what may stand before it: "that are", "not", "neither", a bracket."""
        start = self.at
        if self.text() in _PRONOUNS:
            self.at += 1
            predicate = True
        if self.text() in ("is", "are", "was", "were") and self.take("is", "are", "was", "were"):
            predicate = True
        if predicate and self.text() in ("both", "also", "all", "either") and not self.phrase_ahead():
            self.at += 1
        found = self._negated(predicate) if self._negation() else self._bracket() or self.atom(predicate=predicate)
        if found is None:
            self.at = start
        return found

    def _negation(self) -> bool:
        if self.sees("not as", "not so"):
            return False
        return self.sees("not", "neither", "do not", "does not") and not self._not_an_amount()

    def _not_an_amount(self) -> bool:
        """Whether "not more than 40 m" comes next, which is an amount of its own."""
        back = self.at
        found = self._amount() is not None
        self.at = back
        return found

    def _negated(self, predicate: bool) -> Item:
        if self.take("neither"):
            parts = [self._required(True)]
            while self.take("nor", "or", ", nor"):
                parts.append(self._required(True))
            found = conjunction([Not(condition=part) for part in parts])
            return found if found is not None else parts[0]
        self.take("not", "do not", "does not")
        bracket = self._bracket()
        if bracket is not None:
            return Not(condition=bracket)
        parts = [self._required(True)]
        back = self.at
        while self.take("or", "nor") and not self.sees("not") and not self.phrase_ahead():
            part = self.factor(predicate=True)
            if part is None or isinstance(part, Rank):
                break
            parts.append(part)
            back = self.at
        self.at = back
        return Not(condition=disjunction(parts))

    def _required(self, predicate: bool) -> Condition:
        start = self.at
        found = self.factor(predicate=predicate)
        if found is None:
            self.refuse_word("a condition, e.g. 'near the river' or 'longer than 40 m'")
        if isinstance(found, Rank):
            return self.noted(found.pick, start)
        return found

    def _bracket(self) -> Condition | None:
        start = self.at
        if not self.take("("):
            return None
        self.deeper()
        items = self.sequence(predicate=True, joints=True, commas=True)
        if not items:
            self.at = start
            self.depth -= 1
            return None
        if not self.take(")"):
            self.refuse_word("a closing bracket")
        self.depth -= 1
        condition, ranks = self.combined(items, start)
        if ranks or condition is None:
            self.refuse("a superlative cannot stand in brackets here", start, self.at)
        return condition

    def phrase_ahead(self) -> bool:
        """Whether a noun phrase comes next."""
        return self.reference_ahead()

    def sequence(self, *, predicate: bool, joints: bool, commas: bool) -> list[tuple[str, Item]]:
        """Conditions with the joint before each ("" for none); stops before a noun phrase or anything else."""
        items: list[tuple[str, Item]] = []
        while True:
            back = self.at
            joint = self.joint(commas) if joints and items else ""
            if joint and self.phrase_ahead():
                self.at = back
                return items
            found = self.factor(predicate=bool(joint) or (predicate and not items))
            if found is None:
                self.at = back
                return items
            items.append((joint, found))

    def joint(self, commas: bool) -> str:
        """Reads a joint: "", ",", "and" or "or"; "but" is "and", and ", or" is "or"."""
        comma = commas and (self.take(",") is not None or self._listed())
        word = self.take("and also", "and", "or", "but also", "but", "as well as", "yet")
        if word is None:
            return "," if comma else ""
        return "or" if word == "or" else "and"

    def _listed(self) -> bool:
        """ "planes; longer than 30 m; on the apron": a semicolon before a condition is a comma."""
        back = self.at
        if not self.take(";") or VERBS.match(self.tokens, self.at) is not None or self.phrase_ahead():
            self.at = back
            return False
        return True

    def combined(self, items: list[tuple[str, Item]], start: int) -> tuple[Condition | None, list[Rank]]:
        """The condition and the ranks of a sequence, by the precedence of the module's docstring."""
        joints = [joint for joint, _ in items]
        for place in range(len(joints) - 1, 0, -1):
            if joints[place] == ",":
                following = [joint for joint in joints[place + 1 :] if joint in ("and", "or")]
                open_list = _is_place(items[place - 1][1]) and _is_place_list(items[place][1])
                joints[place] = following[0] if following else "or" if open_list else "and"
        ranks = [item for _, item in items if isinstance(item, Rank)]
        if ranks and "or" in joints:
            self.refuse("a superlative cannot be one side of an 'or'; ask for the two separately", start, self.at)
        groups: list[list[Condition]] = [[]]
        for joint, (_, item) in zip(joints, items, strict=True):
            if joint == "or":
                groups.append([])
            if not isinstance(item, Rank):
                groups[-1].append(item)
        parts = [part for part in (conjunction(group) for group in groups) if part is not None]
        return (disjunction(parts) if parts else None), ranks

    # ---- exceptions ----

    def exceptions(self, head: NounPhrase) -> list[Condition]:
        """ "except the largest", "other than the ships", "but not those near the river"; empty when none comes."""
        start = self.at
        self.take(",")
        if not self.sees("but not", "but no"):
            self.take("and", "but") if self.text(1) in ("not", "without") or self.sees("and") else None
        if self.take(*_EXCEPT, "not", "without", "but") is None or not self._exception_ahead(start):
            self.at = start
            return []
        found: list[Condition] = []
        while True:
            found.append(self._exception(head))
            back = self.at
            if not (self.take(", and", ", or", ",", "and", "or", "nor") and self._exception_ahead(back)):
                self.at = back
                return found

    def _exception_ahead(self, start: int) -> bool:
        if self.phrase_ahead():
            return self.text(-1) not in ("without", "but") or self.tokens[start - 1].text in EVERYTHING
        back = self.at
        found = self.rank_after(True) is not None or self.ones_ahead()
        if not found and self.text(-1) in ("except", "for", "excluding"):
            found = self.factor(predicate=True) is not None
        self.at = back
        return found

    def ones_ahead(self) -> bool:
        """Whether "those", "the ones" or "the white ones" comes next."""
        raise NotImplementedError

    def _exception(self, head: NounPhrase) -> Condition:
        start = self.at
        rank = self.rank_after(True)
        if rank is not None:
            return self.noted(Not(condition=rank.pick), start)
        if not self.phrase_ahead() and not self.ones_ahead():
            return self.noted(Not(condition=self._required(True)), start)
        return self.noted(Not(condition=self.excepted(head)), start)

    def excepted(self, head: NounPhrase) -> Condition:
        """The condition that a noun phrase after "except" stands for."""
        raise NotImplementedError

    # ---- relative clauses ----

    def clause_number(self) -> bool | None:
        """For "that is" False, for "that are" True (plural), None when no relative clause comes or the verb is open."""
        verb = self.text(1)
        return True if verb in _PLURAL_VERBS else False if verb in _SINGULAR_VERBS else None

    def clause_ahead(self) -> bool:
        """Whether a relative clause comes next."""
        return self.text() in _PRONOUNS and self.text(1) not in ("", ".")


def _moved(found: Condition, **changes: object) -> Condition:
    """ "without a tank next to them": the relation of what a thing has, where the words tell another than inside."""
    if isinstance(found, Relation):
        return found.model_copy(update=changes)
    assert isinstance(found, And | Or)
    parts = tuple(_moved(part, **changes) for part in found.conditions)
    return found.model_copy(update={"conditions": parts})


def _is_place(item: Item) -> bool:
    return isinstance(item, Position) or _is_place_list(item)


def _is_place_list(item: Item) -> bool:
    """Whether it is "on the right or at the top", which closes a list of places with commas."""
    return isinstance(item, Or) and all(isinstance(part, Position) for part in item.conditions)
