"""Questions: what is said of a set ("which planes are ..."), yes or no, more of these than of those."""

from __future__ import annotations

from dataclasses import replace

from ...core.conditions import Condition, CountTest, Not, Or, Output, Provided, Relation, Selection, conjuncts
from .comparing import ComparingReader
from .noun import NounPhrase, Rank, conjunction
from .vocabulary import AMOUNTS, OR_MORE

_WHETHER = ("whether", "if", "that")
_CHECKING = ("check", "tell me", "verify", "find out", "see", "determine", "decide", "say", "answer", "confirm")
_IS_IT_TRUE = ("is it true that", "is it the case that", "is it correct that", "is it right that", "true or false :")
_IMAGE_SHOWS = ("contain", "show", "have", "include")
_YOU_SEE = ("do you see", "can you see", "can we see", "can i see", "do we see", "do we have", "can be seen")
_VISIBLE = ("visible", "present", "there", "shown", "to be seen", "seen", "in sight", "in view", "available")


class QuestionReader(ComparingReader):
    """Reads what questions say of a set, and questions that are answered by yes or no."""

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

    def _whether(self) -> list[Output]:
        start = self.at
        if self.sees("if so"):
            return []
        asked = self.take(*_IS_IT_TRUE) is not None
        asked = asked or (self.take(*_CHECKING) is not None and self.take(*_WHETHER) is not None)
        if not asked:
            self.at = start
            if self.take("should there be"):
                asked_for = self._there_is(self.at)
                self.take(", then", ",", "then")
                return self._guarded(asked_for)
            yes_or_no = self.take("yes or no", "yes , no", "true or false") is not None and self.take(":", ",")
            if not yes_or_no and not self.take(*_WHETHER[:2]):
                self.at = start
                return []
            asked = bool(yes_or_no)
        found = self._counted_statement() or self._exists() or self._statement()
        if not found:
            self.refuse_word("e.g. 'whether there are any planes'")
        back = self.at
        if not asked and (self.take(", then", ",", "then") or self.begins_request()) and not self.ended:
            return self._guarded(found)
        self.at = back
        return found

    def _counted_statement(self) -> list[Output]:
        """ "more than three ships touch the quay"."""
        start = self.at
        test = self._count_test()
        if test is None or not self.reference_ahead():
            self.at = start
            return []
        return [Output(verb="exists", target=target, test=test) for target in self._with_predicate()]

    def _guarded(self, asked: list[Output]) -> list[Output]:
        """ "(if there are more than five tanks,) segment them": outputs that depend on how many there are."""
        if len(asked) != 1 or asked[0].verb != "exists":
            self.refuse("an 'if' asks how many there are, e.g. 'if there are more than five tanks, segment them'", 0)
        guard = Provided(reference=asked[0].target, test=asked[0].test or CountTest(op=">=", n=1))
        self.antecedent, self.mentioned = asked[0].target, (asked[0].target,)
        return [provided(output, guard) for output in self._output()]

    def _output(self) -> list[Output]:
        """One request."""
        raise NotImplementedError

    def begins_request(self) -> bool:
        """Whether a new request comes next."""
        raise NotImplementedError

    def only_if(self, outputs: list[Output]) -> list[Output]:
        """The outputs with a trailing "if there are more than five (of them)"."""
        start = self.at
        self.take(", but", ",", "but")
        if not self.take("only if", "if", "provided that", "provided", "as long as"):
            self.at = start
            return outputs
        test = self.there_are()
        if test is None:
            self.at = start
            return outputs
        if self.reference_ahead():
            reference = self.selection_of(self.references()[0])
        else:
            self.take("of them", "them", "of those")
            reference = outputs[0].target.model_copy(update={"expected": None})
        return [provided(output, Provided(reference=reference, test=test)) for output in outputs]

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
        if self._has_got() is None and self.take("is", "are", "do", "does") is None:
            return []
        if self.sees("more", "fewer") and (found := self._compared_sets(self.at)):
            return found
        test = self._count_test()
        if test is not None:  # "are more than five planes near the terminal?"
            return [Output(verb="exists", target=target, test=test) for target in self._with_predicate()]
        if not self.reference_ahead():
            return []
        self.opened = []
        return self._tested(self.coordination(nested=False))

    def _has_got(self) -> bool | None:
        """ "has the largest house got a pool" becomes "does the largest house have a pool"; None when it is no such."""
        if self.text() not in ("has", "have"):
            return None
        for place in range(self.at + 2, len(self.tokens)):
            if self.tokens[place].text == "got":
                self.tokens = [
                    *self.tokens[:place],
                    replace(self.tokens[place], text="have"),
                    *self.tokens[place + 1 :],
                ]
                self.at += 1
                return True
        return None

    def _tested(self, phrases: list[NounPhrase]) -> list[Output]:
        start = phrases[0].start
        own = phrases[0].posts
        condition, ranks, read = self._predicate(phrases)
        if read == 0 and len(phrases) == 1 and own is not None:  # "is the plane left of the river": the question
            phrases[0].posts, condition = phrases[0].divided or (None, own)
        if condition is None and not ranks and self.take(*_VISIBLE):
            self.skip_image()
            return [Output(verb="exists", target=target) for target in self.selections_of(phrases)]
        if condition is None and not ranks and self.take("outnumber", "outnumbered by"):
            return self._outnumbering(phrases)
        if ranks or condition is None:
            self.refuse("what about it? Ask e.g. 'is the largest plane longer than 40 m?'", start, self.at)
        selections = self.selections_of(phrases)
        if len(selections) > 1:
            self.refuse("ask about one set at a time", start, self.at)
        first = phrases[0]
        if isinstance(condition, Or) and all(
            isinstance(part, Relation) and part.relation == "toward" for part in condition.conditions
        ):
            self.refuse("which of the two? Ask for one, e.g. 'is the plane left of the runway?'", start, self.at)
        universal = first.quantifier == "all" or (self._definite(first) and first.plural is not False)
        universal = universal or any(pick.count > 1 for pick in selections[0].picks)
        asked: Condition = Not(condition=condition) if universal else condition
        target = self._narrowed(selections[0], asked, [], phrases)
        self.subject = selections[0]  # "are all planes white? count them"
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
        begin = self.at
        targets = self.target()
        for place in range(begin, self.at):
            if [token.text for token in self.tokens[place : place + 2]] in (["both", "sides"], ["both", "banks"]):
                self.refuse("ask for each side: 'are there houses on the east side of the river?'", place, place + 2)
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
        number = self.whole_number()
        more = self.take_from(OR_MORE) if op is None and number is not None else None
        op = more[1] if more is not None and not more[0] else op
        if op is None or number is None:
            self.at = start
            return None
        self.take("of the")
        return CountTest(op=op, n=number)


def provided(output: Output, guard: Provided) -> Output:
    """The output, asked only where the guard holds."""
    target = output.target.model_copy(update={"where": conjunction([*conjuncts(output.target.where), guard])})
    return output.model_copy(update={"target": target})
