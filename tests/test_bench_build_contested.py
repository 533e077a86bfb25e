"""Questions that have an answer by the rules and that people who look at the image would contest are not asked."""

from __future__ import annotations

import random
from dataclasses import replace
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
    conjuncts,
    walk,
)
from surveyor.evals.bench.execute import executor_of
from surveyor.evals.construction.builder import build
from surveyor.evals.construction.compose import proposals, says_too_much
from surveyor.evals.construction.contested import contested
from surveyor.evals.construction.crops import views_of
from surveyor.evals.construction.phrasing import is_read_alike, means, request_for, spoken, wordings
from surveyor.evals.construction.referents import referents_of
from surveyor.evals.construction.sites import Site
from surveyor.evals.construction.synth_source import synth_records
from surveyor.evals.construction.twins import _said, is_impossible, twins
from surveyor.evals.construction.views import View
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


@pytest.mark.parametrize(("nearest", "is_contested"), [(130, True), (780, False)])
def test_an_answer_is_not_what_it_is_told_by(nearest: float, is_contested: bool) -> None:
    """ "The ship near the house nearest to the leftmost ship" is the leftmost ship itself."""
    seen = view(
        *row((100, 100), (800, 100), size=(40, 30)), *row((nearest, 170), (450, 900), size=(40, 30), label="house")
    )
    leftmost = Selection(phrases=("ship",), picks=(Pick(by="x", order="min"),), expected=1)
    nearby = Pick(by="distance", order="min", reference=leftmost)
    house = Selection(phrases=("house",), picks=(nearby,), expected=1)
    found = doubt(seen, ships(Relation(relation="near", reference=house)))
    assert (found == "what the words refer to is itself the answer") is is_contested


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
    upper = thing("upper", 560, 370, 680, 490)
    left = view(bridge, upper, *row((500, 620), (500, 900)))
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


CORNER = Position(frame="cell", place="top left")
IN_CORNER = Selection(phrases=("ship",), where=CORNER, expected=1)
LARGER_THAN_CORNER = CompareWith(attribute="area", op=">", reference=IN_CORNER)


@pytest.mark.parametrize(
    ("one", "other", "too_much"),
    [
        pytest.param(LEFT, Position(frame="cell", place="top left"), True, id="a place and its refinement"),
        pytest.param(LEFT, Position(frame="edge", place="top"), False, id="a half and an edge"),
        pytest.param(NEAR_TOP, Relation(relation="inside", reference=TOP), True, id="twice of the same thing"),
        pytest.param(NEAR_TOP, LEFT, False, id="a relation and a place"),
        pytest.param(LEFT, Group(form="group"), False, id="no reference at all"),
        pytest.param(CORNER, LARGER_THAN_CORNER, True, id="the place of the reference again"),
        pytest.param(Position(frame="cell", place="top"), LARGER_THAN_CORNER, False, id="another place"),
    ],
)
def test_nobody_asks_both(one: Condition, other: Condition, too_much: bool) -> None:
    assert says_too_much(one, other) is too_much is says_too_much(other, one)


def site(seen: View, name: str = "ship", seed: int = 0) -> Site:
    names = {label: label for label in seen.labels}
    return Site(seen, name, (name,), tuple(referents_of(seen, names, random.Random(seed))), names)


def test_a_place_of_a_reference_is_not_an_alternative_to_it() -> None:
    """Not "larger than the ship in the top left corner or in the top left corner", nor in any other place."""
    sizes = (30, 34, 46, 60, 80, 105, 140)
    places = ((100, 100), (500, 100), (900, 900), (500, 500), (150, 800), (850, 150), (800, 500))
    ships_here = [thing(f"s{n}", x - side / 2, y - side / 4, x + side / 2, y + side / 4)
                  for n, (side, (x, y)) in enumerate(zip(sizes, places, strict=True))]  # fmt: skip
    seen = view(*ships_here)
    either = 0
    for seed in range(60):
        for proposal in proposals(site(seen, seed=seed), random.Random(seed), ["R11:compared", "P1", "P2"]):
            if proposal.form == "or":
                first, second = proposal.selection.where.conditions  # type: ignore[union-attr]
                either += 1
                assert not says_too_much(first, second) and not (
                    any(isinstance(each, Position) for each in (first, second))
                    and any(
                        isinstance(each, Position)
                        for part in (first, second)
                        for each in walk(part)
                        if each is not part
                    )
                ), proposal.selection
    assert either


def toward(kind: str, direction: str) -> Relation:
    return Relation(relation=kind, direction=direction, reference=TOP)  # type: ignore[arg-type]


def than(attribute: str, op: str, factor: float = 1) -> CompareWith:
    return CompareWith(attribute=attribute, op=op, factor=factor, reference=TOP)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("by", "order", "impossible", "possible"),
    [
        pytest.param("y", "min", toward("further", "above"), toward("further", "below"), id="up, the topmost"),
        pytest.param("x", "max", toward("toward", "above right"), toward("toward", "above left"), id="a diagonal"),
        pytest.param("y", "max", toward("toward", "below"), toward("toward", "left"), id="below the lowest"),
        pytest.param("x", "min", toward("toward", "left"), toward("toward", "right"), id="left of the leftmost"),
        pytest.param("area", "max", than("area", ">"), than("length", ">"), id="larger than the largest"),
        pytest.param("area", "max", than("area", ">=", 2), than("area", "=="), id="twice as large as the largest"),
        pytest.param("length", "min", than("length", "<"), than("length", ">"), id="shorter than the shortest"),
        pytest.param("length", "min", than("length", "<="), than("length", "<=", 2), id="up to twice the shortest"),
    ],
)
def test_what_no_scene_can_show_is_no_twin(by: str, order: str, impossible: Condition, possible: Condition) -> None:
    pick = Pick(by=by, order=order)  # type: ignore[arg-type]
    seen = view(*FAR_APART, *row((300, 300), (600, 300), label="plane"))
    rank = Selection(phrases=("ship",), picks=(pick,))
    told = ships(impossible.model_copy(update={"reference": rank}))
    assert is_impossible(seen, told)
    assert is_impossible(seen, ships(And(conditions=(LEFT, told.where))))  # type: ignore[arg-type]
    assert not is_impossible(seen, ships(possible.model_copy(update={"reference": rank})))
    assert not is_impossible(seen, told.model_copy(update={"phrases": ("plane",)}))  # of another class
    second = rank.model_copy(update={"picks": (pick.model_copy(update={"first": 2}),)})
    assert not is_impossible(seen, ships(impossible.model_copy(update={"reference": second})))
    within = rank.model_copy(update={"where": LEFT})
    assert not is_impossible(seen, ships(impossible.model_copy(update={"reference": within})))


def test_twins_are_possible_and_say_nothing_twice() -> None:
    seen = view(*FAR_APART, thing("long", 700, 300, 820, 330), *row((300, 300), (600, 300), label="plane"))
    largest = Selection(phrases=("ship",), picks=(Pick(by="area", order="max"),))
    positives = [
        ships(CompareWith(attribute="area", op="<", reference=largest)),
        ships(Not(condition=Relation(relation="further", direction="above", reference=TOP))),
        ships(And(conditions=(LARGER_THAN_CORNER, Position(frame="cell", place="bottom")))),
        ships(Relation(relation="further", direction="right", reference=IN_CORNER)),
    ]
    found = [each for seed in range(40) for one in positives for each in twins(site(seen, seed=seed), one, (), random.Random(seed))]  # fmt: skip  # noqa: E501
    assert len(found) > 40
    for _, other in found:
        parts = conjuncts(other.where)
        assert not is_impossible(seen, other)
        assert not any(says_too_much(a, b) for n, a in enumerate(parts) for b in parts[n + 1 :])


@pytest.mark.parametrize(
    ("centre", "is_contested"),
    [
        pytest.param((500, 500), False, id="in the middle"),
        pytest.param((35, 500), True, id="no tree could stand on its left"),
        pytest.param((10, 500), True, id="cut"),
        pytest.param((62, 500), False, id="one could"),
        pytest.param((500, 970), True, id="nor below"),
    ],
)
def test_what_is_at_the_border_is_not_surrounded(centre: tuple[float, float], is_contested: bool) -> None:
    x, y = centre
    trees = row((x + 50, y - 40), (x + 50, y + 40), (x - 50, y - 40), (x - 20, y + 45), size=(40, 40), label="tree")
    far = row((700, 100), (800, 900), size=(40, 20), label="ship")
    seen = view(*row(centre), *(each for each in trees if each.box_px.min() >= 0 and each.box_px.max() <= 1000), *far)
    asked = ships(Relation(relation="surrounded", reference=Selection(phrases=("tree",))))
    found = seen.everything.selection(asked)
    why = contested(seen, asked, replace(found, codes=np.array([2, 0, 0])))
    assert (why == "surrounded at the border of the image") is is_contested


@pytest.mark.parametrize(
    ("others", "goal", "count", "is_contested"),
    [
        pytest.param(2, "ship", 2, True, id="the two nearest to the topmost, of three with it"),
        pytest.param(3, "ship", 2, False, id="of four with it"),
        pytest.param(1, "ship", 1, True, id="the nearest, of two with it"),
        pytest.param(3, "bridge", 2, True, id="the two nearest to the bridge, of three"),
        pytest.param(4, "bridge", 2, False, id="of four"),
        pytest.param(2, "bridge", 1, False, id="the nearest of two"),
        pytest.param(4, "bridge", 3, True, id="three of four"),
    ],
)
@pytest.mark.parametrize("order", ["min", "max"])
def test_the_others_are_not_told_by_distance(
    others: int, goal: str, count: int, order: str, is_contested: bool
) -> None:
    things = row(*[(500, 35 * (n + 1) * (n + 2) + 100) for n in range(others)])
    seen = view(thing("goal", 480, 40, 520, 60, goal), *things)
    reference = TOP if goal == "ship" else Selection(phrases=("bridge",), expected=1)
    pick = Pick(by="distance", order=order, count=count, reference=reference)  # type: ignore[arg-type]
    found = seen.certain.selection(ships(None, pick))
    assert len(found.kept) == count and found.is_definite
    assert (doubt(seen, ships(None, pick)) == "all the others, told by distance") is is_contested


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
    header, items = build(synth_records(9, seed=40, size_wh=(640, 640)), task="CREC", n=36, seed=6)
    assert header.admitted >= 30
    assert sum("C" in item.tags and not item.is_zero_match for item in items) <= 3  # 8 % of 36
    for item in items:
        executor = executor_of(item)
        for node in walk(item.request.outputs[0].target):
            inner = node.condition if isinstance(node, Not) else None
            if isinstance(inner, Relation) and inner.reference is not None:
                members = {region.id for region in executor.members(inner.reference).layout.regions}
                assert not members & set(item.answer_ids), item.expression
