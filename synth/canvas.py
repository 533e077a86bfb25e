"""The drawing surface: paint with a roughness, soft shadow, wear and foam layers, and the camera that ends it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .look import Colour, Look, lit, mix
from .texture import canopy_light, coloured, crop, ramp, tile, tile_u8

_SHIFT = 6
Float = NDArray[np.float32]


def fixed(points_px: ArrayLike) -> NDArray[np.int32]:
    """Points in the image frame (pixel centres at .5) as OpenCV's fixed point (pixel centres at whole numbers)."""
    scaled = np.asarray(points_px, dtype=np.float64) * (1 << _SHIFT)
    return (scaled - ((1 << _SHIFT - 1) - 0.5)).astype(np.int32)


class Canvas:
    """One date's picture while it is drawn.

    Attributes:
        paint: (H, W, 4) uint8: red, green, blue, and the roughness that the grain noise follows.
        shade: (H, W) uint8: shadow, 255 = full.
        wear: (H, W) uint8: soft darkening below 128, lightening above.
        foam: (H, W) uint8 or None: soft white on water.
    """

    def __init__(self, size_wh: tuple[int, int], gsd_m: float, look: Look, offset_xy: tuple[int, int]) -> None:
        w, h = size_wh
        self.size_wh, self.gsd_m, self.look, self.offset_xy = size_wh, gsd_m, look, offset_xy
        self.paint = np.zeros((h, w, 4), np.uint8)
        self.shade = np.zeros((h, w), np.uint8)
        self.wear = np.full((h, w), 128, np.uint8)
        self.foam: NDArray[np.uint8] | None = None

    def fill(self, outline: ArrayLike, rgb: Colour, rough: int = 12) -> None:
        """Paint a polygon (N, 2) px."""
        cv2.fillPoly(self.paint, [fixed(outline)], (*rgb, rough), cv2.LINE_AA, _SHIFT)

    def fill_many(self, outlines: list[NDArray[np.float64]], rgb: Colour, rough: int = 12) -> None:
        """Paint polygons that do not overlap, in one call."""
        if outlines:
            cv2.fillPoly(self.paint, [fixed(o) for o in outlines], (*rgb, rough), cv2.LINE_AA, _SHIFT)

    def line(
        self, points: ArrayLike, rgb: Colour, width_px: float, under: Colour, closed: bool = False, rough: int = 8
    ) -> None:
        """Paint a line (N, 2) px; one thinner than a pixel is blended with the colour `under` it."""
        if width_px < 1:
            rgb = mix(under, rgb, max(width_px, 0.15))
        cv2.polylines(self.paint, [fixed(points)], closed, (*rgb, rough), max(1, round(width_px)), cv2.LINE_AA, _SHIFT)

    def lines(
        self, segments: list[NDArray[np.float64]], rgb: Colour, width_px: float, under: Colour, rough: int = 8
    ) -> None:
        """Paint separate lines in one call, as `line` does."""
        if not segments:
            return
        if width_px < 1:
            rgb = mix(under, rgb, max(width_px, 0.15))
        cv2.polylines(
            self.paint, [fixed(s) for s in segments], False, (*rgb, rough), max(1, round(width_px)), cv2.LINE_AA, _SHIFT
        )

    def cast(self, outline: ArrayLike, height_m: float, strength: int = 255) -> None:
        """Throw the shadow of a flat-topped thing: its outline swept away from the sun."""
        p = np.asarray(outline, dtype=np.float64)
        v = self.shadow_px(height_m)
        q = p + v
        following = np.roll(np.arange(len(p)), -1)
        quads = np.stack([p, p[following], q[following], q], axis=1)
        cv2.fillPoly(self.shade, [fixed(q)], strength, cv2.LINE_8, _SHIFT)
        for quad in fixed(quads):
            cv2.fillConvexPoly(self.shade, quad, strength, cv2.LINE_8, _SHIFT)

    def cast_convex(self, outline: ArrayLike, height_m: float, strength: int = 255) -> None:
        """`cast` for a convex outline, in one call."""
        p = np.asarray(outline, dtype=np.float64)
        swept = cv2.convexHull(np.concatenate([p, p + self.shadow_px(height_m)]).astype(np.float32))
        cv2.fillConvexPoly(self.shade, fixed(swept[:, 0]), strength, cv2.LINE_AA, _SHIFT)

    def shadow_px(self, height_m: float) -> NDArray[np.float64]:
        """Where the shadow of a point this high falls, from its foot, in pixels."""
        return -np.array(self.look.sun_xy) * (height_m * self.look.shadow_per_m / self.gsd_m)

    def unshade(self, outline: ArrayLike, value: int = 0) -> None:
        """Lift a thing's top out of the shadows (or put a part of it into shade)."""
        cv2.fillPoly(self.shade, [fixed(outline)], value, cv2.LINE_AA, _SHIFT)

    def worn(self, outline: ArrayLike, value: int) -> None:
        """Darken (value < 128) or lighten (> 128) softly."""
        cv2.fillPoly(self.wear, [fixed(outline)], value, cv2.LINE_AA, _SHIFT)

    def froth(self, points: ArrayLike, width_px: float, value: int) -> None:
        """Add a line of soft white."""
        if self.foam is None:
            self.foam = np.zeros(self.shade.shape, np.uint8)
        cv2.polylines(self.foam, [fixed(points)], False, value, max(1, round(width_px)), cv2.LINE_AA, _SHIFT)

    def ground(self) -> None:
        """Cover the canvas with the season's ground."""
        w, h = self.size_wh
        index = crop(tile_u8("cloud"), *self.offset_xy, w, h)
        self.paint[..., :3] = coloured(index, self.look.grass)
        self.paint[..., 3] = 58

    def _window(self, outline: ArrayLike) -> tuple[slice, slice, NDArray[np.uint8]] | None:
        p = np.asarray(outline, dtype=np.float64)
        w, h = self.size_wh
        x0, y0 = np.maximum(np.floor(p.min(0)).astype(int), 0)
        x1, y1 = np.minimum(np.ceil(p.max(0)).astype(int) + 1, (w, h))
        if x1 <= x0 or y1 <= y0:
            return None
        mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(mask, [fixed(p - (x0, y0))], 255, cv2.LINE_8, _SHIFT)
        return slice(y0, y1), slice(x0, x1), mask

    def fill_ramp(self, outline: ArrayLike, table: NDArray[np.uint8], name: str, rough: int, shift: int = 0) -> None:
        """Paint a polygon with a noise tile seen through a colour ramp."""
        found = self._window(outline)
        if found is None:
            return
        ys, xs, mask = found
        x, y = self.offset_xy[0] + xs.start + shift, self.offset_xy[1] + ys.start + 2 * shift
        patch = np.empty((*mask.shape, 4), np.uint8)
        patch[..., :3] = coloured(crop(tile_u8(name), x, y, *mask.shape[::-1]), table)
        patch[..., 3] = rough
        cv2.copyTo(patch, mask, self.paint[ys, xs])

    def fill_waves(self, outline: ArrayLike) -> None:
        """Ruffle a water polygon: small waves in the wear layer, and a broad glint where the sun stands."""
        found = self._window(outline)
        if found is None:
            return
        ys, xs, mask = found
        waves = crop(tile_u8("ripple"), self.offset_xy[0] + xs.start, self.offset_xy[1] + ys.start, *mask.shape[::-1])
        cv2.copyTo(cv2.convertScaleAbs(waves, alpha=0.1, beta=115), mask, self.wear[ys, xs])

    def fill_canopy(self, outline: ArrayLike, rgb: Colour, radius_px: float) -> None:
        """Paint a polygon with a closed wood."""
        found = self._window(outline)
        if found is None:
            return
        ys, xs, mask = found
        step = min((3, 4, 6, 8, 11, 15, 20), key=lambda r: abs(r - radius_px))
        light = canopy_light(step, self.look.sun_step)
        patch = np.empty((*mask.shape, 4), np.uint8)
        table = ramp(*[lit(rgb, g) for g in (0.4, 0.8, 1.2, 1.65, 2.15)])
        patch[..., :3] = coloured(
            crop(light, self.offset_xy[0] + xs.start, self.offset_xy[1] + ys.start, *mask.shape[::-1]), table
        )
        patch[..., 3] = 10
        cv2.copyTo(patch, mask, self.paint[ys, xs])
        self.shade[ys, xs][mask > 0] = 0

    def stripes(self, outline: ArrayLike, angle: float, period_px: float, amount: int) -> None:
        """Mow or plough a polygon: soft bands across `angle`, `amount` (of 255) lighter and darker."""
        found = self._window(outline)
        if found is None:
            return
        ys, xs, mask = found
        h, w = mask.shape
        k = 2 * np.pi / max(period_px, 2.0)
        across = (np.arange(w, dtype=np.float32) + xs.start) * np.float32(-np.sin(angle) * k)
        down = (np.arange(h, dtype=np.float32) + ys.start) * np.float32(np.cos(angle) * k)
        band = across[None, :] + down[:, None]
        wave = (128 + np.clip(np.sin(band) * 2.2, -1, 1) * amount).astype(np.uint8)
        cv2.copyTo(wave, mask, self.wear[ys, xs])

    def settle(self) -> None:
        """Soften the shadows: call when the last one is thrown and before the tops are painted."""
        self.shade = np.asarray(cv2.GaussianBlur(self.shade, (3, 3), 0.7), dtype=np.uint8)

    def finish(self, noise_xy: tuple[int, int]) -> NDArray[np.uint8]:
        """The picture as the camera leaves it: (H, W, 3) uint8 RGB."""
        w, h = self.size_wh
        look = self.look
        picture = _float(cv2.multiply(_float(self.paint[..., :3]), cv2.merge(self._light(noise_xy))))
        if self.foam is not None:
            foam = _float(cv2.GaussianBlur(self.foam, (0, 0), 1.1))[..., None] * np.float32(1 / 255)
            picture += (np.float32(214) - picture) * foam
        picture = _float(cv2.transform(picture, look.matrix))
        picture = _float(cv2.GaussianBlur(picture, (0, 0), look.blur_sigma_px))
        picture += crop(tile("snow"), noise_xy[1], noise_xy[0], w, h)[..., None] * np.float32(look.noise_sigma)
        out = np.clip(picture, 0, 255).astype(np.uint8)
        packed = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, look.jpeg_quality])[1]
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), dtype=np.uint8)

    def _light(self, noise_xy: tuple[int, int]) -> list[Float]:
        """What the paint is multiplied by, (H, W) a channel: grain, wear, shadow lit by the blue sky."""
        w, h = self.size_wh
        grain = crop(tile("grain"), noise_xy[0], noise_xy[1], w, h)
        light = _float(cv2.multiply(_float(self.paint[..., 3]), grain, scale=0.34 / 255))
        wear = _float(cv2.GaussianBlur(self.wear, (0, 0), min(max(0.7 / self.gsd_m, 0.6), 2.5)))
        light += wear * np.float32(1 / 255)
        light += np.float32(1 - 128 / 255)
        shade = _float(self.shade) * np.float32(self.look.shadow_depth / 255)
        return [light * (np.float32(1) - np.float32(k) * shade) for k in (1.06, 1.0, 0.86)]


def _float(values: NDArray) -> Float:
    return np.asarray(values, dtype=np.float32)
