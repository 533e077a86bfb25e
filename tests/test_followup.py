"""What a line means in a conversation, by cases; any text at all gives a meaning or a QueryError."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from surveyor.agent.followup import understand
from surveyor.agent.followup_meanings import Ask, Courtesy, GoTo, Like, Meaning, Why
from surveyor.agent.followup_mentions import Known, Setting
from surveyor.agent.followup_text import Patched
from surveyor.agent.parser import parse
from surveyor.core.conditions import Among, Request, walk
from surveyor.core.errors import QueryError
from surveyor.core.wording import words

KEPT, OTHERS = ("plane-1", "plane-2", "plane-5"), ("plane-3", "plane-4")


def turn(
    number: int, query: str, image: int = 1, kept: tuple[str, ...] = KEPT, others: tuple[str, ...] = OTHERS
) -> Known:
    labels = {name: name.rpartition("-")[0] for name in (*kept, *others)}
    return Known(number, image, parse(query), kept, others, {**labels, "river-1": "river"})


def setting(*queries: str, images: tuple[str, ...] = ("a.jpg", "b.jpg"), current: int = 1) -> Setting:
    return Setting(images, current, tuple(turn(n, query) for n, query in enumerate(queries, start=1)))


LONG = setting("planes longer than 20 m")


def told(meaning: Meaning) -> str:
    """A meaning on one line."""
    if isinstance(meaning, Ask):
        images = sorted((meaning.image, *meaning.also_on))
        where = "" if images == [1] else f" @{','.join(map(str, images))}"
        return f"{'' if meaning.edits is None else '+'}{words(meaning.request)}{where}"
    if isinstance(meaning, Why):
        instead = "" if meaning.request is None else f": {words(meaning.request)}"
        return f"why {' '.join(meaning.ids)}{instead}".strip()
    if isinstance(meaning, Courtesy):
        return meaning.kind
    if isinstance(meaning, Like):
        return f"like {meaning.id}"
    return f"go {meaning.image}" if isinstance(meaning, GoTo) else "undo"


CASES = [
    # narrowing the last answer
    ("of those, the longer than 50 m", "+detect all planes longer than 20 m and longer than 50 m"),
    ("Of those, the longest", "+detect the longest plane that is longer than 20 m"),
    ("among them, the two largest", "+detect the two largest planes longer than 20 m"),
    ("of those planes, the red ones", "+detect all planes longer than 20 m and red"),
    ("only the red ones", "+detect all planes longer than 20 m and red"),
    ("red", "+detect all planes longer than 20 m and red"),
    ("longer than 50 m", "+detect all planes longer than 20 m and longer than 50 m"),
    ("and near the river", "+detect all planes longer than 20 m and near the river"),
    ("the ones near the river", "+detect all planes longer than 20 m and near the river"),
    ("in the left half", "+detect all planes longer than 20 m and in the left half"),
    ("without the red ones", "+detect all planes longer than 20 m and not red"),
    ("except the largest", "+detect all planes longer than 20 m and not the largest"),
    ("without plane-1", "+detect all planes longer than 20 m and not called plane-1"),
    ("except plane-1 and plane-2", "+detect all planes longer than 20 m and not called plane-1 or plane-2"),
    ("describe them", "+describe all planes longer than 20 m"),
    ("and now describe them", "+describe all planes longer than 20 m"),
    ("the largest of them", "+detect the largest plane that is longer than 20 m"),
    ("the third one from the left", "+detect the third plane from the left that is longer than 20 m"),
    ("which is the largest?", "+detect the largest plane that is longer than 20 m"),
    ("which ones are red?", "+detect all planes longer than 20 m and red"),
    # another verb on the last answer
    ("now segment them", "+segment all planes longer than 20 m"),
    ("segment the largest", "+segment the largest plane that is longer than 20 m"),
    ("segment those planes", "+segment all planes longer than 20 m"),
    ("how many are there?", "+count all planes longer than 20 m"),
    ("how many?", "+count all planes longer than 20 m"),
    ("how many of them are red?", "+count all planes longer than 20 m and red"),
    ("how long are they?", "+measure the length of all planes longer than 20 m"),
    ("what are their widths", "+measure the width of all planes longer than 20 m"),
    ("are any of them red?", "+check whether there are any planes longer than 20 m and red"),
    ("is there one near the river?", "+check whether there are any planes longer than 20 m and near the river"),
    # the same of something else, or elsewhere
    ("the same for ships", "+detect all ships longer than 20 m"),
    ("what about the storage tanks?", "+detect all storage tanks longer than 20 m"),
    ("and the ships?", "+detect all ships longer than 20 m"),
    ("what about the ones longer than 50 m?", "+detect all planes longer than 50 m"),
    ("and in the other image?", "+detect all planes longer than 20 m @2"),
    ("in b.jpg", "+detect all planes longer than 20 m @2"),
    ("the same in image 2", "+detect all planes longer than 20 m @2"),
    ("how many of them are in image 2?", "+count all planes longer than 20 m @2"),
    # regions
    ("describe plane-4", "describe the plane called plane-4"),
    ("describe region 4", "describe the plane called plane-4"),
    ("what is plane-4?", "describe the plane called plane-4"),
    ("segment the third one", "segment the plane called plane-5"),
    ("the last one", "detect the plane called plane-5"),
    ("the first two", "detect the two planes called plane-1 or plane-2"),
    ("segment plane-3 and plane-4", "segment the two planes called plane-3 or plane-4"),
    ("ships near plane-3", "detect all ships near the plane called plane-3"),
    ("the ship nearest to plane-3", "detect the ship nearest to the plane called plane-3"),
    ("how long is plane-3?", "measure the length of the plane called plane-3"),
    ("planes near river-1", "detect all planes near the river called river-1"),
    # boxes
    ("what is at [100, 200, 300, 400]?", "detect all objects overlapping the [100 200 300 400] box"),
    ("what is in box 100 200 300 400?", "detect all objects inside the [100 200 300 400] box"),
    ("segment [100,200,300,400]", "segment the [100 200 300 400] box"),
    ("describe [100,200,300,400]", "describe all objects overlapping the [100 200 300 400] box"),
    ("ships near [100, 200, 300, 400]", "detect all ships near the [100 200 300 400] box"),
    ("count the ships in (0, 0, 50.5, 60)", "count all ships inside the [0 0 50.5 60] box"),
    # explanations, likeness, undo, images
    ("why plane-4?", "why plane-4"),
    ("why not plane-4?", "why plane-4"),
    ("why is plane-4 not in the answer?", "why plane-4"),
    ("why not the fourth one?", "why plane-3"),
    ("why region 4?", "why plane-4"),
    ("what about plane-4?", "why plane-4"),
    ("why?", "why"),
    ("and plane-4?", "why plane-4"),
    ("what else is like plane-3?", "like plane-3"),
    ("find others similar to the second one", "like plane-2"),
    ("undo", "undo"),
    ("Undo that.", "undo"),
    ("image 2", "go 2"),
    ("switch to b.jpg", "go 2"),
    # taken out, put in, the others
    ("leave out those shorter than 30 m", "+detect all planes longer than 20 m and not shorter than 30 m"),
    ("leave the red ones out", "+detect all planes longer than 20 m and not red"),
    ("remove the second one", "+detect all planes longer than 20 m and not called plane-2"),
    ("drop plane-1 and plane-2", "+detect all planes longer than 20 m and not called plane-1 or plane-2"),
    ("without the second one", "+detect all planes longer than 20 m and not called plane-2"),
    ("also the ships", "+detect all planes longer than 20 m, and ships"),
    ("and the ships too", "+detect all planes longer than 20 m, and ships"),
    ("and the ships as well?", "+detect all planes longer than 20 m, and ships"),
    ("add the red ships to them", "+detect all planes longer than 20 m, and red ships"),
    ("also the ones longer than 50 m", "+detect all planes longer than 20 m or longer than 50 m"),
    ("also the planes", "+detect all planes"),
    ("also near the river", "+detect all planes longer than 20 m and near the river"),
    ("also segment them", "+segment all planes longer than 20 m"),
    ("the others", "+detect all planes that are not longer than 20 m"),
    ("segment the rest", "+segment all planes that are not longer than 20 m"),
    ("how long are the other planes?", "+measure the length of all planes that are not longer than 20 m"),
    ("which ones?", "+detect all planes longer than 20 m"),
    ("just the top half", "+detect all planes longer than 20 m and in the top half"),
    ("show them all again", "+detect all planes longer than 20 m"),
    ("how many is that?", "+count all planes longer than 20 m"),
    ("how many are left?", "+count all planes longer than 20 m"),
    ("what is left?", "+detect all planes longer than 20 m"),
    ("what remains now?", "+detect all planes longer than 20 m"),
    ("which ones are left?", "+detect all planes longer than 20 m"),
    ("and their average length?", "+measure the average length of all planes longer than 20 m"),
    ("what else is near them?", "+detect all objects near planes longer than 20 m"),
    ("what is near plane-3?", "detect all objects near the plane called plane-3"),
    ("no, go back", "undo"),
    # all images
    ("planes in both images", "detect all planes @1,2"),
    ("in both images", "+detect all planes longer than 20 m @1,2"),
    ("both images?", "+detect all planes longer than 20 m @1,2"),
    ("how many of them are red in all images?", "+count all planes longer than 20 m and red @1,2"),
    # what is said for politeness
    ("thanks", "thanks"),
    ("Thank you very much!", "thanks"),
    ("ok, great", "fine"),
    ("hello", "greeting"),
    ("Great, now segment them", "+segment all planes longer than 20 m"),
    ("hi, how many ships are there?", "count all ships"),
    # why it is not what it might be
    ("why isn't the second one in?", "why plane-2"),
    ("why is plane-4 not longer than 20 m?", "why plane-4"),
    ("why is plane-4 not the largest?", "why plane-4: detect the largest plane"),
    ("why is plane-2 not the largest?", "why plane-2: detect the largest plane that is longer than 20 m"),
    ("why are they not red?", "why plane-1 plane-2 plane-5: detect all planes longer than 20 m and red"),
    # independent requests
    ("ships", "detect all ships"),
    ("the planes", "detect all planes"),
    ("ships in image 2", "detect all ships @2"),
    ("in image 2, how many ships are there?", "count all ships @2"),
    ("count the ships and segment them", "count all ships; segment all ships"),
    ("how many ships are longer than 40 m?", "count all ships longer than 40 m"),
]


@pytest.mark.parametrize(("text", "meaning"), CASES, ids=[text for text, _ in CASES])
def test_meaning(text: str, meaning: str) -> None:
    assert told(understand(text, LONG)) == meaning


REFUSED = [
    ("of those, the lngest", "did you mean 'longest'", "lngest"),
    ("only the lnger than 50 m", "did you mean 'longer'", "lnger"),
    ("of those, the frobnicating ones", "frobnicating", "frobnicating ones"),
    ("those ships near the river", "points at nothing", "those"),
    ("is it red?", "'it' could be any of 3; name one of plane-1, plane-2, plane-5: say e.g. 'is plane-1 red?'", "it"),
    ("describe plane-44", "no 'plane-44'", "plane-44"),
    ("why plane-44?", "no 'plane-44'", "plane-44"),
    ("why was plane-4 painted blue?", "painted blue", "painted blue?"),
    ("describe region 44", "no 'region 44'", "region 44"),
    ("segment the seventh one", "3 regions are in the last answer", "the seventh one"),
    ("shorter than 10 m", "nothing can be both", "shorter than 10 m"),
    ("ships in image 7", "there is no such image; there are 1 a.jpg, 2 b.jpg", "in image 7"),
    ("planes near [1, 2, 3]", "four numbers", "[1, 2, 3]"),
    ("planes near [30, 2, 3, 4]", "no area", "[30, 2, 3, 4]"),
    ("what else is like it?", "like which one", "what else is like it?"),
    ("what else is like a ship?", "like which region", "a ship"),
    ("describe plane-3 in image 2", "regions of image 1, not of image 2", "describe plane-3 in image 2"),
    ("#2 region", "'#2 region'", ""),
    ("describe it", "could be any of 3", "it"),
    ("compare vehicles with ships", "compare what of them", "compare"),
    ("that plane", "could be any of 3", "that plane"),
    ("one of those", "which one of them", "one of those"),
    ("ok, yes.", "asks for nothing", "ok, yes."),
    ("what?", "asks for nothing", "what?"),
    ("the same for", "", ""),
]


@pytest.mark.parametrize(("text", "says", "at"), REFUSED, ids=[text for text, *_ in REFUSED])
def test_refused_with_the_words(text: str, says: str, at: str) -> None:
    with pytest.raises(QueryError) as error:
        understand(text, LONG)
    assert says in str(error.value) and error.value.query == text
    assert not at or at in [text[start:stop] for start, stop in error.value.spans]
    assert not re.search("zorp|drund|quib", str(error.value)), "stand-in nouns stay inside"


@pytest.mark.parametrize(
    "text",
    ["of those, the longest", "segment them", "only the red ones", "undo them", "why plane-3?", "the same for ships",
     "what else is like this?", "in image 2"],
)  # fmt: skip
def test_nothing_before_is_told(text: str) -> None:
    with pytest.raises(QueryError):
        understand(text, setting())


def test_the_verb_goes_on_where_the_edit_has_none() -> None:
    counted, outlined = setting("how many planes are there?"), setting("segment the planes")
    assert told(understand("only the red ones", counted)) == "+count all red planes"
    assert told(understand("of those, the longest", counted)) == "+detect the longest plane"
    assert told(understand("of those, the longest", outlined)) == "+segment the longest plane"
    assert told(understand("find the red ones", outlined)) == "+detect all red planes"


def test_superlatives_are_asked_before_what_narrows_them() -> None:
    meaning = understand("of those, the red ones", setting("the three largest planes"))
    assert told(meaning) == "+detect all planes that are among the three largest and red"


def test_conditions_of_one_kind_are_replaced_by_what_about() -> None:
    before = setting("how many red planes are there in the left half?")
    for text in ("what about the blue ones?", "and the blue ones?"):
        assert told(understand(text, before)) == "+count all planes in the left half and blue"


def test_those_of_a_class_reach_further_back() -> None:
    before = setting("ships longer than 40 m", "planes")
    assert told(understand("segment those ships", before)) == "+segment all ships longer than 40 m"
    assert told(understand("segment them", before)) == "+segment all planes"


def test_several_sets_before_are_ambiguous() -> None:
    before = setting("count the tanks and segment the largest ship")
    with pytest.raises(QueryError, match="could be about 'tanks' or 'the largest ship'"):
        understand("only the red ones", before)


def test_a_follow_up_after_another_image_was_taken_says_which() -> None:
    before = Setting(("a.jpg", "b.jpg"), 2, (turn(1, "planes"),))
    with pytest.raises(QueryError, match="add 'in image 1' or 'in image 2'"):
        understand("segment them", before)
    assert told(understand("segment them in image 1", before)) == "+segment all planes"
    assert told(understand("planes", before)) == "detect all planes @2"


def test_ids_with_spaces_and_of_any_case() -> None:
    before = Setting(("a.jpg",), 1, (turn(1, "storage tanks", kept=("storage tank-3", "storage tank-12"), others=()),))
    assert told(understand("describe Storage tank-12", before)) == "describe the storage tank called storage tank-12"


# ---- anything at all ---------------------------------------------------------------------------------------------

WORDS = """of those them they it ones one only the first second third last two why not what about same for and in image
other undo plane-1 plane-3 plane-99 region 4 #2 [1, 2, 3, 4] [1 2] box 10 20 30 40 a.jpg planes ships those-planes red
largest longest longer than 50 m near river how many are there is any which segment describe count measure like else
similar to now then but also except without left half their length its area this that switch ? , . ( ) [ ] ; -
the_same zorp zorps drund quib what's at where also add too others rest both images leave out remove is it closest
top half bottom one's ones they thanks great hello again please within 200 side never which""".split()
LINES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9).map(" ".join)
SETTINGS = st.sampled_from(
    [
        LONG,
        setting(),
        setting(images=()),
        setting("the three largest planes near the river"),
        setting("count the planes and segment the ships"),
        setting("are there more ships than planes?"),
        setting("planes", "the largest plane"),
        Setting(
            ("a.jpg",),
            1,
            (
                Known(
                    1,
                    1,
                    parse("are the planes red?"),
                    KEPT[:1],
                    OTHERS,
                    dict.fromkeys((*KEPT, *OTHERS), "plane"),
                    about=parse("planes").outputs[0].target,
                    about_ids=KEPT,
                ),
            ),
        ),
        setting("ships that are white, and planes longer than 5 m", current=2),
        Setting(("x", "x"), 1, (turn(1, "planes", kept=("7",), others=("a b", "[1]", "plane-(2")),)),
    ]
)


@settings(max_examples=250, deadline=None)
@given(LINES | st.text(max_size=60) | st.tuples(LINES, st.text(max_size=8)).map("".join), SETTINGS)
@example("\x00", LONG)
@example("#2 region", LONG)
@example("the " * 300, LONG)
@example("why " + "(" * 40, LONG)
@example("zorp drund quib", LONG)
@example("[" * 50 + "1, 2, 3, 4", LONG)
@example("plane-1 " * 60, LONG)
def test_any_text_gives_a_meaning_or_an_error_with_its_words(text: str, before: Setting) -> None:
    try:
        meaning = understand(text, before)
    except QueryError as error:
        assert error.query == text and all(0 <= a < b <= len(text) for a, b in error.spans)
        return
    if isinstance(meaning, Ask):
        assert Request.model_validate_json(meaning.request.model_dump_json()) == meaning.request
        known = {name for each in before.turns for name in each.labels}
        named = {name for node in walk(meaning.request) if isinstance(node, Among) for name in node.ids}
        assert named <= known
        if not re.search("zorp|drund|quib", text.lower()):
            assert not re.search("zorp|drund|quib", words(meaning.request))


# ---- texts with replaced words -----------------------------------------------------------------------------------


def test_places_survive_replacing_inserting_and_cutting() -> None:
    patched = Patched("now segment them all").replaced(12, 16, "the ships").replaced(0, 0, "please ")
    assert patched.text == "please now segment the ships all"
    assert patched.source(19, 28) == (12, 16) and patched.is_inserted(0, 6) and not patched.is_inserted(0, 8)
    assert patched.cut(7).stripped().source(0, 3) == (0, 3)


@given(st.text("abc ", max_size=12), st.integers(0, 12), st.integers(0, 12), st.text("xy", max_size=5))
def test_what_is_left_stands_where_it_stood(text: str, one: int, other: int, new: str) -> None:
    start, stop = sorted((min(one, len(text)), min(other, len(text))))
    patched = Patched(text).replaced(start, stop, new)
    assert patched.text == text[:start] + new + text[stop:] and len(patched.places) == len(patched.text)
    for at, char in enumerate(patched.text):
        if not start <= at < start + len(new):
            first, last = patched.places[at]
            assert text[first:last] == char
