"""Construction of RCD items: each rule on masks made by hand, and what holds of every item that is built."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.agent.parser import parse
from surveyor.core.conditions import InBox, Node, Pick, Position, Selection
from surveyor.core.errors import UsageError
from surveyor.core.masks import Mask
from surveyor.evals.bench.execute import answer, executor_of
from surveyor.evals.bench.items import Header, Item, read_header, read_items, write_items
from surveyor.evals.construction.admit import Rejected, Verdicts, admitted, admitted_empty, deletions
from surveyor.evals.construction.close_calls import close_call
from surveyor.evals.construction.compose import Proposal
from surveyor.evals.construction.contested import contested
from surveyor.evals.construction.provided import provision_of
from surveyor.evals.construction.rcd_asked import BOX, PLACES, asked_px, is_cut_rank
from surveyor.evals.construction.rcd_builder import SAME_TWICE, UNCHANGED, build_rcd
from surveyor.evals.construction.rcd_components import (
    changed_objects,
    closed_reading,
    gap_px,
    is_tiny_rest,
    least_area_px,
    parts,
)
from surveyor.evals.construction.rcd_drafts import drafted, numbered
from surveyor.evals.construction.rcd_synth import synth_pairs
from surveyor.evals.construction.rcd_views import ChangeView, change_views, place_box, share_in
from surveyor.evals.construction.sites import Site
from surveyor.evals.construction.usable import part_of
from surveyor.evals.datasets import levir, pairs, xbd
from surveyor.evals.datasets.record import Record, Said, Source
from surveyor.tools import CRISP, STRICT

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "change"
SOURCE = Source("by hand", "none")
Box = tuple[int, int, int, int]
SIDE = 256


def pixels(*boxes: Box, size_wh: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    found = np.zeros(size_wh[::-1], dtype=bool)
    for x0, y0, x1, y1 in boxes:
        found[y0:y1, x0:x1] = True
    return found


def pair(
    changed: Mapping[str, Sequence[Box]] | None = None,
    size_wh: tuple[int, int] = (SIDE, SIDE),
    **more: object,
) -> Record:
    masks = {name: Mask.from_array(pixels(*boxes, size_wh=size_wh)) for name, boxes in (changed or {}).items()}
    fields = {
        "image": Path("a.png"), "after": Path("b.png"), "size_wh": size_wh, "family": "hand:1", "source": SOURCE,
        "is_exhaustive": True, "changed": masks,
    }  # fmt: skip
    return Record("one", **(fields | more))  # type: ignore[arg-type]


def views(record: Record) -> list[ChangeView]:
    return list(change_views(record, seed=0))


def view(*boxes: Box, name: str = "building", **more: object) -> ChangeView:
    return views(pair({name: boxes}, **more))[0]  # type: ignore[arg-type]


def asked(text: str) -> Selection:
    return parse(f"segment {text}").outputs[0].target


def said_of(seen: ChangeView, text: str) -> list[bool | None]:
    return list(seen.everything.selection(asked(text)).verdicts.values())


# ---- objects --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drawn", "areas"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([(10, 10, 20, 20), (20, 20, 30, 30)], [200], id="corners touch: one"),
        pytest.param([(10, 10, 20, 20), (21, 20, 30, 30)], [100, 90], id="a column between: two"),
        pytest.param([(0, 0, 256, 256)], [256 * 256], id="all of it"),
    ],
)
def test_objects_are_8_connected(drawn: list[Box], areas: list[int]) -> None:
    assert [part.area_px for part in parts(pixels(*drawn))] == areas


@pytest.mark.parametrize(
    ("side", "box", "doubt"),
    [
        pytest.param(256, (10, 10, 15, 14), "", id="20 px of 256"),
        pytest.param(256, (10, 10, 29, 11), "small", id="19 px of 256"),
        pytest.param(128, (10, 10, 29, 11), "small", id="no less in smaller ones"),
        pytest.param(1024, (10, 10, 18, 18), "", id="64 px of 1024"),
        pytest.param(1024, (10, 10, 19, 17), "small", id="63 px of 1024"),
        pytest.param(512, (10, 10, 16, 16), "", id="36 px of 512"),
        pytest.param(512, (10, 10, 17, 15), "small", id="35 px of 512"),
    ],
)
def test_small_parts_are_in_doubt(side: int, box: Box, doubt: str) -> None:
    assert [seen.doubt for seen in view(box, size_wh=(side, side)).objects] == [doubt]


def test_least_areas_and_gaps_grow_with_the_side() -> None:
    areas = [least_area_px((side, 10)) for side in range(100, 2000, 50)]
    assert all(a <= b for a, b in pairwise(areas)) and (areas[0], areas[-1]) == (20, 64)
    assert [gap_px((10, side)) for side in (64, 1023, 1024, 1280)] == [2, 2, 4, 4]


def test_what_a_window_cuts_is_in_doubt() -> None:
    whole = pixels((0, 0, 100, 10), (0, 50, 100, 60))
    inside, cut = changed_objects("changed building", whole, (30, 0, 256, 55)), (31, 0, 256, 256)
    assert [(seen.doubt, seen.box) for seen in inside] == [("", (0, 0, 70, 10)), ("cut", (0, 50, 70, 55))]
    assert [seen.doubt for seen in changed_objects("changed building", whole, cut)] == ["cut", "cut"], "69 % visible"


def test_the_truth_has_the_exact_pixels_and_the_other_reading_closed_ones() -> None:
    drawn = [(10, 10, 30, 30), (32, 10, 50, 30)]
    seen = view(*drawn)
    assert [each.mask.area_px for each in seen.objects if each.mask is not None] == [400, 360]
    (reading,) = seen.readings
    assert [each.mask.area_px for each in reading.objects if each.mask is not None] == [800]
    assert list(reading.shares.values()) == [("changed_building-1", "changed_building-2")]
    assert view((10, 10, 30, 30), (33, 10, 50, 30)).readings == (), "three pixels apart"


def test_closing_joins_types_one_by_one() -> None:
    seen = views(pair({"building": [(10, 10, 30, 30)], "road": [(31, 10, 50, 30)]}))[0]
    assert closed_reading(seen.objects, (SIDE, SIDE)) is None


def test_labels_and_views_of_a_pair() -> None:
    both = views(pair({"building": [(10, 10, 30, 30)], "road": [], "any": [(10, 10, 30, 30), (50, 50, 60, 60)]}))
    assert [each.classes for each in both] == [("changed building", "changed road"), ("changed area",)]
    assert [len(each.objects) for each in both] == [1, 2]
    damage = views(pair({"building": [(10, 10, 30, 30)], "minor damage": [(10, 10, 30, 30)]}))
    assert [each.classes for each in damage] == [("changed building",)], "degrees of damage are no types of change"


# ---- places ---------------------------------------------------------------------------------------------------

LEFT = "changed buildings in the left half"


@pytest.mark.parametrize(
    ("box", "verdict"),
    [
        pytest.param((28, 10, 139, 30), True, id="100 of 111 columns: over nine tenths"),
        pytest.param((28, 10, 140, 30), None, id="100 of 112: less"),
        pytest.param((118, 10, 228, 30), False, id="10 of 110: less than a tenth"),
        pytest.param((117, 10, 227, 30), False, id="11 of 110: a tenth"),
        pytest.param((116, 10, 226, 30), None, id="12 of 110: more"),
        pytest.param((110, 10, 124, 30), None, id="all inside, the centre too near the middle"),
    ],
)
def test_nine_tenths_are_inside_and_a_tenth_outside(box: Box, verdict: bool | None) -> None:
    assert said_of(view(box), LEFT) == [verdict]
    denied = None if verdict is None else not verdict
    assert said_of(view(box), "changed buildings that are not in the left half") == [denied]


def test_pixels_count_and_not_the_box() -> None:
    # an L whose box reaches far into the right half, its pixels do not: 98 * 100 + 60 * 4 = 10,040, of them 9,920 left
    thing = [(0, 0, 98, 100), (98, 96, 158, 100)]
    (found,) = view(*thing).objects
    share = share_in(found.region, Position(frame="half", place="left"), (SIDE, SIDE))
    assert share == pytest.approx(9920 / 10040)
    assert said_of(view(*thing), LEFT) == [True]


def test_doubt_within_either_and_both() -> None:
    box = (28, 10, 140, 30)  # in the left half: unknown; in the upper half: yes; in the lower half: no
    assert said_of(view(box), "changed buildings in the left half or in the top half") == [True]
    assert said_of(view(box), "changed buildings in the left half and in the bottom half") == [False]
    assert said_of(view(box), "changed buildings in the left half and in the top half") == [None]


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("changed areas in the left half", (0, 0, 50, 90)),
        ("changed areas in the bottom half", (0, 45, 101, 90)),
        ("changed areas in the top right quadrant", (50, 0, 101, 45)),
        ("changed areas in the bottom left corner", (0, 60, 34, 90)),
        ("changed areas in the centre", (34, 30, 67, 60)),
        ("changed areas in the left half and in the top half", (0, 0, 50, 45)),
        ("changed areas in the left half near the largest changed area", (0, 0, 50, 90)),
        ("the largest changed area in the left half", (0, 0, 50, 90)),
    ],
)
def test_the_asked_pixels(text: str, box: Box) -> None:
    # 101 x 90: the middle is at 50.5 (column 50 has its centre there: right), thirds at 33.67 and 67.33, 30 and 60
    found = asked_px(asked(text), (101, 90))
    assert found is not None and np.array_equal(found, pixels(box, size_wh=(101, 90)))


def test_what_names_no_part_of_the_image() -> None:
    for text in ("changed areas", "changed areas at the left edge", "the largest changed area",
                 "changed areas in the left half or near the largest changed area"):  # fmt: skip
        assert asked_px(asked(text), (101, 90)) is None, text
    either = asked_px(asked("changed areas in the left half or in the top half"), (100, 90))
    denied = asked_px(asked("changed areas that are not in the left half"), (100, 90))
    assert either is not None and denied is not None
    assert np.array_equal(either, pixels((0, 0, 50, 90), (0, 0, 100, 45), size_wh=(100, 90)))
    assert np.array_equal(denied, pixels((50, 0, 100, 90), size_wh=(100, 90)))


def test_places_divide_the_image() -> None:
    for frame, number in (("cell", 9), ("quadrant", 4)):
        every = [place for _, place in PLACES if place.frame == frame]
        areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (place_box(place, (300, 120)) for place in every)]
        assert len(every) == number and areas == [pytest.approx(300 * 120 / number)] * number


# ---- readings -------------------------------------------------------------------------------------------------


def test_a_rank_that_a_gap_decides_is_rejected() -> None:
    halves, other = [(10, 10, 40, 40), (42, 10, 72, 40)], (100, 100, 140, 140)  # 900 + 900 against 1,600 px
    with pytest.raises(Rejected, match="neither in nor out"):
        admitted(view(*halves, other, (200, 10, 215, 25)), asked("the largest changed building"))
    apart = [(10, 10, 40, 40), (48, 10, 78, 40)]
    found = admitted(view(*apart, other, (200, 10, 215, 25)), asked("the largest changed building"))
    assert found.answers == ("changed_building-4",)


def test_a_gap_that_decides_nothing_does_no_harm() -> None:
    seen = view((10, 10, 40, 40), (42, 10, 72, 40), (180, 100, 220, 140), (190, 200, 230, 240))
    assert admitted(seen, asked(LEFT)).answers == ("changed_building-1", "changed_building-2")


def test_a_rank_of_any_change_that_its_types_decide_is_rejected() -> None:
    building, road, other = (10, 10, 40, 40), (40, 10, 70, 40), (100, 100, 120, 120)  # 900 + 900 against 400 px
    rest = (200, 10, 215, 25)
    typed = {"building": [building, other, rest], "road": [road], "any": [building, road, other, rest]}
    area = views(pair(typed))[1]
    assert len(area.objects) == 3, "building and road touch: one area"
    with pytest.raises(Rejected, match="neither in nor out"):
        admitted(area, asked("the largest changed area"))
    alone = views(pair({"any": typed["any"]}))[0]
    assert len(admitted(alone, asked("the largest changed area")).answers) == 1, "no types are told"


def test_specks_that_would_be_answers_spoil_a_question() -> None:
    things = [(10, 10, 40, 40), (180, 100, 220, 140), (190, 200, 230, 240)]
    with pytest.raises(Rejected, match="in doubt"):
        admitted(view(*things, (20, 200, 23, 203)), asked(LEFT))
    assert admitted(view(*things, (200, 30, 203, 33)), asked(LEFT)).ignored == ("changed_building-2",)


def test_an_empty_place_is_clear() -> None:
    things = [(10, 10, 40, 40), (180, 100, 220, 140)]
    assert admitted_empty(view(*things), asked("changed buildings in the bottom left corner")).answers == ()
    with pytest.raises(Rejected):
        admitted_empty(view(*things, (20, 160, 60, 190)), asked("changed buildings in the bottom left corner"))


def test_answers_have_the_pixels_that_scores_count_as_an_answer() -> None:
    """An answer of fewer than 50 px counts as none, so nothing smaller is asked for."""
    others = [(x, 20, x + 40, 60) for x in (60, 120, 200)]
    for height, is_asked in ((7, False), (8, True)):  # 7 x 7 = 49 px, 7 x 8 = 56 px
        boxes = [(12, 150, 19, 150 + height), *others]
        found = [item for seed in range(4) for item in build_rcd([pair({"building": boxes})], n=30, seed=seed)[1]]
        areas = {area(item.answer_rle) for item in found if item.answer_rle is not None}
        assert (7 * height in areas) == is_asked and min(areas) >= 50


@pytest.mark.parametrize(
    ("x0", "x1", "is_strip"),
    [
        pytest.param(118, 158, True, id="10 of 40 columns in the box"),
        pytest.param(103, 143, False, id="25 of 40 columns"),
        pytest.param(40, 100, False, id="wholly inside"),
        pytest.param(150, 190, False, id="wholly outside"),
        pytest.param(110, 218, False, id="18 of 108 columns, and wide"),
    ],
)
def test_a_strip_of_a_thing_at_the_side_of_a_box_is_contested(x0: int, x1: int, is_strip: bool) -> None:
    """The box is the left half, 128 px wide."""
    seen = view((x0, 40, x1, 80), (20, 150, 60, 190))
    selection = Selection(phrases=("changed building",), where=InBox(xyxy=(0, 0, 500, 1000)))
    why = close_call(seen, selection, seen.certain.selection(selection))
    assert (why == "a strip of a thing in a box") is is_strip


def test_the_smallest_must_be_seen_whole() -> None:
    assert is_cut_rank(asked("the smallest changed building"))
    assert not is_cut_rank(asked("the largest changed building"))
    drawn = [(250, 100, 256, 110), (20, 20, 60, 60), (100, 100, 150, 150), (20, 150, 60, 190)]
    for cut in (True, False):
        boxes = drawn if cut else [(230, 100, 236, 110), *drawn[1:]]
        items = [item for seed in range(12) for item in build_rcd([pair({"building": boxes})], n=20, seed=seed)[1]]
        least = [item for item in items if any(pick.by == "area" and pick.order == "min" for pick in picks(item))]
        positive = [item for item in least if item.answer_ids and item.request.outputs[0].target.where is None]
        sizes = {min(area(each.rle) for each in item.answers) for item in positive}
        assert (60 in sizes) == (not cut)


def picks(item: Item) -> tuple[Pick, ...]:
    return item.request.outputs[0].target.picks


def area(rle: object) -> int:
    return Mask.from_rle(rle).area_px if isinstance(rle, dict) else 0


# ---- what is used ---------------------------------------------------------------------------------------------

SPREAD = [(10, 10, 40, 40), (20, 180, 60, 220), (150, 20, 200, 60), (180, 100, 220, 140), (190, 200, 230, 240)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        pytest.param(pair({"building": SPREAD}, after=None), "record: not a pair", id="single"),
        pytest.param(pair({}), "record: no mask of what changed", id="no mask"),
        pytest.param(pair({"building": SPREAD}, is_exhaustive=False), "record: no mask", id="not exhaustive"),
        pytest.param(
            pair({"any": SPREAD}, said=(Said("1", "caption", "same", type="no change"),)),
            "captions and mask differ",
            id="captions say the same",
        ),
        pytest.param(
            pair({"any": []}, said=(Said("1", "caption", "new", type="change"),)),
            "captions and mask differ",
            id="captions say change",
        ),
    ],
)
def test_what_cannot_be_used_is_counted(record: Record, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        build_rcd([record], n=3, seed=0)
    header, _ = build_rcd([record, pair({"building": SPREAD})], n=3, seed=0)
    assert any(reason in told and count == 1 for told, count in header.rejected.items())


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 3, "zero_share": 1.0}])
def test_wrong_numbers(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="expected at least 1 item"):
        build_rcd([pair({"building": SPREAD})], seed=0, **wrong)  # type: ignore[arg-type]


def test_size_that_is_not_known() -> None:
    with pytest.raises(UsageError, match="size not known"):
        build_rcd([replace(pair({"building": SPREAD}), size_wh=None)], n=1, seed=0)


def test_families_are_split() -> None:
    records = [pair({"building": SPREAD}, family=f"hand:{n}", image=Path(f"{n}.png")) for n in range(12)]
    for side in ("dev", "test"):
        _, items = build_rcd(records, n=20, seed=0, part=side)  # type: ignore[arg-type]
        assert items and {part_of(item.image.family) for item in items} == {side}


def test_large_pairs_are_asked_in_windows() -> None:
    boxes = [(x, y, x + 60, y + 50) for x in range(40, 2700, 170) for y in range(30, 2100, 210)]
    _, items = build_rcd([pair({"building": boxes}, size_wh=(2800, 2200))], n=12, seed=0)
    assert items
    for item in items:
        crop = item.image.crop_xyxy
        assert crop is not None and item.after is not None
        assert 800 <= item.image.size_wh[0] <= 1024 and item.after.crop_xyxy == crop
        if item.answer_rle is not None:
            window = pixels(*boxes, size_wh=(2800, 2200))[crop[1] : crop[3], crop[0] : crop[2]]
            assert not (Mask.from_rle(item.answer_rle).to_array() & ~window).any()


def test_steps_are_told_without_the_compass() -> None:
    """North is not up in every image: "on the east side" is how the canonical English says "on the right side"."""
    record = pair(
        {"building": [(20, 50, 60, 80), (20, 120, 60, 160), (190, 90, 230, 130)], "road": [(110, 0, 130, 256)]}
    )
    (seen,) = views(record)
    site = Site(seen, "changed building", ("changed building",), (), {label: label for label in seen.labels})
    selection = asked("the changed buildings on the left side of the changed road")
    verdicts = Verdicts(("changed_building-1", "changed_building-2"), (), (), {}, 0)
    draft = drafted(site, Proposal(selection, ("R9:side",), "one"), verdicts, random.Random(0))
    (item,) = numbered([draft], 0)
    assert any("on the left side of" in step for step in item.sub_instructions), item.sub_instructions
    assert not any("west" in step for step in item.sub_instructions)


@pytest.mark.parametrize(
    ("box", "side", "is_rest"),
    [
        pytest.param((0, 20, 12, 42), SIDE, True, id="264 px at the left border"),
        pytest.param((0, 20, 20, 36), SIDE, False, id="320 px there"),
        pytest.param((1, 20, 13, 42), SIDE, False, id="264 px, whole"),
        pytest.param((100, 244, 122, 256), SIDE, True, id="at the lower border"),
        pytest.param((0, 20, 31, 53), 1024, True, id="1,023 px of a large scene"),
        pytest.param((0, 20, 32, 52), 1024, False, id="1,024 px of it"),
    ],
)
def test_a_tiny_rest_of_what_the_border_cuts(box: Box, side: int, is_rest: bool) -> None:
    (seen,) = view(box, size_wh=(side, side)).objects
    assert is_tiny_rest(seen) is is_rest


def test_tiny_rests_alone_are_no_answer() -> None:
    sliver = (0, 40, 11, 62)
    others = [(60, 30, 90, 60), (150, 40, 190, 70), (60, 180, 100, 220), (200, 190, 230, 230)]
    rejected: Counter[str] = Counter()
    answers = set()
    for seed in range(8):
        header, items = build_rcd([pair({"building": [sliver, *others]})], n=12, seed=seed)
        rejected.update(header.rejected)
        answers |= {tuple(each.hbb for each in item.answers) for item in items}
    assert (sliver,) not in answers and rejected["a tiny rest at the border"]
    assert any(sliver in each for each in answers), "with others it may be one"


def test_the_others_are_not_told_by_distance() -> None:
    """ "The two nearest to the topmost" of three are the other two."""
    three = view((120, 10, 150, 30), (40, 100, 80, 130), (180, 200, 220, 240))
    two_nearest = asked("the two changed buildings nearest to the topmost changed building")
    found = three.certain.selection(two_nearest)
    assert len(found.kept) == 2
    assert contested(three, two_nearest, found) == "all the others, told by distance"


def test_an_empty_build_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"no item could be built of 1 pair: .*fewer pixels than count"):
        build_rcd([pair({"building": [(10, 10, 15, 14), (200, 200, 205, 204)]})], n=3, seed=0, zero_share=0)


# ---- every built item -----------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def drawn() -> tuple[Record, ...]:
    return tuple(synth_pairs(16, seed=40, size_wh=(384, 384)))


@lru_cache(maxsize=1)
def built() -> tuple[Header, tuple[Item, ...]]:
    header, items = build_rcd(drawn(), n=60, seed=5)
    return header, tuple(items)


def test_many_kinds_and_a_quarter_without_answer() -> None:
    header, items = built()
    assert header.task == "RCD" and len(items) == header.admitted == 60
    kinds = {tag for item in items for tag in item.tags if re.fullmatch(r"[PR]\d(:\w+)?|[CSO]", tag)}
    assert kinds >= {"P1", "P2", "P3", "S", "C"} and len(kinds) >= 8, kinds
    assert 0.2 <= sum(item.is_zero_match for item in items) / len(items) <= 0.27
    zero = Counter(item.tags[0] for item in items if item.is_zero_match)
    assert {UNCHANGED, SAME_TWICE, "Z:position"} <= set(zero) and all(kind.startswith("Z:") for kind in zero)
    assert zero[SAME_TWICE] <= 0.2 * 0.25 * 60 + 1 and zero[UNCHANGED] <= 0.4 * 0.25 * 60 + 1
    plain = sum("C" in item.tags and not item.is_zero_match for item in items)
    assert plain <= 0.15 * 60
    assert max(Counter((item.image.path, item.objects and item.objects[0].label) for item in items).values()) <= 6


def test_ids_twins_and_pictures() -> None:
    items = built()[1]
    by_id = {item.id: item for item in items}
    assert len(by_id) == len(items)
    for item in items:
        assert item.after is not None and item.after.size_wh == item.image.size_wh
        assert (item.after.path == item.image.path) == (SAME_TWICE in item.tags)
        if item.is_zero_match and UNCHANGED not in item.tags:
            assert item.twin is not None
        if item.twin is not None:
            other = by_id[item.twin]
            assert other.twin == item.id and other.is_zero_match != item.is_zero_match and other.image == item.image
            if SAME_TWICE in item.tags:
                assert other.request == item.request


def test_the_truth_is_the_pixels_of_the_answers() -> None:
    changed = {record.family: record.changed for record in drawn()}
    for item in built()[1]:
        assert set(item.answer_ids) <= set(item.universe_ids) <= {each.id for each in item.objects}
        assert (item.answer_rle is None) == (not item.answer_ids)
        total = np.zeros(item.image.size_wh[::-1], dtype=bool)
        for each in item.answers:
            assert each.rle is not None
            total |= Mask.from_rle(each.rle).to_array()
        if item.answer_rle is None:
            continue
        if BOX in item.tags:
            assert item.asked_rle is not None
            total &= Mask.from_rle(item.asked_rle).to_array()
        truth = Mask.from_rle(item.answer_rle).to_array()
        assert np.array_equal(truth, total)
        name = item.answers[0].label.removeprefix("changed ")
        mask = changed[item.image.family]["any" if name == "area" else name].to_array()
        assert not (truth & ~mask).any(), "no gap is closed"
        if item.asked_rle is not None:
            inside = Mask.from_rle(item.asked_rle).to_array()
            assert (truth & inside).sum() >= 0.9 * truth.sum() - 1e-9, item.expression


def test_changed_is_the_only_word_for_it() -> None:
    for item in built()[1]:
        for text in (item.expression, *item.paraphrases):
            assert "changed" in text and not re.search(r"\b(new|newly|built|removed|demolished|appeared)\b", text)
            assert parse(text) == item.request, text
        assert len({item.expression, *item.paraphrases}) >= 2
        assert item.request.outputs[0].verb == "segment"


@pytest.mark.parametrize("bands", [STRICT, CRISP], ids=["strict", "crisp"])
def test_items_evaluate_to_their_answers(bands: object) -> None:
    for item in built()[1]:
        found = answer(item, bands=bands)  # type: ignore[arg-type]
        assert set(found.kept) == set(item.answer_ids), item.expression


def test_deleting_any_condition_changes_the_answers() -> None:
    for item in built()[1]:
        if not item.is_zero_match:
            executor = executor_of(item)
            for name, less in deletions(item.request.outputs[0].target):
                found = {each for each in executor.selection(less).kept if each in item.universe_ids}
                assert found != set(item.answer_ids), (item.expression, name)


def f1_of_all(item: Item) -> float:
    """Pixel F1 of an answer that names all change of the type."""
    head = [area(each.rle) for each in item.objects if each.id in (*item.universe_ids, *item.ignored_ids)]
    share = area(item.answer_rle) / sum(head)
    return 2 * share / (1 + share)


def test_naming_all_change_of_the_type_is_a_bad_answer() -> None:
    big = [(10, 10, 110, 110), (150, 20, 170, 40), (200, 100, 220, 120), (160, 190, 180, 210), (20, 200, 40, 220)]
    one_sided = [build_rcd([pair({"building": big})], n=12, seed=seed)[1] for seed in range(3)]
    for items in (list(built()[1]), *one_sided):
        of_kind: dict[str, list[float]] = {}
        for item in items:
            if item.answer_ids and "C" not in item.tags:
                for kind in (tag for tag in item.tags if re.fullmatch(r"[PR]\d(:\w+)?|[SO]", tag)):
                    of_kind.setdefault(kind, []).append(f1_of_all(item))
        assert of_kind and {kind: f1 for kind, f1 in of_kind.items() if np.mean(f1) > 0.6 + 1e-9} == {}


def test_nothing_is_asked_that_people_would_contest() -> None:
    """As for single images: "not near the topmost changed building", which is near itself, and the like."""
    header, items = built()
    assert any("denied of the very thing" in reason or "rank that was used up" in reason for reason in header.rejected)
    by_family = {record.family: views(record) for record in drawn()}
    for item in items:
        if item.objects:
            asked_for = item.request.outputs[0].target
            if provision_of(asked_for) is not None and item.is_zero_match:
                continue  # its twin differs in the number alone
            (seen,) = [each for each in by_family[item.image.family] if each.certain.labels(asked_for.phrases)]
            assert contested(seen, asked_for, seen.certain.selection(asked_for)) is None, item.expression


def test_the_same_call_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        header, items = build_rcd(synth_pairs(4, seed=8, size_wh=(256, 256)), n=12, seed=2)
        write_items(tmp_path / name, header, items)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert read_header(tmp_path / "first").rejected == header.rejected
    assert list(read_items(tmp_path / "first")) == items
    other = build_rcd(synth_pairs(4, seed=8, size_wh=(256, 256)), n=12, seed=3)[1]
    assert [item.expression for item in other] != [item.expression for item in items]


def test_other_types_of_change_are_referred_to() -> None:
    """A road along the top with two buildings at it, three others: beside the road, near it, above all of it."""
    beside = [(20, 33, 50, 55), (120, 33, 150, 60)]
    others = [(30, 190, 60, 220), (100, 180, 130, 210), (180, 170, 220, 200)]
    record = pair({"building": [*beside, *others], "road": [(0, 20, 160, 32)], "any": [*beside, *others, (0, 20, 160, 32)]})  # fmt: skip  # noqa: E501
    items = [item for seed in range(6) for item in build_rcd([record], n=20, seed=seed)[1]]
    told = [item for item in items if len({each.label for each in item.objects}) == 2 and item.answer_ids]
    words = " ".join(item.expression for item in told)
    assert len(told) >= 6 and "changed road" in words and "changed roads" not in words, "there is one road"
    assert re.search("next to|beside", words) and re.search("near |close to", words), words
    for item in items:
        if item.answer_ids and item.request == parse("segment all changed buildings next to the changed road"):
            assert {each.label for each in item.objects} == {"changed building", "changed road"}
            assert [each.hbb for each in item.answers] == [(20, 33, 50, 55), (120, 33, 150, 60)]


def test_pairs_without_change_give_nothing_but_zero_items() -> None:
    _, items = build_rcd([pair({"building": []}, image=Path(f"{n}.png")) for n in range(3)], n=8, seed=0, zero_share=0.9)  # fmt: skip  # noqa: E501
    assert items and all(item.is_zero_match and UNCHANGED in item.tags and not item.objects for item in items)


# ---- mirrored -------------------------------------------------------------------------------------------------

_SWAP = {"left": "right", "right": "left"}


def mirrored(node: Node) -> Node:
    """The tree that says of the mirrored pair what the tree says of the pair."""
    changes: dict[str, object] = {}
    for name in type(node).model_fields:
        value = getattr(node, name)
        if isinstance(value, Node):
            changes[name] = mirrored(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Node):
            changes[name] = tuple(mirrored(each) for each in value)
        elif name == "xyxy":
            changes[name] = (1000 - value[2], value[1], 1000 - value[0], value[3])
        elif name in ("direction", "place") and value is not None:
            changes[name] = " ".join(_SWAP.get(word, word) for word in value.split())
    if isinstance(node, Pick) and node.by == "x":
        changes["order"] = {"min": "max", "max": "min"}[node.order]
    return node.model_copy(update=changes)


def flipped(record: Record) -> Record:
    masks = {name: Mask.from_array(mask.to_array()[:, ::-1]) for name, mask in record.changed.items()}
    return replace(record, changed=masks)


def kept_px(seen: ChangeView, selection: Selection) -> np.ndarray:
    """Pixels of what is asked for."""
    total = np.zeros(seen.image.size_wh[::-1], dtype=bool)
    for name in seen.certain.selection(selection).kept:
        mask = seen.by_id[name].mask
        assert mask is not None
        total |= mask.to_array()
    asked = asked_px(selection, seen.image.size_wh) if isinstance(selection.where, InBox) else None
    return total if asked is None else total & asked


def test_mirrored_pairs_and_words_keep_the_answers() -> None:
    by_family = {record.family: views(flipped(record)) for record in drawn()}
    swapped = 0
    for item in built()[1]:
        if SAME_TWICE in item.tags or not item.objects:
            continue
        selection = item.request.outputs[0].target
        other = mirrored(selection)
        assert isinstance(other, Selection)
        swapped += other != selection
        truth = np.zeros(item.image.size_wh[::-1], dtype=bool)
        if item.answer_rle is not None:
            truth = Mask.from_rle(item.answer_rle).to_array()
        (seen,) = [each for each in by_family[item.image.family] if each.certain.labels(other.phrases)]
        assert np.array_equal(kept_px(seen, other), truth[:, ::-1]), item.expression
    assert swapped >= 8


@st.composite
def scattered(draw: st.DrawFn) -> list[Box]:
    """Boxes on a grid of 4 px, some touching."""
    found = []
    for _ in range(draw(st.integers(3, 9))):
        x, y = (4 * draw(st.integers(0, 56)) for _ in range(2))
        found.append((x, y, x + 4 * draw(st.integers(1, 12)), y + 4 * draw(st.integers(1, 12))))
    return found


@settings(max_examples=25, deadline=None)
@given(scattered())
def test_places_of_any_pair(boxes: list[Box]) -> None:
    """An in is nine tenths, an out a tenth; mirrored places say the same of mirrored pairs."""
    record = pair({"any": boxes})
    (seen,), (turned,) = views(record), views(flipped(record))
    for _, place in PLACES:
        selection = Selection(phrases=("changed area",), where=place)
        found = seen.everything.selection(selection)
        for region, code in zip(found.layout.regions, found.codes.tolist(), strict=True):
            if place.frame != "edge" and code != 1:
                share = share_in(region, place, (SIDE, SIDE))
                assert share >= 0.9 if code == 2 else share <= 0.1
        other = mirrored(selection)
        assert isinstance(other, Selection)
        assert np.array_equal(kept_px(turned, other), kept_px(seen, selection)[:, ::-1])


@settings(max_examples=15, deadline=None)
@given(scattered(), st.integers(0, 3))
def test_any_pair_gives_items_that_hold(boxes: list[Box], seed: int) -> None:
    try:
        _, items = build_rcd([pair({"any": boxes})], n=6, seed=seed)
    except UsageError as error:
        assert "no item could be built of 1 pair" in str(error)
        return
    for item in items:
        assert set(answer(item, bands=CRISP).kept) == set(item.answer_ids), item.expression
        assert parse(item.expression) == item.request


# ---- real pairs -----------------------------------------------------------------------------------------------


def real(name: str) -> Iterator[Record]:
    folder = SHARED / name
    if name == "levir":
        return levir.read_cd(folder)
    if name == "xbd":
        return xbd.read(folder)
    return pairs.read(folder, classes="building" if name == "fotbcd" else "any")


@pytest.mark.parametrize(
    ("name", "least"), [("levir", 25), ("dsifn", 20), ("fotbcd", 15), pytest.param("xbd", 8, marks=pytest.mark.slow)]
)
def test_real_pairs_give_items(name: str, least: int) -> None:
    if not (SHARED / name).is_dir():
        pytest.skip("needs ../shared/data/change")
    header, items = build_rcd(real(name), n=60, seed=1, root=str(SHARED))
    assert len(items) >= least and header.rejected
    for item in items:
        assert not Path(item.image.path).is_absolute() and item.after is not None and not Path(item.after.path).is_absolute()  # fmt: skip  # noqa: E501
        assert set(answer(item, bands=CRISP).kept) == set(item.answer_ids), item.expression
    assert sum(item.is_zero_match for item in items) >= 0.15 * len(items)


# ---- boxes in numbers -----------------------------------------------------------------------------------------------


def boxed(seed: int = 2, n: int = 60) -> list[Item]:
    _, items = build_rcd(synth_pairs(16, seed=4), n=n, seed=seed)
    return [item for item in items if BOX in item.tags]


def test_of_a_box_in_numbers_the_pixels_in_it_are_right() -> None:
    items = boxed()
    assert len(items) >= 4 and any(item.is_zero_match for item in items)
    cut = 0
    for item in items:
        box = item.request.outputs[0].target.where
        assert isinstance(box, InBox)
        x0, y0, x1, y1 = box.to_px(item.image.size_wh)
        across, down = np.arange(item.image.size_wh[0]) + 0.5, np.arange(item.image.size_wh[1]) + 0.5
        inside = np.outer((down >= y0) & (down < y1), (across >= x0) & (across < x1))
        assert item.asked_rle is not None and np.array_equal(Mask.from_rle(item.asked_rle).to_array(), inside)
        label = item.request.outputs[0].target.phrases[0]
        every = [Mask.from_rle(each.rle).to_array() for each in item.objects if each.label == label and each.rle]
        changed = np.logical_or.reduce(every) if every else np.zeros_like(inside)
        if "Z:same image twice" in item.tags:
            continue
        wanted = changed & inside
        found = np.zeros_like(inside) if item.answer_rle is None else Mask.from_rle(item.answer_rle).to_array()
        assert np.array_equal(found, wanted)
        answers = [Mask.from_rle(each.rle).to_array() for each in item.answers if each.rle]
        cut += any((mask & ~inside).any() for mask in answers)
    assert cut, "no item cuts a thing: what the rule is about was not met"
