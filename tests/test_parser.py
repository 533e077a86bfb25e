"""Properties of the condition parser: round trip, total over any text, places of trouble, speed."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from strategies import requests
from surveyor.agent.parser import parse
from surveyor.agent.parsing.reserved import RESERVED
from surveyor.agent.parsing.tokens import MAX_QUERY_CHARS, tokenize
from surveyor.core.conditions import Request
from surveyor.core.errors import QueryError
from surveyor.core.wording import words

QUERIES = [
    case["query"]
    for case in yaml.safe_load((Path(__file__).parent / "data" / "parser_cases.yaml").read_text("utf-8"))
    if len(case["query"]) < 200
]
FRAGMENTS = sorted(RESERVED) + "planes ships river tank 40 m 2 ( ) , ; ? 300 m2 px".split()


@settings(max_examples=80, deadline=None)
@given(requests())
def test_canonical_words_are_read_back_exactly(request: Request) -> None:
    text = words(request)
    if len(text) <= MAX_QUERY_CHARS:
        assert parse(text) == request


@pytest.mark.parametrize(
    "text",
    [
        "detect all planes between (the eighth from the left of the fourth to fifth largest tanks left of the river) "
        "and the road",
        "detect the plane between planes and the plane",
        "detect all planes near the second from the right of the largest plane",
        "check whether there are more planes than the second from the right of the largest plane",
        "detect the farthest from (planes in the top left corner) of the largest plane",
        "detect all t72",
        "detect the one a0",
        "compare the number of planes with the number of the farthest from planes of the largest plane",
        "detect all rivers that are not (less than 3.3 times as elongated as the plane)",
        "check whether there are at least as many planes as (ships that are (not in a group) or less than 1.3 times as "
        "large as all ships)",
        "detect all ships provided there are at most zero (ships provided there are more than three ships)",
        "detect the plane provided there are fewer than two of (the second farthest from ships of the largest bus)",
        "detect the second to third ships from the bottom left of the river",
        "detect all planes near the one aircraft",
    ],
)
def test_words_that_a_search_once_found_unread(text: str) -> None:
    assert words(parse(text)) == text


def assert_request_or_query_error(text: str) -> None:
    """Parses; a refusal must point inside the text, and what is understood must survive its own words."""
    try:
        request = parse(text)
    except QueryError as error:
        assert str(error)
        assert all(0 <= start < stop <= len(text) for start, stop in error.spans)
        error.pointer()
        return
    said = words(request)
    if len(said) <= MAX_QUERY_CHARS:
        assert parse(said) == request


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60))
@example("\x00")
@example("1A0")
@example("one aircraft")
@example("(")
@example("٣ planes")
@example("½ planes longer than ³ m")
@example("planes\u202elonger than 40 m")
def test_any_text_gives_a_request_or_a_query_error(text: str) -> None:
    assert_request_or_query_error(text)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14))
def test_any_words_give_a_request_or_a_query_error(parts: list[str]) -> None:
    assert_request_or_query_error(" ".join(parts))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(QUERIES), st.integers(0, 30), st.sampled_from(FRAGMENTS), st.booleans())
def test_damaged_queries_give_a_request_or_a_query_error(query: str, place: int, extra: str, insert: bool) -> None:
    parts = query.split()
    place = min(place, len(parts))
    assert_request_or_query_error(" ".join([*parts[:place], extra, *parts[place + (not insert) :]]))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(QUERIES), st.sampled_from(["flurb", "gromb", "really", "whatever"]), st.integers(0, 30))
def test_no_word_is_dropped(query: str, extra: str, place: int) -> None:
    """A word without meaning changes the request (as part of a name) or is refused; it never just disappears."""
    parts = query.split()
    place = min(place, len(parts))
    text = " ".join([*parts[:place], extra, *parts[place:]])
    try:
        request = parse(text)
    except QueryError:
        return
    assert extra in words(request)


@pytest.mark.parametrize(
    "query",
    [
        "(" * 1000,
        ("planes near (" * 80)[:1000],
        ("the largest of " * 70)[:1000],
        ("planes and " * 95)[:1000],
        "planes that are " + ("red or " * 140)[:980],
        ("planes near ships and " * 50)[:1000],
        ("the plane nearest to " * 50)[:1000],
        "planes " + ("not " * 248)[:990],
        ("red and " * 125)[:1000],
        ("blah " * 200)[:1000],
        "a" * 1000,
        "1" * 1000,
        ("second to third " * 70)[:1000],
    ],
    ids=lambda query: query[:20],
)
def test_a_thousand_characters_take_less_than_a_second(query: str) -> None:
    start = time.process_time()
    assert_request_or_query_error(query)
    assert time.process_time() - start < 1.0


def test_a_normal_query_takes_milliseconds() -> None:
    chosen = random.Random(0).sample(QUERIES, 100)
    start = time.process_time()
    for query in chosen:
        assert_request_or_query_error(query)
    assert (time.process_time() - start) / len(chosen) < 0.03


def test_carets_stand_below_the_words_as_written() -> None:
    with pytest.raises(QueryError) as caught:
        parse("Planes  ＬＯＮＧＲ than 40 m")
    line, carets = caught.value.pointer().splitlines()
    assert line[carets.index("^") : carets.rindex("^") + 1] == "ＬＯＮＧＲ"


def test_tokens_keep_their_places_through_unicode() -> None:
    query = "planes ≥ 20 m², “red” – isn’t it"
    for token in tokenize(query):
        assert 0 <= token.start < token.stop <= len(query)
    assert [token.text for token in tokenize("300 m²")] == ["300", "m2"]
    assert [token.text for token in tokenize("aren’t")] == ["are", "not"]


def test_equal_words_give_equal_requests_in_every_spelling() -> None:
    assert parse("GREY ROOFS IN THE CENTRE") == parse("gray roofs in the center")
    assert parse("planes longer than 40 metres") == parse("planes longer than 40 meters")
