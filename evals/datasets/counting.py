"""What a copy of a dataset holds: records, things and texts by split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ...core.progress import report
from .record import Record

NO_SPLIT = "all"


@dataclass(frozen=True)
class Counts:
    """Of one split.

    Attributes:
        records: images, or pairs.
        families: leakage families.
        exhaustive: records in which every object of some classes is annotated.
        missing: records whose image (or later image) is not there.
        things: label -> annotated objects.
        said: kind -> texts.
        changed: class -> pairs in which it changed.
    """

    records: int = 0
    families: int = 0
    exhaustive: int = 0
    missing: int = 0
    things: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)


def count_records(records: Iterable[Record]) -> dict[str, Counts]:
    """Split -> what it holds, in order of first sight; records without a split are under "all".

    Args:
        records: of one dataset; read once, nothing of them is kept.
    """
    plain: dict[str, Counter[str]] = {}
    families: dict[str, set[str]] = {}
    counted: dict[str, Counts] = {}
    for number, record in enumerate(records, start=1):
        split = record.split or NO_SPLIT
        counts = counted.setdefault(split, Counts())
        tally = plain.setdefault(split, Counter())
        families.setdefault(split, set()).add(record.family)
        paths = [record.image] + ([record.after] if record.after is not None else [])
        tally["records"] += 1
        tally["exhaustive"] += record.is_exhaustive
        tally["missing"] += not all(path.is_file() for path in paths)
        counts.things.update(thing.label for thing in record.things)
        counts.said.update(each.kind for each in record.said)
        counts.changed.update(name for name, mask in record.changed.items() if mask.area_px)
        if number % 100 == 0:
            report("records", number, number + 1)
    return {
        split: Counts(
            plain[split]["records"],
            len(families[split]),
            plain[split]["exhaustive"],
            plain[split]["missing"],
            counts.things,
            counts.said,
            counts.changed,
        )
        for split, counts in counted.items()
    }
