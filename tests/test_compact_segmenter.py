"""The embedded mask model: its frames, what prompts do to it, large scenes, bad prompts."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.errors import UsageError
from surveyor.core.geometry import box_to_corners, canonical_corners, corners_to_box
from surveyor.core.masks import Mask
from surveyor.core.protocols import MaskPrompt
from surveyor.core.scene import Scene
from surveyor.evals import masks as evaluation
from surveyor.tools.models.compact.mask_crops import (
    MARGIN_PX,
    SIZE,
    apply,
    compose,
    crop_matrix,
    paste,
    prompt_channels,
    sample,
    window_of,
)
from surveyor.tools.models.compact.segmenter import WEIGHTS, CompactSegmenter

SHARED = Path(__file__).resolve().parents[2] / "shared"
GREY = np.full((200, 300, 3), 90, np.uint8)


def turned(center: tuple[float, float], size: tuple[float, float], degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
    return canonical_corners(half @ turn.T + center)


rectangles = st.builds(
    turned,
    st.tuples(st.floats(-20, 320), st.floats(-20, 220)),
    st.tuples(st.floats(4, 200), st.floats(4, 200)),
    st.floats(0, 180),
)


@given(rectangles)
@settings(deadline=None, max_examples=50)
def test_crop_holds_the_prompt_with_its_margin(corners: np.ndarray) -> None:
    matrix = crop_matrix(corners)
    seen = apply(matrix, corners)
    scale = np.linalg.norm(matrix[:, :2], axis=1)
    assert (seen >= MARGIN_PX * scale - 1e-6).all()
    assert (seen <= SIZE - MARGIN_PX * scale + 1e-6).all()
    assert np.linalg.det(matrix[:, :2]) > 0, "not mirrored"
    assert scale.max() / scale.min() <= 3 + 1e-6
    back = cv2.invertAffineTransform(matrix)
    np.testing.assert_allclose(apply(compose(back, matrix), corners), corners, atol=1e-6)


@given(rectangles)
@settings(deadline=None, max_examples=50)
def test_a_shape_drawn_in_the_crop_comes_back_to_its_place(corners: np.ndarray) -> None:
    matrix = crop_matrix(corners)
    channels = prompt_channels(matrix, corners_to_box(corners), corners)
    mask = paste((channels[1] + 1) / 2, matrix, (200, 300))
    want = Mask.from_polygon(corners, (200, 300))
    if want.area_px > 400:
        assert mask.iou(want) > 0.9
    box = window_of(matrix, (200, 300))
    assert 0 <= box[0] <= box[2] <= 300
    assert 0 <= box[1] <= box[3] <= 200


def test_sampling_keeps_pixels_in_place() -> None:
    """An upright crop at scale 1 is a cut-out: column x of the crop is column x0 + x of the scene."""
    pixels = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    matrix = np.array([[1.0, 0, -50], [0, 1, -40]])
    window = window_of(matrix, (200, 300))
    crop = sample(pixels[window[1] : window[3], window[0] : window[2]], window, matrix)
    np.testing.assert_array_equal(crop, pixels[40 : 40 + SIZE, 50 : 50 + SIZE])


def test_point_channels_have_their_peak_at_the_point() -> None:
    matrix = np.array([[1.0, 0, 0], [0, 1, 0]])
    box = np.array([0.0, 0, SIZE, SIZE])
    channels = prompt_channels(matrix, box, None, np.array([[20.5, 30.5], [60.5, 70.5]]), (1, 0))
    assert np.unravel_index(channels[2].argmax(), (SIZE, SIZE)) == (30, 20)
    assert np.unravel_index(channels[3].argmax(), (SIZE, SIZE)) == (70, 60)
    assert channels[2].max() == channels[3].max() == 1
    assert not channels[1].any(), "no oriented box was given"
    assert channels[0, 0, 0] == pytest.approx(0.5 / 6), "half a pixel deep"


def test_weights_are_shipped_and_small() -> None:
    assert WEIGHTS.stat().st_size <= 8e6
    assert WEIGHTS.with_suffix(".md").exists(), "the model card"


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.onnx.*reinstall"):
        CompactSegmenter(tmp_path / "none.onnx")


@pytest.mark.parametrize(
    "prompt",
    [
        MaskPrompt(np.array([10.0, 10, np.nan, 20])),
        MaskPrompt(np.array([30.0, 10, 10, 20])),
        MaskPrompt(np.array([10.0, 10, 20])),
        MaskPrompt(np.array([10.0, 10, 30, 20]), None, np.array([[15.0, 15]]), ()),
        MaskPrompt(np.array([10.0, 10, 30, 20]), None, np.array([[np.inf, 15]]), (1,)),
        MaskPrompt(np.array([10.0, 10, 30, 20]), np.zeros((3, 2))),
    ],
)
def test_bad_prompts_are_usage_errors(prompt: MaskPrompt) -> None:
    with pytest.raises(UsageError):
        CompactSegmenter().segment(Scene.from_array(GREY), [prompt])


@pytest.mark.parametrize(
    "box", [(10, 10, 10, 10), (10, 10, 10, 40), (0, 0, 300, 200), (-50, -50, 20, 20), (299, 199, 300, 200)]
)
def test_odd_boxes_get_an_answer(box: tuple[float, ...]) -> None:
    xyxy = np.array(box, dtype=np.float64)
    for corners in (None, box_to_corners(xyxy)):
        (result,) = CompactSegmenter().segment(Scene.from_array(GREY), [MaskPrompt(xyxy, corners)])
        assert result.mask.shape_hw == (200, 300)


@pytest.mark.parametrize("degrees", [0, 30, 45, 100])
def test_a_turned_bright_hull_is_found(degrees: float) -> None:
    corners = turned((150, 100), (80, 24), degrees)
    pixels = GREY.copy()
    cv2.fillPoly(pixels, [np.round(corners - 0.5).astype(np.int32)], (220, 220, 215))
    scene = Scene.from_array(pixels)
    want = Mask.from_polygon(corners, scene.shape_hw)
    box = corners_to_box(corners)
    upright, oriented = CompactSegmenter().segment(scene, [MaskPrompt(box), MaskPrompt(box, corners)])
    assert upright.mask.iou(want) > 0.75
    assert oriented.mask.iou(want) > 0.85


def test_points_say_which_of_two_is_meant() -> None:
    """Two bright ships in one box that is too large for either; a point inside one and one outside choose it."""
    pixels = np.full((200, 300, 3), (40, 60, 70), np.uint8)
    left, right = (100, 60, 120, 130), (140, 60, 160, 130)
    for x0, y0, x1, y1 in (left, right):
        pixels[y0:y1, x0:x1] = 215
    scene = Scene.from_array(pixels)
    box = np.array([95.0, 55, 165, 135])
    centers = np.array([[110.0, 95], [150, 95]])
    masks = [
        result.mask
        for result in CompactSegmenter().segment(
            scene, [MaskPrompt(box, None, centers, (1, 0)), MaskPrompt(box, None, centers, (0, 1))]
        )
    ]
    truths = [Mask.from_polygon(box_to_corners(np.array(b, dtype=np.float64)), (200, 300)) for b in (left, right)]
    for index in (0, 1):
        assert masks[index].iou(truths[index]) > masks[index].iou(truths[1 - index]) + 0.2


def test_a_huge_prompt_stays_cheap() -> None:
    scene = Scene.from_array(np.full((3000, 4000, 3), 120, np.uint8))
    (result,) = CompactSegmenter().segment(scene, [MaskPrompt(np.array([100.0, 100, 3900, 2900]))])
    assert result.mask.shape_hw == (3000, 4000)


def test_evaluation_table_on_a_drawn_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The filled box of a rectangle is its mask: IoU 1. Of a right triangle it is half: IoU 0.5."""
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), GREY)
    court, sail = [10, 10, 50, 10, 50, 30, 10, 30], [100, 50, 180, 50, 180, 130]
    entries = [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 40, 20], "segmentation": [court]},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [100, 50, 80, 80], "segmentation": [sail]},
    ]
    data = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "court"}, {"id": 2, "name": "sail"}],
        "annotations": entries,
    }
    (tmp_path / "val.json").write_text(json.dumps(data))
    scores = evaluation.score(tmp_path, "val", {"box": evaluation.filled_boxes, "cut": evaluation.grabcut})
    assert scores["box"].class_means == {"court": 1.0, "sail": pytest.approx(0.5, abs=0.01)}
    assert evaluation.main(["--data", str(tmp_path), "--split", "val"]) == 0
    printed = capsys.readouterr().out
    assert "2 objects in 1 images" in printed
    assert "| upright box filled | 0.7" in printed
    assert evaluation.main(["--data", str(tmp_path), "--split", "none"]) == 2
    assert "none.json" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "data/nwpu_vhr10").is_dir(), reason="the shared data is not here")
def test_masks_from_true_boxes_reach_the_bar() -> None:
    model = CompactSegmenter()
    method = evaluation.prompted(model, oriented=True, points=False)
    scores = evaluation.score(SHARED / "data/nwpu_vhr10", "val", {"both boxes": method})
    assert scores["both boxes"].ious.mean() >= 0.82
