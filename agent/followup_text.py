"""A text whose words are replaced while every character keeps its place in the text as given."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ..core.errors import QueryError

Span = tuple[int, int]


class Patched:
    """Text after replacements, for a parser that must not see what was replaced.

    Args:
        original: the text as given.
        text: what it reads now; the original when left out.
        places: for each character of `text`, the span of `original` it stands for.

    Example:
        >>> patched = Patched("segment them now").replaced(8, 12, "the ships")
        >>> patched.text, patched.source(8, 17)
        ('segment the ships now', (8, 12))
    """

    def __init__(self, original: str, text: str | None = None, places: Sequence[Span] | None = None) -> None:
        self.original = original
        self.text = original if text is None else text
        self.places = [(at, at + 1) for at in range(len(original))] if places is None else list(places)

    def replaced(self, start: int, stop: int, new: str) -> Patched:
        """With `new` in the place of start..stop (offsets into `text`); equal offsets insert."""
        span = self.source(start, stop)
        places = [*self.places[:start], *[span] * len(new), *self.places[stop:]]
        return Patched(self.original, self.text[:start] + new + self.text[stop:], places)

    def sub(self, pattern: re.Pattern[str], new: str | Callable[[re.Match[str]], str | None]) -> Patched:
        """With each match replaced; a function that returns None leaves its match as it is."""
        patched, shift = self, 0
        for match in pattern.finditer(self.text):
            put = match.expand(new) if isinstance(new, str) else new(match)
            if put is not None:
                patched = patched.replaced(match.start() + shift, match.end() + shift, put)
                shift += len(put) - (match.end() - match.start())
        return patched

    def cut(self, start: int, stop: int | None = None) -> Patched:
        """The part start..stop alone."""
        return Patched(self.original, self.text[start:stop], self.places[start:stop])

    def stripped(self, chars: str = " \t\n\r,;:") -> Patched:
        """Without these characters at both ends."""
        start = len(self.text) - len(self.text.lstrip(chars))
        return self.cut(start, max(start, len(self.text.rstrip(chars))))

    def source(self, start: int, stop: int) -> Span:
        """The span of the original that start..stop stands for; empty for an insertion."""
        inside = self.places[start:stop]
        if inside:
            return min(first for first, _ in inside), max(last for _, last in inside)
        at = self.places[start - 1][1] if 0 < start <= len(self.places) else self.places[0][0] if self.places else 0
        return at, at

    def is_inserted(self, start: int, stop: int) -> bool:
        """Whether start..stop holds no character that stands for one of the original."""
        return all(first == last for first, last in self.places[start:stop])

    def refused(self, message: str, start: int = 0, stop: int | None = None) -> QueryError:
        """The error that points at start..stop of `text`, in the original."""
        span = self.source(start, len(self.text) if stop is None else stop)
        return refused(message, self.original, span)


def refused(message: str, text: str, span: Span | None = None) -> QueryError:
    """The error that points at a span of the text as given; at all of it when there is no span."""
    first, last = span or (0, len(text))
    return QueryError(message, text, [(first, last)] if first < last else [])
