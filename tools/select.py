"""Filtering by a condition: every candidate gets one more verdict; none disappears."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..core.conditions import Condition
from ..core.regions import CandidateSet
from ..core.wording import words
from .bands import CRISP, STRICT, Bands
from .findings import Case, with_verdicts
from .judge import judge_case

if TYPE_CHECKING:
    from ..core.scene import Scene


def select(
    scene: Scene,
    candidates: CandidateSet,
    condition: Condition,
    references: Mapping[str, CandidateSet] | None = None,
    *,
    bands: Bands = CRISP,
) -> CandidateSet:
    """The candidates with one more verdict each, under the words of the condition.

    Args:
        scene: what was looked at.
        candidates: may be empty. Rejected ones are judged as well, so that the table of verdicts is complete.
        condition: any condition.
        references: for relations and picks by distance: candidate sets by the words of the selection referred to.
        bands: `CRISP` decides what can be decided and marks as borderline what `STRICT` leaves unknown.

    Returns:
        As many candidates in the same order; `kept` holds those for which all conditions so far are true.

    Raises:
        UsageError: a reference is missing.
    """
    case = Case.of(scene, candidates, references or {}, bands)
    found = strict = judge_case(case, condition)
    if not bands.gap:
        strict = judge_case(Case(scene, case.layout, case.status, case.references, STRICT), condition)
    return CandidateSet(with_verdicts(candidates, words(condition), found, strict))
