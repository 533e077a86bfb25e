"""FIT-RS (SkySenseGPT): `<rbox>({<cx><cy><w><h>|<θ>}, ...)</rbox>`.

FORMATS.md 1.9, read in Tools/process_data_RS_Object_Detection.py:

- centre and sides in percent of the image (published patches are 512 x 512), two decimals, rounded;
- θ clockwise on screen from the x axis to the side w, OpenCV's (0, 90] (any side may be w), *cut off* to whole degrees,
  so a box turned by less than one degree is written `|<0>` and an upright one `|<90>`;
- no object is the sentence `NONE`; "none" is read too. Sentences round the box ("There are 2 ships in the image: ...")
  are read with strict=False. Beyond 20 objects their sentences say that the rest is not listed.

Names stand in those sentences only, so they are neither written nor read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..codec import Pointed
from ..errors import ModelOutputError
from ..frames import SizeWH
from .geochat import BRACES, braces
from .scanning import is_none, objects_in
from .turned import Turned

NONE = "I'm sorry, I cannot answer as the given image does not contain any given objects."
"""What the authors' records answer where nothing is to be found."""
_RBOX = re.compile(r"<rbox>\s*\(\s*(?P<boxes>[^()]*)\)\s*</rbox>")
_BOX = re.compile(BRACES, re.ASCII)
_SEPARATOR = re.compile(r"\s*,\s*")
_OPENCV = Turned("centre", 0, 90, True, is_clockwise=True, decimals=2, truncates_angle=True)
_EXAMPLE = "'<rbox>({<cx><cy><w><h>|<angle>})</rbox>'"


@dataclass(frozen=True)
class FitRs:
    """Oriented boxes by centre, sides and angle, in `<rbox>` tags (see the module's head)."""

    name: str = "fit-rs"
    kinds: tuple[str, ...] = ("obb",)
    turned: Turned = _OPENCV

    @property
    def coordinates(self) -> str:
        """What the numbers mean."""
        return f"0-{self.turned.steps} of the image's width and height; centre and sides, then degrees clockwise"

    def encode(self, objects: Sequence[Pointed], size_wh: SizeWH) -> str:
        """The text for the objects; the authors' sentence for an empty sequence.

        Raises:
            UsageError: an object without points, or with one that is not finite.

        Example:
            >>> import numpy as np
            >>> box = Pointed("obb", np.array([[10, 20], [60, 20], [60, 40], [10, 40]]))
            >>> FitRs().encode([box], (512, 512))
            '<rbox>({<6.84><5.86><3.91><9.77>|<90>})</rbox>'
        """
        if not objects:
            return NONE
        return f"<rbox>({', '.join(braces(row) for row in self.turned.write(objects, size_wh))})</rbox>"

    def decode(self, text: str, size_wh: SizeWH, *, kind: str | None = None, strict: bool = True) -> list[Pointed]:
        """The boxes in the text, px of an image of that size. See `Dialect.decode`.

        Raises:
            ModelOutputError: neither boxes nor an explicit none; numbers far outside the grid.
        """
        if is_none(text, strict) or text.strip() == NONE:
            return []
        rows, spans = [], []
        for match, _ in objects_in(text, _RBOX, strict, _EXAMPLE):
            place, stop = match.span("boxes")
            while True:
                box = _BOX.match(text, place, stop)
                if box is None or box[5] is None:
                    raise ModelOutputError(f"expected {_EXAMPLE} at {text[place : place + 40]!r}", text)
                rows.append([float(n) for n in box.groups()])
                spans.append(box.span())
                comma = _SEPARATOR.match(text, box.end(), stop)
                if comma is None:
                    if text[box.end() : stop].strip():
                        raise ModelOutputError(f"expected ',' or ')' at {text[box.end() : box.end() + 40]!r}", text)
                    break
                place = comma.end()
        corners = self.turned.read(rows, size_wh, text)
        return [Pointed("obb", four, None, None, span) for four, span in zip(corners, spans, strict=True)]
