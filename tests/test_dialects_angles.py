"""Angles of oriented boxes: each convention against the arithmetic of its authors, and the corner cases of all."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.codec import Pointed, dialect
from surveyor.core.dialects import STOCK
from surveyor.core.errors import ModelOutputError, UsageError
from surveyor.core.geometry import canonical_corners, min_area_rect

SETTINGS = settings(deadline=None, max_examples=80)
TURNED = [each.name for each in STOCK if "obb" in each.kinds and each.name != "falcon"]
SQUARE = (1000, 1000)


def obb(cx, cy, w, h, clockwise_deg):
    """A box by its centre, sides and the clockwise angle of the first of them."""
    turn = math.radians(clockwise_deg)
    along, across = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return Pointed("obb", np.array([np.array([cx, cy]) + s * w / 2 * along + t * h / 2 * across for s, t in signs]))


def same(one, other, tolerance=1e-6):
    return np.allclose(canonical_corners(one), canonical_corners(other), atol=tolerance)


# ---- the numbers of a box that rises by 30 degrees to the right (counter-clockwise), worked by hand
# centre (500, 400) px of 1000 x 1000 = 50, 40 percent; 300 x 100 px = 30, 10 percent; clockwise angle -30 = 150.
# quarter turns: 150 - 90 = 60 clockwise, so the short side is first: w=10, h=30. GeoChat: 50 -+ 5, 40 -+ 15.
# corners: along = (150 cos 30, -150 sin 30) = (129.904, -75), across = (50 sin 30, 50 cos 30) = (25, 43.301);
# nearest to the origin: centre - along - across = (345.10, 431.70); the opposite one (654.90, 368.30)

RISING = obb(500, 400, 300, 100, -30)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("geochat", "{<45><25><55><55>|<60>}"),
        ("geochat-ccw", "{<35><35><65><45>|<30>}"),
        ("vrsbench", "{<34><28><65><51>}"),
        ("vrsbench-obb1", "{<50><40><30><10>|<30>}"),
        ("vrsbench-obb2", "{<34><43><65><36>|<30>}"),
        ("fit-rs", "<rbox>({<50.00><40.00><10.00><30.00>|<60>})</rbox>"),
        ("geoground", "<obb>[[50,40,10,30,60]]</obb>"),
        ("geoground-le90", "<obb>[[50,40,30,10,-30]]</obb>"),
        ("falcon", "<quad><605><282><655><368><395><518><345><432></quad>"),
    ],
)
def test_worked_by_hand(name, written):
    assert dialect(name).encode([RISING], SQUARE) == written
    (item,) = dialect(name).decode(written, SQUARE)
    if name == "vrsbench":
        assert item.points_px.tolist() == [[340, 280], [650, 510]]
    else:
        assert same(item.points_px, RISING.points_px, {"falcon": 1, "vrsbench-obb2": 11}.get(name, 1e-6))


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("geochat", "{<40><45><60><55>|<90>}"),  # 10 wide and 20 high: as cv2.minAreaRect has it, (20, 10) at 90
        ("geochat-ccw", "{<40><45><60><55>|<90>}"),
        ("vrsbench-obb1", "{<50><50><20><10>|<90>}"),
        ("vrsbench-obb2", "{<45><40><55><60>|<90>}"),
        ("fit-rs", "<rbox>({<50.00><50.00><20.00><10.00>|<90>})</rbox>"),
        ("geoground", "<obb>[[50,50,20,10,90]]</obb>"),
        ("geoground-le90", "<obb>[[50,50,20,10,-90]]</obb>"),
    ],
)
def test_a_box_that_stands_upright(name, written):
    for angle in (0, 90, 180, 270, 360, -90, 1e-12, -1e-12, 90 - 1e-11):
        w, h = (100, 200) if round(angle) % 180 == 0 else (200, 100)
        assert dialect(name).encode([obb(500, 500, w, h, angle)], SQUARE) == written
    (item,) = dialect(name).decode(written, SQUARE)
    assert same(item.points_px, np.array([[450, 400], [550, 400], [550, 600], [450, 600]]))


# ---- what the authors' own code does, written anew


def geochat_polygon(x1, y1, x2, y2, degrees):
    """`bbox_and_angle_to_polygon` of geochat_demo.py: a plain rotation matrix with y down."""
    turn = np.radians(degrees)
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle, half = np.array([x1 + x2, y1 + y2]) / 2, np.array([abs(x2 - x1), abs(y2 - y1)]) / 2
    return np.array([spin @ (half * sign) + middle for sign in ((-1, -1), (1, -1), (1, 1), (-1, 1))])


whole = st.integers(10, 90)


@SETTINGS
@given(whole, whole, whole, whole, st.integers(0, 90), st.sampled_from([(100, 100), (1024, 1024), (1600, 900)]))
def test_geochat_reads_as_its_demo_does(x1, y1, x2, y2, degrees, size):
    (item,) = dialect("geochat").decode(f"{{<{x1}><{y1}><{x2}><{y2}>|<{degrees}>}}", size)
    width, height = size
    expected = geochat_polygon(*(np.array([x1, y1, x2, y2]) * [width, height, width, height] / 100), degrees)
    assert same(item.points_px, expected, 1e-6 * width)
    (other,) = dialect("geochat-ccw").decode(f"{{<{x1}><{y1}><{x2}><{y2}>|<{degrees}>}}", size)
    mirrored = geochat_polygon(*(np.array([x1, y1, x2, y2]) * [width, height, width, height] / 100), -degrees)
    assert same(other.points_px, mirrored, 1e-6 * width)


def test_geochat_turns_as_measured():
    """(60, 50) about (50, 50) by 30 degrees: (58.7, 55.0) clockwise, (58.7, 45.0) by what the demo draws."""
    for name, y in (("geochat", 55.0), ("geochat-ccw", 45.0)):
        (item,) = dialect(name).decode("{<40><50><60><50>|<30>}", (100, 100))
        assert np.abs(item.points_px - [58.66, y]).sum(axis=1).min() < 0.01


@SETTINGS
@given(st.integers(150, 350), st.integers(150, 350), st.integers(4, 150), st.integers(4, 150), st.integers(0, 359))
def test_vrsbench_and_fit_rs_write_what_their_scripts_write(cx, cy, w, h, degrees):
    """int(100 * v) of fractions of a 512 px patch; minAreaRect brought into (0, 90] and %d."""
    item, size = obb(cx, cy, w, h, degrees + 0.25), (512, 512)
    share = item.points_px / 512
    low, high = share.min(axis=0), share.max(axis=0)
    expected = "".join(f"<{int(100 * v + 1e-9)}>" for v in (*low, *high))
    assert dialect("vrsbench").encode([item], size) == f"{{{expected}}}"
    clockwise = (degrees + 0.25) % 180
    angle, (first, second) = (clockwise, (w, h)) if clockwise <= 90 else (clockwise - 90, (h, w))
    four = "".join(f"<{math.floor(v / 512 * 10000 + 0.5 + 1e-6) / 100:.2f}>" for v in (cx, cy, first, second))
    assert dialect("fit-rs").encode([item], size) == f"<rbox>({{{four}|<{int(angle)}>}})</rbox>"
    if w != h:
        long_first = clockwise if w > h else clockwise - 90
        counter = 90 - (90 + long_first) % 180  # (-90, 90], counter-clockwise
        four = "".join(f"<{int(100 * v / 512 + 1e-9)}>" for v in (cx, cy, max(w, h), min(w, h)))
        written = math.floor(counter + 0.5)
        expected = f"{{{four}|<{90 if written == -90 else written}>}}"
        assert dialect("vrsbench-obb1").encode([item], size) == expected


def test_negative_numbers_are_cut_off_toward_zero_and_read_back():
    item = obb(-0.4, 3, 20, 4, 0)  # a box that leaves a 100 px image: its centre is -0.4, int(-0.4) = 0
    assert dialect("vrsbench-obb1").encode([item], (100, 100)) == "{<0><3><20><4>|<0>}"
    item = obb(-2.7, 30, 20, 4, 0)
    text = dialect("vrsbench-obb1").encode([item], (100, 100))
    assert text == "{<-2><30><20><4>|<0>}"
    (back,) = dialect("vrsbench-obb1").decode(text, (100, 100))
    assert np.allclose(back.points_px.mean(axis=0), [-2, 30])


@pytest.mark.parametrize("text", ["<obb>[[20,19,2,10,52]]</obb>", "<obb>[20, 19, 2, 10, 52]</obb>"])
def test_the_example_of_the_geoground_paper(text):
    (item,) = dialect("geoground").decode(text, (100, 100))
    assert same(item.points_px, obb(20, 19, 2, 10, 52).points_px)
    boxes = dialect("geoground").decode("<box>[[155,143,250,238], [906,47,1000,141]]</box>", SQUARE)
    assert [each.points_px.ravel().tolist() for each in boxes] == [[155, 143, 250, 238], [906, 47, 1000, 141]]
    assert dialect("geoground").encode(boxes, SQUARE) == "<box>[[155,143,250,238], [906,47,1000,141]]</box>"


def test_the_example_of_falcons_readme():
    (item,) = dialect("falcon").decode("<quad><703><420><703><292><571><292><571><420></quad>", SQUARE)
    assert item.points_px.tolist() == [[571, 292], [703, 292], [703, 420], [571, 420]]
    (ring,) = dialect("falcon").decode("<poly><1000><0><488><0><465><221><443><279></poly>", SQUARE)
    assert ring.kind == "polygon" and ring.points_px.tolist()[0] == [1000, 0] and len(ring.points_px) == 4


# ---- corner cases of every convention


@pytest.mark.parametrize("name", TURNED)
@SETTINGS
@given(st.floats(0, 360), st.floats(0.1, 0.5))
def test_squares_come_back_whatever_their_angle_is_called(name, angle, side):
    square = obb(500, 500, 600 * side, 600 * side, angle)
    (item,) = dialect(name).decode(dialect(name).encode([square], SQUARE), SQUARE)
    radius = 600 * side / math.sqrt(2)
    off = min(np.abs(np.roll(square.points_px, k, axis=0) - canonical_corners(item.points_px)).max() for k in range(4))
    assert off <= 1.5 * 10 * math.sqrt(2) + radius * math.radians(1)


@pytest.mark.parametrize("name", TURNED)
@pytest.mark.parametrize(
    "item",
    [
        obb(500, 500, 0, 0, 0), obb(500, 500, 300, 0, 25), obb(500, 500, 0, 300, 25), obb(0, 0, 0, 0, 0),
        Pointed("box", np.array([[500.0, 500], [500, 500]])), Pointed("box", np.array([[0.0, 0], [1000, 0]])),
        Pointed("polygon", np.array([[10.0, 10], [20, 20], [30, 30]])), Pointed("obb", np.array([[7.0, 7]])),
    ],
    ids=["point", "line", "line-across", "corner", "box-point", "box-line", "polygon-line", "one-point"],
)  # fmt: skip
def test_what_has_no_area(name, item):
    (back,) = dialect(name).decode(dialect(name).encode([item], SQUARE), SQUARE)
    given_rect = min_area_rect(item.points_px)
    if back.kind == "mask":  # one cell, or those along the line
        assert (back.points_px.min(axis=0) <= 10).all() and (back.points_px.max(axis=0) >= 30).all()
        return
    assert np.abs(given_rect.mean(axis=0) - back.points_px.mean(axis=0)).max() <= 15.1
    assert np.abs(np.ptp(given_rect, axis=0) - np.ptp(back.points_px, axis=0)).max() <= 30


@pytest.mark.parametrize("name", TURNED)
def test_an_object_at_the_edge_is_written_whole_and_one_outside_is_cut(name):
    leaving = obb(990, 500, 200, 40, 30)  # reaches out of the image; its centre does not
    (back,) = dialect(name).decode(dialect(name).encode([leaving], SQUARE), SQUARE)
    assert back.points_px[:, 0].max() > 1040
    for far in (obb(1300, 500, 400, 40, 0), obb(5000, -900, 100, 50, 10), obb(500, 500, 9000, 9000, 45)):
        (back,) = dialect(name).decode(dialect(name).encode([far], SQUARE), SQUARE)
        assert (np.clip(far.points_px, 0, 1000).min(axis=0) - 21 <= back.points_px.min(axis=0)).all()
        assert (back.points_px.max(axis=0) <= 1021).all()


@pytest.mark.parametrize("name", TURNED)
@pytest.mark.parametrize(
    "points", [np.zeros((0, 2)), np.array([[0, np.nan]] * 4), np.array([[0, np.inf]] * 4), np.zeros(4)]
)
def test_what_cannot_be_written(name, points):
    with pytest.raises(UsageError):
        dialect(name).encode([Pointed("obb", points)], SQUARE)


@pytest.mark.parametrize("name", TURNED)
def test_a_quadrilateral_becomes_the_smallest_rectangle_round_it(name):
    kite = Pointed("obb", np.array([[500, 300], [600, 500], [500, 800], [400, 500]]))
    (back,) = dialect(name).decode(dialect(name).encode([kite], SQUARE), SQUARE)
    rectangle = min_area_rect(kite.points_px)
    off = min(np.abs(np.roll(rectangle, k, axis=0) - back.points_px).max() for k in range(4))
    assert off < 30


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("geochat", "{<40><40><60><60>|<130>}"), ("geochat", "{<40><40><60><60>|<-30>}"),
        ("geochat", "{<40><40><981><60>|<30>}"), ("geochat", "{<400><400><460><460>|<30>}"),
        ("vrsbench-obb1", "{<50><50><20><10>|<150>}"), ("vrsbench-obb1", "{<50><50><190><10>|<0>}"),
        ("vrsbench-obb2", "{<250><50><290><10>|<0>}"), ("fit-rs", "<rbox>({<50><50><20><10>|<-45>})</rbox>"),
        ("fit-rs", "<rbox>({<256.0><256.0><20><10>|<45>})</rbox>"),
        ("geoground", "<obb>[[50,50,20,10,-45]]</obb>"), ("geoground", "<obb>[[500,500,20,10,45]]</obb>"),
        ("geoground-le90", "<obb>[[50,50,20,10,120]]</obb>"),
    ],
)  # fmt: skip
def test_numbers_of_another_convention_are_refused(name, text):
    with pytest.raises(ModelOutputError, match="another convention") as caught:
        dialect(name).decode(text, SQUARE)
    assert caught.value.raw == text


def test_numbers_a_little_beyond_the_range_are_read():
    (item,) = dialect("geochat").decode("{<-5><40><105><60>|<95>}", (100, 100))
    assert same(item.points_px, obb(50, 50, 110, 20, 95).points_px)
    (item,) = dialect("geochat").decode("{<60><60><40><40>|<0>}", (100, 100))  # corners the wrong way round
    assert same(item.points_px, obb(50, 50, 20, 20, 0).points_px)
    with pytest.raises(ModelOutputError, match="below 0"):
        dialect("vrsbench-obb1").decode("{<50><50><-20><10>|<0>}", (100, 100))
