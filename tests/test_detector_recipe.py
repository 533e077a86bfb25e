"""The detector's training recipe: pasting, assignment, loss and the way from the shipped file back to a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the recipes need the 'train' extra: make test-torch")
pytest.importorskip("onnx", reason="the recipes need the 'train' extra: make test-torch")

from surveyor.finetune.detector.augment import CropSet  # noqa: E402
from surveyor.finetune.detector.data import Sample, hull_of  # noqa: E402
from surveyor.finetune.detector.loss import detector_loss, giou, prob_iou  # noqa: E402
from surveyor.finetune.detector.model import CLASSES, DetectorNet, decode, locations  # noqa: E402
from surveyor.finetune.detector.paste import crop_matrix, min_rect, moved_by, paste_car_park, paste_objects  # noqa: E402
from surveyor.finetune.detector.restore import restore  # noqa: E402
from surveyor.finetune.detector.synth import synth_samples  # noqa: E402
from surveyor.synth import draw_scene  # noqa: E402

pytestmark = pytest.mark.torch

SHIPPED = Path(__file__).parents[1] / "tools" / "models" / "compact" / "weights" / "detector.onnx"
VEHICLE = CLASSES.index("vehicle")


@pytest.fixture(scope="module")
def drawn() -> list[Sample]:
    return synth_samples(14, seed=3)


@pytest.fixture(scope="module")
def cars() -> list[tuple[Sample, int]]:
    scene = draw_scene("housing", seed=4, size_wh=(768, 768), gsd_m=0.15)
    hulls = [hull_of(t.polygon_px) for t in scene.objects if t.label == "vehicle"]
    sample = Sample("near", "synth", scene.image_rgb, np.full(len(hulls), VEHICLE), hulls, CLASSES)
    return [(sample, j) for j in range(len(hulls))]


def test_min_rect_has_its_long_side_first() -> None:
    # a 40 x 10 rectangle round (50, 30), long side along y: cos 2a = cos 180 deg = -1
    cx, cy, w, h, c2, s2 = min_rect(np.array([[45, 10], [55, 10], [55, 50], [45, 50]], np.float32))
    assert (cx, cy, w, h) == pytest.approx((50, 30, 40, 10))
    assert (c2, s2) == pytest.approx((-1, 0), abs=1e-6)


def test_crop_matrix_takes_the_centre_to_the_middle() -> None:
    matrix = crop_matrix(np.array([70.0, 20.0]), 0.5, 100, 0.3, True)
    assert moved_by(np.array([[70.0, 20.0]], np.float32), matrix)[0] == pytest.approx((50, 50))


def test_a_car_park_adds_cars_inside_the_crop_and_keeps_off_others(cars: list[tuple[Sample, int]]) -> None:
    standing = np.array([[20, 20], [90, 20], [90, 90], [20, 90]], np.float32)
    added = 0
    for seed in range(30):
        image = np.full((400, 400, 3), 90, np.uint8)
        before = image.copy()
        hulls, labels = [standing], [0]
        paste_car_park(np.random.default_rng(seed), image, hulls, labels, cars, VEHICLE, 22.0)
        assert len(hulls) == len(labels)
        assert set(labels[1:]) <= {VEHICLE}
        for hull in hulls[1:]:
            assert hull.min() >= 0 and hull.max() <= 400
            centre = hull.mean(0)
            assert not ((centre > 20) & (centre < 90)).all(), "a car stands on the other object"
            assert 22 * 0.8 <= min_rect(hull)[2] <= 22 * 1.2
        added += len(hulls) - 1
        changed = (image != before).any()
        assert changed or len(hulls) == 1
    assert added > 40


def test_a_pasted_object_lands_where_its_hull_says(cars: list[tuple[Sample, int]]) -> None:
    for seed in range(40):
        image = np.full((384, 384, 3), 90, np.uint8)
        hulls: list = []
        paste_objects(np.random.default_rng(seed), image, hulls, [], [cars])
        changed = np.abs(image.astype(int) - 90).sum(2) > 0
        mask = np.zeros(changed.shape, bool)
        for hull in hulls:
            (x0, y0), (x1, y1) = np.floor(hull.min(0) - 8).astype(int).clip(0), np.ceil(hull.max(0) + 8).astype(int)
            mask[y0:y1, x0:x1] = True
        assert not (changed & ~mask).any()
        if hulls:
            return
    raise AssertionError("nothing was pasted in 40 tries")


def test_crops_depend_on_seed_and_index_alone(drawn: list[Sample]) -> None:
    one, two = (CropSet(drawn, 128, 4, 9, {"synth": 1.0}, 5, 0.75) for _ in range(2))
    two[0]  # a resumed run has not drawn the crops before
    for key, value in one[7].items():
        assert np.array_equal(value, two[7][key]), key


def test_ious_by_hand() -> None:
    a, b = torch.tensor([[0.0, 0, 10, 10]]), torch.tensor([[5.0, 0, 15, 10]])
    iou, generalised = giou(a, b)
    assert float(iou) == pytest.approx(50 / 150, rel=1e-4)
    assert float(generalised) == pytest.approx(50 / 150, rel=1e-4)  # hull 15x10 = the union: nothing to take off
    same = torch.tensor([[5.0, 5, 8, 2, 1, 0]])
    assert float(prob_iou(same, same)) > 0.98
    assert float(prob_iou(same, same + torch.tensor([50.0, 0, 0, 0, 0, 0]))) < 0.05


def test_training_lowers_the_loss(drawn: list[Sample]) -> None:
    torch.manual_seed(0)
    net = DetectorNet(24, 1).train()
    crops = CropSet(drawn, 128, 4, 5, {"synth": 1.0}, 30, 0.75)
    items = [crops[i] for i in range(4)]
    images = torch.from_numpy(np.stack([i.pop("image") for i in items])).float()
    targets = [{k: torch.from_numpy(np.asarray(v)) for k, v in i.items()} for i in items]
    points, strides = locations(128, 128)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3)
    losses = []
    for _ in range(8):
        logits, raw = net(images)
        loss, _ = detector_loss(logits, raw, decode(raw, points, strides), points, strides, targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_the_shipped_file_comes_back_as_a_network(drawn: list[Sample]) -> None:
    crops = CropSet(drawn, 256, 4, 5, {"synth": 1.0}, 8, 0.75)
    images = torch.from_numpy(np.stack([crops[i]["image"] for i in range(6)])).float()
    net = restore(SHIPPED, images)  # compares both outputs and exits where they differ
    norm = net.backbone._blocks[5]._bn1
    assert float(norm.running_var.std()) > 0, "the BatchNorms hold no measured statistics"
