"""What a condition tree says of annotated objects, without models and without a graph.

The meaning is that of the plan of `surveyor.agent.planner.make_plan`: each selection is found, narrowed condition by
condition, then picked from; a test holds both against each other. Verdicts come from `surveyor.tools.judge`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import shapely

from ...core.conditions import Condition, InBox, Pick, Selection, Verdict, conjuncts
from ...core.errors import UnknownPhrase
from ...core.geometry import box_to_corners
from ...core.lexicon import resolve
from ...core.masks import Mask
from ...core.regions import FloatArray, Region
from ...tools.bands import STRICT, Bands
from ...tools.findings import FALSE, TRUE, Case, Members
from ...tools.judge import judge_case
from ...tools.layout import Layout
from ...tools.pick import judge_pick
from .items import Item, Truth

_VERDICTS: tuple[Verdict, ...] = (False, None, True)
_OUTLINE_PX = 1.0  # outlines of masks are simplified up to this


@lru_cache(maxsize=16384)
def labels_of(phrase: str, classes: tuple[str, ...]) -> tuple[str, ...]:
    """The classes that a phrase stands for; () where none does."""
    try:
        return resolve(phrase, classes)
    except UnknownPhrase:
        return ()


@dataclass(frozen=True)
class Frame:
    """What the rules read of a scene whose pixels do not matter.

    Attributes:
        size_wh: px.
        gsd_m: ground sample distance; None where not known.
    """

    size_wh: tuple[int, int]
    gsd_m: float | None = None


class Regions:
    """Regions by label, made when a label is first asked for.

    Args:
        makers: label -> what makes its regions.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Sequence[Region]]]) -> None:
        self._makers = makers
        self._made: dict[str, Sequence[Region]] = {}

    @classmethod
    def of(cls, regions: Iterable[Region]) -> Regions:
        """Those at hand."""
        by_label: dict[str, list[Region]] = {}
        for region in regions:
            by_label.setdefault(region.label, []).append(region)
        return cls({label: partial(tuple, found) for label, found in by_label.items()})

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels there are."""
        return tuple(self._makers)

    def labelled(self, labels: Iterable[str]) -> list[Region]:
        """The regions of some labels, label by label."""
        found: list[Region] = []
        for label in labels:
            if label in self._makers:
                if label not in self._made:
                    self._made[label] = self._makers[label]()
                found += self._made[label]
        return found


@dataclass(frozen=True, eq=False)
class Found:
    """The objects of a selection's classes, with a verdict code each (0 false, 1 unknown, 2 true)."""

    layout: Layout
    codes: np.ndarray

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all objects, in order."""
        return self.layout.ids

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """By id."""
        return {name: _VERDICTS[code] for name, code in zip(self.ids, self.codes.tolist(), strict=True)}

    @property
    def kept(self) -> tuple[str, ...]:
        """Ids of those that are in for certain."""
        ids = self.ids
        return tuple(ids[place] for place in np.flatnonzero(self.codes == TRUE).tolist())

    @property
    def is_definite(self) -> bool:
        """Whether nothing is unknown."""
        return bool(((self.codes == TRUE) | (self.codes == FALSE)).all())


@dataclass(frozen=True, eq=False)
class _Open(Case):
    """A case whose references are evaluated when a rule asks for them."""

    executor: Executor | None = None

    def members(self, reference: Selection) -> Members:
        assert self.executor is not None
        return self.executor.members(reference)


class Executor:
    """Evaluates selections over one scene's objects and remembers what it found.

    Args:
        scene: `Frame`, or a `core.scene.Scene` where colours are asked for.
        heads: objects that the outermost selection may choose from.
        references: objects that selections inside relations may choose from; None: the same.
        classes: all labels a phrase may stand for, also those that the scene has none of.
        bands: `STRICT` leaves what a person could contest unknown.
    """

    def __init__(
        self,
        scene: Any,
        heads: Regions,
        references: Regions | None = None,
        *,
        classes: Iterable[str] = (),
        bands: Bands = STRICT,
    ) -> None:
        self.scene, self.bands = scene, bands
        self._heads, self._references = heads, heads if references is None else references
        self.classes = tuple(dict.fromkeys((*classes, *self._heads.labels, *self._references.labels)))
        self._layouts: dict[tuple[tuple[str, ...], bool], Layout] = {}
        self._found: dict[tuple[Selection, bool], Found] = {}
        self._members: dict[Selection, Members] = {}
        self._codes: dict[tuple[Layout, Condition], np.ndarray] = {}

    def labels(self, phrases: Iterable[str]) -> tuple[str, ...]:
        """The classes that any of the phrases stands for; () where none does."""
        return tuple(dict.fromkeys(label for phrase in phrases for label in labels_of(phrase, self.classes)))

    def layout(self, phrases: tuple[str, ...], *, is_head: bool = True) -> Layout:
        """All objects of the phrases' classes."""
        key = (phrases, is_head)
        if key not in self._layouts:
            regions = self._heads if is_head else self._references
            self._layouts[key] = Layout(regions.labelled(self.labels(phrases)))
        return self._layouts[key]

    def selection(self, selection: Selection, *, is_head: bool = True) -> Found:
        """The objects of a selection's classes and what the whole selection says of each."""
        key = (selection, is_head)
        if key not in self._found:
            layout = self.layout(selection.phrases, is_head=is_head)
            status = np.full(len(layout), TRUE, dtype=np.int8)
            for condition in conjuncts(selection.where):
                status = np.minimum(status, self.codes(layout, condition, status))
            for pick in selection.picks:
                found = self.codes(layout, pick, status)
                status = np.where(status > FALSE, np.minimum(status, found), status)
            self._found[key] = Found(layout, status.astype(np.int8))
        return self._found[key]

    def codes(self, layout: Layout, condition: Condition, status: np.ndarray | None = None) -> np.ndarray:
        """(N,) codes of one condition on objects whose status so far is given (none: all are in)."""
        if status is not None and bool((status != TRUE).any()):
            return self._judged(layout, condition, status)
        key = (layout, condition)
        if key not in self._codes:
            self._codes[key] = self._judged(layout, condition, np.full(len(layout), TRUE, dtype=np.int8))
        return self._codes[key]

    def _judged(self, layout: Layout, condition: Condition, status: np.ndarray) -> np.ndarray:
        case = self._case(layout, status)
        if isinstance(condition, Pick):
            return judge_pick(case, condition).codes
        return judge_case(case, condition).codes

    def members(self, reference: Selection) -> Members:
        """The open objects of a reference."""
        if reference not in self._members:
            found = self.selection(reference, is_head=False)
            chosen = np.flatnonzero(found.codes > FALSE)
            if len(chosen) == len(found.layout):
                self._members[reference] = Members(found.layout, found.codes)
            else:
                layout = Layout([found.layout.regions[place] for place in chosen.tolist()])
                self._members[reference] = Members(layout, found.codes[chosen])
        return self._members[reference]

    def _case(self, layout: Layout, status: np.ndarray) -> Case:
        return _Open(self.scene, layout, status, {}, self.bands, self)


class ChangeParts(Executor):
    """An executor over changed things: of a box in numbers the pixels in it are asked for (FORMATS.md section 8).

    So a thing counts with whatever part of it lies in the box; `changes.held_inside` cuts it to that part.
    """

    def _judged(self, layout: Layout, condition: Condition, status: np.ndarray) -> np.ndarray:
        if not isinstance(condition, InBox):
            return super()._judged(layout, condition, status)
        box_px = condition.to_px(self.scene.size_wh)
        inside = [each.mask is not None and each.mask.clipped(box_px).area_px > 0 for each in layout.regions]
        return np.where(np.array(inside, dtype=bool), TRUE, FALSE).astype(np.int8)


# ---- from an item ---------------------------------------------------------------------------------------------


def region_of(truth: Truth) -> Region:
    """An annotated object as a region: oriented box, upright box, and outline and mask where the item holds a mask."""
    box = np.array(truth.hbb, dtype=np.float64)
    corners = box_to_corners(box) if truth.obb is None else np.array(truth.obb, dtype=np.float64)
    mask = None if truth.rle is None else Mask.from_rle(truth.rle)
    outline = None if mask is None else outline_of(mask)
    return Region(truth.id, truth.label, corners, box, None, outline, mask, source="annotation")


def outline_of(mask: Mask) -> FloatArray | None:
    """(N, 2) outline of the largest part, simplified up to 1 px; None for an empty mask."""
    parts = mask.to_polygons()
    if not parts:
        return None
    simple = simplified(shapely.Polygon(parts[0].exterior))
    ring = shapely.get_coordinates(simple if simple.geom_type == "Polygon" and not simple.is_empty else parts[0])
    return np.asarray(ring[:-1], dtype=np.float64)


def simplified(polygons: Any) -> Any:
    """Polygons (one, or an array of them) with fewer points, none further away than 1 px; each stays one ring.

    Keeping the topology takes ten times as long, so only those that would cross themselves are done with it.
    """
    simple = shapely.simplify(polygons, _OUTLINE_PX, preserve_topology=False)
    whole = shapely.is_valid(simple) & ~shapely.is_empty(simple) & (shapely.get_type_id(simple) == 3)
    return np.where(whole, simple, shapely.simplify(np.where(whole, None, polygons), _OUTLINE_PX))[()]


def executor_of(item: Item, *, bands: Bands = STRICT, scene: Any = None, classes: Iterable[str] = ()) -> Executor:
    """The executor over an item's objects, as the builder judged them: ignored ones take part."""
    frame = Frame(item.image.size_wh, item.image.gsd_m) if scene is None else scene
    kind = ChangeParts if item.task == "RCD" else Executor
    return kind(frame, Regions.of(region_of(each) for each in item.objects), classes=classes, bands=bands)


def answer(item: Item, *, bands: Bands = STRICT, scene: Any = None) -> Found:
    """What the item's tree says of its objects.

    Args:
        item: of CREC, CRES or RCD.
        bands: `STRICT` as the builder, `CRISP` as `surveyor ask`.
        scene: pixels of the crop, where colours are asked for.
    """
    return executor_of(item, bands=bands, scene=scene).selection(item.request.outputs[0].target)
