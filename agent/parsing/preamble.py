"""What people say of themselves before they ask: "For my thesis, ...", "Journalist here.", "We're planning a port."

Such words ask for nothing. They are left out, and told in the answer. A sentence that might narrow the request ("we only
care about the north", "I have two rivers here") is not taken for one, so that the reader stops at it with an error.
"""

from __future__ import annotations

from .quantities import QuantityReader
from .tokens import PhraseTable
from .verbs import OPENINGS, VERBS
from .vocabulary import AMOUNTS, COLOURS, COMPARATIVES, ORIENTATIONS, PLACES, RELATIONS, SHAPES, SIZES, SUPERLATIVES

_SELF = ("i", "we", "my", "our")
_CIRCUMSTANCES = ("after", "before", "since", "because", "following", "given", "as", "today", "tomorrow")
_PURPOSES = frozenset(
    """article articles assessment assignment audit blog book campaign case class client course customer dashboard
    dissertation exercise homework inspection insurance inventory job lecture lesson magazine newspaper paper permit
    piece plan planning poster presentation project proposal report research review story study survey talk task
    teaching thesis training work""".split()
)
_NARROWING = frozenset(
    """only just solely not no nor never none except excluding exclude ignore ignoring skip without unless if when than
    all each every both either between outside inside within whose which that where there these those them they it
    other same""".split()
)
_PLAIN_PREPOSITIONS = ("in", "on", "by", "over", "around", "across", "under", "above", "below")
_TELLING: tuple[PhraseTable, ...] = (COLOURS, SIZES, SHAPES, ORIENTATIONS, COMPARATIVES, SUPERLATIVES, PLACES)
_ENDS = (".", "!", ":", ";", ",")
_MAX_WORDS = 25


def skip_preamble(cursor: QuantityReader) -> tuple[str, ...]:
    """Moves over introductions at the reading place and returns their words; nothing is read where there are none."""
    asides: list[str] = []
    begin = cursor.at
    while (stop := _clause_end(cursor)) is not None:
        first, last = cursor.span(cursor.at, stop)
        asides.append(cursor.query[first:last].strip())
        cursor.at = stop
        while cursor.take(*_ENDS, "and", "so", "therefore", "hence"):
            pass
    if cursor.ended:
        cursor.at, asides = begin, []
    return tuple(asides)


def _clause_end(cursor: QuantityReader) -> int | None:
    """The token after an introduction that begins here; None when none does."""
    start = cursor.at
    if VERBS.match(cursor.tokens, start) or OPENINGS.match(cursor.tokens, start):
        return None
    of_self = cursor.text() in _SELF and cursor.text(1) not in (*_ENDS, "")
    of_self = of_self or (cursor.text() in _CIRCUMSTANCES and _speaks_of_self(cursor))
    role = cursor.sees("as a", "as an", "speaking as a", "speaking as an")
    purpose = cursor.sees("for my", "for our", "for a", "for an", "for the", "this is for", "it is for")
    for stop in range(start + 1, min(len(cursor.tokens), start + _MAX_WORDS)):
        if _request_begins(cursor, stop) if of_self or role else False:
            return stop if _is_harmless(cursor, start, stop) else None
        if cursor.tokens[stop].text in _ENDS:
            own = of_self or role or (purpose and any(t.text in _PURPOSES for t in cursor.tokens[start:stop]))
            here = cursor.tokens[stop - 1].text == "here" and 2 <= stop - start <= 5
            if (own or here) and _is_harmless(cursor, start, stop, here):
                return stop
            if of_self and stop < len(cursor.tokens) - 1:
                cursor.refuse("this could narrow what is asked; put it into the request itself", start, stop)
            return None
        if cursor.tokens[stop].kind != "word":
            return None
    return None


def _speaks_of_self(cursor: QuantityReader) -> bool:
    """Whether "we" or "I" comes before the next comma ("after the flood we have to ...")."""
    for token in cursor.tokens[cursor.at : cursor.at + _MAX_WORDS]:
        if token.text in ("i", "we"):
            return True
        if token.kind != "word":
            return False
    return False


def _request_begins(cursor: QuantityReader, place: int) -> bool:
    """Whether "I would like to", "could you", "and need to know" comes there, so that no comma is needed."""
    tokens, text = cursor.tokens, cursor.tokens[place].text
    if text in ("and", "so") and place + 1 < len(tokens):
        return bool(OPENINGS.match(tokens, place + 1) or (VERBS.match(tokens, place + 1)))
    opens = text in ("i", "we", "could", "can", "would", "will")
    return opens and bool(OPENINGS.match(tokens, place) or VERBS.match(tokens, place))


def _is_harmless(cursor: QuantityReader, start: int, stop: int, here: bool = False) -> bool:
    """Whether none of the words could be a condition."""
    for place in range(start, stop - here):
        token = cursor.tokens[place]
        if token.kind != "word" or token.text in _NARROWING or any(t.match(cursor.tokens, place) for t in _TELLING):
            return False
        relation = RELATIONS.match(cursor.tokens, place)
        if relation is not None and not (relation[1] == 1 and token.text in _PLAIN_PREPOSITIONS):
            return False
        if AMOUNTS.match(cursor.tokens, place) is not None and token.text not in _PLAIN_PREPOSITIONS:
            return False
        if here and cursor.tokens[place].text in ("are", "is"):
            return False
    return not _has_number(cursor, start, stop)


def _has_number(cursor: QuantityReader, start: int, stop: int) -> bool:
    back, found = cursor.at, False
    for place in range(start, stop):
        cursor.at = place
        found = found or (cursor.number() is not None and cursor.tokens[place].text != "a")
    cursor.at = back
    return found
