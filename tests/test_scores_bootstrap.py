"""Tables of scores, their intervals, paired differences and contrast pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_items import answer, make_item, no_answer, square
from surveyor.core.errors import UsageError
from surveyor.evals.scores.bootstrap import Difference, differences, intervals
from surveyor.evals.scores.contrast import score_contrast
from surveyor.evals.scores.crec import score_crec
from surveyor.evals.scores.scored import Row, Scored, Sums, ratio, scored


def metrics(sums: Sums) -> dict[str, np.ndarray]:
    return {"rate": ratio(sums["hit"], sums["n"]), "rare": ratio(sums["rare"], sums["rares"])}


def table(hits: list[float], families: list[str] | None = None, rare: int = 0) -> Scored:
    """One item a hit; the first `rare` items are of a rare kind too."""
    rows = [
        Row(f"{i:04}", families[i] if families else str(i), "answered",
            {"hit": hit, "n": 1, "rare": hit * (i < rare), "rares": float(i < rare)})
        for i, hit in enumerate(hits)
    ]  # fmt: skip
    return scored(rows, ("hit", "n", "rare", "rares"), metrics)


class TestScored:
    def test_doubled_item_is_told(self) -> None:
        with pytest.raises(UsageError, match="two items are called 'a'"):
            scored([Row("a", "f", "answered", {}), Row("a", "g", "answered", {})], (), metrics)

    def test_nan_is_told(self) -> None:
        with pytest.raises(UsageError, match="item 'a' adds a number that is not finite"):
            scored([Row("a", "f", "answered", {"hit": float("nan")})], ("hit",), metrics)

    def test_part_of_the_items(self) -> None:
        part = table([1, 0, 1, 1]).only(["0001", "0002", "elsewhere"])
        assert part.ids == ("0001", "0002") and part.values()["rate"] == 0.5 and part.counts() == {"answered": 2}
        assert table([1.0]).only([]).values() == {"rate": None, "rare": None}

    def test_one_item(self) -> None:
        assert table([1, 0]).item("0001")["hit"] == 0
        with pytest.raises(UsageError, match="no scored item is called 'x'"):
            table([1.0]).item("x")


class TestIntervals:
    def test_worked_example(self) -> None:
        """Two families, one right, one wrong: a draw has a rate of 0, .5 or 1, by 1/4, 1/2, 1/4: limits 0, 1."""
        found = intervals(table([1, 0]))["rate"]
        assert (found.value, found.low, found.high) == (0.5, 0, 1)

    def test_limits_are_those_of_the_normal_law(self) -> None:
        """400 families, half of them right: .5 +- 1.96 * sqrt(.25 / 400) = .5 +- .049."""
        found = intervals(table([1, 0] * 200), draws=4000)["rate"]
        assert (found.low, found.high) == pytest.approx((0.451, 0.549), abs=0.005)

    def test_items_of_one_family_go_together(self) -> None:
        """40 items in 4 families, all alike within: as wide as 4 items, not 40."""
        hits = [float(i < 20) for i in range(40)]
        wide = intervals(table(hits, [str(i // 10) for i in range(40)]))["rate"]
        narrow = intervals(table(hits))["rate"]
        assert (wide.low, wide.high) == (0, 1) and narrow.low is not None and narrow.low > 0.3

    def test_all_right_has_no_width(self) -> None:
        found = intervals(table([1, 1, 1]))["rate"]
        assert (found.low, found.high) == (1, 1)

    def test_one_family_has_no_interval(self) -> None:
        found = intervals(table([1, 0], ["f", "f"]))["rate"]
        assert (found.value, found.low, found.high) == (0.5, None, None)

    def test_nothing(self) -> None:
        found = intervals(table([]))["rate"]
        assert (found.value, found.low, found.high) == (None, None, None)

    def test_draws_without_the_rare_kind_are_left_out_and_counted(self) -> None:
        found = intervals(table([1, 0, 0], rare=1))["rare"]
        assert (found.value, found.low, found.high) == (1, 1, 1) and 200 < found.undefined < 400  # (2/3)**3 = .296

    def test_seed(self) -> None:
        run = table(list(np.random.default_rng(0).random(50)))
        assert intervals(run, seed=1) == intervals(run, seed=1) != intervals(run, seed=2)

    @pytest.mark.parametrize(("draws", "level"), [(0, 0.95), (10, 0.0), (10, 1.0)])
    def test_bad_settings(self, draws: int, level: float) -> None:
        with pytest.raises(UsageError, match="expected 1 draw or more"):
            intervals(table([1, 0]), draws=draws, level=level)

    @given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=2, max_size=20), st.integers(0, 99))
    @settings(max_examples=40, deadline=None)
    def test_order_of_the_items_changes_nothing(self, drawn: list[tuple[int, int]], seed: int) -> None:
        rows = [Row(f"{i:02}", str(f), "answered", {"hit": h, "n": 1}) for i, (h, f) in enumerate(drawn)]
        columns = ("hit", "n", "rare", "rares")
        one, two = (scored(each, columns, metrics) for each in (rows, rows[::-1]))
        assert intervals(one, draws=50, seed=seed) == intervals(two, draws=50, seed=seed)
        found = intervals(one, draws=50, seed=seed)["rate"]
        assert found.low is None or found.high is None or 0 <= found.low <= found.high <= 1

    def test_against_a_plain_loop(self) -> None:
        """The same draws, item by item."""
        rng = np.random.default_rng(0)
        hits, families = rng.random(30).tolist(), [str(i) for i in rng.integers(0, 6, 30)]
        names = sorted(set(families))
        rng = np.random.default_rng(7)
        rates = []
        for chosen in rng.integers(len(names), size=(100, len(names))):
            items = [hit for k in chosen for hit, family in zip(hits, families, strict=True) if family == names[k]]
            rates.append(np.mean(items))
        found = intervals(table(hits, families), draws=100, seed=7)["rate"]
        assert (found.low, found.high) == pytest.approx(tuple(np.percentile(rates, [2.5, 97.5])))


class TestDifferences:
    def test_pairing_takes_out_what_both_find_hard(self) -> None:
        """The first run has each item .1 more: the difference has no width, though each rate has."""
        base = np.random.default_rng(0).random(40)
        found = differences(table(list(base + 0.1)), table(list(base)))["rate"]
        assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
        assert found.is_clear and found.ahead == 1

    def test_a_run_against_itself(self) -> None:
        run = table([1, 0, 1, 0])
        found = differences(run, run)["rate"]
        assert found == Difference(0, 0, 0, 0.5) and not found.is_clear

    def test_other_way_round(self) -> None:
        one, two = table([1, 1, 0, 1, 0]), table([0, 1, 0, 0, 1])
        there, back = differences(one, two)["rate"], differences(two, one)["rate"]
        assert there.value == pytest.approx(0.2) and back.value == pytest.approx(-0.2)
        assert there.low is not None and there.ahead is not None and back.ahead is not None
        assert back.high == pytest.approx(-there.low) and there.ahead + back.ahead == pytest.approx(1)

    def test_other_items_are_told(self) -> None:
        with pytest.raises(UsageError, match=r"different items \(1, first \['0001'\]\)"):
            differences(table([1, 1]), table([1]))

    def test_other_families_are_told(self) -> None:
        with pytest.raises(UsageError, match="in different families"):
            differences(table([1, 1]), table([1, 1], ["a", "a"]))

    def test_not_defined(self) -> None:
        assert differences(table([1, 1]), table([1, 0]))["rare"] == Difference(None, None, None, None)


class TestContrast:
    def test_worked_example(self) -> None:
        """Pairs a-b both right, c-d one right, e-f none (unreadable); g without twin, h whose twin was not asked."""
        items = [
            make_item(k, [square(0)], twin=t) for k, t in (("a", "b"), ("c", "d"), ("e", "f"), ("g", None), ("h", "?"))
        ]
        items += [make_item(k, twin=t) for k, t in (("b", "a"), ("d", None), ("f", "e"))]
        answers = [answer(k, [square(0)]) for k in "acgh"] + [
            answer("b"),
            answer("d", [square(0)]),
            no_answer("e"),
            no_answer("f"),
        ]
        run = score_contrast(items, score_crec(items, answers))
        assert run.values() == {"contrast": 1 / 3, "one_right": 1 / 3, "pairs": 3}
        assert run.counts() == {"answered": 2, "unreadable": 1}

    def test_always_answering_none_earns_no_pair(self) -> None:
        items = [make_item("a", [square(0)], twin="b"), make_item("b", twin="a")]
        run = score_contrast(items, score_crec(items, [answer("a"), answer("b")]))
        assert run.values() == {"contrast": 0, "one_right": 1, "pairs": 1}

    def test_no_pairs(self) -> None:
        assert score_contrast([], score_crec([], [])).values()["contrast"] is None
