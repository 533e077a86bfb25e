"""DIOR and DIOR-R: upright and oriented boxes of 20 classes (Li et al. 2020; Cheng et al. 2022), VOC xml files.

What to know of its files (FORMATS 1.3). Class names differ by release ('expresswayservicearea',
'Expressway-Service-Area'): they are told apart without case, hyphens and spaces. Pixel numbers may count from 1; they
are taken as they are (at most 1 px off). Folder names differ by release, too.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from .families import dior_family
from .quads import boxed, outlined
from .reading import (
    checked_choice,
    checked_split,
    damaged,
    existing,
    image_of,
    leave_out,
    read_lines,
    read_xml,
    root_folder,
    sorted_files,
)
from .record import Reader, Record, Source, Tally, Thing, label_words

LAYOUT = (
    "JPEGImages-trainval/00001.jpg and JPEGImages-test/11726.jpg (or JPEGImages/)",
    "Annotations/Horizontal Bounding Boxes/00001.xml and/or Annotations/Oriented Bounding Boxes/00001.xml",
    "ImageSets/Main/{train,val,test}.txt",
)
EXPECTED = "a DIOR annotation: <annotation> with <object>, <name> and <bndbox> or <robndbox>"
SPLITS = ("train", "val", "test")
CLASSES = (
    *("airplane", "airport", "baseball field", "basketball court", "bridge", "chimney", "dam"),
    *("expressway service area", "expressway toll station", "golf field", "ground track field", "harbor", "overpass"),
    *("ship", "stadium", "storage tank", "tennis court", "train station", "vehicle", "windmill"),
)
_BY_LETTERS = {name.replace(" ", ""): name for name in CLASSES}
_FOLDERS = {
    "oriented": ("Annotations/Oriented Bounding Boxes", "Annotations/Oriented_Bounding_Boxes"),
    "upright": ("Annotations/Horizontal Bounding Boxes", "Annotations/Horizontal_Bounding_Boxes"),
}
_CORNERS = ("left_top", "right_top", "right_bottom", "left_bottom")


def dior_label(name: str) -> str:
    """The class as words, whichever release wrote it; names that DIOR does not have as `label_words` reads them.

    Example:
        >>> dior_label("Expressway-Service-area"), dior_label("golffield"), dior_label("Container-Crane")
        ('expressway service area', 'golf field', 'container crane')
    """
    return _BY_LETTERS.get(re.sub(r"[-_\s]", "", name).lower()) or label_words(name)


def source(boxes: str) -> Source:
    """DIOR, or DIOR-R for oriented boxes."""
    if boxes == "oriented":
        return Source("DIOR-R", "not stated", "Cheng et al. 2022")
    return Source("DIOR", "not stated", "Li et al. 2020")


def read_dior(
    root: str | Path, *, split: str | None = None, tally: Tally | None = None, boxes: str = "auto"
) -> Iterator[Record]:
    """One record per annotation file, in the order of the file names; see `Reader.read`.

    Args:
        root: the dataset's folder.
        split: "train", "val" or "test"; None for all (a record then tells its own where the lists are there).
        tally: counts what is left out: boxes without area.
        boxes: "oriented" (DIOR-R), "upright" (DIOR) or "auto": oriented where they are there.

    Raises:
        UsageError: a folder, a list or an annotation is missing or cannot be read.
    """
    base = root_folder(root, "DIOR", LAYOUT)
    checked_choice("boxes", boxes, ("auto", *_FOLDERS))
    checked_split(split, SPLITS, "DIOR")
    folder, kind = _annotations(base, boxes)
    lists = _split_lists(base, split)
    split_of = {name: key for key, names in lists.items() for name in names}
    if split is None:
        files = sorted_files(folder, (".xml",), EXPECTED)
    else:
        files = [folder / f"{name}.xml" for name in sorted(lists[split])]
    for file in files:
        yield _record(file, base, split_of.get(file.stem), kind, tally)


def _annotations(base: Path, boxes: str) -> tuple[Path, str]:
    """The folder of annotations and what kind they are: "auto" in a flat folder, where each object tells."""
    for kind in _FOLDERS if boxes == "auto" else (boxes,):
        for name in _FOLDERS[kind]:
            if (base / name).is_dir():
                return base / name, kind
    if boxes == "auto" or not any((base / name).is_dir() for names in _FOLDERS.values() for name in names):
        flat = existing(base, ("Annotations",), "DIOR")
        if any(flat.glob("*.xml")):
            return flat, boxes
    raise (
        UsageError(f"{str(base)!r} has no {boxes} boxes; expected the folder {_FOLDERS[boxes][0]!r}")
        if (boxes != "auto")
        else UsageError(f"{str(base / 'Annotations')!r} holds no .xml file; expected {LAYOUT[1]}")
    )


def _split_lists(base: Path, split: str | None) -> dict[str, list[str]]:
    found = {}
    for name in SPLITS if split is None else (split,):
        paths = (f"ImageSets/Main/{name}.txt", f"ImageSets/{name}.txt", f"Main/{name}.txt")
        if split is not None or any((base / path).is_file() for path in paths):
            path = existing(base, paths, "DIOR")
            found[name] = [line.split()[0] for _, line in read_lines(path, "one image number a line")]
    return found


def _record(file: Path, base: Path, split: str | None, kind: str, tally: Tally | None) -> Record:
    tree = read_xml(file, EXPECTED)
    things: list[Thing] = []
    for index, element in enumerate(tree.findall("object")):
        thing = _thing(file, f"{index}", element, kind)
        if thing is None:
            leave_out(tally, "box without area")
        else:
            things.append(thing)
    oriented = kind == "oriented" or (kind == "auto" and any(thing.corners_px is not None for thing in things))
    return Record(
        id=file.stem,
        image=_image(base, file.stem),
        size_wh=xml_size(tree),
        family=dior_family(file.stem) or f"dior:{file.stem}",
        source=source("oriented" if oriented else "upright"),
        split=split,
        things=tuple(things),
        is_exhaustive=True,
        classes=CLASSES,
    )


def _image(base: Path, stem: str) -> Path:
    folders = ("JPEGImages-trainval", "JPEGImages-test", "JPEGImages")
    for name in folders:
        if (path := image_of(base / name, stem)) is not None:
            return path
    there = [name for name in folders if (base / name).is_dir()]
    return base / (there[0] if there else folders[-1]) / f"{stem}.jpg"


def xml_size(tree: ET.Element) -> tuple[int, int] | None:
    """(width, height) as a VOC file tells it; None where it does not (or says 0)."""
    try:
        width, height = (int(float(tree.findtext(f"size/{name}") or 0)) for name in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width > 0 and height > 0 else None


def xml_numbers(element: ET.Element, names: Sequence[str], file: Path, expected: str) -> list[float]:
    """The numbers in the children of these names. Raises UsageError that names the file and the child."""
    values = []
    for name in names:
        text = (element.findtext(name) or "").strip()
        try:
            values.append(float(text))
        except ValueError:
            raise damaged(file, f"<{name}> of <{element.tag}> is {text!r}", expected) from None
    return values


def _thing(file: Path, id: str, element: ET.Element, kind: str) -> Thing | None:
    name = element.findtext("name")
    if not name:
        raise damaged(file, f"object {id} has no <name>", EXPECTED)
    rest: dict[str, Any] = {"is_difficult": (element.findtext("difficult") or "0").strip() not in ("", "0")}
    turned, upright = element.find("robndbox"), element.find("bndbox")
    if turned is not None and kind != "upright":
        names = [f"{axis}_{corner}" for corner in _CORNERS for axis in "xy"]
        return outlined(id, dior_label(name), xml_numbers(turned, names, file, EXPECTED), **rest)
    if upright is None or kind == "oriented":
        raise damaged(file, f"object {id} has no <{'robndbox' if kind == 'oriented' else 'bndbox'}>", EXPECTED)
    numbers = xml_numbers(upright, ("xmin", "ymin", "xmax", "ymax"), file, EXPECTED)
    return boxed(id, dior_label(name), numbers, **rest)


READERS = (
    Reader(
        "dior",
        "DIOR and DIOR-R: upright or oriented boxes of 20 classes, all objects annotated",
        LAYOUT,
        read_dior,
        source("upright"),
        {"boxes": "oriented, upright or auto (default: oriented where they are there)"},
    ),
)
