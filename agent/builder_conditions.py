"""What can be asked of a set in the builder: conditions on a thing alone, and sizes. One line a condition."""

from __future__ import annotations

import numbers
import re
from typing import Any, Self, get_args

from ..core.changes import changed_thing
from ..core.conditions import (
    Among,
    Aspect,
    Changed,
    ClassIs,
    Colour,
    Compare,
    CompareWith,
    Comparison,
    Condition,
    CountTest,
    Group,
    InBox,
    Orientation,
    Position,
    Quantity,
    Relation,
    Selection,
    Shape,
    SizeWord,
)
from ..core.errors import UsageError
from . import builder_terms as terms
from .builder_values import positive, shown, whole, word_of, yes_or_no

Amount = str | Quantity
_SAME_WORDS = {"gray": "grey", "big": "large", "little": "small"}
_AVERAGE = re.compile(r"\s*(?:the\s+)?(?:average|mean)(?:\s+of\s+(?P<whose>.+))?\s*", re.IGNORECASE | re.DOTALL)
_CALLED: dict[type[Any], str] = {
    Colour: "colour",
    SizeWord: "size",
    Shape: "shape",
    Orientation: "direction",
    Changed: "change",
}


class Conditioned:
    """The methods of a `RegionSet` that narrow it down without another set (or compare its sizes with one)."""

    selection: Selection

    def _and(self, *conditions: Condition) -> Self:
        raise NotImplementedError

    def _reference(self, other: Any) -> Selection:
        raise NotImplementedError

    def _one_word(self, kind: type[Any], word: str) -> Self:
        """A condition that is one word of a closed list; the list is read from the node."""
        known = get_args(kind.model_fields["word"].annotation)
        plain = word.strip().lower() if isinstance(word, str) else word
        meant = next((right for said, right in _SAME_WORDS.items() if said == plain), plain)
        return self._and(terms.checked(kind, word=word_of(meant, known, f"a {_CALLED[kind]}")))

    # ---- on a thing alone ----

    def coloured(self, word: str) -> Self:
        """Those of that dominant colour.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("storage tank").coloured("white").words
            'white storage tanks'
        """
        return self._one_word(Colour, word)

    def changed(self, word: str) -> Self:
        """Those that are "new", "gone" or "altered", of a set of changes (`Graph.changes`).

        Example:
            >>> from surveyor import Graph
            >>> Graph().changes("house").changed("gone").words
            'gone houses'
        """
        if not all(changed_thing(phrase) is not None for phrase in self.selection.phrases):
            named = self.selection.phrases[0]
            raise UsageError(
                f"only changes are {shown(word)}: begin with g.changes({named!r}), not g.ground({named!r})"
            )
        return self._one_word(Changed, word)

    def sized(self, word: str) -> Self:
        """Those that are "large" or "small" among their class.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("ship").sized("large").words
            'large ships'
        """
        return self._one_word(SizeWord, word)

    def shaped(self, word: str) -> Self:
        """Those that are "elongated" or "square".

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("building").shaped("square").words
            'square buildings'
        """
        return self._one_word(Shape, word)

    def oriented(self, word: str) -> Self:
        """Those whose long axis is "horizontal" (east-west), "vertical" (north-south) or "diagonal".

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").oriented("diagonal").words
            'diagonal planes'
        """
        return self._one_word(Orientation, word)

    def at(self, place: str, frame: str = "cell") -> Self:
        """Those at a place of the image.

        Args:
            place: "top", "bottom", "left", "right", "top left" and so on, "center".
            frame: "cell" of the 3x3 grid, "half", "quadrant", or "edge" (touching the border; place "any" for all).

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").at("top", "half").words
            'planes in the top half'
        """
        if isinstance(place, str):
            place = place.lower().replace("centre", "center").replace("upper", "top").replace("lower", "bottom")
        known = word_of(place, get_args(Position.model_fields["place"].annotation), "a place")
        kind = word_of(frame, get_args(Position.model_fields["frame"].annotation), "a frame")
        return self._and(terms.checked(Position, frame=kind, place=known))

    def in_box(self, x0: int, y0: int, x1: int, y1: int, *, unit: str = "thousandths") -> Self:
        """Those inside a box of the image: left, top, right, bottom.

        Args:
            x0, y0, x1, y1: whole numbers, in thousandths of the image's width and height, or px.
            unit: "thousandths" or "px".

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").in_box(100, 200, 400, 500).words
            'planes in the box [100, 200, 400, 500]'
        """
        sides = [whole(side, "a side of the box", "in_box(100, 200, 400, 500)", least=0) for side in (x0, y0, x1, y1)]
        known = word_of(unit, get_args(InBox.model_fields["unit"].annotation), "a unit of boxes")
        return self._and(terms.checked(InBox, xyxy=sides, unit=known))

    def of_class(self, phrase: str) -> Self:
        """Those found under that class name, in a set of several classes.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane", "ship").of_class("ship").words
            'planes and ships that are of type ship'
        """
        return self._and(ClassIs(phrase=terms.class_name(phrase)))

    def of_ids(self, *ids: str) -> Self:
        """Those of these ids, as an earlier answer on the same image named them.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").of_ids("plane-3").selection.where.ids
            ('plane-3',)
        """
        wrong = [each for each in ids if not isinstance(each, str) or not each.strip()]
        if wrong or not ids:
            given = shown(wrong[0]) if wrong else "nothing"
            raise UsageError(f"an id is text such as 'plane-3', as answers name regions, not {given}")
        return self._and(Among(ids=ids))

    def in_a_row(self, members: str | CountTest | None = None, *, which: str | None = None) -> Self:
        """Those in a row of three or more; of so many members ("at least 5"), or of the "largest" or "smallest" row.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").in_a_row().words
            'planes in a row'
        """
        if members is None and which is None:
            return self._and(Relation(relation="aligned"))
        return self._grouped("row", members, which)

    def in_a_group(self, members: str | CountTest | None = None, *, which: str | None = None) -> Self:
        """Those that stand close together with others of the set; arguments as in `in_a_row`.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").in_a_group("at least 3").selection.where.test.n
            3
        """
        return self._grouped("group", members, which)

    def _grouped(self, form: str, members: str | CountTest | None, which: str | None) -> Self:
        test = None if members is None else terms.count_test(members)
        named = None if which is None else word_of(which, ("largest", "smallest"), "'which'")
        return self._and(terms.checked(Group, form=form, test=test, which=named))

    # ---- sizes ----

    def compare(self, attribute: str, op: str, amount: Amount | float) -> Self:
        """Those whose attribute compares so with an amount (a bare number for the aspect).

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("plane").compare("length", "at least", "40 m").words
            'planes at least 40 m long'
        """
        known = word_of(attribute, (*get_args(Compare.model_fields["attribute"].annotation), "aspect"), "an attribute")
        meant = terms.comparison(op)
        if known == "aspect":
            ratio = positive(amount, "an aspect ratio", "compare('aspect', '>', 3)", zero=True)
            return self._and(Aspect(op=meant, ratio=ratio))
        return self._and(terms.checked(Compare, attribute=known, op=meant, quantity=terms.quantity(amount)))

    def longer_than(self, other: Any, *, times: float = 1.0, each: bool = False, average: bool = False) -> Self:
        """Those longer than an amount ("40 m"), the "average" of their class, or the regions of another set.

        Args:
            times: so many times as long as another set's.
            each: longer than each of its regions, where one is enough otherwise.
            average: longer than their average, in words "the average of ships near the quay".

        Example:
            >>> from surveyor import Graph
            >>> g = Graph()
            >>> g.ground("plane").longer_than("40 m").words, g.ground("ship").longer_than("average", times=2).words
            ('planes longer than 40 m', 'ships more than 2 times as long as the average of ships')
            >>> g.ground("ship").longer_than(g.ground("ship").near("the quay"), average=True).words
            'ships longer than the average of ships near the quay'
        """
        return self._sized_against("length", ">", other, times, each, average)

    def shorter_than(self, other: Any, *, times: float = 1.0, each: bool = False, average: bool = False) -> Self:
        """Those shorter than an amount or another set; see `longer_than`.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("ship").shorter_than("100 ft").words
            'ships shorter than 100 ft'
        """
        return self._sized_against("length", "<", other, times, each, average)

    def wider_than(self, other: Any, *, times: float = 1.0, each: bool = False, average: bool = False) -> Self:
        """Those wider than an amount or another set; see `longer_than`.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("road").wider_than("12 m").words
            'roads wider than 12 m'
        """
        return self._sized_against("width", ">", other, times, each, average)

    def narrower_than(self, other: Any, *, times: float = 1.0, each: bool = False, average: bool = False) -> Self:
        """Those narrower than an amount or another set; see `longer_than`.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("road").narrower_than("12 m").words
            'roads narrower than 12 m'
        """
        return self._sized_against("width", "<", other, times, each, average)

    def larger_than(self, other: Any, *, times: float = 1.0, each: bool = False, average: bool = False) -> Self:
        """Those of a larger area than an amount or another set; see `longer_than`.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("lake").larger_than("2.5 ha").words
            'lakes larger than 2.5 ha'
        """
        return self._sized_against("area", ">", other, times, each, average)

    def smaller_than(self, other: Any, *, times: float = 1.0, each: bool = False, average: bool = False) -> Self:
        """Those of a smaller area than an amount or another set; see `longer_than`.

        Example:
            >>> from surveyor import Graph
            >>> Graph().ground("lake").smaller_than("300 m2").words
            'lakes smaller than 300 m2'
        """
        return self._sized_against("area", "<", other, times, each, average)

    def _sized_against(
        self, attribute: str, op: Comparison, other: Any, times: float, each: bool, average: bool
    ) -> Self:
        of_all, of_mean = yes_or_no(each, "'each'"), yes_or_no(average, "'average'")
        if isinstance(other, Quantity) or (isinstance(other, str) and other.strip()[:1].isdigit()):
            if of_all or of_mean or times != 1.0:
                raise UsageError(f"'times', 'each' and 'average' go with another set, not with the amount {other!r}")
            return self.compare(attribute, op, other)
        if isinstance(other, numbers.Number):
            terms.quantity(other)  # type: ignore[arg-type]  # a number without a unit: says what to add
        said = _AVERAGE.fullmatch(other) if isinstance(other, str) else None
        if of_all and (of_mean or said):
            raise UsageError("an average is one number: leave out each=True, or the average")
        own = said is not None and said["whose"] is None
        reference = (
            Selection(phrases=self.selection.phrases) if own else self._reference(said["whose"] if said else other)
        )
        return self._and(
            terms.checked(
                CompareWith,
                attribute=attribute,
                op=op,
                reference=reference,
                factor=positive(times, "'times'", "longer_than('the bridge', times=2)"),
                quantifier="mean" if of_mean or said else "all" if of_all else "any",
            )
        )
