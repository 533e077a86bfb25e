"""Conditions after a noun or after "is", joined by and, or, not, commas and exceptions.

"or" binds weakest, then "and", "but", commas and plain juxtaposition; "not" reaches over an "or" that follows it
("not red or blue" is neither). A list with commas takes the word of its last joint ("red, blue or white").
"""

from __future__ import annotations

from ...core import lexicon
from ...core.conditions import (
    Changed,
    ClassIs,
    Colour,
    Condition,
    CountTest,
    Group,
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
from .noun import Rank, conjunction, disjunction
from .owning import OwningReader
from .verbs import VERBS
from .vocabulary import (
    APPROXIMATE,
    CHANGES,
    COLOURS,
    IN_A_ROW,
    ORIENTATIONS,
    RELATIONS,
    SHAPES,
    SIZES,
    STANDING,
)

Item = Condition | Rank
_PRONOUNS = ("that", "which", "who")
_SINGULAR_VERBS = ("is", "has", "does", "was", "lies", "stands", "sits", "touches", "contains", "overlaps", "crosses")
_PLURAL_VERBS = ("are", "have", "do", "were", "lie", "stand", "sit", "touch", "contain", "overlap", "cross")
_BY_THEMSELVES = ("by themselves", "by itself", "on their own", "on its own", "all alone", "standing alone", "alone")
_MOORED = ("moored", "docked", "berthed", "anchored")


class ConditionReader(OwningReader):
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
        change = self.take_from(CHANGES)
        if change is not None:
            return self.noted(Changed(word=change), start)  # type: ignore[arg-type]
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
        if self.take(*_BY_THEMSELVES):
            return self.noted(Not(condition=Group(form="group")), start)
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
                    self.related(lambda s, q: Relation(relation="adjacent", reference=s, quantifier=q)), start
                )
            self.at -= moored
            self.skip("directly", "roughly", "approximately")
            rank = self.rank_after(True)
            if rank is not None:
                return rank
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
            if name and (single or (name.endswith("s") and is_plural(name)) or lexicon.concept(name) is not None):
                return self.noted(ClassIs(phrase=singular(name)), start)
        self.at = start
        return None

    def may_name(self, ahead: int = 0) -> bool:
        """Whether the token may name a class."""
        raise NotImplementedError

    def noun_words(self) -> str:
        """The words of a class name as written, "" when none come next."""
        raise NotImplementedError

    def class_name(self) -> str:
        """A class name in the singular. Raises QueryError when none comes next."""
        raise NotImplementedError

    def _lone_adjective(self) -> Condition | None:
        start = self.at
        changed = self.take("changed") is not None  # before a noun it is part of the name
        found = self.noted(Changed(word="changed"), start) if changed else self.adjective()
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
            if self.text() in ("run", "runs", "stretch", "go", "goes"):  # "roads that run roughly parallel to"
                self.at += 1 + (self.text(1) in ("roughly", "approximately"))
        if self.text() in ("is", "are", "was", "were") and self.take("is", "are", "was", "were"):
            predicate = True
        if (predicate and self.text() in ("both", "also", "all", "either") and not self.phrase_ahead()) or (
            self.text() == "either" and self.peek_from(RELATIONS) is None
        ):
            self.at += 1
        if self.text() in ("just", "simply") and self.text(1) == "not":
            self.at += 1
        found = self._negated(predicate) if self._negation() else self._bracket() or self.atom(predicate=predicate)
        if found is None:
            self.at = start
        return found

    def _negation(self) -> bool:
        if self.sees("not as", "not so", "not both"):
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

    # ---- relative clauses ----

    def clause_number(self) -> bool | None:
        """For "that is" False, for "that are" True (plural), None when no relative clause comes or the verb is open."""
        verb = self.text(1)
        return True if verb in _PLURAL_VERBS else False if verb in _SINGULAR_VERBS else None

    def clause_ahead(self) -> bool:
        """Whether a relative clause comes next."""
        return self.text() in _PRONOUNS and self.text(1) not in ("", ".")


def _is_place(item: Item) -> bool:
    return isinstance(item, Position) or _is_place_list(item)


def _is_place_list(item: Item) -> bool:
    """Whether it is "on the right or at the top", which closes a list of places with commas."""
    return isinstance(item, Or) and all(isinstance(part, Position) for part in item.conditions)
