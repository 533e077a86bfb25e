"""Scores of replies in training, by hand; what cannot be read counts as wrong and is counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qwen2vl_checkpoints import local
from sft_records import RING, SIZE, records
from surveyor.core.errors import ModelOutputError
from surveyor.finetune.records.record import Instruction, Marked, asking_of, with_messages

pytestmark = local


def answered(record: Instruction, said: str) -> Any:
    from surveyor.finetune.sft.evaluate import Answered

    try:
        return Answered(record, said, asking_of(record).lenient(said), "answered", False)
    except ModelOutputError:
        return Answered(record, said, None, "unreadable", False)


def scored(*given: Any) -> dict[str, float]:
    from surveyor.finetune.sft.evaluate import scores

    return scores(given)


@pytest.fixture
def by_task(tmp_path: Path) -> dict[str, Instruction]:
    return {record.task: record for record in records(tmp_path, ["a"])}


def test_what_is_right_scores_one_in_every_task(by_task: dict[str, Instruction]) -> None:
    found = scored(*(answered(record, record.messages[-1].content) for record in by_task.values()))
    heads = {
        "det_f1", "res_f1", "ggl_f1", "rcd_iou", "region_rouge_l", "caption_rouge_l", "vqa_exact", "count_exact",
        "scene_accuracy", "geoloc_near",
    }  # fmt: skip
    assert {name: found[name] for name in heads} == pytest.approx(dict.fromkeys(heads, 1.0), abs=0.02)
    assert "rec_f1" not in found and found["score"] > 0.98  # nothing is right, nothing was said: 0/0
    assert all(value == 0 for name, value in found.items() if name.endswith(("_unreadable", "_cut")))
    assert found["items"] == 11


def test_nonsense_is_wrong_and_counted_in_every_task(by_task: dict[str, Instruction]) -> None:
    found = scored(*(answered(record, "@@") for record in by_task.values()))
    words = ("caption", "region", "vqa")  # any words are words
    assert {name for name, value in found.items() if name.endswith("_unreadable") and value == 1} == {
        f"{task}_unreadable" for task in by_task if task not in words
    }
    assert found["score"] == pytest.approx(0.0, abs=0.01)


def test_f1_by_hand(by_task: dict[str, Instruction]) -> None:
    """Two records: one square of one is found with one too many, nothing of the other: 2 x 1 / (2 x 1 + 1 + 1)."""
    det = by_task["det"]
    other = with_messages(det.model_copy(update={"id": "other"}))
    right = det.messages[-1].content
    far = Marked(kind="obb", points=((100, 80), (120, 80), (120, 100), (100, 100)))
    extra = with_messages(det.model_copy(update={"regions": (*det.regions, far)})).messages[-1].content
    found = scored(answered(det, extra), answered(other, "none"))
    assert (found["det_f1"], found["det_precision"], found["det_recall"]) == pytest.approx((0.5, 0.5, 0.5))
    assert scored(answered(det, right), answered(other, right))["det_f1"] == 1.0
    assert scored(answered(det, right), answered(other, "???"))["det_f1"] == pytest.approx(2 / 3)  # one miss


def test_oriented_boxes_are_compared_as_oriented_and_upright_ones_as_upright(by_task: dict[str, Instruction]) -> None:
    strip = Marked(kind="obb", points=((20, 10), (110, 100), (100, 110), (10, 20)))  # fills a fifth of its hull
    det = with_messages(by_task["det"].model_copy(update={"regions": (strip,)}))
    x0 = y0 = 10
    x1 = y1 = 110
    hull = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    upright = with_messages(det.model_copy(update={"regions": (Marked(kind="obb", points=hull),)}))
    assert scored(answered(det, upright.messages[-1].content))["det_f1"] == 0.0
    assert scored(answered(det, det.messages[-1].content))["det_f1"] == 1.0
    truth = det.model_copy(update={"regions": (Marked(kind="box", points=((x0, y0), (x1, y1))),)})
    assert scored(answered(truth, det.messages[-1].content))["det_f1"] == 1.0


def test_nothing_to_find_and_none_said_is_no_error_and_a_box_is_one(by_task: dict[str, Instruction]) -> None:
    rec, det = by_task["rec"], by_task["det"]
    assert scored(answered(rec, "none"), answered(det, det.messages[-1].content)).get("det_f1") == 1.0
    wrong = scored(answered(rec, det.messages[-1].content))
    assert wrong["rec_f1"] == 0.0 and wrong["rec_precision"] == 0.0


def test_outlines_by_hand(by_task: dict[str, Instruction]) -> None:
    rcd = by_task["rcd"]
    square, half = ((0, 0), (40, 0), (40, 40), (0, 40)), ((0, 0), (20, 0), (20, 40), (0, 40))
    told = [with_messages(rcd.model_copy(update={"regions": (Marked(kind="polygon", points=ring),)}))
            for ring in (square, half, RING)]  # fmt: skip
    assert scored(answered(told[0], told[1].messages[-1].content))["rcd_iou"] == pytest.approx(0.5, abs=0.02)
    hollow = Marked(kind="polygon", points=square, holes=(((10, 10), (30, 10), (30, 30), (10, 30)),))
    with_hole = rcd.model_copy(update={"regions": (hollow,)})
    assert scored(answered(with_hole, told[0].messages[-1].content))["rcd_iou"] == pytest.approx(0.75, abs=0.02)
    assert scored(answered(told[2], "none"))["rcd_iou"] == 0.0
    empty = with_messages(rcd.model_copy(update={"regions": ()}))
    assert scored(answered(empty, "none"))["rcd_iou"] == 1.0


def test_places_within_a_city_are_right(by_task: dict[str, Instruction]) -> None:
    geoloc = by_task["geoloc"]  # Bern, (46.95, 7.45); a degree of latitude is 111 km
    assert scored(answered(geoloc, "[Bern, (47.15, 7.45)]"))["geoloc_near"] == 1.0  # 22 km
    assert scored(answered(geoloc, "[Bern, (47.20, 7.45)]"))["geoloc_near"] == 0.0  # 28 km


def test_words_and_numbers(by_task: dict[str, Instruction]) -> None:
    assert scored(answered(by_task["count"], "7"))["count_exact"] == 0.0
    assert scored(answered(by_task["vqa"], "Yes."))["vqa_exact"] == 1.0
    half = scored(answered(by_task["region"], "a grey boat"))["region_rouge_l"]
    assert half == pytest.approx(2 / 3, abs=0.01)  # 2 of 3 words in order, precision = recall


def test_the_score_is_the_mean_of_the_headlines(by_task: dict[str, Instruction]) -> None:
    found = scored(answered(by_task["det"], by_task["det"].messages[-1].content), answered(by_task["count"], "9"))
    assert found["score"] == pytest.approx((found["det_f1"] + found["count_exact"]) / 2) == 0.5
    assert scored()["score"] == 0.0


def test_points_come_back_in_px_of_the_picture(by_task: dict[str, Instruction]) -> None:
    """A model that writes px of the image as it sees it."""
    import numpy as np
    from surveyor.finetune.sft.evaluate import _read
    from surveyor.tools.models.prompting import Picture, Prompt, Reply
    from surveyor.tools.models.tasks import Tasks

    seen = (84, 56)
    asking = Tasks("qwen2.5-vl").detect("square", seen)
    shown = Picture("p", seen, lambda: np.zeros((56, 84, 3), np.uint8))
    said = '[{"bbox_2d": [21, 14, 42, 28], "label": "square"}]'
    found = _read(by_task["det"], Prompt((shown,), asking), Reply(said))
    assert found.read[0].points_px.tolist() == [[42.0, 28.0], [84.0, 56.0]] and SIZE == (168, 112)
