"""SAM-2 as segmenter, from either kind of checkpoint: the model hub's layout or the `sam2` package's own."""

from __future__ import annotations

from ....core.protocols import Segmenter
from .segmenter import Sam2Segmenter

__all__ = ["Sam2Segmenter", "sam2_segmenter"]


def sam2_segmenter(argument: str) -> Segmenter:
    """The segmenter of `segmenter=sam2:ARGUMENT`; see `Sam2Segmenter.at`."""
    return Sam2Segmenter.at(argument)
