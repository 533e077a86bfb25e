"""Land cover: LoveDA (Wang et al. 2021) and DeepGlobe's land cover and road tracks (Demir et al. 2018).

Maps of classes without instances: objects are at best connected parts of `Record.regions`. Traps (FORMATS 3.6, 3.7):
LoveDA's 0 is "not annotated" and 1 is background (some loaders subtract 1); DeepGlobe's colours are not exact in some
files, so each channel is cut at 128; "unknown" is not annotated. Test sets come without masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...core.errors import UsageError
from ...core.masks import Mask
from .label_images import checked_size, checked_values, class_masks, first_channel, read_labels
from .reading import (
    checked_split,
    damaged,
    existing,
    image_of,
    image_size,
    leave_out,
    root_folder,
    sorted_files,
)
from .record import Reader, Record, Source, Tally

LOVEDA = Source("LoveDA", "CC BY-NC-SA 4.0", "Wang et al. 2021, LoveDA")
LOVEDA_LAYOUT = ("{Train,Val,Test}/{Urban,Rural}/images_png/N.png", "{Train,Val}/{Urban,Rural}/masks_png/N.png")
LOVEDA_CLASSES = {
    1: "background",
    2: "building",
    3: "road",
    4: "water",
    5: "barren",
    6: "forest",
    7: "agriculture",
}
LAND = Source("DeepGlobe land cover", "not stated", "Demir et al. 2018, DeepGlobe")
ROAD = Source("DeepGlobe road", "not stated", "Demir et al. 2018, DeepGlobe")
LAND_LAYOUT = (
    "{training_data,test_data}/images/ID_sat.jpg and masks/ID_mask.png",
    "or {train,valid,test}/ID_sat.jpg and ID_mask.png",
)
LAND_CLASSES = {
    0b110: "urban",
    0b011: "agriculture",
    0b101: "rangeland",
    0b010: "forest",
    0b100: "water",
    0b111: "barren",
}
"""Red + 2 green + 4 blue, each above 127 or not -> class."""
_FOLDERS = {"train": ("training_data", "train"), "val": ("valid", "val"), "test": ("test_data", "test")}
_NO_MASK = "image without mask"


# ---- LoveDA -----------------------------------------------------------------------------------------------------


def read_loveda(root: str | Path, *, split: str | None = None, tally: Tally | None = None) -> Iterator[Record]:
    """One record per tile with a mask, splits first, then Rural before Urban, then the number; see `Reader.read`."""
    folder = root_folder(root, LOVEDA.name, LOVEDA_LAYOUT)
    checked_split(split, ("train", "val", "test"), LOVEDA.name)
    wanted = [split] if split is not None else ["train", "val", "test"]
    there = [part for part in wanted if (folder / part.capitalize()).is_dir()]
    if not there:
        existing(folder, [part.capitalize() for part in wanted], LOVEDA.name)
    for part in there:
        for area in ("Rural", "Urban"):
            place = folder / part.capitalize() / area
            if place.is_dir():
                yield from _loveda_area(place, part, tally)


def _loveda_area(place: Path, part: str, tally: Tally | None) -> Iterator[Record]:
    images = sorted_files(place / "images_png", (".png",), "LoveDA's tiles")
    masks = place / "masks_png"
    for image in sorted(images, key=lambda path: (len(path.stem), path.stem)):  # 2 before 10
        path = masks / image.name
        if not path.is_file():
            if masks.is_dir():
                raise damaged(image, f"its mask {str(path)!r} is missing", "a mask for every tile")
            leave_out(tally, _NO_MASK)
            continue
        values = first_channel(path)
        checked_values(path, values, range(8), "0 (not annotated), 1 (background) to 7 (agriculture)")
        size = image_size(image)
        checked_size(path, values.shape, image, size)
        yield Record(
            id=f"{part}/{place.name}/{image.stem}",
            image=image,
            size_wh=size,
            family=f"loveda:{image.stem}",
            source=LOVEDA,
            split=part,
            is_exhaustive=True,
            classes=tuple(LOVEDA_CLASSES.values())[1:],
            gsd_m=0.3,
            regions=class_masks(values, LOVEDA_CLASSES),
            ignored=_where(values == 0),
        )


# ---- DeepGlobe --------------------------------------------------------------------------------------------------


def read_land(root: str | Path, *, split: str | None = None, tally: Tally | None = None) -> Iterator[Record]:
    """One record per image with a mask, in the order of the names; see `Reader.read`."""
    for part, image, path in _deepglobe(root, split, tally, LAND):
        pixels = _colour_mask(path)
        code = (pixels[..., 0] > 127) + 2 * (pixels[..., 1] > 127) + 4 * (pixels[..., 2] > 127)
        unknown = (code == 0) | (code == 0b001)  # black; red alone is no class
        yield Record(
            id=f"{part}/{_number(image)}",
            image=image,
            size_wh=_checked(path, pixels, image),
            family=f"deepglobe:{_number(image)}",
            source=LAND,
            split=part,
            is_exhaustive=True,
            classes=tuple(LAND_CLASSES.values()),
            gsd_m=0.5,
            regions=class_masks(code, LAND_CLASSES),
            ignored=_where(unknown),
        )


def read_road(root: str | Path, *, split: str | None = None, tally: Tally | None = None) -> Iterator[Record]:
    """One record per image with a mask, in the order of the names; see `Reader.read`."""
    for part, image, path in _deepglobe(root, split, tally, ROAD):
        values = first_channel(path)
        yield Record(
            id=f"{part}/{_number(image)}",
            image=image,
            size_wh=_checked(path, values, image),
            family=f"deepglobe-road:{_number(image)}",
            source=ROAD,
            split=part,
            is_exhaustive=True,
            classes=("road",),
            gsd_m=0.5,
            regions=class_masks(values > 127, {1: "road"}),
        )


def _deepglobe(
    root: str | Path, split: str | None, tally: Tally | None, source: Source
) -> Iterator[tuple[str, Path, Path]]:
    """(split, image, mask) of the images that have one."""
    folder = root_folder(root, source.name, LAND_LAYOUT)
    checked_split(split, tuple(_FOLDERS), source.name)
    wanted = [split] if split is not None else list(_FOLDERS)
    places = {
        part: next((folder / name for name in _FOLDERS[part] if (folder / name).is_dir()), None) for part in wanted
    }
    if not any(places.values()):
        existing(folder, [name for part in wanted for name in _FOLDERS[part]], source.name)
    for part, place in places.items():
        if place is None:
            continue
        apart = (place / "images").is_dir()
        images, masks = (place / "images", place / "masks") if apart else (place, place)
        found = sorted_files(images, (".jpg", ".png"), "images named ID_sat.jpg")
        found = [path for path in found if path.stem.endswith("_sat")]
        if not found:
            raise UsageError(f"{str(images)!r} holds no image named ID_sat.jpg; expected {'; '.join(LAND_LAYOUT)}")
        paths = [image_of(masks, f"{_number(image)}_mask", (".png",)) for image in found]
        for image, path in zip(found, paths, strict=True):
            if path is not None:
                yield part, image, path
            elif any(paths):
                raise damaged(image, f"its mask {_number(image)}_mask.png is missing", "a mask for every image")
            else:
                leave_out(tally, _NO_MASK)


def _colour_mask(path: Path) -> np.ndarray:
    pixels = read_labels(path)
    if pixels.ndim != 3 or pixels.shape[2] < 3:
        raise damaged(path, f"its pixels have shape {pixels.shape!r}", "a colour for each class (RGB)")
    return pixels


def _checked(path: Path, values: np.ndarray, image: Path) -> tuple[int, int]:
    size = image_size(image)
    checked_size(path, values.shape, image, size)
    return size


def _number(image: Path) -> str:
    return image.stem.removesuffix("_sat")


def _where(pixels: np.ndarray) -> Mask | None:
    return Mask.from_array(pixels) if pixels.any() else None


READERS = (
    Reader(
        name="loveda",
        about="land cover of 7 classes, urban and rural, 0.3 m",
        layout=LOVEDA_LAYOUT,
        read=read_loveda,
        source=LOVEDA,
    ),
    Reader(
        name="deepglobe",
        about="land cover of 6 classes, 0.5 m",
        layout=LAND_LAYOUT,
        read=read_land,
        source=LAND,
    ),
    Reader(
        name="deepglobe-road",
        about="road pixels, 0.5 m",
        layout=LAND_LAYOUT,
        read=read_road,
        source=ROAD,
    ),
)
