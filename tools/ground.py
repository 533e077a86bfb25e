"""Finding what phrases name, as one set without doubles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.budget import charge
from ..core.errors import UsageError
from ..core.protocols import Grounder
from ..core.regions import Candidate, CandidateSet, Region
from ..core.rotated_iou import rotated_iou_matrix

if TYPE_CHECKING:
    from ..core.scene import Scene

_SAME_IOU = 0.8  # two phrases found the same thing from this rotated IoU on


def ground(scene: Scene, phrases: Sequence[str], *, grounder: Grounder) -> CandidateSet:
    """Everything that one of the phrases names.

    A thing found under two phrases (same label, rotated IoU at least 0.8) appears once. Ids are the grounder's where
    they differ, else made unique.

    Args:
        scene: where to look.
        phrases: at least one.
        grounder: the model to ask.

    Returns:
        Candidates without verdicts, by phrase in the grounder's order; empty when it looked and found none.

    Raises:
        UnknownPhrase: the grounder doesn't know a phrase.
        UsageError: no phrases.
    """
    if not phrases:
        raise UsageError("ground needs at least one phrase, such as 'plane'")
    regions: list[Region] = []
    for found in _found(scene, tuple(dict.fromkeys(phrases)), grounder):
        regions += _unseen(found, regions) if regions else found
    return CandidateSet(tuple(Candidate(region) for region in _with_unique_ids(regions)))


def _found(scene: Scene, phrases: Sequence[str], grounder: Grounder) -> Iterator[tuple[Region, ...]]:
    """What each phrase names; a grounder that looks for several at once (`ground_all`) is asked once."""
    together = getattr(grounder, "ground_all", None) if len(phrases) > 1 else None
    if together is not None:
        charge(calls=len(phrases))
        yield from together(scene, phrases)
        return
    for phrase in phrases:
        charge(calls=1)
        yield grounder.ground(scene, phrase)


def _unseen(found: Sequence[Region], before: Sequence[Region]) -> list[Region]:
    """Those of `found` that aren't among `before`."""
    if not found:
        return []
    labels, before_labels = (np.array([r.label for r in part], dtype=object) for part in (found, before))
    corners, before_corners = (np.stack([r.corners_px for r in part]) for part in (found, before))
    same = (rotated_iou_matrix(corners, before_corners) >= _SAME_IOU) & (labels[:, None] == before_labels[None])
    return [region for region, seen in zip(found, same.any(axis=1), strict=True) if not seen]


def _with_unique_ids(regions: Sequence[Region]) -> list[Region]:
    """The regions, with an id of the form label-number for each that has none or one that came before."""
    taken = {region.id for region in regions if region.id}
    used: set[str] = set()
    renamed = []
    for region in regions:
        name, number = region.id, 1
        while not name or name in used:
            fresh = f"{region.label.replace(' ', '_')}-{number}"
            name, number = (fresh if fresh not in taken | used else ""), number + 1
        used.add(name)
        renamed.append(region if name == region.id else replace(region, id=name))
    return renamed
