"""Noun phrases: determiner, rank, adjectives, class name, and which conditions belong to it.

Attachment (docs/queries.md): a condition right after a noun belongs to that noun; after "and", "or", "but" or a comma
it belongs to the head. "that is" belongs to the nearest singular noun, "that are" to the nearest plural one, and keeps
what "and" adds. A noun phrase after "and" joins the noun phrase of like form ("the river and the road").
"""

from __future__ import annotations

from dataclasses import replace

from ..core.conditions import And, ClassIs, Colour, Compare, Condition, Not, Pick, Relation, Selection
from ..core.inflection import is_plural, plural, singular
from .parser_conditions import ConditionReader
from .parser_noun import NounPhrase, Rank, conjunction, disjunction
from .parser_vocabulary import (
    ADJECTIVES,
    EVERYTHING,
    IN_A_ROW,
    NOUN_TAILS,
    ORIENTATIONS,
    PLACES,
    RESERVED,
    STANDING,
    SUPERLATIVES,
    UNIT_SYMBOLS,
    UNITS,
)

_ALL = ("all of the", "all the", "all of", "all", "each of the", "each of", "each", "every one of the", "every")
_BOTH = ("both of the", "both the", "both of", "both")
_SOME = ("at least one of the", "at least one of", "at least one", "one of the", "one of", "some of the", "some of")
_INDEFINITE = ("another", "several", "any of the", "any of", "any other", "any", "some other", "some", "a", "an")
_DEFINITE = ("the only", "the", "these", "those", "this", "that")
_SINGULAR_DETERMINERS = ("a", "an", "another", "each", "every", "this", "that")
_PRONOUNS = ("one", "ones", "them", "it", "those", "they", "these")
_PLURAL_MODIFIERS = frozenset("sports athletics goods communications sales customs waterworks steelworks arms".split())
_NAMES_IN_ING = frozenset("building parking crossing landing housing swimming clearing mooring crossing".split())
MAX_NOUN_WORDS = 5
MAX_NOUN_CHARS = 60
_PENDING = Selection(phrases=("?",))  # "the nearest plane": the reference is still to come


class PhraseReader(ConditionReader):
    """Reads noun phrases and turns them into selections."""

    def __init__(self, query: str) -> None:
        super().__init__(query)
        self.opened: list[NounPhrase] = []
        self.antecedent: Selection | None = None

    # ---- looking ahead ----

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
            ranked or self.noun_follows() or (self.sees("one", "ones", "them", "it") and self.antecedent is not None)
        )
        self.at = back
        return found

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
        self.take_from_number()
        self.ranks()
        while self.take_from(SUPERLATIVES) is not None:
            back = self.at
            if self.take("and the", "and", ",") and self.peek_from(SUPERLATIVES) is None:
                self.at = back
            self.take("of the", "of all", "of")
            self.take("the")
            self.take_from_number()
            self.ranks()
        while self._adjective_before_noun() is not None:
            pass

    def take_from_number(self) -> int | None:
        """A count, unless it is the word "one" standing for a noun."""
        if self.text() == "one" and not (self.text(1) and self._free(1)):
            return None
        start = self.at
        value = self.number()
        if value is not None and (self.peek_from(UNITS) is not None or self._glued()) and self.text() != "yards":
            self.at = start
            return None
        self.at = start
        return self.whole_number()

    def _glued(self) -> bool:
        return not self.ended and self.tokens[self.at].glued

    def _free(self, ahead: int = 0) -> bool:
        """Whether the token may name a class: a word that the grammar does not use."""
        place = self.at + ahead
        if place >= len(self.tokens):
            return False
        token = self.tokens[place]
        lettered = len(token.text) > 1 or (place + 1 < len(self.tokens) and self.tokens[place + 1].glued)
        return token.kind == "word" and lettered and token.text not in RESERVED and token.text not in UNIT_SYMBOLS

    def noun_follows(self) -> bool:
        """Whether a word that can name a class comes next, perhaps after adjectives."""
        back = self.at
        while self._adjective_before_noun() is not None:
            pass
        found = self._free() and not self.peek_from(ORIENTATIONS) and not self.peek_from(IN_A_ROW)
        self.at = back
        return found

    # ---- noun phrases ----

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
        phrase = NounPhrase(self.at)
        if self.take("each other", "one another"):
            if not self.opened:
                self.refuse("'each other' needs a noun before it: 'planes next to each other'", phrase.start, self.at)
            phrase.phrases, phrase.plural = self.opened[0].phrases, True
            return phrase
        self._determiner(phrase)
        if self.sees("(") and phrase.form != "the":
            inner = self._bracketed()
            inner.quantifier = phrase.quantifier or inner.quantifier
            return inner
        ranks = self._rank_before(phrase)
        if phrase.ranks and self.sees("of") and not self.sees("of type", "of class"):
            return self._picked_from(phrase)
        if phrase.ranks and phrase.ranks[0].pick.by == "distance" and self.text() in ("to", "from"):
            return self._nearest_of(phrase)
        side = self.rank_side(ranks) if ranks is not None else None
        if side is not None and self.sees("of"):
            phrase.ranks.append(Rank(side, True))
            return self._picked_from(phrase)
        phrase.adjectives = self._adjectives()
        self._noun(phrase, elliptic)
        if phrase.has_determiner and phrase.phrases and not self.opened:
            self._more_nouns(phrase)
        if ranks is not None:
            self._rank_from_side(phrase, ranks)
        self._pending_distance(phrase, required=False)
        return phrase

    def _determiner(self, phrase: NounPhrase) -> None:
        start = self.at
        self.skip("only", "just")
        if self.take(*_ALL):
            phrase.form, phrase.quantifier = "all", "all"
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
        if phrase.form == "all":
            self.take("the")
        if self.text(-1) in _SINGULAR_DETERMINERS and self.at > start:
            phrase.plural = False
        if self.take("other") and not self.opened:
            self.refuse("'other' than what? Say 'all planes except the largest'", self.at - 1)
        number_start = self.at
        if self.text() == "top" and self._number_ahead(1):  # "the top three largest planes"
            self.at += 1
        number = self.take_from_number()
        if number == 0:
            self.refuse("none are asked for; say 'are there no planes?' or 'how many planes are there?'", number_start)
        phrase.number = number if number is not None else phrase.number
        phrase.has_determiner = self.at > start

    def _determines(self) -> bool:
        """Whether "those" stands before a noun, rather than for one."""
        back = self.at
        self.at += 1
        self.take_from_number()
        found = self.noun_follows()
        self.at = back
        return found

    def _rank_before(self, phrase: NounPhrase) -> tuple[int, int] | None:
        """Reads ranks before the noun; returns an ordinal that still needs "from the left"."""
        back = self.at
        ranks = self.ranks()
        kind = self.take_from(SUPERLATIVES)
        if kind is None:
            if ranks is not None:
                phrase.has_determiner = True
                phrase.number = None
            return ranks
        if ranks is not None and ranks[0] == 0:
            self.refuse("say which end: 'the largest' or 'the smallest'", back, self.at)
        number = phrase.number if phrase.number is not None else self.take_from_number()
        first, count = ranks or (1, number or 1)
        reference = _PENDING if kind[0] == "distance" else None
        pick = Pick(by=kind[0], order=kind[1], first=first, count=count, reference=reference)
        phrase.ranks.append(Rank(pick, ranks is not None or number is not None))
        phrase.has_determiner = True
        self._other_ranks(phrase)
        return None

    def _other_ranks(self, phrase: NounPhrase) -> None:
        """ "(the largest) and the smallest (plane)"."""
        while True:
            back = self.at
            self.take(", and the", "and the", ", and", "and", ", the", ",")
            ranks = self.ranks() if self.at > back else None
            kind = self.take_from(SUPERLATIVES) if self.at > back else None
            if kind is None or kind[0] == "distance" or self.opened:
                self.at = back
                return
            first, count = ranks or (1, 1)
            phrase.others.append(Rank(Pick(by=kind[0], order=kind[1], first=first or 1, count=count), True))

    def _picked_from(self, phrase: NounPhrase) -> NounPhrase:
        """ "the largest of the three left-most planes"."""
        self.take("of all the", "of all", "of")
        if self.antecedent is not None and self.take("them", "these", "those"):
            phrase.base = self.antecedent
        else:
            phrase.base = self.selection_of(self._bare_list())
        phrase.plural = phrase.ranks[0].pick.count > 1
        return phrase

    def _bare_list(self) -> list[NounPhrase]:
        """ "planes and ships" after "the largest of": only nouns without a determiner of their own go on."""
        phrases = [self.noun_phrase(nested=bool(self.opened))]
        while True:
            back = self.at
            if (
                not self.take(", and", ",", "and", "or")
                or not self.reference_ahead()
                or self._core_ahead().has_determiner
            ):
                self.at = back
                return phrases
            phrases.append(self.noun_phrase(nested=bool(self.opened)))

    def _core_ahead(self) -> NounPhrase:
        """The noun phrase ahead without what follows its noun; nothing is read."""
        back, spans = self.at, dict(self.spans)
        ahead = NounPhrase(back, form="the", plural=False, has_determiner=True) if self.sees("(") else self._core(False)
        self.at, self.spans = back, spans
        return ahead

    def _nearest_of(self, phrase: NounPhrase) -> NounPhrase:
        """ "the nearest to the bridge [of the planes]"."""
        self._pending_distance(phrase, required=True)
        if self.sees("of"):
            return self._picked_from(phrase)
        if self.antecedent is None:
            self.refuse_word("a noun, e.g. 'the plane nearest to the bridge'")
        phrase.base = self.antecedent
        return phrase

    def _pending_distance(self, phrase: NounPhrase, *, required: bool) -> None:
        """Reads "to the bridge" for "the nearest plane to the bridge"."""
        rank = phrase.ranks[0] if phrase.ranks else None
        if rank is None or rank.pick.reference != _PENDING:
            return
        if self.text() in ("to", "from", "away"):
            self.opened.append(phrase)
            pick = self.distance_pick(rank.pick.order, (rank.pick.first, rank.pick.count), None)
            self.opened.pop()
            if pick is not None:
                phrase.ranks[0] = Rank(pick, rank.counted)
                return
        if required:
            word = "nearest to" if rank.pick.order == "min" else "farthest from"
            self.refuse(f"{word} what? Say 'the plane {word} the bridge'", phrase.start, self.at)

    def _rank_from_side(self, phrase: NounPhrase, ranks: tuple[int, int]) -> None:
        pick = self.rank_side(ranks)
        if pick is None:
            noun = phrase.phrases[0] if phrase.phrases else "plane"
            self.refuse(
                f"counted from where? Say 'the second {noun} from the left' or 'the second largest {noun}'",
                phrase.start,
                self.at,
            )
        phrase.ranks.append(Rank(pick, True))

    # ---- adjectives and nouns ----

    def _adjective_before_noun(self) -> Condition | None:
        """An adjective that something which can be named follows; None (nothing read) otherwise."""
        start = self.at
        found = self.adjective() or self._measured_adjective() or self._aligned_adjective()
        if found is None:
            return None
        back = self.at
        self.take(", and", ", or", ",", "and", "or")
        more = self.peek_from(ADJECTIVES) is not None or self._free() or self.text() in ("one", "ones")
        more = more or (not self.ended and self.tokens[self.at].kind == "number")
        self.at = back
        if more and not (self.sees("and", "or", ",") and self._free(1)):
            return found
        self.at = start
        return None

    def _measured_adjective(self) -> Condition | None:
        """ "20-metre", "40 m long"."""
        start = self.at
        if self.ended or self.number() is None or self.peek_from(UNITS) is None or self.text() == "yards":
            self.at = start
            return None
        self.at = start
        quantity = self.quantity()
        if quantity is None:
            return None
        attribute = self.take("long", "wide") or ""
        return self.noted(
            self.compare(start, {"long": "length", "wide": "width"}.get(attribute, ""), "==", quantity), start
        )

    def _aligned_adjective(self) -> Condition | None:
        return Relation(relation="aligned") if self.take("aligned", "lined up") else None

    def _adjectives(self) -> list[Condition]:
        found: list[Condition] = []
        either: list[Condition] = []
        while True:
            adjective = self._adjective_before_noun()
            if adjective is None:
                return found + ([disjunction(either)] if either else [])
            back = self.at
            joint = self.take("or", "and", ", or", ", and", ",")
            if joint and self.peek_from(ADJECTIVES) is None and not self._measured_ahead():
                self.at, joint = back, None
            colours = isinstance(adjective, Colour) and (bool(either) or self.peek_from(ADJECTIVES) is not None)
            if joint in ("or", ", or") or either or (colours and joint in ("and", ",")):
                either.append(adjective)
                if joint is None:
                    found.append(disjunction(either))
                    either = []
            else:
                found.append(adjective)

    def _measured_ahead(self) -> bool:
        back = self.at
        found = self._measured_adjective() is not None
        self.at = back
        return found

    def class_name(self) -> str:
        """A class name in the singular. Raises QueryError when none comes next."""
        text = self._noun_words()
        if not text:
            self.refuse_word("a class name")
        return singular(text)

    def _noun(self, phrase: NounPhrase, elliptic: bool) -> None:
        start = self.at
        text = self._noun_words()
        if text:
            if text.split()[-1] in EVERYTHING:
                self.refuse(
                    "name what to look for, e.g. 'planes and ships'; 'surveyor models' lists what is known", start
                )
            phrase.plural = is_plural(text) if phrase.plural is None else phrase.plural
            phrase.phrases = (singular(text),)
            return
        pronoun = self.text() in _PRONOUNS
        if self.peek_from(PLACES) is not None:
            self.refuse("say where after the noun: 'planes in the top left corner', or 'the leftmost plane'", start)
        if self.antecedent is not None and (pronoun or phrase.ranks):
            phrase.plural = {"one": False, "ones": True, "them": True}.get(self.take(*_PRONOUNS) or "")
            phrase.base = self.antecedent
            return
        if elliptic:
            self.take("one", "ones")
            return
        if pronoun:
            self.refuse(f"{self.text()!r} stands for nothing named before; name the thing")
        self.refuse_word("what to look for, e.g. 'planes' or 'storage tanks'")

    def _more_nouns(self, phrase: NounPhrase) -> None:
        """ "(the two) planes and ships": bare nouns of the same number share what stands before the first."""
        while True:
            back = self.at
            text = self._noun_words() if self.take(", and", ", or", ",", "and", "or") and self._free() else ""
            if not text or is_plural(text) != is_plural(
                plural(phrase.phrases[0]) if phrase.plural else phrase.phrases[0]
            ):
                self.at = back
                return
            phrase.phrases += (singular(text),)

    def _noun_words(self) -> str:
        """The words of a class name as written, "" when none come next."""
        start = self.at
        words: list[str] = []
        while self._noun_goes_on(words):
            token = self.tokens[self.at]
            if words and token.text != "of":
                self._refuse_run_on(words)
            words.append(("-" if token.glued and words else " " if words else "") + token.text)
            self.at += 1
        if len(words) > MAX_NOUN_WORDS or sum(map(len, words)) > MAX_NOUN_CHARS:
            self.refuse(f"not understood as the name of a thing: {''.join(words)!r}", start, self.at)
        return "".join(words)

    def _noun_goes_on(self, words: list[str]) -> bool:
        if self.ended or self.peek_from(IN_A_ROW):
            return False
        token = self.tokens[self.at]
        if not words:
            return self._free()
        if self.peek_from(ORIENTATIONS) or self.peek_from(STANDING):
            return False
        if token.glued and (token.kind == "number" or token.text in RESERVED):
            return token.text not in ("most", "hand")
        if token.text == "of":
            return self._free(1) and self.text(1) not in ("type", "class")
        if token.text in NOUN_TAILS:
            return not self._free(1) and self.text(1) not in ("the", "a", "an", "of", "all")
        return self._free()

    def _refuse_run_on(self, words: list[str]) -> None:
        """Refuses a word after a plural ("planes flying"): no class name goes on there."""
        last = words[-1].strip(" -")
        if "of" in "".join(words).split() or last in _PLURAL_MODIFIERS or not is_plural(last) or len(last) < 4:
            return
        self.refuse_word(f"a condition after {last!r}")

    # ---- what follows the noun ----

    def posts(self, phrase: NounPhrase, *, nested: bool) -> None:
        """Reads the conditions after the noun into the phrase."""
        items: list[tuple[str, Condition | Rank]] = []
        while True:
            back = self.at
            if self.skip_image() or self.take("that you can see", "you can see"):
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
            phrase.ranks += ranks
        self._pending_distance(phrase, required=True)

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
            found = self.factor(predicate=joined or joint == ",")
            if found is not None:
                return [(joint, found)]
        self.at = back
        return []

    def _is_of_head(self, found: Condition | Rank) -> bool:
        """Whether a size after a definite singular reference is the head's ("ships in the harbour longer than 50 m")."""
        phrase = self.opened[-1]
        parts = found.conditions if isinstance(found, And) else (found,)
        settled = phrase.form == "the" and phrase.plural is False and phrase is not self.opened[0]
        return settled and all(isinstance(part, Compare) for part in parts)

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

    # ---- several noun phrases ----

    def references(self) -> tuple[list[NounPhrase], str]:
        """The noun phrases after a relation and the word that joins them ("and", "or", "")."""
        phrases = [self.noun_phrase(nested=True)]
        word = ""
        while True:
            back = self.at
            joint = self.take("and", "or")
            if joint is None or (word and joint != word) or not self.reference_ahead() or not self._joins(phrases[0]):
                self.at = back
                return phrases, word
            word = joint
            phrases.append(self.noun_phrase(nested=True))

    def _joins(self, first: NounPhrase) -> bool:
        """Whether the noun phrase ahead belongs beside `first` rather than beside one further out (like form)."""
        ahead = self._core_ahead()
        if ahead.likeness == first.likeness or (not ahead.has_determiner and ahead.plural is False):
            return True
        return not any(ahead.likeness == outer.likeness for outer in self.opened)

    def coordination(self, *, nested: bool) -> list[NounPhrase]:
        """Noun phrases joined by and, or, commas."""
        phrases = [self.noun_phrase(nested=nested)]
        while True:
            back = self.at
            if not self.take(", and", ", or", ", as well as", ",", "and", "or", "as well as", "plus"):
                return phrases
            if not self.reference_ahead():
                self.at = back
                return phrases
            phrases.append(self.noun_phrase(nested=nested))

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
        if len(phrases) > 1 and (any(p.ranks or p.base for p in phrases[1:]) or self._own_rank(phrases)):
            return [self.selection_of([phrase]) for phrase in phrases]
        return [self.selection_of(phrases)]

    def _own_rank(self, phrases: list[NounPhrase]) -> bool:
        return bool(phrases[0].ranks or phrases[0].base) and any(phrase.has_determiner for phrase in phrases[1:])

    def selection_of(self, phrases: list[NounPhrase]) -> Selection:
        """One set: the union of the noun phrases. A condition after the last one holds for all of a bare list."""
        if any(phrase.others for phrase in phrases):
            self.refuse("ask for each of these by itself", phrases[0].start, self.at)
        if len(phrases) == 1:
            return self._single(phrases[0])
        first, last = phrases[0], phrases[-1]
        if any(p.selection is not None or p.base is not None or p.ranks for p in phrases[1:]) or first.selection:
            self.refuse("say these one after the other, e.g. '…; detect the largest ship'", first.start, self.at)
        alone = not any(phrase.posts or phrase.ranks for phrase in phrases[:-1])
        alone = alone or (first.ranks and not any(p.posts or p.has_determiner for p in phrases[1:]))
        shared = [last.posts] if alone and last.posts is not None and not first.posts else []
        spread = alone and not any(phrase.adjectives or phrase.has_determiner for phrase in phrases[1:])
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
        where = conjunction([*phrase.adjectives, *([phrase.posts] if phrase.posts is not None else [])])
        picks = tuple(self.counted(rank, phrase).pick for rank in phrase.ranks)
        base = phrase.base
        if base is None:
            return Selection(phrases=phrase.phrases, where=where, picks=picks, expected=phrase.expected)
        if base.picks and where is not None:
            self.refuse("conditions on what is left after a superlative cannot be asked; put them first", phrase.start)
        both = conjunction([part for part in (base.where, where) if part is not None])
        expected = base.expected if not picks and where is None else None
        return Selection(phrases=base.phrases, where=both, picks=base.picks + picks, expected=expected)


def _together(phrases: list[NounPhrase]) -> int | None:
    """How many a list promises: "the plane and the ship" two, "the two planes and ships" two."""
    counts = [phrase.expected for phrase in phrases]
    if not any(phrase.has_determiner for phrase in phrases[1:]):
        return counts[0]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
