"""Items of the conditional benchmarks beside what was answered to each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ...core.errors import UsageError
from ..bench.items import Item, Task
from ..bench.predictions import Prediction
from .scored import ANSWERED, MISSING


@dataclass(frozen=True)
class Asked:
    """An item and the answer to it.

    Attributes:
        item: with its truth.
        answer: None where there is no prediction for it, or none that counts.
        status: of the prediction; "missing" where there is none.
    """

    item: Item
    answer: Prediction | None
    status: str


def join(items: Iterable[Item], predictions: Iterable[Prediction], task: Task | None = None) -> list[Asked]:
    """Every item with its answer. An item without a prediction stays in: it counts as wrong, with status "missing".

    Raises:
        UsageError: an item of another task, two items or two predictions of one id, or a prediction for no item.
    """
    given: dict[str, Prediction] = {}
    for prediction in predictions:
        if prediction.id in given:
            raise UsageError(f"two predictions are for item {prediction.id!r}; expected one an item")
        given[prediction.id] = prediction
    asked: dict[str, Asked] = {}
    for item in items:
        if task is not None and item.task != task:
            raise UsageError(f"item {item.id!r} is of task {item.task!r}; this scorer is for {task!r}")
        if item.id in asked:
            raise UsageError(f"two items are called {item.id!r}; expected each once")
        found = given.get(item.id)
        counts = found is not None and found.status == ANSWERED
        asked[item.id] = Asked(item, found if counts else None, MISSING if found is None else found.status)
    strangers = [each for each in given if each not in asked]
    if strangers:
        raise UsageError(f"{len(strangers)} predictions are for no item (first {strangers[0]!r}); were these items asked?")  # fmt: skip  # noqa: E501
    return list(asked.values())
