"""Datasets as instruction records: `surveyor data convert NAME DIR --out records.jsonl`.

One way for all readers, by what a record of theirs holds: things make detection, counting and segmentation, masks of
change make polygons, texts make the tasks that they are. Images are read one after the other, so memory does not grow
with the dataset; the order is that of the reader, so the same command gives the same file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import chain
from pathlib import Path

from ...core.errors import UsageError
from ...evals.datasets.reading import image_size
from ...evals.datasets.record import Reader, Record, Tally
from ...evals.datasets.registry import READERS, reader_named
from ..records.record import Instruction
from .making import Maker, Options
from .places import ABOUT as GEOTIFF_ABOUT
from .places import GEOTIFF, of_place, read_places
from .texts import of_texts, scene_group
from .things import Sheet, of_change, of_regions, of_things

REFUSED = {"thinkgeo": "its tasks are answered by calling tools, which a reply in words does not teach"}
"""Readers whose data is no lesson, and why."""
_SAID = {"geopixeld": {"text": "tagged"}}
"""Options of readers that are not the user's to choose here: captions are told with and without their tags."""
Listener = Callable[[Record], None]


def convertible() -> dict[str, str]:
    """Name -> what it is, of everything that can be converted.

    Example:
        >>> {"dota", "levir-cd", "geotiff"} <= set(convertible()), "thinkgeo" in convertible()
        (True, False)
    """
    return {reader.name: reader.about for reader in READERS if reader.name not in REFUSED} | {GEOTIFF: GEOTIFF_ABOUT}


def convert(
    name: str,
    folder: str | Path,
    options: Options,
    dropped: Tally,
    *,
    split: str | None = None,
    reader_options: Mapping[str, str] | None = None,
    licence: str | None = None,
    without: Collection[str] = (),
    listener: Listener | None = None,
) -> Iterator[Instruction]:
    """The records of a dataset, in the order of its reader, made as they are consumed.

    Args:
        name: of the reader, see `convertible`.
        folder: of the dataset, or its file where the reader takes one.
        options: how.
        dropped: counts what is left out by reason, the reader's own reasons among them.
        split: one of the published parts; all by default.
        reader_options: as `surveyor bench datasets NAME` tells.
        licence: of the data, where its reader cannot know it (coco, pairs, geotiff).
        without: leakage families or record ids that are left out.
        listener: is told of each image when its records are made.

    Raises:
        UsageError: no such reader, option, split or dataset, or damaged files.

    Example:
        >>> from collections import Counter
        >>> list(convert("dota", "no folder", Options(), Counter()))
        Traceback (most recent call last):
        ...
        surveyor.core.errors.UsageError: 'no folder' does not exist; expected the folder of DOTA with: ...
    """
    folder = Path(folder)
    given = dict(reader_options or {})
    records = _records(name, folder, split, given, dropped)
    maker = Maker(name, images_of(folder), options, dropped, cache(lambda: _scene_classes(name, folder, given)))
    for record in records:
        if record.family in without or record.id in without:
            maker.drop("image", "left out by name")
            continue
        if licence is not None:
            record = replace(record, source=replace(record.source, licence=licence))
        yield from _instructions(maker, record)
        if listener is not None:
            listener(record)


def images_of(folder: str | Path) -> Path:
    """The folder that paths of pictures are relative to: the dataset's."""
    path = Path(folder)
    return path.parent if path.is_file() else path


def _records(
    name: str, folder: Path, split: str | None, given: Mapping[str, str], tally: Tally | None
) -> Iterator[Record]:
    if name == GEOTIFF:
        if split is not None:
            raise UsageError(f"a folder of GeoTIFFs has no split {split!r}; leave it out")
        return read_places(folder, tally, **_checked(name, given, ("places", "within_km")))
    if name in REFUSED:
        raise UsageError(f"{name} cannot be converted: {REFUSED[name]}")
    reader = _reader(name)
    options = _checked(name, given, tuple(reader.options)) | _SAID.get(name, {})
    return reader.read(folder, split=split, tally=tally, **options)


def _reader(name: str) -> Reader:
    if name not in convertible():
        raise UsageError(f"there is no dataset {name!r} to convert; expected one of: {', '.join(convertible())}")
    return reader_named(name)


def _checked(name: str, given: Mapping[str, str], known: Sequence[str]) -> dict[str, str]:
    if strange := sorted(set(given).difference(known)):
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise UsageError(f"the reader {name!r} has no option {strange[0]!r}; {has}")
    return dict(given)


def _instructions(maker: Maker, record: Record) -> Iterator[Instruction]:
    for path in (record.image, record.after):
        if path is not None and not path.is_file():
            maker.drop("image", "not there")
            return
    size_wh = image_size(record.image)
    if record.size_wh not in (None, size_wh):
        maker.drop("image", "of another size than its annotation says")
        return
    sheet = Sheet(maker, record, size_wh)
    yield from chain(of_things(sheet), of_regions(sheet), of_change(sheet), of_texts(sheet), of_place(sheet))


def _scene_classes(name: str, folder: Path, given: Mapping[str, str]) -> dict[str, list[str]]:
    """Group -> classes of all splits; reads the dataset once more, texts only."""
    found: dict[str, set[str]] = {}
    for record in _records(name, folder, None, given, None):
        for said in record.said:
            if said.kind == "scene" and said.answer:
                found.setdefault(scene_group(record), set()).add(said.answer)
    return {group: sorted(classes) for group, classes in found.items()}
