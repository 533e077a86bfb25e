"""Which other selections a condition or pick looks at, and their candidate sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..core.conditions import Node, Selection, children
from ..core.errors import UsageError
from ..core.regions import CandidateSet
from ..core.wording import words


def needed_references(node: Node) -> dict[str, Selection]:
    """The selections that must be there before the node can be judged, by their words, in reading order.

    What those selections themselves refer to is not listed: it was needed to make them.
    """
    return {words(selection): selection for selection in _selections(node)}


def reference_set(reference: Selection, references: Mapping[str, CandidateSet]) -> CandidateSet:
    """The candidates of a reference. Raises UsageError when `references` lacks it."""
    name = words(reference)
    if name not in references:
        have = ", ".join(repr(key) for key in references) or "none"
        raise UsageError(f"the condition refers to {name!r}, whose regions were not given; given are: {have}")
    return references[name]


def _selections(node: Node) -> Iterator[Selection]:
    for child in children(node):
        if isinstance(child, Selection):
            yield child
        else:
            yield from _selections(child)
