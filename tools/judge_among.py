"""Relations that take several regions at once: between two, surrounded by many, in a row of three (R6-R8)."""

from __future__ import annotations

import numpy as np

from ..core.conditions import CountTest
from .bands import Bands
from .findings import FALSE, TRUE, UNKNOWN, Case, Findings, Members
from .judge_group import passes_between
from .layout import Layout, nearest_point
from .pairs import distance_pairs
from .rows import in_rows

_CHUNK = 400_000  # candidates x pairs of references held at a time


def judge_between(case: Case, first: Members, second: Members | None) -> Findings:
    """Between one of `first` and one of `second` (None: two of `first`) (R6).

    With B and C the points of both middle lines nearest to the candidate's centre (for boxes up to aspect 1.5 their
    centres): projected on BC the centre lies within 0.2 to 0.8 of the way (false outside 0 to 1) and at most 0.25 |BC|
    off the line (false from 0.5). With a gap, the same must hold between the centres. Any pair of references will do.
    """
    layout, bands = case.layout, case.bands
    other = first if second is None else second
    left, right, chance = _reference_pairs(first, other, same=second is None)
    codes = np.zeros(len(layout), dtype=np.int8)
    best = np.full(len(layout), -1, dtype=np.int64)
    own_left, own_right = first.own_index(layout), other.own_index(layout)
    step = max(1, _CHUNK // max(1, len(layout)))
    for start in range(0, len(left), step):
        part = slice(start, start + step)
        found = _between_codes(layout, first.layout, other.layout, left[part], right[part], bands)
        found = np.minimum(found, chance[part][None])
        itself = (own_left[:, None] == left[part][None]) | (own_right[:, None] == right[part][None])
        found[itself] = FALSE
        place = found.argmax(axis=1)
        top = found[np.arange(len(layout)), place]
        best = np.where(top > codes, place + start, best)
        codes = np.maximum(codes, top)

    def why(index: int) -> str:
        if not len(left):
            return "there are no two regions to be between"
        if best[index] < 0:
            return f"it lies between none of {len(left)} pairs"
        a, b = first.layout.regions[left[best[index]]], other.layout.regions[right[best[index]]]
        return f"{'between' if codes[index] == TRUE else 'perhaps between'} {a.id} and {b.id}"

    return Findings(codes, why)


def _reference_pairs(first: Members, other: Members, same: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of two different references: indices on both sides, and whether both are there for certain."""
    if same:
        left, right = np.triu_indices(len(first.layout), 1)
    else:
        left, right = (grid.ravel() for grid in np.indices((len(first.layout), len(other.layout))))
        ids_first = np.array([region.id for region in first.layout.regions], dtype=object)
        ids_other = np.array([region.id for region in other.layout.regions], dtype=object)
        different = ids_first[left] != ids_other[right] if len(left) else np.zeros(0, dtype=bool)
        left, right = left[different], right[different]
    return left, right, np.minimum(first.codes[left], other.codes[right])


def _between_codes(
    layout: Layout, first: Layout, other: Layout, left: np.ndarray, right: np.ndarray, bands: Bands
) -> np.ndarray:
    """(N, P) codes of each candidate for each pair of references."""
    centers = layout.centers[:, None]
    start = nearest_point(first.skeletons[left][None], centers)
    stop = nearest_point(other.skeletons[right][None], centers)
    codes = _on_line(centers, start, stop, bands)
    if not bands.gap:
        return codes
    by_centers = _on_line(centers, first.centers[left][None], other.centers[right][None], bands)
    return np.where(codes == by_centers, codes, UNKNOWN).astype(np.int8)


def _on_line(centers: np.ndarray, start: np.ndarray, stop: np.ndarray, bands: Bands) -> np.ndarray:
    line = stop - start
    square = (line**2).sum(axis=-1)
    safe = np.where(square > 0, square, 1.0)
    away = centers - start
    share = (away * line).sum(axis=-1) / safe
    off = np.abs(away[..., 0] * line[..., 1] - away[..., 1] * line[..., 0]) / safe
    codes = np.minimum(bands.between.codes(np.minimum(share, 1 - share)), bands.between_off.codes(off))
    return np.where(square > 0, codes, FALSE).astype(np.int8)


def judge_surrounded(case: Case, members: Members, own: np.ndarray, amount: CountTest | None = None) -> Findings:
    """Members within two lengths in at least three of the four quadrants round the candidate's centre (R8).

    The length is the square root of the candidate's box area; with a gap 1.8 lengths count and from 2.2 on none does.
    A member stands in the quadrant in which its middle line comes nearest; one that holds the candidate's centre
    stands in all four. With an amount, the number of members within two lengths must pass it as well.
    """
    layout, bands, objects = case.layout, case.bands, members.layout
    found = distance_pairs(objects, layout, bands.around.false * layout.sizes)
    subject, member = found.columns, found.rows
    keep = own[subject] != member
    subject, member, distances = subject[keep], member[keep], found.values[keep]
    codes = np.minimum(bands.around.codes(distances, layout.sizes[subject]), members.codes[member])
    centers = layout.centers[subject]
    away = nearest_point(objects.skeletons[member], centers) - centers
    holds = _holding(objects, member, centers)
    quadrants = np.zeros((2, len(layout), 4), dtype=np.int8)
    for turn, cross in enumerate((away[:, ::-1] * [-1, 1], away[:, ::-1] * [1, -1])):  # straight above: turned a hair
        sides = np.where(away != 0, np.sign(away), np.sign(cross))
        for place, signs in enumerate(((-1, -1), (1, -1), (-1, 1), (1, 1))):
            there = holds | (sides == signs).all(axis=1)
            np.maximum.at(quadrants[turn, :, place], subject[there], codes[there])
    quadrants = np.sort(quadrants, axis=2)
    better = np.argmax(quadrants[:, :, 1], axis=0)
    quadrants = quadrants[better, np.arange(len(layout))]
    verdicts = quadrants[:, 1]  # the third best of four
    if amount is not None:
        sure = np.bincount(subject[codes == TRUE], minlength=len(layout))
        possible = np.bincount(subject[codes > FALSE], minlength=len(layout))
        verdicts = np.minimum(verdicts, passes_between(sure, possible, amount))

    def why(index: int) -> str:
        if amount is not None:
            return f"{sure[index]} within two lengths, in {int((quadrants[index] == TRUE).sum())} of the four quadrants"
        return f"{int((quadrants[index] == TRUE).sum())} of the four quadrants round it hold one within two lengths"

    return Findings(verdicts, why)


def _holding(objects: Layout, member: np.ndarray, points: np.ndarray) -> np.ndarray:
    import shapely

    return np.asarray(shapely.intersects_xy(objects.shapes[member], points[:, 0], points[:, 1]), dtype=bool)


def judge_aligned(case: Case) -> Findings:
    """Part of a row of three or more of its class (R7): see `surveyor.tools.rows`. All candidates count."""
    layout, bands = case.layout, case.bands
    inside = in_rows(layout, bands.row_off.true, bands.row_spread.true)
    codes = np.where(inside > 0, TRUE, FALSE).astype(np.int8)
    if bands.gap:
        possible = in_rows(layout, bands.row_off.false, bands.row_spread.false) > 0
        codes = np.where((codes == FALSE) & possible, UNKNOWN, codes).astype(np.int8)

    def why(index: int) -> str:
        return f"in a row of {inside[index]}" if inside[index] else "in no row of three or more of its class"

    return Findings(codes, why)
