"""At which size a model sees an image, and that a point finds its way from the scene into a reply and back."""

from __future__ import annotations

import math
import random
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.codec import Pointed
from surveyor.core.errors import UsageError
from surveyor.tools.models.pointing import region_of
from surveyor.tools.models.sizes import MOST_ASPECT, smart_resize
from surveyor.tools.models.tasks import Tasks
from surveyor.tools.models.views import adaptive, tiled, whole, zoomed

DIALECTS = ("native", "qwen2-vl", "qwen2.5-vl", "qwen3-vl")
SETTINGS = settings(deadline=None, max_examples=120)
sides = st.integers(1, 40_000)
budgets = st.tuples(st.sampled_from([28, 32]), st.integers(1, 64), st.integers(1, 4096)).map(
    lambda each: (each[0], each[1] * each[0] ** 2, max(each[1:]) * each[0] ** 2)
)  # factor, min_pixels, max_pixels


@st.composite
def slim_sizes(draw):
    short = draw(st.integers(1, 3000))
    long = draw(st.integers(short, short * MOST_ASPECT))
    return (long, short) if draw(st.booleans()) else (short, long)


@SETTINGS
@given(slim_sizes(), budgets)
def test_sides_fit_the_patches_and_the_budget(size, budget):
    factor, least, most = budget
    wide, high = smart_resize(size, factor, least, most)
    assert wide % factor == high % factor == 0
    assert min(wide, high) >= factor
    rounded = round(size[0] / factor) * round(size[1] / factor) * factor**2
    if wide * high > most:  # only a single row or column of patches may, or one that was too small for near bounds
        assert min(wide, high) == factor or rounded < least
    if wide * high < least:  # only where rounding up had passed the most, and rounding down passed the least
        assert rounded > most
    assert smart_resize(size[::-1], factor, least, most) == (high, wide)
    if wide * high <= most and least <= wide * high and max(wide, high) <= MOST_ASPECT * min(wide, high):
        assert smart_resize((wide, high), factor, least, most) == (wide, high)  # seen again at its own size


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((1, 1), (56, 56)), ((28, 28), (56, 56)), ((200, 1), (812, 28)), ((1, 200), (28, 812)), ((14, 14), (56, 56)),
        ((42, 98), (56, 112)), ((70, 70), (56, 56)), ((4000, 3000), (1148, 840)), ((20_000, 100), (14_140, 56)),
    ],
)  # fmt: skip
def test_sizes_worked_by_hand(size, seen):
    assert smart_resize(size) == seen


@pytest.mark.parametrize(
    ("size", "bounds"),
    [
        ((0, 5), ()), ((5, -1), ()), ((201, 1), ()), ((1, 201), ()), ((5, 5), (0,)), ((5, 5), (28, 0)),
        ((5, 5), (28, 1, 783)), ((5, 5), (28, 5000, 4000)), ((5, 5), (-28,)), ((5, 5), (28, -1)),
    ],
)  # fmt: skip
def test_sizes_that_are_refused(size, bounds):
    with pytest.raises(UsageError):
        smart_resize(size, *bounds)


@pytest.mark.torch
@pytest.mark.skipif(find_spec("transformers") is None, reason="not installed: transformers")
def test_the_rule_is_that_of_transformers():
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize as theirs

    rng = random.Random(0)
    for number in range(4000):
        short = rng.choice([1, 2, 13, 14, 15, 27, 28, 29, 42, rng.randint(1, 4000)])
        long = min(
            rng.choice([short, short * 200, rng.randint(short, short * 200), rng.randint(short, short * 3)]), 60_000
        )
        wide, high = (long, short) if number % 2 else (short, long)
        factor = rng.choice([28, 32])
        most = rng.choice([factor**2, 1_003_520, 12_845_056, rng.randint(factor**2, 10**7)])
        least = rng.choice([1, 3136, factor**2 * 4, rng.randint(1, most)])
        least = min(least, most)
        expected = theirs(high, wide, factor=factor, min_pixels=least, max_pixels=most)
        assert smart_resize((wide, high), factor, least, most) == (expected[1], expected[0]), (wide, high, least, most)


# ---- there and back


def views_of(size, policy, most):
    tile = max(56, int(math.sqrt(most)))
    if policy == "whole":
        return whole(size, most)
    if policy == "tiles":
        return tiled(size, tile, tile // 9)
    if policy == "zoomed":
        return (zoomed((size[0] / 3, 0, size[0] / 2, size[1] / 5), size, tile),)
    return adaptive(size, tile, 9, overlap_px=tile // 9)


@pytest.mark.parametrize("name", DIALECTS)
@settings(deadline=None, max_examples=120)
@given(
    st.tuples(sides, sides), st.sampled_from(["whole", "tiles", "adaptive", "zoomed"]), st.sampled_from([28, 32]),
    st.sampled_from([3136, 50_176, 250_000, 1_003_520]), st.data(),
)  # fmt: skip
def test_a_point_survives_the_trip_within_one_step(name, size, policy, factor, most, data):
    tasks = Tasks(name)
    tile = max(56, int(math.sqrt(most)))
    if policy == "tiles" and size[0] * size[1] > 400 * tile**2:
        policy = "adaptive"  # not thousands of tiles
    views = views_of(size, policy, most)
    view = views[data.draw(st.integers(0, len(views) - 1))]
    seen = view.shown_at(smart_resize(view.size_wh, factor, min(3136, max(most, factor**2)), max(most, factor**2)))
    x0, y0, x1, y1 = seen.window_xyxy
    shares = sorted(data.draw(st.tuples(*[st.floats(0, 1)] * 4)))
    box = np.array([x0, y0, x0, y0]) + np.array([x1 - x0, y1 - y0] * 2) * np.array(shares)[[0, 1, 2, 3]]
    corners = box[[[0, 1], [2, 1], [2, 3], [0, 3]]]
    item = Pointed(
        "obb" if name == "native" else "box", seen.from_scene(corners if name == "native" else corners[[0, 2]])
    )
    text = tasks.dialect.encode([item], seen.size_wh)
    (back,) = tasks.detect("plane", seen.size_wh).read(text)
    step = 1 / np.array(seen.frame.scale_xy) if name == "qwen2.5-vl" else np.array(seen.window_wh) / 1000
    region = region_of(back, seen, "plane", None, "test")
    wider = np.maximum(step, np.array(seen.window_wh) / 1000)  # what is flat in the text gets one step of a 0-1000 grid
    if name == "native":
        wider = np.maximum(wider, math.sqrt(seen.size_wh[0] * seen.size_wh[1]) / 1000 / np.array(seen.frame.scale_xy))
    assert (np.abs(region.box_px - box) <= np.tile(wider, 2) * (1 + 1e-9) + 1e-9 * max(size)).all()
    assert (region.box_px >= 0).all() and (region.box_px <= (*size, *size)).all()
    assert (region.box_px[2:] > region.box_px[:2]).all()


def test_a_line_stays_a_line():
    (view,) = whole((1000, 1000), 1_000_000)
    slanting = Pointed("obb", np.array([[100, 100], [900, 900], [900, 900], [100, 100]], dtype=np.float64))
    region = region_of(slanting, view, "road", None, "test")
    sides_px = np.linalg.norm(np.diff(region.corners_px[:3], axis=0), axis=1)
    assert sorted(sides_px.round(6)) == pytest.approx([1, 800 * math.sqrt(2)])
    assert np.abs(region.box_px - [100, 100, 900, 900]).max() < 1
    for kind, points in (("polygon", [[100, 100], [500, 500], [900, 900]]), ("box", [[100, 500], [900, 500]])):
        thin = region_of(Pointed(kind, np.array(points, dtype=np.float64)), view, "road", None, "test")
        assert thin.polygon_px is None
        assert min(np.linalg.norm(np.diff(thin.corners_px[:3], axis=0), axis=1)) == pytest.approx(1)


def test_a_point_gets_one_step_and_stays_inside():
    (view,) = whole((2000, 500), 4_000_000)
    for kind, count in (("obb", 4), ("box", 2), ("polygon", 5)):
        middle = region_of(Pointed(kind, np.full((count, 2), 100.0)), view, "x", None, "test")
        assert middle.box_px.tolist() == [99, 99.75, 101, 100.25]
        corner = region_of(Pointed(kind, np.full((count, 2), (2000.0, 500.0))), view, "x", None, "test")
        assert corner.box_px.tolist() == [1998, 499.5, 2000, 500]


def test_a_real_thing_is_left_as_it_was_written():
    (view,) = whole((1000, 1000), 1_000_000)
    ring = np.array([[100, 100], [300, 120], [280, 400], [90, 200]], dtype=np.float64)
    region = region_of(Pointed("polygon", ring, np.array([[150.0, 150.0]])), view, "field", 0.5, "test")
    assert region.polygon_px.tolist() == ring.tolist() and region.keypoints_px.tolist() == [[150, 150]]
    assert region.box_px.tolist() == [90, 100, 300, 400] and region.score == 0.5
