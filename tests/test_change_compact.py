"""The embedded change detector: tiles, ground sizes, nodata, directions; and what the shipped network does."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.errors import UnknownPhrase, UsageError
from surveyor.core.pair import open_pair
from surveyor.core.progress import listening, noting
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.synth import draw_pair
from surveyor.tools.models.compact.change import WEIGHTS, CompactChange, Limits
from surveyor.tools.models.compact.change_maps import MULTIPLE, apart, connected, tiles

SIDE = 256


class White(CompactChange):
    """In the network's place: a building is what is white, and what only one date shows changed."""

    def _run(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        assert all(side % MULTIPLE == 0 for image in (before, after) for side in image.shape[2:])
        first, second = ((image.mean(axis=1) > 200) * 0.9 + 0.05 for image in (before, after))
        return np.stack([np.abs(first - second) / 0.9, first, second], axis=1).astype(np.float32)


def ground(*boxes: tuple[int, int, int, int], side: int = SIDE) -> np.ndarray:
    pixels = np.random.default_rng(0).integers(60, 120, (side, side, 3)).astype(np.uint8)
    for x0, y0, x1, y1 in boxes:
        pixels[y0:y1, x0:x1] = 240
    return pixels


def scene(pixels: np.ndarray, gsd_m: float | None = 0.5) -> Scene:
    return Scene.from_array(pixels, gsd_m=gsd_m, name="date.png")


def covered(regions: tuple[Region, ...], shape_hw: tuple[int, int]) -> np.ndarray:
    total = np.zeros(shape_hw, bool)
    for region in regions:
        assert region.mask is not None
        total |= region.mask.to_array()
    return total


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


# ---- what surrounds the network


@pytest.mark.parametrize(
    ("first", "second", "direction"),
    [
        ((), ((40, 60, 90, 100),), "new"),
        (((40, 60, 90, 100),), (), "gone"),
    ],
    ids=["new", "gone"],
)
def test_direction_is_what_the_two_dates_show(first: tuple, second: tuple, direction: str) -> None:
    (found,) = White().changes(scene(ground(*first)), scene(ground(*second)), "buildings")
    assert found.change is not None and found.change.direction == direction
    assert found.label == "buildings" and found.source == "compact"
    assert np.abs(found.box_px - [40, 60, 90, 100]).max() <= 1
    assert found.score is not None and 0.5 < found.score <= 1
    absent, present = (found.change.before, found.change.after)[:: 1 if direction == "new" else -1]
    assert absent is not None and present is not None and absent < 0.2 < 0.8 < present
    assert "5 %" in found.change.reason


def test_a_direction_that_nothing_tells_is_none() -> None:
    class Unsure(White):
        def _run(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
            sure = super()._run(before, after)
            sure[:, 1:] = 0.4
            return sure

    limits = Limits(changed=0.3)
    (found,) = Unsure(limits=limits).changes(scene(ground()), scene(ground((40, 60, 90, 100))), "building")
    assert found.change is not None and found.change.direction is None
    assert found.change.reason == "built: 40 % before, 40 % after"


def test_the_same_image_twice_has_not_changed() -> None:
    for model in (White(), CompactChange()):
        image = draw_pair("housing", 3, (SIDE, SIDE), 0.3).after.image_rgb
        assert model.changes(scene(image, 0.3), scene(image, 0.3), "building") == ()


@pytest.mark.parametrize("model", [White(), CompactChange()], ids=["drawn", "shipped"])
@pytest.mark.parametrize("gsd_m", [0.2, 0.5])
def test_nodata_never_changes(model: CompactChange, gsd_m: float) -> None:
    pair = draw_pair("housing", 12, (SIDE, SIDE), gsd_m)
    first = np.dstack([ground((20, 20, 120, 120)), np.full((SIDE, SIDE), 255, np.uint8)])
    first[:, 70:, 3] = 0
    first[:, 70:, :3] = 0
    for second in (ground((150, 150, 220, 220)), pair.after.image_rgb, np.full((SIDE, SIDE, 3), 255, np.uint8)):
        for dates in ((scene(first, gsd_m), scene(second, gsd_m)), (scene(second, gsd_m), scene(first, gsd_m))):
            found = covered(model.changes(*dates, "building"), (SIDE, SIDE))
            assert not found[:, 70:].any()


def test_nowhere_in_common_is_no_change() -> None:
    half = np.dstack([ground(), np.full((SIDE, SIDE), 255, np.uint8)])
    other = half.copy()
    half[:, :128, 3], other[:, 128:, 3] = 0, 0
    assert CompactChange().changes(scene(half), scene(other), "building") == ()


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([256, 768, 1024]))
@settings(max_examples=60, deadline=None)
def test_tiles_decide_every_pixel_once(width: int, height: int, tile: int) -> None:
    decided = np.zeros((height, width), np.uint8)
    for seen, (x0, y0, x1, y1) in tiles((width, height), tile, 64):
        assert seen[0] <= x0 < x1 <= seen[2] <= width and seen[1] <= y0 < y1 <= seen[3] <= height
        assert max(seen[2] - seen[0], seen[3] - seen[1]) <= tile and seen[0] % MULTIPLE == seen[1] % MULTIPLE == 0
        decided[y0:y1, x0:x1] += 1
    assert (decided == 1).all()


@given(st.integers(0, 10_000), st.integers(9, 90), st.integers(9, 90), st.floats(0.02, 0.6))
@settings(max_examples=60, deadline=None)
def test_parts_are_those_of_opencv(seed: int, height: int, width: int, share: float) -> None:
    mask = cv2.blur(np.random.default_rng(seed).random((height, width)), (3, 3)) > np.quantile(
        cv2.blur(np.random.default_rng(seed).random((height, width)), (3, 3)), 1 - share
    )
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    wanted = {np.flatnonzero(labels == part).tobytes() for part in range(1, count) if (labels == part).sum() >= 3}
    found = []
    for here, inside in connected(mask, 3):
        assert inside.any(axis=0).all() and inside.any(axis=1).all()  # tight
        whole = np.zeros_like(mask)
        whole[here] = inside
        found.append(np.flatnonzero(whole).tobytes())
    assert set(found) == wanted and len(found) == len(wanted)


def test_tiles_leave_no_seams() -> None:
    """The shipped network, in one piece and in small tiles: the same buildings but for a rim."""
    pair = draw_pair("housing", 21, (896, 896), 0.4)
    dates = scene(pair.before.image_rgb, 0.4), scene(pair.after.image_rgb, 0.4)
    whole, tiled = (CompactChange(tile=tile).maps(*dates).changed.astype(float) / 255 for tile in (1024, 448))
    assert np.abs(whole - tiled).mean() < 0.004
    assert ((whole > 0.4) != (tiled > 0.4)).mean() < 0.002
    crossing = ground((100, 440, 800, 470), side=896)  # over the borders of all tiles of a row
    (found,) = White(tile=448).changes(scene(ground(side=896), 0.4), scene(crossing, 0.4), "building")
    assert iou(covered((found,), (896, 896)), crossing[..., 0] == 240) > 0.97


@pytest.mark.parametrize("gsd_m", [0.1, 0.25, 0.4, 0.9, None], ids=str)
def test_finer_scenes_are_averaged_and_outlined_in_their_own_pixels(gsd_m: float | None) -> None:
    box = (90, 130, 231, 251)
    (found,) = White().changes(scene(ground(side=301), gsd_m), scene(ground(box, side=301), gsd_m), "building")
    wanted = np.zeros((301, 301), bool)
    wanted[130:251, 90:231] = True
    assert iou(covered((found,), (301, 301)), wanted) > 0.93
    assert np.abs(found.box_px - box).max() <= 3


def test_what_weakens_the_result_is_noted() -> None:
    told: list[str] = []
    with noting(told):
        for gsd_m in (None, 0.3):
            White().changes(scene(ground(), gsd_m), scene(ground((40, 60, 90, 100)), gsd_m), "change")
    assert len(told) == 2
    assert "buildings only" in told[0] and "not known" in told[1]


def test_small_specks_are_no_buildings() -> None:
    shed = (40, 60, 46, 66)  # 9 m2
    assert White().changes(scene(ground()), scene(ground(shed)), "building") == ()
    assert len(White(limits=Limits(least_m2=4)).changes(scene(ground()), scene(ground(shed)), "building")) == 1


@pytest.mark.parametrize("phrase", ["building", "the houses", "changes", "buildings"])
def test_phrases_for_buildings_are_answered(phrase: str) -> None:
    (found,) = White().changes(scene(ground()), scene(ground((40, 60, 90, 100))), phrase)
    assert found.label == phrase
    assert White().knows() == ("building",)


def test_other_things_are_refused() -> None:
    with pytest.raises(UnknownPhrase, match="change=cva"):
        CompactChange().changes(scene(ground()), scene(ground()), "ships")


def test_sizes_must_agree() -> None:
    with pytest.raises(UsageError, match=r"256 x 256 px and 'date.png' 300 x 300"):
        CompactChange().changes(scene(ground()), scene(ground(side=300)), "building")


def test_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="reinstall"):
        CompactChange(tmp_path / "change.onnx")


@pytest.mark.parametrize("tile", [0, 256, 500])
def test_tiles_that_leave_no_middle_are_refused(tile: int) -> None:
    with pytest.raises(UsageError, match="multiple of 32 above 256"):
        CompactChange(tile=tile)


def test_version_tells_weights_and_limits() -> None:
    assert CompactChange().version == CompactChange().version != CompactChange(limits=Limits(sure=0.9)).version
    assert WEIGHTS.stat().st_size <= 20e6


def test_progress_is_reported() -> None:
    told: list[tuple[str, int, int]] = []
    with listening(lambda *what: told.append(what)):
        White(tile=320).maps(scene(ground(side=400), 0.4), scene(ground((9, 9, 60, 60), side=400), 0.4))
    assert told[0][:2] == ("comparing", 0) and told[-1][1] == told[-1][2] > 1


# ---- what the shipped network finds on drawn pairs

PAIRS = ((5, 0.3), (7, 0.3), (13, 0.3))
"""Seeds and metres a pixel of drawn pairs that the recipe does not use."""
WIDE = 592


def drawn(seed: int, gsd_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pair = draw_pair("housing", 60_000 + seed, (WIDE, WIDE), gsd_m)
    return pair.before.image_rgb, pair.after.image_rgb, pair.change.mask(label="building")


@pytest.mark.parametrize(("seed", "gsd_m"), PAIRS)
def test_drawn_buildings_are_found_and_swapped_dates_swap_directions(seed: int, gsd_m: float) -> None:
    before, after, changed = drawn(seed, gsd_m)
    there = CompactChange().changes(scene(before, gsd_m), scene(after, gsd_m), "building")
    back = CompactChange().changes(scene(after, gsd_m), scene(before, gsd_m), "building")
    assert iou(covered(there, (WIDE, WIDE)), changed) > 0.5
    assert iou(covered(there, (WIDE, WIDE)), covered(back, (WIDE, WIDE))) > 0.99  # the network is symmetric
    swapped = {"new": "gone", "gone": "new", "altered": "altered", None: None}
    told = [region.change.direction for region in there if region.change]
    assert [swapped[each] for each in told] == [region.change.direction for region in back if region.change]
    assert {"new", "gone"} & set(told)


@pytest.mark.parametrize(
    ("seed", "gsd_m", "shift", "turn_deg"), [(*PAIRS[1], (12.0, -7.5), 0.0), (*PAIRS[2], (-5.0, 9.0), 2.0)], ids=str
)
def test_a_shifted_pair_gives_the_same_answer(
    seed: int, gsd_m: float, shift: tuple[float, float], turn_deg: float
) -> None:
    before, after, _ = drawn(seed, gsd_m)
    middle = slice(40, 552)
    move = cv2.getRotationMatrix2D((296, 296), turn_deg, 1)
    move[:, 2] += shift
    moved = cv2.warpAffine(before, move, (WIDE, WIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    found = []
    for image in (before, moved):
        pair = open_pair(scene(image[middle, middle].copy(), gsd_m), scene(after[middle, middle].copy(), gsd_m))
        regions = CompactChange().changes(pair.levelled, pair.levelled_after, "building")
        found.append((regions, pair.valid()))
    (aligned, _), (shifted, known) = found
    assert len(aligned) == len(shifted) > 0
    assert iou(covered(aligned, (512, 512)) & known, covered(shifted, (512, 512)) & known) > 0.85
    assert [r.change.direction for r in aligned if r.change] == [r.change.direction for r in shifted if r.change]


def test_scenes_that_are_too_coarse_are_refused_with_what_to_use() -> None:
    coarse = [Scene.from_array(np.full((64, 64, 3), value, np.uint8), gsd_m=5.0) for value in (40, 200)]
    with pytest.raises(UsageError, match=r"5 m a pixel .*change=cva"):
        CompactChange(threads=1).changes(coarse[0], coarse[1], "building")


def _row(gap: int) -> np.ndarray:
    """Two houses whose probability falls to `gap` between them."""
    sure = np.zeros((40, 90), np.uint8)
    sure[5:35, 5:85] = gap
    sure[5:35, 5:40] = sure[5:35, 50:85] = 230
    return sure


def test_houses_of_a_row_are_told_apart_where_a_valley_lies_between_them() -> None:
    sure = _row(150)
    parts = apart(sure, sure > 0, 100, 0.15)
    assert len(parts) == 2 and np.array_equal(parts[0] | parts[1], sure > 0) and not (parts[0] & parts[1]).any()
    assert sorted(int(part.sum()) for part in parts) == [1200, 1200]
    assert len(apart(_row(215), sure > 0, 100, 0.15)) == 1, "one roof, a little darker in the middle"
    assert len(apart(sure, sure > 0, 3000, 0.15)) == 1, "peaks too small to be buildings"
