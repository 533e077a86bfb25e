"""Words that say which image is meant: "in image 2", "in the other image", "b.jpg", "in both images"."""

from __future__ import annotations

import re

from ..core.errors import QueryError
from .followup_mentions import AMOUNT, NTH, NUMBERS, Setting, ordinal
from .followup_text import Patched

IMAGE_NOUN = r"(?:image|picture|photo|photograph|scene|file)"
_SEVERAL_IMAGES = re.compile(
    rf"(?:\b(?:in|on|for|from|of|at)\s+)?(?:\b(?:both|all|the\s+two|the\s+(?P<other>other))\s+(?:of\s+)?"
    rf"(?:the\s+|my\s+|these\s+)?(?:{AMOUNT}\s+)?{IMAGE_NOUN}s\b|\b(?:every|each)\s+{IMAGE_NOUN}\b)",
    re.IGNORECASE,
)
_OTHER_ONE = re.compile(r"\b(?P<prep>in|on|for)\s+the\s+(?P<word>other)(?:\s+one)?(?=[\s?.!]*$)", re.IGNORECASE)
ADD_ONE = "add one with '/image FILE'"


def take_images(patched: Patched, setting: Setting) -> tuple[Patched, tuple[int, ...]]:
    """The text without the mention of several images ("in both images"), and their numbers, the one in use last.

    Raises:
        QueryError: there is only one.
    """
    match = _SEVERAL_IMAGES.search(patched.text) if setting.images else None
    if match is None:
        return patched, ()
    if len(setting.images) == 1:
        raise _image_error(f"there is only one image, {setting.images[0]}; {ADD_ONE}", match, patched)
    numbers = [n for n in range(1, len(setting.images) + 1) if n != setting.current]
    rest = patched.replaced(match.start(), match.end(), " ").stripped()
    return rest, (*numbers, *(() if match["other"] else (setting.current,)))


def take_image(patched: Patched, setting: Setting) -> tuple[Patched, int | None, bool]:
    """The text without the mention of an image, its number, and whether a preposition stood before it.

    Raises:
        QueryError: no such image, or "the other one" of several.
    """
    match = _image_pattern(setting.images).search(patched.text) if setting.images else None
    match = match or (_OTHER_ONE.search(patched.text) if setting.images else None)
    if match is None:
        return patched, None, False
    number = _image_number(match, patched, setting)
    return patched.replaced(match.start(), match.end(), " ").stripped(), number, match["prep"] is not None


def _image_pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    free = [name for name in names if re.search(r"[.\d]", name)]  # others could be the name of a thing
    exact, plain = (
        "|".join(re.escape(name) for name in sorted(some, key=len, reverse=True)) or r"(?!)"
        for some in (free, [name for name in names if name not in free])
    )
    return re.compile(
        rf"(?<!\w)(?:(?P<prep>in|on|for|from|of|at)\s+)?(?:"
        rf"(?:the\s+)?{IMAGE_NOUN}\s+(?:number\s+|no\.?\s*|#\s*)?(?P<number>\d{{1,4}}|{'|'.join(NUMBERS)})"
        rf"|the\s+(?P<word>other|next|previous|{NTH})\s+{IMAGE_NOUN}"
        rf"|(?:the\s+)?(?:{IMAGE_NOUN}\s+)?['\"]?(?P<name>{exact})['\"]?"
        rf"|(?:the\s+)?{IMAGE_NOUN}\s+['\"]?(?P<plain>{plain})['\"]?"
        rf")(?!\w)",
        re.IGNORECASE,
    )


def _image_number(match: re.Match[str], patched: Patched, setting: Setting) -> int:
    count = len(setting.images)
    listed = ", ".join(f"{n} {name}" for n, name in enumerate(setting.images, start=1))
    called = None if match.re is _OTHER_ONE else match["name"] or match["plain"]
    if called:
        fitting = [n for n, name in enumerate(setting.images, 1) if name.lower() == called.lower()]
        if len(fitting) > 1:
            raise _image_error(f"several images are called {called!r}; give its number: {listed}", match, patched)
        return fitting[0]
    word = (match["word"] or match["number"]).lower()
    if word == "other":
        if count == 1:
            raise _image_error(f"there is only one image, {setting.images[0]}; {ADD_ONE}", match, patched)
        if count > 2:
            raise _image_error(f"which other image? Say its number: {listed}", match, patched)
        return 3 - setting.current
    steps = {"next": setting.current + 1, "previous": setting.current - 1, "last": count}
    number = steps[word] if word in steps else NUMBERS[word] if word in NUMBERS else ordinal(word)
    if not 1 <= number <= count:
        have = f"there {'is' if count == 1 else 'are'} {listed}"
        raise _image_error(f"there is no such image; {have}; {ADD_ONE}", match, patched)
    return number


def _image_error(message: str, match: re.Match[str], patched: Patched) -> QueryError:
    return patched.refused(message, match.start(), match.end())
