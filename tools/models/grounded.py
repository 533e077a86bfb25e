"""Captions whose phrases point at things: `A <p>ship</p> [(10,20),(30,20),(30,60),(10,60)] leaves the port.`

GLaMM and GeoPixel write `<p> ship </p> [SEG]` and let a mask follow the token; in a set of points the phrase is
followed by its points, one list an object, in the native dialect. A phrase may stand for several objects.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...core.codec import Dialect, Pointed
from ...core.errors import ModelOutputError
from ...core.frames import SizeWH

_PHRASE = re.compile(r"<p>([^<>\[\]]*)</p>")
_POINTS = re.compile(r"(?:\s*\[[^\[\]]*\](?:\s*keypoints\s*\[[^\[\]]*\])?)+")
_STRAY = re.compile(r"[<>\[\]]")


@dataclass(frozen=True, eq=False)
class GroundedText:
    """A caption and what its phrases point at.

    Attributes:
        text: without tags and points.
        phrases: in the order of the text.
        regions: of each phrase one object or more, px of the image as the model sees it.
    """

    text: str
    phrases: tuple[str, ...]
    regions: tuple[tuple[Pointed, ...], ...]


def phrases_of(tagged: str) -> list[str]:
    """The phrases between tags.

    Example:
        >>> phrases_of("A <p>ship</p> leaves the <p> old port </p>.")
        ['ship', 'old port']
    """
    return [" ".join(phrase.split()) for phrase in _PHRASE.findall(tagged)]


def untagged(tagged: str) -> str:
    """The text without its tags.

    Example:
        >>> untagged("A <p>ship</p> leaves the <p> old port </p>.")
        'A ship leaves the old port.'
    """
    return " ".join(_PHRASE.sub(lambda match: " ".join(match[1].split()), tagged).split())


def is_tagged(text: str) -> bool:
    """Whether a text can carry points: phrases that are none empty, and no brackets but those of the tags."""
    return all(phrases_of(text)) and not _STRAY.search(_PHRASE.sub("", text))


def written(tagged: str, regions: Sequence[Sequence[Pointed]], dialect: Dialect, size_wh: SizeWH) -> str:
    """The tagged text with each phrase's points behind it.

    Args:
        tagged: as `is_tagged` wants it.
        regions: of each phrase.
        dialect, size_wh: as for `Dialect.encode`.
    """
    following = iter(regions)

    def told(match: re.Match[str]) -> str:
        points = " ".join(dialect.encode([each], size_wh) for each in next(following))
        return f"<p>{' '.join(match[1].split())}</p> {points}"

    return _PHRASE.sub(told, tagged)


def read_grounded(reply: str, kind: str, dialect: Dialect, size_wh: SizeWH, *, strict: bool = True) -> GroundedText:
    """What a reply says and points at.

    Args:
        reply: a model's.
        kind: "obb", "box", "keypoints" (boxes with key points) or "polygon": of all its objects.
        dialect, size_wh: as for `Dialect.decode`.
        strict: False takes a phrase without points for words.

    Raises:
        ModelOutputError: no words, a phrase without words or points, points without a phrase or of another kind, or
            that the dialect cannot read.
    """
    text, phrases, regions, place = "", [], [], 0
    for match in _PHRASE.finditer(reply):
        text += _words(reply[place : match.start()], reply)
        phrase, place = " ".join(match[1].split()), match.end()
        points = _POINTS.match(reply, place)
        if not phrase or (points is None and strict):
            raise ModelOutputError(f"the phrase {phrase!r} has no {'points' if phrase else 'words'}", reply)
        text += phrase
        if points is not None:
            phrases.append(phrase)
            regions.append(_pointed(points, kind, dialect, size_wh, reply))
            place = points.end()
    text = " ".join((text + _words(reply[place:], reply)).split())
    if not text:
        raise ModelOutputError("the reply is empty, expected a caption", reply)
    return GroundedText(text, tuple(phrases), tuple(regions))


def _words(text: str, reply: str) -> str:
    if stray := _STRAY.search(text):
        raise ModelOutputError(
            f"expected words or '<p>phrase</p> [(x,y),...]' at {text[stray.start() :][:40]!r}", reply
        )
    return text


def _pointed(found: re.Match[str], kind: str, dialect: Dialect, size_wh: SizeWH, reply: str) -> tuple[Pointed, ...]:
    of = "polygon" if kind == "polygon" else None
    try:
        objects = dialect.decode(found[0], size_wh, kind=of)
    except ModelOutputError as error:
        raise ModelOutputError(str(error), reply) from None
    kinds = {"keypoints" if each.keypoints_px is not None else each.kind for each in objects}
    if kinds != {kind}:
        raise ModelOutputError(
            f"a phrase has {', '.join(sorted(kinds)) or 'nothing'} where {kind} was asked for", reply
        )
    return tuple(
        each if each.span is None else replace(each, span=(each.span[0] + found.start(), each.span[1] + found.start()))
        for each in objects
    )
