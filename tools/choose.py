"""Which one is meant, when the words speak of one thing and several were found."""

from __future__ import annotations

from typing import Literal

from ..core.errors import Ambiguous, UsageError
from ..core.regions import CandidateSet


def choose(
    candidates: CandidateSet, what: str, *, answer: str | None = None, otherwise: Literal["ask", "error"] = "ask"
) -> CandidateSet:
    """The candidates with one kept at most: that of the answer. The others get a false verdict that says so.

    Args:
        candidates: what was found under the words.
        what: the words, e.g. "the river".
        answer: id of the one that is meant.
        otherwise: without an answer, whether to ask or to refuse.

    Raises:
        Ambiguous: several are kept, no answer was given, and asking is allowed.
        UsageError: several are kept and asking is not allowed, or the answer is none of them.
    """
    ids = [candidate.region.id for candidate in candidates.kept]
    if len(ids) <= 1:
        return candidates
    if answer is None and otherwise == "error":
        raise UsageError(
            f"{what!r} could be any of {len(ids)}: {', '.join(ids)}; say which one in the request "
            "(the largest, the nearest to ..., the one at the top)"
        )
    if answer is None:
        raise Ambiguous(f"{len(ids)} things may be {what!r}: which one is meant?", ids)
    if answer not in ids:
        raise UsageError(f"{answer!r} is none of those that may be {what!r}: {', '.join(ids)}")
    name = f"meant by {what!r}"
    reason = f"{answer} was chosen"
    return CandidateSet(
        tuple(
            candidate if candidate.status is not True else candidate.judged(name, candidate.region.id == answer, reason)
            for candidate in candidates
        )
    )
