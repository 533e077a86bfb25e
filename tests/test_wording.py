"""Canonical English: hand-written expectations; the round trip with the parser is in test_parser.py."""

from __future__ import annotations

import pytest
from strategies import PHRASES
from surveyor.core.conditions import (
    And,
    ClassIs,
    Colour,
    Compare,
    CompareWith,
    CountTest,
    InBox,
    Node,
    Not,
    Or,
    Output,
    Pick,
    Position,
    Quantity,
    Relation,
    Request,
    Selection,
    SizeWord,
)
from surveyor.core.inflection import cardinal, is_plural, ordinal, plural, singular
from surveyor.core.wording import selecting, words

RIVER = Selection(phrases=("river",), expected=1)
LONG = Compare(attribute="length", op=">", quantity=Quantity(value=40, unit="m"))
NEAR = Relation(relation="near", reference=RIVER)
RED = Colour(word="red")
PLANES = Selection(phrases=("plane",))
LARGER = CompareWith(attribute="area", op=">", reference=PLANES, quantifier="mean")

CASES: list[tuple[Node, str]] = [
    (Quantity(value=0, unit="m"), "0 m"),
    (Quantity(value=1e-7, unit="km"), "0.0000001 km"),
    (Quantity(value=1250000, unit="m2"), "1250000 m2"),
    (LONG, "longer than 40 m"),
    (Compare(attribute="length", op=">=", quantity=Quantity(value=2.5, unit="ft")), "at least 2.5 ft long"),
    (Compare(attribute="area", op="<", quantity=Quantity(value=2, unit="ha")), "smaller than 2 ha"),
    (
        Compare(attribute="perimeter", op="==", quantity=Quantity(value=9, unit="px")),
        "with a perimeter of exactly 9 px",
    ),
    (Relation(relation="side", direction="right", reference=RIVER), "on the east side of the river"),
    (Relation(relation="toward", direction="above left", reference=RIVER), "to the upper left of the river"),
    (Relation(relation="near", reference=Selection(phrases=("ship", "tank"))), "near ships or tanks"),
    (Relation(relation="near", reference=PLANES, quantifier="all"), "near all planes"),
    (
        Relation(relation="near", reference=Selection(phrases=("tank",), expected=2), quantifier="all"),
        "near both tanks",
    ),
    (
        Relation(relation="near", reference=Selection(phrases=("tank",), where=Not(condition=RED))),
        "near (tanks that are not red)",
    ),
    (Relation(relation="between", reference=RIVER, second=PLANES), "between the river and planes"),
    (Relation(relation="aligned"), "in a row"),
    (Position(frame="cell", place="top left"), "in the top left corner"),
    (Position(frame="edge", place="any"), "at the edge of the image"),
    (InBox(xyxy=(100, 200, 400, 500)), "in the box [100, 200, 400, 500]"),
    (InBox(xyxy=(0, 0, 1640, 480), unit="px"), "in the box [0, 0, 1640, 480] px"),
    (Not(condition=NEAR), "not near the river"),
    (Not(condition=Or(conditions=(RED, NEAR))), "not (red or near the river)"),
    (Not(condition=Pick(by="area", order="max")), "not the largest"),
    (Or(conditions=(Not(condition=RED), LONG)), "(not red) or longer than 40 m"),
    (And(conditions=(Or(conditions=(RED, LONG)), NEAR)), "(red or longer than 40 m) and near the river"),
    (Pick(by="area", order="max", count=2), "the two largest"),
    (Pick(by="x", order="min", first=2), "the second from the left"),
    (Pick(by="distance", order="min", reference=RIVER), "the nearest to the river"),
    (Pick(by="length", order="max", first=2, count=2), "the second to third longest"),
    (Pick(by="centre", order="min"), "the most central"),
    (Pick(by="centre", order="max", first=2, count=2), "the second to third least central"),
    (Selection(phrases=("car",), picks=(Pick(by="centre", order="min", count=2),)), "the two most central cars"),
    (LARGER, "larger than the average of planes"),
    (LARGER.model_copy(update={"op": "==", "factor": 1.5}), "exactly 1.5 times as large as the average of planes"),
    (LARGER.model_copy(update={"reference": RIVER}), "larger than the average of the river"),
    (Not(condition=LARGER.model_copy(update={"op": ">="})), "not (at least as large as the average of planes)"),
    (
        LARGER.model_copy(update={"reference": Selection(phrases=("ship", "tank"), where=NEAR)}),
        "larger than the average of (ships and tanks near the river)",
    ),
    (PLANES, "planes"),
    (Selection(phrases=("plane", "ship"), expected=2), "the two planes and ships"),
    (
        Selection(phrases=("plane",), where=And(conditions=(SizeWord(word="large"), RED, LONG))),
        "large red planes longer than 40 m",
    ),
    (Selection(phrases=("plane",), where=LONG, expected=1), "the plane that is longer than 40 m"),
    (
        Selection(
            phrases=("plane", "ship"),
            where=Or(conditions=(And(conditions=(ClassIs(phrase="plane"), LONG)), ClassIs(phrase="ship"))),
        ),
        "planes longer than 40 m, and ships",
    ),
    (
        Selection(
            phrases=("plane",), where=NEAR, picks=(Pick(by="x", order="min", count=3), Pick(by="area", order="max"))
        ),
        "the largest of the three leftmost planes near the river",
    ),
    (Output(verb="detect", target=PLANES), "detect all planes"),
    (Output(verb="measure", attribute="area", unit="ha", target=RIVER), "measure the area of the river in ha"),
    (Output(verb="exists", target=PLANES), "check whether there are any planes"),
    (
        Output(verb="exists", target=PLANES, test=CountTest(op=">", n=5)),
        "check whether there are more than five planes",
    ),
    (Output(verb="compare", target=PLANES, op="<", other=RIVER), "check whether there are fewer planes than the river"),
    (
        Output(verb="compare", target=PLANES, op=">=", factor=2, other=RIVER),
        "check whether there are at least 2 times as many planes as the river",
    ),
    (
        Output(verb="compare", target=Selection(phrases=("plane", "ship")), op="<", factor=0.5, other=PLANES),
        "check whether there are fewer than 0.5 times as many (planes and ships) as planes",
    ),
    (
        Request(outputs=(Output(verb="count", target=PLANES), Output(verb="segment", target=RIVER))),
        "count all planes; segment the river",
    ),
]


@pytest.mark.parametrize(("node", "text"), CASES, ids=[text for _, text in CASES])
def test_words(node: Node, text: str) -> None:
    assert words(node) == text


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (LONG, "select those longer than 40 m"),
        (RED, "select those that are red"),
        (Not(condition=NEAR), "select those that are not near the river"),
        (Pick(by="area", order="max", count=2), "select the two largest"),
        (Relation(relation="side", direction="right", reference=RIVER), "select those on the east side of the river"),
        (
            Or(conditions=(And(conditions=(ClassIs(phrase="plane"), LONG)), ClassIs(phrase="ship"))),
            "select the planes longer than 40 m, and ships",
        ),
        (Or(conditions=(ClassIs(phrase="plane"), LONG)), "select those that are of type plane or longer than 40 m"),
    ],
)
def test_sub_instructions_follow_the_paper(node: Node, text: str) -> None:
    assert selecting(node) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("plane", "planes"), ("storage tank", "storage tanks"), ("bus", "buses"), ("ferry", "ferries"),
        ("bridge", "bridges"), ("house", "houses"), ("box", "boxes"), ("church", "churches"), ("wharf", "wharves"),
        ("body of water", "bodies of water"), ("aircraft", "aircraft"), ("person", "people"), ("quay", "quays"),
        ("gas station", "gas stations"), ("greenhouse", "greenhouses"), ("canoe", "canoes"), ("pass", "passes"),
        ("taxi", "taxis"), ("boeing 737", "boeing 737"),
    ],
)  # fmt: skip
def test_number_of_nouns(one: str, many: str) -> None:
    assert plural(one) == many
    assert singular(many) == one
    assert singular(one) == one
    assert is_plural(many) is (None if one == many else True)


@pytest.mark.parametrize("noun", PHRASES)
def test_plural_is_undone_by_singular(noun: str) -> None:
    assert singular(plural(noun)) == noun


def test_numbers_in_words() -> None:
    assert [cardinal(n) for n in (0, 1, 12, 13)] == ["zero", "one", "twelve", "13"]
    assert [ordinal(n) for n in (1, 2, 12, 13, 21, 22, 111)] == [
        "first",
        "second",
        "twelfth",
        "13th",
        "21st",
        "22nd",
        "111th",
    ]
