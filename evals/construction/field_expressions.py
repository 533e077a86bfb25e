"""REC and RES items: expressions as they stand, with the boxes or pixels that they name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...core.masks import Mask
from ..bench.items import FieldItem, Truth
from ..datasets.reading import leave_out
from ..datasets.record import Record, Said, Thing
from .field_making import Making


def rec_items(making: Making, record: Record) -> Iterator[FieldItem]:
    """Expressions with the boxes of what they name, scaled to the file; those without a box are counted."""
    for said, named, tags in _expressions(making, record):
        if not named:
            leave_out(making.tally, "expression without a box")
            continue
        if (scale := making.scale(record)) is None:
            leave_out(making.tally, "image of another shape than annotated")
            continue
        yield making.field(
            record,
            said.id,
            [*tags, *_of_one(named)],
            text=said.text,
            objects=tuple(_truth(thing, scale) for thing in named),
            is_unique=_is_unique(named),
        )


def res_items(making: Making, record: Record) -> Iterator[FieldItem]:
    """Expressions with their pixels; of land cover, where nothing is said, each class that the image shows."""
    asked = False
    for said, named, tags in _expressions(making, record):
        asked = True
        masks = [thing.mask for thing in named if thing.mask is not None]
        if said.mask is None and (not masks or len(masks) < len(named)):
            leave_out(making.tally, "expression without a mask")
            continue
        mask = said.mask if said.mask is not None else _union(masks)
        yield from _masked(making, record, said.id, said.text, mask, (*tags, *_of_one(named)), named)
    if asked:
        return
    for label, mask in sorted(record.regions.items()):  # land cover: a class is the expression
        if label in record.classes and mask.area_px:
            yield from _masked(making, record, label.replace(" ", "_"), label, mask, ("class", f"class:{label}"), ())


def _masked(
    making: Making, record: Record, name: str, text: str, mask: Mask, tags: Sequence[str], named: Sequence[Thing]
) -> Iterator[FieldItem]:
    if not making.fits(record, mask):
        return
    yield making.field(
        record,
        name,
        tags,
        text=text,
        rle=mask.to_rle(),
        ignored_rle=None if record.ignored is None else record.ignored.to_rle(),
        objects=tuple(_truth(thing) for thing in named),
    )


def _expressions(making: Making, record: Record) -> Iterator[tuple[Said, list[Thing], list[str]]]:
    """Each expression with the things it names and tags: "ambiguous" where others of the image say the same."""
    things = {thing.id: thing for thing in record.things}
    said = [one for one in record.said if one.kind == "refer"]
    meant: dict[str, set[Any]] = {}
    for one in said:
        meant.setdefault(_same(one.text), set()).add(one.things or one.id)
    for one in said:
        if not one.text.strip():
            leave_out(making.tally, "expression without words")
            continue
        named = [things[id] for id in one.things if id in things]
        shared = any("same_expression" in thing.attributes for thing in named)  # also with things of another split
        tags = ["ambiguous"] if shared or len(meant[_same(one.text)]) > 1 else []
        yield one, named, tags + [f"size:{size}" for thing in named[:1] if (size := thing.attributes.get("size_group"))]


def _same(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".")


def _of_one(named: Sequence[Thing]) -> list[str]:
    unique = _is_unique(named)
    tags = [f"boxes:{len(named)}"] if len(named) > 1 else []
    return tags if unique is None else [*tags, "unique" if unique else "not-unique"]


def _is_unique(named: Sequence[Thing]) -> bool | None:
    told = [str(thing.attributes[key]) for thing in named[:1] for key in ("is_unique", "unique") if key in thing.attributes]  # fmt: skip  # noqa: E501
    return told[0].lower() in ("true", "1") if told else None


def _truth(thing: Thing, scale: tuple[float, float] = (1.0, 1.0)) -> Truth:
    corners = None if thing.corners_px is None else thing.corners_px * np.array(scale)
    return Truth(
        id=thing.id,
        label=thing.label,
        hbb=tuple((thing.box_px * np.tile(scale, 2)).tolist()),
        obb=None if corners is None else tuple(tuple(corner) for corner in corners.tolist()),
    )


def _union(masks: Sequence[Mask]) -> Mask:
    total = masks[0]
    for mask in masks[1:]:
        total = total.union(mask)
    return total
