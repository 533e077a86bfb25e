"""Rows of regions: three or more of a class, one behind the other on a straight line, turned alike (R7)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import shapely

from ..core.regions import FloatArray
from .layout import Layout

_GAP_LENGTHS = 3.0  # two members follow each other up to this many of their mean long sides, centre to centre
_LONG_GAP_LENGTHS = 6.0  # the same once there are three
_AXIS_ASPECT = 1.5  # below it a box has no direction that a row could share (planes)
_NEIGHBOURS = 8


def in_rows(layout: Layout, off: float, spread_deg: float) -> np.ndarray:
    """(N,) size of the largest row found that a region belongs to; 0 when it is in none of three or more.

    A row is grown from two neighbours in both directions, each time by the neighbour of its end that lies nearest to
    the line, as long as it stays a row: root-mean-square distance of the centres from their principal axis at most
    `off` median short sides, long axes within `spread_deg` of each other (boxes below aspect 1.5 have none), and
    centres that follow each other at most three mean lengths apart; a row of three goes on over gaps of up to six.
    """
    sizes = np.zeros(len(layout), dtype=np.int64)
    for members in find_rows(layout, off, spread_deg):
        sizes[members] = np.maximum(sizes[members], len(members))
    return sizes


def find_rows(layout: Layout, off: float, spread_deg: float) -> list[np.ndarray]:
    """The rows found, as indices of their members; a region may be in several (a grid has rows along and across)."""
    key = ("rows", off, spread_deg)
    if key not in layout.memo:
        found: list[np.ndarray] = []
        labels = np.array([region.label for region in layout.regions], dtype=object)
        for label in dict.fromkeys(labels.tolist()):
            group = np.flatnonzero(labels == label)
            if len(group) >= 3:
                found += _grow_rows(_Row(layout, group, off, spread_deg))
        layout.memo[key] = found
    return list(layout.memo[key])


def rows_apart(layout: Layout, off: float, spread_deg: float) -> list[np.ndarray]:
    """Rows that share no member: the longest goes first (of a grid's the closest), then that of what it leaves over."""
    left = np.arange(len(layout))
    chosen: list[np.ndarray] = []

    def rank(row: np.ndarray) -> tuple[int, float, list[int]]:
        span = float(np.linalg.norm(np.ptp(layout.centers[row], axis=0)))
        return -len(row), round(span, 6), sorted(row.tolist())

    while True:
        rest = Layout([layout.regions[place] for place in left])
        rows = [left[row] for row in find_rows(rest, off, spread_deg)]
        if not rows:
            return chosen
        chosen.append(min(rows, key=rank))
        left = np.setdiff1d(left, chosen[-1])


def _grow_rows(rules: _Row) -> list[np.ndarray]:
    tried: set[tuple[int, int]] = set()
    found: list[np.ndarray] = []
    for first, near in enumerate(rules.neighbours):
        for second in near:
            if (min(first, second), max(first, second)) in tried or not rules.close(first, second):
                continue
            tried.add((min(first, second), max(first, second)))
            row = rules.grown(rules.grown(rules.grown([first, second])[::-1])[::-1])
            tried |= {(min(pair), max(pair)) for pair in pairwise(row)} if len(row) > 2 else set()
            if len(row) >= 3:
                found.append(rules.group[row])
    return found


class _Row:
    """The regions of one class and what makes a row of them."""

    def __init__(self, layout: Layout, group: np.ndarray, off: float, spread_deg: float) -> None:
        self.group, self.off, self.spread_deg = group, off, spread_deg
        self.centers, self.lengths, self.widths = layout.centers[group], layout.lengths[group], layout.widths[group]
        axes = layout.axes[group]
        angles = np.degrees(np.arctan2(axes[:, 1], axes[:, 0])) % 180.0
        self.angles = np.where(layout.aspects[group] >= _AXIS_ASPECT, angles, np.nan)
        self.neighbours = self._neighbours()

    def _neighbours(self) -> list[list[int]]:
        reach = _LONG_GAP_LENGTHS * self.lengths
        tree = shapely.STRtree(shapely.points(self.centers))
        first, second = tree.query(shapely.box(*(self.centers - reach[:, None]).T, *(self.centers + reach[:, None]).T))
        apart = np.linalg.norm(self.centers[first] - self.centers[second], axis=1)
        limit = _LONG_GAP_LENGTHS * (self.lengths[first] + self.lengths[second]) / 2
        fits = (first != second) & (apart <= limit) & (apart > 0)
        order = np.lexsort((second[fits], apart[fits], first[fits]))
        lists: list[list[int]] = [[] for _ in range(len(self.centers))]
        for a, b in zip(first[fits][order].tolist(), second[fits][order].tolist(), strict=True):
            if len(lists[a]) < _NEIGHBOURS:
                lists[a].append(b)
        return lists

    def close(self, a: int, b: int) -> bool:
        """Whether two may follow each other in a row that isn't one yet."""
        apart = float(np.linalg.norm(self.centers[a] - self.centers[b]))
        return apart <= _GAP_LENGTHS * float(self.lengths[a] + self.lengths[b]) / 2

    def grown(self, row: list[int]) -> list[int]:
        """The row, prolonged at its end as far as it goes."""
        while True:
            end = self.centers[row[-1]]
            forward = end - self.centers[row[0]]
            forward = forward / max(float(np.linalg.norm(forward)), 1e-12)
            ahead = [k for k in self.neighbours[row[-1]] if k not in row and (self.centers[k] - end) @ forward > 0]
            ahead.sort(key=lambda k: self._bend(self.centers[k] - end, forward))
            if len(row) < 3:
                ahead = [k for k in ahead if self.close(row[-1], k)]
            following = next((k for k in ahead if self._holds([*row, k])), None)
            if following is None:
                return row
            row = [*row, following]

    @staticmethod
    def _bend(step: FloatArray, forward: FloatArray) -> float:
        """How far a step leads off the line, and among equals how long it is."""
        across = abs(float(step[0] * forward[1] - step[1] * forward[0]))
        return across + 0.1 * float(step @ forward)

    def _holds(self, row: list[int]) -> bool:
        points = self.centers[row] - self.centers[row].mean(axis=0)
        residual = float(np.linalg.svd(points, compute_uv=False)[-1]) / np.sqrt(len(row))
        return residual <= self.off * float(np.median(self.widths[row])) and self._spread(row) <= self.spread_deg

    def _spread(self, row: list[int]) -> float:
        """The smallest range, modulo 180 degrees, that holds all axes of the row."""
        angles = np.sort(self.angles[row][~np.isnan(self.angles[row])])
        if len(angles) < 2:
            return 0.0
        return 180.0 - float(np.diff(np.append(angles, angles[0] + 180.0)).max())
