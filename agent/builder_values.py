"""Checks of the plain values that the builder's methods take: words of a list, whole numbers, numbers, yes or no."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Sequence
from typing import Any

from ..core.errors import UsageError

MOST = 1_000_000
"""Greatest rank or number of things that can be asked for."""


def whole(value: Any, what: str, example: str, *, least: int = 1) -> int:
    """A whole number from `least` on.

    Args:
        what: what it is, for the message: "how many to take".
        example: a call that works.

    Example:
        >>> whole(2, "the rank", "nth(2, 'largest')")
        2
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not least <= int(value) <= MOST:
        raise UsageError(f"{what} is a whole number from {least} on, as in {example}, not {shown(value)}")
    return int(value)


def positive(value: Any, what: str, example: str, *, zero: bool = False) -> float:
    """A finite number above 0, or from 0 on with `zero`.

    Example:
        >>> positive(2, "'times'", "times=2")
        2.0
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise UsageError(
            f"{what} is a number {'from 0 on' if zero else 'above 0'}, as in {example}, not {shown(value)}"
        )
    return float(value)


def word_of(value: Any, known: Sequence[str], what: str) -> str:
    """One of the words of a closed list.

    Example:
        >>> word_of("Row", ("group", "row"), "'per'")
        'row'
    """
    plain = value.strip().lower() if isinstance(value, str) else ""
    if plain in known:
        return plain
    near = difflib.get_close_matches(plain, known, n=1)
    raise UsageError(
        f"{what} is one of {', '.join(known)}, not {shown(value)}" + (f" (did you mean {near[0]!r}?)" if near else "")
    )


def some_text(value: Any, what: str, example: str) -> str:
    """Text of any kind.

    Example:
        >>> some_text("planes", "a query", "planes longer than 40 m")
        'planes'
    """
    if not isinstance(value, str):
        raise UsageError(f"{what} is text such as {example!r}, not {shown(value)}")
    return value


def yes_or_no(value: Any, what: str) -> bool:
    """True or False.

    Example:
        >>> yes_or_no(True, "'each'")
        True
    """
    if not isinstance(value, bool):
        raise UsageError(f"{what} is True or False, not {shown(value)}")
    return value


def shown(value: Any) -> str:
    """The value as an error shows it: short, and without the address of an object.

    Example:
        >>> shown("nan m"), shown(object())
        ("'nan m'", "an object of type 'object'")
    """
    text = repr(value)
    if " at 0x" in text:
        return f"an object of type {type(value).__name__!r}"
    return text if len(text) <= 60 else f"{text[:57]}..."
