"""How a scene of any size is looked at by a model whose input is bounded: which windows it is shown, and how large.

A `View` is a window of the scene and the size at which a model is shown it. The policies only say which views there
are; the caller reads and shows them one by one, so memory is that of a view. What several views found is put together
by `merging.merge_seen`; `second_look` asks again for what was shown small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...core.errors import UsageError
from ...core.frames import Frame
from ...core.geometry import length_width_px
from ...core.regions import Region

SizeWH = tuple[int, int]
WindowXYXY = tuple[int, int, int, int]

LEAST_SIDE = 28  # view px: a narrower window is stretched to this; vision transformers take no less than a patch
MOST_ASPECT = 200  # of a view; Qwen2-VL's processor refuses more, so a longer strip is squeezed along its length
BORDER_PX = 3.0  # view px: a box this near to an inner border counts as cut
BORDER_SHARE = 1 / 200  # or this share of the view's side, whichever is more: models write coordinates on a grid


@dataclass(frozen=True)
class View:
    """A window of a scene and the size at which a model is shown it.

    Padding right of and below the shown pixels, for models with a fixed input, moves no point and needs no field here.

    Attributes:
        window_xyxy: x0, y0, x1, y1, whole full-scene px, inside the scene.
        size_wh: pixels at which the window is shown; the two axes may be scaled differently.
        scene_wh: the scene's size, px.

    Example:
        >>> view = View((1000, 0, 3000, 1000), (1000, 500), (4000, 1000))
        >>> view.to_scene([[500, 250]]).tolist(), view.cut_sides([1000, 100, 1400, 200])
        ([[2000.0, 500.0]], (True, False, False, False))
    """

    window_xyxy: WindowXYXY
    size_wh: SizeWH
    scene_wh: SizeWH

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.window_xyxy
        _checked_size(self.scene_wh, "scene_wh")
        _checked_size(self.size_wh, "size_wh")
        if not (0 <= x0 < x1 <= self.scene_wh[0] and 0 <= y0 < y1 <= self.scene_wh[1]):
            raise UsageError(f"window {self.window_xyxy!r} is empty or outside the scene of {self.scene_wh!r} px")

    @property
    def window_wh(self) -> SizeWH:
        """The window's size in full-scene px."""
        x0, y0, x1, y1 = self.window_xyxy
        return x1 - x0, y1 - y0

    @property
    def is_whole(self) -> bool:
        """Whether the window is the whole scene."""
        return self.window_xyxy == (0, 0, *self.scene_wh)

    @cached_property
    def frame(self) -> Frame:
        """From full-scene px to view px; `view.frame.then(...)` leads on to a model's own grid."""
        return Frame.window(self.window_xyxy).then(Frame.resized(self.window_wh, self.size_wh))

    @property
    def scale(self) -> float:
        """View px a scene px, the geometric mean of both axes."""
        return math.sqrt(self.frame.scale_xy[0] * self.frame.scale_xy[1])

    def from_scene(self, xy_px: np.ndarray) -> np.ndarray:
        """Points (..., 2) from full-scene px to view px."""
        return self.frame.from_scene(xy_px)

    def to_scene(self, xy: np.ndarray) -> np.ndarray:
        """Points (..., 2) from view px to full-scene px."""
        return self.frame.to_scene(xy)

    def shown_at(self, size_wh: SizeWH) -> View:
        """The same window at another size, such as the one a model's processor rounds to."""
        return replace(self, size_wh=size_wh)

    @property
    def margins_px(self) -> tuple[float, float]:
        """How near to a border a box counts as cut, along x and y, full-scene px."""
        near = [max(BORDER_PX, BORDER_SHARE * side) for side in self.size_wh]
        return near[0] / self.frame.scale_xy[0], near[1] / self.frame.scale_xy[1]

    def cut_sides(self, box_px: Sequence[float] | np.ndarray) -> tuple[bool, bool, bool, bool]:
        """Whether a box touches the view's left, top, right and lower border where the scene goes on behind it.

        Args:
            box_px: x0, y0, x1, y1, full-scene px.
        """
        (x0, y0, x1, y1), (width, height) = self.window_xyxy, self.scene_wh
        mx, my = self.margins_px
        return (
            x0 > 0 and bool(box_px[0] - x0 < mx),
            y0 > 0 and bool(box_px[1] - y0 < my),
            x1 < width and bool(x1 - box_px[2] < mx),
            y1 < height and bool(y1 - box_px[3] < my),
        )


@dataclass(frozen=True, eq=False)
class Seen:
    """A region, in full-scene px, and the view it was found in."""

    region: Region
    view: View

    @cached_property
    def cut(self) -> bool:
        """Whether an inner border of the view cuts the region, so that more of it may lie outside."""
        return any(self.view.cut_sides(self.region.box_px))

    @cached_property
    def shown_px(self) -> float:
        """Size at which the model saw it: geometric mean of length and width, view px."""
        length, width = length_width_px(self.view.from_scene(self.region.corners_px))
        return math.sqrt(length * width)


# ---- which views there are


def whole(size_wh: SizeWH, max_pixels: int) -> tuple[View, ...]:
    """One view: the scene, made smaller where it has more than `max_pixels`, never larger (but see `LEAST_SIDE`).

    Example:
        >>> whole((4000, 2000), 1_000_000)[0].size_wh
        (1414, 707)
    """
    _checked_size(size_wh, "size_wh")
    if max_pixels < LEAST_SIDE**2:
        raise UsageError(
            f"max_pixels is {max_pixels!r}, expected at least {LEAST_SIDE**2} ({LEAST_SIDE} x {LEAST_SIDE})"
        )
    scale = min(1.0, math.sqrt(max_pixels / (size_wh[0] * size_wh[1])))
    width, height = _shown(size_wh, scale)
    longest = max_pixels // min(width, height)  # a stretched short side or rounding up may have gone beyond
    return (View((0, 0, *size_wh), (min(width, longest), min(height, longest)), size_wh),)


def tiled(size_wh: SizeWH, tile_px: int, overlap_px: int, scale: float = 1.0) -> tuple[View, ...]:
    """Equal tiles that cover the scene, row by row; neighbours share at least the overlap, so there are no slivers.

    Things that are narrower and lower than the overlap lie whole in some tile.

    Args:
        size_wh: the scene, px.
        tile_px: most pixels along a side of a view.
        overlap_px: of neighbours, in view px like `tile_px`; at most half of it.
        scale: view px a scene px; 0.5 shows twice as much scene a tile.

    Raises:
        UsageError: a size that is not positive, an overlap above half a tile, tiles below a few scene px.

    Example:
        >>> [view.window_xyxy for view in tiled((1800, 900), 1024, 128)]
        [(0, 0, 1024, 900), (776, 0, 1800, 900)]
    """
    _checked_size(size_wh, "size_wh")
    _checked_tile(tile_px, overlap_px, "tile_px")
    if not 0 < scale < math.inf:
        raise UsageError(f"scale is {scale!r}, expected view px a scene px, above 0")
    side, lap = math.floor(tile_px / scale), math.ceil(overlap_px / scale)
    if side <= lap:
        raise UsageError(f"tiles of {tile_px!r} px at scale {scale!r} hold {side} scene px; take a smaller scale")
    across, down = (_spans(n, side, 1 if n <= side else -(-(n - lap) // (side - lap))) for n in size_wh)
    return _grid(size_wh, across, down, scale, tile_px)


def adaptive(
    size_wh: SizeWH, base_px: int = 560, most: int = 9, *, overlap_px: int = 0, upscale: float = 1.5,
    stretched: bool = False,
) -> tuple[View, ...]:  # fmt: skip
    """A grid of k1 x k2 local tiles and a global view: the dynamic partition of IXC-2.5, GeoPixel section 3.2.

    There (equation 1) the image is scaled up and padded to the closest grid of k1 x k2 <= P patches of base resolution
    B, cut into patches that do not overlap, and a global view of B x B goes with them (B = 560). The grid is chosen as
    in IXC-2.5's published code: the long side takes the most tiles k for which k * ceil(k / aspect) <= P. Where we
    differ: what would be padding is shared out as overlap of the tiles (one that is still smaller than B is shown
    smaller; a caller with a fixed input pads it right and below, which moves no point); and tiles can overlap, since
    without overlap whatever lies on a border is cut.

    Args:
        size_wh: the scene, px.
        base_px: B, most pixels along a side of a view.
        most: P, most local tiles.
        overlap_px: least overlap of neighbours in view px, at most half of `base_px`; 0 as in the paper.
        upscale: the long side takes at most ceil(upscale * side / B) tiles, so that small scenes are not blown up; 1.5
            is what IXC-2.5 is evaluated with, `math.inf` always uses as many tiles as P allows.
        stretched: the global view is B x B whatever the scene's aspect, as in the paper; else it keeps the aspect.

    Returns:
        The tiles row by row, then the global view; the global view alone where one tile is all there is.

    Raises:
        UsageError: a size, base or count below 1, an overlap above half a tile.

    Example:
        >>> views = adaptive((4000, 2000), 560, most=9)
        >>> len(views), views[0].window_xyxy, views[-1].size_wh
        (9, (0, 0, 1000, 1000), (560, 280))
    """
    _checked_size(size_wh, "size_wh")
    _checked_tile(base_px, overlap_px, "base_px")
    if most < 1 or not upscale > 0:
        raise UsageError(f"most is {most!r} and upscale {upscale!r}, expected at least 1 tile and a factor above 0")
    long, short = max(size_wh), min(size_wh)
    enough = most if math.isinf(upscale) else max(1, math.ceil(upscale * long / base_px))
    along, beside = _closest_grid(long, short, base_px, overlap_px, most, enough)
    globally = View((0, 0, *size_wh), (base_px, base_px) if stretched else _shown(size_wh, base_px / long), size_wh)
    if along == 1:
        return (globally,)
    lap = math.ceil(overlap_px * long / _reach(along, base_px, overlap_px))
    side = min(long, -(-(long + (along - 1) * lap) // along))
    counts = (along, beside) if size_wh[0] >= size_wh[1] else (beside, along)
    across, down = (_spans(n, side, count) for n, count in zip(size_wh, counts, strict=True))
    return (*_grid(size_wh, across, down, base_px / side, base_px), globally)


def zoomed(
    box_px: Sequence[float] | np.ndarray, scene_wh: SizeWH, long_px: int, context: float = 3.0, most_zoom: float = 4.0
) -> View:  # fmt: skip
    """A crop round a box for a second look, moved inside the scene where it would stick out.

    Args:
        box_px: x0, y0, x1, y1, full-scene px.
        scene_wh: px.
        long_px: the view's long side, view px.
        context: side of the crop in long sides of the box, at least 1.
        most_zoom: view px a scene px at most; a tinier box gets more surroundings instead.

    Example:
        >>> zoomed((100, 100, 120, 110), (4000, 3000), 448)
        View(window_xyxy=(54, 49, 166, 161), size_wh=(448, 448), scene_wh=(4000, 3000))
    """
    _checked_size(scene_wh, "scene_wh")
    box = np.asarray(box_px, dtype=np.float64)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise UsageError(f"box_px is {box_px!r}, expected four finite numbers x0, y0, x1, y1")
    if long_px < LEAST_SIDE or not context >= 1 or not most_zoom > 0:
        raise UsageError(
            f"long_px is {long_px!r}, context {context!r}, most_zoom {most_zoom!r}; expected at least {LEAST_SIDE} px, "
            "at least 1 and above 0"
        )
    side = math.ceil(max(context * (box[2:] - box[:2]).max(), long_px / most_zoom, 1.0))
    spans = []
    for low, high, length in zip(box[:2], box[2:], scene_wh, strict=True):
        inside = min(side, length)
        start = math.floor(min(max((low + high - inside) / 2, 0), length - inside))
        spans.append((start, start + inside))
    (x0, x1), (y0, y1) = spans
    return View((x0, y0, x1, y1), _shown((x1 - x0, y1 - y0), long_px / max(x1 - x0, y1 - y0)), scene_wh)


def _closest_grid(long: int, short: int, base: int, overlap: int, most: int, enough: int) -> tuple[int, int]:
    """Tiles along the long and the short side: the most along the long one with at most `most` in all, exactly."""
    best = (1, 1)
    for k in range(2, min(most, enough) + 1):
        need, tile = _reach(k, base, overlap) * short - overlap * long, (base - overlap) * long
        beside = max(1, -(-need // tile))
        if k * beside > most:
            break
        best = (k, beside)
    return best


def _reach(count: int, base: int, overlap: int) -> int:
    """View px that a row of overlapping tiles covers."""
    return count * base - (count - 1) * overlap


def _spans(length: int, side: int, count: int) -> list[tuple[int, int]]:
    """`count` equal spans of `side` px, evenly from 0 to `length`; the whole length where it fits in one."""
    if length <= side or count == 1:
        return [(0, length)]
    starts = dict.fromkeys(i * (length - side) // (count - 1) for i in range(count))
    return [(start, start + side) for start in starts]


def _grid(
    size_wh: SizeWH, across: Sequence[tuple[int, int]], down: Sequence[tuple[int, int]], scale: float, most_px: int
) -> tuple[View, ...]:  # fmt: skip
    width, height = _shown((across[0][1] - across[0][0], down[0][1] - down[0][0]), scale)
    shown = (min(width, most_px), min(height, most_px))
    return tuple(View((x0, y0, x1, y1), shown, size_wh) for y0, y1 in down for x0, x1 in across)


def _shown(window_wh: SizeWH, scale: float) -> SizeWH:
    """The size of a window at a scale, with sides that models take."""
    width, height = (max(LEAST_SIDE, round(side * scale)) for side in window_wh)
    longest = MOST_ASPECT * min(width, height)
    return min(width, longest), min(height, longest)


def _checked_size(size_wh: SizeWH, name: str) -> None:
    if len(size_wh) != 2 or not all(isinstance(side, int | np.integer) and side >= 1 for side in size_wh):
        raise UsageError(f"{name} is {size_wh!r}, expected width and height in whole px, at least 1")


def _checked_tile(tile_px: int, overlap_px: int, name: str) -> None:
    if tile_px < LEAST_SIDE:
        raise UsageError(f"{name} is {tile_px!r}, expected at least {LEAST_SIDE} px")
    if not 0 <= overlap_px <= tile_px / 2:
        raise UsageError(f"overlap_px is {overlap_px!r}, expected 0 to half of {name} ({tile_px / 2:g})")
