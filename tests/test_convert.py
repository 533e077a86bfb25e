"""Every dataset as instruction records: how many of each task, what is left out, first records worked out by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from dataset_trees import OPTIONS, TREES, tree_of
from surveyor.core.errors import UsageError
from surveyor.evals.datasets.registry import READERS
from surveyor.finetune.convert.convert import REFUSED, convert, convertible
from surveyor.finetune.convert.making import Options
from surveyor.finetune.records.record import Instruction, check_reads_back

OWN_BOXES = "vqa: question or answer with boxes in the dataset's own writing"
SINCE = "that changed between the first image and the second."
SCENES = "[cls] Which of these does the image show: airport, bare land?"
TWICE = "caption: said twice of one image"

# name -> records of each task, what is left out, and one record: its id, what is asked and the reply.
# Grid numbers are px * 1000 / side, rounded half up: 10 px of 512 are 19.53 -> 20.
EXPECTED: dict[str, tuple[dict[str, int], dict[str, int], tuple[str, str, str]]] = {
    "dota": (
        {"count": 2, "det": 2},
        {},
        (
            "train/P0706/det/ship",
            "[det] Detect every ship.",
            "[(20,20),(59,20),(59,39),(20,39)]\n[(20,195),(59,195),(59,215),(20,215)]",
        ),
    ),
    "dior": (
        {"count": 2, "det": 2},
        {},
        ("00002/det/train station", "[det] Detect every train station.", "[(15,50),(39,50),(39,83),(15,83)]"),
    ),
    "nwpu_vhr10": (
        {"count": 3, "det": 3},
        {},
        ("001/det/vehicle", "[det] Detect every vehicle.", "[(20,39),(59,39),(59,78),(20,78)]"),
    ),
    "coco": (
        {"count": 2, "det": 2, "res": 1},
        {},
        ("001/det/storage tank", "[det] Detect every storage tank.", "[(500,200),(700,200),(700,600),(500,600)]"),
    ),
    "dior_rsvg": (
        {"rec": 6},
        {},
        ("train/00001/rec/0", "[det] Detect every zero.", "[(15,50),(39,50),(39,82),(15,82)]"),
    ),
    "rsvg": ({"rec": 1}, {}, ("test/b/rec/0", "[det] Detect every tower.", "[(2,4),(10,4),(10,12),(2,12)]")),
    "vrsbench": (
        {"caption": 1, "rec": 1, "vqa": 1},
        {},
        (
            "val/P1419_0005/rec/refer-0",
            "[det] Detect every small vehicle.",
            "[(380,200),(450,200),(450,260),(380,260)]",
        ),
    ),
    "vrsbench_eval": (
        {"rec": 1, "vqa": 1},
        {},
        ("eval/P0003_0002/vqa/question-0", "[vqa] Rural?", "urban"),
    ),
    "geochat": (
        {"rec": 1, "region": 1, "scene": 2},
        {"vqa: question without answer": 1},
        (
            "aid/BareLand/BareLand_1.jpg/scene/BareLand/BareLand_1.jpg",
            SCENES.replace("airport, bare land", "bare land, beach"),
            "bare land",
        ),
    ),
    "geochat_instruct": ({"rec": 2, "region": 1, "vqa": 1}, {OWN_BOXES: 2}, ("0/vqa/5", "[vqa] Flooded?", "yes")),
    "fitrs": (
        {"caption": 1, "region": 1, "scene": 2, "vqa": 1},
        {OWN_BOXES: 1},
        ("test_FITRS_vqa_eval/0012__512__0___412/vqa/1", "[vqa] How many?", "2"),
    ),
    "rrsisd": (
        {"rec": 2, "res": 2},
        {},
        (
            "00011/res/12/12",
            "[seg] Segment every chimney.",
            "[(750,667),(1000,1000)] keypoints [(813,750),(938,917),(938,750)]",
        ),
    ),
    "refsegrs": (
        {"res": 4},
        {},
        (
            "train/3/res/1",
            "[seg] Segment every low vegetation.",
            "[(0,0),(500,667)] keypoints [(188,250),(438,583),(438,83)]",
        ),
    ),
    "isaid": (
        {"count": 2, "det": 2, "res": 2},
        {"object on the background of the class image": 1},
        ("train/P0002/det/plane", "[det] Detect every plane.", "[(0,0),(375,0),(375,333),(0,333)]"),
    ),
    "geopixeld": (
        {"caption": 1, "gcg": 1, "res": 2},
        {},
        (
            "train/P0003_0_6_0_8/caption/0",
            "[caption] Describe the image.",
            "Look. The tennis court-1, and cluster of Ships-2 at right.",
        ),
    ),
    "loveda": (
        {"res": 3},
        {},
        (
            "val/Urban/10/res/water",
            "[seg] Segment every water.",
            "[(750,0),(1000,1000)] keypoints [(867,490),(945,927),(945,73)]",
        ),
    ),
    "deepglobe": (
        {"res": 3},
        {},
        (
            "train/77/res/forest",
            "[seg] Segment every forest.",
            "[(750,0),(1000,1000)] keypoints [(867,490),(945,927),(945,73)]",
        ),
    ),
    "deepglobe-road": (
        {"res": 1},
        {},
        (
            "train/5/res/road",
            "[seg] Segment every road.",
            "[(0,333),(1000,667)] keypoints [(492,490),(945,594),(55,594)]",
        ),
    ),
    "levir-cd": (
        {"rcd": 1},
        {},
        (
            "train/train_1/rcd/building",
            "[change] Outline every building " + SINCE,
            "[(0,0),(375,0),(375,333),(0,333),(0,0)]",
        ),
    ),
    "levir-mci": (
        {"rcd": 3},
        {"caption: said of a pair of images": 5},
        (
            "test/test_000001/rcd/any",
            "[change] Outline every area " + SINCE,
            "[(0,0),(375,0),(375,333),(0,333),(0,0)]\n[(250,667),(1000,667),(1000,1000),(250,1000),(250,667)]",
        ),
    ),
    "xbd": (
        {"rcd": 2, "res": 1},
        {},
        (
            "hurricane-harvey_00000001/rcd/destroyed",
            "[change] Outline every destroyed building " + SINCE,
            "[(625,0),(875,0),(875,667),(625,667),(625,0)]",
        ),
    ),
    "pairs": (
        {"rcd": 1},
        {},
        (
            "scene_0000_0256/rcd/building",
            "[change] Outline every building " + SINCE,
            "[(0,0),(375,0),(375,333),(0,333),(0,0)]",
        ),
    ),
    "rsvqa-lr": ({"vqa": 4}, {}, ("train/5/vqa/1", "[vqa] How many buildings?", "57")),
    "rsvqa-hr": ({"vqa": 2}, {}, ("test/5/vqa/0", "[vqa] Is a road present?", "yes")),
    "ucm-captions": ({"caption": 4}, {TWICE: 6}, ("1.tif/caption/4", "[caption] Describe the image.", "two planes")),
    "sydney-captions": (
        {"caption": 4},
        {TWICE: 6},
        ("101.tif/caption/0", "[caption] Describe the image.", "A plane ."),
    ),
    "rsicd": ({"caption": 4}, {TWICE: 6}, ("101.tif/caption/4", "[caption] Describe the image.", "two planes")),
    "aid": ({"scene": 3}, {}, ("BareLand/bareland_1/scene/scene", SCENES, "bare land")),
    "resisc45": ({"scene": 3}, {}, ("Airport/airport_11/scene/scene", SCENES, "airport")),
    "ucmerced": ({"scene": 3}, {}, ("Airport/airport_10/scene/scene", SCENES, "airport")),
}


def converted(name: str, root: Path, **options: Any) -> tuple[list[Instruction], Counter[str]]:
    dropped: Counter[str] = Counter()
    chosen = Options(**{"negatives": 0.0, **options})
    return list(convert(name, root, chosen, dropped, reader_options=OPTIONS.get(name))), dropped


def test_every_reader_is_here() -> None:
    assert set(TREES) == set(EXPECTED) == set(convertible()) - {"geotiff"}
    assert set(convertible()) - {"geotiff"} == {reader.name for reader in READERS} - set(REFUSED)


@pytest.mark.parametrize("name", EXPECTED)
def test_counts_and_first_records(name: str, tmp_path: Path) -> None:
    records, dropped = converted(name, tree_of(name, tmp_path))
    tasks, lost, (id, asked, reply) = EXPECTED[name]
    assert dict(sorted(Counter(record.task for record in records).items())) == tasks
    assert dict(dropped) == lost
    by_id = {record.id: record for record in records}
    assert len(by_id) == len(records)
    one = by_id[f"{name}/{id}"]
    assert one.messages[0].content == "<image>" * len(one.pictures) + "\n" + asked
    assert one.messages[1].content == reply
    assert one.source and one.licence and one.made == (f"convert {name}",)
    for record in records:
        for picture in record.pictures:
            assert (tmp_path / picture.path).is_file()
    check_reads_back(records)


@pytest.mark.parametrize("name", EXPECTED)
def test_none_is_asked_only_where_labels_tell_it(name: str, tmp_path: Path) -> None:
    """With negatives: all that was there before, and "none" (or 0) of classes that the image does not have."""
    root = tree_of(name, tmp_path)
    before, _ = converted(name, root)
    after, _ = converted(name, root, negatives=0.6)
    assert [record for record in after if record in before] == before
    for record in after:
        if record not in before:
            assert record.messages[1].content in ("none", "0")
            assert not any(other.id == record.id for other in before)
    if name in ("dota", "dior", "nwpu_vhr10", "isaid", "levir-cd", "xbd"):
        assert len(after) > len(before)
    if name in ("vrsbench", "geochat", "rrsisd", "refsegrs", "geopixeld", "aid"):
        assert after == before
    assert converted(name, root, negatives=0.6)[0] == after


def test_tasks_that_are_not_asked_for_are_not_made(tmp_path: Path) -> None:
    root = tree_of("vrsbench", tmp_path)
    assert [record.task for record in converted("vrsbench", root, tasks=("caption",))[0]] == ["caption"]


def test_things_of_classes_that_are_not_labelled_everywhere_make_no_detection(tmp_path: Path) -> None:
    root = tree_of("coco", tmp_path)
    dropped: Counter[str] = Counter()
    assert list(convert("coco", root, Options(), dropped, reader_options={"exhaustive": "no"})) == []
    assert dropped == {
        "det, count, res: class not annotated wherever it occurs (airplane)": 1,
        "det, count, res: class not annotated wherever it occurs (storage tank)": 1,
    }


def test_what_is_left_out_by_name_licence_and_missing_images(tmp_path: Path) -> None:
    root = tree_of("dior_rsvg", tmp_path)
    (root / "JPEGImages/00002.jpg").unlink()
    dropped: Counter[str] = Counter()
    records = list(convert("dior_rsvg", root, Options(), dropped, without={"dior:00001"}, licence="ours"))
    assert {record.family for record in records} == {"dior:00005", "dior:00010"}
    assert {record.licence for record in records} == {"ours"}
    assert dropped == {"image: left out by name": 2, "image: not there": 1}
    assert [r.split for r in convert("dior_rsvg", root, Options(), Counter(), split="val")] == ["val"]


def test_an_image_of_another_size_is_left_out(tmp_path: Path) -> None:
    from dataset_trees import masks

    root = tree_of("coco", tmp_path)
    masks.picture(root / "001.jpg", 40, 10)
    records, dropped = converted("coco", root)
    assert records == [] and dropped == {"image: of another size than its annotation says": 1}


def test_difficult_objects(tmp_path: Path) -> None:
    root = tree_of("dota", tmp_path)  # its plane is difficult
    assert [r.phrase for r in converted("dota", root, tasks=("det",))[0]] == ["plane", "ship"]
    records, dropped = converted("dota", root, tasks=("det",), difficult="drop")
    assert [r.phrase for r in records] == ["ship"] and dropped == {"det: object marked as difficult": 1}
    records, _ = converted("dota", root, tasks=("det",), difficult="drop", negatives=0.9)
    assert "plane" not in [r.phrase for r in records]  # nor told to be absent


def test_faults_are_told(tmp_path: Path) -> None:
    root = tree_of("dota", tmp_path)
    with pytest.raises(UsageError, match="no dataset 'dotta' to convert; expected one of: dota"):
        converted("dotta", root)
    with pytest.raises(UsageError, match="thinkgeo cannot be converted: its tasks are answered by calling tools"):
        converted("thinkgeo", root)
    with pytest.raises(UsageError, match="the reader 'dota' has no option 'verson'; it has version"):
        list(convert("dota", root, Options(), Counter(), reader_options={"verson": "1.5"}))
    with pytest.raises(UsageError, match="no split 'test'"):
        list(convert("dota", root, Options(), Counter(), split="test"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tasks": ("det", "dett")}, "no task 'dett'.*expected some of det, rec"),
        ({"tasks": ()}, "expected some of"),
        ({"tasks": ("pal",)}, "no task 'pal'"),
        ({"window": 20}, "windows are 20 px"),
        ({"overlap": 600}, "overlap is 600.*half a window"),
        ({"negatives": 1.0}, "negatives is 1.0"),
        ({"doubtful": "maybe", "holes": "x"}, "doubtful is 'maybe', expected few or drop or keep; holes is 'x'"),
        ({"key_points": 0}, "0 key points"),
        ({"most": 0}, "0 regions"),
        ({"epsilon_px": -1.0}, "thinned by -1.0"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Options(**options)
