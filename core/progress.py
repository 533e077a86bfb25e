"""Progress of long work, told to whoever listens: models and tools report, a door (command line, web) shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from .budget import check

Listener = Callable[[str, int, int], None]

_listener: ContextVar[Listener | None] = ContextVar("surveyor_progress_listener", default=None)
_notes: ContextVar[list[str] | None] = ContextVar("surveyor_notes", default=None)


@contextmanager
def listening(listener: Listener | None) -> Iterator[None]:
    """Sends reports made inside the block (and in threads that copied its context) to `listener(what, done, total)`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report(what: str, done: int, total: int) -> None:
    """Says that `done` of `total` parts of `what` are finished; costs nothing when nobody listens.

    Raises:
        Cancelled, BudgetExceeded: the run stops here (see `core.budget`).
    """
    check()
    listener = _listener.get()
    if listener is not None:
        listener(what, done, total)


@contextmanager
def noting(gathered: list[str]) -> Iterator[None]:
    """Adds what is noted inside the block (and in threads that copied its context) to the list."""
    token = _notes.set(gathered)
    try:
        yield
    finally:
        _notes.reset(token)


def note(text: str) -> None:
    """Says what the reader of the answer should know ("memory ran out: smaller tiles"); the same text only once."""
    gathered = _notes.get()
    if gathered is not None and text not in gathered:
        gathered.append(text)
