"""What is said for politeness: greetings, thanks, assent and goodbyes ask for nothing and are no errors."""

from __future__ import annotations

import re
from typing import Literal

from .followup_text import Patched

Kind = Literal["greeting", "thanks", "fine"]

_GREETING = frozenset("hello hi hey morning afternoon evening".split())
_THANKS = frozenset("thanks thank thx cheers appreciated".split())
_FINE = frozenset(
    """ok okay great good nice cool perfect fine alright excellent wonderful super brilliant helpful got
    understood""".split()
)
_BESIDE = frozenset(
    """you very much so many a lot well done job all right it i see that's that’s that is was for now this there again
    surveyor day your help""".split()
)
_FIXED: dict[str, Kind] = {"i see": "fine", "all right": "fine", "good day": "greeting", "that is all": "fine"}
_BYE = re.compile(
    r"\s*(?:(?:ok|okay|thanks|thank\s+you|great)[\s,.!]+)*"
    r"(?:bye(?:[\s-]*bye)?|good\s*bye|quit|exit|see\s+you(?:\s+later)?)[\s.!]*",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"\s*(?:(?:hello|hi|hey|good\s+(?:morning|afternoon|evening|day))(?:\s+there)?|thanks(?:\s+a\s+lot)?|thx|cheers"
    r"|many\s+thanks|thank\s+you(?:\s+(?:very|so)\s+much)?|great|good|nice|cool|perfect|excellent|alright|all\s+right"
    r"|got\s+it|i\s+see)\s*[,.!;:]+\s*(?=\w|\[)",
    re.IGNORECASE,
)
_BEHIND = re.compile(
    r"[\s,]+(?:then|please|now|though|exactly|actually|thanks|thank\s+you)(?=[\s?!.]*$)|(?<=\bthem)\s+(?:all\s+)?again(?=[\s.!]*$)"
    r"|(?<=\bthem)\s+all(?=[\s.!]*$)",
    re.IGNORECASE,
)
_SMALL_TALK = re.compile(
    r"(?:(?:yes|no|what|huh|pardon|sorry|well|right|please|now|then|and|but|so|also|ok|okay)(?!\w)|\W)*", re.IGNORECASE
)


def courtesy(text: str) -> Kind | None:
    """What kind of politeness a line is; None when it says more.

    Example:
        >>> courtesy("Great, thank you!"), courtesy("hello"), courtesy("hello, planes")
        ('thanks', 'greeting', None)
    """
    said = re.findall(r"[\w'’]+", text.lower())
    if "?" in text or not said or not set(said) <= _GREETING | _THANKS | _FINE | _BESIDE:
        return None
    if _THANKS & set(said):
        return "thanks"
    if _GREETING & set(said):
        return "greeting"
    return "fine" if _FINE & set(said) else _FIXED.get(" ".join(said))


def is_goodbye(text: str) -> bool:
    """Whether a line ends the conversation: "bye", "quit", "exit"."""
    return _BYE.fullmatch(text) is not None


def is_small_talk(text: str) -> bool:
    """Whether a line holds nothing but words that go before a request."""
    return _SMALL_TALK.fullmatch(text) is not None


def without_courtesy(patched: Patched) -> Patched:
    """The text without a greeting or thanks in front of what it asks, and without "then" or "please" behind."""
    while (match := _BEFORE.match(patched.text)) is not None:
        patched = patched.cut(match.end())
    while (match := _BEHIND.search(patched.text)) is not None and match.start() > 0:
        patched = patched.replaced(match.start(), match.end(), "")
    return patched
