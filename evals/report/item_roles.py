"""Who plays which part in an item, and what of an answer is right: what a picture of it shows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.conditions import Selection, walk
from ...core.geometry import box_iou_matrix
from ..bench.execute import executor_of
from ..bench.items import AnyItem, FieldItem, Item
from ..bench.predictions import Prediction
from ..scores.crec import IGNORED_IOU, MOST_BOXES
from ..scores.matching import TOLERANCE, best_pairs

HIT_IOU = 0.5


@dataclass(frozen=True)
class Roles:
    """Who plays which part in an item: ids, each in one field at most.

    Attributes:
        right: the answers.
        wrong: others of the head class.
        ignored: those that count neither way.
        referred: those that the words inside relations single out; they may be right or wrong as well.
        beside: others of classes that are referred to.
    """

    right: tuple[str, ...]
    wrong: tuple[str, ...]
    ignored: tuple[str, ...]
    referred: tuple[str, ...]
    beside: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """What of a prediction is right at an IoU of 0.5 of upright boxes, matched as `score_crec` does.

    Attributes:
        hits: places of the predicted regions that fit a right object, one to one.
        false: places of those that fit none.
        uncounted: places of those on an ignored object, and of those after the hundredth.
        missed: ids of right objects without a hit.
    """

    hits: tuple[int, ...] = ()
    false: tuple[int, ...] = ()
    uncounted: tuple[int, ...] = ()
    missed: tuple[str, ...] = ()


def roles(item: Item, scene: Any = None) -> Roles:
    """Who plays which part; `scene` gives the pixels where the words ask for colours (None: they are not looked at)."""
    right, ignored = set(item.answer_ids), set(item.ignored_ids) - set(item.answer_ids)
    universe = set(item.universe_ids) - right - ignored
    referred = _referred(item, scene)
    others = {each.id for each in item.objects} - right - ignored - universe - referred
    ordered = [each.id for each in item.objects]

    def kept(names: Collection[str]) -> tuple[str, ...]:
        return tuple(name for name in ordered if name in names)

    return Roles(kept(right), kept(universe), kept(ignored), kept(referred), kept(others))


def _referred(item: Item, scene: Any) -> set[str]:
    """Ids that selections inside relations keep; () where everything of the head class would be."""
    found: set[str] = set()
    executor = executor_of(item, scene=scene)
    heads = {*item.universe_ids, *item.ignored_ids}
    for output in item.request.outputs:
        for node in walk(output.target):
            if isinstance(node, Selection) and node is not output.target:
                kept = executor.selection(node, is_head=False).kept
                plain = node.where is None and not node.picks
                found |= set(kept) - heads if plain else set(kept)
    return found


def compared(item: AnyItem, prediction: Prediction) -> Compared:
    """What of the prediction's boxes is right; an answer that is not there misses everything.

    Of REC items only the first box counts, as `score_rec` has it.
    """
    names = [each.id for each in item.objects]
    right = tuple(names) if isinstance(item, FieldItem) else item.answer_ids
    if prediction.status != "answered" or not prediction.regions:
        return Compared(missed=right)
    count = min(len(prediction.regions), 1 if isinstance(item, FieldItem) else MOST_BOXES)
    given = np.nan_to_num([each.hbb for each in prediction.regions[:count]], posinf=0, neginf=0)
    iou = box_iou_matrix(given, np.array([each.hbb for each in item.objects], dtype=np.float64).reshape(-1, 4))
    ignored = np.array([not isinstance(item, FieldItem) and name in item.ignored_ids for name in names], dtype=bool)
    best, other = iou[:, ignored].max(axis=1, initial=0.0), iou[:, ~ignored].max(axis=1, initial=0.0)
    dropped = (best >= IGNORED_IOU - TOLERANCE) & (best > other)
    counted = np.flatnonzero(~dropped)
    of_answers = iou[counted][:, np.array([names.index(each) for each in right], dtype=np.intp)]
    rows, columns = best_pairs(of_answers)
    fits = of_answers[rows, columns] >= HIT_IOU - TOLERANCE
    hits = set(counted[rows[fits]].tolist())
    found = {right[column] for column in columns[fits].tolist()}
    return Compared(
        hits=tuple(sorted(hits)),
        false=tuple(place for place in counted.tolist() if place not in hits),
        uncounted=(*np.flatnonzero(dropped).tolist(), *range(count, len(prediction.regions))),
        missed=tuple(each for each in right if each not in found),
    )
