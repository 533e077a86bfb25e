"""Scores for harnesses that go item by item: what one item adds to the sums, and the figures of many.

The figures are those of our own scorers on the same predictions, since both come out of the same sums.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..bench.items import Item
from ..bench.predictions import Prediction
from ..report.report_words import headlines
from ..report.scoring import scorer_of
from ..scores.scored import Row, Scored, scored

_TRACKS = {"CREC": "boxes", "CRES": "masks", "RCD": "change"}
MEANS = {
    "CREC": {"f1_macro@0.5": "f1@0.5", "set_acc@0.5": "set@0.5"},
    "CRES": {"giou": "iou"},
    "RCD": {"giou": "iou"},
}
"""Task -> metrics that are the mean of a column over the items -> the column; the main one first."""
_OWN = {"CREC": ("f1@0.5", "set@0.5"), "CRES": ("iou", "right"), "RCD": ("iou", "right")}


def score_item(item: Item, prediction: Prediction | None, *, oriented: bool = False) -> Row:
    """What an item adds to the sums of its task's scorer, every column of it.

    Args:
        item: of CREC, CRES or RCD.
        prediction: the answer to it; None where there is none: then it is wrong, with the status "missing".
        oriented: CREC: compare oriented boxes.

    Raises:
        UsageError: an item of another task, or a prediction for another item.
    """
    one = _scored(item.task, [item], [] if prediction is None else [prediction], oriented)
    return Row(item.id, one.families[0], one.statuses[0], one.item(item.id))


def table(task: str, rows: Iterable[Row]) -> Scored:
    """The table of these items, as the task's scorer hands it back for all of them.

    Raises:
        UsageError: an unknown task, or two rows of one id.
    """
    empty = _scored(task, [], [], False)
    return scored(rows, empty.columns, empty.metrics)


def main_metrics(task: str) -> tuple[str, ...]:
    """The metrics that are shown first, the main one at their head. Raises UsageError for an unknown task."""
    figures = table(task, ()).values()
    return headlines(_TRACKS[task], list(figures))


def item_mean(task: str) -> str:
    """The main metric that is the mean of an item's own score: what a few items can be told by."""
    return next(iter(MEANS[task]))


def own_scores(row: Row, task: str) -> dict[str, float]:
    """The few columns of an item that are its own scores, 0 to 1."""
    return {name: row.adds[name] for name in _OWN[task]}


def _scored(task: str, items: list[Item], predictions: list[Prediction], oriented: bool) -> Scored:
    more = {"oriented": oriented} if task == "CREC" else {}
    return scorer_of(task)(items, predictions, **more)
