"""Which item to ask for next: what there are fewest of so far, and caps on what there is enough of (FORMATS.md 7.4)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

_CLASS_SHARE, _KIND_SHARE = 0.15, 0.2
_PLAIN_SHARE = 0.08  # of items that ask for a class and nothing else; each has a twin besides
_FORM_WEIGHTS = {"class": 0.12, "one": 2.0, "not": 0.8, "and": 2.0, "and not": 0.7, "or": 0.7, "pick": 1.5, "pick of some": 1.2}  # fmt: skip  # noqa: E501
_MOST_F1_OF_ALL = 0.6
BUCKETS = ((0, 0), (1, 1), (2, 5), (6, 20))


@dataclass
class Quotas:
    """Counts of what has been admitted, and what may follow.

    Args:
        n: items wanted.
        classes: how many head classes the source has.
    """

    n: int
    classes: int
    tags: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    _f1: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _f1_items: Counter[str] = field(default_factory=Counter)

    @property
    def most_of_class(self) -> int:
        """Cap on one class: 15 %, or an even share and a half where the source has few classes."""
        return math.ceil(self.n * max(_CLASS_SHARE, 1.5 / max(1, self.classes)))

    def score(self, label: str, kinds: Iterable[str], form: str, others: Iterable[str]) -> float:
        """How much there is of this already: lower is wanted more."""
        own = list(kinds)
        rare = sum(self.tags[kind] for kind in own) / max(1, len(own))
        places = sum(self.tags[tag] for tag in others)
        rarest = min((self.tags[kind] for kind in own), default=0)
        return (
            rare / 2
            + rarest / 2
            + self.tags[f"form:{form}"] / _FORM_WEIGHTS[form] / 4
            + 0.25 * places
            + 0.1 * self.labels[label]
        )

    def allows(self, label: str, kinds: Iterable[str]) -> bool:
        """Whether neither the class nor one of the kinds has reached its cap."""
        return self.labels[label] < self.most_of_class and all(
            self.tags[kind] < math.ceil(self.n * (_PLAIN_SHARE if kind == "C" else _KIND_SHARE)) for kind in kinds
        )

    def allows_easy(self, kinds: Iterable[str], f1_of_all: float) -> bool:
        """Whether naming the whole class stays a bad answer (F1 up to 0.6 on average) for each kind."""
        if f1_of_all <= _MOST_F1_OF_ALL:
            return True
        return all((self._f1[k] + f1_of_all) / (self._f1_items[k] + 1) <= _MOST_F1_OF_ALL for k in kinds)

    def add(self, label: str, kinds: Iterable[str], form: str, others: Iterable[str], f1_of_all: float) -> None:
        """Counts an admitted item."""
        own = tuple(kinds)
        self.labels[label] += 1
        self.tags.update((*own, f"form:{form}", *others))
        for kind in own:
            self._f1[kind] += f1_of_all
            self._f1_items[kind] += 1


def bucket(answers: int) -> str:
    """The tag of how many answers there are: "answers:1", "answers:2-5".

    Example:
        >>> [bucket(n) for n in (0, 1, 4, 20)]
        ['answers:0', 'answers:1', 'answers:2-5', 'answers:6-20']
    """
    low, high = next(pair for pair in BUCKETS if pair[0] <= answers <= pair[1])
    return f"answers:{low}" if low == high else f"answers:{low}-{high}"
