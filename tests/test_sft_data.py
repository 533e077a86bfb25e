"""Which records are learnt and in which order: faults by file and line, and an order that settings alone decide."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sft_records import records, written
from surveyor.core.errors import UsageError
from surveyor.finetune.records.record import TASKS, Instruction
from surveyor.finetune.sft.data import (
    Lines,
    check_apart,
    chosen_in_turn,
    look_through,
    order,
    padding_share,
    seen_an_epoch,
    steps_of,
)


def words(record: Instruction) -> tuple[int, int]:
    counts = [len(message.content.split()) for message in record.messages]
    return sum(counts), counts[-1]


def look(path: Path, **more: Any) -> Lines:
    return look_through([str(path)], words, **more)


def lines_of(tokens: list[int], tasks: list[str] | None = None) -> Lines:
    count = len(tokens)
    task = np.array([TASKS.index(name) for name in tasks or ["det"] * count], dtype=np.int64)
    rest = {name: np.zeros(count, dtype=np.int64) for name in ("file", "start", "number", "replied")}
    return Lines((), (), task=task, tokens=np.array(tokens), **rest, left_out={}, sources={}, families=frozenset(),
                 digest="")  # fmt: skip


def test_records_are_found_again_by_their_place(tmp_path: Path) -> None:
    given = records(tmp_path, ["a", "b"])
    path = written(tmp_path / "r.jsonl", given)
    path.write_bytes(b"\n" + path.read_bytes().replace(b"\n", b"\n\n", 3))  # empty lines are no records
    lines = look(path)
    assert [lines.read(index).id for index in range(len(lines))] == [record.id for record in given]
    assert lines.where(0) == f"{str(path)!r} line 2" and lines.number[1] == 4
    assert lines.tasks()["det"] == 2 and lines.families == {"a", "b"}
    assert lines.sources["squares"].licence == "CC0-1.0" and lines.sources["squares"].families == 2
    assert [words(record) for record in given] == list(zip(lines.tokens, lines.replied, strict=True))


def test_damage_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", records(tmp_path, ["a"]))
    text = path.read_text()
    for damaged, says in {
        text + '{"id": "half': "line 12",
        text + "[]\n": "line 12",
        text + text.splitlines()[0] + "\n": "line 12: the id 'a-det' is there twice",
        text.replace('"task":"res"', '"task":"rest"'): "line 3",
        "": "no records are left",
    }.items():
        path.write_text(damaged)
        with pytest.raises(UsageError) as told:
            look(path)
        assert says in str(told.value) and str(path) in str(told.value)
    with pytest.raises(UsageError, match="cannot read"):
        look(tmp_path / "nothing.jsonl")


def test_a_record_without_messages_is_refused(tmp_path: Path) -> None:
    bare = records(tmp_path, ["a"])[0].model_copy(update={"messages": ()})
    path = tmp_path / "r.jsonl"
    path.write_text(bare.model_dump_json() + "\n")
    with pytest.raises(UsageError, match=r"line 1: the record 'a-det' has no messages"):
        look(path)


def test_missing_images_are_counted_and_named_before_anything_begins(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", records(tmp_path, ["a", "b"]))
    (tmp_path / "b.png").unlink()
    (tmp_path / "b-later.png").unlink()
    with pytest.raises(UsageError, match=r"2 images are missing: .*b.png' \(.*line 12\).*say where they lie"):
        look(path)
    with pytest.raises(UsageError, match=r"4 images are missing"):
        look(path, images=str(tmp_path / "elsewhere"))


@pytest.mark.parametrize("split", ["test", "val", "validation", "testA", "Dev"])
def test_what_was_published_for_tests_is_not_trained_on(split: str, tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", records(tmp_path, ["a"], split))
    with pytest.raises(UsageError, match=f"published for '{split}'"):
        look(path, training=True)
    assert len(look(path, training=True, allow_splits=[split])) == len(look(path)) == 11


def test_families_on_both_sides_are_refused(tmp_path: Path) -> None:
    one = look(written(tmp_path / "1.jsonl", records(tmp_path, ["a", "b"])))
    two = look(written(tmp_path / "2.jsonl", records(tmp_path, ["b", "c"])))
    check_apart(one, look(written(tmp_path / "3.jsonl", records(tmp_path, ["c"]))))
    with pytest.raises(UsageError, match=r"1 leakage families .*'b'"):
        check_apart(one, two)


def test_long_records_and_tasks_of_no_weight_are_left_out_and_counted(tmp_path: Path) -> None:
    given = records(tmp_path, ["a"])
    path = written(tmp_path / "r.jsonl", given)
    most = max(words(record)[0] for record in given) - 1
    lines = look(path, most_tokens=most, skip_tasks=["vqa", "ggl"])
    assert lines.left_out["task with weight 0"] == 2 and len(lines) == 11 - sum(lines.left_out.values())
    assert lines.left_out[f"longer than max_length, {most}"] >= 1
    with pytest.raises(UsageError, match=r"no records are left .* 11 longer than max_length, 1"):
        look(path, most_tokens=1)


def test_a_file_that_changed_after_it_was_checked_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", records(tmp_path, ["a"]))
    lines = look(path)
    path.write_text("")
    with pytest.raises(UsageError, match="line 1 has changed since it was checked"):
        lines.read(0)


# ---- order


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 60), batch=st.sampled_from([1, 2, 3]), times=st.sampled_from([1, 2, 6, 16]),
    epochs=st.integers(1, 3), seed=st.integers(0, 9), group=st.booleans(),
)  # fmt: skip
def test_an_epoch_shows_each_record_once(
    count: int, batch: int, times: int, epochs: int, seed: int, group: bool
) -> None:
    lines = lines_of(list(range(1, count + 1)))
    global_batch = batch * times
    steps = steps_of(lines, {}, epochs, None, global_batch)
    assert steps == -(-epochs * count // global_batch)
    drawn = order(lines, {}, steps=steps, global_batch=global_batch, batch=batch, seed=seed, group=group)
    assert len(drawn) == steps * global_batch
    seen = Counter(drawn.tolist())
    assert max(seen.values()) - min(seen.get(i, 0) for i in range(count)) <= 1 + (len(drawn) > epochs * count)
    again = order(lines, {}, steps=steps, global_batch=global_batch, batch=batch, seed=seed, group=group)
    assert (drawn == again).all()


def test_weights_are_how_often_a_record_is_seen_an_epoch() -> None:
    tasks = ["det"] * 10 + ["vqa"] * 40 + ["rcd"] * 4
    lines = lines_of([5] * 54, tasks)
    weights = {"rcd": 2.5, "vqa": 0.25, "count": 9.0}
    assert seen_an_epoch(lines, weights) == 10 + 10 + 10
    drawn = order(lines, weights, steps=30, global_batch=30, batch=1, seed=3, group=False)  # 30 epochs
    seen = Counter(drawn.tolist())
    assert {seen[i] for i in range(10)} == {30}
    assert all(60 <= seen[i] <= 90 for i in range(50, 54)) and sum(seen[i] for i in range(50, 54)) == 300
    assert sum(seen[i] for i in range(10, 50)) == 300 and min(seen[i] for i in range(10, 50)) > 0
    with pytest.raises(UsageError, match="task_weights"):
        order(lines, {"det": 0.01, "vqa": 0, "rcd": 0}, steps=1, global_batch=1, batch=1, seed=0, group=False)


def test_grouping_saves_padding_and_the_longest_comes_first() -> None:
    tokens = np.random.default_rng(0).integers(100, 1500, 2000).tolist()
    lines = lines_of(tokens)
    plain, grouped = (
        order(lines, {}, steps=125, global_batch=16, batch=4, seed=1, group=group) for group in (False, True)
    )
    assert sorted(plain.tolist()) == sorted(grouped.tolist()) == list(range(2000))
    assert padding_share(lines, plain, 4) > 0.2 > 0.03 > padding_share(lines, grouped, 4)
    first_window = lines.tokens[grouped[: 50 * 16]]
    assert first_window[:16].max() == first_window.max()


def test_padding_by_hand() -> None:
    lines = lines_of([2, 4, 3, 3])
    assert padding_share(lines, np.array([0, 1, 2, 3]), 2) == pytest.approx(2 / 14)  # (4 - 2) of 4 + 4 + 3 + 3


def test_records_to_score_come_from_all_tasks_in_turn() -> None:
    lines = lines_of([1] * 20, ["det"] * 17 + ["rcd", "vqa", "vqa"])
    chosen = chosen_in_turn(lines, 6, 0)
    assert Counter(TASKS[lines.task[i]] for i in chosen) == {"det": 3, "rcd": 1, "vqa": 2}
    assert chosen == chosen_in_turn(lines, 6, 0) and len(chosen_in_turn(lines, 99, 0)) == 20
