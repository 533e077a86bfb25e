"""At which size an image reaches a Qwen vision-language model, so that its coordinates can be mapped back exactly.

The rule is `smart_resize` of transformers.models.qwen2_vl.image_processing_qwen2_vl (also qwen-vl-utils): sides are
multiples of a factor (patch times merge), the number of pixels lies within a budget, the aspect is kept as far as that
allows. Both sides are scaled on their own, so the map back is exact whatever the rounding did to the aspect.
"""

from __future__ import annotations

import math

from ...core.errors import UsageError

MOST_ASPECT = 200
"""Qwen's own limit for long side / short side; `views.View` keeps to it."""


def smart_resize(
    size_wh: tuple[int, int], factor: int = 28, min_pixels: int = 56 * 56, max_pixels: int = 28 * 28 * 1280
) -> tuple[int, int]:
    """Width and height in px at which the model sees an image of that size.

    Args:
        size_wh: width and height in px, from 1 on.
        factor: both sides of the result are multiples of it: patch size times merge size.
        min_pixels: least number of pixels of the result.
        max_pixels: most number of pixels of the result (a single row or column of patches may pass it, and
            what is grown to `min_pixels` where both bounds are near).

    Raises:
        UsageError: a side below 1, an aspect above 200, or bounds that exclude each other.

    Example:
        >>> smart_resize((4000, 3000))
        (1148, 840)
        >>> smart_resize((20, 20))
        (56, 56)
    """
    width, height = size_wh
    if min(width, height, factor, min_pixels) < 1 or not factor * factor <= max_pixels >= min_pixels:
        raise UsageError(
            f"size {size_wh!r} with factor {factor}, min_pixels {min_pixels}, max_pixels {max_pixels}: expected sides, "
            "factor and min_pixels from 1 on, and factor x factor and min_pixels at most max_pixels"
        )
    if max(width, height) > MOST_ASPECT * min(width, height):
        raise UsageError(f"an image of {width} x {height} px is longer than {MOST_ASPECT}:1; cut it in tiles")
    wide, high = round(width / factor) * factor, round(height / factor) * factor
    if wide * high > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        wide = max(factor, math.floor(width / shrink / factor) * factor)
        high = max(factor, math.floor(height / shrink / factor) * factor)
    elif wide * high < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        wide, high = math.ceil(width * grow / factor) * factor, math.ceil(height * grow / factor) * factor
    return wide, high
