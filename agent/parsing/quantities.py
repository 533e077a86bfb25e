"""Numbers, units and comparisons: "at least 20 m long", "an area between 1 and 2 ha", "three hundred feet"."""

from __future__ import annotations

from typing import Literal

from ...core.conditions import And, Aspect, Compare, Comparison, Condition, Quantity, Unit
from ...core.inflection import is_plural
from .numerals import NumberReader
from .vocabulary import AMOUNTS, APPROXIMATE, ATTRIBUTES, COMPARATIVES, MEASURED, OR_MORE, UNITS

_AS_AREA: dict[Unit, Unit] = {"px": "px2"}
_FOLLOWING = frozenset("and or but that which who in on at of from to near with is are not long wide large".split())
Measured = Literal["length", "width", "area", "perimeter"]


class QuantityReader(NumberReader):
    """Reads numbers and measured conditions."""

    def quantity(self, *, inherit: bool = False) -> Quantity | None:
        """A number with its unit; None when no number comes next.

        Args:
            inherit: in "between 20 and 40 m" the first number borrows the unit: allow it to be missing.
        """
        start = self.at
        value = self.number()
        if value is None:
            return None
        unit = self.take_from(UNITS)
        if unit is None and inherit:
            back = self.at
            self.take("and", "to", ",")
            self.number()
            unit = self.peek_from(UNITS)
            self.at = back
        if unit is None:
            shown = f"{value:g}"
            unknown = not self.ended and self.tokens[self.at].kind == "word" and self.text() not in _FOLLOWING
            of = f"{self.text()!r} is no unit; say" if unknown else f"{shown} of what? Say"
            many = (
                f"; for a number of things, 'are there more than {shown}?'"
                if unknown and is_plural(self.text())
                else ""
            )
            self.refuse(f"{of} '{shown} m' or '{shown} px'{many}", start, self.at + unknown)
        return Quantity(value=value, unit=unit)

    # ---- comparisons ----

    def comparison(self) -> Condition | None:
        """A measured condition as it stands after a noun or "is"; None when none comes next."""
        start = self.at
        if self.peek_from(APPROXIMATE):
            about = self._about(start)
            if about is not None:
                return about
        found = self.take_from(COMPARATIVES)
        if found is not None:
            return self._bounded(start, *found)
        if self._range_ahead():
            self.take("between", "from", "ranging from")
            return self._range(start, "")
        if self._of_amount():
            self.at += 1
            if self.peek_from(APPROXIMATE) and (about := self._about(start)) is not None:
                return about
        if self.take("exceeding", "exceeds", "exceed"):
            return self._bounded(start, "", ">")
        op = self._amount()
        if op is not None:
            return self._bounded(start, "", op)
        if self._number_ahead(0):
            return self._bare_quantity(start)
        self.at = start
        return None

    def _about(self, start: int) -> Condition | None:
        """ "about 40 m long": what "exactly" allows, 10 % either way."""
        self.take_from(APPROXIMATE)
        if self._number_ahead(0):
            number = self.at
            self.number()
            unit = self.peek_from(UNITS)
            self.at = number
            if unit is not None:
                quantity = self.quantity()
                if quantity is not None and self.sees_end_of_size():
                    return self._compared(start, "", "==", quantity)
        self.at = start
        return None

    def _range_ahead(self) -> bool:
        """Whether "between 20 m and 40" comes next: two numbers, so no "between two tanks"."""
        back = self.at
        found = self.take("between", "from", "ranging from") is not None and self.number() is not None
        if found:
            self.take_from(UNITS)
            found = (self.take("and", "to", ",") is not None or self._glued_number()) and self.number() is not None
        self.at = back
        return found

    def _of_amount(self) -> bool:
        if self.text() not in ("measuring", "measure", "measures", "of", "with"):
            return False
        self.at += 1
        if self.peek_from(APPROXIMATE) and self._number_ahead(1):
            self.at -= 1
            return True
        ahead = (self._amount_ahead() and self._unit_after_amount()) or self._quantity_ahead()
        self.at -= 1
        return ahead

    def _unit_after_amount(self) -> bool:
        """Whether the amount ahead is a size, rather than a number of things ("with at least five ships")."""
        back = self.at
        self._amount()
        self.number()
        found = self.ended or self.peek_from(UNITS) is not None or self.tokens[self.at].kind != "word"
        self.at = back
        return found

    def _amount_ahead(self) -> bool:
        back = self.at
        found = self._amount() is not None
        self.at = back
        return found

    def _amount(self) -> Comparison | None:
        """An amount word before a number ("over", "at least"); nothing is read when no number follows."""
        start = self.at
        op = self.take_from(AMOUNTS)
        if op is None:
            return None
        if self.take_from(APPROXIMATE):
            self.refuse("approximate amounts need limits; say 'between 35 and 45 m'", self.at - 1)
        if self._number_ahead(0):
            return op
        self.at = start
        return None

    def _number_ahead(self, ahead: int) -> bool:
        back, self.at = self.at, self.at + ahead
        found = self.number() is not None
        self.at = back
        return found

    def _quantity_ahead(self) -> bool:
        back = self.at
        found = self.number() is not None and (self.sees("to", "and") or self.peek_from(UNITS) is not None)
        self.at = back
        return found

    def _bounded(self, start: int, attribute: str, op: Comparison) -> Condition:
        if self.take_from(APPROXIMATE):
            self.refuse("approximate amounts need limits; say 'between 35 and 45 m'", self.at - 1)
        if self.sees("one of") or not self._number_ahead(0):
            return self.compared_with(start, attribute, op)
        if self._is_factor():
            return self.compared_with(start, attribute, op)
        quantity = self.quantity()
        if quantity is None:  # pragma: no cover - a number was seen
            self.refuse_word("a number")
        return self._compared(start, attribute, op, quantity)

    def _is_factor(self) -> bool:
        """Whether "3 times" comes next."""
        back = self.at
        self.number()
        found = self.sees("times", "x")
        self.at = back
        return found

    def compared_with(self, start: int, attribute: str, op: Comparison, factor: float = 1.0) -> Condition:
        """The rest of "longer than the bridge". Raises QueryError when no thing comes next."""
        raise NotImplementedError

    def _compared(self, start: int, attribute: str, op: Comparison, quantity: Quantity) -> Condition:
        named = self.take_from(MEASURED)
        if named in ("length", "width") and attribute in ("length", "width") and named != attribute:
            self.refuse(f"{attribute} or {named}? Say 'longer than 40 m' or 'wider than 40 m'", start, self.at)
        named = named if named is not None else attribute
        found = self.noted(self.compare(start, named, op, quantity), start)
        if self.sees("each )", "each ,", "each .") or (self.sees("each") and self.at + 1 == len(self.tokens)):
            self.at += 1
        return found

    def _range(self, start: int, attribute: str) -> Condition:
        low = self.quantity(inherit=True)
        if low is None or not (self.take("and", "to", ",") or self._glued_number()):
            self.refuse_word("two amounts, e.g. 'between 20 and 40 m'")
        if not self._number_ahead(0):
            self.refuse_word("a second amount, e.g. 'between 20 and 40 m'")
        high = self.quantity()
        named = self.take_from(MEASURED) or attribute
        if high is None or low is None:  # pragma: no cover - numbers were seen
            self.refuse_word("two amounts")
        parts = (self.compare(start, named, ">=", low), self.compare(start, named, "<=", high))
        for part in parts:
            self.noted(part, start)
        return And(conditions=parts)

    def _bare_quantity(self, start: int) -> Condition | None:
        """ "40 m long", "20 to 40 m wide", "40 m or longer"; None for a bare number that is a count."""
        back = self.at
        self.number()
        ranged = (self.sees("to") and self._number_ahead(1)) or self._glued_number()
        if ranged:
            self.at = back
            return self._range(start, "")
        unit = self.peek_from(UNITS)
        self.at = back
        if unit is None:
            return None
        quantity = self.quantity()
        if quantity is None:  # pragma: no cover - a number was seen
            return None
        more = self.take_from(OR_MORE)
        if more is not None:
            return self._compared(start, more[0], more[1], quantity)
        named = self.take_from(MEASURED)
        if named is None and not self.sees_end_of_size():
            self.at = start
            return None
        more = self.take_from(OR_MORE)
        op: Comparison = more[1] if more else "=="
        return self.noted(self.compare(start, named or (more[0] if more else ""), op, quantity), start)

    def _glued_number(self) -> bool:
        return not self.ended and self.tokens[self.at].kind == "number" and self.tokens[self.at].glued

    def sees_end_of_size(self) -> bool:
        """Whether a bare "40 m" is complete here, rather than "40 m from ..."."""
        return not self.sees("from", "of", "away", "to", "off", "north", "south", "east", "west", "left", "right")

    def compare(self, start: int, attribute: str, op: Comparison, quantity: Quantity) -> Compare:
        """A comparison; an attribute that the words leave open is settled by the unit."""
        if attribute == "size" and quantity.unit == "px":
            value = f"{quantity.value:g}"
            self.refuse(f"a length or an area? Say 'longer than {value} px' or '{value} px2'", start, self.at)
        if attribute == "area" and quantity.unit in _AS_AREA:
            quantity = Quantity(value=quantity.value, unit=_AS_AREA[quantity.unit])
        settled: dict[str, Measured] = {"length": "length", "width": "width", "area": "area", "perimeter": "perimeter"}
        meant = settled.get(attribute) or ("area" if quantity.is_area else "length")
        if quantity.is_area != (meant == "area"):
            kind = "an area" if quantity.is_area else "a length"
            wanted = "m2, ha or px2" if meant == "area" else "m, ft or px"
            self.refuse(f"the {meant} cannot be compared with {kind}; use {wanted}", start, self.at)
        return Compare(attribute=meant, op=op, quantity=quantity)

    def attribute_clause(self, start: int) -> Condition | None:
        """After "with" or "whose": "a length of at least 20 m", "area > 1 ha"; None when it is no attribute."""
        back = self.at
        self.take("an", "a", "the", "its", "their")
        attribute = self.take_from(ATTRIBUTES)
        if attribute is None:
            self.at = back
            return None
        if attribute == "orientation":
            self.refuse("orientation is a word here; say 'horizontal', 'vertical' or 'diagonal'", self.at - 1)
        self.skip("of", "is", "are", "that", "which", "lies", "lie", "ranges", "falls")
        if self.take("exceeds", "exceed", "exceeding"):
            return self._ratio(start, ">") if attribute == "aspect" else self._bounded(start, attribute, ">")
        if self._range_ahead():
            self.take("between", "from", "ranging from")
            return self._ratio_range(start) if attribute == "aspect" else self._range(start, attribute)
        found = self.take_from(COMPARATIVES)
        if (average := self._average_of(start, attribute, found)) is not None:
            return average
        op = found[1] if found else self._amount()
        if op is None and not self._number_ahead(0):
            self.at = back
            return None
        if attribute == "aspect":
            return self._ratio(start, op)
        quantity_start = self.at
        value = self.number()
        ranged = op is None and (self._glued_number() or (self.sees("to") and self._number_ahead(1)))
        self.at = quantity_start
        if ranged:
            return self._range(start, attribute)
        if value is None:
            self.refuse_word("a number and a unit, e.g. '40 m'")
        quantity = self.quantity()
        if quantity is None:  # pragma: no cover - a number was seen
            self.refuse_word("a number")
        more = self.take_from(OR_MORE) if op is None else None
        op = more[1] if more else op or "=="
        return self.noted(self.compare(start, attribute, op, quantity), start)

    def _average_of(self, start: int, attribute: str, found: tuple[str, Comparison] | None) -> Condition | None:
        """ "(an area) above average", "(a length) less than average"."""
        op = found[1] if found else self.peek_from(AMOUNTS)
        back = self.at
        if not found and op is not None:
            self.take_from(AMOUNTS)
        if (
            op is not None
            and self.sees("average", "the average", "the mean")
            and attribute in ("length", "width", "area")
        ):
            return self.compared_with(start, attribute, op)
        self.at = back
        return None

    def _ratio(self, start: int, op: Comparison | None) -> Condition:
        """The rest of "an aspect ratio of at least 3"; "3:1" and "3 to 1" are 3."""
        value = self._bare_ratio()
        more = self.take_from(OR_MORE) if op is None else None
        return self.noted(Aspect(op=(more[1] if more else op) or "==", ratio=value), start)

    def _bare_ratio(self) -> float:
        begin = self.at
        value = self.number()
        if value is None:
            self.refuse_word("a number, e.g. 'an aspect ratio above 3'")
        if self.take(": 1", "to 1", "to one"):
            return value
        if self.peek_from(UNITS) is not None:
            self.refuse("an aspect ratio is a plain number, e.g. 'an aspect ratio above 3'", begin, self.at + 1)
        return value

    def _ratio_range(self, start: int) -> Condition:
        low = self._bare_ratio()
        self.take("and", "to", ",")
        parts = (Aspect(op=">=", ratio=low), Aspect(op="<=", ratio=self._bare_ratio()))
        for part in parts:
            self.noted(part, start)
        return And(conditions=parts)
