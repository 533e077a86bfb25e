"""A change detector as a grounder: "changed building" is what the detector finds of "building" between two images.

So the plan of a request about one image runs as it is on a pair: what was found is narrowed by place, relation and rank
on the earlier image's frame, and keeps the pixels that the detector gave it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...core.changes import changed_thing
from ...core.conditions import InBox, Request, Selection, all_of, conjuncts, walk
from ...core.errors import UnknownPhrase, UsageError
from ...core.geometry import box_to_corners
from ...core.lexicon import normalise
from ...core.masks import Mask
from ...core.pair import open_pair
from ...core.protocols import ChangeDetector, Grounder, MaskPrompt, MaskResult
from ...core.regions import Region
from ...tools.changes import Finds, known_mask, with_pixels
from ...tools.models.spec import Models

if TYPE_CHECKING:
    from ...core.scene import Scene


class ChangeGrounder(Finds):
    """A grounder over a pair: it finds what changed, and knows no other phrase. Scores are the detector's.

    It tells no `version`, so nothing it finds is kept for later runs: what a scene holds depends on the other scene.

    Args:
        detector: what is asked.
        before: earlier scene.
        after: later one, of the same size.

    Raises:
        UsageError: the scenes differ in size.
    """

    finds_changes = True

    def __init__(self, detector: ChangeDetector, before: Scene, after: Scene) -> None:
        if before.size_wh != after.size_wh:
            raise UsageError(
                f"{before.name!r} has {before.size_wh[0]} x {before.size_wh[1]} px and {after.name!r} "
                f"{after.size_wh[0]} x {after.size_wh[1]} px; expected images of equal size that show the same ground"
            )
        super().__init__()
        self.name = detector.name
        self._detector, self._before, self._after = detector, before, after

    def knows(self) -> tuple[str, ...] | None:
        """None: what the detector can tell apart is known only by asking it."""
        return None

    def resolve(self, phrase: str) -> tuple[str, ...]:
        """The phrase itself, singular. Raises UnknownPhrase where it speaks of no change."""
        if changed_thing(phrase) is None:
            raise UnknownPhrase(
                phrase, ("changed building", "changed area"), hint="Only what changed can be asked for."
            )
        return (normalise(phrase),)

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        """What changed, in the detector's order; each region with its pixels (its outline filled where it has none)."""
        (label,) = self.resolve(phrase)
        thing = changed_thing(phrase)
        assert thing is not None
        with self._lock:
            if thing not in self._found:
                found = self._detector.changes(self._before, self._after, thing)
                self._found[thing] = tuple(with_pixels(region, self._before.shape_hw) for region in found)
        return tuple(replace(region, label=label) for region in self._found[thing])


class KeptMasks:
    """A segmenter that gives regions the pixels they were found with; it looks at no image.

    Args:
        grounder: what found them, or all regions there are.
    """

    name = "as found"

    def __init__(self, grounder: Finds | Iterable[Region]) -> None:
        self._grounder = grounder if isinstance(grounder, Finds) else tuple(grounder)

    def segment(self, scene: Scene, prompts: Sequence[MaskPrompt]) -> tuple[MaskResult, ...]:
        """The mask of the region that has a prompt's boxes (of several, the one most like its rough mask)."""
        regions = self._grounder if isinstance(self._grounder, tuple) else self._grounder.found
        return tuple(MaskResult(_mask_of(prompt, regions, scene.shape_hw)) for prompt in prompts)


class InsideBox(Finds):
    """A grounder over a pair that sees one box of the image: what it finds is cut to the pixels in it.

    Args:
        grounder: finds regions with their pixels.
        box_px: x0, y0, x1, y1; a pixel whose centre lies in it is seen.
    """

    finds_changes = True

    def __init__(self, grounder: Grounder, box_px: Sequence[float]) -> None:
        super().__init__()
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
        cut = tuple(filter(None, (_cut(region, self._box_px, scene.shape_hw) for region in found)))
        with self._lock:
            self._found[phrase] = cut
        return cut


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
    return replace(models, grounder=grounder, segmenter=KeptMasks(grounder)), Request(outputs=tuple(outputs))


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


def _mask_of(prompt: MaskPrompt, regions: Iterable[Region], shape_hw: tuple[int, int]) -> Mask:
    corners = box_to_corners(prompt.box_px) if prompt.corners_px is None else prompt.corners_px
    return known_mask(prompt, regions) or Mask.from_polygon(corners, shape_hw)


def union_of(regions: Iterable[Region], shape_hw: tuple[int, int]) -> Mask:
    """The pixels of all regions."""
    total = Mask.from_array(np.zeros((0, 0)), shape_hw=shape_hw)
    for region in regions:
        mask = with_pixels(region, shape_hw).mask
        total = total if mask is None else total.union(mask)
    return total


def over_pair(models: Models, before: Scene, after: Scene) -> Models:
    """The models with the change detector in the place of grounder and segmenter.

    The pair is prepared as `ask` does it (co-registered, in one light). One that looks unrelated is compared as it
    lies: an item says that it belongs together.

    Raises:
        UsageError: there is no change detector, or the scenes differ in size.
    """
    if models.change is None:
        raise UsageError(NO_DETECTOR)
    try:
        pair = open_pair(before, after)
    except UsageError:
        pair = open_pair(before, after, align=False)
    grounder = ChangeGrounder(models.change, pair.levelled, pair.levelled_after)
    return replace(models, grounder=grounder, segmenter=KeptMasks(grounder))


NO_DETECTOR = (
    "RCD items need a change detector and the models have none; give one (--models change=cva), or let the items' own "
    "objects answer (--oracle boxes)"
)
