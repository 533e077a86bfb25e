"""Questions that have an answer by the rules and that people who look at the image would contest are not asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from surveyor.core.conditions import (
    And,
    CompareWith,
    Condition,
    CountTest,
    Group,
    Not,
    Or,
    Pick,
    Position,
    Quantity,
    Relation,
    Selection,
    walk,
)
from surveyor.evals.bench.execute import executor_of
from surveyor.evals.construction.builder import build
from surveyor.evals.construction.compose import _says_too_much
from surveyor.evals.construction.contested import contested
from surveyor.evals.construction.crops import View, views_of
from surveyor.evals.construction.phrasing import is_read_alike, means, request_for, spoken, wordings
from surveyor.evals.construction.synth_source import synth_records
from surveyor.evals.construction.twins import _said
from surveyor.evals.datasets.record import Record, Source, Thing


def thing(name: str, x0: float, y0: float, x1: float, y1: float, label: str = "ship") -> Thing:
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)
    return Thing(name, label, np.array([x0, y0, x1, y1], dtype=float), corners_px=corners)


def row(*centres: tuple[float, float], size: tuple[float, float] = (40, 20), label: str = "ship") -> list[Thing]:
    w, h = size
    return [thing(f"{label}{n}", x - w / 2, y - h / 2, x + w / 2, y + h / 2, label) for n, (x, y) in enumerate(centres)]


def view(*things: Thing) -> View:
    known = tuple(dict.fromkeys(each.label for each in things))
    source = Source("by hand", "none")
    made = Record("one", Path("one.png"), (1000, 1000), source=source, things=things, classes=known,
                  is_exhaustive=True, family="hand:1")  # fmt: skip
    return next(views_of(made, seed=0, masks=False))


def ships(where: Condition | None, *picks: Pick) -> Selection:
    return Selection(phrases=("ship",), where=where, picks=picks)


def doubt(seen: View, selection: Selection) -> str | None:
    return contested(seen, selection, seen.certain.selection(selection))


TOP = Selection(phrases=("ship",), picks=(Pick(by="y", order="min"),))
NEAR_TOP = Relation(relation="near", reference=TOP)
LEFT = Position(frame="half", place="left")
FAR_APART = row((100, 100), (100, 190), (800, 800), (300, 900), size=(80, 60))


@pytest.mark.parametrize(
    ("where", "is_contested"),
    [
        pytest.param(NEAR_TOP, False, id="near the topmost: it is not near itself, and that is no answer"),
        pytest.param(Not(condition=NEAR_TOP), True, id="not near the topmost: the topmost itself"),
        pytest.param(And(conditions=(LEFT, Not(condition=NEAR_TOP))), True, id="and not"),
        pytest.param(Or(conditions=(LEFT, Not(condition=NEAR_TOP))), True, id="or not"),
        pytest.param(
            And(conditions=(Not(condition=LEFT), Not(condition=NEAR_TOP))), False, id="another condition leaves it out"
        ),
        pytest.param(Not(condition=Not(condition=NEAR_TOP)), False, id="denied twice"),
        pytest.param(
            Not(condition=CompareWith(attribute="length", op=">", reference=TOP)),
            True,
            id="not longer than the topmost",
        ),
    ],
)
def test_nothing_is_denied_of_what_it_refers_to(where: Condition, is_contested: bool) -> None:
    found = doubt(view(*FAR_APART, thing("long", 700, 300, 820, 330)), ships(where))
    assert (found == "denied of the very thing that it refers to") is is_contested


@pytest.mark.parametrize(
    ("centres", "is_contested"),
    [
        pytest.param([(100, 500), (160, 500), (220, 500)], False, id="straight and even"),
        pytest.param([(100, 500), (160, 506), (220, 500)], False, id="a little off the line"),
        pytest.param([(100, 500), (160, 518), (220, 500)], True, id="a triangle"),
        pytest.param([(100, 500), (145, 500), (265, 500)], True, id="uneven gaps"),
    ],
)
def test_rows_are_such_to_the_eye(centres: list[tuple[float, float]], is_contested: bool) -> None:
    seen = view(*row(*centres), *row((700, 100), (800, 900), label="plane"))
    assert len(seen.certain.selection(ships(Relation(relation="aligned"))).kept) == 3  # a row by the rules
    for condition in (Relation(relation="aligned"), Group(form="row", test=CountTest(op=">=", n=3))):
        assert (doubt(seen, ships(condition)) == "a row that is none to the eye") is is_contested


@pytest.mark.parametrize(
    ("gap", "is_contested"), [pytest.param(200, False, id="far away"), pytest.param(75, True, id="nearly joined")]
)
def test_groups_are_the_same_to_everybody(gap: float, is_contested: bool) -> None:
    first = [(100.0, 500.0), (150.0, 500.0)]
    start = first[-1][0] + 40 + gap
    second = [(start + 50 * n, 500.0) for n in range(4)]
    selection = ships(Group(form="group", which="smallest"))
    assert (doubt(view(*row(*first, *second)), selection) is not None) is is_contested


def test_the_largest_group_is_larger_by_far() -> None:
    def groups(first: int, second: int) -> View:
        return view(*row(*[(50 + 48 * n, 100) for n in range(first)], *[(50 + 48 * n, 800) for n in range(second)]))

    selection = ships(Group(form="group", which="largest"))
    assert doubt(groups(11, 10), selection) == "groups that are not the same to everybody"
    assert doubt(groups(11, 8), selection) is None


def test_nearest_holds_between_centres_too() -> None:
    goal = Selection(phrases=("bridge",), expected=1)
    nearest = Pick(by="distance", order="min", reference=goal)
    bridge = thing("b", 480, 480, 520, 520, "bridge")
    clear = view(bridge, *row((500, 600), (500, 700)))
    assert doubt(clear, ships(None, nearest)) is None
    large = thing("large", 560, 440, 680, 560)  # its edge is nearest, its centre is 120 px away, as far as the other's
    assert doubt(view(bridge, large, *row((500, 620))), ships(None, nearest)) == "nearest by outlines, not by centres"
    left = view(bridge, large, *row((500, 620)))
    assert doubt(left, ships(Position(frame="half", place="bottom"), nearest)) is None  # the other is out anyway


def test_one_thing_is_neither_in_a_row_nor_on_either_side() -> None:
    road = thing("r", 0, 480, 1000, 520, "road")
    beside = Relation(relation="flanking", reference=Selection(phrases=("road",), expected=1))
    one = view(road, *row((300, 440), (980, 20), (900, 20)))
    found = one.certain.selection(ships(And(conditions=(beside, LEFT))))
    assert len(found.kept) == 1
    assert doubt(one, ships(And(conditions=(beside, LEFT)))) == "one thing on either side, or in a row"


def test_a_rank_is_not_asked_twice() -> None:
    seen = view(*FAR_APART, thing("b", 480, 480, 520, 520, "bridge"))
    top, left = Pick(by="y", order="min"), Pick(by="x", order="min")
    assert doubt(seen, ships(NEAR_TOP, top)) == "a rank that was used up to tell another thing"
    assert doubt(seen, ships(NEAR_TOP, left)) is None
    bridge = Relation(relation="toward", direction="above", reference=Selection(phrases=("bridge",), picks=(top,)))
    assert doubt(seen, ships(bridge, top)) is None  # a rank of another class


@pytest.mark.parametrize(
    ("one", "other", "too_much"),
    [
        pytest.param(LEFT, Position(frame="cell", place="top left"), True, id="a place and its refinement"),
        pytest.param(LEFT, Position(frame="edge", place="top"), False, id="a half and an edge"),
        pytest.param(NEAR_TOP, Relation(relation="inside", reference=TOP), True, id="twice of the same thing"),
        pytest.param(NEAR_TOP, LEFT, False, id="a relation and a place"),
        pytest.param(LEFT, Group(form="group"), False, id="no reference at all"),
    ],
)
def test_nobody_asks_both(one: Condition, other: Condition, too_much: bool) -> None:
    assert _says_too_much(one, other) is too_much is _says_too_much(other, one)


# ---- wordings -------------------------------------------------------------------------------------------------


def test_class_names_that_read_as_sizes() -> None:
    from surveyor.agent.parser import parse

    large = parse("detect all large vehicles")
    assert is_read_alike(large) and is_read_alike(large, ["vehicle", "plane"], ["ship"])
    assert not is_read_alike(large, ["vehicle"], ["large vehicle", "small vehicle"])
    assert is_read_alike(parse("detect all vehicles in the left half"), ["large vehicle", "small vehicle"])


@pytest.mark.parametrize(
    ("canonical", "said"),
    [
        ("select those on the north side of the road", "select those on the upper side of the road"),
        ("ships exactly as long as the largest ship", "ships as long as the largest ship"),
        ("ships in the right centre", "ships in the centre right"),
        ("ships in the top left corner", "ships in the top left corner"),
    ],
)
def test_what_nobody_says_is_said_otherwise(canonical: str, said: str) -> None:
    from surveyor.agent.parser import parse

    assert spoken(canonical) == said
    if not canonical.startswith("select"):
        assert means(f"detect all {said}", parse(f"detect all {canonical}"))


def test_one_thing_has_one_mask() -> None:
    import random

    request = request_for("CRES", Selection(phrases=("ship",), where=LEFT, expected=1))
    for seed in range(8):
        said = wordings(request, random.Random(seed))
        assert said is not None
        assert not any("masks" in text or "outlines" in text for text in (said.expression, *said.paraphrases))


@pytest.mark.parametrize(("value", "said"), [(16.7, 15.0), (3.2, 3.0), (37.5, 40.0), (620, 600.0), (0.3, 1.0)])
def test_amounts_of_twins_are_such_that_people_say(value: float, said: float) -> None:
    assert _said(value, Quantity(value=1, unit="m")).value == said


# ---- built items ----------------------------------------------------------------------------------------------


def test_built_items_are_not_contested_and_few_are_plain() -> None:
    header, items = build(synth_records(7, seed=40, size_wh=(640, 640)), task="CREC", n=36, seed=6)
    assert header.admitted >= 30
    assert sum("C" in item.tags and not item.is_zero_match for item in items) <= 3  # 8 % of 36
    for item in items:
        executor = executor_of(item)
        for node in walk(item.request.outputs[0].target):
            inner = node.condition if isinstance(node, Not) else None
            if isinstance(inner, Relation) and inner.reference is not None:
                members = {region.id for region in executor.members(inner.reference).layout.regions}
                assert not members & set(item.answer_ids), item.expression
