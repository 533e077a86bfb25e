"""What was wrong with a model's last answer, told to the tool or model that is asked again.

A step whose model text could not be read is tried again. Whoever writes the prompt can name the fault in it:
`fault = previous_fault()` is the message of the error before, None at the first try.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_fault: ContextVar[str | None] = ContextVar("surveyor_previous_fault", default=None)


@contextmanager
def retrying(fault: str | None) -> Iterator[None]:
    """Inside the block `previous_fault()` is this message."""
    token = _fault.set(fault)
    try:
        yield
    finally:
        _fault.reset(token)


def previous_fault() -> str | None:
    """Why the try before failed; None when this is the first.

    Example:
        >>> with retrying("no number in the reply"):
        ...     previous_fault()
        'no number in the reply'
    """
    return _fault.get()
