"""Limits at which eyes differ, each on both sides of it; what another condition keeps out does not count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from surveyor.core.conditions import (
    And,
    Aspect,
    Compare,
    CompareWith,
    Condition,
    Not,
    Orientation,
    Pick,
    Position,
    Quantity,
    Relation,
    Selection,
    Shape,
)
from surveyor.core.geometry import canonical_corners
from surveyor.evals.construction.builder import build
from surveyor.evals.construction.close_calls import close_call, is_unsayable
from surveyor.evals.construction.crops import views_of
from surveyor.evals.construction.synth_source import synth_records
from surveyor.evals.construction.views import View
from surveyor.evals.datasets.record import Record, Source, Thing

Box = tuple[float, float, float, float]


def view(*boxes: Box, other: Box | Sequence[Box] = (), more: Sequence[Thing] = ()) -> View:
    """Ships, and buoys where some are given, on 1000 x 1000 px."""
    others = [other] if other and isinstance(other[0], float | int) else list(other)
    named = [("ship", box) for box in boxes] + [("buoy", box) for box in others]  # type: ignore[list-item]
    things = [*more]
    for number, (label, (x0, y0, x1, y1)) in enumerate(named):
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)
        things.append(Thing(f"{label}{number}", label, np.array([x0, y0, x1, y1], dtype=float), corners_px=corners))
    source, classes = Source("by hand", "none"), tuple(dict.fromkeys(label for label, _ in named))
    record = Record(
        "one",
        Path("one.png"),
        (1000, 1000),
        "hand:1",
        source,
        things=tuple(things),
        classes=classes,
        is_exhaustive=True,
    )
    return next(views_of(record, seed=0, masks=False))


def at(x: float, y: float, w: float = 40, h: float = 20) -> Box:
    return (x - w / 2, y - h / 2, x + w / 2, y + h / 2)


def doubt(seen: View, where: Condition | None, *picks: Pick) -> str | None:
    asked = Selection(phrases=("ship",), where=where, picks=picks)
    return close_call(seen, asked, seen.certain.selection(asked))


BUOY = Selection(phrases=("buoy",), expected=1)
CENTRE, LEFT = Position(frame="cell", place="center"), Position(frame="half", place="left")
TOP_LEFT = Position(frame="cell", place="top left")


def to(direction: str, relation: str = "toward") -> Relation:
    return Relation(relation=relation, direction=direction, reference=BUOY)  # type: ignore[arg-type]


def by(relation: str) -> Relation:
    return Relation(relation=relation, reference=BUOY)  # type: ignore[arg-type]


MIDDLE, LARGE = at(500, 500, 40, 40), at(500, 500, 100, 100)
TOP_EDGE, EDGE = Position(frame="edge", place="top"), "close to the edge, and not at it"
LINE, SIDE = "close to the line of a place", "wholly on that side, and yet not in that direction"
DIAGONAL, LEVEL = "diagonal by the bearing or by the sides alone", "level with it to the eye"
FLANKS, ROUND = "on either side, and all on the same", "surrounded on some sides only"
FAR, SLIVER = "near a large thing, and far away", "told by a thing that is hardly seen"
ON_IT = "in it or on it, not next to it"
NO_GAP, BESIDE = "no gap between near and far", "beside it to some"
WALL = (480.0, 200.0, 520.0, 800.0)  # upright and long


@pytest.mark.parametrize(
    ("boxes", "other", "where", "reason"),
    [
        # cells end at 333.3 and 666.7 px; 6 % of the side are 60 px
        pytest.param([at(500, 590), at(100, 100)], None, CENTRE, None, id="clear of the line, inside"),
        pytest.param([at(500, 610), at(100, 100)], None, CENTRE, LINE, id="inside, close to the line"),
        pytest.param([at(500, 500), at(720, 500)], None, CENTRE, LINE, id="outside, close to the line"),
        pytest.param([at(500, 500), at(730, 500)], None, CENTRE, None, id="clear of the line, outside"),
        pytest.param([at(100, 100), at(730, 500)], None, CENTRE, LINE, id="not clear enough where the place is empty"),
        pytest.param([at(100, 100), at(770, 500)], None, CENTRE, None, id="clear of an empty place"),
        pytest.param([at(500, 500), at(700, 900)], None, CENTRE, None, id="close to the line's prolongation alone"),
        pytest.param([at(30, 100), at(900, 900)], None, TOP_LEFT, None, id="the image's own border is no line"),
        pytest.param([at(100, 500), at(560, 500)], None, LEFT, LINE, id="a half"),
        pytest.param([at(100, 500), at(580, 500)], None, Not(condition=LEFT), None, id="a half, denied"),
        pytest.param(
            [at(100, 200), at(560, 900, 20, 10)],
            None,
            And(conditions=(LEFT, Compare(attribute="length", op=">", quantity=Quantity(value=29, unit="px")))),
            None,
            id="another condition keeps it out",
        ),
        pytest.param([(500, 0, 540, 20), at(300, 300)], None, TOP_EDGE, None, id="at the edge"),
        pytest.param([(500, 0, 540, 20), (300, 70, 340, 90)], None, TOP_EDGE, EDGE, id="7 % from the edge"),
        # the buoy's left side is at 480: 300 px up, a bearing of 72 degrees off left is wholly beyond it
        pytest.param([at(300, 500), at(410, 220)], MIDDLE, to("left"), SIDE, id="wholly left and steep"),
        pytest.param([at(300, 500), at(450, 220)], MIDDLE, to("left"), None, id="steeper: above"),
        pytest.param([at(300, 500), at(470, 220)], MIDDLE, to("left"), None, id="not wholly left"),
        pytest.param([at(300, 700), at(700, 300)], MIDDLE, to("below left"), None, id="diagonal by both"),
        pytest.param([at(300, 545), at(700, 300)], LARGE, to("below left"), DIAGONAL, id="13 degrees down, not below"),
        pytest.param([at(300, 427), at(700, 300)], MIDDLE, to("above left"), None, id="25 degrees off the diagonal"),
        pytest.param([at(300, 446), at(700, 300)], MIDDLE, to("above left"), DIAGONAL, id="30 degrees off it"),
        pytest.param([at(500, 590), at(500, 100)], MIDDLE, to("below", "further"), None, id="further down"),
        pytest.param(
            [at(300, 535, 40, 100), at(500, 100)], LARGE, to("below", "further"), LEVEL, id="level to the eye"
        ),
        pytest.param([at(440, 500), at(560, 500), at(100, 50)], WALL, by("flanking"), None, id="on either side"),
        pytest.param([at(440, 500), at(440, 600), at(100, 50)], WALL, by("flanking"), FLANKS, id="on one side"),
        pytest.param([at(540, 500), at(620, 500), at(900, 500)], MIDDLE, by("near"), None, id="a wide gap"),
        pytest.param([at(545, 500), at(600, 500), at(660, 500)], MIDDLE, by("near"), NO_GAP, id="an even row"),
        pytest.param([at(542, 500), at(600, 500)], MIDDLE, by("adjacent"), None, id="beside it, and well off"),
        pytest.param(
            [at(100, 500), at(900, 500)],
            None,
            Not(condition=Orientation(word="vertical")),
            "not in a direction, where some see it turned a little",
            id="not upright",
        ),
        pytest.param([at(500, 640), at(100, 100)], (100, 300, 900, 620), by("near"), None, id="near a large thing"),
        pytest.param([at(500, 850), at(100, 100)], (100, 300, 900, 620), by("near"), FAR, id="and far away"),
        pytest.param([at(300, 500), at(700, 800)], at(500, 500, 40, 12), to("left"), SLIVER, id="left of a sliver"),
        pytest.param([at(500, 200, 20, 60), at(200, 200)], WALL, by("parallel"), None, id="parallel"),
        pytest.param([at(542, 500), at(563, 520)], MIDDLE, by("adjacent"), BESIDE, id="half a ship off"),
        pytest.param([at(500, 500), at(900, 500)], LARGE, by("adjacent"), ON_IT, id="in it"),
        pytest.param([at(560, 500, 40, 40), at(900, 500)], LARGE, by("adjacent"), None, id="a quarter of it on it"),
        pytest.param([at(556, 500, 40, 40), at(900, 500)], LARGE, by("adjacent"), ON_IT, id="a third of it on it"),
        pytest.param([at(500, 500), at(900, 500)], LARGE, Not(condition=by("adjacent")), ON_IT, id="in it, denied"),
        pytest.param(
            [at(10, 10, 20, 20), at(700, 700)],
            None,
            And(conditions=(TOP_LEFT, TOP_EDGE)),
            "two places, which read as two groups",
            id="in one place and at another",
        ),
        pytest.param(
            [at(100, 500), at(900, 500)],
            None,
            Not(condition=Relation(relation="aligned")),
            "not in a row, where some see two in a row",
            id="not in a row",
        ),
        pytest.param([at(100, 500), at(900, 500)], None, Relation(relation="aligned"), None, id="in a row"),
    ],
)
def test_places_and_relations(boxes: list[Box], other: Box | None, where: Condition, reason: str | None) -> None:
    assert doubt(view(*boxes, other=other or ()), where) == reason


def lengths(*values: float) -> View:
    return view(*(at(200, 100 + 150 * n, value, 20) for n, value in enumerate(values)))


SHIPS = Selection(phrases=("ship",))


@pytest.mark.parametrize(
    ("values", "op", "reason"),
    [
        pytest.param((50, 60, 110, 120), ">", None, id="a gap of 1.8"),
        pytest.param((80, 82, 110, 112), ">", "no gap between more and less than average", id="a gap of 1.34"),
        pytest.param((80, 82, 110, 112), "<", "no gap between more and less than average", id="the same from below"),
    ],
)
def test_averages(values: tuple[float, ...], op: str, reason: str | None) -> None:
    longer = CompareWith(attribute="length", op=op, reference=SHIPS, quantifier="mean")  # type: ignore[arg-type]
    assert doubt(lengths(*values), longer) == reason
    ranked = "a rank among those above or below average" if reason is None else reason
    assert doubt(lengths(*values), longer, Pick(by="x", order="min")) == ranked


@pytest.mark.parametrize(("other", "is_contested"), [(140, True), (159, True), (170, False), (61, False), (64, True)])
def test_as_long_as(other: float, is_contested: bool) -> None:
    seen = view(at(300, 300, 101, 20), at(300, 600, other, 20), other=at(700, 700, 100, 20))
    found = doubt(seen, CompareWith(attribute="length", op="==", reference=BUOY))
    assert (found == "of like size, and yet not as large") is is_contested


def test_sizes_of_what_the_border_cuts() -> None:
    seen = view((0, 480, 60, 500), at(500, 100, 120, 20), at(500, 700, 200, 30))
    longest, shortest = (Pick(by="length", order=order) for order in ("max", "min"))  # type: ignore[arg-type]
    assert doubt(seen, None, shortest) == "a size that the border cuts" and doubt(seen, None, longest) is None
    assert doubt(seen, None, Pick(by="x", order="min")) is None
    short = Compare(attribute="length", op="<", quantity=Quantity(value=80, unit="px"))
    assert doubt(seen, short) == "a size that the border cuts"


def test_surrounded_on_all_sides() -> None:
    around = Relation(relation="surrounded", reference=Selection(phrases=("buoy",)))
    ring = [at(x, y, 30, 30) for x, y in ((440, 440), (560, 440), (560, 560), (440, 560))]
    # bearings of 10, 100 and 185 degrees: in three of four quadrants, and nothing over one half of the circle
    beam = [at(x, y, 12, 12) for x, y in ((559, 510), (490, 559), (440, 495))]
    bushes = [at(x, y, 10, 10) for x, y in ((450, 450), (550, 450), (550, 550), (450, 550))]
    for others, reason in ((ring, None), (beam, ROUND), (bushes, "surrounded by what is small beside it")):
        seen = view(at(500, 500, 40, 40), other=others)
        assert seen.certain.selection(Selection(phrases=("ship",), where=around)).kept, "surrounded by the rules"
        assert doubt(seen, around) == reason


@pytest.mark.parametrize(("factor", "reason"), [(1.0, "as good as surrounded"), (2.0, None)])
def test_as_good_as_surrounded(factor: float, reason: str | None) -> None:
    """One is surrounded by the rules; the other has neighbours on two sides, and on the third one somewhat farther."""
    ring = [(300 + dx, 300 + dy) for dx, dy in ((-60, -60), (60, -60), (60, 60), (-60, 60))]
    others = [(700 + dx, 700 + dy) for dx, dy in ((68, 15), (-35, 60), (-70 * factor, -121 * factor))]
    around = Relation(relation="surrounded", reference=Selection(phrases=("buoy",)))
    seen = view(at(300, 300, 40, 40), at(700, 700, 40, 40), other=[at(x, y, 30, 30) for x, y in (*ring, *others)])
    assert seen.certain.selection(Selection(phrases=("ship",), where=around)).kept == ("ship-1",)
    assert doubt(seen, around) == reason


@pytest.mark.parametrize(("degrees", "reason"), [(10, None), (22, "turned in that direction to some")])
def test_diagonal_to_some(degrees: float, reason: str | None) -> None:
    ships = (turned(300, 300, 45), turned(700, 700, degrees))
    seen = view(other=at(100, 900), more=ships)
    asked = Orientation(word="diagonal")
    assert len(seen.certain.selection(Selection(phrases=("ship",), where=asked)).kept) == 1
    assert doubt(seen, asked) == reason


def test_what_a_side_is_told_by_lies_on_it() -> None:
    top = Selection(phrases=("ship",), picks=(Pick(by="y", order="min"),), expected=1)
    seen = view(at(300, 250), at(200, 700), at(800, 500), other=WALL)
    same = Relation(relation="same_side", reference=BUOY, second=top)
    assert seen.certain.selection(Selection(phrases=("ship",), where=same)).kept == ("ship-2",)
    assert doubt(seen, same) == "on the side that it is itself on"
    assert doubt(seen, And(conditions=(same, Position(frame="half", place="bottom")))) is None


def turned(x: float, y: float, degrees: float) -> Thing:
    """A ship of 120 x 30 px, turned."""
    angle = np.radians(degrees)
    along, across = np.array([np.cos(angle), np.sin(angle)]) * 60, np.array([-np.sin(angle), np.cos(angle)]) * 15
    corners = np.array([x, y]) + np.array([-along - across, along - across, along + across, across - along])
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return Thing(f"ship{x}", "ship", box, corners_px=canonical_corners(corners))


@pytest.mark.parametrize(
    ("node", "phrase", "is_odd"),
    [
        (Pick(by="length", order="max"), "storage tank", True),
        (Pick(by="area", order="max"), "storage tank", False),
        (Pick(by="length", order="max"), "ship", False),
        (Pick(by="width", order="max"), "airplane", True),
        (Pick(by="length", order="max"), "airplane", False),
        (Shape(word="elongated"), "bridge", True),
        (Shape(word="elongated"), "building", False),
        (Orientation(word="vertical"), "tree", True),
        (Orientation(word="vertical"), "bridge", False),
        (Shape(word="square"), "airplane", True),
        (Aspect(op=">", ratio=2), "building", True),
        (Pick(by="distance", order="min", reference=BUOY), "storage tank", False),
    ],
)
def test_what_nobody_says_of_such_things(node: Condition | Pick, phrase: str, is_odd: bool) -> None:
    assert is_unsayable(node, (phrase,)) is is_odd


@pytest.mark.parametrize("task", ["CREC", "CRES"])
def test_no_item_hangs_on_such_a_limit(task: str) -> None:
    records = list(synth_records(8, seed=40, size_wh=(512, 512)))
    views = {(v.image.family, v.image.crop_xyxy): v for r in records for v in views_of(r, seed=3, masks=task == "CRES")}
    header, items = build(records, task=task, n=50, seed=3)  # type: ignore[arg-type]
    assert any(LINE in reason for reason in header.rejected)
    for item in items:
        seen, asked = views[item.image.family, item.image.crop_xyxy], item.request.outputs[0].target
        assert close_call(seen, asked, seen.certain.selection(asked)) is None, item.expression


@pytest.mark.parametrize(("degrees", "reason"), [(6, None), (10, "parallel or square to it by the rules alone")])
@pytest.mark.parametrize("relation", ["parallel", "perpendicular"])
def test_turned_a_little(degrees: float, relation: str, reason: str | None) -> None:
    ship = turned(300, 500, degrees + (90 if relation == "parallel" else 0))
    seen = view(at(800, 200, 60, 60), other=WALL, more=(ship,))
    asked = Relation(relation=relation, reference=BUOY)  # type: ignore[arg-type]
    assert seen.certain.selection(Selection(phrases=("ship",), where=asked)).kept == ("ship-1",)
    assert doubt(seen, asked) == reason


@pytest.mark.parametrize(("limit", "is_contested"), [(64, False), (66, True), (86, True), (88, False)])
def test_sizes_close_to_a_limit(limit: float, is_contested: bool) -> None:
    seen = view(at(300, 300, 75, 20))  # 75 / 1.15 = 65.2, 75 * 1.15 = 86.25
    longer = Compare(attribute="length", op=">", quantity=Quantity(value=limit, unit="px"))
    assert (doubt(seen, longer) == "a size close to the limit") is is_contested


def test_most_central_of_those_at_a_place_is_two_things_to_people() -> None:
    seen = view(at(100, 200), at(300, 200), at(900, 800))
    assert doubt(seen, LEFT, Pick(by="centre", order="min")) == "most central of those at a place"
    assert doubt(seen, None, Pick(by="centre", order="min")) is None


@pytest.mark.parametrize(("degrees", "is_contested"), [(0, False), (10, False), (45, True), (80, False)])
def test_what_lies_aslant_has_no_left(degrees: float, is_contested: bool) -> None:
    angle = np.radians(degrees)
    along, across = np.array([np.cos(angle), np.sin(angle)]) * 200, np.array([-np.sin(angle), np.cos(angle)]) * 20
    corners = np.array([500.0, 500.0]) + np.array([-along - across, along - across, along + across, across - along])
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    runway = Thing("r", "buoy", box, corners_px=canonical_corners(corners))
    found = doubt(view(at(100, 500), at(900, 500), more=(runway,)), to("left"))
    assert (found == "to one side of what lies aslant") is is_contested


def test_things_without_bounds_are_not_asked_for() -> None:
    (record,) = synth_records(1, seed=3, size_wh=(512, 512))
    (seen,) = views_of(record, seed=0, masks=False)
    for asked in (Selection(phrases=("field",)), Selection(phrases=("ship",), where=Relation(relation="near", reference=Selection(phrases=("taxiway",))))):  # fmt: skip  # noqa: E501
        assert close_call(seen, asked, seen.certain.selection(asked)) == "a thing whose bounds nobody sees"
