"""Reads words for what they mention, for the coverage check: canonical words of a tree, or words of a query."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache

from ..core.conditions import InBox, Not
from ..core.errors import QueryError
from ..core.inflection import cardinal, ordinal, singular
from ..core.lexicon import concept, vocabulary
from .coverage_words import ANY_VERB, EVERY, NOTHING, Alternatives, phrases
from .parsing.boxes import BoxReader
from .parsing.quantities import QuantityReader
from .parsing.tokens import Token
from .parsing.verbs import EVERYTHING
from .parsing.vocabulary import OR_MORE, UNITS

LONGEST_NAME = 4
"""Words of the longest name that the lexicon is asked for."""
CLAUSE_STARTS = frozenset("and then ; . ? ! , also".split())
_ASKING = frozenset("is are does do was were".split())
_LARGE_NUMBERS = """thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty
    seventy eighty ninety hundred thousand million dozen""".split()
_RANKS = ("st", "nd", "rd", "th")
_ORDINALS = [ordinal(n) for n in range(13)]
_NOT_NAMES = frozenset("the a an all any every each some".split())
_TO_A_THING = frozenset("the a an any all each at ( than".split())


@dataclass(frozen=True)
class Mention:
    """One demand of some words: any of the alternatives will do."""

    text: str
    start: int
    stop: int
    alternatives: Alternatives

    @property
    def is_verb(self) -> bool:
        """Whether it may ask for an output."""
        return any(meaning.startswith("verb:") for one in self.alternatives for meaning in one)


def tokens_of(text: str) -> list[Token]:
    """The tokens of any words."""
    return QuantityReader(text).tokens


def mentions(tokens: list[Token]) -> list[Mention]:
    """What canonical words speak of, in order; words that say nothing are left out."""
    return Reader(tokens).read()


class Reader:
    """Reads tokens from left to right, the longest phrase or name first."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at = tokens, 0
        self.found: list[Mention] = []
        self.verb_at = -1

    def read(self) -> list[Mention]:
        """All mentions."""
        while self.at < len(self.tokens):
            self.step()
        return self.found

    def step(self) -> None:
        """One number, name or phrase."""
        token = self.tokens[self.at]
        if self._box():
            return
        if token.text in ("+", "from") and self._beside_a_number():
            self.add(((frozenset(), frozenset(["op:>="]), frozenset(["op:<="])),), 1)
            return
        if token.kind == "symbol" and token.text[0] not in "<>=":
            self.at += 1
            return
        phrase, name = self.phrase(), self.name()
        if name is not None and name[1] >= (phrase[1] if phrase else 1):
            self.add(((frozenset([f"class:{name[0]}"]),),), name[1])
        elif self._asks() and not (phrase and phrase[1] > 2):
            every = [(frozenset(["not"]),)] if self.text(1) in EVERY else []
            self.add(((frozenset(["verb:exists"]),), *every), 2 if every else 1)
        elif self.asks_for_unit():
            unit = UNITS.match(self.tokens, self.at)
            self.add(((frozenset([f"unit:{unit[0]}"]),),) if unit else (), unit[1] if unit else 1)
        elif phrase is not None and (phrase[1] > 1 or not self._number_ahead()):
            self.add(phrase[0], phrase[1])
        elif not self._number():
            self.add(((frozenset([f"word:{singular(token.text)}"]),),), 1)

    def _box(self) -> bool:
        """Reads a box of the image said in numbers, its noun included; denied where "outside" says so."""
        ahead = self.tokens[self.at : self.at + 32]
        if not any(token.text in "[(" for token in ahead[1:5]):
            return False
        reader = BoxReader(" ".join(token.text for token in ahead))
        try:
            found = reader.box_of_image()
        except QueryError:
            return False
        if found is None:
            return False
        box = found.condition if isinstance(found, Not) else found
        assert isinstance(box, InBox)
        meanings = [f"box:{box.xyxy}{box.unit}", *(["not"] if box is not found else [])]
        self.add(tuple((frozenset([meaning]),) for meaning in meanings), reader.at)
        return True

    def phrase(self) -> tuple[tuple[Alternatives, ...], int] | None:
        """The longest phrase here; "or larger" and "and above" only where no "than" and no thing follows."""
        found = phrases().match(self.tokens, self.at)
        if found is None or found[1] != 2 or OR_MORE.match(self.tokens, self.at) is None:
            return found
        after = self.text(2)
        upright = self.text(1) in ("above", "below", "under", "over")
        number = self.at + 2 < len(self.tokens) and self.tokens[self.at + 2].kind == "number"
        if after == "than" or (upright and (number or after in _TO_A_THING or self.name(self.at + 2))):
            return phrases().entries.get(self.text(), (NOTHING,)), 1
        return found

    def _beside_a_number(self) -> bool:
        """Whether "+" stands behind an amount ("50 m+"), or "from" before one ("from 50 to 100 m")."""
        if self.text() == "from":
            return self.at + 1 < len(self.tokens) and self.tokens[self.at + 1].kind == "number"
        return any(token.kind == "number" for token in self.tokens[max(0, self.at - 2) : self.at])

    def _asks(self) -> bool:
        """Whether "is" or "are" opens a yes-no question here."""
        return self.text() in _ASKING and self.opens_clause()

    def opens_clause(self) -> bool:
        """Whether the token here is the first of its clause."""
        return self.at == 0 or self.tokens[self.at - 1].text in CLAUSE_STARTS

    def text(self, ahead: int = 0) -> str:
        """The text of a token before or after this one; "" past the ends."""
        at = self.at + ahead
        return self.tokens[at].text if 0 <= at < len(self.tokens) else ""

    def asks_for_unit(self) -> bool:
        """Whether the unit of an answer stands here: "how long is the bridge in feet"."""
        unit = UNITS.match(self.tokens, self.at)
        if unit is None or self.at == 0 or self.text(-1) not in self.before_units:
            return False
        after = self.at + unit[1]
        return after == len(self.tokens) or self.tokens[after].text in CLAUSE_STARTS

    before_units: tuple[str, ...] = ("in",)

    def name(self, at: int | None = None) -> tuple[str, int] | None:
        """The class named here and how many tokens name it."""
        at = self.at if at is None else at
        for size in range(min(LONGEST_NAME, len(self.tokens) - at), 0, -1):
            part = self.tokens[at : at + size]
            if all(token.kind == "word" for token in part):
                text = " ".join(token.text for token in part)
                if text in EVERYTHING:
                    return "object", size
                found = concept(text)
                if found is not None and part[0].text not in _NOT_NAMES:
                    return found, size
        return None

    def _number_ahead(self) -> bool:
        if self.tokens[self.at].kind == "number":
            return True
        found = self.value()
        return found is not None and (found[1] > 1 or self.tokens[self.at].text != "one")

    def value(self, at: int | None = None) -> tuple[float, int] | None:
        """The number that stands here and how many tokens it takes; None where none does, or none that can be read."""
        at = self.at if at is None else at
        try:
            reader = QuantityReader(" ".join(token.text for token in self.tokens[at : at + 8]))
            value = reader.number()
        except QueryError:
            return None
        return None if value is None else (value, reader.at)

    def _number(self) -> bool:
        """Reads a number or a rank, with the unit behind it."""
        token = self.tokens[self.at]
        if token.text in _ORDINALS or (token.kind == "number" and self.text(1) in _RANKS):
            value = str(_ORDINALS.index(token.text)) if token.text in _ORDINALS else token.text
            self.add((number_meaning(float(value), "rank"),), 1 if token.text in _ORDINALS else 2)
            return True
        found = self.value()
        if found is None:
            return False
        self.add((number_meaning(found[0]),), found[1])
        unit = UNITS.match(self.tokens, self.at)
        if unit is not None:
            self.add(((frozenset([f"unit:{unit[0]}"]),),), unit[1])
        return True

    def add(self, demands: tuple[Alternatives, ...], size: int) -> None:
        """Takes so many tokens for these demands; of two verbs in a row the second holds ("show me how many")."""
        part = self.tokens[self.at : self.at + size]
        self.at += size
        for alternatives in demands:
            if alternatives == NOTHING:
                continue
            mention = Mention(" ".join(t.text for t in part), part[0].start, part[-1].stop, alternatives)
            if mention.is_verb and self.verb_at == len(self.found) and self.found:
                self.found.pop()
            self.found.append(mention)
            if mention.is_verb:
                self.verb_at = len(self.found)


def number_meaning(value: float, kind: str = "number") -> Alternatives:
    """One of a thing is what a singular says too, and the first what a superlative says."""
    return NOTHING if value == 1 else (frozenset([f"{kind}:{value:g}"]),)


# ---- spelling --------------------------------------------------------------------------------------------------


_SHORT_FORMS = {"bldg": "building", "bldgs": "buildings", "rwy": "runway", "rwys": "runways", "hwy": "highway"}
_REAL_WORDS = frozenset("form quiet angel trial calm drive drives window windows".split())
"""Words that mean something of their own, though a word of the tables is near."""


@cache
def _known() -> frozenset[str]:
    names = {word for name in vocabulary() for word in name.split()}
    numbers = {cardinal(n) for n in range(13)} | {ordinal(n) for n in range(13)} | set(_LARGE_NUMBERS)
    return frozenset(phrases().words()) | names | EVERYTHING | frozenset(UNITS.words()) | numbers


def respelt(tokens: list[Token], canonical: str) -> tuple[list[Token], list[tuple[str, str]]]:
    """The tokens with misspelt words put right, where the word meant is near enough; "vessel's" is "vessel"."""
    told = {token.text for token in tokens_of(canonical)}
    right = sorted(told | {word for word in _known() if len(word) > 3})
    changed: list[tuple[str, str]] = []
    out = []
    for place, token in enumerate(tokens):
        text = token.text if token.text in _known() else token.text.removesuffix("'s")
        if token.kind == "word" and not {text, singular(text)} & (_known() | told):
            meant = _meant(text, right, first=place == 0)
            if meant is not None:
                changed.append((text, meant))
                text = meant
        out.append(replace(token, text=text))
    return out, changed


def _meant(text: str, right: list[str], first: bool) -> str | None:
    """The known word of which this is a misspelling; of three letters only two swapped, or a verb at the very start."""
    if text in _SHORT_FORMS:
        return _SHORT_FORMS[text]
    swapped = {text[:at] + text[at + 1] + text[at] + text[at + 2 :] for at in range(len(text) - 1)} & _known()
    if len(text) > 2 and len(swapped) == 1 and text not in _REAL_WORDS:
        return swapped.pop()
    if text in _REAL_WORDS:
        return None
    if len(text) > 3:
        alike = [word for word in right if word[0] == text[0]] or right
        return next(iter(get_close_matches(text, alike, n=1, cutoff=0.8)), None)
    if len(text) < 3 or not first:
        return None
    verbs = [word for word, demands in phrases().entries.items() if (frozenset([ANY_VERB]),) in demands]
    return next(iter(get_close_matches(text, verbs, n=1, cutoff=0.85)), None)
