"""GeoPixelD: descriptions whose phrases have masks, on iSAID's patches (Shabbir et al. 2025, GeoPixel).

What to know of its files (FORMATS 3.4). A description holds "<p> tennis court-2 </p> [SEG]", with spaces inside the
tags and a running number in the phrase; the k-th outline belongs to the k-th [SEG]. An outline is a list of parts,
filled one by one with cv2.fillPoly (whole pixels, united, no holes), which is how the authors make their masks. One
[SEG] may stand for many objects. Families are those of DOTA, told by the file's name. Entries that `surveyor data
annotate` wrote tell family, source and licence themselves, and are believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...core.errors import UsageError
from ...core.masks import Mask
from .families import dota_family
from .reading import (
    checked_choice,
    checked_split,
    damaged,
    field_of,
    floats,
    image_of,
    image_size,
    leave_out,
    read_json,
    root_folder,
    short,
    sorted_files,
)
from .record import Reader, Record, Said, Source, Tally, Thing
from .rrsisd import union_of_rles

SOURCE = Source("GeoPixelD", "not stated", "Shabbir et al. 2025, GeoPixel")
LAYOUT = ("{train,test}/P0224_0_800_0_800.json with 'gcg_description' and 'polygons'", "the images beside them (.png)")
SPLITS = ("train", "test")
_ENTRY = "an object with 'gcg_description' and 'polygons'"
_PHRASE = re.compile(r"<p>(.*?)</p>", re.DOTALL)
_NUMBER = re.compile(r"\s*-\d+$")


def read(
    root: str | Path, *, split: str | None = None, tally: Tally | None = None, text: str = "plain"
) -> Iterator[Record]:
    """One record per image, in the order of the file names; see `Reader.read`.

    Each [SEG] is a thing: its label is the phrase without running number, attributes tell the `phrase` as written,
    how many `parts` its outline has, and its `shape` where the entry tells what that was made from. The caption names
    all things in the order of their phrases.

    Args:
        root: the folder with train and test, or one of them.
        split: "train" or "test"; both by default.
        tally: counts what is left out.
        text: of captions: "plain", or "tagged" with <p>, </p> and [SEG].
    """
    folder = root_folder(root, SOURCE.name, LAYOUT)
    checked_split(split, SPLITS, SOURCE.name)
    checked_choice("text", text, ("plain", "tagged"))
    parts: list[tuple[str | None, Path]] = [(part, folder / part) for part in SPLITS if (folder / part).is_dir()]
    parts = parts or [(folder.name if folder.name in SPLITS else None, folder)]
    if split is not None and split not in [part for part, _ in parts]:
        raise UsageError(f"{str(folder)!r} has no folder {split!r}; expected {'; '.join(LAYOUT)}")
    for part, place in parts:
        if split is None or part == split:
            for path in sorted_files(place, (".json",), "one JSON file an image"):
                record = _record(path, part, text, tally)
                if record is not None:
                    yield record


def phrases(description: str) -> list[str]:
    """The phrase of each [SEG], as written but without the spaces at its ends; "" for a [SEG] that has none.

    Example:
        >>> phrases("The <p> tennis court-1 </p> [SEG] and <p>two cars-2</p> [SEG] stand there.")
        ['tennis court-1', 'two cars-2']
    """
    found = []
    for before in description.split("[SEG]")[:-1]:
        tagged = _PHRASE.findall(before)
        found.append(" ".join(tagged[-1].split()) if tagged else "")
    return found


def without_tags(description: str) -> str:
    """The description as plain text; running numbers stay in it.

    Example:
        >>> without_tags("The <p> tennis court-1 </p> [SEG] , at right.")
        'The tennis court-1, at right.'
    """
    words = re.sub(r"</?p>|\[SEG\]", " ", description)
    return re.sub(r"\s+([,.;:!?])", r"\1", " ".join(words.split()))


def without_number(phrase: str) -> str:
    """The phrase without its running number.

    Example:
        >>> without_number("tennis court-12"), without_number("boeing-747 planes-1"), without_number("cluster of ships")
        ('tennis court', 'boeing-747 planes', 'cluster of ships')
    """
    return _NUMBER.sub("", phrase)


def fill_parts(parts: Any, shape_hw: tuple[int, int]) -> Mask | None:
    """The union of the parts as cv2.fillPoly fills them; None where they are no lists of points.

    Args:
        parts: [[[x, y], ...], ...] px; numbers are cut to whole ones, as the authors' code does.
        shape_hw: of the image.
    """
    mask = Mask.from_array(np.zeros((0, 0)), shape_hw=shape_hw)
    if not isinstance(parts, list):
        return None
    for part in parts:
        pairs = [floats(point, 2) for point in part] if isinstance(part, list) else [None]
        if not pairs or None in pairs:
            return None
        points = np.array(pairs).astype(np.int32)
        corner = points.min(axis=0)
        width, height = (points.max(axis=0) - corner + 1).tolist()
        if max(width, height) > 4 * max(shape_hw):
            return None
        canvas = np.zeros((height, width), dtype=np.uint8)
        cv2.fillPoly(canvas, [points - corner], 1)
        mask = mask.union(Mask.from_array(canvas, (int(corner[0]), int(corner[1])), shape_hw))
    return mask


def _record(path: Path, part: str | None, text: str, tally: Tally | None) -> Record | None:
    entry = read_json(path, _ENTRY, dict)
    description = field_of(entry, "gcg_description", str, path, "the outermost object")
    key = "polygons" if "polygons" in entry else "segmentation"
    outlines = field_of(entry, key, list, path, "the outermost object")
    image = image_of(path.parent, path.stem)
    if image is None:
        raise damaged(path, "there is no image of that name beside it", "an image for every JSON file")
    wanted, shapes = phrases(description), entry.get("shapes")
    if shapes is not None and not (isinstance(shapes, list) and all(isinstance(each, str) for each in shapes)):
        raise damaged(path, f"'shapes' is {short(shapes)}", "a list of names", "the outermost object")
    if len(wanted) != len(outlines) or (shapes and len(shapes) != len(outlines)):
        leave_out(tally, "outlines and [SEG] differ in number")
        return None
    size_wh = image_size(image)
    things = []
    for index, (phrase, outline) in enumerate(zip(wanted, outlines, strict=True)):
        mask = _mask(outline, size_wh, path, f"{key}[{index}]")
        box = mask.box_px
        if box is None:
            leave_out(tally, "outline without pixels")
            return None
        count = len(outline) if isinstance(outline, list) else 1
        attributes = {"phrase": phrase, "parts": str(count)} | ({"shape": shapes[index]} if shapes else {})
        things.append(Thing(str(index), without_number(phrase).lower(), box, mask=mask, attributes=attributes))
    caption = without_tags(description) if text == "plain" else description.strip()
    return Record(
        id=path.stem if part is None else f"{part}/{path.stem}",
        image=image,
        size_wh=size_wh,
        family=_told(entry, "family", path) or dota_family(path.stem) or f"geopixeld:{path.stem}",
        source=_source(entry, path),
        split=part,
        things=tuple(things),
        said=(Said("0", "caption", caption, things=tuple(thing.id for thing in things)),),
    )


def _source(entry: Mapping[str, Any], path: Path) -> Source:
    """GeoPixelD's, or that of the data that `surveyor data annotate` described."""
    name, licence = _told(entry, "source", path), _told(entry, "licence", path)
    return Source(name, licence or SOURCE.licence) if name else SOURCE


def _told(entry: Mapping[str, Any], key: str, path: Path) -> str | None:
    """What an entry tells beyond GeoPixelD's own keys; None where it does not."""
    if entry.get(key) is None:
        return None
    return str(field_of(entry, key, str, path, "the outermost object")) or None


def _mask(outline: Any, size_wh: tuple[int, int], path: Path, where: str) -> Mask:
    is_rle = isinstance(outline, Mapping) or (isinstance(outline, list) and outline and isinstance(outline[0], Mapping))
    if is_rle:
        try:
            return union_of_rles(outline, size_wh)
        except UsageError as error:
            raise damaged(path, str(error), "run-length encodings", where) from None
    mask = fill_parts(outline, (size_wh[1], size_wh[0]))
    if mask is None:
        raise damaged(path, "it is no list of parts [[[x, y], ...], ...]", "whole numbers of px", where)
    return mask


READERS = (
    Reader(
        name="geopixeld",
        about="descriptions with a mask for each phrase, on iSAID patches",
        layout=LAYOUT,
        read=read,
        source=SOURCE,
        options={"text": "captions as plain text (default) or tagged with <p>, </p> and [SEG]"},
    ),
)
