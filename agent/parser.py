"""The built-in condition parser: English in, a typed request out; deterministic, offline, in milliseconds.

A hand-written descent over tokens, not a generated parser. Three things decided that: class names are open words, so
the grammar must know where a name ends rather than list names; which noun a condition belongs to follows from number
and likeness of form, which a context-free grammar can only leave ambiguous; and every refusal must point at the words
in trouble and say what was expected there. Reading never backs up by more than one phrase, so time is linear.

The grammar by example is in docs/queries.md. It plays the part of the condition parser of GeoRSMLLM section III-B.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pydantic import ValidationError

from ..core.conditions import Request
from ..core.errors import QueryError
from ..core.plan import describe_faults
from .parsing.changed_classes import with_changed_classes
from .parsing.requests import RequestReader


def read(query: str, stand_ins: Collection[str] = ()) -> tuple[Request, tuple[str, ...]]:
    """The meaning of an English request, and the words before it that ask for nothing ("For my thesis,").

    Args:
        query: the request.
        stand_ins: nouns (singular) of sets that are known elsewhere; whether they are changes is left to the caller.

    Raises:
        QueryError: as `parse` says.
    """
    reader = RequestReader(query)
    try:
        return with_changed_classes(reader.request(), query, stand_ins), reader.asides
    except ValidationError as error:
        raise QueryError(f"the request does not fit together: {describe_faults(error)}", query) from None


def noted(asides: Iterable[str]) -> tuple[str, ...]:
    """Notes that these words were left aside."""
    return tuple(f"Not part of the request: {aside!r}." for aside in asides)


def parse(query: str) -> Request:
    """The meaning of an English request.

    Args:
        query: e.g. "detect all planes on the east bank of the river"; at most 1,000 characters.

    Raises:
        QueryError: a word that is not understood (never dropped), conditions that exclude each other, another
            language, nothing to look for. `spans` point at the words, `pointer()` draws them.

    Example:
        >>> parse("how many ships are longer than 40 m?").outputs[0].verb
        'count'
    """
    return read(query)[0]
