"""Rules on one candidate: hand-worked values, edges first. Letters: T true, F false, U unknown; one a candidate."""

import numpy as np
import pytest
from scenes_by_hand import box, kept, scene, turned, verdicts
from surveyor.core.conditions import (
    And,
    ClassIs,
    Colour,
    Compare,
    InBox,
    Not,
    Or,
    Orientation,
    Position,
    Quantity,
    Shape,
    SizeWord,
)
from surveyor.core.errors import UsageError
from surveyor.core.scene import Scene
from surveyor.tools import CRISP, STRICT


def longer(value, unit="px", op=">", attribute="length"):
    return Compare(attribute=attribute, op=op, quantity=Quantity(value=value, unit=unit))


# 89, 90, 100, 109, 110 px long against 100 px: the strict band is 90..110, both ends decided
LENGTHS = kept(*(box(f"p{length}", 0, 0, length, 20) for length in (89, 90, 100, 109, 110)))


@pytest.mark.parametrize(
    ("op", "strict", "crisp"),
    [
        (">", "FFUUT", "FFFTT"),
        (">=", "FFUUT", "FFTTT"),
        ("<", "TTUUF", "TTFFF"),
        ("<=", "TTUUF", "TTTFF"),
        ("==", "UUTUU", "FTTTT"),  # off by .11 .10 0 .09 .10: strict true up to .05, false from .15; crisp up to .10
    ],
)
def test_comparison_at_the_edges_of_the_band(op, strict, crisp):
    assert verdicts(LENGTHS, longer(100, op=op), bands=STRICT) == strict
    assert verdicts(LENGTHS, longer(100, op=op), bands=CRISP) == crisp


def test_metric_comparison_needs_the_scale():
    assert verdicts(LENGTHS, longer(40, "m")) == "UUUUU"
    assert verdicts(kept(), longer(40, "m")) == ""
    # 0.5 m a pixel: 44.5, 45, 50, 54.5, 55 m
    assert verdicts(LENGTHS, longer(50, "m"), on=scene(gsd_m=0.5)) == "FFFTT"
    assert verdicts(LENGTHS, longer(0.05, "km", ">="), on=scene(gsd_m=0.5)) == "FFTTT"
    # areas 20 px wide at 0.5 m: 100 px -> 50 m x 10 m = 500 m2 = 0.05 ha
    assert verdicts(LENGTHS, longer(0.05, "ha", ">=", "area"), on=scene(gsd_m=0.5)) == "FFTTT"
    # perimeter 2 (100 + 20) = 240 px
    assert verdicts(LENGTHS, longer(240, "px", ">=", "perimeter")) == "FFTTT"


def test_pixels_need_not_be_square():
    class Stretched:
        size_wh, gsd_m, gsd_xy_m = (1000, 1000), 1.0, (0.5, 2.0)

    flat, tall = box("flat", 0, 0, 100, 20), box("tall", 0, 0, 20, 100)
    # flat: 50 m x 40 m; tall: 10 m x 200 m
    assert verdicts(kept(flat, tall), longer(60, "m"), on=Stretched()) == "FT"
    assert verdicts(kept(flat, tall), longer(10, "m", "==", "width"), on=Stretched()) == "FT"


def test_comparison_with_nothing():
    assert verdicts(LENGTHS, longer(0, op=">")) == "TTTTT"
    assert verdicts(LENGTHS, longer(0, op="<")) == "FFFFF"


def squares(*sides, label="plane"):
    return kept(*(box(f"{label}{i}", 0, 0, side, side, label) for i, side in enumerate(sides)))


def test_size_words_need_company():
    assert verdicts(squares(10), SizeWord(word="large")) == "U"
    assert verdicts(squares(10, 20), SizeWord(word="large"), bands=STRICT) == "UU"
    # two: p75 = 17.5, p60 = 16; crisp limit (1.1 * 17.5 + 16) / 2 = 17.625
    assert verdicts(squares(10, 20), SizeWord(word="large")) == "FT"
    # p25 = 12.5, p40 = 14; crisp limit (0.9 * 12.5 + 14) / 2 = 12.625
    assert verdicts(squares(10, 20), SizeWord(word="small")) == "TF"


def test_size_words_among_equals_are_false():
    assert verdicts(squares(10, 10, 10, 10), SizeWord(word="large"), bands=STRICT) == "FFFF"
    assert verdicts(squares(10, 10, 10, 10), SizeWord(word="small")) == "FFFF"


def test_size_words_by_quantiles():
    # 10 20 30 40 50: p75 = 40, p60 = 34 -> large from 44, not up to 34; p25 = 20, p40 = 26 -> small to 18, not from 26
    five = squares(10, 20, 30, 40, 50)
    assert verdicts(five, SizeWord(word="large"), bands=STRICT) == "FFFUT"
    assert verdicts(five, SizeWord(word="small"), bands=STRICT) == "TUFFF"
    assert verdicts(five, SizeWord(word="large")) == "FFFTT"  # limit 39
    assert verdicts(five, SizeWord(word="small")) == "TTFFF"  # limit 22


def test_size_words_go_by_class():
    both = kept(*(c.region for part in (squares(10, 20), squares(100, 200, label="ship")) for c in part))
    assert verdicts(both, SizeWord(word="large")) == "FTFT"


@pytest.mark.parametrize(
    ("word", "strict", "crisp"),
    [
        # aspects 1, 1.2, 1.3, 1.5, 2, 2.5, 3
        ("square", "TTUFFFF", "TTTFFFF"),
        ("elongated", "FFFFFUT", "FFFFFTT"),
    ],
)
def test_shape(word, strict, crisp):
    made = kept(*(box(str(a), 0, 0, 100 * a, 100) for a in (1, 1.2, 1.3, 1.5, 2, 2.5, 3)))
    assert verdicts(made, Shape(word=word), bands=STRICT) == strict
    assert verdicts(made, Shape(word=word)) == crisp


@pytest.mark.parametrize(
    ("word", "strict", "crisp"),
    [
        # angles      0 15 20 25 30 35 45 55 60 65 70 75 90 135 150
        ("horizontal", "TTUUFFFFFFFFFFF", "TTTFFFFFFFFFFFF"),  # 150 is 30 off the horizontal
        ("vertical", "FFFFFFFFFUUTTFF", "FFFFFFFFFFTTTFF"),
        ("diagonal", "FFFFUTTTUFFFFTU", "FFFFTTTTTFFFFTT"),
    ],
)
def test_orientation(word, strict, crisp):
    angles = (0, 15, 20, 25, 30, 35, 45, 55, 60, 65, 70, 75, 90, 135, 150)
    made = kept(*(turned(str(angle), 500, 500, 100, 40, angle) for angle in angles))
    assert verdicts(made, Orientation(word=word), bands=STRICT) == strict
    assert verdicts(made, Orientation(word=word)) == crisp


def test_orientation_of_nearly_equal_sides_is_unknown():
    made = kept(*(box(str(a), 0, 0, 100 * a, 100) for a in (1, 1.19, 1.3, 1.5)))
    assert verdicts(made, Orientation(word="horizontal"), bands=STRICT) == "UUUT"
    assert verdicts(made, Orientation(word="vertical")) == "UUFF"


def test_cells():
    # 900 px: cells end at 300 and 600, the strict margin is 27 px; boxes 10 px wide
    centres = (5, 272, 280, 300, 320, 328, 450)
    made = kept(*(box(str(x), x - 5, 445, x + 5, 455) for x in centres))
    on = scene(900, 900)
    left = Position(frame="cell", place="left")
    assert verdicts(made, left, bands=STRICT, on=on) == "TTUUUFF"
    assert verdicts(made, left, on=on) == "TTTUFFF"
    assert verdicts(made, Position(frame="cell", place="center"), on=on) == "FFFUTTT"
    assert verdicts(made, Position(frame="cell", place="top left"), on=on) == "FFFFFFF"
    # three quarters of the box must be in the cell under the strict bands: 250 +- 100 has 75 %, 260 +- 100 has 70 %
    wide = kept(box("a", 150, 445, 350, 455), box("b", 160, 445, 360, 455))
    assert verdicts(wide, left, bands=STRICT, on=on) == "TU"
    assert verdicts(wide, left, on=on) == "TT"


def test_boxes_said_in_numbers():
    # 1000 x 500 px: thousandths of each side; the strict margin is 30 and 15 px
    centres = ((250, 100), (231, 100), (200, 100), (199, 100), (250, 40), (250, 260), (600, 240))
    made = kept(*(box(f"{x}-{y}", x - 5, y - 5, x + 5, y + 5) for x, y in centres))
    on = scene(1000, 500)
    asked = InBox(xyxy=(200, 100, 700, 500))  # 200..700 x 50..250 px
    assert verdicts(made, asked, on=on) == "TTUFFFT"
    assert verdicts(made, asked, bands=STRICT, on=on) == "TTUUUUU"
    assert verdicts(made, InBox(xyxy=(200, 50, 700, 250), unit="px"), on=on) == "TTUFFFT"
    assert verdicts(made, InBox(xyxy=(0, 0, 1000, 1000)), on=on) == "TTTTTTT"  # the image's own border bounds nothing
    assert verdicts(made, InBox(xyxy=(0, 0, 9000, 9000), unit="px"), on=on) == "TTTTTTT"
    with pytest.raises(UsageError, match="outside the image of 1000 x 500 px"):
        verdicts(made, InBox(xyxy=(1000, 0, 1200, 100), unit="px"), on=on)


def test_halves_and_quadrants():
    # 1000 px: strict margin 50 px
    made = kept(*(box(str(x), x - 10, 90, x + 10, 110) for x in (450, 451, 500, 549, 550)))
    assert verdicts(made, Position(frame="half", place="left"), bands=STRICT) == "TUUUF"
    assert verdicts(made, Position(frame="half", place="left")) == "TTUFF"
    assert verdicts(made, Position(frame="half", place="right")) == "FFUTT"
    assert verdicts(made, Position(frame="half", place="top")) == "TTTTT"
    assert verdicts(made, Position(frame="quadrant", place="top right")) == "FFUTT"
    assert verdicts(made, Position(frame="quadrant", place="bottom right")) == "FFFFF"


def test_edges():
    # left ends at -5, 0, 25, 26, 49, 50 of 1000 px: true at 0, false from 5 %; crisp up to 2.5 %
    made = kept(*(box(str(x), x, 500, x + 20, 520) for x in (-5, 0, 25, 26, 49, 50)))
    left = Position(frame="edge", place="left")
    assert verdicts(made, left, bands=STRICT) == "TTUUUF"
    assert verdicts(made, left) == "TTTFFF"
    assert verdicts(made, Position(frame="edge", place="any")) == "TTTFFF"
    assert verdicts(made, Position(frame="edge", place="bottom")) == "FFFFFF"


def painted(colour, second=None, share=0.5):
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[20:60, 20:60] = colour
    if second is not None:
        pixels[20:60, 20 : 20 + round(40 * share)] = second
    return Scene.from_array(pixels)


@pytest.mark.parametrize(
    ("rgb", "word"),
    [
        ((200, 30, 30), "red"),
        ((230, 120, 20), "orange"),
        ((230, 210, 40), "yellow"),
        ((60, 130, 50), "green"),
        ((40, 80, 180), "blue"),
        ((130, 50, 160), "purple"),
        ((110, 75, 45), "brown"),
        ((240, 242, 238), "white"),
        ((128, 130, 126), "grey"),
        ((15, 18, 20), "black"),
    ],
)
def test_colours(rgb, word):
    made = kept(box("a", 20, 20, 60, 60))
    assert verdicts(made, Colour(word=word), on=painted(rgb), bands=STRICT) == "T"
    other = "green" if word != "green" else "red"
    assert verdicts(made, Colour(word=other), on=painted(rgb)) == "F"


def test_colour_of_few_or_mixed_pixels():
    # 6 x 6 px: eroding 2 px leaves 4 of 36, less than an eighth, so all 36 count: enough for crisp, not for strict
    small = kept(box("a", 30, 30, 36, 36))
    assert verdicts(small, Colour(word="red"), on=painted((200, 30, 30)), bands=STRICT) == "U"
    assert verdicts(small, Colour(word="red"), on=painted((200, 30, 30))) == "T"
    assert verdicts(kept(box("a", 30, 30, 33, 33)), Colour(word="red"), on=painted((200, 30, 30))) == "U"
    # 40 % white, 60 % red: the median is red, but the runner-up is above 25 %
    mixed = painted((200, 30, 30), (250, 250, 250), 0.4)
    assert verdicts(kept(box("a", 20, 20, 60, 60)), Colour(word="red"), on=mixed, bands=STRICT) == "U"
    assert verdicts(kept(box("a", 20, 20, 60, 60)), Colour(word="red"), on=mixed) == "T"
    # outside of the image there are no pixels
    assert verdicts(kept(box("a", 200, 20, 260, 60)), Colour(word="red"), on=mixed) == "U"


def test_classes():
    made = kept(box("a", 0, 0, 1, 1, "airplane"), box("b", 0, 0, 1, 1, "small-vehicle"), box("c", 0, 0, 1, 1, "ship"))
    assert verdicts(made, ClassIs(phrase="planes")) == "TFF"
    assert verdicts(made, ClassIs(phrase="vehicles")) == "FTF"
    assert verdicts(made, ClassIs(phrase="bridge")) == "FFF"
    assert verdicts(kept(), ClassIs(phrase="bridge")) == ""


def test_and_or_not_follow_kleene():
    true, false, unknown = longer(1), longer(999), longer(1, "m")
    one = kept(box("a", 0, 0, 10, 10))
    table = {"T": true, "F": false, "U": unknown}
    conjunction = {"TT": "T", "TF": "F", "TU": "U", "FF": "F", "FU": "F", "UU": "U"}
    disjunction = {"TT": "T", "TF": "T", "TU": "T", "FF": "F", "FU": "U", "UU": "U"}
    for pair, expected in conjunction.items():
        for a, b in (pair, pair[::-1]):
            assert verdicts(one, And(conditions=(table[a], table[b]))) == expected
            assert verdicts(one, Or(conditions=(table[a], table[b]))) == disjunction[pair]
    assert [verdicts(one, Not(condition=table[a])) for a in "TFU"] == ["F", "T", "U"]
