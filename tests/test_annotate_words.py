"""Places, groups, sentences by rule, phrases tied to masks, and the strict readers of what models say."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from surveyor.core.errors import ModelOutputError
from surveyor.core.masks import Mask
from surveyor.evals.datasets import geopixeld
from surveyor.finetune.annotate.places import (
    CELLS,
    HALVES,
    QUARTERS,
    SCATTERED,
    THIRDS,
    WIDE_MIDDLE,
    cell_of,
    grouped,
    half_of,
    place_of,
)
from surveyor.finetune.annotate.reading import (
    MOST_WORDS,
    Refused,
    looks_like,
    marked_in,
    read_glance,
    read_group,
    read_objects,
    read_scene,
    read_unified,
)
from surveyor.finetune.annotate.views import Item
from surveyor.finetune.annotate.words import (
    Phrase,
    counted,
    group_sentence,
    one_sentence,
    rounded,
    row_sentence,
    scene_words,
    tagged,
    unmarked,
)
from surveyor.finetune.augment.turning import Turn, turned_words

SIDE = 90


def dot(x: int, y: int, side: int = 4) -> Mask:
    return Mask.from_array(np.ones((side, side)), (x, y), (SIDE, SIDE))


def item(label: str, x: float, y: float, width: float = 4, height: float = 4, shape: str = "oriented box") -> Item:
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], dtype=np.float64)
    return Item(label, Mask.from_polygon(corners, (SIDE, SIDE)), shape, corners)


# ---- places ------------------------------------------------------------------------------------------------------


def test_a_cell_is_chosen_by_pixels_not_by_the_centre_of_the_box() -> None:
    pixels = np.zeros((SIDE, SIDE))
    pixels[:30, :30] = 1  # 900 px in the upper left
    pixels[30:60, 59] = pixels[59, 30:60] = pixels[29, :60] = 1  # a thin arm: the box's centre is elsewhere
    mask = Mask.from_array(pixels)
    x0, y0, x1, y1 = mask.box_px
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == (30, 30)
    assert place_of(mask) == "in the upper left"


def test_all_nine_cells() -> None:
    found = [[place_of(dot(column * 30 + 10, row * 30 + 10)) for column in range(3)] for row in range(3)]
    assert tuple(map(tuple, found)) == CELLS


def test_the_middle_cell_is_larger_for_groups() -> None:
    mask = dot(26, 43, 4)  # centre at 28 of 90: left third (30), but beyond 0.3 (27)
    assert cell_of(mask, THIRDS) == (1, 0) and cell_of(mask, WIDE_MIDDLE) == (1, 1)


def test_three_stages() -> None:
    # 4 of 10 in one cell (a third or more); of the other 6, 3 in one quarter but different cells; the rest has no half
    corner = [dot(x, 5) for x in (2, 8, 14, 20)]
    quarter = [dot(70, 50), dot(50, 70), dot(84, 84)]  # lower right quarter: cells (1,2), (2,1), (2,2)
    rest = [dot(5, 80), dot(80, 5), dot(5, 40)]
    groups = grouped([*corner, *quarter, *rest])
    assert [(group.place, group.members) for group in groups] == [
        ("in the upper left", (0, 1, 2, 3)),
        ("in the lower right quarter", (4, 5, 6)),
        (SCATTERED, (7, 8, 9)),
    ]
    assert [group.place for group in grouped([dot(5, 5), dot(20, 80)])] == ["in the left half"]
    assert grouped([]) == []
    assert [group.place for group in grouped([dot(43, 43)])] == ["in the centre"]


@given(st.lists(st.tuples(st.integers(0, 86), st.integers(0, 86)), max_size=40))
def test_every_object_is_in_exactly_one_group(places: list[tuple[int, int]]) -> None:
    masks = [dot(*place) for place in places]
    members = [index for group in grouped(masks) for index in group.members]
    assert sorted(members) == list(range(len(masks)))
    for group in grouped(masks):
        if group.place in HALVES:
            assert half_of([masks[index] for index in group.members], 1.0) == group.place


@pytest.mark.parametrize("grid", [CELLS, QUARTERS, (HALVES[:2],), (HALVES[2:],)], ids=["cells", "quarters", "lr", "ud"])
@pytest.mark.parametrize("turn", ["left-right", "up-down"])
def test_place_words_can_be_turned_with_their_picture(grid: tuple, turn: str) -> None:
    turned = [row[::-1] for row in grid] if turn == "left-right" else list(grid[::-1])
    if grid in ((HALVES[:2],), (HALVES[2:],)):  # halves lie along one direction only
        turned = [grid[0][::-1]] if (grid == (HALVES[:2],)) == (turn == "left-right") else list(grid)
    for row, new in zip(grid, turned, strict=True):
        for place, there in zip(row, new, strict=True):
            assert turned_words(f"There is a ship {place}.", Turn(turn)) == f"There is a ship {there}."


# ---- sentences ---------------------------------------------------------------------------------------------------


def test_numbers_in_words() -> None:
    assert [counted("bus", n) for n in (1, 2, 12, 13, 22)] == [
        "bus",
        "two buses",
        "twelve buses",
        "about 15 buses",
        "about 20 buses",
    ]
    assert [rounded(n) for n in (13, 47, 48, 96, 204, 224, 225)] == [15, 45, 50, 100, 200, 200, 250]


@given(st.integers(13, 100_000))
def test_about_is_never_far_off(count: int) -> None:
    assert abs(rounded(count) - count) <= 0.16 * count


def test_sentences_by_rule() -> None:
    ships = [item("ship", x, 5) for x in (5, 12, 20)] + [item("airplane", 80, 80)]
    assert scene_words(ships) == (
        "This image, taken from above, shows three ships and an airplane. Most of them lie in the left half."
    )
    assert scene_words(ships[-1:]) == "This image, taken from above, shows an airplane."
    assert row_sentence(["a-1", "a-2", "a-3"], "on the left") == "The a-1, a-2 and a-3 lie on the left."
    assert (
        group_sentence("nine other cars-3", 9, SCATTERED, Random(0))
        == "Nine other cars-3 are scattered across the image."
    )
    assert group_sentence("two cars-3", 2, SCATTERED, Random(0)) == "Two cars-3 lie in different parts of the image."
    assert group_sentence("car-3", 1, "at the top", Random(0), is_other=True) == "There is another car-3 at the top."


@pytest.mark.parametrize(
    ("corners", "shape", "gsd_m", "told"),
    [
        (
            [(10, 10), (50, 10), (50, 20), (10, 20)],
            "oriented box",
            0.5,
            "it is about 20 m long and runs from left to right",
        ),
        ([(10, 10), (20, 10), (20, 50), (10, 50)], "pixels", None, "it runs from top to bottom"),
        ([(10, 10), (50, 50), (47, 53), (7, 13)], "pixels", None, "it runs from the upper left to the lower right"),
        ([(50, 10), (53, 13), (13, 53), (10, 50)], "pixels", None, "it runs from the lower left to the upper right"),
        ([(10, 10), (20, 10), (20, 20), (10, 20)], "box", 0.5, ""),  # a box's side is no object's length
    ],
)
def test_extent_is_told_where_it_is_known(corners: list, shape: str, gsd_m: float | None, told: str) -> None:
    points = np.array(corners, dtype=np.float64)
    bridge = Item("bridge", Mask.from_polygon(points, (SIDE, SIDE)), shape, points)
    said = one_sentence("bridge-1", bridge, "on the left", gsd_m, Random(1))
    assert said.endswith(f"; {told}." if told else ".") and (bool(told) == ("; it" in said))


# ---- phrases -----------------------------------------------------------------------------------------------------

COURT, CARS, MORE = (
    Phrase(1, "tennis court", (0,)),
    Phrase(2, "about 20 cars", (1, 2)),
    Phrase(12, "tennis court", (3,)),
)


def test_phrases_are_tagged_in_the_order_of_the_text() -> None:
    text = "About 20 cars-2 stand by the tennis court-12, the tennis court-1 lies apart."
    done, order = tagged(text, [COURT, CARS, MORE])
    assert geopixeld.phrases(done) == ["About 20 cars-2", "tennis court-12", "tennis court-1"]
    assert [phrase.number for phrase in order] == [2, 12, 1]
    assert geopixeld.without_tags(done) == text
    assert unmarked(text, order) == "About 20 cars stand by the tennis court, the tennis court lies apart."


@pytest.mark.parametrize(
    "text",
    ["", "A tennis court-1 and a tennis court-1.", "A tennis court-12.", "A tennis court 1.", "A tennis court-1-2."],
)
def test_a_phrase_must_stand_there_exactly_once(text: str) -> None:
    with pytest.raises(ModelOutputError, match=r"tennis court-1'.*expected once"):
        tagged(text, [COURT])


@given(st.permutations(range(8)), st.sampled_from(["ship", "boeing-747", "bus stop", "12 cars"]))
def test_tagging_keeps_what_belongs_together_in_any_order(order: list[int], words: str) -> None:
    phrases = [Phrase(number + 1, words, (number,)) for number in range(8)]
    text = ". Then ".join(phrases[number].marked for number in order)
    done, found = tagged(text, phrases)
    assert [phrase.members[0] for phrase in found] == order
    assert [geopixeld.without_number(phrase) for phrase in geopixeld.phrases(done)] == [words] * 8


# ---- readers -----------------------------------------------------------------------------------------------------

ASKED = {2: "tennis court", 5: "ship"}
DRAWN = [1, 2, 3, 5]


@pytest.mark.parametrize(
    "reply",
    [
        "2: The tennis court is green.\n5: The ship is white.",
        "5. The ship is white.\n\n2) The tennis court is green",
        "**2:** The tennis court is green.\n- 5: The ship is white.",
        "Object 2: The tennis court is green.\nMarker [5]: The ship is white.",
    ],
)
def test_lines_with_numbers_are_read(reply: str) -> None:
    assert read_objects(reply, ASKED, DRAWN) == {2: "The tennis court is green.", 5: "The ship is white."}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "the reply is empty"),
        ("The tennis court is green, the ship is white.", "no line of number and description"),
        ("2: The tennis court is green.", "leaves out a number"),
        ("2: The tennis court is green.\n5: The ship is white.\n3: A car.", "a number that was not asked for (3)"),
        ("2: The tennis court is green.\n2: The tennis court is large.\n5: A ship.", "one number twice"),
        ("2: The tennis court is left of 3.\n5: The ship is white.", "a number that was not asked for (3)"),
        ("2: The court is green.\n5: The ship is white.", "does not name the class"),
        ("2: The tennis court with a yellow square.\n5: The ship is white.", "tells of the markers"),
        ("2: The tennis court in the foreground.\n5: The ship is white.", "tells of depth"),
        ("2: The tennis court below a blue sky.\n5: The ship is white.", "a view from the side"),
        ("2: I cannot see a tennis court.\n5: The ship is white.", "speaks of itself"),
        ("2: The tennis court <p> x </p>.\n5: The ship is white.", "holds tags"),
        ("2: The tennis court is green and …\n5: The ship is white.", "was cut short"),
        (f"2: The tennis court {'very ' * MOST_WORDS}large.\n5: The ship is white.", "more than"),
    ],
)
def test_what_is_not_believed(reply: str, reason: str) -> None:
    with pytest.raises(Refused) as error:
        read_objects(reply, ASKED, DRAWN)
    assert reason in str(error.value) and error.value.raw == reply


def test_one_object_needs_no_number_and_harmless_words_pass() -> None:
    said = "The tennis court has two white markings and a number of benches in row 7."
    assert read_objects(said, {1: "tennis court"}, [1, 2]) == {1: said}


@pytest.mark.parametrize("reply", ["20 cars in rows.", "About 20 cars.", "The cars stand in three rows.", "23 cars."])
def test_group_numbers_that_are_right(reply: str) -> None:
    assert read_group(reply, "car", 22 if "23" not in reply else 23) == reply


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("About 30 cars.", "another number"),
        ("Three cars.", "another number"),
        ("Three small cars.", "another number"),
        ("Many vehicles.", "does not name the class"),
        ("", "empty"),
    ],
)
def test_group_numbers_that_are_wrong(reply: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_group(reply, "car", 22)


def test_scene_tells_no_numbers() -> None:
    assert read_scene(" A busy  harbour. Calm water ") == "A busy harbour. Calm water."
    with pytest.raises(Refused, match="tells a number"):
        read_scene("A harbour with 12 ships.")


def test_glances() -> None:
    assert read_glance("An airplane.", "airplane") is None
    assert (
        looks_like("ship-3", "white ship with a red deck", "ship", "at the top")
        == "At the top there is a white ship-3 with a red deck."
    )
    assert looks_like("ship-3", "ferry", "ship", "at the top") == "The ship-3 at the top looks like a ferry."
    with pytest.raises(Refused):
        read_glance(" ", "ship")


BEFORE = "The tennis court-1 lies on the left. There are about 20 cars-2 at the top of a field; three trees stand by."
PHRASES = [COURT, CARS]


@pytest.mark.parametrize(
    "reply",
    [
        "At the top of a field, about 20 cars-2 stand near 3 trees; the tennis court-1 is on the left.",
        '"The tennis court-1 on the left and, at the top, about 20 cars-2"',
        "Tennis court-1 lies left of about 20 cars-2 in the upper part.",
    ],
)
def test_a_paraphrase_that_keeps_everything(reply: str) -> None:
    assert tagged(read_unified(reply, PHRASES, BEFORE), PHRASES)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "is empty"),
        ("The tennis court-1 lies on the left.", "does not keep the phrases"),
        ("The tennis court-1 and tennis court-1, about 20 cars-2.", "does not keep the phrases"),
        ("The tennis court and about 20 cars-2.", "does not keep the phrases"),
        (
            "The tennis court-1 lies at the top. About 20 cars-2 on the left.",
            "loses where something is.*tennis court-1: left",
        ),
        ("The tennis court-1 and about 20 cars-2.", "loses where something is"),
        ("Left, top, right: the tennis court-1, about 20 cars-2.", "a direction that the text has not"),
        ("Left: the tennis court-1; top: about 20 cars-2 and 7 trees.", "a number that the text has not"),
        ("Left: the tennis court-1; top: about 20 cars-2 and four trees.", "a number that the text has not"),
        ("Left: the tennis court-1; top: about 20 cars-2 and a pool-x2y-3.", "makes up a phrase"),
        ("Left: the tennis court-1; top: about 20 cars-2. Rewrite this description.", "speaks of itself"),
        ("Left: the <p> tennis court-1 </p>; top: about 20 cars-2.", "holds tags"),
        ("Left: the tennis court-1; top: about 20 cars-2" + " and more" * 60, "much longer"),
    ],
)
def test_a_paraphrase_that_does_not(reply: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_unified(reply, PHRASES, BEFORE)


@given(st.text(max_size=200) | st.from_regex(r"(?:\d: [\w .,<>-]{0,40}\n){0,4}", fullmatch=True))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (
        lambda: read_objects(text, ASKED, DRAWN),
        lambda: read_group(text, "car", 20),
        lambda: read_scene(text),
        lambda: read_glance(text, "car"),
        lambda: read_unified(text, PHRASES, BEFORE),
    ):
        try:
            read()
        except Refused as error:
            assert error.reason and error.raw == text


def test_the_noun_of_the_class_becomes_the_phrase() -> None:
    assert marked_in("The Tennis court is green.", "tennis court", 3, (7,)) == (
        "The Tennis court-3 is green.",
        Phrase(3, "Tennis court", (7,)),
    )
    assert marked_in("There are about 20 small ships.", "ship", 4, (0, 1))[1].words == "about 20 small ships"
    assert marked_in("Ships lie in rows.", "ship", 4, (0, 1))[1].words == "Ships"
    with pytest.raises(Refused):
        marked_in("Nothing.", "ship", 1, (0,))


def test_what_has_no_number_has_no_article() -> None:
    water = item("water", 5, 5)
    assert scene_words([water]) == "This image, taken from above, shows water."
    assert " a water" not in one_sentence("water-1", water, "on the left", None, Random(0))
