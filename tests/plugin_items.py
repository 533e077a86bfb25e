"""Items, predictions and replies for tests of evals/plugins: a mini set on drawn scenes, answers of every kind."""

from __future__ import annotations

import atexit
import random
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from score_items import filled, make_item
from surveyor.core.codec import Pointed, dialect
from surveyor.evals.bench.items import Header, Image, Item, Task, write_items
from surveyor.evals.bench.predictions import Prediction
from surveyor.evals.construction.builder import build
from surveyor.evals.construction.synth_source import synth_records
from surveyor.evals.plugins.asking import read_reply, right_reply

SIZE = (560, 480)
UNREADABLE = "There may be some, I am not sure."


@cache
def mini_set(task: Task) -> tuple[Path, tuple[Item, ...]]:
    """A folder with `items.jsonl` and its images, and the items: CREC and CRES built, RCD by hand."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    records = list(synth_records(3, seed=1, size_wh=SIZE, root=folder))
    if task == "RCD":
        header, items = Header(task=task, command="by hand", seed=0, sources={}, admitted=6), changes(records)
    else:
        header, items = build(iter(records), task=task, n=14, seed=0, root=str(folder))
    write_items(folder / "items.jsonl", header, items)
    return folder, tuple(items)


def changes(records: list[object]) -> list[Item]:
    """RCD items over the drawn scenes: one part, two parts, nothing."""
    answers = ([(10, 20, 60, 80)], [(0, 0, 30, 30), (200, 100, 260, 180)], [])
    items = []
    for number in range(6):
        record = records[number % 3]
        image = Image(path=record.image.name, size_wh=SIZE, family=record.family)  # type: ignore[attr-defined]
        after = image.model_copy(update={"path": records[(number + 1) % 3].image.name})  # type: ignore[attr-defined]
        boxes = answers[number % 3]
        answer = filled(*boxes, size_wh=SIZE) if boxes else None
        item = make_item(f"rcd-{number}", task="RCD", size_wh=SIZE, answer_rle=answer, after=after)
        items.append(item.model_copy(update={"image": image, "expression": f"segment the changed buildings, {number}"}))
    return items


def replies(items: tuple[Item, ...], name: str = "native", seed: int = 0) -> dict[str, str]:
    """Item id -> a reply: right ones, moved ones, half ones, ones too many, none, and unreadable ones."""
    dice = random.Random(seed)
    return {item.id: _reply(item, name, dice) for item in items}


def _reply(item: Item, name: str, dice: random.Random) -> str:
    kind = dice.choice(["right", "right", "moved", "half", "more", "none", "unreadable"])
    if kind == "unreadable":
        return UNREADABLE
    if kind == "none":
        return "[]" if name == "qwen3-vl" else "none"
    spoken, size = dialect(name), item.image.size_wh
    objects = spoken.decode(right_reply(item, name), size, strict=False)
    if kind == "half":
        objects = objects[: len(objects) // 2]
    if kind == "more":
        objects = [*objects, Pointed("box", np.array([[5.0, 5.0], [25.0, 30.0]]), None, "thing")]
    if kind == "moved":
        shift = dice.randint(1, 12)
        objects = [Pointed(each.kind, each.points_px + shift, None, each.label) for each in objects]
    return spoken.encode(objects, size)


def predictions(items: tuple[Item, ...], seed: int = 0) -> list[Prediction]:
    """Predictions as an agent or a model could have made them: those of `replies`, other statuses, and some missing."""
    dice = random.Random(seed)
    found = []
    for item in items:
        made = read_reply(_reply(item, "native", dice), item)
        status = dice.choice(["", "", "", "failed", "refused", "timeout", "missing"])
        if status in ("failed", "refused", "timeout"):
            made = Prediction(id=item.id, status=status)  # type: ignore[arg-type]
        if status != "missing":
            found.append(made)
    return found
