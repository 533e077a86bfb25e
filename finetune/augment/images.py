"""Records over a changed picture: turned on its sides, tilted a little, recoloured, cut to tiles. Words stay true.

What a record says after a change is as true as before it, or the record is left out with its reason: words of
direction turn with the picture (`turning`), counts and captions do not survive a cut, "white" does not survive strong
light. New pictures are written as PNG (`pictures.Pictures`); `Instruction.made` tells what was done.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from itertools import islice

import cv2
import numpy as np

from ...core import lexicon
from ...tools.models.grounded import untagged
from ..pixels import jitter_colour
from ..records.points import in_reading_order
from ..records.record import Instruction, Marked, Picture, with_messages
from ..records.windows import ABSENT, SHOWN, SLIVER_PX, windows_of
from .marks import LeftOut, cut, moved, ordered_as, turned
from .pictures import Pictures
from .turning import Turn, Unturnable, tells_directions, turned_words

COLOURS = re.compile(
    r"\b(?:red|orange|yellow|green|blue|purple|violet|pink|brown|beige|tan|white|gr[ea]y|black|silver|golden?|dark|"
    r"bright|light|pale|colou?r(?:ed|ful|s)?|shad(?:e|ow)s?|sunny|cloudy|foggy|hazy|night|dusk|lit)(?:er|est|ish)?\b",
    re.IGNORECASE,
)
"""Words that light and colour may make wrong."""
TURNED_TASKS_WITHOUT_WORDS = ("count", "geoloc", "scene")
"""Their replies are numbers, places on Earth and classes: no turn changes them."""


def said(record: Instruction) -> list[str]:
    """What a record says in words of its own about its picture."""
    replies = [] if record.task in TURNED_TASKS_WITHOUT_WORDS else [record.reply]
    return [untagged(words) for words in (record.phrase, *replies) if words]


def changed(record: Instruction, what: str, **parts: object) -> Instruction:
    """The record with other parts, its id and `made` told on, and its messages written anew."""
    made = record.model_dump() | {"id": f"{record.id}~{what.replace(' ', '-')}", "made": (*record.made, what)} | parts
    return with_messages(Instruction.model_validate(made))


# ---- turned on its sides


def turned_record(record: Instruction, turn: Turn, pictures: Pictures) -> Instruction:
    """The record over its turned picture, words of direction turned too.

    Raises:
        LeftOut: it has no picture, or words that nobody can turn safely.
    """
    _has_picture(record)
    try:
        phrase = turned_words(record.phrase, turn)
        reply = record.reply if record.task in TURNED_TASKS_WITHOUT_WORDS else _turned_reply(record, turn)
    except Unturnable as error:
        raise LeftOut(f"words that cannot be turned: {error.reason}") from None
    size = record.size_wh

    def move(marked: Marked) -> Marked:
        return turned(marked, turn, size)

    shown = tuple(_made(pictures, each, turn.name, turn.pixels) for each in record.pictures)
    parts = _regions(record, [move(each) for each in record.given], [move(each) for each in record.regions])
    return changed(record, f"turn {turn.name}", pictures=shown, phrase=phrase, reply=reply, **parts)


def _turned_reply(record: Instruction, turn: Turn) -> str:
    """The reply turned; with tags only if they hide nothing from whoever turns the words."""
    reply = turned_words(record.reply, turn)
    if record.grounded and untagged(reply) != turned_words(untagged(record.reply), turn):
        raise LeftOut("words that cannot be turned: a phrase that parts a direction from its words")
    return reply


# ---- tilted


def tilted_record(record: Instruction, degrees: float, pictures: Pictures) -> Instruction:
    """The record over its picture tilted clockwise about the middle; the canvas grows so that nothing is lost.

    The corners that the picture does not reach get its mean colour.

    Raises:
        LeftOut: no picture, words of direction or place, upright boxes without a mask.
    """
    _has_picture(record)
    if any(tells_directions(words) for words in said(record)):
        raise LeftOut("words of direction in a tilted picture")
    width, height = record.size_wh
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    size = (math.ceil(abs(c) * width + abs(s) * height), math.ceil(abs(s) * width + abs(c) * height))
    linear = np.array([[c, -s], [s, c]])
    matrix = np.hstack([linear, (np.array(size) / 2 - linear @ (width / 2, height / 2))[:, None]])
    given, regions = ([moved(each, matrix) for each in found] for found in (record.given, record.regions))
    if record.asked == "box" or any(each.kind == "box" for each in given):
        raise LeftOut("an upright box cannot be tilted")

    def tilt(pixels: np.ndarray) -> np.ndarray:
        m = matrix.copy()
        m[:, 2] += m[:, :2] @ [0.5, 0.5] - 0.5  # the matrix speaks of pixel corners, cv2 of centres
        fill = tuple(int(v) for v in pixels.reshape(-1, 3).mean(axis=0))
        return cv2.warpAffine(pixels, m, size, flags=cv2.INTER_LINEAR, borderValue=fill)

    shown = tuple(_made(pictures, each, f"tilt {degrees:.2f}", tilt) for each in record.pictures)
    return changed(record, f"tilt {degrees:.2f}", pictures=shown, **_regions(record, given, regions))


# ---- recoloured


def recoloured_record(record: Instruction, seed: tuple[int, ...], pictures: Pictures, strength: float = 0.7) -> Instruction:  # fmt: skip  # noqa: E501
    """The record under other light and colours; both pictures of a pair alike.

    Raises:
        LeftOut: no picture, or words of colour and light.
    """
    _has_picture(record)
    if any(COLOURS.search(words) for words in said(record)):
        raise LeftOut("words of colour or light in a recoloured picture")

    def recolour(pixels: np.ndarray) -> np.ndarray:
        return jitter_colour(np.random.default_rng(seed), pixels, strength)

    name = f"colours {'-'.join(map(str, seed))}"
    shown = tuple(_made(pictures, each, name, recolour) for each in record.pictures)
    return changed(record, name, pictures=shown)


# ---- tiles


def tiles_of(record: Instruction, side: int, overlap: int) -> Iterator[Instruction | str]:
    """The records of a large picture's tiles, or for a tile that makes none the reason.

    The rule is the converters' (`records.windows`): what a tile shows 70 % of is there, what it shows next to nothing
    of is not, and a tile with anything between is left out. No pixels are written: a tile is a crop of the file.

    Args:
        side, overlap: px.

    Raises:
        LeftOut: a picture no larger than a tile, or a record that a cut may make wrong: only "everything of a class"
            (`det`, `res`, `rcd`) and what is said of single whole regions (`region`, `pal`) is true of a part.
    """
    _has_picture(record)
    width, height = record.size_wh
    if max(width, height) <= side:
        raise LeftOut("a picture no larger than a tile")
    if record.task not in ("det", "res", "rcd", "region", "pal"):
        raise LeftOut(f"'{record.task}' may not be true of a part of its picture")
    if record.task in ("region", "pal"):
        if any(tells_directions(words) or not is_class(words, record) for words in said(record)):
            raise LeftOut("words that may not be true of a part of the picture")
    elif not is_class(record.phrase, record):
        raise LeftOut("words that may not be true of a part of the picture")
    for window in windows_of(record.size_wh, side, overlap):
        try:
            made = _tile(record, window)
        except LeftOut as error:
            yield str(error)
            continue
        if made is not None:
            yield made


def is_class(words: str, record: Instruction) -> bool:
    """Whether words name a class and nothing more: a word of the lexicon, or what the regions are labelled."""
    name = lexicon.normalise(words) if words else ""
    labels = {lexicon.normalise(each.label) for each in (*record.regions, *record.given) if each.label}
    return bool(name) and (labels == {name} or name in lexicon.vocabulary() or name == "area")


def _tile(record: Instruction, window: tuple[int, int, int, int]) -> Instruction | None:
    kept, given = [], []
    pairs = (
        zip(record.given, record.regions, strict=True) if record.given else ((None, each) for each in record.regions)
    )
    for before, region in pairs:
        share, part = _share(region, window)
        if record.given and share < 1:
            if share:
                raise LeftOut("a tile's edge cuts a given region")
            continue
        if part is None:
            continue
        if share < SHOWN and record.task != "rcd":  # what a part shows of a change is what changed in it
            raise LeftOut("a tile's edge cuts an object so that it is in doubt")
        kept.append(part)
        if before is not None:
            share, seen = _share(before, window)
            if seen is None or share < 1:
                raise LeftOut("a tile's edge cuts a given region")
            given.append(seen)
    if not kept and record.task in ("region", "pal"):
        return None
    shown = tuple(_crop(each, window) for each in record.pictures)
    what = f"tile {'-'.join(map(str, window))}"
    return changed(record, what, pictures=shown, **_regions(record, given, kept))


def _share(region: Marked, window: tuple[int, int, int, int]) -> tuple[float, Marked | None]:
    share, part = cut(region, window)
    if part is None or share < ABSENT:
        return 0.0, None
    points = np.array(part.points)
    return (0.0, None) if share < 1 and np.ptp(points, axis=0).min() < SLIVER_PX else (share, part)


def _crop(picture: Picture, window: tuple[int, int, int, int]) -> Picture:
    x, y = picture.crop_xyxy[:2] if picture.crop_xyxy else (0, 0)
    x0, y0, x1, y1 = window
    crop = (x + x0, y + y0, x + x1, y + y1)
    return picture.model_copy(update={"crop_xyxy": crop, "size_wh": (x1 - x0, y1 - y0)})


# ---- common parts


def _regions(record: Instruction, given: list[Marked], regions: list[Marked]) -> dict[str, object]:
    """Given and right regions in order; pairs of given and right ones stay together, and those of one phrase."""
    if record.grounded:
        following = iter(regions)
        groups = [in_reading_order(list(islice(following, count))) for count in record.grounded]
        return {"regions": tuple(each for group in groups for each in group)}
    if not record.given:
        return {"regions": ordered_as(record, regions)}
    first = in_reading_order(given)
    return {"given": first, "regions": tuple(regions[given.index(each)] for each in first)}


def _made(pictures: Pictures, picture: Picture, what: str, change: Callable[[np.ndarray], np.ndarray]) -> Picture:
    key = (picture, what)
    known = pictures.make(key, None)
    if known is None:
        known = pictures.make(key, change(pictures.read(picture)))
    assert known is not None  # it was just made
    return known


def _has_picture(record: Instruction) -> None:
    if not record.pictures:
        raise LeftOut("a record without a picture")
