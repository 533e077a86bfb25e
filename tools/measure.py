"""Lengths, widths, areas and directions of regions, in metres where the scene's scale is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum, isfinite
from statistics import fmean, median
from typing import TYPE_CHECKING

import shapely

from ..core.conditions import AREA_UNITS_M2, LENGTH_UNITS_M, Attribute, Summary, Unit
from ..core.errors import UsageError
from ..core.geometry import long_axis_angle_deg
from ..core.regions import CandidateSet, Region
from .layout import Layout, gsd_xy_m
from .values import Measurement, Measurements

if TYPE_CHECKING:
    from ..core.scene import Scene

SUMMARIES: dict[Summary, Callable[[Sequence[float]], float]] = {
    "total": fsum,
    "mean": fmean,
    "median": median,
    "least": min,
    "greatest": max,
}
_LEAST_ASPECT = 1.2  # below it the sides are too equal for a direction


@dataclass(frozen=True)
class Sizes:
    """Size of one region; metric values are None when the scene's scale isn't known.

    Args:
        length_px, width_px: long and short side of the oriented box.
        area_px: area of the mask where there is one, else of the polygon, else of the oriented box.
    """

    length_px: float
    width_px: float
    area_px: float
    length_m: float | None
    width_m: float | None
    area_m2: float | None


def sizes(scene: Scene, region: Region) -> Sizes:
    """The size of one region in px and, where known, metres (pixels need not be square)."""
    return sizes_of(scene, [region])[0]


def sizes_of(scene: Scene, regions: Sequence[Region]) -> list[Sizes]:
    """The sizes of several regions, in their order; much faster than one by one."""
    scale = gsd_xy_m(scene)
    in_px, in_m = Layout(regions), None if scale is None else Layout(regions, scale)
    columns = [values.tolist() for values in (in_px.lengths, in_px.widths, in_px.areas)]
    unknown = [None] * len(regions)
    metric = [unknown] * 3 if in_m is None else [v.tolist() for v in (in_m.lengths, in_m.widths, in_m.areas)]
    return [Sizes(*each) for each in zip(*columns, *metric, strict=True)]


def measure(
    scene: Scene,
    candidates: CandidateSet,
    attribute: Attribute,
    unit: Unit | None = None,
    summary: Summary | None = None,
) -> Measurements:
    """One attribute of each kept candidate, in order.

    Args:
        scene: its ground sample distance turns pixels into metres.
        candidates: may be empty.
        attribute: `length` and `width` are the sides of the oriented box; `area` that of the mask, else polygon, else
            box; `perimeter` of the outline; `aspect` length / width; `orientation` of the long side in degrees from
            0 (east-west) counter-clockwise to below 180, None for a box whose sides are nearly equal.
        unit: None gives m or m2 when the scale is known, else px or px2. A metric unit without scale gives values None.
        summary: adds one number for the whole set.

    Raises:
        UsageError: the unit doesn't fit the attribute, or a distance is asked for (see `distance`).
    """
    if attribute == "distance":
        raise UsageError("a distance needs a reference: use the tool 'distance'")
    chosen = _unit(attribute, unit, metric=gsd_xy_m(scene) is not None)
    values = _values(scene, candidates.regions, attribute, chosen)
    return _measured(candidates, attribute, values, chosen, summary)


def distance(
    scene: Scene,
    candidates: CandidateSet,
    reference: CandidateSet,
    unit: Unit | None = None,
    summary: Summary | None = None,
) -> Measurements:
    """How far each kept candidate is from the nearest kept region of the reference, outline to outline (0: they touch).

    Args:
        scene: its ground sample distance turns pixels into metres.
        candidates, reference: may be empty; a candidate is no reference of its own. Without a reference the values are
            None.
        unit: a unit of length; None gives m when the scale is known, else px.
        summary: adds one number for the whole set.

    Raises:
        UsageError: the unit is no length.
    """
    scale = gsd_xy_m(scene)
    chosen = _unit("distance", unit, metric=scale is not None)
    per_unit = 1.0 if chosen == "px" else LENGTH_UNITS_M[chosen]
    scale = (1.0, 1.0) if chosen == "px" else scale
    values: list[float | None] = [None] * len(candidates.regions)
    nearest = [""] * len(values)
    if scale is not None:
        own, other = Layout(candidates.regions, scale), Layout(reference.regions, scale)
        for index, region in enumerate(candidates.regions):
            others = [place for place, one in enumerate(reference.regions) if one.id != region.id]
            if others:
                distances = shapely.distance(own.shapes[index], other.shapes[others])
                values[index] = float(distances.min()) / per_unit
                nearest[index] = reference.regions[others[int(distances.argmin())]].id
    return _measured(candidates, "distance", values, chosen, summary, nearest)


def _measured(
    candidates: CandidateSet,
    attribute: Attribute,
    values: list[float | None],
    unit: str,
    summary: Summary | None,
    to: Sequence[str] = (),
) -> Measurements:
    items = tuple(
        Measurement(region.id, attribute, value, unit, other)
        for region, value, other in zip(candidates.regions, values, to or [""] * len(values), strict=True)
    )
    if summary is None:
        return Measurements(items)
    if attribute == "orientation":
        raise UsageError("directions have no total or mean; leave the summary out")
    known = [value for value in values if value is not None]
    overall = None if len(known) < len(values) or (not known and summary != "total") else SUMMARIES[summary](known)
    return Measurements(items, summary, Measurement("", attribute, overall, unit))


def _unit(attribute: Attribute, unit: Unit | None, *, metric: bool) -> str:
    if attribute in ("aspect", "orientation"):
        if unit is not None:
            raise UsageError(f"{attribute} has no choice of units, so {unit!r} cannot be asked for; leave the unit out")
        return "deg" if attribute == "orientation" else ""
    areas, lengths = ("px2", *AREA_UNITS_M2), ("px", *LENGTH_UNITS_M)
    allowed = areas if attribute == "area" else lengths
    if unit is not None and unit not in allowed:
        raise UsageError(f"{attribute} is measured in {', '.join(allowed)}, not in {unit!r}")
    if unit is not None:
        return unit
    return ("m2" if metric else "px2") if attribute == "area" else ("m" if metric else "px")


def _values(scene: Scene, regions: tuple[Region, ...], attribute: Attribute, unit: str) -> list[float | None]:
    scale = gsd_xy_m(scene)
    if attribute == "orientation":
        return [_direction(region) for region in regions]
    if unit in ("px", "px2"):
        return [float(value) for value in Layout(regions).values(attribute)]
    if scale is None and unit:
        return [None] * len(regions)
    factor = (LENGTH_UNITS_M | AREA_UNITS_M2).get(unit, 1.0)
    values = [float(value) / factor for value in Layout(regions, scale or (1.0, 1.0)).values(attribute)]
    return [value if isfinite(value) else None for value in values]  # a box without width has no aspect


def _direction(region: Region) -> float | None:
    if Layout([region]).aspects[0] < _LEAST_ASPECT:
        return None
    return long_axis_angle_deg(region.corners_px)
