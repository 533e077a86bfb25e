"""Single conditions to ask for, by the taxonomy of FORMATS.md 7.3: proposed at random, judged by the executor.

Letters are those of the taxonomy; what it does not list has a word behind it ("R1:further", "R9:side").
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from ...core.conditions import (
    Aspect,
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
    Selection,
    Shape,
    SizeWord,
    children,
)
from ...tools.findings import TRUE
from ...tools.layout import Layout
from ...tools.pairs import distance_pairs
from ...tools.rows import find_rows
from .referents import Referent
from .seen import is_endless
from .views import View

DIRECTIONS = ("left", "right", "above", "below", "above left", "above right", "below left", "below right")
CELLS = ("top left", "top", "top right", "left", "center", "right", "bottom left", "bottom", "bottom right")
_CORNERS: tuple[Literal["top left", "top right", "bottom left", "bottom right"], ...] = (
    "top left",
    "top right",
    "bottom left",
    "bottom right",
)
ROUND = tuple(round(lead * 10.0**power, 3) for power in range(7) for lead in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8))
"""Numbers that a person would say."""
_LONG = 1.5
_SIDED = 3.0
_SMALL = 0.3
_BETWEEN_TRIES = 12
COLOURS = get_args(Colour.model_fields["word"].annotation)
_CROWD = 40  # more of a class than this, and nobody would look at all of them
_ROWS = 12  # of more, nobody would follow the rows


@dataclass(frozen=True, eq=False)
class Site:
    """Where atoms are looked for: a view and one class of it.

    Attributes:
        view: what is seen.
        name: of the class asked for, as it is said.
        labels: the annotated labels it stands for.
        referents: what they can be told by.
        names: label -> how it is called, of the other labels of the view.
    """

    view: View
    name: str
    labels: tuple[str, ...]
    referents: tuple[Referent, ...]
    names: dict[str, str]

    @cached_property
    def layout(self) -> Layout:
        """The judged objects of the class."""
        return self.view.certain.layout((self.name,))

    @cached_property
    def size(self) -> int:
        """How many judged objects there are."""
        return sum(not seen.doubt for label in self.labels for seen in self.view.by_label[label])

    @cached_property
    def everyone(self) -> tuple[Layout, np.ndarray]:
        """All objects of the class, also those in doubt, and (N,) which of them are judged."""
        layout = self.view.everything.layout((self.name,))
        return layout, np.array([not self.view.by_id[region.id].doubt for region in layout.regions], dtype=bool)

    @cached_property
    def reach(self) -> float:
        """The longest side of the judged objects' upright boxes, as a share of the image's shorter side."""
        return _reach(self.view, (region.id for region in self.layout.regions))

    @property
    def is_followed(self) -> bool:
        """Whether there are so few objects that one can follow their rows."""
        return sum(len(self.view.by_label[label]) for label in self.labels) <= _ROWS


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
    value = _between(values, rng)
    unit = "m2" if attribute == "area" else "m"
    op = rng.choice([">", "<", ">", "<", ">=", "<="])
    return None if value is None else Compare(attribute=attribute, op=op, quantity=Quantity(value=value, unit=unit))  # type: ignore[arg-type]


def _aspect(site: Site, rng: random.Random) -> Atom | None:
    if not site.view.is_turned(site.labels):
        return None
    op = rng.choice([">", "<"])
    found = site.layout.aspects
    clear = [ratio for ratio in (1.5, 2, 2.5, 3, 4) if not ((found > ratio / 1.25) & (found < ratio * 1.25)).any()]
    return Aspect(op=op, ratio=rng.choice(clear)) if clear else None  # type: ignore[arg-type]


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


def _toward(site: Site, rng: random.Random) -> Atom | None:
    referent = _referent(site, rng)
    direction = rng.choice(DIRECTIONS[:4] * 2 + DIRECTIONS[4:])
    return None if referent is None else _relation("toward", referent, direction=direction)


def _further(site: Site, rng: random.Random) -> Atom | None:
    known = [each for each in site.referents if _reach(site.view, [each.id]) <= _SMALL]
    if not known or not is_small(site):
        return None
    referent = rng.choice(known)
    return _relation("further", referent, direction=rng.choice(DIRECTIONS[:4]))


def _nearest(site: Site, rng: random.Random) -> Atom | None:
    referent = _referent(site, rng, shaped=True)
    if referent is None or not site.view.is_shaped(site.labels):
        return None
    order, count = rng.choice(["min", "min", "max"]), rng.choice([1, 1, 1, 2, 3])
    return Pick(by="distance", order=order, count=count, reference=referent.selection)  # type: ignore[arg-type]


def _near(site: Site, rng: random.Random) -> Atom | None:
    referent = _referent(site, rng, shaped=True)
    fits = referent is not None and site.view.is_shaped(site.labels)
    return _relation("near", referent) if fits else None  # type: ignore[arg-type]


def _within(site: Site, rng: random.Random) -> Atom | None:
    referent, scale = _referent(site, rng, shaped=True), site.view.image.gsd_m
    if referent is None or scale is None or not site.view.is_shaped(site.labels):
        return None
    other = Layout([site.view.by_id[referent.id].region], (scale, scale))
    subjects = site.layout.scaled((scale, scale))
    found = distance_pairs(subjects, other, np.full(1, 1e6))
    value = _between(found.values, rng)
    if value is None:
        return None
    kind = rng.choice(["within", "within", "beyond"])
    quantifier = "all" if kind == "beyond" else "any"  # as "more than 50 m from the bridge" is read
    return _relation(kind, referent, distance=Quantity(value=value, unit="m"), quantifier=quantifier)


def _sharing(site: Site, rng: random.Random) -> Atom | None:
    if not site.view.is_shaped(site.labels):
        return None
    kind = rng.choice(["inside", "contains", "overlaps"])
    referent, crowd = _referent(site, rng, shaped=True), _crowd(site, rng, endless=kind == "inside")
    if referent is not None and rng.random() < 0.5:
        return _relation(kind, referent)
    if crowd is None:
        return None
    amount = (
        CountTest(op=rng.choice([">=", "=="]), n=rng.randint(2, 4))
        if kind == "contains" and rng.random() < 0.5
        else None
    )
    return _to_class(kind, crowd, amount)


def _adjacent(site: Site, rng: random.Random) -> Atom | None:
    if not site.view.is_shaped(site.labels):
        return None
    referent, crowd = _referent(site, rng, shaped=True), _crowd(site, rng)
    if referent is not None and rng.random() < 0.5:
        return _relation("adjacent", referent)
    return None if crowd is None else Relation(relation="adjacent", reference=Selection(phrases=(crowd,)))


def _between_two(site: Site, rng: random.Random) -> Atom | None:
    known = [each for each in site.referents if each.hops == 1]
    if len(known) < 2:
        return None
    for _ in range(_BETWEEN_TRIES):
        first, second = rng.sample(known, 2)
        if first.id != second.id and _lies_between(site, first, second):
            return Relation(relation="between", reference=first.selection, second=second.selection)
    return None


def _lies_between(site: Site, first: Referent, second: Referent) -> bool:
    """Whether the centre of some object lies about half-way between two others, so that asking is worth while."""
    start, stop = (site.view.by_id[each.id].region.center_px for each in (first, second))
    off = np.linalg.norm(site.layout.centers - (start + stop) / 2, axis=1)
    return bool((off <= 0.3 * np.linalg.norm(stop - start)).any())


def _aligned(site: Site, _rng: random.Random) -> Atom | None:
    fits = len(site.layout) >= 4 and site.is_followed and len(site.labels) == 1 and site.view.is_turned(site.labels)
    return Relation(relation="aligned") if fits else None


def _surrounded(site: Site, rng: random.Random) -> Atom | None:
    crowd = _crowd(site, rng, least=3)
    fits = crowd is not None and site.view.is_shaped(site.labels) and is_small(site)
    return Relation(relation="surrounded", reference=Selection(phrases=(crowd,))) if fits else None  # type: ignore[arg-type]


def _sided(site: Site, rng: random.Random) -> Atom | None:
    """Beside a long thing: its sides by direction, by another thing, or whichever."""
    view = site.view
    long = [each for each in site.referents if _is_long(view, each)]
    if not long:
        return None
    referent = rng.choice(long)
    kind = rng.choice(["side", "side", "flanking", "same_side", "other_side"])
    if kind == "side":
        return _relation("side", referent, direction=rng.choice(DIRECTIONS[:4]))
    if kind == "flanking":
        return _relation("flanking", referent)
    others = [each for each in site.referents if each.id != referent.id and each.hops == 1]
    if not others:
        return None
    return _relation(kind, referent, second=rng.choice(others).selection)


def _turned(site: Site, rng: random.Random) -> Atom | None:
    view = site.view
    known = [each for each in site.referents if view.is_turned((each.label,)) and view.aspect_of(each.id) >= _LONG]
    if not known or not view.is_turned(site.labels):
        return None
    return _relation(rng.choice(["parallel", "perpendicular"]), rng.choice(known))


def _compared(site: Site, rng: random.Random) -> Atom | None:
    view = site.view
    if not view.is_turned(site.labels):
        return None
    attribute, op = rng.choice(["length", "width", "area", "length"]), rng.choice([">", "<"])
    if rng.random() < 0.35 and len(site.layout) >= 4:
        whole = Selection(phrases=(site.name,))
        return CompareWith(attribute=attribute, op=op, reference=whole, quantifier="mean")  # type: ignore[arg-type]
    known = [each for each in site.referents if each.hops == 1 and view.is_turned((each.label,))]
    if not known:
        return None
    factor, op = rng.choice([(1.0, op), (1.0, op), (2.0, ">="), (2.0, ">="), (1.0, "==")])
    chosen = rng.choice(known).selection
    return CompareWith(attribute=attribute, op=op, reference=chosen, factor=factor)  # type: ignore[arg-type]


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
    if len(site.labels) != 1 or not site.view.is_shaped(site.labels) or len(site.layout) < 3:
        return None
    form = "row" if rng.random() < 0.3 and site.is_followed and site.view.is_turned(site.labels) else "group"
    which = rng.choice([None, None, None, "largest", "smallest"])
    if which is not None:
        return Group(form=form, which=which)  # type: ignore[arg-type]
    test = CountTest(op=rng.choice(["==", ">=", ">"]), n=rng.randint(3 if form == "row" else 2, 6))
    return Group(form=form, test=test)  # type: ignore[arg-type]


def _counted(site: Site, rng: random.Random) -> Atom | None:
    """A number of things near or inside: "near at least two trees"."""
    crowd = _crowd(site, rng)
    if crowd is None or not site.view.is_shaped(site.labels):
        return None
    kind, test = (
        rng.choice(["near", "adjacent", "contains"]),
        CountTest(op=rng.choice([">=", "=="]), n=rng.randint(2, 4)),
    )
    return _to_class(kind, crowd, test)


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
    "A6:aspect": _aspect,
    "P1": _cell,
    "P2": _half,
    "P3": _edge,
    "R1": _toward,
    "R1:further": _further,
    "R2": _nearest,
    "R3": _within,
    "R3:near": _near,
    "R4": _sharing,
    "R5": _adjacent,
    "R6": _between_two,
    "R7": _aligned,
    "R8": _surrounded,
    "R9:side": _sided,
    "R10:turned": _turned,
    "R11:compared": _compared,
    "S": _superlative,
    "O": _ordinal,
    "N": _grouped,
    "N:amount": _counted,
}
"""Kind of condition -> what proposes one."""
PICKS = ("R2", "S", "O")
DERIVED = ("A4",)
"""Kinds that no annotation tells: only asked for where the build is told to."""


def is_row(view: View, layout: Layout) -> bool:
    """Whether the objects form one row (R7), so that "the third from the left" is what one sees."""
    bands = view.certain.bands
    rows = find_rows(layout, bands.row_off.true, bands.row_spread.true)
    return any(len(row) == len(layout) for row in rows)


def hops_of(node: Node, *, depth: int = 0) -> int:
    """How many relations follow each other: "left of the tank nearest to the bridge" has two."""
    inner = depth + (
        1 if isinstance(node, Relation | CompareWith) or (isinstance(node, Pick) and node.reference) else 0
    )
    return max([inner, *(hops_of(child, depth=inner) for child in children(node))])


def _relation(kind: str, referent: Referent, **parts: object) -> Relation:
    return Relation(relation=kind, reference=referent.selection, **parts)  # type: ignore[arg-type]


def _to_class(kind: str, name: str, amount: CountTest | None) -> Relation:
    return Relation(relation=kind, reference=Selection(phrases=(name,)), amount=amount)  # type: ignore[arg-type]


def _referent(site: Site, rng: random.Random, *, shaped: bool = False) -> Referent | None:
    """A referent, bare ones more often; `shaped` where distances to it are asked for."""
    known = [each for each in site.referents if not shaped or site.view.is_shaped((each.label,))]
    weights = [3.0 if each.is_bare else 1.5 if each.hops == 2 else 1.0 for each in known]
    return rng.choices(known, weights)[0] if known else None


def _crowd(site: Site, rng: random.Random, least: int = 2, *, endless: bool = False) -> str | None:
    """A class as a whole to relate to, another than the one asked for; of countable things unless `endless`."""
    known = [
        name
        for label, name in site.names.items()
        if label not in site.labels
        and least <= len(site.view.by_label[label]) <= _CROWD
        and (endless or not is_endless(label))
        and site.view.is_shaped((label,))
    ]
    return rng.choice(known) if known else None


def is_small(site: Site) -> bool:
    """Whether the objects are small enough to be at one place of the image."""
    return site.reach <= _SMALL


def _reach(view: View, ids: Iterable[str]) -> float:
    """The longest side of an upright box, as a share of the image's shorter side."""
    boxes = (view.by_id[name].box for name in ids)
    return max(max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes) / min(view.image.size_wh)


def _is_long(view: View, referent: Referent) -> bool:
    """Whether it has two sides to everybody: a road, a runway, a bridge; not a building that is longer than wide."""
    aspect = view.aspect_of(referent.id) if view.is_turned((referent.label,)) else 0.0
    return aspect >= (_SIDED if is_endless(referent.label) else _SIDED + 1)


def _between(values: np.ndarray, rng: random.Random) -> float | None:
    """A number that a person would say, with values clear of it on both sides; None where there is none."""
    found = np.unique(values[values > 0])
    gaps = [n for n in range(len(found) - 1) if found[n + 1] >= 1.24 * found[n]]
    if not gaps:
        return None
    place = rng.choice(gaps)
    low, high = float(found[place]), float(found[place + 1])
    options = [each for each in ROUND if low <= 0.9 * each and 1.1 * each <= high]
    return rng.choice(options) if options else None
