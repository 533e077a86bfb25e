"""LEVIR-CD (Chen and Shi 2020), LEVIR-CC (Liu et al. 2022), LEVIR-MCI (Liu et al. 2024): changed buildings and roads.

What to know of the files (FORMATS 4.1 to 4.3). A mask says *changed*, never built or demolished. LEVIR-MCI's masks are
colour images whose first channel tells: 128 road, 255 building. A record is one pair of LEVIR-CD's 1024 px scenes, of
crops of them (test_121_0768_0256: family levir:test_121), or of LEVIR-CC's 256 px crops. The latter were numbered
anew, so their names do not tell which LEVIR-CD scene they show: `levir_cd=FOLDER` looks their pixels up in that
dataset, without it a crop is a family of its own and only the published splits of one dataset keep ground apart.
`changeflag` and mask do not always agree: the captions' `type` is the flag in words ("change", "no change"), and
`conflicts="drop"` leaves out the pairs where they differ.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .captions import sentences_of
from .label_images import read_labels
from .pairs import PairFiles, pair_files, pair_record
from .reading import checked_choice, checked_split, damaged, existing, field_of, leave_out, read_json, root_folder
from .record import Reader, Record, Source, Tally
from .rows import rows_of

CD = Source("LEVIR-CD", "academic use only (Google Earth imagery)", "Chen and Shi 2020, STANet")
MCI = Source("LEVIR-MCI", "academic use only (Google Earth imagery)", "Liu et al. 2024, Change-Agent")
CD_LAYOUT = (
    "{train,val,test}/{A,B,label}/train_1.png",
    "or {A,B,label}/NAME.png and list/{train,val,test}.txt with a name a line",
)
MCI_LAYOUT = (
    "LevirCCcaptions.json",
    "images/{train,val,test}/{A,B}/train_000001.png",
    "images/{train,val,test}/label/train_000001.png (LEVIR-MCI; LEVIR-CC has none)",
)
SPLITS = ("train", "val", "test")
MCI_CLASSES = {128: "road", 255: "building"}
NO_CHANGE = (
    "the scene is the same as before",
    "there is no difference",
    "the two scenes seem identical",
    "no change has occurred",
    "almost nothing has changed",
)
"""The sentences that all pairs without change have."""
_FOLDERS = (("A",), ("B",), ("label",))
_CROP_PX = 256
_SCENE = re.compile(r"((?:train|val|test)_\d+)")
_CAPTIONS = "an object with 'images': [{'filename', 'split', 'changeflag', 'sentences'}]"


def levir_family(stem: str) -> str:
    """The LEVIR-CD scene of a pair or of a crop of it.

    Example:
        >>> levir_family("train_12"), levir_family("test_121_0768_0256")
        ('levir:train_12', 'levir:test_121')
    """
    found = _SCENE.match(stem)
    return f"levir:{found[1] if found else stem}"


def read_cd(root: str | Path, *, split: str | None = None, tally: Tally | None = None) -> Iterator[Record]:
    """One record per pair, in the order of the names (of the lists, where there are lists); see `Reader.read`."""
    folder = root_folder(root, CD.name, CD_LAYOUT)
    checked_split(split, SPLITS, CD.name)
    for pair in pair_files(folder, CD.name, split, *_FOLDERS):
        if pair.label is None:
            existing(pair.before.parents[1], ("label",), CD.name)
        yield pair_record(pair, CD, levir_family(pair.name), "building", gsd_m=0.5)


def read_mci(
    root: str | Path,
    *,
    split: str | None = None,
    tally: Tally | None = None,
    conflicts: str = "keep",
    levir_cd: str = "",
) -> Iterator[Record]:
    """One record per pair, in the order of the names; see `Reader.read`.

    Args:
        root: folder of the dataset.
        split: "train", "val" or "test"; all by default.
        tally: counts what is left out.
        conflicts: "keep", or "drop" the pairs whose `changeflag` says otherwise than their mask.
        levir_cd: folder of LEVIR-CD, to find the scene of each crop by its pixels; reads all of its earlier images.
    """
    folder = root_folder(root, MCI.name, MCI_LAYOUT)
    checked_split(split, SPLITS, MCI.name)
    checked_choice("conflicts", conflicts, ("keep", "drop"))
    images = existing(folder, ("images",), MCI.name)
    if split is not None:
        existing(images, (split,), MCI.name)
    captions_path = existing(folder, ("LevirCCcaptions.json",), MCI.name)
    captions = _captions(captions_path)
    scenes = crop_families(levir_cd) if levir_cd else {}
    for pair in pair_files(images, MCI.name, split, *_FOLDERS):
        entry = captions.get(pair.name)
        if entry is None:
            raise damaged(captions_path, f"no entry for {pair.before.name!r}", "captions of every pair")
        record = _mci_record(pair, entry, captions_path, tally)
        if scenes:
            record = replace(record, family=scenes.get(_digest(read_labels(pair.before)), record.family))
        if conflicts == "drop" and is_conflict(record):
            leave_out(tally, "changeflag and mask differ")
            continue
        yield record


def crop_families(root: str | Path) -> dict[bytes, str]:
    """Digest of the pixels of each 256 px crop (on a grid, of the earlier image) of LEVIR-CD -> leakage family.

    Crops that several scenes have (all black, for one) tell nothing and are not in it.
    """
    folder = root_folder(root, CD.name, CD_LAYOUT)
    found: dict[bytes, set[str]] = {}
    for pair in pair_files(folder, CD.name, None, *_FOLDERS):
        pixels = read_labels(pair.before)
        for y in range(0, pixels.shape[0] - _CROP_PX + 1, _CROP_PX):
            for x in range(0, pixels.shape[1] - _CROP_PX + 1, _CROP_PX):
                crop = pixels[y : y + _CROP_PX, x : x + _CROP_PX]
                found.setdefault(_digest(crop), set()).add(levir_family(pair.name))
    return {digest: next(iter(families)) for digest, families in found.items() if len(families) == 1}


def _digest(pixels: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(pixels[..., :3]).tobytes()).digest()


def is_conflict(record: Record) -> bool:
    """Whether the captions say "change" and the mask is empty, or the other way round; False without mask."""
    if "any" not in record.changed or not record.said:
        return False
    return (record.said[0].type == "change") != (record.changed["any"].area_px > 0)


def _mci_record(pair: PairFiles, entry: Mapping[str, Any], path: Path, tally: Tally | None) -> Record:
    record = pair_record(pair, MCI, f"levir-mci:{pair.name}", MCI_CLASSES, gsd_m=0.5)
    where = f"entry {pair.name!r}"
    flag = field_of(entry, "changeflag", int, path, where)
    if flag not in (0, 1):
        raise damaged(path, f"changeflag is {flag!r}", "0 or 1", where)
    said = sentences_of(entry, path, where, tally)
    return replace(record, said=tuple(replace(one, type="change" if flag else "no change") for one in said))


def _captions(path: Path) -> dict[str, Mapping[str, Any]]:
    """Name without suffix -> entry."""
    content = read_json(path, _CAPTIONS, dict)
    entries = {}
    for index, entry in enumerate(rows_of(content, "images", path)):
        entries[Path(field_of(entry, "filename", str, path, f"images[{index}]")).stem] = entry
    return entries


READERS = (
    Reader(
        name="levir-cd",
        about="changed buildings, 637 pairs, 0.5 m",
        layout=CD_LAYOUT,
        read=read_cd,
        source=CD,
    ),
    Reader(
        name="levir-mci",
        about="changed buildings and roads with captions (LEVIR-CC: captions only), 10,077 pairs, 0.5 m",
        layout=MCI_LAYOUT,
        read=read_mci,
        source=MCI,
        options={
            "conflicts": "keep (default) or drop pairs whose changeflag says otherwise than their mask",
            "levir_cd": "folder of LEVIR-CD, to find the scene of each crop by its pixels",
        },
    ),
)
