"""Two dates of one place, made comparable: one grid, co-registered, one light, and a mask of what can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from .alignment import LEAST_SIDE_PX, Alignment, Thumbnail, estimate
from .errors import UsageError
from .pair_clouds import cloud_mask
from .pair_grid import AffineMap, Chained, CroppedSource, PixelMap, WarpedSource
from .pair_ground import Ground, common_ground
from .pair_light import Light, LitSource, is_grey, matched_light
from .pair_metadata import read_head
from .pair_words import alignment_note, head_notes, light_note, unknown_note
from .progress import report
from .raster import Window
from .scene import Scene

NEGLIGIBLE_PX = 0.3
_STRIPE_ROWS = 512
_STEPS = 4


@dataclass(frozen=True, eq=False)
class ScenePair:
    """Two dates on one grid: the later image's pixels. Safe to share between threads; reads by windows.

    Attributes:
        before: the earlier scene on exactly the later one's grid (size, CRS, transform), in its own light.
        after: the later scene.
        given: the earlier scene as it was given.
        to_given: from px of the grid to px of `given`.
        notes: what was done and what to know, in plain words.
        alignment: what co-registration found, in px of the grid; None where it was not asked for or not possible.
        identical: whether both have the same pixels (the same file twice): nothing has changed.
        light: how the earlier scene's values become comparable to the later one's.
        clouds: (H, W) bool over `seen`, coarse; None where there are none.
        seen: part of the grid that the earlier scene reaches, x0, y0, x1, y1 px.
        unknown: share (0..1) of the grid that cannot be compared, by reason: "outside before", "no data", "clouds".
    """

    before: Scene
    after: Scene
    given: Scene
    to_given: PixelMap
    notes: tuple[str, ...]
    alignment: Alignment | None
    identical: bool
    light: Light
    clouds: np.ndarray | None
    seen: Window
    unknown: dict[str, float]

    @property
    def unknown_share(self) -> float:
        """Share (0..1) of the grid that cannot be compared: unknown, not unchanged. Measured on a thumbnail."""
        return min(1.0, sum(self.unknown.values()))

    @cached_property
    def levelled(self) -> Scene:
        """The earlier scene in the later one's light, for models to read; grey where either date has no colours."""
        return _lit(self.before, self.light)

    @cached_property
    def levelled_after(self) -> Scene:
        """What to compare `levelled` with: the later scene, grey where the earlier one has no colours."""
        return _lit(self.after, Light(np.ones(3), np.zeros(3), grey=True)) if self.light.grey else self.after

    @cached_property
    def taken(self) -> tuple[datetime | None, datetime | None]:
        """When each was taken, by its file's metadata; None where that does not tell, and for pixels in memory.

        Raises:
            UsageError: a file that is no longer there.
        """
        return taken_of(self.given), taken_of(self.after)

    def valid(
        self, window_xyxy: Sequence[float] | None = None, out_size_wh: tuple[int, int] | None = None
    ) -> np.ndarray:
        """(H, W) bool: where both dates have data and neither shows a cloud. What is False is unknown.

        Args:
            window_xyxy: x0, y0, x1, y1 in px of the grid; default the whole.
            out_size_wh: as for `Scene.read`.
        """
        known = self.after.valid(window_xyxy, out_size_wh)
        known &= self.before.valid(window_xyxy, out_size_wh)
        if self.clouds is None or not self.clouds.any():
            return known
        x0, y0, x1, y1 = (0, 0, *self.after.size_wh) if window_xyxy is None else window_xyxy
        rows, columns = known.shape
        left, top, right, bottom = self.seen
        x = np.floor(x0) + (np.arange(columns) + 0.5) * (np.ceil(x1) - np.floor(x0)) / columns
        y = np.floor(y0) + (np.arange(rows) + 0.5) * (np.ceil(y1) - np.floor(y0)) / rows
        height, width = self.clouds.shape
        column = np.clip((x - left) * width // (right - left), 0, width - 1).astype(int)
        row = np.clip((y - top) * height // (bottom - top), 0, height - 1).astype(int)
        return np.asarray(known & ~self.clouds[np.ix_(row, column)])

    def given_px(self, xy_px: np.ndarray) -> np.ndarray:
        """Points (..., 2) of the grid, in px of the earlier scene as it was given."""
        return self.to_given(np.asarray(xy_px, dtype=np.float64))

    def __repr__(self) -> str:
        return f"ScenePair({self.given.name!r}, {self.after.name!r}, unknown {self.unknown_share:.0%})"


def taken_of(scene: Scene) -> datetime | None:
    """When a scene was taken, by its file's metadata (`core.pair_metadata.read_head`); None where that does not tell.

    Example:
        >>> taken_of(Scene.from_array(np.zeros((2, 2, 3), np.uint8))) is None
        True
    """
    return None if scene.path is None else read_head(scene.path).taken


def open_pair(
    before: str | Path | Scene, after: str | Path | Scene, *, align: bool = True, clouds: bool = True
) -> ScenePair:
    """Two dates of one place, made comparable on the later one's pixels.

    Georeferenced scenes are brought together by their coordinates, others must be of one size. Then a turn and a shift
    that remain are estimated and undone (`core.alignment`), unless they are below 0.3 px. The earlier scene is
    resampled once at most. What only one date shows, nodata and clouds are unknown. docs/change.md tells how each was
    measured.

    Args:
        before: the earlier date, a file or a scene.
        after: the later date.
        align: estimate and undo misregistration, and refuse pairs that don't match. False takes them as they lie.
        clouds: look for clouds.

    Raises:
        UsageError: a file that is missing or no image; sizes that differ without georeference; no or hardly any
            overlap; no place where both have data; images without georeference that do not match.

    Example:
        >>> pair = open_pair("2019.tif", "2024.tif")  # doctest: +SKIP
        >>> pair.before.size_wh == pair.after.size_wh, pair.notes  # doctest: +SKIP
        (True, ('before was resampled from 0.3 to 0.5 m a pixel', ...))
    """
    first, second = (each if isinstance(each, Scene) else Scene.open(each) for each in (before, after))
    report("preparing the pair", 0, _STEPS)
    notes = list(head_notes(first, second))
    identical = _same_pixels(first, second)
    ground = common_ground(first, second)
    notes += ground.notes
    if identical:
        notes.append("both dates have the very same pixels: nothing has changed, if the right two files were given")
    report("preparing the pair", 1, _STEPS)
    rough = first if ground.to_before is None else _warped(first, ground.to_before, second)
    seen = ground.window
    thumbs = Thumbnail.of(_cropped(rough, seen)), Thumbnail.of(_cropped(second, seen))
    if not (thumbs[0].valid & thumbs[1].valid).any():
        raise UsageError(
            f"{first.name!r} and {second.name!r} have no place where both hold data (the rest is nodata or "
            "transparent); choose files that show the same ground"
        )
    alignment = None
    if align and not identical:
        alignment = _aligned(rough, second, ground, thumbs, notes)
    report("preparing the pair", 2, _STEPS)
    matrix = None if alignment is None else _worth_moving(alignment, second)
    to_given = _composed(matrix, ground)
    if second.transform is None and first.transform is not None:
        second = _lent(first, second, to_given)
    laid = _laid(first, second, to_given, moved=matrix is not None or ground.to_before is not None)
    earlier = thumbs[0] if matrix is None else _moved_thumb(thumbs[0], matrix, seen)
    report("preparing the pair", 3, _STEPS)
    return _finished(first, second, laid, to_given, seen, earlier, thumbs[1], alignment, identical, clouds, notes)


def _finished(
    given: Scene,
    after: Scene,
    laid: Scene,
    to_given: PixelMap,
    seen: Window,
    earlier: Thumbnail,
    later: Thumbnail,
    alignment: Alignment | None,
    identical: bool,
    look_for_clouds: bool,
    notes: list[str],
) -> ScenePair:
    """The pair with what thumbnails tell: clouds, light, and how much is unknown."""
    both = earlier.valid & later.valid
    cloudy = np.zeros(both.shape, bool)
    if look_for_clouds and not identical:
        cloudy = cloud_mask(earlier.rgb, later.rgb, both) | cloud_mask(later.rgb, earlier.rgb, both)
    greys = is_grey(earlier.rgb), is_grey(later.rgb)
    light = matched_light(earlier.rgb, later.rgb, both & ~cloudy, grey=greys[0] != greys[1])
    if greys[0] != greys[1]:
        notes.append(f"{'before' if greys[0] else 'after'} is grey and the other in colour: they are compared in grey")
    area = (seen[2] - seen[0]) * (seen[3] - seen[1]) / (after.size_wh[0] * after.size_wh[1])
    inside = earlier.valid | (_reached(earlier.valid.shape, seen, to_given, given))
    unknown = {
        "outside before": 1 - area + area * float((~inside).mean()),
        "no data": area * float((inside & ~both).mean()),
        "clouds": area * float((both & cloudy).mean()),
    }
    notes += [*light_note(light), *unknown_note(unknown)]
    report("preparing the pair", _STEPS, _STEPS)
    return ScenePair(
        before=laid,
        after=after,
        given=given,
        to_given=to_given,
        notes=tuple(dict.fromkeys(notes)),
        alignment=alignment,
        identical=identical,
        light=light,
        clouds=cloudy if cloudy.any() else None,
        seen=seen,
        unknown=unknown,
    )


def _aligned(
    rough: Scene, after: Scene, ground: Ground, thumbs: tuple[Thumbnail, Thumbnail], notes: list[str]
) -> Alignment | None:
    """What co-registration finds, in px of the whole grid; adds to the notes.

    Raises:
        UsageError: the two don't match and no georeference says that they should.
    """
    x0, y0, x1, y1 = ground.window
    if min(x1 - x0, y1 - y0) < LEAST_SIDE_PX:
        notes.append(f"the common part is below {LEAST_SIDE_PX} px: too small to be aligned, taken as it lies")
        return None
    found = estimate(_cropped(rough, ground.window), _cropped(after, ground.window), thumbs)
    if not found.matched and not ground.georeferenced:
        raise UsageError(
            f"{rough.name!r} and {after.name!r} do not show the same ground, as far as edges and colours tell "
            f"(quality {found.quality:.2f}, 0.19 is needed); check the files. If they do, because nearly everything "
            "has changed, compare them as they lie with align=False"
        )
    shift = np.array([x0, y0], dtype=np.float64)
    matrix = found.matrix.copy()
    matrix[:, 2] += shift - matrix[:, :2] @ shift
    found = Alignment(matrix, found.matched, found.textured, found.peak, found.agreement)
    notes.append(alignment_note(found, after.size_wh, NEGLIGIBLE_PX))
    return found


def _worth_moving(alignment: Alignment, after: Scene) -> np.ndarray | None:
    return alignment.matrix if alignment.moved_px(after.size_wh)[1] >= NEGLIGIBLE_PX else None


def _composed(matrix: np.ndarray | None, ground: Ground) -> PixelMap:
    """From px of the grid to px of the earlier scene: the misregistration, then the georeference."""
    if matrix is None:
        return ground.to_before or AffineMap(np.eye(2, 3))
    return AffineMap(matrix) if ground.to_before is None else Chained(AffineMap(matrix), ground.to_before)


def _lent(first: Scene, second: Scene, to_given: PixelMap) -> Scene:
    """The later scene with the earlier one's georeference, moved as the pixels are."""
    from affine import Affine

    corners = to_given(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    origin, right, down = first.pixels_to_map(corners)
    (a, d), (b, e) = right - origin, down - origin
    transform = Affine(float(a), float(b), float(origin[0]), float(d), float(e), float(origin[1]))
    return second.with_georeference(first.crs, transform, second.gsd_xy_m or first.gsd_xy_m)


def _laid(first: Scene, second: Scene, to_given: PixelMap, moved: bool) -> Scene:
    """The earlier scene on the later one's grid."""
    if moved:
        return _warped(first, to_given, second)
    if (first.crs, first.transform, first.gsd_xy_m) == (second.crs, second.transform, second.gsd_xy_m):
        return first
    return first.with_georeference(second.crs, second.transform, second.gsd_xy_m or first.gsd_xy_m)


def _warped(scene: Scene, to_source: PixelMap, grid: Scene) -> Scene:
    corners = to_source(np.array([[0.0, 0.0], [grid.size_wh[0], 0.0], [0.0, grid.size_wh[1]]]))
    return Scene(
        WarpedSource(scene, to_source, grid.size_wh),
        name=scene.name,
        gsd_xy_m=grid.gsd_xy_m,
        crs=grid.crs,
        transform=grid.transform,
        bands=scene.bands,
        made_from=lambda: f"{scene.digest} warped by {np.round(corners, 6).tolist()} to {grid.size_wh} of {grid.crs}",
    )


def _cropped(scene: Scene, window: Window) -> Scene:
    return scene if window == (0, 0, *scene.size_wh) else Scene(CroppedSource(scene, window), name=scene.name)


def _lit(scene: Scene, light: Light) -> Scene:
    return Scene(
        LitSource(scene, light),
        name=scene.name,
        gsd_xy_m=scene.gsd_xy_m,
        crs=scene.crs,
        transform=scene.transform,
        bands=scene.bands,
        made_from=lambda: f"{scene.digest} lit {light.gain.tolist()} {light.offset.tolist()} {light.grey}",
    )


def _moved_thumb(thumb: Thumbnail, matrix: np.ndarray, seen: Window) -> Thumbnail:
    """A thumbnail of `seen` after the misregistration was undone."""
    height, width = thumb.valid.shape
    scale = np.array([width / (seen[2] - seen[0]), height / (seen[3] - seen[1])])
    corner = np.array(seen[:2], dtype=np.float64)
    linear = matrix[:, :2] * scale[:, None] / scale[None, :]
    offset = (matrix[:, 2] + matrix[:, :2] @ corner - corner) * scale
    centred = np.column_stack([linear, offset + linear @ [0.5, 0.5] - 0.5])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    rgb = cv2.warpAffine(thumb.rgb, centred, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    valid = cv2.warpAffine(thumb.valid.astype(np.float32), centred, (width, height), flags=flags)
    return Thumbnail(rgb, valid > 0.99)


def _reached(shape_hw: tuple[int, int], seen: Window, to_given: PixelMap, given: Scene) -> np.ndarray:
    """(H, W) bool: which pixels of a thumbnail of `seen` the earlier scene reaches, with or without data."""
    height, width = shape_hw
    x = seen[0] + (np.arange(width) + 0.5) * (seen[2] - seen[0]) / width
    y = seen[1] + (np.arange(height) + 0.5) * (seen[3] - seen[1]) / height
    places = to_given(np.stack(np.meshgrid(x, y), axis=-1))
    with np.errstate(invalid="ignore"):
        return np.asarray(((places >= 0) & (places <= given.size_wh)).all(axis=-1))


def _same_pixels(first: Scene, second: Scene) -> bool:
    """Whether both have the same size, pixels and holes; stops at the first stripe that differs."""
    if first is second:
        return True
    if first.size_wh != second.size_wh:
        return False
    if first.path and second.path and first.path.samefile(second.path) and first.bands == second.bands:
        return True
    width, height = first.size_wh
    for top in range(0, height, _STRIPE_ROWS):
        stripe = (0, top, width, min(height, top + _STRIPE_ROWS))
        if not np.array_equal(first.read(stripe), second.read(stripe)):
            return False
        if not np.array_equal(first.valid(stripe), second.valid(stripe)):
            return False
    return True
