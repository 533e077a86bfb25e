"""Scene classes in folders: AID (Xia et al. 2017), NWPU-RESISC45 (Cheng et al. 2017), UC Merced (Yang and Newsam 2010).

The folder is the class. Names come as "BareLand", "bare_land" or "baseballdiamond": compare them by `scene_key`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...core.errors import UsageError
from .reading import IMAGE_SUFFIXES, damaged, leave_out, read_lines, root_folder, sorted_files
from .record import Reader, Record, Said, Source, Tally, label_words

SPLITS = ("train", "val", "test")
UCMERCED_CLASSES = (
    "agricultural airplane baseballdiamond beach buildings chaparral denseresidential forest freeway golfcourse harbor "
    "intersection mediumresidential mobilehomepark overpass parkinglot river runway sparseresidential storagetanks "
    "tenniscourt"
).split()


@dataclass(frozen=True)
class _Kind:
    """Where the folders of a dataset are."""

    source: Source
    folders: tuple[str, ...]
    lists: str
    family: str
    gsd_m: float | None

    @property
    def layout(self) -> tuple[str, ...]:
        """The files it expects."""
        return (
            f"{self.folders[0]}/CLASS/IMAGE",
            f"{self.lists}-{{train,val,test}}.txt with a file name a line (optional)",
        )


AID = _Kind(Source("AID", "not stated", "Xia et al. 2017, AID"), ("AID", "."), "aid", "aid", None)
RESISC45 = _Kind(
    Source("NWPU-RESISC45", "not stated", "Cheng et al. 2017, Remote sensing image scene classification"),
    ("NWPU-RESISC45", "."),
    "resisc45",
    "resisc45",
    None,
)
UCMERCED = _Kind(
    Source("UC Merced Land Use", "public domain (USGS imagery)", "Yang and Newsam 2010, Bag-of-visual-words"),
    ("UCMerced_LandUse/Images", "Images", "."),
    "uc_merced",
    "ucmerced",
    0.3048,
)


def scene_key(name: str) -> str:
    """A class name for comparing: lower case, letters and digits only.

    Example:
        >>> scene_key("BareLand") == scene_key("bare_land.") == scene_key("Bare Land")
        True
        >>> scene_key("airplane") == scene_key("Airport")
        False
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def scene_classes(root: str | Path, kind: _Kind) -> list[str]:
    """All classes (folders) of a dataset, as words, in alphabetical order."""
    return [
        label_words(folder.name) for folder in _class_folders(root_folder(root, kind.source.name, kind.layout), kind)
    ]


def read_scenes(
    kind: _Kind, root: str | Path, *, split: str | None = None, tally: Tally | None = None
) -> Iterator[Record]:
    """One record per image, in the order of classes and names; see `Reader.read`.

    Args:
        kind: the dataset.
        root: its folder.
        split: "train", "val" or "test", where lists of them lie in the folder.
        tally: counts what is left out: images in no list.
    """
    folder = root_folder(root, kind.source.name, kind.layout)
    classes = _class_folders(folder, kind)
    lists = _lists(folder, classes[0].parent, kind)
    if split is not None and split not in lists.values():
        known = ", ".join(sorted(set(lists.values())))
        missing = f"{kind.lists}-{split}.txt"
        raise UsageError(
            f"{str(folder)!r} has no split {split!r} ({'it has ' + known if known else 'it has no lists'}); "
            f"expected {missing!r} in it, with a file name a line"
        )
    left = dict(lists)
    for place in classes:
        for image in sorted_files(place, IMAGE_SUFFIXES, f"the images of class {place.name!r}"):
            part = lists.get(image.name)
            left.pop(image.name, None)
            if lists and part is None:
                leave_out(tally, "image in no list")
            elif split in (None, part):
                yield _record(image, part, kind)
    if left:
        name, part = next(iter(left.items()))
        where = folder / f"{kind.lists}-{part}.txt"
        raise damaged(where, f"{name!r} is in none of the folders", f"images of {kind.source.name}")


def _record(image: Path, part: str | None, kind: _Kind) -> Record:
    number = image.stem
    if kind is UCMERCED and image.parent.name in UCMERCED_CLASSES:
        digits = re.sub(r"\D", "", image.stem)
        number = str(UCMERCED_CLASSES.index(image.parent.name) * 100 + int(digits)) if digits else number
    said = Said("scene", "scene", "", answer=label_words(image.parent.name))
    name = f"{image.parent.name}/{image.stem}"
    return Record(name, image, None, f"{kind.family}:{number}", kind.source, part, said=(said,), gsd_m=kind.gsd_m)


def _class_folders(folder: Path, kind: _Kind) -> Sequence[Path]:
    place = next(folder / name for name in kind.folders if (folder / name).is_dir())
    found = [path for path in place.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]
    if not found:
        raise UsageError(f"{str(place)!r} holds no folders of classes; expected {'; '.join(kind.layout)}")
    return sorted(found, key=lambda path: path.name)


def _lists(folder: Path, place: Path, kind: _Kind) -> dict[str, str]:
    """File name -> split; empty where there are no lists."""
    found: dict[str, str] = {}
    for part in SPLITS:
        for path in (folder / f"{kind.lists}-{part}.txt", place / f"{kind.lists}-{part}.txt"):
            if path.is_file():
                for number, line in read_lines(path, "a file name a line"):
                    name = line.replace("\\", "/").rsplit("/", 1)[-1]
                    if found.setdefault(name, part) != part:
                        other = f"{name!r} is in the list of {found[name]}, too"
                        raise damaged(path, other, "disjoint lists", f"line {number}")
                break
    return found


def _reader(name: str, about: str, kind: _Kind) -> Reader:
    return Reader(name=name, about=about, layout=kind.layout, read=partial(read_scenes, kind), source=kind.source)


READERS = (
    _reader("aid", "10,000 images of 30 scene classes", AID),
    _reader("resisc45", "31,500 images of 45 scene classes", RESISC45),
    _reader("ucmerced", "2,100 images of 21 scene classes, 0.3 m", UCMERCED),
)
