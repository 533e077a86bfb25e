"""Scenes: every kind of pixel, windows, ground size, map coordinates."""

from __future__ import annotations

import hashlib
import math
import os
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from raster_files import gradient, write_raster
from rasterio.enums import ColorInterp
from surveyor.core.errors import UsageError
from surveyor.core.scene import Scene

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
UTM = {"crs": "EPSG:32611", "transform": Affine(0.6, 0, 430_000, 0, -0.6, 3_770_000)}


def turned_transform(degrees):
    """0.6 m pixels, the image turned counter-clockwise on the map."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return Affine(0.6 * cos, 0.6 * sin, 430_000, 0.6 * sin, -0.6 * cos, 3_770_000)


def as_rgb(pixels):
    return np.moveaxis(pixels, 0, -1)


# ---- pixels


def test_filters_of_warnings_that_another_thread_puts_back_harm_nothing(tmp_path, monkeypatch):
    """`warnings.catch_warnings` of one thread undoes the filters that another has set in the meantime."""
    path, real, opened = write_raster(tmp_path / "a.png", gradient()), rasterio.open, []

    def open_late(*args, **options):
        opened.append(args)
        if len(opened) == 1:
            warnings.simplefilter("error")
        return real(*args, **options)

    monkeypatch.setattr(rasterio, "open", open_late)
    assert Scene.open(path).size_wh == (60, 40) and len(opened) >= 2


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_rgb_bytes_are_kept(tmp_path, suffix):
    pixels = gradient()
    scene = Scene.open(write_raster(tmp_path / f"a{suffix}", pixels))
    assert np.array_equal(scene.read(), as_rgb(pixels))
    assert scene.valid().all()
    assert (scene.name, scene.size_wh, scene.shape_hw) == (f"a{suffix}", (60, 40), (40, 60))
    assert (scene.gsd_m, scene.crs, scene.transform, scene.north_up) == (None, None, None, None)


def test_jpeg_is_close(tmp_path):
    flat = np.stack([np.full((32, 32), value, np.uint8) for value in (200, 30, 90)])
    found = Scene.open(write_raster(tmp_path / "a.jpg", flat, quality=95)).read()
    assert np.abs(found.astype(int) - (200, 30, 90)).max() <= 4


def test_suffix_may_lie(tmp_path):
    path = write_raster(tmp_path / "a.png", gradient())
    assert Scene.open(path.rename(tmp_path / "a.jpg")).size_wh == (60, 40)


@pytest.mark.parametrize("bands", [1, 2], ids=["grey", "two bands"])
def test_one_or_two_bands_are_grey(tmp_path, bands):
    pixels = gradient(bands=bands)
    found = Scene.open(write_raster(tmp_path / "a.tif", pixels)).read()
    assert np.array_equal(found, np.repeat(pixels[0][:, :, None], 3, axis=2))


@pytest.mark.parametrize("bands", [4, 6])
def test_more_bands_give_the_first_three_or_those_asked_for(tmp_path, bands):
    pixels = gradient(bands=bands)
    path = write_raster(tmp_path / "a.tif", pixels, photometric="MINISBLACK")
    assert np.array_equal(Scene.open(path).read(), as_rgb(pixels[:3]))
    assert np.array_equal(Scene.open(path, bands=(4, 2, 1)).read(), as_rgb(pixels[[3, 1, 0]]))
    assert np.array_equal(Scene.open(path, bands=[4]).read()[:, :, 1], pixels[3])


def test_colours_follow_the_file_s_own_names(tmp_path):
    pixels = gradient(bands=4)
    names = [ColorInterp.undefined, ColorInterp.blue, ColorInterp.green, ColorInterp.red]
    path = write_raster(tmp_path / "a.tif", pixels, photometric="MINISBLACK", colorinterp=names)
    assert np.array_equal(Scene.open(path).read(), as_rgb(pixels[[3, 2, 1]]))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_alpha_tells_which_pixels_are_valid(tmp_path, suffix):
    pixels = gradient(bands=4)
    pixels[3] = 255
    pixels[3, :10] = 0
    names = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    scene = Scene.open(write_raster(tmp_path / f"a{suffix}", pixels, colorinterp=names))
    assert np.array_equal(scene.read(), as_rgb(pixels[:3]))
    assert np.array_equal(scene.valid(), pixels[3] > 0)


def test_palette(tmp_path):
    index = np.array([[[0, 1], [2, 1]]], np.uint8).repeat(4, 1).repeat(4, 2)
    colours = {0: (10, 20, 30, 255), 1: (200, 100, 50, 255), 2: (0, 0, 255, 0)}
    for suffix in (".tif", ".png"):
        scene = Scene.open(write_raster(tmp_path / f"a{suffix}", index, colormap=colours))
        assert scene.read()[0, 0].tolist() == [10, 20, 30]
        assert scene.read()[0, 7].tolist() == [200, 100, 50]
        if suffix == ".png":  # TIFF palettes have no transparency
            assert not scene.valid()[7, 0]
        half = scene.read(out_size_wh=(4, 4))
        assert half[0, 0].tolist() == [10, 20, 30]


def test_one_bit_becomes_black_and_white(tmp_path):
    bits = (gradient(bands=1) > 100).astype(np.uint8)
    assert set(np.unique(Scene.open(write_raster(tmp_path / "a.tif", bits, nbits=1)).read())) == {0, 255}


@pytest.mark.parametrize(
    ("dtype", "top"), [("uint16", 3000), ("int16", 3000), ("uint32", 70_000), ("float32", 0.4), ("float64", 1e9)]
)
def test_more_than_eight_bits_are_stretched(tmp_path, dtype, top):
    pixels = gradient(dtype=dtype, top=top)
    found = Scene.open(write_raster(tmp_path / "a.tif", pixels)).read()
    assert found.dtype == np.uint8
    low, high = np.percentile(pixels[0], (2, 98))
    expected = np.clip((pixels[0] - low) / (high - low) * 255, 0, 255)
    assert np.abs(found[:, :, 0] - expected).max() <= 1.5


def test_sixteen_bit_png(tmp_path):
    found = Scene.open(write_raster(tmp_path / "a.png", gradient(dtype="uint16", top=60_000))).read()
    assert found.min() == 0
    assert found.max() == 255


@pytest.mark.parametrize("value", [0, 700, 1e-300])
def test_a_constant_image_is_no_error(tmp_path, value):
    pixels = np.full((3, 8, 8), value, "float64" if value == 1e-300 else "uint16")
    assert Scene.open(write_raster(tmp_path / "a.tif", pixels)).read().max() == 0


def test_nodata_nan_and_infinity(tmp_path):
    pixels = gradient(dtype="float32", top=1)
    pixels[:, :5] = -9999
    pixels[:, 6] = np.nan
    pixels[1, 7] = np.inf
    scene = Scene.open(write_raster(tmp_path / "a.tif", pixels, nodata=-9999))
    valid = scene.valid()
    assert not valid[:5].any()
    assert not valid[6:8].any()
    assert valid[5].all()
    assert valid[8:].all()
    found = scene.read()
    assert found[:5].max() == 0
    assert found[6:8].max() == 0
    low, high = np.percentile(pixels[0][valid], (2, 98))
    assert abs(int(found[20, 30, 0]) - np.clip((pixels[0, 20, 30] - low) / (high - low) * 255, 0, 255)) <= 1.5


def test_nodata_of_bytes_keeps_the_pixels(tmp_path):
    pixels = gradient() | 1
    pixels[:, :, :10] = 0
    pixels[0, 20] = 0  # one band alone is no hole
    scene = Scene.open(write_raster(tmp_path / "a.tif", pixels, nodata=0))
    assert np.array_equal(scene.valid(), (pixels != 0).any(axis=0))
    assert np.array_equal(scene.read(), as_rgb(pixels))


def test_internal_mask(tmp_path):
    mask = np.zeros((40, 60), bool)
    mask[5:20, 5:30] = True
    scene = Scene.open(write_raster(tmp_path / "a.tif", gradient(), mask=mask))
    assert np.array_equal(scene.valid(), mask)


# ---- which way is up


def exif_turned(path, orientation):
    """Adds an orientation to a JPEG (APP1 segment) or a PNG (eXIf chunk)."""
    data = path.read_bytes()
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)
    if path.suffix == ".jpg":
        body = b"Exif\0\0" + tiff
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]
    else:
        chunk = struct.pack(">I", len(tiff)) + b"eXIf" + tiff + struct.pack(">I", zlib.crc32(b"eXIf" + tiff))
        data = data[:33] + chunk + data[33:]
    path.write_bytes(data)
    return path


SHOWN = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),  # stored lying on its left side: turned clockwise to be shown
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_exif_orientation(tmp_path, orientation, suffix):
    path = write_raster(tmp_path / f"a{suffix}", gradient(), **({"quality": 95} if suffix == ".jpg" else {}))
    plain = Scene.open(path).read()
    turned = Scene.open(exif_turned(path, orientation))
    assert np.array_equal(turned.read(), SHOWN[orientation](plain))
    assert turned.shape_hw == turned.read().shape[:2]


def test_orientation_turns_the_map_too(tmp_path):
    path = write_raster(tmp_path / "a.png", gradient())
    world_file = "0.5\n0\n0\n-0.5\n1000.25\n1999.75\n"  # upper left corner at (1000, 2000)
    (tmp_path / "a.pgw").write_text(world_file)
    plain = Scene.open(path)
    assert plain.pixels_to_map([[0, 0], [60, 40]]).tolist() == [[1000, 2000], [1030, 1980]]
    for orientation, corner in {
        2: (60, 0),
        3: (60, 40),
        4: (0, 40),
        5: (0, 0),
        6: (0, 40),
        7: (60, 40),
        8: (60, 0),
    }.items():
        write_raster(path, gradient())
        (tmp_path / "a.pgw").write_text(world_file)
        turned = Scene.open(exif_turned(path, orientation))
        assert turned.pixels_to_map([0, 0]).tolist() == plain.pixels_to_map(corner).tolist()
        assert turned.gsd_m is None


# ---- windows


@settings(deadline=None, max_examples=30)
@given(st.tuples(*[st.integers(-80, 150)] * 2), st.tuples(*[st.integers(1, 90)] * 2))
def test_any_window_is_that_part_of_the_whole(scene_files, corner, size):
    x0, y0, x1, y1 = *corner, corner[0] + size[0], corner[1] + size[1]
    for scene, whole, valid in scene_files:
        canvas = np.zeros((500, 500, 3), np.uint8)
        canvas[100 : 100 + whole.shape[0], 100 : 100 + whole.shape[1]] = whole
        found = scene.read((x0, y0, x1, y1))
        assert np.array_equal(found, canvas[100 + y0 : 100 + y1, 100 + x0 : 100 + x1])
        holes = np.zeros((500, 500), bool)
        holes[100 : 100 + whole.shape[0], 100 : 100 + whole.shape[1]] = valid
        assert np.array_equal(scene.valid((x0, y0, x1, y1)), holes[100 + y0 : 100 + y1, 100 + x0 : 100 + x1])


@pytest.fixture(scope="module")
def scene_files(tmp_path_factory):
    """The same kinds of scene kept in memory and read by windows."""
    folder = tmp_path_factory.mktemp("windows")
    pixels = gradient(120, 140, dtype="float32", top=9.0)
    pixels[:, 30:50, 60:90] = np.nan
    bytes_ = write_raster(folder / "b.tif", gradient(120, 140), tiled=True, blockxsize=32, blockysize=32)
    floats = write_raster(folder / "f.tif", pixels, tiled=True, blockxsize=32, blockysize=32)
    scenes = [Scene.open(bytes_), Scene.open(floats)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("surveyor.core.raster._KEEP_DECODED_BYTES", 0)
        scenes += [Scene.open(bytes_), Scene.open(floats)]
    assert len({type(scene._source).__name__ for scene in scenes}) == 2
    return [(scene, scene.read(), scene.valid()) for scene in scenes]


def test_kept_and_windowed_scenes_are_the_same(scene_files):
    for (_, kept, kept_valid), (_, windowed, windowed_valid) in zip(scene_files[:2], scene_files[2:], strict=True):
        assert np.array_equal(kept, windowed)
        assert np.array_equal(kept_valid, windowed_valid)


@pytest.mark.parametrize("out", [(70, 60), (14, 12), (280, 240), (33, 77)])
def test_scaled_reads(scene_files, out):
    for scene, whole, valid in scene_files:
        found = scene.read(out_size_wh=out)
        assert found.shape == (out[1], out[0], 3)
        assert scene.valid(out_size_wh=out).shape == (out[1], out[0])
        if valid.all():
            assert abs(found.mean() - whole.mean()) < 3
        edge = scene.read((100, 80, 180, 160), out_size_wh=(40, 40))
        assert edge[:, 20:].max() == edge[20:].max() == 0
        assert edge[:19, :19].any()


def test_fractional_windows_widen_and_pixels_are_the_callers(scene_files):
    scene, whole, _ = scene_files[0]
    found = scene.read((3.2, 4.9, 8.1, 9.0))
    assert np.array_equal(found, whole[4:9, 3:9])
    found[:] = 0
    assert np.array_equal(scene.read((3, 4, 9, 9)), whole[4:9, 3:9])


@pytest.mark.parametrize("window", [(5, 5, 5, 9), (9, 9, 5, 5), (0, 0, float("nan"), 5), (0, 0, 5)])
def test_bad_windows(scene_files, window):
    with pytest.raises(UsageError, match="window"):
        scene_files[0][0].read(window)
    with pytest.raises(UsageError, match="window"):
        scene_files[0][0].read((0, 0, 5, 5), out_size_wh=(0, 5))


def test_threads_share_a_scene(scene_files):
    scene, whole, _ = scene_files[2]
    wrong = []

    def look(seed):
        rng = np.random.default_rng(seed)
        for x, y in rng.integers(0, 100, (40, 2)):
            if not np.array_equal(scene.read((x, y, x + 20, y + 20)), whole[y : y + 20, x : x + 20]):
                wrong.append((x, y))

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_levels_of_a_large_file_are_the_same_in_every_window(tmp_path, monkeypatch):
    monkeypatch.setattr("surveyor.core.raster._KEEP_DECODED_BYTES", 0)
    pixels = gradient(2100, 2000, bands=1, dtype="uint16", top=4000)
    scene = Scene.open(
        write_raster(
            tmp_path / "a.tif",
            pixels,
            tiled=True,
        )
    )
    whole = scene.read()
    assert np.array_equal(scene.read((500, 700, 900, 800)), whole[700:800, 500:900])
    low, high = np.percentile(pixels, (2, 98))
    assert np.abs(whole[:, :, 0] - np.clip((pixels[0] - low) / (high - low) * 255, 0, 255)).max() < 12


# ---- the ground


@pytest.mark.parametrize(
    ("crs", "transform", "gsd"),
    [
        ("EPSG:32611", Affine(0.6, 0, 430_000, 0, -0.6, 3_770_000), 0.6),
        ("EPSG:32611", Affine(0.5, 0, 430_000, 0, -2.0, 3_770_000), 1.0),  # sqrt(0.5 * 2)
        ("EPSG:2229", Affine(3, 0, 6_480_000, 0, -3, 1_840_000), 3 * 1200 / 3937),  # US survey feet
        # a web mercator pixel at 60 degrees north shows half the ground: cos(60) = 0.5 on a sphere
        ("EPSG:3857", Affine(1, 0, 1_000_000, 0, -1, 8_399_738), 0.5),
        # one 111,320th of a degree at the equator: 1 m along x, 0.9933 m along y
        ("EPSG:4326", Affine(1 / 111_319.49, 0, 10, 0, -1 / 111_319.49, 0), math.sqrt(0.99330)),
        ("EPSG:4326", Affine(1e-5, 0, 10, 0, -1e-5, 60), math.sqrt(0.558 * 1.1141)),
        # turned by 30 degrees
        ("EPSG:32611", turned_transform(30), 0.6),
        (None, Affine(0.6, 0, 0, 0, -0.6, 0), None),
    ],
    ids=["utm", "oblong", "feet", "web mercator", "degrees at the equator", "degrees at 60 N", "turned", "no crs"],
)
def test_gsd_from_the_file(tmp_path, crs, transform, gsd):
    scene = Scene.open(write_raster(tmp_path / "a.tif", gradient(), crs=crs, transform=transform))
    assert scene.gsd_m == (None if gsd is None else pytest.approx(gsd, rel=3e-3))
    points = np.array([[0, 0], [60, 40], [12.5, 7.25]])
    mapped = scene.pixels_to_map(points)
    assert mapped[0].tolist() == pytest.approx([transform.c, transform.f])
    assert scene.map_to_pixels(mapped) == pytest.approx(points, abs=1e-6)


def test_a_given_gsd_wins(tmp_path):
    path = write_raster(tmp_path / "a.tif", gradient(), **UTM)
    scene = Scene.open(path, gsd_m=0.25)
    assert (scene.gsd_m, scene.gsd_xy_m) == (0.25, (0.25, 0.25))
    assert scene.crs is not None
    other = scene.with_gsd(2)
    assert (other.gsd_m, other.name, other.crs, scene.gsd_m) == (2.0, "a.tif", scene.crs, 0.25)


@pytest.mark.parametrize("gsd", [0, -1, float("nan"), float("inf"), "wide"])
def test_bad_gsd(tmp_path, gsd):
    with pytest.raises(UsageError, match="gsd_m"):
        Scene.open(write_raster(tmp_path / "a.png", gradient()), gsd_m=gsd)


def test_crs_without_transform_and_the_other_way_round(tmp_path):
    scene = Scene.open(write_raster(tmp_path / "a.tif", gradient(), crs="EPSG:32611"))
    assert scene.crs is not None
    assert (scene.transform, scene.gsd_m) == (None, None)
    with pytest.raises(UsageError, match="no map coordinates"):
        scene.pixels_to_map([[0, 0]])


def test_north_up(tmp_path):
    turns = {0: True, 10: True, 30: False, 180: False}
    for degrees, expected in turns.items():
        transform = turned_transform(degrees)
        path = write_raster(tmp_path / f"{degrees}.tif", gradient(), crs="EPSG:32611", transform=transform)
        assert Scene.open(path).north_up is expected


# ---- identity


def test_digest(tmp_path, monkeypatch):
    path = write_raster(tmp_path / "a.png", gradient())
    scene = Scene.open(path)
    assert scene.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    pixels = as_rgb(gradient())
    assert Scene.from_array(pixels).digest == Scene.from_array(pixels.copy(), name="b").digest
    assert Scene.from_array(pixels).digest != Scene.from_array(pixels[:-1]).digest
    big = write_raster(tmp_path / "big.tif", gradient(800, 800))
    monkeypatch.setattr("surveyor.core.scene._WHOLE_DIGEST_BYTES", 1000)
    first = Scene.open(big).digest
    assert first.startswith("sampled-")
    big.write_bytes(big.read_bytes()[:-1] + b"x")
    assert Scene.open(big).digest != first


def test_from_array():
    rgb = as_rgb(gradient())
    scene = Scene.from_array(rgb, gsd_m=0.3, name="drawn")
    rgb[:] = 0
    assert scene.read().any()
    assert repr(scene) == "Scene('drawn', 60 x 40 px, gsd 0.3 m)"
    assert Scene.from_array(np.full((4, 5), 7, np.uint8)).read()[0, 0].tolist() == [7, 7, 7]
    rgba = np.dstack([as_rgb(gradient()), np.eye(40, 60, dtype=np.uint8)])
    assert Scene.from_array(rgba).valid().sum() == 40


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 3)),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
    ],
    ids=["float", "two channels", "flat", "one pixel", "transparent"],
)
def test_bad_arrays(array):
    with pytest.raises(UsageError):
        Scene.from_array(array)


# ---- real files


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
@pytest.mark.parametrize(
    ("file", "gsd", "mean"),
    [
        ("naip_series/m_4709963_se_14_1_20200831.tif", 5.0, 87),
        ("deepforest/OSBS_029.tif", 0.1, 151),
        ("urban_trees/images/chico_2020_94.tif", 0.6, 121),
        ("scenes_planet/planes_scene_1.png", None, 133),
        ("scenes_planet/ships_scene_1.png", None, None),
        ("whu_building/val/label/val_1.tif", None, 4),
        ("aerial_cars/DJI_0019.JPG", None, 126),
    ],
)
def test_real_files(file, gsd, mean):
    scene = Scene.open(SHARED / file)
    assert scene.gsd_m == (None if gsd is None else pytest.approx(gsd, rel=1e-2))
    assert mean is None or scene.read().mean() == pytest.approx(mean, abs=12)


def test_import_stays_light_and_c_libraries_stay_silent(tmp_path):
    jpeg = write_raster(tmp_path / "a.jpg", gradient(200, 200))
    data = jpeg.read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    tiff = write_raster(tmp_path / "a.tif", gradient(200, 200))
    (tmp_path / "cut.tif").write_bytes(tiff.read_bytes()[:5000])
    (tmp_path / "head.tif").write_bytes(tiff.read_bytes()[:60])
    code = """
import sys
from surveyor.core.scene import Scene
from surveyor.core.errors import UsageError
assert not {"rasterio", "pyproj", "torch"} & set(sys.modules), "heavy import"
for path in sys.argv[1:]:
    try:
        Scene.open(path).read()
    except UsageError as error:
        print(error)
"""
    paths = [str(tmp_path / name) for name in ("a.jpg", "a.tif", "cut.jpg", "cut.tif", "head.tif")]
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, env=dict(os.environ))
    assert done.stderr == ""
    assert done.stdout.count("\n") == 3
