"""Pairs that are wrong or odd: each is refused in words, or taken with a note that says so; clouds and light."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import pytest
from affine import Affine
from surveyor.core.errors import UsageError
from surveyor.core.pair import open_pair
from surveyor.core.pair_clouds import cloud_mask
from surveyor.core.pair_light import matched_light
from surveyor.core.pair_metadata import parsed_date
from surveyor.core.scene import Scene
from surveyor.synth import KINDS, draw_pair

from tests.raster_files import write_raster
from tests.test_pair import AFTER, BEFORE, GRID, UTM, shifted, write


def told(pair: object, words: str) -> bool:
    """Whether a note of the pair has these words."""
    return any(words in note for note in pair.notes)  # type: ignore[attr-defined]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    there = write(tmp_path / "b.tif", AFTER)
    for files in ((tmp_path / "a.tif", there), (there, tmp_path / "a.tif")):
        with pytest.raises(UsageError, match=r"there is no file .*a.tif"):
            open_pair(*files)


def test_the_same_file_or_pixels_twice_are_no_change(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", BEFORE)
    copy = write(tmp_path / "b.tif", BEFORE)
    for files in ((path, path), (path, copy), (Scene.from_array(BEFORE), Scene.from_array(BEFORE))):
        pair = open_pair(*files)
        assert pair.identical and told(pair, "the very same pixels")
        assert np.array_equal(pair.levelled.read(), pair.after.read())
    one_off = BEFORE.copy()
    one_off[-1, -1] ^= 1
    assert not open_pair(Scene.from_array(BEFORE), Scene.from_array(one_off)).identical


@pytest.mark.parametrize(
    ("by", "words"),
    [((5000, 0), "do not overlap"), ((399, 0), "overlap by only 1.0 x 400.0 px"), ((0, -380), "20.0 px")],
)
def test_no_or_hardly_any_overlap_is_refused_with_places(tmp_path: Path, by: tuple[int, int], words: str) -> None:
    files = write(tmp_path / "a.tif", BEFORE, shifted(GRID, *by)), write(tmp_path / "b.tif", AFTER)
    with pytest.raises(UsageError, match=words) as refused:
        open_pair(*files)
    assert "x 500000.0 to 500200.0" in str(refused.value) and UTM in str(refused.value)


def test_sizes_without_georeference_must_be_equal(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"400 x 400 px and .* 300 x 300.*resize 'array' to 300 x 300 px"):
        open_pair(Scene.from_array(BEFORE), Scene.from_array(AFTER[:300, :300]))
    placed = write(tmp_path / "b.tif", AFTER)
    with pytest.raises(UsageError, match="'array' has no georeference"):
        open_pair(Scene.from_array(BEFORE[:200]), placed)


def test_one_georeference_serves_both_of_equal_size(tmp_path: Path) -> None:
    placed = write(tmp_path / "b.tif", AFTER)
    for files in ((Scene.from_array(BEFORE), placed), (placed, Scene.from_array(BEFORE))):
        pair = open_pair(*files)
        assert told(pair, "'array' has no georeference; it has the other's size")
        assert pair.after.transform is not None and pair.before.transform == pair.after.transform
        assert np.allclose(pair.after.pixels_to_map(np.zeros(2)), (500_000, 5_000_000), atol=0.2)


def test_an_unrelated_pair_is_refused_unless_told_otherwise(tmp_path: Path) -> None:
    other = draw_pair("river", 31, (400, 400)).after.image_rgb
    with pytest.raises(UsageError, match=r"do not show the same ground.*align=False"):
        open_pair(Scene.from_array(BEFORE), Scene.from_array(other))
    pair = open_pair(Scene.from_array(BEFORE), Scene.from_array(other), align=False)
    assert pair.alignment is None and pair.valid().mean() > 0.5
    placed = open_pair(write(tmp_path / "a.tif", BEFORE), write(tmp_path / "b.tif", other))
    assert told(placed, "do not look alike where their coordinates lay them")


def test_bands_and_depths_may_differ(tmp_path: Path) -> None:
    grey = cv2.cvtColor(BEFORE, cv2.COLOR_RGB2GRAY)[None].astype(np.uint16) * 16
    first = write_raster(tmp_path / "a.tif", grey, transform=GRID, crs=UTM)
    pair = open_pair(first, write(tmp_path / "b.tif", AFTER))
    assert told(pair, "before has 1 band of uint16, after 3 bands of uint8")
    assert told(pair, "before is grey and the other in colour")
    for scene in (pair.levelled, pair.levelled_after):
        shown = scene.read()
        assert (shown == shown[..., :1]).all()
    assert np.array_equal(pair.after.read(), AFTER)  # what is shown keeps its colours


def test_swapped_dates_are_told_and_not_swapped(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.tif", BEFORE), write(tmp_path / "b.tif", AFTER)
    import rasterio

    for path, when in ((first, "2020:08:31 10:00:00"), (second, "2010:06:29 10:00:00")):
        with rasterio.open(path, "r+") as file:
            file.update_tags(TIFFTAG_DATETIME=when)
    pair = open_pair(first, second)
    assert told(pair, "before is of 2020-08-31 (TIFFTAG_DATETIME) and after of 2010-06-29")
    assert pair.given.path == first
    assert not told(open_pair(second, first), "swapped")


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2020:08:31 10:22:11", datetime(2020, 8, 31, 10, 22, 11)),
        ("2020-08-31T10:22:11.024Z", datetime(2020, 8, 31, 10, 22, 11)),
        ("20200831", datetime(2020, 8, 31)),
        ("2020:13:31", None),
        ("0000:00:00 00:00:00", None),
        ("31.8.2020", None),
        ("", None),
    ],
)
def test_dates_are_read_or_left(text: str, when: datetime | None) -> None:
    assert parsed_date(text) == when


def test_nodata_everywhere_or_nowhere_together_is_refused(tmp_path: Path) -> None:
    empty = write(tmp_path / "a.tif", np.zeros_like(BEFORE), nodata=0)
    with pytest.raises(UsageError, match="no valid pixel"):
        open_pair(empty, write(tmp_path / "b.tif", AFTER))
    left, right = AFTER.clip(1), BEFORE.clip(1)
    left[:, 200:], right[:, :200] = 0, 0
    with pytest.raises(UsageError, match="no place where both hold data"):
        open_pair(write(tmp_path / "c.tif", left, nodata=0), write(tmp_path / "d.tif", right, nodata=0))


@pytest.mark.parametrize("side", [2, 31, 63])
def test_tiny_images_are_taken_as_they_lie(side: int) -> None:
    pair = open_pair(Scene.from_array(BEFORE[:side, :side]), Scene.from_array(AFTER[:side, :side]))
    assert told(pair, "too small to be aligned") and pair.alignment is None
    assert pair.before.size_wh == (side, side)


def test_images_without_texture_are_taken_as_they_lie() -> None:
    flat = np.full((200, 200, 3), 90, np.uint8)
    pair = open_pair(Scene.from_array(flat), Scene.from_array(flat + 40))
    assert told(pair, "too little to see") and np.array_equal(pair.before.read(), flat)


def test_very_different_pixels_are_told(tmp_path: Path) -> None:
    coarse = cv2.resize(BEFORE, (50, 50), interpolation=cv2.INTER_AREA)
    first = write(tmp_path / "a.tif", coarse, Affine(4, 0, GRID.c, 0, -4, GRID.f))
    pair = open_pair(first, write(tmp_path / "b.tif", AFTER), align=False)
    assert told(pair, "after has 8 times finer pixels") and told(pair, "resampled from 4 to 0.5 m")


def clouded(image: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The image below a drawn cloud, and where the cloud hides more than half of the light."""
    rng, shape = np.random.default_rng(seed), image.shape[:2]
    height = np.zeros(shape, np.float32)
    for cells, weight in ((4, 1.0), (8, 0.5), (16, 0.25), (32, 0.12)):
        noise = rng.random((cells, cells)).astype(np.float32)
        height += weight * cv2.resize(noise, shape[::-1], interpolation=cv2.INTER_CUBIC)
    cover = np.clip((height - np.quantile(height, 0.8)) / 0.35 + 0.5, 0, 1)[..., None]
    cover = cover * cover * (3 - 2 * cover)
    top = 225 + 18 * (height - height.mean())[..., None]
    return np.clip(image * (1 - cover) + top * cover, 0, 255).astype(np.uint8), cover[..., 0] > 0.5


def test_below_a_cloud_is_unknown() -> None:
    ious = []
    for seed, kind in enumerate(KINDS):
        pair = draw_pair(kind, seed, (512, 512))
        after, hidden = clouded(pair.after.image_rgb, seed)
        found = open_pair(Scene.from_array(pair.before.image_rgb), Scene.from_array(after))
        unknown = ~found.valid()
        ious.append((unknown & hidden).sum() / (unknown | hidden).sum())
        assert found.unknown["clouds"] == pytest.approx(unknown.mean(), abs=0.03)
    assert np.median(ious) > 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_scenes_have_no_clouds(kind: str) -> None:
    for seed in range(3):
        pair = draw_pair(kind, seed, (512, 512))
        dates, known = (pair.before.image_rgb, pair.after.image_rgb), np.ones((512, 512), bool)
        assert not any(cloud_mask(one, other, known).any() for one, other in (dates, dates[::-1]))


def test_a_new_white_roof_is_no_cloud() -> None:
    roofed = BEFORE.copy()
    cv2.fillPoly(roofed, [np.array([[80, 90], [260, 60], [290, 240], [110, 270]])], (240, 240, 238))
    assert not cloud_mask(roofed, BEFORE, np.ones((400, 400), bool)).any()


def test_light_is_matched_on_what_did_not_change() -> None:
    dull = np.clip(BEFORE * np.array([0.7, 0.8, 0.75]) + np.array([30, 10, 20]), 0, 255)
    changed = dull.astype(np.uint8)
    changed[100:220, 100:260] = (230, 40, 40)  # 12 % of the image
    pair = open_pair(Scene.from_array(BEFORE), Scene.from_array(changed))
    assert np.allclose(pair.light.gain, [0.7, 0.8, 0.75], atol=0.04)
    rest = np.ones((400, 400), bool)
    rest[90:230, 90:270] = False
    assert np.abs(pair.levelled.read()[rest].astype(int) - changed[rest]).mean() < 3
    assert np.array_equal(pair.before.read(), BEFORE)
    assert told(pair, "the dates differ in light")


def test_light_of_unlike_dates_brings_over_the_level_alone() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.integers(low, low + 60, (64, 64, 3), np.uint8) for low in (40, 120))
    light = matched_light(first, second, np.ones((64, 64), bool))
    assert (light.gain == 1).all() and np.allclose(light.offset, 80, atol=4)
