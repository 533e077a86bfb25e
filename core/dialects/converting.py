"""A text of one dialect as a text of another, and what that took: nothing is lost without being counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import shapely

from ..codec import Dialect, Pointed
from ..errors import ModelOutputError
from ..frames import SizeWH
from ..geometry import corners_to_box, min_area_rect, polygon_area
from ..masks import Mask

WORDS = "words round the objects left out"
TO_BOX = "{kind} became the upright box round it"
TO_OBB = "{kind} became the smallest rectangle round it"
TO_MASK = "outline became the cells that it touches"
HOLES = "hole of a mask filled"
PARTS = "further part of a mask became an object of its own"
NAME = "name left out"
KEYPOINTS = "key points left out"
FLAT = "object too small for the grid: it has no area any more"
_NOUNS = {"obb": "oriented box", "polygon": "outline", "mask": "mask", "box": "upright box"}
_LEVEL = 1e-6


@dataclass(frozen=True)
class Converted:
    """A converted text.

    Attributes:
        text: in the other dialect.
        objects: how many were read.
        losses: what the other dialect could not say -> of how many objects that is true.
    """

    text: str
    objects: int
    losses: Counter[str] = field(default_factory=Counter)


def converted(text: str, size_wh: SizeWH, source: Dialect, target: Dialect, *, strict: bool = False) -> Converted:
    """The text in another dialect, read back to see what was lost.

    Args:
        text: a reply, or what a record has as one.
        size_wh: of the image in px (as the model sees it, where a dialect writes pixels).
        source: the dialect that the text is in.
        target: the dialect that it shall be in.
        strict: words round objects are an error; else they are left out and counted.

    Raises:
        ModelOutputError: a text that can't be read; `raw` holds it.

    Example:
        >>> from surveyor.core.codec import dialect
        >>> done = converted("{<10><20><30><40>|<45>}", (512, 512), dialect("geochat"), dialect("vrsbench"))
        >>> done.text, dict(done.losses)
        ('{<5><15><34><44>}', {'oriented box became the upright box round it': 1})
    """
    losses: Counter[str] = Counter()
    try:
        objects = source.decode(text, size_wh)
    except ModelOutputError:
        if strict:
            raise
        objects = source.decode(text, size_wh, strict=False)
        losses[WORDS] += 1
    fitted = [each for item in objects for each in _fitted(item, target.kinds, size_wh, losses)]
    written = target.encode(fitted, size_wh)
    kind = "polygon" if fitted and all(item.kind == "polygon" for item in fitted) else None
    back = target.decode(written, size_wh, kind=kind)
    if len(back) != len(fitted):
        raise ModelOutputError(f"{len(fitted)} objects were written and {len(back)} read back as {target.name!r}", text)
    for before, after in zip(fitted, back, strict=True):
        losses[NAME] += before.label is not None and after.label is None
        losses[KEYPOINTS] += before.keypoints_px is not None and after.keypoints_px is None
        losses[FLAT] += _area(after) == 0 and _area(before) > 0
    return Converted(written, len(objects), +losses)


def _fitted(item: Pointed, kinds: Sequence[str], size_wh: SizeWH, losses: Counter[str]) -> list[Pointed]:
    """The object in the kind that comes nearest to its own; several where it has several parts."""
    if item.kind in kinds:
        return [item]
    if item.kind == "polygon" and "mask" in kinds:
        losses[TO_MASK] += 1
        return [item]  # its writer makes the mask
    if item.kind == "mask" and item.mask is not None and "polygon" in kinds:
        return _outlines(item, item.mask, losses)
    noun = _NOUNS.get(item.kind, item.kind)
    points = np.asarray(item.points_px, dtype=np.float64)
    if "obb" in kinds:
        losses[TO_OBB.format(kind=noun)] += item.kind != "box"
        return [item if item.kind == "box" else replace(item, kind="obb", points_px=min_area_rect(points), mask=None)]
    losses[TO_BOX.format(kind=noun)] += not _is_upright(points)
    return [replace(item, kind="box", points_px=corners_to_box(points).reshape(2, 2), mask=None)]


def _outlines(item: Pointed, mask: Mask, losses: Counter[str]) -> list[Pointed]:
    parts = mask.to_polygons()
    losses[PARTS] += len(parts) - 1
    losses[HOLES] += sum(len(part.interiors) for part in parts)
    rings = [shapely.get_coordinates(shapely.remove_repeated_points(part.exterior))[:-1] for part in parts]
    return [replace(item, kind="polygon", points_px=ring, mask=None) for ring in rings]


def _is_upright(points: np.ndarray) -> bool:
    """Whether the points are an upright rectangle's corners."""
    if len(points) != 4:
        return False
    low, high = points.min(axis=0), points.max(axis=0)
    near = np.minimum(np.abs(points - low), np.abs(points - high))
    return bool((near <= _LEVEL * max(1.0, float((high - low).max()))).all()) and _area_of(points) > 0


def _area(item: Pointed) -> float:
    if item.mask is not None:
        return float(item.mask.area_px)
    return _area_of(np.asarray(item.points_px, dtype=np.float64))


def _area_of(points: np.ndarray) -> float:
    return float(np.ptp(points, axis=0).prod()) if len(points) == 2 else polygon_area(points)
