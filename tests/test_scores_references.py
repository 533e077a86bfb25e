"""Scores beside those of public packages on random inputs; a package that is not installed skips its test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely
from pycocotools import mask as coco_mask
from score_items import make_item
from surveyor.core.masks import Mask
from surveyor.evals.bench.items import Truth
from surveyor.evals.bench.predictions import Predicted, Prediction
from surveyor.evals.scores.change import LabelledPair, score_change
from surveyor.evals.scores.crec import kept_overlaps, score_crec
from surveyor.evals.scores.pixels import iou_matrix, packed
from surveyor.evals.scores.rcd import score_rcd
from surveyor.evals.scores.rec import Referred, score_rec
from surveyor.evals.scores.res import Segmented, score_res
from surveyor.evals.scores.scene import Classified, score_scenes

SEEDS = range(3)


def random_pixels(seed: int, number: int = 12, side: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """(number, side, side) true and answered, alike to a varying degree; neither is ever empty."""
    rng = np.random.default_rng(seed)
    true = rng.random((number, side, side)) < rng.uniform(0.1, 0.6, (number, 1, 1))
    found = true ^ (rng.random(true.shape) < rng.uniform(0.02, 0.5, (number, 1, 1)))
    true[:, 0, 0] = found[:, 0, 0] = True
    return true, found


def rle(pixels: np.ndarray) -> dict[str, Any]:
    return Mask.from_array(pixels).to_rle()


def boxes(rng: np.random.Generator, number: int) -> np.ndarray:
    corner = rng.uniform(0, 60, (number, 2))
    return np.concatenate([corner, corner + rng.uniform(3, 30, (number, 2))], axis=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_change_agrees_with_scikit_learn(seed: int) -> None:
    judge = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: pip install scikit-learn")
    true, found = random_pixels(seed)
    pairs = [
        LabelledPair(str(i), "f", a.astype(int), b.astype(int))
        for i, (a, b) in enumerate(zip(true, found, strict=True))
    ]
    run = score_change(pairs).values()
    flat = true.ravel(), found.ravel()
    assert run["F1_1"] == pytest.approx(judge.f1_score(*flat), abs=1e-6)
    assert run["IoU_1"] == pytest.approx(judge.jaccard_score(*flat), abs=1e-6)
    assert run["mf1"] == pytest.approx(judge.f1_score(*flat, average="macro"), abs=1e-6)
    assert run["miou"] == pytest.approx(judge.jaccard_score(*flat, average="macro"), abs=1e-6)
    assert run["precision_1"] == pytest.approx(judge.precision_score(*flat), abs=1e-6)
    assert run["recall_1"] == pytest.approx(judge.recall_score(*flat), abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_three_classes_agree_with_scikit_learn(seed: int) -> None:
    judge = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: pip install scikit-learn")
    rng = np.random.default_rng(seed)
    true, found = rng.integers(0, 3, (2, 5, 40, 40))
    names = ("background", "road", "building")
    run = score_change(
        [LabelledPair(str(i), "f", a, b) for i, (a, b) in enumerate(zip(true, found, strict=True))], names
    )
    flat = true.ravel(), found.ravel()
    values = run.values()
    assert [values[f"IoU {name}"] for name in names] == pytest.approx(judge.jaccard_score(*flat, average=None).tolist())
    assert values["mean recall"] == pytest.approx(judge.balanced_accuracy_score(*flat))
    assert values["mean precision"] == pytest.approx(judge.precision_score(*flat, average="macro"))
    assert values["FWIoU"] == pytest.approx(judge.jaccard_score(*flat, average="weighted"))


@pytest.mark.parametrize("seed", SEEDS)
def test_region_of_rcd_agrees_with_scikit_learn(seed: int) -> None:
    judge = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: pip install scikit-learn")
    true, found = random_pixels(seed)
    asked = np.zeros(true.shape, bool)
    asked[:, :, :12] = True
    true &= asked
    items = [
        make_item(str(i), task="RCD", size_wh=(24, 24), answer_rle=rle(a), asked_rle=rle(b))
        for i, (a, b) in enumerate(zip(true, asked, strict=True))
    ]
    run = score_rcd(items, [Prediction(id=str(i), mask_rle=rle(each)) for i, each in enumerate(found)]).values()
    assert run["F1_1"] == pytest.approx(judge.f1_score(true.ravel(), found.ravel()), abs=1e-6)
    assert run["F1_1_inside"] == pytest.approx(judge.f1_score(true[asked], found[asked]), abs=1e-6)


@pytest.mark.torch
@pytest.mark.parametrize("seed", SEEDS)
def test_res_agrees_with_torchmetrics(seed: int) -> None:
    classification = pytest.importorskip(
        "torchmetrics.classification", reason="torchmetrics is not installed: pip install torchmetrics"
    )
    import torch

    true, found = random_pixels(seed)
    run = score_res([Segmented(str(i), "f", rle(a), rle(b)) for i, (a, b) in enumerate(zip(true, found, strict=True))])
    pooled, single = classification.BinaryJaccardIndex(), classification.BinaryJaccardIndex()
    pooled.update(torch.from_numpy(found), torch.from_numpy(true))
    each = [float(single(torch.from_numpy(b), torch.from_numpy(a))) for a, b in zip(true, found, strict=True)]
    assert run.values()["oiou"] == pytest.approx(float(pooled.compute()), abs=1e-6)
    assert run.values()["miou"] == pytest.approx(np.mean(each), abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_masks_and_boxes_agree_with_pycocotools(seed: int) -> None:
    true, found = random_pixels(seed, 5)
    one, two = [packed(rle(each)) for each in true], [packed(rle(each)) for each in found]
    assert np.allclose(iou_matrix(one, two), coco_mask.iou(one, two, [0] * len(two)))
    rng = np.random.default_rng(seed)
    right, given = boxes(rng, 7), boxes(rng, 9)
    item = make_item("a", [tuple(each) for each in right.tolist()])
    answer = Prediction(id="a", regions=tuple(Predicted(hbb=tuple(each)) for each in given.tolist()))
    as_xywh = [np.concatenate([each[:, :2], each[:, 2:] - each[:, :2]], axis=1) for each in (given, right)]
    assert np.allclose(kept_overlaps(item, answer), coco_mask.iou(*as_xywh, [0] * len(right)))


@pytest.mark.parametrize("seed", SEEDS)
def test_crec_agrees_with_scipys_assignment(seed: int) -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="scipy is not installed: pip install scipy")
    rng = np.random.default_rng(seed)
    hits = {0.25: 0, 0.5: 0, 0.75: 0}
    items, answers = [], []
    for i in range(40):
        right = boxes(rng, int(rng.integers(1, 8)))
        given = right[rng.permutation(len(right))] + rng.normal(0, 3, right.shape)
        item = make_item(str(i), [tuple(each) for each in right.tolist()])
        answer = Prediction(id=str(i), regions=tuple(Predicted(hbb=tuple(each)) for each in given.tolist()))
        iou = kept_overlaps(item, answer)
        overlaps = iou[optimize.linear_sum_assignment(iou, maximize=True)]
        for t in hits:
            hits[t] += int((overlaps >= t).sum())
        items.append(item)
        answers.append(answer)
    run = score_crec(items, answers).sums
    assert {t: run[f"tp@{t}"] for t in hits} == hits


@pytest.mark.parametrize("seed", SEEDS)
def test_oriented_boxes_agree_with_shapely(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def quads(number: int) -> np.ndarray:
        angle, size = rng.uniform(0, np.pi, number), rng.uniform(4, 20, (number, 2))
        half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2 * size[:, None]
        turn = np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], axis=1).reshape(-1, 2, 2)
        return half @ turn + rng.uniform(20, 40, (number, 1, 2))

    def plain(quad: np.ndarray) -> tuple[tuple[float, float], ...]:
        return tuple((float(x), float(y)) for x, y in quad)

    right, given = quads(6), quads(8)
    objects = tuple(Truth(id=str(i), label="x", hbb=(0, 0, 1, 1), obb=plain(q)) for i, q in enumerate(right))
    item = make_item("a").model_copy(update={"objects": objects, "answer_ids": tuple(each.id for each in objects)})
    answer = Prediction(id="a", regions=tuple(Predicted(hbb=(0, 0, 1, 1), obb=plain(q)) for q in given))
    a, b = shapely.polygons(given)[:, None], shapely.polygons(right)[None]
    expected = shapely.area(shapely.intersection(a, b)) / shapely.area(shapely.union(a, b))
    assert np.allclose(kept_overlaps(item, answer, oriented=True), expected, atol=1e-9)
    pairs = [Referred(str(i), "f", right[i].tolist(), given[i].tolist()) for i in range(6)]
    assert score_rec(pairs, oriented=True).values()["mean_iou"] == pytest.approx(np.mean(np.diag(expected[:6])))


@pytest.mark.parametrize("seed", SEEDS)
def test_scenes_agree_with_scikit_learn(seed: int) -> None:
    judge = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed: pip install scikit-learn")
    rng = np.random.default_rng(seed)
    names = np.array(["airport", "bare land", "beach", "bridge"])
    true, found = names[rng.integers(0, 4, (2, 60))]
    run = score_scenes(
        [Classified(str(i), "f", a, b) for i, (a, b) in enumerate(zip(true, found, strict=True))]
    ).values()
    assert run["accuracy"] == pytest.approx(judge.accuracy_score(true, found))
    assert run["class_mean"] == pytest.approx(judge.balanced_accuracy_score(true, found))
