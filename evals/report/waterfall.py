"""How much of what a run lacks is the parser's, the boxes', the masks' doing, and what is left.

A figure v(S) is that of the run in which the parts in S are answered by the truth (`bench run --oracle`); v() is the
full run. The gap is 1 - v(). Two ways to share it out:

In order. The parts are replaced one after the other, parser first, as the answer goes through them: the share of the
k-th is v(first k) - v(first k - 1), and what is left is 1 - v(all). Where a run in between is missing, the two steps
beside it are one share. A share may be negative: the figure fell when a part was made perfect (two errors that
cancelled each other).

On average over all orders: the Shapley value (Shapley 1953), the mean of a part's share over all orders of
replacement; it needs the runs of all combinations. What is left is the same, 1 - v(all).

In both the shares and what is left sum to the gap exactly (up to rounding of floating point).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import factorial

from ...core.errors import UsageError

PLAYERS: dict[str, tuple[str, ...]] = {
    "CREC": ("parser", "boxes"),
    "CRES": ("parser", "boxes", "masks"),
    "RCD": ("parser", "boxes"),
}
"""Task -> the parts that the truth can stand for, in the order in which an answer goes through them."""

Parts = frozenset[str]


@dataclass(frozen=True)
class Share:
    """What one step of the replacement earns.

    Attributes:
        parts: replaced in this step; () for what is left.
        start: figure before it.
        stop: figure after it.
    """

    parts: tuple[str, ...]
    start: float
    stop: float

    @property
    def value(self) -> float:
        """Of the figure; may be negative."""
        return self.stop - self.start


@dataclass(frozen=True)
class Waterfall:
    """How a gap is shared out.

    Attributes:
        order: all parts, in the order of replacement.
        full: figure of the full run.
        shares: one a step, then what is left (`parts` is ()); they sum to 1 - `full`.
        unsplit: parts that no run replaced: they are in what is left.
        average: part -> its mean share over all orders; None where a combination is missing.
        alone: part -> what it earns when it alone is replaced, for those that were.
        missing: the combinations without a run: those of the order first.
    """

    order: tuple[str, ...]
    full: float
    shares: tuple[Share, ...]
    unsplit: tuple[str, ...]
    average: Mapping[str, float] | None
    alone: Mapping[str, float]
    missing: tuple[tuple[str, ...], ...]

    @property
    def rest(self) -> Share:
        """What is left when all that was replaced is perfect: reasoning, where nothing is unsplit."""
        return self.shares[-1]


def waterfall(figures: Mapping[Parts, float], order: Sequence[str]) -> Waterfall:
    """Shares out what the full run lacks of 1.

    Args:
        figures: parts answered by the truth -> figure of that run, 0 to 1; the full run under the empty set.
        order: all parts, in the order of replacement.

    Raises:
        UsageError: no figure of the full run.

    Example:
        >>> runs = {frozenset(): 0.5, frozenset({"parser"}): 0.6, frozenset({"parser", "boxes"}): 0.875}
        >>> found = waterfall(runs, ("parser", "boxes"))
        >>> [(share.parts, round(share.value, 3)) for share in found.shares]
        [(('parser',), 0.1), (('boxes',), 0.275), ((), 0.125)]
        >>> found.missing
        (('boxes',),)
    """
    if frozenset() not in figures:
        raise UsageError("there is no full run among them; expected one without --oracle and --baseline")
    order = tuple(order)
    steps = [k for k in range(len(order) + 1) if frozenset(order[:k]) in figures]
    at = {k: figures[frozenset(order[:k])] for k in steps}
    shares = [Share(order[a:b], at[a], at[b]) for a, b in pairwise(steps)]
    shares.append(Share((), at[steps[-1]], 1.0))
    single = {part: figures[frozenset({part})] for part in order if frozenset({part}) in figures}
    return Waterfall(
        order=order,
        full=figures[frozenset()],
        shares=tuple(shares),
        unsplit=order[steps[-1] :],
        average=average_shares(figures, order),
        alone={part: figure - at[0] for part, figure in single.items()},
        missing=tuple(parts for parts in _combinations(order) if frozenset(parts) not in figures),
    )


def average_shares(figures: Mapping[Parts, float], order: Sequence[str]) -> dict[str, float] | None:
    """Part -> its Shapley value; None where the run of a combination is missing.

    The mean over orders weighs the gain v(S + part) - v(S) by |S|! (n - |S| - 1)! / n!.
    """
    n = len(order)
    if any(frozenset(parts) not in figures for parts in _subsets(order)):
        return None
    found = {}
    for part in order:
        total = 0.0
        for others in _subsets([each for each in order if each != part]):
            weight = factorial(len(others)) * factorial(n - len(others) - 1) / factorial(n)
            total += weight * (figures[frozenset({*others, part})] - figures[frozenset(others)])
        found[part] = total
    return found


def _subsets(order: Sequence[str]) -> list[tuple[str, ...]]:
    return [parts for k in range(len(order) + 1) for parts in combinations(order, k)]


def _combinations(order: Sequence[str]) -> Iterable[tuple[str, ...]]:
    """All combinations but the empty one; the first parts of the order come first."""
    prefixes = [tuple(order[:k]) for k in range(1, len(order) + 1)]
    return [*prefixes, *(parts for parts in _subsets(order)[1:] if parts not in prefixes)]
