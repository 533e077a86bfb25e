"""Boxes of the image said in numbers: "in the box [100, 200, 400, 500]", "outside the window [0, 0, 640, 480] px"."""

from __future__ import annotations

from ...core.conditions import Condition, InBox, Not
from .quantities import QuantityReader

_NOUNS = ("bounding box", "box", "rectangle", "window", "region", "area", "crop", "bbox")
_SHOWN = "say it as left, top, right, bottom: 'in the box [100, 200, 400, 500]'"
_OPEN, _CLOSED = {"[": "]", "(": ")"}, ("]", ")")


class BoxReader(QuantityReader):
    """Reads boxes of the image."""

    def box_of_image(self) -> Condition | None:
        """A box in thousandths of the image, or in px where that is said; None (nothing read) when none comes next."""
        start = self.at
        is_outside = self.take("outside of", "outside") is not None
        if not is_outside and self.take("inside", "within", "in") is None:
            return None
        self.take("the", "a", "this")
        noun = self.take(*_NOUNS)
        if self.text() not in (_OPEN if noun else "["):
            self.at = start
            return None
        numbers = self._numbers_in_brackets()
        unit = "px" if self.take("px", "pixels", "pixel") else "thousandths"
        self._check(numbers, unit, start)
        box = InBox(xyxy=tuple(numbers), unit=unit)  # type: ignore[arg-type]
        return Not(condition=box) if is_outside else box

    def _numbers_in_brackets(self) -> list[int]:
        """All numbers up to the bracket that closes the one ahead; points may stand in brackets of their own."""
        begin, open_ = self.at, 0
        numbers: list[int] = []
        while True:
            if self.ended:
                self.refuse(f"the bracket is never closed; {_SHOWN}", begin, self.at)
            token, text = self.tokens[self.at], self.text()
            if token.kind == "number":
                if "." in text or self.query[: token.start].endswith("-"):
                    self.refuse(f"a box is in whole numbers from 0 on, thousandths of the image or px; {_SHOWN}")
                numbers += [int(part) for part in text.split(",")]
            elif text not in (*_OPEN, *_CLOSED, ","):
                self.refuse(f"a box has numbers alone; {_SHOWN}")
            open_ += (text in _OPEN) - (text in _CLOSED)
            self.at += 1
            if open_ == 0:
                return numbers

    def _check(self, numbers: list[int], unit: str, start: int) -> None:
        if len(numbers) != 4:
            self.refuse(f"a box has four numbers, not {len(numbers)}; {_SHOWN}", start, self.at)
        left, top, right, bottom = numbers
        if left >= right or top >= bottom:
            self.refuse(f"left must be less than right and top less than bottom; {_SHOWN}", start, self.at)
        if unit == "thousandths" and max(numbers) > 1000:
            self.refuse(
                "a box is in thousandths of the image's width and height, 0 to 1000; for pixels say 'px' behind it",
                start,
                self.at,
            )
