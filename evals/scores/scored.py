"""What a scorer hands back: for each item what it adds to the sums, and how metrics come out of sums.

Every metric here is a function of sums over items (counts, pixels, per-item IoUs). So one table serves the figure of
all items, of the items with one tag, and of a bootstrap draw; and the order of the items can change nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ...core.errors import UsageError

Sums = Mapping[str, np.ndarray]
"""Column -> its sum over items, (...) float64: one number, or one a bootstrap draw."""

Metrics = Callable[[Sums], dict[str, np.ndarray]]
"""Sums -> metric -> (...) values; NaN where a metric is not defined (nothing in its denominator)."""

ANSWERED = "answered"
MISSING = "missing"


@dataclass(frozen=True)
class Row:
    """One item.

    Attributes:
        id: unique in the table.
        family: leakage family or source image: what the bootstrap draws.
        status: "answered", or why there is no answer.
        adds: column -> what the item adds to its sum; a column that is left out adds 0.
    """

    id: str
    family: str
    status: str
    adds: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Scored:
    """The scored items of one run, sorted by id.

    Attributes:
        ids: (N,) of the items.
        families: of the items, in their order.
        statuses: of the items, in their order.
        columns: name -> (N,) float64, what each item adds.
        metrics: makes the figures from the sums of the columns.
    """

    ids: tuple[str, ...]
    families: tuple[str, ...]
    statuses: tuple[str, ...]
    columns: Mapping[str, np.ndarray]
    metrics: Metrics

    @property
    def sums(self) -> dict[str, np.ndarray]:
        """Column -> sum over the items."""
        return {name: values.sum() for name, values in self.columns.items()}

    def values(self) -> dict[str, float | None]:
        """Metric -> figure over all items; None where it is not defined (0/0: no item of that kind)."""
        with np.errstate(all="ignore"):
            return {name: plain(value) for name, value in self.metrics(self.sums).items()}

    def counts(self) -> dict[str, int]:
        """Status -> how many items have it."""
        return dict(sorted(Counter(self.statuses).items()))

    def only(self, ids: Collection[str]) -> Scored:
        """The table of these items alone: those with one tag, say. Ids that it has not are passed over."""
        wanted = ids if isinstance(ids, set | frozenset | dict) else set(ids)
        keep = np.array([each in wanted for each in self.ids], dtype=bool)
        chosen = np.flatnonzero(keep)
        return Scored(
            tuple(self.ids[i] for i in chosen),
            tuple(self.families[i] for i in chosen),
            tuple(self.statuses[i] for i in chosen),
            {name: values[keep] for name, values in self.columns.items()},
            self.metrics,
        )

    def item(self, id: str) -> dict[str, float]:
        """What one item adds. Raises UsageError where there is none of that id."""
        try:
            at = self.ids.index(id)
        except ValueError:
            raise UsageError(f"no scored item is called {id!r}; the first of them is {self.ids[:1]!r}") from None
        return {name: float(values[at]) for name, values in self.columns.items()}


def scored(rows: Iterable[Row], columns: Iterable[str], metrics: Metrics) -> Scored:
    """The table of these rows.

    Args:
        rows: one an item, in any order.
        columns: all names that `metrics` reads.
        metrics: see `Metrics`.

    Raises:
        UsageError: two rows of one id, a row that adds to an unknown column, or something not finite.
    """
    names = tuple(dict.fromkeys(columns))
    place = {name: i for i, name in enumerate(names)}
    ordered = sorted(rows, key=lambda row: row.id)
    table = np.zeros((len(ordered), len(names)))
    for i, row in enumerate(ordered):
        if i and row.id == ordered[i - 1].id:
            raise UsageError(f"two items are called {row.id!r}; expected each once")
        for name, value in row.adds.items():
            table[i, place[name]] = value
    if not np.isfinite(table).all():
        at = ordered[int(np.flatnonzero(~np.isfinite(table).all(axis=1))[0])].id
        raise UsageError(f"item {at!r} adds a number that is not finite")
    return Scored(
        tuple(row.id for row in ordered),
        tuple(row.family for row in ordered),
        tuple(row.status for row in ordered),
        {name: table[:, i] for name, i in place.items()},
        metrics,
    )


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole; NaN where whole is 0."""
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64))
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0)


def plain(value: np.ndarray | float) -> float | None:
    """A number for JSON: None for NaN."""
    number = float(value)
    return None if np.isnan(number) else number


def at(name: str, threshold: float) -> str:
    """How a metric at a threshold is called: "set_acc@0.5"."""
    return f"{name}@{threshold:g}"
