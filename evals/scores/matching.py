"""The best one-to-one pairing of what was found with what is true: exact, and the same for every order of either.

Kuhn's Hungarian method in the form of Jonker and Volgenant (1987): one shortest augmenting path a row, with potentials.
It runs on whole numbers, so equal pairings are equal and no rounding decides between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TOLERANCE = 1e-9
"""An IoU that lies this little below a threshold reaches it: rotated IoUs are exact to about 1e-12."""


def best_pairs(iou: np.ndarray, thresholds: Sequence[float] = (0.5,)) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pairing with the largest sum of IoU.

    Each IoU is rounded to 2**-30 first. Among pairings with the same sum the one with more pairs at the first threshold
    is taken, then at the second, and so on: the number of pairs that reach each threshold does not depend on the order
    of rows or columns.

    Args:
        iou: (N, M) in [0, 1]; NaN counts as 0.
        thresholds: what ties are settled by, the most important first.

    Returns:
        Two (P,) int arrays, rows rising; pairs without overlap are left out.

    Example:
        >>> rows, columns = best_pairs(np.array([[0.9, 0.8], [0.8, 0.1]]))
        >>> rows.tolist(), columns.tolist()
        ([0, 1], [1, 0])
    """
    overlaps = np.nan_to_num(np.asarray(iou, dtype=np.float64), nan=0.0)
    touching = overlaps > 0
    rows, columns = np.flatnonzero(touching.any(axis=1)), np.flatnonzero(touching.any(axis=0))
    if not len(rows):
        return rows, columns
    alone = (touching.sum(axis=1) == 1)[rows]
    partner = touching.argmax(axis=1)[rows]
    alone &= (touching.sum(axis=0) == 1)[partner]
    pairs = [np.stack([rows[alone], partner[alone]], axis=1)]
    rest, others = rows[~alone], np.setdiff1d(columns, partner[alone])
    if len(rest):
        part = overlaps[np.ix_(rest, others)]
        first, second = _assign(_weights(part, thresholds))
        held = part[first, second] > 0
        pairs.append(np.stack([rest[first[held]], others[second[held]]], axis=1))
    both = np.concatenate(pairs)
    both = both[np.argsort(both[:, 0], kind="stable")]
    return both[:, 0], both[:, 1]


def _weights(iou: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """(N, M) int64: IoU in the high digits, thresholds that are reached in the low ones; sums never carry over."""
    digit = int(min(iou.shape)).bit_length()
    kept = list(thresholds)
    while kept and 62 - digit * (len(kept) + 1) < 20:
        kept.pop()  # thousands of boxes: fewer ties can be settled
    fine = min(30, 62 - digit * (len(kept) + 1))
    weights = np.rint(iou * 2.0**fine).astype(np.int64)
    for threshold in kept:
        weights = (weights << digit) + (iou >= threshold - TOLERANCE)
    return weights


def _assign(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the assignment with the largest sum; as many pairs as the shorter side has."""
    if weights.shape[0] > weights.shape[1]:
        columns, rows = _assign(weights.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    cost = weights.max() - weights
    n, m = cost.shape
    large = np.iinfo(np.int64).max // 4
    row_price, column_price = np.zeros(n, dtype=np.int64), np.zeros(m + 1, dtype=np.int64)
    owner = np.full(m + 1, -1)  # row of each column; column m stands for the row that is being placed
    for row in range(n):
        owner[m] = row
        reach, back, used = np.full(m, large), np.full(m, m), np.zeros(m + 1, dtype=bool)
        here = m
        while owner[here] >= 0:
            used[here] = True
            held = owner[here]
            free = np.flatnonzero(~used[:m])
            step = cost[held, free] - row_price[held] - column_price[free]
            shorter = step < reach[free]
            reach[free[shorter]], back[free[shorter]] = step[shorter], here
            nearest = free[reach[free].argmin()]
            shift = reach[nearest]
            taken = np.flatnonzero(used)
            row_price[owner[taken]] += shift
            column_price[taken] -= shift
            reach[free] -= shift
            here = nearest
        while here != m:
            owner[here] = owner[back[here]]
            here = back[here]
        owner[m] = -1
    columns = np.flatnonzero(owner[:m] >= 0)
    rows = owner[columns]
    order = np.argsort(rows)
    return rows[order], columns[order]
