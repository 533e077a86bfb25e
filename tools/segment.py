"""Masks and outlines for candidates that only have boxes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

from ..core.budget import charge
from ..core.errors import ToolFailed
from ..core.geometry import farthest_points_in_polygon
from ..core.masks import Mask
from ..core.protocols import MaskPrompt, Segmenter
from ..core.regions import CandidateSet, FloatArray, Region

if TYPE_CHECKING:
    from ..core.scene import Scene

_KEYPOINTS = 3
_SMOOTH_PX = 0.5
_SAME_MASK_IOU = 0.95


def segment(scene: Scene, candidates: CandidateSet, *, segmenter: Segmenter) -> CandidateSet:
    """The candidates, those still open with a mask and an outline.

    The prompt is the box with the region's key points; where it has none and an outline is known, points inside that.
    The outline is that of the mask's largest part, smoothed by less than a pixel; one that was known before is kept
    where it fits the mask. A candidate whose mask comes out empty stays as it is.

    Raises:
        ToolFailed: the segmenter gave another number of masks than it was asked for.
    """
    chosen = [index for index, candidate in enumerate(candidates) if candidate.status is not False]
    if not chosen:
        return candidates
    prompts = [_prompt(candidates.candidates[index].region, scene.shape_hw) for index in chosen]
    charge(calls=1)
    results = segmenter.segment(scene, prompts)
    if len(results) != len(prompts):
        raise ToolFailed(f"the segmenter {segmenter.name!r} gave {len(results)} masks for {len(prompts)} prompts")
    changed = list(candidates)
    for index, result in zip(chosen, results, strict=True):
        if result.mask.area_px:
            region = _with_mask(changed[index].region, result.mask)
            changed[index] = replace(changed[index], region=region)
    return CandidateSet(tuple(changed))


def _prompt(region: Region, shape_hw: tuple[int, int]) -> MaskPrompt:
    """Box, points inside, and the pixels or outline as a rough mask where known (GeoGround's box + mask prompt)."""
    points = np.zeros((0, 2)) if region.keypoints_px is None else region.keypoints_px
    if not len(points) and region.polygon_px is not None:
        points = farthest_points_in_polygon(region.polygon_px, _KEYPOINTS)
    coarse = region.mask
    if coarse is None and region.polygon_px is not None:
        coarse = Mask.from_polygon(region.polygon_px, shape_hw)
    return MaskPrompt(region.box_px, region.corners_px, points, (1,) * len(points), coarse, region.label)


def _with_mask(region: Region, mask: Mask) -> Region:
    known = region.polygon_px
    if known is not None and Mask.from_polygon(known, mask.shape_hw).iou(mask) >= _SAME_MASK_IOU:
        return replace(region, mask=mask)
    return replace(region, mask=mask, polygon_px=_outline(mask))


def _outline(mask: Mask) -> FloatArray:
    """(N, 2) outline of the largest part, without the steps of the pixels where that changes its area little."""
    exact = shapely.Polygon(mask.to_polygons()[0].exterior)
    ring = shapely.get_coordinates(exact.exterior)
    steps = np.diff(ring, axis=0)
    half = 0.5 * steps / np.linalg.norm(steps, axis=1, keepdims=True)  # corners of pixels are cut off half-way
    cut = np.stack([ring[:-1] + half, ring[1:] - half], axis=1).reshape(-1, 2)
    smooth = shapely.simplify(shapely.Polygon(cut), _SMOOTH_PX)
    fits = smooth.geom_type == "Polygon" and smooth.is_valid and abs(smooth.area - exact.area) <= 0.03 * exact.area
    ring = shapely.get_coordinates((smooth if fits else exact).exterior)
    return np.asarray(ring[:-1])
