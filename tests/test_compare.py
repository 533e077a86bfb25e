"""Things of two dates, matched one to one: what came, went, was altered, and what is no change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.errors import UnknownPhrase, UsageError
from surveyor.core.geometry import box_to_corners
from surveyor.core.masks import Mask
from surveyor.core.progress import noting
from surveyor.core.regions import Region
from surveyor.core.scene import Scene
from surveyor.tools.models.compare import Comparison, Matching, likeness, one_to_one
from surveyor.tools.models.fakes import FakeGrounder, FakeSegmenter
from surveyor.tools.models.spec import load_models

SIZE = (200, 300)


def at(x: float, y: float, w: float = 20, h: float = 30, score: float | None = 0.8, label: str = "ship") -> Region:
    box = np.array([x, y, x + w, y + h], dtype=np.float64)
    return Region(f"{label}-{x}-{y}", label, box_to_corners(box), box, score)


class TwoDates(FakeGrounder):
    """Finds at each date what it was given, and weaker finds when asked for them."""

    def __init__(self, dates: dict[str, Sequence[Region]], weak: dict[str, Sequence[Region]] | None = None) -> None:
        super().__init__([region for regions in dates.values() for region in regions], ["ship", "vehicle"])
        self.dates, self.weak = dates, weak

    def ground(self, scene: Scene, phrase: str) -> tuple[Region, ...]:
        wanted = set(self.resolve(phrase))
        return tuple(region for region in self.dates[scene.name] if region.label in wanted)


class Weaker(TwoDates):
    def with_threshold(self, score: float) -> TwoDates:
        assert score == Matching().weak_score
        return TwoDates({name: [*self.dates[name], *(self.weak or {}).get(name, ())] for name in self.dates})


def scene(name: str, alpha: np.ndarray | None = None) -> Scene:
    pixels = np.full((*SIZE, 3), 90, np.uint8)
    return Scene.from_array(pixels if alpha is None else np.dstack([pixels, alpha]), name=name)


def changes(
    before: Sequence[Region],
    after: Sequence[Region],
    phrase: str = "ships",
    weak: dict | None = None,
    **matching: float,
) -> tuple[Region, ...]:
    grounder = (TwoDates if weak is None else Weaker)({"a": before, "b": after}, weak)
    return Comparison(grounder, FakeSegmenter()).changes(scene("a"), scene("b"), phrase)


def told(regions: Sequence[Region]) -> list[tuple[str | None, list[float]]]:
    return [(region.change.direction if region.change else None, region.box_px.tolist()) for region in regions]


def test_same_things_at_both_dates_are_no_change() -> None:
    ships = [at(10, 10), at(60, 20), at(110, 30)]
    assert changes(ships, ships[::-1]) == ()
    assert changes([], []) == ()


def test_what_one_date_shows_came_or_went() -> None:
    found = changes([at(10, 10), at(60, 20, score=0.6)], [at(10, 10), at(150, 90, score=0.9)])
    assert told(found) == [("new", [150, 90, 170, 120]), ("gone", [60, 20, 80, 50])]  # best first
    new, gone = found
    assert new.change is not None and (new.change.before, new.change.after) == (None, 0.9)
    assert gone.change is not None and (gone.change.before, gone.change.after) == (0.6, None)
    assert new.change.reason == "matched no ship at the earlier date (best IoU 0.00)"
    assert "later date" in gone.change.reason
    assert [region.id for region in found] == ["change-1", "change-2"]
    assert all(region.label == "ships" and region.source == "compare" and region.mask for region in found)


def test_swapped_dates_swap_directions() -> None:
    first, second = [at(10, 10), at(60, 20)], [at(10, 10), at(150, 90), at(200, 100)]
    swap = {"new": "gone", "gone": "new"}
    there, back = changes(first, second), changes(second, first)
    assert sorted((swap[str(each)], box) for each, box in told(there)) == sorted((str(e), b) for e, b in told(back))


@pytest.mark.parametrize(("dx", "found"), [(0, 0), (4, 0), (15, 0), (17, 2), (60, 2)])
def test_a_small_shift_is_no_change(dx: float, found: int) -> None:
    """20 px wide: 4 px are free; moved by 15, IoU is 9 / 31 after that, by 17 it is 7 / 33 and too little."""
    assert len(changes([at(100, 100)], [at(100 + dx, 100)])) == found


def test_a_parked_car_is_not_the_next_one() -> None:
    """Half the shorter side at most: a row of small things that moved up by one place has changed at its ends."""
    row = [at(20 + 10 * n, 50, 8, 16, label="vehicle") for n in range(5)]
    found = changes(row[:4], row[1:], "vehicles")
    assert told(found) == [("new", [60, 50, 68, 66]), ("gone", [20, 50, 28, 66])]


@pytest.mark.parametrize(("width", "direction"), [(20, None), (30, None), (40, "altered"), (60, "altered")])
def test_very_different_sizes_are_altered(width: float, direction: str | None) -> None:
    found = changes([at(100, 100, 20, 30)], [at(100, 100, width, 30)])
    assert [each for each, _ in told(found)] == ([] if direction is None else [direction])
    if found:
        change = found[0].change
        assert change is not None and (change.before, change.after) == (0.8, 0.8)
        assert f"{width / 20:.2f} times as large" in change.reason


def test_weak_finds_of_the_other_date_speak_against_a_change() -> None:
    first, second = [at(10, 10)], [at(10, 10), at(150, 90), at(220, 90)]
    notes: list[str] = []
    with noting(notes):
        found = changes(first, second, weak={"a": [at(152, 91, score=0.1)]})
    assert told(found) == [("new", [220, 90, 240, 120])]
    assert notes == ["1 thing that was found at one date was found weakly at the other: not taken for changed"]
    assert len(changes(first, second, weak={"b": [at(152, 91, score=0.1)]})) == 2  # its own date says nothing


def test_where_the_other_date_has_no_data_nothing_is_judged() -> None:
    alpha = np.full(SIZE, 255, np.uint8)
    alpha[:, 140:] = 0
    model = Comparison(TwoDates({"a": [], "b": [at(20, 20), at(150, 90)]}), FakeSegmenter())
    notes: list[str] = []
    with noting(notes):
        found = model.changes(scene("a", alpha), scene("b"), "ship")
    assert told(found) == [("new", [20, 20, 40, 50])] and "no data" in notes[0]


def test_any_change_asks_for_every_class() -> None:
    notes: list[str] = []
    with noting(notes):
        found = changes([at(10, 10)], [at(100, 100, label="vehicle")], "change")
    assert [region.change.reason.split()[2] for region in found if region.change] == ["vehicle", "ship"]
    assert {region.label for region in found} == {"change"} and "ship, vehicle" in notes[0]
    assert changes([at(10, 10)], [at(10, 10, label="vehicle")], "changes") == ()  # called otherwise, there all along


def test_any_change_needs_a_list_of_classes() -> None:
    model = Comparison(FakeGrounder(open_vocabulary=True), FakeSegmenter())
    assert model.knows() is None
    with pytest.raises(UsageError, match="name a thing"):
        model.changes(scene("a"), scene("b"), "change")


def test_phrases_and_sizes_are_checked() -> None:
    with pytest.raises(UnknownPhrase):
        changes([], [], "bridges")
    other = Scene.from_array(np.zeros((9, 9, 3), np.uint8), name="b")
    with pytest.raises(UsageError, match="open_pair"):
        Comparison(TwoDates({"a": [], "b": []}), FakeSegmenter()).changes(scene("a"), other, "ship")


def test_missing_scores_stay_missing() -> None:
    (found,) = changes([], [at(10, 10, score=None)])
    assert found.score is None and found.change is not None
    assert (found.change.before, found.change.after) == (None, None)


def test_masks_are_compared_where_there_are_some() -> None:
    """Two L-shapes that share a box but no pixel are two things."""
    lower = np.tri(40, dtype=bool)
    one, other = (Mask.from_array(part, (50, 60), SIZE) for part in (lower, ~lower))
    shapes = [Region(str(n), "ship", box_to_corners(np.array([50, 60, 90, 100.0])), np.array([50, 60, 90, 100.0]), 0.5, mask=mask) for n, mask in enumerate((one, other))]  # fmt: skip  # noqa: E501
    assert len(changes(shapes[:1], shapes[1:])) == 2
    assert changes(shapes[:1], shapes[:1]) == ()


boxes = st.lists(
    st.tuples(st.integers(0, 250), st.integers(0, 150), st.integers(4, 40), st.integers(4, 40)), max_size=6, unique=True
)


@given(boxes, boxes)
@settings(max_examples=40, deadline=None)
def test_matching_is_one_to_one_and_best(first: list, second: list) -> None:
    regions = [[at(*box) for box in each] for each in (first, second)]
    alike = likeness(*regions, shift_px=3)
    assert alike.shape == (len(first), len(second)) and ((alike >= 0) & (alike <= 1 + 1e-9)).all()
    np.testing.assert_allclose(alike, likeness(*regions[::-1], shift_px=3).T, atol=1e-9)
    pairs = one_to_one(alike, 0.25)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    free = np.ones_like(alike, dtype=bool)
    for i, j in pairs:
        assert alike[i, j] >= 0.25
        free[i], free[:, j] = False, False
    assert not (alike[free] >= 0.25).any()  # nothing that could be matched is left over


def test_the_best_sum_wins_over_the_best_pair() -> None:
    assert one_to_one(np.array([[0.9, 0.8], [0.8, 0.1]]), 0.25) == [(0, 1), (1, 0)]
    assert one_to_one(np.zeros((0, 3)), 0.25) == one_to_one(np.full((2, 2), 0.2), 0.25) == []


def test_the_run_hands_its_own_models() -> None:
    models = load_models("change=compare")
    assert isinstance(models.change, Comparison)
    assert models.change.grounder is models.grounder and models.change.segmenter is models.segmenter
    assert models.change.knows() == models.grounder.knows()
    assert models.change.version is not None
