"""What a run may use up: time, calls of models, tokens. Whoever calls a model tells it here.

The meter of a run is a context variable, as its progress is, so that tools and models need no argument for it:
`charge(calls=1)` before a model is asked, `charge(tokens=n)` when it has answered. Outside a run both cost nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from .errors import BudgetExceeded, Cancelled, UsageError


@dataclass(frozen=True)
class Budget:
    """Bounds of one run; None is no bound.

    Args:
        max_seconds: wall-clock seconds.
        max_model_calls: how often models may be asked in all.
        max_tokens: tokens read and written by language models in all.

    Raises:
        UsageError: a bound below 0.
    """

    max_seconds: float | None = None
    max_model_calls: int | None = None
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value >= 0:
                raise UsageError(f"{name} is {value!r}, expected a number from 0 on, or None for no bound")


class Meter:
    """What a run has used so far, against its budget. Any number of threads may charge it.

    Args:
        budget: the bounds.
        cancelled: asked at each check; true stops the run.

    Attributes:
        calls: of models.
        tokens: of language models.

    Example:
        >>> meter = Meter(Budget(max_model_calls=1))
        >>> meter.charge(calls=1)
        >>> meter.charge(calls=1)
        Traceback (most recent call last):
        surveyor.core.errors.BudgetExceeded: the run's 1 model call was used up
    """

    def __init__(self, budget: Budget | None = None, cancelled: Callable[[], bool] | None = None) -> None:
        self.budget = budget or Budget()
        self.calls = 0
        self.tokens = 0
        self._cancelled = cancelled
        self._outer: Meter | None = None
        self._started = time.monotonic()
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raises Cancelled when the run was cancelled, BudgetExceeded when its time is over."""
        if self._outer is not None:
            self._outer.check()
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("the run was cancelled")
        limit = self.budget.max_seconds
        if limit is not None and time.monotonic() - self._started > limit:
            raise BudgetExceeded(f"the run's time was used up ({limit:g} s)")

    def charge(self, *, calls: int = 0, tokens: int = 0) -> None:
        """Notes what is used. Calls are charged before they are made: one too many is refused and not counted.

        Raises:
            BudgetExceeded: a bound is passed.
        """
        if self._outer is not None:
            self._outer.charge(calls=calls, tokens=tokens)
        with self._lock:
            most = self.budget.max_model_calls
            if most is not None and self.calls + calls > most:
                raise BudgetExceeded(f"the run's {most} model call{'s were' if most != 1 else ' was'} used up")
            self.calls += calls
            self.tokens += tokens
            limit = self.budget.max_tokens
            if limit is not None and (self.tokens > limit or (calls and self.tokens >= limit)):
                raise BudgetExceeded(f"the run's {limit} tokens were used up")


_meter: ContextVar[Meter | None] = ContextVar("surveyor_meter", default=None)


@contextmanager
def metering(meter: Meter) -> Iterator[Meter]:
    """Charges made inside the block (and in threads that copied its context) go to this meter.

    Inside another meter's block they go to both, so that a run within a run (a turn of a conversation) is bounded by
    both.
    """
    meter._outer = _meter.get()
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)


def charge(*, calls: int = 0, tokens: int = 0) -> None:
    """Tells the run that a model is about to be asked (`calls`) or has answered (`tokens`). See `Meter.charge`."""
    meter = _meter.get()
    if meter is not None:
        meter.check()
        meter.charge(calls=calls, tokens=tokens)


def check() -> None:
    """Stops here when the run was cancelled or its time is over. For long work between reports of progress."""
    meter = _meter.get()
    if meter is not None:
        meter.check()
