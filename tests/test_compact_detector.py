"""The embedded detector: tiling, merging, calibration, the whole on a drawn scene; and how it is scored."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.errors import UnknownPhrase, UsageError
from surveyor.core.geometry import box_iou_matrix, box_to_corners
from surveyor.core.protocols import Grounder
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.evals.detection import Matched, Truth, average_precision, evaluate, match, rates, read_truth
from surveyor.evals.detection_calibrate import best_threshold, fit
from surveyor.synth import draw_scene
from surveyor.tools.models.compact.detector import OVERLAP, WHOLE, CompactGrounder, Detection, Detector, tiles
from surveyor.tools.models.merging import INSIDE, Raw, apart, merge, suppress

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


def raw(boxes: list[list[float]], scores: list[float], labels: list[int] | None = None, cut: list[bool] | None = None) -> Raw:  # fmt: skip  # noqa: E501
    n = len(boxes)
    array = np.array(boxes, float).reshape(-1, 4)
    return Raw(
        np.array(scores, float), np.array(labels or [0] * n), array, box_to_corners(array),
        np.array(cut or [False] * n),
    )  # fmt: skip


# ---- tiles


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from([0.35, 0.5, 1.0, 1.5]))
def test_tiles_cover_every_pixel_and_overlap(height: int, width: int, scale: float) -> None:
    found = list(tiles((height, width), scale))
    for axis, length in ((0, width), (1, height)):
        spans = sorted({(t[axis], t[axis + 2]) for t in found})
        assert spans[0][0] == 0 and spans[-1][1] == length
        assert all(0 <= a < b <= length and (b - a) * scale <= WHOLE + 1 for a, b in spans)
        for (_, end), (start, _) in pairwise(spans):
            assert (end - start) * scale >= OVERLAP - 2
    assert len(found) == len({t[0] for t in found}) * len({t[1] for t in found})


# ---- merging


def test_suppress_keeps_the_best_of_a_class_and_all_classes() -> None:
    found = raw([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [40, 0, 50, 10]], [0.5, 0.9, 0.4, 0.3], [0, 0, 1, 0])
    assert sorted(suppress(found, 0.5).tolist()) == [1, 2, 3]


def test_slanting_neighbours_are_two_objects() -> None:
    # two 40 x 8 bars at 45 degrees, side by side: their upright boxes overlap by more than half
    along, across = np.array([1, 1]) / np.sqrt(2), np.array([-1, 1]) / np.sqrt(2)
    bar = np.array(
        [-20 * along - 4 * across, 20 * along - 4 * across, 20 * along + 4 * across, -20 * along + 4 * across]
    )
    corners = np.stack([bar, bar + 8.5 * across]) + 50
    boxes = np.concatenate([corners.min(1), corners.max(1)], 1)
    assert box_iou_matrix(boxes[:1], boxes[1:])[0, 0] > 0.5
    found = Raw(np.array([0.9, 0.8]), np.zeros(2, int), boxes, corners, np.zeros(2, bool))
    assert len(merge(found).scores) == 2


def test_merge_prefers_whole_boxes_and_drops_parts() -> None:
    found = raw([[0, 0, 100, 40], [0, 0, 80, 40], [90, 0, 99, 40]], [0.6, 0.9, 0.5], cut=[False, True, True])
    result = merge(found)
    assert result.boxes.tolist() == [[0, 0, 100, 40]]


def test_a_stretch_of_an_object_is_not_a_second_one() -> None:
    found = raw([[0, 0, 100, 20], [0, 1, 40, 19], [0, 1, 40, 19]], [0.9, 0.5, 0.5], [0, 0, 1])
    result = merge(found)
    assert sorted(result.labels.tolist()) == [0, 1] and result.scores.max() == 0.9


@pytest.mark.parametrize(
    "second",
    [[20, 5, 76, 45], [35, 10, 67, 34], [8, 22, 58, 62]],
    ids=["shifted along", "a wing", "shifted across"],
)
def test_a_second_look_at_a_plane_is_not_a_second_plane(second: list[float]) -> None:
    # 0.7 to 0.8 of the smaller box in the larger one, IoU below 0.5: as on photos with two boxes on one plane
    found = raw([[0, 0, 60, 50], second], [0.97, 0.6])
    assert merge(found).boxes.tolist() == [[0, 0, 60, 50]]


def test_boats_side_by_side_stay_apart() -> None:
    # the two nearest annotated boats that were both found right share 0.54 of the smaller box as detected
    found = raw([[0, 0, 20, 80], [9.2, 2, 29.2, 78]], [0.87, 0.58])
    assert len(merge(found).scores) == 2


def test_a_box_gives_way_only_to_one_that_stays() -> None:
    # each shares 0.65 with the next; the middle one falls to the first, and then nothing covers the last
    found = raw([[35, 0, 135, 40], [70, 0, 170, 40], [0, 0, 100, 40]], [0.8, 0.7, 0.9])
    assert merge(found).boxes.tolist() == [[0, 0, 100, 40], [70, 0, 170, 40]]


def test_of_two_nested_boxes_with_one_score_one_stays() -> None:
    assert len(merge(raw([[0, 0, 100, 40], [2, 2, 40, 38]], [0.7, 0.7])).scores) == 1


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_what_gives_way_lies_in_a_better_box_that_stays(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 60, (n, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 40, (n, 2))], 1)
    found = raw(boxes.tolist(), rng.random(n).tolist(), rng.integers(0, 2, n).tolist(), (rng.random(n) < 0.3).tolist())
    rank = found.scores - found.cut
    stays = apart(found)
    assert (np.diff(rank[stays]) <= 0).all()
    meet = np.clip(np.minimum(boxes[:, None, 2:], boxes[:, 2:]) - np.maximum(boxes[:, None, :2], boxes[:, :2]), 0, None)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    nested = meet.prod(2) / np.minimum(area[:, None], area) > INSIDE
    nested &= (found.labels[:, None] == found.labels) & ~np.eye(n, dtype=bool)
    assert not nested[np.ix_(stays, stays)].any()
    gone = np.setdiff1d(np.arange(n), stays)
    assert (nested[np.ix_(gone, stays)] & (rank[stays] > rank[gone][:, None])).any(1).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_merge_never_adds_and_leaves_no_copies(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 100, (n, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 40, (n, 2))], 1).tolist()
    found = raw(boxes, rng.random(n).tolist(), rng.integers(0, 3, n).tolist())
    result = merge(found)
    assert len(result.scores) <= n
    iou = box_iou_matrix(result.boxes, result.boxes) * (result.labels[:, None] == result.labels)
    assert (iou - np.eye(len(iou)) <= 0.5 + 1e-9).all()


# ---- the detector


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 4), np.uint8), "RGB"),
        (np.zeros((4, 4, 4), np.uint8), "RGB"),
        (np.zeros((4, 4, 3), float), "float64"),
        (np.zeros((0, 4, 3), np.uint8), "(0, 4, 3)"),
    ],
    ids=["grey", "four bands", "float", "empty"],
)
def test_bad_images_are_the_callers_fault(detector: Detector, image: np.ndarray, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(").replace(")", r"\)")):
        detector.detect(image)


def test_bad_options_are_the_callers_fault(detector: Detector) -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    with pytest.raises(UsageError, match="no class 'unicorn'"):
        detector.detect(image, classes=["unicorn"])
    with pytest.raises(UsageError, match=r"0\.\.1"):
        detector.detect(image, threshold=1.5)
    with pytest.raises(UsageError, match="no class 'unicorn'"):
        CompactGrounder(detector, threshold={"unicorn": 0.5})


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing"):
        Detector(tmp_path / "nothing.onnx")


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (31, 33), (700, 20)])
def test_odd_sizes_give_no_objects(detector: Detector, shape: tuple[int, int]) -> None:
    found = detector.detect(np.full((*shape, 3), 90, np.uint8))
    assert all(0 <= d.box_px[0] <= d.box_px[2] <= shape[1] for d in found)


def test_airport_scene(detector: Detector) -> None:
    scene = draw_scene("airport", seed=900, size_wh=(640, 640))
    objects = [t for t in scene.labelled("airplane") if t.visible_fraction > 0.9 and np.ptp(t.polygon_px, 0).min() > 12]
    assert objects
    found = detector.detect(scene.image_rgb, classes=["airplane"])
    assert all(d.label == "airplane" and 0 <= d.score <= 1 for d in found)
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    iou = box_iou_matrix(np.array([t.box_px for t in objects]), np.array([d.box_px for d in found]).reshape(-1, 4))
    assert (iou.max(1) >= 0.5).mean() >= 0.8


@pytest.mark.parametrize("seed", [806, 811])
def test_one_plane_is_one_region(detector: Detector, seed: int) -> None:
    scene = draw_scene("airport" if seed == 806 else "mixed", seed=seed, size_wh=(700, 700))
    boxes = np.array([d.box_px for d in detector.detect(scene.image_rgb, classes=["airplane"])])
    assert len(boxes) >= 5
    meet = np.clip(np.minimum(boxes[:, None, 2:], boxes[:, 2:]) - np.maximum(boxes[:, None, :2], boxes[:, :2]), 0, None)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    shared = meet.prod(2) / np.minimum(area[:, None], area)
    assert shared[~np.eye(len(boxes), dtype=bool)].max() < 0.6


def test_raising_the_threshold_only_removes(detector: Detector) -> None:
    scene = draw_scene("tank farm", seed=5, size_wh=(512, 512))
    many, few = (detector.detect(scene.image_rgb, threshold=t) for t in (0.2, 0.6))
    assert {d.box_px.tobytes() for d in few} <= {d.box_px.tobytes() for d in many}
    per_class = detector.detect(scene.image_rgb, threshold={"storage_tank": 0.6})
    assert {d.box_px.tobytes() for d in per_class if d.label == "storage_tank"} == {d.box_px.tobytes() for d in few if d.label == "storage_tank"}  # fmt: skip  # noqa: E501


def test_tiled_scene_finds_what_each_part_shows(detector: Detector) -> None:
    part = draw_scene("tank farm", seed=5, size_wh=(512, 512)).image_rgb
    wide = np.tile(part, (1, 4, 1))  # 2048 wide: tiled at scale 1, the parts meet tile borders
    one = detector.detect(part, classes=["storage_tank"], scales=[1.0])
    all_found = detector.detect(wide, classes=["storage_tank"], scales=[1.0])
    inner = [d for d in one if d.box_px[0] > 60 and d.box_px[2] < 452]
    boxes = np.array([d.box_px for d in all_found])
    for k in range(4):
        iou = box_iou_matrix(np.array([d.box_px for d in inner]) + np.array([512 * k, 0, 512 * k, 0]), boxes)
        assert (iou.max(1) > 0.6).mean() >= 0.9
        assert ((iou > 0.5).sum(1) <= 1).all()


def test_grounder_keeps_its_contract(detector: Detector) -> None:
    grounder = CompactGrounder(detector)
    assert isinstance(grounder, Grounder)
    scene = Scene.from_array(draw_scene("airport", seed=900, size_wh=(640, 640)).image_rgb, name="drawn")
    found = grounder.ground(scene, "planes")
    assert found and all(isinstance(r, Region) and r.label == "airplane" and r.source == "compact" for r in found)
    assert [r.id for r in found] == [f"airplane-{i + 1}" for i in range(len(found))]
    assert [r.id for r in grounder.ground(scene, "aircraft")] == [r.id for r in found]
    with pytest.raises(UnknownPhrase, match="airplane"):
        grounder.ground(scene, "unicorns")


# ---- scoring, on hand-worked cases


def found_at(boxes: list[list[float]], scores: list[float]) -> list[Detection]:
    return [Detection("ship", s, box_to_corners(np.array(b, float)), np.array(b, float)) for b, s in zip(boxes, scores, strict=True)]  # fmt: skip  # noqa: E501


def truth(boxes: list[list[float]]) -> Truth:
    array = np.array(boxes, float).reshape(-1, 4)
    return Truth("a.png", ("ship",) * len(boxes), array, box_to_corners(array))


def test_an_object_is_matched_once_best_score_first() -> None:
    objects = truth([[0, 0, 10, 10]])
    found = found_at([[0, 0, 10, 8], [0, 0, 10, 10]], [0.9, 0.8])  # IoU 0.8 with the higher score takes the object
    matched = match([objects], [found], "ship", oriented=False)
    assert matched.hits.tolist() == [True, False] and matched.objects == 1
    assert matched.at(0.85) == (1, 0, 0) and matched.at(0.5) == (1, 1, 0) and matched.at(0.95) == (0, 0, 1)


def test_average_precision_by_hand() -> None:
    # hits 1 0 1 of 4 objects: precision 1, 1/2, 2/3; envelope 1, 2/3, 2/3; recall 1/4, 1/4, 1/2
    # area = 1/4 * 1 + 1/4 * 2/3 = 0.41667; 101 recalls: 26 points (0..0.25) at 1, 25 (0.26..0.50) at 2/3, rest 0
    area, coco = average_precision(Matched(np.array([0.9, 0.8, 0.7]), np.array([1, 0, 1], bool), np.zeros(3), 4))
    assert area == pytest.approx(0.25 + 0.25 * 2 / 3)
    assert coco == pytest.approx((26 + 25 * 2 / 3) / 101)


def test_nothing_found_and_nothing_there() -> None:
    report = evaluate([truth([[0, 0, 10, 10]])], [[]], 0.5)
    assert report.rows["ship"]["R"] == 0 and np.isnan(report.rows["ship"]["P"]) and report.rows["ship"]["AP50"] == 0
    assert evaluate([truth([])], [[]], 0.5).rows == {}
    assert rates(3, 1, 1) == (0.75, 0.75, 0.75)
    assert "OBB F1" in report.table()


def test_calibration_recovers_a_known_map() -> None:
    rng = np.random.default_rng(0)
    logit, label = rng.normal(0, 2, 6000), rng.integers(0, 2, 6000)
    right = rng.random(6000) < 1 / (1 + np.exp(-(1.5 * logit - 0.5 + 0.6 * label)))
    slope, shift = fit(logit, label, right, 3)
    assert slope == pytest.approx(1.5, abs=0.12)
    assert shift[:2] == pytest.approx([-0.5, 0.1], abs=0.15)
    assert shift[2] == pytest.approx(shift[:2].mean(), abs=0.35)  # a class without examples stays near the others


def test_best_threshold_lies_between_right_and_wrong() -> None:
    scores = np.concatenate([np.linspace(0.9, 0.6, 20), np.linspace(0.4, 0.1, 20)])
    threshold, f1 = best_threshold([Matched(scores, np.arange(40) < 20, np.zeros(40), 20)])
    assert 0.35 < threshold < 0.65 and f1 > 0.9


def test_reads_the_annotation_format(tmp_path: Path) -> None:
    data = {
        "images": [{"id": 1, "file_name": "a.png", "width": 50, "height": 50}],
        "categories": [{"id": 4, "name": "bridge"}],
        "annotations": [
            {
                "id": 9,
                "image_id": 1,
                "category_id": 4,
                "bbox": [0, 0, 20, 10],
                "area": 1,
                "iscrowd": 0,
                "segmentation": [[0, 0, 20, 0, 20, 10, 0, 10]],
            }
        ],
    }
    path = tmp_path / "val.json"
    path.write_text(json.dumps(data))
    (one,) = read_truth(path)
    assert one.labels == ("bridge",) and one.boxes.tolist() == [[0, 0, 20, 10]] and one.corners.shape == (1, 4, 2)


@pytest.mark.skipif(not (SHARED / "data" / "nwpu_vhr10").exists(), reason="the annotated photos are not here")
def test_development_images_are_not_held_out_images() -> None:
    root = SHARED / "data" / "nwpu_vhr10"
    dev = set(json.loads((Path(__file__).parents[1] / "finetune" / "configs" / "detector_dev.json").read_text()))
    names = {s: {t.image for t in read_truth(root / f"{s}.json")} for s in ("train", "val")}
    assert len(dev) == 40 and dev <= names["train"] and not names["train"] & names["val"]
