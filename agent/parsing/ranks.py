"""Ranks: "the two largest", "second from the left", "nearest to the bridge", "with the greatest length"."""

from __future__ import annotations

from ...core.conditions import Pick
from .likening import LikenessReader
from .noun import Rank
from .vocabulary import ATTRIBUTES, FARTHEST, FROM_SIDE, PLACES, SUPERLATIVES

_ORDINALS = {
    word: n
    for n, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), start=1
    )
}
HAVING = ("with", "having", "have", "has", "showing")
_GREATEST = {
    "largest": "max",
    "greatest": "max",
    "biggest": "max",
    "longest": "max",
    "maximum": "max",
    "highest": "max",
}
_LEAST = {"smallest": "min", "shortest": "min", "lowest": "min", "minimum": "min", "least": "min"}


class RankReader(LikenessReader):
    """Reads superlatives and ordinals."""

    def noun_follows(self) -> bool:
        """Whether a word that can name a class comes next."""
        raise NotImplementedError

    def ordinal(self) -> int | None:
        """ "second", "2nd"; "last" is 0."""
        word = self.text()
        if word in _ORDINALS:
            self.at += 1
            return _ORDINALS[word]
        if word == "last":
            self.at += 1
            return 0
        if word.isdigit() and self.text(1) in ("st", "nd", "rd", "th"):
            self.at += 2
            return int(word)
        return None

    def ranks(self) -> tuple[int, int] | None:
        """First rank and how many: "second" is (2, 1), "second to fourth" (2, 3), "first three" (1, 3)."""
        start = self.at
        first = self.ordinal()
        if first is None:
            return None
        back = self.at
        if first and self.take("to", "through", "and"):
            last = self.ordinal()
            if last is not None and last > first and (self.tokens[back].text != "and" or last == first + 1):
                return first, last - first + 1
            self.at = back
        if first <= 1:
            number = self.whole_number()
            if number:
                return first, number
        if first > 10_000:
            self.refuse("that rank is out of reach", start, self.at)
        return first, 1

    def rank_side(self, ranks: tuple[int, int]) -> Pick | None:
        """ "from the left", "on the right" after an ordinal; None when no side follows."""
        start = self.at
        if self.take("from", "on", "starting from", "counting from", "counted from") is None:
            return None
        self.take("the")
        side = self.take_from(PLACES)
        if side is not None and side not in FROM_SIDE and self.sees("of"):  # "from the bottom | left of the river"
            self.at -= 1
            side = PLACES.entries.get(self.text(-1))
        self.take("hand")
        self.take("side", "edge")
        if side not in FROM_SIDE:
            self.at = start
            return None
        self.skip_image()
        by, order = FROM_SIDE[side]
        first, count = ranks
        if first == 0 and self.tokens[start].text != "on":  # "last from the left" is the right-most
            order = "min" if order == "max" else "max"
        return Pick(by=by, order=order, first=first or 1, count=count)

    def rank_after(self, predicate: bool) -> Rank | None:
        """A rank that stands after its noun: "nearest to the river", "second from the left", "the two largest"."""
        start = self.at
        self.take("the")
        number = self.whole_number()
        ranks = self.ranks() if number is None else None
        if ranks is not None:
            pick = self.rank_side(ranks)
            if pick is not None:
                return Rank(pick, True)
        kind = self.take_from(SUPERLATIVES)
        if kind is not None and kind[0] == "distance":
            pick = self.distance_pick(kind[1], ranks, number)
            if pick is not None:
                self.skip("one", "ones")
                return Rank(pick, number is not None or ranks is not None)
        elif kind is not None and self._may_stand_alone(predicate, start) and not self.noun_follows():
            self.skip("one", "ones")
            first, count = ranks or (1, number or 1)
            pick = Pick(by=kind[0], order=kind[1], first=first or 1, count=count)
            return Rank(pick, number is not None or ranks is not None)
        self.at = start
        return None

    def _may_stand_alone(self, predicate: bool, start: int) -> bool:
        return predicate or self.tokens[start].text in ("the", *FARTHEST)

    def distance_pick(self, order: str, ranks: tuple[int, int] | None, number: int | None) -> Pick | None:
        """The rest of "nearest to the bridge"; None when no reference follows."""
        back = self.at
        self.take("away")
        self.take("to", "from", "of")
        first, count = ranks or (1, number or 1)
        if (side := self._image_side()) is not None:
            by, end = side
            order = end if order == "min" else ("max" if end == "min" else "min")
            return Pick(by=by, order=order, first=first or 1, count=count)  # type: ignore[arg-type]
        if self._image_centre():
            return Pick(by="centre", order=order, first=first or 1, count=count)  # type: ignore[arg-type]
        if not self.reference_ahead():
            self.at = back
            return None
        phrases, joint = self.references()
        if len(phrases) > 1 and not (joint == "or" or all(phrase.form == "bare" for phrase in phrases)):
            self.refuse("nearest to one thing at a time; ask for each", phrases[1].start)
        if phrases[0].quantifier == "all":
            self.refuse("nearest to each of several cannot be asked; ask for one", phrases[0].start)
        reference = self.selection_of(phrases)
        return Pick(by="distance", order=order, first=first or 1, count=count, reference=reference)  # type: ignore[arg-type]

    def _image_side(self) -> tuple[str, str] | None:
        """ "(nearest to) the left edge of the image": the order that starts there; None (nothing read) otherwise."""
        start = self.at
        self.take("the")
        place = self.take_from(PLACES)
        if place in FROM_SIDE:
            edge = self.take("edge", "border", "side", "margin") is not None
            if self.skip_image() or (edge and not self.sees("of")):
                return FROM_SIDE[place]
        self.at = start
        return None

    def _image_centre(self) -> bool:
        """Moves over "the centre of the image"; whether it did."""
        start = self.at
        self.take("the", "the very")
        if self.take("middle", "centre", "center", "image centre", "image center") and (
            self.skip_image() or not self.sees("of")
        ):
            return True
        self.at = start
        return False

    def having_rank(self) -> Rank | None:
        """ "with the largest area"."""
        start = self.at
        if self.take(*HAVING) is not None:
            found = self.superlative_attribute()
            if found is not None:
                return found
        self.at = start
        return None

    def superlative_attribute(self) -> Rank | None:
        back = self.at
        self.take("the")
        number = self.whole_number()
        ranks = self.ranks() if number is None else None
        order = _GREATEST.get(self.text()) or _LEAST.get(self.text())
        if order is not None:
            self.at += 1
            attribute = self.take_from(ATTRIBUTES)
            if attribute in ("length", "width", "area"):
                first, count = ranks or (1, number or 1)
                pick = Pick(by=attribute, order=order, first=first or 1, count=count)  # type: ignore[arg-type]
                return Rank(pick, number is not None or ranks is not None)
        self.at = back
        return None
