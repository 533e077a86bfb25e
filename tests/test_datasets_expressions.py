"""Readers of referring expressions: DIOR-RSVG, RSVG, VRSBench. Fixtures are written by each test."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from surveyor.core.errors import UsageError
from surveyor.evals.datasets.dior_rsvg import read_dior_rsvg
from surveyor.evals.datasets.record import Record
from surveyor.evals.datasets.rsvg import read_rsvg
from surveyor.evals.datasets.vrsbench import read_vrsbench, read_vrsbench_eval, scored_type


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read(reader: Callable[..., Iterator[Record]], root: Path, **options: Any) -> tuple[list[Record], Counter[str]]:
    tally: Counter[str] = Counter()
    return list(reader(root, tally=tally, **options)), tally


def texts(records: list[Record], kind: str = "refer") -> list[str]:
    return [said.text for record in records for said in record.said if said.kind == kind]


# ---- DIOR-RSVG --------------------------------------------------------------------------------------------------


def entry(text: str, box: str = "", name: str = "golffield") -> str:
    box = box or "<xmin>12</xmin><ymin>40</ymin><xmax>31</xmax><ymax>66</ymax>"
    return (
        f"<object><name>{name}</name><pose>Unspecified</pose><bndbox>{box}</bndbox>"
        f"<description>{text}</description></object>"
    )


def annotation(root: Path, number: str, *objects: str) -> None:
    head = f"<filename>{number}.jpg</filename><size><width>800</width><height>801</height><depth>3</depth></size>"
    write(root / f"Annotations/{number}.xml", f"<annotation>\n{head}\n{''.join(objects)}\n</annotation>")


def rsvg_tree(root: Path, train: str = "0 2 5", val: str = "3", test: str = "1 4") -> Path:
    """Objects 0-1 on image 00001, 2 on 00002, 3 on 00005, 4-5 on 00010; written in another order."""
    annotation(root, "00010", entry("Four"), entry("five"))
    annotation(root, "00002", entry("two"))
    annotation(root, "00005", entry("three"))
    annotation(root, "00001", entry("Zero"), entry("one"))
    for name, numbers in (("train", train), ("val", val), ("test", test)):
        write(root / f"{name}.txt", "\n".join(numbers.split()) + "\n")
    return root


@pytest.mark.parametrize("backwards", [False, True])
def test_split_files_count_objects_over_sorted_files(
    tmp_path: Path, backwards: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda top: ((p, d, sorted(f, reverse=backwards)) for p, d, f in walk(top)))
    rsvg_tree(tmp_path)
    found = {name: texts(read(read_dior_rsvg, tmp_path, split=name)[0]) for name in ("train", "val", "test")}
    assert found == {"train": ["zero", "two", "five"], "val": ["three"], "test": ["one", "four"]}


def test_official_split_leaks_images_and_the_image_protocol_does_not(tmp_path: Path) -> None:
    rsvg_tree(tmp_path)
    records, tally = read(read_dior_rsvg, tmp_path)
    assert [record.id for record in records] == [
        *("train/00001", "test/00001", "train/00002", "val/00005", "train/00010", "test/00010"),
    ]
    of_split = {name: {r.family for r in records if r.split == name} for name in ("train", "val", "test")}
    assert of_split["train"] & of_split["test"] == {"dior:00001", "dior:00010"} and tally == {}
    disjoint, tally = read(read_dior_rsvg, tmp_path, protocol="images")
    families = {name: {r.family for r in disjoint if r.split == name} for name in ("train", "val", "test")}
    assert not any(families[a] & families[b] for a, b in itertools.combinations(families, 2))
    assert families["train"] == of_split["train"] and families["test"] == set()
    assert tally == {"image of an earlier split": 2}


def test_expressions_of_the_image_protocol(tmp_path: Path) -> None:
    rsvg_tree(tmp_path, train="2", val="0 3", test="1 4 5")
    assert texts(read(read_dior_rsvg, tmp_path, protocol="images", split="test")[0]) == ["four", "five"]
    assert texts(read(read_dior_rsvg, tmp_path, protocol="images", split="val")[0]) == ["zero", "three"]


def test_annotations_by_tag_or_by_position(tmp_path: Path) -> None:
    odd = (
        "<object><label>Train-Station</label><pose/><box><a>1</a><b>2</b><c>3</c><d>4</d></box>"
        "<text>  A  STATION\n on the left </text></object>"
    )
    moved = (
        "<object><description>Last</description><bndbox><ymax>9</ymax><xmax>8</xmax><ymin>2</ymin><xmin>1</xmin>"
        "</bndbox><name>ship</name></object>"
    )
    annotation(tmp_path, "00001", odd, moved)
    for name, number in (("train", "0\n1"), ("val", ""), ("test", "")):
        write(tmp_path / f"{name}.txt", number)
    write(tmp_path / "JPEGImages/00001.jpg")
    (record,), _ = read(read_dior_rsvg, tmp_path)
    first, second = record.things
    assert (first.label, first.box_px.tolist()) == ("train station", [1, 2, 3, 4])
    assert (second.label, second.box_px.tolist()) == ("ship", [1, 2, 8, 9])
    assert texts([record]) == ["a station on the left", "last"]
    assert record.said[0].things == (first.id,) and record.size_wh == (800, 801)
    assert record.image == tmp_path / "JPEGImages/00001.jpg"
    assert (record.is_exhaustive, record.classes) == (False, ())


def test_repeated_expressions_are_marked_whatever_their_split(tmp_path: Path) -> None:
    annotation(tmp_path, "00001", entry("A vehicle"), entry("a  vehicle"), entry("the bridge"))
    for name, number in (("train", "0"), ("val", "2"), ("test", "1")):
        write(tmp_path / f"{name}.txt", number)
    (record,), _ = read(read_dior_rsvg, tmp_path, split="test")
    assert record.things[0].attributes == {"same_expression": "2"}
    records, tally = read(read_dior_rsvg, tmp_path, repeated="drop")
    assert texts(records) == ["the bridge"] and tally == {"expression of several objects": 2}


def test_split_files_that_overlap(tmp_path: Path) -> None:
    rsvg_tree(tmp_path, train="0 1 2 5", test="1 4")
    with pytest.raises(UsageError, match=r"test\.txt' line 1: object 1 is in train\.txt, too.*test-first"):
        read(read_dior_rsvg, tmp_path)
    records, _ = read(read_dior_rsvg, tmp_path, overlaps="test-first")
    assert texts([r for r in records if r.split == "train"]) == ["zero", "two", "five"]
    assert texts([r for r in records if r.split == "test"]) == ["one", "four"]


def test_a_missing_annotation_is_found_before_counters_shift(tmp_path: Path) -> None:
    rsvg_tree(tmp_path)
    (tmp_path / "Annotations/00002.xml").unlink()
    with pytest.raises(UsageError, match=r"count objects up to 5, but Annotations/ holds 5 objects"):
        next(read_dior_rsvg(tmp_path))
    annotation(tmp_path, "00002", entry("two"), entry("more"))
    with pytest.raises(UsageError, match="holds 7 objects"):
        next(read_dior_rsvg(tmp_path))
    write(tmp_path / "train.txt", "0")  # a part of the objects: more may be there
    assert texts(read(read_dior_rsvg, tmp_path, split="train")[0]) == ["zero"]


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        pytest.param("val.txt", None, r"lacks 'val\.txt'", id="no list"),
        pytest.param("val.txt", "00005.jpg", r"val\.txt' is damaged at line 1: '00005\.jpg'", id="names for counters"),
        pytest.param("Annotations/00005.xml", "<object></", r"00005\.xml' is damaged at line 1", id="not XML"),
        pytest.param("Annotations/00005.xml", "<a><object/></a>", r"00005\.xml' is damaged at object 0", id="empty"),
        pytest.param("Annotations/00005.xml", "<a><b><object/></b></a>", "1 times <object>", id="deeper object"),
        pytest.param("Annotations/00005.xml", f"<a>{entry('')}</a>", "no name, box or description", id="no words"),
        pytest.param(
            "Annotations/00005.xml", f"<a>{entry('x', '<xmin>1</xmin>')}</a>", r"a box of \['1'\]", id="no box"
        ),
    ],
)
def test_dior_rsvg_damage(tmp_path: Path, name: str, text: str | None, place: str) -> None:
    rsvg_tree(tmp_path)
    (tmp_path / name).unlink()
    if text is not None:
        write(tmp_path / name, text)
    with pytest.raises(UsageError, match=place):
        read(read_dior_rsvg, tmp_path)


def test_dior_rsvg_options_are_checked(tmp_path: Path) -> None:
    rsvg_tree(tmp_path)
    for options in ({"split": "dev"}, {"protocol": "random"}, {"repeated": "no"}, {"overlaps": "allow"}):
        with pytest.raises(UsageError, match=r"expected one of|has no split"):
            read(read_dior_rsvg, tmp_path, **options)


# ---- RSVG -------------------------------------------------------------------------------------------------------


def pth(path: Path, rows: Any) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rsvg/data.pkl", pickle.dumps(rows, protocol=2))


def test_rsvg_tuples(tmp_path: Path) -> None:
    write(tmp_path / "images/b.png")
    rows = [
        ("b.jpg", [1, 2, 5, 6], "  the  tower ", ("extra",)),
        ("a.jpg", np.array([0, 0, 1, 1], dtype=np.float32), "a ship", 3),
        ("b.jpg", (7.5, 8, 9, 9), "the court"),
        ("a.jpg", (3, 3, 3, 9), "no width"),
    ]
    pth(tmp_path / "rsvg_test.pth", rows)
    (b, a), tally = read(read_rsvg, tmp_path)
    assert (b.id, a.id, b.split, b.family) == ("test/b", "test/a", "test", "rsvg:b")
    assert [thing.box_px.tolist() for thing in b.things] == [[1, 2, 5, 6], [7.5, 8, 9, 9]]
    assert texts([b, a]) == ["the tower", "the court", "a ship"] and tally == {"box without area": 1}
    assert b.image == tmp_path / "images/b.png" and a.image == tmp_path / "images/a.jpg"
    assert b.said[1].things == (b.things[1].id,) and not b.is_exhaustive


def test_rsvg_order_of_the_box_is_told_from_all_splits(tmp_path: Path) -> None:
    write(tmp_path / "rsvg_test.json", json.dumps([["a.jpg", [10, 20, 30, 40], "a"]]))
    assert read(read_rsvg, tmp_path)[0][0].things[0].box_px.tolist() == [10, 20, 30, 40]
    pth(tmp_path / "rsvg_train.pth", [("b.jpg", [100, 20, 30, 40], "b")])  # x1 < x0: 30 is a width
    assert read(read_rsvg, tmp_path, split="test")[0][0].things[0].box_px.tolist() == [10, 20, 40, 60]
    (train, test), _ = read(read_rsvg, tmp_path)
    assert train.things[0].box_px.tolist() == [100, 20, 130, 60] and (train.split, test.split) == ("train", "test")
    forced, tally = read(read_rsvg, tmp_path, order="xyxy", split="train")
    assert forced[0].things == () and tally == {"box without area": 1}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("{}", "outermost value", id="an object"),
        pytest.param('[["a.jpg", [1, 2, 3, 4], "x"], ["a.jpg", [1, 2, 3], "x"]]', "entry 1", id="three numbers"),
        pytest.param('[["a.jpg", [1, 2, 3, 4]]]', "entry 0", id="no sentence"),
        pytest.param('["a.jpg"]', "entry 0", id="text for a tuple"),
        pytest.param('[[1, [1, 2, 3, 4], "x"]]', "entry 0", id="no image"),
    ],
)
def test_rsvg_damage(tmp_path: Path, text: str, place: str) -> None:
    write(tmp_path / "rsvg_val.json", text)
    with pytest.raises(UsageError, match=rf"rsvg_val\.json'.*{place}"):
        read(read_rsvg, tmp_path)
    with pytest.raises(UsageError, match=r"lacks 'rsvg_test\.pth' \(or 'rsvg_test\.json'\)"):
        read(read_rsvg, tmp_path, split="test")


# ---- VRSBench ---------------------------------------------------------------------------------------------------

SHIP = {
    "obj_id": 0,
    "obj_cls": "Small-Vehicle",
    "obj_corner": [0.38, 0.20, 0.45, 0.20, 0.45, 0.26, 0.38, 0.26],
    "obj_coord": [0.38, 0.2, 0.45, 0.26],
    "is_unique": True,
    "obj_position": "top-middle",
    "obj_rel_size": "",
    "referring_sentence": "The small vehicle ...",
}
PAIR = {"ques_id": 1, "question": "How many ...?", "type": "object quantity", "answer": "1"}


def vrs(root: Path, name: str = "P1419_0005", split: str = "val", **changes: Any) -> Path:
    content = {"image": f"{name}.png", "caption": "The image ...", "objects": [SHIP], "qa_pairs": [PAIR]} | changes
    return write(root / f"Annotations_{split}/{name}.json", json.dumps(content))


def test_vrsbench_annotation(tmp_path: Path) -> None:
    vrs(tmp_path)
    write(tmp_path / "Images_val/P1419_0005.png")
    (record,), tally = read(read_vrsbench, tmp_path)
    (thing,) = record.things
    assert thing.label == "small vehicle" and thing.attributes == {"is_unique": "True", "obj_position": "top-middle"}
    assert np.allclose(thing.box_px, [0.38 * 512, 0.2 * 512, 0.45 * 512, 0.26 * 512])
    assert [(said.kind, said.text, said.answer, said.type) for said in record.said] == [
        ("caption", "The image ...", None, ""),
        ("refer", "The small vehicle ...", None, ""),
        ("question", "How many ...?", "1", "object quantity"),
    ]
    assert (record.id, record.family, record.size_wh) == ("val/P1419_0005", "dota:P1419", (512, 512))
    assert record.image == tmp_path / "Images_val/P1419_0005.png" and not record.is_exhaustive and tally == {}


def test_vrsbench_corners_not_the_rounded_box(tmp_path: Path) -> None:
    """`obj_coord` is rounded to 5 px, corners are not clipped."""
    objects = [
        SHIP | {"obj_corner": [-0.02, 0.5, 0.103, 0.4, 0.21, 0.53, 0.09, 0.63], "obj_coord": [0, 0.4, 0.2, 0.6]},
        SHIP | {"obj_id": 1, "obj_corner": [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]},
        SHIP | {"obj_id": 2, "obj_corner": [190, 100, 230, 100, 230, 130, 190, 130]},
        SHIP | {"obj_id": 3, "obj_corner": None},
        SHIP | {"obj_id": 0},
    ]
    vrs(tmp_path, objects=objects, qa_pairs=[PAIR | {"answer": ""}], caption=None)
    (record,), tally = read(read_vrsbench, tmp_path)
    first, again = record.things
    assert first.box_px.tolist() == pytest.approx([-0.02 * 512, 0.4 * 512, 0.21 * 512, 0.63 * 512])
    assert first.corners_px is not None and first.polygon_px is not None
    assert (first.id, again.id) == ("0", "0#2")  # an id given twice
    assert [said.kind for said in record.said] == ["refer", "refer"]
    assert tally == {
        "box without area": 1,
        "corners that are no fractions of the patch": 1,
        "object without four corners": 1,
        "question without text or answer": 1,
    }


def test_vrsbench_patches_of_dior_have_upright_boxes(tmp_path: Path) -> None:
    turned = SHIP | {"obj_id": 1, "obj_corner": [0.5, 0.4, 0.6, 0.5, 0.5, 0.6, 0.4, 0.5], "obj_cls": "golffield"}
    vrs(tmp_path, "00914_0003", "train", objects=[SHIP, turned])
    vrs(tmp_path, "P1_0001", "val")
    (dior, dota), _ = read(read_vrsbench, tmp_path)
    assert dior.family == "dior:00914" and dior.split == "train"
    assert dior.things[0].corners_px is None and dior.things[0].polygon_px is None  # upright: no oriented box
    assert dior.things[1].corners_px is not None and dior.things[1].label == "golf field"  # DIOR-R's release
    assert dota.things[0].corners_px is not None


def test_vrsbench_files_that_are_not_strict_json(tmp_path: Path) -> None:
    text = """{
      // checked by hand
      'image': "P1419_0005.png", caption: 'The "harbor", it\\'s busy',
      "objects": [], "qa_pairs": [{"question": "Is it so?", "answer": 'Yes', type: "reasoning",},],
    }"""
    path = write(tmp_path / "Annotations_val/P1419_0005.json", text)
    (record,), _ = read(read_vrsbench, tmp_path)
    assert [said.text for said in record.said] == ['The "harbor", it\'s busy', "Is it so?"]
    path.write_text('{\n"image": }')
    with pytest.raises(UsageError, match=r"P1419_0005\.json' is damaged at line 2"):
        read(read_vrsbench, tmp_path)
    path.write_text('{"image": "x", "objects": {"a": 1}}')
    with pytest.raises(UsageError, match="'objects' is"):
        read(read_vrsbench, tmp_path)
    with pytest.raises(UsageError, match="lacks 'Annotations_train'"):
        read(read_vrsbench, tmp_path, split="train")
    with pytest.raises(UsageError, match="lacks 'Annotations_val'"):
        read(read_vrsbench, tmp_path / "Annotations_val")


EVAL = {
    "image_id": "P0003_0002.png",
    "question": "The small vehicle ...",
    "ground_truth": "{<38><20><45><26>}",
    "dataset": "RSBench",
    "question_id": 0,
    "type": "ref",
    "unique": True,
    "obj_corner": [0.389, 0.204, 0.459, 0.204, 0.459, 0.269, 0.389, 0.269],
    "obj_cls": "small-vehicle",
    "obj_ids": [0],
    "size_group": "",
}


def test_vrsbench_eval_files_meet_in_one_record(tmp_path: Path) -> None:
    question = {"image_id": "P0003_0002.png", "question": "Rural?", "ground_truth": "urban", "question_id": 0}
    caption = {"image_id": "00914_0003.png", "question": "Describe", "ground_truth": "A field.", "question_id": 4}
    write(tmp_path / "VRSBench_EVAL_referring.json", json.dumps([EVAL, EVAL]))
    write(tmp_path / "VRSBench_EVAL_vqa.json", json.dumps([question | {"type": "rural or urban"}]))
    write(tmp_path / "VRSBench_EVAL_Cap.json", json.dumps([caption]))
    (first, second), tally = read(read_vrsbench_eval, tmp_path)
    assert [(said.id, said.kind) for said in first.said] == [
        *(("refer-0", "refer"), ("refer-0#2", "refer"), ("question-0", "question")),
    ]
    assert first.said[2].answer == "urban" and first.said[2].type == "rural or urban"
    assert [(said.kind, said.text) for said in second.said] == [("caption", "A field.")]
    assert (first.family, second.family, first.split) == ("dota:P0003", "dior:00914", "val") and tally == {}
    assert first.image == tmp_path / "Images_val/P0003_0002.png"


def test_vrsbench_eval_boxes_are_corners_with_the_truncated_string_beside(tmp_path: Path) -> None:
    """{<38>...} is truncated: up to 5 px off; negative fractions are cut towards zero, "-2" occurs."""
    bare = {key: value for key, value in EVAL.items() if key != "obj_corner"}
    items = [
        EVAL,
        bare | {"ground_truth": "{<-2><0><45><26>}"},
        bare | {"ground_truth": "{<38><20><38><26>}"},
        bare | {"ground_truth": "[38, 20]"},
        bare | {"ground_truth": "{<38><20>}"},
    ]
    write(tmp_path / "VRSBench_EVAL_referring.json", json.dumps([i | {"question_id": k} for k, i in enumerate(items)]))
    (record,), tally = read(read_vrsbench_eval, tmp_path)
    first, second = record.things
    assert first.box_px.tolist() == pytest.approx([0.389 * 512, 0.204 * 512, 0.459 * 512, 0.269 * 512])
    assert first.attributes == {"ground_truth": "{<38><20><45><26>}", "unique": "True"}  # an empty size_group is none
    assert second.box_px.tolist() == pytest.approx([-2 * 5.12, 0, 45 * 5.12, 26 * 5.12])
    assert second.corners_px is None
    assert tally == {
        "box without area": 1,
        "ground truth that is not one upright box": 1,
        "braces round something that is no box": 1,
    }


def test_vrsbench_eval_damage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"lacks 'VRSBench_EVAL_referring\.json' \(or 'VRSBench_EVAL_vqa\.json'"):
        read(read_vrsbench_eval, tmp_path)
    write(tmp_path / "VRSBench_EVAL_referring.json", json.dumps([EVAL, EVAL | {"question": None}]))
    with pytest.raises(UsageError, match=r"referring\.json' is damaged at item 1: no 'question'"):
        read(read_vrsbench_eval, tmp_path)


def test_types_of_questions_as_they_are_scored() -> None:
    assert {scored_type(name) for name in ("image", "Rural or Urban", "scene type ")} == {"scene type"}
    assert scored_type("object position") == "object position"
