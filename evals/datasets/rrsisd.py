"""RRSIS-D: expressions with masks on DIOR's images (Liu et al. 2024, RMSIN).

What to know of its files (FORMATS 3.1). A segmentation is a list of run-length encodings, and their union is meant: two
that overlap count twice in loaders that sum them. Some images are 801 or 787 px high while every mask says 800 x 800;
the mask is then stretched to the image (nearest). `refs(unc).p` is a pickle and is opened by a reader that makes
nothing but plain values. Its images are DIOR's, and those of its test set lie in DIOR-RSVG's training set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...core.errors import UsageError
from ...core.masks import Mask
from ...core.regions import FloatArray
from .families import dior_family
from .label_images import rle_mask
from .pickles import read_plain_pickle
from .reading import (
    checked_split,
    damaged,
    existing,
    field_of,
    floats,
    image_size,
    leave_out,
    read_json,
    root_folder,
    short,
)
from .record import Reader, Record, Said, Source, Tally, Thing
from .rows import category_names, id_of, rows_of

SOURCE = Source("RRSIS-D", "not stated", "Liu et al. 2024, Rotated Multi-Scale Interaction Network for RRSIS")
LAYOUT = ("rrsisd/refs(unc).p", "rrsisd/instances.json", "images/rrsisd/JPEGImages/*.jpg")
SPLITS = ("train", "val", "test")
_REFS = "REFER's list of expressions: [{'ref_id', 'ann_id', 'image_id', 'file_name', 'split', 'sentences'}]"
_INSTANCES = "COCO instances: an object with 'images', 'annotations' and 'categories'"


def union_of_rles(segmentation: Any, size_wh: tuple[int, int]) -> Mask:
    """The union of a list of run-length encodings (or of one), stretched to the image where its size differs.

    Args:
        segmentation: {"size": [H, W], "counts": text} or a list of such.
        size_wh: of the image.

    Raises:
        UsageError: not run-length encodings.
    """
    parts = [segmentation] if isinstance(segmentation, Mapping) else segmentation
    if not isinstance(parts, list) or not parts or not all(isinstance(part, Mapping) for part in parts):
        raise UsageError(f"segmentation {short(segmentation)}, expected a list of run-length encodings")
    mask = rle_mask(parts[0])
    for part in parts[1:]:
        mask = mask.union(rle_mask(part))
    width, height = size_wh
    if mask.shape_hw == (height, width):
        return mask
    full = cv2.resize(mask.to_array().astype(np.uint8), size_wh, interpolation=cv2.INTER_NEAREST_EXACT)
    return Mask.from_array(full)


def read(root: str | Path, *, split: str | None = None, tally: Tally | None = None) -> Iterator[Record]:
    """One record per image (and split), in the order of the file names; see `Reader.read`."""
    folder = root_folder(root, SOURCE.name, LAYOUT)
    checked_split(split, SPLITS, SOURCE.name)
    refs_path = existing(folder, ("rrsisd/refs(unc).p", "refs(unc).p"), SOURCE.name)
    instances = existing(folder, ("rrsisd/instances.json", "instances.json"), SOURCE.name)
    images = existing(folder, ("images/rrsisd/JPEGImages", "JPEGImages"), SOURCE.name)
    annotations, labels = _annotations(instances)
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for index, ref in enumerate(_refs(refs_path)):
        name = field_of(ref, "file_name", str, refs_path, f"entry {index}")
        part = field_of(ref, "split", str, refs_path, f"entry {index}")
        if split is None or part == split or (split == "test" and "test" in part):  # testA, testB: as REFER reads it
            groups.setdefault((name, part), []).append(ref)
    files = [name for name, _ in groups]
    for (name, part), refs in sorted(groups.items()):
        image = images / name
        if not image.is_file():
            raise UsageError(f"{str(image)!r} is missing; {str(refs_path)!r} names it; copy or download it again")
        things, said = _entries(refs, annotations, labels, image, (refs_path, instances), tally)
        if said:
            yield Record(
                id=image.stem if files.count(name) == 1 else f"{image.stem}/{part}",
                image=image,
                size_wh=image_size(image),
                family=dior_family(name) or f"dior:{image.stem}",
                source=SOURCE,
                split=part,
                things=things,
                said=said,
            )


def _refs(path: Path) -> list[Mapping[str, Any]]:
    refs = read_plain_pickle(path, _REFS)
    if not isinstance(refs, list) or not all(isinstance(ref, dict) for ref in refs):
        raise damaged(path, f"it holds {short(refs)}", _REFS)
    return refs


def _annotations(path: Path) -> tuple[dict[Any, Mapping[str, Any]], dict[Any, str]]:
    content = read_json(path, _INSTANCES, dict)
    rows = enumerate(rows_of(content, "annotations", path))
    return {id_of(row, "id", path, f"annotations[{index}]"): row for index, row in rows}, category_names(content, path)


def _entries(
    refs: list[Mapping[str, Any]],
    annotations: Mapping[Any, Mapping[str, Any]],
    labels: Mapping[Any, str],
    image: Path,
    files: tuple[Path, Path],
    tally: Tally | None,
) -> tuple[tuple[Thing, ...], tuple[Said, ...]]:
    """Things and expressions of one image."""
    things: dict[str, Thing] = {}
    said = []
    for ref in refs:
        where = f"reference {ref.get('ref_id')!r}"
        row = annotations.get(id_of(ref, "ann_id", files[0], where))
        if row is None:
            leave_out(tally, "expression without annotation")
            continue
        thing_id = str(row["id"])
        if thing_id not in things:
            thing = _thing(thing_id, row, labels, image, files[1])
            if thing is None:
                leave_out(tally, "mask without pixels")
                continue
            things[thing_id] = thing
        for sentence in rows_of(ref, "sentences", files[0], where):
            text = " ".join(str(sentence.get("sent") or sentence.get("raw") or "").lower().split())
            if text:
                said.append(Said(f"{ref.get('ref_id')}/{sentence.get('sent_id')}", "refer", text, things=(thing_id,)))
            else:
                leave_out(tally, "expression without words")
    return tuple(things.values()), tuple(said)


def _thing(thing_id: str, row: Mapping[str, Any], labels: Mapping[Any, str], image: Path, path: Path) -> Thing | None:
    where = f"annotation {thing_id}"
    try:
        mask = union_of_rles(row.get("segmentation"), image_size(image))
    except UsageError as error:
        raise damaged(path, str(error), "a list of run-length encodings", where) from None
    if id_of(row, "category_id", path, where) not in labels:
        raise damaged(path, f"no category {row['category_id']!r}", "category ids from 'categories'", where)
    around = mask.box_px
    if around is None:
        return None
    return Thing(thing_id, labels[row["category_id"]], _box(row.get("bbox"), around), mask=mask)


def _box(xywh: Any, around: FloatArray) -> FloatArray:
    """The annotated box, given as x, y, width, height; else that of the mask."""
    given = floats(xywh, 4)
    if given is None or given[2] <= 0 or given[3] <= 0:
        return around
    x, y, w, h = given
    return np.array([x, y, x + w, y + h], dtype=np.float64)


READERS = (
    Reader(
        name="rrsisd",
        about="expressions with masks on DIOR images (17,402)",
        layout=LAYOUT,
        read=read,
        source=SOURCE,
    ),
)
