"""Progress of long work on stderr: bars on a terminal, a line now and then elsewhere, nothing for quick work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from .screen import talk

QUIET_S = 0.7
"""Work that is over sooner shows nothing."""
LINE_EVERY_S = 10.0
"""Time between two lines where stderr is a file or a pipe."""
BAR_EVERY_S = 0.2
"""Time between two changes of a line with a rate on a terminal."""

Listener = Callable[[str, int, int], None]
Told = Callable[[float], str]
"""Seconds since the work began -> what to say of it."""


@contextmanager
def shown_progress(console: Console | None = None) -> Iterator[Listener]:
    """Gives a listener `(what, done, total)` that any thread may call.

    After Ctrl-C the listener raises in whichever thread reports next, so that a long scene need not be finished first.
    """
    screen = console or talk()
    shown = _Bars(screen) if screen.is_terminal else _Lines(screen)
    lock, stopped, started = threading.Lock(), threading.Event(), time.monotonic()

    def listener(what: str, done: int, total: int) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        with lock:
            if time.monotonic() - started >= QUIET_S:
                shown.show(what, done, total)

    try:
        yield listener
    except KeyboardInterrupt:
        stopped.set()
        raise
    finally:
        with lock:
            shown.close()


@contextmanager
def shown_rate(doing: str, console: Console | None = None) -> Iterator[Callable[[Told], None]]:
    """Gives a listener for work of which nobody knows how much there is: one line with a rate, told anew now and then.

    Args:
        doing: "converting".
        console: stderr by default.
    """
    screen, began = console or talk(), time.monotonic()
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn(), console=screen, transient=True
    )
    task, shown = bar.add_task(doing, total=None, told="reading"), began

    def listener(told: Told) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < (BAR_EVERY_S if screen.is_terminal else LINE_EVERY_S):
            return
        shown = now
        if screen.is_terminal:
            bar.update(task, told=told(now - began))
        else:
            screen.print(f"{doing}: {told(now - began)}", soft_wrap=True, markup=False)

    with bar if screen.is_terminal else nullcontext():
        yield listener


class _Bars:
    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def show(self, what: str, done: int, total: int) -> None:
        self._progress.start()
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total, visible=done < total)

    def close(self) -> None:
        self._progress.stop()


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_line = 0.0

    def show(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done < total and now >= self._next_line:
            self._console.print(f"{what}: {done} of {total}", soft_wrap=True)
            self._next_line = now + LINE_EVERY_S

    def close(self) -> None:
        """Lines stay."""
