"""Which side or bank of a long, perhaps curved reference a candidate lies on."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ..core.conditions import Direction
from .bands import Bands
from .findings import FALSE, TRUE, UNKNOWN
from .layout import Layout
from .pairs import VECTORS, Pairs

_LEAST_CROSSING = 0.5  # sine of the least angle at which an axis still separates two sides of a direction
_LONG = 1.5  # aspect from which a box has a principal axis


def side_pairs(a: Layout, b: Layout, direction: Direction, bands: Bands) -> Pairs:
    """`a` lies on that side of `b`: all pairs.

    The test is local, since a river bends: the line through the candidate's centre along the direction (for east and
    west the image row) is cut with the reference's outline. All cuts behind the centre: true; all ahead: false; on both
    sides (a meander): the nearest cut decides, with a gap unknown. Where the line misses the reference, its principal
    axis is prolonged; one that runs nearly along the direction separates nothing: unknown, as is with a gap every miss.
    A candidate on the reference is on neither bank: false (with a gap unknown where 10 to 90 % of it are).
    `values` are px from the cut, positive on the asked side, 0 on the reference, NaN where unknown.
    """
    vector = np.array(VECTORS[direction])
    codes = np.zeros((len(a), len(b)), dtype=np.int8)
    values = np.zeros((len(a), len(b)))
    for column in range(len(b)):
        codes[:, column], values[:, column] = _sides_of_one(a, b, column, vector, bands)
    rows, columns = np.indices(codes.shape)
    return Pairs(rows.ravel(), columns.ravel(), codes.ravel(), values.ravel())


def _sides_of_one(a: Layout, b: Layout, column: int, vector: np.ndarray, bands: Bands) -> tuple[np.ndarray, np.ndarray]:
    shape = b.shapes[column]
    low, high = _cuts(a.centers, vector, shape)
    missed = np.isnan(low).all(axis=1)
    away = np.where((low <= 0) & (high >= 0), 0.0, np.where(high < 0, -high, -low))  # > 0: the cut is behind
    nearest = np.full(len(a), np.nan)
    if (~missed).any():
        place = np.nanargmin(np.abs(away[~missed]), axis=1)
        nearest[~missed] = away[~missed][np.arange(len(place)), place]
    nearest[missed] = _beside_axis(a.centers[missed], vector, b, column)
    codes = np.where(np.isnan(nearest), UNKNOWN, np.where(nearest > 0, TRUE, FALSE)).astype(np.int8)
    if bands.gap:
        on_both_sides = (np.nanmin(away, axis=1, initial=np.inf) < 0) & (np.nanmax(away, axis=1, initial=-np.inf) > 0)
        codes[missed | on_both_sides | (nearest == 0)] = UNKNOWN
    share = shapely.area(shapely.intersection(a.shapes, shape)) / np.maximum(shapely.area(a.shapes), 1e-12)
    clear = bands.bank.codes(share)
    codes = np.where(clear == FALSE, FALSE, np.minimum(codes, clear)).astype(np.int8)
    return codes, np.where(clear == FALSE, 0.0, nearest)


def _cuts(centers: np.ndarray, vector: np.ndarray, shape: BaseGeometry) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) start and stop of each cut along the line through each centre, from the centre; NaN fills up."""
    x0, y0, x1, y1 = shape.bounds
    reach = np.hypot(
        np.maximum(np.abs(centers[:, 0] - x0), np.abs(centers[:, 0] - x1)),
        np.maximum(np.abs(centers[:, 1] - y0), np.abs(centers[:, 1] - y1)),
    )[:, None]
    lines = shapely.linestrings(np.stack([centers - (reach + 1) * vector, centers + (reach + 1) * vector], axis=1))
    parts, owners = shapely.get_parts(shapely.intersection(lines, shape), return_index=True)
    points, part_of = shapely.get_coordinates(parts, return_index=True)
    along = ((points - centers[owners[part_of]]) * vector).sum(axis=1)
    starts, stops = np.full(len(parts), np.inf), np.full(len(parts), -np.inf)
    np.minimum.at(starts, part_of, along)
    np.maximum.at(stops, part_of, along)
    filled = stops >= starts
    owners, starts, stops = owners[filled], starts[filled], stops[filled]
    number = np.bincount(owners, minlength=len(centers))
    place = np.arange(len(owners)) - np.repeat(np.cumsum(number) - number, number)
    low = np.full((len(centers), max(1, int(number.max(initial=0)))), np.nan)
    high = low.copy()
    low[owners, place], high[owners, place] = starts, stops
    return low, high


def _beside_axis(centers: np.ndarray, vector: np.ndarray, b: Layout, column: int) -> np.ndarray:
    """px by which the centres lie on the asked side of the prolonged principal axis; NaN where it separates nothing.

    A reference without a long side has no axis: its centre stands for it.
    """
    away = centers - b.centers[column]
    if b.aspects[column] < _LONG:
        along = away @ vector
        return np.where(along == 0, np.nan, along)
    axis = b.axes[column]
    turn = vector[0] * axis[1] - vector[1] * axis[0]
    if abs(turn) < _LEAST_CROSSING:
        return np.full(len(centers), np.nan)
    beside = (away[:, 0] * axis[1] - away[:, 1] * axis[0]) / turn
    return np.where(beside == 0, np.nan, beside)
