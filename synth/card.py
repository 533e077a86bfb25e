"""A plain card with one red and one blue rectangle: does a model mean the coordinates that it writes?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CARD_WH = (672, 448)
"""Not square, and whole patches of 14, 28 and 32 px: Qwen's resizing leaves it as it is, so pixels are pixels."""
CARD_PHRASE = "red rectangle"
CARD_XYXY = (280, 35, 420, 119)
"""The red rectangle, px: off the diagonal, and low numbers, so that no two readings of a reply agree on it."""
_BLUE_XYXY = (84, 280, 252, 406)


def draw_card() -> NDArray[np.uint8]:
    """(448, 672, 3) uint8 RGB: grey, with the red rectangle at `CARD_XYXY` and a blue one elsewhere."""
    card = np.full((CARD_WH[1], CARD_WH[0], 3), 205, np.uint8)
    for (x0, y0, x1, y1), colour in ((CARD_XYXY, (200, 30, 30)), (_BLUE_XYXY, (30, 50, 190))):
        card[y0:y1, x0:x1] = colour
    return card
