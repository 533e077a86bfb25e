"""RefSegRS: expressions with semantic masks (Yuan et al. 2024).

A line of `output_phrase_SPLIT.txt` is "ID EXPRESSION", and image and mask are found by the ID: the scene of one image
may return under other IDs, also in other splits. So the leakage family of a record is told by the pixels of its image,
not by its ID; `shared_scenes` lists the scenes that return. Masks are semantic ("vehicles": all of them) and foreground
is what lies above 127.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ...core.masks import Mask
from .label_images import checked_size, first_channel, read_labels
from .reading import checked_split, damaged, existing, image_of, leave_out, read_lines, root_folder
from .record import Reader, Record, Said, Source, Tally

SOURCE = Source("RefSegRS", "not stated", "Yuan et al. 2024, RRSIS: Referring Remote Sensing Image Segmentation")
LAYOUT = ("images/ID.tif", "masks/ID.tif", "output_phrase_{train,val,test}.txt with lines 'ID EXPRESSION'")
SPLITS = ("train", "val", "test")
_LINES = "lines of an image's number, a space and an expression"


def read(root: str | Path, *, split: str | None = None, tally: Tally | None = None) -> Iterator[Record]:
    """One record per image number and split, in the order of the lists; see `Reader.read`."""
    folder = root_folder(root, SOURCE.name, LAYOUT)
    for part in _splits(folder, split):
        for number, expressions in _expressions(folder, part).items():
            image, mask_path = _file(folder, "images", number, part), _file(folder, "masks", number, part)
            values = first_channel(mask_path)
            mask = Mask.from_array(values > 127)
            pixels = read_labels(image)
            height, width = values.shape
            checked_size(mask_path, values.shape, image, (pixels.shape[1], pixels.shape[0]))
            if mask.area_px == 0:
                leave_out(tally, "mask without pixels", len(expressions))
                continue
            said = (Said(str(i), "refer", text, mask=mask) for i, text in enumerate(expressions))
            family = f"refsegrs:{_digest(pixels.tobytes())}"
            yield Record(f"{part}/{number}", image, (width, height), family, SOURCE, part, said=tuple(said))


def shared_scenes(root: str | Path) -> dict[str, tuple[str, ...]]:
    """Family -> the records ("SPLIT/ID") that show its pixels, for families that occur more than once.

    Reads every image once.
    """
    folder = root_folder(root, SOURCE.name, LAYOUT)
    seen: dict[str, list[str]] = {}
    for part in _splits(folder, None):
        for number in _expressions(folder, part):
            pixels = read_labels(_file(folder, "images", number, part))
            seen.setdefault(f"refsegrs:{_digest(pixels.tobytes())}", []).append(f"{part}/{number}")
    return {family: tuple(records) for family, records in seen.items() if len(records) > 1}


def _splits(folder: Path, split: str | None) -> list[str]:
    checked_split(split, SPLITS, SOURCE.name)
    lists = [part for part in SPLITS if (folder / f"output_phrase_{part}.txt").is_file()]
    if split is not None or not lists:
        existing(folder, (f"output_phrase_{split or 'train'}.txt",), SOURCE.name)
    return [split] if split is not None else lists


def _expressions(folder: Path, split: str) -> dict[str, list[str]]:
    """Image number -> its expressions, both in the order of the file."""
    path = folder / f"output_phrase_{split}.txt"
    found: dict[str, list[str]] = {}
    for line_number, line in read_lines(path, _LINES):
        number, _, text = line.partition(" ")
        if not number.isdigit() or not text.strip():
            raise damaged(path, repr(line[:80]), _LINES, f"line {line_number}")
        found.setdefault(number, []).append(" ".join(text.lower().split()))
    return found


def _file(folder: Path, kind: str, number: str, split: str) -> Path:
    path = image_of(folder / kind, number, (".tif", ".tiff", ".png", ".jpg"))
    if path is None:
        lists = folder / f"output_phrase_{split}.txt"
        raise damaged(
            lists, f"there is no {str(folder / kind / number)!r} (.tif)", "an image and a mask for every line"
        )
    return path


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


READERS = (
    Reader(
        name="refsegrs",
        about="expressions with semantic masks (4,420)",
        layout=LAYOUT,
        read=read,
        source=SOURCE,
    ),
)
