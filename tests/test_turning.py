"""Words of direction turned with the picture, held against the grammar's own reading of them."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import requests
from surveyor.agent.parser import parse
from surveyor.core.conditions import Request
from surveyor.core.errors import QueryError, UsageError
from surveyor.core.wording import words
from surveyor.finetune.augment.turning import NAMES, Turn, Unturnable, tells_directions, turned_words

VECTORS = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1), "top": (0, -1), "bottom": (0, 1)}
INVERSE = {"quarter": "three-quarters", "three-quarters": "quarter"}


def turned_tree(node: Any, turn: Turn) -> Any:
    """A condition tree turned by its own fields: what the words are held against."""
    if isinstance(node, list):
        return [turned_tree(each, turn) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: turned_tree(value, turn) for key, value in node.items()}
    if made.get("direction"):
        made["direction"] = said(made["direction"], turn, ("above", "below"))
    if made.get("kind") == "position":
        made["place"] = said(made["place"], turn, ("top", "bottom"))
    if made.get("kind") == "orientation" and turn.swaps_axes:
        swap = {"horizontal": "vertical", "vertical": "horizontal"}
        made["word"] = swap.get(made["word"], made["word"])
    if made.get("by") in ("x", "y"):
        sign = 1 if made["order"] == "max" else -1
        x, y = turn.direction((sign, 0) if made["by"] == "x" else (0, sign))
        made |= {"by": "x" if x else "y", "order": "max" if x + y > 0 else "min"}
    return made


def said(place: str, turn: Turn, upright: tuple[str, str]) -> str:
    if place in ("any", "center"):
        return place
    x, y = np.sum([turn.direction(VECTORS[part]) for part in place.split()], axis=0)
    return " ".join(
        ([upright[0] if y < 0 else upright[1]] if y else []) + (["left" if x < 0 else "right"] if x else [])
    )


def tree(text: str) -> Any:
    return json.loads(parse(text).model_dump_json())


def alike(request: Any) -> Any:
    """Without the order in which "or" and "and" name things, which a turn may change."""
    if isinstance(request, dict):
        made = {key: alike(value) for key, value in request.items()}
        if made.get("kind") in ("and", "or"):
            made["conditions"] = sorted(made["conditions"], key=json.dumps)
        return made
    return [alike(each) for each in request] if isinstance(request, list) else request


CASES = [
    ("the second ship from the right in the harbour", "left-right", "the second ship from the left in the harbour"),
    ("the ships right in the harbour", "left-right", "the ships right in the harbour"),
    ("planes", "quarter", "planes"),
    ("top right", "quarter", "bottom right"),
    ("the left plane", "left-right", "the right plane"),
    ("ships left of the pier", "quarter", "ships above the pier"),
    ("ships below the pier", "quarter", "ships left of the pier"),
    ("ships on the left.", "quarter", "ships on the top."),
    ("ships on the left of the image", "quarter", "ships on the top of the image"),
    ("ships above and to the left of the pier", "quarter", "ships to the upper right of the pier"),
    ("ships above and to the left of the pier", "left-right", "ships above and to the right of the pier"),
    ("the Northwest corner", "half", "the Southeast corner"),
    ("in the NW", "up-down", "in the SW"),
    ("an east-west runway", "quarter", "a south-north runway"),
    ("further left than the pier", "three-quarters", "further down than the pier"),
    ("the left-hand side", "quarter", "the top side"),
    ("the top left-hand corner", "left-right", "the top right-hand corner"),
    ("the second to the fourth plane from the right", "quarter", "the second to the fourth plane from the bottom"),
    ("a horizontally parked car", "transpose", "a vertically parked car"),
    ("tanks above 40 m2", "up-down", "tanks above 40 m2"),
    ("planes 40 m or below", "up-down", "planes 40 m or below"),
    ("cars on top of the building", "quarter", "cars on top of the building"),
    ("cars right next to the road", "left-right", "cars right next to the road"),
    ("crossing at right angles", "left-right", "crossing at right angles"),
    ("the largest white plane near two ships", "anti-transpose", "the largest white plane near two ships"),
    ("downtown, upstream of the copyright office", "half", "downtown, upstream of the copyright office"),
]


@pytest.mark.parametrize(("text", "turn", "wanted"), CASES)
def test_words_are_turned(text: str, turn: Any, wanted: str) -> None:
    assert turned_words(text, Turn(turn)) == wanted


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        ("cars driving clockwise", "half"),
        ("a plane facing left", "left-right"),
        ("trees behind the house", "left-right"),
        ("the two that are left", "left-right"),
        ("he was right", "left-right"),
        ("a bridge over the North Sea", "left-right"),
        ("ships in [100, 200, 300, 400]", "left-right"),
        ("ships at (0.1, 0.2)", "left-right"),
        ("左边的飞机", "left-right"),
        ("the upper deck", "up-down"),
        ("the word on the roof", "left-right"),
        ("an S-shaped road", "up-down"),
        ("three columns of cars", "quarter"),
        ("the top row", "quarter"),
        ("at the top of the hill", "quarter"),
        ("the house above", "quarter"),
        ("the above", "up-down"),
        ("under the bridge", "quarter"),
        ("a road going up", "quarter"),
        ("20 m N of it", "quarter"),
    ],
)
def test_what_nobody_can_turn_is_refused(text: str, turn: Any) -> None:
    with pytest.raises(Unturnable) as caught:
        turned_words(text, Turn(turn))
    assert caught.value.reason and text in str(caught.value)


def test_an_unknown_turn() -> None:
    with pytest.raises(UsageError, match="'eighth'"):
        Turn("eighth")  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests(2), st.sampled_from(NAMES))
def test_canonical_requests_mean_the_turned_tree(request: Request, name: Any) -> None:
    turn, text = Turn(name), words(request)
    try:
        turned = turned_words(text, turn)
    except Unturnable as refused:
        # numbers, and "the second plane from the top | left of the pier", which has no such words sideways
        assert "coordinates" in refused.reason or "of' after" in refused.reason, (refused.reason, text)
        return
    wanted = turned_tree(json.loads(request.model_dump_json()), turn)
    assert tree(turned) == wanted, (text, turned)


def people_say() -> list[str]:
    path = Path(__file__).parents[1] / "evals" / "requests" / "dev.jsonl"
    asked = []
    for line in path.read_text(encoding="utf-8").splitlines():
        query = json.loads(line)["query"]
        try:
            parse(query)
        except QueryError:
            continue
        asked.append(query)
    return asked


def test_requests_of_people_mean_the_turned_tree() -> None:
    refused: Counter[str] = Counter()
    names = cycle(NAMES)
    told, wrong, total = 0, [], 0
    for query in people_say():
        for name in (next(names), next(names)):  # each request in two of the seven ways
            total += 1
            try:
                turned = turned_words(query, Turn(name))
            except Unturnable as error:
                refused[error.reason] += 1
                continue
            told += turned != query
            try:
                meant = tree(turned)
            except QueryError as error:
                wrong.append((name, query, turned, str(error)[:80]))
                continue
            if alike(meant) != alike(turned_tree(tree(query), Turn(name))):
                wrong.append((name, query, turned, "means something else"))
    assert not wrong, (len(wrong), wrong)
    assert told > 200 and sum(refused.values()) < 0.1 * total, refused


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text("left right top of the and above north-[(12,NSW. "), st.sampled_from(NAMES))
def test_any_text_is_turned_or_refused(text: str, name: Any) -> None:
    with suppress(Unturnable):
        turned_words(text, Turn(name))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(NAMES), st.integers(1, 9), st.integers(1, 9), st.integers(0, 999))
def test_points_and_pixels_go_together(name: Any, width: int, height: int, seed: int) -> None:
    turn, image = Turn(name), np.arange(width * height).reshape(height, width)
    turned = turn.pixels(image)
    assert turned.shape == turn.size((width, height))[::-1] and turned.flags.owndata
    column, row = seed % width, seed % height
    x, y = turn.points(np.array([[column + 0.5, row + 0.5]]), (width, height))[0] - 0.5
    assert turned[int(y), int(x)] == image[row, column]
    back = Turn(INVERSE.get(name, name))  # type: ignore[arg-type]
    assert (back.pixels(turned) == image).all()


def test_which_words_tell_directions() -> None:
    assert [tells_directions(text) for text in ("the largest plane near the pier", "white ships in a row", "")] == [
        False
    ] * 3
    for text in ("left plane", "planes at the edge", "facing cars", "the vertical runway", "in the corner", "NW part"):
        assert tells_directions(text), text
