"""Boxes in braces on a grid of 0-100: GeoChat and VRSBench.

`geochat`, GeoChat's `{<x1><y1><x2><y2>|<θ>}` (FORMATS.md 1.7, read in geochat_demo.py and records of GeoChat_Instruct):

- x1, y1, x2, y2 are the corners of the rectangle *before* it is turned, 0-100 of the image's width and height, whole
  numbers; it is then turned about its centre. They are neither the enclosing box nor two real corners;
- θ in whole degrees, written from 1 to 90 (an upright box is `|<90>`, as in the published records), any side may be
  the first: OpenCV's way;
- which way θ turns is contradictory in the authors' code: `bbox_and_angle_to_polygon` turns clockwise on screen and so
  do the scorers that others wrote; `rotate_bbox`, which only draws, turns counter-clockwise. So `geochat` reads
  clockwise and `geochat-ccw` counter-clockwise; calibrate on labelled records where you can;
- `<p>a name</p>` stands before the boxes that it names; several boxes follow one another, or `<delim>` is between them;
  without `|<θ>` a box is upright. How the authors rounded is not published: rounded half up here.

`vrsbench`, VRSBench's `{<x1><y1><x2><y2>}` (FORMATS.md 1.6, read in prepare_eval_all.ipynb): the upright box round the
object, whole percent of width and height, cut off toward zero, so what is read back lies low by half a step on average.

`vrsbench-obb1`, `{<cx><cy><w><h>|<θ>}`: centre and sides in percent, cut off; w is the long side; θ counter-clockwise
from the x axis to w, -90 to 90, rounded (BboxToolkit).

`vrsbench-obb2`, `{<x1><y1><x2><y2>|<θ>}`: two opposite corners of the turned rectangle, the one nearest to the upper
left of the image first, and the same θ. Here the other two corners are the first two mirrored in the long side's axis,
which gives the rectangle back; the authors' scorer doesn't.

No object is the word `none` in all of them: the authors publish no such reply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..codec import Pointed
from ..errors import ModelOutputError
from ..frames import SizeWH
from .scanning import NUMBER, is_none, low_high, objects_in, upright
from .turned import Turned

_FOUR = "".join(rf"<({NUMBER})>\s*" for _ in range(4))
BRACES = rf"\{{\s*{_FOUR}(?:\|\s*<({NUMBER})>\s*)?\}}"
_OBJECT = re.compile(rf"<p>(?P<name>[^<>{{}}]*)</p>|{BRACES}", re.ASCII)
_UNFIT = re.compile(r"[<>{}\s]+")


@dataclass(frozen=True)
class Braces:
    """Boxes in braces.

    Attributes:
        name: the dialect's.
        turned: how the numbers of an oriented box are meant; None where all boxes are upright.
        names: names are written before the boxes (they are read in any case).
        steps: length of the grid.
    """

    name: str
    turned: Turned | None
    names: bool = False
    steps: int = 100

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of objects that it can write."""
        return ("box",) if self.turned is None else ("obb",)

    @property
    def coordinates(self) -> str:
        """What the numbers mean."""
        grid = f"0-{self.steps} of the image's width and height"
        if self.turned is None:
            return grid
        way = "clockwise" if self.turned.is_clockwise else "counter-clockwise"
        what = {
            "centre": "centre, long side and short side", "corners": "corners before turning",
            "diagonal": "two opposite corners",
        }[self.turned.numbers]  # fmt: skip
        return f"{grid}; {what}, then degrees {way}"

    def encode(self, objects: Sequence[Pointed], size_wh: SizeWH) -> str:
        """The text for the objects; "none" for an empty sequence.

        Raises:
            UsageError: an object without points, or with one that is not finite.

        Example:
            >>> import numpy as np
            >>> box = Pointed("obb", np.array([[10, 20], [60, 20], [60, 40], [10, 40]]))
            >>> GEOCHAT.encode([box], (100, 100))
            '{<25><5><45><55>|<90>}'
            >>> VRSBENCH_OBB1.encode([box], (100, 100))
            '{<35><30><50><20>|<0>}'
        """
        if not objects:
            return "none"
        if self.turned is None:
            rows = [[str(n) for n in low_high(item, size_wh, self.steps, truncates=True)] for item in objects]
        else:
            rows = self.turned.write(objects, size_wh)
        text, before = [], ""
        for item, row in zip(objects, rows, strict=True):
            label = _UNFIT.sub(" ", item.label or "").strip() if self.names else ""
            text.append(f"<p>{label}</p> " if label and label != before else "")
            text.append(braces(row))
            before = label
        return "".join(text)

    def decode(self, text: str, size_wh: SizeWH, *, kind: str | None = None, strict: bool = True) -> list[Pointed]:
        """The boxes in the text, px of an image of that size. See `Dialect.decode`.

        Raises:
            ModelOutputError: neither boxes nor "none"; a box without an angle where only oriented ones are written, or
                with one where none are; numbers far outside the grid.
        """
        if is_none(text, strict):
            return []
        found, names, name, fresh = [], [], None, False
        example = "'{<x1><y1><x2><y2>}'" if self.turned is None else "'{<x1><y1><x2><y2>|<angle>}'"
        for match, follows in objects_in(text, _OBJECT, strict, example):
            if match["name"] is not None:
                if fresh and strict:
                    raise ModelOutputError(f"no box follows the name {name!r}", text)
                name, fresh = match["name"].strip() or None, True
                continue
            name = name if follows or fresh else None  # words behind a box end what its name covers
            fresh = False
            names.append(name)
            found.append(match)
        if not found or (fresh and strict):
            raise ModelOutputError("the reply names things without a box", text)
        return self._objects(found, names, size_wh, text)

    def _objects(
        self, found: list[re.Match[str]], names: list[str | None], size_wh: SizeWH, text: str
    ) -> list[Pointed]:
        plain = [match[6] is None for match in found]
        can_be_plain = self.turned is None or self.turned.numbers == "corners"
        if any(plain) and not can_be_plain:
            raise ModelOutputError("a box has no angle; expected '|<angle>' behind its four numbers", text)
        if self.turned is None and not all(plain):
            raise ModelOutputError("a box has an angle, expected upright boxes; is it VRSBench's obb form?", text)
        rows = [[float(n) for n in match.groups()[1:] if n is not None] for match in found]
        corners = iter(() if self.turned is None else self.turned.read([r for r in rows if len(r) == 5], size_wh, text))
        objects = []
        for match, row, label in zip(found, rows, names, strict=True):
            if len(row) == 4:
                objects.append(upright(row, size_wh, self.steps, label, match.span(), text))
            else:
                objects.append(Pointed("obb", next(corners), None, label, match.span()))
        return objects


def braces(numbers: Sequence[str]) -> str:
    """`{<a><b><c><d>|<e>}` of five written numbers, `{<a><b><c><d>}` of four."""
    four = "".join(f"<{number}>" for number in numbers[:4])
    return f"{{{four}|<{numbers[4]}>}}" if len(numbers) == 5 else f"{{{four}}}"


_CLOCKWISE = Turned("corners", least=0, span=90, least_is_open=True, is_clockwise=True)
_BY_CENTRE = Turned("centre", least=-90, span=180, least_is_open=True, is_clockwise=False, truncates=True)

GEOCHAT = Braces("geochat", _CLOCKWISE, names=True)
GEOCHAT_CCW = Braces("geochat-ccw", replace(_CLOCKWISE, is_clockwise=False), names=True)
VRSBENCH = Braces("vrsbench", None)
VRSBENCH_OBB1 = Braces("vrsbench-obb1", _BY_CENTRE)
VRSBENCH_OBB2 = Braces("vrsbench-obb2", replace(_BY_CENTRE, numbers="diagonal"))
