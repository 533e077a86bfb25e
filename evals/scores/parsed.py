"""The parser's part: is the condition tree that was understood the one that is true?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from pydantic import ValidationError

from ...core.conditions import Request
from ...core.errors import UsageError
from ..bench.items import Item
from ..bench.predictions import Prediction
from ..parser_canonical import canonical, condition_count
from .answers import Asked, join
from .scored import ANSWERED, Row, Scored, ratio, scored

NOT_PARSED = "truth used"


def score_parsed(items: Iterable[Item], predictions: Iterable[Prediction]) -> Scored:
    """Exactness of the parser over a run, apart from what was seen on the image.

    Two trees are equal when their canonical forms are (`evals.parser_canonical`). A prediction that was answered
    without a tree used the truth's (the oracle parser): it is left out and has the status "truth used". One that was
    not answered is judged by its tree if it has one; without one nothing was understood, which is wrong.

    Returns:
        `exact` (share of items with the same tree), `dropped` (a tree with fewer conditions than the truth),
        `understood` (a tree at all), `items` (those judged).

    Raises:
        UsageError: doubled ids, predictions for no item.
    """
    kept = list(predictions)
    given = {each.id: each for each in kept}
    rows = [_row(asked, given.get(asked.item.id)) for asked in join(items, kept)]
    return scored(
        rows,
        ("items", "exact", "dropped", "understood"),
        lambda sums: (
            {name: ratio(sums[name], sums["items"]) for name in ("exact", "dropped", "understood")}
            | {"items": np.asarray(sums["items"])}
        ),
    )


def _row(asked: Asked, prediction: Prediction | None) -> Row:
    item, status = asked.item, asked.status
    if prediction is not None and prediction.request is None and status == ANSWERED:
        return Row(item.id, item.image.family, NOT_PARSED, {})
    tree = None
    if prediction is not None and prediction.request is not None:
        try:
            tree = canonical(Request.model_validate(prediction.request))
        except (ValidationError, UsageError):
            status = "unreadable"
    adds = {"items": 1.0, "understood": float(tree is not None)}
    if tree is not None:
        truth = canonical(item.request)
        adds["exact"] = float(tree == truth)
        adds["dropped"] = float(condition_count(tree) < condition_count(truth))
    return Row(item.id, item.image.family, status, adds)
