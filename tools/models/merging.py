"""Putting together what was found in several windows and at several scales of a scene: one find an object.

Arrays of scored detections (`Raw`, `merge`) serve the embedded detector, which finds thousands; `merge_seen` serves
models that give regions, often without scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.regions import Region
from ...core.rotated_iou import overlapping_pairs, rotated_iou_pairs
from .fragments import join_fragments
from .views import Seen

SAME = 0.5  # two finds of a class that overlap more than this are one object
INSIDE = 0.6  # share of the smaller of two boxes of a class in the other, above which they are one object
REPEATED = 0.8  # two finds of one view that overlap more than this are one, said twice
COMFORT_PX = 32.0  # view px: a thing shown at this size or above is shown large enough for its box to be trusted
GUESS_PX = 4.0  # view px that the box of a thing shown small may be off
FINER = 1.5  # a view that shows things so many times as large as another is a closer look
MEMBERS = 3  # a box that holds so many separate finds of closer views is a group


@dataclass(frozen=True)
class Raw:
    """Detections as arrays, while they are put together: N rows each.

    Attributes:
        scores: (N,) uncalibrated.
        labels: (N,) class indices.
        boxes: (N, 4) and corners: (N, 4, 2), full-scene pixels.
        cut: (N,) touches an inner tile border.
    """

    scores: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    corners: np.ndarray
    cut: np.ndarray

    def take(self, index: np.ndarray) -> Raw:
        return Raw(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    @staticmethod
    def join(parts: Sequence[Raw]) -> Raw:
        return Raw(*(np.concatenate([getattr(p, name) for p in parts]) for name in Raw.__dataclass_fields__))

    @staticmethod
    def empty() -> Raw:
        return Raw(np.zeros(0), np.zeros(0, int), np.zeros((0, 4)), np.zeros((0, 4, 2)), np.zeros(0, bool))


def box_iou_pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU of upright boxes (P, 4) pairwise."""
    wh = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    inter = wh.prod(1)
    return inter / np.maximum((a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter, 1e-9)


def similar_pairs(found: Raw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs i < j of one class that overlap, and how much: the mean of oriented and upright IoU.

    The mean keeps slanting neighbours apart, whose upright boxes overlap, and joins two views of a round thing, whose
    oriented boxes may be turned against each other.
    """
    far = found.labels[:, None, None] * (np.ptp(found.boxes) + 1.0) * 4 if len(found.labels) else 0.0
    quads = found.boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] + far  # classes moved apart: only one class meets itself
    i, j = overlapping_pairs(quads, quads)
    i, j = i[i < j], j[i < j]
    upright = box_iou_pairs(found.boxes[i], found.boxes[j])
    near = upright > 0.15
    i, j, upright = i[near], j[near], upright[near]
    return i, j, (upright + rotated_iou_pairs(found.corners[i], found.corners[j])) / 2


def suppress(found: Raw, overlap: float, rank: np.ndarray | None = None) -> np.ndarray:
    """Indices kept by greedy suppression within a class, best first. `rank` replaces the scores as the order."""
    order = np.argsort(-(found.scores if rank is None else rank), kind="stable")
    i, j, iou = similar_pairs(found.take(order))
    close = iou > overlap
    return order[_standing(len(order), i[close], j[close])]


def merge(found: Raw) -> Raw:
    """One detection an object from all tiles and scales: the best-scored one.

    Boxes cut by a tile's border rank behind whole ones. Of two boxes of a class of which one lies for the most part in
    the other, such as a bridge and a stretch of it, or a plane and its wing, the better-ranked stays.
    """
    kept = found.take(suppress(found, SAME, found.scores - found.cut))
    return kept.take(apart(kept))


def apart(found: Raw) -> np.ndarray:
    """Indices, best first, without boxes that share most of the smaller one's area with a better one of their class.

    A box gives way only to one that stays: of three boats in a row, the last does not fall with the middle one.
    """
    order = np.argsort(-(found.scores - found.cut), kind="stable")
    return order[_standing(len(order), *nested_pairs(found.labels[order], found.corners[order]))]


def nested_pairs(labels: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs i < j of one class of which the smaller lies in the other to more than `INSIDE`."""
    i, j = overlapping_pairs(corners, corners)
    meets = (i < j) & (labels[i] == labels[j])
    i, j = i[meets], j[meets]
    iou = rotated_iou_pairs(corners[i], corners[j])
    area = _areas(corners)
    shared = iou * (area[i] + area[j]) / (1 + iou) / np.minimum(area[i], area[j])
    nested = shared > INSIDE
    return i[nested], j[nested]


def _areas(corners: np.ndarray) -> np.ndarray:
    """(N,) areas of oriented boxes, never quite 0."""
    sides = np.linalg.norm(np.diff(corners[:, :3], axis=1), axis=2)
    return np.asarray(np.maximum(sides.prod(1), 1e-9))


def _standing(count: int, better: np.ndarray, worse: np.ndarray) -> np.ndarray:
    """(count,) bool, rows sorted best first: `worse[k]` falls to `better[k]` (an earlier row) if that one stands."""
    by = np.argsort(better, kind="stable")
    better, worse = better[by], worse[by]
    bounds = np.searchsorted(better, np.arange(count + 1))
    keep = np.ones(count, bool)
    for k in range(count):
        if keep[k]:
            keep[worse[bounds[k] : bounds[k + 1]]] = False
    return keep


# ---- regions of a model that gives them view by view


def merge_regions(found: Sequence[Seen]) -> tuple[Region, ...]:
    """The regions of `merge_seen`."""
    return tuple(seen.region for seen in merge_seen(found))


def merge_seen(found: Sequence[Seen]) -> tuple[Seen, ...]:
    """One find an object from all views; polygon and key points are those of the find that stays.

    What a model told apart in one view stays apart, unless it said the same box twice. Between views:

    1. Fragments of a long thing, each cut by its view, whose ends meet, are joined (`fragments.join_fragments`).
    2. Of finds of one label that overlap by more than `SAME`, one stays: a whole one before one cut by its view's inner
       border, then one shown large enough (by octaves below `COMFORT_PX`), then the better score where there are
       scores, then the closer view.
    3. The box of a thing shown smaller than `COMFORT_PX` may be off by some view pixels, so it need not overlap the
       closer view's one: each closer, whole find stands for the nearest such box within `GUESS_PX`.
    4. A box that holds `MEMBERS` or more separate whole finds of closer views is a group and goes.
    5. Of two of which the smaller lies in the larger for the most part, the one shown large enough stays, then the
       larger: a plane, not its wing; a harbour seen whole from afar, not the pieces in tiles.

    The order of `found` plays no part.

    Args:
        found: regions in full-scene px with their views; ids may clash.

    Returns:
        Best score first (those without last), then by place from the top; ids are "label-number" in that order, with
        "_" for spaces.
    """
    once = {_identity(one)[:-1]: one for one in sorted(found, key=_identity, reverse=True)}  # ids aside
    seen = _survivors(list(once.values()), _quality, _repeats)
    seen = join_fragments(seen)
    seen = _survivors(seen, _quality, _same_in_equal_views)  # first, so that one object stands for one guess
    seen = _survivors(seen, _quality, _guesses)
    seen = _survivors(seen, _quality, _same)
    seen = _survivors(seen, _quality, _groups)
    seen = _survivors(seen, _extent, _parts)
    return _numbered(seen)


Pairs = tuple[np.ndarray, np.ndarray]


def _survivors(
    seen: list[Seen], rank: Callable[[Seen], tuple[float, ...]], falling: Callable[[list[Seen], Raw], Pairs]
) -> list[Seen]:  # fmt: skip
    """Those that stay when, best rank first, each that stands fells those that `falling` pairs with it."""
    if len(seen) < 2:
        return seen
    ordered = sorted(seen, key=lambda one: (rank(one), _identity(one)))
    names = {label: index for index, label in enumerate(sorted({one.region.label for one in ordered}))}
    arrays = Raw(
        np.zeros(len(ordered)), np.array([names[one.region.label] for one in ordered]),
        np.stack([one.region.box_px for one in ordered]), np.stack([one.region.corners_px for one in ordered]),
        np.array([one.cut for one in ordered]),
    )  # fmt: skip
    stands = _standing(len(ordered), *falling(ordered, arrays))
    return [one for one, stays in zip(ordered, stands, strict=True) if stays]


def _identity(seen: Seen) -> tuple[object, ...]:
    """All that a find says, so that sorting by it forgets the order in which finds came."""
    region, view = seen.region, seen.view
    outlines = ((), *(() if p is None else tuple(p.ravel().tolist()) for p in (region.polygon_px, region.keypoints_px)))
    score = -1.0 if region.score is None else region.score
    place = (tuple(region.box_px.tolist()), tuple(region.corners_px.ravel().tolist()))
    return (region.label, *place, score, *outlines, view.window_xyxy, view.size_wh, region.source, region.id)


def _coarseness(seen: Seen) -> int:
    """Octaves by which it was shown smaller than `COMFORT_PX`, rounded up; 0 when it was shown large enough."""
    return math.ceil(math.log2(COMFORT_PX / min(max(seen.shown_px, 0.5), COMFORT_PX)))


def _quality(seen: Seen) -> tuple[float, ...]:
    score = seen.region.score
    return (seen.cut, _coarseness(seen), score is None, -(score or 0.0), -seen.view.scale)


def _extent(seen: Seen) -> tuple[float, ...]:
    return (_coarseness(seen), -float(_areas(seen.region.corners_px[None])[0]), *_quality(seen))


def _views(seen: list[Seen]) -> np.ndarray:
    """(N,) a number a view."""
    number: dict[object, int] = {}
    return np.array([number.setdefault(one.view, len(number)) for one in seen])


def _repeats(seen: list[Seen], arrays: Raw) -> Pairs:
    view = _views(seen)
    i, j, iou = similar_pairs(arrays)
    told = (view[i] == view[j]) & (iou > REPEATED)
    return i[told], j[told]


def _same(seen: list[Seen], arrays: Raw) -> Pairs:
    view = _views(seen)
    i, j, iou = similar_pairs(arrays)
    told = (view[i] != view[j]) & (iou > SAME)
    return i[told], j[told]


def _same_in_equal_views(seen: list[Seen], arrays: Raw) -> Pairs:
    scale = np.array([one.view.scale for one in seen])
    i, j = _same(seen, arrays)
    near = np.maximum(scale[i], scale[j]) < FINER * np.minimum(scale[i], scale[j])
    return i[near], j[near]


def _parts(seen: list[Seen], arrays: Raw) -> Pairs:
    view = _views(seen)
    i, j = nested_pairs(arrays.labels, arrays.corners)
    told = view[i] != view[j]
    return i[told], j[told]


def _guesses(seen: list[Seen], arrays: Raw) -> Pairs:
    """Boxes of things shown small, each with the one find of a closer view that stands for it."""
    slack = np.array([GUESS_PX / one.view.scale if _coarseness(one) else 0.0 for one in seen])[:, None]
    grown = np.concatenate([arrays.boxes[:, :2] - slack, arrays.boxes[:, 2:] + slack], 1)
    centres = arrays.corners.mean(1)
    scale = np.array([one.view.scale for one in seen])
    far = arrays.labels[:, None, None] * (np.ptp(grown) + 1.0) * 4  # classes moved apart
    points = np.repeat(centres[:, None], 4, axis=1) + np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 1e-6
    coarse, fine = overlapping_pairs(grown[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] + far, points + far)
    area, room = _areas(arrays.corners), (grown[:, 2:] - grown[:, :2]).prod(1)
    fits = (slack[coarse, 0] > 0) & (scale[fine] >= FINER * scale[coarse]) & ~arrays.cut[fine]
    fits &= (area[fine] <= room[coarse]) & (fine < coarse)
    coarse, fine = coarse[fits], fine[fits]
    view, gap = _views(seen), np.linalg.norm(centres[coarse] - centres[fine], axis=1)
    taken: dict[tuple[int, int], int] = {}  # (coarse view, fine find) -> coarse find: each stands for one a view
    served: set[int] = set()
    for at in np.lexsort((fine, coarse, gap)):
        c, f = int(coarse[at]), int(fine[at])
        if c not in served and (int(view[c]), f) not in taken:
            served.add(c)
            taken[int(view[c]), f] = c
    pairs = np.array([(f, c) for (_, f), c in taken.items()], int).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _groups(seen: list[Seen], arrays: Raw) -> Pairs:
    """Groups, each with the first of its members."""
    i, j = nested_pairs(arrays.labels, arrays.corners)
    area, scale = _areas(arrays.corners), np.array([one.view.scale for one in seen])
    large, small = np.where(area[i] >= area[j], i, j), np.where(area[i] >= area[j], j, i)
    counts = (scale[small] >= FINER * scale[large]) & ~arrays.cut[small]
    inner = set(small[~np.isin(small, large) & counts].tolist())  # members hold nothing themselves
    felled = [
        (min(members), int(group))
        for group in np.unique(large[counts])
        if len(members := inner.intersection(small[counts & (large == group)].tolist())) >= MEMBERS
    ]
    pairs = np.array(felled, int).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _numbered(seen: list[Seen]) -> tuple[Seen, ...]:
    def order(one: Seen) -> tuple[object, ...]:
        score, box = one.region.score, one.region.box_px
        return (
            score is None,
            -(score or 0.0),
            box[1],
            box[0],
            _identity(replace(one, region=replace(one.region, id=""))),
        )

    count: dict[str, int] = {}
    numbered = []
    for one in sorted(seen, key=order):
        label = one.region.label
        count[label] = count.get(label, 0) + 1
        numbered.append(Seen(replace(one.region, id=f"{label.replace(' ', '_')}-{count[label]}"), one.view))
    return tuple(numbered)
