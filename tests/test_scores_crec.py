"""CREC: the worked example with its arithmetic, corner cases, and what must hold for any boxes."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_items import answer, make_item, no_answer, square
from surveyor.core.errors import UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.evals.bench.items import Item, Truth
from surveyor.evals.bench.predictions import Predicted, Prediction
from surveyor.evals.scores.crec import score_crec
from surveyor.evals.scores.matching import best_pairs

STATUSES = ("unreadable", "failed", "refused", "timeout")


def values(items: list[Item], predictions: list[Prediction], **options: Any) -> dict[str, float | None]:
    return score_crec(items, predictions, **options).values()


def test_worked_example() -> None:
    """Four items.

    a: right at 0 and 20; answered 0 exactly, 20 cut to 7 of its 10 rows (IoU .7), and one at 60: 2 hits, 1 extra.
    b: right at 0; answered the upper half (IoU .5, on the threshold: a hit).
    c: nothing right, answered none. d: nothing right, unreadable: costs one false positive.
    at .5  tp 2 + 1 = 3, fp 1 + 1 = 2, fn 0: P 3/5, R 1, F1 6/8
           macro P (2/3 + 1 + 1 + 0) / 4, R (1 + 1 + 1 + 0) / 4, F1 (4/5 + 1 + 1 + 0) / 4; sets right: b, c
    at .75 tp 1, fp 2 + 1 + 1 = 4, fn 1 + 1 = 2: P 1/5, R 1/3, F1 2/8; sets right: c alone
    """
    items = [make_item("a", [square(0), square(20)]), make_item("b", [square(0)]), make_item("c"), make_item("d")]
    first = answer("a", [square(0), (20, 20, 30, 27), square(60)])
    found = values(items, [first, answer("b", [(0, 0, 10, 5)]), answer("c"), no_answer("d")])
    expected = {
        "precision_micro@0.5": 3 / 5, "recall_micro@0.5": 1, "f1_micro@0.5": 6 / 8,
        "precision_macro@0.5": (2 / 3 + 2) / 4, "recall_macro@0.5": 3 / 4, "f1_macro@0.5": (4 / 5 + 2) / 4,
        "set_acc@0.5": 2 / 4, "single_acc@0.5": 1,
        "precision_micro@0.75": 1 / 5, "recall_micro@0.75": 1 / 3, "f1_micro@0.75": 2 / 8,
        "set_acc@0.75": 1 / 4, "single_acc@0.75": 0,
        "n_acc": 1 / 2, "t_acc": 1, "answered": 3 / 4, "items": 4,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize("status", STATUSES)
def test_no_answer_is_no_correct_rejection(status: str) -> None:
    run = score_crec([make_item("z"), make_item("t", [square(0)])], [no_answer("z", status), no_answer("t", status)])
    found = run.values()
    assert run.counts() == {status: 2}
    wrong = ("n_acc", "t_acc", "set_acc@0.5", "f1_macro@0.5", "f1_micro@0.5", "precision_micro@0.5", "single_acc@0.5")
    assert {found[name] for name in wrong} == {0.0} and found["items"] == 2


def test_missing_prediction_stays_in_the_denominator() -> None:
    run = score_crec([make_item("z"), make_item("t")], [answer("z")])
    assert run.counts() == {"answered": 1, "missing": 1} and run.values()["n_acc"] == 0.5


def test_nothing_scored_is_none_not_zero() -> None:
    found = values([], [])
    assert found["f1_micro@0.5"] is None and found["n_acc"] is None and found["items"] == 0


def test_only_rejections_leave_pooled_metrics_undefined() -> None:
    found = values([make_item("z")], [answer("z")])
    assert found["f1_micro@0.5"] is None and found["f1_macro@0.5"] == 1 and found["single_acc@0.5"] is None


def test_none_answered_where_something_is_right() -> None:
    found = values([make_item("t", [square(0)])], [answer("t")])
    assert (found["t_acc"], found["precision_macro@0.5"], found["f1_macro@0.5"], found["recall_micro@0.5"]) == (0,) * 4


def test_second_box_on_the_same_object_is_wrong() -> None:
    found = values([make_item("t", [square(0)])], [answer("t", [square(0), square(0)])])
    assert (found["precision_micro@0.5"], found["recall_micro@0.5"], found["set_acc@0.5"]) == (0.5, 1, 0)


def test_one_box_finds_one_of_two_equal_objects() -> None:
    found = values([make_item("t", [square(0), square(0)])], [answer("t", [square(0)])])
    assert (found["precision_micro@0.5"], found["recall_micro@0.5"]) == (1, 0.5)


@pytest.mark.parametrize(("rows", "threshold"), [(2.5, 0.25), (5, 0.5), (7.5, 0.75), (6, 0.6), (7, 0.7), (9, 0.9)])
@pytest.mark.parametrize("oriented", [False, True])
def test_exactly_on_the_threshold_is_a_hit(rows: float, threshold: float, oriented: bool) -> None:
    items, found = [make_item("t", [square(0)])], [answer("t", [(0, 0, 10, rows)])]
    scores = values(items, found, thresholds=(threshold,), oriented=oriented)
    assert scores[f"set_acc@{threshold:g}"] == 1
    less = values(items, [answer("t", [(0, 0, 10, rows - 1e-5)])], thresholds=(threshold,), oriented=oriented)
    assert less[f"set_acc@{threshold:g}"] == 0


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((math.nan, 0, 10, 10), id="nan"),
        pytest.param((0, 0, math.inf, 10), id="infinite"),
        pytest.param((10, 10, 0, 0), id="turned round"),
        pytest.param((5, 5, 5, 5), id="no area"),
        pytest.param((-1e300, -1e300, 1e300, 1e300), id="huge"),
    ],
)
@pytest.mark.parametrize("oriented", [False, True])
def test_box_that_is_none_is_a_false_positive(box: tuple[float, ...], oriented: bool) -> None:
    found = values([make_item("t", [square(0)]), make_item("z")], [answer("t", [box]), answer("z", [box])])
    assert (found["precision_micro@0.5"], found["t_acc"], found["n_acc"]) == (0, 1, 0)


@pytest.mark.parametrize("corners", [((0, 0), (10, 0), (10, 10)), ((0, 0),) * 4, ((0, math.nan),) * 4])
def test_corners_that_are_no_box_are_a_false_positive(corners: Any) -> None:
    found = Prediction(id="t", regions=(Predicted(hbb=square(0), obb=corners),))
    assert values([make_item("t", [square(0)])], [found], oriented=True)["precision_micro@0.5"] == 0


class TestIgnored:
    item = make_item("t", [square(0)], others=[square(40)], ignored=[square(20)])

    def test_box_on_an_ignored_object_counts_neither_way(self) -> None:
        found = values([self.item], [answer("t", [square(0), square(20)])])
        assert found["precision_micro@0.5"] == found["set_acc@0.5"] == 1

    def test_rejection_with_a_box_on_an_ignored_object_is_right(self) -> None:
        found = values([make_item("z", ignored=[square(20)])], [answer("z", [square(20)])])
        assert found["n_acc"] == found["f1_macro@0.5"] == 1

    def test_only_an_ignored_object_is_an_empty_answer(self) -> None:
        assert values([self.item], [answer("t", [square(20)])])["t_acc"] == 0

    def test_better_match_elsewhere_counts(self) -> None:
        # IoU with the ignored object .429 (6 of 10 rows and columns shared would be less), with the wrong one larger
        near = make_item("t", [square(0)], others=[(22, 20, 32, 30)], ignored=[square(20)])
        found = values([near], [answer("t", [square(0), (23, 20, 33, 30)])])
        assert found["precision_micro@0.5"] == 0.5

    def test_box_over_everything_is_not_dropped(self) -> None:
        alone = make_item("z", ignored=[square(20)])
        assert values([alone], [answer("z", [(0, 0, 100, 100)])])["n_acc"] == 0  # IoU .01: no match

    def test_right_object_wins_a_tie(self) -> None:
        both = make_item("t", [square(0)], ignored=[square(0)])
        assert values([both], [answer("t", [square(0)])])["set_acc@0.5"] == 1


def test_boxes_after_the_hundredth_do_not_count() -> None:
    boxes = [square(500 + 20 * i) for i in range(100)]
    found = score_crec([make_item("t", [square(0)])], [answer("t", [*boxes, square(0)])]).item("t")
    assert (found["tp@0.5"], found["fp@0.5"], found["fn@0.5"]) == (0, 100, 1)
    found = score_crec([make_item("t", [square(0)])], [answer("t", [square(0), *boxes])]).item("t")
    assert (found["tp@0.5"], found["fp@0.5"]) == (1, 99)


def test_single_target_accuracy_reads_the_first_box() -> None:
    items = [make_item("s", [square(0)]), make_item("m", [square(0), square(20)])]
    late = answer("s", [square(50), square(0)])
    assert values(items, [late, answer("m", [square(0)])])["single_acc@0.5"] == 0
    early = answer("s", [square(0), square(50)])
    assert values(items, [early, answer("m")])["single_acc@0.5"] == 1


def test_oriented_boxes_are_compared_turned() -> None:
    """A 20 x 4 box and itself turned by 90 degrees: their upright boxes are equal, the boxes share 4 x 4 px."""
    turned = box_to_corners(np.array([-10.0, -2, 10, 2])) @ (np.array([[1, 1], [-1, 1]]) / math.sqrt(2)) + 50
    other = box_to_corners(np.array([-2.0, -10, 2, 10])) @ (np.array([[1, 1], [-1, 1]]) / math.sqrt(2)) + 50
    hbb = (*turned.min(axis=0).tolist(), *turned.max(axis=0).tolist())
    base = make_item("t", [hbb])
    item = base.model_copy(update={"objects": (Truth(id="a0", label="plane", hbb=hbb, obb=tuple(map(tuple, turned))),)})
    found = Prediction(id="t", regions=(Predicted(hbb=hbb, obb=tuple(map(tuple, other.tolist()))),))
    assert values([item], [found])["set_acc@0.75"] == 1
    assert values([item], [found], oriented=True)["set_acc@0.25"] == 0  # 16 / (80 + 80 - 16) = .11
    same = Prediction(id="t", regions=(Predicted(hbb=hbb, obb=tuple(map(tuple, turned.tolist()))),))
    assert values([item], [same], oriented=True)["set_acc@0.75"] == 1


def test_upright_answer_in_the_oriented_track_counts_with_its_box() -> None:
    assert values([make_item("t", [square(0)])], [answer("t", [square(0)])], oriented=True)["set_acc@0.75"] == 1


@pytest.mark.parametrize(
    ("items", "predictions", "words"),
    [
        ([make_item("a"), make_item("a")], [], "two items are called 'a'"),
        ([make_item("a")], [answer("a"), answer("a")], "two predictions are for item 'a'"),
        ([make_item("a")], [answer("b")], "1 predictions are for no item (first 'b')"),
        ([make_item("a", task="RCD")], [], "item 'a' is of task 'RCD'; this scorer is for 'CREC'"),
    ],
)
def test_mixed_up_files_are_told(items: list[Item], predictions: list[Prediction], words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("(", r"\(").replace(")", r"\)")):
        score_crec(items, predictions)


BOXES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 8), st.integers(1, 8)).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
    ),
    max_size=6,
)
CASES = st.lists(st.tuples(BOXES, BOXES, BOXES, st.booleans()), max_size=5)


def from_cases(cases: list[Any]) -> tuple[list[Item], list[Prediction]]:
    items = [make_item(str(i), right, ignored=ignored) for i, (right, _, ignored, _) in enumerate(cases)]
    found = [answer(str(i), boxes) if ok else no_answer(str(i)) for i, (_, boxes, _, ok) in enumerate(cases)]
    return items, found


@given(CASES, st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=150, deadline=None)
def test_order_changes_nothing(cases: list[Any], chance: random.Random, oriented: bool) -> None:
    """Neither the order of items and predictions nor, but for the first box, that of boxes and objects."""
    items, found = from_cases(cases)
    before = values(items, found, oriented=oriented)
    mixed = [
        each.model_copy(update={"regions": tuple(chance.sample(each.regions, len(each.regions)))}) for each in found
    ]
    turned = [
        each.model_copy(update={"answer_ids": tuple(chance.sample(each.answer_ids, len(each.answer_ids)))})
        for each in items
    ]
    chance.shuffle(mixed)
    chance.shuffle(turned)
    after = values(turned, mixed, oriented=oriented)
    assert {k: v for k, v in before.items() if "single" not in k} == {
        k: v for k, v in after.items() if "single" not in k
    }


@given(CASES)
@settings(max_examples=100, deadline=None)
def test_rates_stay_in_range_and_fall_with_the_threshold(cases: list[Any]) -> None:
    found = values(*from_cases(cases))
    assert all(v is None or 0 <= v <= 1 for k, v in found.items() if k != "items")
    for name in ("recall_micro", "f1_micro", "precision_macro"):
        rates = [found[f"{name}@{t}"] for t in (0.25, 0.5, 0.75)]
        assert None in rates or rates == sorted(rates, key=float, reverse=True)  # type: ignore[arg-type]


@given(st.lists(st.tuples(BOXES, BOXES), min_size=1, max_size=5), st.booleans())
@settings(max_examples=100, deadline=None)
def test_truth_as_answer_scores_one(cases: list[Any], oriented: bool) -> None:
    items = [make_item(str(i), right, others=others) for i, (right, others) in enumerate(cases)]
    found = values(items, [answer(str(i), right) for i, (right, _) in enumerate(cases)], oriented=oriented)
    assert {v for k, v in found.items() if v is not None and k != "items"} <= {1.0}


@given(CASES, st.integers(0, 4))
@settings(max_examples=100, deadline=None)
def test_one_more_false_positive_never_helps(cases: list[Any], which: int) -> None:
    items, found = from_cases(cases)
    before = values(items, found)
    more = [
        each.model_copy(update={"regions": (*each.regions, Predicted(hbb=(500, 500, 510, 510)))})
        if i == which
        else each
        for i, each in enumerate(found)
    ]
    after = values(items, more)
    for name in before:
        a, b = before[name], after[name]
        if name != "t_acc" and a is not None and b is not None:  # something answered is all that t_acc asks
            assert b <= a + 1e-12, name


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 10_000))
@settings(max_examples=200, deadline=None)
def test_pairing_is_the_best_of_all(n: int, m: int, seed: int) -> None:
    """Against every one-to-one pairing: largest sum, and among those the most pairs at .5."""
    rng = np.random.default_rng(seed)
    iou = np.round(rng.random((n, m)) * (rng.random((n, m)) < 0.7) * 8) / 8  # sums that are equal are so exactly
    rows, columns = best_pairs(iou, (0.5, 0.25))
    assert len(set(rows)) == len(rows) and len(set(columns)) == len(columns) and (iou[rows, columns] > 0).all()
    wide = iou if n <= m else iou.T
    every = [wide[range(len(wide)), choice] for choice in itertools.permutations(range(wide.shape[1]), len(wide))]
    best = max(round(float(each.sum()), 6) for each in every)
    most = max(int((each >= 0.5).sum()) for each in every if round(float(each.sum()), 6) == best)
    assert round(float(iou[rows, columns].sum()), 6) == best and (iou[rows, columns] >= 0.5).sum() == most


def test_pairing_is_not_greedy() -> None:
    # greedy takes .9 and leaves .1: together 1.0; best is .8 + .8
    assert sorted(zip(*best_pairs(np.array([[0.9, 0.8], [0.8, 0.1]])), strict=True)) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_pairing_of_nothing(shape: tuple[int, int]) -> None:
    rows, columns = best_pairs(np.zeros(shape))
    assert len(rows) == len(columns) == 0


def test_pairing_agrees_with_scipy() -> None:
    optimize = pytest.importorskip("scipy.optimize", reason="scipy is not installed: pip install scipy")
    rng = np.random.default_rng(0)
    for _ in range(300):
        iou = rng.random(rng.integers(1, 40, 2)) * (rng.random() < 0.8)
        rows, columns = best_pairs(iou)
        assert iou[rows, columns].sum() == pytest.approx(iou[optimize.linear_sum_assignment(iou, maximize=True)].sum())


def test_none_on_a_target_is_no_correct_rejection() -> None:
    items = [make_item("t", [square(0)]), make_item("z")]
    assert values(items, [answer("t"), answer("z", [square(0)])])["n_acc"] == 0
