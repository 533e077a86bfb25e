"""What changed, as objects: the 8-connected parts of a change mask (FORMATS.md section 8).

Parts that are smaller than `least_area_px` are in doubt. A gap of a pixel or two between two parts
is as often an annotator's slip as two objects, so there is a second reading in which such gaps are closed. It is only
used to ask whether an answer would differ; the pixels of the truth are never closed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import shapely

from ...core.geometry import min_area_rect
from ...core.masks import Mask
from ..scores.components import least_area_px
from .seen import Doubt, Seen

_SMALL_SIDE = 256
_LEAST_VISIBLE = 0.7
_REST = 16
_CONNECTED = 8


def gap_px(size_wh: tuple[int, int]) -> int:
    """Width of the gaps that a second reading closes: 2 px up to a side of 512 px, 4 px at 1,024 px.

    Example:
        >>> [gap_px((side, side)) for side in (100, 256, 512, 1024)]
        [2, 2, 2, 4]
    """
    return 2 * max(1, int(np.sqrt(max(size_wh) / _SMALL_SIDE)))


def touches_border(seen: Seen) -> bool:
    """Whether a thing reaches the border of what is seen, which may cut it."""
    left, top, right, bottom = seen.box
    return left <= 0 or top <= 0 or right >= seen.size_wh[0] or bottom >= seen.size_wh[1]


def is_tiny_rest(seen: Seen) -> bool:
    """Whether a thing at the border has less than 16 times the least area: 320 px up to a side of 256 px.

    Of something that the border cuts, so little is seen that nobody could say that it changed.
    """
    area = 0 if seen.mask is None else seen.mask.area_px
    return touches_border(seen) and area < _REST * least_area_px(seen.size_wh)


@dataclass(frozen=True, eq=False)
class Reading:
    """Another way to divide the same pixels into objects.

    Attributes:
        objects: as divided.
        shares: id of an object -> ids of the objects of the first reading that it has pixels in common with.
    """

    objects: tuple[Seen, ...]
    shares: Mapping[str, tuple[str, ...]]


def parts(pixels: np.ndarray) -> list[Mask]:
    """The 8-connected parts of (H, W) bool pixels, from the top down, then from the left."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats(pixels.astype(np.uint8), connectivity=_CONNECTED)
    found: list[Mask] = []
    for label in range(1, number):
        x, y, width, height = (int(value) for value in stats[label][:4])
        crop = labels[y : y + height, x : x + width] == label
        found.append(Mask.from_array(crop, (x, y), pixels.shape))
    return sorted(found, key=lambda part: (part.offset_xy[1], part.offset_xy[0], part.area_px, part.crop.tobytes()))


def closed(pixels: np.ndarray, gap: int) -> np.ndarray:
    """(H, W) bool: the pixels with gaps of up to `gap` px filled."""
    kernel = np.ones((gap + 1, gap + 1), dtype=np.uint8)
    return cv2.morphologyEx(pixels.astype(np.uint8), cv2.MORPH_CLOSE, kernel).astype(bool)


def changed_objects(label: str, whole: np.ndarray, window: tuple[int, int, int, int] | None = None) -> tuple[Seen, ...]:
    """The changed things of one class in a window, those in doubt too.

    Args:
        label: how they are called.
        whole: (H, W) bool, the changed pixels of the whole image.
        window: x0, y0, x1, y1; None for the whole image.
    """
    x0, y0, x1, y1 = (0, 0, whole.shape[1], whole.shape[0]) if window is None else window
    pixels = whole[y0:y1, x0:x1]
    least = least_area_px((x1 - x0, y1 - y0))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(whole.astype(np.uint8), connectivity=_CONNECTED)
    found: list[Seen] = []
    for number, part in enumerate(parts(pixels), start=1):
        rows, columns = np.nonzero(part.crop)
        place = labels[y0 + part.offset_xy[1] + rows[0], x0 + part.offset_xy[0] + columns[0]]
        is_cut = part.area_px < _LEAST_VISIBLE * stats[place, cv2.CC_STAT_AREA]
        doubt: Doubt = "cut" if is_cut else "small" if part.area_px < least else ""
        found.append(_seen(f"{label.replace(' ', '_')}-{number}", label, part, doubt))
    return tuple(found)


def closed_reading(objects: tuple[Seen, ...], shape_hw: tuple[int, int]) -> Reading | None:
    """Each class with its small gaps closed; None where that joins nothing."""
    found: list[Seen] = []
    shares: dict[str, tuple[str, ...]] = {}
    for label in dict.fromkeys(seen.label for seen in objects):
        own = [seen for seen in objects if seen.label == label]
        pixels = np.zeros(shape_hw, dtype=bool)
        for seen in own:
            _paint(pixels, seen)
        for number, group in enumerate(parts(closed(pixels, gap_px(shape_hw[::-1]))), start=1):
            members = [seen for seen in own if seen.mask is not None and group.intersection_px(seen.mask)]
            doubt: Doubt = "" if any(not seen.doubt for seen in members) else members[0].doubt
            one = _seen(f"closed-{label.replace(' ', '_')}-{number}", label, group, doubt)
            found.append(one)
            shares[one.id] = tuple(seen.id for seen in members)
    return Reading(tuple(found), shares) if len(found) < len(objects) else None


def divided_reading(objects: tuple[Seen, ...], by_type: tuple[Seen, ...]) -> Reading | None:
    """Change of any type divided by its type; None where no object has two.

    Args:
        objects: of any type, all with one label.
        by_type: the parts of each type.
    """
    found: list[Seen] = []
    shares: dict[str, tuple[str, ...]] = {}
    for part in by_type:
        mask = part.mask
        assert mask is not None
        members = tuple(seen.id for seen in objects if seen.mask is not None and seen.mask.intersection_px(mask))
        one = _seen(f"divided-{part.id}", objects[0].label, mask, part.doubt)
        found.append(one)
        shares[one.id] = members
    return Reading(tuple(found), shares) if len(found) != len(objects) else None


def _paint(pixels: np.ndarray, seen: Seen) -> None:
    mask = seen.mask
    assert mask is not None
    (x, y), (height, width) = mask.offset_xy, mask.crop.shape
    pixels[y : y + height, x : x + width] |= mask.crop


def _seen(name: str, label: str, mask: Mask, doubt: Doubt) -> Seen:
    points = np.concatenate([shapely.get_coordinates(each.exterior) for each in mask.to_polygons()])
    box = mask.box_px
    assert box is not None
    left, top, right, bottom = box.tolist()
    return Seen(
        id=name,
        label=label,
        box=(left, top, right, bottom),
        corners=tuple((round(x, 2) + 0.0, round(y, 2) + 0.0) for x, y in min_area_rect(points).tolist()),
        doubt=doubt,
        is_shaped=True,
        area=mask,
        size_wh=(mask.shape_hw[1], mask.shape_hw[0]),
    )
