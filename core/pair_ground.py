"""Do two scenes show the same ground, and where: what their georeference says before any pixel is compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from .errors import UsageError
from .pair_grid import GroundMap
from .raster import Window

if TYPE_CHECKING:
    from .scene import Scene

LEAST_OVERLAP_PX = 32
_SAME_GRID_PX = 0.01
_FAR_APART_GSD = 4.0


@dataclass(frozen=True, eq=False)
class Ground:
    """How the earlier scene lies on the later one's grid by their georeference.

    Attributes:
        to_before: from the later scene's px to the earlier one's; None where the two have the same grid.
        window: part of the later scene's grid that the earlier one reaches, x0, y0, x1, y1 in whole px.
        georeferenced: whether coordinates say so (or else equal sizes).
        notes: what was found and done, for people.
    """

    to_before: GroundMap | None
    window: Window
    georeferenced: bool
    notes: tuple[str, ...]


def common_ground(before: Scene, after: Scene) -> Ground:
    """Where the two lie on each other.

    Raises:
        UsageError: sizes differ and not both are georeferenced, or they overlap by less than 32 px a side.
    """
    if not (_placed(before) and _placed(after)) or (before.crs is None) != (after.crs is None):
        return _by_size(before, after)
    to_before, to_after = _between(after, before), _between(before, after)
    whole = (0, 0, *after.size_wh)
    if _same_grid(before, after, to_before):
        return Ground(None, whole, True, ())
    window = _overlap(before, after, to_after)
    return Ground(to_before, window, True, tuple(_grid_notes(before, after, to_before)))


def _placed(scene: Scene) -> bool:
    return scene.transform is not None


def _between(scene: Scene, source: Scene) -> GroundMap:
    """From px of one to px of the other; without a CRS on either side the coordinates are taken for the same."""
    return GroundMap(scene.transform, scene.crs, source.transform, source.crs)  # type: ignore[arg-type]


def _by_size(before: Scene, after: Scene) -> Ground:
    whole = (0, 0, *after.size_wh)
    missing = [each.name for each in (before, after) if each.transform is None or each.crs is None]
    if before.size_wh != after.size_wh:
        who = " and ".join(repr(name) for name in missing)
        (w1, h1), (w2, h2) = before.size_wh, after.size_wh
        alike = abs(w1 / h1 - w2 / h2) < 0.01 * w1 / h1
        hint = f"if both show the same ground, resize {before.name!r} to {w2} x {h2} px; otherwise " if alike else ""
        raise UsageError(
            f"{before.name!r} is {w1} x {h1} px and {after.name!r} {w2} x {h2} px, and {who} "
            f"{'has' if len(missing) == 1 else 'have'} no georeference that tells how they lie on each other; "
            f"{hint}give georeferenced files (GeoTIFF with a CRS), or cut both to the same ground and size"
        )
    notes = []
    if len(missing) == 1 or (before.crs is None) != (after.crs is None):
        notes.append(
            f"{missing[0]!r} has no georeference; it has the other's size, so both are taken to show the same ground"
        )
    if before.gsd_m and after.gsd_m and abs(before.gsd_m / after.gsd_m - 1) > 0.05:
        notes.append(
            f"the two are of one size but said to have {before.gsd_m:.3g} and {after.gsd_m:.3g} m a pixel; "
            "they are taken to show the same ground"
        )
    return Ground(None, whole, False, tuple(notes))


def _same_grid(before: Scene, after: Scene, to_before: GroundMap) -> bool:
    if before.size_wh != after.size_wh or before.crs != after.crs:
        return False
    width, height = after.size_wh
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], dtype=np.float64)
    return bool(np.abs(to_before(corners) - corners).max() <= _SAME_GRID_PX)


def _overlap(before: Scene, after: Scene, to_after: GroundMap) -> Window:
    """Bounds of the part of the later scene's grid that the earlier scene reaches, whole px."""
    outline = to_after(_outline(before.size_wh))
    outline = outline[np.isfinite(outline).all(axis=1)]
    width, height = after.size_wh
    common: Any = shapely.Polygon()
    if len(outline) >= 3:
        common = shapely.make_valid(shapely.Polygon(outline)).intersection(shapely.box(0, 0, width, height))
    x0, y0, x1, y1 = (float(v) for v in common.bounds) if not common.is_empty else (0.0, 0.0, 0.0, 0.0)
    sides, least = (x1 - x0, y1 - y0), [min(LEAST_OVERLAP_PX, side) for side in after.size_wh]
    if common.area <= 0 or sides[0] < least[0] - 0.01 or sides[1] < least[1] - 0.01:
        much = "do not overlap" if common.area <= 0 else f"overlap by only {sides[0]:.1f} x {sides[1]:.1f} px"
        raise UsageError(
            f"{before.name!r} and {after.name!r} {much} (at least {LEAST_OVERLAP_PX} x {LEAST_OVERLAP_PX} are needed). "
            f"In the coordinates of {_crs_name(after)}, {before.name!r} reaches {_reach(before, after, outline)} and "
            f"{after.name!r} {_reach(after, after, _outline(after.size_wh))}; choose files of the same place"
        )
    return max(0, math.floor(x0)), max(0, math.floor(y0)), min(width, math.ceil(x1)), min(height, math.ceil(y1))


def _outline(size_wh: tuple[int, int], steps: int = 32) -> np.ndarray:
    """(4 * steps, 2) points round the border, px."""
    along = np.linspace(0, 1, steps, endpoint=False)
    flat = np.zeros(steps)
    unit = np.concatenate(
        [
            np.stack(side, axis=1)
            for side in ((along, flat), (flat + 1, along), (1 - along, flat + 1), (flat, 1 - along))
        ]
    )
    return np.asarray(unit * size_wh)


def _reach(scene: Scene, frame: Scene, outline_px: np.ndarray) -> str:
    """A scene's extent in the other's map coordinates, in words."""
    if not len(outline_px):
        return "where those coordinates are not defined"
    places = frame.pixels_to_map(outline_px)
    low, high = places.min(axis=0), places.max(axis=0)
    digits = 5 if frame.crs is not None and frame.crs.is_geographic else 1
    return f"x {low[0]:.{digits}f} to {high[0]:.{digits}f}, y {low[1]:.{digits}f} to {high[1]:.{digits}f}"


def _crs_name(scene: Scene) -> str:
    return "the files" if scene.crs is None else str(scene.crs.to_string())[:40]


def _grid_notes(before: Scene, after: Scene, to_before: GroundMap) -> list[str]:
    notes = []
    if before.crs != after.crs:
        notes.append(f"before was reprojected from {_crs_name(before)} to {_crs_name(after)}")
    width, height = after.size_wh
    middle = np.array([width / 2, height / 2]) + np.array([[0, 0], [1, 0], [0, 1]])
    origin, right, down = to_before(middle)
    across, along = right - origin, down - origin
    step = math.sqrt(abs(float(across[0] * along[1] - across[1] * along[0])))  # px of before a px of after
    if not math.isfinite(step) or step <= 0:
        return notes
    if abs(step - 1) > 0.01:
        if before.gsd_m and after.gsd_m:
            notes.append(f"before was resampled from {before.gsd_m:.3g} to {after.gsd_m:.3g} m a pixel")
        else:
            notes.append(f"before was resampled: {step:.3g} of its pixels are one of after's")
    elif not notes:
        notes.append("before lies on another grid and was resampled onto after's")
    if not 1 / _FAR_APART_GSD <= step <= _FAR_APART_GSD:
        finer, ratio = ("before", step) if step > 1 else ("after", 1 / step)
        notes.append(
            f"{finer} has {ratio:.3g} times finer pixels than the other: only what the coarser one resolves "
            "can be compared"
        )
    return notes
