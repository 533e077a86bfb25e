"""Items of the tasks that the field publishes, from the records of any dataset reader.

What a record says decides what can be asked of it: an expression makes a REC or RES item, a question with its answer a
VQA item, captions a CAPTION item (GCG where its phrases have masks), a class of scene a SCENE item. Plain change
detection needs no type of its own: it is the RCD item "segment all changed buildings" on a whole pair.

Nothing is improved on the way. Expressions that fit several things are asked as they stand, with the tag "ambiguous",
so that figures can be compared with published ones and read without these items, too.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import __version__
from ...core.conditions import Output, Request, Selection
from ...core.errors import UsageError
from ...core.masks import Mask
from ...core.wording import words
from ..bench.items import (
    FIELD_TASKS,
    AnyItem,
    FieldItem,
    Header,
    Image,
    Item,
    Made,
    Truth,
    header_line,
    item_line,
)
from ..datasets.reading import fresh_id, image_size, leave_out
from ..datasets.record import Record, Said, Tally, Thing
from ..datasets.vrsbench import SOURCE as VRSBENCH
from ..datasets.vrsbench import scored_type
from ..scores.vqa import ROTATIONS
from .rcd_components import changed_objects
from .rcd_views import label_of

TASKS = (*FIELD_TASKS, "CHANGE")
VERSION = 1
_SAME_SHAPE = 0.02  # DIOR's files of 800 x 800 px are 787 to 801 px high
_NEEDS = {
    "REC": "expressions with boxes",
    "RES": "expressions with masks, or maps of classes",
    "GCG": "captions whose phrases have masks",
    "VQA": "questions with answers",
    "CAPTION": "captions",
    "SCENE": "classes of scenes",
    "CHANGE": "pairs with masks of what changed",
}


def field_items(
    records: Iterable[Record],
    task: str,
    *,
    n: int | None = None,
    root: str | Path | None = None,
    command: str | None = None,
    disjoint: Mapping[str, Collection[str]] | None = None,
    tally: Tally | None = None,
) -> tuple[Header, list[AnyItem]]:
    """Items of one of the field's tasks, in the order of the records.

    Args:
        records: of any reader.
        task: "REC", "RES", "GCG", "VQA", "CAPTION", "SCENE"; or "CHANGE", whose items are of task RCD.
        n: only the first so many; None for all.
        root: folder that image paths become relative to.
        command: how this was called, for the header.
        disjoint: dataset -> ids of the records that a protocol without shared images keeps (DIOR-RSVG); its items get
            the tag "image-disjoint" or "image-shared".
        tally: what the reader left out; what is left out here is counted in it, too, and stands in the header.

    Returns:
        The header and the items.

    Raises:
        UsageError: no such task, or no item of it in the records.

    Example:
        >>> from surveyor.evals.datasets.record import Source
        >>> said = Said("q1", "question", "Is there a ship?", "yes", type="presence")
        >>> record = Record("a", Path("a.png"), (8, 6), "demo:a", Source("demo", "none"), said=(said,))
        >>> header, items = field_items([record], "VQA")
        >>> items[0].text, items[0].answers
        ('Is there a ship?', ('yes',))
    """
    making = _Making(task, n, root, disjoint, tally)
    items = list(making.items(records))
    header = making.header(len(items), command)
    if header.options:
        items = [item.model_copy(update={"options": header.options[item.kind]}) for item in items]  # type: ignore[union-attr]
    return header, items


def write_field_items(path: str | Path, records: Iterable[Record], task: str, **more: Any) -> Header:
    """Writes the file of `field_items` and hands back its header; holds one record at a time.

    Args:
        path: the file; it is there as a whole or not at all.
        records: of any reader.
        task: as in `field_items`.
        **more: `n`, `root`, `command`, `disjoint`, `tally` as in `field_items`.

    Raises:
        UsageError: as `field_items`.
    """
    out = Path(path)
    command = more.pop("command", None)
    making = _Making(task, **({"n": None, "root": None, "disjoint": None, "tally": None} | more))
    body, whole = (out.with_name(f"{out.name}.{end}") for end in ("body", "new"))
    try:
        count = 0
        with body.open("w", encoding="utf-8") as file:
            for item in making.items(records):
                file.write(item_line(item))
                count += 1
        header = making.header(count, command)
        with whole.open("wb") as file_of_all, body.open("rb") as rest:
            file_of_all.write(header_line(header).encode())
            shutil.copyfileobj(rest, file_of_all)
        whole.replace(out)
    finally:
        body.unlink(missing_ok=True)
        whole.unlink(missing_ok=True)
    return header


class _Making:
    """One build: what it has seen so far."""

    def __init__(
        self,
        task: str,
        n: int | None,
        root: str | Path | None,
        disjoint: Mapping[str, Collection[str]] | None,
        tally: Tally | None,
    ) -> None:
        if task not in TASKS:
            raise UsageError(f"the task is {task!r}, expected one of: {', '.join(TASKS)}")
        if n is not None and n < 1:
            raise UsageError(f"n is {n!r}, expected 1 or more; leave it out for all items")
        self.task, self.n, self.disjoint = task, n, disjoint or {}
        self.root = None if root is None else Path(root)
        self.tally: Tally = Counter() if tally is None else tally
        self.sources: dict[str, str] = {}
        self.classes: dict[str, dict[str, None]] = {}
        self._ids: set[str] = set()

    def items(self, records: Iterable[Record]) -> Iterator[AnyItem]:
        """The items; of scenes all records are read, since all classes are to choose from."""
        made = 0
        make = _MAKERS[self.task]
        for record in records:
            for item in make(self, record):
                if self.n is None or made < self.n:
                    made += 1
                    self.sources[record.source.name] = record.source.licence
                    yield item
            if made == self.n and self.task != "SCENE":
                return

    def header(self, count: int, command: str | None) -> Header:
        """The header of that many items. Raises UsageError for none."""
        if not count:
            told = ", ".join(f"{reason} ({times})" for reason, times in self.tally.items()) or "there are no such records"  # fmt: skip  # noqa: E501
            raise UsageError(f"no {self.task} item can be made: {told}; it takes {_NEEDS[self.task]}")
        return Header(
            task="RCD" if self.task == "CHANGE" else self.task,  # type: ignore[arg-type]
            command=command or f"field_items(task={self.task!r}, n={self.n})",
            seed=0,
            sources=self.sources,
            admitted=count,
            rejected=dict(sorted(self.tally.items())),
            surveyor=__version__,
            options={kind: tuple(sorted(names)) for kind, names in self.classes.items()},
        )

    def id(self, record: Record, name: str) -> str:
        """A fresh id of the file."""
        found = fresh_id(f"{record.id}/{name}", self._ids)
        self._ids.add(found)
        return found

    def field(self, record: Record, name: str, tags: Sequence[str] = (), **fields: Any) -> FieldItem:
        """An item of a record; `name` tells it from the record's others."""
        image, other = self.image(record)
        type = fields.get("type", "")
        told = [
            *tags,
            *([f"split:{record.split}"] if record.split else []),
            *([f"type:{type}"] if type else []),
            *other,
        ]
        if (apart := self.disjoint.get(record.source.name)) is not None:
            told.append("image-disjoint" if record.id in apart else "image-shared")
        return FieldItem(
            id=self.id(record, name),
            task=self.task,  # type: ignore[arg-type]
            image=image,
            after=self.later(record, image),
            split=record.split,
            tags=tuple(dict.fromkeys(told)),
            **fields,
        )

    def image(self, record: Record) -> tuple[Image, list[str]]:
        """The image, of the size that its file has, and tags of what is odd about it."""
        size, tags = record.size_wh, list[str]()
        if record.image.is_file() or size is None:
            size = image_size(record.image)
            if record.size_wh not in (None, size):
                tags.append("another size than annotated")
        else:
            tags.append("no image")
        return self._image(record, record.image, size), tags

    def scale(self, record: Record) -> tuple[float, float] | None:
        """What the record's coordinates are to be multiplied by to be px of the file: it may have been resized.

        None where its sides have grown unlike: then it was cut, and nothing tells where.
        """
        width, height = self.image(record)[0].size_wh
        if record.size_wh is None:
            return 1.0, 1.0
        x, y = width / record.size_wh[0], height / record.size_wh[1]
        return (x, y) if abs(x / y - 1) <= _SAME_SHAPE else None

    def fits(self, record: Record, *masks: Mask) -> bool:
        """Whether the masks are as large as the image's file; says why the item is left out where they are not."""
        width, height = self.image(record)[0].size_wh
        if all(mask.shape_hw == (height, width) for mask in masks):
            return True
        leave_out(self.tally, "mask of another size than its image")
        return False

    def later(self, record: Record, image: Image) -> Image | None:
        """The later image of a pair."""
        return None if record.after is None else self._image(record, record.after, image.size_wh)

    def _image(self, record: Record, path: Path, size_wh: tuple[int, int]) -> Image:
        inside = self.root is not None and path.is_relative_to(self.root)
        return Image(
            path=path.relative_to(self.root).as_posix() if inside and self.root is not None else str(path),
            size_wh=size_wh,
            family=record.family,
            gsd_m=record.gsd_m,
            source=record.source.name,
        )


# ---- expressions ------------------------------------------------------------------------------------------------


def _rec(making: _Making, record: Record) -> Iterator[AnyItem]:
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


def _res(making: _Making, record: Record) -> Iterator[AnyItem]:
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
    making: _Making, record: Record, name: str, text: str, mask: Mask, tags: Sequence[str], named: Sequence[Thing]
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


def _expressions(making: _Making, record: Record) -> Iterator[tuple[Said, list[Thing], list[str]]]:
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


# ---- texts ------------------------------------------------------------------------------------------------------


def _vqa(making: _Making, record: Record) -> Iterator[AnyItem]:
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


def _caption(making: _Making, record: Record) -> Iterator[AnyItem]:
    captions = [said for said in record.said if said.kind == "caption" and said.text.strip()]
    if captions:
        types = list(dict.fromkeys(said.type for said in captions if said.type))
        type = types[0] if len(types) == 1 else ""
        yield making.field(record, "caption", type=type, answers=tuple(said.text.strip() for said in captions))


def _scene(making: _Making, record: Record) -> Iterator[AnyItem]:
    for said in record.said:
        if said.kind == "scene" and (said.answer or "").strip():
            answer = str(said.answer).strip()
            making.classes.setdefault(record.family.partition(":")[0], {})[answer] = None
            yield making.field(record, said.id, answers=(answer,))


def _gcg(making: _Making, record: Record) -> Iterator[AnyItem]:
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


# ---- change -----------------------------------------------------------------------------------------------------


def _change(making: _Making, record: Record) -> Iterator[AnyItem]:
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


_MAKERS: dict[str, Callable[[_Making, Record], Iterator[AnyItem]]] = {
    "REC": _rec,
    "RES": _res,
    "GCG": _gcg,
    "VQA": _vqa,
    "CAPTION": _caption,
    "SCENE": _scene,
    "CHANGE": _change,
}
