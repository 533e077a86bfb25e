"""Items of the field's tasks from records, what is asked of which model, and how the answers are scored."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import test_datasets_chats as chats
import test_datasets_expressions as expressions
from hypothesis import given
from hypothesis import strategies as st
from surveyor.app.cli import main
from surveyor.core.errors import ModelOutputError, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.core.progress import noting
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.evals.bench.field_predict import GroundedCaption, answer_item, check_field, field_roles
from surveyor.evals.bench.items import (
    FieldItem,
    Header,
    Image,
    Item,
    Truth,
    header_line,
    item_from_json,
    item_line,
    read_header,
    read_items,
    write_items,
)
from surveyor.evals.bench.predict import How
from surveyor.evals.bench.predictions import Predicted, Prediction
from surveyor.evals.bench.rays import Holder
from surveyor.evals.bench.runner import run
from surveyor.evals.bench.store import read_predictions, read_run
from surveyor.evals.construction.field_items import TASKS, field_items, write_field_items
from surveyor.evals.construction.sources import build_file
from surveyor.evals.datasets.record import Record, Said, Source, Thing
from surveyor.evals.datasets.registry import reader_named
from surveyor.evals.report import field_scores
from surveyor.evals.report.field_scores import PLAIN_CAPTIONS, score_field
from surveyor.evals.scores.bootstrap import differences, intervals
from surveyor.evals.scores.rcd import score_rcd
from surveyor.tools.models.fakes import FakeChangeDetector, FakeDescriber, FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import Models

DEMO = Source("demo", "none")
SIZE = (100, 50)


def box(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([x0, y0, x1, y1], dtype=np.float64)


def thing(id: str = "t", at: np.ndarray | None = None, *, turned: bool = False, mask: bool = False, **attributes: str) -> Thing:  # fmt: skip  # noqa: E501
    at = box(10, 10, 30, 20) if at is None else at
    filled = Mask.from_polygon(box_to_corners(at), (SIZE[1], SIZE[0])) if mask else None
    corners = np.array([[20.0, 5], [30, 15], [20, 25], [10, 15]]) if turned else None
    return Thing(id, "ship", at, corners_px=corners, mask=filled, attributes=attributes)


def record(*said: Said, things: tuple[Thing, ...] = (), **fields: Any) -> Record:
    given = {"id": "a", "image": Path("a.png"), "size_wh": SIZE, "family": "demo:a", "source": DEMO} | fields
    return Record(said=said, things=things, **given)


def refer(text: str = "the ship", *names: str, id: str = "0", **fields: Any) -> Said:
    return Said(id, "refer", text, things=names or ("t",), **fields)


def item(task: str = "REC", id: str = "q", **fields: Any) -> FieldItem:
    image = Image(path="photo.png", size_wh=SIZE, family=fields.pop("family", "demo:a"))
    if task in ("REC", "RES") and "objects" not in fields:
        fields["objects"] = (truth(),)
    return FieldItem(id=id, task=task, image=image, **({"text": "the ship"} | fields))  # type: ignore[arg-type]


def truth(*at: float, **fields: Any) -> Truth:
    return Truth(id="t", label="ship", hbb=at or (10, 10, 30, 20), **fields)  # type: ignore[arg-type]


def rle(*at: int) -> dict[str, Any]:
    return Mask.from_polygon(box_to_corners(box(*at)), (SIZE[1], SIZE[0])).to_rle()


# ---- items: expressions -----------------------------------------------------------------------------------------


def test_a_rec_item_has_what_the_dataset_says() -> None:
    one = record(refer(), things=(thing(turned=True, is_unique="True", size_group="small"),), split="test", gsd_m=0.5)
    header, (made,) = field_items([one], "REC", command="by hand")
    assert (header.task, header.admitted, header.sources, header.command) == ("REC", 1, {"demo": "none"}, "by hand")
    assert isinstance(made, FieldItem)
    assert (made.id, made.text, made.split, made.is_unique) == ("a/0", "the ship", "test", True)
    assert made.objects[0].hbb == (10, 10, 30, 20) and made.objects[0].obb == ((20, 5), (30, 15), (20, 25), (10, 15))
    assert made.tags == ("size:small", "unique", "split:test", "no image") and made.image.gsd_m == 0.5


@pytest.mark.parametrize(
    ("said", "things", "expected"),
    [
        pytest.param([refer(), refer(id="1")], [thing()], 0, id="twice of one thing"),
        pytest.param([refer("A ship."), refer("a  ship", "u", id="1")], [thing(), thing("u")], 2, id="of two things"),
        pytest.param([refer(), refer("another", "u", id="1")], [thing(), thing("u")], 0, id="different"),
        pytest.param([refer()], [thing(same_expression="2")], 1, id="with one of another split"),
    ],
)
def test_ambiguous_expressions_are_asked_and_marked(said: list[Said], things: list[Thing], expected: int) -> None:
    _, items = field_items([record(*said, things=tuple(things))], "REC")
    assert len(items) == len(said), "never dropped"
    assert sum("ambiguous" in made.tags for made in items) == expected


def test_the_official_split_of_dior_rsvg_tells_what_shares_an_image(tmp_path: Path) -> None:
    expressions.rsvg_tree(tmp_path, train="2", val="0 3", test="1 4 5")
    out = tmp_path / "items.jsonl"
    _, root = build_file("REC", [f"dior_rsvg:{tmp_path}?split=test"], out)
    tagged = {made.text: made.tags for made in read_items(out)}
    assert root == tmp_path
    assert {text: "image-disjoint" in tags for text, tags in tagged.items()} == {"one": False, "four": True, "five": True}  # fmt: skip  # noqa: E501
    assert {text: "image-shared" in tags for text, tags in tagged.items()} == {"one": True, "four": False, "five": False}  # fmt: skip  # noqa: E501
    build_file("REC", [f"dior_rsvg:{tmp_path}?split=test&protocol=images"], out)
    assert [(made.text, made.tags) for made in read_items(out)] == [
        ("four", ("split:test", "no image")),
        ("five", ("split:test", "no image")),
    ]
    assert read_header(out).rejected == {"image of an earlier split": 1}, "what the reader left out is told"


def test_expressions_without_boxes_or_words_are_counted() -> None:
    said = [refer(), Said("1", "refer", "the sky"), refer(" ", id="2"), Said("3", "caption", "A view.")]
    header, items = field_items([record(*said, things=(thing(),))], "REC")
    assert len(items) == 1 and header.rejected == {"expression without a box": 1, "expression without words": 1}


def test_an_expression_for_several_things() -> None:
    said = refer("both ships", "t", "u")
    _, (made,) = field_items([record(said, things=(thing(), thing("u", box(1, 1, 5, 5))))], "REC")
    assert [one.id for one in made.objects] == ["t", "u"] and "boxes:2" in made.tags


def test_the_image_is_as_large_as_its_file(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((51, 100, 3), np.uint8))
    made = field_items([record(refer(), things=(thing(),), image=tmp_path / "a.png")], "REC", root=tmp_path)[1][0]
    assert isinstance(made, FieldItem) and made.image.size_wh == (100, 51) and made.image.path == "a.png"
    assert made.objects[0].hbb == pytest.approx((10, 10.2, 30, 20.4))
    assert "another size than annotated" in made.tags
    with pytest.raises(UsageError, match=r"cannot read the image.*b\.png"):
        field_items([record(refer(), things=(thing(),), size_wh=None, image=tmp_path / "b.png")], "REC")


def test_boxes_go_with_an_image_that_was_resized_and_not_with_one_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    one = record(refer(), things=(thing(turned=True),), image=path)
    cv2.imwrite(str(path), np.zeros((100, 200, 3), np.uint8))
    made = field_items([one], "REC")[1][0]
    assert isinstance(made, FieldItem) and made.objects[0].hbb == (20, 20, 60, 40)
    assert made.objects[0].obb == ((40, 10), (60, 30), (40, 50), (20, 30))
    cv2.imwrite(str(path), np.zeros((60, 60, 3), np.uint8))
    with pytest.raises(UsageError, match=r"no REC item can be made: image of another shape than annotated \(1\)"):
        field_items([one], "REC")


@pytest.mark.parametrize("task", ["RES", "GCG", "CHANGE"])
def test_masks_of_another_size_than_the_file_are_counted(task: str, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.zeros((100, 200, 3), np.uint8))
    masked = (thing(mask=True),)
    changed = {"any": masked[0].mask}
    said = (refer(), Said("1", "caption", "A ship.", things=("t",)))
    one = record(*said, things=masked, after=path, changed=changed, image=path)
    with pytest.raises(UsageError, match=r"mask of another size than its image \(1\)"):
        field_items([one], task)


def test_res_masks_of_things_of_pixels_and_of_classes() -> None:
    both = record(refer("ships", "t", "u"), things=(thing(mask=True), thing("u", box(40, 0, 50, 10), mask=True)))
    _, (made,) = field_items([both], "RES")
    assert Mask.from_rle(made.rle or {}).area_px == 20 * 10 + 10 * 10 and len(made.objects) == 2
    pixels = Mask.from_polygon(box_to_corners(box(0, 0, 5, 5)), (50, 100))
    _, (made,) = field_items([record(Said("0", "refer", "grass", mask=pixels))], "RES")
    assert Mask.from_rle(made.rle or {}) == pixels and made.objects == ()
    half = record(refer("ships", "t", "u"), refer(id="1"), things=(thing(mask=True), thing("u")))
    header, items = field_items([half], "RES")
    assert [one.id for one in items] == ["a/1"] and header.rejected == {"expression without a mask": 1}


def test_land_cover_is_asked_class_by_class() -> None:
    water = Mask.from_polygon(box_to_corners(box(0, 0, 5, 5)), (50, 100))
    none, unknown = Mask.from_array(np.zeros((50, 100))), Mask.from_polygon(box_to_corners(box(90, 0, 100, 50)), (50, 100))  # fmt: skip  # noqa: E501
    fields = {"regions": {"water": water, "bare land": none, "background": unknown}, "classes": ("water", "bare land")}
    _, (made,) = field_items([record(ignored=unknown, **fields)], "RES")
    assert (made.id, made.text, made.objects) == ("a/water", "water", ()) and {"class", "class:water"} <= set(made.tags)
    assert Mask.from_rle(made.ignored_rle or {}) == unknown
    with pytest.raises(UsageError, match="no RES item can be made: there are no such records"):
        field_items([record(regions={"water": none}, classes=("water",))], "RES")


def test_a_mask_of_another_size_than_its_image_is_left_out() -> None:
    small = Mask.from_polygon(box_to_corners(box(0, 0, 5, 5)), (10, 10))
    with pytest.raises(UsageError, match=r"mask of another size than its image \(1\)"):
        field_items([record(Said("0", "refer", "grass", mask=small))], "RES")


# ---- items: texts -----------------------------------------------------------------------------------------------


def test_questions_keep_their_types_and_vrsbench_has_the_scored_ones() -> None:
    asked = Said("0", "question", "Rural?", " urban ", type="Rural or urban")
    for source, expected in ((DEMO, "Rural or urban"), (Source("VRSBench", "x"), "scene type")):
        _, (made,) = field_items([record(asked, source=source)], "VQA")
        assert (made.type, made.answers, made.tags[0]) == (expected, ("urban",), f"type:{expected}")
    unanswered = record(asked, Said("1", "question", "What?", None), Said("2", "question", "", "yes"))
    assert field_items([unanswered], "VQA")[0].rejected == {"question without text or answer": 2}


def test_rotations_of_a_question_belong_together(tmp_path: Path) -> None:
    ask = {"question_id": 9, "image": chats.NAME, "category": "exist", "text": "Which? A. x B. y", "ground_truth": "A"}
    chats.lines(tmp_path / "FIT-RSRC_Questions_2k.jsonl", ask, ask | {"ground_truth": "B"}, ask | {"question_id": 10})
    _, items = field_items(reader_named("fitrs").read(tmp_path), "VQA")
    assert [(made.group, made.answers) for made in items] == [("9", ("A",)), ("9", ("B",)), ("10", ("A",))]
    counts = [[tag for tag in made.tags if tag.startswith("rotations:")] for made in items]
    assert counts == [["rotations:2"], ["rotations:2"], ["rotations:1"]]
    twice = record(Said("9", "question", "x", "y"), Said("9#2", "question", "x", "z"), id="rsrc/a")
    assert [made.group for made in field_items([twice], "VQA")[1]] == [None, None], "elsewhere an id is given twice"


def test_captions_are_one_item_with_all_references_and_may_be_of_a_pair() -> None:
    said = [Said(str(i), "caption", text, type="change") for i, text in enumerate(["a", "b", "a", "c", "c"])]
    _, (made,) = field_items([record(*said, after=Path("b.png"))], "CAPTION")
    assert made.answers == ("a", "b", "a", "c", "c") and made.type == "change"
    assert made.after is not None and made.after.path == "b.png"


def test_classes_to_choose_from_stand_once_in_the_file(tmp_path: Path) -> None:
    def of(name: str, answer: str, kind: str = "aid") -> Record:
        return record(Said("scene", "scene", "", answer=answer), id=name, family=f"{kind}:{name}")

    records = [of("1", "forest"), of("2", "bare land"), of("3", "forest"), of("4", "river", "ucmerced")]
    header, items = field_items(records, "SCENE", n=1)
    assert header.options == {"aid": ("bare land", "forest"), "ucmerced": ("river",)}, "all, however few are asked"
    assert [made.options for made in items] == [("bare land", "forest")]
    written = write_field_items(tmp_path / "i.jsonl", records, "SCENE")
    lines = (tmp_path / "i.jsonl").read_text().splitlines()
    assert written.admitted == 4 and "options" in lines[0] and not any("options" in line for line in lines[1:])
    assert [made.options for made in read_items(tmp_path / "i.jsonl")] == [("bare land", "forest")] * 3 + [("river",)]


def test_a_grounded_caption_has_phrases_without_running_numbers() -> None:
    parts = (replace(thing("0", mask=True), label="tennis court"), replace(thing("1", box(0, 0, 4, 4), mask=True)))
    said = Said("0", "caption", "A tennis court-1 by a ship-2.", things=("0", "1"))
    _, (made,) = field_items([record(said, things=parts)], "GCG")
    assert made.phrases == ("tennis court", "ship") and made.answers == ("A tennis court-1 by a ship-2.",)
    assert [Mask.from_rle(mask).area_px for mask in made.masks] == [200, 16]
    with pytest.raises(UsageError, match="captions whose phrases have masks"):
        field_items([record(Said("0", "caption", "plain"))], "GCG")


# ---- items: change ----------------------------------------------------------------------------------------------


def test_change_of_whole_pairs_is_rcd() -> None:
    some, none = Mask.from_polygon(box_to_corners(box(0, 0, 5, 5)), (50, 100)), Mask.from_array(np.zeros((50, 100)))
    pair = record(after=Path("b.png"), changed={"building": some, "road": none, "any": some}, classes=("building", "road"))  # fmt: skip  # noqa: E501
    header, items = field_items([pair], "CHANGE")
    assert header.task == "RCD" and all(isinstance(made, Item) for made in items)
    assert [made.expression for made in items] == ["segment all changed buildings", "segment all changed roads"]
    assert [made.is_zero_match for made in items] == [False, True]
    assert items[0].asked_rle is None and Mask.from_rle(items[0].answer_rle) == some
    assert items[0].tags == ("class:building", "whole", "no image")
    _, (anything,) = field_items([record(after=Path("b.png"), changed={"any": some})], "CHANGE")
    assert anything.expression == "segment all changed areas"
    with pytest.raises(UsageError, match=r"not annotated \(1\), no pair with masks"):
        field_items([replace(pair, ignored=some), record(refer())], "CHANGE")


def test_told_the_changed_parts_everything_on_a_whole_pair_is_right(folder: Path) -> None:
    pixels = np.zeros((SIZE[1], SIZE[0]), dtype=bool)
    pixels[5:15, 5:25] = pixels[30:45, 60:90] = pixels[2, 70:73] = True  # three pixels are small, and asked for
    nothing = Mask.from_array(np.zeros_like(pixels))
    changed = {"building": Mask.from_array(pixels), "road": nothing}
    pair = record(image=folder / "photo.png", after=folder / "later.png", changed=changed, classes=("building", "road"))
    _, items = field_items([pair], "CHANGE", root=folder)
    assert [len(made.objects) for made in items] == [3, 0]  # type: ignore[union-attr]
    assert items[0].answers == items[0].objects and len(items[0].universe_ids) == 3  # type: ignore[union-attr]
    for oracle in (("boxes",), ("boxes", "parser")):
        answers = [answer_item(made, models(), How(oracle=oracle), root=folder) for made in items]
        values = score_rcd(items, answers).values()  # type: ignore[arg-type]
        assert values["F1_1"] == pytest.approx(1) and (values["n_acc"], values["component_f1@0.5"]) == (1, 1), answers


# ---- files ------------------------------------------------------------------------------------------------------


def test_ids_stay_unique_over_sources() -> None:
    one = record(refer(), things=(thing(),))
    _, items = field_items([one, one, one], "REC")
    assert [made.id for made in items] == ["a/0", "a/0#2", "a/0#3"]


@pytest.mark.parametrize(("n", "expected"), [(None, 5), (1, 1), (5, 5), (9, 5)])
def test_how_many(n: int | None, expected: int) -> None:
    read = Counter[str]()

    def records() -> Any:
        for number in range(5):
            read["records"] += 1
            yield record(refer(), things=(thing(),), id=str(number))

    header, items = field_items(records(), "REC", n=n)
    assert len(items) == header.admitted == expected == read["records"], "no more is read than is asked"


@pytest.mark.parametrize("task", ["rec", "CREC", ""])
def test_no_such_task(task: str) -> None:
    with pytest.raises(UsageError, match="expected one of: REC, RES"):
        field_items([], task)


def test_numbers_and_parts_that_mean_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="n is 0"):
        field_items([], "REC", n=0)
    with pytest.raises(UsageError, match="keep their published splits"):
        build_file("REC", ["rsvg:x"], tmp_path / "i.jsonl", part="dev")
    with pytest.raises(UsageError, match="expected one of: crec, cres, rcd, rec"):
        build_file("crec", ["rsvg:x"], tmp_path / "i.jsonl")
    assert main(["bench", "build", "detection", "--source", "rsvg:x", "--out", str(tmp_path / "i.jsonl")]) == 2


@pytest.mark.parametrize("task", TASKS)
def test_a_build_that_fails_leaves_no_file(task: str, tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text("before\n")
    with pytest.raises(UsageError, match=f"no {task} item can be made"):
        write_field_items(tmp_path / "i.jsonl", [], task)
    assert [path.name for path in tmp_path.iterdir()] == ["i.jsonl"]
    assert (tmp_path / "i.jsonl").read_text() == "before\n"


TEXT = st.text(max_size=8)
PLACE = st.tuples(*[st.integers(-5, 60).map(float)] * 4)
FIELD_ITEMS = st.builds(
    FieldItem,
    id=st.text(min_size=1, max_size=4),
    task=st.sampled_from(["REC", "RES", "GCG", "VQA", "CAPTION", "SCENE"]),
    image=st.builds(Image, path=st.just("p"), size_wh=st.just(SIZE), family=st.sampled_from(["aid:1", "x", "demo:a"])),
    after=st.none() | st.builds(Image, path=st.just("q"), size_wh=st.just(SIZE), family=st.just("x")),
    text=TEXT,
    type=TEXT,
    answers=st.lists(TEXT, max_size=3).map(tuple),
    objects=st.lists(st.builds(Truth, id=TEXT, label=TEXT, hbb=PLACE), max_size=2).map(tuple),
    rle=st.none() | st.just(rle(0, 0, 3, 3)),
    options=st.lists(TEXT, max_size=3).map(tuple),
    is_unique=st.none() | st.booleans(),
    group=st.none() | TEXT,
    tags=st.lists(TEXT, max_size=3).map(tuple),
)


@given(st.lists(FIELD_ITEMS, unique_by=lambda each: each.id, max_size=4), st.data())
def test_items_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, items: list[FieldItem], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("items") / "i.jsonl"
    options = {each.kind: each.options for each in items if each.options and data.draw(st.booleans())}
    items = [each for each in items if each.options or each.kind not in options]  # those without get the header's
    write_items(path, Header(task="REC", command="x", seed=0, sources={}, admitted=len(items), options=options), items)
    assert list(read_items(path)) == items
    assert [item_from_json(item_line(each)) for each in items] == items


def test_files_of_the_conditional_benchmarks_are_what_they_were() -> None:
    header = Header(task="CREC", command="x", seed=0, sources={}, admitted=0)
    assert json.loads(header_line(header))["header"].keys() == {
        *("schema_version", "task", "command", "seed", "sources", "admitted", "rejected", "surveyor"),
    }
    assert header.schema_version == 1


def test_an_item_of_another_kind_than_the_header_says_is_damage(tmp_path: Path) -> None:
    header = Header(task="CREC", command="x", seed=0, sources={}, admitted=1)
    (tmp_path / "i.jsonl").write_text(header_line(header) + item_line(item()))
    with pytest.raises(UsageError, match="damaged at line 2"):
        list(read_items(tmp_path / "i.jsonl"))


# ---- answering --------------------------------------------------------------------------------------------------


def region(id: str, at: np.ndarray, score: float | None = None, label: str = "ship") -> Region:
    return Region(id, label, box_to_corners(at), at, score=score)


FIRST, SECOND = box(10, 10, 30, 20), box(60, 30, 90, 40)


class Reads(FakeGrounder):
    """A grounder that can be asked in words."""

    name = "reads"
    version = "7"

    def answer(self, scene: Scene, question: str) -> str:
        self._called("answer", question)
        return "yes"

    def caption(self, scene: Scene) -> str:
        self._called("caption")
        return "a ship"

    def classify(self, scene: Scene, classes: Any) -> str:
        self._called("classify", tuple(classes))
        return str(classes[-1])

    def select(self, scene: Scene, regions: Any, condition: str) -> Any:
        return regions

    def locate(self, scene: Scene) -> Any:
        raise AssertionError("not asked")


class Grounds(FakeDescriber):
    """A describer that writes captions with masks."""

    def caption_grounded(self, scene: Scene) -> GroundedCaption:
        mask = Mask.from_polygon(box_to_corners(FIRST), scene.shape_hw)
        return GroundedCaption("a ship at sea", ("ship",), (mask,) * (2 if "odd" in scene.name else 1))


class TellsChange(FakeChangeDetector):
    def caption_change(self, before: Scene, after: Scene) -> str:
        return f"{before.name} became {after.name}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("photo", "later", "odd"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    return tmp_path


def models(*found: Region, **roles: Any) -> Models:
    return Models(**{"grounder": FakeGrounder(found, open_vocabulary=True), "segmenter": FakeSegmenter()} | roles)


def boxes(prediction: Prediction) -> list[tuple[float, ...]]:
    return [each.hbb for each in prediction.regions]


def test_the_phrase_goes_to_the_grounder_as_it_stands(folder: Path) -> None:
    text = "A ship that is LEFT of  the other, isn't it?"
    fakes = models(region("a", FIRST, label=text))
    found = answer_item(item(text=text), fakes, How(), root=folder)
    assert fakes.grounder.calls == [("photo.png", text)]  # type: ignore[attr-defined]
    assert (found.status, boxes(found), found.request) == ("answered", [tuple(FIRST)], None)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        pytest.param((0.2, 0.9), [SECOND, FIRST], id="by score"),
        pytest.param((0.5, 0.5), [FIRST, SECOND], id="equal scores keep the order"),
        pytest.param((None, None), [FIRST, SECOND], id="no scores"),
        pytest.param((None, 0.9), [FIRST, SECOND], id="a score is missing: nobody can say which is better"),
    ],
)
def test_the_best_region_comes_first(folder: Path, scores: Any, expected: list[np.ndarray]) -> None:
    fakes = models(region("a", FIRST, scores[0], "the ship"), region("b", SECOND, scores[1], "the ship"))
    assert boxes(answer_item(item(), fakes, How(), root=folder)) == [tuple(each) for each in expected]


def test_what_becomes_of_no_answer(folder: Path) -> None:
    none = answer_item(item(), models(), How(), root=folder)
    assert (none.status, none.regions) == ("answered", ())
    closed = models(grounder=FakeGrounder([region("a", FIRST)], ["ship"]))
    refused = answer_item(item(text="the damaged wharf"), closed, How(), root=folder)
    assert refused.status == "refused" and "wharf" in refused.said
    raw = models(grounder=FakeGrounder(open_vocabulary=True, failure=ModelOutputError("no box", "blah")))
    unreadable = answer_item(item(), raw, How(), root=folder)
    assert unreadable.status == "unreadable" and "blah" in unreadable.said
    gone = answer_item(item(), models(), How(), root=folder / "nowhere")
    assert gone.status == "failed" and "photo.png" in gone.said


def test_res_of_one_thing_segments_the_best_box_alone(folder: Path) -> None:
    fakes = models(region("a", FIRST, 0.1, "the ship"), region("b", SECOND, 0.8, "the ship"))
    found = answer_item(item("RES", rle=rle(1, 1, 2, 2)), fakes, How(), root=folder)
    assert boxes(found) == [tuple(SECOND)] and Mask.from_rle(found.regions[0].rle or {}).area_px == 300
    every = answer_item(item("RES", rle=rle(1, 1, 2, 2), objects=()), fakes, How(), root=folder)
    assert [Mask.from_rle(each.rle or {}).area_px for each in every.regions] == [300, 200], (
        "pixels of all that is named"
    )


def test_rec_asks_no_segmenter_and_oracle_boxes_no_grounder(folder: Path) -> None:
    fakes = models(region("a", FIRST, label="the ship"))
    answer_item(item(), fakes, How(), root=folder)
    assert fakes.segmenter.call_count == 0  # type: ignore[attr-defined]
    broken = models(grounder=FakeGrounder(failure=AssertionError("asked")))
    turned = ((20.0, 5.0), (30.0, 15.0), (20.0, 25.0), (10.0, 15.0))
    one = item("RES", rle=rle(1, 1, 2, 2), objects=(truth(10, 5, 30, 25, obb=turned),))
    found = answer_item(one, broken, How(oracle=("boxes",)), root=folder)
    assert found.regions[0].obb == turned and Mask.from_rle(found.regions[0].rle or {}).area_px == pytest.approx(200, abs=20)  # fmt: skip  # noqa: E501
    pixels = answer_item(item("RES", rle=rle(1, 1, 2, 2), objects=()), broken, How(oracle=("boxes",)), root=folder)
    assert pixels.status == "failed" and "no boxes" in pixels.said


def test_through_the_agent_conditions_are_judged_by_geometry(folder: Path) -> None:
    fakes = models(grounder=FakeGrounder([region("a", FIRST), region("b", SECOND)]))
    one = item(text="a ship in the right half")
    found = answer_item(one, fakes, How(through="agent"), root=folder)
    assert boxes(found) == [tuple(SECOND)] and found.request is not None
    assert answer_item(one, fakes, How(), root=folder).status == "refused", "the grounder knows classes alone"
    puzzled = answer_item(item(text="ship ship that which"), fakes, How(through="agent"), root=folder)
    assert puzzled.status == "refused"
    masked = answer_item(one.model_copy(update={"task": "RES", "rle": rle(1, 1, 2, 2)}), fakes, How(through="agent"), root=folder)  # fmt: skip  # noqa: E501
    assert Mask.from_rle(masked.regions[0].rle or {}).area_px == 300
    raw = models(grounder=FakeGrounder([region("a", FIRST)], failure=ModelOutputError("no box", "blah")))
    assert answer_item(one, raw, How(through="agent"), root=folder).status == "unreadable"


def test_questions_captions_and_scenes(folder: Path) -> None:
    reads = Reads()
    fakes = models(grounder=reads)
    assert answer_item(item("VQA", text="Any ship?"), fakes, How(), root=folder).said == "yes"
    assert answer_item(item("CAPTION", text=""), fakes, How(), root=folder).said == "a ship"
    assert answer_item(item("SCENE", text="", options=("port", "sea")), fakes, How(), root=folder).said == "sea"
    assert reads.calls == [("answer", "Any ship?"), ("caption",), ("classify", ("port", "sea"))]
    beside = models(region("a", FIRST), describer=Reads())
    assert answer_item(item("VQA"), beside, How(), root=folder).said == "yes", (
        "the describer, where the grounder cannot"
    )
    assert field_roles("VQA", How(), beside) == ["describer"]


def test_grounded_captions_and_captions_of_changes_are_for_models_of_ones_own(folder: Path) -> None:
    fakes = models(describer=Grounds(), change=TellsChange())
    found = answer_item(item("GCG", text=""), fakes, How(), root=folder)
    assert (found.said, found.regions[0].label, found.regions[0].hbb) == ("a ship at sea", "ship", tuple(FIRST))
    odd = item("GCG").model_copy(update={"image": Image(path="odd.png", size_wh=SIZE, family="f")})
    assert answer_item(odd, fakes, How(), root=folder).status == "unreadable", "as many masks as phrases"
    pair = item("CAPTION", after=Image(path="later.png", size_wh=SIZE, family="f"))
    assert answer_item(pair, fakes, How(), root=folder).said == "photo.png became later.png"
    assert field_roles("GCG", How(), fakes) == ["describer"] and field_roles("CAPTION", How(), fakes, pairs=True) == ["change"]  # fmt: skip  # noqa: E501


@pytest.mark.parametrize(
    ("task", "how", "pairs", "match"),
    [
        pytest.param("VQA", {}, False, r"no model.*asked in words \(grounder fake.*grounder=qwen2vl", id="vqa"),
        pytest.param("CAPTION", {}, False, "asked in words", id="caption"),
        pytest.param("SCENE", {}, False, "asked in words", id="scene"),
        pytest.param("GCG", {}, False, "caption_grounded", id="gcg"),
        pytest.param("CAPTION", {}, True, "caption_change", id="caption of a change"),
        pytest.param("REC", {"baseline": "largest"}, False, "'largest' is for CREC", id="baseline"),
        pytest.param("REC", {"oracle": ("boxes",)}, False, "the only one is boxes, for RES", id="boxes are the answer"),
        pytest.param("RES", {"oracle": ("boxes", "parser")}, False, "no oracle 'boxes, parser'", id="parser"),
        pytest.param("VQA", {"through": "agent"}, False, "answers expressions", id="agent"),
    ],
)
def test_what_cannot_be_answered_is_said_before_anything_is_asked(
    task: str, how: dict[str, Any], pairs: bool, match: str, folder: Path
) -> None:
    with pytest.raises(UsageError, match=match):
        check_field(task, How(**how), models(), pairs=pairs)
    fields = {"after": Image(path="later.png", size_wh=SIZE, family="f")} if pairs else {}
    header = Header(task=task, command="x", seed=0, sources={}, admitted=1)  # type: ignore[arg-type]
    write_items(folder / "i.jsonl", header, [item(task, **fields)])
    with pytest.raises(UsageError, match=match):
        run(folder / "i.jsonl", folder / "out", models=models(), how=How(**how))
    assert not (folder / "out").exists()


def test_conditional_items_always_go_through_the_agent(folder: Path) -> None:
    header = Header(task="CREC", command="x", seed=0, sources={}, admitted=0)
    write_items(folder / "i.jsonl", header, [])
    with pytest.raises(UsageError, match="CREC items always go through the agent"):
        run(folder / "i.jsonl", folder / "out", models=models(), how=How(through="agent"))
    assert How(through="agent").mode == "through the agent"


# ---- the runner -------------------------------------------------------------------------------------------------


def file_of(folder: Path, *items: FieldItem) -> Path:
    header = Header(task=items[0].task, command="x", seed=0, sources={"demo": "none"}, admitted=len(items))
    write_items(folder / "i.jsonl", header, items)
    return folder / "i.jsonl"


def test_a_run_goes_on_where_it_stopped_and_keeps_its_settings(folder: Path) -> None:
    path = file_of(folder, *(item("VQA", id=f"q{n}", answers=("yes",)) for n in range(5)))
    reads = Reads()
    assert run(path, folder / "out", models=models(grounder=reads), shard=(1, 2)).statuses == {"answered": 3}
    assert read_run(folder / "out").settings.versions == {"grounder": "reads 7"}
    assert run(path, folder / "out", models=models(grounder=reads), shard=(1, 2)).new == 0 and reads.call_count == 3
    rest = run(path, folder / "rest", models=models(grounder=reads), shard=(2, 2), workers=2)
    assert rest.total == 2
    ids = [each.id for part in ("out", "rest") for each in read_predictions(folder / part)]
    assert sorted(ids) == [f"q{n}" for n in range(5)]
    rec = file_of(folder, item())
    run(rec, folder / "rec", models=models())
    with pytest.raises(UsageError, match="--through: grounder, now agent"):
        run(rec, folder / "rec", models=models(), how=How(through="agent"))


def test_a_late_answer_is_none(folder: Path) -> None:
    slow = models(grounder=FakeGrounder(open_vocabulary=True, delay_s=0.2))
    found = answer_item(item(), slow, How(timeout_s=0.05), root=folder)
    assert found.status == "timeout"
    cancel = threading.Event()
    assert answer_item(item(), slow, How(), root=folder, cancel=cancel).status == "answered"


def test_a_worker_on_another_machine_gets_the_item_as_text(folder: Path) -> None:
    holder = Holder("grounder=compact", How().model_dump_json(), str(folder), False)
    text = item(text="ship").model_dump_json()
    assert holder.ready(text) == "{}"
    assert json.loads(holder.answer(text))["status"] == "answered"
    with_options = item("SCENE", text="", options=("port", "sea"))
    assert item_from_json(with_options.model_dump_json()) == with_options, "classes travel with the item"


@pytest.mark.parametrize("workers", [2])
def test_on_ray(folder: Path, workers: int) -> None:
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    path = file_of(folder, *(item(id=f"q{n}", text="ship" if n else "unheard of") for n in range(4)))
    ran = run(path, folder / "out", ray="auto", workers=workers)
    assert ran.statuses == {"answered": 3, "refused": 1}


# ---- scores -----------------------------------------------------------------------------------------------------


def found(id: str = "q", *at: tuple[float, ...], said: str = "", status: str = "answered", **fields: Any) -> Prediction:
    regions = tuple(Predicted(hbb=each, **fields) for each in at)  # type: ignore[arg-type]
    return Prediction(id=id, regions=regions, said=said, status=status)  # type: ignore[arg-type]


def test_rec_by_hand() -> None:
    """20 x 10 px: hit; shifted by 10 of 20 (IoU 1/3): missed; none, refused and missing: missed. 1 of 5."""
    asked = [item(id=str(n), family=f"demo:{n}", is_unique=n == 0 if n < 4 else None) for n in range(5)]
    answers = [
        found("0", (10, 10, 30, 20), (0, 0, 1, 1)),
        found("1", (20, 10, 40, 20), (10, 10, 30, 20)),  # the first box counts
        found("2"),
        found("3", (10, 10, 30, 20), status="refused"),
    ]
    tables = score_field(asked, answers)
    assert list(tables) == ["boxes"]
    values = tables["boxes"].values()
    assert values["acc@0.5"] == 0.2 and values["items"] == 5 and values["mean_iou"] == pytest.approx((1 + 1 / 3) / 5)
    assert (values["acc_unique@0.5"], values["acc_not_unique@0.5"], values["answered"]) == (1, 0, 0.4)
    # on the grid of hundredths the second has columns 20 to 40 for 10 to 30: 11 of 31 shared
    assert values["acc_plus_one@0.5"] == 0.2
    assert tables["boxes"].counts() == {"answered": 2, "missing": 1, "none": 1, "refused": 1}
    assert intervals(tables["boxes"], draws=50)["acc@0.5"].value == 0.2


def test_nothing_is_said_of_what_is_unique_where_the_dataset_says_nothing() -> None:
    values = score_field([item(id="a"), item(id="b")], [found("a", (10, 10, 30, 20))])["boxes"].values()
    assert (values["acc@0.5"], values["acc_unique@0.5"], values["acc_not_unique@0.5"]) == (0.5, None, None)


def test_small_boxes_are_flattered_by_the_plus_one_track() -> None:
    """Plain: 1 of 3 columns shared. On the grid: columns 10 to 12 and 11 to 13, 2 of 4 when both ends count."""
    small = item(objects=(truth(10, 10, 12, 11),))
    values = score_field([small], [found("q", (11, 10, 13, 11))])["boxes"].values()
    assert (values["acc@0.5"], values["acc_plus_one@0.5"], values["mean_iou"]) == (0, 1, pytest.approx(1 / 3))


def test_oriented_track_is_of_the_items_with_corners() -> None:
    turned = ((20.0, 5.0), (30.0, 15.0), (20.0, 25.0), (10.0, 15.0))
    asked = [item(id="a", objects=(truth(10, 5, 30, 25, obb=turned),)), item(id="b")]
    exact = [found("a", (10, 5, 30, 25), obb=turned), found("b", (10, 10, 30, 20))]
    upright = [found("a", (10, 5, 30, 25)), found("b", (10, 10, 30, 20))]
    for answers, expected in ((exact, 1.0), (upright, 0.5)):
        tables = score_field(asked, answers)
        assert tables["oriented boxes"].ids == ("a",) and tables["boxes"].values()["mean_iou"] == 1
        assert tables["oriented boxes"].values()["mean_iou"] == pytest.approx(expected), (
            "a square on its corner is half"
        )


def test_expressions_for_several_boxes_have_a_track_of_their_own() -> None:
    two = item(id="a", objects=(truth(), truth(60, 30, 90, 40)))
    tables = score_field([two, item(id="b")], [found("a", (64, 30, 94, 40), (0, 0, 5, 5), (60, 33, 90, 43))])
    assert tables["boxes"].ids == ("b",)
    values = tables["every box"].values()  # 26 of 34 columns: 0.76; 7 of 13 rows: 0.54, but the box has its pair
    assert (values["box_recall@0.5"], values["extra_boxes"], values["items"]) == (pytest.approx(1 / 3), 1.0, 2)
    assert list(score_field([two], [])) == ["every box"]


def test_res_by_hand() -> None:
    asked = [item("RES", id=str(n), rle=rle(0, 0, 10, 10)) for n in range(4)]
    many = item("RES", id="all", rle=rle(0, 0, 10, 10), objects=())
    answers = [
        Prediction(id="0", regions=(Predicted(hbb=(0, 0, 10, 5), rle=rle(0, 0, 10, 5)), Predicted(hbb=(0, 5, 10, 10), rle=rle(0, 5, 10, 10)))),  # noqa: E501
        found("1", (0, 0, 10, 10)),  # a box alone
        found("2"),
        Prediction(id="all", regions=(Predicted(hbb=(0, 0, 10, 5), rle=rle(0, 0, 10, 5)), Predicted(hbb=(0, 5, 10, 10), rle=rle(0, 5, 10, 10)))),  # noqa: E501
    ]  # fmt: skip
    table = score_field([*asked, many], answers)["masks"]
    assert {id: table.item(id)["iou"] for id in table.ids} == {"0": 0.5, "1": 0, "2": 0, "3": 0, "all": 1}
    assert table.counts() == {"answered": 3, "missing": 1, "no mask": 1}
    assert table.values()["oiou"] == pytest.approx((50 + 100) / 500)
    some = answers[-1].model_copy(update={"regions": (*answers[-1].regions, Predicted(hbb=(0, 0, 1, 1)))})
    assert score_field([many], [some])["masks"].counts() == {"no mask": 1}, "of all that is named, one has none"
    damaged = Prediction(id="all", regions=(Predicted(hbb=(0, 0, 1, 1), rle={"size": [1, 1], "counts": "x"}),))
    assert score_field([many], [damaged])["masks"].counts() == {"no mask": 1}


def test_pixels_that_are_not_annotated_count_neither_way() -> None:
    one = item("RES", rle=rle(0, 0, 10, 10), ignored_rle=rle(10, 0, 20, 10), objects=())
    wide = Prediction(id="q", regions=(Predicted(hbb=(0, 0, 20, 10), rle=rle(0, 0, 20, 10)),))
    assert score_field([one], [wide])["masks"].values()["miou"] == 1
    partly = one.model_copy(update={"ignored_rle": rle(5, 0, 20, 10)})
    half = Prediction(id="q", regions=(Predicted(hbb=(0, 0, 5, 10), rle=rle(0, 0, 5, 10)),))
    assert score_field([partly], [half])["masks"].values()["miou"] == 1, "nor what is right there"
    assert score_field([one.model_copy(update={"ignored_rle": None})], [wide])["masks"].values()["miou"] == 0.5


def test_consistency_of_box_and_mask() -> None:
    one = item("RES", rle=rle(0, 0, 10, 10))
    whole = Prediction(id="q", regions=(Predicted(hbb=(0, 0, 10, 10), rle=rle(0, 0, 10, 10)),))
    half = Prediction(id="q", regions=(Predicted(hbb=(0, 0, 10, 10), rle=rle(0, 0, 10, 5)),))
    assert score_field([one], [whole])["consistency"].values()["bcs"] == 1
    assert score_field([one], [half])["consistency"].values()["bcs"] == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert score_field([one], [found()])["consistency"].values()["bcs"] == 0


def test_vqa_by_type_and_rotations() -> None:
    asked = [
        item("VQA", id="a", type="presence", answers=("yes",)),
        item("VQA", id="b", type="count", answers=("between 0 and 10",)),
        item("VQA", id="c", answers=("1",)),
    ]
    values = score_field(asked, [found("a", said="Yes."), found("b", said="10"), found("c", said="10")])["questions"].values()  # fmt: skip  # noqa: E501
    assert (values["strict presence"], values["strict count"], values["strict any"]) == (1, 0, 0)
    assert (values["strict OA"], values["substring any"]) == (pytest.approx(1 / 3), 1)
    rotations = [item("VQA", id=f"{g}{n}", answers=(("A", "(b)")[n],), group=g) for g in "xy" for n in range(2)]
    answers = [
        found("x0", said="(A) ship"),
        found("x1", said="b."),
        found("y0", said="A"),
        found("y1", said="Anything"),
    ]
    tables = score_field(rotations, answers)
    assert tables["circular"].values() == {"circular": 0.5, "items": 2}


@pytest.mark.parametrize("lost", ["asked of a few", "built of a few"])
def test_a_question_that_was_not_asked_in_all_orders_is_left_out_of_circular(lost: str, tmp_path: Path) -> None:
    ask = {"question_id": 9, "image": chats.NAME, "category": "exist", "text": "Which? A. x B. y", "ground_truth": "A"}
    orders = [ask | {"question_id": id, "ground_truth": letter} for id in (9, 10) for letter in "AB"]
    chats.lines(tmp_path / "FIT-RSRC_Questions_2k.jsonl", *orders)
    n = 3 if lost == "built of a few" else None
    items: Any = field_items(reader_named("fitrs").read(tmp_path), "VQA", n=n)[1][:3]
    told: list[str] = []
    with noting(told):
        tables = score_field(items, [found(each.id, said=each.answers[0]) for each in items])
    assert tables["circular"].values() == {"circular": 1, "items": 1}, "the cut one is no question of one order"
    assert any("1 of 2 questions were not asked in all orders" in each for each in told), told
    with noting([]):
        assert set(score_field(items[2:], [])) == {"questions"}, "no question is left"
    whole: list[str] = []
    with noting(whole):
        assert score_field(items[:2], [])["circular"].values() == {"circular": 0, "items": 1}, "no answer is wrong"
    assert not whole


@pytest.mark.parametrize(
    ("said", "letter"),
    [
        *((said, "A") for said in ("a", "A.", "(A)", "A) a ship", "[a] ship", "A: ship", "A, ship")),
        *((said, "A") for said in ("**A**", "A\nIt is", "A - ship")),
        *((said, None) for said in ("A bridge crosses the river", "An A", "a-frame", "I see", "", "1. A", "Answer A")),
    ],
)
def test_the_letter_that_is_chosen(said: str, letter: str | None) -> None:
    asked = [item("VQA", id="x", answers=("A",), group="x")]
    assert score_field(asked, [found("x", said=said)])["circular"].values()["circular"] == float(letter == "A")


def test_scenes_and_unknown_classes() -> None:
    options = ("bare land", "port", "sea")
    asked = [item("SCENE", id=str(n), answers=("bare land",), options=options) for n in range(3)]
    table = score_field(asked, [found("0", said="BareLand"), found("1", said="moon")])["scenes"]
    values = table.values()
    assert (values["accuracy"], values["known"], values["accuracy port"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3), None)  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("java", [True, False])
def test_captions_say_how_they_were_split_into_words(java: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_scores.importlib.util, "find_spec", lambda _: object() if java else None)
    monkeypatch.setattr(field_scores.shutil, "which", lambda _: "java")
    asked_for = []

    def scored(rows: Any, *, tokenise: Any, meteor: bool = False) -> Any:
        asked_for.append((tokenise.__name__, meteor))
        return original(rows)

    original = field_scores.score_captions
    monkeypatch.setattr(field_scores, "score_captions", scored)
    notes: list[str] = []
    with noting(notes):
        (name,) = score_field([item("CAPTION", answers=("a ship",))], [found(said="a ship")])
    assert name == ("captions" if java else PLAIN_CAPTIONS)
    assert asked_for == [("ptb_tokens", True) if java else ("plain_tokens", False)]
    assert bool(notes) != java


def test_gcg_ap50_is_of_the_whole_set_alone() -> None:
    asked = [
        item("GCG", id=n, family=f"demo:{n}", answers=("a ship",), phrases=("ship",), masks=(rle(0, 0, 10, 10),))
        for n in "abc"
    ]
    right = (Predicted(hbb=(0, 0, 10, 10), rle=rle(0, 0, 10, 10), label="ship"),)
    wrong = (Predicted(hbb=(0, 0, 9, 9), label="no mask"), *right)
    tables = score_field(asked, [Prediction(id="a", regions=right), Prediction(id="b", regions=wrong)])
    assert next(iter(tables)) == "masks" and len(tables) == 2
    values = tables["masks"].values()
    assert values["recall_masks"] == pytest.approx(2 / 3) and values["miou"] == pytest.approx(2 / 3)
    # three found, the second of them nowhere: precision 1 up to a third, 2/3 up to two thirds of the recall;
    # of COCO's 101 points 34 have the first, 33 the second, the rest 0
    assert values["AP50"] == pytest.approx((34 * 1 + 33 * 2 / 3) / 101)
    assert tables["masks"].only(["a", "b"]).values()["AP50"] is None, "not a sum over images"
    interval = intervals(tables["masks"], draws=20)["AP50"]
    assert (interval.value, interval.low, interval.undefined) == (values["AP50"], None, 20)
    assert differences(tables["masks"], tables["masks"], draws=20)["AP50"].value == 0


@pytest.mark.parametrize(
    ("asked", "answers", "match"),
    [
        pytest.param([], [], r"tasks \[\]", id="nothing"),
        pytest.param([item(), item("VQA", id="b", answers=("x",))], [], "tasks", id="two tasks"),
        pytest.param([item(), item()], [], "two items are called 'q'", id="an item twice"),
        pytest.param([item()], [found(), found()], "two predictions", id="an answer twice"),
        pytest.param([item()], [found("z")], "for no item", id="a stranger"),
        pytest.param([item("VQA")], [], "has no answer", id="an item without its answer"),
        pytest.param([item("RES")], [], "has no mask", id="an item without its mask"),
    ],
)
def test_what_cannot_be_scored(asked: list[FieldItem], answers: list[Prediction], match: str) -> None:
    with pytest.raises(UsageError, match=match):
        score_field(asked, answers)


@given(
    st.lists(
        st.tuples(st.sampled_from(["answered", "failed", "refused"]), st.lists(PLACE, max_size=3)),
        min_size=1,
        max_size=5,
    )
)
def test_any_boxes_give_figures_and_every_item_counts(answers: list[tuple[str, list[tuple[float, ...]]]]) -> None:
    asked = [item(id=str(n)) for n in range(len(answers) + 1)]
    given = [found(str(n), *at, status=status) for n, (status, at) in enumerate(answers)]
    values = score_field(asked, given)["boxes"].values()
    assert values["items"] == len(asked) and 0 <= (values["acc@0.5"] or 0) <= len(answers) / len(asked)
