"""Pixels of a file as 8-bit RGB by windows, whatever the file's bands, bit depth, palette or holes."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from .errors import UsageError
from .imagefile import check_png, driver_of, tiff_orientation

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

Window = tuple[int, int, int, int]
SizeWH = tuple[int, int]

_BLOCKWISE = {"GTiff", "JP2OpenJPEG"}
_LIMIT_VARIABLE = "SURVEYOR_MAX_DECODED_MB"
_DEFAULT_LIMIT_MB = 1024.0
_KEEP_DECODED_BYTES = 48_000_000  # smaller block-wise files are read once and kept
_GDAL_CACHE_BYTES = 96 * 2**20
_STRIPE_ROWS = 1024
_SAMPLE_SIDE = 1024
_PERCENTILES = (2.0, 98.0)
_OPEN_LOCK = threading.Lock()


class PixelSource(Protocol):
    """Where a scene's pixels come from. Windows lie inside the scene; safe to call from several threads."""

    @property
    def size_wh(self) -> SizeWH:
        """Width and height in px."""
        ...

    def read(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        """(h, w, 3) uint8 RGB of a window, resampled to `out_wh`; a fresh array."""
        ...

    def valid(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        """(h, w) bool: True where the file holds data."""
        ...


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Pixels in memory: (H, W, 3) uint8 and, where some are missing, (H, W) bool."""

    rgb: np.ndarray
    mask: np.ndarray | None = None

    @property
    def size_wh(self) -> SizeWH:
        return self.rgb.shape[1], self.rgb.shape[0]

    def read(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        x0, y0, x1, y1 = window
        part = self.rgb[y0:y1, x0:x1]
        if out_wh == (x1 - x0, y1 - y0):
            return part.copy()
        smaller = out_wh[0] <= x1 - x0 and out_wh[1] <= y1 - y0
        return cv2.resize(part, out_wh, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)

    def valid(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        x0, y0, x1, y1 = window
        if self.mask is None:
            return np.ones(out_wh[::-1], dtype=bool)
        part = self.mask[y0:y1, x0:x1].view(np.uint8)
        return cv2.resize(part, out_wh, interpolation=cv2.INTER_NEAREST_EXACT).view(bool)

    def turned(self, orientation: int) -> ArraySource:
        """The pixels with their EXIF orientation undone."""
        mask = None if self.mask is None else _turn(self.mask, orientation)
        return ArraySource(_turn(self.rgb, orientation), mask)


class FileSource:
    """Windows of a file. Each thread has its own handle, since a GDAL dataset serves one thread at a time."""

    def __init__(self, path: Path, bands: Sequence[int] | None = None, max_decoded_mb: float | None = None) -> None:
        """Opens the file and looks at its head and at a sample of its pixels.

        Raises:
            UsageError: not an image, damaged, too large to decode, without the bands asked for, or without valid data.
        """
        self._path = path
        self._handles = threading.local()
        with self._open() as dataset:
            self.driver: str = dataset.driver
            self.size_wh: SizeWH = (dataset.width, dataset.height)
            self.crs: CRS | None = dataset.crs or None
            self.transform: Affine | None = _usable(dataset.transform)
            self.orientation = _orientation(path, dataset, self.transform is not None)
            _check_size(path, dataset, max_decoded_mb)
            _check_dtype(path, dataset)
            self.palette, self.indexes = _choose_bands(path, dataset, bands)
            self._floating = np.dtype(dataset.dtypes[0]).kind == "f"
            self.has_holes = self._floating or _has_holes(dataset)
            self._scale = np.array([[0.0, 255.0]])
            self._is_byte = dataset.dtypes[0] == "uint8"
            self._bits = int(dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8))
            self.decoded_bytes = dataset.width * dataset.height * 3
        if self.has_holes or not self._is_byte:
            self._scale = self._levels()

    def read(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        raw = self._raw(window, out_wh)
        if self.palette is not None:
            return self.palette[raw[0], :3]
        if not self._is_byte:
            raw = self._stretched(raw, self.valid(window, out_wh) if self.has_holes else None)
        elif self._bits < 8:
            raw = (raw.astype(np.uint16) * 255 // (2**self._bits - 1)).astype(np.uint8)
        if len(raw) == 1:
            return cv2.cvtColor(raw[0], cv2.COLOR_GRAY2RGB)
        return cv2.merge([np.ascontiguousarray(band) for band in raw])

    def valid(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        if not self.has_holes:
            return np.ones(out_wh[::-1], dtype=bool)
        if self.palette is not None and (self.palette[:, 3] == 0).any():
            return self.palette[self._raw(window, out_wh)[0], 3] > 0
        with self._open() as dataset:
            mask = dataset.dataset_mask(out_shape=out_wh[::-1], window=_gdal_window(window)) != 0
        if self._floating:
            mask &= np.isfinite(self._raw(window, out_wh, nearest=True)).all(axis=0)
        return np.asarray(mask)

    def decoded(self) -> ArraySource:
        """All pixels in memory, upright. Read by stripes, so that nothing is held twice."""
        width, height = self.size_wh
        rgb = np.empty((height, width, 3), dtype=np.uint8)
        mask = np.empty((height, width), dtype=bool) if self.has_holes else None
        for top in range(0, height, _STRIPE_ROWS):
            stripe = (0, top, width, min(height, top + _STRIPE_ROWS))
            size = (width, stripe[3] - top)
            rgb[top : stripe[3]] = self.read(stripe, size)
            if mask is not None:
                mask[top : stripe[3]] = self.valid(stripe, size)
        return ArraySource(rgb, mask).turned(self.orientation)

    def _raw(self, window: Window, out_wh: SizeWH, nearest: bool = False) -> np.ndarray:
        from rasterio.enums import Resampling

        x0, y0, x1, y1 = window
        way = Resampling.average if out_wh[0] <= x1 - x0 and out_wh[1] <= y1 - y0 else Resampling.bilinear
        if nearest or self.palette is not None or out_wh == (x1 - x0, y1 - y0):
            way = Resampling.nearest
        shape = (len(self.indexes), *out_wh[::-1])
        with self._open() as dataset:
            pixels = dataset.read(self.indexes, window=_gdal_window(window), out_shape=shape, resampling=way)
        return np.asarray(pixels)

    def _stretched(self, raw: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
        low, high = self._scale[:, 0, None, None], self._scale[:, 1, None, None]
        level = raw.astype(np.float32 if raw.dtype.itemsize <= 2 else np.float64)
        with np.errstate(all="ignore"):  # NaN and infinite values become black below
            level = (level - low) * (255.0 / (high - low)) + 0.5
        bad = ~np.isfinite(level) if self._floating else np.zeros(raw.shape[1:], dtype=bool)
        if valid is not None:
            bad = bad | ~valid
        level = np.where(bad, 0.0, level)
        return np.clip(level, 0, 255).astype(np.uint8)

    def _levels(self) -> np.ndarray:
        """(bands, 2) black and white levels, from a sample of the whole file."""
        values, valid = self._sample()
        if not valid.any():  # the sample may have missed the little there is
            values, valid = self._thinned(4096)
        if not valid.any():
            raise UsageError(
                f"{str(self._path)!r} holds no valid pixel: all are nodata or transparent; choose another file"
            )
        levels = np.percentile(values[:, valid].astype(np.float64), _PERCENTILES, axis=1).T
        least = np.maximum(1e-6 * np.abs(levels[:, 0]), 1e-30) if self._floating else 1.0
        levels[:, 1] = np.maximum(levels[:, 1], levels[:, 0] + least)
        return np.asarray(levels)

    def _sample(self) -> tuple[np.ndarray, np.ndarray]:
        """(bands, n) raw values and (n,) valid, spread over the file without reading all of a huge one."""
        width, height = self.size_wh
        with self._open() as dataset:
            cheap = bool(dataset.overviews(1)) or self.driver not in _BLOCKWISE
        if cheap or width * height <= 4_000_000 or min(width, height) < 1024:
            return self._thinned(_SAMPLE_SIDE)
        step_x, step_y = width // 8, height // 8
        middle_x, middle_y = (step_x - 128) // 2, (step_y - 128) // 2
        corners = [(x * step_x + middle_x, y * step_y + middle_y) for y in range(8) for x in range(8)]
        parts = [self._values((x, y, x + 128, y + 128), (128, 128)) for x, y in corners]
        return np.concatenate([part[0] for part in parts], axis=1), np.concatenate([part[1] for part in parts])

    def _thinned(self, longest: int) -> tuple[np.ndarray, np.ndarray]:
        """Values and valid of the whole file, thinned to at most `longest` px a side."""
        width, height = self.size_wh
        share = min(1.0, longest / max(width, height))
        return self._values((0, 0, width, height), (max(1, int(width * share)), max(1, int(height * share))))

    def _values(self, window: Window, out_wh: SizeWH) -> tuple[np.ndarray, np.ndarray]:
        raw = self._raw(window, out_wh, nearest=True).reshape(len(self.indexes), -1)
        return raw, self.valid(window, out_wh).reshape(-1)

    @contextmanager
    def _open(self) -> Iterator[DatasetReader]:
        """This thread's handle, with GDAL's talk kept off stderr and its errors turned into ours."""
        import rasterio
        from rasterio.errors import RasterioError

        with rasterio.Env(GDAL_CACHEMAX=_GDAL_CACHE_BYTES):
            dataset = getattr(self._handles, "dataset", None)
            if dataset is None:
                dataset = self._handles.dataset = _opened(self._path)
            try:
                yield dataset
            except RasterioError as error:
                reason = str(error.__cause__ or error).splitlines()[0].split(" (this error")[0][:160]
                raise UsageError(
                    f"{str(self._path)!r} is damaged or cut short, its pixels cannot be read ({reason}); "
                    "copy or download it again"
                ) from None


def open_quietly(path: Path, driver: str) -> DatasetReader:
    """An image file opened by the GDAL driver of that name, without rasterio's warning that it lies nowhere on Earth.

    Raises:
        rasterio.errors.RasterioIOError: not a file that this driver can open.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    while True:
        try:
            with _OPEN_LOCK, warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)
                return rasterio.open(path, driver=driver)
        except NotGeoreferencedWarning:  # filters belong to the process: another thread has just put its own back
            continue


def _opened(path: Path) -> DatasetReader:
    from rasterio.errors import RasterioIOError

    driver = driver_of(path)
    try:
        return open_quietly(path, driver)
    except RasterioIOError:
        kind = "TIFF" if driver == "GTiff" else driver
        raise UsageError(
            f"{str(path)!r} begins like a {kind} file but is damaged or cut short; copy or download it again"
        ) from None


def _gdal_window(window: Window) -> Any:
    from rasterio.windows import Window as GdalWindow

    x0, y0, x1, y1 = window
    return GdalWindow(x0, y0, x1 - x0, y1 - y0)


def _usable(transform: Affine) -> Affine | None:
    numbers = np.array(transform[:6])
    if transform.is_identity or not np.isfinite(numbers).all() or transform.determinant == 0:
        return None
    return transform


def _orientation(path: Path, dataset: DatasetReader, georeferenced: bool) -> int:
    """EXIF orientation, 1 to 8. On a georeferenced TIFF the tag is ignored, as everyone who reads GeoTIFF does."""
    if dataset.driver == "PNG":
        return check_png(path)
    if dataset.driver == "GTiff":
        return 1 if georeferenced else tiff_orientation(path)
    value = str(dataset.tags().get("EXIF_Orientation", "1")).strip()
    return int(value) if value in set("12345678") else 1


def _check_size(path: Path, dataset: DatasetReader, max_decoded_mb: float | None) -> None:
    width, height, bands = dataset.width, dataset.height, dataset.count
    if min(width, height) < 2:
        raise UsageError(f"{str(path)!r} is {width} x {height} px, expected at least 2 x 2; choose another file")
    limit = _limit_mb(max_decoded_mb)
    depth = np.dtype(dataset.dtypes[0]).itemsize
    if dataset.driver in _BLOCKWISE:
        rows, columns = dataset.block_shapes[0]
        together = bands if dataset.interleaving is not None and dataset.interleaving.name == "pixel" else 1
        needed, what = rows * columns * depth * together / 2**20, f"blocks of {columns} x {rows} px"
    else:
        needed, what = width * height * max(3, bands * depth) / 2**20, "one piece"
    if needed > limit:
        raise UsageError(
            f"{str(path)!r} declares {width} x {height} px stored in {what}, which take {needed:,.0f} MB to decode; "
            f"the limit is {limit:,.0f} MB. If the file can be trusted, turn it into a tiled GeoTIFF "
            f"(gdal_translate -of COG) or set {_LIMIT_VARIABLE}={int(needed) + 1}"
        )


def _limit_mb(given: float | None) -> float:
    if given is not None:
        return float(given)
    text = os.environ.get(_LIMIT_VARIABLE, "")
    try:
        return float(text) if text else _DEFAULT_LIMIT_MB
    except ValueError:
        raise UsageError(f"{_LIMIT_VARIABLE} is {text!r}, expected a number of megabytes such as 2048") from None


def _check_dtype(path: Path, dataset: DatasetReader) -> None:
    if len(set(dataset.dtypes)) > 1 or np.dtype(dataset.dtypes[0]).kind not in "uif":
        kinds = ", ".join(sorted(set(dataset.dtypes)))
        raise UsageError(f"{str(path)!r} has bands of type {kinds}; expected one integer or float type for all bands")


def _choose_bands(
    path: Path, dataset: DatasetReader, bands: Sequence[int] | None
) -> tuple[np.ndarray | None, list[int]]:
    """(palette (256 or more, 4) or None, the 1-based bands to read: one for grey or palette, three for RGB)."""
    from rasterio.enums import ColorInterp

    if bands is not None:
        chosen = [int(band) if str(band).isdecimal() else 0 for band in bands]
        if len(chosen) not in (1, 3) or not all(1 <= band <= dataset.count for band in chosen):
            raise UsageError(
                f"bands {tuple(bands)!r} do not fit {str(path)!r} with {dataset.count} bands; expected one or three "
                f"numbers from 1 to {dataset.count}"
            )
        return None, chosen
    meaning = list(dataset.colorinterp)
    if meaning[0] == ColorInterp.palette and np.dtype(dataset.dtypes[0]).kind == "u":
        colours = dataset.colormap(1)
        table = np.zeros((2 ** (8 * np.dtype(dataset.dtypes[0]).itemsize), 4), dtype=np.uint8)
        for index, colour in colours.items():
            table[index] = colour
        return table, [1]
    wanted = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
    if all(colour in meaning for colour in wanted):
        return None, [meaning.index(colour) + 1 for colour in wanted]
    seen = [i + 1 for i, colour in enumerate(meaning) if colour != ColorInterp.alpha]
    return None, seen[:3] if len(seen) >= 3 else (seen or [1])[:1]


def _has_holes(dataset: DatasetReader) -> bool:
    from rasterio.enums import ColorInterp, MaskFlags

    if dataset.colorinterp[0] == ColorInterp.palette:
        return any(colour[3] == 0 for colour in dataset.colormap(1).values()) or dataset.nodata is not None
    return any(MaskFlags.all_valid not in flags for flags in dataset.mask_flag_enums)


def _turn(array: np.ndarray, orientation: int) -> np.ndarray:
    """The array with its EXIF orientation (1 to 8) undone."""
    if orientation in (5, 7):
        array = array.swapaxes(0, 1)
    turned = {2: array[:, ::-1], 3: array[::-1, ::-1], 4: array[::-1], 6: np.rot90(array, -1), 7: array[::-1, ::-1]}
    turned[8] = np.rot90(array)
    return np.ascontiguousarray(turned.get(orientation, array))


def open_pixels(
    path: Path, bands: Sequence[int] | None, max_decoded_mb: float | None
) -> tuple[PixelSource, FileSource]:
    """(where to read pixels from, the file's head).

    Formats that decode from the top only (PNG, JPEG, ...) and small files are decoded once and kept; larger block-wise
    files are read by windows.

    Raises:
        UsageError: see `FileSource`.
    """
    file = FileSource(path, bands, max_decoded_mb)
    if file.driver not in _BLOCKWISE or file.decoded_bytes <= _KEEP_DECODED_BYTES:
        return file.decoded(), file
    if file.orientation != 1:
        raise UsageError(
            f"{str(path)!r} is stored turned (orientation {file.orientation}) and too large to turn in memory; "
            "rewrite it upright first"
        )
    return file, file


def head_of(path: Path) -> tuple[int, str, dict[str, str]]:
    """(bands, type of their values, the metadata of all domains that speak of the picture) of a file.

    Raises:
        UsageError: no image, or damaged.
    """
    with _opened(path) as dataset:
        tags = {**dataset.tags(), **dataset.tags(ns="EXIF"), **dataset.tags(ns="IMAGERY")}
        return dataset.count, str(dataset.dtypes[0]), tags
