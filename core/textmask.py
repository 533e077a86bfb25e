"""Masks as short text: a grid of N x N cells, run-length coded row by row (GeoGround section 3.1, "Text-Mask").

The convention, in full:

- cell (row, column) covers the pixels whose centres lie in its N-th part of the image's height and width, and is 1 if
  any of them is set (max-pooling: nearest sampling would lose small objects, GeoGround table 8);
- a row is its runs from left to right, `value*count`; runs are joined by `,`, rows by `;`. Runs never go on into the
  next row (R-RLE of Text4Seg, which GeoGround cites). GeoGround has not published its separators: these are ours, after
  the figure in the paper, whose form without counts (`0,0,1;0,1,1;...`) is read too;
- N is the number of rows; every row must hold N cells. Nothing is padded or cut off, unlike in Text4Seg's decoder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import shapely

from .errors import ModelOutputError, UsageError
from .frames import Frame, SizeWH
from .masks import Mask

MOST_CELLS = 512
_ROWS = re.compile(r"\s*(?:;|\n)\s*")
_RUNS = re.compile(r"\s*[,|]\s*")
_RUN = re.compile(r"([01])(?:\s*\*\s*(\d{1,6}))?", re.ASCII)


@dataclass(frozen=True, eq=False)
class TextMask:
    """A mask on a coarse grid.

    Attributes:
        cells: (N, N) bool, rows from top to bottom.
    """

    cells: np.ndarray

    def __post_init__(self) -> None:
        cells = np.asarray(self.cells)
        if cells.ndim != 2 or cells.shape[0] != cells.shape[1] or not 2 <= len(cells) <= MOST_CELLS:
            raise UsageError(
                f"a text mask has cells of shape {cells.shape!r}, expected (N, N), N from 2 to {MOST_CELLS}"
            )
        object.__setattr__(self, "cells", cells.astype(bool))

    @classmethod
    def from_mask(cls, mask: Mask, cells: int = 32) -> TextMask:
        """The mask on a grid of `cells` x `cells`; every set pixel sets its cell.

        Example:
            >>> TextMask.from_mask(Mask.from_array(np.eye(8)), 2).cells.tolist()
            [[True, False], [False, True]]
        """
        height, width = mask.shape_hw
        grid = np.zeros((cells, cells), dtype=bool)
        if mask.crop.size:
            (x0, y0), (h, w) = mask.offset_xy, mask.crop.shape
            rows = ((np.arange(y0, y0 + h) + 0.5) * cells / height).astype(int)
            columns = ((np.arange(x0, x0 + w) + 0.5) * cells / width).astype(int)
            pooled = np.logical_or.reduceat(mask.crop, np.unique(rows, return_index=True)[1], axis=0)
            pooled = np.logical_or.reduceat(pooled, np.unique(columns, return_index=True)[1], axis=1)
            grid[np.ix_(np.unique(rows), np.unique(columns))] = pooled
        return cls(grid)

    @classmethod
    def from_text(cls, text: str, raw: str | None = None) -> TextMask:
        """The grid that the text holds, without tags.

        Args:
            text: rows of runs, see the module's head.
            raw: what errors carry, when the text is a part of it.

        Raises:
            ModelOutputError: anything but N rows of N cells.

        Example:
            >>> TextMask.from_text("0*2;0*1,1*1").cells.tolist()
            [[False, False], [False, True]]
        """
        whole = text if raw is None else raw
        body = text.strip().removesuffix(";").rstrip()
        rows = _ROWS.split(body, MOST_CELLS)
        if not 2 <= len(rows) <= MOST_CELLS:
            raise ModelOutputError(f"a mask of {len(rows)} rows, expected 2 to {MOST_CELLS}", whole)
        return cls(np.stack([_row(row, len(rows), whole) for row in rows]))

    def to_text(self) -> str:
        """Rows of runs: `from_text` of it gives the same cells."""
        return ";".join(",".join(_runs(row)) for row in self.cells.tolist())

    def to_mask(self, size_wh: SizeWH) -> Mask:
        """The pixels whose centres lie in set cells, in an image of that size.

        The grid comes back by `from_mask` where the image has at least N pixels along each side.
        """
        width, height = (round(v) for v in size_wh)
        if width < 1 or height < 1:
            raise UsageError(f"size_wh is {size_wh!r}, expected a width and a height of 1 px at least")
        cells = len(self.cells)
        rows = ((np.arange(height) + 0.5) * cells / height).astype(int)
        columns = ((np.arange(width) + 0.5) * cells / width).astype(int)
        across, down = np.asarray(self.cells.any(axis=0))[columns], np.asarray(self.cells.any(axis=1))[rows]
        if not across.any() or not down.any():
            return Mask.from_array(np.zeros((0, 0)), shape_hw=(height, width))
        x, y = np.flatnonzero(across)[[0, -1]], np.flatnonzero(down)[[0, -1]]
        part = self.cells[np.ix_(rows[y[0] : y[1] + 1], columns[x[0] : x[1] + 1])]
        return Mask.from_array(part, (int(x[0]), int(y[0])), (height, width))

    def hull_px(self, size_wh: SizeWH) -> np.ndarray | None:
        """(K, 2) px, open ring of the convex hull of the set cells; None when none is set."""
        rows, columns = np.nonzero(self.cells)
        if not len(rows):
            return None
        corners = np.concatenate([np.stack([columns + i, rows + j], axis=1) for i in (0, 1) for j in (0, 1)])
        hull = shapely.get_coordinates(shapely.convex_hull(shapely.multipoints(corners)))[:-1]
        return Frame.grid(size_wh, len(self.cells)).to_scene(hull)


def _row(text: str, cells: int, raw: str) -> np.ndarray:
    values, counts, total = [], [], 0
    for run in _RUNS.split(text):
        found = _RUN.fullmatch(run)
        if found is None:
            raise ModelOutputError(f"expected runs '0*5,1*3' in {text[:40]!r}", raw)
        values.append(found[1] == "1")
        counts.append(int(found[2] or 1))
        total += counts[-1]
        if total > cells:
            break
    if total != cells:
        raise ModelOutputError(f"a row of other than {cells} cells in a mask of {cells} rows: {text[:40]!r}", raw)
    return np.repeat(values, counts)


def _runs(row: list[bool]) -> list[str]:
    runs, start = [], 0
    for place in range(1, len(row) + 1):
        if place == len(row) or row[place] != row[start]:
            runs.append(f"{int(row[start])}*{place - start}")
            start = place
    return runs
