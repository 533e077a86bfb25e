"""Contrast pairs: an item and its twin with the other truth, right only when both are."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..bench.items import Item
from .scored import ANSWERED, Row, Scored, ratio, scored


def score_contrast(items: Iterable[Item], run: Scored) -> Scored:
    """Accuracy on the pairs of a CREC, CRES or RCD run.

    Args:
        items: those that were scored; a pair counts once, whichever of the two names the other. A pair of which one is
            not in the run is left out.
        run: what the task's scorer handed back: its column "right" is read.

    Returns:
        `contrast` (share of pairs with both right), `one_right` (with just one: what guessing "something" or "nothing"
        each time earns), `pairs`.
    """
    right = dict(zip(run.ids, run.columns["right"].tolist(), strict=True))
    status = dict(zip(run.ids, run.statuses, strict=True))
    pairs: dict[tuple[str, str], str] = {}
    for item in items:
        if item.twin is not None and item.twin != item.id and item.id in right and item.twin in right:
            pairs[min(item.id, item.twin), max(item.id, item.twin)] = item.image.family
    rows = []
    for (first, second), family in pairs.items():
        both = right[first] * right[second]
        worst = next((status[each] for each in (first, second) if status[each] != ANSWERED), ANSWERED)
        adds = {"pairs": 1.0, "both": both, "one": right[first] + right[second] - 2 * both}
        rows.append(Row(f"{first}|{second}", family, worst, adds))
    return scored(
        rows,
        ("pairs", "both", "one"),
        lambda sums: {
            "contrast": ratio(sums["both"], sums["pairs"]),
            "one_right": ratio(sums["one"], sums["pairs"]),
            "pairs": np.asarray(sums["pairs"]),
        },
    )
