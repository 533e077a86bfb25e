"""Where objects lie, in words: a cell of the 3x3 grid for one, cell, quarter or half for many (GeoPixel section 4).

The grids are laid over the picture as it is shown, so "upper" is up on the screen. A cell is chosen by how much of an
object's pixels it holds, not by the object's centre. For groups the middle cell is larger, as people see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.masks import Mask

Cell = tuple[int, int]
"""Row and column."""
CELLS = (
    ("in the upper left", "at the top", "in the upper right"),
    ("on the left", "in the centre", "on the right"),
    ("in the lower left", "at the bottom", "in the lower right"),
)
QUARTERS = (
    ("in the upper left quarter", "in the upper right quarter"),
    ("in the lower left quarter", "in the lower right quarter"),
)
HALVES = ("in the left half", "in the right half", "in the upper half", "in the lower half")
SCATTERED = "across the image"
THIRDS = (1 / 3, 2 / 3)
WIDE_MIDDLE = (0.3, 0.7)
"""Edges of the grid for groups: its middle cell is larger than the others."""
MOSTLY = 0.75
"""Share of objects in a half from which most of them are there."""
_OF_CELL, _OF_QUARTER = 1 / 3, 1 / 2  # share of what is still to be placed that makes a group


@dataclass(frozen=True)
class Group:
    """Objects that are told together.

    Attributes:
        place: in words: "in the upper left", "across the image".
        members: indices, in order.
    """

    place: str
    members: tuple[int, ...]


def cell_of(mask: Mask, edges: Sequence[float]) -> Cell:
    """The cell of a grid that holds most of the mask's pixels; of equal ones the first by rows.

    Args:
        mask: with pixels.
        edges: between the cells, as shares of width and of height.

    Example:
        >>> cell_of(Mask.from_array(np.ones((10, 30)), (60, 0), (90, 90)), THIRDS)
        (0, 2)
    """
    (left, top), (height, width) = mask.offset_xy, mask.shape_hw
    rows, columns = (
        np.searchsorted(np.array(edges) * side, np.arange(start, start + count) + 0.5, side="right")
        for side, start, count in ((height, top, mask.crop.shape[0]), (width, left, mask.crop.shape[1]))
    )
    cells = len(edges) + 1
    filled = np.zeros((cells, cells), dtype=np.int64)
    inside_rows, inside_columns = np.nonzero(mask.crop)
    np.add.at(filled, (rows[inside_rows], columns[inside_columns]), 1)
    row, column = divmod(int(np.argmax(filled)), cells)
    return row, column


def place_of(mask: Mask) -> str:
    """Where one object lies.

    Example:
        >>> place_of(Mask.from_array(np.ones((10, 10)), (40, 40), (90, 90)))
        'in the centre'
    """
    row, column = cell_of(mask, THIRDS)
    return CELLS[row][column]


def grouped(masks: Sequence[Mask]) -> list[Group]:
    """Objects of one class in groups by place: 3x3, then 2x2, then halves; what fits none of them is scattered.

    A cell makes a group when it holds two objects or more and a third of all; a quarter, when it holds half of those
    that no cell took; the rest lies in one half, or across the image. Each object is in exactly one group.

    Example:
        >>> masks = [Mask.from_array(np.ones((4, 4)), (x, 5), (90, 90)) for x in (2, 8, 80)]
        >>> grouped(masks)
        [Group(place='in the upper left', members=(0, 1)), Group(place='in the upper right', members=(2,))]
    """
    groups, rest = [], list(range(len(masks)))
    for edges, names, share in ((WIDE_MIDDLE, CELLS, _OF_CELL), ((0.5,), QUARTERS, _OF_QUARTER)):
        cells = {index: cell_of(masks[index], edges) for index in rest}
        full = [cell for cell, count in Counter(cells.values()).items() if count >= max(2.0, share * len(rest))]
        for row, column in sorted(full):
            members = tuple(index for index in rest if cells[index] == (row, column))
            groups.append(Group(names[row][column], members))
        rest = [index for index in rest if cells[index] not in full]
    if len(rest) == 1:
        groups.append(Group(place_of(masks[rest[0]]), tuple(rest)))
    elif rest:
        groups.append(Group(half_of([masks[index] for index in rest], 1.0) or SCATTERED, tuple(rest)))
    return groups


def half_of(masks: Sequence[Mask], share: float) -> str | None:
    """The half that holds at least that share of the objects, the fullest first; None where no half does."""
    cells = [cell_of(mask, (0.5,)) for mask in masks]
    counts = [
        sum(column == 0 for _, column in cells),
        sum(column == 1 for _, column in cells),
        sum(row == 0 for row, _ in cells),
        sum(row == 1 for row, _ in cells),
    ]
    best = int(np.argmax(counts))
    return HALVES[best] if cells and counts[best] >= share * len(cells) else None
