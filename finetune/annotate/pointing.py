"""A description whose phrases have masks as one whose phrases are followed by points (`gcg`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ...evals.datasets.geopixeld import without_number
from ...tools.models.grounded import is_tagged
from ..convert.shapes import box_of_mask
from ..records.points import as_xy, in_reading_order
from ..records.record import Marked
from .annotate import Annotated
from .views import Item, View
from .words import EXACT

MOST_REGIONS = 50
"""A caption that points at more is not made: about what a reply can hold."""
KEY_POINTS = 3
_TAGGED = re.compile(r"<p> (.*?) </p> \[SEG\]")


@dataclass(frozen=True)
class Pointing:
    """What a `gcg` record holds beside its picture, named as there (`counts` is its `grounded`, `kind` its `asked`)."""

    reply: str
    regions: tuple[Marked, ...]
    counts: tuple[int, ...]
    kind: Literal["obb", "keypoints"]


def pointing_caption(view: View, made: Annotated) -> Pointing | None:
    """The description with the regions of its phrases; None where none points, or too much is pointed at.

    Boxes with key points where all objects are drawn, else oriented boxes. More objects than words tell exactly
    ("about 40 ships") are not pointed at one by one: that phrase is plain words.
    """
    named = [phrase for phrase in made.phrases if len(phrase.members) <= EXACT]
    items = [[view.items[index] for index in phrase.members] for phrase in named]
    every = [item for some in items for item in some]
    if not every or len(every) > MOST_REGIONS:
        return None
    shown = {phrase.marked.lower() for phrase in named}

    def told(match: re.Match[str]) -> str:
        words = without_number(match[1])
        return f"<p>{words}</p>" if match[1].lower() in shown else words

    reply = _TAGGED.sub(told, made.text)
    if not is_tagged(reply):
        return None
    is_drawn = all(item.shape in ("outline", "pixels") for item in every)
    groups = [in_reading_order([_boxed(item) if is_drawn else oriented(item) for item in some]) for some in items]
    regions = tuple(region for group in groups for region in group)
    return Pointing(reply, regions, tuple(map(len, groups)), "keypoints" if is_drawn else "obb")


def oriented(item: Item) -> Marked:
    """Its oriented box, with its pixels where they were annotated."""
    rle = item.mask.to_rle() if item.shape == "pixels" else None
    points = as_xy(item.corners_px)
    return Marked(kind="obb", points=points, rle=rle, label=item.label, is_upright=item.shape == "box")


def _boxed(item: Item) -> Marked:
    return box_of_mask(item.mask, KEY_POINTS, item.label)
