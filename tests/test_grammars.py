"""Grammars of the tasks: every reply that one admits can be read, and what the dialects write is admitted."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from surveyor.core.codec import Pointed
from surveyor.core.errors import UsageError
from surveyor.tools.models.grammars import regions_grammar
from surveyor.tools.models.prompting import Reply, meaning
from surveyor.tools.models.tasks import Asking, Tasks

NEEDED = ("torch", "transformers", "tokenizers", "llguidance")
MISSING = [name for name in NEEDED if find_spec(name) is None]
guided = [
    pytest.mark.torch,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning"),
]
FAMILIES = {"native": "qwen2-vl", "qwen2-vl": "qwen2-vl", "qwen2.5-vl": "qwen2.5-vl", "qwen3-vl": "qwen3-vl"}
TASKS = ("det", "seg", "change", "select", "cls", "count", "geoloc")
WALKS = 72  # of a task and dialect: 2,016 in all
SIZE = (1008, 756)
PHRASES = (
    "plane", "storage tank", 'the "red" one', "it's a\\b", "größte Fläche", "東京の船", "a < b > c", "a<", "tank|>",
    "<|im_end|><|box_start|>", "x\x07\x7f\u2028y", "$phrase", "🛩", "/plane/i", "#a %json {", "a" * 300,
)  # fmt: skip
REGIONS = [
    Pointed("box", np.array([[x, 20.0], [x + 30, 60]])) if x % 2 else
    Pointed("obb", np.array([[x + 9.0, 100], [x + 30, 120], [x + 21, 160], [x, 140]]))
    for x in range(10, 800, 79)
]  # fmt: skip


def plain(phrase: str) -> str:
    """What is left of a user's words in an instruction."""
    words = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in phrase)
    return " ".join(words.replace("<|", "< |").split())


def regions_for(tasks: Tasks) -> list[Pointed]:
    return [region for region in REGIONS if region.kind in tasks.dialect.kinds]


def asking_of(task: str, dialect: str, phrase: str = "plane", size: tuple[int, int] = SIZE) -> Asking[Any]:
    tasks = Tasks(dialect)
    made = {
        "det": lambda: tasks.detect(phrase, size),
        "seg": lambda: tasks.segment(phrase, size),
        "change": lambda: tasks.change(phrase, size),
        "select": lambda: tasks.select(regions_for(tasks), phrase, size),
        "cls": lambda: tasks.classify([phrase, "Park", "park", "St. Mary's Misc.", "Parking lot"]),
        "count": lambda: tasks.count(phrase),
        "geoloc": tasks.locate,
    }
    return made[task]()


@cache
def tokenizer_of(family: str) -> Any:
    from surveyor.finetune.scratch.qwen2vl import make_tokenizer
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=make_tokenizer(family), eos_token="<|im_end|>")


@cache
def guide_of(family: str) -> Any:
    from surveyor.tools.models.guidance import Guide

    return Guide.of(tokenizer_of(family))


def walk(asking: Asking[Any], family: str, budget: int, rng: random.Random) -> tuple[str, bool]:
    """A reply of random tokens that the grammar admits, and whether its end was forced."""
    from surveyor.tools.models.guidance import Guided, bits

    guide = guide_of(family)
    reply = Guided(guide, asking.grammar, budget=budget)
    longer = rng.random() < 0.7  # most walks put off their end
    while not reply.is_done:
        forced = reply.forced_tokens()
        if not forced:
            ids = bits(reply.mask())
            going_on = ids[~np.isin(ids, guide.ends)]
            if not reply.tokens:  # of the beginnings, those of objects
                going_on = np.array([i for i in going_on if not guide.text([i]).startswith("n")])
            forced = [int(rng.choice(going_on if longer and len(going_on) else ids))]
        for token in forced:
            reply.consume(token)
    assert reply.is_complete and len(reply.tokens) <= budget
    tokens = [token for token in reply.tokens if token not in guide.ends]
    return tokenizer_of(family).decode(tokens, skip_special_tokens=False), reply.forced


def small_budgets(asking: Asking[Any], family: str) -> Iterator[int]:
    """Ever new budgets, from the least that a reply takes to a few hundred tokens."""
    from surveyor.tools.models.guidance import Guided

    rng = random.Random(asking.task)
    least = 1
    while True:
        try:
            Guided(guide_of(family), asking.grammar, budget=least)
        except UsageError:
            least += 1
            continue
        break
    while True:
        yield least
        yield from (rng.randint(least, 60 + least) for _ in range(2))
        yield from (rng.randint(100, 260) for _ in range(3))


class TestWalks:
    pytestmark = guided

    @pytest.mark.parametrize("dialect", FAMILIES)
    @pytest.mark.parametrize("task", TASKS)
    def test_every_reply_that_is_admitted_is_read(self, task: str, dialect: str) -> None:
        rng, family = random.Random(f"{task} {dialect}"), FAMILIES[dialect]
        seen: set[str] = set()
        for number, budget in zip(range(WALKS), small_budgets(asking_of(task, dialect), family), strict=False):
            phrase = PHRASES[number % len(PHRASES)] if number % 6 == 5 else "plane"
            size = SIZE if number % 3 else (rng.randint(1, 60) * 28, rng.randint(1, 60) * 28)
            asking = asking_of(task, dialect, phrase, size)
            budget += 400 if phrase != "plane" else 0  # long names need room
            text, forced = walk(asking, family, budget, rng)
            value = meaning(asking, Reply(text, forced=forced, guided=True))
            again = meaning(asking, Reply(text, forced=forced))  # as text of a server that may have guided it
            if isinstance(value, list) and value and isinstance(value[0], Pointed):
                assert [each.points_px.tolist() for each in again] == [each.points_px.tolist() for each in value]
                assert all(each.label in (None, plain(phrase)) for each in value)
                assert all((each.points_px <= size).all() for each in value)
            else:
                assert again == value
            seen.add(text)
        assert len(seen) > (3 if task == "cls" else WALKS / 6)

    @pytest.mark.parametrize("dialect", FAMILIES)
    @pytest.mark.parametrize("phrase", PHRASES)
    def test_what_a_dialect_writes_is_admitted_and_comes_back(self, phrase: str, dialect: str) -> None:
        tasks, rng = Tasks(dialect), np.random.default_rng(len(phrase))
        name = plain(phrase)
        low = rng.uniform(0, 700, (3, 2))
        square, skewed = np.array([[0, 0], [40, 0], [40, 30], [0, 30]]), np.array([[0, 0], [40, 0], [50, 20], [0, 30]])
        boxes = [Pointed("box", square[::2] + at, label=name) for at in low]
        rings = [Pointed("polygon", skewed + at) for at in low]
        corners = [Pointed("obb", square + at) for at in low]
        keyed = [Pointed("box", square[::2] + at, at + np.array([[5, 5], [9, 12], [20, 20]])) for at in low]
        own = dialect == "native"
        for asking, items in (
            (tasks.detect(phrase, SIZE), corners if own else boxes),
            (tasks.segment(phrase, SIZE), keyed if own else boxes),
            (tasks.change(phrase, SIZE), rings if own else boxes),
        ):
            for some in ([], items[:1], items):
                text = tasks.dialect.encode(some, SIZE)
                self.admits(asking, FAMILIES[dialect], text)
                assert [item.kind for item in asking.read(text)] == [item.kind for item in some]
                if not own:
                    assert [item.label for item in asking.read(text)] == [name for _ in some]
        selecting = tasks.select(corners if own else boxes, phrase, SIZE)
        lines = [
            tasks.dialect.encode([Pointed(each.kind, each.points_px)], SIZE) for each in (corners if own else boxes)
        ]
        for indices in ([0], [0, 2], [0, 1, 2]):
            text = "\n".join(lines[i] for i in indices)
            self.admits(selecting, FAMILIES[dialect], text)
            assert selecting.read(text) == indices
        self.admits(selecting, FAMILIES[dialect], "none")

    @pytest.mark.parametrize(
        ("task", "text"),
        [
            ("cls", "Park"), ("cls", "park"), ("cls", "St. Mary's Misc."), ("count", "0"), ("count", "120"),
            ("geoloc", "[Munich, (48.14, 11.58)]"), ("geoloc", "[São Paulo, (-23.5500, -46.63)]"),
            ("geoloc", "[X, (-90.00, 180.00)]"),
        ],
    )  # fmt: skip
    def test_plain_answers_are_admitted(self, task: str, text: str) -> None:
        asking = asking_of(task, "native")
        self.admits(asking, "qwen2-vl", text)
        value = asking.read(text)
        assert value == text or str(value) == text or value.city in text

    @pytest.mark.parametrize(
        ("task", "dialect", "text"),
        [
            ("det", "native", "[(1,2),(3,4),(5,6)]"), ("det", "native", "[(1,2),(3,4),(5,6),(7,1001)]"),
            ("det", "native", ""),
            ("det", "native", "none\n[(1,2),(3,4),(5,6),(7,8)]"), ("det", "native", "[(01,2),(3,4),(5,6),(7,8)]"),
            ("seg", "native", "[(1,2),(3,4)] keypoints []"), ("change", "native", "[(1,2),(3,4)]"),
            ("det", "qwen2-vl", "<|box_start|>(1,2),(3,4)<|box_end|>"), ("det", "qwen3-vl", "none"),
            ("det", "qwen2.5-vl", '[{"bbox_2d": [1, 2, 1009, 4], "label": "plane"}]'),
            ("det", "qwen2.5-vl", '[{"bbox_2d": [1, 2, 3, 757], "label": "plane"}]'),
            ("det", "qwen2.5-vl", '[{"bbox_2d": [1, 2, 3, -4], "label": "plane"}]'),
            ("det", "qwen3-vl", '[{"bbox_2d": [1, 2, 3, 4], "label": "ship"}]'), ("cls", "native", "PARK"),
            ("count", "native", "-1"), ("count", "native", "007"), ("geoloc", "native", "[Munich, (91.00, 11.58)]"),
            ("geoloc", "native", "[Munich, (48.14, 180.01)]"), ("select", "native", "[(1,2),(3,4),(5,6),(7,8)]"),
        ],
    )  # fmt: skip
    def test_what_is_not_admitted(self, task: str, dialect: str, text: str) -> None:
        with pytest.raises(AssertionError):
            self.admits(asking_of(task, dialect), FAMILIES[dialect], text)

    @staticmethod
    def admits(asking: Asking[Any], family: str, text: str) -> None:
        """Fails unless the grammar takes the text, token by token, and lets it end there."""
        from surveyor.core.errors import ModelOutputError
        from surveyor.tools.models.guidance import Guided

        reply = Guided(guide_of(family), asking.grammar)
        for token in tokenizer_of(family)(text, add_special_tokens=False)["input_ids"]:
            try:
                reply.consume(token)
            except ModelOutputError as error:
                raise AssertionError(f"{text!r}: {error}") from None
        assert reply.is_complete, text


def test_kinds_and_dialects_without_a_grammar() -> None:
    with pytest.raises(UsageError, match="circle"):
        regions_grammar("native", "circle", "plane", SIZE)
    assert regions_grammar("somebody's", "box", "plane", SIZE) is None


def test_words_have_no_grammar_and_the_rest_has_one() -> None:
    for dialect in FAMILIES:
        tasks = Tasks(dialect)
        assert tasks.caption().grammar is tasks.answer("why?").grammar is None
        for task in TASKS:
            assert asking_of(task, dialect).grammar.startswith("start: ")
