"""Class names and the adjectives before them: where the open words of a name begin and end."""

from __future__ import annotations

from ...core import lexicon
from ...core.conditions import Colour, Condition, Group, Not, Relation
from ...core.inflection import is_plural, plural, singular
from .conditions import ConditionReader
from .images import EARLIER, LATER
from .noun import disjunction
from .reserved import ADJECTIVES, DOING, NOUN_TAILS, RESERVED, UNIT_SYMBOLS
from .tokens import is_plain
from .verbs import EVERYTHING
from .vocabulary import ATTRIBUTES, GROUPS, IN_A_ROW, ORIENTATIONS, RELATIONS, STANDING, UNITS

_PLURAL_MODIFIERS = frozenset("sports athletics goods communications sales customs waterworks steelworks arms".split())
MAX_NOUN_WORDS = 5
MAX_NOUN_CHARS = 60
# alone; they only begin or end a name ("built area", "winter garden")
_NO_NAMES = frozenset(
    """image picture photo date changed built focus concentrate still using winter summer autumn night day week month
    year today yesterday tomorrow monday tuesday wednesday thursday friday saturday sunday january february march april
    june july august september october november december""".split()
)
_PICTURES = frozenset("image picture photo photograph screenshot scene".split())
# "the later image" is none of its things, a "mosaic picture" is
_OF_PICTURES = frozenset((*EARLIER, *LATER, "original", "other", "same", "satellite", "aerial", "drone"))


class NameReader(ConditionReader):
    """Reads class names and adjectives."""

    def take_from_number(self) -> int | None:
        """A count, unless it is the word "one" standing for a noun."""
        if self.text() == "one" and not (self.text(1) and self.may_name(1)):
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

    def may_name(self, ahead: int = 0) -> bool:
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
        while self.adjective_before_noun() is not None:
            pass
        found = self.may_name() and not self.peek_from(ORIENTATIONS) and not self.peek_from(IN_A_ROW)
        self.at = back
        return found

    def adjective_before_noun(self) -> Condition | None:
        """An adjective that something which can be named follows; None (nothing read) otherwise."""
        start = self.at
        found = self.adjective() or self._measured_adjective() or self._aligned_adjective() or self._alone()
        if found is None:
            return None
        back = self.at
        self.take(", and", ", or", ",", "and", "or")
        more = self.peek_from(ADJECTIVES) is not None or self.may_name() or self.text() in ("one", "ones")
        more = more or (not self.ended and self.tokens[self.at].kind == "number")
        self.at = back
        if more and not (self.sees("and", "or", ",") and self.may_name(1)):
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

    def _alone(self) -> Condition | None:
        """ "isolated": in no group."""
        return Not(condition=Group(form="group")) if self.take("isolated", "solitary", "lone") else None

    def adjectives(self) -> list[Condition]:
        found: list[Condition] = []
        either: list[Condition] = []
        while True:
            adjective = self.adjective_before_noun()
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
        text = self.noun_words()
        if not text:
            self.refuse_word("a class name")
        return singular(text)

    def noun_words(self) -> str:
        """The words of a class name as written, "" when none come next."""
        start = self.at
        words: list[str] = []
        while self._noun_goes_on(words):
            token = self.tokens[self.at]
            if words and token.text in DOING:
                self.refuse_word(f"a condition after {words[-1].strip(' -')!r}")
            if words and token.text != "of":
                self._refuse_run_on(words)
            words.append(("-" if token.glued and words else " " if words else "") + token.text)
            self.at += 1
        if len(words) > 1 and words[-1].strip() in ("detection", "detections"):
            words.pop()
        if len(words) > MAX_NOUN_WORDS or sum(map(len, words)) > MAX_NOUN_CHARS:
            self.refuse(f"not understood as the name of a thing: {''.join(words)!r}", start, self.at)
        if len(words) > 2 and words[0] in GROUPS.entries and words[1].strip() == "of":
            self.refuse("ask for groups or rows by themselves, e.g. 'rows of cars'", start, self.at)
        if words and not self._may_be_said("".join(words)):
            self.refuse(f"not understood as the name of a thing: {''.join(words)!r}", start, self.at)
        return "".join(words)

    @staticmethod
    def _may_be_said(name: str) -> bool:
        """Whether singular and plural of the name are read back as names ("nes": the singular is a place)."""
        parts = singular(name).split()
        if parts[-1] == "change" and lexicon.concept(" ".join(parts[:-1])) is not None:
            return False  # "building changes" are changed buildings, if they can be anything here
        if set(parts) <= _NO_NAMES or (parts[-1] in _PICTURES and parts[0] in _OF_PICTURES) or parts[-1] == "still":
            return False
        for form in (singular(name), plural(singular(name))):
            for word in form.split():
                used = word in RESERVED and word not in NOUN_TAILS and word not in EVERYTHING and word != "of"
                if used or not is_plain(word):
                    return False
        return True

    def _noun_goes_on(self, words: list[str]) -> bool:
        if self.ended or self.peek_from(IN_A_ROW):
            return False
        token = self.tokens[self.at]
        if not words:
            return self.may_name()
        if ATTRIBUTES.match(self.tokens, self.at) and self.text(1) in (">", "<", ">=", "<=", "="):
            return False
        if self.peek_from(ORIENTATIONS) or self.peek_from(STANDING) or self.peek_from(RELATIONS):
            return False
        if token.glued and (token.kind == "number" or token.text in RESERVED):
            return token.text not in ("most", "hand")
        if token.text == "of":
            return self.may_name(1) and self.text(1) not in ("type", "class")
        if token.text in ("green", "orange", "square") and is_plural(words[-1].strip(" -")):
            return False  # "are all courts green"
        if token.text in NOUN_TAILS:
            follows = self.text(1) in NOUN_TAILS or self.text(1) in ("the", "a", "an", "of", "all")
            return not self.may_name(1) and not follows
        return self.may_name()

    def _refuse_run_on(self, words: list[str]) -> None:
        """Refuses a word after a plural ("planes flying"): no class name goes on there."""
        last = words[-1].strip(" -")
        if "of" in "".join(words).split() or last in _PLURAL_MODIFIERS or not is_plural(last) or len(last) < 4:
            return
        self.refuse_word(f"a condition after {last!r}")
