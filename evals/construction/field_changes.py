"""CHANGE items: RCD items that ask for all change of a class on a whole pair."""

from __future__ import annotations

from collections.abc import Iterator

from ...core.conditions import Output, Request, Selection
from ...core.wording import words
from ..bench.items import Item, Made
from ..datasets.reading import leave_out
from ..datasets.record import Record
from .field_making import Making
from .rcd_components import changed_objects
from .rcd_views import label_of

VERSION = 1


def change_items(making: Making, record: Record) -> Iterator[Item]:
    """For each class that the dataset tells, all change of it; without classes, change of any type."""
    if record.after is None or not record.changed:
        leave_out(making.tally, "no pair with masks of what changed")
        return
    if record.ignored is not None:
        leave_out(making.tally, "pair with pixels that are not annotated")
        return
    for label in [label for label in record.changed if label in record.classes] or ["any"]:
        mask = record.changed.get(label)
        if mask is None:
            leave_out(making.tally, "no pair with masks of what changed")
            continue
        if not making.fits(record, mask):
            continue
        phrase = label_of(label)
        request = Request(outputs=(Output(verb="segment", target=Selection(phrases=(phrase,))),))
        image, odd = making.image(record)
        parts = tuple(seen.truth for seen in changed_objects(phrase, mask.to_array()))  # small ones are right, too
        names = tuple(part.id for part in parts)
        yield Item(
            id=making.id(record, label.replace(" ", "_")),
            task="RCD",
            image=image,
            after=making.later(record, image),
            expression=words(request),
            request=request,
            objects=parts,
            answer_ids=names,
            universe_ids=names,
            answer_rle=mask.to_rle() if mask.area_px else None,
            tags=(f"class:{label}", *([f"split:{record.split}"] if record.split else []), "whole", *odd),
            made=Made(version=VERSION, seed=0, template="whole pair"),
        )
