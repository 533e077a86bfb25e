"""Captions: UCM-captions, Sydney-captions (Qu et al. 2016) and RSICD (Lu et al. 2018), in Karpathy's format.

Every image has five sentences; RSICD fills missing ones by saying another twice. They are kept, as published scores
count them; `repeated="drop"` leaves out the copies. UCM-captions shows the images of UC Merced, taken to be numbered
from 1 through its classes in alphabetical order, and shares their leakage families.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from .reading import (
    checked_choice,
    checked_split,
    damaged,
    existing,
    field_of,
    leave_out,
    read_json,
    root_folder,
)
from .record import Reader, Record, Said, Source, Tally
from .rows import rows_of

UCM = Source("UCM-captions", "not stated", "Qu et al. 2016, Deep semantic understanding of high resolution images")
SYDNEY = Source(
    "Sydney-captions", "not stated", "Qu et al. 2016, Deep semantic understanding of high resolution images"
)
RSICD = Source("RSICD", "not stated", "Lu et al. 2018, Exploring models and data for remote sensing image captions")
LAYOUT = ("dataset.json (or dataset_NAME.json)", "imgs/1.tif (or images/)")
SPLITS = ("train", "val", "test")
_FILE = "an object with 'images': [{'filename', 'split', 'sentences': [{'raw', 'tokens'}]}]"
_IMAGE_FOLDERS = ("imgs", "images", "RSICD_images", "UCM_images", "Sydney_images")


def read_karpathy(
    source: Source,
    family: str,
    gsd_m: float | None,
    root: str | Path,
    *,
    split: str | None = None,
    tally: Tally | None = None,
    repeated: str = "keep",
) -> Iterator[Record]:
    """One record per image, in the order of the file; see `Reader.read`.

    Args:
        source: the dataset.
        family: beginning of the leakage families; "ucmerced" counts from 0.
        gsd_m: where it is known.
        root: folder of the dataset.
        split: "train", "val" or "test"; all by default.
        tally: counts what is left out.
        repeated: "keep" sentences that an image has twice, or "drop" the copies.
    """
    folder = root_folder(root, source.name, LAYOUT)
    checked_split(split, SPLITS, source.name)
    checked_choice("repeated", repeated, ("keep", "drop"))
    path = _dataset_file(folder, source.name)
    images = existing(folder, _IMAGE_FOLDERS, source.name)
    content = read_json(path, _FILE, dict)
    for index, entry in enumerate(rows_of(content, "images", path)):
        where = f"images[{index}]"
        name = field_of(entry, "filename", str, path, where)
        part = field_of(entry, "split", str, path, where)
        if part not in SPLITS:
            raise damaged(path, f"split is {part!r}", f"one of {', '.join(SPLITS)}", where)
        if split not in (None, part):
            continue
        image = images / name
        if not image.is_file():
            raise damaged(path, f"{str(image)!r} is missing", "an image for every entry", where)
        said = sentences_of(entry, path, where, tally, repeated)
        if not said:
            leave_out(tally, "image without sentences")
            continue
        number = image.stem
        if family == "ucmerced" and number.isdigit():
            number = str(int(number) - 1)
        yield Record(name, image, None, f"{family}:{number}", source, part, said=said, gsd_m=gsd_m)


def sentences_of(
    entry: Mapping[str, Any], path: Path, where: str, tally: Tally | None, repeated: str = "keep"
) -> tuple[Said, ...]:
    """The captions of one image: `raw`, else the tokens joined by spaces; spaces are tidied, nothing else.

    Raises:
        UsageError: no list of sentences, or a sentence without text and tokens.
    """
    said: list[Said] = []
    for index, sentence in enumerate(rows_of(entry, "sentences", path, where)):
        place = f"{where}, sentence {index}"
        if "raw" in sentence or "tokens" not in sentence:
            text = field_of(sentence, "raw", str, path, place)
        else:
            text = " ".join(map(str, field_of(sentence, "tokens", list, path, place)))
        text = " ".join(text.split())
        if not text:
            leave_out(tally, "empty sentence")
        elif repeated == "drop" and any(one.text == text for one in said):
            leave_out(tally, "repeated sentence")
        else:
            said.append(Said(str(index), "caption", text))
    return tuple(said)


def _dataset_file(folder: Path, dataset: str) -> Path:
    if (folder / "dataset.json").is_file():
        return folder / "dataset.json"
    found = sorted(folder.glob("dataset*.json"))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise UsageError(
            f"{str(folder)!r} holds several lists of captions ({names}); keep one of them or name it dataset.json"
        )
    return found[0] if found else existing(folder, ("dataset.json", "dataset_NAME.json"), dataset)


def _reader(name: str, about: str, source: Source, family: str, gsd_m: float | None) -> Reader:
    return Reader(
        name=name,
        about=about,
        layout=LAYOUT,
        read=partial(read_karpathy, source, family, gsd_m),
        source=source,
        options={"repeated": "keep (default) or drop sentences that an image has twice"},
    )


READERS = (
    _reader("ucm-captions", "2,100 images with 5 captions, 0.3 m", UCM, "ucmerced", 0.3048),
    _reader("sydney-captions", "613 images with 5 captions, 0.5 m", SYDNEY, "sydney", 0.5),
    _reader("rsicd", "10,921 images with 5 captions", RSICD, "rsicd", None),
)
