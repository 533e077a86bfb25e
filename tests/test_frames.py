"""Frames: every conversion there and back, and hand-worked values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from surveyor.core.errors import UsageError
from surveyor.core.frames import Frame

SETTINGS = settings(deadline=None, max_examples=50)
sides = st.integers(1, 20_000)
sizes = st.tuples(sides, sides)
frames = st.one_of(
    st.tuples(sides, sides, sides, sides).map(lambda b: Frame.window((b[0], b[1], b[0] + b[2], b[1] + b[3]))),
    st.builds(Frame.resized, sizes, sizes),
    st.builds(Frame.grid, sizes),
    st.builds(Frame.normalised, sizes),
    st.builds(Frame.letterbox, sizes, sizes),
)
points = hnp.arrays(float, st.tuples(st.integers(0, 5), st.just(2)), elements=st.integers(-40_000, 40_000))


@SETTINGS
@given(frames, frames, points)
def test_there_and_back(first, second, xy):
    for frame in (first, first.then(second)):
        inner = frame.from_scene(xy)
        tolerance = 1e-9 * max(1.0, *(abs(v) for v in frame.offset_xy)) * 1e3
        assert np.allclose(frame.to_scene(inner), xy, rtol=1e-9, atol=tolerance)
    assert np.allclose(first.then(second).from_scene(xy), second.from_scene(first.from_scene(xy)), rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize(
    ("frame", "scene", "inner"),
    [
        (Frame.window((512, 100, 1024, 612)), [512.5, 100.5], [0.5, 0.5]),
        (Frame.resized((4000, 3000), (1000, 1500)), [4000, 3000], [1000, 1500]),
        (Frame.grid((4000, 2000)), [1000, 1000], [250, 500]),
        (Frame.normalised((200, 100)), [50, 50], [0.25, 0.5]),
        # 400 x 200 into 100 x 100: scale 0.25, 25 px of padding above and below
        (Frame.letterbox((400, 200), (100, 100)), [0, 0], [0, 25]),
        (Frame.letterbox((400, 200), (100, 100)), [400, 200], [100, 75]),
        (Frame.window((100, 0, 200, 100)).then(Frame.resized((100, 100), (50, 50))), [150, 50], [25, 25]),
    ],
)
def test_hand_worked(frame, scene, inner):
    assert frame.from_scene(np.array(scene)).tolist() == pytest.approx(inner)
    assert frame.to_scene(np.array(inner)).tolist() == pytest.approx(scene)


def test_boxes_and_stacked_points_keep_their_shape():
    frame = Frame.grid((100, 200))
    assert frame.box_from_scene([[10, 20, 50, 200]]).tolist() == [[100, 100, 500, 1000]]
    assert frame.box_to_scene([100, 100, 500, 1000]).tolist() == [10, 20, 50, 200]
    assert frame.from_scene(np.zeros((3, 4, 2))).shape == (3, 4, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Frame.grid((0, 10)),
        lambda: Frame.normalised((10, float("nan"))),
        lambda: Frame((0, float("inf"))),
        lambda: Frame.grid((10, 10)).from_scene([1, 2, 3]),
        lambda: Frame.grid((10, 10)).box_to_scene([1, 2]),
    ],
)
def test_bad_input(call):
    with pytest.raises(UsageError):
        call()
