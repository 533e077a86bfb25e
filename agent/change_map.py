"""changes.tif or changes.png: what kind of change each pixel shows, as numbers that other programs read.

0 unchanged, 1 new, 2 gone, 3 altered, 4 changed without a known direction, 255 unknown (clouds, nodata, outside the
earlier image). Regions in the answer count, nothing else; the first of two that overlap wins, and a region wins over
unknown ground. Made and written by stripes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ..core.errors import BudgetExceeded, Cancelled
from ..core.masks import Mask, masks_from_polygons
from ..core.progress import report
from ..core.regions import Region
from .change_words import KINDS, UNKNOWN_CODE, kind_of
from .vectors import outline_shape, polygons_of

if TYPE_CHECKING:
    from .answer import Answer

_ROWS = 512
_UNKNOWN_RGB = (150, 150, 150)
Stripe = tuple[int, NDArray[np.uint8]]


def class_stripes(answer: Answer) -> Iterator[Stripe]:
    """(first row, (h, W) uint8) from top to bottom, each of at most 512 rows over the whole width.

    Args:
        answer: one with a `pair`.
    """
    pair = answer.pair
    assert pair is not None
    width, height = pair.after.size_wh
    painted = [
        (kind.code, mask)
        for region in reversed([c.region for c in answer.regions])  # the first is painted last
        if (kind := kind_of(region)) is not None
        for mask in _masks(region, (height, width))
    ]
    for top in range(0, height, _ROWS):
        bottom = min(height, top + _ROWS)
        stripe = np.where(pair.valid((0, top, width, bottom)), 0, UNKNOWN_CODE).astype(np.uint8)
        for code, mask in painted:
            _paint(stripe, top, code, mask)
        with suppress(BudgetExceeded, Cancelled):  # what was found before the run was stopped is still written
            report("writing the map of changes", bottom, height)
        yield top, stripe


def _masks(region: Region, shape_hw: tuple[int, int]) -> list[Mask]:
    if region.mask is not None and region.mask.area_px:
        return [region.mask]
    return masks_from_polygons(polygons_of(outline_shape(region)), shape_hw)


def _paint(stripe: NDArray[np.uint8], top: int, code: int, mask: Mask) -> None:
    x0, y0 = mask.offset_xy
    rows, columns = mask.crop.shape
    first, last = max(y0, top), min(y0 + rows, top + len(stripe))
    if first < last:
        stripe[first - top : last - top, x0 : x0 + columns][mask.crop[first - y0 : last - y0]] = code


def write_geotiff(path: Path, answer: Answer) -> None:
    """Writes the map with the scene's CRS and transform, a colour table, and 255 as nodata.

    Raises:
        OSError: the file cannot be written.
    """
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.windows import Window

    assert answer.pair is not None
    scene = answer.pair.after
    width, height = scene.size_wh
    kept = {"crs": scene.crs, "transform": scene.transform, "width": width, "height": height}
    how = {"tiled": True, "blockxsize": _ROWS, "blockysize": _ROWS, "compress": "deflate", "bigtiff": "if_safer"}
    try:
        with rasterio.open(
            path, "w", driver="GTiff", count=1, dtype="uint8", nodata=UNKNOWN_CODE, photometric="palette", **kept, **how
        ) as file:
            file.write_colormap(1, colour_table())
            file.update_tags(1, **{str(code): name for code, name in names().items()})
            for top, stripe in class_stripes(answer):
                file.write(stripe, 1, window=Window(0, top, width, len(stripe)))
    except RasterioError as error:
        raise OSError(None, " ".join(str(error).split()), str(path)) from error


def write_png(path: Path, answer: Answer) -> None:
    """Writes the map as grey levels 0 to 4 and 255, so that every program reads the numbers as they are.

    Raises:
        OSError: the file cannot be written.
    """
    fine, data = cv2.imencode(".png", np.vstack([stripe for _, stripe in class_stripes(answer)]))
    if not fine:
        raise OSError(None, "the map of changes could not be encoded as PNG", str(path))
    path.write_bytes(data.tobytes())


def names() -> dict[int, str]:
    """What each number of the map means.

    Example:
        >>> names()[1], names()[255]
        ('new', 'unknown')
    """
    return {0: "unchanged", **{kind.code: kind.name for kind in KINDS}, UNKNOWN_CODE: "unknown"}


def colour_table() -> dict[int, tuple[int, int, int, int]]:
    """Red, green, blue and opacity of each number."""
    colours = {0: (0, 0, 0), **{kind.code: kind.rgb for kind in KINDS}, UNKNOWN_CODE: _UNKNOWN_RGB}
    return {code: (*rgb, 255) for code, rgb in colours.items()}
