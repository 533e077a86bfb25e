"""Single conditions to ask for, by the taxonomy of FORMATS.md 7.3: proposed at random, judged by the executor.

Letters are those of the taxonomy; what it does not list has a word behind it ("R1:further", "R9:side").
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal, get_args

from ...core.conditions import (
    ClassIs,
    Colour,
    Compare,
    CompareWith,
    Condition,
    CountTest,
    Group,
    Node,
    Not,
    Orientation,
    Pick,
    Position,
    Quantity,
    Relation,
    Shape,
    SizeWord,
    children,
)
from ...tools.findings import TRUE
from ...tools.judge_group import find_groups
from . import atoms_related as related
from .sites import CELLS, Site, is_row, is_small, said_between

COLOURS = get_args(Colour.model_fields["word"].annotation)
_CORNERS: tuple[Literal["top left", "top right", "bottom left", "bottom right"], ...] = (
    "top left",
    "top right",
    "bottom left",
    "bottom right",
)
Atom = Condition | Pick
Maker = Callable[[Site, random.Random], "Atom | None"]


def _size(site: Site, rng: random.Random) -> Atom | None:
    many = len(site.layout) >= 4 and site.view.is_shaped(site.labels)
    return SizeWord(word=rng.choice(["large", "small"])) if many else None


def _shape(site: Site, rng: random.Random) -> Atom | None:
    return Shape(word=rng.choice(["elongated", "square"])) if site.view.is_turned(site.labels) else None


def _orientation(site: Site, rng: random.Random) -> Atom | None:
    word = rng.choice(["horizontal", "vertical", "diagonal"])
    return Orientation(word=word) if site.view.is_turned(site.labels) else None  # type: ignore[arg-type]


def _colour(site: Site, rng: random.Random) -> Atom | None:
    """One of the colours that the objects have for certain (derived from pixels: off by default)."""
    if not site.view.is_coloured(site.labels):
        return None
    found = [word for word in COLOURS if (site.view.certain.codes(site.layout, Colour(word=word)) == TRUE).any()]
    return Colour(word=rng.choice(found)) if found else None


def _measured(site: Site, rng: random.Random) -> Atom | None:
    scale = site.view.image.gsd_m
    if scale is None or not site.view.is_turned(site.labels):
        return None
    attribute = rng.choice(["length", "length", "width", "area"])
    values = site.layout.scaled((scale, scale)).values(attribute)
    value = said_between(values, rng)
    unit = "m2" if attribute == "area" else "m"
    op = rng.choice([">", "<", ">", "<", ">=", "<="])
    return None if value is None else Compare(attribute=attribute, op=op, quantity=Quantity(value=value, unit=unit))  # type: ignore[arg-type]


def _cell(site: Site, rng: random.Random) -> Atom | None:
    if not is_small(site):
        return None
    return Position(frame="cell", place=rng.choice(CELLS))  # type: ignore[arg-type]


def _half(site: Site, rng: random.Random) -> Atom | None:
    if not is_small(site):
        return None
    if rng.random() < 0.5:
        return Position(frame="half", place=rng.choice(["left", "right", "top", "bottom"]))
    return Position(frame="quadrant", place=rng.choice(_CORNERS))


def _edge(_site: Site, rng: random.Random) -> Atom | None:
    return Position(frame="edge", place=rng.choice(["left", "right", "top", "bottom", "any", "any"]))


def _superlative(site: Site, rng: random.Random) -> Atom | None:
    by, order = rng.choice([(by, order) for by in ("area", "x", "y") for order in ("max", "min")] + [("centre", "min")])
    if by == "area" and rng.random() < 0.7 and site.view.is_turned(site.labels):
        by = rng.choice(["length", "length", "width", "aspect"])
    if not (is_small(site) if by in ("x", "y", "centre") else site.view.is_shaped(site.labels)):
        return None
    return Pick(by=by, order=order, count=rng.choice([1, 1, 1, 2, 2, 3]))  # type: ignore[arg-type]


def _ordinal(site: Site, rng: random.Random) -> Atom | None:
    """The k-th of a row of three to seven; or the second or third largest of a class."""
    number = len(site.layout)
    if rng.random() < 0.25 and number >= 4 and site.view.is_shaped(site.labels):
        return Pick(by="area", order=rng.choice(["max", "min"]), first=rng.choice([2, 2, 3]))
    if not 3 <= number <= 7 or not is_small(site) or not is_row(site.view, site.layout):
        return None
    low, high = site.layout.centers.min(axis=0), site.layout.centers.max(axis=0)
    by = "x" if high[0] - low[0] >= high[1] - low[1] else "y"
    return Pick(by=by, order=rng.choice(["min", "max"]), first=rng.randint(2, number - 1))  # type: ignore[arg-type]


def _grouped(site: Site, rng: random.Random) -> Atom | None:
    """Part of a group of so many, or of the largest: of a number that some group has."""
    if len(site.labels) != 1 or not site.view.is_shaped(site.labels) or len(site.layout) < 3:
        return None
    form = "row" if rng.random() < 0.3 and site.is_followed and site.view.is_turned(site.labels) else "group"
    which = rng.choice([None, None, None, "largest", "smallest"])
    if form == "row":
        sizes = [rng.randint(3, 6)]
    else:
        sizes = [len(each) for each in find_groups(site.layout, site.view.certain.bands.group_reach)]
    if not sizes or (which is not None and form == "group" and len(set(sizes)) < 2):
        return None
    if which is not None:
        return Group(form=form, which=which)  # type: ignore[arg-type]
    op, n = rng.choice(["==", ">=", ">"]), rng.choice(sizes)
    test = CountTest(op=op, n=max(n - (op == ">"), 3 if form == "row" else 2))  # type: ignore[arg-type]
    return Group(form=form, test=test)  # type: ignore[arg-type]


def _subclass(site: Site, rng: random.Random) -> Atom | None:
    """All but one of the classes that the name stands for: "courts that are not tennis courts"."""
    known = [site.names[label] for label in site.labels if label in site.names]
    return Not(condition=ClassIs(phrase=rng.choice(known))) if len(site.labels) > 1 and known else None


MAKERS: dict[str, Maker] = {
    "C:is": _subclass,
    "A1": _size,
    "A2": _shape,
    "A3": _orientation,
    "A4": _colour,
    "A5:measure": _measured,
    "P1": _cell,
    "P2": _half,
    "P3": _edge,
    "R1": related.toward,
    "R1:further": related.further,
    "R2": related.nearest,
    "R3": related.within,
    "R3:near": related.near,
    "R4": related.sharing,
    "R5": related.adjacent,
    "R6": related.between_two,
    "R7": related.aligned,
    "R8": related.surrounded,
    "R9:side": related.sided,
    "R10:turned": related.turned,
    "R11:compared": related.compared,
    "S": _superlative,
    "O": _ordinal,
    "N": _grouped,
    "N:amount": related.counted,
}
"""Kind of condition -> what proposes one."""
PICKS = ("R2", "S", "O")
DERIVED = ("A4",)
"""Kinds that no annotation tells: only asked for where the build is told to."""


def hops_of(node: Node, *, depth: int = 0) -> int:
    """How many relations follow each other: "left of the tank nearest to the bridge" has two."""
    inner = depth + (
        1 if isinstance(node, Relation | CompareWith) or (isinstance(node, Pick) and node.reference) else 0
    )
    return max([inner, *(hops_of(child, depth=inner) for child in children(node))])
