"""GeoGround: `<box>[[x1,y1,x2,y2]]</box>`, `<obb>[[cx,cy,w,h,θ]]</obb>` and `<seg>rows</seg>`.

GeoGround (arXiv 2411.11904) section 3.1 and figure 2; the authors published no code (FORMATS.md 1.8):

- Text-HBB: upper left and lower right corner, whole numbers from 0 to 1000 of the image's width and height, rounded;
- Text-OBB: centre, sides and angle, whole numbers; 0 to 100 of width and height, rounded. The text of the paper says
  "long side 90-degree, from 0 to 90", its example has w=2 < h=10 at 52 degrees, which is OpenCV's way; and a long side
  within 0 to 90 degrees could not tell half of all boxes. So `geoground` reads OpenCV's way: clockwise on screen from
  the x axis to w, (0, 90], any side may be w. `geoground-le90` has the long side as w and [-90, 90), clockwise;
- Text-Mask: see `core.textmask`; written with 32 cells a side (`geoground-16`, `geoground-24`: as many), read with any.
  A polygon is written as the mask of its pixels, or of its points where it sets no pixel. A grid without a set cell is
  an explicit none;
- boxes of one kind in a row share a tag, `[[...], [...]]`; every mask has its own. A name in `<ref>...</ref>` before a
  tag is read (the paper's queries have it), and not written. No object is the word `none`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ..codec import Pointed
from ..errors import ModelOutputError, UsageError
from ..frames import SizeWH
from ..masks import Mask
from ..textmask import TextMask
from .scanning import NUMBER, Span, is_none, low_high, objects_in, on_grid, upright
from .turned import Turned

OPENCV = Turned("centre", least=0, span=90, least_is_open=True, is_clockwise=True)
LE90 = Turned("centre", least=-90, span=180, least_is_open=False, is_clockwise=True)

_OBJECT = re.compile(r"(?:<ref>(?P<name>[^<>]*)</ref>\s*)?<(?P<tag>box|obb|seg)>(?P<inner>[^<>]*)</(?P=tag)>", re.ASCII)
_ROW = re.compile(rf"\[({NUMBER}(?:,{NUMBER}){{3,4}})\]", re.ASCII)
_SEPARATOR = re.compile(r"\s*,\s*")
_KINDS = {"box": "box", "obb": "obb", "polygon": "seg", "mask": "seg"}
_EXAMPLE = "'<box>[[x1,y1,x2,y2]]</box>'"


@dataclass(frozen=True)
class GeoGround:
    """Boxes, oriented boxes and masks in tags (see the module's head).

    Attributes:
        name: the dialect's.
        turned: how the numbers of an oriented box are meant.
        cells: of a mask's side, where masks are written.
        steps: of the grid of upright boxes.
    """

    name: str = "geoground"
    turned: Turned = OPENCV
    cells: int = 32
    steps: int = 1000
    kinds: tuple[str, ...] = ("obb", "box", "mask")

    @property
    def coordinates(self) -> str:
        """What the numbers mean."""
        return (
            f"of the image's width and height: boxes 0-{self.steps}; oriented boxes 0-{self.turned.steps}, centre and "
            f"sides, then degrees clockwise; masks {self.cells} x {self.cells} cells"
        )

    def encode(self, objects: Sequence[Pointed], size_wh: SizeWH) -> str:
        """The text for the objects; "none" for an empty sequence.

        Raises:
            UsageError: an unknown kind, points that do not fit it, or a mask without a pixel.

        Example:
            >>> box = Pointed("obb", np.array([[10, 20], [60, 20], [60, 40], [10, 40]]))
            >>> GeoGround().encode([box], (100, 100))
            '<obb>[[35,30,20,50,90]]</obb>'
        """
        strange = next((item.kind for item in objects if item.kind not in _KINDS), None)
        if strange is not None:
            raise UsageError(f"object kind is {strange!r}, expected one of: {', '.join(_KINDS)}")
        text = []
        for tag, group in groupby(objects, key=lambda item: _KINDS[item.kind]):
            alike = list(group)
            if tag == "seg":
                text += [f"<seg>{self._cells_of(item, size_wh).to_text()}</seg>" for item in alike]
            elif tag == "obb":
                text.append(_tagged(tag, self.turned.write(alike, size_wh)))
            else:
                text.append(_tagged(tag, [[str(n) for n in low_high(item, size_wh, self.steps)] for item in alike]))
        return "".join(text) or "none"

    def decode(self, text: str, size_wh: SizeWH, *, kind: str | None = None, strict: bool = True) -> list[Pointed]:
        """The objects in the text, px of an image of that size. See `Dialect.decode`.

        Raises:
            ModelOutputError: neither objects nor an explicit none; numbers far outside the grid; a mask whose rows are
                not all as long as there are rows; an empty mask beside objects.
        """
        if is_none(text, strict):
            return []
        objects: list[Pointed] = []
        tags, has_empty = 0, False
        for match, _ in objects_in(text, _OBJECT, strict, _EXAMPLE):
            label, tags = (match["name"] or "").strip() or None, tags + 1
            if match["tag"] == "seg":
                mask = _mask(match, size_wh, label, text)
                has_empty = has_empty or mask is None
                objects += [] if mask is None else [mask]
                continue
            rows, spans = _rows(match, 4 if match["tag"] == "box" else 5, text)
            if match["tag"] == "box":
                boxes = zip(rows, spans, strict=True)
                objects += [upright(row, size_wh, self.steps, label, span, text) for row, span in boxes]
            else:
                turned = zip(self.turned.read(rows, size_wh, text), spans, strict=True)
                objects += [Pointed("obb", corners, None, label, span) for corners, span in turned]
        if has_empty and tags > 1:
            raise ModelOutputError("an empty mask stands beside other objects; expected one or the other", text)
        return objects

    def _cells_of(self, item: Pointed, size_wh: SizeWH) -> TextMask:
        shape = round(size_wh[1]), round(size_wh[0])
        mask = Mask.from_polygon(item.points_px, shape) if item.mask is None else item.mask
        if mask.shape_hw != shape:
            raise UsageError(f"a mask of a scene {mask.shape_hw!r} (height, width) cannot be written for {shape!r}")
        if mask.area_px:
            return TextMask.from_mask(mask, self.cells)
        if item.mask is not None:
            raise UsageError("a mask to encode sets no pixel; drop it first")
        cells = np.zeros((self.cells, self.cells), dtype=bool)  # a polygon between the centres of pixels
        column, row = np.minimum(on_grid(item.points_px, size_wh, self.cells, truncates=True), self.cells - 1).T
        cells[row, column] = True
        return TextMask(cells)


def _mask(match: re.Match[str], size_wh: SizeWH, label: str | None, text: str) -> Pointed | None:
    """The mask in a `<seg>`; None for one without a set cell."""
    grid = TextMask.from_text(match["inner"], text)
    hull = grid.hull_px(size_wh)
    if hull is None:
        return None
    return Pointed("mask", hull, None, label, match.span(), grid.to_mask(size_wh))


def _rows(match: re.Match[str], count: int, text: str) -> tuple[list[list[float]], list[Span]]:
    """The lists of numbers between two tags, `[[...], [...]]` or `[...]`, each with its place."""
    (place, stop), rows, spans = match.span("inner"), [], []
    inner = text[place:stop]
    place, stop = place + len(inner) - len(inner.lstrip()), stop - len(inner) + len(inner.rstrip())
    if text.startswith("[[", place) and text.endswith("]]", place, stop):
        place, stop = place + 1, stop - 1
    while True:
        found = _ROW.match(text, place, stop)
        if found is None or found[1].count(",") != count - 1:
            raise ModelOutputError(
                f"expected '[[...]]' with {count} numbers a box at {text[place : place + 40]!r}", text
            )
        rows.append([float(n) for n in found[1].split(",")])
        spans.append(found.span())
        comma = _SEPARATOR.match(text, found.end(), stop)
        if comma is None:
            if text[found.end() : stop].strip():
                raise ModelOutputError(f"expected ',' or ']' at {text[found.end() : found.end() + 40]!r}", text)
            return rows, spans
        place = comma.end()


def _tagged(tag: str, rows: Sequence[Sequence[str]]) -> str:
    lists = ", ".join(f"[{','.join(row)}]" for row in rows)
    return f"<{tag}>[{lists}]</{tag}>"
