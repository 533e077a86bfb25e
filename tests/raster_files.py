"""Writes small raster files for tests."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np


def write_raster(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    """Writes (bands, H, W) pixels; `colorinterp`, `colormap` and `mask` besides rasterio's own options."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    colorinterp, colormap, mask = (options.pop(key, None) for key in ("colorinterp", "colormap", "mask"))
    drivers = {".png": "PNG", ".jpg": "JPEG", ".tif": "GTiff", ".bmp": "BMP", ".webp": "WEBP"}
    count, height, width = pixels.shape
    shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", driver=drivers[path.suffix], **shape, **options) as file:
            if colorinterp is not None:
                file.colorinterp = colorinterp
            if colormap is not None:
                file.write_colormap(1, colormap)
            file.write(pixels)
            if mask is not None:
                file.write_mask(mask)
    return path


def gradient(height: int = 40, width: int = 60, bands: int = 3, dtype: str = "uint8", top: float = 255) -> np.ndarray:
    """(bands, H, W) pixels that differ in every row, column and band, from 0 to `top`."""
    y, x = np.mgrid[0:height, 0:width]
    plane = (x / (width - 1) + y / (height - 1)) / 2
    return np.stack([np.roll(plane, 7 * band, axis=1) * top for band in range(bands)]).astype(dtype)
