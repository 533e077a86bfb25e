"""Class names that only the grounder's names settle: shared nouns, sizes that belong to a name."""

from __future__ import annotations

import pytest
from surveyor.agent.class_names import adopt_class_names
from surveyor.agent.parser import parse
from surveyor.core.wording import words

NWPU = ("airplane", "ship", "storage_tank", "tennis_court", "basketball_court", "ground_track_field")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tennis and basketball courts", "detect all tennis courts and basketball courts"),
        ("how many basketball or tennis courts are there?", "count all basketball courts and tennis courts"),
        (
            "tennis and basketball courts near the ground track field",
            "detect all tennis courts and basketball courts near the ground track field",
        ),
        # classes inside of conditions are renamed too
        ("red tennis and white basketball courts", "detect all red tennis courts, and white basketball courts"),
        # "the tennis" is no promise of one
        ("count the tennis and basketball courts", "count all tennis courts and basketball courts"),
        (
            "are there twice as many tennis and basketball courts as ships?",
            "check whether there are at least 2 times as many (tennis courts and basketball courts) as ships",
        ),
        # a word that means something by itself, or nothing with the noun either, stays
        ("ships and storage tanks", "detect all ships and storage tanks"),
        ("bananas and tennis courts", "detect all bananas and tennis courts"),
        ("tennis courts and basketball courts", "detect all tennis courts and basketball courts"),
    ],
)
def test_the_noun_that_the_last_one_has_is_for_all(query: str, expected: str) -> None:
    assert words(adopt_class_names(parse(query), NWPU)) == expected


def test_without_names_of_a_grounder_nothing_is_completed() -> None:
    request = parse("tennis and basketball courts")
    assert adopt_class_names(request, None) == adopt_class_names(request, ()) == request


def test_promises_of_more_than_one_stay() -> None:
    asked = adopt_class_names(parse("the two tennis and basketball courts"), NWPU).outputs[0].target
    assert (asked.phrases, asked.expected) == (("tennis court", "basketball court"), 2)


def test_a_size_is_part_of_a_name_where_there_is_one() -> None:
    names = ("large-vehicle", "small-vehicle", "ship")
    assert words(adopt_class_names(parse("large vehicles near ships"), names)) == "detect all large vehicles near ships"
    assert adopt_class_names(parse("large vehicles"), names).outputs[0].target.where is None
    assert adopt_class_names(parse("large ships"), names) == parse("large ships")
