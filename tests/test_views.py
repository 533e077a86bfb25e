"""Views of a large scene: what they cover, how points travel, and how what several of them found becomes one."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from surveyor.core.errors import UsageError
from surveyor.core.geometry import box_to_corners, canonical_corners, corners_to_box
from surveyor.core.progress import noting
from surveyor.core.regions import Region
from surveyor.tools.models.merging import merge_regions, merge_seen
from surveyor.tools.models.second_look import second_look
from surveyor.tools.models.views import LEAST_SIDE, MOST_ASPECT, Seen, View, adaptive, tiled, whole, zoomed

SETTINGS = settings(deadline=None, max_examples=80)
sides = st.integers(1, 3000) | st.sampled_from([1, 28, 1024, 1025, 20_000])
sizes = st.tuples(sides, sides) | st.sampled_from([(1, 20_000), (20_000, 100), (100, 20_000), (20_000, 20_000), (1, 1)])


def spans_of(views: tuple[View, ...], axis: int) -> list[tuple[int, int]]:
    return sorted({(v.window_xyxy[axis], v.window_xyxy[axis + 2]) for v in views})


def covers(views: tuple[View, ...], size_wh: tuple[int, int], overlap_px: float) -> None:
    """The windows are a full grid of spans that cover both axes with the overlap, inside the scene."""
    across, down = spans_of(views, 0), spans_of(views, 1)
    assert len(views) == len(across) * len(down) == len({v.window_xyxy for v in views})
    for spans, length in ((across, size_wh[0]), (down, size_wh[1])):
        assert spans[0][0] == 0 and spans[-1][1] == length
        assert len({end - start for start, end in spans}) == 1  # no slivers
        assert all(end - start >= overlap_px for (_, end), (start, _) in pairwise(spans))


# ---- policies


@SETTINGS
@given(sizes, st.integers(LEAST_SIDE, 1500), st.floats(0, 0.5), st.sampled_from([0.1, 0.37, 0.5, 1.0, 1.5, 3.0]))
def test_tiles_cover_overlap_and_are_bounded(size_wh, tile_px, share, scale):
    overlap_px = math.floor(share * tile_px)
    side, lap = math.floor(tile_px / scale), math.ceil(overlap_px / scale)
    assume(np.prod([max(1, n / (side - lap)) for n in size_wh]) < 20_000)
    views = tiled(size_wh, tile_px, overlap_px, scale)
    covers(views, size_wh, overlap_px / scale)
    assert len(views) <= np.prod([max(1, math.ceil((n - lap) / (side - lap))) for n in size_wh])
    for view in views[:3]:
        width, height = view.size_wh
        assert min(width, height) >= LEAST_SIDE and max(width, height) <= tile_px
        assert max(width, height) <= MOST_ASPECT * min(width, height)


def test_tiles_at_full_scale_are_not_resampled():
    assert {v.size_wh for v in tiled((5000, 3000), 1024, 128)} == {(1024, 1024)}
    assert all(v.window_wh == v.size_wh for v in tiled((5000, 900), 1024, 128))


@SETTINGS
@given(
    sizes, st.integers(LEAST_SIDE, 700), st.integers(1, 40), st.floats(0, 0.5), st.sampled_from([0.5, 1.5, math.inf])
)
def test_the_partition_covers_with_at_most_p_tiles_and_one_global_view(size_wh, base_px, most, share, upscale):
    overlap_px = math.floor(share * base_px)
    views = adaptive(size_wh, base_px, most, overlap_px=overlap_px, upscale=upscale)
    *tiles, globally = views
    assert globally.is_whole and max(globally.size_wh) <= max(base_px, LEAST_SIDE)
    assert len(tiles) <= most
    if tiles:
        covers(tuple(tiles), size_wh, 0)
        count = max(len(spans_of(tuple(tiles), axis)) for axis in (0, 1))
        reach = count * base_px - (count - 1) * overlap_px  # view px that a row of tiles covers
        for axis in (0, 1):
            for (_, end), (start, _) in pairwise(spans_of(tuple(tiles), axis)):
                assert (end - start) * reach >= overlap_px * max(size_wh)
        assert all(max(view.size_wh) <= base_px for view in tiles)


@SETTINGS
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 60))
def test_the_grid_is_that_of_the_published_rule(a, b, most):
    # k columns and ceil(k / aspect) rows, the largest k with at most P tiles; sizes of 100s so that no pixel is rounded
    width, height = 5000 * max(a, b), 5000 * min(a, b)
    k = 1
    while (k + 1) * math.ceil((k + 1) * min(a, b) / max(a, b) - 1e-12) <= most:
        k += 1
    rows = math.ceil(k * min(a, b) / max(a, b) - 1e-12)
    *tiles, _ = adaptive((width, height), 560, most, upscale=math.inf)
    assert (len(spans_of(tuple(tiles), 0)), len(spans_of(tuple(tiles), 1))) == (k, rows) if k > 1 else tiles == []


@pytest.mark.parametrize(
    ("size_wh", "most", "grid"),
    [
        ((800, 800), 9, (3, 3)),  # ceil(1.5 * 800 / 560) = 3 tiles a side
        ((300, 300), 9, None),  # one tile is all there is: the global view
        ((4000, 2000), 9, (4, 2)),  # 5 columns would need 3 rows
        ((2000, 4000), 9, (2, 4)),
        ((20_000, 100), 9, (9, 1)),
        ((4000, 4000), 1, None),
        ((4000, 3990), 3, None),  # 2 columns need 2 rows
    ],
)
def test_grids_worked_by_hand(size_wh, most, grid):
    *tiles, _ = adaptive(size_wh, 560, most)
    assert (len(spans_of(tuple(tiles), 0)), len(spans_of(tuple(tiles), 1))) == (grid or (0, 0))


def test_the_global_view_is_square_when_asked():
    assert adaptive((4000, 2000), 560, 9, stretched=True)[-1].size_wh == (560, 560)


@SETTINGS
@given(sizes, st.integers(LEAST_SIDE**2, 4_000_000))
def test_one_view_keeps_to_the_pixels(size_wh, max_pixels):
    (view,) = whole(size_wh, max_pixels)
    width, height = view.size_wh
    assert view.is_whole and width * height <= max_pixels
    assert max(view.size_wh) <= MOST_ASPECT * min(view.size_wh)
    if min(size_wh) >= LEAST_SIDE and size_wh[0] * size_wh[1] <= max_pixels and max(size_wh) <= 200 * min(size_wh):
        assert view.size_wh == size_wh


@SETTINGS
@given(sizes, st.tuples(*[st.floats(-100, 20_100)] * 4), st.integers(LEAST_SIDE, 1000), st.floats(1, 10))
def test_a_crop_lies_in_the_scene_and_holds_the_box(size_wh, numbers, long_px, context):
    x0, x1 = sorted((numbers[0], numbers[1]))
    y0, y1 = sorted((numbers[2], numbers[3]))
    view = zoomed((x0, y0, x1, y1), size_wh, long_px, context)
    limit = np.array([*size_wh, *size_wh], float)
    inside = np.clip([x0, y0, x1, y1], 0, limit)
    assert (np.array(view.window_xyxy[:2]) <= inside[:2] + 1).all()
    assert (np.array(view.window_xyxy[2:]) >= inside[2:] - 1).all()
    assert max(view.size_wh) <= max(long_px, LEAST_SIDE)


@SETTINGS
@given(sizes, st.data())
def test_points_survive_the_round_trip(size_wh, data):
    views = data.draw(
        st.sampled_from([
            whole(size_wh, 200_000), adaptive(size_wh, 448, 6, overlap_px=64), (zoomed((5, 5, 9, 9), size_wh, 448),),
        ])
    )  # fmt: skip
    view = data.draw(st.sampled_from(views))
    points = np.array(data.draw(st.lists(st.tuples(st.floats(-50, 20_050), st.floats(-50, 20_050)), max_size=5)))
    points = points.reshape(-1, 2)
    assert np.allclose(view.to_scene(view.from_scene(points)), points, atol=1e-7)
    corners = np.array(view.window_xyxy, float).reshape(2, 2)
    assert np.allclose(view.from_scene(corners), [[0, 0], view.size_wh], atol=1e-7)


def test_views_worked_by_hand():
    view = View((100, 50, 300, 150), (400, 100), (1000, 150))
    assert view.from_scene([[200, 100]]).tolist() == [[200, 50]]
    assert view.to_scene([[400, 100]]).tolist() == [[300, 150]]
    assert view.scale == pytest.approx(math.sqrt(2))
    # 3 view px are 1.5 scene px along x and 3 along y; the scene ends at the lower border
    assert view.cut_sides([101.4, 52.9, 298.4, 150]) == (True, True, False, False)
    assert view.shown_at((200, 100)).from_scene([[200, 100]]).tolist() == [[100, 50]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: View((0, 0, 11, 5), (28, 28), (10, 5)), "outside"),
        (lambda: View((3, 0, 3, 5), (28, 28), (10, 5)), "empty"),
        (lambda: View((0, 0, 5, 5), (0, 28), (10, 5)), "size_wh"),
        (lambda: tiled((0, 10), 100, 10), "size_wh"),
        (lambda: tiled((10.5, 10), 100, 10), "whole px"),
        (lambda: tiled((100, 100), 100, 51), "half"),
        (lambda: tiled((100, 100), 10, 0), "tile_px"),
        (lambda: tiled((100, 100), 100, 0, 0.0), "scale"),
        (lambda: tiled((100, 100), 100, 50, 100.0), "smaller scale"),
        (lambda: adaptive((100, 100), 560, 0), "most"),
        (lambda: adaptive((100, 100), 560, 9, upscale=float("nan")), "upscale"),
        (lambda: adaptive((100, 100), 560, 9, overlap_px=-1), "overlap_px"),
        (lambda: whole((100, 100), 100), "max_pixels"),
        (lambda: zoomed((0, 0, float("nan"), 1), (100, 100), 448), "box_px"),
        (lambda: zoomed((0, 0, 1, 1), (100, 100), 448, context=0.5), "context"),
    ],
)
def test_bad_settings_are_told(call, message):
    with pytest.raises(UsageError, match=message):
        call()


# ---- merging

SCENE = (4000, 1000)
LEFT, RIGHT = View((0, 0, 1024, 1000), (1024, 1000), SCENE), View((900, 0, 1924, 1000), (1024, 1000), SCENE)
THIRD = View((1800, 0, 2824, 1000), (1024, 1000), SCENE)
AFAR = View((0, 0, *SCENE), (1000, 250), SCENE)
POINTS = np.array([[1.0, 1.0], [2.0, 2.0]])


def seen(view: View, box: tuple[float, ...], label: str = "ship", score: float | None = None, **more: object) -> Seen:
    xyxy = np.array(box, float)
    return Seen(Region(f"{label}-1", label, box_to_corners(xyxy), xyxy, score, **more), view)  # type: ignore[arg-type]


def boxes(found: list[Seen]) -> list[list[float]]:
    return sorted(region.box_px.tolist() for region in merge_regions(found))


def test_nothing_and_one_find():
    assert merge_regions([]) == ()
    (one,) = merge_regions([seen(LEFT, (10, 10, 60, 60))])
    assert one.id == "ship-1" and one.score is None


def test_a_find_of_two_views_is_one_and_keeps_its_outline_and_points():
    outline = box_to_corners(np.array([951.0, 10, 1001, 60]))
    first = seen(LEFT, (951, 10, 1001, 60), score=0.9, polygon_px=outline, keypoints_px=POINTS)
    (one,) = merge_regions([seen(RIGHT, (950, 11, 1002, 60), score=0.8), first])
    assert one.score == 0.9 and one.polygon_px.tolist() == outline.tolist()
    assert one.keypoints_px.tolist() == POINTS.tolist()


def test_labels_do_not_meet():
    assert len(merge_regions([seen(LEFT, (950, 10, 1000, 60)), seen(RIGHT, (950, 10, 1000, 60), "car")])) == 2


@pytest.mark.parametrize("score", [None, 0.99], ids=["no scores", "the cut one is surer"])
def test_a_cut_box_gives_way_to_a_whole_one(score):
    found = [
        seen(LEFT, (960, 10, 1024, 60), score=score),  # touches the right border of its view
        seen(RIGHT, (960, 10, 1060, 60), score=None if score is None else 0.3),
    ]
    assert boxes(found) == [[960, 10, 1060, 60]]


def test_the_border_of_the_scene_cuts_nothing():
    first = seen(LEFT, (0, 0, 50, 50))
    assert not first.cut and seen(RIGHT, (900, 0, 950, 50)).cut


def test_large_things_are_taken_from_afar_and_small_ones_from_close_by():
    harbour = seen(AFAR, (400, 100, 2400, 800))
    pieces = [seen(LEFT, (402, 102, 1024, 795)), seen(RIGHT, (900, 100, 1924, 799)), seen(THIRD, (1800, 99, 2398, 797))]
    # 40 scene px are 10 px from afar: a guess, 6 px off, which hardly overlaps the box from close by
    guess, car = seen(AFAR, (36, 920, 76, 960), "car"), seen(LEFT, (60, 925, 100, 955), "car")
    found = {region.label: region.box_px.tolist() for region in merge_regions([guess, harbour, *pieces, car])}
    assert found["car"] == [60, 925, 100, 955]
    assert found["ship"] == [400, 100, 2400, 800]
    assert len(merge_regions([guess, harbour, *pieces, car])) == 2


def test_a_close_find_stands_for_one_guess_only():
    # two cars side by side, seen as guesses from afar, one of them from close by: the other is not lost
    guesses = [seen(AFAR, (100, 100, 140, 120), "car"), seen(AFAR, (100, 124, 140, 144), "car")]
    assert boxes([*guesses, seen(LEFT, (104, 101, 142, 119), "car")]) == [[100, 124, 140, 144], [104, 101, 142, 119]]


def test_one_object_in_two_close_views_stands_for_one_guess_only():
    guesses = [seen(AFAR, (940, 100, 980, 120), "car"), seen(AFAR, (940, 124, 980, 144), "car")]
    close = [seen(view, (944, 101, 982, 119), "car") for view in (LEFT, RIGHT)]
    assert boxes([*guesses, *close]) == [[940, 124, 980, 144], [944, 101, 982, 119]]


def test_a_box_round_several_finds_of_closer_views_is_a_group():
    cars = [seen(LEFT, (100 + 240 * i, 100, 300 + 240 * i, 220), "car") for i in range(3)]
    row = seen(AFAR, (98, 98, 782, 222), "car")
    assert len(boxes([row, *cars])) == 3 and row.region.box_px.tolist() not in boxes([row, *cars])
    assert boxes([row, *cars[:2]]) == [[98, 98, 782, 222]]  # two may be the parts of one


def test_what_one_view_tells_apart_stays_apart_unless_it_was_said_twice():
    neighbours = [seen(LEFT, (100, 100, 160, 160)), seen(LEFT, (110, 110, 170, 170))]  # slanting ships, upright boxes
    assert len(boxes(neighbours)) == 2
    assert len(boxes([seen(LEFT, (100, 100, 160, 160)), seen(LEFT, (100, 100, 161, 160))])) == 1


def test_a_part_gives_way_to_the_whole():
    assert boxes([seen(LEFT, (950, 100, 1010, 160)), seen(RIGHT, (955, 105, 985, 135))]) == [[950, 100, 1010, 160]]


def test_boxes_without_area_do_no_harm():
    found = [seen(view, (950, 10, 950, 10)) for view in (LEFT, RIGHT)] + [seen(LEFT, (950, 10, 980, 40))]
    assert 1 <= len(merge_regions(found)) <= 3


def test_ids_follow_score_then_place():
    found = [
        seen(LEFT, (10, 500, 60, 550), score=0.5), seen(LEFT, (10, 10, 60, 60)),
        seen(LEFT, (10, 300, 60, 350), score=0.7), seen(LEFT, (500, 10, 560, 60)),
    ]  # fmt: skip
    merged = merge_regions(found)
    assert [(r.id, r.box_px[1], r.box_px[0]) for r in merged] == [
        ("ship-1", 300, 10), ("ship-2", 500, 10), ("ship-3", 10, 10), ("ship-4", 10, 500),
    ]  # fmt: skip


@st.composite
def finds(draw: st.DrawFn) -> list[Seen]:
    views = [LEFT, RIGHT, THIRD, AFAR]
    found = []
    for number in range(draw(st.integers(0, 14))):
        view = draw(st.sampled_from(views))
        x0, _, x1, y1 = view.window_xyxy
        x, y = draw(st.integers(x0, x1 - 1)), draw(st.integers(400, 480))
        w, h = draw(st.sampled_from([0, 5, 30, 80, 400])), draw(st.sampled_from([5, 30, 60]))
        score = draw(st.sampled_from([None, 0.3, 0.7]))
        box = (x, y, min(x + w, x1), min(y + h, y1))
        one = seen(view, box, draw(st.sampled_from(["road", "car"])), score, keypoints_px=POINTS if w > 30 else None)
        found.append(replace(one, region=replace(one.region, id=f"x-{number % 3}")))
    return found


def told(found: tuple[Seen, ...]) -> list[tuple[object, ...]]:
    return [
        (s.region.id, s.region.label, s.region.corners_px.tolist(), s.region.box_px.tolist(), s.region.score, s.view)
        for s in found
    ]


@SETTINGS
@given(finds(), st.randoms(use_true_random=False))
def test_the_order_of_finds_plays_no_part_and_nothing_is_made_up(found, random):
    merged = merge_seen(found)
    shuffled = list(found)
    random.shuffle(shuffled)
    assert told(merge_seen(shuffled)) == told(merged)
    assert len(merged) <= len(found) and {s.region.label for s in merged} == {s.region.label for s in found}
    assert len({s.region.id for s in merged}) == len(merged)
    inputs = {(s.region.label, *s.region.box_px.tolist()) for s in found}
    covered = {name: [s.region.box_px for s in found if s.region.label == name] for name in ("road", "car")}
    for one in merged:  # a find as it was, or one whose every side is that of a find
        box = one.region.box_px
        sides_of = np.array(covered[one.region.label])
        assert (one.region.label, *box.tolist()) in inputs or all(box[k] in sides_of[:, k] for k in range(4))


@SETTINGS
@given(finds(), st.integers(1, 3))
def test_a_find_said_twice_changes_nothing(found, times):
    assert told(merge_seen(found * times)) == told(merge_seen(found))


# ---- fragments


def bar(view: View, start: tuple[float, float], end: tuple[float, float], width: float, **more: object) -> Seen:
    """A slanting bar of a width between two points, in a view."""
    a, b = np.array(start, float), np.array(end, float)
    across = np.array([-(b - a)[1], (b - a)[0]]) / np.linalg.norm(b - a) * width / 2
    corners = canonical_corners(np.stack([a - across, b - across, b + across, a + across]))
    return Seen(Region("road-1", "road", corners, corners_to_box(corners), **more), view)  # type: ignore[arg-type]


def test_a_road_cut_by_tiles_is_one():
    parts = [
        seen(LEFT, (200, 500, 1024, 530), "road", 0.9, keypoints_px=POINTS),
        seen(RIGHT, (900, 501, 1924, 531), "road", 0.6),
        seen(THIRD, (1800, 500, 2500, 529), "road", 0.7, keypoints_px=POINTS),
    ]
    (road,) = merge_seen(parts)
    assert road.region.box_px.tolist() == [200, 500, 2500, 531] and road.region.score == 0.6
    assert len(road.region.keypoints_px) == 4 and not road.cut
    (polygons,) = merge_regions([replace(s, region=replace(s.region, polygon_px=s.region.corners_px)) for s in parts])
    assert polygons.polygon_px[:, 0].min() == 200 and polygons.polygon_px[:, 0].max() == 2500
    (partly,) = merge_regions([replace(parts[0], region=replace(parts[0].region, score=None)), *parts[1:]])
    assert partly.score is None and partly.polygon_px is None


def test_a_slanting_road_is_one():
    # y = 200 + x / 4, seen from x = 100 to the right border of LEFT and from the left border of RIGHT to x = 1700
    parts = [bar(LEFT, (100, 225), (1022, 455.5), 20), bar(RIGHT, (902, 425.5), (1700, 625), 20)]
    (road,) = merge_regions(parts)
    assert road.box_px[0] < 105 and road.box_px[2] > 1695
    assert np.linalg.norm(road.corners_px[1] - road.corners_px[0]) == pytest.approx(np.hypot(1600, 400), abs=10)


def test_a_road_found_whole_from_afar_stays_one():
    parts = [seen(LEFT, (200, 500, 1024, 560), "road"), seen(RIGHT, (900, 501, 1700, 561), "road")]
    assert len(boxes([*parts, seen(AFAR, (196, 496, 1704, 560), "road")])) == 1


@pytest.mark.parametrize(
    "second",
    [
        seen(RIGHT, (900, 540, 1500, 570), "road"),
        seen(RIGHT, (900, 500, 1500, 600), "road"),
        seen(RIGHT, (930, 500, 1500, 530), "road"),
        seen(RIGHT, (1040, 500, 1924, 530), "road"),
        bar(RIGHT, (902, 520), (1400, 900), 30),
    ],
    ids=["another lane", "another width", "begins inside its view", "a gap, cut at the far end", "turns off"],
)
def test_what_is_not_one_road_is_not_joined(second):
    assert len(boxes([seen(LEFT, (200, 500, 1024, 530), "road"), second])) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (seen(RIGHT, (900, 500, 1850, 530), "road"), seen(THIRD, (1800, 500, 2824, 530), "road")),
        (seen(LEFT, (200, 500, 1024, 530), "road"), seen(RIGHT, (930, 500, 1924, 530), "road")),
    ],
    ids=["the first ends inside its view", "the second begins inside its view"],
)
def test_both_ends_at_the_joint_must_be_cut(first, second):
    assert first.cut and second.cut and len(boxes([first, second])) == 2


def test_a_side_road_does_not_keep_a_road_from_being_joined():
    parts = [seen(LEFT, (200, 500, 1024, 530), "road"), seen(RIGHT, (900, 501, 1500, 531), "road")]
    assert boxes([*parts, seen(RIGHT, (900, 520, 1500, 560), "road")]) == [[200, 500, 1500, 531], [900, 520, 1500, 560]]


def test_tiles_that_only_touch_join_what_meets_at_the_border():
    first, second = (View((x, 0, x + 1000, 1000), (1000, 1000), SCENE) for x in (0, 1000))
    assert boxes([seen(first, (200, 500, 1000, 530), "road"), seen(second, (1000, 500, 1400, 530), "road")]) == [
        [200, 500, 1400, 530]
    ]
    assert len(boxes([seen(first, (200, 500, 990, 530), "road"), seen(second, (1010, 500, 1400, 530), "road")])) == 2


def test_a_bend_is_not_made_one_box():
    scene = (3000, 3000)
    views = [View((x, 0, x + 600, 3000), (600, 3000), scene) for x in range(0, 2401, 500)]

    # an arc of a circle, a chord a view: neighbours run on, but the box round all would be mostly empty
    def height(x: float) -> float:
        return 12_050 - math.sqrt(12_000**2 - x**2)

    parts = []
    for view in views:
        x0, _, x1, _ = view.window_xyxy
        parts.append(bar(view, (x0 + 1, height(x0)), (x1 - 1, height(x1)), 60))
    assert len(merge_regions(parts)) == len(parts)
    assert len(merge_regions(parts[:2])) == 1  # which run on well enough by themselves


# ---- a second look


def small(number: int, box: tuple[float, ...], view: View = AFAR, score: float | None = None) -> Seen:
    one = seen(view, box, "car", score)
    return replace(one, region=replace(one.region, id=f"car-{number}"))


def test_a_second_look_takes_new_boxes_and_loses_nothing():
    found = [
        small(1, (100, 100, 140, 120), score=0.4),
        small(2, (2000, 500, 2040, 520)),
        small(3, (3000, 500, 3040, 520)),
        seen(AFAR, (500, 100, 1500, 700)),
    ]
    asked: list[View] = []

    def ask(views):
        asked.extend(views)
        answers = []
        for view in views:
            x0, _, x1, _ = view.window_xyxy
            if x0 <= 100 <= x1:
                answers.append(
                    [seen(view, (106, 101, 138, 117), "car").region, seen(view, (150, 101, 180, 117), "car").region]
                )
            elif x0 <= 2000 <= x1:
                answers.append([seen(view, (2000, 500, 2040, 520), "bus").region])
            else:
                answers.append(None)
        return answers

    look = second_look(found, ask)
    assert look.refined == ("car-1",) and look.kept == ("car-2",) and look.failed == ("car-3",) and look.left == ()
    assert [s.region.box_px.tolist() for s in look.found] == [
        [106, 101, 138, 117], [2000, 500, 2040, 520], [3000, 500, 3040, 520], [500, 100, 1500, 700],
    ]  # fmt: skip
    assert look.found[0].region.score == 0.4 and look.found[0].region.id == "car-1"
    assert look.found[0].view in asked and len(asked) == 3 and all(view.scale > AFAR.scale for view in asked)


def test_neighbours_share_a_crop_and_each_box_serves_one():
    found = [small(1, (100, 100, 140, 120)), small(2, (100, 124, 140, 144))]

    def ask(views):
        assert len(views) == 1
        return [[seen(views[0], (100, 110, 140, 130), "car").region]]  # IoU 1/3 with the first, 0.54 with the second

    look = second_look(found, ask)
    assert look.refined == ("car-2",) or look.refined == ("car-1",)
    assert len(look.kept) == 1


def test_looks_are_bounded_and_said_aloud():
    found = [small(i, (400 * i, 100, 400 * i + 40, 120)) for i in range(8)]
    notes: list[str] = []
    with noting(notes):
        look = second_look(found, lambda views: [[] for _ in views], most=3)
    assert len(look.looks) == 3 and len(look.left) == 5 and len(look.kept) == 3
    assert notes and "5 of 8" in notes[0]


def test_a_box_that_the_crop_cuts_is_not_taken():
    found = [small(1, (2000, 500, 2040, 520))]

    def ask(views):
        x0, _, x1, _ = views[0].window_xyxy
        return [[seen(views[0], (x0, 495, x1, 525), "car").region, seen(views[0], (x0, 500, 2040, 520), "car").region]]

    assert second_look(found, ask).kept == ("car-1",)


@pytest.mark.parametrize("found", [[], [seen(AFAR, (500, 100, 1500, 700))]], ids=["nothing", "nothing small"])
def test_nobody_is_asked_for_nothing(found):
    def ask(views):
        raise AssertionError("asked")

    assert len(second_look(found, ask).found) == len(found)


def test_what_a_crop_shows_no_larger_is_left_alone():
    close = View((0, 0, 100, 100), (1000, 1000), SCENE)  # 10 view px a scene px: above the most that a crop zooms
    assert second_look([small(1, (10, 10, 12, 12), close)], lambda views: [[]] * len(views)).looks == ()


def test_a_model_that_answers_for_other_views_is_refused():
    with pytest.raises(UsageError, match="1 views and got 0"):
        second_look([small(1, (100, 100, 140, 120))], lambda views: [])


@SETTINGS
@given(finds(), st.integers(0, 5), st.integers(0, 2**16))
def test_a_second_look_never_adds_drops_or_renames(found, most, seed):
    rng = np.random.default_rng(seed)
    merged = merge_seen(found)

    def ask(views):
        return [
            [replace(s.region, id="new") for s in merged if rng.random() < 0.5] if rng.random() < 0.9 else None
            for _ in views
        ]

    look = second_look(merged, ask, most=most)
    assert [(s.region.id, s.region.label) for s in look.found] == [(s.region.id, s.region.label) for s in merged]
    assert len(look.looks) <= most
    named = [*look.refined, *look.kept, *look.failed, *look.left]
    assert len(named) == len(set(named)) and set(named) <= {s.region.id for s in merged}


def test_ids_of_regions_hold_no_spaces():
    view = View((0, 0, 100, 100), (100, 100), (100, 100))
    corners = box_to_corners(np.array([10.0, 10, 30, 30]))
    found = merge_regions([Seen(Region("", "storage tank", corners, corners_to_box(corners)), view)])
    assert [region.id for region in found] == ["storage_tank-1"] and found[0].label == "storage tank"
