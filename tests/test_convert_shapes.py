"""Windows, what they show of things, key points and polygons: hand-worked cases first, then what always holds."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.errors import UsageError
from surveyor.core.geometry import box_to_corners, canonical_corners
from surveyor.core.masks import Mask
from surveyor.evals.datasets.record import Thing
from surveyor.finetune.convert import shapes
from surveyor.finetune.convert.shapes import (
    LEAST_IOU,
    NotTold,
    box_of_mask,
    boxed_with_points,
    key_points,
    oriented,
    outlined,
    patches,
)
from surveyor.finetune.records.windows import ABSENT, SHOWN, Cutter, mask_in, quarters, windows_of

SIDE = st.integers(30, 400)


def boxed(x0: float, y0: float, x1: float, y1: float, id: str = "1") -> Thing:
    box = np.array([x0, y0, x1, y1], dtype=np.float64)
    return Thing(id, "ship", box, corners_px=box_to_corners(box))


def disc(radius: int, side: int, hole: int = 0) -> Mask:
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    away = np.hypot(x, y)
    return Mask.from_array((away < radius) & (away >= hole))


# ---- windows ----------------------------------------------------------------------------------------------------


@given(SIDE, SIDE, st.integers(64, 200), st.floats(0, 0.5))
def test_windows_cover_and_quarters_do(width: int, height: int, side: int, share: float) -> None:
    windows = windows_of((width, height), side, int(side * share))
    parts = [part for window in windows for part in quarters(window)]
    for found in (windows, parts):
        shown = np.zeros((height, width), dtype=bool)
        for x0, y0, x1, y1 in found:
            assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
            assert x1 - x0 <= side and y1 - y0 <= side
            shown[y0:y1, x0:x1] = True
        assert shown.all()
    assert max(x1 - x0 for x0, _, x1, _ in parts) < max(x1 - x0 for x0, _, x1, _ in windows)


def test_a_window_that_makes_none_is_refused() -> None:
    with pytest.raises(UsageError, match="overlap"):
        windows_of((900, 900), 100, 80)


@pytest.mark.parametrize(
    ("x0", "share", "is_shown"),
    [(50, 1.0, True), (80, 1.0, True), (86, 0.7, True), (87, 0.65, False), (98, 0.1, False), (99, None, False)],
    ids=["inside", "at the edge", "70 %", "65 %", "10 %", "a sliver of a pixel"],
)
def test_what_a_window_shows_of_a_thing(x0: float, share: float | None, is_shown: bool) -> None:
    """A thing of 20 x 10 px in an image of 200 x 100 whose left half is shown."""
    found = Cutter([boxed(x0, 40, x0 + 20, 50)], (200, 100)).seen((0, 0, 100, 100))
    if share is None:
        assert found == []
        return
    (seen,) = found
    assert seen.share == pytest.approx(share) and seen.is_shown == is_shown
    assert oriented(seen, (0, 0, 100, 100)).points == tuple(
        map(tuple, box_to_corners(np.array([x0, 40.0, min(x0 + 20, 100), 50])).tolist())
    )


def test_less_than_a_twentieth_is_not_there() -> None:
    cutter = Cutter([boxed(96, 0, 196, 10)], (200, 100))
    assert cutter.seen((0, 0, 100, 100)) == []  # 4 of 100 px
    assert cutter.seen((0, 0, 101, 100))[0].share == pytest.approx(ABSENT)


def test_what_the_image_cuts_is_whole_and_what_lies_beyond_it_is_not_there() -> None:
    """60 px of a thing of 100 are in the image: the annotators saw as much, and the window shows all of that."""
    cutter = Cutter([boxed(-40, 10, 60, 20), boxed(-50, 10, -10, 20, "2"), boxed(0, 0, 0, 0, "3")], (200, 100))
    (seen,) = cutter.seen((0, 0, 100, 100))
    assert (seen.share, cutter.outside) == (1.0, 2)
    assert seen.corners.tolist() == [[0, 10], [60, 10], [60, 20], [0, 20]]


def test_no_things() -> None:
    cutter = Cutter([], (200, 100))
    assert (cutter.seen((0, 0, 100, 100)), cutter.outside) == ([], 0)


def test_masks_are_shown_by_their_pixels() -> None:
    pixels = np.zeros((20, 40), dtype=bool)
    pixels[5:10, 5:25] = True
    mask = Mask.from_array(pixels)
    thing = Thing("1", "road", np.array([5.0, 5, 25, 10]), mask=mask)
    (seen,) = Cutter([thing], (40, 20)).seen((10, 0, 40, 20))
    assert seen.share == 0.75 and seen.mask is not None
    assert np.array_equal(seen.mask.to_array(), pixels[:, 10:])
    marked = boxed_with_points(seen, (10, 0, 40, 20), 1)
    assert marked.points == ((0, 5), (15, 10)) and marked.keypoints[0][1] == 7.5
    assert marked.rle is not None and Mask.from_rle(marked.rle) == seen.mask == mask_in(mask, (10, 0, 40, 20))


QUAD = st.tuples(st.floats(-20, 120), st.floats(-20, 120), st.floats(4, 60), st.floats(4, 60), st.floats(0, 180))


@given(QUAD, st.integers(0, 90), st.integers(0, 90), st.integers(10, 60))
def test_shares_are_those_of_the_areas(quad: tuple[float, ...], left: int, top: int, side: int) -> None:
    x, y, w, h, angle = quad
    turn = np.radians(angle)
    u, v = np.array([np.cos(turn), np.sin(turn)]) * w / 2, np.array([-np.sin(turn), np.cos(turn)]) * h / 2
    corners = canonical_corners(np.array([x, y]) + np.array([-u - v, u - v, u + v, v - u]))
    thing = Thing("1", "ship", np.array([0.0, 0, 1, 1]), corners_px=corners)
    image, window = shapely.box(0, 0, 150, 150), (left, top, left + side, top + side)
    inside = shapely.Polygon(corners).intersection(image)
    seen = Cutter([thing], (150, 150)).seen(window)
    expected = inside.intersection(shapely.box(*window)).area / inside.area if inside.area else 0
    if seen:
        assert seen[0].share == pytest.approx(expected)
        assert seen[0].is_shown == (seen[0].share >= SHOWN)
        grown = shapely.Polygon(seen[0].corners).buffer(1e-6)
        assert grown.covers(inside.intersection(shapely.box(*window)))
    else:
        part = inside.intersection(shapely.box(*window))
        low = min(part.bounds[2] - part.bounds[0], part.bounds[3] - part.bounds[1]) if part.area else 0
        assert expected < ABSENT + 1e-9 or low < 2 + 1e-9


# ---- key points -------------------------------------------------------------------------------------------------


def test_key_points_of_an_l_are_in_both_arms_and_never_in_its_bay() -> None:
    pixels = np.zeros((40, 40), dtype=bool)
    pixels[:, :9] = pixels[31:, :] = True
    points = key_points(Mask.from_array(pixels), 3)
    assert [bool(pixels[int(y), int(x)]) for x, y in points] == [True] * 3
    assert (points[:, 0] > 30).any() and (points[:, 1] < 10).any()


def test_the_deepest_point_of_a_ring_is_not_its_middle() -> None:
    (first,) = key_points(disc(20, 50, hole=10), 1)
    assert 10 < np.hypot(*(first - 25)) < 20


def test_a_single_pixel_has_one_key_point() -> None:
    pixels = np.zeros((5, 5), dtype=bool)
    pixels[2, 3] = True
    assert key_points(Mask.from_array(pixels), 3).tolist() == [[3.5, 2.5]]
    with pytest.raises(NotTold):
        box_of_mask(Mask.from_array(np.zeros((5, 5))), 3)


BLOBS = st.lists(
    st.tuples(st.integers(0, 59), st.integers(0, 59), st.integers(4, 30), st.integers(4, 30)), min_size=1, max_size=4
)


def blob(blocks: list[tuple[int, int, int, int]]) -> Mask:
    pixels = np.zeros((64, 64), dtype=bool)
    for x, y, w, h in blocks:
        pixels[y : y + h, x : x + w] = True
    return Mask.from_array(pixels)


@given(BLOBS, st.integers(1, 6))
def test_key_points_lie_in_the_mask_and_apart(blocks: list[tuple[int, int, int, int]], count: int) -> None:
    mask = blob(blocks)
    points = key_points(mask, count)
    pixels = mask.to_array()
    assert all(pixels[int(y), int(x)] for x, y in points)
    assert len(np.unique(points, axis=0)) == len(points) <= count


# ---- polygons ---------------------------------------------------------------------------------------------------


def test_nothing_has_no_polygons() -> None:
    assert outlined(Mask.from_array(np.zeros((9, 9))), "building").regions == ()


def test_a_square_is_four_corners_clockwise_from_the_top_left() -> None:
    pixels = np.zeros((100, 100))
    pixels[10:30, 20:50] = 1
    (square,) = outlined(Mask.from_array(pixels), "building").regions
    assert square.points == ((20, 10), (50, 10), (50, 30), (20, 30)) and square.label == "building"


def test_several_parts_are_several_regions_and_specks_are_none() -> None:
    pixels = np.zeros((100, 100))
    pixels[10:40, 10:40] = pixels[60:90, 60:90] = pixels[5, 95] = 1
    assert len(outlined(Mask.from_array(pixels), "").regions) == 2
    kept, specks = patches(Mask.from_array(pixels))
    assert (len(kept), specks) == (2, 1)


@pytest.mark.parametrize(("hole", "is_told"), [(4, True), (5, False), (15, False)])
def test_holes(hole: int, is_told: bool) -> None:
    """A disc of radius 20: a hole of radius 4 is 4 % of it, one of radius 5 is 6 %."""
    mask = disc(20, 50, hole)
    if is_told:
        assert len(outlined(mask, "").regions) == 1
    else:
        with pytest.raises(NotTold, match="hole that matters"):
            outlined(mask, "")
    (ring,) = outlined(mask, "", "outer").regions
    assert len(ring.holes) == 1
    assert shapely.Polygon(ring.points).area == pytest.approx(np.pi * 400, rel=0.03)


def test_what_the_grid_cannot_tell_is_refused() -> None:
    """A pixel-wide line in an image of 4000 px is a quarter of a step of the grid."""
    mask = Mask.from_array(np.ones((1, 40)), (101, 101), (4000, 4000))
    with pytest.raises(NotTold, match="IoU") as caught:
        outlined(mask, "")
    assert caught.value.is_fine


@settings(max_examples=60)
@given(BLOBS, st.sampled_from([1.0, 4.0]))
def test_polygons_go_to_text_and_back(blocks: list[tuple[int, int, int, int]], epsilon: float) -> None:
    from surveyor.core.codec import PointCodec

    mask = blob(blocks)
    told = outlined(mask, "x", "outer", epsilon)
    codec = PointCodec()
    read = codec.decode(codec.encode([region.pointed for region in told.regions], (64, 64)), (64, 64), kind="polygon")
    back = Mask.from_array(np.zeros((0, 0)), shape_hw=(64, 64))
    for pointed in read:
        x, y = pointed.points_px.T
        assert np.dot(x, np.roll(y, -1)) > np.dot(np.roll(x, -1), y)  # clockwise on screen
        back = back.union(Mask.from_polygon(pointed.points_px, (64, 64)))
    filled = mask.union(Mask.from_polygon(shapely.MultiPolygon([shapely.Polygon(p.exterior) for p in mask.to_polygons()]), (64, 64)))  # fmt: skip  # noqa: E501
    holes = any(shape.interiors for shape in mask.to_polygons())
    assert told.iou >= LEAST_IOU and (holes or back.iou(filled) >= LEAST_IOU)
    assert told.points == sum(len(region.points) for region in told.regions)


@pytest.mark.parametrize("side", [9, 30, 61])
def test_key_points_do_not_hang_on_the_last_digit_of_a_distance(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV's distances differ in their last digit from run to run, and many pixels are equally deep."""
    y, x = np.mgrid[:side, :side]
    mask = Mask.from_array((np.abs(x - side // 2) + np.abs(y - side // 2)) <= side // 2)
    found = [key_points(mask, 5)]
    exact = cv2.distanceTransform
    for seed in range(4):
        rng = np.random.default_rng(seed)

        def shaken(*given: Any, rng: np.random.Generator = rng) -> np.ndarray:
            away = exact(*given)
            return np.where(rng.random(away.shape) < 0.5, np.nextafter(away, np.float32(0)), away)

        monkeypatch.setattr(shapes.cv2, "distanceTransform", shaken)
        found.append(key_points(mask, 5))
    assert all((each == found[0]).all() for each in found)
