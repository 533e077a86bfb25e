"""Where single conditions are looked for: one class of a view, and what its objects are told by."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.regions import FloatArray
from ...tools.layout import Layout
from ...tools.rows import find_rows
from .referents import Referent
from .views import View

DIRECTIONS = ("left", "right", "above", "below", "above left", "above right", "below left", "below right")
CELLS = ("top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right")
ROUND = tuple(round(lead * 10.0**power, 3) for power in range(7) for lead in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8))
"""Numbers that a person would say."""
_SMALL = 0.3
_ROWS = 12  # of more, nobody would follow the rows


@dataclass(frozen=True, eq=False)
class Site:
    """Where atoms are looked for: a view and one class of it.

    Attributes:
        view: what is seen.
        name: of the class asked for, as it is said.
        labels: the annotated labels it stands for.
        referents: what they can be told by.
        names: label -> how it is called, of the other labels of the view.
    """

    view: View
    name: str
    labels: tuple[str, ...]
    referents: tuple[Referent, ...]
    names: dict[str, str]

    @cached_property
    def layout(self) -> Layout:
        """The judged objects of the class."""
        return self.view.certain.layout((self.name,))

    @cached_property
    def size(self) -> int:
        """How many judged objects there are."""
        return sum(not seen.doubt for label in self.labels for seen in self.view.by_label[label])

    @cached_property
    def everyone(self) -> tuple[Layout, np.ndarray]:
        """All objects of the class, also those in doubt, and (N,) which of them are judged."""
        layout = self.view.everything.layout((self.name,))
        return layout, np.array([not self.view.by_id[region.id].doubt for region in layout.regions], dtype=bool)

    @cached_property
    def reach(self) -> float:
        """The longest side of the judged objects' upright boxes, as a share of the image's shorter side."""
        return reach_of(self.view, (region.id for region in self.layout.regions))

    @cached_property
    def _boxes(self) -> FloatArray:
        return np.array([self.view.by_id[region.id].box for region in self.layout.regions]).reshape(-1, 4)

    def gaps_to(self, ids: Iterable[str]) -> FloatArray:
        """(N, M) px between the upright boxes of the judged objects and those of other objects, 0 where they overlap.

        Outlines are at least that far apart. No object is near itself: inf.
        """
        others = tuple(ids)
        if others not in self._gaps:
            self._gaps[others] = self._gaps_to(others)
        return self._gaps[others]

    @cached_property
    def _gaps(self) -> dict[tuple[str, ...], FloatArray]:
        return {}

    def _gaps_to(self, others: tuple[str, ...]) -> FloatArray:
        theirs = np.array([self.view.by_id[name].box for name in others]).reshape(-1, 4)
        apart = np.maximum(
            self._boxes[:, None, :2] - theirs[None, :, 2:], theirs[None, :, :2] - self._boxes[:, None, 2:]
        )
        gaps = np.hypot(*np.moveaxis(np.maximum(apart, 0.0), -1, 0))
        places = {region.id: place for place, region in enumerate(self.layout.regions)}
        for column, name in enumerate(others):
            if name in places:
                gaps[places[name], column] = np.inf
        return gaps

    @property
    def is_followed(self) -> bool:
        """Whether there are so few objects that one can follow their rows."""
        return sum(len(self.view.by_label[label]) for label in self.labels) <= _ROWS


def is_small(site: Site) -> bool:
    """Whether the objects are small enough to be at one place of the image."""
    return site.reach <= _SMALL


def reach_of(view: View, ids: Iterable[str]) -> float:
    """The longest side of an upright box, as a share of the image's shorter side."""
    boxes = (view.by_id[name].box for name in ids)
    return max(max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes) / min(view.image.size_wh)


def is_row(view: View, layout: Layout) -> bool:
    """Whether the objects form one row (R7), so that "the third from the left" is what one sees."""
    bands = view.certain.bands
    rows = find_rows(layout, bands.row_off.true, bands.row_spread.true)
    return any(len(row) == len(layout) for row in rows)


def said_between(values: np.ndarray, rng: random.Random) -> float | None:
    """A number that a person would say, with values clear of it on both sides; None where there is none."""
    found = np.unique(values[values > 0])
    gaps = [n for n in range(len(found) - 1) if found[n + 1] >= 1.24 * found[n]]
    if not gaps:
        return None
    place = rng.choice(gaps)
    low, high = float(found[place]), float(found[place + 1])
    options = [each for each in ROUND if low <= 0.9 * each and 1.1 * each <= high]
    return rng.choice(options) if options else None
