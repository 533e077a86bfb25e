"""Items answered by threads that share the models.

Models are stateless by contract and let go of Python's lock where they compute, so one copy of the weights is enough.
Where the work is Python's own (oracle boxes), shards in processes of their own, or Ray, use more cores.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field

from .items import Item
from .predictions import Prediction

Work = Callable[[Item, threading.Event], Prediction]
Late = Callable[[Item], Prediction]

GRACE_S = 5.0
"""How long after its time an item is waited for: models look at the clock between tokens and tiles only."""
_TICK_S = 0.2
_STOP_S = 3.0


@dataclass(eq=False)
class _Job:
    item: Item
    cancel: threading.Event = field(default_factory=threading.Event)
    started: float | None = None
    has_ended: bool = False
    given_up: bool = False


class Threads:
    """Answers items on threads, in the order in which they get ready.

    Args:
        work: answers one item; stops when the event is set.
        workers: how many at once.
        late: makes the answer of an item that is given up.
        timeout_s: time of an item; one that is still at work `GRACE_S` later is given up, and its thread left alone.
    """

    def __init__(self, work: Work, workers: int, late: Late, timeout_s: float | None = None) -> None:
        self._work, self._workers, self._late = work, workers, late
        self._limit_s = None if timeout_s is None else timeout_s + GRACE_S
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[_Job, Prediction | BaseException]] = queue.SimpleQueue()
        self._out: set[_Job] = set()
        self._threads: list[threading.Thread] = []

    def answers(self, items: Iterable[Item]) -> Generator[Prediction, None, None]:
        """The predictions of all items. At most one item a worker waits beside the one that is being answered.

        Raises:
            Exception: what `work` raised.
        """
        for _ in range(self._workers):
            self._start()
        waiting = iter(items)
        more = True
        try:
            while more or self._out:
                while more and len(self._out) < 2 * self._workers:
                    item = next(waiting, None)
                    if item is None:
                        more = False
                        break
                    job = _Job(item)
                    self._out.add(job)
                    self._jobs.put(job)
                if self._out:
                    yield from self._next()
        finally:
            self._stop()

    def finished(self) -> Iterator[Prediction]:
        """What got ready after `answers` was left, without waiting."""
        while True:
            try:
                job, found = self._ended.get_nowait()
            except queue.Empty:
                return
            if isinstance(found, Prediction) and not job.given_up:
                yield found

    def _next(self) -> Iterator[Prediction]:
        yield from self._given_up()
        try:
            job, found = self._ended.get(timeout=_TICK_S)
        except queue.Empty:
            return
        if job.given_up:
            return
        self._out.discard(job)
        if isinstance(found, BaseException):
            raise found
        yield found

    def _given_up(self) -> Iterator[Prediction]:
        """Answers for what hangs; another thread takes the place of each."""
        if self._limit_s is None:
            return
        now = time.monotonic()
        late = [each for each in self._out if each.started is not None and now - each.started > self._limit_s]
        for job in [each for each in late if not each.has_ended]:  # what has ended waits for its turn, in time or not
            job.given_up = True
            job.cancel.set()
            self._out.discard(job)
            self._start()
            yield self._late(job.item)

    def _start(self) -> None:
        thread = threading.Thread(target=self._serve, name="bench", daemon=True)  # what hangs must not keep the program
        self._threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.started = time.monotonic()
            found: Prediction | BaseException
            try:
                found = self._work(job.item, job.cancel)
            except BaseException as error:  # handed on to the thread that waits for it
                found = error
            job.has_ended = True
            self._ended.put((job, found))
            if job.given_up:
                return

    def _stop(self) -> None:
        """No item more is begun; what is at work is told to stop."""
        while True:
            try:
                self._jobs.get_nowait()
            except queue.Empty:
                break
        for job in self._out:
            job.cancel.set()
        for _ in self._threads:
            self._jobs.put(None)
        until = time.monotonic() + _STOP_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
