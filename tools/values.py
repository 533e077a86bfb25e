"""What a tool can hand back besides a `CandidateSet`: numbers, a verdict with its reason, measurements, text."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.conditions import Attribute, Summary, Verdict
from ..core.regions import CandidateSet


@dataclass(frozen=True)
class Count:
    """How many: `n` for certain, and up to `undecided` more."""

    n: int
    undecided: int = 0

    @property
    def at_most(self) -> int:
        """The number when each undecided one belongs to it."""
        return self.n + self.undecided


@dataclass(frozen=True)
class Truth:
    """An answer to a yes/no question: true, false or unknown (None), and why in one sentence."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class Measurement:
    """One attribute of one region.

    Args:
        value: None when it cannot be known (a metric unit without ground sample distance, a square's orientation).
        unit: a unit of `core.conditions.Unit`, "deg" for an orientation, "" for an aspect.
        to: id of the region that a distance was measured to; "" for other attributes, and where there is none.
    """

    region_id: str
    attribute: Attribute
    value: float | None
    unit: str
    to: str = ""


@dataclass(frozen=True)
class Measurements:
    """The measurements of a set, in its order; empty when the set is empty.

    Args:
        summary: which number for the whole set was asked for, if any ("total", "mean" ...).
        overall: that number, under the id ""; its value is None when one of the items' is.
    """

    items: tuple[Measurement, ...] = ()
    summary: Summary | None = None
    overall: Measurement | None = None

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Text:
    """Words for a reader."""

    text: str


Value = CandidateSet | Count | Truth | Measurements | Text
