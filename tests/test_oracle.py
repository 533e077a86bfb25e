"""The oracle models on written and on real annotation files, damaged ones included."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from surveyor.core.errors import UnknownPhrase, UsageError
from surveyor.core.masks import Mask
from surveyor.core.protocols import MaskPrompt
from surveyor.tools.models.oracle import OracleGrounder, OracleSegmenter

SHARED = Path(__file__).resolve().parents[2] / "shared"
SQUARE = [10, 10, 30, 10, 30, 20, 10, 20]


@dataclass(frozen=True)
class Named:
    """All that the oracle asks of a scene."""

    name: str
    size_wh: tuple[int, int] = (100, 80)


def coco(**changes: object) -> dict[str, object]:
    data: dict[str, object] = {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}, {"id": 2, "file_name": "b.png"}],
        "categories": [{"id": 1, "name": "airplane"}, {"id": 2, "name": "storage_tank"}, {"id": 3, "name": "ship"}],
        "annotations": [
            {"id": 7, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 10], "segmentation": [SQUARE]},
            {"id": 8, "image_id": 1, "category_id": 2, "bbox": [50, 50, 8, 8], "segmentation": []},
            {
                "id": 9,
                "image_id": 1,
                "category_id": 1,
                "bbox": [60, 10, 20, 10],
                "segmentation": [SQUARE],
                "iscrowd": 1,
            },
        ],
    }
    return data | changes


def write(path: Path, data: object) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_coco_regions_carry_the_annotation_id_and_its_geometry(tmp_path: Path) -> None:
    oracle = OracleGrounder(write(tmp_path / "x.json", coco()))
    (plane,) = oracle.ground(Named("a.png"), "planes")
    assert (plane.id, plane.label, plane.score, plane.source) == ("airplane-7", "airplane", None, "oracle:x.json")
    assert plane.corners_px.tolist() == [[10, 10], [30, 10], [30, 20], [10, 20]]
    assert plane.box_px.tolist() == [10, 10, 30, 20]
    assert plane.polygon_px is not None
    (tank,) = oracle.ground(Named("folder/a.png"), "oil tanks")
    assert tank.polygon_px is None
    assert tank.corners_px.tolist() == [[50, 50], [58, 50], [58, 58], [50, 58]]
    assert oracle.ground(Named("a.png"), "ships") == ()
    assert oracle.ground(Named("b.png"), "planes") == ()
    assert oracle.ground(Named("b.jpg"), "planes") == (), "another format of the same image"


SPELLINGS = {
    "list": [SQUARE],
    "text": json.dumps([SQUARE]),
    "texts": [json.dumps(SQUARE)],
    "flat": SQUARE,
    "rle": Mask.from_polygon(np.reshape(SQUARE, (4, 2)), (80, 100)).to_rle(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_an_outline_gives_the_same_mask(spelling: str, tmp_path: Path) -> None:
    entry = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 10], "segmentation": SPELLINGS[spelling]}
    path = write(tmp_path / "x.json", coco(annotations=[entry]))
    (plane,) = OracleGrounder(path).ground(Named("a.png"), "airplane")
    prompt = MaskPrompt(plane.box_px, plane.corners_px)
    (result,) = OracleSegmenter(path).segment(Named("a.png"), [prompt])
    assert result.mask == Mask.from_polygon(np.reshape(SQUARE, (4, 2)), (80, 100))
    assert result.score is None


def test_all_parts_of_an_object_are_in_its_mask(tmp_path: Path) -> None:
    other = [40, 40, 50, 40, 50, 50, 40, 50]
    entry = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 40], "segmentation": [SQUARE, other]}
    path = write(tmp_path / "x.json", coco(annotations=[entry]))
    (plane,) = OracleGrounder(path).ground(Named("a.png"), "airplane")
    (result,) = OracleSegmenter(path).segment(Named("a.png"), [MaskPrompt(plane.box_px, plane.corners_px)])
    assert result.mask.area_px == 20 * 10 + 10 * 10
    assert len(plane.polygon_px) == 4


def test_a_prompt_beside_every_object_gets_an_empty_mask(tmp_path: Path) -> None:
    path = write(tmp_path / "x.json", coco())
    far, near = MaskPrompt(np.array([70.0, 60, 90, 70])), MaskPrompt(np.array([11.0, 10, 31, 20]))
    results = OracleSegmenter(path).segment(Named("a.png"), [far, near])
    assert [result.mask.area_px for result in results] == [0, 200]
    assert OracleSegmenter(path).segment(Named("b.png"), [far])[0].mask.area_px == 0


def test_an_image_that_is_not_annotated_is_named(tmp_path: Path) -> None:
    oracle = OracleGrounder(write(tmp_path / "x.json", coco()))
    with pytest.raises(UsageError, match=r"x\.json.*'c\.png'.*2 images \(a\.png, b\.png\)"):
        oracle.ground(Named("c.png"), "planes")
    with pytest.raises(UnknownPhrase, match="airplane, storage_tank, ship"):
        oracle.ground(Named("a.png"), "rivers")


def test_two_images_of_one_name_are_not_guessed_between(tmp_path: Path) -> None:
    twice = [{"id": 1, "file_name": "p/a.png"}, {"id": 2, "file_name": "q/a.png"}]
    oracle = OracleGrounder(write(tmp_path / "x.json", coco(images=twice)))
    with pytest.raises(UsageError, match="2 images called"):
        oracle.ground(Named("a.png"), "planes")


DAMAGED = {
    "truncated": (json.dumps(coco())[:-20], "damaged or no JSON"),
    "empty": ("", "damaged or no JSON"),
    "other JSON": ({"features": []}, "expected COCO"),
    "a list": ([1, 2], "expected COCO"),
    "unknown category": (
        coco(annotations=[{"id": 1, "image_id": 1, "category_id": 99, "bbox": [1, 1, 2, 2]}]),
        "KeyError: 99",
    ),
    "unknown image": (coco(annotations=[{"id": 1, "image_id": 5, "category_id": 1, "bbox": [1, 1, 2, 2]}]), "damaged"),
    "no shape": (coco(annotations=[{"id": 1, "image_id": 1, "category_id": 1}]), "neither a bbox"),
    "odd outline": (
        coco(annotations=[{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 2, 3]]}]),
        "damaged",
    ),
    "broken text": (
        coco(annotations=[{"id": 1, "image_id": 1, "category_id": 1, "segmentation": "[[1, 2"}]),
        "damaged",
    ),
    "not a number": (
        coco(annotations=[{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, "x", 2, 2]}]),
        "damaged",
    ),
    "negative box": (
        coco(annotations=[{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, -2, 2]}]),
        "damaged",
    ),
    "nameless": (coco(categories=[{"id": 1}]), "damaged"),
    "crowded": (coco(annotations=[3]), "damaged"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_coco_file_is_named(case: str, tmp_path: Path) -> None:
    content, message = DAMAGED[case]
    with pytest.raises(UsageError, match=message) as caught:
        OracleGrounder(write(tmp_path / "bad.json", content))
    assert "bad.json" in str(caught.value)
    assert "\n" not in str(caught.value)


DOTA = """imagesource:GoogleEarth
gsd:0.25
10 10 30 10 30 20 10 20 ship 1
40.0 40.0 50.0 40.0 50.0 60.0 40.0 60.0 small-vehicle 0

60 60 70 60 70 70 60 70 ship
"""


def test_dota_regions_carry_their_line_and_the_header_its_gsd(tmp_path: Path) -> None:
    write(tmp_path / "P1.txt", DOTA)
    write(tmp_path / "P2.txt", "imagesource:GoogleEarth\ngsd:null\n")
    for path in (tmp_path, tmp_path / "P1.txt"):
        oracle = OracleGrounder(path)
        assert [region.id for region in oracle.ground(Named("P1.png"), "boats")] == ["ship-3", "ship-6"]
        assert [region.label for region in oracle.ground(Named("P1.png"), "cars")] == ["small-vehicle"]
        assert oracle.gsd_m(Named("P1.png")) == 0.25
    assert OracleGrounder(tmp_path).gsd_m(Named("P2.png")) is None
    assert OracleGrounder(tmp_path).ground(Named("P2.png"), "ship") == ()
    with pytest.raises(UsageError, match="P3"):
        OracleGrounder(tmp_path).ground(Named("P3.png"), "ship")
    (result,) = OracleSegmenter(tmp_path).segment(Named("P1.png"), [MaskPrompt(np.array([10.0, 10, 30, 20]))])
    assert result.mask.area_px == 200


@pytest.mark.parametrize(
    "line", ["10 10 30 10 30 20 ship 1", "10 10 30 10 30 x 10 20 ship 0", "1 1 2 1 2 2 1 nan ship 0"]
)
def test_a_damaged_dota_line_is_named(line: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"P1\.txt.*line 2.*x1 y1"):
        OracleGrounder(write(tmp_path / "P1.txt", f"gsd:0.3\n{line}\n"))


def test_paths_that_cannot_be_read_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x01")
    for path in (tmp_path / "missing.json", tmp_path / "empty", tmp_path / "binary.json"):
        with pytest.raises(UsageError, match=path.name):
            OracleGrounder(path)


@pytest.mark.skipif(not (SHARED / "data").is_dir(), reason="the shared data is not here")
def test_real_files() -> None:
    nwpu = OracleGrounder(SHARED / "data/nwpu_vhr10/val.json")
    regions = nwpu.ground(Named("009.jpg", (980, 767)), "everything")
    assert regions
    assert len({region.id for region in regions}) == len(regions)
    assert all(region.polygon_px is not None for region in regions)
    dota = OracleGrounder(SHARED / "data/dota_devkit/labelTxt")
    assert dota.gsd_m(Named("P0706.png")) == pytest.approx(0.255589285596)
    ships = dota.ground(Named("P0706.png"), "ships")
    assert ships[0].id == "ship-3"
    segmenter = OracleSegmenter(SHARED / "data/nwpu_vhr10/val.json")
    prompts = [MaskPrompt(region.box_px, region.corners_px) for region in regions]
    results = segmenter.segment(Named("009.jpg", (980, 767)), prompts)
    truth = [Mask.from_polygon(region.outline_px, (767, 980)) for region in regions]
    assert [result.mask for result in results] == truth
