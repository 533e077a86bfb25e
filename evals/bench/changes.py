"""Items about two dates: the pair as `ask` sees it, boxes in numbers, pixels that things were found with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...agent.pairs import over_pair
from ...core.conditions import InBox, Request, Selection, all_of, conjuncts, walk
from ...core.errors import UsageError
from ...core.geometry import box_to_corners
from ...core.masks import Mask
from ...core.protocols import Grounder, MaskPrompt, MaskResult
from ...core.regions import Region
from ...tools.changes import with_pixels
from ...tools.models.spec import Models

if TYPE_CHECKING:
    from ...core.scene import Scene


class KeptMasks:
    """A segmenter that gives regions the pixels they were found with; it looks at no image."""

    name = "as found"

    def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]) -> tuple[MaskResult, ...]:
        """The rough mask of each prompt; its box, filled in, where it has none."""
        return tuple(MaskResult(prompt.coarse or _filled(prompt, scene.shape_hw)) for prompt in prompts)


class InsideBox:
    """A grounder over a pair that sees one box of the image: what it finds is cut to the pixels in it.

    Args:
        grounder: finds regions with their pixels.
        box_px: x0, y0, x1, y1; a pixel whose centre lies in it is seen.
    """

    finds_changes = True

    def __init__(self, grounder: Grounder, box_px: Sequence[float]) -> None:
        self.name = grounder.name
        self._grounder, self._box_px = grounder, tuple(box_px)

    def knows(self) -> tuple[str, ...] | None:
        """As the grounder itself."""
        return self._grounder.knows()

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """As the grounder itself."""
        return self._grounder.resolve(phrase)

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        """What has pixels in the box, with those alone."""
        found = self._grounder.ground(scene, phrase)
        return tuple(filter(None, (_cut(region, self._box_px, scene.shape_hw) for region in found)))


def held_box(request: Request) -> InBox | None:
    """The box in numbers that all of a request is about; None where there is none, or more is told than that box.

    Boxes of things told by other things ("in the box ..., next to the largest") are conditions like others: the other
    thing may lie outside.

    Example:
        >>> from surveyor.agent.parser import parse
        >>> held_box(parse("segment the changed buildings in the box [0, 0, 500, 400]")).xyxy
        (0, 0, 500, 400)
    """
    boxes = {part for out in request.outputs for part in conjuncts(out.target.where) if isinstance(part, InBox)}
    named = sum(isinstance(node, Selection) for node in walk(request))
    in_all = all(boxes & set(conjuncts(out.target.where)) for out in request.outputs)
    return next(iter(boxes)) if len(boxes) == 1 and in_all and named == len(request.outputs) else None


def held_inside(models: Models, request: Request, size_wh: tuple[int, int]) -> tuple[Models, Request]:
    """A request about changes in a box: models that see the box alone, and the request without it.

    The pixels in an explicit box are asked for (FORMATS.md section 8), not the changed things that lie in it. Without
    such a box both come back as they are.
    """
    box = held_box(request)
    if box is None:
        return models, request
    grounder = InsideBox(models.grounder, box.to_px(size_wh))
    outputs = []
    for out in request.outputs:
        where = all_of(part for part in conjuncts(out.target.where) if part != box)
        outputs.append(out.model_copy(update={"target": out.target.model_copy(update={"where": where})}))
    return replace(models, grounder=grounder, segmenter=KeptMasks()), Request(outputs=tuple(outputs))


def _cut(region: Region, box_px: Sequence[float], shape_hw: tuple[int, int]) -> Region | None:
    """The part of a region in a box, with an upright box round it where something is cut off; None for nothing."""
    whole = with_pixels(region, shape_hw).mask
    assert whole is not None
    mask = whole.clipped(box_px)
    if mask == whole:
        return replace(region, mask=whole)
    box = mask.box_px
    return None if box is None else replace(
        region, mask=mask, box_px=box, corners_px=box_to_corners(box), polygon_px=None, keypoints_px=None
    )  # fmt: skip


def _filled(prompt: MaskPrompt, shape_hw: tuple[int, int]) -> Mask:
    return Mask.from_polygon(
        box_to_corners(prompt.box_px) if prompt.corners_px is None else prompt.corners_px, shape_hw
    )


def union_of(regions: Iterable[Region], shape_hw: tuple[int, int]) -> Mask:
    """The pixels of all regions."""
    total = Mask.from_array(np.zeros((0, 0)), shape_hw=shape_hw)
    for region in regions:
        mask = with_pixels(region, shape_hw).mask
        total = total if mask is None else total.union(mask)
    return total


def as_pair(models: Models, before: Scene, after: Scene) -> tuple[Models, Scene]:
    """The models that answer about two dates as `ask` has them answer, and the scene whose pixels they answer in.

    One that looks unrelated is compared as it lies: an item says that it belongs together.

    Raises:
        UsageError: there is no change detector.
    """
    if models.change is None:
        raise UsageError(NO_DETECTOR)
    try:
        models, pair = over_pair(models, before, after)
    except UsageError:
        models, pair = over_pair(models, before, after, align=False)
    return models, pair.after


NO_DETECTOR = (
    "RCD items need a change detector and the models have none; give one (--models change=cva), or let the items' own "
    "objects answer (--oracle boxes)"
)
