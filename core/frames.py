"""Conversions between the one frame that crosses borders, full-scene pixels, and the frames inside a model or a file.

Every other frame is full-scene pixels scaled and shifted along the axes, so each is a `Frame` that is made once and
converts both ways. Points are continuous: pixel (0, 0) reaches from 0 to 1 and has its centre at 0.5. Nothing is
rounded or clipped; integers are the codec's affair.

    window     Frame.window((512, 0, 1024, 512))             origin at the window's corner
    resized    Frame.resized((4000, 3000), (1024, 768))      the model's input size
    grid       Frame.grid((4000, 3000), 1000)                0-1000 along each axis
    normalised Frame.normalised((4000, 3000))                0-1 along each axis
    letterbox  Frame.letterbox((4000, 3000), (640, 640))     kept aspect, centred, padded

Frames chain: `Frame.window(w).then(Frame.resized((512, 512), (1024, 1024)))` leads from the scene to a resized tile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import UsageError

SizeWH = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """Axis-aligned map from full-scene px to another frame: `inner = (scene - offset_xy) * scale_xy`.

    Attributes:
        offset_xy: the scene point that is the inner frame's (0, 0), px.
        scale_xy: inner units a scene pixel along x and y; positive.
    """

    offset_xy: tuple[float, float] = (0.0, 0.0)
    scale_xy: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        numbers = (*self.offset_xy, *self.scale_xy)
        if not np.isfinite(numbers).all() or min(self.scale_xy) <= 0:
            raise UsageError(
                f"frame offset {self.offset_xy!r}, scale {self.scale_xy!r}: expected finite, scale above 0"
            )

    @classmethod
    def window(cls, window_xyxy: tuple[float, float, float, float]) -> Frame:
        """A window or tile of the scene, in px from its upper left corner."""
        return cls(offset_xy=(float(window_xyxy[0]), float(window_xyxy[1])))

    @classmethod
    def resized(cls, from_wh: SizeWH, to_wh: SizeWH) -> Frame:
        """The image stretched from one size to another."""
        (from_w, from_h), (to_w, to_h) = _size(from_wh), _size(to_wh)
        return cls(scale_xy=(to_w / from_w, to_h / from_h))

    @classmethod
    def grid(cls, size_wh: SizeWH, steps: int = 1000) -> Frame:
        """0 to `steps` along each axis, each normalised by its own side (GeoRSMLLM section III-A; Qwen2-VL)."""
        return cls.resized(size_wh, (steps, steps))

    @classmethod
    def normalised(cls, size_wh: SizeWH) -> Frame:
        """0 to 1 along each axis."""
        return cls.resized(size_wh, (1, 1))

    @classmethod
    def letterbox(cls, from_wh: SizeWH, to_wh: SizeWH) -> Frame:
        """The image scaled with its aspect kept until it fits, then centred on the larger canvas."""
        (from_w, from_h), (to_w, to_h) = _size(from_wh), _size(to_wh)
        scale = min(to_w / from_w, to_h / from_h)
        pad_x, pad_y = (to_w - from_w * scale) / 2, (to_h - from_h * scale) / 2
        return cls(offset_xy=(-pad_x / scale, -pad_y / scale), scale_xy=(scale, scale))

    def then(self, inner: Frame) -> Frame:
        """The frame reached by going into this one and from there into `inner`."""
        (ox, oy), (sx, sy), (ix, iy) = self.offset_xy, self.scale_xy, inner.offset_xy
        return Frame((ox + ix / sx, oy + iy / sy), (sx * inner.scale_xy[0], sy * inner.scale_xy[1]))

    def from_scene(self, xy_px: np.ndarray) -> np.ndarray:
        """Points of any shape (..., 2) from full-scene px into this frame.

        Example:
            >>> Frame.grid((4000, 2000)).from_scene([[1000, 1000]]).tolist()
            [[250.0, 500.0]]
        """
        return (_points(xy_px) - self.offset_xy) * self.scale_xy

    def to_scene(self, xy: np.ndarray) -> np.ndarray:
        """Points of any shape (..., 2) from this frame into full-scene px."""
        return _points(xy) / self.scale_xy + self.offset_xy

    def box_from_scene(self, xyxy_px: np.ndarray) -> np.ndarray:
        """Upright boxes (..., 4) from full-scene px into this frame."""
        return self.from_scene(_corner_pairs(xyxy_px)).reshape(np.shape(xyxy_px))

    def box_to_scene(self, xyxy: np.ndarray) -> np.ndarray:
        """Upright boxes (..., 4) from this frame into full-scene px."""
        return self.to_scene(_corner_pairs(xyxy)).reshape(np.shape(xyxy))


def _size(size_wh: SizeWH) -> tuple[float, float]:
    width, height = (float(v) for v in size_wh)
    if not (0 < width < np.inf and 0 < height < np.inf):
        raise UsageError(f"size_wh is {size_wh!r}, expected a width and a height above 0")
    return width, height


def _points(xy: np.ndarray) -> np.ndarray:
    points = np.asarray(xy, dtype=np.float64)
    if points.shape[-1:] != (2,):
        raise UsageError(f"points have shape {points.shape!r}, expected (..., 2): x, y")
    return points


def _corner_pairs(xyxy: np.ndarray) -> np.ndarray:
    box = np.asarray(xyxy, dtype=np.float64)
    if box.shape[-1:] != (4,):
        raise UsageError(f"boxes have shape {box.shape!r}, expected (..., 4): x0, y0, x1, y1")
    return box.reshape(*box.shape[:-1], 2, 2)
