"""Superlatives and ordinals: ranks of the ordered set (R2, S, O)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import shapely

from ..core.conditions import Pick
from ..core.regions import CandidateSet, FloatArray
from ..core.wording import words
from .bands import CRISP, STRICT, Bands
from .findings import FALSE, TRUE, UNKNOWN, Case, Findings, Members, with_verdicts

if TYPE_CHECKING:
    from ..core.scene import Scene

_SAME = 1e-9  # relative: differences below this are rounding


def pick(
    scene: Scene,
    candidates: CandidateSet,
    pick: Pick,
    references: Mapping[str, CandidateSet] | None = None,
    *,
    bands: Bands = CRISP,
) -> CandidateSet:
    """The candidates with one more verdict for those still open: whether the rank is one of those asked for.

    Args:
        scene: what was looked at.
        candidates: may be empty; rejected ones are no part of the order and get no verdict.
        pick: what orders the set, and the ranks.
        references: for a pick by distance: candidate sets by the words of the selection referred to.
        bands: `STRICT` asks for clear gaps between ranks; `CRISP` leaves only exact ties at the cut unknown.

    Raises:
        UsageError: the reference is missing.
    """
    case = Case.of(scene, candidates, references or {}, bands)
    found = strict = judge_pick(case, pick)
    if not bands.gap:
        strict = judge_pick(Case(scene, case.layout, case.status, case.references, STRICT), pick)
    judged = with_verdicts(candidates, words(pick), found, strict)
    pairs = zip(candidates, judged, strict=True)
    return CandidateSet(tuple(before if before.status is False else after for before, after in pairs))


def judge_pick(case: Case, pick: Pick) -> Findings:
    """Whether each candidate's rank among those open is one of those asked for; false for the others.

    A rank is a range where something is undecided: those ahead for certain count for the best rank, those not clearly
    behind for the worst. Undecided candidates, ties, gaps too small for the bands, unknown scores and undecided
    references all widen it. True when the whole range is asked for, false when none of it is. For an undecided
    candidate the verdict says what holds if it belongs to the set.
    """
    members = None if pick.reference is None else case.members(pick.reference)
    if members is not None and pick.reference is not None and not len(members.layout):
        return case.all(FALSE, f"there are no {words(pick.reference)} to measure from")
    low, high = _values(case, pick, members)
    alone = np.isposinf(low) & np.isposinf(high) if pick.by == "distance" else np.zeros(len(low), dtype=bool)
    if pick.order == "max":  # the only one that is measured from is far from nothing
        low, high = np.where(alone, -np.inf, low), np.where(alone, -np.inf, high)
    if pick.order == "min":
        low, high = -high, -low
    is_open = case.status > FALSE
    best, worst = _ranks(low, high, _clear_of(high, case, pick), is_open, case.status == TRUE)
    last = pick.first + pick.count - 1
    codes = np.where(
        (best > last) | (worst < pick.first), FALSE, np.where((best >= pick.first) & (worst <= last), TRUE, UNKNOWN)
    )
    codes[~is_open | alone] = FALSE

    def why(index: int) -> str:
        if not is_open[index]:
            return "it is no longer in the set"
        if alone[index]:
            return "there is no other one to measure from"
        value = -high[index] if pick.order == "min" else low[index]
        measure = "distance from the centre" if pick.by == "centre" else pick.by
        shown = f"{measure} {value:.4g}" if np.isfinite(value) else f"unknown {measure}"
        first, final = int(best[index]), int(worst[index])
        rank = f"rank {first}" if first == final else f"a rank from {first} to {final}"
        return f"{shown}, {rank} of {int(is_open.sum())}"

    return Findings(codes.astype(np.int8), why)


def _ranks(
    low: FloatArray, high: FloatArray, clear: FloatArray, is_open: np.ndarray, is_kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Best and worst rank of each, largest first: `low`..`high` bound the value, from `clear` on another is ahead."""
    ahead = np.sort(low[is_kept])
    best = 1 + len(ahead) - np.searchsorted(ahead, clear, side="left")
    reach = np.sort(clear[is_open])
    worst = len(reach) - np.searchsorted(reach, low, side="right")
    return best, np.maximum(worst, best)


def _clear_of(high: FloatArray, case: Case, pick: Pick) -> FloatArray:
    """The value from which on another candidate is clearly ahead, in the order's direction (largest first)."""
    bands = case.bands
    ratio, gap = 1.0, 0.0
    if pick.by in ("area", "length", "width", "aspect"):
        ratio = bands.pick_ratio_max if pick.order == "max" else bands.pick_ratio_min
        ratio = ratio if pick.by == "area" else float(np.sqrt(ratio))
    elif pick.by in ("distance", "centre"):
        ratio, gap = bands.nearest_ratio, bands.nearest_px
    elif pick.by in ("x", "y"):
        side = float(case.size_wh[0 if pick.by == "x" else 1])
        sizes = np.sqrt(case.layout.areas[case.status > FALSE])
        median = float(np.median(sizes)) if len(sizes) else 0.0
        gap = bands.pick_side * side if pick.first == 1 else max(bands.ordinal_px, bands.ordinal_size * median)
    else:
        gap = bands.pick_score
    finite = np.isfinite(high)
    base = np.where(finite, high, 0.0)
    by_ratio = np.where(base >= 0, base * ratio, base / ratio)
    clear = np.maximum(by_ratio, base + np.maximum(gap, _SAME * np.maximum(1.0, np.abs(base))))
    return np.where(finite, clear, high)


def _values(case: Case, pick: Pick, members: Members | None) -> tuple[FloatArray, FloatArray]:
    """Bounds of the value that orders the set; -inf..inf where it isn't known."""
    layout = case.layout
    if members is not None:
        return _distances(case, members)
    if pick.by in ("x", "y"):
        values = layout.centers[:, 0 if pick.by == "x" else 1]
    elif pick.by == "centre":
        values = np.hypot(*(layout.centers - np.asarray(case.size_wh, dtype=float) / 2).T)
    elif pick.by == "score":
        values = np.array([np.nan if r.score is None else r.score for r in layout.regions]).reshape(-1)
    else:
        values = layout.values(pick.by)
    known = ~np.isnan(values)
    return np.where(known, values, -np.inf), np.where(known, values, np.inf)


def _distances(case: Case, members: Members) -> tuple[FloatArray, FloatArray]:
    """Bounds of the polygon distance in px to the nearest member that isn't the candidate itself.

    The nearest of all open members bounds it from below, the nearest one kept for certain from above.
    """
    own = members.own_index(case.layout)
    every = np.arange(len(members.layout))
    sure = every[members.codes == TRUE]
    return _nearest(case, members, every, own), _nearest(case, members, sure, own)


def _nearest(case: Case, members: Members, chosen: np.ndarray, own: np.ndarray) -> FloatArray:
    distances = np.full(len(case.layout), np.inf)
    if not len(chosen):
        return distances
    shapes, targets = case.layout.shapes, members.layout.shapes[chosen]
    itself = np.isin(own, chosen)
    others = np.flatnonzero(~itself)
    if len(others):
        tree = members.layout.tree if len(chosen) == len(members.layout) else shapely.STRtree(targets)
        (place, _), found = tree.query_nearest(shapes[others], return_distance=True, all_matches=False)
        distances[others[place]] = found
    for index in np.flatnonzero(itself):
        rest = targets[chosen != own[index]]
        distances[index] = shapely.distance(shapes[index], rest).min() if len(rest) else np.inf
    return distances
