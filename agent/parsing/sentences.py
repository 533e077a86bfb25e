"""What belongs to another request: "Only those in the lower half.", "Leave out the small ones.", places put first."""

from __future__ import annotations

from ...core.conditions import Not, Output, conjuncts
from .noun import NounPhrase, conjunction
from .questions import QuestionReader

_LEADING = (
    "in",
    "on",
    "at",
    "within",
    "inside",
    "near",
    "next",
    "along",
    "close",
    "between",
    "around",
    "north",
    "south",
    "east",
    "west",
)
OF_THEM = tuple(
    f"{of} {them}" for of in ("of", "from", "out of", "among", "amongst") for them in ("these", "those", "them")
)
LEAVE_OUT = (
    "leave out",
    "but leave out",
    "ignore",
    "but ignore",
    "skip",
    "exclude",
    "omit",
    "do not include",
    "do not count",
    "disregard",
)
_ENDS = (";", ".", "?", "!", ",")


class SentenceReader(QuestionReader):
    """Reads what narrows the request before it, and what leads one in."""

    yes_no = False
    """Whether the query ends in "yes/no"."""

    def _narrowing(self, outputs: list[Output]) -> list[Output]:
        """The outputs narrowed by a sentence of its own: "Only those in the lower half.", "Of these, the largest."."""
        start = self.at
        self.take("and", "but")
        of_them = self.take(*OF_THEM) is not None
        self.skip(",")
        kept = self.take("keep only", "only keep", "keep just", "keep", "take only", "take", "only", "just", "but only")
        self.take("only", "just")
        if of_them and self.take(*LEAVE_OUT):
            return self._without(outputs)
        ones = self.sees("the", "those", "ones") or self.whole_number_ahead()
        if not (of_them or kept) or not ones or len({output.target for output in outputs}) > 1:
            self.at = start
            return []
        target = outputs[0].target.model_copy(update={"expected": None})
        self.opened, self.antecedent = [], target
        phrase = self.noun_phrase(nested=False)
        if phrase.base is None and kept in ("only", "just", "keep only", "keep just", "but only", "only keep"):
            return self._of_class(outputs, phrase, start)
        if phrase.base != target or (phrase.posts is None and not phrase.ranks and not phrase.adjectives):
            self.at = start
            return []
        left = self.selection_of([phrase])
        return [output.model_copy(update={"target": left}) for output in outputs]

    def _of_class(self, outputs: list[Output], phrase: NounPhrase, start: int) -> list[Output]:
        """ "What's in the top half? Just the courts please."."""
        target, own = outputs[0].target, self.selection_of([phrase])
        if target.picks or own.picks or target.phrases not in (("object",), own.phrases):
            self.refuse("only these of which? Say it in one request, e.g. 'courts in the top half'", start, self.at)
        where = conjunction([*conjuncts(target.where), *conjuncts(own.where)])
        left = target.model_copy(update={"phrases": own.phrases, "where": where, "expected": own.expected})
        return [
            Output(verb="detect", target=left)
            if output.verb == "describe"
            else output.model_copy(update={"target": left})
            for output in outputs
        ]

    def whole_number_ahead(self) -> bool:
        """Whether a count comes next."""
        back = self.at
        found = self.whole_number() is not None
        self.at = back
        return found

    def _without(self, outputs: list[Output]) -> list[Output]:
        """The outputs without what a sentence of its own leaves out: "Find the ships. Leave out the small ones."."""
        start = self.at
        if len({output.target for output in outputs}) > 1:
            self.refuse("leave out of which? Say it with the thing: 'the ships except the small ones'", start - 1)
        target = outputs[0].target
        if target.picks:
            self.refuse("say what to leave out before the superlative: 'the largest ship that is not red'", start - 1)
        head = NounPhrase(start, phrases=target.phrases, plural=True)
        self.opened = [head]
        self.antecedent = None
        condition = Not(condition=self.excepted(head))
        self.opened = []
        where = conjunction([*conjuncts(target.where), condition])
        left = target.model_copy(update={"where": where, "expected": None})
        return [output.model_copy(update={"target": left}) for output in outputs]

    def _refuse_number_for_each(self, outputs: list[Output]) -> None:
        """Refuses "how many cars are in each parking lot": one number would leave the "each" out."""
        if self.each_at and any(output.verb in ("count", "compare") or output.summary for output in outputs):
            stop = self.at
            self.at = self.each_at[0] + 1
            self.noun_words()
            stop, self.at = self.at, stop
            self.refuse("a number for each of several cannot be given; ask for one, or for all", self.each_at[0], stop)

    def _drop_yes_no(self) -> None:
        """Takes ", yes/no?" off the end: what stands before it is a yes-no question."""
        texts = [token.text for token in self.tokens]
        while texts and texts[-1] in (*_ENDS, ")"):
            texts.pop()
        if texts[-3:] in (["yes", "/", "no"], ["yes", "or", "no"], ["yes", ",", "no"]) and len(texts) > 3:
            self.tokens, self.yes_no = self.tokens[: len(texts) - 3], True
            while len(self.tokens) > 1 and self.tokens[-1].kind == "symbol":
                self.tokens = self.tokens[:-1]

    def _among_these(self) -> list[Output]:
        """ "among the buildings north of the river, find the largest ones": a set, then what is asked of it."""
        if not self.take(
            "among", "out of", "of", "from among", "from all", "from", "considering only", "looking only at"
        ):
            return []
        whole = self.tokens
        stop = next(
            (k for k in range(self.at, len(whole)) if whole[k].text in (",", ":") and self._request_at(k + 1)), None
        )
        if stop is None:
            self.refuse_word("a comma and what to do with them, e.g. 'among the ships, find the longest one'")
        self.tokens, self.opened = whole[:stop], []
        named = self.selections_of(self.coordination(nested=False))
        if len(named) != 1 or not self.ended:
            self.refuse_word("one set, e.g. 'among the ships near the quay, find the longest one'")
        self.tokens, self.at = whole, stop + 1
        self.antecedent, self.mentioned = named[0].model_copy(update={"expected": None}), (named[0],)
        return self._output()

    def _led_by_place(self) -> list[Output]:
        """ "in the top half, how many ships are there", "within 50 m of the river: houses": the place first."""
        start = self.at
        if self.text() not in _LEADING or (self.text() == "on" and self.text(1) == "average"):
            return []
        place = self.position() or self.distance() or self.relation()
        if place is None or not self.take(",", ":"):
            self.at = start
            return []
        outputs = self._output()
        if any(output.target.picks or output.verb == "compare" for output in outputs):
            self.refuse("say the place after the thing, e.g. 'the largest ship in the top half'", start, self.at)
        return [
            output.model_copy(
                update={
                    "target": output.target.model_copy(
                        update={"where": conjunction([*conjuncts(output.target.where), place])}
                    )
                }
            )
            for output in outputs
        ]

    def _request_at(self, place: int) -> bool:
        back, self.at = self.at, place
        found = self.begins_request()
        self.at = back
        return found
