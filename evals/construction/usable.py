"""Which records items can be built of, and why the others cannot: labels, masks, and the side of the split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from ...core.errors import UsageError
from ..datasets.record import Record, Tally, Thing
from ..datasets.registry import READERS

Part = Literal["dev", "test"]
_NOT_EXHAUSTIVE, _BOXES = "record: labels are not exhaustive", "record: boxes, no masks"
_SAY_SO = {"coco": "yes", "nwpu_vhr10": "all"}
"""Reader -> the value of its option `exhaustive` that says all objects are annotated."""
_MOST_TOLD = 5


def part_of(family: str) -> Part:
    """The side of the split that a leakage family is on: a fifth are "dev"; the same in every build.

    Example:
        >>> part_of("dota:P0706") == part_of("dota:P0706")
        True
    """
    return "dev" if int.from_bytes(hashlib.sha256(family.encode()).digest()[:4], "big") % 5 == 0 else "test"


def usable(records: Iterable[Record], task: str, part: Part | None, tally: Tally) -> list[Record]:
    """The single images that CREC or CRES items can be built of; the others are counted by reason.

    CRES: a source whose every outline has four corners annotates boxes and no masks (DOTA, DIOR-R), and is left out. In
    a source with other outlines, or with masks, four corners are an outline like any other (a tennis court).

    Raises:
        UsageError: there is none; says why, and what to do about it.
    """
    found: list[Record] = []
    unlabelled: set[str] = set()
    for record in records:
        reason = _reason(record, task)
        if reason == _NOT_EXHAUSTIVE:
            unlabelled.add(record.source.name)
        if reason is not None:
            tally[reason] += 1
        elif part is None or part_of(record.family) == part:
            found.append(record)
    if task == "CRES":
        outlined = {record.source.name for record in found if any(map(_has_outline, record.things))}
        boxes = [record for record in found if record.things and record.source.name not in outlined]
        tally.update({_BOXES: len(boxes)} if boxes else {})
        found = [record for record in found if not record.things or record.source.name in outlined]
    if not found:
        raise UsageError(f"no record can be used: {told(tally) or 'there are none'}; {_advice(tally, unlabelled)}")
    return found


def told(tally: Tally) -> str:
    """The most frequent reasons with their counts, in words.

    Example:
        >>> from collections import Counter
        >>> told(Counter({"no answer": 4, "a close call": 9}))
        'a close call (9), no answer (4)'
    """
    return ", ".join(f"{reason} ({count})" for reason, count in tally.most_common(_MOST_TOLD))


def _reason(record: Record, task: str) -> str | None:
    if not record.is_exhaustive:
        return _NOT_EXHAUSTIVE
    if record.after is not None:
        return "record: a pair"
    if record.size_wh is None:
        return "record: size not known"
    if task == "CRES" and any(thing.mask is None and thing.polygon_px is None for thing in record.things):
        return "record: no masks"
    return None


def _has_outline(thing: Thing) -> bool:
    """Whether a mask is annotated, or an outline that is no box."""
    return thing.mask is not None or (thing.polygon_px is not None and len(thing.polygon_px) != 4)


def _advice(tally: Tally, unlabelled: set[str]) -> str:
    if tally[_BOXES]:
        return "CRES needs masks or outlines; CREC asks for boxes"
    known = {reader.source.name: reader for reader in READERS}
    options = []
    for source in sorted(unlabelled):  # a COCO file has a name of its own
        name = known[source].name if source in known else "coco"
        if name in _SAY_SO:
            options.append(f"?exhaustive={_SAY_SO[name]} behind the file or folder of {name!r}")
    more = f"; where every object is annotated, say so by {' or '.join(dict.fromkeys(options))}" if options else ""
    return f"give images with exhaustive labels{more}"
