"""Records by window: an object in doubt is never taught as absent, whatever is cut, quartered or left out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.evals.datasets.record import Record, Source, Thing
from surveyor.finetune.convert.making import Maker, Options
from surveyor.finetune.convert.things import Sheet, of_change, of_regions, of_things
from surveyor.finetune.records.record import Instruction, check_reads_back

SOURCE = Source("ours", "CC0")
CLASSES = ("ship", "plane", "harbor")


def sheet(size_wh: tuple[int, int], options: dict[str, Any] | None = None, **parts: Any) -> Sheet:
    made = {"id": "r", "image": Path("a.png"), "size_wh": size_wh, "family": "f", "source": SOURCE, **parts}
    record = Record(**{"is_exhaustive": True, "classes": CLASSES, **made})
    return Sheet(Maker("ours", Path(), Options(**(options or {})), Counter()), record, size_wh)


def boxed(id: int, label: str, x: float, y: float, w: float = 20, h: float = 10) -> Thing:
    box = np.array([x, y, x + w, y + h], dtype=np.float64)
    return Thing(f"{id}", label, box, corners_px=box_to_corners(box))


def window_of(record: Instruction) -> tuple[int, int, int, int]:
    picture = record.pictures[0]
    return picture.crop_xyxy or (0, 0, *picture.size_wh)


THINGS = st.lists(
    st.tuples(
        st.sampled_from(CLASSES), st.integers(0, 380), st.integers(0, 280), st.integers(4, 60), st.integers(4, 60)
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(THINGS, st.sampled_from(["few", "drop", "keep"]), st.integers(0, 3), st.sampled_from([3, 50]))
def test_what_is_there_is_told(found: list, doubtful: str, seed: int, most: int) -> None:
    things = tuple(boxed(number, *values) for number, values in enumerate(found))
    options = {"window": 160, "overlap": 40, "doubtful": doubtful, "negatives": 0.4, "seed": seed, "most": most}
    page = sheet((400, 300), options, things=things)
    records = list(of_things(page))
    check_reads_back(records)
    assert len({record.id for record in records}) == len(records)
    for record in records:
        window = window_of(record)
        frame = shapely.box(*window)
        inside = [t for t in things if t.label == record.phrase and _shows(t, frame)]
        distinct = {tuple(np.minimum(t.box_px, (400, 300) * 2)) for t in inside}
        if record.task == "count":
            assert record.reply == str(len(distinct))
        else:
            assert len(record.regions) == len(distinct) <= most
            left, top = window[:2]
            told = [
                shapely.box(*np.array(r.points).min(axis=0), *np.array(r.points).max(axis=0)) for r in record.regions
            ]
            for thing in inside:
                part = shapely.affinity.translate(shapely.box(*thing.box_px).intersection(frame), -left, -top)
                assert any(part.symmetric_difference(each).area < 0.1 for each in told)
        if doubtful == "drop" or record.task == "count":
            assert all(_share(t, frame) >= 0.7 - 1e-9 for t in inside) or doubtful == "keep"


def _share(thing: Thing, frame: shapely.Polygon) -> float:
    whole = shapely.box(*thing.box_px).intersection(shapely.box(0, 0, 400, 300))
    return whole.intersection(frame).area / whole.area


def _shows(thing: Thing, frame: shapely.Polygon) -> bool:
    part = shapely.box(*thing.box_px).intersection(frame)
    if part.area <= 0:
        return False
    left, top, right, bottom = part.bounds
    return _share(thing, frame) == 1 or (_share(thing, frame) >= 0.05 and min(right - left, bottom - top) >= 2)


def test_few_in_doubt_are_told_and_more_are_not() -> None:
    """The left window of two ends at x = 100; a ship from 90 to 110 is half in it."""
    cut, others = boxed(0, "ship", 90, 50), [boxed(n, "ship", 20, 10 * n) for n in range(1, 5)]
    options = {"window": 100, "overlap": 0, "negatives": 0}
    for things, policy, is_told in (
        ((cut, *others), "few", True),  # 1 of 5
        ((cut, *others[:2]), "few", False),  # 1 of 3
        ((cut, *others), "drop", False),
        ((cut,), "keep", True),
    ):
        page = sheet((200, 100), {**options, "doubtful": policy}, things=things)
        left = [r for r in of_things(page) if r.pictures[0].crop_xyxy == (0, 0, 100, 100)]
        assert [r.task for r in left if r.task == "det"] == ["det"] * is_told
        assert ("count" in [r.task for r in left]) == (policy == "keep")
        if not is_told:
            assert page.maker.dropped["det: objects in doubt, cut by the window's edge"] >= 1


def test_windows_with_too_many_are_quartered() -> None:
    things = tuple(boxed(10 * y + x, "ship", 40 * x + 5, 40 * y + 5) for x in range(10) for y in range(10))
    page = sheet((400, 400), {"most": 40, "negatives": 0}, things=things)
    records = list(of_things(page))
    assert [r.reply for r in records if r.task == "count"] == ["100"]  # of the whole image
    quarters = [r for r in records if r.task == "det"]
    assert len(quarters) == 4 and all(0 < len(r.regions) <= 36 for r in quarters)
    page = sheet((400, 400), {"most": 5, "negatives": 0}, things=things)
    assert all(r.task == "count" for r in of_things(page))
    assert page.maker.dropped == {"det: more than 5 regions in the smallest window": 4}


def test_annotated_twice_is_told_once() -> None:
    page = sheet((100, 100), {"negatives": 0}, things=(boxed(0, "ship", 5, 5), boxed(1, "ship", 5, 5)))
    assert [(r.task, r.reply or len(r.regions)) for r in of_things(page)] == [("count", "1"), ("det", 1)]
    assert page.maker.dropped == {"object: annotated twice": 1}


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_the_share_of_negatives_is_met(share: float) -> None:
    maker = Maker("ours", Path(), Options(negatives=share), Counter())
    found: Counter[tuple[str, bool]] = Counter()
    for number in range(200):
        things = (boxed(0, CLASSES[number % 3], 5, 5),)
        parts: dict[str, Any] = {"is_exhaustive": True, "classes": CLASSES, "things": things}
        record = Record(f"{number}", Path("a.png"), (100, 100), f"{number}", SOURCE, **parts)
        for one in of_things(Sheet(maker, record, (100, 100))):
            found[one.task, one.messages[1].content in ("none", "0")] += 1
    for task in ("det", "count"):
        assert found[task, True] == pytest.approx(share / (1 - share) * found[task, False], abs=1)


def test_land_cover_that_is_not_annotated_in_full_is_not_asked_for() -> None:
    water, unknown = np.zeros((100, 100)), np.zeros((100, 100))
    water[:, :40], unknown[:, 90:] = 1, 1
    parts = {"regions": {"water": Mask.from_array(water)}, "classes": ("water", "forest")}
    page = sheet((100, 100), {"negatives": 0.5}, **parts)
    assert [(r.task, r.phrase, len(r.regions)) for r in of_regions(page)] == [("res", "water", 1), ("res", "forest", 0)]
    page = sheet((100, 100), None, **parts, ignored=Mask.from_array(unknown))
    assert list(of_regions(page)) == [] and page.maker.dropped == {"res: window that is not annotated in full": 1}


def test_change_in_windows_is_told_as_far_as_it_is_shown() -> None:
    changed = np.zeros((100, 200))
    changed[20:60, 80:130] = 1
    parts = {"after": Path("b.png"), "changed": {"building": Mask.from_array(changed)}, "classes": ("building",)}
    page = sheet((200, 100), {"window": 100, "overlap": 0}, **parts)
    left, right = of_change(page)
    assert left.regions[0].points == ((80, 20), (100, 20), (100, 60), (80, 60))
    assert right.regions[0].points == ((0, 20), (30, 20), (30, 60), (0, 60))
    assert [picture.crop_xyxy for picture in right.pictures] == [(100, 0, 200, 100)] * 2
    page = sheet((200, 100), None, **parts, ignored=Mask.from_array(changed[:, ::-1]))
    assert list(of_change(page)) == [] and page.maker.dropped == {"rcd: window with pixels that are not annotated": 1}


def test_change_with_a_hole_that_matters() -> None:
    changed = np.zeros((100, 100))
    changed[20:80, 20:80] = 1
    changed[40:60, 40:60] = 0
    parts = {"after": Path("b.png"), "changed": {"building": Mask.from_array(changed)}}
    page = sheet((100, 100), None, **parts)
    assert list(of_change(page)) == [] and page.maker.dropped == {"rcd: polygon with a hole that matters": 1}
    (record,) = of_change(sheet((100, 100), {"holes": "outer", "negatives": 0}, **parts))
    assert len(record.regions[0].holes) == 1 and record.messages[1].content == "[(200,200),(800,200),(800,800),(200,800),(200,200)]"  # fmt: skip  # noqa: E501
