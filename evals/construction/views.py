"""A window of a record as something to ask of: its objects, and executors over those that count.

What all executors of a view share (layouts, what holds whether or not doubtful objects are seen) is made once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from ...core.conditions import And, Condition, Group, Not, Or, Pick, Selection, walk
from ...core.regions import Region
from ...tools.bands import CRISP, STRICT, Bands
from ...tools.findings import FALSE, Members
from ...tools.layout import Layout
from ..bench.execute import Executor, Frame, Regions
from ..bench.items import Image
from ..bench.predict import open_image
from ..datasets.record import Record
from .seen import Seen, draw


@dataclass(frozen=True)
class _Pictured(Frame):
    """A frame with the pixels of its image, which is opened when they are asked for and not kept."""

    image: Image | None = None
    root: str = "."

    def read(self, window: tuple[int, int, int, int], size_wh: tuple[int, int]) -> np.ndarray:
        assert self.image is not None
        return open_image(self.image, self.root).read(window, size_wh)

    def valid(self, window: tuple[int, int, int, int], size_wh: tuple[int, int]) -> np.ndarray:
        assert self.image is not None
        return open_image(self.image, self.root).valid(window, size_wh)


class _Judge(Executor):
    """An executor of a view; shares with the others what rests on the regions alone.

    Args:
        scene, heads, references, classes, bands: as in `Executor`.
        layouts: of all executors of the view, by the ids of the regions.
        same: another executor with the same limits, and the labels whose objects both take as references: what it says
            of conditions on no others holds here too.
    """

    def __init__(
        self,
        scene: Frame,
        heads: Regions,
        references: Regions | None = None,
        *,
        classes: tuple[str, ...],
        layouts: dict[tuple[str, ...], Layout],
        bands: Bands = STRICT,
        same: tuple[Executor, frozenset[str]] | None = None,
    ) -> None:
        super().__init__(scene, heads, references, classes=classes, bands=bands)
        self._shared, self._same = layouts, same
        self._is_same: dict[Condition, bool] = {}

    def layout(self, phrases: tuple[str, ...], *, is_head: bool = True) -> Layout:
        key = (phrases, is_head)
        if key not in self._layouts:
            regions = self._heads if is_head else self._references
            self._layouts[key] = self._of(regions.labelled(self.labels(phrases)))
        return self._layouts[key]

    def codes(self, layout: Layout, condition: Condition, status: np.ndarray | None = None) -> np.ndarray:
        if status is not None and not _looks_at_status(condition):
            status = None
        if self._same is not None and self._holds_there(condition):
            return self._same[0].codes(layout, condition, status)
        return super().codes(layout, condition, status)

    def _judged(self, layout: Layout, condition: Condition, status: np.ndarray) -> np.ndarray:
        """As the rules say; what is made of conditions that were judged before is made of their codes."""
        match condition:
            case Not():
                return 2 - self.codes(layout, condition.condition, status)
            case Or():
                return np.maximum.reduce([self.codes(layout, part, status) for part in condition.conditions])
            case _:
                return super()._judged(layout, condition, status)

    def _holds_there(self, condition: Condition) -> bool:
        """Whether the other executor says the same of it."""
        assert self._same is not None
        if condition not in self._is_same:
            phrases = [phrase for each in walk(condition) if isinstance(each, Selection) for phrase in each.phrases]
            here = {label for label in self.labels(phrases) if label in self._references.labels}
            self._is_same[condition] = here <= self._same[1]
        return self._is_same[condition]

    def members(self, reference: Selection) -> Members:
        if reference not in self._members:
            found = self.selection(reference, is_head=False)
            chosen = np.flatnonzero(found.codes > FALSE)
            layout = self._of([found.layout.regions[place] for place in chosen.tolist()])
            self._members[reference] = Members(layout, found.codes[chosen])
        return self._members[reference]

    def _of(self, regions: list[Region]) -> Layout:
        key = tuple(region.id for region in regions)
        if key not in self._shared:
            self._shared[key] = Layout(regions)
        return self._shared[key]


def _looks_at_status(condition: Condition) -> bool:
    """Whether it matters which candidates are still open: ranks and groups are among those."""
    match condition:
        case And() | Or():
            return any(map(_looks_at_status, condition.conditions))
        case Not():
            return _looks_at_status(condition.condition)
        case _:
            return isinstance(condition, Pick | Group)


@dataclass(frozen=True, eq=False)
class View:
    """A window of a record.

    Attributes:
        image: where the pixels are.
        objects: all that are seen, in the record's order.
        classes: labels that are annotated wherever they occur.
        record: where it comes from.
        pixels_root: the folder that the image's path is relative to, where pixels may be looked at (for colours).
    """

    image: Image
    objects: tuple[Seen, ...]
    classes: tuple[str, ...]
    record: Record
    pixels_root: str | None = None

    @cached_property
    def frame(self) -> Frame:
        """Size and scale, and the pixels where they may be looked at."""
        if self.pixels_root is not None:
            return _Pictured(self.image.size_wh, self.image.gsd_m, self.image, self.pixels_root)
        return Frame(self.image.size_wh, self.image.gsd_m)

    @cached_property
    def by_id(self) -> dict[str, Seen]:
        """The objects by id."""
        return {seen.id: seen for seen in self.objects}

    @cached_property
    def by_label(self) -> dict[str, list[Seen]]:
        """The objects by label, in order of first sight."""
        found: dict[str, list[Seen]] = {}
        for seen in self.objects:
            found.setdefault(seen.label, []).append(seen)
        return found

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the objects."""
        return tuple(self.by_label)

    def _regions(self, holds: Callable[[Seen], bool]) -> Regions:
        def made(label: str) -> list[Region]:
            draw(self.by_label[label])
            return [seen.region for seen in self.by_label[label] if holds(seen)]

        return Regions({label: partial(made, label) for label in self.by_label})

    @cached_property
    def _layouts(self) -> dict[tuple[str, ...], Layout]:
        return {}

    @cached_property
    def everything(self) -> Executor:
        """Over all objects, also those in doubt."""
        every = self._regions(lambda _seen: True)
        return _Judge(self.frame, every, classes=self.classes, layouts=self._layouts)

    @cached_property
    def certain(self) -> Executor:
        """Over the objects that are not in doubt."""
        heads, references = (
            self._regions(lambda seen: not seen.doubt),
            self._regions(lambda seen: seen.is_sure_reference),
        )
        sure = frozenset(
            label for label, found in self.by_label.items() if all(seen.is_sure_reference for seen in found)
        )
        return _Judge(
            self.frame, heads, references, classes=self.classes, layouts=self._layouts, same=(self.everything, sure)
        )

    @cached_property
    def crisp(self) -> Executor:
        """Over all objects, with the limits that `surveyor ask` uses."""
        every = self._regions(lambda _seen: True)
        return _Judge(self.frame, every, classes=self.classes, bands=CRISP, layouts=self._layouts)

    def is_turned(self, labels: tuple[str, ...]) -> bool:
        """Whether the direction of all objects of these labels is annotated, and with it length and width."""
        return self._upright.isdisjoint(labels)

    def is_coloured(self, labels: tuple[str, ...]) -> bool:
        """Whether the colours of all objects of these labels can be told: their pixels are known and may be read."""
        outlined = all(seen.area is not None for label in labels for seen in self.by_label.get(label, ()))
        return self.pixels_root is not None and outlined

    def is_shaped(self, labels: tuple[str, ...]) -> bool:
        """Whether lengths, areas and distances of all objects of these labels can be trusted."""
        return self._shapeless.isdisjoint(labels)

    @cached_property
    def _upright(self) -> frozenset[str]:
        """Labels of which some object has no more than an upright box."""
        return frozenset(seen.label for seen in self.objects if seen.corners is None)

    @cached_property
    def _shapeless(self) -> frozenset[str]:
        """Labels of which the shape of some object is not known."""
        return frozenset(seen.label for seen in self.objects if not seen.is_shaped)

    @cached_property
    def _boxed(self) -> dict[str, Layout]:
        return {}

    @cached_property
    def _boxes_of(self) -> dict[str, Layout]:
        return {}

    def boxes_of(self, label: str) -> Layout:
        """The boxes of all objects of a class, which are not drawn for it."""
        if label not in self._boxes_of:
            self._boxes_of[label] = Layout([seen.boxed for seen in self.by_label[label]])
        return self._boxes_of[label]

    def boxed(self, name: str) -> Layout:
        """The boxes of one object, which is not drawn for it."""
        if name not in self._boxed:
            self._boxed[name] = Layout([self.by_id[name].boxed])
        return self._boxed[name]

    def aspect_of(self, name: str) -> float:
        """Long side / short side of the oriented box of one object."""
        return float(self.boxed(name).aspects[0])
