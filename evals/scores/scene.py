"""Accuracy of scene classification, however the class names are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .scored import ANSWERED, Row, Scored, Sums, ratio, scored


@dataclass(frozen=True)
class Classified:
    """One image.

    Attributes:
        id: unique.
        family: leakage family.
        truth: the right class.
        found: the answer's text; None where there is none.
        status: "answered", or why there is no answer.
    """

    id: str
    family: str
    truth: str
    found: str | None
    status: str = ANSWERED


def class_key(name: str) -> str:
    """What is compared: letters and digits alone, lower case.

    Example:
        >>> class_key("BareLand") == class_key("bare_land") == class_key("Bare land.")
        True
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def score_scenes(classified: Iterable[Classified], classes: Sequence[str] = ()) -> Scored:
    """The scene scores of a run.

    Args:
        classified: one an image; the answer must be the class name and nothing else ("airport" is no "airplane").
        classes: those of the dataset; by default those that occur.

    Returns:
        `accuracy`; `class_mean` (mean of the classes' accuracies, over classes that occur); `accuracy NAME` of each
        class; `known` (share of answers that are a class of the set), `answered`, `items`.

    Raises:
        UsageError: two images of one id.
    """
    seen = list(classified)
    names = {class_key(name): name for name in (*(each.truth for each in seen), *classes)}
    rows = []
    for each in seen:
        truth = class_key(each.truth)
        given = each.found is not None and each.status == ANSWERED
        found = class_key(each.found or "") if given else None
        right = float(found == truth)
        adds = {"items": 1.0, "answered": float(given), "known": float(found in names), "right": right}
        adds |= {f"n {truth}": 1.0, f"right {truth}": right}
        status = "unreadable" if not given and each.status == ANSWERED else each.status
        rows.append(Row(each.id, each.family, status, adds))
    columns = ["items", "answered", "known", "right", *(f"{part} {key}" for key in names for part in ("n", "right"))]

    def metrics(sums: Sums) -> dict[str, np.ndarray]:
        each = {name: ratio(sums[f"right {key}"], sums[f"n {key}"]) for key, name in sorted(names.items())}
        found = {name: ratio(sums[column], sums["items"]) for name, column in _SHARES.items()}
        found["class_mean"] = mean_known(list(each.values()))
        return (
            found | {f"accuracy {name}": value for name, value in each.items()} | {"items": np.asarray(sums["items"])}
        )

    return scored(rows, columns, metrics)


_SHARES = {"accuracy": "right", "known": "known", "answered": "answered"}


def mean_known(values: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of arrays of one shape over those that are not NaN, place by place; NaN where none is."""
    if not values:
        return np.asarray(np.nan)
    stacked = np.stack([np.asarray(value, dtype=np.float64) for value in values])
    known = ~np.isnan(stacked)
    return ratio(np.where(known, stacked, 0.0).sum(axis=0), known.sum(axis=0))
