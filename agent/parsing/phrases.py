"""Noun phrases: determiner, rank, adjectives, class name."""

from __future__ import annotations

from dataclasses import replace

from ...core.changes import date_word, like_dated
from ...core.conditions import CountTest, Not, Selection
from ...core.inflection import is_plural, plural, singular
from .checks import of_another_kind
from .likening import is_single
from .noun import NounPhrase, Rank
from .ranked import RankedPhraseReader
from .relations import group_condition
from .reserved import ADJECTIVES
from .verbs import EVERYTHING
from .vocabulary import AMOUNTS, GROUPS, PLACES, SUPERLATIVES

_ALL = (
    "each and every",
    "all of the",
    "all the",
    "all of",
    "all",
    "each of the",
    "each of",
    "each",
    "every one of the",
    "every",
)
_BOTH = ("both of the", "both the", "both of", "both")
_SOME = ("at least one of the", "at least one of", "at least one", "one of the", "one of", "some of the", "some of")
_INDEFINITE = ("another", "several", "any of the", "any of", "any other", "any", "some other", "some", "a", "an")
_DEFINITE = ("the only", "the", "these", "those", "this", "that")
_SINGULAR_DETERMINERS = ("a", "an", "another", "each", "every", "this", "that")
_PRONOUNS = ("one", "ones", "them", "it", "those", "they", "these")
_SLIPS = {
    **dict.fromkeys(("teh", "hte", "thje", "tthe", "thte", "thhe", "te", "tje"), "the"),
    **dict.fromkeys(("adn", "nad", "annd"), "and"),
    **dict.fromkeys(("al", "alll"), "all"),
    "wich": "which",
    "whcih": "which",
}
# From above a thing is its roof or its outline: "the roof of the house" is the house
_SEEN_FROM_ABOVE = tuple(
    f"{part} of {the}"
    for part in ("roof", "roofs", "rooftop", "rooftops", "outline", "outlines", "footprint", "footprints", "shape")
    for the in ("the", "all", "each", "every")
)


class PhraseReader(RankedPhraseReader):
    """Reads noun phrases; their lists come from `coordination`, which a subclass gives."""

    def coordination(self, *, nested: bool) -> list[NounPhrase]:
        """Noun phrases joined by and, or, commas."""
        raise NotImplementedError

    def reference_ahead(self) -> bool:
        """Whether a noun phrase comes next (nothing is read)."""
        if self.sees("each other", "one another"):
            return True
        back = self.at
        bracket = self.take("(") is not None
        self._skip_opening()
        if not bracket and self.at > back and self.take("("):
            bracket = True
            self._skip_opening()
        ranked = bracket and self.text(-1) not in ("(", "the") and self.text() in ("to", "from", "of")
        found = (
            (ranked or self.noun_follows() or (self.sees("one", "ones", "them", "it") and self.antecedent is not None))
            or (self.sees("one", "ones") and bool(self.opened) and self.at > 0 and self._adjective_before())
            or (self.at == back and self.pointed_at() is not None)
        )
        self.at = back
        return found

    def pointed_at(self) -> Selection | None:
        """What "it", "one" or "them" ahead stands for: the thing referred to last, else the first of a list."""
        word = self.text()
        if word not in ("it", "one", "them"):
            return None
        for named in (self.referred, self.listed):
            if named is not None and not (word == "them" and is_single(named)):
                return named
        return None

    def _adjective_before(self) -> bool:
        """Whether the word before the reading place is an adjective ("brown" of "brown ones")."""
        return ADJECTIVES.match(self.tokens, self.at - 1) is not None

    def ones_ahead(self) -> bool:
        """Whether "those", "the ones" or "the white ones" comes next."""
        back, first = self.at, self.text()
        self._skip_opening()
        found = self.text() in ("one", "ones") or first == "those"
        self.at = back
        return found

    def _skip_opening(self) -> None:
        """Moves over determiner, number, rank and adjectives."""
        self.skip("only", "just")
        self.take(*_ALL, *_BOTH, *_SOME, *_INDEFINITE, *_DEFINITE)
        self.take("other")
        if self._amount_of_things() is not None:
            self.take("of the", "of these", "of those", "of")
            self.take("other")
        self.take_from_number()
        while self._skip_rank():
            back = self.at
            if self.take("and the", "and", ",") and self.peek_from(SUPERLATIVES) is None:
                self.at = back
            self.take("of the", "of all", "of")
            self.take("the")
            self.take_from_number()
        while self.adjective_before_noun() is not None:
            pass

    def _skip_rank(self) -> bool:
        """Moves over an ordinal, a superlative; whether more of the opening may follow."""
        ranks = self.ranks()
        if (self.take_from(SUPERLATIVES) or self._of_two()) is not None:
            return True
        return ranks is not None and self.rank_side(ranks) is not None and self.sees("of")

    def noun_phrase(self, *, nested: bool, elliptic: bool = False) -> NounPhrase:
        """One noun phrase with the conditions that belong to it.

        Args:
            nested: it is a reference inside a condition, so that joints are left to the head.
            elliptic: the noun may be missing ("except the largest").

        Raises:
            QueryError: no noun phrase, or one that cannot be understood.
        """
        self.deeper()
        phrase = self._bracketed() if self.sees("(") else self._all_but() or self._core(elliptic)
        if phrase.selection is None:
            self.opened.append(phrase)
            self.posts(phrase, nested=nested)
            self.opened.pop()
        self.depth -= 1
        return phrase

    def _all_but(self) -> NounPhrase | None:
        """ "all but the largest plane": the planes that are not the largest."""
        start = self.at
        if not self.take("all but", "all except", "all except for"):
            return None
        phrase = self._core(False)
        if not phrase.phrases or len(phrase.ranks) != 1 or phrase.others:
            self.refuse("all but which? Say 'all planes except the largest'", start, self.at)
        rank = self.counted(phrase.ranks[0], phrase)
        return replace(
            phrase, form="all", plural=True, ranks=[], adjectives=[*phrase.adjectives, Not(condition=rank.pick)]
        )

    def _bracketed(self) -> NounPhrase:
        start = self.at
        self.take("(")
        outside, self.opened = self.opened, []
        phrases = self.coordination(nested=False)
        if not self.take(")"):
            self.refuse_word("a closing bracket")
        self.opened = outside
        first = phrases[0]
        return NounPhrase(
            start, form=first.form, has_determiner=True, plural=first.plural, quantifier=first.quantifier,
            selection=self.selection_of(phrases),
        )  # fmt: skip

    def _core(self, elliptic: bool) -> NounPhrase:
        start = self.at
        phrase = NounPhrase(start)
        if self.take("each other", "one another"):
            if not self.opened:
                self.refuse("'each other' needs a noun before it: 'planes next to each other'", phrase.start, self.at)
            head = self.opened[0]
            phrase.phrases, phrase.plural, phrase.adjectives = head.phrases, True, list(head.adjectives)
            if head.ranks:  # "the two largest planes ... of each other": of these two
                phrase.selection = self.selection_of([replace(head, posts=None)])
            return phrase
        self._determiner(phrase)
        if self.sees("(") and phrase.form != "the":
            inner = self._bracketed()
            inner.quantifier = phrase.quantifier or inner.quantifier
            inner.amount = phrase.amount
            return inner
        if phrase.amount is not None and self.take("of"):
            amount = phrase.amount
            phrase = self._core(elliptic)
            phrase.amount, phrase.start = amount, start
            return phrase
        self._group(phrase)
        ranks = self._rank_before(phrase)
        if phrase.ranks and self.sees("of") and not self.sees("of type", "of class"):
            return self._picked_from(phrase)
        if phrase.ranks and phrase.ranks[0].pick.by == "distance" and self.text() in ("to", "from"):
            return self._nearest_of(phrase)
        side = self.rank_side(ranks) if ranks is not None else None
        if side is not None and self.sees("of"):
            phrase.ranks.append(Rank(side, True))
            return self._picked_from(phrase)
        phrase.adjectives = self.adjectives()
        if self.take(*_SEEN_FROM_ABOVE):
            self.take("the", "all the", "all", "each", "every", "a")
        self._noun(phrase, elliptic)
        if phrase.has_determiner and phrase.phrases and not self.opened:
            self._more_nouns(phrase)
        if phrase.other_at is not None and not any(phrase.phrases == outer.phrases for outer in self.opened):
            self.refuse(
                f"the other {phrase.phrases[0] if phrase.phrases else 'one'} than which?", phrase.other_at, self.at
            )
        if phrase.number is not None and not phrase.ranks and (phrase.top or self.sees("by")):
            self._rank_by(phrase)
        if ranks is not None:
            self._rank_from_side(phrase, ranks)
        self.pending_distance(phrase, required=False)
        return phrase

    def _determiner(self, phrase: NounPhrase) -> None:
        self.take("both ,")  # "both, the widest and the narrowest road"
        start = self.at
        self.skip("only", "just")
        if self.take(*_ALL):
            phrase.form, phrase.quantifier = "all", "all"
            if self.text(-1) == "every" and self.text() in ("second", "third", "fourth", "fifth"):
                self.refuse("one in so many cannot be asked; say 'the second plane from the left'", start, self.at + 1)
        elif self.take(*_BOTH):
            phrase.form, phrase.quantifier, phrase.number = "all", "all", 2
        elif self.take(*_SOME):
            phrase.form, phrase.quantifier = "bare", "any"
            self.take("the")
        elif self.take(*_INDEFINITE):
            phrase.form = "a"
        elif not (self.text() in ("those", "these", "that", "this") and not self._determines()) and self.take(
            *_DEFINITE
        ):
            phrase.form = "the"
        if self.opened and self.text(-1) in ("each", "every") and self.at == start + 1:
            self.each_at.append(start)
        if phrase.form == "all":
            self.take("the")
        if self.text(-1) in _SINGULAR_DETERMINERS and self.at > start:
            phrase.plural = False
        if self.take("other"):
            if not self.opened:
                self.refuse("'other' than what? Say 'all planes except the largest'", self.at - 1)
            phrase.other_at = self.at - 1 if phrase.form == "the" else None
        if self.opened and phrase.form in ("bare", "a") and phrase.quantifier is None:
            phrase.amount = self._amount_of_things()
            if phrase.amount is not None:
                self.take("other")
        number_start = self.at
        if self.text() == "top" and self._number_ahead(1):  # "the top three largest planes"
            self.at += 1
            phrase.top = True
        number = self.take_from_number()
        if number == 0:
            self.refuse("none are asked for; say 'are there no planes?' or 'how many planes are there?'", number_start)
        phrase.number = number if number is not None else phrase.number
        phrase.has_determiner = self.at > start

    def _amount_of_things(self) -> CountTest | None:
        """ "at least two", "three or more" before a noun; a plain number is left to the noun phrase."""
        start = self.at
        found = self.amount_of()
        plain = self.at > start and self.tokens[self.at - 1].text not in ("more", "less", "fewer", "over", "above")
        if (
            found is None
            or (plain and self.tokens[start].kind == "number")
            or (plain and found.op == "==" and not (self.sees_at(start, AMOUNTS)))
        ):
            self.at = start
            return None
        return found

    def _group(self, phrase: NounPhrase) -> None:
        """ "(the) groups of three or more (ships)"."""
        start = self.at
        which = self.group_rank()
        form = self.take_from(GROUPS)
        if form is None:
            form = "group" if self.take("block", "blocks") else None  # "blocks of flats" are a class of their own
            loose = form is not None
        else:
            loose = False
        if form is None or not self.take("of") or (loose and not self._amount_follows()):
            self.at = start
            return
        if phrase.number is not None and phrase.number > 1:
            self.refuse(
                "the number of groups is not checked; say 'groups of ships', or 'how many groups of ships'", start
            )
        test = self.amount_of()
        if which is not None and test is not None:
            self.refuse("either the largest group or one of a number, e.g. 'groups of at least three ships'", start)
        phrase.group = group_condition(form, test, which)
        phrase.number, phrase.plural, phrase.quantifier = None, True, phrase.quantifier
        if not self.opened:
            self.grouped = "row" if form == "row" else "group"

    def _amount_follows(self) -> bool:
        back = self.at
        found = self.amount_of() is not None
        self.at = back
        return found

    def _determines(self) -> bool:
        """Whether "those" stands before a noun, rather than for one."""
        back = self.at
        self.at += 1
        self.take_from_number()
        found = self.noun_follows()
        self.at = back
        return found

    def core_ahead(self) -> NounPhrase:
        """The noun phrase ahead without what follows its noun; nothing is read."""
        back, spans = self.at, dict(self.spans)
        ahead = NounPhrase(back, form="the", plural=False, has_determiner=True) if self.sees("(") else self._core(False)
        self.at, self.spans = back, spans
        return ahead

    def _noun(self, phrase: NounPhrase, elliptic: bool) -> None:
        start = self.at
        if (meant := _SLIPS.get(self.text())) is not None:
            self.refuse(f"did not understand {self.text()!r}; did you mean {meant!r}?", start)
        text = self.noun_words()
        if text:
            if text in EVERYTHING:
                text = self._anything(phrase, text)
            elif text.startswith("changed ") and text.removeprefix("changed ") in EVERYTHING:
                text = f"changed {self._anything(phrase, text.removeprefix('changed '))}"
            elif text.split()[-1] in EVERYTHING:
                self.refuse("name what to look for, e.g. 'planes and ships', or 'all objects' for all there is", start)
            phrase.plural = is_plural(text) if phrase.plural is None else phrase.plural
            phrase.phrases = (singular(text),)
            return
        pronoun = self.text() in _PRONOUNS
        pointed = self.pointed_at() if self.opened and self.at == phrase.start else None
        if pointed is not None and self.take("it", "them", "one"):
            phrase.selection = pointed  # "north of the plane or east of it"
            phrase.form, phrase.plural, phrase.has_determiner = "the", self.text(-1) == "them", True
            return
        if self.text() in ("one", "ones") and self.text(1) in ("among", "amongst", "of", "out"):
            plural = self.text() == "ones"  # "the red one among the cars"
            self.at += 1
            self.take("among all", "amongst all", "among", "amongst", "out of all", "out of", "of all", "of")
            self.take("the")
            phrase.base, phrase.plural = self.selection_of(self._bare_list()), plural
            return
        if self.peek_from(PLACES) is not None:
            self.refuse("say where after the noun: 'planes in the top left corner', or 'the leftmost plane'", start)
        some_of = phrase.has_determiner and phrase.number is not None and not self.ended
        if self.antecedent is not None and (pronoun or phrase.ranks or some_of):
            said = self.take(*_PRONOUNS) or ""
            phrase.plural = {"one": False, "ones": True, "them": True}.get(said)
            told = phrase.adjectives if said in ("one", "ones") else ()
            phrase.base = of_another_kind(self.antecedent, told)
            phrase.switched = phrase.base.where != self.antecedent.where
            return
        if elliptic:
            self.take("one", "ones")
            return
        if self.opened and phrase.adjectives and self.text() in ("one", "ones"):  # "green fields next to brown ones"
            if phrase.start and self.tokens[phrase.start - 1].text in ("and", "or", ","):  # "near A and the red ones"
                said = "of which set these are cannot be told here; ask for them in a sentence of their own"
                self.refuse(said, phrase.start, self.at + 1)
            phrase.plural = self.take("one", "ones") == "ones"
            phrase.phrases = self.opened[0].phrases
            return
        if pronoun and len(self.mentioned) > 1:
            self.refuse(f"{self.text()!r} could be any of several sets named before; name the thing")
        if pronoun:
            self.refuse(f"{self.text()!r} stands for nothing named before; name the thing")
        self.refuse_word("what to look for, e.g. 'planes' or 'storage tanks'")

    def _anything(self, phrase: NounPhrase, text: str) -> str:
        """ "everything", "any object": every class there is, under the one phrase "object"."""
        if text == "everything":
            phrase.form, phrase.quantifier, phrase.plural = "all", "all", True
        elif text in ("anything", "something"):
            phrase.plural = None
        while text.endswith("thing") and (adjective := self.adjective()) is not None:
            phrase.adjectives.append(adjective)  # "anything red"
        return "objects" if text.endswith("s") or (text.endswith("thing") and text != "thing") else "object"

    def _more_nouns(self, phrase: NounPhrase) -> None:
        """ "(the two) planes and ships": bare nouns of the same number share what stands before the first."""
        while True:
            back = self.at
            text = self.noun_words() if self.take(", and", ", or", ",", "and", "or") and self.may_name() else ""
            first = plural(phrase.phrases[0]) if phrase.plural else phrase.phrases[0]
            if (
                not text
                or is_plural(text) != is_plural(first)
                or (date_word(text) and not date_word(phrase.phrases[0]))
            ):
                self.at = back
                return
            phrase.phrases += (like_dated(singular(text), phrase.phrases[0]),)
