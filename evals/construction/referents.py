"""What other objects can be told by: things that a few words single out, and classes taken as a whole.

FORMATS.md 7.2: a referent inside a relation must be one object for certain. "The bridge" where there is one bridge,
"the largest ship", "the tank nearest to the bridge" (two hops). Whole classes ("surrounded by trees") are no referents.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ...core.conditions import Pick, Position, Relation, Selection
from ...core.inflection import is_plural
from ...tools.findings import TRUE, UNKNOWN
from ..bench.execute import Executor, Found
from .ruled_out import cannot_be_told
from .seen import is_endless
from .views import View

_MOST = 14  # referents a view offers
_CROWD = 40  # classes with more members are not singled out from


@dataclass(frozen=True)
class Referent:
    """One object, told by words.

    Attributes:
        selection: that finds it and nothing else.
        label: its class.
        id: which it is.
        hops: 1 for a thing told by itself, 2 for one that is told by another.
        is_bare: its class alone tells it.
    """

    selection: Selection
    label: str
    id: str
    hops: int = 1
    is_bare: bool = True


def referents_of(view: View, names: dict[str, str], rng: random.Random) -> list[Referent]:
    """Referents of a view, the bare ones first.

    Args:
        view: what is seen.
        names: label -> how it is called, for labels that can be said.
    """
    counts = {label: len(view.by_label[label]) for label, name in names.items()}
    bare = [
        Referent(Selection(phrases=(name,), expected=1), label, view.by_label[label][0].id)
        for label, name in names.items()
        if counts[label] == 1 and is_plural(name) is False and view.by_label[label][0].is_sure_reference
    ]
    crowds = [
        label
        for label in names
        if 2 <= counts[label] <= _CROWD and not is_endless(label) and is_plural(names[label]) is False
    ]
    rng.shuffle(crowds)
    told: list[Referent] = []
    for label in crowds[:4]:
        ways = list(_singled_out(names[label], rng))
        rng.shuffle(ways)
        good = (found for way in ways[:4] if (found := _checked(view, label, way)) is not None)
        told += islice(good, 2)
    hopped: list[Referent] = []
    for label in crowds[:3]:
        near = [each for each in (*bare, *told) if each.label != label]
        rng.shuffle(near)
        for other in near[:2]:
            ways = list(_by_another(names[label], other))
            rng.shuffle(ways)
            good = (found for way in ways[:3] if (found := _checked(view, label, way, other)) is not None)
            hopped += islice(good, 1) if len(bare) + len(told) + len(hopped) < _MOST else ()
    return (bare + told + hopped)[:_MOST]


def _singled_out(name: str, rng: random.Random) -> Iterator[Selection]:
    for by, order in (("area", "max"), ("x", "min"), ("x", "max"), ("y", "min"), ("y", "max")):
        yield Selection(phrases=(name,), picks=(Pick(by=by, order=order),))  # type: ignore[arg-type]
    place = rng.choice(["top left", "top right", "bottom left", "bottom right", "center"])
    yield Selection(phrases=(name,), where=Position(frame="cell", place=place), expected=1)  # type: ignore[arg-type]


def _by_another(name: str, other: Referent) -> Iterator[Selection]:
    yield Selection(phrases=(name,), picks=(Pick(by="distance", order="min", reference=other.selection),))
    yield Selection(phrases=(name,), picks=(Pick(by="distance", order="max", reference=other.selection),))
    for kind in ("inside", "adjacent"):
        where = Relation(relation=kind, reference=other.selection)
        yield Selection(phrases=(name,), where=where, expected=1)


def _checked(view: View, label: str, selection: Selection, other: Referent | None = None) -> Referent | None:
    """The referent, one of a label's, where it is one object for certain whether or not doubtful objects are seen.

    Told by another one, it takes two hops.
    """
    if _by_shape(selection) and not view.is_shaped((label,)):
        return None
    if cannot_be_told(view, label, selection, None if other is None else other.id):
        return None
    found = view.everything.selection(selection, is_head=False)
    if not is_unique(found) or not is_unique(view.certain.selection(selection, is_head=False)):
        return None
    seen = view.by_id[found.kept[0]]
    if not seen.is_sure_reference or found.kept != view.certain.selection(selection, is_head=False).kept:
        return None
    return Referent(selection, seen.label, seen.id, 1 if other is None else 2, is_bare=False)


def _by_shape(selection: Selection) -> bool:
    return selection.where is not None or any(pick.by in ("area", "distance") for pick in selection.picks)


def is_unique(found: Found) -> bool:
    """Whether one object is in for certain and none perhaps."""
    return int((found.codes == TRUE).sum()) == 1 and not bool((found.codes == UNKNOWN).any())


def are_told(executor: Executor, selection: Selection) -> bool:
    """Whether a selection inside a relation is what its words promise: none in doubt, and as many as it says."""
    found = executor.selection(selection, is_head=False)
    if not found.is_definite:
        return False
    promised = selection.expected if not selection.picks else selection.picks[-1].count
    return promised is None or len(found.kept) == promised
