"""REC, box consistency and scenes: worked examples with their arithmetic, corner cases first."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_items import filled
from surveyor.core.errors import UsageError
from surveyor.evals.scores.bcs import ThreeAnswers, consistency, score_bcs
from surveyor.evals.scores.rec import Referred, on_grid, plus_one_iou, score_rec
from surveyor.evals.scores.scene import Classified, class_key, score_scenes

TEN = (0, 0, 10, 10)
QUAD = [[0, 0], [10, 0], [10, 10], [0, 10]]


class TestRec:
    def test_worked_example(self) -> None:
        """a: I 50, U 100: .5 (hit at .5). b: I 70, U 100: .7 (hit at both). c: nothing shared: 0 of 200. d: no answer.
        a is unique, c and d are not, of b nothing is said.

        Acc@.5 2/4, Acc@.7 1/4, mean 1.2/4; sums 120 / (100 + 100 + 200 + 100), over the answers 120 / 400.
        """
        run = score_rec(
            [
                Referred("a", "f", TEN, (0, 0, 10, 5), is_unique=True),
                Referred("b", "f", TEN, (0, 0, 10, 7)),
                Referred("c", "f", TEN, (50, 50, 60, 60), is_unique=False),
                Referred("d", "f", TEN, None, status="timeout", is_unique=False),
            ]
        )
        expected = {
            "acc@0.5": 2 / 4, "acc@0.7": 1 / 4, "mean_iou": 1.2 / 4,
            "cum_iou": 120 / 500, "cum_iou_answered": 120 / 400,
            "acc_unique@0.5": 1, "acc_not_unique@0.5": 0, "answered": 3 / 4, "items": 4,
        }  # fmt: skip
        found = run.values()
        assert {name: found[name] for name in expected} == pytest.approx(expected)
        assert run.counts() == {"answered": 3, "timeout": 1}

    @pytest.mark.parametrize(
        "found",
        [
            None,
            (),
            (1, 2, 3),
            (0, 0, math.nan, 10),
            ("a", 0, 1, 1),
            ((0, 0), (1, 1)),
            (0, 0, 10, 10, 0),
            (10, 10, 0, 0),
        ],
    )
    def test_what_is_no_box_is_wrong(self, found: Any) -> None:
        assert score_rec([Referred("a", "f", TEN, found)]).values()["acc@0.5"] == 0

    def test_status_beats_the_box(self) -> None:
        run = score_rec([Referred("a", "f", TEN, TEN, status="unreadable")])
        assert run.values()["acc@0.5"] == 0 and run.counts() == {"unreadable": 1}

    def test_true_box_must_be_one(self) -> None:
        with pytest.raises(UsageError, match=r"the true box of 'a' is \(0, 0, 1\)"):
            score_rec([Referred("a", "f", (0, 0, 1), TEN)])

    def test_boxes_that_only_touch(self) -> None:
        """On the grid: columns 0 to 10 and 10 to 20 share one: 11 / (121 + 121 - 11) = .0476 (FORMATS 0.2)."""
        assert plus_one_iou((0, 0, 10, 10), (10, 0, 20, 10)) == pytest.approx(11 / 231, abs=1e-9)
        assert score_rec([Referred("a", "f", TEN, (10, 0, 20, 10))]).values()["mean_iou"] == 0

    def test_plus_one_flatters_small_boxes(self) -> None:
        """2 x 2 cells moved by one: plain 2 / 6; with one more 6 / (9 + 9 - 6) = .5."""
        run = score_rec([Referred("a", "f", (0, 0, 10, 10), (5, 0, 15, 10), size_wh=(500, 500))])
        assert run.values()["acc@0.5"] == 0 and run.values()["acc_plus_one@0.5"] == 1
        assert plus_one_iou((0, 0, 2, 2), (1, 0, 3, 2)) == 0.5

    def test_plus_one_does_not_overlap_apart(self) -> None:
        assert plus_one_iou((0, 0, 1, 1), (3, 3, 4, 4)) == 0

    def test_grid_rounds_half_up_and_cuts(self) -> None:
        assert on_grid((0.5, 1.5, 99.4, 300), (100, 200)).tolist() == [1, 1, 99, 100]

    def test_oriented(self) -> None:
        """Squares moved by half: 50 / 150. In bow-tie order the hull counts; a line has no area."""
        moved = [[5, 0], [15, 0], [15, 10], [5, 10]]
        tie = [moved[0], moved[2], moved[1], moved[3]]
        line = [[0, 0], [1, 0], [2, 0], [3, 0]]
        triangle = [[0, 0], [10, 0], [10, 10], [10, 10]]
        for found, iou in ((moved, 1 / 3), (tie, 1 / 3), (line, 0), (triangle, 0.5), (TEN, 0), (QUAD, 1)):
            run = score_rec([Referred("a", "f", QUAD, found)], oriented=True)
            assert run.values()["mean_iou"] == pytest.approx(iou), found
        assert "acc_plus_one@0.5" not in run.values()

    @given(st.lists(st.integers(0, 100), min_size=4, max_size=4), st.lists(st.integers(0, 100), min_size=4, max_size=4))
    def test_plus_one_is_never_lower_and_symmetric(self, one: list[int], two: list[int]) -> None:
        a, b = ([*sorted((box[0], box[2])), *sorted((box[1], box[3]))] for box in (one, two))
        a, b = ([box[0], box[2], box[1], box[3]] for box in (a, b))
        plain = score_rec([Referred("a", "f", a, b)]).values()["mean_iou"]
        assert plain is not None and plus_one_iou(a, b) == plus_one_iou(b, a)
        assert plus_one_iou(a, b) >= plain - 1e-12 and plus_one_iou(a, a) == 1


class TestBcs:
    def test_worked_example(self) -> None:
        """Box 10 x 10; corners' box its left half; mask its upper half: .5, .5 and 25 / 75."""
        answers = ThreeAnswers("a", "f", TEN, [[0, 0], [5, 0], [5, 10], [0, 10]], filled((0, 0, 10, 5)))
        found = consistency(answers)
        assert found == pytest.approx({"box-corners": 0.5, "box-mask": 0.5, "corners-mask": 1 / 3})
        assert score_bcs([answers]).values()["bcs"] == pytest.approx((0.5 + 0.5 + 1 / 3) / 3)

    def test_a_turned_box_has_its_enclosing_box(self) -> None:
        diamond = [[5, 0], [10, 5], [5, 10], [0, 5]]
        assert score_bcs([ThreeAnswers("a", "f", TEN, diamond, filled(TEN))]).values()["bcs"] == 1

    @pytest.mark.parametrize(
        ("box", "corners", "rle", "bcs"),
        [
            (None, None, None, 0),
            (None, QUAD, filled(TEN), 1 / 3),
            (TEN, QUAD, filled(), 1 / 3),
            (TEN, [[0, 0], [math.nan, 1], [1, 1], [0, 1]], filled(TEN), 1 / 3),
            (TEN, QUAD, {"size": [3]}, 1 / 3),
            ("box", QUAD, filled(TEN), 1 / 3),
        ],
    )
    def test_what_is_missing_costs_two_of_three(self, box: Any, corners: Any, rle: Any, bcs: float) -> None:
        assert score_bcs([ThreeAnswers("a", "f", box, corners, rle)]).values()["bcs"] == pytest.approx(bcs)


class TestScenes:
    def test_worked_example(self) -> None:
        """airport 1 of 2, bare land 1 of 1 (spelt otherwise), beach 0 of 1: 2 / 4; mean (.5 + 1 + 0) / 3."""
        run = score_scenes(
            [
                Classified("a", "f", "Airport", "airport."),
                Classified("b", "f", "Airport", "airplane"),
                Classified("c", "f", "BareLand", "bare_land"),
                Classified("d", "f", "Beach", None, "failed"),
            ]
        )
        found = run.values()
        assert (found["accuracy"], found["class_mean"], found["known"]) == (2 / 4, pytest.approx(0.5), 2 / 4)
        assert (found["accuracy Airport"], run.counts()["failed"]) == (0.5, 1)

    def test_class_that_does_not_occur_is_not_defined(self) -> None:
        found = score_scenes([Classified("a", "f", "Airport", "Airport")], ["Airport", "Beach"]).values()
        assert found["accuracy Beach"] is None and found["class_mean"] == 1

    def test_name_within_a_sentence_is_wrong(self) -> None:
        assert score_scenes([Classified("a", "f", "airport", "it is an airport")]).values()["accuracy"] == 0

    def test_nothing(self) -> None:
        assert score_scenes([]).values()["accuracy"] is None

    @given(st.text(max_size=20))
    def test_key_is_stable(self, text: str) -> None:
        assert class_key(class_key(text)) == class_key(text) == class_key(f" {text}_")


@given(st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_perfect_and_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (6, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(1, 20, (6, 2))], axis=1)
    right = [Referred(str(i), "f", box, box, size_wh=(100, 100)) for i, box in enumerate(boxes)]
    scores = score_rec(right).values()
    del scores["items"]
    assert all(value == pytest.approx(1) for value in scores.values() if value is not None)
    mixed = [Referred(str(i), "f", box, boxes[i - 1]) for i, box in enumerate(boxes)]
    assert score_rec(mixed).values() == score_rec(mixed[::-1]).values()
