"""Words that say which two images are compared ("between image 1 and 3")."""

from __future__ import annotations

import re

from ..core.changes import changed_thing, earlier_thing
from ..core.conditions import Request, Selection, walk
from .followup_mentions import Setting
from .followup_text import Patched

_CHANGE = re.compile(
    r"\b(?:chang|differ|new\b|newly\b|gone\b|missing\b|(?:dis)?appear|built\b|demolish|remov|vanish|destroy|compare\b|"
    r"identical\b|altered\b|the same\b|earlier\b|no longer\b)",
    re.IGNORECASE,
)
_IMAGE = r"(?:the\s+)?(?:image|picture|photo|scene)s?\s*(?:number\s+|no\.?\s*|#\s*)?"
_TWO = re.compile(
    rf"\b(?:(?:between|from|in|of)\s+)?{_IMAGE}(?P<before>\d{{1,4}})\s*(?:and|to|with|,|-)\s*(?:{_IMAGE})?(?P<after>\d{{1,4}})\b",
    re.IGNORECASE,
)


def speaks_of_dates(text: str) -> bool:
    """Whether a line may ask what changed, so that "the two images" are its dates rather than two to look at."""
    return _CHANGE.search(text) is not None


def take_dates(patched: Patched, setting: Setting) -> tuple[Patched, tuple[int, int] | None]:
    """The text without the numbers of two images that are compared, and the numbers: earlier, later.

    Raises:
        QueryError: there is no such image, or both are the same.
    """
    match = _TWO.search(patched.text) if len(setting.images) > 1 and speaks_of_dates(patched.text) else None
    if match is None:
        return patched, None
    numbers = int(match["before"]), int(match["after"])
    listed = ", ".join(f"{n} {name}" for n, name in enumerate(setting.images, start=1))
    if not all(1 <= number <= len(setting.images) for number in numbers):
        raise patched.refused(f"there is no such image; there are {listed}", match.start(), match.end())
    if numbers[0] == numbers[1]:
        raise patched.refused("an image cannot be compared with itself; name two", match.start(), match.end())
    return patched.replaced(match.start(), match.end(), "between the two images"), numbers


def is_of_dates(request: Request) -> bool:
    """Whether a request is about two dates: it names a change, or something in the earlier image.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> is_of_dates(parse("new buildings")), is_of_dates(parse("white buildings"))
        (True, False)
    """
    phrases = [phrase for node in walk(request) if isinstance(node, Selection) for phrase in node.phrases]
    return any(changed_thing(phrase) is not None or earlier_thing(phrase) is not None for phrase in phrases)
