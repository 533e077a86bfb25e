"""Set-of-marks overlays: where markers go, what they may hide, how they look."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.masks import Mask
from surveyor.finetune.annotate.set_of_marks import (
    MOST_HIDDEN,
    SHOWN_PX,
    SIDE_PX,
    Mark,
    marker_side,
    place_marks,
    shown,
)
from surveyor.synth import draw_scene

WH = (800, 800)


def block(x0: int, y0: int, width: int, height: int, size_wh: tuple[int, int] = WH) -> Mask:
    return Mask.from_array(np.ones((height, width)), (x0, y0), size_wh[::-1])


def hidden(mask: Mask, mark: Mark) -> int:
    """How many px of a mask the drawn marker hides, by drawing it."""
    canvas = np.zeros((*mask.shape_hw, 3), np.uint8)
    picture = shown(canvas, [mark])
    scale = picture.shape[0] / mask.shape_hw[0]
    assert scale == 1, "only for pictures that are not enlarged"
    return int(np.count_nonzero((picture.sum(axis=2) > 0) & mask.to_array()))


def test_nothing_to_mark() -> None:
    assert place_marks([], [], WH) == []
    assert place_marks([0], [Mask.from_array(np.zeros((0, 0)), shape_hw=WH)], WH) == []
    assert place_marks([0], [block(0, 0, 5, 2, (800, 4))], (800, 4)) == []  # a marker is higher than the picture


def test_the_centre_of_a_large_object_where_it_lies_inside() -> None:
    (mark,) = place_marks([0], [block(100, 200, 60, 40)], WH)
    assert (mark.number, mark.index, mark.xy_px.tolist(), mark.side_px) == (1, 0, [130.0, 220.0], 14.0)


def test_else_the_nearest_point_of_it() -> None:
    pixels = np.ones((100, 100))
    pixels[20:80, 20:] = 0  # a C, its centre of mass is at about (40, 50), outside
    mask = Mask.from_array(pixels, (300, 300), WH)
    (mark,) = place_marks([0], [mask], WH)
    x, y = mark.xy_px.astype(int) - 300
    assert pixels[y, x] and abs(x - 19) <= 1 and abs(y - 50) <= 2


def test_a_small_object_gets_about_half_a_marker_on_its_outline() -> None:
    mask = block(400, 400, 20, 16)  # 320 px, a marker has 196
    (mark,) = place_marks([0], [mask], WH)
    on = hidden(mask, mark)
    assert 0.3 * SIDE_PX**2 <= on <= 0.6 * SIDE_PX**2
    assert on <= MOST_HIDDEN * mask.area_px


@pytest.mark.parametrize("side", [1, 3, 6, 10])
def test_a_tiny_object_is_never_hidden(side: int) -> None:
    mask = block(400, 400, side, side)
    for mark in place_marks([0], [mask], WH):  # a single px has no half, and may get none
        assert hidden(mask, mark) <= MOST_HIDDEN * mask.area_px + side
        assert np.abs(mark.xy_px - 400 - side / 2).max() <= SIDE_PX


def test_a_marker_does_not_cover_a_small_neighbour() -> None:
    large, small = block(100, 100, 100, 100), block(146, 146, 8, 8)  # the small one lies on the middle of the large one
    (mark,) = place_marks([0], [large, small], WH)
    assert hidden(small, mark) <= 0.5 * small.area_px


def test_numbers_go_by_rows_and_small_ones_are_placed_first() -> None:
    masks = [block(500, 500, 50, 50), block(10, 400, 60, 60), block(600, 20, 50, 50)]
    marks = place_marks([0, 1, 2], masks, WH)
    assert [(mark.number, mark.index) for mark in marks] == [(1, 2), (2, 1), (3, 0)]


def test_without_room_for_all_the_rest_is_not_marked() -> None:
    masks = [block(400 + x, 400 + y, 8, 8) for y in range(0, 45, 9) for x in range(0, 45, 9)]
    assert 0 < len(place_marks(range(25), masks, WH)) < 25


shapes = st.tuples(st.integers(0, 380), st.integers(0, 280), st.integers(1, 120), st.integers(1, 120))


@settings(max_examples=60, deadline=None)
@given(st.lists(shapes, min_size=1, max_size=12))
def test_markers_lie_in_the_picture_apart_from_each_other_on_their_objects(found: list[tuple[int, ...]]) -> None:
    size_wh = (400, 300)
    masks = [block(*each, size_wh) for each in found]
    marks = place_marks(range(len(masks)), masks, size_wh)
    side = marker_side(size_wh)
    assert [mark.number for mark in marks] == list(range(1, len(marks) + 1))
    for mark in marks:
        assert (mark.xy_px >= side / 2).all() and (mark.xy_px <= np.array(size_wh) - side / 2).all()
        x0, y0, x1, y1 = masks[mark.index].box_px
        away = np.maximum([x0, y0] - mark.xy_px, mark.xy_px - [x1, y1]).max()
        assert away <= side  # it touches its object, or nearly
        for other in marks:
            assert other is mark or np.abs(other.xy_px - mark.xy_px).max() > side


def test_small_pictures_are_enlarged_so_that_numbers_stay_readable() -> None:
    scene = draw_scene("airport", seed=7, size_wh=(400, 300))
    before = scene.image_rgb.copy()
    mark = Mark(1, 0, np.array([200.0, 150.0]), marker_side((400, 300)))
    picture = shown(scene.image_rgb, [mark])
    assert picture.shape == (600, SHOWN_PX, 3) and np.array_equal(scene.image_rgb, before)
    assert shown(np.zeros((900, 1200, 3), np.uint8), []).shape == (900, 1200, 3)


@pytest.mark.parametrize("ground", [0, 60, 128, 200, 255])
def test_a_marker_stands_out_on_any_ground(ground: int) -> None:
    picture = shown(np.full((800, 800, 3), ground, np.uint8), [Mark(8, 0, np.array([400.0, 400.0]), 14.0)])
    tile = picture[393:407, 393:407].astype(int)
    grey = cv2.cvtColor(tile.astype(np.uint8), cv2.COLOR_RGB2GRAY).astype(int)
    assert grey.max() - grey.min() > 150  # ink on paper
    assert np.abs(tile - ground).max(axis=2).mean() > 60  # and it differs from the ground
    assert (picture[:393] == ground).all() and (picture[407:] == ground).all()  # 14 px, no more


def test_numbers_look_different_from_each_other() -> None:
    def tile(number: int) -> np.ndarray:
        return shown(np.zeros((800, 800, 3), np.uint8), [Mark(number, 0, np.array([400.0, 400.0]), 14.0)])[
            393:407, 393:407
        ]

    tiles = [tile(number).astype(int) for number in range(1, 100)]
    least = min(np.abs(a - b).mean() for index, a in enumerate(tiles) for b in tiles[:index])
    assert least > 4
