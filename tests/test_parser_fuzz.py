"""Any text at all gives a request that survives its own words, or a refusal that points inside the text.

The fast slice runs always; `pytest -m slow tests/test_parser_fuzz.py` tries 10,000 texts.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from surveyor.agent.parser import parse
from surveyor.agent.parsing.reserved import RESERVED
from surveyor.agent.parsing.tokens import MAX_QUERY_CHARS
from surveyor.agent.planner import make_plan
from surveyor.core.errors import QueryError
from surveyor.core.wording import words

HERE = Path(__file__).parent
REAL = [case["query"] for case in yaml.safe_load((HERE / "data" / "parser_cases.yaml").read_text("utf-8"))]
REAL += [
    json.loads(line)["query"]
    for line in (HERE.parent / "evals" / "requests" / "dev.jsonl").read_text("utf-8").splitlines()
]
REAL = [query for query in REAL if len(query) < 300]
FRAGMENTS = sorted(RESERVED) + "planes ships river tank 40 m 2 ( ) , ; ? 300 m2 px w/ + twice groups".split()
FOREIGN = [
    "trouve tous les avions plus longs que 40 m",
    "zeige alle Schiffe links vom Hafen",
    "cuántos barcos hay en el puerto?",
    "найди все самолёты",
    "すべての飛行機を検出",
    "कितने जहाज हैं",
    "كم عدد السفن",
    "여객기를 찾아줘",
    "wykryj wszystkie statki",
]
CONTROL = "\x00\x07\x1b[31m\r\n\t\u200b\u202e\ufeff\ud800\u0301\U0001f6e9"


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A real request, or two run together, with characters or words dropped, doubled, swapped or put in."""
    text = draw(st.sampled_from(REAL + FOREIGN))
    if draw(st.integers(0, 3)) == 0:
        text += draw(st.sampled_from([" and ", ", ", "; ", " or ", " ", ". "])) + draw(st.sampled_from(REAL))
    for _ in range(draw(st.integers(1, 4))):
        by_word = draw(st.booleans())
        parts = text.split() if by_word else list(text)
        place = draw(st.integers(0, max(0, len(parts) - 1)))
        change = draw(st.sampled_from(["drop", "double", "swap", "put", "cut"]))
        if change == "put":
            extra = draw(st.sampled_from(FRAGMENTS) if by_word else st.sampled_from(CONTROL) | st.characters())
            parts.insert(place, extra)
        elif change == "drop":
            del parts[place : place + 1]
        elif change == "double":
            parts[place:place] = parts[place : place + draw(st.integers(1, 6))]
        elif change == "swap":
            parts[place : place + 2] = parts[place : place + 2][::-1]
        else:
            parts = parts[:place]
        text = (" " if by_word else "").join(parts)
    return text


TEXTS = st.one_of(
    mutated(),
    mutated(),
    st.lists(st.sampled_from(FRAGMENTS), max_size=16).map(" ".join),
    st.text(max_size=80),
    st.text(alphabet=CONTROL + "planes near ()", max_size=60),
)


def check(text: str) -> None:
    try:
        request = parse(text)
    except QueryError as error:
        assert str(error)
        assert all(0 <= start < stop <= len(text) for start, stop in error.spans)
        error.pointer()
        return
    said = words(request)
    assert make_plan(request).steps
    if len(said) <= MAX_QUERY_CHARS:
        assert parse(said) == request, said


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_text_gives_a_request_or_a_refusal(text: str) -> None:
    check(text)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(TEXTS)
def test_ten_thousand_texts_give_a_request_or_a_refusal(text: str) -> None:
    check(text)
