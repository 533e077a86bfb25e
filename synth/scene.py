"""What a drawn scene holds: the picture, every object with its exact outline, and the facts that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..core.geometry import min_area_rect, polygon_area

OBJECT_LABELS = (
    "airplane",
    "ship",
    "storage tank",
    "baseball diamond",
    "tennis court",
    "basketball court",
    "ground track field",
    "harbor",
    "bridge",
    "vehicle",
    "building",
    "tree crown",
    "container stack",
    "crane",
    "swimming pool",
)
AREA_LABELS = (
    "runway",
    "taxiway",
    "apron",
    "river",
    "water",
    "road",
    "quay",
    "parking lot",
    "field",
    "sports field",
    "tank compound",
    "wood",
)


def raster(polygon_px: NDArray[np.float64], shape_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centre lies inside a polygon (even-odd rule).

    Pixel (row, col) has its centre at (col + 0.5, row + 0.5). A centre exactly on a left or upper edge is inside,
    one on a right or lower edge is outside, so polygons that share an edge never share a pixel.

    Args:
        polygon_px: (N, 2) px, N >= 3.
        shape_hw: size of the mask.

    Returns:
        (H, W) bool.
    """
    h, w = shape_hw
    a = np.asarray(polygon_px, dtype=np.float64)
    b = np.roll(a, -1, axis=0)
    top, bottom = max(int(np.floor(a[:, 1].min())), 0), min(int(np.ceil(a[:, 1].max())), h)
    mask = np.zeros((h, w), np.bool_)
    if bottom <= top:
        return mask
    y = np.arange(top, bottom)[:, None] + 0.5
    hit = (np.minimum(a[:, 1], b[:, 1]) <= y) & (y < np.maximum(a[:, 1], b[:, 1]))
    row, edge = np.nonzero(hit)
    rise = b[edge, 1] - a[edge, 1]
    x = a[edge, 0] + (y[row, 0] - a[edge, 1]) * (b[edge, 0] - a[edge, 0]) / rise
    col = np.clip(np.ceil(x - 0.5), 0, w).astype(int)
    toggles = np.zeros((bottom - top, w + 1), np.int32)
    np.add.at(toggles, (row, col), 1)
    mask[top:bottom] = (np.cumsum(toggles, axis=1)[:, :w] & 1).astype(np.bool_)
    return mask


@dataclass(frozen=True, eq=False)
class SynthObject:
    """One labelled thing, as far as the image shows it.

    Attributes:
        id: label and number, such as "airplane 3"; the same thing has the same id on both dates of a pair.
        label: lower-case words with spaces.
        polygon_px: (N, 2) float64, the outline clipped to the image; a simple polygon.
        colour: a colour word, or None when the thing has no single colour.
        visible_fraction: area inside the image over whole area, (0, 1].
    """

    id: str
    label: str
    polygon_px: NDArray[np.float64]
    colour: str | None
    visible_fraction: float

    @cached_property
    def corners_px(self) -> NDArray[np.float64]:
        """(4, 2) px: the rectangle of least area round the outline, clockwise, top-most corner first."""
        return min_area_rect(self.polygon_px)

    @property
    def box_px(self) -> NDArray[np.float64]:
        """(4,) px: x0, y0, x1, y1 of the outline."""
        return np.concatenate([self.polygon_px.min(axis=0), self.polygon_px.max(axis=0)])

    @property
    def area_px(self) -> float:
        """Area of the outline, px²."""
        return float(abs(polygon_area(self.polygon_px)))

    @cached_property
    def shape(self) -> shapely.Polygon:
        """The outline as a shapely polygon."""
        return shapely.Polygon(self.polygon_px)


@dataclass(frozen=True)
class Relation:
    """One exact fact: `subject` and `target` are ids; `value_px` is a distance where the fact has one."""

    subject: str
    predicate: str
    target: str
    value_px: float | None = None

    def __str__(self) -> str:
        """The fact in words: "airplane 3 is on the east side of river 1"."""
        return f"{self.subject} is {self.predicate} {self.target}"


@dataclass(frozen=True, eq=False)
class SynthScene:
    """A drawn scene with its complete annotation.

    Attributes:
        image_rgb: (H, W, 3) uint8.
        gsd_m: metres per pixel.
        objects: countable things; those of one layer never overlap.
        areas: stuff such as a river, a road or an apron; areas may cross (a road over a river) and carry objects.
    """

    kind: str
    seed: int
    image_rgb: NDArray[np.uint8]
    gsd_m: float
    objects: tuple[SynthObject, ...]
    areas: tuple[SynthObject, ...]

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.image_rgb.shape[1], self.image_rgb.shape[0]

    def get(self, id: str) -> SynthObject:
        """The object or area with this id.

        Raises:
            UsageError: there is none.
        """
        for thing in (*self.objects, *self.areas):
            if thing.id == id:
                return thing
        raise UsageError(f"no object has the id {id!r}; ids look like {(*self.objects, *self.areas)[0].id!r}")

    def labelled(self, label: str) -> tuple[SynthObject, ...]:
        """Objects and areas with this label."""
        return tuple(t for t in (*self.objects, *self.areas) if t.label == label)

    def mask(self, thing: SynthObject) -> NDArray[np.bool_]:
        """(H, W) bool: the pixels whose centre is inside the outline (see `raster`)."""
        return raster(thing.polygon_px, (self.image_rgb.shape[0], self.image_rgb.shape[1]))

    @cached_property
    def relations(self) -> tuple[Relation, ...]:
        """Exact facts by plain geometry: see `derive_relations`."""
        return derive_relations(self.objects, self.areas)

    def to_coco(self, file_name: str = "scene.png") -> dict[str, Any]:
        """The annotation as COCO instances; areas are annotations too, of categories with supercategory "area".

        Beside the standard fields an image record has `gsd_m`, `kind` and `seed`; an annotation has `name` (the id),
        `corners_px`, `colour` and `visible_fraction`.
        """
        ids = {label: n for n, label in enumerate((*OBJECT_LABELS, *AREA_LABELS), start=1)}
        w, h = self.size_wh
        records = [_coco_record(n, thing, ids) for n, thing in enumerate((*self.objects, *self.areas), start=1)]
        return {
            "info": {"description": "drawn by surveyor.synth"},
            "images": [
                {"id": 1, "file_name": file_name, "width": w, "height": h, "gsd_m": self.gsd_m}
                | {"kind": self.kind, "seed": self.seed}
            ],
            "categories": [
                {"id": n, "name": label, "supercategory": "object" if label in OBJECT_LABELS else "area"}
                for label, n in ids.items()
            ],
            "annotations": records,
        }


def _coco_record(number: int, thing: SynthObject, ids: dict[str, int]) -> dict[str, Any]:
    x0, y0, x1, y1 = (float(v) for v in thing.box_px)
    return {
        "id": number,
        "image_id": 1,
        "category_id": ids[thing.label],
        "segmentation": [[float(v) for v in thing.polygon_px.ravel()]],
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": thing.area_px,
        "iscrowd": 0,
        "name": thing.id,
        "corners_px": [[float(v) for v in corner] for corner in thing.corners_px],
        "colour": thing.colour,
        "visible_fraction": thing.visible_fraction,
    }


def derive_relations(objects: tuple[SynthObject, ...], areas: tuple[SynthObject, ...]) -> tuple[Relation, ...]:
    """Facts that hold between objects and areas, by plain geometry.

    - "on": at least 95 % of the object's area lies in the area (or, for a vehicle, on a bridge);
    - "on the east side of" (west, north, south): the object does not touch the area, and the level line through its
      centroid meets the area on its west and nowhere on its east (the plumb line for north and south);
    - "nearest to": the closest other object, by distance between outlines (value_px).
    """
    facts: list[Relation] = []
    shapes = [o.shape for o in objects]
    carriers = [*areas, *(o for o in objects if o.label == "bridge")]
    tree = shapely.STRtree([c.shape for c in carriers])
    for thing, shape in zip(objects, shapes, strict=True):
        touched = {int(i) for i in tree.query(shape, predicate="intersects")}
        for i in sorted(touched):
            carrier = carriers[i]
            if carrier is not thing and shape.intersection(carrier.shape).area >= 0.95 * shape.area:
                facts.append(Relation(thing.id, "on", carrier.id))
        for i, area in enumerate(areas):
            if i not in touched:
                facts += [Relation(thing.id, f"on the {side} side of", area.id) for side in _sides(shape, area.shape)]
    if len(shapes) > 1:
        near, distance = shapely.STRtree(shapes).query_nearest(
            shapes, exclusive=True, return_distance=True, all_matches=False
        )
        for (i, j), d in zip(near.T, distance, strict=True):
            facts.append(Relation(objects[i].id, "nearest to", objects[j].id, float(d)))
    return tuple(facts)


def _sides(shape: shapely.Polygon, area: shapely.Polygon) -> list[str]:
    x, y = shape.centroid.x, shape.centroid.y
    x0, y0, x1, y1 = area.bounds
    sides = []
    if y0 <= y <= y1:
        met = shapely.LineString([(min(x0, x) - 1, y), (max(x1, x) + 1, y)]).intersection(area)
        if not met.is_empty and met.bounds[2] < x:
            sides.append("east")
        elif not met.is_empty and met.bounds[0] > x:
            sides.append("west")
    if x0 <= x <= x1:
        met = shapely.LineString([(x, min(y0, y) - 1), (x, max(y1, y) + 1)]).intersection(area)
        if not met.is_empty and met.bounds[3] < y:
            sides.append("south")
        elif not met.is_empty and met.bounds[1] > y:
            sides.append("north")
    return sides


@dataclass(frozen=True, eq=False)
class Change:
    """One difference between two dates: `type` is "appeared" or "disappeared"."""

    type: str
    thing: SynthObject

    @property
    def label(self) -> str:
        """The thing's label."""
        return self.thing.label

    @property
    def polygon_px(self) -> NDArray[np.float64]:
        """(N, 2) px outline."""
        return self.thing.polygon_px


@dataclass(frozen=True, eq=False)
class ChangeSet:
    """All differences of a pair; empty when nothing changed. A moved thing disappears here and appears there."""

    regions: tuple[Change, ...]
    shape_hw: tuple[int, int]

    def mask(self, type: str | None = None, label: str | None = None) -> NDArray[np.bool_]:
        """(H, W) bool: union of the changed outlines, of one type or label when given."""
        out = np.zeros(self.shape_hw, np.bool_)
        for change in self.regions:
            if type in (None, change.type) and label in (None, change.label):
                out |= raster(change.polygon_px, self.shape_hw)
        return out


@dataclass(frozen=True, eq=False)
class SynthPair:
    """Two dates of one place, aligned, and what changed between them."""

    before: SynthScene
    after: SynthScene
    change: ChangeSet
