"""The point codec: round trips, the written convention, and any text gives a value or ModelOutputError."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.codec import PointCodec, Pointed, canonical_quads, dialect, register
from surveyor.core.errors import ModelOutputError, UsageError
from surveyor.core.geometry import canonical_corners

SETTINGS = settings(deadline=None, max_examples=60)
CODEC = PointCodec()
SIZE = (1000, 1000)  # one pixel is one grid step
cell = st.integers(0, 1000)
point = st.tuples(cell, cell)


def as_pixels(xy):
    return np.array(xy, dtype=np.float64)


@SETTINGS
@given(st.lists(st.lists(point, min_size=4, max_size=4).map(as_pixels), max_size=4), st.tuples(cell, cell))
def test_oriented_boxes_come_back_on_the_grid(quads, extra):
    size = (1000 + extra[0], 1000 + extra[1])
    corners = [canonical_corners(quad) * np.array(size) / 1000 for quad in quads]
    text = CODEC.encode([Pointed("obb", quad) for quad in corners], size)
    back = CODEC.decode(text, size)
    assert [item.kind for item in back] == ["obb"] * len(quads)
    for item, quad in zip(back, corners, strict=True):
        assert sorted(map(tuple, item.points_px.round(6))) == sorted(map(tuple, quad.round(6)))
        assert np.allclose(canonical_corners(item.points_px), item.points_px)
    assert CODEC.encode(back, size) == text


@SETTINGS
@given(st.lists(st.lists(point, min_size=4, max_size=4), max_size=6), st.sampled_from([1.0, 1e-7, 0.37]))
def test_many_quadrilaterals_are_ordered_as_each_alone(quads, scale):
    corners = np.array(quads, dtype=float).reshape(-1, 4, 2) * scale
    assert canonical_quads(corners).tolist() == [canonical_corners(each).tolist() for each in corners]


@SETTINGS
@given(st.lists(point, min_size=2, max_size=2), st.lists(point, min_size=1, max_size=5))
def test_boxes_with_keypoints_come_back(corners, keypoints):
    box = as_pixels(corners)
    text = CODEC.encode([Pointed("box", box, as_pixels(keypoints))], SIZE)
    (item,) = CODEC.decode(text, SIZE)
    assert item.points_px.tolist() == [box.min(axis=0).tolist(), box.max(axis=0).tolist()]
    assert item.keypoints_px.tolist() == as_pixels(keypoints).tolist()


@SETTINGS
@given(st.lists(point, min_size=3, max_size=12).filter(lambda ring: len(set(ring)) > 2 and ring[0] != ring[-1]))
def test_polygons_come_back(ring):
    text = CODEC.encode([Pointed("polygon", as_pixels(ring))], SIZE)
    (item,) = CODEC.decode(text, SIZE)
    assert item.kind == "polygon"
    assert item.points_px.tolist() == as_pixels(ring).tolist()


def test_written_form():
    quad = np.array([[30, 20], [10, 20], [10, 10], [30, 10]])
    assert CODEC.encode([Pointed("obb", quad)], (100, 100)) == "[(100,100),(300,100),(300,200),(100,200)]"
    box = Pointed("box", np.array([[10, 20], [60, 70]]), np.array([[35, 45], [36, 45]]))
    assert CODEC.encode([box], (100, 100)) == "[(100,200),(600,700)] keypoints [(350,450),(360,450)]"
    triangle = Pointed("polygon", np.array([[0, 0], [10, 0], [0, 10]]))
    assert CODEC.encode([triangle], (100, 100)) == "[(0,0),(100,0),(0,100),(0,0)]"
    assert CODEC.encode([], (100, 100)) == "none"
    assert CODEC.encode([box, triangle], (100, 100)).count("\n") == 1


@pytest.mark.parametrize(
    ("px", "written"),
    [(0.0005, 1), (0.0004999, 0), (0.0015, 2), (0.0025, 3), (-3.0, 0), (1.2, 1000)],
    ids=["half-up", "below", "half-up-odd", "half-up-even", "clipped-low", "clipped-high"],
)
def test_rounding_is_half_up_and_clipped(px, written):
    text = CODEC.encode([Pointed("box", np.array([[px, 0], [px, 1]]))], (1, 1))
    assert text.startswith(f"[({written},")


@pytest.mark.parametrize("text", ["none", " None. ", "NONE", "nothing", "[]", "no objects found", "No such object."])
def test_explicit_none_is_an_empty_list(text):
    assert CODEC.decode(text, SIZE) == []


@pytest.mark.parametrize(
    "text",
    [
        "[(1,2),(3,4)],[(5,6),(7,8)]",
        "[(1,2),(3,4)] and [(5,6),(7,8)].",
        "[ ( 1 , 2 ) , ( 3 , 4 ) ]\n\n[(5,6) (7,8)]",
        "[(1.0,2.0),(3,4)]; [(5,6),(7,8),]",
    ],
)
def test_loose_writing_is_read(text):
    assert [item.points_px.tolist() for item in CODEC.decode(text, SIZE)] == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


def test_small_overshoot_is_clipped():
    (item,) = CODEC.decode("[(-4,0),(1003,1000)]", SIZE)
    assert item.points_px.tolist() == [[0, 0], [1000, 1000]]


BAD = [
    "",
    "   ",
    "I see two planes.",
    "two planes: [(1,2),(3,4)]",
    "[(1,2),(3,4)] the plane",
    "[(1,2)]",
    "[(1,2),(3,4),(5,6)]",
    "[(1,2),(3,4),(5,6),(7,8),(9,10)]",
    "[(1,2),(3,4)",
    "[1,2,3,4]",
    "[(1,2),(3,x)]",
    "[(1,2,3),(4,5,6)]",
    "[(1,2),,,(3,4)]",
    "[(1,2),(3,9999999999999999999)]",
    "[(1,2),(3,5000)]",
    "[(1,2),(3,4)] keypoints",
    "[(1,2),(3,4)] keypoints []",
    "[(1,2),(3,4),(5,6),(7,8)] keypoints [(1,2)]",
    "none [(1,2),(3,4)]",
    "[(nan,inf),(3,4)]",
    "[(1,2),(3,４)]",
]


@pytest.mark.parametrize("text", BAD)
def test_unreadable_text_keeps_its_text(text):
    with pytest.raises(ModelOutputError) as caught:
        CODEC.decode(text, SIZE)
    assert caught.value.raw == text


ALPHABET = "[](),0123456789.- \nkeypointsandnone;:xé"


@SETTINGS
@given(st.one_of(st.text(), st.text(ALPHABET, max_size=60), st.sampled_from(BAD).flatmap(st.permutations).map("".join)))
def test_any_text_gives_objects_or_model_output_error(text):
    try:
        objects = CODEC.decode(text, (640, 480))
    except ModelOutputError as error:
        assert error.raw == text
        return
    for item in objects:
        assert np.isfinite(item.points_px).all()
        assert (item.points_px >= 0).all()
        assert (item.points_px <= (640, 480)).all()


@pytest.mark.parametrize("unit", ["[", "(", "[(", " ", "[(1,2),", "keypoints", "and ", "[(1,2),(3,4)] "])
def test_long_replies_take_no_long(unit):
    with pytest.raises(ModelOutputError):
        CODEC.decode("x" + unit * 30_000, SIZE)
    try:
        CODEC.decode(unit * 2_000, SIZE)
    except ModelOutputError:
        return
    assert unit == "[(1,2),(3,4)] "


def test_too_long_a_reply():
    with pytest.raises(ModelOutputError, match="characters"):
        CODEC.decode("[" * 1_000_001, SIZE)


@pytest.mark.parametrize(
    "item",
    [
        Pointed("circle", np.zeros((4, 2))),
        Pointed("obb", np.zeros((3, 2))),
        Pointed("box", np.zeros((4, 2))),
        Pointed("polygon", np.zeros((2, 2))),
        Pointed("box", np.array([[0, np.nan], [1, 1]])),
    ],
)
def test_objects_that_cannot_be_written(item):
    with pytest.raises(UsageError):
        CODEC.encode([item], SIZE)


def test_the_door_for_other_dialects():
    assert dialect().name == dialect("native").name == "native"
    with pytest.raises(UsageError, match="native"):
        dialect("martian")
    with pytest.raises(UsageError, match="taken"):
        register(PointCodec())
