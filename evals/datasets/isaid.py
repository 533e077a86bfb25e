"""iSAID: instance masks on DOTA's images (Waqas Zamir et al. 2019), whole images or 800 px patches.

What to know of its files (FORMATS 3.3). The instance image gives every object a 24-bit colour of its own: all three
channels are needed. The class image gives the class by colour. Patches are named P0003_Y0_Y1_X0_X1 with y first, whole
images keep their plain name. The COCO file exists under two names, lists its categories as they were first met (so
they are looked up by id), and its polygons have no holes and lose pixels at the border: where both are there, the
instance images are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import UsageError
from ...core.masks import Mask
from .families import dota_family
from .label_images import checked_size, colours, numbered_masks, rle_mask
from .reading import (
    checked_choice,
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
    sorted_files,
)
from .record import Reader, Record, Source, Tally, Thing
from .rows import Row, category_names, id_of, rows_of

SOURCE = Source("iSAID", "academic use only (DOTA and Google Earth terms)", "Waqas Zamir et al. 2019, iSAID")
LAYOUT = (
    "{train,val}/images/P0002.png (or patches P0003_Y0_Y1_X0_X1.png)",
    "{train,val}/images/P0002_instance_id_RGB.png and P0002_instance_color_RGB.png, or in Instance_masks/images and "
    "Semantic_masks/images",
    "or {train,val}/instancesonly_filtered_{train,val}.json",
)
SPLITS = ("train", "val")
COLOURS = {
    (0, 0, 63): "ship",
    (0, 63, 63): "storage tank",
    (0, 63, 0): "baseball diamond",
    (0, 63, 127): "tennis court",
    (0, 63, 191): "basketball court",
    (0, 63, 255): "ground track field",
    (0, 127, 63): "bridge",
    (0, 127, 127): "large vehicle",
    (0, 0, 127): "small vehicle",
    (0, 0, 191): "helicopter",
    (0, 0, 255): "swimming pool",
    (0, 191, 127): "roundabout",
    (0, 127, 191): "soccer ball field",
    (0, 127, 255): "plane",
    (0, 100, 155): "harbor",
}
"""Red, green, blue of the class images -> class."""
CLASSES = tuple(COLOURS.values())
_LABEL_OF = {red + 256 * green + 65536 * blue: name for (red, green, blue), name in COLOURS.items()}
_PATCH = re.compile(r"(P\d{4,5})_(\d+)_(\d+)_(\d+)_(\d+)$")
_INSTANCE, _CLASS = "_instance_id_RGB", "_instance_color_RGB"
_COCO = "COCO instances: an object with 'images', 'annotations' and 'categories'"


def patch_window(stem: str) -> tuple[str, tuple[int, int, int, int]] | None:
    """(scene, (x0, y0, x1, y1) px in it) of a patch's name, which tells y first; None for a whole image.

    Example:
        >>> patch_window("P0003_0_800_347_1147"), patch_window("P0003")
        (('P0003', (347, 0, 1147, 800)), None)
    """
    found = _PATCH.match(stem)
    if not found:
        return None
    y0, y1, x0, x1 = (int(number) for number in found.groups()[1:])
    return found[1], (x0, y0, x1, y1)


def read(
    root: str | Path, *, split: str | None = None, tally: Tally | None = None, annotations: str = "best"
) -> Iterator[Record]:
    """One record per image or patch, in the order of the names; see `Reader.read`.

    Args:
        root: folder of the dataset.
        split: "train" or "val"; both by default. The test set has no labels.
        tally: counts what is left out.
        annotations: "masks" (instance images), "coco", or "best": masks where they are, else coco.
    """
    folder = root_folder(root, SOURCE.name, LAYOUT)
    checked_split(split, SPLITS, SOURCE.name)
    checked_choice("annotations", annotations, ("best", "masks", "coco"))
    parts = [part for part in SPLITS if (folder / part).is_dir()]
    if split is not None or not parts:
        parts = [existing(folder, (split or "train",), SOURCE.name).name]
    for part in parts:
        coco = _coco_file(folder / part, part)
        masks = _instance_images(folder / part)
        if annotations == "coco" or (annotations == "best" and not masks and coco is not None):
            coco = coco or existing(folder / part, _coco_names(part), SOURCE.name)
            yield from _read_coco(coco, _images(folder / part), part, tally)
        elif masks:
            yield from _read_masks(masks, _images(folder / part), part, tally)
        else:
            raise UsageError(f"{str(folder / part)!r} is no complete copy of iSAID; expected {'; '.join(LAYOUT)}")


def _images(folder: Path) -> Path:
    return existing(folder, ("images/images", "images"), SOURCE.name)


def _coco_names(part: str) -> tuple[str, ...]:
    return (
        f"instancesonly_filtered_{part}.json",
        f"instance_only_filtered_{part}.json",
        f"Annotations/iSAID_{part}.json",
        f"iSAID_{part}.json",
    )


def _coco_file(folder: Path, part: str) -> Path | None:
    return next((folder / name for name in _coco_names(part) if (folder / name).is_file()), None)


def _instance_images(folder: Path) -> list[Path]:
    """The instance images of a split; [] when there are none."""
    for place in (folder / "Instance_masks" / "images", folder / "Instance_masks", folder / "images"):
        if place.is_dir():
            found = [path for path in sorted_files(place, (".png",), "images") if path.stem.endswith(_INSTANCE)]
            if found:
                return found
    return []


# ---- instance images --------------------------------------------------------------------------------------------


def _read_masks(paths: list[Path], images: Path, part: str, tally: Tally | None) -> Iterator[Record]:
    for path in paths:
        stem = path.stem.removesuffix(_INSTANCE)
        image = images / f"{stem}.png"
        if not image.is_file():
            raise damaged(path, f"its image {str(image)!r} is missing", "an image for every instance image")
        numbers = colours(path, "an RGB image with a colour for each object")
        checked_size(path, numbers.shape, image, image_size(image))
        classes_path = _class_image(path, stem)
        classes = colours(classes_path, "an RGB image with a colour for each class")
        checked_size(classes_path, classes.shape, path, (numbers.shape[1], numbers.shape[0]))
        things = []
        for number, mask in numbered_masks(numbers):
            label = _label_under(mask, classes, classes_path, number)
            if label is None:
                leave_out(tally, "object on the background of the class image")
            else:
                things.append(_thing(str(number), label, mask))
        yield _record(image, part, tuple(things))


def _class_image(path: Path, stem: str) -> Path:
    name = f"{stem}{_CLASS}.png"
    folders = [path.parent]
    if "Instance_masks" in path.parts:  # the folder that came apart in the download, not one above the dataset
        split_folder = path.parent if path.parent.name == "Instance_masks" else path.parent.parent
        below = path.parent.relative_to(split_folder)
        folders.append(split_folder.parent / "Semantic_masks" / below)
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise damaged(path, f"there is no {name!r} beside it", "a class image for every instance image")


def _label_under(mask: Mask, classes: np.ndarray, path: Path, number: int) -> str | None:
    """The class of most of the mask's pixels; None where that is the background."""
    (x0, y0), (h, w) = mask.offset_xy, mask.crop.shape
    values, counts = np.unique(classes[y0 : y0 + h, x0 : x0 + w][mask.crop], return_counts=True)
    value = int(values[np.argmax(counts)])
    if value == 0:
        return None
    if value not in _LABEL_OF:
        colour = (value & 255, value >> 8 & 255, value >> 16)
        raise damaged(path, f"colour {colour!r} is no class", "the colours of iSAID's 15 classes", f"object {number}")
    return _LABEL_OF[value]


# ---- COCO -------------------------------------------------------------------------------------------------------


def _read_coco(path: Path, images: Path, part: str, tally: Tally | None) -> Iterator[Record]:
    content = read_json(path, _COCO, dict)
    names = category_names(content, path)
    rows: dict[int | str, list[Row]] = {}
    for index, row in enumerate(rows_of(content, "annotations", path)):
        rows.setdefault(id_of(row, "image_id", path, f"annotations[{index}]"), []).append(row)
    entries = rows_of(content, "images", path)
    for index, entry in enumerate(entries):
        field_of(entry, "file_name", str, path, f"images[{index}]")
        id_of(entry, "id", path, f"images[{index}]")
    for entry in sorted(entries, key=lambda entry: str(entry["file_name"])):
        image = images / entry["file_name"]
        width, height = (field_of(entry, key, int, path, f"image {entry.get('id')!r}") for key in ("width", "height"))
        things = []
        for row in rows.get(entry["id"], ()):
            where = f"annotation {row.get('id')!r}"
            if id_of(row, "category_id", path, where) not in names:
                raise damaged(path, f"no category {row['category_id']!r}", "category ids from 'categories'", where)
            mask = _polygons(row.get("segmentation"), (height, width), path, where)
            if mask.area_px:
                things.append(_thing(str(row.get("id")), names[row["category_id"]], mask))
            else:
                leave_out(tally, "outline without pixels")
        yield _record(image, part, tuple(things), (width, height))


def _polygons(segmentation: Any, shape_hw: tuple[int, int], path: Path, where: str) -> Mask:
    """The union of the parts; a part inside another is no hole."""
    expected = "a list of polygons [x, y, x, y, ...] or a run-length encoding"
    if isinstance(segmentation, Mapping):
        try:
            mask = rle_mask(segmentation)
        except UsageError as error:
            raise damaged(path, str(error), expected, where) from None
        if mask.shape_hw != shape_hw:
            raise damaged(path, f"an encoding of size {mask.shape_hw!r}", f"that of its image {shape_hw!r}", where)
        return mask
    if not isinstance(segmentation, list):
        raise damaged(path, f"segmentation {short(segmentation)}", expected, where)
    mask = Mask.from_array(np.zeros((0, 0)), shape_hw=shape_hw)
    for ring in segmentation:
        numbers = floats(ring)
        if numbers is None or len(numbers) % 2:
            raise damaged(path, f"polygon {short(ring)}", expected, where)
        mask = mask.union(Mask.from_polygon(np.array(numbers).reshape(-1, 2), shape_hw))
    return mask


# ---- records ----------------------------------------------------------------------------------------------------


def _thing(thing_id: str, label: str, mask: Mask) -> Thing:
    box = mask.box_px
    assert box is not None  # callers pass masks with pixels
    return Thing(thing_id, label, box, mask=mask)


def _record(image: Path, part: str, things: tuple[Thing, ...], size_wh: tuple[int, int] | None = None) -> Record:
    stem = image.stem
    if not image.is_file():
        raise UsageError(f"{str(image)!r} is missing; expected the image of its labels; copy or download it again")
    size = size_wh or image_size(image)
    patch = patch_window(stem)
    if patch is not None:
        x0, y0, x1, y1 = patch[1]
        if size != (x1 - x0, y1 - y0):
            expected = f"{x1 - x0} x {y1 - y0} px, as its name tells (y first)"
            raise UsageError(f"{str(image)!r} is {size[0]} x {size[1]} px, expected {expected}")
    return Record(
        id=f"{part}/{stem}",
        image=image,
        size_wh=size,
        family=dota_family(stem) or f"isaid:{stem}",
        source=SOURCE,
        split=part,
        things=things,
        is_exhaustive=True,
        classes=CLASSES,
    )


READERS = (
    Reader(
        name="isaid",
        about="instance masks of 15 classes on DOTA images",
        layout=LAYOUT,
        read=read,
        source=SOURCE,
        options={"annotations": "masks (instance images), coco, or best (default): masks where they are"},
    ),
)
