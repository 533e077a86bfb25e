"""What `open_pair` makes of two dates: grids, misregistration, holes, and what it refuses."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from rasterio.warp import Resampling, reproject, transform_bounds
from surveyor.core.pair import open_pair
from surveyor.core.pair_grid import AffineMap, WarpedSource
from surveyor.core.scene import Scene
from surveyor.synth import draw_pair

from tests.raster_files import write_raster
from tests.test_alignment import euclidean, farthest, moved

UTM = "EPSG:32633"
GRID = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
PAIR = draw_pair("housing", 7, (400, 400))
BEFORE, AFTER = PAIR.before.image_rgb, PAIR.after.image_rgb


def write(path: Path, rgb: np.ndarray, transform: Affine | None = GRID, crs: str | None = UTM, **options: Any) -> Path:
    """An (H, W, 3) image as a file; georeferenced where a transform is given."""
    if transform is not None:
        options |= {"transform": transform, "crs": crs}
    return write_raster(path, np.ascontiguousarray(rgb.transpose(2, 0, 1)), **options)


def shifted(transform: Affine, x_px: float, y_px: float) -> Affine:
    """The transform of a window that begins at these pixels."""
    x, y = transform.c + transform.a * x_px, transform.f + transform.e * y_px
    return Affine(transform.a, transform.b, x, transform.d, transform.e, y)


def middle_error(shown: np.ndarray, wanted: np.ndarray, rim: int = 8) -> float:
    """Mean difference of two images without their rim, levels."""
    cut = np.s_[rim:-rim, rim:-rim]
    return float(np.abs(shown[cut].astype(float) - wanted[cut]).mean())


def test_the_same_grid_is_read_as_it_is(tmp_path: Path) -> None:
    paths = write(tmp_path / "a.tif", BEFORE), write(tmp_path / "b.tif", AFTER)
    pair = open_pair(*paths)
    assert np.array_equal(pair.before.read(), BEFORE)
    assert np.array_equal(pair.after.read(), AFTER)
    assert pair.valid().all() and pair.unknown_share == 0 and not pair.identical
    assert any("within 0.3 px" in note for note in pair.notes)
    assert pair.before.transform == pair.after.transform


@pytest.mark.parametrize("by", [(10, 6), (-37, 21)])
def test_an_offset_window_is_laid_by_its_coordinates(tmp_path: Path, by: tuple[int, int]) -> None:
    left, top = max(0, by[0]), max(0, by[1])
    first = write(tmp_path / "a.tif", BEFORE[top : top + 300, left : left + 300], shifted(GRID, left, top))
    x, y = left - by[0], top - by[1]
    second = write(tmp_path / "b.tif", AFTER[y : y + 300, x : x + 300], shifted(GRID, x, y))
    pair = open_pair(first, second)
    valid = pair.valid()
    assert pair.before.size_wh == (300, 300) and pair.before.transform == pair.after.transform
    assert valid.mean() == pytest.approx((300 - abs(by[0])) * (300 - abs(by[1])) / 300**2)
    wanted = BEFORE[y : y + 300, x : x + 300]
    assert np.abs(pair.before.read().astype(int) - wanted)[valid].max() <= 1
    assert pair.unknown["outside before"] == pytest.approx(1 - valid.mean(), abs=0.01)
    assert any("of the ground is unknown" in note for note in pair.notes)


@pytest.mark.parametrize(
    ("crs", "gsd", "turn"),
    [(UTM, 0.3, 0.0), (UTM, 0.8, 0.0), (UTM, 0.5, 17.0), ("EPSG:32634", 0.5, 0.0), ("EPSG:4326", 6e-6, 0.0)],
)
def test_other_grids_are_warped_as_rasterio_warps_them(tmp_path: Path, crs: str, gsd: float, turn: float) -> None:
    west, south, east, north = transform_bounds(UTM, crs, 500_000, 4_999_800, 500_200, 5_000_000)
    middle = Affine.translation((west + east) / 2, (south + north) / 2) @ Affine.rotation(turn)
    side = int(1.5 * max(east - west, north - south) / gsd)
    there = middle @ Affine(gsd, 0, -gsd * side / 2, 0, -gsd, gsd * side / 2)
    source = np.zeros((3, side, side), np.uint8)
    layers = {"src_transform": GRID, "src_crs": UTM, "dst_transform": there, "dst_crs": crs}
    reproject(BEFORE.transpose(2, 0, 1), source, **layers, resampling=Resampling.cubic, dst_nodata=0)
    first = write(tmp_path / "a.tif", source.transpose(1, 2, 0), there, crs)
    pair = open_pair(first, write(tmp_path / "b.tif", AFTER))
    wanted = np.zeros((3, 400, 400), np.uint8)
    layers = {"src_transform": there, "src_crs": crs, "dst_transform": GRID, "dst_crs": UTM}
    reproject(source, wanted, **layers, resampling=Resampling.cubic)
    assert pair.before.size_wh == (400, 400) and pair.before.crs == pair.after.crs
    assert pair.valid().mean() > 0.97
    apart = farthest(pair.alignment.matrix, np.eye(2, 3), 400) if pair.alignment else 0.0
    assert apart < 0.5  # the coordinates are right
    assert middle_error(pair.before.read(), wanted.transpose(1, 2, 0)) < 4
    words = " ".join(pair.notes)
    assert ("reprojected from" in words) == (crs != UTM)
    assert ("resampled from 0.3 to 0.5 m" in words) == (gsd == 0.3)


def test_a_misregistered_pair_is_brought_back_in_its_coordinates(tmp_path: Path) -> None:
    truth = euclidean(320, (8.0, -5.0), 1.0)
    first = write(tmp_path / "a.tif", moved(BEFORE, 320, truth))
    pair = open_pair(first, write(tmp_path / "b.tif", AFTER[40:360, 40:360]))
    assert pair.alignment is not None and farthest(pair.alignment.matrix, truth, 320) < 0.5
    assert middle_error(pair.before.read(), BEFORE[40:360, 40:360], rim=24) < 3
    assert np.allclose(pair.given_px(np.array([[160.0, 160.0]])), [[168.0, 155.0]], atol=0.3)
    assert any(re.search(r"shifted by 9\.[345] px and turned by (1\.0|0\.9)\d degrees", note) for note in pair.notes)
    assert not pair.valid().all()  # the rim that the earlier date does not show
    plain = open_pair(first, tmp_path / "b.tif", align=False)
    assert plain.alignment is None and np.array_equal(plain.before.read(), moved(BEFORE, 320, truth))


def test_a_shift_and_an_offset_grid_are_undone_in_one_step(tmp_path: Path) -> None:
    first = write(tmp_path / "a.tif", BEFORE[:, 5:], shifted(GRID, 0, 0))  # said to begin 5 px too far west
    pair = open_pair(first, write(tmp_path / "b.tif", AFTER[60:360, 60:360], shifted(GRID, 60, 60)))
    assert middle_error(pair.before.read(), BEFORE[60:360, 60:360]) < 3
    assert np.allclose(pair.given_px(np.array([[0.0, 0.0]])), [[55.0, 60.0]], atol=0.4)


def test_windows_agree_with_the_whole_and_with_other_threads() -> None:
    truth = euclidean(320, (3.3, -2.2), 0.7)
    pair = open_pair(Scene.from_array(moved(BEFORE, 320, truth)), Scene.from_array(AFTER[40:360, 40:360]))
    whole, known = pair.levelled.read(), pair.valid()
    wrong: list[object] = []

    def look(number: int) -> None:
        rng = np.random.default_rng(number)
        for _ in range(10):
            x, y = (int(v) for v in rng.integers(0, 250, 2))
            window = (x, y, x + 70, y + 70)
            part = np.abs(pair.levelled.read(window).astype(int) - whole[y : y + 70, x : x + 70])
            if (
                part.max() > 6
                or part.mean() > 0.3
                or (pair.valid(window) != known[y : y + 70, x : x + 70]).mean() > 0.01
            ):
                wrong.append((number, window, part.max()))

    threads = [threading.Thread(target=look, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_files_holes_are_unknown_after_warping(tmp_path: Path) -> None:
    image = BEFORE.clip(1)
    image[100:140, 200:260] = 0
    first = write(tmp_path / "a.tif", image, nodata=0)
    pair = open_pair(
        first, write(tmp_path / "b.tif", AFTER.clip(1)[10:390, 10:390], shifted(GRID, 10.4, 10.4), nodata=0)
    )
    known, shown = pair.valid(), pair.before.read()
    assert not known[95:125, 195:245].any() and known[:80].mean() > 0.98
    assert pair.unknown["no data"] == pytest.approx(44 * 64 / 380**2, abs=0.008)  # with the margins
    assert shown[known].min() > 0  # nothing of the hole's value is mixed into what counts as known


def test_a_warped_scene_tells_its_content_apart() -> None:
    scene = Scene.from_array(BEFORE)
    grid = Scene.from_array(AFTER)
    turned = euclidean(400, (4, 4), 0)
    first, second = (open_pair(Scene.from_array(moved(BEFORE, 400, m)), grid).before for m in (turned, np.eye(2, 3)))
    assert first.digest != second.digest and second.digest == scene.digest
    assert first.path is None


def test_averaging_before_interpolation_keeps_the_mean() -> None:
    stripes = np.zeros((400, 400, 3), np.uint8)
    stripes[:, ::2] = 200
    source = WarpedSource(Scene.from_array(stripes), AffineMap(np.array([[4.0, 0, 0], [0, 4.0, 0]])), (100, 100))
    shown = source.read((0, 0, 100, 100), (100, 100))
    assert shown.min() >= 98 and shown.max() <= 102
    assert source.valid((0, 0, 100, 100), (100, 100)).all()
    beyond = WarpedSource(Scene.from_array(stripes), AffineMap(np.array([[1.0, 0, 900], [0, 1.0, 0]])), (100, 100))
    assert not beyond.read((0, 0, 9, 9), (9, 9)).any() and not beyond.valid((0, 0, 9, 9), (9, 9)).any()
