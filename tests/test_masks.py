"""Masks: pixel-centre rule, exact outlines, RLE against pycocotools."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask
from surveyor.core.errors import UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask

# pycocotools 2.0.11 calls numpy.array without the copy keyword that numpy 2 wants
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
SETTINGS = settings(deadline=None, max_examples=60)
small_masks = hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@SETTINGS
@given(small_masks, st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_rle_is_that_of_pycocotools_and_comes_back(pixels, x0, y0, tight):
    height, width = pixels.shape[0] + y0 + (0 if tight else 20), pixels.shape[1] + x0 + (0 if tight else 20)
    mask = Mask.from_array(pixels, (x0, y0), (height, width))
    rle = mask.to_rle()
    full = mask.to_array()
    assert full.sum() == pixels.sum() == mask.area_px
    assert np.array_equal(coco_mask.decode(rle).astype(bool), full)
    assert rle["counts"] == coco_mask.encode(np.asfortranarray(full.astype(np.uint8)))["counts"].decode()
    assert Mask.from_rle(rle) == mask
    assert hash(Mask.from_rle(rle)) == hash(mask)


@SETTINGS
@given(small_masks, st.integers(0, 5), st.integers(0, 5))
def test_outlines_are_valid_exact_and_come_back(pixels, x0, y0):
    mask = Mask.from_array(pixels, (x0, y0), (20, 20))
    polygons = mask.to_polygons()
    assert all(p.is_valid for p in polygons)
    assert sum(p.area for p in polygons) == mask.area_px
    assert Mask.from_polygon(shapely.MultiPolygon(polygons), (20, 20)) == mask
    assert [p.area for p in polygons] == sorted((p.area for p in polygons), reverse=True)


def test_long_counts_use_several_digits():
    pixels = np.zeros((3000, 2000), bool)
    pixels[1:2999, 100:1900] = True
    pixels[:, 1500:1600] = True
    mask = Mask.from_array(pixels)
    assert Mask.from_rle(mask.to_rle()) == mask
    small = Mask.from_array(np.ones((2, 2)), (29_000, 29_500), (30_000, 30_000))
    assert coco_mask.area(small.to_rle()) == 4
    assert Mask.from_rle(small.to_rle()) == small


def test_uncompressed_counts_are_read():
    mask = Mask.from_rle({"size": [3, 3], "counts": [4, 1, 4]})
    assert mask.to_array()[1, 1]
    assert mask.area_px == 1


@pytest.mark.parametrize(
    "rle",
    [
        {"size": [3, 3]},
        {"size": [3], "counts": "a"},
        {"size": [3, 3], "counts": [4, 1]},
        {"size": [3, 3], "counts": None},
        {"size": [3, 3], "counts": ["a"]},
        {"size": [3, 3], "counts": [[1, 2], [3]]},
        {"size": [3, 3], "counts": [2**70]},
        {"size": [3, 3], "counts": [-1, 10]},
        {"size": [3, 3], "counts": "\xff\xff"},
        {"size": [3, 3], "counts": "PPPPPPPPPPPPPPPPPP"},
        {"size": [3, 3], "counts": "oooooooooooooooooo0"},
        None,
    ],
)
def test_bad_rle_is_one_usage_error(rle):
    with pytest.raises(UsageError):
        Mask.from_rle(rle)


@given(st.text(max_size=12))
@SETTINGS
def test_any_text_as_counts_is_a_mask_or_a_usage_error(text):
    with contextlib.suppress(UsageError):
        Mask.from_rle({"size": [5, 4], "counts": text})


def test_hole_and_diagonal_neighbours():
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    (polygon,) = Mask.from_array(ring).to_polygons()
    assert len(polygon.interiors) == 1
    assert polygon.area == 8
    assert len(Mask.from_array(np.eye(3)).to_polygons()) == 3


def test_island_in_a_hole_is_its_own_polygon():
    pixels = np.ones((7, 7), bool)
    pixels[1:6, 1:6] = False
    pixels[3, 3] = True
    outer, inner = Mask.from_array(pixels).to_polygons()
    assert (outer.area, inner.area) == (24, 1)
    assert len(outer.interiors) == 1


@SETTINGS
@given(hnp.arrays(float, (5, 2), elements=st.integers(-200, 900).map(lambda v: v / 64)))
def test_fill_is_the_pixel_centre_rule(ring):
    mask = Mask.from_polygon(ring, (10, 10))
    ys, xs = np.mgrid[0:10, 0:10] + 0.5
    # even-odd by ray casting, one pixel at a time
    expected = np.zeros((10, 10), bool)
    for (ax, ay), (bx, by) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if ay == by:
            continue
        crosses = (ay <= ys) != (by <= ys)
        at = ax + (ys - ay) / (by - ay) * (bx - ax)
        expected ^= crosses & (at <= xs)
    on_edge = shapely.distance(shapely.points(xs, ys), shapely.LinearRing(ring)) < 1e-9
    assert ((mask.to_array() == expected) | on_edge).all()


@pytest.mark.parametrize("size", [5, 10, 20])
def test_area_error_of_discs_within_one_percent_on_average(size):
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    areas, true = [], []
    for centre in rng.uniform(30, 40, (200, 2)):
        disc = centre + size / 2 * np.stack([np.cos(angles), np.sin(angles)], 1)
        areas.append(Mask.from_polygon(disc, (80, 80)).area_px)
        true.append(shapely.Polygon(disc).area)
    assert abs(np.mean(areas) / np.mean(true) - 1) < 0.01


def test_adjoining_polygons_neither_overlap_nor_leave_a_gap():
    left = np.array([[0.0, 0], [7.3, 0], [3.1, 10], [0, 10]])
    right = np.array([[7.3, 0], [10, 0], [10, 10], [3.1, 10]])
    a, b = (Mask.from_polygon(p, (10, 10)) for p in (left, right))
    assert a.intersection_px(b) == 0
    assert a.union(b).area_px == 100


def test_polygon_with_hole_rings_and_outside_parts():
    rings = [box_to_corners([-5, -5, 6, 6]), box_to_corners([2, 2, 4, 4])]
    assert Mask.from_polygon(rings, (10, 10)).area_px == 36 - 4
    assert Mask.from_polygon(box_to_corners([20, 20, 30, 30]), (10, 10)).area_px == 0
    assert Mask.from_polygon(np.zeros((0, 2)), (10, 10)).area_px == 0
    assert Mask.from_polygon([[0, 0], [4, 0], [4, 4]], (10, 10)).area_px == 6 + 4
    with pytest.raises(UsageError, match="polygon ring"):
        Mask.from_polygon(np.array([[0, 0], [np.nan, 0], [4, 4]]), (10, 10))


def test_empty_mask():
    empty = Mask.from_array(np.zeros((4, 6)))
    assert empty.shape_hw == (4, 6)
    assert (empty.area_px, empty.box_px, empty.to_polygons()) == (0, None, [])
    assert Mask.from_rle(empty.to_rle()) == empty
    other = Mask.from_array(np.ones((4, 6)))
    assert empty.iou(empty) == 0.0
    assert empty.iou(other) == 0.0
    assert empty.union(other) == other == other.union(empty)


@SETTINGS
@given(hnp.arrays(bool, (6, 7)), hnp.arrays(bool, (6, 7)))
def test_iou_and_union_are_those_of_the_arrays(a, b):
    first, second = Mask.from_array(a), Mask.from_array(b)
    union = (a | b).sum()
    assert first.iou(second) == pytest.approx((a & b).sum() / union if union else 0.0)
    assert np.array_equal(first.union(second).to_array(), a | b)
    assert first.union(second) == Mask.from_array(a | b)


def test_masks_are_read_only_and_of_one_scene():
    mask = Mask.from_array(np.ones((2, 2)))
    with pytest.raises(ValueError, match="read-only"):
        mask.crop[0, 0] = False
    with pytest.raises(UsageError, match="cannot be combined"):
        mask.iou(Mask.from_array(np.ones((3, 2))))
    with pytest.raises(UsageError, match="expected \\(height, width\\)"):
        Mask.from_array(np.ones(3))
