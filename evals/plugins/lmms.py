"""What the task files for lmms-eval call (`lmms_export` writes them): images, scores of one reply, figures of many.

lmms-eval hands each reply over alone and gathers what came of it, so a reply becomes what its item adds to the sums,
and each metric is made of the sums. It needs torch and much else; nothing of it is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core.errors import MissingDependency
from ..bench.items import Item
from ..scores.scored import Row
from .asking import read_reply
from .itemwise import MEANS, main_metrics, score_item, table


def metrics_of(task: str) -> tuple[str, ...]:
    """The metrics that the task files list. Raises UsageError for a task that is none of CREC, CRES and RCD."""
    more = {"CREC": ("set_acc@0.25", "set_acc@0.75", "precision_micro@0.5", "recall_micro@0.5")}
    return (*main_metrics(task), *more.get(task, ()))


def visuals(doc: Mapping[str, Any], folder: Path) -> list[Any]:
    """The images of a document as PIL images, in order.

    Args:
        doc: a line of the exported data.
        folder: that it was exported to.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingDependency("The task for lmms-eval", "pip install pillow") from None
    shown = []
    for path in doc["images"]:
        with Image.open(folder / path) as image:
            shown.append(image.convert("RGB"))
    return shown


def processed(doc: Mapping[str, Any], replies: Sequence[Any], dialect: str) -> dict[str, dict[str, Any]]:
    """Metric -> what the first reply's item adds to the sums. No reply, or one that is no text, is wrong: "missing".

    Args:
        doc: a line of the exported data.
        replies: as lmms-eval gives them.
        dialect: that the question asked for.
    """
    item = Item.model_validate_json(doc["item"])
    text = replies[0] if replies and isinstance(replies[0], str) else None
    row = score_item(item, None if text is None else read_reply(text, item, dialect))
    adds = {column: value for column, value in row.adds.items() if value}  # they stand in logs, once a metric
    told = {"id": row.id, "task": item.task, "family": row.family, "status": row.status, "adds": adds}
    return {name: _with_score(told, item.task, name) for name in metrics_of(item.task)}


def aggregate(told: Sequence[Mapping[str, Any]], metric: str) -> float:
    """The figure of these items; NaN where it is not defined (0/0)."""
    if not told:
        return float("nan")
    rows = [Row(each["id"], each["family"], each["status"], each["adds"]) for each in told]
    value = table(told[0]["task"], rows).values()[metric]
    return float("nan") if value is None else value


def _with_score(told: dict[str, Any], task: str, metric: str) -> dict[str, Any]:
    """With the item's own score where the metric is the mean of those: lmms-eval can tell its standard error."""
    column = MEANS[task].get(metric)
    return told if column is None else told | {"score": told["adds"].get(column, 0.0)}
