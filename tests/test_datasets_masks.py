"""Readers of masks: RRSIS-D, RefSegRS, iSAID, GeoPixelD, LoveDA, DeepGlobe. Each trap on files the test writes."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask
from surveyor.core.errors import UsageError
from surveyor.evals.datasets import geopixeld, isaid, landcover, refsegrs, rrsisd
from surveyor.evals.datasets.label_images import class_masks, colours, foreground, numbered_masks, read_labels
from surveyor.evals.datasets.pickles import read_plain_pickle

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def write(path: Path, pixels: np.ndarray, flags: list[int] | None = None) -> Path:
    """An image file; colours are red, green, blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    assert cv2.imwrite(str(path), np.ascontiguousarray(stored, dtype=np.uint8), flags or [])
    return path


def picture(path: Path, width: int = 8, height: int = 6, seed: int = 0) -> Path:
    return write(path, np.random.default_rng(seed).integers(0, 255, (height, width, 3)))


def rle(pixels: Any) -> dict[str, Any]:
    packed = coco_mask.encode(np.asfortranarray(np.asarray(pixels, dtype=np.uint8)))
    return {"size": list(packed["size"]), "counts": packed["counts"].decode()}


def block(shape_hw: tuple[int, int], x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    pixels = np.zeros(shape_hw, dtype=np.uint8)
    pixels[y0:y1, x0:x1] = 1
    return pixels


# ---- label images ------------------------------------------------------------------------------------------------


def test_colour_channels_are_read_as_red_green_blue(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", np.array([[[1, 2, 3], [255, 0, 0]]]))
    assert read_labels(path).tolist() == [[[1, 2, 3], [255, 0, 0]]]
    assert colours(path, "colours").tolist() == [[1 + 2 * 256 + 3 * 65536, 255]]


def test_a_palette_image_gives_indices_not_colours(tmp_path: Path) -> None:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    path = tmp_path / "palette.png"
    with (
        pytest.warns(NotGeoreferencedWarning),
        rasterio.open(path, "w", driver="PNG", width=2, height=2, count=1, dtype="uint8") as out,
    ):
        out.write(np.array([[[0, 1], [2, 7]]], dtype=np.uint8))
        out.write_colormap(1, {0: (9, 9, 9, 255), 1: (200, 0, 0, 255), 2: (0, 200, 0, 255), 7: (0, 0, 200, 255)})
    assert read_labels(path).tolist() == [[0, 1], [2, 7]]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0, 0], [0, 0]], [[0, 0], [0, 0]]),
        ([[0, 1], [1, 0]], [[0, 1], [1, 0]]),
        ([[0, 255], [127, 128]], [[0, 1], [0, 1]]),
    ],
    ids=["nothing", "0 and 1", "0 and 255 with soft edges"],
)
def test_foreground_of_either_convention(tmp_path: Path, values: list, expected: list) -> None:
    assert foreground(write(tmp_path / "a.png", np.array(values))).astype(int).tolist() == expected


def test_a_one_bit_mask_is_foreground_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", np.array([[0, 255], [255, 0]]), [cv2.IMWRITE_PNG_BILEVEL, 1])
    assert foreground(path).astype(int).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "cut", "flipped"])
def test_a_damaged_label_image_is_named(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (40, 40)))
    data = path.read_bytes()
    if kind == "missing":
        path.unlink()
    else:
        broken = {"empty": b"", "text": b"not an image at all", "cut": data[:-200]}
        path.write_bytes(broken.get(kind, data[:400] + bytes([data[400] ^ 255]) + data[401:]))
    with pytest.raises(UsageError, match=r"a\.png"):
        read_labels(path)


@given(hnp.arrays(np.uint32, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 4)))
def test_numbered_masks_take_the_image_apart(numbers: np.ndarray) -> None:
    back = np.zeros_like(numbers)
    for number, mask in numbered_masks(numbers):
        assert mask.area_px
        assert not back[mask.to_array()].any()
        back[mask.to_array()] = number
    np.testing.assert_array_equal(back, numbers)


def test_class_masks_unite_values_of_one_name() -> None:
    masks = class_masks(np.array([[2, 3], [4, 0]]), {2: "building", 3: "building", 4: "road", 5: "water"})
    assert {name: mask.area_px for name, mask in masks.items()} == {"building": 2, "road": 1}


# ---- RRSIS-D -----------------------------------------------------------------------------------------------------


def rrsisd_tree(root: Path, **changes: Any) -> Path:
    """One image 8 x 6, two references: a mask of two overlapping parts, and a plain one."""
    picture(root / "images/rrsisd/JPEGImages/00011.png").rename(root / "images/rrsisd/JPEGImages/00011.jpg")
    parts = [rle(block((6, 8), 0, 0, 4, 3)), rle(block((6, 8), 2, 0, 6, 3))]
    annotations = [
        {"id": 11, "image_id": 11, "category_id": 3, "bbox": [1, 1, 5, 2], "segmentation": parts},
        {
            "id": 12,
            "image_id": 11,
            "category_id": 9,
            "bbox": [0, 0, 0, 0],
            "segmentation": [rle(block((6, 8), 6, 4, 8, 6))],
        },
    ]
    refs = [
        {
            "ref_id": number,
            "ann_id": number,
            "category_id": 3,
            "image_id": 11,
            "file_name": "00011.jpg",
            "split": "test",
            "sent_ids": [number],
            "sentences": [{"sent_id": number, "sent": text, "raw": text, "tokens": text.split()}],
        }
        for number, text in ((11, "The  Bridge on the left"), (12, "a chimney"))
    ]
    categories = [{"id": 9, "name": "chimney"}, {"id": 3, "name": "Expressway-Service-area"}]
    content = {"images": [], "annotations": annotations, "categories": categories} | changes.pop("instances", {})
    refs = changes.pop("refs", refs)
    (root / "rrsisd").mkdir(exist_ok=True)
    (root / "rrsisd/refs(unc).p").write_bytes(changes.pop("pickled", None) or pickle.dumps(refs, protocol=2))
    (root / "rrsisd/instances.json").write_text(json.dumps(content))
    return root


def test_rrsisd_record(tmp_path: Path) -> None:
    (record,) = rrsisd.read(rrsisd_tree(tmp_path))
    assert (record.id, record.family, record.split, record.size_wh) == ("00011", "dior:00011", "test", (8, 6))
    assert not record.is_exhaustive
    assert [thing.label for thing in record.things] == ["expressway service area", "chimney"]
    assert [(said.text, said.things) for said in record.said] == [
        ("the bridge on the left", ("11",)),
        ("a chimney", ("12",)),
    ]


def test_rrsisd_pixels_covered_twice_count(tmp_path: Path) -> None:
    (record,) = rrsisd.read(rrsisd_tree(tmp_path))
    mask = record.things[0].mask
    assert mask is not None
    assert mask.area_px == 18  # 6 x 3; the columns 2 and 3 lie in both parts and are lost by `sum == 1`


def test_rrsisd_box_is_x_y_width_height_else_round_the_mask(tmp_path: Path) -> None:
    (record,) = rrsisd.read(rrsisd_tree(tmp_path))
    assert record.things[0].box_px.tolist() == [1, 1, 6, 3]
    assert record.things[1].box_px.tolist() == [6, 4, 8, 6]


def test_rrsisd_mask_of_another_size_is_stretched() -> None:
    mask = rrsisd.union_of_rles([rle(block((800, 800), 0, 799, 800, 800))], (800, 801))
    assert mask.shape_hw == (801, 800)
    box = mask.box_px
    assert box is not None and box.tolist() == [0, 800, 800, 801]
    small = rrsisd.union_of_rles(rle(block((800, 800), 100, 200, 300, 400)), (800, 787))
    assert small.shape_hw == (787, 800)
    assert rrsisd.union_of_rles(rle(block((4, 4), 2, 1, 3, 2)), (12, 12)).area_px == 9  # nearest: 1 px becomes 3 x 3
    assert small.area_px == pytest.approx(200 * 200 * 787 / 800, rel=0.01)


def test_rrsisd_test_split_is_whatever_has_test_in_it(tmp_path: Path) -> None:
    base = rrsisd_tree(tmp_path)
    refs = pickle.loads((base / "rrsisd/refs(unc).p").read_bytes())
    refs[1]["split"] = "testA"
    rrsisd_tree(tmp_path, refs=refs)
    assert [(record.id, record.split) for record in rrsisd.read(tmp_path, split="test")] == [
        ("00011/test", "test"),
        ("00011/testA", "testA"),
    ]
    assert list(rrsisd.read(tmp_path, split="train")) == []


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (eval, ("1/0",))


def test_rrsisd_pickle_runs_nothing(tmp_path: Path) -> None:
    rrsisd_tree(tmp_path, pickled=pickle.dumps([Evil()]))
    with pytest.raises(UsageError, match=r"refs\(unc\)\.p.*names builtins\.eval"):
        list(rrsisd.read(tmp_path))


@pytest.mark.parametrize(
    "data", [b"", b"nonsense", pickle.dumps([1, 2])[:-3], pickle.dumps({"a": 1}), pickle.dumps([1])]
)
def test_rrsisd_damaged_pickle_is_named(tmp_path: Path, data: bytes) -> None:
    rrsisd_tree(tmp_path)
    (tmp_path / "rrsisd/refs(unc).p").write_bytes(data)
    with pytest.raises(UsageError, match=r"refs\(unc\)\.p"):
        list(rrsisd.read(tmp_path))


def test_rrsisd_old_pickle_with_bytes_for_text(tmp_path: Path) -> None:
    path = tmp_path / "old.p"
    path.write_bytes(b"(lp0\n(dp1\nS'split'\np2\nS'train'\np3\nsa.")  # as Python 2 wrote it
    assert read_plain_pickle(path, "x") == [{"split": "train"}]


def test_rrsisd_losses_are_counted(tmp_path: Path) -> None:
    base = rrsisd_tree(tmp_path)
    content = json.loads((base / "rrsisd/instances.json").read_text())
    content["annotations"][0]["segmentation"] = [rle(np.zeros((6, 8)))]
    rrsisd_tree(tmp_path, instances={"annotations": content["annotations"][:1]})
    tally: Counter[str] = Counter()
    assert list(rrsisd.read(tmp_path, tally=tally)) == []
    assert tally == {"mask without pixels": 1, "expression without annotation": 1}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"categories": []}, "instances.json.*annotation 11.*category"),
        ({"annotations": [{"id": 11, "category_id": 3, "segmentation": "x"}]}, "instances.json.*annotation 11"),
        ({"annotations": None}, "instances.json.*annotations"),
    ],
)
def test_rrsisd_damaged_instances(tmp_path: Path, broken: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        list(rrsisd.read(rrsisd_tree(tmp_path, instances=broken)))


def test_rrsisd_missing_image_and_tree(tmp_path: Path) -> None:
    (rrsisd_tree(tmp_path) / "images/rrsisd/JPEGImages/00011.jpg").unlink()
    with pytest.raises(UsageError, match=r"00011\.jpg"):
        list(rrsisd.read(tmp_path))
    with pytest.raises(UsageError, match=r"refs\(unc\)\.p"):
        list(rrsisd.read(tmp_path / "images"))
    with pytest.raises(UsageError, match="no split 'nonsense'"):
        list(rrsisd.read(tmp_path, split="nonsense"))


# ---- RefSegRS ----------------------------------------------------------------------------------------------------


def refsegrs_tree(root: Path) -> Path:
    for number, seed in ((3, 0), (20, 1), (7, 0)):  # 3 and 7 show the same scene
        picture(root / f"images/{number}.tif", seed=seed)
        write(
            root / f"masks/{number}.tif", np.where(block((6, 8), 0, 0, 4, 4), 255, 0) + block((6, 8), 6, 0, 8, 2) * 100
        )
    (root / "output_phrase_train.txt").write_text("20 vehicle along the road\n3 Road\n3  low vegetation\n")
    (root / "output_phrase_test.txt").write_text("7 the road\n")
    return root


def test_refsegrs_records_follow_the_lists(tmp_path: Path) -> None:
    records = list(refsegrs.read(refsegrs_tree(tmp_path)))
    assert [(r.id, r.split, [s.text for s in r.said]) for r in records] == [
        ("train/20", "train", ["vehicle along the road"]),
        ("train/3", "train", ["road", "low vegetation"]),
        ("test/7", "test", ["the road"]),
    ]
    assert [r.id for r in refsegrs.read(tmp_path, split="test")] == ["test/7"]
    assert all(r.things == () and not r.is_exhaustive for r in records)


def test_refsegrs_foreground_lies_above_127(tmp_path: Path) -> None:
    record = next(refsegrs.read(refsegrs_tree(tmp_path)))
    mask = record.said[0].mask
    assert mask is not None
    assert mask.area_px == 16  # the 2 x 2 px of value 100 are none


def test_refsegrs_one_scene_under_two_numbers_is_one_family(tmp_path: Path) -> None:
    family = {record.id: record.family for record in refsegrs.read(refsegrs_tree(tmp_path))}
    assert family["train/3"] == family["test/7"] != family["train/20"]
    assert list(refsegrs.shared_scenes(tmp_path).values()) == [("train/3", "test/7")]


def test_refsegrs_empty_mask_is_counted(tmp_path: Path) -> None:
    write(refsegrs_tree(tmp_path) / "masks/3.tif", np.zeros((6, 8)))
    tally: Counter[str] = Counter()
    assert [r.id for r in refsegrs.read(tmp_path, tally=tally)] == ["train/20", "test/7"]
    assert tally == {"mask without pixels": 2}


@pytest.mark.parametrize(
    ("line", "message"),
    [("road", "line 2.*'road'"), ("5", "line 2"), ("99 road", r"output_phrase_train\.txt.*99")],
    ids=["no number", "no words", "no image"],
)
def test_refsegrs_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    (refsegrs_tree(tmp_path) / "output_phrase_train.txt").write_text(f"3 road\n{line}\n")
    with pytest.raises(UsageError, match=message):
        list(refsegrs.read(tmp_path))


def test_refsegrs_mask_of_another_size_and_missing_lists(tmp_path: Path) -> None:
    write(refsegrs_tree(tmp_path) / "masks/20.tif", np.full((5, 8), 255))
    with pytest.raises(UsageError, match=r"20\.tif.*8 x 5 px.*8 x 6 px"):
        list(refsegrs.read(tmp_path))
    (tmp_path / "output_phrase_test.txt").unlink()
    with pytest.raises(UsageError, match=r"output_phrase_test\.txt"):
        list(refsegrs.read(tmp_path, split="test"))


# ---- iSAID -------------------------------------------------------------------------------------------------------


def isaid_masks(folder: Path, stem: str = "P0002", width: int = 8, height: int = 6) -> None:
    """Two objects whose colours differ in the blue channel only, and one without class."""
    picture(folder / f"{stem}.png", width, height)
    numbers = np.zeros((height, width, 3))
    numbers[0:2, 0:3] = (5, 0, 0)
    numbers[3:5, 0:3] = (5, 0, 1)
    numbers[5, 7] = (5, 1, 0)
    classes = np.zeros((height, width, 3))
    classes[0:2, 0:3] = (0, 127, 255)  # plane
    classes[3:5, 0:3] = (0, 0, 63)  # ship
    write(folder / f"{stem}_instance_id_RGB.png", numbers)
    write(folder / f"{stem}_instance_color_RGB.png", classes)


def isaid_coco(folder: Path, name: str = "instancesonly_filtered_val.json", **changes: Any) -> Path:
    """Categories in first-seen order; one object of two parts, of which one is inside the other."""
    picture(folder / "images/P0003.png")
    outer, inner = [0, 0, 5, 0, 5, 5, 0, 5], [1, 1, 3, 1, 3, 3, 1, 3]
    content = {
        "images": [{"id": 0, "file_name": "P0003.png", "width": 8, "height": 6, "ins_file_name": "x"}],
        "categories": [{"id": 14, "name": "plane"}, {"id": 6, "name": "Ground_Track_Field"}],
        "annotations": [
            {"id": 7, "image_id": 0, "category_id": 6, "category_name": "?", "segmentation": [outer, inner]},
            {"id": 8, "image_id": 0, "category_id": 14, "segmentation": [[6, 0, 8, 0, 8, 2, 6, 2]]},
            {"id": 9, "image_id": 0, "category_id": 14, "segmentation": [[20, 0, 28, 0, 28, 2]]},
        ],
    } | changes
    (folder / name).write_text(json.dumps(content))
    return folder.parent


def test_isaid_instances_need_all_three_channels(tmp_path: Path) -> None:
    isaid_masks(tmp_path / "train/images")
    tally: Counter[str] = Counter()
    (record,) = isaid.read(tmp_path, tally=tally)
    assert [(thing.label, thing.box_px.tolist()) for thing in record.things] == [
        ("plane", [0, 0, 3, 2]),
        ("ship", [0, 3, 3, 5]),
    ]
    assert tally == {"object on the background of the class image": 1}
    assert (record.id, record.family, record.split) == ("train/P0002", "dota:P0002", "train")
    assert record.is_exhaustive
    assert len(record.classes) == 15


def test_isaid_masks_in_folders_of_their_own(tmp_path: Path) -> None:
    isaid_masks(tmp_path / "made")
    for source, target in (
        ("P0002.png", "images/images/P0002.png"),
        ("P0002_instance_id_RGB.png", "Instance_masks/images/P0002_instance_id_RGB.png"),
        ("P0002_instance_color_RGB.png", "Semantic_masks/images/P0002_instance_color_RGB.png"),
    ):
        place = tmp_path / "val" / target
        place.parent.mkdir(parents=True)
        (tmp_path / "made" / source).rename(place)
    assert [thing.label for record in isaid.read(tmp_path) for thing in record.things] == ["plane", "ship"]


def test_isaid_class_table_has_the_ids_multiplied_colours() -> None:
    assert isaid.COLOURS[(0, 127, 255)] == "plane" and isaid.COLOURS[(0, 0, 63)] == "ship"
    assert sorted(isaid.CLASSES) == sorted(set(isaid.CLASSES))


def test_isaid_patch_names_tell_y_first(tmp_path: Path) -> None:
    assert isaid.patch_window("P0003_0_6_347_355") == ("P0003", (347, 0, 355, 6))
    isaid_masks(tmp_path / "val/images", "P0003_0_6_347_355")
    (record,) = isaid.read(tmp_path, split="val")
    assert (record.id, record.family) == ("val/P0003_0_6_347_355", "dota:P0003")


def test_isaid_patch_whose_size_is_not_that_of_its_name(tmp_path: Path) -> None:
    isaid_masks(tmp_path / "val/images", "P0003_347_355_0_6")  # x first
    with pytest.raises(UsageError, match=r"P0003_347_355_0_6\.png.*expected 6 x 8 px"):
        list(isaid.read(tmp_path))


@pytest.mark.parametrize("name", ["instancesonly_filtered_val.json", "instance_only_filtered_val.json"])
def test_isaid_coco_by_id_under_both_names(tmp_path: Path, name: str) -> None:
    tally: Counter[str] = Counter()
    (record,) = isaid.read(isaid_coco(tmp_path / "val", name), tally=tally)
    assert [(thing.id, thing.label) for thing in record.things] == [("7", "ground track field"), ("8", "plane")]
    assert tally == {"outline without pixels": 1}
    mask = record.things[0].mask
    assert mask is not None
    assert mask.area_px == 25  # polygons have no holes: the inner part is not cut out


def test_isaid_instance_images_are_preferred(tmp_path: Path) -> None:
    root = isaid_coco(tmp_path / "val")
    isaid_masks(tmp_path / "val/images")
    assert [record.id for record in isaid.read(root)] == ["val/P0002"]
    assert [record.id for record in isaid.read(root, annotations="coco")] == ["val/P0003"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"categories": [{"id": 14, "name": "plane"}]}, "annotation 7.*category 6"),
        ({"images": [{"id": 0, "file_name": "P9.png", "width": 8, "height": 6}]}, r"P9\.png"),
        ({"images": [{"id": 0, "file_name": "P0003.png"}]}, "image 0.*width"),
        ({"annotations": [{"id": 7, "image_id": 0, "category_id": 6, "segmentation": [[1, 2, 3]]}]}, "annotation 7"),
    ],
)
def test_isaid_damaged_coco(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        list(isaid.read(isaid_coco(tmp_path / "val", **changes)))


def test_isaid_damaged_masks(tmp_path: Path) -> None:
    isaid_masks(tmp_path / "val/images")
    colour = tmp_path / "val/images/P0002_instance_color_RGB.png"
    write(colour, np.full((6, 8, 3), 77))
    with pytest.raises(UsageError, match=r"color_RGB\.png.*\(77, 77, 77\) is no class"):
        list(isaid.read(tmp_path))
    write(colour, np.zeros((6, 7, 3)))
    with pytest.raises(UsageError, match="7 x 6 px"):
        list(isaid.read(tmp_path))
    colour.unlink()
    with pytest.raises(UsageError, match="P0002_instance_color_RGB"):
        list(isaid.read(tmp_path))
    write(tmp_path / "val/images/P0002_instance_id_RGB.png", np.zeros((6, 8)))
    with pytest.raises(UsageError, match=r"id_RGB.*colour for each object"):
        list(isaid.read(tmp_path))


def test_isaid_without_labels_says_what_is_expected(tmp_path: Path) -> None:
    picture(tmp_path / "val/images/P0001.png")
    with pytest.raises(UsageError, match="instance_id_RGB"):
        list(isaid.read(tmp_path))
    with pytest.raises(UsageError, match="train"):
        list(isaid.read(tmp_path, split="train"))


# ---- GeoPixelD ---------------------------------------------------------------------------------------------------


def geopixeld_entry(folder: Path, stem: str = "P0003_0_6_0_8", **changes: Any) -> Path:
    picture(folder / f"{stem}.png")
    content = {
        "id": 0,
        "img": f"data/GeoPixelD/train/{stem}.png",
        "gcg_description": "Look. The <p> tennis court-1 </p> [SEG] , and <p>cluster of Ships-2</p> [SEG] at right.",
        "polygons": [[[[0, 0], [3, 0], [3, 2], [0, 2]]], [[[5, 0], [6, 0], [6, 1], [5, 1]], [[5, 4], [7, 4], [7, 5]]]],
    } | changes
    (folder / f"{stem}.json").write_text(json.dumps(content))
    return folder


def test_geopixeld_phrases_and_masks(tmp_path: Path) -> None:
    geopixeld_entry(tmp_path / "test")
    (record,) = geopixeld.read(tmp_path)
    assert (record.id, record.family, record.split) == ("test/P0003_0_6_0_8", "dota:P0003", "test")
    first, second = record.things
    assert (first.label, first.attributes["phrase"]) == ("tennis court", "tennis court-1")
    assert (second.label, second.attributes["parts"]) == ("cluster of ships", "2")
    assert first.mask is not None
    assert first.mask.area_px == 12  # corners included: 4 x 3 px, as cv2.fillPoly counts
    (caption,) = record.said
    assert caption.text == "Look. The tennis court-1, and cluster of Ships-2 at right."
    assert caption.things == ("0", "1")
    (tagged,) = geopixeld.read(tmp_path, text="tagged")
    assert "<p> tennis court-1 </p> [SEG]" in tagged.said[0].text


def test_geopixeld_the_phrase_is_the_last_before_its_place() -> None:
    assert geopixeld.phrases("<p> a-1 </p> near <p> b-2 </p> [SEG] , and [SEG]") == ["b-2", ""]
    assert geopixeld.without_number("car-12") == "car"


def test_geopixeld_outlines_must_be_as_many_as_their_places(tmp_path: Path) -> None:
    geopixeld_entry(tmp_path / "train", "P0001_0_6_0_8", polygons=[[[[0, 0], [3, 0], [3, 2]]]])
    geopixeld_entry(tmp_path / "train", "P0002_0_6_0_8", polygons=[[[[90, 0], [93, 0], [93, 2]]]] * 2)
    geopixeld_entry(tmp_path / "train")
    tally: Counter[str] = Counter()
    assert [record.id for record in geopixeld.read(tmp_path, tally=tally)] == ["train/P0003_0_6_0_8"]
    assert tally == {"outlines and [SEG] differ in number": 1, "outline without pixels": 1}


def test_geopixeld_run_lengths_in_place_of_outlines(tmp_path: Path) -> None:
    folder = geopixeld_entry(tmp_path / "train", gcg_description="<p> a </p> [SEG]", polygons=None)
    path = next(folder.glob("*.json"))
    content = json.loads(path.read_text())
    del content["polygons"]
    path.write_text(
        json.dumps(content | {"segmentation": [[rle(block((6, 8), 0, 0, 4, 3)), rle(block((6, 8), 2, 0, 6, 3))]]})
    )
    (record,) = geopixeld.read(tmp_path)
    assert record.things[0].mask is not None
    assert record.things[0].mask.area_px == 18


@given(st.lists(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), min_size=1, max_size=6), max_size=3))
def test_geopixeld_parts_are_filled_as_the_authors_do(parts: list[list[tuple[int, int]]]) -> None:
    expected = np.zeros((21, 31), dtype=np.uint8)
    for part in parts:
        cv2.fillPoly(expected, [np.array(part, dtype=np.int32)], 1)
    mask = geopixeld.fill_parts([[list(point) for point in part] for part in parts], (21, 31))
    assert mask is not None
    np.testing.assert_array_equal(mask.to_array(), expected != 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"polygons": [[[[0, 0], [3, 0], [3]]], []]}, r"polygons\[0\]"),
        ({"polygons": [["x"], []]}, r"polygons\[0\]"),
        ({"polygons": {}}, "polygons"),
        ({"gcg_description": None}, "gcg_description"),
        ({"family": 7}, "family"),
        ({"licence": ["CC0"], "source": "mine"}, "licence"),
    ],
)
def test_geopixeld_damaged_entries_are_named(tmp_path: Path, changes: dict, message: str) -> None:
    geopixeld_entry(tmp_path / "train", **changes)
    with pytest.raises(UsageError, match=rf"P0003_0_6_0_8\.json.*{message}"):
        list(geopixeld.read(tmp_path))


def test_geopixeld_an_entry_that_tells_its_family_is_believed(tmp_path: Path) -> None:
    told = {"family": "levir:train_36", "source": "LEVIR-CD", "licence": "CC BY 4.0", "split": "train"}
    geopixeld_entry(tmp_path / "train", "mine_0", **told)
    geopixeld_entry(tmp_path / "train", "mine_1", family=None, source="")
    geopixeld_entry(tmp_path / "train", "P0003_0_6_0_8", family="dota:P0003")
    found = list(geopixeld.read(tmp_path))
    assert [each.family for each in found] == ["dota:P0003", "levir:train_36", "geopixeld:mine_1"]
    assert [(each.source.name, each.source.licence) for each in found[1:]] == [
        ("LEVIR-CD", "CC BY 4.0"),
        ("GeoPixelD", "not stated"),
    ]


def test_geopixeld_missing_image_or_split(tmp_path: Path) -> None:
    (geopixeld_entry(tmp_path / "train") / "P0003_0_6_0_8.png").unlink()
    with pytest.raises(UsageError, match=r"P0003_0_6_0_8\.json.*no image"):
        list(geopixeld.read(tmp_path))
    with pytest.raises(UsageError, match="no folder 'test'"):
        list(geopixeld.read(tmp_path, split="test"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"holds no \.json"):
        list(geopixeld.read(tmp_path / "empty"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_geopixeld_real_sample(tmp_path: Path) -> None:
    stem = "P0224_0_800_0_800"
    for suffix in (".json", ".png"):
        (tmp_path / f"{stem}{suffix}").symlink_to(SHARED / f"scenes_misc/geopixeld_{stem}{suffix}")
    (record,) = geopixeld.read(tmp_path)
    assert [thing.attributes["phrase"] for thing in record.things] == [f"tennis court-{i}" for i in range(1, 5)]
    assert (record.family, record.size_wh) == ("dota:P0224", (800, 800))
    assert all(thing.mask is not None and thing.mask.area_px > 2500 for thing in record.things)  # courts, in part
    pairs = [(a.mask, b.mask) for a in record.things for b in record.things if a.id < b.id]
    assert all(a is not None and b is not None and a.iou(b) < 0.05 for a, b in pairs)


# ---- LoveDA, DeepGlobe -------------------------------------------------------------------------------------------


def test_loveda_zero_is_not_annotated_and_one_is_background(tmp_path: Path) -> None:
    picture(tmp_path / "Val/Urban/images_png/10.png")
    picture(tmp_path / "Val/Urban/images_png/9.png")
    values = np.array([[0, 1, 2, 3, 4, 5, 6, 7]] * 6)
    values[0] = 7
    values[1, 1] = 0
    write(tmp_path / "Val/Urban/masks_png/10.png", values)
    write(tmp_path / "Val/Urban/masks_png/9.png", np.full((6, 8), 2))
    nine, ten = landcover.read_loveda(tmp_path)
    assert (nine.id, ten.id, ten.family) == ("val/Urban/9", "val/Urban/10", "loveda:10")
    assert {name: mask.area_px for name, mask in ten.regions.items()} == {
        "background": 4,
        **dict.fromkeys(["building", "road", "water", "barren", "forest"], 5),
        "agriculture": 13,
    }
    assert ten.ignored is not None and ten.ignored.area_px == 6
    assert nine.ignored is None
    assert ten.is_exhaustive and "background" not in ten.classes


def test_loveda_test_set_has_no_masks(tmp_path: Path) -> None:
    picture(tmp_path / "Test/Rural/images_png/1.png")
    tally: Counter[str] = Counter()
    assert list(landcover.read_loveda(tmp_path, tally=tally)) == []
    assert tally == {"image without mask": 1}


def test_loveda_damage_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "Train/Rural/images_png/1.png")
    path = write(tmp_path / "Train/Rural/masks_png/1.png", np.full((6, 8), 8))
    with pytest.raises(UsageError, match=r"1\.png.*\[8\]"):
        list(landcover.read_loveda(tmp_path))
    write(path, np.zeros((4, 4)))
    with pytest.raises(UsageError, match="4 x 4 px"):
        list(landcover.read_loveda(tmp_path))
    path.unlink()
    with pytest.raises(UsageError, match=r"mask.*is missing"):
        list(landcover.read_loveda(tmp_path))
    with pytest.raises(UsageError, match="Val"):
        list(landcover.read_loveda(tmp_path, split="val"))


@pytest.mark.parametrize("layout", ["apart", "together"])
def test_deepglobe_colours_need_not_be_exact(tmp_path: Path, layout: str) -> None:
    images, masks = ("training_data/images", "training_data/masks") if layout == "apart" else ("train", "train")
    picture(tmp_path / images / "77_sat.png").rename(tmp_path / images / "77_sat.jpg")
    row = [
        (0, 255, 255),
        (250, 240, 3),
        (255, 0, 255),
        (0, 255, 0),
        (10, 0, 129),
        (255, 255, 255),
        (0, 0, 0),
        (255, 0, 0),
    ]
    write(tmp_path / masks / "77_mask.png", np.array([row] * 6))
    (record,) = landcover.read_land(tmp_path)
    assert list(record.regions) == ["urban", "agriculture", "rangeland", "forest", "water", "barren"]
    assert {name: mask.offset_xy[0] for name, mask in record.regions.items()} == {
        "urban": 0,
        "agriculture": 1,
        "rangeland": 2,
        "forest": 3,
        "water": 4,
        "barren": 5,
    }
    assert record.ignored is not None and record.ignored.area_px == 12  # unknown, and red, which is no class
    assert (record.id, record.family, record.gsd_m) == ("train/77", "deepglobe:77", 0.5)


def test_deepglobe_roads_are_white(tmp_path: Path) -> None:
    picture(tmp_path / "train/5_sat.jpg")
    write(tmp_path / "train/5_mask.png", np.repeat((block((6, 8), 0, 2, 8, 4) * 250)[..., None], 3, axis=2))
    picture(tmp_path / "valid/6_sat.jpg")
    tally: Counter[str] = Counter()
    (record,) = landcover.read_road(tmp_path, tally=tally)
    assert {name: mask.area_px for name, mask in record.regions.items()} == {"road": 16}
    assert tally == {"image without mask": 1}


def test_deepglobe_damage_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "train/5_sat.jpg")
    picture(tmp_path / "train/6_sat.jpg")
    write(tmp_path / "train/5_mask.png", np.zeros((6, 8)))
    with pytest.raises(UsageError, match=r"5_mask\.png.*RGB"):
        list(landcover.read_land(tmp_path))
    with pytest.raises(UsageError, match=r"6_sat\.jpg.*6_mask"):
        list(landcover.read_road(tmp_path))
    with pytest.raises(UsageError, match="training_data"):
        list(landcover.read_land(tmp_path / "train"))
