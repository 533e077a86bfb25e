"""Sizes against another thing or against its own other side: "longer than the bridge", "twice as long as wide"."""

from __future__ import annotations

from typing import Literal

from ...core.conditions import Aspect, CompareWith, Comparison, Condition, Selection
from ...core.inflection import singular
from .noun import NounPhrase, conjunction
from .relations import RelationReader
from .tokens import PhraseTable

Size = Literal["length", "width", "area", "aspect"]
_FACTORS = {"twice": 2.0, "thrice": 3.0, "half": 0.5, "double": 2.0, "triple": 3.0}
_EQUALLY: dict[str, Size] = {
    "long": "length",
    "wide": "width",
    "broad": "width",
    "large": "area",
    "big": "area",
    "elongated": "aspect",
}
_NAMED: dict[str, Size] = {
    "length": "length",
    "width": "width",
    "size": "area",
    "area": "area",
    "aspect ratio": "aspect",
}
_EACH_OTHER = ("every other", "all other", "all the other", "all of the other", "any other")
_THE_OTHERS = ("all others", "all the others", "all of the others", "all other ones", "the others", "any other one")
_OPS: PhraseTable[Comparison] = PhraseTable(
    {
        **dict.fromkeys(("more than", "over", "greater than"), ">"),
        **dict.fromkeys(("at least", "no less than", "not less than"), ">="),
        **dict.fromkeys(("less than", "under", "not even"), "<"),
        **dict.fromkeys(("at most", "no more than", "not more than", "up to"), "<="),
        **dict.fromkeys(("exactly", "just"), "=="),
    }
)
_OWN_WIDTH = ("they are wide", "it is wide", "wide", "they are broad", "it is broad", "broad")


class LikenessReader(RelationReader):
    """Reads comparisons with another region."""

    opened: list[NounPhrase]
    antecedent: Selection | None

    def likeness(self) -> Condition | None:
        """ "as long as the bridge", "at least twice as wide as the road", "the same length as the ship"; else None."""
        start = self.at
        negated = self.sees("not as", "not so") and self.take("not") is not None
        op = self.take_from(_OPS)
        factor = self.factor_of()
        found = self._as_as(start, "<" if negated else op or "==", factor or 1.0)
        if found is None and not negated:
            found = self._named_size(op or "==", factor)
        if found is None:
            self.at = start
            return None
        return self.noted(found, start)

    def factor_of(self) -> float | None:
        """ "twice", "3 times", "half"; None (nothing read) when no factor comes next."""
        start = self.at
        if self.text() in _FACTORS:
            self.at += 1
            return _FACTORS[self.tokens[start].text]
        value = self.number()
        if value is not None and value > 0 and self.take("times", "x"):
            return value
        self.at = start
        return None

    def _as_as(self, start: int, op: Comparison, factor: float) -> Condition | None:
        if not self.take("as", "so"):
            return None
        size = _EQUALLY.get(self.text())
        if size is None or self.text(1) != "as":
            return None
        self.at += 2
        if size == "length" and self.take(*_OWN_WIDTH):
            return Aspect(op=op, ratio=factor)
        if not self.reference_ahead() and not self.sees("average", "the average", "the mean"):
            self.refuse_word("a thing to compare with, e.g. 'as long as the bridge', or 'wide'")
        return self.compared_with(start, size, op, factor)

    def _named_size(self, op: Comparison, factor: float | None) -> Condition | None:
        """ "(of) the same length as the ship", "twice the length of the ship"."""
        start = self.at
        if factor is None:
            self.take("of", "with", "having")
            if not self.take("the same", "equal"):
                return None
            joint = "as"
        elif self.take("the", "its", "their"):
            joint = "of"
        else:
            return None
        name = self.take(*_NAMED)
        if name == "length" and joint == "of" and self.sees("width"):
            return None
        if name is None or not self.take(joint) or not self.reference_ahead():
            return None
        return self.compared_with(start, _NAMED[name], op, factor or 1.0)

    def compared_with(self, start: int, attribute: str, op: Comparison, factor: float = 1.0) -> Condition:
        """The rest of "longer than the bridge": the thing, or "3 times its width"."""
        size: Size = "area" if attribute in ("size", "") else attribute  # type: ignore[assignment]
        if factor == 1.0:
            factor = self.factor_of() or 1.0
            if size == "length" and self.take("its own width", "its width", "their width", "the width"):
                return self.noted(Aspect(op=op, ratio=factor), start)
            if size == "length" and self.take(*_OWN_WIDTH):
                return self.noted(Aspect(op=op, ratio=factor), start)
        if size not in ("length", "width", "area", "aspect"):
            self.refuse(
                f"the {size} can be compared with a number only, e.g. 'a {size} of at least 40 m'", start, self.at
            )
        head = self.opened[0].phrases if self.opened else ()
        if head and self.take(*_THE_OTHERS):
            others = Selection(phrases=head)
            return self.noted(
                CompareWith(attribute=size, op=op, reference=others, factor=factor, quantifier="all"), start
            )
        if self.sees("average", "the average", "an average", "mean", "the mean"):
            return self._with_average(head, size, op, factor, start)
        if head and self.antecedent is None and self.sees("the one", "the ones", "that", "those", "any other"):
            return self._with_one_of(head, size, op, factor, start)
        if not self.reference_ahead() and not self.sees(*_EACH_OTHER):
            self.refuse_word("a number and a unit, e.g. '40 m', or a thing, e.g. 'the bridge'")
        each = (self.sees("any") and not self.sees("any of")) or self.take(*_EACH_OTHER) is not None
        phrases, joint = self.references()
        if joint == "and" and len(phrases) > 1:
            return self._both(phrases, size, op, factor, start)
        return self.noted(self._compared_with_one(phrases, size, op, factor, each), start)

    def _with_average(self, head: tuple[str, ...], size: Size, op: Comparison, factor: float, start: int) -> Condition:
        """ "(larger than) average", "the average ship", "the average of ships near the quay"."""
        self.take("the", "an")
        self.take("average", "mean")
        self.take("one", "size", "length", "width", "area")
        if self.take("of", "for"):
            reference = self.selection_of(self.references()[0])
        else:
            name = self.noun_words() if self.may_name() else ""
            reference = Selection(phrases=(singular(name),) if name else head)
        return self.noted(
            CompareWith(attribute=size, op=op, reference=reference, factor=factor, quantifier="mean"), start
        )

    def noun_words(self) -> str:
        """The words of a class name as written, "" when none come next."""
        raise NotImplementedError

    def _with_one_of(self, head: tuple[str, ...], size: Size, op: Comparison, factor: float, start: int) -> Condition:
        """ "(tanks bigger than) the one nearest to the road": another of the same class."""
        self.antecedent = Selection(phrases=head)
        try:
            phrases = [self.noun_phrase(nested=True)]
        finally:
            self.antecedent = None
        if phrases[0].base is None:
            self.refuse_word("a number and a unit, e.g. '40 m', or a thing, e.g. 'the bridge'")
        return self.noted(self._compared_with_one(phrases, size, op, factor, False), start)

    def noun_phrase(self, *, nested: bool, elliptic: bool = False) -> NounPhrase:
        """One noun phrase with the conditions that belong to it."""
        raise NotImplementedError

    def _both(self, phrases: list[NounPhrase], size: Size, op: Comparison, factor: float, start: int) -> Condition:
        parts = [self._compared_with_one([phrase], size, op, factor, False) for phrase in phrases]
        found = conjunction(parts)
        assert found is not None
        return self.noted(found, start)

    def _compared_with_one(
        self, phrases: list[NounPhrase], size: Size, op: Comparison, factor: float, each: bool
    ) -> Condition:
        first = phrases[0]
        self.refuse_amount(first)
        reference = self.selection_of(phrases)
        quantifier = first.quantifier or ("any" if not each and (is_single(reference) or first.form == "a") else "all")
        return CompareWith(attribute=size, op=op, reference=reference, factor=factor, quantifier=quantifier)


def is_single(selection: Selection) -> bool:
    """Whether the words name one thing ("the bridge", "the longest ship")."""
    return (selection.picks[-1].count if selection.picks else selection.expected) == 1
