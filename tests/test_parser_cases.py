"""The parser against trees written by hand from the meaning of each query (tests/data/parser_cases.yaml)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from surveyor.agent.parser import parse
from surveyor.core.conditions import Request
from surveyor.core.errors import QueryError
from surveyor.core.wording import words

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "data" / "parser_cases.yaml").read_text("utf-8"))
UNDERSTOOD = [case for case in CASES if "outputs" in case]
REFUSED = [case for case in CASES if "error" in case]


@pytest.mark.parametrize("case", UNDERSTOOD, ids=lambda case: case["query"])
def test_query_means_the_tree_written_by_hand(case: dict[str, Any]) -> None:
    assert parse(case["query"]) == Request.model_validate({"outputs": case["outputs"]})


@pytest.mark.parametrize("case", UNDERSTOOD, ids=lambda case: case["query"])
def test_canonical_words_mean_the_same(case: dict[str, Any]) -> None:
    request = Request.model_validate({"outputs": case["outputs"]})
    assert parse(words(request)) == request


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case["query"][:60])
def test_refusal_says_what_is_wrong_and_points_at_it(case: dict[str, Any]) -> None:
    with pytest.raises(QueryError) as caught:
        parse(case["query"])
    assert case["error"] in str(caught.value)
    if "at" in case:
        shown = [case["query"][start:stop] for start, stop in caught.value.spans]
        assert any(text == case["at"] or text.startswith(case["at"] + " ") for text in shown), shown


def test_table_is_large_enough() -> None:
    assert len(CASES) >= 200
