"""Relations to ask for: proposed where something of the class may stand in them, judged by the executor.

Where objects stand close to a limit, and yet clear of it, the question that they decide is preferred: it tells a rule
from one that is a little wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import TypeVar

import numpy as np
import shapely

from ...core.conditions import CompareWith, Condition, CountTest, Pick, Quantity, Relation, Selection
from ...core.regions import FloatArray
from ...tools.findings import FALSE, TRUE
from ...tools.pairs import VECTORS, distance_pairs
from .referents import Referent
from .seen import is_endless
from .sites import DIRECTIONS, Site, is_small, reach_of, said_between
from .views import View

_LONG, _SIDED = 1.5, 3.0  # aspect from which a thing has a direction, or two sides
_SMALL = 0.3  # of the image's shorter side: what reaches further is at no one place
_BETWEEN_TRIES = 12
_SECONDS = 6  # things tried that a side of something is told by
_CROWD = 40  # more of a class than this, and nobody would look at all of them
_FEW = 12  # objects up to which a bearing is worth a try where some are in doubt
_SURE_TURNED = 10.0  # degrees off: what is parallel, or square, to everybody
_ALIKE = 1.6  # of sizes: what is not "as large as" to anybody
_BARELY = 0.001  # share from which on two things do overlap
_OFF_OF_THREE = 0.4  # root mean square distance of three points from their axis, of the middle one's from the others'
_T = TypeVar("_T")
_Told = list[tuple[Referent, str]]  # referents, each with a direction or kind of relation


def toward(site: Site, rng: random.Random) -> Condition | None:
    """R1. Directions in which something lies, and nothing half in them."""
    sharp, clear = _bearings(site)
    if sharp or clear:
        referent, direction = _sharp_or_not(sharp, clear, rng)
    else:
        found = _referent(site, rng)
        if found is None or len(site.layout) > _FEW:
            return None
        referent, direction = found, rng.choice(DIRECTIONS[:4] * 2 + DIRECTIONS[4:])
    return _relation("toward", referent, direction=direction)


def _bearings(site: Site) -> tuple[_Told, _Told]:
    """Referents with directions that are clear by the centres: tested by an object at a limit, and others."""
    if not site.referents:
        return [], []
    bands, layout = site.view.certain.bands, site.layout
    regions = [site.view.by_id[each.id].boxed for each in site.referents]
    away = layout.centers[None] - np.array([region.center_px for region in regions])[:, None]  # (R, N, 2)
    along = away @ np.array([VECTORS[direction] for direction in DIRECTIONS]).T
    along = along / np.maximum(np.linalg.norm(away, axis=2), 1e-9)[..., None]
    off = np.degrees(np.arccos(np.clip(along, -1, 1)))  # (R, N, 8)
    own, other = layout.boxes[None], np.array([region.box_px for region in regions])[:, None]
    shared = np.minimum(own[..., 2:], other[..., 2:]) - np.maximum(own[..., :2], other[..., :2])
    shorter = np.minimum(own[..., 2:] - own[..., :2], other[..., 2:] - other[..., :2])
    over = np.zeros_like(off)
    over[..., :4] = (shared / np.maximum(shorter, 1e-9))[..., [0, 0, 1, 1]]
    near, far, low, high = bands.bearing.true, bands.bearing.false, bands.axis_overlap.true, bands.axis_overlap.false
    holds, fails = (off <= near) & (over <= low), (off >= far) | (over >= high)
    clear = (holds | fails).all(axis=1) & holds.any(axis=1) & ~holds.all(axis=1)
    close = (holds & (over > _BARELY)) | ((off <= near) & (over >= high) & (over < 1 - _BARELY))
    sharp = clear & close.any(axis=1)
    found = [(each, direction) for each in site.referents for direction in DIRECTIONS]
    return (
        [pair for pair, chosen in zip(found, sharp.ravel().tolist(), strict=True) if chosen],
        [pair for pair, chosen in zip(found, (clear & ~sharp).ravel().tolist(), strict=True) if chosen],
    )


def further(site: Site, rng: random.Random) -> Condition | None:
    """R1, by half-planes."""
    known = [each for each in site.referents if reach_of(site.view, [each.id]) <= _SMALL]
    if not known or not is_small(site):
        return None
    return _relation("further", rng.choice(known), direction=rng.choice(DIRECTIONS[:4]))


def nearest(site: Site, rng: random.Random) -> Pick | None:
    """R2."""
    referent = _referent(site, rng, shaped=True)
    if referent is None or not site.view.is_shaped(site.labels):
        return None
    order, count = rng.choice(["min", "min", "max"]), rng.choice([1, 1, 1, 2, 3])
    return Pick(by="distance", order=order, count=count, reference=referent.selection)  # type: ignore[arg-type]


def near(site: Site, rng: random.Random) -> Condition | None:
    """R3, in lengths of a thing that something of the class may be near to."""
    if not site.view.is_shaped(site.labels):
        return None
    reach = site.view.certain.bands.near.true

    def holds(referent: Referent) -> bool:
        size = float(site.view.boxed(referent.id).sizes[0])
        return bool((site.gaps_to([referent.id]) <= reach * size).any())

    referent = _referent(site, rng, shaped=True, holds=holds)
    return None if referent is None else _relation("near", referent)


def within(site: Site, rng: random.Random) -> Condition | None:
    """R3, in metres."""
    referent, scale = _referent(site, rng, shaped=True), site.view.image.gsd_m
    if referent is None or scale is None or not site.view.is_shaped(site.labels):
        return None
    other = site.view.certain.members(referent.selection).layout.scaled((scale, scale))
    found = distance_pairs(site.layout.scaled((scale, scale)), other, np.full(1, 1e6))
    value = said_between(found.values, rng)
    if value is None:
        return None
    kind = rng.choice(["within", "within", "beyond"])
    quantifier = "all" if kind == "beyond" else "any"  # as "more than 50 m from the bridge" is read
    return _relation(kind, referent, distance=Quantity(value=value, unit="m"), quantifier=quantifier)


def sharing(site: Site, rng: random.Random) -> Condition | None:
    """R4, with things whose boxes overlap."""
    if not site.view.is_shaped(site.labels):
        return None
    kind = rng.choice(["inside", "contains", "overlaps"])
    if rng.random() < 0.5:
        referent = _referent(site, rng, shaped=True, holds=lambda each: _overlaps(site, [each.id]))
        if referent is not None:
            return _relation(kind, referent)
    crowd = _crowd(site, rng, endless=kind == "inside", holds=lambda ids: _overlaps(site, ids))
    if crowd is None:
        return None
    counted = kind == "contains" and rng.random() < 0.5
    return _to_class(kind, crowd, _amount(rng) if counted else None)


def _overlaps(site: Site, ids: Sequence[str]) -> bool:
    return bool((site.gaps_to(ids) == 0).any())


def adjacent(site: Site, rng: random.Random) -> Condition | None:
    """R5, of things whose boxes nearly touch."""
    if not site.view.is_shaped(site.labels):
        return None

    def touches(ids: Sequence[str]) -> bool:
        return bool((site.gaps_to(ids) <= _touching(site)[:, None]).any())

    if rng.random() < 0.5:
        referent = _referent(site, rng, shaped=True, holds=lambda each: touches([each.id]))
        if referent is not None:
            return _relation("adjacent", referent)
    crowd = _crowd(site, rng, holds=touches)
    return None if crowd is None else _to_class("adjacent", crowd, None)


def _touching(site: Site) -> FloatArray:
    """(N,) px up to which something may be next to each object, whatever its own size."""
    bands = site.view.certain.bands
    return np.maximum(bands.adjacent_px, bands.adjacent[0] * np.sqrt(site.layout.areas))


def between_two(site: Site, rng: random.Random) -> Condition | None:
    """R6."""
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
    start, stop = (site.view.by_id[each.id].boxed.center_px for each in (first, second))
    off = np.linalg.norm(site.layout.centers - (start + stop) / 2, axis=1)
    return bool((off <= 0.3 * np.linalg.norm(stop - start)).any())


def aligned(site: Site, _rng: random.Random) -> Condition | None:
    """R7."""
    fits = len(site.layout) >= 4 and site.is_followed and len(site.labels) == 1 and site.view.is_turned(site.labels)
    return Relation(relation="aligned") if fits and _three_in_line(site) else None


def _three_in_line(site: Site) -> bool:
    """Whether some three objects stand as close to a line as a row must (`surveyor.tools.rows`); else there is none."""
    layout, _ = site.everyone
    first, middle, last = np.array(list(permutations(range(len(layout)), 3))).T
    before, after = (layout.centers[b] - layout.centers[a] for a, b in ((first, middle), (middle, last)))
    whole = before + after
    across = np.abs(before[:, 0] * whole[:, 1] - before[:, 1] * whole[:, 0])
    least = _OFF_OF_THREE * across / np.maximum(np.linalg.norm(whole, axis=1), 1e-9)
    width = np.median(layout.widths[np.stack([first, middle, last])], axis=0)
    return bool((least <= site.view.certain.bands.row_off.true * width).any())


def surrounded(site: Site, rng: random.Random) -> Condition | None:
    """R8, by a class of which three come close to one object."""
    if not site.view.is_shaped(site.labels) or not is_small(site):
        return None
    reach = site.view.certain.bands.around.true * site.layout.sizes[:, None]
    crowd = _crowd(site, rng, least=3, holds=lambda ids: bool(((site.gaps_to(ids) <= reach).sum(axis=1) >= 3).any()))
    return None if crowd is None else _to_class("surrounded", crowd, None)


def sided(site: Site, rng: random.Random) -> Condition | None:
    """Beside a long thing: its sides by direction, by another thing, or whichever."""
    view = site.view
    long = [each for each in site.referents if _is_long(view, each)]
    on_bank = [each for each in long if _is_on_bank(site, each)]
    if not long:
        return None
    if on_bank and rng.random() < 0.5:
        referent = rng.choice(on_bank)
        return _relation("side", referent, direction=rng.choice(_across(view, referent)))
    referent = rng.choice(long)
    kind = rng.choice(["side", "side", "flanking", "same_side", "other_side"])
    if kind == "side":
        return _relation("side", referent, direction=rng.choice(DIRECTIONS[:4]))
    if kind == "flanking":
        return _relation("flanking", referent)
    others = [each for each in site.referents if each.id != referent.id and each.hops == 1]
    if kind == "same_side":  # as a thing of its own class: is that on its own side, too?
        others = [each for each in others if each.label not in site.labels]
    for other in rng.sample(others, min(len(others), _SECONDS)):
        relation = _relation(kind, referent, second=other.selection)
        if set(view.certain.codes(site.layout, relation).tolist()) == {FALSE, TRUE}:
            return relation
    return None


def _is_on_bank(site: Site, referent: Referent) -> bool:
    """Whether something reaches a little over the edge of a long thing, one way or the other, and nothing half."""
    if not _overlaps(site, [referent.id]):
        return False
    bands, shapes = site.view.certain.bands, site.layout.shapes
    shape = site.view.certain.members(referent.selection).layout.shapes[0]
    share = shapely.area(shapely.intersection(shapes, shape)) / np.maximum(shapely.area(shapes), 1e-9)
    off, on = share <= bands.bank.true, share >= bands.bank.false
    return bool((off | on).all() and ((off & (share > _BARELY)) | (on & (share < 1 - _BARELY))).any())


def _across(view: View, referent: Referent) -> tuple[str, ...]:
    """The directions that point away from a long thing."""
    along = view.boxed(referent.id).axes[0]
    return DIRECTIONS[:2] if abs(along[1]) > abs(along[0]) else DIRECTIONS[2:4]


def turned(site: Site, rng: random.Random) -> Condition | None:
    """Parallel or perpendicular to a long thing, and nothing half-way."""
    view = site.view
    if not view.is_turned(site.labels):
        return None
    bands, layout = view.certain.bands, site.layout
    sharp: _Told = []
    clear: _Told = []
    others: _Told = []
    for referent in site.referents:
        if not view.is_turned((referent.label,)) or view.aspect_of(referent.id) < _LONG:
            continue
        along = view.boxed(referent.id).axes[0]
        off = np.degrees(np.arccos(np.clip(np.abs(layout.axes @ along), 0, 1)))
        for kind, away, limit in (
            ("parallel", off, bands.parallel.false),
            ("perpendicular", 90 - off, 90 - bands.perpendicular.false),
        ):
            holds, fails = away <= _SURE_TURNED, away >= limit
            if not holds.any() or not (holds | fails | (layout.aspects < _LONG)).all():
                others.append((referent, kind))
            else:
                (sharp if (fails & (away < 1.5 * limit)).any() else clear).append((referent, kind))
    if not (sharp or clear or others):
        return None
    referent, kind = _sharp_or_not(sharp, clear, rng) if sharp or clear else rng.choice(others)
    return _relation(kind, referent)


def compared(site: Site, rng: random.Random) -> Condition | None:
    """Larger than another thing, or than average."""
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
    alike = [each for each in known if _is_as_large(site, each, attribute)]
    if alike and rng.random() < 0.4:
        return CompareWith(attribute=attribute, op="==", reference=rng.choice(alike).selection)  # type: ignore[arg-type]
    factor, op = rng.choice([(1.0, op), (1.0, op), (2.0, ">="), (2.0, ">="), (1.0, "==")])
    chosen = rng.choice(known).selection
    return CompareWith(attribute=attribute, op=op, reference=chosen, factor=factor)  # type: ignore[arg-type]


def _is_as_large(site: Site, referent: Referent, attribute: str) -> bool:
    """Whether something is as large as a thing, and nothing else nearly so."""
    others = np.array([region.id != referent.id for region in site.layout.regions])
    found = site.layout.values(attribute)[others]
    asked = float(site.view.certain.members(referent.selection).layout.values(attribute)[0])
    off, equal = np.abs(found - asked), site.view.certain.bands.equal
    same, other = off <= equal.true * asked, (found >= _ALIKE * asked) | (found <= asked / _ALIKE)
    return bool(same.any() and not same.all() and (same | other).all())


def counted(site: Site, rng: random.Random) -> Condition | None:
    """A number of things near or inside: "near at least two trees"."""
    if not site.view.is_shaped(site.labels):
        return None
    kind, test = rng.choice(["near", "adjacent", "contains"]), _amount(rng)
    reach = {"near": np.full(len(site.layout), np.inf), "adjacent": _touching(site)}.get(
        kind, np.zeros(len(site.layout))
    )

    def holds(ids: Sequence[str]) -> bool:
        return bool(((site.gaps_to(ids) <= reach[:, None]).sum(axis=1) >= test.n).any())

    crowd = _crowd(site, rng, holds=holds)
    return None if crowd is None else _to_class(kind, crowd, test)


def _amount(rng: random.Random) -> CountTest:
    return CountTest(op=rng.choice([">=", "=="]), n=rng.randint(2, 4))


def _relation(kind: str, referent: Referent, **parts: object) -> Relation:
    return Relation(relation=kind, reference=referent.selection, **parts)  # type: ignore[arg-type]


def _to_class(kind: str, name: str, amount: CountTest | None) -> Relation:
    return Relation(relation=kind, reference=Selection(phrases=(name,)), amount=amount)  # type: ignore[arg-type]


def _sharp_or_not(sharp: list[_T], clear: list[_T], rng: random.Random) -> _T:
    """One of those that have an object close to a limit, or, now and then, of the others."""
    return rng.choice(sharp if sharp and (not clear or rng.random() < 0.7) else clear)


def _referent(
    site: Site, rng: random.Random, *, shaped: bool = False, holds: Callable[[Referent], bool] | None = None
) -> Referent | None:
    """A referent, bare ones more often; `shaped` where distances to it are asked for, `holds` where it must pass."""
    known = [each for each in site.referents if not shaped or site.view.is_shaped((each.label,))]
    if holds is not None:
        known = list(filter(holds, known))
    weights = [3.0 if each.is_bare else 1.5 if each.hops == 2 else 1.0 for each in known]
    return rng.choices(known, weights)[0] if known else None


def _crowd(
    site: Site,
    rng: random.Random,
    least: int = 2,
    *,
    endless: bool = False,
    holds: Callable[[Sequence[str]], bool] | None = None,
) -> str | None:
    """A class as a whole to relate to, another than the one asked for; of countable things unless `endless`."""
    known = [
        name
        for label, name in site.names.items()
        if label not in site.labels
        and least <= len(site.view.by_label[label]) <= _CROWD
        and (endless or not is_endless(label))
        and site.view.is_shaped((label,))
        and (holds is None or holds([seen.id for seen in site.view.by_label[label]]))
    ]
    return rng.choice(known) if known else None


def _is_long(view: View, referent: Referent) -> bool:
    """Whether it has two sides to everybody: a road, a runway, a bridge; not a building that is longer than wide."""
    aspect = view.aspect_of(referent.id) if view.is_turned((referent.label,)) else 0.0
    return aspect >= (_SIDED if is_endless(referent.label) else _SIDED + 1)
