"""What the dialects of remote sensing models read, strictly and loosely, and what they never take for nothing."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.codec import Pointed, dialect
from surveyor.core.dialects.fitrs import NONE
from surveyor.core.errors import ModelOutputError, UsageError
from surveyor.tools.models.tasks import Tasks

SETTINGS = settings(deadline=None, max_examples=120)
SIZE = (1000, 1000)
NAMES = (
    "geochat", "geochat-ccw", "vrsbench", "vrsbench-obb1", "vrsbench-obb2", "fit-rs", "geoground", "geoground-16",
    "geoground-24", "geoground-le90", "falcon",
)  # fmt: skip
QUADS = ([[100, 200], [300, 200], [300, 260], [100, 260]], [[600, 500], [700, 600], [650, 650], [550, 550]])
TWO = [Pointed("obb", np.array(quad, dtype=np.float64)) for quad in QUADS]


def read(name, text, *, strict=True):
    return [item.points_px.round(6).tolist() for item in dialect(name).decode(text, SIZE, strict=strict)]


# ---- none, and what is not none


@pytest.mark.parametrize("name", NAMES)
def test_none_is_written_and_read(name):
    text = dialect(name).encode([], SIZE)
    for strict in (True, False):
        assert dialect(name).decode(text, SIZE, strict=strict) == []
        assert dialect(name).decode(" None.\n", SIZE, strict=strict) == []
    assert dialect(name).decode("No objects found.", SIZE, strict=False) == []
    with pytest.raises(ModelOutputError):
        dialect(name).decode("No objects found.", SIZE)


def test_the_sentence_of_fit_rs():
    assert dialect("fit-rs").encode([], SIZE) == NONE
    with pytest.raises(ModelOutputError):
        dialect("geochat").decode(NONE, SIZE)


UNREADABLE = [
    "", "  ", "\n", "I see two ships.", "[]", "{}", "[{}]", "null", "12", "{<1><2><3>}", "{<1><2><3><4><5>}",
    "{<1><2><3><4>|<5>", "{<1><2><3><4>|}", "<1><2><3><4>", "(1,2),(3,4)", "[(1,2),(3,4)]", '{"bbox_2d": [1, 2, 3, 4]}',
    "<box></box>", "<box>[[]]</box>", "<obb></obb>", "<seg></seg>", "<quad></quad>", "<poly></poly>", "<rbox>()</rbox>",
    "<rbox></rbox>", "<rbox>({<1><2><3><4>|<5>}", "<p>two ships</p>", "none none", "<box>[[1,2,3]]</box>",
    "<box>[[1,2,3,4]", "<box>[[1,2,3,4]]</obb>", "<obb>[[1,2,3,4]]</obb>", "<box>[[1,2,3,4,5]]</box>",
    "<box>[[1,2,3,4],]</box>", "<box>[[1,2,3,4][5,6,7,8]]</box>", "<box>[[1,2,3,NaN]]</box>", "<seg>0*2;0*3</seg>",
    "<seg>0*2</seg>", "<seg>0,1;1</seg>", "<seg>0,2;1,1</seg>", "<seg>0*2;;0*2</seg>", "<seg>0*-2;0*2</seg>",
    "<seg>0*999999;0*2</seg>", "<seg>0*2;1*2</seg><seg>0*2;0*2</seg>", "<quad><1><2><3><4></quad>",
    "<quad><1><2><3><4><5><6><7></quad>", "<box><1><2><3></box>", "<poly><1><2><3><4></poly>",
    "<poly><1><2><3><4><5></poly>", "<poly><1><2><3><4><5><6><sep></poly>", "<box><1><2><3><9999999999></box>",
    "{<1><2><3><99999999999>|<5>}", "{<１><2><3><4>|<5>}", "<quad><1><2><3><4><5><6><7><1e9></quad>",
    "<rbox>({<1><2><3><4>})</rbox>", "<rbox>({<1><2><3><4>|<5>} {<1><2><3><4>|<5>})</rbox>",
    "<rbox>({<1><2><3><4>|<5>},)</rbox>",
]  # fmt: skip


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable_text_is_never_nothing(name, text, strict):
    with pytest.raises(ModelOutputError) as caught:
        dialect(name).decode(text, SIZE, strict=strict)
    assert caught.value.raw == text


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_text_that_was_cut_off_is_never_a_shorter_list(name, strict):
    text = dialect(name).encode(TWO, SIZE)
    first = dialect(name).decode(text, SIZE)[0].points_px.tolist()
    for end in range(len(text)):
        try:
            objects = dialect(name).decode(text[:end], SIZE, strict=strict)
        except ModelOutputError:
            continue
        assert [item.points_px.tolist() for item in objects] == [first]  # cut exactly between two objects
        assert text[end - 1] in "}>" and text[end] in "{<"


# ---- words round objects, names, separators


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("before", "after"), [("There are 2: ", ""), ("", " That is all."), ("I see\n", "\n, done")])
def test_words_round_objects_are_read_only_when_asked(name, before, after):
    text = dialect(name).encode(TWO, SIZE)
    with pytest.raises(ModelOutputError):
        dialect(name).decode(f"{before}{text}{after}", SIZE)
    exact, loose = dialect(name).decode(text, SIZE), dialect(name).decode(f"{before}{text}{after}", SIZE, strict=False)
    assert [item.points_px.tolist() for item in loose] == [item.points_px.tolist() for item in exact]
    assert [item.span for item in loose] == [tuple(n + len(before) for n in item.span) for item in exact]


def test_names_of_geochat():
    speak = dialect("geochat")
    text = (
        "In the image there are <p>two gray ships</p> {<50><50><60><60>|<52>}<delim>{<10><10><20><20>|<90>} and "
        "{<1><1><2><2>|<3>}, beside <p>a <crane</p>"
    )
    with pytest.raises(ModelOutputError):
        speak.decode(text, SIZE, strict=False)  # the name holds a bracket
    text = text.replace("<crane", "crane")
    assert [i.label for i in speak.decode(text, SIZE, strict=False)] == ["two gray ships", "two gray ships", None]
    for bad in ("<p>ship</p><p>car</p>{<1><1><2><2>|<3>}", "{<1><1><2><2>|<3>}<p>car</p>", "<p>ship</p>"):
        with pytest.raises(ModelOutputError):
            speak.decode(bad, SIZE)
    with pytest.raises(ModelOutputError):
        speak.decode("<p>1 dump-truck at the center</p>", SIZE, strict=False)
    named = [Pointed("obb", item.points_px, label=label) for item, label in zip(TWO * 2, "aabb", strict=True)]
    assert speak.encode(named, SIZE).count("<p>") == 2
    assert [item.label for item in speak.decode(speak.encode(named, SIZE), SIZE)] == ["a", "a", "b", "b"]
    odd = Pointed("obb", TWO[0].points_px, label=" {<a>}\n</p> b ")
    assert [item.label for item in speak.decode(speak.encode([odd], SIZE), SIZE)] == ["a /p b"]


def test_names_of_geoground_are_read_from_ref():
    text = "<ref>the  vehicle </ref><obb>[[20,19,2,10,52]]</obb><box>[[1,2,3,4], [5,6,7,8]]</box>"
    assert [item.label for item in dialect("geoground").decode(text, SIZE)] == ["the  vehicle", None, None]
    assert [text[slice(*item.span)] for item in dialect("geoground").decode(text, SIZE)] == [
        "[20,19,2,10,52]", "[1,2,3,4]", "[5,6,7,8]",
    ]  # fmt: skip


def test_geochat_without_an_angle_is_upright_and_vrsbench_keeps_its_forms_apart():
    (item,) = dialect("geochat").decode("{<10><20><30><40>}", SIZE)
    assert item.kind == "box" and item.points_px.tolist() == [[100, 200], [300, 400]]
    mixed = dialect("geochat").decode("{<10><20><30><40>}{<10><20><30><40>|<90>}{<1><2><3><4>}", SIZE)
    assert [each.kind for each in mixed] == ["box", "obb", "box"]
    with pytest.raises(ModelOutputError, match="no angle"):
        dialect("vrsbench-obb1").decode("{<10><20><30><40>}", SIZE)
    with pytest.raises(ModelOutputError, match="obb form"):
        dialect("vrsbench").decode("{<10><20><30><40>|<5>}", SIZE)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("geochat", " { <10> <20.5><30 >< 40> | <90> } , ; {<1><2><3><4>|<5>}\n"),
        ("fit-rs", "<rbox>( {<10.25><20><3><4>|<30>} ,{<1><2><3><4>|<0>} )</rbox>"),
        ("fit-rs", "<rbox>({<10.25><20><3><4>|<30>})</rbox>, <rbox>({<1><2><3><4>|<0>})</rbox>"),
        ("geoground", "<box> [[1, 2,3 ,4]] </box>\n<obb>[[1,2,3,4,5]]</obb>"),
        ("falcon", "<box> <1><2> <3><4></box>; <quad><1><2><3><2><3><4><1><4></quad>"),
    ],
)  # fmt: skip
def test_spaces_and_separators(name, text):
    assert len(dialect(name).decode(text, SIZE)) == 2


def test_a_long_list_of_fit_rs_says_that_more_is_not_listed():
    boxes = dialect("fit-rs").encode(TWO, SIZE)
    tail = ", and due to the context length, the remaining objects are not listed."
    text = f"There are 23 ships in the image: {boxes}{tail}"
    assert len(dialect("fit-rs").decode(text, SIZE, strict=False)) == 2


def test_rings_of_falcon():
    ring = "<1><2><300><2><300><400>"
    objects = dialect("falcon").decode(f"<poly>{ring}<sep>{ring}<1><2></poly>", SIZE, kind="polygon")
    assert [len(item.points_px) for item in objects] == [3, 3]
    assert all(item.kind == "polygon" for item in objects)
    with pytest.raises(UsageError):
        dialect("falcon").encode([Pointed("polygon", np.zeros((2, 2)))], SIZE)
    with pytest.raises(UsageError):
        dialect("falcon").encode([Pointed("mask", np.zeros((5, 2)))], SIZE)


@pytest.mark.parametrize("name", ["falcon", "geoground", "vrsbench"])
def test_numbers_beyond_the_grid_are_clipped_by_at_most_a_tenth(name):
    form = {
        "falcon": "<box><{}><0><{}><{}></box>",
        "geoground": "<box>[[{},0,{},{}]]</box>",
        "vrsbench": "{{<{}><0><{}><{}>}}",
    }
    grid = 100 if name == "vrsbench" else 1000
    text = form[name].format(-grid // 20, grid + grid // 20, grid)
    assert read(name, text) == [[[0, 0], [1000, 1000]]]
    for bad in (form[name].format(0, grid, grid + grid // 5), form[name].format(-grid // 5, grid, grid)):
        with pytest.raises(ModelOutputError, match="another convention"):
            dialect(name).decode(bad, SIZE)


# ---- any text

PIECES = [
    "{<1><2><30><40>|<50>}", "{<1><2><30><40>}", "<rbox>(", ")</rbox>", "<box>[[1,2,3,4]]</box>", "<p>a</p>", "<delim>",
    "<obb>[[9,9,3,4,50]]</obb>", "<seg>0*2;0*1,1*1</seg>", "<quad><1><2><3><2><3><4><1><4></quad>", "<seg>", "</seg>",
    "none", " ", ",", "{", "}", "<", ">", "<box>", "</box>", "[[", "]]", "0*2;", "|<5>", "-", "x",
]  # fmt: skip
ALPHABET = "{}<>[]|(),;*-. \n0123456789pboxsegquad/none"
TEXTS = st.one_of(st.text(), st.text(ALPHABET, max_size=60), st.lists(st.sampled_from(PIECES), max_size=8).map("".join))


@pytest.mark.parametrize("name", NAMES)
@SETTINGS
@given(TEXTS)
def test_what_is_read_strictly_is_read_loosely_alike(name, text):
    found = []
    for strict in (True, False):
        try:
            objects = dialect(name).decode(text, (640, 480), strict=strict)
            found.append([(i.kind, i.points_px.tolist(), i.label, i.span) for i in objects])
        except ModelOutputError as error:
            assert error.raw == text
            found.append(None)
    assert found[0] is None or found[0] == found[1]
    for _, points, _, (start, stop) in found[1] or ():
        assert 0 <= start < stop <= len(text)
        assert np.isfinite(points).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "unit", [*"{<[|(-0", "<p>", "{<1>", "<rbox>(", "<seg>0*2;", "<seg>", "<box><1>", "<poly><1>", "{ ", "<obb>[[", "0,"]
)
def test_long_texts_take_no_long(name, unit):
    started = time.process_time()
    for text in (
        unit * 30_000,
        "<seg>" + unit * 30_000,
        "<box>[[" + unit * 30_000 + "]]</box>",
        "<rbox>(" + unit * 30_000,
    ):
        for strict in (True, False):
            with pytest.raises(ModelOutputError):
                dialect(name).decode(text, SIZE, strict=strict)
    assert time.process_time() - started < 5
    with pytest.raises(ModelOutputError, match="characters"):
        dialect(name).decode("x" * 1_000_001, SIZE)


# ---- in the tasks of a checkpoint that declares the dialect


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_can_declare_it(name):
    tasks = Tasks(name)
    size = (1008, 756)
    asking = tasks.detect("ship", size)
    assert asking.grammar is None  # replies are checked, not guided
    kind = "obb" if "obb" in tasks.dialect.kinds else "box"
    item = Pointed(kind, TWO[0].points_px if kind == "obb" else TWO[0].points_px[[0, 2]])
    reply = tasks.dialect.encode([item], size)
    assert [each.kind for each in asking.read(reply)] == [kind]
    assert [each.kind for each in tasks.segment("ship", size).lenient(f"Here: {reply}")] == [kind]
    assert reply in tasks.describe(item, size).text
    selecting = tasks.select([item], "in the north", size)
    assert selecting.read(reply) == [0] and selecting.lenient(f"It is {reply}.") == [0]
