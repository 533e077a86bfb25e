"""What is put to models, and how each kind of reply is read: exactly where it was guided, among words where not."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surveyor.core.codec import Pointed, register
from surveyor.core.errors import ModelOutputError, UsageError
from surveyor.tools.models.prompting import Reply, meaning
from surveyor.tools.models.tasks import FREE, Place, Tasks

DIALECTS = ("native", "qwen2-vl", "qwen2.5-vl", "qwen3-vl")
SIZE = (560, 560)
BOX = Pointed("box", np.array([[100.0, 100], [200, 240]]))
QUAD = Pointed("obb", np.array([[100.0, 100], [200, 100], [200, 240], [100, 240]]))


def refused(read: Any, reply: str) -> None:
    with pytest.raises(ModelOutputError) as caught:
        read(reply)
    assert caught.value.raw == reply


# ---- instructions


def test_instructions_carry_their_tag_or_plain_words() -> None:
    size = SIZE
    for name in DIALECTS:
        tasks = Tasks(name)
        region = QUAD if name == "native" else BOX
        made = [
            tasks.detect("plane", size), tasks.segment("plane", size), tasks.change("plane", size), tasks.caption(),
            tasks.select([region], "red", size), tasks.describe(region, size), tasks.answer("why?"),
            tasks.classify(["a", "b"]), tasks.count("plane"), tasks.locate(),
        ]  # fmt: skip
        assert [each.task for each in made] == ["det", "seg", "change", "caption", "select", "region", "vqa", "cls", "count", "geoloc"]  # fmt: skip  # noqa: E501
        for each in made:
            tagged = each.text.startswith(f"[{each.task}] ")
            assert tagged == (name == "native") and "$" not in each.text
            assert (each.grammar is None) == (each.task in FREE)
            assert each.max_tokens > 0 and each.capped(3).max_tokens == 3 and each.capped(None) is each
        points = tasks.dialect.encode([region], size)
        assert points in made[4].text and points in made[5].text


def test_unknown_dialects_and_empty_words() -> None:
    with pytest.raises(UsageError, match="martian"):
        Tasks("martian")
    for name in DIALECTS:
        tasks = Tasks(name)
        for words in ("", " \n\t", "\x00\x1b"):
            for ask in (
                lambda w, t=tasks: t.detect(w, SIZE), lambda w, t=tasks: t.segment(w, SIZE), tasks.count, tasks.answer,
                lambda w, t=tasks: t.change(w, SIZE), lambda w, t=tasks: t.select([BOX], w, SIZE),
            ):  # fmt: skip
                with pytest.raises(UsageError, match="ask something"):
                    ask(words)
            with pytest.raises(UsageError, match="each with a name"):
                tasks.classify(["a", "b", words])
        for few in ([], ["a"], ["a", "a "]):
            with pytest.raises(UsageError, match="two classes"):
                tasks.classify(few)
        with pytest.raises(UsageError, match="no regions"):
            tasks.select([], "red", SIZE)


def test_labels_and_key_points_stay_out_of_instructions() -> None:
    from dataclasses import replace

    for name in DIALECTS:
        region = replace(QUAD if name == "native" else BOX, label="secret")
        assert "secret" not in Tasks(name).describe(region, SIZE).text
        assert "secret" not in Tasks(name).select([region], "red", SIZE).text
    keyed = replace(BOX, keypoints_px=np.array([[1.0, 1]]))
    assert "keypoints" not in Tasks().describe(keyed, SIZE).text


# ---- classes

CLASSES = ("Park", "park", "Parking lot", "dense residential", "residential", "Misc.", "St. John's", "*")


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        ("Park", "Park"), ("park", "park"), ("PARK", "Park"), (" park. \n", "park"), ("Misc.", "Misc."),
        ("misc", "Misc."),
        ("Parking  LOT.", "Parking lot"), ('"residential"', "residential"),
        ("**Dense residential**", "dense residential"), ("st. john's", "St. John's"), ("*", "*"),
    ],
)  # fmt: skip
def test_classes_are_read(reply: str, name: str) -> None:
    asking = Tasks().classify(CLASSES)
    assert asking.read(reply) == asking.lenient(reply) == name


@pytest.mark.parametrize(
    ("reply", "name"),
    [
        ("The image shows a dense residential area.", "dense residential"),
        ("It is residential.", "residential"), ("I'd say: Parking\nlot!", "Parking lot"),
    ],
)  # fmt: skip
def test_a_class_among_words_is_read_where_words_may_stand(reply: str, name: str) -> None:
    asking = Tasks().classify(CLASSES)
    assert asking.lenient(reply) == name
    refused(asking.read, reply)


@pytest.mark.parametrize(
    "reply",
    [
        "", " ", ".", '""', "forest", "It is not residential.", "no residential", "It isn't residential",
        "residential or Parking lot", "parks", "A park", "unresidential", "none", "It's neither residential nor urban.",
    ],
)  # fmt: skip
def test_replies_that_name_no_class(reply: str) -> None:
    asking = Tasks().classify(CLASSES)
    refused(asking.read, reply)
    refused(asking.lenient, reply)


# ---- counts


@pytest.mark.parametrize(("reply", "count"), [("0", 0), (" 12. ", 12), ("007", 7), ("999999999", 999_999_999)])
def test_counts_are_read(reply: str, count: int) -> None:
    asking = Tasks().count("plane")
    assert asking.read(reply) == asking.lenient(reply) == count


@pytest.mark.parametrize(
    ("reply", "count"),
    [("There are 12 planes.", 12), ("**3**", 3), ("I count 5!", 5), ("planes: 0", 0), ("(4)", 4), ("12, in all", 12)],
)
def test_a_count_among_words_is_read_where_words_may_stand(reply: str, count: int) -> None:
    asking = Tasks().count("plane")
    assert asking.lenient(reply) == count
    refused(asking.read, reply)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "none",
        "three",
        "-3",
        "2.5",
        "1,200",
        "2 or 3",
        "0x10",
        "１２",
        "1234567890",
        "1e3",
        "about -7 planes",
        "v2",
        "3rd",
    ],
)
def test_replies_that_are_no_count(reply: str) -> None:
    asking = Tasks().count("plane")
    refused(asking.read, reply)
    refused(asking.lenient, reply)


# ---- places


@pytest.mark.parametrize(
    ("reply", "place"),
    [
        ("[Munich, (48.14, 11.58)]", Place("Munich", 48.14, 11.58)),
        ("Munich (48.14, 11.58).", Place("Munich", 48.14, 11.58)),
        (" [ São  Paulo ,\n( -23.5 , -46 ) ] ", Place("São Paulo", -23.5, -46.0)),
        ("[Århus, (56.16, 10.2)]", Place("Århus", 56.16, 10.2)),
        ("[X, (90, -180)]", Place("X", 90.0, -180.0)),
        ("[L'Aquila-St. Y, (0, 0)]", Place("L'Aquila-St. Y", 0.0, 0.0)),
    ],
)
def test_places_are_read(reply: str, place: Place) -> None:
    asking = Tasks().locate()
    assert asking.read(reply) == asking.lenient(reply) == place


def test_a_place_among_words_is_read_where_words_may_stand() -> None:
    asking = Tasks().locate()
    reply = "I believe this is [Munich, (48.14, 11.58)], in Germany."
    assert asking.lenient(reply) == Place("Munich", 48.14, 11.58)
    refused(asking.read, reply)


@pytest.mark.parametrize(
    "reply",
    [
        "", "Munich", "[Munich, (91, 11)]", "[Munich, (48, 181)]", "[Munich, (48.14)]", "[, (1, 2)]", "(1, 2)",
        "[Munich, (48.14, 11.58)] or [Berlin, (52, 13)]", "[Munich, (nan, 11)]", "[Munich, (4８, 11)]",
        "[Munich, (48, 11]", "[" + "x" * 200 + ", (1, 2)]",
    ],
)  # fmt: skip
def test_replies_that_are_no_place(reply: str) -> None:
    asking = Tasks().locate()
    refused(asking.read, reply)
    refused(asking.lenient, reply)


# ---- selections


@pytest.mark.parametrize("name", DIALECTS)
def test_selections_are_read(name: str) -> None:
    tasks = Tasks(name)
    kind = QUAD if name == "native" else BOX
    regions = [Pointed(kind.kind, kind.points_px + shift) for shift in (0, 50, 100, 0)]
    asking = tasks.select(regions, "red", SIZE)
    lines = [tasks.dialect.encode([region], SIZE) for region in regions]
    assert lines[0] == lines[3]
    strange = tasks.dialect.encode([Pointed(kind.kind, kind.points_px + 300)], SIZE)
    for read in (asking.read, asking.lenient):
        assert read("none") == read(" None. ") == []
        assert read(lines[1]) == [1]
        assert read(f"{lines[2]}\n{lines[1]}\n{lines[2]}") == [1, 2]
        assert read(lines[0]) == [0, 3]  # one text, two regions
        for reply in ("", "the first", lines[1][:-1], f"{lines[1]} and [", strange):
            refused(read, reply)
    wordy = f"Those: {lines[1]} and {lines[2]}"
    assert asking.lenient(wordy) == [1, 2]
    refused(asking.read, wordy)
    assert asking.lenient(tasks.dialect.encode([regions[2], regions[0]], SIZE)) == [0, 2, 3]


# ---- words


def test_words_are_read_on_one_line() -> None:
    for asking in (Tasks().caption(), Tasks().answer("why?"), Tasks().describe(BOX, SIZE)):
        assert asking.read(" A\nplane. ") == "A plane."
        refused(asking.read, " \n")


# ---- a dialect of somebody else


class Loose:
    """Reads any number of boxes, also of a text that was cut off."""

    name, coordinates, kinds = "loose-of-the-tests", "pixels", ("box",)

    def encode(self, objects: Any, size_wh: Any) -> str:
        return ";".join(",".join(f"{v:g}" for v in item.points_px.ravel()) for item in objects) or "none"

    def decode(self, text: str, size_wh: Any, *, kind: str | None = None, strict: bool = True) -> list[Pointed]:
        rows = [part.split(",") for part in text.split(";") if part.count(",") == 3]
        return [Pointed("box", np.array(row, dtype=np.float64).reshape(2, 2)) for row in rows]


def test_a_list_that_was_cut_off_is_none_in_any_dialect() -> None:
    register(Loose())
    asking = Tasks("loose-of-the-tests").detect("plane", SIZE)
    assert asking.grammar is None
    assert len(meaning(asking, Reply("1,2,3,4;5,6,7,8"))) == 2
    with pytest.raises(ModelOutputError, match="cut off"):
        meaning(asking, Reply("1,2,3,4;5,6", ended=False))


# ---- time


@pytest.mark.parametrize(
    "unit", [" ", "[", "[a ", "a ", "1 ", "(", "[a, (", "1.1,", ", ", "\n", "x", "not ", "[(1,2)", "a, "]
)
def test_long_replies_take_no_long(unit: str) -> None:
    tasks = Tasks()
    text = "[a" + unit * 30_000 + "x"
    started = time.perf_counter()
    for asking in (
        tasks.classify(["a b", "b c"]), tasks.count("x"), tasks.locate(), tasks.select([QUAD], "red", SIZE),
        tasks.detect("x", SIZE), tasks.change("x", SIZE), tasks.caption(),
    ):  # fmt: skip
        for read in (asking.read, asking.lenient):
            try:
                read(text)
            except ModelOutputError:
                continue
    assert time.perf_counter() - started < 10  # quadratic ones took minutes


@settings(deadline=None, max_examples=200)
@given(st.text() | st.text('Park lot."*not 0123456789,-()[]'))
def test_what_is_read_exactly_is_read_alike_among_words(text: str) -> None:
    for asking in (Tasks().classify(CLASSES), Tasks().count("x"), Tasks().locate(), Tasks().caption()):
        try:
            value = asking.read(text)
        except ModelOutputError:
            continue
        assert asking.lenient(text) == value
