"""A scene: pixels, and where known the ground they show."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .errors import UsageError
from .georef import apply_affine, pixel_size_m, upright
from .imagefile import check_image_path
from .raster import ArraySource, PixelSource, SizeWH, Window, open_pixels

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

_WHOLE_DIGEST_BYTES = 256 * 2**20
_DIGEST_PIECE_BYTES = 2**20
_DIGEST_PIECES = 64


class Scene:
    """An image of the ground, read by windows; immutable and safe to share between threads.

    Build it with `Scene.open` or `Scene.from_array`. North is up.

    Attributes:
        name: the file's name with its suffix, or the name given.
        path: the file; None for a scene made from an array.
        size_wh: width and height in px.
        shape_hw: height and width in px.
        gsd_xy_m: ground size of a pixel along x and y in metres; None when not known.
        gsd_m: the one number for both, their geometric mean; None when not known.
        crs: coordinate reference system of the map coordinates (a rasterio CRS); None when the file names none.
        transform: affine map from pixels to map coordinates (may rotate); None when the file holds none.
        bands: the file's bands that were asked for by number; None for its own choice.

    A scene whose pixels are made from another's gives a function `made_from` that names that one's content and what was
    done with it, for `digest`.

    Example:
        >>> scene = Scene.from_array(np.zeros((60, 80, 3), np.uint8), gsd_m=0.5, name="grey")
        >>> scene.size_wh, scene.gsd_m, scene.read((0, 0, 10, 5)).shape
        ((80, 60), 0.5, (5, 10, 3))
    """

    def __init__(
        self,
        source: PixelSource,
        *,
        name: str,
        path: Path | None = None,
        gsd_xy_m: tuple[float, float] | None = None,
        crs: CRS | None = None,
        transform: Affine | None = None,
        bands: tuple[int, ...] | None = None,
        made_from: Callable[[], str] | None = None,
    ) -> None:
        self._source = source
        self._made_from = made_from
        self.bands = bands
        self.name = name
        self.path = path
        self.size_wh = source.size_wh
        self.shape_hw = (self.size_wh[1], self.size_wh[0])
        self.gsd_xy_m = gsd_xy_m
        self.gsd_m = None if gsd_xy_m is None else math.sqrt(gsd_xy_m[0] * gsd_xy_m[1])
        self.crs = crs
        self.transform = transform

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        gsd_m: float | None = None,
        bands: Sequence[int] | None = None,
        max_decoded_mb: float | None = None,
    ) -> Scene:
        """The scene in a file.

        PNG, JPEG, TIFF, GeoTIFF, JPEG 2000, WebP and BMP of any integer or float type. Red, green and blue are taken by
        the file's own band names, else the first three bands, else the first as grey; palettes and CMYK become RGB.
        More than 8 bits are stretched from the 2nd to the 98th percentile of each band over a sample of the whole file,
        so every window gets the same levels. EXIF orientation is undone. Large GeoTIFFs are read by windows only.

        Args:
            path: the file.
            gsd_m: ground size of a pixel in metres; wins over what the file says.
            bands: one or three 1-based band numbers to show instead.
            max_decoded_mb: how much memory decoding may take for formats without windows; default 1024, or the
                environment variable SURVEYOR_MAX_DECODED_MB.

        Raises:
            UsageError: the file is missing, no image, damaged, too large to decode, or without valid pixels.
        """
        given = _checked_gsd(gsd_m)
        place = check_image_path(path)
        source, file = open_pixels(place, bands, max_decoded_mb)
        transform = upright(file.transform, file.orientation, file.size_wh)
        if given is None and file.crs is not None and transform is not None:
            given = pixel_size_m(file.crs, transform, source.size_wh)
        shown = None if bands is None else tuple(int(band) for band in bands)
        return cls(source, name=place.name, path=place, gsd_xy_m=given, crs=file.crs, transform=transform, bands=shown)

    @classmethod
    def from_array(cls, rgb: np.ndarray, *, gsd_m: float | None = None, name: str = "array") -> Scene:
        """A scene of pixels in memory; they are copied.

        Args:
            rgb: (H, W, 3) uint8; also (H, W) grey, or (H, W, 4), whose last channel tells which pixels hold data.
            gsd_m: ground size of a pixel in metres, when known.
            name: what to call it.

        Raises:
            UsageError: another shape or type.
        """
        pixels = np.asarray(rgb)
        if pixels.dtype != np.uint8:
            raise UsageError(
                f"the image array has type {pixels.dtype}, expected uint8; scale its values to 0-255 first"
            )
        if pixels.ndim == 2:
            pixels = pixels[:, :, None]
        if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or min(pixels.shape[:2]) < 2:
            raise UsageError(f"the image array has shape {np.shape(rgb)!r}, expected (H, W, 3), at least 2 x 2 px")
        mask = pixels[:, :, 3] > 0 if pixels.shape[2] == 4 else None
        if mask is not None and not mask.any():
            raise UsageError(
                "the image array is transparent everywhere; its last channel must be above 0 where data is"
            )
        colour = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.array(pixels[:, :, :3], order="C")
        return cls(ArraySource(colour, mask), name=name, gsd_xy_m=_checked_gsd(gsd_m))

    def with_gsd(self, gsd_m: float) -> Scene:
        """The same scene with another ground sample distance in metres a pixel."""
        known = {name: getattr(self, name) for name in ("name", "path", "crs", "transform", "bands")}
        return Scene(self._source, gsd_xy_m=_checked_gsd(gsd_m), made_from=self._made_from, **known)

    def with_georeference(
        self, crs: CRS | None, transform: Affine | None, gsd_xy_m: tuple[float, float] | None = None
    ) -> Scene:
        """The same pixels, said to lie elsewhere; the ground sample distance is worked out where none is given."""
        if gsd_xy_m is None and crs is not None and transform is not None:
            gsd_xy_m = pixel_size_m(crs, transform, self.size_wh)
        known = {"name": self.name, "path": self.path, "bands": self.bands, "made_from": self._made_from}
        return Scene(self._source, gsd_xy_m=gsd_xy_m, crs=crs, transform=transform, **known)  # type: ignore[arg-type]

    def read(
        self, window_xyxy: Sequence[float] | None = None, out_size_wh: tuple[int, int] | None = None
    ) -> np.ndarray:
        """RGB pixels of a window.

        Args:
            window_xyxy: x0, y0, x1, y1 in full-scene px; fractions are widened to whole pixels. What lies outside the
                scene is black. Default: the whole scene.
            out_size_wh: width and height to scale to: averaged when smaller (from the file's overviews where it has
                them), bilinear when larger. Default: the window's own size.

        Returns:
            (H, W, 3) uint8, the caller's own.

        Raises:
            UsageError: an empty window, or pixels that are damaged in the file.
        """
        window, size = self._placed(window_xyxy, out_size_wh)
        return self._padded(window, size, np.zeros((size[1], size[0], 3), dtype=np.uint8), self._source.read)

    def valid(
        self, window_xyxy: Sequence[float] | None = None, out_size_wh: tuple[int, int] | None = None
    ) -> np.ndarray:
        """(H, W) bool: True where the scene holds data; False for nodata, NaN, transparent or outside. See `read`."""
        window, size = self._placed(window_xyxy, out_size_wh)
        return self._padded(window, size, np.zeros((size[1], size[0]), dtype=bool), self._source.valid)

    def pixels_to_map(self, xy_px: np.ndarray) -> np.ndarray:
        """Points (..., 2) from full-scene px to map coordinates of `crs`.

        Raises:
            UsageError: the scene has no transform.
        """
        return apply_affine(self._known_transform(), xy_px)

    def map_to_pixels(self, xy: np.ndarray) -> np.ndarray:
        """Points (..., 2) from map coordinates of `crs` to full-scene px.

        Raises:
            UsageError: the scene has no transform.
        """
        return apply_affine(~self._known_transform(), xy)

    @property
    def north_up(self) -> bool | None:
        """Whether the top of the image is north to within 15 degrees by its transform; None when it has none."""
        if self.transform is None:
            return None
        x, y = -self.transform.b, -self.transform.e  # map step of one pixel up the screen
        return y > 0 and abs(math.degrees(math.atan2(x, y))) <= 15

    @cached_property
    def digest(self) -> str:
        """A name for the content, the same wherever the file lies: 64 hexadecimal digits of a SHA-256.

        Over all bytes of a file up to 256 MiB; above, "sampled-" and the SHA-256 of its size and 64 pieces of 1 MiB
        spread over it (the first and the last among them), which costs the same however large the file. Over shape and
        pixels for an array; over what `made_from` tells for a scene that was made from another.
        """
        if self._made_from is not None:
            return hashlib.sha256(self._made_from().encode()).hexdigest()
        if self.path is None:
            rgb = self._source.read((0, 0, *self.size_wh), self.size_wh)
            return hashlib.sha256(repr(rgb.shape).encode() + rgb.tobytes()).hexdigest()
        with self.path.open("rb") as file:
            size = self.path.stat().st_size
            if size <= _WHOLE_DIGEST_BYTES:
                return hashlib.file_digest(file, "sha256").hexdigest()
            total = hashlib.sha256(str(size).encode())
            for start in np.linspace(0, size - _DIGEST_PIECE_BYTES, _DIGEST_PIECES, dtype=np.int64):
                file.seek(int(start))
                total.update(file.read(_DIGEST_PIECE_BYTES))
            return f"sampled-{total.hexdigest()}"

    def __repr__(self) -> str:
        ground = "gsd unknown" if self.gsd_m is None else f"gsd {self.gsd_m:.3g} m"
        return f"Scene({self.name!r}, {self.size_wh[0]} x {self.size_wh[1]} px, {ground})"

    def _known_transform(self) -> Affine:
        if self.transform is None:
            raise UsageError(f"{self.name!r} has no map coordinates; use pixels, or give a georeferenced file")
        return self.transform

    def _placed(
        self, window_xyxy: Sequence[float] | None, out_size_wh: tuple[int, int] | None
    ) -> tuple[Window, SizeWH]:
        """The window in whole px and the size of the result."""
        corners = (0, 0, *self.size_wh) if window_xyxy is None else tuple(float(v) for v in window_xyxy)
        if len(corners) != 4 or not all(math.isfinite(v) for v in corners):
            raise UsageError(f"the window is {window_xyxy!r}, expected four finite numbers x0, y0, x1, y1")
        window = (math.floor(corners[0]), math.floor(corners[1]), math.ceil(corners[2]), math.ceil(corners[3]))
        size = (window[2] - window[0], window[3] - window[1])
        out = size if out_size_wh is None else (int(out_size_wh[0]), int(out_size_wh[1]))
        if min(*size, *out) < 1:
            raise UsageError(f"the window {window!r} to size {out!r} has no pixels, expected x0 < x1 and y0 < y1")
        return window, out

    def _padded(
        self, window: Window, out_wh: SizeWH, canvas: np.ndarray, read: Callable[[Window, SizeWH], np.ndarray]
    ) -> np.ndarray:
        """What `read` gives for the window's part inside the scene, laid into the canvas."""
        x0, y0, x1, y1 = window
        inside = (max(0, x0), max(0, y0), min(self.size_wh[0], x1), min(self.size_wh[1], y1))
        if inside == window:
            return np.asarray(read(window, out_wh))
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            return canvas
        scale_x, scale_y = out_wh[0] / (x1 - x0), out_wh[1] / (y1 - y0)
        left, right = (round((x - x0) * scale_x) for x in inside[0::2])
        top, bottom = (round((y - y0) * scale_y) for y in inside[1::2])
        if left < right and top < bottom:
            canvas[top:bottom, left:right] = read(inside, (right - left, bottom - top))
        return canvas


def _checked_gsd(gsd_m: float | None) -> tuple[float, float] | None:
    if gsd_m is None:
        return None
    try:
        value = float(gsd_m)
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"gsd_m is {gsd_m!r}, expected metres a pixel above 0, such as 0.5")
    return value, value
