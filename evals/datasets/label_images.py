"""Images whose pixels are labels: read as stored, checked, and taken apart into masks.

They are read with GDAL, not OpenCV: a palette PNG gives its indices and not its colours, and colour channels come as
red, green, blue. Every PNG is walked through before, since a file that was cut short decodes into made-up labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import UsageError
from ...core.imagefile import check_image_path, check_png, driver_of
from ...core.masks import Mask
from ...core.raster import open_quietly
from .reading import damaged, short


def read_labels(path: Path) -> np.ndarray:
    """The stored values of a label image, (H, W) with one channel or (H, W, C) with several, in the file's type.

    Raises:
        UsageError: no such file, not an image, damaged or cut short.
    """
    from rasterio.errors import RasterioError

    place = check_image_path(path)
    driver = driver_of(place)
    if driver == "PNG":
        check_png(place)
    try:
        with open_quietly(place, driver) as dataset:
            bands = np.asarray(dataset.read())
    except RasterioError as error:
        reason = str(error.__cause__ or error).splitlines()[0][:160]
        raise damaged(
            path, f"its pixels cannot be read ({reason})", "a label image; copy or download it again"
        ) from None
    return bands[0] if len(bands) == 1 else np.moveaxis(bands, 0, -1)


def first_channel(path: Path) -> np.ndarray:
    """(H, W) first (red) channel of a label image. Raises UsageError as `read_labels` does."""
    pixels = read_labels(path)
    return pixels if pixels.ndim == 2 else pixels[..., 0]


def colours(path: Path, expected: str) -> np.ndarray:
    """(H, W) uint32 of a colour image: red + 256 green + 65536 blue, so that every colour is one number.

    Raises:
        UsageError: as `read_labels`; or an image with less than three channels, or not of bytes.
    """
    pixels = read_labels(path)
    if pixels.ndim != 3 or pixels.shape[2] < 3 or pixels.dtype != np.uint8:
        raise damaged(path, f"its pixels have shape {pixels.shape!r} and type {pixels.dtype}", expected)
    packed = pixels[..., 2].astype(np.uint32)
    for channel in (1, 0):
        packed <<= 8
        packed |= pixels[..., channel]
    return packed


def checked_values(path: Path, values: np.ndarray, allowed: Sequence[int], expected: str) -> None:
    """Raises UsageError where the label image holds other values than those allowed; names some of them."""
    found = np.flatnonzero(np.bincount(values.reshape(-1))) if values.dtype == np.uint8 else np.unique(values)
    other = sorted(set(found.tolist()) - set(allowed))
    if other:
        raise damaged(path, f"it holds the values {other[:8]!r}", expected)


def checked_size(path: Path, shape_hw: Sequence[int], image: Path, size_wh: tuple[int, int]) -> None:
    """Raises UsageError where a label image and its image differ in size."""
    height, width = shape_hw[:2]
    if (width, height) != size_wh:
        raise UsageError(
            f"{str(path)!r} is {width} x {height} px and its image {str(image)!r} {size_wh[0]} x {size_wh[1]} px; "
            "expected equal sizes; copy or download both again"
        )


def class_masks(values: np.ndarray, classes: Mapping[int, str]) -> dict[str, Mask]:
    """Class -> its pixels, for the classes that occur, in the order of `classes`.

    Args:
        values: (H, W) integers.
        classes: value -> class name; several values may share a name.

    Example:
        >>> masks = class_masks(np.array([[1, 2], [2, 0]]), {1: "road", 2: "water", 3: "forest"})
        >>> {name: mask.area_px for name, mask in masks.items()}
        {'road': 1, 'water': 2}
    """
    masks = {}
    for name in dict.fromkeys(classes.values()):
        wanted = [value for value, other in classes.items() if other == name]
        hit = values == wanted[0] if len(wanted) == 1 else np.isin(values, wanted)
        if hit.any():
            masks[name] = Mask.from_array(hit)
    return masks


def rle_mask(rle: Mapping[str, Any]) -> Mask:
    """The mask of a COCO run-length encoding that comes from a file.

    Raises:
        UsageError: not such an encoding, whatever else it may be.
    """
    counts = rle.get("counts")
    numbers = isinstance(counts, list) and all(isinstance(count, int) for count in counts)
    if not isinstance(counts, str | bytes) and not numbers:
        raise UsageError(
            f"'counts' of a run-length encoding is {short(counts)}, expected text or a list of whole numbers"
        )
    return Mask.from_rle(rle)


def foreground(path: Path) -> np.ndarray:
    """(H, W) bool of a two-valued mask stored as 0/255 or as 0/1: the upper half of what the file uses.

    Anti-aliased edges of a 0/255 mask count from 128 on. A file whose largest value is 1 is taken as 0/1.

    Raises:
        UsageError: as `read_labels`.
    """
    values = first_channel(path)
    return np.asarray(values > 127 if values.max(initial=0) > 1 else values > 0)


def numbered_masks(numbers: np.ndarray) -> Iterator[tuple[int, Mask]]:
    """(number, pixels) of every number but 0, in ascending order; memory follows the foreground, not the image.

    Args:
        numbers: (H, W) non-negative integers, one per object.
    """
    height, width = numbers.shape
    place = np.flatnonzero(numbers)
    if len(place) == 0:
        return
    value = numbers.reshape(-1)[place]
    order = np.argsort(value, kind="stable")
    value, place = value[order], place[order]
    starts = np.flatnonzero(np.diff(value, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(value)], strict=True):
        y, x = np.divmod(place[start:stop], width)
        y0, x0 = int(y[0]), int(x.min())  # places ascend, so the first is in the upper row
        crop = np.zeros((int(y[-1]) - y0 + 1, int(x.max()) - x0 + 1), dtype=bool)
        crop[y - y0, x - x0] = True
        yield int(value[start]), Mask.from_array(crop, (x0, y0), (height, width))
