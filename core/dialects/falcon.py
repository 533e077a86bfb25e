"""Falcon: `<box>`, `<quad>` and `<poly>` round numbers in angle brackets, on a grid of 0-1000.

Read in the repository's README, inference.py and eval/src/detection_obb.py (arXiv 2503.11070):

- whole numbers from 0 to 1000 of the image's width and height (1000 stands in the README's own example);
- `<box><x1><y1><x2><y2></box>`: upper left and lower right corner;
- `<quad>` with four corners round the box. Their order is not published: written clockwise on screen from the top-most,
  then left-most one; read in any order round it;
- `<poly>` with the points of an open ring; `<sep>` between the rings of one object, each of which is read as a polygon;
- rounding is not published: rounded half up. Their inference script reads polygons in the middle of 1000 cells, half a
  step higher than written; their scorers read the numbers as they are, and so does this.

Names are neither written nor read. No object is the word `none`: the authors publish no such reply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..codec import Pointed, canonical_quads, in_canonical_order
from ..errors import ModelOutputError, UsageError
from ..frames import SizeWH
from .scanning import NUMBER, from_grid, is_none, low_high, objects_in, on_grid, upright

_OBJECT = re.compile(rf"<(?P<tag>box|quad|poly)>(?P<inner>(?:\s*<(?:{NUMBER}|sep)>)+)\s*</(?P=tag)>", re.ASCII)
_NUMBERS = re.compile(rf"<({NUMBER})>", re.ASCII)
_EXAMPLE = "'<quad><x1><y1>...<x4><y4></quad>'"
_TAGS = {"obb": "quad", "box": "box", "polygon": "poly"}
_LEAST = {"obb": 4, "polygon": 3}


@dataclass(frozen=True)
class Falcon:
    """Boxes, quadrilaterals and polygons in tags (see the module's head)."""

    name: str = "falcon"
    steps: int = 1000
    kinds: tuple[str, ...] = ("obb", "box", "polygon")

    @property
    def coordinates(self) -> str:
        """What the numbers mean."""
        return f"0-{self.steps} of the image's width and height"

    def encode(self, objects: Sequence[Pointed], size_wh: SizeWH) -> str:
        """The text for the objects; "none" for an empty sequence. Points outside the image are clipped to its edge.

        Raises:
            UsageError: an unknown kind, or points that do not fit it.

        Example:
            >>> quad = Pointed("obb", np.array([[10, 20], [60, 20], [60, 40], [10, 40]]))
            >>> Falcon().encode([quad], (100, 100))
            '<quad><100><200><600><200><600><400><100><400></quad>'
        """
        if not objects:
            return "none"
        grids = [self._grid_of(item, size_wh) for item in objects]
        quads = [index for index, item in enumerate(objects) if item.kind == "obb"]
        for index, quad in zip(quads, canonical_quads(np.reshape([grids[i] for i in quads], (-1, 4, 2))), strict=True):
            grids[index] = quad
        return "".join(_tagged(_TAGS[item.kind], grid) for item, grid in zip(objects, grids, strict=True))

    def decode(self, text: str, size_wh: SizeWH, *, kind: str | None = None, strict: bool = True) -> list[Pointed]:
        """The objects in the text, px of an image of that size. See `Dialect.decode`.

        Raises:
            ModelOutputError: neither objects nor "none"; a wrong count of numbers; numbers far outside the grid.
        """
        if is_none(text, strict):
            return []
        objects: list[Pointed] = []
        for match, _ in objects_in(text, _OBJECT, strict, _EXAMPLE):
            rings = match["inner"].split("<sep>")
            numbers = [[float(n) for n in _NUMBERS.findall(ring)] for ring in rings]
            counts = [len(each) for each in numbers]
            if match["tag"] == "poly":
                if any(count < 6 or count % 2 for count in counts):
                    raise ModelOutputError(f"the rings of a <poly> have {counts} numbers, expected pairs, 6 or more", text)  # fmt: skip  # noqa: E501
                objects += [self._ring(each, size_wh, match.span(), text) for each in numbers]
                continue
            expected = 4 if match["tag"] == "box" else 8
            if counts != [expected]:
                raise ModelOutputError(f"a <{match['tag']}> has {sum(counts)} numbers, expected {expected}", text)
            if expected == 4:
                objects.append(upright(numbers[0], size_wh, self.steps, None, match.span(), text))
            else:
                corners = from_grid(numbers[0], size_wh, self.steps, text)
                objects.append(Pointed("obb", corners, None, None, match.span()))
        return in_canonical_order(objects)

    def _ring(self, numbers: list[float], size_wh: SizeWH, span: tuple[int, int], text: str) -> Pointed:
        points = from_grid(numbers, size_wh, self.steps, text)
        closed = len(points) > 3 and bool((points[0] == points[-1]).all())
        return Pointed("polygon", points[:-1] if closed else points, None, None, span)

    def _grid_of(self, item: Pointed, size_wh: SizeWH) -> np.ndarray:
        """The object's numbers in whole steps of the grid."""
        if item.kind == "box":
            return np.array(low_high(item, size_wh, self.steps))
        grid = on_grid(item.points_px, size_wh, self.steps)
        least = _LEAST.get(item.kind)
        if least is None or len(grid) < least or (item.kind == "obb" and len(grid) > least):
            raise UsageError(
                f"a {item.kind} with {len(grid)} points cannot be written, expected 'obb', 'box' or 'polygon'"
            )
        points = np.asarray(item.points_px)
        closed = item.kind == "polygon" and len(grid) > 3 and bool((points[0] == points[-1]).all())
        return grid[:-1] if closed else grid


def _tagged(tag: str, numbers: np.ndarray) -> str:
    return f"<{tag}>{''.join(f'<{int(n)}>' for n in numbers.ravel())}</{tag}>"
