"""A scene as it is drawn: tints first, lines over them, labels last, where they hide least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from ...agent.drawing import INK, Colour, Picture, Points, draw_dashed, draw_outline
from ...core.masks import Mask
from ...core.scene import Scene
from .labels import Label, draw_labels

SIDE_PX = 480
TINT = 0.38


@dataclass
class View:
    """A scene as it is drawn: tints first, lines over them, words last."""

    scene: Scene
    side_px: int
    picture: Picture = field(init=False)
    _lines: list[tuple[int, Sequence[Points], Colour, float, float]] = field(init=False, default_factory=list)
    _labels: list[Label] = field(init=False, default_factory=list)
    _answers: list[Points] = field(init=False, default_factory=list)
    _name: str = field(init=False, default="")

    def __post_init__(self) -> None:
        size = self.scene.size_wh
        factor = self.side_px / max(size)
        wanted = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
        image = self.scene.read(out_size_wh=wanted) if factor < 1 else self.scene.read()
        resized = image if factor < 1 else cv2.resize(image, wanted, interpolation=cv2.INTER_CUBIC)
        self.picture = np.ascontiguousarray(np.asarray(resized, dtype=np.uint8)[..., ::-1])
        self.scale = np.array([wanted[0] / size[0], wanted[1] / size[1]])
        self.unit = self.side_px / SIDE_PX
        self.letters = int(np.clip(round(12 * self.unit), 9, 22))

    def line(self, rings: Sequence[Points], colour: Colour, width: float, *, dash: float = 0.0, over: int = 0) -> None:
        """Notes closed lines, px of the scene; those of a higher `over` are drawn later."""
        self._lines.append((over, [ring * self.scale for ring in rings], colour, width, dash))

    def keep_clear(self, rings: Sequence[Points]) -> None:
        """Notes outlines of what is right, px of the scene: labels keep off them."""
        self._answers += [ring * self.scale for ring in rings]

    def tag(self, text: str, colour: Colour, box: Sequence[float]) -> None:
        """Notes a label beside a box, px of the scene."""
        x0, y0, x1, y1 = (np.asarray(box, dtype=np.float64).reshape(2, 2) * self.scale).ravel().tolist()
        self._labels.append(Label(text, colour, (x0, y0, x1, y1)))

    def tint(self, mask: Mask, colour: Colour, opacity: float = TINT) -> None:
        """Shades the pixels of a mask."""
        if not mask.area_px:
            return
        height, width = self.picture.shape[:2]
        how = cv2.INTER_AREA if self.scale[0] < 1 else cv2.INTER_LINEAR
        share = cv2.resize(mask.to_array().astype(np.float32), (width, height), interpolation=how)[..., None] * opacity
        mixed = self.picture * (1 - share) + np.array(colour, dtype=np.float32) * share
        self.picture[...] = np.round(mixed).astype(np.uint8)

    def finish(self) -> None:
        """Draws what was noted."""
        for _, rings, colour, width, dash in sorted(self._lines, key=lambda each: each[0]):
            thick = max(1, round(width * self.unit))
            for ring in rings:
                if dash:
                    draw_dashed(self.picture, ring, colour, thick, dash * self.unit)
                else:
                    draw_outline(self.picture, ring, colour, thick)
        others = [ring for _, rings, _, _, _ in self._lines for ring in rings]
        size = max(9, self.letters - 1)
        draw_labels(self.picture, self._labels, self._answers, others, size, corner=self._name)

    def name(self, text: str) -> None:
        """Notes a name for a free corner."""
        self._name = text


def side_by_side(pictures: Sequence[Picture]) -> Picture:
    """The pictures in a row, with a dark bar between them."""
    height = max(each.shape[0] for each in pictures)
    parts: list[Picture] = []
    for each in pictures:
        parts += [np.full((height, 4, 3), INK, dtype=np.uint8)] if parts else []
        parts.append(np.pad(each, ((0, height - each.shape[0]), (0, 0), (0, 0))))
    return np.hstack(parts)
