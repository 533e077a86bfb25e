"""What is to be measured: "the length of the bridge in feet", "how wide is it", "measure their lengths"."""

from __future__ import annotations

from ...core.conditions import Attribute, Output, Selection, Unit
from .sets import SetReader
from .verbs import OPENINGS
from .vocabulary import ATTRIBUTES, UNITS

_HOW_MUCH: dict[str, Attribute] = {
    "how long": "length",
    "how wide": "width",
    "how broad": "width",
    "how large": "area",
    "how big": "area",
}
_MEASURE_OPENINGS = (
    "what is",
    "what are",
    "measure",
    "calculate",
    "compute",
    "determine",
    "estimate",
    "give me",
    "give",
    "tell me",
    "report",
    "find",
    "show me",
    "show",
    "get",
    "list",
)


class MeasureReader(SetReader):
    """Reads requests for measurements."""

    def target(self) -> list[Selection]:
        """The sets that the noun phrases ahead name."""
        self.opened = []
        return self.selections_of(self.coordination(nested=False))

    def _measure(self) -> list[Output]:
        start = self.at
        if self.take("how many") and self.peek_from(UNITS) is not None:  # "how many metres long is the bridge"
            unit = self.take_from(UNITS)
            attribute = _HOW_MUCH.get(f"how {self.text()}", "length")
            if self.take("long", "wide", "large", "big") and self.take("is", "are"):
                return [Output(verb="measure", target=t, attribute=attribute, unit=unit) for t in self.target()]
        self.at = start
        for words, attribute in _HOW_MUCH.items():
            if self.take(words) and (self.take("is", "are") or self.reference_ahead()):
                return self._measured([attribute], self.target())
            self.at = start
        if self.take("what") and (asked := self.take_from(ATTRIBUTES)) and self.take("does", "do", "has", "have"):
            targets = self.target()
            self.take("have")
            return self._measured([asked], targets)
        self.at = start
        while self.take_from(OPENINGS) is not None and not self.ended:
            pass
        opening = self.take(*_MEASURE_OPENINGS)
        named_at = self.at
        owner = self.take("their", "its")
        self.take("the", "each")
        attributes = self._attribute_list()
        if owner is not None and attributes and not self.sees("of"):
            if not self.mentioned:
                self.refuse(f"{owner!r} stands for nothing named before; name the thing", named_at)
            return self._measured(attributes, list(self.mentioned))
        if attributes and self.take("of"):
            return self._measured(attributes, self.target())
        if attributes and opening in ("measure", "calculate", "compute"):
            self.refuse_word(f"'of' and a thing, e.g. 'measure the {attributes[0]} of the longest plane'")
        self.at = start
        return []

    def _attribute_list(self) -> list[Attribute]:
        found: list[Attribute] = []
        while (attribute := self.take_from(ATTRIBUTES)) is not None:
            found.append(attribute)
            back = self.at
            self.take(", and", "and", ",")
            self.take("the")
            if self.peek_from(ATTRIBUTES) is None:
                self.at = back
        return found

    def _measured(self, attributes: list[Attribute], targets: list[Selection]) -> list[Output]:
        back = self.at
        units = []
        for attribute in attributes:
            self.at = back
            units.append(self._unit(attribute))
        return [
            Output(verb="measure", target=target, attribute=attribute, unit=unit)
            for target in targets
            for attribute, unit in zip(attributes, units, strict=True)
        ]

    def _unit(self, attribute: Attribute) -> Unit | None:
        start = self.at
        if not self.take("in"):
            return None
        unit = self.take_from(UNITS)
        if unit is None:
            self.at = start
            return None
        if attribute == "area" and unit == "px":
            unit = "px2"
        is_area = unit.endswith("2") or unit in ("ha", "acre")
        if attribute in ("aspect", "orientation") or is_area != (attribute == "area"):
            self.refuse(f"{attribute} is not measured in {unit}", start, self.at)
        return unit
