"""5,000 mutated real and garbage replies: each reader gives a value of its type or ModelOutputError, no more."""

from __future__ import annotations

import hashlib
import random
import string
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from surveyor.core.codec import Pointed
from surveyor.core.errors import ModelOutputError
from surveyor.tools.models.pointing import region_of
from surveyor.tools.models.prompting import Reply, meaning
from surveyor.tools.models.tasks import FREE, Asking, Place, Tasks
from surveyor.tools.models.views import View

DIALECTS = ("native", "qwen2-vl", "qwen2.5-vl", "qwen3-vl")
CLASSES = ("airport", "residential", "dense residential")
BATCHES, BATCH = 10, 500
SCENE = (4000, 3000)
VIEW = View((1000, 500, 3016, 2012), (1008, 756), SCENE)
REAL = (
    "[(100,200),(600,200),(600,700),(100,700)]\n[(1,2),(30,2),(30,9),(1,9)]",
    "[(100,200),(600,700)] keypoints [(350,450),(360,460)]\n[(7,8),(9,10)] keypoints [(8,9)]",
    "[(50,100),(300,100),(300,350),(50,350)]",
    '[{"bbox_2d": [50, 100, 300, 350]}]\n[{"bbox_2d": [101, 151, 605, 529]}]',
    "[(0,0),(1000,0),(1000,1000),(400,500),(0,0)]",
    "[(10,10),(500,500),(990,990),(10,10)]",
    "none",
    "<|object_ref_start|>plane<|object_ref_end|><|box_start|>(100,200),(600,700)<|box_end|>"
    "<|box_start|>(1,2),(3,4)<|box_end|>",
    "<|object_ref_start|>storage tank<|object_ref_end|><|box_start|>(0,0),(1000,1000)<|box_end|><|im_end|>",
    '```json\n[\n\t{"bbox_2d": [100, 200, 600, 700], "label": "plane"},\n'
    '\t{"bbox_2d": [1, 2, 30, 40], "label": "plane"}\n]\n```',
    '[{"bbox_2d": [253, 15, 400.5, 88], "label": "größe 🛩"}]',
    "Here are the planes: [{'bbox_2d': [1, 2, 3, 4], 'label': 'plane',}, {'bbox': [5, 6, 7, 8]},]",
    '{"bbox_2d": [1, 2, 3, 4]}\n{"bbox_2d": [1, 2, 3, 4], "sub_label": null}',
    '[{"point_2d": [394, 105], "label": "plane"}]',
    '{"objects": [{"bbox_2d": [1, 2, 3, 4]}], "count": 1}',
    "There are no planes in the image.",
    "I can see two planes: [(1,2),(3,4)] and [(5,6),(7,8)].",
    "The image shows an airport with 12 planes near a terminal.",
    "Airport",
    "dense residential.",
    "12",
    "There are 3 ships and 4 planes.",
    "[Munich, (48.1374, 11.5755)]",
    "This looks like [São Paulo, (-23.55, -46.63)].",
    "I'm sorry, but I can't help with that.",
    "<think>\nThe user wants planes [1, 2, 3, 4].\n</think>\n\n[]",
    "addCriterion\n[[[[{{{{",
    "",
)
STRANGE = (
    "\x00\t\n\r\u2028\u200b\u202e\ud800１２３٤äß漢🛩−–“”‘’…∞½²" + string.digits + "[](){}<>|,;:.\"'`\\/-+eE_#$%&*=?!~^@"
)
WORDS = ("NaN", "Infinity", "-Infinity", "null", "true", "1e999", "9" * 30, "none", "[]", "bbox_2d", "keypoints", "```", "<|box_end|>", "-0", "0x1F", "1_000")  # fmt: skip  # noqa: E501


def cut(text: str, rng: random.Random) -> str:
    low, high = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    return rng.choice((text[:low], text[low:], text[low:high]))


def duplicate(text: str, rng: random.Random) -> str:
    low, high = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
    return text[:high] + text[low:high] * rng.choice((1, 1, 2, 30)) + text[high:]


def swap(text: str, rng: random.Random) -> str:
    letters = list(text)
    for _ in range(rng.randint(1, 4) if len(text) > 1 else 0):
        i, j = rng.randrange(len(letters)), rng.randrange(len(letters))
        letters[i], letters[j] = letters[j], letters[i]
    return "".join(letters)


def delete(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(text))
        text = text[:at] + text[at + rng.randint(1, 3) :]
    return text


def insert(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(text))
        what = rng.choice(WORDS) if rng.random() < 0.3 else rng.choice(STRANGE)
        text = text[:at] + what * rng.choice((1, 1, 1, 40)) + text[at:]
    return text


def recase(text: str, rng: random.Random) -> str:
    return rng.choice((str.upper, str.lower, str.title, str.swapcase))(text)


def renumber(text: str, rng: random.Random) -> str:
    return "".join(rng.choice(string.digits + "-.") if each.isdigit() and rng.random() < 0.4 else each for each in text)


def join(text: str, rng: random.Random) -> str:
    return text + rng.choice(("", " ", "\n", "\n\n", ", ")) + rng.choice(REAL)


def garbage(text: str, rng: random.Random) -> str:
    return "".join(rng.choice(STRANGE + string.ascii_letters + " ") for _ in range(rng.randint(0, 60)))


CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    cut, duplicate, swap, delete, insert, insert, recase, renumber, renumber, join, garbage,
)  # fmt: skip


def mutated(number: int) -> str:
    """The same text for the same number, on every machine."""
    rng = random.Random(number)
    text = REAL[number % len(REAL)]
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        text = rng.choice(CHANGES)(text, rng)
    return text[:4000]


@cache
def texts() -> list[str]:
    """All of them, each once."""
    made: dict[str, None] = {}
    number = 0
    while len(made) < BATCHES * BATCH:
        made.setdefault(mutated(number))
        number += 1
    return list(made)


def askings() -> list[Asking[Any]]:
    made: list[Asking[Any]] = []
    for name in DIALECTS:
        tasks, size = Tasks(name), VIEW.size_wh
        quad = np.array([[100.0, 200], [600, 200], [600, 700], [100, 700]]) * np.array(size) / 1000
        given = [
            Pointed("obb", quad / shrink) if name == "native" else Pointed("box", quad[::2] / shrink)
            for shrink in (1, 2)
        ]
        made += [tasks.detect("plane", size), tasks.change("plane", size), tasks.select(given, "red", size)]
        if name == "native":  # elsewhere as detect
            made.append(tasks.segment("plane", size))
    tasks = Tasks()
    words = [tasks.caption(), tasks.answer("why?"), tasks.describe(given[0], VIEW.size_wh)]
    return [*made, *words, tasks.classify(CLASSES), tasks.count("plane"), tasks.locate()]


ASKINGS = askings()


def is_right(task: str, value: Any) -> bool:
    if task in FREE:
        return isinstance(value, str) and bool(value.strip())
    if task == "cls":
        return value in CLASSES
    if task == "count":
        return type(value) is int and 0 <= value < 10**9
    if task == "geoloc":
        return (
            isinstance(value, Place) and abs(value.latitude) <= 90 and abs(value.longitude) <= 180 and bool(value.city)
        )
    if task == "select":
        return value == sorted(set(value)) and set(value) <= {0, 1}
    return isinstance(value, list) and all(is_a_region(item) for item in value)


def is_a_region(item: Pointed) -> bool:
    region = region_of(item, VIEW, "plane", None, "test")  # a UsageError here is a failure
    box, step = region.box_px, np.array(VIEW.window_wh) / 1000  # a slanting line is made a step wide
    low, high = VIEW.window_xyxy[:2] - step, VIEW.window_xyxy[2:] + step
    inside = bool((box[:2] >= low).all() and (box[2:] <= high).all() and (box[2:] > box[:2]).all())
    for points in (region.polygon_px, region.keypoints_px):
        inside = inside and (points is None or bool((points >= 0).all() and (points <= SCENE).all()))
    far = np.linalg.norm(box[2:] - box[:2])
    return inside and bool((np.abs(region.corners_px - region.box_px.reshape(2, 2).mean(axis=0)) <= far).all())


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_value_of_its_type_or_a_model_output_error(batch: int) -> None:
    outcomes: Counter[tuple[str, bool]] = Counter()
    for number, text in enumerate(texts()[batch * BATCH : (batch + 1) * BATCH]):
        for asking in ASKINGS:
            values = []
            for read in (asking.read, asking.lenient):
                try:
                    value = read(text)
                except ModelOutputError as error:
                    assert error.raw == text and str(error)
                    outcomes[asking.task, False] += 1
                    values.append(None)
                    continue
                outcomes[asking.task, True] += 1
                assert is_right(asking.task, value), (number, asking.task, text, value)
                values.append(value)
            assert values[0] is None or values[1] is not None, (number, asking.task, text)  # lenient reads no less
    tasks = {asking.task for asking in ASKINGS}
    assert all(outcomes[task, False] for task in tasks.difference(FREE))
    assert all(outcomes[task, True] for task in tasks - {"select"})  # or nothing was tested


def test_texts_are_the_same_everywhere() -> None:
    digest = hashlib.sha256("\0".join(texts()).encode("utf-8", "surrogatepass")).hexdigest()
    assert len(texts()) == 5000 and digest[:8] == "621cfe5b"
    assert set(REAL) <= set(texts()) and max(map(len, texts())) > 1000


def test_a_reply_that_ran_out_of_tokens_is_never_read_as_a_whole_one() -> None:
    for text in texts()[:500]:
        for asking in ASKINGS:
            if asking.task in FREE:
                continue
            with pytest.raises(ModelOutputError):
                meaning(asking, Reply(text, ended=False))
