"""Images as data URLs within a budget of bytes, and the exact size at which they are sent.

What a model writes in pixels are pixels of the image that it sees. Qwen's processors resize every image
(`smart_resize`), so here it is resized to such a size before it is sent: then the server's own resizing changes
nothing, as long as its `min_pixels` and `max_pixels` include ours. Other models get the image as it is, up to
`max_pixels`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ....core.errors import UsageError
from ..sizes import smart_resize

QUALITIES = (95, 90, 80, 70)
"""Of JPEG, tried in this order after PNG, before the image is made smaller."""
MAX_BYTES = 3_000_000
FACTORS = {"qwen2-vl": 28, "qwen2.5-vl": 28, "qwen3-vl": 32}
"""Patch size times merge size of each stock family: sides of an image are multiples of it."""
LEAST = {"qwen2-vl": 56 * 56, "qwen2.5-vl": 56 * 56, "qwen3-vl": 256 * 256}
"""The least pixels that their processors on the hub declare: fewer would be enlarged by the server."""

SizeWH = tuple[int, int]


@dataclass(frozen=True)
class Sizes:
    """At which size an image is sent.

    Args:
        factor: sides are multiples of it (`smart_resize`); None sends any size.
        min_pixels: least pixels, for models with a factor.
        max_pixels: most pixels.

    Raises:
        UsageError: bounds that exclude each other.
    """

    factor: int | None = None
    min_pixels: int = 56 * 56
    max_pixels: int = 28 * 28 * 1280

    def __post_init__(self) -> None:
        if not max(self.factor or 1, 1) ** 2 <= self.max_pixels >= self.min_pixels >= 1:
            raise UsageError(
                f"min_pixels {self.min_pixels!r} and max_pixels {self.max_pixels!r} exclude each other"
                + (f", or are below {self.factor} x {self.factor}" if self.factor else "")
            )

    def of(self, size_wh: SizeWH, max_pixels: int | None = None) -> SizeWH:
        """The size at which an image of that size is sent.

        Args:
            size_wh: px, from 1 on.
            max_pixels: a lower bound than the own one.

        Raises:
            UsageError: longer than 200:1, where there is a factor.

        Example:
            >>> Sizes(28).of((1000, 700)), Sizes(None).of((1000, 700))
            ((1008, 700), (1000, 700))
        """
        most = min(self.max_pixels, max_pixels or self.max_pixels)
        if self.factor is not None:
            most = max(most, self.factor**2)
            size = smart_resize(size_wh, self.factor, min(self.min_pixels, most), most)
            # rounding down may end below min_pixels, which the server would enlarge
            return smart_resize(size, self.factor, self.min_pixels, max(most, self.min_pixels, size[0] * size[1]))
        width, height = size_wh
        if width < 1 or height < 1:
            raise UsageError(f"an image of {width} x {height} px has no pixels")
        scale = min(1.0, (most / (width * height)) ** 0.5)
        return max(1, int(width * scale)), max(1, int(height * scale))


@dataclass(frozen=True)
class SentImage:
    """An image as it is put into a message.

    Attributes:
        url: "data:image/png;base64,..." or of JPEG.
        size_wh: px of what was sent: the frame of a dialect that writes pixels.
        was_cut_down: it was made smaller than wanted to fit the budget of bytes.
    """

    url: str
    size_wh: SizeWH
    was_cut_down: bool = False

    @property
    def part(self) -> dict[str, object]:
        """As a part of a message's content."""
        return {"type": "image_url", "image_url": {"url": self.url}}


def fit_image(read: Callable[[SizeWH], np.ndarray], size_wh: SizeWH, sizes: Sizes, max_bytes: int = MAX_BYTES) -> SentImage:  # fmt: skip  # noqa: E501
    """The image as a data URL of at most `max_bytes` characters.

    PNG where it fits; else JPEG of quality 95, 90, 80, 70; else half the pixels, and so on. A model with a factor gets
    a `smart_resize` size at every step.

    Args:
        read: gives the image at a size: (H, W, 3) uint8 RGB.
        size_wh: px at which it would be sent if nothing bounded it.
        sizes: what bounds it.
        max_bytes: of the data URL (four thirds of the file).

    Raises:
        UsageError: it fits at no size.

    Example:
        >>> sent = fit_image(lambda wh: np.zeros((wh[1], wh[0], 3), np.uint8), (100, 50), Sizes(28))
        >>> sent.size_wh, sent.url[:22]
        ((112, 56), 'data:image/png;base64,')
    """
    wanted = sizes.of(size_wh)
    size = wanted
    while True:
        rgb = read(size)
        for kind, quality in (("png", None), *(("jpeg", quality) for quality in QUALITIES)):
            url = data_url(rgb, kind, quality)
            if len(url) <= max_bytes:
                return SentImage(url, size, size != wanted)
        smaller = sizes.of(size_wh, size[0] * size[1] // 2)
        if smaller[0] * smaller[1] >= size[0] * size[1]:
            raise UsageError(f"no image of {size[0]} x {size[1]} px fits {max_bytes!r} bytes; set a larger max_bytes")
        size = smaller


def data_url(rgb: np.ndarray, kind: str = "png", quality: int | None = None) -> str:
    """An image as a data URL.

    Args:
        rgb: (H, W, 3) uint8.
        kind: "png" or "jpeg".
        quality: of JPEG.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        raise UsageError(f"the image has shape {rgb.shape!r} and type {rgb.dtype}, expected (H, W, 3) uint8")
    settings = [] if quality is None else [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]  # fmt: skip  # noqa: E501
    done, data = cv2.imencode(f".{kind}", cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR), settings)
    if not done:
        raise UsageError(f"an image of {rgb.shape[1]} x {rgb.shape[0]} px cannot be written as {kind}")
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}"
