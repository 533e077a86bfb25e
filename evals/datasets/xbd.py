"""xBD: buildings before and after disasters with their damage (Gupta et al. 2019).

Files are named DISASTER_NUMBER_{pre,post}_disaster. Labels are JSON with one WKT polygon a building in px
(`features.xy`) and in degrees (`features.lng_lat`); the same `uid` before and after is the same building, and only the
later file tells the damage. Some releases hold mask images instead: 0 or 255 before, and after 0 background, 1 no
damage, 2 minor, 3 major, 4 destroyed, 5 not classified. `metadata.gsd` is the sensor's and not that of the picture, so
the ground sample distance is measured from the polygons in px and in degrees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from ...core.geometry import corners_to_box
from ...core.masks import Mask
from .label_images import checked_size, checked_values, class_masks, first_channel
from .reading import (
    IMAGE_SUFFIXES,
    checked_split,
    damaged,
    existing,
    field_of,
    image_of,
    image_size,
    leave_out,
    read_json,
    root_folder,
    short,
    sorted_files,
)
from .record import Reader, Record, Source, Tally, Thing
from .rows import rows_of

SOURCE = Source("xBD", "CC BY-NC-SA 4.0", "Gupta et al. 2019, xBD")
LAYOUT = (
    "[{train,tier3,hold,test}/]images/NAME_{pre,post}_disaster.png",
    "labels/NAME_{pre,post}_disaster.json, or masks/NAME_{pre,post}_disaster.png",
)
SPLITS = ("train", "tier3", "hold", "test")
DAMAGE = {1: "no damage", 2: "minor damage", 3: "major damage", 4: "destroyed"}
_UNKNOWN = 5
_LEVEL = {"no-damage": 1, "minor-damage": 2, "major-damage": 3, "destroyed": 4, "un-classified": _UNKNOWN}
_PRE, _POST = "_pre_disaster", "_post_disaster"
_LABELS = "an object with 'features': {'xy': [{'properties', 'wkt'}]}"
_LEAST_SPAN_PX = 100.0  # below this a polygon's rounding is felt in the ground sample distance


def read(root: str | Path, *, split: str | None = None, tally: Tally | None = None) -> Iterator[Record]:
    """One record per pair, in the order of the names; see `Reader.read`.

    Things are the buildings with their outline before (after, for those that only the later file has) and the damage
    as attribute. `changed` has "building" (all that are damaged) and each degree of damage; `regions` the buildings
    before; `ignored` those whose damage is not classified.
    """
    folder = root_folder(root, SOURCE.name, LAYOUT)
    checked_split(split, SPLITS, SOURCE.name)
    parts: list[tuple[str | None, Path]] = [(part, folder / part) for part in SPLITS if (folder / part).is_dir()]
    if not parts:
        parts = [(folder.name if folder.name in SPLITS else None, folder)]
    if split is not None and split not in [part for part, _ in parts]:
        existing(folder, (split,), SOURCE.name)
    for part, place in parts:
        if split in (None, part):
            images = existing(place, ("images",), SOURCE.name)
            labels = existing(place, ("labels", "masks"), SOURCE.name)
            befores = [path for path in sorted_files(images, IMAGE_SUFFIXES, "images") if path.stem.endswith(_PRE)]
            if not befores:
                existing(images, (f"NAME{_PRE}.png",), SOURCE.name)
            for before in befores:
                yield _record(before, labels, part, tally)


def measured_gsd_m(xy: Mapping[str, Any], lng_lat: Mapping[str, Any]) -> float | None:
    """Metres per px from outlines that are known in px and in degrees; None where they span less than 100 px.

    The two vertices that lie farthest apart along x or y are measured on the WGS84 ellipsoid.

    Args:
        xy: uid -> shapely polygon in px.
        lng_lat: uid -> the same polygon in degrees, vertices in the same order.
    """
    both = [uid for uid in xy if uid in lng_lat]
    pairs = [(shapely.get_coordinates(xy[uid]), shapely.get_coordinates(lng_lat[uid])) for uid in both]
    pairs = [(px, degrees) for px, degrees in pairs if px.shape == degrees.shape]
    if not pairs:
        return None
    px, degrees = (np.concatenate([pair[i] for pair in pairs]) for i in (0, 1))
    axis = int(np.argmax(np.ptp(px, axis=0)))
    first, last = int(np.argmin(px[:, axis])), int(np.argmax(px[:, axis]))
    span = float(np.linalg.norm(px[last] - px[first]))
    if span < _LEAST_SPAN_PX:
        return None
    from pyproj import Geod

    metres = Geod(ellps="WGS84").inv(*degrees[first], *degrees[last])[2]
    return float(metres) / span


def _record(before: Path, labels: Path, part: str | None, tally: Tally | None) -> Record:
    name = before.stem.removesuffix(_PRE)
    after = image_of(before.parent, f"{name}{_POST}")
    if after is None:
        raise damaged(before, f"its later image {name}{_POST} is missing", "pairs of images")
    size = image_size(before)
    if image_size(after) != size:
        raise damaged(after, f"it is {image_size(after)!r} px and the earlier image {size!r}", "equal sizes")
    gsd_m: float | None = None
    things: tuple[Thing, ...] = ()
    if labels.name == "labels":
        gsd_m, things = _buildings(labels, name, (size[1], size[0]), tally)
        buildings, damage = _painted(things, (size[1], size[0]))
    else:
        buildings, damage = _mask_images(labels, name, before, size)
    changed = class_masks(damage, {2: "building", 3: "building", 4: "building"})
    changed |= class_masks(damage, {level: DAMAGE[level] for level in (2, 3, 4)})
    empty = Mask.from_array(damage[:0], shape_hw=damage.shape)
    unknown = damage == _UNKNOWN
    return Record(
        id=name if part is None else f"{part}/{name}",
        image=before,
        size_wh=size,
        family=f"xbd:{name}",
        source=SOURCE,
        split=part,
        after=after,
        things=things,
        is_exhaustive=True,
        classes=("building",),
        gsd_m=gsd_m,
        changed={key: changed.get(key, empty) for key in ("building", *list(DAMAGE.values())[1:])},
        regions=class_masks(buildings, {1: "building"}),
        ignored=Mask.from_array(unknown) if unknown.any() else None,
    )


# ---- polygons ---------------------------------------------------------------------------------------------------


def _buildings(
    labels: Path, name: str, shape_hw: tuple[int, int], tally: Tally | None
) -> tuple[float | None, tuple[Thing, ...]]:
    """(ground sample distance, buildings in the order of their ids)."""
    earlier, later = (labels / f"{name}{end}.json" for end in (_PRE, _POST))
    before, _, gsd_before = _polygons(earlier, tally)
    after, levels, gsd_after = _polygons(later, tally)
    things = []
    for uid in sorted({**after, **before}):
        shape = before[uid] if uid in before else after[uid]
        mask = Mask.from_polygon(shape, shape_hw)
        if mask.area_px == 0:
            leave_out(tally, "building without pixels in the image")
            continue
        ring = shapely.get_coordinates(shape.exterior)[:-1]
        attributes = {"damage": DAMAGE.get(levels.get(uid, _UNKNOWN), "unclassified")}
        things.append(Thing(uid, "building", corners_to_box(ring), polygon_px=ring, mask=mask, attributes=attributes))
    return gsd_before or gsd_after, tuple(things)


def _polygons(path: Path, tally: Tally | None) -> tuple[dict[str, Any], dict[str, int], float | None]:
    """(uid -> polygon px, uid -> level of damage where told, ground sample distance)."""
    content = read_json(path, _LABELS, dict)
    features = field_of(content, "features", dict, path, "the outermost object")
    shapes: dict[str, Any] = {}
    levels: dict[str, int] = {}
    for index, entry in enumerate(rows_of(features, "xy", path, "'features'")):
        where = f"features.xy[{index}]"
        properties = field_of(entry, "properties", dict, path, where)
        if properties.get("feature_type", "building") != "building":
            leave_out(tally, "feature that is no building")
            continue
        uid = field_of(properties, "uid", str, path, where)
        shape = _shape(entry, path, where)
        if shape is None:
            leave_out(tally, "outline without area")
            continue
        shapes[uid] = shape
        kind = properties.get("subtype")
        if kind is not None:
            if not isinstance(kind, str) or kind not in _LEVEL:
                raise damaged(path, f"subtype is {kind!r}", f"one of {', '.join(_LEVEL)}", where)
            levels[uid] = _LEVEL[kind]
    degrees = {}
    for index, entry in enumerate(rows_of(features, "lng_lat", path, "'features'", may_lack=True)):
        where = f"features.lng_lat[{index}]"
        shape = _shape(entry, path, where)
        if shape is not None:
            degrees[str(field_of(entry, "properties", dict, path, where).get("uid"))] = shape
    return shapes, levels, measured_gsd_m(shapes, degrees)


def _shape(entry: Mapping[str, Any], path: Path, where: str) -> Any:
    """The polygon of a feature; None for one without area."""
    text = field_of(entry, "wkt", str, path, where)
    # "POLYGON Z" and numbers in scientific notation are read, too
    try:
        shape = shapely.from_wkt(re.sub(r"\s+", " ", text))
    except shapely.GEOSException as error:
        raise damaged(path, f"{short(text)} is no WKT ({error})", "POLYGON ((x y, ...))", where) from None
    if shape.geom_type != "Polygon":
        raise damaged(path, f"a {shape.geom_type}", "POLYGON ((x y, ...))", where)
    shape = shapely.force_2d(shape)
    return shape if shape.area > 0 else None


def _painted(things: tuple[Thing, ...], shape_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) buildings as 0 or 1, and their level of damage; where two overlap, the worse one."""
    level_of = {words: level for level, words in DAMAGE.items()}
    buildings, damage = np.zeros(shape_hw, dtype=np.uint8), np.zeros(shape_hw, dtype=np.uint8)
    order = sorted(things, key=lambda thing: level_of.get(thing.attributes["damage"], 0))  # unclassified first
    for thing in order:
        mask = thing.mask
        if mask is not None:
            (x0, y0), (h, w) = mask.offset_xy, mask.crop.shape
            buildings[y0 : y0 + h, x0 : x0 + w][mask.crop] = 1
            damage[y0 : y0 + h, x0 : x0 + w][mask.crop] = level_of.get(thing.attributes["damage"], _UNKNOWN)
    return buildings, damage


# ---- mask images ------------------------------------------------------------------------------------------------


def _mask_images(masks: Path, name: str, before: Path, size_wh: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) buildings as 0 or 1, and their level of damage."""
    earlier, later = (masks / f"{name}{end}.png" for end in (_PRE, _POST))
    buildings, damage = first_channel(earlier), first_channel(later)
    checked_values(earlier, buildings, (0, 1, 255), "0 and 255 (buildings)")
    checked_values(later, damage, range(_UNKNOWN + 1), "0 (background), 1 (no damage) to 4 (destroyed), 5")
    checked_size(earlier, buildings.shape, before, size_wh)
    checked_size(later, damage.shape, before, size_wh)
    return (buildings > 0).astype(np.uint8), damage


READERS = (
    Reader(
        name="xbd",
        about="buildings before and after disasters, with damage",
        layout=LAYOUT,
        read=read,
        source=SOURCE,
    ),
)
