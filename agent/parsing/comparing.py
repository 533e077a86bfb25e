"""Numbers of two sets: "more ships than tanks", "twice as many cars as trucks", "do houses outnumber trees"."""

from __future__ import annotations

from dataclasses import replace

from ...core.conditions import Comparison, Condition, Or, Output, Selection
from .measuring import MeasureReader
from .noun import NounPhrase, Rank
from .tokens import PhraseTable
from .vocabulary import AMOUNTS

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
_NUMEROUS = tuple(
    f"{which} {more}"
    for which in ("which", "what", "which of them", "which of these")
    for more in ("is more numerous", "are more numerous", "is there more of", "are there more of", "is more common")
)
_THAN: dict[str, Comparison] = {
    **dict.fromkeys(("greater than", "higher than", "larger than", "bigger than", "more than"), ">"),
    **dict.fromkeys(("smaller than", "lower than", "less than", "fewer than"), "<"),
    **dict.fromkeys(("equal to", "the same as", "as high as", "as large as"), "=="),
}
_GREATER = PhraseTable(_THAN)
_MORE: dict[str, Comparison] = {"more": ">", "fewer": "<", "less": "<"}


class ComparingReader(MeasureReader):
    """Reads comparisons of how many there are."""

    def _predicate(self, phrases: list[NounPhrase]) -> tuple[Condition | None, list[Rank], int]:
        """What a question says of its noun phrases."""
        raise NotImplementedError

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
        self.take("are there", "there are")
        if len(phrases) == 1 and phrases[0].posts is None and self.sees("are", "is", "lie", "stand"):
            phrases[0].posts, ranks, _ = self._predicate(phrases)  # "more planes are on the left than on the right"
            if ranks:
                self.refuse("compare sets without superlatives", start, self.at)
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
        self.skip_image()
        self.take(",", ":")
        found = self._either_set(self.at)
        if not found:
            self.refuse_word("two sets, e.g. 'trees or buildings'")
        return found

    def _outnumbering(self, phrases: list[NounPhrase]) -> list[Output]:
        """ "do houses outnumber trees", "are houses outnumbered by trees"."""
        op: Comparison = "<" if self.text(-1) == "by" else ">"
        first, second = self.selections_of(phrases), self.target()
        if len(first) > 1 or len(second) > 1:
            self.refuse("compare two sets at a time", phrases[0].start, self.at)
        return [Output(verb="compare", target=first[0], op=op, other=second[0])]

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
