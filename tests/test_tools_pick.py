"""Superlatives and ordinals: ranks, ties, undecided candidates, strict margins."""

import pytest
from scenes_by_hand import SHIP, box, kept, scene, together, undecided, verdicts
from surveyor.core.conditions import And, Compare, Not, Pick, Position, Quantity
from surveyor.core.errors import UsageError
from surveyor.tools import STRICT, judge, pick, select


def rank(by, order="max", first=1, count=1, reference=None):
    return Pick(by=by, order=order, first=first, count=count, reference=reference)


def sized(*areas):
    """Boxes 10 px high with these areas."""
    return kept(*(box(f"p{i}", 0, 0, area / 10, 10) for i, area in enumerate(areas)))


def placed(*xs):
    return kept(*(box(f"p{i}", x - 5, 0, x + 5, 10) for i, x in enumerate(xs)))


def test_of_none_and_of_one():
    assert verdicts(kept(), rank("area")) == ""
    assert verdicts(sized(100), rank("area")) == "T"
    assert verdicts(sized(100), rank("area"), bands=STRICT) == "T"
    assert verdicts(sized(100), rank("area", first=2)) == "F"


def test_superlatives_and_ordinals_by_exact_order():
    made = sized(300, 100, 500, 200, 400)
    assert verdicts(made, rank("area")) == "FFTFF"
    assert verdicts(made, rank("area", count=2)) == "FFTFT"
    assert verdicts(made, rank("area", first=2)) == "FFFFT"
    assert verdicts(made, rank("area", "min", count=2)) == "FTFTF"
    assert verdicts(made, rank("area", first=2, count=9)) == "TTFTT"
    assert verdicts(made, rank("area", first=6)) == "FFFFF"
    assert verdicts(placed(500, 100, 900), rank("x", "min")) == "FTF"
    assert verdicts(placed(500, 100, 900), rank("x", "max", first=2)) == "TFF"


def test_ties_are_unknown_only_at_the_cut():
    made = sized(300, 300, 100, 200, 200)
    assert verdicts(made, rank("area")) == "UUFFF"
    assert verdicts(made, rank("area", count=2)) == "TTFFF"
    assert verdicts(made, rank("area", count=3)) == "TTFUU"
    assert verdicts(made, rank("area", first=2, count=3)) == "UUFTT"
    assert verdicts(made, rank("area", first=4, count=2)) == "FFTUU"


def test_undecided_candidates_widen_ranks():
    large = undecided(box("p0", 0, 0, 90, 10))
    made = together(large, sized(500, 400, 300))
    # if the large one belongs to the set it is the largest, else the second one is
    assert verdicts(made, rank("area")) == "TUFF"
    assert verdicts(made, rank("area", count=2)) == "TTUF"
    small = undecided(box("p9", 0, 0, 1, 10))
    assert verdicts(together(small, sized(500, 400)), rank("area")) == "FTF"
    both = select(scene(), together(large, sized(500)), rank("area"))
    assert [candidate.status for candidate in both] == [None, None]


def test_rejected_candidates_are_no_part_of_the_order():
    made = select(
        scene(), sized(300, 500, 400), Compare(attribute="area", op="<", quantity=Quantity(value=450, unit="px2"))
    )
    picked = pick(scene(), made, rank("area"))
    assert [candidate.status for candidate in picked] == [False, False, True]
    assert "the largest" not in picked.candidates[1].verdicts
    assert picked.candidates[2].verdicts["the largest"] is True


def test_strict_margins():
    # areas: 1.44 apart is clear, seen from the largest; .64 from the smallest
    assert verdicts(sized(144, 100), rank("area"), bands=STRICT) == "TF"
    assert verdicts(sized(143, 100), rank("area"), bands=STRICT) == "UU"
    assert verdicts(sized(100, 64), rank("area", "min"), bands=STRICT) == "FT"
    assert verdicts(sized(100, 65), rank("area", "min"), bands=STRICT) == "UU"
    # positions: 30 px of 512, so 58.6 of 1000 px; ordinals max(8 px, .3 * 10 px)
    assert verdicts(placed(100, 159, 900), rank("x", "min"), bands=STRICT) == "TFF"
    assert verdicts(placed(100, 158, 900), rank("x", "min"), bands=STRICT) == "UUF"
    assert verdicts(placed(100, 108, 116), rank("x", "min", first=2), bands=STRICT) == "FTF"
    assert verdicts(placed(100, 107, 900), rank("x", "min", first=2), bands=STRICT) == "UUF"
    assert verdicts(sized(300, 290, 100), rank("area", count=2), bands=STRICT) == "TTF"


def test_borderline_is_what_strict_leaves_open():
    picked = pick(scene(), sized(143, 100), rank("area"))
    assert [candidate.borderline for candidate in picked] == [{"the largest"}, {"the largest"}]
    clear = pick(scene(), sized(144, 100), rank("area"))
    assert [candidate.borderline for candidate in clear] == [frozenset(), frozenset()]


def test_scores_may_be_missing():
    scored = kept(*(box(f"p{i}", 0, 0, 1, 1, score=score) for i, score in enumerate((0.9, None, 0.5))))
    assert verdicts(scored, rank("score")) == "UUF"
    assert verdicts(scored, rank("score", count=3)) == "TTT"
    assert verdicts(kept(box("a", 0, 0, 1, 1)), rank("score")) == "T"


SHIPS = kept(box("ship-1", 0, 0, 10, 10, "ship"), box("ship-2", 900, 0, 910, 10, "ship"))


def test_nearest_and_farthest():
    made = placed(115, 200, 800)  # 100, 185 and 95 px from the nearest ship
    assert verdicts(made, rank("distance", "min", reference=SHIP), SHIPS) == "FFT"
    assert verdicts(made, rank("distance", "max", reference=SHIP), SHIPS) == "FTF"
    # strict: 95 <= .8 * 100 fails
    assert verdicts(made, rank("distance", "min", reference=SHIP), SHIPS, bands=STRICT) == "UFU"
    # .8 * 110 = 88 >= 85 and 25 >= 8 px
    assert verdicts(placed(125, 500, 810), rank("distance", "min", reference=SHIP), SHIPS, bands=STRICT) == "FFT"


def around(*offsets):
    """Boxes 10 px wide whose centres lie so far, to the right and down, from the centre of 1000 x 1000 px."""
    return kept(*(box(f"p{i}", 495 + x, 495 + y, 505 + x, 505 + y) for i, (x, y) in enumerate(offsets)))


def test_most_and_least_central():
    made = around((30, 40), (0, 0), (0, -120), (-400, 300), (400, 0))  # 50, 0, 120, 500 and 400 px off
    assert verdicts(made, rank("centre", "min")) == "FTFFF"
    assert verdicts(made, rank("centre", "min", first=2)) == "TFFFF"
    assert verdicts(made, rank("centre", "min", count=3)) == "TTTFF"
    assert verdicts(made, rank("centre", "max")) == "FFFTF"
    assert verdicts(made, rank("centre", "max", count=2)) == "FFFTT"
    found = judge(scene(), made, rank("centre", "min"), {})
    assert found.why(0) == "distance from the centre 50, rank 2 of 5"


def test_central_is_told_by_the_centre_of_each_image_and_of_each_box():
    made = kept(box("wide", 300, 490, 700, 590), box("low", 500, 695, 510, 705))  # centres (500, 540) and (505, 700)
    assert verdicts(made, rank("centre", "min")) == "TF"
    # the centre of 1000 x 1400 px is (500, 700): 160 and 5 px off, though the first box is no farther to the side
    assert verdicts(made, rank("centre", "min"), on=scene(1000, 1400)) == "FT"
    assert verdicts(made, rank("centre", "min"), on=scene(1000, 1400, gsd_m=0.5)) == "FT"


def test_as_central_as_another_is_unknown():
    made = around((-100, 0), (0, 100), (300, 0))
    assert verdicts(made, rank("centre", "min")) == "UUF"
    assert verdicts(made, rank("centre", "min", count=2)) == "TTF"
    assert verdicts(made, rank("centre", "max")) == "FFT"


def test_central_with_an_undecided_one():
    doubtful = undecided(box("p9", 495, 495, 505, 505))  # 0 px off
    made = together(doubtful, around((50, 0), (120, 0)))
    assert verdicts(made, rank("centre", "min")) == "TUF"
    assert verdicts(made, rank("centre", "min", first=2)) == "FUU"
    assert verdicts(made, rank("centre", "max")) == "FFT"


def test_central_strictly_takes_a_fifth_less_and_8_px():
    limits = {"bands": STRICT}
    assert verdicts(around((50, 0), (0, 40)), rank("centre", "min"), **limits) == "FT"  # .8 x 50, and 10 px
    assert verdicts(around((49, 0), (0, 40)), rank("centre", "min"), **limits) == "UU"
    assert verdicts(around((28, 0), (0, 20)), rank("centre", "min"), **limits) == "FT"  # 8 px
    assert verdicts(around((27, 0), (0, 20)), rank("centre", "min"), **limits) == "UU"  # .74 x 27, but 7 px
    assert verdicts(around((50, 0), (0, 40)), rank("centre", "max"), **limits) == "TF"
    assert verdicts(around((49, 0), (0, 40)), rank("centre", "max"), **limits) == "UU"


def test_nearest_to_others_of_the_same_set():
    three = kept(*(box(f"ship-{x}", x, 0, x + 10, 10, "ship") for x in (0, 100, 500)))
    assert verdicts(three, rank("distance", "max", reference=SHIP), three) == "FFT"
    assert verdicts(three, rank("distance", "min", reference=SHIP), three) == "UUF"


def test_nearest_to_nothing_or_to_undecided():
    made = placed(115, 500)
    assert verdicts(made, rank("distance", "min", reference=SHIP), kept()) == "FF"
    assert "no ships" in judge(scene(), made, rank("distance", "min", reference=SHIP), {"ships": kept()}).why(0)
    # 495 px off 500: ship-1 at 100 px from the first; the undecided ship at 905 could only be nearer to the second
    doubtful = together(kept(SHIPS.candidates[0].region), undecided(box("ship-3", 520, 0, 530, 10, "ship")))
    assert verdicts(made, rank("distance", "min", reference=SHIP), doubtful) == "UU"
    assert verdicts(made, rank("distance", "min", reference=SHIP), undecided(box("ship-4", 0, 0, 1, 1))) == "UU"
    with pytest.raises(UsageError, match="ships"):
        verdicts(made, rank("distance", "min", reference=SHIP), {})


def test_a_pick_inside_a_condition_looks_at_the_open_ones():
    made = sized(300, 500, 400)
    assert verdicts(made, Not(condition=rank("area"))) == "TFT"
    moved = kept(box("a", 0, 0, 50, 10), box("b", 600, 0, 640, 10), box("c", 700, 0, 730, 10))
    # "on the right and not the largest (of those)"
    node = And(conditions=(Position(frame="half", place="right"), Not(condition=rank("area"))))
    assert verdicts(moved, node) == "FFT"
    chained = select(scene(), select(scene(), moved, node.conditions[0]), node.conditions[1])
    assert [candidate.status for candidate in chained] == [False, False, True]


def test_farthest_from_one_of_the_same_set_is_never_itself():
    three = kept(*(box(f"ship-{x}", x, 0, x + 10, 10, "ship") for x in (0, 100, 500)))
    first = kept(three.candidates[0].region)
    assert verdicts(three, rank("distance", "max", reference=SHIP), first) == "FFT"
    assert verdicts(three, rank("distance", "max", reference=SHIP, count=3), first) == "FTT"
    assert verdicts(three, rank("distance", "min", reference=SHIP), first) == "FTF"
    told = judge(scene(), three, rank("distance", "max", reference=SHIP), {"ships": first}).why(0)
    assert told == "there is no other one to measure from"
