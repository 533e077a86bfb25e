"""Post-classification comparison: the things of each date are found on their own, then matched one to one.

What stands at one date only has come or gone; what stands at both, in very different size, was altered. So change is
found of whatever the grounder finds, thing by thing, with a direction (Singh 1989 calls it post-classification
comparison). Its errors are those of both looks together: a thing missed at one date would be a change. Hence the guard:
what one date shows only is no change where the grounder finds it weakly at the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import shapely

from ...core.errors import UsageError
from ...core.geometry import polygon_area
from ...core.lexicon import normalise
from ...core.masks import Mask
from ...core.progress import note
from ...core.protocols import Grounder, MaskPrompt, Segmenter
from ...core.regions import Change, Region
from ...core.rotated_iou import rotated_iou_pairs

if TYPE_CHECKING:
    from ...core.scene import Scene

ANY_CHANGE = "change"
Direction = Literal["new", "gone", "altered"]


@dataclass(frozen=True)
class Matching:
    """What makes two finds one thing.

    Attributes:
        least_iou: of two finds that are one thing.
        shift_px: how far one of two may be moved towards the other before they are compared (what co-registration
            leaves, and roofs that lean); at most half the shorter side of the smaller.
        altered: a thing whose smaller area is below this share of the larger was altered.
        weak_score: finds at least as sure as this at the other date speak against a change.
        known: least share of a thing's ground that the other date must show.
    """

    least_iou: float = 0.25
    shift_px: float = 4.0
    altered: float = 0.6
    weak_score: float = 0.05
    known: float = 0.5


class Comparison:
    """A change detector made of a grounder and a segmenter.

    Args:
        grounder: finds things at each date. One that can `with_threshold(score)` is asked for weak finds too.
        segmenter: gives them pixels.
        matching: what makes two finds one thing.

    Example:
        >>> from surveyor.core.scene import Scene
        >>> from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
        >>> scene = Scene.from_array(np.zeros((60, 80, 3), np.uint8))
        >>> Comparison(FakeGrounder(labels=["ship"]), FakeSegmenter()).changes(scene, scene, "ships")
        ()
    """

    name = "compare"

    def __init__(self, grounder: Grounder, segmenter: Segmenter, matching: Matching | None = None) -> None:
        self.grounder, self.segmenter, self.matching = grounder, segmenter, matching or Matching()
        with_threshold = getattr(grounder, "with_threshold", None)
        self._weak: Grounder | None = None if with_threshold is None else with_threshold(self.matching.weak_score)

    @property
    def version(self) -> str | None:
        """Those of both models, and how finds are matched; None where either tells none."""
        versions = [getattr(model, "version", None) for model in (self.grounder, self.segmenter)]
        return None if None in versions else f"{versions[0]} {versions[1]} {self.matching}"

    def knows(self) -> tuple[str, ...] | None:
        """What the grounder knows."""
        return self.grounder.knows()

    def changes(self, before: Scene, after: Scene, phrase: str) -> tuple[Region, ...]:
        """Things that came, went or were altered, best first; see `ChangeDetector.changes`.

        A region is the thing as the later date shows it (the earlier one for what is gone). Its score is the
        grounder's; `Region.change` holds the score at each date at which it was found. "change" asks for every class
        that the grounder knows; finds of different classes at one place are one thing, since looks confuse classes.

        Raises:
            UnknownPhrase: the grounder does not know the phrase.
            UsageError: the scenes differ in size, or any change is asked for of a grounder without a list of classes.
        """
        if before.size_wh != after.size_wh:
            raise UsageError(
                f"{before.name!r} has {before.size_wh[0]} x {before.size_wh[1]} px and {after.name!r} "
                f"{after.size_wh[0]} x {after.size_wh[1]}; bring both to one grid first (core.pair.open_pair)"
            )
        asked = self._asked(phrase)
        earlier, later = (self._seen(scene, asked) for scene in (before, after))
        alike = likeness(earlier, later, self.matching.shift_px)
        pairs = one_to_one(alike, self.matching.least_iou)
        found = [
            self._altered(earlier[i], later[j])
            for i, j in pairs
            if _area_ratio(earlier[i], later[j]) < self.matching.altered
        ]
        gone = sorted(set(range(len(earlier))) - {i for i, _ in pairs})
        new = sorted(set(range(len(later))) - {j for _, j in pairs})
        found += self._alone([(later[j], alike[:, j].max(initial=0.0)) for j in new], "new", before, asked)
        found += self._alone([(earlier[i], alike[i].max(initial=0.0)) for i in gone], "gone", after, asked)
        found.sort(key=lambda region: -1.0 if region.score is None else -region.score)
        return tuple(
            replace(region, id=f"change-{number}", label=phrase, source=self.name)
            for number, region in enumerate(found, start=1)
        )

    # ---- looking

    def _asked(self, phrase: str) -> tuple[str, ...]:
        """What the grounder is asked for."""
        if normalise(phrase) != ANY_CHANGE:
            self.grounder.resolve(phrase)
            return (phrase,)
        known = self.grounder.knows()
        if known is None:
            raise UsageError(
                f"grounder={self.grounder.name} takes any phrase and has no list of classes to compare; "
                "name a thing (\"which buildings are new?\"), or use change=cva for any change"
            )  # fmt: skip
        note(f"change=compare looked for what grounder={self.grounder.name} knows: {', '.join(known)}")
        return known

    def _seen(self, scene: Scene, asked: Sequence[str]) -> list[Region]:
        """What the grounder finds, with pixels."""
        found = _grounded(self.grounder, scene, asked)
        bare = [region for region in found if region.mask is None]
        prompts = [MaskPrompt(region.box_px, region.corners_px, region.keypoints_px, (1,) * _count(region)) for region in bare]  # fmt: skip  # noqa: E501
        results = self.segmenter.segment(scene, prompts) if prompts else ()
        masks = {region.id: result.mask for region, result in zip(bare, results, strict=True) if result.mask.area_px}
        return [replace(region, mask=masks.get(region.id, region.mask)) for region in found]

    # ---- judging

    def _alone(
        self, finds: Sequence[tuple[Region, float]], direction: Direction, other: Scene, asked: Sequence[str]
    ) -> list[Region]:
        """Those of one date's unmatched finds that are changes.

        Args:
            finds: with the IoU of the most alike find at the other date.
            direction: "new" for finds of the later date, "gone" for those of the earlier.
            other: the other date.
        """
        shown = []
        for region, best in finds:
            part = _known_part(region, other)
            if part < self.matching.known:
                note(f"a {_named(region)} lies where the other date has no data: not judged")
            else:
                shown.append((region, float(best)))
        if not shown:
            return []
        weak = _grounded(self._weak, other, asked) if self._weak is not None else []
        bare = [replace(region, mask=None) for region, _ in shown]
        hints = likeness(bare, weak, self.matching.shift_px)
        found, doubtful = [], 0
        for (region, best), hint in zip(shown, hints, strict=True):
            if hint.max(initial=0.0) >= self.matching.least_iou:
                doubtful += 1
                continue
            date = "earlier" if direction == "new" else "later"
            reason = f"matched no {_named(region)} at the {date} date (best IoU {best:.2f})"
            earlier, later = (None, region.score) if direction == "new" else (region.score, None)
            found.append(replace(region, change=Change(direction, earlier, later, reason)))
        if doubtful:
            one = "thing that was found at one date was" if doubtful == 1 else "things that were found at one date were"
            note(f"{doubtful} {one} found weakly at the other: not taken for changed")
        return found

    def _altered(self, earlier: Region, later: Region) -> Region:
        first, second = (_area(region) for region in (earlier, later))
        reason = f"{_named(later)} at both dates, {second / max(first, 1e-9):.2f} times as large at the later one"
        return replace(later, change=Change("altered", earlier.score, later.score, reason))


def likeness(first: Sequence[Region], second: Sequence[Region], shift_px: float) -> np.ndarray:
    """(N, M) IoU of finds of two dates, after one was moved towards the other's centre by at most `shift_px`.

    Of masks where both have them, else of oriented boxes. Boxes further apart than the shift have 0.

    Example:
        >>> def at(x, y):
        ...     corners = np.array([[x, y], [x + 20, y], [x + 20, y + 10], [x, y + 10]], float)
        ...     return Region("", "ship", corners, np.concatenate([corners[0], corners[2]]))
        >>> likeness([at(0, 0)], [at(3, 0), at(15, 0), at(60, 0)], 4).round(2).tolist()
        [[1.0, 0.29, 0.0]]
    """
    alike = np.zeros((len(first), len(second)))
    if not alike.size:
        return alike
    tree = shapely.STRtree([shapely.box(*region.box_px) for region in second])
    rows, columns = tree.query(
        [shapely.box(*(region.box_px + np.array([-1, -1, 1, 1]) * shift_px)) for region in first]
    )
    boxes: list[tuple[int, int, np.ndarray]] = []
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        one, other = first[i], second[j]
        step = _step(one, other, shift_px)
        if one.mask is not None and other.mask is not None:
            x, y = (int(v) for v in np.rint(step))
            left, top = one.mask.offset_xy
            alike[i, j] = Mask.from_array(one.mask.crop, (left + x, top + y), one.mask.shape_hw).iou(other.mask)
        else:
            boxes.append((i, j, one.corners_px + step))
    if boxes:
        moved, still = np.stack([each[2] for each in boxes]), np.stack([second[each[1]].corners_px for each in boxes])
        alike[[each[0] for each in boxes], [each[1] for each in boxes]] = rotated_iou_pairs(moved, still)
    return alike


def one_to_one(alike: np.ndarray, least: float) -> list[tuple[int, int]]:
    """Rows and columns of the matching with the largest sum of IoU, of pairs that reach `least`.

    Example:
        >>> one_to_one(np.array([[0.9, 0.8], [0.8, 0.1]]), 0.25)
        [(0, 1), (1, 0)]
    """
    import networkx

    graph = networkx.Graph()
    for i, j in np.argwhere(alike >= least).tolist():
        graph.add_edge(("row", i), ("column", j), weight=float(alike[i, j]))
    pairs = []
    for part in networkx.connected_components(graph):
        for edge in networkx.max_weight_matching(graph.subgraph(part)):
            (_, column), (_, row) = sorted(edge)
            pairs.append((row, column))
    return sorted(pairs)


def _grounded(grounder: Grounder, scene: Scene, asked: Sequence[str]) -> list[Region]:
    """What a grounder finds of all phrases, each find once, with ids of its own."""
    all_at_once = getattr(grounder, "ground_all", None)
    lists = [grounder.ground(scene, each) for each in asked] if all_at_once is None else all_at_once(scene, asked)
    once: dict[tuple[str, bytes], Region] = {}
    for region in (region for regions in lists for region in regions):
        once.setdefault((region.label, region.corners_px.tobytes()), region)
    return [replace(region, id=f"find-{number}") for number, region in enumerate(once.values())]


def _step(one: Region, other: Region, shift_px: float) -> np.ndarray:
    """(2,) px by which `one` is moved towards `other`."""
    step = np.asarray(other.center_px - one.center_px)
    length = float(np.linalg.norm(step))
    sides = np.concatenate([region.box_px[2:] - region.box_px[:2] for region in (one, other)])
    most = min(shift_px, float(sides.min()) / 2)
    return step if length <= most else step * (most / length)


def _area(region: Region) -> float:
    return float(abs(polygon_area(region.corners_px)) if region.mask is None else region.mask.area_px)


def _area_ratio(one: Region, other: Region) -> float:
    """The smaller area over the larger, of the same kind of outline."""
    if one.mask is None or other.mask is None:
        one, other = replace(one, mask=None), replace(other, mask=None)
    small, large = sorted((_area(one), _area(other)))
    return small / large if large else 1.0


def _known_part(region: Region, other: Scene) -> float:
    """Share (0..1) of a region's ground that the other date shows."""
    mask = region.mask or Mask.from_polygon(region.corners_px, other.shape_hw)
    if not mask.area_px:
        return 0.0
    (x, y), (h, w) = mask.offset_xy, mask.crop.shape
    return float(other.valid((x, y, x + w, y + h))[mask.crop].mean())


def _count(region: Region) -> int:
    return 0 if region.keypoints_px is None else len(region.keypoints_px)


def _named(region: Region) -> str:
    return region.label.replace("_", " ")
