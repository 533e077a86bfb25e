"""Progress of long work on stderr: bars on a terminal, a line now and then elsewhere, nothing for quick work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from .screen import talk

QUIET_S = 0.7
"""Work that is over sooner shows nothing."""
LINE_EVERY_S = 10.0
"""Time between two lines where stderr is a file or a pipe."""

Listener = Callable[[str, int, int], None]


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
