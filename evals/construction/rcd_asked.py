"""What may be asked about the changed things of a pair: region phrase x type of change (FORMATS.md section 8)."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from ...core.conditions import And, Condition, InBox, Not, Or, Position, Relation, Selection, conjuncts
from .compose import LEAST_TOLD_APART, Proposal, proposals
from .rcd_views import place_px
from .sites import CELLS, Site

KINDS = ("P1", "P2", "P3", "R1", "R2", "R3", "R3:near", "R5", "S", "O")
"""Of the conditions on single images, those that say something of changed pixels."""
BOX = "P4"
"""A box in numbers: FORMATS.md section 8 asks for it, its taxonomy has no letter for it."""
_BOXES = 24
_STEP, _SHORTEST, _LONGEST = 50, 250, 650  # sides of boxes, thousandths of the image
_ROUNDS = 3
_SIDES = ("left", "right", "top", "bottom")
_CORNERS = tuple(cell for cell in CELLS if " " in cell)
PLACES = (
    *(("P2", Position(frame="half", place=place)) for place in _SIDES),  # type: ignore[arg-type]
    *(("P2", Position(frame="quadrant", place=place)) for place in _CORNERS),  # type: ignore[arg-type]
    *(("P1", Position(frame="cell", place=place)) for place in CELLS),  # type: ignore[arg-type]
    *(("P3", Position(frame="edge", place=place)) for place in ("any", *_SIDES)),  # type: ignore[arg-type]
)
"""Each place of an image, with its kind."""


def asked_of(site: Site, rng: random.Random) -> Iterator[Proposal]:
    """Proposals for one class of a view, in a fixed order for a seed; each once."""
    seen: set[Selection] = set()
    for proposal in _all(site, rng):
        if proposal.selection not in seen:
            seen.add(proposal.selection)
            yield proposal


def _all(site: Site, rng: random.Random) -> Iterator[Proposal]:
    phrases = (site.name,)
    yield Proposal(Selection(phrases=phrases), (), "class")
    if site.size < LEAST_TOLD_APART:
        return
    for box in boxes(rng):
        yield Proposal(Selection(phrases=phrases, where=box), (BOX,), "one")
    single = [*rng.sample(PLACES, len(PLACES)), *_beside_others(site)]
    for kind, condition in single:
        yield Proposal(Selection(phrases=phrases, where=condition), (kind,), "one")
        yield Proposal(Selection(phrases=phrases, where=Not(condition=condition)), (kind,), "not")
    for _ in range(_ROUNDS):
        yield from proposals(site, rng, rng.sample(KINDS, len(KINDS)))


def _beside_others(site: Site) -> Iterator[tuple[str, Condition]]:
    """Next to or near change of another type: the one thing of that type, or however much of it there is."""
    for label, name in site.names.items():
        if label in site.labels:
            continue
        alone = [each.selection for each in site.referents if each.label == label and each.is_bare]
        several = len(site.view.by_label[label]) > 1
        for other in alone or ([Selection(phrases=(name,))] if several else []):
            yield "R5", Relation(relation="adjacent", reference=other)
            yield "R3:near", Relation(relation="near", reference=other)


def boxes(rng: random.Random) -> Iterator[InBox]:
    """Boxes of the image at random, in round numbers."""
    for _ in range(_BOXES):
        sides = [rng.randrange(_SHORTEST, _LONGEST + 1, _STEP) for _ in range(2)]
        left, top = (rng.randrange(0, 1001 - side, _STEP) for side in sides)
        yield InBox(xyxy=(left, top, left + sides[0], top + sides[1]))


def places_of(site: Site, rng: random.Random) -> Iterator[Proposal]:
    """One place each, in random order: for questions that nothing may answer."""
    known: list[tuple[str, Condition]] = [*PLACES, *((BOX, box) for box in boxes(rng))]
    for kind, place in rng.sample(known, len(known)):
        yield Proposal(Selection(phrases=(site.name,), where=place), (kind,), "one")


def is_cut_rank(selection: Selection) -> bool:
    """Whether the smallest are asked for: of a thing that the image's border cuts, nobody knows how small it is."""
    return any(pick.by == "area" and pick.order == "min" for pick in selection.picks)


def asked_px(selection: Selection, size_wh: tuple[int, int]) -> np.ndarray | None:
    """(H, W) bool: the part of the image that the words name; None where they name none (an edge is no part)."""
    parts = [found for part in conjuncts(selection.where) if (found := _place(part, size_wh)) is not None]
    return np.logical_and.reduce(parts) if parts else None


def _place(condition: Condition, size_wh: tuple[int, int]) -> np.ndarray | None:
    match condition:
        case InBox() | Position() if isinstance(condition, InBox) or condition.frame != "edge":
            return place_px(condition, size_wh)
        case Not():
            inner = _place(condition.condition, size_wh)
            return None if inner is None else ~inner
        case Or() | And():
            parts = [_place(part, size_wh) for part in condition.conditions]
            known = [part for part in parts if part is not None]
            if len(known) < len(parts):
                return None
            return np.logical_or.reduce(known) if isinstance(condition, Or) else np.logical_and.reduce(known)
    return None
