"""What is to be measured: "the length of the bridge in feet", "how wide is it", "measure their lengths"."""

from __future__ import annotations

from dataclasses import replace

from ...core.conditions import Attribute, Output, Selection, Summary, Unit
from .noun import NounPhrase
from .sets import SetReader
from .verbs import OPENINGS
from .vocabulary import ATTRIBUTES, SUMMARIES, UNITS

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


_BEFORE_OWNER = frozenset(
    "is are know measure calculate compute determine estimate give me tell report find show get list want".split()
)


class MeasureReader(SetReader):
    """Reads requests for measurements."""

    def target(self) -> list[Selection]:
        """The sets that the noun phrases ahead name."""
        self.opened = []
        phrases = self.coordination(nested=False)
        if len(phrases) > 1 and self.take("too", "as well", "also"):  # "the ships, and the cranes too"
            return [self.selection_of(phrases[:-1]), self.selection_of(phrases[-1:])]
        if len(phrases) > 1 and self.take("separately", "each", "individually"):
            return [self.selection_of([phrase]) for phrase in phrases]
        return self.selections_of(phrases)

    def _measure(self) -> list[Output]:
        start = self.at
        self._possessive_first()
        self._attribute_first()
        if self.take("add up", "sum up", "add together") and self.take("the", "all the", "all"):
            attributes = self._attribute_list()
            if attributes and self.take("of"):
                return self._summarised("total", attributes, self.target())
        self.at = start
        if self.take("how many") and self.peek_from(UNITS) is not None:  # "how many metres long is the bridge"
            unit = self.take_from(UNITS)
            attribute = _HOW_MUCH.get(f"how {self.text()}", "length")
            if self.take("long", "wide", "large", "big") and self.take("is", "are"):
                return [Output(verb="measure", target=t, attribute=attribute, unit=unit) for t in self.target()]
        self.at = start
        found = self._distance(start)
        if found:
            return found
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
        summary = self.take_from(SUMMARIES)
        attributes = self._attribute_list()
        if summary is not None and not attributes:
            attributes = self._attribute_behind(start, summary)
            return self._summarised(summary, attributes, self.target()) if attributes else []
        if summary is not None and owner is None:
            if self.mentioned and (self.ended or self.text() in "?.;,"):  # "find the tanks and the average diameter"
                return self._summarised(summary, attributes, list(self.mentioned))
            if not self.take("of", "covered by", "occupied by"):
                self.at = start
                return []
            return self._summarised(summary, attributes, self.target())
        if summary is not None:
            self.mentioned_or_refuse(named_at)
            return self._summarised(summary, attributes, list(self.mentioned))
        if owner is not None and attributes and not self.sees("of"):
            self.mentioned_or_refuse(named_at)
            return self._measured(attributes, list(self.mentioned))
        if attributes and self.take("of"):
            return self._measured(attributes, self.target())
        if attributes and opening in ("measure", "calculate", "compute"):
            self.refuse_word(f"'of' and a thing, e.g. 'measure the {attributes[0]} of the longest plane'")
        self.at = start
        return []

    def _possessive_first(self) -> None:
        """ "(I want to know) the largest vessel's length" becomes "... the length of the largest vessel"."""
        for place in range(self.at, min(len(self.tokens) - 1, self.at + 12)):
            token = self.tokens[place]
            found = ATTRIBUTES.match(self.tokens, place + 1) if token.text.endswith(("'s", "s'")) else None
            if found is None:
                continue
            begin = place
            while begin > self.at and self.tokens[begin - 1].text not in _BEFORE_OWNER:
                begin -= 1
            owner = [*self.tokens[begin:place], replace(token, text=token.text.removesuffix("'s").removesuffix("'"))]
            named = self.tokens[place + 1 : place + 1 + found[1]]
            rest = self.tokens[place + 1 + found[1] :]
            self.tokens = [*self.tokens[:begin], *named, replace(named[-1], text="of"), *owner, *rest]
            return

    def _attribute_first(self) -> None:
        """ "largest field: area in hectares" becomes "area of largest field in hectares"."""
        for place in range(self.at + 1, len(self.tokens) - 1):
            found = ATTRIBUTES.match(self.tokens, place + 1) if self.tokens[place].text == ":" else None
            if found is None:
                continue
            rest = self.tokens[place + 1 + found[1] :]
            if rest and rest[0].text in (",", "in") and len(rest) == 2:
                rest = [replace(rest[0], text="in"), rest[1]]
            elif rest:
                return
            named = self.tokens[place + 1 : place + 1 + found[1]]
            thing = self.tokens[self.at : place]
            self.tokens = [
                *self.tokens[: self.at],
                *named,
                replace(self.tokens[place], text="of", kind="word"),
                *thing,
                *rest,
            ]
            return

    def mentioned_or_refuse(self, at: int) -> None:
        """Refuses "their" where nothing was named before."""
        if not self.mentioned:
            self.refuse(f"{self.tokens[at].text!r} stands for nothing named before; name the thing", at)

    def _attribute_behind(self, start: int, summary: Summary) -> list[Attribute]:
        """ "(the average) ship length": the attribute behind the noun, which is read again afterwards."""
        begin, places = self.at, range(self.at + 1, min(len(self.tokens), self.at + 5))
        for place in places:
            found = ATTRIBUTES.match(self.tokens, place)
            if found is not None and all(self.may_name(k - self.at) for k in range(self.at, place)):
                noun = self.tokens[self.at : place]
                self.tokens = [*self.tokens[:begin], *noun, *self.tokens[place + found[1] :]]
                return [found[0]]
        self.at = start
        return []

    def _summarised(self, summary: Summary, attributes: list[Attribute], targets: list[Selection]) -> list[Output]:
        if "orientation" in attributes:
            self.refuse("directions have no total and no average; ask for each one", self.at - 1)
        found = self._measured(attributes, targets)
        self.take("combined", "together", "altogether")
        return [output.model_copy(update={"summary": summary}) for output in found]

    def _distance(self, start: int) -> list[Output]:
        """ "how far is the ship from the pier", "the distance between the ship and the pier"; [] when it is none."""
        unit: Unit | None = None
        if self.take("how many") and (unit := self.take_from(UNITS)) is not None and self.take("away"):
            pass
        elif unit is None:
            self.at = start
        if unit is not None or self.take("how far", "how far away", "how close", "how near"):
            self.take("away")
            apart = self.take("apart") is not None
            if self.take("is", "are"):
                found = self._far(apart, unit)
                if found:
                    return found
            self.at = start
            if unit is None:
                self.refuse_word("e.g. 'how far is the ship from the pier?'")
            return []
        self.at = start
        while self.take_from(OPENINGS) is not None and not self.ended:
            pass
        opening = self.take(*_MEASURE_OPENINGS)
        self.take("the")
        summary = self.take_from(SUMMARIES)
        if not self.take("distance", "distances"):
            self.at = start
            return []
        if opening is None and self.ended:
            self.refuse_word("two things, e.g. 'the distance from the ship to the pier'")
        if self.take("between"):
            phrases, joint = self.references(pair=True)
            return self._apart(phrases, joint, summary, None)
        if not self.take("of", "from"):
            self.refuse_word("two things, e.g. 'the distance from the ship to the pier'")
        targets = self._distant_targets()
        if not self.take("to", "from", "and"):
            self.refuse_word("'to' and a second thing, e.g. 'the distance from the ship to the pier'")
        return self._distances(targets, self._nearest_of_all(), summary, None)

    def _nearest_of_all(self) -> list[NounPhrase]:
        """The reference of a distance; "the nearest pier" is what the distance to piers means anyway."""
        self.take("the nearest", "the closest", "their nearest", "its nearest", "nearest", "closest")
        phrases, joint = self.references()
        if joint == "and":
            self.refuse("one distance at a time; ask for each", phrases[1].start, self.at)
        return phrases

    def _distant_targets(self) -> list[Selection]:
        self.opened = []
        return self.selections_of([self.noun_phrase(nested=False)])

    def _far(self, apart: bool, unit: Unit | None) -> list[Output]:
        self.opened = []
        if apart or not self.reference_ahead():
            phrases, joint = self.references(pair=True)
            return self._apart(phrases, joint, None, unit)
        back = self.at
        if nearest := self.take("the nearest", "the closest", "the farthest", "the furthest"):
            self.opened = []
            named = [self.noun_phrase(nested=False)]
            self.take("away")
            if not named[0].ranks and self.take("from", "to"):  # "how far is the nearest plane from the runway"
                end: Summary = "greatest" if nearest[4] == "f" else "least"
                of_all = [found.model_copy(update={"expected": None}) for found in self.selections_of(named)]
                return self._distances(of_all, self._nearest_of_all(), end, unit)
            self.at = back
        targets = self._distant_targets()
        self.take("away")
        if self.take("from", "to"):
            return self._distances(targets, self._nearest_of_all(), None, unit)
        self.at = back
        phrases, joint = self.references(pair=True)
        if self.take("apart", "from each other", "away from each other"):
            return self._apart(phrases, joint, None, unit)
        return []

    def _apart(self, phrases: list[NounPhrase], joint: str, summary: Summary | None, unit: Unit | None) -> list[Output]:
        """The distance between two things named by "and", or of each of a set to the nearest other."""
        if len(phrases) == 2 and joint == "and":
            return self._distances([self.selection_of(phrases[:1])], phrases[1:], summary, unit)
        if len(phrases) > 1 or phrases[0].plural is False:
            self.refuse(
                "between which two? Say 'the distance between the ship and the pier'", phrases[0].start, self.at
            )
        target = self.selection_of(phrases)
        return self._distances([target], phrases, summary, unit)

    def _distances(
        self, targets: list[Selection], to: list[NounPhrase], summary: Summary | None, unit: Unit | None
    ) -> list[Output]:
        self.refuse_amount(to[0])
        reference = self.selection_of(to)
        unit = unit or self._unit("distance")
        if summary is None and self.take("on average", "in average"):
            summary = "mean"
        return [
            Output(verb="measure", target=target, attribute="distance", reference=reference, summary=summary, unit=unit)
            for target in targets
        ]

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
        on_average: Summary | None = "mean" if self.take("on average", "in average") else None
        on_average = on_average or ("total" if self.take("in total", "altogether", "all together") else None)
        return [
            Output(verb="measure", target=target, attribute=attribute, unit=unit, summary=on_average)
            for target in targets
            for attribute, unit in zip(attributes, units, strict=True)
        ]

    def _unit(self, attribute: Attribute) -> Unit | None:
        start = self.at
        if not self.take(", in", "in"):
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
