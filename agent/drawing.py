"""Drawing on a BGR picture: text, lines with a halo, dashes, translucent areas, tags that keep clear of each other.

Points are picture pixels, top-left corner of the top-left pixel at (0, 0). Colours are BGR.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Points = NDArray[np.float64]
Colour = tuple[int, int, int]

WHITE: Colour = (245, 245, 245)
INK: Colour = (28, 24, 22)
_FRACTION_BITS = 4
REGULAR, BOLD = 420, 640


@cache
def _font() -> Any:
    return cv2.FontFace("sans")


def text_size_wh(text: str, size: int, weight: int = REGULAR) -> tuple[int, int]:
    """Width and height of a line of text, px; the height is that of a line, whatever letters it has."""
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), _font(), size, weight)
    return int(width), round(size * 1.25)


def put_text(
    picture: Picture, text: str, xy: tuple[float, float], size: int, colour: Colour, weight: int = REGULAR
) -> None:
    """Writes a line of text whose top-left corner is at `xy`."""
    baseline = (round(xy[0]), round(xy[1] + size * 0.95))
    cv2.putText(picture, text, baseline, colour, _font(), size, weight)


def wrap(text: str, width: int, size: int, weight: int = REGULAR, most_lines: int = 4) -> list[str]:
    """The text in lines that fit `width` px, at most `most_lines` (the last then ends in "…")."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and text_size_wh(longer, size, weight)[0] > width:
            lines.append(line)
            line = word
        else:
            line = longer
    lines.append(line)
    if len(lines) > most_lines:
        lines = [*lines[: most_lines - 1], f"{lines[most_lines - 1]} …"]
    return [_cut(line, width, size, weight) for line in lines]


def _cut(line: str, width: int, size: int, weight: int) -> str:
    if text_size_wh(line, size, weight)[0] <= width:
        return line
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        fits = text_size_wh(line[:middle] + "…", size, weight)[0] <= width
        low, high = (middle, high) if fits else (low, middle - 1)
    return line[:low] + "…"


def draw_outline(picture: Picture, ring: Points, colour: Colour, thickness: int, *, halo: bool = True) -> None:
    """A closed line with a dark halo, so that it reads on any ground."""
    points = _fixed(ring)
    if halo:
        cv2.polylines(picture, [points], True, INK, thickness + 2, cv2.LINE_AA, _FRACTION_BITS)
    cv2.polylines(picture, [points], True, colour, thickness, cv2.LINE_AA, _FRACTION_BITS)


def draw_dashed(picture: Picture, ring: Points, colour: Colour, thickness: int, dash: float) -> None:
    """A closed dashed line: dashes of `dash` px, gaps of the same length."""
    closed = np.vstack([ring, ring[:1]])
    steps = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    pieces = max(2, round(along[-1] / (2 * dash)))
    starts = np.arange(pieces) * along[-1] / pieces
    lines = []
    for start in starts:
        stop = start + along[-1] / pieces / 2
        inner = along[(along > start) & (along < stop)]
        at = np.concatenate([[start], inner, [stop]])
        points = np.stack([np.interp(at, along, closed[:, 0]), np.interp(at, along, closed[:, 1])], axis=1)
        lines.append(_fixed(points))
    cv2.polylines(picture, lines, False, INK, thickness + 1, cv2.LINE_AA, _FRACTION_BITS)
    cv2.polylines(picture, lines, False, colour, thickness, cv2.LINE_AA, _FRACTION_BITS)


def fill_areas(picture: Picture, areas: Iterable[tuple[Sequence[Points], Colour]], opacity: float) -> None:
    """Tints areas, each given as its rings (inner ones are holes) and its colour."""
    layer = picture.copy()
    for rings, colour in areas:
        cv2.fillPoly(layer, [_fixed(ring) for ring in rings], colour, cv2.LINE_AA, _FRACTION_BITS)
    cv2.addWeighted(layer, opacity, picture, 1 - opacity, 0, dst=picture)


def _fixed(points: Points) -> NDArray[np.int32]:
    """Fixed-point coordinates for OpenCV, whose (0, 0) is the centre of the first pixel."""
    bounded = np.clip(points - 0.5, -1e5, 1e5)
    return np.asarray(np.round(bounded * (1 << _FRACTION_BITS)), dtype=np.int32)


@dataclass(frozen=True)
class Tag:
    """A label for something: what it says (fullest form first), its colour, and the box (x0, y0, x1, y1) it names."""

    texts: tuple[str, ...]
    colour: Colour
    box: tuple[float, float, float, float]


def place_tags(picture: Picture, tags: Sequence[Tag], size: int) -> int:
    """Draws the tags beside their boxes so that none covers another and few cover other boxes.

    A tag for which there is no room is tried in its shorter forms, then left out.

    Returns:
        How many were left out.
    """
    height, width = picture.shape[:2]
    taken = np.zeros((height, width), dtype=bool)
    boxes = np.zeros((height, width), dtype=bool)
    for tag in tags:
        x0, y0, x1, y1 = _clipped(tag.box, width, height)
        boxes[y0:y1, x0:x1] = True
    left_out = 0
    for tag in tags:
        for text in tag.texts:
            place = _best_place(tag, text, size, taken, boxes)
            if place is not None:
                _draw_tag(picture, text, tag.colour, place, size)
                x0, y0, x1, y1 = place
                taken[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = True
                break
        else:
            left_out += 1
    return left_out


Place = tuple[int, int, int, int]


def _best_place(tag: Tag, text: str, size: int, taken: NDArray[np.bool_], boxes: NDArray[np.bool_]) -> Place | None:
    """The free place round the tag's box that covers least of the boxes; None when none is free."""
    height, width = taken.shape
    tag_w, tag_h = (side + extra for side, extra in zip(text_size_wh(text, size), (12, 4), strict=True))
    x0, y0, x1, y1 = tag.box
    middle = (x0 + x1 - tag_w) / 2
    corners = [
        (x0, y0 - tag_h - 2), (x1 - tag_w, y0 - tag_h - 2), (x0, y1 + 2), (x1 - tag_w, y1 + 2),
        (x1 + 3, y0), (x0 - tag_w - 3, y0), (middle, y0 - tag_h - 2), (middle, y1 + 2),
        (x1 + 3, y1 - tag_h), (x0 - tag_w - 3, y1 - tag_h), (x0 + 3, y0 + 3),
    ]  # fmt: skip
    best, best_cost = None, np.inf
    for order, (left, top) in enumerate(corners):
        x, y = round(left), round(top)
        if x < 0 or y < 0 or x + tag_w > width or y + tag_h > height:
            continue
        if taken[y : y + tag_h, x : x + tag_w].any():
            continue
        cost = boxes[y : y + tag_h, x : x + tag_w].mean() + 0.01 * order
        if cost < best_cost:
            best, best_cost = (x, y, x + tag_w, y + tag_h), cost
    return best


def _draw_tag(picture: Picture, text: str, colour: Colour, place: Place, size: int) -> None:
    x0, y0, x1, y1 = place
    ground = picture[y0:y1, x0:x1]
    cv2.addWeighted(ground, 0.22, np.full_like(ground, INK), 0.78, 0, dst=ground)
    picture[y0:y1, x0 : x0 + 3] = colour
    put_text(picture, text, (x0 + 7, y0 + 2), size, WHITE)


def _clipped(box: tuple[float, float, float, float], width: int, height: int) -> Place:
    x0, y0, x1, y1 = box
    return max(0, int(x0)), max(0, int(y0)), min(width, int(np.ceil(x1))), min(height, int(np.ceil(y1)))
