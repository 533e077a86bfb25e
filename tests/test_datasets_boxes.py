"""Readers of box datasets: DOTA, DIOR and DIOR-R, COCO instances, NWPU VHR-10. Fixtures are written by each test."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from surveyor.core.errors import UsageError
from surveyor.core.geometry import canonical_corners, min_area_rect, polygon_area
from surveyor.core.masks import Mask
from surveyor.evals.datasets.box_strings import turned_rect
from surveyor.evals.datasets.coco import read_coco
from surveyor.evals.datasets.dior import CLASSES as DIOR_CLASSES
from surveyor.evals.datasets.dior import dior_label, read_dior
from surveyor.evals.datasets.dota import CLASSES as DOTA_CLASSES
from surveyor.evals.datasets.dota import read_dota
from surveyor.evals.datasets.nwpu import CLASSES as NWPU_CLASSES
from surveyor.evals.datasets.nwpu import read_nwpu
from surveyor.evals.datasets.quads import least_rects
from surveyor.evals.datasets.record import Record

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
here_only = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data is not here")


def write(path: Path, text: str | bytes = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(reader: Callable[..., Iterator[Record]], root: Path, **options: Any) -> tuple[list[Record], Counter[str]]:
    tally: Counter[str] = Counter()
    return list(reader(root, tally=tally, **options)), tally


# ---- rectangles of many quadrilaterals --------------------------------------------------------------------------

COORDINATE = st.integers(-50, 50) | st.floats(-50, 50).map(lambda value: round(value, 3))


@given(st.lists(st.lists(st.tuples(COORDINATE, COORDINATE), min_size=4, max_size=4), max_size=4))
def test_least_rects_are_those_of_each_alone(quads: list[list[tuple[float, float]]]) -> None:
    """Of two rectangles with (nearly) the least area either may come, so areas and the points inside are compared."""
    found = least_rects(np.array(quads).reshape(-1, 4, 2))
    assert found.shape == (len(quads), 4, 2)
    for rect, quad in zip(found, quads, strict=True):
        alone = min_area_rect(np.array(quad))
        assert polygon_area(rect) == pytest.approx(polygon_area(alone), rel=1e-6, abs=1e-6)
        assert shapely.Polygon(rect).buffer(1e-6).covers(shapely.MultiPoint(quad))
        assert rect[0].tolist() == canonical_corners(rect)[0].tolist()


@given(st.floats(0, 179), st.integers(3, 40), st.integers(1, 40))
def test_least_rects_of_rectangles_are_themselves(angle: float, w: int, h: int) -> None:
    quad = turned_rect(np.array([9.0, 70.0]), np.array([w, h]), angle)
    assert np.allclose(least_rects(quad[None])[0], min_area_rect(quad), atol=1e-7)


# ---- DOTA -------------------------------------------------------------------------------------------------------

SHIP = "10 10 30 10 30 20 10 20 ship 0"


def test_dota_lines(tmp_path: Path) -> None:
    """Header or none, 9 words or 10, a flag of 2, lines too short, corners beyond the image that are no rectangle."""
    lines = [
        "imagesource:GoogleEarth",
        "gsd:0.5",
        "1054 1028 1063 1011 1111 1040 1112 1062 ship 1",
        "10.0 10.0 30.0 10.0 30.0 20.0 10.0 20.0 small-vehicle",
        "-5 -5 30 0 25 20 0 18 Soccer-ball-field 2",
        "1 2 3 4 5",
        "7 7 7 7 7 7 7 7 plane 0",
        "5 5 9 5 13 5 6 5 plane 0",
    ]
    write(tmp_path / "val/labelTxt/P0706.txt", "\r\n".join(lines) + "\r\n")
    write(tmp_path / "val/images/P0706.png")
    (record,), tally = read(read_dota, tmp_path)
    first, second, third = record.things
    assert (first.label, first.is_difficult, first.id) == ("ship", True, "3")
    assert first.polygon_px is not None and first.polygon_px.tolist() == [
        [1054, 1028],
        [1063, 1011],
        [1111, 1040],
        [1112, 1062],
    ]
    assert first.box_px.tolist() == [1054, 1011, 1112, 1062]
    assert (second.label, second.is_difficult) == ("small vehicle", False)
    assert second.corners_px is not None and second.corners_px.tolist() == [[10, 10], [30, 10], [30, 20], [10, 20]]
    assert (third.label, third.is_difficult, third.attributes) == ("soccer ball field", True, {"difficult": "2"})
    assert third.box_px.tolist() == [-5, -5, 30, 20]  # never clipped
    assert third.polygon_px is not None and third.polygon_px.shape == (4, 2)  # as annotated, though no rectangle
    assert tally == {"line of fewer than 9 words": 1, "box without area": 2}
    assert (record.id, record.split, record.family, record.gsd_m) == ("val/P0706", "val", "dota:P0706", 0.5)
    assert record.image == tmp_path / "val/images/P0706.png" and record.is_exhaustive
    assert record.classes == DOTA_CLASSES["1.0"] and len(record.classes) == 15


@pytest.mark.parametrize(
    "header", ["gsd:null\n", "gsd:None\n", "imagesource:GoogleEarth\ngsd:\n", "", "gsd:-1\n", "gsd:nan\n"]
)
def test_dota_without_a_known_gsd(tmp_path: Path, header: str) -> None:
    write(tmp_path / "labelTxt/P1.txt", header + SHIP)
    (record,), tally = read(read_dota, tmp_path)
    assert (record.gsd_m, len(record.things), tally) == (None, 1, {})
    assert (record.split, record.id) == (None, "P1")


def test_dota_versions_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "val/labelTxt-v1.0/P0003.txt", SHIP)
    write(tmp_path / "val/labelTxt-v1.5/DOTA-v1.5_val/P0003.txt", f"{SHIP}\n1 1 4 1 4 4 1 4 container-crane 0")
    with pytest.raises(UsageError, match=r"several versions.*v1\.0.*v1\.5_val.*version=1\.5"):
        read(read_dota, tmp_path)
    (old,), _ = read(read_dota, tmp_path, version="1.0")
    (new,), _ = read(read_dota, tmp_path, version="1.5")
    assert (len(old.things), len(new.things)) == (1, 2)
    assert (old.source.name, new.source.name) == ("DOTA v1.0", "DOTA v1.5")
    assert old.family == new.family == "dota:P0003"
    assert new.things[1].label in new.classes and new.things[1].label not in old.classes
    assert len(DOTA_CLASSES["2.0"]) == 18
    with pytest.raises(UsageError, match=r"no folder 'labelTxt-v2\.0' \(it holds labelTxt-v1\.0"):
        read(read_dota, tmp_path, version="2.0")
    with pytest.raises(UsageError, match="version='3' is not known"):
        read(read_dota, tmp_path, version="3")


def test_dota_splits(tmp_path: Path) -> None:
    write(tmp_path / "val/labelTxt/P2.txt", SHIP)
    write(tmp_path / "train/labelTxt/P1.txt", "")
    write(tmp_path / "train/labelTxt/P0.txt", SHIP)
    write(tmp_path / "test/images/P3.png")
    records, _ = read(read_dota, tmp_path)
    assert [record.id for record in records] == ["train/P0", "train/P1", "val/P2"]
    assert records[1].things == ()  # looked and found nothing
    assert [record.id for record in read(read_dota, tmp_path, split="val")[0]] == ["val/P2"]
    with pytest.raises(UsageError, match="labels of DOTA's test set are not published"):
        read(read_dota, tmp_path, split="test")
    with pytest.raises(UsageError, match="no split 'dev'; it has train, val, test"):
        read(read_dota, tmp_path, split="dev")


def test_dota_damage_names_file_and_line(tmp_path: Path) -> None:
    write(tmp_path / "labelTxt/P1.txt", f"{SHIP}\n10 10 30 10 x 20 10 20 ship 0")
    with pytest.raises(UsageError, match=r"P1\.txt' is damaged at line 2.*expected DOTA labelTxt"):
        read(read_dota, tmp_path)
    with pytest.raises(UsageError, match="has no folder 'labelTxt'"):
        (tmp_path / "empty").mkdir()
        read(read_dota, tmp_path / "empty")


def test_reading_is_lazy(tmp_path: Path) -> None:
    write(tmp_path / "labelTxt/P1.txt", SHIP)
    write(tmp_path / "labelTxt/P2.txt", "10 10 30 10 x 20 10 20 ship 0")
    records = read_dota(tmp_path)
    assert next(records).id == "P1"
    with pytest.raises(UsageError, match=r"P2\.txt"):
        next(records)


@here_only
def test_real_dota_scenes() -> None:
    records, tally = read(read_dota, SHARED / "dota_devkit")
    assert [(record.id, len(record.things)) for record in records] == [("P0706", 536), ("P1888", 64)]
    assert tally == {} and all(record.image.is_file() for record in records)
    assert records[0].gsd_m == pytest.approx(0.255589285596)
    assert Counter(thing.label for thing in records[1].things) == {"large vehicle": 50, "small vehicle": 14}
    for record in records:
        for thing in record.things:
            assert thing.corners_px is not None and thing.polygon_px is not None
            assert np.allclose(thing.corners_px, min_area_rect(thing.polygon_px), atol=1e-6)
    assert sum(thing.is_difficult for record in records for thing in record.things) > 0


# ---- DIOR and DIOR-R --------------------------------------------------------------------------------------------

BOX = "<bndbox><xmin>12</xmin><ymin>40</ymin><xmax>31</xmax><ymax>66</ymax></bndbox>"
TURNED = (
    "<robndbox><x_left_top>120</x_left_top><y_left_top>10</y_left_top><x_right_top>130</x_right_top>"
    "<y_right_top>20</y_right_top><x_right_bottom>120</x_right_bottom><y_right_bottom>30</y_right_bottom>"
    "<x_left_bottom>110</x_left_bottom><y_left_bottom>20</y_left_bottom></robndbox>"
)


def voc(*objects: str, size: str = "<size><width>800</width><height>800</height></size>") -> str:
    return (
        f"<annotation><filename>x.jpg</filename>{size}{''.join(f'<object>{o}</object>' for o in objects)}</annotation>"
    )


def dior(root: Path, number: str, *objects: str, kind: str = "Horizontal Bounding Boxes") -> None:
    write(root / "Annotations" / kind / f"{number}.xml", voc(*objects))


def test_dior_class_names_of_all_releases() -> None:
    same = ["expresswayservicearea", "Expressway-Service-Area", "expressway-service-area", "Expressway-Service-area"]
    assert {dior_label(name) for name in same} == {"expressway service area"}
    assert [dior_label(n) for n in ("golffield", "trainstation", "BaseballField")] == [
        "golf field",
        "train station",
        "baseball field",
    ]
    assert len(DIOR_CLASSES) == 20 == len({dior_label(name.replace(" ", "")) for name in DIOR_CLASSES})


def test_dior_splits_and_folders(tmp_path: Path) -> None:
    dior(tmp_path, "00002", f"<name>ship</name>{BOX}")
    dior(tmp_path, "00001")
    dior(tmp_path, "11726", f"<name>Train-Station</name><difficult>1</difficult>{BOX}")
    write(tmp_path / "JPEGImages-trainval/00002.jpg")
    write(tmp_path / "JPEGImages-test/11726.jpg")
    write(tmp_path / "ImageSets/Main/train.txt", "00002\n00001\n")
    write(tmp_path / "ImageSets/Main/test.txt", "11726 1\n\n")
    records, tally = read(read_dior, tmp_path)
    assert [(record.id, record.split) for record in records] == [
        ("00001", "train"),
        ("00002", "train"),
        ("11726", "test"),
    ]
    assert [record.image.parent.name for record in records[1:]] == ["JPEGImages-trainval", "JPEGImages-test"]
    assert records[0].things == () and records[0].is_exhaustive and records[0].classes == DIOR_CLASSES
    (station,) = records[2].things
    assert (station.label, station.is_difficult, station.corners_px) == ("train station", True, None)
    assert station.box_px.tolist() == [12, 40, 31, 66]
    assert (records[2].family, records[2].size_wh, records[2].source.name) == ("dior:11726", (800, 800), "DIOR")
    assert [record.id for record in read(read_dior, tmp_path, split="test")[0]] == ["11726"]
    assert tally == {}
    with pytest.raises(UsageError, match=r"lacks 'ImageSets/Main/val\.txt'"):
        read(read_dior, tmp_path, split="val")


def test_dior_r_boxes_are_oriented(tmp_path: Path) -> None:
    dior(tmp_path, "00001", f"<name>ship</name>{TURNED}", kind="Oriented Bounding Boxes")
    dior(tmp_path, "00001", f"<name>ship</name>{BOX}")
    (turned,), _ = read(read_dior, tmp_path)
    (upright,), _ = read(read_dior, tmp_path, boxes="upright")
    corners = turned.things[0].corners_px
    assert corners is not None and corners.round(9).tolist() == [[120, 10], [130, 20], [120, 30], [110, 20]]
    assert turned.things[0].box_px.tolist() == [110, 10, 130, 30]
    assert upright.things[0].corners_px is None
    assert (turned.source.name, upright.source.name) == ("DIOR-R", "DIOR")
    assert turned.family == upright.family == "dior:00001"


def test_dior_in_one_flat_folder(tmp_path: Path) -> None:
    write(tmp_path / "Annotations/00001.xml", voc(f"<name>ship</name>{TURNED}", size="<size><width>0</width></size>"))
    write(tmp_path / "Annotations/00002.xml", voc(f"<name>ship</name>{BOX}"))
    (first, second), _ = read(read_dior, tmp_path)
    assert (first.source.name, second.source.name) == ("DIOR-R", "DIOR")
    assert first.size_wh is None  # a size of 0 is none


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("<annotation>", r"00001\.xml' is damaged at line 1", id="cut off"),
        pytest.param(voc(BOX), "object 0 has no <name>", id="no name"),
        pytest.param(voc("<name>ship</name>"), "object 0 has no <bndbox>", id="no box"),
        pytest.param(voc(f"<name>a</name>{BOX.replace('31', 'x')}"), "<xmax> of <bndbox> is 'x'", id="no number"),
    ],
)
def test_dior_damage(tmp_path: Path, text: str, place: str) -> None:
    write(tmp_path / "Annotations/Horizontal Bounding Boxes/00001.xml", text)
    with pytest.raises(UsageError, match=place):
        read(read_dior, tmp_path)


def test_dior_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lacks 'Annotations'"):
        read(read_dior, tmp_path)
    dior(tmp_path, "00001", f"<name>ship</name>{BOX.replace('31', '12')}")
    assert read(read_dior, tmp_path)[1] == {"box without area": 1}
    with pytest.raises(
        UsageError, match="no oriented boxes; expected the folder 'Annotations/Oriented Bounding Boxes'"
    ):
        read(read_dior, tmp_path, boxes="oriented")
    write(tmp_path / "ImageSets/test.txt", "00009\n")
    with pytest.raises(UsageError, match=r"cannot read .*00009\.xml"):
        read(read_dior, tmp_path, split="test")


# ---- COCO -------------------------------------------------------------------------------------------------------

SQUARE = [0, 0, 4, 0, 4, 4, 0, 4]


def coco(*annotations: dict[str, Any], **changes: Any) -> str:
    content: dict[str, Any] = {
        "images": [{"id": 0, "file_name": "001.jpg", "width": 20, "height": 10}],
        "categories": [{"id": 1, "name": "airplane"}, {"id": 3, "name": "storage_tank"}],
        "annotations": [{"id": i, "image_id": 0, "category_id": 1} | entry for i, entry in enumerate(annotations)],
    }
    return json.dumps(content | changes)


def test_coco_shapes(tmp_path: Path) -> None:
    rle = Mask.from_polygon(np.array([[2, 2], [6, 2], [6, 6], [2, 6]]), (10, 20)).to_rle()
    path = write(
        tmp_path / "a.json",
        coco(
            {"bbox": [1, 2, 3, 4]},
            {"bbox": [0, 0, 4, 4], "segmentation": [SQUARE], "category_id": 3},
            {"bbox": [0, 0, 9, 9], "segmentation": [SQUARE, [6, 0, 9, 0, 9, 9, 6, 9]]},
            {"bbox": [2, 2, 4, 4], "segmentation": rle},
            {"bbox": [0, 0, 4, 4], "segmentation": json.dumps([SQUARE])},
            {"bbox": [0, 0, 0, 0], "segmentation": [SQUARE]},
            {"segmentation": [SQUARE]},
            {"bbox": [5, 5, 0, 3]},
            {"bbox": [0, 0, 9, 9], "iscrowd": 1, "segmentation": {"size": [10, 20], "counts": [200]}, "category_id": 3},
        ),
    )
    (record,), tally = read(read_coco, path)
    boxed, ringed, parts, run, text, unboxed, no_box = record.things
    assert boxed.box_px.tolist() == [1, 2, 4, 6] and boxed.corners_px is None and boxed.polygon_px is None
    assert ringed.label == "storage tank" and ringed.mask is None
    assert ringed.corners_px is not None and ringed.corners_px.tolist() == [[0, 0], [4, 0], [4, 4], [0, 4]]
    assert parts.mask is not None and parts.mask.area_px == 16 + 27 and parts.mask.shape_hw == (10, 20)
    assert parts.polygon_px is not None and parts.polygon_px[:, 0].min() == 6  # the largest part
    assert run.mask is not None and run.mask.area_px == 16
    assert text.polygon_px is not None and text.polygon_px.tolist() == np.reshape(SQUARE, (4, 2)).tolist()
    assert unboxed.box_px.tolist() == no_box.box_px.tolist() == [0, 0, 4, 4]
    assert tally == {"box without area": 1, "crowd region": 1}
    assert (record.id, record.size_wh, record.split, record.family) == ("001", (20, 10), None, "a:001")
    assert (record.is_exhaustive, record.classes) == (False, ())
    (full,), _ = read(read_coco, path, exhaustive="yes")
    assert (full.is_exhaustive, full.classes) == (True, ("airplane",))  # the crowd may hide storage tanks


def test_coco_folders_sources_and_families(tmp_path: Path) -> None:
    dota = [{"id": 7, "file_name": "P0224_0_800_0_800.png"}, {"id": 3, "file_name": "sub/b.png"}]
    told = {"info": {"description": "My Set", "contributor": "Me"}, "licenses": [{"name": "CC0"}]}
    write(tmp_path / "val.json", coco(images=dota, annotations=[], **told))
    write(tmp_path / "train.json", coco())
    write(tmp_path / "images/001.jpg")
    records, _ = read(read_coco, tmp_path)
    assert [(r.id, r.split) for r in records] == [
        ("train/001", "train"),
        ("val/P0224_0_800_0_800", "val"),
        ("val/sub/b", "val"),
    ]
    assert [record.family for record in records] == ["train:001", "dota:P0224", "my_set:b"]
    assert records[0].image == tmp_path / "images/001.jpg" and records[0].source.licence == "not stated"
    assert records[2].source.licence == "CC0" and records[2].size_wh is None
    assert read(read_coco, tmp_path, split="val", images="/elsewhere")[0][1].image == Path("/elsewhere/sub/b.png")
    with pytest.raises(UsageError, match="no split 'test'; it has train, val"):
        read(read_coco, tmp_path, split="test")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("{", r"a\.json' is damaged at line 1", id="not JSON"),
        pytest.param("[]", "outermost value is", id="a list"),
        pytest.param(json.dumps({"images": [], "annotations": []}), "no list 'categories'", id="no categories"),
        pytest.param(coco({"image_id": 9}), r"annotations\[0\].*no image or category", id="unknown image"),
        pytest.param(coco({"category_id": 9}), r"annotations\[0\].*no image or category", id="unknown category"),
        pytest.param(coco({}), "annotation 0: neither a bbox nor a segmentation", id="no shape"),
        pytest.param(coco({"bbox": [1, 2, 3]}), "annotation 0: bbox .* is not four numbers", id="three numbers"),
        pytest.param(coco({"bbox": [1, 2, 3, float("nan")]}), "is not four numbers", id="NaN"),
        pytest.param(coco({"segmentation": [[1, 2, 3]]}), "annotation 0", id="odd ring"),
        pytest.param(coco({"segmentation": {"size": [4, 4], "counts": [3]}}), "annotation 0", id="short run"),
        pytest.param(coco(images=[{"id": 1}]), r"images\[0\]", id="image without a name"),
        pytest.param(coco(images=[{"id": 1, "file_name": "a"}] * 2), r"images\[1\]: id 1 occurs twice", id="same id"),
    ],
)
def test_coco_damage_names_the_entry(tmp_path: Path, text: str, place: str) -> None:
    path = write(tmp_path / "a.json", text)
    with pytest.raises(UsageError, match=place):
        read(read_coco, path)


# ---- NWPU VHR-10 ------------------------------------------------------------------------------------------------


def nwpu(root: Path) -> None:
    for name in ("positive image set/001.jpg", "positive image set/002.jpg", "negative image set/001.jpg"):
        write(root / name)


def test_nwpu_ground_truth_and_negatives(tmp_path: Path) -> None:
    nwpu(tmp_path)
    write(tmp_path / "ground truth/001.txt", "(563,478),(630,573),1 \n( 10 , 20 ),( 30,40 ), 10\r\n\n(5,5),(5,9),2\n")
    write(tmp_path / "ground truth/002.txt", "(1,1),(2,2),3,")
    (one, two, none), tally = read(read_nwpu, tmp_path)
    assert [(thing.label, thing.box_px.tolist()) for thing in one.things] == [
        ("airplane", [563, 478, 630, 573]),
        ("vehicle", [10, 20, 30, 40]),
    ]
    assert two.things[0].label == "storage tank" and tally == {"box without area": 1}
    assert one.image == tmp_path / "positive image set/001.jpg"
    assert (none.things, none.is_exhaustive, none.classes) == ((), True, NWPU_CLASSES)
    assert (one.id, none.id) == ("001", "negative/001") and one.family != none.family  # 001 is in both sets
    assert not one.is_exhaustive
    assert read(read_nwpu, tmp_path, exhaustive="all")[0][0].classes == NWPU_CLASSES


def test_nwpu_images_are_found_by_name_not_by_id(tmp_path: Path) -> None:
    """COCO ids count from 0, files from 1; "ships" is one class with "ship"."""
    nwpu(tmp_path)
    images = [{"id": 0, "file_name": "001.jpg"}, {"id": 1, "file_name": "002.jpg"}]
    names = [{"id": 1, "name": "airplane"}, {"id": 2, "name": "ships"}]
    entry = {"image_id": 1, "bbox": [0, 0, 5, 5], "category_id": 2}
    write(tmp_path / "annotations.json", coco(entry, images=images, categories=names))
    first, second, negative = read(read_nwpu, tmp_path)[0]
    assert (first.things, second.image.name, second.things[0].label) == ((), "002.jpg", "ship")
    assert (second.family, negative.family) == ("nwpu_vhr10:002", "nwpu_vhr10:negative_001")
    with pytest.raises(UsageError, match="has no split 'val'; it has no splits"):
        read(read_nwpu, tmp_path, split="val")


@pytest.mark.parametrize("line", ["(1,2),(3,4)", "(1,2),(3,4),11", "(1,2),(3,4),0", "(1,x),(3,4),1", "1 2 3 4 1"])
def test_nwpu_damage_names_the_line(tmp_path: Path, line: str) -> None:
    write(tmp_path / "ground truth/001.txt", f"(1,1),(2,2),3\n{line}")
    with pytest.raises(UsageError, match=r"001\.txt' is damaged at line 2"):
        read(read_nwpu, tmp_path)
    with pytest.raises(UsageError, match=r"lacks 'annotations\.json'"):
        read(read_nwpu, tmp_path / "ground truth")


@here_only
def test_real_nwpu() -> None:
    records, tally = read(read_nwpu, SHARED / "nwpu_vhr10")
    assert Counter(record.split for record in records) == {"train": 520, "val": 65}
    assert sum(len(record.things) for record in records) == 3178 + 413 and tally == {}
    assert {thing.label for record in records for thing in record.things} == set(NWPU_CLASSES)
    assert len({record.id for record in records}) == len({record.family for record in records}) == 585
    assert all(record.image.is_file() for record in records)
    for record in itertools.islice(records, 20):
        assert all(thing.polygon_px is not None and thing.corners_px is not None for thing in record.things)
    again = [record.id for record in read_nwpu(SHARED / "nwpu_vhr10", split="val")]
    assert again == [record.id for record in records if record.split == "val"]


@here_only
def test_real_file_as_any_coco_file() -> None:
    records, tally = read(read_coco, SHARED / "nwpu_vhr10/val.json")
    assert (len(records), sum(len(record.things) for record in records), tally) == (65, 413, {})
    assert records[0].image.is_file() and records[0].size_wh == (980, 767)
