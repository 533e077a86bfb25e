"""Questions that hang on a number come in pairs, one of which holds: who ignores the number is wrong in half."""

from __future__ import annotations

import random
from functools import lru_cache

import pytest
from surveyor.agent.parser import parse
from surveyor.core.conditions import Provided, Selection, conjuncts
from surveyor.evals.bench.execute import answer, executor_of
from surveyor.evals.bench.items import Item
from surveyor.evals.construction.admit import Rejected, admitted, deletions
from surveyor.evals.construction.builder import build
from surveyor.evals.construction.crops import views_of
from surveyor.evals.construction.phrasing import request_for
from surveyor.evals.construction.provided import KIND, conditional_wordings, provision_of, with_test
from surveyor.evals.construction.rcd_builder import build_rcd
from surveyor.evals.construction.rcd_synth import synth_pairs
from surveyor.evals.construction.synth_source import synth_records

TASKS = pytest.mark.parametrize("task", ["CREC", "CRES", "RCD"])


@lru_cache(maxsize=3)
def built(task: str) -> tuple[Item, ...]:
    if task == "RCD":
        return tuple(build_rcd(synth_pairs(16, seed=4), n=80, seed=2)[1])
    return tuple(build(synth_records(12, seed=3, size_wh=(640, 640)), task=task, n=80, seed=2)[1])  # type: ignore[arg-type]


@TASKS
def test_they_come_in_pairs_that_differ_in_the_number_alone(task: str) -> None:
    items = built(task)
    by_id = {item.id: item for item in items}
    asked = [item for item in items if KIND in item.tags]
    assert 2 <= len(asked) <= 0.08 * len(items) + 2
    for item in asked:
        assert item.twin is not None
        other = by_id[item.twin]
        assert KIND in other.tags and other.is_zero_match != item.is_zero_match
        assert ("Z:count" in item.tags) == item.is_zero_match
        tests = [provision_of(each.request.outputs[0].target) for each in (item, other)]
        assert all(isinstance(test, Provided) for test in tests)
        bare = [
            [part for part in conjuncts(each.request.outputs[0].target.where) if not isinstance(part, Provided)]
            for each in (item, other)
        ]
        assert bare[0] == bare[1] and tests[0] != tests[1]
        assert tests[0].test.op == tests[1].test.op and tests[0].reference == tests[1].reference  # type: ignore[union-attr]


@TASKS
def test_they_are_true_of_their_objects_and_read_back(task: str) -> None:
    for item in built(task):
        if KIND in item.tags:
            assert set(answer(item).kept) == set(item.answer_ids), item.expression
            assert "provided" not in item.expression and " if " in f" {item.expression}"
            for text in (item.expression, *item.paraphrases):
                assert parse(text) == item.request
            if not item.is_zero_match:
                executor = executor_of(item)
                for _, less in deletions(item.request.outputs[0].target):
                    assert set(executor.selection(less).kept) != set(item.answer_ids)


def test_numbers_that_nobody_counts_and_numbers_in_doubt_are_left_out() -> None:
    (record,) = synth_records(1, seed=3, size_wh=(640, 640))
    (view,) = views_of(record, seed=0, masks=False)
    rng = random.Random(0)
    for label, seen in view.by_label.items():
        selection = Selection(phrases=(label,))
        doubtful = [each for each in seen if each.doubt]
        sure = [each.id for each in seen if not each.doubt]
        if not 2 <= len(sure) <= 12:
            with pytest.raises(Rejected, match="nobody counts"):
                with_test(view, selection, sure, rng)
        elif doubtful:
            with pytest.raises(Rejected, match=r"objects in doubt|a close call"):
                for _ in range(20):  # some number lies between those that are sure and all
                    with_test(view, selection, sure, rng)
        else:
            holds, fails, none = with_test(view, selection, admitted(view, selection).answers, rng)
            assert not none.answers and holds != fails


def test_wordings_say_the_test_before_or_behind() -> None:
    request = parse("segment the planes in the left half if there are more than five planes")
    assert request == request_for("CRES", request.outputs[0].target)
    texts = set()
    for seed in range(12):
        said = conditional_wordings(request, random.Random(seed))
        assert said is not None
        texts |= {said.expression, *said.paraphrases}
    assert all(parse(text) == request for text in texts)
    assert any(text.startswith("if there are more than five planes, ") for text in texts)
    assert any(text.endswith(" if there are more than five planes") for text in texts)
    whole = conditional_wordings(parse("segment all planes if there is exactly one plane"), random.Random(0))
    texts = set() if whole is None else {whole.expression, *whole.paraphrases}
    assert all("if there is exactly one plane" in text for text in texts)
