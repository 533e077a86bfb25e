"""What an item may look at: a whole image or a window of a large one, with its objects in px of that window.

FORMATS.md section 7: windows of 800 to 1024 px.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...core.errors import UsageError
from ...core.masks import Mask
from ..bench.items import Image
from ..datasets.record import Record, Tally, Thing
from .seen import Doubt as Doubt
from .seen import Seen as Seen
from .seen import is_endless as is_endless
from .seen import placed, reaches_of, seen_of, shapes_of
from .views import View as View

WINDOW_PX = (800, 1024)
MAX_WHOLE_PX = 1280
"""Images up to this long are taken whole: the rest beside a window would show nothing new."""


def views_of(
    record: Record,
    *,
    seed: int,
    masks: bool,
    root: str | None = None,
    tally: Tally | None = None,
    colours: bool = False,
) -> Iterator[View]:
    """The windows of a record in random order; the whole image where it is small.

    Args:
        record: with exhaustive labels and its size.
        seed: of the build.
        masks: CRES: each object needs a mask or an outline.
        root: image paths become relative to it.
        tally: counts windows left out, by reason.
        colours: whether the pixels may be looked at.
    """
    if record.size_wh is None:
        raise UsageError(f"the record {record.id!r} has no size; give records with their size in px")
    rng = random.Random(f"{seed}|{record.source.name}|{record.id}")
    reaches = reaches_of(record.things)
    for window in _windows(record.size_wh, rng):
        if record.ignored is not None and _holds(record.ignored, window):
            _count(tally, "window with pixels that are not annotated")
            continue
        view = _view(record, window, reaches, masks=masks, root=root)
        yield replace(view, pixels_root=root or ".") if colours else view


def _windows(size_wh: tuple[int, int], rng: random.Random) -> list[tuple[int, int, int, int]]:
    """Windows side by side without overlap, shuffled."""
    width, height = size_wh
    if max(width, height) <= MAX_WHOLE_PX:
        return [(0, 0, width, height)]
    side = rng.randrange(WINDOW_PX[0], WINDOW_PX[1] + 1, 32)
    across, down = (_starts(length, side, rng) for length in (width, height))
    found = [(x, y, min(x + side, width), min(y + side, height)) for y in down for x in across]
    rng.shuffle(found)
    return found


def _starts(length: int, side: int, rng: random.Random) -> list[int]:
    number = max(1, length // side)
    spare = max(0, length - number * side)
    first = rng.randint(0, spare)
    return [first + n * side for n in range(number)]


def _holds(mask: Mask, window: tuple[int, int, int, int]) -> bool:
    box = mask.box_px
    if box is None or box[0] >= window[2] or box[1] >= window[3] or box[2] <= window[0] or box[3] <= window[1]:
        return False
    return bool(mask.to_array()[window[1] : window[3], window[0] : window[2]].any())


def _view(
    record: Record,
    window: tuple[int, int, int, int],
    reaches: Sequence[list[float]],
    *,
    masks: bool,
    root: str | None,
) -> View:
    assert record.size_wh is not None
    x0, y0, x1, y1 = window
    size = (x1 - x0, y1 - y0)
    path = str(record.image)
    if root is not None and record.image.is_relative_to(root):
        path = record.image.relative_to(root).as_posix()
    whole = window == (0, 0, *record.size_wh)
    image = Image(
        path=path,
        size_wh=size,
        crop_xyxy=None if whole else window,
        family=record.family,
        gsd_m=record.gsd_m,
        source=record.source.name,
    )
    here: list[tuple[Thing, bool]] = []
    for thing, reach in zip(record.things, reaches, strict=True):
        left, top, right, bottom = thing.box_px.tolist()
        if left < x1 and top < y1 and right > x0 and bottom > y0:
            here.append((thing, reach[0] >= x0 and reach[1] >= y0 and reach[2] <= x1 and reach[3] <= y1))
    drawn = [thing for thing, is_within in here if (masks and thing.mask is None) or not is_within]
    shapes = dict(zip(map(id, drawn), shapes_of(drawn, (x0, y0)), strict=True))
    whole_ones = [thing for thing, is_within in here if is_within]
    within = dict(zip(map(id, whole_ones), placed(whole_ones, (x0, y0)), strict=True))
    found: list[Seen] = []
    numbers: dict[str, int] = {}
    for thing, _ in here:
        number = numbers.get(thing.label, 0) + 1
        name = f"{thing.label.replace(' ', '_')}-{number}"
        seen = seen_of(thing, name, (x0, y0), size, masks, shapes.get(id(thing)), within.get(id(thing)))
        if seen is not None:
            numbers[thing.label] = number
            found.append(seen)
    return View(image, tuple(found), record.classes, record)


def _count(tally: Tally | None, reason: str) -> None:
    if tally is not None:
        tally[reason] += 1
