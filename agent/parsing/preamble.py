"""What people say around what they ask: "Hi there!", "For my thesis, ...", "Journalist here.", "Best regards, Maria".

Such words ask for nothing. They are left out, and told in the answer. A sentence that might narrow the request ("we
only care about the north", "I have two rivers here") is not taken for one: the reader stops at it with an error.
"""

from __future__ import annotations

from ...core import lexicon
from .quantities import QuantityReader
from .reserved import RESERVED
from .tokens import PhraseTable, Token
from .verbs import OPENINGS, VERBS
from .vocabulary import AMOUNTS, COLOURS, COMPARATIVES, ORIENTATIONS, PLACES, RELATIONS, SHAPES, SIZES, SUPERLATIVES

_SELF = ("i", "we", "my", "our")
_WONDERING = (
    "wonder",
    "wonders",
    "ask",
    "asks",
    "asked",
    "asking",
    "know",
    "knows",
    "see",
    "find",
    "out",
    "tell",
    "wondering",
)
_WANTING = ("wants", "needs", "asks", "asked", "wanted", "requires", "wonders", "says", "said")
_CIRCUMSTANCES = ("after", "before", "since", "because", "following", "given", "as", "today", "tomorrow")
_PURPOSES = frozenset(
    """article articles assessment assignment audit blog book campaign case class client course customer dashboard
    dissertation exercise homework inspection insurance inventory job lecture lesson magazine newspaper paper permit
    piece plan planning poster presentation project proposal report research review story study survey talk task
    newsletter brochure bulletin website leaflet teaching thesis training work""".split()
)
_NARROWING = frozenset(
    """only just solely not no nor never none except excluding exclude ignore ignoring skip without unless if when than
    all each every both either between outside inside within whose which that where these those other same
    half quarter part""".split()
)
_PLAIN_PREPOSITIONS = ("at", "in", "on", "by", "over", "around", "across", "under", "above", "below")
_TELLING: tuple[PhraseTable, ...] = (COLOURS, SIZES, SHAPES, ORIENTATIONS, COMPARATIVES, SUPERLATIVES, PLACES)
_SHOWN = frozenset("image images picture pictures photo photos photograph photographs scene scenes screenshot".split())
_BEFORE_SHOWN = frozenset(
    """a an the these this my our both two three some several 2 3 aerial satellite drone overhead orthophoto uav high
    low resolution georeferenced""".split()
)
_GROUND = ("place", "area", "site", "spot", "scene", "location", "region", "town", "city", "village", "ground")
_ENDS = (".", "!", ":", ";", ",")
_MAX_WORDS = 25
_GREETINGS = (
    "hello", "hi", "hey", "hi there", "hello there", "hey there", "good morning", "good afternoon", "good evening",
    "good day", "greetings", "ok so", "okay so", "ok", "okay", "right so", "so", "well", "alright",
)  # fmt: skip
_SIGN_OFFS: PhraseTable[bool] = PhraseTable(
    dict.fromkeys(
        (
            "thanks", "thank you", "many thanks", "thx", "cheers", "regards", "best regards", "kind regards",
            "warm regards", "best wishes", "all the best", "yours sincerely", "sincerely", "greetings", "bye",
        ),
        True,
    )
)  # fmt: skip
_NAMED = frozenset(("regards", "wishes", "best", "sincerely"))
_MANNERS = frozenset("a lot so very much in advance again indeed team everyone all for your help the".split())
_IN_PASSING: PhraseTable[bool] = PhraseTable(
    dict.fromkeys(
        (
            "if possible", "if at all possible", "if that is possible", "if that is possible at all",
            "if it is possible", "if you can", "if you could", "if you do not mind", "if that is ok", "by the way",
            "of course", "would you say", "i mean", "for what it is worth", "as it were", "so to speak", "quickly",
            "say",
        ),
        True,
    )
)  # fmt: skip


def skip_preamble(cursor: QuantityReader) -> tuple[str, ...]:
    """Moves over greetings and introductions; takes a sign-off and "if possible" out of the tokens.

    Returns:
        the words that were left aside, without greetings and thanks.

    Raises:
        QueryError: what is said before the request could narrow it.
    """
    _drop_sign_off(cursor)
    _drop_in_passing(cursor)
    asides: list[str] = []
    begin = cursor.at
    while True:
        if _greeted(cursor):
            continue
        stop = _clause_end(cursor)
        if stop is None:
            break
        first, last = cursor.span(cursor.at, stop)
        asides.append(cursor.query[first:last].strip())
        cursor.at = stop
        while cursor.take(*_ENDS, "and", "so", "therefore", "hence"):
            pass
        if cursor.text() in ("need", "want") and cursor.text(1) != "to":
            cursor.at += 1
    if cursor.ended:
        cursor.at, asides = begin, []
    return tuple(asides)


def _greeted(cursor: QuantityReader) -> bool:
    """Moves over "Good morning,", "Dear team,"."""
    start = cursor.at
    if cursor.take("dear"):
        cursor.at += 1
        for _ in range(3):
            if cursor.take(*_ENDS):
                return True
            cursor.at += 1
        cursor.at = start
        return False
    if cursor.take(*sorted(_GREETINGS, key=len, reverse=True)) is None:
        return False
    while cursor.take(*_ENDS, "all", "everyone", "team"):
        pass
    return True


def _drop_sign_off(cursor: QuantityReader) -> None:
    """Takes "Thanks a lot!" or "Best regards, Maria" off the end of the tokens."""
    tokens = cursor.tokens
    for place in range(max(1, len(tokens) - 12), len(tokens)):
        found = _SIGN_OFFS.match(tokens, place)
        if found is None or tokens[place - 1].text not in (*_ENDS, "?"):
            continue
        rest = [token for token in tokens[place + found[1] :] if token.text not in (*_MANNERS, *_ENDS)]
        named = bool(_NAMED & {token.text for token in tokens[place : place + found[1]]})  # "Best regards, Maria"
        if len(rest) <= 2 * named and all(_may_be_a_person(token) for token in rest):
            cursor.tokens = tokens[:place]
            return


def _may_be_a_person(token: Token) -> bool:
    return token.kind == "word" and token.text not in RESERVED and lexicon.concept(token.text) is None


def _drop_in_passing(cursor: QuantityReader) -> None:
    """Takes ", if possible," out of the tokens."""
    place = 0
    while place < len(cursor.tokens):
        found = _IN_PASSING.match(cursor.tokens, place + 1)
        end = place + 1 + found[1] if found else 0
        if found and cursor.tokens[place].text != ",":  # "count the ships if possible"
            last = all(token.kind == "symbol" for token in cursor.tokens[end:])
            if last and cursor.tokens[place + 1].text == "if":
                cursor.tokens = [*cursor.tokens[: place + 1], *cursor.tokens[end:]]
            place += 1
            continue
        if found and (end >= len(cursor.tokens) or cursor.tokens[end].text in (*_ENDS, "?")):
            closing = end + (end < len(cursor.tokens) and cursor.tokens[end].text == ",")
            cursor.tokens = [*cursor.tokens[:place], *cursor.tokens[closing:]]
        else:
            place += 1


def _clause_end(cursor: QuantityReader) -> int | None:
    """The token after an introduction that begins here; None when none does."""
    start = cursor.at
    if VERBS.match(cursor.tokens, start) or OPENINGS.match(cursor.tokens, start):
        return None
    of_self = cursor.text() in _SELF and cursor.text(1) not in (*_ENDS, "")
    of_self = of_self or (cursor.text() in _CIRCUMSTANCES and _speaks_of_self(cursor))
    role = cursor.sees("as a", "as an", "speaking as a", "speaking as an", "as part of")
    role = role or cursor.sees("quick question", "a quick question", "short question", "one question", "question")
    purpose = cursor.text() in ("for", "evidence", "material", "background") or cursor.sees("this is for", "it is for")
    for stop in range(start + 1, min(len(cursor.tokens), start + _MAX_WORDS)):
        colon = any(token.text == ":" for token in cursor.tokens[stop : start + _MAX_WORDS])
        if (of_self or role or purpose) and not colon and _request_begins(cursor, stop):
            return stop if _is_harmless(cursor, start, stop, counted=purpose) else None
        if cursor.tokens[stop].text in _ENDS:
            meant = purpose and any(token.text in _PURPOSES for token in cursor.tokens[start:stop])
            shown = _shows_images(cursor, start, stop)
            own = of_self or role or meant or shown or _is_told(cursor, start, stop) or _is_label(cursor, start, stop)
            here = cursor.tokens[stop - 1].text == "here" and 2 <= stop - start <= 5
            if (own or here) and _is_harmless(cursor, start + 3 * shown, stop, here, counted=meant or shown):
                return stop
            if of_self and stop < len(cursor.tokens) - 1:
                cursor.refuse("this could narrow what is asked; put it into the request itself", start, stop)
            return None
        if cursor.tokens[stop].kind != "word":
            return None
    return None


def _shows_images(cursor: QuantityReader, start: int, stop: int) -> bool:
    """ "Here are two images of my town.", "This is an aerial photo.": what is looked at, whatever is asked of it."""
    texts = [token.text for token in cursor.tokens[start:stop]]
    leads = texts[:1] in (["here"], ["this"], ["these"], ["attached"], ["it"]) and texts[1:2] in (["is"], ["are"])
    leads = leads or texts[:2] in (["look", "at"], ["i", "have"], ["we", "have"], ["i", "attached"], ["i", "uploaded"])
    shown = next((at for at, text in enumerate(texts) if at > 1 and text not in _BEFORE_SHOWN), len(texts))
    if not leads or texts[shown : shown + 1] == [] or texts[shown] not in _SHOWN:
        return False
    after = texts[shown + 1 : shown + 2]
    return cursor.tokens[stop].text in (".", "!", ":") and (after == [] or after[0] in ("of", "from", "taken"))


def _is_told(cursor: QuantityReader, start: int, stop: int) -> bool:
    """ "There has been a flood warning.", "The insurer wants to see hazards.": a sentence of its own, no request."""
    texts = [token.text for token in cursor.tokens[start:stop]]
    if cursor.tokens[stop].text not in (".", "!"):
        return False
    return cursor.sees("there is been", "there has been", "there was", "there were", "it was", "it has been") or (
        texts[0] in ("the", "a", "his", "her", "their") and any(text in _WANTING for text in texts[1:5])
    )


def _is_label(cursor: QuantityReader, start: int, stop: int) -> bool:
    """ "Berthing plan: which ships ...", "Evacuation planning. I need ...": a title, which names no class of things."""
    texts = [token.text for token in cursor.tokens[start:stop]]
    if cursor.tokens[stop].text not in (":", ".") or len(texts) > 4 or any(text in RESERVED for text in texts):
        return False
    if any(lexicon.concept(" ".join(texts[first:])) for first in range(len(texts))) or stop + 1 >= len(cursor.tokens):
        return False
    after = cursor.tokens[stop + 1].text
    asks = after in ("which", "how", "where", "what", "is", "are", "do", "does")
    return asks or bool(VERBS.match(cursor.tokens, stop + 1) or OPENINGS.match(cursor.tokens, stop + 1))


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
        needs = tokens[place + 1].text in ("need", "want")
        return needs or bool(OPENINGS.match(tokens, place + 1) or VERBS.match(tokens, place + 1))
    if tokens[place - 1].text in _WONDERING:
        return text in ("which", "how", "where", "what", "whether", "if")
    opens = text in ("i", "we", "could", "can", "would", "will")
    return opens and bool(OPENINGS.match(tokens, place) or VERBS.match(tokens, place))


def _is_harmless(cursor: QuantityReader, start: int, stop: int, here: bool = False, counted: bool = False) -> bool:
    """Whether none of the words could be a condition."""
    for place in range(start, stop - here):
        token = cursor.tokens[place]
        if counted and token.text == "same" and cursor.tokens[place + 1].text in _GROUND:
            continue  # "of the same place"
        if token.kind != "word" or token.text in _NARROWING or any(t.match(cursor.tokens, place) for t in _TELLING):
            return False
        relation = RELATIONS.match(cursor.tokens, place)
        if relation is not None and not (relation[1] == 1 and token.text in _PLAIN_PREPOSITIONS):
            return False
        if AMOUNTS.match(cursor.tokens, place) is not None and token.text not in _PLAIN_PREPOSITIONS:
            return False
        if here and cursor.tokens[place].text in ("are", "is"):
            return False
    return counted or not _has_number(cursor, start, stop)


def _has_number(cursor: QuantityReader, start: int, stop: int) -> bool:
    back, found = cursor.at, False
    for place in range(start, stop):
        cursor.at = place
        found = found or (cursor.number() is not None and cursor.tokens[place].text != "a")
    cursor.at = back
    return found
