"""Masks that a model writes as text, as pixels and outlines of the scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from surveyor.core.codec import dialect
from surveyor.core.masks import Mask
from surveyor.tools.models.placing import mask_in_scene
from surveyor.tools.models.pointing import region_of
from surveyor.tools.models.views import View, whole

L_SHAPED = "<seg>1*1,0*3;1*1,0*3;1*2,0*2;0*4</seg>"


def test_a_mask_in_text_becomes_pixels_of_the_scene() -> None:
    view = View((100, 50, 180, 90), (40, 20), (400, 300))  # a window shown at half its size: cells of 10 x 5 shown px
    (told,) = dialect("geoground-16").decode(L_SHAPED, view.size_wh)
    region = region_of(told, view, "pier", None, "test")
    assert region.mask is not None and region.mask.shape_hw == (300, 400)
    truth = np.zeros((300, 400), bool)
    truth[50:80, 100:120] = truth[70:80, 120:140] = True  # cells of 20 x 10 px of the scene
    assert np.array_equal(region.mask.to_array(), truth)
    assert region.polygon_px is not None
    assert Mask.from_polygon(region.polygon_px, (300, 400)) == region.mask
    assert region.box_px.tolist() == [100, 50, 140, 80]


@pytest.mark.parametrize(
    "text", ["<seg>1*1,0*3;0*4;0*4;0*3,1*1</seg>", "<seg>1*4;1*1,0*2,1*1;1*1,0*2,1*1;1*4</seg>"], ids=["parts", "hole"]
)
def test_a_mask_in_parts_or_with_a_hole_has_pixels_and_no_outline(text: str) -> None:
    view = whole((80, 80), 80 * 80)[0]
    (told,) = dialect("geoground").decode(text, view.size_wh)
    region = region_of(told, view, "pond", None, "test")
    assert region.mask is not None and region.polygon_px is None
    assert region.mask.area_px == text.count("1*1") * 400 + text.count("1*4") * 1600


@given(st.integers(1, 90), st.integers(1, 90), st.integers(4, 60), st.integers(4, 60), st.data())
def test_pixels_in_the_scene_lie_where_the_view_shows_them(wide: int, high: int, across: int, down: int, data: Any) -> None:  # fmt: skip  # noqa: E501
    view = View((7, 3, 7 + wide, 3 + high), (across, down), (100, 100))
    shown = np.array(data.draw(st.lists(st.booleans(), min_size=across * down, max_size=across * down)))
    found = mask_in_scene(Mask.from_array(shown.reshape(down, across)), view).to_array()
    y, x = np.nonzero(found)
    assert ((x >= 7) & (x < 7 + wide) & (y >= 3) & (y < 3 + high)).all()
    for j, i in ((j, i) for j in range(0, high, 7) for i in range(0, wide, 7)):
        u, v = view.from_scene(np.array([7 + i + 0.5, 3 + j + 0.5]))
        assert found[3 + j, 7 + i] == shown.reshape(down, across)[min(int(v), down - 1), min(int(u), across - 1)]
