"""COCO instances: any file of that format (COCO "data format: object detection").

Boxes are x, y, width, height; outlines are rings or run-length encodings, in some files as JSON text inside JSON. An
object in several parts keeps its largest ring and gets a mask of all of them. The format cannot say whether every
object is annotated, so that is told by an option.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import SurveyorError
from ...core.geometry import corners_to_box, min_area_rect, polygon_area
from ...core.masks import Mask
from ...tools.models.oracle import rings_of
from .families import dota_family
from .quads import boxed
from .reading import (
    checked_choice,
    checked_split,
    damaged,
    floats,
    leave_out,
    read_json,
    root_folder,
    short,
    sorted_files,
)
from .record import Reader, Record, Source, Tally, Thing, label_words

EXPECTED = "COCO instances: an object with the lists 'images', 'annotations' and 'categories'"
LAYOUT = ("FILE.json, or a folder with one .json file a split", "images/ beside it (or the images option)")


def read_coco(
    root: str | Path,
    *,
    split: str | None = None,
    tally: Tally | None = None,
    images: str | None = None,
    exhaustive: str = "no",
) -> Iterator[Record]:
    """One record per image, in the order of the file; see `Reader.read`.

    Args:
        root: a COCO instances file, or a folder of them: NAME.json is the split NAME.
        split: a file's name without .json; None for all files.
        tally: counts what is left out: crowd regions, boxes without area.
        images: folder of the images; by default `images` beside the file, else the file's own folder.
        exhaustive: "yes" where every object of every category is annotated, which the file cannot tell.

    Raises:
        UsageError: no such file, or one that is damaged; names the entry.
    """
    path = Path(root)
    checked_choice("exhaustive", exhaustive, ("yes", "no"))
    if path.is_file():
        checked_split(split, (path.stem,), f"{str(path)!r}")
        files = [path]
    else:
        files = sorted_files(root_folder(root, "COCO instances", LAYOUT), (".json",), EXPECTED)
        checked_split(split, [file.stem for file in files], f"{str(path)!r}")
    for file in files:
        if split in (None, file.stem):
            beside = file.parent / "images"
            folder = Path(images) if images else (beside if beside.is_dir() else file.parent)
            prefix = f"{file.stem}/" if len(files) > 1 else ""
            yield from instances(
                file,
                folder.joinpath,
                tally=tally,
                split=file.stem if len(files) > 1 else None,
                prefix=prefix,
                is_exhaustive=exhaustive == "yes",
            )


def instances(
    file: Path,
    image: Callable[[str], Path],
    *,
    tally: Tally | None = None,
    source: Source | None = None,
    label: Callable[[str], str] = label_words,
    family: Callable[[str], str] | None = None,
    split: str | None = None,
    prefix: str = "",
    is_exhaustive: bool = False,
) -> Iterator[Record]:
    """The records of a COCO instances file, in the order of its images.

    Args:
        file: the JSON file.
        image: file name -> path.
        tally: counts what is left out.
        source: of the records; by default what the file's `info` and `licenses` say.
        label: category name -> words.
        family: file name -> leakage family; by default DOTA's for DOTA's names, else by file name.
        split: of the records.
        prefix: of the record ids, before the file name's stem.
        is_exhaustive: every object of the categories is annotated. Categories that an image has crowd regions of are
            taken out of its `classes`.

    Raises:
        UsageError: not a COCO instances file, or damaged; names the entry.
    """
    data = read_json(file, EXPECTED, dict)
    for key in ("images", "annotations", "categories"):
        if not isinstance(data.get(key), list):
            raise damaged(file, f"no list {key!r}", EXPECTED)
    names = _ids(file, data["categories"], "categories", "name")
    files = _ids(file, data["images"], "images", "file_name")
    of_image: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for index, entry in enumerate(data["annotations"]):
        ids = [entry.get(key) for key in ("image_id", "category_id")] if isinstance(entry, dict) else [None]
        if not all(isinstance(id, int | str) for id in ids) or ids[0] not in files or ids[1] not in names:
            what = f"{short(entry)} is of no image or category that the file lists"
            raise damaged(file, what, EXPECTED, f"annotations[{index}]")
        of_image[entry["image_id"]].append(entry)
    labels = {key: label(name) for key, name in names.items()}
    about = source or _source(file, data)
    for entry in data["images"]:
        name = files[entry["id"]]
        things, crowded = _things(file, of_image[entry["id"]], labels, _size(entry), tally)
        yield Record(
            id=f"{prefix}{Path(name).with_suffix('').as_posix()}",
            image=image(name),
            size_wh=_size(entry),
            family=family(name) if family else dota_family(name) or f"{_word(about.name)}:{Path(name).stem}",
            source=about,
            split=split,
            things=things,
            is_exhaustive=is_exhaustive,
            classes=tuple(dict.fromkeys(v for v in labels.values() if v not in crowded)) if is_exhaustive else (),
        )


def _ids(file: Path, entries: list[Any], key: str, name: str) -> dict[Any, str]:
    found: dict[Any, str] = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), int | str) or not entry.get(name):
            raise damaged(file, f"{short(entry)} has no 'id' or no {name!r}", EXPECTED, f"{key}[{index}]")
        if entry["id"] in found:
            raise damaged(file, f"id {entry['id']!r} occurs twice", EXPECTED, f"{key}[{index}]")
        found[entry["id"]] = str(entry[name])
    return found


def _size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    size = floats((entry.get("width"), entry.get("height")), 2)
    return (int(size[0]), int(size[1])) if size and min(size) > 0 else None


def _source(file: Path, data: Mapping[str, Any]) -> Source:
    info = data.get("info") if isinstance(data.get("info"), dict) else {}
    assert isinstance(info, dict)
    licences = [
        str(entry["name"]) for entry in data.get("licenses") or () if isinstance(entry, dict) and "name" in entry
    ]
    stated = "; ".join(dict.fromkeys(licences)) or "not stated"
    return Source(str(info.get("description") or file.stem), stated, str(info.get("contributor") or ""))


def _word(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower()).strip("_")


def _things(
    file: Path,
    entries: Sequence[Mapping[str, Any]],
    labels: Mapping[Any, str],
    size_wh: tuple[int, int] | None,
    tally: Tally | None,
) -> tuple[tuple[Thing, ...], set[str]]:
    things: list[Thing] = []
    crowded = set()
    for index, entry in enumerate(entries):
        label = labels[entry["category_id"]]
        if entry.get("iscrowd"):
            crowded.add(label)
            leave_out(tally, "crowd region")
            continue
        id = str(entry.get("id", f"n{index}"))
        try:
            thing = _thing(id, label, entry, size_wh)
        except (SurveyorError, KeyError, TypeError, ValueError) as error:
            raise damaged(file, f"{error} in {short(entry)}", EXPECTED, f"annotation {id}") from None
        if thing is None:
            leave_out(tally, "box without area")
        else:
            things.append(thing)
    return tuple(things), crowded


def _thing(id: str, label: str, entry: Mapping[str, Any], size_wh: tuple[int, int] | None) -> Thing | None:
    outline = entry.get("segmentation")
    rings = tuple(ring for ring in rings_of(outline) if polygon_area(ring) > 0)
    given = floats(entry["bbox"], 4) if entry.get("bbox") is not None else None
    if given is None and entry.get("bbox") is not None:
        raise ValueError(f"bbox {short(entry['bbox'])} is not four numbers")
    if given is None and not outline:
        raise ValueError("neither a bbox nor a segmentation")
    box = np.array([given[0], given[1], given[0] + given[2], given[1] + given[3]]) if given else None
    if not rings:
        return boxed(id, label, box)
    points = np.concatenate(rings)
    if box is None or not (box[2:] > box[:2]).all():
        box = corners_to_box(points)
    if not (box[2:] > box[:2]).all():
        return None
    return Thing(id, label, box, min_area_rect(points), max(rings, key=polygon_area), _mask(outline, rings, size_wh))


def _mask(segmentation: Any, rings: Sequence[np.ndarray], size_wh: tuple[int, int] | None) -> Mask | None:
    """The pixels of a run-length encoding or of several rings together; None for one ring, which says it all."""
    if isinstance(segmentation, dict):
        return Mask.from_rle(segmentation)
    if len(rings) < 2 or size_wh is None:
        return None
    parts = [Mask.from_polygon(ring, size_wh[::-1]) for ring in rings]
    return reduce(Mask.union, parts)


READERS = (
    Reader(
        "coco",
        "any COCO instances file: boxes, outlines, masks",
        LAYOUT,
        read_coco,
        Source("COCO instances", "as the file states it"),
        {
            "images": "folder of the images (default: images/ beside the file)",
            "exhaustive": "yes where every object of every category is annotated (default: no)",
        },
    ),
)
