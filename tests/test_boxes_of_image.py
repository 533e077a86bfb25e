"""Boxes of the image said in numbers: how they are read, refused, covered, explained, and kept apart."""

from __future__ import annotations

import pytest
from surveyor.agent.coverage import coverage
from surveyor.agent.parser import parse
from surveyor.agent.readings import reading_of
from surveyor.core.conditions import InBox, Not, Selection
from surveyor.core.errors import QueryError


def where(query: str) -> object:
    return parse(query).outputs[0].target.where


@pytest.mark.parametrize(
    "query",
    [
        "planes in the box [100, 200, 400, 500]",
        "planes inside [100,200,400,500]",
        "planes within the region (100, 200, 400, 500) of the image",
        "planes in the window [(100,200),(400,500)]",
        "planes in the bounding box [100 200 400 500]",
        "the planes that are in the box [ 100 , 200 , 400 , 500 ]",
    ],
)
def test_brackets_are_read_however_they_are_written(query: str) -> None:
    assert where(query) == InBox(xyxy=(100, 200, 400, 500))


def test_pixels_only_where_they_are_said() -> None:
    assert where("planes in [0, 0, 1640, 480] pixels") == InBox(xyxy=(0, 0, 1640, 480), unit="px")
    assert where("planes outside the box [0, 0, 640, 480] px") == Not(condition=InBox(xyxy=(0, 0, 640, 480), unit="px"))


@pytest.mark.parametrize(
    ("query", "complaint", "marked"),
    [
        ("planes in the box [1, 2, 3]", "four numbers, not 3", "in the box [1, 2, 3]"),
        ("planes in the box [1, 2, 3, 4, 5]", "four numbers, not 5", "in the box [1, 2, 3, 4, 5]"),
        ("planes in [0, 0, 1,000, 500]", "four numbers, not 5", "in [0, 0, 1,000, 500]"),
        ("planes in the box [1, 2, 3, 4", "never closed", "[1, 2, 3, 4"),
        ("planes in the box [0.1, 0.2, 0.5, 0.6]", "whole numbers", "0.1"),
        ("planes in [-5, 0, 10, 20]", "whole numbers from 0 on", "5"),
        ("planes in the box [400, 0, 100, 200]", "left must be less than right", "in the box [400, 0, 100, 200]"),
        ("planes in the box [0, 0, 0, 200]", "left must be less than right", "in the box [0, 0, 0, 200]"),
        ("planes in the box [0, 0, 1200, 300]", "for pixels say 'px'", "in the box [0, 0, 1200, 300]"),
        ("planes in the box [left, 2, 3, 4]", "numbers alone", "left"),
    ],
)
def test_what_is_no_box_is_refused_with_its_words(query: str, complaint: str, marked: str) -> None:
    with pytest.raises(QueryError, match=complaint) as refused:
        parse(query)
    assert [query[start:stop] for start, stop in refused.value.spans] == [marked]


def test_a_box_without_numbers_is_a_thing() -> None:
    relation = where("ships in the box")
    assert relation is not None and getattr(relation, "reference", None) == Selection(phrases=("box",), expected=1)


def test_places_that_cannot_both_hold_are_refused() -> None:
    with pytest.raises(QueryError, match="nothing can be both"):
        parse("planes in the box [0, 0, 400, 1000] and in the right half")
    with pytest.raises(QueryError, match="nothing can be both"):
        parse("planes in the box [0, 0, 400, 1000] and in the box [400, 0, 900, 1000]")
    parse("planes in the box [0, 0, 600, 1000] and in the right half")
    parse("planes in the box [0, 0, 400, 400] px and in the right half")  # how large the image is, is not known here


def test_coverage_reads_the_numbers_together() -> None:
    query = "planes inside [100,200,400,500]"
    right, other = parse(query), parse("planes in the box [100, 200, 400, 501]")
    found = coverage(query, right)
    assert not found.uncovered and not found.unsaid
    assert coverage(query, other).uncovered and coverage(query, other).unsaid
    assert coverage(query, parse("planes")).uncovered
    assert coverage("planes outside [100,200,400,500]", right).uncovered  # "not" is lost


def test_a_reading_names_the_side_that_decides() -> None:
    region = {"corners_px": [[60, 10], [70, 10], [70, 20], [60, 20]]}  # its centre is (65, 15) of 100 x 100
    reading = reading_of(InBox(xyxy=(100, 0, 500, 900)), region, "", (100, 100))
    assert reading is not None and (reading.text, reading.off) == ("centre from the left 65 % < 50 %", "15 % over")
    assert reading_of(InBox(xyxy=(0, 0, 1000, 1000)), region, "", (100, 100)) is None
