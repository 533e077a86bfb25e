"""Models that answer with an item's own objects, so that a score can be read as the error of what is left to err.

They are made for one item and hold nothing but plain data, so any thread may ask them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...core.geometry import box_to_corners
from ...core.masks import Mask
from ...core.protocols import MaskPrompt, MaskResult, Segmenter
from ...core.regions import Region
from ...core.rotated_iou import rotated_iou_matrix
from ...tools.models.spec import Models
from .changes import KeptMasks
from .execute import labels_of, region_of
from .items import Item

if TYPE_CHECKING:
    from ...core.scene import Scene

LEAST_OVERLAP = 0.5
"""IoU of a prompt with an object from which on the object's mask is the answer."""


class ItemGrounder:
    """A grounder that finds an item's objects as they are labelled, ignored ones too. Scores are None.

    A class that the item has no object of is looked for in vain, since an item holds all objects of the classes that it
    speaks of.

    Args:
        item: of any task; changed parts (RCD) come with their pixels.
    """

    name = "oracle:item"

    def __init__(self, item: Item) -> None:
        found = tuple(replace(region_of(truth), source=self.name) for truth in item.objects)
        self._regions = found if item.task == "RCD" else tuple(replace(region, mask=None) for region in found)
        self._labels = tuple(dict.fromkeys(region.label for region in self._regions))

    def knows(self) -> tuple[str, ...]:
        """The labels of the item's objects."""
        return self._labels

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """The labels that a phrase stands for; the phrase itself where none does."""
        return labels_of(phrase, self._labels) or (phrase,)

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        """The objects of those labels, in the item's order."""
        wanted = set(self.resolve(phrase))
        return tuple(region for region in self._regions if region.label in wanted)


class ItemSegmenter:
    """A segmenter that answers with the mask of the object that fits a prompt best (IoU at least 0.5).

    A prompt on no object is filled in: an empty mask would hide a wrong box from scores that count pixels.

    Args:
        item: with masks; an object without one is filled in.
    """

    name = "oracle:item"

    def __init__(self, item: Item) -> None:
        self._regions = tuple(region_of(truth) for truth in item.objects)

    def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]) -> tuple[MaskResult, ...]:
        """One mask a prompt, in order; scores are None."""
        if not prompts:
            return ()
        asked = np.stack([box_to_corners(p.box_px) if p.corners_px is None else p.corners_px for p in prompts])
        fitting: list[Region | None] = [None] * len(prompts)
        if self._regions:
            ious = rotated_iou_matrix(asked, np.stack([region.corners_px for region in self._regions]))
            for at, best in enumerate(np.argmax(ious, axis=1).tolist()):
                fitting[at] = self._regions[best] if ious[at, best] >= LEAST_OVERLAP else None
        width, height = scene.size_wh
        return tuple(
            MaskResult(
                region.mask
                if region is not None and region.mask is not None
                else Mask.from_polygon(corners if region is None else region.outline_px, (height, width))
            )
            for corners, region in zip(asked, fitting, strict=True)
        )


class BoxPrompts:
    """A segmenter that is told boxes alone: points or outlines of the item's objects would tell it their masks.

    Args:
        segmenter: what is asked.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.name = segmenter.name
        self._segmenter = segmenter

    def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]) -> tuple[MaskResult, ...]:
        """One mask a prompt, in order."""
        return self._segmenter.segment(scene, [MaskPrompt(p.box_px, p.corners_px, label=p.label) for p in prompts])


def with_oracles(models: Models, item: Item, parts: Sequence[str]) -> Models:
    """The models, those for "boxes" and "masks" replaced where they are among the parts; both by "boxes" for RCD."""
    if "boxes" in parts:
        models = replace(models, grounder=ItemGrounder(item))
        if item.task == "RCD":
            return replace(models, segmenter=KeptMasks())
        models = replace(models, segmenter=BoxPrompts(models.segmenter))
    return replace(models, segmenter=ItemSegmenter(item)) if "masks" in parts else models
