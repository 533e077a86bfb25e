"""A scene seen on another grid: every window is read from the source and resampled once."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from .georef import apply_affine
from .raster import SizeWH, Window

if TYPE_CHECKING:
    from affine import Affine
    from rasterio.crs import CRS

    from .scene import Scene

_MESH_PX = 32  # between two points whose place in the source is computed exactly
_MARGIN_PX = 3  # what cubic interpolation reaches for


class PixelMap(Protocol):
    """Leads from the px of a grid to the px of a source; safe to call from several threads."""

    def __call__(self, xy_px: np.ndarray) -> np.ndarray:
        """Points (..., 2) to points (..., 2); inf where there is no such place."""
        ...


@dataclass(frozen=True, eq=False)
class AffineMap:
    """`matrix`: (2, 3) float64."""

    matrix: np.ndarray

    def __call__(self, xy_px: np.ndarray) -> np.ndarray:
        return np.asarray(xy_px, np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]


class GroundMap:
    """By the ground: px of one georeferenced grid to px of another, through both transforms and the change of CRS.

    Args:
        transform, crs: of the grid.
        source_transform, source_crs: of the source. Without a CRS on either side the coordinates are the same.
    """

    def __init__(self, transform: Affine, crs: CRS | None, source_transform: Affine, source_crs: CRS | None) -> None:
        self._to_map, self._from_map = transform, ~source_transform
        self._wkt = (
            None if crs is None or source_crs is None or crs == source_crs else (crs.to_wkt(), source_crs.to_wkt())
        )
        self._threads = threading.local()

    def __call__(self, xy_px: np.ndarray) -> np.ndarray:
        places = apply_affine(self._to_map, xy_px)
        if self._wkt is not None:
            x, y = self._between().transform(places[..., 0], places[..., 1])
            places = np.stack([x, y], axis=-1)
        return apply_affine(self._from_map, places)

    def _between(self) -> Any:
        """This thread's transformer: one serves one thread at a time."""
        import pyproj

        found = getattr(self._threads, "transformer", None)
        if found is None:
            first, second = (pyproj.CRS.from_wkt(wkt) for wkt in self._wkt or ())
            found = self._threads.transformer = pyproj.Transformer.from_crs(first, second, always_xy=True)
        return found


@dataclass(frozen=True, eq=False)
class Chained:
    """`first`, then `second`."""

    first: PixelMap
    second: PixelMap

    def __call__(self, xy_px: np.ndarray) -> np.ndarray:
        return self.second(self.first(xy_px))


class WarpedSource:
    """The pixels of `scene` on a grid of `size_wh` px; a `PixelSource`.

    Each window reads the part of the scene that it shows and is interpolated once (bicubic); where the scene's pixels
    are half the grid's or smaller, blocks of them are averaged first. The place of a pixel is exact every 32 px and
    bilinear in between. A pixel is valid where all source pixels next to it are; those outside the scene are not.

    rasterio's WarpedVRT does the same for a file, but not for a scene in memory, a palette, 16 bits brought to 8 with
    levels of the whole file, or a photograph that is stored turned.

    Args:
        scene: where the pixels come from.
        to_source: from px of the grid to px of the scene.
        size_wh: the grid's width and height.
    """

    def __init__(self, scene: Scene, to_source: PixelMap, size_wh: SizeWH) -> None:
        self._scene = scene
        self._to_source = to_source
        self.size_wh = size_wh

    def read(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        part = self._part(window, out_wh)
        if part is None:
            return np.zeros((out_wh[1], out_wh[0], 3), np.uint8)
        pixels = self._scene.read(part.window, part.size_wh)
        shown = cv2.remap(pixels, part.x, part.y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        shown[~part.inside] = 0
        return np.asarray(shown)

    def valid(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        part = self._part(window, out_wh)
        if part is None:
            return np.zeros(out_wh[::-1], bool)
        mask = self._scene.valid(part.window, part.size_wh)
        if mask.all():
            return part.inside
        kept = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8))  # a cubic kernel reaches out
        near = cv2.remap(kept, part.x, part.y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray((near > 0) & part.inside)

    def _part(self, window: Window, out_wh: SizeWH) -> _Part | None:
        """What of the scene a window shows; None where it shows nothing of it."""
        across, down = (np.linspace(0, side, math.ceil(side / _MESH_PX) + 1) for side in out_wh)
        x0, y0, x1, y1 = window
        grid_x, grid_y = np.meshgrid(x0 + across * (x1 - x0) / out_wh[0], y0 + down * (y1 - y0) / out_wh[1])
        nodes = self._to_source(np.stack([grid_x, grid_y], axis=-1))
        known = np.isfinite(nodes).all(axis=-1)
        if not known.any():
            return None
        block = self._block(nodes, across, down)
        limits = [[0, side // step * step] for side, step in zip(self._scene.size_wh, block, strict=True)]
        corners = []
        for axis, (least, most) in enumerate(limits):
            seen, step = nodes[known][:, axis], block[axis]
            margin = _MARGIN_PX * step
            start = math.floor(float(np.clip(seen.min() - margin, least, most)) / step) * step
            stop = math.ceil(float(np.clip(seen.max() + margin, least, most)) / step) * step
            corners.append((start, stop))
        if any(start >= stop for start, stop in corners):
            return None
        return self._sampled(nodes, corners, block, across, down)

    def _block(self, nodes: np.ndarray, across: np.ndarray, down: np.ndarray) -> tuple[int, int]:
        """Source px along x and along y that are averaged before interpolation, whole numbers."""
        by_x = np.abs(np.diff(nodes, axis=1)) / np.diff(across)[None, :, None]
        by_y = np.abs(np.diff(nodes, axis=0)) / np.diff(down)[:, None, None]
        with np.errstate(invalid="ignore"):
            steps = [np.hypot(*(np.median(_finite(by[..., axis])) for by in (by_x, by_y))) for axis in (0, 1)]
        most = self._scene.size_wh
        return tuple(int(np.clip(round(float(step)), 1, most[axis])) for axis, step in enumerate(steps))  # type: ignore[return-value]

    def _sampled(
        self,
        nodes: np.ndarray,
        corners: list[tuple[int, int]],
        block: tuple[int, int],
        across: np.ndarray,
        down: np.ndarray,
    ) -> _Part:
        places = np.where(np.isfinite(nodes), nodes, -1e9)
        rows, columns = _hats(down), _hats(across)
        x, y = (rows @ places[..., axis] @ columns.T for axis in (0, 1))
        width, height = self._scene.size_wh
        inside = (x >= 0) & (x <= width) & (y >= 0) & (y <= height)
        (left, right), (top, bottom) = corners
        size = ((right - left) // block[0], (bottom - top) // block[1])
        x, y = (x - left) / block[0] - 0.5, (y - top) / block[1] - 0.5
        x, y = np.clip(x, -1, size[0]), np.clip(y, -1, size[1])
        return _Part((left, top, right, bottom), size, x.astype(np.float32), y.astype(np.float32), inside)


@dataclass(frozen=True, eq=False)
class _Part:
    """A window of the source, the size to read it at, and where in that each px of the result lies (cv2.remap)."""

    window: Window
    size_wh: SizeWH
    x: np.ndarray
    y: np.ndarray
    inside: np.ndarray


def _finite(values: np.ndarray) -> np.ndarray:
    kept = values[np.isfinite(values)]
    return kept if kept.size else np.ones(1)


def _hats(nodes: np.ndarray) -> np.ndarray:
    """(px, nodes) weights of linear interpolation between the nodes at each pixel's centre."""
    centres = np.arange(round(float(nodes[-1]))) + 0.5
    place = centres / (nodes[1] - nodes[0])
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(len(nodes))[None, :]))


class CroppedSource:
    """A window of a scene as a scene of its own; a `PixelSource`."""

    def __init__(self, scene: Scene, window: Window) -> None:
        self._scene = scene
        self._left, self._top = window[:2]
        self.size_wh: SizeWH = (window[2] - window[0], window[3] - window[1])

    def read(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        return self._scene.read(self._moved(window), out_wh)

    def valid(self, window: Window, out_wh: SizeWH) -> np.ndarray:
        return self._scene.valid(self._moved(window), out_wh)

    def _moved(self, window: Window) -> Window:
        x0, y0, x1, y1 = window
        return x0 + self._left, y0 + self._top, x1 + self._left, y1 + self._top
