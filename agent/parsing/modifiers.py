"""What follows a noun, and which noun it belongs to.

Attachment (docs/queries.md): a condition right after a noun belongs to that noun, except that a size after a singular
"the ..." belongs to the head; after "and", "or", "but" or a comma it belongs to the head. "that is" belongs to the
nearest singular noun, "that are" to the nearest plural one, and keeps what "and" adds.
"""

from __future__ import annotations

from typing import Literal

from ...core import lexicon
from ...core.conditions import And, ClassIs, Compare, Condition, Not, Or, Provided, Selection
from .names import NameReader
from .noun import NounPhrase, Rank, conjunction
from .verbs import EVERYTHING

_EXCEPT = (
    "except for",
    "except",
    "excluding",
    "other than",
    "apart from",
    "besides",
    "not including",
    "not counting",
    "with the exception of",
    "but not",
    "but no",
    "save for",
    "aside from",
    "with the exclusion of",
    "but leave out",
    "leave out",
    "leaving out",
    "but ignore",
    "ignoring",
    "ignore",
    "disregarding",
    "omitting",
    "but skip",
    "skipping",
)


class ModifierReader(NameReader):
    """Reads the conditions after a noun; the noun phrases that are open stand in `opened`, outermost first."""

    def __init__(self, query: str) -> None:
        super().__init__(query)
        self.opened: list[NounPhrase] = []
        self.antecedent: Selection | None = None
        self.mentioned: tuple[Selection, ...] = ()
        self.subject: Selection | None = None
        self.referred: Selection | None = None
        self.grouped: Literal["group", "row"] | None = None
        self.listed: Selection | None = None
        """The first set of the list that is being read."""
        self.each_at: list[int] = []
        """Where "each" or "every" stood before a thing referred to, which a number cannot be given for."""

    def noun_phrase(self, *, nested: bool, elliptic: bool = False) -> NounPhrase:
        """One noun phrase with the conditions that belong to it."""
        raise NotImplementedError

    def counted(self, rank: Rank, phrase: NounPhrase) -> Rank:
        """The rank with its count settled by the noun."""
        raise NotImplementedError

    def pending_distance(self, phrase: NounPhrase, *, required: bool) -> None:
        """Reads "to the bridge" for "the nearest plane to the bridge"."""
        raise NotImplementedError

    def posts(self, phrase: NounPhrase, *, nested: bool) -> None:
        """Reads the conditions after the noun into the phrase."""
        items: list[tuple[str, Condition | Rank]] = []
        while True:
            back = self.at
            if self.skip_image() or self.take("that you can see", "you can see"):
                continue
            if not nested and self.take(", if any ,", "if any", ", if there are any ,", "if there are any"):
                continue
            more = self._clause(phrase, nested) if self.clause_ahead() else []
            if not more and not nested:
                more = [("and", condition) for condition in self.exceptions(phrase)]
            if not more:
                more = self._next_conditions(bool(items) or bool(phrase.adjectives), nested)
            if not more:
                self.at = back
                break
            items += more
        if items:
            condition, ranks = self.combined(items, phrase.start)
            phrase.posts = self._but_not_both(condition)
            if len(items) > 1 and not ranks and items[-1][0] == "" and all(joint in ("", "and") for joint, _ in items):
                before, _ = self.combined(items[:-1], phrase.start)
                last, _ = self.combined(items[-1:], phrase.start)
                phrase.divided = None if last is None else (before, last)
            phrase.ranks += ranks
        self.pending_distance(phrase, required=True)

    def _but_not_both(self, condition: Condition | None) -> Condition | None:
        """ "next to the quay or in the top half, but not both"."""
        start = self.at
        if not self.take(", but not both", "but not both", ", not both") or not isinstance(condition, Or):
            self.at = start
            return condition
        if len(condition.conditions) != 2:
            self.refuse("'not both' takes two: 'near the river or near the road, but not both'", start, self.at)
        return And(conditions=(condition, Not(condition=And(conditions=condition.conditions))))

    def _clause(self, phrase: NounPhrase, nested: bool) -> list[tuple[str, Condition | Rank]]:
        number = self.clause_number()
        if nested and number is not None and phrase.plural is not None and number != phrase.plural:
            return []
        return self.sequence(predicate=True, joints=True, commas=not nested)

    def _next_conditions(self, joined: bool, nested: bool) -> list[tuple[str, Condition | Rank]]:
        """The next condition with its joint: juxtaposed, or after "and", "or", "but", a comma when not nested."""
        back = self.at
        found = self.factor(predicate=False) if not self._bare_verb() else None
        if found is not None and nested and self._is_of_head(found):
            self.at = back
            return []
        if found is not None:
            return [("", found)]
        if nested:
            return []
        back = self.at
        joint = self.joint(True)
        if joint and not self.reference_ahead():
            found = self.factor(predicate=joined or joint == ",") or (self.place_alone() if joint == "," else None)
            if found is not None:
                return [(joint, found)]
        self.at = back
        return []

    def _is_of_head(self, found: Condition | Rank) -> bool:
        """Whether a size after a singular "the ..." is the head's ("ships in the harbour longer than 50 m")."""
        phrase = self.opened[-1]
        parts = found.conditions if isinstance(found, And) else (found,)
        settled = phrase.form == "the" and phrase.plural is False and phrase is not self.opened[0]
        own = settled and all(isinstance(part, Compare) for part in parts)
        return own or any(isinstance(part, Provided) for part in parts)

    def _bare_verb(self) -> bool:
        """Whether the verb of the whole sentence comes next ("which planes are ...")."""
        return self.text() in ("is", "are", "was", "were", "have", "has", "lie", "do", "does", "that", "which", "who")

    def excepted(self, head: NounPhrase) -> Condition:
        """The condition that a noun phrase after "except" stands for."""
        any_that = self.text() in ("any", "all") and self.text(1) in ("that", "which")
        if (any_that and self.take("any", "all")) or self.take("those", "the ones", "ones"):
            inner = NounPhrase(self.at, phrases=head.phrases, plural=True)
            self.opened.append(inner)
            self.posts(inner, nested=True)
            self.opened.pop()
        else:
            inner = self.noun_phrase(nested=True, elliptic=True)
        same = not inner.phrases or inner.phrases == head.phrases
        strange = inner.form == "bare" and inner.plural is False and not same and not inner.has_determiner
        if strange and lexicon.concept(inner.phrases[0]) is None:
            self.at = inner.start
            self.refuse_word("a condition or a class of things after 'not'")
        parts: list[Condition] = [] if same else [ClassIs(phrase=inner.phrases[0])]
        parts += inner.adjectives + ([inner.posts] if inner.posts is not None else [])
        if inner.ranks and not parts and len(inner.ranks) == 1:
            return self.counted(inner.ranks[0], inner).pick
        condition = conjunction(parts)
        if inner.ranks or condition is None:
            self.refuse(
                "this exception is not understood; say e.g. 'all planes except the largest'", inner.start, self.at
            )
        return condition

    def exceptions(self, head: NounPhrase) -> list[Condition]:
        """ "except the largest", "other than the ships", "but not those near the river"; empty when none comes."""
        start = self.at
        self.take(",")
        if not self.sees("but not", "but no"):
            self.take("and", "but") if self.text(1) in ("not", "without") or self.sees("and") else None
        if self.take(*_EXCEPT, "not", "without", "but") is None or not self._exception_ahead(start):
            self.at = start
            return []
        found: list[Condition] = []
        while True:
            found.append(self._exception(head))
            back = self.at
            if not (self.take(", and", ", or", ",", "and", "or", "nor") and self._exception_ahead(back)):
                self.at = back
                return found

    def _exception_ahead(self, start: int) -> bool:
        if self.phrase_ahead():
            return self.text(-1) not in ("without", "but") or self.tokens[start - 1].text in EVERYTHING
        back = self.at
        found = self.rank_after(True) is not None or self.ones_ahead()
        if not found and self.text(-1) in ("except", "for", "excluding"):
            found = self.factor(predicate=True) is not None
        self.at = back
        return found

    def _exception(self, head: NounPhrase) -> Condition:
        start = self.at
        rank = self.rank_after(True)
        if rank is not None:
            return self.noted(Not(condition=rank.pick), start)
        if not self.phrase_ahead() and not self.ones_ahead():
            return self.noted(Not(condition=self._required(True)), start)
        return self.noted(Not(condition=self.excepted(head)), start)

    def ones_ahead(self) -> bool:
        """Whether "those", "the ones" or "the white ones" comes next."""
        raise NotImplementedError
