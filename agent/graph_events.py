"""What a run tells while it is at work, as events; `stream` makes an iterator of them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..core.plan import Plan, Step
from ..core.questions import Question
from ..core.trace import Observation

if TYPE_CHECKING:
    from .answer import Answer


@dataclass(frozen=True)
class Event:
    """One thing that a run tells.

    Args:
        kind: `planned` (see `plan`), `started` (see `step`), `progress` of long work inside a step (see `what`, `done`,
            `total`), `finished` (see `step` and `observation`), `asked` (see `question`), `answered` (see `answer`; the
            last one).
        run_id: of a run that can be resumed, else "".
    """

    kind: Literal["planned", "started", "progress", "finished", "asked", "answered"]
    run_id: str = ""
    plan: Plan | None = None
    step: Step | None = None
    observation: Observation | None = None
    what: str = ""
    done: int = 0
    total: int = 0
    question: Question | None = None
    answer: Answer | None = None

    def __str__(self) -> str:
        """One line for people."""
        if self.plan is not None:
            return f"{len(self.plan.steps)} steps planned"
        if self.observation is not None:
            seen = self.observation
            return f"{seen.instruction or seen.step}: {seen.summary or seen.failure or seen.because or seen.status}"
        if self.step is not None:
            return f"{self.step.instruction or self.step.id} …"
        if self.question is not None:
            return str(self.question)
        return self.answer.text if self.answer is not None else f"{self.what}: {self.done} of {self.total}"


OnEvent = Callable[[Event], None]


def streamed(
    work: Callable[[OnEvent, threading.Event], object], cancel: threading.Event | None = None
) -> Iterator[Event]:
    """The events of `work(on_event, cancel)`, which runs on a thread of its own, as they come.

    Leaving the iterator early (or Ctrl-C in it) cancels the work and waits until it has noticed. What the work raises
    is raised here, after the events that came before.
    """
    events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
    cancel = cancel or threading.Event()

    def run() -> None:
        try:
            work(events.put, cancel)
            events.put(None)
        except BaseException as error:
            events.put(error)

    thread = threading.Thread(target=copy_context().run, args=(run,), name="surveyor-stream", daemon=True)
    thread.start()
    try:
        while (event := events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event
    finally:
        cancel.set()
        thread.join()
