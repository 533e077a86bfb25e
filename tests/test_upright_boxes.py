"""Boxes that were annotated upright: told as four corners, marked, counted, and never taught as oriented ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from surveyor.app.cli import main
from surveyor.finetune.augment.cyclic import Phrases, cycled
from surveyor.finetune.augment.images import tilted_record
from surveyor.finetune.augment.marks import LeftOut
from surveyor.finetune.augment.pal import Tilts, assisted, guided, is_tilted
from surveyor.finetune.augment.paste import Donors, pasted
from surveyor.finetune.augment.pictures import Pictures
from surveyor.finetune.records.files import read_records
from surveyor.finetune.records.record import Instruction, Marked, Picture, with_messages
from surveyor.finetune.records.stats import stats_of

SLANTED = Marked(kind="obb", points=((100, 40), (160, 100), (140, 120), (80, 60)), label="plane")
BOXED = Marked(kind="obb", points=((20, 20), (60, 20), (60, 40), (20, 40)), label="plane", is_upright=True)
PICTURE = Picture(path="a.png", size_wh=(400, 200))


def record(*regions: Marked, **more: Any) -> Instruction:
    parts: dict[str, Any] = {"id": "1", "task": "det", "phrase": "plane", "family": "f", "source": "S", "split": "train"}  # fmt: skip  # noqa: E501
    return with_messages(Instruction(**(parts | {"pictures": (PICTURE,), "regions": regions} | more)))


def mixed_coco(folder: Path) -> Path:
    """One image with a slanted outline, and a box without one: what many a COCO file holds."""
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.zeros((200, 400, 3), np.uint8))
    ring = [float(v) for point in SLANTED.points for v in point]
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [80, 40, 80, 80], "segmentation": [ring]},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [20, 20, 40, 20]},
    ]
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 400, "height": 200}],
        "categories": [{"id": 1, "name": "plane"}],
        "annotations": annotations,
    }
    (folder / "mine.json").write_text(json.dumps(content))
    return folder / "mine.json"


def test_a_mixed_dataset_teaches_oriented_boxes_only_where_they_are_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out, more = mixed_coco(tmp_path / "mine"), tmp_path / "a.jsonl", tmp_path / "more.jsonl"
    words = ["data", "convert", "coco", str(file), "-o", "exhaustive=yes", "--tasks", "det", "--negatives", "0"]
    assert main([*words, "--out", str(out)]) == 0
    (one,) = read_records(out)
    assert [region.is_upright for region in one.regions] == [True, False]
    assert main(["data", "augment", str(out), "--out", str(more), "--pal", "--ggl", "--only-new"]) == 0
    made = list(read_records(more))
    oriented = [each for each in made if each.asked == "obb" or any(region.kind == "obb" for region in each.given)]
    assert len(oriented) == 2, "box to obb with the picture, obb to box without"
    assert all(len(each.regions) == 1 and is_tilted(next(iter(_obbs(each)))) for each in oriented)
    capsys.readouterr()
    assert main(["data", "stats", str(out)]) == 0
    assert "obb known upright only 1" in capsys.readouterr().out


def _obbs(made: Instruction) -> list[Marked]:
    return [region for region in (*made.regions, *made.given) if region.kind == "obb"]


def test_statistics_tell_them_apart() -> None:
    found = stats_of([record(SLANTED, BOXED, BOXED)])
    assert found.kinds == {"obb": 1, "obb known upright only": 2}


def test_a_turned_corner_does_not_make_it_an_oriented_source() -> None:
    """A file of an earlier version, or of somebody else: marked upright, and yet tilted."""
    odd = SLANTED.model_copy(update={"is_upright": True})
    assert not Tilts.of([record(odd)]).sources
    for way in (assisted, guided):
        made = list(way(record(odd, SLANTED), Tilts.of([record(SLANTED)]), 0))
        kept = [each for each in made if isinstance(each, Instruction) and _obbs(each)]
        assert kept and all(len(each.regions) == 1 for each in kept)
        assert any("known upright only" in each for each in made if isinstance(each, str))


def test_upright_boxes_are_not_tilted(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((200, 400, 3), np.uint8))
    pictures = Pictures(tmp_path, tmp_path / "out.jsonl")
    assert is_tilted(tilted_record(record(SLANTED), 20.0, pictures).regions[0])
    with pytest.raises(LeftOut, match="upright box"):
        tilted_record(record(BOXED), 20.0, pictures)


@pytest.mark.parametrize("seed", range(6))
def test_upright_boxes_are_pasted_upright(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), rng.integers(0, 255, (200, 400, 3), dtype=np.uint8))
    pictures = Pictures(tmp_path, tmp_path / "out.jsonl")
    there = record(BOXED, id="b", pictures=(Picture(path="b.png", size_wh=(400, 200)),))
    (made,) = pasted([record(SLANTED)], Donors.of([there], 0), seed, pictures)
    assert isinstance(made, Instruction)
    new = [region for region in made.regions if region != SLANTED]
    assert new and all(region.is_upright for region in new)
    for region in new:
        edges = np.abs(np.diff(np.array(region.points), axis=0))
        assert (edges.min(axis=1) < 0.01).all(), "every side along an axis"


@pytest.mark.parametrize(
    ("region", "upright"),
    [
        (Marked(kind="box", points=((20, 20), (60, 40))), True),
        (Marked(kind="polygon", points=((20, 20), (60, 30), (40, 60))), False),
        (BOXED, True),
        (SLANTED, False),
    ],
)
def test_a_caption_turned_round_remembers(region: Marked, upright: bool) -> None:
    caption = record(region, task="region", phrase="", reply="the plane on the left")
    (made,) = cycled(caption, Phrases.of([caption]), 0)
    assert made.task == "rec" and made.regions[0].is_upright is upright
