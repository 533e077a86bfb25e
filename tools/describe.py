"""A description in plain English, made from measured facts only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from ..core.inflection import cardinal
from ..core.lexicon import plural
from ..core.regions import CandidateSet, Region
from .layout import Layout, gsd_xy_m
from .measure import sizes
from .pairs import VECTORS
from .values import Text

if TYPE_CHECKING:
    from ..core.scene import Scene

_THIRDS = (("top left", "top", "top right"), ("left", "centre", "right"), ("bottom left", "bottom", "bottom right"))
_LEAST_ASPECT = 1.5  # below it a direction isn't worth telling
_SPREAD = 1.3  # largest / smallest length from which a range is told
_MOST_CLASSES = 6


def describe(scene: Scene, candidates: CandidateSet) -> Text:
    """What the kept candidates are: how many, how large, where in the image, which way they point, what is beside them.

    One region gets its own size, place, direction and nearest neighbour of the set (kept, undecided or rejected); a set
    is told class by class; an empty set says what was looked at.

    Example: "Two planes, 31 m and 33 m long, in the top left of the image. They point east-west."
    """
    kept = candidates.regions
    if not kept:
        return Text(_nothing(candidates))
    single = len(kept) == 1
    text = _single(scene, kept[0], [c.region for c in candidates]) if single else _several(scene, kept)
    undecided = len(candidates.undecided)
    if undecided:
        text += f" {_capital(cardinal(undecided))} more could not be decided."
    return Text(text)


def _nothing(candidates: CandidateSet) -> str:
    if not len(candidates):
        return "Nothing was found."
    looked = _listed([_counted(label, number) for label, number in _labels([c.region for c in candidates])])
    undecided = len(candidates.undecided)
    if not undecided:
        return f"None fits; {looked} {'was' if len(candidates) == 1 else 'were'} looked at."
    return f"None fits for certain: of {looked}, {cardinal(undecided)} could not be decided."


def _single(scene: Scene, region: Region, others: list[Region]) -> str:
    name = plural(region.label, 1)
    text = f"{_capital(_article(name))} {name}, {_size(scene, region)}, {_place(scene, [region])}."
    direction = _direction(region)
    if direction:
        text += f" Its long side runs {direction}."
    return text + _neighbour(scene, region, others)


def _several(scene: Scene, regions: tuple[Region, ...]) -> str:
    labels = _labels(regions)
    if len(labels) == 1:
        label = labels[0][0]
        text = f"{_capital(_counted(label, len(regions)))}, {_lengths(scene, regions)}, {_place(scene, regions)}."
        further = (_shared_direction(regions), _extremes(scene, regions) if len(regions) > 2 else "")
        return " ".join(part for part in (text, *further) if part)
    text = f"{_capital(_listed([_counted(label, number) for label, number in labels]))}."
    for label, number in labels[:_MOST_CLASSES]:
        of_class = tuple(region for region in regions if region.label == label)
        lengths = _lengths(scene, of_class) if number > 1 else _size(scene, of_class[0])
        subject = f"The {plural(label, number)}"
        text += f" {subject} {'are' if number > 1 else 'is'} {lengths}, {_place(scene, of_class)}."
    if len(labels) > _MOST_CLASSES:
        text += f" There are {cardinal(len(labels) - _MOST_CLASSES)} more classes."
    return text


# ---- numbers -------------------------------------------------------------------------------------------------


def _rounded(value: float) -> str:
    """Two or three significant digits, as people say sizes: 4.3, 31, 128, 1,240."""
    if value < 10:
        return f"{value:.1f}".removesuffix(".0")
    digits = max(0, len(str(int(value))) - 3)
    return f"{round(value / 10**digits) * 10**digits:,}"


def _length(scene: Scene, region: Region) -> tuple[float, str]:
    size = sizes(scene, region)
    return (size.length_px, "px") if size.length_m is None else (size.length_m, "m")


def _size(scene: Scene, region: Region) -> str:
    size = sizes(scene, region)
    known = size.length_m is not None and size.width_m is not None
    length, width, unit = (size.length_m, size.width_m, "m") if known else (size.length_px, size.width_px, "px")
    return f"{_rounded(length or 0.0)} {unit} long and {_rounded(width or 0.0)} {unit} wide"


def _lengths(scene: Scene, regions: tuple[Region, ...]) -> str:
    values = sorted(_length(scene, region) for region in regions)
    (low, unit), (high, _) = values[0], values[-1]
    if _rounded(low) == _rounded(high):
        return f"each {_rounded(high)} {unit} long"
    if len(values) == 2:
        return f"{_rounded(low)} and {_rounded(high)} {unit} long"
    if high < _SPREAD * low:
        return f"about {_rounded(float(np.mean([value for value, _ in values])))} {unit} long"
    return f"{_rounded(low)} to {_rounded(high)} {unit} long"


def _extremes(scene: Scene, regions: tuple[Region, ...]) -> str:
    areas = Layout(regions).areas
    largest = regions[int(np.argmax(areas))]
    if areas.max() < _SPREAD * np.partition(areas, -2)[-2]:
        return ""
    value, unit = _length(scene, largest)
    place = _place(scene, [largest])
    where = "" if place == _place(scene, regions) else f", {place}"
    return f"The largest one, {largest.id}, is {_rounded(value)} {unit} long{where}."


# ---- places and directions -----------------------------------------------------------------------------------


def _place(scene: Scene, regions: list[Region] | tuple[Region, ...]) -> str:
    """Where the centres lie: a cell of the 3x3 grid, a row, a column, or all over."""
    shares = Layout(regions).centers / np.array(scene.size_wh, dtype=float)
    cells = np.clip((shares * 3).astype(int), 0, 2)
    columns, rows = np.unique(cells[:, 0]), np.unique(cells[:, 1])
    if len(columns) == 1 and len(rows) == 1:
        cell = _THIRDS[rows[0]][columns[0]]
        return f"in the {cell} of the image" if cell in ("centre",) or " " in cell else f"at the {cell} of the image"
    if (shares[:, 0] < 0.5).all() or (shares[:, 0] > 0.5).all():
        return f"in the {'left' if shares[0, 0] < 0.5 else 'right'} half of the image"
    if (shares[:, 1] < 0.5).all() or (shares[:, 1] > 0.5).all():
        return f"in the {'top' if shares[0, 1] < 0.5 else 'bottom'} half of the image"
    return "spread over the image"


def _direction(region: Region) -> str:
    layout = Layout([region])
    if layout.aspects[0] < _LEAST_ASPECT:
        return ""
    x, y = layout.axes[0]
    eighth = int(np.round(np.degrees(np.arctan2(-y, x)) / 45.0)) % 4
    return ("east-west", "south-west to north-east", "north-south", "north-west to south-east")[eighth]


def _shared_direction(regions: tuple[Region, ...]) -> str:
    directions = [_direction(region) for region in regions]
    told = [direction for direction in directions if direction]
    if len(told) < len(directions):
        return ""
    common = max(set(told), key=told.count)
    number = told.count(common)
    if number == len(told):
        return f"Their long sides run {common}."
    if number * 3 >= len(told) * 2:
        return f"Most ({number} of {len(told)}) run {common}."
    return ""


def _neighbour(scene: Scene, region: Region, others: list[Region]) -> str:
    rest = [other for other in others if other.id != region.id]
    if not rest:
        return ""
    scale = gsd_xy_m(scene)
    unit = "px" if scale is None else "m"
    one, layout = Layout([region], scale or (1.0, 1.0)), Layout(rest, scale or (1.0, 1.0))
    distances = shapely.distance(one.shapes[0], layout.shapes)
    place = int(np.argmin(distances))
    shift = layout.centers[place] - one.centers[0]
    side = max(VECTORS, key=lambda name: float(np.dot(VECTORS[name], shift)))
    where = {"left": "to the left", "right": "to the right"}.get(side, side)
    same = "other " if rest[place].label == region.label else ""
    far = "touches it" if distances[place] == 0 else f"is {_rounded(float(distances[place]))} {unit} away"
    return f" The nearest {same}{plural(rest[place].label, 1)} {far}, {where}."


# ---- words ---------------------------------------------------------------------------------------------------


def _labels(regions: list[Region] | tuple[Region, ...]) -> list[tuple[str, int]]:
    labels = [region.label for region in regions]
    return sorted(((label, labels.count(label)) for label in dict.fromkeys(labels)), key=lambda item: -item[1])


def _counted(label: str, number: int) -> str:
    name = plural(label, number)
    return f"{_article(name)} {name}" if number == 1 else f"{cardinal(number)} {name}"


def _article(name: str) -> str:
    return "an" if name[:1].lower() in "aeiou" else "a"


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
