"""What the makers of the field's items share: ids, images, what is left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.masks import Mask
from ..bench.items import FieldItem, Image
from ..datasets.reading import fresh_id, image_size, leave_out
from ..datasets.record import Record, Tally

_SAME_SHAPE = 0.02  # DIOR's files of 800 x 800 px are 787 to 801 px high


class Making:
    """One build: what it has seen so far.

    Args:
        task: of the items.
        root: folder that image paths become relative to.
        disjoint: dataset -> ids of the records that a protocol without shared images keeps.
        tally: counts what is left out.

    Attributes:
        sources: dataset -> licence, of the items so far.
        classes: SCENE: kind of images -> the classes seen so far.
    """

    def __init__(
        self,
        task: str,
        root: str | Path | None,
        disjoint: Mapping[str, Collection[str]] | None,
        tally: Tally | None,
    ) -> None:
        self.task, self.disjoint = task, disjoint or {}
        self.root = None if root is None else Path(root)
        self.tally: Tally = Counter() if tally is None else tally
        self.sources: dict[str, str] = {}
        self.classes: dict[str, dict[str, None]] = {}
        self._ids: set[str] = set()

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
