"""95 % intervals of a run and of the difference of two runs, by drawing whole families with replacement.

Items of one source image share what is hard about it, so images (leakage families) are drawn, not items: the cluster
bootstrap with percentile limits (Efron and Tibshirani 1993, ch. 13; Field and Welsh 2007). Two runs are compared on the
same draws, which takes out what both find hard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...core.errors import UsageError
from .scored import Scored, plain

DRAWS = 1000
_BLOCK = 100


@dataclass(frozen=True)
class Interval:
    """A figure and where it might lie had other images been drawn.

    Attributes:
        value: of all items; None where it is not defined.
        low: lower limit; None with fewer than two families, or where no draw defines the metric.
        high: upper limit.
        undefined: draws in which the metric was not defined (no item of its kind); they are left out.
    """

    value: float | None
    low: float | None
    high: float | None
    undefined: int = 0


@dataclass(frozen=True)
class Difference:
    """What the first of two runs has more than the second.

    Attributes:
        value: first - second.
        low: lower limit; as in `Interval`.
        high: upper limit.
        ahead: share of the draws in which the first is larger, ties counted half; None as in `Interval`.
    """

    value: float | None
    low: float | None
    high: float | None
    ahead: float | None

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def intervals(run: Scored, *, draws: int = DRAWS, seed: int = 0, level: float = 0.95) -> dict[str, Interval]:
    """Metric -> its interval.

    Args:
        run: what a scorer handed back.
        draws: how many; at least 1.
        seed: the same seed, items and families give the same limits.
        level: share of the draws between the limits.

    Raises:
        UsageError: no draws, or a level outside 0 to 1.
    """
    values = run.values()
    drawn = _drawn(run, draws, seed, level)
    return {name: Interval(value, *_limits(drawn[name], level)) for name, value in values.items()}


def differences(
    first: Scored, second: Scored, *, draws: int = DRAWS, seed: int = 0, level: float = 0.95
) -> dict[str, Difference]:
    """Metric -> how far the first run is ahead of the second, for the metrics that both have.

    Raises:
        UsageError: the runs hold different items, or the same in other families.
    """
    if first.ids != second.ids:
        odd = sorted(set(first.ids) ^ set(second.ids))
        raise UsageError(f"the runs hold different items ({len(odd)}, first {odd[:1]!r}); compare `only` those of both")
    if first.families != second.families:
        raise UsageError("the runs hold the same items in different families; score both against one items file")
    one, two = first.values(), second.values()
    drawn_one, drawn_two = (_drawn(run, draws, seed, level) for run in (first, second))
    found = {}
    for name in (name for name in one if name in two):
        gap = drawn_one[name] - drawn_two[name]
        low, high, _ = _limits(gap, level)
        a, b, known = one[name], two[name], gap[~np.isnan(gap)]
        ahead = None if low is None else float((known > 0).mean() + 0.5 * (known == 0).mean())
        found[name] = Difference(None if a is None or b is None else a - b, low, high, ahead)
    return found


def _drawn(run: Scored, draws: int, seed: int, level: float) -> dict[str, np.ndarray]:
    """Metric -> (draws,) values; (0,) with fewer than two families."""
    if draws < 1 or not 0 < level < 1:
        raise UsageError(f"got {draws!r} draws and level {level!r}; expected 1 draw or more and a level in (0, 1)")
    families, index = np.unique(np.array(run.families, dtype=str), return_inverse=True)
    if len(families) < 2:
        return {name: np.zeros(0) for name in run.values()}
    names = list(run.columns)
    sums = np.zeros((len(families), len(names)))
    for i, name in enumerate(names):
        sums[:, i] = np.bincount(index, run.columns[name], minlength=len(families))
    parts: list[dict[str, np.ndarray]] = []
    for weights in _weights(len(families), draws, seed):
        total = weights @ sums
        with np.errstate(all="ignore"):
            found = run.metrics({name: total[:, i] for i, name in enumerate(names)})
        parts.append({name: np.broadcast_to(value, len(weights)) for name, value in found.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _weights(families: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """(block, families): how often each family is in each draw."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, _BLOCK):
        rows = min(_BLOCK, draws - start)
        chosen = rng.integers(families, size=(rows, families)) + families * np.arange(rows)[:, None]
        yield np.bincount(chosen.ravel(), minlength=rows * families).reshape(rows, families).astype(np.float64)


def _limits(drawn: np.ndarray, level: float) -> tuple[float | None, float | None, int]:
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return None, None, len(drawn)
    low, high = np.percentile(known, [50 * (1 - level), 50 * (1 + level)])
    return plain(low), plain(high), len(drawn) - len(known)
