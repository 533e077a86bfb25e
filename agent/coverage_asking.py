"""What people's words speak of where it hangs on the words beside them: "a red roof", "tennis and basketball courts".

Only queries are read so; the canonical words of a tree are plain. What is optional here may be in the tree or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

from ..core.errors import QueryError
from ..core.lexicon import concept
from .coverage_reading import Mention, Reader
from .coverage_words import EXCLUDING, FLIPPED, NOTHING, Alternatives, either, optional, superlative
from .parsing.preamble import skip_preamble
from .parsing.quantities import QuantityReader
from .parsing.tokens import Token
from .parsing.vocabulary import ATTRIBUTES, COLOURS, FROM_SIDE, PLACES, SUPERLATIVES

Read = tuple[tuple[Alternatives, ...], int]
_ROOFS = frozenset("roof roofs rooftop rooftops roofing".split())
_SHORT_SIDES = {"n": "north", "s": "south", "w": "west", "e": "east", "l": "left", "r": "right"}
_SIDED = frozenset("bank half side edge corner shore".split())
_OUTLINES = frozenset("footprint footprints shape outline outlines".split())
_DETERMINERS = frozenset("the a an all each every any its their".split())
_BANKS = frozenset("bank banks riverbank riverbanks".split())
_SEEING = frozenset("see find spot count make identify detect seen found counted".split())
_BEFORE_REFERENCE = ("from", "to", "of")
_NEAREST = ("nearest", "closest")
_ENDS = frozenset(", . ; ? ! and or )".split())
_REACH = 12
"""Tokens in which what belongs together is looked for."""


def asking_tokens(query: str) -> list[Token]:
    """The tokens of a query without what was said before it and asks for nothing ("For my thesis,")."""
    reader = QuantityReader(query)
    try:
        skip_preamble(reader)
    except QueryError:
        reader.at = 0
    tokens = reader.tokens[reader.at :]
    return [_written_out(token, after.text) for token, after in zip(tokens, [*tokens[1:], tokens[-1]], strict=True)]


def _written_out(token: Token, after: str) -> Token:
    """ "W bank", "L half": the side in full."""
    return replace(token, text=_SHORT_SIDES[token.text]) if token.text in _SHORT_SIDES and after in _SIDED else token


def asked(tokens: list[Token]) -> list[Mention]:
    """What a query speaks of, in order."""
    return _with_turned_amounts(AskingReader(tokens).read())


class AskingReader(Reader):
    """Reads a query: first what hangs on its neighbours, then as canonical words are read."""

    before_units = ("in", ",", "(")

    def __init__(self, tokens: list[Token]) -> None:
        super().__init__(tokens)
        self.said: set[int] = set()  # places that an earlier phrase has read already ("by area" of "the top ten")
        self.question = any(token.text == "?" for token in tokens)

    def step(self) -> None:
        """One number, name or phrase."""
        if self.at in self.said:
            self.at += 1
            return
        rules: tuple[Callable[[], Read | None], ...] = (
            self._roof, self._outline, self._bank, self._half_of_name, self._again, self._range, self._best, self._both,
            self._counted, self._relative, self._nearest, self._opening, self._inside, self._plus,
            self._last, self._if_any,
        )  # fmt: skip
        for rule in rules:
            found = rule()
            if found is not None:
                self.add(*found)
                return
        super().step()

    def _near(self, *texts: str, reach: int = _REACH) -> int | None:
        """The place of the next of these words in this clause, or None."""
        for place in range(self.at, min(self.at + reach, len(self.tokens))):
            if self.tokens[place].text in texts:
                return place
            if self.tokens[place].text in (".", ";", "?"):
                return None
        return None

    def _roof(self) -> Read | None:
        """A roof that only carries a colour ("a red roof", "whose roof is red"), or is what is seen of a house."""
        if self.text() not in _ROOFS:
            return None
        coloured = self.text(-1) in COLOURS.entries or (
            self.text(1) in ("is", "are") and COLOURS.match(self.tokens, self.at + 2) is not None
        )
        return ((optional("class:roof"),), 1) if coloured or self._of_a_thing() else None

    def _of_a_thing(self) -> bool:
        """Whether "of the house" follows, and not "of at least 150 m2"."""
        return self.text(1) == "of" and (self.text(2) in _DETERMINERS or self.name(self.at + 2) is not None)

    def _outline(self) -> Read | None:
        """ "The footprints of the buildings": the buildings, or their outlines."""
        return ((optional("verb:segment"),), 2) if self.text() in _OUTLINES and self._of_a_thing() else None

    def _bank(self) -> Read | None:
        """ "The north bank": of the river, said or not."""
        return ((optional("class:river"),), 1) if self.text() in _BANKS and not self.name() else None

    def _half_of_name(self) -> Read | None:
        """ "Tennis" of "tennis and basketball courts"."""
        if self.tokens[self.at].kind != "word" or self.text(1) not in ("and", "or", ",") or self.name():
            return None
        after = self.name(self.at + 2)
        head = self.text(1 + after[1]) if after and after[1] > 1 else ""
        found = concept(f"{self.text()} {head}") if head else None
        return ((either(f"class:{found}"),), 1) if found else None

    def _again(self) -> Read | None:
        """The thing said again behind an exclusion: "the vehicles ..., not counting vehicles on a bridge"."""
        found = self.name()
        if found is None or not self.found or self.found[-1].text not in EXCLUDING:
            return None
        meaning = frozenset([f"class:{found[0]}"])
        first = next((m for m in self.found if any(x.startswith("class:") for x in m.alternatives[0])), None)
        return ((optional(*meaning),), found[1]) if first and first.alternatives[0] == meaning else None

    def _range(self) -> Read | None:
        """The first number of "20-60 m" and "20 to 60 m": both bounds must be told as such."""
        low = self.value() if self.tokens[self.at].kind == "number" else None
        if low is None or self.at + low[1] >= len(self.tokens):
            return None
        after = self.tokens[self.at + low[1]]
        if not (after.kind == "number" and after.glued) and not (
            after.text == "to" and self.value(self.at + low[1] + 1) is not None
        ):
            return None
        above = after.text == "to"
        high = self.value(self.at + low[1] + above)
        told = (_bound(">=", ">", low[0]), _bound("<=", "<", high[0]) if high else NOTHING)
        return (((frozenset([f"number:{low[0]:g}"]),), *told), low[1])

    def _best(self) -> Read | None:
        """ "Top" before a number: "the top ten buildings by area", "the top five largest"."""
        number = self.value(self.at + 1) if self.text() == "top" else None
        if number is None:
            return None
        if SUPERLATIVES.match(self.tokens, self.at + 1 + number[1]):
            return (NOTHING,), 1
        by = self._near("by")
        attribute = ATTRIBUTES.match(self.tokens, by + 1) if by is not None else None
        if by is None or attribute is None:
            return None
        self.said.update(range(by, by + 1 + attribute[1]))
        return superlative(attribute[0], "max"), 1

    def _both(self) -> Read | None:
        """ "Both" that only joins two things said one by one, and promises no two of one kind."""
        if self.text() != "both" or self.phrase() != (((either("number:2")),), 1):
            return None
        if self.at + 1 == len(self.tokens) or self.tokens[self.at + 1].kind == "symbol":
            return (either("number:2", "two"),), 1
        name = self.name(self.at + 1)
        joined = self._near("and", reach=6)
        pair = joined is not None and (name is None or self.tokens[self.at + 1 + name[1]].text == "and")
        return ((either("number:2", "two"),), 1) if pair and self.text(1) not in ("the", "of") else None

    def _counted(self) -> Read | None:
        """The noun: "a vehicle count for the car park"; the verb before it asks for the count."""
        if self.text() != "count" or not self.found or not self.text(-1) or self.opens_clause():
            return None
        thing = any(meaning.startswith("class:") for meaning in self.found[-1].alternatives[0])
        if not thing or self.found[-1].stop != self.tokens[self.at - 1].stop:
            return None
        before = [place for place, mention in enumerate(self.found) if mention.is_verb]
        if len(before) == 1:
            del self.found[before[0]]
            self.verb_at = -1
        return (either("verb:count"),), 1

    def _relative(self) -> Read | None:
        """ "Can you count" of "how many planes can you count": says no more than "are there"."""
        can = self.text() in ("can", "do", "could") and self.text(1) in ("you", "we", "i", "be", "one")
        if not can or self.text(2) not in _SEEING or self.opens_clause():
            return None
        return (NOTHING,), 3

    def _nearest(self) -> Read | None:
        """ "The nearest" of "more than 100 m from the nearest road": what a distance to roads means anyway."""
        measured = any("attr:distance" in one for mention in self.found for one in mention.alternatives)
        between = self.text(-1) in _BEFORE_REFERENCE or (
            self.text(-1) in ("the", "its", "their") and self.text(-2) in _BEFORE_REFERENCE
        )
        name = self.name(self.at + 1) if self.text() in _NEAREST else None
        if not (measured or between) or name is None:
            return None
        after = self.at + 1 + name[1]
        if after < len(self.tokens) and self.tokens[after].text == "to":
            return None
        given = ("bound", "attr:distance") if between else ()
        return (either("sup:distance:min", "sum:minimum", *given),), 1

    def _last(self) -> Read | None:
        """ "The last court counting from the west": the one farthest east."""
        start = self._near("from", reach=6) if self.text() in ("last", "final") else None
        if start is None or start + 2 >= len(self.tokens) or self.tokens[start + 1].text != "the":
            return None
        side = PLACES.match(self.tokens, start + 2)
        if side is None or side[0] not in FROM_SIDE:
            return None
        counting = start - 1 if self.tokens[start - 1].text in ("counting", "counted", "starting") else start
        self.said.update(range(counting, start + 2 + side[1]))
        by, order = FROM_SIDE[side[0]]
        return superlative(by, "max" if order == "min" else "min"), 1

    def _if_any(self) -> Read | None:
        """ "..., if there are any": asks for nothing more."""
        for said in (("if", "there", "are", "any"), ("if", "there", "is", "one"), ("if", "any")):
            after = self.at + len(said)
            if tuple(token.text for token in self.tokens[self.at : after]) == said and (
                after == len(self.tokens) or self.tokens[after].kind == "symbol"
            ):
                return (NOTHING,), len(said)
        return None

    def _opening(self) -> Read | None:
        """ "Has the largest house got a pool?", "anything red?", "there is a bridge?": yes or no."""
        text = self.text()
        if (
            text in ("has", "have")
            and self.text(-1) in ("", ".", ";", ":", "?", "!")
            and self.at + 1 < len(self.tokens)
        ):
            return (either("verb:exists"), optional("contains")), 1
        if self.found or not (self.question or "yes" in (token.text for token in self.tokens[-4:])):
            return None
        if text in ("any", "anything") and self.tokens[self.at].kind != "symbol":
            return (optional("verb:exists"), optional("any_of" if text == "any" else "class:object")), 1
        return ((optional("verb:exists"),), 2) if text == "there" and self.text(1) in ("is", "are") else None

    def _inside(self) -> Read | None:
        """ "Inside" at the end: "tracks with a field inside" contain one."""
        end = self.at + 1 == len(self.tokens) or self.text(1) in _ENDS
        return ((either("contains", "inside"),), 1) if self.text() == "inside" and end else None

    def _plus(self) -> Read | None:
        """ "houses + pool": with it, or both."""
        plus = self.text() == "+" and self.found and self.at + 1 < len(self.tokens)
        return ((optional("contains"),), 1) if plus and self.tokens[self.at + 1].kind == "word" else None


def _bound(op: str, strict: str, value: float) -> Alternatives:
    return tuple(frozenset([f"op:{each}", f"amount:{each}:{value:g}"]) for each in (op, strict))


# ---- amounts turned round --------------------------------------------------------------------------------------


def _with_turned_amounts(found: list[Mention]) -> list[Mention]:
    """ "Not longer than 80 m" may be told as "at most 80 m": for exactly this number, the other way round."""
    out = list(found)
    for place, mention in enumerate(found):
        if frozenset(["not"]) not in mention.alternatives:
            continue
        for at in range(place + 1, min(place + 4, len(found) - 1)):
            turned = _turned(found[at], found[at + 1])
            if turned:
                out[at] = replace(found[at], alternatives=(*found[at].alternatives, *turned))
                out[place] = replace(mention, alternatives=(*mention.alternatives, *turned))
                break
    for place, (mention, number) in enumerate(pairwise(out)):
        if frozenset(["op:>="]) in mention.alternatives:  # "at least 50 m from" is "beyond" too
            away = tuple(frozenset(["op:>", f"beyond:{value}"]) for value in _values(number))
            out[place] = replace(mention, alternatives=(*mention.alternatives, *away))
    return out


def _values(number: Mention) -> list[str]:
    return [x.removeprefix("number:") for one in number.alternatives for x in one if x.startswith("number:")]


def _turned(amount: Mention, number: Mention) -> Alternatives:
    values = _values(number)
    turned = []
    for one in amount.alternatives:
        ops = {"<=" if meaning == "within" else meaning[3:] for meaning in one if meaning[:3] == "op:"}
        ops |= {"<="} if "within" in one else set()
        for op in ops & FLIPPED.keys() if "not" not in one else ():
            rest = {meaning for meaning in one if meaning.startswith("attr:")}
            turned += [frozenset({f"op:{FLIPPED[op]}", f"amount:{FLIPPED[op]}:{value}"} | rest) for value in values]
    return tuple(turned)
