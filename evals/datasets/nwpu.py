"""NWPU VHR-10: boxes of ten classes (Cheng et al. 2014), outlines of them (Su et al. 2019).

What to know of its files (FORMATS 1.5). COCO image ids are the file number minus one, so images are found by file name;
category names differ by release ("ships", "storage_tank"). The original annotation is `ground truth/001.txt`,
"(x1,y1),(x2,y2),a" with optional spaces and classes from 1. The images of the negative set show none of the classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .coco import instances
from .quads import boxed
from .reading import (
    checked_choice,
    checked_split,
    damaged,
    existing,
    floats,
    image_of,
    leave_out,
    read_lines,
    root_folder,
    short,
    sorted_files,
)
from .record import Reader, Record, Source, Tally, Thing, label_words

LAYOUT = (
    "'positive image set'/001.jpg and 'negative image set'/001.jpg (or images/)",
    "annotations.json, or {train,val}.json (COCO instances), or 'ground truth'/001.txt",
)
CLASSES = (
    *("airplane", "ship", "storage tank", "baseball diamond", "tennis court", "basketball court"),
    *("ground track field", "harbor", "bridge", "vehicle"),
)
SOURCE = Source(
    "NWPU VHR-10", "released for research use; Google Earth and Vaihingen (DGPF) imagery", "Cheng et al. 2014"
)
_TRUTH = re.compile(r"\(([^()]*)\)\s*,\s*\(([^()]*)\)\s*,\s*(\d+)\s*,?")


def read_nwpu(
    root: str | Path, *, split: str | None = None, tally: Tally | None = None, exhaustive: str = "negative"
) -> Iterator[Record]:
    """One record per image, the positive set first, in the order of the files; see `Reader.read`.

    Args:
        root: the dataset's folder.
        split: "train" or "val" where the folder has those files (they are no part of the original); None for all.
        tally: counts what is left out.
        exhaustive: which images count as annotated in full: "negative" (they show none of the ten classes) or "all",
            as detection benchmarks take them.

    Raises:
        UsageError: no annotation, or a damaged one.
    """
    base = root_folder(root, "NWPU VHR-10", LAYOUT)
    checked_choice("exhaustive", exhaustive, ("negative", "all"))
    here = [name for name in ("train", "val") if (base / f"{name}.json").is_file()]
    checked_split(split, here, f"the copy of NWPU VHR-10 in {str(base)!r}")
    common: dict[str, Any] = {"tally": tally, "is_exhaustive": exhaustive == "all"}
    whole = existing(base, ("annotations.json", "train.json", "val.json", "ground truth"), "NWPU VHR-10")
    if here:
        for name in here:
            if split in (None, name):
                yield from _coco(base, base / f"{name}.json", name, common)
    elif whole.is_file():
        yield from _coco(base, whole, None, common)
    else:
        for file in sorted_files(whole, (".txt",), "lines (x1,y1),(x2,y2),class"):
            yield _record(base, file, **common)
    negative = base / "negative image set"
    if split is None and negative.is_dir():
        for image in sorted_files(negative, (".jpg", ".png"), "images"):
            yield _plain(image, f"negative/{image.stem}", "nwpu_vhr10:negative_", (), is_exhaustive=True)


def _coco(base: Path, file: Path, split: str | None, common: Mapping[str, Any]) -> Iterator[Record]:
    return instances(
        file,
        lambda name: _image(base, Path(name).stem),
        source=SOURCE,
        label=_label,
        family=lambda name: f"nwpu_vhr10:{Path(name).stem}",
        split=split,
        **common,
    )


def _label(name: str) -> str:
    words = label_words(name)
    return {"ships": "ship"}.get(words, words)


def _image(base: Path, stem: str) -> Path:
    for folder in ("positive image set", "images"):
        if (found := image_of(base / folder, stem)) is not None:
            return found
    return base / ("positive image set" if (base / "positive image set").is_dir() else "images") / f"{stem}.jpg"


def _record(base: Path, file: Path, tally: Tally | None, is_exhaustive: bool) -> Record:
    expected = "(x1,y1),(x2,y2),class with a class of 1 to 10"
    things: list[Thing] = []
    for number, line in read_lines(file, expected):
        found = _TRUTH.fullmatch(line)
        values = floats(f"{found[1]},{found[2]}".split(","), 4) if found else None
        if found is None or values is None or not 1 <= int(found[3]) <= len(CLASSES):
            raise damaged(file, short(line), expected, f"line {number}")
        thing = boxed(f"{number}", CLASSES[int(found[3]) - 1], values)
        if thing is None:
            leave_out(tally, "box without area")
        else:
            things.append(thing)
    return _plain(_image(base, file.stem), file.stem, "nwpu_vhr10:", tuple(things), is_exhaustive)


def _plain(image: Path, id: str, family: str, things: tuple[Thing, ...], is_exhaustive: bool) -> Record:
    return Record(
        id=id,
        image=image,
        size_wh=None,
        family=f"{family}{image.stem}",
        source=SOURCE,
        things=things,
        is_exhaustive=is_exhaustive,
        classes=CLASSES if is_exhaustive else (),
    )


READERS = (
    Reader(
        "nwpu_vhr10",
        "NWPU VHR-10: boxes and outlines of 10 classes, and images that show none of them",
        LAYOUT,
        read_nwpu,
        SOURCE,
        {"exhaustive": "negative or all: which images count as annotated in full (default: negative)"},
    ),
)
