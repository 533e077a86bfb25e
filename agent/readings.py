"""The number behind a verdict and the limit it was held against, read from an answer as it is stored.

Works on plain data (`agent.answer.regions_json`), so that an answer read back from its trace is explained as it was
when it was made. Conditions that no single number decides have no reading; their reasons stand in the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.conditions import (
    AREA_UNITS_M2,
    LENGTH_UNITS_M,
    Aspect,
    Compare,
    InBox,
    Node,
    Not,
    Pick,
    Position,
    Relation,
    SizeWord,
)
from ..tools.judge_position import place_bounds

OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "==": "!="}
_NUMBER = r"-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?"
_DISTANCE = re.compile(rf"^({_NUMBER}) (\w+) from ")
_MEASURED = re.compile(rf"^\w+ is ({_NUMBER}) (\w+)$")
_RANK = re.compile(r"\brank (\d+) of \d+$")
_SIZE = re.compile(rf"^area is ({_NUMBER}) px2, (?:large|small) (from|up to) ({_NUMBER}) px2")
NEAR, NEAR_PLACE, NEAR_RANKS = 0.25, 0.1, 1
"""Most that a near miss is off: of the limit; for a place in the image, of the image's side; for a rank, ranks."""
_SHORT = tuple(
    re.compile(pattern)
    for pattern in (
        r"ranks? (?:from )?\d+(?: to \d+)?(?: of \d+)?",
        r"(?<=median pixel is )\w+",
        r"(?<=in a row of )\d+",
        rf"{_NUMBER} (?:px2|px|degrees|deg|%|m2|m|km|ft|ha)(?!\w)",
        rf"(?<= is ){_NUMBER}$",
    )
)


@dataclass(frozen=True)
class Reading:
    """A measured value against a limit.

    Args:
        measure: what was measured: "length", "distance", "centre from the left".
        value, limit: in `unit` ("" for a ratio).
        op: how the value must compare with the limit for the condition to hold.

    Example:
        >>> reading = Reading("length", 38.2, "m", ">", 40.0)
        >>> reading.text, reading.off, round(reading.share_off, 3)
        ('length 38.2 m > 40 m', '1.8 m short (4.5 %)', 0.045)
    """

    measure: str
    value: float
    unit: str
    op: str
    limit: float

    @property
    def text(self) -> str:
        """Value, operator and limit: "length 38.2 m > 40 m"."""
        return f"{self.measure} {self.short} {self.op} {_amount(self.limit, self.unit)}"

    @property
    def short(self) -> str:
        """The value with its unit."""
        return _amount(self.value, self.unit)

    @property
    def off(self) -> str:
        """How far the value is from the limit, and on which side: "1.8 m short (4.5 %)", "12 px over (30 %)"."""
        gap = self.value - self.limit
        if self.measure == "rank":
            return f"{abs(gap):g} rank{'s' * (abs(gap) > 1)} {'behind' if gap > 0 else 'ahead'}"
        side = "off" if self.op in ("==", "!=") else "over" if gap > 0 else "short"
        share = "" if self.unit == "%" or not np.isfinite(self.share_off) else f" ({100 * self.share_off:.2g} %)"
        return f"{_amount(abs(gap), self.unit)} {side}{share}"

    @property
    def share_off(self) -> float:
        """The distance from the limit as a share of the limit; for shares of the image, of the image."""
        whole = 100.0 if self.unit == "%" else abs(self.limit)
        return abs(self.value - self.limit) / whole if whole else float("inf")

    @property
    def is_near(self) -> bool:
        """Whether it misses the limit by little."""
        if self.measure == "rank":
            return abs(self.value - self.limit) <= NEAR_RANKS
        return self.share_off <= (NEAR_PLACE if self.unit == "%" else NEAR)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        parts = {"measure": self.measure, "value": round(self.value, 3), "unit": self.unit, "op": self.op}
        off = None if not np.isfinite(self.share_off) else round(self.share_off, 4)
        return {**parts, "limit": self.limit, "off": round(self.value - self.limit, 3), "share_off": off}


def reading_of(
    condition: Node | None, region: Mapping[str, Any], reason: str, size_wh: tuple[int, int]
) -> Reading | None:
    """The number that decides a condition for a region; None where no single one does, or it is not known.

    Args:
        condition: None where the plan does not tell it.
        region: as `agent.answer.regions_json` gives it.
        reason: what the verdict rests on, in words.
        size_wh: of the scene, px.
    """
    match condition:
        case Not():
            inner = reading_of(condition.condition, region, reason, size_wh)
            if inner is None:
                return None
            return Reading(inner.measure, inner.value, inner.unit, OPPOSITE.get(inner.op, inner.op), inner.limit)
        case Compare():
            value = _measured(condition, region, reason)
            quantity = condition.quantity
            if value is None:
                return None
            return Reading(condition.attribute, value, quantity.unit, condition.op, quantity.value)
        case Aspect() if region["width_px"]:
            return Reading(
                "length / width", region["length_px"] / region["width_px"], "", condition.op, condition.ratio
            )
        case SizeWord():
            sizes = _SIZE.match(reason)
            if sizes is None:
                return None
            return Reading("area", _float(sizes[1]), "px2", ">=" if sizes[2] == "from" else "<=", _float(sizes[3]))
        case Pick():
            return _ranked(condition, reason)
        case InBox() | Position() if isinstance(condition, InBox) or condition.frame != "edge":
            return _placed(condition, region, size_wh)
        case Relation() if condition.distance is not None:
            found = _DISTANCE.match(reason)
            if found is None or found[2] != condition.distance.unit:
                return None
            op = "<=" if condition.relation == "within" else ">"
            return Reading("distance", _float(found[1]), found[2], op, condition.distance.value)
    return None


def short_reason(reason: str) -> str:
    """The number or word in a reason that says most: for a table's cell; "" where none stands out.

    Example:
        >>> short_reason("62.3 m from river-1, the nearest of 3"), short_reason("length 50.2, rank 9 of 17")
        ('62.3 m', 'rank 9 of 17')
    """
    found = next(filter(None, (pattern.search(reason) for pattern in _SHORT)), None)
    return "" if found is None else found[0]


def deciding_gsd(condition: Node | None, region: Mapping[str, Any]) -> float | None:
    """Metres a pixel from which on (for "longer") or up to which (for "shorter") a comparison holds that is unknown
    because the image does not tell its scale; None for other conditions.

    Example:
        >>> from surveyor.core.conditions import Quantity
        >>> longer = Compare(attribute="length", op=">", quantity=Quantity(value=45, unit="m"))
        >>> deciding_gsd(longer, {"length_px": 90.0})
        0.5
    """
    if not isinstance(condition, Compare) or not condition.quantity.is_metric or condition.op == "==":
        return None
    in_px = region.get(f"{condition.attribute}_px")
    if not in_px:
        return None
    ratio = condition.quantity.base_value / float(in_px)
    return float(np.sqrt(ratio)) if condition.attribute == "area" else ratio


def _measured(condition: Compare, region: Mapping[str, Any], reason: str) -> float | None:
    """The attribute in the quantity's unit."""
    unit = condition.quantity.unit
    if unit in ("px", "px2"):
        value, factor = region.get(f"{condition.attribute}_px"), 1.0
    else:
        value = region.get(f"{condition.attribute}_{'m2' if condition.attribute == 'area' else 'm'}")
        factor = (LENGTH_UNITS_M | AREA_UNITS_M2)[unit]
    if value is not None:
        return float(value) / factor
    found = _MEASURED.match(reason)  # a perimeter is told in the reason only
    return None if found is None or found[2] != unit else _float(found[1])


def _ranked(pick: Pick, reason: str) -> Reading | None:
    """The rank against the last one taken, or the first one for those ahead of it; None for a range of ranks."""
    found = _RANK.search(reason)
    if found is None:
        return None
    rank, last = int(found[1]), pick.first + pick.count - 1
    return Reading("rank", rank, "", ">=" if rank < pick.first else "<=", pick.first if rank < pick.first else last)


def _placed(condition: Position | InBox, region: Mapping[str, Any], size_wh: tuple[int, int]) -> Reading | None:
    """The side of the cell, half or box that the centre is most beyond, or nearest to when it lies within.

    None for a box that has no side within the image.
    """
    share = 100.0 * np.mean(np.asarray(region["corners_px"], dtype=float), axis=0) / np.asarray(size_wh, dtype=float)
    sides: list[Reading] = []
    for value, name, (low, high) in zip(share.tolist(), ("left", "top"), place_bounds(condition, size_wh), strict=True):
        measure = f"centre from the {name}"
        sides += [Reading(measure, value, "%", ">", 100.0 * low)] if low > 0 else []
        sides += [Reading(measure, value, "%", "<", 100.0 * high)] if high < 1 else []
    return min(sides, key=lambda side: (side.value - side.limit) * (1 if side.op == ">" else -1), default=None)


def _amount(value: float, unit: str) -> str:
    """Four significant digits at most, none behind the point from 1,000 on."""
    number = (
        f"{value:,.0f}" if abs(value) >= 1000 else f"{float(f'{value:.3g}' if abs(value) < 100 else f'{value:.4g}'):g}"
    )
    return f"{number} {unit}".rstrip()


def _float(text: str) -> float:
    return float(text.replace(",", ""))
