"""Readers of chat models' data (GeoChat, FIT-RS) and of the boxes they write in text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from surveyor.core.errors import UsageError
from surveyor.core.geometry import min_area_rect
from surveyor.core.rotated_iou import rotated_iou_matrix
from surveyor.evals.datasets.box_strings import BadBox, box_numbers, fitrs_corners, geochat_corners, turn_of
from surveyor.evals.datasets.fitrs import read_fitrs
from surveyor.evals.datasets.geochat import read_geochat, read_geochat_instruct
from surveyor.evals.datasets.record import Record


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def lines(path: Path, *entries: dict[str, Any]) -> Path:
    return write(path, "".join(f"{json.dumps(entry)}\n" for entry in entries))


def read(reader: Callable[..., Iterator[Record]], root: Path, **options: Any) -> tuple[list[Record], Counter[str]]:
    tally: Counter[str] = Counter()
    return list(reader(root, tally=tally, **options)), tally


# ---- box strings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        ("no box", []),
        ("{<8><82><16><90>|<69>}{<6><44><14><48>|<32>}", [(8, 82, 16, 90, 69), (6, 44, 14, 48, 32)]),
        ("{<8><82><16><90>|<69>}<delim>{<6><44><14><48>}", [(8, 82, 16, 90, 69), (6, 44, 14, 48)]),
        (
            "<rbox>({<12.50><30.10><4.20><1.10>|<57>}, {<1><2><3><4>|<0>})</rbox>",
            [(12.5, 30.1, 4.2, 1.1, 57), (1, 2, 3, 4, 0)],
        ),
        ("{ <-2> <0> <45> <26> }", [(-2, 0, 45, 26)]),
        ("{<981><2><3><4>|<5>}", [(981, 2, 3, 4, 5)]),
    ],
)
def test_numbers_of_box_strings(text: str, numbers: list[tuple[float, ...]]) -> None:
    assert box_numbers(text) == numbers


@pytest.mark.parametrize("text", ["{<1><2><3>}", "{a plane}", "{<1><2><3><4>", "{<1><2><3><4>|}", "{<1><2><3><4>} {x"])
def test_braces_that_are_no_box_are_never_skipped(text: str) -> None:
    with pytest.raises(BadBox, match="no box"):
        box_numbers(text)


def test_geochat_boxes_turn_about_their_centre_either_way() -> None:
    """FORMATS 1.7: (60, 50) about (50, 50) by 30 degrees is (58.7, 55.0) clockwise, (58.7, 45.0) counter-clockwise."""
    numbers = (40, 45, 60, 55, 30)
    for turn, y in (("clockwise", 55.0), ("counter-clockwise", 45.0)):
        corners = geochat_corners(numbers, (100, 100), turn)
        right = max((corners[i] + corners[i - 1] for i in range(4)), key=lambda sum_xy: sum_xy[0]) / 2
        assert right.tolist() == pytest.approx([50 + 10 * np.cos(np.pi / 6), y])
        reference = cv2.boxPoints(((50, 50), (20, 10), 30 if turn == "clockwise" else -30))
        assert rotated_iou_matrix(corners[None], min_area_rect(reference)[None])[0, 0] == pytest.approx(1, abs=1e-5)


def test_geochat_box_is_neither_upright_box_nor_two_corners() -> None:
    corners = geochat_corners((40, 45, 60, 55, 90), (200, 200))
    assert corners.tolist() == [[90, 80], [110, 80], [110, 120], [90, 120]]


def test_a_turned_box_stays_a_rectangle_in_an_image_that_is_not_square() -> None:
    corners = geochat_corners((40, 40, 60, 50, 45), (1000, 500))
    sides = [np.linalg.norm(corners[i] - corners[i - 1]) for i in range(4)]
    assert sorted(sides) == pytest.approx([50, 50, 200, 200])
    assert np.dot(corners[1] - corners[0], corners[3] - corners[0]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ((981, 2, 99, 4, 5), "beyond the grid"),
        ((-1, 2, 3, 4, 5), "beyond the grid"),
        ((5, 2, 5, 4, 5), "without area"),
        ((5, 4, 6, 2, 5), "without area"),
    ],
)
def test_bad_geochat_boxes(numbers: tuple[float, ...], reason: str) -> None:
    with pytest.raises(BadBox, match=reason):
        geochat_corners(numbers, (600, 600))


def test_fitrs_boxes_are_centre_and_sides_with_one_divisor() -> None:
    corners = fitrs_corners((50, 25, 20, 10, 30))
    reference = cv2.boxPoints(((256, 128), (102.4, 51.2), 30))  # OpenCV's angle goes clockwise on screen
    assert rotated_iou_matrix(corners[None], min_area_rect(reference)[None])[0, 0] == pytest.approx(1, abs=1e-5)
    flat = fitrs_corners((50, 50, 20, 10, 0))  # truncation can print 0
    assert (flat[2] - flat[0]).tolist() == pytest.approx([102.4, 51.2])
    for numbers, reason in (((1, 2, 3, 4), "without an angle"), ((1, 2, 0, 4, 5), "area"), ((101, 2, 3, 4, 5), "grid")):
        with pytest.raises(BadBox, match=reason):
            fitrs_corners(numbers)


def test_degrees_are_not_radians() -> None:
    """A public script gives the degrees to cos: by 57 it turns to -0.4 degrees and not to 57."""
    corners = fitrs_corners((50, 50, 40, 10, 57), side_px=100)
    centre_of_end = (corners + np.roll(corners, 1, axis=0)) / 2
    far = centre_of_end[np.argmax(np.linalg.norm(centre_of_end - 50, axis=1))] - 50
    assert abs(far[1] / far[0]) == pytest.approx(np.tan(np.deg2rad(57)))


@given(st.integers(1, 89), st.integers(5, 40), st.integers(5, 40), st.booleans())
def test_the_turn_of_a_dataset_is_told_from_its_outlines(angle: int, w: int, h: int, is_clockwise: bool) -> None:
    assume(abs(w - h) >= 4)
    numbers = (50 - w / 2, 50 - h / 2, 50 + w / 2, 50 + h / 2, angle)
    turn = "clockwise" if is_clockwise else "counter-clockwise"
    found, clockwise, counter = turn_of([(numbers, geochat_corners(numbers, (800, 800), turn))], (800, 800))
    assert found == turn and max(clockwise, counter) == pytest.approx(1, abs=1e-6) and min(clockwise, counter) < 1


def test_no_pairs_no_turn() -> None:
    with pytest.raises(UsageError, match="no pair"):
        turn_of([], (800, 800))
    with pytest.raises(UsageError, match="turn='left' is not known"):
        geochat_corners((1, 1, 2, 2), (10, 10), "left")


# ---- GeoChat-Bench ----------------------------------------------------------------------------------------------

REFER = {
    "question_id": 0,
    "image_id": "P0003_0002",
    "question": "a large vehicle at the left",
    "ground_truth": [[[10, 20], [50, 20], [50, 40], [10, 40]]],
    "type": "ref",
    "dataset": "SOTA",
    "obj_ids": [3],
    "size_group": "small",
}


def test_geochat_referring(tmp_path: Path) -> None:
    flat = REFER | {"question_id": 1, "ground_truth": [10, 20, 50, 20, 50, 40, 10, 40]}
    one = REFER | {"question_id": 2, "ground_truth": [[10, 20], [50, 20], [50, 40], [10, 40]]}
    two = REFER | {
        "question_id": 3,
        "ground_truth": [flat["ground_truth"], [0, 0, 9, 3, 8, 6, -1, 3]],
        "type": "caption",
    }
    other = REFER | {"image_id": "train_2956_0001", "dataset": "FAST"}
    lines(tmp_path / "referring.jsonl", REFER, other, flat, one, two)
    (first, second), tally = read(read_geochat, tmp_path)
    assert [(said.id, said.kind, said.things) for said in first.said] == [
        *(("0", "refer", ("0.0",)), ("1", "refer", ("1.0",)), ("2", "refer", ("2.0",))),
        ("3", "dialog", ("3.0", "3.1")),
    ]
    assert all(thing.box_px.tolist() == [10, 20, 50, 40] for thing in first.things[:4])
    assert first.things[0].attributes == {"size_group": "small", "dataset": "SOTA"}
    assert (first.size_wh, second.size_wh) == ((1024, 1024), (600, 600))
    assert (first.family, second.family) == ("dota:P0003", "fair1m:2956")
    assert first.image == tmp_path / "P0003_0002.png" and first.split == "test"
    assert tally == {} and not first.is_exhaustive


def test_bad_geochat_records_are_counted_by_reason(tmp_path: Path) -> None:
    lines(
        tmp_path / "referring.jsonl",
        REFER,
        REFER | {"ground_truth": [[[1, 1], [1, 1], [1, 1], [1, 1]]]},
        REFER | {"question": "the {<1><2><3><4>} ship"},
        REFER | {"ground_truth": []},
        REFER | {"ground_truth": "{<981><2><99><4>|<5>}"},
        REFER | {"ground_truth": "{<5><2><5><4>|<5>}"},
        REFER | {"ground_truth": "at the top"},
        REFER | {"ground_truth": 7},
        REFER | {"image_id": ""},
        REFER | {"question": " "},
    )
    lines(tmp_path / "other.jsonl", REFER)
    (record,), tally = read(read_geochat, tmp_path)
    assert len(record.said) == len(record.things) == 1
    assert tally == {
        "box without area": 2,
        "expression with braces": 1,
        "record without a ground truth": 1,
        "coordinate beyond the grid of 0-100": 1,
        "no box where one is due": 1,
        "ground truth that is no polygon": 1,
        "record without an image": 1,
        "record without a question": 1,
        "file of no known task: other.jsonl": 1,
    }


def test_geochat_regions_turn_as_told(tmp_path: Path) -> None:
    entry = REFER | {"question": "{<40><45><60><55>|<30>}", "ground_truth": "1 dump-truck at the center"}
    lines(tmp_path / "region_captioning.jsonl", entry, entry | {"dataset": "mine", "image_id": "x"})
    cv2.imwrite(str(tmp_path / "y.jpg"), np.zeros((50, 100, 3), np.uint8))
    (record,), tally = read(read_geochat, tmp_path)
    (other,), _ = read(read_geochat, tmp_path, turn="counter-clockwise")
    assert record.said[0].kind == "region" and record.said[0].text == "1 dump-truck at the center"
    assert tally == {"box string on an image of unknown size": 1}
    for found, turn in ((record, "clockwise"), (other, "counter-clockwise")):
        corners = found.things[0].corners_px
        assert corners is not None
        assert np.allclose(corners, geochat_corners((40, 45, 60, 55, 30), (1024, 1024), turn))
    lines(tmp_path / "region_captioning.jsonl", entry | {"dataset": "mine", "image_id": "y"})
    (found,), _ = read(read_geochat, tmp_path)
    assert found.size_wh == (100, 50) and found.image.name == "y.jpg"


def test_geochat_questions_and_scenes(tmp_path: Path) -> None:
    lines(tmp_path / "hrben.jsonl", {"question_id": 5, "image": "10659.tif", "text": "Is there water?"})
    lines(tmp_path / "aid.jsonl", {"question_id": "BareLand/bareland_1.jpg", "image": "x.jpg", "text": "Classify"})
    lines(tmp_path / "UCmerced.jsonl", {"question_id": "airplane/airplane07.tif"}, {"question_id": "7"})
    (ucm, aid, water), tally = read(read_geochat, tmp_path)
    assert tally == {"scene without a class folder in its question_id": 1}
    assert (ucm.said[0].kind, ucm.said[0].answer, ucm.family) == ("scene", "airplane", "ucmerced:107")
    assert (aid.said[0].answer, aid.said[0].text, aid.family) == ("bare land", "", "aid:bareland_1")
    assert aid.image == tmp_path / "BareLand/bareland_1.jpg"
    assert (water.said[0].text, water.said[0].answer) == ("Is there water?", None)
    assert water.family == "rsvqa-hr:10659"  # five digits, and none of DIOR's
    assert [r.id for r in read(read_geochat, tmp_path, task="question")[0]] == ["hrben/10659.tif"]
    with pytest.raises(UsageError, match=r"no jsonl file of task 'region'; it has UCmerced\.jsonl, aid"):
        read(read_geochat, tmp_path, task="region")


def test_geochat_damage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no \.jsonl file"):
        read(read_geochat, tmp_path)
    write(tmp_path / "referring.jsonl", f"{json.dumps(REFER)}\n{{'a': 1}}\n")
    with pytest.raises(UsageError, match=r"referring\.jsonl' is damaged at line 2"):
        read(read_geochat, tmp_path)
    for options in ({"split": "train"}, {"turn": "left"}, {"task": "grounding"}):
        with pytest.raises(UsageError, match=next(iter(options.values()))):
            read(read_geochat, tmp_path, **options)


# ---- GeoChat-Instruct -------------------------------------------------------------------------------------------


def talk(image: str, *turns: str) -> dict[str, Any]:
    said = [{"from": "gpt" if i % 2 else "human", "value": turn} for i, turn in enumerate(turns)]
    return {"id": image.split(".")[0], "image": image, "conversations": said}


def test_geochat_instructions(tmp_path: Path) -> None:
    entries = [
        talk(
            "P0001_0001.png",
            *("<image>\n[refer] where is <p>silver boeing737 airplane</p> ?", "{<16><55><24><63>|<11>}"),
            *("[refer] where are <p>planes</p> ?", "{<8><82><16><90>|<69>}<delim>{<6><44><14><48>|<32>}"),
            *("[identify] the object in {<35><32><37><36>|<67>} is", "<p>1 dump-truck at the center</p>"),
            *("[grounding] describe", "There are <p>two ships</p> {<50><50><60><60>|<52>}{<1><1><3><3>|<2>} here"),
            *("What is it?", "A harbor {quoted}."),
        ),
        talk("train_1_0001.png", "[refer] <p>bad</p>", "{<981><2><99><4>|<5>}"),
        talk("00011.jpg", "[refer] <p>{<1>}</p>", "{<1><2><3><4>|<5>}", "[refer] <p>x</p>", "{<5><2><5><4>|<5>}"),
        talk("flood_1.png", "[refer] <p>x</p>", "{<1><2><3><4>|<5>}", "Flooded?", "yes"),
    ]
    write(tmp_path / "GeoChat_Instruct.json", json.dumps(entries))
    (first, flood), tally = read(read_geochat_instruct, tmp_path)
    assert [(said.kind, said.text, len(said.things)) for said in first.said] == [
        ("refer", "silver boeing737 airplane", 1),
        ("refer", "planes", 2),
        ("region", "1 dump-truck at the center", 1),
        ("dialog", "describe", 2),
        ("dialog", "What is it?", 0),
    ]
    assert (first.size_wh, first.family, first.split) == ((1024, 1024), "dota:P0001", "train")
    assert first.image == tmp_path / "final_images_llava/P0001_0001.png"
    assert [said.answer for said in flood.said] == ["yes"] and flood.size_wh is None
    assert tally == {
        "coordinate beyond the grid of 0-100": 1,
        "expression with braces": 1,
        "box without area": 1,
        "box string on an image of unknown size": 1,
    }


def test_geochat_instructions_damage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"lacks 'GeoChat_Instruct\.json'"):
        read(read_geochat_instruct, tmp_path)
    path = write(tmp_path / "GeoChat_Instruct.json", '[{"id": "a", "conversations": ["hello"]}]')
    with pytest.raises(UsageError, match="entry 0"):
        read(read_geochat_instruct, path)


# ---- FIT-RS -----------------------------------------------------------------------------------------------------

NAME = "0012__512__0___412.png"
NONE = "I'm sorry, I cannot answer as the given image does not contain any given objects."
MANY = (
    "There are 23 ships in the image: <rbox>({<10><10><4><2>|<57>}, {<30><30><4><2>|<1>})</rbox>, and due to the "
    "context length, the remaining objects are not listed."
)


def fit(question: str, truth: Any, **more: Any) -> dict[str, Any]:
    return {"question_id": 1, "image": NAME, "category": "task4", "question": question, "ground_truth": truth} | more


def test_fitrs_tasks(tmp_path: Path) -> None:
    box = "{<12.50><30.10><4.20><1.10>|<57>}"
    bench = tmp_path / "FIT-RSFG/FIT-RSFG-Bench"
    lines(bench / "test_FITRS_image_caption_eval.jsonl", fit("Describe", "A harbor."))
    lines(bench / "test_FITRS_region_caption_eval.jsonl", fit(f"What is in {box}?", "a ship"), fit("What?", "x"))
    lines(bench / "test_FITRS_imageclassify_eval.jsonl", fit("Classify", "harbor"))
    lines(bench / "test_FITRS_vqa_eval.jsonl", fit("<image>\nHow many?", 2))
    lines(bench / "test_FITRS_complex_comprehension_eval.jsonl", fit(f"How do {box} and {box} relate?", "parallel"))
    lines(bench / "hrben.jsonl", fit("x", "y"))
    records, tally = read(read_fitrs, tmp_path)
    found = {record.said[0].kind: record for record in records}
    assert sorted(found) == ["caption", "dialog", "question", "region", "scene"]
    assert tally == {"file of no known task: hrben.jsonl": 1, "no box where one is due": 1}
    assert found["caption"].said[0].text == "A harbor." and found["scene"].said[0].answer == "harbor"
    assert (found["question"].said[0].text, found["question"].said[0].answer) == ("How many?", "2")
    region = found["region"]
    assert region.said[0].things == ("1.0",) and region.said[0].type == "task4"
    corners = region.things[0].corners_px
    assert corners is not None and np.allclose(corners, fitrs_corners((12.5, 30.1, 4.2, 1.1, 57)))
    assert len(found["dialog"].said[0].things) == 2
    assert (region.family, region.size_wh, region.split) == ("star:12", (512, 512), "test")
    assert region.image == tmp_path / "imgv2_split_512_100_vaild" / NAME
    assert [r.said[0].kind for r in read(read_fitrs, tmp_path, task="scene")[0]] == ["scene"]
    with pytest.raises(UsageError, match="split 'train'"):
        read(read_fitrs, tmp_path, split="train")


def test_fitrs_detections_say_when_they_are_not_all(tmp_path: Path) -> None:
    ask = "[detection]Can you locate all the ships in the image?"
    one = "There is 1 ship in the image: <rbox>({<12.50><30.10><4.20><1.10>|<57>})</rbox>"
    answers = (one, NONE, MANY, "There is 1 ship.", "There is 1 ship: {<12.50><30.10>|<57>}")
    extra = [
        {"id": f"d{i}", "source": "DOTA", "image": "P0224__512__0___0.png", "question": ask, "answer": a}
        for i, a in enumerate(answers)
    ]
    lines(tmp_path / "object_detection.jsonl", *extra)
    (record,), tally = read(read_fitrs, tmp_path)
    assert [(said.type, len(said.things)) for said in record.said] == [
        *(("detection", 1), ("detection, none", 0), ("detection, incomplete", 2)),
    ]
    assert record.said[0].text == "Can you locate all the ships in the image?"
    assert (record.family, record.split, record.is_exhaustive) == ("dota:P0224", "train", False)
    assert tally == {"no box where one is due": 1, "braces round something that is no box": 1}


def test_fitrs_circular_questions_keep_their_id(tmp_path: Path) -> None:
    ask = {"question_id": 9, "image": NAME, "category": "exist", "text": "Which? A. x B. y", "ground_truth": "A"}
    lines(tmp_path / "FIT-RSRC_Questions_2k.jsonl", ask, ask | {"ground_truth": "B"}, ask | {"question_id": 10})
    (record,), tally = read(read_fitrs, tmp_path, split="test")
    assert [(said.id, said.answer) for said in record.said] == [("9", "A"), ("9#2", "B"), ("10", "A")]
    assert {said.type for said in record.said} == {"exist"} and tally == {}


def test_fitrs_damage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no \.jsonl file; expected FIT-RS"):
        read(read_fitrs, tmp_path)
    lines(tmp_path / "test_FITRS_vqa_eval.jsonl", fit("", 1), fit("x", None), fit("x", 1, image=None))
    records, tally = read(read_fitrs, tmp_path)
    assert records == [] and tally == {
        "record without a question": 1,
        "record without a ground truth": 1,
        "record without an image": 1,
    }
    write(tmp_path / "test_FITRS_vqa_eval.jsonl", "{}\nnot json")
    with pytest.raises(UsageError, match=r"test_FITRS_vqa_eval\.jsonl' is damaged at line 2"):
        read(read_fitrs, tmp_path)
