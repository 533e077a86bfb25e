"""Rules on other regions' sizes, directions, sides and numbers: hand-worked scenes. Letters: T, F, U a candidate."""

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes_by_hand import RIVER, SHIP, box, kept, outlined, scene, together, turned, undecided, verdicts
from surveyor.core.conditions import Aspect, CompareWith, CountTest, Group, Provided, Relation, Selection
from surveyor.core.errors import UsageError
from surveyor.core.wording import words
from surveyor.tools import STRICT, judge
from surveyor.tools.count import compare, count_groups, difference
from surveyor.tools.measure import distance, measure
from surveyor.tools.values import Count

CHURCH = Selection(phrases=("church",))


def test(op, n):
    return CountTest(op=op, n=n)


test.__test__ = False


# ---- another region's size ---------------------------------------------------------------------------------


def long(*lengths):
    return kept(*(box(f"p{length}", 0, 0, length, 10) for length in lengths))


SHIPS = kept(box("s40", 500, 0, 540, 10, "ship"), box("s80", 500, 50, 580, 60, "ship"))


@pytest.mark.parametrize(
    ("op", "factor", "quantifier", "expected"),
    [
        (">", 1, "any", "FTT"),  # 30, 60, 90 against 40 and 80: above one of them
        (">", 1, "all", "FFT"),
        ("<", 1, "any", "TTF"),
        (">=", 2, "any", "FFT"),  # twice 40 is 80
        ("==", 0.75, "any", "TTF"),  # 0.75 x 40 = 30, 0.75 x 80 = 60
    ],
)
def test_lengths_against_those_of_ships(op, factor, quantifier, expected):
    node = CompareWith(attribute="length", op=op, reference=SHIP, factor=factor, quantifier=quantifier)
    assert verdicts(long(30, 60, 90), node, SHIPS) == expected


def test_strict_leaves_a_tenth_to_either_side_unknown():
    node = CompareWith(attribute="length", op=">", reference=SHIP)
    forty = kept(box("s40", 500, 0, 540, 10, "ship"))
    assert verdicts(long(35, 38, 42, 45), node, forty, bands=STRICT) == "FUUT"  # 0.875, 0.95, 1.05, 1.125


def test_a_region_is_not_compared_with_itself_and_nothing_with_none():
    ships = kept(box("s40", 0, 0, 40, 10, "ship"))
    node = CompareWith(attribute="length", op=">=", reference=SHIP)
    assert verdicts(ships, node, ships) == "F"
    assert verdicts(long(30), node, kept()) == "F"
    assert verdicts(long(60), node, undecided(box("s", 0, 0, 40, 10, "ship"))) == "U"


# ---- the mean of others ------------------------------------------------------------------------------------


def than_average(op=">", factor=1.0, attribute="length", reference=SHIP):
    return CompareWith(attribute=attribute, op=op, reference=reference, factor=factor, quantifier="mean")


@pytest.mark.parametrize(
    ("op", "factor", "expected"),
    [
        (">", 1, "FFT"),  # 30, 60, 90 against the mean of 40 and 80
        (">=", 1, "FTT"),
        ("<", 1, "TFF"),
        ("<=", 1, "TTF"),
        ("==", 1, "FTF"),
        (">=", 1.5, "FFT"),  # 90
        (">", 1.5, "FFF"),
        ("==", 0.5, "TFF"),  # 30
    ],
)
def test_lengths_against_the_mean_of_ships(op, factor, expected):
    assert verdicts(long(30, 60, 90), than_average(op, factor), SHIPS) == expected


def test_a_candidate_is_part_of_its_own_average():
    ships = kept(*(box(f"s{i}", 0, 20 * i, length, 20 * i + 10, "ship") for i, length in enumerate((30, 30, 90))))
    # the mean is 50; without itself the third would have 30 to be compared with, the others 60
    assert verdicts(ships, than_average("<=", 2), ships) == "TTT"
    assert verdicts(ships, than_average("==", 0.6), ships) == "TTF"
    alone = kept(ships.candidates[2].region)
    assert verdicts(alone, than_average(">"), alone) == "F"
    assert verdicts(alone, than_average(">="), alone) == "T"
    assert verdicts(alone, than_average("=="), alone) == "T"


def test_strictly_a_tenth_beside_the_mean():
    assert verdicts(long(54, 57, 63, 66), than_average(">"), SHIPS, bands=STRICT) == "FUUT"  # 0.9 and 1.1 x 60
    assert verdicts(long(54, 57, 63, 66), than_average("<"), SHIPS, bands=STRICT) == "TUUF"
    assert verdicts(long(57, 63, 64, 69), than_average("=="), SHIPS, bands=STRICT) == "TTUF"  # 3 px, and 9 px


def test_undecided_members_bound_the_mean():
    ships = together(SHIPS, undecided(box("s180", 500, 90, 680, 100, "ship")))  # 60, or 100 with the third
    planes = long(59, 60, 61, 99, 100, 101)
    assert verdicts(planes, than_average(">"), ships) == "FFUUUT"
    assert verdicts(planes, than_average("<"), ships) == "TUUUFF"
    assert "the average 60 to 100 px" in judge(scene(), planes, than_average(), {"ships": ships}).why(2)


def test_the_bounds_take_only_those_that_move_the_mean_that_way():
    ships = together(
        kept(box("s100", 0, 0, 100, 10, "ship")),
        undecided(*(box(f"s{length}", 0, 50, length, 60, "ship") for length in (90, 10, 400))),
    )
    # least: 100 and 10 give 55; greatest: 100 and 400 give 250
    assert verdicts(long(54, 56, 249, 251), than_average(">"), ships) == "FUUT"


def test_as_long_as_an_average_that_lies_between_its_bounds():
    ships = together(
        kept(box("s40", 0, 0, 40, 10, "ship")),
        undecided(box("s20", 0, 20, 20, 30, "ship"), box("s120", 0, 40, 120, 50, "ship")),
    )
    # 40, 30, 80 or 60: at both bounds 60 is 10 % off and more, with both in it is the mean
    assert verdicts(long(20, 60, 100), than_average("=="), ships) == "FUF"
    assert verdicts(long(20, 60, 100), than_average("=="), ships, bands=STRICT) == "FUF"


def test_an_average_of_perhaps_none():
    doubtful = undecided(box("s40", 0, 0, 40, 10, "ship"))
    assert verdicts(long(30, 60), than_average(">"), doubtful) == "FU"
    assert verdicts(long(30, 60), than_average("<="), doubtful) == "UF"


def test_an_average_of_none():
    gone = type(SHIPS)((SHIPS.candidates[0].judged("earlier", False),))
    for none in (kept(), gone):
        for op in (">", "<=", "=="):
            assert verdicts(long(30), than_average(op), none) == "F"
        assert judge(scene(), long(30), than_average(), {"ships": none}).why(0) == (
            "there are no ships to compare with"
        )


def test_an_average_needs_no_scale_and_tells_it_where_there_is_one():
    for on, told in (
        (scene(), "length is 90 px, the average 60 px"),
        (scene(gsd_m=0.5), "length is 45 m, the average 30 m"),
    ):
        assert verdicts(long(30, 90), than_average(), SHIPS, on=on) == "FT"
        assert judge(on, long(30, 90), than_average(), {"ships": SHIPS}).why(1) == told
    area = judge(scene(), long(30), than_average(attribute="area"), {"ships": SHIPS})
    assert area.why(0) == "area is 300 px2, the average 600 px2"


def test_average_aspects_and_one_without_end():
    boxes = kept(box("a", 0, 0, 20, 10), box("b", 0, 0, 30, 10), box("c", 0, 0, 40, 10))
    assert verdicts(boxes, than_average(attribute="aspect"), {"ships": boxes}) == "FFT"  # 2, 3 and 4
    line = kept(box("a", 0, 0, 20, 10), box("line", 0, 0, 40, 0))
    assert verdicts(line, than_average("<", attribute="aspect"), {"ships": line}) == "TF"
    assert verdicts(line, than_average(">", attribute="aspect"), {"ships": line}) == "FF"
    assert verdicts(line, than_average("<", attribute="aspect"), {"ships": line}, bands=STRICT) == "TU"


def test_aspect_is_long_side_over_short_side():
    boxes = kept(box("a", 0, 0, 20, 10), box("b", 0, 0, 30, 10), box("c", 0, 0, 40, 10))
    assert verdicts(boxes, Aspect(op=">", ratio=3)) == "FFT"
    assert verdicts(boxes, Aspect(op=">=", ratio=3)) == "FTT"
    assert verdicts(boxes, Aspect(op=">", ratio=3), bands=STRICT) == "FUT"


# ---- directions --------------------------------------------------------------------------------------------

RUNWAY = kept(box("r", 0, 500, 1000, 520, "ship"))


def test_parallel_and_perpendicular_by_the_angle_between_long_axes():
    planes = kept(
        *(turned(f"p{degrees}", 500, 200, 40, 10, degrees) for degrees in (0, 10, 40, 80, 170)), box("q", 0, 0, 9, 9)
    )
    assert verdicts(planes, Relation(relation="parallel", reference=SHIP), RUNWAY) == "TTFFTU"
    assert verdicts(planes, Relation(relation="perpendicular", reference=SHIP), RUNWAY) == "FFFTFU"


# ---- sides -------------------------------------------------------------------------------------------------

NORTH, SOUTH = box("north", 400, 100, 420, 120), box("south", 400, 900, 420, 920)
ON, BEYOND = box("on", 400, 505, 410, 515), box("beyond", 1500, 400, 1520, 420)


def test_beside_is_between_the_ends_and_not_on_it():
    found = verdicts(kept(NORTH, SOUTH, ON, BEYOND), Relation(relation="flanking", reference=SHIP), RUNWAY)
    assert found == "TTFF"


def test_the_same_side_as_a_church_and_the_other_side_from_it():
    church = kept(box("church", 800, 50, 840, 90, "church"))
    planes = kept(NORTH, SOUTH, ON)
    for relation, expected in (("same_side", "TFF"), ("other_side", "FTF")):
        node = Relation(relation=relation, reference=SHIP, second=CHURCH)
        references = {words(SHIP): RUNWAY, words(CHURCH): church}
        assert verdicts(planes, node, references) == expected


def test_this_side_is_that_of_the_centre_of_the_image():
    road = kept(box("road", 0, 700, 1000, 720, "ship"))  # the centre (500, 500) lies north of it
    planes = kept(NORTH, SOUTH)
    assert verdicts(planes, Relation(relation="same_side", reference=SHIP), road) == "TF"
    assert verdicts(planes, Relation(relation="other_side", reference=SHIP), road) == "FT"


def test_sides_follow_a_bend():
    """A river like a V: in its mouth one is north of it, below its left arm south, though further up."""
    river = outlined("river", [(0, 480), (500, 780), (1000, 480), (1000, 500), (500, 800), (0, 500)])
    mouth, below = box("mouth", 490, 690, 510, 710), box("below", 90, 600, 110, 620)
    church = kept(box("church", 100, 100, 120, 120, "church"))
    node = Relation(relation="same_side", reference=RIVER, second=CHURCH)
    assert verdicts(kept(mouth, below), node, {words(RIVER): kept(river), words(CHURCH): church}) == "TF"


def test_a_viewpoint_on_the_reference_tells_nothing():
    church = kept(box("church", 800, 505, 810, 515, "church"))
    node = Relation(relation="same_side", reference=SHIP, second=CHURCH)
    assert verdicts(kept(NORTH), node, {words(SHIP): RUNWAY, words(CHURCH): church}) == "U"
    assert verdicts(kept(NORTH), node, {words(SHIP): RUNWAY, words(CHURCH): kept()}) == "F"


# ---- numbers -----------------------------------------------------------------------------------------------


def ships_at(*places):
    return kept(*(box(f"s{x}", x, 0, x + 20, 20, "ship") for x in places))


@pytest.mark.parametrize(
    ("op", "n", "expected"), [(">=", 2, "TF"), ("==", 1, "FF"), ("==", 2, "TF"), ("<", 1, "FT"), (">", 2, "FF")]
)
def test_near_so_many(op, n, expected):
    planes = kept(box("p0", 100, 0, 120, 20), box("p1", 800, 0, 820, 20))
    node = Relation(relation="near", reference=SHIP, amount=test(op, n))
    assert verdicts(planes, node, ships_at(70, 130)) == expected


def test_undecided_references_leave_the_number_open():
    plane = kept(box("p0", 100, 0, 120, 20))
    ships = together(ships_at(70), undecided(box("s130", 130, 0, 150, 20, "ship")))
    assert verdicts(plane, Relation(relation="near", reference=SHIP, amount=test(">=", 2)), ships) == "U"
    assert verdicts(plane, Relation(relation="near", reference=SHIP, amount=test(">=", 1)), ships) == "T"
    assert verdicts(plane, Relation(relation="near", reference=SHIP, amount=test("==", 3)), ships) == "F"


def test_so_many_of_none():
    plane = kept(box("p0", 100, 0, 120, 20))
    assert verdicts(plane, Relation(relation="near", reference=SHIP, amount=test("<=", 2)), kept()) == "T"
    assert verdicts(plane, Relation(relation="near", reference=SHIP, amount=test(">=", 1)), kept()) == "F"


def test_provided_is_one_verdict_for_all():
    planes = long(30, 60)
    assert verdicts(planes, Provided(reference=SHIP, test=test(">", 1)), SHIPS) == "TT"
    assert verdicts(planes, Provided(reference=SHIP, test=test(">", 2)), SHIPS) == "FF"
    more = together(SHIPS, undecided(box("s", 0, 0, 9, 9, "ship")))
    assert verdicts(planes, Provided(reference=SHIP, test=test(">", 2)), more) == "UU"


# ---- groups ------------------------------------------------------------------------------------------------

# Length 20, so neighbours up to 30 px apart: 0 and 40 are 20 apart, 90 is 30 from 40, 300 stands alone.
FOUR = kept(*(box(f"p{x}", x, 0, x + 20, 10) for x in (0, 40, 90, 300)))


def test_groups_are_chains_of_neighbours():
    assert verdicts(FOUR, Group(form="group")) == "TTTF"
    assert verdicts(FOUR, Group(form="group", test=test("==", 3))) == "TTTF"
    assert verdicts(FOUR, Group(form="group", test=test(">", 3))) == "FFFF"
    assert verdicts(FOUR, Group(form="group", test=test("==", 3)), bands=STRICT) == "UUUF"  # at 24 px only two hold


def test_another_class_makes_no_group_and_rejected_ones_are_no_part():
    mixed = kept(box("p0", 0, 0, 20, 10), box("s", 30, 0, 50, 10, "ship"))
    assert verdicts(mixed, Group(form="group")) == "FF"
    rejected = kept(box("p0", 0, 0, 20, 10)), kept(box("p1", 30, 0, 50, 10)).candidates[0].judged("red", False)
    assert verdicts(type(FOUR)((*rejected[0], rejected[1])), Group(form="group")) == "FF"


def test_an_undecided_member_leaves_the_group_open():
    pair = together(kept(box("p0", 0, 0, 20, 10)), undecided(box("p1", 30, 0, 50, 10)))
    assert verdicts(pair, Group(form="group", test=test(">=", 2))) == "UU"


def test_the_largest_group_and_a_tie():
    groups = kept(*(box(f"p{x}", x, 0, x + 20, 10) for x in (0, 30, 60, 500, 530)))
    assert verdicts(groups, Group(form="group", which="largest")) == "TTTFF"
    assert verdicts(groups, Group(form="group", which="smallest")) == "FFFTT"
    tie = kept(*(box(f"p{x}", x, 0, x + 20, 10) for x in (0, 30, 500, 530)))
    assert verdicts(tie, Group(form="group", which="largest")) == "UUUU"


def test_rows_of_so_many():
    row = kept(*(box(f"p{x}", x, 0, x + 20, 10) for x in (0, 30, 60, 90)), box("off", 0, 500, 20, 510))
    assert verdicts(row, Group(form="row", test=test(">=", 4))) == "TTTTF"
    assert verdicts(row, Group(form="row", test=test("<", 4))) == "FFFFF"


def test_groups_and_rows_are_counted():
    two = kept(*(box(f"p{x}", x, 0, x + 20, 10) for x in (0, 30, 500, 530, 900)))
    assert count_groups(two, "group").n == 2
    grid = kept(*(box(f"p{x}-{y}", x, y, x + 20, y + 10) for x in (0, 30, 60) for y in (0, 20, 40)))
    assert count_groups(grid, "row").n == 3
    assert count_groups(kept(), "group").n == count_groups(kept(), "row").n == 0


# ---- distances and whole sets ------------------------------------------------------------------------------


def test_distance_goes_from_outline_to_the_nearest_outline():
    found = distance(scene(gsd_m=0.5), kept(box("p", 0, 0, 10, 10)), ships_at(30, 90))
    assert [(item.value, item.unit) for item in found.items] == [(10.0, "m")]  # 20 px of 0.5 m
    assert distance(scene(), kept(box("p", 0, 0, 10, 10)), ships_at(30)).items[0].unit == "px"
    assert distance(scene(), ships_at(30), ships_at(30)).items[0].value is None
    assert distance(scene(), ships_at(30), kept(), unit="m").items[0].value is None
    with pytest.raises(UsageError, match="measured in"):
        distance(scene(), ships_at(30), SHIPS, unit="ha")


@pytest.mark.parametrize(
    ("summary", "value"), [("total", 120.0), ("mean", 40.0), ("median", 30.0), ("least", 20.0), ("greatest", 70.0)]
)
def test_one_number_for_the_set(summary, value):
    found = measure(scene(), long(20, 30, 70), "length", summary=summary)
    assert found.overall is not None and found.overall.value == value and len(found.items) == 3


def test_nothing_has_a_total_of_none_but_no_mean():
    assert measure(scene(), kept(), "length", summary="total").overall.value == 0
    assert measure(scene(), kept(), "length", summary="mean").overall.value is None
    assert measure(scene(), long(20), "length", "m", summary="total").overall.value is None  # no scale


@pytest.mark.parametrize(
    ("a", "b", "op", "factor", "expected"),
    [
        (Count(6), Count(3), ">=", 2, True),
        (Count(5), Count(3), ">=", 2, False),
        (Count(6), Count(3), ">", 2, False),
        (Count(3), Count(6), ">=", 0.5, True),
        (Count(2), Count(6), ">=", 0.5, False),
        (Count(6), Count(3), "==", 2, True),
        (Count(7), Count(3), "==", 2, False),
        (Count(0), Count(0), ">=", 2, True),
        (Count(5, 2), Count(3), ">=", 2, None),  # 5 to 7 against 6
        (Count(6), Count(2, 1), ">=", 2, True),  # against 4 to 6
        (Count(6), Count(3, 1), ">=", 2, None),  # against 6 to 8
        (Count(5), Count(3, 1), ">=", 2, False),
        (Count(5, 2), Count(3), "==", 2, None),
        (Count(7, 2), Count(3, 1), "==", 2, None),  # 7 to 9 against 6 or 8
        (Count(7), Count(3, 1), "==", 2, False),  # between 6 and 8, and neither
        (Count(1, 1), Count(3), "==", 0.5, False),  # 1 or 2 against 1.5
        (Count(4, 4), Count(3), "==", 2, None),  # fails at both ends
        (Count(55), Count(50), ">=", 1.1, True),  # 1.1 * 50 is 55.00000000000001 in floating point
        (Count(55), Count(50), "==", 1.1, True),
        (Count(55), Count(50), ">", 1.1, False),
        (Count(55), Count(49, 1), "==", 1.1, None),
    ],
)
def test_so_many_times_as_many(a, b, op, factor, expected):
    assert compare(a, b, op, factor).verdict is expected


def test_so_many_times_as_many_is_told():
    assert compare(Count(5, 2), Count(3), ">=", 2).reason == ("5 to 7 may or may not be at least 2 times as many as 3")
    assert compare(Count(1), Count(3), "<", 0.5).reason == "1 is fewer than 0.5 times as many as 3"
    assert compare(long(30, 60), SHIPS, "==").reason == "2 is as many as 2"


NUMBERS = st.builds(Count, st.integers(0, 8), st.integers(0, 4))


@given(NUMBERS, NUMBERS, st.sampled_from([">", ">=", "<", "<=", "=="]), st.integers(1, 40))
def test_a_factor_is_right_whichever_way_the_undecided_turn_out(a, b, op, tenths):
    holds = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq}[op]
    worlds = {holds(10 * n, tenths * m) for n in range(a.n, a.at_most + 1) for m in range(b.n, b.at_most + 1)}
    assert compare(a, b, op, tenths / 10).verdict is (worlds.pop() if len(worlds) == 1 else None)


def test_two_numbers_and_what_lies_between_them():
    assert difference(long(20, 30, 70), SHIPS, ("planes", "ships")).text == "planes: 3, ships: 2; 1 more of the first."


def test_a_condition_asked_twice_must_hold_twice():
    candidate = kept(box("p", 0, 0, 9, 9)).candidates[0].judged("red", False, "blue").judged("red", True, "red")
    assert candidate.status is False and candidate.reasons["red"] == "blue"
