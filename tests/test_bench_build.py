"""Construction of CREC and CRES items: the rules by hand, and what holds of every item that is built."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from reference_interpreter import interpret
from surveyor.agent.parser import parse
from surveyor.agent.planner import make_plan
from surveyor.core.conditions import (
    And,
    Node,
    Not,
    Orientation,
    Pick,
    Position,
    Relation,
    Request,
    Selection,
    children,
    conjuncts,
    walk,
)
from surveyor.core.errors import UsageError
from surveyor.core.masks import Mask
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.evals.bench.execute import Executor, Frame, Regions, answer, executor_of, region_of
from surveyor.evals.bench.items import Header, Item, read_header, read_items, write_items
from surveyor.evals.bench.predict import open_image
from surveyor.evals.construction.admit import Rejected, admitted, admitted_empty, deletions
from surveyor.evals.construction.builder import build
from surveyor.evals.construction.crops import views_of
from surveyor.evals.construction.phrasing import means, spoken, wordings
from surveyor.evals.construction.seen import is_endless
from surveyor.evals.construction.synth_source import synth_records
from surveyor.evals.construction.usable import _SAY_SO, part_of
from surveyor.evals.construction.views import View
from surveyor.evals.datasets import nwpu, vrsbench
from surveyor.evals.datasets.dota import read_dota
from surveyor.evals.datasets.record import Record, Source, Thing
from surveyor.evals.datasets.registry import reader_named
from surveyor.tools import CRISP, STRICT
from surveyor.tools.registry import Context

SOURCE = Source("by hand", "none")
SHIPS = Selection(phrases=("ship",))


def thing(name: str, x0: float, y0: float, x1: float, y1: float, label: str = "ship", **more: object) -> Thing:
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)
    parts = {"corners_px": corners} | more
    return Thing(name, label, np.array([x0, y0, x1, y1], dtype=float), **parts)  # type: ignore[arg-type]


def record(*things: Thing, size: tuple[int, int] = (1000, 1000), classes: tuple[str, ...] = (), **more: object) -> Record:  # fmt: skip  # noqa: E501
    known = tuple(dict.fromkeys([*classes, *(each.label for each in things)]))
    fields = {"is_exhaustive": True, "family": "hand:1"} | more
    return Record("one", Path("one.png"), size, source=SOURCE, things=things, classes=known, **fields)  # type: ignore[arg-type]


def view(*things: Thing, masks: bool = False, **more: object) -> View:
    return next(views_of(record(*things, **more), seed=0, masks=masks))  # type: ignore[arg-type]


@lru_cache(maxsize=4)
def built(task: str) -> tuple[Header, tuple[Item, ...]]:
    header, items = build(synth_records(12, seed=40, size_wh=(640, 640)), task=task, n=36, seed=5)  # type: ignore[arg-type]
    return header, tuple(items)


BOTH = pytest.mark.parametrize("task", ["CREC", "CRES"])


# ---- what is seen of a window ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "doubt"),
    [
        pytest.param(thing("a", 100, 100, 140, 120), "", id="plain"),
        pytest.param(thing("a", -30, 100, 70, 120), "", id="70 % visible"),
        pytest.param(thing("a", -31, 100, 69, 120), "cut", id="69 % visible"),
        pytest.param(thing("a", 100, 100, 140, 110), "", id="10 px are 1 % of 1000"),
        pytest.param(thing("a", 100, 100, 140, 109), "small", id="9 px are less"),
        pytest.param(thing("a", 100, 100, 140, 120, is_difficult=True), "difficult", id="difficult"),
        pytest.param(
            thing("a", 100, 100, 140, 120, attributes={"visible_fraction": "0.6"}), "cut", id="cut by the file already"
        ),
    ],
)
def test_objects_in_doubt_are_ignored(one: Thing, doubt: str) -> None:
    assert [seen.doubt for seen in view(one).objects] == [doubt]


def test_the_least_side_is_8_px_in_small_windows() -> None:
    seen = view(thing("a", 10, 10, 18, 40), thing("b", 50, 10, 57.5, 40), size=(200, 200)).objects
    assert [each.doubt for each in seen] == ["", "small"]


def test_large_images_are_cut_into_windows_that_share_no_pixel() -> None:
    big = record(thing("a", 5, 5, 50, 50), size=(3000, 2100))
    windows = [each.image.crop_xyxy for each in views_of(big, seed=3, masks=False)]
    assert len(windows) >= 4
    covered = np.zeros((2100, 3000), dtype=int)
    for x0, y0, x1, y1 in (window for window in windows if window is not None):
        assert 800 <= x1 - x0 <= 1024 and 800 <= y1 - y0 <= 1024
        covered[y0:y1, x0:x1] += 1
    assert covered.max() == 1


def test_coordinates_of_a_window_are_its_own() -> None:
    big = record(thing("a", 1500, 1500, 1540, 1560), size=(2900, 2900))
    found = [each for each in views_of(big, seed=3, masks=False) if each.objects]
    assert found, "the object must be seen in one of the windows"
    window, seen = found[0].image.crop_xyxy, found[0].objects[0]
    assert window is not None
    assert seen.box == (1500 - window[0], 1500 - window[1], 1540 - window[0], 1560 - window[1])


def test_pixels_that_are_not_annotated_spoil_a_window() -> None:
    tally: Counter[str] = Counter()
    ignored = Mask.from_array(np.ones((5, 5)), (10, 10), (1000, 1000))
    assert not list(views_of(record(thing("a", 0, 0, 9, 9), ignored=ignored), seed=0, masks=False, tally=tally))
    assert tally == {"window with pixels that are not annotated": 1}


@pytest.mark.parametrize(
    ("parts", "doubt"),
    [
        pytest.param([(0, 0, 10, 10)], "", id="one"),
        pytest.param([(0, 0, 10, 10), (20, 0, 21, 10)], "", id="10 of 110 px apart"),
        pytest.param([(0, 0, 10, 10), (20, 0, 22, 10)], "fragments", id="20 of 120 px apart"),
        pytest.param([(5, 0, 6, 11), (0, 5, 11, 6)], "few pixels", id="a cross of 21 px"),
    ],
)
def test_masks_in_pieces_are_no_instances(parts: list[tuple[int, int, int, int]], doubt: str) -> None:
    pixels = np.zeros((100, 100))
    for x0, y0, x1, y1 in parts:
        pixels[y0 + 20 : y1 + 20, x0 + 20 : x1 + 20] = 1
    mask = Mask.from_array(pixels)
    one = Thing("a", "ship", np.array([20, 20, 40, 40.0]), corners_px=None, mask=mask)
    seen = view(one, masks=True, size=(100, 100)).objects[0]
    assert seen.doubt == doubt


def test_a_river_that_is_cut_is_still_a_reference() -> None:
    seen = view(thing("r", -900, 400, 500, 440, "river"), thing("s", -30, 10, 20, 40)).objects
    assert [(each.doubt, each.is_sure_reference) for each in seen] == [("cut", True), ("cut", False)]
    assert is_endless("river") and not is_endless("ship")


# ---- admission ------------------------------------------------------------------------------------------------

LEFT, RIGHT = Position(frame="half", place="left"), Position(frame="half", place="right")
SPREAD = (thing("a", 100, 100, 140, 120), thing("b", 200, 700, 240, 720), thing("c", 800, 100, 840, 120))
FAR_RIGHT = thing("d", 900, 900, 940, 920)


def where(condition: object, *picks: Pick, **more: object) -> Selection:
    return SHIPS.model_copy(update={"where": condition, "picks": picks} | more)


def test_an_item_is_admitted_with_its_verdicts() -> None:
    found = admitted(view(*SPREAD, FAR_RIGHT), where(LEFT))
    assert found.answers == ("ship-1", "ship-2")
    assert found.universe == ("ship-1", "ship-2", "ship-3", "ship-4")
    assert found.removed == {"in the left half": 2}  # without it all four are answers
    assert found.near_misses == 2
    assert found.f1_of_all == pytest.approx(2 * 0.5 / 1.5)


@pytest.mark.parametrize(
    ("things", "selection", "reason"),
    [
        pytest.param(
            (*SPREAD, thing("x", 480, 10, 520, 30)), where(LEFT), "an object is neither in nor out", id="band"
        ),
        pytest.param(
            (*SPREAD, FAR_RIGHT, thing("x", 10, 10, 40, 18)),
            where(LEFT),
            "it depends on objects in doubt",
            id="tiny answer",
        ),
        pytest.param(SPREAD, where(Position(frame="half", place="bottom")), None, id="one of three"),
        pytest.param(SPREAD[:2], where(Position(frame="half", place="bottom")), "too few distractors", id="one of two"),
        pytest.param(SPREAD, where(Position(frame="cell", place="center")), "no answer", id="none"),
        pytest.param(
            SPREAD, where(And(conditions=(LEFT, Not(condition=RIGHT)))), "a condition changes nothing", id="said twice"
        ),
        pytest.param(
            (*SPREAD, thing("p1", 500, 500, 560, 560, "plane"), thing("p2", 600, 600, 660, 660, "plane")),
            where(Relation(relation="toward", direction="left", reference=Selection(phrases=("plane",), expected=1))),
            "a referent is not unique or in doubt",
            id="the plane, of two",
        ),
        pytest.param(
            (*SPREAD, thing("x", 860, 400, 900, 420), thing("y", 862, 600, 902, 620)),
            where(None, Pick(by="x", order="max")),
            "an object is neither in nor out",
            id="two nearly as far right",
        ),
    ],
)
def test_what_is_not_clear_is_rejected(things: tuple[Thing, ...], selection: Selection, reason: str | None) -> None:
    seen = view(*things)
    if reason is None:
        assert len(admitted(seen, selection).answers) == 1
        return
    with pytest.raises(Rejected, match=reason):
        admitted(seen, selection)


def test_an_ignored_object_that_is_plainly_out_does_no_harm() -> None:
    found = admitted(view(*SPREAD, FAR_RIGHT, thing("x", 900, 10, 930, 18)), where(LEFT))
    assert found.ignored == ("ship-5",)
    assert "ship-5" not in found.universe


def test_a_zero_match_is_false_of_all() -> None:
    nothing = admitted_empty(view(*SPREAD), where(Position(frame="cell", place="center")))
    assert (nothing.answers, len(nothing.universe)) == ((), 3)
    with pytest.raises(Rejected, match="neither in nor out"):  # at the border of the cell: perhaps
        admitted_empty(view(*SPREAD, thing("x", 330, 490, 350, 510)), where(Position(frame="cell", place="center")))


def test_deletions_reach_into_references() -> None:
    nearest = Pick(by="distance", order="min", reference=Selection(phrases=("bridge",), expected=1))
    tank = Selection(phrases=("tank",), picks=(nearest,))
    selection = where(And(conditions=(LEFT, Not(condition=Relation(relation="near", reference=tank)))))
    assert [name for name, _ in deletions(selection)] == [
        "in the left half",
        "not near the tank nearest to the bridge",
        "not reference: the nearest to the bridge",
    ]


# ---- every built item -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("other", "is_asked"), [("quay", False), ("bridge", True)])
def test_none_is_asked_for_by_a_word_that_another_class_has_too(other: str, is_asked: bool) -> None:
    """A quay is a harbor to people: where one is, nobody agrees that there is no harbor."""
    spots = ((90, 90), (310, 140), (520, 420), (800, 250), (180, 450), (860, 520))
    cranes = [thing(f"c{n}", x, y, x + 30 + 15 * n, y + 60, "crane") for n, (x, y) in enumerate(spots)]
    here = [*cranes, thing("q", 50, 600, 950, 700, other)]
    there = [*cranes, thing("h", 50, 600, 950, 700, "harbor")]
    known = ("crane", other, "harbor")
    records = [record(*things, classes=known, family=f"hand:{n}") for n, things in enumerate((here, there))]
    items = [item for seed in range(6) for item in build(records, task="CREC", n=30, seed=seed)[1]]
    nothing = [item for item in items if "Z:class" in item.tags and item.image.family == "hand:0"]
    assert any("harbor" in item.request.outputs[0].target.phrases for item in nothing) == is_asked


@BOTH
def test_enough_items_of_many_kinds_are_built(task: str) -> None:
    header, items = built(task)
    assert len(items) == header.admitted >= 30
    kinds = {tag for item in items for tag in item.tags if (tag[0] in "APRSNO" and tag[1:2].isdigit()) or tag in "SON"}
    assert len(kinds) >= 8, kinds
    zero = sum(item.is_zero_match for item in items)
    assert 0.1 <= zero / len(items) <= 0.22
    assert len({item.image.family for item in items}) >= 8  # of ten scenes
    assert max(Counter(item.image.path for item in items).values()) <= 6


@BOTH
@pytest.mark.parametrize("bands", [STRICT, CRISP], ids=["strict", "crisp"])
def test_oracle_boxes_score_100_percent(task: str, bands: object) -> None:
    for item in built(task)[1]:
        found = answer(item, bands=bands)  # type: ignore[arg-type]
        assert set(found.kept) == set(item.answer_ids), item.expression
        if bands is STRICT:
            assert found.is_definite, item.expression


@BOTH
def test_every_wording_is_read_back(task: str) -> None:
    for item in built(task)[1]:
        texts = (item.expression, *item.paraphrases)
        assert len(set(texts)) == len(texts) >= 2, item.expression
        assert all(parse(text) == item.request for text in texts)
        assert item.request.outputs[0].verb == ("detect" if task == "CREC" else "segment")


@BOTH
def test_deleting_any_condition_changes_the_answers(task: str) -> None:
    for item in built(task)[1]:
        if item.is_zero_match:
            continue
        executor = executor_of(item)
        for name, less in deletions(item.request.outputs[0].target):
            found = {each for each in executor.selection(less).kept if each in item.universe_ids}
            assert found != set(item.answer_ids), (item.expression, name)


@BOTH
def test_distractors_and_twins(task: str) -> None:
    items = built(task)[1]
    by_id = {item.id: item for item in items}
    assert len(by_id) == len(items)
    for item in items:
        wrong = len(item.universe_ids) - len(item.answer_ids)
        assert item.distractors["same_class"] == wrong
        if not item.is_zero_match and "C" not in item.tags:
            assert wrong >= (2 if len(item.answer_ids) == 1 else 1)
            assert item.distractors["near_misses"] >= 1
        if item.is_zero_match:
            assert item.twin is not None
        if item.twin is not None:
            other = by_id[item.twin]
            assert other.twin == item.id and other.is_zero_match != item.is_zero_match and other.image == item.image


@BOTH
def test_items_hold_what_they_speak_of(task: str) -> None:
    for item in built(task)[1]:
        known = {each.id for each in item.objects}
        assert set(item.answer_ids) <= set(item.universe_ids) <= known and set(item.ignored_ids) <= known
        assert not set(item.ignored_ids) & set(item.universe_ids)
        if task == "CRES":
            assert all(each.rle is not None for each in item.answers)
        steps = [spoken(step.instruction) for step in make_plan(item.request).steps]
        assert list(item.sub_instructions) == steps
        assert not any(compass in " ".join(steps) for compass in ("north", "south", "east side", "west"))


@BOTH
def test_tags_tell_the_places_of_the_item_itself(task: str) -> None:
    """A twin that asks for another place, or for none, has other tags than its positive."""
    for item in built(task)[1]:
        asked = [each for each in walk(item.request.outputs[0].target) if isinstance(each, Position)]
        told = [tag for tag in item.tags if tag.startswith("place:")]
        assert sorted(told) == sorted({f"place:{each.frame} {each.place}" for each in asked}), item.expression


def test_naming_the_whole_class_is_a_bad_answer() -> None:
    of_kind: dict[str, list[float]] = {}
    for item in built("CREC")[1]:
        if item.is_zero_match or "C" in item.tags:
            continue
        share = len(item.answer_ids) / len(item.universe_ids)
        for kind in (tag for tag in item.tags if tag[0] in "APRSNO" and ":" not in tag):
            of_kind.setdefault(kind, []).append(2 * share / (1 + share))
    assert of_kind
    assert {kind: np.mean(f1) for kind, f1 in of_kind.items() if np.mean(f1) > 0.6 + 1e-9} == {}


@BOTH
def test_the_same_call_gives_the_same_bytes(task: str, tmp_path: Path) -> None:
    for name in ("first", "second"):
        header, items = build(synth_records(3, seed=8, size_wh=(512, 512)), task=task, n=9, seed=2)  # type: ignore[arg-type]
        write_items(tmp_path / name, header, items)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert read_header(tmp_path / "first").rejected == header.rejected
    other = build(synth_records(3, seed=8, size_wh=(512, 512)), task=task, n=9, seed=3)[1]  # type: ignore[arg-type]
    assert [item.expression for item in other] != [item.expression for item in items]


def test_items_are_read_as_they_were_written(tmp_path: Path) -> None:
    header, items = built("CREC")
    write_items(tmp_path / "items.jsonl", header, items)
    assert tuple(read_items(tmp_path / "items.jsonl")) == items


# ---- the executor is what a plan means ------------------------------------------------------------------------


class _Finder:
    """A grounder that finds an item's objects."""

    name, version = "item", "1"

    def __init__(self, item: Item) -> None:
        self.executor = executor_of(item)
        self.regions = [region_of(each) for each in item.objects]

    def knows(self) -> tuple[str, ...]:
        return self.executor.classes

    def resolve(self, phrase: str) -> tuple[str, ...]:
        return self.executor.labels((phrase,))

    def ground(self, _scene: Scene, phrase: str) -> tuple[Region, ...]:
        labels = set(self.resolve(phrase))
        return tuple(region for region in self.regions if region.label in labels)


def test_the_executor_agrees_with_the_plan() -> None:
    for item in built("CREC")[1]:
        width, height = item.image.size_wh
        scene = Scene.from_array(np.zeros((height, width, 3), np.uint8), gsd_m=item.image.gsd_m)
        plan = make_plan(item.request)
        values, _ = interpret(plan, Context(scene, _Finder(item), None))
        assert {c.region.id for c in values[plan.outputs[0]].kept} == set(item.answer_ids), item.expression  # type: ignore[union-attr]


# ---- left and right swapped -----------------------------------------------------------------------------------

_SWAP = {"left": "right", "right": "left"}


def mirrored(node: Node) -> Node:
    """The tree that says of the mirrored image what the tree says of the image."""
    changes: dict[str, object] = {}
    for name in type(node).model_fields:
        value = getattr(node, name)
        if isinstance(value, Node):
            changes[name] = mirrored(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Node):
            changes[name] = tuple(mirrored(each) for each in value)
        elif name in ("direction", "place") and value is not None:
            changes[name] = " ".join(_SWAP.get(word, word) for word in value.split())
    if isinstance(node, Pick) and node.by == "x":
        changes["order"] = {"min": "max", "max": "min"}[node.order]
    return node.model_copy(update=changes)


def flipped(item: Item) -> Regions:
    width = item.image.size_wh[0]
    found = []
    for each in (region_of(truth) for truth in item.objects):
        x0, y0, x1, y1 = each.box_px
        corners = (each.corners_px * [-1, 1] + [width, 0])[::-1]
        outline = None if each.polygon_px is None else (each.polygon_px * [-1, 1] + [width, 0])[::-1]
        mask = None
        if each.mask is not None:
            mask = Mask.from_array(each.mask.to_array()[:, ::-1])
        box = np.array([width - x1, y0, width - x0, y1])
        found.append(Region(each.id, each.label, corners, box, None, outline, mask))
    return Regions.of(found)


@BOTH
def test_mirrored_scenes_and_directions_keep_the_answers(task: str) -> None:
    changed = 0
    for item in built(task)[1]:
        selection = item.request.outputs[0].target
        other = mirrored(selection)
        changed += other != selection
        assert isinstance(other, Selection)
        found = Executor(Frame(item.image.size_wh, item.image.gsd_m), flipped(item)).selection(other)
        assert set(found.kept) == set(item.answer_ids), item.expression
    assert changed >= 3


# ---- wordings -------------------------------------------------------------------------------------------------


def test_wordings_avoid_the_compass_and_brackets() -> None:
    import random

    river = Selection(phrases=("river",), expected=1)
    side = Relation(relation="side", direction="right", reference=river)
    request = Request(outputs=({"verb": "detect", "target": where(side)},))  # type: ignore[arg-type]
    said = wordings(request, random.Random(1))
    assert said is not None
    for text in (said.expression, *said.paraphrases):
        assert "on the right side of the river" in text and means(text, request)


@pytest.mark.parametrize(
    ("text", "same"),
    [("ships", True), ("all ships", True), ("the ship", False), ("boats", False), ("wibble of", False)],
)
def test_a_wording_means_the_tree_or_not(text: str, same: bool) -> None:
    assert means(text, parse("detect all ships")) is same


# ---- colours --------------------------------------------------------------------------------------------------


def test_colours_are_read_from_pixels_where_they_are_asked_for(tmp_path: Path) -> None:
    pixels = np.full((400, 400, 3), (90, 140, 80), np.uint8)
    squares = [(40, 40), (40, 240), (240, 40), (240, 240), (140, 320)]
    things = []
    for number, (x, y) in enumerate(squares):
        pixels[y : y + 40, x : x + 40] = (200, 30, 30) if number < 2 else (250, 250, 250)
        ring = np.array([[x, y], [x + 40, y], [x + 40, y + 40], [x + 9, y + 40], [x, y + 40]], dtype=float)
        things.append(thing(f"s{number}", x, y, x + 40, y + 40, "storage tank", polygon_px=ring))
    cv2.imwrite(str(tmp_path / "one.png"), pixels[..., ::-1])
    made = replace(record(*things, size=(400, 400)), image=tmp_path / "one.png")
    plain = build([made], task="CRES", n=6, seed=1, root=str(tmp_path))[1]
    assert not any("A4" in item.tags for item in plain)
    found = []
    for seed in range(6):
        header, items = build([made], task="CRES", n=6, seed=seed, root=str(tmp_path), colours=True)
        assert "colours=True" in header.command
        found += [item for item in items if "A4" in item.tags and not item.is_zero_match]
    assert found
    for item in found:
        scene = open_image(item.image, tmp_path)
        assert set(answer(item, scene=scene).kept) == set(item.answer_ids), item.expression
        assert any(word in item.expression for word in ("red", "white"))


def test_colours_need_masks() -> None:
    with pytest.raises(UsageError, match="CREC items have not"):
        build([record(*SPREAD)], task="CREC", n=1, seed=0, colours=True)


# ---- what cannot be built from --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "text"),
    [
        pytest.param([], "no record can be used: there are none", id="nothing"),
        pytest.param([record(*SPREAD, is_exhaustive=False)], "labels are not exhaustive", id="not exhaustive"),
        pytest.param([record(*SPREAD, size=None)], "size not known", id="no size"),
    ],
)
def test_useless_records_are_told(records: list[Record], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        build(records, task="CREC", n=1, seed=0)


def test_cres_needs_masks() -> None:
    with pytest.raises(UsageError, match="no masks"):
        build([record(*SPREAD)], task="CRES", n=1, seed=0)


def quads(*things: Thing, source: Source = SOURCE, **more: object) -> Record:
    """Each object with four corners as its outline, a little off the rectangle, as DOTA has them."""
    off = np.array([[0, 0], [2, 1], [0, 0], [-1, 0]])
    outlined = [replace(each, polygon_px=each.corners_px + off) for each in things]  # type: ignore[operator]
    return replace(record(*outlined, **more), source=source)  # type: ignore[arg-type]


OUTLINE = np.array([[100, 100], [140, 100], [140, 120], [120, 125], [100, 120]], dtype=float)


def test_corners_of_boxes_are_no_outlines() -> None:
    with pytest.raises(UsageError, match=r"record: boxes, no masks \(1\).*CREC"):
        build([quads(*SPREAD, FAR_RIGHT)], task="CRES", n=4, seed=0)
    assert build([quads(*SPREAD, FAR_RIGHT)], task="CREC", n=4, seed=0)[1]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"polygon_px": OUTLINE}, id="an outline of five points"),
        pytest.param({"mask": Mask.from_array(np.ones((20, 40)), (100, 100), (1000, 1000))}, id="a mask"),
    ],
)
def test_four_corners_are_an_outline_where_the_source_has_outlines(other: dict[str, object]) -> None:
    """Courts are drawn with four points in COCO files, too; another image of the same file tells."""
    drawn = record(thing("x", 100, 100, 140, 120, **other), size=(1000, 1000))
    header, items = build([quads(*SPREAD, FAR_RIGHT), drawn], task="CRES", n=4, seed=0)
    assert items and "record: boxes, no masks" not in header.rejected
    header, items = build([quads(*SPREAD, FAR_RIGHT, source=Source("boxes", "none")), quads(*SPREAD, FAR_RIGHT), drawn],
                          task="CRES", n=4, seed=0)  # fmt: skip
    assert items and header.rejected["record: boxes, no masks"] == 1 and header.sources == {"by hand": "none"}


def test_dota_has_boxes_and_no_masks(tmp_path: Path) -> None:
    (tmp_path / "labelTxt").mkdir()
    lines = [f"{x} {y} {x + 40} {y + 1} {x + 39} {y + 20} {x} {y + 20} ship 0" for x, y in ((9, 9), (500, 90), (90, 700))]  # fmt: skip  # noqa: E501
    (tmp_path / "labelTxt" / "P0001.txt").write_text("\n".join(lines))
    records = [replace(each, size_wh=(1000, 1000)) for each in read_dota(tmp_path)]
    with pytest.raises(UsageError, match=r"no record can be used: record: boxes, no masks \(1\)"):
        build(records, task="CRES", n=2, seed=0)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        pytest.param(SOURCE, "by ?exhaustive=yes behind the file or folder of 'coco'", id="a COCO file of any name"),
        pytest.param(nwpu.SOURCE, "by ?exhaustive=all behind the file or folder of 'nwpu_vhr10'", id="NWPU"),
        pytest.param(vrsbench.SOURCE, None, id="a source without the option"),
    ],
)
def test_how_labels_are_said_to_be_exhaustive(source: Source, hint: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        build([replace(record(*SPREAD, is_exhaustive=False), source=source)], task="CREC", n=1, seed=0)
    text = str(caught.value)
    assert "labels are not exhaustive (1)" in text
    assert "exhaustive=" not in text if hint is None else hint in text


def test_the_hint_names_options_that_readers_take(tmp_path: Path) -> None:
    file = tmp_path / "annotations.json"
    file.write_text('{"images": [{"id": 1, "file_name": "001.jpg"}], "annotations": [], "categories": []}')
    for name, value in _SAY_SO.items():
        records = list(reader_named(name).read(file if name == "coco" else tmp_path, exhaustive=value))
        assert records and all(each.is_exhaustive for each in records)


def test_an_empty_build_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"no item could be built of 1 image.*plain class without a twin"):
        build([record(*SPREAD[:2])], task="CREC", n=5, seed=0)


def test_zero_items_cannot_be_asked_for() -> None:
    with pytest.raises(UsageError, match="n is 0"):
        build([record(*SPREAD)], task="CREC", n=0, seed=0)


def test_the_split_keeps_families_together() -> None:
    records = list(synth_records(7, seed=40, size_wh=(512, 512)))
    sides = {part: {record.family for record in records if part_of(record.family) == part} for part in ("dev", "test")}
    for part in ("dev", "test"):
        if sides[part]:
            _, items = build(records, task="CREC", n=8, seed=1, part=part)  # type: ignore[arg-type]
            assert {item.image.family for item in items} <= sides[part]
    assert not sides["dev"] & sides["test"]


def test_orientation_needs_turned_boxes() -> None:
    upright = [thing(f"s{n}", 100 * n, 100 * n, 100 * n + 60, 100 * n + 20, corners_px=None) for n in range(8)]
    assert not view(*upright).is_turned(("ship",)) and not view(*upright).is_shaped(("ship",))
    _, items = build([record(*upright)], task="CREC", n=6, seed=0)
    for item in items:
        parts = [*conjuncts(item.request.outputs[0].target.where), *children(item.request.outputs[0].target)]
        assert not any(isinstance(part, Orientation) for part in parts)
        assert not any(isinstance(part, Pick) and part.by in ("area", "length") for part in parts)


def test_the_catalogue_of_a_built_file_is_its_own_provenance() -> None:
    header, _ = built("CREC")
    assert header.sources == {"surveyor.synth": "Apache-2.0"}
    assert "seed=5" in header.command and header.seed == 5
    assert sum(header.rejected.values()) > 0
