"""Verdicts on how a candidate differs between two dates."""

from __future__ import annotations

import numpy as np

from ..core.conditions import Changed
from .findings import FALSE, TRUE, UNKNOWN, Case, Findings


def judge_changed(case: Case, condition: Changed) -> Findings:
    """Whether each is new, gone or altered, by what its detector says of both dates.

    Unknown where neither the detector nor its evidence tells the direction ("new" needs that nothing stood there before
    and something does now), and for a thing that was found on one date alone.
    """
    codes = np.full(len(case.layout), UNKNOWN, dtype=np.int8)
    for index, region in enumerate(case.layout.regions):
        if region.change is None:
            continue
        if condition.word == "changed":
            codes[index] = TRUE
        elif region.change.direction is not None:
            codes[index] = TRUE if region.change.direction == condition.word else FALSE

    def why(index: int) -> str:
        change = case.layout.regions[index].change
        if change is None:
            return "it was found at one date only: whether it changed was not looked at"
        told = change.direction or "it changed, and nothing tells whether it came or went"
        return f"{told} ({change.reason})" if change.reason else told

    return Findings(codes, why)
