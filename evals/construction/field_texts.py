"""VQA, CAPTION, SCENE and GCG items: what a dataset says of an image."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ..bench.items import FieldItem
from ..datasets.reading import leave_out
from ..datasets.record import Record, Said
from ..datasets.vrsbench import SOURCE as VRSBENCH
from ..datasets.vrsbench import scored_type
from ..scores.vqa import ROTATIONS
from .field_making import Making


def vqa_items(making: Making, record: Record) -> Iterator[FieldItem]:
    """Questions with their answers."""
    rotations = Counter(_rotation_of(record, said) for said in record.said)
    for said in record.said:
        if said.kind != "question":
            continue
        if not said.text.strip() or not (said.answer or "").strip():
            leave_out(making.tally, "question without text or answer")
            continue
        type = scored_type(said.type) if record.source.name == VRSBENCH.name else said.type
        group = _rotation_of(record, said)
        tags = ["circular", f"{ROTATIONS}{rotations[group]}"] if group else []
        yield making.field(
            record, said.id, tags, text=said.text, type=type, answers=(str(said.answer).strip(),), group=group
        )


def _rotation_of(record: Record, said: Said) -> str | None:
    """FIT-RSRC: the question of which this is one order of the options ("ID", "ID#2", "ID#3")."""
    if record.source.name != "FIT-RS" or "rsrc" not in record.id.lower():
        return None
    return re.sub(r"#\d+$", "", said.id)


def caption_items(making: Making, record: Record) -> Iterator[FieldItem]:
    """One item with all captions of the image; none without any."""
    captions = [said for said in record.said if said.kind == "caption" and said.text.strip()]
    if captions:
        types = list(dict.fromkeys(said.type for said in captions if said.type))
        type = types[0] if len(types) == 1 else ""
        yield making.field(record, "caption", type=type, answers=tuple(said.text.strip() for said in captions))


def scene_items(making: Making, record: Record) -> Iterator[FieldItem]:
    """The class of the scene. The classes to choose from are gathered in `making.classes`."""
    for said in record.said:
        if said.kind == "scene" and (said.answer or "").strip():
            answer = str(said.answer).strip()
            making.classes.setdefault(record.family.partition(":")[0], {})[answer] = None
            yield making.field(record, said.id, answers=(answer,))


def gcg_items(making: Making, record: Record) -> Iterator[FieldItem]:
    """Captions whose phrases all have masks."""
    things = {thing.id: thing for thing in record.things}
    for said in record.said:
        named = [things[id] for id in said.things if id in things] if said.kind == "caption" else []
        masks = [thing.mask for thing in named if thing.mask is not None]
        if not masks:
            continue
        if len(masks) < len(named):
            leave_out(making.tally, "caption with phrases without masks")
            continue
        if not making.fits(record, *masks):
            continue
        yield making.field(
            record,
            said.id,
            text="",
            answers=(said.text,),
            phrases=tuple(thing.label for thing in named),  # without running numbers
            masks=tuple(mask.to_rle() for mask in masks),
        )
