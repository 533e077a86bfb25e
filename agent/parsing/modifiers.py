"""What follows a noun, and which noun it belongs to.

Attachment (docs/queries.md): a condition right after a noun belongs to that noun, except that a size after a singular
"the ..." belongs to the head; after "and", "or", "but" or a comma it belongs to the head. "that is" belongs to the
nearest singular noun, "that are" to the nearest plural one, and keeps what "and" adds.
"""

from __future__ import annotations

from typing import Literal

from ...core.conditions import And, ClassIs, Compare, Condition, Provided, Selection
from .names import NameReader
from .noun import NounPhrase, Rank, conjunction


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
            phrase.posts = condition
            if len(items) > 1 and not ranks and items[-1][0] == "" and all(joint in ("", "and") for joint, _ in items):
                before, _ = self.combined(items[:-1], phrase.start)
                last, _ = self.combined(items[-1:], phrase.start)
                phrase.divided = None if last is None else (before, last)
            phrase.ranks += ranks
        self.pending_distance(phrase, required=True)

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
        if self.take("those", "the ones", "ones"):
            inner = NounPhrase(self.at, phrases=head.phrases, plural=True)
            self.opened.append(inner)
            self.posts(inner, nested=True)
            self.opened.pop()
        else:
            inner = self.noun_phrase(nested=True, elliptic=True)
        same = not inner.phrases or inner.phrases == head.phrases
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
