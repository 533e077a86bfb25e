"""Numbers in digits and in words: "1,250", "three hundred and fifty", "two and a half"."""

from __future__ import annotations

from .cursor import Cursor
from .vocabulary import UNITS

_UNITS_AND_TEENS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split()
)
_SMALL = {word: n for n, word in enumerate(_UNITS_AND_TEENS)}
_TENS = {w: 10 * n for n, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}


class NumberReader(Cursor):
    """Reads numbers."""

    def number(self) -> float | None:
        """A number in digits ("1,250", "2.5") or words ("three hundred and fifty"); None when none comes next."""
        if not self.ended and self.tokens[self.at].kind == "number":
            return None if self.text(1) in ("st", "nd", "rd", "th") else self._and_a_part(self._digits())
        start = self.at
        if self.take("a quarter of a", "a quarter of an", "quarter of a", "one quarter of a"):
            return 0.25
        if self.take("three quarters of a", "three quarters of an"):
            return 0.75
        unit = UNITS.match(self.tokens, start + (2 if self.text() == "half" else 1))
        if unit is not None and len(self.text(2 if self.text() == "half" else 1)) > 2:  # "half an acre", "a mile"
            if self.take("half a", "half an"):
                return 0.5
            if self.take("a", "an"):
                return 1.0
        if self.text() in ("a", "half") and self.text(1) in (*_SCALES, "dozen", "a"):
            half = self.take("half a") is not None
            if not half:
                self.at += 1
            elif self.text() not in (*_SCALES, "dozen"):
                self.at = start
                return None
            value = (0.5 if half else 1.0) * self._scaled(1)
            more = self.text() == "and" and (self.text(1) in _SMALL or self.text(1) in _TENS)
            return value + (self._spelt() if more and self.take("and") else 0)
        if self.text() not in _SMALL and self.text() not in _TENS:
            return None
        return self._and_a_part(float(self._spelt()))

    def _and_a_part(self, value: float) -> float:
        """ "two and a half"."""
        return value + (0.5 if self.take("and a half") else 0.25 if self.take("and a quarter") else 0.0)

    def _digits(self) -> float:
        text = self.text()
        whole, _, _ = text.partition(".")
        groups = whole.split(",")
        if text.count(".") > 1 or any(len(group) != 3 for group in groups[1:]) or len(groups[0]) > 15:
            self.refuse(f"{text!r} is not a number that can be read; write 1,250 or 2.5")
        self.at += 1
        value = float(text.replace(",", ""))
        if self.text() in _SCALES:
            value *= _SCALES[self.text()]
            self.at += 1
        return value

    def _spelt(self) -> int:
        total = 0
        while True:
            part = 0
            if self.text() in _TENS:
                part = _TENS[self.text()]
                self.at += 1
                if 0 < _SMALL.get(self.text(), 0) < 10:
                    part += _SMALL[self.text()]
                    self.at += 1
            elif self.text() in _SMALL:
                part = _SMALL[self.text()]
                self.at += 1
            scaled = self._scaled(part)
            total += scaled
            more = self.text() == "and" and (self.text(1) in _SMALL or self.text(1) in _TENS)
            if scaled < 100 or not (more or self.text() in _SMALL or self.text() in _TENS):
                return total
            self.take("and")

    def _scaled(self, value: int) -> int:
        while self.text() in _SCALES or self.text() == "dozen":
            value *= _SCALES.get(self.text(), 12)
            self.at += 1
        return value

    def whole_number(self) -> int | None:
        """A count: a whole number that no unit follows; None (and nothing read) otherwise."""
        start = self.at
        value = self.number()
        if value is None:
            return None
        if self.peek_from(UNITS) is not None and not self._unit_is_noun():
            self.at = start
            return None
        if self.text() in ("times", "x"):
            self.at = start
            return None
        if value != int(value) or value > 1_000_000:
            self.refuse(f"{value:g} is not a number of things; write a whole number", start)
        return int(value)

    def _unit_is_noun(self) -> bool:
        """Whether a spelt-out unit is the thing counted: "two yards", never "2 m"."""
        return self.text() in ("yards", "acres") and self.text(1) in ("", "that", "near", "next")
