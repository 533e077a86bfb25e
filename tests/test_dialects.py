"""How stock Qwen models write boxes: round trips, where each object stands, what is read loosely and what never."""

from __future__ import annotations

import json
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.codec import Pointed, dialect
from surveyor.core.errors import ModelOutputError, UsageError

SETTINGS = settings(deadline=None, max_examples=60)
NAMES = ("native", "qwen2-vl", "qwen2.5-vl", "qwen3-vl")
JSON = ("qwen2.5-vl", "qwen3-vl")
SIZE = (1000, 1000)  # one px is one grid step, so that all dialects write the same numbers
share = st.floats(0, 1, allow_nan=False)
sizes = st.tuples(st.integers(1, 30_000), st.integers(1, 30_000))
labels = st.none() | st.text(min_size=1).map(str.strip).filter(lambda text: text and "<|" not in text)


def box(x0, y0, x1, y1, label=None):
    return Pointed("box", np.array([[x0, y0], [x1, y1]], dtype=np.float64), label=label)


def read(name, text, *, strict=True, size=SIZE):
    return [item.points_px.ravel().tolist() for item in dialect(name).decode(text, size, strict=strict)]


@st.composite
def scenes(draw):
    size = draw(sizes)
    corners = draw(st.lists(st.tuples(share, share, share, share), max_size=5))
    return size, [box(*(np.array(each) * (*size, *size)), label=draw(labels)) for each in corners]


# ---- round trips


@pytest.mark.parametrize("name", NAMES)
@SETTINGS
@given(scenes())
def test_boxes_come_back_within_one_step_where_they_are_written(name, scene):
    size, boxes = scene
    speak = dialect(name)
    text = speak.encode(boxes, size)
    back = speak.decode(text, size)
    assert len(back) == len(boxes)
    step = np.ones(2) if name == "qwen2.5-vl" else np.array(size) / 1000
    for item, given_box in zip(back, boxes, strict=True):
        low, high = given_box.points_px.min(axis=0), given_box.points_px.max(axis=0)
        assert (np.abs(item.points_px - [low, high]) <= step / 2 + 1e-6 * np.array(size)).all()
        assert item.label == (None if name == "native" else given_box.label)
        start, stop = item.span
        (alone,) = speak.decode(text[start:stop], size)
        assert np.array_equal(alone.points_px, item.points_px) and alone.label == item.label
    for one, other in pairwise(back):
        assert one.span[1] <= other.span[0]
    assert speak.encode(back, size) == text


@pytest.mark.parametrize("name", NAMES)
@SETTINGS
@given(
    scenes(),
    st.sampled_from(["", "Here: ", "I see two.\n", "🛩 Sure, it's this "]),
    st.sampled_from(["", "\n", " Done."]),
)
def test_words_round_objects_are_read_only_when_asked(name, scene, before, after):
    size, boxes = scene
    speak = dialect(name)
    text = speak.encode(boxes, size)
    wrapped = f"{before}{text}{after}"
    if before or after.strip():
        with pytest.raises(ModelOutputError):
            speak.decode(wrapped, size)
    if not boxes and name not in JSON and wrapped.strip() != text:
        return  # "I see two. none" is neither boxes nor a clear none
    loose = speak.decode(wrapped, size, strict=False)
    exact = speak.decode(text, size)
    assert [each.points_px.tolist() for each in loose] == [each.points_px.tolist() for each in exact]
    assert [each.label for each in loose] == [each.label for each in exact]
    shift = len(before)
    assert [each.span for each in loose] == [(each.span[0] + shift, each.span[1] + shift) for each in exact]


@pytest.mark.parametrize("name", NAMES[1:])
def test_an_oriented_box_becomes_the_upright_one_round_it(name):
    diamond = Pointed("obb", np.array([[50, 10], [90, 50], [50, 90], [10, 50]]))
    assert read(name, dialect(name).encode([diamond], SIZE)) == [[10, 10, 90, 90]]


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.array([[0, np.nan], [1, 1]]), np.array([[0, np.inf], [1, 1]])])
@pytest.mark.parametrize("name", NAMES[1:])
def test_what_cannot_be_written(name, points):
    with pytest.raises(UsageError):
        dialect(name).encode([Pointed("box", points)], SIZE)


def test_the_written_forms():
    plane = box(10, 20, 60, 70, "plane")
    texts = [dialect(name).encode([plane], (100, 100)) for name in NAMES]
    assert texts == [
        "[(100,200),(600,700)]",
        "<|object_ref_start|>plane<|object_ref_end|><|box_start|>(100,200),(600,700)<|box_end|>",
        '[{"bbox_2d": [10, 20, 60, 70], "label": "plane"}]',
        '[{"bbox_2d": [100, 200, 600, 700], "label": "plane"}]',
    ]
    assert [dialect(name).encode([], SIZE) for name in NAMES] == ["none", "none", "[]", "[]"]
    assert len({dialect(name).coordinates for name in NAMES}) == 2


def test_a_name_never_ends_the_place_for_names():
    text = dialect("qwen2-vl").encode([box(1, 2, 3, 4, "a<|object_ref_end|><|im_end|>b < c")], SIZE)
    (item,) = dialect("qwen2-vl").decode(text, SIZE)
    assert item.label == "a< |object_ref_end|>< |im_end|>b < c"


# ---- what is nothing


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("native", "none"), ("native", "[]"), ("native", " None.\n"),
        ("qwen2-vl", "none"), ("qwen2-vl", "\nNone. "),
        *((name, text) for name in JSON for text in ("[]", " [ ]\n", "```json\n[]\n```", "```\n[ ]```")),
    ],
)  # fmt: skip
def test_an_explicit_none_is_an_empty_list(name, text, strict):
    assert dialect(name).decode(text, SIZE, strict=strict) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["No objects found.", "nothing", "none", "no such objects"])
def test_none_in_words(name, text):
    assert dialect(name).decode(text, SIZE, strict=False) == []


UNREADABLE = [
    "", "   ", "\n\n", "I cannot see any.", "There are 3 planes.", "null", "true", "12", '"none at all"', "{}", "[{}]",
    "```json\n```", "```", "``````", "[[]]", "[null]", "none none", "[(", ")]", "<|box_start|>",
    "<|box_start|><|box_end|>",
    "<|object_ref_start|>plane<|object_ref_end|>", '{"objects": []}', "[[], []]", "the planes at 10, 20, 30, 40",
]  # fmt: skip


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable_text_is_never_nothing(name, text, strict):
    with pytest.raises(ModelOutputError) as caught:
        dialect(name).decode(text, SIZE, strict=strict)
    assert caught.value.raw == text


# ---- loosely written JSON

TWO = [[1, 2, 3, 4], [5, 6, 7, 8]]
ONE = '{"bbox_2d": [1, 2, 3, 4], "label": "plane"}'
OTHER = '{"bbox_2d": [5, 6, 7, 8]}'
LOOSE = {
    "single-quotes": "[{'bbox_2d': [1, 2, 3, 4], 'label': 'plane'}, {'bbox_2d': [5, 6, 7, 8]}]",
    "trailing-commas": '[{"bbox_2d": [1, 2, 3, 4,], "label": "plane",}, {"bbox_2d": [5, 6, 7, 8]},\n]',
    "text-round-a-fence": f"Here it is:\n```json\n[{ONE}, {OTHER}]\n```\nThat's all.",
    "two-fences": f"```json\n[{ONE}]\n```\nand\n```json\n[{OTHER}]\n```",
    "no-list": f"{ONE},\n{OTHER}",
    "lines": f"{ONE}\n{OTHER}",
    "two-lists": f"[{ONE}] and [{OTHER}].",
    "bare-numbers": "[1, 2, 3, 4] [5, 6, 7, 8]",
    "apostrophes": f"Here's what I see, it's clear: [{ONE}, {OTHER}] - that's all",
    "odd-quote-before": f"5'7\" [{ONE}, {OTHER}]",
}
STRICT = {
    "bbox": '[{"bbox": [1, 2, 3, 4]}, {"bbox": [5, 6, 7, 8]}]',
    "lists": "[[1, 2, 3, 4], [5, 6, 7, 8]]",
    "fence": f"```json\n[{ONE}, {OTHER}]\n```",
    "bare-fence": f"```\n[{ONE}, {OTHER}]```",
    "fence-left-open": f"```json\n[{ONE}, {OTHER}]\n",
    "floats": '[{"bbox_2d": [1.0, 2e0, 3, 4]}, {"bbox_2d": [5, 6, 7, 8.0]}]',
    "corners-swapped": '[{"bbox_2d": [3, 4, 1, 2]}, {"bbox_2d": [7, 6, 5, 8]}]',
    "more-keys": '[{"label": "x", "bbox_2d": [1, 2, 3, 4], "sub": {"a": [1]}}, {"bbox_2d": [5, 6, 7, 8], "score": 1}]',
}


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("text", STRICT.values(), ids=STRICT)
def test_read_strictly_and_loosely_alike(name, text):
    assert read(name, text) == read(name, text, strict=False) == TWO


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("text", LOOSE.values(), ids=LOOSE)
def test_read_loosely_only(name, text):
    with pytest.raises(ModelOutputError):
        read(name, text)
    assert read(name, text, strict=False) == TWO
    for item, numbers in zip(dialect(name).decode(text, SIZE, strict=False), TWO, strict=True):
        written = text[slice(*item.span)]
        assert [
            int(n) for n in json.loads(f"[{written[written.index('[') + 1 : written.index(']')].rstrip(',')}]")
        ] == numbers


@pytest.mark.parametrize("name", JSON)
def test_one_object_alone_is_read(name):
    assert read(name, ONE) == read(name, "[1, 2, 3, 4]") == [[1, 2, 3, 4]]


REFUSED = {
    "cut-in-numbers": f'[{ONE}, {{"bbox_2d": [5, 6,',
    "cut-in-label": f'[{ONE}, {{"bbox_2d": [5, 6, 7, 8], "label": "pla',
    "cut-behind-an-object": f"[{ONE}",
    "cut-without-list": f'{ONE}, {{"bbox_2d": [5, 6, 7',
    "cut-in-a-fence": f'```json\n[{ONE},\n{{"bbox_2d": [',
    "closed-twice": f"[{ONE}]]",
    "wrong-bracket": f"[{ONE}}}",
    "points": '[{"point_2d": [5, 6], "label": "plane"}]',
    "a-point-among-boxes": f'[{ONE}, {{"point_2d": [5, 6]}}]',
    "three-numbers": '[{"bbox_2d": [1, 2, 3]}]',
    "five-numbers": '[{"bbox_2d": [1, 2, 3, 4, 5]}]',
    "corner-pairs": '[{"bbox_2d": [[1, 2], [3, 4]]}]',
    "words": '[{"bbox_2d": ["1", "2", "3", "4"]}]',
    "truth": '[{"bbox_2d": [true, 2, 3, 4]}]',
    "nan": '[{"bbox_2d": [NaN, 2, 3, 4]}]',
    "infinity": '[{"bbox_2d": [1, 2, Infinity, 4]}]',
    "minus-infinity": '[{"bbox_2d": [1, 2, -Infinity, 4]}]',
    "overflow": '[{"bbox_2d": [1, 2, 1e999, 4]}]',
    "huge": f'[{{"bbox_2d": [1, 2, 3, {"9" * 400}]}}]',
    "thousands-of-digits": f'[{{"bbox_2d": [1, 2, 3, {"9" * 9000}]}}]',
    "far-outside": '[{"bbox_2d": [1, 2, 3, 1999]}]',
    "far-below": '[{"bbox_2d": [-200, 2, 3, 4]}]',
    "wrapped": f'{{"objects": [{ONE}]}}',
    "empty-beside-objects": f"[] [{ONE}]",
    "empty-beside-fence": f"```json\n[]\n```\n```json\n[{ONE}]\n```",
    "no-key": '[{"label": "plane"}]',
    "unquoted": "[{bbox_2d: [1, 2, 3, 4]}]",
    "tokens": "<|box_start|>(1,2),(3,4)<|box_end|>",
    "native": "[(1,2),(3,4)]",
}


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_json_that_is_never_read(name, text, strict):
    with pytest.raises(ModelOutputError) as caught:
        dialect(name).decode(text, SIZE, strict=strict)
    assert caught.value.raw == text


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("depth", [3, 300, 900, 980, 990, 1000, 5000, 100_000])
@pytest.mark.parametrize("strict", [True, False])
def test_deep_nesting(name, depth, strict):
    for text in ("[" * depth + "]" * depth, '[{"a": ' + "[" * depth + "]" * depth + "}]", '{"a":' * depth):
        with pytest.raises(ModelOutputError):
            dialect(name).decode(text, SIZE, strict=strict)


def test_deep_nesting_near_the_limit_of_recursion():
    limit = sys.getrecursionlimit()
    for depth in range(limit - 120, limit + 10):  # where reading still works and writing a message no longer might
        with pytest.raises(ModelOutputError):
            dialect("qwen3-vl").decode("[" * depth + "]" * depth, SIZE)


def test_a_cut_list_is_never_a_shorter_one():
    text = f"Here: [{ONE}, {OTHER}] done"
    for end in range(len(text)):
        if end >= text.index("}]") + 2:
            assert read("qwen3-vl", text[:end], strict=False) == TWO
        else:
            with pytest.raises(ModelOutputError):
                read("qwen3-vl", text[:end], strict=False)


# ---- tokens

TOKENS = "<|box_start|>(1,2),(3,4)<|box_end|>"
SECOND = "<|object_ref_start|> ship <|object_ref_end|><|box_start|>( 5 , 6 ) , (7.0,8)<|box_end|>"


@pytest.mark.parametrize(
    ("text", "strict"),
    [
        (TOKENS + SECOND, True), (f"{TOKENS}\n{SECOND}\n", True), (f" {TOKENS}, {SECOND};", True),
        (f"I see {TOKENS} and {SECOND}.", False), (f"```\n{TOKENS}{SECOND}\n```", False),
    ],
)  # fmt: skip
def test_tokens_are_read(text, strict):
    assert read("qwen2-vl", text, strict=strict) == read("qwen2-vl", text, strict=False) == TWO
    assert [item.label for item in dialect("qwen2-vl").decode(text, SIZE, strict=False)] == [None, "ship"]
    if not strict:
        with pytest.raises(ModelOutputError):
            read("qwen2-vl", text)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "text",
    [
        TOKENS[:-1], TOKENS[:20], f"{TOKENS}<|box_start|>(5,6),(7", TOKENS.replace(")<", "]<"), f"{TOKENS}<|im_end|>",
        TOKENS.replace("3", "NaN"), TOKENS.replace("3", "3" * 12), TOKENS.replace("(3,4)", "(3,4),(5,6)"),
        TOKENS.replace("1", "１"), TOKENS.replace("3", "1999"), f"none {TOKENS}x(", "(1,2),(3,4)", "[]]", ONE,
        "<|object_ref_start|>a<|object_ref_end|>" + SECOND.replace("<|object_ref_end|>", ""),
    ],
)  # fmt: skip
def test_tokens_that_are_not_read(text, strict):
    with pytest.raises(ModelOutputError) as caught:
        dialect("qwen2-vl").decode(text, SIZE, strict=strict)
    assert caught.value.raw == text


# ---- conventions


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("native", "[(10,20),(30,1500)]"), ("qwen2-vl", "<|box_start|>(10,20),(30,1500)<|box_end|>"),
        ("qwen2.5-vl", '[{"bbox_2d": [10, 20, 30, 1500]}]'), ("qwen3-vl", '[{"bbox_2d": [10, 20, 30, 1500]}]'),
    ],
)  # fmt: skip
def test_numbers_far_outside_point_at_the_convention(name, text):
    with pytest.raises(ModelOutputError, match="another convention"):
        dialect(name).decode(text, (1000, 1000))


@pytest.mark.parametrize("name", NAMES)
def test_numbers_a_little_outside_are_clipped(name):
    over = {"native": "[(-5,0),(1100,50)]", "qwen2-vl": "<|box_start|>(-5,0),(1100,50)<|box_end|>"}
    text = over.get(name, '[{"bbox_2d": [-5, 0, 1100, 50]}]')
    assert read(name, text) == [[0, 0, 1000, 50]]


def test_absolute_and_relative_numbers_differ():
    text = '[{"bbox_2d": [100, 50, 200, 100]}]'
    assert read("qwen2.5-vl", text, size=(2000, 200)) == [[100, 50, 200, 100]]
    assert read("qwen3-vl", text, size=(2000, 200)) == [[200, 10, 400, 20]]


# ---- polygons


@pytest.mark.parametrize("end", ["", ",(1,2)"], ids=["open", "closed"])
def test_polygons_are_closed_where_they_were_asked_for(end):
    for ring in ("(1,2),(9,2),(9,9)", "(1,2),(9,2),(9,9),(1,9)", "(1,2),(9,2),(9,9),(5,12),(1,9)"):
        (item,) = dialect("native").decode(f"[{ring}{end}]", SIZE, kind="polygon")
        assert item.kind == "polygon" and len(item.points_px) == ring.count("(")
        assert item.points_px[0].tolist() != item.points_px[-1].tolist()


def test_two_points_are_no_polygon():
    (item,) = dialect("native").decode("[(1,2),(9,9)]", SIZE, kind="polygon")
    assert item.kind == "box"
    with pytest.raises(ModelOutputError):
        dialect("native").decode("[(1,2)]", SIZE, kind="polygon")


# ---- invariants over any text

ALPHABET = "[]{}(),:.'\"`0123456789e-+ \nbbox_2dlabelnonejson<|>tru"
PIECES = [ONE, OTHER, TOKENS, SECOND, "[", "]", ",", "```json\n", "```", "none", " ", "'", '"', "x"]
TEXTS = st.one_of(st.text(), st.text(ALPHABET, max_size=80), st.lists(st.sampled_from(PIECES), max_size=8).map("".join))


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=150)
@given(TEXTS)
def test_what_is_read_strictly_is_read_loosely_alike(name, text):
    found = []
    for strict in (True, False):
        try:
            found.append(
                [(i.points_px.tolist(), i.label, i.span) for i in dialect(name).decode(text, (640, 480), strict=strict)]
            )
        except ModelOutputError as error:
            assert error.raw == text
            found.append(None)
    assert found[0] is None or found[0] == found[1]
    for points, _, (start, stop) in found[1] or ():
        assert 0 <= start < stop <= len(text)
        assert (np.array(points) >= 0).all() and (np.array(points) <= (640, 480)).all()


@pytest.mark.parametrize("name", NAMES[1:])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "unit", [*"[{'\" <", '\\"', ", ", "```", "```json ", "<|box_start|>", "<|object_ref_start|>", '"\\"']
)
def test_long_replies_take_no_long(name, unit, strict):
    for text in ("x" + unit * 40_000, "```json" + unit * 40_000, unit * 40_000 + "]", "[" + '"' + unit * 40_000):
        with pytest.raises(ModelOutputError):
            dialect(name).decode(text, SIZE, strict=strict)


@pytest.mark.parametrize("name", NAMES)
def test_too_long_a_reply(name):
    with pytest.raises(ModelOutputError, match="characters"):
        dialect(name).decode("[" * 1_000_001, SIZE)
