"""Small scenes put together by hand, for tests of the tools."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from surveyor.core.conditions import Condition, Relation, Selection
from surveyor.core.geometry import box_to_corners, canonical_corners, corners_to_box
from surveyor.core.regions import Candidate, CandidateSet, Region
from surveyor.core.scene import Scene
from surveyor.core.wording import words
from surveyor.tools import CRISP, Bands, judge

RIVER = Selection(phrases=("river",))
SHIP = Selection(phrases=("ship",))


def scene(width: int = 1000, height: int = 1000, gsd_m: float | None = None) -> Scene:
    """A black scene."""
    return Scene.from_array(np.zeros((height, width, 3), np.uint8), gsd_m=gsd_m)


def box(
    name: str, x0: float, y0: float, x1: float, y1: float, label: str = "plane", score: float | None = None
) -> Region:
    """A region with an upright box."""
    xyxy = np.array([x0, y0, x1, y1], dtype=float)
    return Region(name, label, box_to_corners(xyxy), xyxy, score=score)


def turned(name: str, x: float, y: float, length: float, width: float, degrees: float, label: str = "plane") -> Region:
    """A region with a box turned counter-clockwise as seen on screen."""
    angle = np.radians(degrees)
    along = np.array([np.cos(angle), -np.sin(angle)]) * length / 2
    across = np.array([np.sin(angle), np.cos(angle)]) * width / 2
    corners = canonical_corners(
        np.array([x, y]) + np.array([along + across, along - across, -along - across, across - along])
    )
    return Region(name, label, corners, corners_to_box(corners))


def outlined(name: str, points: list[tuple[float, float]], label: str = "river") -> Region:
    """A region with a polygon."""
    from surveyor.core.geometry import min_area_rect

    ring = np.array(points, dtype=float)
    return Region(name, label, min_area_rect(ring), corners_to_box(ring), polygon_px=ring)


def kept(*regions: Region) -> CandidateSet:
    """A set whose candidates have no verdicts yet, so all are kept."""
    return CandidateSet(tuple(Candidate(region) for region in regions))


def undecided(*regions: Region) -> CandidateSet:
    """A set of undecided candidates."""
    return CandidateSet(tuple(Candidate(region).judged("earlier", None) for region in regions))


def together(*sets: CandidateSet) -> CandidateSet:
    """The union, in order."""
    return CandidateSet(tuple(c for each in sets for c in each))


def verdicts(
    candidates: CandidateSet,
    condition: Condition,
    reference: CandidateSet | Mapping[str, CandidateSet] | None = None,
    *,
    bands: Bands = CRISP,
    on: Scene | None = None,
) -> str:
    """The verdicts as a word of T, F and U, one letter a candidate."""
    references = {}
    if isinstance(reference, CandidateSet):
        selection = condition.reference if isinstance(condition, Relation) or hasattr(condition, "reference") else None
        assert selection is not None
        references = {words(selection): reference}
    elif reference is not None:
        references = dict(reference)
    found = judge(on or scene(), candidates, condition, references, bands=bands)
    assert all(isinstance(found.why(index), str) and found.why(index) for index in range(len(candidates)))
    return "".join("FUT"[code] for code in found.codes)
