"""DOTA v1.0, v1.5 and v2.0: oriented boxes in labelTxt files (Xia et al. 2018; DOTA_devkit).

What to know of its files (FORMATS 1.4). Header lines `imagesource:` and `gsd:` may be missing, the distance may be
"null". A line with 8 numbers and a class has no difficult flag, which means 0; "2" occurs beside 0 and 1. The four
corners are not always a rectangle and may lie beyond the image; they are kept as they are. v1.0 and v1.5 annotate the
same images, v1.5 with tiny objects besides, and v2.0 has more images: where a folder holds several, say which.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...core.errors import UsageError
from ...tools.models.oracle import positive_number
from .families import dota_family
from .quads import least_rects, with_corners
from .reading import (
    checked_choice,
    checked_split,
    damaged,
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
    "{train,val}/images/P0706.png",
    "{train,val}/labelTxt/P0706.txt (or labelTxt-v1.0, labelTxt-v1.5, labelTxt-v2.0)",
    "or images/ and labelTxt/ without splits",
)
EXPECTED = "DOTA labelTxt: x1 y1 x2 y2 x3 y3 x4 y4 class difficult"
VERSIONS = ("1.0", "1.5", "2.0")

_FIRST = (
    *("plane", "ship", "storage tank", "baseball diamond", "tennis court", "basketball court", "ground track field"),
    *("harbor", "bridge", "large vehicle", "small vehicle", "helicopter", "roundabout", "soccer ball field"),
    "swimming pool",
)
CLASSES = {
    "1.0": _FIRST,
    "1.5": (*_FIRST, "container crane"),
    "2.0": (*_FIRST, "container crane", "airport", "helipad"),
}


def source(version: str | None) -> Source:
    """DOTA of that version; None where the folder doesn't tell."""
    name = f"DOTA v{version}" if version else "DOTA"
    return Source(name, "academic use only; Google Earth terms", "Xia et al. 2018; Ding et al. 2021")


def read_dota(
    root: str | Path, *, split: str | None = None, tally: Tally | None = None, version: str = "auto"
) -> Iterator[Record]:
    """One record per labelTxt file, in the order of the file names; see `Reader.read`.

    Args:
        root: the dataset's folder.
        split: "train" or "val"; None for all that are there.
        tally: counts what is left out: lines of fewer than 9 words, boxes without area.
        version: "1.0", "1.5", "2.0"; "auto" takes the only one there is.

    Raises:
        UsageError: no labelTxt folder, several versions and none chosen, or a line that cannot be read.
    """
    base = root_folder(root, "DOTA", LAYOUT)
    checked_choice("version", version, ("auto", *VERSIONS))
    here = [name for name in ("train", "val", "test") if (base / name).is_dir()]
    checked_split(split, here, f"the copy of DOTA in {str(base)!r}")
    wanted: list[tuple[str | None, Path]] = [(name, base / name) for name in here if split in (None, name)]
    if not here:
        wanted = [(None, base)]
    if split is None and here:  # the labels of the test set are not published
        wanted = [(name, folder) for name, folder in wanted if name != "test" or _label_folders(folder)]
    for name, folder in wanted:
        labels, found = _labels(folder, version)
        for file in sorted_files(labels, (".txt",), EXPECTED):
            yield _record(file, folder, name, found, tally)


def _label_folders(folder: Path) -> list[tuple[str | None, Path]]:
    """(version or None, folder with .txt files) of all oriented labels."""
    found: list[tuple[str | None, Path]] = []
    for version in (*VERSIONS, None):
        path = folder / (f"labelTxt-v{version}" if version else "labelTxt")
        inner = path / f"DOTA-v{version}_{folder.name}"
        path = inner if version and inner.is_dir() else path
        if path.is_dir():
            found.append((version, path))
    return found


def _labels(folder: Path, version: str) -> tuple[Path, str | None]:
    found = _label_folders(folder)
    if version != "auto":
        exact = [path for known, path in found if known == version]
        plain = [path for known, path in found if known is None]
        if exact or plain:
            return (exact or plain)[0], version
    elif len(found) == 1:
        return found[0][1], found[0][0]
    elif found:
        names = ", ".join(repr(path.relative_to(folder).as_posix()) for _, path in found)
        raise UsageError(f"{str(folder)!r} holds several versions of DOTA's labels: {names}; choose with version=1.5")
    there = sorted(path.name for path in folder.iterdir())[:5]
    wanted = "labelTxt" if version == "auto" else f"labelTxt-v{version}"
    raise UsageError(
        f"{str(folder)!r} has no folder {wanted!r} (it holds {', '.join(there) or 'nothing'}); expected {EXPECTED}"
        + ("; the labels of DOTA's test set are not published" if folder.name == "test" else "")
    )


def _record(file: Path, folder: Path, split: str | None, version: str | None, tally: Tally | None) -> Record:
    rows: list[tuple[int, list[str]]] = []
    quads: list[list[float]] = []
    gsd_m = None
    for number, line in read_lines(file, EXPECTED):
        words = line.split()
        key, colon, value = line.partition(":")
        if colon and len(words) < 9:
            gsd_m = positive_number(value) if key.lower() == "gsd" else gsd_m
        elif len(words) < 9:
            leave_out(tally, "line of fewer than 9 words")
        else:
            quad = floats(words[:8])
            if quad is None:
                raise damaged(file, short(line), EXPECTED, f"line {number}")
            rows.append((number, words))
            quads.append(quad)
    images = folder / "images"
    return Record(
        id=f"{split}/{file.stem}" if split else file.stem,
        image=image_of(images, file.stem) or images / f"{file.stem}.png",
        size_wh=None,
        family=dota_family(file.stem) or f"dota:{file.stem}",
        source=source(version),
        split=split,
        things=_things(rows, quads, tally),
        is_exhaustive=True,
        classes=CLASSES[version or "1.0"],
        gsd_m=gsd_m,
    )


def _things(rows: Sequence[tuple[int, list[str]]], quads: list[list[float]], tally: Tally | None) -> tuple[Thing, ...]:
    """The things of one file; large scenes have thousands, so rectangles are found for all at once."""
    outlines = np.array(quads).reshape(-1, 4, 2)
    things: list[Thing] = []
    for (number, words), outline, corners in zip(rows, outlines, least_rects(outlines), strict=True):
        flag = words[9] if len(words) > 9 else "0"
        attributes = {} if flag in ("0", "1") else {"difficult": flag}
        label = label_words(words[8])
        thing = with_corners(f"{number}", label, outline, corners, attributes, is_difficult=flag != "0")
        if thing is None:
            leave_out(tally, "box without area")
        else:
            things.append(thing)
    return tuple(things)


READERS = (
    Reader(
        "dota",
        "DOTA v1.0, v1.5, v2.0: oriented boxes of 15 to 18 classes, all objects annotated",
        LAYOUT,
        read_dota,
        source(None),
        {"version": "1.0, 1.5 or 2.0, where several label folders are there (default: the only one)"},
    ),
)
