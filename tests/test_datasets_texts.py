"""Readers of texts: RSVQA, captions, scene classes, ThinkGeo. Each trap on files the test writes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from surveyor.core.errors import UsageError
from surveyor.evals.datasets import captions, rsvqa, scenes, thinkgeo
from surveyor.evals.datasets.record import Reader

RSVQA = {reader.name: reader for reader in rsvqa.READERS}
CAPTIONS = {reader.name: reader for reader in captions.READERS}
SCENES = {reader.name: reader for reader in scenes.READERS}


def dump(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def touch(*paths: Path) -> None:
    """Files in place of images: these readers do not open them."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


# ---- RSVQA -------------------------------------------------------------------------------------------------------


def question(number: int, image: int, kind: str, text: str, answers: list[int]) -> dict[str, Any]:
    return {"id": number, "img_id": image, "type": kind, "question": text, "answers_ids": answers, "active": True}


QUESTIONS = [
    question(0, 5, "presence", "Is a  road present?", [0]),
    question(1, 5, "count", "How many buildings?", [1]),
    question(2, 3, "rural_urban", "Rural or urban?", [2, 3]),
    question(3, 3, "comp", "More roads than water areas?", [4]),
    question(4, 9, "area", "Which area is covered by water?", [5]),
]
ANSWERS = [
    {"id": 0, "question_id": 0, "answer": "yes", "active": True},
    {"id": 1, "question_id": 1, "answer": "57", "active": True},
    {"id": 2, "question_id": 2, "answer": "urban", "active": False},
    {"id": 3, "question_id": 2, "answer": "rural", "active": True},
    {"id": 4, "quesiton_id": 3, "answer": "no", "active": True},
    {"id": 5, "question_id": 4, "answer": "12m2", "active": True},
]


def split_rows(rows: list[dict], members: set[int], full: bool = False) -> list[dict]:
    """Full-length list; what does not belong is a stub, and what does is one, too, unless `full`."""
    return [row if full and row["id"] in members else {"id": row["id"], "active": row["id"] in members} for row in rows]


def rsvqa_lr(root: Path, master: bool = True, full: bool = False, parts: dict[str, set[int]] | None = None) -> Path:
    if master:
        # not in the order of their ids, so that an id is no place in the list
        dump(root / "all_questions.json", {"questions": QUESTIONS[::-1]})
        dump(root / "all_answers.json", {"answers": ANSWERS[::-1]})
    for part, members in (parts or {"train": {0, 1}, "test": {2, 3}}).items():
        dump(root / f"LR_split_{part}_questions.json", {"questions": split_rows(QUESTIONS, members, full)})
        answers = {number for row in QUESTIONS if row["id"] in members for number in row["answers_ids"]}
        dump(root / f"LR_split_{part}_answers.json", {"answers": split_rows(ANSWERS, answers, full)})
    touch(*(root / f"Images_LR/{number}.tif" for number in (3, 5, 9)))
    return root


def test_rsvqa_texts_come_from_the_master_list_and_membership_from_the_split(tmp_path: Path) -> None:
    train, test = RSVQA["rsvqa-lr"].read(rsvqa_lr(tmp_path))
    assert (train.id, train.family, train.gsd_m) == ("train/5", "rsvqa-lr:5", 10)
    assert [(s.id, s.text, s.answer, s.type) for s in train.said] == [
        ("0", "Is a road present?", "yes", "presence"),
        ("1", "How many buildings?", "57", "count"),
    ]
    assert [(s.text, s.answer) for s in test.said] == [
        ("Rural or urban?", "rural"),  # its first answer is not active
        ("More roads than water areas?", "no"),  # spelt quesiton_id
    ]
    assert [r.id for r in RSVQA["rsvqa-lr"].read(tmp_path, split="test")] == ["test/3"]


def test_rsvqa_without_master_lists_the_split_may_tell(tmp_path: Path) -> None:
    reader = RSVQA["rsvqa-lr"]
    told = [(r.id, [s.answer for s in r.said]) for r in reader.read(rsvqa_lr(tmp_path / "a", master=False, full=True))]
    assert told == [("train/5", ["yes", "57"]), ("test/3", ["rural", "no"])]
    with pytest.raises(UsageError, match=r"LR_split_train_questions\.json.*all_questions\.json"):
        list(reader.read(rsvqa_lr(tmp_path / "b", master=False)))


def test_rsvqa_question_without_answer_is_counted(tmp_path: Path) -> None:
    root = rsvqa_lr(tmp_path)
    dump(root / "all_answers.json", {"answers": [row for row in ANSWERS if row["id"] != 1]})
    tally: Counter[str] = Counter()
    (record,) = RSVQA["rsvqa-lr"].read(root, split="train", tally=tally)
    assert [s.answer for s in record.said] == ["yes"]
    assert tally == {"question without answer": 1}


def test_rsvqa_hr_has_two_test_sets(tmp_path: Path) -> None:
    dump(tmp_path / "USGSquestions.json", {"questions": QUESTIONS})
    dump(tmp_path / "USGSanswers.json", {"answers": ANSWERS})
    for part, members in (("test", {0, 1}), ("test_phili", {4})):
        dump(tmp_path / f"USGS_split_{part}_questions.json", {"questions": split_rows(QUESTIONS, members)})
    touch(tmp_path / "Data/5.tif", tmp_path / "Data/9.tif")
    read = RSVQA["rsvqa-hr"].read
    assert [r.id for r in read(tmp_path, split="test")] == ["test/5"]
    assert [r.id for r in read(tmp_path, split="test_phili")] == ["test_phili/9"]
    assert [r.split for r in read(tmp_path)] == ["test", "test_phili"]
    answers = [s.answer for r in read(tmp_path, ranges="yes") for s in r.said]
    assert answers == ["yes", "57", "between 10m2 and 100m2"]  # high resolution scores counts as they are


def test_rsvqa_lr_ranges(tmp_path: Path) -> None:
    (record,) = RSVQA["rsvqa-lr"].read(rsvqa_lr(tmp_path), split="train", ranges="yes")
    assert [s.answer for s in record.said] == ["yes", "between 10 and 100"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0"),
        (1, "between 0 and 10"),
        (10, "between 0 and 10"),
        (11, "between 10 and 100"),
        (100, "between 10 and 100"),
        (101, "between 100 and 1000"),
        (1000, "between 100 and 1000"),
        (1001, "more than 1000"),
    ],
)
def test_rsvqa_edges_of_the_ranges(number: int, words: str) -> None:
    assert rsvqa.answer_range(str(number)) == words
    with_unit = {"0": "0m2", "more than 1000": "more than 1000m2"}.get(words)
    low, _, high = words.removeprefix("between ").partition(" and ")
    assert rsvqa.answer_range(f"{number}m2") == (with_unit or f"between {low}m2 and {high}m2")


@given(st.text(max_size=12))
def test_rsvqa_ranges_take_any_answer(answer: str) -> None:
    once = rsvqa.answer_range(answer)
    assert once == answer or answer.removesuffix("m2").strip().isdecimal()
    assert rsvqa.answer_range(once) == once


def test_rsvqa_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    read = RSVQA["rsvqa-lr"].read
    root = rsvqa_lr(tmp_path)
    with pytest.raises(UsageError, match=r"LR_split_val_questions\.json"):
        list(read(root, split="val"))
    with pytest.raises(UsageError, match="no split 'test_phili'"):
        list(read(root, split="test_phili"))
    (root / "Images_LR/5.tif").unlink()
    with pytest.raises(UsageError, match=r"Images_LR/5.*missing"):
        list(read(root))
    dump(root / "all_questions.json", {"questions": QUESTIONS[1:]})
    with pytest.raises(UsageError, match=r"LR_split_train_questions\.json.*id 0"):
        list(read(root))
    (root / "all_questions.json").write_text('{"questions": [')
    with pytest.raises(UsageError, match=r"all_questions\.json.*line 1"):
        list(read(root))
    dump(root / "all_questions.json", {"questions": [{"active": True}]})
    with pytest.raises(UsageError, match=r"all_questions\.json.*questions\[0\].*'id'"):
        list(read(root))


# ---- captions ----------------------------------------------------------------------------------------------------


def karpathy(root: Path, file: str = "dataset.json", folder: str = "imgs", **changes: Any) -> Path:
    sentences = [{"tokens": ["a", "plane"], "raw": "A plane .", "imgid": 0, "sentid": i} for i in range(4)]
    sentences.append({"tokens": ["two", "planes"], "imgid": 0, "sentid": 4})
    images = [
        {"filename": "101.tif", "split": "test", "imgid": 1, "sentids": [5], "sentences": sentences} | changes,
        {"filename": "1.tif", "split": "train", "imgid": 0, "sentids": [0], "sentences": sentences},
    ]
    dump(root / file, {"images": images, "dataset": "UCM_captions"})
    touch(root / folder / "1.tif", root / folder / "101.tif")
    return root


@pytest.mark.parametrize(("file", "folder"), [("dataset.json", "imgs"), ("dataset_rsicd.json", "RSICD_images")])
def test_captions_keep_all_five_sentences(tmp_path: Path, file: str, folder: str) -> None:
    records = list(CAPTIONS["rsicd"].read(karpathy(tmp_path, file, folder)))
    assert [(r.id, r.split, r.family) for r in records] == [
        ("101.tif", "test", "rsicd:101"),
        ("1.tif", "train", "rsicd:1"),
    ]
    assert [s.text for s in records[0].said] == ["A plane ."] * 4 + ["two planes"]


def test_captions_repeated_ones_can_be_dropped(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()
    (record,) = CAPTIONS["rsicd"].read(karpathy(tmp_path), split="test", repeated="drop", tally=tally)
    assert [s.text for s in record.said] == ["A plane .", "two planes"]
    assert tally == {"repeated sentence": 3}


def test_ucm_captions_and_ucmerced_share_families(tmp_path: Path) -> None:
    (record,) = CAPTIONS["ucm-captions"].read(karpathy(tmp_path / "captions"), split="test")
    touch(tmp_path / "scenes/airplane/airplane00.tif")
    (scene,) = SCENES["ucmerced"].read(tmp_path / "scenes")
    assert record.family == scene.family == "ucmerced:100"  # the 101st of 2,100: first of the second class


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filename": "7.tif"}, r"images\[0\].*7\.tif.*missing"),
        ({"split": "restval"}, r"images\[0\].*'restval'"),
        ({"sentences": "x"}, r"images\[0\].*sentences"),
        ({"sentences": [{"sentid": 1}]}, r"sentence 0.*raw"),
        ({"filename": None}, r"images\[0\].*filename"),
    ],
)
def test_captions_damage_is_named(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=rf"dataset\.json.*{message}"):
        list(CAPTIONS["rsicd"].read(karpathy(tmp_path, **changes)))


def test_captions_empty_sentences_are_counted(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()
    records = CAPTIONS["rsicd"].read(karpathy(tmp_path, sentences=[{"raw": "  ", "tokens": []}]), tally=tally)
    assert [record.id for record in records] == ["1.tif"]
    assert tally == {"empty sentence": 1, "image without sentences": 1}


def test_captions_two_lists_or_none(tmp_path: Path) -> None:
    karpathy(tmp_path, "dataset_a.json")
    karpathy(tmp_path, "dataset_b.json")
    with pytest.raises(UsageError, match=r"dataset_a\.json, dataset_b\.json"):
        list(CAPTIONS["rsicd"].read(tmp_path))
    with pytest.raises(UsageError, match=r"lacks 'dataset\.json'"):
        list(CAPTIONS["rsicd"].read(tmp_path / "imgs"))


# ---- scene classes -----------------------------------------------------------------------------------------------


def test_aid_camel_case_is_words(tmp_path: Path) -> None:
    touch(tmp_path / "AID/BareLand/bareland_1.jpg", tmp_path / "AID/Airport/airport_10.jpg")
    records = list(SCENES["aid"].read(tmp_path))
    assert [(r.id, r.said[0].answer, r.family) for r in records] == [
        ("Airport/airport_10", "airport", "aid:airport_10"),
        ("BareLand/bareland_1", "bare land", "aid:bareland_1"),
    ]
    assert {r.said[0].kind for r in records} == {"scene"}
    assert scenes.scene_classes(tmp_path, scenes.AID) == ["airport", "bare land"]
    assert [r.id for r in SCENES["aid"].read(tmp_path / "AID")] == [r.id for r in records]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("BareLand", "bare_land", True),
        ("BareLand", " bare land.", True),
        ("baseballdiamond", "baseball diamond", True),
        ("airplane", "Airport", False),
        ("plane", "airplane", False),
    ],
)
def test_scene_names_compare_without_signs(one: str, other: str, is_same: bool) -> None:
    assert (scenes.scene_key(one) == scenes.scene_key(other)) == is_same


def test_resisc45_lists(tmp_path: Path) -> None:
    for name in ("airplane/airplane_001.jpg", "airplane/airplane_002.jpg", "sea_ice/sea_ice_001.jpg"):
        touch(tmp_path / "NWPU-RESISC45" / name)
    (tmp_path / "resisc45-train.txt").write_text("airplane_001.jpg\n")
    (tmp_path / "resisc45-test.txt").write_text("sea_ice_001.jpg\n")
    tally: Counter[str] = Counter()
    records = list(SCENES["resisc45"].read(tmp_path, tally=tally))
    assert [(r.id, r.split) for r in records] == [("airplane/airplane_001", "train"), ("sea_ice/sea_ice_001", "test")]
    assert tally == {"image in no list": 1}
    assert [r.said[0].answer for r in SCENES["resisc45"].read(tmp_path, split="test")] == ["sea ice"]
    with pytest.raises(UsageError, match=r"no split 'val'.*test, train.*resisc45-val\.txt"):
        list(SCENES["resisc45"].read(tmp_path, split="val"))
    (tmp_path / "resisc45-val.txt").write_text("airplane_001.jpg\n")
    with pytest.raises(UsageError, match=r"resisc45-val\.txt.*line 1.*airplane_001\.jpg"):
        list(SCENES["resisc45"].read(tmp_path))
    (tmp_path / "resisc45-val.txt").write_text("airplane_700.jpg\n")
    with pytest.raises(UsageError, match=r"resisc45-val\.txt.*airplane_700\.jpg"):
        list(SCENES["resisc45"].read(tmp_path))


def test_ucmerced_layout(tmp_path: Path) -> None:
    touch(
        tmp_path / "UCMerced_LandUse/Images/tenniscourt/tenniscourt99.tif",
        tmp_path / "UCMerced_LandUse/Images/agricultural/agricultural00.tif",
    )
    assert [(r.family, r.said[0].answer) for r in SCENES["ucmerced"].read(tmp_path)] == [
        ("ucmerced:0", "agricultural"),
        ("ucmerced:2099", "tenniscourt"),
    ]


def test_scenes_without_folders(tmp_path: Path) -> None:
    touch(tmp_path / "airport_1.jpg")
    with pytest.raises(UsageError, match="no folders of classes"):
        list(SCENES["aid"].read(tmp_path))
    (tmp_path / "Airport").mkdir()
    with pytest.raises(UsageError, match="'Airport'"):
        list(SCENES["aid"].read(tmp_path))


# ---- ThinkGeo ----------------------------------------------------------------------------------------------------


def call(tool: str, arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": tool, "arguments": arguments}}


def task(**changes: Any) -> dict[str, Any]:
    return {
        "tools": [{"name": "TextToBbox"}, {"name": "Calculator"}],
        "files": [{"type": "image", "path": "image/P0003.png"}],
        "dialogs": [
            {"role": "user", "content": "How many cars are twice as many? "},
            {
                "role": "assistant",
                "tool_calls": [call("TextToBbox", {"image": "image/P0003.png", "text": "car"})],
                "thought": "look",
            },
            {"role": "tool", "name": "TextToBbox", "content": {"type": "text", "content": "2 boxes"}},
            {"role": "assistant", "tool_calls": [call("Calculator", '{"expression": "2*2"}')]},
            {"role": "tool", "name": "Calculator", "content": "4"},
            {"role": "assistant", "content": "There are 4. "},
        ],
        "gt_answer": {"whitelist": [["4", "four"]], "blacklist": None},
        "evaluation": [{"question": "Is the answer 4?"}],
    } | changes


def bench(root: Path, *tasks: dict[str, Any]) -> Path:
    # the keys are text: "10" would come before "2"
    numbered = {str(10 - index): entry for index, entry in enumerate(tasks)}
    dump(root / "ThinkGeoBench.json", numbered)
    touch(*(root / f"image/{name}.png" for name in ("P0003", "b", "c")))
    return root


def test_thinkgeo_calls_answers_and_checks(tmp_path: Path) -> None:
    (found,) = thinkgeo.read_tasks(bench(tmp_path, task()))
    assert found.calls == (
        thinkgeo.Call(
            "TextToBbox", {"image": "image/P0003.png", "text": "car"}, '{"content": "2 boxes", "type": "text"}'
        ),
        thinkgeo.Call("Calculator", {"expression": "2*2"}, "4"),
    )
    assert (found.whitelist, found.blacklist, found.texts) == ((("4", "four"),), (), ())
    assert (found.request, found.answer) == ("How many cars are twice as many?", "There are 4.")
    assert (found.tools, found.checks, found.scored_by) == (
        ("TextToBbox", "Calculator"),
        ("Is the answer 4?",),
        "words",
    )


def test_thinkgeo_results_of_one_turn_belong_to_its_calls_in_order(tmp_path: Path) -> None:
    dialogs = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "tool_calls": [call("A", {}), call("B", None)]},
        {"role": "tool", "name": "A", "content": "of a"},
        {"role": "tool", "name": "B", "content": "of b"},
    ]
    (found,) = thinkgeo.read_tasks(bench(tmp_path, task(dialogs=dialogs)))
    assert found.calls == (thinkgeo.Call("A", {}, "of a"), thinkgeo.Call("B", {}, "of b"))


@pytest.mark.parametrize(
    ("value", "scored_by"),
    [(None, "picture"), ({}, "picture"), (["about four", "4"], "texts"), ({"whitelist": [["4"]]}, "words")],
)
def test_thinkgeo_every_kind_of_answer(tmp_path: Path, value: Any, scored_by: str) -> None:
    (record,) = thinkgeo.read(bench(tmp_path, task(gt_answer=value)))
    assert (record.said[0].type, record.said[0].answer) == (scored_by, "There are 4.")


def test_thinkgeo_records(tmp_path: Path) -> None:
    two = task(files=[{"type": "image", "path": f"image/{name}.png"} for name in ("b", "c")])
    three = task(files=[{"type": "image", "path": f"image/{name}.png"} for name in ("P0003", "b", "c")])
    tally: Counter[str] = Counter()
    records = list(thinkgeo.read(bench(tmp_path, task(), two, three, task(files=[])), tally=tally))
    assert [(r.id, r.image.name, r.after and r.after.name, r.family) for r in records] == [
        ("9", "b.png", "c.png", "thinkgeo:b"),
        ("10", "P0003.png", None, "dota:P0003"),
    ]
    assert tally == {"task with more than two images": 1, "task without image": 1}
    with pytest.raises(UsageError, match="no split"):
        list(thinkgeo.read(tmp_path, split="test"))


def test_thinkgeo_without_a_last_word(tmp_path: Path) -> None:
    (record,) = thinkgeo.read(bench(tmp_path, task(dialogs=task()["dialogs"][:-1])))
    assert record.said[0].answer is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": [{"type": "image", "path": "image/z.png"}]}, r"z\.png.*missing"),
        ({"files": [{"type": "image"}]}, "path"),
        ({"dialogs": []}, "user"),
        ({"dialogs": [{"role": "user", "content": "x", "tool_calls": [call("A", "{")]}]}, "not JSON"),
        ({"dialogs": [{"role": "user", "content": "x", "tool_calls": [call("A", "[1]")]}]}, "arguments"),
        ({"gt_answer": "4"}, "gt_answer"),
        ({"gt_answer": {"whitelist": ["4"]}}, "whitelist"),
    ],
)
def test_thinkgeo_damage_names_the_task(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=rf"ThinkGeoBench\.json.*task '10'.*{message}"):
        list(thinkgeo.read(bench(tmp_path, task(**changes))))


# ---- all of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reader", [*RSVQA.values(), *CAPTIONS.values(), *SCENES.values(), *thinkgeo.READERS], ids=lambda reader: reader.name
)
def test_no_folder_and_a_file_in_place_of_one(tmp_path: Path, reader: Reader) -> None:
    with pytest.raises(UsageError, match="nowhere' does not exist"):
        list(reader.read(tmp_path / "nowhere"))
    touch(tmp_path / "file")
    with pytest.raises(UsageError, match="is a file"):
        list(reader.read(tmp_path / "file"))
