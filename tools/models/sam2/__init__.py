"""SAM-2 as segmenter, from either kind of checkpoint: the model hub's layout or the `sam2` package's own."""

from __future__ import annotations

import threading
from pathlib import Path
from weakref import WeakValueDictionary

from ....core.protocols import Segmenter
from ..options import split_options
from .segmenter import Sam2Segmenter

__all__ = ["Sam2Segmenter", "sam2_segmenter"]

_made: WeakValueDictionary[tuple[str, int], Sam2Segmenter] = WeakValueDictionary()
_lock = threading.Lock()


def sam2_segmenter(argument: str) -> Segmenter:
    """The segmenter of `segmenter=sam2:ARGUMENT`; see `Sam2Segmenter.at`. One that is in use is shared."""
    path = Path(split_options(argument)[0]).expanduser()
    key = (argument, path.stat().st_mtime_ns if path.exists() else 0)
    with _lock:
        found = _made.get(key)
        if found is None:
            found = _made[key] = Sam2Segmenter.at(argument)
        return found
