"""An item as a picture that a person judges at a glance: what is right, what is wrong, what the words refer to.

Colours differ by 30 CIELAB units or more for every pair, also for people with protanopia, deuteranopia or tritanopia
(Machado, Oliveira and Fernandes 2009, at full strength); line width and dashes say the same a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ...agent.drawing import INK, Colour, Points
from ...agent.overlay import REJECTED, Entry, legend_strip
from ...core.errors import UsageError
from ...core.geometry import box_to_corners
from ...core.masks import Mask
from ..bench.items import AnyItem, FieldItem, Item, Truth
from ..bench.predict import open_image
from ..bench.predictions import Predicted, Prediction
from .item_roles import Compared, Roles, compared, roles
from .view import SIDE_PX, View, side_by_side

# BGR, as in agent/drawing.py
RIGHT: Colour = (200, 250, 64)
WRONG: Colour = (100, 178, 255)
REFERENCE: Colour = (215, 150, 70)
HIT: Colour = (245, 60, 165)
FALSE: Colour = (20, 30, 215)
MISSED: Colour = (40, 252, 250)
IGNORED: Colour = REJECTED
"""Drawn as dashes, as `overlay.DASHES` says."""

_LEAST_SIDE_PX, _MOST_SIDE_PX = 96, 4096
_MOST_TAGS = 12
_DIM = 0.4


def item_picture(
    item: AnyItem, root: str | Path, prediction: Prediction | None = None, *, side_px: int = SIDE_PX
) -> NDArray[np.uint8]:
    """The picture of an item, RGB.

    Args:
        item: of any task; those without objects are drawn as their image.
        root: folder that the images' paths are relative to.
        prediction: an answer to it, drawn over the truth: hits, false ones and what was missed.
        side_px: longest side of the scene in the picture; smaller scenes are enlarged.

    Returns:
        (H, W, 3) uint8: the scene (RCD: the earlier and the later one side by side) with a legend below it.

    Raises:
        UsageError: no such image, or another one than the item was made for; a side that is too small or large.
    """
    if not _LEAST_SIDE_PX <= side_px <= _MOST_SIDE_PX:
        raise UsageError(f"side_px is {side_px!r}, expected {_LEAST_SIDE_PX} to {_MOST_SIDE_PX}")
    views = [View(open_image(item.image, root), side_px)]
    if item.after is not None:
        views.append(View(open_image(item.after, root), side_px))
    if isinstance(item, FieldItem):
        entries = _draw_field(views[0], item, prediction)
    elif item.task == "RCD":
        entries = _draw_change(views, item, prediction)
    else:
        entries = _draw_objects(views[0], item, prediction)
        entries += _shade(views[0], item, prediction) if item.task == "CRES" else []
    if prediction is not None and prediction.status != "answered":
        entries.append((INK, f"no answer: {prediction.status}"))
    if len(views) == 2:
        for view, name in zip(views, ("before", "after"), strict=True):
            view.name(name)
    for view in views:
        view.finish()
    joined = side_by_side([view.picture for view in views])
    legend = legend_strip(entries or [(INK, "asked in words alone")], joined.shape[1], views[0].letters, None)
    return np.ascontiguousarray(np.vstack([joined, legend])[..., ::-1])


# ---- CREC and CRES --------------------------------------------------------------------------------------------


def _draw_objects(view: View, item: Item, prediction: Prediction | None) -> list[Entry]:
    """Outlines of all that play a part, and those of the prediction; returns what the legend says."""
    parts = roles(item, view.scene)
    by_id = {each.id: each for each in item.objects}
    masks = item.task == "CRES"
    against = None if prediction is None or masks else compared(item, prediction)
    for name in parts.ignored:
        view.line(_rings(by_id[name], masks), IGNORED, 1, dash=3)
    for name in parts.beside:
        view.line(_rings(by_id[name], masks), REFERENCE, 1)
    for name in parts.wrong:
        view.line(_rings(by_id[name], masks), WRONG, 1, over=1)
    for name in parts.right:
        missed = against is not None and name in against.missed
        view.line(_rings(by_id[name], masks), MISSED if missed else RIGHT, 2, over=3)
        view.keep_clear(_rings(by_id[name], masks))
    _mark_references(view, parts, [by_id[name] for name in parts.referred], masks)
    entries: list[Entry] = [(RIGHT, f"{len(parts.right)} right")] if parts.right else [(INK, "nothing is right")]
    entries += [(WRONG, f"{len(parts.wrong)} wrong")] if parts.wrong else []
    told = dict.fromkeys(by_id[name].label for name in parts.referred)
    also = [label for label in dict.fromkeys(by_id[name].label for name in parts.beside) if label not in told]
    entries += [(REFERENCE, f"referred to: {', '.join(told)}")] if told else []
    entries += [(REFERENCE, f"also there: {', '.join(also)}")] if also else []
    entries += [(IGNORED, f"{len(parts.ignored)} ignored")] if parts.ignored else []
    if against is not None and prediction is not None:
        entries += _draw_regions(view, prediction.regions, against)
    return entries


def _mark_references(view: View, parts: Roles, referred: Sequence[Truth], masks: bool) -> None:
    """What the words single out: bold and named; one that is right or wrong as well gets a wider frame round it."""
    judged = {*parts.right, *parts.wrong, *parts.ignored}
    for each in referred:
        if each.id in judged:
            margin = 4 * view.unit / view.scale
            x0, y0, x1, y1 = each.hbb
            frame = np.array([x0 - margin[0], y0 - margin[1], x1 + margin[0], y1 + margin[1]])
            view.line([box_to_corners(frame)], REFERENCE, 2, over=2)
        else:
            view.line(_rings(each, masks), REFERENCE, 2, over=2)
        if len(referred) <= _MOST_TAGS:
            view.tag(each.label, REFERENCE, each.hbb)


def _draw_regions(view: View, regions: Sequence[Predicted], against: Compared) -> list[Entry]:
    """The predicted boxes; returns what the legend says of them."""
    for places, colour in ((against.hits, HIT), (against.false, FALSE), (against.uncounted, IGNORED)):
        for place in places:
            rings = _rings(regions[place], False)
            view.line(rings, colour, 1.5 if colour == HIT else 2, dash=4 * (colour == IGNORED), over=4)
            if colour == FALSE:
                view.line([_crossed(rings[0])], FALSE, 1, over=4)
    entries: list[Entry] = [(HIT, f"{len(against.hits)} found")] if against.hits else []
    entries += [(FALSE, f"{len(against.false)} found wrongly")] if against.false else []
    entries += [(MISSED, f"{len(against.missed)} missed")] if against.missed else []
    return entries + ([(INK, f"{len(against.uncounted)} found, not counted")] if against.uncounted else [])


def _crossed(ring: Points) -> Points:
    """A diagonal of a box: a line there and back."""
    return ring[[0, len(ring) // 2]]


def _rings(thing: Truth | Predicted, masks: bool) -> list[Points]:
    """The outline of an object, px of the scene: of its mask where masks are asked for, else its oriented box."""
    if masks and thing.rle is not None:
        polygons = Mask.from_rle(thing.rle).to_polygons()
        rings = [shapely.get_coordinates(ring)[:-1] for p in polygons for ring in (p.exterior, *p.interiors)]
        if rings:
            return rings
    if thing.obb is not None:
        return [np.nan_to_num(thing.obb, posinf=0, neginf=0)]
    return [box_to_corners(np.nan_to_num(thing.hbb, posinf=0, neginf=0))]


# ---- pixels ---------------------------------------------------------------------------------------------------


def _shade(view: View, item: Item, prediction: Prediction | None) -> list[Entry]:
    """The pixels that are right; with a prediction those found, found wrongly and missed."""
    truth = _union((each.rle for each in item.answers), view.scene.shape_hw)
    if prediction is None:
        view.tint(truth, RIGHT)
        return []
    return _shade_pixels(view, truth, prediction)


def _shade_pixels(view: View, truth: Mask, prediction: Prediction) -> list[Entry]:
    """Shades what was found, found wrongly and missed; returns what the legend says."""
    if prediction.status != "answered":
        given = _union((), view.scene.shape_hw)
    elif prediction.mask_rle is not None:
        given = _union([prediction.mask_rle], view.scene.shape_hw)
    else:
        given = _union((each.rle for each in prediction.regions), view.scene.shape_hw)
    wanted, found = truth.to_array(), given.to_array()
    entries: list[Entry] = []
    for pixels, colour, name in (
        (wanted & found, HIT, "found"),
        (found & ~wanted, FALSE, "found wrongly"),
        (wanted & ~found, MISSED, "missed"),
    ):
        count = int(pixels.sum())
        if count:
            view.tint(Mask.from_array(pixels), colour, 0.5)
            entries.append((colour, f"{count:,} px {name}"))
    without = sum(each.rle is None for each in prediction.regions)
    if prediction.mask_rle is None and without:
        for each in prediction.regions:
            if each.rle is None:
                view.line(_rings(each, False), FALSE, 2, over=4)
        entries.append((INK, f"{without} answered without a mask"))
    return entries


def _union(rles: Iterable[Mapping[str, Any] | None], shape_hw: tuple[int, int]) -> Mask:
    """The pixels of any of the masks; one of another size than the scene belongs to nothing in it and is left out."""
    total = np.zeros(shape_hw, dtype=bool)
    for rle in rles:
        if rle:
            pixels = Mask.from_rle(rle).to_array()
            if pixels.shape == shape_hw:
                total |= pixels
    return Mask.from_array(total)


# ---- RCD ------------------------------------------------------------------------------------------------------


def _draw_change(views: Sequence[View], item: Item, prediction: Prediction | None) -> list[Entry]:
    """Changed pixels that are asked for, the rest of the change thinly, and the asked region on both scenes."""
    last = views[-1]
    truth = _union([item.answer_rle], last.scene.shape_hw)
    parts, by_id = roles(item), {each.id: each for each in item.objects}
    others = (*parts.wrong, *parts.beside)
    asked = None if item.asked_rle is None else Mask.from_rle(item.asked_rle)
    for view in views:
        for name in parts.ignored:
            view.line(_rings(by_id[name], True), IGNORED, 1, dash=3)
        for name in others:
            view.line(_rings(by_id[name], True), WRONG, 1, over=1)
        view.line(_mask_rings(truth), RIGHT, 1.5, over=2)
        view.keep_clear(_mask_rings(truth))
        if asked is not None:
            view.line(_mask_rings(asked), REFERENCE, 2, over=3)
            view.tint(Mask.from_array(~asked.to_array()), INK, _DIM)
    _mark_references(last, parts, [by_id[name] for name in parts.referred], True)
    entries: list[Entry] = [(RIGHT, "asked for")] if truth.area_px else [(INK, "nothing is right")]
    entries += [(WRONG, f"{len(others)} other change{'s' * (len(others) != 1)}")] if others else []
    entries += [(IGNORED, f"{len(parts.ignored)} ignored")] if parts.ignored else []
    entries += [(REFERENCE, "where it is asked")] if asked is not None else []
    entries += [(REFERENCE, "named: referred to")] if parts.referred else []
    if prediction is None:
        last.tint(truth, RIGHT)
        return entries
    return entries + _shade_pixels(last, truth, prediction)


def _mask_rings(mask: Mask) -> list[Points]:
    return [shapely.get_coordinates(ring)[:-1] for p in mask.to_polygons() for ring in (p.exterior, *p.interiors)]


# ---- the field's tasks ----------------------------------------------------------------------------------------


def _draw_field(view: View, item: FieldItem, prediction: Prediction | None) -> list[Entry]:
    """The box, the mask or the masks of phrases that an item has; texts alone leave the image as it is."""
    shape = view.scene.shape_hw
    if item.task == "REC":
        against = None if prediction is None else compared(item, prediction)
        for each in item.objects:
            missed = against is not None and each.id in against.missed
            view.line(_rings(each, False), MISSED if missed else RIGHT, 2, over=3)
        entries: list[Entry] = [(RIGHT, f"{len(item.objects)} right")]
        return entries + (_draw_regions(view, prediction.regions, against) if against and prediction else [])
    if item.task not in ("RES", "GCG"):
        return []
    if item.ignored_rle is not None:
        for ring in _mask_rings(_union([item.ignored_rle], shape)):
            view.line([ring], IGNORED, 1, dash=3)
    truth = _union([item.rle, *item.masks], shape)
    view.line(_mask_rings(truth), RIGHT, 1.5, over=2)
    view.keep_clear(_mask_rings(truth))
    for phrase, rle in zip(item.phrases, item.masks, strict=False):
        box = Mask.from_rle(rle).box_px
        if box is not None and len(item.phrases) <= _MOST_TAGS:
            view.tag(phrase, RIGHT, box.tolist())
    entries = [(RIGHT, "right")] if truth.area_px else [(INK, "nothing is right")]
    entries += [(IGNORED, "not annotated")] if item.ignored_rle is not None else []
    if prediction is None:
        view.tint(truth, RIGHT)
        return entries
    return entries + _shade_pixels(view, truth, prediction)
