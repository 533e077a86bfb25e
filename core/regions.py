"""Regions (what a model found) and candidate sets (regions with a verdict per condition)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .conditions import Verdict, kleene_and
from .errors import UsageError

if TYPE_CHECKING:
    from .masks import Mask

FloatArray = NDArray[np.float64]


def _points(value: ArrayLike, name: str, rows: int | None = None) -> FloatArray:
    points = np.array(value, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or (rows is not None and len(points) != rows):
        raise UsageError(f"{name} must have shape ({rows or 'N'}, 2), not {points.shape}")
    if not np.isfinite(points).all():
        raise UsageError(f"{name} holds a number that is not finite: {points.tolist()!r}")
    points.setflags(write=False)
    return points


@dataclass(frozen=True)
class Change:
    """What is known of how a region differs between two dates.

    Args:
        direction: "new" (was not there before), "gone" (is no longer there), "altered" (there at both dates, and
            different); None when neither model nor evidence tells.
        before: how sure it is that the thing stands there at the earlier date, 0..1; None when nobody looked.
        after: likewise at the later date.
        reason: what the direction rests on, in words, e.g. "built: 4 % before, 93 % after".
    """

    direction: Literal["new", "gone", "altered"] | None = None
    before: float | None = None
    after: float | None = None
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Region:
    """One thing in a scene.

    Args:
        id: unique in a run, e.g. "airplane-3".
        label: the class name the model uses, e.g. "airplane".
        corners_px: (4, 2) oriented box, clockwise on screen, first corner top-most then left-most; full-scene pixels.
        box_px: (4,) x0, y0, x1, y1. The model's own horizontal box where it gives one; for round things it is tighter
            than the box around the corners.
        score: the model's score in 0..1, None when it gave none.
        polygon_px: (N, 2) outline without closing point, None when only boxes are known.
        mask: pixels, None until segmented.
        keypoints_px: (K, 2) points inside, None when not given.
        source: what found it, e.g. "compact" or "oracle:scene.json".
        change: how it differs between two dates; None for a thing of one image.
    """

    id: str
    label: str
    corners_px: FloatArray
    box_px: FloatArray
    score: float | None = None
    polygon_px: FloatArray | None = None
    mask: Mask | None = None
    keypoints_px: FloatArray | None = None
    source: str = ""
    change: Change | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "corners_px", _points(self.corners_px, "corners_px", 4))
        box = np.array(self.box_px, dtype=np.float64)
        if box.shape != (4,) or not np.isfinite(box).all() or box[2] < box[0] or box[3] < box[1]:
            raise UsageError(f"box_px must be finite x0 <= x1, y0 <= y1, not {box.tolist()!r}")
        box.setflags(write=False)
        object.__setattr__(self, "box_px", box)
        for name in ("polygon_px", "keypoints_px"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _points(getattr(self, name), name))

    @property
    def outline_px(self) -> FloatArray:
        """(N, 2) the polygon where known, else the oriented box's corners."""
        return self.corners_px if self.polygon_px is None else self.polygon_px

    @property
    def center_px(self) -> FloatArray:
        """(2,) centre of the oriented box."""
        return np.asarray(self.corners_px.mean(axis=0))


@dataclass(frozen=True)
class Verification:
    """What a second look said of a region: a verdict of its own, which keeps or drops nothing.

    Args:
        verdict: whether the region is what was asked for; None when the describer could not tell.
        reason: what it was described as, e.g. "described as storage tank (0.81)".
        confidence: the region's score after the second look; None when the model gave no score to begin with.
    """

    verdict: Verdict
    reason: str
    confidence: float | None = None


@dataclass(frozen=True)
class Candidate:
    """A region with the verdicts it was given so far, keyed by the condition's words, in order of asking.

    A condition that was never asked of the candidate has no key: not run differs from unknown (None).
    `reasons` holds what each verdict rests on ("33.9 m long"); `borderline` names conditions whose verdict would be
    unknown under the strict ambiguity bands. `verified` is no condition and never changes the status; it is None when
    nobody looked again.
    """

    region: Region
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    borderline: frozenset[str] = frozenset()
    verified: Verification | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdicts", MappingProxyType(dict(self.verdicts)))
        object.__setattr__(self, "reasons", MappingProxyType(dict(self.reasons)))

    @property
    def status(self) -> Verdict:
        """True: all conditions hold; False: one fails; None: none fails but one is unknown."""
        return kleene_and(self.verdicts.values())

    def judged(self, condition: str, verdict: Verdict, reason: str = "", *, borderline: bool = False) -> Candidate:
        """The candidate with one more verdict; asked the same again, both must hold."""
        if condition in self.verdicts:
            both = kleene_and((self.verdicts[condition], verdict))
            if both is self.verdicts[condition]:
                return self
            verdict = both
        return replace(
            self,
            verdicts={**self.verdicts, condition: verdict},
            reasons={**self.reasons, condition: reason} if reason else self.reasons,
            borderline=self.borderline | {condition} if borderline else self.borderline,
        )


@dataclass(frozen=True)
class CandidateSet:
    """What a step hands to the next: all candidates ever considered, kept and rejected, in the grounder's order."""

    candidates: tuple[Candidate, ...] = ()

    def __len__(self) -> int:
        return len(self.candidates)

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.candidates)

    @property
    def kept(self) -> tuple[Candidate, ...]:
        """Those for which every condition asked so far is true."""
        return tuple(c for c in self.candidates if c.status is True)

    @property
    def undecided(self) -> tuple[Candidate, ...]:
        """Those with no false verdict and at least one unknown."""
        return tuple(c for c in self.candidates if c.status is None)

    @property
    def rejected(self) -> tuple[Candidate, ...]:
        """Those with a false verdict."""
        return tuple(c for c in self.candidates if c.status is False)

    @property
    def open(self) -> tuple[Candidate, ...]:
        """Kept or undecided: what a further condition can still change."""
        return tuple(c for c in self.candidates if c.status is not False)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions of the kept candidates."""
        return tuple(c.region for c in self.kept)
