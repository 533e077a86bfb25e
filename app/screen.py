"""The two consoles (data on stdout, talk on stderr) and how a query's trouble is shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache

from rich.console import Console
from rich.text import Text


class _Console(Console):
    """A console that hands a closed pipe on instead of ending the program itself."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def data() -> Console:
    """stdout: the answer."""
    return _Console(highlight=False)


@cache
def talk() -> Console:
    """stderr: progress, notes, errors."""
    return _Console(stderr=True, highlight=False)


def can_show(console: Console, text: str) -> bool:
    """Whether the console's encoding has all these characters."""
    try:
        text.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def query_with_carets(query: str, spans: Sequence[tuple[int, int]], width: int) -> Text:
    """The query, the spans in red and carets below them; a long query is cut around the first span.

    Args:
        query: the text as given; line breaks and tabs are shown as spaces.
        spans: (start, stop) offsets into it, at least one.
        width: columns of the terminal.
    """
    line = "".join(" " if unicodedata.category(char).startswith("C") else char for char in query)
    room = max(20, width - 6)
    start = 0 if len(line) <= room else max(0, min(spans[0][0] - room // 3, len(line) - room))
    stop = min(len(line), start + room)
    left, right = ("…" if start else ""), ("…" if stop < len(line) else "")
    shown = Text(f"  {left}{line[start:stop]}{right}\n")
    carets = Text(" " * (2 + len(left)))
    at = start
    for low, high in sorted(spans):
        low, high = max(low, at), min(max(high, low + 1), stop)
        if high <= low:
            continue
        shown.stylize("bold red", 2 + len(left) + low - start, 2 + len(left) + high - start)
        carets.append(" " * _columns(line[at:low]))
        carets.append("^" * _columns(line[low:high]), style="bold red")
        at = high
    return shown + carets


def _columns(text: str) -> int:
    """Terminal columns: wide (East Asian) characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
