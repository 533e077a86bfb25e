"""Readers of change: LEVIR-CD, LEVIR-MCI/CC, xBD, folders before/after. Each trap on files the test writes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import shapely
from surveyor.core.errors import UsageError
from surveyor.evals.datasets import levir, pairs, xbd
from surveyor.evals.datasets.record import Record

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "change"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")


def write(path: Path, pixels: Any) -> Path:
    """An image file; colours are red, green, blue."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.asarray(pixels, dtype=np.uint8)
    assert cv2.imwrite(str(path), np.ascontiguousarray(array[..., ::-1] if array.ndim == 3 else array))
    return path


def picture(path: Path, width: int = 8, height: int = 6, seed: int = 0) -> Path:
    return write(path, np.random.default_rng(seed).integers(0, 255, (height, width, 3)))


def pair(folder: Path, name: str, label: Any = None, names: tuple[str, str, str] = ("A", "B", "label")) -> None:
    for i in (0, 1):
        picture(folder / names[i] / f"{name}.png", seed=i)
    if label is not None:
        write(folder / names[2] / f"{name}.png", label)


def mask(value: int = 255, columns: int = 3) -> np.ndarray:
    pixels = np.zeros((6, 8))
    pixels[:2, :columns] = value
    return pixels


def areas(record: Record) -> dict[str, int]:
    return {name: changed.area_px for name, changed in record.changed.items()}


# ---- LEVIR-CD ----------------------------------------------------------------------------------------------------


def test_levir_cd_as_it_is_packed(tmp_path: Path) -> None:
    for part in ("val", "train", "test"):
        pair(tmp_path / part, f"{part}_1", mask())
    records = list(levir.read_cd(tmp_path))
    assert [(r.id, r.family, r.split) for r in records] == [
        (f"{part}/{part}_1", f"levir:{part}_1", part) for part in ("train", "val", "test")
    ]
    first = records[0]
    assert first.image.parent.name == "A" and first.after is not None and first.after.parent.name == "B"
    assert areas(first) == {"building": 6}
    assert (first.is_exhaustive, first.classes, first.gsd_m, first.size_wh) == (True, ("building",), 0.5, (8, 6))
    assert [r.split for r in levir.read_cd(tmp_path, split="test")] == ["test"]


def test_levir_cd_crops_with_lists_share_the_family_of_their_scene(tmp_path: Path) -> None:
    for name in ("train_36_0512_0512", "train_36_0000_0000", "test_2_0000_0000"):
        pair(tmp_path, name, mask(1))  # some copies hold 0 and 1
    (tmp_path / "list").mkdir()
    (tmp_path / "list/train.txt").write_text("train_36_0512_0512.png\ntrain_36_0000_0000.png\n")
    (tmp_path / "list/test.txt").write_text("test_2_0000_0000.png\n")
    records = list(levir.read_cd(tmp_path))
    assert [r.id for r in records] == ["train/train_36_0512_0512", "train/train_36_0000_0000", "test/test_2_0000_0000"]
    assert [r.family for r in records] == ["levir:train_36", "levir:train_36", "levir:test_2"]
    assert all(areas(r) == {"building": 6} for r in records)


def test_a_root_with_the_letter_a_in_it_is_no_trouble(tmp_path: Path) -> None:
    root = tmp_path / "DATA" / "A" / "LEVIR-A"
    pair(root / "train", "train_A1", mask())
    (record,) = levir.read_cd(root)
    assert record.image == root / "train/A/train_A1.png"
    assert record.after == root / "train/B/train_A1.png"


def test_levir_cd_soft_edges_count_from_128(tmp_path: Path) -> None:
    label = mask()
    label[5] = [0, 1, 100, 127, 128, 200, 254, 255]
    pair(tmp_path / "train", "train_1", label)
    (record,) = levir.read_cd(tmp_path)
    assert areas(record) == {"building": 6 + 4}


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("train/A", r"none of the folders A"),
        ("train/label", r"lacks 'label'"),
        ("train/B/train_1.png", r"A/train_1\.png.*B/train_1"),
        ("train/A/train_1.png", r"B/train_1\.png.*earlier image is missing"),
        ("train/label/train_1.png", r"label/train_1"),
    ],
)
def test_levir_cd_what_is_missing_is_named(tmp_path: Path, gone: str, message: str) -> None:
    for name in ("train_1", "train_2"):
        pair(tmp_path / "train", name, mask())
    path = tmp_path / gone
    if path.is_dir():
        path.rename(tmp_path / "elsewhere")
    else:
        path.unlink()
    with pytest.raises(UsageError, match=message):
        list(levir.read_cd(tmp_path))


def test_pairs_of_different_size_are_named(tmp_path: Path) -> None:
    pair(tmp_path, "a", mask())
    picture(tmp_path / "B/a.png", 9, 6)
    with pytest.raises(UsageError, match=r"B/a\.png' is 9 x 6 px.*8 x 6 px"):
        list(pairs.read(tmp_path))
    pair(tmp_path / "other", "a", np.zeros((6, 9)))
    with pytest.raises(UsageError, match=r"label/a\.png' is 9 x 6 px"):
        list(pairs.read(tmp_path / "other"))


def test_no_such_split(tmp_path: Path) -> None:
    pair(tmp_path / "train", "a", mask())
    with pytest.raises(UsageError, match="no split 'val'; it has train"):
        list(levir.read_cd(tmp_path, split="val"))
    with pytest.raises(UsageError, match="no split 'all'"):
        list(levir.read_cd(tmp_path, split="all"))


# ---- LEVIR-MCI and LEVIR-CC --------------------------------------------------------------------------------------


def mci_tree(root: Path, label: np.ndarray | None, flag: int = 1, name: str = "test_000001", **changes: Any) -> Path:
    """One pair; the mask's class is in its first channel, the others hold something else."""
    folder = root / "images/test"
    pair(folder, name)
    if label is not None:
        write(folder / f"label/{name}.png", np.stack([label, np.full_like(label, 7), label * 0], axis=-1))
    text = " a road appears on the left . " if flag else " there is no difference . "
    sentences = [{"tokens": text.split()[:-1], "raw": text, "imgid": 0, "sentid": i} for i in range(5)]
    entry = {"filename": f"{name}.png", "filepath": "test", "split": "test", "imgid": 0, "changeflag": flag}
    content = {"images": [entry | {"sentences": sentences} | changes]}
    (root / "LevirCCcaptions.json").write_text(json.dumps(content))
    return root


def test_levir_mci_first_channel_128_is_road_255_building(tmp_path: Path) -> None:
    label = mask(128)
    label[4:, 2:] = 255
    (record,) = levir.read_mci(mci_tree(tmp_path, label))
    assert areas(record) == {"road": 6, "building": 12, "any": 18}
    assert record.classes == ("building", "road")
    assert (record.id, record.split, record.family) == ("test/test_000001", "test", "levir-mci:test_000001")
    assert [said.text for said in record.said] == ["a road appears on the left ."] * 5
    assert {said.type for said in record.said} == {"change"}


def test_levir_mci_no_change_is_told_by_empty_masks(tmp_path: Path) -> None:
    (record,) = levir.read_mci(mci_tree(tmp_path, mask(0), flag=0))
    assert areas(record) == {"road": 0, "building": 0, "any": 0}
    assert record.changed["road"].shape_hw == (6, 8)
    assert {said.type for said in record.said} == {"no change"}
    assert record.said[0].text.removesuffix(" .") in levir.NO_CHANGE


@pytest.mark.parametrize(
    ("value", "flag", "is_conflict"), [(255, 1, False), (0, 0, False), (255, 0, True), (0, 1, True)]
)
def test_levir_mci_flag_and_mask_are_compared(tmp_path: Path, value: int, flag: int, is_conflict: bool) -> None:
    (record,) = levir.read_mci(mci_tree(tmp_path, mask(value), flag))
    assert levir.is_conflict(record) == is_conflict
    tally: Counter[str] = Counter()
    kept = list(levir.read_mci(tmp_path, conflicts="drop", tally=tally))
    assert len(kept) == (0 if is_conflict else 1)
    assert tally == ({"changeflag and mask differ": 1} if is_conflict else {})


def test_levir_mci_other_values_are_damage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"test_000001\.png.*\[254\].*128 \(road\), 255 \(building\)"):
        list(levir.read_mci(mci_tree(tmp_path, mask(254))))


def test_levir_cc_has_no_masks(tmp_path: Path) -> None:
    (record,) = levir.read_mci(mci_tree(tmp_path, None))
    assert record.changed == {}
    assert (record.is_exhaustive, record.classes, len(record.said)) == (False, (), 5)
    assert not levir.is_conflict(record)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"filename": "test_000002.png"}, r"no entry for 'test_000001\.png'"),
        ({"changeflag": 2}, "changeflag"),
        ({"changeflag": None}, "changeflag"),
        ({"sentences": None}, "sentences"),
    ],
)
def test_levir_mci_damaged_captions(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UsageError, match=rf"LevirCCcaptions\.json.*{message}"):
        list(levir.read_mci(mci_tree(tmp_path, mask(), **changes)))


def test_levir_mci_crops_are_found_in_levir_cd_by_their_pixels(tmp_path: Path) -> None:
    scene = np.random.default_rng(5).integers(0, 255, (512, 512, 3))
    scene[:256, :256] = 0  # black crops tell nothing
    other = scene * 0
    for name, pixels in (("train_12", scene), ("train_13", other)):
        for side in ("A", "B"):
            write(tmp_path / f"cd/train/{side}/{name}.png", pixels)
        write(tmp_path / f"cd/train/label/{name}.png", np.zeros((512, 512)))
    mci_tree(tmp_path / "mci", None)
    write(tmp_path / "mci/images/test/A/test_000001.png", scene[256:, :256])
    write(tmp_path / "mci/images/test/B/test_000001.png", scene[256:, :256])
    (record,) = levir.read_mci(tmp_path / "mci", levir_cd=str(tmp_path / "cd"))
    assert record.family == "levir:train_12"
    for side in ("A", "B"):
        write(tmp_path / f"mci/images/test/{side}/test_000001.png", scene[:256, :256])
    (record,) = levir.read_mci(tmp_path / "mci", levir_cd=str(tmp_path / "cd"))
    assert record.family == "levir-mci:test_000001"


def test_levir_mci_unknown_option_and_missing_split(tmp_path: Path) -> None:
    root = mci_tree(tmp_path, mask())
    with pytest.raises(UsageError, match="conflicts='nonsense'"):
        list(levir.read_mci(root, conflicts="nonsense"))
    with pytest.raises(UsageError, match="lacks 'train'"):
        list(levir.read_mci(root, split="train"))


# ---- folders before/after ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", [("A", "B", "label"), ("before", "after", "mask"), ("T1", "T2", "GT"), ("im1", "im2", "labels")]
)
def test_usual_names_of_folders(tmp_path: Path, names: tuple[str, str, str]) -> None:
    pair(tmp_path / "mine", "x", mask(), names)
    (record,) = pairs.read(tmp_path / "mine", classes="Building")
    assert (record.id, record.family, record.split) == ("x", "mine:x", None)
    assert areas(record) == {"building": 6}
    assert record.classes == ("building",)


def test_named_folders_and_other_suffixes(tmp_path: Path) -> None:
    pair(tmp_path, "x", mask(), ("y2015", "y2020", "diff"))
    picture(tmp_path / "made.jpg").rename(tmp_path / "y2020/x.jpg")
    (tmp_path / "y2020/x.png").unlink()
    with pytest.raises(UsageError, match="none of the folders before, A"):
        list(pairs.read(tmp_path))
    (record,) = pairs.read(tmp_path, before="y2015", after="y2020", label="diff")
    assert record.after == tmp_path / "y2020/x.jpg"
    assert areas(record) == {"any": 6}


def test_two_folders_that_may_both_be_meant(tmp_path: Path) -> None:
    pair(tmp_path, "x", mask())
    (tmp_path / "before").mkdir()
    with pytest.raises(UsageError, match="'before' and 'A'"):
        list(pairs.read(tmp_path))
    assert len(list(pairs.read(tmp_path, before="A"))) == 1


def test_masks_of_several_classes(tmp_path: Path) -> None:
    label = mask(128)
    label[5, :] = 255
    pair(tmp_path, "x", label)
    (record,) = pairs.read(tmp_path, classes="128=Road, 255=building")
    assert areas(record) == {"road": 6, "building": 8, "any": 14}
    with pytest.raises(UsageError, match="255"):
        list(pairs.read(tmp_path, classes="128=road"))
    with pytest.raises(UsageError, match="classes='road='"):
        list(pairs.read(tmp_path, classes="road="))


def test_pairs_without_masks_tell_nothing_of_change(tmp_path: Path) -> None:
    pair(tmp_path, "x")
    (record,) = pairs.read(tmp_path)
    assert (record.changed, record.is_exhaustive) == ({}, False)


def test_crops_of_one_scene_are_one_family(tmp_path: Path) -> None:
    for name in ("s1_0000_0256", "s1_0256_0256", "s2"):
        pair(tmp_path / "set", name, mask())
    assert [r.family for r in pairs.read(tmp_path / "set")] == ["set:s1", "set:s1", "set:s2"]


@needs_shared
@pytest.mark.parametrize("name", ["levir", "dsifn", "fotbcd"])
def test_real_folders(name: str) -> None:
    records = list(pairs.read(SHARED / name, classes="building"))
    assert records
    assert [r.id for r in records] == sorted(path.stem for path in (SHARED / name / "A").iterdir())
    for record in records:
        label = cv2.imread(str(SHARED / name / "label" / f"{record.id}.png"), cv2.IMREAD_GRAYSCALE)
        np.testing.assert_array_equal(record.changed["building"].to_array(), label > 127)


# ---- xBD ---------------------------------------------------------------------------------------------------------

NAME = "hurricane-harvey_00000001"
SQUARE = "POLYGON ((1 1, 3 1, 3 3, 1 3, 1 1))"
TALL = "POLYGON ((5 0.0, 7 0, 7 4, 5 4, 5 0))"


def feature(uid: str, wkt: str, subtype: str | None = None, kind: str = "building") -> dict[str, Any]:
    told = {"feature_type": kind, "uid": uid} | ({"subtype": subtype} if subtype else {})
    return {"properties": told, "wkt": wkt}


def xbd_tree(root: Path, before: list[dict], after: list[dict], degrees: list[dict] | None = None) -> Path:
    for end, features in (("pre", before), ("post", after)):
        picture(root / f"images/{NAME}_{end}_disaster.png")
        content = {"features": {"xy": features, "lng_lat": degrees or []}, "metadata": {"gsd": 2.09, "width": 8}}
        (root / "labels").mkdir(exist_ok=True)
        (root / f"labels/{NAME}_{end}_disaster.json").write_text(json.dumps(content))
    return root


def test_xbd_damage_is_told_by_the_later_file(tmp_path: Path) -> None:
    before = [feature("b", SQUARE), feature("a", TALL)]
    after = [feature("a", TALL, "destroyed"), feature("b", SQUARE, "no-damage")]
    (record,) = xbd.read(xbd_tree(tmp_path / "tier3", before, after).parent)
    assert (record.id, record.split, record.family) == (f"tier3/{NAME}", "tier3", f"xbd:{NAME}")
    assert [(t.id, t.label, t.attributes["damage"], t.box_px.tolist()) for t in record.things] == [
        ("a", "building", "destroyed", [5, 0, 7, 4]),
        ("b", "building", "no damage", [1, 1, 3, 3]),
    ]
    assert areas(record) == {"building": 8, "minor damage": 0, "major damage": 0, "destroyed": 8}
    assert record.regions["building"].area_px == 12
    assert record.ignored is None
    assert record.gsd_m is None  # metadata.gsd is the sensor's


def test_xbd_unclassified_or_missing_later_is_ignored(tmp_path: Path) -> None:
    before = [feature("a", SQUARE), feature("b", TALL)]
    (record,) = xbd.read(xbd_tree(tmp_path, before, [feature("a", SQUARE, "un-classified")]))
    assert {thing.attributes["damage"] for thing in record.things} == {"unclassified"}
    assert record.ignored is not None and record.ignored.area_px == 4 + 8
    assert areas(record)["building"] == 0


def test_xbd_buildings_that_only_the_later_file_has(tmp_path: Path) -> None:
    (record,) = xbd.read(xbd_tree(tmp_path, [], [feature("a", SQUARE, "minor-damage")]))
    assert areas(record)["minor damage"] == areas(record)["building"] == 4
    assert record.split is None


def test_xbd_holes_and_losses(tmp_path: Path) -> None:
    holed = "POLYGON ((0 0, 6 0, 6 6, 0 6, 0 0), (2 2, 4 2, 4 4, 2 4, 2 2))"
    after = [
        feature("a", holed, "major-damage"),
        feature("b", "POLYGON EMPTY", "no-damage"),
        feature("c", "POLYGON ((90 90, 99 90, 99 99, 90 90))", "no-damage"),
        feature("d", SQUARE, kind="smoke"),
    ]
    tally: Counter[str] = Counter()
    (record,) = xbd.read(xbd_tree(tmp_path, [], after), tally=tally)
    assert [(thing.id, thing.mask.area_px if thing.mask else None) for thing in record.things] == [("a", 32)]
    assert tally == {
        "outline without area": 1,
        "building without pixels in the image": 1,
        "feature that is no building": 1,
    }


def test_xbd_gsd_is_measured_from_the_polygons() -> None:
    px = shapely.Polygon([(0, 0), (1000, 0), (1000, 10), (0, 10)])
    # 0.01 degrees of longitude on the equator are 1113.19 m, WGS84: 6378137 * pi / 180 / 100
    degrees = shapely.Polygon([(-95.0, 0.0), (-94.99, 0.0), (-94.99, -0.0001), (-95.0, -0.0001)])
    assert xbd.measured_gsd_m({"a": px}, {"a": degrees}) == pytest.approx(1.1132, abs=2e-4)
    assert xbd.measured_gsd_m({"a": px}, {"b": degrees}) is None
    small = shapely.affinity.scale(px, 0.05, 0.05)
    assert xbd.measured_gsd_m({"a": small}, {"a": degrees}) is None


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (feature("a", "POLYGON ((1 1, 3"), r"features\.xy\[0\].*WKT"),
        (feature("a", "POINT (1 1)"), "Point"),
        (feature("a", SQUARE, "burnt"), "'burnt'"),
        ({"properties": {"feature_type": "building"}, "wkt": SQUARE}, "uid"),
        ({"properties": {"uid": "a"}}, "wkt"),
    ],
)
def test_xbd_damaged_labels_are_named(tmp_path: Path, broken: dict, message: str) -> None:
    with pytest.raises(UsageError, match=rf"{NAME}_post_disaster\.json.*{message}"):
        list(xbd.read(xbd_tree(tmp_path, [], [broken])))


def test_xbd_what_is_missing_is_named(tmp_path: Path) -> None:
    root = xbd_tree(tmp_path, [], [])
    (root / f"labels/{NAME}_post_disaster.json").unlink()
    with pytest.raises(UsageError, match=r"post_disaster\.json"):
        list(xbd.read(root))
    (root / f"images/{NAME}_post_disaster.png").unlink()
    with pytest.raises(UsageError, match=r"pre_disaster\.png.*later image"):
        list(xbd.read(root))
    with pytest.raises(UsageError, match="lacks 'hold'"):
        list(xbd.read(root, split="hold"))


@pytest.mark.parametrize(("value", "is_damage"), [(5, False), (6, True), (255, True)])
def test_xbd_values_of_mask_images(tmp_path: Path, value: int, is_damage: bool) -> None:
    for end in ("pre", "post"):
        picture(tmp_path / f"images/{NAME}_{end}_disaster.png")
    write(tmp_path / f"masks/{NAME}_pre_disaster.png", mask())
    write(tmp_path / f"masks/{NAME}_post_disaster.png", mask(value))
    if is_damage:
        with pytest.raises(UsageError, match=r"post_disaster\.png"):
            list(xbd.read(tmp_path))
    else:
        (record,) = xbd.read(tmp_path)
        assert record.ignored is not None and record.ignored.area_px == 6


@needs_shared
def test_xbd_real_sample() -> None:
    records = list(xbd.read(SHARED / "xbd"))
    assert [record.id for record in records] == [f"hurricane-harvey_0000000{i}" for i in (0, 1, 6)]
    for record in records:
        damage = cv2.imread(str(SHARED / f"xbd/masks/{record.id}_post_disaster.png"), cv2.IMREAD_GRAYSCALE)
        counts = np.bincount(damage.reshape(-1), minlength=5)
        assert areas(record) == {
            "building": counts[2:5].sum(),
            "minor damage": counts[2],
            "major damage": counts[3],
            "destroyed": counts[4],
        }
        assert record.after is not None and record.after.name.endswith("post_disaster.png")
