"""Large builds in lanes: the same items for any number of processes, none lost, none twice, balance kept."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from surveyor.core.errors import ToolFailed, UsageError
from surveyor.core.progress import listening
from surveyor.evals.bench.items import Item
from surveyor.evals.construction import lanes
from surveyor.evals.construction.builder import build
from surveyor.evals.construction.lanes import in_lanes
from surveyor.evals.construction.sources import build_file
from surveyor.evals.construction.synth_source import synth_records
from surveyor.evals.datasets.record import Tally


def drawn(number: int = 14) -> list[Any]:
    return list(synth_records(number, seed=70, size_wh=(512, 512)))


@pytest.fixture
def small_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LEAST", 12)


def as_text(items: Sequence[Item]) -> list[str]:
    return [item.model_dump_json() for item in items]


def test_processes_make_the_items_that_one_makes(small_lanes: None) -> None:
    records = drawn()
    (alone, items), (shared, others) = (build(records, task="CRES", n=36, seed=3, workers=n) for n in (1, 2))
    assert len(items) == 36
    assert as_text(items) == as_text(others)
    assert alone == shared


def test_items_of_several_lanes_are_numbered_through_with_their_twins(small_lanes: None) -> None:
    header, items = build(drawn(), task="CREC", n=40, seed=1)
    assert [item.id for item in items] == [f"crec-1-{number:05d}" for number in range(40)]
    by_id = {item.id: item for item in items}
    pairs = [(item, by_id[item.twin]) for item in items if item.twin is not None]
    assert pairs and any(int(item.id[-5:]) >= 13 for item, _ in pairs)  # twins beyond the first lane
    for item, twin in pairs:
        assert twin.twin == item.id
        assert item.image == twin.image
        assert item.is_zero_match != twin.is_zero_match
    assert header.admitted == 40


def test_no_image_is_in_two_lanes_and_all_lanes_are_in_balance(small_lanes: None) -> None:
    records = drawn()
    items = build(records, task="CREC", n=36, seed=3)[1]
    dealt = [{str(record.image) for record in lane} for lane in lanes._dealt(records, 3, 3)]
    assert sorted(map(len, dealt)) == [4, 5, 5]
    of_items = [next(lane for lane, images in enumerate(dealt) if item.image.path in images) for item in items]
    assert of_items == sorted(of_items)
    assert set(of_items) == {0, 1, 2}
    most = Counter(tag for item in items for tag in item.tags if tag.startswith("class:")).most_common(1)[0][1]
    assert most <= 3 * -(-12 * 3 // 20) * 2  # 15 % of each lane, with twins


def test_few_items_are_one_lane() -> None:
    assert lanes.LEAST == 250
    asked: list[int] = []

    def make(_records: Sequence[Any], n: int, _before: int, _total: int) -> tuple[list[Item], Tally]:
        asked.append(n)
        return [], Tally()

    for n in (1, 249, 499):
        in_lanes(make, drawn(2), n, seed=0)
    assert asked == [1, 249, 499]


def some(number: int) -> list[Item]:
    """Items of which only the ids matter."""
    return [Item.model_construct(id=f"crec-0-{place:05d}", twin=None) for place in range(number)]


class Giving:
    """Makes as many items as the images of a lane give."""

    def __init__(self, gives: dict[str, int]) -> None:
        self.gives, self.asked = gives, []

    def __call__(self, records: Sequence[str], n: int, before: int, total: int) -> tuple[list[Item], Tally]:
        self.asked.append(n)
        return some(min(n, sum(self.gives[each] for each in records))), Tally({"rejected": n})


def test_what_the_images_of_one_lane_do_not_give_is_asked_of_the_others(small_lanes: None) -> None:
    make = Giving({"a": 3, "b": 100, "c": 100})
    items, tally = in_lanes(make, ["a", "b", "c"], 36, seed=0)  # type: ignore[list-item]
    assert [item.id for item in items] == [f"crec-0-{number:05d}" for number in range(36)]
    assert sorted(make.asked) == [12, 12, 12, 16, 17]
    assert tally == {"rejected": 12 + 16 + 17}  # of the builds that count


@pytest.mark.parametrize("gives", [{"a": 3, "b": 5}, {"a": 0, "b": 14}, {"a": 0, "b": 0}])
def test_where_no_lane_has_more_there_are_fewer(small_lanes: None, gives: dict[str, int]) -> None:
    items, _ = in_lanes(Giving(gives), list(gives), 30, seed=0)  # type: ignore[arg-type]
    assert len(items) == sum(gives.values())


def test_fewer_images_than_lanes(small_lanes: None) -> None:
    make = Giving({"a": 100})
    assert len(in_lanes(make, ["a"], 60, seed=0)[0]) == 60  # type: ignore[list-item]
    assert make.asked == [60]


def test_progress_counts_over_all_lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LEAST", 30)
    told: list[tuple[str, int, int]] = []
    with listening(lambda *said: told.append(said)):
        build(drawn(30), task="CREC", n=60, seed=2)
    assert {(what, total) for what, _, total in told} == {("items", 60)}
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert told[-1][1] == 60


def _dies(_records: Sequence[Any], _n: int, _before: int, _total: int) -> tuple[list[Item], Tally]:
    os._exit(9)


def test_a_process_that_dies_is_an_error_that_says_what_to_do(small_lanes: None) -> None:
    with pytest.raises(ToolFailed, match="fewer --workers"):
        in_lanes(_dies, ["a", "b"], 24, seed=0, workers=2)  # type: ignore[list-item]


def test_wrong_numbers_of_processes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="workers is 0"):
        build(drawn(1), task="CREC", n=1, seed=0, workers=0)
    with pytest.raises(UsageError, match="only crec and cres"):
        build_file("RCD", [f"synth:{tmp_path}"], tmp_path / "items.jsonl", workers=2)
