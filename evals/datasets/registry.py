"""All readers by name."""

from __future__ import annotations

from ...core.errors import UsageError
from . import (
    captions,
    coco,
    dior,
    dior_rsvg,
    dota,
    fitrs,
    geochat,
    geopixeld,
    isaid,
    landcover,
    levir,
    nwpu,
    pairs,
    refsegrs,
    rrsisd,
    rsvg,
    rsvqa,
    scenes,
    thinkgeo,
    vrsbench,
    xbd,
)
from .record import Reader

_MODULES = (
    dota, dior, nwpu, coco, dior_rsvg, rsvg, vrsbench, geochat, fitrs, rrsisd, refsegrs, isaid, geopixeld, landcover,
    levir, xbd, pairs, rsvqa, captions, scenes, thinkgeo,
)  # fmt: skip
READERS: tuple[Reader, ...] = tuple(reader for module in _MODULES for reader in module.READERS)


def reader_named(name: str) -> Reader:
    """The reader of that name.

    Raises:
        UsageError: there is none; lists those there are.

    Example:
        >>> reader_named("dota").source.name
        'DOTA'
    """
    for reader in READERS:
        if reader.name == name:
            return reader
    raise UsageError(
        f"there is no dataset reader {name!r}; expected one of: {', '.join(each.name for each in READERS)}"
    )
