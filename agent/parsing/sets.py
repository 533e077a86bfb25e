"""From noun phrases to selections: lists, unions, and which noun phrases belong together.

A noun phrase after "and" joins the noun phrase of like form: "near the bridge and the river" is near both, "planes
left of the runway and ships" is planes and ships.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

from ...core import lexicon
from ...core.changes import date_word, like_dated
from ...core.conditions import ClassIs, Condition, Relation, Selection, conjuncts, walk
from ...core.inflection import is_plural, plural
from .noun import NounPhrase, Rank, conjunction, disjunction
from .phrases import PhraseReader


class SetReader(PhraseReader):
    """Reads lists of noun phrases and turns them into selections."""

    def references(self, *, pair: bool = False) -> tuple[list[NounPhrase], str]:
        """The noun phrases after a relation and the word that joins them ("and", "or", "").

        Args:
            pair: the relation asks for two ("between"), so that "and" joins a second of any form.
        """
        phrases = [self.noun_phrase(nested=True)]
        word = ""
        while True:
            back = self.at
            joint = self.take("and", "or")
            second = pair and joint == "and" and not word
            if joint is None or (word and joint != word) or not self.reference_ahead():
                self.at = back
                return phrases, word
            if not second and not self._joins(phrases[0]):
                self.at = back
                return phrases, word
            word = joint
            phrases.append(self.noun_phrase(nested=True))

    def _joins(self, first: NounPhrase) -> bool:
        """Whether the noun phrase ahead belongs beside `first` rather than beside one further out (like form)."""
        ahead = self.core_ahead()
        strange = len(first.phrases) == 1 and lexicon.concept(first.phrases[0]) is None and not first.has_determiner
        if strange and not ahead.has_determiner and len(ahead.phrases[0].split()) > 1:
            return True  # "near tennis and basketball courts"
        if ahead.likeness == first.likeness or (not ahead.has_determiner and ahead.plural is False):
            return True
        return not any(ahead.likeness == outer.likeness for outer in self.opened)

    def coordination(self, *, nested: bool) -> list[NounPhrase]:
        """Noun phrases joined by and, or, commas."""
        self.take("either")
        phrases = [self.noun_phrase(nested=nested)]
        outer, self.listed = self.referred, None
        while True:
            back = self.at
            if not self.take(", and", ", or", ", as well as", ",", "and", "or", "as well as", "plus"):
                break
            named = phrases[0].phrases
            if not nested and named and self.antecedent is None and self._others_ahead():
                self.antecedent = Selection(phrases=named)  # "houses east of the river and those west of it"
                phrases.append(self.noun_phrase(nested=nested))
                self.antecedent = None
                continue
            if not self.reference_ahead():
                self.at = back
                break
            if not nested and self.text(-1) == "," and phrases[0].plural and self._keyword_ahead():
                self.refuse_keyword()
            alone = not nested and len(phrases) == 1 and not phrases[0].others
            first = self.selection_of(phrases) if alone else None  # "the runway and the planes within 50 m of it"
            self.listed = first or self.listed
            phrases.append(self.noun_phrase(nested=nested))
            phrases[-1].points_back = _mentions(phrases[-1].posts, first)
        self.referred = outer if outer is not None else self.referred
        return phrases

    def refuse_keyword(self) -> NoReturn:
        """Refuses "white cars, parking lot"."""
        start = self.at
        name = self.noun_words()
        self.refuse(
            f"is {name!r} to be looked for too? Say 'and {plural(name)}', or where: 'near the {name}'", start, self.at
        )

    def _keyword_ahead(self) -> bool:
        """Whether a bare singular ends the list: "white cars, parking lot" may be two things or a thing at a place."""
        back = self.at
        name = self.noun_words() if self.may_name() else ""
        ends = self.ended or self.text() in (",", ".", "?", ";")
        self.at = back
        return bool(name) and not is_plural(name) and ends

    def _others_ahead(self) -> bool:
        """Whether "those" or "the ones" comes next, with a condition of its own behind it."""
        return self.sees("those", "the ones") and not self._determines_ahead()

    def _determines_ahead(self) -> bool:
        back = self.at
        self.take("those", "the ones")
        found = self.ended or self.noun_follows()
        self.at = back
        return found

    def counted(self, rank: Rank, phrase: NounPhrase) -> Rank:
        """The rank with its count settled by the noun: "the two planes nearest to the bridge" takes two."""
        if rank.counted or phrase.others:
            return rank
        if phrase.number is not None:
            return Rank(rank.pick.model_copy(update={"count": phrase.number}), True)
        if phrase.plural and phrase.base is None:
            self.refuse("how many? Say 'the largest plane' or 'the three largest planes'", phrase.start, self.at)
        return rank

    def selections_of(self, phrases: list[NounPhrase]) -> list[Selection]:
        """One set for all noun phrases where one can hold them, else one for each (superlatives of their own)."""
        if phrases[0].others and len(phrases) == 1:
            first = phrases[0]
            variants = [replace(first, ranks=[rank, *first.ranks[1:]]) for rank in (first.ranks[0], *first.others)]
            return [self._single(variant) for variant in variants]
        apart = any(p.ranks or p.base or p.points_back for p in phrases[1:])
        if len(phrases) > 1 and (apart or self._own_rank(phrases)):
            return [self.selection_of([phrase]) for phrase in phrases]
        return [self.selection_of(phrases)]

    def _own_rank(self, phrases: list[NounPhrase]) -> bool:
        return bool(phrases[0].ranks or phrases[0].base) and any(phrase.has_determiner for phrase in phrases[1:])

    def selection_of(self, phrases: list[NounPhrase]) -> Selection:
        """One set: the union of the noun phrases. A condition after the last one holds for all of a bare list."""
        if len(phrases) > 1 and any(phrase.group is not None for phrase in phrases):
            self.refuse("ask for groups of one kind at a time", phrases[0].start, self.at)
        if any(phrase.others for phrase in phrases):
            self.refuse("ask for each of these by itself", phrases[0].start, self.at)
        if len(phrases) == 1:
            return self._single(phrases[0])
        phrases = _all_dated(phrases)
        first, last = phrases[0], phrases[-1]
        if any(p.selection is not None or p.base is not None or p.ranks for p in phrases[1:]) or first.selection:
            self.refuse("say these one after the other, e.g. '…; detect the largest ship'", first.start, self.at)
        alone = not any(phrase.posts or phrase.ranks for phrase in phrases[:-1])
        alone = alone or (bool(first.ranks) and not any(p.posts or p.has_determiner for p in phrases[1:]))
        shared = [last.posts] if alone and last.posts is not None and not first.posts else []
        spread = alone and _are_bare(phrases[1:], first)
        front = first.adjectives if spread else []
        names = tuple(dict.fromkeys(name for phrase in phrases for name in phrase.phrases))
        own = []
        for phrase in phrases:
            parts = [] if spread else list(phrase.adjectives)
            if phrase.posts is not None and not (shared and phrase is last):
                parts.append(phrase.posts)
            own.append(parts)
        branches: list[Condition] = []
        if any(own):
            for phrase, parts in zip(phrases, own, strict=True):
                for name in phrase.phrases:
                    branch = conjunction([ClassIs(phrase=name), *parts])
                    branches += [branch] if branch is not None else []
        where = conjunction([*front, *([disjunction(branches)] if branches else []), *shared])
        picks = tuple(self.counted(rank, first).pick for rank in first.ranks)
        return Selection(phrases=names, where=where, picks=picks, expected=None if picks else _together(phrases))

    def _single(self, phrase: NounPhrase) -> Selection:
        """The set of one noun phrase."""
        if phrase.selection is not None:
            return phrase.selection
        posts = [part for part in (phrase.posts, phrase.group) if part is not None]
        where = conjunction([*phrase.adjectives, *posts])
        picks = tuple(self.counted(rank, phrase).pick for rank in phrase.ranks)
        base = phrase.base
        if base is None:
            return Selection(phrases=phrase.phrases, where=where, picks=picks, expected=phrase.expected)
        if base.picks and where is not None:
            self.refuse("conditions on what is left after a superlative cannot be asked; put them first", phrase.start)
        kept = conjuncts(base.where)
        if phrase.switched:  # "the new houses near the river ... the demolished ones near the road": elsewhere
            own = {part.relation for post in posts for part in conjuncts(post) if isinstance(part, Relation)}
            kept = tuple(part for part in kept if not (isinstance(part, Relation) and part.relation in own))
        both = conjunction([*kept, *([] if where is None else [where])])
        expected = base.expected if not picks and where is None else None
        return Selection(phrases=base.phrases, where=both, picks=base.picks + picks, expected=expected)


def _are_bare(others: list[NounPhrase], first: NounPhrase) -> bool:
    """Whether what stands before the first noun holds for the others: they have nothing of their own before them."""
    own = not any(map(date_word, first.phrases)) and any(date_word(name) for p in others for name in p.phrases)
    return not own and not any(phrase.adjectives or phrase.has_determiner for phrase in others)


def _all_dated(phrases: list[NounPhrase]) -> list[NounPhrase]:
    """ "changed ships and buildings" as "changed ships and changed buildings", as an adjective would be taken."""
    first = phrases[0]
    alone = not any(phrase.posts or phrase.ranks for phrase in phrases[:-1])
    if len(first.phrases) != 1 or not date_word(first.phrases[0]) or not alone or not _are_bare(phrases[1:], first):
        return phrases
    return [
        replace(phrase, phrases=tuple(like_dated(name, first.phrases[0]) for name in phrase.phrases))
        for phrase in phrases
    ]


def _mentions(condition: Condition | None, selection: Selection | None) -> bool:
    return selection is not None and condition is not None and any(node == selection for node in walk(condition))


def _together(phrases: list[NounPhrase]) -> int | None:
    """How many a list promises: "the plane and the ship" two, "the two planes and ships" two."""
    counts = [phrase.expected for phrase in phrases]
    if not any(phrase.has_determiner for phrase in phrases[1:]):
        return counts[0]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
