"""Prompt-assisted and geometry-guided learning: one object told in several kinds (GeoGround section 3.2).

Prompt-assisted (PAL, equation 2): a sparse signal and the picture give a denser one, upright box -> oriented box ->
outline, or box -> key points. Geometry-guided (GGL, equation 3): a dense signal gives a sparser one without a picture,
outline -> oriented box -> upright box. So a model learns that its answers about one thing belong together.

A box that is known upright only (`Marked.is_upright`), and a source whose oriented boxes are all upright, do not tell
how things lie: they give no oriented boxes here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...core.codec import Pointed, dialect
from ...core.geometry import corners_to_box, min_area_rect
from ...core.masks import Mask
from ...tools.models.tasks import ways
from ..convert.shapes import NotTold, key_points, outlined
from ..records.points import as_xy, in_reading_order
from ..records.record import Instruction, Marked
from .cyclic import iou, shape_of_pointed
from .images import changed
from .marks import LeftOut

POINTED = ("det", "rec", "res")
MOST_GIVEN = 8
"""Regions of one record; more make several records."""
KEY_POINTS = 3
STABLE = 0.95
"""Least IoU of the rectangle round an outline with that round what the text says of it."""
_TILTED = 0.02
"""Radians from which on a side is no longer upright."""
Kinds = tuple[str, str]


@dataclass
class Tilts:
    """Which sources tell how things lie: those with an oriented box that is not upright."""

    sources: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, records: Iterable[Instruction]) -> Tilts:
        """Of all records of a file."""
        found = cls()
        for record in records:
            found.add(record)
        return found

    def add(self, record: Instruction) -> None:
        """Notes a record's source, if one of its boxes is tilted."""
        if record.source not in self.sources and any(each.kind == "obb" and is_tilted(each) for each in record.regions):
            self.sources.add(record.source)


def is_tilted(region: Marked) -> bool:
    """Whether no side of an oriented box is upright, and that was annotated."""
    if region.is_upright:
        return False
    x, y = np.abs(np.diff(np.array(region.points)[:3], axis=0)).T
    return bool((np.minimum(x, y) > _TILTED * np.maximum(x, y)).all() and np.maximum(x, y).min() > 0)


def assisted(record: Instruction, tilts: Tilts, seed: int) -> Iterator[Instruction | str]:
    """The prompt-assisted records of a record, or for a pair of kinds that makes none the reason.

    Raises:
        LeftOut: another task than `det`, `rec` and `res`, or nothing pointed at.
    """
    _check(record, POINTED)
    rng = _rng(record, seed, "pal")
    for made in _kinds(record, tilts, _ASSISTED):
        if isinstance(made, str):
            yield made
            continue
        (sparse, dense), pairs = made
        for number, some in enumerate(_chunks(pairs)):
            given, regions = ([pair[side] for pair in some] for side in (0, 1))
            parts = {
                "task": "pal", "given": tuple(given), "regions": tuple(regions), "asked": dense,
                "wording": int(rng.integers(ways("refine"))),
            }  # fmt: skip
            yield changed(record, f"pal {sparse} to {dense} {number}", **parts)


def guided(record: Instruction, tilts: Tilts, seed: int) -> Iterator[Instruction | str]:
    """The geometry-guided records of a record, or for a pair of kinds that makes none the reason.

    Their points lie in a square of the picture's longer side, so that a rectangle is one on the grid as well.

    Raises:
        LeftOut: another task than `det`, `rec`, `res` and `rcd`, or nothing pointed at.
    """
    _check(record, (*POINTED, "rcd"))
    rng, side = _rng(record, seed, "ggl"), max(record.size_wh)
    for made in _kinds(record, tilts, _GUIDED):
        if isinstance(made, str):
            yield made
            continue
        (dense, sparse), pairs = made
        told = [pair for pair in pairs if _is_stable(pair, side)]
        if len(told) < len(pairs):
            yield "an outline whose rectangle its text does not tell"
        for number, some in enumerate(_chunks(told)):
            given, regions = ([pair[place] for pair in some] for place in (0, 1))
            parts = {
                "task": "ggl", "given": tuple(given), "regions": tuple(regions), "asked": sparse, "pictures": (),
                "grid_wh": (side, side), "phrase": "", "gsd_m": None, "wording": int(rng.integers(ways("convert"))),
            }  # fmt: skip
            yield changed(record, f"ggl {dense} to {sparse} {number}", **parts)


def _kinds(record: Instruction, tilts: Tilts, wanted: Sequence[Kinds]) -> Iterator[tuple[Kinds, list[tuple[Marked, Marked]]] | str]:  # fmt: skip  # noqa: E501
    """For each pair of kinds the regions told both ways, in the order of reading of the first.

    What geometry guides is made of the first kind alone, as it will be told.
    """
    known: dict[tuple[int, str], Marked | LeftOut] = {}

    def told(place: int, kind: str) -> Marked:
        if (place, kind) not in known:
            try:
                known[place, kind] = _bare(_TOLD[kind](record.regions[place], record, tilts))
            except LeftOut as error:
                known[place, kind] = error
        found = known[place, kind]
        if isinstance(found, LeftOut):
            raise found
        return found

    for kinds in wanted:
        pairs, reasons = [], set()
        for place in range(len(record.regions)):
            try:
                first = told(place, kinds[0])
                second = _bare(_TOLD[kinds[1]](first, record, tilts)) if wanted is _GUIDED else told(place, kinds[1])
                pairs.append((first, second))
            except LeftOut as error:
                reasons.add(f"{' to '.join(kinds)}: {error}")
        yield from sorted(reasons)
        if pairs:
            order = {each: place for place, each in enumerate(in_reading_order([pair[0] for pair in pairs]))}
            yield kinds, sorted(pairs, key=lambda pair: order[pair[0]])


# ---- one region as each kind


def _as_box(region: Marked, record: Instruction, tilts: Tilts) -> Marked:
    box = corners_to_box(np.array(region.points)).reshape(2, 2)
    if region.kind != "box" and region.rle is not None and (tight := Mask.from_rle(region.rle).box_px) is not None:
        box = tight.reshape(2, 2)
    return region.model_copy(update={"kind": "box", "points": as_xy(box), "keypoints": (), "is_upright": False})


def _as_obb(region: Marked, record: Instruction, tilts: Tilts) -> Marked:
    if region.kind == "obb":
        if region.is_upright:
            raise LeftOut("a box that is known upright only")
        if record.source not in tilts.sources:
            raise LeftOut("oriented boxes of a source that has upright ones alone")
        return region
    ring = _ring(region)
    return region.model_copy(update={"kind": "obb", "points": as_xy(min_area_rect(ring)), "keypoints": (), "holes": ()})


def _as_polygon(region: Marked, record: Instruction, tilts: Tilts) -> Marked:
    if region.holes:
        raise LeftOut("an outline with holes")
    if region.kind == "polygon":
        return region
    if region.rle is None:
        raise LeftOut("no mask or outline")
    try:
        found = outlined(Mask.from_rle(region.rle), region.label or "").regions
    except NotTold as error:
        raise LeftOut(str(error)) from None
    if len(found) != 1:
        raise LeftOut("a mask in several parts")
    return found[0]


def _as_keypoints(region: Marked, record: Instruction, tilts: Tilts) -> Marked:
    keypoints = region.keypoints
    if not keypoints:
        if region.rle is None or not (mask := Mask.from_rle(region.rle)).area_px:
            raise LeftOut("no mask or key points")
        keypoints = as_xy(key_points(mask, KEY_POINTS))
    return _as_box(region, record, tilts).model_copy(update={"keypoints": keypoints})


_TOLD: dict[str, Callable[[Marked, Instruction, Tilts], Marked]] = {
    "box": _as_box,
    "obb": _as_obb,
    "polygon": _as_polygon,
    "keypoints": _as_keypoints,
}
_ASSISTED: tuple[Kinds, ...] = (("box", "obb"), ("box", "keypoints"), ("box", "polygon"), ("obb", "polygon"))
_GUIDED: tuple[Kinds, ...] = (("obb", "box"), ("polygon", "box"), ("polygon", "obb"))


def _ring(region: Marked) -> np.ndarray:
    """What the least rectangle is put round."""
    if region.kind == "polygon":
        return np.array(region.points)
    if region.rle is None:
        raise LeftOut("an upright box without a mask")
    shapes = Mask.from_rle(region.rle).to_polygons()
    if not shapes:
        raise LeftOut("a mask without pixels")
    return np.concatenate([np.asarray(shape.exterior.coords)[:-1] for shape in shapes])


def _is_stable(pair: tuple[Marked, Marked], side: int) -> bool:
    """Whether the sparse kind follows from what the text says of the dense one: roundness may turn a rectangle."""
    dense, sparse = pair
    if dense.kind != "polygon":
        return True
    codec = dialect("native")
    ring = codec.decode(codec.encode([dense.pointed], (side, side)), (side, side), kind="polygon")[0].points_px
    if sparse.kind == "box":
        found = Pointed("box", corners_to_box(ring).reshape(2, 2))
    else:
        found = Pointed("obb", min_area_rect(ring))
    said = codec.decode(codec.encode([sparse.pointed], (side, side)), (side, side))[0]  # cut off at the grid's end
    return iou(shape_of_pointed(found), shape_of_pointed(said)) >= STABLE


def _bare(region: Marked) -> Marked:
    """Without its pixels: they do not go into the text."""
    return region.model_copy(update={"rle": None})


def _chunks(pairs: Sequence[tuple[Marked, Marked]]) -> Iterator[Sequence[tuple[Marked, Marked]]]:
    for start in range(0, len(pairs), MOST_GIVEN):
        yield pairs[start : start + MOST_GIVEN]


def _check(record: Instruction, tasks: Sequence[str]) -> None:
    if record.task not in tasks:
        raise LeftOut(f"'{record.task}' points at nothing that can be told in another kind")
    if not record.regions:
        raise LeftOut("nothing to tell in another kind")


def _rng(record: Instruction, seed: int, what: str) -> np.random.Generator:
    return np.random.default_rng([seed, *f"{what} {record.id}".encode()])
