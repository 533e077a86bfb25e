"""Whether a tree accounts for every word of its query, and says nothing that the query does not.

The tree is put into its canonical words (`surveyor.core.wording.words`); query and words are both read for what they
mention (colours, numbers, names, places, relations ...) with the same table. A mention in the query that has no like
in the tree is uncovered: a condition was ignored. A mention in the tree that the query does not have was made up.

What this cannot see: to which noun a condition was attached, and which of two conditions a "not" is about.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from ..core.conditions import Output, Request, Selection, walk
from ..core.errors import QueryError
from ..core.inflection import cardinal, ordinal, singular
from ..core.lexicon import concept, vocabulary
from ..core.wording import words
from .coverage_words import ANY_VERB, NOTHING, Alternatives, Meanings, is_strict, phrases
from .parsing.preamble import skip_preamble
from .parsing.quantities import QuantityReader
from .parsing.tokens import Token
from .parsing.verbs import EVERYTHING
from .parsing.vocabulary import UNITS

LONGEST_NAME = 4
"""Words of the longest name that the lexicon is asked for."""
_CLAUSE_STARTS = frozenset("and then ; . ? ! , also".split())
_ASKING = frozenset("is are does do was were".split())
# Loose meanings that a query must speak of, but for those that it may leave to be understood.
_MUST_BE_SAID = (
    ("op:", {"op:=="}),
    ("unit:", set[str]()),
    ("attr:", {"attr:length", "attr:area"}),
    ("sum:mean", set[str]()),
)
_LARGE_NUMBERS = """thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty
    seventy eighty ninety hundred thousand million dozen""".split()
_SAID = frozenset("near adjacent inside overlaps contains between surrounded edge centre any_of".split())
_EVERYTHING = {"class:object"}  # what "what is in the top half?" asks of, without a word for it
_EVERY = frozenset("all every each both".split())
_RANKS = ("st", "nd", "rd", "th")
_ORDINALS = [ordinal(n) for n in range(13)]


@dataclass(frozen=True)
class Coverage:
    """What a tree leaves out of its query, and adds to it.

    Args:
        uncovered: (start, stop) offsets into the query of words that nothing in the tree accounts for.
        unsaid: words of the tree that nothing in the query speaks of.
        respelt: misspelt words of the query and what they were taken for.
    """

    query: str
    uncovered: tuple[tuple[int, int], ...] = ()
    unsaid: tuple[str, ...] = ()
    respelt: tuple[tuple[str, str], ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing is left out and nothing added."""
        return not self.uncovered and not self.unsaid

    def missing(self) -> tuple[str, ...]:
        """The uncovered words, in order."""
        return tuple(self.query[start:stop] for start, stop in self.uncovered)


@dataclass(frozen=True)
class _Mention:
    """One demand of some words: any of the alternatives will do."""

    text: str
    start: int
    stop: int
    alternatives: Alternatives


def coverage(query: str, request: Request) -> Coverage:
    """What the tree leaves out of the query, and adds to it.

    Args:
        query: as the person wrote it.
        request: the tree that was made of it, by whatever parser.

    Raises:
        QueryError: the query is empty, too long or not in English.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> coverage("red planes longer than 40 m", parse("planes longer than 40 m")).missing()
        ('red',)
    """
    canonical = words(request)
    told = [mention for mention in _mentions(_tokens(canonical)) if not _is_verb(mention)]
    tokens, respelt = _respelt(_asking_tokens(query), canonical)
    asked = _mentions(tokens)
    supply = Counter(_supplied(request, told))
    uncovered = _unmatched(asked, supply)
    heard = {meaning for mention in asked for meaning in _heard(mention)}
    heard |= {"every"} if any(token.text in _EVERY for token in tokens) else set()
    unsaid: list[str] = [output.verb for output in request.outputs if not _is_asked(output, heard)]
    unsaid += [mention.text for mention in told if _is_made_up(mention, heard)]
    return Coverage(query, _joined(uncovered), tuple(dict.fromkeys(unsaid)), tuple(respelt))


def _supplied(request: Request, told: list[_Mention]) -> list[str]:
    """Every meaning of the tree, as often as it has it."""
    found = [meaning for mention in told for meaning in _first(mention)]
    found += [f"verb:{output.verb}" for output in request.outputs]
    if any(isinstance(node, Selection) and len(node.phrases) > 1 for node in walk(request)):
        found.append("or")
    return found


def _first(mention: _Mention) -> Meanings:
    """What canonical words mean: all they may mean, but for a "not", which must be the first thing they mean."""
    first, *others = mention.alternatives
    return first if "not" in first else first.union(*(one for one in others if "not" not in one))


def _heard(mention: _Mention) -> Meanings:
    """All that words of a query may mean; "at least" does not speak of a "not", though "not less than" is its like."""
    first, *others = mention.alternatives
    return first.union(*(one - {"not"} for one in others))


def _is_asked(output: Output, heard: set[str]) -> bool:
    """Whether some words ask for what this output gives; things are detected without being asked to."""
    if output.verb == "measure" and f"attr:{output.attribute}" in heard:
        return True
    if output.verb == "compare" and any(meaning.startswith("op:") for meaning in heard):
        return True
    like = {"compare": {"verb:exists", "verb:count"}}.get(output.verb, set())
    return output.verb == "detect" or bool(heard & {f"verb:{output.verb}", *like})


def _is_made_up(mention: _Mention, heard: set[str]) -> bool:
    """Whether nothing in the query can have led to these words of the tree."""
    for kind, understood in _MUST_BE_SAID:
        each = [{meaning for meaning in one if meaning.startswith(kind)} - understood for one in mention.alternatives]
        if all(each) and not heard.intersection(set().union(*each)):
            return True
    first = mention.alternatives[0]
    if first & _SAID and not heard & first & _SAID:
        return True
    strict = {meaning for meaning in first if is_strict(meaning)} - _EVERYTHING
    return bool(strict) and not heard & strict and not (strict <= {"number:0", "not"} and heard & {"not", "every"})


def names_nothing(phrase: str) -> bool:
    """Whether a phrase holds only words of place, number or the like, so that it cannot name a class ("middle").

    Example:
        >>> names_nothing("right-hand side"), names_nothing("parking lot")
        (True, False)
    """
    meanings = {meaning for mention in _mentions(_tokens(phrase)) for one in mention.alternatives for meaning in one}
    return not any(meaning.startswith(("class:", "word:")) for meaning in meanings)


def _is_verb(mention: _Mention) -> bool:
    return any(meaning.startswith("verb:") for one in mention.alternatives for meaning in one)


# ---- matching --------------------------------------------------------------------------------------------------


def _unmatched(asked: list[_Mention], supply: Counter[str]) -> list[_Mention]:
    """The mentions that cannot each have a meaning of their own (a maximum matching; loose meanings are shared)."""
    taken: dict[tuple[str, int], int] = {}

    def place(index: int, tried: set[tuple[str, int]]) -> bool:
        for wanted in asked[index].alternatives:
            strict = [meaning for meaning in _verbs_opened(wanted, supply) if is_strict(meaning)]
            if any(not supply[meaning] for meaning in wanted if not is_strict(meaning)):
                continue
            if len(wanted) == len(strict) == 0 or not any(is_strict(meaning) for meaning in wanted):
                return True
            if len([meaning for meaning in wanted if is_strict(meaning)]) > 1:
                if all(supply[meaning] for meaning in wanted):
                    return True
                continue
            for meaning in strict:
                for slot in ((meaning, n) for n in range(supply[meaning])):
                    if slot in tried:
                        continue
                    tried.add(slot)
                    if slot not in taken or place(taken[slot], tried):
                        taken[slot] = index
                        return True
        return False

    return [mention for index, mention in enumerate(asked) if not place(index, set())]


def _verbs_opened(wanted: Meanings, supply: Counter[str]) -> list[str]:
    """The meanings, "any verb" replaced by the verbs there are."""
    if ANY_VERB in wanted:
        return [meaning for meaning in supply if meaning.startswith("verb:")]
    if "verb:exists" in wanted:
        return ["verb:exists", "verb:compare"]
    return list(wanted)


def _joined(mentions: list[_Mention]) -> tuple[tuple[int, int], ...]:
    """Places in order, each once."""
    return tuple(sorted({(mention.start, mention.stop) for mention in mentions}))


# ---- reading ---------------------------------------------------------------------------------------------------


def _tokens(text: str) -> list[Token]:
    return QuantityReader(text).tokens


def _asking_tokens(query: str) -> list[Token]:
    """The tokens of a query without what was said before it and asks for nothing ("For my thesis,")."""
    reader = QuantityReader(query)
    try:
        skip_preamble(reader)
    except QueryError:
        reader.at = 0
    return reader.tokens[reader.at :]


def _mentions(tokens: list[Token]) -> list[_Mention]:
    """What the words speak of, in order; words that say nothing are left out."""
    reader = _Reader(tokens)
    while reader.at < len(tokens):
        reader.step()
    return reader.found


class _Reader:
    """Reads tokens from left to right, the longest phrase or name first."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at = tokens, 0
        self.found: list[_Mention] = []
        self.verb_at = -1

    def step(self) -> None:
        """One number, name or phrase."""
        token = self.tokens[self.at]
        if token.text in ("+", "from") and self._beside_a_number():
            self._add(((frozenset(), frozenset(["op:>="]), frozenset(["op:<="])),), 1)
            return
        if token.kind == "symbol" and token.text[0] not in "<>=":
            self.at += 1
            return
        phrase = phrases().match(self.tokens, self.at)
        name = self._name()
        if name is not None and name[1] >= (phrase[1] if phrase else 1):
            self._add(((frozenset([f"class:{name[0]}"]),),), name[1])
        elif self._asks():
            every = [(frozenset(["not"]),)] if self._text(1) in _EVERY else []
            self._add(((frozenset(["verb:exists"]),), *every), 2 if every else 1)
        elif self._asked_unit():
            unit = UNITS.match(self.tokens, self.at)
            self._add(((frozenset([f"unit:{unit[0]}"]),),) if unit else (), unit[1] if unit else 1)
        elif phrase is not None and (phrase[1] > 1 or not self._number_ahead()):
            self._add(phrase[0], phrase[1])
        elif not self._number():
            self._add(((frozenset([f"word:{singular(token.text)}"]),),), 1)

    def _beside_a_number(self) -> bool:
        """Whether "+" stands behind an amount ("50 m+"), or "from" before one ("from 50 to 100 m")."""
        if self._text() == "from":
            return self.at + 1 < len(self.tokens) and self.tokens[self.at + 1].kind == "number"
        return any(token.kind == "number" for token in self.tokens[max(0, self.at - 2) : self.at])

    def _asks(self) -> bool:
        """Whether "is" or "are" opens a yes-no question here."""
        before = self.tokens[self.at - 1].text if self.at else ";"
        return self._text() in _ASKING and before in _CLAUSE_STARTS

    def _text(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.tokens[at].text if at < len(self.tokens) else ""

    def _asked_unit(self) -> bool:
        """Whether the unit of an answer stands here: "how long is the bridge in feet"."""
        unit = UNITS.match(self.tokens, self.at)
        if unit is None or self.at == 0 or self.tokens[self.at - 1].text != "in":
            return False
        after = self.at + unit[1]
        return after == len(self.tokens) or self.tokens[after].text in _CLAUSE_STARTS

    def _name(self) -> tuple[str, int] | None:
        for size in range(min(LONGEST_NAME, len(self.tokens) - self.at), 0, -1):
            part = self.tokens[self.at : self.at + size]
            if all(token.kind == "word" for token in part):
                text = " ".join(token.text for token in part)
                if text in EVERYTHING:
                    return "object", size
                found = concept(text)
                if found is not None and part[0].text not in ("the", "a", "an", "all", "any", "every", "each", "some"):
                    return found, size
        return None

    def _number_ahead(self) -> bool:
        if self.tokens[self.at].kind == "number":
            return True
        found = self._value()
        return found is not None and (found[1] > 1 or self.tokens[self.at].text != "one")

    def _value(self) -> tuple[float, int] | None:
        """The number that stands here and how many tokens it takes; None where none does, or none that can be read."""
        try:
            reader = QuantityReader(" ".join(token.text for token in self.tokens[self.at : self.at + 8]))
            value = reader.number()
        except QueryError:
            return None
        return None if value is None else (value, reader.at)

    def _number(self) -> bool:
        """Reads a number or a rank, with the unit behind it."""
        token = self.tokens[self.at]
        if token.text in _ORDINALS or (token.kind == "number" and self._text(1) in _RANKS):
            value = str(_ORDINALS.index(token.text)) if token.text in _ORDINALS else token.text
            self._add((_number(float(value), "rank"),), 1 if token.text in _ORDINALS else 2)
            return True
        found = self._value()
        if found is None:
            return False
        self._add((_number(found[0]),), found[1])
        unit = UNITS.match(self.tokens, self.at)
        if unit is not None:
            self._add(((frozenset([f"unit:{unit[0]}"]),),), unit[1])
        return True

    def _add(self, demands: tuple[Alternatives, ...], size: int) -> None:
        part = self.tokens[self.at : self.at + size]
        self.at += size
        for alternatives in demands:
            if alternatives == NOTHING:
                continue
            mention = _Mention(" ".join(t.text for t in part), part[0].start, part[-1].stop, alternatives)
            if _is_verb(mention) and self.verb_at == len(self.found) and self.found:
                self.found.pop()  # "show me how many", "I want you to count": one verb
            self.found.append(mention)
            if _is_verb(mention):
                self.verb_at = len(self.found)


def _number(value: float, kind: str = "number") -> Alternatives:
    """One of a thing is what a singular says too, and the first what a superlative says."""
    return NOTHING if value == 1 else (frozenset([f"{kind}:{value:g}"]),)


# ---- spelling --------------------------------------------------------------------------------------------------


@cache
def _known() -> frozenset[str]:
    names = {word for name in vocabulary() for word in name.split()}
    numbers = {cardinal(n) for n in range(13)} | {ordinal(n) for n in range(13)} | set(_LARGE_NUMBERS)
    return frozenset(phrases().words()) | names | EVERYTHING | frozenset(UNITS.words()) | numbers


def _respelt(tokens: list[Token], canonical: str) -> tuple[list[Token], list[tuple[str, str]]]:
    """The tokens with misspelt words put right, where the word meant is near enough."""
    told = {token.text for token in _tokens(canonical)}
    right = sorted(told | {word for word in _known() if len(word) > 3})
    changed: list[tuple[str, str]] = []
    out = []
    for token in tokens:
        text = token.text
        strange = token.kind == "word" and len(text) > 3 and not {text, singular(text)} & (_known() | told)
        close = get_close_matches(text, right, n=1, cutoff=0.8) if strange else []
        if close:
            changed.append((text, close[0]))
            text = close[0]
        out.append(Token(text, token.start, token.stop, token.kind, token.glued))
    return out, changed
