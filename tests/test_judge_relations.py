"""Relations: hand-worked scenes, edges first. Letters: T true, F false, U unknown; one a candidate."""

import numpy as np
import pytest
from scenes_by_hand import RIVER, SHIP, box, kept, outlined, scene, together, turned, undecided, verdicts
from surveyor.core.conditions import And, Compare, Not, Quantity, Relation
from surveyor.core.errors import UsageError
from surveyor.tools import STRICT, judge


def relation(name, reference=SHIP, **more):
    return Relation(relation=name, reference=reference, **more)


def px(value):
    return Quantity(value=value, unit="px")


SHIP_1 = kept(box("ship-1", 490, 490, 510, 510, "ship"))


def at(*places, half=5):
    return kept(*(box(f"p{x}-{y}", x - half, y - half, x + half, y + half) for x, y in places))


# ---- which references --------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantifier", ["any", "all"])
@pytest.mark.parametrize(
    "condition",
    [
        {"name": "near"},
        {"name": "toward", "direction": "left"},
        {"name": "side", "direction": "left"},
        {"name": "within", "distance": Quantity(value=5, unit="m")},
        {"name": "beyond", "distance": px(5)},
        {"name": "surrounded"},
        {"name": "inside"},
    ],
)
def test_an_empty_reference_makes_a_relation_false_and_says_so(condition, quantifier):
    node = relation(**condition, quantifier=quantifier)
    assert verdicts(at((100, 100)), node, kept()) == "F"
    assert "no ships" in judge(scene(), at((100, 100)), node, {"ships": kept()}).why(0)


def test_nothing_relates_to_itself():
    node = relation("near")
    two = kept(box("ship-1", 0, 0, 10, 10, "ship"), box("ship-2", 500, 500, 510, 510, "ship"))
    assert verdicts(two, node, two) == "FF"
    assert verdicts(kept(two.candidates[0].region), node, kept(two.candidates[0].region)) == "F"
    close = kept(box("ship-1", 0, 0, 10, 10, "ship"), box("ship-2", 15, 0, 25, 10, "ship"))
    assert verdicts(close, node, close) == "TT"


def test_a_missing_reference_is_an_error_that_names_it():
    with pytest.raises(UsageError, match=r"'ships'.*given are: 'rivers'"):
        verdicts(at((1, 1)), relation("near"), {"rivers": kept()})


def test_undecided_references_count_by_kleene():
    near, far = box("ship-1", 110, 95, 120, 105, "ship"), box("ship-2", 900, 900, 910, 910, "ship")
    one = at((100, 100))
    assert verdicts(one, relation("near"), undecided(near)) == "U"
    assert verdicts(one, relation("near"), undecided(far)) == "F"
    assert verdicts(one, relation("near"), together(undecided(far), kept(near))) == "T"
    every = relation("near", quantifier="all")
    assert verdicts(one, every, together(kept(near), undecided(far))) == "U"
    assert verdicts(one, every, together(undecided(near), kept(near))) == "T"
    assert verdicts(one, every, undecided(near)) == "U"
    assert verdicts(one, every, kept(near, far)) == "F"


def test_rejected_references_do_not_count():
    gone = kept(box("ship-1", 110, 95, 120, 105, "ship")).candidates[0].judged("earlier", False)
    assert verdicts(at((100, 100)), relation("near"), type(SHIP_1)((gone,))) == "F"


# ---- directions --------------------------------------------------------------------------------------------


def test_toward_by_bearing():
    # seen from (500, 500), 100 px to the left and 70, 71, 100, 142, 143 up: atan = 35.0, 35.4, 45, 54.8, 55.03 degrees
    made = at((400, 430), (400, 429), (400, 400), (400, 358), (400, 357), (500, 500), (600, 500))
    left = relation("toward", direction="left")
    assert verdicts(made, left, SHIP_1, bands=STRICT) == "TUUUFFF"
    assert verdicts(made, left, SHIP_1) == "TTTFFFF"
    assert verdicts(made, relation("toward", direction="above left"), SHIP_1) == "TTTTTFF"
    assert verdicts(made, relation("toward", direction="right"), SHIP_1) == "FFFFFFT"


def test_toward_looks_at_the_overlap_along_the_axis():
    # the ship spans x 490..510; planes 10 px wide that end at 491, 495, 499, 501 overlap by .1, .5, .9, 1.0 of 10 px
    made = kept(*(box(str(x), x - 10, 495, x, 505) for x in (491, 495, 499, 500)))
    left = relation("toward", direction="left")
    assert verdicts(made, left, SHIP_1, bands=STRICT) == "TUFF"
    assert verdicts(made, left, SHIP_1) == "TTFF"


def test_toward_a_long_reference_is_judged_beside_it():
    runway = kept(box("runway-1", 490, 100, 510, 900, "runway"))
    made = at((300, 150), (300, 500), (500, 50), (300, 950))
    node = relation("toward", direction="left")
    assert verdicts(made, node, {"ships": runway}) == "TTFT"
    # the centres disagree for the first: bearing from (500, 500) is 60 degrees off, so the strict bands leave it open
    assert verdicts(made, node, {"ships": runway}, bands=STRICT) == "UTFU"
    assert verdicts(made, relation("toward", direction="above"), {"ships": runway}) == "FFTF"


def test_further_compares_centres():
    # strict margin 3 % of 1000 px
    made = at((470, 0), (471, 900), (500, 500), (529, 0), (530, 0))
    left = relation("further", direction="left")
    assert verdicts(made, left, SHIP_1, bands=STRICT) == "TUUUF"
    assert verdicts(made, left, SHIP_1) == "TTUFF"
    assert verdicts(made, relation("further", direction="above left"), SHIP_1) == "TFUFF"


# ---- banks -------------------------------------------------------------------------------------------------

BEND = kept(  # runs down along x 200..240, then bends to x 600..640 below y 500
    outlined("river-1", [(200, 0), (240, 0), (240, 480), (640, 480), (640, 1000), (600, 1000), (600, 520), (200, 520)])
)


def test_side_follows_the_bend():
    east = relation("side", RIVER, direction="right")
    made = at((300, 100), (100, 100), (500, 700), (700, 700), (220, 300), (620, 900))
    # above the bend the river is at x 220, below at x 620; the last two lie on it
    assert verdicts(made, east, BEND) == "TFFTFF"
    assert verdicts(made, east, BEND, bands=STRICT) == "TFFTFF"
    assert verdicts(made, relation("side", RIVER, direction="left"), BEND) == "FTTFFF"


def test_side_with_other_directions_uses_other_lines():
    # columns: at x 400 the river is at y 480..520
    made = at((400, 300), (400, 700))
    assert verdicts(made, relation("side", RIVER, direction="above"), BEND) == "TF"
    assert verdicts(made, relation("side", RIVER, direction="below"), BEND) == "FT"
    # the diagonal through (400, 300) meets the river's lower left: it lies to the upper right
    assert verdicts(made, relation("side", RIVER, direction="above right"), BEND) == "TF"


def test_side_in_a_meander_goes_by_the_nearest_crossing():
    loop = kept(
        outlined("river-1", [(100, 0), (140, 0), (140, 900), (860, 900), (860, 0), (900, 0), (900, 940), (100, 940)])
    )
    made = at((200, 400), (800, 400), (50, 400), (950, 400))
    east = relation("side", RIVER, direction="right")
    assert verdicts(made, east, loop) == "TFFT"
    assert verdicts(made, east, loop, bands=STRICT) == "UUFT"


def test_side_beyond_the_end_prolongs_the_axis():
    half = kept(turned("river-1", 500, 250, 400, 20, 90, "river"))  # x 490..510, y 50..450
    made = at((400, 800), (600, 800), (500, 800))
    east = relation("side", RIVER, direction="right")
    assert verdicts(made, east, half) == "FTU"
    assert verdicts(made, east, half, bands=STRICT) == "UUU"
    # a river that runs east-west has no east bank
    across = kept(turned("river-1", 500, 250, 400, 20, 0, "river"))
    assert verdicts(made, east, across) == "UUU"
    assert verdicts(at((500, 100), (500, 400)), relation("side", RIVER, direction="above"), across) == "TF"
    # one that runs down to the right: at y 800 its axis has x 800
    slant = kept(turned("river-1", 300, 300, 400, 20, -45, "river"))
    assert verdicts(at((700, 800), (900, 800)), east, slant) == "FT"


def test_side_of_a_candidate_partly_on_the_reference():
    straight = kept(box("river-1", 490, 0, 510, 1000, "river"))
    # 20 px wide, overlapping the river by 2, 4, 9, 11 px: shares .1, .2, .45, .55
    made = kept(*(box(str(x), x, 500, x + 20, 520) for x in (508, 506, 501, 499)))
    east = relation("side", RIVER, direction="right")
    assert verdicts(made, east, straight, bands=STRICT) == "TUUU"
    assert verdicts(made, east, straight) == "TTTF"


# ---- distances ---------------------------------------------------------------------------------------------


def test_near_is_two_lengths_of_the_reference():
    # the ship's box is 20 x 20: length 20. Gaps of 30, 31, 40, 41, 49, 50 px: strict true to 30, false from 50
    made = kept(*(box(str(gap), 510 + gap, 495, 520 + gap, 505) for gap in (30, 31, 40, 41, 49, 50)))
    assert verdicts(made, relation("near"), SHIP_1, bands=STRICT) == "TUUUUF"
    assert verdicts(made, relation("near"), SHIP_1) == "TTTFFF"


def test_within_and_beyond():
    # gaps 90, 91, 100, 101, 109, 110 px against 100 px
    made = kept(*(box(str(gap), 510 + gap, 495, 520 + gap, 505) for gap in (90, 91, 100, 101, 109, 110)))
    within, beyond = (relation(name, distance=px(100)) for name in ("within", "beyond"))
    assert verdicts(made, within, SHIP_1, bands=STRICT) == "TUUUUF"
    assert verdicts(made, within, SHIP_1) == "TTTFFF"
    assert verdicts(made, beyond, SHIP_1, bands=STRICT) == "FUUUUT"
    assert verdicts(made, beyond, SHIP_1) == "FFFTTT"
    metres = relation("within", distance=Quantity(value=50, unit="m"))
    assert verdicts(made, metres, SHIP_1) == "UUUUUU"
    assert verdicts(made, metres, SHIP_1, on=scene(gsd_m=0.5)) == "TTTFFF"
    touching = kept(box("a", 510, 495, 520, 505), box("b", 500, 495, 520, 505))
    assert verdicts(touching, relation("within", distance=px(0)), SHIP_1) == "TT"


def test_beyond_one_and_beyond_all():
    near_and_far = kept(box("ship-1", 0, 0, 10, 10, "ship"), box("ship-2", 900, 0, 910, 10, "ship"))
    made = at((50, 5), (450, 5))
    assert verdicts(made, relation("beyond", distance=px(100), quantifier="any"), near_and_far) == "TT"
    assert verdicts(made, relation("beyond", distance=px(100), quantifier="all"), near_and_far) == "FT"
    assert verdicts(made, relation("within", distance=px(100), quantifier="all"), near_and_far) == "FF"
    doubtful = together(undecided(near_and_far.candidates[0].region), kept(near_and_far.candidates[1].region))
    assert verdicts(made, relation("beyond", distance=px(100), quantifier="all"), doubtful) == "UT"
    assert verdicts(made, relation("beyond", distance=px(100), quantifier="any"), doubtful) == "TT"


def test_adjacent():
    # both sizes 20: true to max(3, 2) = 3 px, false from 10 px; crisp to 6 px
    made = kept(*(box(str(gap), 510 + gap, 490, 530 + gap, 510) for gap in (0, 3, 4, 6, 7, 9, 10)))
    assert verdicts(made, relation("adjacent"), SHIP_1, bands=STRICT) == "TTUUUUF"
    assert verdicts(made, relation("adjacent"), SHIP_1) == "TTTTFFF"
    # the smaller one counts: 4 px wide, so true to 3 px and false above
    tiny = kept(*(box(str(gap), 510 + gap, 498, 514 + gap, 502) for gap in (3, 4)))
    assert verdicts(tiny, relation("adjacent"), SHIP_1, bands=STRICT) == "TF"


# ---- areas -------------------------------------------------------------------------------------------------


def test_inside_contains_overlaps():
    # 10 px wide, with 9, 8, 7, 6, 5, 0 px in the ship (x 490..510)
    made = kept(*(box(str(part), 510 - part, 495, 520 - part, 505) for part in (9, 8, 7, 6, 5, 0)))
    assert verdicts(made, relation("inside"), SHIP_1, bands=STRICT) == "TUUUFF"
    assert verdicts(made, relation("inside"), SHIP_1) == "TTTFFF"
    assert verdicts(made, relation("overlaps"), SHIP_1, bands=STRICT) == "TTTTTF"
    assert verdicts(made, relation("contains"), SHIP_1) == "FFFFFF"
    around = kept(box("a", 480, 480, 520, 520), box("b", 480, 480, 508, 520), box("c", 480, 480, 500, 520))
    assert verdicts(around, relation("contains"), SHIP_1, bands=STRICT) == "TTF"
    assert verdicts(around, relation("inside"), SHIP_1) == "FFF"
    slight = kept(box("a", 509.5, 495, 519.5, 505), box("b", 509, 495, 519, 505))  # 5 %, 10 % of the smaller one
    assert verdicts(slight, relation("overlaps"), SHIP_1, bands=STRICT) == "UT"
    assert verdicts(slight, relation("overlaps"), SHIP_1) == "TT"


def test_inside_follows_the_outline_not_the_box():
    ring = kept(outlined("ship-1", [(0, 0), (100, 0), (0, 100)], "ship"))
    made = at((20, 20), (80, 80))
    assert verdicts(made, relation("inside"), ring) == "TF"


# ---- several regions at once -------------------------------------------------------------------------------


def test_between_two():
    ends = kept(box("ship-1", 90, 490, 110, 510, "ship"), box("ship-2", 890, 490, 910, 510, "ship"))
    # BC runs from x 100 to 900 at y 500: t of x = 180, 260, 500 is .1, .2, .5; off 200, 300, 400 px is .25, .375, .5
    made = at((100, 300), (180, 500), (260, 500), (260, 700), (500, 800), (500, 900), (950, 500))
    node = relation("between")
    assert verdicts(made, node, ends, bands=STRICT) == "FUTTUFF"
    assert verdicts(made, node, ends) == "FTTTTFF"
    second = relation("between", second=RIVER)
    apart = {"ships": kept(ends.candidates[0].region), "rivers": kept(ends.candidates[1].region)}
    assert verdicts(made, second, apart) == "FTTTTFF"
    assert verdicts(made, second, {**apart, "rivers": undecided(ends.candidates[1].region)}) == "FUUUUFF"
    assert verdicts(made, second, {**apart, "rivers": kept()}) == "FFFFFFF"
    assert verdicts(made, node, kept(ends.candidates[0].region)) == "FFFFFFF"


def test_between_two_long_things():
    runways = kept(box("ship-1", 90, 100, 110, 900, "ship"), box("ship-2", 690, 100, 710, 900, "ship"))
    made = at((400, 150), (400, 500), (800, 500))
    assert verdicts(made, relation("between"), runways) == "TTF"


def test_a_middle_one_is_not_between_itself_and_another():
    three = kept(*(box(f"ship-{x}", x - 5, 495, x + 5, 505, "ship") for x in (100, 500, 900)))
    assert verdicts(three, relation("between"), three) == "FTF"


def test_surrounded():
    # the candidate's length is 20: ships within 40 px in three of the four quadrants
    middle = kept(box("a", 490, 490, 510, 510))

    def ships(*shifts):
        return kept(*(box(f"ship-{x}-{y}", 497 + x, 497 + y, 503 + x, 503 + y, "ship") for x, y in shifts))

    node = relation("surrounded")
    assert verdicts(middle, node, ships((-30, -30), (30, -30), (-30, 30))) == "T"
    assert verdicts(middle, node, ships((-30, -30), (30, -30))) == "F"
    assert verdicts(middle, node, ships((-30, -30), (30, -30), (-90, 90))) == "F"
    assert verdicts(middle, node, ships((0, -30), (30, 0), (0, 30), (-30, 0))) == "T"
    assert verdicts(middle, node, ships((0, -30), (0, 30))) == "F"
    # 40 px off in x: gap 40 - 3 - 10 = 27 px; 52: 39 px, inside the strict band 36..44
    assert verdicts(middle, node, ships((-40, -1), (52, 1), (-40, 1)), bands=STRICT) == "U"
    wood = kept(box("ship-1", 300, 300, 700, 700, "ship"))
    assert verdicts(middle, node, wood) == "T"


def test_aligned():
    row = [turned(f"s{i}", 100 + 60 * i, 200, 40, 20, 90, "ship") for i in range(4)]
    aside = turned("s9", 200, 400, 40, 20, 90, "ship")
    node = Relation(relation="aligned")
    assert verdicts(kept(*row, aside), node) == "TTTTF"
    assert verdicts(kept(*row[:2]), node) == "FF"
    assert verdicts(kept(*row[:2], aside), node) == "FFF"
    # once there are three, the row goes on over a gap of 5 lengths, not over one of 7
    assert verdicts(kept(*row, turned("s8", 480, 200, 40, 20, 90, "ship")), node) == "TTTTT"
    assert verdicts(kept(*row, turned("s8", 560, 200, 40, 20, 90, "ship")), node) == "TTTTF"
    # another class in the gap doesn't make a row of three
    assert verdicts(kept(*row[:2], box("p", 210, 190, 230, 210)), node) == "FFF"
    # off the line by d in the middle of three: residual sqrt(2/9) d = 9.9 at 21, 11.8 at 25, against .5 and .75 of 20
    for d, strict, crisp in ((21, "TTT", "TTT"), (25, "UUU", "TTT"), (35, "UUU", "FFF"), (45, "FFF", "FFF")):
        bent = kept(row[0], turned("s1", 160, 200 + d, 40, 20, 90, "ship"), row[2])
        assert verdicts(bent, node, bands=STRICT) == strict
        assert verdicts(bent, node) == crisp
    # turned by 12 degrees: beyond the strict 10, within the crisp 15
    turn = kept(row[0], turned("s1", 160, 200, 40, 20, 102, "ship"), row[2])
    assert verdicts(turn, node, bands=STRICT) == "UUU"
    assert verdicts(turn, node) == "TTT"


def test_a_chain_of_conditions_reads_like_its_conjunction():
    node = And(
        conditions=(
            relation("toward", direction="left"),
            Not(condition=Compare(attribute="length", op=">", quantity=px(20))),
        )
    )
    made = kept(box("a", 100, 490, 110, 500), box("b", 100, 490, 140, 500), box("c", 700, 490, 710, 500))
    assert verdicts(made, node, {"ships": SHIP_1}) == "TFF"


def test_many_references_in_pieces_give_the_same(monkeypatch):
    from surveyor.tools import judge_relation

    rng = np.random.default_rng(3)
    made = at(*rng.integers(0, 1000, (40, 2)).tolist())
    ships = kept(
        *(box(f"ship-{i}", x, y, x + 20, y + 10, "ship") for i, (x, y) in enumerate(rng.integers(0, 1000, (25, 2))))
    )
    node = relation("toward", direction="left", quantifier="all")
    whole = verdicts(made, node, ships), verdicts(made, relation("further", direction="above"), ships)
    monkeypatch.setattr(judge_relation, "_CHUNK_PAIRS", 60)
    assert (verdicts(made, node, ships), verdicts(made, relation("further", direction="above"), ships)) == whole
