"""What stands around a request: what is left aside, and what is not because it could narrow the request."""

from __future__ import annotations

import pytest
from surveyor.agent.parser import parse, read
from surveyor.agent.parsers import parse_request
from surveyor.core.errors import QueryError
from surveyor.core.wording import words

SHIPS = "detect all ships"


@pytest.mark.parametrize(
    ("query", "asides"),
    [
        ("find the ships", ()),
        ("Hi there! Could you please find the ships? Thanks a lot!", ()),
        ("Good morning, find the ships. Many thanks in advance.", ()),
        ("hi :) show me the ships, if possible, thx", ()),
        ("Dear team, find the ships. Best regards, Maria", ()),
        ("For my thesis, find the ships", ("For my thesis",)),
        ("For chapter three of my thesis I need the ships", ("For chapter three of my thesis",)),
        ("As a port planner I'd like to see the ships", ("As a port planner",)),
        ("Journalist here. Find the ships.", ("Journalist here",)),
        ("We're planning a port and need to know where the ships are", ("We're planning a port",)),
        ("I'm a student. I work on ports. Find the ships", ("I'm a student", "I work on ports")),
        ("My boss wants to know where the ships are", ("My boss wants to know",)),
        ("The insurer wants to see risks. Find the ships.", ("The insurer wants to see risks",)),
        ("There's been a flood warning for tonight. Find the ships.", ("There's been a flood warning for tonight",)),
        ("Berthing plan: find the ships", ("Berthing plan",)),
        ("After the flood we have to check it: find the ships", ("After the flood we have to check it",)),
    ],
)  # fmt: skip
def test_asides_ask_for_nothing(query: str, asides: tuple[str, ...]) -> None:
    request, aside = read(query)
    assert words(request) in (SHIPS, "detect all the ships")
    assert aside == asides


@pytest.mark.parametrize(
    ("query", "marked"),
    [
        ("We only care about the north. Find ships", "We only care about the north"),
        ("I have two rivers here. count the ships", "I have two rivers here"),
        ("I'm interested in what lies near the quay. Find ships", "I'm interested in what lies near the quay"),
        ("We look at red things today. Find ships", "We look at red things"),
        ("I don't want the small ones. Find ships", "I don't want the small ones"),
    ],
)
def test_what_could_narrow_the_request_is_refused(query: str, marked: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(query)
    start, stop = caught.value.spans[0]
    assert query[start:stop] and (query[start:stop] in marked or marked in query[start:stop])


@pytest.mark.parametrize(
    "query", ["For the planes longer than 40 m, segment them", "Red planes: find the ships", "planes, best"]
)
def test_things_are_no_introductions(query: str) -> None:
    with pytest.raises(QueryError):
        parse(query)


def test_a_sign_off_takes_no_request_with_it() -> None:
    assert words(parse("find the ships. Thanks. Count the planes")) == "detect all ships; count all planes"
    for query in ("find the ships. Best regards, planes", "find the ships. Thanks, gizmos"):
        with pytest.raises(QueryError):
            parse(query)


def test_a_parse_tells_what_it_left_aside() -> None:
    parsed = parse_request("For my thesis, find the ships", "grammar")
    assert parsed.asides == ("For my thesis",)
    assert parsed.record().notes == ("Not part of the request: 'For my thesis'.",)
    assert parse_request("find the ships", "grammar").record().notes == ()
