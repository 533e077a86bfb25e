"""A second look at what a model was shown small: crops round the finds, asked again, mapped back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.errors import UsageError
from ...core.geometry import box_iou_matrix
from ...core.progress import note
from ...core.regions import Region
from .views import Seen, View, zoomed

FOUND_AGAIN = 0.3  # IoU of a first and a second find that are one object

Ask = Callable[[Sequence[View]], Sequence[Sequence[Region] | None]]
"""Shows views to a model and gives, for each, its regions in full-scene px; None for one whose reply was no use."""


@dataclass(frozen=True, eq=False)
class SecondLook:
    """What became of finds after small ones were looked at again.

    Attributes:
        found: all of them, in the order given, with new boxes where there are any.
        refined: ids of those that were found again and took the new box.
        kept: ids of those that were looked at but not found again: they keep their first box.
        failed: ids of those whose second reply was no use: they keep it too.
        left: ids of small ones that were not looked at, because there were too many.
        looks: the views that were shown.
    """

    found: tuple[Seen, ...]
    refined: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    looks: tuple[View, ...] = ()


def second_look(
    found: Sequence[Seen], ask: Ask, *, small_px: float = 32.0, long_px: int = 448, context: float = 3.0, most: int = 32
) -> SecondLook:  # fmt: skip
    """Asks again for things that were shown small, in crops round them; neighbours share a crop.

    A thing that is found again (same label, IoU of the upright boxes >= 0.3, not cut by the crop) takes the new box,
    one that is not keeps the first, so nothing is lost; other finds in the crops are ignored, so nothing is added.
    Things that a crop would show no larger are left as they are.

    Args:
        found: with ids of their own.
        ask: shows views to the model, all in one call.
        small_px: things shown smaller than this (`Seen.shown_px`) are looked at, the smallest first.
        long_px: long side of a crop as shown, view px.
        context: as for `zoomed`.
        most: crops at most; what is left out is noted.

    Raises:
        UsageError: `ask` gave a different number of results than it was shown views.
    """
    small = sorted((i for i, seen in enumerate(found) if seen.shown_px < small_px), key=lambda i: _place(found[i]))
    looks, shared, left = _crops(found, small, long_px, context, most)
    if left:
        note(f"{len(left)} of {len(small)} small finds were not looked at again: at most {most} crops are")
    replies = list(ask(looks)) if looks else []
    if len(replies) != len(looks):
        raise UsageError(f"the second look showed {len(looks)} views and got {len(replies)} results; expected as many")
    after = list(found)
    refined: list[str] = []
    kept: list[str] = []
    failed: list[str] = []
    for view, rows, reply in zip(looks, shared, replies, strict=True):
        again = {} if reply is None else _matches([found[i].region for i in rows], view, reply)
        for at, i in enumerate(rows):
            first = found[i].region
            (failed if reply is None else refined if at in again else kept).append(first.id)
            if at in again:
                score = first.score if again[at].score is None else again[at].score
                after[i] = Seen(replace(again[at], id=first.id, score=score), view)
    missed = tuple(found[i].region.id for i in left)
    return SecondLook(tuple(after), tuple(refined), tuple(kept), tuple(failed), missed, tuple(looks))


def _place(seen: Seen) -> tuple[float, ...]:
    return (seen.shown_px, *seen.region.box_px.tolist(), *seen.region.corners_px.ravel().tolist())


def _crops(
    found: Sequence[Seen], small: Sequence[int], long_px: int, context: float, most: int
) -> tuple[list[View], list[list[int]], list[int]]:
    """Views, the finds that each serves, and the finds that none does: one joins the first crop that holds it well."""
    looks: list[View] = []
    shared: list[list[int]] = []
    left: list[int] = []
    for i in small:
        box = found[i].region.box_px
        room = (box[2:] - box[:2]).max() / 2  # a find moves a little the second time
        grown = np.concatenate([box[:2] - room, box[2:] + room])
        own = zoomed(box, found[i].view.scene_wh, long_px, context)
        if own.scale <= found[i].view.scale:
            continue  # a crop would show it no larger
        for view, rows in zip(looks, shared, strict=True):
            if not any(view.cut_sides(grown)) and view.scale > found[i].view.scale:
                rows.append(i)
                break
        else:
            if len(looks) < most:
                looks.append(own)
                shared.append([i])
            else:
                left.append(i)
    return looks, shared, left


def _matches(first: Sequence[Region], view: View, again: Sequence[Region]) -> dict[int, Region]:
    """Row of `first` -> the region found again, each used once, the most alike first."""
    whole_ones = [region for region in again if not any(view.cut_sides(region.box_px))]
    if not whole_ones:
        return {}
    iou = box_iou_matrix(np.stack([r.box_px for r in first]), np.stack([r.box_px for r in whole_ones]))
    iou[np.array([[a.label != b.label for b in whole_ones] for a in first])] = 0.0
    taken: dict[int, Region] = {}
    while iou.max() >= FOUND_AGAIN:
        row, column = np.unravel_index(int(iou.argmax()), iou.shape)
        taken[int(row)] = whole_ones[int(column)]
        iou[row], iou[:, column] = 0.0, 0.0
    return taken
