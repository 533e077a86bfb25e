"""Which part of a scene SAM-2 looks at for a prompt.

A scene that is hardly larger than a window is looked at as a whole. Larger ones are covered by windows in fixed
places: a grid with overlap in the scene's own pixels, and coarser ones of twice, four times ... the side for large
objects. Each prompt goes to the finest window that shows it whole. Its window does not depend on what else is asked, so
its mask doesn't either, and windows met again are found in the cache.
"""

from __future__ import annotations

import math

import numpy as np

Window = tuple[int, int, int, int]

SLACK = 1.25  # a scene (or one side of it) up to this many windows long is shrunk a little instead of being cut
STEPS = (0.75, 0.5)  # of the grid, as a share of the window; the second only for prompts that the first cuts
STRETCH = 2  # most that one axis is scaled more than the other; a thinner scene is shown with black beside it


def window_for(need: np.ndarray, size_wh: tuple[int, int], side: int) -> Window:
    """The window (x0, y0, x1, y1), full-scene px, in which a prompt is looked at.

    It may reach beyond the right or lower edge of a scene that is very long and thin.

    Args:
        need: (4,) x0, y0, x1, y1 of what must be seen whole, inside the scene.
        size_wh: of the scene.
        side: of a window of the finest level, px.

    Example:
        >>> window_for(np.array([10, 10, 40, 40]), (1200, 900), 1024)
        (0, 0, 1200, 900)
        >>> window_for(np.array([1500, 10, 1540, 40]), (4000, 4000), 1024)
        (744, 0, 1768, 1024)
        >>> window_for(np.array([100, 10, 1540, 40]), (4000, 4000), 1024)
        (0, 0, 2048, 2048)
    """
    while True:
        x, y = (_along(need[axis], need[axis + 2], size_wh[axis], side) for axis in (0, 1))
        if x is not None and y is not None:
            return _not_too_thin((x[0], y[0], x[1], y[1]))
        side *= 2


def _along(low: float, high: float, length: int, side: int) -> tuple[int, int] | None:
    """The window's px along one axis that hold low..high with most room round it; None where none of the grid does."""
    if length <= SLACK * side:
        return 0, length
    for step in STEPS:
        starts = np.round(np.linspace(0, length - side, math.ceil((length - side) / (step * side)) + 1)).astype(int)
        starts = starts[(starts <= low) & (high <= starts + side)]
        if len(starts):
            best = int(starts[np.argmin(np.abs(starts + side / 2 - (low + high) / 2))])
            return best, best + side
    return None


def _not_too_thin(window: Window) -> Window:
    x0, y0, x1, y1 = window
    least_w, least_h = math.ceil((y1 - y0) / STRETCH), math.ceil((x1 - x0) / STRETCH)
    return x0, y0, max(x1, x0 + least_w), max(y1, y0 + least_h)
