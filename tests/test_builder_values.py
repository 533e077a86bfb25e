"""The builder's own words for bad values: none is answered by pydantic or with a TypeError."""

from __future__ import annotations

import inspect
import re

import pytest
from surveyor import Graph, RegionSet, UsageError
from surveyor.core.conditions import Colour, Quantity

BAD: tuple[object, ...] = (
    0, -1, 2.5, float("nan"), float("inf"), True, None, "", "  ", "xyzzy", "3", "-3 m", [], [1], {}, object(), b"x",
    10**30, ("a",), Quantity(value=3, unit="px2"), Colour(word="red"),
)  # fmt: skip
USUAL = {
    "word": "largest", "place": "top", "frame": "half", "phrase": "plane", "attribute": "length", "op": ">",
    "amount": "40 m", "other": "the river", "of": "the river", "than": "the river", "first": 1, "rank": 2, "n": 2,
    "direction": "east", "distance": "50 m", "test": "more than 5", "text": "planes", "target": "planes",
    "second": "ships", "count": 1, "x0": 1, "y0": 2, "x1": 3, "y1": 4,
}  # fmt: skip
LEAKS = re.compile(r"Input should|Value error|validation|\bgot \b| at 0x|unable to parse|Tuple|String should")


def _builders() -> list[tuple[type, str, str]]:
    """Every public method of sets and graphs that takes plain values, with each of its parameters."""
    found = []
    left = {
        "run",
        "use",
        "compute",
        "plan",
        "draw",
        "preview",
        "words_of",
        "check_same",
        "check_grounded",
        "from_words",
    }
    for kind in (RegionSet, Graph):
        for name, function in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_") and name not in left:
                found += [(kind, name, each) for each in list(inspect.signature(function).parameters)[1:]]
    return found


@pytest.mark.parametrize(("kind", "name", "which"), _builders())
def test_no_value_whatever_is_answered_in_another_tongue(kind: type, name: str, which: str) -> None:
    for bad in BAD:
        g = Graph()
        handle: object = g if kind is Graph else g.ground("plane")
        positional: list[object] = []
        named: dict[str, object] = {}
        for each in list(inspect.signature(getattr(kind, name)).parameters.values())[1:]:
            value = bad if each.name == which else USUAL.get(each.name, each.default)
            if each.kind is each.KEYWORD_ONLY:
                named[each.name] = value
            elif each.name == which or value is not each.empty:
                positional.append(value)
        try:
            getattr(handle, name)(*positional, **named)
        except UsageError as error:
            assert not LEAKS.search(str(error)) and "\n" not in str(error), (name, which, bad, str(error))
