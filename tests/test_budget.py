"""Meters of runs: bounds, threads, a run within a run."""

from __future__ import annotations

import threading

import pytest
from surveyor.core.budget import Budget, Meter, charge, check, metering
from surveyor.core.errors import BudgetExceeded, Cancelled


def test_nothing_is_charged_outside_a_run() -> None:
    charge(calls=5, tokens=10**9)
    check()


def test_a_call_too_many_is_refused_and_not_counted() -> None:
    with metering(Meter(Budget(max_model_calls=2))) as meter:
        charge(calls=2)
        with pytest.raises(BudgetExceeded, match="2 model calls were used up"):
            charge(calls=1)
    assert meter.calls == 2


def test_tokens_are_known_afterwards_so_the_next_call_is_refused() -> None:
    with metering(Meter(Budget(max_tokens=10))) as meter:
        charge(calls=1)
        charge(tokens=10)
        with pytest.raises(BudgetExceeded, match="10 tokens"):
            charge(calls=1)
    assert meter.tokens == 10


def test_a_run_within_a_run_is_bounded_by_both() -> None:
    stop = threading.Event()
    with metering(Meter(Budget(max_model_calls=3))) as outer:
        with metering(Meter(Budget(max_model_calls=2), stop.is_set)) as inner:
            charge(calls=2)
            with pytest.raises(BudgetExceeded, match="2 model calls"):
                charge(calls=1)
            stop.set()
            with pytest.raises(Cancelled):
                check()
        assert (outer.calls, inner.calls) == (3, 2), "the outer one was asked first"
        check()
        with pytest.raises(BudgetExceeded, match="3 model calls"):
            charge(calls=1)


def test_threads_share_one_meter() -> None:
    meter = Meter(Budget(max_model_calls=1000))
    threads = [threading.Thread(target=lambda: [meter.charge(calls=1) for _ in range(100)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.calls == 800


def test_time_runs_out() -> None:
    meter = Meter(Budget(max_seconds=0))
    with pytest.raises(BudgetExceeded, match=r"time was used up \(0 s\)"):
        meter.check()
