"""Pairs of images before and after with a change mask, in folders: LEVIR-CD's tree and whatever looks like it.

Files belong together by their name without suffix; "before" and "after" are told from folders, never by replacing
letters in a path. Masks may be 0/255 or 0/1, or hold several classes by value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...core.errors import UsageError
from ...core.masks import Mask
from .label_images import checked_size, checked_values, class_masks, first_channel, foreground
from .reading import IMAGE_SUFFIXES, damaged, image_of, image_size, read_lines, root_folder, sorted_files
from .record import Reader, Record, Source, Tally, label_words

SOURCE = Source("before/after folders", "not stated")
LAYOUT = (
    "before/NAME.png, after/NAME.png and label/NAME.png (or A, B and label; T1, T2 and mask; ...)",
    "or {train,val,test}/ with those folders in it",
    "or those folders and list/{train,val,test}.txt with a file name a line",
)
SPLITS = ("train", "val", "test")
_CROP = re.compile(r"_\d{3,5}_\d{3,5}$")  # where a crop was cut from its scene: test_121_0768_0256
BEFORE = ("before", "A", "T1", "im1", "image1", "time1", "pre", "pre_change", "imageA")
AFTER = ("after", "B", "T2", "im2", "image2", "time2", "post", "post_change", "imageB")
LABEL = ("label", "labels", "mask", "masks", "change", "changes", "cd", "gt", "OUT")


@dataclass(frozen=True)
class PairFiles:
    """Files of one pair; `label` is None in a tree without masks."""

    name: str
    split: str | None
    before: Path
    after: Path
    label: Path | None


def pair_files(
    root: Path,
    dataset: str,
    split: str | None = None,
    before: Sequence[str] = BEFORE,
    after: Sequence[str] = AFTER,
    label: Sequence[str] = LABEL,
) -> Iterator[PairFiles]:
    """The pairs of a tree, splits first, then the order of the names (of the list, where there are lists).

    Args:
        root: folder of the dataset.
        dataset: its name, for errors.
        split: as published; all by default. A tree without splits has None only.
        before, after, label: names that the folders may have, in any case of letters.

    Raises:
        UsageError: folders are missing, a file has no partner, or no such split.
    """
    folders = [(part, root / part) for part in SPLITS if (root / part).is_dir()]
    lists = [(part, root / "list" / f"{part}.txt") for part in SPLITS if (root / "list" / f"{part}.txt").is_file()]
    known = [part for part, _ in (folders or lists)]
    if split is not None and split not in known:
        raise UsageError(
            f"{str(root)!r} has no split {split!r}; it has {', '.join(known) or 'no splits'}; "
            f"expected {'; '.join(LAYOUT)}"
        )
    if folders:
        for part, folder in folders:
            if split in (None, part):
                yield from _in_folder(folder, dataset, part, (before, after, label), None)
    elif lists:
        for part, path in lists:
            if split in (None, part):
                names = [Path(line.split()[0]).stem for _, line in read_lines(path, "a file name a line")]
                yield from _in_folder(root, dataset, part, (before, after, label), names)
    else:
        yield from _in_folder(root, dataset, None, (before, after, label), None)


def read(
    root: str | Path,
    *,
    split: str | None = None,
    tally: Tally | None = None,
    classes: str = "any",
    before: str = "",
    after: str = "",
    label: str = "",
) -> Iterator[Record]:
    """One record per pair, in the order of the names; see `Reader.read`.

    The leakage family is the name; crops of one scene (NAME_0768_0256) are one family.

    Args:
        root: folder of the dataset.
        split: "train", "val" or "test" where the tree has splits.
        tally: counts what is left out.
        classes: what the mask tells: a class name ("building"; "any" by default), or values with classes:
            "128=road,255=building".
        before, after, label: names of the folders, where they are none of the usual.
    """
    folder = root_folder(root, SOURCE.name, LAYOUT)
    named = _classes(classes)
    names = [((given,) if given else usual) for given, usual in ((before, BEFORE), (after, AFTER), (label, LABEL))]
    for pair in pair_files(folder, SOURCE.name, split, *names):
        scene = _CROP.sub("", pair.name)
        yield pair_record(pair, SOURCE, f"{folder.resolve().name}:{scene}", named)


def pair_record(
    pair: PairFiles,
    source: Source,
    family: str,
    classes: str | Mapping[int, str],
    gsd_m: float | None = None,
) -> Record:
    """The record of a pair, its mask read and checked.

    Args:
        pair: its files.
        source: the dataset.
        family: leakage family.
        classes: the class of a two-valued mask, or value -> class (0 is no change); then "any" is told, too.
        gsd_m: where it is known.

    Raises:
        UsageError: files differ in size, or the mask holds other values.
    """
    size = image_size(pair.before)
    if image_size(pair.after) != size:
        width, height = image_size(pair.after)
        raise UsageError(
            f"{str(pair.after)!r} is {width} x {height} px and {str(pair.before)!r} {size[0]} x {size[1]} px; "
            "expected images of equal size that show the same ground"
        )
    changed: dict[str, Mask] = {}
    if pair.label is not None:
        changed = _changed(pair.label, classes)
        checked_size(pair.label, next(iter(changed.values())).shape_hw, pair.before, size)
    told = {classes} - {"any"} if isinstance(classes, str) else set(classes.values())
    return Record(
        id=pair.name if pair.split is None else f"{pair.split}/{pair.name}",
        image=pair.before,
        size_wh=size,
        family=family,
        source=source,
        split=pair.split,
        after=pair.after,
        is_exhaustive=pair.label is not None,
        classes=tuple(sorted(told)) if pair.label is not None else (),
        gsd_m=gsd_m,
        changed=changed,
    )


def _changed(path: Path, classes: str | Mapping[int, str]) -> dict[str, Mask]:
    """Class -> changed pixels; every class is there, empty where nothing changed, so that "none" is told."""
    if isinstance(classes, str):
        return {classes: Mask.from_array(foreground(path))}
    values = first_channel(path)
    told = ", ".join(f"{value} ({name})" for value, name in classes.items())
    checked_values(path, values, (0, *classes), f"0 (no change), {told} in the first channel")
    found = class_masks(values, classes)
    empty = Mask.from_array(values[:0], shape_hw=values.shape)
    return {name: found.get(name, empty) for name in classes.values()} | {"any": Mask.from_array(values)}


def _classes(text: str) -> str | dict[int, str]:
    if "=" not in text:
        return label_words(text)
    found = {}
    for part in text.split(","):
        value, _, name = part.partition("=")
        if not value.strip().isdigit() or not name.strip() or int(value) == 0:
            raise UsageError(f"classes={text!r} cannot be read; expected a class name or '128=road,255=building'")
        found[int(value)] = label_words(name)
    return found


# ---- files ------------------------------------------------------------------------------------------------------


def _in_folder(
    folder: Path, dataset: str, split: str | None, names: Sequence[Sequence[str]], wanted: Sequence[str] | None
) -> Iterator[PairFiles]:
    before, after = (_subfolder(folder, names[i], dataset) for i in (0, 1))
    if before is None or after is None:
        missing = names[0] if before is None else names[1]
        raise UsageError(
            f"{str(folder)!r} is no complete copy of {dataset}: it has none of the folders {', '.join(missing)}; "
            f"expected {'; '.join(LAYOUT)}"
        )
    label = _subfolder(folder, names[2], dataset)
    if wanted is None:
        firsts = sorted_files(before, IMAGE_SUFFIXES, "the earlier images")
    else:
        firsts = [_partner(before, name, folder / "list") for name in wanted]
    stems = {path.stem for path in firsts}
    if wanted is None:
        for path in sorted_files(after, IMAGE_SUFFIXES, "the later images"):
            if path.stem not in stems:
                raise damaged(path, f"its earlier image is missing in {str(before)!r}", "pairs of equal names")
    for path in firsts:
        second = _partner(after, path.stem, path)
        mask = _partner(label, path.stem, path) if label is not None else None
        yield PairFiles(path.stem, split, path, second, mask)


def _subfolder(folder: Path, names: Sequence[str], dataset: str) -> Path | None:
    """The one folder that has one of the names, in any case of letters."""
    there = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir()}
    found = [there[name.lower()] for name in names if name.lower() in there]
    if len(found) > 1:
        both = " and ".join(repr(path.name) for path in found[:2])
        raise UsageError(f"{str(folder)!r} holds {both}, which may both be meant; name the folders by options")
    return found[0] if found else None


def _partner(folder: Path, stem: str, of: Path) -> Path:
    path = image_of(folder, stem)
    if path is None:
        raise damaged(of, f"{str(folder / stem)!r} (.png, .tif, ...) is missing", "pairs of equal names")
    return path


READERS = (
    Reader(
        name="pairs",
        about="pairs before/after with change masks, in folders",
        layout=LAYOUT,
        read=read,
        source=SOURCE,
        options={
            "classes": "what the masks tell: a class name, or '128=road,255=building' (default: any)",
            "before": "name of the folder of earlier images",
            "after": "name of the folder of later images",
            "label": "name of the folder of masks",
        },
    ),
)
