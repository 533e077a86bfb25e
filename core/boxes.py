"""A box that a person points at, as words: "[100 200 300 400] box", which stands where a class name may stand."""

from __future__ import annotations

import re

Box = tuple[float, float, float, float]

_NUMBER = r"-?\d+(?:\.\d+)?"
_PHRASE = re.compile(rf"\[({_NUMBER}) ({_NUMBER}) ({_NUMBER}) ({_NUMBER})\] box")


def box_phrase(box_px: Box) -> str:
    """The phrase for a box x0, y0, x1, y1 in full-scene px, to a tenth of a pixel.

    Example:
        >>> box_phrase((100.0, 200.0, 300.5, 400.0))
        '[100 200 300.5 400] box'
    """
    return f"[{' '.join(format(round(value, 1) + 0.0, '.10g') for value in box_px)}] box"


def box_of(phrase: str) -> Box | None:
    """The box x0, y0, x1, y1 that a phrase points at; None for any other phrase.

    Example:
        >>> box_of("[100 200 300.5 400] box"), box_of("plane")
        ((100.0, 200.0, 300.5, 400.0), None)
    """
    found = _PHRASE.fullmatch(phrase)
    if found is None:
        return None
    x0, y0, x1, y1 = (float(text) for text in found.groups())
    return (x0, y0, x1, y1)
