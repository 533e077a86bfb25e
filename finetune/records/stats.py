"""What a file of records holds, in one pass and bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ...tools.models.grounded import phrases_of
from .record import POINTING, Instruction, Marked

_SIZES = (32, 96)
"""Bounds between small, medium and large regions, px along the square root of the area of the box round them."""


@dataclass
class Spread:
    """Whole numbers that were counted.

    Example:
        >>> spread = Spread()
        >>> for value in (1, 2, 2, 9):
        ...     spread.add(value)
        >>> spread.mean, spread.quantile(0.5), spread.quantile(1)
        (3.5, 2, 9)
    """

    counts: Counter[int] = field(default_factory=Counter)

    def add(self, value: int) -> None:
        """Counts one."""
        self.counts[value] += 1

    @property
    def mean(self) -> float:
        """Of all; 0 of none."""
        total = self.counts.total()
        return sum(value * count for value, count in self.counts.items()) / total if total else 0.0

    def quantile(self, share: float) -> int:
        """The least value that at least this share of all is not above; 0 of none."""
        seen, total = 0, self.counts.total()
        for value in sorted(self.counts):
            seen += self.counts[value]
            if seen >= share * total:
                return value
        return 0

    def told(self) -> dict[str, float]:
        """For JSON."""
        return {"mean": round(self.mean, 2), "median": self.quantile(0.5), "p95": self.quantile(0.95), "most": self.quantile(1)}  # fmt: skip  # noqa: E501


@dataclass
class TaskStats:
    """Records of one task.

    Attributes:
        records: how many.
        none: of them those whose right answer is "none", or "0" when counting.
        regions: that are told, in all.
        points: of each record that tells some, key points among them.
        reply: characters of each reply.
        crops: records that show a part of their image.
        phrases: what is asked for, or what a caption points at -> how often.
    """

    records: int = 0
    none: int = 0
    regions: int = 0
    points: Spread = field(default_factory=Spread)
    reply: Spread = field(default_factory=Spread)
    crops: int = 0
    phrases: Counter[str] = field(default_factory=Counter)


@dataclass
class Stats:
    """All of it.

    Attributes:
        tasks: task -> what of it.
        families: leakage families.
        splits, sources, licences: published split ("" for none), dataset, licence -> records.
        images: different pictures (file and crop).
        sizes: "small", "medium", "large" -> regions.
        kinds: kind of region -> how many; oriented boxes that are known upright only have a kind of their own.
        classes: label -> regions.
    """

    tasks: dict[str, TaskStats] = field(default_factory=dict)
    splits: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    classes: Counter[str] = field(default_factory=Counter)
    _families: set[int] = field(default_factory=set)
    _images: set[int] = field(default_factory=set)

    @property
    def records(self) -> int:
        """How many records."""
        return sum(task.records for task in self.tasks.values())

    @property
    def families(self) -> int:
        """How many leakage families."""
        return len(self._families)

    @property
    def images(self) -> int:
        """How many different pictures."""
        return len(self._images)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        tasks = {
            name: {
                "records": each.records, "none": each.none, "regions": each.regions, "crops": each.crops,
                "phrases": len(each.phrases), "points": each.points.told(), "reply_characters": each.reply.told(),
            }
            for name, each in sorted(self.tasks.items())
        }  # fmt: skip
        named = {name: dict(getattr(self, name).most_common()) for name in ("splits", "sources", "licences", "sizes", "kinds", "classes")}  # fmt: skip  # noqa: E501
        return {"records": self.records, "families": self.families, "images": self.images, "tasks": tasks, **named}


def stats_of(records: Iterable[Instruction]) -> Stats:
    """Counts records as they come.

    Example:
        >>> stats_of([]).records
        0
    """
    found = Stats()
    for record in records:
        _add(found, record)
    return found


def _add(found: Stats, record: Instruction) -> None:
    task = found.tasks.setdefault(record.task, TaskStats())
    task.records += 1
    pointing = record.task in POINTING
    task.none += (pointing and not record.regions) or (record.task == "count" and record.reply == "0")
    task.regions += len(record.regions)
    points = sum(len(region.points) + len(region.keypoints) for region in record.regions)
    if points:
        task.points.add(points)
    task.reply.add(len(record.messages[-1].content) if record.messages else len(record.reply))
    task.crops += any(picture.crop_xyxy is not None for picture in record.pictures)
    task.phrases.update([record.phrase] if record.phrase else phrases_of(record.reply) if record.grounded else ())
    found._families.add(hash(record.family))
    found._images.update(hash((picture.path, picture.crop_xyxy)) for picture in record.pictures)
    found.splits[record.split or ""] += 1
    found.sources[record.source] += 1
    found.licences[record.licence] += 1
    for region in record.regions:
        xs, ys = zip(*region.points, strict=True)
        side = ((max(xs) - min(xs)) * (max(ys) - min(ys))) ** 0.5
        found.sizes["small" if side < _SIZES[0] else "medium" if side < _SIZES[1] else "large"] += 1
        found.kinds[_kind(region)] += 1
        if region.label:
            found.classes[region.label] += 1


def _kind(region: Marked) -> str:
    if region.is_upright:
        return f"{region.kind} known upright only"
    return region.kind + (" with key points" if region.keypoints else "")
