"""Every example of docs/queries.md is run: the right-hand columns are what the parser really says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from surveyor.agent.parser import parse
from surveyor.core.errors import QueryError
from surveyor.core.wording import words

PAGE = (Path(__file__).parents[1] / "docs" / "queries.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(.+?)` \| (.+) \|$", PAGE, flags=re.MULTILINE)


def test_page_has_its_examples() -> None:
    assert len(ROWS) > 100


@pytest.mark.parametrize(("query", "shown"), ROWS, ids=[row[0] for row in ROWS])
def test_example_is_true(query: str, shown: str) -> None:
    if shown.startswith("refused: "):
        with pytest.raises(QueryError) as caught:
            parse(query)
        assert str(caught.value) == shown.removeprefix("refused: ")
    else:
        assert words(parse(query)) == shown.strip("`")
