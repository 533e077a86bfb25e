"""Requests: imperatives and questions around the noun phrases."""

from __future__ import annotations

from typing import Literal

from ...core.conditions import (
    Attribute,
    Comparison,
    Condition,
    CountTest,
    Not,
    Output,
    Request,
    Selection,
    Unit,
)
from .checks import find_contradiction
from .noun import NounPhrase, Rank, conjunction
from .sets import SetReader
from .vocabulary import AMOUNTS, ATTRIBUTES, OPENINGS, UNITS, VERBS

Verb = Literal["detect", "segment", "count", "measure", "describe", "exists", "compare"]
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
_WHETHER = ("whether", "if", "that")
_CHECKING = ("check", "tell me", "verify", "find out", "see", "determine", "decide", "say", "answer", "confirm")
_IMAGE_SHOWS = ("contain", "show", "have", "include")
_YOU_SEE = ("do you see", "can you see", "can we see", "can i see", "do we see", "do we have", "can be seen")
_AS_MANY: dict[str, Comparison] = {
    "exactly as many": "==",
    "at least as many": ">=",
    "at most as many": "<=",
    "as many": "==",
}
_MORE: dict[str, Comparison] = {"more": ">", "fewer": "<", "less": "<"}
_ENDS = (";", ".", "?", "!", ",")
_TRAILING = (
    "located", "situated", "positioned", "found", "placed", "lie", "stand", "sit", "visible", "present", "seen",
    "shown", "there", "are there", "is there", "exist", "for me", "in total", "altogether",
    "thanks", "thank you", "are", "is",
)  # fmt: skip


class RequestReader(SetReader):
    """Reads whole requests."""

    def request(self) -> Request:
        """All outputs that the query asks for.

        Raises:
            QueryError: words that are not understood, or conditions that exclude each other.
        """
        outputs: list[Output] = []
        self._separators()
        while not self.ended:
            found = self._output()
            outputs += found
            self.antecedent = found[-1].target
            if self.ended:
                break
            back = self.at
            if not self._separators():
                self.refuse_word("a condition, 'and' or the end of the query")
            if not self.ended and not self._begins_request():
                self.at = back
                self.skip(",", ";", "and")
                self.refuse_word("a condition or another request")
        if not outputs:
            self.at = 0
            self.refuse_word("what to look for, e.g. 'planes near the river'")
        for output in outputs:
            for selection in (output.target, output.other):
                if selection is not None:
                    find_contradiction(self, selection)
        return Request(outputs=tuple(outputs))

    def _separators(self) -> bool:
        start = self.at
        while self.take(*_ENDS, "and then", "then", "and also", "and", "thanks", "thank you", "for me"):
            pass
        return self.at > start

    def _begins_request(self) -> bool:
        starts = ("how", "which", "what", "where", "is", "are", "does", "do", "check", "can", "could", "would", "tell")
        return (
            self.peek_from(VERBS) is not None
            or self.peek_from(OPENINGS) is not None
            or self.text() in starts
            or self.text(-1) in (";", ".", "?", "!")
        )

    # ---- forms ----

    def _output(self) -> list[Output]:
        start = self.at
        for form in (
            self._whether,
            self._exists,
            self._measure,
            self._how_many,
            self._look,
            self._which,
            self._is_it,
            self._verb,
        ):
            self.at = start
            found = form()
            if found:
                self._trailing()
                return found
        self.at = start
        if self.sees("how far"):
            self.refuse(
                "distances cannot be measured yet; 'within 50 m of' and 'nearest to' are understood", start, start + 2
            )
        if self.take_from(OPENINGS) is not None:
            self.skip(",")
            if self.ended:
                self.refuse_word("a request, e.g. 'find the planes'")
            return self._output()
        found = self._outputs("detect", self.target())
        self._trailing()
        return found

    def _trailing(self) -> None:
        while True:
            back = self.at
            if self.skip_image():
                continue
            if not self.take(*_TRAILING) or not (
                self.ended or self.text() in (*_ENDS, "in", "on") or self.sees(*_TRAILING)
            ):
                self.at = back
                return

    def target(self) -> list[Selection]:
        """The sets that the noun phrases ahead name."""
        self.opened = []
        return self.selections_of(self.coordination(nested=False))

    def _outputs(self, verb: Verb, targets: list[Selection]) -> list[Output]:
        if verb == "measure":
            return [
                Output(verb=verb, target=target, attribute="length", unit=self._unit("length")) for target in targets
            ]
        return [Output(verb=verb, target=target) for target in targets]

    def _verb(self) -> list[Output]:
        verb = self.take_from(VERBS)
        if verb is None:
            return []
        verbs = [verb]
        while True:
            back = self.at
            more = self.take_from(VERBS) if self.take(", and", "and", ",") else None
            if more is None:
                self.at = back
                break
            verbs.append(more)
        self.take("for", "out") if self.text(1) else None
        if self._question_ahead():
            return self._output()
        where = self.take("where") is not None
        if self.ended:
            self.refuse_word(f"what to {self.text(-1) if len(verbs) == 1 else verbs[-1]}, e.g. 'planes'")
        if verb == "describe" and self.skip_image():
            self.refuse("the whole image cannot be described yet; name what to describe, e.g. 'describe the planes'", 0)
        targets = self.target()
        if where:
            self.take("are", "is")
        return [output for each in verbs for output in self._outputs(each, targets)]  # type: ignore[arg-type]

    def _question_ahead(self) -> bool:
        return self.sees(
            "how many", "which", "whether", "if", "how long", "how wide", "how large", "how big", "is there"
        )

    def _how_many(self) -> list[Output]:
        if not self.take("how many"):
            return []
        if self.antecedent is not None and self.take("there are", "are there"):
            return [Output(verb="count", target=self.antecedent)]
        self.take("of")
        return [Output(verb="count", target=target) for target in self._with_predicate()]

    def _look(self) -> list[Output]:
        """ "what does the largest ship look like"."""
        if not self.take("what does", "what do") or not self.reference_ahead():
            return []
        targets = self.target()
        return self._outputs("describe", targets) if self.take("look like") else []

    def _which(self) -> list[Output]:
        if self.take("which is", "which are", "which one is", "which ones are", "what is", "what are"):
            following = self.reference_ahead() or (self.antecedent is not None and self.sees("the"))
            return self._outputs("detect", self.target()) if following else []
        if self.take("which of", "what of") or (self.take("which", "what") and self.noun_follows()):
            return self._outputs("detect", self._with_predicate())
        if self.text(-1) == "which" and (self.whole_number() or self.sees("one")):
            self.at -= 1
            return self._outputs("detect", self._with_predicate())
        return []

    def _with_predicate(self) -> list[Selection]:
        """Noun phrases, then what the question says of them ("planes are left of the river")."""
        self.opened = []
        phrases = self.coordination(nested=False)
        selections = self.selections_of(phrases)
        self.take("are there", "is there", "there are", "do you see", "can you see", "can be seen", "do we have")
        if self.take("does the image", "does this image", "does the picture", "does the scene", "does the photo"):
            self.take(*_IMAGE_SHOWS)
            return selections
        if self.sees("is", "has"):  # "which of the planes is the largest": one is asked for
            phrases[0].plural = False
        condition, ranks, _ = self._predicate(phrases)
        return [self._narrowed(selection, condition, ranks, phrases) for selection in selections]

    def _predicate(self, phrases: list[NounPhrase]) -> tuple[Condition | None, list[Rank], int]:
        start = self.at
        self.opened = [phrases[0]]
        items = self.sequence(predicate=True, joints=True, commas=True)
        self.opened = []
        condition, ranks = self.combined(items, start)
        return condition, ranks, len(items)

    def _narrowed(
        self, selection: Selection, condition: Condition | None, ranks: list[Rank], phrases: list[NounPhrase]
    ) -> Selection:
        """The set with what its question says of it; a superlative in the subject comes first."""
        if condition is None and not ranks:
            return selection
        picks = tuple(self.counted(rank, phrases[0]).pick for rank in ranks)
        if condition is None:
            return selection.model_copy(update={"picks": selection.picks + picks, "expected": None})
        if len(selection.picks) > 1:
            self.refuse("too many superlatives before a question; ask in two steps", phrases[0].start, self.at)
        parts = [part for part in (selection.where, *selection.picks, condition) if part is not None]
        return Selection(phrases=selection.phrases, where=conjunction(parts), picks=picks)

    # ---- yes and no ----

    def _whether(self) -> list[Output]:
        start = self.at
        asked = self.take(*_CHECKING) is not None and self.take(*_WHETHER) is not None
        if not asked:
            self.at = start
            if not self.take(*_WHETHER[:2]):
                return []
        found = self._exists() or self._statement()
        if not found:
            self.refuse_word("e.g. 'whether there are any planes'")
        return found

    def _statement(self) -> list[Output]:
        """ "(whether) the largest plane is left of the river"."""
        self.opened = []
        return self._tested(self.coordination(nested=False))

    def _is_it(self) -> list[Output]:
        """ "is the largest plane left of the river", "do all planes touch the border"."""
        start = self.at
        if self.take("does the image", "does this image", "does the picture", "does the scene", "does the photo"):
            if self.take(*_IMAGE_SHOWS):
                return self._there_is(start)
            self.at = start
        if self.take("is", "are", "do", "does") is None:
            return []
        test = self._count_test()
        if test is not None:  # "are more than five planes near the terminal?"
            return [Output(verb="exists", target=target, test=test) for target in self._with_predicate()]
        if not self.reference_ahead():
            return []
        self.opened = []
        return self._tested(self.coordination(nested=False))

    def _tested(self, phrases: list[NounPhrase]) -> list[Output]:
        start = phrases[0].start
        own = phrases[0].posts
        condition, ranks, read = self._predicate(phrases)
        if read == 0 and len(phrases) == 1 and own is not None:
            condition, phrases[0].posts = own, None  # "is the plane left of the river": what follows is the question
        if ranks or condition is None:
            self.refuse("what about it? Ask e.g. 'is the largest plane longer than 40 m?'", start, self.at)
        selections = self.selections_of(phrases)
        if len(selections) > 1:
            self.refuse("ask about one set at a time", start, self.at)
        first = phrases[0]
        universal = first.quantifier == "all" or (self._definite(first) and first.plural is not False)
        universal = universal or any(pick.count > 1 for pick in selections[0].picks)
        asked: Condition = Not(condition=condition) if universal else condition
        target = self._narrowed(selections[0], asked, [], phrases)
        return [Output(verb="exists", target=target, test=CountTest(op="==", n=0) if universal else None)]

    def _definite(self, phrase: NounPhrase) -> bool:
        return phrase.form in ("the", "all") or bool(phrase.ranks)

    def _exists(self) -> list[Output]:
        start = self.at
        if not self.take("is there", "are there", "there is", "there are", *_YOU_SEE):
            return []
        return self._there_is(start)

    def _there_is(self, start: int) -> list[Output]:
        compared = self._compared_sets(start)
        if compared:
            return compared
        test = self._count_test()
        targets = self.target()
        if len(targets) > 1:
            self.refuse("ask about one set at a time", start, self.at)
        target = targets[0]
        if test is None and target.expected is not None and not self._said_the(start):
            test = CountTest(op="==", n=target.expected)
        if test is not None:
            target = target.model_copy(update={"expected": None})
        return [Output(verb="exists", target=target, test=test)]

    def _said_the(self, start: int) -> bool:
        return any(token.text in ("the", "these", "those", "both") for token in self.tokens[start : start + 4])

    def _count_test(self) -> CountTest | None:
        start = self.at
        if self.take("no", "not any", "zero"):
            return CountTest(op="==", n=0)
        op = self.take_from(AMOUNTS)
        number = self.whole_number() if op is not None else None
        if op is None or number is None:
            self.at = start
            return None
        self.take("of the")
        return CountTest(op=op, n=number)

    def _compared_sets(self, start: int) -> list[Output]:
        """ "more ships than tanks", "as many planes as helicopters"."""
        for words, op in _AS_MANY.items():
            if self.take(words):
                return self._two_sets(start, op, "as")
        for words, op in _MORE.items():
            if self.text() == words and self.text(1) != "than" and self.take(words):
                return self._two_sets(start, op, "than")
        return []

    def _two_sets(self, start: int, op: Comparison, joint: str) -> list[Output]:
        first = self.target()
        if not self.take(joint):
            self.refuse_word(f"'{joint}' and what to compare with, e.g. 'more ships {joint} tanks'")
        self.take("there are", "there is")
        second = self.target()
        if len(first) > 1 or len(second) > 1:
            self.refuse("compare two sets at a time", start, self.at)
        return [Output(verb="compare", target=first[0], op=op, other=second[0])]

    # ---- measuring ----

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
        self.take("the", "each", "their")
        attributes = self._attribute_list()
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
