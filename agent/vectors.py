"""The regions as vectors for maps: GeoJSON (RFC 7946) and, for georeferenced scenes, GeoPackage in the scene's CRS.

Rings are closed (first point = last) and holes are kept. GeoJSON's outer rings run counter-clockwise, as RFC 7946 3.1.6
asks; the polygons of `Answer.to_dict` and of models' texts keep their own order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from ..core.geometry import to_shapely
from ..core.regions import Candidate, Region
from ..core.scene import Scene
from .answer import region_json
from .change_words import date_text, thing_of

if TYPE_CHECKING:
    from .answer import Answer

Converter = Callable[[np.ndarray], np.ndarray]

PIXEL_FRAME = "full-scene pixels: x right, y down, top-left corner of the top-left pixel at (0, 0)"
LAYERS = ("regions", "oriented_boxes")
"""Layers of regions.gpkg: outlines (of the mask where there is one) and oriented boxes, a feature a region in each."""
_NUMBERS = ("score", "length_m", "width_m", "area_m2", "length_px", "width_px", "area_px")
_TEXTS = ("id", "label", "status", "verdicts", "source", "query")
_CHANGE_NUMBERS = ("change_before", "change_after")
_CHANGE_TEXTS = (
    "direction", "change_reason", "type", "date_before", "date_after", "image_before", "image_after",
)  # fmt: skip
"""Of answers about two dates only."""


def outline_shape(region: Region) -> BaseGeometry:
    """The region's outline in full-scene px: of its mask where it has one, else its polygon, else its oriented box."""
    if region.mask is not None and region.mask.area_px:
        polygons = region.mask.to_polygons()
        return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
    shape = to_shapely(region.outline_px)
    return shape if shape.geom_type.endswith("Polygon") else shapely.Polygon(region.corners_px)


def is_georeferenced(scene: Scene) -> bool:
    """Whether the scene knows where on Earth it lies."""
    return scene.crs is not None and scene.transform is not None


def geojson_text(answer: Answer, scene: Scene) -> str:
    """`geojson_of` as text."""
    return json.dumps(geojson_of(answer, scene), ensure_ascii=False, allow_nan=False) + "\n"


def geojson_of(answer: Answer, scene: Scene) -> dict[str, Any]:
    """A feature collection of all candidates, as JSON types; those in the answer first.

    Coordinates are WGS 84 longitude and latitude for a georeferenced scene, as RFC 7946 asks. Other scenes, and those
    whose CRS has no way to WGS 84, give pixels; the member "coordinate_frame" says so. An answer about two dates tells
    in "unknown" what share of the ground could not be compared, by reason.
    """
    collection: dict[str, Any] = {"type": "FeatureCollection", "query": answer.query, "answer": answer.text}
    to_lonlat = _lonlat_of(scene)
    if to_lonlat is None:
        collection["coordinate_frame"] = PIXEL_FRAME
    if answer.pair is not None:
        collection["unknown"] = {reason: round(share, 6) for reason, share in answer.pair.unknown.items()}
    collection["features"] = [
        {
            "type": "Feature",
            "id": candidate.region.id,
            "geometry": _geojson_geometry(outline_shape(candidate.region), to_lonlat),
            "properties": properties(candidate, answer, scene),
        }
        for candidate in (*answer.regions, *answer.rejected)
    ]
    return collection


def properties(candidate: Candidate, answer: Answer, scene: Scene) -> dict[str, Any]:
    """What a map's attribute table shows of a region; of two dates also how it changed, and both dates."""
    facts = region_json(candidate, scene)
    return {**{name: facts[name] for name in ("id", "label", "status", *_NUMBERS, "verdicts", "borderline", "source")},
            "corners_px": facts["corners_px"], "query": answer.query, **_change(candidate.region, answer)}  # fmt: skip


def _change(region: Region, answer: Answer) -> dict[str, Any]:
    """Of an answer about two dates: direction, evidence, what changed, and both images; else nothing."""
    pair, change = answer.pair, region.change
    if pair is None:
        return {}
    seen = (None, None) if change is None else (change.before, change.after)
    told = dict(zip(_CHANGE_NUMBERS, (None if each is None else round(float(each), 4) for each in seen), strict=True))
    first, second = pair.taken
    return {
        "direction": None if change is None else change.direction,
        **told,
        "change_reason": None if change is None else change.reason or None,
        "type": thing_of(region.label),
        "date_before": date_text(first),
        "date_after": date_text(second),
        "image_before": pair.given.name,
        "image_after": pair.after.name,
    }


def _geojson_geometry(shape: BaseGeometry, to_lonlat: Converter | None) -> dict[str, Any]:
    digits = 3 if to_lonlat is None else 8  # about a millimetre
    turned = shape if to_lonlat is None else shapely.transform(shape, to_lonlat)
    rings = [
        [np.round(shapely.get_coordinates(ring), digits).tolist() for ring in (part.exterior, *part.interiors)]
        for part in (shapely.geometry.polygon.orient(polygon) for polygon in polygons_of(turned))
    ]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}


def _lonlat_of(scene: Scene) -> Converter | None:
    """From full-scene px to longitude and latitude; None when the scene's place on Earth is not known."""
    from pyproj import Transformer
    from pyproj.exceptions import CRSError, ProjError

    if scene.crs is None or scene.transform is None:
        return None
    try:
        transformer = Transformer.from_crs(scene.crs.to_wkt(), "OGC:CRS84", always_xy=True)
    except (CRSError, ProjError):
        return None

    def convert(xy_px: np.ndarray) -> np.ndarray:
        x, y = scene.pixels_to_map(xy_px).T
        return np.stack(transformer.transform(x, y), axis=-1)

    width, height = scene.size_wh
    corners = convert(np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64))
    return convert if np.isfinite(corners).all() else None


def write_geopackage(path: Path, answer: Answer, scene: Scene) -> None:
    """Writes `LAYERS` in the scene's CRS, one row a candidate; verdicts are a JSON object in a text column.

    Raises:
        OSError: the file cannot be written.
    """
    candidates = (*answer.regions, *answer.rejected)
    rows = [properties(candidate, answer, scene) for candidate in candidates]
    outlines = [shapely.MultiPolygon(polygons_of(outline_shape(c.region))) for c in candidates]
    boxes = [shapely.Polygon(c.region.corners_px) for c in candidates]
    about_pair = answer.pair is not None
    _write_layer(path, LAYERS[0], "MultiPolygon", outlines, rows, scene, about_pair=about_pair, append=False)
    _write_layer(path, LAYERS[1], "Polygon", boxes, rows, scene, about_pair=about_pair, append=True)


def polygons_of(shape: BaseGeometry) -> list[shapely.Polygon]:
    """The polygons of a shape of one or several parts."""
    return [part for part in shapely.get_parts(shape) if isinstance(part, shapely.Polygon)]


def _write_layer(
    path: Path,
    layer: str,
    kind: str,
    shapes: Sequence[BaseGeometry],
    rows: list[dict[str, Any]],
    scene: Scene,
    *,
    about_pair: bool,
    append: bool,
) -> None:
    from pyogrio.errors import DataLayerError, DataSourceError
    from pyogrio.raw import write

    assert scene.crs is not None
    mapped = [shapely.transform(shape, scene.pixels_to_map) for shape in shapes]
    columns: list[np.ndarray] = []
    texts = (*_TEXTS, *(_CHANGE_TEXTS if about_pair else ()))
    numbers = (*_NUMBERS, *(_CHANGE_NUMBERS if about_pair else ()))
    for name in texts:
        values = [row[name] if name != "verdicts" else json.dumps(row[name], ensure_ascii=False) for row in rows]
        columns.append(np.array([None if value is None else str(value) for value in values], dtype=object))
    for name in numbers:
        columns.append(np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64))
    try:
        write(
            path,
            geometry=np.array([shapely.to_wkb(shape) for shape in mapped], dtype=object),
            field_data=columns,
            fields=[*texts, *numbers],
            layer=layer,
            driver="GPKG",
            geometry_type=kind,
            crs=scene.crs.to_wkt(),
            nan_as_null=True,
            append=append,
        )
    except (DataLayerError, DataSourceError) as error:
        raise OSError(None, " ".join(str(error).split()), str(path)) from error
