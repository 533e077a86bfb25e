"""Strict readers of what models say in annotation: what cannot be trusted is refused with its reason, never mended.

GeoPixel sections 4.2 and 4.4: descriptions are filtered for marker identifiers, depth cues, fore- and background and
views from the side; a paraphrase must keep all marked phrases. Here also: a reply that tells of a number that was not
asked for, that names another number of objects, or a direction that was not in the text, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from ...core.errors import ModelOutputError
from ...core.inflection import cardinal, plural
from .words import EXACT, Phrase, a, rounded, sentence, tagged

MOST_WORDS = 80
"""Of the description of an object, of a group or of the scene."""
_LINE = re.compile(r"^\W*(?:object|marker|mark|number|no\.?|#)?\s*\[?(\d+)\]?\s*[:.)\]-]\W*\s*(\S.*)$", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?!\w)")
_ARTEFACTS = {
    "tells of the markers": r"\bmarkers?\b|\bmark \d|\bmarked (?:with|by|as|object)|\blabel(?:l?ed|s)?\b|\bnumber(?:ed| \d)|yellow (?:box|square|tag)|\bannotat|bounding box|highlighted",  # noqa: E501
    "tells of depth": r"(?:fore|back)ground|in the distance|\bviewer\b|\bcamera\b",
    "tells of a view from the side": r"\bsky\b|horizon|skyline|eye level|street view|side view",
    "speaks of itself": r"\bI (?:can|see|am|cannot|can't)\b|\bsorry\b|as an ai|language model|"
    r"\brewr(?:ite|itt|ote)|\bparaphras|\bparagraph|\b(?:this|the|a) description\b|\bhere (?:is|are) (?:the|a|your)\b",
    "was cut short": r"(?:…|\.\.\.)\s*$",
    "holds tags": r"<[^>]*>|\[SEG\]|\*\*|```",
}  # fmt: skip
_ARTEFACT = {reason: re.compile(pattern, re.IGNORECASE) for reason, pattern in _ARTEFACTS.items()}
_DIRECTION = re.compile(
    r"\b(?:left|right|upper|lower|top|bottom|cent(?:re|er)|middle|north\w*|south\w*|east\w*|west\w*)\b", re.IGNORECASE
)
_SAME = {"center": "centre", "middle": "centre", "top": "upper", "bottom": "lower"}
_WORDS = {cardinal(n): n for n in range(2, EXACT + 1)}


class Refused(ModelOutputError):
    """A reply that is not believed. `reason` says why in words that can be counted."""

    def __init__(self, reason: str, raw: str, detail: str = "") -> None:
        super().__init__(f"{reason}{f' ({detail})' if detail else ''}", raw)
        self.reason = reason


def read_objects(reply: str, asked: Mapping[int, str], drawn: Collection[int]) -> dict[int, str]:
    """Number -> sentence, of a reply with a line "N: description" for each object asked for.

    Args:
        reply: the model's text; with a single number asked for, the number in front may be left out.
        asked: number -> class name. Each must be told once, with its class name, and no other.
        drawn: all numbers on the picture: a sentence must not speak of any.

    Raises:
        Refused: anything else.

    Example:
        >>> read_objects("2: The tennis court has white lines.", {2: "tennis court"}, [1, 2])
        {2: 'The tennis court has white lines.'}
        >>> read_objects("3: The tennis court is green.", {2: "tennis court"}, [1, 2, 3])
        Traceback (most recent call last):
        ...
        surveyor.finetune.annotate.reading.Refused: the reply tells of a number that was not asked for (3)
    """
    lines = [line.strip() for line in reply.splitlines() if line.strip()]
    if not lines:
        raise Refused("the reply is empty", reply)
    found: dict[int, str] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None and len(lines) == 1 and len(asked) == 1:
            number, said = next(iter(asked)), line
        elif match is None:
            raise Refused("the reply is no line of number and description", reply, line[:40])
        else:
            number, said = int(match[1]), match[2]
        if number not in asked:
            raise Refused("the reply tells of a number that was not asked for", reply, str(number))
        if number in found:
            raise Refused("the reply tells of one number twice", reply, str(number))
        found[number] = said
    if missing := sorted(set(asked) - set(found)):
        raise Refused("the reply leaves out a number that was asked for", reply, ", ".join(map(str, missing)))
    for number, said in found.items():
        _check_words(said, reply)
        told = {int(text) for text in _NUMBER.findall(said) if text.isdigit()}
        if strange := sorted(told & set(drawn)):
            raise Refused("the reply tells of a number that was not asked for", reply, str(strange[0]))
        if _name_in(said, asked[number]) is None:
            raise Refused("the reply does not name the class", reply, asked[number])
    return {number: sentence(said) for number, said in sorted(found.items())}


def read_group(reply: str, label: str, count: int) -> str:
    """The sentences about a group: they name its class and no other number of objects than there are, or about.

    Raises:
        Refused: anything else.

    Example:
        >>> read_group("Some 20 cars are parked in rows.", "car", 21)
        'Some 20 cars are parked in rows.'
    """
    said = " ".join(reply.split())
    if not said:
        raise Refused("the reply is empty", reply)
    _check_words(said, reply)
    if _name_in(said, label) is None:
        raise Refused("the reply does not name the class", reply, label)
    allowed = {count, rounded(count)}
    for text in _NUMBER.findall(said):
        if not text.isdigit() or int(text) not in allowed:
            raise Refused("the reply tells another number of objects", reply, text)
    for word, value in _WORDS.items():
        if value not in allowed and re.search(rf"\b{word}\s+(?:\w+\s+)?{_names(label)}\b", said, re.IGNORECASE):
            raise Refused("the reply tells another number of objects", reply, word)
    return sentence(said)


def read_scene(reply: str) -> str:
    """The sentences about the whole picture.

    Raises:
        Refused: nothing, too much, or what cannot be seen from above.
    """
    said = " ".join(reply.split())
    if not said:
        raise Refused("the reply is empty", reply)
    _check_words(said, reply)
    if _NUMBER.search(said):  # numbers are told from what is annotated, not guessed
        raise Refused("the reply tells a number", reply)
    return sentence(said)


def read_glance(text: str, label: str) -> str | None:
    """A describer's few words on one object as they go into a sentence; None where they say no more than its class.

    Raises:
        Refused: nothing, or words that tell of markers or depth.

    Example:
        >>> read_glance("A white airplane on an apron.", "airplane"), read_glance("airplane", "airplane")
        ('white airplane on an apron', None)
    """
    said = re.sub(r"^(?:an?|the)\s+", "", " ".join(text.split()).rstrip(" .!"), flags=re.IGNORECASE)
    if not said:
        raise Refused("the reply is empty", text)
    _check_words(said, text)
    if _NUMBER.search(said):
        raise Refused("the reply tells a number", text)
    return None if re.fullmatch(_names(label), said, re.IGNORECASE) else said[:1].lower() + said[1:]


def read_unified(reply: str, phrases: Sequence[Phrase], before: str) -> str:
    """The paraphrase of a text: every phrase once and still where it was, no number, direction or tag that is new.

    A phrase is still where it was when its sentence holds the directions that its sentence held before.

    Raises:
        Refused: anything else.

    Example:
        >>> read_unified("Right: court-1.", [Phrase(1, "court", (0,))], "The court-1 lies on the right.")
        'Right: court-1.'
    """
    said = " ".join(reply.split()).strip('"')
    if not said:
        raise Refused("the reply is empty", reply)
    try:
        tagged(said, phrases)
    except ModelOutputError as error:
        raise Refused("the paraphrase does not keep the phrases", reply, str(error)) from None
    if match := _ARTEFACT["speaks of itself"].search(said):
        raise Refused("the reply speaks of itself", reply, match[0])
    was, now = _places(before, phrases), _places(said, phrases)
    for phrase in phrases:
        if lost := sorted(was[phrase.number] - now[phrase.number]):
            raise Refused("the paraphrase loses where something is", reply, f"{phrase.marked}: {lost[0]}")
    rest, source = said, before
    for phrase in phrases:
        rest, source = phrase.pattern.sub(" ", rest), phrase.pattern.sub(" ", source)
    if "<" in rest or "[SEG]" in rest:
        raise Refused("holds tags", reply)
    if more := sorted(_numbers(rest) - _numbers(source)):
        raise Refused("the paraphrase tells a number that the text has not", reply, more[0])
    if more := sorted(_directions(rest) - _directions(source)):
        raise Refused("the paraphrase tells a direction that the text has not", reply, more[0])
    if strange := re.search(r"\w-\d+\b", rest):
        raise Refused("the paraphrase makes up a phrase", reply, strange[0])
    if len(said.split()) > 2 * len(before.split()) + 20:
        raise Refused("the paraphrase is much longer than the text", reply)
    return sentence(said)


def marked_in(said: str, label: str, number: int, members: tuple[int, ...]) -> tuple[str, Phrase]:
    """The sentence with the first noun of its class, and the number of objects before it, as the phrase of that number.

    Example:
        >>> marked_in("About 20 small cars stand in rows.", "car", 4, (0, 1))[0]
        'About 20 small cars-4 stand in rows.'
    """
    span = _name_in(said, label)
    if span is None:
        raise Refused("the reply does not name the class", said, label)
    start, stop = span
    if len(members) > 1:
        about = r"(?:(?:about|around|some|approximately|roughly|nearly|over)\s+)?"
        amount = rf"{about}(?:\d+|{'|'.join(_WORDS)})\s+(?:[a-z]+\s+)?$"
        if before := re.search(rf"\b{amount}", said[:start], re.IGNORECASE):
            start = before.start()
    phrase = Phrase(number, said[start:stop], members)
    return f"{said[:start]}{phrase.marked}{said[stop:]}", phrase


def looks_like(name: str, glance: str, label: str, place: str) -> str:
    """A describer's few words as a sentence about the object of that name."""
    if span := _name_in(glance, label):
        return sentence(f"{place} there is {a(glance[: span[0]] + name + glance[span[1] :])}")
    return sentence(f"the {name} {place} looks like {a(glance)}")


# ---- words ------------------------------------------------------------------------------------------------------


def _check_words(said: str, raw: str) -> None:
    for reason, pattern in _ARTEFACT.items():
        if match := pattern.search(said):
            raise Refused(f"the reply {reason}", raw, match[0])
    if len(said.split()) > MOST_WORDS:
        raise Refused(f"the reply has more than {MOST_WORDS} words", raw)


def _names(label: str) -> str:
    """A pattern of the class name in either number."""
    return rf"(?:{re.escape(plural(label))}|{re.escape(label)})"


def _name_in(said: str, label: str) -> tuple[int, int] | None:
    match = re.search(rf"(?<![\w-]){_names(label)}(?![\w-])", said, re.IGNORECASE)
    return None if match is None else match.span()


def _numbers(text: str) -> set[str]:
    words = {word for word in re.findall(r"[a-z]+", text.lower()) if word in _WORDS}
    return {str(_WORDS[word]) for word in words} | set(_NUMBER.findall(text))


def _places(text: str, phrases: Sequence[Phrase]) -> dict[int, set[str]]:
    """Number of a phrase -> the directions in its sentence."""
    found = {}
    for part in re.split(r"(?<=[.;!?])\s+", text):
        inside = [phrase for phrase in phrases if phrase.pattern.search(part)]
        for phrase in inside:
            part = phrase.pattern.sub(" ", part)
        found.update({phrase.number: _directions(part) for phrase in inside})
    return found


def _directions(text: str) -> set[str]:
    found = {match[0].lower() for match in _DIRECTION.finditer(text)}
    return {_SAME.get(word, word) for word in found}
