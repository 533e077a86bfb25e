"""Where a scene lies on the ground: pixel to map coordinates and the ground size of a pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .errors import UsageError

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

_DISTORTION = 0.01


def apply_affine(transform: Affine, xy: np.ndarray) -> np.ndarray:
    """Points (..., 2) through an affine transform, float64."""
    points = np.asarray(xy, dtype=np.float64)
    if points.shape[-1:] != (2,):
        raise UsageError(f"points have shape {points.shape!r}, expected (..., 2): x, y")
    x, y = points[..., 0], points[..., 1]
    return np.stack(
        [transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f], axis=-1
    )


def pixel_size_m(crs: CRS, transform: Affine, size_wh: tuple[int, int]) -> tuple[float, float] | None:
    """Ground size (along x, along y) of a pixel in metres; None when the CRS does not tell.

    Projected CRS: the pixel's size times the CRS's unit (feet become metres), unless the projection stretches the
    ground by more than 1 % at the scene's centre (Web Mercator does, by 1 / cos(latitude)); then, and for a CRS in
    degrees, the geodesic length of a pixel at the scene's centre.
    """
    nominal = _nominal_size_m(crs, transform)
    true = _geodesic_size_m(crs, transform, size_wh)
    if nominal is None or true is None:
        return nominal or true
    honest = all(abs(t / n - 1) <= _DISTORTION for n, t in zip(nominal, true, strict=True))
    return nominal if honest else true


def _nominal_size_m(crs: CRS, transform: Affine) -> tuple[float, float] | None:
    from rasterio.errors import CRSError

    try:
        if not crs.is_projected:
            return None
        factor = float(crs.linear_units_factor[1])
    except CRSError:
        return None
    size = (math.hypot(transform.a, transform.d) * factor, math.hypot(transform.b, transform.e) * factor)
    return size if _positive(size) else None


def _geodesic_size_m(crs: CRS, transform: Affine, size_wh: tuple[int, int]) -> tuple[float, float] | None:
    import pyproj
    from pyproj.exceptions import ProjError

    x, y = size_wh[0] / 2, size_wh[1] / 2
    ends = np.array([[x - 0.5, y], [x + 0.5, y], [x, y - 0.5], [x, y + 0.5]])
    mapped = apply_affine(transform, ends)
    try:
        to_lonlat = pyproj.Transformer.from_crs(pyproj.CRS.from_wkt(crs.to_wkt()), "EPSG:4326", always_xy=True)
        lon, lat = to_lonlat.transform(mapped[:, 0], mapped[:, 1])
        if not (np.isfinite(lon).all() and np.isfinite(lat).all() and (np.abs(lat) <= 90).all()):
            return None
        _, _, length = pyproj.Geod(ellps="WGS84").inv(lon[[0, 2]], lat[[0, 2]], lon[[1, 3]], lat[[1, 3]])
    except ProjError:
        return None
    size = (float(length[0]), float(length[1]))
    return size if _positive(size) else None


def _positive(size: tuple[float, float]) -> bool:
    return all(math.isfinite(v) and v > 0 for v in size)


def upright(transform: Affine | None, orientation: int, stored_wh: tuple[int, int]) -> Affine | None:
    """The transform of an image after its EXIF orientation was undone; `stored_wh` is the size before."""
    from affine import Affine

    width, height = stored_wh
    stored_from_shown = {
        2: Affine(-1, 0, width, 0, 1, 0),
        3: Affine(-1, 0, width, 0, -1, height),
        4: Affine(1, 0, 0, 0, -1, height),
        5: Affine(0, 1, 0, 1, 0, 0),
        6: Affine(0, 1, 0, -1, 0, height),
        7: Affine(0, -1, width, -1, 0, height),
        8: Affine(0, -1, width, 1, 0, 0),
    }
    if transform is None or orientation not in stored_from_shown:
        return transform
    # written out, since affine 2 composes with * alone and affine 3 deprecates it
    outer, inner = (np.array(t).reshape(3, 3) for t in (transform, stored_from_shown[orientation]))
    return Affine(*(outer @ inner)[:2].ravel().tolist())
