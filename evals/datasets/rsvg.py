"""RSVG: one box per expression (Sun et al. 2022, "GeoVG").

What to know of its files (FORMATS 1.2). A split is a list of tuples (image name, box, sentence, ...), written with
torch.save. Converters of others read the box as x0, y0, x1, y1; sibling files write x, y, width, height. A corner that
lies left of or above the first can only be a size, so one such box in any of the splits tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .pickles import read_torch_file
from .quads import boxed
from .reading import (
    checked_choice,
    checked_split,
    damaged,
    existing,
    floats,
    image_of,
    leave_out,
    read_json,
    root_folder,
    short,
)
from .record import Reader, Record, Said, Source, Tally, Thing

LAYOUT = ("images/*.jpg or *.png", "rsvg_{train,val,test}.pth (or the same lists as .json)")
EXPECTED = "a list of (image name, box of four numbers, sentence)"
SPLITS = ("train", "val", "test")
ORDERS = ("auto", "xyxy", "xywh")
SOURCE = Source("RSVG", "not stated", "Sun et al. 2022")

Row = tuple[str, tuple[float, ...], str]


def read_rsvg(
    root: str | Path, *, split: str | None = None, tally: Tally | None = None, order: str = "auto"
) -> Iterator[Record]:
    """One record per image of a split, in the order in which the images are first met; see `Reader.read`.

    Args:
        root: the dataset's folder.
        split: "train", "val" or "test"; None for all that are there. An image that two splits share is a record in
            each.
        tally: counts what is left out: boxes without area.
        order: of a box's numbers: "xyxy", "xywh" or "auto" (told from all splits that are there).

    Raises:
        UsageError: no list, or one that cannot be read.
    """
    base = root_folder(root, "RSVG", LAYOUT)
    checked_choice("order", order, ORDERS)
    checked_split(split, SPLITS, "RSVG")
    if split is not None:
        existing(base, (f"rsvg_{split}.pth", f"rsvg_{split}.json"), "RSVG")
    files = {name: path for name in SPLITS if (path := _list_file(base, name)) is not None}
    if not files:
        existing(base, ("rsvg_test.pth", "rsvg_test.json"), "RSVG")
    if order == "auto":
        every = [row for path in files.values() for row in _rows(path, path.stat().st_mtime_ns)]
        order = "xywh" if any(box[2] < box[0] or box[3] < box[1] for _, box, _ in every) else "xyxy"
    for name, path in files.items():
        if split in (None, name):
            yield from _records(base, name, _rows(path, path.stat().st_mtime_ns), order == "xywh", tally)


def _list_file(base: Path, split: str) -> Path | None:
    return next((path for end in ("pth", "json") if (path := base / f"rsvg_{split}.{end}").is_file()), None)


@lru_cache(maxsize=4)
def _rows(path: Path, _stamp: int) -> tuple[Row, ...]:
    content = read_json(path, EXPECTED, list) if path.suffix == ".json" else read_torch_file(path, EXPECTED)
    if not isinstance(content, list | tuple):
        raise damaged(path, f"it holds {short(content)}", EXPECTED)
    return tuple(_row(path, index, row) for index, row in enumerate(content))


def _row(path: Path, index: int, row: Any) -> Row:
    """Image, box and sentence, wherever in the tuple the box and the sentence stand."""
    parts = list(row) if isinstance(row, Sequence) and not isinstance(row, str) else []
    boxes = [box for part in parts[1:] if (box := floats(_listed(part), 4)) is not None]
    texts = [part for part in parts[1:] if isinstance(part, str)]
    if not boxes or not texts or not isinstance(parts[0], str):
        raise damaged(path, short(row), EXPECTED, f"entry {index}")
    return parts[0], tuple(boxes[0]), " ".join(texts[0].split())


def _listed(part: Any) -> Any:
    return part.reshape(-1).tolist() if isinstance(part, np.ndarray) else part


def _records(base: Path, split: str, rows: Sequence[Row], is_xywh: bool, tally: Tally | None) -> Iterator[Record]:
    of_image: dict[str, list[tuple[int, Row]]] = {}
    for index, row in enumerate(rows):
        of_image.setdefault(row[0], []).append((index, row))
    for name, entries in of_image.items():
        things: list[Thing] = []
        said = []
        for index, (_, box, sentence) in entries:
            x, y, *rest = box
            xyxy = (x, y, x + rest[0], y + rest[1]) if is_xywh else box
            thing = boxed(f"{index}", "", xyxy)
            if thing is None:
                leave_out(tally, "box without area")
                continue
            things.append(thing)
            said.append(Said(f"{index}", "refer", sentence, things=(thing.id,)))
        stem = Path(name).stem
        images = base / "images"
        yield Record(
            id=f"{split}/{stem}",
            image=images / name if (images / name).is_file() else image_of(images, stem) or images / name,
            size_wh=None,
            family=f"rsvg:{stem}",
            source=SOURCE,
            split=split,
            things=tuple(things),
            said=tuple(said),
        )


READERS = (
    Reader(
        "rsvg",
        "RSVG: one upright box per expression",
        LAYOUT,
        read_rsvg,
        SOURCE,
        {"order": "of a box's numbers: xyxy, xywh or auto (default: told from the data)"},
    ),
)
