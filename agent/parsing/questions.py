"""Questions: what is said of a set ("which planes are ..."), yes or no, more of these than of those."""

from __future__ import annotations

from dataclasses import replace

from ...core.conditions import Comparison, Condition, CountTest, Not, Or, Output, Provided, Selection, conjuncts
from .measuring import MeasureReader
from .noun import NounPhrase, Rank, conjunction
from .tokens import PhraseTable
from .vocabulary import AMOUNTS, OR_MORE

_WHETHER = ("whether", "if", "that")
_CHECKING = ("check", "tell me", "verify", "find out", "see", "determine", "decide", "say", "answer", "confirm")
_IS_IT_TRUE = ("is it true that", "is it the case that", "is it correct that", "is it right that", "true or false :")
_IMAGE_SHOWS = ("contain", "show", "have", "include")
_YOU_SEE = ("do you see", "can you see", "can we see", "can i see", "do we see", "do we have", "can be seen")
_AS_MANY: dict[str, Comparison] = {
    "exactly as many": "==",
    "exactly the same number of": "==",
    "the same number of": "==",
    "the same amount of": "==",
    "an equal number of": "==",
    "at least as many": ">=",
    "at most as many": "<=",
    "as many": "==",
}
_NUMBER_OF = (
    "the number of",
    "the numbers of",
    "number of",
    "the count of",
    "the amount of",
    "how many",
    "the counts of",
)
_VISIBLE = ("visible", "present", "there", "shown", "to be seen", "seen", "in sight", "in view", "available")
_NUMEROUS = tuple(
    f"{which} {more}"
    for which in ("which", "what", "which of them", "which of these")
    for more in ("is more numerous", "are more numerous", "is there more of", "are there more of", "is more common")
)
_GREATER: PhraseTable[Comparison] = PhraseTable(
    {f"{word} than": ">" for word in ("greater", "higher", "larger", "bigger", "more")}
    | {f"{word} than": "<" for word in ("smaller", "lower", "less", "fewer")}
    | dict.fromkeys(("equal to", "the same as", "as high as", "as large as"), "==")
)
_MORE: dict[str, Comparison] = {"more": ">", "fewer": "<", "less": "<"}


class QuestionReader(MeasureReader):
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
            if not self.take(*_WHETHER[:2]):
                return []
        found = self._exists() or self._statement()
        if not found:
            self.refuse_word("e.g. 'whether there are any planes'")
        back = self.at
        if not asked and (self.take(", then", ",", "then") or self.begins_request()) and not self.ended:
            return self._guarded(found)
        self.at = back
        return found

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
        self.take(",")
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
        universal = first.quantifier == "all" or (self._definite(first) and first.plural is not False)
        universal = universal or any(pick.count > 1 for pick in selections[0].picks)
        asked: Condition = Not(condition=condition) if universal else condition
        target = self._narrowed(selections[0], asked, [], phrases)
        self.subject = selections[0]  # "are all planes white? count them"
        return [Output(verb="exists", target=target, test=CountTest(op="==", n=0) if universal else None)]

    def _outnumbering(self, phrases: list[NounPhrase]) -> list[Output]:
        """ "do houses outnumber trees", "are houses outnumbered by trees"."""
        op: Comparison = "<" if self.text(-1) == "by" else ">"
        first, second = self.selections_of(phrases), self.target()
        if len(first) > 1 or len(second) > 1:
            self.refuse("compare two sets at a time", phrases[0].start, self.at)
        return [Output(verb="compare", target=first[0], op=op, other=second[0])]

    def _numbers_compared(self) -> list[Output]:
        """ "is the number of planes on the left greater than that on the right"."""
        start = self.at
        if not self.take("is", "are") or not self.take(*_NUMBER_OF):
            self.at = start
            return []
        whole = self.tokens
        for place in range(self.at + 1, len(whole)):
            found = _GREATER.match(whole, place)
            if found is None:
                continue
            self.tokens, self.opened = whole[:place], []
            phrases = [self.noun_phrase(nested=False)]
            if not self.ended:
                self.refuse_word("a condition")
            self.tokens, self.at = whole, place + found[1]
            self.take(*_NUMBER_OF, "that of", "the number", "that", "those")
            second = self.target() if self.reference_ahead() else self._same_noun(phrases)
            return [Output(verb="compare", target=self.selection_of(phrases), op=found[0], other=second[0])]
        self.at = start
        return []

    def _more_numerous(self) -> list[Output]:
        """ "which is more numerous, trees or buildings", "what is there more of, ..."."""
        if not self.take(*_NUMEROUS):
            return []
        self.take(",", ":")
        found = self._either_set(self.at)
        if not found:
            self.refuse_word("two sets, e.g. 'trees or buildings'")
        return found

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

    def _compared_sets(self, start: int) -> list[Output]:
        """ "more ships than tanks", "as many planes as helicopters"."""
        which = self._which_more()
        if which:
            return which
        for words, op in _AS_MANY.items():
            if self.take(words):
                return self._two_sets(start, op, "as")
        times = self._times_as_many()
        if times is not None:
            return self._two_sets(start, times[0], "as", times[1])
        for words, op in _MORE.items():
            if self.text() == words and self.text(1) != "than" and self.take(words):
                return self._two_sets(start, op, "than")
        return []

    def _times_as_many(self) -> tuple[Comparison, float] | None:
        """ "twice as many" (at least, as people mean it), "exactly 3 times as many", "more than half as many"."""
        start = self.at
        op = self.take_from(AMOUNTS)
        factor = self.factor_of()
        if factor is None or not self.take("as many"):
            self.at = start
            return None
        return op or ">=", factor

    def _two_sets(self, start: int, op: Comparison, joint: str, factor: float = 1.0) -> list[Output]:
        self.opened = []
        phrases = self.coordination(nested=False)
        first = self.selections_of(phrases)
        if not (self.take(joint) or (joint == "as" and self.take("and"))):
            self.refuse_word(f"'{joint}' and what to compare with, e.g. 'more ships {joint} tanks'")
        self.take("there are", "there is")
        if len(first) == 1 and self.ones_ahead():
            self.antecedent = Selection(phrases=first[0].phrases)  # "than blue ones", "than those near the river"
        named = self.reference_ahead() or self.ones_ahead() or (self.sees("the") and not self._place_ahead())
        second = self.target() if named else self._same_noun(phrases)
        if len(first) > 1 or len(second) > 1:
            self.refuse("compare two sets at a time", start, self.at)
        return [Output(verb="compare", target=first[0], op=op, factor=factor, other=second[0])]

    def _numbers(self) -> list[Output]:
        """ "compare the number of ships with the number of tanks", "how many more ships than tanks are there"."""
        start = self.at
        if self.take("how many more", "how many fewer"):
            fewer = self.text(-1) == "fewer"
            found = self._two_sets(start, ">", "than")
            self.take("are there", "there are", "do you see", "can you see")
            first, second = found[0].target, found[0].other
            if fewer and second is not None:
                first, second = second, first
            return [Output(verb="compare", target=first, other=second)]
        between = (
            self.take("what is the difference between", "the difference between", "difference between") is not None
        )
        if not between and not self.take("compare", "give a comparison of", "contrast"):
            return []
        if not self.take(*_NUMBER_OF):
            if between:
                self.at = start
                return []
            self.refuse(
                "compare what of them? Say 'compare the number of ships with the number of tanks'", start, self.at
            )
        self.opened = []
        phrases = [self.noun_phrase(nested=False)]
        if not self.take("with", "to", "and", "against", "versus", "vs"):
            self.refuse_word("'with' and what to compare with, e.g. 'with the number of tanks'")
        self.take(*_NUMBER_OF, "that of", "the number", "those", "that")
        named = self.reference_ahead() or (self.sees("the") and not self._place_ahead()) or not self.posts_ahead()
        other = self.noun_phrase(nested=False) if named else None
        against = self._same_noun(phrases) if other is None else self.selections_of([other])
        return [Output(verb="compare", target=self.selections_of(phrases)[0], other=against[0])]

    def posts_ahead(self) -> bool:
        """Whether a condition comes next that can stand after a noun (nothing is read)."""
        back, spans = self.at, dict(self.spans)
        found = self.sees("the") or self.factor(predicate=False) is not None
        self.at, self.spans = back, spans
        return found

    def _which_more(self) -> list[Output]:
        """ "are there more ships or tanks": both numbers."""
        back = self.at
        if self.text(1) == "than" or not self.take("more", "fewer", "less"):
            return []
        return self._either_set(back)

    def _either_set(self, back: int) -> list[Output]:
        """Both numbers of "ships or tanks", "houses on the east bank or on the west bank of the river"."""
        self.opened = []
        first = self.noun_phrase(nested=False)
        if self.ended or self.text() in "?.;":
            return self._two_places(first, back)
        if not self.take("or") or not self.reference_ahead():
            self.at = back
            return []
        second = self.noun_phrase(nested=False)
        if not (self.ended or self.text() in "?.;"):
            self.at = back
            return []
        return [Output(verb="compare", target=self.selections_of([first])[0], other=self.selections_of([second])[0])]

    def _two_places(self, phrase: NounPhrase, back: int) -> list[Output]:
        """ "(more) planes on the left or on the right": one noun at two places."""
        if not isinstance(phrase.posts, Or) or len(phrase.posts.conditions) != 2 or phrase.ranks:
            self.at = back
            return []
        first, second = (self.selection_of([replace(phrase, posts=part)]) for part in phrase.posts.conditions)
        return [Output(verb="compare", target=first, other=second)]

    def _place_ahead(self) -> bool:
        back = self.at
        found = self.place_alone() is not None and (self.ended or self.text() in "?.;")
        self.at = back
        return found

    def _same_noun(self, phrases: list[NounPhrase]) -> list[Selection]:
        """ "(more planes on the right than) on the left": the first noun again, with the condition that follows."""
        first = phrases[0]
        if len(phrases) > 1 or first.posts is None or first.ranks or first.selection is not None:
            self.refuse_word("what to compare with, e.g. 'more ships than tanks'")
        other = replace(first, start=self.at, posts=None)
        self.opened = [other]
        place = self.place_alone() if self.sees("the") else None
        if place is not None:
            other.posts = place
            return self.selections_of([other])
        self.posts(other, nested=False)
        if other.posts is None:
            self.refuse_word("a condition or a thing, e.g. 'more planes on the right than on the left'")
        return self.selections_of([other])


def provided(output: Output, guard: Provided) -> Output:
    """The output, asked only where the guard holds."""
    target = output.target.model_copy(update={"where": conjunction([*conjuncts(output.target.where), guard])})
    return output.model_copy(update={"target": target})
