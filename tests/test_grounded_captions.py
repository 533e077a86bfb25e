"""Captions whose phrases point (`gcg`): written, read, held to a grammar, converted, annotated, turned, scored."""

from __future__ import annotations

import json
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_trees import tree_of
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.app.cli import main
from surveyor.core.codec import Pointed, dialect
from surveyor.core.errors import ModelOutputError, UsageError
from surveyor.core.masks import Mask
from surveyor.finetune.annotate.annotate import Choice, annotate
from surveyor.finetune.annotate.models import Helpers
from surveyor.finetune.annotate.pointing import pointing_caption
from surveyor.finetune.annotate.views import Item, View
from surveyor.finetune.augment.cyclic import Phrases, cycled
from surveyor.finetune.augment.images import tiles_of, turned_record
from surveyor.finetune.augment.marks import LeftOut
from surveyor.finetune.augment.pictures import Pictures
from surveyor.finetune.augment.turning import Turn
from surveyor.finetune.records.files import read_records
from surveyor.finetune.records.record import Instruction, Marked, Picture, check_reads_back, with_messages
from surveyor.finetune.records.stats import stats_of
from surveyor.tools.models.grounded import is_tagged, read_grounded, written
from surveyor.tools.models.tasks import Tasks

needs_transformers = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")
SIZE = (1000, 1000)
NATIVE = dialect("native")
COURT = Marked(kind="obb", points=((600, 100), (800, 100), (800, 200), (600, 200)), label="tennis court")
SHIPS = tuple(Marked(kind="obb", points=((x, 500), (x + 50, 500), (x + 50, 520), (x, 520))) for x in (100, 300))
SAID = "The <p>tennis court</p> lies left of <p>two ships</p>."
REPLY = (
    "The <p>tennis court</p> [(600,100),(800,100),(800,200),(600,200)] lies left of <p>two ships</p> "
    "[(100,500),(150,500),(150,520),(100,520)] [(300,500),(350,500),(350,520),(300,520)]."
)


def record(**more: Any) -> Instruction:
    parts: dict[str, Any] = {"id": "1", "task": "gcg", "pictures": (Picture(path="a.png", size_wh=SIZE),)}
    parts |= {"reply": SAID, "regions": (COURT, *SHIPS), "grounded": (1, 2), "asked": "obb", "family": "f"}
    return with_messages(Instruction(**(parts | more)))


def test_phrases_are_followed_by_their_points() -> None:
    made = record()
    assert made.messages[0].content == (
        "<image>\n[gcg] Describe the image, and give the oriented box of each thing that you name."
    )
    assert made.messages[1].content == REPLY
    read = Tasks().caption_grounded("obb", SIZE).read(REPLY)
    assert read.text == "The tennis court lies left of two ships."
    assert read.phrases == ("tennis court", "two ships") and [len(some) for some in read.regions] == [1, 2]
    assert read.regions[1][1].points_px.tolist() == [[300, 500], [350, 500], [350, 520], [300, 520]]
    start, stop = read.regions[1][1].span or (0, 0)
    assert REPLY[start:stop] == "[(300,500),(350,500),(350,520),(300,520)]"
    check_reads_back([made])


@pytest.mark.parametrize(
    ("reply", "loosely"),
    [
        ("A <p>ship</p> leaves.", ("A ship leaves.", ())),
        ("A <p> ship </p> [(1,2),(3,4)] leaves.", None),  # another kind
        ("A <p>ship</p> [(1,2),(3,4),(5,6)] leaves.", None),
        ("A <p></p> [(1,2),(3,4),(3,6),(1,6)] leaves.", None),
        ("A ship [(1,2),(3,4),(3,6),(1,6)] leaves.", None),
        ("A <p>ship [(1,2),(3,4),(3,6),(1,6)] leaves.", None),
        ("A <p>ship</p> none leaves.", ("A ship none leaves.", ())),
        ("A <p>ship</p> [(1,2),(9999,4),(3,6),(1,6)] leaves.", None),
        (" ", None),
    ],
)
def test_what_cannot_be_read(reply: str, loosely: tuple[str, tuple[str, ...]] | None) -> None:
    asking = Tasks().caption_grounded("obb", SIZE)
    with pytest.raises(ModelOutputError) as caught:
        asking.read(reply)
    assert caught.value.raw == reply
    if loosely is None:
        with pytest.raises(ModelOutputError):
            asking.lenient(reply)
    else:
        read = asking.lenient(reply)
        assert (read.text, read.phrases) == loosely


def test_plain_words_point_at_nothing() -> None:
    read = Tasks().caption_grounded("keypoints", SIZE).read("A bare field.")
    assert (read.text, read.phrases, read.regions) == ("A bare field.", (), ())


def test_only_our_own_dialect_has_them() -> None:
    with pytest.raises(UsageError, match="native"):
        Tasks("qwen2-vl").caption_grounded("obb", SIZE)
    with pytest.raises(UsageError, match="circle"):
        Tasks().caption_grounded("circle", SIZE)


POINTS = st.tuples(st.integers(0, 999), st.integers(0, 999))
WORDS = st.text("ab c,.-;", min_size=1, max_size=12).filter(str.strip)


@given(st.lists(st.tuples(WORDS, WORDS, st.lists(POINTS, min_size=1, max_size=3)), min_size=1, max_size=4))
def test_any_caption_comes_back(parts: list[tuple[str, str, list[tuple[int, int]]]]) -> None:
    tagged = "".join(f"{words}<p>{phrase}</p>" for words, phrase, _ in parts)
    boxes = [[Pointed("box", np.array([[x, y], [x + 1, y + 1]])) for x, y in some] for _, _, some in parts]
    assert is_tagged(tagged)
    read = read_grounded(written(tagged, boxes, NATIVE, SIZE), "box", NATIVE, SIZE)
    assert read.phrases == tuple(" ".join(phrase.split()) for _, phrase, _ in parts)
    assert [[each.points_px.tolist() for each in some] for some in read.regions] == [
        [each.points_px.tolist() for each in some] for some in boxes
    ]


@settings(max_examples=200)
@given(st.text("<p/>[](),12 aekoyints", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (Tasks().caption_grounded("obb", SIZE).read, Tasks().caption_grounded("obb", SIZE).lenient):
        try:
            assert read(text).text
        except ModelOutputError as error:
            assert error.raw == text


@pytest.mark.torch
@needs_transformers
@pytest.mark.parametrize("kind", ["obb", "keypoints", "box", "polygon"])
def test_the_grammar_takes_what_is_written(kind: str) -> None:
    from surveyor.tools.models.guidance import Guided
    from test_grammars import FAMILIES, guide_of, tokenizer_of

    family = FAMILIES["native"]
    item = {
        "obb": Pointed("obb", np.array(COURT.points)),
        "box": Pointed("box", np.array([[1, 2], [30, 40]])),
        "keypoints": Pointed("box", np.array([[1, 2], [30, 40]]), np.array([[9.0, 9], [10, 10]])),
        "polygon": Pointed("polygon", np.array([[1, 2], [30, 40], [9, 60]])),
    }[kind]
    asking = Tasks().caption_grounded(kind, SIZE)
    for text in (written(SAID, [[item], [item, item]], NATIVE, SIZE), "A bare field."):
        reply = Guided(guide_of(family), asking.grammar)
        for token in tokenizer_of(family)(text, add_special_tokens=False)["input_ids"]:
            reply.consume(token)
        assert reply.is_complete
    for text in ("A <p>ship</p> leaves.", "A ship [(1,2),(3,4)].", "<p></p>"):
        reply = Guided(guide_of(family), asking.grammar)
        with pytest.raises((ModelOutputError, AssertionError)):
            for token in tokenizer_of(family)(text, add_special_tokens=False)["input_ids"]:
                reply.consume(token)
            assert reply.is_complete


# ---- made


def test_geopixeld_gives_captions_that_point(tmp_path: Path) -> None:
    root, out = tree_of("geopixeld", tmp_path / "tree"), tmp_path / "a.jsonl"
    assert main(["data", "convert", "geopixeld", str(root), "--out", str(out)]) == 0
    by_task = {each.task: each for each in read_records(out)}
    made = by_task["gcg"]
    assert made.reply == "Look. The <p>tennis court</p>, and <p>cluster of Ships</p> at right."
    assert made.grounded == (1, 2) and made.asked == "keypoints"
    assert [each.label for each in made.regions] == ["tennis court", "cluster of ships", "cluster of ships"]
    assert all(each.keypoints and each.rle for each in made.regions)
    assert by_task["caption"].reply == "Look. The tennis court-1, and cluster of Ships-2 at right."
    check_reads_back([made])


def test_filled_boxes_teach_no_masks(tmp_path: Path) -> None:
    root, out = tree_of("geopixeld", tmp_path / "tree"), tmp_path / "a.jsonl"
    (file,) = (root / "train").glob("*.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"shapes": ["box", "pixels"]}))
    assert main(["data", "convert", "geopixeld", str(root), "--out", str(out)]) == 0
    assert Counter(each.task for each in read_records(out)) == {"caption": 1, "res": 1}
    dropped = json.loads((tmp_path / "a.meta.json").read_text())["dropped"]
    assert {"gcg: phrase whose mask is a filled box", "res: phrase whose mask is a filled box"} <= set(dropped)


def item(label: str, x: float, y: float, shape: str, side: float = 60) -> Item:
    corners = np.array([[x, y], [x + side, y], [x + side, y + side / 2], [x, y + side / 2]], dtype=np.float64)
    return Item(label, Mask.from_polygon(corners, (400, 400)), shape, corners)


def described(*items: Item) -> Any:
    view = View("P1", Path("P1.png"), (0, 0, 400, 400), items, "f")
    made = annotate(view, np.zeros((400, 400, 3), np.uint8), Helpers(), Choice(), Counter())
    return pointing_caption(view, made)


def test_annotated_pictures_give_captions_that_point() -> None:
    drawn = described(item("court", 20, 20, "outline"), item("ship", 300, 200, "pixels"))
    assert drawn.kind == "keypoints" and drawn.counts == (1, 1) and "<p>" in drawn.reply and "-1" not in drawn.reply
    boxed = described(item("court", 20, 20, "outline"), item("ship", 300, 200, "box"))
    assert boxed.kind == "obb" and [each.is_upright for each in boxed.regions].count(True) == 1
    cars = [item("car", 10 + 12 * (n % 5), 340 + 12 * (n // 5), "pixels", 6) for n in range(20)]
    crowd = described(item("court", 20, 20, "pixels"), *cars)
    assert crowd.counts == (1,) and "about 20 cars" in crowd.reply and "<p>about" not in crowd.reply
    assert described(*cars) is None, "nothing that is pointed at"
    few = described(*cars[:3], item("court", 20, 20, "pixels"))
    group = next(some for some in few.counts if some == 3)
    assert group and [each.points[0][0] for each in few.regions[-3:]] == [10, 22, 34]


# ---- changed


def test_a_turned_picture_turns_words_and_points(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((*SIZE, 3), np.uint8))
    pictures = Pictures(tmp_path, tmp_path / "new.jsonl")
    made = turned_record(record(), Turn("left-right"), pictures)
    assert made.reply == "The <p>tennis court</p> lies right of <p>two ships</p>."
    assert made.grounded == (1, 2) and made.regions[0].points[0] == (200, 100)
    assert [each.points[0] for each in made.regions[1:]] == [(650, 500), (850, 500)], "in the order of reading"
    check_reads_back([made])
    with pytest.raises(LeftOut, match="turned"):
        turned_record(record(reply="The <p>court</p> faces <p>ships</p>."), Turn("half"), pictures)
    with pytest.raises(LeftOut, match="upper deck"):  # no place, and the tag would hide the deck
        turned_record(record(reply="The upper <p>deck</p>, <p>ships</p>."), Turn("up-down"), pictures)


def test_a_caption_is_not_cut_nor_turned_round() -> None:
    with pytest.raises(LeftOut, match="part of its picture"):
        list(tiles_of(record(), 400, 100))
    with pytest.raises(LeftOut, match="names no region"):
        list(cycled(record(), Phrases.of([record()]), 0))


def test_statistics_count_phrases_and_regions() -> None:
    task = stats_of([record()]).tasks["gcg"]
    assert (task.regions, task.none, set(task.phrases)) == (3, 0, {"tennis court", "two ships"})


@pytest.mark.torch
@needs_transformers
def test_scores_by_hand() -> None:
    """One of two phrases with its place, and one with other words: half of the phrases are found."""
    from surveyor.finetune.records.record import asking_of
    from surveyor.finetune.sft.evaluate import Answered, scores

    def scored(said: str) -> dict[str, float]:
        try:
            read, status = asking_of(record()).read(said), "answered"
        except ModelOutputError:
            read, status = None, "unreadable"
        return scores([Answered(record(), said, read, status, False)])

    right = scored(REPLY)
    assert (right["gcg_recall"], right["gcg_miou"], right["gcg_rouge_l"], right["score"]) == pytest.approx((1, 1, 1, 1))
    assert scored(REPLY.replace("two ships", "many green trees"))["gcg_recall"] == 0.5
    assert (
        scored(REPLY.replace("(600,100),(800,100),(800,200),(600,200)", "(0,0),(9,0),(9,9),(0,9)"))["gcg_recall"] == 0.5
    )
    assert scored("???[")["gcg_unreadable"] == 1 and scored("???[")["gcg_recall"] == 0
