"""Files of an answer: read back by other programs, written whole or not at all, pleasant to look at."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from surveyor.agent import output, overlay, vectors
from surveyor.agent.answer import Answer, Part
from surveyor.agent.drawing import Tag, place_tags, text_size_wh, wrap
from surveyor.core.errors import UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.core.plan import Plan, Step
from surveyor.core.regions import Candidate, CandidateSet, Region
from surveyor.core.scene import Scene
from surveyor.core.trace import SceneRecord, Trace
from surveyor.tools.values import Measurement, Measurements

WORDS = "north of the river"


def boxed(id_: str, xyxy: tuple[float, float, float, float], **more: Any) -> Region:
    return Region(id_, id_.split("-")[0], box_to_corners(np.array(xyxy)), np.array(xyxy), source="test", **more)


def answer_on(scene: Scene, *candidates: Candidate, references: tuple[CandidateSet, ...] = ()) -> Answer:
    step = Step(id="ground", tool="ground", args={"phrases": ["plane"]}, instruction="detect all planes")
    plan = Plan(query="planes north of the river", steps=(step,), outputs=("ground",))
    record = SceneRecord(
        name=scene.name, size_wh=scene.size_wh, gsd_m=scene.gsd_m, crs=None if scene.crs is None else str(scene.crs)
    )
    trace = Trace(surveyor="0", query=plan.query, scene=record, models={}, plan=plan, observations=())
    found = CandidateSet(candidates)
    text = f"Found {len(found.kept)} planes north of the river."
    part = Part(step, text, found, found)
    return Answer(plan.query, text, (part,), plan, (), trace, scene, references=references)


def candidates() -> tuple[Candidate, ...]:
    ring = np.zeros((80, 120), dtype=bool)
    ring[40:60, 60:90] = True
    ring[45:55, 70:80] = False
    with_hole = boxed("plane-2", (60, 40, 90, 60), mask=Mask.from_array(ring))
    return (
        Candidate(boxed("plane-1", (10, 20, 30, 25), score=0.75), {WORDS: True}),
        Candidate(with_hole, {WORDS: True}),
        Candidate(boxed("plane-3", (40, 5, 50, 15)), {WORDS: None}),
        Candidate(boxed("plane-4", (100, 60, 110, 75)), {WORDS: False}),
    )


@pytest.fixture
def plain() -> Scene:
    rng = np.random.default_rng(1)
    return Scene.from_array(rng.integers(0, 255, (80, 120, 3), dtype=np.uint8), gsd_m=0.5)


def geotiff(path: Path, transform: Affine, crs: str | None = "EPSG:32633") -> Scene:
    shape = {"width": 120, "height": 80, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=transform, **shape) as file:
        file.write(np.full((3, 80, 120), 90, dtype=np.uint8))
    return Scene.open(path)


UPRIGHT = Affine(0.5, 0, 500_000, 0, -0.5, 5_400_000)
COS, SIN = 0.5 * math.cos(math.radians(30)), 0.5 * math.sin(math.radians(30))
TURNED = Affine(COS, SIN, 500_000, SIN, -COS, 5_400_000)


def on_map(transform: Affine, x: float, y: float) -> tuple[float, float]:
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f


# ---- vectors -----------------------------------------------------------------------------------------------------


def test_geojson_of_a_plain_image_is_in_pixels_and_says_so(plain: Scene) -> None:
    data = json.loads(vectors.geojson_text(answer_on(plain, *candidates()), plain))
    assert data["coordinate_frame"] == vectors.PIXEL_FRAME
    ids = [feature["id"] for feature in data["features"]]
    assert ids == ["plane-1", "plane-2", "plane-3", "plane-4"], "the answer, then undecided, then rejected"
    first, holed = data["features"][:2]
    assert shapely.geometry.shape(first["geometry"]).equals(shapely.box(10, 20, 30, 25))
    assert shapely.geometry.shape(holed["geometry"]).area == 30 * 20 - 10 * 10
    assert first["properties"]["length_m"] == 10.0 and first["properties"]["area_m2"] == 25.0
    assert first["properties"]["verdicts"] == {WORDS: True}
    assert [f["properties"]["status"] for f in data["features"]] == ["kept", "kept", "undecided", "rejected"]
    assert holed["properties"]["score"] is None and first["properties"]["score"] == 0.75


@pytest.mark.parametrize("transform", [UPRIGHT, TURNED], ids=["north up", "turned by 30 degrees"])
def test_geojson_of_a_georeferenced_scene_is_longitude_latitude(tmp_path: Path, transform: Affine) -> None:
    scene = geotiff(tmp_path / "a.tif", transform)
    data = json.loads(vectors.geojson_text(answer_on(scene, *candidates()), scene))
    assert "coordinate_frame" not in data
    corner = np.array(on_map(transform, 10, 20))
    expected = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True).transform(*corner)
    ring = data["features"][0]["geometry"]["coordinates"][0]
    assert min(np.linalg.norm(np.array(point) - expected) for point in ring) < 1e-7
    assert ring[0] == ring[-1], "RFC 7946 3.1.6: closed"
    assert all(shapely.LinearRing(f["geometry"]["coordinates"][0]).is_ccw for f in data["features"]), (
        "RFC 7946 3.1.6: the right-hand rule"
    )


def test_a_crs_without_a_way_to_longitude_falls_back_to_pixels(tmp_path: Path) -> None:
    local = 'LOCAL_CS["site grid",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
    scene = geotiff(tmp_path / "a.tif", UPRIGHT, local)
    data = json.loads(vectors.geojson_text(answer_on(scene, *candidates()), scene))
    assert data["coordinate_frame"] == vectors.PIXEL_FRAME


@pytest.mark.parametrize("transform", [UPRIGHT, TURNED], ids=["north up", "turned by 30 degrees"])
def test_geopackage_reads_back_in_the_scene_crs(tmp_path: Path, transform: Affine) -> None:
    scene = geotiff(tmp_path / "a.tif", transform)
    path = tmp_path / "regions.gpkg"
    vectors.write_geopackage(path, answer_on(scene, *candidates()), scene)
    assert [name for name, _ in pyogrio.list_layers(path)] == list(vectors.LAYERS)
    for layer, kind in zip(vectors.LAYERS, ("MultiPolygon", "Polygon"), strict=True):
        meta, _, geometry, columns = pyogrio.raw.read(path, layer=layer)
        assert CRS(meta["crs"]).to_epsg() == 32633 and meta["geometry_type"] == kind
        table = dict(zip(meta["fields"], columns, strict=True))
        assert table["id"].tolist() == ["plane-1", "plane-2", "plane-3", "plane-4"]
        assert table["length_m"].tolist() == pytest.approx([10, 15, 5, 7.5])
        assert table["score"][0] == 0.75 and np.isnan(table["score"][1])
        assert json.loads(table["verdicts"][2]) == {WORDS: None}
        shapes = shapely.from_wkb(geometry)
        assert shapes[0].area == pytest.approx(20 * 5 * 0.25)
        corner = shapely.Point(on_map(transform, 10, 20))
        assert shapes[0].distance(corner) < 1e-6
    assert shapely.from_wkb(pyogrio.raw.read(path, layer="regions")[2])[1].area == pytest.approx((600 - 100) * 0.25)


def test_nothing_found_still_gives_readable_files(tmp_path: Path) -> None:
    scene = geotiff(tmp_path / "a.tif", UPRIGHT)
    files = output.write_outputs(answer_on(scene), scene, tmp_path / "out")
    assert [file.name for file in files] == list(output.NAMES)
    assert pyogrio.read_info(files[2], layer="regions")["features"] == 0
    assert json.loads(files[1].read_text())["features"] == []


# ---- whole or not at all -----------------------------------------------------------------------------------------


def test_outputs_of_a_plain_image(tmp_path: Path, plain: Scene) -> None:
    out = tmp_path / "deep" / "out"
    files = output.write_outputs(answer_on(plain, *candidates()), plain, out)
    assert [file.name for file in files] == ["overlay.png", "regions.geojson", "trace.json"]
    assert sorted(file.name for file in out.iterdir()) == sorted(file.name for file in files), "no leftovers"
    trace = Trace.from_json(files[-1].read_text())
    assert trace.answer is not None and [r["id"] for r in trace.answer["regions"]] == ["plane-1", "plane-2"]


def test_a_second_run_replaces_what_the_first_left(tmp_path: Path, plain: Scene) -> None:
    geo = geotiff(tmp_path / "a.tif", UPRIGHT)
    output.write_outputs(answer_on(geo, *candidates()), geo, tmp_path / "out")
    files = output.write_outputs(answer_on(plain), plain, tmp_path / "out")
    assert "regions.gpkg" not in [file.name for file in files]


@pytest.mark.parametrize("fails_at", range(4))
def test_disk_full_leaves_only_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int) -> None:
    """The n-th rename fails as on a full disk: the files before it are whole, the others are absent."""
    scene = geotiff(tmp_path / "a.tif", UPRIGHT)
    calls = []
    real = Path.replace

    def full(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) > fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        output.write_outputs(answer_on(scene, *candidates()), scene, tmp_path / "out")
    assert caught.value.filename == str(tmp_path / "out" / output.NAMES[fails_at])
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(output.NAMES[:fails_at])


def test_an_output_folder_that_is_a_file(tmp_path: Path, plain: Scene) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(UsageError, match="is a file; name another folder"):
        output.write_outputs(answer_on(plain), plain, tmp_path / "taken")
    with pytest.raises(UsageError, match="cannot be written to"):
        output.check_output_dir(tmp_path / "taken" / "below")


def test_a_read_only_output_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(output.tempfile, "TemporaryFile", refuse)
    with pytest.raises(UsageError, match=r"cannot be written to \(Permission denied\)"):
        output.check_output_dir(tmp_path)


# ---- overlay -----------------------------------------------------------------------------------------------------


def test_the_overlay_shows_answer_in_green_and_rejected_dashed(plain: Scene) -> None:
    grey = np.full((80, 120, 3), 128, dtype=np.uint8)
    picture = overlay.draw_overlay(answer_on(plain, *candidates()), grey, plain.size_wh)
    width, height = overlay.picture_size_wh((120, 80))
    assert picture.shape[1] == width and picture.shape[0] > height
    top = next(y for y in range(picture.shape[0]) if (picture[y, width // 2] == 128).all())
    scale = width / 120
    inside = picture[top + round(52 * scale), round(62 * scale)].astype(int)
    assert inside[1] > inside[2] and inside[1] > inside[0], "the mask is tinted green"
    hole = picture[top + round(50 * scale), round(75 * scale)]
    assert (hole == 128).all(), "holes are not"
    outside = picture[top + round(67 * scale), round(105 * scale)]
    assert (outside == 128).all(), "a rejected region is not tinted"


def test_a_huge_scene_is_decimated() -> None:
    assert overlay.picture_size_wh((100_000, 50_000)) == (2400, 1200)
    assert overlay.picture_size_wh((50_000, 3)) == (2400, 1)


@pytest.mark.parametrize("size_wh", [(2, 2), (3, 900), (900, 3)], ids=str)
def test_tiny_and_narrow_scenes_can_be_drawn(size_wh: tuple[int, int]) -> None:
    scene = Scene.from_array(np.zeros((size_wh[1], size_wh[0], 3), dtype=np.uint8), gsd_m=0.1)
    region = boxed("plane-1", (0, 0, size_wh[0], size_wh[1]))
    picture = overlay.draw_overlay(answer_on(scene, Candidate(region)), scene.read(), size_wh)
    assert picture.dtype == np.uint8 and picture.ndim == 3


def test_values_asked_for_stand_on_the_tags(plain: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tag] = []
    monkeypatch.setattr(overlay, "place_tags", lambda _picture, tags, _size: seen.extend(tags) or 0)
    answer = answer_on(plain, *candidates())
    measured = Measurements((Measurement("plane-1", "length", 10.0, "m"),))
    part = Part(answer.parts[0].step, "", answer.parts[0].candidates, measured)
    object.__setattr__(answer, "parts", (part,))
    overlay.draw_overlay(answer, plain.read(), plain.size_wh)
    assert seen[0].texts[0] == "plane-1 10 m"


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 380), st.integers(0, 280)), max_size=40))
def test_tags_never_cover_each_other(corners: list[tuple[int, int]]) -> None:
    picture = np.full((300, 400, 3), 255, dtype=np.uint8)
    tags = [Tag((f"plane-{n}", str(n)), (0, 0, 0), (x, y, x + 15.0, y + 12.0)) for n, (x, y) in enumerate(corners)]
    left_out = place_tags(picture, tags, 13)
    drawn = (picture[..., 0] < 240).sum()
    smallest = (text_size_wh("0", 13)[0] + 12) * (text_size_wh("0", 13)[1] + 4)
    assert 0 <= left_out <= len(tags) and drawn >= 0.5 * smallest * (len(tags) - left_out)


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=400), st.integers(60, 900))
def test_wrapped_lines_fit(text: str, width: int) -> None:
    lines = wrap(text, width, 14)
    assert 1 <= len(lines) <= 4
    assert all(text_size_wh(line, 14)[0] <= width for line in lines)


@pytest.mark.parametrize(
    ("gsd_m", "most_px", "expected"),
    [(0.5, 250, ("100 m", 200)), (10, 250, ("2 km", 200)), (0.01, 120, ("1 m", 100)), (0.001, 100, ("10 cm", 100))],
)
def test_scale_bar_lengths(gsd_m: float, most_px: float, expected: tuple[str, int]) -> None:
    assert overlay.scale_bar(gsd_m, most_px) == expected


def test_the_overlay_file_is_a_png(tmp_path: Path, plain: Scene) -> None:
    files = output.write_outputs(answer_on(plain, *candidates()), plain, tmp_path)
    picture = cv2.imread(str(files[0]))
    assert picture is not None and picture.shape[1] == overlay.picture_size_wh(plain.size_wh)[0]
