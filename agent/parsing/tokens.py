"""From text to tokens: unicode made plain, contractions opened, and every token's place in the original kept."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Generic, TypeVar

from ...core.errors import QueryError

MAX_QUERY_CHARS = 1000
T = TypeVar("T")

_TOKEN = re.compile(r"(?P<number>\d+(?:[.,]\d+)*)|(?P<word>[^\W\d_]+(?:\d+|\^2)?(?:'[^\W\d_]+)?)|(?P<symbol>>=|<=|\S)")
_SMILEY = re.compile(r"(?<!\S)[:;]-?[()dp](?!\S)")
_THAT_IS = re.compile(r"\bi\.e\.,?")
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad\ufe63\uff0d"
_QUOTES = "\u2018\u2019\u201a\u201b\u2032\u00b4`"
_DOUBLE_QUOTES = "\u201c\u201d\u201e\u00ab\u00bb\u2033"
_SYMBOLS = {"\u2265": ">=", "\u2264": "<=", "\u00d7": "x", "\u2044": "/", "\u00b7": " ", "\u2026": "."}
_ABBREVIATIONS = {"sq.": "sq", "approx.": "approximately", "ca.": "about", "&": "and"}
_CONTRACTED = {
    "n't": ("", "not"),
    "'s": ("", "is"),
    "'re": ("", "are"),
    "'d": ("", "would"),
    "'m": ("", "am"),
    "'ve": ("", "have"),
    "'ll": ("", "will"),
}
_WITH_IS = {"what", "where", "that", "which", "there", "who", "it", "here", "how"}
_PICTURES = ("image", "picture", "photo", "scene", "frame")
_SAME_AS = {"whichever": "which", "okay": "ok", "thru": "through"}
_COMPASS = {"n": "north", "s": "south", "e": "east", "w": "west"}
_LIMITS = frozenset("than least most over under above below exceeding between and to > < >= <= =".split())
_POLITE = {"please", "kindly", "pls", "plz", "pl"}
_FOREIGN = frozenset(
    """les des une du où est sont dans avec sur trouve trouver montre montrez combien tous toutes avions aux ces cette
    los las la le el del una unos unas donde dónde están esta cuántos cuantos todos todas encuentra muestra barcos
    der das und ist sind ein eine einen zeige zeig finde alle wo wie viele mit auf dem für nicht größer flugzeuge
    gli dei delle della sono trova mostra quanti tutti tutte che aerei navi il nella
    os dos uma onde estão encontre mostre quantos aviões não em
    het een waar zijn vind toon hoeveel vliegtuigen schepen niet
    och är var hitta alla flygplan jest są znajdź wszystkie pokaż samoloty gdzie ile""".split()
)


@dataclass(frozen=True)
class Token:
    """One word, number or symbol.

    Args:
        text: lower case, plain characters.
        start: offset of its first character in the query as given.
        stop: offset after its last character there.
        kind: "word", "number" or "symbol".
        glued: whether a hyphen joins it to the token before it.
    """

    text: str
    start: int
    stop: int
    kind: str
    glued: bool = False


class PhraseTable(Generic[T]):
    """Fixed phrases with what they mean; the longest that fits wins."""

    def __init__(self, entries: dict[str, T]) -> None:
        self.entries = entries
        self._by_first: dict[str, list[tuple[tuple[str, ...], T]]] = {}
        for phrase, value in entries.items():
            parts = tuple(phrase.split())
            self._by_first.setdefault(parts[0], []).append((parts, value))
        for found in self._by_first.values():
            found.sort(key=lambda entry: -len(entry[0]))

    def match(self, tokens: list[Token], at: int) -> tuple[T, int] | None:
        """The meaning and the number of tokens of the longest phrase at that place, or None."""
        if at >= len(tokens):
            return None
        for parts, value in self._by_first.get(tokens[at].text, ()):
            if len(parts) == 1 or tuple(token.text for token in tokens[at : at + len(parts)]) == parts:
                return value, len(parts)
        return None

    def words(self) -> Iterable[str]:
        """All single words that occur in the phrases."""
        return {word for phrase in self.entries for word in phrase.split()}


def tokenize(query: str) -> list[Token]:
    """Tokens of a query, politeness left out.

    Raises:
        QueryError: nothing there, too long, or not English.
    """
    if not query.strip():
        raise QueryError("the query is empty; say what to look for, e.g. 'planes longer than 40 m'", query)
    if len(query) > MAX_QUERY_CHARS:
        raise QueryError(
            f"the query has {len(query)} characters; at most {MAX_QUERY_CHARS} are read. Split it into several", query
        )
    plain, places = _plain(query)
    plain = _THAT_IS.sub(lambda found: " " * len(found.group()), plain)
    plain = _SMILEY.sub(lambda found: " " * len(found.group()), plain)
    tokens: list[Token] = []
    glue = False
    for match in _TOKEN.finditer(plain):
        start, stop = places[match.start()], places[match.end() - 1] + 1
        text, kind = match.group(), match.lastgroup or "symbol"
        if text == "-":
            before = match.start() and plain[match.start() - 1].isalnum()
            after = match.end() < len(plain) and plain[match.end()].isalnum()
            glue = bool(before and after)
            negative = not before and plain[match.end() : match.end() + 1].isdigit()
            if negative and tokens and tokens[-1].text in _LIMITS:
                raise QueryError(
                    "a size cannot be negative", query, [(start, _end_of_number(plain, places, match.end()))]
                )
            if not glue:
                tokens.append(Token(",", start, stop, "symbol"))
            continue
        if text in "\"'" and kind == "symbol":
            continue
        spaced = plain[match.start() - 1 : match.start()].isspace() and plain[match.end() : match.end() + 1].isspace()
        if text in "/|" and spaced:
            text = ","
        if text.endswith("'s") and text[:-2] in _PICTURES:
            text = text[:-2]
        tokens += [Token(part, start, stop, kind, glue) for part in _opened(text)]
        glue = False
    tokens = [token for token in _rejoined(tokens) if token.text not in _POLITE]
    _refuse_other_languages(query, tokens)
    if not any(token.kind != "symbol" for token in tokens):
        whole = [(len(query) - len(query.lstrip()), len(query.rstrip()))]
        raise QueryError("the query holds no words; say what to look for, e.g. 'planes near the river'", query, whole)
    return tokens


def _end_of_number(plain: str, places: list[int], start: int) -> int:
    number = _TOKEN.match(plain, start)
    return places[(number.end() if number else start + 1) - 1] + 1


def _plain(query: str) -> tuple[str, list[int]]:
    """Lower-case text in plain characters, and for each of them the offset in the query it came from."""
    text: list[str] = []
    places: list[int] = []
    foreign: list[tuple[int, int]] = []
    for index, char in enumerate(query):
        out, is_foreign = _plain_char(char)
        if is_foreign:
            foreign.append((index, index + 1))
        text.append(out)
        places += [index] * len(out)
    if foreign:
        raise QueryError("only English is understood for now; these letters are of another script", query, foreign)
    return "".join(text), places


@lru_cache(maxsize=1024)
def _plain_char(char: str) -> tuple[str, bool]:
    """What a character becomes, and whether it is a letter of another script."""
    if char in _DASHES:
        out = "-"
    elif char in _QUOTES:
        out = "'"
    elif char in _DOUBLE_QUOTES:
        out = '"'
    elif char in _SYMBOLS:
        out = _SYMBOLS[char]
    elif char.isdecimal():
        out = str(unicodedata.decimal(char))
    else:
        out = unicodedata.normalize("NFKC", char).lower()
    is_foreign = any(c.isalpha() and not _is_latin(c) for c in out)
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        out = " "
    return out, is_foreign


def _is_latin(char: str) -> bool:
    return char.isascii() or "LATIN" in unicodedata.name(char, "")


def _opened(text: str) -> tuple[str, ...]:
    """A contraction's words: "isn't" -> is, not; "where's" -> where, is."""
    if text in ("can't", "cannot"):
        return ("can", "not")
    for ending, (_, word) in _CONTRACTED.items():
        stem = text[: -len(ending)]
        if text.endswith(ending) and stem and (ending != "'s" or stem in _WITH_IS):
            return (stem, word)
    return (_SAME_AS.get(text) or _ABBREVIATIONS.get(text, text),)


def is_plain(word: str) -> bool:
    """Whether a word is one token of English, with nothing opened, dropped or refused."""
    return word not in _FOREIGN and word not in _POLITE and not word.endswith("'") and "'s" not in word[-2:]


def _rejoined(tokens: list[Token]) -> list[Token]:
    """Opens "sq." and "m^2", and drops full stops that end an abbreviation of a unit."""
    out: list[Token] = []
    for place, token in enumerate(tokens):
        after = [other.text for other in tokens[place + 1 : place + 3]]
        if token.text == "/" and out and out[-1].text in ("w", "w/o"):
            out[-1] = replace(out[-1], text="with", stop=token.stop)
            continue
        if token.text == "o" and out and out[-1].text == "with" and tokens[place - 1].text == "/":
            out[-1] = replace(out[-1], text="without", stop=token.stop)
            continue
        if token.text in _COMPASS and after[:1] == ["of"]:
            token = replace(token, text=_COMPASS[token.text])
        if token.text == "." and out and out[-1].text in ("sq", "approx"):
            continue
        out.append(Token(token.text.replace("^", ""), token.start, token.stop, token.kind, token.glued))
    return out


def _refuse_other_languages(query: str, tokens: list[Token]) -> None:
    spans = [(token.start, token.stop) for token in tokens if token.text in _FOREIGN]
    if spans:
        raise QueryError("only English is understood for now, e.g. 'planes longer than 40 m'", query, spans)
