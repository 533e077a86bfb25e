"""The verdict of any condition on every candidate: one pure function over the whole condition tree.

Rules and limits follow the project's condition taxonomy (docs/conditions.md); parts combine by Kleene's logic. What a
condition looks at: size words, rows and references look at all candidates or the reference's; a `Pick` at those still
open, and inside an `And` at those that the parts before it left open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np

from ..core.conditions import (
    Among,
    And,
    Aspect,
    Changed,
    ClassIs,
    Colour,
    Compare,
    CompareWith,
    Condition,
    Group,
    InBox,
    Not,
    Or,
    Orientation,
    Pick,
    Position,
    Provided,
    Relation,
    Shape,
    SizeWord,
)
from ..core.errors import UnknownPhrase, UsageError
from ..core.lexicon import resolve
from ..core.regions import CandidateSet
from .bands import CRISP, Bands
from .findings import Case, Findings
from .judge_attribute import judge_aspect, judge_comparison, judge_orientation, judge_shape, judge_size
from .judge_change import judge_changed
from .judge_colour import judge_colour
from .judge_group import judge_group, judge_provided
from .judge_position import judge_position
from .judge_relation import judge_compared, judge_relation
from .pick import judge_pick


def judge(
    scene: object,
    candidates: CandidateSet,
    condition: Condition,
    references: Mapping[str, CandidateSet] | None = None,
    *,
    bands: Bands = CRISP,
) -> Findings:
    """A verdict per candidate, in order, with the reason on demand.

    Args:
        scene: `core.scene.Scene`; size, ground sample distance and (for colours) pixels are read.
        candidates: all of them are judged, also those already rejected.
        references: candidate sets by the words of the selections that the condition refers to.
        bands: `CRISP` or `STRICT`.

    Raises:
        UsageError: a reference is missing.
    """
    return judge_case(Case.of(scene, candidates, references or {}, bands), condition)


def judge_case(case: Case, condition: Condition) -> Findings:
    """As `judge`, on a prepared case."""
    match condition:
        case And():
            return _judge_and(case, condition)
        case Or():
            parts = [judge_case(case, part) for part in condition.conditions]
            return Findings(reduce(np.maximum, [part.codes for part in parts]), _decisive(parts, 2))
        case Not():
            inner = judge_case(case, condition.condition)
            return Findings(2 - inner.codes, inner.why)
        case ClassIs():
            return _judge_class(case, condition)
        case Among():
            return _judge_among(case, condition)
        case Compare():
            return judge_comparison(case, condition)
        case Aspect():
            return judge_aspect(case, condition)
        case CompareWith():
            return judge_compared(case, condition)
        case Group():
            return judge_group(case, condition)
        case Provided():
            return judge_provided(case, condition)
        case SizeWord():
            return judge_size(case, condition)
        case Shape():
            return judge_shape(case, condition)
        case Orientation():
            return judge_orientation(case, condition)
        case Colour():
            return judge_colour(case, condition)
        case Changed():
            return judge_changed(case, condition)
        case Position() | InBox():
            return judge_position(case, condition)
        case Relation():
            return judge_relation(case, condition)
        case Pick():
            return judge_pick(case, condition)
    raise UsageError(f"a condition was expected, not {type(condition).__name__}")


def _judge_and(case: Case, condition: And) -> Findings:
    """All parts, in turn: a pick looks at what the parts before it left open, as a chain of selections would."""
    parts: list[Findings] = []
    for part in condition.conditions:
        found = judge_case(case, part)
        parts.append(found)
        case = case.narrowed(np.minimum(case.status, found.codes))
    return Findings(reduce(np.minimum, [part.codes for part in parts]), _decisive(parts, 0))


def _decisive(parts: list[Findings], code: int) -> Callable[[int], str]:
    """Reasons: of the first part that decides by itself; else of all parts that share the outcome."""

    def why(index: int) -> str:
        codes = [int(part.codes[index]) for part in parts]
        if code in codes:
            return parts[codes.index(code)].why(index)
        outcome = 1 if 1 in codes else 2 - code
        return "; ".join(part.why(index) for part, own in zip(parts, codes, strict=True) if own == outcome)

    return why


def _judge_among(case: Case, condition: Among) -> Findings:
    ids = [region.id for region in case.layout.regions]
    codes = np.array([2 if name in condition.ids else 0 for name in ids], dtype=np.int8)
    return Findings(codes, lambda index: f"it is {ids[index]}")


def _judge_class(case: Case, condition: ClassIs) -> Findings:
    labels = tuple(dict.fromkeys(region.label for region in case.layout.regions))
    try:
        wanted = set(resolve(condition.phrase, labels))
    except UnknownPhrase:
        wanted = set()
    codes = np.array([2 if region.label in wanted else 0 for region in case.layout.regions], dtype=np.int8)
    return Findings(codes, lambda index: f"it is of the class {case.layout.regions[index].label!r}")
