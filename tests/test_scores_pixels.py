"""CRES, RCD, RES and change: worked examples with their arithmetic, corner cases first, and what must always hold."""

from __future__ import annotations

import random
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_items import answer, filled, make_item, no_answer, painted
from surveyor.core.errors import UsageError
from surveyor.core.masks import Mask
from surveyor.evals.bench.items import Item
from surveyor.evals.bench.predictions import Predicted, Prediction
from surveyor.evals.scores.change import LabelledPair, bit_cd, change_agent, confusion, score_change
from surveyor.evals.scores.components import parts_of, shared_px
from surveyor.evals.scores.cres import score_cres
from surveyor.evals.scores.pixels import packed
from surveyor.evals.scores.rcd import score_rcd
from surveyor.evals.scores.res import Segmented, score_res

STATUSES = ("unreadable", "failed", "refused", "timeout")
TEN = (0.0, 0.0, 10.0, 10.0)
HALF = (0.0, 0.0, 10.0, 5.0)


def cres(items: list[Item], predictions: list[Prediction], **options: Any) -> dict[str, float | None]:
    return score_cres(items, predictions, **options).values()


def rcd(items: list[Item], predictions: list[Prediction], **options: Any) -> dict[str, float | None]:
    return score_rcd(items, predictions, **options).values()


def changed(id: str, *boxes: Any, asked: Any = None, **fields: Any) -> Item:
    """An RCD item with these changed boxes, asked for in the box `asked`."""
    masks = {"answer_rle": filled(*boxes) if boxes else None, "asked_rle": filled(asked) if asked else None}
    return make_item(id, task="RCD", **masks, **fields)


def repainted(id: str, *boxes: Any) -> Prediction:
    return Prediction(id=id, mask_rle=filled(*boxes))


class TestCres:
    def test_worked_example(self) -> None:
        """Five items.

        a: right 10 x 10 and 10 x 10 elsewhere (200 px), answered the first: I 100, U 200, IoU .5 (a hit at .5).
        b: right 100 px, answered 90 of them: I 90, U 100, IoU .9 (a hit at .9).
        c: nothing right, none answered: IoU 1, or 0 by RMSIN. d: nothing right, 60 px answered: I 0, U 60, IoU 0.
        e: right 100 px, failed: I 0, U 100, IoU 0.
        gIoU (.5 + .9 + 1 + 0 + 0) / 5; RMSIN 1.4 / 5; cIoU 190 / (200 + 100 + 0 + 60 + 100)
        """
        items = [make_item("a", [TEN, (50, 50, 60, 60)], task="CRES"), make_item("b", [TEN], task="CRES")]
        items += [make_item("c", task="CRES"), make_item("d", task="CRES"), make_item("e", [TEN], task="CRES")]
        answers = [painted("a", TEN), painted("b", (0, 0, 10, 9)), painted("c"), painted("d", (0, 0, 10, 6))]
        found = cres(items, [*answers, no_answer("e", "failed")])
        expected = {
            "giou": 2.4 / 5, "miou_rmsin": 1.4 / 5, "ciou": 190 / 460, "giou_targets": 1.4 / 3,
            "p@0.5": 3 / 5, "p_rmsin@0.5": 2 / 5, "p_targets@0.5": 2 / 3, "p@0.6": 2 / 5, "p_rmsin@0.9": 1 / 5,
            "n_acc": 1 / 2, "t_acc": 2 / 3, "answered": 4 / 5, "items": 5,
        }  # fmt: skip
        assert {name: found[name] for name in expected} == pytest.approx(expected)

    def test_both_empty_by_either_name(self) -> None:
        found = cres([make_item("z", task="CRES")], [painted("z")])
        assert (found["giou"], found["miou_rmsin"], found["ciou"]) == (1, 0, None)
        assert (found["p@0.9"], found["p_rmsin@0.5"], found["n_acc"]) == (1, 0, 1)

    @pytest.mark.parametrize(("rows", "n_acc"), [(7, 1), (10, 0)])
    def test_fewer_than_50_px_are_a_rejection_but_not_empty(self, rows: int, n_acc: int) -> None:
        found = cres([make_item("z", task="CRES")], [painted("z", (0, 0, 7, 7) if rows == 7 else (0, 0, 5, 10))])
        assert (found["n_acc"], found["giou"]) == (n_acc, 0)  # 49 px and 50 px

    def test_empty_answer_where_something_is_right(self) -> None:
        found = cres([make_item("t", [TEN], task="CRES")], [painted("t")])
        assert (found["giou"], found["ciou"], found["t_acc"]) == (0, 0, 0)

    @pytest.mark.parametrize("status", STATUSES)
    def test_no_answer_is_wrong_and_no_rejection(self, status: str) -> None:
        run = score_cres([make_item("z", task="CRES"), make_item("t", [TEN], task="CRES")], [no_answer("z", status)])
        found = run.values()
        assert run.counts() == {status: 1, "missing": 1}
        assert {found[name] for name in ("giou", "n_acc", "t_acc", "p@0.5", "ciou", "answered")} == {0}

    @pytest.mark.parametrize(
        "rle",
        [
            pytest.param(None, id="a box alone"),
            pytest.param(filled(TEN, size_wh=(50, 50)), id="another size"),
            pytest.param({"size": [100, 100], "counts": "no mask"}, id="not an encoding"),
            pytest.param({"size": [100, 100], "counts": [5]}, id="too few counts"),
            pytest.param({"size": [100, 100], "counts": {"a": 1}}, id="counts of another kind"),
            pytest.param({"size": "large"}, id="no counts"),
        ],
    )
    def test_answer_without_a_readable_mask_is_wrong(self, rle: Any) -> None:
        found = Prediction(id="z", regions=(Predicted(hbb=TEN, rle=rle),))
        run = score_cres([make_item("z", task="CRES")], [found])
        assert run.counts() == {"no mask": 1} and run.values()["n_acc"] == 0 and run.values()["giou"] == 0

    def test_counts_as_a_list_are_read(self) -> None:
        found = Prediction(id="t", regions=(Predicted(hbb=TEN, rle={"size": [4, 4], "counts": [0, 4, 12]}),))
        item = make_item("t", [(0, 0, 1, 4)], task="CRES", size_wh=(4, 4))
        assert cres([item], [found])["giou"] == 1

    def test_ignored_pixels_count_neither_way(self) -> None:
        item = make_item("t", [TEN], ignored=[(50, 50, 60, 60), HALF], task="CRES")  # one ignored lies on the right one
        assert cres([item], [painted("t", TEN, (50, 50, 60, 60))])["giou"] == 1
        assert cres([item], [painted("t", (0, 5, 10, 10))])["giou"] == 0.5
        assert cres([make_item("z", ignored=[TEN], task="CRES")], [painted("z", TEN)])["n_acc"] == 1

    def test_band_round_the_edge_counts_neither_way(self) -> None:
        item = make_item("t", [(20, 20, 40, 40)], task="CRES")
        answered = [painted("t", (19, 19, 41, 41))]
        assert cres([item], answered)["giou"] == pytest.approx(400 / 484)
        assert cres([item], answered, band_px=1)["giou"] == 1
        edge = make_item("t", [(0, 0, 100, 50)], task="CRES")  # the image's border is no edge
        assert score_cres([edge], [painted("t", (0, 0, 100, 50))], band_px=2).item("t")["union"] == 100 * 48

    def test_overlapping_answers_count_once(self) -> None:
        assert cres([make_item("t", [TEN], task="CRES")], [painted("t", TEN, TEN, HALF)])["giou"] == 1

    def test_item_without_masks_is_the_callers_fault(self) -> None:
        item = make_item("t", [TEN], task="CRES")
        bare = item.model_copy(update={"objects": (item.objects[0].model_copy(update={"rle": None}),)})
        with pytest.raises(UsageError, match="item 't': the right object 'a0' has no mask"):
            score_cres([bare], [])


class TestRcd:
    def test_worked_example(self) -> None:
        """Three items of 100 x 100 px.

        a: asked for the left half; 10 x 10 changed there; answered 10 x 8 of it and 10 x 10 in the right half.
           whole scene tp 80, fp 100, fn 20; inside tp 80, fp 0, fn 20; IoU 80 / 200; parts: one found (.8), one extra
        b: nothing asked for has changed; none answered: IoU 1
        c: 10 x 10 changed; unreadable: fn 100; its part is missed
        F1_1 = 2 * 80 / (2 * 80 + 100 + 120) = 160 / 380, IoU_1 = 80 / 300; inside: fp 0: 160 / 280, 80 / 200
        gIoU (.4 + 1 + 0) / 3; parts: 1 found, 1 extra, 1 missed: F1 2 / 4
        """
        items = [changed("a", TEN, asked=(0, 0, 50, 100)), changed("b", asked=(0, 0, 50, 100)), changed("c", TEN)]
        answers = [repainted("a", (0, 0, 10, 8), (80, 80, 90, 90)), Prediction(id="b"), no_answer("c")]
        found = rcd(items, answers)
        expected = {
            "F1_1": 160 / 380, "IoU_1": 80 / 300, "precision_1": 80 / 180, "recall_1": 80 / 200,
            "F1_1_inside": 160 / 280, "IoU_1_inside": 80 / 200, "precision_1_inside": 1,
            "giou": 1.4 / 3, "giou_targets": 0.4 / 2,
            "component_precision@0.5": 1 / 2, "component_recall@0.5": 1 / 2, "component_f1@0.5": 2 / 4,
            "n_acc": 1, "t_acc": 1 / 2, "answered": 2 / 3, "items": 3,
        }  # fmt: skip
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)

    def test_no_change_anywhere_is_zero_by_bit_cd_and_one_per_item(self) -> None:
        found = rcd([changed("z")], [Prediction(id="z")])
        assert (found["F1_1"], found["giou"], found["n_acc"], found["component_f1@0.5"]) == (0, 1, 1, None)

    @pytest.mark.parametrize("status", STATUSES)
    def test_no_answer_is_wrong_and_no_rejection(self, status: str) -> None:
        run = score_rcd([changed("z"), changed("t", TEN)], [no_answer("z", status), no_answer("t", status)])
        found = run.values()
        assert run.counts() == {status: 2}
        assert {found[name] for name in ("F1_1", "giou", "n_acc", "t_acc", "component_recall@0.5")} == {0}

    def test_answer_outside_the_region_is_wrong_even_where_it_changed(self) -> None:
        item = changed("a", TEN, asked=(0, 0, 50, 100))
        found = rcd([item], [repainted("a", TEN, (60, 0, 70, 10))])
        assert found["precision_1"] == pytest.approx(0.5) and found["precision_1_inside"] == pytest.approx(1)

    def test_right_pixels_beyond_the_region_stay_right(self) -> None:
        item = changed("a", (45, 0, 55, 10), asked=(0, 0, 54, 100))  # a whole object, 90 % of it inside
        found = rcd([item], [repainted("a", (45, 0, 55, 10))])
        assert found["F1_1_inside"] == pytest.approx(1) == found["F1_1"]

    def test_regions_with_masks_serve_for_a_mask(self) -> None:
        assert rcd([changed("a", TEN)], [painted("a", TEN)])["giou"] == 1

    @pytest.mark.parametrize("found", [answer("z", [TEN]), Prediction(id="z", mask_rle=filled(TEN, size_wh=(9, 9)))])
    def test_answer_without_a_readable_mask_is_wrong(self, found: Prediction) -> None:
        run = score_rcd([changed("z")], [found])
        assert run.counts() == {"no mask": 1} and run.values()["n_acc"] == 0

    def test_parts_that_touch_at_a_corner_are_one(self) -> None:
        two = filled(TEN, (10, 10, 20, 20))
        found = score_rcd([make_item("a", task="RCD", answer_rle=two)], [Prediction(id="a", mask_rle=two)]).item("a")
        assert (found["parts_found"], found["parts_extra"], found["parts_missed"]) == (1, 0, 0)

    def test_part_on_the_threshold_and_specks(self) -> None:
        run = score_rcd([changed("a", TEN)], [repainted("a", HALF, (50, 50, 54, 54))])  # IoU .5; a speck of 16 px
        assert (run.item("a")["parts_found"], run.item("a")["parts_extra"]) == (1, 0)
        run = score_rcd([changed("a", TEN)], [repainted("a", HALF, (50, 50, 54, 54))], least_part_px=16)
        assert (run.item("a")["parts_found"], run.item("a")["parts_extra"]) == (1, 1)

    @pytest.mark.parametrize(("side", "least"), [(256, 20), (640, 43), (1023, 64), (1024, 64)])
    def test_the_least_part_is_the_builders(self, side: int, least: int) -> None:
        """A part that the builder holds in doubt costs nothing, one that is an object does."""
        item = changed("a", size_wh=(side, side))
        for px, extra in ((least - 1, 0), (least, 1)):
            speck = filled((0, 0, 1, px), size_wh=(side, side))
            found = score_rcd([item], [Prediction(id="a", mask_rle=speck)]).item("a")
            assert (found["parts_extra"], found["fp"]) == (extra, px)

    def test_ignored_parts_count_neither_way_as_components(self) -> None:
        """Right is 10 x 10; ignored 10 x 6 at (50, 0). Answered: the right one; the ignored one, two rows too tall,
        so 60 of 80 px are on it; 5 x 5 elsewhere, which is extra; 4 of 8 rows on the second ignored one: extra."""
        doubtful = [(50, 0, 60, 6), (80, 80, 90, 84)]
        item = changed("a", TEN, ignored=doubtful)
        rles = [filled(box) for box in doubtful]
        objects = [each.model_copy(update={"rle": rle}) for each, rle in zip(item.objects, rles, strict=True)]
        item = item.model_copy(update={"objects": tuple(objects)})
        found = score_rcd([item], [repainted("a", TEN, (50, 0, 60, 8), (20, 50, 25, 55), (80, 80, 90, 88))]).item("a")
        assert (found["parts_found"], found["parts_extra"], found["parts_missed"]) == (1, 2, 0)
        assert found["fp"] == 80 + 25 + 80, "pixels are BIT_CD's: all that is not asked for is wrong"
        assert score_rcd([item], [Prediction(id="a")]).item("a")["parts_missed"] == 1

    def test_two_parts_answered_as_one(self) -> None:
        item = changed("a", TEN, (12, 0, 22, 10))
        found = score_rcd([item], [repainted("a", (0, 0, 22, 10))]).item("a")  # 100 / 220 with either
        assert (found["parts_found"], found["parts_extra"], found["parts_missed"]) == (0, 1, 2)


class TestRes:
    def test_worked_example(self) -> None:
        """a: 50 of 100 px (IoU .5); b: both empty; c: 100 px and none: U 100; d: no answer to 100 px: U 100.

        RMSIN mIoU (.5 + 0 + 0 + 0) / 4, oIoU 50 / 300; LISA gIoU (.5 + 1) / 4.
        """
        mask, none = filled(TEN), filled()
        items = [Segmented("a", "f", mask, filled(HALF)), Segmented("b", "f", none, none)]
        items += [Segmented("c", "f", mask, none), Segmented("d", "f", mask, None)]
        run = score_res(items)
        found = run.values()
        expected = {"miou": 0.125, "oiou": 50 / 300, "giou": 1.5 / 4, "ciou": 50 / 300, "p@0.5": 1 / 4, "p@0.6": 0}
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
        assert run.counts() == {"answered": 3, "no mask": 1}

    def test_unreadable_and_wrong_size_are_no_answers(self) -> None:
        items = [Segmented("a", "f", filled(TEN), filled(TEN, size_wh=(20, 20)))]
        items += [Segmented("b", "f", filled(TEN), filled(TEN), status="unreadable")]
        run = score_res(items)
        assert run.counts() == {"no mask": 1, "unreadable": 1} and run.values()["miou"] == 0

    def test_true_mask_must_be_readable(self) -> None:
        with pytest.raises(UsageError, match="an RLE needs 'size'"):
            score_res([Segmented("a", "f", {}, None)])

    @pytest.mark.parametrize(("rows", "name"), [(5, "p@0.5"), (6, "p@0.6"), (7, "p@0.7"), (8, "p@0.8"), (9, "p@0.9")])
    def test_exactly_on_the_threshold(self, rows: int, name: str) -> None:
        assert score_res([Segmented("a", "f", filled(TEN), filled((0, 0, 10, rows)))]).values()[name] == 1


class TestChange:
    def test_worked_example(self) -> None:
        """tp 3, fp 1, fn 2, tn 4: P 3/4, R 3/5, F1 6/9, IoU 3/6; background P 4/6, R 4/5, F1 8/11, IoU 4/7."""
        truth = np.array([[1, 1, 1, 0, 1, 1, 0, 0, 0, 0]])
        found = score_change([LabelledPair("a", "f", truth, np.array([[1, 1, 1, 1, 0, 0, 0, 0, 0, 0]]))]).values()
        expected = {
            "precision_1": 3 / 4, "recall_1": 3 / 5, "F1_1": 6 / 9, "IoU_1": 3 / 6, "F1_0": 8 / 11, "IoU_0": 4 / 7,
            "mf1": (6 / 9 + 8 / 11) / 2, "miou": (3 / 6 + 4 / 7) / 2, "acc": 7 / 10,
        }  # fmt: skip
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)

    def test_pairs_are_pooled_never_averaged(self) -> None:
        """a: tp 1, fp 0; b: tp 1, fp 8: pooled P 2 / 10, not (1 + 1/9) / 2."""
        one = LabelledPair("a", "f", np.array([[1, 0]]), np.array([[1, 0]]))
        other = LabelledPair("b", "g", np.array([[1] + [0] * 8]), np.ones((1, 9), int))
        assert score_change([one, other]).values()["precision_1"] == pytest.approx(0.2)

    def test_no_change_at_all_is_zero(self) -> None:
        zero = np.array(0.0)
        assert float(bit_cd(zero, zero, zero, np.array(5.0))["F1_1"]) == 0

    def test_no_answer_misses_all_change_and_earns_nothing(self) -> None:
        run = score_change([LabelledPair("a", "f", np.array([[1, 0, 0]]), None, "failed")])
        assert run.values()["F1_1"] == run.values()["acc"] == run.values()["F1_0"] == 0
        assert run.counts() == {"failed": 1}

    def test_three_classes(self) -> None:
        """Rows are true. IoU 4/6, 2/4, class 2 nowhere; recall 4/5, 2/3; precision 4/5, 2/3; accuracy 6/8."""
        figures = change_agent(np.array([[4, 1, 0], [1, 2, 0], [0, 0, 0]]))
        assert float(figures["MIoU"]) == pytest.approx((4 / 6 + 2 / 4) / 2)
        assert np.isnan(figures["IoU building"]) and float(figures["pixel accuracy"]) == 6 / 8
        assert float(figures["mean recall"]) == pytest.approx((4 / 5 + 2 / 3) / 2)
        assert float(figures["FWIoU"]) == pytest.approx(5 / 8 * 4 / 6 + 3 / 8 * 2 / 4)

    def test_recall_and_precision_are_not_swapped(self) -> None:
        figures = change_agent(np.array([[8, 2], [0, 10]]), ("background", "change"))
        assert float(figures["mean recall"]) == pytest.approx((8 / 10 + 1) / 2)
        assert float(figures["mean precision"]) == pytest.approx((1 + 10 / 12) / 2)

    def test_pixels_that_are_not_annotated_are_left_out(self) -> None:
        assert confusion(np.array([[0, 255, -1, 1]]), np.array([[0, 1, 1, 1]]), 2).tolist() == [[1, 0], [0, 1]]

    @pytest.mark.parametrize(
        ("truth", "found", "words"),
        [([[0, 1]], [[0]], "expected the same"), ([[0, 1]], [[0, 255]], "holds class 255; expected 0 to 1")],
    )
    def test_maps_that_do_not_fit_are_told(self, truth: Any, found: Any, words: str) -> None:
        with pytest.raises(UsageError, match=words):
            confusion(np.array(truth), np.array(found), 2)


def masks(number: int) -> st.SearchStrategy[list[np.ndarray]]:
    return st.integers(0, 2**32 - 1).map(lambda seed: random_masks(number, seed))


def random_masks(number: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        np.kron(rng.random((4, 4)) < rng.choice([0, 0.3, 0.9]), np.ones((8, 8))).astype(bool) for _ in range(number)
    ]


def rle(pixels: np.ndarray) -> dict[str, Any]:
    return Mask.from_array(pixels).to_rle()


@given(masks(8), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_pixel_scores_against_plain_numpy(drawn: list[np.ndarray], chance: random.Random) -> None:
    """Truth i against answer i, for CRES, RCD and RES; the order of the items changes nothing."""
    truths, found = drawn[:4], drawn[4:]
    small = {"size_wh": (32, 32)}
    inter = [int((a & b).sum()) for a, b in zip(truths, found, strict=True)]
    union = [int((a | b).sum()) for a, b in zip(truths, found, strict=True)]
    ious = [i / u if u else 1.0 for i, u in zip(inter, union, strict=True)]
    box = (0.0, 0.0, 1.0, 1.0)
    segments = []
    for i, truth in enumerate(truths):
        item = make_item(str(i), [box] if truth.any() else [], task="CRES", **small)
        objects = tuple(each.model_copy(update={"rle": rle(truth)}) for each in item.objects)
        segments.append(item.model_copy(update={"objects": objects}))
    replies = [Prediction(id=str(i), regions=(Predicted(hbb=box, rle=rle(each)),)) for i, each in enumerate(found)]
    wanted = [make_item(str(i), task="RCD", answer_rle=rle(each), **small) for i, each in enumerate(truths)]
    changes = [Prediction(id=str(i), mask_rle=rle(each)) for i, each in enumerate(found)]
    pairs = [Segmented(str(i), "f", rle(a), rle(b)) for i, (a, b) in enumerate(zip(truths, found, strict=True))]
    for _ in range(2):
        assert cres(segments, replies)["giou"] == pytest.approx(np.mean(ious))
        assert rcd(wanted, changes)["giou"] == pytest.approx(np.mean(ious))
        assert rcd(wanted, changes)["IoU_1"] == pytest.approx(sum(inter) / max(sum(union), 1e-7), abs=1e-6)
        assert score_res(pairs).values()["oiou"] == (pytest.approx(sum(inter) / sum(union)) if sum(union) else None)
        for each in (segments, replies, wanted, changes, pairs):
            chance.shuffle(each)  # type: ignore[arg-type]


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_parts_are_those_of_opencv(seed: int, height: int, width: int) -> None:
    """Components, their areas and what those of two masks share."""
    rng = np.random.default_rng(seed)
    one, two = rng.random((2, height, width)) < rng.random()
    labels = [cv2.connectedComponents(each.astype(np.uint8), connectivity=8) for each in (one, two)]
    expected = [
        [int(((labels[0][1] == a) & (labels[1][1] == b)).sum()) for b in range(1, labels[1][0])]
        for a in range(1, labels[0][0])
    ]
    parts = [parts_of(packed(rle(each))) for each in (one, two)]
    areas = [sorted(np.bincount(each.ravel())[1:]) for _, each in labels]
    assert [sorted(each.area_px) for each in parts] == areas
    shared = shared_px(*parts)
    assert shared.shape == (labels[0][0] - 1, labels[1][0] - 1)
    assert sorted(map(sorted, shared.tolist())) == sorted(map(sorted, expected))


def test_small_parts_are_left_out_on_request() -> None:
    pixels = np.zeros((9, 9), bool)
    pixels[0, 0] = pixels[4:6, 4:6] = pixels[8, 2:5] = True
    mask = packed(rle(pixels))
    assert [sorted(parts_of(mask, least).area_px) for least in (1, 3, 4, 5)] == [[1, 3, 4], [3, 4], [4], []]
    assert shared_px(parts_of(mask, 4), parts_of(mask)).sum() == 4


@pytest.mark.parametrize("turned", [False, True])
def test_a_long_winding_part_is_one(turned: bool) -> None:
    pixels = np.zeros((61, 61), bool)
    pixels[::2] = True
    pixels[1::4, -1] = pixels[3::4, 0] = True
    parts = parts_of(packed(rle(pixels.T if turned else pixels)))
    assert parts.area_px.tolist() == [int(pixels.sum())]


@given(masks(5), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_ignored_pixels_and_band_against_plain_numpy(drawn: list[np.ndarray], band_px: int) -> None:
    truth, found, *ignored = drawn
    item = make_item("a", [TEN], ignored=[TEN] * 3, task="CRES", size_wh=(32, 32))
    pixels = dict(zip(("a0", "i0", "i1", "i2"), (truth, *ignored), strict=True))
    item = item.model_copy(
        update={"objects": tuple(each.model_copy(update={"rle": rle(pixels[each.id])}) for each in item.objects)}
    )
    skipped = np.any(ignored, axis=0) & ~truth
    padded = np.pad(truth, band_px, mode="edge")
    near = [
        np.roll(padded, (dy, dx), (0, 1)) for dy in range(-band_px, band_px + 1) for dx in range(-band_px, band_px + 1)
    ]
    inner = slice(band_px, band_px + 32)
    skipped |= (np.any(near, axis=0) != np.all(near, axis=0))[inner, inner]
    run = score_cres([item], [Prediction(id="a", regions=(Predicted(hbb=TEN, rle=rle(found)),))], band_px=band_px)
    assert run.item("a")["inter"] == (truth & found & ~skipped).sum()
    assert run.item("a")["union"] == ((truth | found) & ~skipped).sum()


@given(masks(3))
@settings(max_examples=40, deadline=None)
def test_truth_as_answer_scores_one(drawn: list[np.ndarray]) -> None:
    items = [make_item(str(i), task="RCD", answer_rle=rle(each), size_wh=(32, 32)) for i, each in enumerate(drawn)]
    found = rcd(items, [Prediction(id=str(i), mask_rle=rle(each)) for i, each in enumerate(drawn)])
    bounded = {v for k, v in found.items() if v is not None and k != "items" and "_1" not in k}
    assert bounded <= {1.0}
    if any(each.any() for each in drawn):
        assert found["F1_1"] == pytest.approx(1, abs=1e-6) == found["F1_1_inside"]


@given(masks(3), masks(1))
@settings(max_examples=40, deadline=None)
def test_wrong_pixels_never_raise_precision_or_iou(drawn: list[np.ndarray], more: list[np.ndarray]) -> None:
    truth, first, _ = drawn
    item = make_item("a", task="RCD", answer_rle=rle(truth), size_wh=(32, 32))
    before = rcd([item], [Prediction(id="a", mask_rle=rle(first))])
    after = rcd([item], [Prediction(id="a", mask_rle=rle(first | (more[0] & ~truth)))])
    for name in ("precision_1", "IoU_1", "F1_1", "giou"):
        assert after[name] <= before[name] + 1e-12  # type: ignore[operator]


@pytest.mark.parametrize(("box", "n_acc"), [((0, 0, 7, 7), 1), ((0, 0, 5, 10), 0)])
def test_rcd_rejects_below_50_px(box: Any, n_acc: int) -> None:
    assert rcd([changed("z")], [repainted("z", box)])["n_acc"] == n_acc


def test_small_true_parts_are_not_missed() -> None:
    assert score_rcd([changed("a", TEN, (50, 50, 54, 54))], [repainted("a", TEN)]).item("a")["parts_missed"] == 0
