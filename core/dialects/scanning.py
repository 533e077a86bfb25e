"""What the readers of several dialects share: going through a text object by object, and boxes on a grid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from ..codec import Pointed, check_length, says_none
from ..errors import ModelOutputError, UsageError
from ..frames import Frame, SizeWH
from ..geometry import corners_to_box

Span = tuple[int, int]

NUMBER = r"\s*-?\d{1,9}(?:\.\d{1,9})?\s*"
_BETWEEN = re.compile(r"[\s,;]+|<delim>")
_PROSE = re.compile(r"[^\[\](){}<>]+")  # words: nothing that could be half of an object
_SLACK = 0.1


def is_none(text: str, strict: bool) -> bool:
    """Whether the text is an explicit none: "none", and loosely "nothing", "no objects found" and the like.

    Raises:
        ModelOutputError: a text too long to be a reply.
    """
    check_length(text)
    bare = text.strip()
    return bare.rstrip(".").casefold() == "none" or (not strict and bare != "[]" and says_none(text))


def objects_in(
    text: str, pattern: re.Pattern[str], strict: bool, expected: str
) -> Iterator[tuple[re.Match[str], bool]]:
    """Every match in order, and whether only commas, spaces or `<delim>` stand between it and the match before it.

    Args:
        text: a reply.
        pattern: of one object; must not match an empty text.
        strict: nothing may stand between and round matches; else words without brackets may.
        expected: an object as an example, for messages.

    Raises:
        ModelOutputError: anything else in the text, or no match at all.
    """
    place, stop, follows, count = len(text) - len(text.lstrip()), len(text.rstrip()), False, 0
    while place < stop:
        found = pattern.match(text, place)
        if found is not None:
            yield found, follows
            place, follows, count = found.end(), True, count + 1
            continue
        gap = _BETWEEN.match(text, place) if count or not strict else None
        if gap is None and not strict:
            gap, follows = _PROSE.match(text, place), False
        if gap is None:
            raise ModelOutputError(f"expected {expected} at {text[place : place + 40]!r}", text)
        place = gap.end()
    if not count:
        raise ModelOutputError(f"the reply holds no object, expected {expected} or 'none'", text)


def on_grid(points_px: np.ndarray, size_wh: SizeWH, steps: int, truncates: bool = False) -> np.ndarray:
    """Points in whole steps of a grid, clipped to it: (N, 2) int64, rounded half up or cut off.

    Raises:
        UsageError: no points, or one that is not finite.
    """
    points = np.asarray(points_px, dtype=np.float64)
    if points.ndim != 2 or not len(points) or not np.isfinite(points).all():
        raise UsageError(f"an object to encode has points of shape {points.shape!r}, expected finite (N, 2)")
    grid = Frame.grid(size_wh, steps).from_scene(points)
    return np.clip(np.floor(grid + (1e-6 if truncates else 0.5)), 0, steps).astype(np.int64)


def from_grid(numbers: Sequence[float], size_wh: SizeWH, steps: int, raw: str) -> np.ndarray:
    """Points (N, 2) in px from x, y, x, y, ... on a grid; numbers up to a tenth beyond it are clipped.

    Raises:
        ModelOutputError: numbers farther outside.
    """
    points = np.asarray(numbers, dtype=np.float64).reshape(-1, 2)
    slack = steps * _SLACK
    if (points < -slack).any() or (points > steps + slack).any():
        raise ModelOutputError(
            f"{[*numbers][:8]!r} lies far outside the grid 0-{steps}; "
            "does the checkpoint write its coordinates in another convention?", raw,
        )  # fmt: skip
    return Frame.grid(size_wh, steps).to_scene(np.clip(points, 0, steps))


def upright(numbers: Sequence[float], size_wh: SizeWH, steps: int, label: str | None, span: Span, raw: str) -> Pointed:
    """The upright box of x1, y1, x2, y2 on a grid; corners in either order.

    Raises:
        ModelOutputError: numbers far outside the grid.
    """
    corners = corners_to_box(from_grid(numbers, size_wh, steps, raw)).reshape(2, 2)
    return Pointed("box", corners, None, label, span)


def low_high(item: Pointed, size_wh: SizeWH, steps: int, truncates: bool = False) -> list[int]:
    """x1, y1, x2, y2 of the upright box round an object, in whole steps of a grid."""
    grid = on_grid(item.points_px, size_wh, steps, truncates)
    return [int(v) for v in (*grid.min(axis=0), *grid.max(axis=0))]
