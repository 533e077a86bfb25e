"""Records by class and window: detection, counting and segmentation of everything of a class, and change.

Whatever says "every" needs labels that are there wherever the class occurs (`Record.classes`); a class for which that
is not known makes no such record. An object in doubt is never taught as absent: it is told by what is shown of it, or
the records of its class and window are left out (`Options.doubtful`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...core.masks import Mask
from ...evals.datasets.record import Record
from ..records.points import in_reading_order
from ..records.record import Instruction, Marked
from ..records.windows import XYXY, Cutter, Seen, mask_in, quarters, windows_of
from .making import Maker
from .shapes import NotTold, box_of_mask, boxed_with_points, oriented, outlined, patches

OUTLINED = ("coco", "nwpu_vhr10", "isaid", "xbd")
"""Readers whose polygons follow the objects; elsewhere a polygon is a box's four corners."""
UNKNOWN = 0.05
"""Share of a window that may be without annotation for its land cover to be told."""
FEW = 0.25
"""Share of the objects of a class in a window that may be in doubt for the others to be told with them."""
_LEAST_SIDE = 128
"""A window is not cut to quarters that are smaller, px."""


@dataclass(frozen=True)
class Sheet:
    """One image that records are made of."""

    maker: Maker
    record: Record
    size_wh: tuple[int, int]

    def windows(self) -> list[XYXY]:
        """As the options have it."""
        return windows_of(self.size_wh, self.maker.options.window, self.maker.options.overlap)

    def make(self, task: str, key: str, window: XYXY, **parts: object) -> list[Instruction]:
        """See `Maker.make`."""
        return self.maker.make(self.record, task, key, window, self.size_wh, **parts)

    def absent(self, task: str, positives: int, classes: Sequence[str], window: XYXY) -> list[str]:
        """The classes among those that do not occur in the window that are asked for, so that "none" is learned."""
        count = self.maker.negatives(task, positives, len(classes))
        return self.maker.random(task, self.record.id, window).sample(list(classes), count) if count else []


# ---- things -----------------------------------------------------------------------------------------------------


def of_things(sheet: Sheet) -> Iterator[Instruction]:
    """Detection, counting and segmentation of annotated things, for single images."""
    record, maker = sheet.record, sheet.maker
    if record.after is not None or not maker.wants("det", "count", "res"):
        return
    cutter = Cutter(record.things, sheet.size_wh)
    if cutter.outside:
        maker.drop("object", "outside its image", cutter.outside)
    known = set(record.classes) if record.is_exhaustive else set()
    if not record.said:
        for label in sorted({thing.label for thing in record.things} - known):
            maker.drop("det, count, res", f"class not annotated wherever it occurs ({label or 'without name'})")
    if known:
        for window in sheet.windows():
            yield from _of_window(sheet, cutter, window)


def _of_window(sheet: Sheet, cutter: Cutter, window: XYXY) -> Iterator[Instruction]:
    by_class: dict[str, list[Seen]] = {label: [] for label in sheet.record.classes}
    for seen in cutter.seen(window):
        if seen.thing.label in by_class:
            by_class[seen.thing.label].append(seen)
    made = {"det": 0, "count": 0, "res": 0}
    for label, found in by_class.items():
        if found:
            for record in _of_class(sheet, cutter, window, label, found):
                made[record.task] += 1
                yield record
    absent = [label for label, found in by_class.items() if not found]
    reply = {"det": {}, "res": {}, "count": {"reply": "0"}}
    has_outlines = any(has_outline(sheet, seen) for found in by_class.values() for seen in found)
    for task, positives in made.items():
        if sheet.maker.wants(task) and (task != "res" or has_outlines):
            for label in sheet.absent(task, positives, absent, window):
                yield from sheet.make(task, label, window, phrase=label, **reply[task])


def _of_class(
    sheet: Sheet, cutter: Cutter, window: XYXY, label: str, found: Sequence[Seen], may_count: bool = True
) -> Iterator[Instruction]:
    """Everything of a class in a window; a window that shows too many is cut to quarters for detection."""
    options, tasks = sheet.maker.options, [task for task in ("det", "count", "res") if sheet.maker.wants(task)]
    tasks = [task for task in tasks if task != "res" or any(has_outline(sheet, seen) for seen in found)]
    tasks = [task for task in tasks if task != "count" or may_count]
    if options.difficult == "drop" and any(seen.thing.is_difficult for seen in found):
        for task in tasks:
            sheet.maker.drop(task, "object marked as difficult")
        return
    for task in [task for task in tasks if _is_in_doubt(sheet, found, task)]:
        sheet.maker.drop(task, "objects in doubt, cut by the window's edge")
        tasks.remove(task)
    if not tasks:
        return
    found = _once(sheet, found)
    if "count" in tasks:
        yield from sheet.make("count", label, window, phrase=label, reply=str(len(found)))
        tasks.remove("count")
    if len(found) > options.most and tasks:
        parts = _quarters(window)
        if not parts:
            sheet.maker.drop("det", f"more than {options.most} regions in the smallest window")
        for part in parts:
            some = [seen for seen in cutter.seen(part) if seen.thing.label == label]
            if some:
                yield from _of_class(sheet, cutter, part, label, some, may_count=False)
        return
    if "det" in tasks:
        regions = in_reading_order([oriented(seen, window) for seen in found])
        yield from sheet.make("det", label, window, phrase=label, regions=regions)
    if "res" in tasks:
        yield from _segmented(sheet, window, label, found)


def _is_in_doubt(sheet: Sheet, found: Sequence[Seen], task: str) -> bool:
    """Whether a window shows too many objects in part for its record to be told.

    A number is either right or wrong, so none may be in doubt; of regions a few may be, and are told by what is shown.
    """
    options, doubtful = sheet.maker.options, sum(not seen.is_shown for seen in found)
    if options.doubtful == "keep" or not doubtful:
        return False
    return options.doubtful == "drop" or task == "count" or doubtful > FEW * len(found)


def _segmented(sheet: Sheet, window: XYXY, label: str, found: Sequence[Seen]) -> Iterator[Instruction]:
    if not all(has_outline(sheet, seen) for seen in found):
        sheet.maker.drop("res", "object without outline among others that have one")
        return
    count = sheet.maker.options.key_points
    try:
        regions = in_reading_order([boxed_with_points(seen, window, count) for seen in found])
    except NotTold as error:
        sheet.maker.drop("res", str(error))
        return
    yield from sheet.make("res", label, window, phrase=label, regions=regions)


def has_outline(sheet: Sheet, seen: Seen) -> bool:
    """Whether more is known of it than a box: pixels, or a polygon that follows the object."""
    drawn = seen.thing.polygon_px is not None and sheet.maker.name in OUTLINED
    return drawn or (seen.mask is not None and seen.mask.area_px > 0)


def _once(sheet: Sheet, found: Sequence[Seen]) -> list[Seen]:
    """Things that are annotated twice in one place, once."""
    kept = {seen.whole_corners.round(2).tobytes(): seen for seen in reversed(found)}
    if len(kept) < len(found):
        sheet.maker.drop("object", "annotated twice", len(found) - len(kept))
    return list(reversed(kept.values()))


def _quarters(window: XYXY) -> list[XYXY]:
    parts = quarters(window)
    side = min(min(x1 - x0, y1 - y0) for x0, y0, x1, y1 in parts)
    return parts if side >= _LEAST_SIDE else []


# ---- land cover -------------------------------------------------------------------------------------------------


def of_regions(sheet: Sheet) -> Iterator[Instruction]:
    """Segmentation of land cover: each connected patch of a class is a region."""
    record, maker = sheet.record, sheet.maker
    if not record.regions or not maker.wants("res") or not record.is_exhaustive:
        return
    for window in sheet.windows():
        x0, y0, x1, y1 = window
        if _unknown_px(record, window) > UNKNOWN * (x1 - x0) * (y1 - y0):
            maker.drop("res", "window that is not annotated in full")
            continue
        masks = {label: mask_in(record.regions[label], window) for label in record.classes if label in record.regions}
        made, absent = 0, [label for label in record.classes if label not in masks or not masks[label].area_px]
        for label, mask in masks.items():
            for one in _patched(sheet, window, label, mask):
                made += 1
                yield one
        for label in sheet.absent("res", made, absent, window):
            yield from sheet.make("res", label, window, phrase=label)


def _patched(sheet: Sheet, window: XYXY, label: str, mask: Mask) -> Iterator[Instruction]:
    found, specks = patches(mask)
    if specks:
        sheet.maker.drop("speck", "patch of a mask below 16 px", specks)
    if not found:
        return
    if len(found) > sheet.maker.options.most:
        parts = _quarters(window)
        if not parts:
            sheet.maker.drop("res", f"more than {sheet.maker.options.most} regions in the smallest window")
        for part in parts:
            yield from _patched(sheet, part, label, mask_in(sheet.record.regions[label], part))
        return
    count = sheet.maker.options.key_points
    regions = in_reading_order([box_of_mask(each, count, label) for each in found])
    yield from sheet.make("res", label, window, phrase=label, regions=regions)


def _unknown_px(record: Record, window: XYXY) -> int:
    return 0 if record.ignored is None else mask_in(record.ignored, window).area_px


# ---- change -----------------------------------------------------------------------------------------------------


def of_change(sheet: Sheet) -> Iterator[Instruction]:
    """Change as closed polygons. A window shows a part of what changed, and that part is all it is asked for."""
    record, maker = sheet.record, sheet.maker
    if record.after is None or not record.changed or not maker.wants("rcd"):
        return
    for window in sheet.windows():
        if _unknown_px(record, window):
            maker.drop("rcd", "window with pixels that are not annotated", len(record.changed))
            continue
        masks = {label: mask_in(mask, window) for label, mask in record.changed.items()}
        made = 0
        for label, mask in masks.items():
            if mask.area_px:
                for one in _changed(sheet, window, label, mask):
                    made += 1
                    yield one
        absent = [label for label, mask in masks.items() if not mask.area_px]
        for label in sheet.absent("rcd", made, absent, window):
            yield from sheet.make("rcd", label, window, phrase=change_phrase(label))


def change_phrase(label: str) -> str:
    """What is asked for: "Outline every ... that changed".

    Example:
        >>> change_phrase("building"), change_phrase("any"), change_phrase("minor damage"), change_phrase("destroyed")
        ('building', 'area', 'building with minor damage', 'destroyed building')
    """
    if label == "any":
        return "area"
    if label.endswith("damage"):
        return f"building with {label}"
    return "destroyed building" if label == "destroyed" else label


def _changed(sheet: Sheet, window: XYXY, label: str, mask: Mask) -> Iterator[Instruction]:
    options, phrase = sheet.maker.options, change_phrase(label)
    regions: tuple[Marked, ...] = ()
    try:
        told = outlined(mask, phrase if label != "any" else "", options.holes, options.epsilon_px)
        regions = in_reading_order(told.regions)
        reason = None
        if len(regions) > options.most or told.points > 4 * options.most:
            reason = f"more than {options.most} polygons or {4 * options.most} points in the smallest window"
    except NotTold as error:
        if not error.is_fine:
            sheet.maker.drop("rcd", str(error))
            return
        reason = str(error)
    if reason is None:
        if regions:
            yield from sheet.make("rcd", label, window, phrase=phrase, regions=regions)
        else:
            sheet.maker.drop("rcd", "nothing but specks")
        return
    parts = _quarters(window)
    if not parts:
        sheet.maker.drop("rcd", reason)
    for part in parts:
        inner = mask_in(sheet.record.changed[label], part)
        if inner.area_px:
            yield from _changed(sheet, part, label, inner)
