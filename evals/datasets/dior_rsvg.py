"""DIOR-RSVG: one upright box per expression on DIOR's images (Zhan et al. 2023).

What to know of its files (FORMATS 1.1). `train.txt` and the others list OBJECT counters, not images: all annotation
files in the order of their path, in each every <object> in turn. An object's split is told by its counter alone, so
the official split has objects of one image on several sides. `protocol="images"` gives splits without shared images:
val keeps only images without a training object, test only images without a training or validation object, train
stays as it is (so published checkpoints can be scored on it).

Split files from before June 2023 overlap, and an annotation file too few or too many shifts all counters behind it;
both are refused. Expressions repeat within an image ("a vehicle"): such a thing carries the attribute
`same_expression`.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import UsageError
from .dior import dior_label, xml_size
from .families import dior_family
from .quads import boxed
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
from .record import Reader, Record, Said, Source, Tally, Thing

LAYOUT = ("Annotations/00001.xml", "JPEGImages/00001.jpg", "{train,val,test}.txt (object counters)")
EXPECTED = "a DIOR-RSVG annotation: <annotation> with <object>, <name>, <bndbox> and <description>"
SPLITS = ("train", "val", "test")
PROTOCOLS = ("official", "images")
SOURCE = Source("DIOR-RSVG", "not stated", "Zhan et al. 2023")
_OBJECT = re.compile(rb"<object[\s/>]")


def read_dior_rsvg(
    root: str | Path,
    *,
    split: str | None = None,
    tally: Tally | None = None,
    protocol: str = "official",
    repeated: str = "keep",
    overlaps: str = "refuse",
) -> Iterator[Record]:
    """One record per image and split, images in the order of the file names; see `Reader.read`.

    A record holds the objects of its split; ids are "SPLIT/IMAGE". Expressions are lower-case with single spaces.

    Args:
        root: the dataset's folder.
        split: "train", "val" or "test"; None for all.
        tally: counts what is left out.
        protocol: "official", or "images" for splits that share no image.
        repeated: "drop" leaves out expressions that several objects of an image share, "keep" marks their things.
        overlaps: what to do when the split files share objects: "refuse", or "test-first" (an object counts as test,
            else as val, else as train).

    Raises:
        UsageError: a missing or damaged file, split files that overlap or don't fit the annotations.
    """
    base = root_folder(root, "DIOR-RSVG", LAYOUT)
    checked_split(split, SPLITS, "DIOR-RSVG")
    checked_choice("protocol", protocol, PROTOCOLS)
    checked_choice("repeated", repeated, ("keep", "drop"))
    checked_choice("overlaps", overlaps, ("refuse", "test-first"))
    files = sorted_files(base / "Annotations", (".xml",), EXPECTED)
    split_of = _splits(base, overlaps)
    counts = [len(_OBJECT.findall(file.read_bytes())) for file in files]
    _check_counters(base, split_of, sum(counts))
    start = 0
    for file, count in zip(files, counts, strict=True):
        splits = [split_of.get(start + index) for index in range(count)]
        start += count
        if split is None or split in splits:
            entries = _entries(file, count)
            for name in SPLITS if split is None else (split,):
                if (record := _record(base, file, entries, splits, name, (protocol, repeated), tally)) is not None:
                    yield record


def _splits(base: Path, overlaps: str) -> dict[int, str]:
    """Object counter -> split."""
    found: dict[int, str] = {}
    for name in SPLITS:
        path = existing(base, (f"{name}.txt",), "DIOR-RSVG")
        for number, line in read_lines(path, "one object counter a line"):
            if not line.isdecimal():
                raise damaged(path, repr(line), "one object counter a line", f"line {number}")
            other = found.get(int(line))
            if other is not None and overlaps == "refuse":
                raise UsageError(
                    f"{str(path)!r} line {number}: object {line} is in {other}.txt, too; get the split files of "
                    "June 2023 or later, or say overlaps='test-first'"
                )
            found[int(line)] = name
    return found


def _check_counters(base: Path, split_of: Mapping[int, str], total: int) -> None:
    last = max(split_of, default=-1)
    is_whole = len(split_of) == last + 1  # the official files list every object
    if last >= total or (is_whole and total != last + 1):
        raise UsageError(
            f"the split files of {str(base)!r} count objects up to {last}, but Annotations/ holds {total} objects; "
            "with a file too few or too many every later counter means another object: get a complete copy"
        )


@dataclass(frozen=True)
class _Annotation:
    """One file's objects: label, numbers of the box and expression of each."""

    stem: str
    filename: str
    size_wh: tuple[int, int] | None
    objects: tuple[tuple[str, list[float], str], ...]


def _entries(file: Path, count: int) -> _Annotation:
    tree = read_xml(file, EXPECTED)
    elements = tree.findall("object")
    if len(elements) != count:
        raise damaged(file, f"{count} times <object>, of which {len(elements)} are objects of the image", EXPECTED)
    objects = tuple(_object(file, index, element) for index, element in enumerate(elements))
    name = (tree.findtext("filename") or "").strip() or f"{file.stem}.jpg"
    return _Annotation(file.stem, name, xml_size(tree), objects)


def _object(file: Path, index: int, element: ET.Element) -> tuple[str, list[float], str]:
    """By tag, else by position (name, pose, box, description), which is how the authors' loader reads it."""
    where = f"object {index}"
    children = list(element)
    name = element.find("name")
    box = element.find("bndbox")
    text = element.find("description")
    name = children[0] if name is None and children else name
    box = children[2] if box is None and len(children) > 2 else box
    text = children[3] if text is None and len(children) > 3 else text
    if name is None or box is None or text is None or not (text.text or "").strip():
        raise damaged(file, "no name, box or description", EXPECTED, where)
    tags = ("xmin", "ymin", "xmax", "ymax")
    by_tag = [box.findtext(tag) for tag in tags]
    values = by_tag if None not in by_tag else [child.text for child in box[:4]]
    try:
        numbers = [float(value or "") for value in values]
        if len(numbers) != 4:
            raise ValueError
    except ValueError:
        raise damaged(file, f"a box of {values!r}", "<bndbox> with xmin, ymin, xmax, ymax", where) from None
    return dior_label(name.text or ""), numbers, " ".join((text.text or "").lower().split())


def _record(
    base: Path,
    file: Path,
    annotation: _Annotation,
    splits: Sequence[str | None],
    split: str,
    choices: tuple[str, str],
    tally: Tally | None,
) -> Record | None:
    """The record of one image in one split; None where it has nothing of it."""
    protocol, repeated = choices
    chosen = [index for index, name in enumerate(splits) if name == split]
    earlier = SPLITS[: SPLITS.index(split)]
    if chosen and protocol == "images" and any(name in earlier for name in splits):
        leave_out(tally, "image of an earlier split", len(chosen))
        return None
    uses = Counter(text for _, _, text in annotation.objects)
    things: list[Thing] = []
    said = []
    for index in chosen:
        label, numbers, text = annotation.objects[index]
        if uses[text] > 1 and repeated == "drop":
            leave_out(tally, "expression of several objects")
            continue
        attributes = {"same_expression": str(uses[text])} if uses[text] > 1 else {}
        thing = boxed(f"{index}", label, numbers, attributes)
        if thing is None:
            leave_out(tally, "box without area")
            continue
        things.append(thing)
        said.append(Said(f"{index}", "refer", text, things=(thing.id,)))
    if not things:
        return None
    images = base / "JPEGImages"
    return Record(
        id=f"{split}/{annotation.stem}",
        image=images / annotation.filename
        if (images / annotation.filename).is_file()
        else image_of(images, annotation.stem) or images / annotation.filename,
        size_wh=annotation.size_wh,
        family=dior_family(annotation.stem) or f"dior:{annotation.stem}",
        source=SOURCE,
        split=split,
        things=tuple(things),
        said=tuple(said),
    )


READERS = (
    Reader(
        "dior_rsvg",
        "DIOR-RSVG: one upright box per expression, the official split or one by images",
        LAYOUT,
        read_dior_rsvg,
        SOURCE,
        {
            "protocol": "official (objects of one image on several sides) or images (splits share no image)",
            "repeated": "keep or drop expressions that several objects of an image share",
            "overlaps": "refuse or test-first, where the split files share objects",
        },
    ),
)
