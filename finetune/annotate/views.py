"""What is annotated on one picture: objects with pixels, from a dataset's reader or from instruction records.

Pictures of GeoPixelD are patches of 800 px; larger images are cut to such windows. An object that a window's edge cuts
is counted with its group and not described by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely

from ...core.errors import UsageError
from ...core.inflection import singular
from ...core.masks import Mask
from ...evals.datasets.reading import image_size, leave_out
from ...evals.datasets.record import Record, Tally
from ...evals.datasets.registry import READERS, reader_named
from ..convert.things import OUTLINED
from ..records.files import images_folder, read_records
from ..records.record import Instruction, Marked, Picture
from ..records.windows import XYXY, Cutter, Seen, windows_of

SHAPES = ("box", "oriented box", "outline", "pixels")
"""What a mask was made from, the roughest first."""

LITTLE = 1.3
"""An image larger than a window by at most this stays whole: its windows would show nearly the same."""


@dataclass(frozen=True, eq=False)
class Item:
    """One annotated object, px of its view.

    Attributes:
        label: class in the singular.
        mask: with pixels.
        shape: what the mask was made from, one of `SHAPES`.
        corners_px: (4, 2) oriented box.
        is_whole: the view shows enough of it to describe it by itself.
    """

    label: str
    mask: Mask
    shape: str
    corners_px: np.ndarray
    is_whole: bool = True


@dataclass(frozen=True, eq=False)
class View:
    """A picture and what is annotated on it.

    Attributes:
        stem: of its files; unique in one run and split.
        image: file; window: what is shown of it.
        items: objects.
        family, source, licence, split, gsd_m: as in `Instruction`.
    """

    stem: str
    image: Path
    window: XYXY
    items: tuple[Item, ...]
    family: str
    source: str = ""
    licence: str = ""
    split: str | None = None
    gsd_m: float | None = None

    @property
    def size_wh(self) -> tuple[int, int]:
        """Px of what is shown."""
        x0, y0, x1, y1 = self.window
        return x1 - x0, y1 - y0


@dataclass(frozen=True)
class Wanted:
    """Which views are made of what is given.

    Args:
        split: one of the published parts; None for all.
        reader_options: of the dataset's reader.
        window: side of the windows that larger images are cut to, px; 0 for none (datasets only).
        overlap: what neighbouring windows share at least, px.
        images: where the pictures of records lie; None: as told beside them.
    """

    split: str | None = None
    reader_options: Mapping[str, str] = field(default_factory=dict)
    window: int = 800
    overlap: int = 200
    images: Path | None = None


def views_of(given: str, wanted: Wanted, tally: Tally) -> Iterator[View]:
    """The views of "DATASET:FOLDER" or of a file of records, in its order; pictures without objects are counted.

    Raises:
        UsageError: neither of both, or damaged.

    Example:
        >>> next(views_of("nothing", Wanted(), Tally()))
        Traceback (most recent call last):
        ...
        surveyor.core.errors.UsageError: 'nothing' is neither records nor a dataset; expected FILE.jsonl, or ...
    """
    name, colon, folder = given.partition(":")
    if given.endswith(".jsonl"):
        yield from _of_records(Path(given), wanted, tally)
    elif colon and folder and name in {reader.name for reader in READERS}:
        yield from _of_dataset(name, Path(folder), wanted, tally)
    else:
        known = ", ".join(reader.name for reader in READERS)
        raise UsageError(
            f"{given!r} is neither records nor a dataset; expected FILE.jsonl, or NAME:FOLDER with one of: {known}"
        )


# ---- datasets ---------------------------------------------------------------------------------------------------


def _of_dataset(name: str, folder: Path, wanted: Wanted, tally: Tally) -> Iterator[View]:
    reader = reader_named(name)
    if strange := sorted(set(wanted.reader_options).difference(reader.options)):
        raise UsageError(f"the reader {name!r} has no option {strange[0]!r}; it has {', '.join(reader.options)}")
    for record in reader.read(folder, split=wanted.split, tally=tally, **wanted.reader_options):
        if record.after is not None:
            leave_out(tally, "image: a pair of images")
        elif not record.things:
            leave_out(tally, "image: nothing is annotated on it")
        elif not record.image.is_file():
            leave_out(tally, "image: not there")
        else:
            yield from _of_image(name, record, wanted, tally)


def _of_image(name: str, record: Record, wanted: Wanted, tally: Tally) -> Iterator[View]:
    size_wh = image_size(record.image)
    if record.size_wh not in (None, size_wh):
        leave_out(tally, "image: of another size than its annotation says")
        return
    cutter = Cutter(record.things, size_wh)
    if cutter.outside:
        leave_out(tally, "object: outside its image", cutter.outside)
    side = 0 if max(size_wh) <= LITTLE * wanted.window else wanted.window
    for window in windows_of(size_wh, side, wanted.overlap):
        items = _once([item for seen in cutter.seen(window) if (item := _item(name, seen, window)) is not None], tally)
        if not items:
            leave_out(tally, "image: window without objects")
            continue
        place = "" if window == (0, 0, *size_wh) else "_{1}_{3}_{0}_{2}".format(*window)  # as iSAID's patches
        yield View(
            stem=_stem(record.id, record.split) + place,
            image=record.image,
            window=window,
            items=tuple(items),
            family=record.family,
            source=record.source.name,
            licence=record.source.licence,
            split=record.split,
            gsd_m=record.gsd_m,
        )


def _item(name: str, seen: Seen, window: XYXY) -> Item | None:
    x0, y0, x1, y1 = window
    thing, mask, shape = seen.thing, seen.mask, "pixels"
    if mask is None or not mask.area_px:
        mask = Mask.from_polygon(shapely.transform(seen.outline, lambda points: points - (x0, y0)), (y1 - y0, x1 - x0))
        is_drawn = thing.polygon_px is not None and name in OUTLINED
        shape = "outline" if is_drawn else "box" if thing.corners_px is None else "oriented box"
    if not mask.area_px or not thing.label:
        return None
    return Item(singular(thing.label), mask, shape, seen.corners - (x0, y0), seen.is_shown)


def _once(items: Sequence[Item], tally: Tally) -> list[Item]:
    kept = list({(item.label, item.mask): item for item in reversed(items)}.values())[::-1]
    if len(kept) < len(items):
        leave_out(tally, "object: annotated twice", len(items) - len(kept))
    return kept


def _stem(id: str, split: str | None) -> str:
    """The record's id as a file name: "train/P0706" -> "P0706"."""
    return re.sub(r"[^\w.-]+", "_", id.removeprefix(f"{split}/"))


# ---- records ----------------------------------------------------------------------------------------------------


def _of_records(path: Path, wanted: Wanted, tally: Tally) -> Iterator[View]:
    """One view a picture; of several records on one class the one with the finest shapes is taken."""
    folder = images_folder(path, wanted.images)
    by_picture: dict[Picture, list[Instruction]] = {}
    stems: dict[str, str] = {}
    for record in read_records(path):
        if wanted.split not in (None, record.split):
            continue
        if len(record.pictures) != 1:
            leave_out(tally, f"record: {record.task} over {'a pair of' if record.pictures else 'no'} pictures")
        else:
            by_picture.setdefault(record.pictures[0], []).append(record)
    for picture, records in by_picture.items():
        finest: dict[str, list[Item]] = {}
        for record in records:
            for label, items in _labelled(record, tally).items():
                if label not in finest or _rank(items) > _rank(finest[label]):
                    finest[label] = items
        items = _once([item for found in finest.values() for item in found], tally)
        if not items:
            leave_out(tally, "image: nothing is annotated on it")
            continue
        first, window = records[0], picture.crop_xyxy or (0, 0, *picture.size_wh)
        place = "" if picture.crop_xyxy is None else "_{1}_{3}_{0}_{2}".format(*window)
        yield View(
            stem=_name_of(picture, stems) + place,
            image=folder / picture.path,
            window=window,
            items=tuple(items),
            family=first.family,
            source=first.source,
            licence=first.licence,
            split=first.split,
            gsd_m=first.gsd_m,
        )


def _name_of(picture: Picture, stems: dict[str, str]) -> str:
    """The file's name, which readers tell families by; with its folder where two files have one name."""
    path = Path(picture.path)
    if stems.setdefault(path.stem, picture.path) == picture.path:
        return _stem(path.stem, None)
    return _stem(f"{path.stem}_{path.parent.name}", None)


def _labelled(record: Instruction, tally: Tally) -> dict[str, list[Item]]:
    """Class -> objects of a record that tells classes."""
    if record.task not in ("det", "res"):
        return {}
    found: dict[str, list[Item]] = {}
    for region in record.regions:
        label = region.label or (record.phrase if record.task == "det" else None)
        if label is None:
            leave_out(tally, "object: named by an expression, not by a class")
        elif (item := _marked(region, singular(label), record.size_wh)) is None:
            leave_out(tally, "object: without pixels")
        else:
            found.setdefault(item.label, []).append(item)
    return found


def _marked(region: Marked, label: str, size_wh: tuple[int, int]) -> Item | None:
    points, shape_hw = np.array(region.points, dtype=np.float64), (size_wh[1], size_wh[0])
    shape = {"box": "box", "obb": "box" if region.is_upright else "oriented box", "polygon": "outline"}[region.kind]
    if region.kind == "box":
        (x0, y0), (x1, y1) = points
        points = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    if region.rle is not None:
        shape, mask = "pixels", Mask.from_rle(region.rle)
    else:
        mask = Mask.from_polygon([points, *(np.array(hole) for hole in region.holes)], shape_hw)
    if not mask.area_px or mask.shape_hw != shape_hw:
        return None
    corners = points if region.kind == "obb" else np.array(shapely.get_coordinates(shapely.oriented_envelope(shapely.polygons(points)))[:4])  # fmt: skip  # noqa: E501
    return Item(label, mask, shape, corners)


def _rank(items: Sequence[Item]) -> int:
    return min(SHAPES.index(item.shape) for item in items)
