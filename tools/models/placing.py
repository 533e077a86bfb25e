"""Pixels that a model tells in a view, as pixels of the scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...core.masks import Mask
from ...core.regions import Region
from .views import View


def mask_in_scene(mask: Mask, view: View) -> Mask:
    """The scene's pixels whose centres lie in the mask.

    Args:
        mask: px of the view, as the model was shown it.
        view: where that is in the scene.

    Returns:
        px of the scene; without pixels where the scene's are so much larger that none has its centre in the mask.

    Example:
        >>> view = View((10, 20, 18, 24), (4, 2), (100, 50))  # shown at half its size
        >>> found = mask_in_scene(Mask.from_array([[1, 0, 0, 0], [0, 0, 0, 0]]), view)
        >>> found.box_px.tolist(), found.area_px
        ([10.0, 20.0, 12.0, 22.0], 4)
    """
    x0, y0, x1, y1 = view.window_xyxy
    (left, top), (height, width) = mask.offset_xy, mask.crop.shape
    columns = _shown_at(x1 - x0, view.size_wh[0]) - left
    rows = _shown_at(y1 - y0, view.size_wh[1]) - top
    across, down = (np.flatnonzero((at >= 0) & (at < n)) for at, n in ((columns, width), (rows, height)))
    shape_hw = (view.scene_wh[1], view.scene_wh[0])
    if not len(across) or not len(down):
        return Mask.from_array(np.zeros((0, 0)), shape_hw=shape_hw)
    crop = mask.crop[np.ix_(rows[down], columns[across])]
    return Mask.from_array(crop, (int(across[0]) + x0, int(down[0]) + y0), shape_hw)


def with_pixels(region: Region, mask: Mask, view: View) -> Region:
    """The region with a mask of the view as its pixels, and as its outline where they are one piece without a hole."""
    pixels = mask_in_scene(mask, view)
    if not pixels.area_px:
        return region
    shapes = pixels.to_polygons()
    is_plain = len(shapes) == 1 and not shapes[0].interiors
    outline = np.asarray(shapes[0].exterior.coords)[:-1] if is_plain else None
    return replace(region, mask=pixels, polygon_px=outline)


def _shown_at(scene: int, shown: int) -> np.ndarray:
    """For each of the scene's pixels along an axis the one of the view that shows its centre."""
    return ((np.arange(scene) + 0.5) * shown / scene).astype(int)
