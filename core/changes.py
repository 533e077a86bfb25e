"""Names of what changed: "changed building" is a class like any other, and "earlier river" one of the earlier date."""

from __future__ import annotations

from .lexicon import normalise

ANY_CHANGE = "change"
"""What a detector is asked for where any change is meant."""
_CHANGED = "changed "
_EARLIER = "earlier "
_ANYTHING = frozenset("area region part place patch zone spot surface pixel thing object something anything".split())


def changed_thing(phrase: str) -> str | None:
    """What a phrase says has changed, as a detector is asked for it; None where it speaks of no change.

    Example:
        >>> [changed_thing(each) for each in ("changed buildings", "the changed areas", "changes", "buildings")]
        ['building', 'change', 'change', None]
    """
    words = normalise(phrase)
    if words in (ANY_CHANGE, "difference"):
        return ANY_CHANGE
    if not words.startswith(_CHANGED):
        return None
    thing = words.removeprefix(_CHANGED)
    return ANY_CHANGE if thing in _ANYTHING else thing


def of_changed(phrase: str) -> str:
    """The class of those that changed.

    Example:
        >>> [of_changed(each) for each in ("building", "changed building", "change", "changed change")]
        ['changed building', 'changed building', 'change', 'change']
    """
    thing = phrase
    while thing.startswith(_CHANGED):
        thing = thing.removeprefix(_CHANGED)
    return ANY_CHANGE if changed_thing(thing) is not None else f"{_CHANGED}{thing}"


def earlier_thing(phrase: str) -> str | None:
    """What a phrase names at the earlier date; None where it speaks of none.

    Example:
        >>> earlier_thing("earlier rivers"), earlier_thing("river")
        ('river', None)
    """
    words = normalise(phrase)
    return words.removeprefix(_EARLIER) if words.startswith(_EARLIER) else None


def date_word(phrase: str) -> str:
    """The word before a name that tells a date or a change; "" for none.

    Example:
        >>> [date_word(each) for each in ("changed building", "earlier river", "building", "change")]
        ['changed', 'earlier', '', '']
    """
    return next((word.strip() for word in (_CHANGED, _EARLIER) if phrase.startswith(word)), "")


def like_dated(phrase: str, other: str) -> str:
    """The phrase with another one's word of change or date, as an adjective before a list holds for all of it.

    Example:
        >>> like_dated("building", "changed ship"), like_dated("building", "ship")
        ('changed building', 'building')
    """
    word = date_word(other)
    return phrase if not word or date_word(phrase) or changed_thing(phrase) is not None else f"{word} {phrase}"
