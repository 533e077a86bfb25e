"""Rules on one region and another (R1, R3-R5), for many of both at once.

Each rule lists the pairs of (subject, object) for which it doesn't plainly fail; a pair that isn't listed is false. The
local rules find their pairs with an STRtree over boxes, the directional ones look at all pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely

from ..core.conditions import Comparison, Direction
from ..core.regions import FloatArray
from .bands import Bands
from .findings import FALSE, TRUE, UNKNOWN
from .layout import Layout, cross, nearest_points

_SAME = 1e-9  # relative: differences below this are rounding
_HALF = np.sqrt(0.5)
VECTORS: dict[str, tuple[float, float]] = {
    "left": (-1.0, 0.0),
    "right": (1.0, 0.0),
    "above": (0.0, -1.0),
    "below": (0.0, 1.0),
    "above left": (-_HALF, -_HALF),
    "above right": (_HALF, -_HALF),
    "below left": (-_HALF, _HALF),
    "below right": (_HALF, _HALF),
}
"""Unit vectors on screen (y down)."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Judged pairs: `rows[k]` of the subjects, `columns[k]` of the objects, verdict code and measured value."""

    rows: np.ndarray
    columns: np.ndarray
    codes: np.ndarray
    values: FloatArray

    def only(self, chosen: np.ndarray) -> Pairs:
        """The chosen pairs (mask or indices)."""
        return Pairs(self.rows[chosen], self.columns[chosen], self.codes[chosen], self.values[chosen])


def near_pairs(a: Layout, b: Layout, bands: Bands) -> Pairs:
    """`a` lies near `b`: polygon distance up to two lengths of `b` (with a gap: 1.5, fails from 2.5).

    The length of a region is here the square root of its box's area (`Layout.sizes`): the long side of a river or a
    bridge says nothing about what is near it. `values` are the distances.
    """
    found = distance_pairs(a, b, bands.near.false * b.sizes)
    return _coded(found, bands.near.codes(found.values, b.sizes[found.columns]))


def within_pairs(a: Layout, b: Layout, distance: float, bands: Bands) -> Pairs:
    """Polygon distance up to `distance`, in the layouts' unit (with a gap: 90 %, fails from 110 %) (R3)."""
    found = distance_pairs(a, b, np.full(len(b), bands.within.false * distance))
    return _coded(found, bands.within.codes(found.values, distance))


def adjacent_pairs(a: Layout, b: Layout, bands: Bands) -> Pairs:
    """Polygon distance at most max(3 px, 0.1 s), false from 0.5 s, s the smaller sqrt(area) of both (R5)."""
    sizes_a, sizes_b = np.sqrt(a.areas), np.sqrt(b.areas)
    found = distance_pairs(a, b, np.maximum(bands.adjacent_px, bands.adjacent[1] * sizes_b))
    size = np.minimum(sizes_a[found.rows], sizes_b[found.columns])
    touching = np.maximum(bands.adjacent_px, bands.adjacent[0] * size)
    apart = np.maximum(touching, bands.adjacent[1] * size)
    if not bands.gap:
        touching = apart = (touching + apart) / 2
    codes = np.where(found.values <= touching, TRUE, np.where(found.values >= apart, FALSE, UNKNOWN))
    return _coded(found, codes.astype(np.int8))


def inside_pairs(a: Layout, b: Layout, bands: Bands) -> Pairs:
    """At least 90 % of `a` lies in `b`, false up to 50 % (R4). `values` are shares."""
    return _shared(a, b, bands, "a")


def containing_pairs(a: Layout, b: Layout, bands: Bands) -> Pairs:
    """At least 90 % of `b` lies in `a`, false up to 50 % (R4). `values` are shares."""
    return _shared(a, b, bands, "b")


def overlapping_pairs(a: Layout, b: Layout, bands: Bands) -> Pairs:
    """Both share at least 10 % of the smaller one; none shared is false. `values` are shares."""
    return _shared(a, b, bands, "smaller")


def toward_pairs(a: Layout, b: Layout, direction: Direction, bands: Bands) -> Pairs:
    """`a` lies left of (right of, ...) `b` (R1): all pairs.

    The bearing from `b` to `a` is within 35 degrees of the direction (false from 55), and the extents along the
    direction overlap by at most 10 % of the shorter one (false from 90 %). The bearing goes from the point of `b`'s
    middle line to the point of `a`'s that come nearest to each other: for boxes up to aspect 1.5 these are the centres,
    and a plane beside the far end of a runway is still beside it. With a gap, the bearing between the centres must
    agree.
    `values` are degrees between bearing and direction.
    """
    vector = np.array(VECTORS[direction])
    start, stop = nearest_points(b.skeletons[None, :], a.skeletons[:, None])
    angles = _degrees_off(stop - start, vector)
    codes = bands.bearing.codes(angles)
    if bands.gap:
        between_centers = bands.bearing.codes(_degrees_off(a.centers[:, None] - b.centers[None, :], vector))
        codes = np.where(codes == between_centers, codes, UNKNOWN)
    overlap = bands.axis_overlap.codes(_axis_overlap(a, b, vector))
    return _dense(np.minimum(codes, overlap), angles)


def further_pairs(a: Layout, b: Layout, direction: Direction, size_wh: np.ndarray, bands: Bands) -> Pairs:
    """The centre of `a` lies further left (right, ...) than that of `b`: all pairs.

    With a gap, by at least 3 % of the image's side; equally far is unknown. A diagonal needs both of its directions.
    `values` are px along the direction.
    """
    vector = np.array(VECTORS[direction])
    shifts = a.centers[:, None] - b.centers[None, :]
    codes = np.full(shifts.shape[:2], TRUE, dtype=np.int8)
    for axis in np.flatnonzero(vector):
        ahead = np.round(shifts[..., axis] * np.sign(vector[axis]), 9)
        margin = bands.further * size_wh[axis]
        clear = ahead >= margin if margin > 0 else ahead > 0
        behind = ahead <= -margin if margin > 0 else ahead < 0
        codes = np.minimum(codes, np.where(clear, TRUE, np.where(behind, FALSE, UNKNOWN)))
    return _dense(codes, shifts @ vector)


def turned_pairs(a: Layout, b: Layout, relation: str, bands: Bands) -> Pairs:
    """The long axes of both are parallel (up to 15 degrees apart, false from 30) or perpendicular (75, 60): all pairs.

    A box whose sides are nearly equal (`bands.axis_aspect`) has no direction: unknown. `values` are degrees between.
    """
    sines = np.abs(cross(a.axes[:, None], b.axes[None]))
    angles = np.degrees(np.arctan2(sines, np.abs((a.axes[:, None] * b.axes[None]).sum(axis=-1))))
    codes = (bands.parallel if relation == "parallel" else bands.perpendicular).codes(angles)
    askew = (a.aspects < bands.axis_aspect)[:, None] | (b.aspects < bands.axis_aspect)[None]
    return _dense(np.where(askew, UNKNOWN, codes), angles)


def flanking_pairs(a: Layout, b: Layout, bands: Bands) -> Pairs:
    """`a` stands beside the long reference `b`, on whichever of its two sides: all pairs.

    The centre's foot on `b`'s long axis lies between both ends (with a gap: false from a quarter of the length beyond
    an end on), and `a` is not on `b` (false from 90 % of `a` on it). A reference whose sides are nearly equal has no
    two sides: unknown. `values` are places along `b`, 0 at an end, 0.5 in the middle.
    """
    away = a.centers[:, None] - b.centers[None]
    along = (away * b.axes[None]).sum(axis=-1) / np.where(b.lengths > 0, b.lengths, 1.0)
    place = np.round(0.5 - np.abs(along), 9)
    codes = np.where(b.aspects < bands.axis_aspect, UNKNOWN, bands.abeam.codes(place))
    shared = _shared(a, b, bands, "a")
    if len(shared.codes):
        on = bands.bank.codes(shared.values)
        codes[shared.rows, shared.columns] = np.minimum(codes[shared.rows, shared.columns], on)
    return _dense(codes, place)


def compared_pairs(a: Layout, b: Layout, attribute: str, op: Comparison, factor: float, bands: Bands) -> Pairs:
    """A measure of `a` against `factor` times that of `b`: all pairs. `values` are the ratios of both measures."""
    own, other = a.values(attribute)[:, None], b.values(attribute)[None]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = own / other
    return _dense(compared(own, np.broadcast_to(other * factor, ratios.shape), op, bands), ratios)


def compared(values: np.ndarray, asked: np.ndarray | float, op: Comparison, bands: Bands) -> np.ndarray:
    """Codes of "value op asked". With a gap, 10 % to either side are unknown; "==" holds within 10 % (5, false 15)."""
    wanted = np.asarray(asked, dtype=np.float64)
    slack = np.where(np.isfinite(wanted), _SAME * np.maximum(np.abs(wanted), _SAME), 0.0)
    with np.errstate(invalid="ignore"):
        off = np.abs(values - wanted)
        endless = np.isnan(off)  # both are: as long as each other
        if op == "==":
            return np.where(endless, TRUE, bands.equal.codes(off, wanted)).astype(np.int8)
        codes = (bands.more if op in (">", ">=") else bands.fewer).codes(values, wanted)
        same = (off <= slack) | endless
    exact = same & (~np.asarray(bands.gap) | (wanted == 0))
    codes = np.where(endless, UNKNOWN, codes)
    return np.where(exact, TRUE if op in (">=", "<=") else FALSE, codes).astype(np.int8)


def distance_pairs(a: Layout, b: Layout, reach: FloatArray) -> Pairs:
    """All pairs whose outlines are at most `reach[column]` apart, codes all true, values the distances."""
    if not len(a) or not len(b):
        return _coded(Pairs(*_NONE), np.zeros(0, dtype=np.int8))
    reach = reach * (1 + 1e-9)
    memo = a.memo_with.setdefault(b, {})
    known = memo.get("distances")
    if known is None or not (reach <= known[0]).all():
        widest = reach if known is None else np.maximum(reach, known[0])
        known = memo["distances"] = (widest, *_measured(a, b, widest))
    _, rows, columns, distances = known
    held = distances <= reach[columns]
    return Pairs(rows[held], columns[held], np.full(int(held.sum()), TRUE, dtype=np.int8), distances[held])


def _measured(a: Layout, b: Layout, reach: FloatArray) -> tuple[np.ndarray, np.ndarray, FloatArray]:
    """Pairs whose boxes are at most `reach[column]` apart, with the distances of the outlines."""
    grown = b.boxes + reach[:, None] * np.array([-1.0, -1.0, 1.0, 1.0])
    columns, rows = a.tree.query(np.asarray(shapely.box(*grown.T)))
    gaps = np.maximum(a.boxes[rows, :2] - b.boxes[columns, 2:], b.boxes[columns, :2] - a.boxes[rows, 2:])
    close = (np.maximum(gaps, 0.0) ** 2).sum(axis=1) <= reach[columns] ** 2
    rows, columns = rows[close], columns[close]
    return rows, columns, shapely.distance(a.shapes[rows], b.shapes[columns])


_NONE = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8), np.zeros(0))


def _shared(a: Layout, b: Layout, bands: Bands, of: str) -> Pairs:
    if not len(a) or not len(b):
        return Pairs(*_NONE)
    memo = a.memo_with.setdefault(b, {})
    if "shared" not in memo:
        rows, columns = b.tree.query(a.shapes)
        memo["shared"] = rows, columns, shapely.area(shapely.intersection(a.shapes[rows], b.shapes[columns]))
    rows, columns, shared = memo["shared"]
    area_a, area_b = shapely.area(a.shapes)[rows], shapely.area(b.shapes)[columns]
    whole = {"a": area_a, "b": area_b, "smaller": np.minimum(area_a, area_b)}[of]
    shares = np.round(np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0), 9)
    band = bands.overlaps if of == "smaller" else bands.inside
    return Pairs(rows, columns, band.codes(shares), shares)


def _coded(pairs: Pairs, codes: np.ndarray) -> Pairs:
    return Pairs(pairs.rows, pairs.columns, codes, pairs.values).only(codes > FALSE)


def _dense(codes: np.ndarray, values: FloatArray) -> Pairs:
    rows, columns = np.indices(codes.shape)
    return Pairs(rows.ravel(), columns.ravel(), codes.ravel().astype(np.int8), values.ravel())


def _degrees_off(vectors: FloatArray, direction: FloatArray) -> FloatArray:
    """Angle between vectors (..., 2) and a direction, 0..180 degrees; 180 for vectors without length."""
    along = vectors @ direction
    across = np.abs(vectors[..., 0] * direction[1] - vectors[..., 1] * direction[0])
    return np.where((along == 0) & (across == 0), 180.0, np.degrees(np.arctan2(across, along)))


def _axis_overlap(a: Layout, b: Layout, direction: FloatArray) -> FloatArray:
    """(N, M) overlap of the boxes' extents along a direction, as a share of the shorter extent; 0 when apart."""
    low_a, high_a = _extent(a, direction)
    low_b, high_b = _extent(b, direction)
    shared = np.minimum(high_a[:, None], high_b[None]) - np.maximum(low_a[:, None], low_b[None])
    shorter = np.minimum((high_a - low_a)[:, None], (high_b - low_b)[None])
    share = np.divide(shared, shorter, out=np.where(shared >= 0, 1.0, 0.0), where=shorter > 0)
    return np.clip(share, 0.0, 1.0)


def _extent(layout: Layout, direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    along = layout.corners @ direction
    return along.min(axis=1), along.max(axis=1)
