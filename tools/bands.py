"""Ambiguity bands: from which value on a rule is true, from which on it is false; between the two it is unknown.

`STRICT` leaves room for doubt between clear cases: benchmarks are built with it, since a person could not contradict
its answers. `CRISP` lets both limits meet in the middle of the band, so that `ask` decides whatever can be decided;
what is left unknown lacks information or is an exact tie. A crisp verdict that is unknown under `STRICT` is borderline.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from ..core.conditions import Verdict

_ROUNDING = 1e-9  # of the limits: values this close lie on them


@dataclass(frozen=True)
class Band:
    """Limits of one rule. A value on a limit belongs to the limit's side; where both meet, the value is true.

    Args:
        true: from here on it holds; upwards if `true >= false`, else downwards.
        false: from here on it doesn't.
        rising: which way it holds; needed only where both limits are equal.
    """

    true: float
    false: float
    rising: bool

    def __post_init__(self) -> None:
        if self.true != self.false and (self.true > self.false) != self.rising:
            raise ValueError(f"a band from {self.false!r} to {self.true!r} cannot have rising={self.rising!r}")

    def verdict(self, value: float) -> Verdict:
        """True, False or None (unknown; also for NaN)."""
        return (False, None, True)[int(self.codes(np.asarray(value)))]

    def codes(self, values: np.ndarray, scale: float | np.ndarray = 1.0) -> np.ndarray:
        """Verdicts as int8: 0 false, 1 unknown, 2 true. `scale` multiplies both limits; rounding moves no verdict."""
        true, false = self.true * scale, self.false * scale
        slack = _ROUNDING * (np.abs(true) + np.abs(false))
        if self.rising:
            holds, fails = values >= true - slack, values <= false + slack
        else:
            holds, fails = values <= true + slack, values >= false - slack
        return np.where(holds, 2, np.where(fails, 0, 1)).astype(np.int8)

    def crisp(self) -> Band:
        """Both limits in the middle."""
        middle = (self.true + self.false) / 2
        return Band(middle, middle, self.rising)


def _up(true: float, false: float) -> Band:
    return Band(true, false, rising=True)


def _down(true: float, false: float) -> Band:
    return Band(true, false, rising=False)


@dataclass(frozen=True)
class Bands:
    """The limits of every rule; letters in brackets name the rule in the taxonomy (A attributes, P positions, R
    relations, S superlatives, O ordinals).

    Args:
        gap: whether a true and a false limit lie apart anywhere (`STRICT`), or meet (`CRISP`).
        more, fewer, equal: ratio of measured to asked value for ">" and "<", relative difference for "==".
        size_factor, large_quantiles, small_quantiles: large from factor x the first quantile of sqrt(area) in the
            class on, not large up to the second; small likewise, downwards (A1).
        size_least: fewest candidates of a class for which a size word means anything (A1).
        elongated, square: long side / short side (A2).
        axis_aspect: below this aspect a box has no direction (A3).
        horizontal, vertical: angle of the long axis to the horizontal, 0..90 degrees (A3).
        diagonal: difference of that angle from 45 degrees (A3).
        colour_pixels: fewest pixels (A4).
        colour_share, colour_second: with a gap, least share of the colour's pixels and largest of the runner-up (A4).
        cell_margin, cell_share: how far inside the cell the centre must be, as a share of the image's side, and how
            much of the box must be (P1). half_margin: the former for halves and quadrants (P2).
        edge: distance from the border as a share of the image's side (P3).
        bearing: degrees between bearing and direction (R1).
        axis_overlap: overlap of both extents along the direction, as a share of the shorter one (R1).
        further: how far one centre must lie beyond the other, as a share of the image's side.
        bank: share of the candidate that lies on the reference, for `side`.
        near: distance in lengths of the reference. within: ratio of distance to asked distance (R3).
        inside: share of the inner one (R4). overlaps: share of the smaller one.
        adjacent: distance for true and for false in sizes, a size being the smaller sqrt(area); adjacent_px: at least
            this many px for true (R5).
        between: place on the line between both, 0 at an end, 0.5 in the middle; between_off: distance from the line
            as a share of its length (R6).
        row_off: root-mean-square distance from the row's axis in median short sides; row_spread: degrees (R7).
        around: distance in lengths of the candidate, for `surrounded` (R8).
        parallel, perpendicular: angle between two long axes, 0..90 degrees.
        abeam: how far along a long reference the foot of the candidate's centre lies, 0 at an end, 0.5 in the middle.
        group_reach: distance in median lengths of the class up to which two belong to one group; group_factors: the
            factors on it under which a group must stay the same (N).
        pick_ratio_max, pick_ratio_min: ratio of two areas that sets them apart, seen from the largest or from the
            smallest; lengths, widths and aspects use the square root (S).
        pick_side: gap that sets two positions apart for a superlative, as a share of the image's side (S).
        ordinal_px, ordinal_size: the same for an ordinal, in px and in median sizes (O).
        nearest_ratio, nearest_px: what sets two distances apart (R2).
        pick_score: gap that sets two scores apart.
    """

    name: str
    gap: bool
    more: Band
    fewer: Band
    equal: Band
    size_factor: tuple[float, float]
    large_quantiles: tuple[float, float]
    small_quantiles: tuple[float, float]
    size_least: int
    elongated: Band
    square: Band
    axis_aspect: float
    horizontal: Band
    vertical: Band
    diagonal: Band
    colour_pixels: int
    colour_share: float
    colour_second: float
    cell_margin: float
    cell_share: float
    half_margin: float
    edge: Band
    bearing: Band
    axis_overlap: Band
    further: float
    bank: Band
    near: Band
    within: Band
    inside: Band
    overlaps: Band
    adjacent: tuple[float, float]
    adjacent_px: float
    between: Band
    between_off: Band
    row_off: Band
    row_spread: Band
    around: Band
    parallel: Band
    perpendicular: Band
    abeam: Band
    group_reach: float
    group_factors: tuple[float, ...]
    pick_ratio_max: float
    pick_ratio_min: float
    pick_side: float
    ordinal_px: float
    ordinal_size: float
    nearest_ratio: float
    nearest_px: float
    pick_score: float

    def band(self, true: float, false: float, *, rising: bool) -> Band:
        """A band whose limits are known only at run time: as given with a gap, else met in the middle."""
        limits = Band(true, false, rising)
        return limits if self.gap else limits.crisp()


STRICT = Bands(
    name="strict",
    gap=True,
    more=_up(1.1, 0.9),
    fewer=_down(0.9, 1.1),
    equal=_down(0.05, 0.15),
    size_factor=(1.1, 0.9),
    large_quantiles=(0.75, 0.60),
    small_quantiles=(0.25, 0.40),
    size_least=3,
    elongated=_up(3.0, 2.0),
    square=_down(1.2, 1.5),
    axis_aspect=1.5,
    horizontal=_down(15.0, 30.0),
    vertical=_up(75.0, 60.0),
    diagonal=_down(10.0, 20.0),
    colour_pixels=64,
    colour_share=0.6,
    colour_second=0.25,
    cell_margin=0.03,
    cell_share=0.75,
    half_margin=0.05,
    edge=_down(0.0, 0.05),
    bearing=_down(35.0, 55.0),
    axis_overlap=_down(0.1, 0.9),
    further=0.03,
    bank=_down(0.1, 0.9),
    near=_down(1.5, 2.5),
    within=_down(0.9, 1.1),
    inside=_up(0.9, 0.5),
    overlaps=_up(0.1, 0.0),
    adjacent=(0.1, 0.5),
    adjacent_px=3.0,
    between=_up(0.2, 0.0),
    between_off=_down(0.25, 0.5),
    row_off=_down(0.5, 1.0),
    row_spread=_down(10.0, 20.0),
    around=_down(1.8, 2.2),
    parallel=_down(15.0, 30.0),
    perpendicular=_up(75.0, 60.0),
    abeam=_up(0.0, -0.25),
    group_reach=1.5,
    group_factors=(0.8, 1.0, 1.25),
    pick_ratio_max=1.44,
    pick_ratio_min=1 / 0.64,
    pick_side=30 / 512,
    ordinal_px=8.0,
    ordinal_size=0.3,
    nearest_ratio=1 / 0.8,
    nearest_px=8.0,
    pick_score=0.05,
)


def _crisp(strict: Bands) -> Bands:
    changes: dict[str, object] = {
        field.name: getattr(strict, field.name).crisp()
        for field in fields(strict)
        if isinstance(getattr(strict, field.name), Band)
    }
    changes |= dict.fromkeys(("cell_margin", "cell_share", "half_margin", "further", "pick_score"), 0.0)
    changes |= dict.fromkeys(("pick_side", "ordinal_px", "ordinal_size", "nearest_px"), 0.0)
    changes |= dict.fromkeys(("pick_ratio_max", "pick_ratio_min", "nearest_ratio"), 1.0)
    changes |= {"group_factors": (1.0,)}
    changes |= {"name": "crisp", "gap": False, "size_least": 2, "axis_aspect": 1.2, "colour_pixels": 16}
    return replace(strict, **changes)  # type: ignore[arg-type]  # the names come from the dataclass itself


CRISP = _crisp(STRICT)
