"""The reading head: tokens, a position, and errors that point at the words in trouble."""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import NoReturn, TypeVar

from ...core import lexicon
from ...core.conditions import Condition
from ...core.errors import QueryError
from .changes import in_one_form
from .reserved import APPEARANCES, CONSTRUCTIONS, RESERVED, UNSEEN, VAGUE
from .tokens import PhraseTable, Token, tokenize
from .vocabulary import AMOUNTS, COMPARATIVES, PLACES, RELATIONS, STANDING, VIEWPOINT

T = TypeVar("T")
MAX_DEPTH = 8
_CLAUSE = ("that", "which", "who")


@lru_cache(maxsize=4096)
def _by_first_word(phrases: tuple[str, ...]) -> dict[str, list[tuple[str, ...]]]:
    """First word -> the words of the phrases that begin with it, in their order."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for words in (tuple(phrase.split()) for phrase in phrases):
        found.setdefault(words[0], []).append(words)
    return found


class Cursor:
    """Tokens of one query and how far they are read.

    Args:
        query: the text as given.

    Raises:
        QueryError: empty, too long or not English.
    """

    def __init__(self, query: str) -> None:
        self.query = query
        self.tokens: list[Token] = in_one_form(tokenize(query))
        self.at = 0
        self.depth = 0
        self.spans: dict[Condition, tuple[int, int]] = {}

    # ---- looking and taking ----

    def text(self, ahead: int = 0) -> str:
        """The token's text at that distance, '' past the end."""
        place = self.at + ahead
        return self.tokens[place].text if 0 <= place < len(self.tokens) else ""

    def sees(self, *phrases: str) -> bool:
        """Whether one of the phrases comes next."""
        return self._next_of(phrases) is not None

    def take(self, *phrases: str) -> str | None:
        """Moves over the first of the phrases that comes next and returns it; None when none does."""
        found = self._next_of(phrases)
        if found is None:
            return None
        self.at += len(found)
        return " ".join(found)

    def _next_of(self, phrases: tuple[str, ...]) -> tuple[str, ...] | None:
        """The words of the first of the phrases that comes next."""
        if self.at >= len(self.tokens):
            return None
        for words in _by_first_word(phrases).get(self.tokens[self.at].text, ()):
            if len(words) == 1 or all(self.text(ahead) == words[ahead] for ahead in range(1, len(words))):
                return words
        return None

    def take_from(self, table: PhraseTable[T]) -> T | None:
        """Moves over the longest phrase of the table that comes next and returns its meaning; else None."""
        found = table.match(self.tokens, self.at)
        if found is None:
            return None
        self.at += found[1]
        return found[0]

    def peek_from(self, table: PhraseTable[T]) -> T | None:
        """Like `take_from`, without moving."""
        found = table.match(self.tokens, self.at)
        return None if found is None else found[0]

    def sees_at(self, place: int, table: PhraseTable[T]) -> bool:
        """Whether a phrase of the table stands at that token."""
        return table.match(self.tokens, place) is not None

    def skip(self, *words: str) -> None:
        """Moves over any of the words."""
        while self.text() in words and self.text():
            self.at += 1

    @property
    def ended(self) -> bool:
        """Whether all tokens are read."""
        return self.at >= len(self.tokens)

    # ---- remembering and refusing ----

    def noted(self, condition: Condition, start: int) -> Condition:
        """Remembers which words gave a condition, for later complaints."""
        self.spans.setdefault(condition, self.span(start, self.at))
        return condition

    def span(self, start: int, stop: int | None = None) -> tuple[int, int]:
        """Character offsets of the tokens start..stop (one token when stop is None)."""
        last = min(len(self.tokens), start + 1 if stop is None else stop) - 1
        first = min(start, len(self.tokens) - 1)
        return self.tokens[first].start, self.tokens[max(first, last)].stop

    def refuse(self, message: str, start: int | None = None, stop: int | None = None) -> NoReturn:
        """Raises QueryError with carets under the tokens start..stop (the next token when not given)."""
        begin = self.at if start is None else start
        if begin >= len(self.tokens):
            end = self.tokens[-1].stop
            raise QueryError(message, self.query, [(self.tokens[-1].start, end)])
        raise QueryError(message, self.query, [self.span(begin, stop)])

    def refuse_word(self, expected: str) -> NoReturn:
        """Raises QueryError at the next word, with the nearest known form when a word looks misspelt."""
        if self.ended:
            self.refuse(f"the query ends too early after {self.tokens[-1].text!r}: expected {expected}")
        trouble = self._past_copula()
        for place in (trouble, *range(self.at, max(-1, self.at - 3), -1)):
            word = self.tokens[place].text
            if self.text(place + 1 - self.at) == "then" and f"{word} than" in COMPARATIVES.entries:
                self.refuse(
                    f"did not understand {word + ' then'!r}; did you mean {word + ' than'!r}?", place, place + 2
                )
            if place == trouble:
                self._refuse_vague(trouble)
            known = place < self.at and lexicon.concept(word) is not None
            meant = None if known else nearest_word(word)
            if meant is not None:
                self.refuse(f"did not understand {word!r}; did you mean {meant!r}?", place)
        if self.text() in ("me", "us") and self.at:
            self.refuse(
                f"{self.text(-1)!r} cannot be asked; say find, segment, count, measure or describe", self.at - 1
            )
        if self.peek_from(VIEWPOINT):
            self.refuse(
                f"{self.text()!r} depends on where one stands; say 'left of', 'north of', 'next to' "
                "or 'on the east side of'"
            )
        self._refuse_unknown_whole()
        stop = self._end_of_trouble()
        if trouble > self.at and trouble < stop:
            shown = " ".join(token.text for token in self.tokens[trouble:stop])
            self.refuse(f"did not understand {shown!r} here: expected {expected}", trouble, stop)
        shown = " ".join(token.text for token in self.tokens[self.at : stop])
        hint = "; say 'in', 'next to' or 'near' for 'at'" if self.text() == "at" else ""
        self.refuse(f"did not understand {shown!r} here: expected {expected}{hint}", self.at, stop)

    def _refuse_vague(self, trouble: int) -> None:
        """Refuses at the first word of the clause that says too little, whatever reading stopped at before it."""
        opened = False
        while trouble + 1 < len(self.tokens) and self.tokens[trouble].text in ("the", "a", "an"):
            trouble += 1
        for place in range(trouble, min(len(self.tokens), trouble + 7)):
            word = self.tokens[place].text
            after = self.tokens[place + 1].text if place + 1 < len(self.tokens) else ""
            if self.tokens[place].kind != "word" or (place > trouble and word in ("and", "or", "but", *_CLAUSE)):
                return
            relative = (after == "than" and word not in UNSEEN) or RELATIONS.match(self.tokens, place) is not None
            if word in VAGUE and not relative and (place == trouble or word not in APPEARANCES):
                says = "cannot be asked" if word in UNSEEN else "says too little"
                self.refuse(f"{word!r} {says}: {VAGUE[word]}", place)
            opened = opened or word not in RESERVED
            if (
                not opened
                and STANDING.match(self.tokens, place)
                and (after == "" or not (after.isalpha() and after in RESERVED))
            ):
                where = "'near the quay'"
                self.refuse(
                    f"whether things are {word!r} cannot be told; leave it out, or say where, e.g. {where}", place
                )

    def _refuse_unknown_whole(self) -> None:
        """Refuses the noun before "of the river" where it names nothing known ("polluted stretches of the river")."""
        begin = self.at
        while begin > 0 and self.tokens[begin - 1].kind == "word" and self.tokens[begin - 1].text not in RESERVED:
            begin -= 1
        if self.text() != "of" or begin == self.at:
            return
        name = " ".join(token.text for token in self.tokens[begin : self.at])
        if lexicon.concept(name) is None and lexicon.concept(self.text(-1)) is None:
            self.refuse(f"not understood as the name of a thing: {name!r}", begin, self.at)

    def _past_copula(self) -> int:
        """The word after "that is", "are": what the trouble is about."""
        place = self.at
        while place + 1 < len(self.tokens) and self.tokens[place].text in (*_CLAUSE, "is", "are", "was", "were"):
            place += 1
        return place if self.tokens[place - 1].text in ("is", "are", "was", "were") else self.at

    def _end_of_trouble(self) -> int:
        """A word alone tells little: a preposition takes its noun, "that" its clause, an open word those behind it."""
        stop = self.at + 1
        if self.text() in _CLAUSE:
            return self._end_of_clause()
        if self.text() in ("in", "on", "at", "to", "of", "from", "with", "for", "by", "and", "or", "as"):
            while stop < len(self.tokens) and self.tokens[stop].text in ("the", "a", "an"):
                stop += 1
            stop += self.tokens[min(stop, len(self.tokens) - 1)].kind == "word"
        while stop < len(self.tokens) and self.tokens[stop].kind == "word" and self.tokens[stop].text not in RESERVED:
            stop += 1
        return min(stop, len(self.tokens))

    def _end_of_clause(self) -> int:
        """Where a clause that was not understood ends: at a symbol, a number, a joint or the next condition."""
        stop, told = self.at + 1, False
        while stop < len(self.tokens) and self.tokens[stop].kind == "word":
            if self.tokens[stop].text in ("and", "or", "but", *_CLAUSE):
                break
            if told and any(table.match(self.tokens, stop) for table in (RELATIONS, COMPARATIVES, AMOUNTS)):
                break
            told = told or self.tokens[stop].text not in RESERVED
            stop += 1
        return stop

    def deeper(self) -> None:
        """Counts one more level of nesting. Raises QueryError when it gets too deep to follow."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.refuse(f"too many conditions inside each other (at most {MAX_DEPTH} levels); ask in two steps")


def nearest_word(word: str) -> str | None:
    """The word of the grammar that a misspelt word most looks like; None for known, short or unlike words."""
    if len(word) < 3 or word in RESERVED or word in CONSTRUCTIONS or not word.isalpha():
        return None
    known = sorted(known for known in CONSTRUCTIONS if len(known) > 3 and known[0] == word[0])
    found = difflib.get_close_matches(word, known, n=4, cutoff=0.75 if len(word) > 3 else 0.8)
    if not found:
        return None
    near = [other for other in found if _ratio(word, other) > _ratio(word, found[0]) - 0.02]
    return next((other for other in near if other in _TELLING), near[0])


def _ratio(word: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, word).ratio()


_TELLING = frozenset(word for table in (RELATIONS, COMPARATIVES, AMOUNTS, PLACES) for word in table.words())
