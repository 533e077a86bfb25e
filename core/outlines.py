"""Outlines of a mask along the edges of its pixels, exact, with holes.

Each corner of the outline ends one horizontal and one vertical edge. Sorted along rows, corners pair up into the
horizontal edges; sorted along columns, into the vertical ones; following the two pairings in turn walks the rings.
Where two pixels touch only at a corner, the corner is counted twice; the pixels are joined there when they are of one
4-connected part (which turns the loop into a shell with a hole) and kept apart otherwise, so every polygon is valid.
"""

from __future__ import annotations

import cv2
import numpy as np

Ring = np.ndarray


def outlines(mask: np.ndarray) -> list[tuple[Ring, list[Ring]]]:
    """(shell, holes) of each 4-connected part of a bool (h, w) mask; rings (N, 2) open, in px."""
    if not mask.any():
        return []
    height, width = mask.shape
    padded = np.zeros((height + 2, width + 2), dtype=np.uint8)
    padded[1:-1, 1:-1] = mask
    corners, diagonal, falling = _corners(padded)
    saddles = np.flatnonzero(diagonal)
    labels: np.ndarray | None = None
    swapped = np.zeros(len(corners), dtype=bool)
    if len(saddles):
        labels = _labels(padded)
        y, x = np.divmod(corners[saddles], width + 1)
        falls = falling[saddles]
        first = np.where(falls, labels[y, x], labels[y, x + 1])
        second = np.where(falls, labels[y + 1, x + 1], labels[y + 1, x])
        swapped[saddles] = falls == (first == second)
    entries, along, down = _pairings(corners, diagonal, swapped, width + 1)
    rings = _walk(along, down)
    if len(rings) > 1 and labels is None:
        labels = _labels(padded)
    return _assemble(rings, entries, width + 1, padded, labels)


def _corners(padded: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flat places of the outline's corners in reading order; whether each is a saddle; whether that one falls (\\)."""
    code = padded[:-1, :-1] + 2 * padded[:-1, 1:]
    code += 4 * padded[1:, :-1]
    code += 8 * padded[1:, 1:]
    is_corner = np.ones(16, dtype=np.uint8)
    is_corner[[0, 3, 5, 10, 12, 15]] = 0
    flat = cv2.LUT(code, np.concatenate([is_corner, np.zeros(240, dtype=np.uint8)])).reshape(-1)
    places = np.flatnonzero(flat.view(bool))
    kind = code.reshape(-1)[places]
    return places, (kind == 9) | (kind == 6), kind == 9


def _labels(padded: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.connectedComponents(padded, connectivity=4)[1])


def _pairings(
    corners: np.ndarray, diagonal: np.ndarray, swapped: np.ndarray, stride: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(places of the entries, partner along the row, partner along the column); a saddle has two entries."""
    entries = np.repeat(corners, 1 + diagonal)
    again = np.concatenate([[False], entries[1:] == entries[:-1]])
    swap = np.repeat(swapped, 1 + diagonal)
    along = np.arange(len(entries)) ^ 1
    y, x = np.divmod(entries, stride)
    order = np.argsort(((x * (y.max() + 1) + y) << 1) | (again ^ swap), kind="stable")
    down = np.empty_like(order)
    down[order[0::2]], down[order[1::2]] = order[1::2], order[0::2]
    return entries, along, down


def _walk(along: np.ndarray, down: np.ndarray) -> list[list[int]]:
    """Rings as lists of entries, each starting at its top-most, then left-most corner and going right."""
    next_row, next_column = along.tolist(), down.tolist()
    seen = bytearray(len(next_row))
    rings = []
    for start in range(len(next_row)):
        if seen[start]:
            continue
        ring: list[int] = []
        here = start
        while not seen[here]:
            across = next_row[here]
            seen[here] = seen[across] = 1
            ring += (here, across)
            here = next_column[across]
        rings.append(ring)
    return rings


def _assemble(
    rings: list[list[int]], entries: np.ndarray, stride: int, padded: np.ndarray, labels: np.ndarray | None
) -> list[tuple[Ring, list[Ring]]]:
    stops = np.cumsum([len(ring) for ring in rings])
    y, x = np.divmod(entries[[entry for ring in rings for entry in ring]], stride)
    points = np.stack([x, y], axis=1).astype(np.float64)
    starts = stops - [len(ring) for ring in rings]
    rows, columns = y[starts], x[starts] + 1  # the padded pixel above the first edge of each ring
    is_hole = padded[rows, columns] != 0
    parts = np.zeros(len(rings), dtype=np.int64) if labels is None else labels[rows + ~is_hole, columns]
    shells: dict[int, tuple[Ring, list[Ring]]] = {}
    holes: list[tuple[int, Ring]] = []
    each = zip(parts.tolist(), is_hole.tolist(), starts.tolist(), stops.tolist(), strict=True)
    for part, hole, start, stop in each:
        if hole:
            holes.append((part, points[start:stop][::-1]))
        else:
            shells[part] = (points[start:stop], [])
    for part, ring in holes:
        shells[part][1].append(ring)
    return list(shells.values())
