"""Geometry: oriented boxes, rotated IoU against shapely, key points, suppression."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from surveyor.core.errors import UsageError
from surveyor.core.geometry import (
    box_iou_matrix,
    box_to_corners,
    canonical_corners,
    corners_to_box,
    farthest_points_in_polygon,
    length_width_px,
    long_axis_angle_deg,
    min_area_rect,
    nms,
    polygon_area,
    polygon_distance_px,
    rotated_iou_matrix,
    rotated_iou_pairs,
    to_shapely,
)

SETTINGS = settings(deadline=None, max_examples=60)
number = st.integers(-2000, 2000).map(lambda v: v / 16)


@st.composite
def oriented_box(draw, least=1 / 16):
    cx, cy = draw(number), draw(number)
    w, h = (max(least, draw(st.integers(1, 1600)) / 16) for _ in range(2))
    return rectangle(cx, cy, w, h, draw(st.integers(0, 3600)) / 10)


def rectangle(cx, cy, w, h, degrees):
    """Corners of a rectangle turned counter-clockwise on screen by `degrees`."""
    t = np.radians(degrees)
    along, across = np.array([np.cos(t), -np.sin(t)]), np.array([np.sin(t), np.cos(t)])
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    return np.array([cx, cy]) + signs[:, :1] * w * along + signs[:, 1:] * h * across


def random_boxes(n, extent, seed, low=5.0, high=60.0):
    rng = np.random.default_rng(seed)
    rows = zip(rng.uniform(0, extent, (n, 2)), rng.uniform(low, high, (n, 2)), rng.uniform(0, 360, n), strict=True)
    return np.stack([rectangle(*centre, *size, angle) for centre, size, angle in rows])


def shapely_iou(a, b):
    first, second = (shapely.polygons(x) for x in (a, b))
    inter = shapely.area(shapely.intersection(first[:, None], second[None]))
    return inter / (shapely.area(first)[:, None] + shapely.area(second)[None] - inter)


# ---- corners


@SETTINGS
@given(oriented_box(), st.integers(0, 3), st.booleans())
def test_canonical_corners_do_not_depend_on_the_order_given(quad, shift, backwards):
    expected = canonical_corners(quad)
    given_order = np.roll(quad, shift, axis=0)
    again = canonical_corners(given_order[::-1] if backwards else given_order)
    assert np.allclose(again, expected, atol=1e-9)
    assert expected[0, 1] <= expected[:, 1].min() + 1e-6
    assert shapely.LinearRing(expected).is_ccw  # shapely's y points up: clockwise on screen is counter-clockwise there


def test_canonical_corners_by_hand():
    diamond = [[0, 5], [5, 0], [10, 5], [5, 10]]
    assert canonical_corners(np.array(diamond)).tolist() == [[5, 0], [10, 5], [5, 10], [0, 5]]
    bow_tie = [[0, 0], [4, 2], [4, 0], [0, 2]]
    assert canonical_corners(np.array(bow_tie)).tolist() == [[0, 0], [4, 0], [4, 2], [0, 2]]
    almost_level = [[4, 1e-14], [4, 2], [0, 2], [0, 2e-14]]
    assert canonical_corners(np.array(almost_level))[0].tolist() == [0, 2e-14]


@pytest.mark.parametrize("bad", [np.zeros((3, 2)), np.zeros((4, 3)), np.full((4, 2), np.nan)])
def test_canonical_corners_of_bad_input(bad):
    with pytest.raises(UsageError):
        canonical_corners(bad)


@SETTINGS
@given(oriented_box(), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=8))
def test_min_area_rect_finds_the_rectangle_again(quad, inner):
    quad = canonical_corners(quad)
    points = [quad[0] + u * (quad[1] - quad[0]) + v * (quad[3] - quad[0]) for u, v in inner]
    rect = min_area_rect(np.vstack([quad, *points]))
    assert np.allclose(rect, quad, atol=1e-6)


@SETTINGS
@given(hnp.arrays(float, st.tuples(st.integers(1, 12), st.just(2)), elements=number))
def test_min_area_rect_holds_all_points_and_is_no_larger_than_shapelys(points):
    rect = min_area_rect(points)
    sides = np.roll(rect, -1, axis=0) - rect
    assert abs(np.dot(sides[0], sides[1])) <= 1e-6 * max(1.0, np.abs(sides).max() ** 2)
    assert polygon_area(rect) <= shapely.MultiPoint(points).minimum_rotated_rectangle.area + 1e-6
    hull = to_shapely(rect)
    assert shapely.distance(hull, shapely.points(points)).max() < 1e-6


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([[3, 4]], [[3, 4]] * 4),
        ([[3, 4], [3, 4]], [[3, 4]] * 4),
        ([[0, 0], [4, 0], [2, 0]], [[0, 0], [4, 0], [4, 0], [0, 0]]),
    ],
    ids=["one", "twice the same", "on a line"],
)
def test_min_area_rect_of_degenerate_input(points, expected):
    assert min_area_rect(np.array(points)).tolist() == expected


def test_min_area_rect_of_nothing():
    with pytest.raises(UsageError, match="N >= 1"):
        min_area_rect(np.zeros((0, 2)))


@SETTINGS
@given(hnp.arrays(float, (3, 4), elements=number))
def test_boxes_and_corners(values):
    boxes = np.concatenate([np.minimum(values[:, :2], values[:, 2:]), np.maximum(values[:, :2], values[:, 2:])], axis=1)
    assert np.array_equal(corners_to_box(box_to_corners(boxes)), boxes)


# ---- sizes and angles


@SETTINGS
@given(number, number, st.integers(2, 500), st.integers(0, 1790))
def test_length_width_and_angle(cx, cy, width, tenths):
    quad = canonical_corners(rectangle(cx, cy, width * 1.5, width, tenths / 10))
    assert length_width_px(quad) == pytest.approx((width * 1.5, width))
    turned = (long_axis_angle_deg(quad) - tenths / 10 + 90) % 180 - 90
    assert abs(turned) < 1e-6
    assert 0 <= long_axis_angle_deg(quad) < 180


@pytest.mark.parametrize(
    ("corners", "angle"),
    [
        (rectangle(0, 0, 10, 2, 0), 0),
        (rectangle(0, 0, 2, 10, 0), 90),
        (rectangle(0, 0, 10, 2, 45), 45),  # rises to the right on screen
        (rectangle(0, 0, 10, 2, 135), 135),
        (rectangle(0, 0, 10, 2, 179.9999999999999), 0),
        (rectangle(0, 0, 10, 10, 0), 0),
        (rectangle(0, 0, 10, 10, 90), 0),
        (np.zeros((4, 2)), 0),
    ],
)
def test_angles_by_hand(corners, angle):
    assert long_axis_angle_deg(corners) == pytest.approx(angle, abs=1e-9)


def test_area_and_distance():
    assert polygon_area(np.array([[0, 0], [4, 0], [4, 2], [0, 2], [0, 0]])) == 8
    assert polygon_area(np.zeros((0, 2))) == 0
    assert polygon_area([[0, 0], [1, 1]]) == 0
    square = box_to_corners([0, 0, 10, 10])
    assert polygon_distance_px(square, box_to_corners([13, 14, 20, 20])) == 5  # 3 right, 4 down
    assert polygon_distance_px(square, box_to_corners([2, 2, 3, 3])) == 0
    assert polygon_distance_px(square, np.array([[15, 5]])) == 5


def test_to_shapely_of_degenerate_rings():
    assert to_shapely([[1, 1]]).geom_type == "Point"
    assert to_shapely([[1, 1], [1, 1], [1, 1]]).geom_type == "Point"
    assert to_shapely([[0, 0], [1, 1]]).geom_type == "LineString"
    assert to_shapely([[0, 0], [4, 2], [4, 0], [0, 2]]).is_valid
    with pytest.raises(UsageError):
        to_shapely(np.zeros((0, 2)))


# ---- IoU


def test_rotated_iou_equals_shapely_on_dense_random_boxes():
    a, b = random_boxes(300, 300, 1), random_boxes(250, 300, 2)
    assert np.abs(rotated_iou_matrix(a, b) - shapely_iou(a, b)).max() <= 1e-9


@SETTINGS
@given(oriented_box(), oriented_box(), st.integers(0, 3), st.booleans())
def test_rotated_iou_of_any_pair(a, b, shift, backwards):
    b = np.roll(b[::-1] if backwards else b, shift, axis=0)
    found = rotated_iou_matrix(a[None], b[None])[0, 0]
    assert found == pytest.approx(shapely_iou(a[None], b[None])[0, 0], abs=1e-9)
    assert rotated_iou_matrix(b[None], a[None])[0, 0] == pytest.approx(found, abs=1e-12)
    assert rotated_iou_pairs(a[None], b[None])[0] == pytest.approx(found, abs=1e-12)


@SETTINGS
@given(oriented_box(), st.integers(-3, 3), st.floats(-1, 1), st.integers(0, 5))
def test_nearly_the_same_box(quad, exponent, jitter, offset_exponent):
    """Identical, shifted by rounding noise, sharing sides, far from the origin: where clipping codes lose their way."""
    quad = quad + 10.0**offset_exponent
    moved = quad + jitter * 10.0 ** (exponent - 13)
    assert rotated_iou_matrix(quad[None], moved[None])[0, 0] == pytest.approx(1, abs=1e-6)
    half = np.stack([quad[0], (quad[0] + quad[1]) / 2, (quad[3] + quad[2]) / 2, quad[3]])
    assert rotated_iou_matrix(quad[None], half[None])[0, 0] == pytest.approx(0.5, abs=1e-6)
    beside = quad + (quad[1] - quad[0])
    assert rotated_iou_matrix(quad[None], beside[None])[0, 0] < 1e-6


def test_iou_by_hand():
    square = box_to_corners([0, 0, 2, 2])[None]
    diamond = np.array([[[1, 0], [2, 1], [1, 2], [0, 1]]])  # inscribed: half the area
    assert rotated_iou_matrix(square, diamond)[0, 0] == pytest.approx(0.5, abs=1e-12)
    assert rotated_iou_matrix(square, square + np.array([2, 0]))[0, 0] == 0  # they only touch
    # 2 x 2 overlap of 1 x 2 = 2 of 4 + 4 - 2 = 6
    assert rotated_iou_matrix(square, square + np.array([1, 0]))[0, 0] == pytest.approx(1 / 3, abs=1e-12)


def test_iou_of_odd_quadrilaterals():
    square = box_to_corners([0, 0, 4, 4])[None]
    arrow = np.array([[[0, 0], [4, 0], [1, 1], [0, 4]]])  # concave, area 4
    assert rotated_iou_matrix(square, arrow)[0, 0] == pytest.approx(4 / 16, abs=1e-12)
    bow_tie = np.array([[[0, 0], [4, 4], [4, 0], [0, 4]]])  # counts as its hull, the square
    assert rotated_iou_matrix(square, bow_tie)[0, 0] == pytest.approx(1, abs=1e-12)
    triangle = np.array([[[0, 0], [4, 0], [4, 0], [0, 4]]])
    assert rotated_iou_matrix(square, triangle)[0, 0] == pytest.approx(0.5, abs=1e-12)


def test_iou_of_nothing():
    some = random_boxes(3, 10, 0)
    assert rotated_iou_matrix(np.zeros((0, 4, 2)), some).shape == (0, 3)
    assert rotated_iou_matrix(some, []).shape == (3, 0)
    line, dot = np.array([[[0, 0], [9, 9], [9, 9], [0, 0]]]), np.zeros((1, 4, 2))
    for flat in (line, dot):
        assert rotated_iou_matrix(flat, some).max() == 0
        assert rotated_iou_matrix(flat, flat)[0, 0] == 0


@pytest.mark.parametrize("bad", [np.zeros((2, 5)), np.zeros((1, 3, 2)), np.full((1, 4, 2), np.inf)])
def test_iou_of_bad_input(bad):
    with pytest.raises(UsageError):
        rotated_iou_matrix(bad, np.zeros((1, 4, 2)))


def test_box_iou():
    a = np.array([[0, 0, 2, 2], [0, 0, 0, 0], [5, 5, 3, 3]])
    found = box_iou_matrix(a, [[1, 0, 3, 2], [0, 0, 2, 2]])
    assert found[0].tolist() == pytest.approx([1 / 3, 1])
    assert found[1:].max() == 0
    assert box_iou_matrix(np.zeros((0, 4)), a).shape == (0, 3)


# ---- key points, suppression


@SETTINGS
@given(oriented_box(least=1.0), st.integers(1, 8))
def test_key_points_lie_inside_and_apart(quad, k):
    points = farthest_points_in_polygon(quad, k)
    assert points.shape == (k, 2)
    assert shapely.contains_xy(shapely.buffer(shapely.Polygon(quad), 1e-9), points).all()
    assert len({tuple(p) for p in points.round(9)}) == k


def test_first_key_point_is_the_deepest_and_central():
    assert farthest_points_in_polygon(box_to_corners([0, 0, 100, 10]), 1)[0] == pytest.approx([50, 5], abs=2)
    spoon = np.array([[0, 4], [60, 4], [60, 0], [70, 0], [70, 10], [60, 10], [60, 6], [0, 6]])
    assert farthest_points_in_polygon(spoon, 1)[0] == pytest.approx([65, 5], abs=1)


def test_key_points_of_odd_polygons():
    ring = shapely.Point(0, 0).buffer(50).difference(shapely.Point(0, 0).buffer(30))
    points = farthest_points_in_polygon(ring, 4)
    assert shapely.contains_xy(ring, points).all()
    assert np.linalg.norm(points[0] - points[1]) > 60
    assert farthest_points_in_polygon([[1, 1], [5, 5]], 3).shape == (1, 2)
    with pytest.raises(UsageError):
        farthest_points_in_polygon(box_to_corners([0, 0, 1, 1]), 0)


def test_nms_is_the_greedy_rule():
    boxes = random_boxes(200, 200, 3)
    scores = np.round(np.random.default_rng(4).random(200), 2)
    iou = rotated_iou_matrix(boxes, boxes)
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(iou[i, j] <= 0.3 for j in kept):
            kept.append(int(i))
    assert nms(boxes, scores, 0.3).tolist() == kept


def test_nms_corner_cases():
    assert nms(np.zeros((0, 4, 2)), np.zeros(0), 0.5).tolist() == []
    same = np.repeat(box_to_corners([0, 0, 4, 2])[None], 3, axis=0)
    assert nms(same, [0.5, 0.9, 0.9], 0.5).tolist() == [1]
    assert nms(same, [0.5, 0.9, 0.9], 1.0).tolist() == [1, 2, 0]
    with pytest.raises(UsageError):
        nms(same, [0.5, np.nan, 0.9], 0.5)
    with pytest.raises(UsageError):
        nms(same, [0.5], 0.5)
